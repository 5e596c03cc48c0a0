//! Positions: one fix, a backfill, what is due after a window, and the track.

use bytes::Bytes;

use super::reply::{Args, Reply};
use super::sos::{Actor, Source, head, scope};
use super::{Eval, Op, Outcome, Written, script, user_key};
use crate::redis::keys;

/// One validated position. The fields of its broadcast come as raw JSON, so that no number loses precision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// `"latitude":1.5,"longitude":2,"accuracy":null,"heading":null,"speed":null,"altitude":null,"deviceId":"d"`
    pub fields: String,
    /// JSON numbers again, for distances.
    pub latitude: String,
    pub longitude: String,
    /// The device's id; empty: none.
    pub device: String,
    /// Fix time (ms); `None`: arrival time, as for one more than 60 s ahead of Redis' clock.
    pub time: Option<u64>,
    /// Raw JSON that replaces the state's address.
    pub address: Option<String>,
}

impl Fix {
    pub(super) fn push(&self, args: Args) -> Args {
        args.text(&self.fields)
            .text(&self.latitude)
            .text(&self.longitude)
            .owned(user_key(&self.device))
            .owned(self.time.map_or_else(String::new, |time| time.to_string()))
            .text(self.address.as_deref().unwrap_or(""))
    }
}

/// What became of a fix. It is stored in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    Published,
    /// Inside the user's window: call [`sos_flush`] in so many ms. Ack `coalesced:true`.
    Coalesced {
        flush_in_ms: u64,
    },
    /// Older than what this device gave already: kept in the track only.
    Old,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    pub placed: Placed,
    pub written: Written,
}

/// `location:update`, by a citizen or rescuer with rights: one call, at most one broadcast per user in `throttle_ms`.
pub async fn sos_location<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    throttle_ms: u64,
    fix: &Fix,
) -> Outcome<Located, E::Error> {
    let args = fix.push(head(op, sos, actor).int(throttle_ms)).done();
    let mut reply = Reply::new(LOCATION.name, redis.eval(&LOCATION, location_keys(sos), args).await?)?;
    let (outcome, written) = match reply.written()? {
        Ok(written) => written,
        Err(refused) => return Ok(Err(refused)),
    };
    let wait = reply.uint()?;
    let placed = match outcome.as_str() {
        "ok" => Placed::Published,
        "coalesced" => Placed::Coalesced { flush_in_ms: wait },
        _ => Placed::Old,
    };
    Ok(Ok(Located { placed, written }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batched {
    pub accepted: u32,
    pub duplicates: u32,
    /// As in [`Placed::Coalesced`].
    pub flush_in_ms: Option<u64>,
    pub written: Written,
}

/// `location:batch`: the valid points, in any order; also after the end, while the state lasts.
pub async fn sos_batch<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    throttle_ms: u64,
    fixes: &[Fix],
) -> Outcome<Batched, E::Error> {
    let args = fixes.iter().fold(head(op, sos, actor).int(throttle_ms), |args, fix| fix.push(args)).done();
    let mut reply = Reply::new(BATCH.name, redis.eval_write(&BATCH, location_keys(sos), args).await?)?;
    let (_, written) = match reply.written()? {
        Ok(written) => written,
        Err(refused) => return Ok(Err(refused)),
    };
    let wait = reply.uint()?;
    Ok(Ok(Batched {
        flush_in_ms: (wait > 0).then_some(wait),
        accepted: reply.uint()? as u32,
        duplicates: reply.uint()? as u32,
        written,
    }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// How many users' newest fixes were sent.
    pub sent: u32,
    /// Somebody else's window ends in so many ms.
    pub next_ms: Option<u64>,
    pub written: Written,
}

/// Sends the newest fix of everybody (or of one user) whose window has ended. Whoever comes first sends it, once.
pub async fn sos_flush<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    throttle_ms: u64,
    user: Option<&str>,
) -> Result<Flushed, E::Error> {
    let who = user.unwrap_or("");
    let actor = Actor { user: who, role: "system", named: false, sid: "", source: Source::Hub };
    let args = head(op, sos, actor).int(throttle_ms).done();
    let mut reply = Reply::new(FLUSH.name, redis.eval(&FLUSH, location_keys(sos), args).await?)?;
    let (_, written) = reply.written()?.map_err(|refused| reply.bad(format!("{refused:?}")))?;
    let sent = reply.uint()? as u32;
    Ok(Flushed { sent, next_ms: u64::try_from(reply.int()?).ok(), written })
}

/// The last known location of every participant, each as a `location:broadcast` payload (raw JSON), for those who may
/// have missed what is volatile.
pub async fn sos_locations<E: Eval>(redis: &E, sos: &str) -> Result<Vec<(String, Bytes)>, E::Error> {
    let args = Args::new().text(sos).done();
    let mut reply = Reply::new(LOCATIONS.name, redis.eval(&LOCATIONS, vec![keys::sos_location(sos)], args).await?)?;
    Ok(reply.pairs()?)
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Track {
    /// Raw JSON objects, ascending by fix time.
    pub points: Vec<Bytes>,
    /// Pass as `from` to read on.
    pub next: Option<u64>,
}

/// The stored fixes with `from ≤ fix time ≤ to`; `None` if there is no state. Fixes of one millisecond are not split.
pub async fn sos_track<E: Eval>(
    redis: &E,
    sos: &str,
    user: Option<&str>,
    from: u64,
    to: Option<u64>,
    limit: u32,
) -> Result<Option<Track>, E::Error> {
    let args = Args::new().owned(user.map(user_key).unwrap_or_default()).int(from);
    let args = args.owned(to.map_or_else(|| "+inf".to_owned(), |to| to.to_string())).int(limit.into()).done();
    let at = vec![keys::sos_state(sos), keys::sos_track(sos)];
    let mut reply = Reply::new(TRACK.name, redis.eval(&TRACK, at, args).await?)?;
    if !reply.flag()? {
        return Ok(None);
    }
    let next = reply.int()?;
    let mut points = Vec::with_capacity(reply.len());
    while reply.len() > 0 {
        points.push(reply.bytes()?);
    }
    Ok(Some(Track { points, next: u64::try_from(next).ok() }))
}

script!(LOCATION = "sos_location", "scope", "sos", "location");
script!(BATCH = "sos_batch", "scope", "sos", "location");
script!(FLUSH = "sos_flush", "scope", "sos", "location");
script!(LOCATIONS = "sos_locations");
script!(TRACK = "sos_track");

/// Only keys that exist from the state's beginning: a script over a missing one would have to wait while a slot moves.
fn location_keys(sos: &str) -> Vec<String> {
    vec![
        keys::scope_meta(&scope(sos)),
        keys::sos_state(sos),
        keys::sos_location(sos),
        keys::sos_track(sos),
        keys::sos_outbox(sos),
        keys::sos_events(sos),
    ]
}
