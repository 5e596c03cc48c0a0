//! Serves the clients of sessions that another node owns: forwards their long-polling, and takes their sessions over when they
//! upgrade to a WebSocket.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::{Method, Request, Response, StatusCode};

use super::super::answer::{BadRequest, overloaded, respond};
use super::super::websocket::{self, RemoteUpgrade};
use super::super::{Body, Engine, polling};
use super::{NoTicket, PollAnswer, PollRequest, RemoteSessions, Violation};
use crate::net::body::{BodyError, Read};
use crate::protocol::engineio::decode_payload;

/// How long the owner may take to handle what a client has sent.
const POST_DEADLINE: Duration = Duration::from_secs(10);

/// A larger body, or one of unknown length, is read only if its session exists.
const LARGE: u64 = 16 << 10;

impl Engine {
    /// Answers a long-polling request whose session another node owns.
    pub(in crate::engineio) async fn poll_remote(
        &self,
        sid: &str,
        request: Request<Incoming>,
        address: IpAddr,
    ) -> Response<Body> {
        let Some(remote) = self.remote_sessions(sid) else { return BadRequest::SessionIdUnknown.response() };
        if request.method() == Method::GET {
            // Frees the request: a poll waits for long.
            drop(request);
            // The owner sends a ping before that.
            let within = self.config.ping_interval + self.config.ping_timeout + Duration::from_secs(1);
            let mut aborted = AbortIfDropped(Some((remote, sid, address)));
            let answer = remote.poll(sid, PollRequest::Get, address, within).await;
            aborted.0 = None;
            return relay_answer(answer, polling::TEXT);
        }
        let body = match self.body_for_remote(remote, sid, request.into_body(), address).await {
            Ok(body) => body,
            Err(None) => return BadRequest::SessionIdUnknown.response(),
            Err(Some(error)) => {
                let violation = if error == BodyError::TooLarge { Violation::TooLarge } else { Violation::Malformed };
                let known = remote.poll(sid, PollRequest::Broken(violation), address, POST_DEADLINE).await.is_some();
                return if known { polling::unread(error) } else { BadRequest::SessionIdUnknown.response() };
            }
        };
        if decode_payload(&body.bytes, self.config.max_polling_packets).is_err() {
            let answer = remote.poll(sid, PollRequest::Broken(Violation::Malformed), address, POST_DEADLINE).await;
            return answer.map_or(BadRequest::SessionIdUnknown, |_| BadRequest::Malformed).response();
        }
        relay_answer(remote.poll(sid, PollRequest::Post(body.bytes.clone()), address, POST_DEADLINE).await, "text/html")
    }

    /// Reads a body for a session of another node. `Err(None)`: there is no such session.
    async fn body_for_remote(
        &self,
        remote: &Arc<dyn RemoteSessions>,
        sid: &str,
        body: Incoming,
        address: IpAddr,
    ) -> Result<Read, Option<BodyError>> {
        if body.size_hint().exact().is_none_or(|len| len > LARGE) && !remote.keep_alive(sid, address).await {
            return Err(None);
        }
        let received = AtomicBool::new(false);
        let read = self.read_body(body, address, || received.store(true, Ordering::Relaxed));
        // The client's `pong` may wait behind this body.
        let keep_alive = async {
            loop {
                tokio::time::sleep(self.config.ping_timeout / 4).await;
                if received.swap(false, Ordering::Relaxed) {
                    remote.keep_alive(sid, address).await;
                }
            }
        };
        tokio::select! {
            read = read => read.map_err(Some),
            () = keep_alive => Err(Some(BodyError::TooSlow)),
        }
    }

    /// Answers the request for a WebSocket whose session another node owns.
    pub(in crate::engineio) async fn upgrade_remote(
        self: &Arc<Self>,
        sid: &str,
        request: Request<Incoming>,
        address: IpAddr,
    ) -> Response<Body> {
        let Some(remote) = self.remote_sessions(sid).cloned() else {
            return if self.recently_moved.contains(sid) {
                websocket::refuse(request)
            } else {
                BadRequest::SessionIdUnknown.response()
            };
        };
        // A client that is refused here goes on polling.
        if self.refuses_new.load(Ordering::Relaxed) {
            return overloaded("going away");
        }
        match remote.request_ticket(sid).await {
            Err(NoTicket::Unknown) => BadRequest::SessionIdUnknown.response(),
            Err(NoTicket::HandedOver) => websocket::refuse(request),
            Ok(ticket) => {
                if let Err(refusal) = self.admit(address) {
                    remote.return_ticket(sid, ticket);
                    return overloaded(refusal.as_str());
                }
                websocket::upgrade_remote(RemoteUpgrade::new(self.clone(), remote, sid, ticket, address), request)
            }
        }
    }
}

/// The owner's answer as this node's.
fn relay_answer(answer: Option<PollAnswer>, content_type: &'static str) -> Response<Body> {
    let Some(answer) = answer else { return BadRequest::SessionIdUnknown.response() };
    let content_type = if answer.status == StatusCode::OK { content_type } else { "application/json" };
    respond(answer.status, content_type, answer.body)
}

/// Tells the owner when the request's future is dropped, because the client has gone away.
struct AbortIfDropped<'a>(Option<(&'a Arc<dyn RemoteSessions>, &'a str, IpAddr)>);

impl Drop for AbortIfDropped<'_> {
    fn drop(&mut self) {
        if let Some((remote, sid, address)) = self.0 {
            remote.abort_poll(sid, address);
        }
    }
}
