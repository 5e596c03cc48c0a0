//! Look-ups of a provisional SOS: whose turn it is, and what answers without a record come to.

use std::time::Duration;

use convoke::features::sos::keys as sos_keys;
use convoke::features::sos::scripts::*;
use convoke::redis::{Redis, cmd};

use crate::scripts_world::*;

crate::on_both!(
    there_is_one_turn_at_a_time_for_all_nodes,
    what_is_not_provisional_or_has_no_members_is_not_looked_up,
    two_answers_404_in_a_row_end_a_provisional_sos,
    any_other_answer_begins_the_count_anew,
);

async fn provisional(redis: Redis) -> World {
    let world = World::nothing(redis);
    sos_provisional(&world.redis, &world.id, plain(), citizen(), TIMERS).await.unwrap();
    world
}

const EVERY: LookupTurn = LookupTurn::In(Duration::from_secs(30));

/// As if the last look-up were long ago.
async fn age(world: &World) {
    let key = sos_keys::state(&world.id);
    world.redis.command(cmd("HSET").arg(&key).arg("lu").arg(1).to_owned(), &key).await.unwrap();
}

async fn claim(world: &World) -> LookupTurn {
    lookup_claim(&world.redis, &world.id, 30_000).await.unwrap()
}

async fn unknown(world: &World, is_404: bool) -> bool {
    sos_unknown(&world.redis, &world.id, plain(), is_404).await.unwrap().is_some()
}

async fn there_is_one_turn_at_a_time_for_all_nodes(redis: Redis) {
    let world = provisional(redis).await;
    world.join(citizen()).await;
    let LookupTurn::In(wait) = claim(&world).await else { panic!("it was looked up when it was made") };
    assert!((20..=30).contains(&wait.as_secs()), "{wait:?}");
    age(&world).await;
    let turns = futures_util::future::join_all((0..10).map(|_| claim(&world))).await;
    assert_eq!(turns.iter().filter(|turn| **turn == LookupTurn::Taken).count(), 1);
    let key = sos_keys::state(&world.id);
    world.redis.command(cmd("HSET").arg(&key).arg("lu").arg(u64::MAX >> 12).to_owned(), &key).await.unwrap();
    assert_eq!(claim(&world).await, LookupTurn::Taken, "a clock that was set back");
}

async fn what_is_not_provisional_or_has_no_members_is_not_looked_up(redis: Redis) {
    let (known, empty) = (World::new(redis.clone()).await, provisional(redis.clone()).await);
    known.join(citizen()).await;
    for world in [&known, &World::nothing(redis.clone())] {
        age_if_there(world).await;
        assert_eq!(claim(world).await, LookupTurn::Over);
    }
    age(&empty).await;
    assert_eq!(claim(&empty).await, EVERY, "somebody may come");
    // A member that was lost and not announced yet has no socket any more.
    empty.join(citizen()).await;
    age(&empty).await;
    assert_eq!(claim(&empty).await, LookupTurn::Taken);
    sos_lost(&redis, &empty.id, plain(), citizen(), CONNECTION, Loss::default(), 0).await.unwrap();
    age(&empty).await;
    assert_eq!(claim(&empty).await, EVERY);
    empty.join(citizen()).await;
    empty.close(citizen()).await.unwrap();
    assert_eq!(claim(&empty).await, LookupTurn::Over);
}

async fn age_if_there(world: &World) {
    if sos_snapshot(&world.redis, &world.id).await.unwrap().is_some() {
        age(world).await;
    }
}

async fn two_answers_404_in_a_row_end_a_provisional_sos(redis: Redis) {
    let world = provisional(redis.clone()).await;
    world.join(citizen()).await;
    assert!(!unknown(&world, true).await);
    let op = op("the second");
    let ended = async || sos_unknown(&world.redis, &world.id, op, true).await.unwrap();
    let first = ended().await.expect("it is over");
    assert!(first.copies_pending && first.outbox > 0);
    assert_eq!(ended().await, Some(first), "a repeat has the first answer");
    let state = world.state().await;
    assert_eq!((&state["status"], &state["closedBy"], &state["reason"]), (&"closed".into(), &"system".into(), &"unknown".into()));
    assert!(world.names().await.ends_with(&["sos:status:broadcast".into(), "sos:close".into(), "ended".into()]));
    let known = World::new(redis.clone()).await;
    for world in [&world, &known, &World::nothing(redis)] {
        assert!(!unknown(world, true).await && !unknown(world, true).await, "nothing is to be ended");
    }
    assert_eq!(known.state().await["status"], "active");
}

async fn any_other_answer_begins_the_count_anew(redis: Redis) {
    let world = provisional(redis).await;
    for is_404 in [true, false, false, true] {
        assert!(!unknown(&world, is_404).await);
    }
    // A record found in between, too.
    sos_complete(&world.redis, &world.id, plain(), World::record(), TIMERS).await.unwrap();
    assert!(!unknown(&world, true).await);
    assert_eq!(world.state().await["status"], "active");
}
