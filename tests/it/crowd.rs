//! Many incidents at once on two nodes, and what each member must and must not receive.

use std::time::Duration;

use super::support::hub::{Hub, SECRET};
use super::support::load::{Plan, run};
use super::support::redis::{Server, cluster};

async fn crowd(redis: &str, prefix: &str) {
    let node =
        |name: &'static str| async move { Hub::start(&[("REDIS_URL", redis), ("NODE_ID", name), ("LOG_LEVEL", "info")]).await };
    let (a, b) = tokio::join!(node("a"), node("b"));
    let plan = Plan {
        nodes: vec![a.address.to_string(), b.address.to_string()],
        secret: SECRET.into(),
        incidents: 60,
        rescuers: 4,
        rate: 5.0,
        time: Duration::from_secs(6),
        prefix: prefix.into(),
    };
    let report = run(plan).await.expect("everybody connects and stays");
    assert!(report.is_clean(), "{report:?}");
    // Up to thirty updates each, of which one a second is broadcast to five; fewer on a busy machine.
    assert!(report.sent >= 60 * 5 && report.received >= 60 * 5 * 2, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rescuer_gets_at_most_one_position_a_second_and_always_the_last() {
    let redis = Server::start(&[]);
    crowd(&redis.url(), "crowd-").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_on_a_redis_cluster() {
    crowd(&cluster().url(), "crowd-").await;
}
