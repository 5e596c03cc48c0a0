//! What the hub knows of Redis: where each slot lives, how commands reach it, and the scripts it runs there.
//!
//! ```text
//! Redis::eval ─► Dispatcher (a queue per master, order per slot) ─► connection (one pipeline in flight)
//!                     ▲ slot table                                      │ MOVED, ASK, a broken connection
//!                topology (reads CLUSTER SHARDS each second) ◄──────────┘
//!                     ▼ slot table
//! Subscriber::subscribe ─► a subscriber connection per master ─► Sink::message, Sink::gap
//! ```
//!
//! A single Redis, or the master that Sentinel names, is a slot table with one row. This module does not know scopes or sockets.
//!
//! A Redis Cluster needs `cluster-require-full-coverage no`: by default *every* master refuses everything while one is dead.

mod call;
pub mod config;
mod connection;
mod dial;
mod discovery;
mod dispatcher;
pub mod error;
pub mod keys;
mod preflight;
mod refusals;
pub mod script;
pub mod subscriber;
mod topology;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use ::redis::{Cmd, Value, cmd};

use self::call::Call;
pub use self::config::RedisConfig;
use self::config::Target;
use self::dial::Dial;
use self::dispatcher::Dispatcher;
pub use self::error::RedisError;
pub use self::preflight::MasterReport;
pub use self::refusals::Refusals;
use self::script::Script;
pub use self::subscriber::{Sink, Subscriber};
use self::topology::{Follower, Master, Topology};

/// The whole client; cheap to clone. When the last clone is dropped, its tasks and connections end.
#[derive(Clone)]
pub struct Redis {
    inner: Arc<Inner>,
}

struct Inner {
    context: Arc<Context>,
    database: u16,
    writer: Arc<Dispatcher>,
    reader: Arc<Dispatcher>,
    subscriber: Subscriber,
    _tasks: DropGuard,
}

/// What the connections of a client share.
struct Context {
    config: RedisConfig,
    dial: Dial,
    topology: Topology,
    cancel: CancellationToken,
    runtime: Handle,
}

/// A number that changes whenever the slot table or the state of a connection has changed.
pub type TopologyVersion = u64;

/// One master, as [`Redis::masters`] tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterInfo {
    /// `host:port`.
    pub address: String,
    /// One slot that it owns; with [`keys::tag_in_slot`] it makes a key for this very master.
    pub slot: u16,
    /// Whether the connection for commands is open.
    pub up: bool,
    /// Its online replicas, as the slot table was last read.
    pub replicas: usize,
}

impl Redis {
    /// Reads the configuration and starts to connect. A URL that makes no sense is an error. With
    /// [`lazy`](RedisConfig::lazy) a Redis that is down is none: the client keeps trying in the background.
    /// Without it, this waits up to the deadline for all masters, and answers `Unavailable` if not one was reached.
    pub async fn connect(config: RedisConfig) -> Result<Self, RedisError> {
        let target = Target::parse(&config.url)?;
        let database = target.database();
        let (dial, topology) = (Dial::new(&target, &config), Topology::new(&config, &target));
        let context = Context { config, dial, topology, cancel: CancellationToken::new(), runtime: Handle::current() };
        let context = Arc::new(context);
        let (writer, reader) = (Dispatcher::new(context.clone()), Dispatcher::new(context.clone()));
        let subscriber = Subscriber::new(context.clone());
        let follower = |dispatcher: &Arc<Dispatcher>| -> Weak<dyn Follower> {
            let dispatcher: Weak<Dispatcher> = Arc::downgrade(dispatcher);
            dispatcher
        };
        context.topology.start(vec![follower(&writer), follower(&reader), subscriber.follower()]);
        tokio::spawn(topology::run(context.clone(), target));
        let _tasks = context.cancel.clone().drop_guard();
        let inner = Inner { context, database, writer, reader, subscriber, _tasks };
        let redis = Self { inner: Arc::new(inner) };
        if !redis.inner.context.config.lazy {
            let mut changes = redis.watch();
            let all_up = async { while !redis.healthy() && changes.changed().await.is_ok() {} };
            if tokio::time::timeout(redis.inner.context.config.deadline, all_up).await.is_err() && redis.masters_up().0 == 0 {
                return Err(RedisError::Unavailable);
            }
        }
        Ok(redis)
    }

    /// One script call through the group commit of its slot's master. All keys share one slot. A call whose outcome is
    /// unknown is repeated within the deadline, so a script that writes must remember its operation id ([`Script`]).
    pub async fn eval(&self, script: &'static Script, keys: &[&str], args: Vec<Bytes>) -> Result<Value, RedisError> {
        self.eval_within(self.inner.context.config.deadline, script, keys, args).await
    }

    /// [`Redis::eval`] with a deadline of its own.
    pub async fn eval_within(
        &self,
        deadline: Duration,
        script: &'static Script,
        keys: &[&str],
        args: Vec<Bytes>,
    ) -> Result<Value, RedisError> {
        self.inner.writer.call(Call { deadline, ..self.script_call(script, keys, args) }).await
    }

