//! What comes and goes leaves nothing behind: counted by the hub itself, by Redis and by the kernel.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use redis::cmd;
use serde_json::json;

use convoke::features::sos::kinds;
use convoke::redis::keys;

use super::{alone, say};
use crate::support::client::Client;
use crate::support::cluster::Nodes;
use crate::support::redis::Server;

const CONNECTS: usize = 10_000;
/// Before memory is measured: what is made once is made by then.
const WARM_UP: usize = 3_000;
const AT_ONCE: usize = 48;
const INCIDENTS: usize = 50;
/// What an allocator keeps and the kernel rounds is no leak; 10,000 sessions forgotten would be far more.
const BAND: u64 = 24 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_connects_and_disconnects_leave_nothing_behind() {
    let _alone = alone().await;
    let redis = Server::start(&[]);
    let env = [
        ("PRESENCE_OFFLINE_SECONDS", "1"),
        ("LOG_LEVEL", "warn,convoke::app=info"),
        ("PING_INTERVAL_MS", "5000"),
        ("PING_TIMEOUT_MS", "3000"),
    ];
    let nodes = Nodes::start(2, &|_| redis.url(), &env).await;
    for incident in 0..INCIDENTS {
        nodes.create_sos(&sos(incident), "c").await;
    }
    let before = settled(&nodes, &redis, None).await;
    churn(&nodes, 0, WARM_UP).await;
    // What is made once is made by now: connections to Redis and to the other node, and the tasks that serve them.
    let warm = settled(&nodes, &redis, None).await;
    let started = Instant::now();
    churn(&nodes, WARM_UP, CONNECTS).await;
    let after = settled(&nodes, &redis, Some(&warm)).await;
    say!(
        "{} connects in {:.1} s; before, warm and after: {before:?} {warm:?} {after:?}",
        CONNECTS,
        started.elapsed().as_secs_f32()
    );
    for (warm, after) in warm.memory.iter().zip(&after.memory) {
        assert!(*after < warm + BAND, "memory grew from {warm} to {after} bytes");
    }
    for incident in 0..INCIDENTS {
        // A node counts nobody any more a moment before Redis does.
        let started = Instant::now();
        loop {
            let mut left: Vec<String> = redis.ask(cmd("HKEYS").arg(keys::scope_members(&scope(incident))));
            left.retain(|field| !field.starts_with('@') && field != "_");
            let listeners: Vec<String> = redis.ask(cmd("HKEYS").arg(keys::scope_meta(&scope(incident))));
            left.extend(listeners.into_iter().filter(|field| field.starts_with("n:")));
            if left.is_empty() {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "{} keeps sockets or listeners: {left:?}", sos(incident));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // What is left of sessions goes by itself.
    let left: Vec<String> = redis.ask(cmd("KEYS").arg("session:*"));
    // One may go between the two questions: that is -2.
    let eternal = left.iter().filter(|key| redis.ask::<i64>(cmd("PTTL").arg(*key)) == -1).count();
    assert_eq!(eternal, 0, "of {} sessions some never go", left.len());
}

/// What the hub counts when nobody is there.
#[derive(Debug)]
struct Figures {
    tasks: f64,
    memory: Vec<u64>,
}

/// Waits until nobody and nothing is left: no connection, socket, scope or channel, and no more tasks than before.
async fn settled(nodes: &Nodes, redis: &Server, before: Option<&Figures>) -> Figures {
    for metric in [
        "convoke_connections",
        "convoke_sockets",
        "convoke_scopes",
        r#"convoke_channels{state="heard"}"#,
        r#"convoke_channels{state="awaited"}"#,
    ] {
        nodes.wait_for_sum(metric, 0.0, PATIENCE).await;
    }
    // What cleans up after the last ones ends in its own time.
    let (started, mut last, mut alike) = (Instant::now(), 0.0, 0);
    loop {
        let channels: Vec<String> = redis.ask(cmd("PUBSUB").arg("SHARDCHANNELS"));
        let tasks = nodes.sum("convoke_tasks").await;
        alike = if tasks == last { alike + 1 } else { 0 };
        last = tasks;
        // A few serve the one who asks.
        let as_before = before.is_none_or(|before| tasks <= before.tasks + 8.0);
        if channels.is_empty() && as_before && alike == 4 {
            return Figures { tasks, memory: nodes.nodes.iter().map(|node| node.memory()).collect() };
        }
        alike %= 4;
        assert!(started.elapsed() < PATIENCE, "{tasks} tasks, before: {before:?}; channels {channels:?}");
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
}

/// Clients of all manners come and go, `AT_ONCE` at a time.
async fn churn(nodes: &Nodes, from: usize, to: usize) {
    let next = Arc::new(AtomicUsize::new(from));
    let base = nodes.url();
    let tokens: Arc<Vec<String>> =
        Arc::new((0..INCIDENTS).map(|incident| nodes.token("rescuer", &format!("r{incident}"), &[&sos(incident)])).collect());
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (next, base, tokens) = (next.clone(), base.clone(), tokens.clone());
        workers.spawn(async move {
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= to {
                    return;
                }
                visit(&base, &tokens[number % INCIDENTS], number).await;
            }
        });
    }
    while let Some(done) = workers.join_next().await {
        done.expect("every client gets in");
    }
}

/// One client: most leave as they should, some vanish, some say something first, some never connect to the namespace.
async fn visit(base: &str, token: &str, number: usize) {
    let builder = Client::builder(base).auth(json!({"token": token})).header("user-agent", "Mozilla/5.0 (the tests)");
    match number % 10 {
        0 => drop(builder.open().await.expect("a transport")),
        1 => drop(builder.connect().await),
        2 => {
            let refused = Client::builder(base).auth(json!({"token": "none"})).try_connect().await;
            assert!(refused.is_err());
        }
        3 => {
            let mut client = builder.connect().await;
            client.wait("sos:state").await;
            client.ask_ok("heartbeat", json!({})).await;
            drop(client);
        }
        4 => {
            let mut client = builder.connect().await;
            client.wait("sos:state").await;
            client.ask_ok("message:send", json!({"text": "here I am"})).await;
            client.leave().await;
        }
        _ => builder.connect().await.leave().await,
    }
}

fn sos(incident: usize) -> String {
    format!("leak-{incident}")
}

fn scope(incident: usize) -> convoke::core::ScopeId {
    kinds::scope(&sos(incident))
}
