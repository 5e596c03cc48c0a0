//! What is kept of live interviews in PostgreSQL: repeats, several nodes at once, and outages.

use std::time::Duration;

use convoke::features::interviews::scripts::{Run, Session, SessionState, Trust, Turn, Unstored};
use convoke::features::interviews::store::*;
use convoke::features::interviews::wire::{Progress, Question, Summary};
use convoke::store::{Store, StoreError};
use futures_util::future::join_all;
use tokio::time::timeout;
use uuid::Uuid;

use super::interviews_scripts_world::{Interview as Live, noticed};
use super::store_bookings::until;
use super::support::postgres::{Server, database, server, settings, sql, value};
use super::support::proxy::{Mode, Proxy};

/// Longer than any deadline of the store's calls here, shorter than a hang.
const PATIENCE: Duration = crate::support::DEADLINE;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// One that gives up soon.
fn store_at(url: &str) -> InterviewStore {
    InterviewStore::new(Store::new(&settings(url, &[("DATABASE_DEADLINE_MS", "3000")])).expect("a store"))
}

/// A database with one interview of two questions.
async fn made() -> (String, InterviewStore, Uuid) {
    let url = database().await;
    Store::new(&settings(&url, &[])).expect("a store").prepare().await.expect("the schema");
    let store = InterviewStore::new(Store::new(&settings(&url, &[])).expect("a store"));
    let id = another(&store).await;
    (url, store, id)
}

async fn another(store: &InterviewStore) -> Uuid {
    let question = |n: u32| convoke::features::interviews::store::Question {
        id: format!("q-{n}"),
        assessment: 1,
        text: format!("question {n}"),
        kind: "BEHAVIORAL".into(),
    };
    let template = Template {
        id: "t".into(),
        title: "T".into(),
        total_duration: 39,
        assessments: vec!["A".into()],
        questions: vec![question(1), question(2)],
    };
    let candidate = Candidate { id: "ada".into(), name: "Ada".into(), email: "ada@example.com".into() };
    let (organization_id, recruiter_ids) = ("org".to_owned(), Vec::new());
    let new = NewInterview { organization_id, recruiter_ids, candidate, scheduled_at: None, template };
    let (id, mut token) = (Uuid::new_v4(), [0; 32]);
    token[..16].copy_from_slice(id.as_bytes());
    store.create(id, &token, &new).await.expect("an interview");
    id
}

fn asked(n: u32) -> Question {
    let text = format!("question {n}, otherwise");
    Question { question_id: format!("q-{n}"), text, audio_url: String::new(), kind: "BEHAVIORAL".into(), order: n }
}

fn live(id: Uuid, rev: u64, state: SessionState, position: u32) -> Session {
    Session {
        id,
        state,
        rev,
        created_at: 1,
        started_at: Some(1_769_851_800_250),
        ended_at: None,
        sid: "s1".into(),
        user: "ada".into(),
        lost_at: None,
        heartbeat_at: None,
        position,
        total: 2,
        asked: Some(asked(position)),
        progress: Some(Progress { current_assessment: 1, total_assessments: 1, current_question: position, total_questions: 2 }),
        answer: None,
        heard: Default::default(),
        audio_from: Default::default(),
        trust: Trust { score: 97, tabs: 1, ..Trust::default() },
        stt_down: false,
        storage_down: false,
        summary_told: false,
    }
}

fn turn(order: u32, text: &str) -> Turn {
    Turn { stream: "a".into(), order, position: 1, text: text.into(), confidence: 0.5, at: 1_769_851_800_250 + u64::from(order) }
}

