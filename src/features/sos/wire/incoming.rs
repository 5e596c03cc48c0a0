//! What clients and the SOS service send, as types: each payload, body and query is declared here once, by its names on the wire.
//! `payload` and `requests` read them, and say what is wrong with those that do not fit. Times are ms since 1970.
//!
//! `message:history` and the signals are the same in every room: `rooms::history::HistoryQuery`, `rooms::relay::Signal`.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::ser::Error;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::core::StreamId;
use crate::features::sos::payload::{MAX_CLIENT_MESSAGE_ID, MAX_KIND, MAX_NOTE, MAX_POINTS, MAX_TEXT};
use crate::features::sos::rules::Role;
use crate::features::sos::wire::{Address, Status};
use crate::protocol::schema::{NOT_BLANK, SCOPE_ID};
use crate::socketio::Recovering;

/// JSON text as its sender wrote it, so that no number loses precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(pub &'a str);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: &RawValue = serde_json::from_str(self.0).map_err(S::Error::custom)?;
        value.serialize(serializer)
    }
}

// ── Events ──

/// What every payload about an SOS has. It is all of `sos:init`, `sos:leave` and `sos:ack`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SosAbout")]
pub struct About {
    /// May be left out if the token names exactly one.
    #[schemars(with = "Option<String>", extend("pattern" = "^[A-Za-z0-9_.-]{1,128}$"))]
    pub sos_id: String,
    /// The client's own id of a write, by which a repeat is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = MAX_CLIENT_MESSAGE_ID))]
    pub client_message_id: Option<String>,
}

/// `sos:close`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Close")]
pub struct Close {
    #[schemars(length(max = MAX_NOTE))]
    pub reason: Option<String>,
}

/// `sos:status:update`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "StatusUpdate")]
pub struct StatusUpdate {
    /// Read in any case of letters.
    #[schemars(with = "Status")]
    pub status: &'static str,
    #[schemars(length(max = MAX_NOTE))]
    pub note: Option<String>,
}

/// `message:send`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SendMessage")]
pub struct SendMessage {
    #[schemars(length(min = 1, max = MAX_TEXT))]
    pub text: String,
}

/// `location:update`, a point of `location:batch`, and the `location` of a new SOS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LocationUpdate")]
pub struct LocationUpdate<'a> {
    #[schemars(with = "f64", range(min = -90, max = 90))]
    pub latitude: Raw<'a>,
    #[schemars(with = "f64", range(min = -180, max = 180))]
    pub longitude: Raw<'a>,
    #[schemars(with = "Option<f64>", range(min = 0, max = 1e9))]
    pub accuracy: Option<Raw<'a>>,
    /// `-1`: not known, like none.
    #[schemars(with = "Option<f64>", range(min = -1, max = 360))]
    pub heading: Option<Raw<'a>>,
    /// `-1`: not known, like none.
    #[schemars(with = "Option<f64>", range(min = -1, max = 1e6))]
    pub speed: Option<Raw<'a>>,
    #[schemars(with = "Option<f64>", range(min = -1e7, max = 1e9))]
    pub altitude: Option<Raw<'a>>,
    #[schemars(length(max = 128))]
    pub device_id: Option<Cow<'a, str>>,
    /// A text, or an object of texts.
    #[schemars(with = "Option<Address>")]
    pub address: Option<Raw<'a>>,
    /// Fix time: read as milliseconds, seconds (below 10¹¹) or ISO 8601.
    #[schemars(with = "Option<Time>")]
    pub timestamp: Option<u64>,
}

/// `location:batch`
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "LocationBatch")]
pub struct LocationBatch<'a> {
    /// Each a [`LocationUpdate`] with a `timestamp`; each is judged alone.
    #[schemars(with = "Vec<LocationUpdate<'static>>", length(max = MAX_POINTS))]
    pub points: Vec<&'a RawValue>,
}

/// A payload about an SOS: which one, and the fields of the event. It is read in two steps; this is its schema.
#[derive(JsonSchema)]
#[schemars(rename = "Sos{T}", description = "")]
pub struct InSos<T> {
    // The description of the first one counts.
    #[schemars(flatten)]
    pub fields: T,
    #[schemars(flatten)]
    pub about: About,
}

/// Nothing beside the SOS that is meant.
#[derive(JsonSchema)]
#[schemars(rename = "Reference")]
pub struct AboutOnly {}

/// An empty object; it may be left out.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct Nothing {}

