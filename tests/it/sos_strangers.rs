//! Nothing is created for who may not: no key, no subscription, no entry in a map, before rights are judged.

use std::collections::BTreeSet;

use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

use super::sos_tokens::sign;
use super::support::client::Client;
use super::support::hub::Hub;
use super::support::metrics::metric;
use super::support::ports::free_port;
use super::support::redis::Server;
use super::support::sos_ms::{Mood, SosMs};
use super::support::{eventually, eventually_asked};

/// Every event about an incident, with a payload that only rights can make fail.
const EVENTS: [(&str, &str); 15] = [
    ("sos:init", "{}"),
    ("sos:leave", "{}"),
    ("sos:close", r#"{"reason":"x"}"#),
    ("sos:status:update", r#"{"status":"assigned"}"#),
    ("sos:status:update", r#"{"status":"cancelled"}"#),
    ("sos:ack", "{}"),
    ("location:update", r#"{"latitude":1,"longitude":2,"address":{"city":"x"}}"#),
    ("location:batch", r#"{"points":[{"latitude":1,"longitude":2,"timestamp":5}]}"#),
    ("message:send", r#"{"text":"x","clientMessageId":"m"}"#),
    ("message:history", "{}"),
    ("offer", r#"{"payload":1}"#),
    ("answer", r#"{"payload":1}"#),
    ("iceCandidate", r#"{"payload":1}"#),
    ("signal", r#"{"payload":1,"to":"somebody"}"#),
    ("sos:init", "{}"),
];
/// Ids that are asked for. By hand: `STRANGE_IDS=100000`.
const IDS: usize = 1_000;
/// Of these, ids about which everything is asked.
const IN_FULL: usize = 10;

struct World {
    redis: Server,
    hub: Hub,
    metrics: u16,
}

impl World {
    async fn start(more: &[(&str, &str)]) -> Self {
        let (redis, metrics) = (Server::start(&[]), free_port());
        let (url, port) = (redis.url(), metrics.to_string());
        // Tests ask faster than people do.
        let own = [
            ("REDIS_URL", &*url),
            ("METRICS_PORT", &*port),
            ("EVENTS_PER_SECOND", "100000"),
            ("EVENTS_BURST", "100000"),
            // Nothing happens by itself.
            ("SOS_ACK_SECONDS", "86400"),
        ];
        Self { hub: Hub::start(&[&own[..], more].concat()).await, redis, metrics }
    }

    /// A client with a right on two incidents and no membership, or, as a dispatcher, on all.
    async fn client(&self, role: &str) -> Client {
        let claims = json!({"userId": role, "role": role, "sosIds": ["elsewhere-1", "elsewhere-2"]});
        let client = Client::connect(&self.hub.url(), json!({"token": sign(&claims)})).await;
        // What follows on CONNECT is done before the first event.
        client.ask_ok("ping", json!({})).await;
        client
    }

    fn keys(&self) -> BTreeSet<String> {
        self.redis.ask::<Vec<String>>(redis::cmd("KEYS").arg("*")).into_iter().collect()
    }

    /// How often a command has been run since the start.
    fn calls(&self, command: &str) -> u64 {
        let stats: String = self.redis.ask(redis::cmd("INFO").arg("commandstats"));
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| line.split(',').next().expect("a number").parse().expect("a number"))
    }

    /// What may grow by somebody's asking: keys, and what was subscribed to, noted in an index or logged.
    fn holdings(&self) -> (BTreeSet<String>, [u64; 4]) {
        (self.keys(), ["ssubscribe", "sadd", "xadd", "spublish"].map(|command| self.calls(command)))
    }

    /// Nothing has grown since. What was there may have gone meanwhile, such as the hint at a timer.
    fn holds_no_more_than(&self, before: &(BTreeSet<String>, [u64; 4])) {
        let (keys, calls) = self.holdings();
        let new: Vec<_> = keys.difference(&before.0).collect();
        assert!(new.is_empty(), "{new:?}");
        assert_eq!(calls, before.1);
    }

    /// Asks for many incidents, and everything about some of them. `expected`: the codes that may come.
    async fn ask_for(&self, client: &Client, id: impl Fn(usize) -> String, expected: &[&str]) {
        let count = std::env::var("STRANGE_IDS").map_or(IDS, |count| count.parse().expect("a number"));
        let ask = |at: usize, (event, payload): (&'static str, &'static str)| {
            let mut payload: Value = serde_json::from_str(payload).expect("JSON");
            payload["sosId"] = id(at).into();
            async move {
                let reply = client.ask(event, payload).await;
                let code = reply["code"].as_str().unwrap_or("ok");
                assert!(expected.contains(&code) || code == "ok" && event == "sos:leave", "{event}: {reply}");
            }
        };
        let inits = (0..count).map(|at| ask(at, EVENTS[0]));
        let rest = (0..IN_FULL).flat_map(|at| EVENTS.map(|event| ask(at, event)));
        // So many wait for one client at most.
        stream::iter(inits.chain(rest)).buffer_unordered(32).for_each(|()| async {}).await;
    }

    async fn holds_nothing(&self) {
        let of = async |series: &str| metric(self.metrics, series).await;
        eventually_asked("the node holds neither scopes nor channels", async || {
            let mut held = of("convoke_scopes").await;
            for state in ["heard", "awaited"] {
                held += of(&format!(r#"convoke_channels{{state="{state}"}}"#)).await;
            }
            held == 0.0
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_rights_leaves_nothing_behind_whatever_it_asks_for() {
    let world = World::start(&[]).await;
    world.hub.create_sos("lasting", "c1").await;
    world.hub.create_sos("over", "c1").await;
    world.hub.internal(Method::POST, "/sos/over/close", Some(json!({"closedBy": "x"}))).await;
    let strangers = [world.client("citizen").await, world.client("rescuer").await];
    let dispatcher = world.client("dispatcher").await;
    let before = world.holdings();
    for stranger in &strangers {
        world.ask_for(stranger, |at| format!("unknown-{at}"), &["FORBIDDEN"]).await;
    }
    // Without an SOS service nobody can say what there is.
    world.ask_for(&dispatcher, |at| format!("unknown-{at}"), &["UNAVAILABLE", "SOS_NOT_FOUND", "FORBIDDEN"]).await;
    world.holds_no_more_than(&before);
    // The trail of one that stands names refusals, but there is nothing new beside.
    for stranger in &strangers {
        for sos in ["lasting", "over"] {
            world.ask_for(stranger, |_| sos.to_owned(), &["FORBIDDEN"]).await;
        }
    }
    let named = world.calls("xadd");
    world.holds_no_more_than(&(before.0, [before.1[0], before.1[1], named, before.1[3]]));
    world.holds_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispatcher_that_opens_incidents_that_do_not_exist_leaves_nothing_behind() {
    let service = SosMs::start().await;
    let world = World::start(&[("SOS_MS_URL", &service.url())]).await;
    let dispatcher = world.client("dispatcher").await;
    let before = world.holdings();
    world.ask_for(&dispatcher, |at| format!("unknown-{at}"), &["SOS_NOT_FOUND", "FORBIDDEN"]).await;
    service.set(Mood::Down);
    world.ask_for(&dispatcher, |at| format!("away-{at}"), &["UNAVAILABLE", "SOS_NOT_FOUND", "FORBIDDEN"]).await;
    world.holds_no_more_than(&before);
    world.holds_nothing().await;
}

#[tokio::test]
async fn who_was_removed_is_not_held_again_by_a_token_or_a_return() {
    let world = World::start(&[]).await;
    world.hub.create_sos("removed", "c1").await;
    let token = world.hub.token("rescuer", "r1", &["removed"]);
    let client = Client::builder(&world.hub.url()).query("recovery=1").auth(json!({"token": token})).connect().await;
    client.wait_count("sos:state", 1).await;
    let pid = client.connect_reply()["pid"].as_str().expect("a pid").to_owned();
    client.close().await;
    world.hub.internal(Method::DELETE, "/sos/removed/members/r1", None).await;
    world.holds_nothing().await;
    let before = world.calls("ssubscribe");
    for auth in [json!({"token": token}), json!({"token": token, "pid": pid, "offset": ""})] {
        let client = Client::builder(&world.hub.url()).query("recovery=1").auth(auth).connect().await;
        eventually("it is told", || client.received("error").iter().any(|error| error["code"] == "FORBIDDEN")).await;
        client.close().await;
    }
    assert_eq!(world.calls("ssubscribe"), before);
}

#[tokio::test]
async fn the_internal_api_makes_nothing_but_by_init() {
    let world = World::start(&[]).await;
    let before = world.holdings();
    for at in 0..20 {
        let of = |rest: &str| format!("/sos/unknown-{at}{rest}");
        let asked = [
            (Method::POST, of("/close"), Some(json!({"closedBy": "x"})), 404),
            (Method::POST, of("/status"), Some(json!({"status": "assigned", "updatedBy": "x"})), 404),
            (Method::POST, of("/messages"), Some(json!({"text": "x", "clientMessageId": "m"})), 404),
            (Method::POST, of("/members"), Some(json!({"userId": "u", "role": "rescuer"})), 404),
            (Method::DELETE, of("/members/u"), None, 404),
            (Method::GET, of("/state"), None, 404),
            (Method::GET, of("/track"), None, 404),
            (Method::GET, of("/events"), None, 404),
            (Method::GET, format!("/users/unknown-{at}/presence"), None, 200),
        ];
        for (method, path, body, status) in asked {
            assert_eq!(world.hub.internal(method, &path, body).await.0, status, "{path}");
        }
    }
    world.holds_no_more_than(&before);
    world.holds_nothing().await;
}
