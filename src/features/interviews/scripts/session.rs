//! The life of a session: joins, start, presence of the candidate, ends.

use std::time::Duration;

use uuid::Uuid;

use super::{
    Candidate, HUB, Outcome, Refused, Seat, Session, SessionState, Trust, all_keys, head, json, judged, live, read_session,
};
use crate::cluster::scripts::Op;
use crate::core::{Position, StreamId};
use crate::features::interviews::wire::{Progress, Question};
use crate::redis::script::{Args, BadReply, Eval, Reply};
use crate::rooms::scripts::Told;

/// What PostgreSQL knows of a session, for a live state that is lost or lags behind.
#[derive(Debug, Clone, PartialEq)]
pub struct Seed {
    pub id: Uuid,
    pub state: SessionState,
    pub rev: u64,
    /// ms since 1970.
    pub created_at: u64,
    pub started_at: Option<u64>,
    /// Of the question that is open, from 1; 0: none was asked yet.
    pub position: u32,
    pub total: u32,
    /// The question at that position, as it was or will be sent.
    pub asked: Option<Question>,
    pub progress: Option<Progress>,
    /// Ids of the questions that were asked, each with its position.
    pub questions: Vec<(String, u32)>,
    /// The answer before: question id, the client's transcription and its audioUrl.
    pub last: Option<(String, String, String)>,
    pub trust: Trust,
    /// The summary is stored.
    pub has_summary: bool,
}

impl Seed {
    fn push(&self, args: Args) -> Args {
        let mut args = args.text(self.state.as_str()).int(self.position.into());
        let mut set = |field: &str, value: String| {
            args = std::mem::take(&mut args).text(field).owned(value);
        };
        set("id", self.id.to_string());
        set("state", self.state.as_str().to_owned());
        set("rev", self.rev.to_string());
        set("created", self.created_at.to_string());
        if let Some(at) = self.started_at {
            set("started", at.to_string());
        }
        set("pos", self.position.to_string());
        set("total", self.total.to_string());
        if let Some(asked) = &self.asked {
            set("asked", json(asked));
            set("qid", asked.question_id.clone());
        }
        if let Some(progress) = &self.progress {
            set("progress", json(progress));
        }
        for (id, position) in &self.questions {
            set(&format!("q:{id}"), position.to_string());
        }
        if let Some((question, transcription, audio_url)) = &self.last {
            set("lq", question.clone());
            set("lt", transcription.clone());
            set("lu", audio_url.clone());
        }
        let Trust { score, faces, tabs, fullscreen, suspicious } = self.trust;
        set("trust", score.to_string());
        for (field, count) in [("faces", faces), ("tabs", tabs), ("fullscreen", fullscreen), ("suspicious", suspicious)] {
            set(field, count.to_string());
        }
        if self.has_summary {
            set("summary", "1".to_owned());
        }
        args
    }
}

/// A socket that is the candidate's now.
#[derive(Debug, Clone, PartialEq)]
pub struct Joined {
    pub session: Session,
    /// The live state was made by this call.
    pub first: bool,
    /// The socket in whose place it came. Nodes get the control message `superseded` `{socketId}`.
    pub supersedes: Option<String>,
    /// The session was paused until now.
    pub resumed: bool,
    /// What is logged after this position is for the new member.
    pub position: Position,
    pub told: Told,
    pub due_in: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum SessionJoin {
    Joined(Box<Joined>),
    /// The session has ended, and nothing has changed. `None`: it is not live any more.
    Ended(Option<Box<Session>>),
    /// A socket that came back, while another one is the candidate's.
    Superseded,
    /// There is no live state, and no seed.
    Missing,
}

/// The candidate's socket, as it joins.
#[derive(Debug, Clone, Copy)]
pub struct Joining<'a> {
    pub candidate: Candidate<'a>,
    /// As observers are shown it.
    pub name: &'a str,
    pub seat: Seat<'a>,
    /// It came back (recovery, a move to another node): it is not announced, does not make a paused session active, and does not take
    /// another socket's place.
    pub recovered: bool,
}

