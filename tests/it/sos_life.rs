//! The life of an incident, told through sockets on two nodes.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::support::client::{Client, Received};
use super::support::hub::{Hub, now_seconds};
use super::support::incident::{client, member};
use super::support::pair::{ACK_SECONDS, OFFLINE_SECONDS, Pair, pair};
use super::support::{eventually, eventually_asked};

async fn post(hub: &Hub, path: &str, body: Value) {
    let (status, answer) = hub.internal(Method::POST, path, Some(body)).await;
    assert!(status < 300, "{path} was answered {status} {answer}");
}

async fn state(hub: &Hub, sos: &str) -> Value {
    hub.internal(Method::GET, &format!("/sos/{sos}/state"), None).await.1["data"].take()
}

/// Whether a presence update shows a user in this way; `None`: not at all.
fn shows(user: &'static str, online: Option<bool>) -> impl Fn(&Value) -> bool {
    move |event| {
        let members = event["members"].as_array().expect("a list");
        let member = members.iter().find(|member| member["userId"] == user);
        member.and_then(|member| member["online"].as_bool()) == online
    }
}

#[tokio::test]
async fn each_socket_that_becomes_a_member_is_announced_once_on_both_nodes() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("life-join", "c1").await;
    let mut citizen = member(a, "citizen", "c1", "life-join").await;
    let mut rescuer = member(b, "rescuer", "r1", "life-join").await;
    let joined = citizen.wait_for("sos:init", |event| event["userId"] == "r1").await;
    let fields = (&joined["role"], &joined["sosId"], &joined["action"], joined["timestamp"].is_u64());
    assert_eq!(fields, (&json!("rescuer"), &json!("life-join"), &json!("user_joined"), true));
    for _ in 0..3 {
        let reply = rescuer.ask_ok("sos:init", json!({})).await;
        let sent = rescuer.received("sos:state").pop().expect("a state");
        assert_eq!(reply["data"], sent, "ack and sos:state are the same");
        assert_eq!((&sent["sosId"], &sent["citizenId"], &sent["status"]), (&json!("life-join"), &json!("c1"), &json!("active")));
        assert_eq!(sent["members"].as_array().map(Vec::len), Some(2));
    }
    // A second device of the same user is another socket, and one member.
    let second = member(a, "rescuer", "r1", "life-join").await;
    second.ask_ok("message:send", json!({"text": "marker"})).await;
    for client in [&mut citizen, &mut rescuer] {
        client.wait("message:broadcast").await;
        let joins = client.received("sos:init").into_iter().filter(|event| event["userId"] == "r1").count();
        assert_eq!(joins, 2, "once for each socket");
        let has_two = |member: &Value| member["userId"] == "r1" && member["sockets"] == 2;
        client.wait_for("presence:update", |told| told["members"].as_array().expect("a list").iter().any(has_two)).await;
    }
    // Leaving with one device keeps the other; the leave of the last one shows at once.
    second.ask_ok("sos:leave", json!({})).await;
    rescuer.ask_ok("message:send", json!({"text": "still a member"})).await;
    rescuer.ask_ok("sos:leave", json!({})).await;
    citizen.wait_for("presence:update", shows("r1", None)).await;
    assert_eq!(rescuer.ask("message:send", json!({"text": "x"})).await["code"], "FORBIDDEN");
    citizen.ask_ok("message:send", json!({"text": "after"})).await;
    citizen.wait_for("message:broadcast", |message| message["text"] == "after").await;
    rescuer.ask_ok("sos:init", json!({})).await;
    assert!(rescuer.received("message:broadcast").iter().all(|message| message["text"] != "after"));
}

