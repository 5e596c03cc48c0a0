//! Which nodes there are. Each holds a lease on every master and renews it; each looks what the others do, and a majority of
//! masters decides who is dead.
//!
//! ```text
//! renew ─► leases ◄─ look ─► judge: no lease, no answer at the peer port ─► certificate on a majority ─► reap
//!   └► fence                                                                      └► told at its next renewal ─► new incarnation
//! ```
//!
//! *Dead* is who has a death certificate on a majority of masters. Unreachable is not dead, and Redis having been away kills
//! nobody: leases run out then, but nobody may certify it.

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

/// The path at which a node says its name.
pub const WHO: &str = "/who";
/// How long who asks for an unknown tag may wait for a look at the registry …
const LOOK_PATIENCE: Duration = Duration::from_secs(1);
/// … and looks are at least so far apart, however many ask.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// What has happened since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Nodes that this one has declared dead.
    pub deaths: AtomicU64,
    /// Scopes that this one has reaped.
    pub reaped: AtomicU64,
    /// Times that this node was declared dead, and lived on.
    pub new_incarnations: AtomicU64,
}

/// One in a process.
pub struct Registry {
    redis: Redis,
    identity: Arc<NodeIdentity>,
    peers: Arc<Peers>,
    own: Own,
    /// It has given up its lease.
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

/// Looks at the registry.
#[derive(Default)]
struct Looks {
    count: watch::Sender<u64>,
    now: Notify,
}

/// What the registry needs from the rest of this node: what it tells the others, and what to do when a node is dead, be it this one.
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
    /// By tag the node that has it now.
    by_tag: HashMap<Arc<str>, Arc<str>>,
    /// With the moment at which a certificate was last seen.
    dead: HashMap<Arc<str>, Instant>,
    reach: HashMap<Arc<str>, Reach>,
    reaping: HashSet<Arc<str>>,
    /// Dead nodes that the features know to be dead.
    announced_dead: HashSet<Arc<str>>,
    looked: Option<Instant>,
}

/// A node of which some master knows.
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

    /// False for a node that was declared dead. One that nobody knows may just have started, and counts as alive.
    pub fn is_live(&self, node: &str) -> bool {
        !lock(&self.state).dead.contains_key(node)
    }

    /// Where a node is reached that is not dead; this one included.
    pub fn peer_of_node(&self, node: &str) -> Option<Peer> {
        let state = lock(&self.state);
        let (node, known) = state.nodes.get_key_value(node)?;
        known.peer(node).filter(|_| !state.dead.contains_key(node))
    }

    /// Where the process with this tag is reached. For a tag that is not known the registry is looked at once more; all who
    /// ask meanwhile share that look.
    pub async fn peer_of_tag(&self, tag: &str) -> Option<Peer> {
        if let Some(peer) = self.known_tag(tag) {
            return Some(peer);
        }
        self.ask_for_a_look().await;
        self.known_tag(tag)
    }

    /// [`Registry::peer_of_node`], after another look for a node that is not known: it may just have started.
    pub async fn find_node(&self, node: &str) -> Option<Peer> {
        if !lock(&self.state).nodes.contains_key(node) {
            self.ask_for_a_look().await;
        }
        self.peer_of_node(node)
    }

    /// Waits for a look that begins after this moment: an earlier one may have missed a node that has just come, and whose first
    /// client is already here.
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

    /// All that are not dead and have a peer port, but for this one.
    pub fn others(&self) -> Vec<Peer> {
        let (state, own) = (lock(&self.state), self.identity.tag());
        let others = state.nodes.iter().filter(|(node, known)| known.tag != *own && !state.dead.contains_key(*node));
        others.filter_map(|(node, known)| known.peer(node)).collect()
    }

    /// How many nodes there are, and how many of them are alive; this one included.
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

    /// Tells the others that this node is about to go.
    pub fn set_draining(&self) {
        self.own.draining.store(true, Relaxed);
        self.renew_now.notify_one();
    }

    fn has_left(&self) -> bool {
        self.left.load(Relaxed)
    }
}
