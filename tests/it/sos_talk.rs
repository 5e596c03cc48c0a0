//! Messages, signals and repeats through sockets on two nodes.

use bytes::Bytes;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::incident::{client, member};
use super::support::pair::{Pair, pair};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_members_on_all_nodes_hear_one_and_the_same_order() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("talk-order", "c1").await;
    let mut clients = Vec::new();
    for (index, user) in ["r0", "r1", "r2", "r3"].into_iter().enumerate() {
        clients.push(member([a, b][index % 2], "rescuer", user, "talk-order").await);
    }
    join_all(clients.iter().enumerate().map(|(index, client)| async move {
        for n in 0..25 {
            client.ask_ok("message:send", json!({"text": format!("{index}-{n}")})).await;
        }
    }))
    .await;
    let mut orders = Vec::new();
    for client in &clients {
        let messages = client.wait_count("message:broadcast", 100).await;
        orders.push(messages.into_iter().map(|message| message["messageId"].clone()).collect::<Vec<_>>());
        for index in 0..4 {
            let start = format!("{index}-");
            let own: Vec<_> = client
                .received("message:broadcast")
                .into_iter()
                .filter_map(|message| message["text"].as_str().map(str::to_owned))
                .filter(|text| text.starts_with(&start))
                .collect();
            assert_eq!(own, (0..25).map(|n| format!("{index}-{n}")).collect::<Vec<_>>(), "each sender's own order is kept");
        }
    }
    assert!(orders.windows(2).all(|pair| pair[0] == pair[1]));

    // History, page by page from the newest, is the same order again.
    let mut read: Vec<Value> = Vec::new();
    let mut query = json!({"limit": 30});
    loop {
        let page = clients[3].ask_ok("message:history", query.clone()).await;
        let ids: Vec<_> =
            page["messages"].as_array().expect("a list").iter().map(|message| message["messageId"].clone()).collect();
        read.splice(0..0, ids);
        if page["nextBefore"].is_null() {
            break;
        }
        query["before"] = page["nextBefore"].clone();
    }
    assert_eq!(read, orders[0]);
    let all = clients[0].ask_ok("message:history", json!({"limit": 1000})).await;
    assert_eq!(all["messages"].as_array().map(Vec::len), Some(100), "100 at most");
    assert_eq!(clients[0].ask_ok("message:history", json!({})).await["messages"].as_array().map(Vec::len), Some(50));
    assert_eq!(all["messages"][99], *clients[1].received("message:broadcast").last().expect("one"), "as it was broadcast");
}

/// The events of a room that a write may cause, as many as a client has received.
fn effects(client: &super::support::client::Client) -> usize {
    let own =
        ["sos:status:broadcast", "sos:acknowledged", "message:broadcast", "location:broadcast", "signal", "offer", "sos:close"];
    client.events().iter().filter(|event| own.contains(&&*event.name)).count()
}

#[tokio::test]
async fn a_write_under_a_known_id_is_answered_again_and_done_once() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("talk-twice", "c1").await;
    let witness = member(a, "citizen", "c2", "talk-twice").await;
    let (one, two) = (member(a, "citizen", "c1", "talk-twice").await, member(b, "citizen", "c1", "talk-twice").await);
    let (r_one, r_two) = (member(a, "rescuer", "r1", "talk-twice").await, member(b, "rescuer", "r1", "talk-twice").await);
    let batch = json!([{"latitude": 5, "longitude": 5, "timestamp": 5}, 7]);
    let writes = [
        (&one, &two, "message:send", json!({"text": "once"}), 1),
        (&r_one, &r_two, "sos:ack", json!({}), 1),
        (&r_one, &r_two, "sos:status:update", json!({"status": "assigned"}), 1),
        (&one, &two, "location:update", json!({"latitude": 1, "longitude": 1}), 1),
        (&one, &two, "location:batch", json!({ "points": batch }), 0),
        (&one, &two, "signal", json!({"payload": "once"}), 1),
        (&one, &two, "offer", json!({"payload": "once"}), 1),
        (&one, &two, "sos:close", json!({"reason": "done"}), 2),
    ];
    for (index, (first, second, event, payload, heard)) in writes.iter().enumerate() {
        let mut payload = payload.clone();
        payload["clientMessageId"] = json!(format!("id-{index}"));
        let before = effects(&witness);
        let answer = first.ask_ok(event, payload.clone()).await;
        assert_eq!(answer["duplicate"], Value::Null, "{event}: {answer}");
        for repeater in [second, first] {
            let mut again = repeater.ask_ok(event, payload.clone()).await;
            assert_eq!(again["duplicate"], true, "{event}: {again}");
            again.as_object_mut().expect("an object").remove("duplicate");
            assert_eq!(again, answer, "{event}: the first answer again");
        }
        // A marker that follows in the same order; after the end there is none, and nothing but the end is awaited.
        if *event == "sos:close" {
            witness.wait_count("sos:close", 1).await;
        } else {
            let marker = format!("after {event}");
            r_one.ask_ok("answer", json!({"payload": marker})).await;
            witness.wait_count("answer", index + 1).await;
        }
        witness.settle().await;
        assert_eq!(effects(&witness) - before, *heard, "{event} has one effect");
    }
    // Repeats are answered after the end too; anything new is not.
    let again = two.ask_ok("message:send", json!({"text": "once", "clientMessageId": "id-0"})).await;
    assert_eq!(again["duplicate"], true);
    assert_eq!(two.ask("message:send", json!({"text": "once", "clientMessageId": "new"})).await["code"], "SOS_CLOSED");
    // An id is a user's own.
    assert_eq!(witness.ask("message:send", json!({"text": "once", "clientMessageId": "id-0"})).await["code"], "SOS_CLOSED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_under_one_id_one_is_done() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("talk-race", "c1").await;
    let (one, two) = (member(a, "citizen", "c1", "talk-race").await, member(b, "citizen", "c1", "talk-race").await);
    let send =
        |n: usize| [&one, &two][n % 2].ask_ok("message:send", json!({"text": format!("try {n}"), "clientMessageId": "same"}));
    let replies = join_all((0..20).map(send)).await;
    assert_eq!(replies.iter().filter(|reply| reply["duplicate"].is_null()).count(), 1);
    assert!(
        replies
            .iter()
            .all(|reply| reply["messageId"] == replies[0]["messageId"] && reply["timestamp"] == replies[0]["timestamp"])
    );
    let history = one.ask_ok("message:history", json!({})).await;
    assert_eq!(history["messages"].as_array().map(Vec::len), Some(1));
    // The internal API has ids of its own.
    let body = json!({"text": "x", "userId": "c9", "clientMessageId": "same"});
    assert_eq!(a.internal(Method::POST, "/sos/talk-race/messages", Some(body)).await.0, 201);
}

