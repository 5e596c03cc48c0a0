//! How often a stream may be opened: so many times a minute over all nodes, counted in Redis. Those who wait on one node stand in
//! one line.

use std::time::Duration;

use futures_util::future::BoxFuture;
use rand::Rng as _;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Reason, Unavailable};
use crate::http::guards::limit::limit_take;
use crate::redis::Redis;
use crate::telemetry::once_a_minute;

/// Between two tries while Redis cannot count.
const PAUSE: Duration = Duration::from_millis(500);

/// Counts what was opened.
pub trait Openings: Send + Sync {
    /// Takes one opening, or says how long to wait before the next try. `None`: that cannot be known now.
    fn take(&self) -> BoxFuture<'_, Option<Result<(), Duration>>>;
}

/// Counts for all nodes.
pub struct SharedOpenings {
    redis: Redis,
    account: Box<str>,
    burst: u32,
    period_ms: u64,
}

impl SharedOpenings {
    /// `account` is whose streams are counted. Of a key of the vendor only what does not show it may be passed.
    pub fn new(redis: Redis, account: &str, per_minute: u32) -> Self {
        let (burst, period_ms) = bucket(per_minute);
        Self { redis, account: account.into(), burst, period_ms }
    }
}

/// A bucket that lets no more than so many through in any minute, however it was filled: a tenth at once, the others evenly.
fn bucket(per_minute: u32) -> (u32, u64) {
    let burst = (per_minute / 10).max(1);
    let evenly = per_minute.saturating_sub(burst).max(1);
    (burst, (60_000 * u64::from(burst)).div_ceil(u64::from(evenly)))
}

impl Openings for SharedOpenings {
    fn take(&self) -> BoxFuture<'_, Option<Result<(), Duration>>> {
        Box::pin(async {
            match limit_take(&self.redis, "speech-streams", &self.account, self.burst, self.period_ms).await {
                Ok(taken) if taken.allowed => Some(Ok(())),
                Ok(taken) => Some(Err(Duration::from_millis(taken.retry_after_ms))),
                Err(error) => {
                    once_a_minute!(warn, "speech streams cannot be counted", %error);
                    None
                }
            }
        })
    }
}

/// Those of this node who wait to open a stream.
pub struct Line {
    openings: Box<dyn Openings>,
    first: Mutex<()>,
}

impl Line {
    pub fn new(openings: Box<dyn Openings>) -> Self {
        Self { openings, first: Mutex::new(()) }
    }

    /// Waits until it is this one's turn.
    ///
    /// # Errors
    /// [`Reason::Busy`] if that is not before `deadline`.
    pub async fn turn(&self, deadline: Instant) -> Result<(), Unavailable> {
        let busy =
            || Unavailable { reason: Reason::Busy, detail: "too many new streams a minute (STT_SESSIONS_PER_MINUTE)".into() };
        let wait = async {
            // Only the first in line asks, so that a hundred who wait are not a hundred who ask.
            let _first = self.first.lock().await;
            loop {
                let wait = match self.openings.take().await {
                    Some(Ok(())) => return Ok(()),
                    Some(Err(wait)) => wait,
                    None => PAUSE,
                };
                // Nodes that were refused at the same moment do not ask again at the same moment.
                let jitter = rand::rng().random_range(0.0..0.5);
                let wait = wait.max(Duration::from_millis(20)).mul_f64(1.0 + jitter);
                if Instant::now() + wait >= deadline {
                    return Err(busy());
                }
                sleep(wait).await;
            }
        };
        timeout_at(deadline, wait).await.unwrap_or_else(|_| Err(busy()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn in_no_minute_are_there_more_than_the_setting_says() {
        for per_minute in [1, 2, 5, 60, 100, 1000] {
            let (burst, period_ms) = bucket(per_minute);
            let in_a_minute = u64::from(burst) + 60_000 * u64::from(burst) / period_ms;
            assert!(in_a_minute <= u64::from(per_minute.max(2)), "{per_minute}: {in_a_minute}");
        }
        assert_eq!(bucket(100), (10, 6_667));
    }

    /// Refuses so many times.
    struct Refusing(AtomicU32);

    impl Openings for Refusing {
        fn take(&self) -> BoxFuture<'_, Option<Result<(), Duration>>> {
            let left = self.0.load(Ordering::Relaxed);
            self.0.store(left.saturating_sub(1), Ordering::Relaxed);
            let answer = match left {
                0 => Some(Ok(())),
                3 => None,
                _ => Some(Err(Duration::from_secs(1))),
            };
            Box::pin(async move { answer })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_refused_waits_and_asks_again_until_the_deadline() {
        let line = Line::new(Box::new(Refusing(AtomicU32::new(4))));
        let start = Instant::now();
        line.turn(start + Duration::from_secs(60)).await.unwrap();
        assert!((3..=6).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        let line = Line::new(Box::new(Refusing(AtomicU32::new(1000))));
        let start = Instant::now();
        assert_eq!(line.turn(start + Duration::from_secs(5)).await.unwrap_err().reason, Reason::Busy);
        assert!(start.elapsed() <= Duration::from_secs(5));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_stand_in_one_line() {
        let line = Line::new(Box::new(Refusing(AtomicU32::new(1))));
        let deadline = Instant::now() + Duration::from_secs(60);
        let all = futures_util::future::join_all((0..100).map(|_| line.turn(deadline))).await;
        assert!(all.iter().all(Result::is_ok));
    }
}
