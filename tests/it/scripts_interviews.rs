//! The life of a live interview's session: every transition and every refusal, repeats, races, takeovers. Contract § 4 "The gateway".

use std::collections::BTreeMap;
use std::time::Duration;

use convoke::cluster::scripts::scope::{LostTimer, scope_reap};
use convoke::features::interviews::scripts::*;
use convoke::redis::Redis;
use futures_util::future::join_all;

use crate::interviews_scripts_world::*;
use crate::scripts_world::{Twice, op, plain, unique};

crate::on_both!(
    every_script_in_every_state,
    of_many_starts_at_once_one_asks,
    what_is_sent_again_by_group_commit_has_its_effect_once,
    the_socket_that_joined_last_is_the_candidates,
    a_lost_connection_pauses_once_the_grace_is_over,
    a_connection_that_is_back_in_time_pauses_nothing,
    of_a_dead_node_the_grace_counts_from_its_last_renewal,
    a_candidate_is_judged_by_its_heartbeats_once_it_has_sent_one,
    a_lost_state_is_made_again_of_what_postgresql_knows,
    a_state_that_lags_behind_postgresql_is_brought_up,
    an_end_is_told_to_whom_it_concerns,
    whoever_has_something_to_do_is_woken,
);

/// What may happen in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Join,
    Rejoin,
    Start,
    Touch,
    Heartbeat,
    Leave,
    Lose,
    Audio,
    Answer,
    Ask,
    Complete,
    Summary,
    Expire,
    Cancel,
    EndComplete,
    Proctor,
    Open,
    Final,
    Outage,
}

impl Act {
    const ALL: [Self; 19] = [
        Self::Join,
        Self::Rejoin,
        Self::Start,
        Self::Touch,
        Self::Heartbeat,
        Self::Leave,
        Self::Lose,
        Self::Audio,
        Self::Answer,
        Self::Ask,
        Self::Complete,
        Self::Summary,
        Self::Expire,
        Self::Cancel,
        Self::EndComplete,
        Self::Proctor,
        Self::Open,
        Self::Final,
        Self::Outage,
    ];

    async fn run(self, world: &Interview) {
        let (redis, id) = (&world.redis, world.id);
        match self {
            Self::Join => drop(session_join(redis, id, plain(), joining("s1"), None).await.unwrap()),
            Self::Rejoin => {
                let joining = Joining { recovered: true, ..joining("s1") };
                drop(session_join(redis, id, plain(), joining, None).await.unwrap());
            }
            Self::Start => drop(world.start("s1").await),
            Self::Touch => drop(session_touch(redis, id, plain(), candidate("s1"), None).await.unwrap()),
            Self::Heartbeat => drop(session_touch(redis, id, plain(), candidate("s1"), Some(MINUTE)).await.unwrap()),
            Self::Leave => drop(world.go("s1", Going::Left).await),
            Self::Lose => drop(world.go("s1", Going::Lost { at: 0, grace: MINUTE }).await),
            Self::Audio => drop(world.say("s1", 100).await),
            Self::Answer => drop(world.answer("s1", "because").await),
            Self::Ask => drop(world.ask(1).await),
            Self::Complete => drop(world.complete(1).await),
            Self::Summary => drop(summary_tell(redis, id, plain(), &summary()).await.unwrap()),
            Self::Expire => drop(session_end(redis, id, plain(), SessionState::Expired).await.unwrap()),
            Self::Cancel => drop(session_end(redis, id, plain(), SessionState::Cancelled).await.unwrap()),
            Self::EndComplete => drop(session_end(redis, id, plain(), SessionState::Completed).await.unwrap()),
            Self::Proctor => drop(world.notice("s1", &noticed("tab-switch")).await),
            Self::Open => drop(turn_open(redis, id, plain(), "other").await.unwrap()),
            Self::Final => drop(world.turn("a", 7, 1, "words").await),
            Self::Outage => drop(outage_tell(redis, id, plain(), Outage::SpeechToText, Some("gone")).await.unwrap()),
        }
    }
}

