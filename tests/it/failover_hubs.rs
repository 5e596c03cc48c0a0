//! A master is killed under a live incident: what clients of two nodes see of it.

use convoke::features::sos::keys as sos_keys;
use serde_json::{Value, json};

use super::support::client::Client;
use super::support::hub::Hub;
use super::support::incident::member;
use super::support::ports::free_port;
use super::support::proxy::{Mode, Proxy};
use super::support::redis::{Cluster, Sentinels, Server};
use super::support::speaker::{Speaker, history, judge, texts};
use super::support::{eventually, within};

/// Two nodes on one Redis.
async fn nodes(url: &str) -> (Hub, Hub) {
    let node = |name: &'static str| async move {
        Hub::start(&[("REDIS_URL", url), ("NODE_ID", name), ("EVENTS_PER_SECOND", "1000"), ("REDIS_DEADLINE_MS", "3000")]).await
    };
    tokio::join!(node("a"), node("b"))
}

/// Sends an event until a replica confirms it; one that is busy may be too slow for the first time.
async fn confirmed(client: &Client, event: &str, payload: Value) -> Value {
    within(async {
        loop {
            let reply = client.ask(event, payload.clone()).await;
            if reply["ok"] == true {
                return reply;
            }
            assert!(matches!(reply["code"].as_str(), Some("UNCONFIRMED" | "UNAVAILABLE")), "{event} was answered {reply}");
        }
    })
    .await
}

/// What each client, and the history, must know in the end.
async fn all_is_well(speaker: Speaker, members: &mut [Client], incident: &str) {
    let (citizen, said) = speaker.stop().await;
    println!(
        "{incident}: {} confirmed, {} answers UNAVAILABLE, {} UNCONFIRMED, the slowest took {:?}",
        said.ok.len(),
        said.never.len(),
        said.perhaps.len(),
        said.slowest
    );
    let last = said.ok.last().expect("one").clone();
    for member in members {
        member.wait_for("message:broadcast", |message| message["text"] == last).await;
        assert!(!member.is_closed(), "clients stay connected");
        judge("a member", &texts(&member.received("message:broadcast")), &said);
    }
    judge("the history", &history(&citizen).await, &said);
    assert!(!citizen.is_closed());
}

