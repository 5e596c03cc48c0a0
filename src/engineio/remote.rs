//! Sessions of other nodes. [`RemoteSessions`] is what this node asks of the *owner* of a session, `proxy` serves the clients of
//! such sessions, and `owner` answers other nodes about the sessions of this one.
//!
//! A session id begins with the tag of the process that created it. The implementation of [`RemoteSessions`] knows which process
//! that is and how to reach it. A request is forwarded at most once: the owner looks only at its own sessions.

mod owner;
mod proxy;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::Engine;

/// How many characters a tag has.
pub const TAG: usize = 8;

/// A long-polling request for a session of another node, already checked for its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PollRequest {
    Get,
    /// A body that decodes.
    Post(Bytes),
    /// The client has broken the protocol or a limit: its session is closed.
    Broken(Violation),
}

/// How a client has broken the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Violation {
    Malformed,
    TooLarge,
    /// It has aborted a poll that waited.
    Aborted,
}

/// The owner's answer to a [`PollRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollAnswer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// Why the owner gives no ticket for an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoTicket {
    /// The session is unknown, or its owner cannot be reached.
    Unknown,
    /// It is upgraded already, or is being upgraded.
    HandedOver,
}

/// The right to upgrade a session, given by its owner. Valid for [`Config::upgrade_timeout`](super::Config).
pub type Ticket = u64;

/// What the owner hands over to the node that takes a session over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandedOver {
    /// Packets for the client. The owner is still working for it, and must be asked again.
    Part(Bytes),
    /// The whole session, which the owner has forgotten.
    Whole(Bytes),
}

/// The result of a call to the new owner of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    Answered(Bytes),
    /// The session is not there, or has not arrived yet.
    NotThere,
    /// It is unknown whether the call was executed.
    Lost,
}

/// The sessions of other nodes. Dropping one of these futures ends the work of the other node for it.
pub trait RemoteSessions: Send + Sync + 'static {
    /// Sends a long-polling request to the owner of `sid`; `None` if the owner is unknown or cannot be reached.
    fn poll<'a>(
        &'a self,
        sid: &'a str,
        request: PollRequest,
        address: IpAddr,
        within: Duration,
    ) -> BoxFuture<'a, Option<PollAnswer>>;

    /// Tells the owner of `sid` that a large request of the client is being received, so that it waits longer for the client's
    /// `pong`. False: there is no such session.
    fn keep_alive<'a>(&'a self, sid: &'a str, address: IpAddr) -> BoxFuture<'a, bool>;

    /// The client has aborted a poll, perhaps before the owner has received it.
    fn abort_poll(&self, sid: &str, address: IpAddr);

    /// Asks the owner of `sid` for a ticket to upgrade it.
    fn request_ticket<'a>(&'a self, sid: &'a str) -> BoxFuture<'a, Result<Ticket, NoTicket>>;

    /// The upgrade has failed. If the owner does not learn of it, the ticket expires by itself.
    fn return_ticket(&self, sid: &str, ticket: Ticket);

    /// The client's probe is answered, and the client waits for its poll to end. The owner ends the poll sooner than by itself.
    fn probed(&self, sid: &str, ticket: Ticket);

    /// Takes the session over: what [`Engine::hand_over`] of its owner returns.
    fn take_over<'a>(&'a self, sid: &'a str, ticket: Ticket) -> BoxFuture<'a, Option<HandedOver>>;

    /// Sends the owner packets that came from the client while its session is being taken over. Returns how many of them the
    /// owner has accepted ([`Engine::forwarded_packets`]); this node handles the others. `None`: it is unknown how many.
    fn forward_packets<'a>(&'a self, sid: &'a str, ticket: Ticket, packets: Bytes) -> BoxFuture<'a, Option<usize>>;

    /// Sends a call to the process with this tag, the new owner of a session of this node.
    fn call<'a>(&'a self, tag: &'a str, sid: &'a str, call: Bytes, within: Duration) -> BoxFuture<'a, CallOutcome>;
}

impl Engine {
    /// How to reach a session that is not here; `None` if its id was not created by another node.
    pub(super) fn remote_sessions(&self, sid: &str) -> Option<&Arc<dyn RemoteSessions>> {
        let tag = tag_of(sid).filter(|tag| *tag != &*self.config.tag)?;
        self.remote.as_ref().filter(|_| !tag.is_empty())
    }
}

/// The tag of the process that created a session id; `None` if no node could have created it.
pub fn tag_of(sid: &str) -> Option<&str> {
    let legal = sid.len() <= 64 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if legal { sid.get(..TAG) } else { None }
}
