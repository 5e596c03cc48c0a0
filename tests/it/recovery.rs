//! Connection state recovery, by a client that does what the official one does: sid and rooms are kept, and what was missed
//! comes in order, once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use redis::cmd;
use serde_json::json;

use super::support::client::Client;
use super::support::hub::Hub;
use super::support::incident::{member, say};
use super::support::metrics::metric;
use super::support::node::Script;
use super::support::pair::{OFFLINE_SECONDS, Pair, pair};
use super::support::ports::free_port;
use super::support::raw::{http, sid_of};
use super::support::redis::Server;
use super::support::returning::{Memory, come, heard, last_offset, last_offset_of, texts, texts_of};
use super::support::{eventually, within};

/// A member that knows of recovery.
async fn returning(hub: &Hub, user: &str, sos: &str) -> (Client, Memory) {
    let (client, memory) = come(hub, &hub.token("rescuer", user, &[sos])).await;
    client.wait_count("sos:state", 1).await;
    (client, memory)
}

/// Waits for a message, and gives the texts of all that came.
async fn texts_until(client: &mut Client, last: &str) -> Vec<String> {
    client.wait_for("message:broadcast", |message| message["text"] == last).await;
    texts(client)
}

fn sid_is_member(state: &serde_json::Value, user: &str) -> usize {
    let members = state["members"].as_array().expect("a list");
    members.iter().filter(|member| member["userId"] == user).map(|member| member["sockets"].as_u64().unwrap() as usize).sum()
}

#[tokio::test]
async fn what_was_missed_comes_once_and_in_order_on_the_same_node_and_on_another() {
    let Pair { a, b, .. } = pair().await;
    for (sos, back) in [("rec-same", a), ("rec-other", b)] {
        a.create_sos(sos, "c1").await;
        let speaker = member(b, "citizen", "c1", sos).await;
        let (mut client, mut memory) = returning(a, "r1", sos).await;
        say(&speaker, "1").await;
        texts_until(&mut client, "1").await;
        memory.cut(client);
        say(&speaker, "2").await;
        say(&speaker, "3").await;
        let mut client = memory.back(back).await;
        say(&speaker, "4").await;
        assert_eq!(texts_until(&mut client, "4").await, ["2", "3", "4"]);
        assert!(client.received("sos:state").is_empty() && client.received("sos:init").is_empty(), "it never left");
        // It is a member like before, and once.
        say(&client, "mine").await;
        let state = client.ask_ok("sos:init", json!({})).await["data"].take();
        assert_eq!(sid_is_member(&state, "r1"), 1, "{state}");
    }
}

/// The window is how long a return is promised. It takes nothing from a client that comes a little later.
#[tokio::test]
async fn who_comes_back_after_the_window_is_recovered_while_there_is_something_to_recover_from() {
    let redis = Server::start(&[]);
    let hub = Hub::start(&[("REDIS_URL", &redis.url()), ("RECOVERY_WINDOW_SECONDS", "1")]).await;
    hub.create_sos("rec-late", "c1").await;
    let speaker = member(&hub, "citizen", "c1", "rec-late").await;
    let (client, mut memory) = returning(&hub, "r1", "rec-late").await;
    memory.cut(client);
    say(&speaker, "1").await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let mut client = memory.back(&hub).await;
    assert_eq!(texts_until(&mut client, "1").await, ["1"]);
}

#[tokio::test]
async fn nobody_is_told_of_a_return() {
    let Pair { a, b, .. } = pair().await;
    // Tried again where the machine was too slow, so that the grace was over before the return.
    for round in 0.. {
        let sos = &format!("rec-unnoticed-{round}");
        a.create_sos(sos, "c1").await;
        let mut speaker = member(b, "citizen", "c1", sos).await;
        let (client, mut memory) = returning(a, "r1", sos).await;
        speaker.wait_for("sos:init", |event| event["userId"] == "r1").await;
        let lost = Instant::now();
        memory.cut(client);
        let client = memory.back(b).await;
        let away = lost.elapsed();
        say(&client, "back").await;
        texts_until(&mut speaker, "back").await;
        let joins = speaker.received("sos:init").iter().filter(|event| event["userId"] == "r1").count();
        assert_eq!(joins, 1);
        if away < Duration::from_secs(OFFLINE_SECONDS) / 2 {
            let offline = speaker.received("presence:update").iter().any(|event| {
                event["members"].as_array().unwrap().iter().any(|member| member["userId"] == "r1" && member["online"] == false)
            });
            assert!(!offline);
            return;
        }
    }
}

