//! Authenticates calls: an HMAC over the content, the target and the time of a call, and a memory of recent calls against replay.
//!
//! A call has two seals. The first covers the head (path, target, time, nonce, length of the body), so that a call of a
//! stranger is refused before its body is read; the second covers the body too. Nodes of earlier releases send and know only
//! the second.

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;

use aws_lc_rs::{digest, hmac};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use hyper::StatusCode;

use crate::core::clock::now_ms;
use crate::core::ids;
use crate::core::sync::lock;
use crate::settings::Secret;

/// How far the clocks of two nodes may be apart.
const SKEW_MS: u64 = 30_000;
/// Calls are remembered by their time, in buckets of this length.
const BUCKET_MS: u64 = 10_000;
/// Calls that are remembered in one bucket; more are refused.
const MOST_IN_BUCKET: usize = 200_000;

/// Makes and checks seals. The key is derived from the secret, so that the secret is used for nothing else.
pub struct Seal {
    key: hmac::Key,
    seen: Mutex<BTreeMap<u64, HashSet<Box<str>>>>,
}

/// The seal of a call, sent beside its path and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub time_ms: u64,
    pub nonce: Box<str>,
    /// Over everything.
    mac: String,
}

/// The seal over the head of a call, sent beside its [`Stamp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Of the body.
    pub length: usize,
    mac: String,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// It was sealed with another secret, or was changed.
    Forged,
    /// The seal is valid, but the sender's clock is ahead by so many seconds, or behind (below 0).
    Clock(i64),
    /// The call was received before.
    Seen,
    /// There is no room to remember it.
    TooMany,
}

impl SealError {
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Forged | Self::Clock(_) | Self::Seen => StatusCode::UNAUTHORIZED,
            Self::TooMany => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl Seal {
    pub fn new(secret: &Secret) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
        let derived = hmac::sign(&root, b"convoke peer port, version 1");
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()), seen: Mutex::default() }
    }

    /// Seals a call of `path` to the process with this tag.
    pub fn call(&self, path: &str, body: &[u8], target: &str) -> (Stamp, Head) {
        self.call_at(now_ms(), path, body, target)
    }

    fn call_at(&self, time_ms: u64, path: &str, body: &[u8], target: &str) -> (Stamp, Head) {
        let nonce: Box<str> = ids::random(12).into();
        let mac = self.sign(&said(path, body, target, time_ms, &nonce));
        let head = Head { length: body.len(), mac: self.sign(&begun(path, body.len(), target, time_ms, &nonce)) };
        (Stamp { time_ms, nonce, mac }, head)
    }

    /// Checks the head of a call before its body is read: it must be sealed with the same secret, for this process, just now, and
    /// for the first time.
    pub fn check_head(&self, stamp: &Stamp, head: &Head, path: &str, target: &str) -> Result<(), SealError> {
        self.verify(&begun(path, head.length, target, stamp.time_ms, &stamp.nonce), &head.mac)?;
        self.remember(stamp)
    }

    /// Checks the body of a call whose head was checked.
    pub fn check_body(&self, stamp: &Stamp, path: &str, body: &[u8], target: &str) -> Result<(), SealError> {
        self.verify(&said(path, body, target, stamp.time_ms, &stamp.nonce), &stamp.mac)
    }

    /// The whole check of a call without a sealed head.
    pub fn check(&self, stamp: &Stamp, path: &str, body: &[u8], target: &str) -> Result<(), SealError> {
        self.check_body(stamp, path, body, target)?;
        self.remember(stamp)
    }

    fn sign(&self, said: &[u8]) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, said))
    }

    fn verify(&self, said: &[u8], mac: &str) -> Result<(), SealError> {
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).map_err(|_| SealError::Forged)?;
        hmac::verify(&self.key, said, &mac).map_err(|_| SealError::Forged)
    }

    /// For a stamp whose seal is valid.
    fn remember(&self, stamp: &Stamp) -> Result<(), SealError> {
        let now = now_ms();
        if now.abs_diff(stamp.time_ms) > SKEW_MS {
            let ahead = i128::from(stamp.time_ms) - i128::from(now);
            return Err(SealError::Clock(i64::try_from(ahead / 1000).unwrap_or(i64::MAX)));
        }
        let mut seen = lock(&self.seen);
        // The time of a call may be SKEW_MS ahead, and the call is accepted until SKEW_MS after that time.
        seen.retain(|bucket, _| (bucket + 1) * BUCKET_MS + SKEW_MS >= now);
        let bucket = seen.entry(stamp.time_ms / BUCKET_MS).or_default();
        if bucket.len() >= MOST_IN_BUCKET {
            return Err(SealError::TooMany);
        }
        if bucket.insert(stamp.nonce.clone()) { Ok(()) } else { Err(SealError::Seen) }
    }

    /// Seals the answer to the call with this nonce.
    pub fn answer(&self, nonce: &str, status: StatusCode, body: &[u8]) -> String {
        self.sign(&answered(nonce, status, body))
    }

    pub fn check_answer(&self, mac: &[u8], nonce: &str, status: StatusCode, body: &[u8]) -> bool {
        let Ok(mac) = BASE64_URL_SAFE_NO_PAD.decode(mac) else { return false };
        hmac::verify(&self.key, &answered(nonce, status, body), &mac).is_ok()
    }
}

impl Stamp {
    /// `<time>.<nonce>.<mac>`
    pub fn to_header(&self) -> String {
        format!("{}.{}.{}", self.time_ms, self.nonce, self.mac)
    }

    pub fn from_header(text: &str) -> Option<Self> {
        let (time, rest) = text.split_once('.')?;
        let (nonce, mac) = rest.split_once('.')?;
        (nonce.len() <= 32).then_some(())?;
        Some(Self { time_ms: time.parse().ok()?, nonce: nonce.into(), mac: mac.to_owned() })
    }
}

