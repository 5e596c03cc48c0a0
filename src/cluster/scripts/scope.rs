//! What every scope has: a log, a channel, members, nodes that listen.
//!
//! A message on `scope:channel:<kind>:{<id>}` is `<epoch> <prev> <id>\n<body>`, `~` in place of the id of a volatile one.
//! The body is `<audience> <except> <key> <lens>\n<json args array><attachments…>`; the log holds it in field `b`.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Op;
use crate::core::ids::random;
use crate::core::{Position, ScopeId, StreamId};
use crate::redis::keys;
use crate::redis::keys::user_tag;
use crate::redis::script::{Args, BadReply, Eval, Reply, script};

/// One entry of a log, a control message (audience `!`) included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub id: StreamId,
    pub body: Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    Logged,
    /// Not logged: a client that misses it never gets it.
    Volatile,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The log id; `None` for a volatile message.
    pub id: Option<StreamId>,
    pub heard: u32,
    pub listeners: u32,
    /// There was an earlier publish with the same `client_message_id`; this one did nothing.
    pub duplicate: bool,
}

/// One socket's entry in a scope, as its node knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    pub sid: &'a str,
    pub user: &'a str,
    pub role: &'a str,
    /// Node and incarnation, no spaces.
    pub node: &'a str,
    /// Session epoch: an entry is only touched by the holder of its node and epoch.
    pub session_epoch: u64,
}

/// What [`scope_attach`] and [`scope_read`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Empty: there is no such scope.
    pub epoch: Arc<str>,
    /// Id of the newest logged event, `0-0` before the first.
    pub last: StreamId,
    /// Everything up to this id may be gone.
    pub trimmed: StreamId,
    /// The cursor is not in this log (another epoch, trimmed, ahead of it, or lost in a failover): start again at `last`.
    pub reset: bool,
    /// What came after the cursor, oldest first; empty without a cursor. With `reset` it is the whole new log (from
    /// [`scope_attach`], while nothing of it is trimmed) or nothing.
    pub entries: Vec<Entry>,
    /// There is more: read on from the last entry.
    pub more: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeJoined {
    /// What is logged after this position is for the new member.
    pub position: Position,
    /// False if this socket was a member already.
    pub first: bool,
    /// Nodes that listen, this one included.
    pub listeners: u32,
}

script!(PUBLISH = "scope" / "scope_publish", "scope/lib/scope", "scope/lib/log");
script!(ATTACH = "scope" / "scope_attach", "scope/lib/scope", "scope/lib/log", "scope/lib/members");
script!(DETACH = "scope" / "scope_detach", "scope/lib/scope");
script!(READ = "scope" / "scope_read", "scope/lib/scope", "scope/lib/log");
script!(JOIN = "scope" / "scope_join", "scope/lib/scope", "scope/lib/log", "scope/lib/members");
script!(LEAVE = "scope" / "scope_leave", "scope/lib/scope", "scope/lib/members");
script!(REAP = "scope" / "scope_reap", "scope/lib/scope", "scope/lib/due", "scope/lib/members");
script!(TOUCH = "scope" / "scope_touch", "scope/lib/scope", "scope/lib/members");

/// Publishes one message whose body the caller has built. `user` is the sender (empty: the hub), to whom the
/// `client_message_id` belongs.
pub async fn scope_publish<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    op: Op<'_>,
    user: &str,
    durability: Durability,
    body: Bytes,
) -> Result<Published, E::Error> {
    let logged = durability == Durability::Logged;
    let mut at = vec![keys::scope_meta(scope)];
    if logged {
        at.push(keys::scope_log(scope));
    }
    let args = head(op, scope).owned(user_tag(user)).flag(logged).bytes(body).done();
    let value = if logged { redis.eval_write(&PUBLISH, at, args).await? } else { redis.eval(&PUBLISH, at, args).await? };
    let mut reply = Reply::new(PUBLISH.name, value)?;
    Ok(published(&mut reply)?)
}

