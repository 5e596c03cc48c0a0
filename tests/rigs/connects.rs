//! The official clients against three nodes behind a balancer without any stickiness: a thousand visits each.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Deserialize;

use super::{alone, say};
use crate::support::cluster::Nodes;
use crate::support::node::Script;
use crate::support::redis::Server;

const VISITS: usize = 1_000;
const AT_ONCE: &str = "8";
const INCIDENTS: usize = 50;

/// What a client says of its visit.
#[derive(Deserialize)]
struct Visit {
    ok: bool,
    /// At the end.
    transport: Option<String>,
    /// Everything that an application would have noticed.
    wrongs: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_official_clients_of_each_language_connect_through_a_balancer_without_stickiness() {
    let _alone = alone().await;
    let redis = Server::start(&[]);
    let nodes = Nodes::start(3, &|_| redis.url(), &[]).await;
    for incident in 0..INCIDENTS {
        nodes.create_sos(&sos(incident), "c").await;
    }
    let url = nodes.url();
    visits("socket.io-client", &nodes, Script::node("visits.mjs", &[&url, TRANSPORTS, AT_ONCE])).await;
    visits("python-socketio", &nodes, Script::python("visits.py", &[&url, TRANSPORTS, AT_ONCE])).await;
    nodes.wait_for_sum("convoke_connections", 0.0, std::time::Duration::from_secs(60)).await;
}

/// Sends everybody in and judges what each has to say.
async fn visits(name: &str, nodes: &Nodes, mut script: Script) {
    let started = Instant::now();
    for number in 0..VISITS {
        let sos = sos(number % INCIDENTS);
        script.order(&format!("{sos} {}", nodes.token("rescuer", &format!("{name}-{number}"), &[&sos])));
    }
    script.order("end");
    let (mut transports, mut wrongs) = (BTreeMap::<String, usize>::new(), BTreeMap::<String, usize>::new());
    let (mut visits, mut failed) = (0, 0);
    while let Some(line) = script.line().await {
        let visit: Visit = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        visits += 1;
        failed += usize::from(!visit.ok);
        *transports.entry(visit.transport.unwrap_or_default()).or_default() += 1;
        visit.wrongs.into_iter().for_each(|wrong| *wrongs.entry(wrong).or_default() += 1);
    }
    say!(
        "{name}: {visits} visits in {:.1} s, {failed} failed; transports at the end: {transports:?}; wrong: {wrongs:?}",
        started.elapsed().as_secs_f32()
    );
    assert!(visits == VISITS && failed == 0 && wrongs.is_empty(), "{name}: of {visits} visits {failed} failed: {wrongs:?}");
    assert_eq!(transports.get("websocket"), Some(&VISITS), "{name}: some stayed behind: {transports:?}");
}

/// Polling first, then an upgrade, as they do unless told otherwise.
const TRANSPORTS: &str = "default";

fn sos(incident: usize) -> String {
    format!("visit-{incident}")
}
