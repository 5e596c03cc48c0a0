//! A feature in one folder: all that it is stands here, and nothing outside was touched for it. It runs on two nodes with a real
//! Redis, and an official client uses it.

#[path = "../support/mod.rs"]
mod support;

mod counter;
mod script;

use std::time::Duration;

use convoke::app::{self, Config};
use convoke::feature::Feature;
use convoke::settings::Source;
use convoke::telemetry::metrics::Metrics;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use support::node::{Script, files_below};
use support::ports::free_port;
use support::redis::{Server, single};

const FEATURES: &[&dyn Feature] = &[&counter::CounterFeature];
const GRACE: (&str, &str) = ("COUNTER_GRACE_MS", "100");

/// A node whose only feature is the counter. It has a runtime of its own, so that it can be killed.
struct Node {
    runtime: Option<Runtime>,
    url: String,
}

impl Node {
    async fn start(name: &str, redis: &str, more: &[(&str, &str)]) -> Self {
        let port = free_port().to_string();
        let base = [("HOST", "127.0.0.1"), ("PORT", &port), ("PEER_PORT", "0"), ("REDIS_URL", redis), ("NODE_ID", name)];
        let secret = [("CLUSTER_SECRET", "the cluster secret of the toy")];
        let source: Source = base.into_iter().chain(secret).chain(more.iter().copied()).collect();
        let config = Config::of(FEATURES, &source).unwrap_or_else(|faults| panic!("{faults}"));
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        runtime.spawn(async move { app::serve(config).await.expect("the node serves") });
        let url = format!("http://127.0.0.1:{port}");
        let is_ready = async || reqwest::get(format!("{url}/readyz")).await.is_ok_and(|answer| answer.status() == 200);
        tokio::time::timeout(Duration::from_secs(60), async {
            while !is_ready().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await
        .expect("the node is ready");
        Self { runtime: Some(runtime), url }
    }

    /// All that it does ends at once, and nobody is told.
    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What clients in JavaScript have in common. `shows(socket, online)` waits for an announcement that says of these users that
/// they are there, and of no other.
const CLIENTS: &str = r#"
import { io } from "socket.io-client";
const connect = (url, user) =>
  io(`${url}/counter`, { auth: { counter, user }, query: { recovery: 1 }, transports: ["websocket"], reconnection: false, forceNew: true });
const heard = (socket, event, fits = () => true) =>
  new Promise((resolve) => socket.on(event, (value) => fits(value) && resolve(value)));
const online = ({ members }) => members.filter((member) => member.online).map((member) => member.userId).sort().join();
const shows = async (socket, users) => online(await heard(socket, "presence:update", (update) => online(update) === users));
"#;

const VISIT: &str = r#"
const ann = connect(urls[0], "ann");
await heard(ann, "count");
const joined = shows(ann, "ann,bob");
const bob = connect(urls[1], "bob");
console.log("here", await joined);
const both = (value) => Promise.all([ann, bob].map((socket) => heard(socket, "count", (count) => count.value === value)));
for (const [socket, value] of [[ann, 2], [bob, 4]]) {
  const told = both(value);
  console.log("ack", await socket.emitWithAck("click"));
  console.log("told", JSON.stringify(await told));
}
const show = async (url) => (await fetch(`${url}/counter/${counter}`)).json();
console.log("shown", JSON.stringify(await Promise.all(urls.map(show))));
const zero = both(0);
await bob.emitWithAck("reset", 50);
console.log("reset", JSON.stringify(await zero));
const left = shows(ann, "ann");
bob.io.engine.transport.ws.terminate();
console.log("here", await left);
console.log("shown", JSON.stringify(await show(urls[1])));
process.exit();
"#;

/// Runs clients in JavaScript, and returns what they say; `on_line` is called with each line that they say.
async fn clients(urls: &[String], name: &str, code: &str, mut on_line: impl FnMut(&str)) -> Vec<String> {
    let counter = format!("{name}{}", std::process::id());
    let code = format!("const counter = '{counter}';\nconst urls = {};\n{CLIENTS}{code}", Value::from(urls.to_vec()));
    let (mut script, mut lines) = (Script::node_code(&code), Vec::new());
    while let Some(line) = script.line().await {
        on_line(&line);
        lines.push(line);
    }
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feature_in_a_folder_of_its_own_runs_on_two_nodes_with_official_clients() {
    let metrics = Metrics::install(FEATURES.iter().flat_map(|feature| feature.metrics())).expect("the only recorder");
    let (redis, settings) = (single().url(), [("COUNTER_STEP", "2"), GRACE]);
    let nodes = [Node::start("toy-a", &redis, &settings).await, Node::start("toy-b", &redis, &settings).await];
    let urls = nodes.each_ref().map(|node| node.url.clone());
    let info: Value = reqwest::get(&urls[0]).await.expect("an answer").json().await.expect("JSON");
    assert_eq!(info["socketio"]["namespaces"], serde_json::json!(["/counter"]));
    let said = clients(&urls, "c", VISIT, |_| {}).await;
    assert_eq!(
        said,
        [
            "here ann,bob",
            "ack 2",
            r#"told [{"value":2,"by":"ann"},{"value":2,"by":"ann"}]"#,
            "ack 4",
            r#"told [{"value":4,"by":"bob"},{"value":4,"by":"bob"}]"#,
            r#"shown [{"here":["ann","bob"],"value":4},{"here":["ann","bob"],"value":4}]"#,
            r#"reset [{"value":0,"by":null},{"value":0,"by":null}]"#,
            "here ann",
            r#"shown {"here":["ann"],"value":0}"#,
        ]
    );
    let shown = metrics.render();
    assert!(shown.contains("# HELP counter_clicks_total Clicks on all counters\n"), "{shown}");
    assert!(shown.contains("\ncounter_clicks_total 2\n"), "{shown}");
}

const SURVIVE: &str = r#"
const ann = connect(urls[0], "ann");
await heard(ann, "count");
const joined = shows(ann, "ann,bob");
const bob = connect(urls[1], "bob");
console.log("here", await joined);
console.log("here", await shows(ann, "ann"));
process.exit();
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_on_a_killed_node_is_announced_as_gone_by_another_node() {
    // The other test's nodes would judge these.
    let redis = Server::start(&[]);
    let (url, settings) = (redis.url(), [GRACE, ("NODE_LEASE_MS", "2000")]);
    let (survivor, mut victim) = (Node::start("toy-c", &url, &settings).await, Node::start("toy-d", &url, &settings).await);
    let urls = [survivor.url.clone(), victim.url.clone()];
    // It is killed as soon as its member was announced.
    let said = clients(&urls, "k", SURVIVE, |_| victim.kill()).await;
    assert_eq!(said, ["here ann,bob", "here ann"]);
}

#[test]
fn a_setting_of_the_feature_is_judged_with_all_others() {
    let source: Source = [("COUNTER_STEP", "none"), ("REDIS_URL", "redis://localhost"), ("NODE_ID", "n")].into_iter().collect();
    let faults = Config::of(FEATURES, &source).err().expect("a fault").to_string();
    assert!(faults.contains("COUNTER_STEP must be an integer from 1 to 1000, not \"none\""), "{faults}");
}

#[test]
fn nothing_outside_of_its_folder_knows_the_feature() {
    let all: Vec<_> = ["src", "lua", "migrations"].into_iter().flat_map(files_below).collect();
    for path in &all {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for word in ["counter_change", "counter:value", "/counter", "COUNTER_GRACE_MS", "CounterFeature"] {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
    assert!(all.len() > 100, "the sources were found");
}