#[tokio::test]
async fn several_rescuers_move_an_incident_to_its_end() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("life-full", "c1").await;
    let mut citizen = member(a, "citizen", "c1", "life-full").await;
    let (one, two) = (member(b, "rescuer", "r1", "life-full").await, member(a, "rescuer", "r2", "life-full").await);
    let dispatcher = client(b, "dispatcher", "d1", &[]).await;

    // Who, what it asks for, the incident before and after.
    let steps = [
        (&one, "r1", "ASSIGNED", "active", "assigned"),
        (&two, "r2", "assigned", "assigned", "assigned"),
        (&one, "r1", "En_Route", "assigned", "en_route"),
        (&two, "r2", "responding", "en_route", "responding"),
        (&one, "r1", "arrived", "responding", "responding"),
        (&two, "r2", "resolved", "responding", "resolved"),
        (&two, "r2", "completed", "resolved", "completed"),
        (&one, "r1", "responding", "completed", "completed"),
    ];
    for (rescuer, user, asked, before, after) in steps {
        let reply = rescuer.ask_ok("sos:status:update", json!({"status": asked, "note": "so it is"})).await;
        assert_eq!((&reply["status"], &reply["oldStatus"]), (&json!(after), &json!(before)));
        let mut event = citizen.wait("sos:status:broadcast").await;
        assert!(event["timestamp"].take().is_u64());
        let expected = json!({
            "sosId": "life-full", "status": after, "oldStatus": before, "updatedBy": user, "responderId": user,
            "responderStatus": asked.to_lowercase(), "note": "so it is", "timestamp": null,
        });
        assert_eq!(event, expected);
        let again = rescuer.ask_ok("sos:status:update", json!({"status": asked})).await;
        assert_eq!((&again["unchanged"], &again["status"]), (&json!(true), &json!(after)));
    }
    for (rescuer, asked, code) in [
        (&one, "assigned", "INVALID_TRANSITION"),
        (&two, "en_route", "INVALID_TRANSITION"),
        (&one, "fake", "FORBIDDEN"),
        (&two, "cancelled", "FORBIDDEN"),
        (&one, "nonsense", "INVALID_STATUS"),
    ] {
        assert_eq!(rescuer.ask("sos:status:update", json!({"status": asked})).await["code"], code, "{asked}");
    }
    let now = state(b, "life-full").await;
    let responders = now["responders"].as_array().expect("a list");
    let entry = |user: &str| responders.iter().find(|entry| entry["userId"] == user).expect("an entry");
    assert_eq!((&entry("r1")["status"], &entry("r2")["status"]), (&json!("responding"), &json!("completed")));
    assert!(entry("r1")["assignedAt"].is_u64() && entry("r1")["arrivedAt"].is_u64() && entry("r2")["arrivedAt"].is_null());

    // The table does not bind a dispatcher, and its updates name no responder.
    dispatcher.ask_ok("sos:status:update", json!({"sosId": "life-full", "status": "active"})).await;
    let event = citizen.wait("sos:status:broadcast").await;
    assert_eq!((&event["status"], &event["responderId"], &event["note"]), (&json!("active"), &Value::Null, &Value::Null));

    dispatcher.ask_ok("sos:status:update", json!({"sosId": "life-full", "status": "rejected", "note": "a drill"})).await;
    for client in [&citizen, &one, &two] {
        let close = client.wait_count("sos:close", 1).await.remove(0);
        let facts = (&close["status"], &close["closedBy"], &close["reason"]);
        assert_eq!(facts, (&json!("rejected"), &json!("d1"), &json!("a drill")));
        let events = client.events().into_iter().map(|event| event.name);
        let names: Vec<_> = events.filter(|name| name != "presence:update").collect();
        assert_eq!(names[names.len() - 2..], ["sos:status:broadcast", "sos:close"], "the status comes first");
    }
    // Nothing reopens it, and its room is empty.
    for status in ["active", "assigned", "closed", "cancelled"] {
        let reply = dispatcher.ask("sos:status:update", json!({"sosId": "life-full", "status": status})).await;
        assert_eq!(reply["code"], "SOS_CLOSED", "{status}");
    }
    let closed = dispatcher.ask_ok("sos:close", json!({"sosId": "life-full"})).await;
    assert_eq!((&closed["unchanged"], &closed["status"]), (&json!(true), &json!("rejected")));
    let over = citizen.ask_ok("sos:init", json!({})).await["data"].take();
    assert_eq!((&over["status"], &over["members"], &over["closedBy"]), (&json!("rejected"), &json!([]), &json!("d1")));
    assert_eq!(citizen.ask("message:send", json!({"text": "x"})).await["code"], "SOS_CLOSED", "init joined nothing");
    let (_, trail) = a.internal(Method::GET, "/sos/life-full/events?limit=1000", None).await;
    for word in ["join", "assignment", "status", "refusal", "close"] {
        assert!(trail.to_string().contains(word), "the trail has no {word}: {trail}");
    }
}

