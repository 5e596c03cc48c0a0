//! Socket.IO v5 packets (<https://socket.io/docs/v4/socket-io-protocol/>): reads them from Engine.IO messages, and writes them.
//! The first message of a connection shows which of the two parsers its client uses.

use std::{fmt, ops::Deref};

use bytes::Bytes;

use super::intake::{Lists, NO_LISTS};
use super::{engineio::Message, event::Args, frame::Frames, msgpack, text};

/// How a connection writes its packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parser {
    /// The default parser: text, with attachments in binary messages of their own.
    Text,
    /// `socket.io-msgpack-parser`: each packet one binary message.
    Msgpack,
}

/// A packet from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    Connect {
        nsp: Nsp,
        /// The text of a JSON object that nests at most 64 deep. It is never passed on, so that the other intake rules do not
        /// apply.
        auth: Option<Bytes>,
    },
    Disconnect {
        nsp: Nsp,
    },
    Event {
        nsp: Nsp,
        id: Option<u64>,
        name: Box<str>,
        /// The whole array, the event's name included.
        args: Args,
    },
    Ack {
        nsp: Nsp,
        id: u64,
        args: Args,
    },
    /// An event that decodes but breaks the intake rules. It is answered `INVALID_PAYLOAD` and never passed on. If `why` is
    /// [`intake::NOT_A_NUMBER`](super::intake::NOT_A_NUMBER), it is answered with the event's own code. An ack that breaks the
    /// rules is one of these too, without an id and with an empty name.
    Refused {
        nsp: Nsp,
        id: Option<u64>,
        name: Box<str>,
        why: &'static str,
    },
}

/// A namespace. `/` needs no allocation.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Nsp(Option<Box<str>>);

impl Nsp {
    /// The main namespace, `/`.
    pub const MAIN: Self = Self(None);
}

impl From<&str> for Nsp {
    fn from(name: &str) -> Self {
        if name == "/" { Self::MAIN } else { Self(Some(name.into())) }
    }
}

impl Deref for Nsp {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.as_deref().unwrap_or("/")
    }
}

impl AsRef<str> for Nsp {
    fn as_ref(&self) -> &str {
        self
    }
}

impl PartialEq<str> for Nsp {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Nsp {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl fmt::Debug for Nsp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for Nsp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// The limits of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most attachments. From version 4.2.6 on the official decoder takes no more than 10, so that more would disconnect the
    /// clients that receive them.
    pub attachments: u32,
    /// The most bytes, attachments included.
    pub bytes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { attachments: 10, bytes: 1_000_000 }
    }
}

/// The longest `auth` of a CONNECT, in bytes. It is kept while a client waits to be authenticated, and many may wait.
pub const LONGEST_AUTH: usize = 64 << 10;

/// Why a message is no packet. Each of these closes the transport; the text is for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("empty packet")]
    Empty,
    #[error("unknown packet type, or one that only a server sends")]
    UnknownType,
    #[error("malformed number of attachments")]
    BadAttachmentCount,
    #[error("too many attachments")]
    TooManyAttachments,
    #[error("attachments, or auth, too large")]
    TooLarge,
    #[error("malformed namespace")]
    BadNamespace,
    #[error("malformed acknowledgement id")]
    BadId,
    #[error("malformed payload")]
    BadPayload,
    #[error("payload does not fit the packet type")]
    WrongPayload,
    #[error("payload nests too deeply")]
    TooDeep,
    #[error("missing or reserved event name")]
    BadEventName,
    #[error("text is not UTF-8")]
    NotUtf8,
    #[error("text where an attachment or a msgpack packet was due")]
    UnexpectedText,
    #[error("binary data where a text packet was due")]
    UnexpectedBinary,
}

/// Turns the messages of one connection into packets. It takes 24 bytes while no binary packet waits for attachments.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    parser: Option<Parser>,
    half: Option<Box<Half>>,
}

/// A binary packet that waits for its attachments.
#[derive(Debug)]
struct Half {
    /// The message, as it came.
    text: Bytes,
    packet: Packet,
    /// How many attachments are still missing, never 0, and how many bytes they may have.
    awaited: u32,
    bytes_left: u32,
    /// The packet is given without its attachments.
    discards: bool,
}

impl Decoder {
    pub fn new(limits: Limits) -> Self {
        Self { limits, parser: None, half: None }
    }

    /// The parser of this connection. It is known from the first message on.
    pub fn parser(&self) -> Option<Parser> {
        self.parser
    }

    /// Whether a binary packet waits for attachments.
    pub fn is_waiting(&self) -> bool {
        self.half.is_some()
    }

