//! The arguments of an event or of an acknowledgement, in the one canonical form that the log, the fan-out and both parsers share.
//! What a client may put into them is not decided here but in [`intake`](super::intake).

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::json;

/// The arguments of an event or ack: JSON text beside the binary attachments that its placeholders stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    /// A JSON array, the event's name first: `["name",…]` (of an ack: `[…]`). Where an attachment belongs stands
    /// `{"_placeholder":true,"num":<index>}`. UTF-8, no white space around it.
    pub json: Bytes,
    pub attachments: Vec<Bytes>,
}

impl Args {
    /// Arguments without attachments. `json` is a JSON array that the hub has made itself or has taken in before.
    pub fn from_json(json: impl Into<Bytes>) -> Self {
        Self { json: json.into(), attachments: Vec::new() }
    }

    /// `["<name>",<payload>]`. `payload_json` is one JSON value.
    pub fn event(name: &str, payload_json: &str) -> Self {
        let mut json = Vec::with_capacity(name.len() + payload_json.len() + 5);
        json.push(b'[');
        json::write_string(&mut json, name);
        json.push(b',');
        json.extend_from_slice(payload_json.as_bytes());
        json.push(b']');
        Self::from_json(json)
    }

    /// `[<payload>]`: what answers an event that asked for an ack.
    pub fn ack(payload_json: &str) -> Self {
        Self::from_json(["[", payload_json, "]"].concat())
    }

    /// The arguments of an event as raw JSON, its name left out. Sliced as one goes, never built.
    pub fn iter(&self) -> impl Iterator<Item = &RawValue> {
        self.items().skip(1)
    }

    /// All elements of the array as raw JSON: the arguments of an ack, or name and arguments of an event.
    pub fn items(&self) -> impl Iterator<Item = &RawValue> {
        json::elements(&self.json).filter_map(|element| serde_json::from_slice(element).ok())
    }

    /// The one payload that the hub's own events take: the first argument of an event, `{}` if it is missing or null.
    /// Whether it is an object is for the caller to find out.
    pub fn payload(&self) -> &RawValue {
        static EMPTY: LazyLock<Box<RawValue>> = LazyLock::new(|| serde_json::from_str("{}").unwrap_or_default());
        self.iter().next().filter(|value| value.get() != "null").unwrap_or(&EMPTY)
    }

    /// The bytes that these arguments hold, attachments included.
    pub fn size(&self) -> usize {
        self.json.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }
}
