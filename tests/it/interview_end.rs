//! The end of an interview at the real LiveKit server: its room goes, and who comes with an old token is put out.

use std::time::Duration;

use serde_json::json;

use crate::interviews_world::{As, Interview, MANY_ADDRESSES, create, join, joining, set_status, text};
use crate::support::booking::World;
use crate::support::livekit::Server;
use crate::support::participant::Participant;
use crate::support::ports::free_port;
use crate::support::proxy::{Mode, Proxy};

/// No sweep comes in a test's time.
const NEVER: (&str, &str) = ("INTERVIEW_SWEEP_SECONDS", "86400");

async fn token(world: &World, interview: &Interview) -> String {
    let answer = join(world, 0, As::Bearer(&interview.token), &joining(interview, "candidate", None)).await;
    text(&answer.body["token"])
}

async fn is_there(world: &World, interview: &Interview) -> bool {
    let deadline = (std::time::Instant::now() + Duration::from_secs(10)).into();
    let room = format!("live-{}", interview.id);
    world.livekit.list_rooms(deadline).await.expect("LiveKit answers").iter().any(|known| known.name == room)
}

/// Waits until its room is gone.
async fn gone(world: &World, interview: &Interview) {
    world.eventually("its room is gone", async || !is_there(world, interview).await).await;
}

#[tokio::test]
async fn the_room_of_an_interview_that_has_ended_is_deleted() {
    let Some(world) = World::start(1, &[MANY_ADDRESSES, NEVER]).await else { return };
    let other = create(&world, json!({})).await;
    let mut stays = Participant::join(world.livekit.ws_url(), &token(&world, &other).await).await.unwrap();
    let interview = create(&world, json!({})).await;
    let mut candidate = Participant::join(world.livekit.ws_url(), &token(&world, &interview).await).await.unwrap();
    set_status(&world, &interview, "CANCELLED").await;
    assert_eq!(candidate.wait_gone().await, "ROOM_DELETED");
    gone(&world, &interview).await;
    assert!(is_there(&world, &other).await, "another interview goes on");
    for status in ["COMPLETED", "EXPIRED"] {
        let interview = create(&world, json!({})).await;
        let url = format!("{}/rtc?access_token={}&protocol=9", world.livekit.ws_url(), token(&world, &interview).await);
        let (_knocking, _) = tokio_tungstenite::connect_async(url).await.expect("it opens");
        world.eventually("it has a room", async || is_there(&world, &interview).await).await;
        set_status(&world, &interview, status).await;
        gone(&world, &interview).await;
    }
    set_status(&world, &other, "COMPLETED").await;
    assert_eq!(stays.wait_gone().await, "ROOM_DELETED");
}

#[tokio::test]
async fn who_comes_to_an_ended_interview_is_put_out_by_webhook() {
    let port = free_port().to_string();
    let way = Proxy::start(format!("127.0.0.1:{port}")).await;
    let Some(server) = Server::start(&[&format!("http://{}/livekit/webhook", way.address)]) else { return };
    let Some(world) = World::on(&server, 1, &[MANY_ADDRESSES, NEVER, ("PORT", &port)]).await else { return };
    let interview = create(&world, json!({})).await;
    let token = token(&world, &interview).await;
    set_status(&world, &interview, "COMPLETED").await;
    // Held back until the join is complete; else the hub is mostly quicker than the browser.
    way.set(Mode::Pause);
    let mut late = Participant::join(server.ws_url(), &token).await.expect("LiveKit knows of no end");
    assert!(is_there(&world, &interview).await, "made anew");
    way.set(Mode::Pass);
    assert_eq!(late.wait_gone().await, "ROOM_DELETED");
    gone(&world, &interview).await;
}

#[tokio::test]
async fn who_comes_to_an_ended_interview_is_put_out_by_the_sweep() {
    let Some(mut world) = World::start(1, &[MANY_ADDRESSES, NEVER]).await else { return };
    let (interview, open) = (create(&world, json!({})).await, create(&world, json!({})).await);
    let old = token(&world, &interview).await;
    set_status(&world, &interview, "EXPIRED").await;
    let mut late = Participant::join(world.livekit.ws_url(), &old).await.expect("LiveKit knows of no end");
    let url = format!("{}/rtc?access_token={}&protocol=9", world.livekit.ws_url(), token(&world, &open).await);
    let (_in_time, _) = tokio_tungstenite::connect_async(url).await.expect("it opens");
    world.eventually("both have rooms", async || is_there(&world, &interview).await && is_there(&world, &open).await).await;
    // There are no webhooks, and only this node sweeps.
    world.add_node(&[("INTERVIEW_SWEEP_SECONDS", "1")]).await;
    assert_eq!(late.wait_gone().await, "ROOM_DELETED");
    gone(&world, &interview).await;
    assert!(is_there(&world, &open).await);
}
