//! The members of an SOS: joins, leaves, presence, rights, admissions. Contract § 3 "Rights".

use std::time::Duration;

use super::location::located;
use super::snapshot::SosSnapshot;
use super::{Actor, HUB, INTERNAL, Outcome, ROOM, RULES, Refused, Written, all_keys, head, keys_with_due, read_written, scope};
use crate::cluster::scripts::Op;
use crate::core::{Position, StreamId};
use crate::features::sos::keys as sos_keys;
use crate::redis::keys;
use crate::redis::keys::user_tag;
use crate::redis::script::{Args, BadReply, Eval, Reply, script};
pub use crate::rooms::presence::Connection;

/// The connection of a socket that joins, and how it came.
#[derive(Debug, Clone, Copy)]
pub struct Joining<'a> {
    pub connection: Connection<'a>,
    /// The token's `sosId`: a member from CONNECT on, whether state exists or not.
    pub from_connect: bool,
    /// A socket that came back: it is not announced again.
    pub recovered: bool,
    /// Sockets that one user may have there.
    pub most: u32,
}

/// How often presence may be announced in one SOS (ms), by the settings.
pub type PresenceWindow = u64;

#[derive(Debug, Clone)]
pub enum SosJoin {
    /// No state, not joined: ask the SOS service, then [`sos_complete`](super::sos::sos_complete) or
    /// [`sos_provisional`](super::sos::sos_provisional), then join again.
    Missing,
    Forbidden,
    /// Over: the state is the answer, the socket did not join.
    Ended,
    /// Its user has as many sockets there as it may have.
    Crowded,
    Joined(Box<SosJoined>),
}

#[derive(Debug, Clone)]
pub struct SosJoined {
    /// `None` if it was not asked for, or without a state; or if it would be large: take one for all who join together, by
    /// [`sos_share`].
    pub snapshot: Option<SosSnapshot>,
    /// False with `from_connect` and no state yet: look it up, and send `sos:state` as soon as there is one.
    pub has_state: bool,
    /// There is one, made without a record.
    pub provisional: bool,
    /// Release what was held with an id above this one.
    pub position: Position,
    /// False if this socket was a member already; nothing was announced then.
    pub first: bool,
    /// The role that counts in this SOS (an admission may have replaced the token's).
    pub role: String,
    /// Presence is to be announced in so many ms, by [`sos_announce`].
    pub announce_ms: Option<u64>,
    pub written: Written,
}

/// Joins, registers the node as a listener, announces `sos:init` (in a small room) and `presence:update` once per socket.
///
/// It does not wait for a replica: if one hangs, no client could connect any more, while a join that a failover took back
/// is repaired by the member's next heartbeat ([`scope_touch`](super::scope::scope_touch)).
pub async fn sos_join<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    joining: Joining<'_>,
    window: PresenceWindow,
    snapshot: bool,
) -> Result<SosJoin, E::Error> {
    let args = joining.connection.push(head(op, sos, actor)).flag(joining.from_connect).flag(joining.recovered);
    let args = args.int(window).flag(snapshot).int(joining.most.into()).done();
    let mut reply = Reply::new(JOIN.name, redis.eval(&JOIN, all_keys(sos), args).await?)?;
    let (outcome, written) = match read_written(&mut reply)? {
        Ok(written) => written,
        Err(Refused::Missing) => return Ok(SosJoin::Missing),
        Err(Refused::Forbidden) => return Ok(SosJoin::Forbidden),
        Err(other) => return Err(reply.bad(format!("{other:?}")).into()),
    };
    Ok(match outcome.as_str() {
        "ended" => SosJoin::Ended,
        "crowded" => SosJoin::Crowded,
        _ => SosJoin::Joined(Box::new(joined(sos, written, &mut reply)?)),
    })
}

