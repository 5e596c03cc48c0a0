//! CONNECT to the namespace of interviews: tokens, invites, what contradicts them, and what a client is told.

use serde_json::json;

use crate::interviews_world::{
    CANDIDATE, MANY_ADDRESSES, ORG, connect, connection, create, invite, join_interview, recruiter, recruiter_until, refusal,
    set_status, text,
};
use crate::support::booking::{World, holder_token};
use crate::support::client::Client;
use crate::support::hub::now_seconds;

#[tokio::test]
async fn a_join_token_makes_a_candidate_and_a_jwt_a_recruiter() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let mut candidate = connection(&world, 0, &interview.token).query("userType=candidate").connect().await;
    let told = candidate.wait("connected").await;
    assert_eq!((&told["message"], &told["userId"]), (&json!("Connected successfully"), &json!(CANDIDATE)));
    assert_eq!(told["userType"], "candidate");
    assert!(text(&told["timestamp"]).ends_with('Z'));

    let jwt = recruiter("interviewer", "r-1", Some(ORG));
    let mut recruiter = connect(&world, 0, &jwt).await;
    let told = recruiter.wait("connected").await;
    assert_eq!((&told["userId"], &told["userType"]), (&json!("r-1"), &json!("recruiter")));

    // The token may stand in the header; one in `auth` wins over it.
    let builder = || Client::builder(&world.hubs[0].url()).namespace("/interview");
    let mut by_header = builder().header("authorization", &format!("Bearer {jwt}")).connect().await;
    assert_eq!(by_header.wait("connected").await["userId"], "r-1");
    let both = builder().header("authorization", &format!("Bearer {jwt}")).auth(json!({"token": interview.token}));
    assert_eq!(both.connect().await.wait("connected").await["userType"], "candidate");
    let basic = builder().header("authorization", "Basic eDp5");
    assert_eq!(refusal(basic).await, "INVALID_TOKEN");
}

#[tokio::test]
async fn who_may_not_connect_is_told_why_and_does_not_come_back() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let jwt = recruiter("recruiter", "r-1", Some(ORG));
    let with = |auth: serde_json::Value| connection(&world, 0, "").auth(auth);
    assert_eq!(refusal(with(json!({}))).await, "MISSING_TOKEN");
    assert_eq!(refusal(with(json!({"token": null}))).await, "MISSING_TOKEN");
    assert_eq!(refusal(with(json!({"token": 7}))).await, "INVALID_TOKEN");
    assert_eq!(refusal(connection(&world, 0, "no-token-of-ours")).await, "INVALID_TOKEN");
    assert_eq!(refusal(connection(&world, 0, "a.b.c")).await, "INVALID_TOKEN");
    let expired = recruiter_until("recruiter", "r-1", Some(ORG), now_seconds() - 60);
    assert_eq!(refusal(connection(&world, 0, &expired)).await, "TOKEN_EXPIRED");
    let of_another_surface = holder_token(uuid::Uuid::new_v4(), None, now_seconds() + 60);
    assert_eq!(refusal(connection(&world, 0, &of_another_surface)).await, "INVALID_TOKEN");
    // What contradicts the token is refused.
    assert_eq!(refusal(connection(&world, 0, &interview.token).query("userType=recruiter")).await, "INVALID_TOKEN");
    assert_eq!(refusal(connection(&world, 0, &jwt).query("userType=candidate")).await, "INVALID_TOKEN");
    assert_eq!(refusal(connection(&world, 0, &jwt).query("userType=admin")).await, "INVALID_TOKEN");
    assert_eq!(refusal(with(json!({"token": interview.token, "participantId": "cand-2"}))).await, "INVALID_TOKEN");
    assert_eq!(refusal(with(json!({"token": interview.token, "participantId": "\0"}))).await, "INVALID_TOKEN");
    with(json!({"token": interview.token, "participantId": CANDIDATE})).connect().await;
}

