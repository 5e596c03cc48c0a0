//! Group commit: single calls are dear, pipelines cheap, so each master has a queue and one pipeline in flight.
//!
//! A call is sent at once when nothing is in flight; else it waits, and all that wait leave as one pipeline when the answer is
//! back. No timer, no added latency. This module decides *where and when* a call goes; [`super::lane`] holds the connection.
//!
//! ```text
//!  call ─► queue of the slot's master ─► taken into a pipeline ─► answered
//!            ▲ at the head                    │ MOVED, ASK, TRYAGAIN, NOSCRIPT, cut, …
//!            └────────────────────────────────┘
//! ```
//!
//! Order per slot: calls of one slot are never in flight at two masters, and what comes back unanswered goes to the head of the
//! queue of the master that owns the slot now. A slot without one queues in the *limbo*, lane 0, which has no connection.
//!
//! A call that is answered with a failure is out of the queue: nothing of it runs later, unless the answer is `Unknown`.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ::redis::Arg;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::{Answer, Call, Entry, Route};
use super::dial::{Dial, Node};
use super::keys::SLOTS;
use super::topology::{Follower, Table, Topology};
use super::{RedisConfig, RedisError, lane};

/// A pipeline holds no more commands than this …
pub(super) const MAX_COMMANDS: usize = 256;
/// … and, unless a single command is larger, no more bytes.
pub(super) const MAX_BYTES: usize = 1 << 20;

pub(super) type LaneId = u32;

/// Where calls wait whose slot nobody owns.
const LIMBO: LaneId = 0;

/// What a lane is to do next.
pub(super) enum Take {
    Batch(Vec<Entry>),
    /// Nothing can be sent; look again when the bell rings or at this moment.
    Wait(Option<Instant>),
}

/// Counted since the start.
#[derive(Debug, Default)]
pub(super) struct Stats {
    pub pipelines: AtomicU64,
    pub commands: AtomicU64,
}

/// The queues of all masters, for one purpose.
pub(super) struct Board {
    me: Weak<Self>,
    pub config: Arc<RedisConfig>,
    pub dial: Dial,
    pub topology: Arc<Topology>,
    pub cancel: CancellationToken,
    pub stats: Stats,
    runtime: tokio::runtime::Handle,
    state: Mutex<State>,
}

struct State {
    lanes: HashMap<LaneId, Lane>,
    by_node: HashMap<Node, LaneId>,
    next_lane: LaneId,
    /// Per slot: its owner's lane.
    owners: Box<[LaneId]>,
    /// Per slot: the lane that has calls of it in flight, and how many.
    flying: Box<[(LaneId, u32)]>,
    paused: HashMap<u16, Instant>,
}

struct Lane {
    queue: VecDeque<Entry>,
    /// Bytes of all calls that were queued here and have no answer yet.
    load: Arc<AtomicUsize>,
    bell: Arc<Notify>,
    up: bool,
    replicas: usize,
    /// Its node owns nothing any more.
    retired: bool,
}

impl Lane {
    fn new() -> Self {
        Self { queue: VecDeque::new(), load: Arc::default(), bell: Arc::default(), up: false, replicas: 0, retired: false }
    }

    fn expire(&mut self, now: Instant) {
        if self.queue.iter().any(|entry| entry.is_over(now)) {
            let (over, rest): (VecDeque<Entry>, _) = self.queue.drain(..).partition(|entry| entry.is_over(now));
            self.queue = rest;
            over.into_iter().for_each(|entry| entry.fail(self.up));
        }
    }
}

