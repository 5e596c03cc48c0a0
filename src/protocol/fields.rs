//! Reads a JSON object field by field. Values stay as the client wrote them. Pure.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer as _};
use serde_json::Value;
use serde_json::value::RawValue;

use super::intake;

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    pub field: Cow<'static, str>,
    /// A text that continues a sentence after the field's name. It names the limit if one was exceeded.
    pub why: Cow<'static, str>,
}

impl Bad {
    pub fn new(field: impl Into<Cow<'static, str>>, why: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), why: why.into() }
    }
}

/// The largest whole number that JavaScript represents exactly.
pub const MAX_SAFE: u64 = (1 << 53) - 1;
/// The most characters of a number.
const MAX_NUMBER: usize = 64;

/// The fields of one object in their order. If a name occurs twice, the last one counts, as in JavaScript.
#[derive(Default)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// `None` if this is no JSON object.
    pub fn parse(json: &'a str) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let fields = deserializer.deserialize_map(Collect).ok()?;
        deserializer.end().ok()?;
        Some(Self(fields))
    }

    /// [`Fields::parse`] that checks every value, also those that are not asked for: the object is not nested too deeply, no
    /// number is too large, and no text holds half of a surrogate pair.
    pub fn parse_readable(json: &'a str) -> Option<Self> {
        serde_json::from_str::<Value>(json).ok().and_then(|_| Self::parse(json))
    }

    /// The raw value of a field; null counts as missing.
    pub fn raw(&self, name: &str) -> Option<&'a str> {
        self.raw_or_null(name).filter(|&text| text != "null")
    }

    /// The raw value of a field, which may be null.
    pub fn raw_or_null(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(field, _)| field == name).map(|(_, value)| value.get())
    }

    /// All fields except `name`, for a caller that passes them on.
    pub fn without(&self, name: &str) -> impl Iterator<Item = (&str, &'a str)> {
        self.0.iter().filter(move |(field, _)| field != name).map(|(field, value)| (&**field, value.get()))
    }

    /// A string of at most `max` characters. An empty one counts as missing.
    pub fn text(&self, field: &str, max: usize) -> Result<Option<Cow<'a, str>>, Bad> {
        let Some(raw) = self.raw(field) else { return Ok(None) };
        let text: Cow<'a, str> = match serde_json::from_str::<&str>(raw) {
            Ok(text) => text.into(),
            Err(_) => serde_json::from_str::<String>(raw).map_err(|_| Bad::new(field.to_owned(), "must be a string"))?.into(),
        };
        if text.chars().count() > max {
            return Err(Bad::new(field.to_owned(), format!("must have at most {max} characters")));
        }
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// A string of at most `max` characters that names something. An empty one does not count as missing: it is refused.
    pub fn name(&self, field: &str, max: usize) -> Result<Option<Cow<'a, str>>, Bad> {
        match self.text(field, max)? {
            None if self.raw(field).is_some() => Err(Bad::new(field.to_owned(), "must not be empty")),
            text => Ok(text),
        }
    }

    /// A finite number between two bounds, as the client wrote it.
    pub fn number(&self, field: &str, least: f64, most: f64) -> Result<Option<&'a str>, Bad> {
        let Some(raw) = self.raw(field) else { return Ok(None) };
        let value = number(raw).ok_or_else(|| Bad::new(field.to_owned(), "must be a number"))?;
        if value < least || value > most {
            return Err(Bad::new(field.to_owned(), format!("must be from {least} to {most}")));
        }
        Ok(Some(raw))
    }

    /// A number of things: an integer from 1. A number above `most` counts as `most`.
    pub fn count(&self, field: &str, most: u64) -> Result<Option<u64>, Bad> {
        let Some(raw) = self.raw(field) else { return Ok(None) };
        match number(raw).filter(|value| *value >= 1.0 && value.fract() == 0.0) {
            // The cast saturates.
            Some(value) => Ok(Some((value as u64).min(most))),
            None => Err(not_a_count(field, most)),
        }
    }

    /// A truth value.
    pub fn flag(&self, field: &str) -> Result<Option<bool>, Bad> {
        match self.raw(field) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Bad::new(field.to_owned(), "must be true or false")),
        }
    }

    /// An object within the field, as raw JSON of at most `max` bytes.
    pub fn object(&self, field: &str, max: usize) -> Result<Option<&'a str>, Bad> {
        match self.raw(field) {
            Some(raw) if !raw.starts_with('{') => Err(Bad::new(field.to_owned(), "must be an object")),
            Some(raw) if raw.len() > max => Err(Bad::new(field.to_owned(), format!("must have at most {max} bytes"))),
            raw => Ok(raw),
        }
    }
}

/// The refusal of a value that is not a number of things.
pub fn not_a_count(field: &str, most: u64) -> Bad {
    Bad::new(field.to_owned(), format!("must be an integer from 1 (above {most} it counts as {most})"))
}

/// Whether a JSON value that is passed on unchanged keeps the rules of the intake. A value that does not come from a client's
/// event must not be rejected by a client's decoder either.
pub fn is_sound(raw: &str) -> bool {
    intake::check(raw, 0).is_ok_and(|checked| checked.broken.is_none())
}

fn number_like(raw: &str) -> bool {
    raw.starts_with(|c: char| c == '-' || c.is_ascii_digit())
}

fn number(raw: &str) -> Option<f64> {
    if !number_like(raw) || raw.len() > MAX_NUMBER {
        return None;
    }
    raw.parse::<f64>().ok().filter(|value| value.is_finite())
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(8);
        while let Some((Name(name), value)) = map.next_entry()? {
            fields.push((name, value));
        }
        Ok(fields)
    }
}

/// A field's name: a slice of the text, unless it is written with escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
#[path = "tests/fields.rs"]
mod tests;
