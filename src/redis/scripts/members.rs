//! Who is in an SOS, and by what right: joins, leaves, presence, admissions. Contract § 3 "Rights".

use super::reply::{Args, Reply};
use super::snapshot::SosSnapshot;
use super::sos::{Actor, HUB, INTERNAL, all_keys, head, scope};
use super::{BadReply, Eval, Op, Outcome, Refused, Written, script, user_key};
use crate::ids::StreamId;
use crate::redis::keys;

/// The connection that joins.
#[derive(Debug, Clone, Copy)]
pub struct Seat<'a> {
    /// Node and incarnation, no spaces.
    pub node: &'a str,
    pub session_epoch: u64,
    /// The token's `sosId`: a member from CONNECT on, whether state exists or not.
    pub from_connect: bool,
    /// A socket that came back: it is not announced again.
    pub recovered: bool,
}

#[derive(Debug, Clone)]
pub enum SosJoin {
    /// No state, not joined: ask the SOS service, then [`sos_complete`](super::sos::sos_complete) or
    /// [`sos_provisional`](super::sos::sos_provisional), then join again.
    Missing,
    Forbidden,
    /// Over: the snapshot is the answer, the socket did not join.
    Ended(Box<SosSnapshot>),
    Joined(Box<SosJoined>),
}

#[derive(Debug, Clone)]
pub struct SosJoined {
    /// `None` with `from_connect` and no state yet: look it up, and send `sos:state` as soon as there is one.
    pub snapshot: Option<SosSnapshot>,
    /// Release what was held with an id above this one.
    pub position: StreamId,
    pub epoch: String,
    /// False if this socket was a member already; nothing was announced then.
    pub first: bool,
    /// The role that counts in this SOS (an admission may have replaced the token's).
    pub role: String,
    pub written: Written,
}

/// Joins, registers the node as a listener, announces `sos:init` and `presence:update` once per socket.
///
/// It does not wait for a replica: with one that hangs nobody could connect any more, while a join that a failover took back
/// is repaired by the member's next heartbeat ([`scope_touch`](super::scope::scope_touch)).
pub async fn sos_join<E: Eval>(redis: &E, sos: &str, op: Op<'_>, actor: Actor<'_>, seat: Seat<'_>) -> Result<SosJoin, E::Error> {
    let args = head(op, sos, actor).text(seat.node).int(seat.session_epoch).flag(seat.from_connect).flag(seat.recovered).done();
    let mut reply = Reply::new(JOIN.name, redis.eval(&JOIN, all_keys(sos), args).await?)?;
    let (outcome, written) = match reply.written()? {
        Ok(written) => written,
        Err(Refused::Missing) => return Ok(SosJoin::Missing),
        Err(Refused::Forbidden) => return Ok(SosJoin::Forbidden),
        Err(other) => return Err(reply.bad(format!("{other:?}")).into()),
    };
    if outcome == "ended" {
        return Ok(SosJoin::Ended(Box::new(SosSnapshot::read(sos, &mut reply)?)));
    }
    Ok(SosJoin::Joined(Box::new(joined(sos, written, &mut reply)?)))
}

fn joined(sos: &str, written: Written, reply: &mut Reply) -> Result<SosJoined, BadReply> {
    Ok(SosJoined {
        written,
        first: reply.flag()?,
        position: reply.parsed()?,
        epoch: reply.text()?,
        role: reply.text()?,
        snapshot: if reply.flag()? { Some(SosSnapshot::read(sos, reply)?) } else { None },
    })
}

/// Leaves by `sos:leave`, for one socket: the user vanishes from the members with its last socket.
/// Only the holder of node and session epoch can. `None`: it was no member (any more).
pub async fn sos_leave<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    seat: Seat<'_>,
) -> Result<Option<Written>, E::Error> {
    left(redis, sos, op, actor, seat, None).await
}

/// A connection was lost at `lost_at` (ms; `None`: now). Nothing is announced yet: call [`sos_presence`] when
/// the grace is over.
pub async fn sos_lost<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    seat: Seat<'_>,
    lost_at: Option<u64>,
) -> Result<Option<Written>, E::Error> {
    left(redis, sos, op, actor, seat, Some(lost_at.unwrap_or(0))).await
}

