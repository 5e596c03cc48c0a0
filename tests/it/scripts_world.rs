//! The one place of the script tests that knows their API: an SOS, people, and what was broadcast.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use convoke::cluster::scripts::scope::{Log, scope_read};
use convoke::cluster::scripts::{Op, Retention};
use convoke::core::{Position, ScopeId};
use convoke::features::sos::kinds;
use convoke::features::sos::scripts::Refused;
use convoke::features::sos::scripts::snapshot::SosSnapshot;
use convoke::features::sos::scripts::*;
use convoke::features::sos::wire;
use convoke::redis::script::Eval;
use convoke::redis::script::Script;
use convoke::redis::{Redis, RedisError, Sink, Value};
use convoke::rooms::audit::AuditEntry;
use convoke::rooms::history::HistoryQuery;
use convoke::rooms::relay::SignalBody;
use tokio::sync::mpsc;

/// Runs each fact on a single Redis and on a cluster of three masters.
#[macro_export]
macro_rules! on_both {
    ($($fact:ident),* $(,)?) => {
        mod on_single {
            $(#[tokio::test]
            async fn $fact() {
                super::$fact($crate::support::redis::single().client().await).await;
            })*
        }
        mod on_cluster {
            $(#[tokio::test]
            async fn $fact() {
                super::$fact($crate::support::redis::cluster().client().await).await;
            })*
        }
    };
}

static NEXT: AtomicU64 = AtomicU64::new(1);

/// When the timers of an SOS are due that is made.
pub const TIMERS: FirstTimers = FirstTimers { ack: Duration::from_secs(60), lookup: Some(Duration::from_secs(30)) };

pub fn unique(what: &str) -> String {
    format!("{what}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub const RETENTION: Retention = Retention { window_ms: 120_000, log_ms: 215_000 };
pub const THROTTLE_MS: u64 = 1000;

/// How the fixes of a connection are taken in.
pub fn intake(connection: &str) -> Intake<'_> {
    Intake { throttle_ms: THROTTLE_MS, connection, devices: 8 }
}

/// An operation without an id.
pub fn plain() -> Op<'static> {
    op("")
}

pub fn op(id: &str) -> Op<'_> {
    Op { id, client_message_id: "", retention: RETENTION, extra: "", database: 0 }
}

pub fn cmid(id: &str) -> Op<'_> {
    Op { client_message_id: id, ..plain() }
}

/// A signal without attachments.
pub fn signal(args: &'static str) -> SignalBody {
    SignalBody { lengths: "-".into(), bytes: Bytes::from_static(args.as_bytes()) }
}

/// The newest page of a history.
pub fn newest(limit: u32) -> HistoryQuery {
    HistoryQuery { before: None, limit }
}

/// A person whose token names the SOS; its socket is `s-<user>`.
pub fn person(user: &'static str, role: &'static str) -> Actor<'static> {
    let sid: &'static str = Box::leak(format!("s-{user}").into_boxed_str());
    Actor { user, role, named: true, sid, source: Source::Socket }
}

pub fn citizen() -> Actor<'static> {
    person("cit", "citizen")
}

pub fn rescuer() -> Actor<'static> {
    person("res", "rescuer")
}

pub fn dispatcher() -> Actor<'static> {
    Actor { named: false, ..person("dis", "dispatcher") }
}

