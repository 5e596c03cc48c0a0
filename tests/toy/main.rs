//! A feature in one folder: all that it is stands here, and nothing outside was touched for it. It runs on two nodes with a real
//! Redis, and an official client uses it.

#[path = "../support/mod.rs"]
mod support;

mod counter;
mod script;

use convoke::app::{self, Config};
use convoke::feature::Feature;
use convoke::settings::Source;
use convoke::telemetry::metrics::Metrics;
use serde_json::Value;

use support::node::Script;
use support::ports::free_port;
use support::redis::single;

const FEATURES: &[&dyn Feature] = &[&counter::CounterFeature];

/// Starts a node whose only feature is the counter, and returns where it is.
async fn node(name: &str, more: &[(&str, &str)]) -> String {
    let (redis, port) = (single().url(), free_port().to_string());
    let base = [("HOST", "127.0.0.1"), ("PORT", &port), ("PEER_PORT", "0"), ("REDIS_URL", &redis), ("NODE_ID", name)];
    let secret = [("CLUSTER_SECRET", "the cluster secret of the toy")];
    let source: Source = base.into_iter().chain(secret).chain(more.iter().copied()).collect();
    let config = Config::of(FEATURES, &source).unwrap_or_else(|faults| panic!("{faults}"));
    tokio::spawn(async move { app::serve(config).await.expect("the node serves") });
    let url = format!("http://127.0.0.1:{port}");
    let is_ready = async || reqwest::get(format!("{url}/readyz")).await.is_ok_and(|answer| answer.status() == 200);
    tokio::time::timeout(std::time::Duration::from_secs(30), async {
        while !is_ready().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the node is ready");
    url
}

const VISIT: &str = r#"
import { io } from "socket.io-client";
const connect = (url, user) =>
  io(`${url}/counter`, { auth: { counter, user }, query: { recovery: 1 }, transports: ["websocket"], reconnection: false, forceNew: true });
const heard = (socket, event, fits = () => true) =>
  new Promise((resolve) => socket.on(event, (value) => fits(value) && resolve(value)));
const ann = connect(urls[0], "ann");
await heard(ann, "count");
const joined = heard(ann, "joined", (user) => user === "bob");
const bob = connect(urls[1], "bob");
await joined;
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
const left = heard(ann, "left");
bob.io.engine.transport.ws.terminate();
console.log("left", await left);
console.log("shown", JSON.stringify(await show(urls[1])));
process.exit();
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feature_in_a_folder_of_its_own_runs_on_two_nodes_with_official_clients() {
    let metrics = Metrics::install(FEATURES.iter().flat_map(|feature| feature.metrics())).expect("the only recorder");
    let settings = [("COUNTER_STEP", "2"), ("COUNTER_GRACE_MS", "100")];
    let urls = [node("toy-a", &settings).await, node("toy-b", &settings).await];
    let code = format!("const counter = 'c{}';\nconst urls = {};\n{VISIT}", std::process::id(), Value::from(urls.to_vec()));
    let mut script = Script::node_code(&code);
    let mut said = Vec::new();
    while let Some(line) = script.line().await {
        said.push(line);
    }
    assert_eq!(
        said,
        [
            "ack 2",
            r#"told [{"value":2,"by":"ann"},{"value":2,"by":"ann"}]"#,
            "ack 4",
            r#"told [{"value":4,"by":"bob"},{"value":4,"by":"bob"}]"#,
            r#"shown [{"here":["ann","bob"],"value":4},{"here":["ann","bob"],"value":4}]"#,
            r#"reset [{"value":0,"by":null},{"value":0,"by":null}]"#,
            "left bob",
            r#"shown {"here":["ann"],"value":0}"#,
        ]
    );
    let shown = metrics.render();
    assert!(shown.contains("# HELP counter_clicks_total Clicks on all counters\n"), "{shown}");
    assert!(shown.contains("\ncounter_clicks_total 2\n"), "{shown}");
}

#[test]
fn a_setting_of_the_feature_is_judged_with_all_others() {
    let source: Source = [("COUNTER_STEP", "none"), ("REDIS_URL", "redis://localhost"), ("NODE_ID", "n")].into_iter().collect();
    let faults = Config::of(FEATURES, &source).err().expect("a fault").to_string();
    assert!(faults.contains("COUNTER_STEP must be an integer from 1 to 1000, not \"none\""), "{faults}");
}

#[test]
fn nothing_outside_of_its_folder_knows_the_feature() {
    fn files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() { files(&entry, found) } else { found.push(entry) }
        }
    }
    let (root, mut all) = (support::node::root(), Vec::new());
    ["src", "lua", "migrations"].iter().for_each(|folder| files(&root.join(folder), &mut all));
    for path in &all {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        for word in ["counter_change", "counter:value", "/counter", "COUNTER_GRACE_MS", "CounterFeature"] {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
    assert!(all.len() > 100, "the sources were found");
}
