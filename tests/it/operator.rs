//! The operator's view: the protocol of Socket.IO's admin UI, for all nodes of a cluster.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Client, Refusal};
use crate::support::haproxy::HaProxy;
use crate::support::hub::Hub;
use crate::support::incident::{member, say};
use crate::support::metrics::metric;
use crate::support::node::Script;
use crate::support::ports::free_port;
use crate::support::redis::Server;
use crate::support::{eventually, eventually_asked, within};

pub const NAME: &str = "ops";
pub const PASSWORD: &str = "a password for operators";
const CREDENTIALS: [(&str, &str); 2] = [("ADMIN_USERNAME", NAME), ("ADMIN_PASSWORD", PASSWORD)];
pub const DEVELOPMENT: (&str, &str) = ("ADMIN_MODE", "development");

/// Nodes `node-0`, `node-1`, … of one cluster.
pub struct Cluster {
    pub hubs: Vec<Hub>,
    metrics: Vec<u16>,
    _redis: Server,
}

impl Cluster {
    pub async fn start(count: usize, env: &[(&str, &str)]) -> Self {
        let redis = Server::start(&[]);
        let metrics: Vec<u16> = (0..count).map(|_| free_port()).collect();
        let mut hubs = Vec::new();
        for (at, port) in metrics.iter().enumerate() {
            let (url, name, port) = (redis.url(), format!("node-{at}"), port.to_string());
            let own = [("REDIS_URL", &*url), ("NODE_ID", &*name), ("METRICS_PORT", &*port), ("NODE_LEASE_MS", "3000")];
            hubs.push(Hub::start(&[&own, &CREDENTIALS[..], env].concat()).await);
        }
        Self { hubs, metrics, _redis: redis }
    }

    /// The sum of a metric over all nodes.
    async fn sum(&self, name: &str) -> f64 {
        let mut sum = 0.0;
        for port in &self.metrics {
            sum += metric(*port, name).await;
        }
        sum
    }
}

async fn try_operator(hub: &Hub, auth: Value) -> Result<Client, Refusal> {
    Client::builder(&hub.url()).namespace("/admin").auth(auth).try_connect().await
}

async fn operator(hub: &Hub) -> Client {
    try_operator(hub, json!({"username": NAME, "password": PASSWORD})).await.expect("the right password")
}

/// Every argument of an event that the operator was sent.
fn told(operator: &Client, event: &str) -> Vec<Vec<Value>> {
    operator.events().into_iter().filter(|received| received.name == event).map(|received| received.args).collect()
}

/// Waits until the operator was told something.
async fn is_told(operator: &Client, event: &str, fits: impl Fn(&[Value]) -> bool) -> Vec<Value> {
    eventually(&format!("{event} is told"), || told(operator, event).iter().any(|args| fits(args))).await;
    told(operator, event).into_iter().find(|args| fits(args)).expect("it was told")
}

/// The sockets that the operator was told of, and that are not gone.
fn shown(operator: &Client) -> Vec<Value> {
    let mut sockets: Vec<Value> = Vec::new();
    for received in operator.events() {
        match &*received.name {
            "all_sockets" => sockets = received.args[0].as_array().expect("a list").clone(),
            "socket_connected" => sockets.push(received.args[0].clone()),
            "socket_disconnected" => sockets.retain(|socket| socket["id"] != received.args[1]),
            _ => {}
        }
    }
    sockets
}

async fn is_shown(operator: &Client, sid: &str) -> Value {
    let find = || shown(operator).into_iter().find(|socket| socket["id"] == sid);
    eventually(&format!("{sid} is shown"), || find().is_some()).await;
    find().expect("it is shown")
}

