//! Redis goes away under a running hub, wholly or in part, and comes back: what clients see of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use convoke::features::sos::keys as sos_keys;
use convoke::redis::keys::slot;
use redis::cmd;
use reqwest::Method;
use serde_json::{Value, json};

use super::support::client::{Client, Refusal};
use super::support::hub::Hub;
use super::support::incident::member;
use super::support::redis::{Cluster, Server};
use super::support::sos_ms::SosMs;
use super::support::speaker::{Speaker, history, judge, texts};
use super::support::{eventually, eventually_asked};

/// Two nodes on one Redis.
async fn nodes(env: &[(&str, &str)]) -> (Hub, Hub) {
    let node = |name| {
        let env: Vec<_> = env.iter().copied().chain([("NODE_ID", name), ("EVENTS_PER_SECOND", "1000")]).collect();
        async move { Hub::start(&env).await }
    };
    tokio::join!(node("a"), node("b"))
}

/// Redis stops under a live incident with members on both nodes, and starts again, with or without its data.
async fn outage(kept: bool) {
    let redis = if kept { Server::start_persistent() } else { Server::start(&[]) };
    let service = SosMs::start().await;
    service.knows("out", json!({"citizenId": "c1", "status": "assigned", "soNo": "SO-1"}));
    let (url, service_url) = (redis.url(), service.url());
    let (a, b) = nodes(&[("REDIS_URL", &url), ("SOS_MS_URL", &service_url), ("REDIS_DEADLINE_MS", "1500")]).await;
    let citizen = member(&a, "citizen", "c1", "out").await;
    let (mut rescuer, mut second) = (member(&b, "rescuer", "r1", "out").await, member(&a, "rescuer", "r2", "out").await);
    let mut dispatcher = Client::connect(&b.url(), json!({"token": b.token("dispatcher", "d1", &[])})).await;
    dispatcher.ask_ok("sos:watch", json!({})).await;
    let speaker = Speaker::start(citizen, "m");
    rescuer.wait_count("message:broadcast", 20).await;

    redis.stop();
    let stopped = Instant::now();
    for hub in [&a, &b] {
        for path in ["/readyz", "/ready"] {
            let body: Value = serde_json::from_str(&hub.wait_for_status(path, 503).await).expect("JSON");
            let expected = json!({
                "status": "unavailable", "reason": "no Redis master answers", "degraded": true, "away": ["redis"],
                "checks": {"redis": {"up": 0, "masters": 1}, "sosService": {"up": true}},
            });
            assert_eq!(body, expected);
        }
        for path in ["/health", "/api/health", "/healthz", "/livez"] {
            let answer = hub.get(path).await;
            assert_eq!(answer.status(), 200, "{path}: the process is well");
            let body: Value = answer.json().await.expect("JSON");
            assert_eq!((&body["status"], &body["service"]), (&json!("ok"), &json!("convoke")), "{path}");
        }
        let (status, body) = hub.internal(Method::GET, "/sos/out/state", None).await;
        assert_eq!((status, &body["code"]), (503, &json!("UNAVAILABLE")), "{body}");
    }
    // Whoever connects now is sent away by the transport alone, and so comes again.
    let refused = Client::try_connect(&b.url(), json!({"token": b.token("rescuer", "r3", &["out"])})).await;
    assert!(matches!(refused, Err(Refusal::Closed(_) | Refusal::Http { status: 503, .. })), "{refused:?}");
    let unavailable = second.ask("sos:status:update", json!({"status": "en_route"})).await;
    assert_eq!(unavailable["code"], "UNAVAILABLE", "{unavailable}");
    tokio::time::sleep_until((stopped + Duration::from_millis(4500)).into()).await;
    assert!([&rescuer, &second, &dispatcher].iter().all(|client| !client.is_closed()), "clients stay connected");

    redis.restart();
    for hub in [&a, &b] {
        let body: Value = serde_json::from_str(&hub.wait_for_status("/readyz", 200).await).expect("JSON");
        assert_eq!((&body["status"], &body["degraded"]), (&json!("ready"), &json!(false)), "{body}");
    }
    if !kept {
        // Nobody asked for it: the members are members again, of an incident that the SOS service knows.
        for client in [&mut rescuer, &mut second] {
            client.wait_for("sos:state", |state| state["soNo"] == "SO-1" && state["members"].is_array()).await;
            let latest = || {
                let told = client.events().into_iter().rev().find_map(|event| event.args[0]["members"].as_array().map(Vec::len));
                told == Some(3)
            };
            eventually("the members know of each other again", latest).await;
        }
        let announced = rescuer.received("sos:init").iter().filter(|joined| joined["userId"] != "r1").count();
        assert_eq!(announced, 1, "nobody joined: they were here all the time");
    }
    second.ask_ok("message:send", json!({"text": "back 0"})).await;
    rescuer.wait_for("message:broadcast", |message| message["text"] == "back 0").await;
    rescuer.ask_ok("message:send", json!({"text": "back 1"})).await;
    second.wait_for("message:broadcast", |message| message["text"] == "back 1").await;
    rescuer.ask_ok("location:update", json!({"latitude": 3, "longitude": 4})).await;
    second.wait_for("location:broadcast", |fix| fix["latitude"] == 3).await;
    let members = |state: &Value| state["data"]["members"].as_array().map_or(0, Vec::len);
    let (_, state) = a.internal(Method::GET, "/sos/out/state", None).await;
    assert_eq!(members(&state), 3, "{state}");
    assert!(state["data"]["members"].as_array().unwrap().iter().all(|member| member["online"] == true), "{state}");
    assert_eq!(state["data"]["status"], "assigned", "what was refused did not happen");
    // The watchers' subscription is back as well.
    a.create_sos("out-2", "c2").await;
    dispatcher.wait_for("sos:created", |state| state["sosId"] == "out-2").await;

    let heard_after = rescuer.received("message:broadcast").len();
    rescuer.wait_count("message:broadcast", heard_after + 20).await;
    let (citizen, said) = speaker.stop().await;
    assert!(!citizen.is_closed() && said.never.len() >= 2, "{said:?}");
    assert!(said.slowest < Duration::from_secs(10), "the deadline is 1.5 s: {:?}", said.slowest);
    let last = said.ok.last().expect("one").clone();
    for client in [&mut rescuer, &mut second] {
        client.wait_for("message:broadcast", |message| message["text"] == last).await;
        let heard = texts(&client.received("message:broadcast")).into_iter().filter(|text| text.starts_with('m'));
        judge("a rescuer", &heard.collect::<Vec<_>>(), &said);
    }
    let kept_messages: Vec<_> = history(&citizen).await.into_iter().filter(|text| text.starts_with('m')).collect();
    if kept {
        judge("the history", &kept_messages, &said);
    } else {
        assert!(said.never.iter().all(|text| !kept_messages.contains(text)), "nothing that failed runs later");
    }
    service.assert_content();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_was_away_and_kept_its_data_is_taken_up_where_it_stopped() {
    outage(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_came_back_empty_is_filled_by_those_who_are_connected() {
    outage(false).await;
}

/// An id whose slot belongs to this master of a fresh cluster.
fn id_at(cluster: &Cluster, master: usize, name: &str) -> String {
    (0..).map(|n| format!("{name}{n}")).find(|id| cluster.home_of(&sos_keys::state(id)) == master).expect("one of many")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_one_of_three_masters_dead_the_scopes_of_the_others_never_notice() {
    let cluster = Cluster::start_persistent();
    let service = SosMs::start().await;
    let (url, service_url) = (cluster.url(), service.url());
    let (a, b) = nodes(&[("REDIS_URL", &url), ("SOS_MS_URL", &service_url), ("REDIS_DEADLINE_MS", "1500")]).await;
    // For every role that a key may have: incidents, users, and the index of all incidents.
    for victim in [cluster.home_of(sos_keys::ROOMS), (cluster.home_of(sos_keys::ROOMS) + 1) % 3] {
        let ids: Vec<String> = (0..3).map(|master| id_at(&cluster, master, &format!("part{victim}-"))).collect();
        for id in &ids {
            service.knows(id, json!({"citizenId": "c", "status": "active"}));
            a.create_sos(id, "c").await;
        }
        let mut rescuers = Vec::new();
        let mut speakers = Vec::new();
        for id in &ids {
            rescuers.push(member(&b, "rescuer", "r", id).await);
            speakers.push(Speaker::start(member(&a, "citizen", "c", id).await, "m"));
        }
        for rescuer in &rescuers {
            rescuer.wait_count("message:broadcast", 5).await;
        }

        cluster.masters[victim].stop();
        let reply = rescuers[victim].ask("message:send", json!({"text": "into the void"})).await;
        assert!(matches!(reply["code"].as_str(), Some("UNAVAILABLE" | "UNCONFIRMED")), "{reply}");
        let readyz = async || a.get("/readyz").await.json::<Value>().await.expect("JSON");
        eventually_asked("the node knows of it", async || readyz().await["degraded"] == true).await;
        let body = readyz().await;
        assert_eq!((&body["status"], &body["degraded"], &body["away"]), (&json!("ready"), &json!(true), &json!(["redis"])));
        assert_eq!(body["checks"]["redis"], json!({"up": 2, "masters": 3}));
        // Newcomers too, though what is noted of them would belong to the dead master.
        let user =
            (0..).map(|n| format!("late{n}")).find(|user| cluster.home_of(&sos_keys::user_presence(user)) == victim).unwrap();
        for (_, id) in ids.iter().enumerate().filter(|(master, _)| *master != victim) {
            let newcomer = member(&b, "rescuer", &user, id).await;
            newcomer.ask_ok("location:update", json!({"latitude": 1, "longitude": 2})).await;
            newcomer.wait_count("location:broadcast", 1).await;
        }
        let before = rescuers.iter().map(|rescuer| rescuer.received("message:broadcast").len()).collect::<Vec<_>>();
        for (master, rescuer) in rescuers.iter().enumerate().filter(|(master, _)| *master != victim) {
            rescuer.wait_count("message:broadcast", before[master] + 50).await;
        }

        cluster.masters[victim].restart();
        eventually("its own scopes hear of each other again", || {
            rescuers[victim].received("message:broadcast").len() > before[victim] + 3
        })
        .await;
        for (master, (speaker, rescuer)) in speakers.into_iter().zip(&mut rescuers).enumerate() {
            let (citizen, said) = speaker.stop().await;
            let last = said.ok.last().expect("one").clone();
            rescuer.wait_for("message:broadcast", |message| message["text"] == last).await;
            let heard = texts(&rescuer.received("message:broadcast"));
            judge(
                &format!("master {master} of {victim}"),
                &heard.into_iter().filter(|text| text.starts_with('m')).collect::<Vec<_>>(),
                &said,
            );
            assert!(!citizen.is_closed());
            if master == victim {
                assert!(!said.never.is_empty() || !said.perhaps.is_empty());
            } else {
                assert!(said.never.is_empty() && said.perhaps.is_empty(), "master {master}: {said:?}");
            }
        }
        eventually_asked("ready and whole", async || readyz().await["degraded"] == false).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_moves_under_a_live_incident_loses_and_doubles_nothing() {
    let cluster = Arc::new(Cluster::start(0));
    let url = cluster.url();
    let (a, b) = nodes(&[("REDIS_URL", &url)]).await;
    a.create_sos("moving", "c1").await;
    let (mut near, mut far) = (member(&a, "rescuer", "r1", "moving").await, member(&b, "rescuer", "r2", "moving").await);
    let speaker = Speaker::start(member(&a, "citizen", "c1", "moving").await, "m");
    let home = cluster.home_of(&sos_keys::state("moving"));
    let (first, second) = ((home + 1) % 3, (home + 2) % 3);
    for (from, to) in [(home, first), (first, second), (second, home)] {
        let before = far.received("message:broadcast").len();
        let moving = cluster.clone();
        let moved = tokio::task::spawn_blocking(move || {
            let slot = slot(sos_keys::state("moving").as_bytes());
            moving.migrate(slot, from, to, || std::thread::sleep(Duration::from_millis(30)));
        });
        moved.await.expect("the slot moves");
        // Nobody is deaf afterwards, and positions flow as well.
        far.wait_count("message:broadcast", before + 5).await;
        let latitude = json!(to + 1);
        near.ask_ok("location:update", json!({"latitude": latitude, "longitude": 1})).await;
        for member in [&mut near, &mut far] {
            member.wait_for("location:broadcast", |fix| fix["latitude"] == latitude).await;
        }
    }
    let (citizen, said) = speaker.stop().await;
    let last = said.ok.last().expect("one").clone();
    for member in [&mut near, &mut far] {
        member.wait_for("message:broadcast", |message| message["text"] == last).await;
        let heard: Vec<_> = texts(&member.received("message:broadcast"));
        assert!(heard.len() >= 15, "five after each move: {said:?}");
        judge("a rescuer", &heard, &said);
    }
    judge("the history", &history(&citizen).await, &said);
    assert!(said.never.is_empty() && said.perhaps.is_empty(), "a move is no outage: {said:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_subscription_is_made_up_for_from_the_log() {
    let redis = Server::start(&[]);
    let url = redis.url();
    let (a, b) = nodes(&[("REDIS_URL", &url)]).await;
    a.create_sos("deaf", "c1").await;
    let (mut near, mut far) = (member(&a, "rescuer", "r1", "deaf").await, member(&b, "rescuer", "r2", "deaf").await);
    let speaker = Speaker::start(member(&a, "citizen", "c1", "deaf").await, "m");
    for round in 0..6_usize {
        far.wait_count("message:broadcast", round * 25 + 10).await;
        let killed = || redis.ask::<u64>(cmd("CLIENT").arg("KILL").arg("TYPE").arg("pubsub"));
        eventually("there is a subscription to kill", || killed() >= 1).await;
        // What is volatile is not in the log: the value of now is sent again.
        near.ask_ok("location:update", json!({"latitude": round, "longitude": 1})).await;
        for member in [&mut near, &mut far] {
            member.wait_for("location:broadcast", |fix| fix["latitude"] == round).await;
        }
    }
    let (_citizen, said) = speaker.stop().await;
    assert!(said.never.is_empty() && said.perhaps.is_empty(), "{said:?}");
    for member in [&mut near, &mut far] {
        let last = said.ok.last().expect("one").clone();
        member.wait_for("message:broadcast", |message| message["text"] == last).await;
        let heard = texts(&member.received("message:broadcast"));
        judge("a rescuer", &heard, &said);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_a_member_stays_one_though_redis_forgets_everything_in_between() {
    let redis = Server::start(&[]);
    let service = SosMs::start().await;
    service.knows("amnesia", json!({"citizenId": "c1", "status": "assigned"}));
    let (url, service_url) = (redis.url(), service.url());
    let (a, b) = nodes(&[("REDIS_URL", &url), ("SOS_MS_URL", &service_url)]).await;
    let mut citizen = member(&a, "citizen", "c1", "amnesia").await;
    let mut rescuer = member(&b, "rescuer", "r1", "amnesia").await;
    let mut dispatcher = Client::connect(&b.url(), json!({"token": b.token("dispatcher", "d1", &[])})).await;
    dispatcher.ask_ok("sos:init", json!({"sosId": "amnesia"})).await;
    for round in 0..5_u32 {
        // No connection breaks: nobody has a reason to look, until somebody speaks.
        redis.tell("FLUSHALL");
        let text = json!(format!("still here {round}"));
        let (speaker, others) = match round % 3 {
            0 => (&mut citizen, [&mut rescuer, &mut dispatcher]),
            1 => (&mut rescuer, [&mut citizen, &mut dispatcher]),
            _ => (&mut dispatcher, [&mut rescuer, &mut citizen]),
        };
        speaker.ask_ok("message:send", json!({"sosId": "amnesia", "text": text})).await;
        speaker.ask_ok("signal", json!({"sosId": "amnesia", "payload": 1})).await;
        let page = speaker.ask_ok("message:history", json!({"sosId": "amnesia"})).await;
        assert_eq!(page["messages"][0]["text"], text);
        for other in others {
            other.ask_ok("message:history", json!({"sosId": "amnesia"})).await;
            other.ask_ok("message:send", json!({"sosId": "amnesia", "text": format!("heard {round}")})).await;
        }
        for member in [&mut citizen, &mut rescuer, &mut dispatcher] {
            member.wait_for("message:broadcast", |message| message["text"] == format!("heard {round}")).await;
        }
        let members = |state: &Value| state["data"]["members"].as_array().map_or(0, Vec::len);
        let (_, state) = a.internal(Method::GET, "/sos/amnesia/state", None).await;
        assert_eq!(members(&state), 3, "{state}");
    }
}
