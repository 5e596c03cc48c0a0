//! Rooms of more than fifty on two nodes: what their members hear of who is there, and what a crowd costs. Contract § 3
//! "Presence". A thousand at once are in the rigs.

use std::time::Duration;

use futures_util::future::join_all;
use redis::cmd;
use serde_json::{Value, json};

use convoke::features::sos::kinds;
use convoke::redis::keys;

use super::support::client::{Client, Refusal};
use super::support::hub::Hub;
use super::support::redis::Server;
use super::support::returning::come;
use super::support::roster::Roster;
use super::support::sever::sever;
use super::support::{eventually, eventually_asked, incident, within};

/// Two nodes on a Redis of their own.
struct Pair {
    redis: Server,
    nodes: [Hub; 2],
}

impl Pair {
    async fn start(more: &[(&str, &str)]) -> Self {
        let redis = Server::start(&[]);
        let url = redis.url();
        let node = async |name: &str| {
            let mut env = vec![("REDIS_URL", url.as_str()), ("NODE_ID", name), ("PRESENCE_OFFLINE_SECONDS", "1")];
            env.extend_from_slice(&[("CLUSTER_SECRET", "a secret between two nodes"), ("EVENTS_PER_SECOND", "100000")]);
            env.extend_from_slice(more);
            Hub::start(&env).await
        };
        let (a, b) = tokio::join!(node("a"), node("b"));
        Self { redis, nodes: [a, b] }
    }

    fn node(&self, number: usize) -> &Hub {
        &self.nodes[number % 2]
    }

    /// These rescuers join at the same time, on both nodes.
    async fn join(&self, sos: &str, numbers: std::ops::Range<usize>) -> Vec<Client> {
        join_all(numbers.map(|number| async move {
            let hub = self.node(number);
            let token = hub.token("rescuer", &user(number), &[sos]);
            let client = within(connect(&hub.url(), json!({"token": token}))).await;
            client.wait_count("sos:state", 1).await;
            client
        }))
        .await
    }

    /// The logged announcements: when, by Redis' clock, and what.
    fn announcements(&self, sos: &str) -> Vec<(u64, Value)> {
        let key = keys::scope_log(&kinds::scope(sos));
        let entries: Vec<(String, Vec<String>)> = self.redis.ask(cmd("XRANGE").arg(key).arg("-").arg("+"));
        let read = |(id, fields): &(String, Vec<String>)| {
            let (_, args) = fields[1].split_once('\n')?;
            let (name, data): (String, Value) = serde_json::from_str(args).ok()?;
            (name == "presence:update").then(|| (id.split('-').next().unwrap().parse().unwrap(), data))
        };
        entries.iter().filter_map(read).collect()
    }

    /// Calls of a command since its counts were reset, those of scripts included.
    fn calls(&self, command: &str) -> u64 {
        let stats: String = self.redis.ask(cmd("INFO").arg("commandstats"));
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls="))).unwrap_or("0");
        line.split(',').next().unwrap().parse().unwrap()
    }
}

/// Comes again as long as it is told to.
async fn connect(url: &str, auth: Value) -> Client {
    loop {
        match Client::try_connect(url, auth.clone()).await {
            Ok(client) => return client,
            Err(Refusal::Closed(closed)) if closed.code == Some(1013) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(refusal) => panic!("the client was refused: {refusal:?}"),
        }
    }
}

fn user(number: usize) -> String {
    format!("u{number:03}")
}

/// The list of a client that applies whatever it hears.
fn roster(client: &Client) -> Roster {
    let mut roster = Roster::default();
    client.events().iter().for_each(|event| roster.apply(&event.name, &event.args[0]));
    roster
}

