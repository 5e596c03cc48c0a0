//! One Engine.IO session: its transport, what waits for its client, and its heartbeat.

mod following;
mod handoff;
mod upgrade;

use std::io::ErrorKind;
use std::net::{IpAddr, Shutdown};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use smallvec::smallvec;
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::net::Hold;
use crate::protocol::engineio::{Message, Packet};
use crate::protocol::frame::{Frame, Frames};
use crate::telemetry::metrics::TRANSPORT_CLOSES;

use super::elsewhere::Ticket;
use super::outbox::{Outbox, VolatileKey};
use super::{Bucket, CloseReason, Connection, Engine, PACKET_COST};
use crate::core::sync::lock;

use following::Following;
pub(super) use handoff::{CannotAdopt, read_sent, write_packets};
use upgrade::Upgrade;

/// How long a closed WebSocket may take to receive what still waits for it.
const LINGER: Duration = Duration::from_secs(2);

/// How long a client on long-polling may take to fetch what still waits for it.
const POLL_LINGER: Duration = Duration::from_secs(5);

/// Messages of so many bytes are not worth counting in the memory budget.
const UNCOUNTED: usize = 512;

/// How a waiting long-polling request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollEnd {
    /// Something waits in the outbox.
    Data,
    /// Nothing to say: the client closes or upgrades.
    Noop,
    /// The session ends and the client shall know at once.
    Close,
    /// The session is gone.
    Gone,
}

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
}

