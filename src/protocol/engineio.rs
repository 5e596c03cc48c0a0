//! Engine.IO v4 packets (<https://socket.io/docs/v4/engine-io-protocol/>). A WebSocket message holds one; a long-polling payload
//! holds several, separated by `0x1e`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;

use crate::core::wire::Blob;

use super::frame::Frame;
use super::part_of;

/// What separates the packets of a long-polling payload.
const SEPARATOR: u8 = 0x1e;

/// A packet from a client. `open` is missing: only a server sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Close,
    /// `ping` with its data. Only `probe`, during an upgrade, is legal.
    Ping(Bytes),
    Pong(Bytes),
    Message(Message),
    Upgrade,
    Noop,
}

/// The payload of a `message` packet. `Text` is valid UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    Text(Bytes),
    Binary(Bytes),
}

impl Message {
    /// The bytes of the payload.
    pub fn size(&self) -> usize {
        match self {
            Self::Text(data) | Self::Binary(data) => data.len(),
        }
    }
}

/// The form between nodes: whether the payload is binary, and its bytes.
impl From<Message> for (bool, Blob) {
    fn from(message: Message) -> Self {
        match message {
            Message::Text(text) => (false, Blob(text)),
            Message::Binary(data) => (true, Blob(data)),
        }
    }
}

impl From<(bool, Blob)> for Message {
    fn from((is_binary, Blob(data)): (bool, Blob)) -> Self {
        if is_binary { Self::Binary(data) } else { Self::Text(data) }
    }
}

/// Why a packet cannot be read. Each of these closes the transport; the text is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    #[error("empty packet")]
    Empty,
    #[error("unknown packet type")]
    UnknownType,
    #[error("text is not UTF-8")]
    NotUtf8,
    #[error("binary packet is not base64")]
    NotBase64,
    #[error("too many packets in one payload")]
    TooMany,
}

impl Packet {
    /// A packet from a WebSocket text message or from a part of a payload. The text is known to be UTF-8. Binary data is base64
    /// in a payload, and over WebSocket if the client is set so (`forceBase64`).
    pub fn from_text(text: Bytes) -> Result<Self, PacketError> {
        let kind = *text.first().ok_or(PacketError::Empty)?;
        let data = text.slice(1..);
        match kind {
            b'1' => Ok(Self::Close),
            b'2' => Ok(Self::Ping(data)),
            b'3' => Ok(Self::Pong(data)),
            b'4' => Ok(Self::Message(Message::Text(data))),
            b'5' => Ok(Self::Upgrade),
            b'6' => Ok(Self::Noop),
            b'b' => {
                let data = BASE64_STANDARD.decode(data).map_err(|_| PacketError::NotBase64)?;
                Ok(Self::Message(Message::Binary(data.into())))
            }
            _ => Err(PacketError::UnknownType),
        }
    }
}

/// The packets of a long-polling request body, at most `most` of them.
pub fn decode_payload(body: &Bytes, most: usize) -> Result<Vec<Packet>, PacketError> {
    if std::str::from_utf8(body).is_err() {
        return Err(PacketError::NotUtf8);
    }
    let mut packets = Vec::new();
    for part in body.split(|byte| *byte == SEPARATOR) {
        if packets.len() == most {
            return Err(PacketError::TooMany);
        }
        packets.push(Packet::from_text(part_of(body, part))?);
    }
    Ok(packets)
}

/// Appends one packet to a long-polling response body.
pub fn append_to_payload(body: &mut Vec<u8>, frame: &Frame) {
    if !body.is_empty() {
        body.push(SEPARATOR);
    }
    if frame.is_binary() {
        body.push(b'b');
        body.extend_from_slice(BASE64_STANDARD.encode(frame.payload()).as_bytes());
    } else {
        body.extend_from_slice(frame.payload());
    }
}