/// Until everybody has the same list, which is the one of the state.
async fn all_agree(pair: &Pair, sos: &str, clients: &[&Client], users: usize) {
    for client in clients {
        eventually("everybody is listed", || roster(client).members().len() == users).await;
    }
    let (status, state) = pair.node(0).internal(reqwest::Method::GET, &format!("/sos/{sos}/state"), None).await;
    assert_eq!(status, 200);
    let truth = Roster::of(&state["data"]);
    assert_eq!(truth.members().len(), users);
    for client in clients {
        eventually("the list is the right one", || roster(client).members() == truth.members()).await;
        assert!(roster(client).count.is_none_or(|count| count == users as u64));
        assert!(!client.is_closed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_comes_and_goes_is_announced_together_and_in_large_rooms_by_its_changes() {
    let pair = Pair::start(&[]).await;
    pair.node(0).create_sos("crowd", "c").await;
    let mut clients = pair.join("crowd", 0..70).await;
    all_agree(&pair, "crowd", &clients.iter().collect::<Vec<_>>(), 70).await;
    let staying = clients.split_off(15);
    join_all(clients.into_iter().map(Client::leave)).await;
    // Those who left by a DISCONNECT are shown as gone after the grace.
    let online = |client: &Client| roster(client).members().values().filter(|member| member.1).count();
    for client in &staying {
        eventually("those who went are offline", || online(client) == 55).await;
    }
    all_agree(&pair, "crowd", &staying.iter().collect::<Vec<_>>(), 70).await;

    let told = pair.announcements("crowd");
    for pair in told.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= 250, "two announcements within a window: {} {}", pair[0].0, pair[1].0);
    }
    for (_, data) in &told {
        let is_large = data["count"].as_u64().unwrap() > 50;
        assert_eq!(data.get("members").is_none(), is_large, "{data}");
    }
    assert!(staying.iter().all(|client| client.received("sos:init").len() <= 50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_back_in_the_middle_of_a_crowd_has_the_right_list() {
    let pair = Pair::start(&[]).await;
    pair.node(0).create_sos("middle", "c").await;
    let (first, mut memory) = come(pair.node(0), &pair.node(0).token("citizen", "c", &["middle"])).await;
    first.wait_count("sos:state", 1).await;
    let mut clients = pair.join("middle", 0..60).await;
    eventually("most of them are listed", || roster(&first).members().len() > 40).await;
    let mut list = roster(&first);
    let had = first.events().len();
    memory.cut(first);
    for client in clients.drain(..8) {
        assert_eq!(client.ask("sos:leave", json!({"sosId": "middle"})).await["ok"], true);
    }
    clients.extend(pair.join("middle", 60..64).await);
    let again = memory.back(pair.node(1)).await;
    clients.extend(pair.join("middle", 64..66).await);
    all_agree(&pair, "middle", &clients.iter().collect::<Vec<_>>(), 59).await;
    let mut seen = 0;
    eventually("it has the list that the others have", || {
        let events = again.events();
        events[seen..].iter().for_each(|event| list.apply(&event.name, &event.args[0]));
        seen = events.len();
        list.members() == roster(&clients[0]).members()
    })
    .await;
    assert!(had > 0 && again.received("sos:state").is_empty(), "it got back what it had, and no new state");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_cut_subscription_the_lists_of_a_crowd_are_right() {
    let pair = Pair::start(&[]).await;
    pair.node(0).create_sos("gap", "c").await;
    let mut clients = pair.join("gap", 0..55).await;
    let newcomers = async {
        let more = pair.join("gap", 55..75).await;
        for client in &clients[..5] {
            eventually_asked("it has left", async || client.ask("sos:leave", json!({"sosId": "gap"})).await["ok"] == true).await;
        }
        more
    };
    let cuts = async {
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            sever(pair.node(1).pid(), &pair.redis);
        }
    };
    let (more, ()) = tokio::join!(newcomers, cuts);
    clients.drain(..5);
    clients.extend(more);
    all_agree(&pair, "gap", &clients.iter().collect::<Vec<_>>(), 70).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_that_was_open_when_its_node_died_is_announced() {
    let pair = Pair::start(&[("PRESENCE_WINDOW_MS", "3000"), ("NODE_LEASE_MS", "3000")]).await;
    let [dies, lives] = &pair.nodes;
    dies.create_sos("open", "c").await;
    let member = async |hub, user| incident::member(hub, "rescuer", user, "open").await;
    let witness = member(lives, "witness").await;
    let twin = [member(dies, "twin").await, member(lives, "twin").await];
    member(lives, "leaver").await.wait_for("presence:update", |told| told["count"] == 3).await;
    // The first change is told at once; the second is the dying node's to tell.
    let (status, _) =
        dies.internal(reqwest::Method::POST, "/sos/open/members", Some(json!({"userId": "witness", "role": "citizen"}))).await;
    assert_eq!(status, 200);
    let (status, _) = dies.internal(reqwest::Method::DELETE, "/sos/open/members/leaver", None).await;
    assert_eq!(status, 200);
    let lists = |user: &str| roster(&witness).members().contains_key(user);
    assert!(lists("leaver"), "not told yet");
    dies.kill();
    eventually("the change is told", || !lists("leaver")).await;
    drop(twin);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_joins_a_large_room_together_shares_a_few_snapshots() {
    let pair = Pair::start(&[]).await;
    pair.node(0).create_sos("share", "c").await;
    let _there = pair.join("share", 0..60).await;
    let _: () = pair.redis.ask(cmd("CONFIG").arg("RESETSTAT"));
    let joined = pair.join("share", 60..160).await;
    // A snapshot is three of them.
    let reads = pair.calls("hgetall");
    // The nodes themselves read some.
    assert!(reads < 200, "{reads} hashes were read whole for a hundred joins");
    all_agree(&pair, "share", &joined.iter().collect::<Vec<_>>(), 160).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_of_a_large_room_that_asks_again_keeps_the_right_list_and_misses_no_message() {
    let pair = Pair::start(&[]).await;
    pair.node(0).create_sos("again", "c").await;
    let clients = pair.join("again", 0..55).await;
    let asking = async {
        for _ in 0..8 {
            let answer = clients[0].ask("sos:init", json!({"sosId": "again"})).await;
            assert_eq!(answer["ok"], true);
        }
    };
    let speaking = async {
        for number in 0..60 {
            clients[1].ask("message:send", json!({"sosId": "again", "text": number.to_string()})).await;
        }
    };
    let (more, (), ()) = tokio::join!(pair.join("again", 55..75), asking, speaking);
    let heard = clients[0].wait_count("message:broadcast", 60).await;
    let heard: Vec<_> = heard.iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect();
    assert_eq!(heard, (0..60).map(|number| number.to_string()).collect::<Vec<_>>(), "each once and in order");
    all_agree(&pair, "again", &clients.iter().chain(&more).collect::<Vec<_>>(), 75).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dispatcher_that_comes_and_goes_costs_a_large_room_little() {
    const ROUNDS: usize = 15;
    let pair = Pair::start(&[]).await;
    pair.node(0).create_sos("churn", "c").await;
    let clients = pair.join("churn", 0..55).await;
    all_agree(&pair, "churn", &clients.iter().collect::<Vec<_>>(), 55).await;
    let before = (pair.announcements("churn").len(), clients[0].received("sos:init").len());
    let hub = pair.node(1);
    let dispatcher = Client::connect(&hub.url(), json!({"token": hub.token("dispatcher", "d", &[])})).await;
    for _ in 0..ROUNDS {
        dispatcher.ask_ok("sos:init", json!({"sosId": "churn"})).await;
        dispatcher.ask_ok("sos:leave", json!({"sosId": "churn"})).await;
    }
    eventually("it is gone", || !roster(&clients[0]).members().contains_key("d")).await;
    all_agree(&pair, "churn", &clients.iter().collect::<Vec<_>>(), 55).await;
    let told = pair.announcements("churn").split_off(before.0);
    let bytes: usize = told.iter().map(|(_, data)| data.to_string().len()).sum();
    assert!(told.len() <= 2 * ROUNDS && bytes <= 2 * ROUNDS * 200, "{} announcements, {bytes} bytes", told.len());
    assert_eq!(clients[0].received("sos:init").len(), before.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_begins_to_watch_together_shares_a_few_lists() {
    const INCIDENTS: u64 = 40;
    let pair = Pair::start(&[]).await;
    join_all((0..INCIDENTS).map(|number| async move { format!("listed-{number}") }).map(|id| async {
        pair.node(0).create_sos(&id.await, "c").await;
    }))
    .await;
    let hub = pair.node(0);
    let dispatchers = join_all((0..20).map(|number| async move {
        Client::connect(&hub.url(), json!({"token": hub.token("dispatcher", &user(number), &[])})).await
    }))
    .await;
    let _: () = pair.redis.ask(cmd("CONFIG").arg("RESETSTAT"));
    let churn = dispatchers.iter().map(|dispatcher| async {
        for _ in 0..3 {
            let watching = dispatcher.ask("sos:watch", json!({})).await;
            assert_eq!(watching["active"].as_array().unwrap().len(), INCIDENTS as usize);
            assert_eq!(dispatcher.ask("sos:unwatch", json!({})).await["ok"], true);
        }
    });
    join_all(churn).await;
    // Each state is three of them; sixty lists would be 7,200.
    let reads = pair.calls("hgetall");
    assert!(reads < 12 * 3 * INCIDENTS, "{reads} hashes were read whole for sixty lists");
}
