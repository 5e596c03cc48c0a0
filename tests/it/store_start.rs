//! The transaction that judges a start, against a real PostgreSQL.

use std::convert::Infallible;
use std::time::Duration;

use convoke::features::bookings::error::StartRefusal;
use convoke::features::bookings::store::{BookingStore, Limits, NewBooking, Verdict};
use futures_util::future::join_all;
use tokio::time::Instant;
use uuid::Uuid;

use super::store_bookings::{count_of, expire, start, started};
use super::support::postgres::{database, migrate, prepared, sql, value};

async fn user(store: &BookingStore) -> Uuid {
    let user = Uuid::new_v4();
    store.put_user(user, None, Some("resume")).await.expect("a user");
    user
}

fn in_time() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

#[tokio::test]
async fn starts_are_refused_for_the_first_reason_that_holds() {
    let url = database().await;
    let store = prepared(&url).await;
    migrate(&store, Limits { max_concurrent: 1, max_per_user: 1 }).await.unwrap();
    let refused = |verdict| match verdict {
        Verdict::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    };
    let user = Uuid::new_v4();
    assert_eq!(refused(start(&store, user, "A").await), StartRefusal::UserNotFound);
    store.put_user(user, None, None).await.unwrap();
    assert_eq!(refused(start(&store, user, "A").await), StartRefusal::NoResume);
    store.put_user(user, None, Some("")).await.unwrap();
    assert_eq!(refused(start(&store, user, "A").await), StartRefusal::NoResume);
    store.put_user(user, None, Some("r")).await.unwrap();
    sql(&url, "UPDATE public.users SET completed_interviews_count = 100").await;
    assert_eq!(refused(start(&store, user, "A").await), StartRefusal::BetaLimit { completed: 100, limit: 100 });
    sql(&url, "UPDATE public.users SET completed_interviews_count = NULL").await;
    assert!(matches!(start(&store, user, "A").await, Verdict::Started { .. }));
    assert_eq!(refused(start(&store, user, "B").await), StartRefusal::ActiveExists { session: Some("A".into()), limit: 1 });
    let other = self::user(&store).await;
    assert_eq!(refused(start(&store, other, "B").await), StartRefusal::CapacityFull { limit: 1 });
    migrate(&store, Limits { max_concurrent: 2, max_per_user: 1 }).await.unwrap();
    assert_eq!(start(&store, other, "A").await, Verdict::IdTaken);
    assert!(matches!(start(&store, other, "B").await, Verdict::Started { .. }));
    assert_eq!(value(&url, "SELECT count(*) FROM public.interview_sessions").await, "2");
}

#[tokio::test]
async fn an_id_is_taken_for_good_and_so_is_a_room() {
    let url = database().await;
    let store = prepared(&url).await;
    let (ann, _) = started(&store, "A").await;
    store.end("A", ann).await.unwrap();
    let other = user(&store).await;
    assert_eq!(start(&store, other, "A").await, Verdict::IdTaken);
    let same_room = NewBooking { id: "B", user_id: other, room: "INTERVIEW-A", duration: Duration::from_secs(1), beta_limit: 1 };
    let (verdict, _) = store.start(same_room, in_time(), |_| Ok::<_, Infallible>(())).await.unwrap();
    assert_eq!(verdict.unwrap(), Verdict::IdTaken);
}

#[tokio::test]
async fn what_has_expired_is_completed_and_counted_before_the_judgement() {
    let url = database().await;
    let store = prepared(&url).await;
    let (ann, _) = started(&store, "A").await;
    expire(&url, "A").await;
    let new = NewBooking { id: "B", user_id: ann, room: "R-B", duration: Duration::from_secs(900), beta_limit: 1 };
    let (verdict, ended) = store.start(new, in_time(), |_| Ok::<_, Infallible>(())).await.unwrap();
    assert_eq!(verdict.unwrap(), Verdict::Refused(StartRefusal::BetaLimit { completed: 1, limit: 1 }));
    assert_eq!(ended.iter().map(|ended| &*ended.room).collect::<Vec<_>>(), ["INTERVIEW-A"]);
    assert_eq!(count_of(&url, ann).await, "1", "committed with the refusal");
    let again = NewBooking { beta_limit: 2, ..new };
    let (verdict, ended) = store.start(again, in_time(), |_| Ok::<_, Infallible>(())).await.unwrap();
    assert!(matches!(verdict.unwrap(), Verdict::Started { .. }) && ended.is_empty());
}

