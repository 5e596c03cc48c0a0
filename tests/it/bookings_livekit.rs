//! Interview sessions with real participants: what the hub's tokens open, and who is put out after the end.

use std::time::Instant;

use futures_util::StreamExt as _;
use serde_json::json;

use crate::support::DEADLINE;
use crate::support::booking::{World, token_body};
use crate::support::livekit::{self, Release, Server};
use crate::support::node::Script;
use crate::support::participant::Participant;
use crate::support::ports::free_port;
use crate::support::proxy::{Mode, Proxy};

/// No sweep comes in a test's time.
const NEVER: (&str, &str) = ("TIMEOUT_ENFORCEMENT_INTERVAL_MS", "3600000");
const OFTEN: (&str, &str) = ("TIMEOUT_ENFORCEMENT_INTERVAL_MS", "300");

/// A world of one node, on a LiveKit server of its own that tells the node what happens; and the way that the webhooks take.
async fn with_webhooks(release: Release) -> Option<(Server, World, Proxy)> {
    let port = free_port().to_string();
    let way = Proxy::start(format!("127.0.0.1:{port}")).await;
    let server = Server::start_of(release, &[&format!("http://{}/livekit/webhook", way.address)])?;
    let world = World::on(&server, 1, &[NEVER, ("PORT", &port)]).await?;
    Some((server, world, way))
}

/// The agents that were sent to a room.
async fn dispatched(world: &World, room: &str) -> Vec<String> {
    let deadline = (Instant::now() + DEADLINE).into();
    world.livekit.dispatched(room, deadline).await.expect("the room is there")
}

#[tokio::test]
async fn the_tokens_of_a_session_open_its_room_until_it_ends() {
    for server in livekit::each() {
        let Some(world) = World::on(server, 1, &[NEVER]).await else { continue };
        let (user, other) = (world.user().await, world.user().await);
        let session = world.started(user).await;
        let refreshed = world.post("/api/livekit/token", user, Some(token_body(&session))).await.body;
        let refreshed = refreshed["token"].as_str().expect("a token").to_owned();
        // The same identity twice: LiveKit puts the first one out.
        let mut first = Participant::join(world.livekit.ws_url(), &session.token).await.unwrap();
        assert_eq!((&first.room, &first.identity), (&session.room, &user.to_string()));
        let mut second = Participant::join(world.livekit.ws_url(), &refreshed).await.unwrap();
        assert_eq!((&second.room, &second.identity), (&session.room, &user.to_string()));
        assert_eq!(first.wait_gone().await, "DUPLICATE_IDENTITY");
        assert_eq!(dispatched(&world, &session.room).await, ["ai-interviewer"], "one interviewer, whoever joins");

        let foreign = world.started(other).await;
        let asked = json!({"roomName": foreign.room, "sessionId": session.id});
        let refused = world.post("/api/livekit/token", user, Some(asked)).await;
        assert_eq!((refused.status, refused.body), (400, json!({"message": "Room does not belong to this session"})));

        assert_eq!(world.end(&session.id, user).await.status, 200);
        assert_eq!(second.wait_gone().await, "ROOM_DELETED");
        let refused = world.post("/api/livekit/token", user, Some(token_body(&session))).await;
        let ended = json!({"message": "Interview session has ended", "status": "ended_early"});
        assert_eq!((refused.status, refused.body), (403, ended));
    }
}

#[tokio::test]
async fn who_comes_after_the_end_is_put_out_by_webhook() {
    for release in [Release::Oldest, Release::Newest] {
        let Some((server, world, way)) = with_webhooks(release).await else { continue };
        let user = world.user().await;
        let session = world.started(user).await;
        assert_eq!(world.end(&session.id, user).await.status, 200);
        world.wait_until_empty().await;
        // Held back until the join is complete; else the hub is mostly quicker than the browser.
        way.set(Mode::Pause);
        let mut late = Participant::join(server.ws_url(), &session.token).await.expect("LiveKit knows of no end");
        assert_eq!(world.rooms().await, [&*session.room], "made anew");
        way.set(Mode::Pass);
        let told = Instant::now();
        assert_eq!(late.wait_gone().await, "ROOM_DELETED");
        println!("out {:?} after the webhook", told.elapsed());
        world.wait_until_empty().await;

        // And when nobody holds them back. Such a one is out before a browser would be in.
        let url = format!("{}/rtc?access_token={}&auto_subscribe=1&protocol=16", server.ws_url(), session.token);
        let (mut knocking, _) = tokio_tungstenite::connect_async(url).await.expect("LiveKit knows of no end");
        let told = Instant::now();
        let out =
            async { while knocking.next().await.is_some_and(|message| message.is_ok_and(|message| !message.is_close())) {} };
        tokio::time::timeout(DEADLINE, out).await.expect("LiveKit hangs up");
        println!("out {:?} after it had come", told.elapsed());
        world.wait_until_empty().await;
        assert_eq!((&*world.status(&session.id).await, world.completed(user).await), ("ended_early/user_ended", 1));
    }
}

