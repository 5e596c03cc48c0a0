//! What clients send in a call, as typed commands, and as what somebody may be in one. Pure.

use std::borrow::Cow;

use serde_json::Value;
use uuid::Uuid;

use crate::features::interviews::caller::{self, Seat, Who};
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::rules::{self, CallRole};
use crate::features::interviews::store::Interview;
use crate::features::interviews::uuid;
use crate::features::interviews::wire::call::{MAX_CLIENT_MESSAGE_ID, MAX_DOCUMENT, MAX_DOCUMENT_JSON, MAX_IDENTITY, MAX_TEXT};
use crate::protocol::fields::{Bad, Fields, MAX_SAFE};

type Read<T> = Result<T, InterviewError>;

fn invalid(bad: Bad) -> InterviewError {
    InterviewError::Invalid(format!("{} {}", bad.field, bad.why))
}

fn wrong(field: &'static str, why: impl Into<Cow<'static, str>>) -> InterviewError {
    invalid(Bad::new(field, why))
}

/// The payload as fields.
pub fn fields(json: &str) -> Read<Fields<'_>> {
    Fields::parse(json).ok_or_else(|| InterviewError::Invalid("the payload must be an object".into()))
}

/// The interview that is named, in whatever case of letters.
pub fn interview(fields: &Fields<'_>) -> Read<Option<Uuid>> {
    let Some(text) = fields.name("interviewId", 128).map_err(invalid)? else { return Ok(None) };
    uuid(&text).map(Some).ok_or(InterviewError::NotFound)
}

/// The client's id of the write; empty: none.
pub fn client_message_id<'a>(fields: &Fields<'a>) -> Read<Cow<'a, str>> {
    Ok(fields.text("clientMessageId", MAX_CLIENT_MESSAGE_ID).map_err(invalid)?.unwrap_or_default())
}

/// As what somebody asks to be in a call: `{role?, identity?}`.
#[derive(Debug, PartialEq, Eq)]
pub struct Wish<'a> {
    pub role: Option<CallRole>,
    pub identity: Option<Cow<'a, str>>,
}

impl<'a> Wish<'a> {
    pub fn read(fields: &Fields<'a>) -> Read<Self> {
        let role = fields.name("role", 32).map_err(invalid)?;
        let role = role.map(|role| CallRole::parse(&role).ok_or_else(|| wrong("role", "is none of a call"))).transpose()?;
        let identity = fields.name("identity", MAX_IDENTITY).map_err(invalid)?;
        if identity.as_ref().is_some_and(|identity| identity.chars().any(char::is_control)) {
            return Err(wrong("identity", "must have no control characters"));
        }
        Ok(Self { role, identity })
    }

    /// As what this caller is in the call of an interview.
    ///
    /// # Errors
    /// `FORBIDDEN` for a role that the token does not give, and for the id of another candidate.
    pub fn seat(&self, who: &Who, interview: &Interview) -> Read<Seat> {
        let given = self.identity.as_deref();
        let (role, identity) = match who {
            Who::Candidate(caller::Candidate { participant, .. }) => {
                let is_own = given.is_none_or(|given| names(given, participant));
                let role = self.role.unwrap_or(CallRole::Candidate);
                if role != CallRole::Candidate || !is_own {
                    return Err(InterviewError::Forbidden);
                }
                (role, given.unwrap_or(participant))
            }
            Who::Staff(recruiter) => {
                let role = self.role.unwrap_or(match CallRole::from(recruiter.role) {
                    CallRole::Observer => CallRole::Observer,
                    _ => CallRole::Interviewer,
                });
                let is_candidate = given.is_some_and(|given| names(given, &interview.candidate.id));
                if !rules::may_take(recruiter.role, role) || is_candidate {
                    return Err(InterviewError::Forbidden);
                }
                (role, given.unwrap_or(&recruiter.user_id))
            }
            Who::Open { .. } => {
                let role = self.role.ok_or_else(|| wrong("role", "is required"))?;
                (role, given.ok_or_else(|| wrong("identity", "is required"))?)
            }
        };
        Ok(Seat { role: role.as_str().into(), identity: identity.into() })
    }
}

/// Whether an identity is that of a candidate: their id, or as the call at LiveKit writes it.
fn names(identity: &str, candidate: &str) -> bool {
    identity == candidate || identity.strip_prefix("candidate-") == Some(candidate)
}

/// `chat:message {text}`
pub fn text<'a>(fields: &Fields<'a>) -> Read<Cow<'a, str>> {
    fields.name("text", MAX_TEXT).map_err(invalid)?.ok_or_else(|| wrong("text", "is required"))
}

/// `editor:update {update, version}`: the document as a JSON string, and its version.
pub fn document(fields: &Fields<'_>) -> Read<(String, u64)> {
    let raw = fields.raw("update").ok_or_else(|| wrong("update", "is required"))?;
    let text: String = serde_json::from_str(raw).map_err(|_| wrong("update", "must be a string"))?;
    // As short as JSON can be: what the client has escaped without need is not kept so.
    let json = Value::from(text.as_str()).to_string();
    if text.len() > MAX_DOCUMENT || json.len() > MAX_DOCUMENT_JSON {
        return Err(wrong("update", format!("must have at most {MAX_DOCUMENT} bytes, and {MAX_DOCUMENT_JSON} as JSON")));
    }
    let version = fields.raw("version").ok_or_else(|| wrong("version", "is required"))?;
    let version: Option<f64> = version.parse().ok().filter(|version: &f64| version.fract() == 0.0);
    match version {
        Some(version) if (0.0..=MAX_SAFE as f64).contains(&version) => Ok((json, version as u64)),
        _ => Err(wrong("version", "must be an integer from 0")),
    }
}

/// `screen:share {active}`
pub fn active(fields: &Fields<'_>) -> Read<bool> {
    fields.flag("active").map_err(invalid)?.ok_or_else(|| wrong("active", "is required"))
}

#[cfg(test)]
#[path = "tests/requests.rs"]
mod tests;
