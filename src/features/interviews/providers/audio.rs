//! Where audio is kept, and what PCM and WAV look like.

pub mod media;
pub mod store;
pub mod wav;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// Keeps audio under keys such as `interviews/<id>/answer-1.wav`: parts of `[A-Za-z0-9_.-]`, divided by slashes.
pub trait AudioStorage: Send + Sync {
    /// Stores it, or replaces what is there.
    fn put<'a>(&'a self, key: &'a str, content_type: &'static str, audio: Bytes) -> BoxFuture<'a, Result<(), StorageError>>;

    /// An address under which clients can read it for 24 hours. It does not look whether there is something.
    fn url<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<String, StorageError>>;
}

/// Why audio was not stored, or has no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// It cannot be reached, is full, or refuses us; the text is for the log.
    #[error("audio storage is not available: {0}")]
    Unavailable(String),
    #[error("audio storage did not answer in time")]
    TimedOut,
    /// The key is none.
    #[error("this is no key of audio")]
    Key,
}

impl StorageError {
    /// For metrics.
    const fn word(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "unavailable",
            Self::TimedOut => "timed_out",
            Self::Key => "key",
        }
    }
}

/// Bytes of a key.
const LONGEST_KEY: usize = 512;

/// Whether audio can have this key. None leads out of its place.
pub fn is_key(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_plain);
    text.len() <= LONGEST_KEY && text.split('/').all(is_part)
}
