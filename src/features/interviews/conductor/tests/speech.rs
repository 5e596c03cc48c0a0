//! Speech to text: what is said becomes text once, whatever fails.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::records::spoken;
use super::vendors::{Judge, Opens, Shelf, Speech};
use super::world::{ID, World, words};
use crate::features::interviews::conductor::Conductor;
use crate::features::interviews::providers::Providers;
use crate::features::interviews::providers::ai::AiError;
use crate::features::interviews::providers::speech::Reason;
use crate::features::interviews::scripts::SessionState;

fn with(speech: &Arc<Speech>, shelf: &Arc<Shelf>) -> Providers {
    Providers { speech: Some(speech.clone()), audio: Some(shelf.clone()), ..Providers::default() }
}

/// Says some words, four a second.
async fn say(world: &World, node: &Arc<Conductor>, words: impl IntoIterator<Item = u16>) {
    for word in words {
        world.says(word);
        node.wake_for_audio(ID);
        sleep(Duration::from_millis(250)).await;
    }
}

fn text_of(world: &World, position: u32) -> String {
    world.rows(|rows| spoken(&rows.answers[&position].0))
}

#[tokio::test(start_paused = true)]
async fn what_is_said_is_shown_as_it_is_said_and_stored_with_the_answer() {
    let (world, speech, shelf) = (World::new(), Speech::that([]), Arc::<Shelf>::default());
    let node = world.node("a", with(&speech, &shelf));
    say(&world, &node, [1, 2, 0, 3]).await;
    world.answers("");
    node.wake(ID);
    world.until_told("question 2").await;
    let told = world.told_without_partials();
    assert_eq!(told, ["final w1 w2", "final w3", "progress 2 score null", r#"question 2 "Question 2?" audio """#]);
    assert!(world.told().contains(&"partial w1".into()));
    assert_eq!(text_of(&world, 1), "w1 w2 w3");
    world.rows(|rows| assert!(rows.answers[&1].0.audio.ends_with("/answer-1.wav")));
    assert_eq!(words(&shelf.file("answer-1").expect("a file")), [1, 2, 0, 3]);
    assert_eq!(speech.tries(), 1);
}

#[tokio::test(start_paused = true)]
async fn speech_to_text_that_refuses_us_is_told_once_and_holds_nothing_up() {
    let refused = [Opens::Refused(Reason::Unauthorized); 100];
    let (world, speech, shelf) = (World::new(), Speech::that(refused), Arc::<Shelf>::default());
    let node = world.node("a", with(&speech, &shelf));
    say(&world, &node, 1..=40).await;
    let answered = Instant::now();
    world.answers("as the client understood it");
    node.wake(ID);
    world.until_told("question 2").await;
    assert!(answered.elapsed() < Duration::from_secs(2), "finals that cannot come are not waited for");
    let told = world.told();
    assert_eq!(told, ["stt unavailable unauthorized", "progress 2 score null", r#"question 2 "Question 2?" audio """#]);
    assert_eq!(words(&shelf.file("answer-1").expect("a file")), (1..=40).collect::<Vec<_>>());
    assert_eq!(speech.tries(), 1, "a key that is refused is not tried again at once");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_cut_in_the_middle_of_an_answer_is_opened_again_and_no_word_is_lost_or_doubled() {
    let (world, speech, shelf) = (World::new(), Speech::that([Opens::CutAfter(4)]), Arc::<Shelf>::default());
    let node = world.node("a", with(&speech, &shelf));
    say(&world, &node, [1, 0, 2, 3, 4, 5]).await;
    world.answers("");
    node.wake(ID);
    world.until_told("question 2").await;
    assert_eq!(text_of(&world, 1), "w1 w2 w3 w4 w5");
    assert_eq!(speech.heard(), [vec![1, 0, 2, 3], vec![2, 3, 4, 5]], "what has its final text is not sent again");
    assert!(!world.told().iter().any(|told| told.starts_with("stt")), "it was back before it was missed");
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_told_once_and_so_is_its_end() {
    let failed = Opens::Refused(Reason::Failed);
    let opens = [Opens::CutAfter(2), failed, failed, failed];
    let (world, speech, shelf) = (World::new(), Speech::that(opens), Arc::<Shelf>::default());
    let node = world.node("a", with(&speech, &shelf));
    say(&world, &node, 1..=60).await;
    world.until_told("stt available").await;
    world.answers("");
    node.wake(ID);
    world.until_told("question 2").await;
    let told: Vec<_> = world.told().into_iter().filter(|told| told.starts_with("stt")).collect();
    assert_eq!(told, ["stt unavailable failed", "stt available"]);
    let said: Vec<_> = (1..=60).map(|word| format!("w{word}")).collect();
    assert_eq!(text_of(&world, 1), said.join(" "));
}

#[tokio::test(start_paused = true)]
async fn finals_are_waited_for_15_seconds_and_amend_the_stored_answer_later() {
    let slow = Opens::Slowly(Duration::from_secs(40));
    let (world, speech, shelf) = (World::new(), Speech::that([slow]), Arc::<Shelf>::default());
    let node = world.node("a", with(&speech, &shelf));
    say(&world, &node, [1, 2]).await;
    let answered = Instant::now();
    world.answers("");
    node.wake(ID);
    world.until_told("question 2").await;
    let waited = answered.elapsed().as_secs_f64();
    assert!((14.0..16.0).contains(&waited), "{waited}");
    assert_eq!(text_of(&world, 1), "");
    // What is said next belongs to the next question.
    say(&world, &node, [3]).await;
    world.until("the answer is amended", |world| text_of(world, 1) == "w1 w2").await;
    world.answers("");
    node.wake(ID);
    world.until_told("question 3").await;
    world.until("the second answer is amended", |world| text_of(world, 2) == "w3").await;
    assert_eq!(world.told().iter().filter(|told| told.starts_with("final")).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn finals_that_come_while_the_stored_answer_is_scored_are_not_lost() {
    let slow = Opens::Slowly(Duration::from_secs(20));
    let (world, speech, shelf) = (World::new(), Speech::that([slow]), Arc::<Shelf>::default());
    let ai = Judge::that_fails(AiError::TimedOut, Duration::from_secs(30));
    let node = world.node("a", Providers { ai: Some(ai), ..with(&speech, &shelf) });
    say(&world, &node, [1, 2]).await;
    world.answers("the client's words");
    node.wake(ID);
    world.until_told("final w1 w2").await;
    assert!(!world.told().iter().any(|told| told.starts_with("question")), "it comes in between");
    world.until_told("question 2").await;
    world.until("the answer is amended", |world| text_of(world, 1) == "w1 w2").await;
}

#[tokio::test(start_paused = true)]
async fn another_node_sends_what_follows_the_last_final_turn_when_the_first_one_dies() {
    let (world, speech, shelf) = (World::new(), Speech::that([]), Arc::<Shelf>::default());
    let first = world.node("a", with(&speech, &shelf));
    let second = world.node("b", with(&speech, &shelf));
    say(&world, &first, [1, 0, 2, 3]).await;
    // The candidate has moved; the first node does not know, and holds its lease.
    second.wake_for_audio(ID);
    sleep(Duration::from_millis(300)).await;
    assert_eq!(speech.tries(), 1, "one node conducts an interview");
    world.dies("a");
    say(&world, &second, [4]).await;
    world.answers("");
    second.wake(ID);
    world.until_told("question 2").await;
    assert_eq!(text_of(&world, 1), "w1 w2 w3 w4");
    assert_eq!(speech.heard(), [vec![1, 0, 2, 3], vec![2, 3, 4]]);
}

#[tokio::test(start_paused = true)]
async fn turns_of_a_node_that_has_lost_the_interview_do_not_count() {
    let slow = Opens::Slowly(Duration::from_secs(8));
    let (world, speech, shelf) = (World::new(), Speech::that([slow]), Arc::<Shelf>::default());
    let (first, second) = (world.node("a", with(&speech, &shelf)), world.node("b", with(&speech, &shelf)));
    say(&world, &first, [1, 2, 0]).await;
    // It was only slow: its stream still tells what it has heard.
    world.seems_dead("a");
    say(&world, &second, [3]).await;
    world.answers("");
    second.wake(ID);
    world.until_told("question 2").await;
    sleep(Duration::from_secs(30)).await;
    assert_eq!(text_of(&world, 1), "w1 w2 w3");
    let finals: Vec<_> = world.told().into_iter().filter(|told| told.starts_with("final")).collect();
    assert_eq!(finals, ["final w1 w2", "final w3"]);
    assert_eq!(world.kept(|kept| kept.lease.clone()).as_deref(), Some("b"), "the first one has let go");
}

#[tokio::test(start_paused = true)]
async fn a_redis_that_is_away_for_a_while_costs_no_word() {
    let (world, speech, shelf) = (World::new(), Speech::that([]), Arc::<Shelf>::default());
    let node = world.node("a", with(&speech, &shelf));
    say(&world, &node, [1, 2, 0]).await;
    world.kept(|kept| kept.is_away = true);
    sleep(Duration::from_secs(8)).await;
    world.kept(|kept| kept.is_away = false);
    say(&world, &node, [3, 0, 4]).await;
    world.answers("");
    node.wake(ID);
    world.until_told("question 2").await;
    assert_eq!(text_of(&world, 1), "w1 w2 w3 w4");
}

#[tokio::test(start_paused = true)]
async fn a_candidate_who_says_nothing_costs_a_look_a_second_and_after_a_minute_nothing() {
    let (world, speech, shelf) = (World::new(), Speech::that([]), Arc::<Shelf>::default());
    let node = world.node("a", with(&speech, &shelf));
    say(&world, &node, [1, 0]).await;
    let reads = world.kept(|kept| kept.reads);
    sleep(Duration::from_secs(30)).await;
    let looked = world.kept(|kept| kept.reads) - reads;
    assert!((25..=35).contains(&looked), "{looked} looks in 30 s");
    world.until("the stream is closed and the worker gone", |_| node.running() == 0).await;
    assert_eq!(world.kept(|kept| (kept.session.heard == kept.audio[1].id, kept.lease.clone())), (true, None));
    let reads = world.kept(|kept| kept.reads);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.kept(|kept| kept.reads), reads);
}

#[tokio::test(start_paused = true)]
async fn a_long_silence_is_not_sent_again_by_another_node() {
    let (world, speech, shelf) = (World::new(), Speech::that([]), Arc::<Shelf>::default());
    let first = world.node("a", with(&speech, &shelf));
    say(&world, &first, std::iter::once(1).chain([0; 200])).await;
    world.dies("a");
    let second = world.node("b", with(&speech, &shelf));
    say(&world, &second, [2]).await;
    world.answers("");
    second.wake(ID);
    world.until_told("question 2").await;
    assert_eq!(text_of(&world, 1), "w1 w2");
    assert!(speech.heard()[1].len() < 100, "{} chunks", speech.heard()[1].len());
}

#[tokio::test(start_paused = true)]
async fn audio_that_comes_by_another_node_is_heard_too() {
    let (world, speech, shelf) = (World::new(), Speech::that([]), Arc::<Shelf>::default());
    let node = world.node("a", with(&speech, &shelf));
    say(&world, &node, [1]).await;
    for word in 2..=40 {
        world.says(word);
        sleep(Duration::from_millis(250)).await;
    }
    world.until("all of it is heard", |_| speech.heard()[0].len() == 40).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_hands_on_what_it_has_in_hand() {
    let (world, speech, shelf) = (World::new(), Speech::that([]), Arc::<Shelf>::default());
    let node = world.node("a", with(&speech, &shelf));
    say(&world, &node, [1, 2]).await;
    node.stop(Instant::now() + Duration::from_secs(5)).await;
    assert_eq!((node.running(), world.kept(|kept| (kept.lease.clone(), kept.handed_on))), (0, (None, 1)));
    let other = world.node("b", with(&speech, &shelf));
    world.answers("");
    other.wake(ID);
    world.until_told("question 2").await;
    assert_eq!(text_of(&world, 1), "w1 w2");
}

#[tokio::test(start_paused = true)]
async fn the_stream_of_a_session_that_is_over_ends() {
    let (world, speech, shelf) = (World::new(), Speech::that([]), Arc::<Shelf>::default());
    let node = world.node("a", with(&speech, &shelf));
    say(&world, &node, [1, 2]).await;
    world.kept(|kept| (kept.session.state, kept.session.rev) = (SessionState::Expired, 9));
    node.wake(ID);
    world.until("the worker is gone", |_| node.running() == 0).await;
    world.rows(|rows| assert_eq!(rows.kept.last(), Some(&(9, SessionState::Expired))));
}
