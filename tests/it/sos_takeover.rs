//! What a node has promised to do later for an incident is done though its members are elsewhere or it is dead. No sweep comes
//! in the time of these tests.

use std::time::{Duration, Instant};

use convoke::redis::{cmd, keys};
use serde_json::{Value, json};

use super::support::client::Client;
use super::support::eventually;
use super::support::hub::Hub;
use super::support::incident::member;
use super::support::redis::Server;
use super::support::returning::come;
use super::support::sos_ms::{Mood, SosMs};

const NO_SWEEP: (&str, &str) = ("SOS_SWEEP_SECONDS", "86400");
/// Whoever judges another node dead has to have watched for a whole lease.
const LEASE: Duration = Duration::from_secs(3);

async fn node(redis: &Server, name: &str, more: &[(&str, &str)]) -> Hub {
    let url = redis.url();
    Hub::start(&[&[("REDIS_URL", &*url), ("NODE_ID", name), NO_SWEEP], more].concat()).await
}

fn lookups(service: &SosMs, sos: &str) -> usize {
    let path = format!("/internal/sos/{sos}");
    service.asked().iter().filter(|asked| asked.path == path).count()
}

#[tokio::test]
async fn a_provisional_incident_is_looked_up_again_wherever_its_members_have_gone() {
    let (redis, service) = (Server::start(&[]), SosMs::start().await);
    let url = service.url();
    let more = [("SOS_MS_URL", &*url), ("SOS_LOOKUP_SECONDS", "1")];
    let (a, b) = tokio::join!(node(&redis, "a", &more), node(&redis, "b", &more));
    for (sos, is_killed) in [("moved", false), ("bereft", true)] {
        service.set(Mood::Down);
        let (client, mut memory) = come(&a, &a.token("citizen", "c1", &[sos])).await;
        let state = client.wait_count("sos:state", 1).await.remove(0);
        assert_eq!(state["provisional"], true);
        if is_killed {
            a.kill();
        }
        memory.cut(client);
        let (client, is_recovered) = memory.try_back(&b).await.expect("a connection");
        assert!(is_recovered);
        // The node where it began has had time to find that nobody is there any more.
        let before = lookups(&service, sos);
        eventually("it is looked up again", || lookups(&service, sos) >= before + 2).await;
        service.knows(sos, json!({"citizenId": "c1", "status": "active", "soNo": "SO-1"}));
        service.set(Mood::Up);
        let is_known = || client.received("sos:state").iter().any(|state| state["soNo"] == "SO-1");
        eventually("its member hears of the record", is_known).await;
        assert!(client.received("sos:close").is_empty());
    }
}

