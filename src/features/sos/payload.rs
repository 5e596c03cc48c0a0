//! Reads the payloads of clients' events ([`incoming`](super::wire::incoming)), with the exact code of what is wrong.
//! Contract § 3. Pure.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::core::ids::is_scope_id;
use crate::features::sos::scripts::location::Fix;
use crate::socketio::{Code, EventError};

use super::wire::incoming::{About, Close, LocationBatch, LocationUpdate, Raw, SendMessage, StatusUpdate};

use super::error::{INVALID_LOCATION, INVALID_MESSAGE, INVALID_SOS_ID, INVALID_STATUS};
use super::{rules, time};
use crate::protocol::fields::{Bad, Fields, MAX_SAFE, is_sound};

/// Characters of a message.
pub const MAX_TEXT: usize = 4000;
/// Characters of a note or a reason.
pub const MAX_NOTE: usize = 1000;
/// Characters of what an incident is: its type, its number.
pub const MAX_KIND: usize = 128;
/// Characters of each field of an address, or of one that is a text.
pub const MAX_ADDRESS: usize = 200;
/// Bytes of an address as JSON, whatever fields it has.
const MAX_ADDRESS_JSON: usize = 4096;
/// Characters of a client's own id of a write.
pub const MAX_CLIENT_MESSAGE_ID: usize = 64;
/// Bytes of one position, as JSON.
pub const MAX_FIX: usize = 16_384;
/// Points of one `location:batch`.
pub const MAX_POINTS: usize = 500;

/// What is wrong with an id that no SOS can have.
pub const NO_SOS_ID: &str = "must have 1–128 of A–Z, a–z, 0–9, _, . and -, and not be . or ..";

/// The points of a `location:batch`, each judged alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Points {
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
pub fn about(fields: &Fields<'_>, default: Option<&str>) -> Result<About, EventError> {
    let invalid = refuse(INVALID_SOS_ID);
    let given = fields.name("sosId", 128).map_err(&invalid)?;
    let sos = given.as_deref().or(default).ok_or_else(|| invalid(Bad::new("sosId", "is required")))?;
    if !is_scope_id(sos) {
        return Err(invalid(Bad::new("sosId", NO_SOS_ID)));
    }
    let client_message_id = fields.text("clientMessageId", MAX_CLIENT_MESSAGE_ID);
    let client_message_id = client_message_id.map_err(|bad| refuse(Code::INVALID_PAYLOAD)(bad).with("sosId", sos))?;
    Ok(About { sos_id: sos.to_owned(), client_message_id: client_message_id.map(Into::into) })
}

pub fn close(fields: &Fields<'_>) -> Result<Close, EventError> {
    Ok(Close { reason: note(fields, "reason")? })
}

pub fn status_update(fields: &Fields<'_>) -> Result<StatusUpdate, EventError> {
    let invalid = refuse(INVALID_STATUS);
    let text = fields.text("status", 64).map_err(&invalid)?;
    let text = text.ok_or_else(|| invalid(Bad::new("status", "is required")))?;
    let status = rules::status(&text).ok_or_else(|| invalid(Bad::new("status", "is not a known status")))?;
    Ok(StatusUpdate { status, note: note(fields, "note")? })
}

/// A `note` or a `reason`.
fn note(fields: &Fields<'_>, field: &'static str) -> Result<Option<String>, EventError> {
    let note = fields.text(field, MAX_NOTE).map_err(refuse(Code::INVALID_PAYLOAD))?;
    Ok(note.map(Into::into))
}

/// A text of 1–4000 characters that are not all white space.
pub fn message(fields: &Fields<'_>) -> Result<SendMessage, EventError> {
    let invalid = refuse(INVALID_MESSAGE);
    let text = fields.text("text", MAX_TEXT).map_err(&invalid)?.unwrap_or_default();
    if text.trim().is_empty() {
        return Err(invalid(Bad::new("text", "is required")));
    }
    Ok(SendMessage { text: text.into_owned() })
}

pub fn location<'a>(fields: &Fields<'a>) -> Result<LocationUpdate<'a>, EventError> {
    position(fields).map_err(refuse(INVALID_LOCATION))
}

pub fn batch<'a>(fields: &Fields<'a>) -> Result<LocationBatch<'a>, EventError> {
    let invalid = refuse(Code::INVALID_PAYLOAD);
    let raw = fields.raw("points").ok_or_else(|| invalid(Bad::new("points", "is required")))?;
    let points: Vec<&RawValue> = serde_json::from_str(raw).map_err(|_| invalid(Bad::new("points", "must be an array")))?;
    if points.len() > MAX_POINTS {
        return Err(invalid(Bad::new("points", format!("must have at most {MAX_POINTS} elements"))));
    }
    Ok(LocationBatch { points })
}

/// Good points are kept though others fail; a point needs a `timestamp`.
pub fn points(batch: &LocationBatch<'_>) -> Points {
    let mut points = Points { fixes: Vec::with_capacity(batch.points.len()), rejected: Vec::new() };
    for (index, point) in batch.points.iter().enumerate() {
        let at = Fields::parse(point.get()).and_then(|fields| position(&fields).ok()).filter(|at| at.timestamp.is_some());
        match at {
            Some(at) => points.fixes.push(Fix::from(&at)),
            None => points.rejected.push(index),
        }
    }
    points
}

