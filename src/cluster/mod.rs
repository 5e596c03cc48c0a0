//! Scopes on this node: who is a member here, what arrives for them, and the way back after a gap.
//!
//! ```text
//! Subscriber ─► Sink::message ─► worker of the scope ─► LocalScope: order, audience ─► outboxes ─► one flush a session
//!                    gap ─► fill: lua/scope_attach from the cursor ─► the same members, in the same order
//! ```
//!
//! Logged events reach sockets only from the channel or the log, never from the publisher's own reply: otherwise two nodes
//! would see two orders. What the events mean is the business of the features.

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
/// How long timers wait while this node may not act, before they try again later.
const GATE_PATIENCE: Duration = Duration::from_secs(5);

/// A socket of this node in a scope.
#[derive(Clone)]
pub struct LocalMember {
    pub socket: Arc<Socket>,
    pub user: Arc<str>,
    pub role: Arc<str>,
}

/// What a feature wants to know of its scopes. Neither may block: both are called between two messages.
pub trait ScopeListener: Send + Sync + 'static {
    /// A control message, in the order of the log: the events before it have been queued to the members.
    fn control(&self, scope: &ScopeId, args: &Bytes);

    /// The log was read because something may have been missed: volatile values may be outdated at these members. With
    /// `reset` the log does not reach back to what they have seen, as after a Redis that came back empty.
    fn refilled(&self, scope: &ScopeId, members: Vec<LocalMember>, reset: bool);

    /// Makes a socket that its client has got back a member again, unannounced, under the socket's epoch.
    fn rejoin(&self, scope: ScopeId, socket: Arc<Socket>) -> BoxFuture<Result<Rejoined, NotRejoined>>;

    /// A dead node was a listener of this scope, which may have no member here: its members count as lost, and what it had
    /// taken upon itself is left to others. Several nodes may be told so. `due_in`: then the timer is due that
    /// [`lost_timer`](Self::lost_timer) names; the scope is noted as the dead node's until the future is done.
    fn reaped(&self, scope: &ScopeId, due_in: Option<Duration>) -> BoxFuture<()>;

    /// The timer that is set when a connection in this scope is lost, so that presence is announced. Where there is one, changes of
    /// presence are noted in the scope until they are announced.
    fn lost_timer(&self, scope: &ScopeId) -> Option<LostTimer>;

    /// A node is dead, as every other node learns: what it had taken upon itself in scopes where it had no member (any more) is
    /// left to others.
    fn node_died(&self);
}

/// A join of a socket that goes on, still holding.
pub struct Rejoined {
    pub hold: PendingJoin,
    pub position: Position,
}

/// Why a socket is no member again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotRejoined {
    /// It has no place there any more.
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
    /// Publishes that fewer nodes heard than listen.
    pub deaf: AtomicU64,
    /// Scopes whose listeners were nudged because of that.
    pub nudges: AtomicU64,
    /// Messages that a worker had no room for; the log has them.
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
    /// Of a node that is not part of a cluster. Must be called inside a Tokio runtime.
    pub fn new(redis: Redis, identity: Arc<NodeIdentity>) -> Arc<Self> {
        Self::build(redis, identity, None, None)
    }

    /// `registry` says which nodes live, and `nudger` wakes those that have gone deaf. Must be called inside a Tokio runtime.
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

    /// Node id and incarnation, without spaces. It may change: see [`NodeIdentity`].
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

    /// Which nodes there are; `None` if this one is not part of a cluster.
    pub fn registry(&self) -> Option<&Arc<Registry>> {
        self.registry.as_ref()
    }

    /// Whether a node (with its incarnation) lives, as far as is known.
    pub fn is_live(&self, node: &str) -> bool {
        self.registry.as_ref().is_none_or(|registry| registry.is_live(node))
    }

    /// Waits until this node may act; false if it may not for a while. For what nobody waits for: timers and sweeps.
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

    /// A feature has scopes of this kind: its listener is told of control messages and gaps in them, and lets sockets in again.
    /// What names a kind that is not registered is refused. The first call for a kind counts.
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

    /// A node is dead.
    fn node_died(&self) {
        self.listeners.load().values().for_each(|listener| listener.node_died());
    }

    fn set_recovery(&self, recovery: Weak<Recovery>) {
        let _ = self.recovery.set(recovery);
    }

    /// The socket's rooms have changed, or whose it is: its record is written before this returns, or, if Redis does not answer
    /// within a second, soon.
    pub async fn keep(&self, socket: &Arc<Socket>) {
        if let Some(recovery) = self.recovery.get().and_then(Weak::upgrade) {
            recovery.keep(socket).await;
        }
    }

    /// Registers a socket as *holding* and makes sure that this node hears the scope: what is published from now on waits
    /// until [`PendingJoin::release`] is told the position of the join. A PendingJoin that is dropped cancels the join.
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

    /// The role that counts for audiences.
    pub fn set_role(&self, scope: &ScopeId, sid: &str, role: &str) {
        if let Some(local) = self.find(scope) {
            local.set_role(sid, role);
        }
    }

    /// Ends a local membership. With the last one the subscription goes, in the background. No script is run.
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

    /// [`Scopes::leave`] of a socket that goes on elsewhere: says up to where everything was queued to it, and nothing beyond.
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

    /// Notes how many nodes heard a write, of those that listen. If somebody did not, all are woken.
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
