//! What an operator sets for interviews (contract § 4).

mod vendors;

use std::time::Duration;

use super::proctoring::{self, Proctoring};
use super::wire::Severity;
use crate::settings::{Reader, VerifierSettings};

pub use vendors::{Ai, Audio, Credentials, S3, Speech, Vendors, Voice};

crate::settings_table! {
    "Interviews" {
        INTERVIEW_JWT_SECRET = unset, "HS256 secret of the tokens of recruiters, interviewers, observers and admins";
        INTERVIEW_JWT_PUBLIC_KEY = unset, "RS256 or ES256 public key of these tokens, as PEM; \\n stands for a line break";
        INTERVIEW_JWKS_URL = unset, "Where the public keys of these tokens (RS256, ES256) are published";
        INTERVIEW_ISSUER = unset, "The `iss` that these tokens must carry";
        INTERVIEW_AUDIENCE = unset, "The `aud` that these tokens must carry";
        INTERVIEW_OPEN_SIGNALLING = "false", "Anyone may join the call of any interview, and take a token for it: for clients that have none";
        LEAVE_GRACE_MS = "5000", "How long a connection of an interview may be lost before its participant counts as gone";
        INTERVIEW_HEARTBEAT_SECONDS = "90", "A candidate that has once sent a heartbeat is gone after so long without one";
        INTERVIEW_ANSWER_SECONDS = "900", "How long the audio of one answer may be";
        TRUST_WEIGHTS = "faces=5,tabs=3,fullscreen=10,suspicious=15", "What proctoring takes from a trust of 100 for each event of a kind";
        PROCTOR_ALERT_SEVERITY = "high", "From which severity on observers get a proctor-alert: low, medium, high or critical";
        PROCTOR_MIN_REPEATS = "1", "Proctoring events of a type that must come within 5 s before one has an effect";
        CALL_MAX_SOCKETS = "200", "Connections in the call of one interview; 20 more for those who do not only observe";
        CALL_PRESENCE_WINDOW_MS = "250", "Who comes to a call and goes is announced at most once in so long, all changes together";
        INTERVIEW_SWEEP_SECONDS = "60", "How often each node looks for interviews whose 24 hours are over, and one of them for LiveKit rooms of those that have ended and for candidates there whose invite was revoked";
        INTERVIEW_INVITES_SECONDS = "10", "How often each node looks whether invites of its candidates were revoked; it matters only to a node that could not be told at once";
        RATE_LIMIT_INTERVIEWS_PER_MINUTE = "20", "Requests a minute of one caller to each route of interviews";
    }
    "Speech, AI and audio of interviews" {
        ASSEMBLYAI_API_KEY = unset, "Key of AssemblyAI; without it there is no speech to text";
        ASSEMBLYAI_SPEECH_MODEL = unset, "The model that it is asked for";
        ASSEMBLYAI_URL = "wss://streaming.assemblyai.com/v3/ws", "ws:// or wss:// address of its streams";
        STT_SESSIONS_PER_MINUTE = "100", "Most new streams a minute, of all nodes together; no more than the account may open";
        AI_BASE_URL = unset, "Where an OpenAI-compatible API is, /v1 included; without it nothing is scored";
        AI_API_KEY = unset, "Its key";
        AI_MODEL = unset, "The model that it is asked for; it must know JSON-schema output";
        TTS_BASE_URL = unset, "Where an OpenAI-compatible API for speech is, /v1 included; without it questions have no audio";
        TTS_API_KEY = unset, "Its key";
        TTS_MODEL = unset, "The model that it is asked for";
        TTS_VOICE = unset, "The voice that reads";
        AUDIO_STORAGE_URL = unset, "s3://bucket/prefix, or file:///folder that all nodes share; without it no audio is kept";
        AUDIO_PUBLIC_URL = unset, "Where clients reach this hub, for audio in a folder; without it addresses begin with /media";
        AWS_ACCESS_KEY_ID = unset, "Who the hub is at s3://; without it the role of the machine";
        AWS_SECRET_ACCESS_KEY = unset, "Its secret";
        AWS_SESSION_TOKEN = unset, "Of credentials that end";
        AWS_REGION = "us-east-1", "Region of the bucket";
        AWS_ENDPOINT_URL = unset, "Another server that speaks S3; buckets then stand in the path";
    }
}

/// What was set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Of recruiters, interviewers, observers and admins.
    pub identity: VerifierSettings,
    pub open_signalling: bool,
    /// A connection that was lost for so long is gone.
    pub leave_grace: Duration,
    /// So long may a candidate that sends heartbeats be silent.
    pub heartbeat: Duration,
    /// Of audio, for one answer.
    pub answer: Duration,
    pub proctoring: Proctoring,
    /// Connections in one call.
    pub call_sockets: u32,
    /// Who is in a call is announced at most once in so long.
    pub presence_window: Duration,
    pub expire_every: Duration,
    /// How often each node asks whether the invites of its sockets are revoked.
    pub invites_every: Duration,
    /// Requests of one caller to each route.
    pub requests_per_minute: u32,
    pub vendors: Vendors,
}

impl Settings {
    pub fn read(read: &mut Reader<'_>) -> Self {
        let keys = [INTERVIEW_JWT_SECRET, INTERVIEW_JWT_PUBLIC_KEY, INTERVIEW_JWKS_URL, INTERVIEW_ISSUER, INTERVIEW_AUDIENCE];
        Self {
            identity: VerifierSettings::read(read, keys),
            open_signalling: read.flag(INTERVIEW_OPEN_SIGNALLING),
            leave_grace: read.milliseconds(LEAVE_GRACE_MS, 0..=600_000),
            heartbeat: read.seconds(INTERVIEW_HEARTBEAT_SECONDS, 1..=86_400),
            answer: read.seconds(INTERVIEW_ANSWER_SECONDS, 10..=3600),
            proctoring: proctoring(read),
            call_sockets: read.integer(CALL_MAX_SOCKETS, 2..=1_000),
            presence_window: read.milliseconds(CALL_PRESENCE_WINDOW_MS, 0..=60_000),
            expire_every: read.seconds(INTERVIEW_SWEEP_SECONDS, 1..=86_400),
            invites_every: read.seconds(INTERVIEW_INVITES_SECONDS, 1..=86_400),
            requests_per_minute: read.integer(RATE_LIMIT_INTERVIEWS_PER_MINUTE, 1..=1_000_000),
            vendors: Vendors::read(read),
        }
    }
}

fn proctoring(read: &mut Reader<'_>) -> Proctoring {
    let default = Proctoring::default();
    let expected = "weights from 0 to 100 by name, such as faces=5,tabs=3,fullscreen=10,suspicious=15";
    let weights = read.parsed(TRUST_WEIGHTS, expected, proctoring::weights);
    let severity = |text: &str| Severity::ALL.into_iter().find(|severity| severity.as_str().eq_ignore_ascii_case(text));
    let alert_from = read.parsed(PROCTOR_ALERT_SEVERITY, "low, medium, high or critical", severity);
    Proctoring {
        weights: weights.unwrap_or(default.weights),
        alert_from: alert_from.unwrap_or(default.alert_from),
        min_repeats: read.integer(PROCTOR_MIN_REPEATS, 1..=64),
    }
}