fn is_refused(result: Result<Client, Refusal>, message: &str) {
    match result {
        Err(Refusal::ConnectError(error)) => assert!(error["message"].as_str().unwrap().contains(message), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_operator_sees_sockets_rooms_and_events_of_all_nodes_as_they_come_and_go() {
    let cluster = Cluster::start(3, &[DEVELOPMENT]).await;
    cluster.hubs[0].create_sos("s1", "c1").await;
    let mut members = Vec::new();
    for (at, hub) in cluster.hubs.iter().enumerate() {
        members.push(member(hub, "rescuer", &format!("r{at}"), "s1").await);
    }
    let mut operator = operator(&cluster.hubs[1]).await;
    assert!(operator.wait("session").await.as_str().is_some_and(|session| session.len() > 20));
    let config = operator.wait("config").await;
    assert_eq!(config, json!({"supportedFeatures": ["AGGREGATED_EVENTS", "ALL_EVENTS"]}));
    for (at, member) in members.iter().enumerate() {
        let socket = is_shown(&operator, &member.sid()).await;
        assert_eq!(socket["nsp"], "/");
        assert_eq!(socket["transport"], "websocket");
        assert_eq!(socket["rooms"], json!([member.sid(), "sos:s1"]));
        assert_eq!(socket["data"], json!({"node": format!("node-{at}"), "user": format!("r{at}"), "role": "rescuer"}));
        assert_eq!(socket["handshake"]["address"], "127.0.0.1");
    }
    for node in ["node-0", "node-1", "node-2"] {
        let stats = is_told(&operator, "server_stats", |args| args[0]["serverId"] == node).await;
        let sockets = json!({"name": "/", "socketsCount": 1});
        assert!(stats[0]["namespaces"].as_array().unwrap().contains(&sockets), "{stats:?}");
        assert!(stats[0]["pid"].as_u64().unwrap() > 0 && stats[0]["clientsCount"].as_u64().unwrap() > 0, "{stats:?}");
    }
    let passed =
        |stats: &Value, kind: &str| stats["aggregatedEvents"].as_array().unwrap().iter().any(|event| event["type"] == kind);
    is_told(&operator, "server_stats", |args| args[0]["serverId"] == "node-1" && passed(&args[0], "bytesOut")).await;

    // What happens at another node is told as it happens.
    let late = member(&cluster.hubs[2], "dispatcher", "d1", "s1").await;
    is_shown(&operator, &late.sid()).await;
    is_told(&operator, "room_joined", |args| args[0] == "/" && args[1] == "sos:s1" && args[2] == late.sid().as_str()).await;
    say(&late, "hello").await;
    let received = is_told(&operator, "event_received", |args| args[2][0] == "message:send").await;
    assert_eq!((&received[0], &received[1]), (&json!("/"), &json!(late.sid())));
    assert!(received[2][1]["bytes"].as_u64().unwrap() > 10, "{received:?}");
    for member in &members {
        is_told(&operator, "event_sent", |args| args[1] == member.sid().as_str() && args[2][0] == "message:broadcast").await;
    }
    let sid = late.sid();
    late.leave().await;
    let gone = is_told(&operator, "socket_disconnected", |args| args[1] == sid.as_str()).await;
    assert_eq!(gone[2], "client namespace disconnect");
    is_told(&operator, "room_left", |args| args[1] == "sos:s1" && args[2] == sid.as_str()).await;
}

#[tokio::test]
async fn a_killed_node_vanishes_from_the_view_and_its_sockets_with_it() {
    let cluster = Cluster::start(3, &[DEVELOPMENT]).await;
    cluster.hubs[0].create_sos("s1", "c1").await;
    let lost = member(&cluster.hubs[2], "rescuer", "r2", "s1").await;
    let stays = member(&cluster.hubs[1], "rescuer", "r1", "s1").await;
    let operator = operator(&cluster.hubs[0]).await;
    is_shown(&operator, &lost.sid()).await;
    is_shown(&operator, &stays.sid()).await;
    cluster.hubs[2].kill();
    let gone = is_told(&operator, "socket_disconnected", |args| args[1] == lost.sid().as_str()).await;
    assert_eq!(gone[2], "node gone");
    is_told(&operator, "room_left", |args| args[1] == "sos:s1" && args[2] == lost.sid().as_str()).await;
    assert!(shown(&operator).iter().any(|socket| socket["id"] == stays.sid()), "the others stay");
    let told = told(&operator, "server_stats").len();
    eventually("the others are still told of", || operator.received("server_stats").len() > told + 2).await;
    assert!(operator.received("server_stats")[told + 1..].iter().all(|stats| stats["serverId"] != "node-2"));
}

#[tokio::test]
async fn the_view_opens_to_its_name_and_password_and_to_a_session_on_every_node() {
    let cluster = Cluster::start(2, &[]).await;
    let [one, other] = &cluster.hubs[..] else { unreachable!() };
    for wrong in [
        json!({}),
        json!({"username": NAME, "password": "a password for operator"}),
        json!({"username": "root", "password": PASSWORD}),
        json!({"username": [NAME], "password": {}}),
        json!({"sessionId": "9999999999.x.y"}),
        json!({"token": one.token("admin", "a", &[])}),
    ] {
        is_refused(try_operator(one, wrong).await, "invalid credentials");
    }
    let mut first = operator(one).await;
    let session = first.wait("session").await;
    let mut again = try_operator(other, json!({"sessionId": session, "username": null})).await.expect("a session");
    again.wait("config").await;
    assert_eq!(again.received("session"), [] as [Value; 0], "it has one already");
    for _ in 0..40 {
        let refused = try_operator(one, json!({"username": NAME, "password": "a wrong password here"})).await;
        assert!(matches!(refused, Err(Refusal::ConnectError(_))), "{refused:?}");
    }
    is_refused(try_operator(one, json!({"username": NAME, "password": PASSWORD})).await, "too many failed logins");
    try_operator(one, json!({"sessionId": session})).await.expect("a session passes");
    assert!(!one.log().contains(PASSWORD) && !one.log().contains(session.as_str().unwrap()), "{}", one.log());
}

#[tokio::test]
async fn without_credentials_there_is_no_such_namespace_and_the_other_nodes_show_themselves() {
    let cluster = Cluster::start(1, &[DEVELOPMENT]).await;
    let redis = cluster._redis.url();
    let off = Hub::start(&[("REDIS_URL", &redis), ("NODE_ID", "off")]).await;
    is_refused(try_operator(&off, json!({"username": NAME, "password": PASSWORD})).await, "Invalid namespace");
    let mut operator = operator(&cluster.hubs[0]).await;
    operator.wait("all_sockets").await;
    let stats = operator.wait_count("server_stats", 2).await;
    assert!(stats.iter().all(|stats| stats["serverId"] == "node-0"), "{stats:?}");
}

#[tokio::test]
async fn in_production_only_figures_are_told() {
    let cluster = Cluster::start(2, &[]).await;
    let mut operator = operator(&cluster.hubs[0]).await;
    assert_eq!(operator.wait("config").await, json!({"supportedFeatures": ["AGGREGATED_EVENTS"]}));
    cluster.hubs[1].create_sos("s1", "c1").await;
    let member = member(&cluster.hubs[1], "rescuer", "r1", "s1").await;
    say(&member, "hello").await;
    for node in ["node-0", "node-1"] {
        is_told(&operator, "server_stats", |args| args[0]["serverId"] == node).await;
    }
    let has_socket = |stats: &Value| stats["namespaces"][0] == json!({"name": "/", "socketsCount": 1});
    is_told(&operator, "server_stats", |args| args[0]["serverId"] == "node-1" && has_socket(&args[0])).await;
    let names: Vec<_> = operator.events().into_iter().map(|event| event.name).collect();
    assert!(names.iter().all(|name| ["session", "config", "server_stats"].contains(&&**name)), "{names:?}");
}

#[tokio::test]
async fn nothing_secret_is_shown() {
    for payloads in ["false", "true"] {
        let cluster = Cluster::start(2, &[DEVELOPMENT, ("ADMIN_PAYLOADS", payloads)]).await;
        let (hub, other) = (&cluster.hubs[0], &cluster.hubs[1]);
        hub.create_sos("s1", "c1").await;
        let operator = operator(hub).await;
        let token = hub.token("rescuer", "r1", &["s1"]);
        let client = Client::builder(&other.url())
            .auth(json!({"token": token}))
            .query("token=query-secret&session=query-secret")
            .header("authorization", "Bearer header-secret")
            .header("cookie", "a=cookie-secret")
            .header("user-agent", "Mozilla/5.0")
            .connect()
            .await;
        client.wait_count("sos:state", 1).await;
        // From now on its node is looked at.
        let socket = is_shown(&operator, &client.sid()).await;
        client.ask("auth:refresh", json!({"token": hub.token("rescuer", "r1", &["s1"])})).await;
        say(&client, "a visible sentence").await;
        assert_eq!(socket["handshake"]["headers"], json!({"user-agent": "Mozilla/5.0"}));
        assert_eq!(socket["handshake"]["query"]["token"], "[hidden]");
        assert_eq!(socket["handshake"]["query"]["transport"], "websocket");
        is_told(&operator, "event_received", |args| args[2][0] == "auth:refresh").await;
        is_told(&operator, "event_sent", |args| args[2][0] == "message:broadcast").await;
        let all: Vec<Vec<Value>> = operator.events().into_iter().map(|event| event.args).collect();
        let all = json!(all[1..]).to_string();
        let (pid, sid) = (client.connect_reply()["pid"].clone(), client.handshake().await["sid"].clone());
        let secrets = ["secret", "eyJ", "Bearer", PASSWORD, pid.as_str().unwrap(), sid.as_str().unwrap()];
        for secret in secrets {
            assert!(!all.contains(secret), "{secret} is in {all}");
        }
        assert_eq!(all.contains("a visible sentence"), payloads == "true");
    }
}

#[tokio::test]
async fn an_operator_may_end_a_socket_of_any_node_only_where_that_is_set() {
    for readonly in ["true", "false"] {
        let cluster = Cluster::start(2, &[DEVELOPMENT, ("ADMIN_READONLY", readonly)]).await;
        cluster.hubs[1].create_sos("s1", "c1").await;
        let mut operator = operator(&cluster.hubs[0]).await;
        let config = operator.wait("config").await;
        let offered = config["supportedFeatures"].as_array().unwrap().contains(&"DISCONNECT".into());
        assert_eq!(offered, readonly == "false");
        let member = member(&cluster.hubs[1], "rescuer", "r1", "s1").await;
        is_shown(&operator, &member.sid()).await;
        let end = [json!("/"), json!(false), json!(member.sid())];
        if readonly == "true" {
            assert_eq!(operator.ask_args("_disconnect", &end).await[0]["code"], "FORBIDDEN");
            say(&member, "still here").await;
        } else {
            for (args, code) in [
                (json!(["/", false]), "INVALID_PAYLOAD"),
                (json!(["/", false, "sos:s1"]), "NOT_FOUND"),
                (json!(["/interview", false, member.sid()]), "NOT_FOUND"),
            ] {
                let answer = operator.ask_args("_disconnect", args.as_array().unwrap()).await;
                assert_eq!(answer[0]["code"], code, "{args}");
            }
            say(&member, "still here").await;
            assert_eq!(operator.ask_args("_disconnect", &end).await, [json!({"ok": true})]);
            member.disconnected().await;
            let gone = is_told(&operator, "socket_disconnected", |args| args[1] == member.sid().as_str()).await;
            assert_eq!(gone[2], "server namespace disconnect");
            cluster.hubs[0].logs("an operator has ended a socket").await;
        }
        for command in ["join", "leave", "emit"] {
            assert_eq!(operator.ask(command, json!({})).await["code"], "UNKNOWN_EVENT", "{command} is not offered");
        }
    }
}

#[tokio::test]
async fn while_no_operator_is_there_no_node_notes_anything() {
    let cluster = Cluster::start(2, &[DEVELOPMENT]).await;
    cluster.hubs[1].create_sos("s1", "c1").await;
    let member = member(&cluster.hubs[1], "rescuer", "r1", "s1").await;
    say(&member, "unseen").await;
    assert_eq!((cluster.sum("convoke_admin_noted_total").await, cluster.sum("convoke_admin_watched").await), (0.0, 0.0));
    let operator = operator(&cluster.hubs[0]).await;
    is_shown(&operator, &member.sid()).await;
    eventually_asked("both nodes are looked at", || async { cluster.sum("convoke_admin_watched").await == 2.0 }).await;
    operator.close().await;
    eventually_asked("nobody is looked at", || async { cluster.sum("convoke_admin_watched").await == 0.0 }).await;
    let noted = cluster.sum("convoke_admin_noted_total").await;
    assert!(noted > 0.0);
    say(&member, "unseen again").await;
    assert_eq!(cluster.sum("convoke_admin_noted_total").await, noted);
}

#[tokio::test]
async fn beyond_the_events_of_a_second_their_number_is_told() {
    let cluster = Cluster::start(1, &[DEVELOPMENT, ("ADMIN_EVENTS_PER_SECOND", "5"), ("EVENTS_BURST", "300")]).await;
    cluster.hubs[0].create_sos("s1", "c1").await;
    let member = member(&cluster.hubs[0], "rescuer", "r1", "s1").await;
    let operator = operator(&cluster.hubs[0]).await;
    is_shown(&operator, &member.sid()).await;
    for _ in 0..100 {
        member.emit("heartbeat", json!({}));
    }
    member.settle().await;
    let told_of = is_told(&operator, "event_sent", |args| args[2][0] == "(not shown)").await;
    assert!(told_of[2][1]["shownPerSecond"] == 5 && told_of[2][1]["node"] == "node-0", "{told_of:?}");
    let not_shown = || {
        let notes = told(&operator, "event_sent").into_iter().filter(|args| args[2][0] == "(not shown)");
        notes.map(|args| args[2][1]["events"].as_u64().unwrap()).sum::<u64>()
    };
    eventually("all of them are counted", || not_shown() > 50).await;
    assert!(told(&operator, "event_received").len() < 60);
}

#[tokio::test]
async fn many_sockets_come_in_pieces_and_only_so_many_are_held() {
    for most in [1_000, 200] {
        let cluster = Cluster::start(2, &[DEVELOPMENT, ("ADMIN_SOCKETS", &most.to_string())]).await;
        let mut clients = Vec::new();
        for at in 0..150 {
            for hub in &cluster.hubs {
                let auth = json!({"token": hub.token("rescuer", &format!("r{at}"), &[])});
                clients.push(Client::connect(&hub.url(), auth).await);
            }
        }
        let mut operator = operator(&cluster.hubs[0]).await;
        let expected = if most == 200 { 200 } else { clients.len() + 1 };
        eventually("all sockets are shown", || shown(&operator).len() == expected).await;
        let first = operator.wait("all_sockets").await;
        assert!((1..=128).contains(&first.as_array().unwrap().len()), "{}", first.as_array().unwrap().len());
        assert_eq!(operator.received("all_sockets").len(), 1);
        let mut ids: Vec<String> = shown(&operator).iter().map(|socket| socket["id"].to_string()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), expected, "each once");
    }
}

#[tokio::test]
async fn when_a_large_node_dies_an_operator_gets_a_new_list() {
    let cluster = Cluster::start(2, &[DEVELOPMENT, ("HANDSHAKES_PER_SECOND_PER_ADDRESS", "2000")]).await;
    let operator = operator(&cluster.hubs[0]).await;
    let mut clients = Vec::new();
    for at in 0..520 {
        let auth = json!({"token": cluster.hubs[1].token("rescuer", &format!("r{at}"), &[])});
        clients.push(Client::connect(&cluster.hubs[1].url(), auth).await);
    }
    eventually("all sockets are shown", || shown(&operator).len() == clients.len() + 1).await;
    cluster.hubs[1].kill();
    eventually("none of them is shown", || shown(&operator).len() == 1).await;
    assert_eq!(told(&operator, "all_sockets").len(), 2);
    assert_eq!(told(&operator, "socket_disconnected").len(), 0);
}

#[tokio::test]
async fn only_so_many_operators_look_at_the_same_time() {
    let cluster = Cluster::start(1, &[("ADMIN_CONNECTIONS", "2")]).await;
    let hub = &cluster.hubs[0];
    let (first, _second) = (operator(hub).await, operator(hub).await);
    let credentials = json!({"username": NAME, "password": PASSWORD});
    is_refused(try_operator(hub, credentials.clone()).await, "too many operators");
    first.leave().await;
    eventually_asked("a place is free", || async { try_operator(hub, credentials.clone()).await.is_ok() }).await;
}

/// An operator over long-polling that reads only when it is told to.
struct Sleeper {
    http: reqwest::Client,
    url: String,
}

impl Sleeper {
    async fn connect(hub: &Hub) -> Self {
        let http = reqwest::Client::new();
        let url = format!("{}/socket.io/?EIO=4&transport=polling", hub.url());
        let open = http.get(&url).send().await.unwrap().text().await.unwrap();
        let open: Value = serde_json::from_str(&open[1..]).unwrap();
        let sleeper = Self { http, url: format!("{url}&sid={}", open["sid"].as_str().unwrap()) };
        sleeper.send(format!("40/admin,{}", json!({"username": NAME, "password": PASSWORD}))).await;
        sleeper
    }

    async fn send(&self, packet: String) {
        let answer = self.http.post(&self.url).body(packet).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// Reads until a packet of this event has come; says how many have.
    async fn read_until(&self, event: &str) -> usize {
        let start = format!("42/admin,[\"{event}\"");
        for packets in 1.. {
            let answer = self.http.get(&self.url).send().await.unwrap();
            assert_eq!(answer.status(), 200, "the session goes on");
            let body = answer.text().await.unwrap();
            if body.split('\u{1e}').any(|packet| packet == "2") {
                self.send("3".into()).await;
            }
            if body.split('\u{1e}').any(|packet| packet.starts_with(&start)) {
                return packets;
            }
        }
        unreachable!()
    }
}

#[tokio::test]
async fn an_operator_that_does_not_read_is_not_closed_and_gets_a_new_list() {
    let busy = [("ADMIN_PAYLOADS", "true"), ("ADMIN_EVENTS_PER_SECOND", "10000"), ("EVENTS_BURST", "2000")];
    let cluster = Cluster::start(1, &[&[DEVELOPMENT], &busy[..]].concat()).await;
    let hub = &cluster.hubs[0];
    hub.create_sos("s1", "c1").await;
    let member = member(hub, "rescuer", "r1", "s1").await;
    let sleeper = Sleeper::connect(hub).await;
    within(sleeper.read_until("all_sockets")).await;
    let awake = operator(hub).await;
    is_shown(&awake, &member.sid()).await;
    for _ in 0..300 {
        say(&member, &"x".repeat(3_900)).await;
    }
    eventually("all of it was told", || told(&awake, "event_received").len() >= 300).await;
    let read = within(sleeper.read_until("all_sockets")).await;
    assert!(read > 1, "what was told before is read first");
}

/// A client as it is by default: long-polling first, then an upgrade, each request to the next node.
const ROAMER: &str = r#"
import { io } from "socket.io-client";
const socket = io(url, { auth: { token }, reconnection: false });
socket.io.engine.on("upgrade", () => console.log("upgraded"));
socket.on("connect", () => console.log("connected", socket.id));
socket.on("disconnect", (reason) => console.log("gone", reason));
"#;

#[tokio::test]
async fn a_client_whose_session_moves_to_another_node_is_shown_as_one() {
    let cluster = Cluster::start(2, &[DEVELOPMENT]).await;
    cluster.hubs[0].create_sos("s1", "c1").await;
    let ports: Vec<u16> = cluster.hubs.iter().map(|hub| hub.address.port()).collect();
    let balancer = HaProxy::start(&ports);
    let operator = operator(&cluster.hubs[0]).await;
    let moves = async || cluster.sum(r#"convoke_session_moves_total{outcome="taken over"}"#).await;
    let mut scripts: Vec<(String, Script)> = Vec::new();
    // Whether one moves is chance: as many come as it takes.
    while scripts.len() < 6 || scripts.len() < 40 && moves().await == 0.0 {
        let at = scripts.len();
        let url = json!(format!("http://127.0.0.1:{}", balancer.port));
        let token = json!(cluster.hubs[0].token("rescuer", &format!("r{at}"), &["s1"]));
        let mut script = Script::node_code(&format!("const url = {url}, token = {token};\n{ROAMER}"));
        let sid = script.expect("connected").await;
        is_shown(&operator, &sid).await;
        let is_updated = |args: &[Value]| args[0]["id"] == sid.as_str() && args[0]["transport"] == "websocket";
        let connected_so =
            || shown(&operator).iter().any(|socket| socket["id"] == sid.as_str() && socket["transport"] == "websocket");
        eventually("its upgrade is told", || {
            connected_so() || told(&operator, "socket_updated").iter().any(|args| is_updated(args))
        })
        .await;
        scripts.push((sid, script));
    }
    // Longer than a moving socket is waited for.
    tokio::time::sleep(Duration::from_secs(6)).await;
    for (sid, _) in &scripts {
        assert_eq!(told(&operator, "socket_disconnected").iter().filter(|args| args[1] == sid.as_str()).count(), 0);
        assert_eq!(shown(&operator).iter().filter(|socket| socket["id"] == sid.as_str()).count(), 1);
        let joined = told(&operator, "room_joined").iter().filter(|args| args[1] == "sos:s1" && args[2] == sid.as_str()).count();
        assert!(joined <= 1, "joined {joined} times");
    }
    assert!(moves().await > 0.0, "of {} clients none has moved", scripts.len());
}
