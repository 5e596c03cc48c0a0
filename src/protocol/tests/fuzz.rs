//! No input causes a panic, and what is accepted reaches clients of both parsers unchanged.
//! `cargo test` gives each target a short run; `cargo bolero test` a long one.

use super::*;
use crate::protocol::engineio::decode_payload;
use crate::protocol::event::Args;

/// Writes arguments and reads them again with one parser.
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
    // Msgpack changes how it is written (escapes, white space, fractions) and numbers attachments in their order; after that it
    // stays.
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

/// Most random bytes fail at the first one. So here they choose what is written next: values that are well-formed except for a
/// word now and then. When the bytes run out, the rest is plain.
struct Author<'a> {
    choices: std::slice::Iter<'a, u8>,
    attachments: usize,
}

const JSON_SCALARS: &[&str] = &[
    "null",
    "true",
    "false",
    "1",
    "-0",
    "0.1",
    "1e5",
    "5.0",
    "1e-7",
    "-12.5",
    "9007199254740992",
    "4294967296",
    r#""""#,
    r#""b""#,
    r#""\u00e9\n""#,
    r#""\ud83d\ude00""#,
    " \"é\" ",
    "4.35e-300",
];
const JSON_ODDITIES: &[&str] = &[
    r#"{"_placeholder":true,"num":0}"#,
    "9007199254740993",
    r#""\ud83d""#,
    "NaN",
    "",
    "}",
    "]",
    ",",
    "\"",
    r#"{"__proto__":1}"#,
    "1e400",
    r#"{"b":1,"b":2}"#,
];
const MSGPACK_SCALARS: &[&[u8]] = &[
    b"\xc0",
    b"\xc2",
    b"\xc3",
    b"\x05",
    b"\xff",
    b"\xcc\xff",
    b"\xcd\xff\xff",
    b"\xce\xff\xff\xff\xff",
    b"\xcf\x00\x1f\xff\xff\xff\xff\xff\xff",
    b"\xd0\x80",
    b"\xd1\x80\x00",
    b"\xd2\x80\x00\x00\x00",
    b"\xd3\xff\xff\xff\xff\x00\x00\x00\x00",
    b"\xa0",
    b"\xa1b",
    b"\xd9\x02\xc3\xa9",
    b"\xa2\n\x01",
    b"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a",
    b"\xca\x3e\x99\x99\x9a",
    b"\xd4\x00\x00",
    b"\xd7\x00\x00\x00\x01\x00\x00\x00\x00\x01",
    b"\xc4\x01x",
    b"\xc5\x00\x00",
];
const MSGPACK_ODDITIES: &[&[u8]] = &[
    b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    b"\xcf\x00\x20\x00\x00\x00\x00\x00\x01",
    b"\xc1",
    b"",
    b"\xa2\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\x81\xac_placeholder\xc3",
    b"\xd6\xff\x00\x00\x00\x00",
    b"\x81\x07\xc0",
    b"\x81\xc0\xc0",
    b"\x82\xa1b\xc0\xa1b\xc0",
];

impl<'a> Author<'a> {
    fn new(choices: &'a [u8]) -> Self {
        Self { choices: choices.iter(), attachments: 0 }
    }

    fn choose(&mut self, of: usize) -> usize {
        self.choices.next().map_or(0, |choice| usize::from(*choice) % of)
    }

    fn json(&mut self, out: &mut String) {
        match self.choose(12) {
            0..=4 => *out += JSON_SCALARS[self.choose(JSON_SCALARS.len())],
            5 if self.attachments < 9 => {
                *out += &format!(r#"{{"_placeholder":true,"num":{}}}"#, self.attachments);
                self.attachments += 1;
            }
            6 if self.choose(4) == 3 => *out += JSON_ODDITIES[self.choose(JSON_ODDITIES.len())],
            kind => {
                let (open, close) = if kind < 9 { ('[', ']') } else { ('{', '}') };
                out.push(open);
                for index in 0..self.choose(20) {
                    if index > 0 {
                        out.push(',');
                    }
                    if open == '{' {
                        *out += &format!("\"k{index}\":");
                    }
                    self.json(out);
                }
                out.push(close);
            }
        }
    }

    fn msgpack(&mut self, out: &mut Vec<u8>) {
        match self.choose(12) {
            0..=4 => out.extend_from_slice(MSGPACK_SCALARS[self.choose(MSGPACK_SCALARS.len())]),
            6 if self.choose(4) == 3 => out.extend_from_slice(MSGPACK_ODDITIES[self.choose(MSGPACK_ODDITIES.len())]),
            kind => {
                let len = self.choose(20);
                out.extend_from_slice(&[if kind < 9 { 0xdc } else { 0xde }, 0, len as u8]);
                for index in 0..len {
                    if kind >= 9 {
                        out.extend_from_slice(&[0xa2, b'k', b'a' + index as u8]);
                    }
                    self.msgpack(out);
                }
            }
        }
    }
}

#[test]
fn any_text_is_decoded_or_refused() {
    bolero::check!().for_each(|random: &[u8]| {
        feed(vec![Message::Text(Bytes::copy_from_slice(random)), binary(random)]);
        let mut author = Author::new(random);
        let mut value = String::new();
        author.json(&mut value);
        feed(vec![text(&format!("2[\"a\",{value}]"))]);
        let attachments = (0..author.attachments).map(|index| binary(&random[..index]));
        feed(std::iter::once(text(&format!("5{}-[\"a\",{value}]", author.attachments))).chain(attachments).collect());
    });
}

#[test]
fn any_msgpack_is_decoded_or_refused() {
    bolero::check!().for_each(|random: &[u8]| {
        feed(vec![binary(random)]);
        feed(vec![binary(&msgpack_event(random))]);
        let mut value = b"\x92\xa1a".to_vec();
        Author::new(random).msgpack(&mut value);
        feed(vec![binary(&msgpack_event(&value))]);
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
