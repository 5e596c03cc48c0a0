//! SOS from end to end: real sockets, a real Redis, the real binary.

use serde_json::{Value, json};

use super::support::client::Client;
use super::support::hub::{Hub, now_seconds};
use super::support::incident::member;
use super::support::redis::Server;
use super::support::stub_http::{Answer, StubHttp};

/// For nodes that have an SOS service: those of other tests would take what is owed to it for settled.
fn served() -> &'static Server {
    Box::leak(Box::new(Server::start(&[])))
}

async fn hub_with(service: &StubHttp) -> Hub {
    Hub::start(&[("REDIS_URL", &served().url()), ("SOS_MS_URL", &service.url()), ("PRESENCE_OFFLINE_SECONDS", "1")]).await
}

/// Sends without an ack and returns the code of the `error` event.
async fn error_of(client: &mut Client, event: &str, payload: Value) -> Value {
    client.emit(event, payload);
    client.wait_for("error", |error| error["event"] == event).await["code"].take()
}

#[tokio::test]
async fn a_location_reaches_the_rescuer_and_the_newest_of_a_burst_comes_last() {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("ev-loc", "c1").await;
    let citizen = member(&hub, "citizen", "c1", "ev-loc").await;
    let mut rescuer = member(&hub, "rescuer", "r1", "ev-loc").await;
    // All within one window of a second.
    let asked: Vec<u64> = [json!(1.5), json!(2), json!(3), json!(4)]
        .map(|latitude| citizen.send_with_ack("location:update", &[json!({"latitude": latitude, "longitude": 0})]))
        .into();
    for (at, id) in asked.into_iter().enumerate() {
        let reply = citizen.acknowledged(id).await.remove(0);
        assert_eq!((&reply["ok"], reply["coalesced"] == true), (&json!(true), at > 0), "{reply}");
    }
    let last = rescuer.wait_for("location:broadcast", |fix| fix["latitude"] == 4).await;
    assert_eq!((&last["userId"], &last["role"], &last["accuracy"]), (&json!("c1"), &json!("citizen"), &Value::Null));
    assert_eq!(rescuer.received("location:broadcast").len(), 2);
    assert_eq!(citizen.wait_count("location:broadcast", 2).await.len(), 2, "the sender is included");
}

#[tokio::test]
async fn an_incident_goes_from_active_to_closed() {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("ev-life", "c1").await;
    let mut citizen = member(&hub, "citizen", "c1", "ev-life").await;
    let rescuer = member(&hub, "rescuer", "r1", "ev-life").await;
    let joined = citizen.wait_for("sos:init", |event| event["userId"] == "r1").await;
    assert_eq!(joined["action"], "user_joined");
    rescuer.ask_ok("sos:ack", json!({})).await;
    assert_eq!(rescuer.ask_ok("sos:ack", json!({})).await["unchanged"], true);
    citizen.wait_for("sos:acknowledged", |event| event["userId"] == "r1").await;
    let reply = rescuer.ask_ok("sos:status:update", json!({"status": "ASSIGNED"})).await;
    assert_eq!((&reply["status"], &reply["oldStatus"]), (&json!("assigned"), &json!("active")));
    let refused = rescuer.ask("sos:status:update", json!({"status": "completed"})).await;
    assert_eq!(refused["code"], "INVALID_TRANSITION");
    assert_eq!(rescuer.ask("sos:status:update", json!({"status": "closed"})).await["code"], "FORBIDDEN");
    assert_eq!(rescuer.ask("sos:close", json!({})).await["code"], "FORBIDDEN");
    citizen.ask_ok("sos:close", json!({"reason": "safe"})).await;
    assert_eq!(citizen.wait("sos:close").await["reason"], "safe");
    assert_eq!(citizen.ask_ok("sos:close", json!({})).await["unchanged"], true);
    assert_eq!(citizen.ask("message:send", json!({"text": "x"})).await["code"], "SOS_CLOSED");
    let over = rescuer.ask_ok("sos:init", json!({})).await;
    assert_eq!((&over["data"]["status"], &over["data"]["closedBy"]), (&json!("closed"), &json!("c1")));
    rescuer.ask_ok("message:history", json!({})).await;
}

