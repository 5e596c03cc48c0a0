//! The default parser: `<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]`. Attachments follow in binary messages. The
//! arguments of an event are checked in place and stay a slice of the message.

use bytes::Bytes;

use super::event::Args;
use super::frame::{Frame, Frames};
use super::intake::{self, Checked, Lists, RESERVED_EVENTS};
use super::json::{self, Stop};
use super::packet::{DecodeError, LONGEST_AUTH, Limits, Nsp, Outgoing, Packet};
use super::part_of;

/// A packet, and the attachments that it waits for.
pub struct Decoded {
    pub packet: Packet,
    pub attachments: u32,
    /// The packet has no placeholders for its attachments any more.
    pub discards: bool,
}

pub fn decode(message: &Bytes, limits: Limits, lists: Lists<'_>) -> Result<Decoded, DecodeError> {
    let text = std::str::from_utf8(message).map_err(|_| DecodeError::NotUtf8)?;
    let kind = *text.as_bytes().first().ok_or(DecodeError::Empty)?;
    if !(b'0'..=b'6').contains(&kind) || kind == b'4' {
        return Err(DecodeError::UnknownType);
    }
    let rest = &text[1..];
    let (attachments, rest) = if kind >= b'5' { attachment_count(rest, limits)? } else { (0, rest) };
    let (nsp, rest) = namespace(rest);
    let (id, payload) = ack_id(rest)?;
    let mut discards = false;
    let packet = match kind {
        b'0' => Packet::Connect { nsp, auth: auth(message, payload)? },
        b'1' if payload.is_empty() => Packet::Disconnect { nsp },
        b'1' => return Err(DecodeError::WrongPayload),
        b'2' | b'5' => {
            let event = event(nsp, id, message, payload, attachments)?;
            match judged_each(&event, payload, attachments, lists)? {
                Some(judged) => {
                    discards = true;
                    judged
                }
                None => event,
            }
        }
        _ => ack(nsp, id.ok_or(DecodeError::BadId)?, message, payload, attachments)?,
    };
    Ok(Decoded { packet, attachments, discards })
}

fn attachment_count(text: &str, limits: Limits) -> Result<(u32, &str), DecodeError> {
    let (count, rest) = text.split_once('-').ok_or(DecodeError::BadAttachmentCount)?;
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(DecodeError::BadAttachmentCount);
    }
    match count.parse() {
        Ok(count) if count <= limits.attachments => Ok((count, rest)),
        _ => Err(DecodeError::TooManyAttachments),
    }
}

fn namespace(text: &str) -> (Nsp, &str) {
    if !text.starts_with('/') {
        return (Nsp::MAIN, text);
    }
    let (nsp, rest) = text.split_once(',').unwrap_or((text, ""));
    (Nsp::from(nsp), rest)
}

fn ack_id(text: &str) -> Result<(Option<u64>, &str), DecodeError> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 {
        return Ok((None, text));
    }
    match text[..end].parse() {
        Ok(id) if id <= intake::MAX_NUMBER => Ok((Some(id), &text[end..])),
        _ => Err(DecodeError::BadId),
    }
}

fn auth(message: &Bytes, payload: &str) -> Result<Option<Bytes>, DecodeError> {
    if payload.is_empty() {
        return Ok(None);
    }
    if payload.len() > LONGEST_AUTH {
        return Err(DecodeError::TooLarge);
    }
    let Checked { len, broken } = check(payload, b'{', 0)?;
    if broken == Some(intake::TOO_DEEP) {
        return Err(DecodeError::TooDeep);
    }
    Ok(Some(part_of(message, &payload.as_bytes()[..len])))
}

fn event(nsp: Nsp, id: Option<u64>, message: &Bytes, payload: &str, attachments: u32) -> Result<Packet, DecodeError> {
    // The name is read first, because a refusal names the event.
    let name = event_name(payload)?;
    let Checked { len, broken } = check(payload, b'[', attachments)?;
    Ok(match broken {
        Some(why) => Packet::Refused { nsp, id, name, why },
        None => Packet::Event { nsp, id, name, args: Args::from_json(part_of(message, &payload.as_bytes()[..len])) },
    })
}

