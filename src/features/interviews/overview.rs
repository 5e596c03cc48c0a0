//! An interview as the company's own services see it, with what is known of its session: PostgreSQL's row, and where Redis is there the
//! live state, which is newer.

use serde_json::{Value, json};
use uuid::Uuid;

use super::error::InterviewError;
use super::interview_id;
use super::live::Live;
use super::scripts::{Session, SessionState, Trust, session_read};
use super::store::{SessionRow, StoredResponse};
use super::wire::Moment;
use crate::store::Time;

impl Live {
    /// All that is known of an interview, but its token.
    pub async fn overview(&self, id: &str) -> Result<Value, InterviewError> {
        let whole = self.interviews.read(id).await?;
        self.with_session(interview_id(id)?, whole).await
    }

    /// Adds what is known of its session.
    pub async fn with_session(&self, id: Uuid, mut whole: Value) -> Result<Value, InterviewError> {
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
        whole["session"] = row.map_or(Value::Null, |row| session(&row, live.as_ref()));
        whole["responses"] = responses.iter().map(response).collect();
        Ok(whole)
    }
}

fn session(row: &SessionRow, live: Option<&Session>) -> Value {
    // An end in PostgreSQL is one, whatever the live state still says.
    let live = live.filter(|live| live.id == row.id && live.rev >= row.rev);
    let state = live.map_or(row.state, |live| if row.state.has_ended() { row.state } else { live.state });
    let trust = live.map_or(row.trust, |live| live.trust);
    let told = |at: Option<u64>, kept: Option<Time>| at.map(Moment).map_or_else(|| json!(kept), |at| json!(at));
    json!({
        "id": row.id.to_string(),
        "state": state.as_str(),
        "createdAt": row.created_at,
        "startedAt": told(live.and_then(|live| live.started_at), row.started_at),
        "endedAt": told(live.and_then(|live| live.ended_at), row.ended_at),
        "candidateConnected": live.map(|live| state == SessionState::Active && live.lost_at.is_none()),
        "currentQuestion": live.map_or(row.position, |live| live.position),
        "progress": live.and_then(|live| live.progress).map_or_else(|| json!(row.progress), |progress| json!(progress)),
        "trustScore": trust.score,
        "deductions": deductions(trust),
        "summary": row.summary,
    })
}

fn deductions(Trust { faces, tabs, fullscreen, suspicious, .. }: Trust) -> Value {
    json!({"faces": faces, "tabs": tabs, "fullscreen": fullscreen, "suspicious": suspicious})
}

fn response(response: &StoredResponse) -> Value {
    json!({
        "questionId": response.question_id,
        "order": response.position,
        "question": response.asked,
        "transcription": response.transcription,
        "sttTranscript": response.stt_transcript,
        "audioUrl": response.audio_url,
        "score": response.score,
        "evaluation": response.evaluation,
        "answeredAt": response.answered_at,
    })
}
