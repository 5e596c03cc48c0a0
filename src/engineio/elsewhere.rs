//! Sessions that live on another node: what is asked of it ([`Elsewhere`]), by whom (`asking`), and what this node answers when it
//! is asked itself (`asked`).
//!
//! A session id begins with the tag of the process that gave it out. Which process that is, and how it is
//! reached, the implementation of [`Elsewhere`] knows. A request is passed on at most once: a node that is asked looks only at
//! its own sessions.

mod asked;
mod asking;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::Engine;

/// The characters of a tag.
pub const TAG: usize = 8;

/// A request of long-polling for a session of another node, its form already checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Polled {
    Get,
    /// A body that decodes.
    Post(Bytes),
    /// The client has broken the protocol, or is too large for it: its session is to end.
    Broken(Breach),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Breach {
    Malformed,
    TooLarge,
    /// It has given up a request that waits.
    Aborted,
}

/// What the owner answers to [`Polled`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PollAnswer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// Why there is no ticket for an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoTicket {
    /// No such session, or nobody to ask.
    Unknown,
    /// It has been upgraded, or is being upgraded.
    Taken,
}

/// The right to upgrade a session, given out by its owner. Valid for [`Config::upgrade_timeout`](super::Config).
pub type Ticket = u64;

/// What the owner of a session gives out when another node takes it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Packets for the client: something is still under way for it there, and its owner is to be asked again.
    Part(Bytes),
    /// The whole session. Its owner has forgotten it.
    Whole(Bytes),
}

/// What became of a word to the node where a session goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    Answered(Bytes),
    /// The session is not there, or not yet.
    NotThere,
    /// Nobody knows whether it was heard.
    Lost,
}

/// The other nodes. Dropping one of these futures drops what the other node does for it.
pub trait Elsewhere: Send + Sync + 'static {
    /// Long-polling at the owner of `sid`; `None` if it is unknown or cannot be reached.
    fn poll<'a>(&'a self, sid: &'a str, polled: Polled, address: IpAddr, within: Duration) -> BoxFuture<'a, Option<PollAnswer>>;

    /// Tells the owner of `sid` that something large is on its way from the client; false if there is no such session.
    fn heard<'a>(&'a self, sid: &'a str, address: IpAddr) -> BoxFuture<'a, bool>;

    /// The client has given up a poll; perhaps before its owner has heard of it.
    fn abort(&self, sid: &str, address: IpAddr);

    /// Asks the owner of `sid` for the right to upgrade it.
    fn ticket<'a>(&'a self, sid: &'a str) -> BoxFuture<'a, Result<Ticket, NoTicket>>;

    /// The upgrade came to nothing. Whether the owner hears of it does not matter, since a ticket ends by itself.
    fn give_up(&self, sid: &str, ticket: Ticket);

    /// The client's probe has been answered: it waits for its poll to end. Only a help, since polls end in time by themselves.
    fn probed(&self, sid: &str, ticket: Ticket);

    /// Takes the session over: what its owner gives out, [`Engine::hand_over`], or `None` if it does not.
    fn take<'a>(&'a self, sid: &'a str, ticket: Ticket) -> BoxFuture<'a, Option<Taken>>;

    /// What the client says while its session is being taken over. How many of these packets the owner has taken,
    /// [`Engine::pass_on`]; the others are the new node's. `None`: nobody knows.
    fn pass_on<'a>(&'a self, sid: &'a str, ticket: Ticket, packets: Bytes) -> BoxFuture<'a, Option<usize>>;

    /// Says something to the process with this tag, where a session of ours goes on.
    fn follow<'a>(&'a self, tag: &'a str, sid: &'a str, word: Bytes, within: Duration) -> BoxFuture<'a, Followed>;
}

impl Engine {
    /// Who knows the sessions of other nodes. The first call counts; without one there are none.
    pub fn set_elsewhere(&self, elsewhere: Arc<dyn Elsewhere>) {
        let _ = self.elsewhere.set(elsewhere);
    }

    /// Whom to ask for a session that is not here; nobody if its id was not given out by another node.
    pub(super) fn elsewhere(&self, sid: &str) -> Option<&Arc<dyn Elsewhere>> {
        let tag = tag_of(sid).filter(|tag| *tag != &*self.config.tag)?;
        self.elsewhere.get().filter(|_| !tag.is_empty())
    }
}

/// The tag of the process that gave a session id out; `None` if no node could have.
pub fn tag_of(sid: &str) -> Option<&str> {
    let legal = sid.len() <= 64 && sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if legal { sid.get(..TAG) } else { None }
}
