//! What one member may cost the others and itself, from outside: signals, pages, states, rooms; and times as phones give them.

use bytes::Bytes;
use serde_json::{Value, json};

use super::support::client::Client;
use super::support::hub::Hub;
use super::support::incident::{client, member};
use super::support::pair::{Pair, pair};

#[tokio::test]
async fn a_signal_over_its_size_is_refused_and_one_of_its_size_arrives() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("limit-signal", "c1").await;
    let sender = member(a, "citizen", "c1", "limit-signal").await;
    let mut receiver = member(b, "rescuer", "r1", "limit-signal").await;
    let of = |bytes: usize| json!({"payload": "x".repeat(bytes - 2)});
    for event in ["offer", "answer", "iceCandidate", "signal"] {
        assert_eq!(sender.ask(event, of(65_537)).await["code"], "INVALID_PAYLOAD", "{event}");
        assert_eq!(sender.ask(event, of(600_000)).await["code"], "INVALID_PAYLOAD", "{event}");
        sender.ask_ok(event, of(65_536)).await;
        assert_eq!(receiver.wait(event).await["payload"].as_str().map(str::len), Some(65_534));
    }
    // Attachments count.
    let binary = json!({"payload": {"_placeholder": true, "num": 0}});
    sender.emit_binary("signal", &[binary], &[Bytes::from(vec![7; 65_530])]);
    assert_eq!(sender.wait_count("error", 1).await[0]["code"], "INVALID_PAYLOAD");
    assert!(!receiver.is_closed());
}

#[tokio::test]
async fn a_page_of_long_messages_ends_before_256_kib_and_all_of_them_are_read() {
    let Pair { a, .. } = pair().await;
    a.create_sos("limit-history", "c1").await;
    let citizen = member(a, "citizen", "c1", "limit-history").await;
    let text = |n: usize| format!("{n:02}{}", "\u{1}".repeat(3998));
    for n in 0..40 {
        citizen.ask_ok("message:send", json!({"text": text(n)})).await;
    }
    let (mut read, mut query, mut pages) = (Vec::new(), json!({"limit": 100}), 0);
    loop {
        let page = citizen.ask_ok("message:history", query.clone()).await;
        let length = page.to_string().len();
        assert!(length < 256 * 1024, "{length} bytes");
        let texts: Vec<_> = page["messages"].as_array().expect("a list").iter().map(|message| message["text"].clone()).collect();
        read.splice(0..0, texts);
        pages += 1;
        if page["nextBefore"].is_null() {
            break;
        }
        query["before"] = page["nextBefore"].clone();
    }
    assert_eq!(read, (0..40).map(text).map(Value::from).collect::<Vec<_>>());
    assert!((4..=5).contains(&pages), "{pages} pages");
}

#[tokio::test]
async fn beyond_its_rooms_a_socket_gets_into_no_other_until_it_leaves_one() {
    let hub = Hub::on_shared_redis(&[("ROOMS_PER_SOCKET", "2")]).await;
    let dispatcher = client(&hub, "dispatcher", "d1", &[]).await;
    for sos in ["limit-room-1", "limit-room-2", "limit-room-3"] {
        hub.create_sos(sos, "c1").await;
    }
    for sos in ["limit-room-1", "limit-room-2", "limit-room-1"] {
        dispatcher.ask_ok("sos:init", json!({"sosId": sos})).await;
    }
    let refused = dispatcher.ask("sos:init", json!({"sosId": "limit-room-3"})).await;
    assert_eq!(refused["code"], "RATE_LIMITED", "{refused}");
    dispatcher.ask_ok("sos:leave", json!({"sosId": "limit-room-1"})).await;
    dispatcher.ask_ok("sos:init", json!({"sosId": "limit-room-3"})).await;
}

/// What reads all members of a room costs as much as there are sockets in it, whoever's they are.
#[tokio::test]
async fn beyond_the_sockets_of_a_user_in_one_incident_a_further_one_gets_in_when_one_goes() {
    let env = [("SOCKETS_PER_USER", "3")];
    let hubs = [Hub::on_shared_redis(&env).await, Hub::on_shared_redis(&env).await];
    hubs[0].create_sos("limit-sockets", "c1").await;
    let watching = member(&hubs[0], "rescuer", "r1", "limit-sockets").await;
    let mut phones = Vec::new();
    for n in 0..3 {
        phones.push(member(&hubs[n % 2], "citizen", "c1", "limit-sockets").await);
    }
    // One that is in asks again.
    phones[0].ask_ok("sos:init", json!({"sosId": "limit-sockets"})).await;
    for hub in &hubs {
        let further = client(hub, "citizen", "c1", &["limit-sockets"]).await;
        let told = further.wait_count("error", 1).await[0].clone();
        assert_eq!((&told["code"], &told["sosId"]), (&json!("RATE_LIMITED"), &json!("limit-sockets")), "{told}");
        let refused = further.ask("sos:init", json!({"sosId": "limit-sockets"})).await;
        assert!(refused["code"] == "RATE_LIMITED" && refused["message"].as_str().unwrap().contains("at most 3"), "{refused}");
        let heard = further.ask("message:send", json!({"sosId": "limit-sockets", "text": "hello"})).await;
        assert_eq!(heard["code"], "FORBIDDEN", "{heard}");
    }
    phones[1].ask_ok("sos:leave", json!({"sosId": "limit-sockets"})).await;
    let further = member(&hubs[0], "citizen", "c1", "limit-sockets").await;
    further.ask_ok("message:send", json!({"sosId": "limit-sockets", "text": "hello"})).await;
    watching.ask_ok("message:send", json!({"sosId": "limit-sockets", "text": "others are not counted"})).await;
}

