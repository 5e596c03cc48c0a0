//! Finishing an answer: its audio is stored, then the answer with its text, then it is scored and the next question goes out. Each step
//! may be repeated, by another node too; what is stored stays as it is.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use uuid::Uuid;

use super::ports::{Asking, Away, Plan, Response, Stored};
use super::question::{about, planned, progress};
use super::{Conductor, READ, STORING_KIB, clean};
use crate::core::StreamId;
use crate::features::interviews::providers::ai::{Answered, Evaluation};
use crate::features::interviews::providers::audio::{StorageError, wav};
use crate::features::interviews::scripts::{GivenAnswer, Outage, Session, Turn};
use crate::features::interviews::wire::Question;
use crate::telemetry::once_a_minute;

/// A storage that was told to be away is given no longer than this to store an answer.
const DOWN_PATIENCE: Duration = Duration::from_secs(5);
/// Each time a text came in between. They come seconds apart.
const ASKINGS: usize = 4;

/// How far this node has come with an answer. What is done already is not done again.
pub struct Finishing {
    position: u32,
    total: u32,
    /// As the question was put.
    asked: String,
    answer: GivenAnswer,
    /// Behind this entry its audio begins.
    audio_from: StreamId,
    /// When the session was started, in ms since 1970.
    started_at: u64,
    was_storage_down: bool,
    /// Its audio: an address of the client's or the key of a file; empty: there is none.
    audio: Option<String>,
    is_stored: bool,
    /// Turns that are stored with the answer.
    turns: usize,
    /// `Some(None)`: the AI has not scored it. It is asked once.
    judged: Option<Option<Evaluation>>,
    /// As it is stored.
    evaluation: Option<Option<Evaluation>>,
    /// `Some(None)`: there is no next one.
    next: Option<Option<Question>>,
}

impl Finishing {
    pub fn new(session: &Session, answer: &GivenAnswer) -> Self {
        let asked = session.asked.as_ref().map_or_else(String::new, |question| question.text.clone());
        Self {
            position: session.position,
            total: session.total,
            asked,
            answer: answer.clone(),
            audio_from: session.audio_from,
            started_at: session.started_at.unwrap_or_default(),
            was_storage_down: session.storage_down,
            audio: None,
            is_stored: false,
            turns: 0,
            judged: None,
            evaluation: None,
            next: None,
        }
    }

    /// KiB that its audio may have: it comes no faster than twice as fast as real time, and 30 s of it at once.
    pub fn most_kib(&self) -> u32 {
        let since = self.audio_from.ms.max(self.started_at);
        let ms = self.answer.audio_to.ms.saturating_sub(since).saturating_mul(2).saturating_add(30_000);
        u32::try_from(ms / 32).map_or(STORING_KIB / 2, |kib| kib.min(STORING_KIB / 2))
    }

    pub fn is_last(&self) -> bool {
        self.position >= self.total
    }
}

impl Conductor {
    /// What is asked in an interview.
    pub(super) async fn plan(&self, id: Uuid) -> Result<std::sync::Arc<Plan>, Away> {
        Ok(self.records.plan(id).await?.ok_or(Away)?.into())
    }

    /// Goes through with it.
    pub(super) async fn finish(&self, id: Uuid, plan: &Plan, work: &mut Finishing) -> Result<(), Away> {
        if work.audio.is_none() {
            work.audio = Some(self.store_audio(id, work).await?);
        }
        if !work.is_stored {
            let turns = self.state.turns(id).await?;
            work.turns = turns.len();
            self.records.answer(id, &response(work, turns)).await?;
            work.is_stored = true;
        }
        if work.judged.is_none() || work.next.is_none() {
            let answers = self.records.answers(id).await?;
            let said: Vec<Answered> = answers.iter().map(|stored| answered(plan, stored)).collect();
            let known = answers.iter().find(|stored| stored.position == work.position);
            let (judged, next) = tokio::join!(self.judge(plan, work, known), self.next(id, plan, work, &said));
            (work.judged, work.next) = (Some(judged), Some(next));
        }
        if work.evaluation.is_none() {
            work.evaluation = Some(match work.judged.as_ref().and_then(Option::as_ref) {
                Some(judged) => Some(self.records.score(id, &work.answer.question_id, judged).await?),
                None => None,
            });
        }
        let at = if work.is_last() { work.position } else { work.position + 1 };
        let mut asking = Asking {
            from: work.position,
            turns: work.turns,
            question: work.next.clone().flatten(),
            progress: progress(&plan.template, at),
            evaluation: work.evaluation.clone().flatten(),
        };
        if asking.question.is_none() {
            self.records.complete(id, self.providers.ai.is_some()).await?;
        }
        // The live state lets go of an answer only when all that was told of it is stored: a text may have come meanwhile.
        for _ in 0..ASKINGS {
            if self.state.ask(id, &asking).await? {
                return Ok(());
            }
            let turns = self.state.turns(id).await?;
            self.records.amend(id, &work.answer.question_id, &turns).await?;
            (work.turns, asking.turns) = (turns.len(), turns.len());
        }
        Err(Away)
    }