#[tokio::test]
async fn messages_come_once_in_order_and_with_history() {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("ev-talk", "c1").await;
    let citizen = member(&hub, "citizen", "c1", "ev-talk").await;
    let rescuer = member(&hub, "rescuer", "r1", "ev-talk").await;
    let sent = citizen.ask_ok("message:send", json!({"text": "help", "clientMessageId": "m1"})).await;
    let again = citizen.ask_ok("message:send", json!({"text": "help", "clientMessageId": "m1"})).await;
    assert_eq!((&again["messageId"], &again["duplicate"]), (&sent["messageId"], &json!(true)));
    rescuer.ask_ok("message:send", json!({"text": "coming"})).await;
    let got = rescuer.wait_count("message:broadcast", 2).await;
    assert_eq!(got.iter().map(|message| message["text"].clone()).collect::<Vec<_>>(), ["help", "coming"]);
    assert_eq!(got[0]["clientMessageId"], "m1");
    let page = rescuer.ask_ok("message:history", json!({"limit": 1})).await;
    assert_eq!((&page["messages"][0]["text"], page["nextBefore"].is_string()), (&json!("coming"), true));
    let before = rescuer.ask_ok("message:history", json!({"before": page["nextBefore"], "limit": 5})).await;
    assert_eq!((&before["messages"][0]["text"], &before["nextBefore"]), (&json!("help"), &Value::Null));
}

#[tokio::test]
async fn a_stranger_gets_into_nothing() {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("ev-mine", "c1").await;
    let citizen = member(&hub, "citizen", "c1", "ev-mine").await;
    hub.create_sos("ev-other", "c2").await;
    let stranger = member(&hub, "citizen", "c2", "ev-other").await;
    let attempts = [
        ("sos:init", json!({})),
        ("sos:close", json!({})),
        ("sos:status:update", json!({"status": "cancelled"})),
        ("sos:ack", json!({})),
        ("location:update", json!({"latitude": 1, "longitude": 2})),
        ("location:batch", json!({"points": [{"latitude": 1, "longitude": 2, "timestamp": 5}]})),
        ("message:send", json!({"text": "x"})),
        ("message:history", json!({})),
        ("offer", json!({"payload": 1})),
        ("answer", json!({"payload": 1})),
        ("iceCandidate", json!({"payload": 1})),
        ("signal", json!({"payload": 1})),
        ("sos:watch", json!({})),
        ("sos:unwatch", json!({})),
    ];
    for (event, mut payload) in attempts {
        payload["sosId"] = json!("ev-mine");
        let reply = stranger.ask(event, payload).await;
        assert_eq!((&reply["ok"], &reply["code"]), (&json!(false), &json!("FORBIDDEN")), "{event}: {reply}");
    }
    citizen.settle().await;
    assert!(citizen.received("location:broadcast").is_empty() && citizen.received("message:broadcast").is_empty());
}

#[tokio::test]
async fn bad_input_is_answered_with_the_events_own_code() {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("ev-bad", "c1").await;
    let mut citizen = member(&hub, "citizen", "c1", "ev-bad").await;
    let cases = [
        ("sos:init", json!({"sosId": 7}), "INVALID_SOS_ID"),
        ("sos:init", json!([1]), "INVALID_PAYLOAD"),
        ("sos:init", json!("ev-bad"), "INVALID_PAYLOAD"),
        ("sos:init", json!({"sosId": "}{"}), "INVALID_SOS_ID"),
        ("sos:status:update", json!({}), "INVALID_STATUS"),
        ("sos:status:update", json!({"status": "nowhere"}), "INVALID_STATUS"),
        ("location:update", json!({"latitude": "1", "longitude": 2}), "INVALID_LOCATION"),
        ("location:update", json!({"latitude": 91, "longitude": 2}), "INVALID_LOCATION"),
        ("location:update", json!({}), "INVALID_LOCATION"),
        ("location:batch", json!({"points": 5}), "INVALID_PAYLOAD"),
        ("message:send", json!({"text": ""}), "INVALID_MESSAGE"),
        ("message:send", json!({"text": {"a": 1}}), "INVALID_MESSAGE"),
        ("message:history", json!({"limit": "x"}), "INVALID_PAYLOAD"),
        ("signal", json!({}), "INVALID_PAYLOAD"),
        ("auth:refresh", json!({}), "INVALID_TOKEN"),
        ("auth:refresh", json!({"token": "x"}), "INVALID_TOKEN"),
        ("sos:nothing", json!({}), "UNKNOWN_EVENT"),
    ];
    for (event, payload, code) in cases {
        assert_eq!(citizen.ask(event, payload.clone()).await["code"], code, "{event} {payload}");
        assert_eq!(error_of(&mut citizen, event, payload.clone()).await, code, "{event} {payload}");
    }
    citizen.settle().await;
}

