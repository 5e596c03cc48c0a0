//! Answers: each is stored before the next question goes out, and scored at most once, whatever fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::vendors::{Judge, Reader, Shelf};
use super::world::{ID, World};
use crate::core::sync::lock;
use crate::features::interviews::conductor::Conductor;
use crate::features::interviews::conductor::finish::Finishing;
use crate::features::interviews::providers::Providers;
use crate::features::interviews::providers::ai::AiError;
use crate::features::interviews::scripts::SessionState;

fn judged(ai: &Arc<Judge>) -> Providers {
    Providers { ai: Some(ai.clone()), ..Providers::default() }
}

/// Answers the open question, and waits for what follows it.
async fn answer(world: &World, node: &Arc<Conductor>, text: &str) {
    let position = world.kept(|kept| kept.session.position);
    world.answers(text);
    node.wake(ID);
    let next = if position == 3 { "complete".to_owned() } else { format!("question {}", position + 1) };
    world.until_told(&next).await;
}

#[tokio::test(start_paused = true)]
async fn without_vendors_an_interview_runs_from_its_template_as_text_and_says_so() {
    let world = World::new();
    let node = world.node("a", Providers::default());
    for text in ["one", "two", "three"] {
        answer(&world, &node, text).await;
        world
            .until("the position is kept", |world| world.rows(|rows| rows.position) == world.kept(|kept| kept.session.position))
            .await;
    }
    world.until("the worker is gone", |_| node.running() == 0).await;
    let expected = [
        "stt unavailable not-configured",
        "progress 2 score null",
        r#"question 2 "Question 2?" audio """#,
        "progress 3 score null",
        r#"question 3 "Question 3?" audio """#,
        "progress 3 score null",
        "complete",
        "summary null",
    ];
    assert_eq!(world.told(), expected);
    world.rows(|rows| {
        let answers: Vec<_> = rows.answers.values().map(|(response, _)| (&*response.asked, &*response.transcription)).collect();
        assert_eq!(answers, [("Question 1?", "one"), ("Question 2?", "two"), ("Question 3?", "three")]);
        assert_eq!((rows.completed, rows.kept.last()), (Some(false), Some(&(3, SessionState::Completed))));
    });
    let reads = world.kept(|kept| kept.reads);
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(world.kept(|kept| kept.reads), reads, "nothing is done between answers");
}

#[tokio::test(start_paused = true)]
async fn answers_are_scored_and_the_next_question_is_worded_and_read_aloud() {
    let (world, ai, shelf) = (World::new(), Judge::new(), Arc::<Shelf>::default());
    let voice = Arc::new(Reader::default());
    let providers = Providers { ai: Some(ai.clone()), voice: Some(voice), audio: Some(shelf.clone()), ..Providers::default() };
    let node = world.node("a", providers);
    for text in ["one", "two", "three"] {
        answer(&world, &node, text).await;
    }
    world.until_told("summary").await;
    let expected = [
        "stt unavailable not-configured",
        "progress 2 score 80",
        r#"question 2 "And: Question 2?" audio "u:question-2.mp3""#,
        "progress 3 score 80",
        r#"question 3 "And: Question 3?" audio "u:question-3.mp3""#,
        "progress 3 score 80",
        "complete",
        "summary 80",
    ];
    assert_eq!(world.told(), expected);
    assert_eq!(*lock(&ai.scored), ["one", "two", "three"]);
    world.rows(|rows| assert_eq!(rows.answers[&2].0.asked, "And: Question 2?"));
    assert!(world.rows(|rows| rows.summary.is_some()));
}