fn joined(sos: &str, written: Written, reply: &mut Reply) -> Result<SosJoined, BadReply> {
    let (first, id, epoch, role) = (reply.flag()?, reply.parsed()?, reply.text()?, reply.text()?);
    let (announce, state) = (reply.int()?, reply.int()?);
    Ok(SosJoined {
        written,
        first,
        position: Position::new(epoch, id),
        role,
        announce_ms: u64::try_from(announce).ok(),
        has_state: state > 0,
        provisional: state == 2,
        snapshot: if reply.flag()? { Some(read_whole(sos, reply)?) } else { None },
    })
}

/// A snapshot with its locations, of one moment.
fn read_whole(sos: &str, reply: &mut Reply) -> Result<SosSnapshot, BadReply> {
    let snapshot = SosSnapshot::read(sos, reply)?;
    let fixes = reply.pairs()?;
    snapshot.with_locations(&fixes).ok_or_else(|| reply.bad("no such location"))
}

/// As [`sos_snapshot`](super::sos_snapshot), for members who will apply what is announced from now on, and the newest logged
/// id; `None` if there is no state. Safe to repeat by itself.
pub async fn sos_share<E: Eval>(redis: &E, sos: &str) -> Result<Option<(SosSnapshot, StreamId)>, E::Error> {
    let scope = scope(sos);
    let at = vec![keys::scope_meta(&scope), sos_keys::state(sos), keys::scope_members(&scope)];
    let mut reply = Reply::new(SHARE.name, redis.eval(&SHARE, at, Vec::new()).await?)?;
    if reply.left() == 0 {
        return Ok(None);
    }
    let (snapshot, last) = (SosSnapshot::read(sos, &mut reply)?, reply.parsed()?);
    Ok(Some((located(redis, snapshot).await?, last)))
}

/// A write that may have changed the presence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    pub written: Written,
    /// Presence is to be announced in so many ms, by [`sos_announce`].
    pub announce_ms: Option<u64>,
    /// In so long the timer is due that this call has set.
    pub due_in: Option<Duration>,
}

/// A connection that was lost.
#[derive(Debug, Clone, Copy, Default)]
pub struct Loss {
    /// ms; `None`: now.
    pub at: Option<u64>,
    /// So long after that it is announced.
    pub grace: Duration,
}

/// Leaves by `sos:leave`, for one socket: the user vanishes from the members with its last socket.
/// Only the holder of node and session epoch can. `None`: it was no member (any more).
pub async fn sos_leave<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    connection: Connection<'_>,
    window: PresenceWindow,
) -> Result<Option<Moved>, E::Error> {
    left(redis, sos, op, actor, connection, None, window).await
}

/// A connection was lost. Nothing is announced yet: a timer is set for [`sos_presence`] when the grace is over.
pub async fn sos_lost<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    connection: Connection<'_>,
    loss: Loss,
    window: PresenceWindow,
) -> Result<Option<Moved>, E::Error> {
    left(redis, sos, op, actor, connection, Some(loss), window).await
}

async fn left<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    connection: Connection<'_>,
    lost: Option<Loss>,
    window: PresenceWindow,
) -> Result<Option<Moved>, E::Error> {
    let Loss { at, grace } = lost.unwrap_or_default();
    let args = connection
        .push(head(op, sos, actor))
        .flag(lost.is_some())
        .int(at.unwrap_or(0))
        .int(window)
        .int(grace.as_millis() as u64)
        .done();
    let mut reply = Reply::new(LEAVE.name, redis.eval_write(&LEAVE, keys_with_due(sos), args).await?)?;
    match read_written(&mut reply)? {
        Ok((outcome, written)) if outcome == "ok" => {
            let moved = moved(written, &mut reply)?;
            Ok(Some(Moved { due_in: reply.wait()?, ..moved }))
        }
        _ => Ok(None),
    }
}

