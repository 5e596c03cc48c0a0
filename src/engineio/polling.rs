//! HTTP long-polling: GET returns the packets for the client, POST brings its packets.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::{Response, StatusCode};

use crate::net::body::{BodyError, Read, Reader};
use crate::protocol::engineio::decode_payload;

use super::answer::{BadRequest, no_memory, respond};
use super::session::{Poll, PollEnd};
use super::{Body, CloseReason, Config, Engine, Session};

/// The poll that a client sent before its `close` comes on another connection, and may arrive after it.
const POLL_OVERTAKEN: Duration = Duration::from_millis(100);

pub const TEXT: &str = "text/plain; charset=UTF-8";

/// Answers with the waiting packets, or waits for one. The wait is bounded, since a `ping` is a packet.
pub async fn get(session: Arc<Session>) -> Response<Body> {
    let waits = match session.poll() {
        Poll::Ready(body) => return respond(StatusCode::OK, TEXT, body),
        Poll::Waits(waits) => waits,
        Poll::Refused if session.is_polling() => {
            // Two polls at once are a protocol error (Engine.IO protocol, "HTTP long-polling").
            session.close(CloseReason::ProtocolError);
            return BadRequest::Malformed.response();
        }
        Poll::Refused => return BadRequest::SessionIdUnknown.response(),
    };
    let mut aborted = CloseIfAborted(Some(&session));
    let end = waits.await.unwrap_or(PollEnd::Gone);
    aborted.0 = None;
    match end {
        PollEnd::Data => match session.take_payload() {
            // The session has closed, or moved to its WebSocket, in the meantime.
            body if body.is_empty() && session.is_closed() => BadRequest::SessionIdUnknown.response(),
            body if body.is_empty() => respond(StatusCode::OK, TEXT, "6"),
            body => respond(StatusCode::OK, TEXT, body),
        },
        PollEnd::Noop => respond(StatusCode::OK, TEXT, "6"),
        PollEnd::Close => respond(StatusCode::OK, TEXT, "1"),
        PollEnd::Gone => BadRequest::SessionIdUnknown.response(),
    }
}

/// Closes the session when the request's future is dropped, because the client has gone away.
struct CloseIfAborted<'a>(Option<&'a Arc<Session>>);

impl Drop for CloseIfAborted<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0 {
            session.close(CloseReason::PollAborted);
        }
    }
}

async fn poll_arrives(session: &Session) {
    while !session.is_poll_waiting() {
        tokio::time::sleep(POLL_OVERTAKEN / 20).await;
    }
}

pub async fn post(engine: &Engine, session: Arc<Session>, body: Incoming) -> Response<Body> {
    if !session.is_polling() {
        return BadRequest::Malformed.response();
    }
    let Some(_posting) = session.begin_post() else { return overlap(&session) };
    // The client may not have waited for the answer to the last one.
    pause(session.pace(0, 0)).await;
    let error = match engine.read_body(body, session.address(), || session.extend_pong_deadline()).await {
        Ok(body) => return take(&session, &body.bytes, &engine.config).await,
        Err(error) => error,
    };
    session.close(match error {
        BodyError::TooLarge => CloseReason::TooLarge,
        BodyError::NoMemory => CloseReason::Overload,
        BodyError::TooSlow | BodyError::Broken => CloseReason::ProtocolError,
    });
    unread(error)
}

impl Engine {
    /// Reads what a client sends by long-polling.
    pub(super) async fn read_body(&self, mut body: Incoming, address: IpAddr, received: impl FnMut()) -> Result<Read, BodyError> {
        let Config { max_payload, patience, budget, .. } = &self.config;
        let reader = Reader { limit: *max_payload, patience: *patience, budget, address };
        reader.read(&mut body, received).await
    }
}

/// The answer to a request whose body was not read.
pub fn unread(error: BodyError) -> Response<Body> {
    match error {
        BodyError::TooLarge => {
            respond(StatusCode::PAYLOAD_TOO_LARGE, "application/json", r#"{"code":3,"message":"Payload too large"}"#)
        }
        BodyError::TooSlow => {
            respond(StatusCode::REQUEST_TIMEOUT, "application/json", r#"{"code":3,"message":"Request timeout"}"#)
        }
        BodyError::NoMemory => no_memory(),
        BodyError::Broken => BadRequest::Malformed.response(),
    }
}

/// Two POSTs at once: the order of their packets is unknown ("data request overlap from client" in the reference).
fn overlap(session: &Arc<Session>) -> Response<Body> {
    session.close(CloseReason::ProtocolError);
    BadRequest::Malformed.response()
}

/// Handles packets that a client has sent through another node.
pub async fn post_relayed(session: &Arc<Session>, body: &Bytes, config: &Config) -> Response<Body> {
    let Some(_posting) = session.begin_post() else { return overlap(session) };
    pause(session.pace(0, 0)).await;
    take(session, body, config).await
}

/// Delays the answer to a client that sends too much; it sends nothing meanwhile.
async fn pause(time: Option<Duration>) {
    if let Some(time) = time {
        tokio::time::sleep(time).await;
    }
}

async fn take(session: &Arc<Session>, body: &Bytes, config: &Config) -> Response<Body> {
    if !session.is_polling() {
        return BadRequest::Malformed.response();
    }
    let Ok(packets) = decode_payload(body, config.max_polling_packets) else {
        session.close(CloseReason::ProtocolError);
        return BadRequest::Malformed.response();
    };
    let count = packets.len();
    for packet in packets {
        match session.receive(packet) {
            // The layer above may have refused the message.
            Ok(()) if session.is_closed() => return BadRequest::SessionIdUnknown.response(),
            Ok(()) => {}
            Err(CloseReason::ClientClosed) => {
                let _ = tokio::time::timeout(POLL_OVERTAKEN, poll_arrives(session)).await;
                session.close(CloseReason::ClientClosed);
                break;
            }
            Err(reason) => {
                session.close(reason);
                return BadRequest::Malformed.response();
            }
        }
    }
    pause(session.pace(count, body.len())).await;
    respond(StatusCode::OK, "text/html", "ok")
}
