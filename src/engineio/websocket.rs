//! The WebSocket transport: how a session gets one, and how it is read.
//!
//! An idle connection owns its socket and a small task, nothing else: the reader and its buffer exist only while bytes are
//! read. Only packets of an upgrade are written here; the session writes all others.

mod counted_socket;
mod reader;
mod remote_upgrade;
mod transfer;

use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::answer::BadRequest;
use super::{Body, Engine, Handshake, Session};
use crate::net;

use reader::{Reader, Stage};
pub use remote_upgrade::RemoteUpgrade;

/// While an upgrade is going on, a poll that waits is ended this often, so that the client can finish its part.
pub const POLL_CHECK: Duration = Duration::from_millis(100);

/// A session that begins with a WebSocket.
pub fn handshake(engine: &Arc<Engine>, sid: String, handshake: Handshake, request: Request<Incoming>) -> Response<Body> {
    let address = handshake.address;
    let engine = engine.clone();
    let release = engine.clone();
    let response = accept(request, move |accepted| async move {
        let Some((socket, leftover)) = accepted else {
            engine.admission.release(address);
            return;
        };
        let session = Session::new_websocket(&engine, sid, address, socket.clone());
        engine.open_websocket(&session, handshake);
        tokio::spawn(Reader::new(socket, leftover, engine.config.max_payload, Stage::Open(session)).serve());
    });
    response.unwrap_or_else(|| {
        release.admission.release(address);
        BadRequest::Malformed.response()
    })
}

/// A WebSocket for a session that is polling.
///
/// ```text
/// client                     server
///   | -- GET ...&sid=… (101) -> |
///   | -- 2probe --------------> |
///   | <- 3probe --------------- |   from here on a poll that waits is ended with `6`
///   | -- 5 -------------------> |   the session's packets go over the WebSocket
/// ```
pub fn upgrade(engine: &Arc<Engine>, session: Arc<Session>, request: Request<Incoming>) -> Response<Body> {
    if !session.begin_upgrade() {
        return refuse(request);
    }
    let (timeout, max_payload) = (engine.config.upgrade_timeout, engine.config.max_payload);
    let abandoned = session.clone();
    let response = accept(request, move |accepted| async move {
        let Some((socket, leftover)) = accepted else { return session.abandon_upgrade() };
        tokio::spawn(attend_upgrade(session.clone(), socket.clone(), timeout));
        tokio::spawn(Reader::new(socket, leftover, max_payload, Stage::Probing(session)).serve());
    });
    response.unwrap_or_else(|| {
        abandoned.abandon_upgrade();
        BadRequest::Malformed.response()
    })
}

/// A WebSocket for a polling session of another node, which has given a ticket.
pub fn upgrade_remote(upgrade: RemoteUpgrade, request: Request<Incoming>) -> Response<Body> {
    let config = &upgrade.engine.config;
    let (timeout, max_payload) = (config.upgrade_timeout, config.max_payload);
    let response = accept(request, move |accepted| async move {
        let Some((socket, leftover)) = accepted else { return };
        tokio::spawn(limit_upgrade(upgrade.upgraded.clone(), socket.clone(), timeout));
        tokio::spawn(Reader::new(socket, leftover, max_payload, Stage::ProbingRemote(Arc::new(upgrade))).serve());
    });
    response.unwrap_or_else(|| BadRequest::Malformed.response())
}

/// A second upgrade: the WebSocket is accepted and closed at once, as the reference implementation does.
pub fn refuse(request: Request<Incoming>) -> Response<Body> {
    accept(request, |_| async {}).unwrap_or_else(|| BadRequest::Malformed.response())
}

/// Ends the upgrade of a session of another node when it takes too long. The owner has a time limit of its own.
async fn limit_upgrade(upgraded: Arc<AtomicBool>, socket: Arc<TcpStream>, timeout: Duration) {
    tokio::time::sleep(timeout).await;
    if !upgraded.load(Relaxed) {
        let _ = SockRef::from(&*socket).shutdown(Shutdown::Both);
    }
}

/// Ends polls during an upgrade, and the upgrade itself when it takes too long or its session is gone.
async fn attend_upgrade(session: Arc<Session>, socket: Arc<TcpStream>, timeout: Duration) {
    let started = Instant::now();
    while session.release_poll_for_upgrade() && started.elapsed() <= timeout {
        tokio::time::sleep(POLL_CHECK).await;
    }
    if !session.is_websocket() {
        let _ = SockRef::from(&*socket).shutdown(Shutdown::Both);
    }
}

/// Answers the HTTP upgrade, and calls `then` with the bare socket and what was read beyond the request. `None` from here
/// means that the request was no proper handshake, `None` to `then` that the client was gone before the answer.
fn accept<F>(
    mut request: Request<Incoming>,
    then: impl FnOnce(Option<(Arc<TcpStream>, Bytes)>) -> F + Send + 'static,
) -> Option<Response<Body>>
where
    F: Future<Output = ()> + Send,
{
    let (mut response, upgraded) = fastwebsockets::upgrade::upgrade(&mut request).ok()?;
    // A browser that offered subprotocols gives the connection up unless one of them is answered.
    if let Some(first) = first_subprotocol(request.headers()) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, first);
    }
    tokio::spawn(async move {
        let parts = upgraded.await.ok().map(|websocket| websocket.into_inner().into_inner().downcast::<TokioIo<net::Stream>>());
        // The accept loop serves nothing else, so the downcast is only a formality.
        let accepted = parts.and_then(Result::ok);
        let accepted = accepted.map(|parts| (Arc::new(parts.io.into_inner().into_socket()), parts.read_buf));
        then(accepted).await;
    });
    Some(response.map(|_| Full::default()))
}

/// The subprotocol that the client has offered first, which is what the reference answers.
fn first_subprotocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let first = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?.split(',').next()?.trim();
    HeaderValue::from_str(first).ok().filter(|first| !first.is_empty())
}
