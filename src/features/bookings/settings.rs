//! What an operator sets for interview sessions (contract § 5).

use std::time::Duration;

use super::store::Limits;
use crate::settings::{Reader, VerifierSettings};

crate::settings_table! {
    "Interview sessions" {
        SESSIONS_JWT_SECRET = unset, "HS256 secret of the tokens of those who hold sessions (Supabase: its JWT secret)";
        SESSIONS_JWT_PUBLIC_KEY = unset, "RS256 or ES256 public key of these tokens, as PEM; \\n stands for a line break";
        SESSIONS_JWKS_URL = unset, "Where the public keys of these tokens (RS256, ES256) are published";
        SESSIONS_ISSUER = unset, "The `iss` that these tokens must carry";
        SESSIONS_AUDIENCE = "authenticated", "The `aud` that these tokens must carry";
        MAX_CONCURRENT_INTERVIEWS = "5", "Most sessions that are active at the same time, of all users together";
        MAX_ACTIVE_SESSIONS_PER_USER = "1", "Most sessions that one user may have active";
        INTERVIEW_DURATION_MINUTES = "30", "How long a session lasts";
        BETA_INTERVIEWS_PER_USER = "1", "Sessions that a user may complete";
        SESSION_ID_GENERATION_RETRIES = "5", "Ids that are tried in one attempt to start";
        SESSION_CREATION_RETRIES = "3", "Further attempts to start when no free id was found";
        TIMEOUT_ENFORCEMENT_INTERVAL_MS = "60000", "How often sessions whose time is over are completed, and what was left behind is swept";
        SESSION_ID_SEGMENTS = "3", "Segments of a session's id: ABC-123-XYZ";
        SESSION_ID_CHARS_PER_SEGMENT = "3", "Characters of each";
        SESSION_ID_CHARSET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "What they are drawn from";
        SESSION_ID_SEPARATOR = "-", "What stands between them";
        ROOM_NAME_PREFIX = "INTERVIEW", "What the name of a session's LiveKit room begins with: INTERVIEW-ABC-123-XYZ";
        ROOM_NAME_SEPARATOR = "-", "What stands between that and the session's id";
        START_LEASE_MS = "30000", "How long a slot is reserved for a session that is being started";
        START_DEADLINE_MS = "20000", "How long a start may take in all until it is answered; less than START_LEASE_MS";
        RATE_LIMIT_START_PER_MINUTE = "3", "Starts a minute of one user";
        RATE_LIMIT_TOKEN_PER_MINUTE = "20", "LiveKit tokens a minute of one user";
        RATE_LIMIT_SESSIONS_PER_MINUTE = "20", "Requests a minute of one user to each other route of sessions";
    }
}

/// Characters of a session's id (contract § 2).
const MOST_ID: usize = 128;

/// What was set.
#[derive(Clone, Debug)]
pub struct Settings {
    pub identity: VerifierSettings,
    pub rules: Rules,
    /// Of one user.
    pub starts_per_minute: u32,
    /// LiveKit tokens of one user.
    pub tokens_per_minute: u32,
    /// Requests of one user to each other route.
    pub requests_per_minute: u32,
}

/// The constants of `INTERVIEW_CONFIG` (contract § 5), and what a start may take.
#[derive(Clone, Debug)]
pub struct Rules {
    pub max_concurrent: u32,
    pub max_per_user: u32,
    pub duration: Duration,
    /// Sessions that a user may complete.
    pub beta_limit: u32,
    /// Ids tried in one attempt.
    pub id_retries: u32,
    /// Further attempts.
    pub creation_retries: u32,
    /// Between two rounds of time-outs and sweep.
    pub sweep_interval: Duration,
    pub id_segments: usize,
    pub id_segment_chars: usize,
    /// ASCII, each once.
    pub id_charset: Box<str>,
    pub id_separator: Box<str>,
    pub room_prefix: Box<str>,
    pub room_separator: Box<str>,
    /// How long a slot is reserved.
    pub start_lease: Duration,
    /// For a start in all; less than the lease.
    pub start_deadline: Duration,
}

impl Rules {
    /// How many sessions may be active, as all nodes must have it.
    pub fn limits(&self) -> Limits {
        Limits { max_concurrent: self.max_concurrent, max_per_user: self.max_per_user }
    }
}

