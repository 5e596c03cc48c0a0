//! The messages of AssemblyAI's Universal-Streaming v3, and what its close codes mean.

use serde::Deserialize;

use super::{Reason, Unavailable};

pub const FORCE_ENDPOINT: &str = r#"{"type":"ForceEndpoint"}"#;
pub const KEEP_ALIVE: &str = r#"{"type":"KeepAlive"}"#;
pub const TERMINATE: &str = r#"{"type":"Terminate"}"#;

/// Characters of a vendor's text that are passed on to the log.
const MOST_DETAIL: usize = 200;

/// What the vendor says. New kinds of messages and fields come without notice; they are ignored.
#[derive(Debug, Deserialize)]
#[serde(tag = "type")]
pub enum ServerMessage {
    Begin {
        id: String,
        #[serde(default)]
        configuration: Configuration,
    },
    Turn(TurnMessage),
    SpeechStarted {},
    Termination {},
    Error {
        #[serde(default)]
        error_code: Option<u16>,
        #[serde(default)]
        error: String,
    },
    #[serde(other)]
    Other,
}

/// What the vendor has made of the query of our address. It ignores parameters that it does not know.
#[derive(Debug, Default, Deserialize)]
pub struct Configuration {
    #[serde(default)]
    pub model: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct TurnMessage {
    pub turn_order: u64,
    #[serde(default)]
    pub turn_is_formatted: bool,
    #[serde(default)]
    pub end_of_turn: bool,
    /// Of models that do not change a word once it is said: the words that are final. Of others: all of them.
    #[serde(default)]
    pub transcript: String,
    /// All words of the turn so far.
    #[serde(default)]
    pub words: Vec<Word>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Word {
    #[serde(default)]
    pub text: String,
    /// Milliseconds of audio since the stream began.
    #[serde(default)]
    pub end: f64,
    #[serde(default)]
    pub confidence: f64,
}

impl ServerMessage {
    /// `None`: nothing that we know.
    pub fn parse(text: &[u8]) -> Option<Self> {
        match serde_json::from_slice(text) {
            Ok(Self::Other) | Err(_) => None,
            Ok(message) => Some(message),
        }
    }
}

/// A stream that the vendor has ended with this code, in a message or in a close frame.
pub fn ended(code: Option<u16>, text: &str) -> Unavailable {
    let reason = match code {
        Some(1008) => Reason::Unauthorized,
        Some(3006 | 3007) => Reason::Rejected,
        Some(3008) => Reason::Expired,
        Some(3009) => Reason::Busy,
        Some(1000 | 1001 | 1011..=1014 | 3005) => Reason::Failed,
        Some(3000..=4999) => Reason::Failed,
        // A connection that broke: nobody has said anything.
        _ => Reason::Unreachable,
    };
    let text: String = text.chars().take(MOST_DETAIL).collect();
    let code = code.map_or_else(|| "no code".to_owned(), |code| code.to_string());
    Unavailable { reason, detail: format!("{code} {text:?}") }
}

/// A connection that the vendor has refused with this status.
pub fn refused(status: u16) -> Unavailable {
    let reason = match status {
        401..=403 => Reason::Unauthorized,
        429 => Reason::Busy,
        400..=499 => Reason::Rejected,
        _ => Reason::Failed,
    };
    Unavailable { reason, detail: format!("HTTP {status}") }
}

/// There is no connection, or it broke.
pub fn unreachable(why: impl Into<String>) -> Unavailable {
    Unavailable { reason: Reason::Unreachable, detail: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_says_what_to_do() {
        let cases = [
            (Some(1008), Reason::Unauthorized),
            (Some(3005), Reason::Failed),
            (Some(1011), Reason::Failed),
            (Some(1000), Reason::Failed),
            (Some(3006), Reason::Rejected),
            (Some(3007), Reason::Rejected),
            (Some(3008), Reason::Expired),
            (Some(3009), Reason::Busy),
            (Some(4999), Reason::Failed),
            (Some(1006), Reason::Unreachable),
            (None, Reason::Unreachable),
        ];
        for (code, reason) in cases {
            assert_eq!(ended(code, "").reason, reason, "{code:?}");
        }
        for (status, reason) in [
            (401, Reason::Unauthorized),
            (402, Reason::Unauthorized),
            (410, Reason::Rejected),
            (429, Reason::Busy),
            (502, Reason::Failed),
        ] {
            assert_eq!(refused(status).reason, reason, "{status}");
        }
        assert!(ended(Some(3005), &"x".repeat(10_000)).detail.len() < 300);
    }

    #[test]
    fn what_is_not_known_is_ignored() {
        for text in ["", "[]", "{}", r#"{"type":"SpeakerRevision","revisions":[]}"#, r#"{"type":"Turn"}"#, "\u{0}"] {
            assert!(ServerMessage::parse(text.as_bytes()).is_none(), "{text}");
        }
        let turn = r#"{"type":"Turn","turn_order":3,"end_of_turn":true,"new":{"a":1},"words":[{"text":"hi","start":1920,"end":2000,"confidence":0.8,"word_is_final":true}]}"#;
        let Some(ServerMessage::Turn(turn)) = ServerMessage::parse(turn.as_bytes()) else { panic!("it is a turn") };
        assert_eq!((turn.turn_order, turn.words[0].end, turn.turn_is_formatted), (3, 2000.0, false));
    }
}
