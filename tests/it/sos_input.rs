//! Bad input to the real hub: each event, each of its fields, whatever does not belong there. The answer is a code, the
//! socket stays up, and the room hears nothing.

use serde_json::{Value, json};

use super::support::client::Client;
use super::support::hub::Hub;
use super::support::incident::member;
use super::support::msgpack::Talker;
use super::support::pair::{Pair, pair};

const ALL: [&str; 18] = [
    "sos:init",
    "sos:leave",
    "sos:close",
    "sos:status:update",
    "sos:ack",
    "sos:watch",
    "sos:unwatch",
    "location:update",
    "location:batch",
    "message:send",
    "message:history",
    "offer",
    "answer",
    "iceCandidate",
    "signal",
    "ping",
    "heartbeat",
    "auth:refresh",
];

/// A payload that is right, for a token with one incident.
fn right(event: &str) -> Value {
    match event {
        "sos:status:update" => json!({"status": "assigned", "note": "x"}),
        "location:update" => json!({"latitude": 1, "longitude": 2}),
        "location:batch" => json!({"points": [{"latitude": 1, "longitude": 2, "timestamp": 5}]}),
        "message:send" => json!({"text": "x"}),
        "offer" | "answer" | "iceCandidate" | "signal" => json!({"payload": 1}),
        _ => json!({}),
    }
}

/// Fields, the events that read them, and the code for a wrong one.
fn fields() -> Vec<(&'static str, Vec<&'static str>, &'static str)> {
    let all: Vec<_> = ALL
        .into_iter()
        .filter(|event| !matches!(*event, "sos:watch" | "sos:unwatch" | "ping" | "heartbeat" | "auth:refresh"))
        .collect();
    let signals = vec!["offer", "answer", "iceCandidate", "signal"];
    let mut fields = vec![
        ("sosId", all.clone(), "INVALID_SOS_ID"),
        ("clientMessageId", all, "INVALID_PAYLOAD"),
        ("reason", vec!["sos:close"], "INVALID_PAYLOAD"),
        ("status", vec!["sos:status:update"], "INVALID_STATUS"),
        ("note", vec!["sos:status:update"], "INVALID_PAYLOAD"),
        ("points", vec!["location:batch"], "INVALID_PAYLOAD"),
        ("text", vec!["message:send"], "INVALID_MESSAGE"),
        ("before", vec!["message:history"], "INVALID_PAYLOAD"),
        ("to", signals, "INVALID_PAYLOAD"),
        ("token", vec!["auth:refresh"], "INVALID_TOKEN"),
    ];
    for number in ["latitude", "longitude", "accuracy", "heading", "speed", "altitude", "timestamp", "deviceId"] {
        fields.push((number, vec!["location:update"], "INVALID_LOCATION"));
    }
    fields
}

/// Values that no field above takes; a number only where text is asked for, and the reverse.
fn wrong(field: &str) -> Vec<Value> {
    let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
    let mut values = vec![json!(true), json!({}), json!({"$gt": ""}), json!("x".repeat(20_000)), json!([{}]), deep];
    match field {
        "latitude" | "longitude" => values.extend([json!("1"), json!(180.001), json!(-1e9), json!([1])]),
        "accuracy" | "speed" | "timestamp" => values.extend([json!("1"), json!(-2), json!("NaN"), json!([1])]),
        "heading" => values.extend([json!("1"), json!(361), json!(-2)]),
        "altitude" => values.extend([json!("1"), json!(1e12)]),
        "points" => values.extend([json!("[]"), json!(1), json!({"length": 1})]),
        _ => values.extend([json!(7), json!([]), json!(["a"]), json!(1.5)]),
    }
    // An array of points is read point by point.
    values.retain(|value| field != "points" || !value.is_array());
    values
}

async fn is_refused(client: &mut Client, event: &str, payload: Value, code: &str) {
    let reply = client.ask(event, payload.clone()).await;
    let what = || format!("{event} {}", payload.to_string().chars().take(200).collect::<String>());
    assert_eq!((&reply["ok"], &reply["code"]), (&json!(false), &json!(code)), "{}: {reply}", what());
    assert!(reply["message"].is_string());
    client.emit(event, payload.clone());
    let error = client.wait_for("error", |error| error["event"] == event).await;
    assert_eq!((&error["code"], error["message"].is_string()), (&json!(code), true), "{}: {error}", what());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_value_in_any_field_of_any_event_is_refused_with_its_code() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("in-fields", "c1").await;
    let witness = member(a, "citizen", "c1", "in-fields").await;
    for (field, events, code) in fields() {
        // What one has heard before is looked through at each wait: a fresh one is quicker.
        let mut client = member(b, if field == "reason" { "citizen" } else { "rescuer" }, "c1", "in-fields").await;
        for event in events {
            for value in wrong(field) {
                let mut payload = right(event);
                payload[field] = value;
                is_refused(&mut client, event, payload, code).await;
            }
        }
        client.settle().await;
    }
    nothing_was_heard(&witness).await;
}

