//! The scripts of an SOS, as typed functions. Contract § 3.
//!
//! The scripts hold the rules (rights, transition table, finality) and broadcast, audit and append to the outbox in the
//! same step. What a caller must not forget stands in [`Written`].

pub mod audit;
pub mod location;
pub mod lookup;
pub mod make;
pub mod members;
pub mod outbox;
pub mod presence;
pub mod snapshot;
pub mod status;
pub mod talk;
pub mod watch;

use super::kinds::scope;
use crate::cluster::scripts::Op;
use crate::features::sos::keys as sos_keys;
use crate::redis::keys;
use crate::redis::keys::user_tag;
use crate::redis::script::{Args, BadReply, Eval, Reply, script, script_set};
use snapshot::SosSnapshot;

/// What a script has in front of it that judges by the rules of an SOS.
const RULES: &str = script_set!("scope/lib/scope", "rooms/lib/audit", "sos/lib/final", "sos/lib/sos");
/// And one that writes to its room.
const ROOM: &str = script_set!(
    "scope/lib/scope",
    "scope/lib/log",
    "scope/lib/members",
    "rooms/lib/audit",
    "sos/lib/final",
    "sos/lib/sos",
    "sos/lib/room",
);

pub use audit::*;
pub use location::*;
pub use lookup::*;
pub use make::*;
pub use members::*;
pub use status::*;
pub use talk::*;
pub use watch::*;

/// What a write did beside its own result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// How many subscribers heard the (least heard) message; `None` if nothing was published.
    pub heard: Option<u32>,
    /// How many nodes are registered as listeners. More than `heard`: a node did not hear it, and is to be woken.
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

/// The user of a call. Roles are lower case: `citizen`, `rescuer`, `dispatcher`, `admin`, `system`.
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

/// State and members in one read, and then the last locations, which are not of the same moment; `None` if there is no state.
pub async fn sos_snapshot<E: Eval>(redis: &E, sos: &str) -> Result<Option<SosSnapshot>, E::Error> {
    let at = vec![sos_keys::state(sos), keys::scope_members(&scope(sos))];
    let mut reply = Reply::new(SNAPSHOT.name, redis.eval(&SNAPSHOT, at, Vec::new()).await?)?;
    if reply.left() == 0 {
        return Ok(None);
    }
    Ok(Some(location::located(redis, SosSnapshot::read(sos, &mut reply)?).await?))
}

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

/// [`Op::extra`] of a write that is not reported to the SOS service.
pub const NO_OUTBOX: &str = " off";

/// The arguments with which every SOS write begins.
pub(super) fn head(op: Op<'_>, sos: &str, actor: Actor<'_>) -> Args {
    crate::cluster::scripts::scope::head(op, &scope(sos))
        .text(sos)
        .text(actor.user)
        .owned(user_tag(actor.user))
        .text(actor.role)
        .flag(actor.named)
        .text(actor.sid)
        .owned(format!("{}{}", actor.source.as_str(), op.extra))
}
