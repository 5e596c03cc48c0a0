//! The job of each minute: it ends sessions whose time is over, and those whose interview another service has ended while Redis
//! was away. PostgreSQL gives each of them to one node at a time.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Gateway;
use crate::core::error::chain;
use crate::features::interviews::metrics::SESSIONS_EXPIRED;
use crate::features::interviews::scripts::SessionState;
use crate::rooms::rounds;
use crate::telemetry::{due, once_a_minute};

/// How many sessions a node takes at a time.
const AT_ONCE: u32 = 100;

impl Gateway {
    /// Starts the job. It ends when this is cancelled.
    pub fn start_jobs(self: &Arc<Self>, stopping: CancellationToken) {
        rounds::start(self, self.live.config.expire_every, stopping, |gateway| async move { gateway.end_due().await });
    }

    async fn end_due(&self) {
        loop {
            let (store, after) = (&self.live.interviews.store, self.live.config.expires_after);
            let ends = match store.ends_due(after, AT_ONCE).await {
                Ok(ends) => ends,
                Err(error) => {
                    if let Some(times) = due("sessions of interviews are not looked over") {
                        tracing::warn!(times, error = chain(&error), "interviews: no session expires without PostgreSQL");
                    }
                    return;
                }
            };
            for end in &ends {
                if end.to == SessionState::Expired {
                    metrics::counter!(SESSIONS_EXPIRED).increment(1);
                }
                // PostgreSQL gives it to the next node that asks.
                if let Err(error) = self.endings.end(end.interview, end.to).await {
                    once_a_minute!(warn, "the end of an interview cannot be told yet", interview = %end.interview, %error);
                }
            }
            if ends.len() < AT_ONCE as usize {
                return;
            }
        }
    }
}
