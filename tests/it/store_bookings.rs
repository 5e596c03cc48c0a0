//! The statements of interview sessions and users, against a real PostgreSQL.

use std::convert::Infallible;
use std::time::Duration;

use convoke::features::bookings::store::{Booking, BookingStore, EndReason, Limits, NewBooking, Status, Verdict};
use convoke::store::{Rejection, StoreError};
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

use super::support::eventually_asked;
use super::support::postgres::{database, migrate, prepared, sql, store, value};

/// A start that is let through unless the tables say no.
pub async fn start(store: &BookingStore, user: Uuid, id: &str) -> Verdict<()> {
    let room = format!("INTERVIEW-{id}");
    let new = NewBooking { id, user_id: user, room: &room, duration: Duration::from_secs(900), beta_limit: 100 };
    let deadline = Instant::now() + Duration::from_secs(20);
    let (verdict, _) = store.start(new, deadline, |_| Ok::<_, Infallible>(())).await.expect("an answer");
    verdict.unwrap()
}

/// A user with a résumé and a session that is active; gives both.
pub async fn started(store: &BookingStore, id: &str) -> (Uuid, Booking) {
    let user = Uuid::new_v4();
    store.put_user(user, Some("ann@example.com"), Some("resume")).await.expect("a user");
    match start(store, user, id).await {
        Verdict::Started { session, .. } => (user, session),
        other => panic!("{other:?}"),
    }
}

/// Moves the session's end into the past.
pub async fn expire(url: &str, id: &str) {
    sql(url, &format!("UPDATE public.interview_sessions SET server_end_time = now() - interval '1 second' WHERE id = '{id}'"))
        .await;
}

pub async fn count_of(url: &str, user: Uuid) -> String {
    value(url, &format!("SELECT completed_interviews_count FROM public.users WHERE id = '{user}'")).await
}

async fn status_of(store: &BookingStore, id: &str, user: Uuid) -> (Status, Option<EndReason>) {
    let session = store.get(id, user).await.expect("an answer").expect("a session");
    assert_eq!(session.end_time.is_some(), session.status != Status::Active);
    (session.status, session.end_reason)
}

#[tokio::test]
async fn a_session_as_json_has_the_twelve_fields() {
    let url = database().await;
    let store = prepared(&url).await;
    let (user, session) = started(&store, "AAA-111-AAA").await;
    let times = "start_time = '2026-01-31T09:30:00.2509Z', server_end_time = '2026-01-31 15:15+05:30', \
                 created_at = '2026-01-31 09:30Z', updated_at = '2026-01-31 09:30Z'";
    sql(&url, &format!("UPDATE public.interview_sessions SET {times}")).await;
    let row = store.get(&session.id, user).await.unwrap().unwrap();
    let expected = json!({
        "id": "AAA-111-AAA", "user_id": user.to_string(), "status": "active",
        "start_time": "2026-01-31T09:30:00.250Z", "server_end_time": "2026-01-31T09:45:00.000Z",
        "end_time": null, "end_reason": null, "livekit_room_name": "INTERVIEW-AAA-111-AAA",
        "score_overall": null, "summary": null,
        "created_at": "2026-01-31T09:30:00.000Z", "updated_at": "2026-01-31T09:30:00.000Z",
    });
    assert_eq!(serde_json::to_value(&row).unwrap(), expected);
}

#[tokio::test]
async fn a_session_lasts_as_long_as_asked_from_its_start() {
    let url = database().await;
    let store = prepared(&url).await;
    let (user, session) = started(&store, "AAA-111-AAA").await;
    assert_eq!(session.server_end_time.as_ms() - session.start_time.as_ms(), 900_000);
    let standing = store.standing(user).await.unwrap();
    assert!(session.start_time <= standing.now && standing.now < session.server_end_time);
    assert_eq!(store.get(&session.id, user).await.unwrap(), Some(session));
}

#[tokio::test]
async fn a_session_is_its_users_alone() {
    let url = database().await;
    let store = prepared(&url).await;
    let (user, session) = started(&store, "AAA-111-AAA").await;
    let other = Uuid::new_v4();
    assert_eq!(store.get(&session.id, other).await.unwrap(), None);
    assert_eq!(store.end(&session.id, other).await.unwrap(), None);
    assert_eq!(store.settle(&session.id, other).await.unwrap(), None);
    assert_eq!(status_of(&store, &session.id, user).await, (Status::Active, None));
    assert!(!store.id_is_free(&session.id, "none").await.unwrap());
    assert!(store.id_is_free("BBB-222-BBB", "none").await.unwrap());
}