/// [`scope_publish`] of a logged message, unless something was logged after `last`: `None` then.
pub async fn scope_publish_after<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    op: Op<'_>,
    last: Option<StreamId>,
    body: Bytes,
) -> Result<Option<Published>, E::Error> {
    let at = vec![keys::scope_meta(scope), keys::scope_log(scope)];
    let args = head(op, scope).owned(user_tag("")).flag(true).bytes(body);
    let args = match last {
        Some(last) => args.owned(last.to_string()).done(),
        None => args.done(),
    };
    let mut reply = Reply::new(PUBLISH.name, redis.eval_write(&PUBLISH, at, args).await?)?;
    Ok(if reply.left() == 1 { None } else { Some(published(&mut reply)?) })
}

fn published(reply: &mut Reply) -> Result<Published, BadReply> {
    let id = reply.some()?;
    Ok(Published {
        id: match id {
            Some(text) => Some(text.parse().map_err(|()| reply.bad("no id"))?),
            None => None,
        },
        heard: reply.uint()? as u32,
        listeners: reply.uint()? as u32,
        duplicate: reply.flag()?,
    })
}

/// Members that one script adds again; Redis does nothing else meanwhile.
const RESTORED_AT_ONCE: usize = 64;

/// Registers the node, which is subscribed already, as a listener; adds those of its members again that Redis has lost; and
/// returns what was logged after `cursor`, at most `limit` entries, or without a cursor only the position. A scope that does
/// not exist is created only if there are members to add; otherwise the first join creates it and registers the node.
/// `announced`: joins and leaves of this scope are announced.
pub async fn scope_attach<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    node: &str,
    cursor: Option<&Position>,
    limit: u32,
    members: &[Member<'_>],
    announced: bool,
) -> Result<Log, E::Error> {
    let attach = async |limit: u32, members: &[Member<'_>]| -> Result<Log, E::Error> {
        let at = vec![keys::scope_meta(scope), keys::scope_log(scope), keys::scope_members(scope)];
        let mut args = Args::new()
            .text("")
            .text("")
            .int(0)
            .int(0)
            .owned(random(6))
            // Nothing is published.
            .text("")
            .text(node)
            .text(cursor.map_or("", |cursor| &cursor.epoch))
            .owned(cursor.map_or(StreamId::default(), |cursor| cursor.id).to_string())
            .int(limit.into())
            .flag(announced);
        for member in members {
            args = args.text(member.sid).owned(user_tag(member.user)).text(member.user).text(member.role);
            args = args.text(member.node).int(member.session_epoch);
        }
        Ok(log(Reply::new(ATTACH.name, redis.eval(&ATTACH, at, args.done()).await?)?)?)
    };
    let (first, rest) = members.split_at(members.len().min(RESTORED_AT_ONCE));
    let log = attach(limit, first).await?;
    if cursor.is_some_and(|cursor| cursor.epoch != log.epoch) {
        for part in rest.chunks(RESTORED_AT_ONCE) {
            attach(0, part).await?;
        }
    }
    Ok(log)
}

/// Unregisters a node that has no member any more, or is dead.
pub async fn scope_detach<E: Eval>(redis: &E, scope: &ScopeId, node: &str) -> Result<(), E::Error> {
    redis.eval(&DETACH, vec![keys::scope_meta(scope)], Args::new().text(node).done()).await?;
    Ok(())
}

/// Reads the log after `cursor`, at most `limit` entries, and changes nothing. For a scope that does not exist it returns a
/// reset with an empty epoch.
pub async fn scope_read<E: Eval>(redis: &E, scope: &ScopeId, cursor: &Position, limit: u32) -> Result<Log, E::Error> {
    let at = vec![keys::scope_meta(scope), keys::scope_log(scope)];
    let args = Args::new().text(&cursor.epoch).owned(cursor.id.to_string()).int(limit.into()).done();
    Ok(log(Reply::new(READ.name, redis.eval(&READ, at, args).await?)?)?)
}

fn log(mut reply: Reply) -> Result<Log, BadReply> {
    let epoch = reply.text()?.into();
    let mut log = Log {
        epoch,
        last: parse_id(&mut reply)?,
        trimmed: parse_id(&mut reply)?,
        reset: reply.flag()?,
        more: reply.flag()?,
        entries: Vec::with_capacity(reply.left() / 2),
    };
    while reply.left() > 0 {
        log.entries.push(Entry { id: parse_id(&mut reply)?, body: reply.bytes()? });
    }
    Ok(log)
}

