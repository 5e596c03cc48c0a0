//! Work that one node at a time does for a scope, such as to deliver an outbox or to hold a stream of speech. A worker is woken
//! when there is something to do; it goes on until there is nothing left. That no other node works as well is for its lease
//! to see to (`super::lease`), which the work takes at each turn: when the node dies, another one's worker takes over.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::pending::longer;
use crate::core::sync::lock;

/// What a worker does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There may be more to do: at once.
    GoOn,
    /// It failed: wait, longer each time.
    BackOff,
    /// It is not this node's turn, or not yet: wait so long.
    Wait(Duration),
    /// Nothing is left.
    Done,
}

/// The work itself.
pub trait Work: Send + Sync + 'static {
    /// One turn of the worker of `scope`. It must come to an end by itself.
    fn turn<'a>(&'a self, scope: &'a str) -> Pin<Box<dyn Future<Output = Turn> + Send + 'a>>;
}

/// The workers of this node, at most one for each scope. The flag: it was woken since its turn began.
#[derive(Clone, Default)]
pub struct Workers(Arc<Mutex<HashMap<String, bool>>>);

impl Workers {
    /// Scopes that have a worker here.
    pub fn running(&self) -> Vec<String> {
        lock(&self.0).keys().cloned().collect()
    }

    /// There is something to do for `scope`. The worker holds no [`Arc`] of the work between two turns, and ends with it.
    pub fn wake<W: Work>(&self, work: &Arc<W>, scope: &str, (shortest, longest): (Duration, Duration)) {
        let mut running = lock(&self.0);
        if let Some(woken) = running.get_mut(scope) {
            *woken = true;
            return;
        }
        running.insert(scope.to_owned(), false);
        drop(running);
        let (weak, mut place) = (Arc::downgrade(work), Place { workers: self.clone(), scope: scope.to_owned(), left: false });
        tokio::spawn(async move {
            let mut pause = shortest;
            loop {
                let Some(work) = weak.upgrade() else { return };
                let turn = work.turn(&place.scope).await;
                drop(work);
                let wait = match turn {
                    Turn::GoOn => {
                        pause = shortest;
                        continue;
                    }
                    Turn::Done if place.leave() => return,
                    Turn::Done => continue,
                    Turn::Wait(wait) => wait,
                    Turn::BackOff => {
                        let wait = pause;
                        pause = longer(pause, longest);
                        wait
                    }
                };
                tokio::time::sleep(wait).await;
            }
        });
    }
}

/// The entry of a running worker. It goes with the worker, also if a turn panics.
struct Place {
    workers: Workers,
    scope: String,
    left: bool,
}

impl Place {
    /// Nothing is left. False if the worker was woken since: it stays.
    fn leave(&mut self) -> bool {
        let mut running = lock(&self.workers.0);
        if running.get_mut(&self.scope).is_some_and(std::mem::take) {
            return false;
        }
        running.remove(&self.scope);
        self.left = true;
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // After it has left, the entry belongs to another worker.
        if !self.left {
            lock(&self.workers.0).remove(&self.scope);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio::sync::Notify;

    use super::*;

    const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));

    /// Work whose turns are written down before; after them there is nothing left.
    #[derive(Default)]
    struct Script {
        turns: Mutex<VecDeque<Turn>>,
        begun: Mutex<Vec<tokio::time::Instant>>,
        /// Turns wait for this, if they are to be held up.
        held: Option<Notify>,
    }

    impl Work for Script {
        fn turn<'a>(&'a self, _scope: &'a str) -> Pin<Box<dyn Future<Output = Turn> + Send + 'a>> {
            Box::pin(async move {
                lock(&self.begun).push(tokio::time::Instant::now());
                if let Some(held) = &self.held {
                    held.notified().await;
                }
                lock(&self.turns).pop_front().unwrap_or(Turn::Done)
            })
        }
    }

    impl Script {
        fn of(turns: impl IntoIterator<Item = Turn>) -> Arc<Self> {
            Arc::new(Self { turns: Mutex::new(turns.into_iter().collect()), ..Self::default() })
        }

        fn begun(&self) -> Vec<tokio::time::Instant> {
            lock(&self.begun).clone()
        }
    }

    async fn until(fact: impl Fn() -> bool) {
        while !fact() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_backs_off_waits_its_turn_and_leaves_when_nothing_is_left() {
        let wait = Turn::Wait(Duration::from_secs(7));
        let back_off = Turn::BackOff;
        let work = Script::of([back_off, back_off, back_off, back_off, Turn::GoOn, back_off, wait]);
        let workers = Workers::default();
        workers.wake(&work, "a", BACKOFF);
        assert_eq!(workers.running(), ["a"]);
        until(|| workers.running().is_empty()).await;
        let begun = work.begun();
        let waits: Vec<_> = begun.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 4, 0, 1, 7]);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_one_worker_for_a_scope_and_what_comes_during_its_last_turn_is_done() {
        let work = Arc::new(Script { held: Some(Notify::new()), ..Script::default() });
        let workers = Workers::default();
        workers.wake(&work, "a", BACKOFF);
        until(|| work.begun().len() == 1).await;
        workers.wake(&work, "a", BACKOFF);
        workers.wake(&work, "a", BACKOFF);
        work.held.as_ref().expect("held").notify_one();
        until(|| work.begun().len() == 2).await;
        assert_eq!(workers.running(), ["a"]);
        work.held.as_ref().expect("held").notify_one();
        until(|| workers.running().is_empty()).await;
        assert_eq!(work.begun().len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_whose_turn_panics_leaves_its_place_to_the_next() {
        struct Panics;
        impl Work for Panics {
            fn turn<'a>(&'a self, _scope: &'a str) -> Pin<Box<dyn Future<Output = Turn> + Send + 'a>> {
                Box::pin(async { panic!("as asked") })
            }
        }
        let workers = Workers::default();
        workers.wake(&Arc::new(Panics), "a", BACKOFF);
        until(|| workers.running().is_empty()).await;
        let work = Script::of([]);
        workers.wake(&work, "a", BACKOFF);
        until(|| workers.running().is_empty()).await;
        assert_eq!(work.begun().len(), 1);
    }
}
