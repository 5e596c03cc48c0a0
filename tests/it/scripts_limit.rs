//! Quotas of callers: whole numbers, one bucket for all nodes. Contract § 7 "Rate limits".

use convoke::http::guards::limit::*;
use convoke::redis::{Redis, Value, cmd, keys};
use futures_util::future::join_all;

use crate::scripts_world::{Twice, unique};

crate::on_both!(
    a_caller_may_send_all_of_them_at_once,
    one_passes_for_each_part_of_the_period,
    nothing_is_rounded,
    callers_and_routes_have_buckets_of_their_own,
    several_nodes_share_a_bucket,
    a_repeat_costs_nothing,
    a_bucket_goes_when_it_is_empty,
    a_bucket_of_another_limit_is_full_at_most,
    a_clock_that_was_set_back_locks_nobody_out,
);

const MINUTE: u64 = 60_000;

async fn take(redis: &Redis, caller: &str, limit: u32) -> Taken {
    limit_take(redis, "test", caller, limit, MINUTE).await.unwrap()
}

/// What is kept of a caller: last request (ms), what the bucket held, ids.
async fn kept(redis: &Redis, caller: &str) -> Option<(u64, u64, Vec<String>)> {
    let key = keys::limit("test", caller);
    let text = match redis.command(cmd("GET").arg(&key).to_owned(), &key).await.unwrap() {
        Value::Nil => return None,
        Value::BulkString(text) => String::from_utf8(text).unwrap(),
        other => panic!("{other:?}"),
    };
    let mut words = text.split(' ');
    let mut number = || words.next().unwrap().parse().unwrap();
    Some((number(), number(), words.map(Into::into).collect()))
}

async fn keep(redis: &Redis, caller: &str, at: u64, held: u64) {
    let key = keys::limit("test", caller);
    redis.command(cmd("SET").arg(&key).arg(format!("{at} {held} op")).to_owned(), &key).await.unwrap();
}

/// Time passes for this caller.
async fn pass(redis: &Redis, caller: &str, ms: u64) {
    let (at, held, _) = kept(redis, caller).await.unwrap();
    keep(redis, caller, at - ms, held).await;
}

async fn a_caller_may_send_all_of_them_at_once(redis: Redis) {
    for limit in [1, 3, 20] {
        let caller = unique("caller");
        for sent in 1..=limit {
            let taken = take(&redis, &caller, limit).await;
            assert_eq!((taken.allowed, taken.limit, taken.remaining), (true, limit, limit - sent));
            assert_eq!(taken.retry_after_ms == 0, sent < limit, "{taken:?}");
        }
        let refused = take(&redis, &caller, limit).await;
        assert!(!refused.allowed && refused.remaining == 0, "{refused:?}");
        let part = MINUTE / u64::from(limit);
        assert!((1..=part).contains(&refused.retry_after_ms), "{refused:?}");
        assert!((MINUTE - part + 1..=MINUTE).contains(&refused.reset_ms), "{refused:?}");
        assert_eq!(refused.reset_ms - refused.retry_after_ms, MINUTE - part, "a refusal costs nothing");
    }
}

async fn one_passes_for_each_part_of_the_period(redis: Redis) {
    let caller = unique("caller");
    for _ in 0..3 {
        take(&redis, &caller, 3).await;
    }
    let wait = take(&redis, &caller, 3).await.retry_after_ms;
    pass(&redis, &caller, wait).await;
    let taken = take(&redis, &caller, 3).await;
    assert!(taken.allowed && taken.remaining == 0, "exactly after the wait: {taken:?}");
    assert!(!take(&redis, &caller, 3).await.allowed);
    pass(&redis, &caller, 2 * MINUTE).await;
    let taken = take(&redis, &caller, 3).await;
    assert_eq!((taken.allowed, taken.remaining), (true, 2), "no more than all");
}