/// Where a session comes to; `None`: nothing at all changes.
fn leads_to(from: SessionState, has_answer: bool, act: Act) -> Option<SessionState> {
    use Act::*;
    use SessionState::*;
    match (from, act) {
        // It has ended: it lets go of an answer whose finishing it has overtaken, and a summary follows.
        (_, Ask | Complete) if from.has_ended() => has_answer.then_some(from),
        (Completed, Summary) => Some(Completed),
        (Completed | Expired | Cancelled, Leave | Lose) => None,
        (Completed | Expired | Cancelled, _) => None,
        (_, Summary) => None,
        (_, Expire) => Some(Expired),
        (_, Cancel) => Some(Cancelled),
        (_, EndComplete) => Some(Completed),
        (_, Ask) => has_answer.then_some(from),
        (_, Complete) => has_answer.then_some(Completed),
        (_, Rejoin | Final | Open | Outage) => Some(from),
        (Created, Start) => Some(Active),
        (Created, Join | Heartbeat | Proctor | Lose) => Some(Created),
        (Created, _) => None,
        (Active, Leave) => Some(Paused),
        // The question is sent again by whoever has asked.
        (Active, Start | Touch) => None,
        (Active, Answer) if has_answer => None,
        (Active, _) => Some(Active),
        // It is no member any more.
        (Paused, Leave | Lose) => None,
        (Paused, _) => Some(Active),
    }
}

async fn every_script_in_every_state(redis: Redis) {
    for from in SessionState::ALL {
        for has_answer in [false, true] {
            if has_answer && from == SessionState::Created {
                continue;
            }
            let cells = Act::ALL.map(|act| cell(redis.clone(), from, has_answer, act));
            join_all(cells).await;
        }
    }
    // Without a live state only a seed makes one.
    let nothing = Interview::nothing(redis);
    for act in Act::ALL {
        act.run(&nothing).await;
        assert_eq!(nothing.fields().await, BTreeMap::new(), "{act:?}");
    }
}

async fn cell(redis: Redis, from: SessionState, has_answer: bool, act: Act) {
    let world = Interview::in_state(redis, from, has_answer).await;
    let (before, told_before) = (world.fields().await, world.names().await);
    assert_eq!(world.read().await.state, from);
    act.run(&world).await;
    let (after, told) = (world.fields().await, world.names().await);
    let said = &told[told_before.len()..];
    match leads_to(from, has_answer, act) {
        None => {
            assert_eq!(after, before, "{from:?} {has_answer} {act:?}");
            assert!(said.is_empty(), "{from:?} {has_answer} {act:?}: {said:?}");
        }
        Some(to) => {
            assert_eq!(world.read().await.state, to, "{from:?} {has_answer} {act:?}");
            assert_ne!((&after, told.len()), (&before, told_before.len()), "{from:?} {has_answer} {act:?} has an effect");
            let revs = [&before, &after].map(|fields| fields["rev"].parse::<u64>().unwrap());
            assert_eq!(revs[1] - revs[0], u64::from(from != to), "{from:?} {act:?}: one more with each transition");
        }
    }
}

async fn of_many_starts_at_once_one_asks(redis: Redis) {
    let world = Interview::joined(redis).await;
    let ops: Vec<_> = (0..20).map(|_| unique("start")).collect();
    let starts =
        ops.iter().map(|id| session_start(&world.redis, world.id, op(id), candidate("s1"), &world.questions[0], &PROGRESS));
    let started: Vec<_> = join_all(starts).await.into_iter().map(|started| started.unwrap().unwrap()).collect();
    assert_eq!(started.iter().filter(|started| started.first).count(), 1);
    assert!(started.iter().all(|started| started.session.asked.as_ref() == Some(&world.questions[0])));
    assert_eq!(world.names().await, ["candidate-joined", "question", "interview-started"]);
}

