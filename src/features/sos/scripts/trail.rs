//! What an SOS leaves behind: its audit trail, and the copies owed to those who watch every SOS.

use bytes::Bytes;

use super::{Actor, scope};
use crate::core::StreamId;
use crate::redis::keys;
use crate::redis::script::{Args, Eval, Reply, script};
use crate::rooms::audit::{self, AuditPage};

/// Appends a refusal to the audit trail (of an event whose script did not run), if there is a state.
pub async fn sos_audit<E: Eval>(redis: &E, sos: &str, actor: Actor<'_>, event: &str, code: &str) -> Result<(), E::Error> {
    let at = vec![keys::sos_state(sos), keys::sos_events(sos)];
    let args = Args::new().text(actor.user).text(actor.role).text(actor.sid).text(actor.source.as_str());
    redis.eval(&AUDIT, at, args.text(event).text(code).done()).await?;
    Ok(())
}

/// The audit trail after `after`, ascending; `None` if there is no state. Its events are `created`, `join`, `leave`, `status`,
/// `assignment`, `acknowledgement`, `refusal`, `close`, `admit`, `remove`; its sources `socket`, `internal`, `hub`.
pub async fn sos_events<E: Eval>(
    redis: &E,
    sos: &str,
    after: Option<StreamId>,
    limit: u32,
) -> Result<Option<AuditPage>, E::Error> {
    audit::read_page(redis, &EVENTS, vec![keys::sos_state(sos), keys::sos_events(sos)], after, limit).await
}

/// A copy that those who watch every SOS are owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchDebt {
    /// Publish under operation id `<sosId>/<id>`, then [`watch_paid`].
    pub id: String,
    pub copy: WatchCopy,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchCopy {
    /// `sos:created`: its payload is the state itself, so compose it from [`sos_snapshot`] (no state any more: drop it).
    /// The body's head is `* - - -`.
    Created,
    /// A whole body (head line and args), to be published as it is.
    Body(Bytes),
}

/// What is owed, oldest first; at most some dozens. Paid, others may follow.
pub async fn watch_owed<E: Eval>(redis: &E, sos: &str) -> Result<Vec<WatchDebt>, E::Error> {
    let (_, mut debts) = owed(redis, sos, String::new()).await?;
    debts.sort_by_key(|debt| order(&debt.id));
    Ok(debts)
}

/// All that is owed, oldest first, also what a release wrote that kept no list of it: for the sweep.
pub async fn watch_left<E: Eval>(redis: &E, sos: &str) -> Result<Vec<WatchDebt>, E::Error> {
    let (mut debts, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let (next, mut found) = owed(redis, sos, cursor).await?;
        debts.append(&mut found);
        cursor = next;
        if cursor == "0" {
            debts.sort_by_key(|debt| order(&debt.id));
            debts.dedup();
            return Ok(debts);
        }
    }
}

async fn owed<E: Eval>(redis: &E, sos: &str, cursor: String) -> Result<(String, Vec<WatchDebt>), E::Error> {
    let at = vec![keys::scope_meta(&scope(sos))];
    let mut reply = Reply::new(OWED.name, redis.eval(&OWED, at, Args::new().owned(cursor).done()).await?)?;
    let (next, mut debts) = (reply.text()?, Vec::new());
    while reply.len() > 0 {
        let id = reply.text()?;
        let copy = reply.bytes()?;
        debts.push(WatchDebt { id, copy: if copy.is_empty() { WatchCopy::Created } else { WatchCopy::Body(copy) } });
    }
    Ok((next, debts))
}

/// `<ms>-<seq>`, with a letter behind if it stands in no log; those come first in their millisecond only if created.
fn order(id: &str) -> (u64, u64, bool) {
    let (ms, seq) = id.split_once('-').unwrap_or((id, "0"));
    let bare = seq.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    (ms.parse().unwrap_or(0), bare.parse().unwrap_or(0), !seq.ends_with('c'))
}

/// Copies that one script removes.
const PAID_AT_ONCE: usize = 64;

/// These copies are published: nobody owes them any more.
pub async fn watch_paid<E: Eval>(redis: &E, sos: &str, ids: &[&str]) -> Result<(), E::Error> {
    for part in ids.chunks(PAID_AT_ONCE) {
        let args = part.iter().fold(Args::new(), |args, id| args.text(id));
        redis.eval(&PAID, vec![keys::scope_meta(&scope(sos))], args.done()).await?;
    }
    Ok(())
}

script!(AUDIT = "sos" / "sos_audit", "scope/lib/scope", "rooms/lib/audit", "sos/lib/sos");
script!(EVENTS = "sos" / "sos_events", "rooms/lib/audit_page");
script!(OWED = "sos" / "watch_owed");
script!(PAID = "sos" / "watch_paid");