/// A socket becomes the candidate's and a member of the scope (role `candidate`). Observers get `candidate-joined`. Without live state
/// it is made of the seed.
pub async fn session_join<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    joining: Joining<'_>,
    seed: Option<&Seed>,
) -> Result<SessionJoin, E::Error> {
    let Joining { candidate, name, seat, recovered } = joining;
    let args = head(op, interview, candidate).text(candidate.user).owned(json(name)).text(seat.node).int(seat.session_epoch);
    let args = args.flag(recovered);
    let args = match seed {
        Some(seed) => seed.push(args),
        None => args.text("").int(0),
    };
    let mut reply = Reply::new(JOIN.name, redis.eval_write(&JOIN, all_keys(interview), args.done()).await?)?;
    let (_, told) = match judged(&mut reply)? {
        Ok(head) => head,
        Err(Refused::Superseded) => return Ok(SessionJoin::Superseded),
        Err(Refused::Ended) => return Ok(SessionJoin::Ended(read_session(&mut reply)?.map(Box::new))),
        Err(_) => return Ok(SessionJoin::Missing),
    };
    Ok(SessionJoin::Joined(Box::new(joined(&mut reply, told)?)))
}

fn joined(reply: &mut Reply, told: Told) -> Result<Joined, BadReply> {
    let (first, supersedes, resumed) = (reply.flag()?, reply.some()?, reply.flag()?);
    let (id, epoch): (StreamId, _) = (reply.parsed()?, reply.text()?);
    let due_in = reply.wait()?;
    let session = read_session(reply)?.ok_or_else(|| reply.bad("joined without a session"))?;
    Ok(Joined { session, first, supersedes, resumed, position: Position::new(epoch, id), told, due_in })
}

/// The live state; `None` if there is none.
pub async fn session_read<E: Eval>(redis: &E, interview: Uuid) -> Result<Option<Session>, E::Error> {
    let mut reply = Reply::new(READ.name, redis.eval(&READ, all_keys(interview), Vec::new()).await?)?;
    let _ = judged(&mut reply)?;
    Ok(read_session(&mut reply)?)
}

/// What came of `start-interview`.
#[derive(Debug, Clone, PartialEq)]
pub struct Started {
    /// By this call: the candidate gets `question`, observers `interview-started`. Else it was started before: send the question of
    /// the session to this socket again.
    pub first: bool,
    pub session: Session,
    pub told: Told,
    pub due_in: Option<Duration>,
}

/// Created → Active: the first question is asked, once. A paused session is active again.
pub async fn session_start<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    candidate: Candidate<'_>,
    question: &Question,
    progress: &Progress,
) -> Outcome<Started, E::Error> {
    let args = head(op, interview, candidate).owned(json(question)).text(&question.question_id).owned(json(&question.text));
    let args = args.owned(json(progress)).done();
    let mut reply = Reply::new(START.name, redis.eval_write(&START, all_keys(interview), args).await?)?;
    let (outcome, told) = match judged(&mut reply)? {
        Ok(head) => head,
        Err(refused) => return Ok(Err(refused)),
    };
    let _resumed = reply.flag()?;
    let due_in = reply.wait()?;
    let session = read_session(&mut reply)?.ok_or_else(|| reply.bad("started without a session"))?;
    Ok(Ok(Started { first: outcome == "started", session, told, due_in }))
}

/// A sign of life of the candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    pub state: SessionState,
    /// The session was paused until now.
    pub resumed: bool,
    pub told: Told,
    pub due_in: Option<Duration>,
}

/// An event of the candidate that no other script handles: a paused session is active again. `heartbeat`: it was one; the candidate is
/// gone if none follows for so long.
pub async fn session_touch<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    candidate: Candidate<'_>,
    heartbeat: Option<Duration>,
) -> Outcome<Touched, E::Error> {
    let args = head(op, interview, candidate).flag(heartbeat.is_some()).int(ms(heartbeat.unwrap_or_default())).done();
    let mut reply = Reply::new(TOUCH.name, redis.eval(&TOUCH, all_keys(interview), args).await?)?;
    let (_, told) = match judged(&mut reply)? {
        Ok(head) => head,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(Ok(Touched { state: reply.parsed()?, resumed: reply.flag()?, told, due_in: reply.wait()? }))
}

/// How a socket of the candidate went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    /// It sent a DISCONNECT packet: it is gone.
    Left,
    /// Its connection was lost (ms since 1970, 0: now): it is gone if it is not back when the grace is over.
    Lost { at: u64, grace: Duration },
}

/// What follows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Went {
    /// Active → Paused; observers get `interview-interrupted`.
    pub paused: bool,
    pub told: Told,
    pub due_in: Option<Duration>,
}

