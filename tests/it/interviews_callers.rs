//! Who may do what: every kind of caller, every role, every interview. The tables are the tests.

use reqwest::Method;
use serde_json::json;

use crate::interviews_world::{
    As, CANDIDATE, Interview, MANY_ADDRESSES, ORG, create, invite, join, joining, open, outcome, recruiter, recruiter_until,
    send, set_status,
};
use crate::support::booking::{World, claims, holder_token};
use crate::support::hub::now_seconds;

const ROLES: [&str; 5] = ["candidate", "recruiter", "interviewer", "observer", "admin"];

/// What each caller is answered who asks for each role in each interview.
async fn table(world: &World, callers: &[(&str, As<'_>, Option<&str>)], interviews: &[(&str, &Interview)]) -> String {
    let mut text = String::new();
    for (caller, by, participant) in callers {
        text.push_str(&format!("{caller}\n"));
        for (which, interview) in interviews {
            let mut outcomes = Vec::new();
            for role in ROLES {
                let answer = join(world, 0, *by, &joining(interview, role, *participant)).await;
                if answer.status == 201 {
                    assert_is_for(&answer.body, interview, role, participant.unwrap_or(CANDIDATE));
                } else {
                    assert!(answer.body["token"].is_null() && answer.body["message"].is_string(), "{}", answer.body);
                }
                outcomes.push(format!("{role} {}", outcome(&answer)));
            }
            let all_same = outcomes.iter().all(|one| one.split_once(' ').unwrap().1 == outcomes[0].split_once(' ').unwrap().1);
            let shown = if all_same { format!("all {}", outcomes[0].split_once(' ').unwrap().1) } else { outcomes.join(", ") };
            text.push_str(&format!("  {which}: {shown}\n"));
        }
    }
    text
}

fn assert_is_for(body: &serde_json::Value, interview: &Interview, role: &str, participant: &str) {
    let claims = claims(body["token"].as_str().expect("a token"));
    assert_eq!(claims["sub"], format!("{role}-{participant}"), "{claims}");
    assert_eq!(claims["video"]["room"], format!("live-{}", interview.id));
    assert_eq!(claims["video"]["canPublish"], role != "observer");
}

#[tokio::test]
async fn nobody_takes_more_than_is_theirs() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let own = create(&world, json!({})).await;
    let other = create(&world, json!({"organizationId": "org-2", "recruiterIds": []})).await;
    let ended = create(&world, json!({})).await;
    let (_, invited) = invite(&world, &own).await;
    let (_, invited_to_ended) = invite(&world, &ended).await;
    set_status(&world, &ended, "COMPLETED").await;
    let absent = Interview { id: "6f6a7b1e-0d6c-4a57-9a3e-0d5a8f3f8f11".into(), token: String::new() };
    let interviews = [("own", &own), ("of another organization", &other), ("ended", &ended), ("absent", &absent)];

    let jwt = |role: &str, user: &str, org: Option<&str>| recruiter(role, user, org);
    let (of_org, named) = (jwt("recruiter", "r-1", Some(ORG)), jwt("recruiter", "named", Some("org-3")));
    let (stranger, no_org) = (jwt("recruiter", "r-9", Some("org-9")), jwt("recruiter", "r-9", None));
    let (interviewer, observer) = (jwt("interviewer", "i-1", Some(ORG)), jwt("observer", "o-1", Some(ORG)));
    let (foreign_observer, admin) = (jwt("observer", "o-9", Some("org-9")), jwt("admin", "a-1", None));
    let expired = recruiter_until("admin", "a-1", None, now_seconds() - 3600);
    let foreign = holder_token(uuid::Uuid::new_v4(), None, now_seconds() + 3600);
    let callers = [
        ("the candidate", As::Bearer(&own.token), None),
        ("the candidate, by name", As::Bearer(&own.token), Some(CANDIDATE)),
        ("the candidate, as someone else", As::Bearer(&own.token), Some("r-1")),
        ("the candidate of the ended one", As::Bearer(&ended.token), None),
        ("an invite", As::Bearer(&invited), Some("guest-1")),
        ("the invite, as someone else", As::Bearer(&invited), Some("guest-2")),
        ("an invite to the ended one", As::Bearer(&invited_to_ended), None),
        ("a recruiter of the organization", As::Bearer(&of_org), Some("r-1")),
        ("a recruiter of the organization, by another id", As::Bearer(&of_org), Some("named")),
        ("a recruiter who is named", As::Bearer(&named), Some("named")),
        ("a recruiter of a third organization", As::Bearer(&stranger), Some("r-9")),
        ("a recruiter of none", As::Bearer(&no_org), Some("r-9")),
        ("an interviewer of the organization", As::Bearer(&interviewer), Some("i-1")),
        ("an observer of the organization", As::Bearer(&observer), Some("o-1")),
        ("an observer of a third organization", As::Bearer(&foreign_observer), Some("o-9")),
        ("an admin", As::Bearer(&admin), Some("a-1")),
        ("an admin whose token has expired", As::Bearer(&expired), Some("a-1")),
        ("one who holds a session of § 5", As::Bearer(&foreign), Some("x")),
    ];
    insta::assert_snapshot!(table(&world, &callers, &interviews).await);
}

#[tokio::test]
async fn services_may_ask_for_anybody_and_nobody_for_nobody() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let own = create(&world, json!({})).await;
    let ended = create(&world, json!({})).await;
    set_status(&world, &ended, "CANCELLED").await;
    let interviews = [("own", &own), ("ended", &ended)];
    let callers = [
        ("a service", As::Internal, Some("anybody")),
        ("no token", As::Nobody, Some("anybody")),
        ("a token that is none", As::Bearer("' OR true --"), Some("anybody")),
        ("a JWT that is none", As::Bearer("a.b.c"), Some("anybody")),
    ];
    insta::assert_snapshot!(table(&world, &callers, &interviews).await);
}

