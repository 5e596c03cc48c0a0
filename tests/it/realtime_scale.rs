//! Thousands of realtime sessions on three nodes and a real LiveKit: what polling costs it, and who polls when the node that did is
//! killed.

use std::time::{Duration, Instant};

use convoke::features::realtime::scripts::realtime_create;
use convoke::redis::cmd;

use crate::support::eventually;
use crate::support::guest::Guest;
use crate::support::livekit::{self, Server};
use crate::support::livekit_proxy::LiveKitProxy;
use crate::support::realtime::{Created, World};
use crate::support::redis;

const SESSIONS: usize = 5_000;
const INTERVAL: Duration = Duration::from_secs(3);
/// Names in one call.
const NAMES: usize = 500;

/// Five thousand sessions, of which nobody has joined any.
async fn sessions(redis: &redis::Server) {
    let client = redis.client().await;
    for n in 0..SESSIONS {
        let (id, room) = (format!("sess_{n:024}"), format!("room_{n:024}"));
        let created = realtime_create(&client, &id, "ana", &room, 1_900_000_000, 3_600_000).await.expect("an answer");
        let mut add = cmd("ZADD");
        add.arg("realtime:all").arg(created).arg(&id);
        client.command(add, "realtime:all").await.expect("an answer");
    }
}

fn token(server: &Server, room: &str) -> String {
    let livekit = convoke::livekit::LiveKit::new(&server.settings()).expect("a client");
    let grant = convoke::livekit::Grant {
        room,
        identity: "ana",
        name: None,
        attributes: &[],
        can_publish: true,
        can_subscribe: true,
        can_publish_data: None,
        expires_at: crate::support::hub::now_seconds() + 600,
        agents: &[],
    };
    livekit.token(&grant).expect("a token")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_thousand_sessions_cost_a_bounded_number_of_calls_and_a_killed_poller_is_replaced_within_two_intervals() {
    let Some(server) = livekit::shared() else { return };
    let (own, proxy) = (redis::Server::start(&[]), LiveKitProxy::start(server.api_url()).await);
    let (url, api_url, interval) = (own.url(), proxy.url(), format!("{}s", INTERVAL.as_secs()));
    sessions(&own).await;
    let env = [&server.env()[..], &[("LIVEKIT_API_URL", &*api_url)]].concat();
    let world = World::on(&url, Some(own), &env, 3, &[("SESSION_CLEANUP_INTERVAL", &interval)]).await;
    let session = |n: usize| Created {
        id: format!("sess_{n:024}"),
        room: format!("room_{n:024}"),
        user: "ana".into(),
        token: String::new(),
    };
    let joined = [0, 2_500, 4_999].map(session);
    let _guests = joined.each_ref().map(|session| Guest::come(server.ws_url(), &token(server, &session.room)));
    for session in &joined {
        world.until_status(session, "connected").await;
    }

    // Over five rounds, whoever polls. Nobody asks the nodes whether they are ready, for which they would ask LiveKit too.
    let (before, start) = (proxy.calls("ListRooms"), Instant::now());
    tokio::time::sleep(5 * INTERVAL).await;
    let (calls, rounds) = (proxy.calls("ListRooms") - before, start.elapsed().as_secs_f64() / INTERVAL.as_secs_f64() + 2.0);
    let most = (rounds * SESSIONS.div_ceil(NAMES) as f64) as usize;
    println!("{calls} calls in {:?}; at most {most}", start.elapsed());
    assert!(calls <= most, "{calls} calls of {most}");

    let redis = world.redis.as_ref().expect("a Redis of its own");
    let owner = || redis.ask::<Option<String>>(cmd("GET").arg("realtime:poller")).unwrap_or_default();
    let first = owner();
    let place = world.hubs.iter().position(|hub| hub.has_logged(&format!("\"node\":\"{first}"))).expect("a node polls");
    world.hubs[place].kill();
    let killed = Instant::now();
    eventually("another node polls", || ![String::new(), first.clone()].contains(&owner())).await;
    println!("another node polls {:?} after, with an interval of {INTERVAL:?}", killed.elapsed());
    // And it does its work.
    let another = session(1_234);
    let _guest = Guest::come(server.ws_url(), &token(server, &another.room));
    let key = format!("realtime:session:{{{}}}", another.id);
    let status = || redis.ask::<Option<String>>(cmd("HGET").arg(&key).arg("status")).unwrap_or_default();
    world.eventually("a join is seen", async || status() == "connected").await;
}