#[tokio::test]
async fn the_client_gets_back_while_its_old_connection_still_looks_alive() {
    let Pair { a, .. } = pair().await;
    a.create_sos("rec-alive", "c1").await;
    let speaker = member(a, "citizen", "c1", "rec-alive").await;
    let (mut old, mut memory) = returning(a, "r1", "rec-alive").await;
    say(&speaker, "1").await;
    texts_until(&mut old, "1").await;
    memory.offset = last_offset(&old);
    say(&speaker, "2").await;
    texts_until(&mut old, "2").await;
    // The old one has had "2" on its way; the client, on another network, has not.
    let mut client = memory.back(a).await;
    assert_eq!(old.closed().await.reason, "taken over");
    say(&speaker, "3").await;
    assert_eq!(texts_until(&mut client, "3").await, ["2", "3"]);
    let state = client.ask_ok("sos:init", json!({})).await["data"].take();
    assert_eq!(sid_is_member(&state, "r1"), 1);
}

#[tokio::test]
async fn a_client_of_a_killed_node_goes_on_at_another() {
    let redis = Server::start(&[]);
    let url = redis.url();
    let env = |node| [("REDIS_URL", &*url), ("NODE_ID", node), ("CLUSTER_SECRET", "a secret of the cluster, long")];
    let (a, b) = (Hub::start(&env("a")).await, Hub::start(&env("b")).await);
    a.create_sos("rec-kill", "c1").await;
    let speaker = member(&b, "citizen", "c1", "rec-kill").await;
    let (mut client, mut memory) = returning(&a, "r1", "rec-kill").await;
    say(&speaker, "1").await;
    texts_until(&mut client, "1").await;
    a.kill();
    memory.cut(client);
    say(&speaker, "2").await;
    let mut client = memory.back(&b).await;
    say(&speaker, "3").await;
    assert_eq!(texts_until(&mut client, "3").await, ["2", "3"]);
    let state = client.ask_ok("sos:init", json!({})).await["data"].take();
    assert_eq!(sid_is_member(&state, "r1"), 1);
}

#[tokio::test]
async fn through_fifty_cuts_under_a_stream_of_messages_each_comes_once_and_in_order() {
    const MESSAGES: usize = 600;
    let Pair { a, b, .. } = pair().await;
    a.create_sos("rec-stream", "c1").await;
    let speaker = member(a, "citizen", "c1", "rec-stream").await;
    let (mut client, mut memory) = returning(a, "r1", "rec-stream").await;
    let talk = async {
        for number in 0..MESSAGES {
            say(&speaker, &number.to_string()).await;
            if number % 4 == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    };
    let listen = async {
        let mut all = Vec::new();
        for cut in 0..50 {
            // Cut at once, or after some messages: right after CONNECT too.
            let some = cut % 4;
            if some > 0 {
                client.wait_count("message:broadcast", some).await;
            }
            // What the client has had, and where it stands, at one moment.
            let (said, offset) = heard(&client);
            all.extend(said);
            memory.offset = offset.or(memory.offset.take());
            drop(client);
            client = memory.back(if cut % 2 == 0 { b } else { a }).await;
        }
        let last = (MESSAGES - 1).to_string();
        client.wait_for("message:broadcast", |message| message["text"] == last).await;
        all.extend(texts(&client));
        all
    };
    let (heard, ()) = tokio::join!(listen, talk);
    let expected: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
    let distinct: HashSet<&String> = heard.iter().collect();
    assert!(heard == expected, "{} of {MESSAGES}, {} distinct: {heard:?}", heard.len(), distinct.len());
}

#[tokio::test]
async fn what_was_for_this_socket_alone_comes_over_while_its_node_lives() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("rec-direct", "c1").await;
    let speaker = member(a, "citizen", "c1", "rec-direct").await;
    let (mut client, mut memory) = returning(a, "r1", "rec-direct").await;
    say(&speaker, "1").await;
    texts_until(&mut client, "1").await;
    // Only up to here the client has had what came.
    let before = last_offset(&client);
    client.ask("ping", json!({"n": 1})).await;
    say(&speaker, "2").await;
    texts_until(&mut client, "2").await;
    client.ask("ping", json!({"n": 2})).await;
    memory.cut(client);
    memory.offset = before;
    say(&speaker, "3").await;
    let mut client = memory.back(b).await;
    texts_until(&mut client, "3").await;
    // Presence is announced when its window ends.
    let names = |client: &Client| -> Vec<String> {
        client.events().into_iter().map(|event| event.name).filter(|name| name != "presence:update").collect()
    };
    assert_eq!(names(&client), ["pong", "message:broadcast", "pong", "message:broadcast"], "each at its place");
    // And from there on again, with nothing twice.
    memory.cut(client);
    let mut client = memory.back(a).await;
    say(&speaker, "4").await;
    texts_until(&mut client, "4").await;
    assert_eq!(names(&client), ["message:broadcast"]);
}