async fn what_is_sent_again_by_group_commit_has_its_effect_once(redis: Redis) {
    let world = Interview::nothing(redis);
    let (twice, id) = (Twice(&world.redis), world.id);
    let ids: Vec<_> = (0..12).map(|_| unique("op")).collect();
    let joined = session_join(&twice, id, op(&ids[0]), joining("s1"), Some(&world.seed)).await.unwrap();
    let SessionJoin::Joined(joined) = joined else { panic!("{joined:?}") };
    assert!(joined.first && joined.session.state == SessionState::Created);
    let started = session_start(&twice, id, op(&ids[1]), candidate("s1"), &world.questions[0], &PROGRESS).await.unwrap().unwrap();
    assert!(started.first);
    let limits = AudioLimits::default();
    let taken = audio_take(&twice, id, op(&ids[2]), candidate("s1"), pcm(100), ms(100), limits).await.unwrap().unwrap();
    assert!(matches!(taken, AudioTake::Taken { .. }));
    assert_eq!(world.audio().await.len(), 1);
    turn_open(&twice, id, op(&ids[3]), "a").await.unwrap().unwrap();
    let told = turn_final(&twice, id, op(&ids[4]), &turn("a", 0, 1, "words"), convoke::core::StreamId::default())
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(told, TurnTold::Told { kept: true, .. }));
    let taken = proctor_take(&twice, id, op(&ids[5]), candidate("s1"), noticed("tab-switch")).await.unwrap().unwrap();
    assert!(matches!(taken, ProctorTake::Taken { run: Run { count: 1, .. }, trust: Some(97), .. }), "{taken:?}");
    outage_tell(&twice, id, op(&ids[6]), Outage::Storage, Some("gone")).await.unwrap().unwrap();
    let response = Response { question_id: None, transcription: "because", audio_url: "" };
    let taken = answer_take(&twice, id, op(&ids[7]), candidate("s1"), response).await.unwrap().unwrap();
    assert!(matches!(taken, AnswerTake::Taken { position: 1, .. }));
    let asked =
        question_ask(&twice, id, op(&ids[8]), stored(1), &world.questions[1], &PROGRESS, Evaluated::default()).await.unwrap();
    assert!(matches!(asked, Ok(Finished::Told { .. })));
    answer_take(&twice, id, op(&ids[9]), candidate("s1"), Response { transcription: "so", ..response }).await.unwrap().unwrap();
    let complete = session_complete(&twice, id, op(&ids[10]), stored(2), &PROGRESS, Evaluated::default()).await.unwrap();
    assert!(matches!(complete, Ok(Finished::Told { .. })));
    assert!(summary_tell(&twice, id, op(&ids[11]), &summary()).await.unwrap().is_some());
    assert_eq!(
        world.names().await,
        [
            "candidate-joined",
            "question",
            "interview-started",
            "transcription",
            "live-transcript",
            "proctor-alert",
            "trust-score-update",
            "storage-unavailable",
            "question",
            "progress-update",
            "question-asked",
            "progress-update",
            "interview-complete",
            "interview-completed",
        ]
    );
    // Sent by another call, it is known all the same.
    assert!(summary_tell(&world.redis, id, plain(), &summary()).await.unwrap().is_none());
    assert_eq!(world.ask(1).await, Ok(Finished::Past));
}

