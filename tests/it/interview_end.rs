//! The end of an interview at the real LiveKit server: its room goes, and who comes with an old token is put out.

use std::time::Duration;

use serde_json::json;

use crate::interviews_world::{As, Interview, MANY_ADDRESSES, create, join, joining, set_status, text};
use crate::support::booking::World;
use crate::support::livekit::Server;
use crate::support::participant::Participant;
use crate::support::ports::free_port;
use crate::support::proxy::{Mode, Proxy};

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
async fn who_comes_to_an_ended_interview_is_put_out_by_webhook() {
    let port = free_port().to_string();
    let way = Proxy::start(format!("127.0.0.1:{port}")).await;
    let Some(server) = Server::start(&[&format!("http://{}/livekit/webhook", way.address)]) else { return };
    let Some(world) = World::on(&server, 1, &[MANY_ADDRESSES, ("PORT", &port)]).await else { return };
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
