//! Everything that one client, or a crowd of strangers, can do to a hub, all at once and for minutes, beside clients that behave.
//!
//! `CONVOKE_HOLD_SECONDS=300` makes it as long as it is meant, and then it also judges how late positions came: on a release
//! build, and where nothing else runs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use redis::cmd;
use serde_json::json;
use tokio::task::JoinSet;

use super::attacks::{ATTACKS, Attack, Intruder, Target};
use super::{alone, say};
use crate::support::cluster::Nodes;
use crate::support::hub::SECRET;
use crate::support::load::{Plan, run};
use crate::support::redis::Server;

const INCIDENTS: usize = 16;
const RESCUERS: usize = 9;
/// Beside those: members by long-polling, who are the first to be thrown out by size.
const POLLING: usize = 40;
const BUDGET: u64 = 128 * 1024 * 1024;
/// What a node may hold beside its budget.
const BESIDE: u64 = 200 * 1024 * 1024;
const P99_MS: f64 = 250.0;
/// Left to what ends by itself: sessions that are not given up in order, and their grace.
const WINDOW_SECONDS: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_strangers_do_those_who_behave_are_served() {
    let _alone = alone().await;
    let asked: Option<u64> = std::env::var("CONVOKE_HOLD_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let time = Duration::from_secs(asked.unwrap_or(20));
    let redis = Server::start(&[]);
    let (budget, window) = (BUDGET.to_string(), WINDOW_SECONDS.to_string());
    let env = [
        ("MEMORY_BUDGET_BYTES", budget.as_str()),
        ("RECOVERY_WINDOW_SECONDS", &window),
        ("PRESENCE_OFFLINE_SECONDS", "1"),
        ("LOG_LEVEL", "info"),
    ];
    let nodes = Nodes::start(2, &|_| redis.url(), &env).await;
    for incident in 0..INCIDENTS {
        nodes.create_sos(&sos(incident), &format!("c{incident}")).await;
    }
    let addresses: Vec<SocketAddr> = nodes.nodes.iter().map(|node| node.hub().expect("it runs").address).collect();

    let stop = Arc::new(AtomicBool::new(false));
    let mut polling = JoinSet::new();
    for number in 0..POLLING {
        let incident = sos(number % INCIDENTS);
        let token = nodes.token("rescuer", &format!("p{number}"), &[&incident]);
        polling.spawn(poll_on(addresses[number % 2], token, stop.clone()));
    }
    let good = tokio::spawn(run(Plan {
        nodes: addresses.iter().map(ToString::to_string).collect(),
        secret: SECRET.into(),
        incidents: INCIDENTS,
        rescuers: RESCUERS,
        // Less than one a second: a position that finds its window open has to wait, whoever is to blame.
        rate: 0.5,
        time,
        prefix: PREFIX.into(),
    }));
    let members = (INCIDENTS * (RESCUERS + 1) + POLLING) as f64;
    nodes.wait_for_sum("convoke_sockets", members, Duration::from_secs(60)).await;

    let watch = tokio::spawn(watch_memory(nodes.nodes.clone(), stop.clone()));
    let attacks = Attacks::begin(&nodes, &redis, &addresses);
    let newcomers = tokio::spawn(newcomers(addresses.clone(), stop.clone()));
    let began = Instant::now();
    let report = good.await.expect("the crowd does not panic").expect("everybody stays");
    let done = attacks.end().await;
    stop.store(true, Relaxed);
    let (came, longest) = newcomers.await.expect("newcomers do not panic");
    let most = watch.await.expect("the watch does not panic");
    while let Some(stayed) = polling.join_next().await {
        stayed.expect("no poller panics").expect("everybody who polls stays");
    }
    say!("{:?} of {done:?}", began.elapsed());
    say!("members: {report:?}; {came} newcomers, the slowest after {longest:?}; most memory: {most:?} MiB");
    assert!(report.is_clean(), "{report:?}");
    for (mebibytes, node) in most.iter().zip(&nodes.nodes) {
        assert!(*mebibytes <= (BUDGET + BESIDE) >> 20, "{node:?} held {mebibytes} MiB; its log:\n{}", node.log());
    }
    if asked.is_some() {
        assert!(report.latency_ms[1] < P99_MS, "positions came late: {report:?}");
    }
    nothing_is_left(&nodes, &redis).await;
}

const PREFIX: &str = "hold-";

fn sos(incident: usize) -> String {
    format!("{PREFIX}{incident}")
}

/// All attacks, each on both nodes and from addresses of its own.
struct Attacks {
    tasks: JoinSet<()>,
    counts: BTreeMap<&'static str, Arc<AtomicU64>>,
}

impl Attacks {
    fn begin(nodes: &Nodes, redis: &Server, addresses: &[SocketAddr]) -> Self {
        let peers = peers(redis);
        assert_eq!(peers.len(), addresses.len(), "each node has said where its peers reach it");
        let mut attacks = Self { tasks: JoinSet::new(), counts: BTreeMap::new() };
        for (number, Attack { name, places, run }) in ATTACKS.iter().enumerate() {
            let count = Arc::new(AtomicU64::new(0));
            attacks.counts.insert(name, count.clone());
            for place in 0..*places {
                let node = place % addresses.len();
                let target = Target {
                    node: addresses[node],
                    peer: peers[node],
                    from: Ipv4Addr::new(127, 7, number as u8, 1 + place as u8),
                    sos: sos(place % INCIDENTS),
                    member: nodes.token("rescuer", &format!("m{number}-{place}"), &[&sos(place % INCIDENTS)]),
                    dispatcher: nodes.token("dispatcher", &format!("d{number}-{place}"), &[]),
                };
                let (intruder, count) = (Intruder::new(target), count.clone());
                attacks.tasks.spawn(async move {
                    loop {
                        count.fetch_add(1, Relaxed);
                        // What hangs is the hub's to end; the next round begins all the same.
                        let _ = tokio::time::timeout(Duration::from_secs(20), run(intruder.clone())).await;
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                });
            }
        }
        attacks
    }

    /// How many rounds were begun of each.
    async fn end(mut self) -> BTreeMap<&'static str, u64> {
        self.tasks.shutdown().await;
        let counts: BTreeMap<_, _> = self.counts.iter().map(|(name, count)| (*name, count.load(Relaxed))).collect();
        assert!(counts.values().all(|rounds| *rounds > 0), "some attacks did not take place: {counts:?}");
        counts
    }
}

/// Where the nodes reach each other, as they have told it in Redis.
fn peers(redis: &Server) -> Vec<SocketAddr> {
    let keys: Vec<String> = redis.ask(cmd("KEYS").arg("cluster:node:*"));
    let mut peers: Vec<(String, SocketAddr)> = Vec::new();
    for key in keys {
        let address: String = redis.ask(cmd("HGET").arg(&key).arg("address"));
        peers.push((key, address.parse().expect("an address")));
    }
    peers.sort();
    peers.into_iter().map(|(_, address)| address).collect()
}

/// The most memory that each node held, in MiB.
async fn watch_memory(nodes: Vec<Arc<crate::support::cluster::Node>>, stop: Arc<AtomicBool>) -> Vec<u64> {
    let mut most = vec![0; nodes.len()];
    while !stop.load(Relaxed) {
        for (most, node) in most.iter_mut().zip(&nodes) {
            *most = (*most).max(node.memory() >> 20);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    most
}

/// A member by long-polling, which says something each two seconds, until it is told to stop.
async fn poll_on(node: SocketAddr, token: String, stop: Arc<AtomicBool>) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let base = format!("http://{node}/socket.io/?EIO=4&transport=polling");
    let open = http.get(&base).send().await?.text().await?;
    let open: serde_json::Value = serde_json::from_str(open.trim_start_matches('0'))?;
    let url = format!("{base}&sid={}", open["sid"].as_str().unwrap_or_default());
    let connect = format!("40{}", json!({"token": token}));
    http.post(&url).body(connect).send().await?.error_for_status()?;
    let mut next = Instant::now() + Duration::from_secs(2);
    while !stop.load(Relaxed) {
        let poll = http.get(&url).timeout(Duration::from_secs(60)).send().await?;
        anyhow::ensure!(poll.status() == 200, "a poll was answered {}: {}", poll.status(), poll.text().await?);
        let packets = poll.text().await?;
        anyhow::ensure!(!packets.split('\u{1e}').any(|packet| packet == "1" || packet == "41"), "told to go: {packets}");
        if packets.split('\u{1e}').any(|packet| packet == "2") {
            http.post(&url).body("3").send().await?.error_for_status()?;
        }
        if next <= Instant::now() {
            http.post(&url).body(r#"42["heartbeat",{}]"#).send().await?.error_for_status()?;
            next = Instant::now() + Duration::from_secs(2);
        }
    }
    http.post(&url).body("41\u{1e}1").send().await?;
    Ok(())
}

/// Each second somebody new comes, from an address of their own, is let in and leaves; how many, and the slowest of them.
async fn newcomers(nodes: Vec<SocketAddr>, stop: Arc<AtomicBool>) -> (usize, Duration) {
    let (mut came, mut longest) = (0, Duration::ZERO);
    while !stop.load(Relaxed) {
        let from = IpAddr::from([127, 9, (came >> 8) as u8, came as u8]);
        let http = reqwest::Client::builder().no_proxy().local_address(from).build().expect("a client");
        let url = format!("http://{}/socket.io/?EIO=4&transport=polling", nodes[came % nodes.len()]);
        let began = Instant::now();
        loop {
            // What a client does that is told to come again.
            let answer = http.get(&url).timeout(Duration::from_secs(10)).send().await;
            if let Ok(answer) = answer.and_then(reqwest::Response::error_for_status) {
                let open = answer.text().await.unwrap_or_default();
                let open: serde_json::Value = serde_json::from_str(open.trim_start_matches('0')).unwrap_or_default();
                let sid = open["sid"].as_str().unwrap_or_default();
                let _ = http.post(format!("{url}&sid={sid}")).body("1").send().await;
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "a newcomer was not let in");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        longest = longest.max(began.elapsed());
        came += 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    (came, longest)
}

/// Keys that stay whoever comes and goes.
const KEPT: [&str; 6] =
    ["cluster:", "timers:", "sos:rooms", "scope:meta:watch:{all}", "scope:log:watch:{all}", "scope:members:watch:{all}"];

/// Waits until nobody is connected, and until every key is one of the incidents that were, of the nodes, or goes by itself:
/// records of sessions and users' presences.
async fn nothing_is_left(nodes: &Nodes, redis: &Server) {
    nodes.wait_for_sum("convoke_connections", 0.0, Duration::from_secs(60)).await;
    nodes.wait_for_sum("convoke_scopes", 0.0, Duration::from_secs(60)).await;
    let own: BTreeSet<String> = (0..INCIDENTS).map(|incident| format!("{{{}}}", sos(incident))).collect();
    let started = Instant::now();
    loop {
        let mut foreign: Vec<String> = redis.ask(cmd("KEYS").arg("*"));
        foreign.retain(|key| {
            let tag = key.find('{').map_or("", |at| &key[at..]);
            let goes = ["session:", "user:presence:"].iter().any(|prefix| key.starts_with(prefix))
                && redis.ask::<i64>(cmd("PTTL").arg(key)) != -1;
            !goes && !own.contains(tag) && !KEPT.iter().any(|prefix| key.starts_with(prefix))
        });
        if foreign.is_empty() {
            break;
        }
        // A node counts nobody any more a moment before Redis does.
        let some = &foreign[..foreign.len().min(20)];
        assert!(started.elapsed() < Duration::from_secs(30), "{} keys are left of strangers: {some:?}", foreign.len());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let rooms: Vec<String> = redis.ask(cmd("SMEMBERS").arg("sos:rooms"));
    assert!(rooms.iter().all(|room| own.contains(&format!("{{{room}}}"))), "strangers' incidents count as active: {rooms:?}");
}
