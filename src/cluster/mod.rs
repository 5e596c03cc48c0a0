//! Scopes on this node: their members, the messages for them, and reading the log after a gap.
//!
//! ```text
//! Subscriber ─► Sink::message ─► worker of the scope ─► LocalScope: order, audience ─► outboxes ─► one flush per session
//!                    gap ─► fill: lua/scope_attach from the cursor ─► the same members, in the same order
//! ```
//!
//! Logged events reach sockets only through the channel or the log, never directly from the publisher: otherwise two nodes would
//! see two orders. Only the features know what the events mean.

mod attach;
mod delivery;
mod fanout;
pub mod identity;
pub mod message;
pub mod node;
mod nudge;
mod outcome;
mod reap;
pub mod recovery;
pub mod registry;
pub mod relay;
pub mod scope;
pub mod scripts;
mod sequence;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::cluster::scripts::scope::LostTimer;
use crate::core::sync::lock;
use crate::core::{Kind, Position, ScopeId};
use crate::redis::{Redis, RedisError, keys};
use crate::socketio::{BoxFuture, Socket};

pub use attach::PendingJoin;
use fanout::Worker;
pub use identity::NodeIdentity;
pub use message::{Audience, Except, Message};
use nudge::Nudger;
pub use outcome::Outcome;
pub use recovery::Recovery;
use registry::Registry;
use scope::LocalScope;

const SHARDS: usize = 64;
/// How long timers wait for the gate while this node may not act; then they try again later.
const GATE_PATIENCE: Duration = Duration::from_secs(5);

/// A socket of this node in a scope.
#[derive(Clone)]
pub struct LocalMember {
    pub socket: Arc<Socket>,
    pub user: Arc<str>,
    pub role: Arc<str>,
}

/// What a feature does for its scopes. None of these may block: they are called between two messages.
pub trait ScopeListener: Send + Sync + 'static {
    /// A control message, in the order of the log: the events before it have been queued to the members.
    fn control(&self, scope: &ScopeId, args: &Bytes);

    /// A logged event, in the order of the log: it has been queued to those members that get it, if there are any.
    fn event(&self, scope: &ScopeId, args: &Bytes) {
        let _ = (scope, args);
    }

    /// The log was read because something may have been missed: volatile values may be outdated at these members. With
    /// `reset` the log does not reach back to what they have seen, as after a Redis that came back empty.
    fn refilled(&self, scope: &ScopeId, members: Vec<LocalMember>, reset: bool);

    /// Makes a socket that its client has got back a member again, unannounced, under the socket's epoch.
    fn rejoin(&self, scope: ScopeId, socket: Arc<Socket>) -> BoxFuture<Result<Rejoined, NotRejoined>>;

    /// A dead node was a listener of this scope, which may have no member here. Its members count as lost, and its work for the
    /// scope is free for other nodes. Several nodes may be told. `due_in`: when the timer of [`lost_timer`](Self::lost_timer) is
    /// due. The scope stays noted for the dead node until the future is done.
    fn reaped(&self, scope: &ScopeId, due_in: Option<Duration>) -> BoxFuture<()>;

    /// The timer that is set when a connection in this scope is lost, so that presence is announced. Where there is one, changes of
    /// presence are noted in the scope until they are announced.
    fn lost_timer(&self, scope: &ScopeId) -> Option<LostTimer>;

    /// A node is dead; every other node learns this. Its work in scopes without a member of that node is free for other nodes.
    fn node_died(&self);
}

/// The join of a resumed socket, still holding.
pub struct Rejoined {
    pub hold: PendingJoin,
    pub position: Position,
}

/// Why a socket could not rejoin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRejoined {
    /// It may not be a member any more.
    Refused,
    /// Redis does not answer.
    Unavailable,
}

/// What has happened since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages queued to sockets.
    pub deliveries: AtomicU64,
    /// Messages taken from channels.
    pub received: AtomicU64,
    /// Logs read because of a gap.
    pub fills: AtomicU64,
    /// Forks after a failover.
    pub forks: AtomicU64,
    /// Publishes that fewer nodes received than are registered.
    pub deaf: AtomicU64,
    /// Scopes whose listeners were nudged because of that.
    pub nudges: AtomicU64,
    /// Messages that a worker had no room for; they are read from the log.
    pub overrun: AtomicU64,
}

