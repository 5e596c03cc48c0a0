//! The scripts of durable timers: hints, who looks where, and what is due in a scope.

use std::time::Duration;

use convoke::core::{Kind, ScopeId};
use convoke::redis::{Redis, Value, cmd, keys};
use convoke::rooms::timers::scripts::*;

use crate::scripts_world::*;

crate::on_both!(
    a_scope_is_taken_once_until_its_time_is_over,
    a_scope_without_timers_is_forgotten_at_the_second_look,
    what_a_look_found_does_not_count_once_a_hint_has_come,
    a_hint_moves_a_scope_forward_only,
    timers_that_are_due_are_told_in_parts_and_then_the_next,
    a_timer_is_set_anew_and_cleared,
);

const HOLD: Duration = Duration::from_millis(500);
const LONG: Duration = Duration::from_secs(60);

/// Hints that no node looks at.
fn part() -> u16 {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(1000);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

fn scope() -> ScopeId {
    ScopeId { kind: Kind::of("room"), id: unique("timers").into() }
}

async fn take(redis: &Redis, part: u16, hold: Duration) -> Vec<Taken> {
    timers_take(redis, part, 64, hold).await.unwrap()
}

async fn settle(redis: &Redis, part: u16, taken: &Taken, next: Option<Duration>) -> bool {
    timers_settle(redis, part, &[Settled { taken: taken.clone(), next }]).await.unwrap() == 1
}

/// As if it were time to look now; its marks stay.
async fn bring_forward(redis: &Redis, part: u16, scope: &ScopeId) {
    let key = keys::timers(part);
    let score: f64 = number(redis.command(cmd("ZSCORE").arg(&key).arg(scope.to_string()).to_owned(), &key).await.unwrap());
    let then = 1000.0 + score.fract();
    redis.command(cmd("ZADD").arg(&key).arg(then).arg(scope.to_string()).to_owned(), &key).await.unwrap();
}

async fn hinted(redis: &Redis, part: u16) -> i64 {
    let key = keys::timers(part);
    match redis.command(cmd("ZCARD").arg(&key).to_owned(), &key).await.unwrap() {
        Value::Int(count) => count,
        other => panic!("{other:?}"),
    }
}

fn number(value: Value) -> f64 {
    ::redis::from_redis_value(value).expect("a number")
}

async fn a_scope_is_taken_once_until_its_time_is_over(redis: Redis) {
    let (part, scope) = (part(), scope());
    timers_hint(&redis, part, &scope, Duration::ZERO).await.unwrap();
    let takes = futures_util::future::join_all((0..10).map(|_| take(&redis, part, LONG))).await;
    let mut taken: Vec<_> = takes.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1, "{taken:?}");
    let first = taken.remove(0);
    assert_eq!(first.name, scope.to_string());
    bring_forward(&redis, part, &scope).await;
    let second = take(&redis, part, HOLD).await.remove(0);
    assert!(!settle(&redis, part, &first, None).await, "whoever was too slow has nothing to say any more");
    assert!(settle(&redis, part, &second, Some(LONG)).await);
    assert!(!settle(&redis, part, &second, Some(LONG)).await, "once");
    assert_eq!(take(&redis, part, HOLD).await, []);
}

async fn a_scope_without_timers_is_forgotten_at_the_second_look(redis: Redis) {
    let (part, scope) = (part(), scope());
    timers_hint(&redis, part, &scope, Duration::ZERO).await.unwrap();
    for left in [1, 0] {
        bring_forward(&redis, part, &scope).await;
        let taken = take(&redis, part, HOLD).await.remove(0);
        assert!(settle(&redis, part, &taken, None).await);
        assert_eq!(hinted(&redis, part).await, left);
    }
    // A hint in between begins the count anew.
    timers_hint(&redis, part, &scope, Duration::ZERO).await.unwrap();
    for _ in 0..3 {
        bring_forward(&redis, part, &scope).await;
        let taken = take(&redis, part, HOLD).await.remove(0);
        assert!(settle(&redis, part, &taken, None).await);
        timers_hint(&redis, part, &scope, LONG).await.unwrap();
    }
    assert_eq!(hinted(&redis, part).await, 1);
}

