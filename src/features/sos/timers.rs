//! Work for later, at most one of a kind; and Redis' clock, as far as this node knows it.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::core::sync::lock;

/// Which timers are set. A timer is taken out *before* its work begins, so that what comes in meanwhile sets a new one.
pub struct Pending<K>(Mutex<HashSet<K>>);

impl<K> Default for Pending<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Pending<K> {
    /// True if there was none: the caller sets it.
    pub fn add(&self, key: K) -> bool {
        lock(&self.0).insert(key)
    }

    pub fn keys(&self) -> Vec<K>
    where
        K: Clone,
    {
        lock(&self.0).iter().cloned().collect()
    }

    pub fn take(&self, key: &K) {
        lock(&self.0).remove(key);
    }
}

/// Redis' clock, by the last answer that told it. Within one round trip of the truth, which is all that its users need.
#[derive(Default)]
pub struct Clock {
    ahead_ms: AtomicI64,
}

impl Clock {
    /// A script has said what time it is.
    pub fn learn(&self, at_ms: u64) {
        if at_ms > 0 {
            self.ahead_ms.store(at_ms as i64 - local_ms() as i64, Ordering::Relaxed);
        }
    }

    /// ms since 1970.
    pub fn now_ms(&self) -> u64 {
        local_ms().saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed))
    }
}

fn local_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The wait after one that led to nothing: twice as long, at most `most`.
pub fn longer(wait: Duration, most: Duration) -> Duration {
    (wait * 2).min(most)
}
