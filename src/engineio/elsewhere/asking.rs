//! Requests of clients whose session is not here: its owner is asked.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::{Method, Request, Response, StatusCode};

use super::super::entry::{BadRequest, overloaded, respond};
use super::super::websocket::{self, Foreign};
use super::super::{Body, Engine, polling};
use super::{Breach, Elsewhere, NoTicket, PollAnswer, Polled};
use crate::net::body::{BodyError, Read};
use crate::protocol::engineio::decode_payload;

/// How long the owner may take to work off what a client has sent.
const POST_DEADLINE: Duration = Duration::from_secs(10);

/// A larger body, or one of unknown length, is read only if its session is there.
const LARGE: u64 = 16 << 10;

impl Engine {
    /// Answers a long-polling request whose session is not here.
    pub(in crate::engineio) async fn poll_elsewhere(
        &self,
        sid: &str,
        request: Request<Incoming>,
        address: IpAddr,
    ) -> Response<Body> {
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
    pub(in crate::engineio) async fn upgrade_elsewhere(
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
