//! Who may send what in the namespace of interviews: every event, every kind of caller, their own interview and another one's. The
//! table is the test.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::interviews_world::{Interview, MANY_ADDRESSES, ORG, begin, connect, connection, create, recruiter, refusal};
use crate::support::booking::World;
use crate::support::client::Client;

const EVENTS: [&str; 18] = [
    "join-interview",
    "start-interview",
    "audio-chunk",
    "response-complete",
    "proctor-event",
    "observe-interview",
    "heartbeat",
    "auth:refresh",
    "joinRoom",
    "offer",
    "answer",
    "iceCandidate",
    "signal",
    "chat:message",
    "chat:history",
    "editor:update",
    "screen:share",
    "leaveRoom",
];

/// A payload with nothing wrong in it but whose it is. An answer to a question that was never asked, so that nothing follows on it.
fn payload(event: &str, interview: &Interview, session: &str, token: &str, role: &str) -> Value {
    let id = &interview.id;
    match event {
        "start-interview" => json!({ "sessionId": session }),
        "audio-chunk" => json!({"audioData": "AAAA".repeat(400)}),
        "response-complete" => json!({"transcription": "x", "questionId": "never-asked"}),
        "proctor-event" => json!({"type": "tab-switch", "severity": "low"}),
        "heartbeat" => json!({}),
        "auth:refresh" => json!({ "token": token }),
        "joinRoom" => json!({"interviewId": id, "role": role}),
        "offer" | "answer" | "iceCandidate" | "signal" => json!({"interviewId": id, "payload": {}}),
        "chat:message" => json!({"interviewId": id, "text": "hello"}),
        "editor:update" => json!({"interviewId": id, "update": "x", "version": 700}),
        "screen:share" => json!({"interviewId": id, "active": true}),
        _ => json!({ "interviewId": id }),
    }
}

fn outcome(reply: &Value) -> String {
    match reply["ok"].as_bool() {
        Some(true) => "ok".into(),
        _ => reply["code"].as_str().unwrap_or("?").into(),
    }
}

#[tokio::test]
async fn each_event_is_for_those_whose_it_is() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let own = create(&world, json!({})).await;
    let foreign = create(&world, json!({"organizationId": "org-2", "recruiterIds": []})).await;
    let (_own_candidate, own_session) = begin(&world, 0, &own).await;
    let (_other_candidate, foreign_session) = begin(&world, 0, &foreign).await;
    let jwt = |role: &str, user: &str, org: &str| recruiter(role, user, Some(org));
    let callers = [
        ("candidate", own.token.clone(), "candidate"),
        ("candidate of the other interview", foreign.token.clone(), "candidate"),
        ("recruiter of the organization", jwt("recruiter", "r-1", ORG), "interviewer"),
        ("recruiter who is named", jwt("recruiter", "named", "org-3"), "interviewer"),
        ("interviewer of the organization", jwt("interviewer", "i-1", ORG), "interviewer"),
        ("observer of the organization", jwt("observer", "o-1", ORG), "observer"),
        ("admin", jwt("admin", "a-1", "org-9"), "interviewer"),
        ("recruiter of another organization", jwt("recruiter", "r-9", "org-9"), "interviewer"),
    ];
    let mut table = String::new();
    for (caller, token, role) in &callers {
        let client = connect(&world, 0, token).await;
        if *role == "candidate" {
            take_its_place(&client, if **token == own.token { &own } else { &foreign }).await;
        }
        writeln!(table, "{caller}").unwrap();
        for event in EVENTS {
            let mut outcomes = Vec::new();
            for (interview, session) in [(&own, &own_session), (&foreign, &foreign_session)] {
                let payload = payload(event, interview, session, token, role);
                let reply = client.ask(event, payload.clone()).await;
                assert!(reply["ok"] == true || reply["message"].is_string(), "{caller} {event} {payload}: {reply}");
                outcomes.push(outcome(&reply));
            }
            writeln!(table, "  {event}: {}", outcomes.join(" / ")).unwrap();
        }
        client.leave().await;
    }
    writeln!(table, "nobody: {}", refusal(connection(&world, 0, "").auth(json!({}))).await).unwrap();
    insta::assert_snapshot!(table);
}

/// The candidate's socket that was there before is in the way.
async fn take_its_place(client: &Client, interview: &Interview) {
    client.ask_ok("join-interview", json!({"interviewId": interview.id})).await;
}

#[tokio::test]
async fn without_an_ack_a_refusal_is_an_error_event_that_names_the_interview() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let mut observer = connect(&world, 0, &recruiter("observer", "o-1", Some(ORG))).await;
    let absent = "6f6a7b1e-0d6c-4a57-9a3e-0d5a8f3f8f11";
    for (event, payload, code, id) in [
        ("observe-interview", json!({"interviewId": absent}), "INTERVIEW_NOT_FOUND", json!(absent)),
        ("observe-interview", json!({"interviewId": "none"}), "INTERVIEW_NOT_FOUND", Value::Null),
        ("observe-interview", json!({}), "INVALID_PAYLOAD", Value::Null),
        ("observe-interview", json!({"interviewId": interview.id, "after": "x"}), "INVALID_PAYLOAD", json!(interview.id)),
        ("join-interview", json!({"interviewId": interview.id}), "FORBIDDEN", json!(interview.id)),
        ("no-event", json!({}), "UNKNOWN_EVENT", Value::Null),
    ] {
        observer.emit(event, payload.clone());
        let error = observer.wait_for("error", |error| error["event"] == event).await;
        assert_eq!((&error["code"], &error["interviewId"]), (&json!(code), &id), "{event} {payload}: {error}");
    }
    let mut candidate = connect(&world, 0, &interview.token).await;
    let with_its_own = |code: &str, message: &str| (json!(code), json!(message), json!(interview.id));
    for (event, payload, expected) in [
        (
            "join-interview",
            json!({"interviewId": absent}),
            (json!("INTERVIEW_NOT_FOUND"), json!("Interview not found or invalid token"), json!(absent)),
        ),
        ("observe-interview", json!({}), with_its_own("FORBIDDEN", "Not allowed")),
        ("start-interview", json!({"sessionId": "x"}), with_its_own("NO_ACTIVE_SESSION", "No active session")),
        (
            "audio-chunk",
            json!({"audioData": "AAAA"}),
            with_its_own("INVALID_AUDIO", "audioData must hold whole samples of 16 bits"),
        ),
        ("response-complete", json!({}), with_its_own("NO_ACTIVE_SESSION", "No active session")),
    ] {
        candidate.emit(event, payload);
        let error = candidate.wait_for("error", |error| error["event"] == event).await;
        assert_eq!((error["code"].clone(), error["message"].clone(), error["interviewId"].clone()), expected, "{event}: {error}");
    }
    candidate.ask_ok("join-interview", json!({"interviewId": interview.id})).await;
    let refused = candidate.ask("start-interview", json!({"sessionId": "x"})).await;
    assert_eq!((&refused["code"], &refused["message"]), (&json!("SESSION_NOT_FOUND"), &json!("Session not found")));
}
