//! The hub and an SOS service that was written without knowing it: who calls whom, with what, and what a bad day does to it.

use reqwest::Method;
use serde_json::{Value, json};

use super::support::client::Client;
use super::support::eventually;
use super::support::hub::Hub;
use super::support::incident::{member, say};
use super::support::redis::Server;
use super::support::sos_ms::{Mood, Odd, SosMs};

/// Each test has a Redis of its own: nodes look after all incidents there, and would ask their own service for those of others.
async fn node(redis: &Server, service: &SosMs) -> Hub {
    node_with(redis, service, &[]).await
}

async fn node_with(redis: &Server, service: &SosMs, more: &[(&str, &str)]) -> Hub {
    Hub::start(&[&[("REDIS_URL", &*redis.url()), ("SOS_MS_URL", &service.url())], more].concat()).await
}

/// The texts of the messages that the service has taken.
fn texts(service: &SosMs, sos: &str) -> Vec<String> {
    let messages = service.events_of(sos, "message").into_iter();
    messages.map(|event| event["data"]["text"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn the_service_leads_an_incident_and_hears_only_what_clients_did() {
    let (redis, service) = (Server::start(&[]), SosMs::start().await);
    let hub = node(&redis, &service).await;
    let post = |path: &'static str, body: Value| {
        let hub = &hub;
        async move { hub.internal(Method::POST, path, Some(body)).await }
    };
    let init = json!({
        "sosId": "seed-lead", "citizenId": "c1", "location": {"latitude": 14.5, "longitude": 121.0, "accuracy": 8},
        "address": {"city": "Quezon City", "barangay": "Loyola Heights"}, "type": "medical", "soNo": "SO-7",
    });
    let (status, made) = post("/sos/init", init.clone()).await;
    assert_eq!((status, &made["success"], &made["data"]["status"]), (201, &json!(true), &json!("active")));
    assert_eq!(post("/sos/init", init).await.0, 200, "a repeat");

    let citizen = member(&hub, "citizen", "c1", "seed-lead").await;
    let mut rescuer = member(&hub, "rescuer", "r1", "seed-lead").await;
    let state = rescuer.wait("sos:state").await;
    assert_eq!((&state["soNo"], &state["address"]["city"]), (&json!("SO-7"), &json!("Quezon City")));
    assert_eq!((&state["locations"][0]["userId"], &state["locations"][0]["latitude"]), (&json!("c1"), &json!(14.5)));

    // No client could take these steps; the service may.
    for (step, status) in ["RESOLVED", "assigned", "completed", "active", "arrived"].into_iter().enumerate() {
        let (code, answer) = post("/sos/seed-lead/status", json!({"status": status, "updatedBy": "desk"})).await;
        assert_eq!((code, &answer["success"]), (200, &json!(true)), "{status}: {answer}");
        assert_eq!(answer["data"]["status"], status.to_lowercase());
        let told = rescuer.wait("sos:status:broadcast").await;
        assert_eq!((&told["status"], &told["updatedBy"]), (&json!(status.to_lowercase()), &json!("desk")));
        let (code, again) = post("/sos/seed-lead/status", json!({"status": status, "updatedBy": "desk"})).await;
        assert_eq!((code, &again["data"]["oldStatus"]), (200, &json!(status.to_lowercase())));
        assert_eq!(rescuer.received("sos:status:broadcast").len(), step + 1, "a repeat is not announced");
    }
    assert_eq!(post("/sos/seed-lead/status", json!({"status": "nowhere", "updatedBy": "desk"})).await.0, 400);
    assert_eq!(post("/sos/seed-none/status", json!({"status": "active", "updatedBy": "desk"})).await.0, 404);
    assert_eq!(post("/sos/seed-none/close", json!({"closedBy": "desk"})).await.0, 404);

    rescuer.ask_ok("sos:status:update", json!({"status": "assigned"})).await;
    rescuer.ask_ok("sos:ack", json!({})).await;
    say(&citizen, "from a client").await;
    citizen.ask_ok("location:update", json!({"latitude": 1, "longitude": 2})).await;
    assert_eq!(post("/sos/seed-lead/messages", json!({"text": "from the service"})).await.0, 201);
    let (_, state) = hub.internal(Method::GET, "/sos/seed-lead/state", None).await;
    assert_eq!((&state["data"]["status"], &state["data"]["acknowledgedBy"]), (&json!("assigned"), &json!("r1")), "{state}");

    for code in [200, 200] {
        let (status, closed) = post("/sos/seed-lead/close", json!({"closedBy": "desk", "reason": "over"})).await;
        assert_eq!((status, &closed), (code, &json!({"success": true, "message": "SOS closed"})));
    }
    assert_eq!(rescuer.wait("sos:close").await["closedBy"], "desk");
    assert_eq!(rescuer.received("sos:close").len(), 1);
    let (code, late) = post("/sos/seed-lead/status", json!({"status": "active", "updatedBy": "desk"})).await;
    assert_eq!((code, &late["code"]), (409, &json!("SOS_CLOSED")));
    let (code, finer) = post("/sos/seed-lead/status", json!({"status": "fake", "updatedBy": "desk"})).await;
    assert_eq!((code, &finer["data"]["oldStatus"]), (200, &json!("closed")));

    eventually("the service heard all", || texts(&service, "seed-lead").len() == 1).await;
    eventually("both joins, the acknowledgement, the last position", || {
        let count = |kind| service.events_of("seed-lead", kind).len();
        count("sos:init") == 2 && count("sos:acknowledged") == 1 && count("sos:status") == 1 && count("location") >= 1
    })
    .await;
    let events = service.events("seed-lead");
    assert!(events.iter().all(|event| event["type"] != "sos:close" && event["userId"] != "desk"), "{events:#?}");
    assert_eq!(service.events_of("seed-lead", "sos:status")[0]["userId"], "r1");
    assert_eq!(texts(&service, "seed-lead"), ["from a client"]);
    service.assert_content();
}

#[tokio::test]
async fn what_the_service_does_not_answer_is_told_apart_from_what_it_does_not_know() {
    let (redis, service) = (Server::start(&[]), SosMs::start().await);
    let hub = node(&redis, &service).await;
    let dispatcher = Client::connect(&hub.url(), json!({"token": hub.token("dispatcher", "d1", &[])})).await;
    let request = |sos: &str| json!({"sosId": sos});
    assert_eq!(dispatcher.ask("sos:init", request("seed-unknown")).await["code"], "SOS_NOT_FOUND");
    let mut named = Client::connect(&hub.url(), json!({"token": hub.token("citizen", "c1", &["seed-unknown"])})).await;
    assert_eq!(named.ask("sos:init", json!({})).await["code"], "SOS_NOT_FOUND");

    for mood in [Mood::Down, Mood::Cut, Mood::Silent] {
        service.set(mood);
        let sos = format!("seed-away-{mood:?}");
        assert_eq!(dispatcher.ask("sos:init", request(&sos)).await["code"], "UNAVAILABLE", "{mood:?}");
        let mut rescuer = Client::connect(&hub.url(), json!({"token": hub.token("rescuer", "r1", &[&sos])})).await;
        let state = rescuer.wait("sos:state").await;
        assert_eq!((&state["status"], &state["provisional"]), (&json!("active"), &json!(true)));
        assert_eq!(state["citizenId"], Value::Null, "a rescuer is nobody's citizen");
        let _citizen = member(&hub, "citizen", "c1", &sos).await;
        let joined = dispatcher.ask_ok("sos:init", request(&sos)).await["data"].take();
        assert_eq!((&joined["provisional"], &joined["citizenId"]), (&json!(true), &json!("c1")), "there is a state now");
        dispatcher.ask_ok("sos:leave", request(&sos)).await;
    }

    // It becomes known: by the look-up of whoever asks next.
    service.set(Mood::Up);
    service.knows("seed-unknown", json!({"citizenId": "c1", "status": "assigned", "soNo": "SO-9"}));
    let known = dispatcher.ask_ok("sos:init", request("seed-unknown")).await["data"].take();
    assert_eq!((&known["soNo"], &known["status"]), (&json!("SO-9"), &json!("assigned")));
    let told = named.wait("sos:state").await;
    assert_eq!(told["soNo"], "SO-9", "the member that was there before the state hears of it");
    service.assert_content();
}

#[tokio::test]
async fn those_who_wait_for_a_silent_service_share_one_call_and_wait_no_longer_than_for_one() {
    let (redis, service) = (Server::start(&[]), SosMs::start().await);
    service.set(Mood::Silent);
    let hub = node(&redis, &service).await;
    let dispatcher = Client::connect(&hub.url(), json!({"token": hub.token("dispatcher", "d1", &[])})).await;
    let mut dispatchers = Vec::new();
    for at in 0..12 {
        let token = hub.token("dispatcher", &format!("d{at}"), &[]);
        dispatchers.push(Client::connect(&hub.url(), json!({"token": token})).await);
    }
    let start = std::time::Instant::now();
    let asks = dispatchers.iter().map(|client| client.ask("sos:init", json!({"sosId": "seed-shared"})));
    for answer in futures_util::future::join_all(asks).await {
        assert_eq!(answer["code"], "UNAVAILABLE");
    }
    // Twelve calls of two seconds, one after the other, would be longer.
    assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    let calls = service.asked().iter().filter(|asked| asked.path.ends_with("/seed-shared")).count();
    assert!(calls <= 6, "{calls} calls");
    // The answer was theirs alone.
    service.set(Mood::Up);
    service.knows("seed-shared", json!({"citizenId": "c1", "status": "active"}));
    dispatcher.ask_ok("sos:init", json!({"sosId": "seed-shared"})).await;
}

#[tokio::test]
async fn a_provisional_incident_is_completed_by_init_and_its_members_hear_of_it() {
    let (redis, service) = (Server::start(&[]), SosMs::start().await);
    service.set(Mood::Cut);
    let hub = node(&redis, &service).await;
    let mut citizen = member(&hub, "citizen", "c1", "seed-complete").await;
    assert_eq!(citizen.wait("sos:state").await["provisional"], true);
    say(&citizen, "while provisional").await;
    let body = json!({"sosId": "seed-complete", "citizenId": "c1", "type": "fire", "soNo": "SO-3"});
    let (status, answer) = hub.internal(Method::POST, "/sos/init", Some(body)).await;
    assert_eq!((status, &answer["data"]["type"], &answer["data"]["provisional"]), (200, &json!("fire"), &Value::Null));
    let state = citizen.wait("sos:state").await;
    assert_eq!((&state["soNo"], &state["provisional"]), (&json!("SO-3"), &Value::Null));
    say(&citizen, "after").await;
    service.set(Mood::Up);
    eventually("nothing is lost", || texts(&service, "seed-complete") == ["while provisional", "after"]).await;
}

#[tokio::test]
async fn a_provisional_incident_is_completed_by_the_repeated_look_up() {
    let (redis, service) = (Server::start(&[]), SosMs::start().await);
    service.set(Mood::Down);
    let hub = node_with(&redis, &service, &[("SOS_LOOKUP_SECONDS", "1")]).await;
    let mut plain = member(&hub, "citizen", "c1", "seed-again").await;
    let mut changed = member(&hub, "rescuer", "r1", "seed-changed").await;
    let mut over = member(&hub, "citizen", "c1", "seed-over").await;
    changed.ask_ok("sos:status:update", json!({"status": "assigned"})).await;
    service.knows("seed-again", json!({"citizenId": "c7", "status": "en_route", "soNo": "SO-1"}));
    service.knows("seed-changed", json!({"citizenId": "c8", "status": "arrived", "soNo": "SO-2"}));
    service.knows("seed-over", json!({"citizenId": "c1", "status": "fake"}));
    service.set(Mood::Up);
    let complete = |client: &Client| client.received("sos:state").iter().any(|state| state["soNo"].is_string());
    eventually("both are looked up again", || complete(&plain) && complete(&changed)).await;
    let full = |state: &Value| state["soNo"].is_string();
    let state = plain.wait_for("sos:state", full).await;
    assert_eq!((&state["status"], &state["citizenId"], &state["provisional"]), (&json!("en_route"), &json!("c7"), &Value::Null));
    assert_eq!(plain.wait("sos:status:broadcast").await["status"], "en_route");
    let state = changed.wait_for("sos:state", full).await;
    assert_eq!((&state["status"], &state["citizenId"]), (&json!("assigned"), &json!("c8")), "a client's word stands");
    assert_eq!(over.wait("sos:close").await["status"], "fake");
    service.assert_content();
}

#[tokio::test]
async fn while_the_service_is_down_nothing_is_lost_and_each_incident_keeps_its_order() {
    let (redis, service) = (Server::start(&[]), SosMs::start().await);
    let (a, b) = tokio::join!(node(&redis, &service), node(&redis, &service));
    let incidents = ["seed-out-1", "seed-out-2", "seed-out-3"];
    let mut members = Vec::new();
    for sos in incidents {
        a.create_sos(sos, "c1").await;
        members.push((member(&a, "citizen", "c1", sos).await, member(&b, "rescuer", "r1", sos).await));
    }
    service.answers_oddly("lost answer", Odd::Lost);
    service.answers_oddly("refused", Odd::Status(422));
    service.answers_oddly("known", Odd::Status(409));
    service.answers_oddly("token rotated", Odd::Once(401));
    service.answers_oddly("later", Odd::Once(429));
    let mut said = Vec::new();
    for (round, mood) in [Mood::Up, Mood::Down, Mood::Cut, Mood::Silent, Mood::Up].into_iter().enumerate() {
        service.set(mood);
        let start = std::time::Instant::now();
        for (citizen, rescuer) in &members {
            for turn in 0..3 {
                say(citizen, &format!("{round}.{turn} citizen")).await;
                say(rescuer, &format!("{round}.{turn} rescuer")).await;
            }
        }
        // Nobody waits for the service: eighteen calls of two seconds would be longer.
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{mood:?}: {:?}", start.elapsed());
        said.extend((0..3).flat_map(|turn| [format!("{round}.{turn} citizen"), format!("{round}.{turn} rescuer")]));
    }
    for text in ["lost answer", "refused", "known", "token rotated", "later", "the end"] {
        say(&members[0].0, text).await;
    }
    for sos in incidents {
        let mut expected = said.clone();
        if sos == "seed-out-1" {
            expected.extend(["lost answer", "token rotated", "later", "the end"].map(str::to_owned));
        }
        eventually(&format!("all of {sos} arrives"), || texts(&service, sos).len() >= expected.len()).await;
        assert_eq!(texts(&service, sos), expected);
    }
    let lost = service.events_of("seed-out-1", "message").into_iter().find(|event| event["data"]["text"] == "lost answer");
    assert!(service.times(&lost.expect("it was taken")["id"]) >= 2, "at least once: its answer was lost");
    let dead = redis.tell("XRANGE sos:outbox:dead:{seed-out-1} - +");
    let dead = format!("{dead:?}");
    assert!(dead.contains("refused") && dead.contains("422") && !dead.contains("known"), "{dead}");
    assert_eq!(redis.ask::<u64>(redis::cmd("XLEN").arg("sos:outbox:dead:{seed-out-1}")), 1);
    eventually("nothing is owed any more", || {
        incidents.iter().all(|sos| redis.ask::<u64>(redis::cmd("XLEN").arg(format!("sos:outbox:{{{sos}}}"))) == 0)
    })
    .await;
    service.assert_content();
}

#[tokio::test]
async fn another_node_delivers_what_a_killed_node_had_not_delivered() {
    let (redis, service) = (Server::start(&[]), SosMs::start().await);
    let lease = [("NODE_LEASE_MS", "3000")];
    let (a, b) = tokio::join!(node_with(&redis, &service, &lease), node_with(&redis, &service, &lease));
    for sos in ["seed-quiet", "seed-lively"] {
        a.create_sos(sos, "c1").await;
    }
    let (quiet, lively) = (member(&a, "citizen", "c1", "seed-quiet").await, member(&a, "citizen", "c1", "seed-lively").await);
    let survivor = member(&b, "rescuer", "r1", "seed-lively").await;
    // Both events of a join: so the deliverers are idle when the service falls silent.
    eventually("all is delivered", || {
        ["seed-quiet", "seed-lively"]
            .iter()
            .all(|sos| redis.ask::<u64>(redis::cmd("XLEN").arg(format!("sos:outbox:{{{sos}}}"))) == 0)
    })
    .await;
    service.set(Mood::Silent);
    let before = service.asked().len();
    for text in ["one", "two", "three"] {
        say(&quiet, text).await;
        say(&lively, text).await;
    }
    eventually("the node is in the middle of both deliveries", || service.asked().len() >= before + 2).await;
    a.kill();
    service.set(Mood::Up);
    say(&survivor, "four").await;
    eventually("the next writer delivers once the dead node's lease is over", || {
        texts(&service, "seed-lively") == ["one", "two", "three", "four"]
    })
    .await;
    eventually("what nobody touches is found when the node is known to be dead", || {
        texts(&service, "seed-quiet") == ["one", "two", "three"]
    })
    .await;
    service.assert_content();
}