#[tokio::test]
async fn a_row_whose_token_cannot_be_made_is_not_made() {
    let url = database().await;
    let store = prepared(&url).await;
    let (ann, _) = started(&store, "A").await;
    expire(&url, "A").await;
    let new = NewBooking { id: "B", user_id: ann, room: "R-B", duration: Duration::from_secs(900), beta_limit: 9 };
    let (verdict, ended) = store
        .start(new, in_time(), |row| {
            assert_eq!((&*row.id, row.user_id), ("B", ann));
            Err::<(), _>("no key")
        })
        .await
        .unwrap();
    assert_eq!((verdict, ended.len()), (Err("no key"), 1));
    assert!(store.id_is_free("B", "none").await.unwrap());
    assert_eq!(count_of(&url, ann).await, "1");
    let (verdict, _) = store.start(new, in_time(), |row| Ok::<_, ()>(row.server_end_time)).await.unwrap();
    match verdict {
        Ok(Verdict::Started { session, made }) => assert_eq!(made, session.server_end_time),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_starts_of_one_user_one_is_let_through() {
    let url = database().await;
    let nodes = [prepared(&url).await, prepared(&url).await, prepared(&url).await];
    // With more room for each user there is no index that would help.
    for (per_user, expected) in [(1, 1), (3, 3)] {
        migrate(&nodes[0], Limits { max_concurrent: 100, max_per_user: per_user }).await.unwrap();
        let ann = user(&nodes[0]).await;
        let starts = (0..30).map(|n| {
            let store = nodes[n % 3].clone();
            tokio::spawn(async move { start(&store, ann, &format!("{per_user}-{n}")).await })
        });
        let verdicts: Vec<_> = join_all(starts).await.into_iter().map(|verdict| verdict.unwrap()).collect();
        let through = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Started { .. })).count();
        assert_eq!(through, expected);
        let refused = |verdict: &&Verdict<()>| matches!(verdict, Verdict::Refused(StartRefusal::ActiveExists { .. }));
        assert_eq!(verdicts.iter().filter(refused).count(), 30 - expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_capacity_nobody_is_over_while_sessions_start_end_and_expire() {
    let url = database().await;
    let nodes = [prepared(&url).await, prepared(&url).await, prepared(&url).await];
    migrate(&nodes[0], Limits { max_concurrent: 4, max_per_user: 1 }).await.unwrap();
    let mut users = Vec::new();
    for _ in 0..12 {
        users.push(user(&nodes[0]).await);
    }
    let work = users.iter().enumerate().map(|(n, ann)| {
        let (store, ann, url) = (nodes[n % 3].clone(), *ann, url.clone());
        tokio::spawn(async move {
            let mut ended = 0;
            for round in 0..6 {
                let id = format!("{n}-{round}");
                if let Verdict::Started { .. } = start(&store, ann, &id).await {
                    if round % 2 == 0 {
                        assert!(store.end(&id, ann).await.unwrap().is_some());
                    } else {
                        expire(&url, &id).await;
                        store.complete_expired(2).await.unwrap();
                        store.complete_expired_of(ann).await.unwrap();
                    }
                    ended += 1;
                }
                assert!(store.standing(ann).await.unwrap().active_total <= 4);
            }
            ended
        })
    });
    let ended: i32 = join_all(work).await.into_iter().map(|ended| ended.unwrap()).sum();
    assert!(ended > 0);
    let counted = value(&url, "SELECT sum(completed_interviews_count) FROM public.users").await;
    assert_eq!(counted, ended.to_string(), "each ending counted once");
}

#[tokio::test]
async fn a_user_whom_the_identity_provider_does_not_know_is_not_found() {
    let url = database().await;
    sql(&url, "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY)").await;
    let store = prepared(&url).await;
    let ann = user(&store).await;
    assert_eq!(start(&store, ann, "A").await, Verdict::Refused(StartRefusal::UserNotFound));
    sql(&url, &format!("INSERT INTO auth.users VALUES ('{ann}')")).await;
    assert!(matches!(start(&store, ann, "A").await, Verdict::Started { .. }));
    sql(&url, "DELETE FROM auth.users").await;
    assert!(store.id_is_free("A", "none").await.unwrap(), "the user's sessions go with the user");
}
