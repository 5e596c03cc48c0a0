//! Settings of interviews and interview sessions (contract §§ 4 and 5), and of what both stand on: PostgreSQL and LiveKit.

use std::path::PathBuf;
use std::time::Duration;

use super::Secret;
use super::database::{DatabaseTls, database_url};
use super::identity::{Identity, identity};
use super::reader::Reader;
use super::table as t;
use super::values::duration;

/// Characters of a session's id (contract § 2).
const MOST_ID: usize = 128;

/// Where PostgreSQL is and how patient we are with it.
#[derive(Clone, Debug)]
pub struct Store {
    /// `postgres://…` without `sslmode`; it may hold a password.
    pub url: Secret,
    pub tls: DatabaseTls,
    /// PEM of the authority that signed the server's certificate; `None`: the system's.
    pub ca_file: Option<PathBuf>,
    /// Connections.
    pub pool_size: usize,
    /// For one call, the wait for a connection included.
    pub deadline: Duration,
}

/// The LiveKit server.
#[derive(Clone, Debug)]
pub struct LiveKit {
    /// `ws(s)://…`, as clients reach it.
    pub ws_url: Box<str>,
    /// `http(s)://…`, where its API is.
    pub api_url: Box<str>,
    pub key: Box<str>,
    pub secret: Secret,
    /// How long a token lasts where no session ends earlier.
    pub token_ttl: Duration,
    /// For one call.
    pub deadline: Duration,
}

/// Interviews (contract § 4).
#[derive(Clone, Debug)]
pub struct Interviews {
    /// Of recruiters, interviewers, observers and admins.
    pub identity: Identity,
    pub open_signalling: bool,
    /// Requests of one caller to each route.
    pub requests_per_minute: u32,
}

/// Interview sessions (contract § 5).
#[derive(Clone, Debug)]
pub struct Sessions {
    pub identity: Identity,
    pub rules: SessionRules,
    /// Of one user.
    pub starts_per_minute: u32,
    /// LiveKit tokens of one user.
    pub tokens_per_minute: u32,
    /// Requests of one user to each other route.
    pub requests_per_minute: u32,
}