#[tokio::test]
async fn a_backfill_is_accepted_in_parts_and_after_the_end() {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("ev-batch", "c1").await;
    let citizen = member(&hub, "citizen", "c1", "ev-batch").await;
    let at = now_seconds() * 1000 - 60_000;
    let points = json!({"points": [
        {"latitude": 1, "longitude": 1, "timestamp": at},
        {"latitude": 1, "longitude": 1},
        {"latitude": 2, "longitude": 1, "timestamp": at + 1000},
    ]});
    let reply = citizen.ask_ok("location:batch", points.clone()).await;
    assert_eq!((&reply["accepted"], &reply["duplicates"]), (&json!(2), &json!(0)));
    assert_eq!(reply["rejected"], json!([{"index": 1, "code": "INVALID_LOCATION"}]));
    citizen.ask_ok("sos:close", json!({})).await;
    let reply = citizen.ask_ok("location:batch", points).await;
    assert_eq!((&reply["accepted"], &reply["duplicates"]), (&json!(0), &json!(2)));
}

#[tokio::test]
async fn signals_go_to_the_others_or_to_one() {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("ev-sig", "c1").await;
    let mut citizen = member(&hub, "citizen", "c1", "ev-sig").await;
    let mut one = member(&hub, "rescuer", "r1", "ev-sig").await;
    let mut two = member(&hub, "rescuer", "r2", "ev-sig").await;
    one.ask_ok("offer", json!({"payload": {"sdp": "x"}})).await;
    for other in [&mut citizen, &mut two] {
        let offer = other.wait("offer").await;
        assert_eq!(offer, json!({"socketId": one.sid(), "userId": "r1", "payload": {"sdp": "x"}}));
    }
    two.ask_ok("answer", json!({"payload": [1], "to": "r1"})).await;
    assert_eq!(one.wait("answer").await["payload"], json!([1]));
    citizen.ask_ok("signal", json!({"payload": null, "to": two.sid()})).await;
    assert_eq!(two.wait("signal").await["payload"], Value::Null);
    assert!(one.received("offer").is_empty() && citizen.received("answer").is_empty());
    assert_eq!(one.ask("signal", json!({"payload": 1, "to": "nobody"})).await["code"], "INVALID_PAYLOAD");
}

#[tokio::test]
async fn watchers_see_every_incident_once() {
    let hub = Hub::on_shared_redis(&[]).await;
    let mut dispatcher = Client::connect(&hub.url(), json!({"token": hub.token("dispatcher", "d1", &[])})).await;
    hub.create_sos("ev-watch-0", "c1").await;
    let active = dispatcher.ask_ok("sos:watch", json!({})).await["active"].take();
    assert!(active.as_array().expect("a list").iter().any(|state| state["sosId"] == "ev-watch-0"), "{active}");
    hub.create_sos("ev-watch", "c1").await;
    let created = dispatcher.wait_for("sos:created", |state| state["sosId"] == "ev-watch").await;
    assert_eq!((&created["citizenId"], &created["status"]), (&json!("c1"), &json!("active")));
    let citizen = member(&hub, "citizen", "c1", "ev-watch").await;
    dispatcher.ask_ok("sos:init", json!({"sosId": "ev-watch"})).await;
    citizen.ask_ok("sos:close", json!({})).await;
    dispatcher.wait_for("sos:close", |event| event["sosId"] == "ev-watch").await;
    let other = member(&hub, "citizen", "c1", "ev-watch-0").await;
    other.ask_ok("sos:close", json!({})).await;
    dispatcher.wait_for("sos:close", |event| event["sosId"] == "ev-watch-0").await;
    let closes = dispatcher.received("sos:close");
    assert_eq!(closes.iter().filter(|event| event["sosId"] == "ev-watch").count(), 1, "{closes:?}");
}