async fn the_socket_that_joined_last_is_the_candidates(redis: Redis) {
    let world = Interview::started(redis).await;
    let second = world.join("s2").await;
    assert_eq!((second.supersedes.as_deref(), &*second.session.sid, second.first), (Some("s1"), "s2", false));
    assert_eq!(world.members().await, ["s2"], "its membership ends with it");
    let control = world.heard().await.into_iter().find(|heard| heard.head.starts_with('!')).unwrap();
    assert_eq!((&*control.name, &control.data), ("superseded", &serde_json::json!({"socketId": "s1"})));
    let refused = Err(Refused::Superseded);
    assert_eq!(world.say("s1", 100).await, refused.map(|(): ()| unreachable!()));
    assert_eq!(world.answer("s1", "x").await.unwrap_err(), Refused::Superseded);
    assert_eq!(world.start("s1").await.unwrap_err(), Refused::Superseded);
    assert_eq!(world.notice("s1", &noticed("tab-switch")).await.unwrap_err(), Refused::Superseded);
    assert_eq!(session_touch(&world.redis, world.id, plain(), candidate("s1"), None).await.unwrap(), Err(Refused::Superseded));
    // Its going pauses nothing, and it does not come back by recovery.
    assert_eq!(world.go("s1", Going::Left).await, None);
    assert_eq!(world.read().await.state, SessionState::Active);
    let back = session_join(&world.redis, world.id, plain(), Joining { recovered: true, ..joining("s1") }, None).await.unwrap();
    assert_eq!(back, SessionJoin::Superseded);
    // Once more by `join-interview` it does, from whatever node.
    let seat = Seat { node: "n2.b", session_epoch: 4 };
    let third = session_join(&world.redis, world.id, plain(), Joining { seat, ..joining("s1") }, None).await.unwrap();
    let SessionJoin::Joined(third) = third else { panic!("{third:?}") };
    assert_eq!(third.supersedes.as_deref(), Some("s2"));
    let ours = world.names().await.into_iter().filter(|name| name == "interview-started" || name == "question").count();
    assert_eq!(ours, 2, "who joins again starts nothing");
}

async fn a_lost_connection_pauses_once_the_grace_is_over(redis: Redis) {
    let world = Interview::started(redis).await;
    let went = world.go("s1", Going::Lost { at: 0, grace: MINUTE }).await.unwrap();
    assert!(!went.paused && went.due_in.unwrap() > MINUTE / 2);
    assert_eq!(world.timers().await, ["absent s1"]);
    // Another node's socket is not this one's to lose.
    assert_eq!(world.go("s1", Going::Left).await, None);
    let early = world.gone(Missed::Connection("s1"), MINUTE).await;
    assert!(!early.paused && early.due_in.unwrap() > MINUTE / 2, "{early:?}");
    assert_eq!(world.timers().await, ["absent s1"]);
    let late = world.gone(Missed::Connection("s1"), Duration::ZERO).await;
    assert!(late.paused && late.due_in.is_none());
    assert_eq!(world.timers().await, Vec::<String>::new());
    assert_eq!(world.reasons().await, ["disconnect"]);
    assert!(!world.gone(Missed::Connection("s1"), Duration::ZERO).await.paused, "once");
    assert_eq!(world.read().await.state, SessionState::Paused);
    // It may come back as another socket.
    let back = world.join("s2").await;
    assert!(back.resumed && back.supersedes.is_none() && back.session.state == SessionState::Active);
    assert!(!world.gone(Missed::Connection("s1"), Duration::ZERO).await.paused);
    assert_eq!(world.reasons().await.len(), 1);
    // A DISCONNECT packet needs no grace.
    assert!(world.go("s2", Going::Left).await.unwrap().paused);
}

async fn a_connection_that_is_back_in_time_pauses_nothing(redis: Redis) {
    let world = Interview::started(redis).await;
    world.go("s1", Going::Lost { at: 0, grace: MINUTE }).await.unwrap();
    let seat = Seat { node: "n2.b", session_epoch: 2 };
    let back = Joining { recovered: true, seat, ..joining("s1") };
    let SessionJoin::Joined(joined) = session_join(&world.redis, world.id, plain(), back, None).await.unwrap() else { panic!() };
    assert_eq!((joined.session.lost_at, joined.resumed), (None, false));
    assert_eq!(world.timers().await, Vec::<String>::new());
    // A timer that has fired meanwhile finds nobody missing.
    assert!(!world.gone(Missed::Connection("s1"), Duration::ZERO).await.paused);
    assert!(!world.gone(Missed::Node, Duration::ZERO).await.paused);
    assert_eq!(world.names().await.iter().filter(|name| *name == "candidate-joined").count(), 1, "it is not announced again");
    // The first node says late that it has lost the connection.
    assert_eq!(world.go("s1", Going::Lost { at: 0, grace: MINUTE }).await, None);
    // Back after the pause, without a word yet: it is still paused.
    candidate_lost(&world.redis, world.id, plain(), candidate("s1"), seat, Going::Left).await.unwrap().unwrap();
    let SessionJoin::Joined(joined) = session_join(&world.redis, world.id, plain(), back, None).await.unwrap() else { panic!() };
    assert_eq!((joined.session.state, joined.resumed), (SessionState::Paused, false));
    let touched = session_touch(&world.redis, world.id, plain(), candidate("s1"), None).await.unwrap().unwrap();
    assert!(touched.resumed && touched.state == SessionState::Active);
}

