//! The payloads of clients' events as typed commands, with the exact code of what is wrong. Contract § 3. Pure.

use crate::ids::{StreamId, is_scope_id};
use crate::redis::scripts::location::Fix;
use crate::socketio::{Code, EventError};

use super::error::{INVALID_LOCATION, INVALID_MESSAGE, INVALID_SOS_ID, INVALID_STATUS};
use super::fields::{Bad, Fields, MAX_SAFE};
use super::{rules, time};

/// Characters of a message.
pub const MAX_TEXT: usize = 4000;
/// Characters of a note or a reason.
pub const MAX_NOTE: usize = 1000;
/// Bytes of an address as JSON.
pub const MAX_ADDRESS: usize = 4096;
/// Characters of a client's own id of a write.
pub const MAX_CLIENT_MESSAGE_ID: usize = 64;
/// Bytes of one position with all that belongs to it.
pub const MAX_FIX: usize = 16_384;
/// Points of one `location:batch`.
pub const MAX_POINTS: usize = 500;
/// Messages of one page of history: the most, and those nobody asked for.
pub const MAX_HISTORY: u64 = 100;
const HISTORY: u64 = 50;

/// What every payload may carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Common {
    /// The SOS that is meant.
    pub sos: String,
    /// Empty: none.
    pub client_message_id: String,
}

/// `sos:status:update`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusUpdate {
    /// Lower case.
    pub status: &'static str,
    pub note: Option<String>,
}

/// `message:history`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    pub before: Option<StreamId>,
    pub limit: u32,
}

/// `location:batch`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub fixes: Vec<Fix>,
    /// The indices of the points that are none.
    pub rejected: Vec<usize>,
}

fn refuse(code: Code) -> impl Fn(Bad) -> EventError {
    move |bad| EventError::new(code, format!("{} {}", bad.field, bad.why))
}

/// The payload as fields.
pub fn fields(json: &str) -> Result<Fields<'_>, EventError> {
    Fields::parse(json).ok_or_else(|| EventError::new(Code::INVALID_PAYLOAD, "the payload must be an object"))
}

/// Which SOS is meant (`default`: the only one that the token names), and the client's id of the write.
pub fn common(fields: &Fields<'_>, default: Option<&str>) -> Result<Common, EventError> {
    let invalid = refuse(INVALID_SOS_ID);
    let given = fields.text("sosId", 128).map_err(&invalid)?;
    let sos = given.as_deref().or(default).ok_or_else(|| invalid(Bad { field: "sosId", why: "is required" }))?;
    if !is_scope_id(sos) {
        return Err(invalid(Bad { field: "sosId", why: "must match [A-Za-z0-9_.-]{1,128}" }));
    }
    let client_message_id = fields.text("clientMessageId", MAX_CLIENT_MESSAGE_ID).map_err(refuse(Code::INVALID_PAYLOAD))?;
    Ok(Common { sos: sos.to_owned(), client_message_id: client_message_id.unwrap_or_default().into_owned() })
}

/// `{status, note?}`
pub fn status_update(fields: &Fields<'_>) -> Result<StatusUpdate, EventError> {
    let invalid = refuse(INVALID_STATUS);
    let text = fields.text("status", 64).map_err(&invalid)?;
    let text = text.ok_or_else(|| invalid(Bad { field: "status", why: "is required" }))?;
    let status = rules::status(&text).ok_or_else(|| invalid(Bad { field: "status", why: "is not a known status" }))?;
    Ok(StatusUpdate { status, note: note(fields, "note")? })
}

/// A `note` or a `reason`.
pub fn note(fields: &Fields<'_>, field: &'static str) -> Result<Option<String>, EventError> {
    let note = fields.text(field, MAX_NOTE).map_err(refuse(Code::INVALID_PAYLOAD))?;
    Ok(note.map(Into::into))
}

/// `{text}`: 1–4000 characters that are not all white space.
pub fn message(fields: &Fields<'_>) -> Result<String, EventError> {
    let invalid = refuse(INVALID_MESSAGE);
    let text = fields.text("text", MAX_TEXT).map_err(&invalid)?.unwrap_or_default();
    if text.trim().is_empty() {
        return Err(invalid(Bad { field: "text", why: "is required" }));
    }
    Ok(text.into_owned())
}

