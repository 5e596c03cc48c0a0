//! What goes over the wire in a call, as types.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Moment;
use crate::features::interviews::rules::CallRole;

/// Characters of an identity.
pub const MAX_IDENTITY: usize = 128;
/// Characters of a message.
pub const MAX_TEXT: usize = 4000;
/// Bytes of the shared document, and of what it is as JSON: a quarter of a document may be line breaks and quotes.
pub const MAX_DOCUMENT: usize = 256 * 1024;
pub const MAX_DOCUMENT_JSON: usize = 2 * MAX_DOCUMENT;
/// Characters of a client's own id of a write.
pub const MAX_CLIENT_MESSAGE_ID: usize = 64;

// ── From clients. They are read field by field; these are their schemas. ──

/// A payload in a call: which one, and the fields of the event.
#[derive(JsonSchema)]
#[schemars(rename = "Call{T}", rename_all = "camelCase", description = "")]
pub struct InCall<T> {
    /// May be left out by a candidate, and by who is in one call only.
    #[schemars(extend("format" = "uuid"))]
    pub interview_id: Option<String>,
    #[schemars(length(max = MAX_CLIENT_MESSAGE_ID))]
    pub client_message_id: Option<String>,
    #[schemars(flatten)]
    pub fields: T,
}

/// `joinRoom`
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct JoinRoom {
    /// May be left out by a candidate.
    #[schemars(extend("format" = "uuid"))]
    pub interview_id: Option<String>,
    /// Without one: the token's. Required of a socket without a token.
    pub role: Option<CallRole>,
    /// Without one: the token's user. Required of a socket without a token.
    #[schemars(length(max = MAX_IDENTITY))]
    pub identity: Option<String>,
}

/// `leaveRoom`
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct LeaveRoom {
    /// Without one: all calls.
    #[schemars(extend("format" = "uuid"))]
    pub interview_id: Option<String>,
}

/// `chat:message`
#[derive(JsonSchema)]
#[schemars(rename = "Say")]
pub struct Say {
    #[schemars(length(min = 1, max = MAX_TEXT))]
    pub text: String,
}

/// `editor:update`
#[derive(JsonSchema)]
#[schemars(rename = "Edit")]
pub struct Edit {
    /// The whole document.
    #[schemars(length(max = MAX_DOCUMENT))]
    pub update: String,
    /// The version that is kept and one more.
    pub version: u64,
}

/// `screen:share`
#[derive(JsonSchema)]
#[schemars(rename = "Share")]
pub struct Share {
    pub active: bool,
}

// ── To clients ──

/// One socket in a call.
#[derive(JsonSchema)]
#[schemars(rename = "CallMember", rename_all = "camelCase")]
pub struct Member {
    pub socket_id: String,
    pub identity: String,
    pub role: CallRole,
}

/// `call:ready`
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct CallReady {
    pub interview_id: String,
}

/// `offer`, `answer`, `iceCandidate`, `signal`
#[derive(JsonSchema)]
#[schemars(rename = "CallSignalled", rename_all = "camelCase")]
pub struct Signalled {
    /// The sender's.
    pub socket_id: String,
    /// As it was sent, binary data included.
    pub payload: Value,
}

/// `chat:message`, and a message in the acknowledgement of `chat:history`.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct ChatMessage {
    pub interview_id: String,
    pub message_id: String,
    pub client_message_id: Option<String>,
    pub socket_id: Option<String>,
    pub identity: String,
    pub role: CallRole,
    pub text: String,
    pub timestamp: Moment,
}

/// `editor:update`
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct EditorUpdate {
    /// Of the socket that wrote this version.
    pub socket_id: String,
    /// The whole document.
    pub update: String,
    pub version: u64,
}

/// `screen:share`
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScreenShare<'a> {
    pub socket_id: &'a str,
    pub identity: &'a str,
    pub active: bool,
}

// ── Acknowledgements, beside `ok` ──

/// `joinRoom`
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "JoinRoom")]
pub struct Joined<'a> {
    pub interview_id: String,
    pub socket_id: &'a str,
    #[schemars(with = "CallRole")]
    pub role: &'a str,
    pub identity: &'a str,
}

/// `leaveRoom`
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "LeaveRoom")]
pub struct Left {
    /// True: it was in no such call.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
}

/// `chat:message`
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ChatMessage")]
pub struct Said {
    pub message_id: String,
    #[schemars(with = "Moment")]
    pub timestamp: String,
    /// True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// `editor:update`
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "EditorUpdate")]
pub struct Edited {
    pub version: u64,
    /// True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// `editor:update`, refused: another version is kept than the sender knew.
#[derive(JsonSchema)]
#[schemars(rename = "EditorConflict", rename_all = "camelCase")]
pub struct Conflict {
    #[schemars(extend("const" = false))]
    pub ok: bool,
    #[schemars(extend("const" = "VERSION_CONFLICT"))]
    pub code: String,
    pub message: String,
    /// Of the socket that wrote the version that is kept; null: none was written.
    pub socket_id: Option<String>,
    pub update: Option<String>,
    /// The version that is kept.
    pub version: u64,
}

/// `screen:share`
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "ScreenShare")]
pub struct Shared {
    /// True: nothing has changed, and nobody was told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
    /// True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}
