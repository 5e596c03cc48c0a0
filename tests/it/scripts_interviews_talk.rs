//! What is said in a live interview, and what is noticed and shown of it: audio, turns, answers, proctoring, observers. Contract § 4
//! "The gateway".

use std::collections::HashSet;

use convoke::core::StreamId;
use convoke::features::interviews::scripts::*;
use convoke::features::interviews::wire;
use convoke::redis::script::{Eval, Script};
use convoke::redis::{Redis, keys};
use futures_util::future::join_all;
use rand::{Rng, SeedableRng};

use crate::interviews_scripts_world::*;
use crate::scripts_world::{Channel, cmid, op, plain, unique};

crate::on_both!(
    chunks_are_kept_in_their_order_and_read_page_by_page,
    audio_is_taken_at_a_rate_and_in_bursts,
    an_answer_is_only_so_long_and_the_next_begins_anew,
    what_is_said_while_an_answer_is_finished_belongs_to_the_next_question,
    an_answer_is_let_go_of_only_with_all_its_turns_stored,
    turns_count_of_the_newest_stream_alone_and_once,
    a_turn_of_a_past_question_is_told_and_left_to_its_caller,
    very_many_turns_are_told_and_not_kept,
    partial_text_is_volatile_and_replaces_itself,
    an_answer_is_taken_once,
    an_answer_without_a_word_is_no_repeat_of_another,
    an_answer_names_a_question_that_was_asked,
    of_many_answers_at_once_one_is_taken_and_of_many_ends_one_asks,
    a_client_message_id_is_remembered_with_its_answer,
    a_run_of_notices_is_one_row_and_acts_once,
    so_many_notices_must_come_before_one_acts,
    trust_is_clamped_and_weighed,
    notices_are_bounded_whatever_a_client_names_them,
    rows_are_kept_until_they_are_stored_as_they_are,
    observers_get_what_was_before_and_then_what_comes_without_a_gap,
    an_outage_is_told_once_each_time,
);

#[tokio::test]
async fn times_in_payloads_are_those_of_the_calendar() {
    static ISO: Script = Script::new(
        "iso",
        concat!(
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/lua/interviews/lib/iso.lua")),
            "\nlocal result = {}\nfor i, ms in ipairs(ARGV) do result[i] = iso(tonumber(ms)) end\nreturn result"
        ),
    );
    let mut random = rand::rngs::StdRng::seed_from_u64(11);
    let mut times: Vec<u64> = vec![0, 951_782_399_999, 951_782_400_000, 4_107_542_399_999, 4_107_542_400_000];
    times.extend((0..500).map(|_| random.random_range(0..250_000_000_000_000)));
    let redis = crate::support::redis::single().client().await;
    let args = times.iter().map(|time| time.to_string().into()).collect();
    let told = Eval::eval(&redis, &ISO, vec!["x".into()], args).await.unwrap();
    let told: Vec<String> = ::redis::from_redis_value(told).unwrap();
    let wanted: Vec<String> = times.iter().map(|time| wire::Moment(*time).to_string()).collect();
    assert!(told == wanted, "{:?}", told.iter().zip(&wanted).find(|(a, b)| a != b));
}

fn id_of(taken: Result<AudioTake, Refused>) -> StreamId {
    match taken {
        Ok(AudioTake::Taken { id, .. }) => id,
        other => panic!("{other:?}"),
    }
}

async fn chunks_are_kept_in_their_order_and_read_page_by_page(redis: Redis) {
    let world = Interview::started(redis).await;
    let mut ids = Vec::new();
    for _ in 0..40 {
        ids.push(id_of(world.say("s1", 50).await));
    }
    let audio = world.audio().await;
    assert_eq!(audio.iter().map(|entry| entry.id).collect::<Vec<_>>(), ids);
    assert!(audio.iter().all(|entry| entry.position == 1 && entry.pcm.len() == 1600));
    let page = audio_read(&world.redis, world.id, ids[4], Some(ids[9]), 1_000_000).await.unwrap();
    assert_eq!((page.entries.len(), page.more), (5, false));
    assert_eq!(page.session.unwrap().position, 1);
    let none = audio_read(&world.redis, world.id, ids[4], None, 0).await.unwrap();
    assert_eq!((none.entries.len(), none.more), (0, true));
}

