//! Every example of `docs/incidents.md` is run as it stands, and its tables name the events that the hub has.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::hub::{Hub, INTERNAL, now_seconds};
use crate::support::node::{Script, root};
use crate::support::redis::Server;

fn manual() -> String {
    std::fs::read_to_string(root().join("docs/incidents.md")).expect("the manual")
}

/// The fenced blocks of a language.
fn examples(language: &str) -> Vec<String> {
    let (manual, start) = (manual(), format!("```{language}\n"));
    manual.split(&start).skip(1).map(|block| block.split("```").next().expect("an end").to_owned()).collect()
}

fn service_does(hub: &Hub) {
    let examples = examples("sh");
    let facts = [("/data/status", "active"), ("/data/status", "assigned"), ("/data/role", "rescuer"), ("/success", "true")];
    assert_eq!(examples.len(), facts.len(), "each example has its fact here");
    for (example, (pointer, expected)) in examples.iter().zip(facts) {
        let output = Command::new("sh").args(["-c", example]).env("HUB", hub.url()).env("INTERNAL", INTERNAL).output();
        let output = output.expect("sh and curl are installed");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        let found = answer.pointer(pointer).map(|found| found.to_string().trim_matches('"').to_owned());
        assert_eq!(found.as_deref(), Some(expected), "{example}\nwas answered {answer}\n{output:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_manual_of_incidents_run() {
    let redis = Server::start(&[]);
    let hub = Hub::start(&[("REDIS_URL", &redis.url())]).await;
    let examples = examples("js");
    let [citizen, rescuer, dispatcher, batch, refresh] = &examples[..] else { panic!("each example has its fact here") };
    let values = [
        ("HUB", hub.url()),
        ("CITIZEN", hub.token("citizen", "c1", &["sos-1"])),
        ("RESCUER", hub.token("rescuer", "r1", &[])),
        ("DISPATCHER", hub.token("dispatcher", "d1", &[])),
        ("EXPIRING", hub.token_until("citizen", "c1", &["sos-1"], Some(now_seconds() + 30))),
    ];
    let constants: String = values.iter().map(|(name, value)| format!("const {name} = {};\n", json!(value))).collect();
    let run = |example: &str| Script::node_code(&format!("import {{ io }} from \"socket.io-client\";\n{constants}{example}"));

    let mut dispatcher = run(dispatcher);
    dispatcher.expect("active").await;
    tokio::task::block_in_place(|| service_does(&hub));
    dispatcher.expect("created sos-1").await;
    dispatcher.expect("status sos-1 assigned").await;
    let mut citizen = run(citizen);
    citizen.expect("state assigned").await;
    citizen.expect("at c1 14.5995 120.9842").await;
    let mut rescuer = run(rescuer);
    rescuer.expect("joined true c1").await;
    rescuer.expect("sent once true true").await;
    citizen.expect("message r1 On my way").await;
    let mut batch = run(batch);
    batch.expect(r#"batch 3 0 [{"index":3,"code":"INVALID_LOCATION"}]"#).await;
    let mut refresh = run(refresh);
    refresh.expect("refreshed true true").await;
    let close = json!({"closedBy": "service", "reason": "safe"});
    assert_eq!(hub.internal(reqwest::Method::POST, "/sos/sos-1/close", Some(close)).await.0, 200);
    citizen.expect("closed safe").await;
    for script in [&mut rescuer, &mut dispatcher, &mut batch, &mut refresh] {
        script.terminate();
    }
}

/// The first cells of a section's tables, without their backticks.
fn first_cells(section: &str) -> BTreeSet<String> {
    let manual = manual();
    let start = manual.find(&format!("## {section}\n")).unwrap_or_else(|| panic!("a section {section}"));
    let text = manual[start + 3..].split("\n## ").next().unwrap_or_default().to_owned();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1).map(str::to_owned)).collect::<Vec<_>>();
    cells.iter().flat_map(|cell| cell.split(',')).map(|name| name.trim().trim_matches('`').to_owned()).collect()
}

#[test]
fn the_manual_of_incidents_names_every_event() {
    let document = convoke::app::asyncapi();
    let messages = document["channels"]["sos"]["messages"].as_object().expect("messages");
    let named = |way: &str| -> BTreeSet<String> {
        let of_way = messages.iter().filter(|(key, message)| key.starts_with(way) && message["x-packet"] == "EVENT");
        of_way.map(|(_, message)| message["name"].as_str().expect("a name").to_owned()).collect()
    };
    assert_eq!(first_cells("What clients send"), named("receive."));
    // Those that answer an event stand beside it.
    let answers = ["pong", "heartbeat:ack", "offer", "answer", "iceCandidate", "signal"].map(str::to_owned);
    let sent: BTreeSet<_> = first_cells("What clients get").into_iter().chain(answers).collect();
    assert_eq!(sent, named("send."));
}
