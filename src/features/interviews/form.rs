//! Reading a JSON object field by field, objects within it too; everything that is wrong is collected, each with its path. Pure.

use std::borrow::Cow;
use std::cell::RefCell;

use jiff::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::error::InterviewError;
use crate::store::Time;

/// Further faults are not told: there could be one in each of hundreds of questions.
const MAX_FAULTS: usize = 20;
/// Characters of an id that others have given: a user, an organization, a template, a question.
pub const MAX_ID: usize = 128;
/// RFC 5321 § 4.5.3.1.
const MAX_EMAIL: usize = 320;

/// A path and what is wrong there.
type Faults = RefCell<Vec<(String, Cow<'static, str>)>>;

/// An integer, however it is written; one that is too large to count is the largest.
fn integer(value: &Value) -> Option<u64> {
    let float = || value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0);
    value.as_u64().or_else(|| float().map(|number| number as u64))
}

/// One object of the body.
pub struct Form<'a> {
    /// `None`: it is missing or no object, which was told already.
    fields: Option<&'a Map<String, Value>>,
    /// `template.assessments[0].`, or nothing for the body itself.
    path: String,
    faults: &'a Faults,
}

/// Reads a body whole.
///
/// # Errors
/// [`InterviewError::Invalid`] names every field that is wrong.
pub fn read<T>(json: &str, parse: impl FnOnce(&Form<'_>) -> T) -> Result<T, InterviewError> {
    let body = serde_json::from_str(json).unwrap_or(Value::Null);
    let fields = body.as_object().ok_or_else(|| InterviewError::Invalid("the body must be a JSON object".into()))?;
    let faults = Faults::default();
    let value = parse(&Form { fields: Some(fields), path: String::new(), faults: &faults });
    let faults = faults.into_inner();
    if faults.is_empty() { Ok(value) } else { Err(InterviewError::Invalid(told(&faults))) }
}

fn told(faults: &[(String, Cow<'static, str>)]) -> String {
    let first: Vec<_> = faults.iter().take(MAX_FAULTS).map(|(path, why)| format!("{path} {why}")).collect();
    match faults.len().saturating_sub(MAX_FAULTS) {
        0 => first.join("; "),
        more => format!("{}; and {more} more", first.join("; ")),
    }
}

impl<'a> Form<'a> {
    /// A field is told once, with the first that was found wrong.
    pub fn fault(&self, field: &str, why: impl Into<Cow<'static, str>>) {
        let path = format!("{}{field}", self.path);
        let mut faults = self.faults.borrow_mut();
        if !faults.iter().any(|(known, _)| *known == path) {
            faults.push((path, why.into()));
        }
    }

    /// The value of a field; null counts as missing.
    fn value(&self, field: &str) -> Option<&'a Value> {
        self.fields?.get(field).filter(|value| !value.is_null())
    }

    /// Whether the field is there, be it null.
    pub fn mentions(&self, field: &str) -> bool {
        self.fields.is_some_and(|fields| fields.contains_key(field))
    }

    /// Whether the field is there and not null.
    pub fn has(&self, field: &str) -> bool {
        self.value(field).is_some()
    }

    /// A text of at most `max` characters; an empty one counts as missing.
    pub fn text(&self, field: &str, max: usize) -> Option<String> {
        let value = self.value(field)?;
        let fault: Cow<'static, str> = match value.as_str() {
            None => "must be a string".into(),
            Some(text) if text.chars().count() > max => format!("must have at most {max} characters").into(),
            // PostgreSQL keeps every character but this one.
            Some(text) if text.contains('\0') => "must not contain U+0000".into(),
            Some(text) => return Some(text.to_owned()).filter(|text| !text.is_empty()),
        };
        self.fault(field, fault);
        None
    }

    /// A text that must be there, and not be blank.
    pub fn required(&self, field: &str, max: usize) -> String {
        let text = self.text(field, max).filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.fault(field, "is required");
        }
        text.unwrap_or_default()
    }

    /// The `id` that was given, or a new one.
    pub fn id(&self) -> String {
        self.text("id", MAX_ID).unwrap_or_else(|| Uuid::new_v4().to_string())
    }

    /// Something with an @ between two other characters.
    pub fn email(&self, field: &str) -> Option<String> {
        let email = self.text(field, MAX_EMAIL)?;
        let is_email = email.rsplit_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        if !is_email || email.contains(char::is_whitespace) {
            self.fault(field, "must be an e-mail address");
        }
        Some(email)
    }

    /// A whole number from 1 up to `most`; `why` says so.
    pub fn whole(&self, field: &str, most: u64, why: &'static str) -> Option<u64> {
        let number = integer(self.value(field)?).filter(|number| (1..=most).contains(number));
        if number.is_none() {
            self.fault(field, why);
        }
        number
    }

    /// A moment of RFC 3339, kept to the millisecond as it will be shown.
    pub fn time(&self, field: &str) -> Option<Time> {
        let time = self.value(field)?.as_str().and_then(|text| text.parse::<Timestamp>().ok());
        let time = time.and_then(|time| Timestamp::from_millisecond(time.as_millisecond()).ok());
        if time.is_none() {
            self.fault(field, "must be a time such as 2026-01-31T09:30:00Z");
        }
        time.map(Time)
    }

    /// An object within this one, which must be there.
    pub fn object(&self, field: &str) -> Form<'a> {
        let fields = self.value(field).and_then(Value::as_object);
        if fields.is_none() {
            self.fault(field, if self.has(field) { "must be an object" } else { "is required" });
        }
        Form { fields, path: format!("{}{field}.", self.path), faults: self.faults }
    }

    /// A list of objects, with one at least and `most` at most.
    pub fn objects(&self, field: &str, most: usize) -> Vec<Form<'a>> {
        let Some(items) = self.list(field, most) else {
            self.fault(field, "is required");
            return Vec::new();
        };
        if items.is_empty() {
            self.fault(field, "must not be empty");
        }
        let form = |(at, item): (usize, &'a Value)| {
            let name = format!("{field}[{at}]");
            if !item.is_object() {
                self.fault(&name, "must be an object");
            }
            Form { fields: item.as_object(), path: format!("{}{name}.", self.path), faults: self.faults }
        };
        items.iter().enumerate().map(form).collect()
    }

    /// A list of ids, each kept once; `None` if there is no such field.
    pub fn ids(&self, field: &str, most: usize) -> Option<Vec<String>> {
        let mut ids: Vec<String> = Vec::new();
        for item in self.list(field, most)? {
            let id = item.as_str().filter(|id| (1..=MAX_ID).contains(&id.chars().count()) && !id.contains('\0'));
            match id {
                None => self.fault(field, "must be texts of 1–128 characters"),
                Some(id) if ids.iter().any(|known| known == id) => {}
                Some(id) => ids.push(id.to_owned()),
            }
        }
        Some(ids)
    }

    fn list(&self, field: &str, most: usize) -> Option<&'a [Value]> {
        match self.value(field)?.as_array() {
            Some(items) if items.len() <= most => return Some(items),
            Some(_) => self.fault(field, format!("must have at most {most} entries")),
            None => self.fault(field, "must be a list"),
        }
        None
    }
}
