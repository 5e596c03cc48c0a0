//! Slots of interview sessions: the fast gate in front of PostgreSQL, which judges (contract § 5).
//!
//! ```text
//!  reserve ─► a slot until the lease ends ─► confirm ─► a slot until the session ends ─► release, or its end
//!                     └─► release: the start failed
//! ```
//!
//! A slot is an id and when it ends, by Redis' clock; what has ended counts for nothing. The table may be wrong in every way
//! that a lost write, a flush or an old snapshot can make it: too few slots let a start through that PostgreSQL refuses, too
//! many refuse one until the sweep has repaired the table. Hence [`slot_confirm`] does not ask for the reservation, and
//! nothing here undoes a session.

use super::keys;
use crate::core::ids;
use crate::redis::script::{Args, Eval, Reply, script};

/// How long a reservation is remembered for its repeat.
const REMEMBERED_MS: u64 = 60_000;

script!(RESERVE = "bookings" / "slot_reserve", "bookings/lib/slots");
script!(CONFIRM = "bookings" / "slot_confirm", "bookings/lib/slots");
script!(RELEASE = "bookings" / "slot_release", "bookings/lib/slots");
script!(REBUILD = "bookings" / "slots_rebuild", "bookings/lib/slots");
script!(LIST = "bookings" / "slots_list", "bookings/lib/slots");
script!(REPAIR = "bookings" / "slots_repair", "bookings/lib/slots");

/// What became of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reserved {
    /// Until its lease ends (ms since 1970).
    Ok { until_ms: u64 },
    /// The table is cold: [`slots_rebuild`] first. Nothing was reserved.
    Cold,
    /// A slot of this id is held.
    IdTaken,
    /// The user has all the slots that a user may have.
    UserFull,
    /// All slots are taken.
    Full,
}

/// How many slots there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotLimits {
    pub all: u32,
    pub per_user: u32,
}

/// A session that PostgreSQL says is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveBooking<'a> {
    pub id: &'a str,
    /// A UUID.
    pub user: &'a str,
    /// ms since 1970.
    pub ends_ms: u64,
}

/// A slot without a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orphan<'a> {
    pub id: &'a str,
    /// `None`: it is not known. The user's own count is corrected at the user's next reservation.
    pub user: Option<&'a str>,
    /// As it was listed.
    pub ends_ms: u64,
}

/// All slots that have not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slots {
    /// The table is not cold.
    pub ready: bool,
    /// Redis' clock.
    pub now_ms: u64,
    /// Id, and when it ends (ms since 1970).
    pub slots: Vec<(String, u64)>,
}

/// Reserves a slot for `lease_ms`. What has ended is purged first; then a cold table, the id, the user's limit and the limit
/// of all are looked at in this order. If group commit repeats it, the answer is the first one. A second call is another
/// reservation.
pub async fn slot_reserve<E: Eval>(
    redis: &E,
    id: &str,
    user: &str,
    limits: SlotLimits,
    lease_ms: u64,
) -> Result<Reserved, E::Error> {
    let operation = keys::slots_operation(&ids::random(12));
    let at = vec![keys::SLOTS_ACTIVE.into(), keys::slots_of_user(user), keys::SLOTS_READY.into(), operation];
    let args = Args::new().text(id).int(limits.all.into()).int(limits.per_user.into()).int(lease_ms).int(REMEMBERED_MS).done();
    let mut reply = Reply::new(RESERVE.name, redis.eval(&RESERVE, at, args).await?)?;
    Ok(match reply.text()?.as_str() {
        "ok" => Reserved::Ok { until_ms: reply.uint()? },
        "cold" => Reserved::Cold,
        "id" => Reserved::IdTaken,
        "user" => Reserved::UserFull,
        "full" => Reserved::Full,
        other => return Err(reply.bad(format!("no outcome: {other}")).into()),
    })
}

/// The session's row is committed: its slot ends when it does. It is there afterwards whether or not the reservation still
/// was, since PostgreSQL has judged; but a session that is over already has none.
pub async fn slot_confirm<E: Eval>(redis: &E, session: ActiveBooking<'_>) -> Result<(), E::Error> {
    let args = Args::new().text(session.id).int(session.ends_ms).done();
    redis.eval(&CONFIRM, of(session.user), args).await?;
    Ok(())
}

