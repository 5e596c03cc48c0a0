//! How interviews end otherwise than by the last answer: by time, and by the company's own services.

use serde_json::{Value, json};

use crate::interviews_world::{MANY_ADDRESSES, begin, connect, create, observe, overview, set_status, until_state};
use crate::support::booking::World;

#[tokio::test]
async fn a_session_expires_a_day_after_it_was_made_whatever_it_does() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES, ("INTERVIEW_SWEEP_SECONDS", "1")]).await else { return };
    let interview = create(&world, json!({})).await;
    let mut observer = observe(&world, 1, &interview).await;
    let (candidate, session) = begin(&world, 0, &interview).await;
    let back =
        format!("UPDATE convoke.sessions SET created_at = now() - interval '1 day' WHERE interview_id = '{}'", interview.id);
    world.sql(&back).await;
    assert_eq!(observer.wait("interview-interrupted").await["reason"], "expired");
    let refused = candidate.ask("start-interview", json!({ "sessionId": session })).await;
    assert_eq!(refused["code"], "NO_ACTIVE_SESSION", "{refused}");
    let refused = candidate.ask("join-interview", json!({"interviewId": interview.id})).await;
    assert_eq!(refused["code"], "INTERVIEW_UNAVAILABLE");
    let whole = until_state(&world, &interview, "expired").await;
    assert_eq!(whole["status"], "EXPIRED");
    observer.settle().await;
    assert_eq!(observer.received("interview-interrupted").len(), 1);
}

#[tokio::test]
async fn an_end_by_another_service_ends_the_live_session() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    for (status, state) in [("COMPLETED", "completed"), ("CANCELLED", "cancelled")] {
        let interview = create(&world, json!({})).await;
        let mut observer = observe(&world, 1, &interview).await;
        let (mut candidate, session) = begin(&world, 1, &interview).await;
        set_status(&world, &interview, status).await;
        if status == "COMPLETED" {
            let end = candidate.wait("interview-complete").await;
            assert_eq!((&end["interviewId"], &end["sessionId"]), (&json!(interview.id), &json!(session)));
            assert_eq!(end["message"], "Interview completed");
        } else {
            assert_eq!(observer.wait("interview-interrupted").await["reason"], "cancelled");
        }
        assert_eq!(candidate.ask("response-complete", json!({})).await["code"], "NO_ACTIVE_SESSION");
        let whole = until_state(&world, &interview, state).await;
        assert_eq!(whole["status"], status);
        assert!(whole["session"]["endedAt"].is_string());
    }
}

#[tokio::test]
async fn services_see_the_session_of_an_interview() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let whole = overview(&world, &interview).await;
    assert_eq!((&whole["session"], &whole["responses"]), (&Value::Null, &json!([])));
    let (candidate, session) = begin(&world, 0, &interview).await;
    let whole = overview(&world, &interview).await;
    let seen = &whole["session"];
    assert_eq!((&seen["id"], &seen["state"], &seen["currentQuestion"]), (&json!(session), &json!("active"), &json!(1)));
    assert_eq!((&seen["candidateConnected"], &seen["trustScore"]), (&json!(true), &json!(100)));
    assert_eq!(seen["progress"]["totalQuestions"], 3);
    candidate.leave().await;
    world.eventually("it is paused", async || overview(&world, &interview).await["session"]["state"] == "paused").await;
    assert_eq!(overview(&world, &interview).await["session"]["candidateConnected"], false);
    let _ = connect(&world, 0, &interview.token).await;
}

/// What Redis knew is made again of PostgreSQL's records, and nobody has to connect anew.
#[tokio::test]
async fn a_redis_that_came_back_empty_costs_no_session() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let (candidate, session) = begin(&world, 0, &interview).await;
    world
        .eventually("PostgreSQL knows of the question", async || {
            world.value(&format!("SELECT position::text FROM convoke.sessions WHERE id = '{session}'")).await == "1"
        })
        .await;
    world.redis.ask::<()>(&convoke::redis::cmd("FLUSHALL"));
    let asked = candidate.ask_ok("start-interview", json!({ "sessionId": session })).await;
    assert_eq!(asked["questionId"], "q-1");
}