#[tokio::test]
async fn what_the_service_says_of_an_incident_reaches_sockets_and_binds_them() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("life-api", "c1").await;
    let mut citizen = member(b, "citizen", "c1", "life-api").await;
    post(a, "/sos/life-api/status", json!({"status": "Resolved", "updatedBy": "ops"})).await;
    let event = citizen.wait("sos:status:broadcast").await;
    assert_eq!(
        (&event["status"], &event["oldStatus"], &event["updatedBy"]),
        (&json!("resolved"), &json!("active"), &json!("ops"))
    );
    post(a, "/sos/life-api/status", json!({"status": "resolved", "updatedBy": "ops"})).await;
    post(a, "/sos/life-api/messages", json!({"text": "from the service"})).await;
    let message = citizen.wait("message:broadcast").await;
    assert_eq!((&message["role"], &message["text"]), (&json!("system"), &json!("from the service")));
    assert_eq!(citizen.received("sos:status:broadcast").len(), 1, "the present status is no news");
    assert_eq!(citizen.ask("sos:status:update", json!({"status": "cancelled"})).await["code"], "INVALID_TRANSITION");
    post(a, "/sos/life-api/close", json!({"closedBy": "ops", "reason": "done"})).await;
    assert_eq!(citizen.wait("sos:close").await["reason"], "done");
    post(a, "/sos/life-api/close", json!({"closedBy": "other"})).await;
    post(a, "/sos/life-api/status", json!({"status": "fake", "updatedBy": "ops"})).await;
    let over = citizen.ask_ok("sos:init", json!({})).await["data"].take();
    assert_eq!((&over["status"], &over["closedBy"]), (&json!("fake"), &json!("ops")));
    assert_eq!(citizen.received("sos:close").len(), 1);
}

#[tokio::test]
async fn the_first_acknowledgement_counts_and_the_lack_of_one_is_told_to_watchers_once() {
    let Pair { a, b, .. } = pair().await;
    let mut watchers = [client(a, "dispatcher", "d1", &[]).await, client(b, "admin", "a1", &[]).await];
    for watcher in &watchers {
        watcher.ask_ok("sos:watch", json!({})).await;
    }
    let dispatcher = client(a, "dispatcher", "d2", &[]).await;
    // Another one where the machine was too slow to acknowledge it in time.
    let mut round = 0;
    let (seen, mut rescuer, mut citizen) = loop {
        let seen = format!("life-seen-{round}");
        let created = Instant::now();
        a.create_sos(&seen, "c1").await;
        let (rescuer, citizen) = (member(b, "rescuer", "r1", &seen).await, member(a, "citizen", "c1", &seen).await);
        rescuer.ask_ok("sos:ack", json!({})).await;
        if created.elapsed() < Duration::from_secs(ACK_SECONDS) {
            break (seen, rescuer, citizen);
        }
        round += 1;
    };
    a.create_sos("life-unseen", "c1").await;
    let later = dispatcher.ask_ok("sos:ack", json!({"sosId": seen})).await;
    assert_eq!((&later["unchanged"], &later["acknowledgedBy"]), (&json!(true), &json!("r1")));
    for client in [&mut citizen, &mut rescuer] {
        let told = client.wait("sos:acknowledged").await;
        assert_eq!((&told["userId"], &told["role"], &told["sosId"]), (&json!("r1"), &json!("rescuer"), &json!(seen)));
    }
    let known = state(b, &seen).await;
    assert_eq!((&known["acknowledgedBy"], known["acknowledgedAt"].is_u64()), (&json!("r1"), true));

    for watcher in &mut watchers {
        let event = watcher.wait_for("sos:unacknowledged", |event| event["sosId"] == "life-unseen").await;
        assert!(event["timestamp"].is_u64(), "{event}");
    }
    dispatcher.ask_ok("sos:close", json!({"sosId": "life-unseen"})).await;
    for watcher in &mut watchers {
        watcher.wait_for("sos:close", |event| event["sosId"] == "life-unseen").await;
        let told = watcher.received("sos:unacknowledged");
        let of = |sos: &str| told.iter().filter(|event| event["sosId"] == sos).count();
        assert_eq!((of("life-unseen"), of(&seen)), (1, 0));
    }
}

