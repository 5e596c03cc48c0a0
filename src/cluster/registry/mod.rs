//! The registry of nodes. Each node holds a lease on every Redis master and renews it. Each node watches the others, and a
//! majority of masters decides that a node is dead.
//!
//! ```text
//! renew ─► leases ◄─ look ─► judge: no lease, no answer at the peer port ─► certificate on a majority ─► reap
//!   └► fence                                                                      └► told at its next renewal ─► new incarnation
//! ```
//!
//! A node is *dead* if a majority of masters has a death certificate for it. An unreachable node is not dead. While Redis is away
//! leases expire, but no node is declared dead for that.

mod fence;
mod judge;
mod places;
mod renew;
mod start;

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::NodeIdentity;
use crate::core::clock;
use crate::core::sync::lock;
use crate::core::wire::Form;
use crate::peer::{Peer, Peers};
use crate::redis::Redis;

pub use fence::Fence;
use judge::Reach;
use places::Places;
pub use start::StartError;

/// The path at which a node answers with its name.
pub const WHO: &str = "/who";
/// How long a request for an unknown tag waits for a read of the registry …
const LOOK_PATIENCE: Duration = Duration::from_secs(1);
/// … and reads are at least so far apart, however many requests wait.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// What has happened since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Nodes that this node has declared dead.
    pub deaths: AtomicU64,
    /// Scopes that this node has cleaned up.
    pub reaped: AtomicU64,
    /// How often this node was declared dead although it lives.
    pub new_incarnations: AtomicU64,
}

/// One in a process.
pub struct Registry {
    redis: Redis,
    identity: Arc<NodeIdentity>,
    peers: Arc<Peers>,
    own: Own,
    /// The lease is given up.
    left: AtomicBool,
    fence: Fence,
    places: Places,
    state: Mutex<State>,
    looks: Looks,
    renew_now: Notify,
    admission: watch::Sender<start::Admission>,
    pub counters: Counters,
}

/// How long a lease holds, and what follows from it.
#[derive(Clone, Copy, Debug)]
struct Term(Duration);

impl Term {
    /// A node acts for so long after a renewal: less than the lease, by as much as clocks and answers may be late.
    fn acts_for(self) -> Duration {
        self.0 * 4 / 5
    }

    /// How often the lease is renewed.
    fn renew_every(self) -> Duration {
        self.0 * 3 / 10
    }

    /// How often a node looks at the leases of the others.
    fn look_every(self) -> Duration {
        (self.0 / 20).min(Duration::from_millis(500))
    }

    /// Between two answers of a master that are further apart than this, it may have been away.
    fn unbroken(self) -> Duration {
        self.0 / 4
    }
}

/// What this node publishes of itself.
struct Own {
    has_secret: bool,
    /// How long it counts as alive.
    term: Term,
    started_ms: u64,
    draining: AtomicBool,
}

/// Reads of the registry.
#[derive(Default)]
struct Looks {
    count: watch::Sender<u64>,
    now: Notify,
}

/// What the registry needs from the rest of this node: what it tells the others, and what to do when a node is dead, be it this
/// one.
pub(super) trait LocalNode: Send + Sync + 'static {
    /// Where others reach this node; `None` without a peer port.
    fn address(&self) -> Option<SocketAddr>;

    /// How many clients are connected. It is published, and need not be exact.
    fn connections(&self) -> usize;

    /// Another node is dead. Every node learns this.
    fn node_died(&self);

    /// Ends the memberships that a dead node has left in its scopes, as of its last lease, and counts the scopes. False: not all
    /// could be ended.
    fn reap<'a>(&'a self, node: &'a str, lost_at: u64, count: &'a AtomicU64) -> BoxFuture<'a, bool>;

    /// This node was declared dead and has taken a new name: claims its sockets under the new name, while the gate is shut.
    fn new_incarnation(&self) -> BoxFuture<'_, ()>;

    /// The last step of that, also when claiming has failed: subscribes all scopes again under the new name.
    fn resubscribe(&self);
}

#[derive(Default)]
struct State {
    nodes: HashMap<Arc<str>, Known>,
    /// The present node of each tag.
    by_tag: HashMap<Arc<str>, Arc<str>>,
    /// With the time at which a certificate was last seen.
    dead: HashMap<Arc<str>, Instant>,
    reach: HashMap<Arc<str>, Reach>,
    reaping: HashSet<Arc<str>>,
    /// Dead nodes that the features know to be dead.
    announced_dead: HashSet<Arc<str>>,
    looked: Option<Instant>,
}