impl Settings {
    pub fn read(read: &mut Reader<'_>) -> Self {
        let keys = [SESSIONS_JWT_SECRET, SESSIONS_JWT_PUBLIC_KEY, SESSIONS_JWKS_URL, SESSIONS_ISSUER, SESSIONS_AUDIENCE];
        Self {
            identity: VerifierSettings::read(read, keys),
            rules: rules(read),
            starts_per_minute: read.integer(RATE_LIMIT_START_PER_MINUTE, 1..=1_000_000),
            tokens_per_minute: read.integer(RATE_LIMIT_TOKEN_PER_MINUTE, 1..=1_000_000),
            requests_per_minute: read.integer(RATE_LIMIT_SESSIONS_PER_MINUTE, 1..=1_000_000),
        }
    }
}

fn rules(read: &mut Reader<'_>) -> Rules {
    let minutes: u64 = read.integer(INTERVIEW_DURATION_MINUTES, 1..=1440);
    let expected = "2 or more different characters of A–Z, a–z, 0–9, _, . and -";
    let id_charset = read.parsed(SESSION_ID_CHARSET, expected, |text| {
        let mut seen: Vec<_> = text.bytes().collect();
        seen.sort_unstable();
        seen.dedup();
        (is_plain(text) && seen.len() == text.len() && text.len() >= 2).then(|| text.into())
    });
    let mut plain =
        |variable| read.parsed(variable, "of A–Z, a–z, 0–9, _, . and -", |text| is_plain(text).then(|| text.into()));
    let [id_separator, room_prefix, room_separator]: [Box<str>; 3] =
        [SESSION_ID_SEPARATOR, ROOM_NAME_PREFIX, ROOM_NAME_SEPARATOR].map(|variable| plain(variable).unwrap_or_default());
    let start_lease = read.milliseconds(START_LEASE_MS, 200..=600_000);
    let start_deadline = read.milliseconds(START_DEADLINE_MS, 100..=600_000);
    if start_deadline >= start_lease {
        read.fault(START_DEADLINE_MS, "must be less than START_LEASE_MS: a start must have ended before its slot is given away");
    }
    let (id_segments, id_segment_chars) =
        (read.integer(SESSION_ID_SEGMENTS, 1..=8), read.integer(SESSION_ID_CHARS_PER_SEGMENT, 1..=12));
    let id_length = id_segments * id_segment_chars + (id_segments - 1) * id_separator.len();
    if id_length > MOST_ID {
        read.fault(SESSION_ID_SEPARATOR, format!("makes ids of {id_length} characters: they may have {MOST_ID}"));
    }
    Rules {
        max_concurrent: read.integer(MAX_CONCURRENT_INTERVIEWS, 1..=1_000_000),
        max_per_user: read.integer(MAX_ACTIVE_SESSIONS_PER_USER, 1..=1000),
        duration: Duration::from_secs(minutes * 60),
        beta_limit: read.integer(BETA_INTERVIEWS_PER_USER, 0..=1_000_000),
        id_retries: read.integer(SESSION_ID_GENERATION_RETRIES, 1..=1000),
        creation_retries: read.integer(SESSION_CREATION_RETRIES, 0..=100),
        sweep_interval: read.milliseconds(TIMEOUT_ENFORCEMENT_INTERVAL_MS, 100..=3_600_000),
        id_segments,
        id_segment_chars,
        id_charset: id_charset.unwrap_or_default(),
        id_separator,
        room_prefix,
        room_separator,
        start_lease,
        start_deadline,
    }
}

/// What keeps its meaning in keys, paths and the names of rooms.
fn is_plain(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::settings::Source;

    /// The rules that these variables make.
    pub fn rules(pairs: &[(&str, &str)]) -> Rules {
        let source: Source = pairs.iter().copied().collect();
        let mut read = Reader::new(&source);
        let rules = super::rules(&mut read);
        read.finish().unwrap();
        rules
    }

    #[test]
    fn a_sessions_id_has_no_more_characters_than_an_id_may_have() {
        let ids = |separator: usize| {
            let separator = "-".repeat(separator);
            let rules =
                [("SESSION_ID_SEGMENTS", "8"), ("SESSION_ID_CHARS_PER_SEGMENT", "9"), ("SESSION_ID_SEPARATOR", &*separator)];
            let source: Source = rules.into_iter().collect();
            let mut read = Reader::new(&source);
            super::rules(&mut read);
            read.finish().map_err(|faults| faults.to_string())
        };
        assert_eq!(ids(8), Ok(()));
        assert!(ids(9).unwrap_err().contains("makes ids of 135 characters"));
    }
}
