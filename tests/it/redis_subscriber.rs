//! Sharded subscriptions: messages come in order, and what may have been missed is told.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bytes::Bytes;
use convoke::redis::{Redis, RedisConfig, Sink, cmd, keys};
use futures_util::future::join_all;

use crate::support::eventually;
use crate::support::proxy::{Mode, Proxy};
use crate::support::redis::{Cluster, Server, cluster, single};

/// Writes down what it gets; can be held up.
#[derive(Default)]
struct Notes {
    messages: Mutex<HashMap<String, Vec<String>>>,
    gaps: Mutex<HashMap<String, usize>>,
    held: Mutex<bool>,
    released: Condvar,
}

impl Notes {
    fn heard(&self, channel: &str) -> Vec<String> {
        self.messages.lock().unwrap().get(channel).cloned().unwrap_or_default()
    }

    fn gaps(&self) -> usize {
        self.gaps.lock().unwrap().len()
    }

    fn hold(&self, held: bool) {
        *self.held.lock().unwrap() = held;
        self.released.notify_all();
    }
}

impl Sink for Notes {
    fn message(&self, channel: &[u8], payload: Bytes) {
        drop(self.released.wait_while(self.held.lock().unwrap(), |held| *held).unwrap());
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        self.messages.lock().unwrap().entry(text(channel)).or_default().push(text(&payload));
    }

    fn gap(&self, channels: &[Arc<str>]) {
        for channel in channels {
            *self.gaps.lock().unwrap().entry(channel.to_string()).or_default() += 1;
        }
    }
}

async fn connect(config: RedisConfig) -> (Redis, Arc<Notes>) {
    let redis = Redis::connect(RedisConfig { lazy: false, ..config }).await.expect("a working Redis");
    let notes = Arc::new(Notes::default());
    redis.subscriber().set_sink(notes.clone());
    (redis, notes)
}

fn channels(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("scope:channel:sos:{{{name}-{n}}}")).collect()
}

async fn subscribe(redis: &Redis, channels: &[String]) {
    for result in join_all(channels.iter().map(|channel| redis.subscriber().subscribe(channel))).await {
        result.expect("subscribed");
    }
}

async fn publish(redis: &Redis, channel: &str, message: &str) {
    redis.command(cmd("SPUBLISH").arg(channel).arg(message).clone(), channel).await.expect("published");
}

