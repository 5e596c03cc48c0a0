//! Events owed to the SOS service: one leased deliverer for each SOS, in order, at least once, without end.
//! Contract § 3 "To the SOS service".
//!
//! The entries are written by the same scripts as the changes; a deliverer is woken when there are some, and the sweep
//! wakes one for what others have left. Nothing waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::metrics::SOS_OUTBOX_DEAD;
use crate::features::sos::scripts::outbox::{OutboxEntry, OutboxHead, outbox_claim, outbox_dead, outbox_done, outbox_release};
use crate::redis::{cmd, keys};

use super::Sos;
use super::seam::Delivery;
use super::timers::longer;
use crate::core::sync::lock;

/// Longer than the delivery of one entry may take, and renewed before each.
const LEASE_MS: u64 = 15_000;
/// Entries read in one go.
const HEAD: u32 = 16;
/// Calls to the SOS service at once.
const PARALLEL: usize = 32;

/// Which SOSs have a deliverer on this node, and whether it was woken since it last looked.
pub struct Deliverers {
    running: Mutex<HashMap<String, bool>>,
    calls: Semaphore,
}

impl Default for Deliverers {
    fn default() -> Self {
        Self { running: Mutex::default(), calls: Semaphore::new(PARALLEL) }
    }
}

impl Deliverers {
    /// SOSs that have one.
    pub fn running(&self) -> Vec<String> {
        lock(&self.running).keys().cloned().collect()
    }
}

/// What a deliverer does next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// There may be more.
    GoOn,
    /// The service did not take it, or Redis does not answer: wait longer each time.
    BackOff,
    /// Another node delivers.
    Wait(Duration),
    Done,
}

impl Sos {
    /// There is something to deliver.
    pub(super) fn deliver_soon(self: &Arc<Self>, sos: &str) {
        let mut running = lock(&self.deliverers.running);
        if let Some(woken) = running.get_mut(sos) {
            *woken = true;
            return;
        }
        running.insert(sos.to_owned(), false);
        drop(running);
        let (weak, sos) = (Arc::downgrade(self), sos.to_owned());
        tokio::spawn(async move {
            let Some((shortest, longest)) = weak.upgrade().map(|feature| feature.config.backoff) else { return };
            let mut pause = shortest;
            loop {
                let Some(feature) = weak.upgrade() else { return };
                let wait = match feature.deliver(&sos).await {
                    Next::GoOn => {
                        pause = shortest;
                        continue;
                    }
                    Next::Done if feature.rest(&sos) => return,
                    Next::Done => continue,
                    Next::Wait(wait) => wait,
                    Next::BackOff => {
                        let wait = pause;
                        pause = longer(pause, longest);
                        wait
                    }
                };
                drop(feature);
                tokio::time::sleep(wait).await;
            }
        });
    }

    /// The outbox is empty. False if somebody has added to it meanwhile.
    fn rest(&self, sos: &str) -> bool {
        let mut running = lock(&self.deliverers.running);
        match running.get_mut(sos) {
            Some(woken) if *woken => {
                *woken = false;
                false
            }
            _ => {
                running.remove(sos);
                true
            }
        }
    }

    /// Delivers the oldest entries, as far as it goes.
    async fn deliver(&self, sos: &str) -> Next {
        if !self.directory.is_configured() {
            return self.empty_outbox(sos).await;
        }
        let node = self.scopes.node();
        let owner = &*node;
        let entries = match outbox_claim(self.redis(), sos, owner, LEASE_MS, HEAD).await {
            Ok(OutboxHead::Held { entries, .. }) if entries.is_empty() => return Next::Done,
            Ok(OutboxHead::Held { entries, .. }) => entries,
            Ok(OutboxHead::Busy { for_ms }) => return Next::Wait(Duration::from_millis(for_ms.max(100))),
            Err(_) => return Next::BackOff,
        };
        let started = tokio::time::Instant::now();
        for entry in entries {
            // The lease shall outlast the call.
            if started.elapsed() > Duration::from_millis(LEASE_MS / 3) {
                return Next::GoOn;
            }
            match self.deliver_one(sos, owner, &entry).await {
                Next::GoOn => {}
                Next::BackOff => {
                    // While we wait, a node that reaches the service may try.
                    let _ = outbox_release(self.redis(), sos, owner).await;
                    return Next::BackOff;
                }
                other => return other,
            }
        }
        Next::GoOn
    }

    /// There is nobody to deliver to. The stream is emptied, not deleted: the scripts want its key to be there.
    async fn empty_outbox(&self, sos: &str) -> Next {
        let key = keys::sos_outbox(sos);
        match self.redis().command_idempotent(cmd("XTRIM").arg(&key).arg("MAXLEN").arg(0).to_owned(), &key).await {
            Ok(_) => Next::Done,
            Err(_) => Next::BackOff,
        }
    }

    async fn deliver_one(&self, sos: &str, owner: &str, entry: &OutboxEntry) -> Next {
        let id = format!("{sos}-{}", entry.id);
        let delivery = {
            let _permit = self.deliverers.calls.acquire().await;
            self.directory.deliver(&id, body(sos, &id, entry)).await
        };
        let left = match delivery {
            Delivery::Accepted => outbox_done(self.redis(), sos, owner, entry.id).await,
            Delivery::Rejected(status) => {
                tracing::warn!(sos, id, status, "the SOS service refuses an event for good");
                metrics::counter!(SOS_OUTBOX_DEAD).increment(1);
                outbox_dead(self.redis(), sos, owner, entry.id, &status.to_string()).await
            }
            Delivery::Retry => return Next::BackOff,
        };
        match left {
            Ok(Some(_)) => Next::GoOn,
            // Another node holds the lease now; it delivers this entry again, which the service knows by its id.
            Ok(None) => Next::Wait(Duration::from_millis(LEASE_MS)),
            Err(_) => Next::BackOff,
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
