//! One whole interview as clients see it: official clients, three nodes behind a balancer that is not sticky, and stand-ins for the
//! vendors. The candidate's node is killed in the middle of the second question.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use crate::interviews_world::{As, Interview, MANY_ADDRESSES, ORG, create, recruiter, send, text};
use crate::support::booking::World;
use crate::support::eventually;
use crate::support::haproxy::HaProxy;
use crate::support::node::Script;
use crate::support::vendors::{self, speech};

/// A chunk is five numbers of 50 ms.
const NUMBERS: i16 = 5;

/// An official client whose connection may be lost. What it is told is kept.
struct Client {
    script: Script,
    /// Names with their payloads, in order.
    events: Vec<(String, Value)>,
    connections: usize,
    acks: usize,
}

impl Client {
    async fn connect(url: &str, token: &str, transports: &str) -> Self {
        let options = json!({"reconnectionDelay": 50, "reconnectionDelayMax": 200, "timeout": 2000});
        let script = Script::node("talk.mjs", &[&format!("{url}/interview"), token, transports, "text", &options.to_string()]);
        let mut client = Self { script, events: Vec::new(), connections: 0, acks: 0 };
        client.until("it is connected", |client| client.connections == 1).await;
        client
    }

    /// Reads what it says until something holds.
    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            let line = self.script.line().await.unwrap_or_else(|| panic!("it ended before {what}: {:#?}", self.events));
            let (fact, value) = line.split_once(' ').unwrap_or((&line, "null"));
            match fact {
                "connected" => self.connections += 1,
                "ack" => {
                    let ack: Value = serde_json::from_str(value).expect("JSON");
                    assert_eq!(ack["ok"], true, "{what}: {ack}");
                    self.acks += 1;
                }
                "event" => {
                    let mut event: Value = serde_json::from_str(value).expect("JSON");
                    let payload = event[1].take();
                    self.events.push((text(&event[0]), payload));
                }
                _ => {}
            }
        }
    }

    fn received(&self, name: &str) -> Vec<Value> {
        self.events.iter().filter(|(event, _)| event == name).map(|(_, payload)| payload.clone()).collect()
    }

    async fn event(&mut self, name: &str, count: usize) -> Value {
        self.until(&format!("{name} number {count}"), |client| client.received(name).len() >= count).await;
        self.received(name).swap_remove(count - 1)
    }

    fn emit(&mut self, event: &str, payload: &Value) {
        self.script.order(&json!(["emit", event, payload]).to_string());
    }

    async fn ask(&mut self, event: &str, payload: &Value) {
        self.script.order(&json!(["ask", event, payload]).to_string());
        let acks = self.acks + 1;
        self.until(&format!("{event} is acknowledged"), |client| client.acks == acks).await;
    }

    /// Says numbers, in real time. Every other chunk is binary.
    async fn say(&mut self, numbers: std::ops::RangeInclusive<i16>) {
        let mut due = Instant::now();
        for (at, first) in numbers.step_by(NUMBERS as usize).enumerate() {
            let pcm: Vec<u8> = (first..first + NUMBERS).flat_map(speech::numbered).collect();
            let data = base64(&pcm);
            let data = if at % 2 == 0 { json!(data) } else { json!({"$bytes": data}) };
            self.ask("audio-chunk", &json!({"audioData": data})).await;
            due += Duration::from_millis(250);
            sleep_until(due).await;
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The place of the node with which the candidate's present socket is connected.
fn candidates_node(world: &World, interview: &Interview) -> usize {
    let sid: String = world.redis.ask(redis::cmd("HGET").arg(format!("interview:session:{{{}}}", interview.id)).arg("sid"));
    let member: String =
        world.redis.ask(redis::cmd("HGET").arg(format!("scope:members:interview:{{{}}}", interview.id)).arg(sid));
    (0..world.hubs.len()).find(|node| member.contains(&format!("whole-{node}"))).unwrap_or_else(|| panic!("{member}"))
}

/// The numbers in the audio of a stored answer.
fn stored_numbers(file: &[u8]) -> Vec<i16> {
    file[44..].chunks(1_600).map(|window| i16::from_le_bytes([window[0], window[1]])).collect()
}

/// Events without what differs from run to run.
fn names(events: &[(String, Value)]) -> Vec<(String, Value)> {
    let is_partial = |(name, payload): &&(String, Value)| name == "live-transcript" && payload["isFinal"] == false;
    events.iter().filter(|event| !is_partial(event)).cloned().collect()
}

async fn start() -> Option<(vendors::Server, World, HaProxy)> {
    let vendors = vendors::Server::start().await;
    let settings = vendors.settings();
    let mut env: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    env.extend([MANY_ADDRESSES, ("NODE_LEASE_MS", "4000")]);
    let mut world = World::start(0, &env).await?;
    for node in 0..3 {
        world.add_node(&[("NODE_ID", &format!("whole-{node}"))]).await;
    }
    let ports: Vec<u16> = world.hubs.iter().map(|hub| hub.address.port()).collect();
    let balancer = HaProxy::start(&ports);
    Some((vendors, world, balancer))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_interview_survives_the_death_of_the_candidates_node() {
    let Some((vendors, world, balancer)) = start().await else { return };
    let url = format!("http://127.0.0.1:{}", balancer.port);
    let interview = create(&world, json!({})).await;
    let joining = json!({"interviewId": interview.id});

    let mut candidate = Client::connect(&url, &interview.token, "websocket").await;
    candidate.ask("join-interview", &joining).await;
    let ready = candidate.event("interview-ready", 1).await;
    let node = candidates_node(&world, &interview);
    let other = (node + 1) % 3;
    let mut observer = Client::connect(&world.hubs[other].url(), &recruiter("recruiter", "r-1", Some(ORG)), "default").await;
    observer.ask("observe-interview", &joining).await;

    candidate.ask("start-interview", &json!({"sessionId": ready["sessionId"]})).await;
    let first = candidate.event("question", 1).await;
    assert_eq!((&first["questionId"], &first["order"]), (&json!("q-1"), &json!(1)));
    assert!(first["audioUrl"].as_str().is_some_and(|url| url.starts_with("http")), "{first}");
    candidate.say(1..=20).await;
    candidate.emit("response-complete", &json!({"transcription": "", "audioUrl": ""}));
    let second = candidate.event("question", 2).await;
    assert_eq!((&second["questionId"], &second["order"]), (&json!("q-2"), &json!(2)));

    // The node dies in the middle of the second answer.
    candidate.say(21..=40).await;
    assert_eq!(candidates_node(&world, &interview), node);
    world.hubs[node].kill();
    candidate.until("it is connected again", |client| client.connections == 2).await;
    candidate.ask("join-interview", &joining).await;
    assert_eq!(candidate.event("interview-ready", 2).await["sessionId"], ready["sessionId"]);
    assert_eq!(candidate.event("question", 3).await, second, "the same question, unchanged");
    candidate.say(41..=60).await;
    candidate.emit("response-complete", &json!({"transcription": "", "audioUrl": ""}));
    let third = candidate.event("question", 4).await;
    assert_eq!((&third["questionId"], &third["order"]), (&json!("q-3"), &json!(3)));
    candidate.say(61..=80).await;
    candidate.emit("response-complete", &json!({"transcription": "", "audioUrl": "", "questionId": "q-3"}));
    let end = candidate.event("interview-complete", 1).await;
    assert_eq!((&end["interviewId"], &end["sessionId"]), (&json!(interview.id), &ready["sessionId"]));
    observer.event("interview-completed", 1).await;

    // Whole: each number was heard once, in the answer to which it belongs, and is in the stored audio.
    for (question, numbers) in [("q-1", 1..=20), ("q-2", 21..=60), ("q-3", 61..=80)] {
        let expected: Vec<i64> = numbers.collect();
        let query = format!(
            "SELECT stt_transcript FROM convoke.responses WHERE interview_id = '{}' AND question_id = '{question}'",
            interview.id
        );
        // Finals that came late amend what is stored.
        let is_heard = async || speech::numbers(&world.value(&query).await) == expected;
        world.eventually(&format!("{expected:?} were heard for {question}"), is_heard).await;
        let name = format!("answer-{}.wav", &question[2..]);
        let key = || vendors.vendors.state().files.keys().into_iter().find(|key| key.ends_with(&name));
        eventually(&format!("{name} is stored"), || key().is_some()).await;
        let key = key().expect("it is stored");
        let file = vendors.vendors.state().files.get(&key).expect("a file");
        let stored: Vec<i64> = stored_numbers(&file).into_iter().map(i64::from).collect();
        assert_eq!(stored, expected, "{question}");
    }

    // Nothing was asked or scored twice.
    let scored = format!("SELECT count(*) FROM convoke.responses WHERE interview_id = '{}' AND score IS NOT NULL", interview.id);
    world.eventually("each is scored", async || world.value(&scored).await == "3").await;
    let calls = vendors.vendors.seen().ai.calls;
    assert_eq!(calls.values().sum::<u64>(), 3 + 2 + 1, "{calls:?}");
    let asked: Vec<_> = observer.received("question-asked").iter().map(|asked| text(&asked["questionId"])).collect();
    assert_eq!(asked, ["q-2", "q-3"]);
    assert_eq!(observer.received("interview-started").len(), 1);
    let progress: Vec<_> = observer.received("progress-update").iter().map(|update| update["score"].is_number()).collect();
    assert_eq!(progress, [true; 3]);

    // One who observes from now on is shown all that the other one was told, in the same order and nothing else.
    let mut late = Client::connect(&world.hubs[other].url(), &recruiter("recruiter", "r-2", Some(ORG)), "websocket").await;
    late.ask("observe-interview", &joining).await;
    let history = late.event("observation-started", 1).await;
    let history: Vec<(String, Value)> = history["events"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| (text(&event["event"]), event["data"].clone()))
        .collect();
    let begin = history.iter().position(|(name, _)| name == "interview-started").expect("it was started");
    let told = |observer: &Client| -> Vec<_> {
        let is_news = |(name, _): &(String, Value)| name != "observation-started" && name != "connected";
        names(&observer.events).into_iter().filter(is_news).collect()
    };
    observer.until("it is told all", |observer| told(observer).len() >= history.len() - begin).await;
    assert_eq!(told(&observer), history[begin..], "{history:#?}");

    // A candidate hears nothing of what it is worth.
    let mut known = vec!["connected", "interview-ready", "question", "transcription", "interview-complete"];
    known.extend(["stt-unavailable", "stt-available"]);
    for (name, payload) in &candidate.events {
        assert!(known.contains(&&**name) && payload.get("score").is_none(), "{name} {payload}");
    }
    let shown =
        send(&world, other, reqwest::Method::GET, &format!("/internal/interviews/{}", interview.id), As::Internal, None).await;
    assert_eq!(shown.body["status"], "COMPLETED");
    // What is stored does not end after a day: an address is made for those who ask.
    let stored = format!("SELECT audio_url FROM convoke.responses WHERE interview_id = '{}' AND position = 1", interview.id);
    assert_eq!(world.value(&stored).await, format!("interviews/{}/answer-1.wav", interview.id));
    let file = reqwest::get(text(&shown.body["responses"][0]["audioUrl"])).await.unwrap().bytes().await.unwrap();
    assert_eq!(stored_numbers(&file), (1..=20).collect::<Vec<i16>>());
    eventually("the speech streams are closed", || vendors.vendors.seen().speech.open == 0).await;
}