#[tokio::test]
async fn a_watcher_hears_of_every_incident_once_member_or_not_until_it_unwatches() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("life-w0", "c0").await;
    let (mut outside, mut inside, mut former) =
        (client(b, "dispatcher", "d1", &[]).await, client(a, "admin", "a1", &[]).await, client(a, "dispatcher", "d3", &[]).await);
    for watcher in [&outside, &inside, &former] {
        let active = watcher.ask_ok("sos:watch", json!({})).await["active"].take();
        let standing = active.as_array().expect("a list").iter().find(|state| state["sosId"] == "life-w0").expect("it stands");
        assert_eq!((&standing["citizenId"], standing["members"].is_array()), (&json!("c0"), true));
        watcher.ask_ok("sos:watch", json!({})).await;
    }
    a.create_sos("life-w1", "c1").await;
    for watcher in [&mut outside, &mut inside, &mut former] {
        let created = watcher.wait_for("sos:created", |state| state["sosId"] == "life-w1").await;
        assert_eq!(
            (&created["citizenId"], &created["status"], created["locations"].is_array()),
            (&json!("c1"), &json!("active"), true)
        );
    }
    former.ask_ok("sos:unwatch", json!({})).await;
    former.ask_ok("sos:unwatch", json!({})).await;
    inside.ask_ok("sos:init", json!({"sosId": "life-w1"})).await;
    let rescuer = member(b, "rescuer", "r1", "life-w1").await;
    rescuer.ask_ok("sos:status:update", json!({"status": "assigned"})).await;
    inside.ask_ok("sos:close", json!({"sosId": "life-w1"})).await;
    a.create_sos("life-w2", "c1").await;
    post(a, "/sos/life-w2/close", json!({"closedBy": "x"})).await;
    for watcher in [&mut outside, &mut inside] {
        // All copies come in one order, so none for the first incident is on its way any more. A member has that one's own events.
        for sos in ["life-w1", "life-w2"] {
            watcher.wait_for("sos:close", |event| event["sosId"] == sos).await;
        }
        let count = |event: &str| watcher.received(event).iter().filter(|event| event["sosId"] == "life-w1").count();
        assert_eq!((count("sos:created"), count("sos:status:broadcast"), count("sos:close")), (1, 2, 1));
    }
    former.settle().await;
    // It heard of other tests' incidents while it watched.
    let heard = |event: &str, sos: &str| former.received(event).iter().any(|event| event["sosId"] == sos);
    assert!(!heard("sos:close", "life-w1") && !heard("sos:created", "life-w2") && !heard("sos:close", "life-w2"));
}

#[tokio::test]
async fn positions_through_two_nodes_come_once_a_second_in_order_and_the_newest_last() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("life-loc", "c1").await;
    let phones = [member(a, "citizen", "c1", "life-loc").await, member(b, "citizen", "c1", "life-loc").await];
    let mut others = [member(a, "rescuer", "r1", "life-loc").await, member(b, "rescuer", "r2", "life-loc").await];
    let mut coalesced = 0;
    let start = Instant::now();
    let (mut last, first) = (0, now_seconds() * 1000 - 3_600_000);
    while start.elapsed() < Duration::from_millis(2500) {
        last += 1;
        let reply = phones[last % 2]
            .ask_ok(
                "location:update",
                json!({"latitude": 0, "longitude": last as f64 / 1000.0, "timestamp": first + last as u64}),
            )
            .await;
        coalesced += usize::from(reply["coalesced"] == true);
    }
    // Of an own window, whoever else is throttled.
    others[0]
        .ask_ok("location:update", json!({"latitude": -90, "longitude": 180, "accuracy": 0, "speed": 1.5, "heading": 360}))
        .await;
    let newest = last as f64 / 1000.0;
    for client in &mut others {
        client.wait_for("location:broadcast", |fix| fix["userId"] == "c1" && fix["longitude"] == newest).await;
        let fixes: Vec<_> = client.received("location:broadcast").into_iter().filter(|fix| fix["userId"] == "c1").collect();
        let field = |name: &str| fixes.iter().map(|fix| fix[name].as_f64().expect("a number")).collect::<Vec<_>>();
        assert!(field("longitude").is_sorted_by(|a, b| a < b), "in order, none twice: {fixes:?}");
        assert!(field("timestamp").windows(2).all(|pair| pair[1] - pair[0] >= 1000.0), "at most one a second: {fixes:?}");
        assert_eq!(fixes.last().expect("one")["longitude"], newest);
        assert!(fixes.len() <= start.elapsed().as_secs() as usize + 2);
        let edge = client.wait_for("location:broadcast", |fix| fix["userId"] == "r1").await;
        assert_eq!((&edge["latitude"], &edge["longitude"], &edge["altitude"]), (&json!(-90), &json!(180), &Value::Null));
        assert_eq!((&edge["accuracy"], &edge["heading"], &edge["role"]), (&json!(0), &json!(360), &json!("rescuer")));
    }
    assert!(coalesced > 0);
    for phone in &phones {
        phone.wait_count("location:broadcast", 2).await;
    }
    let (_, track) = b.internal(Method::GET, "/sos/life-loc/track?userId=c1&limit=10000", None).await;
    let points = track["data"]["points"].as_array().expect("a list");
    assert_eq!(points.len(), last, "every fix is stored");
    let state = state(a, "life-loc").await;
    let known = state["locations"].as_array().expect("a list").iter().find(|fix| fix["userId"] == "c1").expect("a fix");
    assert_eq!((&known["longitude"], known["ageMs"].is_u64()), (&json!(newest), true));
}

