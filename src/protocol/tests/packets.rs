use super::*;
use crate::protocol::event::Args;
use crate::protocol::packet::{LONGEST_AUTH, Nsp};

fn event(nsp: &str, id: Option<u64>, name: &str, json: &str) -> Result<Packet, DecodeError> {
    Ok(Packet::Event { nsp: nsp.into(), id, name: name.into(), args: Args::from_json(json.to_owned()) })
}

#[test]
fn an_event_is_found_in_its_text() {
    for (message, packet) in [
        (r#"2["a"]"#, event("/", None, "a", r#"["a"]"#)),
        (r#"2["a",{"b":[1]}]"#, event("/", None, "a", r#"["a",{"b":[1]}]"#)),
        (r#"20["a"]"#, event("/", Some(0), "a", r#"["a"]"#)),
        (r#"29007199254740992["a"]"#, event("/", Some(1 << 53), "a", r#"["a"]"#)),
        (r#"2/interview,12["a"]"#, event("/interview", Some(12), "a", r#"["a"]"#)),
        (r#"2/,12["a"]"#, event("/", Some(12), "a", r#"["a"]"#)),
        ("2[ \"a\" , 1 ] \n", event("/", None, "a", "[ \"a\" , 1 ]")),
        (r#"2["\u0061\n"]"#, event("/", None, "a\n", r#"["\u0061\n"]"#)),
        (r#"2[""]"#, event("/", None, "", r#"[""]"#)),
        (r#"2[1.5]"#, event("/", None, "1.5", "[1.5]")),
        (r#"50-["a"]"#, event("/", None, "a", r#"["a"]"#)),
    ] {
        assert_eq!(decode_text(message), packet, "{message}");
    }
}

#[test]
fn what_is_no_packet_closes_the_transport() {
    use DecodeError::*;
    for (message, error) in [
        ("", Empty),
        ("4{}", UnknownType),
        ("7[]", UnknownType),
        ("x", UnknownType),
        ("é", UnknownType),
        ("2", WrongPayload),
        ("2{}", WrongPayload),
        ("2abc", WrongPayload),
        ("2-1[\"a\"]", WrongPayload),
        ("2 [\"a\"]", WrongPayload),
        ("2[]", BadEventName),
        ("2[null]", BadEventName),
        ("2[{}]", BadEventName),
        ("2[\"\\ud800\"]", BadEventName),
        ("2[\"connect\"]", BadEventName),
        ("2[\"discon\\u006eect\"]", BadEventName),
        ("2[\"newListener\",{}]", BadEventName),
        ("2[\"a\",]", BadPayload),
        ("2[\"a\"", BadPayload),
        ("2[\"a\"]]", BadPayload),
        ("2[\"a\",NaN]", BadPayload),
        ("2[\"a\",\"\u{1}\"]", BadPayload),
        ("29007199254740993[\"a\"]", BadId),
        ("299999999999999999999999[\"a\"]", BadId),
        ("1{}", WrongPayload),
        ("0[]", WrongPayload),
        ("0null", WrongPayload),
        ("0{", BadPayload),
        ("0{\"a\":1}{}", BadPayload),
        ("3[]", BadId),
        ("31", WrongPayload),
        ("31{}", WrongPayload),
        ("5[\"a\"]", BadAttachmentCount),
        ("5-[\"a\"]", BadAttachmentCount),
        ("5+1-[\"a\"]", BadAttachmentCount),
        ("5é-[\"a\"]", BadAttachmentCount),
        ("511-[\"a\"]", TooManyAttachments),
        ("599999999999-[\"a\"]", TooManyAttachments),
    ] {
        assert_eq!(decode_text(message), Err(error), "{message}");
    }
    assert_eq!(decode([Message::Text(Bytes::from_static(b"2[\"\xff\"]"))]), Err(NotUtf8));
}

#[test]
fn an_auth_that_is_too_long_closes_the_transport() {
    for (len, error) in [(LONGEST_AUTH, None), (LONGEST_AUTH + 1, Some(DecodeError::TooLarge))] {
        let token = "x".repeat(len - r#"{"a":""}"#.len());
        assert_eq!(decode_text(&format!(r#"0{{"a":"{token}"}}"#)).err(), error, "{len}");
        let (high, low) = ((token.len() >> 8) as u8, token.len() as u8);
        let head = [&b"\x83\xa4type\x00\xa3nsp\xa1/\xa4data\x81\xa1a\xda"[..], &[high, low]].concat();
        assert_eq!(decode_msgpack(&[&head[..], token.as_bytes()].concat()).err(), error, "{len}");
    }
}

#[test]
fn what_follows_a_packet_keeps_nothing_alive() {
    let message = Bytes::from(format!("2[\"a\"]{}", " ".repeat(1_000)));
    let Ok(Packet::Event { args, .. }) = decode([Message::Text(message.clone())]) else { panic!("no event") };
    assert!(!message.as_ptr_range().contains(&args.json.as_ptr()));
}

#[test]
fn what_is_no_msgpack_packet_closes_the_transport() {
    use DecodeError::*;
    for (message, error) in [
        (&b""[..], Empty),
        (b"\xc0", BadPayload),
        (b"\x80", BadNamespace),
        (b"\x81\xa3nsp\xa1/", UnknownType),
        (b"\x82\xa3nsp\xa1/\xa4type\x04", UnknownType),
        (b"\x82\xa3nsp\xa1/\xa4type\x05", UnknownType),
        (b"\x82\xa3nsp\xa1/\xa4type\xff", UnknownType),
        (b"\x82\xa3nsp\xa1/\xa4type\xa11", UnknownType),
        (b"\x82\xa3nsp\x01\xa4type\x00", BadNamespace),
        (b"\x82\xa3nsp\xa1/\xa4type\x02", WrongPayload),
        (b"\x82\xa3nsp\xa1/\xa4type\x00\x00", BadPayload),
        (b"\x82\xa3nsp\xa1/\xa3nsp\xa1/", BadPayload),
        (b"\x82\xa3nsp\xa1/\x01\x00", BadPayload),
        (b"\x83\xa3nsp\xa1/\xa4type\x00\xa4data\x90", WrongPayload),
        (b"\x83\xa3nsp\xa1/\xa4type\x00\xa4data\xa1x", WrongPayload),
        (b"\x83\xa3nsp\xa1/\xa4type\x01\xa4data\x80", WrongPayload),
        (b"\x83\xa3nsp\xa1/\xa4type\x02\xa4data\x80", WrongPayload),
        (b"\x83\xa3nsp\xa1/\xa4type\x02\xa4data\x90", BadEventName),
        (b"\x83\xa3nsp\xa1/\xa4type\x02\xa4data\x91\xc0", BadEventName),
        (b"\x83\xa3nsp\xa1/\xa4type\x02\xa4data\x91\xd4\x00\x00", BadEventName),
        (b"\x83\xa3nsp\xa1/\xa4type\x02\xa4data\x91\xc4\x00", BadEventName),
        (b"\x83\xa3nsp\xa1/\xa4type\x02\xa4data\x91\xa7connect", BadEventName),
        (b"\x83\xa3nsp\xa1/\xa4type\x02\xa4data\x91\xa1\xff", NotUtf8),
        (b"\x83\xa3nsp\xa1/\xa4type\x02\xa4data\xdd\xff\xff\xff\xff\xa1a", BadPayload),
        (b"\x83\xa3nsp\xa1/\xa4type\x03\xa4data\x90", BadId),
        (b"\x84\xa3nsp\xa1/\xa4type\x03\xa4data\x90\xa2id\xa11", BadId),
        (b"\x84\xa3nsp\xa1/\xa4type\x03\xa4data\x90\xa2id\xff", BadId),
        (b"\x84\xa3nsp\xa1/\xa4type\x03\xa4data\x90\xa2id\xc0", BadId),
        (b"\x84\xa3nsp\xa1/\xa4type\x03\xa4data\x90\xa2id\xcf\x00\x20\x00\x00\x00\x00\x00\x01", BadId),
    ] {
        assert_eq!(decode_msgpack(message), Err(error), "{:?}", message.escape_ascii().to_string());
    }
}

#[test]
fn msgpack_fields_come_in_any_order_and_width_and_with_others() {
    let expected = event("/", Some(1), "a", r#"["a",1.5,-1]"#);
    for message in [
        &b"\x84\xa4type\x02\xa4data\x93\xa1a\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00\xff\xa2id\x01\xa3nsp\xa1/"[..],
        b"\x84\xa2id\xcf\x00\x00\x00\x00\x00\x00\x00\x01\xa3nsp\xd9\x01/\xa4data\xdc\x00\x03\xda\x00\x01a\xca\x3f\xc0\x00\x00\xd1\xff\xff\xa4type\xcc\x02",
        b"\xdf\x00\x00\x00\x05\xa2id\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xa3nsp\xdb\x00\x00\x00\x01/\xa4data\xdd\x00\x00\x00\x03\xa1a\xca\x3f\xc0\x00\x00\xd3\xff\xff\xff\xff\xff\xff\xff\xff\xa4type\xd0\x02\xa7options\x81\xa8compress\x91\xc3",
    ] {
        assert_eq!(decode_msgpack(message), expected, "{:?}", message.escape_ascii().to_string());
    }
}

#[test]
fn python_writes_nil_where_nothing_is() {
    assert_eq!(decode_msgpack(b"\x83\xa4type\x00\xa4data\xc0\xa3nsp\xa1/"), Ok(Packet::Connect { nsp: Nsp::MAIN, auth: None }));
    assert_eq!(decode_msgpack(b"\x83\xa4type\x01\xa4data\xc0\xa3nsp\xa1/"), Ok(Packet::Disconnect { nsp: Nsp::MAIN }));
}

#[test]
fn attachments_are_awaited_and_nothing_else_meanwhile() {
    let head = r#"52-/x,4["a",{"_placeholder":true,"num":1},[{"num":0,"_placeholder":true}]]"#;
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(decoder.decode(text(head)), Ok(None));
    assert!(decoder.is_waiting());
    assert_eq!(decoder.decode(binary(b"one")), Ok(None));
    let Ok(Some(Packet::Event { nsp, id, name, args })) = decoder.decode(binary(b"")) else { panic!() };
    assert_eq!((&*nsp, id, &*name, args.attachments), ("/x", Some(4), "a", vec!["one".into(), Bytes::new()]));
    assert!(!decoder.is_waiting());
    assert_eq!(decoder.decode(binary(b"more")), Err(DecodeError::UnexpectedBinary));

    assert_eq!(decode([text(head), text("2[\"b\"]")]), Err(DecodeError::UnexpectedText));
    let ack = decode([text(r#"61-4[{"_placeholder":true,"num":0}]"#), binary(b"x")]);
    assert!(matches!(ack, Ok(Packet::Ack { id: 4, args, .. }) if args.attachments == ["x"]));
}

#[test]
fn attachments_are_bounded_in_number_and_bytes() {
    let head = r#"52-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let mut decoder = Decoder::new(Limits { attachments: 1, bytes: 1000 });
    assert_eq!(decoder.decode(text(head)), Err(DecodeError::TooManyAttachments));
    let left = 1000 - head.len();
    for (second, result) in [(left - 1, Ok(true)), (left, Err(DecodeError::TooLarge))] {
        let mut decoder = Decoder::new(Limits { attachments: 2, bytes: 1000 });
        assert_eq!(decoder.decode(text(head)), Ok(None));
        assert_eq!(decoder.decode(binary(b"1")), Ok(None));
        assert_eq!(decoder.decode(binary(&vec![0; second])).map(|packet| packet.is_some()), result);
    }
}

#[test]
fn the_first_message_decides_the_parser() {
    let mut decoder = Decoder::new(Limits::default());
    assert_eq!(decoder.parser(), None);
    decoder.decode(text("0")).unwrap();
    assert_eq!(decoder.parser(), Some(Parser::Text));
    assert_eq!(decoder.decode(binary(b"\x82\xa4type\x00\xa3nsp\xa1/")), Err(DecodeError::UnexpectedBinary));

    let mut decoder = Decoder::new(Limits::default());
    decoder.decode(binary(b"\x82\xa4type\x00\xa3nsp\xa1/")).unwrap();
    assert_eq!(decoder.parser(), Some(Parser::Msgpack));
    assert_eq!(decoder.decode(text("0")), Err(DecodeError::UnexpectedText));
}

#[test]
fn an_idle_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 32);
}

#[test]
fn an_offset_is_the_last_argument() {
    let attached =
        Args { json: Bytes::from_static(br#"["a",{"_placeholder":true,"num":0}]"#), attachments: vec![Bytes::from_static(b"x")] };
    for (args, json) in [
        (Args::from_json(r#"["a"]"#), r#"["a","room:1.e.2-3"]"#),
        (Args::event("a", r#"{"b":[]}"#), r#"["a",{"b":[]},"room:1.e.2-3"]"#),
        (attached, r#"["a",{"_placeholder":true,"num":0},"room:1.e.2-3"]"#),
    ] {
        for parser in [Parser::Text, Parser::Msgpack] {
            let packet = Outgoing::Event { id: None, args: &args, offset: Some("room:1.e.2-3") };
            let Ok(Packet::Event { args: received, .. }) = decode(sent(parser, "/", &packet)) else { panic!() };
            assert_eq!((&received.json[..], &received.attachments), (json.as_bytes(), &args.attachments), "{parser:?}");
        }
    }
}

#[test]
fn long_containers_keep_their_contents() {
    for len in [0, 1, 14, 15, 16, 17, 65_534, 65_535, 65_536, 70_000] {
        let array = format!("[{}]", vec!["1"; len].join(","));
        let object = format!("{{{}}}", (0..len).map(|n| format!("\"{n}\":[]")).collect::<Vec<_>>().join(","));
        let args = Args::from_json(format!("[\"a\",[{array}],{object}]"));
        let packet = Outgoing::Event { id: None, args: &args, offset: None };
        let limits = Limits { bytes: 10_000_000, ..Limits::default() };
        for message in sent(Parser::Msgpack, "/", &packet) {
            let Ok(Some(Packet::Event { args: received, .. })) = Decoder::new(limits).decode(message) else { panic!() };
            assert!(received == args, "{len}");
        }
    }
}

#[test]
fn arguments_are_sliced_as_they_are_asked_for() {
    let args = Args::event("a\"b", r#"{"x":1}"#);
    assert_eq!(args.json, r#"["a\"b",{"x":1}]"#);
    assert_eq!(args.iter().map(|value| value.get()).collect::<Vec<_>>(), [r#"{"x":1}"#]);
    assert_eq!(args.items().count(), 2);
    assert_eq!(Args::ack("{}").items().map(|value| value.get()).collect::<Vec<_>>(), ["{}"]);
    for (json, payload) in
        [(r#"["a"]"#, "{}"), (r#"["a",null]"#, "{}"), (r#"["a",[]]"#, "[]"), (r#"["a",{"b":1},2]"#, r#"{"b":1}"#)]
    {
        assert_eq!(Args::from_json(json).payload(), payload);
    }
}
