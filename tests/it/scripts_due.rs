//! The durable timers of an SOS: which script sets which, and which clears it.

use std::collections::BTreeMap;
use std::time::Duration;

use convoke::cluster::scripts::scope::{LostTimer, Reaped, scope_reap};
use convoke::features::sos::scripts::*;
use convoke::redis::{Redis, Value, cmd, keys};

use crate::scripts_world::*;

crate::on_both!(
    an_sos_that_is_made_has_its_timers,
    an_alarm_is_set_until_it_is_told_or_needless,
    who_is_lost_sets_a_timer_once_and_its_end_sets_the_next_or_clears_it,
    the_grace_of_a_dead_nodes_members_counts_from_its_last_renewal,
    a_provisional_sos_has_its_next_turn_set_until_it_is_none,
    a_sweep_keeps_the_key_of_the_timers,
);

const GRACE: Duration = Duration::from_secs(5);
const LOST: LostTimer = LostTimer { name: "offline", after: GRACE };

/// The timers that are set, and in how many seconds each is due.
async fn due(world: &World) -> BTreeMap<String, i64> {
    let key = keys::scope_due(&world.scope());
    let range = cmd("ZRANGE").arg(&key).arg("-inf").arg("(+inf").arg("BYSCORE").arg("WITHSCORES").to_owned();
    let rows: Vec<(String, f64)> = ::redis::from_redis_value(world.redis.command(range, &key).await.unwrap()).unwrap();
    let Value::Array(time) = world.redis.command(cmd("TIME"), &key).await.unwrap() else { panic!("no time") };
    let now: f64 = ::redis::from_redis_value(time[0].clone()).unwrap();
    rows.into_iter().map(|(row, at)| (row, (at / 1000.0 - now).round() as i64)).collect()
}

async fn are(world: &World, expected: &[(&str, i64)]) {
    let found = due(world).await;
    let is_near = |(row, left): &(&str, i64)| found.get(*row).is_some_and(|found| (found - left).abs() <= 3);
    assert!(found.len() == expected.len() && expected.iter().all(is_near), "{found:?}, not {expected:?}");
}

async fn ask(world: &World, deadline_s: u64) -> Unacknowledged {
    sos_unacknowledged(&world.redis, &world.id, plain(), deadline_s * 1000).await.unwrap()
}

async fn lose(world: &World, actor: Actor<'_>) -> Option<Duration> {
    let loss = Loss { at: None, grace: GRACE };
    sos_lost(&world.redis, &world.id, plain(), actor, CONNECTION, loss, 0).await.unwrap().unwrap().due_in
}

async fn announce(world: &World, grace_s: u64) -> Option<Duration> {
    sos_presence(&world.redis, &world.id, plain(), grace_s * 1000, 250).await.unwrap().next
}

async fn an_sos_that_is_made_has_its_timers(redis: Redis) {
    let (known, provisional) = (World::new(redis.clone()).await, World::nothing(redis.clone()));
    are(&known, &[("ack", 60)]).await;
    let made = sos_provisional(&redis, &provisional.id, plain(), citizen(), TIMERS).await.unwrap();
    assert_eq!(made.due_in, TIMERS.lookup);
    are(&provisional, &[("ack", 60), ("lookup", 30)]).await;
    // Nobody is to be asked.
    let alone = World::nothing(redis.clone());
    let timers = FirstTimers { lookup: None, ..TIMERS };
    let made = sos_provisional(&redis, &alone.id, plain(), citizen(), timers).await.unwrap();
    assert_eq!(made.due_in, Some(TIMERS.ack));
    are(&alone, &[("ack", 60)]).await;
    // What stands is left alone, and what is over needs nothing.
    assert_eq!(sos_create(&redis, &known.id, plain(), World::record(), None, TIMERS).await.unwrap().due_in, None);
    let over = World::nothing(redis.clone());
    let record = Record { status: Some("closed"), ..World::record() };
    assert_eq!(sos_complete(&redis, &over.id, plain(), record, TIMERS).await.unwrap().due_in, None);
    are(&over, &[]).await;
}

async fn an_alarm_is_set_until_it_is_told_or_needless(redis: Redis) {
    let (told, seen, closed) =
        (World::new(redis.clone()).await, World::new(redis.clone()).await, World::new(redis.clone()).await);
    assert!(matches!(ask(&told, 600).await, Unacknowledged::NotYet(_)));
    are(&told, &[("ack", 600)]).await;
    assert!(matches!(ask(&told, 0).await, Unacknowledged::Announced(_)));
    sos_acknowledge(&redis, &seen.id, plain(), rescuer()).await.unwrap().unwrap();
    closed.close(citizen()).await.unwrap();
    let gone = World::nothing(redis.clone());
    for world in [&told, &seen, &closed, &gone] {
        assert_eq!(ask(world, 0).await, Unacknowledged::Done);
        are(world, &[]).await;
    }
}

