//! Reads a JSON object field by field, and the objects in it. It collects everything that is wrong, each fault with the path of
//! its field. Pure.
//!
//! It gives the faults as a list. How a request is refused for them is decided elsewhere.

use std::borrow::Cow;
use std::cell::RefCell;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

use super::fields::{Bad, Fields};

/// The most characters of an id that another system has given: of a user, an organization, a question.
pub const MAX_ID: usize = 128;
/// The most characters of an address (RFC 5321 § 4.5.3.1).
pub const MAX_EMAIL: usize = 320;

/// One object of a body.
pub struct Form<'a> {
    /// Empty if the object is missing or is no object. That fault was told already.
    fields: Fields<'a>,
    /// Where the object stands, such as `template.assessments[0].`; empty for the body itself.
    path: String,
    faults: &'a RefCell<Vec<Bad>>,
}

/// Reads the fields of a body.
///
/// # Errors
/// Every field that is wrong, in the order in which they were read.
pub fn read<T>(fields: Fields<'_>, parse: impl FnOnce(&Form<'_>) -> T) -> Result<T, Vec<Bad>> {
    let faults = RefCell::default();
    let value = parse(&Form { fields, path: String::new(), faults: &faults });
    let faults = faults.into_inner();
    if faults.is_empty() { Ok(value) } else { Err(faults) }
}

impl<'a> Form<'a> {
    /// Notes what is wrong with a field. Only the first fault of a field is kept.
    pub fn fault(&self, field: &str, why: impl Into<Cow<'static, str>>) {
        let path = format!("{}{field}", self.path);
        let mut faults = self.faults.borrow_mut();
        if !faults.iter().any(|known| known.field == path) {
            faults.push(Bad::new(path, why));
        }
    }

    /// A value that was read from [`Form::fields`]. A fault is collected.
    pub fn take<T: Default>(&self, read: Result<T, Bad>) -> T {
        read.unwrap_or_else(|bad| {
            self.fault(&bad.field, bad.why);
            T::default()
        })
    }