#[tokio::test]
async fn ending_happens_once_and_counts_once() {
    let url = database().await;
    let store = prepared(&url).await;
    let (user, session) = started(&store, "AAA-111-AAA").await;
    let ends = (0..10).map(|_| store.end(&session.id, user));
    let ended: Vec<_> = futures_util::future::join_all(ends).await.into_iter().filter_map(|end| end.unwrap()).collect();
    assert_eq!(ended.len(), 1);
    assert_eq!((&*ended[0].id, ended[0].user_id, &*ended[0].room), ("AAA-111-AAA", user, "INTERVIEW-AAA-111-AAA"));
    assert_eq!(status_of(&store, &session.id, user).await, (Status::EndedEarly, Some(EndReason::UserEnded)));
    assert_eq!(count_of(&url, user).await, "1");
    assert_eq!(store.complete_expired_of(user).await.unwrap(), []);
}

#[tokio::test]
async fn an_expired_session_is_completed_not_ended() {
    let url = database().await;
    let store = prepared(&url).await;
    let (user, session) = started(&store, "AAA-111-AAA").await;
    expire(&url, &session.id).await;
    assert_eq!(store.end(&session.id, user).await.unwrap(), None);
    assert_eq!(store.active().await.unwrap(), []);
    let standing = store.standing(user).await.unwrap();
    assert_eq!((standing.active_total, standing.active.len()), (0, 0));
    let completed = store.complete_expired_of(user).await.unwrap();
    assert_eq!(completed.len(), 1);
    assert_eq!(store.complete_expired_of(user).await.unwrap(), []);
    assert_eq!(status_of(&store, &session.id, user).await, (Status::Completed, Some(EndReason::Natural)));
    assert_eq!(count_of(&url, user).await, "1");
}

#[tokio::test]
async fn two_sessions_of_one_user_count_twice() {
    let url = database().await;
    let store = prepared(&url).await;
    migrate(&store, Limits { max_concurrent: 9, max_per_user: 2 }).await.unwrap();
    let (user, first) = started(&store, "AAA-111-AAA").await;
    assert!(matches!(start(&store, user, "BBB-222-BBB").await, Verdict::Started { .. }));
    expire(&url, &first.id).await;
    expire(&url, "BBB-222-BBB").await;
    assert_eq!(store.complete_expired(10).await.unwrap().len(), 2);
    assert_eq!(count_of(&url, user).await, "2");
}

#[tokio::test]
async fn the_job_takes_no_more_than_asked_and_several_nodes_share_it() {
    let url = database().await;
    let store = prepared(&url).await;
    migrate(&store, Limits { max_concurrent: 100, max_per_user: 1 }).await.unwrap();
    let mut users = Vec::new();
    for n in 0..20 {
        users.push(started(&store, &format!("S-{n}")).await.0);
    }
    sql(&url, "UPDATE public.interview_sessions SET server_end_time = now() - interval '1 second' WHERE id <> 'S-0'").await;
    assert_eq!(store.complete_expired(3).await.unwrap().len(), 3);
    let nodes = [store.clone(), prepared(&url).await, prepared(&url).await];
    let jobs = (0..12).map(|n| nodes[n % 3].complete_expired(4));
    let mut ended: Vec<String> =
        futures_util::future::join_all(jobs).await.into_iter().flat_map(|ended| ended.unwrap()).map(|ended| ended.id).collect();
    ended.extend(store.complete_expired(100).await.unwrap().into_iter().map(|ended| ended.id));
    ended.sort();
    ended.dedup();
    assert_eq!(ended.len(), 16, "each once");
    assert_eq!(value(&url, "SELECT sum(completed_interviews_count) FROM public.users").await, "19");
    let left: Vec<_> = store.active().await.unwrap().into_iter().map(|active| active.id).collect();
    assert_eq!(left, ["S-0"]);
}

