//! Clocks of phones: none is compared with another, and none freezes a marker. Contract § 3 "Clocks are not compared".

use convoke::cluster::scripts::Op;
use convoke::features::sos::scripts::*;
use convoke::redis::keys::user_tag;
use convoke::redis::{Redis, RedisError, cmd};

use crate::scripts_world::*;

crate::on_both!(
    a_slow_clock_is_shown_after_an_init_with_a_location,
    two_phones_without_a_device_id_have_two_clocks,
    a_fix_is_old_only_within_a_minute_of_its_own_source,
    a_fast_clock_that_is_set_right_is_not_old,
    a_fix_without_a_usable_time_sets_none,
    beyond_the_devices_of_a_user_the_one_silent_longest_is_forgotten,
    what_the_release_before_wrote_is_understood,
    a_backfill_of_one_phone_does_not_take_the_place_of_what_another_sends_now,
    a_batch_in_parts_is_one_batch,
    a_batch_that_broke_off_is_sent_again_whole,
    fixes_of_one_moment_are_each_kept_once,
);

/// A fix of a phone that does not say which it is.
fn bare(latitude: f64, time: Option<u64>) -> Fix {
    Fix { device: String::new(), ..fix(latitude, time) }
}

async fn send(world: &World, connection: &str, fix: &Fix) -> Placed {
    let intake = Intake { throttle_ms: 0, ..intake(connection) };
    sos_location(&world.redis, &world.id, plain(), citizen(), intake, fix).await.unwrap().unwrap().placed
}

async fn batch(world: &World, op: Op<'_>, connection: &str, fixes: &[Fix]) -> Batched {
    sos_batch(&world.redis, &world.id, op, citizen(), intake(connection), fixes).await.unwrap().unwrap()
}

async fn shown(world: &World) -> f64 {
    world.state().await["locations"][0]["latitude"].as_f64().unwrap()
}

async fn points(world: &World) -> usize {
    sos_track(&world.redis, &world.id, None, 0, None, 10_000).await.unwrap().unwrap().points.len()
}

async fn a_slow_clock_is_shown_after_an_init_with_a_location(redis: Redis) {
    let world = World::nothing(redis);
    sos_create(&world.redis, &world.id, plain(), World::record(), Some(&bare(1.0, None)), TIMERS).await.unwrap();
    let slow = world.snapshot().await.at - 120_000;
    for (n, latitude) in [2.0, 3.0].into_iter().enumerate() {
        assert_ne!(send(&world, "a", &bare(latitude, Some(slow + n as u64))).await, Placed::Old);
        assert_eq!(shown(&world).await, latitude);
    }
}

async fn two_phones_without_a_device_id_have_two_clocks(redis: Redis) {
    let world = World::new(redis).await;
    let now = world.snapshot().await.at;
    for (n, (connection, time)) in [("a", now), ("b", now - 30_000), ("a", now + 1), ("b", now - 29_999)].into_iter().enumerate()
    {
        assert_eq!(send(&world, connection, &bare(n as f64, Some(time))).await, Placed::Published);
        assert_eq!(shown(&world).await, n as f64, "the one that arrived last");
    }
}

async fn a_fix_is_old_only_within_a_minute_of_its_own_source(redis: Redis) {
    let world = World::new(redis).await;
    let now = world.snapshot().await.at;
    let cases = [
        (now - 10_000, Placed::Published),
        (now - 10_001, Placed::Old),
        (now - 70_000, Placed::Old),
        (now - 10_000, Placed::Published),
        // The clock was set back, and goes on from there.
        (now - 70_001, Placed::Published),
        (now - 70_002, Placed::Old),
        (now - 69_000, Placed::Published),
    ];
    for (n, (time, placed)) in cases.into_iter().enumerate() {
        assert_eq!(send(&world, "a", &bare(n as f64, Some(time))).await, placed, "{n}");
        assert_eq!(shown(&world).await == n as f64, placed == Placed::Published, "{n}");
    }
    assert_eq!(points(&world).await, 6, "the old ones are in the track, each once");
}

async fn a_fast_clock_that_is_set_right_is_not_old(redis: Redis) {
    let world = World::new(redis).await;
    let now = world.snapshot().await.at;
    assert_eq!(send(&world, "a", &bare(1.0, Some(now + 50_000))).await, Placed::Published);
    let now = world.snapshot().await.at;
    assert_eq!(send(&world, "a", &bare(2.0, Some(now + 1))).await, Placed::Published);
    assert_eq!(shown(&world).await, 2.0);
}

async fn a_fix_without_a_usable_time_sets_none(redis: Redis) {
    let world = World::new(redis).await;
    let now = world.snapshot().await.at;
    let times = [None, Some(now - 40_000), Some(now + 7_200_000), Some(now - 39_999), Some(now - 40_001)];
    let placed = [Placed::Published, Placed::Published, Placed::Published, Placed::Published, Placed::Old];
    for (n, (time, placed)) in times.into_iter().zip(placed).enumerate() {
        assert_eq!(send(&world, "a", &bare(n as f64, time)).await, placed, "{n}");
    }
    assert_eq!(shown(&world).await, 3.0);
}

async fn beyond_the_devices_of_a_user_the_one_silent_longest_is_forgotten(redis: Redis) {
    let world = World::new(redis).await;
    let now = world.snapshot().await.at;
    let of = |device: u32, time: u64| Fix { device: format!("d{device}"), ..fix(1.0, Some(time)) };
    for device in 0..9 {
        assert_eq!(send(&world, "a", &of(device, now)).await, Placed::Published);
    }
    assert_eq!(send(&world, "a", &of(8, now - 1)).await, Placed::Old);
    assert_eq!(send(&world, "a", &of(1, now - 1)).await, Placed::Old, "of eight this is the first");
    assert_eq!(send(&world, "a", &of(0, now - 1)).await, Placed::Published, "nobody knows that it was here");
    assert_eq!(points(&world).await, 12);
}