/// A socket of the candidate is a member no longer. Only the holder of node and session epoch can say so; `None`: it is another's.
pub async fn candidate_lost<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    candidate: Candidate<'_>,
    seat: Seat<'_>,
    going: Going,
) -> Result<Option<Went>, E::Error> {
    let args = head(op, interview, candidate).text(seat.node).int(seat.session_epoch);
    let args = match going {
        Going::Left => args.text("").int(0),
        Going::Lost { at, grace } => args.int(at).int(ms(grace)),
    };
    let mut reply = Reply::new(LOST.name, redis.eval_write(&LOST, all_keys(interview), args.done()).await?)?;
    match judged(&mut reply)? {
        Ok((outcome, told)) if outcome == "ok" => Ok(Some(went(&mut reply, told)?)),
        _ => Ok(None),
    }
}

fn went(reply: &mut Reply, told: Told) -> Result<Went, BadReply> {
    Ok(Went { paused: reply.flag()?, told, due_in: reply.wait()? })
}

/// Which timer asks whether the candidate is gone, and so the `reason` that observers hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed<'a> {
    /// `absent <sid>`: the connection of this socket was lost.
    Connection(&'a str),
    /// `absent`: its node is dead.
    Node,
    /// `heartbeat`.
    Heartbeat,
}

/// Pauses the session if the candidate is gone; else the timer is set to when to look again, or cleared.
pub async fn candidate_gone<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    missed: Missed<'_>,
    grace: Duration,
) -> Result<Went, E::Error> {
    let (sid, reason) = match missed {
        Missed::Connection(sid) => (sid, "disconnect"),
        Missed::Node => ("", "node-lost"),
        Missed::Heartbeat => ("", "heartbeat"),
    };
    let args = head(op, interview, Candidate { sid, ..HUB }).text(reason).int(ms(grace)).done();
    let mut reply = Reply::new(GONE.name, redis.eval_write(&GONE, all_keys(interview), args).await?)?;
    let told = judged(&mut reply)?.map_err(|refused| reply.bad(format!("{refused:?}")))?.1;
    Ok(went(&mut reply, told)?)
}

/// What came of an end that is not that of the last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEnd {
    /// By this call. The timer `work` is due: the node that conducts it lets go.
    Ended { told: Told, due_in: Option<Duration> },
    /// It has ended before.
    Unchanged,
    /// There is no live state; observers were told all the same.
    Missing(Told),
}

/// Ends a session: `to` is one of the ends. Observers hear of an expired or cancelled one (`interview-interrupted`), the candidate of a
/// completed one (`interview-complete`).
pub async fn session_end<E: Eval>(redis: &E, interview: Uuid, op: Op<'_>, to: SessionState) -> Result<SessionEnd, E::Error> {
    let args = head(op, interview, HUB).text(to.as_str()).done();
    let mut reply = Reply::new(END.name, redis.eval_write(&END, all_keys(interview), args).await?)?;
    let (outcome, told) = crate::rooms::scripts::told(&mut reply)?;
    Ok(match outcome.as_str() {
        // The outcome that elsewhere is a refusal.
        "over" => SessionEnd::Ended { told, due_in: reply.wait()? },
        "missing" => SessionEnd::Missing(told),
        _ => SessionEnd::Unchanged,
    })
}

/// Whether something is to be done: an answer to be finished, audio without final text, proctoring that is not stored, a summary to be
/// told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest {
    pub idle: bool,
    /// The timer `work` is set to then. `None`: it is cleared.
    pub due_in: Option<Duration>,
}

/// Looks at it, and sets the timer `work` to `again` from now, or clears it. Audio that is left of a session that has ended is dropped.
pub async fn session_rest<E: Eval>(redis: &E, interview: Uuid, op: Op<'_>, again: Duration) -> Result<Rest, E::Error> {
    let args = head(op, interview, HUB).int(ms(again)).done();
    let mut reply = Reply::new(REST.name, redis.eval(&REST, all_keys(interview), args).await?)?;
    let (outcome, _) = crate::rooms::scripts::told(&mut reply)?;
    Ok(Rest { idle: outcome == "idle", due_in: reply.wait()? })
}

pub(super) fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

live!(JOIN = "session_join", "interviews/lib/finish");
live!(READ = "session_read");
live!(START = "session_start");
live!(TOUCH = "session_touch");
live!(LOST = "candidate_lost");
live!(GONE = "candidate_gone");
live!(END = "session_end", "interviews/lib/complete");
live!(REST = "session_rest");
