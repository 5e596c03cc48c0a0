//! A server in this process on a port of its own: an Engine.IO echo under `/engine.io/`, Socket.IO under `/socket.io/`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use convoke::core::wire::Form;
use convoke::engineio::remote::RemoteSessions;
use convoke::engineio::{self, Body, CloseReason, Connection, Engine, Handshake, Session};
use convoke::http::server;
use convoke::protocol::engineio::Message;
use convoke::protocol::frame::Frame;
use convoke::socketio::{self, EngineHandler, Namespace, SocketIo};
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use smallvec::smallvec;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::within;

/// What a test sets; the pings are so far apart that no other fact meets one.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: engineio::Config,
    pub socketio: socketio::Config,
    /// Its budget and patience are the engine's.
    pub limits: server::Limits,
}

impl Default for Options {
    /// No headers are kept, so that a session costs what it costs at the hub.
    fn default() -> Self {
        let engine = engineio::Config { handshake_headers: 0, ..Default::default() };
        Self { engine, socketio: Default::default(), limits: Default::default() }
    }
}

impl Options {
    pub fn engine(change: impl FnOnce(&mut engineio::Config)) -> Self {
        let mut options = Self::default();
        change(&mut options.engine);
        options
    }

    pub fn socketio(change: impl FnOnce(&mut socketio::Config)) -> Self {
        let mut options = Self::default();
        change(&mut options.socketio);
        options
    }

    /// A ping each 100 ms, to be answered within two seconds: a busy machine answers in time, too.
    pub fn short_pings() -> Self {
        Self::engine(|config| {
            config.ping_interval = Duration::from_millis(100);
            config.ping_timeout = Duration::from_secs(2);
        })
    }
}

pub struct Server {
    pub address: SocketAddr,
    /// The engine of the echo.
    pub echo: Arc<Engine>,
    /// The engine of Socket.IO.
    pub engine: Arc<Engine>,
    pub io: Arc<SocketIo>,
    closed: Mutex<mpsc::UnboundedReceiver<CloseReason>>,
    _stop: DropGuard,
}

impl Server {
    pub async fn start(options: Options, namespaces: impl IntoIterator<Item = Namespace>) -> Self {
        Self::start_linked(options, namespaces, |_| None).await
    }

    /// `remote` is how an engine, by its name, reaches the sessions of other servers.
    pub async fn start_linked(
        options: Options,
        namespaces: impl IntoIterator<Item = Namespace>,
        remote: impl Fn(&'static str) -> Option<Arc<dyn RemoteSessions>>,
    ) -> Self {
        let (closes, closed) = mpsc::unbounded_channel();
        let io = SocketIo::new(options.socketio, namespaces);
        let limits =
            server::Limits { budget: options.engine.budget.clone(), patience: options.engine.patience, ..options.limits };
        let echo = Engine::with_remote_sessions(options.engine.clone(), Echo(closes), remote("echo"));
        let engine = Engine::with_remote_sessions(options.engine, EngineHandler(io.clone()), remote("io"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let app = App { echo: echo.clone(), socketio: engine.clone() };
        let stop = CancellationToken::new();
        tokio::spawn(server::serve(listener, Arc::new(app), limits, stop.clone()));
        Self { address, echo, engine, io, closed: closed.into(), _stop: stop.drop_guard() }
    }

    /// Only the echo.
    pub async fn echo(options: Options) -> Self {
        Self::start(options, []).await
    }

    /// Why the next session of the echo ended.
    pub async fn close_reason(&self) -> CloseReason {
        within(async { self.closed.lock().await.recv().await }).await.expect("the echo lives")
    }

    /// The one session of the echo.
    pub fn session(&self) -> Arc<Session> {
        self.echo.all().pop().expect("a session")
    }

    pub fn url(&self, path: &str, query: &str) -> String {
        format!("http://{}{path}?{query}", self.address)
    }
}

/// Sends every message back, and tells why its session ended. It knows nothing, so that it moves easily.
struct Echo(mpsc::UnboundedSender<CloseReason>);

impl engineio::Handler for Echo {
    fn open(&self, _: &Arc<Session>, _: Handshake) -> Arc<dyn Connection> {
        Arc::new(Self(self.0.clone()))
    }

    fn adopt(&self, _: &Arc<Session>, _: Bytes) -> Option<Arc<dyn Connection>> {
        Some(Arc::new(Self(self.0.clone())))
    }
}

impl Connection for Echo {
    fn message(&self, session: &Arc<Session>, message: Message) {
        session.send(smallvec![match message {
            Message::Text(text) => Frame::text_of(&[b"4", &text]),
            Message::Binary(data) => Frame::binary(&data),
        }]);
    }

    fn closed(&self, _: &Arc<Session>, reason: CloseReason) {
        let _ = self.0.send(reason);
    }

    fn export<'a>(&'a self, _: &'a Arc<Session>, _: Form) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(async { Some(Bytes::new()) })
    }
}

struct App {
    echo: Arc<Engine>,
    socketio: Arc<Engine>,
}

impl server::Service for App {
    type Body = Body;

    async fn call(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        match request.uri().path() {
            "/engine.io/" => self.echo.serve(request, peer.ip()).await,
            "/socket.io/" => self.socketio.serve(request, peer.ip()).await,
            // A balancer asks.
            "/readyz" => Response::new(Body::default()),
            _ => {
                let mut response = Response::new(Body::default());
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    }
}