fn response<'a>(turns: &'a [Turn], transcription: &'a str) -> NewResponse<'a> {
    let (question_id, audio, answered_at) = ("q-1", "https://a", 1_769_851_800_250);
    NewResponse { question_id, position: 1, asked: "question 1", transcription, audio, answered_at, turns }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_first_joins_one_makes_the_session_and_all_get_it() {
    let (url, store, id) = made().await;
    let another = || InterviewStore::new(Store::new(&settings(&url, &[])).expect("a store"));
    let nodes = [store.clone(), another(), another()];
    let opened = join_all((0..18).map(|n| {
        let store = nodes[n % 3].clone();
        tokio::spawn(async move { store.open(id).await })
    }));
    let seeds: Vec<_> = opened.await.into_iter().map(|seed| seed.unwrap().expect("an answer").expect("a session")).collect();
    assert!(seeds.iter().all(|seed| *seed == seeds[0]), "{seeds:?}");
    assert_eq!((seeds[0].state, seeds[0].position, seeds[0].total), (SessionState::Created, 0, 2));
    assert_eq!(value(&url, "SELECT status FROM convoke.interviews").await, "ONGOING");
    assert_eq!(value(&url, "SELECT count(*) FROM convoke.sessions").await, "1");
}

#[tokio::test]
async fn an_interview_that_has_ended_or_does_not_exist_is_not_opened() {
    let (url, store, id) = made().await;
    assert_eq!(store.open(Uuid::new_v4()).await.unwrap(), None);
    for status in ["COMPLETED", "EXPIRED", "CANCELLED"] {
        sql(&url, &format!("UPDATE convoke.interviews SET status = '{status}'")).await;
        assert_eq!(store.open(id).await.unwrap(), None, "{status}");
    }
    assert_eq!(value(&url, "SELECT count(*) FROM convoke.sessions").await, "0");
}

#[tokio::test]
async fn a_session_goes_forward_only_and_is_made_again_of_what_is_kept() {
    let (_, store, id) = made().await;
    let first = store.open(id).await.unwrap().unwrap();
    store.keep(id, &live(first.id, 1, SessionState::Active, 1)).await.unwrap();
    store.answer(id, &response(&[], "because")).await.unwrap();
    store.keep(id, &live(first.id, 2, SessionState::Paused, 2)).await.unwrap();
    // What is older, or of another session, changes nothing.
    store.keep(id, &live(first.id, 1, SessionState::Active, 1)).await.unwrap();
    store.keep(id, &live(first.id, 2, SessionState::Active, 1)).await.unwrap();
    store.keep(id, &live(Uuid::new_v4(), 9, SessionState::Active, 2)).await.unwrap();
    let seed = store.open(id).await.unwrap().unwrap();
    assert_eq!((seed.id, seed.state, seed.rev, seed.position), (first.id, SessionState::Paused, 2, 2));
    assert_eq!((seed.asked, seed.started_at), (Some(asked(2)), Some(1_769_851_800_250)));
    assert_eq!(seed.questions, [("q-1".to_owned(), 1), ("q-2".to_owned(), 2)]);
    assert_eq!(seed.last, Some(("q-1".into(), "because".into(), "https://a".into())));
    assert_eq!(seed.trust, Trust { score: 97, tabs: 1, ..Trust::default() });
    // An end stays, whatever comes later.
    let ended = Session { ended_at: Some(1_769_851_900_000), ..live(first.id, 3, SessionState::Cancelled, 2) };
    store.keep(id, &ended).await.unwrap();
    store.keep(id, &live(first.id, 4, SessionState::Active, 2)).await.unwrap();
    let row = store.session(id).await.unwrap().unwrap();
    assert_eq!((row.state, row.ended_at.map(|time| time.as_ms())), (SessionState::Cancelled, Some(1_769_851_900_000)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_stored_once_with_all_its_turns() {
    let (url, store, id) = made().await;
    let answers = join_all((0..10).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            let (turns, said) = ([turn(0, "one"), turn(1, "two\0")], format!("answer {n}"));
            store.answer(id, &response(&turns, &said)).await
        })
    }));
    let new: Vec<_> = answers.await.into_iter().map(|answer| answer.unwrap().expect("an answer")).collect();
    assert_eq!(new.iter().filter(|is_new| **is_new).count(), 1);
    assert_eq!(value(&url, "SELECT count(*) FROM convoke.transcripts").await, "2");
    let stored = store.responses(id).await.unwrap();
    assert_eq!((stored.len(), &*stored[0].stt_transcript), (1, "one two\u{fffd}"));
    // Another node has more turns of it; late ones follow, and some come twice.
    assert!(!store.answer(id, &response(&[turn(1, "two"), turn(2, "three")], "x")).await.unwrap());
    store.amend(id, "q-1", &[turn(2, "three"), turn(3, "four")]).await.unwrap();
    store.amend(id, "q-1", &[turn(3, "four")]).await.unwrap();
    let after = &store.responses(id).await.unwrap()[0];
    assert_eq!((&*after.stt_transcript, &after.transcription), ("one two\u{fffd} three four", &stored[0].transcription));
    // Turns may come before their answer.
    let early = Turn { stream: "b".into(), ..turn(0, "early") };
    store.amend(id, "q-2", &[early]).await.unwrap();
    let second = NewResponse { question_id: "q-2", position: 2, ..response(&[], "") };
    assert!(store.answer(id, &second).await.unwrap());
    assert_eq!(store.responses(id).await.unwrap()[1].stt_transcript, "early");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_scored_once_whoever_scores_it() {
    let (_, store, id) = made().await;
    assert_eq!(store.score(id, "q-1", 80.0, "good").await.unwrap(), None, "there is no answer");
    store.answer(id, &response(&[], "x")).await.unwrap();
    let scores = join_all((0..10).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.score(id, "q-1", f64::from(n), &format!("no. {n}")).await })
    }));
    let scores: Vec<_> = scores.await.into_iter().map(|score| score.unwrap().expect("an answer").expect("a score")).collect();
    assert!(scores.iter().all(|score| *score == scores[0]), "{scores:?}");
    let stored = &store.responses(id).await.unwrap()[0];
    assert_eq!((stored.score, stored.evaluation.clone()), (Some(scores[0].0), Some(scores[0].1.clone())));
    assert!(stored.evaluated_at.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_a_day_old_expires_once_and_is_due_until_it_is_told() {
    let (url, store, id) = made().await;
    let (young, cancelled, completed) = (another(&store).await, another(&store).await, another(&store).await);
    for interview in [id, young, cancelled, completed] {
        store.open(interview).await.unwrap().unwrap();
    }
    sql(&url, &format!("UPDATE convoke.sessions SET created_at = now() - interval '24 hours' WHERE interview_id = '{id}'")).await;
    sql(&url, &format!("UPDATE convoke.interviews SET status = 'CANCELLED' WHERE id = '{cancelled}'")).await;
    store.complete(completed, false).await.unwrap();
    let claims = join_all((0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.ends_due(DAY, 10).await })
    }));
    let mut due: Vec<_> = claims.await.into_iter().flat_map(|due| due.unwrap().expect("an answer")).collect();
    due.sort_by_key(|due| due.to.as_str());
    let wanted =
        [EndDue { interview: cancelled, to: SessionState::Cancelled }, EndDue { interview: id, to: SessionState::Expired }];
    assert_eq!(due, wanted, "each is claimed once, and what was completed in its own way is not");
    assert_eq!(value(&url, &format!("SELECT status FROM convoke.interviews WHERE id = '{id}'")).await, "EXPIRED");
    assert_eq!(store.session(id).await.unwrap().unwrap().state, SessionState::Expired);
    // Whoever has claimed it dies before it has told: another one gets it a minute later.
    sql(&url, "UPDATE convoke.sessions SET end_claimed_until = now() - interval '1 second'").await;
    store.end_told(cancelled).await.unwrap();
    assert_eq!(store.ends_due(DAY, 10).await.unwrap(), [EndDue { interview: id, to: SessionState::Expired }]);
    store.end_told(id).await.unwrap();
    sql(&url, "UPDATE convoke.sessions SET end_claimed_until = NULL").await;
    assert_eq!(store.ends_due(DAY, 10).await.unwrap(), []);
    store.end_told(young).await.unwrap();
    assert_eq!(value(&url, &format!("SELECT end_told FROM convoke.sessions WHERE interview_id = '{young}'")).await, "f");
}

