//! Group commit: a pipeline costs little more than a single call, so each master has a queue and one pipeline in flight.
//!
//! A call is sent at once if nothing is in flight. Otherwise it waits, and when the answer has come, all waiting calls are sent
//! as one pipeline. There is no timer and no added latency. This module decides where and when a call goes;
//! [`super::connection`] sends it.
//!
//! ```text
//!  call ─► queue of the slot's master ─► taken into a pipeline ─► answered
//!            ▲ at the head                    │ MOVED, ASK, TRYAGAIN, NOSCRIPT, …
//!            └────────────────────────────────┘
//! ```
//!
//! Order per slot: calls of one slot are never in flight at two masters. A call that comes back unanswered goes to the head of
//! the queue of the master that owns the slot now. Calls for a slot without a master wait in the *unassigned* queue, which has
//! no connection.
//!
//! A call that has failed is no longer queued: it does not run later, unless the error is `Unknown`.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ::redis::Arg;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::call::{Answer, Call, Entry, Route};
use super::dial::Address;
use super::keys::SLOTS;
use super::topology::{Follower, Table};
use super::{Context, RedisError, connection};

/// A pipeline holds no more commands than this …
pub(super) const MAX_COMMANDS: usize = 256;
/// … and, unless a single command is larger, no more bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;

pub(super) type QueueId = u32;

/// The queue for calls whose slot has no master.
const UNASSIGNED: QueueId = 0;

/// What a connection does next.
pub(super) enum Take {
    Batch(Vec<Entry>),
    /// Nothing can be sent: ask again when woken up, or at this time.
    Wait(Option<Instant>),
}

/// Counted since the start.
#[derive(Debug, Default)]
pub(super) struct Stats {
    pub pipelines: AtomicU64,
    pub commands: AtomicU64,
}

/// The queues of all masters. The client has one dispatcher for writes and one for long reads.
pub(super) struct Dispatcher {
    me: Weak<Self>,
    pub context: Arc<Context>,
    pub stats: Stats,
    state: Mutex<State>,
}

struct State {
    queues: HashMap<QueueId, MasterQueue>,
    by_address: HashMap<Address, QueueId>,
    next_id: QueueId,
    /// Per slot: the queue of its master.
    owners: Box<[QueueId]>,
    /// Per slot: the queue whose connection has calls of it in flight, and how many.
    in_flight: Box<[(QueueId, u32)]>,
    paused: HashMap<u16, Instant>,
}

/// The calls for one master, and what is known of its connection.
struct MasterQueue {
    calls: VecDeque<Entry>,
    /// Bytes of all calls that were queued here and are not answered yet.
    load: Arc<AtomicUsize>,
    wake_up: Arc<Notify>,
    up: bool,
    replicas: usize,
    /// The master owns no slot any more.
    retired: bool,
}

impl MasterQueue {
    fn new() -> Self {
        Self { calls: VecDeque::new(), load: Arc::default(), wake_up: Arc::default(), up: false, replicas: 0, retired: false }
    }

    fn expire(&mut self, now: Instant) {
        if self.calls.iter().any(|entry| entry.is_over(now)) {
            let (over, rest): (VecDeque<Entry>, _) = self.calls.drain(..).partition(|entry| entry.is_over(now));
            self.calls = rest;
            over.into_iter().for_each(|entry| entry.fail(self.up));
        }
    }
}

impl Dispatcher {
    pub fn new(context: Arc<Context>) -> Arc<Self> {
        let slots = usize::from(SLOTS);
        let state = State {
            queues: HashMap::from([(UNASSIGNED, MasterQueue::new())]),
            by_address: HashMap::new(),
            next_id: UNASSIGNED + 1,
            owners: vec![UNASSIGNED; slots].into(),
            in_flight: vec![(UNASSIGNED, 0); slots].into(),
            paused: HashMap::new(),
        };
        Arc::new_cyclic(|me| Self { me: me.clone(), context, stats: Stats::default(), state: Mutex::new(state) })
    }

