//! What is announced of presence, when, and to whom it is owed. Contract § 3 "Presence".

use convoke::cluster::scripts::scope::{Member, scope_attach, scope_reap};
use convoke::core::Position;
use convoke::features::sos::scripts::outbox::OutboxEntry;
use convoke::features::sos::scripts::*;
use convoke::redis::keys::user_tag;
use convoke::redis::{Redis, cmd, keys};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::scripts_world::*;
use crate::support::roster::Roster;

crate::on_both!(
    after_a_quiet_window_a_change_is_told_at_once_and_the_next_ones_together,
    of_many_who_announce_a_window_one_does,
    the_next_change_announces_what_a_dead_node_has_left_open,
    up_to_fifty_users_get_the_list_and_more_get_the_changes,
    what_is_as_it_was_is_not_told_unless_a_snapshot_was_taken_meanwhile,
    a_change_tells_every_number_of_sockets_right,
    a_role_that_changes_is_told_in_a_large_room_too,
    restored_members_are_announced_once,
    the_members_of_a_dead_node_go_in_parts,
    a_large_change_goes_in_bounded_parts,
    members_that_a_node_of_the_release_before_has_written_count,
    the_service_hears_of_changes_but_for_its_own,
    an_end_owes_no_announcement,
);

/// Longer than any test: it ends when a test says so.
const WINDOW: u64 = 60_000;

impl World {
    async fn enters(&self, user: &str) -> Option<u64> {
        self.seated(user, user, JOINING).await
    }

    /// With a socket of its own, and a snapshot.
    async fn seated(&self, user: &str, sid: &str, joining: Joining<'_>) -> Option<u64> {
        let actor = Actor { user, role: "rescuer", named: true, sid, source: Source::Socket };
        match sos_join(&self.redis, &self.id, plain(), actor, joining, WINDOW, true).await.unwrap() {
            SosJoin::Joined(joined) => joined.announce_ms,
            other => panic!("{other:?}"),
        }
    }

    /// It gets no snapshot.
    async fn returns(&self, user: &str, sid: &str) -> Option<u64> {
        let actor = Actor { user, role: "rescuer", named: true, sid, source: Source::Socket };
        let joining = Joining { recovered: true, ..JOINING };
        match sos_join(&self.redis, &self.id, plain(), actor, joining, WINDOW, false).await.unwrap() {
            SosJoin::Joined(joined) => joined.announce_ms,
            other => panic!("{other:?}"),
        }
    }

    async fn leaves(&self, user: &str) -> Option<u64> {
        let actor = Actor { user, role: "rescuer", named: true, sid: user, source: Source::Socket };
        sos_leave(&self.redis, &self.id, plain(), actor, CONNECTION, WINDOW).await.unwrap().unwrap().announce_ms
    }

    async fn loses(&self, user: &str, sid: &str) -> Option<u64> {
        let actor = Actor { user, role: "rescuer", named: true, sid, source: Source::Socket };
        sos_lost(&self.redis, &self.id, plain(), actor, CONNECTION, Loss::default(), WINDOW).await.unwrap().unwrap().announce_ms
    }

    /// The window ends now.
    async fn window_ends(&self) {
        self.set(&keys::scope_meta(&self.scope()), "pe", "0").await;
    }

    async fn set(&self, key: &str, field: &str, value: &str) {
        self.redis.command(cmd("HSET").arg(key).arg(field).arg(value).to_owned(), key).await.unwrap();
    }

    /// What is announced when it ends.
    async fn announced(&self) -> Vec<Value> {
        let before = self.events("presence:update").await.len();
        self.window_ends().await;
        sos_announce(&self.redis, &self.id, plain(), WINDOW).await.unwrap();
        self.events("presence:update").await.split_off(before)
    }

    /// So many users, one after the other, all announced.
    async fn crowd(&self, count: usize) {
        for number in 0..count {
            self.enters(&user(number)).await;
        }
        self.announced().await;
    }

    /// The list of somebody who has heard everything.
    async fn heard_list(&self) -> Roster {
        let mut roster = Roster::default();
        for heard in self.heard().await {
            roster.apply(&heard.name, &heard.data);
        }
        roster
    }

    /// Fields of scope:meta that note a change.
    async fn notes(&self) -> usize {
        let key = keys::scope_meta(&self.scope());
        let fields = self.redis.command(cmd("HKEYS").arg(&key).to_owned(), &key).await.unwrap();
        let fields: Vec<String> = redis::from_redis_value(fields).unwrap();
        fields.iter().filter(|field| field.starts_with("p:") || field.starts_with("pq:")).count()
    }
}