#[tokio::test]
async fn an_interview_that_has_expired_is_not_completed_any_more() {
    let (url, store, id) = made().await;
    store.open(id).await.unwrap().unwrap();
    sql(&url, "UPDATE convoke.sessions SET created_at = now() - interval '25 hours'").await;
    assert_eq!(store.ends_due(DAY, 10).await.unwrap().len(), 1);
    store.complete(id, true).await.unwrap();
    assert_eq!(store.session(id).await.unwrap().unwrap().state, SessionState::Expired);
    assert_eq!(value(&url, "SELECT status FROM convoke.interviews").await, "EXPIRED");
    assert_eq!(store.summaries_due(10).await.unwrap(), Vec::<Uuid>::new());
}

#[tokio::test]
async fn a_summary_is_due_until_it_is_stored_or_a_day_is_over() {
    let (url, store, id) = made().await;
    let other = another(&store).await;
    for interview in [id, other] {
        store.open(interview).await.unwrap().unwrap();
        store.complete(interview, true).await.unwrap();
        store.complete(interview, true).await.unwrap();
    }
    assert_eq!(value(&url, "SELECT DISTINCT status FROM convoke.interviews").await, "COMPLETED");
    let soon =
        async || drop(sql(&url, "UPDATE convoke.sessions SET summary_due_at = summary_due_at - interval '31 minutes'").await);
    assert_eq!(store.summaries_due(10).await.unwrap().len(), 0, "the first try is its conductor's");
    soon().await;
    assert_eq!(store.summaries_due(1).await.unwrap().len(), 1);
    assert_eq!(store.summaries_due(10).await.unwrap().len(), 1, "who is claimed is not due");
    soon().await;
    assert_eq!(store.summaries_due(10).await.unwrap().len(), 2, "again later");
    let summary = |score| Summary { overall_score: Some(score), ..Summary::default() };
    store.summary(id, &summary(78.0)).await.unwrap();
    store.summary(id, &summary(1.0)).await.unwrap();
    assert_eq!(store.session(id).await.unwrap().unwrap().summary.unwrap()["overallScore"], 78.0, "the first one stays");
    assert!(store.open(id).await.unwrap().is_none());
    soon().await;
    assert_eq!(store.summaries_due(10).await.unwrap(), [other]);
    sql(&url, "UPDATE convoke.sessions SET ended_at = now() - interval '25 hours'").await;
    soon().await;
    assert_eq!(store.summaries_due(10).await.unwrap(), [other], "a last time");
    soon().await;
    assert_eq!(store.summaries_due(10).await.unwrap(), Vec::<Uuid>::new());
}

