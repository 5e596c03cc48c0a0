//! Nodes that come and go, as real processes: no ghosts, nobody dead who lives, and one node of a name.

use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::client::Client;
use super::support::hub::Hub;
use super::support::incident::{member, say};
use super::support::process::Process;
use super::support::redis::{Cluster, Server};
use super::support::{eventually, eventually_asked, within};

/// A lease in a test. What follows from a lease is a part of it.
const LEASE: Duration = Duration::from_secs(3);
/// As long as it is unless somebody sets another.
const LONG_LEASE: Duration = Duration::from_secs(10);
/// The longest that there is. None ends before a test gives up waiting.
const LONGEST_LEASE: Duration = Duration::from_secs(60);

async fn node(redis: &str, name: &str) -> Hub {
    leased_node(redis, name, LEASE).await
}

async fn leased_node(redis: &str, name: &str, lease: Duration) -> Hub {
    let lease = lease.as_millis().to_string();
    Hub::start(&[("REDIS_URL", redis), ("NODE_ID", name), ("NODE_LEASE_MS", &lease)]).await
}

async fn nodes<const N: usize>(redis: &str, names: [&str; N]) -> Vec<Hub> {
    leased_nodes(redis, names, LEASE).await
}

async fn leased_nodes<const N: usize>(redis: &str, names: [&str; N], lease: Duration) -> Vec<Hub> {
    futures_util::future::join_all(names.map(|name| leased_node(redis, name, lease))).await
}

/// How often the room was told that this user is offline, and whether that is the last word.
fn offline(watcher: &Client, user: &str) -> (usize, bool) {
    let online = |update: &Value| {
        let members = update["members"].as_array().expect("members").iter();
        members.clone().find(|member| member["userId"] == user).map(|member| member["online"] == true)
    };
    let words: Vec<bool> = watcher.received("presence:update").iter().filter_map(online).collect();
    let changes = words.windows(2).filter(|pair| pair[0] && !pair[1]).count();
    (changes, words.last() == Some(&false))
}

/// Whether the room was told last that this user is online, with so many sockets.
fn sees(watcher: &Client, user: &str, sockets: u64) -> bool {
    let updates = watcher.received("presence:update");
    let members = updates.last().and_then(|update| update["members"].as_array());
    members.is_some_and(|members| members.iter().any(|member| member["userId"] == user && member["sockets"] == sockets))
}

/// Sockets of a user that a node believes in.
async fn sockets(hub: &Hub, user: &str) -> u64 {
    let (status, presence) = hub.internal(Method::GET, &format!("/users/{user}/presence"), None).await;
    assert_eq!(status, 200, "{presence}");
    presence["data"]["sockets"].as_u64().unwrap_or_else(|| panic!("no sockets in {presence}"))
}

/// Waits until a node believes in so many sockets of a user. It learns of a death within half a second.
async fn has_sockets(hub: &Hub, user: &str, count: u64) {
    eventually_asked(&format!("{user} has {count} sockets"), async || sockets(hub, user).await == count).await;
}

fn reads(client: &Client, text: &str) -> usize {
    client.received("message:broadcast").iter().filter(|message| message["text"] == text).count()
}

