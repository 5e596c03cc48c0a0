//! The names that travel: scopes, stream positions, and random identifiers.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use rand::RngCore;

/// What kind of thing a scope is. It stands outside the hash tag, so that SOS `42` and interview `42` share a slot but nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScopeKind {
    Sos,
    /// The one scope of those who watch every SOS: id `all`.
    Watch,
}

impl ScopeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sos => "sos",
            Self::Watch => "watch",
        }
    }
}

impl FromStr for ScopeKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "sos" => Ok(Self::Sos),
            "watch" => Ok(Self::Watch),
            _ => Err(()),
        }
    }
}

/// The unit of everything: one SOS, one interview or one realtime session. One hash tag, one log, one channel, one order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeId {
    pub kind: ScopeKind,
    /// Matches [`is_scope_id`].
    pub id: Box<str>,
}

impl ScopeId {
    /// `None` if `id` is not a legal scope id.
    pub fn new(kind: ScopeKind, id: &str) -> Option<Self> {
        is_scope_id(id).then(|| Self { kind, id: id.into() })
    }

    /// The scope of those who watch every SOS.
    pub fn watch() -> Self {
        Self { kind: ScopeKind::Watch, id: "all".into() }
    }
}

impl fmt::Display for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind.as_str(), self.id)
    }
}

impl FromStr for ScopeId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, id) = text.split_once(':').ok_or(())?;
        Self::new(kind.parse()?, id).ok_or(())
    }
}

/// `[A-Za-z0-9_.-]{1,128}`, but not `.` and `..`: what an SOS, an interview or a session may be called. It keeps braces and
/// colons out of keys, and nobody's paths lead elsewhere.
pub fn is_scope_id(id: &str) -> bool {
    !matches!(id, "." | "..")
        && (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

/// A user id is any 1–128 characters; in keys it stands base64url-encoded.
pub fn is_user_id(id: &str) -> bool {
    (1..=128).contains(&id.chars().count())
}

/// A position in a scope's log: a Redis stream id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    pub ms: u64,
    pub seq: u64,
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for StreamId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (ms, seq) = text.split_once('-').ok_or(())?;
        Ok(Self { ms: ms.parse().map_err(|_| ())?, seq: seq.parse().map_err(|_| ())? })
    }
}

/// `bytes` random bytes from the system's CSPRNG, base64url without padding.
pub fn random(bytes: usize) -> String {
    let mut raw = vec![0; bytes];
    rand::rng().fill_bytes(&mut raw);
    BASE64_URL_SAFE_NO_PAD.encode(raw)
}

/// A node's name as it stands in keys, fields and operation ids: what is not a letter, a digit, `_` or `-` becomes `-`.
pub fn node_label(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_id_keeps_out_of_the_key_syntax() {
        for good in ["a", "sos-1", "A.b_c-9", "...", ".a", &"x".repeat(128)] {
            assert!(is_scope_id(good), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a:b", "{a}", "ä", "a/b", &"x".repeat(129)] {
            assert!(!is_scope_id(bad), "{bad}");
        }
    }

    #[test]
    fn stream_ids_order_by_time_then_sequence() {
        let parse = |text: &str| text.parse::<StreamId>().unwrap();
        assert!(parse("9-9") < parse("10-0") && parse("10-0") < parse("10-1"));
        assert_eq!(parse("10-1").to_string(), "10-1");
        assert!("10".parse::<StreamId>().is_err() && "a-b".parse::<StreamId>().is_err());
    }
}