#[tokio::test]
async fn an_admission_gives_a_role_and_a_removal_outranks_the_token() {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("ev-adm", "c1").await;
    hub.create_sos("ev-home", "x1").await;
    let mut helper = member(&hub, "citizen", "x1", "ev-home").await;
    let target = json!({"sosId": "ev-adm"});
    assert_eq!(helper.ask("sos:init", target.clone()).await["code"], "FORBIDDEN");
    let body = json!({"userId": "x1", "role": "rescuer"});
    let (status, answer) = hub.internal(reqwest::Method::POST, "/sos/ev-adm/members", Some(body)).await;
    assert!(status < 300, "{status} {answer}");
    helper.ask_ok("sos:init", target.clone()).await;
    helper.ask_ok("sos:ack", target.clone()).await;
    helper.ask_ok("sos:status:update", json!({"sosId": "ev-adm", "status": "assigned"})).await;
    let (status, answer) = hub.internal(reqwest::Method::DELETE, "/sos/ev-adm/members/x1", None).await;
    assert!(status < 300, "{status} {answer}");
    helper.wait_for("error", |error| error["sosId"] == "ev-adm").await;
    assert_eq!(helper.ask("message:send", json!({"sosId": "ev-adm", "text": "x"})).await["code"], "FORBIDDEN");
    assert_eq!(helper.ask("sos:init", target).await["code"], "FORBIDDEN");
}

#[tokio::test]
async fn an_expired_token_opens_its_own_incident_only_while_that_lasts() {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("ev-grace", "c1").await;
    hub.create_sos("ev-else", "c1").await;
    let expired = |role: &str, sos: &[&str]| hub.token_until(role, "c1", sos, Some(now_seconds() - 120));
    let mut citizen = Client::connect(&hub.url(), json!({"token": expired("citizen", &["ev-grace"])})).await;
    citizen.wait("sos:state").await;
    citizen.ask_ok("message:send", json!({"text": "still here"})).await;
    assert_eq!(citizen.ask("sos:init", json!({"sosId": "ev-else"})).await["code"], "TOKEN_EXPIRED");
    let refused = Client::try_connect(&hub.url(), json!({"token": expired("dispatcher", &[])})).await;
    assert!(format!("{:?}", refused.err()).contains("TOKEN_EXPIRED"));
    citizen.ask_ok("sos:close", json!({})).await;
    citizen.wait_for("error", |error| error["code"] == "TOKEN_EXPIRED").await;
    citizen.disconnected().await;
    let refused = Client::try_connect(&hub.url(), json!({"token": expired("citizen", &["ev-grace"])})).await;
    assert!(format!("{:?}", refused.err()).contains("TOKEN_EXPIRED"));
}

#[tokio::test]
async fn a_refresh_replaces_rights_and_rooms_at_once() {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("ev-ref-a", "c1").await;
    hub.create_sos("ev-ref-b", "c1").await;
    let soon = hub.token_until("citizen", "c1", &["ev-ref-a"], Some(now_seconds() + 50));
    let mut citizen = Client::connect(&hub.url(), json!({"token": soon})).await;
    citizen.wait("sos:state").await;
    assert!(citizen.wait("auth:expiring").await["expiresAt"].as_u64().expect("a time") > now_seconds() * 1000);
    let stranger = hub.token("citizen", "c2", &["ev-ref-b"]);
    assert_eq!(citizen.ask("auth:refresh", json!({"token": stranger})).await["code"], "INVALID_TOKEN");
    citizen.ask_ok("message:send", json!({"text": "x"})).await;
    let reply = citizen.ask_ok("auth:refresh", json!({"token": hub.token("citizen", "c1", &["ev-ref-b"])})).await;
    assert!(reply["expiresAt"].as_u64().expect("a time") > now_seconds() * 1000 + 3_000_000);
    citizen.wait_for("sos:state", |state| state["sosId"] == "ev-ref-b").await;
    assert_eq!(citizen.ask("message:send", json!({"sosId": "ev-ref-a", "text": "x"})).await["code"], "FORBIDDEN");
    citizen.ask_ok("message:send", json!({"text": "x"})).await;
}

