//! Sessions in Redis. A session is its hash; the indexes only lead to it, and an entry without a hash is dropped by its reader.

use super::keys;
use crate::redis::script::reply::number;
use crate::redis::script::{Args, Eval, Reply, script};
use crate::redis::{Redis, RedisError, Value, cmd};

script!(CREATE = "realtime" / "realtime_create", "realtime/lib/session");
script!(JOIN = "realtime" / "realtime_join", "realtime/lib/session");
script!(SEEN = "realtime" / "realtime_seen", "realtime/lib/session");
script!(REMOVE = "realtime" / "realtime_remove", "realtime/lib/session");
script!(INDEX = "realtime" / "realtime_index");
script!(POLLER = "realtime" / "realtime_poller");

/// Characters of an event's id that are remembered. LiveKit's have fifteen.
const LONGEST_EVENT: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nobody has joined the room yet.
    Created,
    Connected,
}

/// A session as it stands in Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    /// Another one after each change.
    pub rev: u64,
    pub user: String,
    pub room: String,
    pub status: Status,
    /// ms since 1970, by Redis' clock, as all times here.
    pub created_ms: u64,
    pub changed_ms: u64,
    /// The last join that is known of; 0: none.
    pub joined_ms: u64,
    /// When the token that opens the room expires; seconds since 1970.
    pub expires_at: u64,
}

/// What a session that is to be removed must still hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum If<'a> {
    Any,
    /// It has not changed since it was read.
    Rev(u64),
    /// Its last join was into the room with this sid.
    Room(&'a str),
}

/// What became of a join that LiveKit has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joined {
    Yes,
    /// This event, or a later join, was told before.
    Known,
    /// There is no such session.
    Gone,
}

/// Whose turn it is to poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The caller's; Redis' clock (ms since 1970).
    Ours { now_ms: u64 },
    /// Another node's, for so many ms.
    Others { for_ms: u64 },
}

/// Makes a session; says when (ms since 1970).
pub async fn realtime_create<E: Eval>(
    redis: &E,
    id: &str,
    user: &str,
    room: &str,
    expires_at: u64,
    life_ms: u64,
) -> Result<u64, E::Error> {
    let args = Args::new().text(user).text(room).int(expires_at).int(life_ms).done();
    Ok(Reply::new(CREATE.name, redis.eval_write(&CREATE, vec![keys::session(id)], args).await?)?.uint()?)
}

/// Notes a join. The event is remembered in the same step; `at` is when it happened, in seconds.
pub async fn realtime_join<E: Eval>(
    redis: &E,
    id: &str,
    event: &str,
    room_sid: &str,
    at: u64,
    life_ms: u64,
) -> Result<Joined, E::Error> {
    let is_plain = event.len() <= LONGEST_EVENT && event.bytes().all(|byte| byte.is_ascii_graphic());
    let args = Args::new().text(if is_plain { event } else { "" }).text(room_sid).int(at).int(life_ms).done();
    let mut reply = Reply::new(JOIN.name, redis.eval(&JOIN, vec![keys::session(id)], args).await?)?;
    Ok(match reply.text()?.as_str() {
        "joined" => Joined::Yes,
        "known" => Joined::Known,
        "gone" => Joined::Gone,
        other => return Err(reply.bad(format!("no outcome: {other}")).into()),
    })
}

/// Somebody is in the room, as a poll has seen that began after the session was read at `rev`. False: it has changed since.
pub async fn realtime_seen<E: Eval>(redis: &E, id: &str, rev: u64, life_ms: u64) -> Result<bool, E::Error> {
    let args = Args::new().int(rev).int(life_ms).done();
    Ok(Reply::new(SEEN.name, redis.eval(&SEEN, vec![keys::session(id)], args).await?)?.flag()?)
}

/// Removes a session. True: it is gone, perhaps it was before. What leads to it is the caller's to remove, after this.
pub async fn realtime_remove<E: Eval>(redis: &E, id: &str, only: If<'_>) -> Result<bool, E::Error> {
    let args = match only {
        If::Any => Args::new().text("").text(""),
        If::Rev(rev) => Args::new().text("rev").int(rev),
        If::Room(sid) => Args::new().text("sid").text(sid),
    };
    Ok(Reply::new(REMOVE.name, redis.eval_write(&REMOVE, vec![keys::session(id)], args.done()).await?)?.flag()?)
}

/// Adds a session to those of its user. False: the user has as many as a user may have.
pub async fn realtime_index<E: Eval>(
    redis: &E,
    user: &str,
    id: &str,
    created_ms: u64,
    most: u32,
    life_ms: u64,
) -> Result<bool, E::Error> {
    let args = Args::new().text(id).int(created_ms).int(most.into()).int(life_ms).done();
    Ok(Reply::new(INDEX.name, redis.eval_write(&INDEX, vec![keys::of_user(user)], args).await?)?.flag()?)
}

/// Takes or renews the lease of the node that polls.
pub async fn realtime_poller<E: Eval>(redis: &E, node: &str, lease_ms: u64) -> Result<Turn, E::Error> {
    let args = Args::new().text(node).int(lease_ms).done();
    let mut reply = Reply::new(POLLER.name, redis.eval(&POLLER, vec![keys::POLLER.into()], args).await?)?;
    let (now_ms, for_ms) = (reply.uint()?, reply.uint()?);
    Ok(if for_ms == 0 { Turn::Ours { now_ms } } else { Turn::Others { for_ms } })
}

/// Reads a session.
pub async fn read(redis: &Redis, id: &str) -> Result<Option<Session>, RedisError> {
    let key = keys::session(id);
    let mut read = cmd("HMGET");
    read.arg(&key).arg(&["rev", "user", "room", "status", "created", "changed", "joined", "exp"]);
    let Value::Array(fields) = redis.command_idempotent(read, &key).await? else { return Ok(None) };
    Ok(session(id, &fields))
}

fn session(id: &str, fields: &[Value]) -> Option<Session> {
    let text = |at: usize| match fields.get(at) {
        Some(Value::BulkString(bytes)) => std::str::from_utf8(bytes).ok(),
        _ => None,
    };
    let uint = |at: usize| text(at).and_then(|text| number(text.as_bytes())).and_then(|number| u64::try_from(number).ok());
    Some(Session {
        id: id.into(),
        rev: uint(0)?,
        user: text(1)?.into(),
        room: text(2)?.into(),
        status: if text(3)? == "connected" { Status::Connected } else { Status::Created },
        created_ms: uint(4)?,
        changed_ms: uint(5)?,
        joined_ms: uint(6).unwrap_or_default(),
        expires_at: uint(7)?,
    })
}

/// A list of ids, as a sorted set or `MGET` gives it.
pub(super) fn texts(value: Value) -> Vec<String> {
    let Value::Array(items) = value else { return Vec::new() };
    let text = |item| match item {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    };
    items.into_iter().filter_map(text).collect()
}

/// The text of a key that holds one.
pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_whole_session_is_none() {
        let value = |text: &str| Value::BulkString(text.into());
        let whole: Vec<_> = ["3", "u", "room_0", "connected", "5", "6", "7", "8"].map(value).into();
        let read = session("sess_0", &whole).unwrap();
        assert_eq!((read.rev, read.status, read.joined_ms, read.expires_at), (3, Status::Connected, 7, 8));
        assert!(session("sess_0", &vec![Value::Nil; 8]).is_none());
        for missing in [0, 1, 2, 3, 4, 5, 7] {
            let mut fields = whole.clone();
            fields[missing] = Value::Nil;
            assert!(session("sess_0", &fields).is_none(), "{missing}");
        }
    }
}
