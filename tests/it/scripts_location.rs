//! Positions: the window, the last known fix, the track, backfill. Contract § 3 "Location".

use convoke::features::sos::scripts::Refused;
use convoke::features::sos::scripts::*;
use convoke::redis::Redis;

use crate::scripts_world::*;

crate::on_both!(
    one_of_a_hundred_in_a_window_is_sent_and_the_newest_when_it_ends,
    an_older_fix_of_the_same_device_is_never_sent_after_a_newer,
    a_fix_time_that_is_missing_or_ahead_is_the_arrival,
    the_track_holds_each_fix_once_and_is_read_in_pages,
    numbers_and_zero_keep_their_text,
    who_may_send_a_location,
    a_batch_keeps_all_and_sends_only_what_is_newer,
    a_batch_is_taken_after_the_end,
    the_outbox_gets_first_moved_and_last,
    the_end_sends_what_was_pending,
    of_very_many_the_last_positions_are_told_after_the_end_too,
    a_repeated_location_has_one_effect,
    the_room_hears_the_first_then_the_newest,
    an_init_does_not_overrule_what_the_citizen_sent,
);

async fn now(world: &World) -> u64 {
    world.snapshot().await.at
}

/// Lets a user's window end now.
async fn end_window(world: &World, actor: Actor<'_>) {
    let key = format!("sos:location:{{{}}}", world.id);
    let field = format!("w:{}", convoke::redis::keys::user_tag(actor.user));
    let redis::Value::BulkString(window) =
        world.redis.command(redis::cmd("HGET").arg(&key).arg(&field).clone(), &key).await.unwrap()
    else {
        panic!("no window")
    };
    let window = String::from_utf8(window).unwrap();
    let (_, rest) = window.split_once(' ').unwrap();
    world.redis.command(redis::cmd("HSET").arg(&key).arg(&field).arg(format!("0 {rest}")).clone(), &key).await.unwrap();
}

async fn flush(world: &World) -> Flushed {
    sos_flush(&world.redis, &world.id, plain(), THROTTLE_MS, None).await.unwrap()
}

async fn latitude(world: &World) -> serde_json::Value {
    world.state().await["locations"][0]["latitude"].clone()
}

async fn one_of_a_hundred_in_a_window_is_sent_and_the_newest_when_it_ends(redis: Redis) {
    let world = World::new(redis).await;
    let start = now(&world).await;
    let fixes: Vec<Fix> = (0..100u32).map(|i| fix(f64::from(i) / 10.0, Some(start + u64::from(i)))).collect();
    let answers = futures_util::future::join_all(fixes.iter().map(|fix| world.locate(citizen(), fix))).await;
    let placed: Vec<Placed> = answers.into_iter().map(|answer| answer.unwrap().placed).collect();
    assert_eq!(placed.iter().filter(|placed| **placed == Placed::Published).count(), 1);
    assert!(placed.iter().any(|placed| matches!(placed, Placed::Coalesced { flush_in_ms: 1..=1000 })));
    assert_eq!(latitude(&world).await, 9.9);

    let early = flush(&world).await;
    assert!(early.sent == 0 && early.next_ms.is_some_and(|ms| ms <= 1000));
    end_window(&world, citizen()).await;
    let flushes = futures_util::future::join_all((0..20).map(|_| flush(&world))).await;
    assert_eq!(flushes.iter().map(|flushed| flushed.sent).sum::<u32>(), 1, "whoever comes first");
    end_window(&world, citizen()).await;
    assert_eq!(flush(&world).await.sent, 0);
}

async fn an_older_fix_of_the_same_device_is_never_sent_after_a_newer(redis: Redis) {
    let world = World::new(redis).await;
    let start = now(&world).await;
    assert_eq!(world.locate(citizen(), &fix(5.0, Some(start))).await.unwrap().placed, Placed::Published);
    assert_eq!(world.locate(citizen(), &fix(4.0, Some(start - 1))).await.unwrap().placed, Placed::Old);
    assert_eq!(latitude(&world).await, 5.0);
    // Another device's clock says nothing about this one's.
    let other = Fix { device: "e".into(), ..fix(3.0, Some(start - 500)) };
    assert!(matches!(world.locate(citizen(), &other).await.unwrap().placed, Placed::Coalesced { .. }));
    assert_eq!(latitude(&world).await, 3.0);
    assert_eq!(world.locate(citizen(), &fix(4.5, Some(start - 2))).await.unwrap().placed, Placed::Old);
    assert_eq!(latitude(&world).await, 3.0);
}

async fn a_fix_time_that_is_missing_or_ahead_is_the_arrival(redis: Redis) {
    let world = World::new(redis).await;
    let now = now(&world).await;
    for (time, ahead) in [(None, false), (Some(now + 600_000), false), (Some(now + 30_000), true)] {
        world.locate(citizen(), &fix(1.0, time)).await.unwrap();
        let fix_time = world.snapshot().await.locations[0].fix_time;
        assert_eq!(fix_time == now + 30_000, ahead);
        assert!(ahead || fix_time.abs_diff(now) < 5_000);
    }
}