#[tokio::test]
async fn what_was_emitted_in_no_room_comes_again_from_a_node_that_lives() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("rec-nowhere", "c1").await;
    for (user, was_in_a_room) in [("d-never", false), ("d-left", true)] {
        let (client, mut memory) = come(a, &a.token("dispatcher", user, &[])).await;
        if was_in_a_room {
            client.ask_ok("sos:init", json!({"sosId": "rec-nowhere"})).await;
            client.wait_count("sos:state", 1).await;
            client.ask_ok("sos:leave", json!({"sosId": "rec-nowhere"})).await;
        }
        // Up to here it has had what came; then its link is dead, and nobody knows.
        memory.offset = last_offset(&client);
        client.ask("ping", json!({})).await;
        client.ask("ping", json!({})).await;
        let mut client = memory.back(b).await;
        client.ask("ping", json!({})).await;
        client.wait_count("pong", 3).await;
        assert!(client.events().iter().all(|event| event.args.len() == 1), "no offset in no scope");
        // With the ping of another node, too: its log is left in the record.
        memory.cut(client);
        client = memory.back(b).await;
        client.wait_count("pong", 3).await;
    }
}

#[tokio::test]
async fn who_was_in_no_room_of_a_killed_node_is_told_that_it_begins_anew() {
    let redis = Server::start(&[]);
    let url = redis.url();
    let (a, b) = (Hub::start(&[("REDIS_URL", &url)]).await, Hub::start(&[("REDIS_URL", &url)]).await);
    a.create_sos("rec-kill-none", "c1").await;
    let (client, mut nowhere) = come(&a, &a.token("dispatcher", "d1", &[])).await;
    client.ask("ping", json!({})).await;
    let (member, mut somewhere) = returning(&a, "r1", "rec-kill-none").await;
    a.kill();
    nowhere.cut(client);
    somewhere.cut(member);
    nowhere.back_as_new(&b).await;
    somewhere.back(&b).await;
}

#[tokio::test]
async fn who_was_sent_more_than_is_kept_begins_anew() {
    let limits = [("EVENTS_PER_SECOND", "10000"), ("EVENTS_BURST", "10000")];
    let hub = Hub::start(&[&[("REDIS_URL", &*super::support::redis::single().url())], &limits[..]].concat()).await;
    let (client, mut memory) = come(&hub, &hub.token("dispatcher", "d1", &[])).await;
    for _ in 0..520 {
        client.ask("ping", json!({})).await;
    }
    memory.back_as_new(&hub).await;
}

