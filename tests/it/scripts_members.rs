//! Making, joining, leaving, presence, admission, expiry. Contract § 3 "Rights", "State".

use std::time::Duration;

use convoke::features::sos::keys as sos_keys;
use convoke::features::sos::scripts::Refused;
use convoke::features::sos::scripts::*;
use convoke::redis::{Redis, cmd};
use convoke::rooms::relay::Recipient;

use crate::scripts_world::*;

crate::on_both!(
    who_may_join,
    refusals_are_half_of_the_trail_at_most,
    a_join_announces_once_and_gives_position_and_snapshot,
    a_recovered_socket_is_not_announced,
    a_token_makes_a_member_before_there_is_a_state,
    a_provisional_state_is_completed_by_its_record,
    of_many_who_waited_for_a_state_each_join_is_told_once,
    a_provisional_status_that_a_client_changed_stays,
    a_final_record_ends_a_provisional_sos,
    a_second_init_fills_nulls_only,
    the_state_has_all_fields_of_the_contract,
    who_left_vanishes_and_who_was_lost_is_announced_later,
    who_comes_back_in_time_was_never_away,
    sockets_on_dead_nodes_do_not_count,
    an_admission_gives_rights_and_a_removal_outranks_the_token,
    of_a_hundred_acknowledgements_one_counts,
    who_may_acknowledge,
    unacknowledged_is_told_once_and_only_if_so,
    an_idle_sos_expires_once,
    every_write_repeated_has_one_effect,
);

async fn who_may_join(redis: Redis) {
    let world = World::new(redis.clone()).await;
    let nothing = World::nothing(redis);
    for (actor, may) in [
        (citizen(), true),
        (rescuer(), true),
        (dispatcher(), true),
        (Actor { named: false, ..person("a", "admin") }, true),
        (Actor { named: false, ..citizen() }, false),
        (Actor { named: false, ..rescuer() }, false),
    ] {
        let joined = sos_join(&world.redis, &world.id, plain(), actor, JOINING, 0, true).await.unwrap();
        assert_eq!(matches!(joined, SosJoin::Joined(_)), may, "{actor:?}");
        assert_eq!(matches!(joined, SosJoin::Forbidden), !may, "{actor:?}");
        let missing = sos_join(&nothing.redis, &nothing.id, plain(), actor, JOINING, 0, true).await.unwrap();
        assert_eq!(matches!(missing, SosJoin::Missing), may, "{actor:?}");
    }
    let refusals = world.audit().await.into_iter().filter(|entry| entry.event == "refusal");
    assert_eq!(refusals.map(|entry| entry.note.unwrap()).collect::<Vec<_>>(), ["sos:init forbidden"; 2]);
}

async fn refusals_are_half_of_the_trail_at_most(redis: Redis) {
    let world = World::new(redis).await;
    let key = sos_keys::state(&world.id);
    world.redis.command(cmd("HSET").arg(&key).arg("refusals").arg(9_998).to_owned(), &key).await.unwrap();
    let stranger = Actor { named: false, ..rescuer() };
    for _ in 0..3 {
        sos_join(&world.redis, &world.id, plain(), stranger, JOINING, 0, true).await.unwrap();
        sos_audit(&world.redis, &world.id, stranger, "sos:close", "FORBIDDEN").await.unwrap();
    }
    world.join(citizen()).await;
    assert_eq!(world.audited().await, ["created", "refusal", "refusal", "join"]);
}

async fn a_join_announces_once_and_gives_position_and_snapshot(redis: Redis) {
    let world = World::new(redis).await;
    let joined = world.join(citizen()).await;
    assert!(joined.first && joined.role == "citizen" && joined.written.listeners == 1);
    let log = world.log().await;
    assert_eq!(joined.position.epoch, log.epoch);
    assert!(log.entries.iter().all(|entry| entry.id > joined.position.id), "its own announcement is for it too");
    assert_eq!(world.names().await, ["sos:init", "presence:update"]);
    assert_eq!(
        world.events("sos:init").await[0],
        serde_json::json!({"userId": "cit", "role": "citizen", "sosId": world.id, "action": "user_joined", "timestamp": joined.written.at})
    );
    let again = world.join(citizen()).await;
    assert!(!again.first && again.position.id == log.last);
    assert_eq!(world.names().await.len(), 2);
    world.join(rescuer()).await;
    let presence = world.events("presence:update").await.pop().unwrap();
    let mut users: Vec<_> =
        presence["members"].as_array().unwrap().iter().map(|m| (m["userId"].clone(), m["online"].clone())).collect();
    users.sort_by_key(|user| user.0.to_string());
    assert_eq!(users, [("cit".into(), true.into()), ("res".into(), true.into())]);
    assert_eq!(world.outbox().await, ["sos:init", "presence", "sos:init", "presence"]);
    assert_eq!(world.audited().await, ["created", "join", "join"]);
}

