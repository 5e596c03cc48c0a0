//! Sharded subscriptions: one subscriber connection for each master, and no silence that goes unnoticed.
//!
//! The *wanted set* is the truth. Each channel belongs to the master that owns its slot in the present table; whatever happens
//! (a reconnect, a moved slot, a `sunsubscribe` that nobody asked for) only marks channels as *dirty* for a master, and that
//! master's [`ear`](super::ear) then compares what is wanted with what it has. A channel that was heard before and had to be
//! subscribed anew may have missed messages, so it is told as a gap.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::dial::{Dial, Node};
use super::topology::{Follower, Table, Topology};
use super::{RedisConfig, RedisError, ear, keys};

/// Where published messages go. Called from one task per master, which drains that master's queue in batches: both must
/// return soon and never block.
pub trait Sink: Send + Sync + 'static {
    /// A message, in the order of its channel. `channel` is as subscribed; see [`keys::parse_channel`](super::keys::parse_channel).
    fn message(&self, channel: &[u8], payload: Bytes);

    /// These channels may have missed messages (the connection broke, the slot moved, the queue overflowed) and are
    /// subscribed again: read their logs.
    fn gap(&self, channels: &[Arc<str>]);
}

/// The wanted set of channels, kept subscribed wherever their slots live.
pub struct Subscriber {
    shared: Arc<Shared>,
}

impl Subscriber {
    /// Says where messages go; before, they are dropped. The first call counts.
    pub fn set_sink(&self, sink: Arc<dyn Sink>) {
        let _ = self.shared.sink.set(sink);
    }

    /// Wants a channel from now on, once however often it is called. Resolves when Redis has confirmed it; `Unavailable` if that
    /// takes longer than the deadline: then it is no longer wanted, unless another caller still waits for it.
    pub async fn subscribe(&self, channel: &str) -> Result<(), RedisError> {
        let shared = &self.shared;
        let Some(confirmed) = shared.want(channel) else { return Ok(()) };
        match tokio::time::timeout(shared.config.deadline, confirmed).await {
            Ok(Ok(())) => Ok(()),
            // `unsubscribe` was called meanwhile.
            Ok(Err(_)) => Err(RedisError::Unavailable),
            Err(_) => {
                shared.give_up(channel);
                Err(RedisError::Unavailable)
            }
        }
    }

    /// Wants it no longer. Messages already received may still come. Redis is told soon.
    pub async fn unsubscribe(&self, channel: &str) {
        self.shared.unwant(channel);
    }

    /// This channel may be silently deaf: subscribes it again wherever its slot lives now, and tells it as a gap once that is
    /// confirmed. Nothing happens if it is not wanted, or about to be subscribed anyway.
    pub fn renew(&self, channel: &str) {
        self.shared.renew(channel);
    }

    /// How many channels are wanted, and how many of them Redis has confirmed.
    pub fn channels(&self) -> (usize, usize) {
        let state = self.shared.lock();
        (state.wanted.len(), state.wanted.values().filter(|want| want.heard_by.is_some()).count())
    }

    pub(super) fn new(config: Arc<RedisConfig>, dial: Dial, topology: Arc<Topology>, cancel: CancellationToken) -> Self {
        let shared = Arc::new_cyclic(|me| Shared {
            me: me.clone(),
            config,
            dial,
            topology,
            cancel,
            sink: OnceLock::new(),
            runtime: tokio::runtime::Handle::current(),
            state: Mutex::new(State::default()),
        });
        Self { shared }
    }

    pub(super) fn follower(&self) -> Weak<dyn Follower> {
        let shared: Weak<Shared> = Arc::downgrade(&self.shared);
        shared
    }
}

/// What an ear has to look at.
pub(super) struct Task {
    pub name: Arc<str>,
    /// It should be heard at this master.
    pub wanted: bool,
    /// Redis is to be asked for it even if it was confirmed before.
    pub again: bool,
}