pub fn service(user: &'static str) -> Actor<'static> {
    Actor { user, role: "system", named: false, sid: "", source: Source::Internal }
}

pub const CONNECTION: Connection<'static> = Connection { node: "n1.a", session_epoch: 1 };
pub const JOINING: Joining<'static> = Joining { connection: CONNECTION, from_connect: false, recovered: false, most: 200 };

pub fn fix(latitude: f64, time: Option<u64>) -> Fix {
    Fix {
        fields: format!(
            r#""latitude":{latitude},"longitude":2,"accuracy":null,"heading":null,"speed":null,"altitude":null,"deviceId":"d""#
        ),
        latitude: latitude.to_string(),
        longitude: "2".to_owned(),
        device: "d".to_owned(),
        time,
        address: None,
    }
}

/// One SOS and the Redis that holds it.
#[derive(Clone)]
pub struct World {
    pub redis: Redis,
    pub id: String,
}

impl World {
    pub fn nothing(redis: Redis) -> Self {
        Self { redis, id: unique("sos") }
    }

    /// An SOS of citizen `cit`, made by the internal API.
    pub async fn new(redis: Redis) -> Self {
        let world = Self::nothing(redis);
        let made = sos_create(&world.redis, &world.id, plain(), Self::record(), None, TIMERS).await.unwrap();
        assert!(made.created);
        world
    }

    pub fn record() -> Record<'static> {
        Record { citizen: Some("cit"), ..Record::default() }
    }

    pub fn scope(&self) -> ScopeId {
        kinds::scope(&self.id)
    }

    pub async fn join(&self, actor: Actor<'_>) -> SosJoined {
        match sos_join(&self.redis, &self.id, plain(), actor, JOINING, 0, true).await.unwrap() {
            SosJoin::Joined(joined) => *joined,
            other => panic!("{other:?}"),
        }
    }

    pub async fn status(&self, actor: Actor<'_>, status: &str) -> Result<StatusSet, Refused> {
        sos_status(&self.redis, &self.id, plain(), actor, Judged::Client, status, None).await.unwrap()
    }

    /// Sets the incident's status past all rules.
    pub async fn force(&self, status: &str) {
        sos_status(&self.redis, &self.id, plain(), service("svc"), Judged::Authoritative, status, None).await.unwrap().unwrap();
    }

    pub async fn close(&self, actor: Actor<'_>) -> Result<StatusSet, Refused> {
        sos_close(&self.redis, &self.id, plain(), actor, Some("done")).await.unwrap()
    }

    pub async fn locate(&self, actor: Actor<'_>, fix: &Fix) -> Result<Located, Refused> {
        sos_location(&self.redis, &self.id, plain(), actor, intake(actor.sid), fix).await.unwrap()
    }

    pub async fn say(&self, actor: Actor<'_>, text: &str) -> Result<Sent, Refused> {
        sos_message(&self.redis, &self.id, plain(), actor, text).await.unwrap()
    }

    pub async fn snapshot(&self) -> SosSnapshot {
        sos_snapshot(&self.redis, &self.id).await.unwrap().unwrap()
    }

    pub async fn state(&self) -> serde_json::Value {
        serde_json::from_str(&self.snapshot().await.to_json(|_| true)).unwrap()
    }

    pub async fn log(&self) -> Log {
        // The epoch is learnt by a first read.
        let at = |epoch: Arc<str>| Position::new(epoch, Default::default());
        let epoch = scope_read(&self.redis, &self.scope(), &at("".into()), 1).await.unwrap().epoch;
        scope_read(&self.redis, &self.scope(), &at(epoch), 10_000).await.unwrap()
    }

    /// Every logged event so far: head line, name and payload.
    pub async fn heard(&self) -> Vec<Heard> {
        self.log().await.entries.iter().map(|entry| Heard::parse(&entry.body)).collect()
    }

    pub async fn names(&self) -> Vec<String> {
        self.heard().await.into_iter().map(|heard| heard.name).collect()
    }

    /// The logged events of one name.
    pub async fn events(&self, name: &str) -> Vec<serde_json::Value> {
        self.heard().await.into_iter().filter(|heard| heard.name == name).map(|heard| heard.data).collect()
    }

    /// Event names of the outbox, oldest first.
    pub async fn outbox(&self) -> Vec<String> {
        self.outbox_entries().await.into_iter().map(|entry| entry.event).collect()
    }

    pub async fn outbox_entries(&self) -> Vec<convoke::features::sos::scripts::outbox::OutboxEntry> {
        use convoke::features::sos::scripts::outbox::{OutboxHead, outbox_claim, outbox_release};
        let head = outbox_claim(&self.redis, &self.id, "test", 5000, 1000).await.unwrap();
        outbox_release(&self.redis, &self.id, "test").await.unwrap();
        match head {
            OutboxHead::Held { entries, .. } => entries,
            busy => panic!("{busy:?}"),
        }
    }

    pub async fn audit(&self) -> Vec<AuditEntry> {
        sos_events(&self.redis, &self.id, None, 1000).await.unwrap().unwrap().entries
    }

    pub async fn audited(&self) -> Vec<String> {
        self.audit().await.into_iter().map(|entry| entry.event).collect()
    }
}

/// A subscription to one channel, confirmed. A client can have one.
pub struct Channel(mpsc::UnboundedReceiver<String>);

impl Channel {
    pub async fn listen(redis: &Redis, channel: &str) -> Self {
        struct Ear(mpsc::UnboundedSender<String>);
        impl Sink for Ear {
            fn message(&self, _: &[u8], payload: Bytes) {
                let _ = self.0.send(String::from_utf8(payload.to_vec()).unwrap());
            }

            fn gap(&self, _: &[Arc<str>]) {}
        }
        let (ear, messages) = mpsc::unbounded_channel();
        redis.subscriber().set_sink(Arc::new(Ear(ear)));
        redis.subscriber().subscribe(channel).await.unwrap();
        Self(messages)
    }

    pub async fn next(&mut self) -> String {
        tokio::time::timeout(crate::support::DEADLINE, self.0.recv()).await.expect("a message").unwrap()
    }
}

/// A logged event.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    pub head: String,
    pub name: String,
    pub data: serde_json::Value,
}

impl Heard {
    pub fn parse(body: &[u8]) -> Self {
        let (head, args) = std::str::from_utf8(body).unwrap().split_once('\n').unwrap();
        let mut args: Vec<serde_json::Value> = serde_json::from_str(args).unwrap();
        assert_eq!(args.len(), 2, "{args:?}");
        let data = args.pop().unwrap();
        if data.get("sosId").is_some() {
            assert_eq!(wire::check(args[0].as_str().unwrap(), &data), Ok(()));
        }
        Self { head: head.to_owned(), name: args[0].as_str().unwrap().to_owned(), data }
    }
}

/// A connection that breaks between every script and its answer: group commit sends the very same call again.
pub struct Twice<'a>(pub &'a Redis);

impl Eval for Twice<'_> {
    type Error = RedisError;

    async fn eval(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        Eval::eval(self.0, script, keys.clone(), args.clone()).await?;
        Eval::eval(self.0, script, keys, args).await
    }

    async fn eval_write(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        self.eval(script, keys, args).await
    }
}

/// A Redis that goes away after so many calls.
pub struct Failing<'a>(&'a Redis, AtomicU64);

impl<'a> Failing<'a> {
    pub fn after(redis: &'a Redis, calls: u64) -> Self {
        Self(redis, AtomicU64::new(calls))
    }
}

impl Eval for Failing<'_> {
    type Error = RedisError;

    async fn eval(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        let is_there = self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        if is_there { Eval::eval(self.0, script, keys, args).await } else { Err(RedisError::Unavailable) }
    }

    async fn eval_write(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        self.eval(script, keys, args).await
    }
}