#[tokio::test]
async fn an_invite_opens_for_the_first_participant_only() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let (_, token) = invite(&world, &interview).await;
    let by =
        |token: &str, participant: &str| connection(&world, 0, "").auth(json!({"token": token, "participantId": participant}));
    let mut first = by(&token, "p-1").connect().await;
    assert_eq!(first.wait("connected").await["userId"], "p-1");
    by(&token, "p-1").connect().await;
    assert_eq!(refusal(by(&token, "p-2")).await, "INVITE_USED");
    assert_eq!(refusal(connection(&world, 0, &token)).await, "INVITE_USED", "nobody else is meant by nobody");

    let (revoked_id, revoked) = invite(&world, &interview).await;
    let path = format!("/api/interviews/{}/invites/{revoked_id}", interview.id);
    let jwt = recruiter("recruiter", "r-1", Some(ORG));
    let by_recruiter = crate::interviews_world::As::Bearer(&jwt);
    let answer = crate::interviews_world::send(&world, 0, reqwest::Method::DELETE, &path, by_recruiter, None).await;
    assert_eq!(answer.status, 204);
    assert_eq!(refusal(by(&revoked, "p-1")).await, "INVITE_REVOKED");

    let (expired_id, expired) = invite(&world, &interview).await;
    world.sql(&format!("UPDATE convoke.invites SET expires_at = now() - interval '1 s' WHERE id = '{expired_id}'")).await;
    assert_eq!(refusal(by(&expired, "p-1")).await, "INVITE_EXPIRED");

    // With the interview an invite ends, used or not; the candidate's own token still tells who it is.
    let (_, unused) = invite(&world, &interview).await;
    set_status(&world, &interview, "COMPLETED").await;
    assert_eq!(refusal(by(&token, "p-1")).await, "INVITE_EXPIRED");
    assert_eq!(refusal(by(&unused, "p-1")).await, "INVITE_EXPIRED");
    let late = connect(&world, 0, &interview.token).await;
    let reply = late.ask("join-interview", json!({"interviewId": interview.id})).await;
    assert_eq!((&reply["code"], &reply["message"]), (&json!("INTERVIEW_UNAVAILABLE"), &json!("Interview is not available")));
}

#[tokio::test]
async fn without_postgresql_or_a_key_the_answer_names_what_is_missing() {
    let Some(world) = World::start(0, &[MANY_ADDRESSES]).await else { return };
    let mut world = world;
    let without_key = world.add_node(&[("INTERVIEW_JWT_SECRET", "")]).await;
    let without_database = world.add_node(&[("DATABASE_URL", "")]).await;
    let jwt = recruiter("recruiter", "r-1", Some(ORG));
    assert_eq!(refusal(connection(&world, without_key, &jwt)).await, "NOT_CONFIGURED");
    assert_eq!(refusal(connection(&world, without_database, &jwt)).await, "NOT_CONFIGURED");
    assert_eq!(refusal(connection(&world, without_database, "opaque")).await, "NOT_CONFIGURED");
}

#[tokio::test]
async fn a_recruiters_token_ends_without_grace_and_is_renewed_in_place() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    // 30 s of skew are granted: this one has five seconds left.
    let short = recruiter_until("recruiter", "r-1", Some(ORG), now_seconds() - 25);
    let (mut ends, renewed) = (connect(&world, 0, &short).await, connect(&world, 0, &short).await);
    let others = recruiter("recruiter", "r-2", Some(ORG));
    let refused = renewed.ask("auth:refresh", json!({ "token": others })).await;
    assert_eq!(refused["code"], "INVALID_TOKEN", "{refused}");
    let expires_at = now_seconds() + 3600;
    let next = recruiter_until("recruiter", "r-1", Some(ORG), expires_at);
    let reply = renewed.ask_ok("auth:refresh", json!({ "token": next })).await;
    assert_eq!(reply["expiresAt"], expires_at * 1000);
    assert_eq!(ends.wait("error").await["code"], "TOKEN_EXPIRED");
    ends.disconnected().await;
    renewed.settle().await;

    // What is out of sight with the new token is observed no longer.
    let interview = create(&world, json!({})).await;
    let observer = connect(&world, 0, &recruiter("recruiter", "r-1", Some(ORG))).await;
    observer.ask_ok("observe-interview", json!({"interviewId": interview.id})).await;
    let candidate = connect(&world, 0, &interview.token).await;
    join_interview(&candidate, &interview).await;
    observer.wait_count("candidate-joined", 1).await;
    observer.ask_ok("auth:refresh", json!({"token": recruiter("recruiter", "r-1", Some("org-9"))})).await;
    join_interview(&candidate, &interview).await;
    observer.settle().await;
    assert_eq!(observer.received("candidate-joined").len(), 1);

    let reply = candidate.ask_ok("auth:refresh", json!({"token": interview.token})).await;
    assert_eq!(reply["expiresAt"], json!(null));
    let other = create(&world, json!({})).await;
    let refused = candidate.ask("auth:refresh", json!({"token": other.token})).await;
    assert_eq!(refused["code"], "INVALID_TOKEN");
}
