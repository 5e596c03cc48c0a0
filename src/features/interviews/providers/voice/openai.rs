//! An OpenAI-compatible `POST /audio/speech`.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::json;

use super::{Spoken, Voice, VoiceError};
use crate::features::interviews::providers::http::{Api, CallError};
use crate::features::interviews::providers::{SetupError, count};
use crate::features::interviews::settings;
use crate::telemetry::{due, once_a_minute};

/// For one call, the audio included.
const DEADLINE: Duration = Duration::from_secs(5);
/// Characters of the input, as the API has it.
const MOST_CHARACTERS: usize = 4096;
/// Bytes of the audio: about three minutes with 24 kHz.
const LARGEST_AUDIO: usize = 8 << 20;

/// A client of the API.
pub struct OpenAiVoice {
    api: Api,
    model: Box<str>,
    voice: Box<str>,
    deadline: Duration,
}

impl OpenAiVoice {
    /// # Errors
    /// [`SetupError`].
    pub fn new(settings: &settings::Voice) -> Result<Self, SetupError> {
        let api = Api::new(&settings.base, &settings.key)?;
        Ok(Self { api, model: settings.model.clone(), voice: settings.voice.clone(), deadline: DEADLINE })
    }

    /// With another deadline for one call.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Whether it takes our key, and knows our model; for `convoke check`.
    pub async fn check(&self) -> Result<String, String> {
        self.api.check(&self.model).await
    }

    async fn read_aloud(&self, text: &str) -> Result<Spoken, VoiceError> {
        let input = cut(text.trim());
        if input.is_empty() {
            return Err(VoiceError::Empty);
        }
        let body = json!({"model": self.model, "voice": self.voice, "input": input, "response_format": "wav"});
        let answer = self.api.post("/audio/speech", &body, self.deadline, LARGEST_AUDIO).await.map_err(|error| match error {
            CallError::Unreachable(why) => VoiceError::Unreachable(why),
            CallError::TimedOut => VoiceError::TimedOut,
            CallError::TooLarge => VoiceError::TooLarge,
        })?;
        match answer.status {
            200 if answer.body.starts_with(b"RIFF") => {
                Ok(Spoken { audio: answer.body, content_type: "audio/wav", extension: "wav" })
            }
            200 => Err(VoiceError::Unfit),
            status => {
                once_a_minute!(warn, "text to speech refuses a call", status, says = self.api.words(&answer));
                Err(VoiceError::Status(status))
            }
        }
    }
}

impl Voice for OpenAiVoice {
    fn speak<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Spoken, VoiceError>> {
        Box::pin(async move {
            let spoken = self.read_aloud(text).await;
            count("voice", &spoken, VoiceError::word);
            if let Err(error) = &spoken
                && *error != VoiceError::Empty
                && let Some(times) = due("a question has no audio")
            {
                tracing::warn!(%error, times, "a question has no audio");
            }
            spoken
        })
    }
}

/// As many whole sentences as may be read; of a sentence that is longer still, as many whole words.
fn cut(text: &str) -> &str {
    let Some((end, _)) = text.char_indices().nth(MOST_CHARACTERS) else { return text };
    let most = &text[..end];
    // A full stop ends a sentence if a space follows it, so that numbers are not cut.
    let sentence = most.char_indices().rev().find(|(at, c)| {
        let after = at + c.len_utf8();
        matches!(c, '。' | '！' | '？')
            || (matches!(c, '.' | '!' | '?') && text[after..].chars().next().is_none_or(char::is_whitespace))
    });
    match sentence {
        Some((at, c)) => &most[..at + c.len_utf8()],
        None => most.rfind(char::is_whitespace).map_or(most, |at| most[..at].trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_ends_with_a_sentence() {
        assert_eq!(cut("Short."), "Short.");
        let sentence = "Version 1.5 is out! ";
        let long = sentence.repeat(400);
        let read = cut(&long);
        assert!(read.ends_with("out!") && read.len() <= MOST_CHARACTERS && read.len() > MOST_CHARACTERS - sentence.len());
        let words = cut(&"word ".repeat(2000)).len();
        assert!(words <= MOST_CHARACTERS && words % 5 == 4, "{words}");
        assert_eq!(cut(&"ä".repeat(5000)).chars().count(), MOST_CHARACTERS);
    }
}
