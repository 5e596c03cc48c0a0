//! One Engine.IO session: its transport, what waits for its client, and its heartbeat.

mod beat;
mod closing;
mod forwarding;
mod handoff;
mod poll;
mod sending;
mod upgrade;

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Acquire;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::outbox::Outbox;
use super::remote::Ticket;
use super::{Bucket, CloseReason, Connection, Engine, PACKET_COST};
use crate::core::sync::lock;
use crate::net::{Budget, Hold};
use crate::protocol::engineio::{Message, Packet};

use forwarding::NewOwner;
pub(super) use handoff::{CannotAdopt, read_sent, write_packets};
pub(super) use poll::{Poll, PollEnd};
use upgrade::Upgrade;

/// Messages of up to so many bytes are not counted in the memory budget.
const UNCOUNTED: usize = 512;

enum Transport {
    Polling {
        /// The request that waits for data, if there is one.
        waiting: Option<oneshot::Sender<PollEnd>>,
        upgrade: Upgrade,
    },
    WebSocket {
        socket: Arc<TcpStream>,
        /// A task waits until the socket can be written again.
        flushing: bool,
    },
    /// Another node is taking the session over: the work for it is finished, and packets for the client go to that node.
    Moving {
        ticket: Ticket,
        /// The deadline of the move.
        due: Instant,
        /// That node waits for packets.
        waiting: Option<oneshot::Sender<PollEnd>>,
    },
    Closed,
}

struct State {
    transport: Transport,
    outbox: Outbox,
    ping_due: Instant,
    /// When an unanswered `ping` ends the session.
    pong_due: Option<Instant>,
    /// When the session ends unless [`Session::accepted`] was called.
    accept_due: Option<Instant>,
    /// How many polls had to wait.
    polls: u32,
    /// The outbox is over its limit: the session is about to be closed, and nothing more is queued.
    overflows: bool,
}

/// A client's session. It outlives its transport only until [`Connection::closed`] has returned.
pub struct Session {
    sid: Box<str>,
    engine: Arc<Engine>,
    address: IpAddr,
    connection: OnceLock<Arc<dyn Connection>>,
    state: Mutex<State>,
    /// What may still be read from the client before it has to wait.
    reading: Mutex<Bucket>,
    /// A POST is being read or handled.
    posting: AtomicBool,
    /// The node that it has moved to, or is moving to.
    new_owner: OnceLock<Box<NewOwner>>,
    /// What the layer above keeps for it.
    kept: OnceLock<Kept>,
}

/// Bytes that count against the memory budget for as long as this is not dropped.
struct Kept {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}

impl Session {
    pub(super) fn new_polling(engine: &Arc<Engine>, sid: String, address: IpAddr) -> Arc<Self> {
        Self::new(engine, sid, address, Transport::Polling { waiting: None, upgrade: Upgrade::None })
    }

    pub(super) fn new_websocket(engine: &Arc<Engine>, sid: String, address: IpAddr, socket: Arc<TcpStream>) -> Arc<Self> {
        Self::new(engine, sid, address, Transport::WebSocket { socket, flushing: false })
    }

    fn new(engine: &Arc<Engine>, sid: String, address: IpAddr, transport: Transport) -> Arc<Self> {
        let ping_due = Instant::now() + engine.config.ping_interval;
        let state = State {
            transport,
            outbox: Outbox::default(),
            ping_due,
            pong_due: None,
            accept_due: None,
            polls: 0,
            overflows: false,
        };
        Self::with_state(engine, sid.into(), address, state, Bucket::full(engine.config.reading()))
    }

    fn with_state(engine: &Arc<Engine>, sid: Box<str>, address: IpAddr, state: State, reading: Bucket) -> Arc<Self> {
        let due = state.pong_due.unwrap_or(state.ping_due);
        let session = Arc::new(Self {
            sid,
            engine: engine.clone(),
            address,
            connection: OnceLock::new(),
            state: Mutex::new(state),
            reading: Mutex::new(reading),
            posting: AtomicBool::new(false),
            new_owner: OnceLock::new(),
            kept: OnceLock::new(),
        });
        engine.wheel.schedule(due, Arc::downgrade(&session));
        session
    }

    /// The layer above keeps so many bytes for as long as this session lives. The first call counts.
    pub fn keep(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        self.kept.get_or_init(|| {
            let budget = self.engine.config.budget.clone();
            budget.take(bytes);
            Kept { budget, bytes }
        });
    }

