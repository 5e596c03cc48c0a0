//! The round trip of each script through the hub's own client, one caller at a time, against a private Redis: what an event
//! costs at least. One thread, so that the figures tell of the scripts and not of a scheduler.
//!
//! The SOS has five members and one subscriber. Each call does the script's whole work, which is asserted: where a script
//! has its effect only once, everything is made anew before each call, outside the measured time.

#[path = "../tests/support/mod.rs"]
mod support;
#[path = "scripts/world.rs"]
mod world;

use std::time::{Duration, Instant};

use convoke::cluster::scripts::Op;
use convoke::cluster::scripts::scope::*;
use convoke::core::Position;
use convoke::features::sos::kinds;
use convoke::features::sos::scripts::outbox::*;
use convoke::features::sos::scripts::presence::*;
use convoke::features::sos::scripts::*;
use convoke::redis::script::Script;
use convoke::redis::{Redis, RedisConfig, keys};
use convoke::rooms::history::HistoryQuery;
use convoke::rooms::relay::{Recipient, SignalBody};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use futures_util::future::join_all;
use tokio::runtime::Runtime;

use crate::world::*;

const SIGNAL: &str = r#"["offer",{"sdp":"v=0 o=- 46117317 2 IN IP4 127.0.0.1 s=- t=0 0"}]"#;

static NOTHING: Script = Script::new("nothing", "return 0");

/// The measured scripts.
struct Scripts<'a> {
    group: BenchmarkGroup<'a, WallTime>,
    runtime: &'a Runtime,
    world: &'a World,
}

