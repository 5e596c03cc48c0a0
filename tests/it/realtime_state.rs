//! From `created` to `connected` to gone: what webhooks and polling do, and what neither does in haste. LiveKit is a stand-in here
//! whose rooms are as the test says.

use std::time::Duration;

use convoke::redis::cmd;
use futures_util::future::join_all;
use serde_json::json;

use crate::support::realtime::{Created, FakeLiveKit, NEVER, OFTEN, World, event};
use crate::support::redis::Cluster;
use crate::support::stub_http::Answer as Stub;

const SECONDS_OF_A_TEST: Duration = Duration::from_secs(2);

/// Rounds go by.
async fn rounds(livekit: &FakeLiveKit, number: usize) {
    let before = livekit.calls();
    crate::support::eventually("rounds have gone by", || livekit.calls() >= before + number).await;
}

#[tokio::test]
async fn a_webhook_of_a_join_connects_and_neither_leaving_nor_a_repeat_changes_that() {
    let livekit = FakeLiveKit::start().await;
    let world = World::start(&livekit.env(), 1, &[NEVER]).await;
    let session = world.created("ana").await;
    let join = event("participant_joined", &session, "RM_1");
    assert_eq!(world.tell(&join).await, 200);
    assert_eq!(world.status(&session).await, "connected");
    for name in [
        "participant_left",
        "participant_connection_aborted",
        "track_published",
        "track_unpublished",
        "room_started",
        "moon_landed",
    ] {
        assert_eq!(world.tell(&event(name, &session, "RM_1")).await, 200, "{name}");
        assert_eq!(world.tell(&event(name, &session, "RM_2")).await, 200, "{name}");
    }
    assert_eq!(world.tell(&join).await, 200, "repeated");
    assert_eq!(world.status(&session).await, "connected");
    // Of rooms that nobody knows, and of none.
    let stranger = Created { room: "room_000000000000000000000000".into(), ..session.clone() };
    for name in ["participant_joined", "room_started", "room_finished", "participant_left"] {
        assert_eq!(world.tell(&event(name, &stranger, "RM_1")).await, 200);
        assert_eq!(world.tell(&event(name, &Created { room: "room_}{".into(), ..session.clone() }, "RM_1")).await, 200);
        assert_eq!(world.tell(&json!({"event": name})).await, 200);
    }
    assert_eq!((world.status(&session).await, livekit.deleted()), ("connected".into(), vec![]));
}

#[tokio::test]
async fn the_end_of_a_room_removes_its_session_and_the_end_of_an_earlier_one_does_not() {
    let livekit = FakeLiveKit::start().await;
    let world = World::start(&livekit.env(), 1, &[NEVER]).await;
    let session = world.created("ana").await;
    let first_end = event("room_finished", &session, "RM_1");
    world.tell(&first_end).await;
    assert_eq!(world.status(&session).await, "created", "the end came before the join");
    world.tell(&event("participant_joined", &session, "RM_1")).await;
    world.tell(&event("participant_joined", &session, "RM_2")).await;
    for end in [first_end, event("room_finished", &session, "RM_1"), event("room_finished", &session, "")] {
        world.tell(&end).await;
        assert_eq!(world.status(&session).await, "connected");
    }
    let end = event("room_finished", &session, "RM_2");
    world.tell(&end).await;
    assert_eq!(world.status(&session).await, "gone");
    assert!(world.has_tombstone(&session.room));
    assert_eq!(world.keys(), [] as [String; 0]);
    // Told late, a join does not bring it back.
    world.tell(&end).await;
    world.tell(&event("participant_joined", &session, "RM_2")).await;
    assert_eq!((world.status(&session).await, world.keys().len()), ("gone".into(), 0));
}

