//! The server side of the peer port: checks seals, and gives valid calls to their handlers.
//!
//! A stranger may connect. Until a connection has sent one call with a valid seal it has one of a few places, for a few
//! seconds, and it is closed at its first call without one. Before that no body is read, except a small one from a node of the
//! release before, which seals its calls as a whole.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::client::PING;
use super::seal::{Head, SealError, Stamp};
use super::unauthenticated::{Permit, Unauthenticated};
use super::{Answer, MAX_BODY, Peers};
use crate::telemetry::{due, once_a_minute};

/// The seal of a call, and of its answer.
pub const SEAL: &str = "x-convoke-seal";
/// The seal of a call's head, which is checked before its body is read. Nodes of the release before do not send it.
pub const HEAD: &str = "x-convoke-head";
/// The tag of the process that a call is for.
pub const TARGET: &str = "x-convoke-target";
/// Calls of one peer at the same time: each relayed poll is one.
const MOST_CALLS: u32 = 16_384;
/// Calls of one connection that wait until their seal is checked.
const MOST_PENDING: usize = 128;
/// Bodies of unauthenticated connections that are read at the same time, and the bytes of one of them.
const MOST_READING: usize = 8;
const UNAUTHENTICATED_BODY: usize = 2 << 20;
/// How long a body may take: from a peer, and from any other.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
const UNAUTHENTICATED_DEADLINE: Duration = Duration::from_secs(3);
/// A connection must send a call with a valid seal within this time …
const FIRST_CALL: Duration = Duration::from_secs(5);
/// … and one that has sent another call has so long to read the answer.
const LAST_WORD: Duration = Duration::from_secs(1);
/// Bytes that a caller may send before they are read, in one stream and in all. Small, since a stranger may use it, but enough
/// for nodes.
const STREAM_WINDOW: u32 = 128 << 10;
const CONNECTION_WINDOW: u32 = 512 << 10;
/// Bytes of all headers of a call: its seals are short.
const MOST_HEADERS: u32 = 4 << 10;

/// What is known of a connection.
struct ConnectionState {
    address: SocketAddr,
    /// It has sent a call with a valid seal.
    authenticated: watch::Sender<bool>,
    /// A call was refused before.
    refused: Notify,
    pending: AtomicUsize,
}

impl ConnectionState {
    fn is_authenticated(&self) -> bool {
        *self.authenticated.borrow()
    }

    fn set_authenticated(&self) {
        self.authenticated.send_if_modified(|authenticated| !std::mem::replace(authenticated, true));
    }

    async fn until_authenticated(&self) {
        let _ = self.authenticated.subscribe().wait_for(|authenticated| *authenticated).await;
    }
}

/// What all connections share.
#[derive(Clone)]
struct Port {
    peers: Arc<Peers>,
    unauthenticated: Arc<Unauthenticated>,
    reading: Arc<Semaphore>,
    stop: CancellationToken,
}

