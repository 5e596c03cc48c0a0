//! Vendors that fail, as clients see it: the interview goes on, and they are told once what is missing.

use serde_json::{Value, json};

use crate::interviews_world::{MANY_ADDRESSES, ORG, connect, create, join_interview, recruiter};
use crate::support::booking::World;
use crate::support::client::Client;
use crate::support::vendors::{AiFault, Faults, Server, SpeechFault, StorageFault, VoiceFault, speech};

/// A chunk of 250 ms in which five numbers are heard.
fn chunk(first: i16) -> Value {
    use base64::Engine as _;
    let pcm: Vec<u8> = (first..first + 5).flat_map(speech::numbered).collect();
    json!({"audioData": base64::engine::general_purpose::STANDARD.encode(pcm)})
}

async fn answers(candidate: &Client, text: &str) {
    candidate.emit("response-complete", json!({"transcription": text, "audioUrl": ""}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_told_once_what_fails_and_the_interview_goes_on() {
    let vendors = Server::start().await;
    let settings = vendors.settings();
    let mut env: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    env.push(MANY_ADDRESSES);
    let Some(world) = World::start(1, &env).await else { return };
    vendors.vendors.fail(|faults| {
        faults.speech = SpeechFault::Status(503);
        faults.ai = AiFault::Malformed;
        faults.voice = VoiceFault::Status(500);
        faults.storage = StorageFault::Status(507);
    });
    let interview = create(&world, json!({})).await;
    let mut observer = connect(&world, 0, &recruiter("recruiter", "r-1", Some(ORG))).await;
    observer.ask_ok("observe-interview", json!({"interviewId": interview.id})).await;
    let mut candidate = connect(&world, 0, &interview.token).await;
    let session = join_interview(&candidate, &interview).await;
    candidate.ask_ok("start-interview", json!({ "sessionId": session })).await;
    assert_eq!(candidate.wait("question").await["audioUrl"], "", "there is no voice");
    candidate.ask_ok("audio-chunk", chunk(1)).await;
    for client in [&mut candidate, &mut observer] {
        assert_eq!(client.wait("stt-unavailable").await["reason"], "failed");
    }
    answers(&candidate, "in my own words").await;
    let question = candidate.wait("question").await;
    assert_eq!((&question["text"], &question["audioUrl"]), (&json!("What is a lease?"), &json!("")), "as the template has it");
    observer.wait("storage-unavailable").await;
    let progress = observer.wait("progress-update").await;
    assert_eq!((&progress["score"], &progress["evaluation"]), (&Value::Null, &Value::Null));

    // All of it is mended.
    vendors.vendors.fail(|faults| *faults = Faults::default());
    candidate.ask_ok("audio-chunk", chunk(6)).await;
    for client in [&mut candidate, &mut observer] {
        client.wait("stt-available").await;
    }
    answers(&candidate, "").await;
    let question = candidate.wait("question").await;
    assert!(question["audioUrl"].as_str().is_some_and(|url| url.starts_with("http")), "{question}");
    assert!(observer.wait("progress-update").await["score"].is_number());
    answers(&candidate, "that is all").await;
    candidate.wait("interview-complete").await;
    let completed = observer.wait("interview-completed").await;
    assert!(completed["summary"]["overallScore"].is_number(), "{completed}");
    for (event, count) in [("stt-unavailable", 1), ("stt-available", 1), ("storage-unavailable", 1), ("question-asked", 2)] {
        assert_eq!(observer.received(event).len(), count, "{event}");
    }
    assert!(candidate.received("storage-unavailable").is_empty(), "that is for recruiters");
    let transcript = |question: &str| {
        format!(
            "SELECT stt_transcript FROM convoke.responses WHERE interview_id = '{}' AND question_id = '{question}'",
            interview.id
        )
    };
    assert_eq!(speech::numbers(&world.value(&transcript("q-2")).await), [6, 7, 8, 9, 10]);
}