async fn nothing_is_rounded(redis: Redis) {
    // A seventh of a minute is no whole number of ms. The bucket holds seven minutes and leaks 7 a ms.
    let caller = unique("caller");
    for _ in 0..7 {
        take(&redis, &caller, 7).await;
    }
    let (start, full, _) = kept(&redis, &caller).await.unwrap();
    let mut waited = 0;
    for _ in 0..700 {
        let wait = take(&redis, &caller, 7).await.retry_after_ms;
        pass(&redis, &caller, wait).await;
        assert!(take(&redis, &caller, 7).await.allowed);
        waited += wait;
    }
    let (end, held, _) = kept(&redis, &caller).await.unwrap();
    assert_eq!(held, full + 700 * MINUTE - 7 * (end + waited - start), "to the last unit after a hundred minutes");
}

async fn callers_and_routes_have_buckets_of_their_own(redis: Redis) {
    let caller = unique("caller");
    for (route, caller) in [("test", &*caller), ("other", &*caller), ("test", "}{ ä")] {
        let taken = limit_take(&redis, route, caller, 1, 1).await.unwrap();
        assert!(taken.allowed, "{route} {caller}");
    }
    assert_eq!(keys::limit("test", "}{ä"), "limit:test:{fXvDpA}");
}

async fn several_nodes_share_a_bucket(redis: Redis) {
    let caller = unique("caller");
    let taken = join_all((0..200).map(|_| take(&redis, &caller, 20))).await;
    let allowed: Vec<_> = taken.iter().filter(|taken| taken.allowed).collect();
    assert_eq!(allowed.len(), 20);
    let mut remaining: Vec<_> = allowed.iter().map(|taken| taken.remaining).collect();
    remaining.sort_unstable();
    assert_eq!(remaining, (0..20).collect::<Vec<_>>());
}

async fn a_repeat_costs_nothing(redis: Redis) {
    let (caller, again) = (unique("caller"), Twice(&redis));
    for remaining in (0..12).rev() {
        let taken = limit_take(&again, "test", &caller, 12, MINUTE).await.unwrap();
        assert_eq!((taken.allowed, taken.remaining), (true, remaining));
    }
    assert!(!limit_take(&again, "test", &caller, 12, MINUTE).await.unwrap().allowed);
    assert_eq!(kept(&redis, &caller).await.unwrap().2.len(), 8, "what is remembered is bounded");
}

async fn a_bucket_goes_when_it_is_empty(redis: Redis) {
    let caller = unique("caller");
    let key = keys::limit("test", &caller);
    let lasts = async || match redis.command(cmd("PTTL").arg(&key).to_owned(), &key).await.unwrap() {
        Value::Int(ms) => ms,
        other => panic!("{other:?}"),
    };
    take(&redis, &caller, 3).await;
    assert!((1..=20_000).contains(&lasts().await));
    take(&redis, &caller, 3).await;
    assert!((20_001..=40_000).contains(&lasts().await), "{}", lasts().await);
}

async fn a_bucket_of_another_limit_is_full_at_most(redis: Redis) {
    // The limit was a million until the node started anew, and the caller had used it up.
    let caller = unique("caller");
    take(&redis, &caller, 3).await;
    let (now, ..) = kept(&redis, &caller).await.unwrap();
    keep(&redis, &caller, now, 1_000_000 * MINUTE).await;
    let taken = take(&redis, &caller, 3).await;
    assert!(taken.retry_after_ms <= MINUTE / 3 && taken.reset_ms <= MINUTE, "{taken:?}");
}

async fn a_clock_that_was_set_back_locks_nobody_out(redis: Redis) {
    let caller = unique("caller");
    for _ in 0..3 {
        take(&redis, &caller, 3).await;
    }
    let (at, held, _) = kept(&redis, &caller).await.unwrap();
    keep(&redis, &caller, at + 60 * MINUTE, held).await;
    let refused = take(&redis, &caller, 3).await;
    assert!(!refused.allowed && refused.retry_after_ms <= MINUTE / 3, "{refused:?}");
    pass(&redis, &caller, refused.retry_after_ms).await;
    assert!(take(&redis, &caller, 3).await.allowed, "the wait counts by the clock as it is now");
}
