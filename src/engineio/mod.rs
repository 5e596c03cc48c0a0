//! Engine.IO v4: sessions over long-polling and WebSocket, their heartbeat, and the upgrade from one to the other.
//!
//! This layer moves messages and knows when a client is gone. What the messages mean is the business of the [`Handler`] above.

mod answer;
mod bucket;
mod close;
mod entry;
mod handshake;
mod heartbeat;
mod limits;
mod observer;
mod outbox;
mod polling;
mod recently_moved;
pub mod remote;
mod session;
mod websocket;

use std::any::Any;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http_body_util::Full;
use tokio_util::task::TaskTracker;

use crate::core::Tap;
use crate::core::sync::lock;
use crate::core::wire::Form;
use crate::net::{Budget, Patience};
use crate::protocol::engineio::Message;

pub use bucket::{Bucket, Rate};
pub use close::CloseReason;
pub use handshake::Handshake;
use heartbeat::Wheel;
use limits::HandshakeLimits;
pub use observer::Observer;
pub use outbox::VolatileKey;
use recently_moved::RecentlyMoved;
use remote::RemoteSessions;
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
    /// How much may wait for one client, bytes. Beyond it volatile messages are dropped; if that is not enough, the client is
    /// closed.
    pub outbox_bytes: usize,
    /// Sessions in all; a handshake beyond it is refused with 503.
    pub max_connections: usize,
    /// Sessions of one subscriber: an IPv4 address, or a /64 of IPv6.
    pub max_connections_per_address: usize,
    /// Handshakes that are accepted in a second, a quarter of them at once.
    pub handshakes_per_second: u32,
    /// Those of one subscriber, half of them at once.
    pub handshakes_per_second_per_address: u32,
    /// Bytes a second that are read from one session, and as many at once; each packet counts [`PACKET_COST`] more. Beyond it
    /// reading pauses, for a second at most if it is as much as `max_payload`.
    pub read_bytes_per_second: usize,
    /// Packets in one long-polling request.
    pub max_polling_packets: usize,
    /// Packets in one answer to a poll. python-engineio takes no more than 16.
    pub max_packets_per_payload: usize,
    /// The memory that all clients of the process together may use.
    pub budget: Arc<Budget>,
    /// How long bodies and writes may take.
    pub patience: Patience,
    /// Bytes that a session keeps of the headers of its first request: [`Handshake::headers`]. A header that finds no room is
    /// left out.
    pub handshake_headers: usize,
    /// The headers that it keeps; empty: all.
    pub kept_headers: &'static [&'static str],
    /// The prefix of the session ids of this process: [`remote::TAG`] characters of base64url, or empty.
    pub tag: Box<str>,
    /// Who is told what passes.
    pub observer: Tap<dyn Observer>,
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
            observer: Tap::default(),
        }
    }
}

/// The cost of a packet, or of a fragment of one, beside its bytes: many small packets are more work than their bytes.
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

    /// A session that another node has handed over, with what [`Connection::export`] returned there. `None` if it cannot be read.
    /// [`Connection::resume`] follows.
    fn adopt(&self, _session: &Arc<Session>, _exported: Bytes) -> Option<Arc<dyn Connection>> {
        None
    }
}

/// One session as the layer above sees it. None of these may block, nor wait for the session itself.
pub trait Connection: Any + Send + Sync {
    /// A message arrived. Messages of one session come one after another, in order.
    fn message(&self, session: &Arc<Session>, message: Message);

    /// A `ping` is about to be queued: what was sent before goes before it.
    fn pinging(&self, _session: &Arc<Session>) {}

    /// The client has answered the last `ping`, and so has had all that was sent before it.
    fn ping_answered(&self, _session: &Arc<Session>) {}

    /// The session has changed from long-polling to a WebSocket of this node.
    fn upgraded(&self, _session: &Arc<Session>) {}