/// What a poll finds.
pub enum Poll {
    /// A response body.
    Ready(Vec<u8>),
    /// Nothing yet.
    Waits(oneshot::Receiver<PollEnd>),
    /// Another poll is waiting already, or the session is no longer polling.
    Refused,
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
        });
        engine.wheel.schedule(due, Arc::downgrade(&session));
        session
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

    /// Ends the session with [`CloseReason::ConnectTimeout`] unless [`Session::accepted`] is called within `time`.
    pub fn accept_within(self: &Arc<Self>, time: Duration) {
        let due = Instant::now() + time;
        let mut state = lock(&self.state);
        state.accept_due = Some(due);
        let ping_due = state.ping_due;
        drop(state);
        if due < ping_due {
            // One extra visit; the session's regular place on the wheel stays.
            let session = Arc::downgrade(self);
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                if let Some(session) = session.upgrade() {
                    session.check_accepted(Instant::now());
                }
            });
        }
    }

    /// The layer above has accepted the client.
    pub fn accepted(&self) {
        lock(&self.state).accept_due = None;
    }

    /// Sends a packet: what the socket takes is written at once.
    pub fn send(self: &Arc<Self>, frames: Frames) {
        if self.queue(frames, None) {
            self.flush();
        }
    }

    /// Queues a packet; true when the caller owes a [`Session::flush`]. A client that is too slow is closed.
    pub fn queue(self: &Arc<Self>, frames: Frames, volatile: Option<VolatileKey>) -> bool {
        self.push(frames, volatile, false)
    }

    /// [`Session::queue`] for what the client missed while it was away: that has a bound of its own, and does not make it slow.
    pub fn queue_missed(self: &Arc<Self>, frames: Frames) -> bool {
        self.push(frames, None, true)
    }

    fn push(self: &Arc<Self>, frames: Frames, volatile: Option<VolatileKey>, missed: bool) -> bool {
        let mut state = lock(&self.state);
        if matches!(state.transport, Transport::Closed) || state.overflows {
            return false;
        }
        let was_empty = state.outbox.is_empty();
        if missed {
            state.outbox.allow(&frames);
        }
        let pushed = state.outbox.push(frames, volatile, self.engine.config.outbox_bytes);
        state.overflows = pushed.is_err();
        let State { transport, outbox, .. } = &mut *state;
        // A socket that has taken all so far is flushed in a moment; what it refuses is counted then.
        if !matches!(transport, Transport::WebSocket { flushing: false, .. }) {
            self.count(outbox);
        }
        drop(state);
        if pushed.is_err() {
            // Closing calls up into layers whose locks the caller may hold.
            let session = self.clone();
            tokio::spawn(async move { session.close(CloseReason::SlowClient) });
            return false;
        }
        was_empty
    }

    /// Writes what waits, as far as the client takes it. The rest is left to a task that lives only until it has been taken.
    pub fn flush(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        let State { transport, outbox, .. } = &mut *state;
        match transport {
            Transport::Polling { waiting, .. } | Transport::Moving { waiting, .. } => {
                if let Some(waiting) = waiting.take() {
                    let _ = waiting.send(PollEnd::Data);
                }
            }
            Transport::WebSocket { socket, flushing } if !*flushing => match outbox.write_to(socket) {
                Ok(true) => self.count(outbox),
                Ok(false) => {
                    self.count(outbox);
                    *flushing = true;
                    let socket = socket.clone();
                    tokio::spawn(flush_slowly(self.clone(), socket));
                }
                // The reader notices that the socket is dead.
                Err(_) => outbox.clear(),
            },
            Transport::WebSocket { .. } | Transport::Closed => {}
        }
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

    fn count(self: &Arc<Self>, outbox: &mut Outbox) {
        outbox.count(|| self.hold("what waits for a client"));
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

    fn pong(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        if state.pong_due.take().is_none() {
            return;
        }
        state.ping_due = Instant::now() + self.engine.config.ping_interval;
        drop(state);
        if let Some(connection) = self.connection.get() {
            connection.ping_answered(self);
        }
    }

    /// Something of the client is on its way, so that it lives; the answer to a `ping` may have to wait behind that.
    pub(super) fn heard(&self) {
        let mut state = lock(&self.state);
        if let Some(due) = &mut state.pong_due {
            *due = Instant::now() + self.engine.config.ping_timeout;
        }
    }

    fn check_accepted(self: &Arc<Self>, now: Instant) -> bool {
        let late = lock(&self.state).accept_due.is_some_and(|due| due <= now);
        if late {
            self.close(CloseReason::ConnectTimeout);
        }
        !late
    }

    fn check_pong(self: &Arc<Self>, now: Instant) -> bool {
        let late = lock(&self.state).pong_due.is_some_and(|due| due <= now);
        if late {
            self.close(CloseReason::PingTimeout);
        }
        !late
    }

    /// Sends a `ping` or ends the session, whichever is due; answers when to look again, `None` if never.
    pub(super) fn beat(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        if !self.check_accepted(now) || !self.check_pong(now) {
            return None;
        }
        let config = &self.engine.config;
        let mut state = lock(&self.state);
        if matches!(state.transport, Transport::Closed) {
            return None;
        }
        match state.pong_due {
            Some(due) => return Some(due),
            None if state.ping_due > now => return Some(state.ping_due),
            // What the wheel was late is not added to the client's time, unless this process was paused.
            None => {
                let late = (now - state.ping_due).min(2 * self.engine.wheel.tick());
                state.pong_due = Some(now + config.ping_timeout - late);
            }
        }
        drop(state);
        if let Some(connection) = self.connection.get() {
            connection.pinging(self);
        }
        self.send(smallvec![Frame::text(b"2")]);
        Some(now + config.ping_timeout.min(config.ping_interval))
    }

    /// Begins a long-polling request.
    pub(super) fn poll(self: &Arc<Self>) -> Poll {
        self.check_pong(Instant::now());
        let mut state = lock(&self.state);
        let State { transport, outbox, polls, .. } = &mut *state;
        match transport {
            Transport::Polling { waiting: Some(waiting), .. } if !waiting.is_closed() => Poll::Refused,
            Transport::Polling { .. } if !outbox.is_empty() => {
                let config = &self.engine.config;
                let payload = outbox.take_payload(config.max_payload, config.max_packets_per_payload);
                self.count(outbox);
                Poll::Ready(payload)
            }
            Transport::Polling { waiting, .. } => {
                let (sender, receiver) = oneshot::channel();
                *waiting = Some(sender);
                *polls = polls.wrapping_add(1);
                Poll::Waits(receiver)
            }
            Transport::WebSocket { .. } | Transport::Moving { .. } | Transport::Closed => Poll::Refused,
        }
    }

    /// Begins a POST; `None` while another one is not over. It ends when what is returned is dropped.
    pub(super) fn begin_post(&self) -> Option<Posting<'_>> {
        (!self.posting.swap(true, Acquire)).then_some(Posting(self))
    }

    pub(super) fn take_payload(self: &Arc<Self>) -> Vec<u8> {
        let config = &self.engine.config;
        let mut state = lock(&self.state);
        let payload = state.outbox.take_payload(config.max_payload, config.max_packets_per_payload);
        self.count(&mut state.outbox);
        payload
    }

    pub(super) fn is_polling(&self) -> bool {
        matches!(lock(&self.state).transport, Transport::Polling { .. })
    }

    /// Ends the session when its client has had the time to take what waits for it. A WebSocket is closed at once, since that
    /// writes what waits; long-polling takes another request, after which most clients close by themselves.
    pub fn close_after_delivery(self: &Arc<Self>, reason: CloseReason) {
        if !self.is_polling() {
            return self.close(reason);
        }
        let session = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(POLL_LINGER).await;
            if let Some(session) = session.upgrade() {
                session.close(reason);
            }
        });
    }

    /// The only way to end a session. Idempotent; the first reason counts.
    pub fn close(self: &Arc<Self>, reason: CloseReason) {
        let mut state = lock(&self.state);
        let transport = std::mem::replace(&mut state.transport, Transport::Closed);
        let outbox = std::mem::take(&mut state.outbox);
        drop(state);
        match transport {
            Transport::Closed => return,
            Transport::Moving { .. } => {}
            Transport::Polling { waiting, .. } => {
                if let Some(waiting) = waiting {
                    let _ = waiting.send(match reason {
                        CloseReason::ClientClosed | CloseReason::ConnectionLost => PollEnd::Noop,
                        CloseReason::ProtocolError | CloseReason::ServerClosed => PollEnd::Close,
                        _ => PollEnd::Gone,
                    });
                }
            }
            Transport::WebSocket { socket, .. } => {
                self.engine.farewells.spawn(close_slowly(socket, outbox, reason));
            }
        }
        tracing::debug!(reason = reason.as_str(), "session closed");
        metrics::counter!(TRANSPORT_CLOSES, "reason" => reason.as_str()).increment(1);
        self.engine.remove(self);
        if let Some(connection) = self.connection.get() {
            connection.closed(self, reason);
        }
    }
}

