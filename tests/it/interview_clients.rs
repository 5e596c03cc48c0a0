//! The official JavaScript client in the namespace of interviews: the code of the gateway's first document as it stands, whole
//! interviews with both parsers, and an audience that hears what is meant for it and nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::interviews_world::{
    MANY_ADDRESSES, ORG, begin, connect, create, join_interview, observe, recruiter, text, until_state,
};
use crate::support::booking::World;
use crate::support::node::Script;

/// The client that the gateway's document shows. Only where the hub is, the token and the interview are put in.
const DOCUMENTED: &str = r"
import io from 'socket.io-client';

const socket = io('http://localhost:3001/interview', {
  auth: {
    token: 'your-token-here',
  },
  query: {
    userType: 'candidate',
  },
});

socket.on('connected', (data) => {
  console.log('Connected:', data);
});

socket.on('interview-ready', (data) => {
  console.log('Interview ready:', data);
});

socket.emit('join-interview', {
  interviewId: 'interview-id',
});
";

/// And how it comes back.
const RECONNECTION: &str = r"
const interviewId = 'interview-id';
let sessionId;
socket.on('interview-ready', (data) => { sessionId = data.sessionId; });

socket.on('disconnect', () => {
  // Attempt to reconnect
  socket.connect();
});

socket.on('connect', () => {
  // Rejoin interview if needed
  if (sessionId) {
    socket.emit('join-interview', { interviewId });
  }
});
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_client_runs_unchanged_and_comes_back() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let code = format!("{DOCUMENTED}{RECONNECTION}")
        .replace("http://localhost:3001", &world.hubs[0].url())
        .replace("your-token-here", &interview.token)
        .replace("interview-id", &interview.id);
    let mut client = Script::node_code(&code);
    client.expect("Connected:").await;
    client.expect("Interview ready:").await;
    // Another page takes its place, and it comes back.
    let mut other = connect(&world, 1, &interview.token).await;
    join_interview(&other, &interview).await;
    client.expect("Interview ready:").await;
    assert_eq!(other.wait("error").await["code"], "SUPERSEDED");
    client.terminate();
}

