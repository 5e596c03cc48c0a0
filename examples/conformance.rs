//! The server that the official protocol test suites expect (socketio/socket.io, `docs/engine.io-protocol/v4-test-suite` and
//! `docs/socket.io-protocol/v5-test-suite`): an Engine.IO echo under `/engine.io/`, and Socket.IO under `/socket.io/`.
//!
//! ```sh
//! cargo run --release --example conformance -- --port 3000
//! ```
//!
//! With a Redis it runs as a node of a cluster: sessions are served by, and move between, all nodes. Recovery is off, because
//! the suite wants a bare `sid` in the answer to CONNECT.
//!
//! ```sh
//! cargo run --release --example conformance -- --port 3001 --redis redis://127.0.0.1 --peer-port 4001
//! ```

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use convoke::cluster::node::{self, Node};
use convoke::cluster::relay;
use convoke::core::wire::Form;
use convoke::engineio::{self, Body, CloseReason, Connection, Engine, Handshake, Session};
use convoke::http::server;
use convoke::protocol::engineio::Message;
use convoke::protocol::event::Args;
use convoke::protocol::frame::Frame;
use convoke::redis::{Redis, RedisConfig};
use convoke::settings::Secret;
use convoke::socketio::{self, ConnectRequest, EngineHandler, Event, Namespace, Reply, Socket, SocketIo};
use futures_util::future::BoxFuture;
use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use smallvec::smallvec;
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Options {
    #[arg(long, default_value_t = 3000)]
    port: u16,
    /// Run as a node of the cluster that has this Redis.
    #[arg(long)]
    redis: Option<String>,
    /// Where the other nodes reach this one; 0 is any free port.
    #[arg(long, default_value_t = 0)]
    peer_port: u16,
}

/// Sends every message back.
struct Echo;

impl engineio::Handler for Echo {
    fn open(&self, _: &Arc<Session>, _: Handshake) -> Arc<dyn Connection> {
        Arc::new(Echo)
    }

    fn adopt(&self, _: &Arc<Session>, _: Bytes) -> Option<Arc<dyn Connection>> {
        Some(Arc::new(Echo))
    }
}

impl Connection for Echo {
    fn message(&self, session: &Arc<Session>, message: Message) {
        session.send(smallvec![match message {
            Message::Text(text) => Frame::text(&[b"4", &text[..]].concat()),
            Message::Binary(data) => Frame::binary(&data),
        }]);
    }

    fn closed(&self, _: &Arc<Session>, _: CloseReason) {}

    fn export<'a>(&'a self, _: &'a Arc<Session>, _: Form) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(async { Some(Bytes::new()) })
    }
}

fn namespace(name: &'static str) -> Namespace {
    Namespace::new(name)
        .on_connect(|request: ConnectRequest| async move { Ok(request.auth) })
        .on_move(
            |auth: &Bytes| String::from_utf8_lossy(auth).into(),
            |auth| Some(Bytes::copy_from_slice(auth.as_str()?.as_bytes())),
        )
        .on_connected(|socket| async move {
            let auth = socket.data::<Bytes>().cloned().unwrap_or_default();
            socket.emit_json("auth", &String::from_utf8_lossy(&auth));
        })
        .on("message", |socket: Arc<Socket>, event: Event| async move {
            socket.emit_args(&renamed(&event.args, "message-back"));
            Ok(Reply::None)
        })
        .on("message-with-ack", |socket: Arc<Socket>, event: Event| async move {
            let arguments: Vec<&str> = event.args.iter().map(|argument| argument.get()).collect();
            let json = format!("[{}]", arguments.join(","));
            event.acknowledge(&socket, &Args { json: json.into(), attachments: event.args.attachments.clone() });
            Ok(Reply::None)
        })
}

fn renamed(args: &Args, name: &str) -> Args {
    let arguments: String = args.iter().map(|argument| format!(",{}", argument.get())).collect();
    Args { json: format!("[\"{name}\"{arguments}]").into(), attachments: args.attachments.clone() }
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
            // A balancer in front asks for it.
            "/readyz" => Response::new(Body::default()),
            _ => {
                let mut response = Response::new(Body::default());
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let redis = match &options.redis {
        Some(url) => Some(Redis::connect(RedisConfig::new(url)).await?),
        None => None,
    };
    let node = redis.map(|redis| {
        let node_id = format!("conformance-{}", options.port).into();
        let secret = Some(Secret::new("the protocol test suites"));
        let host = Ipv4Addr::LOCALHOST.into();
        let (peer_port, recovery_window, lease) = (options.peer_port, Duration::ZERO, Duration::from_secs(10));
        Node::new(node::Config { node_id, secret, host, peer_port, address: None, recovery_window, lease }, redis)
    });
    let config = engineio::Config {
        tag: node.as_ref().map_or("", |node| &**node.identity.tag()).into(),
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        ..engineio::Config::default()
    };
    let socketio_config = socketio::Config { connect_timeout: Duration::from_millis(1000), ..socketio::Config::default() };
    let namespaces = [namespace("/"), namespace("/custom")];
    let io = match &node {
        Some(node) => SocketIo::with_session_store(socketio_config, namespaces, node.recovery.session_store()),
        None => SocketIo::new(socketio_config, namespaces),
    };
    let remote = |engine| node.as_ref().and_then(|node| relay::remote_sessions(node, engine));
    let app = App {
        echo: Engine::with_remote_sessions(config.clone(), Echo, remote("echo")),
        socketio: Engine::with_remote_sessions(config, EngineHandler(io), remote("socket.io")),
    };
    if let Some(node) = &node {
        relay::answer(&node.peers, &[("echo", &app.echo), ("socket.io", &app.socketio)]);
        node.start(|| 0).await?;
    }
    let listener = tokio::net::TcpListener::bind(("::", options.port)).await?;
    println!("listening on port {}", options.port);
    server::serve(listener, Arc::new(app), server::Limits::default(), CancellationToken::new()).await;
    Ok(())
}