impl Board {
    pub fn new(config: Arc<RedisConfig>, dial: Dial, topology: Arc<Topology>, cancel: CancellationToken) -> Arc<Self> {
        let slots = usize::from(SLOTS);
        let state = State {
            lanes: HashMap::from([(LIMBO, Lane::new())]),
            by_node: HashMap::new(),
            next_lane: LIMBO + 1,
            owners: vec![LIMBO; slots].into(),
            flying: vec![(LIMBO, 0); slots].into(),
            paused: HashMap::new(),
        };
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            config,
            dial,
            topology,
            cancel,
            stats: Stats::default(),
            runtime: tokio::runtime::Handle::current(),
            state: Mutex::new(state),
        })
    }

    /// Queues the call and waits for its answer, until its deadline.
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
                // Not answered and no longer queued: it is in flight.
                answered.try_recv().unwrap_or(Err(RedisError::Unknown))
            }
        }
    }

    /// The masters that own slots, and which of them are connected.
    pub fn up(&self) -> HashMap<Node, bool> {
        let state = self.lock();
        state.by_node.iter().map(|(node, id)| (node.clone(), state.lanes.get(id).is_some_and(|lane| lane.up))).collect()
    }

    /// Whether this slot's master is connected.
    pub fn is_up(&self, slot: u16) -> bool {
        let state = self.lock();
        state.lanes.get(&state.owners[usize::from(slot)]).is_some_and(|lane| lane.up)
    }

    /// Queues it, unless the queue is full in calls or bytes.
    fn push(&self, entry: Entry) -> Result<Load, RedisError> {
        let mut state = self.lock();
        let owner = state.owners[usize::from(entry.slot)];
        let Some(lane) = state.lanes.get_mut(&owner) else { return Err(RedisError::Unavailable) };
        if lane.queue.len() >= self.config.queue {
            lane.expire(Instant::now());
            if lane.queue.len() >= self.config.queue {
                return Err(RedisError::Unavailable);
            }
        }
        let load = Load { size: entry.size, of: lane.load.clone() };
        if load.of.fetch_add(load.size, Ordering::Relaxed) > self.config.queue_bytes {
            return Err(RedisError::Unavailable);
        }
        lane.queue.push_back(entry);
        lane.bell.notify_one();
        Ok(load)
    }

    /// Answers all that is past its deadline and not in flight.
    fn expire(&self) {
        let now = Instant::now();
        for lane in self.lock().lanes.values_mut() {
            lane.expire(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a lane's task asks of the board.
impl Board {
    /// The next pipeline: everything in the queue that may go now, within the limits.
    pub fn take(&self, id: LaneId) -> Take {
        let now = Instant::now();
        let mut guard = self.lock();
        let state = &mut *guard;
        if !state.paused.is_empty() {
            state.paused.retain(|_, until| *until > now);
        }
        let Some(lane) = state.lanes.get_mut(&id) else { return Take::Wait(None) };
        let (mut batch, mut bytes, mut kept, mut wake) = (Vec::new(), 0, Vec::new(), None::<Instant>);
        while batch.len() < MAX_COMMANDS {
            let Some(entry) = lane.queue.pop_front() else { break };
            if entry.is_over(now) {
                entry.fail(lane.up);
                continue;
            }
            if let Some(&until) = state.paused.get(&entry.slot) {
                wake = Some(wake.map_or(until, |wake| wake.min(until)));
                kept.push(entry);
                continue;
            }
            let flying = &mut state.flying[usize::from(entry.slot)];
            if flying.1 > 0 && flying.0 != id {
                // Its elder siblings are still at another master, whose lane rings when they are back.
                kept.push(entry);
                continue;
            }
            if bytes + entry.size > MAX_BYTES && !batch.is_empty() {
                lane.queue.push_front(entry);
                break;
            }
            bytes += entry.size;
            *flying = (id, flying.1 + 1);
            batch.push(entry);
        }
        for entry in kept.into_iter().rev() {
            lane.queue.push_front(entry);
        }
        if batch.is_empty() { Take::Wait(wake) } else { Take::Batch(batch) }
    }

    /// A pipeline is over: `slots` are those of all its calls, `back` the calls that it left unanswered, in their order.
    pub fn landed(&self, slots: &[u16], back: Vec<(Entry, Route)>) {
        let now = Instant::now();
        let mut guard = self.lock();
        let state = &mut *guard;
        for &slot in slots {
            state.flying[usize::from(slot)].1 -= 1;
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
                Route::Ask(node) => {
                    entry.asking = true;
                    self.lane_of(state, &node)
                }
            };
            let Some(lane) = state.lanes.get_mut(&id) else { continue };
            if entry.is_over(now) {
                entry.fail(lane.up);
            } else {
                lane.queue.push_front(entry);
            }
        }
        for lane in state.lanes.values().filter(|lane| !lane.queue.is_empty()) {
            lane.bell.notify_one();
        }
    }

    /// The lane's connection stands or has fallen.
    pub fn set_up(&self, id: LaneId, up: bool) {
        if let Some(lane) = self.lock().lanes.get_mut(&id) {
            lane.up = up;
        }
        self.topology.bump();
    }

    /// How many replicas the lane's master has.
    pub fn replicas(&self, id: LaneId) -> usize {
        self.lock().lanes.get(&id).map_or(0, |lane| lane.replicas)
    }

    /// Whether the lane has nothing to do any more; then it is no longer in the books and its task must end.
    pub fn leave(&self, id: LaneId) -> bool {
        let mut state = self.lock();
        if !state.lanes.get(&id).is_some_and(|lane| lane.retired && lane.queue.is_empty()) {
            return false;
        }
        state.lanes.remove(&id);
        state.by_node.retain(|_, other| *other != id);
        true
    }

    /// The lane of a master, made if there is none.
    fn lane_of(&self, state: &mut State, node: &Node) -> LaneId {
        if let Some(&id) = state.by_node.get(node) {
            return id;
        }
        let id = state.next_lane;
        state.next_lane += 1;
        let lane = Lane::new();
        let bell = lane.bell.clone();
        state.lanes.insert(id, lane);
        state.by_node.insert(node.clone(), id);
        if let Some(board) = self.me.upgrade() {
            self.runtime.spawn(lane::run(board, id, node.clone(), bell));
        }
        id
    }
}

impl Follower for Board {
    /// Every queued call goes to the lane that owns its slot now; none of the slot can be there yet.
    fn follow(&self, table: &Arc<Table>) {
        let mut guard = self.lock();
        let state = &mut *guard;
        let mut current = Vec::with_capacity(table.masters.len());
        for master in &table.masters {
            let id = self.lane_of(state, &master.node);
            current.push(id);
            if let Some(lane) = state.lanes.get_mut(&id) {
                lane.replicas = master.replicas;
            }
        }
        for (owner, index) in state.owners.iter_mut().zip(table.owners()) {
            *owner = index.and_then(|index| current.get(index)).copied().unwrap_or(LIMBO);
        }
        let mut moved = Vec::new();
        for (&id, lane) in &mut state.lanes {
            lane.retired = id != LIMBO && !current.contains(&id);
            let stays = |entry: &Entry| state.owners[usize::from(entry.slot)] == id || (entry.asking && !lane.retired);
            if !lane.queue.iter().all(stays) {
                for entry in std::mem::take(&mut lane.queue) {
                    if state.owners[usize::from(entry.slot)] == id || (entry.asking && !lane.retired) {
                        lane.queue.push_back(entry);
                    } else {
                        moved.push(entry);
                    }
                }
            }
        }
        for mut entry in moved {
            entry.asking = false;
            if let Some(lane) = state.lanes.get_mut(&state.owners[usize::from(entry.slot)]) {
                lane.queue.push_back(entry);
            }
        }
        for lane in state.lanes.values() {
            lane.bell.notify_one();
        }
    }
}

/// A call's share of its queue's bytes, given back when its caller has the answer or has gone.
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