/// One position. Latitude and longitude are required, and 0 is a value like any other.
pub fn position<'a>(fields: &Fields<'a>) -> Result<LocationUpdate<'a>, Bad> {
    let number = |field, least, most| fields.number(field, least, most).map(|number| number.map(Raw));
    let required = |field, number: Option<Raw<'a>>| number.ok_or_else(|| Bad::new(field, "is required"));
    Ok(LocationUpdate {
        latitude: required("latitude", number("latitude", -90.0, 90.0)?)?,
        longitude: required("longitude", number("longitude", -180.0, 180.0)?)?,
        accuracy: number("accuracy", 0.0, 1e9)?,
        heading: known(number("heading", -1.0, 360.0)?, "heading")?,
        speed: known(number("speed", -1.0, 1e6)?, "speed")?,
        altitude: number("altitude", -1e7, 1e9)?,
        device_id: fields.text("deviceId", 128)?,
        address: address(fields)?,
        timestamp: fix_time(fields)?,
    })
}

impl From<&LocationUpdate<'_>> for Fix {
    fn from(at: &LocationUpdate<'_>) -> Self {
        let or_null = |number: Option<Raw<'_>>| number.map_or("null", |Raw(text)| text).to_owned();
        let device = at.device_id.as_deref();
        let fields = format!(
            r#""latitude":{},"longitude":{},"accuracy":{},"heading":{},"speed":{},"altitude":{},"deviceId":{}"#,
            at.latitude.0,
            at.longitude.0,
            or_null(at.accuracy),
            or_null(at.heading),
            or_null(at.speed),
            or_null(at.altitude),
            Value::from(device),
        );
        Self {
            fields,
            latitude: at.latitude.0.to_owned(),
            longitude: at.longitude.0.to_owned(),
            device: device.unwrap_or_default().to_owned(),
            time: at.timestamp,
            address: at.address.map(|Raw(text)| text.to_owned()),
        }
    }
}

/// Milliseconds, seconds (a number below 10¹¹) or ISO 8601, as milliseconds since 1970; fractions of them are cut off.
fn fix_time(fields: &Fields<'_>) -> Result<Option<u64>, Bad> {
    let not_a_time = || Bad::new("timestamp", "must be a time");
    if fields.raw("timestamp").is_some_and(|raw| raw.starts_with('"')) {
        let text = fields.text("timestamp", 64)?;
        return text.map(|text| time::iso(&text).ok_or_else(not_a_time)).transpose();
    }
    let Some(raw) = fields.number("timestamp", 0.0, MAX_SAFE as f64)? else { return Ok(None) };
    let number: f64 = raw.parse().map_err(|_| not_a_time())?;
    Ok(Some(if number < 1e11 { number * 1000.0 } else { number } as u64))
}

/// The field `address`: a text, or an object whose fields are texts or null; as the client wrote it.
pub fn address<'a>(fields: &Fields<'a>) -> Result<Option<Raw<'a>>, Bad> {
    let Some(raw) = fields.raw("address") else { return Ok(None) };
    let fits = |text: &str| text.chars().count() <= MAX_ADDRESS;
    let too_long = || Bad::new("address", format!("must have at most {MAX_ADDRESS} characters in each field"));
    if raw.len() > MAX_ADDRESS_JSON {
        return Err(Bad::new(
            "address",
            format!("must have at most {MAX_ADDRESS_JSON} bytes, and {MAX_ADDRESS} characters in each field"),
        ));
    }
    if !is_sound(raw) {
        return Err(Bad::new("address", "breaks a rule that all clients' values keep"));
    }
    match serde_json::from_str::<Value>(raw) {
        Ok(Value::String(text)) if text.is_empty() => Ok(None),
        Ok(Value::String(text)) => {
            if fits(&text) {
                Ok(Some(Raw(raw)))
            } else {
                Err(too_long())
            }
        }
        Ok(Value::Object(fields)) if fields.values().all(|value| value.is_string() || value.is_null()) => {
            let all_fit = fields.values().filter_map(Value::as_str).all(fits);
            if all_fit { Ok(Some(Raw(raw))) } else { Err(too_long()) }
        }
        _ => Err(Bad::new("address", "must be an object of strings, or a string")),
    }
}

/// A short text such as an incident's type or number, as JSON.
pub fn kind(fields: &Fields<'_>, field: &'static str) -> Result<Option<String>, Bad> {
    Ok(fields.text(field, MAX_KIND)?.map(|text| Value::from(text).to_string()))
}

/// iOS says -1 where it does not know heading or speed; any other negative number is a mistake.
fn known<'a>(number: Option<Raw<'a>>, field: &'static str) -> Result<Option<Raw<'a>>, Bad> {
    let value = number.and_then(|Raw(text)| text.parse::<f64>().ok());
    match value {
        Some(-1.0) => Ok(None),
        Some(value) if value < 0.0 => Err(Bad::new(field, "must be -1 (unknown) or from 0")),
        _ => Ok(number),
    }
}

#[cfg(test)]
#[path = "tests/payload.rs"]
mod tests;
