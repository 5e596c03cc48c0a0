//! Starts of interview sessions in bad weather: whatever fails, either the session is there, or nothing of it is.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::booking::{Answer, World};
use crate::support::commit_proxy::{CommitProxy, Loss};
use crate::support::hub::Hub;
use crate::support::livekit;
use crate::support::livekit_proxy::{Fault, LiveKitProxy};
use crate::support::{DEADLINE, eventually, postgres};

const MANY: (&str, &str) = ("BETA_INTERVIEWS_PER_USER", "1000");
const OFTEN: (&str, &str) = ("TIMEOUT_ENFORCEMENT_INTERVAL_MS", "200");
/// No sweep comes in a test's time: what is tidied up, the start has tidied up itself.
const NEVER: (&str, &str) = ("TIMEOUT_ENFORCEMENT_INTERVAL_MS", "3600000");
/// Time enough for a client to hang up, and for the node to notice, before LiveKit has answered.
const SLOW: Fault = Fault::Slow(Duration::from_secs(2));

/// A call that is held is not given up in a test's time.
const PATIENT: (&str, &str) = ("LIVEKIT_DEADLINE_MS", "60000");

/// A world whose nodes reach LiveKit's API by way of a proxy.
async fn faulty(nodes: usize, env: &[(&str, &str)]) -> Option<(World, LiveKitProxy)> {
    let proxy = LiveKitProxy::start(livekit::shared()?.api_url()).await;
    let url = proxy.url();
    let world = World::start(nodes, &[env, &[("LIVEKIT_API_URL", &url)]].concat()).await?;
    Some((world, proxy))
}

/// A start under way.
fn starting(world: &World, node: usize, user: Uuid) -> tokio::task::JoinHandle<Option<Answer>> {
    tokio::spawn(Answer::maybe(world.request(node, Method::POST, "/api/interviews/start", user)))
}

/// A connection that holds the lock that every start's transaction needs, until it is dropped.
async fn hold_transactions(world: &World) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&world.database, tokio_postgres::NoTls).await.expect("PostgreSQL");
    tokio::spawn(connection);
    client.batch_execute("SELECT pg_advisory_lock(1668247158, 2)").await.expect("the lock");
    client
}

#[tokio::test]
async fn a_start_that_livekit_refuses_leaves_nothing_and_may_be_repeated_at_once() {
    let Some((world, proxy)) = faulty(1, &[MANY, NEVER]).await else { return };
    let user = world.user().await;
    let refuse = Fault::Refuse(500, "internal");
    for (method, fault) in [
        ("CreateRoom", refuse.clone()),
        ("CreateRoom", Fault::Cut),
        ("CreateRoom", Fault::LoseAnswer),
        ("CreateDispatch", refuse),
        ("CreateDispatch", Fault::Cut),
    ] {
        proxy.set(method, fault.clone());
        let answer = world.start_on(0, user).await;
        assert_eq!((answer.status, answer.error()), (502, "LIVEKIT_ROOM_FAILED"), "{method} {fault:?}");
        assert_eq!(world.slots(), [], "{method} {fault:?}");
        assert_eq!(world.rooms().await, [""; 0], "{method} {fault:?}");
        proxy.heal();
    }
    let session = world.started(user).await;
    assert_eq!((world.active().await, world.completed(user).await), (1, 0));
    assert_eq!(world.rooms().await, [session.room]);
}

#[tokio::test]
async fn a_livekit_that_hangs_holds_nobody_for_ever() {
    let env = [NEVER, ("LIVEKIT_DEADLINE_MS", "3000"), ("START_DEADLINE_MS", "6000"), ("START_LEASE_MS", "20000")];
    let Some((world, proxy)) = faulty(1, &env).await else { return };
    let user = world.user().await;
    proxy.set("CreateRoom", Fault::Hang);
    let start = starting(&world, 0, user);
    eventually("LiveKit is asked", || proxy.calls("CreateRoom") > 0).await;
    // The user's other start does not wait with it.
    let other = world.start_on(0, user).await;
    let body = json!({"error": "ACTIVE_SESSION_EXISTS", "message": "You already have an active session (limit: 1)"});
    assert_eq!((other.status, &other.body, other.header("retry-after")), (400, &body, Some("1")));
    let answer = start.await.unwrap().expect("an answer");
    assert_eq!((answer.status, answer.error()), (502, "LIVEKIT_ROOM_FAILED"));
    proxy.heal();
    world.wait_until_empty().await;
    world.started(user).await;
}

