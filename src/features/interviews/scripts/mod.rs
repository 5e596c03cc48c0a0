//! The scripts of a live interview, as typed functions (contract § 4).
//!
//! The scripts hold the rules (who is the candidate, which transition is legal, what is a repeat) and publish in the same step. What
//! a caller must not forget stands in [`Told`], and in `due_in` where a script may set a timer: hand it to
//! [`Timers::set`](crate::rooms::timers::Timers::set).
//!
//! ```text
//! timer `absent <sid>`  a connection was lost, the grace is over         candidate_gone
//!       `absent`        the same for all connections of a dead node      candidate_gone
//!       `heartbeat`     no heartbeat came for so long                    candidate_gone
//!       `work`          an answer, audio or proctoring waits for a node  session_rest
//! ```

pub mod answer;
pub mod audio;
pub mod call;
pub mod observe;
pub mod proctor;
pub mod session;

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::{keys as interview_keys, kinds};
use crate::cluster::scripts::Op;
use crate::core::StreamId;
use crate::features::interviews::wire::{Progress, Question};
use crate::redis::keys;
use crate::redis::keys::user_tag;
use crate::redis::script::{Args, BadReply, Reply};
use crate::rooms::scripts::{Told, told};

pub use answer::*;
pub use audio::*;
pub use observe::*;
pub use proctor::*;
pub use session::*;

/// Timers of the kind `interview`. [`ABSENT`] is also set for a dead node's members.
pub const ABSENT: &str = "absent";
pub const HEARTBEAT: &str = "heartbeat";
pub const WORK: &str = "work";

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "InterviewSessionState")]
pub enum SessionState {
    /// The candidate has joined.
    Created,
    Active,
    /// The candidate is gone.
    Paused,
    Completed,
    Expired,
    /// The interview was cancelled.
    Cancelled,
}

impl SessionState {
    pub const ALL: [Self; 6] = [Self::Created, Self::Active, Self::Paused, Self::Completed, Self::Expired, Self::Cancelled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Expired | Self::Cancelled)
    }
}

impl std::str::FromStr for SessionState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(())
    }
}

/// The live state of an interview.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    pub id: Uuid,
    pub state: SessionState,
    /// One more with each transition.
    pub rev: u64,
    /// ms since 1970, as all times here.
    pub created_at: u64,
    pub started_at: Option<u64>,
    pub ended_at: Option<u64>,
    /// The candidate's present socket.
    pub sid: String,
    pub user: String,
    /// Since then the connection of that socket is lost.
    pub lost_at: Option<u64>,
    /// `None`: it has never sent one.
    pub heartbeat_at: Option<u64>,
    /// Of the question that is open, from 1; 0: none was asked yet.
    pub position: u32,
    pub total: u32,
    /// As it was sent.
    pub asked: Option<Question>,
    pub progress: Option<Progress>,
    /// The answer that is being finished.
    pub answer: Option<GivenAnswer>,
    /// Up to this entry of the audio there is final text.
    pub heard: StreamId,
    /// Behind this entry the audio of the open question begins.
    pub audio_from: StreamId,
    pub trust: Trust,
    /// Told to be away.
    pub stt_down: bool,
    pub storage_down: bool,
    /// `interview-completed` went out.
    pub summary_told: bool,
}

/// An answer as the candidate has given it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenAnswer {
    pub question_id: String,
    /// What the client has understood.
    pub transcription: String,
    /// Where the client has stored it; empty: nowhere.
    pub audio_url: String,
    pub at: u64,
    /// The last entry of the audio that belongs to it.
    pub audio_to: StreamId,
}

/// How far the candidate is trusted, and what was deducted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trust {
    /// From 0 to 100.
    pub score: u8,
    pub faces: u32,
    pub tabs: u32,
    pub fullscreen: u32,
    pub suspicious: u32,
}

impl Default for Trust {
    fn default() -> Self {
        Self { score: 100, faces: 0, tabs: 0, fullscreen: 0, suspicious: 0 }
    }
}

/// The candidate's socket, from which an event came.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The participant.
    pub user: &'a str,
    pub sid: &'a str,
}

/// The hub itself acts.
pub(super) const HUB: Candidate<'static> = Candidate { user: "", sid: "" };

/// Where a socket is connected.
#[derive(Debug, Clone, Copy)]
pub struct Seat<'a> {
    /// Node and incarnation, no spaces.
    pub node: &'a str,
    pub session_epoch: u64,
}

/// Why a rule refused an event. Nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no live state: rebuild it from PostgreSQL by [`session_join`], if the interview is not over.
    Missing,
    /// `NO_ACTIVE_SESSION`: it has ended.
    Ended,
    /// `NO_ACTIVE_SESSION`: it was not started.
    NotActive,
    /// `SUPERSEDED`: another socket is the candidate's.
    Superseded,
}