#[tokio::test]
async fn a_missing_field_and_a_payload_that_is_no_object_are_refused() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("in-shape", "c1").await;
    let witness = member(a, "citizen", "c1", "in-shape").await;
    let mut client = member(b, "rescuer", "r1", "in-shape").await;
    let missing = [
        ("sos:status:update", "INVALID_STATUS"),
        ("location:update", "INVALID_LOCATION"),
        ("location:batch", "INVALID_PAYLOAD"),
        ("message:send", "INVALID_MESSAGE"),
        ("offer", "INVALID_PAYLOAD"),
        ("answer", "INVALID_PAYLOAD"),
        ("iceCandidate", "INVALID_PAYLOAD"),
        ("signal", "INVALID_PAYLOAD"),
        ("auth:refresh", "INVALID_TOKEN"),
    ];
    for (event, code) in missing {
        is_refused(&mut client, event, json!({}), code).await;
        is_refused(&mut client, event, Value::Null, code).await;
        assert_eq!(client.ask_args(event, &[]).await[0]["code"], code, "{event} without any payload");
    }
    let partly = [
        ("location:update", json!({"latitude": 1}), "INVALID_LOCATION"),
        ("location:update", json!({"longitude": 1}), "INVALID_LOCATION"),
        ("location:update", json!({"latitude": null, "longitude": 1}), "INVALID_LOCATION"),
        ("message:send", json!({"text": ""}), "INVALID_MESSAGE"),
        ("message:send", json!({"text": " \n\t"}), "INVALID_MESSAGE"),
        ("message:send", json!({"text": "x".repeat(4001)}), "INVALID_MESSAGE"),
        ("message:history", json!({"limit": 0}), "INVALID_PAYLOAD"),
        ("message:history", json!({"limit": -1}), "INVALID_PAYLOAD"),
        ("message:history", json!({"before": "no id"}), "INVALID_PAYLOAD"),
        ("sos:init", json!({"sosId": "x".repeat(129)}), "INVALID_SOS_ID"),
        ("sos:init", json!({"sosId": "a b"}), "INVALID_SOS_ID"),
        ("sos:init", json!({"sosId": "in-shape}:{x"}), "INVALID_SOS_ID"),
        ("sos:ack", json!({"clientMessageId": "x".repeat(65)}), "INVALID_PAYLOAD"),
    ];
    for (event, payload, code) in partly {
        is_refused(&mut client, event, payload, code).await;
    }
    for event in ALL {
        for payload in
            [json!([]), json!([{"sosId": "in-shape"}]), json!("in-shape"), json!(7), json!(false), json!("x".repeat(100_000))]
        {
            is_refused(&mut client, event, payload, "INVALID_PAYLOAD").await;
        }
    }
    for event in
        ["", "x", "sos:state", "error", "sos:init ", "SOS:INIT", "constructor", "toString", "__proto__", "hasOwnProperty"]
    {
        is_refused(&mut client, event, json!({}), "UNKNOWN_EVENT").await;
    }
    // What is right still is.
    client.ask_ok("sos:init", json!({"unknown": "fields", "are": ["ignored"]})).await;
    nothing_was_heard(&witness).await;
}

/// Nothing but who came and went.
async fn nothing_was_heard(witness: &Client) {
    witness.ask_ok("message:send", json!({"text": "the only thing"})).await;
    witness.wait_count("message:broadcast", 1).await;
    let heard = witness.events().into_iter().map(|event| event.name);
    let heard: Vec<_> = heard.filter(|name| !matches!(&**name, "sos:state" | "sos:init" | "presence:update")).collect();
    assert_eq!(heard, ["message:broadcast"]);
}