#[tokio::test]
async fn a_first_state_that_was_lost_on_its_way_comes_again() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("rec-first", "c1").await;
    let (client, mut memory) = returning(a, "r1", "rec-first").await;
    // The client has had nothing but CONNECT.
    memory.offset = None;
    drop(client);
    let client = memory.back(b).await;
    client.wait_count("sos:state", 1).await;
}

#[tokio::test]
async fn what_was_missed_is_kept_for_a_client_that_is_gone_again_before_it_is_connected() {
    let redis = Server::start(&[]);
    let url = redis.url();
    let env = [("REDIS_URL", &*url)];
    let (a, b) = tokio::join!(Hub::start(&env), Hub::start(&env));
    a.create_sos("rec-again", "c1").await;
    let (client, mut memory) = returning(&a, "r1", "rec-again").await;
    memory.offset = None;
    drop(client);
    // Its first state goes from the old owner to the other node while that waits for Redis; meanwhile the client gives up.
    redis.ask::<()>(cmd("CLIENT").arg("PAUSE").arg(500).arg("ALL"));
    let hasty = Client::builder(&b.url()).query("recovery=1").open().await.unwrap();
    hasty.send_raw(&format!("40{}", memory.auth()));
    hasty.close().await;
    eventually("the node has noticed", || {
        b.log().lines().any(|line| line.contains("disconnected") && line.contains(&memory.sid))
    })
    .await;
    let client = memory.back(&a).await;
    client.wait_count("sos:state", 1).await;
}

#[tokio::test]
async fn who_knows_nothing_of_recovery_gets_neither_pid_nor_offset() {
    let Pair { a, .. } = pair().await;
    a.create_sos("rec-none", "c1").await;
    let token = a.token("rescuer", "r1", &["rec-none"]);
    let builder = || Client::builder(&a.url());
    let clients = [
        (builder().header("user-agent", "Mozilla/5.0").query("recovery=0").auth(json!({"token": token})), false),
        (builder().header("user-agent", "Mozilla/5.0").auth(json!({"token": token, "recovery": 0})), false),
        (builder().header("user-agent", "Python/3.11 aiohttp/3.9").auth(json!({"token": token})), false),
        (builder().auth(json!({"token": token})), false),
        (builder().header("user-agent", "Mozilla/5.0").auth(json!({"token": token})), true),
        (builder().auth(json!({"token": token, "recovery": "1"})), true),
    ];
    for (index, (builder, told)) in clients.into_iter().enumerate() {
        let mut client = builder.connect().await;
        assert_eq!(client.connect_reply().get("pid").is_some(), told, "{index}");
        say(&client, "x").await;
        let message = client.wait_event("message:broadcast", |_| true).await;
        assert_eq!(message.args.len(), if told { 2 } else { 1 }, "{index}");
        client.leave().await;
    }
}

#[tokio::test]
async fn a_pid_alone_opens_nothing() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("rec-pid", "c1").await;
    let (client, memory) = returning(a, "r1", "rec-pid").await;
    let stranger = Memory { token: a.token("rescuer", "r2", &["rec-pid"]), ..memory.clone() };
    let other_role = Memory { token: a.token("citizen", "r1", &["rec-pid"]), ..memory.clone() };
    let unknown = Memory { pid: "x".repeat(20), ..memory.clone() };
    let hostile = Memory { pid: "}{ \r\n".into(), offset: Some("sos:x".into()), ..memory.clone() };
    for mut thief in [stranger, other_role, unknown, hostile] {
        let gained = thief.back_as_new(b).await;
        gained.wait_count("sos:state", 1).await;
    }
    assert!(!client.is_closed(), "and nobody is disturbed");
    say(&client, "still here").await;
    // Without a good token there is no connection at all.
    let mut bad = Memory { token: "x".into(), ..memory };
    assert!(bad.try_back(b).await.is_err());
}

