//! Lists whose elements are judged one by one, in both parsers.

use super::*;
use crate::protocol::intake::*;

const LISTS: Lists<'static> = &|nsp, event| (nsp == "/" && event == "batch").then_some("points");

/// The arguments of an event once all of its messages are there, or why it is refused.
fn judged(messages: impl IntoIterator<Item = Message>) -> Result<(String, usize), &'static str> {
    let mut decoder = Decoder::new(Limits::default());
    let mut packet = None;
    for message in messages {
        packet = decoder.decode_each(message, LISTS).expect("it decodes");
    }
    match packet.expect("the packet waits for more") {
        Packet::Event { args, .. } => Ok((String::from_utf8(args.json.to_vec()).expect("UTF-8"), args.attachments.len())),
        Packet::Refused { why, .. } => Err(why),
        other => panic!("{other:?}"),
    }
}

fn judged_text(points: &str) -> Result<String, &'static str> {
    judged([text(&format!(r#"2["batch",{{"a":1,"points":{points},"b":[2]}}]"#))]).map(|(json, _)| json)
}

/// `["batch", {"a": 1, "points": [1, <element>, 2]}]`
fn msgpack_batch(element: &[u8]) -> Vec<u8> {
    msgpack_event(&[b"\x92\xa5batch\x82\xa1a\x01\xa6points\x93\x01", element, b"\x02"].concat())
}

const MENDED: &str = r#"["batch",{"a":1,"points":[1,null,2]}]"#;

#[test]
fn an_element_that_breaks_a_rule_is_null_and_the_others_stay_as_they_were_written() {
    let deep = format!("{}1{}", "[".repeat(62), "]".repeat(62));
    for bad in [
        r#"{"x":"\ud83d"}"#,
        r#"{"\udfff":1}"#,
        r#"{"x":9007199254740993}"#,
        r#"{"x":{"y":1e400}}"#,
        r#"{"x":1,"y":2,"x":3}"#,
        r#"{"__proto__":1}"#,
        r#"{"_placeholder":true,"num":0}"#,
        &deep,
        &"[".repeat(500).chars().chain("]".repeat(500).chars()).collect::<String>(),
    ] {
        let found = judged_text(&format!(r#"[ {{"x" : "," }} ,{bad}, [1] ,{bad}]"#));
        let expected = r#"["batch",{"a":1,"points":[{"x" : "," },null,[1],null],"b":[2]}]"#;
        assert_eq!(found.as_deref(), Ok(expected), "{bad:.60}");
    }
    let as_deep_as_may_be = format!("[{}1{}]", "[".repeat(60), "]".repeat(60));
    let found = judged_text(&format!(r#"[{as_deep_as_may_be},"\ud800"]"#));
    assert_eq!(found, Ok(format!(r#"["batch",{{"a":1,"points":[{as_deep_as_may_be},null],"b":[2]}}]"#)));
}

#[test]
fn what_stands_outside_of_the_list_refuses_the_event_as_ever() {
    for (event, why) in [
        (r#"2["batch",{"points":["\ud800"],"x":"\ud800"}]"#, LONE_SURROGATE),
        (r#"2["batch",{"points":["\ud800"]},9007199254740993]"#, NUMBER_TOO_LARGE),
        (r#"2["batch",{"points":[1e400],"points":[]}]"#, DUPLICATE_KEY),
        (r#"2["batch",{"points":{"x":1e400}}]"#, NUMBER_TOO_LARGE),
        (r#"2["batch",[{"points":[1e400]}]]"#, NUMBER_TOO_LARGE),
        (r#"2["batch",{},{"points":[1e400]}]"#, NUMBER_TOO_LARGE),
        (r#"2["batch",{"x":{"points":[1e400]}}]"#, NUMBER_TOO_LARGE),
        (r#"2["other",{"points":[1e400]}]"#, NUMBER_TOO_LARGE),
        (r#"2/x,["batch",{"points":[1e400]}]"#, NUMBER_TOO_LARGE),
    ] {
        assert_eq!(judged([text(event)]), Err(why), "{event}");
    }
    let outside = msgpack_event(b"\x92\xa5batch\x82\xa6points\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xa1x\xd4\x05\x00");
    assert_eq!(judged([binary(&outside)]), Err(UNKNOWN_EXTENSION), "what refuses it is told");
    let elsewhere = b"\x83\xa4type\x02\xa4data\x92\xa5batch\x81\xa6points\x91\xd4\x05\x00\xa3nsp\xa2/x";
    assert_eq!(judged([binary(elsewhere)]), Err(UNKNOWN_EXTENSION));
}

#[test]
fn what_is_no_json_is_no_packet() {
    let mut decoder = Decoder::new(Limits::default());
    for points in [r#"["\ud800",}]"#, r#"["\ud800",nul]"#, r#"["\ud800",NaN]"#, r#"["\ud800" 1]"#, r#"["\ud800",,1]"#] {
        let event = text(&format!(r#"2["batch",{{"points":{points}}}]"#));
        assert_eq!(decoder.decode_each(event, LISTS), Err(DecodeError::BadPayload), "{points}");
    }
    let too_deep_and_cut_off = format!(r#"2["batch",{{"points":[{},1,]}}]"#, "[".repeat(100) + &"]".repeat(100));
    assert_eq!(decoder.decode_each(text(&too_deep_and_cut_off), LISTS), Err(DecodeError::BadPayload));
}

#[test]
fn in_msgpack_too() {
    for bad in [
        &b"\x81\xa1x\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"[..],
        b"\x81\xa1x\xca\x7f\x80\x00\x00",
        b"\x81\xa1x\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x81\xa1x\xd3\x80\x00\x00\x00\x00\x00\x00\x00",
        b"\x82\xa1x\x01\xa1x\x02",
        b"\x82\xa11\x01\x01\x02",
        b"\x81\xc0\x01",
        b"\x81\x91\x01\x01",
        b"\x81\xa9__proto__\x80",
        b"\x81\xa1x\xd4\x01\x00",
        b"\x81\xa1x\xc7\x02\x05\x00\x00",
        b"\x81\xa1x\xd7\x00\x7f\xff\xff\xff\xff\xff\xff\xff",
        // Half a surrogate pair, and other text that is not Unicode; as a value and as a key.
        b"\x81\xa1x\xa3\xed\xa0\x80",
        b"\x82\xa1\xff\x01\xa1y\x02",
        b"\x81\xa1x\xc4\x02hi",
        &[&[0x91; 100][..], b"\xa1\xff"].concat(),
    ] {
        assert_eq!(judged([binary(&msgpack_batch(bad))]), Ok((MENDED.into(), 0)), "{bad:x?}");
    }
    // Good elements stay, with `undefined` and dates rewritten.
    let good = judged([binary(&msgpack_batch(b"\x82\xa1x\xd4\x00\x00\xa1y\xd7\x00\x00\x00\x00\x00\x00\x00\x00\x00"))]);
    assert_eq!(good, Ok((MENDED.replace("null", r#"{"y":"1970-01-01T00:00:00.000Z"}"#), 0)));
    // An element that would exceed the limit as JSON text.
    let mut long = vec![0xdd, 0, 3, 0x0d, 0x40];
    long.extend([0xc2; 200_000]);
    assert_eq!(judged([binary(&msgpack_batch(&long))]), Ok((MENDED.into(), 0)));
    // A message that does not decode is still no packet.
    assert_eq!(Decoder::new(Limits::default()).decode_each(binary(&msgpack_batch(b"\xc1")), LISTS), Err(DecodeError::BadPayload));
    let outside = msgpack_event(b"\x92\xa5batch\x82\xa6points\x91\xa1\xff\xa1x\xa1\xff");
    assert_eq!(Decoder::new(Limits::default()).decode_each(binary(&outside), LISTS), Err(DecodeError::NotUtf8));
}

#[test]
fn an_element_with_binary_data_is_null_and_its_attachments_are_awaited_and_dropped() {
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    let head = format!(r#"51-["batch",{{"a":1,"points":[1,{{"x":{placeholder}}},2]}}]"#);
    assert_eq!(judged([text(&head), binary(b"hi")]), Ok((MENDED.into(), 0)));
    // Also with wrongly numbered placeholders.
    let wrong = head.replace("\"num\":0", "\"num\":7");
    assert_eq!(judged([text(&wrong), binary(b"hi")]), Ok((MENDED.into(), 0)));
    // Outside of the list the event's handler judges it.
    let outside = format!(r#"51-["batch",{{"points":[1],"x":{placeholder}}}]"#);
    assert_eq!(judged([text(&outside), binary(b"hi")]), Ok((outside[3..].to_owned(), 1)));
    let outside = msgpack_event(b"\x92\xa5batch\x82\xa6points\x91\xc4\x01a\xa1x\xc4\x01b");
    let expected = format!(r#"["batch",{{"points":[null],"x":{placeholder}}}]"#);
    assert_eq!(judged([binary(&outside)]), Ok((expected, 1)));
    // A decoder that continues on another node waits for the other attachments.
    let two = r#"52-["batch",{"a":1,"points":[1,[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}],2]}]"#;
    let mut first = Decoder::new(Limits::default());
    for message in [text(two), binary(b"one")] {
        assert_eq!(first.decode_each(message, LISTS), Ok(None));
    }
    let mut second = Decoder::resume(Limits::default(), first.parser(), first.half(), LISTS).expect("a half");
    let Ok(Some(Packet::Event { args, .. })) = second.decode_each(binary(b"two"), LISTS) else { panic!("it is whole") };
    assert_eq!((&args.json[..], args.attachments.len()), (MENDED.as_bytes(), 0));
}
