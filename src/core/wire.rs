//! How nodes write what they tell each other: MessagePack behind a byte for the version of the form, or JSON as earlier
//! releases do. What is read says itself which of them it is.
//!
//! A node's lease says which forms it reads; an answer has the form of what was asked. Fields that a reader does not know are
//! ignored, and those that a writer does not know have defaults.

use std::borrow::Cow;
use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// The first byte of a body that is not JSON, which begins with none below the space.
const PACKED: u8 = 1;

/// In which form a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// What every release reads. Bytes are base64.
    #[default]
    Json,
    /// MessagePack, structs as maps by the names of their fields.
    Packed,
}

impl Form {
    /// The newest form that this release reads and writes.
    pub const NEWEST: Self = Self::Packed;

    /// As it stands in a lease.
    pub fn version(self) -> u64 {
        match self {
            Self::Json => 0,
            Self::Packed => u64::from(PACKED),
        }
    }

    /// What to write to a node whose lease says this: a newer one reads all forms of this release.
    pub fn for_version(version: u64) -> Self {
        if version >= Self::Packed.version() { Self::Packed } else { Self::Json }
    }

    /// In which form this was written.
    pub fn of(body: &[u8]) -> Self {
        if body.first() == Some(&PACKED) { Self::Packed } else { Self::Json }
    }
}

/// Writes a body.
pub fn write<T: Serialize>(form: Form, value: &T) -> Bytes {
    let written = match form {
        Form::Json => serde_json::to_vec(value).ok(),
        Form::Packed => {
            let mut body = vec![PACKED];
            rmp_serde::encode::write_named(&mut body, value).ok().map(|()| body)
        }
    };
    debug_assert!(written.is_some(), "types of the wire can be written");
    written.unwrap_or_default().into()
}

/// Reads a body in whichever form it is; `None` if it cannot be read.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    match Form::of(body) {
        Form::Json => serde_json::from_slice(body).ok(),
        Form::Packed => rmp_serde::from_slice(&body[1..]).ok(),
    }
}

/// Bytes within a body: as they are, or base64 in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Bytes);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = Cow::<str>::deserialize(deserializer)?;
            BASE64_STANDARD.decode(&*text).map(|data| Self(data.into())).map_err(D::Error::custom)
        } else {
            deserializer.deserialize_byte_buf(BlobVisitor)
        }
    }
}

struct BlobVisitor;

impl Visitor<'_> for BlobVisitor {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E>(self, data: &[u8]) -> Result<Blob, E> {
        Ok(Blob(Bytes::copy_from_slice(data)))
    }

    fn visit_byte_buf<E>(self, data: Vec<u8>) -> Result<Blob, E> {
        Ok(Blob(data.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Old {
        name: String,
        data: Blob,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct New {
        name: String,
        data: Blob,
        #[serde(default)]
        more: Option<u64>,
    }

    #[test]
    fn both_forms_are_read_and_say_which_they_are() {
        let value = Old { name: "ä".into(), data: Blob(Bytes::from_static(b"\x00\xff\n")) };
        for form in [Form::Json, Form::Packed] {
            let body = write(form, &value);
            assert_eq!((Form::of(&body), read::<Old>(&body)), (form, Some(value.clone())));
        }
        assert_eq!(&write(Form::Json, &value)[..], r#"{"name":"ä","data":"AP8K"}"#.as_bytes());
        assert!(write(Form::Packed, &value).windows(3).any(|window| window == b"\x00\xff\n"), "bytes are as they are");
        for cut in 0..write(Form::Packed, &value).len() {
            assert_eq!(read::<Old>(&write(Form::Packed, &value)[..cut]), None, "{cut}");
        }
        assert_eq!(read::<Old>(br#"{"name":"","data":"?"}"#), None);
    }

    #[test]
    fn a_field_that_is_not_known_is_ignored_and_one_that_is_missing_has_its_default() {
        for form in [Form::Json, Form::Packed] {
            let new = New { name: "x".into(), data: Blob::default(), more: Some(7) };
            let old: Old = read(&write(form, &new)).expect("read by an earlier release");
            assert_eq!(read(&write(form, &old)), Some(New { more: None, ..new }));
        }
    }

    #[test]
    fn a_node_is_written_to_in_the_newest_form_that_both_know() {
        let forms = [0, 1, 2, u64::MAX].map(Form::for_version);
        assert_eq!(forms, [Form::Json, Form::Packed, Form::Packed, Form::Packed]);
        assert_eq!(Form::for_version(Form::NEWEST.version()), Form::NEWEST);
    }
}