    /// The object itself, for a caller that reads it by its own rules.
    pub fn fields(&self) -> &Fields<'a> {
        &self.fields
    }

    /// Whether the field is there. It may be null.
    pub fn mentions(&self, field: &str) -> bool {
        self.fields.raw_or_null(field).is_some()
    }

    /// Whether the field is there and not null.
    pub fn has(&self, field: &str) -> bool {
        self.fields.raw(field).is_some()
    }

    /// A value of any type; null counts as missing. `why` is the fault if `read` gives nothing.
    pub fn value<T>(&self, field: &str, why: &'static str, read: impl FnOnce(Value) -> Option<T>) -> Option<T> {
        let value = serde_json::from_str(self.fields.raw(field)?).ok().and_then(read);
        if value.is_none() {
            self.fault(field, why);
        }
        value
    }

    /// A text of at most `max` characters; an empty one counts as missing.
    pub fn text(&self, field: &str, max: usize) -> Option<String> {
        self.take(self.fields.text(field, max)).map(Cow::into_owned)
    }

    /// A text that must be there.
    pub fn required(&self, field: &str, max: usize) -> String {
        self.or_required(field, self.text(field, max))
    }

    /// A text that may be missing, but not empty.
    pub fn name(&self, field: &str, max: usize) -> Option<String> {
        self.take(self.fields.name(field, max)).map(Cow::into_owned)
    }

    /// [`Form::text`] without U+0000, the one character that PostgreSQL does not store.
    pub fn storable(&self, field: &str, max: usize) -> Option<String> {
        let text = self.text(field, max)?;
        if text.contains('\0') {
            self.fault(field, "must not contain U+0000");
            return None;
        }
        Some(text)
    }

    /// [`Form::storable`] that must be there and must not be blank.
    pub fn filled(&self, field: &str, max: usize) -> String {
        self.or_required(field, self.storable(field, max).filter(|text| !text.trim().is_empty()))
    }

    fn or_required(&self, field: &str, text: Option<String>) -> String {
        if text.is_none() {
            self.fault(field, "is required");
        }
        text.unwrap_or_default()
    }

    /// A text with an @ between two other characters.
    pub fn email(&self, field: &str) -> Option<String> {
        let email = self.storable(field, MAX_EMAIL)?;
        let is_email = email.rsplit_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        if !is_email || email.contains(char::is_whitespace) {
            self.fault(field, "must be an e-mail address");
        }
        Some(email)
    }

    /// A whole number from 1 to `most`; `why` is the fault otherwise. A number that does not fit its type counts as the largest
    /// one.
    pub fn whole(&self, field: &str, most: u64, why: &'static str) -> Option<u64> {
        self.value(field, why, |value| {
            let float = || value.as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0);
            let number = value.as_u64().or_else(|| float().map(|number| number as u64));
            number.filter(|number| (1..=most).contains(number))
        })
    }

    /// A moment of RFC 3339, to the millisecond.
    pub fn time(&self, field: &str) -> Option<Timestamp> {
        self.value(field, "must be a time such as 2026-01-31T09:30:00Z", |value| {
            let time: Timestamp = value.as_str()?.parse().ok()?;
            Timestamp::from_millisecond(time.as_millisecond()).ok()
        })
    }

    /// An object within this one, which must be there.
    pub fn object(&self, field: &str) -> Self {
        let raw = self.fields.raw(field);
        let fields = raw.and_then(Fields::parse);
        if fields.is_none() {
            self.fault(field, if raw.is_some() { "must be an object" } else { "is required" });
        }
        Self { fields: fields.unwrap_or_default(), path: format!("{}{field}.", self.path), faults: self.faults }
    }

    /// A list of objects, with one at least and `most` at most.
    pub fn objects(&self, field: &str, most: usize) -> Vec<Self> {
        let Some(items) = self.list(field, most) else {
            self.fault(field, "is required");
            return Vec::new();
        };
        if items.is_empty() {
            self.fault(field, "must not be empty");
        }
        let form = |(at, item): (usize, &'a RawValue)| {
            let name = format!("{field}[{at}]");
            let fields = Fields::parse(item.get());
            if fields.is_none() {
                self.fault(&name, "must be an object");
            }
            Self { fields: fields.unwrap_or_default(), path: format!("{}{name}.", self.path), faults: self.faults }
        };
        items.into_iter().enumerate().map(form).collect()
    }

    /// A list of ids, each kept once; `None` if there is no such field.
    pub fn ids(&self, field: &str, most: usize) -> Option<Vec<String>> {
        let mut ids: Vec<String> = Vec::new();
        for item in self.list(field, most)? {
            let id = serde_json::from_str::<String>(item.get()).ok();
            match id.filter(|id| (1..=MAX_ID).contains(&id.chars().count()) && !id.contains('\0')) {
                None => self.fault(field, "must be texts of 1–128 characters"),
                Some(id) if ids.contains(&id) => {}
                Some(id) => ids.push(id),
            }
        }
        Some(ids)
    }

    fn list(&self, field: &str, most: usize) -> Option<Vec<&'a RawValue>> {
        match serde_json::from_str::<Vec<&'a RawValue>>(self.fields.raw(field)?) {
            Ok(items) if items.len() <= most => return Some(items),
            Ok(_) => self.fault(field, format!("must have at most {most} entries")),
            Err(_) => self.fault(field, "must be a list"),
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<T: std::fmt::Debug>(json: &str, parse: impl FnOnce(&Form<'_>) -> T) -> String {
        let faults = read(Fields::parse(json).expect("an object"), parse).expect_err("it was taken");
        faults.iter().map(|bad| format!("{} {}", bad.field, bad.why)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn every_fault_is_told_with_its_path_and_each_field_once() {
        let faults = told(r#"{"a":1,"list":[{"b":""},7,{"b":"\u0000"}]}"#, |form| {
            form.required("a", 9);
            form.fault("a", "is told already");
            form.object("o").filled("c", 9);
            form.objects("list", 3).iter().map(|item| item.filled("b", 9)).collect::<Vec<_>>()
        });
        let expected = "a must be a string; o is required; o.c is required; list[1] must be an object; list[0].b is required; \
                        list[1].b is required; list[2].b must not contain U+0000";
        assert_eq!(faults, expected);
    }

    #[test]
    fn what_is_left_out_is_no_fault_unless_it_is_required() {
        let form = |form: &Form<'_>| {
            let texts = (form.text("x", 1), form.name("x", 1), form.storable("x", 1), form.email("x"));
            (texts, form.whole("x", 1, "?"), form.time("x"), form.ids("x", 1), form.mentions("n"), form.has("n"))
        };
        let json = r#"{"n":null}"#;
        let nothing = ((None, None, None, None), None, None, None, true, false);
        assert_eq!(read(Fields::parse(json).unwrap(), form), Ok(nothing));
        assert_eq!(told("{}", |form| (form.required("a", 1), form.filled("b", 1))), "a is required; b is required");
    }

    #[test]
    fn lists_are_bounded() {
        assert_eq!(told(r#"{"a":["x","y"]}"#, |form| form.ids("a", 1)), "a must have at most 1 entries");
        assert_eq!(told(r#"{"a":["x",""]}"#, |form| form.ids("a", 2)), "a must be texts of 1–128 characters");
        assert_eq!(told(r#"{"a":{}}"#, |form| form.objects("a", 2).len()), "a must be a list");
        let ids = |form: &Form<'_>| form.ids("a", 3);
        let kept = read(Fields::parse(r#"{"a":["x","y","x"]}"#).unwrap(), ids);
        assert_eq!(kept, Ok(Some(vec!["x".to_owned(), "y".into()])));
    }
}
