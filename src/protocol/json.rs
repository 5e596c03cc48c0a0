//! A JSON reader that builds nothing: it walks through a text once and tells a [`Sink`] what it meets. The intake rules and the
//! msgpack writer are such sinks. It accepts exactly what `JSON.parse` accepts, down to a given depth.

use std::borrow::Cow;

/// What a text consists of, in its order.
pub trait Sink<'a> {
    fn null(&mut self);
    fn bool(&mut self, value: bool);
    /// The number as it is written.
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
    /// Containers nest deeper than asked for. What follows was not looked at.
    TooDeep,
}

/// Half of a surrogate pair, escaped: legal in JSON and in a JavaScript string, but not in Unicode text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoneSurrogate;

impl<'a> Text<'a> {
    /// What the string says, its escapes resolved.
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

/// The character that an escape stands for, and the length of that escape. The reader has found it well-formed.
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

/// Reads one value, which nests at most `depth` containers, and returns what stands behind it.
pub fn read<'a>(text: &'a str, depth: usize, sink: &mut impl Sink<'a>) -> Result<&'a str, Stop> {
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0 };
    reader.skip_space();
    reader.value(depth, sink)?;
    Ok(&text[reader.at..])
}

/// Reads the string or the number that `text` starts with.
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

    /// Takes `byte` if it comes next, white space before it included.
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

/// The elements of a JSON array that is known to be well-formed, white space around them cut off. In anything else they are
/// some slices of it, or none.
pub fn elements(json: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = json.trim_ascii().strip_prefix(b"[").unwrap_or_default();
    std::iter::from_fn(move || {
        let (element, behind) = rest.split_at(element_len(rest));
        rest = behind.get(1..).unwrap_or_default();
        Some(element.trim_ascii()).filter(|element| !element.is_empty())
    })
}

/// What stands between the commas of a container, white space around it cut off; `inner` is the container without its brackets.
/// Whether each of them is a value is for the caller to find out: nothing is left out, whatever `inner` is.
pub fn pieces(inner: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(inner).filter(|inner| !inner.bytes().all(is_space));
    std::iter::from_fn(move || {
        let all = rest.take()?;
        let (piece, behind) = all.split_at(element_len(all.as_bytes()));
        match behind.strip_prefix(',') {
            Some(more) => rest = Some(more),
            None if behind.is_empty() => {}
            // A bracket that closes nothing: no value comes out of it.
            None => return Some(all),
        }
        Some(piece.trim_matches([' ', '\t', '\n', '\r']))
    })
}

/// The raw value of the first member of this name in a JSON object. In anything else it is some slice of it, or none.
pub fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    pieces(object.strip_prefix('{')?.strip_suffix('}')?).find_map(|piece| {
        let (key, value) = split_member(piece)?;
        key.unescape().is_ok_and(|key| key == name).then_some(value)
    })
}

fn split_member(piece: &str) -> Option<(Text<'_>, &str)> {
    let mut reader = Reader { text: piece, bytes: piece.as_bytes(), at: 0 };
    let key = reader.peek().filter(|byte| *byte == b'"').and_then(|_| reader.string().ok())?;
    if !reader.takes(b':') {
        return None;
    }
    reader.skip_space();
    Some((key, &piece[reader.at..]))
}