/// See [`Session::begin_post`].
pub(super) struct Posting<'a>(&'a Session);

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.0.posting.store(false, Release);
    }
}

/// Writes what a socket has refused, as it takes it. One that takes nothing for too long is closed, whatever else its client says.
async fn flush_slowly(session: Arc<Session>, socket: Arc<TcpStream>) {
    loop {
        let Ok(writable) = tokio::time::timeout(session.engine.config.patience.write, socket.writable()).await else {
            return session.close(CloseReason::SlowClient);
        };
        let mut state = lock(&session.state);
        let State { transport, outbox, .. } = &mut *state;
        let Transport::WebSocket { flushing, .. } = transport else { return };
        let written = outbox.write_to(&socket);
        session.count(outbox);
        match written {
            Ok(false) if writable.is_ok() => {}
            Ok(_) => {
                *flushing = false;
                return;
            }
            Err(_) => {
                outbox.clear();
                return;
            }
        }
    }
}

/// Sends what waits and a close frame, then ends the stream; its reader ends with it.
async fn close_slowly(socket: Arc<TcpStream>, mut outbox: Outbox, reason: CloseReason) {
    let _ = outbox.push(smallvec![Frame::close(reason.code(), reason.as_str())], None, usize::MAX);
    let flush = async {
        while !matches!(outbox.write_to(&socket), Ok(true) | Err(_)) {
            if socket.writable().await.is_err() {
                break;
            }
        }
        let _ = SockRef::from(&*socket).shutdown(Shutdown::Write);
        // The client answers by closing its side. What it still sends is thrown away: bytes that nobody has read when the socket
        // is closed would reset the connection, and the close frame with it.
        while socket.readable().await.is_ok() {
            match socket.try_read(&mut [0; 4_096]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    // A client whose connection is dead must not hold the task.
    let _ = tokio::time::timeout(LINGER, flush).await;
    let _ = SockRef::from(&*socket).shutdown(Shutdown::Both);
}