    /// Queues the call and waits for its answer until the deadline.
    pub async fn call(&self, call: Call) -> Answer {
        let deadline = Instant::now() + call.deadline;
        let (answer, mut answered) = oneshot::channel();
        let Call { slot, cmd, script, repeatable, acknowledged, .. } = call;
        let size = cmd.args_iter().map(|arg| if let Arg::Simple(bytes) = arg { bytes.len() + 16 } else { 16 }).sum();
        let entry =
            Entry { slot, cmd, script, repeatable, acknowledged, maybe_done: false, asking: false, size, deadline, answer };
        let _load = self.push(entry)?;
        match tokio::time::timeout_at(deadline, &mut answered).await {
            Ok(Ok(answer)) => answer,
            // The client is being dropped.
            Ok(Err(_)) => Err(RedisError::Unknown),
            Err(_) => {
                self.expire();
                answered.close();
                // It is neither answered nor queued, so it is in flight.
                answered.try_recv().unwrap_or(Err(RedisError::Unknown))
            }
        }
    }

    /// The masters that own slots, and which of them are connected.
    pub fn up(&self) -> HashMap<Address, bool> {
        let state = self.lock();
        state
            .by_address
            .iter()
            .map(|(address, id)| (address.clone(), state.queues.get(id).is_some_and(|queue| queue.up)))
            .collect()
    }

    /// Whether this slot's master is connected.
    pub fn is_up(&self, slot: u16) -> bool {
        let state = self.lock();
        state.queues.get(&state.owners[usize::from(slot)]).is_some_and(|queue| queue.up)
    }

    /// Queues a call, unless the queue holds too many calls or bytes.
    fn push(&self, entry: Entry) -> Result<Load, RedisError> {
        let mut state = self.lock();
        let owner = state.owners[usize::from(entry.slot)];
        let Some(queue) = state.queues.get_mut(&owner) else { return Err(RedisError::Unavailable) };
        if queue.calls.len() >= self.context.config.queue {
            queue.expire(Instant::now());
            if queue.calls.len() >= self.context.config.queue {
                return Err(RedisError::Unavailable);
            }
        }
        let load = Load { size: entry.size, of: queue.load.clone() };
        if load.of.fetch_add(load.size, Ordering::Relaxed) > self.context.config.queue_bytes {
            return Err(RedisError::Unavailable);
        }
        queue.calls.push_back(entry);
        queue.wake_up.notify_one();
        Ok(load)
    }

