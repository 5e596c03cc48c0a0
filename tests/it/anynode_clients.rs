//! Official clients in their defaults, and on long-polling alone, through a balancer that sends every request to the next of
//! three nodes.

use futures_util::future::join_all;
use serde_json::json;

use crate::support::haproxy::HaProxy;
use crate::support::hub::Hub;
use crate::support::redis::single;
use crate::support::talker::{Library, Parser, Talker, Transports};

struct Three {
    hubs: Vec<Hub>,
    balancer: HaProxy,
}

impl Three {
    async fn start() -> Self {
        let redis = single().url();
        let hubs = join_all((0..3).map(|_| async { Hub::start(&[("REDIS_URL", &redis)]).await })).await;
        let ports: Vec<u16> = hubs.iter().map(|hub| hub.address.port()).collect();
        Self { hubs, balancer: HaProxy::start(&ports) }
    }

    async fn join(&self, library: Library, transports: Transports, role: &str, user: &str, sos: &str) -> Talker {
        let (url, token) = (format!("http://127.0.0.1:{}", self.balancer.port), self.hubs[0].token(role, user, &[sos]));
        let mut talker = Talker::connect(library, Parser::Text, transports, &url, &token).await;
        talker.wait_for("sos:state", |state| state["sosId"] == sos).await;
        talker
    }

    async fn talk(&self, sos: &str, transports: &[(Library, Transports)]) {
        self.hubs[0].create_sos(sos, "c").await;
        let joins = transports.iter().enumerate().map(|(n, (library, transports))| async move {
            let (role, user) = if n == 0 { ("citizen", "c".into()) } else { ("rescuer", format!("r{n}")) };
            self.join(*library, *transports, role, &user, sos).await
        });
        let mut talkers = join_all(joins).await;
        for (from, talker) in talkers.iter_mut().enumerate() {
            for n in 0..3 {
                let text = json!(format!("{from} says {n}"));
                talker.ask_ok("message:send", json!({"text": text, "clientMessageId": text})).await;
            }
        }
        for talker in &mut talkers {
            for from in 0..transports.len() {
                for n in 0..3 {
                    let text = json!(format!("{from} says {n}"));
                    talker.wait_for("message:broadcast", |message| message["text"] == text).await;
                }
            }
            assert_eq!(talker.count("message:broadcast"), 0, "nothing comes twice");
        }
        join_all(talkers.into_iter().map(Talker::leave)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_in_their_defaults_and_on_polling_alone_talk_through_any_node() {
    let three = Three::start().await;
    let clients = [
        (Library::Node, Transports::Default),
        (Library::Python, Transports::Default),
        (Library::Node, Transports::Polling),
        (Library::PythonAsync, Transports::Default),
        (Library::Node, Transports::Default),
    ];
    for round in 0..3 {
        three.talk(&format!("anynode-{round}"), &clients).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_upgrade_in_the_middle_of_a_stream_have_each_event_once_and_in_order() {
    let three = Three::start().await;
    let sos = "anynode-stream";
    three.hubs[0].create_sos(sos, "c").await;
    let mut citizen = three.join(Library::Node, Transports::Default, "citizen", "c", sos).await;
    let enough = tokio::sync::Notify::new();
    let stream = async {
        let (mut said, mut all_are_there) = (0, false);
        let mut enough = std::pin::pin!(enough.notified());
        loop {
            let text = json!(said.to_string());
            citizen.ask_ok("message:send", json!({"text": text, "clientMessageId": text})).await;
            said += 1;
            if all_are_there {
                return said;
            }
            tokio::select! {
                () = &mut enough => all_are_there = true,
                // Below what one client may send in a second.
                () = tokio::time::sleep(std::time::Duration::from_millis(25)) => {}
            }
        }
    };
    let names: Vec<String> = (0..12).map(|n| format!("r{n}")).collect();
    let joins = async {
        let joins = names.iter().map(|name| three.join(Library::Node, Transports::Default, "rescuer", name, sos));
        let talkers = join_all(joins).await;
        enough.notify_one();
        talkers
    };
    let (said, mut talkers) = tokio::join!(stream, joins);
    let last = json!((said - 1).to_string());
    for talker in &mut talkers {
        let mut numbers = Vec::new();
        while numbers.last() != Some(&(said - 1)) {
            let message = talker.wait_for("message:broadcast", |message| message["userId"] == "c").await;
            numbers.push(message["text"].as_str().unwrap().parse::<i32>().unwrap());
        }
        let expected: Vec<i32> = (numbers[0]..said).collect();
        assert_eq!(numbers, expected, "up to {last}");
    }
    join_all(talkers.into_iter().map(Talker::leave)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_session_of_a_node_that_has_just_come_is_known_to_the_others() {
    let redis = single().url();
    let http = crate::support::raw::http();
    let old = Hub::start(&[("REDIS_URL", &redis)]).await;
    for _ in 0..5 {
        let new = Hub::start_unready(&[("REDIS_URL", &redis)]).await;
        let open = http.get(format!("{}/socket.io/?EIO=4&transport=polling", new.url())).send().await.unwrap();
        let sid = crate::support::raw::sid_of(&open.text().await.unwrap());
        let url = |sid: &str| format!("{}/socket.io/?EIO=4&transport=polling&sid={sid}", old.url());
        // Whoever asks in vain a moment before does not use up the look that this one needs.
        let (made_up, posted) =
            tokio::join!(http.get(url("nobody99AAAAAAAAAAAAAAAAAAAA")).send(), http.post(url(&sid)).body("40{}").send());
        assert_eq!((made_up.unwrap().status().as_u16(), posted.unwrap().status().as_u16()), (400, 200));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sessions_of_a_node_that_was_killed_are_unknown_at_once() {
    let mut three = Three::start().await;
    let http = crate::support::raw::http();
    let open = http.get(format!("{}/socket.io/?EIO=4&transport=polling", three.hubs[0].url())).send().await.unwrap();
    let sid = crate::support::raw::sid_of(&open.text().await.unwrap());
    let url = format!("{}/socket.io/?EIO=4&transport=polling&sid={sid}", three.hubs[1].url());
    let posted = http.post(&url).body("40{}").send().await.unwrap();
    assert_eq!(posted.status(), 200);
    drop(three.hubs.remove(0));
    // Long before the lease of the dead node is over.
    let patience = std::time::Duration::from_secs(8);
    let answer = tokio::time::timeout(patience, http.get(&url).send()).await.expect("not a hang").unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap().contains("Session ID unknown")), (400, true));
}