#[tokio::test]
async fn failed_authentication_is_limited_by_address() {
    let Some(world) = World::start(1, &[]).await else { return };
    let own = create(&world, json!({})).await;
    let (start, mut failed) = (std::time::Instant::now(), 0);
    loop {
        match join(&world, 0, As::Bearer("wrong"), &joining(&own, "candidate", None)).await.status {
            401 => failed += 1,
            status => break assert_eq!(status, 429),
        }
        // Every three seconds one is given back.
        assert!(failed <= 21 + start.elapsed().as_secs() / 3, "nothing ends the failures");
    }
    assert!(failed >= 20, "only {failed} failed");
    // The right token always passes.
    assert_eq!(open(&world, 0, &own.token, &own, None).await.status, 201);
}

#[tokio::test]
async fn with_open_signalling_nobody_needs_a_token_but_a_wrong_one_is_wrong() {
    let Some(world) = World::start(1, &[("INTERVIEW_OPEN_SIGNALLING", "true"), MANY_ADDRESSES]).await else { return };
    world.hubs[0].logs("INTERVIEW_OPEN_SIGNALLING is true").await;
    let own = create(&world, json!({})).await;
    let ended = create(&world, json!({})).await;
    set_status(&world, &ended, "EXPIRED").await;
    let absent = Interview { id: "6f6a7b1e-0d6c-4a57-9a3e-0d5a8f3f8f11".into(), token: String::new() };
    let interviews = [("own", &own), ("ended", &ended), ("absent", &absent)];
    let expired = recruiter_until("admin", "a-1", None, now_seconds() - 3600);
    let callers = [
        ("no token", As::Nobody, Some("anybody")),
        ("a token that is none", As::Bearer("wrong"), Some("anybody")),
        ("an expired token", As::Bearer(&expired), Some("anybody")),
        ("the candidate, as someone else", As::Bearer(&own.token), Some("anybody")),
    ];
    insta::assert_snapshot!(table(&world, &callers, &interviews).await);
    let request = world.hubs[0].request(Method::POST, "/api/interviews/join-token").header("authorization", "Basic dTpw");
    let answer = crate::support::booking::Answer::of(request.json(&joining(&own, "observer", Some("x")))).await;
    assert_eq!(outcome(&answer), "401 INVALID_TOKEN");
}

#[tokio::test]
async fn invites_are_managed_by_those_who_see_the_interview_and_do_more_than_observe() {
    let Some(world) = World::start(1, &[]).await else { return };
    let own = create(&world, json!({})).await;
    let ended = create(&world, json!({})).await;
    set_status(&world, &ended, "COMPLETED").await;
    let (kept, _) = invite(&world, &own).await;
    let mut text = String::new();
    for (who, role, user, org) in [
        ("a recruiter of the organization", "recruiter", "r-1", Some(ORG)),
        ("an interviewer who is named", "interviewer", "named", None),
        ("an admin", "admin", "a-1", None),
        ("an observer of the organization", "observer", "o-1", Some(ORG)),
        ("a recruiter of another organization", "recruiter", "r-2", Some("org-2")),
        ("an observer of another organization", "observer", "o-2", Some("org-2")),
    ] {
        let token = recruiter(role, user, org);
        let mut told = Vec::new();
        for (what, method, path) in [
            ("invites", Method::POST, format!("/api/interviews/{}/invites", own.id)),
            ("invites to the ended one", Method::POST, format!("/api/interviews/{}/invites", ended.id)),
            ("revokes", Method::DELETE, format!("/api/interviews/{}/invites/{kept}", own.id)),
            ("revokes by another interview", Method::DELETE, format!("/api/interviews/{}/invites/{kept}", ended.id)),
        ] {
            let answer = send(&world, 0, method, &path, As::Bearer(&token), None).await;
            told.push(format!("  {what}: {}\n", outcome(&answer)));
        }
        text.push_str(&format!("{who}\n{}", told.concat()));
    }
    for (who, by) in [("the candidate", As::Bearer(&own.token)), ("a service", As::Internal)] {
        let answer = send(&world, 0, Method::POST, &format!("/api/interviews/{}/invites", own.id), by, None).await;
        text.push_str(&format!("{who}\n  invites: {}\n", outcome(&answer)));
    }
    insta::assert_snapshot!(text);
}
