//! A node that could not renew its lease for a while must expect that other nodes have taken over: it fences itself.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use crate::core::sync::lock;
use crate::socketio::Gate;

/// Shut while this node may not act.
#[derive(Debug)]
pub struct Fence {
    gate: Gate,
    /// How long it stays open after a renewal.
    acts_for: Duration,
    registered: AtomicBool,
    /// Since when it is shut, as logged.
    told: Mutex<Option<Instant>>,
}

impl Fence {
    pub(super) fn new(acts_for: Duration) -> Self {
        Self { gate: Gate::shut_at_first(), acts_for, registered: AtomicBool::new(false), told: Mutex::default() }
    }

    /// The gate at which events and timers wait.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    pub fn is_fenced(&self) -> bool {
        !self.gate.is_open()
    }

    /// Why this node should get no clients, if so.
    pub fn reason(&self) -> Option<&'static str> {
        match (self.is_fenced(), self.registered.load(Relaxed)) {
            (false, _) => None,
            (true, false) => Some("starting"),
            (true, true) => Some("fenced"),
        }
    }

    /// Logs when this node becomes fenced, and when that is over.
    pub(super) fn tell(&self) {
        let mut since = lock(&self.told);
        match (self.reason() == Some("fenced"), *since) {
            (true, None) => {
                *since = Some(Instant::now());
                tracing::warn!("this node is fenced: it could not renew its lease in Redis, and events and timers wait");
            }
            (false, Some(from)) => {
                *since = None;
                tracing::warn!(seconds = from.elapsed().as_secs(), "this node is no longer fenced");
            }
            _ => {}
        }
    }

    /// A majority of masters has renewed the lease, in a call that began then.
    pub(super) fn renewed(&self, began: Instant) {
        self.registered.store(true, Relaxed);
        self.gate.open_until(began + self.acts_for);
    }

    /// This node was declared dead, or is leaving.
    pub(super) fn shut(&self) {
        self.gate.shut();
    }
}
