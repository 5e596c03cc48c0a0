//! How the state of an SOS begins: made, filled in, or completed.

use std::time::Duration;

use super::{Actor, Fix, HUB, INTERNAL, ROOM, Written, all_keys, head, keys_with_due, read_written};
use crate::cluster::scripts::Op;
use crate::redis::keys::user_tag;
use crate::redis::script::{Eval, Reply, script};

/// What is known of an incident from outside. JSON fields are raw JSON text (`"FIRE"`, `17`, `{"city":…}`).
#[derive(Debug, Clone, Copy, Default)]
pub struct Record<'a> {
    pub citizen: Option<&'a str>,
    pub status: Option<&'a str>,
    pub kind: Option<&'a str>,
    pub so_no: Option<&'a str>,
    pub address: Option<&'a str>,
    pub created_at: Option<u64>,
}

#[derive(Debug, Clone)]
pub struct SosMade {
    /// 201 rather than 200.
    pub created: bool,
    /// It was provisional until now.
    pub completed: bool,
    pub written: Written,
    /// In so long the earliest timer is due that this call has set.
    pub due_in: Option<Duration>,
}

/// When the timers of an SOS that is made are due.
#[derive(Debug, Clone, Copy)]
pub struct FirstTimers {
    /// It should be acknowledged by then.
    pub ack: Duration,
    /// A provisional one is looked up again; `None`: there is no service.
    pub lookup: Option<Duration>,
}

/// `POST …/init`: makes the state, or fills null fields of one that stands, or completes a provisional one.
/// `fix` becomes the citizen's last location. Its answer is bounded: the state is read by [`sos_snapshot`](super::sos_snapshot). A copy of `sos:created` is pending for the watchers.
pub async fn sos_create<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    record: Record<'_>,
    fix: Option<&Fix>,
    timers: FirstTimers,
) -> Result<SosMade, E::Error> {
    make(redis, sos, op, INTERNAL, "init", record, fix, timers).await
}

/// The SOS service does not answer and the actor's token names this SOS: it gets in with a provisional state.
/// A state that stands is left alone.
pub async fn sos_provisional<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    timers: FirstTimers,
) -> Result<SosMade, E::Error> {
    make(redis, sos, op, actor, "provisional", Record::default(), None, timers).await
}

/// The look-up's record: makes the state, or replaces every field of a provisional one (the status unless a client
/// has changed it; a final one ends the SOS). A state that stands is left alone.
pub async fn sos_complete<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    record: Record<'_>,
    timers: FirstTimers,
) -> Result<SosMade, E::Error> {
    make(redis, sos, op, INTERNAL, "record", record, None, timers).await
}

#[expect(clippy::too_many_arguments, reason = "one for each part of the script's arguments")]
async fn make<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    how: &str,
    record: Record<'_>,
    fix: Option<&Fix>,
    timers: FirstTimers,
) -> Result<SosMade, E::Error> {
    let ms = |wait: Duration| wait.as_millis() as u64;
    let args = head(op, sos, actor).text(how).text(record.citizen.unwrap_or("")).text(record.status.unwrap_or(""));
    let args = args.text(record.kind.unwrap_or("")).text(record.so_no.unwrap_or("")).text(record.address.unwrap_or(""));
    let args = args.int(record.created_at.unwrap_or(0)).owned(user_tag(record.citizen.unwrap_or("")));
    let args = args.int(ms(timers.ack)).owned(timers.lookup.map(|wait| ms(wait).to_string()).unwrap_or_default());
    let args = match fix {
        Some(fix) => fix.push(args),
        None => args,
    };
    let mut reply = Reply::new(CREATE.name, redis.eval_write(&CREATE, keys_with_due(sos), args.done()).await?)?;
    let (outcome, written) = read_written(&mut reply)?.map_err(|refused| reply.bad(format!("{refused:?}")))?;
    let (created, completed) = (outcome == "created", outcome == "completed");
    let (due_in, mut more) = (reply.wait()?, reply.flag()?);
    while more {
        // It is made. What cannot be told of now is left to the sweep.
        more = sos_joins(redis, sos, Op { id: "", client_message_id: "", ..op }).await.unwrap_or(false);
    }
    Ok(SosMade { created, completed, written, due_in })
}

/// Tells the audit trail and the outbox of members who were there before the state, some at a time. True if there are more.
/// Safe to repeat by itself.
pub async fn sos_joins<E: Eval>(redis: &E, sos: &str, op: Op<'_>) -> Result<bool, E::Error> {
    let mut reply = Reply::new(JOINS.name, redis.eval(&JOINS, all_keys(sos), head(op, sos, HUB).done()).await?)?;
    match read_written(&mut reply)? {
        Ok(_) => Ok(reply.flag()?),
        Err(_) => Ok(false),
    }
}

script!(CREATE = "sos" / "sos_create" in ROOM, "scope/lib/due", "sos/lib/location", "sos/lib/status", "sos/lib/waiting");
script!(JOINS = "sos" / "sos_joins" in ROOM, "sos/lib/waiting");
