//! The log, its channel, and the nodes and members of a scope.

use std::sync::Arc;

use bytes::Bytes;
use convoke::cluster::scripts::Op;
use convoke::cluster::scripts::scope::*;
use convoke::core::{Kind, Position, ScopeId, StreamId};
use convoke::redis::script::OnReader;
use convoke::redis::{Redis, Value, cmd, keys};

use crate::scripts_world::*;
use crate::support::eventually_asked;

crate::on_both!(
    ids_rise_and_a_volatile_message_is_not_logged,
    a_cursor_gets_what_it_missed_in_bounded_pages,
    a_page_is_bounded_in_bytes_too,
    another_epoch_a_trimmed_or_future_cursor_is_reset,
    a_log_has_so_many_bytes_and_the_oldest_go,
    a_repeat_publishes_once,
    nodes_are_listeners_once_and_leave,
    an_attach_makes_no_scope_but_for_members_that_were_lost,
    members_come_back_only_after_a_loss,
    a_member_is_touched_and_left_only_by_its_holder,
    old_operation_ids_are_forgotten,
    the_channel_carries_epoch_previous_id_and_body,
);

fn room() -> ScopeId {
    ScopeId { kind: Kind::of("room"), id: unique("all").into() }
}

async fn publish(redis: &Redis, scope: &ScopeId, op: Op<'_>, durability: Durability, text: &str) -> Published {
    let body = Bytes::from(format!("* - - -\n[\"{text}\",{{}}]"));
    scope_publish(redis, scope, op, "u", durability, body).await.unwrap()
}

async fn epoch(redis: &Redis, scope: &ScopeId) -> Arc<str> {
    let none = Position::new("", StreamId::default());
    scope_read(redis, scope, &none, 1).await.unwrap().epoch
}

fn member(sid: &'static str, node: &'static str, session_epoch: u64) -> Member<'static> {
    Member { sid, user: "ü ser", role: "dispatcher", node, session_epoch }
}

async fn ids_rise_and_a_volatile_message_is_not_logged(redis: Redis) {
    let scope = room();
    let mut last = StreamId::default();
    for i in 0..50 {
        let published = publish(&redis, &scope, plain(), Durability::Logged, &i.to_string()).await;
        assert!(published.id.unwrap() > last && published.heard == 0 && published.listeners == 0);
        last = published.id.unwrap();
    }
    assert_eq!(publish(&redis, &scope, plain(), Durability::Volatile, "v").await.id, None);
    let start = Position::new(epoch(&redis, &scope).await, StreamId::default());
    let log = scope_read(&redis, &scope, &start, 100).await.unwrap();
    assert_eq!((log.entries.len(), log.last, log.more, log.reset), (50, last, false, false));
}

async fn a_log_has_so_many_bytes_and_the_oldest_go(redis: Redis) {
    let scope = room();
    let (mut ids, body) = (Vec::new(), "x".repeat(500_000));
    for _ in 0..200 {
        ids.push(publish(&redis, &scope, plain(), Durability::Logged, &body).await.id.unwrap());
    }
    let mut length = cmd("XLEN");
    length.arg(keys::scope_log(&scope));
    let Value::Int(length) = redis.command(length, &keys::scope_log(&scope)).await.unwrap() else { panic!("a number") };
    // 64 MiB, and what has come since the last mark.
    assert!((130..=140).contains(&length), "{length} entries");
    let epoch = epoch(&redis, &scope).await;
    for (id, reset) in [(StreamId::default(), true), (ids[50], true), (ids[80], false), (ids[199], false)] {
        let read = scope_read(&redis, &scope, &Position::new(epoch.clone(), id), 1).await.unwrap();
        assert_eq!((read.reset, read.entries.is_empty()), (reset, reset || id == ids[199]), "{id:?}");
    }
}

async fn a_cursor_gets_what_it_missed_in_bounded_pages(redis: Redis) {
    let scope = room();
    for i in 0..7 {
        publish(&redis, &scope, plain(), Durability::Logged, &i.to_string()).await;
    }
    let mut cursor = Position::new(epoch(&redis, &scope).await, StreamId::default());
    let mut seen = Vec::new();
    loop {
        let log = scope_attach(&redis, &scope, "n1", Some(&cursor), 3, &[], false).await.unwrap();
        assert!(!log.reset);
        seen.extend(log.entries.iter().map(|entry| Heard::parse(&entry.body).name));
        cursor.id = log.entries.last().unwrap().id;
        if !log.more {
            break;
        }
    }
    assert_eq!(seen, ["0", "1", "2", "3", "4", "5", "6"]);
    let log = scope_attach(&redis, &scope, "n1", Some(&cursor), 3, &[], false).await.unwrap();
    assert!(log.entries.is_empty() && !log.more && !log.reset);
}