#[tokio::test]
async fn while_the_service_is_away_a_token_opens_a_provisional_incident_and_events_wait_in_order() {
    let service = StubHttp::start(Answer::json(503, &json!({}))).await;
    let hub = hub_with(&service).await;
    let citizen = Client::connect(&hub.url(), json!({"token": hub.token("citizen", "c1", &["ev-prov"])})).await;
    let state = citizen.wait_count("sos:state", 1).await.remove(0);
    assert_eq!((&state["provisional"], &state["citizenId"]), (&json!(true), &json!("c1")));
    citizen.ask_ok("message:send", json!({"text": "one"})).await;
    citizen.ask_ok("message:send", json!({"text": "two"})).await;
    service.answer_with(Answer::json(200, &json!({})));
    let texts = || {
        let messages = delivered(&service).into_iter().filter(|event| event["type"] == "message");
        messages.map(|event| event["data"]["text"].clone()).collect::<Vec<_>>()
    };
    super::support::eventually("the messages arrived", || texts().len() >= 2).await;
    assert_eq!(texts(), ["one", "two"]);
    let events = delivered(&service);
    assert_eq!(events[0]["type"], "sos:init", "{events:?}");
    let other = Client::connect(&hub.url(), json!({"token": hub.token("dispatcher", "d1", &[])})).await;
    service.answer_with(Answer::json(404, &json!({})));
    assert_eq!(other.ask("sos:init", json!({"sosId": "ev-nowhere"})).await["code"], "SOS_NOT_FOUND");
    service.answer_with(Answer::Cut);
    assert_eq!(other.ask("sos:init", json!({"sosId": "ev-nowhere"})).await["code"], "UNAVAILABLE");
    let record = json!({"data": {"citizenId": "c9", "status": "ASSIGNED", "soNo": "SO-1", "createdAt": "2024-02-29T12:30:15Z"}});
    service.answer_with(Answer::json(200, &record));
    let known = other.ask_ok("sos:init", json!({"sosId": "ev-known"})).await["data"].take();
    assert_eq!((&known["citizenId"], &known["status"], &known["soNo"]), (&json!("c9"), &json!("assigned"), &json!("SO-1")));
    assert_eq!(known["createdAt"], 1_709_209_815_000_u64);
}

/// The events that the service took, once each.
fn delivered(service: &StubHttp) -> Vec<Value> {
    let mut seen = std::collections::HashSet::new();
    let events = service.asked().into_iter().filter(|asked| asked.method == "POST");
    let mut events: Vec<_> = events
        .filter(|asked| !asked.header("x-internal-token").is_empty())
        .map(|asked| (asked.header("idempotency-key").to_owned(), serde_json::from_slice::<Value>(&asked.body).expect("JSON")))
        .filter(|(key, event)| event["id"] == **key && seen.insert(key.clone()))
        .map(|(_, event)| event)
        .collect();
    events.sort_by_key(|event| event["timestamp"].as_u64());
    events
}

#[tokio::test]
async fn a_lost_connection_is_announced_after_its_grace_and_a_leave_at_once() {
    let service = StubHttp::start(Answer::json(200, &json!({}))).await;
    let hub = hub_with(&service).await;
    hub.create_sos("ev-pres", "c1").await;
    let mut citizen = member(&hub, "citizen", "c1", "ev-pres").await;
    let rescuer = member(&hub, "rescuer", "r1", "ev-pres").await;
    let leaver = member(&hub, "rescuer", "r2", "ev-pres").await;
    let member = |user: &'static str, online: bool| {
        move |event: &Value| {
            let members = event["members"].as_array().expect("a list");
            members.iter().any(|member| member["userId"] == user && member["online"] == online)
        }
    };
    citizen.wait_for("presence:update", member("r2", true)).await;
    leaver.ask_ok("sos:leave", json!({})).await;
    assert_eq!(leaver.ask_ok("sos:leave", json!({})).await["unchanged"], true);
    citizen
        .wait_for("presence:update", |event| {
            member("r1", true)(event) && !member("r2", true)(event) && !member("r2", false)(event)
        })
        .await;
    drop(rescuer);
    citizen.wait_for("presence:update", member("r1", false)).await;
    let (_, presence) = hub.internal(reqwest::Method::GET, "/users/c1/presence", None).await;
    assert_eq!(presence["data"]["online"], true, "{presence}");
}

