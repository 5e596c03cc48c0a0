//! `X-Request-ID`: taken or made, echoed, logged, and sent on to other services (contract § 7).

use std::fmt;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use rand::RngCore as _;

/// Longer ones are replaced.
const LONGEST: usize = 128;

/// Ties together what one request causes. Cheap enough to clone; legal in headers, log lines and URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// The caller's id if it is a harmless one, else a new one.
    pub fn take_or_make(given: Option<&[u8]>) -> Self {
        given
            .and_then(|id| std::str::from_utf8(id).ok())
            .filter(|id| is_harmless(id))
            .map_or_else(Self::make, |id| Self(id.into()))
    }

    /// 128 random bits.
    pub fn make() -> Self {
        let mut random = [0; 16];
        rand::rng().fill_bytes(&mut random);
        Self(BASE64_URL_SAFE_NO_PAD.encode(random).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What other people's tracers make (UUIDs, hex, ULIDs, `Root=1-…`), and nothing that could break out of a log line or header.
fn is_harmless(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:/=+-@;,".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harmless_id_is_taken_and_any_other_replaced() {
        for good in ["a", "1c0ad1d8-6d7a-4a3e-8f0e-3a6f1c2b9d10", "Root=1-67891233-abcdef012345678912345678", &"x".repeat(128)] {
            assert_eq!(RequestId::take_or_make(Some(good.as_bytes())).as_str(), good);
        }
        for bad in ["", "a b", "a\r\nSet-Cookie: x", "ä", "<script>", "\"", &"x".repeat(129)] {
            let made = RequestId::take_or_make(Some(bad.as_bytes()));
            assert!(made.as_str() != bad && made.as_str().len() == 22, "{bad:?}");
        }
        assert!(RequestId::take_or_make(Some(b"\xff")).as_str().len() == 22);
    }

    #[test]
    fn no_two_are_alike() {
        assert_ne!(RequestId::take_or_make(None), RequestId::take_or_make(None));
    }
}
