//! An invite that is revoked: what it has opened before is ended, wherever that is.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::interviews_world::{
    As, CANDIDATE, Interview, MANY_ADDRESSES, ORG, connect, connection, create, invite, join_interview, observe, open, overview,
    recruiter, refusal, send, text,
};
use crate::support::booking::World;
use crate::support::client::Client;
use crate::support::livekit::Server;
use crate::support::node::Script;
use crate::support::participant::Participant;
use crate::support::ports::free_port;
use crate::support::proxy::{Mode, Proxy};
use crate::support::returning::last_offset;

/// Nodes find nothing out by themselves in a test's time: they must be told.
const TOLD_ONLY: (&str, &str) = ("INTERVIEW_INVITES_SECONDS", "86400");
/// They look each second.
const LOOKING: (&str, &str) = ("INTERVIEW_INVITES_SECONDS", "1");
/// No grace ends in a test's time.
const NEVER: (&str, &str) = ("LEAVE_GRACE_MS", "600000");

/// Revokes it at the first node.
async fn revoke(world: &World, interview: &Interview, invite: &str) {
    let (path, token) = (format!("/api/interviews/{}/invites/{invite}", interview.id), recruiter("recruiter", "r-1", Some(ORG)));
    let answer = send(world, 0, Method::DELETE, &path, As::Bearer(&token), None).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
}

/// Revokes it in the database alone: no node is told.
async fn revoke_unnoticed(world: &World, invite: &str) {
    world.sql(&format!("UPDATE convoke.invites SET revoked_at = now() WHERE id = '{invite}'")).await;
}

/// Waits until the client is sent away.
async fn sent_away(client: &mut Client, interview: &Interview) {
    let error = client.wait("error").await;
    assert_eq!((&error["code"], &error["interviewId"]), (&json!("INVITE_REVOKED"), &json!(interview.id)), "{error}");
    client.disconnected().await;
}

/// Both sides of a call, the interviewer at the first node, the candidate by an invite at the second.
async fn both_in_call(world: &World, interview: &Interview, invited: &str) -> (Client, Client) {
    let mut interviewer = connect(world, 0, &recruiter("interviewer", "rita", Some(ORG))).await;
    let mut candidate = connect(world, 1, invited).await;
    for client in [&interviewer, &candidate] {
        client.ask_ok("joinRoom", json!({"interviewId": interview.id})).await;
    }
    for client in [&mut interviewer, &mut candidate] {
        client.wait("call:ready").await;
    }
    (interviewer, candidate)
}

/// Waits until the interviewer is told to be alone in the call.
async fn alone(interviewer: &mut Client) {
    let is_alone = |there: &Value| there.as_array().is_some_and(|there| there.len() == 1 && there[0]["identity"] == "rita");
    interviewer.wait_for("presence:update", is_alone).await;
}

