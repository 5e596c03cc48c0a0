//! What clients are sent, as types: what Rust builds is built from them, and what Lua builds is tested against them ([`check`]).
//! What they send is in [`incoming`], what is acknowledged in [`acks`]. Times are ms since 1970.

pub mod acks;
pub mod incoming;

use std::borrow::Cow;
use std::collections::HashMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use super::payload::MAX_ADDRESS;
use super::rules::{Role, STATUSES};
use crate::rooms::history::Kept;

/// `sos:init` to the room: a user has joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SosUserJoined")]
pub struct UserJoined {
    pub user_id: Option<String>,
    #[schemars(with = "Role")]
    pub role: String,
    pub sos_id: String,
    #[schemars(extend("const" = "user_joined"))]
    pub action: String,
    pub timestamp: u64,
}

/// `sos:status:broadcast`. `status` and `oldStatus` are the incident's; they are equal if only a responder's entry moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SosStatusChanged")]
pub struct StatusChanged {
    pub sos_id: String,
    #[schemars(with = "Status")]
    pub status: String,
    #[schemars(with = "Status")]
    pub old_status: String,
    pub updated_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub responder_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Status>")]
    pub responder_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    pub timestamp: u64,
}

/// `sos:close`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SosClosed")]
pub struct Closed {
    pub sos_id: String,
    #[schemars(with = "Status")]
    pub status: String,
    pub closed_by: Option<String>,
    pub reason: Option<String>,
    pub timestamp: u64,
}

/// `sos:expired`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SosExpired")]
pub struct Expired {
    pub sos_id: String,
    pub timestamp: u64,
}

/// `sos:acknowledged`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SosAcknowledged")]
pub struct Acknowledged {
    pub sos_id: String,
    pub user_id: Option<String>,
    #[schemars(with = "Option<Role>")]
    pub role: Option<String>,
    pub timestamp: u64,
}

/// `sos:unacknowledged`, to watchers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SosUnacknowledged")]
pub struct Unacknowledged {
    pub sos_id: String,
    #[schemars(with = "Status")]
    pub status: String,
    pub timestamp: u64,
}

/// `presence:update`: all `members`, or in a large room those who `joined` (or changed) and `left`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SosPresence")]
pub struct PresenceUpdate {
    pub sos_id: String,
    /// Users.
    pub count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member<'static>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joined: Option<Vec<Member<'static>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Vec<String>>,
}

/// A user in the room, or one whose connection was lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SosMember")]
pub struct Member<'a> {
    pub user_id: Cow<'a, str>,
    #[schemars(with = "Role")]
    pub role: Cow<'a, str>,
    pub online: bool,
    pub last_seen: u64,
    #[schemars(extend("description" = "Connections."))]
    pub sockets: u64,
}

/// `location:broadcast`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SosLocation")]
pub struct Located {
    pub sos_id: String,
    pub user_id: String,
    #[schemars(with = "Role")]
    pub role: String,
    pub latitude: Number,
    pub longitude: Number,
    pub accuracy: Option<Number>,
    pub heading: Option<Number>,
    pub speed: Option<Number>,
    pub altitude: Option<Number>,
    pub device_id: Option<String>,
    /// When the device was there.
    pub fix_time: u64,
    /// When it was broadcast.
    pub timestamp: u64,
}

/// `message:broadcast`, and a message in the ack of `message:history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SosMessage")]
pub struct Message {
    pub sos_id: String,
    pub message_id: String,
    pub client_message_id: Option<String>,
    pub user_id: Option<String>,
    #[schemars(extend("enum" = ["citizen", "rescuer", "dispatcher", "admin", "system"]))]
    pub role: String,
    pub text: String,
    /// ms since 1970.
    pub timestamp: u64,
}

impl Message {
    pub fn new(sos: &str, kept: &Kept) -> Self {
        Self {
            sos_id: sos.to_owned(),
            message_id: kept.message_id.clone(),
            client_message_id: kept.client_message_id.clone(),
            user_id: kept.user_id.clone(),
            role: kept.role.clone(),
            text: kept.text.clone(),
            timestamp: kept.timestamp,
        }
    }

    pub fn to_json(&self) -> String {
        json(self)
    }
}

