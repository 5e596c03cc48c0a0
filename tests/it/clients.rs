//! The official clients, unmodified: one incident with all of them in it, whoever the citizen is.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::support::haproxy::HaProxy;
use super::support::hub::Hub;
use super::support::redis::{cluster, single};
use super::support::talker::{Library, Parser, Talker, Transports};

const ALL: [(Library, Parser); 6] = [
    (Library::Node, Parser::Text),
    (Library::Node, Parser::Msgpack),
    (Library::Python, Parser::Text),
    (Library::PythonAsync, Parser::Text),
    (Library::Python, Parser::Msgpack),
    (Library::PythonAsync, Parser::Msgpack),
];

/// One node, or two behind a balancer that is not sticky.
struct Place {
    hubs: Vec<Hub>,
    balancer: Option<HaProxy>,
    transports: Transports,
}

impl Place {
    async fn one_node(redis: &str) -> Self {
        Self { hubs: vec![Hub::start(&[("REDIS_URL", redis)]).await], balancer: None, transports: Transports::Default }
    }

    async fn two_nodes(redis: &str) -> Self {
        let hubs = join_all(["a", "b"].map(|node| async move { Hub::start(&[("REDIS_URL", redis), ("NODE_ID", node)]).await }));
        let hubs = hubs.await;
        let ports: Vec<u16> = hubs.iter().map(|hub| hub.address.port()).collect();
        Self { hubs, balancer: Some(HaProxy::start(&ports)), transports: Transports::Default }
    }

    fn url(&self) -> String {
        self.balancer.as_ref().map_or_else(|| self.hubs[0].url(), |balancer| format!("http://127.0.0.1:{}", balancer.port))
    }

    async fn join(&self, (library, parser): (Library, Parser), role: &str, user: &str, sos: &str) -> Talker {
        let token = self.hubs[0].token(role, user, &[sos]);
        let mut talker = Talker::connect(library, parser, self.transports, &self.url(), &token).await;
        talker.wait_for("sos:state", |state| state["sosId"] == sos).await;
        talker
    }

    /// A whole incident: the first client is the citizen, the others are its rescuers.
    async fn live_through(&self, sos: &str, clients: &[(Library, Parser)]) {
        self.hubs[0].create_sos(sos, "c").await;
        let names: Vec<String> = (1..clients.len()).map(|n| format!("r{n}")).collect();
        let rescuers = names.iter().zip(&clients[1..]).map(|(name, client)| self.join(*client, "rescuer", name, sos));
        let (mut citizen, mut rescuers) = tokio::join!(self.join(clients[0], "citizen", "c", sos), join_all(rescuers));

        let state = rescuers[0].ask_ok("sos:init", json!({"sosId": sos})).await["data"].take();
        assert_eq!((&state["citizenId"], &state["status"]), (&json!("c"), &json!("active")));
        for latitude in [14.5, 14.75, 0.0] {
            citizen.emit("location:update", json!({"latitude": latitude, "longitude": 121.0, "accuracy": 5}));
        }
        for rescuer in &mut rescuers {
            let last = rescuer.wait_for("location:broadcast", |fix| fix["latitude"] == 0.0).await;
            assert_eq!((&last["userId"], &last["accuracy"], &last["speed"]), (&json!("c"), &json!(5), &Value::Null));
        }
        for (rescuer, name) in rescuers.iter_mut().zip(&names) {
            rescuer.ask_ok("message:send", json!({"text": format!("{name} kommt ☂"), "clientMessageId": "m"})).await;
            let status = rescuer.ask_ok("sos:status:update", json!({"status": "assigned"})).await;
            assert_eq!(status["status"], "assigned");
        }
        for name in &names {
            let text = json!(format!("{name} kommt ☂"));
            for member in rescuers.iter_mut().chain([&mut citizen]) {
                member.wait_for("message:broadcast", |message| message["text"] == text).await;
                member.wait_for("sos:status:broadcast", |status| status["responderId"] == **name).await;
            }
        }
        // Bytes are bytes for everybody, whichever way they came.
        let bytes = json!({"$bytes": "AAEC/w=="});
        for (rescuer, name) in rescuers.iter_mut().zip(&names) {
            rescuer.ask_ok("signal", json!({"payload": {"n": name, "raw": bytes}, "to": "c"})).await;
            let signal = citizen.wait_for("signal", |signal| signal["userId"] == **name).await;
            assert_eq!(signal["payload"], json!({"n": name, "raw": bytes}));
        }
        citizen.ask_ok("signal", json!({"payload": [bytes, 1]})).await;
        for rescuer in &mut rescuers {
            assert_eq!(rescuer.wait_for("signal", |_| true).await["payload"], json!([bytes, 1]));
        }

        let refused = citizen.ask("sos:status:update", json!({"status": "resolved"})).await;
        assert_eq!((&refused["ok"], &refused["code"]), (&json!(false), &json!("FORBIDDEN")));
        rescuers[0].emit("sos:status:update", json!({"status": "nowhere"}));
        let error = rescuers[0].wait_for("error", |_| true).await;
        assert_eq!((&error["code"], &error["event"]), (&json!("INVALID_STATUS"), &json!("sos:status:update")));
        citizen.ask_ok("sos:close", json!({"reason": "safe"})).await;
        for member in rescuers.iter_mut().chain([&mut citizen]) {
            assert_eq!(member.wait_for("sos:close", |_| true).await["reason"], "safe");
        }
        join_all(rescuers.into_iter().chain([citizen]).map(Talker::leave)).await;
    }
}

