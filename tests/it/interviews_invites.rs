//! What an invite is worth: it opens for one participant, whoever is first, until it is revoked or the interview ends.

use std::collections::BTreeSet;

use convoke::core::ids;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::interviews_world::{
    As, CANDIDATE, Interview, ORG, create, invite, joining, new_interview, open, outcome, recruiter, send, set_status, text,
};
use crate::support::booking::World;

/// Moves the expiry of an invite into the past.
async fn expire(world: &World, invite: &str) {
    world.sql(&format!("UPDATE convoke.invites SET expires_at = now() - interval '1 millisecond' WHERE id = '{invite}'")).await;
}

async fn revoke(world: &World, interview: &Interview, invite: &str) {
    let (path, token) = (format!("/api/interviews/{}/invites/{invite}", interview.id), recruiter("recruiter", "r-1", Some(ORG)));
    let answer = send(world, 0, Method::DELETE, &path, As::Bearer(&token), None).await;
    assert_eq!(answer.status, 204, "{}", answer.body);
}

async fn opened(world: &World, token: &str, interview: &Interview, participant: Option<&str>) -> String {
    outcome(&open(world, 0, token, interview, participant).await)
}

#[tokio::test]
async fn of_twenty_at_once_on_two_nodes_one_wins() {
    let Some(world) = World::start(2, &[]).await else { return };
    for round in 0..5 {
        let interview = create(&world, json!({})).await;
        let (id, token) = invite(&world, &interview).await;
        let names: Vec<String> = (0..20).map(|number| format!("guest-{number}")).collect();
        let asked = names.iter().enumerate().map(|(at, name)| open(&world, at % 2, &token, &interview, Some(name)));
        let outcomes: Vec<String> = join_all(asked).await.iter().map(outcome).collect();
        let winners: Vec<_> =
            names.iter().zip(&outcomes).filter(|(_, outcome)| *outcome == "201").map(|(name, _)| name).collect();
        assert_eq!(winners.len(), 1, "round {round}: {outcomes:?}");
        assert!(outcomes.iter().all(|outcome| outcome == "201" || outcome == "403 INVITE_USED"), "round {round}: {outcomes:?}");
        let bound = world.value(&format!("SELECT participant_id FROM convoke.invites WHERE id = '{id}'")).await;
        assert_eq!(bound, *winners[0]);
    }
}

#[tokio::test]
async fn one_participant_may_use_it_many_times_at_once() {
    let Some(world) = World::start(2, &[]).await else { return };
    let interview = create(&world, json!({})).await;
    let (_, token) = invite(&world, &interview).await;
    let answers = join_all((0..20).map(|at| open(&world, at % 2, &token, &interview, None))).await;
    let outcomes: BTreeSet<_> = answers.iter().map(outcome).collect();
    assert_eq!(outcomes, BTreeSet::from(["201".to_owned()]));
    // Without a name it is bound to the candidate.
    assert_eq!(world.value("SELECT participant_id FROM convoke.invites").await, CANDIDATE);
}

#[tokio::test]
async fn it_reopens_for_its_participant_until_it_is_revoked() {
    let Some(world) = World::start(1, &[]).await else { return };
    let interview = create(&world, json!({})).await;
    let (id, token) = invite(&world, &interview).await;
    assert_eq!(opened(&world, &token, &interview, Some("guest")).await, "201");
    let first_use = world.value("SELECT used_at FROM convoke.invites").await;
    // Its expiry was for the first use.
    expire(&world, &id).await;
    assert_eq!(opened(&world, &token, &interview, Some("guest")).await, "201");
    assert_eq!(opened(&world, &token, &interview, Some("other")).await, "403 INVITE_USED");
    // Who says no name is the candidate, and that is someone else.
    assert_eq!(opened(&world, &token, &interview, None).await, "403 INVITE_USED");
    assert_eq!(world.value("SELECT used_at FROM convoke.invites").await, first_use);
    revoke(&world, &interview, &id).await;
    for participant in ["guest", "other"] {
        assert_eq!(opened(&world, &token, &interview, Some(participant)).await, "403 INVITE_REVOKED");
    }
    // The interview's own token is not touched by that.
    assert_eq!(opened(&world, &interview.token, &interview, None).await, "201");
}

#[tokio::test]
async fn what_does_not_open_is_not_bound() {
    let Some(world) = World::start(1, &[]).await else { return };
    let (interview, other) = (create(&world, json!({})).await, create(&world, json!({})).await);
    let bound = "SELECT count(*) FROM convoke.invites WHERE participant_id IS NOT NULL OR used_at IS NOT NULL";
    let (expired, expired_token) = invite(&world, &interview).await;
    expire(&world, &expired).await;
    assert_eq!(opened(&world, &expired_token, &interview, None).await, "403 INVITE_EXPIRED");
    let (revoked, revoked_token) = invite(&world, &interview).await;
    revoke(&world, &interview, &revoked).await;
    assert_eq!(opened(&world, &revoked_token, &interview, None).await, "403 INVITE_REVOKED");
    let (_, token) = invite(&world, &interview).await;
    assert_eq!(opened(&world, &token, &other, None).await, "404 INTERVIEW_NOT_FOUND");
    let as_recruiter = joining(&interview, "interviewer", None);
    assert_eq!(outcome(&crate::interviews_world::join(&world, 0, As::Bearer(&token), &as_recruiter).await), "403 FORBIDDEN");
    set_status(&world, &interview, "CANCELLED").await;
    assert_eq!(opened(&world, &token, &interview, None).await, "403 INTERVIEW_UNAVAILABLE");
    assert_eq!(world.value(bound).await, "0");
}

