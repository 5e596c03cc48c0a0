//! Group commit: calls reach the right master, once, in order, and fail honestly.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use convoke::redis::script::Script;
use convoke::redis::{Redis, RedisConfig, RedisError, Value, cmd, keys};
use futures_util::future::join_all;

use crate::support::proxy::{Mode, Proxy};
use crate::support::redis::{Cluster, Server, cluster, key_at, single};
use crate::support::{DEADLINE, eventually};

static ECHO: Script = Script::new("echo", "return {KEYS[1], ARGV[1]}");
static PUSH: Script = Script::new("push", "return redis.call('RPUSH', KEYS[1], ARGV[1])");
/// As every writing script of ours: a repeat under the same operation id gets the first answer.
static COUNT: Script = Script::new(
    "count",
    "local first = redis.call('HGET', KEYS[1], ARGV[1])
     if first then return tonumber(first) end
     local n = redis.call('HINCRBY', KEYS[1], 'n', 1)
     redis.call('HINCRBY', KEYS[2], 'n', 1)
     redis.call('HSET', KEYS[1], ARGV[1], n)
     return n",
);

async fn connect(url: String) -> Redis {
    connect_with(RedisConfig::new(url)).await
}

async fn connect_with(config: RedisConfig) -> Redis {
    let redis = Redis::connect(RedisConfig { lazy: false, ..config }).await.expect("a working Redis");
    assert!(redis.healthy());
    redis
}

/// Never pings, so that nothing but the test's own calls is in flight.
async fn connect_quiet(url: String) -> Redis {
    connect_with(RedisConfig { ping: Duration::from_secs(3600), ..RedisConfig::new(url) }).await
}

async fn both() -> [Redis; 2] {
    [connect(single().url()).await, connect(cluster().url()).await]
}

fn arg(value: impl ToString) -> Bytes {
    Bytes::from(value.to_string())
}

fn text(value: &str) -> Value {
    Value::BulkString(value.into())
}

