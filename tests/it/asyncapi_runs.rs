//! Whole runs of the official client over both namespaces: each packet in both directions is recorded and compared with the document of
//! the events.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::asyncapi::{Folder, node};
use crate::interviews_world::{Interview, MANY_ADDRESSES, ORG, connect, create, recruiter, recruiter_until};
use crate::support::booking::World;
use crate::support::client::Client;
use crate::support::hub::{Hub, now_seconds};
use crate::support::node::Script;
use crate::support::redis::Server as Redis;
use crate::support::talker::{Library, Parser, Talker, Transports};
use crate::support::vendors::{Faults, Server, SpeechFault, StorageFault, speech};

/// A run: where its packets are kept.
struct Run {
    folder: Folder,
    records: Vec<PathBuf>,
}

impl Run {
    fn new(name: &str) -> Self {
        Self { folder: Folder::new(name), records: Vec::new() }
    }

    fn record(&mut self) -> PathBuf {
        let path = self.folder.0.join(format!("{}.jsonl", self.records.len()));
        self.records.push(path.clone());
        path
    }

    async fn client(&mut self, url: &str, token: &str, transports: Transports) -> Talker {
        let parser = if self.records.len().is_multiple_of(2) { Parser::Text } else { Parser::Msgpack };
        let further = json!({"record": self.record(), "query": {"recovery": 1}});
        Talker::connect_with(Library::Node, parser, transports, url, token, &further).await
    }

    /// A client that is not let in.
    async fn refused(&mut self, url: &str, token: &str) {
        let further = json!({"record": self.record(), "reconnection": false}).to_string();
        let mut script = Script::node("talk.mjs", &[url, token, "websocket", "text", &further]);
        script.expect("refused").await;
        script.terminate();
    }

    /// Compares all packets with a document: whether they fit, and what the script says.
    fn compare(&self, document: &Value) -> (bool, String) {
        let document = self.folder.write("asyncapi.json", document);
        let files: Vec<&Path> = std::iter::once(&document).chain(&self.records).map(PathBuf::as_path).collect();
        node("asyncapi_packets.mjs", &files)
    }

    /// All packets fit. Returns the messages of one channel that did not occur.
    fn fits(&self, channel: &str) -> BTreeSet<String> {
        let (fits, told) = self.compare(&convoke::app::asyncapi());
        assert!(fits, "{told}");
        let unseen = told.lines().filter_map(|line| line.strip_prefix(&format!("unseen {channel} ")));
        unseen.map(str::to_owned).collect()
    }
}