async fn a_page_is_bounded_in_bytes_too(redis: Redis) {
    let scope = room();
    for i in 0..200 {
        publish(&redis, &scope, plain(), Durability::Logged, &format!("{i} {}", "x".repeat(20_000))).await;
    }
    let mut cursor = Position::new(epoch(&redis, &scope).await, StreamId::default());
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let log = scope_read(&OnReader(&redis), &scope, &cursor, 1_000).await.unwrap();
        assert!(log.entries.iter().map(|entry| entry.body.len()).sum::<usize>() < 600_000);
        seen.extend(log.entries.iter().map(|entry| Heard::parse(&entry.body).name.split(' ').next().unwrap().to_owned()));
        cursor.id = log.entries.last().unwrap().id;
        pages += 1;
        if !log.more {
            break;
        }
    }
    assert_eq!(seen, (0..200).map(|i| i.to_string()).collect::<Vec<_>>());
    assert!((7..=9).contains(&pages), "{pages} pages of 4 MB");
}

async fn another_epoch_a_trimmed_or_future_cursor_is_reset(redis: Redis) {
    let scope = room();
    let first = publish(&redis, &scope, plain(), Durability::Logged, "a").await.id.unwrap();
    let epoch = epoch(&redis, &scope).await;
    let reset = async |epoch: &str, id| {
        let cursor = Position::new(epoch, id);
        scope_read(&redis, &scope, &cursor, 10).await.unwrap().reset
    };
    assert!(!reset(&epoch, first).await);
    assert!(reset("other", first).await);
    assert!(reset(&epoch, StreamId { seq: first.seq + 1, ..first }).await);
    // Kept for no time at all: the next trim takes what is older.
    let meta = format!("scope:meta:room:{{{}}}", scope.id);
    redis.command(redis::cmd("HSET").arg(&meta).arg("tt").arg(0).clone(), &meta).await.unwrap();
    eventually_asked("the clock moved on", async || now(&redis).await > first.ms + 20).await;
    let mut short = plain();
    short.retention.log_ms = 10;
    let second = publish(&redis, &scope, short, Durability::Logged, "b").await.id.unwrap();
    assert!(reset(&epoch, StreamId::default()).await);
    assert!(!reset(&epoch, first).await, "nothing after it is gone");
    assert!(!reset(&epoch, second).await);
    publish(&redis, &scope, plain(), Durability::Logged, "c").await;
    assert!(!reset(&epoch, second).await);
    assert!(reset(&epoch, StreamId { seq: second.seq + 1, ..second }).await, "nothing stands there: a failover took it back");
}

async fn now(redis: &Redis) -> u64 {
    let time = redis.command(redis::cmd("TIME"), "any").await.unwrap();
    let (seconds, micros): (u64, u64) = redis::from_redis_value(time).unwrap();
    seconds * 1000 + micros / 1000
}

async fn a_repeat_publishes_once(redis: Redis) {
    let scope = room();
    let (by_op, by_cmid) = (op("n1-7"), cmid("mine"));
    let a = publish(&redis, &scope, by_op, Durability::Logged, "a").await;
    assert_eq!(publish(&redis, &scope, by_op, Durability::Logged, "a").await, a);
    let b = publish(&redis, &scope, by_cmid, Durability::Logged, "b").await;
    let again = publish(&redis, &scope, by_cmid, Durability::Logged, "b").await;
    assert_eq!(again, Published { duplicate: true, ..b });
    let start = Position::new(epoch(&redis, &scope).await, StreamId::default());
    assert_eq!(scope_read(&redis, &scope, &start, 10).await.unwrap().entries.len(), 2);
}

async fn nodes_are_listeners_once_and_leave(redis: Redis) {
    let scope = room();
    publish(&redis, &scope, plain(), Durability::Volatile, "x").await;
    for node in ["n1", "n2", "n1"] {
        scope_attach(&redis, &scope, node, None, 10, &[], false).await.unwrap();
    }
    assert_eq!(scope_join(&redis, &scope, plain(), member("s", "n2", 1)).await.unwrap().listeners, 2);
    assert_eq!(publish(&redis, &scope, plain(), Durability::Volatile, "x").await.listeners, 2);
    for node in ["n1", "n1", "n3"] {
        scope_detach(&redis, &scope, node).await.unwrap();
    }
    assert_eq!(publish(&redis, &scope, plain(), Durability::Volatile, "x").await.listeners, 1);
}

async fn an_attach_makes_no_scope_but_for_members_that_were_lost(redis: Redis) {
    let scope = room();
    let here = async || {
        let all = ["meta", "log", "members"].map(|key| format!("scope:{key}:room:{{{}}}", scope.id));
        let found = redis.command(redis::cmd("EXISTS").arg(&all).clone(), &all[0]).await.unwrap();
        redis::from_redis_value::<u32>(found).unwrap()
    };
    let cursor = Position::new("gone", StreamId { ms: 5, seq: 0 });
    for (cursor, reset) in [(None, false), (Some(&cursor), true)] {
        let log = scope_attach(&redis, &scope, "n1", cursor, 10, &[], false).await.unwrap();
        assert_eq!((&*log.epoch, log.last, log.reset, log.entries.len()), ("", StreamId::default(), reset, 0));
        assert_eq!(here().await, 0);
    }
    scope_detach(&redis, &scope, "n1").await.unwrap();
    assert_eq!(here().await, 0);
    let log = scope_attach(&redis, &scope, "n1", Some(&cursor), 10, &[member("s1", "n1", 1)], false).await.unwrap();
    assert!(log.reset && !log.epoch.is_empty());
    assert_eq!(here().await, 3);
}

