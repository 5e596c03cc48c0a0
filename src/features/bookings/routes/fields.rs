//! The fields of what other services write, checked all at once.

use schemars::JsonSchema;
use serde_json::Value;

use crate::protocol::fields::{Bad, Fields};
use crate::protocol::form::{Form, MAX_EMAIL, read};
use crate::protocol::schema::NO_NUL;

/// What `numeric(3,1)` holds.
const MOST_SCORE: f64 = 99.9;
/// Characters.
const LONGEST_RESUME_ID: usize = 256;

/// The body of `PATCH /internal/interview-sessions/:id`. What is missing or null stays as it is.
#[derive(Debug, PartialEq, JsonSchema)]
#[schemars(rename = "InterviewSessionScore", description = "What is missing or null stays as it is.")]
pub(super) struct Scoring {
    #[schemars(rename = "score_overall", range(min = -MOST_SCORE, max = MOST_SCORE))]
    pub score: Option<f64>,
    #[schemars(regex(pattern = NO_NUL))]
    pub summary: Option<String>,
}

impl Scoring {
    pub fn parse(body: Fields<'_>) -> Result<Self, Vec<Bad>> {
        read(body, |form| {
            let score = |value: Value| value.as_f64().filter(|number| number.abs() <= MOST_SCORE);
            Self {
                score: form.value("score_overall", "must be a number from -99.9 to 99.9", score),
                summary: storable(form, "summary", usize::MAX, "must be a text without NUL"),
            }
        })
    }
}

/// The body of `PUT /internal/users/:id`. What is missing or null is null in the row.
#[derive(Debug, PartialEq, JsonSchema)]
#[schemars(rename = "InterviewSessionUserChange", rename_all = "camelCase", description = "What is missing is removed.")]
pub(super) struct User {
    #[schemars(length(max = MAX_EMAIL), regex(pattern = NO_NUL))]
    pub email: Option<String>,
    #[schemars(length(max = LONGEST_RESUME_ID), regex(pattern = NO_NUL))]
    pub resume_id: Option<String>,
}

impl User {
    pub fn parse(body: Fields<'_>) -> Result<Self, Vec<Bad>> {
        read(body, |form| Self {
            email: storable(form, "email", MAX_EMAIL, "must be a text of at most 320 characters"),
            resume_id: storable(form, "resumeId", LONGEST_RESUME_ID, "must be a text of at most 256 characters"),
        })
    }
}

/// A text, which may be empty. PostgreSQL has no NUL in texts.
fn storable(form: &Form<'_>, field: &str, most: usize, why: &'static str) -> Option<String> {
    form.value(field, why, |value| match value {
        Value::String(text) if text.chars().count() <= most && !text.contains('\0') => Some(text),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::json;

    use super::*;

    fn scoring(body: &Value) -> Result<Scoring, Vec<Cow<'static, str>>> {
        let faults = |faults: Vec<Bad>| faults.into_iter().map(|bad| bad.field).collect();
        Scoring::parse(Fields::parse(&body.to_string()).unwrap()).map_err(faults)
    }

    #[test]
    fn a_score_fits_its_column() {
        for (body, score, summary) in [
            (json!({}), None, None),
            (json!({"score_overall": null, "other": 1}), None, None),
            (json!({"score_overall": 8.5, "summary": "fine"}), Some(8.5), Some("fine")),
            (json!({"score_overall": 0, "summary": ""}), Some(0.0), Some("")),
            (json!({"score_overall": -99.9}), Some(-99.9), None),
        ] {
            assert_eq!(scoring(&body), Ok(Scoring { score, summary: summary.map(Into::into) }));
        }
        for bad in [json!(100), json!(99.95), json!("8"), json!(1e300), json!([])] {
            let body = json!({"score_overall": bad, "summary": "a\0"});
            assert_eq!(scoring(&body), Err(vec!["score_overall".into(), "summary".into()]));
        }
    }

    #[test]
    fn a_users_fields_are_texts() {
        let user = |body: Value| User::parse(Fields::parse(&body.to_string()).unwrap());
        let parsed = user(json!({"email": "a@b", "resumeId": null, "completed_interviews_count": 0})).unwrap();
        assert_eq!(parsed, User { email: Some("a@b".into()), resume_id: None });
        assert_eq!(user(json!({"email": 1, "resumeId": "\0"})).unwrap_err().len(), 2);
        assert!(user(json!({"email": "x".repeat(321)})).is_err());
    }
}
