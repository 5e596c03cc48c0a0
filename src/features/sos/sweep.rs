//! Once a minute, over all SOSs: what others have left undone. Every step is safe to repeat, so every node may sweep.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use rand::Rng;
use tokio::sync::{Notify, Semaphore};

use crate::features::sos::keys as sos_keys;
use crate::features::sos::scripts::{Swept, Unacknowledged, sos_expire, sos_joins, sos_unacknowledged};
use crate::redis::cmd;
use crate::telemetry::once_a_minute;

use super::error::SosError;
use super::{HINT_DEADLINE, Sos};

/// SOSs that are swept at once.
const PARALLEL: usize = 8;

/// Scopes that are rebuilt at once after Redis has lost them.
const PARALLEL_REFILLS: usize = 16;
/// SOSs in which this node does at once what another one has left.
const PARALLEL_TAKEOVERS: usize = 16;

/// What this node makes good: what Redis has lost, and what other nodes have left.
pub struct Upkeep {
    pub refills: Semaphore,
    pub takeovers: Semaphore,
    /// A sweep is wanted out of turn.
    pub sweep_now: Arc<Notify>,
}

impl Default for Upkeep {
    fn default() -> Self {
        let (refills, takeovers) = (Semaphore::new(PARALLEL_REFILLS), Semaphore::new(PARALLEL_TAKEOVERS));
        Self { refills, takeovers, sweep_now: Arc::default() }
    }
}

impl Sos {
    /// Starts the sweep. It ends with the last [`Arc`]. A node that has died calls for one out of turn: it may have promised
    /// something for any SOS.
    pub fn start(self: &Arc<Self>) {
        let (weak, every, now) = (Arc::downgrade(self), self.config.sweep_every, self.upkeep.sweep_now.clone());
        tokio::spawn(async move {
            loop {
                // So that nodes which started together do not sweep together.
                let spread = rand::rng().random_range(0.75..1.25);
                let _ = tokio::time::timeout(every.mul_f64(spread), now.notified()).await;
                let Some(feature) = weak.upgrade() else { return };
                if !feature.scopes.may_act().await {
                    continue;
                }
                if let Err(error) = feature.sweep().await {
                    once_a_minute!(warn, "the sweep could not begin", %error);
                }
            }
        });
    }

    /// One sweep.
    pub async fn sweep(self: &Arc<Self>) -> Result<(), SosError> {
        self.note_the_quiet().await;
        let ids = self.rooms().await?;
        stream::iter(ids)
            .for_each_concurrent(PARALLEL, |sos| async move {
                if let Err(error) = self.sweep_one(&sos).await {
                    tracing::debug!(sos, %error, "an SOS could not be swept");
                }
            })
            .await;
        Ok(())
    }

    pub(super) async fn sweep_one(self: &Arc<Self>, sos: &str) -> Result<(), SosError> {
        let op = self.scopes.next_op();
        let swept = sos_expire(self.redis(), sos, self.op(&op, ""), self.config.idle.as_millis() as u64).await?;
        if let Swept::Expired(written) = &swept {
            self.after(sos, written);
        }
        // What is due is done. What is not has its timer set and hinted at again: a failover may have taken that back.
        if let Swept::Alive { provisional, joins, .. } = swept {
            let mut more = joins;
            while more {
                more = sos_joins(self.redis(), sos, self.op("", "")).await?;
            }
            self.timer_set(sos, self.check_acknowledgement(sos).await?);
            if provisional {
                self.timer_set(sos, self.look_up_again(sos).await?);
            }
            self.flush_due(sos).await?;
            self.timer_set(sos, self.announce_lost(sos).await?);
        }
        if let Swept::Ended = swept {
            // Of very many the end itself did not tell all.
            self.flush_due(sos).await?;
        }
        self.forward_all(sos).await?;
        let undelivered = self.has_undelivered(sos).await?;
        if undelivered {
            self.deliver_soon(sos);
        }
        if matches!(swept, Swept::Ended | Swept::Missing) && !undelivered {
            self.forget(sos).await;
        }
        Ok(())
    }

    /// Tells watchers and the SOS service, once, if the SOS was not acknowledged in time. Returns when to ask again.
    pub(super) async fn check_acknowledgement(self: &Arc<Self>, sos: &str) -> Result<Option<Duration>, SosError> {
        let (op, deadline) = (self.scopes.next_op(), self.config.ack_after.as_millis() as u64);
        Ok(match sos_unacknowledged(self.redis(), sos, self.op(&op, ""), deadline).await? {
            Unacknowledged::Announced(written) => {
                self.after(sos, &written);
                None
            }
            Unacknowledged::NotYet(wait) => Some(wait),
            Unacknowledged::Done => None,
        })
    }

    /// Whether events are still to be delivered to the SOS service.
    async fn has_undelivered(&self, sos: &str) -> Result<bool, SosError> {
        let key = sos_keys::outbox(sos);
        let value = self.redis().command_idempotent(cmd("XLEN").arg(&key).to_owned(), &key).await?;
        Ok(!matches!(value, crate::redis::Value::Int(0)))
    }

    /// Notes an SOS in the index, before there is one. The index is a hint: if its master does not answer, the fact goes
    /// ahead, and the note follows.
    pub(super) async fn remember(self: &Arc<Self>, sos: &str) {
        let (feature, id) = (self.clone(), sos.to_owned());
        let noting = tokio::spawn(async move {
            let mut pause = Duration::from_secs(1);
            for _ in 0..10 {
                let add = cmd("SADD").arg(sos_keys::ROOMS).arg(&id).to_owned();
                if feature.redis().command_idempotent(add, sos_keys::ROOMS).await.is_ok() {
                    return;
                }
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            once_a_minute!(error, "an SOS could not be noted in the index", sos = id);
        });
        let _ = tokio::time::timeout(HINT_DEADLINE, noting).await;
    }

    async fn forget(&self, sos: &str) {
        let remove = cmd("SREM").arg(sos_keys::ROOMS).arg(sos).to_owned();
        let _ = self.redis().command_idempotent(remove, sos_keys::ROOMS).await;
    }
}
