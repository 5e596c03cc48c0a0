//! Durable timers on three nodes: one dies with a thousand that it has set, and Redis goes away with very many that are due.
//!
//! ```text
//! CONVOKE_TIMERS_PENDING=100000 CONVOKE_TIMERS_AWAY_SECONDS=30 cargo test --test rigs timers
//! ```
//!
//! With the variables it is as large as it is meant, and then it also judges how late they fire: on a release build, and where
//! nothing else runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use convoke::cluster::node::{Config, Node};
use convoke::core::{Kind, ScopeId};
use convoke::redis::{Redis, RedisConfig, Value, keys};
use convoke::rooms::timers::{Due, Fired, OnDue, Timers};
use convoke::settings::Secret;
use convoke::socketio::BoxFuture;
use rand::Rng as _;
use redis::cmd;
use tokio::runtime::Runtime;

use super::{alone, say};
use crate::support::redis::Server;

const RIG: Kind = Kind::of("rig");
const TIMER: &str = "due";
const DEADLINES: usize = 1_000;
const P99: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(180);

/// What has had its effect, how often, and when.
#[derive(Clone, Default)]
struct World(Arc<Mutex<HashMap<String, (usize, Instant)>>>);

impl World {
    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn are_all_once(&self) -> bool {
        self.0.lock().unwrap().values().all(|(times, _)| *times == 1)
    }
}

struct Handler {
    redis: Redis,
    world: World,
}

impl OnDue for Handler {
    fn on_due(&self, due: Due) -> BoxFuture<Fired> {
        let (redis, world) = (self.redis.clone(), self.world.clone());
        Box::pin(async move {
            let key = keys::scope_due(&due.scope);
            match redis.command(cmd("ZREM").arg(&key).arg(TIMER).to_owned(), &key).await {
                Ok(Value::Int(1)) => {
                    let mut effects = world.0.lock().unwrap();
                    effects.entry(due.scope.id.to_string()).or_insert((0, Instant::now())).0 += 1;
                    Fired::Done
                }
                Ok(_) => Fired::Done,
                Err(_) => Fired::Failed,
            }
        })
    }
}

/// A node with a runtime of its own, so that it can die.
struct Member {
    runtime: Option<Runtime>,
    timers: Arc<Timers>,
    _node: Arc<Node>,
}

impl Member {
    async fn start(name: &str, url: String, world: &World) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let (name, world) = (name.to_owned(), world.clone());
        let started = runtime.spawn(async move {
            let redis = Redis::connect(RedisConfig::new(url)).await.expect("a working Redis");
            let config = Config {
                node_id: name.into(),
                secret: Some(Secret::new("the secret between the nodes of the rig")),
                host: std::net::Ipv4Addr::LOCALHOST.into(),
                peer_port: 0,
                recovery_window: Duration::ZERO,
                lease: Duration::from_secs(10),
                address: None,
            };
            let node = Node::new(config, redis.clone());
            let timers = Timers::new(node.scopes.clone());
            timers.on(RIG, TIMER, Arc::new(Handler { redis, world }));
            node.start(|| 0).await.expect("a cluster");
            timers.start();
            (timers, node)
        });
        let (timers, node) = started.await.expect("it starts");
        Self { runtime: Some(runtime), timers, _node: node }
    }
}

