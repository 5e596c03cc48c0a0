//! `POST /livekit/webhook` of a real hub: who is believed, and what is answered.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use convoke::auth;
use convoke::livekit::{Grant, LiveKit};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;

use crate::interviews_world;
use crate::support::booking::{Answer as Answered, World};
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::hub::{Hub, now_seconds};
use crate::support::keys::TestKey;
use crate::support::livekit::{KEY, Release, SECRET, Server, sign_webhook};
use crate::support::stub_http::{Answer, Asked, StubHttp};
use crate::support::{realtime, redis, within};

const LIVEKIT: [(&str, &str); 3] =
    [("LIVEKIT_WS_URL", "ws://127.0.0.1:9"), ("LIVEKIT_API_KEY", KEY), ("LIVEKIT_API_SECRET", SECRET)];

fn webhook(hub: &Hub, body: &str) -> RequestBuilder {
    let request = hub.request(Method::POST, "/livekit/webhook").header("authorization", sign_webhook(body));
    request.header("content-type", "application/webhook+json").body(body.to_owned())
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn of_a_strangers_webhook_no_body_is_waited_for() {
    let env = [("REDIS_URL", &*redis::single().url()), ("HTTP_BODY_PAUSE_SECONDS", "1")];
    let hub = Hub::start(&[&env[..], &LIVEKIT].concat()).await;
    let own = sign_webhook("{}");
    let (head, _) = own.rsplit_once('.').unwrap();
    for (authorization, status) in [("x", "401"), (&*format!("{head}.AAAA"), "401"), (&*own, "408")] {
        let mut client = tokio::net::TcpStream::connect(hub.address).await.unwrap();
        let request = format!(
            "POST /livekit/webhook HTTP/1.1\r\nhost: hub\r\ncontent-type: application/webhook+json\r\n\
             authorization: {authorization}\r\ncontent-length: 90000\r\n\r\n{{"
        );
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        within(client.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer[9..], status.as_bytes(), "{authorization}");
    }
}

#[tokio::test]
async fn what_livekit_tells_is_taken_and_nothing_else() {
    let hub = Hub::start(&[&[("REDIS_URL", &*redis::single().url())], &LIVEKIT[..]].concat()).await;
    let good = json!({"success": true});
    let joined = r#"{"event":"participant_joined","room":{"name":"r","sid":"RM_1"},"id":"EV_1","createdAt":"1763742002"}"#;
    assert_eq!(answer(webhook(&hub, joined)).await, (200, good.clone()));
    assert_eq!(answer(webhook(&hub, joined)).await, (200, good.clone()), "repeated");
    assert_eq!(answer(webhook(&hub, r#"{"event":"moon_landed","new":1}"#)).await, (200, good.clone()), "unknown");
    let path = "/livekit/webhook";
    let json = hub.request(Method::POST, path).header("authorization", format!("Bearer {}", sign_webhook(joined)));
    let json = json.header("content-type", "application/json; charset=utf-8").body(joined);
    assert_eq!(answer(json).await, (200, good));

    let refused = json!({"success": false, "error": "INVALID_SIGNATURE", "code": "INVALID_SIGNATURE",
        "message": "the signature is missing or not of our key"});
    let changed = webhook(&hub, joined).body(joined.replace("RM_1", "RM_2"));
    assert_eq!(answer(changed).await, (401, refused.clone()), "another body");
    let bare = hub.request(Method::POST, path).header("content-type", "application/webhook+json").body(joined);
    assert_eq!(answer(bare).await, (401, refused), "no signature");
    let typed = |of: &str| {
        let request = hub.request(Method::POST, path).header("authorization", sign_webhook(joined)).body(joined);
        if of.is_empty() { request } else { request.header("content-type", of) }
    };
    for other in ["", "text/plain", "application/x-www-form-urlencoded", "application/webhook+xml"] {
        assert_eq!(answer(typed(other)).await.0, 415, "{other}");
    }
    assert_eq!(answer(webhook(&hub, "[]")).await.0, 400);
    assert_eq!(answer(webhook(&hub, &"x".repeat(2 << 20))).await.0, 413);
    assert_eq!(hub.get(path).await.status(), 405);
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_as_such_with_the_difference() {
    let hub = Hub::start(&[&[("REDIS_URL", &*redis::single().url())], &LIVEKIT[..]].concat()).await;
    let body = r#"{"event":"room_started"}"#;
    auth::install_crypto_provider();
    let from = now_seconds() + 90;
    let claims = json!({"iss": KEY, "nbf": from, "exp": from + 300, "sha256": STANDARD.encode(Sha256::digest(body))});
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    for _ in 0..3 {
        let request = hub.request(Method::POST, "/livekit/webhook").header("authorization", &token);
        let request = request.header("content-type", "application/webhook+json").body(body);
        let (status, answer) = answer(request).await;
        assert_eq!((status, &answer["error"]), (401, &json!("INVALID_SIGNATURE")));
        assert!(answer["message"].as_str().unwrap().contains("compare the clocks"), "{answer}");
    }
    let is_told = |line: &&str| line.contains("WARN") && line.contains("its clock and ours are too far apart");
    hub.logs("its clock and ours are too far apart").await;
    let log = hub.log();
    let told: Vec<&str> = log.lines().filter(is_told).collect();
    // It was that much when the token was made.
    let is_near = (70..=90).any(|ahead| told[0].contains(&format!("\"ahead_seconds\":{ahead}")));
    assert!(told.len() == 1 && is_near, "{told:?}");
}

#[tokio::test]
async fn without_livekit_there_are_no_webhooks() {
    let hub = Hub::start(&[("REDIS_URL", &redis::single().url())]).await;
    let (status, body) = answer(webhook(&hub, "{}")).await;
    assert_eq!((status, &body["error"], &body["message"]), (501, &json!("NOT_CONFIGURED"), &json!("LIVEKIT_WS_URL is not set")));
}

#[tokio::test]
async fn webhooks_of_a_real_server_are_taken() {
    for release in [Release::Oldest, Release::Newest] {
        let port = crate::support::ports::free_port().to_string();
        let url = format!("http://127.0.0.1:{port}/livekit/webhook");
        let Some(server) = Server::start_of(release, &[&url]) else { continue };
        let redis = redis::single().url();
        let hub = Hub::start(&[&[("REDIS_URL", &*redis), ("PORT", &port)], &server.env()[..]].concat()).await;
        let (livekit, room) = (LiveKit::new(&server.settings()).unwrap(), format!("w-{}", Uuid::new_v4()));
        let soon = tokio::time::Instant::now() + Duration::from_secs(20);
        livekit.create_room(&room, Duration::from_secs(60), soon).await.unwrap();
        livekit.delete_room(&room, soon).await.unwrap();
        for event in ["room_started", "room_finished"] {
            eventually(event, || hub.logged(&[event, &room]) > 0).await;
        }
    }
}

/// What the two releases send, byte for byte: events, fields, content type and signature.
#[tokio::test]
async fn a_webhook_holds_what_the_hub_reads_of_it() {
    for release in [Release::Oldest, Release::Newest] {
        let heard = StubHttp::start(Answer::json(200, &json!({}))).await;
        let Some(server) = Server::start_of(release, &[&heard.url()]) else { continue };
        let (livekit, room) = (LiveKit::new(&server.settings()).unwrap(), format!("w-{}", Uuid::new_v4()));
        let soon = tokio::time::Instant::now() + Duration::from_secs(20);
        let grant = Grant {
            room: &room,
            identity: "ann",
            name: None,
            attributes: &[],
            can_publish: true,
            can_subscribe: true,
            can_publish_data: None,
            expires_at: now_seconds() + 600,
            agents: &[],
        };
        let url = format!("{}/rtc?access_token={}&protocol=16", server.ws_url(), livekit.token(&grant).unwrap());
        // It starts the room; `participant_joined` comes once it has a connection for media too, which it never gets.
        let (_joined, _) = tokio_tungstenite::connect_async(url).await.expect("it may join");
        let is = |told: &Asked, event: &str| serde_json::from_slice::<Value>(&told.body).unwrap()["event"] == event;
        eventually("told of the room", || heard.asked().iter().any(|told| is(told, "room_started"))).await;
        livekit.delete_room(&room, soon).await.unwrap();
        eventually("told of its end", || heard.asked().iter().any(|told| is(told, "room_finished"))).await;
        let mut sids = Vec::new();
        for event in ["room_started", "room_finished"] {
            let told = heard.asked().into_iter().find(|told| is(told, event)).unwrap();
            assert_eq!(told.header("content-type"), "application/webhook+json", "{release:?}");
            let opened = livekit.signed_webhook(told.header("authorization")).unwrap().open(&told.body).unwrap();
            assert_eq!((&*opened.event, opened.room.as_deref()), (event, Some(&*room)));
            assert!(opened.id.starts_with("EV_") && opened.created_at.abs_diff(now_seconds()) < 60, "{opened:?}");
            sids.push(opened.room_sid.unwrap());
        }
        assert_eq!(sids[0], sids[1]);
    }
}

/// Told by hand, so that it is the webhook alone that has the effect: nothing sweeps or polls in a test's time.
#[tokio::test]
async fn each_feature_hears_of_its_own_rooms_through_the_one_door() {
    let env = [
        ("REALTIME_JWT_SECRET", realtime::SECRET),
        ("ISSUER", realtime::ISSUER),
        ("AUDIENCE", realtime::AUDIENCE),
        ("TIMEOUT_ENFORCEMENT_INTERVAL_MS", "3600000"),
        realtime::NEVER,
    ];
    let Some(world) = World::start(1, &env).await else { return };
    let hub = &world.hubs[0];
    let tell = async |name: &str, room: &str| {
        let body = json!({"event": name, "id": format!("EV_{name}_{room}"), "room": {"name": room, "sid": "RM_1"}}).to_string();
        assert_eq!(answer(webhook(hub, &body)).await.0, 200);
    };
    // A booked session and an interview, both over, to whose rooms somebody comes back.
    let user = world.user().await;
    let booked = world.started(user).await;
    assert_eq!(world.end(&booked.id, user).await.status, 200);
    let interview = interviews_world::create(&world, json!({})).await;
    interviews_world::set_status(&world, &interview, "COMPLETED").await;
    let soon = || tokio::time::Instant::now() + Duration::from_secs(20);
    let is_there = async |room: &str| {
        world.livekit.list_rooms(soon()).await.expect("LiveKit answers").iter().any(|listed| listed.name == room)
    };
    for room in [booked.room.clone(), format!("live-{}", interview.id)] {
        world.eventually("its room is gone", async || !is_there(&room).await).await;
        world.livekit.create_room(&room, Duration::from_secs(60), soon()).await.expect("LiveKit answers");
        assert!(is_there(&room).await);
        tell("participant_joined", &room).await;
        world.eventually("its room is gone again", async || !is_there(&room).await).await;
    }
    let request = hub.request(Method::POST, realtime::SESSIONS).bearer_auth(realtime::token("ana"));
    let session = realtime::Created::of(&Answered::of(request).await);
    tell("participant_joined", &session.room).await;
    let path = format!("{}/{}", realtime::SESSIONS, session.id);
    let shown = Answered::of(hub.request(Method::GET, &path).bearer_auth(realtime::token("ana"))).await;
    assert_eq!(shown.body["status"], "connected");
}

/// LiveKit's crate would make HMAC all that the process knows of signatures.
#[tokio::test]
async fn public_keys_still_count_once_livekits_tokens_were_verified() {
    let keys = TestKey::rs256();
    let redis = redis::single().url();
    let env = [("REDIS_URL", &*redis), ("JWT_SECRET", ""), ("JWT_PUBLIC_KEY", &keys.public_pem)];
    let hub = Hub::start(&[&env[..], &LIVEKIT].concat()).await;
    assert_eq!(answer(webhook(&hub, r#"{"event":"room_started"}"#)).await.0, 200);
    let token = keys.sign(&json!({"userId": "r1", "role": "RESCUER", "exp": now_seconds() + 600}), None);
    Client::connect(&hub.url(), json!({"token": token})).await;
}