#[tokio::test]
async fn signals_go_to_all_others_to_a_user_or_to_a_socket_with_what_they_carry() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("talk-rtc", "c1").await;
    let citizen = member(a, "citizen", "c1", "talk-rtc").await;
    let mut phone = member(b, "rescuer", "r1", "talk-rtc").await;
    let mut tablet = member(a, "rescuer", "r1", "talk-rtc").await;
    let mut other = member(b, "rescuer", "r2", "talk-rtc").await;
    let payload = json!({"sdp": "v=0\r\n…", "n": [1.5, -0.25, null, true, {"": ""}], "big": 9007199254740992_u64});
    for event in ["offer", "answer", "iceCandidate", "signal"] {
        citizen.ask_ok(event, json!({"payload": payload})).await;
        let expected = json!({"socketId": citizen.sid(), "userId": "c1", "payload": payload});
        for client in [&mut phone, &mut tablet, &mut other] {
            assert_eq!(client.wait(event).await, expected, "{event}");
        }
        citizen.ask_ok(event, json!({"payload": "to r1", "to": "r1"})).await;
        for client in [&mut phone, &mut tablet] {
            assert_eq!(client.wait(event).await["payload"], "to r1");
        }
        citizen.ask_ok(event, json!({"payload": "to the phone", "to": phone.sid()})).await;
        assert_eq!(phone.wait(event).await["payload"], "to the phone");
        phone.ask_ok(event, json!({"payload": "to my own other device", "to": "r1"})).await;
        assert_eq!(tablet.wait(event).await["payload"], "to my own other device");
    }
    let placeholder = |num: usize| json!({"_placeholder": true, "num": num});
    let attachments = [Bytes::from_static(b"\0\x01\xff"), Bytes::from_static(b"")];
    citizen.emit_binary("signal", &[json!({"payload": {"b": [placeholder(1), placeholder(0)]}})], &attachments);
    for client in [&mut phone, &mut tablet, &mut other] {
        let event = client.wait_event("signal", |args| args["payload"]["b"].is_array()).await;
        let order: Vec<_> = event.args[0]["payload"]["b"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|at| event.attachments[at["num"].as_u64().expect("a number") as usize].clone())
            .collect();
        assert_eq!(order, [attachments[1].clone(), attachments[0].clone()]);
    }
    for to in ["nobody", "_", "@cjE", "sos:talk-rtc", "*"] {
        assert_eq!(citizen.ask("signal", json!({"payload": 1, "to": to})).await["code"], "INVALID_PAYLOAD", "{to}");
    }
    other.ask_ok("sos:leave", json!({})).await;
    assert_eq!(citizen.ask("signal", json!({"payload": 1, "to": other.sid()})).await["code"], "INVALID_PAYLOAD", "it has left");
    assert_eq!(other.ask("signal", json!({"payload": 1})).await["code"], "FORBIDDEN");
    for event in ["offer", "answer", "iceCandidate", "signal"] {
        assert!(citizen.received(event).is_empty(), "the sender hears nothing");
        assert_eq!(tablet.received(event).iter().filter(|event| event["payload"] == "to the phone").count(), 0);
        assert_eq!(phone.received(event).iter().filter(|event| event["payload"] == "to my own other device").count(), 0);
        assert!(other.received(event).iter().all(|event| event["payload"] == payload || event["payload"]["b"].is_array()));
    }
}

#[tokio::test]
async fn pings_and_heartbeats_need_no_incident() {
    let Pair { a, .. } = pair().await;
    let mut client = client(a, "admin", "a1", &[]).await;
    for data in [json!({}), json!({"n": 1, "nested": {"a": [1, null]}, "respondedAt": "forged", "quote\"": "\\"})] {
        client.emit("ping", data.clone());
        let mut pong = client.wait("pong").await;
        assert!(pong["respondedAt"].take().is_u64());
        let mut expected = data;
        expected["respondedAt"] = Value::Null;
        assert_eq!(pong, expected);
    }
    client.emit_args("ping", &[]);
    assert!(client.wait("pong").await["respondedAt"].is_u64());
    let reply = client.ask_ok("heartbeat", Value::Null).await;
    assert_eq!(client.wait("heartbeat:ack").await["timestamp"], reply["timestamp"]);
    assert_eq!(client.ask("ping", json!([1])).await["code"], "INVALID_PAYLOAD");
    assert_eq!(client.ask("heartbeat", json!("x")).await["code"], "INVALID_PAYLOAD");
}
