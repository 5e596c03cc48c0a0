//! Positions: one fix, a backfill, what is due after a window, and the track.

use bytes::Bytes;

use super::snapshot::SosSnapshot;
use super::{Actor, Outcome, RULES, Source, Written, head, read_written, scope};
use crate::cluster::scripts::Op;
use crate::features::sos::keys as sos_keys;
use crate::redis::keys;
use crate::redis::keys::user_tag;
use crate::redis::script::{Args, Eval, Reply, script};

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
            .owned(user_tag(&self.device))
            .owned(self.time.map_or_else(String::new, |time| time.to_string()))
            .text(self.address.as_deref().unwrap_or(""))
    }
}

/// How fixes are taken in.
#[derive(Debug, Clone, Copy)]
pub struct Intake<'a> {
    /// At most one broadcast of a user in so long.
    pub throttle_ms: u64,
    /// The connection (its `pid`): whose clock gave the time of a fix without a device. Empty: the internal API's.
    pub connection: &'a str,
    /// Devices and connections of a user whose last fix times are remembered; the one silent longest is forgotten first.
    pub devices: u32,
}

impl Intake<'_> {
    /// The source of a fix without a device stands apart from all devices.
    fn push(&self, args: Args) -> Args {
        let source = if self.connection.is_empty() { "-".to_owned() } else { format!(".{}", user_tag(self.connection)) };
        args.int(self.throttle_ms).owned(source).int(self.devices.into())
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
    /// A little older than what this source gave already: kept in the track only.
    Old,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Located {
    pub placed: Placed,
    pub written: Written,
}

/// `location:update`, by a citizen or rescuer with rights: one call, at most one broadcast per user in a window.
pub async fn sos_location<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    intake: Intake<'_>,
    fix: &Fix,
) -> Outcome<Located, E::Error> {
    let args = fix.push(intake.push(head(op, sos, actor))).done();
    let mut reply = Reply::new(LOCATION.name, redis.eval(&LOCATION, location_keys(sos), args).await?)?;
    let (outcome, written) = match read_written(&mut reply)? {
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

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Batched {
    pub accepted: u32,
    pub duplicates: u32,
    /// As in [`Placed::Coalesced`].
    pub flush_in_ms: Option<u64>,
    pub written: Written,
}

/// Fixes that one script takes: Redis serves no other call meanwhile.
const PART: usize = 64;

/// `location:batch`: the valid points, in any order; also after the end, while the state lasts.
///
/// They go in parts, first the one with the newest of them, which alone may become the last known. Each part is remembered
/// under the `client_message_id` by itself, so that a batch that was cut off in the middle may be sent again.
pub async fn sos_batch<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    intake: Intake<'_>,
    fixes: &[Fix],
) -> Outcome<Batched, E::Error> {
    let newest = fixes.iter().enumerate().max_by_key(|(index, fix)| (fix.time, *index)).map_or(0, |(index, _)| index / PART);
    let parts = fixes.len().div_ceil(PART).max(1);
    let mut all: Option<Batched> = None;
    for part in std::iter::once(newest).chain((0..parts).filter(|part| *part != newest)) {
        let fixes = fixes.get(part * PART..).unwrap_or_default();
        // What a single part would be called, whatever its batch.
        let (id, name) = if parts == 1 { (op.id.to_owned(), String::new()) } else { (part_of(op.id, part), part.to_string()) };
        let args = intake.push(head(Op { id: &id, ..op }, sos, actor)).owned(name).flag(part == newest);
        let args = fixes.iter().take(PART).fold(args, |args, fix| fix.push(args)).done();
        let mut reply = Reply::new(BATCH.name, redis.eval_write(&BATCH, location_keys(sos), args).await?)?;
        let (_, written) = match read_written(&mut reply)? {
            Ok(written) => written,
            Err(refused) => return Ok(Err(refused)),
        };
        let wait = reply.uint()?;
        let (accepted, duplicates) = (reply.uint()? as u32, reply.uint()? as u32);
        let flush_in_ms = (wait > 0).then_some(wait);
        let taken = Batched { flush_in_ms, accepted, duplicates, written };
        all = Some(all.map_or(taken, |all| all.and(taken)));
    }
    // There was a part at least, and each returned or added its own.
    Ok(Ok(all.unwrap_or_default()))
}

/// The operation id of a part; none if the whole has none.
fn part_of(id: &str, part: usize) -> String {
    if id.is_empty() { String::new() } else { format!("{id}/{part}") }
}

impl Batched {
    /// What two parts of a batch did together. It is a duplicate if both were.
    fn and(self, next: Self) -> Self {
        let (a, b) = (self.written, next.written);
        let written = Written {
            heard: match (a.heard, b.heard) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            listeners: b.listeners,
            outbox: a.outbox.max(b.outbox),
            copies_pending: a.copies_pending || b.copies_pending,
            at: b.at,
            duplicate: a.duplicate && b.duplicate,
        };
        Self {
            accepted: self.accepted + next.accepted,
            duplicates: self.duplicates + next.duplicates,
            flush_in_ms: self.flush_in_ms.or(next.flush_in_ms),
            written,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flushed {
    /// How many users' newest fixes were sent.
    pub sent: u32,
    /// The window of another user ends in so many ms.
    pub next_ms: Option<u64>,
    pub written: Written,
}

/// Fixes that one call sends; what is left is due at once.
pub const FLUSH_MOST: u32 = 128;

/// Sends the newest fix of everybody (or of one user) whose window has ended. The first node that comes sends it, once.
pub async fn sos_flush<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    throttle_ms: u64,
    user: Option<&str>,
) -> Result<Flushed, E::Error> {
    let who = user.unwrap_or("");
    let actor = Actor { user: who, role: "system", named: false, sid: "", source: Source::Hub };
    let args = head(op, sos, actor).int(throttle_ms).int(FLUSH_MOST.into()).done();
    let mut reply = Reply::new(FLUSH.name, redis.eval(&FLUSH, location_keys(sos), args).await?)?;
    let (_, written) = read_written(&mut reply)?.map_err(|refused| reply.bad(format!("{refused:?}")))?;
    let sent = reply.uint()? as u32;
    Ok(Flushed { sent, next_ms: u64::try_from(reply.int()?).ok(), written })
}

/// The last known location of every participant, each as a `location:broadcast` payload (raw JSON), for those who may
/// have missed what is volatile.
pub async fn sos_locations<E: Eval>(redis: &E, sos: &str) -> Result<Vec<(String, Bytes)>, E::Error> {
    let (reply, fixes) = fixes(redis, sos).await?;
    let mut locations = Vec::with_capacity(fixes.len());
    for (field, value) in fixes {
        let location = payload(sos, &value).ok_or_else(|| reply.bad("no such location"))?;
        locations.push((field.trim_start_matches("f:").to_owned(), location));
    }
    Ok(locations)
}

/// The last fix of each participant, as it is kept.
async fn fixes<E: Eval>(redis: &E, sos: &str) -> Result<(Reply, Vec<(String, Bytes)>), E::Error> {
    let mut reply = Reply::new(LOCATIONS.name, redis.eval(&LOCATIONS, vec![sos_keys::location(sos)], Vec::new()).await?)?;
    let fixes = reply.pairs()?;
    Ok((reply, fixes))
}

/// Reads the last locations into a snapshot.
pub(super) async fn located<E: Eval>(redis: &E, snapshot: SosSnapshot) -> Result<SosSnapshot, E::Error> {
    let (reply, fixes) = fixes(redis, &snapshot.sos_id).await?;
    Ok(snapshot.with_locations(&fixes).ok_or_else(|| reply.bad("no such location"))?)
}

/// `<fix time> <arrival> …\n<fields>` as it is broadcast.
fn payload(sos: &str, value: &[u8]) -> Option<Bytes> {
    let (head, fields) = std::str::from_utf8(value).ok()?.split_once('\n')?;
    let mut times = head.split(' ');
    let (fix, arrival) = (times.next()?, times.next()?);
    Some(format!(r#"{{"sosId":"{sos}",{fields},"fixTime":{fix},"timestamp":{arrival}}}"#).into())
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Track {
    /// Raw JSON objects, ascending by fix time.
    pub points: Vec<Bytes>,
    /// Pass as `from` to read on.
    pub next: Option<u64>,
}

/// Points that one script reads, and bytes of them after which it stops: Redis serves no other call meanwhile.
const TRACK_PART: (u32, u64) = (512, 256 * 1024);
/// Bytes of one page of the track; it ends early then.
const TRACK_BYTES: usize = 4 * 1024 * 1024;
/// Points of one millisecond that a page has beyond its limit. No user has so many devices; the rest is left out.
const TRACK_SAME: usize = 2000;

/// The stored fixes with `from ≤ fix time ≤ to`; `None` if there is no state. Fixes of one millisecond are not split.
pub async fn sos_track<E: Eval>(
    redis: &E,
    sos: &str,
    user: Option<&str>,
    from: u64,
    to: Option<u64>,
    limit: u32,
) -> Result<Option<Track>, E::Error> {
    let (key, at) = (user.map(user_tag).unwrap_or_default(), vec![sos_keys::state(sos), sos_keys::track(sos)]);
    let (mut page, mut after) = (Page::new(limit as usize), Bytes::new());
    loop {
        let args = Args::new().text(&key).int(from).owned(to.map_or_else(|| "+inf".to_owned(), |to| to.to_string()));
        let args = args.bytes(after).int(TRACK_PART.0.into()).int(TRACK_PART.1).done();
        let mut reply = Reply::new(TRACK.name, redis.eval(&TRACK, at.clone(), args).await?)?;
        if !reply.flag()? {
            return Ok(None);
        }
        after = reply.bytes()?;
        while reply.left() > 0 {
            if let Some(next) = page.add(reply.uint()?, reply.bytes()?) {
                return Ok(Some(Track { points: page.points, next: Some(next) }));
            }
        }
        if after.is_empty() {
            return Ok(Some(Track { points: page.points, next: None }));
        }
    }
}

/// A page of the track that is being filled.
struct Page {
    points: Vec<Bytes>,
    limit: usize,
    bytes: usize,
    last: Option<u64>,
}

impl Page {
    fn new(limit: usize) -> Self {
        Self { points: Vec::new(), limit, bytes: 0, last: None }
    }

    /// Adds a point, or says where the next page begins.
    fn add(&mut self, fix: u64, point: Bytes) -> Option<u64> {
        let is_full = self.points.len() >= self.limit || self.bytes >= TRACK_BYTES;
        let goes_on = self.last == Some(fix);
        if is_full && !goes_on {
            return Some(fix);
        }
        if is_full && (self.points.len() >= self.limit + TRACK_SAME || self.bytes >= 2 * TRACK_BYTES) {
            return Some(fix + 1);
        }
        self.last = Some(fix);
        self.bytes += point.len();
        self.points.push(point);
        None
    }
}

script!(LOCATION = "sos" / "sos_location" in RULES, "sos/lib/location");
script!(BATCH = "sos" / "sos_batch" in RULES, "sos/lib/location");
script!(FLUSH = "sos" / "sos_flush" in RULES, "sos/lib/location");
script!(LOCATIONS = "sos" / "sos_locations");
script!(TRACK = "sos" / "sos_track");

/// Only keys that exist from the state's beginning: a script over a missing one would have to wait while a slot moves.
fn location_keys(sos: &str) -> Vec<String> {
    vec![
        keys::scope_meta(&scope(sos)),
        sos_keys::state(sos),
        sos_keys::location(sos),
        sos_keys::track(sos),
        sos_keys::outbox(sos),
        sos_keys::events(sos),
    ]
}