    /// Stores what was said as a WAV file. The answer's audio: the client's address, else the file's key, else none. Addresses of a
    /// file end after a day, so they are made when somebody asks.
    async fn store_audio(&self, id: Uuid, work: &Finishing) -> Result<String, Away> {
        let given = work.answer.audio_url.clone();
        let Some(storage) = &self.providers.audio else { return Ok(given) };
        let key = format!("interviews/{id}/answer-{}.wav", work.position);
        let stored = {
            let _permit = self.storing.acquire_many(work.most_kib()).await;
            let Some(file) = self.recording(id, work).await? else { return Ok(given) };
            let put = storage.put(&key, "audio/wav", file);
            match work.was_storage_down {
                true => timeout(DOWN_PATIENCE, put).await.unwrap_or(Err(StorageError::TimedOut)),
                false => put.await,
            }
        };
        match stored {
            Ok(()) => {
                if work.was_storage_down {
                    self.state.outage(id, Outage::Storage, None).await?;
                }
                Ok(if given.is_empty() { key } else { given })
            }
            Err(error) => {
                once_a_minute!(warn, "the audio of an answer is not stored", %error);
                self.state.outage(id, Outage::Storage, Some("unavailable")).await?;
                Ok(given)
            }
        }
    }

    /// The audio of an answer as a file; `None` if there is none.
    async fn recording(&self, id: Uuid, work: &Finishing) -> Result<Option<Bytes>, Away> {
        let (mut file, mut at) = (vec![0; wav::HEADER], work.audio_from);
        while at < work.answer.audio_to {
            let Some(reading) = self.state.read(id, at, Some(work.answer.audio_to), READ).await? else { break };
            // Another node has finished the answer: its audio is being dropped, and what is left of it must not take the place of what
            // that node has stored.
            if reading.session.position != work.position || reading.session.answer.is_none() {
                return Ok(None);
            }
            let Some(last) = reading.audio.last() else { break };
            at = last.id;
            for entry in reading.audio.iter().filter(|entry| entry.position == work.position) {
                file.extend_from_slice(&entry.pcm);
            }
            if !reading.more {
                break;
            }
        }
        let length = file.len() - wav::HEADER;
        file[..wav::HEADER].copy_from_slice(&wav::header(length));
        Ok((length > 0).then(|| file.into()))
    }

    /// The next question. `None`: there is none.
    async fn next(&self, id: Uuid, plan: &Plan, work: &Finishing, said: &[Answered]) -> Option<Question> {
        if let Some(next) = &work.next {
            return next.clone();
        }
        if work.is_last() {
            return None;
        }
        let words = self.words(&plan.template, work.position + 1, said).await;
        self.question(id, &plan.template, work.position + 1, words).await
    }

    /// What the AI thinks of an answer. It is scored once: what is stored counts.
    async fn judge(&self, plan: &Plan, work: &Finishing, stored: Option<&Stored>) -> Option<Evaluation> {
        if let Some(judged) = &work.judged {
            return judged.clone();
        }
        let (ai, stored, planned) = (self.providers.ai.as_ref()?, stored?, planned(&plan.template, work.position)?);
        if stored.evaluation.is_some() || stored.answer.trim().is_empty() {
            return stored.evaluation.clone();
        }
        let judged = ai.evaluate(about(&plan.template, planned), &answered(plan, stored)).await;
        let judged = judged.inspect_err(|error| once_a_minute!(warn, "an answer is not scored", %error)).ok()?;
        Some(Evaluation { evaluation: clean(&judged.evaluation), ..judged })
    }

    /// Adds turns to answers that were stored before they came.
    pub(super) async fn amend(&self, id: Uuid, plan: &Plan, turns: &[Turn]) -> Result<(), Away> {
        for turns in turns.chunk_by(|one, other| one.position == other.position) {
            if let Some(planned) = turns.first().and_then(|turn| planned(&plan.template, turn.position)) {
                self.records.amend(id, &planned.id, turns).await?;
            }
        }
        Ok(())
    }
}

fn response(work: &Finishing, turns: Vec<Turn>) -> Response {
    Response {
        question_id: work.answer.question_id.clone(),
        position: work.position,
        asked: work.asked.clone(),
        transcription: clean(&work.answer.transcription),
        audio: clean(work.audio.as_deref().unwrap_or_default()),
        answered_at: work.answer.at,
        turns,
    }
}

/// As the AI is shown it.
pub fn answered(plan: &Plan, stored: &Stored) -> Answered {
    Answered {
        question: stored.asked.clone(),
        kind: planned(&plan.template, stored.position).map_or_else(String::new, |planned| planned.kind.clone()),
        answer: stored.answer.clone(),
        score: stored.evaluation.as_ref().map(|evaluation| evaluation.score),
    }
}