async fn audio_is_taken_at_a_rate_and_in_bursts(redis: Redis) {
    let world = Interview::started(redis.clone()).await;
    let mut taken = 0;
    while world.say("s1", 1000).await != Ok(AudioTake::RateLimited) {
        taken += 1;
        assert!(taken < 100);
    }
    assert!((30..=34).contains(&taken), "30 s at once: {taken}");
    let before = world.fields().await;
    assert_eq!(world.say("s1", 1000).await, Ok(AudioTake::RateLimited));
    assert_eq!(world.fields().await, before, "what is refused uses nothing up");
    // Time passes: 2 s of audio come in one.
    let until: f64 = before["ra"].parse().unwrap();
    world.put("ra", &(until - 1000.0).to_string()).await;
    assert!(matches!(world.say("s1", 1000).await, Ok(AudioTake::Taken { .. })));
    assert!(matches!(world.say("s1", 900).await, Ok(AudioTake::Taken { .. })));
    // The clock was set back: it does not wait for ever.
    world.put("ra", "9999999999999").await;
    assert_eq!(world.say("s1", 1000).await, Ok(AudioTake::RateLimited));
    // By number as well, however short they are.
    let many = Interview::started(redis).await;
    let limits = AudioLimits { chunks_per_second: 3, burst: ms(10_000), ..AudioLimits::default() };
    let take = async || audio_take(&many.redis, many.id, plain(), candidate("s1"), pcm(1), ms(1), limits).await.unwrap();
    let mut taken = 0;
    while take().await != Ok(AudioTake::RateLimited) {
        taken += 1;
        assert!(taken < 100);
    }
    assert!((30..60).contains(&taken), "{taken}");
}

async fn an_answer_is_only_so_long_and_the_next_begins_anew(redis: Redis) {
    let world = Interview::started(redis).await;
    let limits = AudioLimits { answer: ms(2500), ..AudioLimits::default() };
    let take =
        async |length| audio_take(&world.redis, world.id, plain(), candidate("s1"), pcm(1), ms(length), limits).await.unwrap();
    assert!(matches!(take(1000).await, Ok(AudioTake::Taken { .. })));
    assert!(matches!(take(1000).await, Ok(AudioTake::Taken { .. })));
    assert_eq!(take(501).await, Ok(AudioTake::TooLong));
    assert!(matches!(take(500).await, Ok(AudioTake::Taken { .. })));
    world.answer("s1", "").await.unwrap();
    assert!(matches!(take(400).await, Ok(AudioTake::Taken { .. })), "of the next answer");
    world.ask(1).await.unwrap();
    assert_eq!(take(2200).await, Ok(AudioTake::TooLong), "what came in between counts");
    assert!(matches!(take(2100).await, Ok(AudioTake::Taken { .. })));
}

async fn what_is_said_while_an_answer_is_finished_belongs_to_the_next_question(redis: Redis) {
    let world = Interview::started(redis).await;
    let first = id_of(world.say("s1", 100).await);
    turn_open(&world.redis, world.id, plain(), "a").await.unwrap().unwrap();
    world.turn("a", 0, 1, "mine").await.unwrap();
    world.answer("s1", "").await.unwrap();
    let answer = world.read().await.answer.unwrap();
    assert_eq!((&*answer.question_id, answer.audio_to), ("q-1", first));
    let after = id_of(world.say("s1", 100).await);
    world.turn("a", 1, 2, "the next").await.unwrap();
    world.turn("a", 2, 2, "one's").await.unwrap();
    let texts = async || turn_read(&world.redis, world.id).await.unwrap().into_iter().map(|turn| turn.text).collect::<Vec<_>>();
    assert_eq!(texts().await, ["mine"]);
    world.ask(1).await.unwrap();
    let session = world.read().await;
    assert_eq!((session.position, session.audio_from, session.heard, session.answer), (2, first, first, None));
    assert_eq!(session.asked.as_ref(), Some(&world.questions[1]));
    assert_eq!(texts().await, ["the next", "one's"]);
    let audio = world.audio().await;
    assert_eq!(audio.iter().map(|entry| (entry.id, entry.position)).collect::<Vec<_>>(), [(after, 2)]);
    // Behind the last answer nothing is taken: nobody would hear it.
    world.answer("s1", "so").await.unwrap();
    assert_eq!(world.say("s1", 100).await, Ok(AudioTake::AfterLast));
    world.complete(2).await.unwrap();
    assert_eq!((world.audio().await, texts().await), (vec![], vec![]));
    assert_eq!(world.say("s1", 100).await, Err(Refused::Ended));
}

