//! What the multi-node tests stand on: a balancer that really alternates, and clients that really run.

use crate::support::haproxy::HaProxy;
use crate::support::node::Script;
use crate::support::stub_http::{Answer, StubHttp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_balancer_sends_each_request_of_one_connection_to_the_next_node() {
    let nodes = [StubHttp::start(Answer::Body(200, "a".into())).await, StubHttp::start(Answer::Body(200, "b".into())).await];
    let proxy = HaProxy::start(&nodes.each_ref().map(|node| node.address.port()));
    let http = reqwest::Client::new();
    let mut answers = Vec::new();
    for _ in 0..6 {
        let url = format!("http://127.0.0.1:{}/socket.io/", proxy.port);
        answers.push(http.get(url).send().await.unwrap().text().await.unwrap());
    }
    assert!(answers.windows(2).all(|pair| pair[0] != pair[1]), "{answers:?}");
}

#[tokio::test]
async fn the_official_clients_are_installed() {
    let mut node = Script::node("versions.mjs", &[]);
    assert!(node.expect("socket.io-client ").await.starts_with("4."));
    node.expect("socket.io-msgpack-parser").await;
    assert!(node.finish().await.success());

    let mut python = Script::python("versions.py", &[]);
    assert!(python.expect("python-socketio ").await.starts_with("5."));
    python.order("bye");
    assert_eq!(python.expect("told ").await, "bye");
    assert!(python.finish().await.success());
}
