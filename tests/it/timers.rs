//! Durable timers on several nodes of one process: who fires them, and what becomes of them if a node dies or fails.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convoke::cluster::node::{Config, Node};
use convoke::cluster::{NodeIdentity, Scopes};
use convoke::core::{Kind, ScopeId};
use convoke::redis::{Redis, Value, cmd, keys};
use convoke::rooms::timers::{Due, Fired, OnDue, Timers};
use convoke::socketio::BoxFuture;

use super::support::eventually;
use super::support::redis::{Cluster, Server};

const SOON: Duration = Duration::from_millis(200);

/// Effects in the world: by scope and subject how often, and calls of the handler beside that.
#[derive(Default)]
struct World {
    effects: Mutex<HashMap<String, usize>>,
    calls: AtomicUsize,
    /// The next calls fail.
    fails: AtomicUsize,
    /// The next call never returns, as in a node that dies.
    hangs: AtomicBool,
    panics: AtomicBool,
}

impl World {
    fn effects(&self) -> usize {
        self.effects.lock().unwrap().values().sum()
    }

    fn is_each_once(&self, count: usize) -> bool {
        let effects = self.effects.lock().unwrap();
        effects.len() == count && effects.values().all(|times| *times == 1)
    }
}

/// Clears each row, and has its effect if it was there.
struct Handler {
    redis: Redis,
    world: Arc<World>,
}

impl OnDue for Handler {
    fn on_due(&self, due: Due) -> BoxFuture<Fired> {
        let (redis, world) = (self.redis.clone(), self.world.clone());
        Box::pin(async move {
            world.calls.fetch_add(1, Ordering::Relaxed);
            assert!(!world.panics.swap(false, Ordering::Relaxed), "a handler that panics");
            if world.hangs.swap(false, Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            if world.fails.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |fails| fails.checked_sub(1)).is_ok() {
                return Fired::Failed;
            }
            for subject in due.subjects {
                let key = keys::scope_due(&due.scope);
                let row = if subject.is_empty() { due.timer.to_owned() } else { format!("{} {subject}", due.timer) };
                match redis.command(cmd("ZREM").arg(&key).arg(&row).to_owned(), &key).await {
                    Ok(Value::Int(1)) => *world.effects.lock().unwrap().entry(format!("{} {row}", due.scope)).or_default() += 1,
                    Ok(_) => {}
                    Err(_) => return Fired::Failed,
                }
            }
            Fired::Done
        })
    }
}

fn timers(scopes: Arc<Scopes>, redis: &Redis, world: &Arc<World>) -> Arc<Timers> {
    let timers = Timers::new(scopes);
    for timer in ["one", "two"] {
        timers.on(Kind::of("room"), timer, Arc::new(Handler { redis: redis.clone(), world: world.clone() }));
    }
    timers.start();
    timers
}

/// A node that nobody has to renew.
async fn node(redis: &Redis, world: &Arc<World>) -> Arc<Timers> {
    timers(Scopes::new(redis.clone(), NodeIdentity::new("n")), redis, world)
}

fn scope(n: usize) -> ScopeId {
    ScopeId { kind: Kind::of("room"), id: format!("s{n}").into() }
}

async fn each_once(redis: Redis) {
    let world = Arc::new(World::default());
    let nodes = [node(&redis, &world).await, node(&redis, &world).await, node(&redis, &world).await];
    for n in 0..100 {
        nodes[n % 3].arm(&scope(n / 2), "one", &format!("subject {n}"), SOON).await.unwrap();
    }
    nodes[0].arm(&scope(0), "two", "", SOON).await.unwrap();
    let [one, _, _] = nodes;
    // It had set a third of them.
    drop(one);
    eventually("all have fired", || world.effects() >= 101).await;
    assert!(world.is_each_once(101));
}

#[tokio::test]
async fn timers_fire_once_each_whichever_node_has_set_them() {
    let server = Server::start(&[]);
    each_once(server.client().await).await;
}

#[tokio::test]
async fn timers_fire_once_each_on_a_cluster() {
    let cluster = Cluster::start(0);
    each_once(cluster.client().await).await;
}

