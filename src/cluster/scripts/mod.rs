//! The scripts of a scope, of a connection's record and of the nodes, as typed functions.
//!
//! Every write takes an operation id ([`Op::id`]). It is remembered for 60 s with the first answer, which a repeat gets
//! again, so that a call whose outcome is unknown may be sent again.

pub mod node;
pub mod scope;
pub mod session;

use std::time::Duration;

use crate::settings::Settings;

/// How long a scope keeps operation ids and its log. From the settings, the same for all calls of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The recovery window (ms): how long a `clientMessageId` is remembered.
    pub window_ms: u64,
    /// How long logged events are kept (ms): window + 30 s + ping interval + ping timeout + drain.
    pub log_ms: u64,
}

impl Retention {
    /// As the settings of this process want it.
    pub fn of(settings: &Settings) -> Self {
        let transport = &settings.transport;
        let window = transport.recovery_window;
        // A client may notice a lost connection only after a whole heartbeat, and then has the window to come back.
        let log = window + Duration::from_secs(30) + transport.ping_interval + transport.ping_timeout + settings.server.drain;
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self { window_ms: ms(window), log_ms: ms(log) }
    }
}

/// What the scripts of every scope share, for [`Script::with`](crate::redis::script::Script::with). `SCOPE` stands first: it has
/// the clock, `scope:meta`, operation ids and the channel. The head of each text says what it needs and what it gives.
pub mod libraries {
    pub const SCOPE: &str = include_str!("../../../lua/scope/lib/scope.lua");
    /// The log, who listens, and how long the keys live.
    pub const LOG: &str = include_str!("../../../lua/scope/lib/log.lua");
    /// The durable timers.
    pub const DUE: &str = include_str!("../../../lua/scope/lib/due.lua");
    /// The members and their sockets.
    pub const MEMBERS: &str = include_str!("../../../lua/scope/lib/members.lua");
}

/// What every write of a scope needs; the ids make it safe to repeat.
#[derive(Debug, Clone, Copy)]
pub struct Op<'a> {
    /// Unique in the cluster (node incarnation, counter), no spaces; empty: the write must not be repeated.
    pub id: &'a str,
    /// The client's own id of this write, unique per user and scope; empty: none. A repeat is answered with the first
    /// answer and `duplicate`.
    pub client_message_id: &'a str,
    pub retention: Retention,
    /// An argument for the scripts of a feature; the scripts of a scope do not read it.
    pub extra: &'a str,
    /// The number of the Redis database, which is part of the channel's name.
    pub database: u16,
}
