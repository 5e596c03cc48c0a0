//! The life of an interview session over HTTP: it starts, is shown, and ends once, by its user or by time.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::booking::{Answer, Started, World, claims, token_body};
use crate::support::hub::now_seconds;
use crate::support::livekit;

/// Ends and starts with whatever the rules allow.
const MANY: (&str, &str) = ("BETA_INTERVIEWS_PER_USER", "1000");
/// Rounds of the jobs that a test waits for.
const OFTEN: (&str, &str) = ("TIMEOUT_ENFORCEMENT_INTERVAL_MS", "200");

#[tokio::test]
async fn a_session_starts_is_shown_and_ends() {
    for server in livekit::each() {
        let Some(world) = World::on(server, 1, &[]).await else { continue };
        let user = world.user().await;
        let answer = world.start_on(0, user).await;
        let session = answer.started();
        assert_eq!(session.room, format!("{}-{}", world.prefix, session.id));
        assert_eq!(answer.body["livekit"]["roomName"], session.room);
        assert_eq!(answer.body["livekit"]["wsUrl"], world.livekit.ws_url());
        assert_eq!(world.rooms().await, [&*session.room]);
        assert_eq!(world.agents(&session.room).await, ["ai-interviewer"]);

        let row = world.get(&format!("/api/interviews/{}", session.id), user).await;
        assert_eq!((row.status, &row.body["status"]), (200, &json!("active")));
        assert_eq!(row.body["server_end_time"], answer.body["session"]["server_end_time"]);
        let slots = world.slots();
        assert_eq!(slots.len(), 1);
        assert_eq!(slots[0].0, session.id);
        let ends = format!(
            "SELECT (extract(epoch FROM server_end_time) * 1000)::bigint FROM public.interview_sessions WHERE id = '{}'",
            session.id
        );
        assert!(world.value(&ends).await.parse::<u64>().unwrap().abs_diff(slots[0].1) <= 1, "the slot ends with the session");

        let ended = world.end(&session.id, user).await;
        assert_eq!((ended.status, ended.body), (200, json!({"success": true, "message": "Session ended successfully"})));
        assert_eq!(world.status(&session.id).await, "ended_early/user_ended");
        assert_eq!(world.completed(user).await, 1);
        world.wait_until_empty().await;
        assert_eq!(world.end(&session.id, user).await.status, 404);
        assert_eq!(world.completed(user).await, 1);
    }
}

#[tokio::test]
async fn the_token_opens_the_room_until_the_session_ends() {
    let Some(world) = World::start(1, &[]).await else { return };
    let user = world.user().await;
    let session = world.started(user).await;
    let refreshed = world.post("/api/livekit/token", user, Some(token_body(&session))).await;
    assert_eq!((refreshed.status, &refreshed.body["roomName"]), (200, &json!(session.room)));
    let end = format!(
        "SELECT floor(extract(epoch FROM server_end_time))::bigint FROM public.interview_sessions WHERE id = '{}'",
        session.id
    );
    let end: u64 = world.value(&end).await.parse().unwrap();
    assert!(end.abs_diff(now_seconds() + 1800) <= 30);
    for token in [&*session.token, refreshed.body["token"].as_str().unwrap()] {
        let claims = claims(token);
        assert_eq!(claims["exp"], end, "{claims}");
        assert_eq!((&claims["sub"], &claims["name"]), (&json!(user.to_string()), &json!("u@example.com")));
        assert_eq!((&claims["video"]["room"], &claims["video"]["roomJoin"]), (&json!(session.room), &json!(true)));
        let agent = &claims["roomConfig"]["agents"][0];
        assert_eq!(agent["agentName"], "ai-interviewer");
        let metadata: Value = serde_json::from_str(agent["metadata"].as_str().unwrap()).unwrap();
        let expected =
            json!({"userId": user.to_string(), "email": "u@example.com", "sessionId": session.id, "kind": "ai-interview"});
        assert_eq!(metadata, expected);
    }
}

