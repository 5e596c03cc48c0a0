//! The outside vendors of a live interview: speech to text, AI, question audio, and storage of audio.
//!
//! Each stands behind a small trait and is optional: with none, an interview runs from its template as text, unscored. Every call
//! has a deadline and every answer a largest size. What a failure means for an interview is for the callers to know.

pub mod ai;
pub mod audio;
pub mod check;
mod http;
pub mod speech;
pub mod voice;

use std::sync::Arc;

use self::ai::{Ai, openai::OpenAi};
use self::audio::media::Links;
use self::audio::{AudioStorage, store::ObjectAudio};
use self::speech::{SpeechToText, assemblyai::AssemblyAi};
use self::voice::{Voice, openai::OpenAiVoice};
use super::metrics::VENDOR_CALLS;
use super::settings::Vendors;
use crate::redis::Redis;
use crate::settings::Secret;

/// The vendors that are configured.
#[derive(Clone, Default)]
pub struct Providers {
    pub speech: Option<Arc<dyn SpeechToText>>,
    pub ai: Option<Arc<dyn Ai>>,
    pub voice: Option<Arc<dyn Voice>>,
    pub audio: Option<Arc<dyn AudioStorage>>,
    /// Serves audio of a folder; see [`audio::media::route`].
    pub links: Option<Arc<Links>>,
}

impl Providers {
    /// Calls nobody: vendors may be away. `secret` is what all nodes share; addresses of audio in a folder are signed with a key
    /// of it.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(vendors: &Vendors, redis: &Redis, secret: Option<&Secret>) -> Result<Self, SetupError> {
        let mut providers = Self::default();
        if let Some(speech) = &vendors.speech {
            providers.speech = Some(Arc::new(AssemblyAi::new(speech, redis.clone())?));
        }
        if let Some(ai) = &vendors.ai {
            providers.ai = Some(Arc::new(OpenAi::new(ai)?));
        }
        if let Some(voice) = &vendors.voice {
            providers.voice = Some(Arc::new(OpenAiVoice::new(voice)?));
        }
        if let Some(audio) = &vendors.audio {
            let storage = ObjectAudio::new(audio, secret)?;
            providers.links = storage.links();
            providers.audio = Some(Arc::new(storage));
        }
        Ok(providers)
    }
}

/// Why a client of a vendor could not be made. It shows no key.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("a vendor's key cannot be sent in a header")]
    Key,
    #[error("no HTTP client can be made")]
    Http(#[from] reqwest::Error),
    #[error("AUDIO_STORAGE_URL: the folder cannot be used: {0}")]
    Folder(String),
    #[error("AUDIO_STORAGE_URL: the bucket cannot be used: {0}")]
    Bucket(String),
}

/// Counts a call of a vendor. `word` is that of the error.
fn count<T, E>(vendor: &'static str, outcome: &Result<T, E>, word: impl FnOnce(&E) -> &'static str) {
    let outcome = outcome.as_ref().map_or_else(word, |_| "ok");
    metrics::counter!(VENDOR_CALLS, "vendor" => vendor, "outcome" => outcome).increment(1);
}
