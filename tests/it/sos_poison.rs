//! Poisoned packets: what one member sends, another's decoder may choke on. It never gets there.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::client::Client;
use super::support::hub::{Hub, INTERNAL, now_seconds};
use super::support::incident::member;
use super::support::msgpack::{Talker, event_with, pack};
use super::support::node::Script;
use super::support::pair::{Pair, pair};

/// Text packets, as they stand on the wire; each with what follows it as binary.
fn poisoned_text() -> Vec<(String, Vec<Vec<u8>>)> {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let signal = |payload: &str| format!(r#"42["signal",{{"payload":{payload}}}]"#);
    let binary = |count: usize, payload: &str| format!(r#"45{count}-["signal",{{"payload":{payload}}}]"#);
    let one = vec![vec![1, 2, 3]];
    let mut packets: Vec<(String, Vec<Vec<u8>>)> = [
        signal(r#"{"_placeholder":true,"num":0}"#),
        signal(r#"{"_placeholder":true,"num":99999}"#),
        signal(r#"{"a":[{"_placeholder":"x"}]}"#),
        signal(r#"{"\u005fplaceholder":true,"num":"__proto__"}"#),
        signal(r#"{"__proto__":{"x":1}}"#),
        signal(r#"{"\u005f_proto__":null}"#),
        signal(r#"{"a":1,"a":2}"#),
        signal(r#""\ud800""#),
        signal("1e400"),
        signal("123456789012345678901234567890"),
        signal(&deep(63)),
        signal(&deep(5000)),
        r#"42["disconnect",{"payload":1}]"#.into(),
        r#"42["connect_error",{"payload":1}]"#.into(),
        r#"42["__proto__",{"payload":1}]"#.into(),
        r#"42[{"payload":1}]"#.into(),
        r#"42[1,{"payload":1}]"#.into(),
        r#"42[]"#.into(),
        r#"42{}"#.into(),
        r#"42["signal",{"payload":NaN}]"#.into(),
        r#"42["signal",{"payload":1}"#.into(),
        r#"42["signal",{"payload":1}]]"#.into(),
        r#"42/x,["signal",{"payload":1}]"#.into(),
        r#"44{"message":"x"}"#.into(),
        r#"47["signal"]"#.into(),
        r#"40{"token":"x"}"#.into(),
        r#"43999[1]"#.into(),
        r#"469-[1]"#.into(),
        "45".into(),
        "45-[\"signal\"]".into(),
        "4599999999-[\"signal\",{}]".into(),
    ]
    .map(|packet: String| (packet, Vec::new()))
    .into();
    for packet in [
        binary(1, r#"{"_placeholder":true,"num":1}"#),
        binary(1, r#"{"_placeholder":true,"num":-1}"#),
        binary(1, r#"{"_placeholder":true,"num":"0"}"#),
        binary(1, r#"{"_placeholder":true,"num":0.5}"#),
        binary(1, r#"{"_placeholder":true}"#),
        binary(1, r#"{"_placeholder":true,"num":0,"x":1}"#),
        binary(1, r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#),
        binary(1, "1"),
        // In a place that is not handed on.
        r#"451-["signal",{"payload":1,"x":{"_placeholder":true,"num":0}}]"#.into(),
        r#"451-["signal",{"payload":1},{"_placeholder":true,"num":0}]"#.into(),
        r#"451-["message:send",{"text":{"_placeholder":true,"num":0}}]"#.into(),
        r#"451-["location:update",{"latitude":1,"longitude":1,"address":{"_placeholder":true,"num":0}}]"#.into(),
        r#"451-["signal",{"payload":1,"to":{"_placeholder":true,"num":0}}]"#.into(),
    ] {
        packets.push((packet, one.clone()));
    }
    packets
}

/// Values of a payload in msgpack, as they stand on the wire.
fn poisoned_msgpack() -> Vec<Vec<u8>> {
    let nested = |byte: u8, depth: usize| [vec![byte; depth], vec![0xc0]].concat();
    vec![
        // {_placeholder: true, num: 0}
        [&[0x82, 0xac][..], b"_placeholder", &[0xc3, 0xa3], b"num", &[0x00]].concat(),
        [&[0x81, 0xa9][..], b"__proto__", &[0x80]].concat(),
        // Extensions that the official client does not write.
        vec![0xd4, 0x01, 0x00],
        vec![0xd5, 0x00, 0x00, 0x00],
        vec![0xd6, 0xff, 0, 0, 0, 0],
        vec![0xd7, 0xff, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![0xd8; 18],
        vec![0xc7, 0x01, 0x00, 0x00],
        vec![0xc7, 0x0c, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        vec![0xc8, 0x00, 0x01, 0x05, 0x00],
        vec![0xc9, 0xff, 0xff, 0xff, 0xff, 0x00],
        // A date out of range.
        vec![0xd7, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        nested(0x91, 100),
        nested(0x91, 100_000),
        [[0x81, 0xa1, b'a'].repeat(100), vec![0xc0]].concat(),
        // Lengths that promise more than there is.
        vec![0xdd, 0xff, 0xff, 0xff, 0xff],
        vec![0xdf, 0xff, 0xff, 0xff, 0xff],
        vec![0xdb, 0xff, 0xff, 0xff, 0xff],
        vec![0xc6, 0xff, 0xff, 0xff, 0xff],
        vec![0xc1],
        vec![],
        vec![0xc0, 0xc0],
        // Text that is none; numbers beyond 2^53, and none at all.
        vec![0xa2, 0xff, 0xfe],
        vec![0xa3, 0xed, 0xa0, 0x80],
        vec![0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0],
        vec![0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
        vec![0xca, 0x7f, 0x80, 0, 0],
        // Keys that are no text, and one that comes twice.
        vec![0x81, 0xc0, 0x01],
        vec![0x81, 0x91, 0x01, 0x01],
        vec![0x82, 0xa1, b'a', 0x01, 0xa1, b'a', 0x02],
    ]
}

/// A client of the attacker: a new one whenever the last was closed.
async fn attacker(hub: &Hub, last: Option<Client>) -> Client {
    match last {
        Some(client) if !client.is_closed() => client,
        _ => member(hub, "rescuer", "evil", "poison").await,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_clients_in_the_room_never_meet_a_poisoned_packet() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("poison", "c1").await;
    let witness = member(a, "citizen", "c1", "poison").await;
    let mut officials = [
        Script::node("member.mjs", &[&a.url(), &a.token("rescuer", "text", &["poison"]), "text"]),
        Script::node("member.mjs", &[&b.url(), &b.token("rescuer", "msgpack", &["poison"]), "msgpack"]),
    ];
    for official in &mut officials {
        official.expect(r#"event ["sos:state""#).await;
    }
    // What is unusual but right does get there.
    let edge = json!({"a": [[[[null]]]], "": {"constructor": 1, "num": 0, "toString": "x"}, "n": [9007199254740992_u64, -0.5, 1e-7], "s": "\u{0}\u{2028}😀"});
    witness.ask_ok("signal", json!({"payload": edge})).await;
    for official in &mut officials {
        let event: Value =
            serde_json::from_str(official.expect(r#"event ["signal","#).await.trim_end_matches(']')).expect("JSON");
        assert_eq!(event["payload"], edge);
    }

    let mut last = None;
    for (packet, attachments) in poisoned_text() {
        let client = attacker(b, last.take()).await;
        client.send_raw(&packet);
        for attachment in attachments {
            client.send_raw_binary(attachment);
        }
        // Refused, or closed: never taken. A heartbeat tells which.
        client.send_raw(r#"4277["ping",{}]"#);
        tokio::select! {
            _ = client.acknowledged(77) => {}
            _ = client.closed() => {}
        }
        last = Some(client);
    }
    let token = b.token("rescuer", "evil", &["poison"]);
    let mut talker = Talker::connect(&b.url(), &token).await;
    for value in poisoned_msgpack() {
        for event in ["signal", "ping"] {
            talker.send(event_with(event, &json!({}), "payload", &value, Some(1))).await;
            match talker.packet(|packet| packet["type"] == 3).await {
                Some(ack) => assert_eq!(ack["data"][0]["ok"], false, "{event} {value:x?}: {ack}"),
                None => talker = Talker::connect(&b.url(), &token).await,
            }
        }
        let fix = event_with("location:update", &json!({"latitude": 1, "longitude": 1}), "address", &value, Some(1));
        talker.send(fix).await;
        if talker.packet(|packet| packet["type"] == 3).await.is_none() {
            talker = Talker::connect(&b.url(), &token).await;
        }
    }

    witness.ask_ok("signal", json!({"payload": "the end"})).await;
    for official in &mut officials {
        let mut heard = Vec::new();
        loop {
            let line = official.line().await.expect("it goes on");
            if line.contains("the end") {
                break;
            }
            heard.push(line);
        }
        let joins = |line: &String| line.starts_with(r#"event ["presence:update""#) || line.starts_with(r#"event ["sos:init""#);
        heard.retain(|line| !joins(line));
        assert!(heard.is_empty(), "neither a signal nor a lost connection: {heard:#?}");
        official.order(r#"message:send {"text":"still here"}"#);
        assert!(official.expect("ack ").await.contains(r#""ok":true"#));
    }
    let state = witness.ask_ok("sos:init", json!({})).await;
    assert_eq!(state["data"]["address"], Value::Null);
}

#[tokio::test]
async fn what_the_service_says_of_an_incident_is_held_against_the_same_rules() {
    let Pair { a, b, .. } = pair().await;
    let deep = |depth: usize| format!("{{\"a\":{}1{}}}", "[".repeat(depth), "]".repeat(depth));
    let addresses = [
        (deep(60), false),
        (deep(1500), false),
        (r#"{"city":"\ud800"}"#.to_owned(), false),
        (r#"{"\udfff":1}"#.to_owned(), false),
        (r#"{"n":1e999}"#.to_owned(), false),
        (r#"{"n":123456789012345678901234567890}"#.to_owned(), false),
        (r#"{"_placeholder":true,"num":0}"#.to_owned(), false),
        (r#"{"__proto__":{"x":1}}"#.to_owned(), false),
        (r#"{"a":1,"a":2}"#.to_owned(), false),
        (r#""\u0000\u2028""#.to_owned(), true),
    ];
    for (index, (address, is_taken)) in addresses.iter().enumerate() {
        let sos = format!("poison-record-{index}");
        let body = format!(r#"{{"sosId":"{sos}","citizenId":"c1","address":{address}}}"#);
        let request = a.request(Method::POST, "/internal/realtime/sos/init").header("content-type", "application/json");
        let response = request.header("x-internal-token", INTERNAL).body(body).send().await.expect("an answer");
        let status = response.status().as_u16();
        assert_eq!(status, if *is_taken { 201 } else { 400 }, "{address}");
        if !is_taken {
            assert_eq!(response.json::<Value>().await.expect("JSON")["errors"][0]["field"], "address");
            continue;
        }
        for (hub, parser) in [(a, "text"), (b, "msgpack")] {
            let mut official = Script::node("member.mjs", &[&hub.url(), &hub.token("rescuer", parser, &[&sos]), parser]);
            let state: Value = serde_json::from_str(&official.expect("event ").await).expect("JSON");
            let expected: Value = serde_json::from_str(address).expect("JSON");
            assert_eq!((&state[0], &state[1]["address"]), (&json!("sos:state"), &expected), "{parser}");
        }
    }
}

/// Points of a backlog as text: each between two that are good.
const BROKEN_POINTS: [&str; 12] = [
    r#"{"latitude":1,"longitude":2,"timestamp":5,"deviceId":"\ud800"}"#,
    r#"{"latitude":1,"longitude":2,"timestamp":5,"\udfff":1}"#,
    r#"{"latitude":1,"longitude":2,"timestamp":5,"battery":9007199254740993}"#,
    r#"{"latitude":1,"longitude":2,"timestamp":1e400}"#,
    r#"{"latitude":1,"longitude":2,"timestamp":5,"latitude":3}"#,
    r#"{"latitude":1,"longitude":2,"timestamp":5,"__proto__":{}}"#,
    r#"{"latitude":1,"longitude":2,"timestamp":5,"x":{"_placeholder":true,"num":0}}"#,
    r#"{"latitude":"1","longitude":2,"timestamp":5}"#,
    r#"{"latitude":91,"longitude":2,"timestamp":5}"#,
    r#"{"latitude":1,"longitude":2}"#,
    "[]",
    "null",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_broken_point_of_a_backlog_is_rejected_and_the_others_are_kept() {
    let Pair { a, .. } = pair().await;
    let at = now_seconds() * 1000 - 3_600_000;
    let good = |n: usize| format!(r#"{{"latitude":1,"longitude":2,"timestamp":{}}}"#, at + n as u64);
    let is_kept = |answer: &Value, broken: usize, accepted: usize| {
        let rejected: Vec<_> = (0..broken).map(|n| json!({"index": 2 * n + 1, "code": "INVALID_LOCATION"})).collect();
        assert_eq!((&answer["ok"], &answer["accepted"]), (&json!(true), &json!(accepted)), "{answer}");
        assert_eq!(answer["rejected"], json!(rejected));
    };
    let kept = async |sos: &str, points: usize| {
        let (_, answer) = a.internal(Method::GET, &format!("/sos/{sos}/track"), None).await;
        assert_eq!(answer["data"]["points"].as_array().map(Vec::len), Some(points), "{sos}: {answer}");
    };

    a.create_sos("backlog-text", "c1").await;
    let client = member(a, "citizen", "c1", "backlog-text").await;
    let mut points = vec![good(0)];
    for (n, broken) in BROKEN_POINTS.iter().enumerate() {
        points.extend([(*broken).to_owned(), good(n + 1)]);
    }
    client.send_raw(&format!(r#"4277["location:batch",{{"points":[{}]}}]"#, points.join(",")));
    is_kept(&client.acknowledged(77).await[0], BROKEN_POINTS.len(), BROKEN_POINTS.len() + 1);
    kept("backlog-text", BROKEN_POINTS.len() + 1).await;
    // Outside of the points a rule is a rule.
    client.send_raw(r#"4278["location:batch",{"points":[],"sosId":"\ud800"}]"#);
    assert_eq!(client.acknowledged(78).await[0]["code"], "INVALID_PAYLOAD");

    a.create_sos("backlog-msgpack", "c1").await;
    let mut talker = Talker::connect(&a.url(), &a.token("citizen", "c1", &["backlog-msgpack"])).await;
    let broken = poisoned_msgpack().into_iter().filter(|value| can_be_read(value)).collect::<Vec<_>>();
    let point = |n: usize| pack(&json!({"latitude": 1, "longitude": 2, "timestamp": at + n as u64}));
    let mut list = vec![0xdc, 0, 2 * broken.len() as u8 + 1];
    list.extend(point(0));
    for (n, value) in broken.iter().enumerate() {
        // {latitude: 1, longitude: 2, timestamp: 5, x: <broken>}
        let whole = pack(&json!({"latitude": 1, "longitude": 2, "timestamp": 5}));
        list.push(whole[0] + 1);
        list.extend_from_slice(&whole[1..]);
        list.extend_from_slice(&[&[0xa1, b'x'], &value[..]].concat());
        list.extend(point(n + 1));
    }
    let answer = talker.ask_with("location:batch", &json!({}), "points", &list).await;
    is_kept(&answer, broken.len(), broken.len() + 1);
    kept("backlog-msgpack", broken.len() + 1).await;
}

/// Whether a value of [`poisoned_msgpack`] can be read to its end, and is one.
fn can_be_read(value: &[u8]) -> bool {
    let too_long = [0xdd, 0xdf, 0xdb, 0xc6, 0xc9].iter().any(|marker| value.starts_with(&[*marker, 0xff]));
    !too_long && !matches!(value, [] | [0xc1] | [0xc0, 0xc0]) && !value.starts_with(&[0xd8, 0xd8, 0xd8])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_official_client_gets_its_backlog_through_whatever_one_point_is() {
    let Pair { a, .. } = pair().await;
    let at = now_seconds() * 1000 - 3_600_000;
    for parser in ["text", "msgpack"] {
        let sos = format!("backlog-{parser}-official");
        a.create_sos(&sos, "c1").await;
        let token = a.token("citizen", "c1", &[&sos]);
        let mut official = Script::node("talk.mjs", &[&a.url(), &token, "websocket", parser]);
        official.expect("connected ").await;
        let points = [
            format!(r#"{{"latitude":1,"longitude":2,"timestamp":{at}}}"#),
            r#"{"latitude":1,"longitude":2,"timestamp":5,"battery":1152921504606846976}"#.into(),
            r#"{"latitude":1,"longitude":2,"timestamp":5,"raw":{"$bytes":"AAEC"}}"#.into(),
            r#"{"latitude":null,"longitude":2,"timestamp":5}"#.into(),
            format!(r#"{{"latitude":1,"longitude":2,"timestamp":{}}}"#, at + 1),
        ];
        official.order(&format!(r#"["ask","location:batch",{{"points":[{}]}}]"#, points.join(",")));
        let answer: Value = serde_json::from_str(&official.expect("ack ").await).expect("JSON");
        assert_eq!(answer["accepted"], 2, "{parser}: {answer}");
        assert_eq!(answer["rejected"].as_array().map(Vec::len), Some(3), "{parser}: {answer}");
    }
}