pub async fn serve(peers: Arc<Peers>, listener: TcpListener, stop: CancellationToken) {
    let reading = Arc::new(Semaphore::new(MOST_READING));
    let port = Port { peers, unauthenticated: Arc::default(), reading, stop };
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = port.stop.cancelled() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                let permit = port.unauthenticated.admit();
                tokio::spawn(connection(port.clone(), stream, address, permit));
            }
            Err(error) => {
                if let Some(times) = due("cannot accept a peer's connection") {
                    tracing::warn!(%error, times, "cannot accept a peer's connection");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(port: Port, stream: TcpStream, address: SocketAddr, permit: Permit) {
    let _ = stream.set_nodelay(true);
    let (authenticated, refused, pending) = (watch::Sender::new(false), Notify::new(), AtomicUsize::new(0));
    let state = Arc::new(ConnectionState { address, authenticated, refused, pending });
    let (shared, seen) = (port.clone(), state.clone());
    let service = service_fn(move |request| {
        let (port, state) = (shared.clone(), seen.clone());
        async move { Ok::<_, Infallible>(answer(&port, &state, request).await) }
    });
    let connection = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(MOST_CALLS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MOST_HEADERS)
        // A peer drops calls when its clients leave, perhaps thousands at once.
        .max_pending_accept_reset_streams(4_096)
        .max_local_error_reset_streams(None)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = &mut connection => return,
        () = state.until_authenticated() => {}
        () = state.refused.notified() => {
            connection.as_mut().graceful_shutdown();
            let _ = tokio::time::timeout(LAST_WORD, connection).await;
            return;
        }
        () = tokio::time::sleep(FIRST_CALL) => return,
        () = permit.taken.cancelled() => return,
        () = port.stop.cancelled() => return,
    }
    drop(permit);
    tokio::select! {
        _ = &mut connection => {}
        () = port.stop.cancelled() => {}
    }
}

async fn answer(port: &Port, state: &ConnectionState, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let peers = &port.peers;
    match open(port, state, request).await {
        Ok((stamp, path, body)) => {
            let Some(handler) = peers.handler(&path) else { return bare(StatusCode::NOT_FOUND) };
            let answer = AssertUnwindSafe(async { handler(body).await }).catch_unwind().await.unwrap_or_else(|_| {
                once_a_minute!(error, "the handler of a peer's call panicked", path);
                Answer::status(StatusCode::INTERNAL_SERVER_ERROR)
            });
            let mac = peers.seal.answer(&stamp.nonce, answer.status, &answer.body);
            let mut response = Response::new(Full::new(answer.body));
            *response.status_mut() = answer.status;
            if let Ok(mac) = mac.parse() {
                response.headers_mut().insert(SEAL, mac);
            }
            response
        }
        Err(status) => {
            tracing::debug!(%status, address = %state.address, "a call at the peer port was refused");
            if !state.is_authenticated() {
                state.refused.notify_one();
            }
            bare(status)
        }
    }
}

/// The call, if its seal is valid.
async fn open(port: &Port, state: &ConnectionState, request: Request<Incoming>) -> Result<(Stamp, String, Bytes), StatusCode> {
    let (seal, tag) = (&port.peers.seal, &*port.peers.tag);
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let refused = |error| refuse(state, error);
    let stamp = header(SEAL).and_then(Stamp::from_header).ok_or(StatusCode::UNAUTHORIZED)?;
    let target = header(TARGET).unwrap_or_default().to_owned();
    let head = header(HEAD).map(|text| Head::from_header(text).ok_or(StatusCode::UNAUTHORIZED)).transpose()?;
    let path = request.uri().path().to_owned();
    if request.method() != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let Some(head) = head else {
        // The tag is no secret (it is in every sid); it only distinguishes "another process is here now" from "wrong secret".
        if target != tag {
            return Err(StatusCode::MISDIRECTED_REQUEST);
        }
        let body = unauthenticated_body(port, state, request.into_body()).await?;
        seal.check(&stamp, &path, &body, tag).map_err(refused)?;
        state.set_authenticated();
        return Ok((stamp, path, body));
    };
    seal.check_head(&stamp, &head, &path, &target).map_err(refused)?;
    state.set_authenticated();
    if target != tag {
        return Err(StatusCode::MISDIRECTED_REQUEST);
    }
    if head.length > MAX_BODY {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let body = read(request.into_body(), head.length, BODY_DEADLINE).await?;
    seal.check_body(&stamp, &path, &body, tag).map_err(refused)?;
    Ok((stamp, path, body))
}

/// The body of a call without a sealed head, as nodes of the release before send it. Over an authenticated connection it is
/// read like any other; otherwise only few are read at the same time, and only small ones.
async fn unauthenticated_body(port: &Port, state: &ConnectionState, body: Incoming) -> Result<Bytes, StatusCode> {
    if state.is_authenticated() {
        return read(body, MAX_BODY, BODY_DEADLINE).await;
    }
    let _waits = PendingCall::new(&state.pending).ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let turn = tokio::select! {
        turn = port.reading.acquire() => Some(turn.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?),
        () = state.until_authenticated() => None,
    };
    match turn {
        Some(_turn) => read(body, UNAUTHENTICATED_BODY, UNAUTHENTICATED_DEADLINE).await,
        None => read(body, MAX_BODY, BODY_DEADLINE).await,
    }
}

/// One of the calls of a connection whose seal is not checked yet.
struct PendingCall<'a>(&'a AtomicUsize);

impl<'a> PendingCall<'a> {
    fn new(count: &'a AtomicUsize) -> Option<Self> {
        let waits = Self(count);
        (count.fetch_add(1, Relaxed) < MOST_PENDING).then_some(waits)
    }
}

impl Drop for PendingCall<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

async fn read(body: Incoming, most: usize, within: Duration) -> Result<Bytes, StatusCode> {
    let body = tokio::time::timeout(within, Limited::new(body, most).collect()).await;
    Ok(body.map_err(|_| StatusCode::REQUEST_TIMEOUT)?.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?.to_bytes())
}

/// Logs a node with another secret or clock, and a stranger, once a minute.
fn refuse(state: &ConnectionState, error: SealError) -> StatusCode {
    let address = state.address;
    match error {
        SealError::Forged => {
            if let Some(times) = due("a call at the peer port is not sealed with our secret") {
                tracing::warn!(%address, times, "a call at the peer port is not sealed with our CLUSTER_SECRET");
            }
        }
        SealError::Clock(ahead_seconds) => {
            if let Some(times) = due("the clock of another node is off") {
                tracing::warn!(%address, ahead_seconds, times, "a node's calls are refused: its clock and ours are over 30 s apart");
            }
        }
        SealError::Seen | SealError::TooMany => {}
    }
    error.status()
}

fn bare(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
