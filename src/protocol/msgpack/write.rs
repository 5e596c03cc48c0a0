//! Writes msgpack. Canonical JSON is read once and written while it is read; attachments take the places of their placeholders.

use bytes::Bytes;
use rmp::encode;
use smallvec::SmallVec;

use crate::protocol::intake::{MAX_NUMBER, PLACEHOLDER};
use crate::protocol::json::{self, Container, Sink, Text};

/// Deeper than the limit for incoming values, because the hub wraps some of them.
const MAX_DEPTH: usize = 128;

/// A packet that is being written.
#[derive(Default)]
pub struct Transcript {
    out: Vec<u8>,
}

impl Transcript {
    /// The head of a map with so many `fields`, and the first field.
    pub fn start(&mut self, fields: u32, kind: u64) {
        infallible(encode::write_map_len(&mut self.out, fields));
        self.str("type");
        infallible(encode::write_uint(&mut self.out, kind));
    }

    pub fn id(&mut self, id: u64) {
        self.str("id");
        infallible(encode::write_uint(&mut self.out, id));
    }

    /// The field `data` from `json`. `offset` becomes the last element of its array.
    pub fn data(&mut self, json: &[u8], attachments: &[Bytes], offset: Option<&str>) {
        self.str("data");
        let start = self.out.len();
        self.out.reserve(json.len());
        let mut writer = Writer { out: &mut self.out, attachments, offset, levels: SmallVec::new() };
        let is_whole =
            std::str::from_utf8(json).is_ok_and(|json| json::read(json, MAX_DEPTH, &mut writer).is_ok_and(str::is_empty));
        debug_assert!(is_whole, "the hub's own JSON: {}", String::from_utf8_lossy(json));
        if !is_whole {
            // An empty packet is better than one that ends the connection of every client in the room.
            self.out.truncate(start);
            if json.starts_with(b"{") {
                infallible(encode::write_map_len(&mut self.out, 0));
            } else {
                infallible(encode::write_array_len(&mut self.out, 0));
            }
        }
    }

    /// The whole packet. The namespace is its last field.
    pub fn finish(mut self, nsp: &str) -> Vec<u8> {
        self.str("nsp");
        self.str(nsp);
        self.out
    }

    fn str(&mut self, text: &str) {
        infallible(encode::write_str(&mut self.out, text));
    }
}

/// Writing into a vector does not fail.
fn infallible<T, E>(result: Result<T, E>) {
    debug_assert!(result.is_ok());
}

struct Writer<'w> {
    out: &'w mut Vec<u8>,
    attachments: &'w [Bytes],
    offset: Option<&'w str>,
    levels: SmallVec<[Level; 8]>,
}

/// A container whose length is not known yet. One byte is reserved for its head.
struct Level {
    container: Container,
    head: usize,
    /// How many elements or entries it has so far.
    len: u32,
    is_placeholder: bool,
    /// Whether the last key is `num`, and the number behind it.
    is_num: bool,
    num: Option<usize>,
}

impl Writer<'_> {
    /// Counts a value of an array. In an object the key was counted instead.
    fn count(&mut self) {
        if let Some(level) = self.levels.last_mut().filter(|level| level.container == Container::Array) {
            level.len += 1;
        }
    }

    /// Fills in the head of a container. If the head needs more than the reserved byte, the contents are moved.
    fn head(&mut self, container: Container, at: usize, len: u32) {
        let (fix, wide) = match container {
            Container::Array => (0x90, 0xdc),
            Container::Object => (0x80, 0xde),
        };
        let bytes = len.to_be_bytes();
        match len {
            0..16 => self.out[at] = fix | bytes[3],
            16..0x1_0000 => drop(self.out.splice(at..=at, [wide, bytes[2], bytes[3]])),
            _ => drop(self.out.splice(at..=at, [wide + 1, bytes[0], bytes[1], bytes[2], bytes[3]])),
        }
    }

    fn text(&mut self, text: Text<'_>) {
        match text.unescape() {
            Ok(text) => infallible(encode::write_str(self.out, &text)),
            // Such text is refused when it comes in. A browser would send a replacement character for it.
            Err(json::LoneSurrogate) => infallible(encode::write_str(self.out, "\u{fffd}")),
        }
    }
}

impl<'a> Sink<'a> for Writer<'_> {
    fn null(&mut self) {
        self.count();
        infallible(encode::write_nil(self.out));
    }

    fn bool(&mut self, value: bool) {
        self.count();
        infallible(encode::write_bool(self.out, value));
    }

    /// Whole numbers are written as integers, as the official encoder does; other numbers as doubles.
    fn number(&mut self, literal: &'a str) {
        self.count();
        if let Some(level) = self.levels.last_mut().filter(|level| level.is_num) {
            level.num = literal.parse().ok();
        }
        if let Ok(value) = literal.parse::<i64>() {
            infallible(encode::write_sint(self.out, value));
        } else if let Ok(value) = literal.parse::<u64>() {
            infallible(encode::write_uint(self.out, value));
        } else {
            let value = literal.parse::<f64>().unwrap_or(f64::NAN);
            if value.fract() == 0.0 && value.abs() <= MAX_NUMBER as f64 {
                infallible(encode::write_sint(self.out, value as i64));
            } else {
                infallible(encode::write_f64(self.out, value));
            }
        }
    }

    fn string(&mut self, text: Text<'a>) {
        self.count();
        self.text(text);
    }

    fn open(&mut self, container: Container) {
        self.count();
        self.levels.push(Level { container, head: self.out.len(), len: 0, is_placeholder: false, is_num: false, num: None });
        self.out.push(0);
    }

    fn key(&mut self, text: Text<'a>) {
        if let Some(level) = self.levels.last_mut() {
            level.len += 1;
            if !self.attachments.is_empty() {
                let key = text.unescape().unwrap_or_default();
                level.is_placeholder |= key == PLACEHOLDER;
                level.is_num = key == "num";
            }
        }
        self.text(text);
    }

    fn close(&mut self) {
        let Some(mut level) = self.levels.pop() else { return };
        let attachment = level.num.filter(|_| level.is_placeholder).and_then(|num| self.attachments.get(num));
        if let Some(bytes) = attachment {
            self.out.truncate(level.head);
            infallible(encode::write_bin(self.out, bytes));
            return;
        }
        if let Some(offset) = self.offset.filter(|_| self.levels.is_empty()) {
            infallible(encode::write_str(self.out, offset));
            level.len += 1;
        }
        self.head(level.container, level.head, level.len);
    }
}
