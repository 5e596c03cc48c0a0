//! What the routes of interviews ask of everybody: a token, JSON of a bounded size, patience; and of the hub: settings, PostgreSQL.

use std::time::Instant;

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::interviews_world::{As, CANDIDATE, Interview, ORG, create, invite, join, joining, open, recruiter, send, steady_text};
use crate::support::booking::{Answer, INTERVIEW_SECRET, World};
use crate::support::hub::{Hub, INTERNAL};
use crate::support::redis::single;
use crate::support::{livekit, postgres};

/// The id of no interview.
const NONE: &str = "6f6a7b1e-0d6c-4a57-9a3e-0d5a8f3f8f11";

/// With the token that the door of this path asks for.
fn let_in(request: RequestBuilder, path: &str, recruiter: &str) -> RequestBuilder {
    if path.starts_with("/internal") { request.header("x-internal-token", INTERNAL) } else { request.bearer_auth(recruiter) }
}

#[tokio::test]
async fn what_is_no_json_of_ours_is_refused() {
    let Some(world) = World::start(1, &[]).await else { return };
    let interview = create(&world, json!({})).await;
    let mut text = String::new();
    let token = recruiter("recruiter", "r-1", Some(ORG));
    let paths = [
        (Method::POST, "/api/interviews/join-token".to_owned()),
        (Method::POST, format!("/api/interviews/{}/invites", interview.id)),
        (Method::POST, "/internal/interviews".to_owned()),
        (Method::PATCH, format!("/internal/interviews/{}", interview.id)),
    ];
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1_000_000));
    for (method, path) in paths {
        for (media, body) in [
            ("text/plain", "{}"),
            ("application/x-www-form-urlencoded", "a=b"),
            ("application/json", "{"),
            ("application/json", "\"\\ud800\""),
            ("application/json", &*deep),
            ("application/json", &*large),
        ] {
            let request = world.hubs[0].request(method.clone(), &path).header("content-type", media).body(body.to_owned());
            let answer = Answer::of(let_in(request, &path, &token)).await;
            let shown: String = body.chars().take(12).collect();
            let (error, message) = (answer.error().to_owned(), &answer.body["message"]);
            text.push_str(&format!("{method} {} {media} {shown}: {} {error} {message}\n", steady_text(&path), answer.status));
        }
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn doors_are_closed_without_their_token_and_methods_are_named() {
    let Some(world) = World::start(1, &[]).await else { return };
    let mut text = String::new();
    let id = create(&world, json!({})).await.id;
    for (method, path) in [
        (Method::POST, "/internal/interviews".to_owned()),
        (Method::GET, format!("/internal/interviews/{id}")),
        (Method::PATCH, format!("/internal/interviews/{id}")),
        (Method::POST, format!("/api/interviews/{id}/invites")),
        (Method::DELETE, format!("/api/interviews/{id}/invites/{id}")),
        (Method::POST, "/api/interviews/join-token".to_owned()),
        (Method::GET, "/api/interviews/join-token".to_owned()),
        (Method::GET, "/internal/interviews".to_owned()),
        (Method::GET, format!("/api/interviews/{id}/invites")),
    ] {
        let answer = send(&world, 0, method.clone(), &path, As::Nobody, None).await;
        let allow = answer.header("allow").map(|allow| format!(" Allow: {allow}")).unwrap_or_default();
        text.push_str(&format!("> {method} {}\n{}{allow}\n{}\n", steady_text(&path), answer.status, answer.body));
        let wrong = world.hubs[0].request(method, &path).header("x-internal-token", "wrong").bearer_auth("wrong");
        let answer = Answer::of(wrong).await;
        text.push_str(&format!("with wrong ones: {}\n{}\n\n", answer.status, answer.body));
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_feature_without_its_settings_says_which() {
    let (redis, mut text) = (single().url(), String::new());
    let database = postgres::database().await;
    let secret = ("INTERVIEW_JWT_SECRET", INTERVIEW_SECRET);
    let token = recruiter("admin", "a-1", None);
    for (what, env) in [
        ("without DATABASE_URL", &[secret][..]),
        ("without LiveKit", &[secret, ("DATABASE_URL", &*database)]),
        (
            "without keys and token",
            &[
                ("DATABASE_URL", &*database),
                ("INTERNAL_AUTH_TOKEN", ""),
                ("LIVEKIT_WS_URL", "ws://127.0.0.1:1"),
                ("LIVEKIT_API_KEY", "key"),
                ("LIVEKIT_API_SECRET", "a secret that opens nothing, 32 bytes"),
            ],
        ),
    ] {
        let hub = Hub::start(&[&[("REDIS_URL", &*redis)], env].concat()).await;
        text.push_str(&format!("{what}\n"));
        for (method, path) in [
            (Method::POST, "/api/interviews/join-token".to_owned()),
            (Method::POST, format!("/api/interviews/{NONE}/invites")),
            (Method::DELETE, format!("/api/interviews/{NONE}/invites/{NONE}")),
            (Method::POST, "/internal/interviews".to_owned()),
            (Method::GET, format!("/internal/interviews/{NONE}")),
            (Method::PATCH, format!("/internal/interviews/{NONE}")),
        ] {
            let request = hub.request(method.clone(), &path);
            let answer = Answer::of(let_in(request, &path, &token)).await;
            text.push_str(&format!("{method} {}: {} {}\n", steady_text(&path), answer.status, answer.body["message"]));
        }
    }
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn while_postgresql_is_away_the_answer_is_503_and_nothing_hangs() {
    let Some(livekit) = livekit::shared() else { return };
    let (redis, database) = (single().url(), postgres::Server::start());
    let url = database.database().await;
    let env = [("REDIS_URL", &*redis), ("DATABASE_URL", &url), ("DATABASE_DEADLINE_MS", "3000")];
    let secret = ("INTERVIEW_JWT_SECRET", INTERVIEW_SECRET);
    let hub = Hub::start(&[&env[..], &livekit.env(), &[secret]].concat()).await;
    let token = recruiter("admin", "a-1", None);
    let ask = async |method: Method, path: String| {
        let request =
            hub.request(method, &path).json(&joining(&Interview { id: NONE.into(), token: String::new() }, "observer", None));
        let answer = Answer::of(let_in(request, &path, &token)).await;
        (answer.status, answer.error().to_owned(), answer.header("retry-after").map(str::to_owned))
    };
    let rows = || {
        [
            (Method::POST, "/api/interviews/join-token".to_owned()),
            (Method::POST, format!("/api/interviews/{NONE}/invites")),
            (Method::DELETE, format!("/api/interviews/{NONE}/invites/{NONE}")),
            (Method::GET, format!("/internal/interviews/{NONE}")),
        ]
    };
    for (method, path) in rows() {
        assert_eq!(ask(method, path.clone()).await, (404, "INTERVIEW_NOT_FOUND".into(), None), "{path}");
    }
    database.stop();
    for (method, path) in rows() {
        assert_eq!(ask(method, path.clone()).await, (503, "UNAVAILABLE".into(), Some("1".into())), "{path}");
    }
    // A candidate's token is looked for there as well.
    let answer = Answer::of(hub.request(Method::POST, "/api/interviews/join-token").bearer_auth("opaque")).await;
    assert_eq!((answer.status, answer.error()), (503, "UNAVAILABLE"));
    database.restart();
    for (method, path) in rows() {
        assert_eq!(ask(method, path.clone()).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_caller_has_twenty_requests_a_minute_to_each_route() {
    let Some(world) = World::start(2, &[("RATE_LIMIT_INTERVIEWS_PER_MINUTE", "")]).await else { return };
    let interview = create(&world, json!({})).await;
    let token = recruiter("recruiter", "r-1", Some(ORG));
    let invites = format!("/api/interviews/{}/invites", interview.id);
    let (start, mut accepted) = (Instant::now(), 0);
    let refused = loop {
        let answer = open(&world, accepted as usize % 2, &interview.token, &interview, None).await;
        if answer.status != 201 {
            break answer;
        }
        accepted += 1;
        // Every three seconds one is given back.
        assert!(accepted <= 21 + start.elapsed().as_secs() / 3, "nothing ends the requests");
    };
    assert!(accepted >= 20, "only {accepted} requests passed");
    let said = (refused.status, refused.error(), refused.header("ratelimit-limit"), refused.header("ratelimit-remaining"));
    assert_eq!(said, (429, "RATE_LIMIT", Some("20"), Some("0")));
    let wait = refused.header("retry-after").and_then(|wait| wait.parse().ok()).unwrap_or(0);
    assert!((1..=3).contains(&wait), "wait {wait} s");
    // Others, and other routes, have buckets of their own.
    for (by, body) in [
        (As::Bearer(&token), joining(&interview, "observer", None)),
        (As::Internal, joining(&interview, "candidate", Some(CANDIDATE))),
        (As::Internal, joining(&interview, "observer", Some("boss"))),
        (As::Bearer(&invite(&world, &interview).await.1), joining(&interview, "candidate", None)),
    ] {
        let answer = join(&world, 0, by, &body).await;
        assert_eq!((answer.status, answer.header("ratelimit-remaining")), (201, Some("19")), "{}", answer.body);
    }
    let answer = send(&world, 1, Method::POST, &invites, As::Bearer(&token), None).await;
    let left = answer.header("ratelimit-remaining");
    assert!(answer.status == 201 && matches!(left, Some("18" | "19")), "{} {left:?}", answer.status);
}

#[tokio::test]
async fn interviews_that_there_are_not_have_no_bucket_each() {
    // So a bucket lasts for a minute.
    let Some(world) = World::start(1, &[("RATE_LIMIT_INTERVIEWS_PER_MINUTE", "1")]).await else { return };
    let interview = create(&world, json!({})).await;
    for _ in 0..20 {
        let mut body = joining(&interview, "candidate", Some(CANDIDATE));
        body["interviewId"] = uuid::Uuid::new_v4().to_string().into();
        assert!(matches!(join(&world, 0, As::Internal, &body).await.status, 404 | 429));
    }
    let buckets: Vec<String> = world.redis.ask(redis::cmd("KEYS").arg("limit:interviews-join:*"));
    assert!(buckets.len() <= 1, "{buckets:?}");
}
