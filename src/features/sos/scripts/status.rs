//! An SOS on its way: acknowledged, moved from status to status, ended. Contract § 3 "Status".

use std::time::Duration;

use super::{Actor, HUB, Outcome, ROOM, Refused, Written, all_keys, head, keys_with_due, read_written};
use crate::cluster::scripts::Op;
use crate::redis::script::{BadReply, Eval, Reply, script};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet {
    /// The incident's status now and before; equal if only a responder's entry moved.
    pub status: String,
    pub old_status: String,
    /// The status was the present one (or the SOS was over already, for a close): nothing was broadcast.
    pub unchanged: bool,
    /// The SOS is over (by this or an earlier call).
    pub ended: bool,
    pub written: Written,
}

/// How a status is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged<'a> {
    /// By the client rules: role, table, the responder's own entry.
    Client,
    /// Internal, any known status is taken; after the end a final one refines `closed`.
    Authoritative,
    /// Internal with `force:false`: the table and, if given, the old status are enforced.
    ByTable { old_status: Option<&'a str> },
}

/// `sos:status:update` and `POST …/status`. `status` is lower case. A final one ends the SOS.
pub async fn sos_status<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    judged: Judged<'_>,
    status: &str,
    note: Option<&str>,
) -> Outcome<StatusSet, E::Error> {
    let (rule, old) = match judged {
        Judged::Client => ("client", ""),
        Judged::Authoritative => ("force", ""),
        Judged::ByTable { old_status } => ("table", old_status.unwrap_or("")),
    };
    let args = head(op, sos, actor).text(rule).text(status).text(old).text(note.unwrap_or("")).done();
    let mut reply = Reply::new(STATUS.name, redis.eval_write(&STATUS, all_keys(sos), args).await?)?;
    Ok(status_set(&mut reply)?)
}

/// `sos:close` and `POST …/close`: status `closed`, unless it is over already (`unchanged`).
/// With [`Source::Internal`] `actor.user` is `closedBy` and no rule is asked.
pub async fn sos_close<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    reason: Option<&str>,
) -> Outcome<StatusSet, E::Error> {
    let args = head(op, sos, actor).text(reason.unwrap_or("")).done();
    let mut reply = Reply::new(CLOSE.name, redis.eval_write(&CLOSE, all_keys(sos), args).await?)?;
    Ok(status_set(&mut reply)?)
}

fn status_set(reply: &mut Reply) -> Result<Result<StatusSet, Refused>, BadReply> {
    let (outcome, written) = match read_written(reply)? {
        Ok(written) => written,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(Ok(StatusSet {
        unchanged: outcome == "unchanged",
        status: reply.text()?,
        old_status: reply.text()?,
        ended: reply.flag()?,
        written,
    }))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    /// It was acknowledged already: nothing was broadcast.
    pub unchanged: bool,
    pub by: String,
    pub at: u64,
    pub written: Written,
}

/// `sos:ack`, by a dispatcher or a rescuer. The first one counts.
pub async fn sos_acknowledge<E: Eval>(redis: &E, sos: &str, op: Op<'_>, actor: Actor<'_>) -> Outcome<Acknowledged, E::Error> {
    let args = head(op, sos, actor).done();
    let mut reply = Reply::new(ACKNOWLEDGE.name, redis.eval_write(&ACKNOWLEDGE, all_keys(sos), args).await?)?;
    let (outcome, written) = match read_written(&mut reply)? {
        Ok(written) => written,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(Ok(Acknowledged { unchanged: outcome == "unchanged", by: reply.text()?, at: reply.uint()?, written }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unacknowledged {
    /// Watchers and outbox are told, this once.
    Announced(Written),
    /// Ask again then: the timer is set to it.
    NotYet(Duration),
    /// Acknowledged, over, announced already, or no state.
    Done,
}

/// Announces `sos:unacknowledged`, once, if it was not acknowledged within `deadline_ms` of the beginning.
pub async fn sos_unacknowledged<E: Eval>(redis: &E, sos: &str, op: Op<'_>, deadline_ms: u64) -> Result<Unacknowledged, E::Error> {
    let args = head(op, sos, HUB).int(deadline_ms).done();
    let mut reply = Reply::new(UNACKNOWLEDGED.name, redis.eval(&UNACKNOWLEDGED, keys_with_due(sos), args).await?)?;
    Ok(match read_written(&mut reply)? {
        Err(_) => Unacknowledged::Done,
        Ok((outcome, written)) => match outcome.as_str() {
            "ok" => Unacknowledged::Announced(written),
            "wait" => Unacknowledged::NotYet(reply.wait()?.unwrap_or_default()),
            _ => Unacknowledged::Done,
        },
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swept {
    /// Ended by this call: status `closed`, closedBy `system`, reason `expired`.
    Expired(Written),
    /// It lives; it would expire in so many ms.
    Alive {
        expires_in_ms: u64,
        provisional: bool,
        /// [`sos_joins`] has something to do.
        joins: bool,
    },
    /// It was over already.
    Ended,
    /// There is no state.
    Missing,
}

/// The minute sweep: ends an SOS that was last written `idle_ms` (24 h) ago.
pub async fn sos_expire<E: Eval>(redis: &E, sos: &str, op: Op<'_>, idle_ms: u64) -> Result<Swept, E::Error> {
    let args = head(op, sos, HUB).int(idle_ms).done();
    let mut reply = Reply::new(EXPIRE.name, redis.eval_write(&EXPIRE, keys_with_due(sos), args).await?)?;
    Ok(match read_written(&mut reply)? {
        Err(_) => Swept::Missing,
        Ok((outcome, written)) => match outcome.as_str() {
            "ok" => Swept::Expired(written),
            "wait" => Swept::Alive { expires_in_ms: reply.uint()?, provisional: reply.flag()?, joins: reply.flag()? },
            _ => Swept::Ended,
        },
    })
}

script!(STATUS = "sos" / "sos_status" in ROOM, "sos/lib/location", "sos/lib/status");
script!(CLOSE = "sos" / "sos_close" in ROOM, "sos/lib/location", "sos/lib/status");
script!(EXPIRE = "sos" / "sos_expire" in ROOM, "scope/lib/due", "sos/lib/location", "sos/lib/status");
script!(ACKNOWLEDGE = "sos" / "sos_acknowledge" in ROOM);
script!(UNACKNOWLEDGED = "sos" / "sos_unacknowledged" in ROOM, "scope/lib/due");