fn unstored(row: Uuid, count: u32) -> Unstored {
    let run = Run { row, count, first_at: 1_769_851_800_250, last_at: 1_769_851_800_250 + u64::from(count) };
    let event = r#"{"type":"tab-switch","message":"m","severity":"high","data":{"n":1.5}}"#.to_owned();
    Unstored { number: 1, run, event }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_proctoring_grows_whatever_the_order_in_which_it_is_stored() {
    let (url, store, id) = made().await;
    let row = Uuid::new_v4();
    let writes = join_all([3, 1, 5, 2, 4].map(|count| {
        let store = store.clone();
        tokio::spawn(async move { store.proctor(id, &[unstored(row, count), unstored(Uuid::new_v4(), 1)]).await })
    }));
    writes.await.into_iter().for_each(|write| write.unwrap().expect("stored"));
    assert_eq!(value(&url, "SELECT max(count) || ' ' || count(*) FROM convoke.proctor_events").await, "5 6");
    assert_eq!(value(&url, "SELECT data ->> 'n' FROM convoke.proctor_events LIMIT 1").await, "1.5");
    store.proctor(id, &[]).await.unwrap();
    // Of an interview that is deleted nothing is left to be stored.
    store.proctor(Uuid::new_v4(), &[unstored(Uuid::new_v4(), 1)]).await.unwrap();
}

#[tokio::test]
async fn what_was_noticed_while_postgresql_is_away_is_stored_once_it_is_back() {
    let own = Server::start();
    let url = own.database().await;
    let store = store_at(&url);
    Store::new(&settings(&url, &[])).expect("a store").prepare().await.expect("the schema");
    let mut world = Live::nothing(crate::support::redis::single().client().await);
    world.id = another(&store).await;
    world.join("s1").await;
    world.start("s1").await.unwrap();
    own.stop();
    for _ in 0..3 {
        world.notice("s1", &noticed("tab-switch")).await.unwrap();
    }
    world.notice("s1", &noticed("voices")).await.unwrap();
    let told = timeout(PATIENCE, store.store_proctoring(&world.redis, world.id)).await.expect("it does not hang");
    assert!(matches!(told, Err(ProctorError::Store(_))), "{told:?}");
    own.restart();
    assert_eq!(store.store_proctoring(&world.redis, world.id).await.unwrap(), 2);
    assert_eq!(store.store_proctoring(&world.redis, world.id).await.unwrap(), 0);
    assert_eq!(
        value(&url, "SELECT string_agg(type || count, ' ' ORDER BY type) FROM convoke.proctor_events").await,
        "tab-switch3 voices1"
    );
}

/// A store that reaches the database through a proxy, with an interview whose session is open.
async fn through_proxy() -> (Proxy, String, InterviewStore, InterviewStore, Uuid) {
    let (url, direct, id) = made().await;
    direct.open(id).await.unwrap().unwrap();
    let proxy = Proxy::start(server().address()).await;
    let proxied = store_at(&url.replacen(&server().address(), &proxy.address.to_string(), 1));
    (proxy, url, direct, proxied, id)
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_unknown_and_may_be_repeated() {
    let (proxy, url, direct, proxied, id) = through_proxy().await;
    let turns = [turn(0, "one")];
    let warm = NewResponse { question_id: "q-2", position: 2, ..response(&[], "x") };
    assert!(proxied.answer(id, &warm).await.unwrap());
    proxy.set(Mode::SwallowAnswers);
    let told = timeout(PATIENCE, proxied.answer(id, &response(&turns, "because"))).await.expect("it does not hang");
    assert!(matches!(told, Err(StoreError::CommitUnknown(_) | StoreError::Unavailable(_))), "{told:?}");
    until(&url, "SELECT count(*) FROM convoke.responses", "2").await;
    proxy.set(Mode::Pass);
    assert!(!proxied.answer(id, &response(&turns, "because")).await.unwrap(), "it was stored the first time");
    assert_eq!(direct.responses(id).await.unwrap().len(), 2);
    assert_eq!(value(&url, "SELECT count(*) FROM convoke.transcripts").await, "1");
}

#[tokio::test]
async fn while_postgresql_hangs_everything_is_unavailable_in_time() {
    let (proxy, url, direct, proxied, id) = through_proxy().await;
    assert!(proxied.session(id).await.unwrap().is_some());
    proxy.set(Mode::Pause);
    let calls = async {
        assert!(matches!(proxied.open(id).await, Err(StoreError::Unavailable(_) | StoreError::CommitUnknown(_))));
        assert!(matches!(proxied.complete(id, true).await, Err(StoreError::Unavailable(_) | StoreError::CommitUnknown(_))));
        assert!(matches!(proxied.ends_due(DAY, 1).await, Err(StoreError::Unavailable(_) | StoreError::CommitUnknown(_))));
        assert!(matches!(proxied.responses(id).await, Err(StoreError::Unavailable(_))));
    };
    timeout(PATIENCE, calls).await.expect("nothing hangs");
    assert_eq!(direct.session(id).await.unwrap().unwrap().state, SessionState::Created);
    proxy.set(Mode::Pass);
    proxied.complete(id, true).await.unwrap();
    until(&url, "SELECT state FROM convoke.sessions", "completed").await;
}
