//! The outbox of one SOS: events for the SOS service, in order, delivered by one leased deliverer.

use bytes::Bytes;

use super::scope;
use crate::core::StreamId;
use crate::features::sos::keys as sos_keys;
use crate::redis::keys;
use crate::redis::script::{Args, BadReply, Eval, Reply, script};

/// One event to be delivered. Its `Idempotency-Key` is best `<sosId>-<id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    pub id: StreamId,
    /// `type` and `event`.
    pub event: String,
    pub user: Option<String>,
    /// The room's payload, raw JSON.
    pub data: Bytes,
    pub timestamp: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboxHead {
    /// The lease is `owner`'s for another `lease_ms`; the oldest entries (none: the outbox is empty, the lease is free).
    Held { entries: Vec<OutboxEntry>, len: u64 },
    /// Another owner delivers; its lease ends in so many ms.
    Busy { for_ms: u64 },
}

/// Bytes of entries that are read at once: Redis serves no other call meanwhile.
const HEAD_BYTES: u64 = 256 * 1024;

/// Takes or renews the lease of this outbox and reads its oldest entries, at most `limit`, and fewer if they are large.
pub async fn outbox_claim<E: Eval>(redis: &E, sos: &str, owner: &str, lease_ms: u64, limit: u32) -> Result<OutboxHead, E::Error> {
    let args = Args::new().text(owner).int(lease_ms).int(limit.into()).int(HEAD_BYTES).done();
    Ok(head(Reply::new(CLAIM.name, redis.eval(&CLAIM, at(sos), args).await?)?)?)
}

/// `id` is delivered (2xx or 409): removes it. Returns how many are left, or `None` if the lease was lost (nothing was
/// removed; the next owner delivers it again).
pub async fn outbox_done<E: Eval>(redis: &E, sos: &str, owner: &str, id: StreamId) -> Result<Option<u64>, E::Error> {
    remove(redis, sos, owner, id, "").await
}

/// The service refuses `id` for good: moves it to `sos:outbox:dead:{…}` (newest 1,000, kept for 30 days).
pub async fn outbox_dead<E: Eval>(redis: &E, sos: &str, owner: &str, id: StreamId, why: &str) -> Result<Option<u64>, E::Error> {
    remove(redis, sos, owner, id, if why.is_empty() { "refused" } else { why }).await
}

async fn remove<E: Eval>(redis: &E, sos: &str, owner: &str, id: StreamId, why: &str) -> Result<Option<u64>, E::Error> {
    let args = Args::new().text(owner).owned(id.to_string()).text(why).done();
    let mut reply = Reply::new(DONE.name, redis.eval_write(&DONE, at(sos), args).await?)?;
    Ok(u64::try_from(reply.int()?).ok())
}

/// Gives the lease back.
pub async fn outbox_release<E: Eval>(redis: &E, sos: &str, owner: &str) -> Result<(), E::Error> {
    redis.eval(&RELEASE, vec![keys::scope_meta(&scope(sos))], Args::new().text(owner).done()).await?;
    Ok(())
}

fn head(mut reply: Reply) -> Result<OutboxHead, BadReply> {
    if !reply.flag()? {
        return Ok(OutboxHead::Busy { for_ms: reply.uint()? });
    }
    let len = reply.uint()?;
    let mut entries = Vec::with_capacity(reply.left());
    while reply.left() > 0 {
        let mut list = reply.list()?;
        entries.push(OutboxEntry {
            id: list.parsed()?,
            event: list.text()?,
            user: list.some()?,
            data: list.bytes()?,
            timestamp: list.uint()?,
        });
    }
    Ok(OutboxHead::Held { entries, len })
}

fn at(sos: &str) -> Vec<String> {
    vec![keys::scope_meta(&scope(sos)), sos_keys::outbox(sos), sos_keys::state(sos), sos_keys::outbox_dead(sos)]
}

script!(CLAIM = "sos" / "outbox_claim", "rooms/lib/lease");
script!(DONE = "sos" / "outbox_done", "rooms/lib/lease", "sos/lib/final");
script!(RELEASE = "sos" / "outbox_release", "rooms/lib/lease");
