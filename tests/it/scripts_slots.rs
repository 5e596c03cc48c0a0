//! Slots of interview sessions, and what a flush, an old snapshot or a race does to them. Contract § 5.

use std::collections::BTreeMap;

use convoke::features::bookings::keys;
use convoke::features::bookings::scripts::*;
use convoke::redis::{Redis, Value, cmd};
use futures_util::future::join_all;
use tokio::sync::{Mutex, MutexGuard};

use crate::scripts_world::{Twice, unique};

/// There is one table of slots in a Redis: who uses it has it alone.
static SINGLE: Mutex<()> = Mutex::const_new(());
static CLUSTER: Mutex<()> = Mutex::const_new(());

macro_rules! on_both {
    ($($fact:ident),* $(,)?) => {
        mod on_single {
            $(#[tokio::test]
            async fn $fact() {
                let redis = crate::support::redis::single().client().await;
                super::$fact(super::Table::alone(&super::SINGLE, redis).await).await;
            })*
        }
        mod on_cluster {
            $(#[tokio::test]
            async fn $fact() {
                let redis = crate::support::redis::cluster().client().await;
                super::$fact(super::Table::alone(&super::CLUSTER, redis).await).await;
            })*
        }
    };
}

on_both!(
    a_cold_table_reserves_nothing,
    refusals_come_in_their_order,
    a_reservation_ends_with_its_lease,
    a_repeated_reservation_gets_its_first_answer,
    confirmed_slots_end_with_their_session,
    a_slot_is_released_only_by_whom_it_belongs_to,
    many_at_once_get_what_there_is,
    one_user_at_once_gets_one,
    starts_go_on_after_a_flush,
    a_start_whose_lease_ran_out_still_gets_its_slot,
    an_old_snapshot_is_repaired,
    two_sweeps_do_what_one_does,
    a_sweep_leaves_what_changed_since_it_looked,
    a_users_set_goes_with_its_last_slot,
);

const LEASE_MS: u64 = 30_000;
const HOUR_MS: u64 = 3_600_000;

fn limits(all: u32, per_user: u32) -> SlotLimits {
    SlotLimits { all, per_user }
}

/// The table of slots, empty and ready.
struct Table {
    redis: Redis,
    _alone: MutexGuard<'static, ()>,
    users: std::sync::Mutex<Vec<String>>,
}

impl Table {
    async fn alone(mutex: &'static Mutex<()>, redis: Redis) -> Self {
        let alone = mutex.lock().await;
        let table = Self { redis, _alone: alone, users: Default::default() };
        table.flush().await;
        assert!(slots_rebuild(&table.redis, &[]).await.unwrap());
        table
    }

    /// What FLUSHALL does to slots. Other tests share the server.
    async fn flush(&self) {
        self.del(keys::SLOTS_ACTIVE).await;
        self.del(keys::SLOTS_READY).await;
        let users = std::mem::take(&mut *self.users.lock().unwrap());
        for user in users {
            self.del(&keys::slots_of_user(&user)).await;
        }
    }

    async fn del(&self, key: &str) {
        self.command(key, cmd("DEL").arg(key)).await;
    }

    async fn command(&self, key: &str, command: &mut convoke::redis::Cmd) -> Value {
        self.redis.command(command.to_owned(), key).await.unwrap()
    }

    fn user(&self) -> String {
        let user = unique("user");
        self.users.lock().unwrap().push(user.clone());
        user
    }

    async fn reserve(&self, id: &str, user: &str, limits: SlotLimits) -> Reserved {
        slot_reserve(&self.redis, id, user, limits, LEASE_MS).await.unwrap()
    }

    async fn confirm(&self, id: &str, user: &str, ends_ms: u64) {
        slot_confirm(&self.redis, ActiveBooking { id, user, ends_ms }).await.unwrap();
    }

    async fn now(&self) -> u64 {
        slots_list(&self.redis).await.unwrap().now_ms
    }

    async fn slots(&self) -> BTreeMap<String, u64> {
        slots_list(&self.redis).await.unwrap().slots.into_iter().collect()
    }

    async fn ids(&self) -> Vec<String> {
        self.slots().await.into_keys().collect()
    }

    /// Time passes for these slots: they end now.
    async fn end(&self, user: &str, ids: &[&str]) {
        let ends = self.now().await;
        for id in ids {
            for key in [keys::SLOTS_ACTIVE, &keys::slots_of_user(user)] {
                self.command(key, cmd("ZADD").arg(key).arg("XX").arg(ends).arg(id)).await;
            }
        }
    }
}