/// `{before?, limit?}`; a limit above the most is the most.
pub fn history(fields: &Fields<'_>) -> Result<HistoryQuery, EventError> {
    let invalid = refuse(Code::INVALID_PAYLOAD);
    let before = fields.text("before", 64).map_err(&invalid)?;
    let before = before.map(|id| id.parse().map_err(|()| invalid(Bad { field: "before", why: "must be a messageId" })));
    let limit = fields.whole("limit").map_err(&invalid)?.unwrap_or(HISTORY);
    if limit == 0 {
        return Err(invalid(Bad { field: "limit", why: "must be at least 1" }));
    }
    Ok(HistoryQuery { before: before.transpose()?, limit: limit.min(MAX_HISTORY) as u32 })
}

/// The fields of a `location:update`.
pub fn location(fields: &Fields<'_>) -> Result<Fix, EventError> {
    fix(fields).map_err(refuse(INVALID_LOCATION))
}

/// `{points}`. Good points are kept though others fail; a point needs a `timestamp`.
pub fn batch(fields: &Fields<'_>) -> Result<Batch, EventError> {
    let invalid = refuse(Code::INVALID_PAYLOAD);
    let raw = fields.raw("points").ok_or_else(|| invalid(Bad { field: "points", why: "is required" }))?;
    let points: Vec<&serde_json::value::RawValue> =
        serde_json::from_str(raw).map_err(|_| invalid(Bad { field: "points", why: "must be an array" }))?;
    if points.len() > MAX_POINTS {
        return Err(invalid(Bad { field: "points", why: "has more than 500 elements" }));
    }
    let mut batch = Batch { fixes: Vec::with_capacity(points.len()), rejected: Vec::new() };
    for (index, point) in points.into_iter().enumerate() {
        let fix = Fields::parse(point.get()).and_then(|fields| fix(&fields).ok()).filter(|fix| fix.time.is_some());
        match fix {
            Some(fix) => batch.fixes.push(fix),
            None => batch.rejected.push(index),
        }
    }
    Ok(batch)
}

/// One position. Latitude and longitude are required, and 0 is a value like any other.
pub fn fix(fields: &Fields<'_>) -> Result<Fix, Bad> {
    let required = |field, number: Option<&str>| number.map(str::to_owned).ok_or(Bad { field, why: "is required" });
    let latitude = required("latitude", fields.number("latitude", -90.0, 90.0)?)?;
    let longitude = required("longitude", fields.number("longitude", -180.0, 180.0)?)?;
    let accuracy = fields.number("accuracy", 0.0, 1e9)?;
    let heading = known(fields.number("heading", -1.0, 360.0)?, "heading")?;
    let speed = known(fields.number("speed", -1.0, 1e6)?, "speed")?;
    let altitude = fields.number("altitude", -1e7, 1e9)?;
    let device = fields.text("deviceId", 128)?.unwrap_or_default();
    let address = fields.value("address", MAX_ADDRESS)?;
    let time = fix_time(fields)?;
    let or_null = |value: Option<&'_ str>| value.unwrap_or("null").to_owned();
    let device_json = if device.is_empty() { "null".into() } else { serde_json::Value::from(&*device).to_string() };
    let fields = format!(
        r#""latitude":{latitude},"longitude":{longitude},"accuracy":{},"heading":{},"speed":{},"altitude":{},"deviceId":{device_json}"#,
        or_null(accuracy),
        or_null(heading),
        or_null(speed),
        or_null(altitude),
    );
    Ok(Fix { fields, latitude, longitude, device: device.into_owned(), time, address: address.map(str::to_owned) })
}

/// Milliseconds, seconds (a number below 10¹¹) or ISO 8601, as milliseconds since 1970; fractions of them are cut off.
fn fix_time(fields: &Fields<'_>) -> Result<Option<u64>, Bad> {
    if fields.raw("timestamp").is_some_and(|raw| raw.starts_with('"')) {
        let text = fields.text("timestamp", 64)?;
        return text.map(|text| time::iso(&text).ok_or(Bad { field: "timestamp", why: "must be a time" })).transpose();
    }
    let Some(raw) = fields.number("timestamp", 0.0, MAX_SAFE as f64)? else { return Ok(None) };
    let number: f64 = raw.parse().map_err(|_| Bad { field: "timestamp", why: "must be a time" })?;
    Ok(Some(if number < 1e11 { number * 1000.0 } else { number } as u64))
}

/// iOS says -1 where it does not know heading or speed; any other negative number is a mistake.
fn known<'a>(number: Option<&'a str>, field: &'static str) -> Result<Option<&'a str>, Bad> {
    let value = number.and_then(|number| number.parse::<f64>().ok());
    match value {
        Some(-1.0) => Ok(None),
        Some(value) if value < 0.0 => Err(Bad { field, why: "is out of range" }),
        _ => Ok(number),
    }
}

#[cfg(test)]
#[path = "tests/payload.rs"]
mod tests;
