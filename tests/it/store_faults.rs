//! PostgreSQL is late, hangs, restarts, or its last word is lost: what a caller is told, and what is left behind.

use std::convert::Infallible;
use std::time::Duration;

use convoke::features::bookings::store::{BookingStore, NewBooking, Verdict};
use convoke::store::{StoreError, as_one_call};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::store_bookings::{count_of, expire, started, until};
use super::support::postgres::{Server, database, prepared, server, store_with, value};
use super::support::proxy::{Mode, Proxy};
use super::support::{DEADLINE, eventually_asked};

/// Longer than any deadline of the store's calls here, shorter than a hang.
const PATIENCE: Duration = DEADLINE;

/// No transaction is left open, and none runs.
const OPEN: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle' AND backend_type = 'client backend'";

fn new(id: &str, user: Uuid) -> NewBooking<'_> {
    NewBooking { id, user_id: user, room: id, duration: Duration::from_secs(900), beta_limit: 9 }
}

async fn start_within(store: &BookingStore, id: &str, user: Uuid, within: Duration) -> Result<bool, StoreError> {
    let made = store.start(new(id, user), Instant::now() + within, |_| Ok::<_, Infallible>(()));
    let (verdict, _) = timeout(PATIENCE, made).await.expect("it does not hang")?;
    Ok(matches!(verdict.unwrap(), Verdict::Started { .. }))
}

