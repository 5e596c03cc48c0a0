//! The scripts that the hub runs in Redis, as typed functions: `lua/<noun>_<verb>.lua` is `<noun>_<verb>` here.
//!
//! A script decides and writes in one step; what its function returns is what the caller has to answer, to announce or to
//! set a timer for. Nothing here knows connections, sockets or HTTP; [`Eval`] is all that is asked of Redis.
//!
//! Every write takes an operation id ([`Op::id`]). It is remembered for 60 s with the first answer, which a repeat gets
//! again, so that a call whose outcome is unknown may be sent again.

mod client;
mod reply;

pub mod limit;
pub mod location;
pub mod lookup;
pub mod members;
pub mod node;
pub mod outbox;
pub mod presence;
pub mod scope;
pub mod session;
pub mod slots;
pub mod snapshot;
pub mod sos;
pub mod talk;
pub mod trail;

use std::future::Future;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::Bytes;
use redis::Value;

use super::script::Script;
pub use client::OnReader;

/// What the scripts ask of Redis. All keys of one call lie in one slot.
pub trait Eval: Sync {
    type Error: From<BadReply> + Send;

    /// Runs a script.
    fn eval(
        &self,
        script: &'static Script,
        keys: Vec<String>,
        args: Vec<Bytes>,
    ) -> impl Future<Output = Result<Value, Self::Error>> + Send;

    /// Runs a script whose effect must be on a replica, if there is one, before the call succeeds.
    fn eval_write(
        &self,
        script: &'static Script,
        keys: Vec<String>,
        args: Vec<Bytes>,
    ) -> impl Future<Output = Result<Value, Self::Error>> + Send;
}

/// A script answered in a form that its function does not know: a fault of ours.
#[derive(Debug, Clone, thiserror::Error)]
#[error("script {script} answered unexpectedly: {detail}")]
pub struct BadReply {
    pub script: &'static str,
    pub detail: String,
}

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
    /// There is an SOS service: what it is to be told is kept for it.
    pub outbox: bool,
    /// The number of the database, which the channel carries.
    pub database: u16,
}

/// What a write did beside its own result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// How many subscribers heard the (least heard) message; `None` if nothing was published.
    pub heard: Option<u32>,
    /// How many nodes are registered as listeners. More than `heard`: somebody is deaf and should be nudged.
    pub listeners: u32,
    /// Entries in the SOS's outbox, if this call appended to it, else 0. Above 0: wake the deliverer.
    pub outbox: u64,
    /// Copies for those who watch every SOS are owed: see [`sos::watch_owed`].
    pub watchers_owed: bool,
    /// Redis' clock (ms since 1970): the `timestamp` of what was broadcast.
    pub at: u64,
    /// The answer is that of an earlier call with the same `client_message_id`.
    pub duplicate: bool,
}

/// Why a rule refused a write. Nothing changed, but that the audit trail may name the refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// There is no state: `SOS_NOT_FOUND`, or ask the SOS service first.
    Missing,
    /// `FORBIDDEN`.
    Forbidden,
    /// It has rights, but is for members, and Redis knows of no such membership: `FORBIDDEN`.
    NotMember,
    /// `SOS_CLOSED`.
    Closed,
    /// `INVALID_STATUS`: no such status.
    UnknownStatus,
    /// `INVALID_TRANSITION`.
    Transition,
    /// `STATUS_CONFLICT`: the given old status is not the present one.
    Conflict,
}

/// A write's result: broken transport outside, refusal by a rule inside.
pub type Outcome<T, E> = Result<Result<T, Refused>, E>;

/// base64url without padding: how a user id stands in keys, fields and audiences.
pub fn user_key(user: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(user)
}

/// A static script: its name, the libraries that it needs, and its file under `lua/`.
macro_rules! script {
    ($static:ident = $name:literal $(, $lib:literal)*) => {
        static $static: $crate::redis::script::Script = $crate::redis::script::Script::new(
            $name,
            concat!(
                "local NAME = '", $name, "'\n",
                $(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/lua/lib/", $lib, ".lua")), "\n",)*
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/lua/", $name, ".lua"))
            ),
        );
    };
}
use script;
