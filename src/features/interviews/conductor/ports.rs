//! What the conductor asks of its surroundings: the live state in Redis and the records in PostgreSQL. Both are traits, so that
//! everything here can be tried without either.

use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::core::StreamId;
use crate::features::interviews::providers::ai::Evaluation;
use crate::features::interviews::scripts::{AudioEntry, Heard, Outage, Session, Turn};
use crate::features::interviews::store::Template;
use crate::features::interviews::wire::{Progress, Question, Summary};
use crate::store::StoreError;

/// Redis does not answer, or not yet. Everything here may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the live state cannot be reached")]
pub struct Away;

impl From<StoreError> for Away {
    fn from(_: StoreError) -> Self {
        Self
    }
}

/// Whose an interview's lease is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    Held,
    /// Another node's, for so many ms more.
    Busy {
        for_ms: u64,
    },
}

/// The session as one read finds it, and the audio behind a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub session: Session,
    /// In the order in which it was taken.
    pub audio: Vec<AudioEntry>,
    /// There is more audio behind it.
    pub more: bool,
}

/// What has come of a final turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It is kept with the answer that is open. A repeat says so too.
    Kept,
    /// Its answer is finished already, or the session is over: what is stored is to be amended.
    Late,
    /// Another stream counts: another node conducts the interview.
    Stale,
}

/// The next question, as it goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// The answered question.
    pub from: u32,
    /// Final turns that are stored with its answer.
    pub turns: usize,
    /// `None`: it was the last one.
    pub question: Option<Question>,
    pub progress: Progress,
    pub evaluation: Option<Evaluation>,
}

/// The live state of interviews in Redis. Each write has its effect once, however often it is repeated.
pub trait State: Send + Sync + 'static {
    /// Takes or renews the lease of the one who conducts it. That of a node that is not live counts no longer.
    fn lease(&self, id: Uuid) -> BoxFuture<'_, Result<Lease, Away>>;

    /// Gives the lease back.
    fn release(&self, id: Uuid) -> BoxFuture<'_, ()>;

    /// The session, and the audio behind `after`, up to `to` (`None`: the newest): so many bytes and a chunk more at most, none if it is
    /// 0. `None`: there is no session.
    fn read(&self, id: Uuid, after: StreamId, to: Option<StreamId>, bytes: usize)
    -> BoxFuture<'_, Result<Option<Reading>, Away>>;

    /// From now on the turns of this stream count, and those of no other. Gives the place behind which its audio begins. `None`: the
    /// session is over.
    fn stream<'a>(&'a self, id: Uuid, stream: &'a str) -> BoxFuture<'a, Result<Option<Heard>, Away>>;

    /// What was said so far in a turn.
    fn partial<'a>(&'a self, id: Uuid, stream: &'a str, text: &'a str, confidence: f64) -> BoxFuture<'a, Result<(), Away>>;

    /// A turn has ended. All audio up to `heard` has its final text now.
    fn note<'a>(&'a self, id: Uuid, turn: &'a Turn, heard: Heard) -> BoxFuture<'a, Result<Noted, Away>>;

    /// All audio up to there has its final text, or nothing is said in it.
    fn hear<'a>(&'a self, id: Uuid, stream: &'a str, heard: StreamId) -> BoxFuture<'a, Result<(), Away>>;

    /// The final turns of the answer that is open, in their order.
    fn turns(&self, id: Uuid) -> BoxFuture<'_, Result<Vec<Turn>, Away>>;

    /// Asks the next question, if the answer to the one before stands; behind the last one the interview is completed. False: there
    /// are final turns beyond those that are stored.
    fn ask<'a>(&'a self, id: Uuid, asking: &'a Asking) -> BoxFuture<'a, Result<bool, Away>>;

    /// Tells observers the summary; the first one counts.
    fn summarize<'a>(&'a self, id: Uuid, summary: &'a Summary) -> BoxFuture<'a, Result<(), Away>>;

    /// Tells that something is away (with the reason), or back (`None`), once each time.
    fn outage<'a>(&'a self, id: Uuid, what: Outage, reason: Option<&'a str>) -> BoxFuture<'a, Result<(), Away>>;

    /// Moves what was noticed about the candidate to PostgreSQL. Any node may do that, and several at a time.
    fn store_noticed(&self, id: Uuid) -> BoxFuture<'_, Result<(), Away>>;

    /// Some node is to look at this interview at once.
    fn hand_on(&self, id: Uuid) -> BoxFuture<'_, ()>;
}

/// What is asked in an interview. It does not change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub template: Template,
}

/// An answer as it is stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Response {
    pub question_id: String,
    pub position: u32,
    /// As the question was put.
    pub asked: String,
    /// The client's.
    pub transcription: String,
    /// An address, or a key of the audio storage.
    pub audio: String,
    /// When it was taken, in ms since 1970.
    pub answered_at: u64,
    /// What was said, as the speech streams have told it.
    pub turns: Vec<Turn>,
}

/// What PostgreSQL holds of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    pub position: u32,
    pub asked: String,
    /// The client's text, or else that of the speech streams.
    pub answer: String,
    /// `None`: it was not scored.
    pub evaluation: Option<Evaluation>,
}

/// The durable truth in PostgreSQL. Each write has its effect once, however often it is repeated.
pub trait Records: Send + Sync + 'static {
    fn plan(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Plan>, StoreError>>;

    /// Where the session stands now; an older state than the one that is kept changes nothing.
    fn keep<'a>(&'a self, id: Uuid, session: &'a Session) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Stores an answer with its turns, if none is stored for this question.
    fn answer<'a>(&'a self, id: Uuid, response: &'a Response) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Turns that came after their answer was stored.
    fn amend<'a>(&'a self, id: Uuid, question_id: &'a str, turns: &'a [Turn]) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Stores what an answer was scored with, if it was not scored before; gives what it is scored with.
    fn score<'a>(
        &'a self,
        id: Uuid,
        question_id: &'a str,
        evaluation: &'a Evaluation,
    ) -> BoxFuture<'a, Result<Evaluation, StoreError>>;

    /// All answers, by position.
    fn answers(&self, id: Uuid) -> BoxFuture<'_, Result<Vec<Stored>, StoreError>>;

    /// The interview is completed. With `is_summary_due` a summary is to follow.
    fn complete(&self, id: Uuid, is_summary_due: bool) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Stores the summary.
    fn summary<'a>(&'a self, id: Uuid, summary: &'a Summary) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Interviews whose summary is due, at most so many. Each is due again a while later, unless it is stored, for 24 hours.
    fn summaries_due(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>>;
}