#[tokio::test]
async fn a_backfill_is_taken_point_by_point_and_only_news_is_broadcast() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("life-batch", "c1").await;
    let citizen = member(a, "citizen", "c1", "life-batch").await;
    let mut rescuer = member(b, "rescuer", "r1", "life-batch").await;
    let now = now_seconds() * 1000;
    let point = |longitude: u64, timestamp: u64| json!({"latitude": 1, "longitude": longitude, "timestamp": timestamp});
    citizen.ask_ok("location:update", point(50, now)).await;
    rescuer.wait("location:broadcast").await;
    let old: Vec<_> = (1..=500).map(|n| point(n % 180, now - 600_000 + n)).collect();
    let reply = citizen.ask_ok("location:batch", json!({"points": old})).await;
    assert_eq!(reply, json!({"ok": true, "accepted": 500, "duplicates": 0, "rejected": []}));
    let mixed = json!({"points": [
        old[0], point(1, now - 1), {"latitude": 1, "longitude": 1}, {"latitude": 91, "longitude": 1, "timestamp": now}, null, 7,
        point(60, now + 1), "x", point(2, now - 2), [],
    ]});
    let reply = citizen.ask_ok("location:batch", mixed.clone()).await;
    let rejected: Vec<_> = [2, 3, 4, 5, 7, 9].map(|index| json!({"index": index, "code": "INVALID_LOCATION"})).into();
    assert_eq!(reply, json!({"ok": true, "accepted": 3, "duplicates": 1, "rejected": rejected}));
    let newest = rescuer.wait("location:broadcast").await;
    assert_eq!((&newest["longitude"], &newest["fixTime"]), (&json!(60), &json!(now + 1)));
    assert_eq!(citizen.ask_ok("location:batch", json!({"points": []})).await["accepted"], 0);
    let many: Vec<_> = (0..501).map(|n| point(1, now - n)).collect();
    for points in [json!(many), json!("x"), json!({}), json!(5), Value::Null] {
        assert_eq!(citizen.ask("location:batch", json!({"points": points})).await["code"], "INVALID_PAYLOAD");
    }
    citizen.ask_ok("sos:close", json!({})).await;
    rescuer.wait("sos:close").await;
    let late = citizen.ask_ok("location:batch", json!({"points": [point(70, now + 2), old[3]]})).await;
    assert_eq!((&late["accepted"], &late["duplicates"]), (&json!(1), &json!(1)));
    let (_, track) = a.internal(Method::GET, "/sos/life-batch/track?limit=10000", None).await;
    assert_eq!(track["data"]["points"].as_array().map(Vec::len), Some(505));
    rescuer.settle().await;
    assert_eq!(rescuer.received("location:broadcast").len(), 2, "an older fix is no news, nor is one after the end");
}