/// As `kill -9`: nothing of it runs any more.
impl Drop for Member {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What the rig was asked for: as large as it is meant, and judged.
fn asked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn scope(n: usize) -> ScopeId {
    ScopeId { kind: RIG, id: format!("t{n}").into() }
}

async fn all_fire(world: &World, count: usize) {
    let began = Instant::now();
    while world.count() < count {
        assert!(began.elapsed() < PATIENCE, "{} of {count} have fired", world.count());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_dies_with_a_thousand_deadlines_is_not_missed() {
    let _alone = alone().await;
    let (redis, world) = (Server::start(&[]), World::default());
    let dying = Member::start("a", redis.url(), &world).await;
    let _others = [Member::start("b", redis.url(), &world).await, Member::start("c", redis.url(), &world).await];
    let handle = dying.runtime.as_ref().expect("it runs").handle().clone();
    let timers = dying.timers.clone();
    let armed = handle.spawn(async move {
        let arm = |n: usize| {
            let wait = Duration::from_millis(rand::rng().random_range(1_000..12_000));
            let timers = timers.clone();
            async move {
                timers.arm(&scope(n), TIMER, "", wait).await.expect("it is set");
                // The script has set it a moment before this.
                (scope(n).id.to_string(), Instant::now() + wait)
            }
        };
        futures_util::future::join_all((0..DEADLINES).map(arm)).await
    });
    let moments: HashMap<String, Instant> = armed.await.expect("all are set").into_iter().collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(dying);
    let (died, before) = (Instant::now(), world.count());
    all_fire(&world, DEADLINES).await;
    assert!(world.are_all_once());
    let effects = world.0.lock().unwrap();
    let mut late: Vec<Duration> =
        effects.iter().filter(|(_, (_, at))| *at > died).map(|(id, (_, at))| at.saturating_duration_since(moments[id])).collect();
    late.sort_unstable();
    let (p50, p99, most) = (late[late.len() / 2], late[late.len() * 99 / 100], late[late.len() - 1]);
    say!("{before} before the death, {} after it; late: p50 {p50:?}, p99 {p99:?}, at most {most:?}", late.len());
    if asked("CONVOKE_TIMERS_PENDING").is_some() {
        assert!(p99 <= P99 && most <= LATEST, "p99 {p99:?}, at most {most:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_due_while_redis_was_away_fires_as_a_load_and_not_a_storm() {
    let _alone = alone().await;
    let pending = asked("CONVOKE_TIMERS_PENDING").unwrap_or(5_000) as usize;
    let away = Duration::from_secs(asked("CONVOKE_TIMERS_AWAY_SECONDS").unwrap_or(3));
    let redis = Server::start(&["--appendonly", "yes", "--appendfsync", "no"]);
    let world = World::default();
    let mut members = Vec::new();
    for name in ["a", "b", "c"] {
        members.push(Member::start(name, redis.url(), &world).await);
    }
    fill(&redis, pending, away);
    redis.stop();
    tokio::time::sleep(away).await;
    redis.restart();
    redis.tell("CONFIG SET slowlog-log-slower-than 1000");
    redis.tell("CONFIG RESETSTAT");
    let (began, mut most, mut last) = (Instant::now(), 0.0_f64, 0);
    while world.count() < pending {
        assert!(began.elapsed() < PATIENCE, "{} of {pending} have fired", world.count());
        let from = Instant::now();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let calls = scripts(&redis);
        most = most.max((calls - last) as f64 / from.elapsed().as_secs_f64());
        last = calls;
    }
    let took = began.elapsed();
    assert!(world.are_all_once());
    let slow: Vec<(i64, i64, i64, Vec<String>, String, String)> = redis.ask(cmd("SLOWLOG").arg("GET").arg(128));
    let longest = slow.iter().filter(|entry| entry.3[0].eq_ignore_ascii_case("evalsha")).map(|entry| entry.2).max().unwrap_or(0);
    let (calls, each) = (last, last as f64 / pending as f64);
    say!("{pending} timers after {away:?} without Redis: all fired in {took:?}; {calls} scripts ({each:.1} a timer)");
    say!("at most {most:.0} scripts a second; the longest took {longest} µs (0: none above 1 ms)");
}

/// Timers that are due while Redis is away, as if their nodes had set them.
fn fill(redis: &Server, count: usize, away: Duration) {
    let mut connection = redis.connection().expect("a connection");
    let (seconds, _): (u64, u64) = cmd("TIME").query(&mut connection).expect("a time");
    for part in (0..count).collect::<Vec<_>>().chunks(1_000) {
        let mut pipeline = ::redis::pipe();
        for n in part {
            let scope = scope(*n);
            let at = (seconds + 1) * 1000 + rand::rng().random_range(1_000..1_000 + away.as_millis() as u64);
            pipeline.zadd(keys::scope_due(&scope), TIMER, at).ignore();
            pipeline.zadd(keys::timers(keys::timer_part(&scope)), scope.to_string(), at).ignore();
        }
        pipeline.exec(&mut connection).expect("they are set");
    }
}

/// Scripts that were run since the count was reset.
fn scripts(redis: &Server) -> u64 {
    let stats: String = redis.ask(cmd("INFO").arg("commandstats"));
    let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next()?.parse().ok());
    calls.unwrap_or(0)
}
