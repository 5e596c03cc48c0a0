//! Sessions in Redis: what each script does, told twice, too late, or in another order than it happened.

use convoke::features::realtime::scripts::*;
use convoke::redis::Redis;

use crate::on_both;
use crate::scripts_world::{Twice, unique};

on_both!(
    a_session_is_made_once,
    a_join_connects_and_a_repeat_of_it_changes_nothing,
    a_join_that_is_overtaken_by_a_later_one_changes_nothing,
    what_was_read_before_a_change_decides_nothing,
    the_end_of_a_room_ends_the_session_of_its_last_join_only,
    a_user_has_so_many_and_no_more,
    a_session_is_kept_for_its_time_after_its_last_change,
);

const LIFE_MS: u64 = 600_000;

async fn made(redis: &Redis) -> Session {
    let id = unique("sess");
    realtime_create(redis, &id, "ana", "room_1", 1_900_000_000, LIFE_MS).await.unwrap();
    found(redis, &id).await.unwrap()
}

async fn found(redis: &Redis, id: &str) -> Option<Session> {
    read(redis, id).await.unwrap()
}

async fn joined(redis: &Redis, session: &Session, event: &str, sid: &str, at: u64) -> Joined {
    realtime_join(redis, &session.id, event, sid, at, LIFE_MS).await.unwrap()
}

async fn a_session_is_made_once(redis: Redis) {
    let id = unique("sess");
    let created_ms = realtime_create(&Twice(&redis), &id, "ana", "room_1", 1_900_000_000, LIFE_MS).await.unwrap();
    let session = found(&redis, &id).await.unwrap();
    assert_eq!((&*session.user, &*session.room, session.expires_at), ("ana", "room_1", 1_900_000_000));
    assert_eq!((session.status, session.created_ms, session.joined_ms), (Status::Created, created_ms, 0));
    let expected = Session { changed_ms: session.changed_ms, rev: session.rev, ..session.clone() };
    assert_eq!(session, expected);
    assert!(found(&redis, "nobody").await.is_none());
}

async fn a_join_connects_and_a_repeat_of_it_changes_nothing(redis: Redis) {
    let session = made(&redis).await;
    assert_eq!(joined(&redis, &session, "EV_1", "RM_1", 100).await, Joined::Yes);
    let connected = found(&redis, &session.id).await.unwrap();
    assert_eq!(connected.status, Status::Connected);
    assert!(connected.rev > session.rev && connected.joined_ms >= session.created_ms);
    assert_eq!(joined(&redis, &session, "EV_1", "RM_1", 100).await, Joined::Known);
    // The same id with another content is the same event.
    assert_eq!(joined(&redis, &session, "EV_1", "RM_9", 200).await, Joined::Known);
    assert_eq!(found(&redis, &session.id).await.unwrap(), connected);
    for n in 2..200 {
        assert_eq!(joined(&redis, &session, &format!("EV_{n}"), "RM_1", 100).await, Joined::Yes, "{n}");
        assert_eq!(joined(&redis, &session, &format!("EV_{n}"), "RM_1", 100).await, Joined::Known, "{n}");
    }
    // Without an id each is an event of its own.
    assert_eq!(joined(&redis, &session, "", "RM_1", 100).await, Joined::Yes);
    assert_eq!(joined(&redis, &session, "", "RM_1", 100).await, Joined::Yes);
    assert_eq!(joined(&redis, &session, &"x".repeat(5_000), "RM_1", 99).await, Joined::Known, "older");
    assert_eq!(joined(&redis, &session, "EV_0", "RM_1", 0).await, Joined::Yes, "nobody knows when");
    assert_eq!(joined(&redis, &session, "EV_x", "RM_1", 99).await, Joined::Known, "that is remembered all the same");
    assert!(realtime_remove(&redis, &session.id, If::Any).await.unwrap());
    assert_eq!(joined(&redis, &session, "EV_1", "RM_1", 100).await, Joined::Gone);
    assert!(found(&redis, &session.id).await.is_none(), "a join makes no session");
}

async fn a_join_that_is_overtaken_by_a_later_one_changes_nothing(redis: Redis) {
    let session = made(&redis).await;
    assert_eq!(joined(&redis, &session, "EV_2", "RM_2", 200).await, Joined::Yes);
    assert_eq!(joined(&redis, &session, "EV_1", "RM_1", 100).await, Joined::Known);
    assert!(!realtime_remove(&redis, &session.id, If::Room("RM_1")).await.unwrap());
    assert_eq!(joined(&redis, &session, "EV_3", "RM_3", 200).await, Joined::Yes, "of the same second");
    assert!(realtime_remove(&redis, &session.id, If::Room("RM_3")).await.unwrap());
}