#[tokio::test]
async fn polling_alone_connects_and_removes_once_the_room_is_empty_for_two_rounds() {
    let livekit = FakeLiveKit::start().await;
    let world = World::start(&livekit.env(), 1, &[OFTEN]).await;
    let [joined, waiting] = [world.created("ana").await, world.created("ana").await];
    rounds(&livekit, 3).await;
    assert_eq!(world.status(&joined).await, "created");
    livekit.put_room(&joined.room, 0);
    rounds(&livekit, 3).await;
    assert_eq!(world.status(&joined).await, "created", "LiveKit counts nobody yet");
    let before_the_join = std::time::Instant::now();
    livekit.put_room(&joined.room, 1);
    world.until_status(&joined, "connected").await;
    livekit.put_room(&joined.room, 0);
    world.until_status(&joined, "gone").await;
    let took = before_the_join.elapsed();
    assert!(took > Duration::from_secs(6), "its last join is long enough ago: {took:?}");
    world.eventually("its room has a tombstone", async || world.has_tombstone(&joined.room)).await;
    world.eventually("the room is deleted", async || !livekit.has_room(&joined.room)).await;
    assert_eq!(world.status(&waiting).await, "created");
}

#[tokio::test]
async fn a_session_that_nobody_joins_is_removed_when_it_is_stale() {
    let livekit = FakeLiveKit::start().await;
    let world = World::start(&livekit.env(), 1, &[OFTEN, ("SESSION_STALE_TTL", "2s")]).await;
    let before = std::time::Instant::now();
    let session = world.created("ana").await;
    world.until_status(&session, "gone").await;
    let took = before.elapsed();
    assert!(took >= Duration::from_millis(1_900), "{took:?}");
    // What leads to a session goes after it.
    let is_left = async || world.keys().is_empty() && world.has_tombstone(&session.room);
    world.eventually("only the tombstone is left", is_left).await;
}

#[tokio::test]
async fn while_livekit_does_not_answer_nothing_is_removed_and_then_polling_goes_on() {
    for fault in [Stub::Cut, Stub::Silence, Stub::Body(500, "{}".into()), Stub::Body(200, "no answer of its API".into())] {
        let livekit = FakeLiveKit::start().await;
        let world = World::start(&livekit.env(), 1, &[OFTEN, ("SESSION_STALE_TTL", "3s")]).await;
        let [connected, left] = [world.created("ana").await, world.created("ana").await];
        for session in [&connected, &left] {
            livekit.put_room(&session.room, 1);
        }
        for session in [&connected, &left] {
            world.until_status(session, "connected").await;
        }
        livekit.fail(Some(fault.clone()));
        livekit.remove_room(&left.room);
        // For this one LiveKit is not asked. Made before, it might be stale before LiveKit fails.
        let waiting = world.created("ana").await;
        tokio::time::sleep(2 * SECONDS_OF_A_TEST).await;
        assert_eq!((&*world.status(&waiting).await, &*world.status(&left).await), ("created", "connected"), "{fault:?}");
        world.hubs[0].logs("a round of polling has failed").await;
        // DELETE succeeds all the same; its room is found later.
        livekit.put_room(&connected.room, 1);
        assert_eq!(world.delete(&connected.id, "ana").await.status, 200);
        livekit.fail(None);
        world.until_status(&waiting, "gone").await;
        world.until_status(&left, "gone").await;
        world.eventually("the room is deleted", async || !livekit.has_room(&connected.room)).await;
    }
}

#[tokio::test]
async fn a_room_whose_session_is_gone_is_deleted_whenever_it_shows_up() {
    let livekit = FakeLiveKit::start().await;
    let world = World::start(&livekit.env(), 1, &[OFTEN]).await;
    let [asked, other] = [world.created("ana").await, world.created("ana").await];
    let foreign = "room_of_somebody_else";
    let unknown = "room_000000000000000000000000";
    for room in [foreign, unknown, &other.room] {
        livekit.put_room(room, 1);
    }
    world.delete(&asked.id, "ana").await;
    for _ in 0..2 {
        // Somebody comes back with the old token.
        livekit.put_room(&asked.room, 1);
        world.eventually("a poll deletes it", async || !livekit.has_room(&asked.room)).await;
        livekit.put_room(&asked.room, 1);
        world.tell(&event("participant_joined", &asked, "RM_7")).await;
        assert!(!livekit.has_room(&asked.room), "a webhook is quicker");
    }
    assert!([foreign, unknown, &other.room].iter().all(|room| livekit.has_room(room)), "and no other");
    assert_eq!(world.status(&other).await, "connected");
}

