//! Events of which only the newest counts: at most one in a window goes out, and the newest that came meanwhile goes out when the
//! window ends. What waits is kept in Redis; a node only holds a timer, which reminds it. Should the node die, the next write
//! or another node's sweep sends what waits.

use std::hash::Hash;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::pending::{Pending, longer};
use crate::core::sync::lock;

/// Timers that end windows: one for each key on this node.
pub struct Windows<K> {
    open: Arc<Pending<K>>,
    /// The first and the longest wait before an end that failed is tried again, and how often it is tried.
    retry: (Duration, Duration),
    tries: u32,
}

impl<K: Eq + Hash + Clone + Send + Sync + 'static> Windows<K> {
    pub fn new(tries: u32, retry: (Duration, Duration)) -> Self {
        Self { open: Arc::default(), retry, tries }
    }

    /// Keys whose window will be ended by this node.
    pub fn keys(&self) -> Vec<K> {
        self.open.keys()
    }

    /// Calls `end` after `wait`, unless a timer is set for this key. `end` says whether it has done its work; before each call
    /// the key is free, so that what comes meanwhile sets a new timer. What fails to the last is left to others.
    pub fn end_in<F, R>(&self, key: K, wait: Duration, end: F)
    where
        F: Fn(K) -> R + Send + 'static,
        R: Future<Output = bool> + Send,
    {
        if !self.open.add(key.clone()) {
            return;
        }
        let (open, tries, (mut pause, longest)) = (self.open.clone(), self.tries, self.retry);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            for _ in 0..tries {
                open.take(&key);
                if end(key.clone()).await {
                    return;
                }
                tokio::time::sleep(pause).await;
                pause = longer(pause, longest);
            }
        });
    }
}

/// The window of the last event that a connection sent, as far as its node knows: whose it is, and when it ends.
#[derive(Default)]
pub struct LastWindow(Mutex<Option<(Box<str>, Instant)>>);

impl LastWindow {
    /// An event was sent for `scope`; the next one may be sent at `end`, not earlier by Redis' clock.
    pub fn until(&self, scope: &str, end: Instant) {
        match &mut *lock(&self.0) {
            Some((known, at)) if **known == *scope => *at = end,
            window => *window = Some((scope.into(), end)),
        }
    }

    /// How much is left of the window, if one is open. (To sleep for no time at all would cost a round of the timer.)
    pub fn left(&self, scope: &str) -> Option<Duration> {
        let window = lock(&self.0);
        let (_, end) = window.as_ref().filter(|(known, _)| **known == *scope)?;
        end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn a_window_ends_once_and_a_failed_end_is_tried_again_so_often() {
        let windows = Windows::new(3, (SECOND, 2 * SECOND));
        let (calls, begun) = (Arc::new(AtomicU32::new(0)), tokio::time::Instant::now());
        let end = |done_at: u32| {
            let calls = calls.clone();
            move |_key| {
                let call = calls.fetch_add(1, SeqCst) + 1;
                std::future::ready(call >= done_at)
            }
        };
        windows.end_in("a", 5 * SECOND, end(2));
        windows.end_in("a", SECOND, end(1));
        assert_eq!(windows.keys(), ["a"]);
        tokio::time::sleep(20 * SECOND).await;
        assert_eq!((calls.load(SeqCst), begun.elapsed()), (2, 20 * SECOND), "the second timer was not set");
        windows.end_in("a", SECOND, end(100));
        tokio::time::sleep(20 * SECOND).await;
        assert_eq!(calls.load(SeqCst), 5, "three tries more");
        assert!(windows.keys().is_empty());
    }

    #[test]
    fn only_the_last_scopes_window_is_known() {
        let window = LastWindow::default();
        window.until("a", Instant::now() + SECOND);
        assert!(window.left("a").is_some() && window.left("b").is_none());
        window.until("b", Instant::now());
        assert!(window.left("a").is_none() && window.left("b").is_none());
    }
}