async fn killed_master_under_sentinel(password: &str) {
    let set = Sentinels::start(2, password);
    let (a, b) = nodes(&set.url()).await;
    a.create_sos("fo", "c1").await;
    let mut members = [member(&a, "rescuer", "r1", "fo").await, member(&b, "rescuer", "r2", "fo").await];
    let speaker = Speaker::start_patient(member(&a, "citizen", "c1", "fo").await, "m");
    for round in 0..2 {
        members[1].wait_count("message:broadcast", members[1].received("message:broadcast").len() + 30).await;
        let old = set.master().expect("a master");
        old.stop();
        eventually("another one is made master", || set.master().is_some()).await;
        // Neither hub is told anything: messages and positions flow again by themselves.
        let before = members[1].received("message:broadcast").len();
        eventually("messages flow again", || members[1].received("message:broadcast").len() > before + 30).await;
        let latitude = json!(round + 1);
        confirmed(&members[0], "location:update", json!({"latitude": latitude, "longitude": 1})).await;
        for member in &mut members {
            member.wait_for("location:broadcast", |fix| fix["latitude"] == latitude).await;
        }
        for hub in [&a, &b] {
            hub.wait_for_status("/readyz", 200).await;
        }
        set.restart_as_replica(old);
        set.wait_for_replicas(2);
    }
    all_is_well(speaker, &mut members, "sentinel").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_killed_under_sentinel_is_replaced_and_nothing_confirmed_is_lost() {
    killed_master_under_sentinel("").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_with_a_password() {
    killed_master_under_sentinel("pa55w0rd").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_killed_in_a_cluster_is_replaced_and_the_scopes_of_the_others_never_notice() {
    let cluster = Cluster::start(1);
    let (a, b) = nodes(&cluster.url()).await;
    let id_at = |master| (0..).map(|n| format!("fo{n}")).find(|id| cluster.home_of(&sos_keys::state(id)) == master).expect("one");
    let (struck, spared) = (id_at(0), id_at(1));
    let mut incidents = Vec::new();
    for id in [&struck, &spared] {
        a.create_sos(id, "c").await;
        let members = [member(&a, "rescuer", "r1", id).await, member(&b, "rescuer", "r2", id).await];
        incidents.push((Speaker::start_patient(member(&a, "citizen", "c", id).await, "m"), members, id));
    }
    for (_, members, _) in &incidents {
        members[1].wait_count("message:broadcast", 20).await;
    }
    cluster.masters[0].stop();
    for (_, members, id) in &incidents {
        let before = members[1].received("message:broadcast").len();
        eventually(&format!("{id} goes on"), || members[1].received("message:broadcast").len() > before + 50).await;
    }
    for (speaker, mut members, id) in incidents {
        all_is_well(speaker, &mut members, id).await;
    }
}

/// The replica stops answering; then it comes back.
async fn silent_replica(url: &str, replica: &Server, sos: &str) {
    let (a, b) = nodes(url).await;
    a.create_sos(sos, "c1").await;
    let (citizen, rescuer) = (member(&a, "citizen", "c1", sos).await, member(&b, "rescuer", "r1", sos).await);
    let message = |text: &str| json!({"text": text, "clientMessageId": text});
    confirmed(&citizen, "message:send", message("heard")).await;
    replica.freeze();
    let reply = citizen.ask("message:send", message("perhaps")).await;
    assert_eq!((&reply["ok"], &reply["code"]), (&json!(false), &json!("UNCONFIRMED")), "{reply}");
    // It was written, and whoever listens has heard it.
    rescuer.wait_count("message:broadcast", 2).await;
    // From elsewhere, by somebody who asks again on another node: it is still not confirmed.
    let elsewhere = member(&b, "citizen", "c1", sos).await;
    let reply = elsewhere.ask("message:send", message("perhaps")).await;
    assert_eq!(reply["code"], "UNCONFIRMED", "{reply}");
    replica.thaw();
    let reply = confirmed(&elsewhere, "message:send", message("perhaps")).await;
    assert_eq!(reply["duplicate"], true, "{reply}");
    confirmed(&citizen, "message:send", message("end")).await;
    rescuer.wait_count("message:broadcast", 3).await;
    assert_eq!(texts(&rescuer.received("message:broadcast")), ["heard", "perhaps", "end"]);
    assert_eq!(history(&citizen).await, ["heard", "perhaps", "end"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_replica_confirms_is_unconfirmed_and_its_repeat_is_one_effect() {
    let master = Server::start(&[]);
    let replica = Server::start(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    master.wait_for_replicas(1);
    silent_replica(&master.url(), &replica, "alone").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_is_under_sentinel() {
    let set = Sentinels::start(1, "");
    silent_replica(&set.url(), &set.nodes[1], "watched").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_hung_and_comes_back_after_its_successor_was_made_takes_nothing_with_it() {
    let set = Sentinels::start(2, "");
    let (a, b) = nodes(&set.url()).await;
    a.create_sos("hung", "c1").await;
    let mut members = [member(&a, "rescuer", "r1", "hung").await, member(&b, "rescuer", "r2", "hung").await];
    let speaker = Speaker::start_patient(member(&a, "citizen", "c1", "hung").await, "m");
    members[1].wait_count("message:broadcast", 30).await;
    let old = set.master().expect("a master");
    old.freeze();
    let before = members[1].received("message:broadcast").len();
    eventually("messages flow again", || members[1].received("message:broadcast").len() > before + 20).await;
    // It still believes to be the master.
    old.thaw();
    let before = members[1].received("message:broadcast").len();
    eventually("they go on flowing", || members[1].received("message:broadcast").len() > before + 100).await;
    all_is_well(speaker, &mut members, "hung").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failover_took_back_was_never_confirmed_and_its_repeat_is_one_effect() {
    let master = Server::start(&[]);
    // What the master writes for its replica can be held up on the way, and be lost there.
    let link = Proxy::start(master.address()).await;
    let replica = Server::start(&["--replicaof", "127.0.0.1", &link.address.port().to_string()]);
    let set = Sentinels::watch(master, vec![replica]);
    let port = free_port().to_string();
    let url = set.url();
    let hub = Hub::start(&[("REDIS_URL", &url), ("METRICS_PORT", &port)]).await;
    hub.create_sos("taken", "c1").await;
    let (citizen, mut rescuer) = (member(&hub, "citizen", "c1", "taken").await, member(&hub, "rescuer", "r1", "taken").await);
    let message = |text: &str| json!({"text": text, "clientMessageId": text});
    confirmed(&citizen, "message:send", message("one")).await;
    link.set(Mode::Pause);
    let reply = citizen.ask("message:send", message("two")).await;
    assert_eq!(reply["code"], "UNCONFIRMED", "{reply}");
    rescuer.wait_for("message:broadcast", |message| message["text"] == "two").await;
    set.nodes[0].stop();
    let mut reply = json!({});
    while reply["ok"] != true {
        reply = citizen.ask("message:send", message("two")).await;
        assert!(reply["ok"] == true || matches!(reply["code"].as_str(), Some("UNAVAILABLE" | "UNCONFIRMED")), "{reply}");
    }
    assert!(reply["duplicate"].is_null(), "the new master has never heard of it: {reply}");
    assert_eq!(confirmed(&citizen, "message:send", message("two")).await["duplicate"], true);
    confirmed(&citizen, "message:send", message("three")).await;
    rescuer.wait_for("message:broadcast", |message| message["text"] == "three").await;
    assert_eq!(history(&citizen).await, ["one", "two", "three"]);
    // Whoever had heard what was taken back hears it again, and the fork is counted.
    assert_eq!(texts(&rescuer.received("message:broadcast")), ["one", "two", "two", "three"]);
    let forks = async || {
        let metrics = reqwest::get(format!("http://127.0.0.1:{port}/metrics")).await.unwrap().text().await.unwrap();
        metrics.lines().any(|line| line.strip_prefix("convoke_forks_total ").is_some_and(|forks| forks != "0"))
    };
    within(async { while !forks().await {} }).await;
}
