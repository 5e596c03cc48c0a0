//! SOS: an incident, the people around it, and what they tell each other. Contract § 3.
//!
//! ```text
//! events (a client's word) ─┐
//! service (internal API)  ──┼─► scripts (decide and write in one step) ─► the scope's log ─► every member
//! sweep, timers, look-ups ──┘        └─► outbox ─► SOS service      └─► watchers
//! ```
//!
//! What can be decided without Redis is pure ([`rules`], [`payload`], [`requests`]). This feature knows scopes and scripts; it
//! never sees a transport or a packet, and HTTP only in its routes.

pub mod auth;
mod caller;
mod channel;
mod connect;
mod demo;
mod due;
pub mod error;
mod events;
mod expiry;
pub mod feature;
mod geojson;
mod hand_over;
mod join;
pub mod keys;
pub mod kinds;
mod listener;
mod location;
mod lookup;
mod metrics;
mod outbox;
mod payload;
pub mod ports;
mod presence;
pub mod requests;
mod resume;
pub mod routes;
pub mod rules;
pub mod scripts;
mod service;
pub mod service_client;
pub mod settings;
mod sweep;
mod time;
mod watch;
pub mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::cluster::Scopes;
use crate::cluster::scripts::{Op, Retention};
use crate::features::sos::scripts::Written;
use crate::features::sos::scripts::members::Moved;
use crate::features::sos::scripts::snapshot::SosSnapshot;
use crate::redis::Redis;
use crate::rooms::clock::Clock;
use crate::rooms::timers::Timers;
use crate::socketio::Socket;

pub use payload::NO_SOS_ID;
pub use service::{Created, Listed, Posted, Presence, StatusResult};

use listener::Listener;
use lookup::Lookups;
use outbox::Deliverers;
use ports::Ports;
use presence::Changes;
use sweep::Upkeep;
use watch::Watchers;

/// How long to wait for an index that is only a hint.
const HINT_DEADLINE: Duration = Duration::from_secs(1);
/// What an operator may set, and what the contract fixes.
#[derive(Clone, Debug)]
pub struct Config {
    pub retention: Retention,
    /// After so long without an acknowledgement, watchers and the SOS service are told.
    pub ack_after: Duration,
    /// How long a lost connection may stay unannounced.
    pub offline_after: Duration,
    /// The presence of one SOS is announced at most once in so long.
    pub presence_window: Duration,
    /// How long an expired token still opens its own SOS; zero: not at all.
    pub token_grace: Duration,
    /// `auth:expiring` comes so long before `exp`.
    pub expiring_before: Duration,
    /// At most one broadcast of a user's location in so long.
    pub throttle: Duration,
    /// Devices of a user whose last fix times an SOS remembers.
    pub devices: u32,
    /// SOSs that one socket may be in.
    pub rooms: usize,
    /// Sockets of one user that may be in one SOS.
    pub sockets: u32,
    /// Bytes of the payload of a signal, attachments included.
    pub relay_bytes: usize,
    /// Bytes of a state, as clients get it.
    pub state_bytes: usize,
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
            presence_window: Duration::from_millis(250),
            token_grace: Duration::from_secs(43_200),
            expiring_before: Duration::from_secs(60),
            throttle: Duration::from_secs(1),
            devices: 8,
            rooms: 200,
            sockets: 200,
            relay_bytes: 65_536,
            state_bytes: 393_216,
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
    /// Not started yet.
    pub timers: Arc<Timers>,
    pub config: Config,
    pub ports: Ports,
}

/// The feature: one in a process.
pub struct Sos {
    scopes: Arc<Scopes>,
    config: Config,
    ports: Ports,
    clock: Clock,
    /// Durable timers: the grace of lost connections, missing acknowledgements, repeated look-ups.
    timers: Arc<Timers>,
    /// Every connected socket of the namespace.
    sockets: Mutex<HashMap<Box<str>, Arc<Socket>>>,
    lookups: Lookups,
    presence: Changes,
    watchers: Watchers,
    outbox: Deliverers,
    flushes: location::Flushes,
    upkeep: Upkeep,
}

impl Sos {
    /// Puts the feature together and listens to its scopes. Must be called inside a Tokio runtime.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { scopes, timers, config, ports } = parts;
        let sos = Arc::new(Self {
            scopes,
            config,
            ports,
            clock: Clock::default(),
            timers,
            sockets: Mutex::default(),
            lookups: Lookups::default(),
            presence: Changes::default(),
            watchers: Watchers::default(),
            outbox: Deliverers::default(),
            flushes: location::flushes(),
            upkeep: Upkeep::default(),
        });
        for kind in [kinds::SOS, kinds::WATCH] {
            sos.scopes.register(kind, Arc::new(Listener(Arc::downgrade(&sos))));
        }
        sos.handle_timers();
        sos
    }

    /// Lost connections that this node has still to note.
    pub fn losses(&self) -> usize {
        self.presence.losses.count()
    }

    /// SOSs in which this node has unfinished work that any other node can do.
    pub fn unfinished(&self) -> Vec<String> {
        let mut left = self.presence.windows.keys();
        left.extend(self.outbox.workers.running());
        left.sort_unstable();
        left.dedup();
        left
    }

    /// Does the unfinished work of a node that stops.
    pub fn inherit(self: &Arc<Self>, sos: &str) {
        let (feature, sos) = (self.clone(), sos.to_owned());
        tokio::spawn(async move {
            let _permit = feature.upkeep.takeovers.acquire().await;
            if let Err(error) = feature.sweep_one(&sos).await {
                tracing::debug!(sos, %error, "what a node has left is the sweep's");
            }
        });
    }

    fn redis(&self) -> &Redis {
        self.scopes.redis()
    }

    fn op<'a>(&self, id: &'a str, client_message_id: &'a str) -> Op<'a> {
        let extra = if self.ports.service.is_configured() { "" } else { scripts::NO_OUTBOX };
        Op { id, client_message_id, retention: self.config.retention, extra, database: self.redis().database() }
    }

    /// Whether a node (with its incarnation) lives.
    fn is_live(&self, node: &str) -> bool {
        self.scopes.is_live(node)
    }

    fn state_json(&self, snapshot: &SosSnapshot) -> String {
        snapshot.to_json_within(self.config.state_bytes, |node| self.is_live(node))
    }

    /// What follows every write: nodes that did not hear it are woken, the deliverer is woken, watchers get their copies.
    fn after(self: &Arc<Self>, sos: &str, written: &Written) {
        self.clock.learn(written.at);
        self.scopes.written(&kinds::scope(sos), written.heard, written.listeners);
        if written.outbox > 0 {
            self.deliver_soon(sos);
        }
        if written.copies_pending {
            self.forward_soon(sos);
        }
    }

    /// [`Sos::after`] a write that may have changed the presence.
    fn after_move(self: &Arc<Self>, sos: &str, moved: &Moved) {
        self.after(sos, &moved.written);
        self.announce_in(sos, moved.announce_ms);
        self.timer_set(sos, moved.due_in);
    }
}
