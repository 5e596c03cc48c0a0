//! What this feature asks of its surroundings: who a token stands for, and what the SOS service knows.
//!
//! Both are traits, so that the rules can be tried without keys and without a service.

use std::pin::Pin;

use super::rules::Role;

/// A boxed future, so that the traits can stand behind `dyn`.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a valid token says. Contract § 3 "Connect".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub user_id: Box<str>,
    pub role: Role,
    /// Every SOS that the token names, `sosId` and `sosIds` united.
    pub sos_ids: Vec<Box<str>>,
    /// The claim `sosId`: a member from CONNECT on.
    pub sos_id: Option<Box<str>>,
    /// `exp` (seconds since 1970).
    pub expires_at: Option<u64>,
    /// `exp` has passed; everything else about the token is valid.
    pub expired: bool,
}

impl Identity {
    /// Whether the token names this SOS.
    pub fn names(&self, sos: &str) -> bool {
        self.sos_ids.iter().any(|named| &**named == sos)
    }

    /// The SOS that an event means which names none: the token's, if it has exactly one.
    pub fn default_sos(&self) -> Option<&str> {
        match self.sos_ids.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    Invalid,
    /// No key is configured for this surface.
    NotConfigured,
    /// The keys cannot be had at the moment; the client should come back.
    Unavailable,
}

/// Says who a token stands for.
pub trait Verifier: Send + Sync + 'static {
    /// An expired token is no error: see [`Identity::expired`].
    fn verify<'a>(&'a self, token: &'a str) -> Answer<'a, Result<Identity, TokenError>>;
}

/// What the SOS service says about an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Its record as JSON text, an object.
    Found(String),
    NotFound,
    /// No service is configured, or it failed or did not answer in time.
    Unavailable,
}

/// What became of an event for the SOS service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// 2xx, or 409: it has it.
    Accepted,
    /// Another 4xx: it will never take it.
    Rejected(u16),
    /// Anything else: repeat it later.
    Retry,
}

/// The SOS service. Calls take at most about two seconds.
pub trait Directory: Send + Sync + 'static {
    /// False: there is no service; nobody is owed any event.
    fn is_configured(&self) -> bool;

    /// `GET {SOS_MS_URL}/internal/sos/:id`
    fn lookup<'a>(&'a self, sos: &'a str) -> Answer<'a, Lookup>;

    /// `POST {SOS_MS_URL}/internal/realtime/event`, `id` also being the `Idempotency-Key`.
    fn deliver<'a>(&'a self, id: &'a str, event_json: &'a str) -> Answer<'a, Delivery>;
}