    /// The session is gone. Called exactly once, and last, unless it is [`Connection::moved`].
    fn closed(&self, session: &Arc<Session>, reason: CloseReason);

    /// Another node takes the session over, and no message comes any more. Finishes the work for it and returns its state,
    /// written in `form`. After that nothing may be sent. `None` if the session cannot move; then it is closed. The future is
    /// dropped when it takes too long, and the session is closed; it is also dropped, and called again, when packets were sent.
    fn export<'a>(&'a self, _session: &'a Arc<Session>, _form: Form) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(std::future::ready(None))
    }

    /// A message that came while the session moves. Work under way may wait for it; otherwise it is kept for
    /// [`Connection::export`]. False: the session is exported already, and the new owner handles the message.
    fn message_while_moving(&self, _session: &Arc<Session>, _message: Message) -> bool {
        false
    }

    /// A call from the former owner of this session: [`Session::forward_call`]. `None`: it cannot be read, or has failed.
    fn forwarded_call<'a>(&'a self, _session: &'a Arc<Session>, _call: Bytes) -> BoxFuture<'a, Option<Bytes>> {
        Box::pin(std::future::ready(None))
    }

    /// The session has been handed over; called instead of [`Connection::closed`]. It is not known yet whether it has arrived.
    fn moved(self: Arc<Self>, _session: Arc<Session>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// The session of another node is open here, and the packets that waited for its client are being sent. The first message
    /// comes when this is done. False if the session cannot continue; then it is closed.
    fn resume<'a>(&'a self, _session: &'a Arc<Session>) -> BoxFuture<'a, bool> {
        Box::pin(std::future::ready(true))
    }
}

const SHARDS: usize = 64;

/// The memory of a session with its sockets, and of the few packets in its outbox.
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
    refuses_new: AtomicBool,
    /// The tasks that close the WebSockets of closed sessions.
    close_tasks: TaskTracker,
    remote: Option<Arc<dyn RemoteSessions>>,
    recently_moved: RecentlyMoved,
}

impl Engine {
    /// Starts the engine and its heartbeat. Must be called inside a Tokio runtime; the heartbeat ends with the last `Arc`.
    pub fn new(config: Config, handler: impl Handler) -> Arc<Self> {
        Self::with_remote_sessions(config, handler, None)
    }

    /// [`Engine::new`] for a node of a cluster: `remote` reaches the sessions of the other nodes.
    pub fn with_remote_sessions(config: Config, handler: impl Handler, remote: Option<Arc<dyn RemoteSessions>>) -> Arc<Self> {
        let engine = Arc::new(Self {
            wheel: Wheel::new(config.ping_interval, config.ping_timeout),
            admission: HandshakeLimits::new(&config),
            sessions: std::array::from_fn(|_| Mutex::default()),
            count: AtomicUsize::new(0),
            hasher: RandomState::new(),
            handler: Box::new(handler),
            refuses_new: AtomicBool::new(false),
            close_tasks: TaskTracker::new(),
            remote,
            recently_moved: RecentlyMoved::default(),
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

    /// Sessions that are closed, but whose WebSockets are still being closed. Each takes two seconds at most.
    pub fn closing_sessions(&self) -> usize {
        self.close_tasks.len()
    }

    /// From now on every handshake is refused with 503; sessions that are open go on.
    pub fn refuse_new_sessions(&self) {
        self.refuses_new.store(true, Ordering::Relaxed);
    }

    /// Every session that is open now, in no order.
    pub fn all(&self) -> Vec<Arc<Session>> {
        (0..SHARDS).filter_map(|part| self.part(part)).flatten().collect()
    }

    /// The sessions of one of the parts in which they are kept, counted from 0; `None`: there are no more parts. For a walk over all of
    /// them that makes pauses.
    pub fn part(&self, part: usize) -> Option<Vec<Arc<Session>>> {
        self.sessions.get(part).map(|shard| lock(shard).values().cloned().collect())
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
