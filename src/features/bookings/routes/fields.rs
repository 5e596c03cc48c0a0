//! The fields of what other services write, checked all at once.

use serde_json::{Map, Value};

use crate::protocol::fields::Bad;

/// What `numeric(3,1)` holds.
const MOST_SCORE: f64 = 99.9;
/// Characters.
const LONGEST_EMAIL: usize = 320;
const LONGEST_RESUME_ID: usize = 256;

/// `PATCH /internal/interview-sessions/:id`. What is missing or null stays as it is.
#[derive(Debug, PartialEq)]
pub(super) struct Scoring {
    pub score: Option<f64>,
    pub summary: Option<String>,
}

impl Scoring {
    pub fn parse(body: &Map<String, Value>) -> Result<Self, Vec<Bad>> {
        let mut faults = Vec::new();
        let score = given(body, "score_overall").and_then(|value| {
            let number = value.as_f64().filter(|number| number.abs() <= MOST_SCORE);
            fault_if_none(number, &mut faults, "score_overall", "must be a number from -99.9 to 99.9")
        });
        let summary = given(body, "summary")
            .and_then(|value| fault_if_none(storable(value, usize::MAX), &mut faults, "summary", "must be a text without NUL"));
        if faults.is_empty() { Ok(Self { score, summary }) } else { Err(faults) }
    }
}

/// `PUT /internal/users/:id`.
#[derive(Debug, PartialEq)]
pub(super) struct User {
    pub email: Option<String>,
    pub resume_id: Option<String>,
}

impl User {
    pub fn parse(body: &Map<String, Value>) -> Result<Self, Vec<Bad>> {
        let mut faults = Vec::new();
        let mut text =
            |field, most, why| given(body, field).and_then(|value| fault_if_none(storable(value, most), &mut faults, field, why));
        let email = text("email", LONGEST_EMAIL, "must be a text of at most 320 characters");
        let resume_id = text("resumeId", LONGEST_RESUME_ID, "must be a text of at most 256 characters");
        if faults.is_empty() { Ok(Self { email, resume_id }) } else { Err(faults) }
    }
}

fn given<'a>(body: &'a Map<String, Value>, field: &str) -> Option<&'a Value> {
    body.get(field).filter(|value| !value.is_null())
}

/// PostgreSQL has no NUL in texts.
fn storable(value: &Value, most: usize) -> Option<String> {
    value.as_str().filter(|text| text.chars().count() <= most && !text.contains('\0')).map(Into::into)
}

fn fault_if_none<T>(value: Option<T>, faults: &mut Vec<Bad>, field: &'static str, why: &'static str) -> Option<T> {
    if value.is_none() {
        faults.push(Bad::new(field, why));
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scoring(body: Value) -> Result<Scoring, Vec<&'static str>> {
        let faults = |faults: Vec<Bad>| faults.into_iter().map(|bad| bad.field).collect();
        Scoring::parse(body.as_object().unwrap()).map_err(faults)
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
            assert_eq!(scoring(body), Ok(Scoring { score, summary: summary.map(Into::into) }));
        }
        for bad in [json!(100), json!(99.95), json!("8"), json!(1e300), json!([])] {
            assert_eq!(scoring(json!({"score_overall": bad, "summary": "a\0"})), Err(vec!["score_overall", "summary"]));
        }
    }

    #[test]
    fn a_users_fields_are_texts() {
        let user = |body: Value| User::parse(body.as_object().unwrap());
        let parsed = user(json!({"email": "a@b", "resumeId": null, "completed_interviews_count": 0})).unwrap();
        assert_eq!(parsed, User { email: Some("a@b".into()), resume_id: None });
        assert_eq!(user(json!({"email": 1, "resumeId": "\0"})).unwrap_err().len(), 2);
        assert!(user(json!({"email": "x".repeat(321)})).is_err());
    }
}
