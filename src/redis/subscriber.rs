//! Sharded subscriptions: one subscriber connection for each master, and every possible loss of messages is reported.
//!
//! The *wanted* channels are the truth. Each belongs to the master that owns its slot in the present slot table. Whatever
//! happens (a reconnect, a moved slot, an unsolicited `sunsubscribe`) only marks channels as *dirty* for a master; that master's
//! subscriber [`connection`] then compares what is wanted with what is subscribed. A channel that had to be subscribed again may
//! have missed messages: it is reported as a gap.

mod connection;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use super::dial::Address;
use super::topology::{Follower, Table};
use super::{Context, RedisError, keys};

/// Receives published messages. One task for each master calls it; both methods must return soon and never block.
pub trait Sink: Send + Sync + 'static {
    /// A message; those of one channel come in their order. `channel` is as subscribed; see
    /// [`keys::parse_channel`](super::keys::parse_channel).
    fn message(&self, channel: &[u8], payload: Bytes);

    /// These channels may have missed messages (the connection broke, the slot moved, the queue overflowed) and are
    /// subscribed again: the receiver reads their logs.
    fn gap(&self, channels: &[Arc<str>]);
}

/// Keeps the wanted channels subscribed at the masters that own their slots.
pub struct Subscriber {
    shared: Arc<Shared>,
}

impl Subscriber {
    /// Sets the receiver of messages; before that they are dropped. Only the first call has an effect.
    pub fn set_sink(&self, sink: Arc<dyn Sink>) {
        let _ = self.shared.sink.set(sink);
    }

    /// Wants a channel from now on, once however often it is called. Resolves when Redis has confirmed it; `Unavailable` if that
    /// takes longer than the deadline: then it is no longer wanted, unless another caller still waits for it.
    pub async fn subscribe(&self, channel: &str) -> Result<(), RedisError> {
        let shared = &self.shared;
        let Some(confirmed) = shared.want(channel) else { return Ok(()) };
        match tokio::time::timeout(shared.context.config.deadline, confirmed).await {
            Ok(Ok(())) => Ok(()),
            // `unsubscribe` was called meanwhile.
            Ok(Err(_)) => Err(RedisError::Unavailable),
            Err(_) => {
                shared.stop_waiting(channel);
                Err(RedisError::Unavailable)
            }
        }
    }

    /// Wants it no longer. Messages already received may still come. Redis is told soon.
    pub async fn unsubscribe(&self, channel: &str) {
        self.shared.unwant(channel);
    }

    /// This channel may receive nothing although it seems subscribed: subscribes it again at the present owner of its slot, and
    /// reports it as a gap once that is confirmed. Does nothing if it is not wanted, or is being subscribed already.
    pub fn resubscribe(&self, channel: &str) {
        self.shared.resubscribe(channel);
    }

    /// How many channels are wanted, and how many of them Redis has confirmed.
    pub fn channels(&self) -> (usize, usize) {
        let state = self.shared.lock();
        (state.wanted.len(), state.wanted.values().filter(|want| want.confirmed_by.is_some()).count())
    }

    pub(super) fn new(context: Arc<Context>) -> Self {
        let shared =
            Arc::new_cyclic(|me| Shared { me: me.clone(), context, sink: OnceLock::new(), state: Mutex::new(State::default()) });
        Self { shared }
    }

    pub(super) fn follower(&self) -> Weak<dyn Follower> {
        let shared: Weak<Shared> = Arc::downgrade(&self.shared);
        shared
    }
}

/// A channel that a subscriber connection has to check.
pub(super) struct Check {
    pub name: Arc<str>,
    /// It should be subscribed at this master.
    pub wanted: bool,
    /// It must be subscribed again even if Redis has confirmed it before.
    pub again: bool,
}

/// What the subscriber connections share.
pub(super) struct Shared {
    me: Weak<Self>,
    pub context: Arc<Context>,
    pub sink: OnceLock<Arc<dyn Sink>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    wanted: HashMap<Arc<str>, Want>,
    connections: HashMap<Address, Connection>,
    table: Option<Arc<Table>>,
}