async fn a_recovered_socket_is_not_announced(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    sos_lost(&world.redis, &world.id, plain(), citizen(), CONNECTION, Loss::default(), 0).await.unwrap().unwrap();
    let joining = Joining { connection: Connection { session_epoch: 2, node: "n2.b" }, recovered: true, ..JOINING };
    let SosJoin::Joined(joined) = sos_join(&world.redis, &world.id, plain(), citizen(), joining, 0, true).await.unwrap() else {
        panic!()
    };
    assert!(joined.first);
    assert_eq!(world.names().await, ["sos:init", "presence:update"]);
}

async fn a_token_makes_a_member_before_there_is_a_state(redis: Redis) {
    let world = World::nothing(redis);
    let joining = Joining { from_connect: true, ..JOINING };
    let SosJoin::Joined(joined) = sos_join(&world.redis, &world.id, plain(), citizen(), joining, 0, true).await.unwrap() else {
        panic!()
    };
    assert!(joined.first && joined.snapshot.is_none());
    assert_eq!(world.names().await, ["sos:init", "presence:update"]);
    let made = sos_create(&world.redis, &world.id, plain(), World::record(), None, TIMERS).await.unwrap();
    let snapshot = world.snapshot().await;
    assert!(made.created && snapshot.members.len() == 1 && snapshot.sockets.len() == 1);
    assert_eq!(world.outbox().await, ["sos:init"], "the service hears of it with the state");
    assert_eq!(world.join(citizen()).await.position.epoch, joined.position.epoch);
}

async fn provisional(world: &World, actor: Actor<'_>) -> SosMade {
    sos_provisional(&world.redis, &world.id, plain(), actor, TIMERS).await.unwrap()
}

async fn complete(world: &World, record: Record<'_>) -> SosMade {
    sos_complete(&world.redis, &world.id, plain(), record, TIMERS).await.unwrap()
}