async fn of_a_dead_node_the_grace_counts_from_its_last_renewal(redis: Redis) {
    let world = Interview::started(redis).await;
    let scope = world.scope();
    let lost_at = world.now().await - 4_000;
    let timer = LostTimer { name: ABSENT, after: Duration::from_secs(5) };
    let reaped = scope_reap(&world.redis, &scope, SEAT.node, lost_at, Some(timer)).await.unwrap();
    assert_eq!((reaped.lost, world.timers().await), (1, vec![ABSENT.to_owned()]));
    let early = world.gone(Missed::Node, Duration::from_secs(5)).await;
    assert!(!early.paused && early.due_in.unwrap() <= Duration::from_secs(1), "{early:?}");
    let late = world.gone(Missed::Node, Duration::from_secs(4)).await;
    assert!(late.paused);
    assert_eq!(world.reasons().await, ["node-lost"]);
    // Who observes, and is lost with a node, pauses nothing.
    let other = Interview::started(world.redis.clone()).await;
    observe_join(&other.redis, other.id, plain(), observer("o1"), Seat { node: "n9.z", session_epoch: 1 }).await.unwrap();
    scope_reap(&other.redis, &other.scope(), "n9.z", lost_at, Some(timer)).await.unwrap();
    assert!(!other.gone(Missed::Node, Duration::ZERO).await.paused);
    assert_eq!(other.timers().await, Vec::<String>::new());
}

async fn a_candidate_is_judged_by_its_heartbeats_once_it_has_sent_one(redis: Redis) {
    let world = Interview::started(redis).await;
    assert!(!world.gone(Missed::Heartbeat, Duration::ZERO).await.paused, "it has never sent one");
    let touched = session_touch(&world.redis, world.id, plain(), candidate("s1"), Some(MINUTE)).await.unwrap().unwrap();
    assert!(touched.due_in.unwrap() > MINUTE / 2);
    assert_eq!(world.timers().await, [HEARTBEAT]);
    let again = session_touch(&world.redis, world.id, plain(), candidate("s1"), Some(MINUTE)).await.unwrap().unwrap();
    assert_eq!(again.due_in, None, "a timer that is set is left alone");
    let early = world.gone(Missed::Heartbeat, Duration::ZERO).await;
    assert!(!early.paused && early.due_in.unwrap() > MINUTE / 2);
    world.put("hb", &(world.now().await - 61_000).to_string()).await;
    assert!(world.gone(Missed::Heartbeat, Duration::ZERO).await.paused);
    assert_eq!((world.reasons().await, world.timers().await), (vec!["heartbeat".to_owned()], vec![]));
    // Another event makes it active, with as much time again.
    assert!(matches!(world.say("s1", 100).await, Ok(AudioTake::Taken { resumed: true, .. })));
    assert!(world.timers().await.contains(&HEARTBEAT.to_owned()));
    assert!(!world.gone(Missed::Heartbeat, Duration::ZERO).await.paused);
    // A new socket may be another client, which sends none.
    let joined = world.join("s2").await;
    assert_eq!(joined.session.heartbeat_at, None);
    assert!(!world.timers().await.contains(&HEARTBEAT.to_owned()));
}

