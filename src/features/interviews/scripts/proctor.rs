//! Proctoring: what was noticed about the candidate, and what trust is left.

use std::time::Duration;

use uuid::Uuid;

use super::{Candidate, Outcome, all_keys, head, json, judged, live};
use crate::cluster::scripts::Op;
use crate::redis::script::{Args, BadReply, Eval, Reply};
use crate::rooms::scripts::Told;

/// What each deduction takes away of 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustWeights {
    pub faces: u32,
    pub tabs: u32,
    pub fullscreen: u32,
    pub suspicious: u32,
}

impl Default for TrustWeights {
    fn default() -> Self {
        Self { faces: 5, tabs: 3, fullscreen: 10, suspicious: 15 }
    }
}

/// What an event deducts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deduction {
    Faces,
    Tabs,
    Fullscreen,
    Suspicious,
}

impl Deduction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Faces => "faces",
            Self::Tabs => "tabs",
            Self::Fullscreen => "fullscreen",
            Self::Suspicious => "suspicious",
        }
    }
}

/// `proctor-event`, as the rules have judged it.
#[derive(Debug, Clone, Copy)]
pub struct Noticed<'a> {
    pub kind: &'a str,
    pub severity: &'a str,
    pub message: &'a str,
    /// JSON.
    pub data: &'a str,
    /// `None`: it is kept and deducts nothing.
    pub deduction: Option<Deduction>,
    pub weights: TrustWeights,
    /// So many of its type within 5 s must come before one acts.
    pub min_repeats: u32,
    /// It is grave enough for an alert.
    pub alerts: bool,
}

/// One run of events of a type: a row of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub row: Uuid,
    /// How many events it has so far.
    pub count: u32,
    /// ms since 1970.
    pub first_at: u64,
    pub last_at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProctorTake {
    Taken {
        /// Kept in Redis until [`proctor_done`]: store it by [`proctor_read`].
        run: Run,
        /// This event has acted; a later one of its run does not.
        acted: bool,
        /// Observers got `proctor-alert`.
        alerted: bool,
        /// The score, if it has changed; observers got `trust-score-update`.
        trust: Option<u8>,
        told: Told,
        due_in: Option<Duration>,
    },
    /// `UNAVAILABLE`: very many rows wait to be stored. Nothing changed.
    Busy,
}

/// Takes note of an event.
pub async fn proctor_take<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    candidate: Candidate<'_>,
    noticed: Noticed<'_>,
) -> Outcome<ProctorTake, E::Error> {
    let Noticed { kind, severity, message, data, deduction, weights, min_repeats, alerts } = noticed;
    let (kind_json, severity, message) = (json(kind), json(severity), json(message));
    let alert = format!(r#""type":{kind_json},"message":{message},"severity":{severity}"#);
    let event = format!(r#"{{{alert},"data":{data}}}"#);
    // PostgreSQL takes no NUL.
    let event = event.replace("\\u0000", "\\ufffd");
    let args = head(op, interview, candidate).text(kind).text(deduction.map_or("", Deduction::as_str));
    let args = args.int(weights.faces.into()).int(weights.tabs.into()).int(weights.fullscreen.into());
    let args = args.int(weights.suspicious.into()).int(min_repeats.clamp(1, MOST_REPEATS).into()).flag(alerts);
    let args = args.owned(alert).owned(Uuid::new_v4().to_string()).owned(event).done();
    let mut reply = Reply::new(TAKE.name, redis.eval_write(&TAKE, all_keys(interview), args).await?)?;
    match judged(&mut reply)? {
        Err(refused) => Ok(Err(refused)),
        Ok((outcome, _)) if outcome != "ok" => Ok(Ok(ProctorTake::Busy)),
        Ok((_, told)) => Ok(Ok(taken(&mut reply, told)?)),
    }
}

/// More than a client can send in 5 s.
const MOST_REPEATS: u32 = 64;

fn taken(reply: &mut Reply, told: Told) -> Result<ProctorTake, BadReply> {
    let (row, count) = (reply.parsed()?, reply.uint()? as u32);
    let run = Run { row, count, first_at: reply.uint()?, last_at: reply.uint()? };
    let (acted, alerted, trust) = (reply.flag()?, reply.flag()?, reply.int()?);
    let _resumed = reply.flag()?;
    Ok(ProctorTake::Taken { run, acted, alerted, trust: u8::try_from(trust).ok(), told, due_in: reply.wait()? })
}

/// A row that is not stored as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unstored {
    /// For [`proctor_done`].
    pub number: u64,
    pub run: Run,
    /// The first event of it: `{type, message, severity, data}`.
    pub event: String,
}

/// Rows that one script answers.
const ROWS: u64 = 64;

/// Rows that are not stored as they are now, the oldest first: some dozens. Once these are done, others may follow.
pub async fn proctor_read<E: Eval>(redis: &E, interview: Uuid) -> Result<Vec<Unstored>, E::Error> {
    let args = Args::new().int(ROWS).done();
    let mut reply = Reply::new(READ.name, redis.eval(&READ, all_keys(interview), args).await?)?;
    let mut rows = Vec::with_capacity(reply.left() / 2);
    while reply.left() > 0 {
        let (number, text) = (reply.uint()?, reply.text()?);
        rows.push(unstored(number, &text).ok_or_else(|| reply.bad("no such row"))?);
    }
    Ok(rows)
}

fn unstored(number: u64, text: &str) -> Option<Unstored> {
    let (head, event) = text.split_once('\n')?;
    let mut words = head.split(' ');
    let row = words.next()?.parse().ok()?;
    let (first_at, last_at) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let run = Run { row, count: words.next()?.parse().ok()?, first_at, last_at };
    Some(Unstored { number, run, event: event.to_owned() })
}

/// These rows are stored as they were read. True: there are more.
pub async fn proctor_done<E: Eval>(redis: &E, interview: Uuid, rows: &[Unstored]) -> Result<bool, E::Error> {
    let mut more = false;
    for part in rows.chunks(ROWS as usize) {
        let args = part.iter().fold(Args::new(), |args, row| args.int(row.number).int(row.run.count.into()));
        more = Reply::new(DONE.name, redis.eval(&DONE, all_keys(interview), args.done()).await?)?.flag()?;
    }
    Ok(more)
}

live!(TAKE = "proctor_take");
live!(READ = "proctor_read");
live!(DONE = "proctor_done");