/// A time: milliseconds since 1970, seconds (a number below 10¹¹), or ISO 8601.
#[derive(JsonSchema)]
#[schemars(untagged, rename = "SosTime")]
pub enum Time {
    Number(#[schemars(range(min = 0))] f64),
    Text(String),
}

/// What a client sends with its CONNECT.
#[derive(JsonSchema)]
#[schemars(rename = "SosAuth", rename_all = "camelCase")]
pub struct Auth {
    /// A JWT `{userId, role, sosId?, sosIds?, exp?}`.
    pub token: String,
    #[schemars(flatten)]
    pub recovery: Recovering,
}

// ── Bodies of the internal API ──

/// `POST /internal/realtime/sos/init`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NewSos", description = "A new incident.")]
pub struct NewSos<'a> {
    #[schemars(pattern(SCOPE_ID))]
    pub sos_id: String,
    #[schemars(length(min = 1, max = 128))]
    pub citizen_id: String,
    pub location: Option<LocationUpdate<'a>>,
    /// A text, or an object of texts.
    #[schemars(with = "Option<Address>")]
    pub address: Option<Raw<'a>>,
    #[serde(rename = "type")]
    #[schemars(length(max = MAX_KIND))]
    pub kind: Option<String>,
    #[schemars(length(max = MAX_KIND))]
    pub so_no: Option<String>,
}

/// `POST …/:sosId/close`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CloseSos", description = "Who closes an incident, and why.")]
pub struct Closing {
    #[schemars(length(min = 1, max = 128))]
    pub closed_by: String,
    #[schemars(length(max = MAX_NOTE))]
    pub reason: Option<String>,
}

/// `POST …/:sosId/status`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SetSosStatus", description = "A status that an incident is to have.")]
pub struct StatusChange {
    /// Read in any case of letters.
    #[schemars(with = "Status")]
    pub status: &'static str,
    #[schemars(length(min = 1, max = 128))]
    pub updated_by: String,
    #[schemars(with = "Option<Status>")]
    pub old_status: Option<&'static str>,
    /// True unless it says otherwise. False: the table and `oldStatus` are enforced.
    #[schemars(with = "Option<bool>", extend("default" = true))]
    pub force: bool,
}

/// `POST …/:sosId/messages`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NewSosMessage", description = "A message into an incident.")]
pub struct NewMessage {
    #[schemars(length(max = MAX_TEXT), pattern(NOT_BLANK))]
    pub text: String,
    #[schemars(length(min = 1, max = 128))]
    pub user_id: Option<String>,
    /// Read in any case of letters; `system` if it is left out.
    #[schemars(with = "Option<Author>")]
    pub role: &'static str,
    #[schemars(length(max = MAX_CLIENT_MESSAGE_ID))]
    pub client_message_id: Option<String>,
}

/// `POST …/:sosId/members`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "NewSosMember", description = "A user who gets rights on an incident.")]
pub struct Admission {
    #[schemars(length(min = 1, max = 128))]
    pub user_id: String,
    #[serde(serialize_with = "name")]
    pub role: Role,
}

// ── Queries of the internal API ──

/// `GET …/:sosId/track`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackQuery {
    #[schemars(length(min = 1, max = 128))]
    pub user_id: Option<String>,
    /// Inclusive; ms since 1970.
    #[schemars(with = "Option<u64>")]
    pub from: u64,
    /// Inclusive; ms since 1970.
    pub to: Option<u64>,
    /// More than 10,000 count as 10,000.
    #[schemars(with = "Option<u32>", range(min = 1), extend("default" = 1_000))]
    pub limit: u32,
}

/// `GET …/:sosId/events`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventsQuery {
    /// The id of an entry: those after it.
    #[serde(serialize_with = "id")]
    #[schemars(with = "Option<String>", pattern(r"^[0-9]{1,19}-[0-9]{1,19}$"))]
    pub after: Option<StreamId>,
    /// More than 1,000 count as 1,000.
    #[schemars(with = "Option<u32>", range(min = 1), extend("default" = 100))]
    pub limit: u32,
}

/// `GET /internal/realtime/sos`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListQuery {
    /// Read in any case of letters.
    #[schemars(with = "Option<Status>")]
    pub status: Option<&'static str>,
    /// Ids after this one.
    #[schemars(pattern(SCOPE_ID))]
    pub after: Option<String>,
    /// More than 1,000 count as 1,000.
    #[schemars(with = "Option<u32>", range(min = 1), extend("default" = 100))]
    pub limit: u32,
}

/// Whose message it is: a role, or the service itself.
#[derive(JsonSchema)]
#[schemars(rename = "SosAuthor", rename_all = "lowercase")]
pub enum Author {
    Citizen,
    Rescuer,
    Dispatcher,
    Admin,
    System,
}

fn name<S: Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(role.as_str())
}

fn id<S: Serializer>(id: &Option<StreamId>, serializer: S) -> Result<S::Ok, S::Error> {
    id.map(|id| id.to_string()).serialize(serializer)
}