async fn a_cold_table_reserves_nothing(table: Table) {
    let user = table.user();
    table.flush().await;
    assert_eq!(table.reserve("a", &user, limits(5, 1)).await, Reserved::Cold);
    // Not even where everything else would be a reason.
    assert_eq!(table.reserve("a", &user, limits(0, 0)).await, Reserved::Cold);
    let slots = slots_list(&table.redis).await.unwrap();
    assert_eq!((slots.ready, slots.slots), (false, vec![]));
    assert!(slots_rebuild(&table.redis, &[]).await.unwrap());
    assert!(!slots_rebuild(&table.redis, &[]).await.unwrap(), "once");
    assert!(matches!(table.reserve("a", &user, limits(5, 1)).await, Reserved::Ok { .. }));
    assert!(slots_list(&table.redis).await.unwrap().ready);
}

async fn refusals_come_in_their_order(table: Table) {
    let (mine, other) = (table.user(), table.user());
    assert!(matches!(table.reserve("a", &mine, limits(2, 1)).await, Reserved::Ok { .. }));
    // What is held, how much there may be, and the first reason.
    for (id, user, all, per_user, expected) in [
        ("a", &mine, 1, 1, Reserved::IdTaken),
        ("a", &other, 1, 1, Reserved::IdTaken),
        ("b", &mine, 1, 1, Reserved::UserFull),
        ("b", &mine, 2, 1, Reserved::UserFull),
        ("b", &mine, 1, 2, Reserved::Full),
        ("b", &other, 1, 1, Reserved::Full),
    ] {
        assert_eq!(table.reserve(id, user, limits(all, per_user)).await, expected, "{id} {user} {all} {per_user}");
    }
    assert_eq!(table.ids().await, ["a"], "refusals leave nothing behind");
    assert!(matches!(table.reserve("b", &mine, limits(2, 2)).await, Reserved::Ok { .. }));
    assert_eq!(table.reserve("c", &mine, limits(3, 2)).await, Reserved::UserFull);
}

async fn a_reservation_ends_with_its_lease(table: Table) {
    let (mine, other) = (table.user(), table.user());
    let before = table.now().await;
    let Reserved::Ok { until_ms } = table.reserve("a", &mine, limits(1, 1)).await else { panic!("there was a slot") };
    let after = table.now().await;
    assert!((before + LEASE_MS..=after + LEASE_MS).contains(&until_ms), "{before} {until_ms} {after}");
    assert_eq!(table.slots().await, BTreeMap::from([("a".into(), until_ms)]));
    assert_eq!(table.reserve("b", &other, limits(1, 1)).await, Reserved::Full);
    table.end(&mine, &["a"]).await;
    // Of the same id, the same user and the only slot.
    assert!(matches!(table.reserve("a", &mine, limits(1, 1)).await, Reserved::Ok { .. }));
    table.end(&mine, &["a"]).await;
    assert!(table.slots().await.is_empty());
}

async fn a_repeated_reservation_gets_its_first_answer(table: Table) {
    // The connection breaks after the script has run: group commit sends the very same call again.
    let user = table.user();
    let again = Twice(&table.redis);
    let first = slot_reserve(&again, "a", &user, limits(1, 1), LEASE_MS).await.unwrap();
    assert_eq!(first, Reserved::Ok { until_ms: table.slots().await["a"] });
    let other = table.user();
    assert_eq!(slot_reserve(&again, "a", &user, limits(9, 9), LEASE_MS).await.unwrap(), Reserved::IdTaken, "another start");
    assert_eq!(slot_reserve(&again, "b", &other, limits(1, 1), LEASE_MS).await.unwrap(), Reserved::Full);
    // All the others repeat themselves by nature.
    let ends_ms = table.now().await + HOUR_MS;
    slot_confirm(&again, ActiveBooking { id: "a", user: &user, ends_ms }).await.unwrap();
    assert_eq!(table.slots().await, BTreeMap::from([("a".into(), ends_ms)]));
    let b = ActiveBooking { id: "b", user: &other, ends_ms };
    slots_repair(&again, &[b], &[Orphan { id: "a", user: Some(&user), ends_ms }]).await.unwrap();
    assert_eq!(table.ids().await, ["b"]);
    slot_release(&again, "b", &other, Some(ends_ms)).await.unwrap();
    assert!(table.slots().await.is_empty());
    table.flush().await;
    slots_rebuild(&again, &[b]).await.unwrap();
    assert_eq!(table.ids().await, ["b"]);
}