async fn what_the_release_before_wrote_is_understood(redis: Redis) {
    let world = World::new(redis).await;
    let (now, key) = (world.snapshot().await.at, user_tag("cit"));
    let device = user_tag("d");
    let fields = format!(r#""userId":"cit","role":"citizen",{}"#, fix(1.0, None).fields);
    let (location, track) = (format!("sos:location:{{{}}}", world.id), format!("sos:track:{{{}}}", world.id));
    let last = format!("{} {now} citizen {device}\n{fields}", now - 100);
    let set = cmd("HSET")
        .arg(&location)
        .arg(format!("f:{key}"))
        .arg(&last)
        .arg(format!("w:{key}"))
        .arg("0 0 - - - 0")
        .arg(format!("d:{key}"))
        .arg(format!("{device}:{} -:{}", now - 100, now - 5000))
        .clone();
    world.redis.command(set, &location).await.unwrap();
    let add = cmd("ZADD").arg(&track).arg(now - 100).arg(format!("{key} {device} {} {now}\n{fields}", now - 100)).clone();
    world.redis.command(add, &track).await.unwrap();

    assert_eq!(shown(&world).await, 1.0);
    assert_eq!(send(&world, "a", &fix(2.0, Some(now - 101))).await, Placed::Old);
    assert_eq!(batch(&world, plain(), "a", &[fix(2.0, Some(now - 100))]).await.duplicates, 1);
    assert_eq!(send(&world, "a", &fix(3.0, Some(now - 99))).await, Placed::Published);
    assert_eq!(points(&world).await, 3);
}

async fn a_backfill_of_one_phone_does_not_take_the_place_of_what_another_sends_now(redis: Redis) {
    let world = World::new(redis).await;
    let now = world.snapshot().await.at;
    send(&world, "a", &bare(1.0, Some(now - 120_000))).await; // a clock that is slow by two minutes
    let past: Vec<_> = (0..100u32).map(|n| bare(2.0, Some(now - 60_000 + u64::from(n)))).collect();
    assert_eq!(batch(&world, plain(), "b", &past).await.accepted, 100);
    assert_eq!(shown(&world).await, 1.0);
    let own: Vec<_> = (0..100u32).map(|n| bare(3.0 + f64::from(n), Some(now - 119_000 + u64::from(n)))).collect();
    assert_eq!(batch(&world, plain(), "a", &own).await.accepted, 100);
    assert_eq!(shown(&world).await, 102.0, "of one source the newest");
}

async fn a_batch_in_parts_is_one_batch(redis: Redis) {
    let world = World::new(redis).await;
    let now = world.snapshot().await.at;
    let mut fixes: Vec<_> = (0..500u32).map(|n| fix(f64::from(n), Some(now - 100_000 + u64::from(n % 450)))).collect();
    fixes[170] = fix(77.0, Some(now - 5));
    let once = Op { client_message_id: "b1", ..op("n-1") };
    let first = batch(&world, once, "a", &fixes).await;
    assert_eq!((first.accepted, first.duplicates, first.written.duplicate), (450, 50, false));
    assert_eq!(shown(&world).await, 77.0);
    let again = batch(&world, Op { id: "n-2", ..once }, "a", &fixes).await;
    assert_eq!((again.accepted, again.duplicates, again.written.duplicate), (450, 50, true), "the first answer");
    let anew = batch(&world, op("n-3"), "a", &fixes).await;
    assert_eq!((anew.accepted, anew.duplicates, anew.written.duplicate), (0, 500, false));
    assert_eq!(points(&world).await, 450);
}

async fn a_batch_that_broke_off_is_sent_again_whole(redis: Redis) {
    let world = World::new(redis).await;
    let fixes: Vec<_> = (0..500u32).map(|n| fix(1.0, Some(1_000_000 + u64::from(n)))).collect();
    let broken = Failing::after(&world.redis, 3);
    let once = Op { client_message_id: "b1", ..op("n-1") };
    let error = sos_batch(&broken, &world.id, once, citizen(), intake("a"), &fixes).await.unwrap_err();
    assert!(matches!(error, RedisError::Unavailable), "{error:?}");
    assert_eq!(points(&world).await, 3 * 64 - 12, "the newest part is the short one, and comes first");
    let whole = batch(&world, Op { id: "n-2", ..once }, "a", &fixes).await;
    assert_eq!((whole.accepted, whole.duplicates, whole.written.duplicate), (500, 0, false));
    assert_eq!(points(&world).await, 500);
}

async fn fixes_of_one_moment_are_each_kept_once(redis: Redis) {
    let world = World::new(redis).await;
    let many = |batch: u32| (0..500u32).map(move |n| Fix { device: format!("{batch}-{n}"), ..fix(1.0, Some(5_000_000)) });
    for n in 0..2 {
        let fixes: Vec<_> = many(n).collect();
        assert_eq!(batch(&world, plain(), "a", &fixes).await.accepted, 500);
        assert_eq!(batch(&world, plain(), "a", &fixes).await.duplicates, 500);
    }
    assert_eq!(points(&world).await, 1000);
    let page = sos_track(&world.redis, &world.id, Some("cit"), 0, None, 10).await.unwrap().unwrap();
    assert_eq!((page.points.len(), page.next), (1000, None), "what is of one moment is not split");
}
