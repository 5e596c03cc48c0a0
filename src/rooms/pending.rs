//! Work for later, at most one of a kind.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio_util::task::TaskTracker;

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

/// Does work until it says that it is done: at most so often, with pauses from the first to the longest. False: it was never
/// done.
pub async fn until_done<R>(tries: u32, (mut pause, longest): (Duration, Duration), mut work: impl FnMut() -> R) -> bool
where
    R: Future<Output = bool>,
{
    for _ in 0..tries {
        if work().await {
            return true;
        }
        tokio::time::sleep(pause).await;
        pause = longer(pause, longest);
    }
    false
}

/// A lost connection that cannot be noted in Redis is noted later, with pauses from the first to the second.
const LOST_RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Then its node's lease tells others that it is gone; the room may have ended too.
const LOST_TRIES: u32 = 120;

/// Lost connections that are being noted in Redis. A drain waits for them.
#[derive(Default)]
pub struct Losses(TaskTracker);

impl Losses {
    /// Calls `note` until it says that the loss is noted. Between the calls `owner` is not kept alive.
    pub fn note<T, L, R>(&self, owner: &Arc<T>, loss: L, note: impl Fn(Arc<T>, Arc<L>) -> R + Send + 'static)
    where
        T: Send + Sync + 'static,
        L: Send + Sync + 'static,
        R: Future<Output = bool> + Send + 'static,
    {
        let (owner, loss) = (Arc::downgrade(owner), Arc::new(loss));
        self.0.spawn(until_done(LOST_TRIES, LOST_RETRY, move || {
            let noting = owner.upgrade().map(|owner| note(owner, loss.clone()));
            async move {
                match noting {
                    Some(noting) => noting.await,
                    None => true,
                }
            }
        }));
    }

    /// How many are not noted yet.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    #[test]
    fn a_timer_is_set_once_until_it_is_taken() {
        let pending = Pending::default();
        assert!(pending.add("a") && !pending.add("a") && pending.add("b"));
        pending.take(&"a");
        assert_eq!(pending.keys(), ["b"]);
        assert!(pending.add("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loss_is_noted_once_that_is_possible_and_counts_until_then() {
        let (losses, tries, begun) = (Losses::default(), Arc::new(AtomicU32::new(0)), tokio::time::Instant::now());
        losses.note(&tries, 3, |tries, last| std::future::ready(tries.fetch_add(1, SeqCst) == *last));
        assert_eq!(losses.count(), 1);
        while losses.count() > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!((tries.load(SeqCst), begun.elapsed().as_secs()), (4, 7), "after 1 s, 2 s and 4 s");
        assert!(!until_done(3, LOST_RETRY, || std::future::ready(false)).await);
    }

    #[test]
    fn a_wait_doubles_up_to_its_most() {
        let seconds = Duration::from_secs;
        assert_eq!((longer(seconds(1), seconds(3)), longer(seconds(2), seconds(3))), (seconds(2), seconds(3)));
    }
}
