//! Setting a timer: the hint before and the hint behind the script that sets it.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::Instant;

use super::Timers;
use super::scripts::{due_set, timers_hint};
use crate::core::ScopeId;
use crate::core::sync::lock;
use crate::redis::{RedisError, keys};
use crate::telemetry::once_a_minute;

/// A hint is not waited for any longer.
const HINT_DEADLINE: Duration = Duration::from_secs(1);
/// A hint that cannot be written is written later, so often, with pauses from the first to the second; then it is the sweep's.
const HINT_TRIES: u32 = 8;
const HINT_RETRY: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));
/// Hints that may wait for their writing; more are the sweep's.
const MOST_HINTS: usize = 10_000;
/// Scopes that are known to be hinted at; beyond that the ones whose time is over are forgotten.
const MOST_HINTED: usize = 10_000;
/// A hint that is due sooner than this is written anew: it may be taken at any moment.
const SOON: Duration = Duration::from_secs(1);

impl Timers {
    /// To be called before a script that may set a timer which is due in `wait`. Returns within a second: what could not be
    /// written is written once the script has run.
    pub async fn expect(&self, scope: &ScopeId, wait: Duration) {
        let now = Instant::now();
        let is_hinted = |due: &Instant| *due > now + SOON && *due <= now + wait;
        let part = keys::timer_part(scope);
        let is_away = || !self.scopes.redis().is_up(&keys::timers(part));
        if lock(&self.hinted).get(scope).is_some_and(is_hinted) || is_away() {
            return;
        }
        let _ = tokio::time::timeout(HINT_DEADLINE, timers_hint(self.scopes.redis(), part, scope, wait)).await;
    }

    /// To be called when a script has set a timer: in so long it is due. `None`: it has set none.
    pub fn set(self: &Arc<Self>, scope: &ScopeId, due_in: Option<Duration>) {
        let Some(wait) = due_in else { return };
        if self.hints.load(Relaxed) >= MOST_HINTS {
            return;
        }
        self.hints.fetch_add(1, Relaxed);
        let (timers, scope, due) = (self.clone(), scope.clone(), Instant::now() + wait);
        tokio::spawn(async move {
            timers.hint(&scope, due).await;
            timers.hints.fetch_sub(1, Relaxed);
        });
    }

    async fn hint(&self, scope: &ScopeId, due: Instant) {
        let mut pause = HINT_RETRY.0;
        for _ in 0..HINT_TRIES {
            let left = due.saturating_duration_since(Instant::now());
            match timers_hint(self.scopes.redis(), keys::timer_part(scope), scope, left).await {
                Ok(()) => return self.remember(scope, due),
                Err(error) => tracing::debug!(%scope, %error, "a timer cannot be hinted at yet"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(HINT_RETRY.1);
        }
        once_a_minute!(warn, "a timer is not hinted at; it is left to the sweep", %scope);
    }

    fn remember(&self, scope: &ScopeId, due: Instant) {
        let (mut hinted, now) = (lock(&self.hinted), Instant::now());
        if hinted.len() >= MOST_HINTED {
            hinted.retain(|_, due| *due > now);
        }
        if hinted.len() < MOST_HINTED && due > now + SOON {
            hinted.insert(scope.clone(), due);
        }
    }

    /// Sets a timer, for one subject or (empty) for none, in place of the moment to which it was set. Neither name nor subject
    /// may be long, and a name has no spaces.
    ///
    /// # Errors
    /// [`RedisError`]; the timer may be set all the same.
    pub async fn arm(self: &Arc<Self>, scope: &ScopeId, timer: &str, subject: &str, wait: Duration) -> Result<(), RedisError> {
        self.expect(scope, wait).await;
        due_set(self.scopes.redis(), scope, &row(timer, subject), Some(wait)).await?;
        self.set(scope, Some(wait));
        Ok(())
    }

    /// Clears a timer.
    ///
    /// # Errors
    /// [`RedisError`]; the timer may be cleared all the same.
    pub async fn clear(&self, scope: &ScopeId, timer: &str, subject: &str) -> Result<(), RedisError> {
        due_set(self.scopes.redis(), scope, &row(timer, subject), None).await
    }
}

fn row(timer: &str, subject: &str) -> String {
    if subject.is_empty() { timer.to_owned() } else { format!("{timer} {subject}") }
}