#[tokio::test]
async fn a_record_that_has_expired_or_went_with_everything_makes_a_new_connection() {
    let server = Server::start(&[]);
    let hub = Hub::start(&[("REDIS_URL", &server.url())]).await;
    for sos in ["rec-expired", "rec-flushed"] {
        hub.create_sos(sos, "c1").await;
        let (client, mut memory) = returning(&hub, "r1", sos).await;
        memory.cut(client);
        let record = format!("session:{{{}}}", memory.pid);
        let parked = redis::cmd("HGET").arg(&record).arg("parked").to_owned();
        eventually("it is kept for its client", || server.ask::<Option<u8>>(&parked) == Some(1)).await;
        server.tell(&if sos == "rec-expired" { format!("PEXPIRE {record} 0") } else { "FLUSHALL".to_owned() });
        let client = memory.back_as_new(&hub).await;
        client.wait_count("sos:state", 1).await;
    }
}

#[tokio::test]
async fn a_record_that_this_release_cannot_read_in_full_makes_a_new_connection() {
    let redis = Server::start(&[]);
    let url = redis.url();
    let (a, b) = (Hub::start(&[("REDIS_URL", &url)]).await, Hub::start(&[("REDIS_URL", &url)]).await);
    a.create_sos("rec-unknown", "c1").await;
    for (field, value) in [("r:nobody:x", "e 1-0"), ("r:a room", "e 1-0"), ("r:sos:y", "e"), ("sent", "?")] {
        let (client, mut memory) = returning(&a, "r1", "rec-unknown").await;
        memory.cut(client);
        let record = format!("session:{{{}}}", memory.pid);
        let parked = redis::cmd("HGET").arg(&record).arg("parked").to_owned();
        eventually("it is kept for its client", || redis.ask::<Option<u8>>(&parked) == Some(1)).await;
        redis.ask::<()>(redis::cmd("HSET").arg(&record).arg(field).arg(value));
        let client = memory.back_as_new(&b).await;
        client.wait_count("sos:state", 1).await;
    }
}

#[tokio::test]
async fn who_has_left_gets_a_new_connection() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("rec-left", "c1").await;
    let (client, mut memory) = returning(a, "r1", "rec-left").await;
    client.leave().await;
    // The record goes in the background.
    for _ in 0..100 {
        let (client, recovered) = memory.clone().try_back(b).await.unwrap();
        client.leave().await;
        if !recovered {
            break;
        }
    }
    memory.back_as_new(b).await;
}

#[tokio::test]
async fn a_room_that_was_left_is_not_entered_again_and_one_that_was_entered_is() {
    let Pair { a, b, .. } = pair().await;
    for sos in ["rec-room-1", "rec-room-2"] {
        a.create_sos(sos, "c1").await;
    }
    let (mut client, mut memory) = come(a, &a.token("dispatcher", "d1", &[])).await;
    client.ask_ok("sos:init", json!({"sosId": "rec-room-1"})).await;
    client.ask_ok("sos:init", json!({"sosId": "rec-room-2"})).await;
    client.ask_ok("sos:leave", json!({"sosId": "rec-room-1"})).await;
    client.wait("sos:state").await;
    memory.cut(client);
    let one = member(a, "citizen", "c1", "rec-room-1").await;
    let two = member(a, "citizen", "c1", "rec-room-2").await;
    say(&one, "in one").await;
    say(&two, "in two").await;
    let mut client = memory.back(b).await;
    assert_eq!(texts_until(&mut client, "in two").await, ["in two"]);
}