async fn confirmed_slots_end_with_their_session(table: Table) {
    let user = table.user();
    table.reserve("a", &user, limits(1, 1)).await;
    let ends = table.now().await + HOUR_MS;
    table.confirm("a", &user, ends).await;
    assert_eq!(table.slots().await, BTreeMap::from([("a".into(), ends)]));
    assert_eq!(table.reserve("b", &user, limits(5, 1)).await, Reserved::UserFull);
    table.end(&user, &["a"]).await;
    assert!(matches!(table.reserve("b", &user, limits(1, 1)).await, Reserved::Ok { .. }));
    // A session that was over before its start was confirmed.
    let now = table.now().await;
    table.confirm("b", &user, now).await;
    assert!(table.slots().await.is_empty());
    assert!(matches!(table.reserve("c", &user, limits(1, 1)).await, Reserved::Ok { .. }));
}

async fn a_slot_is_released_only_by_whom_it_belongs_to(table: Table) {
    let user = table.user();
    let Reserved::Ok { until_ms } = table.reserve("a", &user, limits(1, 1)).await else { panic!("there was a slot") };
    let ends = table.now().await + HOUR_MS;
    table.confirm("a", &user, ends).await;
    // The start believes that it failed, and undoes it.
    assert!(!slot_release(&table.redis, "a", &user, Some(until_ms)).await.unwrap());
    assert_eq!(table.reserve("b", &user, limits(2, 1)).await, Reserved::UserFull);
    assert!(slot_release(&table.redis, "a", &user, Some(ends)).await.unwrap());
    assert!(!slot_release(&table.redis, "a", &user, Some(ends)).await.unwrap());
    assert!(matches!(table.reserve("b", &user, limits(1, 1)).await, Reserved::Ok { .. }));
    assert!(slot_release(&table.redis, "b", &user, None).await.unwrap());
    assert!(!slot_release(&table.redis, "never", &user, None).await.unwrap());
    assert!(table.slots().await.is_empty());
}

async fn many_at_once_get_what_there_is(table: Table) {
    let users: Vec<String> = (0..200).map(|_| table.user()).collect();
    let starts = users.iter().enumerate().map(|(n, user)| {
        let table = &table;
        async move { table.reserve(&format!("s{n}"), user, limits(10, 1)).await }
    });
    let answers = join_all(starts).await;
    let ok = answers.iter().filter(|answer| matches!(answer, Reserved::Ok { .. })).count();
    let full = answers.iter().filter(|answer| **answer == Reserved::Full).count();
    assert_eq!((ok, full, table.slots().await.len()), (10, 190, 10));
}

async fn one_user_at_once_gets_one(table: Table) {
    let user = table.user();
    let ids: Vec<String> = (0..100).map(|n| format!("s{}", n % 50)).collect();
    let answers = join_all(ids.iter().map(|id| table.reserve(id, &user, limits(100, 1)))).await;
    let ok = answers.iter().filter(|answer| matches!(answer, Reserved::Ok { .. })).count();
    let refused = answers.iter().filter(|answer| matches!(answer, Reserved::UserFull | Reserved::IdTaken)).count();
    assert_eq!((ok, refused, table.slots().await.len()), (1, 99, 1));
}

async fn starts_go_on_after_a_flush(table: Table) {
    let (early, late, old) = (table.user(), table.user(), table.user());
    table.reserve("early", &early, limits(5, 1)).await;
    table.reserve("late", &late, limits(5, 1)).await;
    let ends = table.now().await + HOUR_MS;
    table.confirm("old", &old, ends).await;
    table.flush().await;
    // One start commits before the rebuild, and is not among the rows that the rebuild has read; one after it.
    let rows = [ActiveBooking { id: "old", user: &old, ends_ms: ends }, ActiveBooking { id: "over", user: &old, ends_ms: 5 }];
    table.confirm("early", &early, ends).await;
    assert_eq!(table.reserve("x", &old, limits(5, 1)).await, Reserved::Cold, "a confirmed slot makes no table");
    assert!(slots_rebuild(&table.redis, &rows).await.unwrap());
    table.confirm("late", &late, ends).await;
    assert_eq!(table.ids().await, ["early", "late", "old"]);
    for user in [&early, &late, &old] {
        assert_eq!(table.reserve("x", user, limits(5, 1)).await, Reserved::UserFull, "{user}");
    }
    // Another node had the same idea.
    assert!(!slots_rebuild(&table.redis, &[ActiveBooking { id: "y", user: &old, ends_ms: ends }]).await.unwrap());
    assert_eq!(table.ids().await, ["early", "late", "old"]);
}

async fn a_start_whose_lease_ran_out_still_gets_its_slot(table: Table) {
    let (slow, other) = (table.user(), table.user());
    table.reserve("slow", &slow, limits(1, 1)).await;
    table.end(&slow, &["slow"]).await;
    assert!(matches!(table.reserve("other", &other, limits(1, 1)).await, Reserved::Ok { .. }));
    // PostgreSQL let the slow one through, so it is there; the other start will be refused by PostgreSQL, not by us.
    let ends = table.now().await + HOUR_MS;
    table.confirm("slow", &slow, ends).await;
    assert_eq!(table.ids().await, ["other", "slow"]);
    assert_eq!(table.reserve("third", &table.user(), limits(2, 1)).await, Reserved::Full);
}

