//! An interview as the company's own services see it, with what is known of its session: PostgreSQL's row, and where Redis is there the
//! live state, which is newer.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::error::InterviewError;
use super::interview_id;
use super::live::Live;
use super::providers::audio::address_of;
use super::scripts::{Session, SessionState, Trust, session_read};
use super::store::{SessionRow, StoredResponse};
use super::view::Whole;
use super::wire::{Moment, Progress, Summary};
use crate::protocol::schema;
use crate::store::{Time, as_text};

/// All that is known of an interview, but its token.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "InterviewOverview")]
pub struct Overview {
    #[serde(flatten)]
    whole: Whole,
    /// Null: no candidate has joined yet.
    session: Option<SessionView>,
    /// The answers, in the order of their questions.
    responses: Vec<ResponseView>,
}

/// The session of an interview.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InterviewLiveSession")]
struct SessionView {
    #[serde(serialize_with = "as_text")]
    #[schemars(schema_with = "schema::uuid")]
    id: Uuid,
    state: SessionState,
    created_at: Time,
    started_at: Option<Moment>,
    ended_at: Option<Moment>,
    /// Null: Redis was not asked, or does not know it.
    candidate_connected: Option<bool>,
    /// Over all assessments, from 1; 0 before the first.
    current_question: u32,
    #[schemars(with = "Option<Progress>")]
    progress: Option<Value>,
    #[schemars(range(max = 100))]
    trust_score: u8,
    deductions: Deductions,
    #[schemars(with = "Option<Summary>")]
    summary: Option<Value>,
}

/// How often something was noticed that takes trust.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "InterviewDeductions")]
struct Deductions {
    faces: u32,
    tabs: u32,
    fullscreen: u32,
    suspicious: u32,
}

/// A stored answer.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InterviewResponse")]
struct ResponseView {
    question_id: String,
    /// Over all assessments, from 1.
    order: u32,
    /// As it was asked.
    question: String,
    /// What the client has understood.
    transcription: String,
    /// What the hub's speech to text has understood.
    stt_transcript: String,
    audio_url: String,
    #[schemars(range(min = 0, max = 100))]
    score: Option<f64>,
    evaluation: Option<String>,
    answered_at: Time,
}

impl Live {
    /// All that is known of an interview, but its token.
    pub async fn overview(&self, id: &str) -> Result<Overview, InterviewError> {
        let whole = self.interviews.read(id).await?;
        self.with_session(interview_id(id)?, whole).await
    }

    /// Adds what is known of its session.
    pub async fn with_session(&self, id: Uuid, whole: Whole) -> Result<Overview, InterviewError> {
        let store = &self.interviews.store;
        let row = store.session(id).await?;
        let live = match &row {
            // A service that looks does not wait for Redis.
            Some(_) => session_read(self.redis(), id).await.ok().flatten(),
            None => None,
        };
        let responses = match &row {
            Some(_) => store.responses(id).await?,
            None => Vec::new(),
        };
        let session = row.map(|row| SessionView::new(row, live.as_ref()));
        let mut told = Vec::with_capacity(responses.len());
        for stored in responses {
            let audio_url = address_of(&stored.audio, self.audio.as_deref()).await;
            told.push(ResponseView::new(stored, audio_url));
        }
        Ok(Overview { whole, session, responses: told })
    }
}

impl SessionView {
    fn new(row: SessionRow, live: Option<&Session>) -> Self {
        // An end in PostgreSQL is one, whatever the live state still says.
        let live = live.filter(|live| live.id == row.id && live.rev >= row.rev);
        let state = live.map_or(row.state, |live| if row.state.has_ended() { row.state } else { live.state });
        let Trust { score, faces, tabs, fullscreen, suspicious, .. } = live.map_or(row.trust, |live| live.trust);
        let told = |at: Option<u64>, kept: Option<Time>| at.or(kept.map(Time::as_ms)).map(Moment);
        Self {
            id: row.id,
            state,
            created_at: row.created_at,
            started_at: told(live.and_then(|live| live.started_at), row.started_at),
            ended_at: told(live.and_then(|live| live.ended_at), row.ended_at),
            candidate_connected: live.map(|live| state == SessionState::Active && live.lost_at.is_none()),
            current_question: live.map_or(row.position, |live| live.position),
            progress: live.and_then(|live| live.progress).map(|progress| json!(progress)).or(row.progress),
            trust_score: score,
            deductions: Deductions { faces, tabs, fullscreen, suspicious },
            summary: row.summary,
        }
    }
}

impl ResponseView {
    fn new(response: StoredResponse, audio_url: String) -> Self {
        Self {
            question_id: response.question_id,
            order: response.position,
            question: response.asked,
            transcription: response.transcription,
            stt_transcript: response.stt_transcript,
            audio_url,
            score: response.score,
            evaluation: response.evaluation,
            answered_at: response.answered_at,
        }
    }
}
