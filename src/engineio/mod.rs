//! Engine.IO v4: sessions over long-polling and WebSocket, their heartbeat, and the upgrade from one to the other.
//!
//! This layer moves messages and knows when a client is gone. What the messages mean is the business of the [`Handler`] above.

mod bucket;
mod close;
mod crossing;
pub mod elsewhere;
mod entry;
mod handshake;
mod heartbeat;
mod limits;
mod moved;
mod outbox;
mod polling;
mod session;
mod websocket;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use tokio_util::task::TaskTracker;

use crate::core::sync::lock;
use crate::core::wire::Form;
use crate::net::{Budget, Patience};
use crate::protocol::engineio::Message;

pub use bucket::{Bucket, Rate};
pub use close::CloseReason;
use elsewhere::Elsewhere;
pub use handshake::Handshake;
use heartbeat::Wheel;
use limits::HandshakeLimits;
use moved::Moved;
pub use outbox::VolatileKey;
pub use session::Session;

/// The body of every answer of this layer.
pub type Body = Full<Bytes>;

/// What a server may set. The defaults are those of the reference implementation where it has them.
#[derive(Clone, Debug)]
pub struct Config {
    /// Time between an answered `ping` and the next one.
    pub ping_interval: Duration,
    /// How long a client may take to answer a `ping`.
    pub ping_timeout: Duration,
    /// Largest message and largest long-polling payload, bytes.
    pub max_payload: usize,
    /// How long a WebSocket may take to finish an upgrade.
    pub upgrade_timeout: Duration,
    /// How much may wait for one client, bytes. Beyond it volatile messages are dropped, then the client is.
    pub outbox_bytes: usize,
    /// Sessions in all; a handshake beyond it is refused with 503.
    pub max_connections: usize,
    /// Sessions of one subscriber: an IPv4 address, or a /64 of IPv6.
    pub max_connections_per_address: usize,
    /// Handshakes that are admitted in a second, a quarter of them at once.
    pub handshakes_per_second: u32,
    /// Those of one subscriber, half of them at once.
    pub handshakes_per_second_per_address: u32,
    /// Bytes a second that one session is read with for long, and at once; each packet counts [`PACKET_COST`] more. Beyond it
    /// reading pauses, for a second at most if it is as much as `max_payload`.
    pub read_bytes_per_second: usize,
    /// Packets in one long-polling request.
    pub max_polling_packets: usize,
    /// Packets in one answer to a poll. python-engineio takes no more than 16.
    pub max_packets_per_payload: usize,
    /// What all clients of the process together may hold of its memory.
    pub budget: Arc<Budget>,
    /// How long bodies and writes may take.
    pub patience: Patience,
    /// Bytes that a session keeps of the headers of its first request: [`Handshake::headers`]. A header that finds no room is left
    /// out.
    pub handshake_headers: usize,
    /// The headers that it keeps; empty: all.
    pub kept_headers: &'static [&'static str],
    /// What the session ids of this process begin with: [`elsewhere::TAG`] characters of base64url, or nothing.
    pub tag: Box<str>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            max_payload: 1_000_000,
            upgrade_timeout: Duration::from_secs(10),
            outbox_bytes: 2 << 20,
            max_connections: 100_000,
            max_connections_per_address: 100_000,
            handshakes_per_second: 2_000,
            handshakes_per_second_per_address: 2_000,
            read_bytes_per_second: 2_000_000,
            max_polling_packets: 1_000,
            max_packets_per_payload: 16,
            budget: Arc::default(),
            patience: Patience::default(),
            handshake_headers: 4_096,
            kept_headers: &[],
            tag: "".into(),
        }
    }
}

/// What a packet, or a fragment of one, costs beside its bytes: of the smallest ones it is the number that makes work.
const PACKET_COST: usize = 256;

impl Config {
    fn reading(&self) -> Rate {
        let per_second = self.read_bytes_per_second as f64;
        Rate { per_second, burst: per_second.max(self.max_payload as f64) }
    }
}

/// Called up by the engine for each new session.
pub trait Handler: Send + Sync + 'static {
    /// The session is open. What is sent here follows the handshake packet.
    fn open(&self, session: &Arc<Session>, handshake: Handshake) -> Arc<dyn Connection>;

    /// A session that another node has given away, with what [`Connection::export`] gave out there. `None` if that makes no
    /// sense here. [`Connection::resume`] follows.
    fn adopt(&self, _session: &Arc<Session>, _exported: Bytes) -> Option<Arc<dyn Connection>> {
        None
    }
}

