//! Look-ups of a provisional SOS at the SOS service: whose turn it is, and what comes of an answer without a record.

use std::time::Duration;

use super::{HUB, ROOM, RULES, Written, all_keys, head, read_written, scope};
use crate::cluster::scripts::Op;
use crate::features::sos::keys as sos_keys;
use crate::redis::keys;
use crate::redis::script::{Args, Eval, Reply, script};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupTurn {
    /// Ask the service now; no other node does.
    Taken,
    /// Come again then: this turn is not due, or the SOS has no members.
    In(Duration),
    /// There is nothing to look up (any more).
    Over,
}

/// Takes the next turn to look a provisional SOS up. There is one in `every_ms` for all nodes together, and
/// the timer is set to the next one.
pub async fn lookup_claim<E: Eval>(redis: &E, sos: &str, every_ms: u64) -> Result<LookupTurn, E::Error> {
    let scope = scope(sos);
    let at = vec![sos_keys::state(sos), keys::scope_members(&scope), keys::scope_due(&scope)];
    let mut reply = Reply::new(CLAIM.name, redis.eval(&CLAIM, at, Args::new().int(every_ms).done()).await?)?;
    Ok(match reply.int()? {
        1 => LookupTurn::Taken,
        0 => LookupTurn::In(reply.wait()?.unwrap_or_default()),
        _ => LookupTurn::Over,
    })
}

/// Notes an answer without a record. The second 404 in a row ends the SOS (status `closed`, closedBy `system`, reason
/// `unknown`): `Some`. Any other answer in between begins the count anew.
pub async fn sos_unknown<E: Eval>(redis: &E, sos: &str, op: Op<'_>, is_404: bool) -> Result<Option<Written>, E::Error> {
    let args = head(op, sos, HUB).flag(is_404).done();
    let mut reply = Reply::new(UNKNOWN.name, redis.eval_write(&UNKNOWN, all_keys(sos), args).await?)?;
    Ok(read_written(&mut reply)?.ok().filter(|(outcome, _)| outcome == "ok").map(|(_, written)| written))
}

script!(CLAIM = "sos" / "lookup_claim" in RULES, "scope/lib/due");
script!(UNKNOWN = "sos" / "sos_unknown" in ROOM, "sos/lib/location", "sos/lib/status");
