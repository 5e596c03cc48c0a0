//! Sessions that live on another node: what this node asks of it, and what it answers when it is asked itself.
//!
//! A session id begins with the tag of the process that gave it out. Who that is, and how it is reached, is the business of
//! whoever implements [`Elsewhere`]. A request is passed on at most once: whoever is asked looks only at its own sessions.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::net::body::{BodyError, Read};
use crate::protocol::engineio::decode_payload;

use super::entry::{BadRequest, overloaded, respond};
use super::polling;
use super::websocket::{self, Foreign};
use super::{Body, CloseReason, Engine};

/// The characters of a tag.
pub const TAG: usize = 8;

/// How long the owner may take to work off what a client has sent.
const POST_DEADLINE: Duration = Duration::from_secs(10);

/// A larger body, or one of unknown length, is read only if its session is there.
const LARGE: u64 = 16 << 10;

/// A request of long-polling for a session of another node, its form already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    Get,
    /// A body that decodes.
    Post(Bytes),
    /// The client has broken the protocol, or is too large for it: its session is to end.
    Broken(Breach),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Breach {
    Malformed,
    TooLarge,
    /// It has given up a request that waits.
    Aborted,
}

/// What the owner answers to [`Polled`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollAnswer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// Why there is no ticket for an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoTicket {
    /// No such session, or nobody to ask.
    Unknown,
    /// It has been upgraded, or is being upgraded.
    Taken,
}

/// The right to upgrade a session, given out by its owner. Valid for [`Config::upgrade_timeout`](super::Config).
pub type Ticket = u64;

/// What the owner of a session gives out when another node takes it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Packets for the client: something is still under way for it there, and its owner is to be asked again.
    Part(Bytes),
    /// The whole session. Its owner has forgotten it.
    Whole(Bytes),
}

/// What became of a word to the node where a session goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    Answered(Bytes),
    /// The session is not there, or not yet.
    NotThere,
    /// Nobody knows whether it was heard.
    Lost,
}

/// The other nodes. Dropping one of these futures drops what the other node does for it.
pub trait Elsewhere: Send + Sync + 'static {
    /// Long-polling at the owner of `sid`; `None` if it is unknown or cannot be reached.
    fn poll<'a>(&'a self, sid: &'a str, polled: Polled, address: IpAddr, within: Duration) -> BoxFuture<'a, Option<PollAnswer>>;

    /// Tells the owner of `sid` that something large is on its way from the client; false if there is no such session.
    fn heard<'a>(&'a self, sid: &'a str, address: IpAddr) -> BoxFuture<'a, bool>;

    /// The client has given up a poll; perhaps before its owner has heard of it.
    fn abort(&self, sid: &str, address: IpAddr);

    /// Asks the owner of `sid` for the right to upgrade it.
    fn ticket<'a>(&'a self, sid: &'a str) -> BoxFuture<'a, Result<Ticket, NoTicket>>;

    /// The upgrade came to nothing. Whether the owner hears of it does not matter, since a ticket ends by itself.
    fn give_up(&self, sid: &str, ticket: Ticket);

    /// The client's probe has been answered: it waits for its poll to end. Only a help, since polls end in time by themselves.
    fn probed(&self, sid: &str, ticket: Ticket);

    /// Takes the session over: what its owner gives out, [`Engine::hand_over`], or `None` if it does not.
    fn take<'a>(&'a self, sid: &'a str, ticket: Ticket) -> BoxFuture<'a, Option<Taken>>;

    /// What the client says while its session is being taken over. How many of these packets the owner has taken,
    /// [`Engine::pass_on`]; the others are the new node's. `None`: nobody knows.
    fn pass_on<'a>(&'a self, sid: &'a str, ticket: Ticket, packets: Bytes) -> BoxFuture<'a, Option<usize>>;

    /// Says something to the process with this tag, where a session of ours goes on.
    fn follow<'a>(&'a self, tag: &'a str, sid: &'a str, word: Bytes, within: Duration) -> BoxFuture<'a, Followed>;
}

impl Engine {
    /// Who knows the sessions of other nodes. The first call counts; without one there are none.
    pub fn set_elsewhere(&self, elsewhere: Arc<dyn Elsewhere>) {
        let _ = self.elsewhere.set(elsewhere);
    }

