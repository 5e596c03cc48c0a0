//! How a process comes up and goes away: the phases that others look at, the signal, and the plan by which clients leave.

use std::time::Duration;

use rand::Rng;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Where this process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Starting,
    Serving,
    /// A signal came: no longer ready, though still serving for a while.
    Draining,
}

/// The present phase; cheap to clone.
#[derive(Clone, Debug)]
pub struct Lifecycle(watch::Sender<Phase>);

impl Default for Lifecycle {
    fn default() -> Self {
        Self(watch::channel(Phase::Starting).0)
    }
}

impl Lifecycle {
    pub fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    pub fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }
}

/// Waits for SIGTERM or SIGINT, and says which.
///
/// # Errors
/// If the handlers cannot be installed.
pub async fn asked_to_stop() -> std::io::Result<&'static str> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}

/// When each of `count` clients is sent away, ascending from 0: one at a random moment of each of `count` equal parts of
/// `over`. So the nodes that take them see an even stream, and no two draining nodes send theirs in step.
pub fn spread(count: usize, over: Duration, rng: &mut impl Rng) -> Vec<Duration> {
    let part = over.div_f64(count.max(1) as f64);
    (0..count).map(|index| part.mul_f64(index as f64 + rng.random::<f64>())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_leave_one_in_each_part_of_the_time() {
        let mut rng = rand::rng();
        let over = Duration::from_secs(20);
        for count in [1, 7, 10_000] {
            let plan = spread(count, over, &mut rng);
            let part = over / count as u32;
            for (index, at) in plan.iter().enumerate() {
                let slack = Duration::from_micros(100);
                assert!(
                    *at + slack >= part * index as u32 && *at <= part * (index as u32 + 1) + slack,
                    "{index} of {count}: {at:?}"
                );
            }
        }
        assert!(spread(0, over, &mut rng).is_empty());
        assert_eq!(spread(2, Duration::ZERO, &mut rng), [Duration::ZERO; 2]);
    }

    #[test]
    fn a_phase_is_seen_by_all_who_look() {
        let lifecycle = Lifecycle::default();
        let other = lifecycle.clone();
        assert_eq!(other.phase(), Phase::Starting);
        lifecycle.enter(Phase::Draining);
        assert_eq!(other.phase(), Phase::Draining);
    }
}