/// Every client is the citizen once.
async fn each_in_turn(place: &Place, name: &str) {
    for first in 0..ALL.len() {
        let mut clients = ALL;
        clients.rotate_left(first);
        place.live_through(&format!("{name}-{first}"), &clients).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_clients_of_both_parsers_live_through_an_incident_on_one_node_by_default() {
    each_in_turn(&Place::one_node(&single().url()).await, "clients-one").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn official_clients_of_both_parsers_live_through_an_incident_on_two_nodes_by_default() {
    each_in_turn(&Place::two_nodes(&single().url()).await, "clients-two").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_cluster_makes_no_difference_to_official_clients() {
    let redis = cluster().url();
    let (one, two) = tokio::join!(Place::one_node(&redis), Place::two_nodes(&redis));
    for (id, place) in [("clients-a", &one), ("clients-b", &two), ("clients-c", &two), ("clients-d", &one)] {
        place.live_through(id, &ALL).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_writes_base64_offers_a_subprotocol_or_names_no_session_is_served() {
    let place = Place::one_node(&single().url()).await;
    place.hubs[0].create_sos("clients-options", "c").await;
    let url = place.url();
    let options = json!({"forceBase64": true, "protocols": ["chat", "superchat"], "query": {"sid": ""}});
    let bytes = json!({"$bytes": "AAEC/w=="});
    let mut other = place.join((Library::Python, Parser::Text), "rescuer", "other", "clients-options").await;
    for parser in [Parser::Text, Parser::Msgpack] {
        for transports in [Transports::Default, Transports::Websocket] {
            let user = format!("{parser:?}-{transports:?}");
            let token = place.hubs[0].token("rescuer", &user, &["clients-options"]);
            let mut client = Talker::connect_with(Library::Node, parser, transports, &url, &token, &options).await;
            client.wait_for("sos:state", |_| true).await;
            client.ask_ok("signal", json!({"payload": {"raw": bytes}, "to": "other"})).await;
            let heard = other.wait_for("signal", |signal| signal["userId"] == *user).await;
            assert_eq!(heard["payload"], json!({"raw": bytes}));
            other.ask_ok("signal", json!({"payload": [bytes], "to": user})).await;
            assert_eq!(client.wait_for("signal", |_| true).await["payload"], json!([bytes]));
            client.leave().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_ten_kilobytes_lets_every_client_in() {
    let place = Place::one_node(&single().url()).await;
    place.hubs[0].create_sos("clients-token", "c").await;
    // A Keycloak token: many roles, and numeric keys.
    let roles: Vec<_> = (0..400).map(|n| format!("realm-role-number-{n}")).collect();
    let claims = json!({"sub": 4711, "role": "rescuer", "sosIds": ["clients-token"], "realm_access": {"roles": roles}});
    let token = super::sos_tokens::sign(&claims);
    assert!((10_000..16_384).contains(&token.len()), "{}", token.len());
    for (library, parser) in ALL {
        let mut client = Talker::connect(library, parser, Transports::Default, &place.url(), &token).await;
        client.ask_ok("sos:init", json!({})).await;
        let state = client.wait_for("sos:state", |_| true).await;
        assert_eq!(state["members"][0]["userId"], "4711");
        client.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_polls_and_was_away_for_a_moment_gets_all_of_many_messages() {
    const MESSAGES: usize = 60;
    let place = Place::one_node(&single().url()).await;
    place.hubs[0].create_sos("clients-poll", "c").await;
    let mut clients = Vec::new();
    for library in [Library::Node, Library::Python, Library::PythonAsync] {
        let token = place.hubs[0].token("rescuer", &format!("{library:?}"), &["clients-poll"]);
        let mut client = Talker::connect(library, Parser::Text, Transports::Polling, &place.url(), &token).await;
        client.wait_for("sos:state", |_| true).await;
        clients.push(client);
    }
    let mut citizen = place.join((Library::Node, Parser::Text), "citizen", "c", "clients-poll").await;
    clients.iter().for_each(|client| client.signal(libc::SIGSTOP));
    for n in 0..MESSAGES {
        citizen.ask_ok("message:send", json!({"text": format!("m{n}")})).await;
    }
    clients.iter().for_each(|client| client.signal(libc::SIGCONT));
    for client in &mut clients {
        // python's client calls each handler on a thread of its own, so that their order says nothing.
        for n in 0..MESSAGES {
            let text = json!(format!("m{n}"));
            client.wait_for("message:broadcast", |message| message["text"] == text).await;
        }
        assert_eq!(client.count("message:broadcast"), 0, "each once");
    }
    for client in &mut clients {
        client.ask_ok("message:send", json!({"text": "still here"})).await;
    }
}
