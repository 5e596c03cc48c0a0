//! Rate limits while Redis is away, and what they say. Contract § 7 "Rate limits".

use serde_json::json;

use crate::support::booking::World;

const ELIGIBILITY: &str = "/api/interviews/eligibility";

#[tokio::test]
async fn without_redis_nobody_is_unlimited() {
    let env = [("RATE_LIMIT_SESSIONS_PER_MINUTE", "3"), ("REDIS_DEADLINE_MS", "300")];
    let Some(world) = World::start(1, &env).await else { return };
    let user = world.user().await;
    assert_eq!(world.get(ELIGIBILITY, user).await.header("ratelimit-remaining"), Some("2"));
    world.redis.stop();
    for _ in 0..2 {
        let answer = world.get(ELIGIBILITY, user).await;
        assert_eq!((answer.status, &answer.body), (503, &json!({"message": "Temporarily unavailable, try again"})), "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("ratelimit-limit"), None, "nobody knows");
    }
    world.redis.restart();
    world.eventually("Redis counts again", async || world.get(ELIGIBILITY, user).await.status == 200).await;
}

#[tokio::test]
async fn who_is_refused_is_told_when_to_come_back() {
    let Some(world) = World::start(1, &[("RATE_LIMIT_SESSIONS_PER_MINUTE", "1")]).await else { return };
    let user = world.user().await;
    assert_eq!(world.get(ELIGIBILITY, user).await.status, 200);
    let answer = world.get(ELIGIBILITY, user).await;
    let message = "Too many requests, try again later";
    assert_eq!((answer.status, &answer.body), (429, &json!({"error": "RATE_LIMIT", "message": message})));
    let seconds = |name: &str| answer.header(name).unwrap().parse::<u64>().unwrap();
    assert_eq!((seconds("ratelimit-limit"), seconds("ratelimit-remaining")), (1, 0));
    assert!((1..=60).contains(&seconds("retry-after")) && (1..=60).contains(&seconds("ratelimit-reset")), "{answer:?}");
}
