//! What the hub knows of Redis: where each slot lives, how commands reach it, and the scripts it runs there.
//!
//! ```text
//! Redis::eval ─► commit::Board (a queue per master, order per slot) ─► commit::lane (one connection, one pipeline in flight)
//!                     ▲ slot table                                          │ MOVED, ASK, cuts
//!                topology (CLUSTER SHARDS each second) ◄────────────────────┘
//!                     ▼ slot table
//! Subscriber::subscribe ─► a subscriber connection per master ─► Sink::message, Sink::gap
//! ```
//!
//! A single Redis, and what Sentinel names as master, is a table with one row. It does not know what scopes or sockets are.

pub mod commit;
pub mod config;
pub mod error;
pub mod keys;
pub mod script;
pub mod scripts;
pub mod subscriber;
pub mod topology;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

pub use ::redis::{Cmd, Value, cmd};

pub use self::config::RedisConfig;
pub use self::error::RedisError;
use self::script::Script;
pub use self::subscriber::{Sink, Subscriber};

/// The whole client; cheap to clone. When the last clone is dropped, its tasks and connections end.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    subscriber: Subscriber,
}

/// A number that changes whenever the slot table or the state of a connection has changed.
pub type TopologyVersion = u64;

/// One master, as [`Redis::masters`] tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterInfo {
    /// `host:port`.
    pub address: String,
    /// One slot that lives there; with [`keys::tag_in_slot`] it makes a key for this very master.
    pub slot: u16,
    /// Whether the connection for commands stands.
    pub up: bool,
}

#[allow(unused_variables, clippy::todo)]
impl Redis {
    /// Reads the configuration and starts to connect. A URL that makes no sense is an error. With
    /// [`lazy`](RedisConfig::lazy) a Redis that is down is none: the client keeps trying in the background.
    /// Without it, this waits for every master up to `connect_timeout` and answers `Unavailable` if none is reached.
    pub async fn connect(config: RedisConfig) -> Result<Self, RedisError> {
        todo!()
    }

    /// One script call through the group commit of its slot's master. All keys share one slot. A call whose outcome is
    /// unknown is repeated within the deadline, so a script that writes must remember its operation id ([`Script`]).
    pub async fn eval(&self, script: &'static Script, keys: &[&str], args: Vec<Bytes>) -> Result<Value, RedisError> {
        todo!()
    }

    /// [`Redis::eval`] with a deadline of its own.
    pub async fn eval_within(
        &self,
        deadline: Duration,
        script: &'static Script,
        keys: &[&str],
        args: Vec<Bytes>,
    ) -> Result<Value, RedisError> {
        todo!()
    }

    /// [`Redis::eval`] for an acknowledged write: where the master has a replica, the answer waits for the confirmation
    /// of `ack_replicas` of them; short of it the error is [`RedisError::Unconfirmed`].
    pub async fn eval_write(&self, script: &'static Script, keys: &[&str], args: Vec<Bytes>) -> Result<Value, RedisError> {
        todo!()
    }

    /// [`Redis::eval`] over the reader connection, for scripts that only read, such as replay.
    pub async fn eval_on_reader(&self, script: &'static Script, keys: &[&str], args: Vec<Bytes>) -> Result<Value, RedisError> {
        todo!()
    }

    /// A plain command on one key, through group commit too. Sent at most once: a connection that breaks meanwhile makes
    /// it [`RedisError::Unknown`].
    pub async fn command(&self, cmd: Cmd, key: &str) -> Result<Value, RedisError> {
        todo!()
    }

    /// [`Redis::command`] for one that may be executed twice (`SADD`, `HGET`, …): repeated until the deadline.
    pub async fn command_idempotent(&self, cmd: Cmd, key: &str) -> Result<Value, RedisError> {
        todo!()
    }

    /// A read over the reader connection, for replay and reaping, which must not hold up the writes. Repeated until the deadline.
    pub async fn command_on_reader(&self, cmd: Cmd, key: &str) -> Result<Value, RedisError> {
        todo!()
    }

    /// How many masters answer, and how many there are. `(0, 0)` until the slot table was first read.
    pub fn masters_up(&self) -> (usize, usize) {
        todo!()
    }

    /// Every master that owns a slot.
    pub fn masters(&self) -> Vec<MasterInfo> {
        todo!()
    }

    /// Whether every slot has a master that answers.
    pub fn healthy(&self) -> bool {
        todo!()
    }

    /// Whether the master of this key's slot answers.
    pub fn is_up(&self, key: &str) -> bool {
        todo!()
    }

    /// Changes whenever the slot table or a connection does.
    pub fn watch(&self) -> watch::Receiver<TopologyVersion> {
        todo!()
    }

    /// The sharded subscriptions.
    pub fn subscriber(&self) -> &Subscriber {
        &self.inner.subscriber
    }
}
