//! Text to speech: the audio of a question.

pub mod openai;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// Reads text aloud.
pub trait Voice: Send + Sync {
    /// Takes 5 s at most, in one try. Of a text of more than 4,096 characters only whole sentences up to there are read.
    fn speak<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Spoken, VoiceError>>;
}

/// Audio of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spoken {
    pub audio: Bytes,
    pub content_type: &'static str,
    /// Of a file with it, without the dot.
    pub extension: &'static str,
}

/// Why there is no audio.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VoiceError {
    /// No connection, or it broke.
    #[error("text to speech cannot be reached: {0}")]
    Unreachable(String),
    /// 5 s are over.
    #[error("text to speech did not answer in time")]
    TimedOut,
    /// It answered with this status.
    #[error("text to speech answered {0}")]
    Status(u16),
    /// There is nothing to read, or nothing came.
    #[error("there is no audio of an empty text")]
    Empty,
    /// It is no WAV file.
    #[error("text to speech answered with something that is no audio")]
    Unfit,
    /// The audio is larger than may be kept.
    #[error("the audio is too large")]
    TooLarge,
}

impl VoiceError {
    /// For metrics.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Status(_) => "status",
            Self::Empty => "empty",
            Self::Unfit => "unfit",
            Self::TooLarge => "too_large",
        }
    }
}