    /// Fails every queued call that is past its deadline.
    fn expire(&self) {
        let now = Instant::now();
        for queue in self.lock().queues.values_mut() {
            queue.expire(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the task of a connection calls.
impl Dispatcher {
    /// The next pipeline: every queued call that may be sent now, up to the limits.
    pub fn take(&self, id: QueueId) -> Take {
        let now = Instant::now();
        let mut guard = self.lock();
        let state = &mut *guard;
        if !state.paused.is_empty() {
            state.paused.retain(|_, until| *until > now);
        }
        let Some(queue) = state.queues.get_mut(&id) else { return Take::Wait(None) };
        let (mut batch, mut bytes, mut held_back, mut wake) = (Vec::new(), 0, Vec::new(), None::<Instant>);
        while batch.len() < MAX_COMMANDS {
            let Some(entry) = queue.calls.pop_front() else { break };
            if entry.is_over(now) {
                entry.fail(queue.up);
                continue;
            }
            if let Some(&until) = state.paused.get(&entry.slot) {
                wake = Some(wake.map_or(until, |wake| wake.min(until)));
                held_back.push(entry);
                continue;
            }
            let in_flight = &mut state.in_flight[usize::from(entry.slot)];
            if in_flight.1 > 0 && in_flight.0 != id {
                // Earlier calls of this slot are still in flight at another master. Their end wakes this queue up.
                held_back.push(entry);
                continue;
            }
            if bytes + entry.size > MAX_BYTES && !batch.is_empty() {
                queue.calls.push_front(entry);
                break;
            }
            bytes += entry.size;
            *in_flight = (id, in_flight.1 + 1);
            batch.push(entry);
        }
        for entry in held_back.into_iter().rev() {
            queue.calls.push_front(entry);
        }
        if batch.is_empty() { Take::Wait(wake) } else { Take::Batch(batch) }
    }

    /// A pipeline is over. `slots` are the slots of all its calls; `back` are the calls that were not answered, in order.
    pub fn finished(&self, slots: &[u16], back: Vec<(Entry, Route)>) {
        let now = Instant::now();
        let mut guard = self.lock();
        let state = &mut *guard;
        for &slot in slots {
            state.in_flight[usize::from(slot)].1 -= 1;
        }
        for (mut entry, route) in back.into_iter().rev() {
            let id = match route {
                Route::Owner(pause) => {
                    if !pause.is_zero() {
                        state.paused.insert(entry.slot, now + pause);
                    }
                    entry.asking = false;
                    state.owners[usize::from(entry.slot)]
                }
                Route::Ask(address) => {
                    entry.asking = true;
                    self.queue_of(state, &address)
                }
            };
            let Some(queue) = state.queues.get_mut(&id) else { continue };
            if entry.is_over(now) {
                entry.fail(queue.up);
            } else {
                queue.calls.push_front(entry);
            }
        }
        for queue in state.queues.values().filter(|queue| !queue.calls.is_empty()) {
            queue.wake_up.notify_one();
        }
    }

    /// The master's connection is open, or is gone.
    pub fn set_up(&self, id: QueueId, up: bool) {
        if let Some(queue) = self.lock().queues.get_mut(&id) {
            queue.up = up;
        }
        self.context.topology.note_change();
    }

    /// How many replicas the master has.
    pub fn replicas(&self, id: QueueId) -> usize {
        self.lock().queues.get(&id).map_or(0, |queue| queue.replicas)
    }

    /// Removes the queue if its master owns no slot any more and no call waits. True: it is removed, and its task must end.
    pub fn remove_if_retired(&self, id: QueueId) -> bool {
        let mut state = self.lock();
        if !state.queues.get(&id).is_some_and(|queue| queue.retired && queue.calls.is_empty()) {
            return false;
        }
        state.queues.remove(&id);
        state.by_address.retain(|_, other| *other != id);
        true
    }

    /// The queue of a master. A new one gets its connection.
    fn queue_of(&self, state: &mut State, address: &Address) -> QueueId {
        if let Some(&id) = state.by_address.get(address) {
            return id;
        }
        let id = state.next_id;
        state.next_id += 1;
        let queue = MasterQueue::new();
        let wake_up = queue.wake_up.clone();
        state.queues.insert(id, queue);
        state.by_address.insert(address.clone(), id);
        if let Some(dispatcher) = self.me.upgrade() {
            self.context.runtime.spawn(connection::run(dispatcher, id, address.clone(), wake_up));
        }
        id
    }
}

impl Follower for Dispatcher {
    /// Moves every queued call to the queue of the master that owns its slot now, which has no call of that slot yet.
    fn follow(&self, table: &Arc<Table>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut current = Vec::with_capacity(table.masters.len());
        for master in &table.masters {
            let id = self.queue_of(state, &master.address);
            current.push(id);
            if let Some(queue) = state.queues.get_mut(&id) {
                queue.replicas = master.replicas;
            }
        }
        for (owner, index) in state.owners.iter_mut().zip(table.owners()) {
            *owner = index.and_then(|index| current.get(index)).copied().unwrap_or(UNASSIGNED);
        }
        let mut moved = Vec::new();
        for (&id, queue) in &mut state.queues {
            queue.retired = id != UNASSIGNED && !current.contains(&id);
            let stays = |entry: &Entry| state.owners[usize::from(entry.slot)] == id || (entry.asking && !queue.retired);
            if !queue.calls.iter().all(stays) {
                for entry in std::mem::take(&mut queue.calls) {
                    if state.owners[usize::from(entry.slot)] == id || (entry.asking && !queue.retired) {
                        queue.calls.push_back(entry);
                    } else {
                        moved.push(entry);
                    }
                }
            }
        }
        for mut entry in moved {
            entry.asking = false;
            if let Some(queue) = state.queues.get_mut(&state.owners[usize::from(entry.slot)]) {
                queue.calls.push_back(entry);
            }
        }
        for queue in state.queues.values() {
            queue.wake_up.notify_one();
        }
    }
}

/// The bytes of a call in its queue's load, released when the caller has the answer or has gone.
struct Load {
    size: usize,
    of: Arc<AtomicUsize>,
}

impl Drop for Load {
    fn drop(&mut self) {
        self.of.fetch_sub(self.size, Ordering::Relaxed);
    }
}

impl Stats {
    pub fn count(&self, commands: usize) {
        self.pipelines.fetch_add(1, Ordering::Relaxed);
        self.commands.fetch_add(commands as u64, Ordering::Relaxed);
    }
}