async fn what_was_read_before_a_change_decides_nothing(redis: Redis) {
    let session = made(&redis).await;
    assert_eq!(joined(&redis, &session, "EV_1", "RM_1", 1).await, Joined::Yes);
    assert!(!realtime_remove(&redis, &session.id, If::Rev(session.rev)).await.unwrap());
    assert!(!realtime_seen(&redis, &session.id, session.rev, LIFE_MS).await.unwrap());
    let connected = found(&redis, &session.id).await.unwrap();
    assert!(realtime_seen(&redis, &session.id, connected.rev, LIFE_MS).await.unwrap());
    assert!(!realtime_seen(&redis, &session.id, connected.rev, LIFE_MS).await.unwrap());
    assert!(!realtime_remove(&redis, &session.id, If::Rev(connected.rev)).await.unwrap());
    let seen = found(&redis, &session.id).await.unwrap();
    assert!(realtime_remove(&Twice(&redis), &session.id, If::Rev(seen.rev)).await.unwrap(), "a repeat finds it gone");
    assert!(!realtime_seen(&redis, &session.id, seen.rev, LIFE_MS).await.unwrap());
    assert!(found(&redis, &session.id).await.is_none());
}

async fn the_end_of_a_room_ends_the_session_of_its_last_join_only(redis: Redis) {
    let session = made(&redis).await;
    assert!(!realtime_remove(&redis, &session.id, If::Room("RM_1")).await.unwrap(), "nobody has joined");
    assert!(!realtime_remove(&redis, &session.id, If::Room("")).await.unwrap());
    joined(&redis, &session, "EV_1", "RM_1", 1).await;
    joined(&redis, &session, "EV_2", "RM_2", 2).await;
    assert!(!realtime_remove(&redis, &session.id, If::Room("RM_1")).await.unwrap(), "they came back to another room");
    assert!(found(&redis, &session.id).await.is_some());
    assert!(realtime_remove(&redis, &session.id, If::Room("RM_2")).await.unwrap());
    // A session that only a poll has seen has no such room.
    let session = made(&redis).await;
    assert!(realtime_seen(&redis, &session.id, session.rev, LIFE_MS).await.unwrap());
    assert!(!realtime_remove(&redis, &session.id, If::Room("")).await.unwrap());
}

async fn a_user_has_so_many_and_no_more(redis: Redis) {
    let user = unique("user");
    for n in 0..3 {
        assert!(realtime_index(&Twice(&redis), &user, &format!("s{n}"), n, 3, LIFE_MS).await.unwrap());
    }
    assert!(!realtime_index(&redis, &user, "s3", 3, 3, LIFE_MS).await.unwrap());
    assert!(realtime_index(&redis, &user, "s2", 2, 3, LIFE_MS).await.unwrap(), "that one is there");
}

async fn a_session_is_kept_for_its_time_after_its_last_change(redis: Redis) {
    let left = async |id: &str| {
        let key = convoke::features::realtime::keys::session(id);
        let left = redis.command(convoke::redis::cmd("PTTL").arg(&key).to_owned(), &key).await.unwrap();
        let convoke::redis::Value::Int(left) = left else { panic!("{left:?}") };
        left as u64
    };
    let session = made(&redis).await;
    assert!((LIFE_MS - 30_000..=LIFE_MS).contains(&left(&session.id).await));
    realtime_join(&redis, &session.id, "EV_1", "RM_1", 1, 2 * LIFE_MS).await.unwrap();
    assert!(left(&session.id).await > LIFE_MS);
    let rev = found(&redis, &session.id).await.unwrap().rev;
    realtime_seen(&redis, &session.id, rev, 3 * LIFE_MS).await.unwrap();
    assert!(left(&session.id).await > 2 * LIFE_MS);
}

#[tokio::test]
async fn the_lease_of_the_poller_is_one_nodes_until_it_ends() {
    let server = crate::support::redis::Server::start(&[]);
    let redis = server.client().await;
    assert!(matches!(realtime_poller(&redis, "one", 60_000).await.unwrap(), Turn::Ours { now_ms } if now_ms > 0));
    assert!(matches!(realtime_poller(&redis, "one", 60_000).await.unwrap(), Turn::Ours { .. }), "renewed");
    let Turn::Others { for_ms } = realtime_poller(&redis, "two", 60_000).await.unwrap() else { panic!("it is taken") };
    assert!((1..=60_000).contains(&for_ms));
    // The node stops.
    assert!(matches!(realtime_poller(&redis, "one", 1).await.unwrap(), Turn::Ours { .. }));
    crate::support::eventually_asked("it is free", async || {
        matches!(realtime_poller(&redis, "two", 60_000).await.unwrap(), Turn::Ours { .. })
    })
    .await;
}
