//! The life of an SOS: made, acknowledged, moved from status to status, ended. Contract § 3.
//!
//! The scripts hold the rules (rights, transition table, finality) and broadcast, audit and append to the outbox in the
//! same step. What a caller must not forget stands in [`Written`].

pub mod audit;
pub mod location;
pub mod lookup;
pub mod members;
pub mod outbox;
pub mod presence;
pub mod snapshot;
pub mod talk;
pub mod watch;

use std::time::Duration;

use super::kinds::scope;
use crate::cluster::scripts::Op;
use crate::features::sos::keys as sos_keys;
use crate::redis::keys;
use crate::redis::keys::user_tag;
use crate::redis::script::{Args, BadReply, Eval, Reply, script};
use snapshot::SosSnapshot;

pub use audit::*;
pub use location::*;
pub use lookup::*;
pub use members::*;
pub use talk::*;
pub use watch::*;

/// What a write did beside its own result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// How many subscribers heard the (least heard) message; `None` if nothing was published.
    pub heard: Option<u32>,
    /// How many nodes are registered as listeners. More than `heard`: somebody is deaf and should be nudged.
    pub listeners: u32,
    /// Entries in the SOS's outbox, if this call appended to it, else 0. Above 0: wake the deliverer.
    pub outbox: u64,
    /// Copies for those who watch every SOS are pending: see [`watch_pending`].
    pub copies_pending: bool,
    /// Redis' clock (ms since 1970): the `timestamp` of what was broadcast.
    pub at: u64,
    /// The answer is that of an earlier call with the same `client_message_id`.
    pub duplicate: bool,
}

/// Why a rule refused a write. Nothing changed, but that the audit trail may name the refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no state: `SOS_NOT_FOUND`, or ask the SOS service first.
    Missing,
    /// `FORBIDDEN`.
    Forbidden,
    /// It has rights, but is for members, and Redis knows of no such membership: `FORBIDDEN`.
    NotMember,
    /// `SOS_CLOSED`.
    Closed,
    /// `INVALID_STATUS`: no such status.
    UnknownStatus,
    /// `INVALID_TRANSITION`.
    Transition,
    /// `STATUS_CONFLICT`: the given old status is not the present one.
    Conflict,
}

/// A write's result: broken transport outside, refusal by a rule inside.
pub type Outcome<T, E> = Result<Result<T, Refused>, E>;

/// The head of every write's answer: outcome, then what it did. `Err` inside is a refusal.
pub(super) fn read_written(reply: &mut Reply) -> Result<Result<(String, Written), Refused>, BadReply> {
    let outcome = reply.text()?;
    if let Some(refused) = refusal(&outcome) {
        return Ok(Err(refused));
    }
    let heard = reply.int()?;
    let written = Written {
        heard: u32::try_from(heard).ok(),
        listeners: u32::try_from(reply.uint()?).unwrap_or(u32::MAX),
        outbox: reply.uint()?,
        copies_pending: reply.flag()?,
        at: reply.uint()?,
        duplicate: reply.flag()?,
    };
    Ok(Ok((outcome, written)))
}

fn refusal(outcome: &str) -> Option<Refused> {
    Some(match outcome {
        "missing" => Refused::Missing,
        "forbidden" => Refused::Forbidden,
        "not_member" => Refused::NotMember,
        "closed" => Refused::Closed,
        "unknown_status" => Refused::UnknownStatus,
        "transition" => Refused::Transition,
        "conflict" => Refused::Conflict,
        _ => return None,
    })
}

/// Who asks. Roles are lower case: `citizen`, `rescuer`, `dispatcher`, `admin`, `system`.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    pub user: &'a str,
    /// The token's role; an admission may replace it for this SOS.
    pub role: &'a str,
    /// The token names this SOS.
    pub named: bool,
    /// The asking socket; empty if there is none.
    pub sid: &'a str,
    pub source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Socket,
    /// The internal API: authoritative, and not sent back through the outbox.
    Internal,
    /// The hub itself (sweep, look-up).
    Hub,
}

impl Source {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Internal => "internal",
            Self::Hub => "hub",
        }
    }
}

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
    pub snapshot: SosSnapshot,
    pub written: Written,
    /// In so long the earliest timer is due that this call has set.
    pub due_in: Option<Duration>,
}

/// When the timers of an SOS that is made are due.
#[derive(Debug, Clone, Copy)]
pub struct FirstTimers {
    /// Somebody should have acknowledged it by then.
    pub ack: Duration,
    /// A provisional one is looked up again; `None`: there is nobody to ask.
    pub lookup: Option<Duration>,
}

/// `POST …/init`: makes the state, or fills null fields of one that stands, or completes a provisional one.
/// `fix` becomes the citizen's last location. Watchers are owed `sos:created`.
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
    let snapshot = SosSnapshot::read(sos, &mut reply)?;
    while more {
        // It is made. What cannot be told of now is left to the sweep.
        more = sos_joins(redis, sos, Op { id: "", client_message_id: "", ..op }).await.unwrap_or(false);
    }
    Ok(SosMade { created, completed, written, due_in, snapshot })
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

