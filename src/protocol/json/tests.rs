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
