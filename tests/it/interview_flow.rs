//! An interview from the first join to the last answer, with no vendor: as text from its template, unscored.

use serde_json::{Value, json};

use crate::interviews_world::{MANY_ADDRESSES, ORG, connect, create, join_interview, recruiter, text};
use crate::support::booking::World;

#[tokio::test]
async fn a_candidate_joins_is_asked_and_is_seen_by_those_who_observe() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let mut observer = connect(&world, 1, &recruiter("recruiter", "r-1", Some(ORG))).await;
    let started = observer.ask_ok("observe-interview", json!({"interviewId": interview.id})).await;
    assert_eq!((&started["session"], &started["isLive"]), (&Value::Null, &json!(false)));
    assert_eq!(started["interview"]["candidateEmail"], "ada@example.com");
    assert_eq!(observer.wait("observation-started").await["interview"], started["interview"]);

    let mut candidate = connect(&world, 0, &interview.token).await;
    let ready = candidate.ask_ok("join-interview", json!({"interviewId": interview.id})).await;
    assert_eq!((&ready["estimatedDuration"], &ready["status"]), (&json!(39), &json!("ONGOING")));
    assert_eq!(ready["template"], json!({"id": "backend", "title": "Backend engineer", "totalDuration": 39}));
    let event = candidate.wait("interview-ready").await;
    assert_eq!(event["sessionId"], ready["sessionId"]);
    assert!(event.get("ok").is_none());
    assert_eq!(observer.wait("candidate-joined").await["candidateName"], "Ada Lovelace");

    let asked = candidate.ask_ok("start-interview", json!({"sessionId": ready["sessionId"]})).await;
    let question = candidate.wait("question").await;
    let first = json!({"questionId": "q-1", "text": "Tell me about yourself", "audioUrl": "", "type": "BEHAVIORAL", "order": 1});
    assert_eq!(question, first);
    assert_eq!((&asked["questionId"], &asked["order"]), (&json!("q-1"), &json!(1)));
    assert_eq!(observer.wait("interview-started").await["firstQuestion"], "Tell me about yourself");

    // Started again: the open question again, and nothing to those who observe.
    candidate.ask_ok("start-interview", json!({"sessionId": ready["sessionId"]})).await;
    assert_eq!(candidate.wait("question").await, first);
    assert_eq!(observer.received("interview-started").len(), 1);
}

#[tokio::test]
async fn a_candidate_comes_back_with_a_new_socket_and_finds_the_same_question() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let mut observer = connect(&world, 1, &recruiter("recruiter", "r-1", Some(ORG))).await;
    observer.ask_ok("observe-interview", json!({"interviewId": interview.id})).await;
    let candidate = connect(&world, 0, &interview.token).await;
    let session = join_interview(&candidate, &interview).await;
    candidate.ask_ok("start-interview", json!({ "sessionId": session })).await;
    candidate.leave().await;
    // A DISCONNECT packet counts at once.
    assert_eq!(observer.wait("interview-interrupted").await["reason"], "disconnect");

    let mut back = connect(&world, 1, &interview.token).await;
    assert_eq!(join_interview(&back, &interview).await, session);
    assert_eq!(back.wait("question").await["questionId"], "q-1");
    observer.wait_count("candidate-joined", 2).await;
    assert_eq!(observer.received("interview-started").len(), 1);
    assert!(observer.received("question-asked").is_empty());
}

#[tokio::test]
async fn the_socket_that_joined_last_is_the_candidates() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let mut first = connect(&world, 0, &interview.token).await;
    let session = join_interview(&first, &interview).await;
    first.ask_ok("start-interview", json!({ "sessionId": session })).await;
    // Before it has joined, a second socket has no session.
    let second = connect(&world, 1, &interview.token).await;
    let refused = second.ask("response-complete", json!({"transcription": "x"})).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("NO_ACTIVE_SESSION"), &json!("No active session")));
    join_interview(&second, &interview).await;
    let error = first.wait_for("error", |error| error["code"] == "SUPERSEDED").await;
    assert_eq!(text(&error["interviewId"]), interview.id);
    first.disconnected().await;
    second.ask_ok("start-interview", json!({ "sessionId": session })).await;
}
