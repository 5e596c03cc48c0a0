//! Messages, history, signals, the outbox and users' presence.

use convoke::core::StreamId;
use convoke::features::sos::scripts::Refused;
use convoke::features::sos::scripts::outbox::*;
use convoke::features::sos::scripts::presence::*;
use convoke::features::sos::scripts::*;
use convoke::features::sos::wire;
use convoke::redis::Redis;
use convoke::rooms::history::HistoryQuery;
use convoke::rooms::relay::Recipient;

use crate::scripts_world::*;

crate::on_both!(
    only_members_speak_and_all_hear_the_same,
    of_a_hundred_messages_with_one_client_id_one_is_sent,
    history_is_read_backwards_in_pages,
    a_signal_goes_to_the_others_a_socket_or_a_user,
    one_owner_delivers_in_order,
    a_refused_entry_goes_to_the_dead,
    presence_knows_the_sockets_of_a_user,
    the_index_of_a_user_holds_so_many_sockets_and_the_newest_of_them,
    a_page_of_the_trail_of_long_notes_ends_early_and_says_that_there_is_more,
    without_an_sos_service_nothing_is_written_for_it,
    a_head_of_large_entries_is_short,
    what_is_owed_to_watchers_is_found_without_looking_at_all_that_the_scope_remembers,
);

async fn only_members_speak_and_all_hear_the_same(redis: Redis) {
    let world = World::new(redis).await;
    assert_eq!(world.say(citizen(), "x").await, Err(Refused::NotMember), "rights are not membership");
    world.join(citizen()).await;
    let text = "quote \" slash / nul \u{0} line\u{2028} 🚑 \\u0041 </script>";
    let sent = sos_message(&world.redis, &world.id, cmid("c-1"), citizen(), text).await.unwrap().unwrap();
    let heard = world.events("message:broadcast").await;
    assert_eq!(
        heard,
        [serde_json::json!({"sosId": world.id, "messageId": sent.message_id, "clientMessageId": "c-1", "userId": "cit",
            "role": "citizen", "text": text, "timestamp": sent.timestamp})]
    );
    assert_eq!(world.outbox().await.pop().unwrap(), "message");
    let history = sos_history(&world.redis, &world.id, citizen(), newest(50)).await.unwrap().unwrap();
    let read: Vec<_> = history.messages.iter().map(|kept| wire::Message::new(&world.id, kept)).collect();
    assert_eq!(serde_json::to_value(read).unwrap(), serde_json::Value::Array(heard));
    let missing = World::nothing(world.redis).say(citizen(), "x").await;
    assert_eq!(missing, Err(Refused::Missing));
}

async fn of_a_hundred_messages_with_one_client_id_one_is_sent(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    world.join(rescuer()).await;
    let calls = (0..100).map(|_| sos_message(&world.redis, &world.id, cmid("same"), citizen(), "hello"));
    let answers = futures_util::future::join_all(calls).await;
    let answers: Vec<Sent> = answers.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    assert_eq!(answers.iter().filter(|sent| !sent.written.duplicate).count(), 1);
    assert!(answers.iter().all(|sent| sent.message_id == answers[0].message_id && sent.timestamp == answers[0].timestamp));
    let other = sos_message(&world.redis, &world.id, cmid("same"), rescuer(), "hello").await.unwrap().unwrap();
    assert!(!other.written.duplicate, "unique per user");
    assert_eq!(world.events("message:broadcast").await.len(), 2);
    // The same id with another kind of write is another one.
    let moved =
        sos_status(&world.redis, &world.id, cmid("same"), rescuer(), Judged::Client, "assigned", None).await.unwrap().unwrap();
    assert!(!moved.written.duplicate && !moved.unchanged);
    let again =
        sos_status(&world.redis, &world.id, cmid("same"), rescuer(), Judged::Client, "assigned", None).await.unwrap().unwrap();
    assert_eq!((again.written.duplicate, again.unchanged, again.status), (true, false, moved.status));
    // A repeat is answered even after the end.
    world.close(dispatcher()).await.unwrap();
    let late = sos_message(&world.redis, &world.id, cmid("same"), citizen(), "hello").await.unwrap().unwrap();
    assert!(late.written.duplicate && late.message_id == answers[0].message_id);
}

async fn history_is_read_backwards_in_pages(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    for i in 0..7 {
        world.say(citizen(), &i.to_string()).await.unwrap();
    }
    let (mut before, mut pages) = (None::<StreamId>, Vec::new());
    loop {
        let page = sos_history(&world.redis, &world.id, citizen(), HistoryQuery { before, limit: 3 }).await.unwrap().unwrap();
        pages.push(page.messages.iter().map(|message| message.text.clone()).collect::<String>());
        match page.next_before {
            Some(next) => before = Some(next.parse().unwrap()),
            None => break,
        }
    }
    assert_eq!(pages, ["456", "123", "0"]);
    let stranger = sos_history(&world.redis, &world.id, rescuer(), newest(3)).await.unwrap();
    assert_eq!(stranger, Err(Refused::NotMember), "for members while it lasts");
}

