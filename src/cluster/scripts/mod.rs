//! The scripts of a scope, of a connection's record and of the nodes, as typed functions.
//!
//! Every write takes an operation id ([`Op::id`]). It is remembered for 60 s with the first answer, which a repeat gets
//! again, so that a call whose outcome is unknown may be sent again.

pub mod node;
pub mod scope;
pub mod session;

/// How long a scope remembers. The same for all calls of a process; from the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The recovery window (ms): how long a `clientMessageId` is remembered.
    pub window_ms: u64,
    /// How long logged events are kept (ms): window + 30 s + ping interval + ping timeout + drain.
    pub log_ms: u64,
}

/// What makes a write safe to repeat.
#[derive(Debug, Clone, Copy)]
pub struct Op<'a> {
    /// Unique in the cluster (node incarnation, counter), no spaces; empty: the write may not be repeated.
    pub id: &'a str,
    /// The client's own id of this write, unique per user and scope; empty: none. A repeat is answered with the first
    /// answer and `duplicate`.
    pub client_message_id: &'a str,
    pub retention: Retention,
    /// What was written is kept for a service that is told of it.
    pub outbox: bool,
    /// The number of the database, which the channel carries.
    pub database: u16,
}