/// Makes a socket a member of a scope, without any rule, and registers its node as a listener.
pub async fn scope_join<E: Eval>(redis: &E, scope: &ScopeId, op: Op<'_>, member: Member<'_>) -> Result<ScopeJoined, E::Error> {
    let at = vec![keys::scope_meta(scope), keys::scope_log(scope), keys::scope_members(scope)];
    let args = head(op, scope).text(member.sid).owned(user_tag(member.user)).text(member.user).text(member.role);
    let args = args.text(member.node).int(member.session_epoch).done();
    let mut reply = Reply::new(JOIN.name, redis.eval(&JOIN, at, args).await?)?;
    Ok(ScopeJoined {
        position: Position::new(reply.text()?, parse_id(&mut reply)?),
        first: reply.flag()?,
        listeners: reply.uint()? as u32,
    })
}

/// Ends a membership, if node and session epoch still match. True if it did.
pub async fn scope_leave<E: Eval>(redis: &E, scope: &ScopeId, member: Member<'_>) -> Result<bool, E::Error> {
    let at = vec![keys::scope_members(scope)];
    let args = Args::new().text(member.sid).text(member.node).int(member.session_epoch).done();
    Ok(Reply::new(LEAVE.name, redis.eval(&LEAVE, at, args).await?)?.flag()?)
}

/// A durable timer that is set when a connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostTimer {
    pub name: &'static str,
    /// How long after the loss it is due.
    pub after: Duration,
}

/// What [`scope_reap`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Members that were lost.
    pub lost: u64,
    /// When the timer is due that was set, by this call or an earlier one.
    pub due_in: Option<Duration>,
}

/// Cleans up after a dead node: unregisters it, and marks its members as lost at `lost_at` (ms; 0: now). If there are any, a
/// timer is set in the same step.
pub async fn scope_reap<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    node: &str,
    lost_at: u64,
    timer: Option<LostTimer>,
) -> Result<Reaped, E::Error> {
    let mut reaped = Reaped::default();
    let (name, after) = timer.map_or(("", Duration::ZERO), |timer| (timer.name, timer.after));
    loop {
        let at = vec![keys::scope_meta(scope), keys::scope_members(scope), keys::scope_due(scope)];
        let args = Args::new().text(node).int(lost_at).text(name).int(after.as_millis() as u64).done();
        let mut reply = Reply::new(REAP.name, redis.eval(&REAP, at, args).await?)?;
        reaped.lost += reply.uint()?;
        let _listeners = reply.uint()?;
        let is_more = reply.flag()?;
        reaped.due_in = reply.wait()?;
        if !is_more {
            return Ok(reaped);
        }
    }
}

/// Sockets that one script notes.
const TOUCHED_AT_ONCE: usize = 64;

/// Writes `lastSeen` of the sockets whose node and session epoch match. Returns the sids that are not members any more: add
/// them again with [`scope_attach`], or remove them.
pub async fn scope_touch<E: Eval>(redis: &E, scope: &ScopeId, members: &[Member<'_>]) -> Result<Vec<String>, E::Error> {
    let mut lost = Vec::new();
    for part in members.chunks(TOUCHED_AT_ONCE) {
        let touch = |args: Args, member: &Member<'_>| args.text(member.sid).text(member.node).int(member.session_epoch);
        let args = part.iter().fold(Args::new(), touch);
        let at = vec![keys::scope_meta(scope), keys::scope_members(scope)];
        let mut reply = Reply::new(TOUCH.name, redis.eval(&TOUCH, at, args.done()).await?)?;
        while reply.left() > 0 {
            lost.push(reply.text()?);
        }
    }
    Ok(lost)
}

/// The arguments with which every write begins.
pub fn head(op: Op<'_>, scope: &ScopeId) -> Args {
    Args::new()
        .text(op.id)
        .text(op.client_message_id)
        .int(op.retention.window_ms)
        .int(op.retention.log_ms)
        .owned(random(6))
        .owned(keys::scope_channel(scope, op.database))
}

pub(super) fn parse_id(reply: &mut Reply) -> Result<StreamId, BadReply> {
    reply.parsed()
}
