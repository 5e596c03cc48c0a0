//! Realtime sessions with the real LiveKit and real participants.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::json;

use crate::support::DEADLINE;
use crate::support::livekit::Server;
use crate::support::participant::Participant;
use crate::support::ports::free_port;
use crate::support::realtime::{NEVER, World};

/// As short as makes sense: LiveKit's counts lag by five seconds.
const SECOND: (&str, &str) = ("SESSION_CLEANUP_INTERVAL", "1s");
/// A browser needs some seconds until it is back after LiveKit was, and LiveKit five more until it counts it.
const FIVE: (&str, &str) = ("SESSION_CLEANUP_INTERVAL", "5s");

/// A world of one node, on a LiveKit server of its own that tells the node what happens.
async fn with_webhooks(env: &[(&str, &str)]) -> Option<(Server, World)> {
    let port = free_port().to_string();
    let server = Server::start(&[&format!("http://127.0.0.1:{port}/livekit/webhook")])?;
    let world = World::start(&server.env(), 1, &[&[("PORT", &*port)], env].concat()).await;
    Some((server, world))
}

async fn without_webhooks(env: &[(&str, &str)]) -> Option<(Server, World)> {
    let server = Server::start(&[])?;
    let world = World::start(&server.env(), 1, env).await;
    Some((server, world))
}

async fn room_is_there(server: &Server, room: &str) -> bool {
    let livekit = convoke::livekit::LiveKit::new(&server.settings()).expect("a client");
    let rooms = livekit.list_rooms((Instant::now() + DEADLINE).into()).await.expect("LiveKit answers");
    rooms.iter().any(|listed| listed.name == room)
}

#[tokio::test]
async fn a_participant_connects_a_session_by_webhook_and_is_put_out_when_it_is_deleted() {
    let Some((server, world)) = with_webhooks(&[NEVER]).await else { return };
    let session = world.created("ana").await;
    let mut participant = Participant::join(server.ws_url(), &session.token).await.expect("the token opens the room");
    assert_eq!((&participant.room, &*participant.identity), (&session.room, "ana"));
    let took = world.until_status(&session, "connected").await;
    println!("connected {took:?} after the join");
    assert_eq!(world.delete(&session.id, "ana").await.status, 200);
    assert_eq!(participant.wait_gone().await, "ROOM_DELETED");
    // The token is still good; LiveKit makes the room again, and the webhook of that has it deleted. The hub is mostly quicker
    // than a browser, so that it is no browser that knocks.
    let url = format!("{}/rtc?access_token={}&auto_subscribe=1&protocol=16", server.ws_url(), session.token);
    let (mut knocking, _) = tokio_tungstenite::connect_async(url).await.expect("LiveKit knows of no end");
    let out = async { while knocking.next().await.is_some_and(|message| message.is_ok_and(|message| !message.is_close())) {} };
    tokio::time::timeout(DEADLINE, out).await.expect("LiveKit hangs up");
    world.eventually("the room is gone again", async || !room_is_there(&server, &session.room).await).await;
    assert_eq!(world.status(&session).await, "gone");
}

#[tokio::test]
async fn without_webhooks_polling_connects_a_session_and_removes_it_once_everybody_has_left() {
    let Some((server, world)) = without_webhooks(&[SECOND]).await else { return };
    let session = world.created("ana").await;
    let participant = Participant::join(server.ws_url(), &session.token).await.expect("the token opens the room");
    let took = world.until_status(&session, "connected").await;
    println!("connected {took:?} after the join, with an interval of 1 s and counts that lag by 5 s");
    // It stays for as long as somebody is there.
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(world.status(&session).await, "connected");
    participant.leave().await;
    let took = world.until_status(&session, "gone").await;
    println!("gone {took:?} after the last has left");
    world.eventually("its room has a tombstone", async || world.has_tombstone(&session.room)).await;
    world.eventually("its room is gone", async || !room_is_there(&server, &session.room).await).await;
}

#[tokio::test]
async fn a_livekit_that_is_killed_and_comes_back_costs_no_session_of_those_who_return() {
    let Some((server, world)) = with_webhooks(&[FIVE]).await else { return };
    let [stays, leaves] = [world.created("ana").await, world.created("bob").await];
    let _participant = Participant::join(server.ws_url(), &stays.token).await.expect("the token opens the room");
    let other = Participant::join(server.ws_url(), &leaves.token).await.expect("the token opens the room");
    for session in [&stays, &leaves] {
        world.until_status(session, "connected").await;
    }
    server.stop();
    drop(other);
    world.hubs[0].logs("a round of polling has failed").await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    for session in [&stays, &leaves] {
        assert_eq!(world.status(session).await, "connected", "nothing is known of it");
    }
    server.restart();
    world.until_status(&leaves, "gone").await;
    assert_eq!(world.status(&stays).await, "connected", "its participant came back by itself");
    assert!(room_is_there(&server, &stays.room).await);
}

#[tokio::test]
async fn the_seeds_lines_run_against_a_hub() {
    let Some((server, world)) = with_webhooks(&[NEVER]).await else { return };
    let made = world.create("ana").await;
    assert_eq!((made.status, &made.body["ws_url"]), (201, &json!(server.ws_url())));
    // `room.connect(response.ws_url, response.client_secret.value)`
    let (ws_url, secret) = (made.body["ws_url"].as_str().unwrap(), made.body["client_secret"]["value"].as_str().unwrap());
    let participant = Participant::join(ws_url, secret).await.expect("the token opens the room");
    assert_eq!(participant.room, made.body["room_id"].as_str().unwrap());
}
