//! Events for the SOS service: one leased deliverer for each SOS, in order, at least once, without end.
//! Contract § 3 "To the SOS service".
//!
//! The scripts that change something write the entries too, and then a deliverer is woken. The sweep wakes one for entries that
//! another node has left. No client waits for a delivery.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::metrics::SOS_OUTBOX_DEAD;
use crate::features::sos::keys as sos_keys;
use crate::features::sos::scripts::outbox::{OutboxEntry, OutboxHead, outbox_claim, outbox_dead, outbox_done, outbox_release};
use crate::redis::cmd;
use crate::rooms::worker::{Turn, Work, Workers};
use crate::telemetry::once_a_minute;

use super::Sos;
use super::ports::Delivery;

/// The lease: longer than the delivery of one entry may take, and renewed before each.
const LEASE_MS: u64 = 15_000;
/// Entries read in one go.
const HEAD: u32 = 16;
/// Calls to the SOS service at once.
const PARALLEL: usize = 32;

/// The deliverers of this node, and places for their calls to the SOS service.
pub struct Deliverers {
    pub workers: Workers,
    calls: Semaphore,
}

impl Default for Deliverers {
    fn default() -> Self {
        Self { workers: Workers::default(), calls: Semaphore::new(PARALLEL) }
    }
}

impl Work for Sos {
    fn turn<'a>(&'a self, sos: &'a str) -> Pin<Box<dyn Future<Output = Turn> + Send + 'a>> {
        Box::pin(self.deliver(sos))
    }
}

impl Sos {
    /// Wakes a deliverer: there is something to deliver.
    pub(super) fn deliver_soon(self: &Arc<Self>, sos: &str) {
        self.outbox.workers.wake(self, sos, self.config.backoff);
    }

    /// Delivers entries, the oldest first, until there are none or one fails.
    async fn deliver(&self, sos: &str) -> Turn {
        if !self.ports.service.is_configured() {
            return self.empty_outbox(sos).await;
        }
        let node = self.scopes.node();
        let owner = &*node;
        let entries = match outbox_claim(self.redis(), sos, owner, LEASE_MS, HEAD).await {
            Ok(OutboxHead::Held { entries, .. }) if entries.is_empty() => return Turn::Done,
            Ok(OutboxHead::Held { entries, .. }) => entries,
            Ok(OutboxHead::Busy { for_ms }) => return Turn::Wait(Duration::from_millis(for_ms.max(100))),
            Err(_) => return Turn::BackOff,
        };
        let started = tokio::time::Instant::now();
        for entry in entries {
            // The lease must last longer than the call.
            if started.elapsed() > Duration::from_millis(LEASE_MS / 3) {
                return Turn::GoOn;
            }
            match self.deliver_one(sos, owner, &entry).await {
                Turn::GoOn => {}
                Turn::BackOff => {
                    // While this node waits, another one that reaches the service may try.
                    let _ = outbox_release(self.redis(), sos, owner).await;
                    return Turn::BackOff;
                }
                other => return other,
            }
        }
        Turn::GoOn
    }

    /// There is no service to deliver to. The stream is emptied but not deleted, since the scripts need its key.
    async fn empty_outbox(&self, sos: &str) -> Turn {
        let key = sos_keys::outbox(sos);
        match self.redis().command_idempotent(cmd("XTRIM").arg(&key).arg("MAXLEN").arg(0).to_owned(), &key).await {
            Ok(_) => Turn::Done,
            Err(_) => Turn::BackOff,
        }
    }

    async fn deliver_one(&self, sos: &str, owner: &str, entry: &OutboxEntry) -> Turn {
        let id = format!("{sos}-{}", entry.id);
        let delivery = {
            let _permit = self.outbox.calls.acquire().await;
            self.ports.service.deliver(&id, body(sos, &id, entry)).await
        };
        let left = match delivery {
            Delivery::Accepted => outbox_done(self.redis(), sos, owner, entry.id).await,
            Delivery::Rejected(status) => {
                once_a_minute!(warn, "the SOS service refuses an event for good", sos, id, status);
                metrics::counter!(SOS_OUTBOX_DEAD).increment(1);
                outbox_dead(self.redis(), sos, owner, entry.id, &status.to_string()).await
            }
            Delivery::Retry => return Turn::BackOff,
        };
        match left {
            Ok(Some(_)) => Turn::GoOn,
            // Another node holds the lease now; it delivers this entry again, which the service knows by its id.
            Ok(None) => Turn::Wait(Duration::from_millis(LEASE_MS)),
            Err(_) => Turn::BackOff,
        }
    }
}

/// `{id, type, event, sosId, userId?, data, timestamp}`
fn body(sos: &str, id: &str, entry: &OutboxEntry) -> Bytes {
    let (event, timestamp) = (Value::from(entry.event.as_str()), entry.timestamp);
    let user = entry.user.as_deref().map(|user| format!(r#""userId":{},"#, Value::from(user))).unwrap_or_default();
    let data = std::str::from_utf8(&entry.data).unwrap_or("null");
    let text =
        format!(r#"{{"id":"{id}","type":{event},"event":{event},"sosId":"{sos}",{user}"data":{data},"timestamp":{timestamp}}}"#);
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::StreamId;

    #[test]
    fn an_event_carries_the_rooms_payload_as_it_is() {
        let entry = OutboxEntry {
            id: StreamId { ms: 5, seq: 1 },
            event: "location".into(),
            user: Some("a\"b".into()),
            data: Bytes::from_static(br#"{"latitude":1.50}"#),
            timestamp: 7,
        };
        let expected = r#"{"id":"s-5-1","type":"location","event":"location","sosId":"s","userId":"a\"b","data":{"latitude":1.50},"timestamp":7}"#;
        assert_eq!(body("s", "s-5-1", &entry), expected);
        let nobody = body("s", "s-5-1", &OutboxEntry { user: None, ..entry });
        assert!(!String::from_utf8_lossy(&nobody).contains("userId"));
    }
}