/// What the official client is told, one fact a line. It connects again by order: with the invite, then with the interview's token.
const OFFICIAL: &str = r#"
import { io } from "socket.io-client";
import { createInterface } from "node:readline";
const socket = io(`${HUB}/interview`, { auth: { token: INVITE }, forceNew: true, reconnectionDelay: 50 });
socket.on("connected", () => console.log("connected"));
socket.on("error", ({ code }) => console.log("error", code));
socket.on("disconnect", (reason) => console.log("disconnect", reason));
socket.on("connect_error", (error) => console.log("refused", error.data?.code, socket.active));
socket.on("interview-ready", () => console.log("ready"));
socket.on("call:ready", () => console.log("call"));
socket.on("connect", () => {
  socket.emit("join-interview", { interviewId: INTERVIEW });
  socket.emit("joinRoom", { interviewId: INTERVIEW });
});
for await (const token of createInterface({ input: process.stdin })) {
  socket.auth = { token };
  socket.connect();
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_candidate_who_came_by_a_revoked_invite_is_out_at_once_also_on_another_node() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES, TOLD_ONLY, NEVER]).await else { return };
    let interview = create(&world, json!({})).await;
    let (id, invited) = invite(&world, &interview).await;
    let observer = observe(&world, 0, &interview).await;
    let mut interviewer = connect(&world, 0, &recruiter("interviewer", "rita", Some(ORG))).await;
    interviewer.ask_ok("joinRoom", json!({"interviewId": interview.id})).await;

    let values = [("HUB", world.hubs[1].url()), ("INVITE", invited.clone()), ("INTERVIEW", interview.id.clone())];
    let constants: String = values.into_iter().map(|(name, value)| format!("const {name} = {};\n", json!(value))).collect();
    let mut candidate = Script::node_code(&format!("{constants}{OFFICIAL}"));
    candidate.expect("ready").await;
    candidate.expect("call").await;
    interviewer.wait("call:ready").await;

    revoke(&world, &interview, &id).await;
    assert_eq!(candidate.expect("error").await, "INVITE_REVOKED");
    assert_eq!(candidate.expect("disconnect").await, "io server disconnect");
    alone(&mut interviewer).await;

    // The official client does not come back by itself, neither now nor after it was refused.
    candidate.order(&invited);
    assert_eq!(candidate.expect("refused").await, "INVITE_REVOKED false");
    // With the interview's own token the candidate may come back.
    candidate.order(&interview.token);
    candidate.expect("ready").await;
    interviewer.wait("call:ready").await;
    observer.wait_count("candidate-joined", 2).await;
    candidate.terminate();
}

#[tokio::test]
async fn a_session_whose_candidate_is_sent_away_is_paused() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES, TOLD_ONLY, NEVER]).await else { return };
    let interview = create(&world, json!({})).await;
    let (id, invited) = invite(&world, &interview).await;
    let mut observer = observe(&world, 0, &interview).await;
    let mut candidate = connect(&world, 1, &invited).await;
    let session = join_interview(&candidate, &interview).await;
    candidate.ask_ok("start-interview", json!({ "sessionId": session })).await;
    revoke(&world, &interview, &id).await;
    sent_away(&mut candidate, &interview).await;
    assert_eq!(observer.wait("interview-interrupted").await["reason"], "disconnect");
    assert_eq!(overview(&world, &interview).await["session"]["state"], "paused");
}

#[tokio::test]
async fn sockets_that_came_by_another_way_stay_and_so_does_one_that_has_shown_the_token_since() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES, TOLD_ONLY]).await else { return };
    let interview = create(&world, json!({})).await;
    let ((id, invited), (_, other)) = (invite(&world, &interview).await, invite(&world, &interview).await);
    let by_token = connect(&world, 1, &interview.token).await;
    let by_other = connect(&world, 1, &other).await;
    let changed = connect(&world, 1, &invited).await;
    changed.ask_ok("auth:refresh", json!({"token": interview.token})).await;
    // It is in no interview and in no call.
    let mut idle = connect(&world, 1, &invited).await;
    let mut was_by_token = connect(&world, 0, &interview.token).await;
    was_by_token.ask_ok("auth:refresh", json!({"token": invited})).await;

    revoke(&world, &interview, &id).await;
    sent_away(&mut idle, &interview).await;
    sent_away(&mut was_by_token, &interview).await;
    for client in [&by_token, &by_other, &changed] {
        client.settle().await;
        assert!(client.received("error").is_empty() && !client.is_closed());
    }
    // Once more changes nothing.
    revoke(&world, &interview, &id).await;
    changed.settle().await;
    assert_eq!(changed.ask("auth:refresh", json!({"token": invited})).await["code"], "INVITE_REVOKED");
    assert!(!changed.is_closed());
}

