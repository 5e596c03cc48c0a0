//! Compares the hub's parsers with the official ones. `scripts/make-protocol-vectors.mjs` has written down the answers of those.

use bytes::Bytes;
use serde::Deserialize;

use super::*;
use crate::protocol::event::Args;

#[derive(Deserialize)]
struct Vectors {
    packets: Vec<Vector>,
    strange: Strange,
}

/// A packet, in canonical form and as the official encoders write it.
#[derive(Deserialize)]
struct Vector {
    name: String,
    #[serde(rename = "type")]
    kind: u8,
    nsp: String,
    id: Option<u64>,
    json: Option<String>,
    attachments: Vec<String>,
    text: Vec<Wire>,
    msgpack: Vec<Wire>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Wire {
    Text(String),
    Hex(String),
}

#[derive(Deserialize)]
struct Strange {
    text: Vec<Judged>,
    msgpack: Vec<Judged>,
}

/// A message and whether the official decoder takes it.
#[derive(Deserialize)]
struct Judged {
    message: String,
    decodes: bool,
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("../../../tests/fixtures/protocol/vectors.json")).unwrap()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..(at + 2).min(hex.len())], 16).unwrap()).collect()
}

impl Vector {
    fn args(&self) -> Args {
        Args {
            json: Bytes::from(self.json.clone().unwrap_or_default()),
            attachments: self.attachments.iter().map(|hex| unhex(hex).into()).collect(),
        }
    }

    fn messages(&self, parser: Parser) -> Vec<Message> {
        let parts = if parser == Parser::Text { &self.text } else { &self.msgpack };
        parts
            .iter()
            .map(|part| match part {
                Wire::Text(message) => text(message),
                Wire::Hex(message) => binary(&unhex(message)),
            })
            .collect()
    }
}

#[test]
fn what_official_encoders_write_is_understood() {
    for vector in vectors().packets {
        for parser in [Parser::Text, Parser::Msgpack] {
            let result = decode(vector.messages(parser));
            let args = vector.args();
            let nsp = vector.nsp.as_str().into();
            let expected = match vector.kind {
                0 => Ok(Packet::Connect { nsp, auth: vector.json.clone().map(Bytes::from) }),
                1 => Ok(Packet::Disconnect { nsp }),
                2 => {
                    let name = args.items().next().unwrap().get().trim_matches('"').into();
                    Ok(Packet::Event { nsp, id: vector.id, name, args })
                }
                3 => Ok(Packet::Ack { nsp, id: vector.id.unwrap(), args }),
                _ => Err(DecodeError::UnknownType),
            };
            assert_eq!(result, expected, "{} by {parser:?}", vector.name);
        }
    }
}

#[test]
fn what_the_hub_writes_is_what_official_encoders_write() {
    for vector in vectors().packets {
        let args = vector.args();
        let json = vector.json.as_deref().unwrap_or_default();
        let packet = match vector.kind {
            // A server's reply always has a payload.
            0 if json.is_empty() => continue,
            0 => Outgoing::Connect { json },
            1 => Outgoing::Disconnect,
            2 => Outgoing::Event { id: vector.id, args: &args, offset: None },
            3 => Outgoing::Ack { id: vector.id.unwrap(), args: &args },
            _ => Outgoing::ConnectError { json },
        };
        assert_eq!(sent(Parser::Text, &vector.nsp, &packet), vector.messages(Parser::Text), "{}", vector.name);
        // The canonical form does not keep options and the types that only msgpack has.
        if !["event as the client sends it", "undefined", "date"].contains(&vector.name.as_str()) {
            assert_eq!(sent(Parser::Msgpack, &vector.nsp, &packet), vector.messages(Parser::Msgpack), "{}", vector.name);
        }
    }
}

#[test]
fn whatever_official_decoders_reject_is_rejected() {
    let Strange { text: texts, msgpack } = vectors().strange;
    let stricter: Vec<_> = texts
        .iter()
        .map(|judged| (judged, Decoder::new(Limits::default()).decode(text(&judged.message)).is_ok()))
        .chain(msgpack.iter().map(|judged| (judged, decode_msgpack(&unhex(&judged.message)).is_ok())))
        .inspect(|(judged, taken)| assert!(judged.decodes || !taken, "taken: {}", judged.message))
        .filter(|(judged, taken)| judged.decodes && !taken)
        .map(|(judged, _)| judged.message.as_str())
        .collect();
    // Incomplete packets, white space that is read as an id of 0, and a name that is not Unicode text.
    assert_eq!(stricter, ["", "2", "21", "2 [\"a\"]", "2/x[\"a\"]", "3", "3[]", "31", "2[\"\\ud800\"]"]);
}