#[tokio::test]
async fn a_redis_that_forgets_everything_gets_the_sessions_back_that_somebody_is_in() {
    let livekit = FakeLiveKit::start().await;
    let world = World::start(&livekit.env(), 2, &[OFTEN]).await;
    let [in_use, waiting, shared] = [world.created("ana").await, world.created("ana").await, world.created("cleo").await];
    livekit.put_people(&in_use.room, &["an-agent", "ana"]);
    // Of another hub on the same LiveKit, more than one round looks at; and one whose user has left it to somebody else.
    for n in 0..600 {
        livekit.put_people(&format!("room_{n:024}"), &["ana"]);
    }
    livekit.put_people(&shared.room, &["bob"]);
    for session in [&in_use, &shared] {
        world.until_status(session, "connected").await;
    }
    let redis = world.redis.as_ref().expect("a Redis");
    redis.ask::<()>(&cmd("FLUSHALL"));
    world.until_status(&in_use, "connected").await;
    let listed = async |user: &str| {
        let list = world.get("/v1/realtime/sessions", user).await.body;
        list["data"].as_array().expect("a list").iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(listed("ana").await, [&*in_use.id]);
    // Nobody has joined that one; its token is still good, and whoever comes with it has the session again.
    assert_eq!(world.status(&waiting).await, "gone");
    let stranger = Created { user: "bob".into(), ..waiting.clone() };
    world.tell(&event("participant_joined", &stranger, "RM_1")).await;
    assert_eq!(world.status(&waiting).await, "gone");
    world.tell(&event("participant_joined", &waiting, "RM_1")).await;
    assert_eq!((&*world.status(&waiting).await, listed("ana").await.len()), ("connected", 2));
    rounds(&livekit, 10).await;
    assert_eq!((listed("bob").await.len(), listed("cleo").await.len()), (0, 0));
    assert!(livekit.deleted().is_empty(), "no room of anybody was touched");

    // Lost in part, as when one of several masters comes back empty.
    redis.ask::<()>(cmd("DEL").arg(format!("realtime:session:{{{}}}", in_use.id)));
    world.until_status(&in_use, "connected").await;
    assert_eq!(world.delete(&in_use.id, "ana").await.status, 200);
    livekit.put_people(&in_use.room, &["ana"]);
    world.eventually("what was deleted stays so", async || !livekit.has_room(&in_use.room)).await;
    assert_eq!(world.status(&in_use).await, "gone");
}

#[tokio::test]
async fn two_nodes_that_poll_at_once_do_no_harm_and_a_join_in_between_counts() {
    let livekit = FakeLiveKit::start().await;
    let world = World::start(&livekit.env(), 2, &[OFTEN, ("SESSION_STALE_TTL", "5s")]).await;
    let redis = world.redis.as_ref().expect("a Redis");
    let sessions = join_all((0..20).map(|_| world.created("ana"))).await;
    sessions.iter().step_by(2).for_each(|session| livekit.put_room(&session.room, 1));
    let start = std::time::Instant::now();
    while start.elapsed() < 2 * SECONDS_OF_A_TEST {
        // Nobody has the lease for long.
        redis.ask::<()>(cmd("DEL").arg("realtime:poller"));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (n, session) in sessions.iter().enumerate() {
        let expected = if n % 2 == 0 { "connected" } else { "gone" };
        world.until_status(session, expected).await;
    }
}

#[tokio::test]
async fn a_poller_that_is_killed_is_replaced_within_two_intervals() {
    let livekit = FakeLiveKit::start().await;
    let interval = ("SESSION_CLEANUP_INTERVAL", "2s");
    let world = World::start(&livekit.env(), 3, &[interval]).await;
    let redis = world.redis.as_ref().expect("a Redis");
    let owner = || redis.ask::<Option<String>>(cmd("GET").arg("realtime:poller")).unwrap_or_default();
    world.eventually("one of them polls", async || !owner().is_empty() && !livekit.listings().is_empty()).await;
    let first = owner();
    let place = world.hubs.iter().position(|hub| hub.has_logged(&format!("\"node\":\"{first}"))).expect("a node");
    let session = {
        let other = (place + 1) % 3;
        Created::of(
            &crate::support::booking::Answer::of(world.request_on(other, reqwest::Method::POST, "/v1/realtime/sessions", "ana"))
                .await,
        )
    };
    world.hubs[place].kill();
    livekit.put_room(&session.room, 1);
    let killed = std::time::Instant::now();
    world.eventually("another one polls", async || !owner().is_empty() && owner() != first).await;
    let key = format!("realtime:session:{{{}}}", session.id);
    let status = || redis.ask::<Option<String>>(cmd("HGET").arg(&key).arg("status")).unwrap_or_default();
    world.eventually("and has connected it", async || status() == "connected").await;
    println!("another node polled after {:?}, with an interval of 2 s", killed.elapsed());
}

#[tokio::test]
async fn a_round_of_five_thousand_sessions_costs_ten_calls_or_one() {
    let (cluster, livekit) = (Cluster::start(0), FakeLiveKit::start().await);
    let client = cluster.client().await;
    for n in 0..5_000 {
        let (id, room) = (format!("sess_{n:024}"), format!("room_{n:024}"));
        use convoke::features::realtime::scripts::realtime_create;
        let made = realtime_create(&client, &id, "ana", &room, 1_900_000_000, 3_600_000);
        let created = made.await.expect("an answer");
        let mut add = cmd("ZADD");
        add.arg("realtime:all").arg(created).arg(&id);
        client.command(add, "realtime:all").await.expect("an answer");
        if n % 100 == 0 {
            livekit.put_room(&room, 1);
        }
    }
    // One node: of two, one might take the lease in the middle of a round of the other, if that takes longer than the lease.
    let world = World::on(&cluster.url(), None, &livekit.env(), 1, &[("SESSION_CLEANUP_INTERVAL", "500ms")]).await;
    let seen = Created { id: format!("sess_{:024}", 4_900), room: String::new(), user: "ana".into(), token: String::new() };
    world.until_status(&seen, "connected").await;
    livekit.put_room("nobody's", 1);
    let first = livekit.listings().len();
    world.eventually("five rounds more", async || livekit.listings().len() >= first + 3 * 10 + 2).await;
    let listings = livekit.listings();
    let rounds: Vec<&[usize]> = listings.split(|names| *names == 0).filter(|batches| !batches.is_empty()).collect();
    assert!(listings.iter().all(|names| matches!(names, 0 | 500)), "{listings:?}");
    // Three rounds by name, then one of all rooms; the last may not be whole.
    assert!(rounds[..rounds.len() - 1].iter().all(|batches| batches.len() % 10 == 0), "{listings:?}");
}

/// LiveKit gives participants new tokens, which last ten minutes at least, and takes each for a minute longer.
#[tokio::test]
async fn a_tombstone_outlasts_every_token_that_opens_its_room() {
    for (ttl, least) in [("60s", 660), ("1h", 3_600 + 60)] {
        let livekit = FakeLiveKit::start().await;
        let world = World::start(&livekit.env(), 1, &[NEVER, ("LIVEKIT_TOKEN_TTL", ttl)]).await;
        let session = world.created("ana").await;
        assert_eq!(world.delete(&session.id, "ana").await.status, 200);
        let redis = world.redis.as_ref().expect("a Redis");
        let left: i64 = redis.ask(cmd("TTL").arg(format!("realtime:gone:{{{}}}", session.room)));
        assert!((least..least + 120).contains(&left), "{left} s with tokens for {ttl}");
    }
}