/// One session as the layer above sees it. None of these may block, nor wait for the session itself.
pub trait Connection: Send + Sync + 'static {
    /// A message arrived. Messages of one session come one after another, in order.
    fn message(&self, session: &Arc<Session>, message: Message);

    /// A `ping` is about to be queued: what was sent before goes before it.
    fn pinging(&self, _session: &Arc<Session>) {}

    /// The client has answered the last `ping`, and so has had all that was sent before it.
    fn ping_answered(&self, _session: &Arc<Session>) {}

    /// The session is gone. Called exactly once, and last, unless it is [`Connection::moved`].
    fn closed(&self, session: &Arc<Session>, reason: CloseReason);

    /// Another node wants the session, and no message comes any more: finishes what is under way, and gives out what it takes
    /// to go on there, in a form that the other node reads. Once this is done nothing may be sent. `None` if the session cannot move; then it is closed. It is
    /// given up, and the session closed, when it takes too long; given up and called again when something was sent meanwhile.
    fn export<'a>(&'a self, _session: &'a Arc<Session>, _form: Form) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(std::future::ready(None))
    }

    /// A message that came while the session moves. What is under way may wait for it, otherwise it is kept for
    /// [`Connection::export`]. False: the session has been given out, and the message is the new node's.
    fn passed_on(&self, _session: &Arc<Session>, _message: Message) -> bool {
        false
    }

    /// A word from the node that has given this session away: [`Session::follow`]. `None`: it is not understood, or came to
    /// nothing.
    fn followed<'a>(&'a self, _session: &'a Arc<Session>, _word: Bytes) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(std::future::ready(None))
    }

    /// The session has been given away, in place of [`Connection::closed`]. Whether it got there is not known yet.
    fn moved(self: Arc<Self>, _session: Arc<Session>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// The session, which another node has given away, is open here; what had waited for its client is on its way. The first
    /// message comes when this is done. False if the session cannot go on; then it is closed.
    fn resume<'a>(&'a self, _session: &'a Arc<Session>) -> BoxFuture<'a, bool> {
        Box::pin(std::future::ready(true))
    }
}

const SHARDS: usize = 64;

/// What a session takes as such, with its sockets; what waits for its client, up to a small amount, is in it.
const SESSION: usize = 4 << 10;

/// All Engine.IO sessions of this process.
pub struct Engine {
    config: Config,
    handler: Box<dyn Handler>,
    sessions: [Mutex<HashMap<Box<str>, Arc<Session>>>; SHARDS],
    count: AtomicUsize,
    hasher: RandomState,
    wheel: Wheel,
    admission: HandshakeLimits,
    closing: AtomicBool,
    /// Those who tell the clients of closed sessions so.
    farewells: TaskTracker,
    elsewhere: OnceLock<Arc<dyn Elsewhere>>,
    moved: Moved,
}

impl Engine {
    /// Starts the engine and its heartbeat. Must be called inside a Tokio runtime; the heartbeat ends with the last `Arc`.
    pub fn new(config: Config, handler: impl Handler) -> Arc<Self> {
        let engine = Arc::new(Self {
            wheel: Wheel::new(config.ping_interval, config.ping_timeout),
            admission: HandshakeLimits::new(&config),
            sessions: std::array::from_fn(|_| Mutex::default()),
            count: AtomicUsize::new(0),
            hasher: RandomState::new(),
            handler: Box::new(handler),
            closing: AtomicBool::new(false),
            farewells: TaskTracker::new(),
            elsewhere: OnceLock::new(),
            moved: Moved::default(),
            config,
        });
        heartbeat::spawn(Arc::downgrade(&engine));
        engine
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Sessions that are open now.
    pub fn sessions(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Sessions that are closed, while their clients are still being told so. Each takes two seconds at most.
    pub fn farewells(&self) -> usize {
        self.farewells.len()
    }

    /// From now on every handshake is refused with 503; sessions that are open go on.
    pub fn refuse_new_sessions(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    /// Every session that is open now, in no order.
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.sessions.iter().flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>()).collect()
    }

    fn find(&self, sid: &str) -> Option<Arc<Session>> {
        lock(self.shard(sid)).get(sid).cloned()
    }

    fn insert(&self, session: Arc<Session>) {
        lock(self.shard(session.sid())).insert(session.sid().into(), session);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.config.budget.take(SESSION);
    }

    fn remove(&self, session: &Session) {
        if lock(self.shard(session.sid())).remove(session.sid()).is_some() {
            self.count.fetch_sub(1, Ordering::Relaxed);
            self.config.budget.give_back(SESSION);
            self.admission.release(session.address());
        }
    }

    fn shard(&self, sid: &str) -> &Mutex<HashMap<Box<str>, Arc<Session>>> {
        &self.sessions[self.hasher.hash_one(sid) as usize % SHARDS]
    }
}