#[tokio::test(start_paused = true)]
async fn an_ai_that_fails_leaves_the_templates_question_and_an_answer_without_a_score() {
    let (slow, fast) = (Duration::from_secs(30), Duration::ZERO);
    let faults = [
        (AiError::TimedOut, slow),
        (AiError::Status(500), fast),
        (AiError::Refused, fast),
        (AiError::CutOff, fast),
        (AiError::Unfit("no JSON"), fast),
    ];
    for (fault, takes) in faults {
        let (world, ai) = (World::new(), Judge::that_fails(fault.clone(), takes));
        let node = world.node("a", judged(&ai));
        let asked = Instant::now();
        answer(&world, &node, "one").await;
        let told = world.told();
        let expected = ["stt unavailable not-configured", "progress 2 score null", r#"question 2 "Question 2?" audio """#];
        assert_eq!(told, expected, "{fault}");
        assert!(asked.elapsed() < takes + Duration::from_secs(2), "{fault}: both calls go out at once");
        assert_eq!(*lock(&ai.scored), ["one"], "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_word_is_not_scored() {
    let (world, ai) = (World::new(), Judge::new());
    let node = world.node("a", judged(&ai));
    answer(&world, &node, " ").await;
    assert!(lock(&ai.scored).is_empty());
    assert!(world.told().contains(&"progress 2 score null".into()));
}

#[tokio::test(start_paused = true)]
async fn a_voice_that_is_down_leaves_a_question_without_audio() {
    let (world, shelf) = (World::new(), Arc::<Shelf>::default());
    let voice = Arc::new(Reader { is_down: true });
    let node = world.node("a", Providers { voice: Some(voice), audio: Some(shelf), ..Providers::default() });
    answer(&world, &node, "one").await;
    assert_eq!(world.told().last().map(String::as_str), Some(r#"question 2 "Question 2?" audio """#));
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_is_full_is_told_once_and_the_interview_goes_on() {
    let (world, shelf) = (World::new(), Arc::<Shelf>::default());
    let node = world.node("a", Providers { audio: Some(shelf.clone()), ..Providers::default() });
    *lock(&shelf.is_full) = true;
    for (word, text) in [(1, "one"), (2, "two")] {
        world.says(word);
        answer(&world, &node, text).await;
    }
    *lock(&shelf.is_full) = false;
    world.says(3);
    answer(&world, &node, "three").await;
    let told: Vec<_> = world.told().into_iter().filter(|told| told.starts_with("storage")).collect();
    assert_eq!(told, ["storage unavailable unavailable", "storage available"]);
    world.rows(|rows| {
        let audio: Vec<_> = rows.answers.values().map(|(response, _)| &*response.audio).collect();
        let key = format!("interviews/{ID}/answer-3.wav");
        assert_eq!(audio, ["", "", &key]);
    });
}

#[tokio::test(start_paused = true)]
async fn a_postgresql_that_is_away_is_waited_for_and_nothing_is_lost_or_done_twice() {
    let (world, ai) = (World::new(), Judge::new());
    let node = world.node("a", judged(&ai));
    world.rows(|rows| rows.is_away = true);
    world.answers("one");
    node.wake(ID);
    sleep(Duration::from_secs(90)).await;
    assert!(!world.told().iter().any(|told| told.starts_with("question")), "the answer is not stored yet");
    world.rows(|rows| (rows.is_away, rows.takes_no_scores) = (false, true));
    sleep(Duration::from_secs(30)).await;
    assert!(world.rows(|rows| rows.answers.contains_key(&1)));
    world.rows(|rows| rows.takes_no_scores = false);
    world.until_told("question 2").await;
    assert_eq!(*lock(&ai.scored), ["one"], "the AI was asked once");
    assert!(world.told().contains(&"progress 2 score 80".into()));
}

#[tokio::test(start_paused = true)]
async fn a_stored_score_is_used_by_the_node_that_goes_on() {
    let (world, ai) = (World::new(), Judge::new());
    let first = world.node("a", judged(&ai));
    world.answers("one");
    first.wake(ID);
    world
        .until("the score is stored", |world| world.rows(|rows| rows.answers.get(&1).is_some_and(|(_, score)| score.is_some())))
        .await;
    world.dies("a");
    let second = world.node("b", judged(&ai));
    second.wake(ID);
    world.until_told("question 2").await;
    assert_eq!(lock(&ai.scored).len(), 1);
    assert_eq!(world.told().iter().filter(|told| told.starts_with("question")).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_summary_that_fails_is_told_as_unscored_and_made_later() {
    let (world, ai) = (World::new(), Judge::new());
    let node = world.node("a", judged(&ai));
    for text in ["one", "two"] {
        answer(&world, &node, text).await;
    }
    *lock(&ai.fails) = Some(AiError::Refused);
    answer(&world, &node, "three").await;
    world.until_told("summary null").await;
    assert_eq!(world.rows(|rows| (rows.completed, rows.summary.clone())), (Some(true), None));
    assert_eq!(node.try_summaries().await, Ok(1));
    assert_eq!(world.rows(|rows| rows.summary.clone()), None);
    *lock(&ai.fails) = None;
    node.start_summaries();
    world.until("the summary is stored", |world| world.rows(|rows| rows.summary.is_some())).await;
    assert_eq!(world.told().iter().filter(|told| told.starts_with("summary")).count(), 1, "observers hear it once");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_dies_before_the_summary_leaves_it_to_the_next() {
    let (world, ai) = (World::new(), Judge::new());
    world.kept(|kept| (kept.session.state, kept.session.position) = (SessionState::Completed, 3));
    let node = world.node("b", judged(&ai));
    node.wake(ID);
    world.until_told("summary").await;
    world.until("the worker is gone", |_| node.running() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_noticed_about_the_candidate_is_stored_together() {
    let world = World::new();
    let node = world.node("a", Providers::default());
    for _ in 0..5 {
        node.noticed(ID);
    }
    world.until("it is stored", |world| world.kept(|kept| kept.stored_noticed == 1)).await;
    node.noticed(ID);
    world.until("what came later is stored too", |world| world.kept(|kept| kept.stored_noticed == 2)).await;
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_hangs_holds_up_one_answer_and_no_question() {
    let (world, shelf) = (World::new(), Arc::new(Shelf { hangs: true, ..Shelf::default() }));
    let voice = Arc::new(Reader::default());
    let node = world.node("a", Providers { voice: Some(voice), audio: Some(shelf), ..Providers::default() });
    let first = node.prepare_question(ID, 1);
    let begun = Instant::now();
    let question = first.await.expect("PostgreSQL is there").expect("a question");
    assert_eq!((&*question.audio_url, begun.elapsed().as_secs()), ("", 5));
    for (word, at_most) in [(1, 40), (2, 12)] {
        world.says(word);
        let asked = Instant::now();
        answer(&world, &node, "text").await;
        assert!(asked.elapsed() < Duration::from_secs(at_most), "{:?}", asked.elapsed());
    }
}

#[test]
fn an_answer_takes_the_room_that_its_audio_may_need_and_two_of_the_longest_fit() {
    let kib = |ms: u64| {
        let world = World::new();
        world.answers("text");
        world.kept(|kept| {
            let mut answer = kept.session.answer.take().expect("an answer");
            answer.audio_to.ms = kept.session.started_at.unwrap_or_default() + ms;
            Finishing::new(&kept.session, &answer).most_kib()
        })
    };
    // A second of audio has 31.25 KiB.
    assert_eq!((kib(0), kib(10_000)), (30 * 125 / 4, 50 * 125 / 4));
    assert_eq!(kib(3_600_000) * 2, 64 * 1024);
}
