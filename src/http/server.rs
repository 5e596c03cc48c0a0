//! The accept loop: plain HTTP/1.1 over TCP. TLS is the balancer's.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

/// Connections that are told at once why they are refused; further ones are just closed.
const MOST_FAREWELLS: usize = 32;
/// How long one of them may take to read it.
const FAREWELL: Duration = Duration::from_secs(1);

/// What connections may cost while HTTP is spoken on them. A WebSocket is bounded by the engine.
#[derive(Clone, Debug)]
pub struct Limits {
    pub budget: Arc<Budget>,
    pub patience: Patience,
    /// Connections of one subscriber. Those of trusted proxies are not bounded.
    pub per_address: usize,
    pub trusted_proxies: Vec<Cidr>,
    /// Descriptors that clients may use, whatever for.
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

/// Answers one request of the client at `SocketAddr`, the direct peer.
pub trait Service: Send + Sync + 'static {
    fn call(&self, request: Request<Incoming>, peer: SocketAddr) -> impl Future<Output = Response<Body>> + Send;
}

/// Answers every request with an engine alone, whatever its path. For a program without a proxy in front.
pub struct EngineService(pub Arc<Engine>);

impl Service for EngineService {
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

/// Accepts connections until `stop`, and returns when those that are open have ended with the request that they are at.
/// WebSockets live on their own.
pub async fn serve(listener: TcpListener, service: Arc<impl Service>, limits: Limits, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let (places, farewells) = (Arc::new(Places::default()), Arc::new(Semaphore::new(MOST_FAREWELLS)));
    let shared = Arc::new(Shared { service, limits, stop });
    let Shared { limits, stop, .. } = &*shared;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => match places.take(limits, &stream, peer.ip()) {
                Ok(place) => {
                    connections.spawn(connection(stream, peer, shared.clone(), place));
                }
                Err(why) => {
                    if let Some(times) = due(why) {
                        tracing::warn!(times, address = %peer.ip(), open = connections.len(), "connections are refused: {why}");
                    }
                    if let Ok(turn) = farewells.clone().try_acquire_owned() {
                        tokio::spawn(async move {
                            let _ = tokio::time::timeout(FAREWELL, refuse(stream, why)).await;
                            drop(turn);
                        });
                    }
                }
            },
            // Out of file descriptors after all: the backlog holds the clients until some are free again.
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

/// What all connections of a listener share.
struct Shared<S> {
    service: Arc<S>,
    limits: Limits,
    stop: CancellationToken,
}

async fn connection(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared<impl Service>>, place: Place) {
    let _ = stream.set_nodelay(true);
    let Shared { service, limits: Limits { budget, patience, .. }, stop } = &*shared;
    let closed = Arc::new(Notify::new());
    let close = closed.clone();
    let hold = budget.hold("a connection", place.subscriber, move || close.notify_one());
    let (head, has_asked) = (HeadBytes::default(), Arc::new(AtomicBool::new(false)));
    let stream = Stream::new(stream, hold, head.clone(), patience.write);
    let asked = has_asked.clone();
    let service = service_fn(move |request| {
        head.is_whole();
        asked.store(true, Relaxed);
        let service = service.clone();
        // Boxed, so that an idle connection does not carry the future of a request.
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
    drop(place);
}

/// Answers a request that is not read.
async fn refuse(mut stream: TcpStream, why: &str) {
    let seconds = rand::random_range(1..=5);
    let body = format!(r#"{{"code":4,"message":"{why}"}}"#);
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: {seconds}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    if stream.write_all(answer.as_bytes()).await.is_ok() && stream.shutdown().await.is_ok() {
        // Bytes that nobody has read when the socket is closed would reset the connection, and the answer with it.
        while stream.read(&mut [0; 1_024]).await.is_ok_and(|count| count > 0) {}
    }
}

/// The connections on which HTTP is spoken, by subscriber.
#[derive(Default)]
struct Places(Mutex<HashMap<IpAddr, usize>>);

/// Of one connection; given back when dropped.
struct Place {
    places: Arc<Places>,
    subscriber: Option<IpAddr>,
}

impl Places {
    fn take(self: &Arc<Self>, limits: &Limits, stream: &TcpStream, peer: IpAddr) -> Result<Place, &'static str> {
        if descriptors::is_scarce(stream, limits.descriptors) {
            return Err("too many open files");
        }
        if limits.budget.is_overrun() {
            return Err("no memory left");
        }
        let peer = peer.to_canonical();
        if limits.trusted_proxies.iter().any(|block| block.contains(peer)) {
            return Ok(Place { places: self.clone(), subscriber: None });
        }
        let subscriber = subscriber(peer);
        let mut open = lock(&self.0);
        let count = open.entry(subscriber).or_default();
        if *count >= limits.per_address {
            return Err("too many connections from this address");
        }
        *count += 1;
        Ok(Place { places: self.clone(), subscriber: Some(subscriber) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(subscriber) = self.subscriber else { return };
        let mut open = lock(&self.places.0);
        if let Some(count) = open.get_mut(&subscriber) {
            *count -= 1;
            if *count == 0 {
                open.remove(&subscriber);
            }
        }
    }
}