#[tokio::test]
async fn whoever_looks_at_an_expired_session_completes_it() {
    let Some(world) = World::start(1, &[MANY]).await else { return };
    let get = async |world: &World, session: &Started, user| world.get(&format!("/api/interviews/{}", session.id), user).await;
    for look in ["get", "status", "eligibility", "token", "start", "end"] {
        let user = world.user().await;
        let session = world.started(user).await;
        world.expire(&session.id).await;
        let answer: Answer = match look {
            "get" => get(&world, &session, user).await,
            "status" => world.get(&format!("/api/interviews/{}/status", session.id), user).await,
            "eligibility" => world.get("/api/interviews/eligibility", user).await,
            "token" => world.post("/api/livekit/token", user, Some(token_body(&session))).await,
            "start" => world.start_on(0, user).await,
            _ => world.end(&session.id, user).await,
        };
        match look {
            "get" | "status" => assert_eq!(answer.body["status"], "completed"),
            "eligibility" => assert_eq!(answer.body, json!({"canStart": true, "reason": "ELIGIBLE"})),
            "token" => {
                let body = json!({"message": "Interview session has ended", "status": "completed"});
                assert_eq!((answer.status, answer.body), (403, body));
            }
            "start" => {
                let next = answer.started();
                assert_eq!(world.end(&next.id, user).await.status, 200);
            }
            _ => assert_eq!(answer.status, 200, "{}", answer.body),
        }
        assert_eq!(world.status(&session.id).await, "completed/natural", "{look}");
        assert_eq!(world.completed(user).await, if look == "start" { 2 } else { 1 }, "{look}");
        world.wait_until_empty().await;
    }
}

#[tokio::test]
async fn time_ends_a_session_that_nobody_looks_at() {
    let Some(world) = World::start(2, &[OFTEN]).await else { return };
    let user = world.user().await;
    let session = world.started(user).await;
    world.expire(&session.id).await;
    world.eventually("it is completed", async || world.status(&session.id).await == "completed/natural").await;
    world.wait_until_empty().await;
    assert_eq!(world.completed(user).await, 1);
}

#[tokio::test]
async fn an_interview_counts_once_whoever_ends_it() {
    let Some(world) = World::start(2, &[MANY, OFTEN]).await else { return };
    for _ in 0..5 {
        let user = world.user().await;
        let session = world.started(user).await;
        world.expire(&session.id).await;
        // Both nodes' jobs are after it too.
        let path = format!("/api/interviews/{}/end", session.id);
        let ends = (0..8).map(|at| Answer::of(world.request(at % 2, Method::POST, &path, user)));
        futures_util::future::join_all(ends).await;
        assert_eq!(world.status(&session.id).await, "completed/natural");
        assert_eq!(world.completed(user).await, 1);
    }
}

#[tokio::test]
async fn who_has_had_enough_interviews_gets_no_more() {
    let Some(world) = World::start(1, &[("BETA_INTERVIEWS_PER_USER", "2")]).await else { return };
    let user = world.user().await;
    for _ in 0..2 {
        let session = world.started(user).await;
        assert_eq!(world.end(&session.id, user).await.status, 200);
    }
    let refused = world.start_on(0, user).await;
    assert_eq!((refused.status, refused.error()), (409, "BETA_LIMIT"));
    assert_eq!(refused.body["message"], "You have completed 2 interview(s). Beta limit is 2.");
}

#[tokio::test]
async fn a_user_may_have_two_sessions_where_the_limit_says_so() {
    let env = [MANY, ("MAX_ACTIVE_SESSIONS_PER_USER", "2")];
    let Some(world) = World::start(2, &env).await else { return };
    let user = world.user().await;
    let starts = futures_util::future::join_all((0..6).map(|at| world.start_on(at % 2, user))).await;
    let (good, bad): (Vec<_>, Vec<_>) = starts.into_iter().partition(|answer| answer.status == 201);
    assert_eq!(good.len(), 2, "{bad:?}");
    assert!(bad.iter().all(|answer| answer.error() == "ACTIVE_SESSION_EXISTS"), "{bad:?}");
    assert_eq!(world.active().await, 2);
    let third = world.start_on(1, user).await;
    let mut ids: Vec<_> = good.iter().map(|answer| answer.started().id).collect();
    ids.sort();
    assert!(ids.iter().any(|id| third.body["existingSessionId"] == **id), "{}", third.body);
    // Both run out in one statement, and both count.
    for id in &ids {
        world.expire(id).await;
    }
    assert_eq!(world.get("/api/interviews/eligibility", user).await.status, 200);
    assert_eq!(world.completed(user).await, 2);
    world.wait_until_empty().await;
}
