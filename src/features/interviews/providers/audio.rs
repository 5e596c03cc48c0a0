//! Where audio is kept, and what PCM and WAV look like.

pub mod media;
mod piecewise;
pub mod store;
pub mod wav;

use crate::telemetry::once_a_minute;
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

/// What an answer that is stored says of its audio as an address: a key as one that is good from now on, any other text, which is an
/// address, as it is.
pub async fn address_of(stored: &str, storage: Option<&dyn AudioStorage>) -> String {
    if !is_key(stored) {
        return stored.to_owned();
    }
    let Some(storage) = storage else { return String::new() };
    storage.url(stored).await.unwrap_or_else(|error| {
        once_a_minute!(warn, "stored audio has no address", %error);
        String::new()
    })
}

/// Bytes of a key.
const LONGEST_KEY: usize = 512;

/// Whether audio can have this key. None leads out of its place.
pub fn is_key(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.bytes().all(is_plain);
    text.len() <= LONGEST_KEY && text.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Signing;

    impl AudioStorage for Signing {
        fn put<'a>(&'a self, _: &'a str, _: &'static str, _: Bytes) -> BoxFuture<'a, Result<(), StorageError>> {
            Box::pin(async { Err(StorageError::TimedOut) })
        }

        fn url<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<String, StorageError>> {
            Box::pin(async move { Ok(format!("https://signed/{key}")) })
        }
    }

    #[tokio::test]
    async fn what_is_stored_of_audio_is_a_key_or_an_address() {
        let key = "interviews/0b/answer-1.wav";
        assert_eq!(address_of(key, Some(&Signing)).await, format!("https://signed/{key}"));
        assert_eq!(address_of(key, None).await, "", "nobody can make an address of it");
        for address in
            ["", "https://of.a/client", "/media/interviews/0b/answer-1.wav?exp=1&sig=x", "http://old/a.wav?X-Amz-Date=1"]
        {
            assert_eq!(address_of(address, Some(&Signing)).await, address);
        }
    }
}