async fn what_a_look_found_does_not_count_once_a_hint_has_come(redis: Redis) {
    let (part, scope) = (part(), scope());
    timers_hint(&redis, part, &scope, Duration::ZERO).await.unwrap();
    for wait in [Duration::ZERO, LONG] {
        let taken = take(&redis, part, HOLD).await.remove(0);
        timers_hint(&redis, part, &scope, wait).await.unwrap();
        assert!(!settle(&redis, part, &taken, None).await);
        bring_forward(&redis, part, &scope).await;
    }
    assert_eq!(take(&redis, part, HOLD).await.len(), 1);
}

async fn a_hint_moves_a_scope_forward_only(redis: Redis) {
    let (part, scope) = (part(), scope());
    for (wait, is_due) in [(LONG, false), (Duration::ZERO, true), (LONG, true)] {
        timers_hint(&Twice(&redis), part, &scope, wait).await.unwrap();
        let key = keys::timers(part);
        let due = cmd("ZRANGE").arg(&key).arg("-inf").arg("(1").arg("BYSCORE").to_owned();
        assert_eq!(redis.command(due, &key).await.unwrap(), Value::Array(vec![]));
        let score: f64 = number(redis.command(cmd("ZSCORE").arg(&key).arg(scope.to_string()).to_owned(), &key).await.unwrap());
        let Value::Array(time) = redis.command(cmd("TIME"), &key).await.unwrap() else { panic!("no time") };
        let now = number(time[0].clone()) * 1000.0 + 1000.0;
        assert_eq!(score <= now, is_due, "{wait:?}");
    }
}

async fn timers_that_are_due_are_told_in_parts_and_then_the_next(redis: Redis) {
    let scope = scope();
    assert_eq!(due_read(&redis, &scope, 32).await.unwrap(), DueTimers::default());
    for n in 0..40 {
        due_set(&redis, &scope, &format!("late u{n:02} with spaces"), Some(Duration::ZERO)).await.unwrap();
    }
    due_set(&redis, &scope, "later", Some(LONG)).await.unwrap();
    let mut told = Vec::new();
    for count in [32, 8] {
        let due = due_read(&redis, &scope, 32).await.unwrap();
        assert_eq!(due.rows.len(), count);
        if count == 32 {
            assert_eq!(due.next, Some(Duration::ZERO));
        } else {
            assert!(due.next.is_some_and(|next| next > LONG / 2 && next <= LONG), "{:?}", due.next);
        }
        for row in due.rows {
            due_set(&redis, &scope, &row.row, None).await.unwrap();
            told.push(row.row);
        }
    }
    told.sort_unstable();
    told.dedup();
    assert_eq!((told.len(), &*told[0]), (40, "late u00 with spaces"));
}

async fn a_timer_is_set_anew_and_cleared(redis: Redis) {
    let (scope, twice) = (scope(), Twice(&redis));
    due_set(&twice, &scope, "one", Some(LONG)).await.unwrap();
    due_set(&twice, &scope, "one", Some(Duration::ZERO)).await.unwrap();
    assert_eq!(due_read(&redis, &scope, 32).await.unwrap().rows.len(), 1);
    due_set(&twice, &scope, "one", None).await.unwrap();
    assert_eq!(due_read(&redis, &scope, 32).await.unwrap(), DueTimers::default());
    let key = keys::scope_due(&scope);
    assert_eq!(redis.command(cmd("ZCARD").arg(&key).to_owned(), &key).await.unwrap(), Value::Int(1), "the key stays");
    let Value::Int(ttl) = redis.command(cmd("PTTL").arg(&key).to_owned(), &key).await.unwrap() else { panic!("no TTL") };
    assert!(ttl > 24 * 3_600_000, "{ttl}");
}
