//! Rewrites a msgpack value as canonical JSON with attachments, and applies the intake rules.

use std::borrow::Cow;
use std::io::Write as _;

use bytes::Bytes;

use super::read::{Item, Reader};
use crate::protocol::intake::{self, KeySets, MAX_DEPTH, MAX_NUMBER};
use crate::protocol::json::write_string;
use crate::protocol::packet::{DecodeError, Limits};
use crate::protocol::part_of;

/// Rewrites one value as JSON. When a rule is broken it still reads on, to find out whether the message decodes.
pub struct Rewriter<'r, 'a> {
    reader: &'r mut Reader<'a>,
    message: &'r Bytes,
    limits: Limits,
    keys: KeySets<'a>,
    json: Vec<u8>,
    attachments: Vec<Bytes>,
    faults: Faults,
}

/// What is wrong with a value.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// The first rule that the value breaks.
    broken: Option<&'static str>,
    not_a_number: bool,
    /// The value holds text that is not UTF-8, so that it does not decode.
    pub garbled: bool,
}

impl Faults {
    /// The rule that is broken. An invalid number counts only if nothing else is wrong, because an event may have a code of its
    /// own for it.
    pub fn why(self) -> Option<&'static str> {
        self.broken.or(self.not_a_number.then_some(intake::NOT_A_NUMBER))
    }
}

impl<'r, 'a> Rewriter<'r, 'a> {
    pub fn new(reader: &'r mut Reader<'a>, message: &'r Bytes, limits: Limits) -> Self {
        Self {
            reader,
            message,
            limits,
            keys: KeySets::default(),
            json: Vec::new(),
            attachments: Vec::new(),
            faults: Faults::default(),
        }
    }

    /// Rewrites the next value. False: it is `undefined`.
    pub fn run(&mut self) -> Result<bool, DecodeError> {
        let item = self.reader.next()?;
        if item == Item::Undefined {
            return Ok(false);
        }
        // The text has about the same length. It grows if that is not enough.
        self.json.reserve(self.reader.remaining() + self.reader.remaining() / 4);
        self.value(item, MAX_DEPTH)?;
        Ok(true)
    }

    /// Rewrites the arguments of an event, and judges each element of a list in its first argument by itself. An element that
    /// breaks a rule or holds binary data is replaced by null.
    pub fn run_each(&mut self, field: &str) -> Result<(), DecodeError> {
        let Item::Array(len) = self.reader.next()? else { return Err(DecodeError::WrongPayload) };
        self.json.push(b'[');
        for index in 0..len {
            if index > 0 {
                self.json.push(b',');
            }
            match self.reader.next()? {
                Item::Map(len) if index == 1 => self.object(len, MAX_DEPTH - 2, Some(field))?,
                item => self.value(item, MAX_DEPTH - 1)?,
            }
        }
        self.json.push(b']');
        Ok(())
    }

    /// The JSON, the attachments, and what is wrong.
    pub fn finish(mut self) -> (Vec<u8>, Vec<Bytes>, Faults) {
        // The space that was reserved for attachments is not needed.
        if 2 * self.json.len() < self.json.capacity() {
            self.json.shrink_to_fit();
        }
        (self.json, self.attachments, self.faults)
    }

    fn break_with(&mut self, why: &'static str) {
        self.faults.broken.get_or_insert(why);
    }

    /// `depth`: how many containers may still be opened.
    fn value(&mut self, item: Item<'a>, depth: usize) -> Result<(), DecodeError> {
        // Short values have long names (the byte `c2` is `false`), so that the text may be several times as long as the message.
        if self.json.len() > self.limits.bytes as usize {
            self.break_with(intake::TOO_LARGE);
            return self.reader.skip_contents(item);
        }
        match item {
            Item::Bool(value) => self.json.extend_from_slice(if value { b"true" } else { b"false" }),
            Item::Unsigned(value) => self.integer(value, false),
            Item::Negative(value) => self.integer(value.unsigned_abs(), true),
            Item::Float(value) => self.float(value),
            Item::Str(text) => write_string(&mut self.json, text),
            Item::Garbled => {
                self.faults.garbled = true;
                self.json.extend_from_slice(b"null");
            }
            Item::Bin(bytes) => self.attachment(bytes),
            Item::Date(ms) => self.date(ms),
            // An undefined field of an object is left out together with its key, before this.
            Item::Nil | Item::Undefined => self.json.extend_from_slice(b"null"),
            // Decoders read these in different ways.
            Item::Extension => self.unwritable(intake::UNKNOWN_EXTENSION),
            Item::Array(_) | Item::Map(_) if depth == 0 => {
                self.unwritable(intake::TOO_DEEP);
                self.reader.skip_contents(item)?;
            }
            Item::Array(len) => self.array(len, depth - 1)?,
            Item::Map(len) => self.object(len, depth - 1, None)?,
        }
        Ok(())
    }

    fn array(&mut self, len: usize, depth: usize) -> Result<(), DecodeError> {
        self.json.push(b'[');
        for index in 0..len {
            if index > 0 {
                self.json.push(b',');
            }
            let item = self.reader.next()?;
            self.value(item, depth)?;
        }
        self.json.push(b']');
        Ok(())
    }