#[tokio::test]
async fn a_state_over_its_size_is_cut_and_says_so() {
    let hub = Hub::on_shared_redis(&[("MAX_STATE_BYTES", "65536")]).await;
    hub.create_sos("limit-state", "c1").await;
    let mut rescuers = Vec::new();
    for n in 0..40 {
        let user = format!("{n:02}{}", "\u{1}".repeat(120));
        let rescuer = member(&hub, "rescuer", &user, "limit-state").await;
        rescuer.ask_ok("location:update", json!({"latitude": n, "longitude": 1})).await;
        rescuers.push(rescuer);
    }
    let dispatcher = client(&hub, "dispatcher", "d1", &[]).await;
    let state = dispatcher.ask_ok("sos:init", json!({"sosId": "limit-state"})).await["data"].take();
    let length = state.to_string().len();
    assert!(length <= 65_536, "{length} bytes");
    assert_eq!(state["truncated"], true);
    let located = state["locations"].as_array().expect("a list");
    assert!(located.iter().any(|fix| fix["latitude"] == 39), "the newest ones are there");
    let (_, whole) = hub.internal(reqwest::Method::GET, "/sos/limit-state/state", None).await;
    assert_eq!(whole["data"]["truncated"], true);
}

async fn fix_time(client: &mut Client, timestamp: Value, latitude: u32) -> Value {
    client.ask_ok("location:batch", json!({"points": [{"latitude": latitude, "longitude": 1, "timestamp": timestamp}]})).await
}

#[tokio::test]
async fn a_fix_time_is_told_in_milliseconds_in_seconds_or_as_iso_8601() {
    let Pair { a, .. } = pair().await;
    a.create_sos("limit-times", "c1").await;
    let mut citizen = member(a, "citizen", "c1", "limit-times").await;
    let times = [
        json!(1_700_000_000_123_u64),
        json!(1_700_000_001),
        json!(1_700_000_002.5),
        json!("2023-11-14T22:13:23.250Z"),
        json!("2023-11-15T00:13:24+02:00"),
    ];
    for (n, time) in times.into_iter().enumerate() {
        assert_eq!(fix_time(&mut citizen, time.clone(), n as u32).await["accepted"], 1, "{time}");
    }
    for wrong in [json!("yesterday"), json!(true), json!(-1), Value::Null] {
        let answer = fix_time(&mut citizen, wrong.clone(), 1).await;
        assert_eq!(answer["rejected"], json!([{"index": 0, "code": "INVALID_LOCATION"}]), "{wrong}");
    }
    let (_, track) = a.internal(reqwest::Method::GET, "/sos/limit-times/track", None).await;
    assert!(track["data"].is_object(), "{track}");
    let fixes: Vec<_> = track["data"]["points"].as_array().expect("a list").iter().map(|fix| fix["fixTime"].clone()).collect();
    assert_eq!(fixes, [1_700_000_000_123_u64, 1_700_000_001_000, 1_700_000_002_500, 1_700_000_003_250, 1_700_000_004_000]);
}

#[tokio::test]
async fn an_old_position_is_acknowledged_as_old() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("limit-old", "c1").await;
    let citizen = member(a, "citizen", "c1", "limit-old").await;
    let mut rescuer = member(b, "rescuer", "r1", "limit-old").await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let at = |latitude: u32, time: u64| json!({"latitude": latitude, "longitude": 1, "timestamp": time});
    assert_eq!(citizen.ask_ok("location:update", at(1, now)).await, json!({"ok": true}));
    assert_eq!(citizen.ask_ok("location:update", at(2, now - 30_000)).await, json!({"ok": true, "old": true}));
    let far = citizen.ask_ok("location:update", at(3, now - 120_000)).await;
    assert!(far["old"].is_null(), "so far back the phone's clock was set: {far}");
    rescuer.wait_for("location:broadcast", |fix| fix["latitude"] == 3).await;
    assert!(rescuer.received("location:broadcast").iter().all(|fix| fix["latitude"] != 2));
}