async fn left<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    seat: Seat<'_>,
    lost: Option<u64>,
) -> Result<Option<Written>, E::Error> {
    let args = head(op, sos, actor).text(seat.node).int(seat.session_epoch);
    let args = args.flag(lost.is_some()).int(lost.unwrap_or(0)).done();
    let mut reply = Reply::new(LEAVE.name, redis.eval_write(&LEAVE, all_keys(sos), args).await?)?;
    Ok(reply.written()?.ok().filter(|(outcome, _)| outcome == "ok").map(|(_, written)| written))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// `None`: nobody's presence changed.
    pub written: Option<Written>,
    /// Somebody else will be due in so many ms.
    pub next_ms: Option<u64>,
}

/// Announces (`presence:update`, once) everybody whose last connection was lost `grace_ms` ago or more.
pub async fn sos_presence<E: Eval>(redis: &E, sos: &str, op: Op<'_>, grace_ms: u64) -> Result<Announced, E::Error> {
    let args = head(op, sos, HUB).int(grace_ms).done();
    let mut reply = Reply::new(PRESENCE.name, redis.eval(&PRESENCE, all_keys(sos), args).await?)?;
    let (outcome, written) = reply.written()?.map_err(|refused| reply.bad(format!("{refused:?}")))?;
    let next = reply.int()?;
    Ok(Announced { written: (outcome == "ok").then_some(written), next_ms: u64::try_from(next).ok() })
}

/// `POST …/members`: the user has rights here, with this role, until it is removed. Nodes get the control message
/// `["admitted",{"userId","role"}]`.
pub async fn sos_admit<E: Eval>(redis: &E, sos: &str, op: Op<'_>, user: &str, role: &str) -> Outcome<Written, E::Error> {
    admission(redis, sos, op, user, role).await
}

/// `DELETE …/members/:userId`: outranks the token until the next admission. Its sockets are members no longer; nodes get
/// the control message `["removed",{"userId"}]`, the room `presence:update`.
pub async fn sos_remove<E: Eval>(redis: &E, sos: &str, op: Op<'_>, user: &str) -> Outcome<Written, E::Error> {
    admission(redis, sos, op, user, "").await
}

async fn admission<E: Eval>(redis: &E, sos: &str, op: Op<'_>, user: &str, role: &str) -> Outcome<Written, E::Error> {
    let args = head(op, sos, Actor { user, ..INTERNAL }).text(role).done();
    let mut reply = Reply::new(ADMIT.name, redis.eval_write(&ADMIT, all_keys(sos), args).await?)?;
    Ok(reply.written()?.map(|(_, written)| written))
}

/// The rights of an actor, and what stands: for reads that need no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The role that counts in this SOS; `None`: no rights.
    pub role: Option<String>,
    pub status: String,
    pub ended: bool,
    /// The actor's socket is a member.
    pub member: bool,
}

/// Reads an actor's rights; `None` if there is no state.
pub async fn sos_standing<E: Eval>(redis: &E, sos: &str, actor: Actor<'_>) -> Result<Option<Standing>, E::Error> {
    let at = vec![keys::sos_state(sos), keys::scope_members(&scope(sos))];
    let args = Args::new().owned(user_key(actor.user)).text(actor.role).flag(actor.named).text(actor.sid).done();
    let mut reply = Reply::new(STANDING.name, redis.eval(&STANDING, at, args).await?)?;
    if reply.len() == 0 {
        return Ok(None);
    }
    Ok(Some(Standing { role: reply.some()?, status: reply.text()?, ended: reply.flag()?, member: reply.flag()? }))
}

script!(JOIN = "sos_join", "scope", "log", "members", "sos", "room");
script!(LEAVE = "sos_leave", "scope", "log", "members", "sos", "room", "location");
script!(PRESENCE = "sos_presence", "scope", "log", "members", "sos", "room", "location");
script!(ADMIT = "sos_admit", "scope", "log", "members", "sos", "room");
script!(STANDING = "sos_standing", "scope", "sos");
