//! [`RemoteSessions`] over the peer port: long-polling of a session of another node is forwarded to its owner, and an upgrade
//! moves the session here.
//!
//! ```text
//! client ─► this node ─► tag in the sid ─► PeerDirectory: which peer ─► its engine, which forwards nothing
//! ```
//!
//! The session id names the owner, and the registry its address: a client cannot make this node call any other address.

use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::node::Node;
use super::registry::Registry;
use crate::core::wire::{self, Form};
use crate::engineio::Engine;
use crate::engineio::remote::{
    CallOutcome, HandedOver, NoTicket, PollAnswer, PollRequest, RemoteSessions, Ticket, Violation, tag_of,
};
use crate::peer::{Answer, Peer, Peers};
use crate::telemetry::metrics::RELAYED;

const POLL: &str = "/poll";
const TICKET: &str = "/ticket";
const RETURN_TICKET: &str = "/ticket/back";
const PROBED: &str = "/ticket/probed";
const TAKE_OVER: &str = "/take";
const FORWARD_PACKETS: &str = "/take/packets";
const CALL: &str = "/follow";

/// How long the owner may take to answer a request for a ticket.
const TICKET_DEADLINE: Duration = Duration::from_secs(2);
/// How long the owner may take to hand a session over. It finishes its work for the client before.
const TAKE_OVER_DEADLINE: Duration = Duration::from_secs(6);
/// How long the owner may take to accept packets of the client.
const FORWARD_DEADLINE: Duration = Duration::from_secs(2);

/// Finds the process of a tag.
pub trait PeerDirectory: Send + Sync + 'static {
    /// `None` if no process with this tag is known.
    fn peer_of_tag<'a>(&'a self, tag: &'a str) -> BoxFuture<'a, Option<Peer>>;
}

impl PeerDirectory for Registry {
    fn peer_of_tag<'a>(&'a self, tag: &'a str) -> BoxFuture<'a, Option<Peer>> {
        Box::pin(Self::peer_of_tag(self, tag))
    }
}

/// The sessions of other nodes for one engine.
struct Relay {
    /// The name of the engine, the same on all nodes.
    engine: &'static str,
    /// The tag of this process.
    tag: Box<str>,
    peers: Arc<Peers>,
    directory: Arc<dyn PeerDirectory>,
}

/// How the engine of this name reaches the sessions of the other nodes; `None` for a node without a peer port, which is alone.
pub fn remote_sessions(node: &Node, engine: &'static str) -> Option<Arc<dyn RemoteSessions>> {
    node.has_peers().then(|| relay(&node.peers, node.registry.clone(), engine, node.identity.tag()))
}

/// How the engine of this name reaches the sessions of the processes in `directory`. `tag` is that of this process.
pub fn relay(peers: &Arc<Peers>, directory: Arc<dyn PeerDirectory>, engine: &'static str, tag: &str) -> Arc<dyn RemoteSessions> {
    Arc::new(Relay { engine, tag: tag.into(), peers: peers.clone(), directory })
}

/// Answers the calls of other nodes for these engines. Call it before [`Peers::serve`].
pub fn answer(peers: &Peers, engines: &[(&'static str, &Arc<Engine>)]) {
    let own: Arc<[(&str, Weak<Engine>)]> = engines.iter().map(|(name, engine)| (*name, Arc::downgrade(engine))).collect();
    let calls = [
        (POLL, poll as Handler),
        (TICKET, ticket),
        (RETURN_TICKET, return_ticket),
        (PROBED, probed),
        (TAKE_OVER, take_over),
        (FORWARD_PACKETS, forwarded_packets),
        (CALL, forwarded_call),
    ];
    for (path, answer) in calls {
        let own = own.clone();
        peers.on(path, move |body| {
            let request = Request::read(body).and_then(|(request, body)| {
                let (_, engine) = own.iter().find(|(name, _)| *name == request.engine)?;
                Some((engine.upgrade()?, request, body))
            });
            async move {
                match request {
                    Some((engine, request, body)) => answer(engine, request, body).await,
                    None => Answer::status(StatusCode::BAD_REQUEST),
                }
            }
        });
    }
}

type Handler = fn(Arc<Engine>, Request, Bytes) -> BoxFuture<'static, Answer>;

/// The head of every request. In [`POLL`], [`FORWARD_PACKETS`] and [`CALL`] a body follows.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Request {
    engine: String,
    sid: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ticket: Option<Ticket>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    poll: Option<RelayedPoll>,
    /// In [`TAKE_OVER`]: the tag of the new owner. A node of the release before sends none, and gets the whole session at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// The form in which it was written; the answer has the same.
    #[serde(skip)]
    form: Form,
}

#[derive(Debug, Serialize, Deserialize)]
struct RelayedPoll {
    /// The client's address, for the log.
    address: IpAddr,
    what: PollKind,
}

#[derive(Debug, Serialize, Deserialize)]
enum PollKind {
    Get,
    Post,
    Broken(Violation),
    /// A large request of the client is being received. Releases that do not know it answer 400.
    #[serde(rename = "Heard")]
    KeepAlive,
}

impl Request {
    /// Length of the head, head, body.
    fn write(&self, form: Form, body: &[u8]) -> Bytes {
        let head = wire::write(form, self);
        let mut bytes = BytesMut::with_capacity(4 + head.len() + body.len());
        bytes.put_u32(head.len() as u32);
        bytes.put_slice(&head);
        bytes.put_slice(body);
        bytes.freeze()
    }

    fn read(mut bytes: Bytes) -> Option<(Self, Bytes)> {
        let len = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?) as usize;
        let head = bytes.get(4..)?.get(..len)?;
        let request = Self { form: Form::of(head), ..wire::read(head)? };
        Some((request, bytes.split_off(4 + len)))
    }
}