struct Want {
    slot: u16,
    /// The master that has confirmed it.
    confirmed_by: Option<Address>,
    /// Its subscription was lost: the next confirmation is reported as a gap.
    lost: bool,
    /// It must be subscribed again, whatever the connection believes.
    again: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

/// What the task of a subscriber connection has to do.
struct Connection {
    /// Channels to check; duplicates do no harm.
    dirty: Vec<Arc<str>>,
    signals: Arc<Signals>,
}

/// What the task of a subscriber connection is told.
#[derive(Default)]
pub(super) struct Signals {
    /// There are dirty channels, or the master was retired.
    pub wake_up: Notify,
    /// The master owns no slot any more. Its messages are dropped from then on: a master that hung, and has a successor, may
    /// publish what the other nodes never see.
    pub retired: AtomicBool,
}

impl State {
    fn owner(&self, slot: u16) -> Option<Address> {
        self.table.as_ref()?.owner(slot).cloned()
    }

    fn mark_dirty(&mut self, address: &Address, channel: Arc<str>) {
        if let Some(connection) = self.connections.get_mut(address) {
            connection.dirty.push(channel);
            connection.signals.wake_up.notify_one();
        }
    }
}

impl Shared {
    /// `None`: it is subscribed already.
    fn want(&self, channel: &str) -> Option<oneshot::Receiver<()>> {
        let mut state = self.lock();
        let (waiting, confirmed) = oneshot::channel();
        if let Some(want) = state.wanted.get_mut(channel) {
            if want.confirmed_by.is_some() {
                return None;
            }
            want.waiting.push(waiting);
            return Some(confirmed);
        }
        let (name, slot) = (Arc::<str>::from(channel), keys::slot(channel.as_bytes()));
        state.wanted.insert(name.clone(), Want { slot, confirmed_by: None, lost: false, again: false, waiting: vec![waiting] });
        if let Some(owner) = state.owner(slot) {
            state.mark_dirty(&owner, name);
        }
        Some(confirmed)
    }

    fn stop_waiting(&self, channel: &str) {
        let nobody = {
            let mut state = self.lock();
            let Some(want) = state.wanted.get_mut(channel) else { return };
            want.waiting.retain(|waiting| !waiting.is_closed());
            want.waiting.is_empty() && want.confirmed_by.is_none() && !want.lost
        };
        if nobody {
            self.unwant(channel);
        }
    }

    fn unwant(&self, channel: &str) {
        let mut state = self.lock();
        let Some((name, want)) = state.wanted.remove_entry(channel) else { return };
        if let Some(address) = want.confirmed_by.or_else(|| state.owner(want.slot)) {
            state.mark_dirty(&address, name);
        }
    }

