//! Every intake rule, as each parser can break it.

use super::*;
use crate::protocol::event::Args;
use crate::protocol::intake::*;

/// Why an event is refused, if it is. Its id and name are always given.
fn verdict(result: Result<Packet, DecodeError>) -> Option<&'static str> {
    match result {
        Ok(Packet::Event { name, .. }) if &*name == "a" => None,
        Ok(Packet::Refused { name, why, .. }) if &*name == "a" => Some(why),
        other => panic!("neither taken nor refused: {other:?}"),
    }
}

fn text_event(argument: &str) -> Result<Packet, DecodeError> {
    decode_text(&format!("2[\"a\",{argument}]"))
}

fn msgpack_argument(argument: &[u8]) -> Result<Packet, DecodeError> {
    decode_msgpack(&msgpack_event(&[b"\x92\xa1a", argument].concat()))
}

/// An argument in the canonical form.
fn json_of(argument: &[u8]) -> String {
    match msgpack_argument(argument) {
        Ok(Packet::Event { args, .. }) => args.iter().next().unwrap().get().to_owned(),
        other => panic!("not taken: {other:?}"),
    }
}

#[test]
fn nesting_ends_at_64() {
    // The array of the arguments counts as one level.
    for (levels, why) in [(63, None), (64, Some(TOO_DEEP)), (100_000, Some(TOO_DEEP))] {
        assert_eq!(verdict(text_event(&("[".repeat(levels) + &"]".repeat(levels)))), why, "{levels}");
        assert_eq!(verdict(text_event(&(r#"{"x":"#.repeat(levels) + "1" + &"}".repeat(levels)))), why, "{levels}");
        assert_eq!(verdict(msgpack_argument(&[&vec![0x91; levels - 1][..], &[0x90]].concat())), why, "{levels}");
        assert_eq!(verdict(msgpack_argument(&[b"\x81\xa1x".repeat(levels), vec![0]].concat())), why, "{levels}");
    }
}

#[test]
fn too_deep_an_auth_is_no_packet() {
    let deep = |levels: usize| format!("0{}1{}", r#"{"x":"#.repeat(levels), "}".repeat(levels));
    assert!(matches!(decode_text(&deep(64)), Ok(Packet::Connect { auth: Some(_), .. })));
    assert_eq!(decode_text(&deep(65)), Err(DecodeError::TooDeep));
    let deep = |levels: usize| [&b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data"[..], &b"\x81\xa1x".repeat(levels), &[0]].concat();
    assert!(matches!(decode_msgpack(&deep(64)), Ok(Packet::Connect { auth: Some(_), .. })));
    assert_eq!(decode_msgpack(&deep(65)), Err(DecodeError::TooDeep));
}

#[test]
fn auth_is_not_held_against_the_other_rules() {
    let auth = r#"{"id":123456789012345678901,"_placeholder":true}"#;
    assert!(matches!(decode_text(&format!("0{auth}")), Ok(Packet::Connect { auth: Some(found), .. }) if found == auth));
}

#[test]
fn numbers_end_at_two_to_the_53() {
    let large = Some(NUMBER_TOO_LARGE);
    for (number, why) in [
        ("9007199254740992", None),
        ("-9007199254740992", None),
        ("9007199254740993", large),
        ("-9007199254740993", large),
        ("123456789012345678901234567890", large),
        ("4503599627370495.5", None),
        ("9007199254740993.0", large),
        ("1e15", None),
        ("1e16", large),
        ("-1E+300", large),
        ("1e400", large),
        ("1e-400", None),
        ("0.1", None),
        ("-0", None),
    ] {
        assert_eq!(verdict(text_event(number)), why, "{number}");
        assert_eq!(verdict(text_event(&format!("{{\"x\":[{number}]}}"))), why, "{number}");
    }
    for (number, why) in [
        (&b"\xcf\x00\x20\x00\x00\x00\x00\x00\x00"[..], None),
        (b"\xcf\x00\x20\x00\x00\x00\x00\x00\x01", large),
        (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", large),
        (b"\xd3\xff\xe0\x00\x00\x00\x00\x00\x00", None),
        (b"\xd3\xff\xdf\xff\xff\xff\xff\xff\xff", large),
        (b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", large),
    ] {
        assert_eq!(verdict(msgpack_argument(number)), why, "{number:x?}");
    }
    for (number, why) in [(9007199254740992.0, None), (9007199254740994.0, large), (-1e300, large), (f64::MIN_POSITIVE, None)] {
        assert_eq!(verdict(msgpack_argument(&[&[0xcb], &number.to_be_bytes()[..]].concat())), why, "{number}");
    }
}

#[test]
fn what_is_not_a_number_is_left_to_the_event() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let double = [&[0xcb], &number.to_be_bytes()[..]].concat();
        assert_eq!(verdict(msgpack_argument(&double)), Some(NOT_A_NUMBER));
        assert_eq!(
            verdict(msgpack_argument(&[b"\x81\xa1x\xca", &(number as f32).to_be_bytes()[..]].concat())),
            Some(NOT_A_NUMBER)
        );
        // Any other fault takes precedence, wherever it stands.
        assert_eq!(verdict(msgpack_argument(&[b"\x92", &double[..], b"\xd4\x05\x00"].concat())), Some(UNKNOWN_EXTENSION));
    }
}

#[test]
fn placeholders_number_each_attachment_once() {
    let one = r#"{"_placeholder":true,"num":0}"#;
    for (attachments, argument, why) in [
        (1, one, None),
        (1, r#" { "num" : 0 , "_placeholder" : true } "#, None),
        (1, r#"{"_place\u0068older":true,"num":0}"#, None),
        (1, r#"[{"num":5},{"x":{"_placeholder":true,"num":0}}]"#, None),
        (2, r#"[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#, None),
        (1, "1", Some(BAD_PLACEHOLDER)),
        (2, one, Some(BAD_PLACEHOLDER)),
        (1, r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":true,"num":1}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":true,"num":-1}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":true,"num":-0}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":true,"num":0.0}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":true,"num":0.5}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":true,"num":"0"}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":true,"num":99999999999999}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":true}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":false,"num":0}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":1,"num":0}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":[true],"num":[0]}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"{"_placeholder":true,"num":0,"x":1}"#, Some(BAD_PLACEHOLDER)),
        (1, r#"[{"_placeholder":true,"num":0},{"_placeholder":null}]"#, Some(BAD_PLACEHOLDER)),
        (0, one, Some(FORGED_PLACEHOLDER)),
        (0, r#"[{"x":{"_placeholder":false}}]"#, Some(FORGED_PLACEHOLDER)),
        (0, r#"{"_\u0070laceholder":null}"#, Some(FORGED_PLACEHOLDER)),
        (0, r#"{"placeholder":true,"num":0,"x":"_placeholder"}"#, None),
    ] {
        let head = format!("5{attachments}-[\"a\",{argument}]");
        let messages = std::iter::once(text(&head)).chain((0..attachments).map(|_| binary(b"x")));
        assert_eq!(verdict(decode(messages)), why, "{head}");
    }
    assert_eq!(verdict(text_event(one)), Some(FORGED_PLACEHOLDER));
    assert_eq!(verdict(msgpack_argument(b"\x82\xac_placeholder\xc3\xa3num\x00")), Some(FORGED_PLACEHOLDER));
    assert_eq!(verdict(msgpack_argument(b"\x92\xc4\x00\x81\xac_placeholder\xc0")), Some(FORGED_PLACEHOLDER));
}

#[test]
fn keys_are_text_and_come_once() {
    let many = |last: &str| format!("{{{}\"{last}\":0}}", (0..100).map(|n| format!("\"k{n}\":0,")).collect::<String>());
    for (argument, why) in [
        (r#"{"b":1,"b":2}"#.to_owned(), Some(DUPLICATE_KEY)),
        (r#"{"b":1,"\u0062":2}"#.to_owned(), Some(DUPLICATE_KEY)),
        (r#"[{"b":{"c":1}},{"b":{"b":{"c":1}}}]"#.to_owned(), None),
        (r#"{"c":{"b":1},"b":1,"d":{"b":1},"c":1}"#.to_owned(), Some(DUPLICATE_KEY)),
        (many("k100"), None),
        (many("k0"), Some(DUPLICATE_KEY)),
        (many("k99"), Some(DUPLICATE_KEY)),
        (r#"{"__proto__":{}}"#.to_owned(), Some(RESERVED_KEY)),
        (r#"{"\ud800":1}"#.to_owned(), Some(LONE_SURROGATE)),
    ] {
        assert_eq!(verdict(text_event(&argument)), why, "{argument}");
    }
    assert_eq!(verdict(msgpack_argument(b"\x82\xa1b\x00\xa1b\x00")), Some(DUPLICATE_KEY));
    assert_eq!(verdict(msgpack_argument(b"\x82\xa11\x00\x01\x00")), Some(DUPLICATE_KEY));
    assert_eq!(verdict(msgpack_argument(b"\x81\xa9__proto__\x80")), Some(RESERVED_KEY));
    assert_eq!(json_of(b"\x83\x01\xa1x\xff\xa1y\xa1z\xc0"), r#"{"1":"x","-1":"y","z":null}"#);
    for key in
        [&b"\xc0"[..], b"\xc3", b"\xcb\x00\x00\x00\x00\x00\x00\x00\x00", b"\x90", b"\x81\xa1x\x01", b"\xc4\x01x", b"\xd4\x00\x00"]
    {
        assert_eq!(verdict(msgpack_argument(&[b"\x82", key, b"\x91\x00\xa1y\x00"].concat())), Some(BAD_KEY), "{key:x?}");
    }
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    assert_eq!(verdict(text_event(r#""\ud83d""#)), Some(LONE_SURROGATE));
    assert_eq!(verdict(text_event(r#"{"x":["\ude00\ud83d"]}"#)), Some(LONE_SURROGATE));
    assert_eq!(verdict(text_event(r#""\ud83d\ude00""#)), None);
}

#[test]
fn undefined_is_an_absent_field_and_null_in_an_array() {
    assert_eq!(json_of(b"\xd4\x00\x00"), "null");
    assert_eq!(json_of(b"\x93\x01\xd4\x00\x00\x02"), "[1,null,2]");
    assert_eq!(json_of(b"\x83\xa1x\xd4\x00\x00\xa1y\x01\xa1z\xd4\x00\x00"), r#"{"y":1}"#);
    assert_eq!(json_of(b"\x81\xa1x\xd4\x00\x00"), "{}");
}

#[test]
fn a_date_is_read_as_its_iso_string() {
    assert_eq!(json_of(b"\xd7\x00\x00\x00\x01\x93\x4e\x20\x0b\x6a"), "\"2024-11-21T09:49:03.210Z\"");
    assert_eq!(verdict(msgpack_argument(b"\xd7\x00\x7f\xff\xff\xff\xff\xff\xff\xff")), Some(BAD_DATE));
}

#[test]
fn other_extensions_are_refused() {
    for extension in [
        &b"\xd4\x00\x01"[..],
        b"\xd4\x01\x00",
        b"\xd5\x00\x00\x00",
        b"\xd6\xff\x00\x00\x00\x00",
        b"\xd7\xff\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\xd7\x01\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\xd8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\xc7\x00\x00",
        b"\xc7\x01\x00\x00",
        // An ArrayBuffer as the official encoder writes it in Node. Browsers read it as something else.
        b"\xc7\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\xc8\x00\x00\x05",
        b"\xc9\x00\x00\x00\x00\x05",
        b"\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    ] {
        assert_eq!(verdict(msgpack_argument(extension)), Some(UNKNOWN_EXTENSION), "{extension:x?}");
    }
}

#[test]
fn numbers_read_as_javascript_writes_them() {
    for (number, json) in [
        (5.0, "5"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (14.599512345678901, "14.599512345678901"),
        (1e-6, "0.000001"),
        (1.5e-7, "1.5e-7"),
        (5e-324, "5e-324"),
        (-2.5, "-2.5"),
        (9007199254740992.0, "9007199254740992"),
    ] {
        assert_eq!(json_of(&[&[0xcb], &f64::to_be_bytes(number)[..]].concat()), json);
    }
    assert_eq!(json_of(b"\xca\x3d\xcc\xcc\xcd"), "0.10000000149011612");
}

#[test]
fn more_attachments_than_a_client_takes_are_refused_in_msgpack() {
    assert_eq!(verdict(msgpack_argument(&[&[0x9a], &b"\xc4\x01x".repeat(10)[..]].concat())), None);
    assert_eq!(verdict(msgpack_argument(&[&[0x9b], &b"\xc4\x01x".repeat(11)[..]].concat())), Some(TOO_MANY_ATTACHMENTS));
}

#[test]
fn text_that_outgrows_the_limit_is_refused() {
    let mut long = vec![0xdd, 0, 3, 0x0d, 0x40];
    long.extend([0xc2; 200_000]);
    assert_eq!(verdict(msgpack_argument(&long)), Some(TOO_LARGE));
}

#[test]
fn what_follows_a_broken_rule_must_still_decode() {
    assert_eq!(text_event(r#"{"__proto__":1},"#), Err(DecodeError::BadPayload));
    assert_eq!(decode_msgpack(&msgpack_event(b"\x92\xa1a\x82\xa9__proto__\x01\xa1\xff\x00")), Err(DecodeError::NotUtf8));
    let deep = [&b"\x92\xa1a"[..], &[0x91; 100], &[0xc1]].concat();
    assert_eq!(decode_msgpack(&msgpack_event(&deep)), Err(DecodeError::BadPayload));
}

#[test]
fn a_refusal_tells_whom_to_answer() {
    for result in [
        decode_text(r#"2/x,7["a",{"__proto__":1}]"#),
        decode_msgpack(b"\x84\xa4type\x02\xa4data\x92\xa1a\x81\xa9__proto__\x01\xa2id\x07\xa3nsp\xa2/x"),
    ] {
        assert_eq!(result, Ok(Packet::Refused { nsp: "/x".into(), id: Some(7), name: "a".into(), why: RESERVED_KEY }));
    }
    // An acknowledgement is not acknowledged.
    for result in [
        decode_text(r#"3/x,7[{"__proto__":1}]"#),
        decode_msgpack(b"\x84\xa4type\x03\xa4data\x91\x81\xa9__proto__\x01\xa2id\x07\xa3nsp\xa2/x"),
    ] {
        assert_eq!(result, Ok(Packet::Refused { nsp: "/x".into(), id: None, name: "".into(), why: RESERVED_KEY }));
    }
}

#[test]
fn a_refused_packet_still_takes_its_attachments() {
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(decoder.decode(text(r#"51-["a",{"_placeholder":true,"num":3}]"#)), Ok(None));
    assert!(matches!(decoder.decode(binary(b"x")), Ok(Some(Packet::Refused { .. }))));
    assert!(matches!(decoder.decode(text("2[\"a\"]")), Ok(Some(Packet::Event { .. }))));
}

#[test]
fn binary_data_becomes_an_attachment() {
    let Ok(Packet::Event { args, .. }) = msgpack_argument(b"\x82\xa1x\xc4\x02hi\xa1y\x91\xc5\x00\x00") else { panic!() };
    let json = r#"["a",{"x":{"_placeholder":true,"num":0},"y":[{"_placeholder":true,"num":1}]}]"#;
    assert_eq!(args, Args { json: json.into(), attachments: vec!["hi".into(), Bytes::new()] });
}