async fn a_signal_goes_to_the_others_a_socket_or_a_user(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    world.join(rescuer()).await;
    let relay = async |actor, to| {
        let body = signal(r#"["offer",{"x":1}]"#);
        sos_relay(&world.redis, &world.id, plain(), actor, to, &body).await.unwrap()
    };
    let user = convoke::redis::keys::user_tag("res");
    for (to, head) in [
        (Recipient::Others, "* s-cit - -".to_owned()),
        (Recipient::Named("s-res"), "s:s-res s-cit - -".to_owned()),
        (Recipient::Named("res"), format!("u:{user} s-cit - -")),
    ] {
        assert!(matches!(relay(citizen(), to).await, Ok(Relayed::Sent(_))));
        assert_eq!(world.heard().await.pop().unwrap().head, head);
    }
    let field = format!("@{user}");
    for nobody in ["_", "@res", "nobody", &field] {
        assert_eq!(relay(citizen(), Recipient::Named(nobody)).await, Ok(Relayed::NoSuchMember), "{nobody}");
    }
    assert_eq!(relay(person("x", "rescuer"), Recipient::Others).await, Err(Refused::NotMember));
}

async fn one_owner_delivers_in_order(redis: Redis) {
    let world = World::new(redis).await;
    let (redis, id) = (&world.redis, world.id.as_str());
    world.status(rescuer(), "assigned").await.unwrap();
    world.status(rescuer(), "en_route").await.unwrap();
    let OutboxHead::Held { entries, len: 2 } = outbox_claim(redis, id, "a", 60_000, 10).await.unwrap() else { panic!() };
    assert!(entries[0].id < entries[1].id);
    assert!(matches!(outbox_claim(redis, id, "b", 60_000, 10).await.unwrap(), OutboxHead::Busy { for_ms: 50_000.. }));
    assert_eq!(outbox_done(redis, id, "b", entries[0].id).await.unwrap(), None, "the lease is another's");
    assert_eq!(outbox_done(redis, id, "a", entries[0].id).await.unwrap(), Some(1));
    assert_eq!(outbox_done(redis, id, "a", entries[0].id).await.unwrap(), Some(1), "a repeat removes nothing else");
    // A deliverer that died holds it no longer than its lease.
    outbox_claim(redis, id, "a", 0, 10).await.unwrap();
    let OutboxHead::Held { entries, .. } = outbox_claim(redis, id, "b", 60_000, 10).await.unwrap() else { panic!() };
    assert_eq!(outbox_done(redis, id, "a", entries[0].id).await.unwrap(), None);
    assert_eq!(outbox_done(redis, id, "b", entries[0].id).await.unwrap(), Some(0));
    assert_eq!(outbox_claim(redis, id, "c", 60_000, 10).await.unwrap(), OutboxHead::Held { entries: vec![], len: 0 });
    // It outlives the SOS, and goes with its last entry.
    world.close(dispatcher()).await.unwrap();
    let key = format!("sos:outbox:{{{id}}}");
    assert_eq!(redis.command(redis::cmd("PTTL").arg(&key).clone(), &key).await.unwrap(), redis::Value::Int(-1));
    let OutboxHead::Held { entries, .. } = outbox_claim(redis, id, "c", 60_000, 10).await.unwrap() else { panic!() };
    for entry in &entries {
        outbox_done(redis, id, "c", entry.id).await.unwrap();
    }
    assert_eq!(redis.command(redis::cmd("EXISTS").arg(&key).clone(), &key).await.unwrap(), redis::Value::Int(0));
}

async fn a_refused_entry_goes_to_the_dead(redis: Redis) {
    let world = World::new(redis).await;
    let (redis, id) = (&world.redis, world.id.as_str());
    world.status(rescuer(), "assigned").await.unwrap();
    let OutboxHead::Held { entries, .. } = outbox_claim(redis, id, "a", 60_000, 10).await.unwrap() else { panic!() };
    assert_eq!(outbox_dead(redis, id, "a", entries[0].id, "422").await.unwrap(), Some(0));
    outbox_release(redis, id, "a").await.unwrap();
    let key = format!("sos:outbox:dead:{{{id}}}");
    assert_eq!(redis.command(redis::cmd("XLEN").arg(&key).clone(), &key).await.unwrap(), redis::Value::Int(1));
}

async fn presence_knows_the_sockets_of_a_user(redis: Redis) {
    let user = &unique("ü ser");
    let read = async || presence_read(&redis, user).await.unwrap();
    assert_eq!(read().await, UserPresence::default());
    presence_set(&redis, user, "s1", "n1.a", 1, "citizen", "sos:1").await.unwrap();
    presence_set(&redis, user, "s2", "n2.b", 2, "citizen", "").await.unwrap();
    presence_set(&redis, user, "s2", "n1.a", 1, "citizen", "sos:1").await.unwrap();
    let mut known = read().await;
    known.sockets.sort_by(|a, b| a.sid.cmp(&b.sid));
    assert_eq!((known.sockets[0].scope.as_str(), known.sockets[1].node.as_str()), ("sos:1", "n2.b"));
    presence_remove(&redis, user, "s1", "n1.a", 9).await.unwrap();
    assert_eq!(read().await.sockets.len(), 2);
    presence_remove(&redis, user, "s1", "n1.a", 1).await.unwrap();
    presence_remove(&redis, user, "s2", "n2.b", 2).await.unwrap();
    let gone = read().await;
    assert!(gone.sockets.is_empty() && gone.last_seen.is_some());
}

async fn the_index_of_a_user_holds_so_many_sockets_and_the_newest_of_them(redis: Redis) {
    let user = &unique("crowded");
    for n in 0..400 {
        presence_set(&redis, user, &format!("s{n}"), "n1.a", 1, "citizen", "").await.unwrap();
    }
    let presence = presence_read(&redis, user).await.unwrap();
    assert_eq!(presence.sockets.len() as u64, PRESENCE_SOCKETS);
    assert!(presence.sockets.iter().any(|socket| socket.sid == "s399"));
    presence_set(&redis, user, "s399", "n2.b", 2, "rescuer", "").await.unwrap();
    let presence = presence_read(&redis, user).await.unwrap();
    assert_eq!(presence.sockets.len() as u64, PRESENCE_SOCKETS, "one that is noted already takes nobody's place");
}

async fn a_page_of_the_trail_of_long_notes_ends_early_and_says_that_there_is_more(redis: Redis) {
    let world = World::new(redis).await;
    let note = "ä".repeat(10_000);
    for n in 0..120 {
        let status = if n % 2 == 0 { "assigned" } else { "active" };
        let set = sos_status(&world.redis, &world.id, plain(), dispatcher(), Judged::Client, status, Some(&note));
        set.await.unwrap().unwrap();
    }
    let (mut read, mut after, mut pages) = (0, None, 0);
    loop {
        let page = sos_events(&world.redis, &world.id, after, 1000).await.unwrap().unwrap();
        assert!(page.entries.len() < 70, "{}", page.entries.len());
        after = page.entries.last().map(|entry| entry.id.parse().unwrap());
        (read, pages) = (read + page.entries.len(), pages + 1);
        if !page.more {
            break;
        }
    }
    assert_eq!((read, pages), (121, 3), "and one for the making");
    let some = sos_events(&world.redis, &world.id, None, 2).await.unwrap().unwrap();
    assert_eq!((some.entries.len(), some.more), (2, true));
}

async fn without_an_sos_service_nothing_is_written_for_it(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    let before = world.outbox().await.len();
    let op = convoke::cluster::scripts::Op { extra: NO_OUTBOX, ..plain() };
    let sent = sos_message(&world.redis, &world.id, op, citizen(), "hello").await.unwrap().unwrap();
    let located = sos_location(&world.redis, &world.id, op, citizen(), intake("c"), &fix(1.0, None)).await.unwrap().unwrap();
    let closed = sos_close(&world.redis, &world.id, op, dispatcher(), None).await.unwrap().unwrap();
    assert_eq!([sent.written.outbox, located.written.outbox, closed.written.outbox], [0, 0, 0]);
    assert_eq!(world.outbox().await.len(), before);
    assert!(world.audited().await.contains(&"close".to_owned()), "the trail is");
}

async fn a_head_of_large_entries_is_short(redis: Redis) {
    let world = World::new(redis).await;
    world.join(citizen()).await;
    for _ in 0..20 {
        world.say(citizen(), &"x".repeat(100_000)).await.unwrap();
    }
    let OutboxHead::Held { entries, .. } = outbox_claim(&world.redis, &world.id, "n", 5000, 16).await.unwrap() else { panic!() };
    assert!((3..=8).contains(&entries.len()), "{}", entries.len());
}

async fn what_is_owed_to_watchers_is_found_without_looking_at_all_that_the_scope_remembers(redis: Redis) {
    let world = World::new(redis).await;
    let key = convoke::redis::keys::scope_meta(&world.scope());
    // The release before kept no list.
    let old = convoke::redis::cmd("HSET").arg(&key).arg("w:5-0").arg("* - - -\n[\"old\",{}]").clone();
    world.redis.command(old, &key).await.unwrap();
    for n in 0..70 {
        world.force(if n % 2 == 0 { "assigned" } else { "active" }).await;
    }
    let mut forwarded = 0;
    loop {
        let copies = watch_pending(&world.redis, &world.id).await.unwrap();
        assert!(copies.len() <= 32);
        if copies.is_empty() {
            break;
        }
        forwarded += copies.len();
        watch_forwarded(&world.redis, &world.id, &copies.iter().map(|copy| &*copy.id).collect::<Vec<_>>()).await.unwrap();
    }
    assert_eq!(forwarded, 71, "its making, and each status");
    let left = watch_pending_all(&world.redis, &world.id).await.unwrap();
    assert_eq!(left.iter().map(|copy| &*copy.id).collect::<Vec<_>>(), ["5-0"]);
}
