//! What each node does in each interval: it completes the sessions whose time is over. One node at a time also sweeps.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng as _;
use tokio::time::{sleep, timeout};

use super::Bookings;
use super::metrics::SESSION_TIMEOUTS;
use super::store::Limits;
use crate::core::error::chain;
use crate::telemetry::{due, once_a_minute};

/// Rows that one statement completes.
const AT_ONCE: u32 = 100;
/// The number of the sweep among the jobs that run on one node at a time.
const SWEEP: i32 = 1;
/// How long the start of a node waits for PostgreSQL. After that the node starts without it.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How often a node checks that the limits in PostgreSQL are its own. If it sweeps more often, it checks as often as it
/// sweeps.
const LIMITS_EVERY: Duration = Duration::from_secs(4);
/// Until PostgreSQL is asked again whether it is there.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Bookings {
    /// Starts the jobs. It waits a moment for PostgreSQL, so that a node that reaches PostgreSQL serves its very first
    /// request.
    pub async fn start_jobs(self: &Arc<Self>) {
        let (bookings, stopping) = (self.clone(), self.stopping.clone());
        let prepared = Arc::new(tokio::sync::Notify::new());
        let told = prepared.clone();
        tokio::spawn(stopping.run_until_cancelled_owned(async move {
            bookings.prepare().await;
            told.notify_one();
            tokio::join!(bookings.rounds(), bookings.watch_limits());
        }));
        let _ = timeout(FIRST_LOOK, prepared.notified()).await;
    }

    /// Tries until the tables are there.
    async fn prepare(&self) {
        loop {
            match self.store.prepare(self.rules.limits()).await {
                Ok(row) => return self.compare_limits(row),
                Err(error) => {
                    once_a_minute!(warn, "interview sessions: PostgreSQL is not prepared; trying again", error = chain(&error));
                }
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    fn compare_limits(&self, row: Limits) {
        let (own, agreed) = (self.rules.limits(), self.readiness.limits_agree());
        self.readiness.prepared(row == own);
        match (agreed, row == own) {
            (true, false) => tracing::error!(
                ?own,
                ?row,
                "MAX_CONCURRENT_INTERVIEWS and MAX_ACTIVE_SESSIONS_PER_USER are not those in PostgreSQL: this node starts no sessions"
            ),
            (false, true) => tracing::info!("the limits are those in PostgreSQL again"),
            _ => {}
        }
    }

    /// `convoke migrate` may change the row of limits at any time. Until a node has read the new limits it judges by the old
    /// ones, or refuses to start sessions.
    async fn watch_limits(&self) {
        loop {
            sleep(self.rules.sweep_interval.min(LIMITS_EVERY)).await;
            match self.store.limits().await {
                Ok(Some(row)) => self.compare_limits(row),
                Ok(None) => self.prepare().await,
                Err(error) => {
                    if let Some(times) = due("limits of sessions cannot be read") {
                        let error = chain(&error);
                        tracing::warn!(times, error, "interview sessions: the limits cannot be read");
                    }
                }
            }
        }
    }

    async fn rounds(self: &Arc<Self>) {
        loop {
            self.complete_expired().await;
            match self.store.postgres().try_leader_lock(SWEEP).await {
                Ok(Some(_lock)) => self.sweep().await,
                Ok(None) => {}
                Err(error) => once_a_minute!(warn, "interview sessions: no sweep without PostgreSQL", error = chain(&error)),
            }
            // Nodes that were started together shall not sweep at the same moment.
            let jitter = rand::rng().random_range(0.9..1.1);
            sleep(self.rules.sweep_interval.mul_f64(jitter)).await;
        }
    }

    /// Completes expired sessions. Every node does this; a row is completed once.
    async fn complete_expired(self: &Arc<Self>) {
        loop {
            match self.store.complete_expired(AT_ONCE).await {
                Ok(ended) => {
                    let number = ended.len();
                    metrics::counter!(SESSION_TIMEOUTS).increment(number as u64);
                    self.clear(ended).await;
                    if number < AT_ONCE as usize {
                        return;
                    }
                }
                Err(error) => {
                    return once_a_minute!(warn, "interview sessions: no time-outs without PostgreSQL", error = chain(&error));
                }
            }
        }
    }
}