fn user(number: usize) -> String {
    format!("u{number:04}")
}

fn users(list: &Value) -> Vec<&str> {
    let mut users: Vec<_> = list.as_array().unwrap().iter().map(|one| one.as_str().or(one["userId"].as_str()).unwrap()).collect();
    users.sort_unstable();
    users
}

async fn after_a_quiet_window_a_change_is_told_at_once_and_the_next_ones_together(redis: Redis) {
    let world = World::new(redis).await;
    assert_eq!(world.enters("a").await, None, "at once");
    let told = world.events("presence:update").await;
    assert_eq!((users(&told[0]["members"]), &told[0]["count"]), (vec!["a"], &json!(1)));
    for user in ["b", "c", "d"] {
        assert!(world.enters(user).await.is_some_and(|ms| ms > WINDOW / 2 && ms <= WINDOW));
    }
    assert!(world.leaves("c").await.is_some());
    let early = sos_announce(&world.redis, &world.id, plain(), WINDOW).await.unwrap();
    assert!(early.written.is_none() && early.announce_ms.is_some());
    assert_eq!(world.events("presence:update").await.len(), 1);
    assert_eq!(world.events("sos:init").await.len(), 4, "a small room hears of each");
    let told = world.announced().await;
    assert_eq!((told.len(), users(&told[0]["members"]), &told[0]["count"]), (1, vec!["a", "b", "d"], &json!(3)));
    assert!(world.announced().await.is_empty());
    assert_eq!(world.notes().await, 0);
}

async fn of_many_who_announce_a_window_one_does(redis: Redis) {
    let world = World::new(redis).await;
    world.enters("a").await;
    world.enters("b").await;
    world.window_ends().await;
    let all = join_all((0..10).map(|_| sos_announce(&world.redis, &world.id, plain(), WINDOW))).await;
    assert_eq!(all.into_iter().filter(|announced| announced.as_ref().unwrap().written.is_some()).count(), 1);
    assert_eq!(world.events("presence:update").await.len(), 2);
}

async fn the_next_change_announces_what_a_dead_node_has_left_open(redis: Redis) {
    let world = World::new(redis).await;
    world.enters("a").await;
    world.enters("b").await;
    world.window_ends().await;
    assert_eq!(world.enters("c").await, None);
    assert_eq!(users(&world.events("presence:update").await[1]["members"]), ["a", "b", "c"]);
    // Whatever asks: also one that changes nothing itself.
    world.enters("d").await;
    world.window_ends().await;
    assert_eq!(world.returns("a", "a").await, None);
    assert_eq!(world.heard_list().await, Roster::of(&world.state().await).counted(4));
}

async fn up_to_fifty_users_get_the_list_and_more_get_the_changes(redis: Redis) {
    let world = World::new(redis).await;
    world.crowd(50).await;
    let last = world.events("presence:update").await.pop().unwrap();
    assert_eq!((users(&last["members"]).len(), &last["count"]), (50, &json!(50)));
    assert_eq!(world.events("sos:init").await.len(), 50);

    for number in 50..60 {
        world.enters(&user(number)).await;
    }
    world.leaves(&user(3)).await;
    let told = world.announced().await;
    assert_eq!(told.len(), 1);
    assert!(told[0].get("members").is_none());
    assert_eq!(users(&told[0]["joined"]), (50..60).map(user).collect::<Vec<_>>());
    assert_eq!((users(&told[0]["left"]), &told[0]["count"]), (vec!["u0003"], &json!(59)));
    let upsert = &told[0]["joined"][0];
    assert_eq!((&upsert["role"], &upsert["online"], &upsert["sockets"]), (&json!("rescuer"), &json!(true), &json!(1)));
    assert!(upsert["lastSeen"].as_u64().is_some());
    assert_eq!(world.events("sos:init").await.len(), 50, "a large room does not hear of each");
    assert_eq!(world.outbox().await.iter().filter(|event| *event == "sos:init").count(), 60, "the service does");

    for number in 50..59 {
        world.leaves(&user(number)).await;
    }
    let told = world.announced().await;
    assert_eq!((users(&told[0]["members"]).len(), &told[0]["count"]), (50, &json!(50)));
    assert_eq!(world.heard_list().await, Roster::of(&world.state().await).counted(50));
}