/// A store that reaches the database through a proxy, and one that reaches it directly.
async fn through_proxy(env: &[(&str, &str)]) -> (Proxy, String, BookingStore, BookingStore, Uuid) {
    let url = database().await;
    let direct = prepared(&url).await;
    let user = Uuid::new_v4();
    direct.put_user(user, None, Some("resume")).await.unwrap();
    let proxy = Proxy::start(server().address()).await;
    let proxied = store_with(&url.replacen(&server().address(), &proxy.address.to_string(), 1), env);
    (proxy, url, direct, proxied, user)
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_unknown_and_found_by_settling() {
    let (proxy, url, direct, proxied, user) = through_proxy(&[("DATABASE_DEADLINE_MS", "5000")]).await;
    let made = proxied.start(new("A", user), Instant::now() + Duration::from_secs(4), |_| {
        proxy.set(Mode::SwallowAnswers);
        Ok::<_, Infallible>(())
    });
    let told = timeout(PATIENCE, made).await.expect("it does not hang");
    assert!(matches!(told, Err(StoreError::CommitUnknown(_))), "{told:?}");
    let found = direct.settle("A", user).await.unwrap().expect("it was committed");
    assert_eq!(found.id, "A");
    proxy.set(Mode::Pass);
    assert_eq!(proxied.settle("A", user).await.unwrap(), Some(found), "another connection");
    until(&url, OPEN, "0").await;
}

#[tokio::test]
async fn a_commit_that_never_arrives_is_unknown_and_settling_waits_until_it_cannot() {
    let (proxy, url, direct, proxied, user) = through_proxy(&[("DATABASE_DEADLINE_MS", "5000")]).await;
    let made = proxied.start(new("A", user), Instant::now() + Duration::from_secs(4), |_| {
        proxy.set(Mode::Pause);
        Ok::<_, Infallible>(())
    });
    let told = timeout(PATIENCE, made).await.expect("it does not hang");
    assert!(matches!(told, Err(StoreError::CommitUnknown(_))), "{told:?}");
    assert_eq!(direct.settle("A", user).await.unwrap(), None);
    // The transaction is over for good, not only unseen.
    until(&url, OPEN, "0").await;
    assert!(direct.id_is_free("A", "none").await.unwrap());
    assert!(start_within(&direct, "B", user, PATIENCE).await.unwrap());
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_commit_has_done_nothing() {
    let (proxy, url, direct, proxied, user) = through_proxy(&[("DATABASE_DEADLINE_MS", "5000")]).await;
    assert!(start_within(&proxied, "A", user, PATIENCE).await.unwrap());
    expire(&url, "A").await;
    proxy.set(Mode::SwallowAnswers);
    let told = start_within(&proxied, "B", user, Duration::from_secs(1)).await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    until(&url, OPEN, "0").await;
    assert!(direct.id_is_free("B", "none").await.unwrap());
    assert_eq!(count_of(&url, user).await, "0", "nor was anything completed");
}

#[tokio::test]
async fn an_ending_whose_answer_is_lost_is_unknown_and_counted_once() {
    let (proxy, url, direct, proxied, user) = through_proxy(&[("DATABASE_DEADLINE_MS", "3000")]).await;
    assert!(start_within(&proxied, "A", user, PATIENCE).await.unwrap());
    // Prepared over this connection once, so that it is the ending itself that has no answer.
    assert_eq!(proxied.end("A", Uuid::new_v4()).await.unwrap(), None);
    proxy.set(Mode::SwallowAnswers);
    let told = timeout(PATIENCE, proxied.end("A", user)).await.expect("it does not hang");
    assert!(matches!(told, Err(StoreError::CommitUnknown(_))), "{told:?}");
    until(&url, "SELECT status FROM public.interview_sessions", "ended_early").await;
    assert_eq!(direct.end("A", user).await.unwrap(), None);
    assert_eq!(count_of(&url, user).await, "1");
}

/// Somebody holds the lock of capacity; dropping the connection gives it up.
async fn hold_capacity(url: &str) -> tokio_postgres::Client {
    let (holder, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    holder.batch_execute("SELECT pg_advisory_lock(1668247158, 2)").await.unwrap();
    holder
}

const WAITING: &str = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE d.datname = current_database() AND l.locktype = 'advisory' AND NOT l.granted";

#[tokio::test]
async fn a_start_that_waits_for_others_gives_up_at_its_deadline() {
    let url = database().await;
    let store = prepared(&url).await;
    let user = Uuid::new_v4();
    store.put_user(user, None, Some("resume")).await.unwrap();
    let holder = hold_capacity(&url).await;
    let told = start_within(&store, "A", user, Duration::from_millis(300)).await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    // The server has stopped waiting as well.
    until(&url, WAITING, "0").await;
    drop(holder);
    assert!(store.id_is_free("A", "none").await.unwrap());
    assert!(start_within(&store, "A", user, PATIENCE).await.unwrap());
}

#[tokio::test]
async fn a_start_that_is_dropped_leaves_no_transaction_behind() {
    let url = database().await;
    prepared(&url).await;
    let store = store_with(&url, &[("DATABASE_POOL_SIZE", "2")]);
    let user = Uuid::new_v4();
    store.put_user(user, None, Some("resume")).await.unwrap();
    let holder = hold_capacity(&url).await;
    for id in ["A", "B", "C"] {
        let starting = tokio::spawn({
            let store = store.clone();
            async move { start_within(&store, id, user, PATIENCE).await }
        });
        until(&url, WAITING, "1").await;
        starting.abort();
        assert!(starting.await.unwrap_err().is_cancelled());
        until(&url, WAITING, "0").await;
    }
    drop(holder);
    until(&url, OPEN, "0").await;
    assert_eq!(value(&url, "SELECT count(*) FROM public.interview_sessions").await, "0");
    assert!(start_within(&store, "E", user, PATIENCE).await.unwrap());
}

#[tokio::test]
async fn starts_that_wait_leave_connections_to_others() {
    let url = database().await;
    prepared(&url).await;
    let store = store_with(&url, &[("DATABASE_POOL_SIZE", "4")]);
    let user = Uuid::new_v4();
    store.put_user(user, None, Some("resume")).await.unwrap();
    let holder = hold_capacity(&url).await;
    let starts = ["A", "B", "C", "D", "E", "F"].map(|id| {
        let store = store.clone();
        tokio::spawn(async move { start_within(&store, id, user, PATIENCE).await })
    });
    until(&url, WAITING, "2").await;
    assert_eq!(store.standing(user).await.unwrap().active_total, 0);
    let one_more = start_within(&store, "G", user, Duration::from_millis(100)).await;
    assert!(matches!(one_more, Err(StoreError::Unavailable(_))), "{one_more:?}");
    drop(holder);
    let through = futures_util::future::join_all(starts).await.into_iter().filter(|told| matches!(told, Ok(Ok(true)))).count();
    assert_eq!(through, 1);
}

/// Until a ping is answered; each is answered, or refused, in time.
async fn until_answers(store: &BookingStore) {
    let answers = async || timeout(PATIENCE, store.postgres().ping()).await.expect("it does not hang").is_ok();
    eventually_asked("it answers again", answers).await;
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    let server = Server::start();
    let url = server.database().await;
    let store = prepared(&url).await;
    let (user, _) = started(&store, "A").await;
    let lead = store.postgres().try_leader_lock(1).await.unwrap().expect("the lead");
    // Several connections lie in the pool.
    futures_util::future::join_all((0..5).map(|_| store.standing(user))).await;
    for _ in 0..3 {
        server.restart();
        let told = timeout(PATIENCE, store.get("A", user)).await.expect("it does not hang");
        assert!(matches!(told, Ok(Some(_)) | Err(StoreError::Unavailable(_))), "{told:?}");
        until_answers(&store).await;
        assert_eq!(store.standing(user).await.unwrap().active.len(), 1);
    }
    assert!(!lead.holds());
    assert!(store.postgres().try_leader_lock(1).await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable_and_then_there() {
    let server = Server::start();
    let url = server.database().await;
    server.stop();
    let store = store_with(&url, &[("DATABASE_DEADLINE_MS", "500")]);
    for _ in 0..3 {
        let told = timeout(PATIENCE, store.postgres().ping()).await.expect("it does not hang");
        assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    }
    server.restart();
    until_answers(&store).await;
}

#[tokio::test]
async fn a_server_that_hangs_keeps_nobody_waiting() {
    let server = Server::start();
    let url = server.database().await;
    prepared(&url).await;
    let store = store_with(&url, &[("DATABASE_DEADLINE_MS", "2000")]);
    let (user, _) = started(&store, "A").await;
    assert_eq!(store.end("none", user).await.unwrap(), None);
    server.freeze();
    let told = timeout(PATIENCE, store.get("A", user)).await.expect("it does not hang");
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    let told = timeout(PATIENCE, store.end("A", user)).await.expect("it does not hang");
    assert!(matches!(told, Err(StoreError::Unavailable(_) | StoreError::CommitUnknown(_))), "{told:?}");
    assert!(timeout(PATIENCE, store.postgres().try_leader_lock(1)).await.expect("it does not hang").is_err());
    server.thaw();
    until_answers(&store).await;
    let total = store.standing(user).await.unwrap().active_total;
    assert!(total <= 1);
}

#[tokio::test]
async fn the_calls_of_one_request_have_the_time_of_one_together() {
    let (proxy, _url, _direct, proxied, _user) = through_proxy(&[("DATABASE_DEADLINE_MS", "6000")]).await;
    proxied.postgres().ping().await.unwrap();
    let began = Instant::now();
    let told = as_one_call(async {
        proxy.set(Mode::Pause);
        let first = tokio::join!(proxied.postgres().ping(), async {
            tokio::time::sleep(Duration::from_secs(4)).await;
            proxy.set(Mode::Pass);
        });
        first.0.expect("it answers in the end");
        proxy.set(Mode::Pause);
        proxied.postgres().ping().await
    });
    let told = timeout(PATIENCE, told).await.expect("it does not hang");
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    // The second alone might have taken another six seconds.
    assert!(began.elapsed() < Duration::from_millis(9_500), "{:?}", began.elapsed());
    proxy.set(Mode::Pass);
    proxied.postgres().ping().await.expect("outside of the request each has its own time");
}
