//! Who is in a room, announced as `presence:update`: at most once in a window, for all that has changed meanwhile; up to 50
//! members as a list, above that only the changes. A lost connection counts as there until a grace is over. What is not announced
//! yet is noted in Redis (`lua/scope/lib/members.lua`), so that any node can announce it.
//!
//! A feature with rules of its own includes `lua/rooms/lib/presence.lua` in its scripts, and says there how an announcement is
//! published. The scripts here are for rooms whose rules the caller has judged; [`Presence`] does all that follows from them.

mod service;

use std::time::Duration;

use bytes::Bytes;

use super::scripts::{ROOM, Sender, Told, head, scope_keys, told};
use crate::cluster::scripts::Op;
use crate::core::{Position, ScopeId, StreamId};
use crate::redis::keys;
use crate::redis::script::{Args, BadReply, Eval, Reply, script};

pub use service::{Presence, Rules};

/// A user in the room, or one whose connection was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberState {
    pub user_id: String,
    pub role: String,
    pub last_seen: u64,
    /// It has sockets, or its last one was lost less than the grace ago.
    pub online: bool,
    pub sockets: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberSocket {
    pub sid: String,
    /// base64url of its user id.
    pub user_key: String,
    pub role: String,
    pub node: String,
    pub session_epoch: u64,
    pub joined: u64,
    pub last_seen: u64,
}

/// Reads `scope:members`: its users, ascending by id, and their sockets.
pub fn read_members(reply: &Reply, fields: Vec<(String, Bytes)>) -> Result<(Vec<MemberState>, Vec<MemberSocket>), BadReply> {
    let (mut members, mut sockets) = (Vec::new(), Vec::new());
    for (field, value) in fields {
        let text = std::str::from_utf8(&value).map_err(|_| reply.bad("no UTF-8"))?;
        if field.starts_with('@') {
            members.push(member(text).ok_or_else(|| reply.bad("no such member"))?);
        } else if field != "_" {
            sockets.push(socket(field, text).ok_or_else(|| reply.bad("no such socket"))?);
        }
    }
    members.sort_by(|a: &MemberState, b| a.user_id.cmp(&b.user_id));
    Ok((members, sockets))
}

fn member(text: &str) -> Option<MemberState> {
    let mut parts = text.splitn(5, ' ');
    let (role, last_seen, sockets, shown) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let sockets = sockets.parse().ok()?;
    Some(MemberState {
        role: role.to_owned(),
        last_seen: last_seen.parse().ok()?,
        sockets,
        online: sockets > 0 || shown == "1",
        user_id: parts.next()?.to_owned(),
    })
}

fn socket(sid: String, text: &str) -> Option<MemberSocket> {
    let mut parts = text.split(' ');
    Some(MemberSocket {
        sid,
        user_key: parts.next()?.to_owned(),
        role: parts.next()?.to_owned(),
        node: parts.next()?.to_owned(),
        session_epoch: parts.next()?.parse().ok()?,
        joined: parts.next()?.parse().ok()?,
        last_seen: parts.next()?.parse().ok()?,
    })
}

/// How the presence of a room is announced.
#[derive(Debug, Clone, Copy)]
pub struct Announcing<'a> {
    /// At most one announcement in so long.
    pub window: Duration,
    /// How long a lost connection stays unannounced.
    pub grace: Duration,
    /// The durable timer by which the lost are announced: [`room_presence`] is to be called when it is due.
    pub timer: &'a str,
    /// What the payload begins with, such as the room's id: fields of a JSON object.
    pub head: &'a str,
}

/// A connection, as the room's members know it.
#[derive(Debug, Clone, Copy)]
pub struct Connection<'a> {
    /// Node and incarnation, no spaces.
    pub node: &'a str,
    pub session_epoch: u64,
}

impl Connection<'_> {
    /// The two arguments by which scripts know it.
    pub fn push(self, args: Args) -> Args {
        args.text(self.node).int(self.session_epoch)
    }
}

/// A socket that has joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomJoined {
    /// False if it was a member already: nothing is announced then.
    pub first: bool,
    /// What is logged after this position is for the new member.
    pub position: Position,
    /// Presence is to be announced so much later, by [`room_announce`].
    pub announce_in: Option<Duration>,
    pub told: Told,
}

/// What a change of presence leaves to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoomChanged {
    /// `None`: nothing was announced.
    pub told: Option<Told>,
    /// Presence is to be announced so much later, by [`room_announce`].
    pub announce_in: Option<Duration>,
    /// The timer of the lost is set to then.
    pub timer_in: Option<Duration>,
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

