//! The bodies and queries of the internal API, validated. Contract § 3 "Internal API". Pure.

use crate::ids::{StreamId, is_scope_id, is_user_id};
use crate::redis::scripts::location::Fix;

use super::fields::{Bad, Fields};
use super::payload::{self, MAX_ADDRESS, MAX_CLIENT_MESSAGE_ID, MAX_NOTE, MAX_TEXT};
use super::rules::{self, Role};

/// Everything that is wrong with a request, one entry a field.
pub type Faults = Vec<Bad>;

/// `POST /internal/realtime/sos/init`
#[derive(Clone, Debug, PartialEq)]
pub struct NewSos {
    pub sos_id: String,
    pub citizen_id: String,
    pub location: Option<Fix>,
    /// Raw JSON.
    pub address: Option<String>,
    /// Raw JSON.
    pub kind: Option<String>,
    /// Raw JSON.
    pub so_no: Option<String>,
}

/// `POST …/:sosId/close`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    pub closed_by: String,
    pub reason: Option<String>,
}

/// `POST …/:sosId/status`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// Lower case.
    pub status: &'static str,
    pub updated_by: String,
    pub old_status: Option<&'static str>,
    /// False: the table and `old_status` are enforced.
    pub force: bool,
}

/// `POST …/:sosId/messages`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    pub text: String,
    pub user_id: Option<String>,
    /// Lower case; `system` by default.
    pub role: &'static str,
    pub client_message_id: Option<String>,
}

/// `POST …/:sosId/members`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    pub user_id: String,
    pub role: Role,
}

/// `GET …/:sosId/track`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackQuery {
    pub user_id: Option<String>,
    /// ms since 1970, inclusive.
    pub from: u64,
    /// ms since 1970, inclusive.
    pub to: Option<u64>,
    /// 1–10,000.
    pub limit: u32,
}

/// `GET …/:sosId/events`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventsQuery {
    pub after: Option<StreamId>,
    /// 1–1,000.
    pub limit: u32,
}

/// `GET /internal/realtime/sos`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    pub status: Option<&'static str>,
    /// Ids after this one.
    pub after: Option<String>,
    /// 1–1,000.
    pub limit: u32,
}

/// Collects faults, so that all are told at once.
struct Form<'a> {
    fields: Fields<'a>,
    faults: Faults,
}

impl<'a> Form<'a> {
    fn open(json: &'a str) -> Result<Self, Faults> {
        let fields = Fields::parse(json).ok_or_else(|| vec![Bad { field: "body", why: "must be a JSON object" }])?;
        Ok(Self { fields, faults: Vec::new() })
    }

    fn take<T: Default>(&mut self, result: Result<T, Bad>) -> T {
        result.unwrap_or_else(|bad| {
            self.faults.push(bad);
            T::default()
        })
    }

    fn text(&mut self, field: &'static str, max: usize) -> Option<String> {
        let text = self.fields.text(field, max).map(|text| text.map(Into::into));
        self.take(text)
    }

    /// A required text; the faults hold it if it is missing.
    fn required(&mut self, field: &'static str, max: usize) -> String {
        let before = self.faults.len();
        let text = self.text(field, max);
        if text.is_none() && self.faults.len() == before {
            self.faults.push(Bad { field, why: "is required" });
        }
        text.unwrap_or_default()
    }

    fn value(&mut self, field: &'static str, max: usize) -> Option<String> {
        let value = self.fields.value(field, max).map(|raw| raw.map(Into::into));
        self.take(value)
    }

    fn fault(&mut self, field: &'static str, why: &'static str) {
        if !self.faults.iter().any(|bad| bad.field == field) {
            self.faults.push(Bad { field, why });
        }
    }

    fn close<T>(self, value: T) -> Result<T, Faults> {
        if self.faults.is_empty() { Ok(value) } else { Err(self.faults) }
    }
}