async fn a_lost_state_is_made_again_of_what_postgresql_knows(redis: Redis) {
    let world = Interview::started(redis).await;
    world.answer("s1", "because").await.unwrap();
    world.ask(1).await.unwrap();
    let before = world.read().await;
    world.forget().await;
    assert_eq!(world.say("s1", 100).await, Err(Refused::Missing));
    assert_eq!(session_read(&world.redis, world.id).await.unwrap(), None);
    let none = session_join(&world.redis, world.id, plain(), joining("s1"), None).await.unwrap();
    assert_eq!(none, SessionJoin::Missing);
    let seed = Seed {
        state: SessionState::Paused,
        rev: before.rev,
        started_at: before.started_at,
        position: 2,
        asked: before.asked.clone(),
        progress: before.progress,
        questions: vec![("q-1".into(), 1), ("q-2".into(), 2)],
        last: Some(("q-1".into(), "because".into(), String::new())),
        trust: Trust { score: 97, tabs: 1, ..Trust::default() },
        ..world.seed.clone()
    };
    let SessionJoin::Joined(joined) = session_join(&world.redis, world.id, plain(), joining("s1"), Some(&seed)).await.unwrap()
    else {
        panic!()
    };
    assert!(joined.first && joined.resumed);
    let session = joined.session;
    assert_eq!((session.id, session.state, session.position), (before.id, SessionState::Active, 2));
    assert_eq!((session.asked, session.trust.score, session.trust.tabs), (before.asked, 97, 1));
    // It knows what was answered.
    assert_eq!(world.answer("s1", "because").await, Ok(AnswerTake::Repeated));
    assert!(matches!(world.answer("s1", "so").await, Ok(AnswerTake::Taken { position: 2, .. })));
    // Of a session that has ended none is made.
    let over = Interview::nothing(world.redis.clone());
    let seed = Seed { state: SessionState::Completed, ..over.seed.clone() };
    let ended = session_join(&over.redis, over.id, plain(), joining("s1"), Some(&seed)).await.unwrap();
    assert_eq!((ended, over.fields().await), (SessionJoin::Ended(None), BTreeMap::new()));
}

async fn a_state_that_lags_behind_postgresql_is_brought_up(redis: Redis) {
    let world = Interview::started(redis.clone()).await;
    turn_open(&redis, world.id, plain(), "a").await.unwrap().unwrap();
    world.say("s1", 100).await.unwrap();
    world.turn("a", 0, 1, "words").await.unwrap();
    world.answer("s1", "because").await.unwrap();
    world.say("s1", 100).await.unwrap();
    world.notice("s1", &noticed("tab-switch")).await.unwrap();
    // A failover has taken back the next question.
    let seed = Seed {
        position: 2,
        asked: Some(world.questions[1].clone()),
        questions: vec![("q-1".into(), 1), ("q-2".into(), 2)],
        last: Some(("q-1".into(), "because".into(), String::new())),
        ..world.seed.clone()
    };
    let SessionJoin::Joined(joined) = session_join(&world.redis, world.id, plain(), joining("s1"), Some(&seed)).await.unwrap()
    else {
        panic!()
    };
    assert_eq!((joined.session.position, joined.session.answer, joined.first), (2, None, false));
    assert_eq!(joined.session.trust.score, 97, "what Redis knows of trust is newer");
    let left: Vec<_> = world.audio().await.into_iter().map(|entry| entry.position).collect();
    assert_eq!(left, [2], "what was said behind the answer belongs to the next question");
    assert_eq!(turn_read(&redis, world.id).await.unwrap(), []);
    assert_eq!(world.answer("s1", "because").await, Ok(AnswerTake::Repeated));
    // What is older changes nothing.
    let ahead = seed.clone();
    let old = Seed { position: 1, asked: Some(world.questions[0].clone()), ..seed };
    let SessionJoin::Joined(joined) = session_join(&world.redis, world.id, plain(), joining("s1"), Some(&old)).await.unwrap()
    else {
        panic!()
    };
    assert_eq!((joined.session.position, joined.session.asked), (2, Some(world.questions[1].clone())));
    // It has taken back the answer as well.
    let other = Interview::started(redis).await;
    other.say("s1", 100).await.unwrap();
    let SessionJoin::Joined(joined) = session_join(&other.redis, other.id, plain(), joining("s1"), Some(&ahead)).await.unwrap()
    else {
        panic!()
    };
    assert_eq!((joined.session.position, other.audio().await.len()), (2, 0));
}

