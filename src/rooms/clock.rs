//! Redis' clock, as far as this node knows it.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::core::clock::now_ms;

/// Redis' clock, by the last answer that told it. Within one round trip of the truth, which is all that its users need.
#[derive(Default)]
pub struct Clock {
    ahead_ms: AtomicI64,
}

impl Clock {
    /// A script has said what time it is.
    pub fn learn(&self, at_ms: u64) {
        if at_ms > 0 {
            self.ahead_ms.store(at_ms as i64 - now_ms() as i64, Ordering::Relaxed);
        }
    }

    /// ms since 1970.
    pub fn now_ms(&self) -> u64 {
        now_ms().saturating_add_signed(self.ahead_ms.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_follows_the_last_answer_and_an_answer_without_a_time_changes_nothing() {
        let clock = Clock::default();
        let hour = 3_600_000;
        clock.learn(now_ms() + hour);
        clock.learn(0);
        assert!(clock.now_ms().abs_diff(now_ms() + hour) < 60_000);
    }
}