impl NewSos {
    /// Reads a body; unknown fields are ignored.
    pub fn parse(json: &str) -> Result<Self, Faults> {
        let mut form = Form::open(json)?;
        let sos_id = form.required("sosId", 128);
        if !sos_id.is_empty() && !is_scope_id(&sos_id) {
            form.fault("sosId", "must match [A-Za-z0-9_.-]{1,128}");
        }
        let citizen_id = form.required("citizenId", 128);
        let location = form.fields.object("location", payload::MAX_FIX);
        let location = form.take(location).and_then(|raw| {
            let fields = Fields::parse(raw)?;
            let fix = payload::fix(&fields).map(Some);
            form.take(fix)
        });
        let (address, kind, so_no) = (form.value("address", MAX_ADDRESS), form.value("type", 256), form.value("soNo", 256));
        form.close(Self { sos_id, citizen_id, location, address, kind, so_no })
    }
}

impl Closing {
    /// Reads a body; unknown fields are ignored.
    pub fn parse(json: &str) -> Result<Self, Faults> {
        let mut form = Form::open(json)?;
        let (closed_by, reason) = (form.required("closedBy", 128), form.text("reason", MAX_NOTE));
        form.close(Self { closed_by, reason })
    }
}

impl StatusChange {
    /// Reads a body; unknown fields are ignored.
    pub fn parse(json: &str) -> Result<Self, Faults> {
        let mut form = Form::open(json)?;
        let (status, updated_by) = (form.required("status", 64), form.required("updatedBy", 128));
        let old_status = form.text("oldStatus", 64);
        let force = form.fields.flag("force");
        let force = form.take(force).unwrap_or(true);
        let known = rules::status(&status);
        if known.is_none() {
            form.fault("status", "is not a known status");
        }
        let old_status = old_status.and_then(|old| {
            let known = rules::status(&old);
            if known.is_none() {
                form.fault("oldStatus", "is not a known status");
            }
            known
        });
        form.close(Self { status: known.unwrap_or_default(), updated_by, old_status, force })
    }
}

impl NewMessage {
    /// Reads a body; unknown fields are ignored.
    pub fn parse(json: &str) -> Result<Self, Faults> {
        let mut form = Form::open(json)?;
        let text = form.required("text", MAX_TEXT);
        if !text.is_empty() && text.trim().is_empty() {
            form.fault("text", "is required");
        }
        let (user_id, role) = (form.text("userId", 128), form.text("role", 32));
        let client_message_id = form.text("clientMessageId", MAX_CLIENT_MESSAGE_ID);
        let role = match role.as_deref() {
            None => "system",
            Some(role) if role.eq_ignore_ascii_case("system") => "system",
            Some(role) => role.parse().map(Role::as_str).unwrap_or_else(|()| {
                form.fault("role", "is not a known role");
                "system"
            }),
        };
        form.close(Self { text, user_id, role, client_message_id })
    }
}

impl Admission {
    /// Reads a body; unknown fields are ignored.
    pub fn parse(json: &str) -> Result<Self, Faults> {
        let mut form = Form::open(json)?;
        let (user_id, role) = (form.required("userId", 128), form.required("role", 32));
        let role = role.parse().unwrap_or_else(|()| {
            form.fault("role", "is not a known role");
            Role::Citizen
        });
        form.close(Self { user_id, role })
    }
}

/// One query parameter, decoded; `None` if it is missing or empty.
type Query<'a> = &'a dyn Fn(&str) -> Option<String>;

fn integer(query: Query<'_>, field: &'static str, faults: &mut Faults) -> Option<u64> {
    let text = query(field)?;
    let number = text.parse().ok();
    if number.is_none() {
        faults.push(Bad { field, why: "must be a whole number" });
    }
    number
}

fn limit(query: Query<'_>, default: u32, most: u32, faults: &mut Faults) -> u32 {
    match integer(query, "limit", faults) {
        Some(0) => {
            faults.push(Bad { field: "limit", why: "must be at least 1" });
            default
        }
        given => given.map_or(default, |limit| limit.min(most.into()) as u32),
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
            faults.push(Bad { field: "userId", why: "is too long" });
        }
        let from = integer(query, "from", &mut faults).unwrap_or(0);
        let to = integer(query, "to", &mut faults);
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
                faults.push(Bad { field: "after", why: "must be an id of this trail" });
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
                faults.push(Bad { field: "status", why: "is not a known status" });
            }
            status
        });
        let limit = limit(query, 100, 1000, &mut faults);
        settled(Self { status, after: query("after"), limit }, faults)
    }
}

#[cfg(test)]
#[path = "tests/requests.rs"]
mod tests;
