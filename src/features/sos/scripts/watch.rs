//! Copies of events for those who watch every SOS. A script leaves them with its SOS; a node publishes them to the watchers.

use bytes::Bytes;

use super::scope;
use crate::redis::keys;
use crate::redis::script::{Args, Eval, Reply, script};

/// A copy of an event for those who watch every SOS, not published yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCopy {
    /// Publish under operation id `<sosId>/<id>`, then [`watch_forwarded`].
    pub id: String,
    pub copy: WatchEvent,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchEvent {
    /// `sos:created`: its payload is the state itself, so compose it from [`sos_snapshot`] (no state any more: drop it).
    /// The body's head is `* - - -`.
    Created,
    /// A whole message (head line and args), to be published as it is.
    Encoded(Bytes),
}

/// The pending copies, oldest first; at most some dozens. Once they are forwarded, others may follow.
pub async fn watch_pending<E: Eval>(redis: &E, sos: &str) -> Result<Vec<PendingCopy>, E::Error> {
    let (_, mut copies) = read(redis, sos, String::new()).await?;
    copies.sort_by_key(|copy| order(&copy.id));
    Ok(copies)
}

/// All pending copies, oldest first, also those that a release wrote which kept no list of them: for the sweep.
pub async fn watch_pending_all<E: Eval>(redis: &E, sos: &str) -> Result<Vec<PendingCopy>, E::Error> {
    let (mut copies, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let (next, mut found) = read(redis, sos, cursor).await?;
        copies.append(&mut found);
        cursor = next;
        if cursor == "0" {
            copies.sort_by_key(|copy| order(&copy.id));
            copies.dedup();
            return Ok(copies);
        }
    }
}

async fn read<E: Eval>(redis: &E, sos: &str, cursor: String) -> Result<(String, Vec<PendingCopy>), E::Error> {
    let at = vec![keys::scope_meta(&scope(sos))];
    let mut reply = Reply::new(PENDING.name, redis.eval(&PENDING, at, Args::new().owned(cursor).done()).await?)?;
    let (next, mut copies) = (reply.text()?, Vec::new());
    while reply.left() > 0 {
        let id = reply.text()?;
        let copy = reply.bytes()?;
        copies.push(PendingCopy { id, copy: if copy.is_empty() { WatchEvent::Created } else { WatchEvent::Encoded(copy) } });
    }
    Ok((next, copies))
}

/// `<ms>-<seq>`, with a letter behind if it stands in no log; those come first in their millisecond only if created.
fn order(id: &str) -> (u64, u64, bool) {
    let (ms, seq) = id.split_once('-').unwrap_or((id, "0"));
    let bare = seq.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    (ms.parse().unwrap_or(0), bare.parse().unwrap_or(0), !seq.ends_with('c'))
}

/// Copies that one script removes.
const FORWARDED_AT_ONCE: usize = 64;

/// These copies are published.
pub async fn watch_forwarded<E: Eval>(redis: &E, sos: &str, ids: &[&str]) -> Result<(), E::Error> {
    for part in ids.chunks(FORWARDED_AT_ONCE) {
        let args = part.iter().fold(Args::new(), |args, id| args.text(id));
        redis.eval(&FORWARDED, vec![keys::scope_meta(&scope(sos))], args.done()).await?;
    }
    Ok(())
}

script!(PENDING = "sos" / "watch_owed");
script!(FORWARDED = "sos" / "watch_paid");