async fn who_is_lost_sets_a_timer_once_and_its_end_sets_the_next_or_clears_it(redis: Redis) {
    let world = World::new(redis).await;
    for actor in [citizen(), rescuer()] {
        world.join(actor).await;
    }
    assert_eq!(lose(&world, citizen()).await, Some(GRACE));
    assert_eq!(lose(&world, rescuer()).await, None, "it is set to an earlier moment");
    are(&world, &[("ack", 60), ("offline", 5)]).await;
    world.join(rescuer()).await;
    // Whatever the node that looks has for a grace.
    assert!(announce(&world, 20).await.is_some_and(|next| next > GRACE * 2));
    are(&world, &[("ack", 60), ("offline", 20)]).await;
    assert_eq!(announce(&world, 0).await, None);
    are(&world, &[("ack", 60)]).await;
    // An announcement of what has changed has nothing to do with it.
    lose(&world, rescuer()).await;
    sos_announce(&world.redis, &world.id, plain(), 250).await.unwrap();
    are(&world, &[("ack", 60), ("offline", 5)]).await;
    world.close(citizen()).await.unwrap();
    assert_eq!(announce(&world, 0).await, None);
    are(&world, &[("ack", 60)]).await;
    // Who leaves is not lost.
    let world = World::new(world.redis).await;
    world.join(citizen()).await;
    let left = sos_leave(&world.redis, &world.id, plain(), citizen(), CONNECTION, 0).await.unwrap().unwrap();
    assert_eq!(left.due_in, None);
    are(&world, &[("ack", 60)]).await;
}

async fn the_grace_of_a_dead_nodes_members_counts_from_its_last_renewal(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    let Value::Array(time) = world.redis.command(cmd("TIME"), &world.id).await.unwrap() else { panic!("no time") };
    let now: f64 = ::redis::from_redis_value(time[0].clone()).unwrap();
    let lost_at = (now as u64 - 3) * 1000;
    let reap = async |timer| scope_reap(&world.redis, &world.scope(), CONNECTION.node, lost_at, timer).await.unwrap();
    let Reaped { lost: 1, due_in: Some(wait) } = reap(Some(LOST)).await else { panic!("nobody is lost") };
    assert!(wait <= GRACE - Duration::from_secs(2), "{wait:?}");
    are(&world, &[("ack", 60), ("offline", 2)]).await;
    // Another reaper hears of it too: the first one may have died.
    assert!(matches!(reap(Some(LOST)).await, Reaped { lost: 0, due_in: Some(_) }));
    assert_eq!(reap(None).await, Reaped::default());
    assert_eq!(announce(&world, 0).await, None);
    assert_eq!(reap(Some(LOST)).await, Reaped::default());
}

async fn a_provisional_sos_has_its_next_turn_set_until_it_is_none(redis: Redis) {
    let world = World::nothing(redis.clone());
    sos_provisional(&redis, &world.id, plain(), citizen(), TIMERS).await.unwrap();
    let claim = async |every_s: u64| lookup_claim(&redis, &world.id, every_s * 1000).await.unwrap();
    assert!(matches!(claim(600).await, LookupTurn::In(_)), "nobody is there");
    are(&world, &[("ack", 60), ("lookup", 600)]).await;
    world.join(citizen()).await;
    assert!(matches!(claim(300).await, LookupTurn::In(_)), "it was looked up just now");
    are(&world, &[("ack", 60), ("lookup", 300)]).await;
    assert_eq!(claim(0).await, LookupTurn::Taken);
    are(&world, &[("ack", 60), ("lookup", 0)]).await;
    sos_complete(&redis, &world.id, plain(), World::record(), TIMERS).await.unwrap();
    assert_eq!(claim(0).await, LookupTurn::Over);
    are(&world, &[("ack", 60)]).await;
}

async fn a_sweep_keeps_the_key_of_the_timers(redis: Redis) {
    let world = World::new(redis).await;
    let key = keys::scope_due(&world.scope());
    // One that an earlier release has made, or whose timers were over long ago.
    world.redis.command(cmd("DEL").arg(&key).to_owned(), &key).await.unwrap();
    assert!(matches!(sos_expire(&world.redis, &world.id, plain(), 60_000).await.unwrap(), Swept::Alive { .. }));
    are(&world, &[]).await;
    let Value::Int(ttl) = world.redis.command(cmd("PTTL").arg(&key).to_owned(), &key).await.unwrap() else { panic!("no TTL") };
    assert!(ttl > 24 * 3_600_000, "{ttl}");
}
