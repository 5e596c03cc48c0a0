//! The bodies of the routes of interviews (contract § 4 "Routes"), validated. Unknown fields are ignored. Pure.

use std::collections::HashSet;
use std::time::Duration;

use uuid::Uuid;

use super::error::InterviewError;
use super::form::read;
use super::rules::CallRole;
use super::store::{Candidate, InterviewChange, InterviewStatus, NewInterview, Question, Template};
use crate::protocol::form::{Form, MAX_ID};
use crate::store::Time;

pub const MAX_NAME: usize = 200;
pub const MAX_TITLE: usize = 200;
pub const MAX_QUESTION: usize = 4000;
/// Characters of a question's type, of a role and of a status.
pub const MAX_KIND: usize = 64;
pub const MAX_RECRUITERS: usize = 100;
pub const MAX_ASSESSMENTS: usize = 50;
/// Over all assessments.
pub const MAX_QUESTIONS: usize = 500;
pub const MAX_MINUTES: u64 = 1440;
const INVITE_SECONDS: u64 = 7 * 24 * 3600;
const MAX_INVITE_SECONDS: u64 = 30 * 24 * 3600;

/// `POST /api/interviews/join-token`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRequest {
    pub interview_id: String,
    /// Not needed if the token names the participant.
    pub participant_id: Option<String>,
    pub role: CallRole,
    pub display_name: Option<String>,
}

/// `POST /api/interviews/:id/invites`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteRequest {
    pub email: Option<String>,
    /// Within which it must be used for the first time.
    pub lasts: Duration,
}

impl JoinRequest {
    /// # Errors
    /// [`InterviewError::Invalid`] names every field that is wrong.
    pub fn parse(json: &str) -> Result<Self, InterviewError> {
        read(json, |form| {
            let interview_id = form.filled("interviewId", MAX_ID);
            let role = form.storable("role", MAX_KIND).and_then(|role| CallRole::parse(&role));
            if role.is_none() {
                form.fault("role", "must be candidate, recruiter, interviewer, observer or admin");
            }
            Self {
                interview_id,
                participant_id: form.storable("participantId", MAX_ID),
                // Never used: the fault refuses the request.
                role: role.unwrap_or(CallRole::Observer),
                display_name: form.storable("displayName", MAX_NAME),
            }
        })
    }
}

impl InviteRequest {
    /// # Errors
    /// [`InterviewError::Invalid`] names every field that is wrong.
    pub fn parse(json: &str) -> Result<Self, InterviewError> {
        read(json, |form| {
            let why = "must be an integer from 1, in seconds (above 2592000 it counts as 2592000)";
            let seconds = form.whole("expiresIn", u64::MAX, why).unwrap_or(INVITE_SECONDS);
            Self { email: form.email("email"), lasts: Duration::from_secs(seconds.min(MAX_INVITE_SECONDS)) }
        })
    }
}

/// Reads the body of `POST /internal/interviews`.
///
/// # Errors
/// [`InterviewError::Invalid`] names every field that is wrong.
pub fn new_interview(json: &str) -> Result<NewInterview, InterviewError> {
    read(json, |form| NewInterview {
        organization_id: form.filled("organizationId", MAX_ID),
        recruiter_ids: form.ids("recruiterIds", MAX_RECRUITERS).unwrap_or_default(),
        candidate: candidate(&form.object("candidate")),
        scheduled_at: form.time("scheduledAt").map(Time),
        template: template(&form.object("template")),
    })
}

/// Reads the body of `PATCH /internal/interviews/:id`. Null removes `scheduledAt`, and leaves every other field as it is.
///
/// # Errors
/// [`InterviewError::Invalid`] names every field that is wrong.
pub fn interview_change(json: &str) -> Result<InterviewChange, InterviewError> {
    read(json, |form| {
        let status = form.storable("status", MAX_KIND).and_then(|status| InterviewStatus::parse(&status));
        if status.is_none() && form.has("status") {
            form.fault("status", "must be SCHEDULED, ONGOING, COMPLETED, EXPIRED or CANCELLED");
        }
        InterviewChange {
            status,
            scheduled_at: form.mentions("scheduledAt").then(|| form.time("scheduledAt").map(Time)),
            recruiter_ids: form.ids("recruiterIds", MAX_RECRUITERS),
            candidate: form.has("candidate").then(|| candidate(&form.object("candidate"))),
        }
    })
}

fn candidate(form: &Form<'_>) -> Candidate {
    let (id, name) = (form.filled("id", MAX_ID), form.filled("name", MAX_NAME));
    let email = form.email("email");
    if email.is_none() {
        form.fault("email", "is required");
    }
    Candidate { id, name, email: email.unwrap_or_default() }
}

fn template(form: &Form<'_>) -> Template {
    let mut template = Template {
        id: id_of(form),
        title: form.filled("title", MAX_TITLE),
        total_duration: 0,
        assessments: Vec::new(),
        questions: Vec::new(),
    };
    match form.whole("totalDuration", MAX_MINUTES, "must be a whole number of minutes from 1 to 1440") {
        Some(minutes) => template.total_duration = u32::try_from(minutes).unwrap_or(u32::MAX),
        None => form.fault("totalDuration", "is required"),
    }
    let mut ids = HashSet::new();
    for (number, assessment) in (1..).zip(form.objects("assessments", MAX_ASSESSMENTS)) {
        template.assessments.push(assessment.filled("title", MAX_TITLE));
        for question in assessment.objects("questions", MAX_QUESTIONS) {
            let id = id_of(&question);
            if !ids.insert(id.clone()) {
                question.fault("id", "occurs twice");
            }
            let (text, kind) = (question.filled("text", MAX_QUESTION), question.filled("type", MAX_KIND));
            template.questions.push(Question { id, assessment: number, text, kind });
        }
    }
    if template.questions.len() > MAX_QUESTIONS {
        form.fault("assessments", format!("must have at most {MAX_QUESTIONS} questions in all"));
    }
    template
}

/// The `id` that was given, or a new one.
fn id_of(form: &Form<'_>) -> String {
    form.storable("id", MAX_ID).unwrap_or_else(|| Uuid::new_v4().to_string())
}

#[cfg(test)]
#[path = "tests/requests.rs"]
mod tests;