/// A payload for each event about an SOS that no hub accepts, and some that have no shape at all.
const WRONG: [(&str, &str); 12] = [
    ("sos:init", "7"),
    ("sos:init", r#"{"sosId": "a b"}"#),
    ("sos:leave", "[]"),
    ("sos:close", r#"{"reason": 7}"#),
    ("sos:status:update", r#"{"status": "asleep"}"#),
    ("sos:ack", r#""x""#),
    ("location:update", r#"{"latitude": 91, "longitude": 0}"#),
    ("location:batch", r#"{"points": 1}"#),
    ("message:send", r#"{"text": " "}"#),
    ("message:history", r#"{"limit": 0}"#),
    ("signal", r#"{"to": "somebody"}"#),
    ("auth:refresh", "{}"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_packet_about_incidents_fits_the_document() {
    let redis = Redis::start(&[]);
    let url = redis.url();
    let env = [("REDIS_URL", &*url), ("SOS_ACK_SECONDS", "1"), ("SOS_SWEEP_SECONDS", "1")];
    let (one, two) = tokio::join!(Hub::start(&env), Hub::start(&env));
    let mut run = Run::new("asyncapi-incidents");
    run.refused(&one.url(), "no token").await;
    let mut dispatcher = run.client(&two.url(), &two.token("dispatcher", "d1", &[]), Transports::Default).await;
    dispatcher.ask_ok("sos:watch", json!({})).await;
    one.create_sos("s1", "c1").await;
    dispatcher.wait_for("sos:created", |_| true).await;
    dispatcher.wait_for("sos:unacknowledged", |_| true).await;

    // Its token ends soon.
    let token = one.token_until("citizen", "c1", &["s1"], Some(now_seconds() + 40));
    let mut citizen = run.client(&one.url(), &token, Transports::Default).await;
    citizen.wait_for("sos:state", |_| true).await;
    citizen.wait_for("auth:expiring", |_| true).await;
    citizen.ask_ok("auth:refresh", json!({"token": one.token("citizen", "c1", &["s1"])})).await;
    let mut rescuer = run.client(&two.url(), &two.token("rescuer", "r1", &["s1", "s2"]), Transports::Websocket).await;
    for client in [&mut rescuer, &mut dispatcher] {
        client.ask_ok("sos:init", json!({"sosId": "s1"})).await;
    }
    citizen.wait_for("sos:init", |joined| joined["userId"] == "r1").await;
    citizen.wait_for("presence:update", |presence| presence["count"] == 3).await;

    let here = json!({
        "latitude": 14.5, "longitude": -121, "accuracy": 5, "heading": 90, "speed": 1.5, "altitude": 10, "deviceId": "phone",
        "address": {"city": "Quezon City", "barangay": null}, "timestamp": "2026-01-31T09:30:00Z",
    });
    let there = json!({"sosId": "s1", "latitude": 0, "longitude": 0});
    citizen.ask_ok("location:update", here.clone()).await;
    citizen
        .ask_ok("location:update", json!({"latitude": 1, "longitude": 1, "clientMessageId": "l1", "address": "a street"}))
        .await;
    rescuer.ask_ok("location:update", there).await;
    citizen.wait_for("location:broadcast", |at| at["userId"] == "r1").await;
    let points = json!({"points": [here, {"latitude": 1, "longitude": 2}]});
    citizen.ask_ok("location:batch", points).await;

    let message = json!({"sosId": "s1", "text": "On my way", "clientMessageId": "m1"});
    for _ in 0..2 {
        rescuer.ask_ok("message:send", message.clone()).await;
    }
    citizen.wait_for("message:broadcast", |_| true).await;
    citizen.ask_ok("message:history", json!({"limit": 10})).await;
    for event in ["offer", "answer", "iceCandidate", "signal"] {
        rescuer.ask_ok(event, json!({"sosId": "s1", "payload": {"sdp": [1, null]}, "to": "c1"})).await;
        citizen.wait_for(event, |_| true).await;
    }
    rescuer.ask_ok("signal", json!({"sosId": "s1", "payload": {"$bytes": "AAEC"}})).await;
    citizen.wait_for("signal", |_| true).await;

    rescuer.ask_ok("sos:ack", json!({"sosId": "s1"})).await;
    citizen.wait_for("sos:acknowledged", |_| true).await;
    let assigned = json!({"sosId": "s1", "status": "assigned", "note": "unit 7"});
    for _ in 0..2 {
        rescuer.ask_ok("sos:status:update", assigned.clone()).await;
    }
    citizen.wait_for("sos:status:broadcast", |status| status["responderId"] == "r1").await;
    dispatcher.ask_ok("sos:status:update", json!({"sosId": "s1", "status": "responding"})).await;
    citizen.ask_ok("ping", json!({"sent": 1, "deep": {"a": []}})).await;
    citizen.wait_for("pong", |_| true).await;
    citizen.ask_ok("heartbeat", json!({})).await;
    citizen.wait_for("heartbeat:ack", |_| true).await;

    for (event, payload) in WRONG {
        let payload: Value = serde_json::from_str(payload).expect("JSON");
        assert_eq!(citizen.ask(event, payload.clone()).await["ok"], false, "{event} {payload}");
        citizen.emit(event, payload);
        let error = citizen.wait_for("error", |error| error["event"] == event).await;
        assert!(error["code"].is_string(), "{error}");
    }
    for (event, payload) in
        [("sos:watch", json!({})), ("sos:unwatch", json!({})), ("sos:init", json!({"sosId": "s9"})), ("what", json!(1))]
    {
        citizen.emit(event, payload);
        citizen.wait_for("error", |error| error["event"] == event).await;
    }
    assert_eq!(rescuer.ask("sos:init", json!({"sosId": "s2"})).await["ok"], true, "a provisional one");
    rescuer.ask_ok("sos:leave", json!({"sosId": "s2"})).await;
    rescuer.ask_ok("sos:leave", json!({"sosId": "s2"})).await;
    citizen.ask_ok("sos:close", json!({"reason": "safe"})).await;
    for client in [&mut citizen, &mut rescuer, &mut dispatcher] {
        client.wait_for("sos:close", |closed| closed["reason"] == "safe").await;
    }
    assert_eq!(citizen.ask("message:send", json!({"text": "too late"})).await["code"], "SOS_CLOSED");

    // One that nobody has written to for more than a day.
    one.create_sos("s3", "c3").await;
    dispatcher.ask_ok("sos:init", json!({"sosId": "s3"})).await;
    let _: i64 = redis.ask(redis::cmd("HSET").arg("sos:state:{s3}").arg("touched").arg(1));
    dispatcher.wait_for("sos:expired", |_| true).await;
    dispatcher.ask_ok("sos:unwatch", json!({})).await;
    for client in [citizen, rescuer, dispatcher] {
        client.leave().await;
    }
    assert_eq!(run.fits("sos"), BTreeSet::new(), "every message of the document occurs");
    a_document_that_is_not_true_is_noticed(&run);
}

/// A run does not fit a document that names an event less, a field more or less, another type, or a code less.
fn a_document_that_is_not_true_is_noticed(run: &Run) {
    let without = |document: &mut Value, pointer: &str, key: &str| {
        let fields = document.pointer_mut(pointer).and_then(Value::as_object_mut).unwrap_or_else(|| panic!("{pointer}"));
        assert!(fields.remove(key).is_some(), "{pointer}/{key}");
    };
    let schemas = "/components/schemas";
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Value));
    let changes: [Change<'_>; 7] = [
        ("an event is missing", &|document| without(document, "/channels/sos/messages", "send.pong")),
        ("a field is missing", &|document| without(document, &format!("{schemas}/SosMessage/properties"), "text")),
        ("a field of an acknowledgement is missing", &|document| {
            without(document, &format!("{schemas}/SosSendMessageAck/properties"), "timestamp");
        }),
        ("a field is of another type", &|document| {
            document["components"]["schemas"]["SosClosed"]["properties"]["reason"] = json!({"type": "number"})
        }),
        ("a field is required that is not sent", &|document| {
            document["components"]["schemas"]["SosPresence"]["required"] = json!(["sosId", "count", "left"]);
        }),
        ("a code is missing", &|document| {
            document["components"]["schemas"]["SosError"]["properties"]["code"] = json!({"enum": ["FORBIDDEN"]});
        }),
        ("a status is missing", &|document| document["components"]["schemas"]["SosStatus"]["enum"] = json!(["active"])),
    ];
    for (what, change) in changes {
        let mut document = convoke::app::asyncapi();
        change(&mut document);
        let (fits, told) = run.compare(&document);
        assert!(!fits && told.contains("fault"), "{what}, and nothing is noticed: {told}");
    }
}

/// A chunk of 250 ms in which five numbers are heard.
fn chunk(first: i16) -> Value {
    use base64::Engine as _;
    let pcm: Vec<u8> = (first..first + 5).flat_map(speech::numbered).collect();
    json!({"$bytes": base64::engine::general_purpose::STANDARD.encode(pcm)})
}

/// What the run of an interview is made of.
struct Stage {
    vendors: Server,
    world: World,
    interview: Interview,
    run: Run,
}

impl Stage {
    async fn start() -> Option<Self> {
        let vendors = Server::start().await;
        let settings = vendors.settings();
        let mut env: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        env.extend([MANY_ADDRESSES, ("LEAVE_GRACE_MS", "100")]);
        let world = World::start(2, &env).await?;
        let interview = create(&world, json!({})).await;
        Some(Self { vendors, world, interview, run: Run::new("asyncapi-interviews") })
    }

    async fn client(&mut self, node: usize, token: &str) -> Talker {
        let url = format!("{}/interview", self.world.hubs[node].url());
        let mut client = self.run.client(&url, token, Transports::Websocket).await;
        client.wait_for("connected", |_| true).await;
        client
    }
}

async fn in_the_call(candidate: &mut Talker, recruiter: &mut Talker, id: &str) {
    let joining = json!({"interviewId": id, "role": "interviewer", "identity": "r-1"});
    recruiter.ask_ok("joinRoom", joining).await;
    candidate.ask_ok("joinRoom", json!({})).await;
    recruiter.wait_for("call:ready", |_| true).await;
    recruiter.wait_for("presence:update", |members| members.as_array().is_some_and(|members| members.len() == 2)).await;
    for event in ["offer", "answer", "iceCandidate", "signal"] {
        candidate.ask_ok(event, json!({"payload": {"$bytes": "AAEC"}, "clientMessageId": event})).await;
        recruiter.wait_for(event, |_| true).await;
    }
    candidate.ask_ok("chat:message", json!({"text": "Hello", "clientMessageId": "m1"})).await;
    recruiter.wait_for("chat:message", |_| true).await;
    recruiter.ask_ok("chat:history", json!({"interviewId": id, "limit": 5})).await;
    candidate.ask_ok("editor:update", json!({"update": "let x = 1;", "version": 1})).await;
    recruiter.wait_for("editor:update", |_| true).await;
    let late = json!({"interviewId": id, "update": "let y = 2;", "version": 1});
    assert_eq!(recruiter.ask("editor:update", late.clone()).await["code"], "VERSION_CONFLICT");
    recruiter.emit("editor:update", late);
    recruiter.wait_for("error", |error| error["version"] == 1).await;
    for active in [true, true, false] {
        candidate.ask_ok("screen:share", json!({"active": active})).await;
    }
    recruiter.wait_for("screen:share", |shown| shown["active"] == false).await;
    for (event, payload) in [
        ("joinRoom", json!(7)),
        ("leaveRoom", json!({"interviewId": 7})),
        ("chat:message", json!({"text": ""})),
        ("chat:history", json!({"before": 7})),
        ("editor:update", json!({"update": 7})),
        ("screen:share", json!({})),
        ("offer", json!({})),
        ("join-interview", json!([])),
        ("start-interview", json!({})),
        ("audio-chunk", json!({"audioData": "?"})),
        ("response-complete", json!({"audioUrl": "ftp://x"})),
        ("proctor-event", json!({"type": "x y", "severity": "low"})),
        ("observe-interview", json!({"interviewId": id})),
    ] {
        assert_eq!(candidate.ask(event, payload.clone()).await["ok"], false, "{event} {payload}");
        candidate.emit(event, payload);
        candidate.wait_for("error", |error| error["event"] == event).await;
    }
    candidate.ask_ok("leaveRoom", json!({})).await;
    candidate.ask_ok("leaveRoom", json!({})).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_packet_about_interviews_fits_the_document() {
    let Some(mut stage) = Stage::start().await else { return };
    let id = stage.interview.id.clone();
    let url = format!("{}/interview", stage.world.hubs[0].url());
    stage.run.refused(&url, "no token").await;
    let soon = recruiter_until("recruiter", "r-1", Some(ORG), now_seconds() + 40);
    let mut observer = stage.client(1, &soon).await;
    observer.wait_for("auth:expiring", |_| true).await;
    observer.ask_ok("auth:refresh", json!({"token": recruiter("recruiter", "r-1", Some(ORG))})).await;
    observer.ask_ok("observe-interview", json!({"interviewId": id})).await;
    observer.wait_for("observation-started", |_| true).await;
    let token = stage.interview.token.clone();
    let mut earlier = stage.client(1, &token).await;
    earlier.ask_ok("join-interview", json!({"interviewId": id})).await;
    let mut candidate = stage.client(0, &token).await;
    let ready = candidate.ask_ok("join-interview", json!({"interviewId": id})).await;
    earlier.wait_for("error", |error| error["code"] == "SUPERSEDED").await;
    observer.wait_for("candidate-joined", |_| true).await;
    candidate.ask_ok("auth:refresh", json!({"token": token})).await;
    candidate.ask_ok("heartbeat", json!({})).await;
    in_the_call(&mut candidate, &mut observer, &id).await;

    // Vendors fail, and come back.
    stage.vendors.vendors.fail(|faults| {
        faults.speech = SpeechFault::Status(503);
        faults.storage = StorageFault::Status(507);
    });
    candidate.ask_ok("start-interview", json!({"sessionId": ready["sessionId"]})).await;
    observer.wait_for("interview-started", |_| true).await;
    candidate.ask_ok("audio-chunk", json!({"audioData": chunk(1), "clientMessageId": "c1"})).await;
    observer.wait_for("stt-unavailable", |_| true).await;
    let answer = json!({"transcription": "in my own words", "audioUrl": "https://example.com/a.wav", "questionId": "q-1"});
    candidate.ask_ok("response-complete", answer).await;
    observer.wait_for("storage-unavailable", |_| true).await;
    observer.wait_for("question-asked", |_| true).await;
    stage.vendors.vendors.fail(|faults| *faults = Faults::default());
    for first in [6, 11, 16] {
        candidate.ask_ok("audio-chunk", json!({"audioData": chunk(first)})).await;
    }
    observer.wait_for("stt-available", |_| true).await;
    let noticed = json!({
        "type": "face-detection", "severity": "critical", "data": {"facesDetected": 2}, "message": "two", "clientMessageId": "p1",
    });
    for _ in 0..2 {
        candidate.ask_ok("proctor-event", noticed.clone()).await;
    }
    observer.wait_for("proctor-alert", |_| true).await;
    observer.wait_for("trust-score-update", |_| true).await;
    candidate.ask_ok("response-complete", json!({"transcription": "", "audioUrl": ""})).await;
    candidate.wait_for("transcription", |said| said["isFinal"] == true).await;
    observer.wait_for("live-transcript", |said| said["isFinal"] == true).await;

    // The candidate goes, and comes back.
    candidate.leave().await;
    observer.wait_for("interview-interrupted", |_| true).await;
    let mut candidate = stage.client(0, &token).await;
    candidate.ask_ok("join-interview", json!({"interviewId": id})).await;
    candidate.wait_for("question", |_| true).await;
    candidate.ask_ok("response-complete", json!({"transcription": "that is all"})).await;
    candidate.wait_for("interview-complete", |_| true).await;
    candidate.ask("response-complete", json!({"transcription": "that is all"})).await;
    observer.wait_for("interview-completed", |_| true).await;
    observer.ask_ok("observe-interview", json!({"interviewId": id, "after": "0-0"})).await;
    candidate.leave().await;
    observer.leave().await;
    assert_eq!(stage.run.fits("interview"), BTreeSet::new(), "every message of the document occurs");
}

/// Every event of a channel that one of these may send.
fn events_of(channel: &str, sender: &str) -> Vec<String> {
    let document = convoke::app::asyncapi();
    let operations = document["operations"].as_object().expect("operations");
    let messages = &document["channels"][channel]["messages"];
    let of_channel = operations.iter().filter_map(|(id, operation)| {
        let key = id.strip_prefix(&format!("{channel}."))?;
        let senders = operation.get("x-senders")?.as_array()?;
        senders.contains(&json!(sender)).then(|| messages[key]["name"].as_str().expect("a name").to_owned())
    });
    of_channel.collect()
}

async fn refuses_what_is_no_object(client: &Client, events: &[String]) {
    for event in events {
        for payload in [json!(7), json!("x"), json!([]), json!(true)] {
            let answer = client.ask(event, payload.clone()).await;
            assert_eq!(
                (&answer["ok"], &answer["code"]),
                (&json!(false), &json!("INVALID_PAYLOAD")),
                "{event} {payload} {answer}"
            );
        }
        let before = client.received("error").len();
        client.emit(event, json!(7));
        client.wait_count("error", before + 1).await;
        let error = client.received("error").pop().expect("an error");
        assert_eq!((&error["event"], &error["code"]), (&json!(event), &json!("INVALID_PAYLOAD")), "{error}");
    }
}

#[tokio::test]
async fn whatever_is_no_object_is_an_invalid_payload_of_every_event() {
    let Some(world) =
        World::start(1, &[MANY_ADDRESSES, ("EVENTS_PER_SECOND", "100000"), ("EVENTS_PER_SECOND_PER_USER", "100000")]).await
    else {
        return;
    };
    let hub = &world.hubs[0];
    hub.create_sos("s1", "c1").await;
    let mut tried = BTreeSet::new();
    for role in ["citizen", "dispatcher"] {
        let events = events_of("sos", role);
        let client = Client::connect(&hub.url(), json!({"token": hub.token(role, "c1", &["s1"])})).await;
        refuses_what_is_no_object(&client, &events).await;
        tried.extend(events);
    }
    assert!(tried.len() >= 18, "{tried:?}");
    let interview = create(&world, json!({})).await;
    for (sender, token) in [("candidate", interview.token.clone()), ("recruiter", recruiter("recruiter", "r-1", Some(ORG)))] {
        let client = connect(&world, 0, &token).await;
        refuses_what_is_no_object(&client, &events_of("interview", sender)).await;
    }
}

#[tokio::test]
async fn an_error_names_what_was_meant() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES]).await else { return };
    let hub = &world.hubs[0];
    hub.create_sos("s1", "c1").await;
    let citizen = Client::connect(&hub.url(), json!({"token": hub.token("citizen", "c1", &["s1", "s2"])})).await;
    let interview = create(&world, json!({})).await;
    let candidate = connect(&world, 0, &interview.token).await;
    let observer = connect(&world, 0, &recruiter("recruiter", "r-1", Some(ORG))).await;
    let id = &interview.id;
    for (client, event, payload, field, meant) in [
        (&citizen, "sos:close", json!({"sosId": "s1", "reason": 7}), "sosId", "s1"),
        (&citizen, "sos:init", json!({"sosId": "s1", "clientMessageId": 7}), "sosId", "s1"),
        (&citizen, "message:history", json!({"sosId": "s1", "limit": 0}), "sosId", "s1"),
        (&citizen, "signal", json!({"sosId": "s1", "to": "x"}), "sosId", "s1"),
        (&citizen, "location:batch", json!({"sosId": "s1", "points": 7}), "sosId", "s1"),
        (&candidate, "joinRoom", json!([]), "interviewId", id),
        (&candidate, "chat:message", json!({"text": "x"}), "interviewId", id),
        (&candidate, "audio-chunk", json!(7), "interviewId", id),
        (&candidate, "heartbeat", json!(7), "interviewId", id),
        (&observer, "observe-interview", json!({"interviewId": id, "after": 7}), "interviewId", id),
        (&observer, "screen:share", json!({"interviewId": id}), "interviewId", id),
    ] {
        let before = client.received("error").len();
        client.emit(event, payload);
        client.wait_count("error", before + 1).await;
        let error = client.received("error").pop().expect("an error");
        assert_eq!((&error["event"], &error[field]), (&json!(event), &json!(meant)), "{error}");
    }
}
