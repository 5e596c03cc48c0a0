//! A slot moves key by key while its SOS is in use: nothing is lost, nothing happens twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use convoke::redis::keys;
use convoke::redis::scripts::sos::*;

use crate::mini_redis::Mini;
use crate::scripts_world::*;

/// Moves the slot of `key` to the next master, one key at a time, with a pause for the load between keys.
async fn migrate(redis: &Mini, key: &str, calls: &AtomicU64) {
    let slot = keys::slot(key.as_bytes());
    let from = redis.home(slot);
    let to = (from + 1) % redis.nodes();
    let ((_, mut source), (port, mut target)) = (redis.node(from), redis.node(to));
    let id = async |connection: &mut redis::aio::MultiplexedConnection| {
        redis::cmd("CLUSTER").arg("MYID").query_async::<String>(connection).await.unwrap()
    };
    let (source_id, target_id) = (id(&mut source).await, id(&mut target).await);
    let set = |state: &'static str, node: &str| {
        let mut command = redis::cmd("CLUSTER");
        command.arg("SETSLOT").arg(slot).arg(state).arg(node);
        command
    };
    set("IMPORTING", &source_id).exec_async(&mut target).await.unwrap();
    set("MIGRATING", &target_id).exec_async(&mut source).await.unwrap();
    loop {
        let keys: Vec<String> =
            redis::cmd("CLUSTER").arg("GETKEYSINSLOT").arg(slot).arg(1).query_async(&mut source).await.unwrap();
        let Some(key) = keys.first() else { break };
        redis::cmd("MIGRATE").arg("127.0.0.1").arg(port).arg(key).arg(0).arg(5000).exec_async(&mut source).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    for mut connection in [target, source] {
        set("NODE", &target_id).exec_async(&mut connection).await.unwrap();
    }
    let before = calls.load(Ordering::SeqCst);
    until("the load goes on", || async { calls.load(Ordering::SeqCst) > before + 100 }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_key_by_key_loses_nothing() {
    let world = World::new(Mini::cluster().await).await;
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
                sos_location(&world.redis, &world.id, op(&id), citizen(), 0, &fix(1.0, time)).await.unwrap().unwrap();
                said.push(sent.message_id);
                calls.fetch_add(1, Ordering::SeqCst);
            }
            said
        }));
    }
    for _ in 0..2 {
        migrate(&world.redis, &format!("{{{}}}", world.id), &calls).await;
    }
    stop.store(true, Ordering::SeqCst);
    let mut said = Vec::new();
    for task in tasks {
        said.extend(task.await.unwrap());
    }
    said.sort_by_key(|id| id.parse::<convoke::ids::StreamId>().unwrap());
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
