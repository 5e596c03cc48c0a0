//! The answer to the question whether a user could start a session now.

use schemars::JsonSchema;
use serde::Serialize;

use super::Bookings;
use super::error::StartRefusal;
use super::rules::{Applicant, Facts, judge};
use super::store::{Standing, User};

/// Whether a user could start a session now.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Eligibility {
    pub can_start: bool,
    /// `ELIGIBLE`, or the code with which a start would be refused.
    pub reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing_session_id: Option<String>,
}

impl Eligibility {
    pub(super) fn new(judged: Result<&User, StartRefusal>) -> Self {
        match judged {
            Ok(_) => Self { can_start: true, reason: "ELIGIBLE", message: None, existing_session_id: None },
            Err(refusal) => Self {
                can_start: false,
                reason: refusal.code(),
                message: Some(refusal.to_string()),
                existing_session_id: refusal.existing().map(Into::into),
            },
        }
    }
}

impl Bookings {
    /// Whether a user of this standing may start, by this node's limits. The transaction of a start judges again, by those in
    /// PostgreSQL.
    pub(super) fn judge<'a>(&self, standing: &'a Standing) -> Result<&'a User, StartRefusal> {
        let user = standing.user.as_ref();
        let applicant =
            |user: &'a User| Applicant { resume: user.resume_id.as_deref(), completed: user.completed_interviews_count };
        let facts = Facts {
            user: user.map(applicant),
            oldest_active: standing.active.first().map(|active| &*active.id),
            active: standing.active.len(),
            active_total: standing.active_total,
        };
        judge(facts, self.rules.limits(), self.rules.beta_limit)?;
        user.ok_or(StartRefusal::UserNotFound)
    }
}