/// Judges the elements of an event's list one by one, if the event breaks a rule or has binary data. Gives the event without the
/// bad elements, or the rule that something else breaks. `None`: the event stays as it is.
fn judged_each(event: &Packet, payload: &str, attachments: u32, lists: Lists<'_>) -> Result<Option<Packet>, DecodeError> {
    let (nsp, id, name) = match event {
        Packet::Refused { nsp, id, name, .. } => (nsp, id, name),
        Packet::Event { nsp, id, name, .. } if attachments > 0 => (nsp, id, name),
        _ => return Ok(None),
    };
    let Some(field) = lists(nsp, name) else { return Ok(None) };
    let (nsp, id, name) = (nsp.clone(), *id, name.clone());
    Ok(match intake::check_each(payload, field).map_err(|_: Stop| DecodeError::BadPayload)? {
        Ok(json) => Some(Packet::Event { nsp, id, name, args: Args::from_json(json.trim_end().to_owned()) }),
        Err(why) if matches!(event, Packet::Refused { .. }) => Some(Packet::Refused { nsp, id, name, why }),
        // Binary data outside of the list: the event's handler judges it.
        Err(_) => None,
    })
}

fn ack(nsp: Nsp, id: u64, message: &Bytes, payload: &str, attachments: u32) -> Result<Packet, DecodeError> {
    let Checked { len, broken } = check(payload, b'[', attachments)?;
    Ok(match broken {
        Some(why) => Packet::Refused { nsp, id: None, name: "".into(), why },
        None => Packet::Ack { nsp, id, args: Args::from_json(part_of(message, &payload.as_bytes()[..len])) },
    })
}

fn check(payload: &str, first: u8, attachments: u32) -> Result<Checked, DecodeError> {
    if payload.as_bytes().first() != Some(&first) {
        return Err(DecodeError::WrongPayload);
    }
    intake::check(payload, attachments).map_err(|_: Stop| DecodeError::BadPayload)
}

/// The first element of an event's array: a string that is not reserved, or a number, which the official decoders accept too.
pub fn event_name(array: &str) -> Result<Box<str>, DecodeError> {
    let first = array.strip_prefix('[').ok_or(DecodeError::WrongPayload)?.trim_start_matches([' ', '\t', '\n', '\r']);
    let name = match json::read_string_or_number(first) {
        Ok(Ok(name)) => name.unescape().map_err(|_| DecodeError::BadEventName)?,
        Ok(Err(number)) => number.into(),
        Err(_) => return Err(DecodeError::BadEventName),
    };
    if RESERVED_EVENTS.contains(&&*name) { Err(DecodeError::BadEventName) } else { Ok(name.into()) }
}

pub fn encode(nsp: &str, packet: &Outgoing<'_>) -> Frames {
    match *packet {
        Outgoing::Connect { json } => frames(b'0', nsp, None, &[json.as_bytes()], &[]),
        Outgoing::ConnectError { json } => frames(b'4', nsp, None, &[json.as_bytes()], &[]),
        Outgoing::Disconnect => frames(b'1', nsp, None, &[], &[]),
        Outgoing::Ack { id, args } => frames(b'3', nsp, Some(id), &[&args.json], &args.attachments),
        Outgoing::Event { id, args, offset: None } => frames(b'2', nsp, id, &[&args.json], &args.attachments),
        Outgoing::Event { id, args, offset: Some(offset) } => {
            let mut tail = Vec::with_capacity(offset.len() + 4);
            tail.push(b',');
            json::write_string(&mut tail, offset);
            tail.push(b']');
            let array = args.json.trim_ascii_end();
            frames(b'2', nsp, id, &[array.strip_suffix(b"]").unwrap_or(array), &tail], &args.attachments)
        }
    }
}

/// The packet type that belongs to `kind` without attachments.
fn frames(kind: u8, nsp: &str, id: Option<u64>, payload: &[&[u8]], attachments: &[Bytes]) -> Frames {
    let mut header = Vec::with_capacity(nsp.len() + 48);
    header.push(b'4');
    if attachments.is_empty() {
        header.push(kind);
    } else {
        header.push(kind + 3);
        header.extend_from_slice(attachments.len().to_string().as_bytes());
        header.push(b'-');
    }
    if nsp != "/" {
        header.extend_from_slice(nsp.as_bytes());
        header.push(b',');
    }
    if let Some(id) = id {
        header.extend_from_slice(id.to_string().as_bytes());
    }
    let frame = match *payload {
        [] => Frame::text(&header),
        [json] => Frame::text_of(&[&header, json]),
        [head, tail, ..] => Frame::text_of(&[&header, head, tail]),
    };
    std::iter::once(frame).chain(attachments.iter().map(|bytes| Frame::binary(bytes))).collect()
}
