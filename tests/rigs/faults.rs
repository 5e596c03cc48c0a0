//! The fault test: three nodes, 200 clients in 40 incidents, and a minute in which everything that can fail does.
//!
//! ```text
//! CONVOKE_FAULT_SEED=17 CONVOKE_FAULT_SECONDS=300 cargo test --test rigs faults
//! ```
//!
//! `CONVOKE_FAULT_HANGS=1` adds Redis masters that hang until they are replaced and then go on; what they confirm in the moment before
//! they hear of their fall is not promised, so the test may rightly fail with it.
//!
//! A replayed seed does the same things in the same order; what they meet is up to the machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use redis::cmd;
use serde_json::{Value, json};
use tokio::time::sleep;

use convoke::core::ScopeId;
use convoke::features::sos::keys as sos_keys;
use convoke::features::sos::kinds::SOS;
use convoke::redis::keys;

use super::judge::{Logged, Truth, Verdict, judge};
use super::plan::{Fault, from_env, plan};
use super::{alone, say};
use crate::support::cluster::Nodes;
use crate::support::node::Script;
use crate::support::proxy::Proxy;
use crate::support::redis::Server;
use crate::support::roamer::{Cut, Habits, Record, Roamer, Seen};
use crate::support::sentinel::Sentinels;

