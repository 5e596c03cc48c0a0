//! Names and places travel as their text, whatever carries them.

use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

use super::{Kind, Offset, Position, ScopeId, StreamId};

macro_rules! as_text {
    ($($type:ty),+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::from_str(&text).map_err(|()| D::Error::custom(concat!("not a ", stringify!($type))))
            }
        }
    )+};
}

as_text!(Kind, ScopeId, StreamId, Position, Offset);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_travels_as_its_text_and_a_bad_one_is_refused() {
        let read = |json: &str| serde_json::from_str::<ScopeId>(json).map(|scope| serde_json::to_string(&scope).unwrap());
        assert_eq!(read(r#""room:a""#).unwrap(), r#""room:a""#);
        assert!(read(r#""Room:a""#).unwrap_err().to_string().starts_with("not a ScopeId"));
        assert!(read("1").is_err());
    }
}
