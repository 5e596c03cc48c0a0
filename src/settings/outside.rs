//! Settings of the outside systems that several features stand on: PostgreSQL and LiveKit.

use std::path::PathBuf;
use std::time::Duration;

use super::Secret;
use super::database::{DatabaseTls, database_url};
use super::reader::Reader;
use super::table as t;
use super::values::duration;

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
        // With an authority to trust, the certificate must be checked.
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
        secret: read.own_secret(t::LIVEKIT_API_SECRET)?,
        token_ttl: token_ttl?,
        deadline,
    })
}