async fn an_answer_is_let_go_of_only_with_all_its_turns_stored(redis: Redis) {
    let world = Interview::started(redis).await;
    turn_open(&world.redis, world.id, plain(), "a").await.unwrap().unwrap();
    world.turn("a", 0, 1, "one").await.unwrap();
    world.answer("s1", "").await.unwrap();
    world.turn("a", 1, 1, "two").await.unwrap();
    world.turn("a", 2, 2, "of the next question").await.unwrap();
    let ask = async |turns| {
        let evaluated = Evaluated::default();
        question_ask(
            &world.redis,
            world.id,
            plain(),
            StoredAnswer { position: 1, turns },
            &world.questions[1],
            &PROGRESS,
            evaluated,
        )
        .await
        .unwrap()
        .unwrap()
    };
    assert_eq!(ask(1).await, Finished::MoreTurns);
    assert_eq!(
        (world.read().await.position, turn_read(&world.redis, world.id).await.unwrap().len()),
        (1, 2),
        "nothing has changed"
    );
    assert!(matches!(ask(2).await, Finished::Told { .. }));
    world.turn("a", 3, 2, "and one more").await.unwrap();
    world.answer("s1", "so").await.unwrap();
    let complete = async |turns| {
        session_complete(&world.redis, world.id, plain(), StoredAnswer { position: 2, turns }, &PROGRESS, Evaluated::default())
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(complete(1).await, Finished::MoreTurns);
    assert!(matches!(complete(2).await, Finished::Told { .. }));
}

async fn turns_count_of_the_newest_stream_alone_and_once(redis: Redis) {
    let world = Interview::started(redis).await;
    let ids = [id_of(world.say("s1", 100).await), id_of(world.say("s1", 100).await)];
    let turn_of = |stream, order, text| turn(stream, order, 1, text);
    let tell = async |turn: &Turn, heard| turn_final(&world.redis, world.id, plain(), turn, heard).await.unwrap().unwrap();
    let open = async |stream: &'static str| turn_open(&world.redis, world.id, plain(), stream).await.unwrap().unwrap();
    assert_eq!(tell(&turn_of("a", 0, "x"), ids[0]).await, TurnTold::Stale, "no stream has begun");
    assert_eq!(open("a").await, StreamId::default());
    assert!(matches!(tell(&turn_of("a", 0, "one \"1\""), ids[0]).await, TurnTold::Told { kept: true, .. }));
    assert_eq!(tell(&turn_of("a", 0, "one"), ids[0]).await, TurnTold::Duplicate);
    // Another node takes over: it goes on behind what has text, and what the first one still says does not count.
    assert_eq!(open("b").await, ids[0]);
    assert_eq!(open("b").await, ids[0], "once more changes nothing");
    assert_eq!(tell(&turn_of("a", 1, "two"), ids[1]).await, TurnTold::Stale);
    let partial = turn_partial(&world.redis, world.id, plain(), "a", "tw", 0.5).await.unwrap().unwrap();
    assert_eq!(partial, TurnTold::Stale);
    assert!(matches!(tell(&turn_of("b", 0, "two"), ids[1]).await, TurnTold::Told { kept: true, .. }));
    assert_eq!(open("b").await, ids[1]);
    assert_eq!(tell(&turn_of("b", 0, "two"), ids[1]).await, TurnTold::Duplicate, "opened again it knows its turns");
    // An entry that is older moves nothing back.
    assert!(matches!(tell(&turn_of("b", 3, "three"), ids[0]).await, TurnTold::Told { .. }));
    assert_eq!(world.read().await.heard, ids[1]);
    let texts: Vec<_> = turn_read(&world.redis, world.id).await.unwrap();
    assert_eq!(texts, [turn_of("a", 0, "one \"1\""), turn_of("b", 0, "two"), turn_of("b", 3, "three")]);
    assert_eq!(world.events("transcription").await.len(), 3);
    assert_eq!(world.events("live-transcript").await[0]["text"], "one \"1\"");
}

async fn a_turn_of_a_past_question_is_told_and_left_to_its_caller(redis: Redis) {
    let world = Interview::started(redis).await;
    turn_open(&world.redis, world.id, plain(), "a").await.unwrap().unwrap();
    world.answer("s1", "").await.unwrap();
    world.ask(1).await.unwrap();
    assert!(matches!(world.turn("a", 0, 1, "late").await, Ok(TurnTold::Told { kept: false, .. })));
    assert!(matches!(world.turn("a", 1, 2, "new").await, Ok(TurnTold::Told { kept: true, .. })));
    assert_eq!(turn_read(&world.redis, world.id).await.unwrap().len(), 1);
    assert_eq!(world.events("transcription").await.len(), 2);
}

async fn very_many_turns_are_told_and_not_kept(redis: Redis) {
    let world = Interview::started(redis).await;
    turn_open(&world.redis, world.id, plain(), "a").await.unwrap().unwrap();
    world.put("tn", "1022").await;
    assert!(matches!(world.turn("a", 0, 1, "x").await, Ok(TurnTold::Told { kept: true, .. })));
    assert!(matches!(world.turn("a", 1, 1, "x").await, Ok(TurnTold::Told { kept: true, .. })));
    assert!(matches!(world.turn("a", 2, 1, "x").await, Ok(TurnTold::Told { kept: false, .. })));
    assert_eq!(turn_read(&world.redis, world.id).await.unwrap().len(), 2);
    // The next answer has as much room.
    world.answer("s1", "").await.unwrap();
    assert!(matches!(world.turn("a", 3, 2, "x").await, Ok(TurnTold::Told { kept: false, .. })));
    world.ask(1).await.unwrap();
    assert!(matches!(world.turn("a", 4, 2, "x").await, Ok(TurnTold::Told { kept: true, .. })));
    assert_eq!(turn_read(&world.redis, world.id).await.unwrap().len(), 1);
    assert!(!world.fields().await.contains_key("t:1024"), "what is finished leaves nothing");
}

async fn partial_text_is_volatile_and_replaces_itself(redis: Redis) {
    let world = Interview::started(redis).await;
    turn_open(&world.redis, world.id, plain(), "a").await.unwrap().unwrap();
    let mut channel = Channel::listen(&world.redis, &keys::scope_channel(&world.scope(), 0)).await;
    let logged = world.names().await.len();
    let told = turn_partial(&world.redis, world.id, plain(), "a", "so \"far\"", 0.5).await.unwrap().unwrap();
    assert!(matches!(told, TurnTold::Told { .. }));
    let key = format!("transcript:{}", world.id);
    for (audience, name) in [("r:candidate", "transcription"), ("r:observer", "live-transcript")] {
        let message = channel.next().await;
        let (envelope, body) = message.split_once('\n').unwrap();
        assert!(envelope.ends_with(" ~"), "volatile: {envelope}");
        assert!(body.starts_with(&format!("{audience} - {key} -\n")), "{body}");
        let heard = crate::scripts_world::Heard::parse(body.as_bytes());
        assert_eq!(heard.name, name);
        assert_eq!((&heard.data["text"], &heard.data["isFinal"]), (&"so \"far\"".into(), &false.into()));
        check(&heard);
    }
    assert_eq!(world.names().await.len(), logged);
}

async fn an_answer_is_taken_once(redis: Redis) {
    let world = Interview::started(redis).await;
    assert!(matches!(world.answer("s1", "because").await, Ok(AnswerTake::Taken { position: 1, .. })));
    assert_eq!(world.answer("s1", "because").await, Ok(AnswerTake::Repeated));
    assert_eq!(world.answer("s1", "no, because").await, Ok(AnswerTake::Repeated), "the next question was not sent yet");
    assert_eq!(world.read().await.answer.unwrap().transcription, "because");
    world.ask(1).await.unwrap();
    assert_eq!(world.answer("s1", "because").await, Ok(AnswerTake::Repeated), "it equals the answer before");
    assert!(matches!(world.answer("s1", "so").await, Ok(AnswerTake::Taken { position: 2, .. })));
    world.complete(2).await.unwrap();
    assert_eq!(world.answer("s1", "so").await, Ok(AnswerTake::Repeated), "also when it was the last one");
    assert_eq!(world.answer("s1", "more").await, Err(Refused::Ended));
    assert_eq!(world.ask(1).await, Ok(Finished::Past));
}

async fn an_answer_without_a_word_is_no_repeat_of_another(redis: Redis) {
    let world = Interview::of(redis, 4);
    world.join("s1").await;
    world.start("s1").await.unwrap();
    let long_ago = (world.now().await - 11_000).to_string();
    world.answer("s1", "").await.unwrap();
    world.ask(1).await.unwrap();
    // The client has not yet had the question: it says the same once more.
    assert_eq!(world.answer("s1", "").await, Ok(AnswerTake::Repeated));
    // It has said something since.
    world.say("s1", 100).await.unwrap();
    assert!(matches!(world.answer("s1", "").await, Ok(AnswerTake::Taken { position: 2, .. })));
    world.ask(2).await.unwrap();
    // It has known the question for a while.
    world.put("askt", &long_ago).await;
    world.put("joined", &long_ago).await;
    assert!(matches!(world.answer("s1", "").await, Ok(AnswerTake::Taken { position: 3, .. })));
    world.ask(3).await.unwrap();
    // It comes back just now.
    world.put("askt", &long_ago).await;
    world.join("s2").await;
    assert_eq!(world.answer("s2", "").await, Ok(AnswerTake::Repeated));
}

async fn an_answer_names_a_question_that_was_asked(redis: Redis) {
    let world = Interview::started(redis).await;
    let answer = async |id, transcription| {
        let response = Response { question_id: Some(id), transcription, audio_url: "" };
        answer_take(&world.redis, world.id, plain(), candidate("s1"), response).await.unwrap()
    };
    assert_eq!(answer("q-2", "early").await, Ok(AnswerTake::OtherQuestion));
    assert!(matches!(answer("q-1", "same").await, Ok(AnswerTake::Taken { position: 1, .. })));
    world.ask(1).await.unwrap();
    assert_eq!(answer("q-1", "otherwise").await, Ok(AnswerTake::Repeated));
    assert!(matches!(answer("q-2", "same").await, Ok(AnswerTake::Taken { position: 2, .. })), "a name makes it another answer");
    world.complete(2).await.unwrap();
    assert_eq!(answer("q-2", "late").await, Ok(AnswerTake::Repeated));
    assert_eq!(answer("q-9", "late").await, Err(Refused::Ended));
}

async fn of_many_answers_at_once_one_is_taken_and_of_many_ends_one_asks(redis: Redis) {
    let world = Interview::started(redis).await;
    let (ops, texts): (Vec<_>, Vec<_>) = (0..20).map(|n| (unique("answer"), format!("answer {n}"))).unzip();
    let answers = ops.iter().zip(&texts).map(|(id, transcription)| {
        let response = Response { question_id: None, transcription, audio_url: "" };
        answer_take(&world.redis, world.id, op(id), candidate("s1"), response)
    });
    let answers: Vec<_> = join_all(answers).await.into_iter().map(|answer| answer.unwrap().unwrap()).collect();
    assert_eq!(answers.iter().filter(|answer| matches!(answer, AnswerTake::Taken { .. })).count(), 1);
    let asks = join_all((0..10).map(|_| world.ask(1))).await;
    assert_eq!(asks.iter().filter(|ask| matches!(ask, Ok(Finished::Told { .. }))).count(), 1);
    assert!(asks.iter().all(|ask| matches!(ask, Ok(Finished::Told { .. } | Finished::Past))));
    assert_eq!((world.events("question").await.len(), world.events("question-asked").await.len()), (2, 1));
    assert_eq!(world.complete(2).await, Ok(Finished::NoAnswer));
    world.answer("s1", "last").await.unwrap();
    let ends = join_all((0..10).map(|_| world.complete(2))).await;
    assert_eq!(ends.iter().filter(|end| matches!(end, Ok(Finished::Told { .. }))).count(), 1);
    let told =
        join_all((0..10).map(|_| async { summary_tell(&world.redis, world.id, plain(), &summary()).await.unwrap() })).await;
    assert_eq!(told.iter().flatten().count(), 1);
    assert_eq!(world.events("interview-complete").await.len(), 1);
    assert_eq!(world.events("progress-update").await.len(), 2);
}

async fn a_client_message_id_is_remembered_with_its_answer(redis: Redis) {
    let world = Interview::started(redis).await;
    let response = |transcription| Response { question_id: None, transcription, audio_url: "" };
    let answer =
        async |text| answer_take(&world.redis, world.id, cmid("m1"), candidate("s1"), response(text)).await.unwrap().unwrap();
    let AnswerTake::Taken { told, .. } = answer("because").await else { panic!() };
    assert!(!told.duplicate);
    world.ask(1).await.unwrap();
    let AnswerTake::Taken { position: 1, told, .. } = answer("and").await else { panic!() };
    assert!(told.duplicate, "it is the first answer's");
    assert_eq!(world.read().await.answer, None);
    let take = async || {
        let limits = AudioLimits::default();
        audio_take(&world.redis, world.id, cmid("m1"), candidate("s1"), pcm(100), ms(100), limits).await.unwrap().unwrap()
    };
    let (AudioTake::Taken { id: first, .. }, AudioTake::Taken { id: second, told, .. }) = (take().await, take().await) else {
        panic!()
    };
    assert_eq!((first, told.duplicate, world.audio().await.len()), (second, true, 1), "of another event it is another one");
}

fn run_of(taken: Result<ProctorTake, Refused>) -> (Run, bool, bool, Option<u8>) {
    match taken {
        Ok(ProctorTake::Taken { run, acted, alerted, trust, .. }) => (run, acted, alerted, trust),
        other => panic!("{other:?}"),
    }
}

/// So much time passes for the run of a type.
async fn age(world: &Interview, kind: &str, ms: u64) {
    let field = format!("pr:{kind}");
    let value = world.field(&field).await.unwrap();
    let words: Vec<_> = value.split(' ').collect();
    let earlier = |time: &str| (time.parse::<u64>().unwrap() - ms).to_string();
    let waiting: Vec<_> = words[6].split(',').filter(|time| !time.is_empty()).map(earlier).collect();
    let aged = [words[0], &earlier(words[1]), &earlier(words[2]), words[3], words[4], words[5], &waiting.join(",")].join(" ");
    world.put(&field, &aged).await;
}

async fn a_run_of_notices_is_one_row_and_acts_once(redis: Redis) {
    let world = Interview::started(redis).await;
    let (tab, low) = (noticed("tab-switch"), Noticed { alerts: false, severity: "low", ..noticed("tab-switch") });
    let (first, acted, alerted, trust) = run_of(world.notice("s1", &tab).await);
    assert_eq!((first.count, acted, alerted, trust), (1, true, true, Some(97)));
    let (second, acted, alerted, trust) = run_of(world.notice("s1", &tab).await);
    assert_eq!((second.row, second.count, acted, alerted, trust), (first.row, 2, false, false, None));
    assert_eq!(second.first_at, first.first_at);
    // Another type is another run.
    let (other, acted, ..) = run_of(world.notice("s1", &noticed("face-detection")).await);
    assert!(other.row != first.row && acted);
    age(&world, "tab-switch", 700).await;
    assert_eq!(run_of(world.notice("s1", &tab).await).0.row, first.row, "the gap counts from the last one");
    age(&world, "tab-switch", 1001).await;
    let (next, acted, alerted, trust) = run_of(world.notice("s1", &low).await);
    assert!(next.row != first.row && next.count == 1 && acted && !alerted);
    assert_eq!(trust, Some(100 - 2 * 3 - 5));
    let alerts = world.events("proctor-alert").await;
    assert_eq!(alerts.len(), 2);
    assert_eq!(alerts[0]["message"], "\"m\"");
    assert_eq!(world.events("trust-score-update").await.len(), 3);
    // What has no weight of its own is kept and deducts nothing.
    let (_, acted, alerted, trust) = run_of(world.notice("s1", &noticed("voices")).await);
    assert_eq!((acted, alerted, trust), (true, true, None));
    assert_eq!(world.read().await.trust, Trust { score: 89, tabs: 2, faces: 1, ..Trust::default() });
}

async fn so_many_notices_must_come_before_one_acts(redis: Redis) {
    let world = Interview::started(redis).await;
    let face = Noticed { min_repeats: 3, ..noticed("face-detection") };
    let notice = async || run_of(world.notice("s1", &face).await).1;
    assert_eq!([notice().await, notice().await, notice().await, notice().await], [false, false, true, false]);
    // A run of its own needs as many again.
    age(&world, "face-detection", 1500).await;
    assert_eq!([notice().await, notice().await], [false, false]);
    // They may lie in several runs, but not more than 5 s apart.
    age(&world, "face-detection", 2000).await;
    assert!(notice().await);
    age(&world, "face-detection", 2000).await;
    assert_eq!([notice().await, notice().await], [false, false]);
    age(&world, "face-detection", 5001).await;
    assert_eq!([notice().await, notice().await, notice().await], [false, false, true]);
    assert_eq!(world.read().await.trust.faces, 3);
}

async fn trust_is_clamped_and_weighed(redis: Redis) {
    let world = Interview::started(redis).await;
    let weights = TrustWeights { faces: 0, tabs: 1, fullscreen: 60, suspicious: 50 };
    let notice = async |kind| run_of(world.notice("s1", &Noticed { weights, ..noticed(kind) }).await).3;
    assert_eq!(notice("face-detection").await, None, "it is the same as before");
    assert_eq!(notice("tab-switch").await, Some(99));
    assert_eq!(notice("fullscreen-exit").await, Some(39));
    assert_eq!(notice("suspicious-activity").await, Some(0));
    age(&world, "suspicious-activity", 1001).await;
    assert_eq!(notice("suspicious-activity").await, None);
    let scores: Vec<_> = world.events("trust-score-update").await.into_iter().map(|data| data["trustScore"].clone()).collect();
    assert_eq!(scores, [99, 39, 0]);
    assert_eq!(world.read().await.trust, Trust { score: 0, faces: 1, tabs: 1, fullscreen: 1, suspicious: 2 });
}

async fn notices_are_bounded_whatever_a_client_names_them(redis: Redis) {
    let world = Interview::started(redis).await;
    let names: Vec<String> = (0..70).map(|n| format!("type {n}")).collect();
    let mut rows = HashSet::new();
    for name in &names {
        let noticed = Noticed { kind: name, ..noticed("other") };
        rows.insert(run_of(world.notice("s1", &noticed).await).0.row);
        rows.insert(run_of(world.notice("s1", &noticed).await).0.row);
    }
    let fields = world.fields().await;
    assert_eq!(fields.keys().filter(|field| field.starts_with("pr:")).count(), 65);
    assert_eq!(rows.len(), 64 + 2 * 6, "beyond the first each is a run of its own");
    // They do not push everything else out of what observers are shown.
    world.put("pl", "5000").await;
    let before = everything(&world).await.len();
    let alerts = world.events("proctor-alert").await.len();
    world.notice("s1", &noticed("tab-switch")).await.unwrap();
    assert_eq!(world.events("proctor-alert").await.len(), alerts + 1);
    assert_eq!(everything(&world).await.len(), before);
    // Nor is more kept than can be stored.
    world.put("pt", "1000").await;
    assert_eq!(world.notice("s1", &noticed("tab-switch")).await, Ok(ProctorTake::Busy));
}

async fn rows_are_kept_until_they_are_stored_as_they_are(redis: Redis) {
    let world = Interview::started(redis).await;
    let read = async || proctor_read(&world.redis, world.id).await.unwrap();
    assert_eq!(read().await, []);
    let (run, ..) = run_of(world.notice("s1", &noticed("tab-switch")).await);
    world.notice("s1", &Noticed { message: "a\0b", ..noticed("voices") }).await.unwrap();
    let rows = read().await;
    assert_eq!((rows.len(), rows[0].run), (2, run));
    let event: serde_json::Value = serde_json::from_str(&rows[0].event).unwrap();
    assert_eq!(event, serde_json::json!({"type": "tab-switch", "message": "\"m\"", "severity": "high", "data": {"n": 1.5}}));
    assert!(!rows[1].event.contains("\\u0000"), "PostgreSQL takes no NUL");
    // It grows while it is being stored.
    let (grown, ..) = run_of(world.notice("s1", &noticed("tab-switch")).await);
    assert!(proctor_done(&world.redis, world.id, &rows).await.unwrap());
    let left = read().await;
    assert_eq!(left.iter().map(|row| row.run).collect::<Vec<_>>(), [grown]);
    assert!(!proctor_done(&world.redis, world.id, &left).await.unwrap());
    assert!(!proctor_done(&world.redis, world.id, &left).await.unwrap(), "once more changes nothing");
    assert_eq!(read().await, []);
    // A run goes on after that, as the same row.
    let (later, ..) = run_of(world.notice("s1", &noticed("tab-switch")).await);
    assert_eq!((later.row, later.count), (run.row, 3));
    assert_eq!(read().await.iter().map(|row| row.run).collect::<Vec<_>>(), [later]);
    for n in 0..200 {
        world.notice("s1", &Noticed { kind: &format!("t{n}"), ..noticed("x") }).await.unwrap();
    }
    let mut stored = 0;
    loop {
        let rows = read().await;
        stored += rows.len();
        if !proctor_done(&world.redis, world.id, &rows).await.unwrap() {
            break;
        }
    }
    assert_eq!(stored, 201);
    assert!(world.fields().await.keys().all(|field| !field.starts_with("pe:")));
}

/// What observers are shown of the past, a few events at a time.
async fn everything(world: &Interview) -> Vec<ToldEvent> {
    let observing = observe_join(&world.redis, world.id, plain(), observer("o9"), SEAT).await.unwrap();
    let (mut events, mut after) = (Vec::new(), StreamId::default());
    loop {
        let page = observe_events(&world.redis, world.id, after, observing.position.id, 300).await.unwrap();
        events.extend(page.events);
        match events.last() {
            Some(last) if page.more => after = last.id,
            _ => return events,
        }
    }
}

async fn observers_get_what_was_before_and_then_what_comes_without_a_gap(redis: Redis) {
    let world = Interview::nothing(redis);
    let early = observe_join(&world.redis, world.id, plain(), observer("o1"), SEAT).await.unwrap();
    assert!(early.first && early.session.is_none());
    world.join("s1").await;
    world.start("s1").await.unwrap();
    world.notice("s1", &noticed("tab-switch")).await.unwrap();
    turn_open(&world.redis, world.id, plain(), "a").await.unwrap().unwrap();
    world.turn("a", 0, 1, "words").await.unwrap();
    let late = observe_join(&world.redis, world.id, plain(), observer("o2"), SEAT).await.unwrap();
    assert_eq!(late.session.unwrap().state, SessionState::Active);
    world.answer("s1", "because").await.unwrap();
    world.ask(1).await.unwrap();
    let past = observe_events(&world.redis, world.id, StreamId::default(), late.position.id, 1_000_000).await.unwrap();
    assert!(!past.more);
    let heard = world.heard().await.into_iter().filter(|heard| heard.head.starts_with("r:observer")).collect::<Vec<_>>();
    let shown: Vec<_> = past.events.iter().map(|told| (&*told.event, serde_json::from_slice(&told.data).unwrap())).collect();
    let logged: Vec<_> = heard.iter().map(|heard| (&*heard.name, heard.data.clone())).collect();
    let (before, after) = logged.split_at(shown.len());
    assert_eq!(shown, before);
    assert_eq!(after.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["progress-update", "question-asked"], "they come live");
    assert_eq!(after[0].1["score"], 85.0);
    assert!(past.events.iter().all(|told| told.id <= late.position.id));
    assert!(past.events.windows(2).all(|pair| pair[0].id < pair[1].id));
    for told in &past.events {
        let data: serde_json::Value = serde_json::from_slice(&told.data).unwrap();
        assert_eq!(data["timestamp"], wire::Moment(told.at).to_string());
    }
    // From what is known already; and page by page it is the same.
    let rest = observe_events(&world.redis, world.id, past.events[1].id, late.position.id, 1_000_000).await.unwrap();
    assert_eq!(rest.events, past.events[2..]);
    assert_eq!(everything(&world).await[..past.events.len()], past.events[..]);
    let again = observe_join(&world.redis, world.id, plain(), observer("o2"), SEAT).await.unwrap();
    assert!(!again.first);
}

async fn an_outage_is_told_once_each_time(redis: Redis) {
    let world = Interview::started(redis).await;
    let tell = async |outage, reason| outage_tell(&world.redis, world.id, plain(), outage, reason).await.unwrap().is_some();
    assert!(!tell(Outage::SpeechToText, None).await, "it was never away");
    assert!(tell(Outage::SpeechToText, Some("it closes with \"1011\"")).await);
    assert!(!tell(Outage::SpeechToText, Some("again")).await);
    assert!(world.read().await.stt_down);
    assert!(tell(Outage::SpeechToText, None).await);
    assert!(tell(Outage::SpeechToText, Some("again")).await);
    assert!(tell(Outage::Storage, Some("no bucket")).await && !tell(Outage::Storage, Some("no bucket")).await);
    assert!(tell(Outage::Storage, None).await);
    assert!(tell(Outage::Storage, Some("no bucket")).await);
    let names: Vec<_> = world.names().await.split_off(3);
    assert_eq!(names, ["stt-unavailable", "stt-available", "stt-unavailable", "storage-unavailable", "storage-unavailable"]);
    let shown: Vec<_> = everything(&world).await.into_iter().map(|told| told.event).collect();
    assert_eq!(shown[2..], names[..], "observers see it later as well");
    session_end(&world.redis, world.id, plain(), SessionState::Expired).await.unwrap();
    assert!(!tell(Outage::SpeechToText, None).await);
}
