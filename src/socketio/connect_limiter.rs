//! Limits how many CONNECTs are handled at the same time, so that many at once do not slow down the connected clients:
//! authentication and joins wait for a permit here instead of for the processor.
//!
//! A permit is released after [`HOLD`] at the latest. A CONNECT that takes longer waits for something else, such as a Redis
//! master that is away, and uses no processor time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

/// The longest time that a CONNECT keeps its permit.
const HOLD: Duration = Duration::from_millis(250);
/// CONNECTs that may wait for a permit. One more is refused, and its client tries again.
const QUEUE: usize = 8_192;
/// How long they wait; then they are refused in the same way.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct ConnectLimiter {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// Held from the decision on a CONNECT until its `on_connected` handler has ended.
pub struct ConnectPermit {
    permit: Option<OwnedSemaphorePermit>,
    until: Instant,
}

impl ConnectLimiter {
    pub fn new(permits: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(permits.max(1))), waiting: AtomicUsize::new(0) }
    }

    /// Waits for a permit, first come, first served; `None` if too many wait already, or if it takes too long.
    pub async fn enter(&self) -> Option<ConnectPermit> {
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let waiting = Waiting(&self.waiting);
                if waiting.0.fetch_add(1, Relaxed) >= QUEUE {
                    return None;
                }
                timeout(PATIENCE, self.permits.clone().acquire_owned()).await.ok()?.ok()?
            }
        };
        Some(ConnectPermit { permit: Some(permit), until: Instant::now() + HOLD })
    }
}

/// Counts down when the waiting ends, also when its future is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl ConnectPermit {
    /// Runs a part of the work under the permit.
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

/// [`ConnectPermit::hold`] with a permit, if there is one.
pub async fn hold<T>(permit: Option<ConnectPermit>, work: impl Future<Output = T>) -> T {
    match permit {
        Some(mut permit) => permit.hold(work).await,
        None => work.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn connects_wait_for_a_permit_and_are_sent_away_when_it_takes_too_long() {
        let limiter = ConnectLimiter::new(1);
        let permit = limiter.enter().await.expect("a permit");
        assert!(limiter.enter().await.is_none(), "no permit is given back");
        drop(permit);
        assert!(limiter.enter().await.is_some());
        assert_eq!(limiter.waiting.load(Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connect_that_takes_long_gives_its_permit_to_others_and_still_comes_to_its_end() {
        let limiter = ConnectLimiter::new(1);
        let mut permit = limiter.enter().await.expect("a permit");
        let slow = permit.hold(async {
            tokio::time::sleep(HOLD * 4).await;
            "done"
        });
        let (done, next) = tokio::join!(slow, limiter.enter());
        assert_eq!(done, "done");
        assert!(next.is_some());
    }
}