    /// Whom to ask for a session that is not here; nobody if its id was not given out by another node.
    pub(super) fn elsewhere(&self, sid: &str) -> Option<&Arc<dyn Elsewhere>> {
        let tag = tag_of(sid).filter(|tag| *tag != &*self.config.tag)?;
        self.elsewhere.get().filter(|_| !tag.is_empty())
    }

    /// Long-polling for a session of this node by way of another. It is never passed on.
    pub async fn relayed(self: &Arc<Self>, sid: &str, polled: Polled) -> PollAnswer {
        let response = match (self.find(sid), polled) {
            (None, _) => BadRequest::SessionIdUnknown.response(),
            (Some(session), Polled::Get) => polling::get(session).await,
            (Some(session), Polled::Post(body)) => polling::post_relayed(&session, &body, &self.config).await,
            (Some(session), Polled::Broken(breach)) => {
                if session.is_polling() {
                    session.close(match breach {
                        Breach::Malformed => CloseReason::ProtocolError,
                        Breach::TooLarge => CloseReason::TooLarge,
                        Breach::Aborted => CloseReason::PollAborted,
                    });
                }
                BadRequest::Malformed.response()
            }
        };
        let (head, body) = response.into_parts();
        // The bodies of this layer are in memory.
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        PollAnswer { status: head.status, body }
    }

    /// Something of a session of this node is on its way by another; false if there is no such session.
    pub fn heard(&self, sid: &str) -> bool {
        let session = self.find(sid);
        if let Some(session) = &session {
            session.heard();
        }
        session.is_some()
    }

    /// Gives out the right to upgrade a session of this node.
    pub fn issue_ticket(self: &Arc<Self>, sid: &str) -> Result<Ticket, NoTicket> {
        let Some(session) = self.find(sid) else {
            return Err(if self.moved.contains(sid) { NoTicket::Taken } else { NoTicket::Unknown });
        };
        let ticket = session.issue_ticket().ok_or(NoTicket::Taken)?;
        tokio::spawn(session.attend_ticket(ticket));
        Ok(ticket)
    }

    /// The upgrade for which this ticket was given out came to nothing.
    pub fn return_ticket(&self, sid: &str, ticket: Ticket) {
        if let Some(session) = self.find(sid) {
            session.return_ticket(ticket);
        }
    }

    /// The client of this ticket waits for its poll to end.
    pub fn probed(&self, sid: &str, ticket: Ticket) {
        if let Some(session) = self.find(sid) {
            tokio::spawn(session.hurry_polls(ticket));
        }
    }

    /// Gives a session away: it ends here without its client noticing. What is being done for it is finished first; if that
    /// takes too long, or the caller gives up, the session is closed. `to` is the tag of the caller's process; without one the
    /// caller knows nothing of [`Taken::Part`], nor of what may follow the session.
    pub async fn hand_over(self: &Arc<Self>, sid: &str, ticket: Ticket, to: Option<&str>) -> Option<Taken> {
        let session = self.find(sid)?;
        let taken = session.hand_over(ticket, to).await?;
        if matches!(taken, Taken::Whole(_)) {
            self.moved.note(sid);
        }
        Some(taken)
    }

    /// What the client of a session says that is being given away: some of its packets. How many of them were taken.
    pub fn pass_on(&self, sid: &str, ticket: Ticket, packets: &Bytes) -> usize {
        self.find(sid).map_or(0, |session| session.pass_on(ticket, packets))
    }

    /// A word from the node from which a session came.
    pub async fn followed(&self, sid: &str, word: Bytes) -> Followed {
        match self.find(sid) {
            Some(session) => session.followed(word).await,
            None => Followed::NotThere,
        }
    }

