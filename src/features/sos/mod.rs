//! SOS: an incident, the people around it, and what they tell each other. Contract § 3.
//!
//! ```text
//! events (a client's word) ─┐
//! service (internal API)  ──┼─► scripts (decide and write in one step) ─► the scope's log ─► every member
//! sweep, timers, look-ups ──┘        └─► outbox ─► SOS service      └─► watchers
//! ```
//!
//! What can be told without Redis is pure ([`rules`], [`payload`], [`requests`]); the rest carries it out. This feature
//! knows scopes and scripts; it never sees a transport, a packet or HTTP.

pub mod error;
mod fields;
mod payload;
pub mod requests;
pub mod rules;
pub mod seam;
mod service;

pub use fields::Bad;
pub use service::{Created, Listed, Posted, Presence, StatusResult};

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::Scopes;
use crate::redis::Redis;
use crate::redis::scripts::snapshot::SosSnapshot;
use crate::redis::scripts::sos::SosMade;
use crate::redis::scripts::{Op, Retention, Written};

use seam::{Directory, Verifier};

/// What an operator may set, and what is fixed by the contract.
#[derive(Clone, Debug)]
pub struct Config {
    pub retention: Retention,
    /// Without an acknowledgement for so long, watchers and the SOS service are told.
    pub ack_after: Duration,
    /// How long a lost connection may stay unannounced.
    pub offline_after: Duration,
    /// How long an expired token still opens its own SOS; zero: not at all.
    pub token_grace: Duration,
    /// `auth:expiring` comes so long before `exp`.
    pub expiring_before: Duration,
    /// At most one broadcast of a user's location in so long.
    pub throttle: Duration,
    /// An SOS that was last written so long ago is over.
    pub idle: Duration,
    pub sweep_every: Duration,
    /// A provisional state is looked up again so often.
    pub lookup_every: Duration,
    /// `lastSeen` of a socket is written at most so often.
    pub touch_every: Duration,
    /// The shortest and the longest wait before an event is offered to the SOS service again.
    pub backoff: (Duration, Duration),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            retention: Retention { window_ms: 120_000, log_ms: 215_000 },
            ack_after: Duration::from_secs(60),
            offline_after: Duration::from_secs(5),
            token_grace: Duration::from_secs(43_200),
            expiring_before: Duration::from_secs(60),
            throttle: Duration::from_secs(1),
            idle: Duration::from_secs(24 * 3600),
            sweep_every: Duration::from_secs(60),
            lookup_every: Duration::from_secs(30),
            touch_every: Duration::from_secs(10),
            backoff: (Duration::from_secs(1), Duration::from_secs(60)),
        }
    }
}

/// What [`Sos::new`] puts together.
pub struct Parts {
    pub scopes: Arc<Scopes>,
    pub config: Config,
    pub verifier: Arc<dyn Verifier>,
    pub directory: Arc<dyn Directory>,
}

/// The feature: one in a process.
pub struct Sos {
    scopes: Arc<Scopes>,
    config: Config,
    verifier: Arc<dyn Verifier>,
    directory: Arc<dyn Directory>,
}

impl Sos {
    /// Whether a node (with incarnation) lives.
    fn is_live(&self, _node: &str) -> bool {
        // TODO
        true
    }
    fn redis(&self) -> &Redis {
        self.scopes.redis()
    }
    fn op<'a>(&self, id: &'a str, client_message_id: &'a str) -> Op<'a> {
        Op { id, client_message_id, retention: self.config.retention }
    }
    fn state_json(&self, snapshot: &SosSnapshot) -> String {
        snapshot.to_json(|node| self.is_live(node))
    }
    async fn remember(self: &Arc<Self>, _sos: &str) {}
    async fn made(self: &Arc<Self>, _sos: &str, _made: &SosMade) {}
    fn after(self: &Arc<Self>, _sos: &str, _written: &Written) {}
}
