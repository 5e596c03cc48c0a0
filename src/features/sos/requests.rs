//! Reads the bodies and queries of the internal API ([`incoming`](super::wire::incoming)), and tells all that is wrong with them.
//! Contract § 3 "Internal API". Pure.

use crate::core::ids::{is_scope_id, is_user_id};

use super::payload::{self, MAX_CLIENT_MESSAGE_ID, MAX_KIND, MAX_NOTE, MAX_TEXT};
use super::rules::{self, Role};
pub use super::wire::incoming::{Admission, Closing, EventsQuery, ListQuery, NewMessage, NewSos, StatusChange, TrackQuery};
use crate::protocol::fields::{Bad, Fields, not_a_count};
use crate::protocol::form::{Form, read};

/// Everything that is wrong with a request, one entry a field.
pub type Faults = Vec<Bad>;

/// Reads a body; unknown fields are ignored.
fn form<T>(json: &str, parse: impl FnOnce(&Form<'_>) -> T) -> Result<T, Faults> {
    let fields = Fields::parse(json).ok_or_else(|| vec![Bad::new("body", "must be a JSON object")])?;
    read(fields, parse)
}

impl<'a> NewSos<'a> {
    pub fn parse(json: &'a str) -> Result<Self, Faults> {
        // A form does not lend what outlives it.
        let fields = Fields::parse(json).unwrap_or_default();
        form(json, |form| {
            let sos_id = form.required("sosId", 128);
            if !sos_id.is_empty() && !is_scope_id(&sos_id) {
                form.fault("sosId", payload::NO_SOS_ID);
            }
            let citizen_id = form.required("citizenId", 128);
            let location = form.take(fields.object("location", payload::MAX_FIX)).and_then(|raw| {
                let fields = Fields::parse(raw)?;
                form.take(payload::position(&fields).map(Some))
            });
            let address = form.take(payload::address(&fields));
            let (kind, so_no) = (form.text("type", MAX_KIND), form.text("soNo", MAX_KIND));
            Self { sos_id, citizen_id, location, address, kind, so_no }
        })
    }
}

impl Closing {
    pub fn parse(json: &str) -> Result<Self, Faults> {
        form(json, |form| Self { closed_by: form.required("closedBy", 128), reason: form.text("reason", MAX_NOTE) })
    }
}

impl StatusChange {
    pub fn parse(json: &str) -> Result<Self, Faults> {
        form(json, |form| {
            let (status, updated_by) = (form.required("status", 64), form.required("updatedBy", 128));
            let old_status = form.text("oldStatus", 64);
            let force = form.take(form.fields().flag("force")).unwrap_or(true);
            let known = |field, status: &str| {
                let known = rules::status(status);
                if known.is_none() {
                    form.fault(field, "is not a known status");
                }
                known
            };
            let status = known("status", &status).unwrap_or_default();
            let old_status = old_status.and_then(|old| known("oldStatus", &old));
            Self { status, updated_by, old_status, force }
        })
    }
}

impl NewMessage {
    pub fn parse(json: &str) -> Result<Self, Faults> {
        form(json, |form| {
            let text = form.required("text", MAX_TEXT);
            if text.trim().is_empty() {
                form.fault("text", "is required");
            }
            let (user_id, role) = (form.name("userId", 128), form.text("role", 32));
            let client_message_id = form.text("clientMessageId", MAX_CLIENT_MESSAGE_ID);
            let role = match role.as_deref() {
                None => "system",
                Some(role) if role.eq_ignore_ascii_case("system") => "system",
                Some(role) => role.parse().map(Role::as_str).unwrap_or_else(|()| {
                    form.fault("role", "is not a known role");
                    "system"
                }),
            };
            Self { text, user_id, role, client_message_id }
        })
    }
}

impl Admission {
    pub fn parse(json: &str) -> Result<Self, Faults> {
        form(json, |form| {
            let (user_id, role) = (form.required("userId", 128), form.required("role", 32));
            let role = role.parse().unwrap_or_else(|()| {
                form.fault("role", "is not a known role");
                Role::Citizen
            });
            Self { user_id, role }
        })
    }
}

/// One query parameter, decoded; `None` if it is missing.
type Query<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A whole number; one that is too large to count counts as the largest.
fn digits(text: &str) -> Option<u64> {
    let is_whole = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_whole.then(|| text.parse().unwrap_or(u64::MAX))
}

fn time(query: Query<'_>, field: &'static str, faults: &mut Faults) -> Option<u64> {
    let text = query(field)?;
    let time = digits(&text);
    if time.is_none() {
        faults.push(Bad::new(field, "must be whole milliseconds since 1970"));
    }
    time
}

fn limit(query: Query<'_>, default: u32, most: u32, faults: &mut Faults) -> u32 {
    let Some(text) = query("limit") else { return default };
    match digits(&text).filter(|limit| *limit > 0) {
        Some(limit) => limit.min(most.into()) as u32,
        None => {
            faults.push(not_a_count("limit", most.into()));
            default
        }
    }
}

fn settled<T>(value: T, faults: Faults) -> Result<T, Faults> {
    if faults.is_empty() { Ok(value) } else { Err(faults) }
}

impl TrackQuery {
    pub fn parse(query: Query<'_>) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let user_id = query("userId");
        if user_id.as_deref().is_some_and(|user| !is_user_id(user)) {
            faults.push(Bad::new("userId", "must have 1–128 characters"));
        }
        let from = time(query, "from", &mut faults).unwrap_or(0);
        let to = time(query, "to", &mut faults);
        let limit = limit(query, 1000, 10_000, &mut faults);
        settled(Self { user_id, from, to, limit }, faults)
    }
}

impl EventsQuery {
    pub fn parse(query: Query<'_>) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let after = query("after").and_then(|text| {
            let id = text.parse().ok();
            if id.is_none() {
                faults.push(Bad::new("after", "must be an id of this trail"));
            }
            id
        });
        let limit = limit(query, 100, 1000, &mut faults);
        settled(Self { after, limit }, faults)
    }
}

impl ListQuery {
    pub fn parse(query: Query<'_>) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let status = query("status").and_then(|text| {
            let status = rules::status(&text);
            if status.is_none() {
                faults.push(Bad::new("status", "is not a known status"));
            }
            status
        });
        let limit = limit(query, 100, 1000, &mut faults);
        let after = query("after");
        if after.as_deref().is_some_and(|after| !is_scope_id(after)) {
            faults.push(Bad::new("after", payload::NO_SOS_ID));
        }
        settled(Self { status, after, limit }, faults)
    }
}

#[cfg(test)]
#[path = "tests/requests.rs"]
mod tests;
