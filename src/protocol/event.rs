//! The arguments of an event or of an acknowledgement, in the one canonical form that the log, the fan-out and both parsers
//! share. [`intake`](super::intake) decides what a client may put into them.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::json;

/// The arguments of an event or ack: JSON text, and the binary attachments for which its placeholders stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    /// A JSON array that begins with the event's name: `["name",…]` (of an ack: `[…]`). `{"_placeholder":true,"num":<index>}`
    /// stands in the place of an attachment. UTF-8, no white space around it.
    pub json: Bytes,
    pub attachments: Vec<Bytes>,
}

impl Args {
    /// Arguments without attachments. `json` is a JSON array that the hub has made, or has checked before.
    pub fn from_json(json: impl Into<Bytes>) -> Self {
        Self { json: json.into(), attachments: Vec::new() }
    }

    /// The values of an acknowledgement: `[…]`.
    ///
    /// # Errors
    /// One of them has no form as JSON.
    pub fn of(values: impl Values) -> serde_json::Result<Self> {
        let mut json = vec![b'['];
        values.write(&mut json)?;
        json.push(b']');
        Ok(Self::from_json(json))
    }

    /// An event with its arguments: `["<name>",…]`.
    ///
    /// # Errors
    /// One of the arguments has no form as JSON.
    pub fn of_event(name: &str, arguments: impl Values) -> serde_json::Result<Self> {
        let mut json = vec![b'['];
        json::write_string(&mut json, name);
        json.push(b',');
        let start = json.len();
        arguments.write(&mut json)?;
        if json.len() == start {
            json.pop();
        }
        json.push(b']');
        Ok(Self::from_json(json))
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

    /// `[<payload>]`: the acknowledgement of an event.
    pub fn ack(payload_json: &str) -> Self {
        Self::from_json(["[", payload_json, "]"].concat())
    }

    /// The arguments of an event as raw JSON, without its name. They are sliced during the iteration and not copied.
    pub fn iter(&self) -> impl Iterator<Item = &RawValue> {
        self.items().skip(1)
    }

    /// All elements of the array as raw JSON: the arguments of an ack, or name and arguments of an event.
    pub fn items(&self) -> impl Iterator<Item = &RawValue> {
        json::elements(&self.json).filter_map(|element| serde_json::from_slice(element).ok())
    }

    /// The element at `index` of [`Args::items`] as a type of the caller. If there is no such element, the type is read from
    /// null.
    ///
    /// # Errors
    /// It is no `T`.
    pub fn item<T: DeserializeOwned>(&self, index: usize) -> serde_json::Result<T> {
        serde_json::from_slice(json::elements(&self.json).nth(index).unwrap_or(b"null"))
    }

    /// The payload of an event as JSON text: the first argument, or `{}` if it is missing or null. The caller checks whether it
    /// is an object. It is sliced and not read again, because it was read when it came in.
    pub fn payload(&self) -> &str {
        let first = json::elements(&self.json).nth(1).and_then(|element| std::str::from_utf8(element).ok());
        first.filter(|payload| *payload != "null").unwrap_or("{}")
    }

    /// How many bytes these arguments have, attachments included.
    pub fn size(&self) -> usize {
        self.json.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }
}

/// The values of an event or an acknowledgement. A tuple is several values, `()` is none, and a reference to anything that
/// [`serde`] can write is one value. Binary data is put into [`Args`] directly.
///
/// ```
/// use convoke::protocol::event::Args;
///
/// let args = |values: Args| String::from_utf8(values.json.to_vec()).unwrap();
/// assert_eq!(args(Args::of_event("moved", (1.5, "left"))?), r#"["moved",1.5,"left"]"#);
/// assert_eq!(args(Args::of_event("moved", &[1, 2])?), r#"["moved",[1,2]]"#);
/// assert_eq!(args(Args::of_event("moved", ())?), r#"["moved"]"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub trait Values {
    /// Appends them as JSON, with commas between them.
    ///
    /// # Errors
    /// One of them has no form as JSON, such as a map whose keys are no strings.
    fn write(&self, json: &mut Vec<u8>) -> serde_json::Result<()>;
}

impl<T: Serialize + ?Sized> Values for &T {
    fn write(&self, json: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(json, self)
    }
}

impl Values for serde_json::Value {
    fn write(&self, json: &mut Vec<u8>) -> serde_json::Result<()> {
        (&self).write(json)
    }
}

impl Values for () {
    fn write(&self, _: &mut Vec<u8>) -> serde_json::Result<()> {
        Ok(())
    }
}

macro_rules! tuples {
    ($($first:ident $(, $other:ident)*;)+) => {$(
        impl<$first: Serialize $(, $other: Serialize)*> Values for ($first, $($other,)*) {
            #[allow(non_snake_case)]
            fn write(&self, json: &mut Vec<u8>) -> serde_json::Result<()> {
                let ($first, $($other,)*) = self;
                serde_json::to_writer(&mut *json, $first)?;
                $(
                    json.push(b',');
                    serde_json::to_writer(&mut *json, $other)?;
                )*
                Ok(())
            }
        }
    )+};
}

tuples! {
    A;
    A, B;
    A, B, C;
    A, B, C, D;
    A, B, C, D, E;
    A, B, C, D, E, F;
}