async fn what_is_as_it_was_is_not_told_unless_a_snapshot_was_taken_meanwhile(redis: Redis) {
    for size in [3, 55] {
        let world = World::new(redis.clone()).await;
        world.crowd(size).await;
        world.enters("guest").await;
        world.leaves("guest").await;
        world.leaves("u0001").await;
        world.returns("u0001", "u0001").await;
        assert!(world.announced().await.is_empty());
        assert_eq!(world.notes().await, 0);

        // The newcomer's snapshot has the guest, and lacks the other.
        world.enters("guest").await;
        world.leaves("u0001").await;
        world.enters("newcomer").await;
        sos_share(&world.redis, &world.id).await.unwrap().unwrap();
        let mut list = Roster::of(&world.state().await);
        world.leaves("guest").await;
        world.returns("u0001", "u0001").await;
        for told in world.announced().await {
            list.apply("presence:update", &told);
        }
        assert_eq!(list.members(), Roster::of(&world.state().await).members(), "{size}");
        assert_eq!(world.heard_list().await.members(), list.members(), "{size}");
    }
}

async fn a_change_tells_every_number_of_sockets_right(redis: Redis) {
    for size in [3, 55] {
        let world = World::new(redis.clone()).await;
        world.crowd(size).await;
        world.seated("u0001", "second", JOINING).await;
        world.announced().await;
        // One of two is lost: nobody is gone, but it is one fewer once nobody may come back in time.
        assert_eq!(world.loses("u0001", "second").await, None);
        assert_eq!(world.loses("u0002", "u0002").await, None);
        let early = sos_presence(&world.redis, &world.id, plain(), 60_000, WINDOW).await.unwrap();
        assert!(early.written.is_none() && early.next.is_some());
        assert_eq!(world.returns("u0002", "u0002").await, None, "as it was: nobody is told");
        world.window_ends().await;
        let due = sos_presence(&world.redis, &world.id, plain(), 60_000, WINDOW).await.unwrap();
        assert!(due.written.is_some() && due.next.is_none());
        assert_eq!(world.heard_list().await.members(), Roster::of(&world.state().await).members(), "{size}");
        assert_eq!(world.heard_list().await.members()["u0001"].2, 1);
    }
}

async fn a_role_that_changes_is_told_in_a_large_room_too(redis: Redis) {
    let world = World::new(redis).await;
    world.crowd(55).await;
    let admit = async |role: &str| {
        let before = world.events("presence:update").await.len();
        world.window_ends().await;
        sos_admit(&world.redis, &world.id, plain(), "u0007", role, WINDOW).await.unwrap().unwrap();
        world.events("presence:update").await.split_off(before)
    };
    let told = admit("citizen").await;
    assert_eq!((users(&told[0]["joined"]), &told[0]["joined"][0]["role"]), (vec!["u0007"], &json!("citizen")));
    assert!(admit("citizen").await.is_empty());
    let told = admit("").await;
    assert_eq!((users(&told[0]["left"]), &told[0]["count"]), (vec!["u0007"], &json!(54)));
}

async fn restored_members_are_announced_once(redis: Redis) {
    let world = World::new(redis).await;
    world.crowd(3).await;
    let scope = world.scope();
    for key in [keys::scope_meta(&scope), keys::scope_log(&scope), keys::scope_members(&scope)] {
        world.redis.command(cmd("DEL").arg(&key).to_owned(), &key).await.unwrap();
    }
    let old = Position::new("old", Default::default());
    let names: Vec<String> = (0..3).map(user).collect();
    let members: Vec<_> =
        names.iter().map(|user| Member { sid: user, user, role: "rescuer", node: CONNECTION.node, session_epoch: 1 }).collect();
    scope_attach(&world.redis, &scope, CONNECTION.node, Some(&old), 10, &members, true).await.unwrap();
    assert!(world.events("presence:update").await.is_empty());
    for name in &names {
        world.returns(name, name).await;
    }
    let told = world.announced().await;
    let all = world.events("presence:update").await;
    assert!(told.len() <= 1 && all.len() <= 2, "{all:?}");
    assert_eq!(world.heard_list().await.members(), Roster::of(&world.state().await).members());
    assert!(world.heard_list().await.members().values().all(|member| member.1));
}

