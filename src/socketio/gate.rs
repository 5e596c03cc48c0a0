//! A gate before all event queues: while the node has no valid lease it may not act, and events wait here.
//!
//! It is open *until* a time. A process that was suspended for longer finds it shut before anything else runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Cheap to clone; all clones are the same gate. [`Gate::default`] is always open.
#[derive(Clone, Debug)]
pub struct Gate(Arc<watch::Sender<State>>);

#[derive(Clone, Copy, Debug)]
enum State {
    Open,
    OpenUntil(Instant),
    ShutSince(Instant),
}

impl Default for Gate {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::Open)))
    }
}

impl Gate {
    /// A gate that is shut until it is opened.
    pub fn shut_at_first() -> Self {
        Self(Arc::new(watch::Sender::new(State::ShutSince(Instant::now()))))
    }

    /// Opens it until then; waiting tasks pass.
    pub fn open_until(&self, until: Instant) {
        self.0.send_replace(State::OpenUntil(until));
    }

    pub fn shut(&self) {
        let now = Instant::now();
        self.0.send_modify(|state| {
            if !matches!(state, State::ShutSince(_)) {
                *state = State::ShutSince(now);
            }
        });
    }

    pub fn is_open(&self) -> bool {
        self.0.borrow().shut_since().is_none()
    }

    /// Waits until it is open, but no longer than until it has been shut for `patience`. False if it is shut then.
    pub async fn pass(&self, patience: Duration) -> bool {
        let Some(since) = self.0.borrow().shut_since() else { return true };
        let mut changes = self.0.subscribe();
        let opens = changes.wait_for(|state| state.shut_since().is_none());
        matches!(tokio::time::timeout_at(since + patience, opens).await, Ok(Ok(_)))
    }
}

impl State {
    fn shut_since(self) -> Option<Instant> {
        match self {
            Self::Open => None,
            Self::OpenUntil(until) => (until <= Instant::now()).then_some(until),
            Self::ShutSince(since) => Some(since),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn whoever_waits_passes_when_it_opens() {
        let gate = Gate::shut_at_first();
        let waiting = tokio::spawn({
            let gate = gate.clone();
            async move { gate.pass(PATIENCE).await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished() && !gate.is_open());
        gate.open_until(Instant::now() + PATIENCE);
        assert!(waiting.await.unwrap() && gate.is_open());
        gate.shut();
        assert!(!gate.is_open() && Gate::default().is_open());
    }

    #[tokio::test]
    async fn nobody_waits_at_a_gate_that_has_been_shut_for_long() {
        let gate = Gate::default();
        gate.open_until(Instant::now() - PATIENCE);
        assert!(!gate.pass(PATIENCE).await);
        let since = Instant::now();
        gate.shut();
        assert!(!gate.pass(Duration::from_millis(20)).await);
        assert!(since.elapsed() >= Duration::from_millis(20));
    }
}