#[tokio::test]
async fn a_lost_connection_is_announced_after_its_grace_unless_it_comes_back() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("life-lost", "c1").await;
    let mut citizen = member(a, "citizen", "c1", "life-lost").await;
    let mut rescuer = member(b, "rescuer", "r1", "life-lost").await;
    citizen.wait_for("presence:update", shows("r1", Some(true))).await;
    // Back in time, as often as the machine is quick enough.
    loop {
        let start = Instant::now();
        drop(rescuer);
        rescuer = member(a, "rescuer", "r1", "life-lost").await;
        if start.elapsed() < Duration::from_secs(OFFLINE_SECONDS) / 2 {
            break;
        }
    }
    // A slow round above may have been announced, at the latest before this: only what comes from here on counts.
    citizen.ask_ok("message:send", json!({"text": "marker"})).await;
    citizen.wait_for("message:broadcast", |message| message["text"] == "marker").await;
    let before = citizen.events().len();
    let offline = |citizen: &Client| {
        let gone = |event: &&Received| event.name == "presence:update" && shows("r1", Some(false))(&event.args[0]);
        citizen.events()[before..].iter().filter(gone).count()
    };
    let lost = Instant::now();
    drop(rescuer);
    eventually("r1 is announced as offline", || offline(&citizen) > 0).await;
    assert!(lost.elapsed() >= Duration::from_secs(OFFLINE_SECONDS), "not before the grace");
    citizen.settle().await;
    assert_eq!(offline(&citizen), 1, "once, and not for the connection that came back");
    let rescuer = member(b, "rescuer", "r1", "life-lost").await;
    eventually("it is announced as online", || {
        let told = citizen.received("presence:update").pop().expect("an update");
        shows("r1", Some(true))(&told)
    })
    .await;
    let is_online = async |user: &str| {
        let (status, presence) = a.internal(Method::GET, &format!("/users/{user}/presence"), None).await;
        assert_eq!(status, 200, "{presence}");
        presence["data"]["online"] == true
    };
    eventually_asked("the user is online", async || is_online("r1").await).await;
    assert!(!is_online("life-nobody").await);
    drop(rescuer);
}

#[tokio::test]
async fn sockets_that_come_and_go_in_a_hurry_leave_nobody_behind() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("life-hurry", "c1").await;
    let mut citizen = member(a, "citizen", "c1", "life-hurry").await;
    for round in 0..40 {
        let hub = [a, b][round % 2];
        let client = client(hub, "rescuer", "hasty", &["life-hurry"]).await;
        match round % 4 {
            0 => drop(client),
            1 => client.leave().await,
            2 => client.emit("sos:leave", json!({})),
            _ => {
                client.emit("sos:init", json!({}));
                client.leave().await;
            }
        }
    }
    citizen.wait_for("presence:update", shows("hasty", Some(true))).await;
    eventually_asked("nobody is there any more", async || {
        let state = state(b, "life-hurry").await;
        let hasty = state["members"].as_array().expect("a list").iter().find(|member| member["userId"] == "hasty").cloned();
        hasty.is_none_or(|member| member["online"] == false && member["sockets"] == 0)
    })
    .await;
    eventually_asked("nor does the user have a socket anywhere", async || {
        let (_, presence) = a.internal(Method::GET, "/users/hasty/presence", None).await;
        (&presence["data"]["online"], &presence["data"]["sockets"]) == (&json!(false), &json!(0))
    })
    .await;
}

#[tokio::test]
async fn admissions_and_removals_reach_live_sockets_on_other_nodes_at_once() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("life-adm", "c1").await;
    let mut citizen = member(a, "citizen", "c1", "life-adm").await;
    let sockets = [client(b, "citizen", "x1", &["life-adm"]).await, client(a, "citizen", "x1", &["life-adm"]).await];
    let [mut here, mut there] = sockets;
    for socket in [&here, &there] {
        socket.wait_count("sos:state", 1).await;
        assert_eq!(socket.ask("sos:ack", json!({})).await["code"], "FORBIDDEN");
    }
    // A live member gets its new role.
    post(a, "/sos/life-adm/members", json!({"userId": "x1", "role": "rescuer"})).await;
    citizen
        .wait_for("presence:update", |event| {
            event["members"]
                .as_array()
                .expect("a list")
                .iter()
                .any(|member| member["userId"] == "x1" && member["role"] == "rescuer")
        })
        .await;
    for socket in [&mut here, &mut there] {
        socket.wait_for("presence:update", |event| event["members"].to_string().contains("rescuer")).await;
    }
    here.ask_ok("sos:status:update", json!({"status": "assigned"})).await;
    there.ask_ok("sos:ack", json!({})).await;
    here.ask_ok("message:send", json!({"text": "as a rescuer"})).await;
    assert_eq!(citizen.wait("message:broadcast").await["role"], "rescuer");

    // A removal ends both memberships, and outranks the token.
    let (status, _) = b.internal(Method::DELETE, "/sos/life-adm/members/x1", None).await;
    assert!(status < 300);
    citizen.wait_for("presence:update", shows("x1", None)).await;
    for socket in [&here, &there] {
        socket.wait_count("error", 1).await;
        let error = socket.received("error").pop().expect("an error");
        assert_eq!((&error["code"], &error["sosId"]), (&json!("FORBIDDEN"), &json!("life-adm")));
        for event in ["sos:init", "message:history", "sos:ack"] {
            assert_eq!(socket.ask(event, json!({})).await["code"], "FORBIDDEN", "{event}");
        }
        assert_eq!(socket.ask_ok("sos:leave", json!({})).await["unchanged"], true);
    }
    citizen.ask_ok("message:send", json!({"text": "not for x1"})).await;
    citizen.wait_for("message:broadcast", |message| message["text"] == "not for x1").await;
    let mut again = client(b, "citizen", "x1", &["life-adm"]).await;
    assert_eq!(again.wait("error").await["code"], "FORBIDDEN", "nor does a new connection get in");

    // The next admission counts again.
    post(b, "/sos/life-adm/members", json!({"userId": "x1", "role": "citizen"})).await;
    here.ask_ok("sos:init", json!({})).await;
    here.ask_ok("message:send", json!({"text": "back"})).await;
    assert_eq!(here.wait_for("message:broadcast", |message| message["text"] == "back").await["role"], "citizen");
    for socket in [&here, &there] {
        assert!(!socket.is_closed());
        assert!(socket.received("message:broadcast").iter().all(|message| message["text"] != "not for x1"));
    }
}

