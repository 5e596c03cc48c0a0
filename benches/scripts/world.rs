//! One SOS in a private Redis, its five members, and what they do.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use convoke::cluster::scripts::scope::*;
use convoke::cluster::scripts::{Op, Retention};
use convoke::core::{Position, ScopeId, StreamId};
use convoke::features::sos::keys as sos_keys;
use convoke::features::sos::scripts::*;
use convoke::redis::keys::user_tag;
use convoke::redis::{Redis, cmd};
use futures_util::future::join_all;

pub const ID: &str = "bench";
pub const HOUR_MS: u64 = 3_600_000;
pub const TIMERS: FirstTimers = FirstTimers { ack: Duration::from_secs(60), lookup: Some(Duration::from_secs(30)) };
pub const NODE: &str = "n1.a";
pub const CONNECTION: Connection<'static> = Connection { node: NODE, session_epoch: 1 };
pub const JOINING: Joining<'static> = Joining { connection: CONNECTION, from_connect: false, recovered: false, most: 200 };
pub const CITIZEN: Actor<'static> = person("cit", "citizen", "s-cit");
pub const RESCUER: Actor<'static> = person("res-1", "rescuer", "s-res-1");
pub const DISPATCHER: Actor<'static> = Actor { named: false, ..person("dis", "dispatcher", "s-dis") };
pub const MEMBERS: [Actor<'static>; 5] =
    [CITIZEN, RESCUER, person("res-2", "rescuer", "s-res-2"), person("res-3", "rescuer", "s-res-3"), DISPATCHER];

pub const fn person(user: &'static str, role: &'static str, sid: &'static str) -> Actor<'static> {
    Actor { user, role, named: true, sid, source: Source::Socket }
}

/// The Redis, and the one SOS in it.
pub struct World {
    pub redis: Redis,
    pub scope: ScopeId,
    count: Cell<u64>,
}

impl World {
    pub fn new(redis: Redis, scope: ScopeId) -> Self {
        Self { redis, scope, count: Cell::new(0) }
    }

    /// A number that was not there before: for operation ids and fix times.
    pub fn next(&self) -> u64 {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    pub async fn empty(&self) {
        self.redis.command(cmd("FLUSHDB").arg("SYNC").clone(), ID).await.expect("an empty Redis");
    }

    /// A Redis with nothing in it but the SOS and its members.
    pub async fn anew(&self) {
        self.empty().await;
        self.create(plain()).await;
        join_all(MEMBERS.map(|actor| self.join(plain(), actor))).await;
    }

    pub async fn create(&self, op: Op<'_>) {
        let record = Record { citizen: Some("cit"), ..Record::default() };
        assert!(sos_create(&self.redis, ID, op, record, None, TIMERS).await.expect("an answer").created);
    }

    pub async fn join(&self, op: Op<'_>, actor: Actor<'_>) {
        match sos_join(&self.redis, ID, op, actor, JOINING, 0, true).await.expect("an answer") {
            SosJoin::Joined(joined) => assert!(joined.first && joined.snapshot.is_some()),
            other => panic!("{other:?}"),
        }
    }

    pub async fn locate(&self, op: Op<'_>, window_ms: u64) -> Placed {
        let fix = self.fix();
        sos_location(&self.redis, ID, op, CITIZEN, intake(window_ms), &fix).await.expect("an answer").expect("rights").placed
    }

    pub async fn batch(&self, op: Op<'_>, fixes: &[Fix]) {
        let batched = sos_batch(&self.redis, ID, op, CITIZEN, intake(0), fixes).await.expect("an answer").expect("rights");
        assert_eq!(batched.accepted as usize, fixes.len());
    }

    /// The end of the citizen's window (ms since 1970), and whether a fix waits for it, as `lua/sos/lib/location.lua` writes
    /// them.
    pub async fn set_window(&self, window: &str) {
        let (key, field) = (sos_keys::location(ID), format!("w:{}", user_tag(CITIZEN.user)));
        let set = cmd("HSET").arg(&key).arg(field).arg(format!("{window} - - - 0")).clone();
        self.redis.command(set, &key).await.expect("a window");
    }

    /// The next position goes to the outbox.
    pub async fn forget_the_outbox(&self) {
        self.set_window("0 0").await;
    }

    pub async fn trim_the_outbox(&self) {
        let key = sos_keys::outbox(ID);
        let trim = cmd("XTRIM").arg(&key).arg("MAXLEN").arg(0).clone();
        self.redis.command(trim, &key).await.expect("an answer");
    }

    pub async fn say(&self, op: Op<'_>) {
        let text = "The smoke is on the second floor.";
        sos_message(&self.redis, ID, op, CITIZEN, text).await.expect("an answer").expect("a member");
    }

    pub async fn publish(&self, op: Op<'_>, durability: Durability) {
        let body =
            Bytes::from_static(b"* - - -\n[\"note\",{\"sosId\":\"bench\",\"text\":\"The smoke is on the second floor.\"}]");
        let published = scope_publish(&self.redis, &self.scope, op, "cit", durability, body).await.expect("an answer");
        assert_eq!(published.heard, 1);
    }

    /// Ten logged events ago.
    pub async fn cursor(&self) -> Position {
        let none = Position::new("", StreamId::default());
        let log = scope_read(&self.redis, &self.scope, &none, 1).await.expect("a log");
        join_all((0..10).map(|_| self.publish(plain(), Durability::Logged))).await;
        Position::new(log.epoch, log.last)
    }

    pub async fn owed(&self) -> Vec<PendingCopy> {
        watch_pending(&self.redis, ID).await.expect("an answer")
    }

    pub fn fixes(&self, count: usize) -> Vec<Fix> {
        (0..count).map(|_| self.fix()).collect()
    }

    pub fn fix(&self) -> Fix {
        let fields = concat!(
            r#""latitude":14.5995124,"longitude":120.9842195,"accuracy":5.2,"heading":271.5,"#,
            r#""speed":1.4,"altitude":16,"deviceId":"a1""#
        );
        Fix {
            fields: fields.to_owned(),
            latitude: "14.5995124".to_owned(),
            longitude: "120.9842195".to_owned(),
            device: "a1".to_owned(),
            time: Some(1_700_000_000_000 + self.next()),
            address: None,
        }
    }
}

pub const fn intake(throttle_ms: u64) -> Intake<'static> {
    Intake { throttle_ms, connection: "c-cit", devices: 8 }
}

/// An operation that is not repeated.
pub fn plain() -> Op<'static> {
    op("")
}

pub fn op(id: &str) -> Op<'_> {
    Op { id, client_message_id: "", retention: Retention { window_ms: 120_000, log_ms: 215_000 }, extra: "", database: 0 }
}
