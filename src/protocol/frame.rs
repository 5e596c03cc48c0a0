//! One WebSocket message, encoded once and shared by every connection that sends it.

use bytes::Bytes;
use smallvec::SmallVec;

/// A complete server-to-client WebSocket frame (RFC 6455 § 5.2: FIN set, not masked). It includes the header, so that all members
/// of a room share one buffer. Long-polling uses [`Frame::payload`]. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Bytes,
    header: u8,
    binary: bool,
}

/// The frames of one Socket.IO packet: its header, then its binary attachments. Either all of them are sent, or none.
pub type Frames = SmallVec<[Frame; 1]>;

impl Frame {
    /// A text message. `payload` is an Engine.IO packet, its type digit included (`4…`, `2`, `3probe`).
    pub fn text(payload: &[u8]) -> Self {
        Self::text_of(&[payload])
    }

    /// A text message whose payload consists of these parts in order.
    pub fn text_of(parts: &[&[u8]]) -> Self {
        Self::build(0x81, parts)
    }

    /// A binary message: the data alone. Engine.IO over WebSocket puts no type digit before binary data.
    pub fn binary(payload: &[u8]) -> Self {
        Self::build(0x82, &[payload])
    }

    /// A WebSocket close frame. `reason` must be ASCII of at most 120 bytes.
    pub fn close(code: u16, reason: &str) -> Self {
        Self::build(0x88, &[&code.to_be_bytes(), &reason.as_bytes()[..reason.len().min(120)]])
    }

    /// The answer to a WebSocket ping frame (not to be mistaken for Engine.IO's own `ping` packet).
    pub fn websocket_pong(data: &[u8]) -> Self {
        Self::build(0x8a, &[data])
    }

    fn build(first_byte: u8, parts: &[&[u8]]) -> Self {
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let header_len = match len {
            0..126 => 2,
            126..0x1_0000 => 4,
            _ => 10,
        };
        // Exactly as long as needed: `Bytes` takes over such a vector without another allocation.
        let mut bytes = Vec::with_capacity(header_len + len);
        bytes.push(first_byte);
        match header_len {
            2 => bytes.push(len as u8),
            4 => {
                bytes.push(126);
                bytes.extend_from_slice(&(len as u16).to_be_bytes());
            }
            _ => {
                bytes.push(127);
                bytes.extend_from_slice(&(len as u64).to_be_bytes());
            }
        }
        let header = bytes.len() as u8;
        for part in parts {
            bytes.extend_from_slice(part);
        }
        Self { bytes: bytes.into(), header, binary: first_byte == 0x82 }
    }

    /// Header and payload, ready for the socket.
    pub fn websocket(&self) -> &Bytes {
        &self.bytes
    }

    /// The payload of the frame, without its header.
    pub fn payload(&self) -> &[u8] {
        &self.bytes[self.header as usize..]
    }

    pub fn is_binary(&self) -> bool {
        self.binary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_grows_with_the_payload() {
        for (len, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let frame = Frame::binary(&vec![7; len]);
            assert_eq!(frame.websocket().len(), len + header);
            assert_eq!(frame.payload(), vec![7; len]);
        }
    }
}
