//! What goes over the wire in the namespace `/interview`, as types: payloads of events and what the conduct of an interview is made of.
//! Times are ISO 8601 with milliseconds, UTC. Where a script writes an event, a test reads it as the type here.

pub mod call;
pub mod incoming;

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use incoming::{JoinInterview, ObserveInterview, ProctorEvent, ResponseComplete, Severity, StartInterview};

/// A moment (ms since 1970), as text: `2026-01-31T09:30:00.250Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub u64);

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        write!(f, "{:.3}", jiff::Timestamp::from_millisecond(ms).unwrap_or(jiff::Timestamp::MAX))
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "date-time"})
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let moment: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        Ok(Self(u64::try_from(moment.as_millisecond()).unwrap_or_default()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserType {
    Candidate,
    Recruiter,
}

impl UserType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Recruiter => "recruiter",
        }
    }
}

/// `connected`. Both are null for a socket without a token.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connected<'a> {
    pub message: &'a str,
    pub user_id: Option<&'a str>,
    pub user_type: Option<UserType>,
    pub timestamp: Moment,
}

/// `interview-ready`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterviewReady {
    pub session_id: String,
    pub template: TemplateTold,
    /// Minutes.
    pub estimated_duration: u32,
    #[schemars(extend("const" = "ONGOING"))]
    pub status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TemplateTold {
    pub id: String,
    pub title: String,
    /// Minutes.
    pub total_duration: u32,
}

/// `question`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Question {
    pub question_id: String,
    pub text: String,
    /// Empty: there is no audio of it.
    pub audio_url: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// From 1, over all assessments.
    pub order: u32,
}

/// `transcription`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transcription {
    /// The turn so far.
    pub text: String,
    pub is_final: bool,
    /// The mean of its words, from 0 to 1.
    #[schemars(range(min = 0, max = 1))]
    pub confidence: f64,
}

/// `interview-complete`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterviewComplete {
    pub interview_id: String,
    pub session_id: String,
    pub message: String,
    pub timestamp: Moment,
}

/// `observation-started`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservationStarted {
    pub interview: ObservedInterview,
    /// Null: the candidate has not joined yet.
    pub session: Option<ObservedSession>,
    /// The session is active.
    pub is_live: bool,
    /// What has happened, from the start or after what the observer knows.
    pub events: Vec<PastEvent>,
    /// There are more: pass it as `after` to read on.
    pub next_after: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedInterview {
    pub id: String,
    pub candidate_name: String,
    /// Not for the role `observer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_email: Option<String>,
    #[schemars(extend("enum" = ["SCHEDULED", "ONGOING", "COMPLETED", "EXPIRED", "CANCELLED"]))]
    pub status: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObservedSession {
    pub id: String,
    pub is_active: bool,
    pub progress: Option<Progress>,
    #[schemars(range(max = 100))]
    pub trust_score: u8,
}

/// An event as it was sent to observers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PastEvent {
    /// For `after` of `observe-interview`.
    pub id: String,
    pub event: String,
    pub data: serde_json::Value,
    pub timestamp: Moment,
}

/// How far an interview has come. All counts begin with 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    pub current_assessment: u32,
    pub total_assessments: u32,
    /// Over all assessments.
    pub current_question: u32,
    pub total_questions: u32,
}

/// `candidate-joined`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CandidateJoined {
    pub candidate_name: String,
    pub timestamp: Moment,
}

/// `interview-started`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterviewStarted {
    pub timestamp: Moment,
    /// Its text.
    pub first_question: String,
}

/// `live-transcript`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LiveTranscript {
    pub text: String,
    pub is_final: bool,
    pub timestamp: Moment,
}

/// `progress-update`. Score and evaluation are null for an answer that was not evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProgressUpdate {
    pub progress: Progress,
    /// From 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    pub score: Option<f64>,
    pub evaluation: Option<String>,
    pub timestamp: Moment,
}

/// `question-asked`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuestionAsked {
    pub question_id: String,
    pub text: String,
    pub timestamp: Moment,
}

/// `proctor-alert`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProctorAlert {
    #[serde(rename = "type")]
    pub kind: String,
    pub message: String,
    pub severity: Severity,
    pub timestamp: Moment,
}

/// `trust-score-update`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustScoreUpdate {
    /// From 0 to 100.
    #[schemars(range(max = 100))]
    pub trust_score: u8,
    pub timestamp: Moment,
}

/// `interview-interrupted`, `stt-unavailable` and `storage-unavailable`: why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interrupted {
    pub reason: String,
    pub timestamp: Moment,
}

/// `stt-available`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SttAvailable {
    pub timestamp: Moment,
}

/// `heartbeat-ack`. In milliseconds, unlike every other time here.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "InterviewHeartbeat")]
pub struct HeartbeatAck {
    pub timestamp: u64,
}

/// What a repeat is acknowledged with, beside `ok`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Repeated")]
pub struct Repeated {
    /// True: it repeats an earlier event.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// What an `error` says beside `code`, `message` and `event`.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "camelCase")]
pub struct ErrorFields {
    /// The interview that was meant, if one was named.
    pub interview_id: String,
    /// The version of the document that is kept: with `VERSION_CONFLICT`.
    pub version: u64,
}

/// `interview-completed`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterviewCompleted {
    pub summary: Summary,
    pub timestamp: Moment,
}

/// What is thought of a whole interview. Nulls and empty lists: it was not evaluated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// From 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    pub overall_score: Option<f64>,
    pub recommendation: Option<Recommendation>,
    pub strengths: Vec<String>,
    pub weaknesses: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recommendation {
    StrongHire,
    Hire,
    NoHire,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn moments_are_read_as_they_are_written() {
        for (ms, text) in [(0, "1970-01-01T00:00:00.000Z"), (1_769_851_800_250, "2026-01-31T09:30:00.250Z")] {
            assert_eq!(json!(Moment(ms)), json!(text));
            assert_eq!(serde_json::from_value::<Moment>(json!(text)).ok(), Some(Moment(ms)));
        }
    }

    #[test]
    fn an_interview_that_was_not_evaluated_has_nulls_and_empty_lists() {
        let unscored = json!({"overallScore": null, "recommendation": null, "strengths": [], "weaknesses": []});
        assert_eq!(json!(Summary::default()), unscored);
    }
}