/// Publishes to each, and waits until each has heard it. One that did not must have been told a gap since; it gets it again.
async fn nobody_is_deaf(redis: &Redis, notes: &Notes, channels: &[String], message: &str) {
    let is_deaf = |channel: &&String| !notes.heard(channel).iter().any(|heard| heard == message);
    let mut deaf: Vec<&String> = channels.iter().collect();
    while !deaf.is_empty() {
        let before = notes.gaps.lock().unwrap().clone();
        join_all(deaf.iter().map(|channel| publish(redis, channel, message))).await;
        let excused = |channel: &&String| notes.gaps.lock().unwrap().get(*channel) != before.get(*channel);
        eventually(&format!("all hear {message} or are told a gap"), || {
            deaf.retain(is_deaf);
            deaf.iter().all(excused)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_in_the_order_of_their_channel() {
    for url in [single().url(), cluster().url()] {
        let (redis, notes) = connect(RedisConfig::new(url)).await;
        let names = channels("order", 20);
        subscribe(&redis, &names).await;
        let expected: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        for message in &expected {
            join_all(names.iter().map(|channel| publish(&redis, channel, message))).await;
        }
        for channel in &names {
            eventually("all have come", || notes.heard(channel).len() >= expected.len()).await;
            assert_eq!(notes.heard(channel), expected);
        }
        assert_eq!(notes.gaps(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_channels_are_subscribed_at_once_and_let_go_again() {
    let server = Server::start(&[]);
    let cluster = Cluster::start(0);
    for (url, servers) in [(server.url(), vec![&server]), (cluster.url(), cluster.masters.iter().collect())] {
        let (redis, notes) = connect(RedisConfig::new(url)).await;
        let names = channels("many", 5000);
        subscribe(&redis, &names).await;
        assert_eq!(redis.subscriber().channels(), (5000, 5000));
        nobody_is_deaf(&redis, &notes, &names, "hello").await;
        for channel in &names {
            redis.subscriber().unsubscribe(channel).await;
        }
        let listened = || -> usize {
            let count = |server: &&Server| server.ask::<Vec<String>>(cmd("PUBSUB").arg("SHARDCHANNELS")).len();
            servers.iter().map(count).sum()
        };
        eventually("nobody listens any more", || listened() == 0).await;
        assert_eq!(notes.gaps(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_left_and_wanted_again_is_heard() {
    let (redis, notes) = connect(RedisConfig::new(single().url())).await;
    let names = channels("again", 1);
    for n in 0..50 {
        subscribe(&redis, &names).await;
        nobody_is_deaf(&redis, &notes, &names, &n.to_string()).await;
        redis.subscriber().unsubscribe(&names[0]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_is_replaced_and_told_as_a_gap() {
    let server = Server::start(&[]);
    let cluster = Cluster::start(0);
    for (url, servers) in [(server.url(), vec![&server]), (cluster.url(), cluster.masters.iter().collect())] {
        let (redis, notes) = connect(RedisConfig::new(url)).await;
        let names = channels("broken", 300);
        subscribe(&redis, &names).await;
        for server in servers {
            server.tell("CLIENT KILL TYPE pubsub");
        }
        eventually("each is told as a gap", || notes.gaps() == 300).await;
        nobody_is_deaf(&redis, &notes, &names, "again").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_noticed_and_its_successor_leaves_no_double() {
    let server = Server::start(&[]);
    let proxy = Proxy::start(server.address()).await;
    let (redis, notes) = connect(RedisConfig { ping: Duration::from_millis(200), ..RedisConfig::new(proxy.url()) }).await;
    let names = channels("silent", 10);
    subscribe(&redis, &names).await;
    proxy.set(Mode::SwallowAnswers);
    eventually("it is given up", || redis.subscriber().channels().1 == 0).await;
    proxy.set(Mode::Pass);
    eventually("each is told as a gap", || notes.gaps() == 10).await;
    nobody_is_deaf(&redis, &notes, &names, "again").await;
    let mut numsub = cmd("PUBSUB");
    numsub.arg("SHARDNUMSUB").arg(&names);
    eventually("Redis has one listener of each", || {
        server.ask::<Vec<(String, u64)>>(&numsub).iter().all(|(_, count)| *count == 1)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_slot_migration_nobody_is_deaf() {
    let cluster = Cluster::start(0);
    let (redis, notes) = connect(RedisConfig::new(cluster.url())).await;
    let names = channels("moved", 300);
    subscribe(&redis, &names).await;
    nobody_is_deaf(&redis, &notes, &names, "before").await;
    // All to one master: two that take slots at the same moment would each raise their epoch, and might undo each other's.
    let moving: Vec<&String> = names.iter().filter(|channel| cluster.home_of(channel) != 2).step_by(4).collect();
    for channel in &moving {
        cluster.migrate(keys::slot(channel.as_bytes()), cluster.home_of(channel), 2, || {});
    }
    eventually("the moved ones are told as gaps", || {
        moving.iter().all(|channel| notes.gaps.lock().unwrap().contains_key(*channel))
    })
    .await;
    nobody_is_deaf(&redis, &notes, &names, "after").await;
    eventually("all are confirmed", || redis.subscriber().channels() == (300, 300)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failover_nobody_is_deaf() {
    let cluster = Cluster::start(1);
    let (redis, notes) = connect(RedisConfig { deadline: Duration::from_secs(40), ..RedisConfig::new(cluster.url()) }).await;
    let names = channels("failover", 60);
    subscribe(&redis, &names).await;
    let struck: Vec<&String> = names.iter().filter(|channel| cluster.home_of(channel) == 0).collect();
    cluster.masters[0].stop();
    eventually("those of the dead master are told as gaps", || notes.gaps() == struck.len()).await;
    nobody_is_deaf(&redis, &notes, &names, "after").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_cannot_follow_gets_a_gap_and_the_rest_in_order() {
    let (redis, notes) = connect(RedisConfig { push_queue: 16, ..RedisConfig::new(single().url()) }).await;
    let names = channels("flood", 2);
    subscribe(&redis, &names).await;
    notes.hold(true);
    for n in 0..2000 {
        publish(&redis, &names[0], &n.to_string()).await;
    }
    notes.hold(false);
    eventually("both channels of the master are told as gaps", || notes.gaps() == 2).await;
    nobody_is_deaf(&redis, &notes, &names, "after").await;
    let heard = notes.heard(&names[0]);
    assert!(heard.len() < 2000, "nothing was dropped");
    let numbers: Vec<u32> = heard.iter().filter_map(|text| text.parse().ok()).collect();
    assert!(numbers.is_sorted(), "{numbers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribing_while_redis_is_away_fails_in_time_and_leaves_nothing_wanted() {
    let server = Server::start(&[]);
    let config = RedisConfig { deadline: Duration::from_millis(200), ..RedisConfig::new(server.url()) };
    let (redis, _notes) = connect(RedisConfig { deadline: Duration::from_millis(400), ..config }).await;
    server.stop();
    eventually("it is noticed", || redis.masters_up().0 == 0).await;
    assert!(redis.subscriber().subscribe("scope:channel:sos:{x}").await.is_err());
    assert_eq!(redis.subscriber().channels(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_came_back_empty_is_listened_to_again() {
    let server = Server::start(&[]);
    let (first, first_notes) = connect(RedisConfig::new(server.url())).await;
    let (second, second_notes) = connect(RedisConfig::new(server.url())).await;
    let names = channels("empty", 100);
    subscribe(&first, &names).await;
    subscribe(&second, &names).await;
    server.restart();
    eventually("both are told gaps", || first_notes.gaps() == 100 && second_notes.gaps() == 100).await;
    nobody_is_deaf(&first, &first_notes, &names, "from the first").await;
    nobody_is_deaf(&second, &second_notes, &names, "from the second").await;
    // Neither took the other's new connection for its own old one.
    let again = |notes: &Notes| notes.gaps.lock().unwrap().values().any(|gaps| *gaps > 1);
    assert!(!again(&first_notes) && !again(&second_notes));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_went_silently_deaf_is_heard_again_once_it_is_renewed() {
    let server = Server::start(&[]);
    let proxy = Proxy::start(server.address()).await;
    // Nothing of its own accord passes while the subscription is taken away.
    let quiet = RedisConfig { ping: Duration::from_secs(60), refresh: Duration::from_secs(60), ..RedisConfig::new(proxy.url()) };
    let (redis, notes) = connect(quiet).await;
    let names = channels("deaf", 2);
    subscribe(&redis, &names).await;
    let listeners = |channel: &String| {
        let told: Vec<(String, u64)> = server.ask(cmd("PUBSUB").arg("SHARDNUMSUB").arg(channel));
        told[0].1
    };
    // Redis lets go of one of the two, and the word of it is lost.
    proxy.set(Mode::SwallowAnswers);
    proxy.inject(format!("SUNSUBSCRIBE {}\r\n", names[0]).as_bytes());
    // Every connection gets the command and an answer to it: commands, replay, slot table and subscriptions.
    let answer = format!(">3\r\n$12\r\nsunsubscribe\r\n${}\r\n{}\r\n:0\r\n", names[0].len(), names[0]).len();
    eventually("Redis has let go", || listeners(&names[0]) == 0 && proxy.swallowed() >= 4 * answer).await;
    proxy.set(Mode::Pass);
    publish(&redis, &names[0], "into the void").await;
    nobody_is_deaf(&redis, &notes, &names[1..], "the other").await;
    assert_eq!((redis.subscriber().channels(), notes.gaps()), ((2, 2), 0), "nobody knows");
    redis.subscriber().resubscribe(&names[0]);
    eventually("it is told as a gap", || notes.gaps() == 1).await;
    nobody_is_deaf(&redis, &notes, &names, "again").await;
    assert!(!notes.heard(&names[0]).contains(&"into the void".to_owned()));
    // Renewing what is well, or not wanted, does no harm.
    names.iter().for_each(|name| redis.subscriber().resubscribe(name));
    redis.subscriber().resubscribe("scope:channel:sos:{unknown}");
    eventually("both were subscribed anew", || notes.gaps.lock().unwrap().values().sum::<usize>() == 3).await;
    nobody_is_deaf(&redis, &notes, &names, "at last").await;
    assert_eq!(redis.subscriber().channels(), (2, 2));
}