#[tokio::test]
async fn who_comes_after_the_end_is_put_out_by_the_sweep_where_no_webhook_comes() {
    let Some(mut world) = World::start(1, &[NEVER]).await else { return };
    let user = world.user().await;
    let session = world.started(user).await;
    assert_eq!(world.end(&session.id, user).await.status, 200);
    world.wait_until_empty().await;
    let mut late = Participant::join(world.livekit.ws_url(), &session.token).await.expect("LiveKit knows of no end");
    assert_eq!(world.rooms().await, [session.room], "made anew");
    // It has no webhooks, and only this node sweeps.
    world.add_node(&[OFTEN]).await;
    assert_eq!(late.wait_gone().await, "ROOM_DELETED");
    world.wait_until_empty().await;
}

#[tokio::test]
async fn who_is_in_an_active_session_stays() {
    let Some((server, world, _way)) = with_webhooks(Release::Newest).await else { return };
    let user = world.user().await;
    let session = world.started(user).await;
    let mut candidate = Participant::join(server.ws_url(), &session.token).await.unwrap();
    let room = session.room.clone();
    world
        .eventually("the webhook of the join was handled", async || world.hubs[0].logged(&["participant_joined", &room]) > 0)
        .await;
    // Another one comes to the same room, and they hear each other: it is still the same room.
    let interviewer = convoke::livekit::Grant {
        room: &session.room,
        identity: "ai-interviewer",
        name: None,
        attributes: &[],
        can_publish: true,
        can_subscribe: true,
        can_publish_data: None,
        expires_at: crate::support::hub::now_seconds() + 60,
        agents: &[],
    };
    let mut interviewer =
        Participant::join(server.ws_url(), &world.livekit.token(&interviewer).unwrap()).await.expect("it may join");
    interviewer.say("Tell me about yourself.");
    assert_eq!(candidate.hear().await, "Tell me about yourself.");
    assert_eq!(world.rooms().await, [session.room]);
}

/// Calls a function of the former users' code, and gives what came of it.
async fn call(script: &mut Script, call: serde_json::Value) -> serde_json::Value {
    script.order(&call.to_string());
    serde_json::from_str(&script.line().await.expect("it lives")).expect("JSON")
}

#[tokio::test]
async fn the_hooks_of_the_former_backend_run_unchanged() {
    let Some(world) = World::start(1, &[("BETA_INTERVIEWS_PER_USER", "1")]).await else { return };
    let user = world.user().await;
    let mut hooks = Script::node("hooks.mjs", &[&world.hubs[0].url(), &world.token(user)]);

    let eligible = json!({"returned": {"canStart": true, "reason": "ELIGIBLE"}});
    assert_eq!(call(&mut hooks, json!(["checkEligibility"])).await, eligible);
    let started = call(&mut hooks, json!(["startSession"])).await["returned"].take();
    assert_eq!((&started["success"], &started["session"]["status"]), (&json!(true), &json!("active")), "{started}");
    let (id, room) = (&started["session"]["id"], &started["session"]["room_name"]);
    assert_eq!((&started["livekit"]["roomName"], &started["livekit"]["wsUrl"]), (room, &json!(world.livekit.ws_url())));
    Participant::join(world.livekit.ws_url(), started["livekit"]["token"].as_str().unwrap()).await.unwrap().leave().await;

    let status = call(&mut hooks, json!(["getSessionStatus", id])).await["returned"].take();
    assert_eq!((&status["id"], &status["status"], &status["livekit_room_name"]), (id, &json!("active"), room));
    let pass = call(&mut hooks, json!(["getLiveKitToken", room, id])).await["returned"].take();
    assert_eq!((&pass["roomName"], &pass["wsUrl"]), (room, &started["livekit"]["wsUrl"]));

    let again = call(&mut hooks, json!(["startSession"])).await["thrown"].take();
    assert_eq!((&again["error"], &again["existingSessionId"]), (&json!("ACTIVE_SESSION_EXISTS"), id), "{again}");
    let busy = call(&mut hooks, json!(["checkEligibility"])).await["returned"].take();
    assert_eq!((&busy["canStart"], &busy["existingSessionId"]), (&json!(false), id), "{busy}");

    let ended = json!({"returned": {"success": true, "message": "Session ended successfully"}});
    assert_eq!(call(&mut hooks, json!(["endSession", id])).await, ended);
    let twice = call(&mut hooks, json!(["endSession", id])).await;
    assert_eq!(twice, json!({"thrown": {"message": "Session not found or already ended"}}));
    let late = call(&mut hooks, json!(["getLiveKitToken", room, id])).await;
    assert_eq!(late, json!({"thrown": {"message": "Interview session has ended", "status": "ended_early"}}));
    assert_eq!(call(&mut hooks, json!(["startSession"])).await["thrown"]["error"], "BETA_LIMIT");
    let nowhere = call(&mut hooks, json!(["getSessionStatus", "AAA-BBB-CCC"])).await;
    assert!(nowhere["thrown"]["message"].is_string(), "{nowhere}");

    let mut nobody = Script::node("hooks.mjs", &[&world.hubs[0].url(), ""]);
    assert_eq!(call(&mut nobody, json!(["startSession"])).await, json!({"error": "Not authenticated"}));
    let mut stranger = Script::node("hooks.mjs", &[&world.hubs[0].url(), "no token"]);
    assert_eq!(call(&mut stranger, json!(["startSession"])).await, json!({"thrown": {"message": "Unauthorized"}}));
}