fn hget(key: &str, field: &str) -> convoke::redis::Cmd {
    let mut get = cmd("HGET");
    get.arg(key).arg(field);
    get
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_gets_its_own_answer() {
    for redis in both().await {
        let calls = (0..2000).map(|n| {
            let redis = redis.clone();
            tokio::spawn(async move {
                let (key, value) = (format!("own:{{{}}}", n % 300), n.to_string());
                let answer = redis.eval(&ECHO, &[&key], vec![arg(&value)]).await;
                assert_eq!(answer.unwrap(), Value::Array(vec![text(&key), text(&value)]));
            })
        });
        for call in join_all(calls).await {
            call.unwrap();
        }
        let mut set = cmd("SET");
        assert_eq!(redis.command(set.arg("own:plain").arg("1").clone(), "own:plain").await.unwrap(), Value::Okay);
        let get = || cmd("GET").arg("own:plain").clone();
        assert_eq!(redis.command_on_reader(get(), "own:plain").await.unwrap(), text("1"));
        assert_eq!(redis.command_idempotent(get(), "own:plain").await.unwrap(), text("1"));
        let read = redis.eval_on_reader(&ECHO, &["own:plain"], vec![arg("x")]).await.unwrap();
        assert_eq!(read, Value::Array(vec![text("own:plain"), text("x")]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_wait_leave_as_one_pipeline() {
    for redis in both().await {
        let (pipelines, commands) = redis.pipelines();
        let calls = (0..2000).map(|n| redis.eval(&ECHO, &["together"], vec![arg(n)]));
        assert!(join_all(calls).await.iter().all(Result::is_ok));
        let (pipelines, commands) = (redis.pipelines().0 - pipelines, redis.pipelines().1 - commands);
        assert_eq!(commands, 2000);
        assert!((8..=200).contains(&pipelines), "{pipelines} pipelines of at most 256 commands");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_calls_do_not_share_a_pipeline() {
    let redis = connect(single().url()).await;
    let (pipelines, _) = redis.pipelines();
    let large = Bytes::from(vec![b'x'; 700_000]);
    let calls = (0..6).map(|_| redis.eval(&ECHO, &["large"], vec![large.clone()]));
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    assert_eq!(redis.pipelines().0 - pipelines, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_one_slot_keep_their_order() {
    for redis in both().await {
        let name = format!("order:{}", convoke::core::ids::random(6));
        // `join_all` polls its futures in order, so they are queued in order.
        let calls = (0..1000).map(async |n| redis.eval(&PUSH, &[&name], vec![arg(n)]).await);
        for (n, answer) in join_all(calls).await.into_iter().enumerate() {
            assert_eq!(answer.unwrap(), Value::Int(n as i64 + 1));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_has_forgotten_a_script_is_told_again() {
    static FORGOTTEN: Script = Script::new("forgotten", "return 7");
    // Servers of its own: another test may count what it sends to the shared ones.
    let (server, cluster) = (Server::start(&[]), Cluster::start(0));
    for (redis, servers) in
        [(connect(server.url()).await, vec![&server]), (connect(cluster.url()).await, cluster.masters.iter().collect())]
    {
        assert_eq!(redis.eval(&FORGOTTEN, &["forgotten"], vec![]).await.unwrap(), Value::Int(7));
        for server in servers {
            server.tell("SCRIPT FLUSH");
        }
        let calls = (0..50).map(|_| redis.eval(&FORGOTTEN, &["forgotten"], vec![]));
        for answer in join_all(calls).await {
            assert_eq!(answer.unwrap(), Value::Int(7));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_a_script_reaches_its_caller_alone() {
    static WRONG: Script = Script::new("wrong", "return redis.call('HGET', KEYS[1], 'a')");
    let redis = connect(single().url()).await;
    redis.command(cmd("SET").arg("wrong").arg("1").clone(), "wrong").await.unwrap();
    let (wrong, right) = tokio::join!(redis.eval(&WRONG, &["wrong"], vec![]), redis.eval(&ECHO, &["wrong"], vec![arg(1)]));
    assert!(matches!(&wrong, Err(RedisError::Script { code, .. }) if code == "WRONGTYPE"), "{wrong:?}");
    assert!(right.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_migrated_key_by_key_under_load_loses_nothing() {
    let cluster = Cluster::start(0);
    let redis = connect(cluster.url()).await;
    let tag = key_at(0, "move").split_once(':').unwrap().1.to_owned();
    let scopes: Arc<Vec<[String; 2]>> = Arc::new((0..30).map(|n| [format!("a{n}:{tag}"), format!("b{n}:{tag}")]).collect());
    let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let workers: Vec<_> = (0..20)
        .map(|worker| {
            let (redis, scopes, over, done) = (redis.clone(), scopes.clone(), over.clone(), done.clone());
            tokio::spawn(async move {
                let mut counted: HashMap<usize, u64> = HashMap::new();
                for n in 0.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let scope = (worker + n) % scopes.len();
                    let [a, b] = &scopes[scope];
                    redis.eval(&COUNT, &[a, b], vec![arg(format!("{worker}.{n}"))]).await.expect("no call fails");
                    *counted.entry(scope).or_default() += 1;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                counted
            })
        })
        .collect();
    eventually("the load runs", || done.load(Ordering::Relaxed) > 200).await;
    let slot = keys::slot(tag.as_bytes());
    let (from, to) = (cluster.home_of(&tag), 2);
    let cluster = tokio::task::spawn_blocking(move || {
        cluster.migrate(slot, from, to, || std::thread::sleep(Duration::from_millis(2)));
        cluster
    })
    .await
    .unwrap();
    let after = done.load(Ordering::Relaxed);
    eventually("the load runs on the new master", || done.load(Ordering::Relaxed) > after + 200).await;
    over.store(true, Ordering::Relaxed);
    let mut expected: HashMap<usize, u64> = HashMap::new();
    for worker in workers {
        for (scope, count) in worker.await.unwrap() {
            *expected.entry(scope).or_default() += count;
        }
    }
    for (scope, count) in expected {
        for key in &scopes[scope] {
            let counted: u64 = cluster.masters[to].ask(&hget(key, "n"));
            assert_eq!(counted, count, "{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_cut_before_its_answer_has_one_effect() {
    let server = single();
    let proxy = Proxy::start(server.address()).await;
    let redis = connect_quiet(proxy.url()).await;
    let keys = ["{cut}:a", "{cut}:b"];
    assert_eq!(redis.eval(&COUNT, &keys, vec![arg("warm")]).await.unwrap(), Value::Int(1));
    proxy.set(Mode::SwallowAnswers);
    let call = tokio::spawn({
        let redis = redis.clone();
        async move { redis.eval(&COUNT, &keys, vec![arg("op")]).await }
    });
    eventually("Redis has executed it", || server.ask::<u64>(&hget(keys[0], "n")) == 2).await;
    let plain = tokio::spawn({
        let redis = redis.clone();
        async move { redis.command(cmd("INCR").arg("{cut}:plain").clone(), "{cut}:plain").await }
    });
    proxy.set(Mode::Pass);
    proxy.cut();
    assert_eq!(call.await.unwrap().unwrap(), Value::Int(2), "the first answer, again");
    assert_eq!(server.ask::<u64>(&hget(keys[0], "n")), 2);
    // This one waited behind the pipeline, was never sent before the cut, and so is simply sent afterwards.
    assert_eq!(plain.await.unwrap().unwrap(), Value::Int(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_command_that_was_cut_is_unknown_and_not_repeated() {
    let server = single();
    let proxy = Proxy::start(server.address()).await;
    let redis = connect_quiet(proxy.url()).await;
    let executed = || server.ask::<Option<u64>>(cmd("GET").arg("cut:plain")) == Some(1);
    proxy.set(Mode::SwallowAnswers);
    let call = tokio::spawn({
        let redis = redis.clone();
        async move { redis.command(cmd("INCR").arg("cut:plain").clone(), "cut:plain").await }
    });
    eventually("Redis has executed it", executed).await;
    proxy.set(Mode::Pass);
    proxy.cut();
    let answer = call.await.unwrap();
    assert!(matches!(answer, Err(RedisError::Unknown)), "{answer:?}");
    eventually("the connection is back", || redis.healthy()).await;
    assert_eq!(redis.command(cmd("GET").arg("cut:plain").clone(), "cut:plain").await.unwrap(), text("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_connection_is_replaced_and_calls_go_on() {
    let server = Server::start(&[]);
    let redis = connect(server.url()).await;
    for n in 1..=20 {
        let call = redis.eval(&COUNT, &["{kill}:a", "{kill}:b"], vec![arg(n)]);
        let kill = async {
            server.tell("CLIENT KILL TYPE normal SKIPME yes");
        };
        let (answer, ()) = tokio::join!(call, kill);
        assert_eq!(answer.unwrap(), Value::Int(n));
    }
    assert_eq!(server.ask::<u64>(&hget("{kill}:b", "n")), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_master_touches_only_its_own_slots() {
    let cluster = Cluster::start(0);
    let redis = connect_with(RedisConfig { deadline: Duration::from_millis(1500), ..RedisConfig::new(cluster.url()) }).await;
    let keys = [key_at(0, "dead"), key_at(1, "dead"), key_at(2, "dead")];
    for key in &keys {
        redis.eval(&ECHO, &[key], vec![arg(1)]).await.unwrap();
    }
    cluster.masters[0].stop();
    let start = Instant::now();
    let dead = async {
        let answers = join_all((0..20).map(async |_| redis.eval(&ECHO, &[&keys[0]], vec![arg(1)]).await)).await;
        for answer in answers {
            assert!(matches!(answer, Err(RedisError::Unavailable | RedisError::Unknown)), "{answer:?}");
        }
    };
    let alive = async {
        let mut calls = 0;
        while start.elapsed() < Duration::from_millis(1500) {
            for key in &keys[1..] {
                redis.eval(&ECHO, &[key], vec![arg(1)]).await.expect("the others never notice");
                calls += 1;
            }
        }
        calls
    };
    let ((), calls) = tokio::join!(dead, alive);
    assert!(calls > 20, "{calls} calls while the dead master's waited");
    eventually("it is known to be away alone", || {
        !redis.is_up(&keys[0]) && redis.is_up(&keys[1]) && redis.masters_up() == (2, 3)
    })
    .await;
    cluster.masters[0].restart();
    eventually("it is back", || redis.healthy()).await;
    // A restarted master refuses for some seconds, until it has found its cluster again.
    redis.eval_within(DEADLINE, &ECHO, &[&keys[0]], vec![arg(1)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_away_comes_back_by_itself_and_runs_nothing_that_failed() {
    let server = Server::start_persistent();
    let redis = connect(server.url()).await;
    redis.eval(&PUSH, &["away"], vec![arg("before")]).await.unwrap();
    server.stop();
    eventually("it is noticed", || redis.masters_up() == (0, 1)).await;
    let short = Duration::from_millis(300);
    let failed = join_all((0..50).map(|_| redis.eval_within(short, &PUSH, &["away"], vec![arg("failed")]))).await;
    for answer in failed {
        assert!(matches!(answer, Err(RedisError::Unavailable)), "{answer:?}");
    }
    let patient = redis.eval_within(DEADLINE, &PUSH, &["away"], vec![arg("patient")]);
    let back = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.restart();
    };
    let (answer, ()) = tokio::join!(patient, back);
    assert_eq!(answer.unwrap(), Value::Int(2));
    redis.eval(&PUSH, &["away"], vec![arg("after")]).await.unwrap();
    let list: Vec<String> = server.ask(cmd("LRANGE").arg("away").arg(0).arg(-1));
    assert_eq!(list, ["before", "patient", "after"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_missed_its_deadline_in_the_queue_never_runs() {
    let server = Server::start(&[]);
    let redis = connect_quiet(server.url()).await;
    redis.eval(&PUSH, &["late"], vec![arg("before")]).await.unwrap();
    server.freeze();
    let short = Duration::from_secs(1);
    let first = tokio::spawn({
        let redis = redis.clone();
        async move { redis.eval_within(short, &PUSH, &["late"], vec![arg("first")]).await }
    });
    eventually("one is in flight", || redis.pipelines().1 == 2).await;
    let answers = join_all((0..50).map(|n| redis.eval_within(short, &PUSH, &["late"], vec![arg(n)]))).await;
    assert!(matches!(first.await.unwrap(), Err(RedisError::Unknown)));
    server.thaw();
    for answer in answers {
        assert!(matches!(answer, Err(RedisError::Deadline)), "{answer:?}");
    }
    eventually("it answers again", || redis.healthy()).await;
    redis.eval(&PUSH, &["late"], vec![arg("after")]).await.unwrap();
    let list: Vec<String> = server.ask(cmd("LRANGE").arg("late").arg(0).arg(-1));
    let expected = [&["before", "first", "after"][..], &["before", "after"]];
    assert!(expected.contains(&&list.iter().map(String::as_str).collect::<Vec<_>>()[..]), "{list:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_at_once() {
    let server = Server::start(&[]);
    let config = RedisConfig { queue: 10, deadline: Duration::from_secs(4), ..RedisConfig::new(server.url()) };
    let redis = connect_with(config).await;
    server.stop();
    eventually("it is noticed", || redis.masters_up() == (0, 1)).await;
    let start = Instant::now();
    let calls = (0..30).map(|_| async {
        let answer = redis.eval(&ECHO, &["full"], vec![arg(1)]).await;
        assert!(matches!(answer, Err(RedisError::Unavailable)), "{answer:?}");
        start.elapsed()
    });
    let took = join_all(calls).await;
    assert_eq!(took.iter().filter(|took| **took < Duration::from_secs(2)).count(), 20, "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_gave_up_leaves_nothing_behind() {
    let server = Server::start(&[]);
    let redis = connect_quiet(server.url()).await;
    server.freeze();
    let in_flight = tokio::spawn({
        let redis = redis.clone();
        async move { redis.eval(&PUSH, &["gone"], vec![arg("first")]).await }
    });
    tokio::task::yield_now().await;
    eventually("one is in flight", || redis.pipelines().1 == 1).await;
    assert!(tokio::time::timeout(Duration::from_millis(50), redis.eval(&PUSH, &["gone"], vec![arg("gone")])).await.is_err());
    server.thaw();
    in_flight.await.unwrap().unwrap();
    redis.eval(&PUSH, &["gone"], vec![arg("last")]).await.unwrap();
    let list: Vec<String> = server.ask(cmd("LRANGE").arg("gone").arg(0).arg(-1));
    assert_eq!(list, ["first", "last"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_write_waits_for_a_replica_and_says_so_if_none_confirms() {
    let cluster = Cluster::start(1);
    let config = RedisConfig { ack_timeout: Duration::from_secs(2), ..RedisConfig::new(cluster.url()) };
    let redis = connect_with(config).await;
    let key = key_at(1, "ack");
    // A replica that has never received anything counts as loading.
    let fresh = key_at(1, "fresh");
    redis.eval(&PUSH, &[&fresh], vec![arg(1)]).await.unwrap();
    let counts = || redis.masters().iter().any(|m| m.address == cluster.masters[1].address() && m.replicas == 1);
    eventually("the replica is known", counts).await;
    assert_eq!(redis.eval_write(&PUSH, &[&key], vec![arg(1)]).await.unwrap(), Value::Int(1));
    cluster.replicas[1][0].freeze();
    let answer = redis.eval_write(&PUSH, &[&key], vec![arg(2)]).await;
    assert!(matches!(answer, Err(RedisError::Unconfirmed { value: Value::Int(2) })), "{answer:?}");
    assert_eq!(redis.eval(&PUSH, &[&key], vec![arg(3)]).await.unwrap(), Value::Int(3), "others do not wait");
    cluster.replicas[1][0].thaw();

    // The master dies; what was confirmed is there when its replica has taken over.
    cluster.masters[1].stop();
    let answer = redis.eval_within(DEADLINE, &ECHO, &[&key], vec![arg(1)]).await;
    assert!(answer.is_ok(), "{answer:?}");
    let list = redis.command_on_reader(cmd("LRANGE").arg(&key).arg(0).arg(0).clone(), &key).await.unwrap();
    assert_eq!(list, Value::Array(vec![text("1")]));
    assert!(redis.masters().iter().any(|master| master.address == cluster.replicas[1][0].address()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_down_at_the_start_is_waited_for() {
    let server = Server::start(&[]);
    server.stop();
    let config = RedisConfig { deadline: Duration::from_millis(300), ..RedisConfig::new(server.url()) };
    let eager = Redis::connect(RedisConfig { lazy: false, ..config.clone() }).await;
    assert!(matches!(eager, Err(RedisError::Unavailable)));
    let lazy = Redis::connect(config).await.unwrap();
    assert!(!lazy.healthy());
    server.restart();
    eventually("it is found", || lazy.healthy()).await;
    lazy.eval_within(DEADLINE, &ECHO, &["start"], vec![arg(1)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_client_closes_its_connections() {
    let server = Server::start(&[]);
    let redis = connect(server.url()).await;
    let clients = || server.ask::<String>(cmd("CLIENT").arg("LIST")).lines().count();
    eventually("it has connected", || clients() > 3).await;
    drop(redis);
    eventually("only the one that asks is left", || clients() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_has_just_lost_its_replica_confirms_nothing() {
    let (master, replica) = (Server::start(&[]), Server::start(&[]));
    replica.tell(&format!("REPLICAOF 127.0.0.1 {}", master.port));
    let redis = connect(master.url()).await;
    let replicas = || redis.masters().first().map(|master| master.replicas);
    eventually("the replica is counted", || replicas() == Some(1)).await;
    replica.stop();
    let online = || master.ask::<String>(cmd("INFO").arg("replication")).contains("state=online");
    eventually("the master notices", || !online()).await;
    // Long enough for the table to be read again: a master that was deposed must not believe that it never had a replica.
    let asked = std::time::Instant::now();
    while asked.elapsed() < Duration::from_secs(3) {
        let answer = redis.eval_write(&PUSH, &["s"], vec![arg(1)]).await;
        assert!(matches!(answer, Err(RedisError::Unconfirmed { .. })), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_are_asked_who_is_master_and_asked_again_after_a_failover() {
    let (master, replica) = (Server::start(&[]), Server::start(&[]));
    replica.tell(&format!("REPLICAOF 127.0.0.1 {}", master.port));
    let online = || master.ask::<String>(cmd("INFO").arg("replication")).contains("state=online");
    eventually("the replica follows", online).await;
    let sentinel = Server::start_sentinel("main", &master);
    let redis = connect(format!("redis-sentinel://{}/main", sentinel.address())).await;
    let current = || redis.masters().first().map(|master| (master.address.clone(), master.replicas));
    eventually("the master is found, and its replica", || current() == Some((master.address(), 1))).await;
    // A replica that has only just connected may still be busy with its first load.
    while let Err(error) = redis.eval_write(&PUSH, &["s"], vec![arg(1)]).await {
        assert!(matches!(error, RedisError::Unconfirmed { .. }), "{error:?}");
    }
    eventually("the sentinel knows the replica", || sentinel.ask::<String>(cmd("INFO").arg("sentinel")).contains("slaves=1"))
        .await;
    // It refuses until it has heard enough of the replica.
    eventually("it fails over", || sentinel.try_ask::<()>(cmd("SENTINEL").arg("FAILOVER").arg("main")).is_ok()).await;
    let answer = redis.eval_within(DEADLINE, &PUSH, &["s"], vec![arg(2)]).await;
    assert!(answer.is_ok(), "{answer:?}");
    eventually("the new master is followed", || current().is_some_and(|(address, _)| address == replica.address())).await;
    redis.eval(&PUSH, &["s"], vec![arg(3)]).await.unwrap();
    assert_eq!(replica.ask::<Vec<u32>>(cmd("LRANGE").arg("s").arg(0).arg(-1)).last(), Some(&3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_unavailable_over_tls() {
    let config = RedisConfig::new(single().url().replace("redis://", "rediss://"));
    let redis = Redis::connect(config).await.unwrap();
    for _ in 0..2 {
        let answer = redis.eval_within(Duration::from_millis(150), &ECHO, &["tls"], vec![arg(1)]).await;
        assert!(matches!(answer, Err(RedisError::Unavailable)), "{answer:?}");
    }
}
