//! Redis answers, but refuses what the hub needs: whoever runs it is told what, in Redis' own words.

use std::process::Output;

use redis::cmd;
use serde_json::{Value, json};

use super::support::client::Client;
use super::support::hub::Hub;
use super::support::metrics::metric;
use super::support::ports::free_port;
use super::support::redis::Server;

/// `/readyz` as soon as it fits; its status too.
async fn readyz(hub: &Hub, fact: &str, fits: impl Fn(u16, &Value) -> bool) -> (u16, Value) {
    let start = std::time::Instant::now();
    loop {
        let answer = hub.get("/readyz").await;
        let (status, body) = (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON"));
        if fits(status, &body) {
            return (status, body);
        }
        assert!(start.elapsed() < super::support::DEADLINE, "never: {fact}: {status} {body}; log:\n{}", hub.log());
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

async fn until_refused(hub: &Hub, cause: &str) -> (u16, Value) {
    readyz(hub, cause, |_, body| body["checks"]["redis"]["refuses"] == json!([cause])).await
}

async fn logged(hub: &Hub, words: &[&str]) {
    super::support::eventually(&words.join(" … "), || hub.logged(words) > 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_full_is_told_and_so_is_that_the_node_is_fenced_and_no_longer_is() {
    let (redis, metrics) = (Server::start(&[]), free_port());
    let (url, metrics_port) = (redis.url(), metrics.to_string());
    let hub = Hub::start(&[("REDIS_URL", &url), ("METRICS_PORT", &metrics_port), ("NODE_LEASE_MS", "3000")]).await;
    redis.tell("CONFIG SET maxmemory 1");
    let (_, body) = until_refused(&hub, "OOM").await;
    assert_eq!((&body["degraded"], &body["away"]), (&json!(true), &json!(["redis"])), "{body}");
    assert_eq!(body["checks"]["redis"]["up"], 1, "it answers");
    logged(&hub, &["WARN", "Redis refuses what the hub needs", "OOM command not allowed"]).await;
    let refusals = async || metric(metrics, r#"convoke_redis_refusals_total{cause="OOM"}"#).await;
    super::support::eventually_asked("it is counted", async || refusals().await >= 1.0).await;
    let (_, body) = readyz(&hub, "fenced", |status, body| status == 503 && body["reason"] == "fenced").await;
    assert_eq!(body["checks"]["redis"]["refuses"], json!(["OOM"]));
    logged(&hub, &["WARN", "this node is fenced"]).await;
    redis.tell("CONFIG SET maxmemory 0");
    readyz(&hub, "ready again", |status, body| status == 200 && body["degraded"] == false).await;
    logged(&hub, &["this node is no longer fenced"]).await;
    assert_eq!(hub.logged(&["Redis refuses what the hub needs"]), 1, "once a minute for each cause");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_only_reads_is_told() {
    let redis = Server::start(&[]);
    let hub = Hub::start(&[("REDIS_URL", &redis.url())]).await;
    redis.tell(&format!("REPLICAOF 127.0.0.1 {}", free_port()));
    until_refused(&hub, "READONLY").await;
    logged(&hub, &["WARN", "READONLY You can't write against a read only replica"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_wrong_or_missing_is_told() {
    let redis = Server::start(&["--requirepass", "hush"]);
    for (login, cause, words) in [(":other@", "WRONGPASS", "invalid username-password pair"), ("", "NOAUTH", "NOAUTH")] {
        let url = format!("redis://{login}{}", redis.address());
        let hub = Hub::start_unready(&[("REDIS_URL", &url), ("CLUSTER_SECRET", ""), ("PEER_PORT", "0")]).await;
        let (status, body) = until_refused(&hub, cause).await;
        assert_eq!((status, &body["reason"]), (503, &json!("no Redis master answers")));
        logged(&hub, &["WARN", words]).await;
        assert!(!hub.log().contains("other@") && !hub.log().contains("hush"));
    }
}

/// A user that may do everything but this.
fn with_user(redis: &Server, but: &str) -> String {
    redis.tell(&format!("ACL SETUSER hub on >pw ~* &* +@all {but}"));
    format!("redis://hub:pw@{}", redis.address())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_a_right_is_told_which() {
    let redis = Server::start(&[]);
    for (but, word) in [("-evalsha", "evalsha"), ("-xadd", "user executing the script"), ("resetchannels", "channel")] {
        let url = with_user(&redis, but);
        let hub = Hub::start_unready(&[("REDIS_URL", &url)]).await;
        // Somebody comes, so that more is asked of Redis than leases.
        let connect = async {
            loop {
                let _ = Client::try_connect(&hub.url(), json!({"token": hub.token("citizen", "c1", &["s1"])})).await;
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            () = connect => {}
            _ = until_refused(&hub, "NOPERM") => {}
        }
        logged(&hub, &["WARN", "NOPERM", word]).await;
        redis.tell("ACL DELUSER hub");
    }
}

async fn check(url: &str) -> (bool, String) {
    let url = url.to_owned();
    let run =
        move || -> Output { Hub::command("check", &[("REDIS_URL", &url), ("REDIS_DEADLINE_MS", "5000")]).output().unwrap() };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[tokio::test]
async fn check_tries_what_the_hub_does_and_says_what_is_refused() {
    let redis = Server::start(&[]);
    let (good, report) = check(&redis.url()).await;
    assert!(good && report.contains(&format!("ok    Redis {}, version", redis.address())), "{report}");
    assert_eq!(redis.ask::<usize>(&cmd("DBSIZE")), 0, "it leaves nothing behind");
    let refused = |report: &str, what: &str, word: &str| {
        let fits = |line: &str| line.starts_with("BAD   Redis") && line.contains(what) && line.contains(word);
        assert!(report.lines().any(fits), "{what} {word}: {report}");
        assert!(!report.contains("ok    Redis"), "{report}");
    };
    for (but, what) in [
        ("-set", "writes: NOPERM"),
        ("-eval", "scripts (EVAL): NOPERM"),
        ("-evalsha", "scripts (EVALSHA): NOPERM"),
        ("-xadd", "scripts (EVAL): ERR The user executing the script"),
        ("-spublish", "publishing (SPUBLISH): NOPERM"),
        ("-ssubscribe", "subscribing (SSUBSCRIBE): NOPERM"),
        ("resetchannels", "subscribing (SSUBSCRIBE): NOPERM"),
        ("-wait", "WAIT: NOPERM"),
        ("-info", "INFO: NOPERM"),
    ] {
        let (good, report) = check(&with_user(&redis, but)).await;
        assert!(!good, "{but}");
        refused(&report, what, "");
    }
    let (_, report) = check(&format!("redis://hub:wrong@{}", redis.address())).await;
    refused(&report, "a connection: WRONGPASS", "invalid");
    redis.tell("CONFIG SET maxmemory 1");
    let (_, report) = check(&redis.url()).await;
    refused(&report, "writes: OOM", "maxmemory");
    refused(&report, "scripts (EVAL): OOM", "maxmemory");
    redis.tell("CONFIG SET maxmemory 1000000000");
    redis.tell("CONFIG SET maxmemory-policy allkeys-lru");
    let (good, report) = check(&redis.url()).await;
    assert!(good && report.contains("maxmemory-policy is allkeys-lru"), "{report}");
    redis.tell(&format!("REPLICAOF 127.0.0.1 {}", free_port()));
    let (_, report) = check(&redis.url()).await;
    refused(&report, "writes: READONLY", "read only replica");
}

#[tokio::test]
async fn check_says_why_no_master_is_found() {
    let master = Server::start(&[]);
    let sentinel = Server::start_sentinel("main", &master);
    let (good, report) = check(&format!("redis-sentinel://{}/other", sentinel.address())).await;
    assert!(!good && report.contains("the sentinel knows no master of the name other"), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_deployments_on_two_databases_of_one_redis_do_not_wake_each_other() {
    let redis = Server::start(&[]);
    let mut hubs = Vec::new();
    for database in ["", "/1", "/2"] {
        let hub = Hub::start(&[("REDIS_URL", &format!("{}{database}", redis.url()))]).await;
        hub.create_sos("s1", "c1").await;
        let client = Client::connect(&hub.url(), json!({"token": hub.token("citizen", "c1", &["s1"])})).await;
        client.wait_count("sos:state", 1).await;
        hubs.push((hub, client));
    }
    for (_, client) in &mut hubs {
        client.ask_ok("message:send", json!({"text": "here"})).await;
        client.wait("message:broadcast").await;
    }
    let mut ask = cmd("PUBSUB");
    let channels: Vec<String> = redis.ask(ask.arg("SHARDCHANNELS").arg("*:sos:{s1}"));
    let expected = ["scope:channel:1:sos:{s1}", "scope:channel:2:sos:{s1}", "scope:channel:sos:{s1}"];
    let mut sorted = channels.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    for (_, client) in &hubs {
        assert_eq!(client.received("message:broadcast").len(), 1, "its own alone");
    }
}
