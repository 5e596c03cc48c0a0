//! What the internal API answers, as schemas of what the routes put together from JSON texts.
#![allow(dead_code)]

use schemars::JsonSchema;
use serde_json::Number;

use crate::features::sos::rules::Role;
use crate::features::sos::wire::State;
use crate::protocol::schema::yes;
use crate::rooms::audit::AuditEntry;

/// A success.
#[derive(JsonSchema)]
#[schemars(rename = "{T}Data")]
pub struct Data<T> {
    #[schemars(schema_with = "yes")]
    success: bool,
    data: T,
}

#[derive(JsonSchema)]
#[schemars(rename = "SosClosing")]
pub struct Closed {
    #[schemars(schema_with = "yes")]
    success: bool,
    message: String,
}

/// A page of incidents.
#[derive(JsonSchema)]
#[schemars(rename = "SosList")]
pub struct List {
    items: Vec<State<'static>>,
    next: Option<String>,
}

/// A page of a track.
#[derive(JsonSchema)]
#[schemars(rename = "SosTrack")]
pub struct TrackPage {
    points: Vec<TrackPoint>,
    next: Option<u64>,
}

/// Where a participant was.
#[derive(JsonSchema)]
#[schemars(rename = "SosTrackPoint", rename_all = "camelCase")]
pub struct TrackPoint {
    user_id: String,
    role: Role,
    latitude: Number,
    longitude: Number,
    accuracy: Option<Number>,
    heading: Option<Number>,
    speed: Option<Number>,
    altitude: Option<Number>,
    device_id: Option<String>,
    /// When the device was there.
    fix_time: u64,
    /// When it was broadcast.
    timestamp: u64,
}

/// A page of an audit trail.
#[derive(JsonSchema)]
#[schemars(rename = "SosTrail")]
pub struct Trail {
    events: Vec<AuditEntry>,
    next: Option<String>,
}

/// A user's rights.
#[derive(JsonSchema)]
#[schemars(rename = "SosAdmission", rename_all = "camelCase")]
pub struct Admitted {
    sos_id: String,
    user_id: String,
    role: Role,
}

/// A user without rights.
#[derive(JsonSchema)]
#[schemars(rename = "SosRemoval", rename_all = "camelCase")]
pub struct Removed {
    sos_id: String,
    user_id: String,
}
