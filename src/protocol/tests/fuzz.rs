//! Whatever comes in, nothing panics, and what is taken in reaches members of both parsers unchanged.
//! `cargo test` gives each target a short run; `cargo bolero test` a long one.

use super::*;
use crate::protocol::engineio::decode_payload;
use crate::protocol::event::Args;

/// Passes arguments on and takes them in again, by one parser.
fn through(parser: Parser, args: &Args) -> Args {
    let packet = Outgoing::Event { id: Some(1), args, offset: None };
    let limits = Limits { bytes: u32::MAX, ..Limits::default() };
    let mut decoder = Decoder::new(limits);
    let packets: Vec<_> = sent(parser, "/", &packet).into_iter().filter_map(|message| decoder.decode(message).unwrap()).collect();
    match <[Packet; 1]>::try_from(packets) {
        Ok([Packet::Event { args, .. }]) => args,
        other => panic!("{args:?} came back as {other:?}"),
    }
}

fn passes_on_unchanged(packet: Option<Packet>) {
    let Some(Packet::Event { name, args, .. }) = packet else { return };
    assert!(!crate::protocol::intake::RESERVED_EVENTS.contains(&&*name));
    let _: serde_json::Value = serde_json::from_slice(&args.json).unwrap();
    let _ = (args.payload(), args.iter().count());
    assert_eq!(through(Parser::Text, &args), args);
    // Msgpack spells it anew (escapes, white space, fractions) and numbers attachments as they come; from then on it stays.
    let spelled = through(Parser::Msgpack, &args);
    assert_eq!(spelled.attachments.len(), args.attachments.len());
    assert_eq!(through(Parser::Msgpack, &spelled), spelled);
    assert_eq!(
        sent(Parser::Msgpack, "/", &Outgoing::Ack { id: 1, args: &spelled }),
        sent(Parser::Msgpack, "/", &Outgoing::Ack { id: 1, args: &args })
    );
}

fn feed(messages: Vec<Message>) {
    let mut decoder = Decoder::new(Limits::default());
    for message in messages {
        match decoder.decode(message) {
            Ok(packet) => passes_on_unchanged(packet),
            Err(_) => return,
        }
    }
}

/// Random bytes rarely get past the first one; these, picked by random bytes, make packets that nearly are some.
const TEXT_WORDS: &[&str] = &[
    "2",
    "51-",
    "52-",
    "3",
    "61-",
    "0",
    "/x,",
    "7",
    "[\"a\",",
    "[\"a\"",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "\"b\"",
    "\"num\":0",
    "\"num\":1",
    "\"_placeholder\":true",
    "{\"_placeholder\":true,\"num\":0}",
    "{\"_placeholder\":true,\"num\":1}",
    "1",
    "-0",
    "0.1",
    "1e5",
    "5.0",
    "1e-7",
    "9007199254740993",
    "null",
    "true",
    "\"\\u00e9\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud83d\"",
    "\"é\\n\"",
    " ",
    "\"c\":[",
    "\"d\":{",
];
const MSGPACK_WORDS: &[&[u8]] = &[
    b"\x83",
    b"\x84",
    b"\xa4type\x02",
    b"\xa4type\x03",
    b"\xa3nsp\xa1/",
    b"\xa2id\x01",
    b"\xa4data",
    b"\x92\xa1a",
    b"\x93\xa1a",
    b"\xa1b",
    b"\x90",
    b"\x91",
    b"\x92",
    b"\x81",
    b"\x82",
    b"\xdc\x00\x02",
    b"\xde\x00\x01",
    b"\xc0",
    b"\xc3",
    b"\x05",
    b"\xff",
    b"\xa1c",
    b"\xc4\x01x",
    b"\xd4\x00\x00",
    b"\xd7\x00\x00\x00\x00\x00\x00\x00\x00\x01",
    b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a",
    b"\xcb\xff\xf8\x00\x00\x00\x00\x00\x00",
    b"\xca\x3f\xc0\x00\x00",
    b"\xcf\x00\x20\x00\x00\x00\x00\x00\x01",
    b"\xac_placeholder\xc3",
    b"\xa3num\x00",
    b"\xa2\xc3\xa9",
];

#[test]
fn any_text_is_decoded_or_refused() {
    bolero::check!().with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(random, picks)| {
        feed(vec![Message::Text(Bytes::copy_from_slice(random)), binary(picks)]);
        let words: String = picks.iter().map(|pick| TEXT_WORDS[usize::from(*pick) % TEXT_WORDS.len()]).collect();
        for head in ["", "2[\"a\",", "51-[\"a\","] {
            for tail in ["", "]"] {
                feed(vec![text(&[head, &words, tail].concat()), binary(random), binary(b"")]);
            }
        }
    });
}

#[test]
fn any_msgpack_is_decoded_or_refused() {
    bolero::check!().with_type::<(Vec<u8>, Vec<u8>)>().for_each(|(random, picks)| {
        feed(vec![binary(random)]);
        feed(vec![binary(&msgpack_event(random))]);
        let words: Vec<u8> =
            picks.iter().flat_map(|pick| MSGPACK_WORDS[usize::from(*pick) % MSGPACK_WORDS.len()]).copied().collect();
        feed(vec![binary(&words)]);
        for head in [&b""[..], b"\x92\xa1a", b"\x92\xa1a\x92", b"\x92\xa1a\x81\xa1b"] {
            feed(vec![binary(&msgpack_event(&[head, &words].concat()))]);
        }
    });
}

#[test]
fn any_polling_payload_is_decoded_or_refused() {
    bolero::check!().for_each(|body: &[u8]| {
        if let Ok(packets) = decode_payload(&Bytes::copy_from_slice(body), 16) {
            assert!(packets.len() <= 16);
            feed(
                packets
                    .into_iter()
                    .filter_map(|packet| match packet {
                        crate::protocol::engineio::Packet::Message(message) => Some(message),
                        _ => None,
                    })
                    .collect(),
            );
        }
    });
}