#[tokio::test]
async fn nobody_waits_until_a_start_that_failed_is_undone() {
    let env = [NEVER, ("LIVEKIT_DEADLINE_MS", "60000"), ("START_DEADLINE_MS", "2000"), ("START_LEASE_MS", "20000")];
    let Some((world, proxy)) = faulty(1, &env).await else { return };
    let user = world.user().await;
    proxy.set("CreateDispatch", Fault::Hang);
    proxy.set("DeleteRoom", Fault::Hang);
    let answer = world.start_on(0, user).await;
    assert_eq!((answer.status, answer.error()), (502, "LIVEKIT_ROOM_FAILED"));
    // Until its room is deleted, which may take five seconds, the slot is held.
    assert_eq!(world.slots().len(), 1, "the answer did not wait for that");
    eventually("its room is being taken back", || proxy.calls("DeleteRoom") > 0).await;
    proxy.heal();
    eventually("its slot is free", || world.slots().is_empty()).await;
    world.started(user).await;
}

#[tokio::test]
async fn a_start_is_answered_in_time_whatever_it_waits_for() {
    let env = [NEVER, ("DATABASE_DEADLINE_MS", "60000"), ("START_DEADLINE_MS", "2000"), ("START_LEASE_MS", "20000")];
    let Some(world) = World::start(1, &env).await else { return };
    let user = world.user().await;
    let held = hold_transactions(&world).await;
    // A request of the tests waits for less than the database may take.
    let answer = world.start_on(0, user).await;
    assert_eq!((answer.status, answer.error()), (503, "UNAVAILABLE"));
    drop(held);
    world.wait_until_empty().await;
    // Also before it has a slot.
    let (client, connection) = tokio_postgres::connect(&world.database, tokio_postgres::NoTls).await.expect("PostgreSQL");
    tokio::spawn(connection);
    client.batch_execute("BEGIN; LOCK TABLE public.interview_sessions").await.expect("the lock");
    let answer = world.start_on(0, user).await;
    assert_eq!((answer.status, answer.error()), (503, "UNAVAILABLE"));
    drop(client);
    world.started(user).await;
}

#[tokio::test]
async fn who_hangs_up_before_the_commit_has_started_nothing() {
    let Some((world, proxy)) = faulty(1, &[NEVER]).await else { return };
    let user = world.user().await;
    for (method, hold) in [("CreateRoom", false), ("CreateDispatch", false), ("CreateDispatch", true)] {
        proxy.set(method, SLOW);
        // With `hold` it comes as far as the transaction.
        let held = if hold { Some(hold_transactions(&world).await) } else { None };
        let (asked, deleted) = (proxy.calls(method), proxy.calls("DeleteRoom"));
        let start = starting(&world, 0, user);
        eventually("LiveKit is asked", || proxy.calls(method) > asked).await;
        start.abort();
        drop(held);
        eventually("the room is taken back", || proxy.calls("DeleteRoom") > deleted).await;
        world.wait_until_empty().await;
        proxy.heal();
    }
    assert_eq!(world.value("SELECT count(*) FROM public.interview_sessions").await, "0");
    world.started(user).await;
}

#[tokio::test]
async fn who_hangs_up_after_the_commit_finds_the_session() {
    let Some(world) = World::start(1, &[NEVER]).await else { return };
    let user = world.user().await;
    let held = hold_transactions(&world).await;
    let start = starting(&world, 0, user);
    world.eventually("the room is made", async || !world.rooms().await.is_empty()).await;
    // What comes after the commit cannot be done now.
    world.redis.freeze();
    drop(held);
    world.eventually("it is committed", async || world.active().await == 1).await;
    start.abort();
    world.redis.thaw();
    let existing = world.start_on(0, user).await;
    assert_eq!((existing.status, existing.error()), (400, "ACTIVE_SESSION_EXISTS"), "{}", existing.body);
    let session = existing.body["existingSessionId"].as_str().expect("the session that was started").to_owned();
    assert_eq!(world.rooms().await, [format!("{}-{session}", world.prefix)]);
    eventually("the slot lasts as long as the session", || {
        world.slots().iter().any(|(id, ends)| *id == session && *ends > crate::support::hub::now_seconds() * 1000 + 600_000)
    })
    .await;
}

