//! How a node comes up and goes away.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::{Client, Closed, Refusal};
use crate::support::eventually_asked;
use crate::support::hub::Hub;
use crate::support::ports::free_port;
use crate::support::redis::{Server, single};

async fn clients(hub: &Hub, count: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for index in 0..count {
        let token = hub.token("rescuer", &format!("drain-{index}"), &[]);
        clients.push(Client::connect(&hub.url(), json!({"token": token})).await);
    }
    clients
}

#[tokio::test]
async fn a_node_whose_redis_is_down_starts_and_becomes_ready_later() {
    let redis = Server::start_persistent();
    redis.stop();
    let hub = Hub::start_unready(&[("REDIS_URL", &redis.url())]).await;
    let answer = hub.get("/readyz").await;
    assert_eq!(answer.status(), 503);
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["status"], &body["reason"]), (&json!("unavailable"), &json!("no Redis master answers")));
    assert_eq!(hub.get("/livez").await.status(), 200);
    redis.restart();
    hub.wait_for_status("/readyz", 200).await;
}

#[tokio::test]
async fn told_to_stop_it_is_unready_at_once_and_accepts_for_a_while() {
    let hub = Hub::on_shared_redis(&[("DRAIN_DELAY_SECONDS", "5"), ("DRAIN_SECONDS", "1")]).await;
    let clients = clients(&hub, 4).await;
    hub.signal(libc::SIGTERM);
    let body: Value = serde_json::from_str(&hub.wait_for_status("/readyz", 503).await).unwrap();
    assert_eq!(body["reason"], "draining");
    // The balancer may not have noticed yet.
    let late = Client::builder(&hub.url()).open().await.unwrap();
    assert!(clients.iter().all(|client| !client.is_closed()));
    hub.wait_for_status("/socket.io/?EIO=4&transport=polling", 503).await;
    for client in clients.iter().chain([&late]) {
        assert_eq!(client.closed().await, Closed { code: Some(1001), reason: "going away".into() });
    }
    assert!(hub.exited().await.success());
}

#[tokio::test]
async fn clients_are_sent_away_one_after_the_other() {
    let hub = Hub::on_shared_redis(&[("DRAIN_SECONDS", "2")]).await;
    let clients = clients(&hub, 20).await;
    let start = Instant::now();
    hub.signal(libc::SIGINT);
    let ends = clients.iter().map(async |client| {
        client.closed().await;
        start.elapsed()
    });
    let ends = futures_util::future::join_all(ends).await;
    let (first, last) = (ends.iter().min().expect("one"), ends.iter().max().expect("one"));
    assert!(*last - *first > Duration::from_millis(700), "they left within two seconds: {ends:?}");
    assert!(hub.exited().await.success());
}

#[tokio::test]
async fn without_clients_it_ends_at_once_and_a_second_signal_hurries_it() {
    let hub = Hub::on_shared_redis(&[("DRAIN_SECONDS", "600")]).await;
    hub.signal(libc::SIGTERM);
    assert!(hub.exited().await.success());
    let hub = Hub::on_shared_redis(&[("DRAIN_DELAY_SECONDS", "600")]).await;
    let _clients = clients(&hub, 2).await;
    hub.signal(libc::SIGTERM);
    hub.wait_for_status("/readyz", 503).await;
    hub.signal(libc::SIGTERM);
    assert!(hub.exited().await.success());
}

#[tokio::test]
async fn polling_clients_are_served_to_the_end() {
    let hub = Hub::on_shared_redis(&[("DRAIN_SECONDS", "2")]).await;
    let open = hub.get("/socket.io/?EIO=4&transport=polling").await.text().await.unwrap();
    let sid = serde_json::from_str::<Value>(&open[1..]).unwrap()["sid"].as_str().unwrap().to_owned();
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    hub.signal(libc::SIGTERM);
    hub.wait_for_status("/readyz", 503).await;
    // The poll waits until the session's turn comes, and then learns that it is gone.
    let answer = hub.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.text().await.unwrap(), r#"{"code":1,"message":"Session ID unknown"}"#);
    assert!(hub.exited().await.success());
}

#[tokio::test]
async fn metrics_have_a_port_of_their_own() {
    let port = free_port().to_string();
    let hub = Hub::on_shared_redis(&[("METRICS_PORT", &port)]).await;
    assert_eq!(hub.get("/a/path/of/the/client").await.status(), 404);
    let told = async || reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap().text().await.unwrap();
    for words in [
        "convoke_build_info{",
        r#"convoke_http_requests_total{route="/readyz",method="GET",status="200"}"#,
        r#"route="unknown",method="GET",status="404""#,
    ] {
        eventually_asked(words, async || told().await.contains(words)).await;
    }
    assert!(!told().await.contains("/a/path"));
    assert_eq!(hub.get("/metrics").await.status(), 404);
}

#[tokio::test]
async fn a_port_that_is_taken_stops_the_start_with_a_reason() {
    let first = Hub::on_shared_redis(&[]).await;
    let port = first.address.port().to_string();
    let second = tokio::task::spawn_blocking(move || {
        Hub::command("serve", &[("REDIS_URL", &single().url()), ("PORT", &port)]).output().unwrap()
    });
    let second = second.await.unwrap();
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(said.contains("cannot listen on 127.0.0.1"), "{said}");
}

#[tokio::test]
async fn no_handshake_gets_past_the_limit() {
    let hub = Hub::on_shared_redis(&[("MAX_CONNECTIONS", "1")]).await;
    let _one = Client::builder(&hub.url()).open().await.unwrap();
    let refusal = Client::builder(&hub.url()).open().await.unwrap_err();
    assert!(matches!(refusal, Refusal::Http { status: 503, .. }), "{refusal:?}");
    let answer = hub.get("/socket.io/?EIO=4&transport=polling").await;
    assert!(answer.headers().contains_key("retry-after"));
}
