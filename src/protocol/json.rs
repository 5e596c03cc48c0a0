//! A JSON reader that builds no values. It reads a text once and tells a [`Sink`] what it finds. The intake rules and the msgpack
//! writer are such sinks. It accepts exactly what `JSON.parse` accepts, down to a given depth.

mod slices;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use slices::{elements, member, pieces};

/// The parts of a JSON text, in their order.
pub trait Sink<'a> {
    fn null(&mut self);
    fn bool(&mut self, value: bool);
    /// A number, as it is written.
    fn number(&mut self, literal: &'a str);
    fn string(&mut self, text: Text<'a>);
    fn open(&mut self, container: Container);
    /// A key of the object that was opened last and is still open.
    fn key(&mut self, text: Text<'a>);
    /// The end of the container that was opened last.
    fn close(&mut self);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    Array,
    Object,
}

/// A JSON string as it is written between its quotes.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    pub raw: &'a str,
    escaped: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Malformed,
    /// Containers nest deeper than the caller allows. The rest of the text was not read.
    TooDeep,
}

/// An escaped half of a surrogate pair. It is legal in JSON and in a JavaScript string, but not in Unicode text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoneSurrogate;

impl<'a> Text<'a> {
    /// The string with its escapes resolved.
    pub fn unescape(self) -> Result<Cow<'a, str>, LoneSurrogate> {
        if !self.escaped {
            return Ok(Cow::Borrowed(self.raw));
        }
        let mut out = String::with_capacity(self.raw.len());
        let mut rest = self.raw;
        while let Some(at) = rest.find('\\') {
            out.push_str(&rest[..at]);
            let (character, length) = unescape_one(&rest[at..])?;
            out.push(character);
            rest = &rest[at + length..];
        }
        out.push_str(rest);
        Ok(Cow::Owned(out))
    }
}

/// The character that an escape stands for, and the length of the escape. The reader has checked that it is well-formed.
fn unescape_one(escape: &str) -> Result<(char, usize), LoneSurrogate> {
    let unit = |at: usize| escape.get(at..at + 4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let simple = match escape.as_bytes().get(1) {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => {
            let high = unit(2).ok_or(LoneSurrogate)?;
            if let Some(character) = char::from_u32(high.into()) {
                return Ok((character, 6));
            }
            let low = unit(8).filter(|_| escape[6..].starts_with("\\u")).ok_or(LoneSurrogate)?;
            let mut pair = char::decode_utf16([high, low]);
            return Ok((pair.next().and_then(Result::ok).ok_or(LoneSurrogate)?, 12));
        }
        Some(other) => char::from(*other),
        None => return Err(LoneSurrogate),
    };
    Ok((simple, 2))
}

/// Reads one value, in which at most `depth` containers nest, and returns the text behind it.
pub fn read<'a>(text: &'a str, depth: usize, sink: &mut impl Sink<'a>) -> Result<&'a str, Stop> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0 };
    reader.skip_space();
    reader.value(depth, sink)?;
    Ok(&text[reader.at..])
}

/// Reads the string or the number at the beginning of `text`.
pub fn read_string_or_number(text: &str) -> Result<Result<Text<'_>, &str>, Stop> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0 };
    match reader.peek() {
        Some(b'"') => reader.string().map(Ok),
        Some(b'-' | b'0'..=b'9') => reader.number().map(Err),
        _ => Err(Stop::Malformed),
    }
}

pub fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    /// Passes over white space and then `byte`, if `byte` comes next.
    fn takes(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &[u8]) -> Result<(), Stop> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(Stop::Malformed);
        }
        self.at += word.len();
        Ok(())
    }

    /// `depth`: how many containers may still be opened.
    fn value(&mut self, depth: usize, sink: &mut impl Sink<'a>) -> Result<(), Stop> {
        match self.peek() {
            Some(b'"') => sink.string(self.string()?),
            Some(b'{') => self.object(depth.checked_sub(1).ok_or(Stop::TooDeep)?, sink)?,
            Some(b'[') => self.array(depth.checked_sub(1).ok_or(Stop::TooDeep)?, sink)?,
            Some(b'-' | b'0'..=b'9') => sink.number(self.number()?),
            Some(b't') => {
                self.expect(b"true")?;
                sink.bool(true);
            }
            Some(b'f') => {
                self.expect(b"false")?;
                sink.bool(false);
            }
            Some(b'n') => {
                self.expect(b"null")?;
                sink.null();
            }
            _ => return Err(Stop::Malformed),
        }
        Ok(())
    }

    fn array(&mut self, depth: usize, sink: &mut impl Sink<'a>) -> Result<(), Stop> {
        self.at += 1;
        sink.open(Container::Array);
        if !self.takes(b']') {
            loop {
                self.skip_space();
                self.value(depth, sink)?;
                if self.takes(b']') {
                    break;
                }
                self.expect(b",")?;
            }
        }
        sink.close();
        Ok(())
    }

    fn object(&mut self, depth: usize, sink: &mut impl Sink<'a>) -> Result<(), Stop> {
        self.at += 1;
        sink.open(Container::Object);
        if !self.takes(b'}') {
            loop {
                self.skip_space();
                if self.peek() != Some(b'"') {
                    return Err(Stop::Malformed);
                }
                sink.key(self.string()?);
                self.skip_space();
                self.expect(b":")?;
                self.skip_space();
                self.value(depth, sink)?;
                if self.takes(b'}') {
                    break;
                }
                self.expect(b",")?;
            }
        }
        sink.close();
        Ok(())
    }

    fn string(&mut self) -> Result<Text<'a>, Stop> {
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            match *self.bytes.get(at).ok_or(Stop::Malformed)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    match self.bytes.get(at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                        Some(b'u') => {
                            let hex = self.bytes.get(at + 2..at + 6).ok_or(Stop::Malformed)?;
                            if !hex.iter().all(u8::is_ascii_hexdigit) {
                                return Err(Stop::Malformed);
                            }
                            at += 6;
                        }
                        _ => return Err(Stop::Malformed),
                    }
                }
                0..0x20 => return Err(Stop::Malformed),
                _ => at += 1,
            }
        }
        self.at = at + 1;
        Ok(Text { raw: &self.text[start..at], escaped })
    }

    fn number(&mut self) -> Result<&'a str, Stop> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<(), Stop> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(Stop::Malformed) } else { Ok(()) }
    }
}

/// Appends `text` as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x8 => b'b',
            0xc => b'f',
            0..0x20 => b'u',
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[written..at]);
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble)];
            out.extend_from_slice(&[b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
        written = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[written..]);
    out.push(b'"');
}
