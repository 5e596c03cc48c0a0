//! The peer port's listening side: opens what is sealed, refuses the rest, and hands calls to their handlers.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
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
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::client::{CONNECTION_WINDOW, PING, STREAM_WINDOW};
use super::seal::Stamp;
use super::{Answer, MAX_BODY, Peers};

/// The seal of a call, and of its answer.
pub const SEAL: &str = "x-convoke-seal";
/// For whom a call is.
pub const TARGET: &str = "x-convoke-target";
/// Connections at once; more wait.
const MOST_CONNECTIONS: usize = 1_024;
/// Calls of one peer at once: each long poll that is relayed is one.
const MOST_CALLS: u32 = 16_384;
/// Bodies that are read at once: only these are held for callers that have not shown yet who they are.
const MOST_READING: usize = 256;
/// How long a body may take.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// Whoever connects has to say something believable in so long.
const FIRST_CALL: Duration = Duration::from_secs(10);

pub async fn serve(peers: Arc<Peers>, listener: TcpListener, stop: CancellationToken) {
    let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let reading = Arc::new(Semaphore::new(MOST_READING));
    loop {
        let accepted = tokio::select! {
            accepted = async { Some((connections.clone().acquire_owned().await.ok()?, listener.accept().await)) } => accepted,
            () = stop.cancelled() => return,
        };
        match accepted {
            Some((permit, Ok((stream, _)))) => {
                let (peers, reading, stop) = (peers.clone(), reading.clone(), stop.clone());
                tokio::spawn(async move {
                    connection(peers, reading, stream, stop).await;
                    drop(permit);
                });
            }
            Some((_, Err(error))) => {
                tracing::warn!(%error, "cannot accept a peer's connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            None => return,
        }
    }
}

async fn connection(peers: Arc<Peers>, reading: Arc<Semaphore>, stream: TcpStream, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let believed = Arc::new(AtomicBool::new(false));
    let seen = believed.clone();
    let service = service_fn(move |request| {
        let (peers, reading, seen) = (peers.clone(), reading.clone(), seen.clone());
        async move { Ok::<_, Infallible>(answer(&peers, &reading, &seen, request).await) }
    });
    let connection = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_concurrent_streams(MOST_CALLS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(16 << 10)
        // A peer gives calls up as its clients come and go, perhaps thousands at once.
        .max_pending_accept_reset_streams(4_096)
        .max_local_error_reset_streams(None)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let stranger = async {
        tokio::time::sleep(FIRST_CALL).await;
        if believed.load(Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = &mut connection => {}
        () = stranger => {}
        () = stop.cancelled() => {}
    }
}

async fn answer(peers: &Peers, reading: &Semaphore, believed: &AtomicBool, request: Request<Incoming>) -> Response<Full<Bytes>> {
    match open(peers, reading, request).await {
        Ok((stamp, path, body)) => {
            believed.store(true, Relaxed);
            let Some(handler) = peers.handler(&path) else { return bare(StatusCode::NOT_FOUND) };
            let answer = AssertUnwindSafe(async { handler(body).await }).catch_unwind().await.unwrap_or_else(|_| {
                tracing::error!(path, "the handler of a peer's call panicked");
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
            tracing::debug!(%status, "a call at the peer port was refused");
            bare(status)
        }
    }
}

/// The call, if it is believable.
async fn open(peers: &Peers, reading: &Semaphore, request: Request<Incoming>) -> Result<(Stamp, String, Bytes), StatusCode> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let stamp = header(SEAL).and_then(Stamp::from_header).ok_or(StatusCode::UNAUTHORIZED)?;
    // The tag is no secret (it stands in every sid); this only tells "somebody else lives here now" from "wrong secret".
    if header(TARGET) != Some(&*peers.tag) {
        return Err(StatusCode::MISDIRECTED_REQUEST);
    }
    if request.method() != Method::POST {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let path = request.uri().path().to_owned();
    let body = {
        let _turn = reading.acquire().await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
        let body = tokio::time::timeout(BODY_DEADLINE, Limited::new(request.into_body(), MAX_BODY).collect());
        let body = body.await.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
        body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?.to_bytes()
    };
    peers.seal.check(&stamp, &path, &body, &peers.tag)?;
    Ok((stamp, path, body))
}

fn bare(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
