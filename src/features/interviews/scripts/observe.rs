//! What those who observe an interview see: its state, what was told before, and what is told from now on.

use bytes::Bytes;
use uuid::Uuid;

use super::{Candidate, HUB, Seat, Session, all_keys, head, json, judged, live, read_session};
use crate::cluster::scripts::Op;
use crate::core::{Position, StreamId};
use crate::redis::script::{Args, Eval, Reply};
use crate::rooms::scripts::{Told, told};

/// A socket that observes.
#[derive(Debug, Clone, PartialEq)]
pub struct Observing {
    /// False if it was a member already.
    pub first: bool,
    /// What was told up to here is read by [`observe_events`]; what is logged behind it comes live.
    pub position: Position,
    /// `None`: the candidate has not joined yet.
    pub session: Option<Session>,
}

/// Makes a socket a member of the scope, role `observer`, whatever the role of its token. Who may see the interview, the caller has
/// judged. Safe to repeat.
pub async fn observe_join<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    observer: Candidate<'_>,
    seat: Seat<'_>,
) -> Result<Observing, E::Error> {
    let args = head(op, interview, observer).text(observer.user).text(seat.node).int(seat.session_epoch).done();
    let mut reply = Reply::new(JOIN.name, redis.eval(&JOIN, all_keys(interview), args).await?)?;
    told(&mut reply)?;
    let first = reply.flag()?;
    let (id, epoch): (StreamId, _) = (reply.parsed()?, reply.text()?);
    Ok(Observing { first, position: Position::new(epoch, id), session: read_session(&mut reply)? })
}

/// An event as observers were told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldEvent {
    /// The id that it has in the scope's log.
    pub id: StreamId,
    pub event: String,
    /// Its payload, JSON.
    pub data: Bytes,
    /// ms since 1970.
    pub at: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldEvents {
    pub events: Vec<ToldEvent>,
    /// There are more: read on from the last one.
    pub more: bool,
}

/// What observers were told after one event and up to another, oldest first, about so many bytes of it. Changes nothing: it may run over
/// the reader connection.
pub async fn observe_events<E: Eval>(
    redis: &E,
    interview: Uuid,
    after: StreamId,
    up_to: StreamId,
    bytes: usize,
) -> Result<ToldEvents, E::Error> {
    let args = Args::new().owned(after.to_string()).owned(up_to.to_string()).int(bytes as u64).done();
    let mut reply = Reply::new(EVENTS.name, redis.eval(&EVENTS, all_keys(interview), args).await?)?;
    let more = reply.flag()?;
    let mut events = Vec::with_capacity(reply.left() / 4);
    while reply.left() > 0 {
        events.push(ToldEvent { id: reply.parsed()?, event: reply.text()?, data: reply.bytes()?, at: reply.uint()? });
    }
    Ok(ToldEvents { events, more })
}

/// What may be away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// Told to the candidate and to observers: `stt-unavailable`, `stt-available`.
    SpeechToText,
    /// Told to observers: `storage-unavailable`.
    Storage,
}

impl Outage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::SpeechToText => "stt",
            Self::Storage => "storage",
        }
    }
}

/// Tells that something is away (with the reason), or back (`None`); once for each time. `None` is returned if that is known already.
pub async fn outage_tell<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    outage: Outage,
    reason: Option<&str>,
) -> Result<Option<Told>, E::Error> {
    let args = head(op, interview, HUB).text(outage.as_str()).flag(reason.is_none()).owned(json(reason.unwrap_or(""))).done();
    let mut reply = Reply::new(OUTAGE.name, redis.eval_write(&OUTAGE, all_keys(interview), args).await?)?;
    Ok(judged(&mut reply)?.ok().filter(|(outcome, _)| outcome == "ok").map(|(_, told)| told))
}

live!(JOIN = "observe_join");
live!(EVENTS = "observe_events");
live!(OUTAGE = "outage_tell");
