//! The accept loop: plain HTTP/1.1 over TCP. The balancer terminates TLS.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::core::sync::lock;
use crate::engineio::{Body, Engine};
use crate::net::{Budget, HeadBytes, LONGEST_HEAD, Patience, Stream, descriptors, subscriber};
use crate::settings::Cidr;
use crate::telemetry::due;

/// How many refused connections get an answer at the same time. More of them are closed without one.
const REFUSALS_AT_ONCE: usize = 32;
/// How long a client may take to read such an answer.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(1);

/// The limits of HTTP connections. The engine limits WebSockets.
#[derive(Clone, Debug)]
pub struct Limits {
    pub budget: Arc<Budget>,
    pub patience: Patience,
    /// The most connections of one subscriber. Those of trusted proxies are not limited.
    pub per_address: usize,
    pub trusted_proxies: Vec<Cidr>,
    /// The most file descriptors that clients may use.
    pub descriptors: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            budget: Arc::default(),
            patience: Patience::default(),
            per_address: usize::MAX,
            trusted_proxies: Vec::new(),
            descriptors: descriptors::for_clients(descriptors::limit()),
        }
    }
}

/// Answers one request. `SocketAddr` is the direct peer.
pub trait Service: Send + Sync + 'static {
    type Body: hyper::body::Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Send + 'static;

    fn call(&self, request: Request<Incoming>, peer: SocketAddr) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// Answers every request with an engine, whatever its path is. For a program without a proxy in front of it.
pub struct EngineService(pub Arc<Engine>);

impl Service for EngineService {
    type Body = Body;

    async fn call(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        self.0.serve(request, peer.ip()).await
    }
}

/// The short way to serve an engine: [`serve`] with an [`EngineService`], whose connections are bounded by the engine's own
/// budget and patience.
///
/// ```no_run
/// # async fn example(engine: std::sync::Arc<convoke::engineio::Engine>) -> std::io::Result<()> {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
/// convoke::http::server::serve_engine(listener, engine, Default::default()).await;
/// # Ok(())
/// # }
/// ```
pub async fn serve_engine(listener: TcpListener, engine: Arc<Engine>, stop: CancellationToken) {
    let config = engine.config();
    let limits = Limits { budget: config.budget.clone(), patience: config.patience, ..Limits::default() };
    serve(listener, Arc::new(EngineService(engine)), limits, stop).await;
}

/// Accepts connections until `stop`, then waits until each open connection has finished its present request. It does not wait for
/// WebSockets, which are tasks of their own.
pub async fn serve(listener: TcpListener, service: Arc<impl Service>, limits: Limits, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let (open, refusals) = (Arc::new(OpenConnections::default()), Arc::new(Semaphore::new(REFUSALS_AT_ONCE)));
    let shared = Arc::new(Shared { service, limits, stop });
    let Shared { limits, stop, .. } = &*shared;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => match open.take(limits, &stream, peer.ip()) {
                Ok(permit) => {
                    connections.spawn(connection(stream, peer, shared.clone(), permit));
                }
                Err(why) => {
                    if let Some(times) = due(why) {
                        tracing::warn!(times, address = %peer.ip(), open = connections.len(), "connections are refused: {why}");
                    }
                    if let Ok(turn) = refusals.clone().try_acquire_owned() {
                        tokio::spawn(async move {
                            let _ = tokio::time::timeout(REFUSAL_TIMEOUT, refuse(stream, why)).await;
                            drop(turn);
                        });
                    }
                }
            },
            // No file descriptor is free. Clients wait in the backlog.
            Err(error) => {
                if let Some(times) = due("cannot accept") {
                    tracing::warn!(times, %error, "cannot accept a connection");
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The state that all connections of a listener share.
struct Shared<S> {
    service: Arc<S>,
    limits: Limits,
    stop: CancellationToken,
}

async fn connection(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared<impl Service>>, permit: ConnectionPermit) {
    let _ = stream.set_nodelay(true);
    let Shared { service, limits: Limits { budget, patience, .. }, stop } = &*shared;
    let closed = Arc::new(Notify::new());
    let close = closed.clone();
    let hold = budget.hold("a connection", permit.subscriber, move || close.notify_one());
    let (head, has_asked) = (HeadBytes::default(), Arc::new(AtomicBool::new(false)));
    let stream = Stream::new(stream, hold, head.clone(), patience.write);
    let asked = has_asked.clone();
    let service = service_fn(move |request| {
        head.is_whole();
        asked.store(true, Relaxed);
        let service = service.clone();
        // Boxed, so that an idle connection does not take the memory of a request's future.
        Box::pin(async move { Ok::<_, Infallible>(service.call(request, peer).await) })
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.keep_alive)
        .max_header_size(LONGEST_HEAD)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let silent = async {
        tokio::time::sleep(patience.first_head).await;
        if has_asked.load(Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        _ = &mut connection => {}
        () = silent => {}
        () = closed.notified() => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
    drop(permit);
}

/// Answers a request without reading it.
async fn refuse(mut stream: TcpStream, why: &str) {
    let seconds = rand::random_range(1..=5);
    let body = format!(r#"{{"code":4,"message":"{why}"}}"#);
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: {seconds}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    if stream.write_all(answer.as_bytes()).await.is_ok() && stream.shutdown().await.is_ok() {
        // A socket that is closed with unread bytes resets the connection, and the client would lose the answer.
        while stream.read(&mut [0; 1_024]).await.is_ok_and(|count| count > 0) {}
    }
}

/// How many HTTP connections each subscriber has open.
#[derive(Default)]
struct OpenConnections(Mutex<HashMap<IpAddr, usize>>);

/// One of the open connections. Dropping it releases its place.
struct ConnectionPermit {
    open: Arc<OpenConnections>,
    subscriber: Option<IpAddr>,
}

impl OpenConnections {
    fn take(self: &Arc<Self>, limits: &Limits, stream: &TcpStream, peer: IpAddr) -> Result<ConnectionPermit, &'static str> {
        if descriptors::is_scarce(stream, limits.descriptors) {
            return Err("too many open files");
        }
        if limits.budget.is_overrun() {
            return Err("no memory left");
        }
        let peer = peer.to_canonical();
        if limits.trusted_proxies.iter().any(|block| block.contains(peer)) {
            return Ok(ConnectionPermit { open: self.clone(), subscriber: None });
        }
        let subscriber = subscriber(peer);
        let mut open = lock(&self.0);
        let count = open.entry(subscriber).or_default();
        if *count >= limits.per_address {
            return Err("too many connections from this address");
        }
        *count += 1;
        Ok(ConnectionPermit { open: self.clone(), subscriber: Some(subscriber) })
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let Some(subscriber) = self.subscriber else { return };
        let mut open = lock(&self.open.0);
        if let Some(count) = open.get_mut(&subscriber) {
            *count -= 1;
            if *count == 0 {
                open.remove(&subscriber);
            }
        }
    }
}