async fn members_come_back_only_after_a_loss(redis: Redis) {
    let scope = room();
    let me = member("s1", "n1", 3);
    let joined = scope_join(&redis, &scope, plain(), me).await.unwrap();
    assert!(joined.first && !scope_join(&redis, &scope, plain(), me).await.unwrap().first);
    assert!(scope_leave(&redis, &scope, me).await.unwrap());
    let cursor = joined.position;
    scope_attach(&redis, &scope, "n1", Some(&cursor), 10, &[me], false).await.unwrap();
    assert_eq!(scope_touch(&redis, &scope, &[me]).await.unwrap(), ["s1"], "in the same epoch it has left");
    for key in ["meta", "log", "members"] {
        let key = format!("scope:{key}:room:{{{}}}", scope.id);
        redis.command(redis::cmd("DEL").arg(&key).clone(), &key).await.unwrap();
    }
    // Another node was quicker: what it wrote into the new log is not lost on this one.
    publish(&redis, &scope, plain(), Durability::Logged, "a").await;
    publish(&redis, &scope, plain(), Durability::Logged, "b").await;
    let log = scope_attach(&redis, &scope, "n1", Some(&cursor), 1, &[me], false).await.unwrap();
    assert!(log.reset && log.more && log.epoch != cursor.epoch);
    assert_eq!(log.entries.len(), 1);
    let cursor = Position::new(log.epoch, log.entries[0].id);
    let rest = scope_attach(&redis, &scope, "n1", Some(&cursor), 1, &[me], false).await.unwrap();
    assert!(!rest.reset && !rest.more && rest.entries.len() == 1);
    assert!(scope_touch(&redis, &scope, &[me]).await.unwrap().is_empty());
}

async fn a_member_is_touched_and_left_only_by_its_holder(redis: Redis) {
    let scope = room();
    scope_join(&redis, &scope, plain(), member("s1", "n1", 1)).await.unwrap();
    scope_join(&redis, &scope, plain(), member("s1", "n2", 2)).await.unwrap();
    assert!(!scope_leave(&redis, &scope, member("s1", "n1", 1)).await.unwrap());
    scope_join(&redis, &scope, plain(), member("s1", "n1", 1)).await.unwrap();
    assert!(!scope_leave(&redis, &scope, member("s1", "n1", 1)).await.unwrap(), "a late join of the old holder");
    assert!(scope_leave(&redis, &scope, member("s1", "n2", 2)).await.unwrap());
}

async fn old_operation_ids_are_forgotten(redis: Redis) {
    let scope = room();
    let meta = format!("scope:meta:room:{{{}}}", scope.id);
    for i in 0..100 {
        publish(&redis, &scope, op(&format!("op-{i}")), Durability::Volatile, "x").await;
    }
    // Make the ring's entries look old.
    let long_ago = now(&redis).await - 100_000;
    redis.command(redis::cmd("HSET").arg(&meta).arg("oe").arg(long_ago).clone(), &meta).await.unwrap();
    for i in 1..=100 {
        let entry = format!("{long_ago} op:op-{}", i - 1);
        redis.command(redis::cmd("HSET").arg(&meta).arg(format!("oq:{i}")).arg(entry).clone(), &meta).await.unwrap();
    }
    for i in 0..3 {
        publish(&redis, &scope, op(&format!("new-{i}")), Durability::Volatile, "x").await;
    }
    let redis::Value::Int(fields) = redis.command(redis::cmd("HLEN").arg(&meta).clone(), &meta).await.unwrap() else { panic!() };
    assert!(fields < 20, "{fields}");
    publish(&redis, &scope, op("new-0"), Durability::Volatile, "x").await;
    let redis::Value::Int(after) = redis.command(redis::cmd("HLEN").arg(&meta).clone(), &meta).await.unwrap() else { panic!() };
    assert_eq!(after, fields, "a repeat adds nothing");
}

async fn the_channel_carries_epoch_previous_id_and_body(redis: Redis) {
    let scope = room();
    let mut channel = Channel::listen(&redis, &convoke::redis::keys::scope_channel(&scope, 0)).await;
    let first = publish(&redis, &scope, plain(), Durability::Logged, "a").await;
    let volatile = publish(&redis, &scope, plain(), Durability::Volatile, "v").await;
    let second = publish(&redis, &scope, plain(), Durability::Logged, "b").await;
    assert_eq!((first.heard, volatile.heard, second.heard), (1, 1, 1));
    let (first, second) = (first.id.unwrap(), second.id.unwrap());
    let epoch = epoch(&redis, &scope).await;
    for expected in [
        format!("{epoch} 0-0 {first}\n* - - -\n[\"a\",{{}}]"),
        format!("{epoch} {first} ~\n* - - -\n[\"v\",{{}}]"),
        format!("{epoch} {first} {second}\n* - - -\n[\"b\",{{}}]"),
    ] {
        assert_eq!(channel.next().await, expected);
    }
}