/// Whether a node has judged that another one is dead.
fn has_judged(hub: &Hub) -> bool {
    hub.has_logged("a node is dead")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_a_killed_node_are_seen_to_go_once() {
    let redis = Server::start(&[]);
    gone_once(&redis.url(), LONG_LEASE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn users_of_a_killed_node_are_seen_to_go_once_on_a_cluster() {
    let cluster = Cluster::start(0);
    gone_once(&cluster.url(), LEASE).await;
}

async fn gone_once(redis: &str, lease: Duration) {
    let hubs = leased_nodes(redis, ["a", "b", "c"], lease).await;
    let [a, b, c] = &hubs[..] else { unreachable!() };
    a.create_sos("kill", "c1").await;
    let watchers = [member(b, "citizen", "c1", "kill").await, member(c, "rescuer", "r1", "kill").await];
    let _victim = member(a, "rescuer", "r2", "kill").await;
    // A user with sockets on two nodes stays.
    let _twin = member(a, "rescuer", "r1", "kill").await;
    for watcher in &watchers {
        eventually("they are announced", || sees(watcher, "r2", 1) && sees(watcher, "r1", 2)).await;
    }
    // Who judges has to have watched for a whole lease: since its start, which was when this one's began.
    a.kill();
    for watcher in &watchers {
        eventually("its user is seen to go", || offline(watcher, "r2") == (1, true)).await;
    }
    for hub in [b, c] {
        has_sockets(hub, "r1", 1).await;
        has_sockets(hub, "r2", 0).await;
        hub.logs("a dead node was reaped").await;
    }
    say(&watchers[0], "after").await;
    for watcher in &watchers {
        eventually("the message came", || reads(watcher, "after") == 1).await;
        assert_eq!((offline(watcher, "r2"), offline(watcher, "r1")), ((1, true), (0, false)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_returns_under_its_name_leaves_no_ghost() {
    let redis = Server::start(&[]);
    let hubs = leased_nodes(&redis.url(), ["a", "b"], LONGEST_LEASE).await;
    let [a, b] = &hubs[..] else { unreachable!() };
    a.create_sos("return", "c1").await;
    let watcher = member(b, "citizen", "c1", "return").await;
    let _victim = member(a, "rescuer", "r1", "return").await;
    a.kill();
    let again = leased_node(&redis.url(), "a", LONGEST_LEASE).await;
    has_sockets(&again, "r1", 0).await;
    // Nobody waits for the end of the old node's lease.
    eventually("its user is seen to go", || offline(&watcher, "r1") == (1, true)).await;
    has_sockets(b, "r1", 0).await;
    let late = member(&again, "rescuer", "r2", "return").await;
    eventually("the newcomer is there", || !offline(&late, "r2").1 && !late.received("presence:update").is_empty()).await;
    assert_eq!(offline(&watcher, "r1"), (1, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_away_for_longer_than_a_lease_kills_nobody() {
    let redis = Server::start_persistent();
    let hubs = nodes(&redis.url(), ["a", "b"]).await;
    let [a, b] = &hubs[..] else { unreachable!() };
    a.create_sos("away", "c1").await;
    let clients = [member(a, "citizen", "c1", "away").await, member(b, "rescuer", "r1", "away").await];
    // Both have watched for a whole lease.
    tokio::time::sleep(LEASE).await;
    redis.stop();
    tokio::time::sleep(LEASE + LEASE / 4).await;
    redis.restart();
    for hub in &hubs {
        hub.wait_for_status("/readyz", 200).await;
    }
    // Two leases later still nobody is dead.
    tokio::time::sleep(2 * LEASE).await;
    assert!(!hubs.iter().any(has_judged));
    say(&clients[0], "here").await;
    for client in &clients {
        eventually("the message came", || reads(client, "here") == 1).await;
        assert!(!client.is_closed());
        assert_eq!((offline(client, "c1").0, offline(client, "r1").0), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_node_fences_itself_and_claims_what_is_left_to_it() {
    let redis = Server::start(&[]);
    let hubs = nodes(&redis.url(), ["a", "b", "c"]).await;
    let [a, b, c] = &hubs[..] else { unreachable!() };
    a.create_sos("pause", "c1").await;
    let watcher = member(b, "citizen", "c1", "pause").await;
    let _third = member(c, "rescuer", "r2", "pause").await;
    let paused = member(a, "rescuer", "r1", "pause").await;
    a.signal(libc::SIGSTOP);
    // It lies in the socket's buffer when the node goes on.
    paused.emit("message:send", json!({"text": "from the past"}));
    eventually("its user is seen to go", || offline(&watcher, "r1") == (1, true)).await;
    has_sockets(b, "r1", 0).await;
    a.signal(libc::SIGCONT);
    a.logs("it goes on under a new name").await;
    a.wait_for_status("/readyz", 200).await;
    // Nobody else has its socket: it is claimed, its user is back, and what waited is done, once.
    eventually("its user is back", || !offline(&watcher, "r1").1).await;
    has_sockets(b, "r1", 1).await;
    for client in [&watcher, &paused] {
        eventually("what waited is done", || reads(client, "from the past") == 1).await;
    }
    let again = member(a, "rescuer", "r3", "pause").await;
    for (speaker, text) in [(&again, "one"), (&paused, "two"), (&watcher, "three")] {
        say(speaker, text).await;
    }
    for client in [&watcher, &again, &paused] {
        for text in ["one", "two", "three"] {
            eventually("the message came", || reads(client, text) == 1).await;
        }
    }
    assert!(!paused.is_closed());
    assert_eq!(offline(&watcher, "r1"), (1, false), "one leave, and one return");
    assert_eq!(reads(&watcher, "from the past"), 1);
}

/// A node that is to refuse to start: what it says.
fn refusal(env: &[(&str, &str)]) -> impl Future<Output = String> + use<> {
    let mut command = Hub::command("serve", env);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    refused(command)
}

async fn refused(command: Command) -> String {
    let mut process = Process::start(command);
    let stderr = process.child().stderr.take().expect("a pipe");
    let said = tokio::task::spawn_blocking(move || std::io::read_to_string(stderr));
    let said = within(said).await.unwrap().unwrap();
    assert!(!process.child().wait().unwrap().success());
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_a_live_node_holds_is_refused() {
    let redis = Server::start(&[]);
    let url = redis.url();
    let holder = node(&url, "a").await;
    let said = refusal(&[("REDIS_URL", &url), ("NODE_ID", "a")]).await;
    assert!(said.contains("the name is taken: node a."), "{said}");
    let said = refusal(&[("REDIS_URL", &url), ("NODE_ID", "b"), ("CLUSTER_SECRET", "another secret of the tests")]).await;
    assert!(said.contains("does not trust this one"), "{said}");
    let said = refusal(&[("REDIS_URL", &url), ("NODE_ID", "b"), ("CLUSTER_SECRET", "")]).await;
    assert!(said.contains("CLUSTER_SECRET is not set here"), "{said}");
    assert_eq!(holder.get("/readyz").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_secret_is_refused_also_by_one_that_is_slow_to_answer() {
    let redis = Server::start(&[]);
    let url = redis.url();
    let slow = leased_node(&url, "a", LONGEST_LEASE).await;
    slow.signal(libc::SIGSTOP);
    let other = [("REDIS_URL", &*url), ("NODE_ID", "b"), ("CLUSTER_SECRET", "another secret of the tests")];
    let said = tokio::spawn(refusal(&other));
    // Longer than it waits for one answer.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(!said.is_finished());
    slow.signal(libc::SIGCONT);
    let said = said.await.unwrap();
    assert!(said.contains("does not trust this one"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_secret_there_is_one_node() {
    let redis = Server::start(&[]);
    let url = redis.url();
    let (lease, longest) = (LEASE.as_millis().to_string(), LONGEST_LEASE.as_millis().to_string());
    let alone = |lease| [("REDIS_URL", &*url), ("NODE_ID", "a"), ("CLUSTER_SECRET", ""), ("NODE_LEASE_MS", lease)];
    let first = Hub::start(&alone(&longest)).await;
    let (same, other, with) = tokio::join!(
        refusal(&alone(&lease)),
        refusal(&[("REDIS_URL", &url), ("NODE_ID", "b"), ("CLUSTER_SECRET", "")]),
        refusal(&[("REDIS_URL", &url), ("NODE_ID", "c")]),
    );
    assert!(same.contains("the name is taken"), "{same}");
    assert!(other.contains("CLUSTER_SECRET is not set here"), "{other}");
    assert!(with.contains("is running without CLUSTER_SECRET"), "{with}");
    // After its end the next one starts at once; after a crash when the lease is over.
    first.signal(libc::SIGTERM);
    assert!(first.exited().await.success());
    let second = Hub::start(&alone(&lease)).await;
    second.create_sos("alone", "c1").await;
    let _ghost = member(&second, "citizen", "c1", "alone").await;
    second.kill();
    let third = Hub::start(&alone(&lease)).await;
    has_sockets(&third, "c1", 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_ends_in_order_is_not_waited_for() {
    let redis = Server::start(&[]);
    let hubs = nodes(&redis.url(), ["a", "b"]).await;
    hubs[0].signal(libc::SIGTERM);
    assert!(hubs[0].exited().await.success());
    hubs[1].logs("a dead node was reaped").await;
    assert!(!has_judged(&hubs[1]), "nobody had to find out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_masters_of_three_decide_who_is_dead() {
    let cluster = Cluster::start_persistent();
    let url = cluster.url();
    let hubs = nodes(&url, ["a", "b"]).await;
    let [a, b] = &hubs[..] else { unreachable!() };
    // An incident for each master.
    let incident = |master: usize| {
        (0..).map(|n| format!("maj-{n}")).find(|id| cluster.home_of(&format!("{{{id}}}")) == master).expect("one of many")
    };
    let incidents = [incident(0), incident(1)];
    let mut watchers = Vec::new();
    let mut victims = Vec::new();
    for sos in &incidents {
        a.create_sos(sos, "c1").await;
        watchers.push(member(b, "citizen", "c1", sos).await);
        victims.push(member(a, "rescuer", "r1", sos).await);
    }
    for watcher in &watchers {
        eventually("it is announced", || watcher.received("presence:update").iter().any(|told| told["count"] == 2)).await;
    }
    cluster.masters[0].stop();
    tokio::time::sleep(LEASE + LEASE / 4).await;
    assert!(!hubs.iter().any(has_judged), "a master away kills nobody");
    eventually_asked("the other node is ready", async || b.get("/readyz").await.status() == 200).await;
    a.kill();
    eventually("its user is seen to go", || offline(&watchers[1], "r1") == (1, true)).await;
    assert_eq!(offline(&watchers[0], "r1").0, 0, "nobody can tell");
    cluster.masters[0].restart();
    eventually("the rest follows", || offline(&watchers[0], "r1") == (1, true)).await;
    b.logs("a dead node was reaped").await;
}