/// Gives a slot back; with `ends_ms` only if it still ends then, so that an undone start does not take a session's slot.
/// True if it was there. (Its repeat by group commit says false.)
pub async fn slot_release<E: Eval>(redis: &E, id: &str, user: &str, ends_ms: Option<u64>) -> Result<bool, E::Error> {
    let args = Args::new().text(id).owned(ends_ms.map(|ends| ends.to_string()).unwrap_or_default()).done();
    Ok(Reply::new(RELEASE.name, redis.eval(&RELEASE, of(user), args).await?)?.flag()?)
}

/// Sessions that one script adds or removes. Redis serves nothing else while a script runs.
const PART: usize = 64;
/// Slots that one script reads.
const LIST_PAGE: usize = 1000;

/// Fills a cold table, which is cold until all of it is there: the active sessions are those read *before* this call. False
/// if it was not cold, or another node has filled it meanwhile, which wrote the same. What starts have confirmed since the
/// flush stays.
pub async fn slots_rebuild<E: Eval>(redis: &E, active: &[ActiveBooking<'_>]) -> Result<bool, E::Error> {
    let parts = active.len().div_ceil(PART).max(1);
    for part in 0..parts {
        let mut at = vec![keys::SLOTS_ACTIVE.into(), keys::SLOTS_READY.into()];
        let mut args = Args::new().flag(part + 1 == parts);
        for session in active.iter().skip(part * PART).take(PART) {
            at.push(keys::slots_of_user(session.user));
            args = args.text(session.id).int(session.ends_ms);
        }
        if !Reply::new(REBUILD.name, redis.eval(&REBUILD, at, args.done()).await?)?.flag()? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Reads all slots that have not ended; those that have go. They are read in pages: one that comes or goes meanwhile may be
/// missing, or be there twice.
pub async fn slots_list<E: Eval>(redis: &E) -> Result<Slots, E::Error> {
    let at = vec![keys::SLOTS_ACTIVE.into(), keys::SLOTS_READY.into()];
    let mut slots: Vec<(String, u64)> = Vec::new();
    loop {
        let args = Args::new().int(slots.len() as u64).int(LIST_PAGE as u64).done();
        let mut reply = Reply::new(LIST.name, redis.eval(&LIST, at.clone(), args).await?)?;
        let (ready, now_ms, mut list) = (reply.flag()?, reply.uint()?, reply.list()?);
        let before = slots.len();
        while list.left() > 0 {
            slots.push((list.text()?, list.uint()?));
        }
        if slots.len() - before < LIST_PAGE {
            return Ok(Slots { ready, now_ms, slots });
        }
    }
}

/// The sweep: adds slots of active sessions, or sets when they end, and removes orphans that still end when they were listed
/// to end; says how many. Several at once do no harm.
pub async fn slots_repair<E: Eval>(redis: &E, add: &[ActiveBooking<'_>], remove: &[Orphan<'_>]) -> Result<u64, E::Error> {
    let mut removed = 0;
    for part in 0..add.len().max(remove.len()).div_ceil(PART) {
        let of_part = |length: usize| (part * PART).min(length)..((part + 1) * PART).min(length);
        let (add, remove) = (&add[of_part(add.len())], &remove[of_part(remove.len())]);
        let mut at = vec![keys::SLOTS_ACTIVE.into()];
        let mut args = Args::new().int(add.len() as u64);
        for session in add {
            at.push(keys::slots_of_user(session.user));
            args = args.text(session.id).int(session.ends_ms);
        }
        for orphan in remove {
            at.extend(orphan.user.map(keys::slots_of_user));
            args = args.text(orphan.id).int(orphan.ends_ms).flag(orphan.user.is_some());
        }
        removed += Reply::new(REPAIR.name, redis.eval(&REPAIR, at, args.done()).await?)?.uint()?;
    }
    Ok(removed)
}

fn of(user: &str) -> Vec<String> {
    vec![keys::SLOTS_ACTIVE.into(), keys::slots_of_user(user)]
}