impl Scripts<'_> {
    /// Calls again and again on one SOS.
    fn repeat(&mut self, name: &str, call: impl AsyncFn(Op<'_>)) {
        self.on(name, async || {}, async |op, _| call(op).await);
    }

    /// Again and again too, once `given` has prepared the SOS.
    fn on<G>(&mut self, name: &str, given: impl AsyncFn() -> G, call: impl AsyncFn(Op<'_>, &G)) {
        let world = self.world;
        let given = self.runtime.block_on(async {
            world.anew().await;
            given().await
        });
        self.measure(name, async || {}, async |op, ()| call(op, &given).await);
    }

    /// Everything is made anew before each call.
    fn once(&mut self, name: &str, call: impl AsyncFn(Op<'_>)) {
        let world = self.world;
        self.after(name, async || world.anew().await, async |op, ()| call(op).await);
    }

    /// `prepare` runs before each call, which gets what it returned.
    fn after<T>(&mut self, name: &str, prepare: impl AsyncFn() -> T, call: impl AsyncFn(Op<'_>, T)) {
        self.runtime.block_on(self.world.anew());
        self.measure(name, prepare, call);
    }

    /// Only the calls are measured. Each gets an operation id of its own.
    fn measure<T>(&mut self, name: &str, prepare: impl AsyncFn() -> T, call: impl AsyncFn(Op<'_>, T)) {
        let (runtime, world) = (self.runtime, self.world);
        let measure = async |rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let (prepared, id) = (prepare().await, format!("{NODE}-{}", world.next()));
                let start = Instant::now();
                call(op(&id), prepared).await;
                spent += start.elapsed();
            }
            spent
        };
        self.group.bench_function(name, |bencher| bencher.iter_custom(|rounds| runtime.block_on(measure(rounds))));
    }

    fn scope(&mut self) {
        let world = self.world;
        let World { redis, scope, .. } = world;
        let member = Member { sid: "s-new", user: "new", role: "dispatcher", node: "n2.a", session_epoch: 1 };
        let join = async |op: Op<'_>| assert!(scope_join(redis, scope, op, member).await.expect("an answer").first);
        let leave = async || assert!(scope_leave(redis, scope, member).await.expect("an answer"));
        let attach = async |cursor: Option<&Position>| {
            let log = scope_attach(redis, scope, "n2.a", cursor, 100, &[member], false).await.expect("a log");
            assert_eq!((log.reset, log.entries.len()), (false, if cursor.is_some() { 10 } else { 0 }));
        };
        self.repeat("scope_publish, logged", async |op| world.publish(op, Durability::Logged).await);
        self.repeat("scope_publish, volatile", async |op| world.publish(op, Durability::Volatile).await);
        self.on("scope_attach, 10 missed", async || world.cursor().await, async |_, at| attach(Some(at)).await);
        self.after(
            "scope_detach",
            async || attach(None).await,
            async |_, ()| {
                scope_detach(redis, scope, "n2.a").await.expect("an answer");
            },
        );
        self.on(
            "scope_read, 10 missed",
            async || world.cursor().await,
            async |_, at| {
                assert_eq!(scope_read(redis, scope, at, 100).await.expect("a log").entries.len(), 10);
            },
        );
        self.once("scope_join", async |op| join(op).await);
        self.after("scope_leave", async || join(plain()).await, async |_, ()| leave().await);
        let seats = MEMBERS.map(|of| Member { sid: of.sid, user: of.user, role: of.role, node: NODE, session_epoch: 1 });
        self.repeat("scope_touch, 5 members", async |_| {
            assert!(scope_touch(redis, scope, &seats).await.expect("an answer").is_empty());
        });
    }

    fn life(&mut self) {
        let world = self.world;
        let redis = &world.redis;
        self.after("sos_create", async || world.empty().await, async |op, ()| world.create(op).await);
        self.once("sos_status", async |op| {
            let set = sos_status(redis, ID, op, DISPATCHER, Judged::Client, "assigned", None).await;
            assert!(!set.expect("an answer").expect("rights").unchanged);
        });
        self.once("sos_close", async |op| {
            let set = sos_close(redis, ID, op, DISPATCHER, Some("done")).await;
            assert!(!set.expect("an answer").expect("rights").unchanged);
        });
        self.once("sos_acknowledge", async |op| {
            assert!(!sos_acknowledge(redis, ID, op, RESCUER).await.expect("an answer").expect("rights").unchanged);
        });
        self.once("sos_unacknowledged", async |op| {
            let told = sos_unacknowledged(redis, ID, op, 0).await.expect("an answer");
            assert!(matches!(told, Unacknowledged::Announced(_)));
        });
        self.once("sos_expire", async |op| {
            assert!(matches!(sos_expire(redis, ID, op, 0).await.expect("an answer"), Swept::Expired(_)));
        });
        self.repeat("sos_snapshot", async |_| {
            assert_eq!(sos_snapshot(redis, ID).await.expect("an answer").expect("a state").sockets.len(), MEMBERS.len());
        });
    }

    fn members(&mut self) {
        let world = self.world;
        let redis = &world.redis;
        let leave = async |op: Op<'_>| {
            sos_leave(redis, ID, op, RESCUER, CONNECTION, 0).await.expect("an answer").expect("a member");
        };
        let lose = async |op: Op<'_>| {
            sos_lost(redis, ID, op, RESCUER, CONNECTION, Loss::default(), 0).await.expect("an answer").expect("a member");
        };
        self.after("sos_join", async || leave(plain()).await, async |op, ()| world.join(op, RESCUER).await);
        self.once("sos_leave, left", async |op| leave(op).await);
        self.once("sos_leave, lost", async |op| lose(op).await);
        let lost = async || {
            world.anew().await;
            lose(plain()).await;
        };
        self.after("sos_presence", lost, async |op, ()| {
            assert!(sos_presence(redis, ID, op, 0, 0).await.expect("an answer").written.is_some());
        });
        self.once("sos_admit", async |op| {
            sos_admit(redis, ID, op, "guest", "rescuer", 0).await.expect("an answer").expect("an SOS that lasts");
        });
        self.repeat("sos_standing", async |_| {
            assert!(sos_standing(redis, ID, RESCUER).await.expect("an answer").expect("a state").member);
        });
    }

    fn location(&mut self) {
        let world = self.world;
        let redis = &world.redis;
        self.repeat("sos_location, published", async |op| assert_eq!(world.locate(op, 0).await, Placed::Published));
        // The outbox gets a position only so often.
        let moved = async || world.forget_the_outbox().await;
        self.after("sos_location, published and to the outbox", moved, async |op, ()| {
            assert_eq!(world.locate(op, 0).await, Placed::Published);
        });
        self.after("sos_location, published and to the outbox, without an SOS service", moved, async |op, ()| {
            assert_eq!(world.locate(Op { extra: NO_OUTBOX, ..op }, 0).await, Placed::Published);
        });
        self.repeat("(XTRIM of an outbox)", async |_| world.trim_the_outbox().await);
        let window = async || world.set_window("4000000000000 0").await;
        self.on("sos_location, coalesced", window, async |op, _| {
            assert!(matches!(world.locate(op, HOUR_MS).await, Placed::Coalesced { .. }));
        });
        let due = async || {
            world.locate(plain(), 0).await;
            world.set_window("0 1").await;
        };
        self.after("sos_flush", due, async |op, ()| {
            assert_eq!(sos_flush(redis, ID, op, HOUR_MS, None).await.expect("an answer").sent, 1);
        });
        self.after("sos_batch, 100 fixes", async || world.fixes(100), async |op, fixes| world.batch(op, &fixes).await);
        let located = async || assert_eq!(world.locate(plain(), 0).await, Placed::Published);
        self.on("sos_locations", located, async |_, _| {
            assert_eq!(sos_locations(redis, ID).await.expect("an answer").len(), 1);
        });
        let tracked = async || world.batch(plain(), &world.fixes(100)).await;
        self.on("sos_track, 100 of it", tracked, async |_, _| {
            assert_eq!(sos_track(redis, ID, None, 0, None, 100).await.expect("an answer").expect("a state").points.len(), 100);
        });
    }

    fn talk(&mut self) {
        let world = self.world;
        let redis = &world.redis;
        self.repeat("sos_message", async |op| world.say(op).await);
        let said = async || {
            join_all((0..50).map(|_| world.say(plain()))).await;
        };
        self.on("sos_history, 50 messages", said, async |_, _| {
            let history = sos_history(redis, ID, RESCUER, HistoryQuery { before: None, limit: 50 })
                .await
                .expect("an answer")
                .expect("a member");
            assert_eq!(history.messages.len(), 50);
        });
        self.repeat("sos_relay", async |op| {
            let to = Recipient::Named("cit");
            let body = SignalBody { lengths: "-".into(), bytes: SIGNAL.into() };
            let relayed = sos_relay(redis, ID, op, RESCUER, to, &body).await.expect("an answer");
            assert!(matches!(relayed, Ok(Relayed::Sent(_))));
        });
    }

    fn trail(&mut self) {
        let world = self.world;
        let redis = &world.redis;
        self.repeat("sos_audit", async |_| {
            sos_audit(redis, ID, RESCUER, "location:update", "RATE_LIMITED").await.expect("an answer");
        });
        self.repeat("sos_events", async |_| {
            assert_eq!(
                sos_events(redis, ID, None, 100).await.expect("an answer").expect("a state").entries.len(),
                1 + MEMBERS.len()
            );
        });
        self.repeat("watch_owed", async |_| assert_eq!(world.owed().await.len(), 1));
        let owed = async || {
            world.anew().await;
            world.owed().await
        };
        self.after("watch_paid", owed, async |_, debts| watch_forwarded(redis, ID, &[&debts[0].id]).await.expect("an answer"));
    }

    fn outbox(&mut self) {
        let world = self.world;
        let redis = &world.redis;
        let claim = async || match outbox_claim(redis, ID, NODE, HOUR_MS, 10).await.expect("an answer") {
            OutboxHead::Held { entries, .. } => entries,
            busy => panic!("{busy:?}"),
        };
        self.repeat("outbox_claim, 10 entries", async |_| assert_eq!(claim().await.len(), 10));
        let claimed = async || {
            world.anew().await;
            claim().await
        };
        self.after("outbox_done, delivered", claimed, async |_, entries| {
            assert_eq!(outbox_done(redis, ID, NODE, entries[0].id).await.expect("an answer"), Some(9));
        });
        self.after("outbox_done, dead", claimed, async |_, entries| {
            assert_eq!(outbox_dead(redis, ID, NODE, entries[0].id, "422").await.expect("an answer"), Some(9));
        });
        self.after("outbox_release", claim, async |_, _| outbox_release(redis, ID, NODE).await.expect("an answer"));
    }

    fn presence(&mut self) {
        let redis = &self.world.redis;
        let set = async || presence_set(redis, "cit", "s-cit", NODE, 1, "citizen", "sos:bench").await.expect("an answer");
        self.repeat("presence_set", async |_| set().await);
        self.on("presence_read", set, async |_, _| {
            assert_eq!(presence_read(redis, "cit").await.expect("an answer").sockets.len(), 1);
        });
        self.after("presence_remove", set, async |_, ()| {
            presence_remove(redis, "cit", "s-cit", NODE, 1).await.expect("an answer");
        });
    }
}

fn scripts(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let server = support::redis::Server::start(&[]);
    // Between two benchmarks nothing runs here, so nothing may be due.
    let hour = Duration::from_millis(HOUR_MS);
    let config = RedisConfig { lazy: false, ping: hour, refresh: hour, ..RedisConfig::new(server.url()) };
    let scope = kinds::scope(ID);
    let redis = runtime.block_on(async {
        let redis = Redis::connect(config).await.expect("a working Redis");
        redis.subscriber().subscribe(&keys::scope_channel(&scope, 0)).await.expect("a subscription");
        redis
    });
    let world = World::new(redis, scope);
    let mut group = criterion.benchmark_group("scripts");
    group.sample_size(20).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    let mut scripts = Scripts { group, runtime: &runtime, world: &world };
    scripts.repeat("(none)", async |_| {
        world.redis.eval(&NOTHING, &[ID], Vec::new()).await.expect("an answer");
    });
    scripts.scope();
    scripts.life();
    scripts.members();
    scripts.location();
    scripts.talk();
    scripts.trail();
    scripts.outbox();
    scripts.presence();
    scripts.group.finish();
}

criterion_group!(benches, scripts);
criterion_main!(benches);