#[tokio::test]
async fn the_end_of_the_interview_ends_what_was_bound() {
    let Some(world) = World::start(1, &[]).await else { return };
    let interview = create(&world, json!({})).await;
    let (_, token) = invite(&world, &interview).await;
    assert_eq!(opened(&world, &token, &interview, None).await, "201");
    set_status(&world, &interview, "ONGOING").await;
    assert_eq!(opened(&world, &token, &interview, None).await, "201");
    set_status(&world, &interview, "COMPLETED").await;
    assert_eq!(opened(&world, &token, &interview, None).await, "403 INTERVIEW_UNAVAILABLE");
    assert_eq!(opened(&world, &interview.token, &interview, None).await, "403 INTERVIEW_UNAVAILABLE");
}

#[tokio::test]
async fn it_expires_when_it_says() {
    let Some(world) = World::start(1, &[]).await else { return };
    let interview = create(&world, json!({})).await;
    let (path, token) = (format!("/api/interviews/{}/invites", interview.id), recruiter("recruiter", "r-1", Some(ORG)));
    for (body, seconds) in [
        (json!({}), 604_800),
        (json!({"expiresIn": 1}), 1),
        (json!({"expiresIn": 2_592_000}), 2_592_000),
        (json!({"expiresIn": 2_592_001}), 2_592_000),
        (json!({"expiresIn": null}), 604_800),
    ] {
        let answer = send(&world, 0, Method::POST, &path, As::Bearer(&token), Some(&body)).await;
        let (id, told) = (text(&answer.body["inviteId"]), text(&answer.body["expiresAt"]));
        let query = format!(
            "SELECT extract(epoch FROM expires_at - created_at)::int, to_char(expires_at, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') \
             FROM (SELECT expires_at AT TIME ZONE 'UTC' AS expires_at, created_at AT TIME ZONE 'UTC' AS created_at \
             FROM convoke.invites WHERE id = '{id}') i"
        );
        let row = world.sql(&query).await.remove(0);
        assert_eq!(row[0].as_deref(), Some(&*seconds.to_string()));
        // Within a millisecond: one of the two rounds.
        assert_eq!(row[1].as_deref().unwrap()[..20], told[..20]);
    }
}

#[tokio::test]
async fn the_database_and_the_log_hold_no_token() {
    let Some(world) = World::start(1, &[]).await else { return };
    let interview = create(&world, json!({})).await;
    let (_, token) = invite(&world, &interview).await;
    assert_eq!(opened(&world, &token, &interview, None).await, "201");
    assert_eq!(opened(&world, &interview.token, &interview, None).await, "201");
    assert_eq!(opened(&world, &token, &interview, Some("other")).await, "403 INVITE_USED");
    let mut dump = String::new();
    let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('convoke', 'public')";
    for table in world.sql(tables).await {
        let table = table[0].clone().unwrap();
        for row in world.sql(&format!("SELECT t::text FROM {table} t")).await {
            dump.push_str(&format!("{table} {}\n", row[0].as_deref().unwrap_or_default()));
        }
    }
    let log = world.hubs[0].log();
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for token in [&token, &interview.token] {
        assert!(token.len() == 43 && !token.contains('.'), "{token}");
        let raw = {
            use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
            BASE64_URL_SAFE_NO_PAD.decode(token).expect("base64url")
        };
        // What is kept is there, so that the search would have found the rest.
        assert!(dump.contains(&hex(&Sha256::digest(token.as_bytes()))), "{dump}");
        for secret in [token.clone(), hex(token.as_bytes()), hex(&raw)] {
            assert!(!dump.contains(&secret) && !log.contains(&secret), "{secret} is kept:\n{dump}\n{log}");
        }
    }
}

#[tokio::test]
async fn tokens_of_interviews_and_of_other_things_are_not_taken_for_each_other() {
    let Some(world) = World::start(1, &[]).await else { return };
    let interview = create(&world, json!({})).await;
    let (id, _) = invite(&world, &interview).await;
    for token in
        [ids::random(32), id.clone(), interview.id.clone(), interview.token.to_uppercase(), format!("{}x", interview.token)]
    {
        assert_eq!(opened(&world, &token, &interview, None).await, "401 INVALID_TOKEN", "{token}");
    }
}

#[tokio::test]
async fn texts_are_kept_to_the_letter_whatever_they_say_in_sql() {
    let Some(world) = World::start(1, &[]).await else { return };
    let evil = "'); DROP TABLE convoke.interviews; -- \\ \" $1 %s \u{1F600}";
    let mut body = new_interview();
    body["organizationId"] = evil.into();
    body["recruiterIds"] = json!([evil, "{a,b}", "NULL"]);
    body["candidate"] = json!({"id": evil, "name": evil, "email": "o'brien@example.com"});
    body["template"]["title"] = evil.into();
    body["template"]["assessments"][0]["title"] = evil.into();
    body["template"]["assessments"][0]["questions"][0] = json!({"id": evil, "text": evil, "type": evil});
    let interview = create(&world, body.clone()).await;
    let path = format!("/internal/interviews/{}", interview.id);
    let kept = send(&world, 0, Method::GET, &path, As::Internal, None).await.body;
    for field in ["organizationId", "recruiterIds", "candidate"] {
        assert_eq!(kept[field], body[field], "{field}");
    }
    let question = &kept["template"]["assessments"][0]["questions"][0];
    assert_eq!(*question, json!({"id": evil, "text": evil, "type": evil, "order": 1}));
    let recruiter = recruiter("recruiter", "r-1", Some(evil));
    let invited =
        send(&world, 0, Method::POST, &format!("/api/interviews/{}/invites", interview.id), As::Bearer(&recruiter), None).await;
    let answer = open(&world, 0, &text(&invited.body["inviteToken"]), &interview, Some(evil)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    assert_eq!(world.value("SELECT participant_id FROM convoke.invites").await, evil);
}