/// What the ears share.
pub(super) struct Shared {
    me: Weak<Self>,
    pub config: Arc<RedisConfig>,
    pub dial: Dial,
    pub topology: Arc<Topology>,
    pub cancel: CancellationToken,
    pub sink: OnceLock<Arc<dyn Sink>>,
    runtime: tokio::runtime::Handle,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    wanted: HashMap<Arc<str>, Want>,
    ears: HashMap<Node, Ear>,
    table: Option<Arc<Table>>,
}

struct Want {
    slot: u16,
    /// The master that has confirmed it.
    heard_by: Option<Node>,
    /// It was heard once and then lost: the next confirmation is told as a gap.
    lost: bool,
    /// Whatever the ear believes to have, Redis is to be asked for it again.
    renew: bool,
    waiting: Vec<oneshot::Sender<()>>,
}

struct Ear {
    /// To be looked at; doubles do no harm.
    dirty: Vec<Arc<str>>,
    bell: Arc<Notify>,
    /// Its node owns nothing any more. Also read where its messages are passed on: what a master says after its successor was
    /// made, such as one that hung, is of a past that the others do not share.
    retired: Arc<AtomicBool>,
}

impl State {
    fn owner(&self, slot: u16) -> Option<Node> {
        self.table.as_ref()?.owner(slot).cloned()
    }

    fn soil(&mut self, node: &Node, channel: Arc<str>) {
        if let Some(ear) = self.ears.get_mut(node) {
            ear.dirty.push(channel);
            ear.bell.notify_one();
        }
    }
}

impl Shared {
    /// `None`: it is heard already.
    fn want(&self, channel: &str) -> Option<oneshot::Receiver<()>> {
        let mut state = self.lock();
        let (waiting, confirmed) = oneshot::channel();
        if let Some(want) = state.wanted.get_mut(channel) {
            if want.heard_by.is_some() {
                return None;
            }
            want.waiting.push(waiting);
            return Some(confirmed);
        }
        let (name, slot) = (Arc::<str>::from(channel), keys::slot(channel.as_bytes()));
        state.wanted.insert(name.clone(), Want { slot, heard_by: None, lost: false, renew: false, waiting: vec![waiting] });
        if let Some(owner) = state.owner(slot) {
            state.soil(&owner, name);
        }
        Some(confirmed)
    }

    fn give_up(&self, channel: &str) {
        let nobody = {
            let mut state = self.lock();
            let Some(want) = state.wanted.get_mut(channel) else { return };
            want.waiting.retain(|waiting| !waiting.is_closed());
            want.waiting.is_empty() && want.heard_by.is_none() && !want.lost
        };
        if nobody {
            self.unwant(channel);
        }
    }

    fn unwant(&self, channel: &str) {
        let mut state = self.lock();
        let Some((name, want)) = state.wanted.remove_entry(channel) else { return };
        if let Some(node) = want.heard_by.or_else(|| state.owner(want.slot)) {
            state.soil(&node, name);
        }
    }