    /// Rewrites the elements of a list that are judged one by one.
    fn list(&mut self, len: usize, depth: usize) -> Result<(), DecodeError> {
        self.json.push(b'[');
        for index in 0..len {
            if index > 0 {
                self.json.push(b',');
            }
            let (start, held, outside) = (self.json.len(), self.attachments.len(), std::mem::take(&mut self.faults));
            let item = self.reader.next()?;
            self.value(item, depth)?;
            if self.faults != Faults::default() || self.attachments.len() > held {
                self.json.truncate(start);
                self.json.extend_from_slice(b"null");
                self.attachments.truncate(held);
            }
            self.faults = outside;
        }
        self.json.push(b']');
        Ok(())
    }

    /// `list`: the field whose elements are judged one by one, if there is one.
    fn object(&mut self, len: usize, depth: usize, list: Option<&str>) -> Result<(), DecodeError> {
        self.json.push(b'{');
        self.keys.open();
        let mut is_first = true;
        for _ in 0..len {
            let key = self.key()?;
            let item = self.reader.next()?;
            if let Some(key) = &key
                && item != Item::Undefined
            {
                if !is_first {
                    self.json.push(b',');
                }
                is_first = false;
                write_string(&mut self.json, key);
                self.json.push(b':');
                match item {
                    Item::Array(len) if list == Some(&**key) => self.list(len, depth - 1)?,
                    item => self.value(item, depth)?,
                }
            } else {
                self.reader.skip_contents(item)?;
            }
            if let Some(key) = key
                && !self.keys.insert(key)
            {
                self.break_with(intake::DUPLICATE_KEY);
            }
        }
        self.keys.close();
        self.json.push(b'}');
        Ok(())
    }

    /// A key as JavaScript reads it: text, or an integer in decimal (python-socketio writes integers). `None`: it is neither.
    fn key(&mut self) -> Result<Option<Cow<'a, str>>, DecodeError> {
        let item = self.reader.next()?;
        let key: Cow<'a, str> = match item {
            Item::Str(key) => key.into(),
            Item::Unsigned(key) if key <= MAX_NUMBER => key.to_string().into(),
            Item::Negative(key) if key.unsigned_abs() <= MAX_NUMBER => key.to_string().into(),
            Item::Garbled => {
                self.faults.garbled = true;
                return Ok(None);
            }
            _ => {
                self.break_with(intake::BAD_KEY);
                self.reader.skip_contents(item)?;
                return Ok(None);
            }
        };
        if let Some(fault) = intake::key_fault(&key, 0) {
            self.break_with(fault);
        }
        Ok(Some(key))
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing into a vector does not fail.
        let _ = self.json.write_fmt(text);
    }

    fn integer(&mut self, magnitude: u64, is_negative: bool) {
        if magnitude > MAX_NUMBER {
            self.break_with(intake::NUMBER_TOO_LARGE);
        }
        self.write(format_args!("{}{magnitude}", if is_negative { "-" } else { "" }));
    }

    /// Writes a number the way JavaScript does: the shortest text that reads back the same.
    fn float(&mut self, value: f64) {
        if !value.is_finite() {
            self.faults.not_a_number = true;
            self.json.extend_from_slice(b"null");
        } else if value.abs() > MAX_NUMBER as f64 {
            self.break_with(intake::NUMBER_TOO_LARGE);
            self.write(format_args!("{value:e}"));
        } else if value.fract() == 0.0 {
            self.write(format_args!("{}", value as i64));
        } else if value.abs() < 1e-6 {
            self.write(format_args!("{value:e}"));
        } else {
            self.write(format_args!("{value}"));
        }
    }

    fn attachment(&mut self, bytes: &[u8]) {
        if self.attachments.len() >= self.limits.attachments as usize {
            return self.unwritable(intake::TOO_MANY_ATTACHMENTS);
        }
        self.write(format_args!(r#"{{"_placeholder":true,"num":{}}}"#, self.attachments.len()));
        self.attachments.push(part_of(self.message, bytes));
    }

    fn date(&mut self, ms: i64) {
        match iso_date(ms) {
            Some(text) => write_string(&mut self.json, &text),
            None => self.unwritable(intake::BAD_DATE),
        }
    }

    /// Notes a value that JSON cannot express.
    fn unwritable(&mut self, why: &'static str) {
        self.break_with(why);
        self.json.extend_from_slice(b"null");
    }
}

/// The result of JavaScript's `Date.toISOString` for milliseconds since 1970 UTC; `None` outside of its range.
fn iso_date(ms: i64) -> Option<String> {
    const DAY_MS: i64 = 86_400_000;
    if ms.unsigned_abs() > 8_640_000_000_000_000 {
        return None;
    }
    let (days, ms) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    // The civil calendar counted from 1 March of year 0, in eras of 400 years
    // (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    Some(format!("{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{:03}Z", ms % 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_as_javascript_writes_them() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_732_182_543_210, "2024-11-21T09:49:03.210Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
            (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(iso_date(ms).as_deref(), Some(text));
        }
        assert_eq!(iso_date(8_640_000_000_000_001), None);
        assert_eq!(iso_date(i64::MIN), None);
    }
}
