//! A rolling restart under traffic: every node in turn is told to stop, drains, and is started again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use convoke::features::sos::keys as sos_keys;
use redis::cmd;
use tokio::time::sleep;

use super::judge::{Truth, judge};
use super::{alone, say};
use crate::support::cluster::Nodes;
use crate::support::eventually_within;
use crate::support::redis::Server;
use crate::support::roamer::{Habits, Roamer, Seen};

const INCIDENTS: usize = 12;
const MEMBERS: usize = 5;
const DRAIN_SECONDS: &str = "6";
/// Of all clients at most so many may be without a connection at the same moment. A node has about a third of them; closed one
/// by one over six seconds, each comes back long before the next few are closed.
const SHARE: usize = INCIDENTS * MEMBERS / 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_loses_no_event_and_only_a_share_of_the_clients_reconnects_at_once() {
    let _alone = alone().await;
    let redis = Server::start(&[]);
    let url = redis.url();
    let env = [("DRAIN_DELAY_SECONDS", "1"), ("DRAIN_SECONDS", DRAIN_SECONDS), ("EVENTS_PER_SECOND", "1000")];
    let nodes = Nodes::start(3, &|_| url.clone(), &env).await;
    let mut roamers = Vec::new();
    for incident in 0..INCIDENTS {
        let sos = format!("roll-{incident}");
        nodes.create_sos(&sos, &format!("u{incident}.0")).await;
        for member in 0..MEMBERS {
            let user = format!("u{incident}.{member}");
            let habits = Habits {
                address: nodes.address(),
                token: nodes.token(if member == 0 { "citizen" } else { "rescuer" }, &user, &[&sos]),
                user,
                sos: sos.clone(),
                every: Duration::from_millis(500),
                polling_percent: 50,
                seed: (incident * MEMBERS + member) as u64,
            };
            roamers.push(Roamer::start(habits));
        }
    }
    eventually_within(60, "all have joined", || roamers.iter().all(Roamer::has_joined)).await;
    roamers.iter().for_each(|roamer| roamer.speak(true));
    let roamers = Arc::new(roamers);
    let most_away = Arc::new(AtomicUsize::new(0));
    let watcher = tokio::spawn({
        let (roamers, most_away) = (roamers.clone(), most_away.clone());
        async move {
            loop {
                let away = roamers.iter().filter(|roamer| !roamer.is_connected()).count();
                most_away.fetch_max(away, Relaxed);
                sleep(Duration::from_millis(10)).await;
            }
        }
    });

    let started = Instant::now();
    for node in &nodes.nodes {
        let begun = Instant::now();
        assert!(node.terminate().await, "{node:?} did not drain well");
        say!("{node:?} has drained in {:?}; at most {} of {} were away", begun.elapsed(), most_away.load(Relaxed), roamers.len());
        node.start().await;
    }
    watcher.abort();
    roamers.iter().for_each(|roamer| roamer.speak(false));
    eventually_within(60, "all that was said is acknowledged", || {
        roamers.iter().all(|roamer| roamer.is_settled() && roamer.is_connected())
    })
    .await;
    let truth = truth(&redis);
    let complete = || roamers.iter().all(|roamer| roamer.received() >= truth[&roamer.record().sos].len());
    eventually_within(60, "everybody has everything", complete).await;
    let records: Vec<_> = roamers.iter().map(Roamer::record).collect();
    let verdict = judge(&truth, &records, None);
    say!("three restarts in {:?}: {verdict}", started.elapsed());
    assert!(verdict.faults.is_empty(), "{verdict}");
    assert!(verdict.reconnects as usize >= roamers.len(), "every client had to move at least once: {verdict}");
    assert!(most_away.load(Relaxed) <= SHARE, "{} of {} were away at once", most_away.load(Relaxed), roamers.len());
}

/// The messages that stand in Redis.
fn truth(redis: &Server) -> Truth {
    let read = |incident| {
        let sos = format!("roll-{incident}");
        let key = sos_keys::messages(&sos);
        let entries: Vec<(String, BTreeMap<String, String>)> = redis.ask(cmd("XRANGE").arg(key).arg("-").arg("+"));
        let message = |(id, mut fields): (String, BTreeMap<String, String>)| {
            let mut field = |name| fields.remove(name).unwrap_or_default();
            Seen { message_id: id, client_message_id: Some(field("c")), user_id: field("u"), text: field("t") }
        };
        (sos, entries.into_iter().map(message).collect())
    };
    (0..INCIDENTS).map(read).collect()
}
