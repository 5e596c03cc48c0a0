//! The slot table: which master owns which slot. Read each second, when a connection breaks, and corrected at once by MOVED.
//!
//! A single Redis is a table with one row, known from the URL; with Sentinel the row is what the sentinels say. It knows
//! nothing of commands and subscriptions: they follow it as [`Follower`]s.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::config::{Kind, RedisConfig, Target};
use super::dial::{Dial, Node};
use super::keys::SLOTS;
use super::survey::{Survey, View};

/// A MOVED outweighs what other nodes say for this long; gossip takes about a second to reach them.
const MOVED_HOLDS: Duration = Duration::from_secs(2);
/// Requests to read the table again are granted at most this often.
const REFRESH_PAUSE: Duration = Duration::from_millis(50);

/// One master and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Master {
    pub node: Node,
    /// Replicas in working order.
    pub replicas: usize,
}

/// Who owns what, at one moment.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub masters: Vec<Master>,
    /// Per slot an index into `masters`, or [`Table::NOBODY`].
    owners: Box<[u16]>,
}

impl Table {
    const NOBODY: u16 = u16::MAX;

    pub fn empty() -> Self {
        Self { masters: Vec::new(), owners: vec![Self::NOBODY; usize::from(SLOTS)].into() }
    }

    /// All slots at one master.
    pub fn single(node: Node, replicas: usize) -> Self {
        Self { masters: vec![Master { node, replicas }], owners: vec![0; usize::from(SLOTS)].into() }
    }

    pub fn owner(&self, slot: u16) -> Option<&Node> {
        self.masters.get(usize::from(self.owners[usize::from(slot)])).map(|master| &master.node)
    }

    /// Slot by slot the index of its owner in `masters`.
    pub fn owners(&self) -> impl Iterator<Item = Option<usize>> {
        self.owners.iter().map(|&owner| (owner != Self::NOBODY).then_some(usize::from(owner)))
    }

    pub fn assign(&mut self, first: u16, last: u16, node: &Node) {
        let index = match self.masters.iter().position(|master| master.node == *node) {
            Some(index) => index,
            None => {
                self.masters.push(Master { node: node.clone(), replicas: 0 });
                self.masters.len() - 1
            }
        };
        for slot in first..=last.min(SLOTS - 1) {
            self.owners[usize::from(slot)] = index as u16;
        }
    }

    /// The lowest slot of each master that owns any.
    pub fn first_slots(&self) -> Vec<(Master, u16)> {
        let mut first: Vec<Option<u16>> = vec![None; self.masters.len()];
        for (slot, &owner) in self.owners.iter().enumerate() {
            if let Some(entry) = first.get_mut(usize::from(owner)) {
                entry.get_or_insert(slot as u16);
            }
        }
        self.masters.iter().zip(first).filter_map(|(master, slot)| Some((master.clone(), slot?))).collect()
    }

    /// Whether every slot has an owner.
    pub fn complete(&self) -> bool {
        self.owners().all(|owner| owner.is_some())
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.masters).finish()
    }
}

/// Who acts on a new table. Called in the order of the changes, under the topology's lock: return soon, and do not call it back.
pub(super) trait Follower: Send + Sync {
    fn follow(&self, table: &Arc<Table>);
}

/// Keeps the table.
pub(super) struct Topology {
    state: Mutex<State>,
    followers: OnceLock<Vec<Weak<dyn Follower>>>,
    wanted: Notify,
    version: watch::Sender<u64>,
    refresh: Duration,
}

struct State {
    table: Arc<Table>,
    moved: HashMap<u16, (Node, Instant)>,
}

impl Topology {
    pub fn new(config: &RedisConfig, target: &Target) -> Self {
        let table = match (&target.kind, target.seeds.first()) {
            (Kind::Single, Some(node)) => Table::single(node.clone(), 0),
            _ => Table::empty(),
        };
        Self {
            state: Mutex::new(State { table: Arc::new(table), moved: HashMap::new() }),
            followers: OnceLock::new(),
            wanted: Notify::new(),
            version: watch::Sender::new(0),
            refresh: config.refresh,
        }
    }