fn moved(written: Written, reply: &mut Reply) -> Result<Moved, BadReply> {
    Ok(Moved { written, announce_ms: u64::try_from(reply.int()?).ok(), due_in: None })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Announced {
    /// `None`: no presence has changed.
    pub written: Option<Written>,
    /// Another user will be due then: the timer is set to it.
    pub next: Option<Duration>,
    /// Presence is to be announced in so many ms, by [`sos_announce`].
    pub announce_ms: Option<u64>,
}

/// Announces (`presence:update`, once) everybody whose last connection was lost `grace_ms` ago or more, and what else has changed.
pub async fn sos_presence<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    grace_ms: u64,
    window: PresenceWindow,
) -> Result<Announced, E::Error> {
    announce(redis, sos, op, Some(grace_ms), window).await
}

/// Announces what has changed in a presence window that is over. The first node that comes does it.
pub async fn sos_announce<E: Eval>(redis: &E, sos: &str, op: Op<'_>, window: PresenceWindow) -> Result<Announced, E::Error> {
    announce(redis, sos, op, None, window).await
}

async fn announce<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    grace_ms: Option<u64>,
    window: PresenceWindow,
) -> Result<Announced, E::Error> {
    let grace = grace_ms.map(|ms| ms.to_string()).unwrap_or_default();
    let args = head(op, sos, HUB).owned(grace).int(window).done();
    let mut reply = Reply::new(PRESENCE.name, redis.eval(&PRESENCE, keys_with_due(sos), args).await?)?;
    let (outcome, written) = read_written(&mut reply)?.map_err(|refused| reply.bad(format!("{refused:?}")))?;
    Ok(Announced {
        written: (outcome == "ok").then_some(written),
        next: reply.wait()?,
        announce_ms: u64::try_from(reply.int()?).ok(),
    })
}

/// `POST …/members`: the user has rights here, with this role, until it is removed. Nodes get the control message
/// `["admitted",{"userId","role"}]`.
pub async fn sos_admit<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    user: &str,
    role: &str,
    window: PresenceWindow,
) -> Outcome<Moved, E::Error> {
    admission(redis, sos, op, user, role, window).await
}

/// `DELETE …/members/:userId`: outranks the token until the next admission. Its sockets are members no longer; nodes get
/// the control message `["removed",{"userId"}]`, the room `presence:update`.
pub async fn sos_remove<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    user: &str,
    window: PresenceWindow,
) -> Outcome<Moved, E::Error> {
    admission(redis, sos, op, user, "", window).await
}

async fn admission<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    user: &str,
    role: &str,
    window: PresenceWindow,
) -> Outcome<Moved, E::Error> {
    let args = head(op, sos, Actor { user, ..INTERNAL }).text(role).int(window).done();
    let mut reply = Reply::new(ADMIT.name, redis.eval_write(&ADMIT, all_keys(sos), args).await?)?;
    match read_written(&mut reply)? {
        Ok((_, written)) => Ok(Ok(moved(written, &mut reply)?)),
        Err(refused) => Ok(Err(refused)),
    }
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
    let at = vec![sos_keys::state(sos), keys::scope_members(&scope(sos))];
    let args = Args::new().owned(user_tag(actor.user)).text(actor.role).flag(actor.named).text(actor.sid).done();
    let mut reply = Reply::new(STANDING.name, redis.eval(&STANDING, at, args).await?)?;
    if reply.left() == 0 {
        return Ok(None);
    }
    Ok(Some(Standing { role: reply.some()?, status: reply.text()?, ended: reply.flag()?, member: reply.flag()? }))
}

script!(JOIN = "sos" / "sos_join" in ROOM, "sos/lib/snapshot", "sos/lib/presence", "rooms/lib/presence");
script!(SHARE = "sos" / "sos_share", "sos/lib/snapshot");
script!(LEAVE = "sos" / "sos_leave" in ROOM, "scope/lib/due", "sos/lib/presence", "rooms/lib/presence", "sos/lib/location");
script!(PRESENCE = "sos" / "sos_presence" in ROOM, "scope/lib/due", "sos/lib/presence", "rooms/lib/presence", "sos/lib/location");
script!(ADMIT = "sos" / "sos_admit" in ROOM, "sos/lib/presence", "rooms/lib/presence");
script!(STANDING = "sos" / "sos_standing" in RULES);