#[tokio::test]
async fn the_job_passes_over_what_another_holds_but_the_users_own_call_waits() {
    let url = database().await;
    let store = prepared(&url).await;
    let (user, session) = started(&store, "AAA-111-AAA").await;
    expire(&url, &session.id).await;
    let (mut holder, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let held = holder.transaction().await.unwrap();
    held.query("SELECT FROM public.interview_sessions WHERE id = 'AAA-111-AAA' FOR UPDATE", &[]).await.unwrap();
    assert_eq!(store.complete_expired(10).await.unwrap(), []);
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.complete_expired_of(user).await }
    });
    until(&url, "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()", "1")
        .await;
    held.rollback().await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().len(), 1);
}

/// Until a query has this answer.
pub async fn until(url: &str, query: &str, expected: &str) {
    eventually_asked(&format!("{expected} is the answer to {query}"), async || value(url, query).await == expected).await;
}

#[tokio::test]
async fn a_user_without_a_row_gets_one_when_an_interview_is_counted() {
    let url = database().await;
    let store = prepared(&url).await;
    let (user, session) = started(&store, "AAA-111-AAA").await;
    sql(&url, "DELETE FROM public.users").await;
    assert!(store.end(&session.id, user).await.unwrap().is_some());
    assert_eq!(count_of(&url, user).await, "1");
    let known = store.standing(user).await.unwrap().user.unwrap();
    assert_eq!((known.email, known.resume_id, known.completed_interviews_count), (None, None, 1));
}

#[tokio::test]
async fn a_users_table_that_wants_more_does_not_stop_endings() {
    let url = database().await;
    sql(&url, "CREATE TABLE public.users (id uuid PRIMARY KEY, email text NOT NULL, resume_id uuid, name varchar(20) NOT NULL)")
        .await;
    let store = prepared(&url).await;
    migrate(&store, Limits { max_concurrent: 9, max_per_user: 9 }).await.unwrap();
    let (user, resume) = (Uuid::new_v4(), Uuid::new_v4());
    sql(&url, &format!("INSERT INTO public.users VALUES ('{user}', 'ann@example.com', '{resume}', 'Ann')")).await;
    for id in ["A", "B"] {
        assert!(matches!(start(&store, user, id).await, Verdict::Started { .. }));
    }
    assert!(store.end("A", user).await.unwrap().is_some());
    assert_eq!(count_of(&url, user).await, "1");
    // Nobody could make this row of an id and a count.
    sql(&url, "DELETE FROM public.users").await;
    assert!(store.end("B", user).await.unwrap().is_some());
    assert_eq!(value(&url, "SELECT count(*) FROM public.users").await, "0");
}

#[tokio::test]
async fn a_user_is_written_as_the_columns_are() {
    let url = database().await;
    sql(&url, "CREATE TABLE public.users (id uuid PRIMARY KEY, email varchar(30), resume_id uuid, city text DEFAULT 'Rome')")
        .await;
    let store = prepared(&url).await;
    let (user, resume) = (Uuid::new_v4(), Uuid::new_v4().to_string());
    let made = store.put_user(user, Some("ann@example.com"), Some(&resume)).await.unwrap();
    assert_eq!((made.id, made.email.as_deref(), made.resume_id.as_deref()), (user, Some("ann@example.com"), Some(&*resume)));
    assert_eq!(store.standing(user).await.unwrap().user, Some(made));
    sql(&url, "UPDATE public.users SET completed_interviews_count = 3, city = 'Oslo'").await;
    let updated = store.put_user(user, None, None).await.unwrap();
    assert_eq!((updated.email, updated.resume_id, updated.completed_interviews_count), (None, None, 3));
    assert_eq!(value(&url, "SELECT city FROM public.users").await, "Oslo");
    for (email, resume) in [(None, Some("no uuid")), (Some("much too long for the column@example.com"), None)] {
        let refused = store.put_user(user, email, resume).await.unwrap_err();
        assert!(matches!(refused, StoreError::Rejected(Rejection::DoesNotFit, _)), "{refused}");
    }
}