    /// Sets the followers and tells them the table as it is. Once, at the start.
    pub fn start(&self, followers: Vec<Weak<dyn Follower>>) {
        let _ = self.followers.set(followers);
        let state = self.lock();
        self.tell(&state.table);
    }

    pub fn table(&self) -> Arc<Table> {
        self.lock().table.clone()
    }

    /// Something does not fit: read the table soon.
    pub fn doubt(&self) {
        self.wanted.notify_one();
    }

    /// A node said MOVED: believed at once, and looked into.
    pub fn moved(&self, slot: u16, node: &Node) {
        let mut state = self.lock();
        state.moved.insert(slot, (node.clone(), Instant::now()));
        if state.table.owner(slot) != Some(node) {
            let mut table = Table::clone(&state.table);
            table.assign(slot, slot, node);
            self.put(&mut state, table);
        }
        drop(state);
        self.doubt();
    }

    /// A connection came or went.
    pub fn bump(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    pub fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Reads the table again and again until cancelled.
    pub async fn run(self: Arc<Self>, target: Target, dial: Dial, cancel: CancellationToken) {
        let mut survey = Survey::new(target, dial);
        loop {
            let known = self.table();
            tokio::select! {
                view = survey.look(&known) => match view {
                    Some(view) => self.take(view),
                    None => tracing::debug!("nobody tells where the masters are"),
                },
                () = cancel.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(self.refresh) => {}
                () = async { tokio::time::sleep(REFRESH_PAUSE).await; self.wanted.notified().await } => {}
                () = cancel.cancelled() => return,
            }
        }
    }

    fn take(&self, view: View) {
        let mut state = self.lock();
        let mut table = view.table;
        state.moved.retain(|_, (_, since)| since.elapsed() < MOVED_HOLDS);
        for (slot, (node, _)) in &state.moved {
            if table.masters.iter().any(|master| master.node == *node) {
                table.assign(*slot, *slot, node);
            }
        }
        if *state.table != table {
            self.put(&mut state, table);
        }
    }

    fn put(&self, state: &mut State, table: Table) {
        tracing::debug!(?table, "slot table changed");
        state.table = Arc::new(table);
        self.tell(&state.table);
        self.bump();
    }

    fn tell(&self, table: &Arc<Table>) {
        for follower in self.followers.get().into_iter().flatten().filter_map(Weak::upgrade) {
            follower.follow(table);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_knows_owners_and_gaps() {
        let (a, b) = (Node::new("a", 1), Node::new("b", 2));
        let mut table = Table::empty();
        assert!(table.owner(0).is_none() && !table.complete());
        table.assign(0, 8191, &a);
        table.assign(8192, 16383, &b);
        table.assign(5, 5, &b);
        assert!(table.complete());
        assert_eq!((table.owner(4), table.owner(5), table.owner(16383)), (Some(&a), Some(&b), Some(&b)));
        let master = |node| Master { node, replicas: 0 };
        assert_eq!(table.first_slots(), [(master(a), 0), (master(b), 5)]);
    }

    #[test]
    fn moved_outweighs_a_table_that_is_behind() {
        let (a, b) = (Node::new("a", 1), Node::new("b", 2));
        let config = RedisConfig::new("redis-cluster://a:1");
        let topology = Topology::new(&config, &Target::parse(&config.url).unwrap());
        let mut told = Table::empty();
        told.assign(0, 9999, &a);
        told.assign(10000, 16383, &b);
        topology.take(View { table: told.clone(), epoch: 1, ok: true });
        topology.moved(7, &b);
        topology.take(View { table: told, epoch: 1, ok: true });
        assert_eq!(topology.table().owner(7), Some(&b));
        assert_eq!(topology.table().owner(8), Some(&a));
    }
}
