//! Whether the candidate is there: links that break, nodes that die, heartbeats that stop, and the way back.

use convoke::redis::cmd;
use serde_json::json;

use crate::interviews_world::{
    MANY_ADDRESSES, NAMESPACE, begin, connect, create, join_interview, observe, overview, text, until_state,
};
use crate::support::booking::World;
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::returning::last_offset;

const QUICK: (&str, &str) = ("NODE_LEASE_MS", "3000");

#[tokio::test]
async fn a_link_that_is_back_within_the_grace_is_not_noticed_and_one_that_is_not_pauses() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES, ("LEAVE_GRACE_MS", "5000")]).await else { return };
    let interview = create(&world, json!({})).await;
    let mut observer = observe(&world, 1, &interview).await;
    let (candidate, session) = begin(&world, 0, &interview).await;
    let (pid, offset) = (candidate.connect_reply()["pid"].clone(), last_offset(&candidate));
    drop(candidate);
    let auth = json!({"token": interview.token, "pid": pid, "offset": offset});
    let back = Client::builder(&world.hubs[1].url()).namespace(NAMESPACE).query("recovery=1").auth(auth).connect().await;
    assert_eq!(back.connect_reply()["pid"], pid, "the same connection");
    back.ask_ok("start-interview", json!({ "sessionId": session })).await;
    assert!(back.received("connected").is_empty());
    let timers = format!("scope:due:interview:{{{}}}", interview.id);
    let set = || world.redis.ask::<Vec<String>>(cmd("ZRANGE").arg(&timers).arg(0).arg(-1));
    let is_cleared = || set().iter().all(|timer| !timer.starts_with("absent"));
    eventually("nobody asks any more whether it is gone", is_cleared).await;
    assert!(observer.received("interview-interrupted").is_empty());
    assert_eq!(observer.received("candidate-joined").len(), 1, "who comes back is not announced");

    // Cut for good.
    drop(back);
    let told = observer.wait("interview-interrupted").await;
    assert_eq!(told["reason"], "disconnect");
    until_state(&world, &interview, "paused").await;
    // The first event of a candidate's socket makes it active again, also without a join.
    let again = connect(&world, 0, &interview.token).await;
    again.ask_ok("proctor-event", json!({"type": "tab-switch", "severity": "low"})).await;
    until_state(&world, &interview, "active").await;
    observer.wait_count("candidate-joined", 2).await;
}

#[tokio::test]
async fn a_candidate_whose_node_dies_is_gone_after_the_grace_and_comes_back_to_the_same_question() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES, QUICK, ("LEAVE_GRACE_MS", "500")]).await else { return };
    let interview = create(&world, json!({})).await;
    let mut observer = observe(&world, 1, &interview).await;
    let (candidate, session) = begin(&world, 0, &interview).await;
    world.hubs[0].kill();
    assert_eq!(observer.wait("interview-interrupted").await["reason"], "node-lost");
    let mut back = connect(&world, 1, &interview.token).await;
    assert_eq!(join_interview(&back, &interview).await, session);
    assert_eq!(back.wait("question").await["questionId"], "q-1");
    observer.wait_count("candidate-joined", 2).await;
    assert_eq!(observer.received("interview-interrupted").len(), 1);
    drop(candidate);
}

#[tokio::test]
async fn a_candidate_that_has_sent_heartbeats_is_gone_when_they_stop() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES, ("INTERVIEW_HEARTBEAT_SECONDS", "2")]).await else { return };
    let (silent, beating) = (create(&world, json!({})).await, create(&world, json!({})).await);
    let (mut of_silent, mut of_beating) = (observe(&world, 1, &silent).await, observe(&world, 1, &beating).await);
    let (_never_beats, _) = begin(&world, 0, &silent).await;
    let (mut candidate, _) = begin(&world, 0, &beating).await;
    candidate.emit("heartbeat", json!({}));
    let timestamp = candidate.wait("heartbeat-ack").await["timestamp"].clone();
    assert!(timestamp.is_u64(), "milliseconds");
    let told = of_beating.wait("interview-interrupted").await;
    assert_eq!(told["reason"], "heartbeat");
    assert!(text(&told["timestamp"]).ends_with('Z'));
    // Its next heartbeat is a sign of life.
    candidate.ask_ok("heartbeat", json!({})).await;
    until_state(&world, &beating, "active").await;
    of_silent.settle().await;
    assert!(of_silent.received("interview-interrupted").is_empty(), "who never sent one is judged by its connection alone");
    let _ = of_silent.wait("candidate-joined").await;
}

#[tokio::test]
async fn the_next_event_of_a_candidate_makes_a_paused_session_active_also_one_of_the_call() {
    let env = [MANY_ADDRESSES, ("LEAVE_GRACE_MS", "300"), ("INTERVIEW_HEARTBEAT_SECONDS", "2")];
    let Some(world) = World::start(2, &env).await else { return };
    let interview = create(&world, json!({})).await;
    let mut observer = observe(&world, 1, &interview).await;
    let (candidate, _) = begin(&world, 0, &interview).await;
    candidate.ask_ok("joinRoom", json!({"interviewId": interview.id})).await;
    let auth = json!({"token": interview.token, "pid": candidate.connect_reply()["pid"], "offset": last_offset(&candidate)});
    drop(candidate);
    assert_eq!(observer.wait("interview-interrupted").await["reason"], "disconnect");
    let back = Client::builder(&world.hubs[1].url()).namespace(NAMESPACE).query("recovery=1").auth(auth).connect().await;
    assert_eq!(overview(&world, &interview).await["session"]["state"], "paused", "to come back is no event");
    back.ask_ok("chat:message", json!({"text": "I am back"})).await;
    assert_eq!(overview(&world, &interview).await["session"]["state"], "active");

    // The same while the connection stands. The node of the candidate may hear of the pause a moment after the observer.
    back.ask_ok("heartbeat", json!({})).await;
    assert_eq!(observer.wait("interview-interrupted").await["reason"], "heartbeat");
    let is_active = async || {
        back.ask_ok("auth:refresh", json!({"token": interview.token})).await;
        overview(&world, &interview).await["session"]["state"] == "active"
    };
    world.eventually("it is active again", is_active).await;
}

#[tokio::test]
async fn a_candidate_keeps_its_place_when_its_node_drains() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let observer = observe(&world, 1, &interview).await;
    let (candidate, session) = begin(&world, 0, &interview).await;
    let (pid, offset) = (candidate.connect_reply()["pid"].clone(), last_offset(&candidate));
    world.hubs[0].signal(libc::SIGTERM);
    candidate.closed().await;
    let auth = json!({"token": interview.token, "pid": pid, "offset": offset});
    let back = Client::builder(&world.hubs[1].url()).namespace(NAMESPACE).query("recovery=1").auth(auth).connect().await;
    assert_eq!(back.connect_reply()["pid"], pid);
    back.ask_ok("start-interview", json!({ "sessionId": session })).await;
    observer.settle().await;
    assert!(observer.received("interview-interrupted").is_empty());
}