async fn an_end_is_told_to_whom_it_concerns(redis: Redis) {
    for (to, told) in [
        (SessionState::Expired, vec![("r:observer", "interview-interrupted")]),
        (SessionState::Cancelled, vec![("r:observer", "interview-interrupted")]),
        (SessionState::Completed, vec![("r:candidate", "interview-complete")]),
    ] {
        let world = Interview::started(redis.clone()).await;
        session_touch(&world.redis, world.id, plain(), candidate("s1"), Some(MINUTE)).await.unwrap().unwrap();
        let before = world.names().await.len();
        let SessionEnd::Ended { due_in, .. } = session_end(&world.redis, world.id, plain(), to).await.unwrap() else { panic!() };
        assert_eq!(due_in, Some(Duration::ZERO), "who conducts it lets go");
        assert_eq!(world.timers().await, [WORK]);
        let heard = world.heard().await;
        let heard: Vec<_> = heard[before..].iter().map(|heard| (heard.head.split(' ').next().unwrap(), &*heard.name)).collect();
        assert_eq!(heard, told);
        assert_eq!(session_end(&world.redis, world.id, plain(), SessionState::Cancelled).await.unwrap(), SessionEnd::Unchanged);
    }
    // Those who observe hear of an end whose live state is lost.
    let world = Interview::nothing(redis);
    observe_join(&world.redis, world.id, plain(), observer("o1"), SEAT).await.unwrap();
    assert!(matches!(
        session_end(&world.redis, world.id, plain(), SessionState::Expired).await.unwrap(),
        SessionEnd::Missing(told) if told.heard.is_some()
    ));
    assert_eq!(world.reasons().await, ["expired"]);
}

async fn whoever_has_something_to_do_is_woken(redis: Redis) {
    let world = Interview::started(redis).await;
    let rest = async || session_rest(&world.redis, world.id, plain(), ms(5000)).await.unwrap();
    assert!(rest().await.idle);
    let Ok(AudioTake::Taken { id, due_in, .. }) = world.say("s1", 100).await else { panic!() };
    assert!(due_in.is_some_and(|wait| wait <= ms(5000)));
    assert_eq!(world.timers().await, [WORK]);
    assert!(!rest().await.idle, "there is audio without text");
    turn_open(&world.redis, world.id, plain(), "a").await.unwrap().unwrap();
    assert!(turn_heard(&world.redis, world.id, plain(), "a", id).await.unwrap());
    assert!(!turn_heard(&world.redis, world.id, plain(), "b", id).await.unwrap(), "another stream counts");
    assert!(rest().await.idle);
    assert_eq!(world.timers().await, Vec::<String>::new());
    world.notice("s1", &noticed("tab-switch")).await.unwrap();
    assert!(!rest().await.idle, "a row is not stored");
    let rows = proctor_read(&world.redis, world.id).await.unwrap();
    assert!(!proctor_done(&world.redis, world.id, &rows).await.unwrap());
    assert!(rest().await.idle);
    world.answer("s1", "x").await.unwrap();
    assert!(!rest().await.idle, "an answer is not finished");
    world.complete(1).await.unwrap();
    assert!(!rest().await.idle, "the summary is not told");
    assert_eq!(world.timers().await, [WORK]);
    summary_tell(&world.redis, world.id, plain(), &summary()).await.unwrap().unwrap();
    assert!(rest().await.idle);
    assert_eq!(world.timers().await, Vec::<String>::new());
}
