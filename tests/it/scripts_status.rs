//! Who may set which status, and what an end means. Contract § 3 "Status".

use convoke::features::sos::scripts::Refused;
use convoke::features::sos::scripts::*;
use convoke::redis::Redis;

use crate::scripts_world::*;

const ALL: [&str; 11] = [
    "active",
    "assigned",
    "en_route",
    "arrived",
    "responding",
    "resolved",
    "completed",
    "cancelled",
    "rejected",
    "fake",
    "closed",
];
const OPEN: [&str; 7] = ["active", "assigned", "en_route", "arrived", "responding", "resolved", "completed"];

/// The table as the contract writes it.
fn follows(from: &str) -> &'static [&'static str] {
    match from {
        "active" => &["assigned", "cancelled", "closed"],
        "assigned" => &["en_route", "responding", "active", "cancelled", "closed"],
        "en_route" => &["arrived", "responding", "assigned", "cancelled", "closed"],
        "arrived" => &["responding", "resolved", "closed"],
        "responding" => &["resolved", "closed"],
        "resolved" => &["completed", "closed"],
        "completed" => &["closed"],
        _ => &[],
    }
}

fn is_final(status: &str) -> bool {
    !OPEN.contains(&status)
}

/// The shortest way of a rescuer's own entry to a status.
fn way_to(status: &str) -> &'static [&'static str] {
    match status {
        "active" => &["assigned", "active"],
        "assigned" => &["assigned"],
        "en_route" => &["assigned", "en_route"],
        "arrived" => &["assigned", "en_route", "arrived"],
        "responding" => &["assigned", "responding"],
        "resolved" => &["assigned", "responding", "resolved"],
        _ => &["assigned", "responding", "resolved", "completed"],
    }
}

crate::on_both!(
    every_pair_by_a_dispatcher,
    every_pair_by_a_rescuer_on_its_own_entry,
    every_pair_by_the_citizen,
    every_pair_by_the_service_with_force_and_by_the_table,
    the_incident_takes_the_furthest_entry,
    an_old_status_that_does_not_stand_is_a_conflict,
    a_status_reaches_room_watchers_outbox_and_trail,
    an_end_empties_the_room_and_is_final,
    what_came_by_the_internal_api_is_not_sent_back,
    only_its_citizen_a_dispatcher_or_an_admin_closes,
    a_second_close_is_unchanged_and_cancelled_stays,
    of_a_hundred_equal_statuses_one_counts,
);

async fn every_pair_by_a_dispatcher(redis: Redis) {
    for from in ALL {
        for to in ALL {
            let world = World::new(redis.clone()).await;
            world.force(from).await;
            let answer = world.status(dispatcher(), to).await;
            match answer {
                Ok(set) if from == to => assert!(set.unchanged, "{from} → {to}"),
                Ok(set) => {
                    assert!(!is_final(from) && !set.unchanged && set.status == to && set.old_status == from, "{from} → {to}");
                    assert_eq!(set.ended, is_final(to));
                }
                Err(refused) => assert!(refused == Refused::Closed && is_final(from) && from != to, "{from} → {to}: {refused:?}"),
            }
        }
    }
}

async fn every_pair_by_a_rescuer_on_its_own_entry(redis: Redis) {
    for from in OPEN {
        for to in ALL {
            let world = World::new(redis.clone()).await;
            for step in way_to(from) {
                world.status(rescuer(), step).await.unwrap();
            }
            let answer = world.status(rescuer(), to).await;
            if is_final(to) {
                assert_eq!(answer, Err(Refused::Forbidden), "{from} → {to}");
            } else if from == to {
                assert!(answer.unwrap().unchanged, "{from} → {to}");
            } else if follows(from).contains(&to) {
                assert_eq!(answer.unwrap().status, to, "{from} → {to}");
                assert_eq!(world.snapshot().await.responders[0].status, to);
            } else {
                assert_eq!(answer, Err(Refused::Transition), "{from} → {to}");
                assert_eq!(world.snapshot().await.responders[0].status, from);
            }
        }
    }
}

async fn every_pair_by_the_citizen(redis: Redis) {
    for from in ALL {
        for to in ALL {
            let world = World::new(redis.clone()).await;
            world.force(from).await;
            let answer = world.status(citizen(), to).await.map(|set| set.unchanged);
            let expected = match to {
                "cancelled" if from == to => Ok(true),
                "cancelled" if is_final(from) => Err(Refused::Closed),
                "cancelled" if follows(from).contains(&to) => Ok(false),
                "cancelled" => Err(Refused::Transition),
                _ => Err(Refused::Forbidden),
            };
            assert_eq!(answer, expected, "{from} → {to}");
        }
    }
    let world = World::new(redis).await;
    assert_eq!(world.status(person("other", "citizen"), "cancelled").await, Err(Refused::Forbidden));
    let stranger = Actor { named: false, ..rescuer() };
    assert_eq!(world.status(stranger, "assigned").await, Err(Refused::Forbidden));
    assert_eq!(world.status(rescuer(), "asigned").await, Err(Refused::UnknownStatus));
}