#[tokio::test]
async fn a_watcher_in_an_incident_of_its_own_misses_nothing_of_either() {
    let Pair { a, b, .. } = pair().await;
    for sos in ["rec-two-own", "rec-two-watched"] {
        a.create_sos(sos, "c1").await;
    }
    let (client, mut memory) = come(a, &a.token("dispatcher", "d1", &[])).await;
    client.ask_ok("sos:watch", json!({})).await;
    client.ask_ok("sos:init", json!({"sosId": "rec-two-own"})).await;
    let own = member(a, "citizen", "c1", "rec-two-own").await;
    let watched = member(b, "rescuer", "r9", "rec-two-watched").await;
    let (mut client, mut messages, mut statuses) = (client, Vec::new(), Vec::new());
    // One look, so that nothing comes between what is counted and where the client stands.
    let mut look = |client: &Client, memory: &mut Memory| {
        let events = client.events();
        messages.extend(texts_of(&events));
        let notes = events.iter().filter(|event| event.name == "sos:status:broadcast");
        statuses.extend(notes.map(|event| event.args[0]["note"].as_str().unwrap_or_default().to_owned()));
        memory.offset = last_offset_of(&events).or(memory.offset.take());
        (messages.clone(), statuses.clone())
    };
    let mut expected = (Vec::new(), Vec::new());
    for round in 0..20 {
        let (text, note) = (format!("m{round}"), format!("s{round}"));
        let status = ["assigned", "en_route", "responding"][round.min(2)];
        if watched.ask("sos:status:update", json!({"status": status, "note": note})).await["unchanged"] != true {
            expected.1.push(note);
        }
        say(&own, &text).await;
        expected.0.push(text);
        for hub in [a, b].into_iter().take(1 + round % 2) {
            look(&client, &mut memory);
            drop(client);
            client = memory.back(hub).await;
        }
    }
    let last = member(b, "rescuer", "r8", "rec-two-own").await;
    say(&last, "last").await;
    client.wait_for("message:broadcast", |message| message["text"] == "last").await;
    expected.0.push("last".into());
    assert_eq!(look(&client, &mut memory), expected);
}

#[tokio::test]
async fn a_log_that_is_gone_or_trimmed_makes_a_new_connection() {
    let redis = Server::start(&[]);
    let url = redis.url();
    let hub = Hub::start(&[("REDIS_URL", &url)]).await;
    for what in ["trimmed", "forgotten"] {
        let sos = &format!("rec-{what}");
        hub.create_sos(sos, "c1").await;
        let speaker = member(&hub, "citizen", "c1", sos).await;
        let (mut client, mut memory) = returning(&hub, "r1", sos).await;
        say(&speaker, "1").await;
        texts_until(&mut client, "1").await;
        memory.cut(client);
        say(&speaker, "2").await;
        if what == "trimmed" {
            redis.tell(&format!("HSET scope:meta:sos:{{{sos}}} trim 99999999999999-0"));
        } else {
            redis.tell(&format!("DEL scope:meta:sos:{{{sos}}}"));
        }
        let client = memory.back_as_new(&hub).await;
        client.wait_count("sos:state", 1).await;
    }
}

#[tokio::test]
async fn what_a_client_cannot_read_does_not_keep_it_from_coming_back() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("rec-poison", "c1").await;
    let speaker = member(a, "citizen", "c1", "rec-poison").await;
    let (mut client, mut memory) = returning(a, "r1", "rec-poison").await;
    say(&speaker, "1").await;
    texts_until(&mut client, "1").await;
    memory.cut(client);
    say(&speaker, "poison").await;
    let mut returns = 0;
    loop {
        let (client, recovered) = memory.try_back(if returns % 2 == 0 { a } else { b }).await.unwrap();
        if !recovered {
            break;
        }
        returns += 1;
        assert!(returns <= 3, "it is sent the same again and again");
        client.wait_count("message:broadcast", 1).await;
        // As the official client does with what it cannot decode: it closes, in good order.
        client.close().await;
    }
    assert_eq!(returns, 2);
}

#[tokio::test]
async fn who_closes_again_and_again_without_having_missed_anything_keeps_its_connection() {
    // Its absence is not announced, however long a return takes: that would be something missed.
    let redis = Server::start(&[]);
    let url = redis.url();
    let node =
        async |name: &str| Hub::start(&[("REDIS_URL", &*url), ("NODE_ID", name), ("PRESENCE_OFFLINE_SECONDS", "600")]).await;
    let (a, b) = tokio::join!(node("a"), node("b"));
    let (a, b) = (&a, &b);
    a.create_sos("rec-quiet", "c1").await;
    let speaker = member(a, "citizen", "c1", "rec-quiet").await;
    let (mut client, mut memory) = returning(a, "r1", "rec-quiet").await;
    say(&speaker, "1").await;
    texts_until(&mut client, "1").await;
    memory.cut(client);
    for hub in [a, b, a, b] {
        memory.back(hub).await.close().await;
    }
    say(&speaker, "2").await;
    assert_eq!(texts_until(&mut memory.back(a).await, "2").await, ["2"]);
}

