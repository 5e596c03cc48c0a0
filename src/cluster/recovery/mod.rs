//! Recovery: connections outlive their transports and their nodes.
//!
//! Each socket has a record, `session:{<pid>}`, and an epoch that the node raises when it takes the connection over. Node name
//! and epoch identify the owner of a membership. A client that comes back sends its `pid`: the record is claimed, the old owner
//! is told if it lives, each room is joined again, and the events of the log after the client's position are queued after
//! CONNECT.
//!
//! ```text
//! CONNECT {pid, offset} ─► full auth ─► session_claim ─► old owner: freeze, answer, close ─► per room: hold, join, read the log
//!                                                                                                   └─► CONNECT, missed, held, live
//! ```
//!
//! This module does not know what rooms mean: a feature joins them ([`ScopeListener::rejoin`](super::ScopeListener)).

mod handoff;
mod keep;
mod new_incarnation;
mod owners;
mod replay;
mod resume;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::Scopes;
use crate::cluster::scripts::session::{Owner, SessionRecord, session_write};
use crate::core::ids;
use crate::core::sync::lock;
use crate::engineio::CloseReason;
use crate::redis::RedisError;
use crate::redis::keys;
use crate::socketio::{
    Admitted, BoxFuture, ConnectError, DisconnectReason, Names, PendingSocket, Replay, SessionSnapshot, SessionStore, Socket,
    SocketExport,
};

pub use keep::Owners;
use keep::REMEMBER;
pub use owners::{OtherNodes, wire};

/// A record lives so much longer than the window: a client may notice a lost connection only after a heartbeat.
const BEYOND_WINDOW: Duration = Duration::from_secs(90);
/// How long a join or leave waits until the record is written; then it is written in the background.
const KEEP_DEADLINE: Duration = Duration::from_secs(1);
/// How many random pids are tried to find one whose master answers.
const DRAWS: usize = 64;
/// Logs that are read at the same time for recovering clients.
const PARALLEL_READS: usize = 64;
/// Records are renewed one shard at a time.
const SHARDS: usize = 32;

/// What may be set.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How long a client may be away; zero: no recovery.
    pub window: Duration,
}

/// What has happened since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Clients that got their connection back.
    pub recovered: AtomicU64,
    /// Clients that asked for it and got a new one.
    pub refused: AtomicU64,
    /// Connections that another node or socket has taken over.
    pub taken_over: AtomicU64,
    /// Events that were queued again.
    pub replayed: AtomicU64,
    /// See [`Recovery::parking`].
    parking: AtomicUsize,
}

/// What this node knows of the connection of a pid.
struct Held {
    epoch: u64,
    /// `None` while the connection is being recovered, and after the socket is gone.
    socket: Option<Arc<Socket>>,
    /// After the socket is gone: how far it had come.
    parked: Option<Arc<SessionSnapshot>>,
    since: Instant,
}

impl Held {
    fn new(epoch: u64, socket: Option<Arc<Socket>>, parked: Option<Arc<SessionSnapshot>>) -> Self {
        Self { epoch, socket, parked, since: Instant::now() }
    }
}

/// Keeps the connections of this node.
pub struct Recovery {
    me: Weak<Self>,
    scopes: Arc<Scopes>,
    owners: Arc<dyn Owners>,
    config: Config,
    held: [Mutex<HashMap<Box<str>, Held>>; SHARDS],
    hasher: RandomState,
    /// Sockets whose records must be written soon.
    changed: Mutex<Vec<Weak<Socket>>>,
    reads: Semaphore,
    pub counters: Counters,
}

impl Recovery {
    /// Starts to renew records. Must be called inside a Tokio runtime. [`Recovery::session_store`] is for
    /// [`SocketIo::with_session_store`](crate::socketio::SocketIo::with_session_store).
    pub fn new(scopes: &Arc<Scopes>, config: Config, owners: Arc<dyn Owners>) -> Arc<Self> {
        let recovery = Arc::new_cyclic(|me: &Weak<Self>| Self {
            me: me.clone(),
            scopes: scopes.clone(),
            owners,
            config,
            held: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            changed: Mutex::default(),
            reads: Semaphore::new(PARALLEL_READS),
            counters: Counters::default(),
        });
        scopes.set_recovery(Arc::downgrade(&recovery));
        keep::spawn(Arc::downgrade(&recovery));
        recovery
    }

    pub fn session_store(self: &Arc<Self>) -> Arc<dyn SessionStore> {
        self.clone()
    }

