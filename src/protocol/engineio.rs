//! Engine.IO v4 packets (<https://socket.io/docs/v4/engine-io-protocol/>): one a WebSocket message, or several in one
//! long-polling payload separated by `0x1e`.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;

use super::frame::Frame;

/// What separates the packets of a long-polling payload.
const SEPARATOR: u8 = 0x1e;

/// A packet from a client. `open` is the server's alone and therefore not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Close,
    /// `ping`, with its data: only `probe` during an upgrade is legal.
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

/// The transport is closed on any of these; the text says why, for the log.
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
    /// A packet from a WebSocket text message, which the transport has already found to be UTF-8.
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
            _ => Err(PacketError::UnknownType),
        }
    }
}

/// The packets of a long-polling request body. `most` bounds their number.
pub fn decode_payload(body: &Bytes, most: usize) -> Result<Vec<Packet>, PacketError> {
    if std::str::from_utf8(body).is_err() {
        return Err(PacketError::NotUtf8);
    }
    let mut packets = Vec::new();
    for part in body.split(|byte| *byte == SEPARATOR) {
        if packets.len() == most {
            return Err(PacketError::TooMany);
        }
        packets.push(match part.split_first() {
            Some((b'b', data)) => {
                let data = BASE64_STANDARD.decode(data).map_err(|_| PacketError::NotBase64)?;
                Packet::Message(Message::Binary(data.into()))
            }
            _ => Packet::from_text(body.slice_ref(part))?,
        });
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

/// The length that a frame takes in a long-polling response body, its separator included.
pub fn payload_len(frame: &Frame) -> usize {
    if frame.is_binary() { 2 + frame.payload().len().div_ceil(3) * 4 } else { 1 + frame.payload().len() }
}