#[tokio::test]
async fn a_commit_without_an_answer_is_settled_by_what_the_row_says() {
    let Some(mut world) = World::start(0, &[MANY, NEVER]).await else { return };
    let proxy = CommitProxy::start(&world.database).await;
    let url = proxy.url(&world.database);
    world.add_node(&[("DATABASE_URL", &url)]).await;
    let user = world.user().await;
    proxy.lose_next(Loss::Answer).await;
    let session = world.started(user).await;
    assert_eq!((proxy.lost(), world.active().await), (1, 1));
    assert_eq!(world.rooms().await, [&*session.room]);
    assert!(world.slots()[0].1 > crate::support::hub::now_seconds() * 1000 + 600_000, "confirmed");
    assert_eq!(world.end(&session.id, user).await.status, 200);
    world.wait_until_empty().await;

    proxy.lose_next(Loss::Commit).await;
    let refused = world.start_on(0, user).await;
    assert_eq!((refused.status, refused.error(), refused.header("retry-after")), (503, "UNAVAILABLE", Some("1")));
    assert_eq!((proxy.lost(), world.active().await, world.completed(user).await), (2, 0, 1));
    assert_eq!((world.slots(), world.rooms().await), (vec![], vec![]));
    world.started(user).await;
}

#[tokio::test]
async fn ids_that_collide_never_touch_anothers_room() {
    let env = [
        MANY,
        OFTEN,
        ("MAX_CONCURRENT_INTERVIEWS", "100"),
        ("SESSION_ID_SEGMENTS", "1"),
        ("SESSION_ID_CHARS_PER_SEGMENT", "2"),
        ("SESSION_ID_CHARSET", "ABC"),
    ];
    let Some((world, proxy)) = faulty(2, &env).await else { return };
    proxy.set("CreateRoom", Fault::Slow(Duration::from_millis(30)));
    let mut started = Vec::new();
    for _ in 0..4 {
        let mut starts = Vec::new();
        for at in 0..5 {
            starts.push(starting(&world, at % 2, world.user().await));
        }
        for start in starts {
            let answer = start.await.unwrap().expect("an answer");
            match answer.status {
                201 => started.push(answer.started()),
                _ => assert!(matches!(answer.error(), "ID_GENERATION_FAILED" | "CREATE_FAILED"), "{}", answer.body),
            }
        }
    }
    // Nine ids, and whoever has one has the room of it for himself alone.
    let mut rooms: Vec<_> = started.iter().map(|session| session.room.clone()).collect();
    rooms.sort();
    assert!(rooms.len() >= 7 && rooms.windows(2).all(|two| two[0] != two[1]), "{rooms:?}");
    world.eventually("the rooms are those of the sessions", async || world.rooms().await == rooms).await;
    for room in &rooms {
        assert_eq!(world.agents(room).await, ["ai-interviewer"], "{room}");
    }
    assert_eq!(world.active().await, rooms.len());
}

/// Two ids, and one attempt to start.
const FEW_IDS: [(&str, &str); 5] = [
    ("SESSION_ID_SEGMENTS", "1"),
    ("SESSION_ID_CHARS_PER_SEGMENT", "1"),
    ("SESSION_ID_CHARSET", "AB"),
    ("SESSION_CREATION_RETRIES", "0"),
    // Both are surely drawn.
    ("SESSION_ID_GENERATION_RETRIES", "100"),
];

/// A row that somebody else writes.
async fn insert(world: &World, id: &str, room: &str) {
    let (user, columns) = (world.user().await, "id, user_id, server_end_time, livekit_room_name");
    let values = format!("'{id}', '{user}', now() + interval '1 hour', '{room}'");
    world.sql(&format!("INSERT INTO public.interview_sessions ({columns}) VALUES ({values})")).await;
}

