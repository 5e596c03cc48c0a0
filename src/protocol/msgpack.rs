//! `socket.io-msgpack-parser`: a packet is one msgpack map `{type, data, nsp, id?}` in one binary message. Incoming packets are
//! rewritten as canonical JSON with attachments; outgoing packets are written from it.

mod read;
mod rewrite;
mod write;

use bytes::Bytes;

use super::event::Args;
use super::frame::{Frame, Frames};
use super::intake::{self, KeySets, Lists};
use super::packet::{DecodeError, LONGEST_AUTH, Limits, Nsp, Outgoing, Packet};
use super::text::event_name;
use read::{Item, Reader};
use rewrite::{Faults, Rewriter};
use write::Transcript;

// The packet types of this parser. It has no types for packets with attachments.
const CONNECT: u64 = 0;
const DISCONNECT: u64 = 1;
const EVENT: u64 = 2;
const ACK: u64 = 3;
const CONNECT_ERROR: u64 = 4;

/// A packet. `message` is the whole packet; attachments are slices of it.
pub fn decode(message: &Bytes, limits: Limits, lists: Lists<'_>) -> Result<Packet, DecodeError> {
    if message.is_empty() {
        return Err(DecodeError::Empty);
    }
    let envelope = Envelope::read(message, limits)?;
    let nsp = Nsp::from(envelope.nsp.ok_or(DecodeError::BadNamespace)?);
    let id = envelope.id;
    let mut data = envelope.data;
    if let (Some(EVENT), Some(whole)) = (envelope.kind, &data)
        && (whole.faults != Faults::default() || !whole.attachments.is_empty())
        && let Some(field) = whole.event_name().and_then(|name| lists(&nsp, &name))
    {
        // The namespace stands behind the data, so that it is not known before.
        let each = whole.read_each(message, limits, field)?;
        data = Some(each);
    }
    if data.as_ref().is_some_and(|data| data.faults.garbled) {
        return Err(DecodeError::NotUtf8);
    }
    match envelope.kind.ok_or(DecodeError::UnknownType)? {
        // python-socketio writes nil for a missing value.
        CONNECT if data.as_ref().is_none_or(Data::is_null) => Ok(Packet::Connect { nsp, auth: None }),
        CONNECT => {
            let data = data.filter(|data| data.json.starts_with(b"{")).ok_or(DecodeError::WrongPayload)?;
            match data.faults.why() {
                Some(intake::TOO_DEEP | intake::TOO_LARGE) => Err(DecodeError::TooDeep),
                _ if data.json.len() > LONGEST_AUTH => Err(DecodeError::TooLarge),
                _ => Ok(Packet::Connect { nsp, auth: Some(data.json.into()) }),
            }
        }
        DISCONNECT if data.as_ref().is_none_or(Data::is_null) => Ok(Packet::Disconnect { nsp }),
        DISCONNECT => Err(DecodeError::WrongPayload),
        EVENT => {
            let data = data.filter(|data| data.json.starts_with(b"[")).ok_or(DecodeError::WrongPayload)?;
            let name = event_name(std::str::from_utf8(&data.json).map_err(|_| DecodeError::NotUtf8)?)?;
            Ok(match data.into_args() {
                Ok(args) => Packet::Event { nsp, id, name, args },
                Err(why) => Packet::Refused { nsp, id, name, why },
            })
        }
        ACK => {
            let data = data.filter(|data| data.json.starts_with(b"[")).ok_or(DecodeError::WrongPayload)?;
            let id = id.ok_or(DecodeError::BadId)?;
            Ok(match data.into_args() {
                Ok(args) => Packet::Ack { nsp, id, args },
                Err(why) => Packet::Refused { nsp, id: None, name: "".into(), why },
            })
        }
        _ => Err(DecodeError::UnknownType),
    }
}

/// The fields of a packet. They may come in any order.
#[derive(Default)]
struct Envelope<'a> {
    kind: Option<u64>,
    nsp: Option<&'a str>,
    id: Option<u64>,
    data: Option<Data<'a>>,
}

