//! The outside vendors of a live interview: speech to text, AI, question audio, and storage of audio.
//!
//! Each stands behind a small trait and is optional: with none, an interview runs from its template as text, unscored. Every call
//! has a deadline and every answer a largest size. What a failure means for an interview is for the callers to know.

pub mod ai;
pub mod audio;
pub mod speech;
pub mod voice;

use std::sync::Arc;

use self::ai::Ai;
use self::audio::AudioStorage;
use self::speech::SpeechToText;
use self::voice::Voice;

/// The vendors that are configured.
#[derive(Clone, Default)]
pub struct Providers {
    pub speech: Option<Arc<dyn SpeechToText>>,
    pub ai: Option<Arc<dyn Ai>>,
    pub voice: Option<Arc<dyn Voice>>,
    pub audio: Option<Arc<dyn AudioStorage>>,
}
