//! Who may start a session: the order of refusals, judged from what PostgreSQL says.

use serde::Serialize;

use super::error::StartRefusal;
use crate::settings::SessionRules;
use crate::store::{Refusal, Standing, User};

/// The answer to `GET /api/interviews/eligibility`.
#[derive(Debug, Serialize)]
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

/// Whether a user of this standing may start. The transaction of a start judges the same again, under locks.
pub(super) fn judge<'a>(standing: &'a Standing, rules: &SessionRules) -> Result<&'a User, StartRefusal> {
    let user = standing.user.as_ref().ok_or(StartRefusal::UserNotFound)?;
    if user.resume_id.as_deref().is_none_or(str::is_empty) {
        return Err(StartRefusal::NoResume);
    }
    let completed = user.completed_interviews_count;
    if completed >= rules.beta_limit {
        return Err(StartRefusal::BetaLimit { completed, limit: rules.beta_limit });
    }
    if standing.active.len() >= rules.max_per_user as usize {
        let session = standing.active.first().map(|active| active.id.clone());
        return Err(StartRefusal::ActiveExists { session, limit: rules.max_per_user });
    }
    if standing.active_total >= rules.max_concurrent {
        return Err(StartRefusal::CapacityFull { limit: rules.max_concurrent });
    }
    Ok(user)
}

/// What the transaction said no to.
pub(super) fn refused(refusal: Refusal, rules: &SessionRules) -> StartRefusal {
    match refusal {
        Refusal::UserNotFound => StartRefusal::UserNotFound,
        Refusal::NoResume => StartRefusal::NoResume,
        Refusal::BetaLimit { completed } => StartRefusal::BetaLimit { completed, limit: rules.beta_limit },
        Refusal::ActiveExists { id } => StartRefusal::ActiveExists { session: Some(id), limit: rules.max_per_user },
        Refusal::CapacityFull => StartRefusal::CapacityFull { limit: rules.max_concurrent },
    }
}
