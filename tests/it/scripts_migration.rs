//! A slot moves key by key while its SOS is in use: nothing is lost, nothing happens twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use convoke::features::sos::scripts::*;
use convoke::redis::keys;

use crate::scripts_world::*;
use crate::support::eventually;
use crate::support::redis::cluster;

/// Moves the slot of the world, one key at a time, with a pause for the load between keys.
async fn migrate(world: &World, from: usize, to: usize, calls: &AtomicU64) {
    let slot = keys::slot(world.id.as_bytes());
    let pause = || std::thread::sleep(Duration::from_millis(3));
    tokio::task::spawn_blocking(move || cluster().migrate(slot, from, to, pause)).await.unwrap();
    let before = calls.load(Ordering::SeqCst);
    eventually("the load goes on", || calls.load(Ordering::SeqCst) > before + 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_key_by_key_loses_nothing() {
    let world = World::new(cluster().client().await).await;
    world.join(citizen()).await;
    let (stop, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut tasks = Vec::new();
    for task in 0..4u64 {
        let (world, stop, calls) = (world.clone(), stop.clone(), calls.clone());
        tasks.push(tokio::spawn(async move {
            let mut said = Vec::new();
            for i in 0.. {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let id = format!("t{task}-{i}");
                let sent = sos_message(&world.redis, &world.id, op(&id), citizen(), &id).await.unwrap().unwrap();
                let again = sos_message(&world.redis, &world.id, op(&id), citizen(), &id).await.unwrap().unwrap();
                assert_eq!(again, sent, "one effect");
                let time = Some(1_000_000 + i * 4 + task);
                let id = format!("l{task}-{i}");
                sos_location(
                    &world.redis,
                    &world.id,
                    op(&id),
                    citizen(),
                    Intake { throttle_ms: 0, ..intake("c") },
                    &fix(1.0, time),
                )
                .await
                .unwrap()
                .unwrap();
                said.push(sent.message_id);
                calls.fetch_add(1, Ordering::SeqCst);
            }
            said
        }));
    }
    // There and back, for the cluster is not ours alone.
    let home = cluster().home_of(&world.id);
    let away = (home + 1) % 3;
    migrate(&world, home, away, &calls).await;
    migrate(&world, away, home, &calls).await;
    stop.store(true, Ordering::SeqCst);
    let mut said = Vec::new();
    for task in tasks {
        said.extend(task.await.unwrap());
    }
    said.sort_by_key(|id| id.parse::<convoke::core::StreamId>().unwrap());
    let heard: Vec<String> = world
        .events("message:broadcast")
        .await
        .into_iter()
        .map(|message| message["messageId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(heard, said);
    let track = sos_track(&world.redis, &world.id, None, 0, None, 100_000).await.unwrap().unwrap();
    assert_eq!(track.points.len(), said.len().min(20_000));
}
