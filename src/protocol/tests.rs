//! Both parsers together: on what they agree, what they refuse, and what the official parsers do with it.

mod each;
mod fuzz;
mod intake;
mod packets;
mod vectors;

use bytes::Bytes;

use super::engineio::Message;
use super::packet::{DecodeError, Decoder, Limits, Outgoing, Packet, Parser, encode};

pub fn text(message: &str) -> Message {
    Message::Text(Bytes::copy_from_slice(message.as_bytes()))
}

pub fn binary(message: &[u8]) -> Message {
    Message::Binary(Bytes::copy_from_slice(message))
}

/// The packet of these messages. The last one completes it.
pub fn decode(messages: impl IntoIterator<Item = Message>) -> Result<Packet, DecodeError> {
    let mut decoder = Decoder::new(Limits::default());
    let mut packet = None;
    for message in messages {
        assert_eq!(packet, None, "messages left over");
        packet = decoder.decode(message)?;
    }
    Ok(packet.expect("the packet waits for more"))
}

pub fn decode_text(message: &str) -> Result<Packet, DecodeError> {
    decode([text(message)])
}

pub fn decode_msgpack(message: &[u8]) -> Result<Packet, DecodeError> {
    decode([binary(message)])
}

/// A msgpack event of the main namespace without an ack. `data` is its array.
pub fn msgpack_event(data: &[u8]) -> Vec<u8> {
    [b"\x83\xa4type\x02\xa4data", data, b"\xa3nsp\xa1/"].concat()
}

/// The messages that a peer receives.
pub fn sent(parser: Parser, nsp: &str, packet: &Outgoing<'_>) -> Vec<Message> {
    encode(parser, nsp, packet)
        .iter()
        .map(|frame| match frame.payload() {
            payload if frame.is_binary() => binary(payload),
            [b'4', payload @ ..] => text(std::str::from_utf8(payload).unwrap()),
            payload => panic!("no Engine.IO message: {payload:?}"),
        })
        .collect()
}
