//! A chat: rooms, who is there, messages that are acknowledged. A program of its own on this crate, of one node and without
//! Redis:
//!
//! ```sh
//! cargo run --example chat -- 3000
//! ```
//!
//! A client connects with `auth: {name}`, joins with `emitWithAck("join", room)`, which answers who is there, and talks with
//! `emitWithAck("say", room, text)`, which answers how many heard it. When its connection breaks it comes back and has missed
//! nothing.

use std::sync::{Arc, LazyLock};

use convoke::core::{Kind, ScopeId};
use convoke::engineio::Engine;
use convoke::http::server::serve_engine;
use convoke::socketio::{ConnectError, ConnectRequest, DisconnectReason, EngineHandler, MemoryStore, Namespace, Rooms, SocketIo};
use convoke::socketio::{Event, EventError, Reply, Socket};
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const ROOM: Kind = Kind::of("room");
static ROOMS: LazyLock<Rooms> = LazyLock::new(Rooms::default);

/// What a client says of itself.
#[derive(Deserialize)]
struct User {
    name: String,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(3000);
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    serve(listener).await;
    Ok(())
}

pub async fn serve(listener: TcpListener) {
    let chat = Namespace::new("/").on_connect(connect).on("join", join).on("say", say).on_disconnected(gone);
    let store = MemoryStore::new(ROOMS.clone(), Default::default());
    let io = SocketIo::with_session_store(Default::default(), [chat], store);
    let engine = Engine::new(Default::default(), EngineHandler(io));
    serve_engine(listener, engine, CancellationToken::new()).await;
}

async fn connect(request: ConnectRequest) -> Result<User, ConnectError> {
    let user: User = request.auth()?;
    if user.name.is_empty() { Err(ConnectError::message("a name, please")) } else { Ok(user) }
}

async fn join(socket: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
    let room = room(&event)?;
    ROOMS.join(&room, &socket);
    ROOMS.emit_except(&room, &socket, "joined", (&*room.id, name(&socket)));
    let there = ROOMS.members(&room);
    Reply::of(&there.iter().map(|socket| name(socket)).collect::<Vec<_>>())
}

async fn say(socket: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
    let (room, text): (_, String) = (room(&event)?, event.arg(1)?);
    ROOMS.emit_except(&room, &socket, "said", (&*room.id, name(&socket), text));
    Reply::of(&(ROOMS.members(&room).len().saturating_sub(1)))
}

async fn gone(socket: Arc<Socket>, _: DisconnectReason) {
    for room in ROOMS.of(&socket) {
        ROOMS.emit_except(&room, &socket, "away", (&*room.id, name(&socket)));
    }
}

fn room(event: &Event) -> Result<ScopeId, EventError> {
    ScopeId::new(ROOM, &event.arg::<String>(0)?).ok_or_else(|| EventError::invalid("no such room"))
}

fn name(socket: &Socket) -> &str {
    socket.data::<User>().map_or("", |user| &user.name)
}