const NODES: usize = 3;
const INCIDENTS: usize = 40;
const MEMBERS: usize = 5;
/// The last member of so many incidents is an official client.
const OFFICIAL: usize = 8;
/// Between two messages of one client.
const EVERY: Duration = Duration::from_millis(1_500);
/// A ghost is gone 15 s after its link; a busy machine needs longer to have it seen.
const NO_GHOSTS_AFTER: Duration = Duration::from_secs(40);
/// After the last fault, until all have all.
const CATCH_UP: u64 = 45;
/// So many of 100 connections begin by polling, and move to the node of their WebSocket.
const POLLING_PERCENT: u32 = 50;
/// So many of 100 clients that come back are cut off again at once.
const FICKLE_PERCENT: u32 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_message_reaches_every_member_once_and_in_order_whatever_fails() {
    let _alone = alone().await;
    let seed = from_env("CONVOKE_FAULT_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    let seconds = from_env("CONVOKE_FAULT_SECONDS").unwrap_or(60);
    say!("fault test: {seconds} s, CONVOKE_FAULT_SEED={seed}");

    let redis = Sentinels::start().await;
    // Short heartbeats, so that half-dead links are found within the test.
    let env = [("PING_INTERVAL_MS", "4000"), ("PING_TIMEOUT_MS", "3000")];
    let nodes = Nodes::start(NODES, &|_| redis.url(), &env).await;
    let mut crowd = Crowd::gather(&nodes, seed).await;
    crowd.speak();
    let failovers = torment(&nodes, &redis, &crowd, seed, Duration::from_secs(seconds)).await;
    crowd.settle().await;
    let truth = truth(redis.master());
    let evidence = crowd.complete(&truth).await;
    let logged = logged(redis.master());
    let verdict = judge(&truth, &evidence, (failovers > 0).then_some(&logged));
    say!("{verdict}");
    for metric in ["convoke_log_fills_total", "convoke_forks_total", "convoke_deaf_publishes_total", "convoke_overruns_total"] {
        say!("{metric} of the processes that live: {}", nodes.sum(metric).await);
    }
    if !verdict.faults.is_empty() {
        let file = keep_evidence(seed, &nodes, &verdict, &truth, &evidence);
        // Their logs are kept already.
        nodes.nodes.iter().for_each(|node| node.kill());
        panic!("seed {seed}: {} promises were broken, see above and {}", verdict.faults.len(), file.display());
    }
    no_ghosts(&nodes, &mut crowd).await;
    say!("no ghosts: during all of it, and after a third left and a third was cut off");
}

/// Everybody.
struct Crowd {
    roamers: Vec<Roamer>,
    official: Script,
    /// The links of the official clients.
    link: Proxy,
}

impl Crowd {
    /// Starts all clients and waits until each is a member.
    async fn gather(nodes: &Nodes, seed: u64) -> Self {
        for incident in 0..INCIDENTS {
            nodes.create_sos(&sos(incident), &user(incident, 0)).await;
        }
        let link = Proxy::start(nodes.address()).await;
        let url = format!("http://{}", link.address);
        let every = EVERY.as_millis().to_string();
        let mut official = Script::node("roam.mjs", &[&url, &every, "default"]);
        let mut roamers = Vec::new();
        for (incident, member) in (0..INCIDENTS).flat_map(|incident| (0..MEMBERS).map(move |member| (incident, member))) {
            let (sos, user) = (sos(incident), user(incident, member));
            let role = if member == 0 { "citizen" } else { "rescuer" };
            let token = nodes.token(role, &user, &[&sos]);
            if member == MEMBERS - 1 && incident < OFFICIAL {
                official.order(&json!(["client", user, sos, token]).to_string());
                continue;
            }
            let seed = seed.wrapping_mul(1_000).wrapping_add((incident * MEMBERS + member) as u64);
            let (address, polling_percent) = (nodes.address(), POLLING_PERCENT);
            roamers.push(Roamer::start(Habits { address, token, user, sos, every: EVERY, polling_percent, seed }));
        }
        official.order(r#"["joined"]"#);
        official.expect("joined").await;
        let started = Instant::now();
        while let Some(waiting) = roamers.iter().find(|roamer| !roamer.has_joined()) {
            assert!(started.elapsed() < Duration::from_secs(60), "never a member: {:?}", waiting.record());
            sleep(Duration::from_millis(50)).await;
        }
        Self { roamers, official, link }
    }

    fn speak(&mut self) {
        self.official.order(r#"["speak"]"#);
        for roamer in &self.roamers {
            roamer.set_fickle(FICKLE_PERCENT);
            roamer.speak(true);
        }
    }

    /// Nobody says anything new; waits until all that was said is acknowledged.
    async fn settle(&mut self) {
        for roamer in &self.roamers {
            roamer.set_fickle(0);
            roamer.speak(false);
        }
        let started = Instant::now();
        loop {
            let restless: Vec<&Roamer> =
                self.roamers.iter().filter(|roamer| !(roamer.is_settled() && roamer.is_connected())).collect();
            if restless.is_empty() {
                break;
            }
            if started.elapsed() > Duration::from_secs(CATCH_UP) {
                say!("{} are not settled, such as {:?}", restless.len(), restless[0].record());
                break;
            }
            sleep(Duration::from_millis(50)).await;
        }
        self.official.order(r#"["quiet"]"#);
        self.official.expect("quiet").await;
    }

    /// Waits until everybody has as many messages as there are, or nobody gets any more; then what they saw.
    async fn complete(&mut self, truth: &Truth) -> Vec<Record> {
        let lacks = |record: &Record| {
            let wanted = truth.get(&record.sos).map_or(0, Vec::len);
            record.sessions.last().map_or(0, Vec::len) < wanted
        };
        let started = Instant::now();
        loop {
            self.official.order(r#"["report"]"#);
            let report = self.official.expect("report").await;
            let mut records: Vec<Record> = serde_json::from_str(&report).expect("a report");
            records.extend(self.roamers.iter().map(Roamer::record));
            // Those that had to begin afresh never get all in one session.
            let waiting = records.iter().filter(|record| record.sessions.len() == 1 && lacks(record)).count();
            if waiting == 0 || started.elapsed() > Duration::from_secs(30) {
                return records;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

fn sos(incident: usize) -> String {
    format!("fault-{incident}")
}

fn user(incident: usize, member: usize) -> String {
    format!("u{incident}.{member}")
}

/// Carries out the plan; how many failovers there were.
async fn torment(nodes: &Nodes, redis: &Sentinels, crowd: &Crowd, seed: u64, time: Duration) -> usize {
    let (started, mut failovers, mut done) = (Instant::now(), 0, BTreeMap::<&str, usize>::new());
    let faults = async {
        for (wait, fault) in plan(seed, NODES, from_env("CONVOKE_FAULT_HANGS").is_some()) {
            sleep(wait).await;
            if started.elapsed() > time {
                break;
            }
            say!("{:5.1} s  {fault}", started.elapsed().as_secs_f32());
            let name = match fault {
                Fault::Kill { .. } => "kills",
                Fault::Terminate { .. } => "drains",
                Fault::Pause { .. } => "pauses",
                Fault::CutRedis { .. } => "cuts off Redis",
                Fault::FailOver | Fault::HangMaster => "failovers",
            };
            *done.entry(name).or_default() += 1;
            strike(nodes, redis, fault).await;
            failovers += usize::from(matches!(fault, Fault::FailOver | Fault::HangMaster));
        }
    };
    let mut cuts = [0; 3];
    let links = async {
        let mut random = StdRng::seed_from_u64(seed ^ 0x11_4b);
        loop {
            sleep(Duration::from_millis(random.random_range(200..1_000))).await;
            for roamer in crowd.roamers.choose_multiple(&mut random, 5) {
                let silent = random.random_bool(0.3);
                roamer.cut(if silent { Cut::Silent } else { Cut::Loud });
                cuts[usize::from(silent)] += 1;
            }
            if random.random_bool(0.1) {
                crowd.link.cut();
                cuts[2] += 1;
            }
        }
    };
    tokio::select! {
        () = faults => {}
        () = links => {}
    }
    say!(
        "done in {:.1} s: {done:?}; links cut: {} loudly, {} silently, those of all official clients {} times",
        started.elapsed().as_secs_f32(),
        cuts[0],
        cuts[1],
        cuts[2]
    );
    failovers
}

pub async fn strike(nodes: &Nodes, redis: &Sentinels, fault: Fault) {
    match fault {
        Fault::Kill { node, away } => {
            nodes.nodes[node].kill();
            sleep(away).await;
            nodes.nodes[node].start().await;
        }
        Fault::Terminate { node } => {
            assert!(nodes.nodes[node].terminate().await, "node-{node} did not drain well");
            nodes.nodes[node].start().await;
        }
        Fault::Pause { node, time } => {
            nodes.nodes[node].pause();
            sleep(time).await;
            nodes.nodes[node].resume();
        }
        Fault::CutRedis { node } => {
            nodes.nodes[node].cut_from(redis.master());
        }
        Fault::FailOver => redis.fail_over().await,
        Fault::HangMaster => redis.hang().await,
    }
}

/// The messages that stand in Redis.
fn truth(master: &Server) -> Truth {
    let read = |incident| {
        let key = sos_keys::messages(&sos(incident));
        let entries: Vec<(String, BTreeMap<String, String>)> = master.ask(cmd("XRANGE").arg(key).arg("-").arg("+"));
        let message = |(id, mut fields): (String, BTreeMap<String, String>)| {
            let mut field = |name| fields.remove(name).unwrap_or_default();
            Seen { message_id: id, client_message_id: Some(field("c")), user_id: field("u"), text: field("t") }
        };
        (sos(incident), entries.into_iter().map(message).collect())
    };
    (0..INCIDENTS).map(read).collect()
}

/// The events that stand in the logs.
fn logged(master: &Server) -> Logged {
    let read = |incident| {
        let scope = ScopeId { kind: SOS, id: sos(incident).into() };
        let epoch: String = master.ask(cmd("HGET").arg(keys::scope_meta(&scope)).arg("epoch"));
        let entries: Vec<(String, BTreeMap<String, String>)> =
            master.ask(cmd("XRANGE").arg(keys::scope_log(&scope)).arg("-").arg("+"));
        entries.into_iter().map(move |(id, _)| format!("{scope}.{epoch}.{id}"))
    };
    (0..INCIDENTS).flat_map(read).collect()
}

/// Everything that one needs to understand a broken promise.
fn keep_evidence(seed: u64, nodes: &Nodes, verdict: &Verdict, truth: &Truth, evidence: &[Record]) -> PathBuf {
    let file = std::env::temp_dir().join(format!("convoke-faults-{seed}.log"));
    let mut text = format!("{verdict}\n\n");
    verdict.faults.iter().for_each(|fault| text += &format!("{fault}\n"));
    for node in &nodes.nodes {
        text += &format!("\n=== {}\n{}\n", node.name, node.log());
    }
    for (sos, written) in truth {
        text += &format!("\n=== {sos}\n");
        written.iter().for_each(|message| text += &format!("{} {}\n", message.message_id, message.text));
    }
    evidence.iter().for_each(|record| text += &format!("\n{record:?}\n"));
    let _ = std::fs::write(&file, text);
    file
}

/// All who are there are shown once, and nobody else; then a third leaves, a third is cut off, and so it is again.
async fn no_ghosts(nodes: &Nodes, crowd: &mut Crowd) {
    let here: Vec<(String, String)> = crowd.roamers.iter().map(Roamer::record).map(|record| (record.sos, record.user)).collect();
    let official = (0..OFFICIAL).map(|incident| (sos(incident), user(incident, MEMBERS - 1)));
    let everybody: Vec<(String, String)> = here.into_iter().chain(official).collect();
    presence_is(nodes, &everybody).await;
    seen_by_the_clients(&crowd.roamers, &everybody).await;

    let mut gone = Vec::new();
    let mut stay = Vec::new();
    for (number, roamer) in std::mem::take(&mut crowd.roamers).into_iter().enumerate() {
        match number % 3 {
            0 => {
                roamer.leave();
                gone.push(roamer);
            }
            1 => drop(roamer),
            _ => stay.push(roamer),
        }
    }
    let remain: Vec<String> = stay.iter().map(|roamer| roamer.record().user).collect();
    let official =
        everybody.iter().filter(|(_, user)| user.ends_with(&format!(".{}", MEMBERS - 1)) && remain.iter().all(|one| one != user));
    let official: Vec<String> = official
        .map(|(_, user)| user.clone())
        .filter(|user| (0..OFFICIAL).any(|incident| *user == self::user(incident, MEMBERS - 1)))
        .collect();
    let left: Vec<(String, String)> =
        everybody.iter().filter(|(_, user)| remain.contains(user) || official.contains(user)).cloned().collect();
    presence_is(nodes, &left).await;
    seen_by_the_clients(&stay, &left).await;
    for incident in [0, INCIDENTS / 2] {
        for member in 0..MEMBERS {
            let user = user(incident, member);
            let there = left.iter().any(|(_, one)| *one == user);
            // A user's own presence follows that in the incident.
            let started = Instant::now();
            while nodes.is_online(&user).await != there {
                assert!(started.elapsed() < NO_GHOSTS_AFTER, "presence of {user} is not {there}");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    // Nor does any node hold a socket of somebody who is gone.
    nodes.wait_for_sum("convoke_sockets", left.len() as f64, NO_GHOSTS_AFTER).await;
}

/// Waits, as long as ghosts may last, until the hub shows exactly these as online, each with one socket.
async fn presence_is(nodes: &Nodes, online: &[(String, String)]) {
    let started = Instant::now();
    for incident in 0..INCIDENTS {
        let sos = sos(incident);
        let mut wanted: Vec<(String, u64)> =
            online.iter().filter(|(at, _)| *at == sos).map(|(_, user)| (user.clone(), 1)).collect();
        wanted.sort();
        loop {
            let state = nodes.state(&sos).await;
            let shown = shown_online(&state["members"]);
            if shown == wanted {
                break;
            }
            assert!(
                started.elapsed() < NO_GHOSTS_AFTER,
                "{sos} shows {shown:?} for {wanted:?}; logs:\n{}",
                nodes.nodes.iter().map(|node| node.log()).collect::<Vec<_>>().join("\n---\n")
            );
            sleep(Duration::from_millis(100)).await;
        }
    }
    say!("presence was right after {:.1} s", started.elapsed().as_secs_f32());
}

/// Waits until each client was told the same.
async fn seen_by_the_clients(roamers: &[Roamer], online: &[(String, String)]) {
    let started = Instant::now();
    for roamer in roamers {
        let sos = roamer.record().sos;
        let mut wanted: Vec<&str> = online.iter().filter(|(at, _)| *at == sos).map(|(_, user)| user.as_str()).collect();
        wanted.sort_unstable();
        loop {
            let record = roamer.record();
            let shown = shown_online(&record.members);
            if shown.iter().map(|(user, _)| user.as_str()).eq(wanted.iter().copied()) {
                break;
            }
            assert!(started.elapsed() < NO_GHOSTS_AFTER, "{} was told of {shown:?}, not of {wanted:?}", record.user);
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// User and number of sockets of all members that are shown as online, sorted.
fn shown_online(members: &Value) -> Vec<(String, u64)> {
    let online = members.as_array().into_iter().flatten().filter(|member| member["online"] == true);
    let mut shown: Vec<(String, u64)> = online
        .map(|member| (member["userId"].as_str().unwrap_or_default().to_owned(), member["sockets"].as_u64().unwrap_or_default()))
        .collect();
    shown.sort();
    shown
}