/// Announces `sos:unacknowledged`, once, if nobody acknowledged within `deadline_ms` of the beginning.
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

/// State, locations and members in one read; `None` if there is no state.
pub async fn sos_snapshot<E: Eval>(redis: &E, sos: &str) -> Result<Option<SosSnapshot>, E::Error> {
    let at = vec![sos_keys::state(sos), sos_keys::location(sos), keys::scope_members(&scope(sos))];
    let mut reply = Reply::new(SNAPSHOT.name, redis.eval(&SNAPSHOT, at, Vec::new()).await?)?;
    Ok(if reply.len() == 0 { None } else { Some(SosSnapshot::read(sos, &mut reply)?) })
}

script!(
    CREATE = "sos" / "sos_create",
    "scope/lib/scope",
    "scope/lib/due",
    "scope/lib/log",
    "scope/lib/members",
    "rooms/lib/audit",
    "sos/lib/final",
    "sos/lib/sos",
    "sos/lib/snapshot",
    "sos/lib/room",
    "sos/lib/location",
    "sos/lib/status",
    "sos/lib/waiting"
);
script!(
    JOINS = "sos" / "sos_joins",
    "scope/lib/scope",
    "scope/lib/log",
    "scope/lib/members",
    "rooms/lib/audit",
    "sos/lib/final",
    "sos/lib/sos",
    "sos/lib/snapshot",
    "sos/lib/room",
    "sos/lib/waiting"
);
script!(
    STATUS = "sos" / "sos_status",
    "scope/lib/scope",
    "scope/lib/log",
    "scope/lib/members",
    "rooms/lib/audit",
    "sos/lib/final",
    "sos/lib/sos",
    "sos/lib/snapshot",
    "sos/lib/room",
    "sos/lib/location",
    "sos/lib/status"
);
script!(
    CLOSE = "sos" / "sos_close",
    "scope/lib/scope",
    "scope/lib/log",
    "scope/lib/members",
    "rooms/lib/audit",
    "sos/lib/final",
    "sos/lib/sos",
    "sos/lib/snapshot",
    "sos/lib/room",
    "sos/lib/location",
    "sos/lib/status"
);
script!(
    EXPIRE = "sos" / "sos_expire",
    "scope/lib/scope",
    "scope/lib/due",
    "scope/lib/log",
    "scope/lib/members",
    "rooms/lib/audit",
    "sos/lib/final",
    "sos/lib/sos",
    "sos/lib/snapshot",
    "sos/lib/room",
    "sos/lib/location",
    "sos/lib/status"
);
script!(
    ACKNOWLEDGE = "sos" / "sos_acknowledge",
    "scope/lib/scope",
    "scope/lib/log",
    "scope/lib/members",
    "rooms/lib/audit",
    "sos/lib/final",
    "sos/lib/sos",
    "sos/lib/snapshot",
    "sos/lib/room"
);
script!(
    UNACKNOWLEDGED = "sos" / "sos_unacknowledged",
    "scope/lib/scope",
    "scope/lib/due",
    "scope/lib/log",
    "scope/lib/members",
    "rooms/lib/audit",
    "sos/lib/final",
    "sos/lib/sos",
    "sos/lib/snapshot",
    "sos/lib/room"
);
script!(SNAPSHOT = "sos" / "sos_snapshot", "sos/lib/snapshot");

pub(super) const INTERNAL: Actor<'static> = Actor { user: "", role: "system", named: false, sid: "", source: Source::Internal };
pub(super) const HUB: Actor<'static> = Actor { user: "system", source: Source::Hub, ..INTERNAL };

/// All keys of an SOS in the order of `lua/sos/lib/sos.lua`.
pub(super) fn all_keys(sos: &str) -> Vec<String> {
    let scope = scope(sos);
    vec![
        keys::scope_meta(&scope),
        keys::scope_log(&scope),
        keys::scope_members(&scope),
        sos_keys::state(sos),
        sos_keys::location(sos),
        sos_keys::track(sos),
        sos_keys::messages(sos),
        sos_keys::events(sos),
        sos_keys::outbox(sos),
    ]
}

/// [`all_keys`] and that of its timers.
pub(super) fn keys_with_due(sos: &str) -> Vec<String> {
    let mut keys = all_keys(sos);
    keys.push(keys::scope_due(&scope(sos)));
    keys
}

/// The arguments with which every SOS write begins.
pub(super) fn head(op: Op<'_>, sos: &str, actor: Actor<'_>) -> Args {
    crate::cluster::scripts::scope::head(op, &scope(sos))
        .text(sos)
        .text(actor.user)
        .owned(user_tag(actor.user))
        .text(actor.role)
        .flag(actor.named)
        .text(actor.sid)
        .owned(format!("{}{}", actor.source.as_str(), if op.outbox { "" } else { " off" }))
}