#[tokio::test]
async fn a_name_that_a_row_has_is_not_asked_of_livekit() {
    let Some((world, proxy)) = faulty(1, &[&FEW_IDS[..], &[NEVER]].concat()).await else { return };
    insert(&world, "A", "elsewhere").await;
    // As it is after the rules of names have changed.
    insert(&world, "of-old", &format!("{}-B", world.prefix)).await;
    let refused = world.start_on(0, world.user().await).await;
    let message = "Failed to generate unique session ID. Please try again.";
    assert_eq!((refused.status, refused.body), (500, json!({"error": "ID_GENERATION_FAILED", "message": message})));
    assert_eq!(proxy.calls("CreateRoom"), 0);
}

#[tokio::test]
async fn an_id_that_is_taken_meanwhile_leaves_the_room_to_who_has_it() {
    let Some((world, proxy)) = faulty(1, &[&FEW_IDS[..], &[NEVER, PATIENT]].concat()).await else { return };
    proxy.set("CreateDispatch", Fault::Hold);
    let start = starting(&world, 0, world.user().await);
    eventually("it has a room", || proxy.calls("CreateDispatch") > 0).await;
    let id = world.slots()[0].0.clone();
    let room = format!("{}-{id}", world.prefix);
    insert(&world, &id, &room).await;
    proxy.heal();
    let refused = start.await.unwrap().expect("an answer");
    let body = json!({"error": "CREATE_FAILED", "message": "Failed to create interview session"});
    assert_eq!((refused.status, refused.body), (500, body));
    assert_eq!((world.rooms().await, world.slots()), (vec![room], vec![]));
    assert_eq!(proxy.calls("DeleteRoom"), 0);
}

#[tokio::test]
async fn a_redis_that_forgets_does_not_raise_the_capacity() {
    let env = [MANY, NEVER, ("MAX_CONCURRENT_INTERVIEWS", "2")];
    let Some(world) = World::start(2, &env).await else { return };
    let (first, _second, third) = (world.user().await, world.user().await, world.user().await);
    let session = world.started(first).await;
    world.started(_second).await;
    let before = world.slots();
    world.redis.tell("FLUSHALL");
    let starts = futures_util::future::join_all((0..6).map(|at| world.start_on(at % 2, third))).await;
    assert!(starts.iter().all(|answer| answer.error() == "CAPACITY_FULL"), "{starts:?}");
    // One that PostgreSQL alone would not have stopped: the table is whole again.
    world.end(&session.id, first).await;
    assert_eq!(world.start_on(1, third).await.status, 201);
    assert_eq!(world.slots().len(), 2);
    assert!(world.slots().iter().any(|slot| before.contains(slot)), "{before:?} {:?}", world.slots());
    assert_eq!(world.active().await, 2);
}

#[tokio::test]
async fn a_redis_that_forgets_starts_under_way_leaves_the_judgement_to_postgresql() {
    let env = [NEVER, PATIENT, ("MAX_CONCURRENT_INTERVIEWS", "1")];
    let Some((world, proxy)) = faulty(2, &env).await else { return };
    proxy.set("CreateDispatch", Fault::Hold);
    let mut starts = Vec::new();
    for at in 0..3 {
        let user = world.user().await;
        starts.push(starting(&world, at % 2, user));
        eventually("it has a slot and a room", || proxy.calls("CreateDispatch") > at).await;
        world.redis.tell("FLUSHALL");
    }
    proxy.heal();
    let mut good = Vec::new();
    for start in starts {
        let answer = start.await.unwrap().expect("an answer");
        match answer.status {
            201 => good.push(answer.started()),
            _ => assert_eq!((answer.status, answer.error()), (409, "CAPACITY_FULL"), "{}", answer.body),
        }
    }
    assert_eq!((good.len(), world.active().await), (1, 1));
    assert_eq!(world.rooms().await, [good[0].room.clone()]);
    assert_eq!(world.slots().len(), 1);
}