async fn the_members_of_a_dead_node_go_in_parts(redis: Redis) {
    let world = World::new(redis).await;
    world.crowd(4).await;
    join_all(
        (100..750).map(|number| {
            let (world, user) = (&world, user(number));
            async move {
                world.seated(&user, &user, Joining { connection: Connection { node: "n2.b", ..CONNECTION }, ..JOINING }).await
            }
        }),
    )
    .await;
    while !world.announced().await.is_empty() {}
    assert_eq!(scope_reap(&world.redis, &world.scope(), "n2.b", 1_600_000_000_000, None).await.unwrap().lost, 650);
    let mut gone = 0;
    loop {
        world.window_ends().await;
        let before = world.audited().await.iter().filter(|event| *event == "leave").count();
        let announced = sos_presence(&world.redis, &world.id, plain(), 5_000, WINDOW).await.unwrap();
        gone += 1;
        let after = world.audited().await.iter().filter(|event| *event == "leave").count();
        assert!(after - before <= 64, "{}", after - before);
        if announced.next.is_none() {
            break;
        }
    }
    assert_eq!(gone, 11);
    while !world.announced().await.is_empty() {}
    let list = world.heard_list().await;
    assert_eq!(list.members().values().filter(|member| !member.1).count(), 650);
    assert_eq!(list.members(), Roster::of(&world.state().await).members());
    assert_eq!(world.notes().await, 0);
}

async fn a_large_change_goes_in_bounded_parts(redis: Redis) {
    let world = World::new(redis).await;
    join_all((0..1_300).map(|number| {
        let (world, user) = (&world, user(number));
        async move { world.enters(&user).await }
    }))
    .await;
    let mut parts = Vec::new();
    loop {
        let told = world.announced().await;
        if told.is_empty() {
            break;
        }
        assert!(told.len() <= 1, "{}", told.len());
        parts.extend(told.iter().map(|one| one["joined"].as_array().unwrap().len()));
    }
    assert!(parts.iter().all(|part| *part <= 128) && parts.iter().sum::<usize>() >= 1_299, "{parts:?}");
    assert_eq!(world.heard_list().await, Roster::of(&world.state().await).counted(1_300));
    assert_eq!(world.notes().await, 0);
}

async fn members_that_a_node_of_the_release_before_has_written_count(redis: Redis) {
    let world = World::new(redis).await;
    let members = keys::scope_members(&world.scope());
    for number in 0..55 {
        let (user, now) = (user(number), 1_700_000_000_000_u64);
        world.set(&members, &user, &format!("{} rescuer n0.z 1 {now} {now}", user_tag(&user))).await;
        world.set(&members, &format!("@{}", user_tag(&user)), &format!("rescuer {now} 1 1 {user}")).await;
    }
    world.enters("a").await;
    let told = world.events("presence:update").await.pop().unwrap();
    assert_eq!((users(&told["joined"]), &told["count"]), (vec!["a"], &json!(56)));
    assert_eq!(scope_reap(&world.redis, &world.scope(), "n0.z", 1, None).await.unwrap().lost, 55);
    sos_presence(&world.redis, &world.id, plain(), 5_000, WINDOW).await.unwrap();
    let told = world.announced().await;
    assert_eq!((told[0]["joined"].as_array().unwrap().len(), &told[0]["joined"][0]["online"]), (55, &json!(false)));
}

async fn the_service_hears_of_changes_but_for_its_own(redis: Redis) {
    let world = World::new(redis).await;
    let presence = async || -> Vec<OutboxEntry> {
        world.outbox_entries().await.into_iter().filter(|entry| entry.event == "presence").collect()
    };
    world.enters("a").await;
    assert_eq!(presence().await.len(), 1);
    sos_remove(&world.redis, &world.id, plain(), "a", WINDOW).await.unwrap().unwrap();
    assert_eq!(world.announced().await.len(), 1);
    assert_eq!(presence().await.len(), 1, "its own change");
    world.enters("b").await;
    sos_remove(&world.redis, &world.id, plain(), "b", WINDOW).await.unwrap().unwrap();
    world.enters("c").await;
    let told = world.announced().await;
    let owed = presence().await;
    assert_eq!((owed.len(), &serde_json::from_slice::<Value>(&owed[1].data).unwrap()), (2, &told[0]));
}

async fn an_end_owes_no_announcement(redis: Redis) {
    let world = World::new(redis).await;
    world.enters("a").await;
    world.enters("b").await;
    world.close(dispatcher()).await.unwrap();
    let names = world.names().await;
    assert!(world.announced().await.is_empty());
    assert_eq!(world.names().await, names);
}
