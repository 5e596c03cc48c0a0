//! One Engine.IO session: its transport, what waits for its client, and its heartbeat.

mod beat;
mod closing;
mod following;
mod handoff;
mod poll;
mod sending;
mod upgrade;

use std::net::IpAddr;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Acquire;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::elsewhere::Ticket;
use super::outbox::Outbox;
use super::{Bucket, CloseReason, Connection, Engine, PACKET_COST};
use crate::core::sync::lock;
use crate::net::{Budget, Hold};
use crate::protocol::engineio::{Message, Packet};

use following::Following;
pub(super) use handoff::{CannotAdopt, read_sent, write_packets};
pub(super) use poll::{Poll, PollEnd};
use upgrade::Upgrade;

/// Messages of so many bytes are not worth counting in the memory budget.
const UNCOUNTED: usize = 512;

enum Transport {
    Polling {
        /// The request that waits for data, if there is one.
        waiting: Option<oneshot::Sender<PollEnd>>,
        upgrade: Upgrade,
    },
    WebSocket {
        socket: Arc<TcpStream>,
        /// A task waits until the socket takes more; nobody else needs to.
        flushing: bool,
    },
    /// Another node is taking the session over: what is under way is finished, and what is sent goes along.
    Moving {
        ticket: Ticket,
        /// When it must be over.
        due: Instant,
        /// That node waits for something to be sent.
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
    /// Counts the polls that had to wait.
    polls: u32,
    /// More waits than may: the session is about to be closed, and nothing more is queued.
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
    /// A POST is being read or worked off.
    posting: AtomicBool,
    /// Where it goes on.
    following: OnceLock<Box<Following>>,
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
            following: OnceLock::new(),
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

    /// Whether a long-polling request that brings packets is being read or worked off.
    pub fn is_posting(&self) -> bool {
        self.posting.load(Acquire)
    }

    /// Whether a WebSocket is open for an upgrade that is not finished.
    pub fn is_upgrading(&self) -> bool {
        matches!(&lock(&self.state).transport, Transport::Polling { upgrade, .. } if *upgrade != Upgrade::None)
    }

    /// Bytes that wait for the client.
    pub fn waiting_bytes(&self) -> usize {
        lock(&self.state).outbox.bytes()
    }

    pub(super) fn attach(&self, connection: Arc<dyn Connection>) {
        let _ = self.connection.set(connection);
    }

    /// Something of the budget of the process that this session answers for.
    pub fn hold(self: &Arc<Self>, what: &'static str) -> Hold {
        let session = Arc::downgrade(self);
        self.engine.config.budget.hold(what, Some(self.address), move || {
            if let Some(session) = session.upgrade() {
                // Closing calls up into layers whose locks the caller may hold.
                tokio::spawn(async move { session.close(CloseReason::Overload) });
            }
        })
    }

    /// What the client has sent counts for as long as anybody has a part of it: a packet that is not whole, an event that waits.
    pub fn counted(self: &Arc<Self>, data: Bytes) -> Bytes {
        if data.len() <= UNCOUNTED { data } else { self.hold("what a client has sent").over(data) }
    }

    /// Counts what has come from the client, whatever it is. `Some`: so long nothing more is to be read from it. Thus the client
    /// is slowed down by its own transport, and nothing that it was asked for is refused.
    pub(super) fn pace(&self, packets: usize, bytes: usize) -> Option<Duration> {
        self.spend(packets * PACKET_COST + bytes)
    }

    /// Makes the client's reading dearer by so many bytes: for answers that it has brought about by sending too much.
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