async fn every_pair_by_the_service_with_force_and_by_the_table(redis: Redis) {
    for from in ALL {
        for to in ALL {
            for judged in [Judged::Authoritative, Judged::ByTable { old_status: None }] {
                let world = World::new(redis.clone()).await;
                world.force(from).await;
                let answer = sos_status(&world.redis, &world.id, plain(), service("svc"), judged, to, None).await.unwrap();
                let answer = answer.map(|set| set.unchanged);
                let forced = judged == Judged::Authoritative;
                let expected = if from == to {
                    Ok(true)
                } else if is_final(from) {
                    if forced && from == "closed" && is_final(to) { Ok(false) } else { Err(Refused::Closed) }
                } else if forced || follows(from).contains(&to) {
                    Ok(false)
                } else {
                    Err(Refused::Transition)
                };
                assert_eq!(answer, expected, "{from} → {to} {judged:?}");
            }
        }
    }
}

async fn the_incident_takes_the_furthest_entry(redis: Redis) {
    let world = World::new(redis).await;
    let (a, b) = (person("a", "rescuer"), person("b", "rescuer"));
    world.status(a, "assigned").await.unwrap();
    world.status(a, "responding").await.unwrap();
    let set = world.status(b, "assigned").await.unwrap();
    assert_eq!((set.status.as_str(), set.old_status.as_str(), set.unchanged), ("responding", "responding", false));
    let last = world.events("sos:status:broadcast").await.pop().unwrap();
    assert_eq!(last["responderId"], "b");
    assert_eq!(last["responderStatus"], "assigned");
    assert_eq!((&last["status"], &last["oldStatus"]), (&"responding".into(), &"responding".into()));
    let state = world.state().await;
    assert_eq!(state["status"], "responding");
    let b = &state["responders"][1];
    assert_eq!(b["userId"], "b");
    assert!(b["assignedAt"].is_u64() && b["arrivedAt"].is_null() && b["acknowledgedAt"].is_null());
}

async fn an_old_status_that_does_not_stand_is_a_conflict(redis: Redis) {
    let world = World::new(redis).await;
    let set = async |old, status| {
        let judged = Judged::ByTable { old_status: Some(old) };
        sos_status(&world.redis, &world.id, plain(), service("svc"), judged, status, None).await.unwrap()
    };
    assert_eq!(set("assigned", "cancelled").await, Err(Refused::Conflict));
    assert_eq!(set("active", "assigned").await.unwrap().status, "assigned");
    assert!(set("active", "assigned").await.unwrap().unchanged, "a repeat is no conflict");
}

async fn a_status_reaches_room_watchers_outbox_and_trail(redis: Redis) {
    let world = World::new(redis).await;
    let note = Some("on \"my\" way");
    let set = sos_status(&world.redis, &world.id, plain(), rescuer(), Judged::Client, "assigned", note).await.unwrap().unwrap();
    assert!(set.written.copies_pending && set.written.outbox == 1);
    let data = world.events("sos:status:broadcast").await.pop().unwrap();
    assert_eq!(
        data,
        serde_json::json!({"sosId": world.id, "status": "assigned", "oldStatus": "active", "updatedBy": "res",
            "responderId": "res", "responderStatus": "assigned", "note": "on \"my\" way", "timestamp": set.written.at})
    );
    let entry = world.outbox_entries().await.pop().unwrap();
    assert_eq!((entry.event.as_str(), entry.user.as_deref(), entry.timestamp), ("sos:status", Some("res"), set.written.at));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&entry.data).unwrap(), data);

    let owed = watch_pending(&world.redis, &world.id).await.unwrap();
    assert_eq!(owed[0].copy, WatchEvent::Created);
    let WatchEvent::Encoded(body) = &owed[1].copy else { panic!("{owed:?}") };
    let copy = Heard::parse(body);
    assert_eq!((copy.head, copy.data), (format!("* @{} - -", world.id), data));
    watch_forwarded(&world.redis, &world.id, &[&owed[0].id, &owed[1].id]).await.unwrap();
    assert_eq!(watch_pending(&world.redis, &world.id).await.unwrap(), []);

    let audit = world.audit().await.pop().unwrap();
    assert_eq!((audit.event.as_str(), audit.source.as_str(), audit.note.as_deref()), ("assignment", "socket", note));
    assert_eq!(
        (audit.user_id.as_deref(), audit.role.as_deref(), audit.socket.as_deref()),
        (Some("res"), Some("rescuer"), Some("s-res"))
    );
}