/// A whole interview by the official client, as text with some audio before each answer. Prints what it was asked, and at the end
/// the names of all events that it got.
const CANDIDATE: &str = r#"
import { io } from "socket.io-client";
import * as msgpack from "socket.io-msgpack-parser";
const options = { auth: { token: TOKEN }, query: { userType: "candidate" }, forceNew: true };
if (PARSER === "msgpack") options.parser = msgpack.default ?? msgpack;
const socket = io(`${HUB}/interview`, options);
const names = new Set();
socket.onAny((name) => names.add(name));
socket.on("error", (error) => console.log("error", JSON.stringify(error)));
socket.on("connect_error", (error) => console.log("connect_error", error.message));
const patience = socket.timeout(40_000);
await new Promise((resolve) => socket.once("connected", resolve));
const ready = await patience.emitWithAck("join-interview", { interviewId: INTERVIEW });
let step = await patience.emitWithAck("start-interview", { sessionId: ready.sessionId });
while (step.questionId) {
  console.log("asked", step.order, step.questionId, step.text);
  const audio = Buffer.alloc(8000, step.order);
  for (const audioData of [audio, audio.toString("base64")]) {
    const taken = await patience.emitWithAck("audio-chunk", { audioData });
    if (!taken.ok) console.log("error", JSON.stringify(taken));
  }
  const answer = { transcription: `answer ${step.order}`, audioUrl: "", questionId: step.questionId };
  const asked = step;
  step = await patience.emitWithAck("response-complete", answer);
  const again = await patience.emitWithAck("response-complete", { ...answer, questionId: asked.questionId });
  console.log("repeat", JSON.stringify(again));
}
console.log("end", JSON.stringify(step));
console.log("heard", JSON.stringify([...names]));
socket.disconnect();
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_official_client_goes_through_an_interview_as_text_with_both_parsers() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    for parser in ["text", "msgpack"] {
        let interview = create(&world, json!({})).await;
        let mut observer = observe(&world, 1, &interview).await;
        let values = [("HUB", world.hubs[0].url()), ("TOKEN", interview.token.clone()), ("INTERVIEW", interview.id.clone())];
        let constants = values.into_iter().chain([("PARSER", parser.to_owned())]);
        let constants: String = constants.map(|(name, value)| format!("const {name} = {};\n", json!(value))).collect();
        let mut candidate = Script::node_code(&format!("{constants}{CANDIDATE}"));
        for (order, question) in [(1, "q-1 Tell me about yourself"), (2, "q-2 What is a lease?"), (3, "q-3 Reverse a list")] {
            assert_eq!(candidate.line().await.as_deref(), Some(&*format!("asked {order} {question}")), "{parser}");
            let repeat = candidate.expect("repeat").await;
            // A repeat of the last answer comes after the end.
            assert!(repeat.contains(r#""duplicate":true"#) || order == 3, "{repeat}");
        }
        let end: Value = serde_json::from_str(candidate.expect("end").await.trim_start_matches("end ")).expect("JSON");
        assert_eq!(
            (&end["ok"], &end["interviewId"], &end["message"]),
            (&json!(true), &json!(interview.id), &json!("Interview completed"))
        );
        let heard = candidate.expect("heard").await;
        let heard: BTreeSet<String> = serde_json::from_str(heard.trim_start_matches("heard ")).expect("JSON");
        let meant = ["connected", "interview-complete", "interview-ready", "question", "stt-unavailable"].map(str::to_owned);
        assert!(heard.is_subset(&BTreeSet::from(meant)), "a candidate gets nothing that is for those who observe: {heard:?}");
        assert!(candidate.finish().await.success());

        let completed = observer.wait("interview-completed").await;
        let unscored = json!({"overallScore": null, "recommendation": null, "strengths": [], "weaknesses": []});
        assert_eq!(completed["summary"], unscored);
        let progress = observer.wait_count("progress-update", 3).await;
        assert_eq!(progress.len(), 3, "{progress:?}");
        assert!(progress.iter().all(|update| update["score"].is_null() && update["evaluation"].is_null()));
        let asked: Vec<_> = observer.received("question-asked").iter().map(|asked| text(&asked["questionId"])).collect();
        assert_eq!(asked, ["q-2", "q-3"], "once each, and not for the first question");
        let whole = until_state(&world, &interview, "completed").await;
        assert_eq!(whole["status"], "COMPLETED");
        let answers: Vec<_> =
            whole["responses"].as_array().expect("answers").iter().map(|answer| text(&answer["transcription"])).collect();
        assert_eq!(answers, ["answer 1", "answer 2", "answer 3"]);
    }
}

/// What a recruiter hears of one interview is not told to those of another, nor to the other candidate.
#[tokio::test]
async fn nobody_hears_of_another_interview() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    let (one, other) = (create(&world, json!({})).await, create(&world, json!({"organizationId": "org-2"})).await);
    let observer = observe(&world, 0, &one).await;
    let of_other = connect(&world, 1, &recruiter("recruiter", "r-2", Some("org-2"))).await;
    of_other.ask_ok("observe-interview", json!({"interviewId": other.id})).await;
    // In sight, and not observed.
    let colleague = connect(&world, 0, &recruiter("recruiter", "r-3", Some(ORG))).await;
    let (candidate, _) = begin(&world, 0, &one).await;
    let of_other_candidate = connect(&world, 0, &other.token).await;
    candidate.ask_ok("proctor-event", json!({"type": "tab-switch", "severity": "critical"})).await;
    observer.wait_count("trust-score-update", 1).await;
    join_interview(&of_other_candidate, &other).await;
    of_other.wait_count("candidate-joined", 1).await;
    for client in [&of_other, &colleague, &of_other_candidate] {
        client.settle().await;
        let heard = client.events();
        assert!(heard.iter().all(|event| !event.name.contains("trust") && event.name != "interview-started"), "{heard:?}");
    }
    let heard = observer.received("candidate-joined");
    assert_eq!(heard.len(), 1, "{heard:?}");
}