    /// [`Redis::eval`] for an acknowledged write: where the master has a replica, the answer waits for the confirmation
    /// of `ack_replicas` of them; short of it the error is [`RedisError::Unconfirmed`].
    pub async fn eval_write(&self, script: &'static Script, keys: &[&str], args: Vec<Bytes>) -> Result<Value, RedisError> {
        self.inner.writer.call(Call { acknowledged: true, ..self.script_call(script, keys, args) }).await
    }

    /// [`Redis::eval`] over the reader connection, for scripts that only read, such as replay.
    pub async fn eval_on_reader(&self, script: &'static Script, keys: &[&str], args: Vec<Bytes>) -> Result<Value, RedisError> {
        self.inner.reader.call(self.script_call(script, keys, args)).await
    }

    /// A plain command on one key, through group commit too. Sent again only if it surely was not executed: a connection that
    /// breaks meanwhile makes it [`RedisError::Unknown`]. Answers have the shapes of RESP3 (a hash is a `Value::Map`).
    pub async fn command(&self, cmd: Cmd, key: &str) -> Result<Value, RedisError> {
        self.inner.writer.call(self.plain_call(cmd, key, false)).await
    }

    /// [`Redis::command`] for one that may be executed twice (`SADD`, `HGET`, …): repeated until the deadline.
    pub async fn command_idempotent(&self, cmd: Cmd, key: &str) -> Result<Value, RedisError> {
        self.inner.writer.call(self.plain_call(cmd, key, true)).await
    }

    /// A read over the reader connection, for replay and reaping, which must not hold up the writes. Repeated until the deadline.
    pub async fn command_on_reader(&self, cmd: Cmd, key: &str) -> Result<Value, RedisError> {
        self.inner.reader.call(self.plain_call(cmd, key, true)).await
    }

    /// How many masters answer, and how many there are. `(0, 0)` until the slot table was first read.
    pub fn masters_up(&self) -> (usize, usize) {
        let masters = self.masters();
        (masters.iter().filter(|master| master.up).count(), masters.len())
    }

    /// Every master that owns a slot.
    pub fn masters(&self) -> Vec<MasterInfo> {
        let up = self.inner.writer.up();
        let info = |(Master { address, replicas }, slot): (Master, u16)| {
            let up = up.get(&address).is_some_and(|up| *up);
            MasterInfo { address: address.to_string(), slot, up, replicas }
        };
        self.inner.context.topology.table().first_slots().into_iter().map(info).collect()
    }

    /// `host:port` of the masters; as long as none is known, the addresses in the URL.
    pub fn addresses(&self) -> Vec<String> {
        let masters: Vec<String> = self.masters().into_iter().map(|master| master.address).collect();
        let seeds = || Target::parse(&self.inner.context.config.url).map(|target| target.seeds).unwrap_or_default();
        if masters.is_empty() { seeds().iter().map(ToString::to_string).collect() } else { masters }
    }

    /// Whether every slot has a master that answers.
    pub fn healthy(&self) -> bool {
        let (up, all) = self.masters_up();
        all > 0 && up == all && self.inner.context.topology.table().complete()
    }

    /// Whether the master of this key's slot answers.
    pub fn is_up(&self, key: &str) -> bool {
        self.inner.writer.is_up(keys::slot(key.as_bytes()))
    }

    /// Changes whenever the slot table or a connection does.
    pub fn watch(&self) -> watch::Receiver<TopologyVersion> {
        self.inner.context.topology.watch()
    }

    /// The number of the database that holds the keys.
    pub fn database(&self) -> u16 {
        self.inner.database
    }

    /// The commands and connections that Redis has refused in the last seconds.
    pub fn refusals(&self) -> &Refusals {
        &self.inner.context.dial.refusals
    }

    /// Tries on each master the commands that the hub needs, over new connections.
    pub async fn preflight(&self) -> Vec<MasterReport> {
        preflight::run(&self.inner.context.dial, &self.inner.context.topology.table()).await
    }

    /// The sharded subscriptions.
    pub fn subscriber(&self) -> &Subscriber {
        &self.inner.subscriber
    }

    /// How many pipelines have been sent over the connections for commands, and how many commands in them.
    pub fn pipelines(&self) -> (u64, u64) {
        let stats = &self.inner.writer.stats;
        (stats.pipelines.load(Ordering::Relaxed), stats.commands.load(Ordering::Relaxed))
    }

    fn script_call(&self, script: &'static Script, keys: &[&str], args: Vec<Bytes>) -> Call {
        let slot = keys.first().map_or(0, |key| keys::slot(key.as_bytes()));
        debug_assert!(keys.iter().all(|key| keys::slot(key.as_bytes()) == slot), "{}: {keys:?}", script.name);
        let mut cmd = cmd("EVALSHA");
        cmd.arg(script.sha()).arg(keys.len()).arg(keys);
        for arg in &args {
            cmd.arg(&arg[..]);
        }
        Call {
            slot,
            cmd,
            script: Some(script),
            repeatable: true,
            acknowledged: false,
            deadline: self.inner.context.config.deadline,
        }
    }

    fn plain_call(&self, cmd: Cmd, key: &str, repeatable: bool) -> Call {
        let slot = keys::slot(key.as_bytes());
        Call { slot, cmd, script: None, repeatable, acknowledged: false, deadline: self.inner.context.config.deadline }
    }
}