#[tokio::test]
async fn a_member_without_a_state_gets_it_as_soon_as_there_is_one() {
    let Pair { a, b, .. } = pair().await;
    // No SOS service: who holds a token for the incident gets in with a provisional state.
    let mut citizen = client(b, "citizen", "c1", &["life-early"]).await;
    let early = citizen.wait("sos:state").await;
    assert_eq!((&early["provisional"], &early["citizenId"], &early["status"]), (&json!(true), &json!("c1"), &json!("active")));
    let stranger = client(a, "dispatcher", "d1", &[]).await;
    assert_eq!(stranger.ask("sos:init", json!({"sosId": "life-never"})).await["code"], "UNAVAILABLE");
    post(
        a,
        "/sos/init",
        json!({"sosId": "life-early", "citizenId": "c1", "type": "fire", "location": {"latitude": 3, "longitude": 4}}),
    )
    .await;
    let full = citizen.wait_for("sos:state", |state| state["provisional"] != true).await;
    assert_eq!((&full["type"], &full["locations"][0]["latitude"]), (&json!("fire"), &json!(3)));
}

#[tokio::test]
async fn users_with_hostile_names_are_users_like_others() {
    let Pair { a, b, .. } = pair().await;
    let names = ["a b", "-", "_", "@x", "u:1\n2", "\"},{\"", "%s%d", "{tag}", "héé€😀", "__proto__", "*", "1"];
    a.create_sos("life-names", "c1").await;
    let citizen = member(a, "citizen", "c1", "life-names").await;
    let mut clients: Vec<Client> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        clients.push(member(if index % 2 == 0 { b } else { a }, "rescuer", name, "life-names").await);
    }
    for (client, name) in clients.iter().zip(names) {
        client.ask_ok("sos:status:update", json!({"status": "assigned"})).await;
        client.ask_ok("location:update", json!({"latitude": 1, "longitude": 1, "deviceId": format!("{name} : {name}")})).await;
        client.ask_ok("message:send", json!({"text": name, "clientMessageId": name})).await;
        assert_eq!(client.ask_ok("message:send", json!({"text": name, "clientMessageId": name})).await["duplicate"], true);
        citizen.ask_ok("signal", json!({"payload": name, "to": name})).await;
    }
    for (client, name) in clients.iter_mut().zip(names) {
        assert_eq!(client.wait("signal").await["payload"], name);
        assert_eq!(client.received("signal").len(), 1, "for {name} alone");
    }
    let state = state(b, "life-names").await;
    let users =
        |list: &str| state[list].as_array().expect("a list").iter().map(|entry| entry["userId"].clone()).collect::<Vec<_>>();
    for name in names {
        for list in ["members", "responders", "locations"] {
            assert!(users(list).contains(&json!(name)), "{name:?} is not in {list}: {state}");
        }
    }
}