    fn renew(&self, channel: &str) {
        let mut state = self.lock();
        let Some((name, want)) = state.wanted.get_key_value(channel) else { return };
        let (name, slot) = (name.clone(), want.slot);
        if let Some(want) = state.wanted.get_mut(channel).filter(|want| want.heard_by.is_some()) {
            (want.heard_by, want.lost, want.renew) = (None, true, true);
            if let Some(owner) = state.owner(slot) {
                state.soil(&owner, name);
            }
            drop(state);
            // It may have been lost because the table is wrong.
            self.topology.doubt();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an ear asks.
impl Shared {
    /// What is to be looked at.
    pub fn work(&self, node: &Node) -> Vec<Task> {
        let mut guard = self.lock();
        let State { wanted, ears, table } = &mut *guard;
        let Some(ear) = ears.get_mut(node) else { return Vec::new() };
        let mut dirty = std::mem::take(&mut ear.dirty);
        dirty.sort_unstable();
        dirty.dedup();
        let task = |name: Arc<str>| match wanted.get_mut(&name) {
            Some(want) if table.as_ref().and_then(|table| table.owner(want.slot)) == Some(node) => {
                let again = std::mem::take(&mut want.renew);
                Task { name, wanted: true, again }
            }
            _ => Task { name, wanted: false, again: false },
        };
        dirty.into_iter().map(task).collect()
    }

    /// Redis has confirmed these at this master. Returns those that may have missed something.
    pub fn heard(&self, node: &Node, channels: &[Arc<str>]) -> Vec<Arc<str>> {
        let mut state = self.lock();
        let mut gaps = Vec::new();
        for name in channels {
            let State { wanted, table, .. } = &mut *state;
            let Some(want) = wanted.get_mut(name) else { continue };
            if table.as_ref().and_then(|table| table.owner(want.slot)) != Some(node) {
                // The slot moved on while the answer was under way; this one has to let go.
                state.soil(node, name.clone());
                continue;
            }
            if std::mem::take(&mut want.lost) {
                gaps.push(name.clone());
            }
            want.heard_by = Some(node.clone());
            for waiting in want.waiting.drain(..) {
                let _ = waiting.send(());
            }
        }
        gaps
    }

    /// This master does not send these any more: the master that owns them now has to subscribe them.
    pub fn lost(&self, node: &Node, channels: impl IntoIterator<Item = Arc<str>>) {
        let mut state = self.lock();
        for name in channels {
            let Some(want) = state.wanted.get_mut(&name) else { continue };
            if want.heard_by.as_ref() == Some(node) {
                (want.heard_by, want.lost) = (None, true);
            }
            let slot = want.slot;
            if let Some(owner) = state.owner(slot) {
                state.soil(&owner, name);
            }
        }
    }

    /// All that this master should send: where a new connection begins.
    pub fn soil_all(&self, node: &Node) {
        let mut state = self.lock();
        let Some(table) = state.table.clone() else { return };
        let mine: Vec<_> =
            state.wanted.iter().filter(|(_, want)| table.owner(want.slot) == Some(node)).map(|(name, _)| name.clone()).collect();
        if let Some(ear) = state.ears.get_mut(node) {
            ear.dirty = mine;
        }
    }

    /// What this master is known to send.
    pub fn heard_by(&self, node: &Node) -> Vec<Arc<str>> {
        let state = self.lock();
        state.wanted.iter().filter(|(_, want)| want.heard_by.as_ref() == Some(node)).map(|(name, _)| name.clone()).collect()
    }

    /// Whether the ear has nothing to do any more; then it is no longer in the books and its task must end.
    pub fn leave(&self, node: &Node) -> bool {
        let mut state = self.lock();
        let over = state.ears.get(node).is_none_or(|ear| ear.retired.load(Relaxed));
        if over {
            state.ears.remove(node);
        }
        over
    }
}

impl Follower for Shared {
    fn follow(&self, table: &Arc<Table>) {
        let mut state = self.lock();
        for ear in state.ears.values_mut() {
            ear.retired.store(true, Relaxed);
            ear.bell.notify_one();
        }
        for master in &table.masters {
            if let Some(ear) = state.ears.get_mut(&master.node) {
                ear.retired.store(false, Relaxed);
                continue;
            }
            let bell = Arc::new(Notify::new());
            let retired = Arc::new(AtomicBool::new(false));
            let ear = Ear { dirty: Vec::new(), bell: bell.clone(), retired: retired.clone() };
            state.ears.insert(master.node.clone(), ear);
            if let Some(shared) = self.me.upgrade() {
                self.runtime.spawn(ear::run(shared, master.node.clone(), bell, retired));
            }
        }
        let before = state.table.replace(table.clone());
        let mut moved = Vec::new();
        for (name, want) in &mut state.wanted {
            let owner = table.owner(want.slot);
            if owner != before.as_ref().and_then(|before| before.owner(want.slot)) {
                // Whatever the former owner still sends: between the two something may be missed.
                let heard_by = want.heard_by.take();
                want.lost |= heard_by.is_some();
                moved.push((name.clone(), owner.cloned(), heard_by));
            }
        }
        for (name, owner, heard_by) in moved {
            for node in owner.into_iter().chain(heard_by) {
                state.soil(&node, name.clone());
            }
        }
    }
}