    fn resubscribe(&self, channel: &str) {
        let mut state = self.lock();
        let Some((name, want)) = state.wanted.get_key_value(channel) else { return };
        let (name, slot) = (name.clone(), want.slot);
        if let Some(want) = state.wanted.get_mut(channel).filter(|want| want.confirmed_by.is_some()) {
            (want.confirmed_by, want.lost, want.again) = (None, true, true);
            if let Some(owner) = state.owner(slot) {
                state.mark_dirty(&owner, name);
            }
            drop(state);
            // The slot table may be wrong.
            self.context.topology.request_refresh();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a subscriber connection calls.
impl Shared {
    /// The channels that this master's connection has to check.
    pub fn checks(&self, address: &Address) -> Vec<Check> {
        let mut guard = self.lock();
        let State { wanted, connections, table } = &mut *guard;
        let Some(connection) = connections.get_mut(address) else { return Vec::new() };
        let mut dirty = std::mem::take(&mut connection.dirty);
        dirty.sort_unstable();
        dirty.dedup();
        let check = |name: Arc<str>| match wanted.get_mut(&name) {
            Some(want) if table.as_ref().and_then(|table| table.owner(want.slot)) == Some(address) => {
                let again = std::mem::take(&mut want.again);
                Check { name, wanted: true, again }
            }
            _ => Check { name, wanted: false, again: false },
        };
        dirty.into_iter().map(check).collect()
    }

    /// Redis has confirmed these at this master. Returns those that may have missed something.
    pub fn confirmed(&self, address: &Address, channels: &[Arc<str>]) -> Vec<Arc<str>> {
        let mut state = self.lock();
        let mut gaps = Vec::new();
        for name in channels {
            let State { wanted, table, .. } = &mut *state;
            let Some(want) = wanted.get_mut(name) else { continue };
            if table.as_ref().and_then(|table| table.owner(want.slot)) != Some(address) {
                // The slot moved while the answer was on its way: this master's subscription has to end.
                state.mark_dirty(address, name.clone());
                continue;
            }
            if std::mem::take(&mut want.lost) {
                gaps.push(name.clone());
            }
            want.confirmed_by = Some(address.clone());
            for waiting in want.waiting.drain(..) {
                let _ = waiting.send(());
            }
        }
        gaps
    }

    /// This master does not send these channels any more: they are subscribed at the master that owns them now.
    pub fn lost(&self, address: &Address, channels: impl IntoIterator<Item = Arc<str>>) {
        let mut state = self.lock();
        for name in channels {
            let Some(want) = state.wanted.get_mut(&name) else { continue };
            if want.confirmed_by.as_ref() == Some(address) {
                (want.confirmed_by, want.lost) = (None, true);
            }
            let slot = want.slot;
            if let Some(owner) = state.owner(slot) {
                state.mark_dirty(&owner, name);
            }
        }
    }

    /// Marks every channel of this master: a new connection has subscribed none of them.
    pub fn mark_all_dirty(&self, address: &Address) {
        let mut state = self.lock();
        let Some(table) = state.table.clone() else { return };
        let mine: Vec<_> = state
            .wanted
            .iter()
            .filter(|(_, want)| table.owner(want.slot) == Some(address))
            .map(|(name, _)| name.clone())
            .collect();
        if let Some(connection) = state.connections.get_mut(address) {
            connection.dirty = mine;
        }
    }

    /// The channels that this master has confirmed.
    pub fn confirmed_by(&self, address: &Address) -> Vec<Arc<str>> {
        let state = self.lock();
        state
            .wanted
            .iter()
            .filter(|(_, want)| want.confirmed_by.as_ref() == Some(address))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Removes the connection if its master owns no slot any more. True: it is removed, and its task must end.
    pub fn remove_if_retired(&self, address: &Address) -> bool {
        let mut state = self.lock();
        let over = state.connections.get(address).is_none_or(|connection| connection.signals.retired.load(Relaxed));
        if over {
            state.connections.remove(address);
        }
        over
    }
}

impl Follower for Shared {
    fn follow(&self, table: &Arc<Table>) {
        let mut state = self.lock();
        for connection in state.connections.values_mut() {
            connection.signals.retired.store(true, Relaxed);
            connection.signals.wake_up.notify_one();
        }
        for master in &table.masters {
            if let Some(connection) = state.connections.get_mut(&master.address) {
                connection.signals.retired.store(false, Relaxed);
                continue;
            }
            let signals = Arc::<Signals>::default();
            let connection = Connection { dirty: Vec::new(), signals: signals.clone() };
            state.connections.insert(master.address.clone(), connection);
            if let Some(shared) = self.me.upgrade() {
                self.context.runtime.spawn(connection::run(shared, master.address.clone(), signals));
            }
        }
        let before = state.table.replace(table.clone());
        let mut moved = Vec::new();
        for (name, want) in &mut state.wanted {
            let owner = table.owner(want.slot);
            if owner != before.as_ref().and_then(|before| before.owner(want.slot)) {
                // Messages may be missed between the former owner and the new one.
                let confirmed_by = want.confirmed_by.take();
                want.lost |= confirmed_by.is_some();
                moved.push((name.clone(), owner.cloned(), confirmed_by));
            }
        }
        for (name, owner, confirmed_by) in moved {
            for address in owner.into_iter().chain(confirmed_by) {
                state.mark_dirty(&address, name.clone());
            }
        }
    }
}
