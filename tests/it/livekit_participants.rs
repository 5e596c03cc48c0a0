//! What our tokens open, tried with LiveKit's own client in a browser against the real server.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use convoke::livekit::{Agent, Grant, LiveKit};
use futures_util::StreamExt as _;
use livekit_protocol::{SignalResponse, signal_response};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::support::DEADLINE;
use crate::support::hub::now_seconds;
use crate::support::livekit;
use crate::support::participant::Participant;

const HOUR: Duration = Duration::from_secs(3600);

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn new_room() -> String {
    format!("people-{}", Uuid::new_v4())
}

fn grant<'a>(room: &'a str, identity: &'a str) -> Grant<'a> {
    Grant {
        room,
        identity,
        name: Some("ann@example.com"),
        attributes: &[],
        can_publish: true,
        can_subscribe: true,
        can_publish_data: None,
        expires_at: now_seconds() + 3600,
        agents: &[],
    }
}

#[tokio::test]
async fn two_participants_meet_in_the_room_of_their_tokens() {
    for server in livekit::each() {
        let (livekit, room) = (LiveKit::new(&server.settings()).unwrap(), new_room());
        livekit.create_room(&room, HOUR, soon()).await.unwrap();
        let [ann, bob] = ["ann", "bob"].map(|identity| livekit.token(&grant(&room, identity)).unwrap());
        let mut ann = Participant::join(server.ws_url(), &ann).await.unwrap();
        let mut bob = Participant::join(server.ws_url(), &bob).await.unwrap();
        assert_eq!((&*ann.room, &*ann.identity), (&*room, "ann"));
        assert_eq!((&*bob.room, &*bob.identity), (&*room, "bob"));
        let mut there = livekit.participants(&room, soon()).await.unwrap();
        there.sort();
        assert_eq!(there, ["ann", "bob"]);
        // The grant lets both publish data.
        ann.say("hello");
        assert_eq!(bob.hear().await, "hello");
        bob.leave().await;
        assert!(livekit.delete_room(&room, soon()).await.unwrap());
        assert_eq!(ann.wait_gone().await, "ROOM_DELETED");
    }
}

#[tokio::test]
async fn an_expired_token_and_one_of_another_key_open_nothing() {
    for server in livekit::each() {
        let (livekit, room) = (LiveKit::new(&server.settings()).unwrap(), new_room());
        // LiveKit allows a minute of clock skew.
        let expired = livekit.token(&Grant { expires_at: now_seconds() - 120, ..grant(&room, "ann") }).unwrap();
        let foreign = convoke::settings::Secret::new("the secret of some other LiveKit, long enough");
        let foreign = convoke::settings::LiveKit { secret: foreign, ..server.settings() };
        let foreign = LiveKit::new(&foreign).unwrap().token(&grant(&room, "ann")).unwrap();
        for token in [expired, foreign] {
            let refused = Participant::join(server.ws_url(), &token).await.err().expect("nobody is let in");
            assert_eq!(refused.reason, "NotAllowed", "{refused:?}");
        }
        assert!(livekit.list_rooms(soon()).await.unwrap().iter().all(|listed| listed.name != room));
    }
}

/// A client may ask for a room by name; the token's own counts.
#[tokio::test]
async fn a_token_opens_no_room_but_its_own() {
    for server in livekit::each() {
        let (livekit, own, other) = (LiveKit::new(&server.settings()).unwrap(), new_room(), new_room());
        livekit.create_room(&other, HOUR, soon()).await.unwrap();
        let token = livekit.token(&grant(&own, "ann")).unwrap();
        let url = format!("{}/rtc?access_token={token}&room={other}&auto_subscribe=1&protocol=16", server.ws_url());
        let (_socket, _) = tokio_tungstenite::connect_async(url).await.expect("it may join its own room");
        let start = std::time::Instant::now();
        while livekit.participants(&own, soon()).await.unwrap_or_default() != ["ann"] {
            assert!(start.elapsed() < DEADLINE, "it never came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(livekit.participants(&other, soon()).await.unwrap().is_empty());
        for room in [own, other] {
            livekit.delete_room(&room, soon()).await.unwrap();
        }
    }
}

/// LiveKit cannot take a token back: what comes after the end is for the hub's sweep.
#[tokio::test]
async fn an_old_token_makes_the_deleted_room_anew_with_its_agent() {
    for server in livekit::each() {
        let (livekit, room) = (LiveKit::new(&server.settings()).unwrap(), new_room());
        let agents = [Agent { name: "ai-interviewer", metadata: "{}" }];
        let token = livekit.token(&Grant { agents: &agents, ..grant(&room, "ann") }).unwrap();
        livekit.create_room(&room, HOUR, soon()).await.unwrap();
        livekit.dispatch_agent(&room, "ai-interviewer", "{}", soon()).await.unwrap();
        let first = livekit.list_rooms(soon()).await.unwrap().into_iter().find(|listed| listed.name == room).unwrap();
        let mut ann = Participant::join(server.ws_url(), &token).await.unwrap();
        // The token's agent is for rooms that the join makes: in this one it was sent for once.
        assert_eq!(livekit.dispatched(&room, soon()).await.unwrap(), ["ai-interviewer"]);
        assert!(livekit.delete_room(&room, soon()).await.unwrap());
        assert_eq!(ann.wait_gone().await, "ROOM_DELETED");

        let ann = Participant::join(server.ws_url(), &token).await.unwrap();
        assert_eq!(ann.room, room);
        let again = livekit.list_rooms(soon()).await.unwrap().into_iter().find(|listed| listed.name == room).unwrap();
        assert_ne!(again.sid, first.sid);
        assert_eq!(livekit.dispatched(&room, soon()).await.unwrap(), ["ai-interviewer"]);
        livekit.delete_room(&room, soon()).await.unwrap();
    }
}

/// LiveKit gives a participant new tokens while it is there. They last as long as the first one, but ten minutes at least: who was in a
/// room as its token expired can come back with the newest.
#[tokio::test]
async fn a_refreshed_token_keeps_the_expiry_of_the_first_but_lasts_ten_minutes_at_least() {
    for server in livekit::each() {
        let livekit = LiveKit::new(&server.settings()).unwrap();
        for (lasts, refreshed) in [(7200, 7200), (30, 600)] {
            let room = new_room();
            let token = livekit.token(&Grant { expires_at: now_seconds() + lasts, ..grant(&room, "ann") }).unwrap();
            let url = format!("{}/rtc?access_token={token}&auto_subscribe=1&protocol=16", server.ws_url());
            let (mut socket, _) = tokio_tungstenite::connect_async(url).await.expect("it may join");
            let token = loop {
                let next = tokio::time::timeout(DEADLINE, socket.next()).await.expect("it is refreshed at once");
                let Message::Binary(bytes) = next.unwrap().unwrap() else { continue };
                let told = SignalResponse::decode(&*bytes).expect("a message of LiveKit's").message;
                if let Some(signal_response::Message::RefreshToken(token)) = told {
                    break token;
                }
            };
            let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
            let claims: Value = serde_json::from_slice(&claims).unwrap();
            let left = claims["exp"].as_u64().unwrap().abs_diff(now_seconds());
            assert!(left.abs_diff(refreshed) < 20, "{left} s of {refreshed}: {claims}");
            assert_eq!((&claims["video"]["room"], &claims["sub"]), (&json!(room), &json!("ann")));
            livekit.delete_room(&room, soon()).await.unwrap();
        }
    }
}
