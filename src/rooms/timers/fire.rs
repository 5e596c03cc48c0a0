//! Firing what is due in one scope.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use rand::Rng;
use tokio::time::{Instant, timeout};

use super::poll::HOLD;
use super::scripts::{DueRow, Settled, Taken, due_read};
use super::{Due, Fired, Timers};
use crate::core::ScopeId;
use crate::core::sync::lock;
use crate::redis::keys;
use crate::telemetry::metrics::{TIMER_LATE_SECONDS, TIMERS_FIRED};
use crate::telemetry::{due, once_a_minute};

/// Timers of one scope that are told at a time.
const ROWS: usize = 32;
/// A handler has failed if it is not done by then.
const PATIENCE: Duration = Duration::from_secs(10);
/// The shortest and the longest pause after a failure. Not long: once Redis is back, what was due is late by this at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// So often in a row a timer that has no handler here is left to other nodes, which may have one; then it is looked at seldom.
const LEFT_TO_OTHERS: u32 = 100;
/// Scopes whose failures are counted; of others each failure is the first.
const MOST_FAILURES: usize = 10_000;

impl Timers {
    /// Fires what is due in a scope that was taken, and says when to look there again.
    pub(super) async fn settle(&self, taken: Taken) -> Settled {
        let next = match taken.name.parse::<ScopeId>() {
            Ok(scope) => self.fire_all(&scope, &taken.name).await,
            Err(()) => Some(self.left_to_others(&taken.name)),
        };
        Settled { taken, next }
    }

    async fn fire_all(&self, scope: &ScopeId, name: &str) -> Option<Duration> {
        let began = Instant::now();
        loop {
            if !self.scopes.may_act().await {
                return Some(HOLD);
            }
            // Nobody waits here for a master that is away.
            let redis = self.scopes.redis();
            if !redis.is_up(&keys::scope_due(scope)) {
                return Some(self.failed(name));
            }
            let Ok(found) = due_read(redis, scope, ROWS).await else { return Some(self.failed(name)) };
            let (mut next, mut has_failed, mut is_unknown) = (found.next, false, false);
            let earlier = |next: Option<Duration>, wait| Some(next.map_or(wait, |next| next.min(wait)));
            for due in self.by_name(scope, found.rows, &mut is_unknown) {
                match self.fire(due).await {
                    Fired::Done => {}
                    Fired::Again(wait) => next = earlier(next, wait),
                    Fired::Failed => has_failed = true,
                }
            }
            if has_failed || is_unknown {
                // What else is in the scope does not wait for that, unless it is due now.
                let pause = if has_failed { self.failed(name) } else { self.left_to_others(name) };
                return earlier(next.filter(|next| !next.is_zero()), pause);
            }
            if next != Some(Duration::ZERO) || began.elapsed() * 2 > HOLD {
                lock(&self.failures).remove(name);
                return next;
            }
        }
    }

    /// The rows by the names of their timers, without those that have no handler here.
    fn by_name(&self, scope: &ScopeId, rows: Vec<DueRow>, is_unknown: &mut bool) -> Vec<Due> {
        let mut found: HashMap<&'static str, Due> = HashMap::new();
        let handlers = lock(&self.handlers);
        for DueRow { row, late } in rows {
            let (timer, subject) = row.split_once(' ').unwrap_or((&row, ""));
            let known = handlers.keys().find(|(kind, name)| *kind == scope.kind && *name == timer);
            let Some(&(_, timer)) = known else {
                *is_unknown = true;
                continue;
            };
            let due = || Due { scope: scope.clone(), timer, subjects: Vec::new(), late };
            found.entry(timer).or_insert_with(due).subjects.push(subject.to_owned());
        }
        found.into_values().collect()
    }

    async fn fire(&self, due: Due) -> Fired {
        let (scope, timer, late) = (due.scope.clone(), due.timer, due.late);
        let handler = lock(&self.handlers).get(&(scope.kind, timer)).cloned();
        let Some(handler) = handler else { return Fired::Failed };
        let fired = async { handler.on_due(due).await };
        let fired = match timeout(PATIENCE, AssertUnwindSafe(fired).catch_unwind()).await {
            Ok(Ok(fired)) => fired,
            Ok(Err(_)) => {
                once_a_minute!(error, "the handler of a timer has panicked", %scope, timer);
                Fired::Failed
            }
            Err(_) => Fired::Failed,
        };
        let outcome = match fired {
            Fired::Done => "done",
            Fired::Again(_) => "again",
            Fired::Failed => "failed",
        };
        metrics::counter!(TIMERS_FIRED, "timer" => timer, "outcome" => outcome).increment(1);
        if fired != Fired::Failed {
            metrics::histogram!(TIMER_LATE_SECONDS).record(late.as_secs_f64());
        } else if let Some(times) = self::due("a timer's work could not be done") {
            tracing::warn!(%scope, timer, times, "a timer's work could not be done; it is tried again");
        }
        fired
    }

    /// The pause after a failure: the longer the more often in a row, and not the same on every node.
    fn failed(&self, name: &str) -> Duration {
        let times = self.count(name);
        let pause = RETRY.0.saturating_mul(1 << (times - 1).min(6)).min(RETRY.1);
        pause.mul_f64(rand::rng().random_range(0.5..1.0))
    }

    /// The pause before a timer without a handler here, of a later release or of a feature that is off, may be taken again.
    fn left_to_others(&self, name: &str) -> Duration {
        if self.count(name) <= LEFT_TO_OTHERS { HOLD } else { RETRY.1 }
    }

    /// How often in a row a scope's timers could not be fired here, this time included.
    fn count(&self, name: &str) -> u32 {
        let mut failures = lock(&self.failures);
        if let Some(times) = failures.get_mut(name) {
            *times = times.saturating_add(1);
            return *times;
        }
        if failures.len() < MOST_FAILURES {
            failures.insert(name.to_owned(), 1);
        }
        1
    }
}