    /// Answers a long-polling request whose session is not here.
    pub(super) async fn poll_elsewhere(&self, sid: &str, request: Request<Incoming>, address: IpAddr) -> Response<Body> {
        let Some(elsewhere) = self.elsewhere(sid) else { return BadRequest::SessionIdUnknown.response() };
        if request.method() == Method::GET {
            // A poll waits for long: it need not keep what it came with.
            drop(request);
            // The owner pings before that.
            let within = self.config.ping_interval + self.config.ping_timeout + Duration::from_secs(1);
            let mut aborted = AbortIfDropped(Some((elsewhere, sid, address)));
            let answer = elsewhere.poll(sid, Polled::Get, address, within).await;
            aborted.0 = None;
            return passed_on(answer, polling::TEXT);
        }
        let body = match self.body_for_elsewhere(elsewhere, sid, request.into_body(), address).await {
            Ok(body) => body,
            Err(None) => return BadRequest::SessionIdUnknown.response(),
            Err(Some(error)) => {
                let breach = if error == BodyError::TooLarge { Breach::TooLarge } else { Breach::Malformed };
                let known = elsewhere.poll(sid, Polled::Broken(breach), address, POST_DEADLINE).await.is_some();
                return if known { polling::unread(error) } else { BadRequest::SessionIdUnknown.response() };
            }
        };
        if decode_payload(&body.bytes, self.config.max_polling_packets).is_err() {
            let answer = elsewhere.poll(sid, Polled::Broken(Breach::Malformed), address, POST_DEADLINE).await;
            return answer.map_or(BadRequest::SessionIdUnknown, |_| BadRequest::Malformed).response();
        }
        passed_on(elsewhere.poll(sid, Polled::Post(body.bytes.clone()), address, POST_DEADLINE).await, "text/html")
    }

    /// Reads a body for a session of another node. `None`: there is no such session, as far as that was asked.
    async fn body_for_elsewhere(
        &self,
        elsewhere: &Arc<dyn Elsewhere>,
        sid: &str,
        body: Incoming,
        address: IpAddr,
    ) -> Result<Read, Option<BodyError>> {
        if body.size_hint().exact().is_none_or(|len| len > LARGE) && !elsewhere.heard(sid, address).await {
            return Err(None);
        }
        let comes = AtomicBool::new(false);
        let read = self.read_body(body, address, || comes.store(true, Ordering::Relaxed));
        // The answer to a `ping` may have to wait behind it.
        let keep_alive = async {
            loop {
                tokio::time::sleep(self.config.ping_timeout / 4).await;
                if comes.swap(false, Ordering::Relaxed) {
                    elsewhere.heard(sid, address).await;
                }
            }
        };
        tokio::select! {
            read = read => read.map_err(Some),
            () = keep_alive => Err(Some(BodyError::TooSlow)),
        }
    }

    /// Answers the request for a WebSocket whose session is not here.
    pub(super) async fn upgrade_elsewhere(
        self: &Arc<Self>,
        sid: &str,
        request: Request<Incoming>,
        address: IpAddr,
    ) -> Response<Body> {
        let Some(elsewhere) = self.elsewhere(sid).cloned() else {
            return if self.moved.contains(sid) { websocket::refuse(request) } else { BadRequest::SessionIdUnknown.response() };
        };
        // What is refused here goes on polling.
        if self.closing.load(Ordering::Relaxed) {
            return overloaded("going away");
        }
        match elsewhere.ticket(sid).await {
            Err(NoTicket::Unknown) => BadRequest::SessionIdUnknown.response(),
            Err(NoTicket::Taken) => websocket::refuse(request),
            Ok(ticket) => {
                if let Err(refusal) = self.admit(address) {
                    elsewhere.give_up(sid, ticket);
                    return overloaded(refusal.as_str());
                }
                websocket::take_over(Foreign::new(self.clone(), elsewhere, sid, ticket, address), request)
            }
        }
    }
}

/// What the owner of a session has answered, as this node's answer.
fn passed_on(answer: Option<PollAnswer>, content_type: &'static str) -> Response<Body> {
    let Some(answer) = answer else { return BadRequest::SessionIdUnknown.response() };
    let content_type = if answer.status == StatusCode::OK { content_type } else { "application/json" };
    respond(answer.status, content_type, answer.body)
}

/// The request's future is dropped when its client goes away while it waits.
struct AbortIfDropped<'a>(Option<(&'a Arc<dyn Elsewhere>, &'a str, IpAddr)>);

impl Drop for AbortIfDropped<'_> {
    fn drop(&mut self) {
        if let Some((elsewhere, sid, address)) = self.0 {
            elsewhere.abort(sid, address);
        }
    }
}

/// The tag of the process that gave a session id out; `None` if no node could have.
pub fn tag_of(sid: &str) -> Option<&str> {
    let legal = sid.len() <= 64 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if legal { sid.get(..TAG) } else { None }
}
