//! Timers that outlive the node that has set them: rows in Redis, which any node finds when they are due.
//!
//! ```text
//! expect ─► timers:{n}    hint: look at the scope then             each node, every 250 ms and more:
//! script ─► scope:due     the truth, set in the script's one step   timers_take ─► due_read ─► OnDue ─► timers_settle
//! set ────► timers:{n}    hint again, by what the script says
//! ```
//!
//! The hint and the truth lie in different slots, so no step writes both. A hint too many costs a look; one that is lost (a
//! failover, a Redis that came back empty) is for the sweep of the feature. A hint is written before the script too, so that a
//! node that dies in between leaves no timer of which nobody knows.
//!
//! A timer fires at least once: a node may die between the effect and its note. So the handler's own script has its effect once,
//! and clears or moves the row in the same step. A deadline that moves often is not written each time: the row stays, and when
//! it is due the script looks and sets it anew.

mod arm;
mod fire;
mod poll;
pub mod scripts;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::cluster::Scopes;
use crate::core::sync::lock;
use crate::core::{Kind, ScopeId};
use crate::redis::keys::TIMER_PARTS;
use crate::socketio::BoxFuture;

use poll::Parts;

/// Timers of one name in one scope that are due.
#[derive(Clone, Debug)]
pub struct Due {
    pub scope: ScopeId,
    pub timer: &'static str,
    /// What each is about, as it was set; empty for a timer without a subject.
    pub subjects: Vec<String>,
    /// How late the first of them is.
    pub late: Duration,
}

/// What has come of timers that were due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fired {
    /// Their rows are cleared.
    Done,
    /// To be looked at again in so long: rows are set to then, or the work was put off.
    Again(Duration),
    /// Nothing is certain. They fire again, after a pause.
    Failed,
}

/// What a feature does when timers of a name are due. It may be called more than once for the same ones, on several nodes at
/// the same time.
pub trait OnDue: Send + Sync + 'static {
    fn on_due(&self, due: Due) -> BoxFuture<Fired>;
}

type Handlers = HashMap<(Kind, &'static str), Arc<dyn OnDue>>;

/// The durable timers of all scopes, as this node sets and fires them.
pub struct Timers {
    scopes: Arc<Scopes>,
    handlers: Mutex<Handlers>,
    /// Scopes for which this node has set a timer that is not due before then: they are hinted at already.
    hinted: Mutex<HashMap<ScopeId, Instant>>,
    /// Hints that are being written.
    hints: AtomicUsize,
    parts: Parts,
    /// Scopes at which this node looks.
    looks: Mutex<HashSet<String>>,
    places: Arc<Semaphore>,
    /// How often in a row a scope's timers have failed here.
    failures: Mutex<HashMap<String, u32>>,
}

impl Timers {
    /// Nothing fires before [`Timers::start`].
    pub fn new(scopes: Arc<Scopes>) -> Arc<Self> {
        Arc::new(Self {
            scopes,
            handlers: Mutex::default(),
            hinted: Mutex::default(),
            hints: AtomicUsize::new(0),
            parts: Parts::new(TIMER_PARTS),
            looks: Mutex::default(),
            places: Arc::new(Semaphore::new(poll::PLACES)),
            failures: Mutex::default(),
        })
    }

    /// Who is called when timers of this name are due, in scopes of this kind. Before the start.
    pub fn on(&self, kind: Kind, timer: &'static str, handler: Arc<dyn OnDue>) {
        lock(&self.handlers).insert((kind, timer), handler);
    }
}
