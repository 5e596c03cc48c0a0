//! Bounds how many newcomers are let in at the same moment, so that a storm of them does not starve those who are here: their
//! authentication and their joins wait for a place, not on the processor.
//!
//! A place is given back after [`HOLD`] at the latest. Whoever takes longer waits for something else, such as a master that is
//! away, and is no load meanwhile; others shall not wait for that as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// The longest time that a newcomer keeps its place.
const HOLD: Duration = Duration::from_millis(250);
/// Newcomers that may wait for a place; one more is sent to try again.
const QUEUE: usize = 8_192;
/// How long they wait; then they are sent to try again.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Turnstile {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Held from the decision on a CONNECT to the end of what follows on it.
pub struct Turn {
    permit: Option<OwnedSemaphorePermit>,
    until: Instant,
}

impl Turnstile {
    pub fn new(places: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(places.max(1))), waiting: AtomicUsize::new(0) }
    }

    /// Waits for a place, first come, first served; `None` if there are too many before it.
    pub async fn enter(&self) -> Option<Turn> {
        let permit = match self.places.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let waiting = Waiting(&self.waiting);
                if waiting.0.fetch_add(1, Relaxed) >= QUEUE {
                    return None;
                }
                timeout(PATIENCE, self.places.clone().acquire_owned()).await.ok()?.ok()?
            }
        };
        Some(Turn { permit: Some(permit), until: Instant::now() + HOLD })
    }
}

/// Counts down however the waiting ends.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Turn {
    /// Does a part of the work for which the place was taken.
    pub async fn hold<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        match timeout_at(self.until, &mut work).await {
            Ok(done) => done,
            Err(_) => {
                self.permit = None;
                work.await
            }
        }
    }
}

/// [`Turn::hold`] for whoever may have none.
pub async fn hold<T>(turn: Option<Turn>, work: impl Future<Output = T>) -> T {
    match turn {
        Some(mut turn) => turn.hold(work).await,
        None => work.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn newcomers_wait_for_a_place_and_are_sent_away_when_it_takes_too_long() {
        let turnstile = Turnstile::new(1);
        let place = turnstile.enter().await.expect("a place");
        assert!(turnstile.enter().await.is_none(), "nobody leaves");
        drop(place);
        assert!(turnstile.enter().await.is_some());
        assert_eq!(turnstile.waiting.load(Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_takes_long_gives_its_place_to_others_and_still_comes_to_its_end() {
        let turnstile = Turnstile::new(1);
        let mut place = turnstile.enter().await.expect("a place");
        let slow = place.hold(async {
            tokio::time::sleep(HOLD * 4).await;
            "done"
        });
        let (done, next) = tokio::join!(slow, turnstile.enter());
        assert_eq!(done, "done");
        assert!(next.is_some());
    }
}
