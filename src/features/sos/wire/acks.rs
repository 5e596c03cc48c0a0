//! What is acknowledged when an event is accepted, beside `ok`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{State, Status};

/// No more than `ok`.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "Plain")]
pub struct Plain {}

/// What every write may be acknowledged with.
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
pub struct Marks {
    /// True: nothing has changed, and nobody was told.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unchanged: bool,
    /// True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// `sos:init`
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SosInit")]
pub struct Init {
    pub data: State<'static>,
}

/// `sos:leave`
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SosLeave")]
pub struct Left {
    #[serde(flatten)]
    pub marks: Marks,
}

/// `sos:close`
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SosClose")]
pub struct Close {
    #[schemars(with = "Status")]
    pub status: String,
    #[serde(flatten)]
    pub marks: Marks,
}

/// `sos:status:update`
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SosStatusUpdate")]
pub struct StatusUpdate {
    #[schemars(with = "Status")]
    pub status: String,
    #[schemars(with = "Status")]
    pub old_status: String,
    #[serde(flatten)]
    pub marks: Marks,
}

/// `sos:ack`
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SosAcknowledge")]
pub struct Acknowledge {
    /// Who was first.
    pub acknowledged_by: String,
    pub acknowledged_at: u64,
    #[serde(flatten)]
    pub marks: Marks,
}

/// `sos:watch`
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SosWatch")]
pub struct Watch {
    /// All that are not over, newest first.
    pub active: Vec<State<'static>>,
    /// True: there are more than the answer has room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
}

/// `location:update`
#[derive(Clone, Copy, Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "SosLocationUpdate")]
pub struct Located {
    /// True: kept; the room gets it when the present second ends, unless a newer one comes before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub coalesced: bool,
    /// True: kept, and not shown, since a newer one of the same device is known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub old: bool,
    /// True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// `location:batch`
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SosLocationBatch")]
pub struct Batch {
    /// Points that were new.
    pub accepted: u32,
    /// Points that were known already.
    pub duplicates: u32,
    pub rejected: Vec<Rejected>,
    /// True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// A point of a batch that was not taken.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SosRejectedPoint")]
pub struct Rejected {
    /// Its place in `points`, from 0.
    pub index: usize,
    #[schemars(extend("const" = "INVALID_LOCATION"))]
    pub code: &'static str,
}

/// `message:send`
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SosSendMessage")]
pub struct Sent {
    pub message_id: String,
    pub timestamp: u64,
    /// True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}

/// `offer`, `answer`, `iceCandidate`, `signal`
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SosSignal")]
pub struct Signalled {
    /// True: it repeats an earlier event with the same `clientMessageId`, and this is the first answer.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
}
