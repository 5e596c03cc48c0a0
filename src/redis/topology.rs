//! The slot table: which master owns which slot. It is read each second and when a connection breaks, and corrected at once by
//! MOVED.
//!
//! A single Redis is a table with one row, known from the URL; with Sentinel, the sentinels name the row. This module knows
//! nothing of commands and subscriptions, which follow it as [`Follower`]s.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Context;
use super::config::{Kind, RedisConfig, Target};
use super::dial::{Address, Dial};
use super::discovery::{Discovery, View};
use super::keys::SLOTS;

/// So long a MOVED counts more than a table that is read: the nodes of a cluster need about a second to tell each other.
const MOVED_LASTS: Duration = Duration::from_secs(2);
/// The table is read at most this often.
const REFRESH_PAUSE: Duration = Duration::from_millis(50);

/// One master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Master {
    pub address: Address,
    /// Online replicas.
    pub replicas: usize,
}

/// Which master owns which slot, at one moment.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub masters: Vec<Master>,
    /// Per slot an index into `masters`, or [`Table::NO_OWNER`].
    owners: Box<[u16]>,
}

impl Table {
    const NO_OWNER: u16 = u16::MAX;

    pub fn empty() -> Self {
        Self { masters: Vec::new(), owners: vec![Self::NO_OWNER; usize::from(SLOTS)].into() }
    }

    /// All slots at one master.
    pub fn single(address: Address, replicas: usize) -> Self {
        Self { masters: vec![Master { address, replicas }], owners: vec![0; usize::from(SLOTS)].into() }
    }

    pub fn owner(&self, slot: u16) -> Option<&Address> {
        self.masters.get(usize::from(self.owners[usize::from(slot)])).map(|master| &master.address)
    }

    /// Slot by slot the index of its owner in `masters`.
    pub fn owners(&self) -> impl Iterator<Item = Option<usize>> {
        self.owners.iter().map(|&owner| (owner != Self::NO_OWNER).then_some(usize::from(owner)))
    }

    pub fn assign(&mut self, first: u16, last: u16, address: &Address) {
        let index = match self.masters.iter().position(|master| master.address == *address) {
            Some(index) => index,
            None => {
                self.masters.push(Master { address: address.clone(), replicas: 0 });
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

/// Acts on a new table. Called in the order of the changes, while the topology is locked: it must return soon and must not
/// call the topology.
pub(super) trait Follower: Send + Sync {
    fn follow(&self, table: &Arc<Table>);
}

/// Keeps the table of this context up to date until the client is dropped.
pub(super) async fn run(context: Arc<Context>, target: Target) {
    context.topology.read_on(target, &context.dial, &context.cancel).await;
}

/// Keeps the slot table up to date.
pub(super) struct Topology {
    state: Mutex<State>,
    followers: OnceLock<Vec<Weak<dyn Follower>>>,
    refresh_wanted: Notify,
    version: watch::Sender<u64>,
    refresh_interval: Duration,
}

struct State {
    table: Arc<Table>,
    moved: HashMap<u16, (Address, Instant)>,
}

impl Topology {
    pub fn new(config: &RedisConfig, target: &Target) -> Self {
        let table = match (&target.kind, target.seeds.first()) {
            (Kind::Single, Some(address)) => Table::single(address.clone(), 0),
            _ => Table::empty(),
        };
        Self {
            state: Mutex::new(State { table: Arc::new(table), moved: HashMap::new() }),
            followers: OnceLock::new(),
            refresh_wanted: Notify::new(),
            version: watch::Sender::new(0),
            refresh_interval: config.refresh,
        }
    }

    /// Sets the followers and gives them the present table. Called once, at the start.
    pub fn start(&self, followers: Vec<Weak<dyn Follower>>) {
        let _ = self.followers.set(followers);
        let state = self.lock();
        self.notify_followers(&state.table);
    }

    pub fn table(&self) -> Arc<Table> {
        self.lock().table.clone()
    }

    /// The table may be wrong: it is read again soon.
    pub fn request_refresh(&self) {
        self.refresh_wanted.notify_one();
    }

    /// A master has answered MOVED: the table is changed at once, and read again.
    pub fn moved(&self, slot: u16, address: &Address) {
        let mut state = self.lock();
        state.moved.insert(slot, (address.clone(), Instant::now()));
        if state.table.owner(slot) != Some(address) {
            let mut table = Table::clone(&state.table);
            table.assign(slot, slot, address);
            self.replace(&mut state, table);
        }
        drop(state);
        self.request_refresh();
    }

    /// A connection has opened or closed.
    pub fn note_change(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    pub fn watch(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Reads the table until the client is dropped.
    async fn read_on(&self, target: Target, dial: &Dial, cancel: &CancellationToken) {
        let mut discovery = Discovery::new(target, dial);
        loop {
            let known = self.table();
            tokio::select! {
                view = discovery.discover(&known) => match view {
                    Some(view) => self.apply(view),
                    None => tracing::debug!("no Redis server answers"),
                },
                () = cancel.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(self.refresh_interval) => {}
                () = async { tokio::time::sleep(REFRESH_PAUSE).await; self.refresh_wanted.notified().await } => {}
                () = cancel.cancelled() => return,
            }
        }
    }

    fn apply(&self, view: View) {
        let mut state = self.lock();
        let mut table = view.table;
        state.moved.retain(|_, (_, since)| since.elapsed() < MOVED_LASTS);
        for (slot, (address, _)) in &state.moved {
            if table.masters.iter().any(|master| master.address == *address) {
                table.assign(*slot, *slot, address);
            }
        }
        if *state.table != table {
            self.replace(&mut state, table);
        }
    }

    fn replace(&self, state: &mut State, table: Table) {
        tracing::debug!(?table, "slot table changed");
        state.table = Arc::new(table);
        self.notify_followers(&state.table);
        self.note_change();
    }

    fn notify_followers(&self, table: &Arc<Table>) {
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
    fn a_table_knows_the_owner_of_each_slot() {
        let (a, b) = (Address::new("a", 1), Address::new("b", 2));
        let mut table = Table::empty();
        assert!(table.owner(0).is_none() && !table.complete());
        table.assign(0, 8191, &a);
        table.assign(8192, 16383, &b);
        table.assign(5, 5, &b);
        assert!(table.complete());
        assert_eq!((table.owner(4), table.owner(5), table.owner(16383)), (Some(&a), Some(&b), Some(&b)));
        let master = |address| Master { address, replicas: 0 };
        assert_eq!(table.first_slots(), [(master(a), 0), (master(b), 5)]);
    }

    #[test]
    fn moved_counts_more_than_a_table_that_is_outdated() {
        let (a, b) = (Address::new("a", 1), Address::new("b", 2));
        let config = RedisConfig::new("redis-cluster://a:1");
        let topology = Topology::new(&config, &Target::parse(&config.url).unwrap());
        let mut read = Table::empty();
        read.assign(0, 9999, &a);
        read.assign(10000, 16383, &b);
        topology.apply(View { table: read.clone(), epoch: 1, ok: true });
        topology.moved(7, &b);
        topology.apply(View { table: read, epoch: 1, ok: true });
        assert_eq!(topology.table().owner(7), Some(&b));
        assert_eq!(topology.table().owner(8), Some(&a));
    }
}
