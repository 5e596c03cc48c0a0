//! An interview from the first join to the last answer, with no vendor: as text from its template, unscored.

use std::sync::Mutex;

use bytes::Bytes;
use convoke::features::interviews::scripts::session_read;
use convoke::redis::Value as RedisValue;
use convoke::redis::cmd;
use convoke::redis::script::{BadReply, Eval, Script};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::interviews_world::{MANY_ADDRESSES, ORG, begin, connect, create, join_interview, recruiter, text};
use crate::support::booking::World;
use crate::support::vendors::{AiFault, Server};

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

/// A Redis that runs nothing and notes which script it was asked for.
#[derive(Default)]
struct Asked(Mutex<Option<&'static Script>>);

impl Eval for Asked {
    type Error = BadReply;

    async fn eval(&self, script: &'static Script, _: Vec<String>, _: Vec<Bytes>) -> Result<RedisValue, BadReply> {
        *self.0.lock().unwrap() = Some(script);
        Err(BadReply { script: script.name, detail: "nothing was run".into() })
    }

    async fn eval_write(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<RedisValue, BadReply> {
        self.eval(script, keys, args).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_waits_for_what_follows_on_an_answer_without_asking_redis() {
    let vendors = Server::start().await;
    let settings = vendors.settings();
    let mut env: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    env.push(MANY_ADDRESSES);
    let Some(world) = World::start(2, &env).await else { return };
    vendors.vendors.fail(|faults| faults.ai = AiFault::Slow { ms: 2500 });
    let asked = Asked::default();
    let _ = session_read(&asked, Uuid::nil()).await;
    let reads = *asked.0.lock().unwrap().as_ref().expect("a script");
    // A connection sends the text of a script the first time, and its hash from then on. The slow log shows the beginning of a text.
    let text = format!("local NAME = '{}'", reads.name);
    for (name, value) in [("slowlog-max-len", 100_000), ("slowlog-log-slower-than", 0)] {
        let _: String = world.redis.ask(cmd("CONFIG").arg("SET").arg(name).arg(value));
    }
    let looks = || {
        let log: Vec<(u64, u64, u64, Vec<Vec<u8>>, String, String)> = world.redis.ask(cmd("SLOWLOG").arg("GET").arg(-1));
        let is_read = |script: &[u8]| script == reads.sha().as_bytes() || script.starts_with(text.as_bytes());
        log.iter().filter(|(.., words, _, _)| words.get(1).is_some_and(|script| is_read(script))).count()
    };
    let interview = create(&world, json!({})).await;
    let (candidate, _) = begin(&world, 0, &interview).await;
    let before = looks();
    assert!(before > 0, "start-interview reads the session");
    let next = candidate.ask_ok("response-complete", json!({"transcription": "in my own words"})).await;
    assert_eq!(next["order"], 2, "{next}");
    assert_eq!(looks(), before);
}