#[tokio::test]
async fn a_node_that_was_not_told_finds_it_out_also_while_redis_is_away() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES, LOOKING, NEVER]).await else { return };
    let interview = create(&world, json!({})).await;
    let (id, invited) = invite(&world, &interview).await;
    let (mut interviewer, mut candidate) = both_in_call(&world, &interview, &invited).await;
    world.redis.freeze();
    revoke_unnoticed(&world, &id).await;
    sent_away(&mut candidate, &interview).await;
    world.redis.thaw();
    alone(&mut interviewer).await;
}

#[tokio::test]
async fn a_client_that_was_away_when_its_invite_was_revoked_does_not_get_its_connection_back() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES, TOLD_ONLY, ("LEAVE_GRACE_MS", "500")]).await else { return };
    let interview = create(&world, json!({})).await;
    let (id, invited) = invite(&world, &interview).await;
    let (mut interviewer, candidate) = both_in_call(&world, &interview, &invited).await;
    let back = json!({"token": invited, "pid": candidate.connect_reply()["pid"], "offset": last_offset(&candidate)});
    drop(candidate);
    revoke(&world, &interview, &id).await;
    assert_eq!(refusal(connection(&world, 1, &invited).auth(back)).await, "INVITE_REVOKED");
    alone(&mut interviewer).await;
}

/// A token for LiveKit, by an invite.
async fn livekit_token(world: &World, interview: &Interview, invited: &str) -> String {
    let answer = open(world, 0, invited, interview, None).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    text(&answer.body["token"])
}

async fn participants(world: &World, interview: &Interview) -> Vec<String> {
    let deadline = (std::time::Instant::now() + Duration::from_secs(10)).into();
    world.livekit.participants(&format!("live-{}", interview.id), deadline).await.unwrap_or_default()
}

#[tokio::test]
async fn a_candidate_whose_invite_is_revoked_is_disconnected_at_livekit_and_again_when_it_comes_back() {
    let port = free_port().to_string();
    let way = Proxy::start(format!("127.0.0.1:{port}")).await;
    let Some(server) = Server::start(&[&format!("http://{}/livekit/webhook", way.address)]) else { return };
    let Some(world) = World::on(&server, 1, &[MANY_ADDRESSES, ("PORT", &port)]).await else { return };
    let interview = create(&world, json!({})).await;
    let (id, invited) = invite(&world, &interview).await;
    let by_invite = livekit_token(&world, &interview, &invited).await;
    let mut candidate = Participant::join(server.ws_url(), &by_invite).await.expect("it joins");
    revoke(&world, &interview, &id).await;
    assert_eq!(candidate.wait_gone().await, "PARTICIPANT_REMOVED");
    // Held back until the join is complete.
    way.set(Mode::Pause);
    let mut back = Participant::join(server.ws_url(), &by_invite).await.expect("LiveKit does not know of it");
    way.set(Mode::Pass);
    assert_eq!(back.wait_gone().await, "PARTICIPANT_REMOVED");
    // The interview's own token opens it for the same person.
    let own = livekit_token(&world, &interview, &interview.token).await;
    let _back = Participant::join(server.ws_url(), &own).await.expect("it joins");
    assert_eq!(participants(&world, &interview).await, [format!("candidate-{CANDIDATE}")]);
}

#[tokio::test]
async fn without_webhooks_a_candidate_who_comes_back_to_livekit_is_found_by_the_sweep() {
    let Some(mut world) = World::start(1, &[MANY_ADDRESSES, ("INTERVIEW_SWEEP_SECONDS", "86400")]).await else { return };
    let interview = create(&world, json!({})).await;
    let (id, invited) = invite(&world, &interview).await;
    let by_invite = livekit_token(&world, &interview, &invited).await;
    revoke(&world, &interview, &id).await;
    let mut late = Participant::join(world.livekit.ws_url(), &by_invite).await.expect("LiveKit does not know of it");
    // There are no webhooks, and only this node sweeps.
    world.add_node(&[("INTERVIEW_SWEEP_SECONDS", "1")]).await;
    assert_eq!(late.wait_gone().await, "PARTICIPANT_REMOVED");
}