/// All scopes of this node.
pub struct Scopes {
    redis: Redis,
    identity: Arc<NodeIdentity>,
    operations: AtomicU64,
    scopes: [Mutex<HashMap<ScopeId, Arc<LocalScope>>>; SHARDS],
    hasher: RandomState,
    listeners: ArcSwap<HashMap<Kind, Arc<dyn ScopeListener>>>,
    workers: OnceLock<Vec<Worker>>,
    fills: Semaphore,
    recovery: OnceLock<Weak<Recovery>>,
    /// `None`: this node is not part of a cluster.
    registry: Option<Arc<Registry>>,
    nudger: Option<Nudger>,
    pub counters: Counters,
}

impl Scopes {
    /// For a node that is not part of a cluster. Must be called inside a Tokio runtime.
    pub fn new(redis: Redis, identity: Arc<NodeIdentity>) -> Arc<Self> {
        Self::build(redis, identity, None, None)
    }

    /// `registry` knows which nodes live, and `nudger` repairs lost subscriptions. Must be called inside a Tokio runtime.
    fn in_cluster(redis: Redis, identity: Arc<NodeIdentity>, registry: Arc<Registry>, nudger: Nudger) -> Arc<Self> {
        Self::build(redis, identity, Some(registry), Some(nudger))
    }

    fn build(redis: Redis, identity: Arc<NodeIdentity>, registry: Option<Arc<Registry>>, nudger: Option<Nudger>) -> Arc<Self> {
        let scopes = Arc::new(Self {
            identity,
            redis,
            operations: AtomicU64::new(0),
            scopes: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            listeners: ArcSwap::default(),
            workers: OnceLock::new(),
            fills: Semaphore::new(attach::PARALLEL_FILLS),
            recovery: OnceLock::new(),
            registry,
            nudger,
            counters: Counters::default(),
        });
        fanout::spawn(&scopes);
        scopes
    }

    /// Label and incarnation of this node, without spaces. It may change: see [`NodeIdentity`].
    pub fn node(&self) -> Arc<str> {
        self.identity.node()
    }

    pub fn identity(&self) -> &Arc<NodeIdentity> {
        &self.identity
    }

    /// An operation id that no other write in the cluster has.
    pub fn next_op(&self) -> String {
        format!("{}.{}", self.node(), self.operations.fetch_add(1, Ordering::Relaxed))
    }

    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    fn channel(&self, scope: &ScopeId) -> String {
        keys::scope_channel(scope, self.redis.database())
    }

    /// The registry of nodes; `None` if this one is not part of a cluster.
    pub fn registry(&self) -> Option<&Arc<Registry>> {
        self.registry.as_ref()
    }

    /// Whether a node (with its incarnation) lives, as far as is known.
    pub fn is_live(&self, node: &str) -> bool {
        self.registry.as_ref().is_none_or(|registry| registry.is_live(node))
    }

    /// Waits until this node may act; false if it may not for a while. For background work: timers and sweeps.
    pub async fn may_act(&self) -> bool {
        match &self.registry {
            Some(registry) => registry.fence().gate().pass(GATE_PATIENCE).await,
            None => true,
        }
    }

    /// This node has a new name: every scope is attached under it.
    fn attach_all_again(self: &Arc<Self>) {
        let all: Vec<_> = self.scopes.iter().flat_map(|shard| lock(shard).values().cloned().collect::<Vec<_>>()).collect();
        for local in all.into_iter().filter(|local| local.is_attached()) {
            attach::attach_again(self, local);
        }
    }

    /// Registers the listener of the feature that has scopes of this kind. Scopes of other kinds are refused. Only the first
    /// call for a kind has an effect.
    pub fn register(&self, kind: Kind, listener: Arc<dyn ScopeListener>) {
        self.listeners.rcu(|known| {
            let mut all = HashMap::clone(known);
            all.entry(kind).or_insert_with(|| listener.clone());
            all
        });
    }

    fn listener(&self, kind: Kind) -> Option<Arc<dyn ScopeListener>> {
        self.listeners.load().get(&kind).cloned()
    }

    /// Whether a feature of this node has scopes of this kind.
    fn is_known(&self, kind: Kind) -> bool {
        self.listeners.load().contains_key(&kind)
    }

    /// Another node is dead.
    fn node_died(&self) {
        self.listeners.load().values().for_each(|listener| listener.node_died());
    }