/// A write's result: a broken connection to Redis outside, a refusal by a rule inside.
pub type Outcome<T, E> = Result<Result<T, Refused>, E>;

/// The keys of a live interview in the order of `lua/interviews/lib/session.lua`.
pub(super) fn all_keys(interview: Uuid) -> Vec<String> {
    let scope = kinds::interview(interview);
    vec![
        keys::scope_meta(&scope),
        keys::scope_log(&scope),
        keys::scope_members(&scope),
        interview_keys::session(interview),
        interview_keys::log(interview),
        interview_keys::audio(interview),
        keys::scope_due(&scope),
    ]
}

/// The arguments with which every write begins.
pub(super) fn head(op: Op<'_>, interview: Uuid, who: Candidate<'_>) -> Args {
    let user = if who.user.is_empty() { String::new() } else { user_tag(who.user) };
    crate::cluster::scripts::scope::head(op, &kinds::interview(interview)).owned(user).text(who.sid)
}

/// The head of an answer: its outcome and what was published, or a refusal.
pub(super) fn judged(reply: &mut Reply) -> Result<Result<(String, Told), Refused>, BadReply> {
    let (outcome, told) = told(reply)?;
    Ok(match outcome.as_str() {
        "missing" => Err(Refused::Missing),
        "ended" => Err(Refused::Ended),
        "not_active" => Err(Refused::NotActive),
        "superseded" => Err(Refused::Superseded),
        _ => Ok((outcome, told)),
    })
}

/// A text as JSON.
pub(super) fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}

/// A session as scripts answer it; `None` if the list is empty.
pub(super) fn read_session(reply: &mut Reply) -> Result<Option<Session>, BadReply> {
    let mut f = reply.list()?;
    if f.left() == 0 {
        return Ok(None);
    }
    let time = |f: &mut Reply| -> Result<Option<u64>, BadReply> { f.some()?.map(|text| parse(f, &text)).transpose() };
    Ok(Some(Session {
        id: f.parsed()?,
        state: f.parsed()?,
        rev: f.parsed()?,
        created_at: f.parsed()?,
        started_at: time(&mut f)?,
        ended_at: time(&mut f)?,
        sid: f.text()?,
        user: f.text()?,
        lost_at: time(&mut f)?,
        heartbeat_at: time(&mut f)?,
        position: or(&mut f, 0)?,
        total: or(&mut f, 0)?,
        asked: from_json(&mut f)?,
        progress: from_json(&mut f)?,
        answer: given(&mut f)?,
        heard: or(&mut f, StreamId::default())?,
        audio_from: or(&mut f, StreamId::default())?,
        trust: {
            let (faces, tabs) = (or(&mut f, 0)?, or(&mut f, 0)?);
            let (fullscreen, suspicious) = (or(&mut f, 0)?, or(&mut f, 0)?);
            Trust { faces, tabs, fullscreen, suspicious, score: or(&mut f, 100)? }
        },
        stt_down: f.some()?.is_some(),
        storage_down: f.some()?.is_some(),
        summary_told: f.some()?.is_some(),
    }))
}

fn given(f: &mut Reply) -> Result<Option<GivenAnswer>, BadReply> {
    let (question, transcription, audio_url) = (f.some()?, f.text()?, f.text()?);
    let (at, audio_to) = (or(f, 0)?, or(f, StreamId::default())?);
    Ok(question.map(|question_id| GivenAnswer { question_id, transcription, audio_url, at, audio_to }))
}

fn parse<T: std::str::FromStr>(reply: &Reply, text: &str) -> Result<T, BadReply> {
    text.parse().map_err(|_| reply.bad(format!("not understood: {text}")))
}

fn or<T: std::str::FromStr>(reply: &mut Reply, absent: T) -> Result<T, BadReply> {
    match reply.some()? {
        None => Ok(absent),
        Some(text) => parse(reply, &text),
    }
}

fn from_json<T: serde::de::DeserializeOwned>(reply: &mut Reply) -> Result<Option<T>, BadReply> {
    let Some(text) = reply.some()? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| reply.bad(error.to_string()))
}

/// A script of a live interview, with the libraries that all of these need.
macro_rules! live {
    ($static:ident = $name:literal $(, $lib:literal)*) => {
        $crate::redis::script::script!(
            $static = "interviews" / $name,
            "scope/lib/scope",
            "scope/lib/log",
            "scope/lib/members",
            "scope/lib/due",
            "interviews/lib/iso",
            "interviews/lib/session"
            $(, $lib)*
        );
    };
}
pub(super) use live;