#[tokio::test]
async fn a_provisional_incident_that_the_service_does_not_know_is_ended() {
    let (redis, service) = (Server::start(&[]), SosMs::start().await);
    service.set(Mood::Down);
    let hub = node(&redis, "a", &[("SOS_MS_URL", &service.url()), ("SOS_LOOKUP_SECONDS", "1")]).await;
    let mut citizen = member(&hub, "citizen", "c1", "unknown").await;
    let unanswered = lookups(&service, "unknown");
    service.set(Mood::Up);
    let close = citizen.wait("sos:close").await;
    let facts = (&close["status"], &close["closedBy"], &close["reason"]);
    assert_eq!(facts, (&json!("closed"), &json!("system"), &json!("unknown")));
    let answered = lookups(&service, "unknown") - unanswered;
    assert!(answered >= 2, "one answer is not enough");
    assert_eq!(citizen.ask("message:send", json!({"text": "x"})).await["code"], "SOS_CLOSED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_node_had_promised_is_done_once_it_is_dead() {
    let redis = Server::start(&[]);
    let lease = LEASE.as_millis().to_string();
    let more = [("SOS_ACK_SECONDS", "6"), ("PRESENCE_OFFLINE_SECONDS", "2"), ("NODE_LEASE_MS", &*lease)];
    let (a, b) = tokio::join!(node(&redis, "a", &more), node(&redis, "b", &more));
    let started = Instant::now();
    let dispatcher = Client::connect(&b.url(), json!({"token": b.token("dispatcher", "d1", &[])})).await;
    dispatcher.ask_ok("sos:watch", json!({})).await;
    // Nobody is in these two: no set names them among the dead node's scopes.
    a.create_sos("alarm-overdue", "c1").await;
    tokio::time::sleep(LEASE.saturating_sub(started.elapsed())).await;
    a.create_sos("alarm-due-later", "c1").await;
    for sos in ["left", "pending"] {
        b.create_sos(sos, "c1").await;
    }
    let (left, pending) = (member(&b, "rescuer", "r1", "left").await, member(&b, "rescuer", "r1", "pending").await);
    member(&a, "citizen", "c1", "left").await.close().await;
    let citizen = member(&a, "citizen", "c1", "pending").await;
    for latitude in [1, 2] {
        citizen.ask_ok("location:update", json!({"latitude": latitude, "longitude": 0})).await;
    }
    a.kill();

    let alarms = |sos: &str| dispatcher.received("sos:unacknowledged").iter().filter(|alarm| alarm["sosId"] == sos).count();
    let is_seen_to_go = || {
        let update = left.received("presence:update").pop().unwrap_or_default();
        let members = update["members"].as_array().cloned().unwrap_or_default();
        members.iter().any(|member| member["userId"] == "c1" && member["online"] == Value::Bool(false))
    };
    let has_newest = || pending.received("location:broadcast").iter().any(|fix| fix["latitude"] == 2);
    eventually("the alarm that was due", || alarms("alarm-overdue") == 1).await;
    eventually("the pending position", has_newest).await;
    eventually("who did not come back is seen to go", is_seen_to_go).await;
    eventually("the alarm that was not due yet", || alarms("alarm-due-later") == 1).await;
    assert_eq!(alarms("alarm-overdue"), 1, "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_of_a_killed_node_does_not_wait_until_it_is_known_to_be_dead() {
    let redis = Server::start(&[]);
    let more = [("SOS_ACK_SECONDS", "2"), ("NODE_LEASE_MS", "60000")];
    let (a, b) = tokio::join!(node(&redis, "a", &more), node(&redis, "b", &more));
    let dispatcher = Client::connect(&b.url(), json!({"token": b.token("dispatcher", "d1", &[])})).await;
    dispatcher.ask_ok("sos:watch", json!({})).await;
    for sos in ["one", "two", "three"] {
        a.create_sos(sos, "c1").await;
    }
    a.kill();
    eventually("all alarms", || dispatcher.received("sos:unacknowledged").len() >= 3).await;
    assert!(!b.has_logged("a node is dead"), "a lease is longer than this took");
    assert_eq!(dispatcher.received("sos:unacknowledged").len(), 3);
}

#[tokio::test]
async fn a_hint_that_a_failover_has_taken_back_is_written_again_by_the_sweep() {
    let redis = Server::start(&[]);
    let url = redis.url();
    let hub = Hub::start(&[("REDIS_URL", &*url), ("NODE_ID", "a"), ("SOS_SWEEP_SECONDS", "1")]).await;
    hub.create_sos("forgotten", "c1").await;
    let hints = |verb: &str| -> i64 {
        let keys = (0..keys::TIMER_PARTS).map(keys::timers).collect::<Vec<_>>();
        redis.ask(cmd(verb).arg(keys))
    };
    eventually("it is hinted at", || hints("EXISTS") > 0).await;
    assert!(hints("DEL") > 0);
    eventually("it is hinted at again", || hints("EXISTS") > 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_lost_when_the_last_node_left_is_announced_by_the_next_one() {
    let (redis, service) = (Server::start(&[]), SosMs::start().await);
    let url = service.url();
    let more = [
        ("SOS_MS_URL", &*url),
        ("PRESENCE_OFFLINE_SECONDS", "2"),
        ("DRAIN_DELAY_SECONDS", "0"),
        ("DRAIN_SECONDS", "0"),
        ("RECOVERY_WINDOW_SECONDS", "0"),
    ];
    let hub = node(&redis, "a", &more).await;
    hub.create_sos("left", "c1").await;
    let _client = member(&hub, "citizen", "c1", "left").await;
    hub.signal(libc::SIGTERM);
    assert!(hub.exited().await.success());
    let _next = node(&redis, "b", &more).await;
    let is_told = || {
        let mut updates = service.events_of("left", "presence");
        updates.pop().is_some_and(|update| update.to_string().contains(r#""online":false"#))
    };
    eventually("the service hears that the citizen is gone", is_told).await;
}

#[tokio::test]
async fn a_node_that_comes_back_takes_up_what_it_had_left_behind() {
    let (redis, service) = (Server::start(&[]), SosMs::start().await);
    let url = service.url();
    let more = [("SOS_MS_URL", &*url), ("SOS_ACK_SECONDS", "3")];
    let hub = node(&redis, "a", &more).await;
    hub.create_sos("alone", "c1").await;
    hub.kill();
    let _again = node(&redis, "a", &more).await;
    let is_told = || service.events_of("alone", "sos:unacknowledged").len() == 1;
    eventually("the service hears that nobody acknowledged", is_told).await;
}