/// How many bytes a frame takes in a long-polling response body, its separator included.
pub fn payload_len(frame: &Frame) -> usize {
    if frame.is_binary() { 2 + frame.payload().len().div_ceil(3) * 4 } else { 1 + frame.payload().len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data: &'static str) -> Packet {
        Packet::Message(Message::Text(data.into()))
    }

    fn payload(body: &'static str) -> Result<Vec<Packet>, PacketError> {
        decode_payload(&body.into(), 3)
    }

    #[test]
    fn the_first_character_is_the_type() {
        for (packet, expected) in [
            ("1", Ok(Packet::Close)),
            ("2", Ok(Packet::Ping(Bytes::new()))),
            ("2probe", Ok(Packet::Ping("probe".into()))),
            ("3", Ok(Packet::Pong(Bytes::new()))),
            ("3probe", Ok(Packet::Pong("probe".into()))),
            ("4", Ok(text(""))),
            ("4hello", Ok(text("hello"))),
            ("42[\"é\"]", Ok(text("2[\"é\"]"))),
            ("5", Ok(Packet::Upgrade)),
            ("6", Ok(Packet::Noop)),
            // Only a server sends `open`.
            ("0{}", Err(PacketError::UnknownType)),
            ("7", Err(PacketError::UnknownType)),
            ("b", Ok(Packet::Message(Message::Binary(Bytes::new())))),
            ("baGk=", Ok(Packet::Message(Message::Binary("hi".into())))),
            ("baGk", Err(PacketError::NotBase64)),
            ("é", Err(PacketError::UnknownType)),
            ("", Err(PacketError::Empty)),
        ] {
            assert_eq!(Packet::from_text(packet.into()), expected, "{packet}");
        }
    }

    #[test]
    fn a_payload_is_split_at_its_separators() {
        let binary = |data: &'static str| Packet::Message(Message::Binary(data.into()));
        for (body, expected) in [
            ("4a", Ok(vec![text("a")])),
            ("4a\u{1e}2\u{1e}4é", Ok(vec![text("a"), Packet::Ping(Bytes::new()), text("é")])),
            ("4a\u{1e}baGk=", Ok(vec![text("a"), binary("hi")])),
            ("b", Ok(vec![binary("")])),
            ("", Err(PacketError::Empty)),
            ("4a\u{1e}", Err(PacketError::Empty)),
            ("\u{1e}4a", Err(PacketError::Empty)),
            ("4a\u{1e}x", Err(PacketError::UnknownType)),
            ("baGk", Err(PacketError::NotBase64)),
            ("b*", Err(PacketError::NotBase64)),
            ("baGk=x", Err(PacketError::NotBase64)),
            ("6\u{1e}6\u{1e}6", Ok(vec![Packet::Noop, Packet::Noop, Packet::Noop])),
            ("6\u{1e}6\u{1e}6\u{1e}6", Err(PacketError::TooMany)),
        ] {
            assert_eq!(payload(body), expected, "{body:?}");
        }
        assert_eq!(decode_payload(&Bytes::from_static(b"4\xff"), 3), Err(PacketError::NotUtf8));
    }

    #[test]
    fn messages_are_slices_of_the_payload_unless_they_are_small_parts_of_it() {
        let body = Bytes::from_static(b"4abcdefgh\x1e4a");
        let packets = decode_payload(&body, 2).unwrap();
        let [Packet::Message(Message::Text(large)), Packet::Message(Message::Text(small))] = &packets[..] else {
            panic!("{packets:?}")
        };
        assert_eq!((&large[..], &small[..]), (&b"abcdefgh"[..], &b"a"[..]));
        let of_body = |part: &Bytes| body.as_ptr_range().contains(&part.as_ptr());
        assert!(of_body(large) && !of_body(small));
    }

    #[test]
    fn a_written_payload_has_the_length_foretold_and_reads_back() {
        let mut body = Vec::new();
        let mut foretold = 0;
        for length in 0..5 {
            for frame in [Frame::text(&b"4abcd"[..=length]), Frame::binary(&b"\x1e\xff\x00ab"[..length])] {
                append_to_payload(&mut body, &frame);
                foretold += payload_len(&frame);
            }
        }
        // No separator stands before the first packet.
        assert_eq!(body.len(), foretold - 1);
        let packets = decode_payload(&body.into(), 10).unwrap();
        assert_eq!(packets[8..], [text("abcd"), Packet::Message(Message::Binary(b"\x1e\xff\x00a"[..].into()))]);
    }
}
