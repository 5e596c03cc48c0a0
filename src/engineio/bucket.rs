//! A token bucket: a burst, and a rate over time.

use std::time::Duration;

use tokio::time::Instant;

/// How fast a bucket fills, and how much it holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    /// At least 1.
    pub burst: f64,
}

#[derive(Debug)]
pub struct Bucket {
    /// May be negative, down to minus a burst.
    tokens: f64,
    refilled: Instant,
}

impl Bucket {
    pub fn full(rate: Rate) -> Self {
        Self::holding(rate.burst, rate)
    }

    /// A bucket with so many tokens; see [`Bucket::left`].
    pub fn holding(tokens: f64, rate: Rate) -> Self {
        Self { tokens: tokens.clamp(-rate.burst, rate.burst), refilled: Instant::now() }
    }

    /// The tokens that it has now.
    pub fn left(&mut self, rate: Rate) -> f64 {
        self.refill(rate);
        self.tokens
    }

    /// Takes `cost` if there is so much. A cost above the burst counts as the burst, so that a full bucket always has enough.
    pub fn take(&mut self, cost: f64, rate: Rate) -> bool {
        self.refill(rate);
        let cost = cost.min(rate.burst);
        let enough = self.tokens >= cost;
        if enough {
            self.tokens -= cost;
        }
        enough
    }

    /// Takes `cost` in any case. `Some`: how long until the bucket is not negative any more.
    pub fn spend(&mut self, cost: f64, rate: Rate) -> Option<Duration> {
        self.refill(rate);
        self.tokens = (self.tokens - cost).max(-rate.burst);
        (self.tokens < 0.0).then(|| {
            let seconds = -self.tokens / rate.per_second;
            Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
        })
    }

    fn refill(&mut self, rate: Rate) {
        let now = Instant::now();
        let earned = now.duration_since(self.refilled).as_secs_f64() * rate.per_second;
        self.tokens = (self.tokens + earned).min(rate.burst);
        self.refilled = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 2.0, burst: 4.0 };

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_taken_at_once_and_the_rest_as_it_fills() {
        let mut bucket = Bucket::full(RATE);
        assert!((0..4).all(|_| bucket.take(1.0, RATE)));
        assert!(!bucket.take(1.0, RATE));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(bucket.take(1.0, RATE) && !bucket.take(1.0, RATE));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(bucket.left(RATE), 4.0);
        assert!(bucket.take(100.0, RATE), "as much as it holds");
        assert_eq!(bucket.left(RATE), 0.0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_debt_is_paid_by_waiting_and_has_an_end() {
        let mut bucket = Bucket::full(RATE);
        assert_eq!(bucket.spend(4.0, RATE), None);
        assert_eq!(bucket.spend(1.0, RATE), Some(Duration::from_millis(500)));
        assert_eq!(bucket.spend(1e9, RATE), Some(Duration::from_secs(2)));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(bucket.spend(0.0, RATE), None);
        let mut never = Bucket::full(Rate { per_second: 0.0, ..RATE });
        assert_eq!(never.spend(5.0, Rate { per_second: 0.0, ..RATE }), Some(Duration::MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn one_goes_on_where_another_was() {
        assert_eq!(Bucket::holding(1.5, RATE).left(RATE), 1.5);
        for (told, left) in [(1e300, 4.0), (-1e300, -4.0)] {
            assert_eq!(Bucket::holding(told, RATE).left(RATE), left, "another node is not believed more than a burst");
        }
    }
}
