//! The scripts of durable timers, as typed functions: the timers of one scope, and the hints that tell where one is due.

use std::time::Duration;

use crate::core::ScopeId;
use crate::redis::keys;
use crate::redis::script::{Args, Eval, Reply, script};

/// The timers of a scope that are due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DueTimers {
    /// The longest overdue first.
    pub rows: Vec<DueRow>,
    /// When the earliest is due that is not among them; zero if there are more than were asked for.
    pub next: Option<Duration>,
}

/// One timer that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRow {
    /// `timer`, or `timer subject`.
    pub row: String,
    pub late: Duration,
}

/// A scope that this node has taken, to look at its timers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// `kind:id`
    pub name: String,
    /// By this it is settled.
    pub score: String,
}

/// When to look at a scope again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub taken: Taken,
    /// `None`: no timer is left.
    pub next: Option<Duration>,
}

/// Which timers of a scope are due, at most `most`.
pub async fn due_read<E: Eval>(redis: &E, scope: &ScopeId, most: usize) -> Result<DueTimers, E::Error> {
    let args = Args::new().int(most as u64).done();
    let mut reply = Reply::new(READ.name, redis.eval(&READ, vec![keys::scope_due(scope)], args).await?)?;
    let next = reply.wait()?;
    let mut rows = Vec::with_capacity(reply.left() / 2);
    while reply.left() > 0 {
        rows.push(DueRow { row: reply.text()?, late: Duration::from_millis(reply.uint()?) });
    }
    Ok(DueTimers { rows, next })
}

/// Sets a timer of a scope, or clears it (`None`).
pub async fn due_set<E: Eval>(redis: &E, scope: &ScopeId, row: &str, wait: Option<Duration>) -> Result<(), E::Error> {
    let args = Args::new().text(row).owned(wait.map(millis).unwrap_or_default()).done();
    redis.eval_write(&SET, vec![keys::scope_due(scope)], args).await?;
    Ok(())
}

/// Takes at most `most` scopes of one part at which it is time to look, for so long.
pub async fn timers_take<E: Eval>(redis: &E, part: u16, most: usize, hold: Duration) -> Result<Vec<Taken>, E::Error> {
    let args = Args::new().int(most as u64).owned(millis(hold)).done();
    let mut reply = Reply::new(TAKE.name, redis.eval(&TAKE, vec![keys::timers(part)], args).await?)?;
    let mut taken = Vec::with_capacity(reply.left() / 2);
    while reply.left() > 0 {
        taken.push(Taken { name: reply.text()?, score: reply.text()? });
    }
    Ok(taken)
}

/// Says that a scope has a timer that is due then, or will have one.
pub async fn timers_hint<E: Eval>(redis: &E, part: u16, scope: &ScopeId, wait: Duration) -> Result<(), E::Error> {
    let args = Args::new().owned(scope.to_string()).owned(millis(wait)).done();
    redis.eval(&HINT, vec![keys::timers(part)], args).await?;
    Ok(())
}

/// Notes when to look again at scopes of one part. Returns how many were still this node's.
pub async fn timers_settle<E: Eval>(redis: &E, part: u16, settled: &[Settled]) -> Result<u64, E::Error> {
    let add = |args: Args, Settled { taken, next }: &Settled| {
        args.text(&taken.name).text(&taken.score).owned(next.map(millis).unwrap_or_default())
    };
    let args = settled.iter().fold(Args::new(), add).done();
    let mut reply = Reply::new(SETTLE.name, redis.eval(&SETTLE, vec![keys::timers(part)], args).await?)?;
    Ok(reply.uint()?)
}

/// In whole ms, rather later than earlier.
fn millis(wait: Duration) -> String {
    wait.as_micros().div_ceil(1000).to_string()
}

script!(READ = "rooms" / "due_read", "scope/lib/scope");
script!(SET = "rooms" / "due_set", "scope/lib/scope", "scope/lib/due");
script!(TAKE = "rooms" / "timers_take", "rooms/lib/timers");
script!(HINT = "rooms" / "timers_hint", "rooms/lib/timers");
script!(SETTLE = "rooms" / "timers_settle", "rooms/lib/timers");