fn keys_with_due(scope: &ScopeId) -> Vec<String> {
    let mut at = scope_keys(scope);
    at.push(keys::scope_due(scope));
    at
}

/// Makes the sender's socket a member, and its node a listener. `recovered`: it has come back, and is not announced again.
pub async fn room_join<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    op: Op<'_>,
    sender: Sender<'_>,
    connection: Connection<'_>,
    recovered: bool,
    announcing: Announcing<'_>,
) -> Result<RoomJoined, E::Error> {
    let args = connection.push(head(op, scope, sender)).flag(recovered);
    let args = args.int(ms(announcing.window)).text(announcing.head).done();
    let mut reply = Reply::new(JOIN.name, redis.eval(&JOIN, scope_keys(scope), args).await?)?;
    let (_, told) = told(&mut reply)?;
    let (first, id, epoch): (_, StreamId, _) = (reply.flag()?, reply.parsed()?, reply.text()?);
    Ok(RoomJoined { first, position: Position::new(epoch, id), announce_in: reply.wait()?, told })
}

/// Ends the membership of the sender's socket. `lost_at` (ms since 1970; 0: now): its connection was lost, which is announced
/// when the grace is over; `None`: it has left. `None` is returned if it was no member of this node and session epoch.
pub async fn room_leave<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    op: Op<'_>,
    sender: Sender<'_>,
    connection: Connection<'_>,
    lost_at: Option<u64>,
    announcing: Announcing<'_>,
) -> Result<Option<RoomChanged>, E::Error> {
    let args = connection.push(head(op, scope, sender));
    let args = args.flag(lost_at.is_some()).int(lost_at.unwrap_or(0)).int(ms(announcing.window)).text(announcing.head);
    let args = args.text(announcing.timer).int(ms(announcing.grace)).done();
    let mut reply = Reply::new(LEAVE.name, redis.eval_write(&LEAVE, keys_with_due(scope), args).await?)?;
    let (outcome, told) = told(&mut reply)?;
    if outcome != "ok" {
        return Ok(None);
    }
    Ok(Some(RoomChanged { told: Some(told), announce_in: reply.wait()?, timer_in: reply.wait()? }))
}

/// Announces those whose last connection was lost a grace ago or more, and what else has changed: for the timer of the lost.
pub async fn room_presence<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    op: Op<'_>,
    announcing: Announcing<'_>,
) -> Result<RoomChanged, E::Error> {
    announce(redis, scope, op, announcing, ms(announcing.grace).to_string()).await
}

/// Announces what has changed in a window that is over. Whichever node comes first does it.
pub async fn room_announce<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    op: Op<'_>,
    announcing: Announcing<'_>,
) -> Result<RoomChanged, E::Error> {
    announce(redis, scope, op, announcing, String::new()).await
}

async fn announce<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    op: Op<'_>,
    announcing: Announcing<'_>,
    grace: String,
) -> Result<RoomChanged, E::Error> {
    let args = head(op, scope, Sender::default()).owned(grace).int(ms(announcing.window)).text(announcing.head);
    let args = args.text(announcing.timer).done();
    let mut reply = Reply::new(PRESENCE.name, redis.eval(&PRESENCE, keys_with_due(scope), args).await?)?;
    let (outcome, told) = told(&mut reply)?;
    let timer_in = reply.wait()?;
    Ok(RoomChanged { told: (outcome == "ok").then_some(told), announce_in: reply.wait()?, timer_in })
}

/// Who is there, for somebody who will apply what is announced after the returned id.
pub async fn room_members<E: Eval>(
    redis: &E,
    scope: &ScopeId,
) -> Result<(StreamId, Vec<MemberState>, Vec<MemberSocket>), E::Error> {
    let at = vec![keys::scope_meta(scope), keys::scope_members(scope)];
    let mut reply = Reply::new(MEMBERS.name, redis.eval(&MEMBERS, at, Vec::new()).await?)?;
    let last = reply.parsed()?;
    let fields = reply.pairs()?;
    let (members, sockets) = read_members(&reply, fields)?;
    Ok((last, members, sockets))
}

script!(JOIN = "rooms" / "room_join" in ROOM, "rooms/lib/announced", "rooms/lib/presence");
script!(LEAVE = "rooms" / "room_leave" in ROOM, "scope/lib/due", "rooms/lib/announced", "rooms/lib/presence");
script!(PRESENCE = "rooms" / "room_presence" in ROOM, "scope/lib/due", "rooms/lib/announced", "rooms/lib/presence");
script!(MEMBERS = "rooms" / "room_members");