impl Head {
    /// `<length>.<mac>`
    pub fn to_header(&self) -> String {
        format!("{}.{}", self.length, self.mac)
    }

    pub fn from_header(text: &str) -> Option<Self> {
        let (length, mac) = text.split_once('.')?;
        Some(Self { length: length.parse().ok()?, mac: mac.to_owned() })
    }
}

/// Every part has a fixed alphabet or a fixed length, and line breaks separate them: no two calls have the same text.
fn said(path: &str, body: &[u8], target: &str, time_ms: u64, nonce: &str) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, body);
    let mut said = format!("call\nPOST\n{path}\n{target}\n{time_ms}\n{nonce}\n").into_bytes();
    said.extend_from_slice(hash.as_ref());
    said
}

fn begun(path: &str, length: usize, target: &str, time_ms: u64, nonce: &str) -> Vec<u8> {
    format!("head\nPOST\n{path}\n{target}\n{time_ms}\n{nonce}\n{length}").into_bytes()
}

fn answered(nonce: &str, status: StatusCode, body: &[u8]) -> Vec<u8> {
    let hash = digest::digest(&digest::SHA256, body);
    let mut said = format!("answer\n{nonce}\n{}\n", status.as_u16()).into_bytes();
    said.extend_from_slice(hash.as_ref());
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal() -> Seal {
        Seal::new(&Secret::new("a secret of the tests"))
    }

    #[test]
    fn only_what_was_sealed_is_accepted_and_only_once() {
        let (seal, body) = (seal(), b"body".as_slice());
        let stamp = || Stamp::from_header(&seal.call("/a", body, "tag").0.to_header()).unwrap();
        let refused = Err(SealError::Forged);
        assert_eq!(seal.check(&stamp(), "/b", body, "tag"), refused, "another path");
        assert_eq!(seal.check(&stamp(), "/a", b"other", "tag"), refused, "another body");
        assert_eq!(seal.check(&stamp(), "/a", body, "gat"), refused, "another target");
        assert_eq!(seal.check(&Stamp { nonce: "x".into(), ..stamp() }, "/a", body, "tag"), refused, "another nonce");
        assert_eq!(Seal::new(&Secret::new("another secret")).check(&stamp(), "/a", body, "tag"), refused, "another secret");
        let stamp = stamp();
        assert_eq!(seal.check(&stamp, "/a", body, "tag"), Ok(()));
        assert_eq!(seal.check(&stamp, "/a", body, "tag"), Err(SealError::Seen));
    }

    #[test]
    fn a_head_is_accepted_before_its_body_and_only_once() {
        let (seal, body) = (seal(), b"body".as_slice());
        let call = || {
            let (stamp, head) = seal.call("/a", body, "tag");
            (Stamp::from_header(&stamp.to_header()).unwrap(), Head::from_header(&head.to_header()).unwrap())
        };
        let refused = Err(SealError::Forged);
        let (stamp, head) = call();
        assert_eq!(seal.check_head(&stamp, &head, "/b", "tag"), refused, "another path");
        assert_eq!(seal.check_head(&stamp, &head, "/a", "gat"), refused, "another target");
        assert_eq!(seal.check_head(&stamp, &Head { length: 5, ..head.clone() }, "/a", "tag"), refused, "another length");
        assert_eq!(seal.check_head(&call().0, &head, "/a", "tag"), refused, "another nonce");
        assert_eq!(seal.check_head(&stamp, &head, "/a", "tag"), Ok(()));
        assert_eq!(seal.check_body(&stamp, "/a", b"ydob", "tag"), refused, "another body");
        assert_eq!(seal.check_body(&stamp, "/a", body, "tag"), Ok(()));
        assert_eq!(seal.check_head(&stamp, &head, "/a", "tag"), Err(SealError::Seen));
        assert_eq!(seal.check(&stamp, "/a", body, "tag"), Err(SealError::Seen), "nor without its head");
    }

    #[test]
    fn clocks_may_be_thirty_seconds_apart() {
        let seal = seal();
        let check = |time_ms| {
            let (stamp, head) = seal.call_at(time_ms, "/a", b"", "tag");
            let by_head = seal.check_head(&stamp, &head, "/a", "tag");
            let (stamp, _) = seal.call_at(time_ms, "/a", b"", "tag");
            assert_eq!(seal.check(&stamp, "/a", b"", "tag"), by_head);
            by_head
        };
        let now = now_ms();
        assert_eq!((check(now - 28_000), check(now + 28_000)), (Ok(()), Ok(())));
        assert!(matches!(check(now - 41_000), Err(SealError::Clock(-46..=-41))));
        assert!(matches!(check(now + 95_000), Err(SealError::Clock(90..=95))));
        let moved = Stamp { time_ms: now, ..seal.call_at(now - 40_000, "/a", b"", "tag").0 };
        assert_eq!(seal.check(&moved, "/a", b"", "tag"), Err(SealError::Forged), "the time is sealed too");
    }

    #[test]
    fn an_answer_belongs_to_its_call() {
        let seal = seal();
        let mac = seal.answer("n1", StatusCode::OK, b"yes");
        assert!(seal.check_answer(mac.as_bytes(), "n1", StatusCode::OK, b"yes"));
        assert!(!seal.check_answer(mac.as_bytes(), "n2", StatusCode::OK, b"yes"));
        assert!(!seal.check_answer(mac.as_bytes(), "n1", StatusCode::GONE, b"yes"));
        assert!(!seal.check_answer(mac.as_bytes(), "n1", StatusCode::OK, b"no"));
        assert!(!seal.check_answer(b"%", "n1", StatusCode::OK, b"yes"));
    }
}