/// The constants of `INTERVIEW_CONFIG` (contract § 5), and what a start may take.
#[derive(Clone, Debug)]
pub struct SessionRules {
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

pub(super) fn store(read: &mut Reader<'_>) -> Option<Store> {
    let ca_file = read.given(t::DATABASE_CA_FILE).map(PathBuf::from);
    let pool_size = read.integer(t::DATABASE_POOL_SIZE, 2..=1000);
    let deadline = read.milliseconds(t::DATABASE_DEADLINE_MS, 50..=60_000);
    let parts = match database_url(read.secret(t::DATABASE_URL)?.expose()) {
        Ok(parts) => parts,
        Err(message) => {
            read.fault(t::DATABASE_URL, message);
            return None;
        }
    };
    let ca_file = ca_file.or(parts.ca_file);
    let tls = match parts.tls {
        // Who says whom to trust wants the certificate looked at.
        DatabaseTls::IfOffered if ca_file.is_some() => DatabaseTls::SignedForHost,
        tls => tls,
    };
    Some(Store { url: Secret::new(&*parts.url), tls, ca_file, pool_size, deadline })
}

pub(super) fn livekit(read: &mut Reader<'_>) -> Option<LiveKit> {
    let token_ttl = read.parsed(t::LIVEKIT_TOKEN_TTL, "a duration such as 24h or 90m, at least 1m", |text| {
        duration(text).filter(|ttl| *ttl >= Duration::from_secs(60))
    });
    let deadline = read.milliseconds(t::LIVEKIT_DEADLINE_MS, 50..=60_000);
    let api_url = read.http_base(t::LIVEKIT_API_URL);
    let all = [t::LIVEKIT_WS_URL, t::LIVEKIT_API_KEY, t::LIVEKIT_API_SECRET];
    let missing: Vec<_> = all.into_iter().filter(|variable| read.given(variable).is_none()).collect();
    if missing.len() == all.len() {
        return None;
    }
    for variable in &missing {
        read.fault(variable, "must be set, as LiveKit's other settings are");
    }
    let ws_url = read.base(t::LIVEKIT_WS_URL, ["ws", "wss"])?;
    Some(LiveKit {
        // Its scheme is in lower case, and its path is that of the API too.
        api_url: api_url.unwrap_or_else(|| ws_url.replacen("ws", "http", 1).into()),
        ws_url,
        key: read.text(t::LIVEKIT_API_KEY).into(),
        secret: read.secret(t::LIVEKIT_API_SECRET)?,
        token_ttl: token_ttl?,
        deadline,
    })
}

pub(super) fn interviews(read: &mut Reader<'_>) -> Interviews {
    Interviews {
        identity: identity(
            read,
            [
                t::INTERVIEW_JWT_SECRET,
                t::INTERVIEW_JWT_PUBLIC_KEY,
                t::INTERVIEW_JWKS_URL,
                t::INTERVIEW_ISSUER,
                t::INTERVIEW_AUDIENCE,
            ],
        ),
        open_signalling: read.flag(t::INTERVIEW_OPEN_SIGNALLING),
        requests_per_minute: read.integer(t::RATE_LIMIT_INTERVIEWS_PER_MINUTE, 1..=1_000_000),
    }
}

pub(super) fn sessions(read: &mut Reader<'_>) -> Sessions {
    Sessions {
        identity: identity(
            read,
            [t::SESSIONS_JWT_SECRET, t::SESSIONS_JWT_PUBLIC_KEY, t::SESSIONS_JWKS_URL, t::SESSIONS_ISSUER, t::SESSIONS_AUDIENCE],
        ),
        rules: rules(read),
        starts_per_minute: read.integer(t::RATE_LIMIT_START_PER_MINUTE, 1..=1_000_000),
        tokens_per_minute: read.integer(t::RATE_LIMIT_TOKEN_PER_MINUTE, 1..=1_000_000),
        requests_per_minute: read.integer(t::RATE_LIMIT_SESSIONS_PER_MINUTE, 1..=1_000_000),
    }
}

fn rules(read: &mut Reader<'_>) -> SessionRules {
    let minutes: u64 = read.integer(t::INTERVIEW_DURATION_MINUTES, 1..=1440);
    let expected = "2 or more different characters of A–Z, a–z, 0–9, _, . and -";
    let id_charset = read.parsed(t::SESSION_ID_CHARSET, expected, |text| {
        let mut seen: Vec<_> = text.bytes().collect();
        seen.sort_unstable();
        seen.dedup();
        (is_plain(text) && seen.len() == text.len() && text.len() >= 2).then(|| text.into())
    });
    let mut plain =
        |variable| read.parsed(variable, "of A–Z, a–z, 0–9, _, . and -", |text| is_plain(text).then(|| text.into()));
    let [id_separator, room_prefix, room_separator]: [Box<str>; 3] =
        [t::SESSION_ID_SEPARATOR, t::ROOM_NAME_PREFIX, t::ROOM_NAME_SEPARATOR]
            .map(|variable| plain(variable).unwrap_or_default());
    let start_lease = read.milliseconds(t::START_LEASE_MS, 200..=600_000);
    let start_deadline = read.milliseconds(t::START_DEADLINE_MS, 100..=600_000);
    if start_deadline >= start_lease {
        read.fault(
            t::START_DEADLINE_MS,
            "must be less than START_LEASE_MS: a start must have ended before its slot is given away",
        );
    }
    let (id_segments, id_segment_chars) =
        (read.integer(t::SESSION_ID_SEGMENTS, 1..=8), read.integer(t::SESSION_ID_CHARS_PER_SEGMENT, 1..=12));
    let id_length = id_segments * id_segment_chars + (id_segments - 1) * id_separator.len();
    if id_length > MOST_ID {
        read.fault(t::SESSION_ID_SEPARATOR, format!("makes ids of {id_length} characters: they may have {MOST_ID}"));
    }
    SessionRules {
        max_concurrent: read.integer(t::MAX_CONCURRENT_INTERVIEWS, 1..=1_000_000),
        max_per_user: read.integer(t::MAX_ACTIVE_SESSIONS_PER_USER, 1..=1000),
        duration: Duration::from_secs(minutes * 60),
        beta_limit: read.integer(t::BETA_INTERVIEWS_PER_USER, 0..=1_000_000),
        id_retries: read.integer(t::SESSION_ID_GENERATION_RETRIES, 1..=1000),
        creation_retries: read.integer(t::SESSION_CREATION_RETRIES, 0..=100),
        sweep_interval: read.milliseconds(t::TIMEOUT_ENFORCEMENT_INTERVAL_MS, 100..=3_600_000),
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