async fn an_old_snapshot_is_repaired(table: Table) {
    // As it was an hour ago: a session that has ended since is there, one that began since is not, and the table is ready.
    let (gone, strange, here) = (table.user(), table.user(), table.user());
    let ends = table.now().await + HOUR_MS;
    table.confirm("gone", &gone, ends).await;
    table.confirm("strange", &strange, ends).await;
    let listed = table.slots().await;
    let remove = [
        Orphan { id: "gone", user: Some(&gone), ends_ms: listed["gone"] },
        // There is no row that could tell whose it is.
        Orphan { id: "strange", user: None, ends_ms: listed["strange"] },
    ];
    let add = [ActiveBooking { id: "here", user: &here, ends_ms: ends + 1 }];
    assert_eq!(slots_repair(&table.redis, &add, &remove).await.unwrap(), 2);
    assert_eq!(table.slots().await, BTreeMap::from([("here".into(), ends + 1)]));
    assert_eq!(table.reserve("x", &here, limits(5, 1)).await, Reserved::UserFull);
    for user in [&gone, &strange] {
        assert!(matches!(table.reserve(user, user, limits(5, 1)).await, Reserved::Ok { .. }), "{user}");
    }
}

async fn two_sweeps_do_what_one_does(table: Table) {
    let users: Vec<String> = (0..40).map(|_| table.user()).collect();
    let ends_ms = table.now().await + HOUR_MS;
    let (orphans, rows) = users.split_at(20);
    for user in orphans {
        table.confirm(user, user, ends_ms).await;
    }
    let remove: Vec<_> = orphans.iter().map(|user| Orphan { id: user, user: Some(user), ends_ms }).collect();
    let add: Vec<_> = rows.iter().map(|user| ActiveBooking { id: user, user, ends_ms }).collect();
    let (one, two) = tokio::join!(slots_repair(&table.redis, &add, &remove), slots_repair(&table.redis, &add, &remove));
    assert_eq!(one.unwrap() + two.unwrap(), 20);
    let mut expected = rows.to_vec();
    expected.sort();
    assert_eq!(table.ids().await, expected);
}

async fn a_sweep_leaves_what_changed_since_it_looked(table: Table) {
    let (user, other) = (table.user(), table.user());
    let Reserved::Ok { until_ms } = table.reserve("a", &user, limits(5, 1)).await else { panic!("there was a slot") };
    // Listed as a reservation, confirmed before the repair.
    let ends = table.now().await + HOUR_MS;
    table.confirm("a", &user, ends).await;
    for known in [Some(&*user), None] {
        let orphan = Orphan { id: "a", user: known, ends_ms: until_ms };
        assert_eq!(slots_repair(&table.redis, &[], &[orphan]).await.unwrap(), 0);
    }
    assert_eq!(table.reserve("b", &user, limits(5, 1)).await, Reserved::UserFull);
    // A row whose end is not the slot's: a reservation that was never confirmed.
    let Reserved::Ok { .. } = table.reserve("c", &other, limits(5, 1)).await else { panic!("there was a slot") };
    slots_repair(&table.redis, &[ActiveBooking { id: "c", user: &other, ends_ms: ends }], &[]).await.unwrap();
    assert_eq!(table.slots().await, BTreeMap::from([("a".into(), ends), ("c".into(), ends)]));
    // A row that ended while the sweep went on.
    slots_repair(&table.redis, &[ActiveBooking { id: "c", user: &other, ends_ms: 1 }], &[]).await.unwrap();
    assert_eq!(table.ids().await, ["a"]);
}

async fn a_users_set_goes_with_its_last_slot(table: Table) {
    let user = table.user();
    let key = keys::slots_of_user(&user);
    let expires = async || match table.command(&key, cmd("PEXPIRETIME").arg(&key)).await {
        Value::Int(at) => at,
        other => panic!("{other:?}"),
    };
    let Reserved::Ok { until_ms } = table.reserve("a", &user, limits(5, 2)).await else { panic!("there was a slot") };
    assert_eq!(expires().await, until_ms as i64);
    let ends = table.now().await + HOUR_MS;
    table.confirm("a", &user, ends).await;
    assert_eq!(expires().await, ends as i64);
    table.reserve("b", &user, limits(5, 2)).await;
    assert_eq!(expires().await, ends as i64, "the later one counts");
}
