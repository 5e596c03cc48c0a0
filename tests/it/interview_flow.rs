//! An interview from the first join to the last answer, with no vendor: as text from its template, unscored.

use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use convoke::features::interviews::scripts::session_read;
use convoke::redis::Value as RedisValue;
use convoke::redis::cmd;
use convoke::redis::script::{BadReply, Eval, Script};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::interviews_world::{MANY_ADDRESSES, ORG, begin, connect, create, join_interview, recruiter, text};
use crate::support::booking::World;
use crate::support::hub::Hub;
use crate::support::raw;
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

/// Two nodes, with an AI that takes so long to score an answer and to find the next question.
async fn thinking_for(ms: u64) -> Option<(World, Server)> {
    let vendors = Server::start().await;
    vendors.vendors.fail(|faults| faults.ai = AiFault::Slow { ms });
    let settings = vendors.settings();
    let env = settings.iter().map(|(name, value)| (*name, value.as_str())).chain([MANY_ADDRESSES]);
    let world = World::start(2, &env.collect::<Vec<_>>()).await?;
    Some((world, vendors))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_waits_for_what_follows_on_an_answer_without_asking_redis() {
    let Some((world, _vendors)) = thinking_for(2500).await else { return };
    let asked = Asked::default();
    let _ = session_read(&asked, Uuid::nil()).await;
    let reads = *asked.0.lock().unwrap().as_ref().expect("a script");
    // A connection sends the text of a script the first time, and its hash from then on. The slow log shows the beginning of a text.
    let text = format!("local NAME = '{}'", reads.name);
    for (name, value) in [("slowlog-max-len", 100_000), ("slowlog-log-slower-than", 0)] {
        let _: String = world.redis.ask(cmd("CONFIG").arg("SET").arg(name).arg(value));
    }
    /// The id, when, microseconds, the words, and whose it was.
    type Slow = (u64, u64, u64, Vec<Vec<u8>>, String, String);
    let looks = || {
        let log: Vec<Slow> = world.redis.ask(cmd("SLOWLOG").arg("GET").arg(-1));
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

/// A client that polls at a node, one packet at a time.
struct Poller {
    http: reqwest::Client,
    url: String,
}

impl Poller {
    async fn open(hub: &Hub) -> (Self, String) {
        let (http, url) = (raw::http(), format!("{}/socket.io/?EIO=4&transport=polling", hub.url()));
        let open = http.get(&url).send().await.expect("an answer").text().await.expect("text");
        let sid = raw::sid_of(&open);
        (Self { http, url: format!("{url}&sid={sid}") }, sid)
    }

    /// Sends a packet, and polls until one comes that begins so; gives the rest of it.
    async fn ask(&self, packet: String, answer: &str) -> Value {
        self.say(packet).await;
        loop {
            let payload = self.http.get(&self.url).send().await.expect("an answer").text().await.expect("text");
            if let Some(rest) = payload.split('\x1e').find_map(|packet| packet.strip_prefix(answer)) {
                return serde_json::from_str(rest).expect("JSON");
            }
        }
    }

    async fn say(&self, packet: String) {
        let answer = self.http.post(&self.url).body(packet).send().await.expect("an answer");
        assert_eq!(answer.text().await.expect("text"), "ok");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_acknowledgement_that_waits_follows_its_session_to_another_node() {
    let Some((world, _vendors)) = thinking_for(2000).await else { return };
    let interview = create(&world, json!({})).await;
    let (polling, sid) = Poller::open(&world.hubs[0]).await;
    polling.ask(format!("40/interview,{}", json!({"token": interview.token})), "40/interview,").await;
    let event = |id: u32, name: &str, payload: Value| format!("42/interview,{id}{}", json!([name, payload]));
    let ready = polling.ask(event(1, "join-interview", json!({"interviewId": interview.id})), "43/interview,1").await;
    polling.ask(event(2, "start-interview", json!({"sessionId": ready[0]["sessionId"]})), "43/interview,2").await;
    polling.say(event(3, "response-complete", json!({"transcription": "in my own words"}))).await;

    let url = format!("{}/socket.io/?EIO=4&transport=websocket&sid={sid}", world.hubs[1].url().replacen("http", "ws", 1));
    let (mut ws, _) = tokio_tungstenite::connect_async(url).await.expect("it opens");
    ws.send(Message::text("2probe")).await.expect("it is sent");
    assert_eq!(ws.next().await.expect("open").expect("a message"), Message::text("3probe"));
    ws.send(Message::text("5")).await.expect("it is sent");
    let acknowledged = async {
        loop {
            let message = ws.next().await.expect("open").expect("a message").into_text().expect("text");
            if let Some(rest) = message.strip_prefix("43/interview,3") {
                return serde_json::from_str::<Value>(rest).expect("JSON");
            }
        }
    };
    let next = tokio::time::timeout(Duration::from_secs(20), acknowledged).await.expect("in time");
    assert_eq!((&next[0]["ok"], &next[0]["order"]), (&json!(true), &json!(2)), "{next}");
}