#[tokio::test]
async fn what_a_node_had_taken_when_it_died_another_one_fires() {
    let server = Server::start(&[]);
    let (redis, world) = (server.client().await, Arc::new(World::default()));
    let dying = node(&redis, &world).await;
    world.hangs.store(true, Ordering::Relaxed);
    for n in 0..3 {
        dying.arm(&scope(n), "one", "", Duration::ZERO).await.unwrap();
    }
    eventually("one hangs", || !world.hangs.load(Ordering::Relaxed)).await;
    let _other = node(&redis, &world).await;
    eventually("all have fired", || world.effects() >= 3).await;
    assert!(world.is_each_once(3));
}

#[tokio::test]
async fn a_timer_whose_work_fails_is_tried_again_and_holds_up_no_other() {
    let server = Server::start(&[]);
    let (redis, world) = (server.client().await, Arc::new(World::default()));
    let node = node(&redis, &world).await;
    world.fails.store(2, Ordering::Relaxed);
    node.arm(&scope(0), "one", "", Duration::ZERO).await.unwrap();
    eventually("it has failed", || world.calls.load(Ordering::Relaxed) >= 1).await;
    world.panics.store(true, Ordering::Relaxed);
    // Nobody knows what this is, and it stays.
    node.arm(&scope(0), "unknown", "", Duration::ZERO).await.unwrap();
    node.arm(&scope(0), "two", "", SOON).await.unwrap();
    eventually("both have fired", || world.effects() >= 2).await;
    assert!(world.is_each_once(2) && world.calls.load(Ordering::Relaxed) >= 4);
}

#[tokio::test]
async fn a_timer_that_is_moved_or_cleared_does_not_fire_at_its_first_time() {
    let server = Server::start(&[]);
    let (redis, world) = (server.client().await, Arc::new(World::default()));
    let node = node(&redis, &world).await;
    for n in 0..2 {
        node.arm(&scope(n), "one", "", Duration::from_secs(2)).await.unwrap();
    }
    node.arm(&scope(0), "one", "", Duration::from_secs(600)).await.unwrap();
    node.clear(&scope(1), "one", "").await.unwrap();
    node.arm(&scope(2), "one", "", Duration::from_secs(3)).await.unwrap();
    eventually("the last one has fired", || world.effects() >= 1).await;
    assert!(world.is_each_once(1) && world.effects.lock().unwrap().contains_key("room:s2 one"));
}

#[tokio::test]
async fn a_node_that_may_not_act_fires_nothing() {
    let server = Server::start(&[]);
    let redis = server.client().await;
    let (fenced, free) = (Arc::new(World::default()), Arc::new(World::default()));
    let config = Config {
        node_id: "fenced".into(),
        secret: None,
        host: std::net::Ipv4Addr::LOCALHOST.into(),
        peer_port: 0,
        recovery_window: Duration::ZERO,
        lease: Duration::from_secs(10),
        address: None,
    };
    // It has never renewed a lease.
    let never_started = Node::new(config, redis.clone());
    let timers = timers(never_started.scopes.clone(), &redis, &fenced);
    for n in 0..20 {
        timers.arm(&scope(n), "one", "", Duration::ZERO).await.unwrap();
    }
    let _other = node(&redis, &free).await;
    eventually("the other node has fired them", || free.effects() >= 20).await;
    assert!(free.is_each_once(20) && fenced.calls.load(Ordering::Relaxed) == 0);
}

#[tokio::test]
async fn a_timer_without_a_handler_on_one_node_is_fired_by_another() {
    let server = Server::start(&[]);
    let (redis, world) = (server.client().await, Arc::new(World::default()));
    // A feature is off there, or its release is older.
    let without = Timers::new(Scopes::new(redis.clone(), NodeIdentity::new("without")));
    without.start();
    for n in 0..20 {
        without.arm(&scope(n), "one", "", Duration::ZERO).await.unwrap();
    }
    let _with = node(&redis, &world).await;
    eventually("all have fired", || world.effects() >= 20).await;
    assert!(world.is_each_once(20));
}