    fn set_recovery(&self, recovery: Weak<Recovery>) {
        let _ = self.recovery.set(recovery);
    }

    /// The socket's rooms or its identity have changed: writes its record. If Redis does not answer within a second, it is
    /// written later.
    pub async fn keep(&self, socket: &Arc<Socket>) {
        if let Some(recovery) = self.recovery.get().and_then(Weak::upgrade) {
            recovery.keep(socket).await;
        }
    }

    /// Registers a socket as *holding* and subscribes this node to the scope: messages from now on wait until
    /// [`PendingJoin::release`] gets the position of the join. Dropping a PendingJoin cancels the join.
    pub async fn hold(
        self: &Arc<Self>,
        scope: &ScopeId,
        socket: &Arc<Socket>,
        user: &str,
        role: &str,
    ) -> Result<PendingJoin, RedisError> {
        attach::hold(self, scope, LocalMember { socket: socket.clone(), user: user.into(), role: role.into() }).await
    }

    /// Whether this socket is a member, its join complete.
    pub fn is_member(&self, scope: &ScopeId, sid: &str) -> bool {
        self.find(scope).is_some_and(|local| local.is_member(sid))
    }

    /// The members on this node.
    pub fn members(&self, scope: &ScopeId) -> Vec<LocalMember> {
        self.find(scope).map(|local| local.members()).unwrap_or_default()
    }

    /// Sets the role that counts for audiences.
    pub fn set_role(&self, scope: &ScopeId, sid: &str, role: &str) {
        if let Some(local) = self.find(scope) {
            local.set_role(sid, role);
        }
    }

    /// Ends a local membership. With the last one the scope is unsubscribed in the background. No script is run.
    pub fn leave(self: &Arc<Self>, scope: &ScopeId, socket: &Arc<Socket>) {
        let Some(local) = self.find(scope) else { return };
        let Some((_, is_empty)) = local.take(socket) else { return };
        if is_empty {
            attach::detach_soon(self, local);
        }
        if let Some(recovery) = self.recovery.get().and_then(Weak::upgrade) {
            recovery.keep_soon(socket);
        }
    }

    /// [`Scopes::leave`] for a socket that another one continues. Returns the position up to which exactly everything was queued.
    pub fn take(self: &Arc<Self>, scope: &ScopeId, socket: &Socket) -> Option<Position> {
        let local = self.find(scope)?;
        let (place, is_empty) = local.take(socket)?;
        if is_empty {
            attach::detach_soon(self, local);
        }
        Some(place)
    }

    /// Up to where everything has been queued to the members here; `None` without any.
    pub fn place(&self, scope: &ScopeId) -> Option<Position> {
        self.find(scope)?.place()
    }

    /// Up to where everything has been queued to this member.
    pub fn place_at(&self, scope: &ScopeId, socket: &Socket) -> Option<Position> {
        self.find(scope)?.place_at(socket)
    }

    /// Ends all local memberships of a scope.
    pub fn empty(self: &Arc<Self>, scope: &ScopeId) {
        for member in self.members(scope) {
            self.leave(scope, &member.socket);
        }
    }

    /// Compares how many nodes received a write with how many are registered. If one did not, all are nudged.
    pub fn written(self: &Arc<Self>, scope: &ScopeId, heard: Option<u32>, listeners: u32) {
        if heard.is_some_and(|heard| heard < listeners) {
            self.counters.deaf.fetch_add(1, Ordering::Relaxed);
            if let Some(nudger) = &self.nudger {
                nudger.nudge(self, scope);
            }
        }
    }

    /// Scopes that have a member here.
    pub fn count(&self) -> usize {
        self.scopes.iter().map(|shard| lock(shard).len()).sum()
    }

    fn find(&self, scope: &ScopeId) -> Option<Arc<LocalScope>> {
        lock(self.shard(scope)).get(scope).cloned()
    }

    fn find_or_make(&self, scope: &ScopeId) -> Arc<LocalScope> {
        lock(self.shard(scope)).entry(scope.clone()).or_insert_with(|| LocalScope::new(scope.clone())).clone()
    }

    fn hash(&self, scope: &ScopeId) -> usize {
        self.hasher.hash_one(scope) as usize
    }

    fn shard(&self, scope: &ScopeId) -> &Mutex<HashMap<ScopeId, Arc<LocalScope>>> {
        &self.scopes[self.hash(scope) % SHARDS]
    }
}