#[tokio::test]
async fn pings_and_heartbeats_are_answered() {
    let hub = Hub::on_shared_redis(&[]).await;
    let mut client = Client::connect(&hub.url(), json!({"token": hub.token("rescuer", "r1", &[])})).await;
    client.ask_ok("ping", json!({"n": 1, "respondedAt": "x"})).await;
    let pong = client.wait("pong").await;
    assert!(pong["n"] == 1 && pong["respondedAt"].is_u64(), "{pong}");
    client.emit("heartbeat", json!({}));
    assert!(client.wait("heartbeat:ack").await["timestamp"].is_u64());
}

#[tokio::test]
async fn an_empty_redis_gets_state_and_members_back() {
    let redis = Server::start(&[]);
    let service = StubHttp::start(Answer::json(200, &json!({"citizenId": "c1", "status": "assigned"}))).await;
    let hub = Hub::start(&[("REDIS_URL", &redis.url()), ("SOS_MS_URL", &service.url())]).await;
    let citizen = member(&hub, "citizen", "c1", "ev-lost").await;
    let mut rescuer = member(&hub, "rescuer", "r1", "ev-lost").await;
    redis.stop();
    hub.wait_for_status("/readyz", 503).await;
    redis.restart();
    hub.wait_for_status("/readyz", 200).await;
    citizen.wait_count("sos:state", 2).await;
    rescuer.wait_for("sos:state", |state| state["members"].as_array().is_some_and(|members| members.len() == 2)).await;
    citizen.ask_ok("message:send", json!({"text": "back"})).await;
    rescuer.wait_for("message:broadcast", |message| message["text"] == "back").await;
    assert!(!citizen.is_closed() && !rescuer.is_closed());
}

#[tokio::test]
async fn a_dispatchers_expired_token_ends_its_socket_and_a_rescuers_does_not() {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("ev-exp", "c1").await;
    // It counts 30 seconds more than it says.
    let until = Some(now_seconds() + 5 - 30);
    let token = |role: &str, sos: &[&str]| json!({"token": hub.token_until(role, "u1", sos, until)});
    let mut dispatcher = Client::connect(&hub.url(), token("dispatcher", &[])).await;
    let mut rescuer = Client::connect(&hub.url(), token("rescuer", &["ev-exp"])).await;
    dispatcher.wait("auth:expiring").await;
    rescuer.wait("auth:expiring").await;
    dispatcher.wait_for("error", |error| error["code"] == "TOKEN_EXPIRED").await;
    dispatcher.disconnected().await;
    rescuer.ask_ok("message:send", json!({"text": "still here"})).await;
}

#[tokio::test]
async fn an_incident_that_nobody_acknowledges_is_announced_to_watchers_and_service_once() {
    let service = StubHttp::start(Answer::json(404, &json!({}))).await;
    let env = [("REDIS_URL", &*served().url()), ("SOS_MS_URL", &service.url()), ("SOS_ACK_SECONDS", "1")];
    let hub = Hub::start(&env).await;
    let mut dispatcher = Client::connect(&hub.url(), json!({"token": hub.token("dispatcher", "d1", &[])})).await;
    dispatcher.ask_ok("sos:watch", json!({})).await;
    service.answer_with(Answer::json(200, &json!({})));
    hub.create_sos("ev-unack", "c1").await;
    // Another one where the machine was too slow to acknowledge it in time.
    let mut round = 0;
    let acked = loop {
        let (acked, created) = (format!("ev-acked-{round}"), std::time::Instant::now());
        hub.create_sos(&acked, "c1").await;
        dispatcher.ask_ok("sos:ack", json!({"sosId": acked})).await;
        if created.elapsed() < std::time::Duration::from_secs(1) {
            break acked;
        }
        round += 1;
    };
    dispatcher.wait_for("sos:unacknowledged", |event| event["sosId"] == "ev-unack").await;
    super::support::eventually("the service knows", || {
        delivered(&service).iter().any(|event| event["type"] == "sos:unacknowledged")
    })
    .await;
    assert!(dispatcher.received("sos:unacknowledged").iter().all(|event| event["sosId"] != acked));
}