async fn a_provisional_state_is_completed_by_its_record(redis: Redis) {
    let world = World::nothing(redis);
    let made = provisional(&world, rescuer()).await;
    let snapshot = world.snapshot().await;
    assert!(made.created && snapshot.provisional && snapshot.citizen_id.is_none());
    assert_eq!(world.state().await["provisional"], true);
    world.join(citizen()).await;
    assert_eq!(world.snapshot().await.citizen_id.as_deref(), Some("cit"), "the first citizen whose token names it");
    assert!(!provisional(&world, person("other", "citizen")).await.created);
    assert_eq!(world.snapshot().await.citizen_id.as_deref(), Some("cit"));

    let record = Record {
        citizen: Some("real"),
        status: Some("assigned"),
        kind: Some("\"FIRE\""),
        so_no: Some("17"),
        address: Some(r#"{"city":"B"}"#),
        created_at: Some(1234),
    };
    let done = complete(&world, record).await;
    assert!(!done.created && done.completed && !world.snapshot().await.provisional);
    let state = world.state().await;
    assert!(state.get("provisional").is_none());
    assert_eq!((&state["citizenId"], &state["status"], &state["type"]), (&"real".into(), &"assigned".into(), &"FIRE".into()));
    assert_eq!((&state["soNo"], &state["address"]["city"], &state["createdAt"]), (&17.into(), &"B".into(), &1234.into()));
    assert_eq!(world.events("sos:status:broadcast").await.len(), 1);
    complete(&world, Record { citizen: Some("x"), ..record }).await;
    assert_eq!(world.state().await["citizenId"], "real", "a state that is whole is left alone");
}

async fn a_provisional_status_that_a_client_changed_stays(redis: Redis) {
    let world = World::nothing(redis);
    provisional(&world, citizen()).await;
    world.status(rescuer(), "assigned").await.unwrap();
    complete(&world, Record { status: Some("active"), ..World::record() }).await;
    assert_eq!(world.state().await["status"], "assigned");
}

async fn a_final_record_ends_a_provisional_sos(redis: Redis) {
    let world = World::nothing(redis.clone());
    provisional(&world, citizen()).await;
    world.join(citizen()).await;
    complete(&world, Record { status: Some("resolved"), ..World::record() }).await;
    assert!(!world.snapshot().await.ended);
    let world = World::nothing(redis.clone());
    provisional(&world, citizen()).await;
    world.join(citizen()).await;
    complete(&world, Record { status: Some("cancelled"), ..World::record() }).await;
    let snapshot = world.snapshot().await;
    assert!(snapshot.ended && snapshot.status == "cancelled" && snapshot.sockets.is_empty());
    assert_eq!(world.names().await.pop().unwrap(), "ended");
    let world = World::nothing(redis);
    let over = complete(&world, Record { status: Some("closed"), ..World::record() }).await;
    assert!(over.created && world.snapshot().await.ended && !over.written.copies_pending);
    assert!(matches!(sos_join(&world.redis, &world.id, plain(), citizen(), JOINING, 0, true).await.unwrap(), SosJoin::Ended));
}

async fn a_second_init_fills_nulls_only(redis: Redis) {
    let world = World::new(redis).await;
    let record = Record { citizen: Some("thief"), kind: Some("\"FLOOD\""), ..Record::default() };
    let again = sos_create(&world.redis, &world.id, plain(), record, Some(&fix(4.0, None)), TIMERS).await.unwrap();
    assert!(!again.created && !again.written.copies_pending);
    let state = world.state().await;
    assert_eq!((&state["citizenId"], &state["type"]), (&"cit".into(), &"FLOOD".into()));
    sos_create(&world.redis, &world.id, plain(), Record { kind: Some("\"X\""), ..record }, None, TIMERS).await.unwrap();
    assert_eq!(world.state().await["type"], "FLOOD");
}

async fn the_state_has_all_fields_of_the_contract(redis: Redis) {
    let world = World::nothing(redis);
    sos_create(&world.redis, &world.id, plain(), World::record(), Some(&fix(14.5, None)), TIMERS).await.unwrap();
    let owed = watch_pending(&world.redis, &world.id).await.unwrap();
    assert_eq!(owed.len(), 1);
    world.join(citizen()).await;
    let mut state = world.state().await;
    let at = state["createdAt"].as_u64().unwrap();
    let location = &mut state["locations"][0];
    assert!(location["ageMs"].as_u64().unwrap() < 10_000 && location["fixTime"] == at);
    location["ageMs"] = 0.into();
    state["members"][0]["lastSeen"] = 0.into();
    assert_eq!(
        state,
        serde_json::json!({
            "sosId": world.id, "citizenId": "cit", "status": "active", "type": null, "soNo": null, "address": null,
            "createdAt": at, "updatedAt": at, "lastLocationUpdate": at, "acknowledgedBy": null, "acknowledgedAt": null,
            "closedAt": null, "closedBy": null, "reason": null, "responders": [],
            "locations": [{"sosId": world.id, "userId": "cit", "role": "citizen", "latitude": 14.5, "longitude": 2,
                "accuracy": null, "heading": null, "speed": null, "altitude": null, "deviceId": "d",
                "fixTime": at, "timestamp": at, "ageMs": 0}],
            "members": [{"userId": "cit", "role": "citizen", "online": true, "lastSeen": 0, "sockets": 1}],
        })
    );
}

async fn who_left_vanishes_and_who_was_lost_is_announced_later(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    world.join(rescuer()).await;
    assert!(
        sos_leave(&world.redis, &world.id, plain(), rescuer(), Connection { session_epoch: 9, ..CONNECTION }, 0)
            .await
            .unwrap()
            .is_none()
    );
    sos_leave(&world.redis, &world.id, plain(), rescuer(), CONNECTION, 0).await.unwrap().unwrap();
    let presence = world.events("presence:update").await.pop().unwrap();
    assert_eq!(presence["members"].as_array().unwrap().len(), 1);

    let before = world.names().await.len();
    sos_lost(&world.redis, &world.id, plain(), citizen(), CONNECTION, Loss::default(), 0).await.unwrap().unwrap();
    assert_eq!(world.state().await["members"][0]["online"], true, "within the grace");
    let early = sos_presence(&world.redis, &world.id, plain(), 60_000, 0).await.unwrap();
    assert!(early.written.is_none() && early.next.is_some_and(|next| next > Duration::from_secs(50)));
    assert_eq!(world.names().await.len(), before);
    let due = futures_util::future::join_all((0..10).map(|_| sos_presence(&world.redis, &world.id, plain(), 0, 0))).await;
    assert_eq!(due.into_iter().filter(|announced| announced.as_ref().unwrap().written.is_some()).count(), 1);
    let presence = world.events("presence:update").await.pop().unwrap();
    assert_eq!((&presence["members"][0]["online"], &presence["members"][0]["sockets"]), (&false.into(), &0.into()));
    assert_eq!(world.audited().await, ["created", "join", "join", "leave", "leave"]);
}

async fn who_comes_back_in_time_was_never_away(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    sos_lost(&world.redis, &world.id, plain(), citizen(), CONNECTION, Loss::default(), 0).await.unwrap().unwrap();
    world.join(Actor { sid: "another", ..citizen() }).await;
    assert!(sos_presence(&world.redis, &world.id, plain(), 0, 0).await.unwrap().written.is_none());
    assert_eq!(world.state().await["members"][0]["sockets"], 1);
}

async fn sockets_on_dead_nodes_do_not_count(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    let json: serde_json::Value = serde_json::from_str(&world.snapshot().await.to_json(|node| node != "n1.a")).unwrap();
    assert_eq!((&json["members"][0]["online"], &json["members"][0]["sockets"]), (&false.into(), &0.into()));
}

async fn an_admission_gives_rights_and_a_removal_outranks_the_token(redis: Redis) {
    let world = World::new(redis).await;
    let guest = Actor { named: false, ..person("gäst", "citizen") };
    let admit = async |role| sos_admit(&world.redis, &world.id, plain(), "gäst", role, 0).await.unwrap().unwrap();
    let joins = async |actor| sos_join(&world.redis, &world.id, plain(), actor, JOINING, 0, true).await.unwrap();
    assert!(matches!(joins(guest).await, SosJoin::Forbidden));
    admit("rescuer").await;
    assert_eq!(world.join(guest).await.role, "rescuer", "with that role there");
    assert_eq!(world.status(guest, "assigned").await.unwrap().status, "assigned");
    assert_eq!(world.events("admitted").await[0], serde_json::json!({"userId": "gäst", "role": "rescuer"}));

    sos_remove(&world.redis, &world.id, plain(), "gäst", 0).await.unwrap().unwrap();
    assert_eq!(world.events("removed").await[0], serde_json::json!({"userId": "gäst"}));
    assert!(world.snapshot().await.sockets.is_empty() && world.snapshot().await.members.is_empty());
    let named = Actor { named: true, ..guest };
    for actor in [guest, named] {
        assert!(matches!(joins(actor).await, SosJoin::Forbidden), "a removal outranks the token");
        assert_eq!(world.status(actor, "cancelled").await, Err(Refused::Forbidden));
        assert_eq!(world.say(actor, "x").await, Err(Refused::Forbidden));
        assert_eq!(world.locate(actor, &fix(1.0, None)).await, Err(Refused::Forbidden));
        assert!(sos_standing(&world.redis, &world.id, actor).await.unwrap().unwrap().role.is_none());
    }
    sos_remove(&world.redis, &world.id, plain(), "dis", 0).await.unwrap().unwrap();
    assert!(matches!(joins(dispatcher()).await, SosJoin::Joined(_)), "dispatchers have rights on all");
    admit("citizen").await;
    assert_eq!(world.join(guest).await.role, "citizen");
    let standing = sos_standing(&world.redis, &world.id, guest).await.unwrap().unwrap();
    assert!(standing.member && !standing.ended && standing.role.as_deref() == Some("citizen"));
    let nothing = World::nothing(world.redis.clone());
    assert_eq!(sos_admit(&nothing.redis, &nothing.id, plain(), "x", "rescuer", 0).await.unwrap(), Err(Refused::Missing));
}

async fn of_a_hundred_acknowledgements_one_counts(redis: Redis) {
    let world = World::new(redis).await;
    let people: Vec<Actor> = (0..100).map(|i| person(Box::leak(format!("r{i}").into_boxed_str()), "rescuer")).collect();
    let calls = people.iter().map(|actor| sos_acknowledge(&world.redis, &world.id, plain(), *actor));
    let answers = futures_util::future::join_all(calls).await;
    let answers: Vec<Acknowledged> = answers.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    let first: Vec<_> = answers.iter().filter(|answer| !answer.unchanged).collect();
    assert_eq!(first.len(), 1);
    assert!(answers.iter().all(|answer| answer.by == first[0].by && answer.at == first[0].at));
    assert_eq!(world.events("sos:acknowledged").await.len(), 1);
    assert_eq!(world.outbox().await, ["sos:acknowledged"]);
    let state = world.state().await;
    assert_eq!((&state["acknowledgedBy"], &state["acknowledgedAt"]), (&first[0].by.as_str().into(), &first[0].at.into()));
    // Each rescuer's own entry keeps when it did.
    world.status(people[7], "assigned").await.unwrap();
    assert!(world.state().await["responders"][0]["acknowledgedAt"].is_u64());
}

async fn who_may_acknowledge(redis: Redis) {
    for (actor, may) in [
        (dispatcher(), true),
        (rescuer(), true),
        (citizen(), false),
        (person("a", "admin"), false),
        (Actor { named: false, ..rescuer() }, false),
    ] {
        let world = World::new(redis.clone()).await;
        assert_eq!(sos_acknowledge(&world.redis, &world.id, plain(), actor).await.unwrap().is_ok(), may, "{actor:?}");
    }
}

async fn unacknowledged_is_told_once_and_only_if_so(redis: Redis) {
    let world = World::new(redis).await;
    let ask = async |deadline| sos_unacknowledged(&world.redis, &world.id, plain(), deadline).await.unwrap();
    let Unacknowledged::NotYet(wait) = ask(60_000).await else { panic!("not yet") };
    assert!((50..=60).contains(&wait.as_secs()), "{wait:?}");
    let Unacknowledged::Announced(written) = ask(0).await else { panic!() };
    assert!(written.copies_pending && written.outbox == 1);
    assert_eq!(ask(0).await, Unacknowledged::Done);
    let owed = watch_pending(&world.redis, &world.id).await.unwrap();
    let WatchEvent::Encoded(body) = &owed[1].copy else { panic!() };
    assert_eq!(Heard::parse(body).name, "sos:unacknowledged");
    assert_eq!(world.outbox().await, ["sos:unacknowledged"]);
    let world = World::new(world.redis).await;
    sos_acknowledge(&world.redis, &world.id, plain(), rescuer()).await.unwrap().unwrap();
    assert_eq!(sos_unacknowledged(&world.redis, &world.id, plain(), 0).await.unwrap(), Unacknowledged::Done);
}

async fn an_idle_sos_expires_once(redis: Redis) {
    let world = World::new(redis.clone()).await;
    let sweep = async |idle| sos_expire(&world.redis, &world.id, plain(), idle).await.unwrap();
    assert!(matches!(sweep(86_400_000).await, Swept::Alive { expires_in_ms: 86_000_000.., provisional: false, joins: false }));
    let sweeps = futures_util::future::join_all((0..10).map(|_| sweep(0))).await;
    assert_eq!(sweeps.iter().filter(|swept| matches!(swept, Swept::Expired(_))).count(), 1);
    assert_eq!(sweep(0).await, Swept::Ended);
    let state = world.state().await;
    assert_eq!((&state["status"], &state["closedBy"], &state["reason"]), (&"closed".into(), &"system".into(), &"expired".into()));
    assert_eq!(world.names().await, ["sos:status:broadcast", "sos:close", "sos:expired", "ended"]);
    assert_eq!(world.outbox().await, ["sos:status", "sos:close", "sos:expired"]);
    let nothing = World::nothing(redis);
    assert_eq!(sos_expire(&nothing.redis, &nothing.id, plain(), 0).await.unwrap(), Swept::Missing);
}

async fn every_write_repeated_has_one_effect(redis: Redis) {
    let world = World::nothing(redis);
    let (redis, id) = (&world.redis, world.id.as_str());
    let count = async || (world.names().await.len(), world.outbox().await.len(), world.audited().await.len());
    let mut counts = Vec::new();
    for _ in 0..2 {
        let made = sos_create(redis, id, op("1"), World::record(), Some(&fix(1.0, None)), TIMERS).await.unwrap();
        assert!(made.created);
    }
    counts.push(count().await);
    macro_rules! twice {
        ($call:expr) => {
            let first = $call.await.unwrap();
            counts.push(count().await);
            let second = $call.await.unwrap();
            assert_eq!(format!("{first:?}"), format!("{second:?}"));
            assert_eq!(counts.last().unwrap(), &count().await, "{}", stringify!($call));
        };
    }
    world.join(citizen()).await;
    world.join(rescuer()).await;
    twice!(sos_status(redis, id, op("2"), rescuer(), Judged::Client, "assigned", None));
    twice!(sos_status(redis, id, op("3"), rescuer(), Judged::Client, "completed", None));
    twice!(sos_acknowledge(redis, id, op("4"), rescuer()));
    twice!(sos_message(redis, id, op("5"), citizen(), "hello"));
    twice!(sos_message(redis, id, op("6"), person("nobody", "citizen"), "hello"));
    twice!(sos_relay(redis, id, op("7"), citizen(), Recipient::Others, &signal(r#"["offer",{}]"#)));
    twice!(sos_admit(redis, id, op("8"), "x", "rescuer", 0));
    twice!(sos_remove(redis, id, op("9"), "x", 0));
    twice!(sos_location(redis, id, op("10"), citizen(), intake("c"), &fix(1.0, None)));
    twice!(sos_batch(redis, id, op("11"), citizen(), intake("c"), &[fix(1.0, Some(5))]));
    twice!(sos_unacknowledged(redis, id, op("12"), 0));
    twice!(sos_leave(redis, id, op("13"), citizen(), CONNECTION, 0));
    twice!(sos_lost(redis, id, op("14"), rescuer(), CONNECTION, Loss::default(), 0));
    twice!(sos_presence(redis, id, op("15"), 0, 0));
    twice!(sos_close(redis, id, op("16"), dispatcher(), Some("x")));
    assert!(counts.windows(2).all(|pair| pair[0].0 <= pair[1].0));
}

async fn of_many_who_waited_for_a_state_each_join_is_told_once(redis: Redis) {
    let world = World::nothing(redis);
    let joining = Joining { from_connect: true, ..JOINING };
    for n in 0..250 {
        let user: &'static str = Box::leak(format!("u{n:03}").into_boxed_str());
        sos_join(&world.redis, &world.id, plain(), person(user, "citizen"), joining, 60_000, false).await.unwrap();
    }
    // Redis goes away in between: the sweep tells of the rest.
    let failing = Failing::after(&world.redis, 2);
    let made = sos_create(&failing, &world.id, plain(), Record::default(), None, TIMERS).await.unwrap();
    assert!(made.created && world.snapshot().await.members.len() == 250);
    let swept = sos_expire(&world.redis, &world.id, plain(), 86_400_000).await.unwrap();
    assert!(matches!(swept, Swept::Alive { joins: true, .. }), "{swept:?}");
    while sos_joins(&world.redis, &world.id, plain()).await.unwrap() {}
    assert!(!sos_joins(&world.redis, &world.id, plain()).await.unwrap());
    let joins: Vec<_> = world.audit().await.into_iter().filter(|entry| entry.event == "join").collect();
    let users: std::collections::BTreeSet<_> = joins.iter().filter_map(|entry| entry.user_id.clone()).collect();
    assert_eq!((joins.len(), users.len()), (250, 250));
    assert_eq!(world.outbox().await.iter().filter(|event| *event == "sos:init").count(), 250);
    let swept = sos_expire(&world.redis, &world.id, plain(), 86_400_000).await.unwrap();
    assert!(matches!(swept, Swept::Alive { joins: false, .. }));
}