    /// The Engine.IO session id: a secret between this client and the hub.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    pub fn address(&self) -> IpAddr {
        self.address
    }

    pub fn is_websocket(&self) -> bool {
        matches!(lock(&self.state).transport, Transport::WebSocket { .. })
    }

    pub fn is_closed(&self) -> bool {
        matches!(lock(&self.state).transport, Transport::Closed)
    }

    /// Whether a long-polling request waits for something to be sent.
    pub fn is_poll_waiting(&self) -> bool {
        matches!(&lock(&self.state).transport, Transport::Polling { waiting: Some(waiting), .. } if !waiting.is_closed())
    }

    /// Whether a POST of long-polling is being read or handled.
    pub fn is_posting(&self) -> bool {
        self.posting.load(Acquire)
    }

    /// Whether a WebSocket is open for an upgrade that is not finished.
    pub fn is_upgrading(&self) -> bool {
        matches!(&lock(&self.state).transport, Transport::Polling { upgrade, .. } if *upgrade != Upgrade::None)
    }

    /// Packets that were queued for the client so far, those that it has had included.
    pub fn queued(&self) -> u64 {
        lock(&self.state).outbox.queued()
    }

    /// Packets that its transport has taken so far, also once the session is closed.
    pub fn taken(&self) -> u64 {
        lock(&self.state).outbox.taken()
    }

    /// Bytes that wait for the client.
    pub fn waiting_bytes(&self) -> usize {
        lock(&self.state).outbox.bytes()
    }

    /// What the layer above keeps for it.
    pub fn connection(&self) -> Option<&Arc<dyn Connection>> {
        self.connection.get()
    }

    pub(super) fn attach(&self, connection: Arc<dyn Connection>) {
        let _ = self.connection.set(connection);
    }

    /// Memory of the process's budget that is counted for this session.
    pub fn hold(self: &Arc<Self>, what: &'static str) -> Hold {
        let session = Arc::downgrade(self);
        self.engine.config.budget.hold(what, Some(self.address), move || {
            if let Some(session) = session.upgrade() {
                // Closing calls up into layers whose locks the caller may hold.
                tokio::spawn(async move { session.close(CloseReason::Overload) });
            }
        })
    }

    /// Counts what the client has sent for as long as any part of it is kept, such as an incomplete packet or a waiting event.
    pub fn counted(self: &Arc<Self>, data: Bytes) -> Bytes {
        if data.len() <= UNCOUNTED { data } else { self.hold("what a client has sent").over(data) }
    }

    /// Counts what has come from the client. `Some`: nothing more may be read from it for so long. The client is slowed down by
    /// its transport; nothing is refused.
    pub(super) fn pace(&self, packets: usize, bytes: usize) -> Option<Duration> {
        self.spend(packets * PACKET_COST + bytes)
    }

    /// Counts so many more bytes as read: for answers that the client has caused by sending too much.
    pub fn charge(&self, bytes: usize) {
        self.spend(bytes);
    }

    fn spend(&self, bytes: usize) -> Option<Duration> {
        lock(&self.reading).spend(bytes as f64, self.engine.config.reading())
    }

    pub(super) fn receive(self: &Arc<Self>, packet: Packet) -> Result<(), CloseReason> {
        match packet {
            Packet::Message(message) => self.deliver(message),
            Packet::Pong(_) => self.pong(),
            Packet::Close => return Err(CloseReason::ClientClosed),
            Packet::Noop => {}
            // In protocol 4 the server pings, and an upgrade has a WebSocket of its own.
            Packet::Ping(_) | Packet::Upgrade => return Err(CloseReason::ProtocolError),
        }
        Ok(())
    }

    pub(super) fn deliver(self: &Arc<Self>, message: Message) {
        self.engine.config.observer.tell(|observer| observer.received(message.size()));
        if let Some(connection) = self.connection.get() {
            let message = match message {
                Message::Text(text) => Message::Text(self.counted(text)),
                Message::Binary(data) => Message::Binary(self.counted(data)),
            };
            connection.message(self, message);
        }
    }

    pub(super) fn is_polling(&self) -> bool {
        matches!(lock(&self.state).transport, Transport::Polling { .. })
    }
}