/// A node that a master knows.
#[derive(Clone)]
struct Known {
    tag: Arc<str>,
    address: Option<SocketAddr>,
    /// The newest form of bodies that it reads.
    form: Form,
    /// Redis' clock (ms since 1970).
    renewed_at: u64,
    seen: Instant,
}

impl Known {
    fn peer(&self, node: &Arc<str>) -> Option<Peer> {
        Some(Peer { node: node.clone(), tag: self.tag.clone(), address: self.address?, form: self.form })
    }
}

impl Registry {
    /// Nothing happens before [`Registry::run`].
    pub fn new(redis: Redis, identity: Arc<NodeIdentity>, peers: Arc<Peers>, has_secret: bool, lease: Duration) -> Arc<Self> {
        let started_ms = clock::now_ms();
        Arc::new(Self {
            redis,
            identity,
            peers,
            own: Own { has_secret, term: Term(lease), started_ms, draining: AtomicBool::new(false) },
            left: AtomicBool::new(false),
            fence: Fence::new(Term(lease).acts_for()),
            places: Places::default(),
            state: Mutex::default(),
            looks: Looks::default(),
            renew_now: Notify::new(),
            admission: watch::Sender::new(start::Admission::Trying { redis_away: true }),
            counters: Counters::default(),
        })
    }

    /// False for a node that was declared dead. An unknown node may just have started and counts as alive.
    pub fn is_live(&self, node: &str) -> bool {
        !lock(&self.state).dead.contains_key(node)
    }

    /// The address of a node that is not dead; also of this one.
    pub fn peer_of_node(&self, node: &str) -> Option<Peer> {
        let state = lock(&self.state);
        let (node, known) = state.nodes.get_key_value(node)?;
        known.peer(node).filter(|_| !state.dead.contains_key(node))
    }

    /// The address of the process with this tag. For an unknown tag the registry is read once more; all requests that come
    /// meanwhile share that read.
    pub async fn peer_of_tag(&self, tag: &str) -> Option<Peer> {
        if let Some(peer) = self.known_tag(tag) {
            return Some(peer);
        }
        self.ask_for_a_look().await;
        self.known_tag(tag)
    }

    /// [`Registry::peer_of_node`]; for an unknown node after one more read, since it may just have started.
    pub async fn find_node(&self, node: &str) -> Option<Peer> {
        if !lock(&self.state).nodes.contains_key(node) {
            self.ask_for_a_look().await;
        }
        self.peer_of_node(node)
    }

    /// Waits for a read that begins after this moment: an earlier one may have missed a node that has just started and whose
    /// first client is already here.
    async fn ask_for_a_look(&self) {
        let (asked, mut looks) = (Instant::now(), self.looks.count.subscribe());
        let look = async {
            loop {
                looks.mark_unchanged();
                if lock(&self.state).looked.is_some_and(|began| began >= asked) {
                    return;
                }
                self.looks.now.notify_one();
                if looks.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(LOOK_PATIENCE, look).await;
    }

    fn known_tag(&self, tag: &str) -> Option<Peer> {
        let state = lock(&self.state);
        let node = state.by_tag.get(tag).filter(|node| !state.dead.contains_key(*node))?;
        state.nodes.get(node)?.peer(node)
    }

    /// All other nodes that are not dead and have a peer port.
    pub fn others(&self) -> Vec<Peer> {
        let (state, own) = (lock(&self.state), self.identity.tag());
        let others = state.nodes.iter().filter(|(node, known)| known.tag != *own && !state.dead.contains_key(*node));
        others.filter_map(|(node, known)| known.peer(node)).collect()
    }

    /// [`Registry::others`] after one more read, so that a node that has just started is among them.
    pub async fn others_now(&self) -> Vec<Peer> {
        self.ask_for_a_look().await;
        self.others()
    }

    /// How many nodes are known, and how many of them are alive; this one included.
    pub fn count(&self) -> (usize, usize) {
        let state = lock(&self.state);
        let live = state.nodes.keys().filter(|node| !state.dead.contains_key(*node)).count();
        (state.nodes.len(), live)
    }

    /// How the other nodes are called.
    pub fn peers(&self) -> &Arc<Peers> {
        &self.peers
    }

    /// Whether this node may act.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    /// Tells the other nodes that this one is draining.
    pub fn set_draining(&self) {
        self.own.draining.store(true, Relaxed);
        self.renew_now.notify_one();
    }

    fn has_left(&self) -> bool {
        self.left.load(Relaxed)
    }
}
