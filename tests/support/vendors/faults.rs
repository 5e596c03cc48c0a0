//! What fails, and what was seen.

use serde::{Deserialize, Serialize};

/// What the stand-in does wrong. As JSON: `{"speech": {"cut": {"seconds": 3}}, "ai": "refusal", "ai_times": 1}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    pub speech: SpeechFault,
    /// New streams a minute.
    pub speech_per_minute: usize,
    /// Words after which a turn ends by itself.
    pub speech_turn_words: usize,
    /// The end of a turn is said a second time, with punctuation.
    pub speech_formatted: bool,
    pub ai: AiFault,
    /// How many calls of the AI fail before it works again; `None`: all.
    pub ai_times: Option<u32>,
    pub voice: VoiceFault,
    pub storage: StorageFault,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            speech: SpeechFault::None,
            speech_per_minute: 100_000,
            speech_turn_words: 12,
            speech_formatted: true,
            ai: AiFault::None,
            ai_times: None,
            voice: VoiceFault::None,
            storage: StorageFault::None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpeechFault {
    #[default]
    None,
    /// New streams get this HTTP status.
    Status(u16),
    /// New streams are closed with this code instead of being begun: 1008, 3009, …
    Refuse(u16),
    /// New streams are accepted and never begun.
    Hang,
    /// The connection breaks after so many seconds of audio.
    Cut { seconds: f64 },
    /// The stream is closed with this code after so many seconds of audio: 3005, 3008, …
    Close { code: u16, seconds: f64 },
    /// Everything it says comes so much later.
    Slow { ms: u64 },
    /// It takes audio and says nothing.
    Silent,
    /// It takes nothing any more and says nothing, not even to a ping.
    Dead,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AiFault {
    #[default]
    None,
    Status(u16),
    /// Answers after so long.
    Slow {
        ms: u64,
    },
    /// The body is no JSON.
    Garbage,
    /// The content is no JSON.
    Malformed,
    /// The content is JSON that does not fit the schema.
    WrongSchema,
    Refusal,
    /// Cut off: `finish_reason` is `length`.
    Length,
    /// The connection is closed.
    Cut,
    Hang,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoiceFault {
    #[default]
    None,
    Status(u16),
    /// JSON where audio should be.
    Garbage,
    /// More bytes than anybody wants.
    Endless,
    Hang,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StorageFault {
    #[default]
    None,
    /// Uploads get this status: 503, 507 (full), 403.
    Status(u16),
    Hang,
}

/// What was asked and done, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Seen {
    pub speech: SpeechSeen,
    pub ai: AiSeen,
    pub voice: VoiceSeen,
    pub storage: StorageSeen,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SpeechSeen {
    /// Streams that were begun, those that were refused, and those that are open.
    pub begun: u64,
    pub refused: u64,
    pub open: u64,
    /// Streams that were ended with `Terminate`.
    pub terminated: u64,
    /// Streams that the stand-in has closed, by the code.
    pub closed: std::collections::BTreeMap<u16, u64>,
    pub audio_ms: u64,
    pub messages: u64,
    pub force_endpoints: u64,
    pub keep_alives: u64,
    /// Final turns.
    pub turns: u64,
    /// Query and key of the last one who came.
    pub query: String,
    pub key: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AiSeen {
    /// By the name of the schema.
    pub calls: std::collections::BTreeMap<String, u64>,
    pub failed: u64,
    /// The last call.
    pub last: serde_json::Value,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VoiceSeen {
    pub calls: u64,
    pub failed: u64,
    /// The last input.
    pub input: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StorageSeen {
    pub puts: u64,
    pub gets: u64,
    pub failed: u64,
    pub files: u64,
    pub bytes: u64,
}
