//! A Socket.IO server whose namespaces, `/` and `/custom`, do what a test asks for and tell what they saw.

use std::sync::Arc;

use convoke::protocol::event::Args;
use convoke::socketio::{Code, ConnectError, ConnectRequest, DisconnectReason, Event, EventError, Namespace, Reply, Socket};
use serde_json::Value;
use tokio::sync::{Notify, mpsc};

use super::raw::Ws;
use super::server::{Options, Server};
use super::within;

pub const PATH: &str = "/socket.io/";

/// A server, and what its namespaces saw.
pub struct Hub {
    pub server: Server,
    pub sockets: mpsc::UnboundedReceiver<Arc<Socket>>,
    pub gone: mpsc::UnboundedReceiver<(&'static str, DisconnectReason)>,
    pub seen: mpsc::UnboundedReceiver<Args>,
    /// Lets one `wait` event go on.
    pub gate: Arc<Notify>,
}

impl Hub {
    pub async fn by_default() -> Self {
        Self::start(Options::default()).await
    }

    pub async fn start(options: Options) -> Self {
        let (connected, sockets) = mpsc::unbounded_channel();
        let (disconnected, gone) = mpsc::unbounded_channel();
        let (see, seen) = mpsc::unbounded_channel();
        let gate = Arc::new(Notify::new());
        let namespaces = ["/", "/custom"].map(|name| {
            let (connected, disconnected, see, gate) = (connected.clone(), disconnected.clone(), see.clone(), gate.clone());
            Namespace::new(name)
                .on_connect(connect)
                .on_connected(move |socket| {
                    let _ = connected.send(socket);
                    async {}
                })
                .on_disconnected(move |socket, reason| {
                    let _ = disconnected.send((socket.namespace().name(), reason));
                    async {}
                })
                .on("echo", |socket: Arc<Socket>, event: Event| async move {
                    socket.emit_args(&event.args);
                    Ok(Reply::Ok)
                })
                .on("see", move |_, event: Event| {
                    let _ = see.send(event.args);
                    async { Ok(Reply::Ok) }
                })
                .on("return", |socket, event: Event| async move {
                    let arguments: Vec<&str> = event.args.iter().map(|argument| argument.get()).collect();
                    let json = format!("[{}]", arguments.join(",")).into();
                    event.acknowledge(&socket, &Args { json, attachments: event.args.attachments.clone() });
                    Ok(Reply::None)
                })
                .on("object", |_, event: Event| async move { event.object().map(|object| Reply::Object(object.into())) })
                .on("refuse", |_, _| async { Err(EventError::new(Code::FORBIDDEN, "not yours").with("sosId", "s1")) })
                .on("panic", |_, event: Event| async move { panic!("as asked: {}", event.name) })
                .on("panic-at-once", |_, _| -> std::future::Ready<Result<Reply, EventError>> { panic!("as asked") })
                .on("wait", move |_, _| {
                    let gate = gate.clone();
                    async move {
                        gate.notified().await;
                        Ok(Reply::Ok)
                    }
                })
                .on("leave", |socket: Arc<Socket>, _| async move {
                    socket.disconnect();
                    Ok(Reply::Ok)
                })
        });
        Self { server: Server::start(options, namespaces).await, sockets, gone, seen, gate }
    }

    /// The socket that connected next.
    pub async fn socket(&mut self) -> Arc<Socket> {
        within(self.sockets.recv()).await.unwrap()
    }

    /// The socket that disconnected next.
    pub async fn gone(&mut self) -> (&'static str, DisconnectReason) {
        within(self.gone.recv()).await.unwrap()
    }
}

async fn connect(request: ConnectRequest) -> Result<(), ConnectError> {
    let auth: Value = serde_json::from_slice(&request.auth).unwrap();
    match auth["be"].as_str() {
        Some("refused") => Err(ConnectError::refused(Code::INVALID_TOKEN, "bad token")),
        Some("away") => Err(ConnectError::TryAgain),
        Some("panic") => panic!("as asked"),
        Some("never") => std::future::pending().await,
        _ => Ok(()),
    }
}

/// A WebSocket that is connected to the main namespace.
pub async fn connected(server: &Server) -> Ws {
    let mut ws = Ws::open(server, PATH).await;
    ws.send("40").await;
    assert!(ws.text().await.starts_with(r#"40{"sid":""#));
    ws
}