async fn an_end_empties_the_room_and_is_final(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    world.join(rescuer()).await;
    let closed = world.close(dispatcher()).await.unwrap();
    assert!(closed.ended && closed.status == "closed" && closed.old_status == "active");
    let names = world.names().await;
    assert_eq!(names[names.len() - 3..], ["sos:status:broadcast", "sos:close", "ended"]);
    assert_eq!(world.heard().await.pop().unwrap().head, "! - - -");
    let data = world.events("sos:close").await.pop().unwrap();
    assert_eq!(
        data,
        serde_json::json!({"sosId": world.id, "status": "closed", "closedBy": "dis", "reason": "done", "timestamp": closed.written.at})
    );
    let state = world.state().await;
    assert_eq!(
        (&state["closedBy"], &state["reason"], &state["members"]),
        (&"dis".into(), &"done".into(), &serde_json::json!([]))
    );
    assert!(world.snapshot().await.sockets.is_empty());

    let length = world.names().await.len();
    assert!(matches!(sos_join(&world.redis, &world.id, plain(), citizen(), JOINING, 0, true).await.unwrap(), SosJoin::Ended));
    assert_eq!(world.status(dispatcher(), "assigned").await, Err(Refused::Closed));
    assert_eq!(world.say(citizen(), "hello").await, Err(Refused::Closed));
    assert_eq!(world.locate(citizen(), &fix(1.0, None)).await, Err(Refused::Closed));
    let ack = sos_acknowledge(&world.redis, &world.id, plain(), rescuer()).await.unwrap();
    assert_eq!(ack, Err(Refused::Closed));
    let admitted = sos_admit(&world.redis, &world.id, plain(), "x", "rescuer", 0).await.unwrap();
    assert_eq!(admitted, Err(Refused::Closed));
    let history = sos_history(&world.redis, &world.id, rescuer(), newest(10)).await.unwrap();
    assert!(history.is_ok(), "history is open to all with rights");
    assert_eq!(world.names().await.len(), length, "nothing was broadcast");

    for key in ["sos:state", "sos:events", "scope:meta:sos", "scope:log:sos"] {
        let key = format!("{key}:{{{}}}", world.id);
        let redis::Value::Int(ttl) = world.redis.command(redis::cmd("PTTL").arg(&key).clone(), &key).await.unwrap() else {
            panic!()
        };
        assert!((1..=3_600_000).contains(&ttl), "{key} {ttl}");
    }
}

async fn what_came_by_the_internal_api_is_not_sent_back(redis: Redis) {
    let world = World::new(redis).await;
    world.force("assigned").await;
    sos_message(&world.redis, &world.id, plain(), service(""), "from the office").await.unwrap().unwrap();
    world.close(service("svc")).await.unwrap();
    assert_eq!(world.outbox().await, Vec::<String>::new());
    assert_eq!(world.events("message:broadcast").await[0]["userId"], serde_json::Value::Null);
}

async fn only_its_citizen_a_dispatcher_or_an_admin_closes(redis: Redis) {
    let admin = Actor { named: false, ..person("adm", "admin") };
    for (actor, may) in [
        (citizen(), true),
        (dispatcher(), true),
        (admin, true),
        (rescuer(), false),
        (person("other", "citizen"), false),
        (Actor { named: false, ..citizen() }, false),
        (person("cit", "rescuer"), false),
    ] {
        let world = World::new(redis.clone()).await;
        match world.close(actor).await {
            Ok(_) => assert!(may, "{actor:?}"),
            Err(refused) => {
                assert!(!may && refused == Refused::Forbidden, "{actor:?}");
                assert_eq!(world.audited().await.pop().unwrap(), "refusal");
            }
        }
    }
    let nothing = World::nothing(redis);
    assert_eq!(nothing.close(dispatcher()).await, Err(Refused::Missing));
}

async fn a_second_close_is_unchanged_and_cancelled_stays(redis: Redis) {
    let world = World::new(redis).await;
    world.status(citizen(), "cancelled").await.unwrap();
    let again = world.close(citizen()).await.unwrap();
    assert!(again.unchanged && again.status == "cancelled");
    assert!(world.close(service("svc")).await.unwrap().unchanged);
    assert_eq!(world.events("sos:close").await.len(), 1);
    assert_eq!(world.state().await["status"], "cancelled");
}

async fn of_a_hundred_equal_statuses_one_counts(redis: Redis) {
    let world = World::new(redis).await;
    let calls = (0..100).map(|_| world.status(dispatcher(), "assigned"));
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| !answer.as_ref().unwrap().unchanged).count(), 1);
    assert_eq!(world.events("sos:status:broadcast").await.len(), 1);
    assert_eq!(world.outbox().await, ["sos:status"]);
}
