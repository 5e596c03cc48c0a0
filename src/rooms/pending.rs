//! Work for later, at most one of a kind.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::Duration;

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

/// The wait after one that led to nothing: twice as long, at most `most`.
pub fn longer(wait: Duration, most: Duration) -> Duration {
    (wait * 2).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_is_set_once_until_it_is_taken() {
        let pending = Pending::default();
        assert!(pending.add("a") && !pending.add("a") && pending.add("b"));
        pending.take(&"a");
        assert_eq!(pending.keys(), ["b"]);
        assert!(pending.add("a"));
    }

    #[test]
    fn a_wait_doubles_up_to_its_most() {
        let seconds = Duration::from_secs;
        assert_eq!((longer(seconds(1), seconds(3)), longer(seconds(2), seconds(3))), (seconds(2), seconds(3)));
    }
}