/// Where the comma or the bracket stands that ends the element which `json` starts with.
fn element_len(json: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut bytes = json.iter().enumerate();
    let mut in_string = false;
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                bytes.next();
            }
            _ if in_string => {}
            b'[' | b'{' => depth += 1,
            b',' | b']' | b'}' if depth == 0 => return at,
            b']' | b'}' => depth -= 1,
            _ => {}
        }
    }
    json.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Sink<'_> for Nothing {
        fn null(&mut self) {}
        fn bool(&mut self, _: bool) {}
        fn number(&mut self, _: &str) {}
        fn string(&mut self, _: Text<'_>) {}
        fn open(&mut self, _: Container) {}
        fn key(&mut self, _: Text<'_>) {}
        fn close(&mut self) {}
    }

    #[test]
    fn the_reader_accepts_what_the_grammar_accepts() {
        for good in [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "12",
            "-1.5",
            "1e5",
            "1E+5",
            "1.25e-3",
            r#""""#,
            r#""é\"\\\/\b\f\n\r\t\u00e9""#,
            r#""\ud800""#,
            "[]",
            "[ ]",
            "{}",
            "{ }",
            "[1 , 2]",
            r#" { "a" : [ { } ] , "b" : null }"#,
            "\"\u{7f}\u{2028}\"",
        ] {
            assert_eq!(read(good, 64, &mut Nothing), Ok(""), "{good}");
        }
        for bad in [
            "",
            " ",
            "nul",
            "True",
            "NaN",
            "Infinity",
            "-",
            "+1",
            "01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "0x1",
            "\"",
            "\"\n\"",
            r#""\x""#,
            r#""\u12""#,
            r#""\u12g4""#,
            r#""\"#,
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{",
            "{a:1}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            r#"{"a":1 "b":2}"#,
            "]",
            "}",
            "'a'",
            "undefined",
        ] {
            assert_ne!(read(bad, 64, &mut Nothing), Ok(""), "{bad}");
        }
        assert_eq!(read("[1] x", 64, &mut Nothing), Ok(" x"));
    }

    #[test]
    fn it_stops_at_the_depth_asked_for() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(read(&nested(64), 64, &mut Nothing), Ok(""));
        assert_eq!(read(&nested(65), 64, &mut Nothing), Err(Stop::TooDeep));
        assert_eq!(read(&"[".repeat(1_000_000), 64, &mut Nothing), Err(Stop::TooDeep));
        assert_eq!(read(&"{\"a\":".repeat(100_000), 64, &mut Nothing), Err(Stop::TooDeep));
    }

    #[test]
    fn escapes_say_what_they_say() {
        for (json, text) in [
            (r#""a""#, Ok("a")),
            (r#""\"\\\/\b\f\n\r\t""#, Ok("\"\\/\u{8}\u{c}\n\r\t")),
            (r#""x\u00e9y\u0000""#, Ok("xéy\0")),
            (r#""\ud83d\ude00!""#, Ok("😀!")),
            (r#""\ud83d""#, Err(LoneSurrogate)),
            (r#""\ud83dxude00""#, Err(LoneSurrogate)),
            (r#""\ud83d\u0041""#, Err(LoneSurrogate)),
            (r#""\ude00\ud83d""#, Err(LoneSurrogate)),
        ] {
            let read = read_string_or_number(json).unwrap().unwrap();
            assert_eq!(read.unescape().as_deref().map_err(|err| *err), text, "{json}");
        }
    }

    #[test]
    fn a_written_string_reads_back() {
        let text: String = (0..0x250).filter_map(char::from_u32).chain("😀\u{2028}".chars()).collect();
        let mut out = Vec::new();
        write_string(&mut out, &text);
        assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        assert_eq!(out, serde_json::to_vec(&text).unwrap());
    }

    #[test]
    fn elements_are_sliced_whatever_they_hold() {
        let json = br#" [ "a,]\"" , [1,[2]],{"x":"}"},null ] "#;
        let found: Vec<_> = elements(json).map(|element| std::str::from_utf8(element).unwrap()).collect();
        assert_eq!(found, [r#""a,]\"""#, "[1,[2]]", r#"{"x":"}"}"#, "null"]);
        for none in ["", "[]", "[ ]", "{}", "x", "\\"] {
            assert_eq!(elements(none.as_bytes()).count(), 0, "{none}");
        }
    }

    #[test]
    fn pieces_leave_nothing_out_whatever_they_are() {
        for (inner, expected) in [
            (r#" "a,]" , [1,[2]] ,{"x":"}"}"#, &[r#""a,]""#, "[1,[2]]", r#"{"x":"}"}"#][..]),
            ("", &[]),
            (" ", &[]),
            ("1,,2", &["1", "", "2"]),
            ("1,", &["1", ""]),
            (",", &["", ""]),
            ("1]2,3", &["1]2,3"]),
            ("1,}", &["1", "}"]),
            (r#"1,"a"#, &["1", r#""a"#]),
            ("[1,2", &["[1,2"]),
        ] {
            assert_eq!(pieces(inner).collect::<Vec<_>>(), expected, "{inner}");
        }
    }

    #[test]
    fn a_member_is_found_however_its_name_is_written() {
        let object = r#"{ "a" : {"b":1} , "b":"x,}" ,"p\u006fints": [1, 2] , "b":3}"#;
        for (name, value) in
            [("a", Some(r#"{"b":1}"#)), ("b", Some(r#""x,}""#)), ("points", Some("[1, 2]")), ("c", None), ("", None)]
        {
            assert_eq!(member(object, name), value, "{name}");
        }
        for other in ["", "[]", "{}", "{", "{\"a\"}", "{a:1}", "\"a\""] {
            assert_eq!(member(other, "a"), None, "{other}");
        }
    }
}