/// Comes back by long-polling. Its next request is refused, as by a node that cannot reach this one: the client closes, and has
/// not fetched what it had missed.
async fn come_back_and_be_refused(hub: &Hub, metrics: u16, memory: &Memory) {
    let replayed = async || metric(metrics, "convoke_replayed_total").await;
    let before = replayed().await;
    let (http, url) = (http(), format!("{}/socket.io/?EIO=4&transport=polling&recovery=1", hub.url()));
    let open = http.get(&url).send().await.unwrap().text().await.unwrap();
    let url = format!("{url}&sid={}", sid_of(&open));
    let post = async |packet: String| assert_eq!(http.post(&url).body(packet).send().await.unwrap().status(), 200);
    post(format!("40{}", memory.auth())).await;
    within(async {
        while replayed().await == before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    post("1".into()).await;
}

#[tokio::test]
async fn who_closes_without_having_fetched_what_it_missed_keeps_its_connection() {
    let (redis, metrics) = (Server::start(&[]), free_port());
    let hub = Hub::start(&[("REDIS_URL", &redis.url()), ("METRICS_PORT", &metrics.to_string())]).await;
    hub.create_sos("rec-refused", "c1").await;
    let speaker = member(&hub, "citizen", "c1", "rec-refused").await;
    let (mut client, mut memory) = returning(&hub, "r1", "rec-refused").await;
    say(&speaker, "1").await;
    texts_until(&mut client, "1").await;
    memory.cut(client);
    say(&speaker, "2").await;
    for _ in 0..3 {
        come_back_and_be_refused(&hub, metrics, &memory).await;
    }
    assert_eq!(texts_until(&mut memory.back(&hub).await, "2").await, ["2"]);
}

#[tokio::test]
async fn the_official_client_gets_its_connection_back_on_whatever_node_with_either_parser() {
    const MESSAGES: usize = 120;
    let Pair { a, b, .. } = pair().await;
    for parser in ["text", "msgpack"] {
        let sos = &format!("rec-official-{parser}");
        a.create_sos(sos, "c1").await;
        let speaker = member(a, "citizen", "c1", sos).await;
        let token = a.token("rescuer", "r1", &[sos]);
        let mut client = Script::node("returning.mjs", &[&a.url(), &token, parser, &b.url()]);
        let (mut heard, mut returns, mut id) = (Vec::new(), 0, None);
        let mut said = 0;
        while heard.len() < MESSAGES {
            let line = client.line().await.expect("it lives");
            if let Some(connected) = line.strip_prefix("connected ") {
                let (recovered, now) = connected.split_once(' ').expect("two words");
                assert_eq!(recovered == "true", id.is_some(), "{line} after {} messages", heard.len());
                assert_eq!(*id.get_or_insert_with(|| now.to_owned()), now);
                returns += 1;
            }
            let Some(event) = line.strip_prefix("event ") else { continue };
            let event: serde_json::Value = serde_json::from_str(event).expect("JSON");
            match event[0].as_str() {
                // A member: from now on it may be cut at any time.
                Some("sos:state") => {}
                Some("message:broadcast") => heard.push(event[1]["text"].as_str().unwrap().to_owned()),
                _ => continue,
            }
            // Twice as fast as it is cut.
            for _ in 0..2 {
                if said < MESSAGES {
                    say(&speaker, &said.to_string()).await;
                    said += 1;
                }
            }
            if heard.len() % 10 == 9 {
                client.order("cut");
            }
        }
        let expected: Vec<String> = (0..MESSAGES).map(|number| number.to_string()).collect();
        assert_eq!(heard, expected, "{parser}");
        assert!(returns > 3, "{returns} returns");
    }
}