#[tokio::test]
async fn what_a_table_does_not_take_is_told_by_its_cause() {
    let url = database().await;
    sql(&url, "CREATE TABLE public.resumes (id text PRIMARY KEY); INSERT INTO public.resumes VALUES ('r1'), ('r2')").await;
    sql(
        &url,
        "CREATE TABLE public.users (id uuid PRIMARY KEY, email varchar(20) NOT NULL UNIQUE CHECK (email LIKE '%@%'),
            resume_id text REFERENCES public.resumes)",
    )
    .await;
    let store = prepared(&url).await;
    store.put_user(Uuid::new_v4(), Some("ann@example.com"), Some("r1")).await.unwrap();
    let user = Uuid::new_v4();
    for (email, resume, cause) in [
        (Some("much too long for it@x"), Some("r1"), Rejection::DoesNotFit),
        (Some("bob@example.com"), Some("r9"), Rejection::RefersToNothing),
        (None, Some("r1"), Rejection::Missing),
        (Some("ann@example.com"), Some("r2"), Rejection::Taken),
        (Some("nobody"), Some("r2"), Rejection::BreaksARule),
    ] {
        match store.put_user(user, email, resume).await {
            Err(StoreError::Rejected(rejection, _)) => assert_eq!(rejection, cause),
            other => panic!("{cause:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn many_puts_of_one_new_user_make_one() {
    let url = database().await;
    let store = prepared(&url).await;
    let user = Uuid::new_v4();
    let puts = (0..20).map(|_| store.put_user(user, Some("a@b"), Some("r")));
    for put in futures_util::future::join_all(puts).await {
        assert_eq!(put.unwrap().id, user);
    }
    assert_eq!(value(&url, "SELECT count(*) FROM public.users").await, "1");
}

#[tokio::test]
async fn a_score_is_written_and_what_is_not_given_stays() {
    let url = database().await;
    let store = prepared(&url).await;
    let (_, session) = started(&store, "AAA-111-AAA").await;
    let cases = [
        (Some(87.55), None, (Some(87.6), None)),
        (None, Some("good"), (Some(87.6), Some("good"))),
        (None, None, (Some(87.6), Some("good"))),
        (Some(0.0), Some(""), (Some(0.0), Some(""))),
    ];
    for (score, summary, (expected_score, expected_summary)) in cases {
        let row = store.score(&session.id, score, summary).await.unwrap().unwrap();
        assert_eq!((row.score_overall, row.summary.as_deref()), (expected_score, expected_summary));
        assert!(row.updated_at > session.updated_at);
    }
    assert_eq!(store.score("none", Some(1.0), None).await.unwrap(), None);
    for bad in [100.0, f64::NAN, f64::INFINITY] {
        let refused = store.score(&session.id, Some(bad), None).await;
        assert!(matches!(refused, Err(StoreError::Rejected(Rejection::DoesNotFit, _))), "{bad}: {refused:?}");
    }
}

#[tokio::test]
async fn the_standing_is_the_users_own() {
    let url = database().await;
    let store = prepared(&url).await;
    let (ann, session) = started(&store, "AAA-111-AAA").await;
    let standing = store.standing(ann).await.unwrap();
    assert_eq!(standing.active_total, 1);
    assert_eq!((&*standing.active[0].id, standing.active[0].ends), ("AAA-111-AAA", session.server_end_time));
    assert_eq!(standing.user.unwrap().email.as_deref(), Some("ann@example.com"));
    let nobody = store.standing(Uuid::new_v4()).await.unwrap();
    assert_eq!((nobody.user, nobody.active.len(), nobody.active_total), (None, 0, 1));
    let ids = ["AAA-111-AAA".to_owned(), "none".to_owned()];
    assert_eq!(store.of_ids(&ids).await.unwrap(), [("AAA-111-AAA".to_owned(), ann, Status::Active)]);
}

#[tokio::test]
async fn one_leads_at_a_time_until_it_gives_up() {
    let url = database().await;
    let (one, other) = (store(&url), store(&url));
    let lead = one.postgres().try_leader_lock(7).await.unwrap().expect("the lead");
    assert!(lead.holds());
    assert!(other.postgres().try_leader_lock(7).await.unwrap().is_none());
    assert!(one.postgres().try_leader_lock(7).await.unwrap().is_none(), "nor another task of the same node");
    assert!(other.postgres().try_leader_lock(8).await.unwrap().is_some(), "another job");
    drop(lead);
    let is_free = async || other.postgres().try_leader_lock(7).await.unwrap().is_some();
    eventually_asked("the lead is given up", is_free).await;
}
