//! What clients send in the namespace `/interview`, as types; what belongs to the call is in [`call`](super::call).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::features::interviews::proctoring::{MAX_KIND, MAX_MESSAGE};
use crate::socketio::Recovering;

/// Bytes of what a client has understood of an answer.
pub const MAX_TRANSCRIPTION: usize = 64 * 1024;
pub const MAX_URL: usize = 2048;
pub const MAX_QUESTION_ID: usize = 128;

/// What a client sends with its CONNECT. `userType` is in the query: `candidate` or
/// `recruiter`; without it the token decides.
#[derive(JsonSchema)]
#[schemars(rename = "InterviewAuth", rename_all = "camelCase")]
pub struct Auth {
    /// A candidate's join token or invite, or the JWT of a recruiter, interviewer, observer or admin. It may come in the header
    /// `Authorization` instead.
    pub token: Option<String>,
    /// Who uses an invite; without it the interview's candidate.
    pub participant_id: Option<String>,
    #[schemars(flatten)]
    pub recovery: Recovering,
}

/// An empty object; it may be left out.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct Nothing {}

/// `audio-chunk`
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct AudioChunk {
    /// PCM, signed, 16 bits little-endian, 16 kHz, mono, up to 1000 ms; with or without a WAV header; as base64 or binary.
    #[schemars(schema_with = "base64_or_binary")]
    pub audio_data: String,
}

fn base64_or_binary(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"anyOf": [{"type": "string"}, {"type": "object", "x-binary": true}]})
}

/// An event that may be repeated with the client's own id of it. It is read in two steps; this is its schema.
#[derive(JsonSchema)]
#[schemars(rename = "{T}", rename_all = "camelCase", description = "")]
pub struct WithId<T> {
    #[schemars(flatten)]
    pub event: T,
    /// A repeat with the same one has no effect.
    #[schemars(length(max = 64))]
    pub client_message_id: Option<String>,
}

/// `join-interview`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinInterview {
    #[schemars(extend("format" = "uuid"))]
    pub interview_id: String,
}

/// `start-interview`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StartInterview {
    #[schemars(extend("format" = "uuid"))]
    pub session_id: String,
}

/// `response-complete`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResponseComplete {
    /// What the client has understood; it is scored unless it is empty.
    #[serde(default)]
    #[schemars(length(max = MAX_TRANSCRIPTION))]
    pub transcription: Option<String>,
    /// Where the client has stored the answer's audio.
    #[serde(default)]
    #[schemars(length(max = MAX_URL))]
    pub audio_url: Option<String>,
    /// Without it the question that was sent last is answered.
    #[serde(default)]
    #[schemars(length(max = MAX_QUESTION_ID))]
    pub question_id: Option<String>,
}

/// `proctor-event`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProctorEvent {
    /// `face-detection`, `tab-switch`, `fullscreen-exit` and `suspicious-activity` deduct trust; any other is kept.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = MAX_KIND))]
    pub kind: String,
    pub severity: Severity,
    #[serde(default)]
    pub data: Option<serde_json::Value>,
    #[serde(default)]
    #[schemars(length(max = MAX_MESSAGE))]
    pub message: Option<String>,
    /// A repeat with the same one has no effect.
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub client_message_id: Option<String>,
}

/// How grave what was noticed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// `observe-interview`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObserveInterview {
    #[schemars(extend("format" = "uuid"))]
    pub interview_id: String,
    /// The id of the last event that is known already.
    #[serde(default)]
    pub after: Option<String>,
}