#[tokio::test]
async fn a_livekit_slower_than_the_lease_never_exceeds_the_capacity() {
    let env = [MANY, OFTEN, ("MAX_CONCURRENT_INTERVIEWS", "2"), ("START_DEADLINE_MS", "500"), ("START_LEASE_MS", "600")];
    let Some((world, proxy)) = faulty(2, &env).await else { return };
    let mut most = 0;
    for slow in [true, false, true] {
        proxy.set("CreateDispatch", if slow { Fault::Slow(Duration::from_millis(900)) } else { Fault::None });
        let mut starts = Vec::new();
        for at in 0..8 {
            starts.push(starting(&world, at % 2, world.user().await));
        }
        while !starts.iter().all(tokio::task::JoinHandle::is_finished) {
            most = most.max(world.active().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for start in starts {
            let answer = start.await.unwrap().expect("an answer");
            let known = matches!(answer.error(), "" | "CAPACITY_FULL" | "LIVEKIT_ROOM_FAILED" | "UNAVAILABLE");
            assert!(known, "{}", answer.body);
        }
    }
    assert!(most <= 2, "{most} were active");
    let rooms = async || world.rooms().await.len() == world.active().await && world.slots().len() == world.active().await;
    world.eventually("what is left belongs to sessions", rooms).await;
}

#[tokio::test]
async fn what_a_killed_node_was_starting_is_swept_by_another() {
    let env = [OFTEN, ("START_DEADLINE_MS", "5000"), ("START_LEASE_MS", "6000")];
    let Some(world) = World::start(2, &env).await else { return };
    let user = world.user().await;
    let held = hold_transactions(&world).await;
    let start = starting(&world, 1, user);
    world.eventually("the room is made", async || !world.rooms().await.is_empty()).await;
    world.hubs[1].kill();
    drop(held);
    assert!(start.await.unwrap().is_none());
    world.wait_until_empty().await;
    assert_eq!(world.value("SELECT count(*) FROM public.interview_sessions").await, "0");
    world.started(user).await;
}

#[tokio::test]
async fn rooms_of_nobody_are_swept_and_others_are_left_alone() {
    let Some(world) = World::start(2, &[MANY, OFTEN]).await else { return };
    let user = world.user().await;
    let (ended, active) = (world.started(user).await, world.started(world.user().await).await);
    world.end(&ended.id, user).await;
    let foreign = [format!("{}-{}", world.prefix, "ABC-123"), format!("{}X-ABC-123-XYZ", world.prefix)];
    let orphans = [ended.room.clone(), format!("{}-ABC-123-XYZ", world.prefix)];
    for room in orphans.iter().chain(&foreign) {
        let deadline = (std::time::Instant::now() + DEADLINE).into();
        world.livekit.create_room(room, Duration::from_secs(600), deadline).await.unwrap();
    }
    let mut expected = [foreign[0].clone(), active.room.clone()];
    expected.sort();
    world.eventually("the orphans are gone", async || world.rooms().await == expected).await;
    // A later round finds a later orphan, and still leaves the others alone.
    let soon = || (std::time::Instant::now() + DEADLINE).into();
    let late = format!("{}-000-000-000", world.prefix);
    world.livekit.create_room(&late, Duration::from_secs(600), soon()).await.unwrap();
    world.eventually("it is gone too", async || !world.rooms().await.contains(&late)).await;
    assert_eq!(world.rooms().await, expected);
    let all = world.livekit.list_rooms(soon()).await.unwrap();
    assert!(all.iter().any(|room| room.name == foreign[1]), "another prefix");
}

#[tokio::test]
async fn slots_that_redis_has_wrong_are_put_right() {
    let Some(world) = World::start(1, &[MANY, OFTEN]).await else { return };
    let session = world.started(world.user().await).await;
    let slots = world.slots();
    world.redis.tell(&format!("ZREM {{interviews}}:active {}", session.id));
    world.redis.tell("ZADD {interviews}:active 99999999999999 ABC-123-XYZ");
    eventually("the slots are those of the rows", || world.slots() == slots).await;
}

#[tokio::test]
async fn a_node_starts_without_postgresql_and_serves_when_it_is_there() {
    let server = postgres::Server::start();
    let database = server.database().await;
    server.stop();
    let Some(world) = World::start(1, &[OFTEN, ("DATABASE_URL", &database)]).await else { return };
    let user = Uuid::new_v4();
    let start = world.start_on(0, user).await;
    assert_eq!((start.status, start.error(), start.header("retry-after")), (503, "UNAVAILABLE", Some("1")));
    for path in ["/api/interviews/eligibility", "/api/interviews/ABC-123-XYZ"] {
        let answer = world.get(path, user).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{path}");
    }
    let ready = async |expected: bool| {
        let body: serde_json::Value = world.hubs[0].get("/readyz").await.json().await.unwrap();
        assert_eq!(body["status"], "ready", "it stays in the balancer");
        body["checks"]["postgres"]["up"] == expected
    };
    world.eventually("/readyz names it", async || ready(false).await).await;
    server.restart();
    let eligible = async || world.get("/api/interviews/eligibility", user).await.status == 200;
    world.eventually("it serves", eligible).await;
    postgres::sql(&database, &format!("INSERT INTO public.users (id, resume_id) VALUES ('{user}', 'r')")).await;
    let session = world.started(user).await;
    // And when it goes away in the middle.
    server.stop();
    assert_eq!(world.start_on(0, user).await.status, 503);
    assert_eq!(world.end(&session.id, user).await.status, 503);
    server.restart();
    world.eventually("it serves again", async || world.end(&session.id, user).await.status == 200).await;
}

#[tokio::test]
async fn a_node_with_other_limits_starts_nothing_and_says_so() {
    let Some(mut world) = World::start(1, &[OFTEN]).await else { return };
    let odd = world.add_node(&[("MAX_CONCURRENT_INTERVIEWS", "6")]).await;
    let user = world.user().await;
    let refused = world.start_on(odd, user).await;
    assert_eq!((refused.status, refused.error(), refused.header("retry-after")), (503, "UNAVAILABLE", Some("1")));
    let ready: serde_json::Value = world.hubs[odd].get("/ready").await.json().await.unwrap();
    assert_eq!((&ready["status"], &ready["degraded"]), (&json!("ready"), &json!(true)), "{ready}");
    assert!(ready["away"].as_array().unwrap().contains(&json!("sessionLimits")), "{ready}");
    // It does all the rest.
    let session = world.started(user).await;
    let path = format!("/api/interviews/{}/end", session.id);
    assert_eq!(Answer::of(world.request(odd, Method::POST, &path, user)).await.status, 200);
    // The limits are what somebody has written there, and nodes look.
    world.sql("UPDATE convoke.session_limits SET max_concurrent = 6").await;
    let other = world.user().await;
    world
        .eventually("the roles are exchanged", async || {
            let there: serde_json::Value = world.hubs[0].get("/ready").await.json().await.unwrap();
            let here: serde_json::Value = world.hubs[odd].get("/ready").await.json().await.unwrap();
            there["checks"]["sessionLimits"]["up"] == false && here["checks"]["sessionLimits"]["up"] == true
        })
        .await;
    assert_eq!(world.start_on(0, other).await.status, 503);
    assert_eq!(world.start_on(odd, other).await.status, 201);
}

/// The sweep would find them after an hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_limits_reach_running_nodes_without_a_sweep() {
    let Some(world) = World::start(1, &[NEVER]).await else { return };
    let env = [("DATABASE_URL", &*world.database), ("MAX_CONCURRENT_INTERVIEWS", "7")];
    let migrated = Hub::command("migrate", &env).output().expect("the binary");
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    world
        .eventually("the node knows that its limits are others", async || {
            let ready: serde_json::Value = world.hubs[0].get("/ready").await.json().await.unwrap();
            ready["checks"]["sessionLimits"]["up"] == false
        })
        .await;
    assert_eq!(world.start_on(0, world.user().await).await.status, 503);
}

#[tokio::test]
async fn without_redis_nobody_starts_and_nothing_is_unlimited() {
    let Some(world) = World::start(1, &[NEVER, ("REDIS_DEADLINE_MS", "500")]).await else { return };
    let user = world.user().await;
    world.redis.stop();
    let refused = world.start_on(0, user).await;
    assert_eq!((refused.status, refused.error(), refused.header("retry-after")), (503, "UNAVAILABLE", Some("1")));
    assert_eq!((world.active().await, world.rooms().await), (0, vec![]));
}

#[tokio::test]
async fn a_node_that_is_told_to_stop_finishes_its_starts() {
    let Some((world, proxy)) = faulty(1, &[NEVER]).await else { return };
    let user = world.user().await;
    proxy.set("CreateDispatch", Fault::Slow(Duration::from_millis(1500)));
    let start = starting(&world, 0, user);
    eventually("LiveKit is asked", || proxy.calls("CreateDispatch") > 0).await;
    world.hubs[0].signal(libc::SIGTERM);
    start.await.unwrap().expect("an answer").started();
    assert!(world.hubs[0].exited().await.success());
    assert_eq!(world.active().await, 1);
}
