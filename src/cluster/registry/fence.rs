//! A node that has not renewed its lease for a while must expect that others act in its place: it fences itself.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::socketio::Gate;

/// Less than a lease, by as much as clocks and answers may be late.
const ACTS_FOR: Duration = Duration::from_secs(8);

/// Shut while this node may not act.
#[derive(Debug)]
pub struct Fence {
    gate: Gate,
    registered: AtomicBool,
}

impl Default for Fence {
    fn default() -> Self {
        Self { gate: Gate::shut_at_first(), registered: AtomicBool::new(false) }
    }
}

impl Fence {
    /// What events and timers wait at.
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

    /// A majority of masters has renewed the lease, in a call that began then.
    pub(super) fn renewed(&self, began: Instant) {
        self.registered.store(true, Relaxed);
        self.gate.open_until(began + ACTS_FOR);
    }

    /// It was declared dead, or is leaving.
    pub(super) fn shut(&self) {
        self.gate.shut();
    }
}