/// A value rewritten as JSON.
struct Data<'a> {
    json: Vec<u8>,
    attachments: Vec<Bytes>,
    /// If the value breaks a rule, the JSON may be incomplete, but the name of an event is always whole.
    faults: Faults,
    /// Stands before it.
    at: Reader<'a>,
}

impl<'a> Envelope<'a> {
    fn read(message: &'a Bytes, limits: Limits) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message);
        let Item::Map(len) = reader.next()? else { return Err(DecodeError::BadPayload) };
        let mut keys = KeySets::default();
        keys.open();
        let mut envelope = Self::default();
        for _ in 0..len {
            let key = match reader.next()? {
                Item::Str(key) => key,
                Item::Garbled => return Err(DecodeError::NotUtf8),
                _ => return Err(DecodeError::BadPayload),
            };
            if !keys.insert(key.into()) {
                return Err(DecodeError::BadPayload);
            }
            match key {
                "type" => envelope.kind = reader.next()?.as_index().ok_or(DecodeError::UnknownType)?.into(),
                "nsp" => match reader.next()? {
                    Item::Str(nsp) => envelope.nsp = Some(nsp),
                    Item::Garbled => return Err(DecodeError::NotUtf8),
                    _ => return Err(DecodeError::BadNamespace),
                },
                "id" => {
                    envelope.id = match reader.next()? {
                        Item::Undefined => None,
                        item => Some(item.as_index().ok_or(DecodeError::BadId)?),
                    }
                }
                "data" => envelope.data = Data::read(&mut reader, message, limits)?,
                // Such as `options`, which the official client does not remove.
                _ => reader.skip()?,
            }
        }
        if reader.is_at_end() { Ok(envelope) } else { Err(DecodeError::BadPayload) }
    }
}

impl<'a> Data<'a> {
    fn read(reader: &mut Reader<'a>, message: &Bytes, limits: Limits) -> Result<Option<Self>, DecodeError> {
        let at = *reader;
        let mut rewriter = Rewriter::new(reader, message, limits);
        Ok(rewriter.run()?.then(|| {
            let (json, attachments, faults) = rewriter.finish();
            Self { json, attachments, faults, at }
        }))
    }

    /// Reads the value again, and judges each element of a list by itself.
    fn read_each(&self, message: &Bytes, limits: Limits, field: &str) -> Result<Self, DecodeError> {
        let mut reader = self.at;
        let mut rewriter = Rewriter::new(&mut reader, message, limits);
        rewriter.run_each(field)?;
        let (json, attachments, faults) = rewriter.finish();
        Ok(Self { json, attachments, faults, at: self.at })
    }

    /// The name of an event, if it is one.
    fn event_name(&self) -> Option<Box<str>> {
        event_name(std::str::from_utf8(&self.json).ok()?).ok()
    }

    fn is_null(&self) -> bool {
        self.json == b"null"
    }

    fn into_args(self) -> Result<Args, &'static str> {
        match self.faults.why() {
            Some(why) => Err(why),
            None => Ok(Args { json: self.json.into(), attachments: self.attachments }),
        }
    }
}

pub fn encode(nsp: &str, packet: &Outgoing<'_>) -> Frames {
    let mut out = Transcript::default();
    match *packet {
        Outgoing::Connect { json } => {
            out.start(3, CONNECT);
            out.data(json.as_bytes(), &[], None);
        }
        Outgoing::ConnectError { json } => {
            out.start(3, CONNECT_ERROR);
            out.data(json.as_bytes(), &[], None);
        }
        // The official decoder rejects a disconnect with data, even with nil.
        Outgoing::Disconnect => out.start(2, DISCONNECT),
        Outgoing::Event { id, args, offset } => {
            out.start(3 + u32::from(id.is_some()), EVENT);
            out.data(&args.json, &args.attachments, offset);
            id.into_iter().for_each(|id| out.id(id));
        }
        Outgoing::Ack { id, args } => {
            out.start(4, ACK);
            out.data(&args.json, &args.attachments, None);
            out.id(id);
        }
    }
    Frames::from_iter([Frame::binary(&out.finish(nsp))])
}