    /// The messages of the binary packet that waits for attachments; empty if no packet waits.
    pub fn half(&self) -> Vec<Message> {
        let Some(half) = &self.half else { return Vec::new() };
        let attachments = match &half.packet {
            Packet::Event { args, .. } | Packet::Ack { args, .. } => &args.attachments[..],
            _ => &[],
        };
        let attachments = attachments.iter().cloned().map(Message::Binary);
        std::iter::once(Message::Text(half.text.clone())).chain(attachments).collect()
    }

    /// A decoder that continues another one: with its parser, and with the messages from [`Decoder::half`]. `None` if these are
    /// not the beginning of a packet.
    pub fn resume(limits: Limits, parser: Option<Parser>, half: Vec<Message>, lists: Lists<'_>) -> Option<Self> {
        let mut decoder = Self { limits, parser, half: None };
        for message in half {
            if decoder.decode_each(message, lists) != Ok(None) {
                return None;
            }
        }
        Some(decoder)
    }

    /// Reads the next message. `None`: the packet waits for its attachments. After an error the decoder must not be used any
    /// more.
    pub fn decode(&mut self, message: Message) -> Result<Option<Packet>, DecodeError> {
        self.decode_each(message, NO_LISTS)
    }

    /// [`Decoder::decode`] for events with lists whose elements are judged one by one. An element that breaks a rule is replaced
    /// by null.
    pub fn decode_each(&mut self, message: Message, lists: Lists<'_>) -> Result<Option<Packet>, DecodeError> {
        let parser = *self.parser.get_or_insert(match message {
            Message::Text(_) => Parser::Text,
            Message::Binary(_) => Parser::Msgpack,
        });
        match (parser, message) {
            (Parser::Msgpack, Message::Binary(bytes)) => msgpack::decode(&bytes, self.limits, lists).map(Some),
            (Parser::Msgpack, Message::Text(_)) => Err(DecodeError::UnexpectedText),
            (Parser::Text, Message::Binary(bytes)) => {
                let half = self.half.as_mut().ok_or(DecodeError::UnexpectedBinary)?;
                half.attach(bytes)?;
                Ok(if half.awaited == 0 { self.half.take().map(|half| half.whole()) } else { None })
            }
            (Parser::Text, Message::Text(_)) if self.half.is_some() => Err(DecodeError::UnexpectedText),
            (Parser::Text, Message::Text(text)) => {
                let text::Decoded { packet, attachments: awaited, discards } = text::decode(&text, self.limits, lists)?;
                if awaited == 0 {
                    return Ok(Some(packet));
                }
                let bytes_left = self.limits.bytes.saturating_sub(text.len().try_into().unwrap_or(u32::MAX));
                self.half = Some(Box::new(Half { text, packet, awaited, bytes_left, discards }));
                Ok(None)
            }
        }
    }
}

impl Half {
    /// The packet, once all attachments are there.
    fn whole(mut self) -> Packet {
        if let (true, Packet::Event { args, .. }) = (self.discards, &mut self.packet) {
            args.attachments = Vec::new();
        }
        self.packet
    }

    fn attach(&mut self, bytes: Bytes) -> Result<(), DecodeError> {
        let len = u32::try_from(bytes.len()).map_err(|_| DecodeError::TooLarge)?;
        self.bytes_left = self.bytes_left.checked_sub(len).ok_or(DecodeError::TooLarge)?;
        self.awaited -= 1;
        if let Packet::Event { args, .. } | Packet::Ack { args, .. } = &mut self.packet {
            args.attachments.push(bytes);
        }
        Ok(())
    }
}

/// A packet to a client.
#[derive(Clone, Copy, Debug)]
pub enum Outgoing<'a> {
    /// `json` is an object, such as `{"sid":"…"}`.
    Connect {
        json: &'a str,
    },
    /// `json` is an object with `message` and perhaps `data`.
    ConnectError {
        json: &'a str,
    },
    Disconnect,
    /// `offset` is added as the last argument, if there is one.
    Event {
        id: Option<u64>,
        args: &'a Args,
        offset: Option<&'a str>,
    },
    Ack {
        id: u64,
        args: &'a Args,
    },
}

/// Writes a packet for all connections with this parser and namespace. WebSocket headers are included. The payload of a text
/// frame begins with Engine.IO's `4`.
pub fn encode(parser: Parser, nsp: &str, packet: &Outgoing<'_>) -> Frames {
    match parser {
        Parser::Text => text::encode(nsp, packet),
        Parser::Msgpack => msgpack::encode(nsp, packet),
    }
}