    /// Connections that this node keeps, also gone ones whose record is not written yet.
    pub fn held(&self) -> usize {
        self.held.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Gone connections whose record is not written yet.
    pub fn parking(&self) -> usize {
        self.counters.parking.load(Relaxed)
    }

    /// Writes the record of a socket whose rooms have changed; in the background if Redis does not answer soon.
    pub async fn keep(&self, socket: &Arc<Socket>) {
        if socket.pid().is_empty() || !socket.is_connected() {
            return;
        }
        match tokio::time::timeout(KEEP_DEADLINE, self.write(socket, &self.session(socket), None)).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) => self.lose(socket),
            Ok(Err(_)) | Err(_) => self.keep_soon(socket),
        }
    }

    /// [`Recovery::keep`] in the background.
    pub fn keep_soon(&self, socket: &Arc<Socket>) {
        if !socket.pid().is_empty() && socket.is_connected() {
            lock(&self.changed).push(Arc::downgrade(socket));
        }
    }

    /// All connected sockets that this node keeps.
    pub fn sockets(&self) -> Vec<Arc<Socket>> {
        self.held
            .iter()
            .flat_map(|shard| lock(shard).values().filter_map(|held| held.socket.clone()).collect::<Vec<_>>())
            .collect()
    }

    /// Another node has taken a connection over, under a higher epoch: closes it here and returns how far it has come.
    pub fn give_up(&self, pid: &str, epoch: u64) -> Option<SessionSnapshot> {
        let (socket, parked) = {
            let mut shard = lock(self.shard(pid));
            if shard.get(pid)?.epoch >= epoch {
                return None;
            }
            let held = shard.remove(pid)?;
            (held.socket, held.parked)
        };
        match (socket, parked) {
            (Some(socket), _) => Some(self.stop(&socket)),
            (None, parked) => parked.map(Arc::unwrap_or_clone),
        }
    }

    /// Another owner has this connection: it ends here without an announcement to its rooms.
    fn lose(&self, socket: &Arc<Socket>) {
        tracing::debug!(sid = socket.id(), "taken over");
        self.stop(socket);
    }

    fn stop(&self, socket: &Arc<Socket>) -> SessionSnapshot {
        self.counters.taken_over.fetch_add(1, Relaxed);
        socket.freeze();
        let snapshot = socket.snapshot();
        for scope in socket.rooms() {
            self.scopes.take(&scope, socket);
        }
        // In a task: closing calls into upper layers, whose locks the caller may hold.
        let session = socket.session().clone();
        tokio::spawn(async move { session.close(CloseReason::TakenOver) });
        snapshot
    }

    fn ttl_ms(&self) -> u64 {
        u64::try_from((self.config.window + BEYOND_WINDOW).as_millis()).unwrap_or(u64::MAX)
    }

    fn shard(&self, pid: &str) -> &Mutex<HashMap<Box<str>, Held>> {
        &self.held[self.hasher.hash_one(pid) as usize % SHARDS]
    }

    /// The present record of a socket.
    fn session(&self, socket: &Socket) -> SessionRecord {
        let identity = socket.identity().unwrap_or_default();
        SessionRecord {
            sid: socket.id().into(),
            namespace: socket.namespace().name().into(),
            user: identity.user,
            role: identity.role,
            expires: identity.expires,
            told: socket.recovery_enabled(),
            parked: false,
            rooms: socket.confirmed(),
            sent: Default::default(),
        }
    }

    async fn write(&self, socket: &Socket, session: &SessionRecord, poison: Option<&str>) -> Result<bool, RedisError> {
        let node = self.scopes.node();
        let owner = Owner { node: &node, epoch: socket.epoch() };
        session_write(self.scopes.redis(), socket.pid(), owner, self.ttl_ms(), session, poison).await
    }

    /// A new connection, with a record.
    async fn fresh(&self, pending: &PendingSocket) -> Result<Admitted, ConnectError> {
        let mut names = Names { sid: ids::random(15), pid: String::new(), epoch: 1 };
        if pending.identity.is_some() {
            let mut draws = (0..DRAWS).map(|_| ids::random(15));
            let answers = |pid: &String| self.scopes.redis().is_up(&keys::session(pid));
            names.pid = draws.find(answers).ok_or(ConnectError::TryAgain)?;
        }
        let socket = pending.socket(names);
        if !socket.pid().is_empty() && !matches!(self.write(&socket, &self.session(&socket), None).await, Ok(true)) {
            return Err(ConnectError::TryAgain);
        }
        Ok(Admitted::new(socket))
    }
}

impl SessionStore for Recovery {
    fn admit(&self, mut pending: PendingSocket) -> BoxFuture<Result<Admitted, ConnectError>> {
        let me = self.me.upgrade();
        Box::pin(async move {
            let me = me.ok_or(ConnectError::TryAgain)?;
            pending.recovery_enabled &= !me.config.window.is_zero() && pending.identity.is_some();
            if let Some(previous) = pending.previous.take().filter(|_| pending.recovery_enabled) {
                if let Some(admitted) = me.resume(&pending, &previous).await? {
                    me.counters.recovered.fetch_add(1, Relaxed);
                    return Ok(admitted);
                }
                me.counters.refused.fetch_add(1, Relaxed);
            }
            me.fresh(&pending).await
        })
    }

    fn connected(&self, socket: &Arc<Socket>) {
        if socket.pid().is_empty() {
            return;
        }
        let mut shard = lock(self.shard(socket.pid()));
        if shard.get(socket.pid()).is_some_and(|held| held.epoch > socket.epoch()) {
            drop(shard);
            // The client has come back once more meanwhile.
            return self.lose(socket);
        }
        shard.insert(socket.pid().into(), Held::new(socket.epoch(), Some(socket.clone()), None));
    }

    fn pinging(&self, socket: &Arc<Socket>) {
        if socket.recovery_enabled() {
            let rooms = socket.rooms().into_iter();
            let places = rooms.filter_map(|scope| self.scopes.place_at(&scope, socket).map(|place| (scope, place)));
            socket.mark(places.collect::<Vec<_>>());
        }
    }

    fn gone(&self, socket: &Arc<Socket>, reason: DisconnectReason) {
        if !socket.pid().is_empty() {
            self.note_gone(socket, reason);
        }
    }

    fn freeze(&self, socket: &Arc<Socket>) -> Option<SocketExport> {
        self.stop_to_move(socket)
    }

    fn given_away(&self, socket: &Arc<Socket>, snapshot: SessionSnapshot) {
        self.watch_moved(socket, &snapshot);
    }

    fn arrive(&self, socket: Arc<Socket>, export: SocketExport) -> BoxFuture<Option<Replay>> {
        let me = self.me.upgrade();
        Box::pin(async move { me?.resume_moved(&socket, &export).await })
    }
}