/// Who sends a signal, as fields of its payload: `"socketId":…,"userId":…`.
pub fn signal_sender(sid: &str, user: &str) -> String {
    format!(r#""socketId":{},"userId":{}"#, Value::from(sid), Value::from(user))
}

/// The state of an SOS: `sos:state`, `sos:created`, the ack of `sos:init`, `data` of `GET …/state`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SosState")]
pub struct State<'a> {
    pub sos_id: &'a str,
    pub citizen_id: Option<&'a str>,
    #[schemars(with = "Status")]
    pub status: &'a str,
    #[serde(rename = "type")]
    #[schemars(with = "Option<String>")]
    pub kind: Option<Box<RawValue>>,
    #[schemars(with = "Option<String>")]
    pub so_no: Option<Box<RawValue>>,
    #[schemars(with = "Option<Address>")]
    pub address: Option<Box<RawValue>>,
    pub created_at: u64,
    pub updated_at: u64,
    pub last_location_update: Option<u64>,
    pub acknowledged_by: Option<&'a str>,
    pub acknowledged_at: Option<u64>,
    pub closed_at: Option<u64>,
    pub closed_by: Option<&'a str>,
    pub reason: Option<&'a str>,
    /// The SOS service has not been asked yet, or did not answer: what it knows of this SOS is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisional: Option<bool>,
    /// Something found no room in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
    #[schemars(with = "Vec<Responder>")]
    pub responders: Vec<Box<RawValue>>,
    /// The last known one of each participant.
    #[schemars(with = "Vec<LastLocation>")]
    pub locations: Vec<Box<RawValue>>,
    /// Who is in the room.
    #[schemars(with = "Vec<Member>")]
    pub members: Vec<Box<RawValue>>,
}

/// A rescuer's own entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SosResponder")]
pub struct Responder {
    pub user_id: String,
    #[schemars(with = "Status")]
    pub status: String,
    pub assigned_at: Option<u64>,
    pub acknowledged_at: Option<u64>,
    pub arrived_at: Option<u64>,
}

/// One of [`STATUSES`](super::rules::STATUSES), as the document of the events says it.
pub enum Status {}

impl JsonSchema for Status {
    fn schema_name() -> Cow<'static, str> {
        "SosStatus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": STATUSES})
    }
}

/// A text, or an object whose fields are texts or null, such as `{city, barangay}`.
#[derive(JsonSchema)]
#[schemars(untagged, rename = "SosAddress")]
pub enum Address {
    Text(#[schemars(length(max = MAX_ADDRESS))] String),
    Fields(HashMap<String, Option<AddressText>>),
}

/// A text of an address.
#[derive(JsonSchema)]
#[schemars(inline)]
pub struct AddressText(#[schemars(length(max = MAX_ADDRESS))] pub String);

/// The last known location of a participant.
#[derive(JsonSchema)]
#[schemars(rename = "SosLastLocation", rename_all = "camelCase")]
pub struct LastLocation {
    #[schemars(flatten)]
    pub located: Located,
    /// How long ago the device was there.
    pub age_ms: u64,
}

/// `offer`, `answer`, `iceCandidate`, `signal`
#[derive(JsonSchema)]
#[schemars(rename = "SosSignalled", rename_all = "camelCase")]
pub struct Signalled {
    /// The sender's socket.
    pub socket_id: String,
    pub user_id: String,
    /// As it was sent, binary data included.
    pub payload: Value,
}

/// `pong`: the payload of `ping`, and when it was answered.
#[derive(JsonSchema)]
#[schemars(rename = "SosPong", rename_all = "camelCase", extend("additionalProperties" = true))]
pub struct Pong {
    pub responded_at: u64,
}

/// What an `error` says beside `code`, `message` and `event`.
#[derive(JsonSchema)]
#[schemars(inline, rename_all = "camelCase")]
pub struct ErrorFields {
    /// The SOS that was meant, if one was named.
    pub sos_id: String,
}

/// `heartbeat:ack`
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[schemars(rename = "SosHeartbeat")]
pub struct HeartbeatAck {
    pub timestamp: u64,
}

/// Whether a payload is exactly what its event's type says: no field more, none less. Events without a type here pass.
pub fn check(event: &str, data: &Value) -> Result<(), String> {
    fn as_type<T: Serialize + DeserializeOwned>(data: &Value) -> Result<(), String> {
        let typed: T = serde_json::from_value(data.clone()).map_err(|error| format!("{error}: {data}"))?;
        let again = serde_json::to_value(typed).map_err(|error| error.to_string())?;
        if again == *data { Ok(()) } else { Err(format!("{data} should be {again}")) }
    }
    match event {
        "sos:init" => as_type::<UserJoined>(data),
        "sos:status:broadcast" => as_type::<StatusChanged>(data),
        "sos:close" => as_type::<Closed>(data),
        "sos:expired" => as_type::<Expired>(data),
        "sos:acknowledged" => as_type::<Acknowledged>(data),
        "sos:unacknowledged" => as_type::<Unacknowledged>(data),
        "presence:update" => as_type::<PresenceUpdate>(data),
        "location:broadcast" => as_type::<Located>(data),
        "message:broadcast" => as_type::<Message>(data),
        _ => Ok(()),
    }
}

/// Nothing that stands here could fail to be JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_payload_with_a_field_too_many_or_too_few_is_noticed() {
        let good = json!({"sosId": "s", "status": "closed", "closedBy": "u", "reason": null, "timestamp": 1});
        assert_eq!(check("sos:close", &good), Ok(()));
        let mut more = good.clone();
        more["x"] = 1.into();
        let mut less = good;
        less.as_object_mut().expect("an object").remove("reason");
        assert!(check("sos:close", &more).is_err() && check("sos:close", &less).is_err());
        assert_eq!(check("offer", &json!({"anything": 1})), Ok(()));
    }
}