async fn the_track_holds_each_fix_once_and_is_read_in_pages(redis: Redis) {
    let world = World::new(redis).await;
    for i in 0..10 {
        for actor in [citizen(), rescuer()] {
            world.locate(actor, &fix(f64::from(i), Some(1_000_000 + i as u64))).await.unwrap();
            world.locate(actor, &fix(f64::from(i), Some(1_000_000 + i as u64))).await.unwrap();
        }
    }
    let all = sos_track(&world.redis, &world.id, None, 0, None, 1000).await.unwrap().unwrap();
    assert_eq!((all.points.len(), all.next), (20, None));
    let mut from = 1_000_002;
    let mut seen = Vec::new();
    loop {
        let page = sos_track(&world.redis, &world.id, Some("res"), from, Some(1_000_007), 4).await.unwrap().unwrap();
        for point in &page.points {
            let point: serde_json::Value = serde_json::from_slice(point).unwrap();
            assert_eq!((&point["userId"], &point["role"]), (&"res".into(), &"rescuer".into()));
            assert!(point["timestamp"].is_u64());
            seen.push(point["fixTime"].as_u64().unwrap() - 1_000_000);
        }
        match page.next {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(seen, [2, 3, 4, 5, 6, 7]);
    assert_eq!(sos_track(&world.redis, "none-such", None, 0, None, 10).await.unwrap(), None);
}

async fn numbers_and_zero_keep_their_text(redis: Redis) {
    let world = World::new(redis).await;
    let exact = Fix {
        fields: r#""latitude":0,"longitude":-0.12345678901234567,"accuracy":1e-7,"heading":null,"speed":null,"altitude":9007199254740991,"deviceId":null"#.into(),
        latitude: "0".into(),
        longitude: "-0.12345678901234567".into(),
        device: String::new(),
        time: Some(1_700_000_000_123),
        address: Some(r#"{"city":"Ä","no":12345678901234567}"#.into()),
    };
    world.locate(citizen(), &exact).await.unwrap();
    let snapshot = world.snapshot().await;
    let sent = snapshot.location_broadcasts().next().unwrap();
    assert!(sent.contains(&exact.fields), "{sent}");
    assert!(sent.starts_with(&format!(r#"{{"sosId":"{}","userId":"cit","role":"citizen","latitude":0,"#, world.id)));
    assert!(sent.contains(r#""fixTime":1700000000123,"timestamp":"#));
    let listed = sos_locations(&world.redis, &world.id).await.unwrap();
    assert_eq!(listed[0].1, sent.as_bytes());
    let json = snapshot.to_json(|_| true);
    assert!(json.contains(r#""address":{"city":"Ä","no":12345678901234567}"#), "{json}");
    assert!(json.contains(r#""ageMs":"#));
}

async fn who_may_send_a_location(redis: Redis) {
    let world = World::new(redis.clone()).await;
    for (actor, may) in [
        (citizen(), true),
        (rescuer(), true),
        (dispatcher(), false),
        (person("a", "admin"), false),
        (Actor { named: false, ..rescuer() }, false),
    ] {
        assert_eq!(world.locate(actor, &fix(1.0, None)).await.is_ok(), may, "{actor:?}");
    }
    let missing = World::nothing(redis).locate(citizen(), &fix(1.0, None)).await;
    assert_eq!(missing, Err(Refused::Missing));
}

async fn batch(world: &World, fixes: &[Fix]) -> Batched {
    sos_batch(&world.redis, &world.id, plain(), citizen(), intake("c"), fixes).await.unwrap().unwrap()
}

async fn a_batch_keeps_all_and_sends_only_what_is_newer(redis: Redis) {
    let world = World::new(redis).await;
    let start = now(&world).await;
    world.locate(citizen(), &fix(9.0, Some(start - 100))).await.unwrap();
    let old: Vec<Fix> = (0..50u32).map(|i| fix(1.0, Some(start - 10_000 + u64::from(i % 40)))).collect();
    let batched = batch(&world, &old).await;
    assert_eq!((batched.accepted, batched.duplicates, batched.flush_in_ms), (40, 10, None));
    assert_eq!(latitude(&world).await, 9.0);
    let newer = [fix(8.0, Some(start - 50)), fix(7.0, Some(start - 60))];
    let batched = batch(&world, &newer).await;
    assert!(batched.accepted == 2 && batched.flush_in_ms.is_some_and(|ms| ms <= 1000));
    assert_eq!(latitude(&world).await, 8.0);
    let many: Vec<Fix> = (0..500u32).map(|i| fix(1.0, Some(1000 + u64::from(i)))).collect();
    assert_eq!(batch(&world, &many).await.accepted, 500);
}

async fn a_batch_is_taken_after_the_end(redis: Redis) {
    let world = World::new(redis).await;
    world.close(dispatcher()).await.unwrap();
    let before = world.names().await;
    let batched = batch(&world, &[fix(1.0, Some(5)), fix(2.0, Some(6))]).await;
    assert_eq!((batched.accepted, batched.written.heard, batched.flush_in_ms), (2, None, None));
    assert_eq!(world.names().await, before);
    assert_eq!(sos_track(&world.redis, &world.id, None, 0, None, 10).await.unwrap().unwrap().points.len(), 2);
}

async fn the_outbox_gets_first_moved_and_last(redis: Redis) {
    let world = World::new(redis).await;
    let start = now(&world).await;
    // 0.0001° of latitude are 11 m.
    for (i, latitude) in [1.0, 1.0001, 1.0002, 1.0010, 1.0011].into_iter().enumerate() {
        world.locate(citizen(), &fix(latitude, Some(start + i as u64))).await.unwrap();
    }
    assert_eq!(world.outbox().await, ["location", "location"]);
    world.close(dispatcher()).await.unwrap();
    assert_eq!(world.outbox().await, ["location", "location", "location", "sos:status", "sos:close"]);
    let sent: Vec<f64> = world.outbox_entries().await[..3]
        .iter()
        .map(|entry| serde_json::from_slice::<serde_json::Value>(&entry.data).unwrap()["latitude"].as_f64().unwrap())
        .collect();
    assert_eq!(sent, [1.0, 1.001, 1.0011]);
}

async fn the_end_sends_what_was_pending(redis: Redis) {
    let world = World::new(redis).await;
    world.locate(citizen(), &fix(1.0, None)).await.unwrap();
    let second = world.locate(citizen(), &fix(2.0, None)).await.unwrap();
    assert!(matches!(second.placed, Placed::Coalesced { .. }));
    let closed = world.close(dispatcher()).await.unwrap();
    assert!(closed.written.heard.is_some());
    end_window(&world, citizen()).await;
    assert_eq!(flush(&world).await.sent, 0);
}

async fn of_very_many_the_last_positions_are_told_after_the_end_too(redis: Redis) {
    let world = World::new(redis).await;
    for n in 0..140 {
        let actor = person(Box::leak(format!("many-{n}").into_boxed_str()), "rescuer");
        for latitude in [1.0, 1.0001] {
            world.locate(actor, &fix(latitude, None)).await.unwrap();
        }
    }
    let told = async || world.outbox().await.iter().filter(|event| *event == "location").count();
    assert_eq!(told().await, 140, "the first of each");
    world.close(dispatcher()).await.unwrap();
    assert_eq!(told().await, 140 + 128);
    assert_eq!((flush(&world).await.sent, flush(&world).await.sent), (12, 0));
    assert_eq!(told().await, 280, "and the last of each");
}

async fn a_repeated_location_has_one_effect(redis: Redis) {
    let world = World::new(redis).await;
    let send = async || {
        sos_location(&world.redis, &world.id, op("n-1"), citizen(), intake("c"), &fix(1.0, None)).await.unwrap().unwrap()
    };
    let first = send().await;
    assert_eq!((first.placed, send().await), (Placed::Published, first));
    assert_eq!(sos_track(&world.redis, &world.id, None, 0, None, 10).await.unwrap().unwrap().points.len(), 1);
}

async fn the_room_hears_the_first_then_the_newest(redis: Redis) {
    let world = World::new(redis).await;
    let mut channel = Channel::listen(&world.redis, &convoke::redis::keys::scope_channel(&world.scope(), 0)).await;
    for latitude in [1.5, 2.5, 3.5] {
        world.locate(citizen(), &fix(latitude, Some(1_000 + latitude as u64))).await.unwrap();
    }
    end_window(&world, citizen()).await;
    assert_eq!(flush(&world).await.sent, 1);
    let log = world.log().await;
    let key = convoke::redis::keys::user_tag("cit");
    for expected in [1.5, 3.5] {
        let message = channel.next().await;
        let (head, body) = message.split_once('\n').unwrap();
        assert_eq!(head, format!("{} {} ~", log.epoch, log.last));
        let heard = Heard::parse(body.as_bytes());
        assert_eq!((heard.head, heard.name.as_str()), (format!("* - loc:{key} -"), "location:broadcast"));
        let at = heard.data["timestamp"].as_u64().unwrap();
        assert_eq!(
            heard.data,
            serde_json::json!({"sosId": world.id, "userId": "cit", "role": "citizen", "latitude": expected, "longitude": 2,
                "accuracy": null, "heading": null, "speed": null, "altitude": null, "deviceId": "d",
                "fixTime": 1000 + expected as u64, "timestamp": at})
        );
    }
}

async fn an_init_does_not_overrule_what_the_citizen_sent(redis: Redis) {
    let world = World::new(redis).await;
    world.locate(citizen(), &fix(5.0, None)).await.unwrap();
    sos_create(&world.redis, &world.id, plain(), World::record(), Some(&fix(1.0, None)), TIMERS).await.unwrap();
    assert_eq!(latitude(&world).await, 5.0);
}