fn poll(engine: Arc<Engine>, request: Request, body: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        let Some(poll) = request.poll else { return Answer::status(StatusCode::BAD_REQUEST) };
        tracing::trace!(address = %poll.address, what = ?poll.what, "relayed request");
        let polled = match poll.what {
            PollKind::KeepAlive if engine.keep_alive(&request.sid) => return Answer::status(StatusCode::OK),
            PollKind::KeepAlive => return Answer::status(StatusCode::NOT_FOUND),
            PollKind::Get => PollRequest::Get,
            PollKind::Post => PollRequest::Post(body),
            PollKind::Broken(violation) => PollRequest::Broken(violation),
        };
        let PollAnswer { status, body } = engine.relayed_poll(&request.sid, polled).await;
        Answer { status, body }
    })
}

fn ticket(engine: Arc<Engine>, request: Request, _: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        let ticket = engine.issue_ticket(&request.sid);
        Answer::ok(wire::write(request.form, &ticket))
    })
}

fn return_ticket(engine: Arc<Engine>, request: Request, _: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        if let Some(ticket) = request.ticket {
            engine.return_ticket(&request.sid, ticket);
        }
        Answer::status(StatusCode::OK)
    })
}

fn take_over(engine: Arc<Engine>, request: Request, _: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        let Some(ticket) = request.ticket else { return Answer::status(StatusCode::BAD_REQUEST) };
        match engine.hand_over(&request.sid, ticket, request.to.as_deref(), request.form).await {
            Some(HandedOver::Whole(state)) => Answer::ok(state),
            Some(HandedOver::Part(packets)) => Answer { status: StatusCode::PARTIAL_CONTENT, body: packets },
            None => Answer::status(StatusCode::GONE),
        }
    })
}

fn probed(engine: Arc<Engine>, request: Request, _: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        if let Some(ticket) = request.ticket {
            engine.probed(&request.sid, ticket);
        }
        Answer::status(StatusCode::OK)
    })
}

fn forwarded_packets(engine: Arc<Engine>, request: Request, packets: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        let Some(ticket) = request.ticket else { return Answer::status(StatusCode::BAD_REQUEST) };
        Answer::ok(engine.forwarded_packets(&request.sid, ticket, &packets).to_string())
    })
}

fn forwarded_call(engine: Arc<Engine>, request: Request, call: Bytes) -> BoxFuture<'static, Answer> {
    Box::pin(async move {
        match engine.forwarded_call(&request.sid, call).await {
            CallOutcome::Answered(answer) => Answer::ok(answer),
            CallOutcome::NotThere => Answer::status(StatusCode::NOT_FOUND),
            CallOutcome::Lost => Answer::status(StatusCode::GONE),
        }
    })
}

impl Relay {
    async fn peer(&self, sid: &str) -> Option<Peer> {
        self.directory.peer_of_tag(tag_of(sid)?).await
    }

    /// Sends a request that need not arrive.
    fn notify(&self, sid: &str, path: &'static str, request: Request) {
        let (peers, directory, sid) = (self.peers.clone(), self.directory.clone(), sid.to_owned());
        tokio::spawn(async move {
            let Some(tag) = tag_of(&sid) else { return };
            if let Some(peer) = directory.peer_of_tag(tag).await {
                let _ = peers.call(&peer, path, request.write(peer.form, b""), TICKET_DEADLINE).await;
            }
        });
    }

    fn request(&self, sid: &str, ticket: Option<Ticket>) -> Request {
        Request { engine: self.engine.into(), sid: sid.into(), ticket, ..Request::default() }
    }
}