#[tokio::test]
async fn what_breaks_the_rules_of_the_wire_is_refused_for_every_event() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("in-wire", "c1").await;
    let witness = member(a, "citizen", "c1", "in-wire").await;
    let mut client = member(b, "rescuer", "r1", "in-wire").await;
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let broken = [
        r#"{"_placeholder":true,"num":0}"#.to_owned(),
        r#"{"x":{"_placeholder":false}}"#.to_owned(),
        r#"{"\u005fplaceholder":true}"#.to_owned(),
        r#"{"__proto__":{"a":1}}"#.to_owned(),
        r#"{"sosId":"in-wire","sosId":"in-wire"}"#.to_owned(),
        r#"{"x":9007199254740993}"#.to_owned(),
        r#"{"x":1e308}"#.to_owned(),
        r#"{"x":"\ud800"}"#.to_owned(),
        format!(r#"{{"payload":{}}}"#, deep(63)),
        format!(r#"{{"payload":{}}}"#, deep(100_000)),
    ];
    for event in ALL {
        for payload in &broken {
            client.send_raw(&format!(r#"42["{event}",{payload}]"#));
            let error = client.wait_for("error", |error| error["event"] == event).await;
            assert_eq!(error["code"], "INVALID_PAYLOAD", "{event} {}", &payload[..payload.len().min(100)]);
        }
    }
    client.settle().await;
    nothing_was_heard(&witness).await;
}

#[tokio::test]
async fn numbers_that_are_none_are_refused_by_each_events_own_code() {
    let Pair { a, .. } = pair().await;
    a.create_sos("in-nan", "c1").await;
    let mut talker = Talker::connect(&a.url(), &a.token("rescuer", "c1", &["in-nan"])).await;
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for (event, field, code) in [
            ("location:update", "latitude", "INVALID_LOCATION"),
            ("location:update", "accuracy", "INVALID_LOCATION"),
            ("location:batch", "points", "INVALID_LOCATION"),
            ("sos:status:update", "status", "INVALID_STATUS"),
            ("message:send", "text", "INVALID_MESSAGE"),
            ("message:history", "limit", "INVALID_PAYLOAD"),
            ("signal", "payload", "INVALID_PAYLOAD"),
            ("sos:init", "sosId", "INVALID_PAYLOAD"),
            ("ping", "n", "INVALID_PAYLOAD"),
        ] {
            let mut payload = right(event);
            payload.as_object_mut().expect("an object").remove(field);
            let reply = talker.ask_with(event, &payload, field, &f64_bytes(number)).await;
            assert_eq!((&reply["ok"], &reply["code"]), (&json!(false), &json!(code)), "{event} {field} {number}: {reply}");
        }
    }
    let reply = talker.ask_with("location:update", &json!({"latitude": 0}), "longitude", &f64_bytes(-0.0)).await;
    assert_eq!(reply["ok"], true, "{reply}");
    // Undefined is absent, a date its text.
    let reply = talker.ask_with("message:send", &json!({"text": "x"}), "clientMessageId", &[0xd4, 0, 0]).await;
    assert_eq!(reply["ok"], true, "{reply}");
    let reply = talker.ask_with("message:send", &json!({"text": "x"}), "clientMessageId", &[0xd4, 7, 0]).await;
    assert_eq!(reply["code"], "INVALID_PAYLOAD", "{reply}");
}

fn f64_bytes(number: f64) -> Vec<u8> {
    let mut bytes = vec![0xcb];
    bytes.extend(number.to_be_bytes());
    bytes
}

#[tokio::test]
async fn a_socket_that_sends_too_much_is_told_so_and_stays() {
    let redis = pair().await.redis.url();
    let hub =
        Hub::start(&[("REDIS_URL", &redis), ("NODE_ID", "limits"), ("EVENTS_PER_SECOND", "20"), ("EVENTS_BURST", "20")]).await;
    hub.create_sos("in-rate", "c1").await;
    let mut flooder = member(&hub, "citizen", "c1", "in-rate").await;
    let other = member(&hub, "rescuer", "r1", "in-rate").await;
    let ids: Vec<_> = (0..200).map(|n| flooder.send_with_ack("message:send", &[json!({"text": format!("{n}")})])).collect();
    let mut done = 0;
    for id in ids {
        let reply = flooder.acknowledged(id).await.remove(0);
        done += usize::from(reply["ok"] == true);
        assert!(reply["ok"] == true || reply["code"] == "RATE_LIMITED", "{reply}");
    }
    assert!((20..150).contains(&done), "{done} of 200");
    for _ in 0..100 {
        flooder.emit("sos:ack", json!({}));
    }
    let error = flooder.wait_for("error", |error| error["code"] == "RATE_LIMITED").await;
    assert_eq!(error["event"], "sos:ack");
    // What is refused for its form counts as well.
    for _ in 0..100 {
        flooder.emit("ping", json!({"__proto__": 1}));
    }
    flooder.wait_for("error", |error| error["event"] == "ping" && error["code"] == "RATE_LIMITED").await;
    // Others do not notice, and the socket may go on as soon as it has waited.
    other.ask_ok("message:send", json!({"text": "calm"})).await;
    flooder.wait_for("message:broadcast", |message| message["text"] == "calm").await;
    loop {
        let reply = flooder.ask("ping", json!({})).await;
        if reply["ok"] == true {
            break;
        }
        assert_eq!(reply["code"], "RATE_LIMITED");
    }
    assert!(!flooder.is_closed());
}

#[tokio::test]
async fn to_leave_the_namespace_and_come_back_refills_nothing() {
    let redis = pair().await.redis.url();
    let env = [("REDIS_URL", &*redis), ("NODE_ID", "refill"), ("EVENTS_PER_SECOND", "1"), ("EVENTS_BURST", "20")];
    let hub = Hub::start(&env).await;
    hub.create_sos("in-refill", "c1").await;
    let flooder = member(&hub, "citizen", "c1", "in-refill").await;
    let started = std::time::Instant::now();
    let mut done = 0;
    for round in 1..=10 {
        let ids: Vec<_> = (0..20).map(|_| flooder.send_with_ack("ping", &[json!({})])).collect();
        for id in ids {
            done += usize::from(flooder.acknowledged(id).await[0]["ok"] == true);
        }
        flooder.send_raw("41");
        flooder.send_raw(&format!("40{}", json!({"token": hub.token("citizen", "c1", &["in-refill"])})));
        flooder.wait_count("sos:state", round + 1).await;
    }
    let most = 20 + 1 + started.elapsed().as_secs() as usize;
    assert!(done <= most, "{done} of 200, at most {most} should have been");
    assert!(!flooder.is_closed());
}
