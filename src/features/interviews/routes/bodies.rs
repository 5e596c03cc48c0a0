//! The bodies of the routes of interviews, as schemas. [`requests`](crate::features::interviews::requests) reads them; a test holds both to
//! the same limits.
#![allow(dead_code)]

use schemars::JsonSchema;

use crate::features::interviews::requests::{
    MAX_ASSESSMENTS, MAX_KIND, MAX_MINUTES, MAX_NAME, MAX_QUESTION, MAX_QUESTIONS, MAX_RECRUITERS, MAX_TITLE,
};
use crate::features::interviews::rules::CallRole;
use crate::features::interviews::store::InterviewStatus;
use crate::protocol::form::{MAX_EMAIL, MAX_ID};
use crate::protocol::schema::{EMAIL, FILLED, NO_NUL};
use crate::store::Time;

/// Who wants into the call.
#[derive(JsonSchema)]
#[schemars(rename = "JoinTokenRequest", rename_all = "camelCase")]
pub struct JoinPost {
    #[schemars(length(max = MAX_ID), pattern(FILLED))]
    interview_id: String,
    /// Not needed if the token names the participant.
    #[schemars(length(max = MAX_ID), pattern(NO_NUL))]
    participant_id: Option<String>,
    /// In any case of letters.
    role: CallRole,
    #[schemars(length(max = MAX_NAME), pattern(NO_NUL))]
    display_name: Option<String>,
}

/// Who is invited.
#[derive(JsonSchema)]
#[schemars(rename = "NewInvite", rename_all = "camelCase")]
pub struct InvitePost {
    #[schemars(length(max = MAX_EMAIL), pattern(EMAIL))]
    email: Option<String>,
    /// Seconds within which it must be used for the first time; more than 30 days count as 30 days.
    #[schemars(range(min = 1), extend("default" = 604_800))]
    expires_in: Option<u64>,
}

/// A new interview.
#[derive(JsonSchema)]
#[schemars(rename = "NewInterview", rename_all = "camelCase")]
pub struct NewInterviewPost {
    #[schemars(length(max = MAX_ID), pattern(FILLED))]
    organization_id: String,
    /// Users who see it beside those of the organization.
    #[schemars(length(max = MAX_RECRUITERS), inner(length(min = 1, max = MAX_ID), pattern(NO_NUL)))]
    recruiter_ids: Option<Vec<String>>,
    candidate: NewCandidate,
    /// It refuses nobody before or after.
    scheduled_at: Option<Time>,
    template: NewTemplate,
}

/// Who is interviewed.
#[derive(JsonSchema)]
pub struct NewCandidate {
    #[schemars(length(max = MAX_ID), pattern(FILLED))]
    id: String,
    #[schemars(length(max = MAX_NAME), pattern(FILLED))]
    name: String,
    #[schemars(length(max = MAX_EMAIL), pattern(EMAIL))]
    email: String,
}

/// What is asked. No two questions have the same id.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
pub struct NewTemplate {
    /// Made if it is left out.
    #[schemars(length(max = MAX_ID), pattern(NO_NUL))]
    id: Option<String>,
    #[schemars(length(max = MAX_TITLE), pattern(FILLED))]
    title: String,
    /// Minutes.
    #[schemars(range(min = 1, max = MAX_MINUTES))]
    total_duration: u64,
    #[schemars(length(min = 1, max = MAX_ASSESSMENTS))]
    assessments: Vec<NewAssessment>,
}

/// Questions that belong together.
#[derive(JsonSchema)]
pub struct NewAssessment {
    #[schemars(length(max = MAX_TITLE), pattern(FILLED))]
    title: String,
    /// At most 500 in all assessments together.
    #[schemars(length(min = 1, max = MAX_QUESTIONS))]
    questions: Vec<NewQuestion>,
}

/// A question.
#[derive(JsonSchema)]
pub struct NewQuestion {
    /// Made if it is left out.
    #[schemars(length(max = MAX_ID), pattern(NO_NUL))]
    id: Option<String>,
    #[schemars(length(max = MAX_QUESTION), pattern(FILLED))]
    text: String,
    #[schemars(rename = "type", length(max = MAX_KIND), pattern(FILLED))]
    kind: String,
}

/// What is to change of an interview.
#[derive(JsonSchema)]
#[schemars(rename = "InterviewChange", rename_all = "camelCase")]
pub struct InterviewPatch {
    status: Option<InterviewStatus>,
    /// Null removes it.
    scheduled_at: Option<Time>,
    #[schemars(length(max = MAX_RECRUITERS), inner(length(min = 1, max = MAX_ID), pattern(NO_NUL)))]
    recruiter_ids: Option<Vec<String>>,
    candidate: Option<NewCandidate>,
}