impl RemoteSessions for Relay {
    fn poll<'a>(
        &'a self,
        sid: &'a str,
        request: PollRequest,
        address: IpAddr,
        within: Duration,
    ) -> BoxFuture<'a, Option<PollAnswer>> {
        Box::pin(async move {
            let (what, body) = match request {
                PollRequest::Get => (PollKind::Get, Bytes::new()),
                PollRequest::Post(body) => (PollKind::Post, body),
                PollRequest::Broken(violation) => (PollKind::Broken(violation), Bytes::new()),
            };
            let request = Request { poll: Some(RelayedPoll { address, what }), ..self.request(sid, None) };
            let answer = match self.peer(sid).await {
                Some(peer) => self.peers.call(&peer, POLL, request.write(peer.form, &body), within).await.ok(),
                None => None,
            };
            let outcome = if answer.is_some() { "ok" } else { "unknown" };
            metrics::counter!(RELAYED, "outcome" => outcome).increment(1);
            answer.map(|Answer { status, body }| PollAnswer { status, body })
        })
    }

    fn keep_alive<'a>(&'a self, sid: &'a str, address: IpAddr) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let request = Request { poll: Some(RelayedPoll { address, what: PollKind::KeepAlive }), ..self.request(sid, None) };
            match self.peer(sid).await {
                Some(peer) => {
                    let answer = self.peers.call(&peer, POLL, request.write(peer.form, b""), TICKET_DEADLINE).await;
                    answer.is_ok_and(|answer| answer.status != StatusCode::NOT_FOUND)
                }
                None => false,
            }
        })
    }

    fn request_ticket<'a>(&'a self, sid: &'a str) -> BoxFuture<'a, Result<Ticket, NoTicket>> {
        Box::pin(async move {
            let peer = self.peer(sid).await.ok_or(NoTicket::Unknown)?;
            let request = self.request(sid, None).write(peer.form, b"");
            let answer = self.peers.call(&peer, TICKET, request, TICKET_DEADLINE).await.map_err(|_| NoTicket::Unknown)?;
            wire::read(&answer.body).unwrap_or(Err(NoTicket::Unknown))
        })
    }

    fn abort_poll(&self, sid: &str, address: IpAddr) {
        let poll = Some(RelayedPoll { address, what: PollKind::Broken(Violation::Aborted) });
        self.notify(sid, POLL, Request { poll, ..self.request(sid, None) });
    }

    fn return_ticket(&self, sid: &str, ticket: Ticket) {
        self.notify(sid, RETURN_TICKET, self.request(sid, Some(ticket)));
    }

    fn probed(&self, sid: &str, ticket: Ticket) {
        self.notify(sid, PROBED, self.request(sid, Some(ticket)));
    }

    fn take_over<'a>(&'a self, sid: &'a str, ticket: Ticket) -> BoxFuture<'a, Option<HandedOver>> {
        Box::pin(async move {
            let peer = self.peer(sid).await?;
            let request = Request { to: Some(self.tag.to_string()), ..self.request(sid, Some(ticket)) }.write(peer.form, b"");
            let answer = self.peers.call(&peer, TAKE_OVER, request, TAKE_OVER_DEADLINE).await.ok()?;
            match answer.status {
                StatusCode::OK => Some(HandedOver::Whole(answer.body)),
                StatusCode::PARTIAL_CONTENT => Some(HandedOver::Part(answer.body)),
                _ => None,
            }
        })
    }

    fn forward_packets<'a>(&'a self, sid: &'a str, ticket: Ticket, packets: Bytes) -> BoxFuture<'a, Option<usize>> {
        Box::pin(async move {
            let peer = self.peer(sid).await?;
            let request = self.request(sid, Some(ticket)).write(peer.form, &packets);
            let answer = self.peers.call(&peer, FORWARD_PACKETS, request, FORWARD_DEADLINE).await.ok()?;
            let taken = std::str::from_utf8(&answer.body).ok().filter(|_| answer.status == StatusCode::OK);
            taken?.parse().ok()
        })
    }

    fn call<'a>(&'a self, tag: &'a str, sid: &'a str, call: Bytes, within: Duration) -> BoxFuture<'a, CallOutcome> {
        Box::pin(async move {
            let Some(peer) = self.directory.peer_of_tag(tag).await else { return CallOutcome::Lost };
            let request = self.request(sid, None).write(peer.form, &call);
            match self.peers.call(&peer, CALL, request, within).await {
                Ok(answer) if answer.status == StatusCode::OK => CallOutcome::Answered(answer.body),
                Ok(answer) if answer.status == StatusCode::NOT_FOUND => CallOutcome::NotThere,
                Ok(_) | Err(_) => CallOutcome::Lost,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_reads_as_it_was_written_and_a_cut_one_not_at_all() {
        let request = Request { engine: "io".into(), sid: "s".into(), ticket: Some(u64::MAX), ..Request::default() };
        for form in [Form::Json, Form::Packed] {
            let bytes = request.write(form, b"body");
            let (read, body) = Request::read(bytes.clone()).unwrap();
            assert_eq!(read.form, form);
            assert_eq!((&*read.engine, &*read.sid, read.ticket, &body[..]), ("io", "s", Some(u64::MAX), &b"body"[..]));
            for len in 0..bytes.len() - 4 {
                assert!(Request::read(bytes.slice(..len)).is_none(), "{len}");
            }
        }
    }
}
