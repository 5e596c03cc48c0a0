//! Live interviews in which everything has gathered.

use std::time::Duration;

use bytes::Bytes;
use convoke::core::StreamId;
use convoke::features::interviews::scripts::*;
use convoke::features::interviews::wire::{Progress, Question, Summary};
use convoke::features::interviews::{keys as interview_keys, kinds};
use convoke::redis::keys;
use uuid::Uuid;

use super::{HOUR_MS, LONG, REMEMBERED, Worst, once};

const SEAT: Seat<'static> = Seat { node: "node-1.abcdefgh", session_epoch: 1 };
/// As many as a template may have.
const QUESTIONS: u32 = 500;
/// As many as are kept of one answer.
const TURNS: usize = 1_024;
/// 15 minutes, at 30 a second.
const CHUNKS: usize = 27_000;
/// What `interview:log` keeps.
const TOLD: usize = 20_000;
const PROGRESS: Progress =
    Progress { current_assessment: 50, total_assessments: 50, current_question: 500, total_questions: 500 };

fn question(order: u32) -> Question {
    let text = LONG.repeat(4_000);
    Question { question_id: format!("{order:0128}"), text, audio_url: "u".repeat(2_000), kind: "k".repeat(64), order }
}

fn ada(sid: &str) -> Candidate<'_> {
    Candidate { user: "0000-0f6a-4a7e-9c4b-7d2f1e5a3b9c-x", sid }
}

fn joining(sid: &str) -> Joining<'_> {
    Joining { candidate: ada(sid), name: "ä", seat: SEAT, recovered: false }
}

fn stored(position: u32) -> StoredAnswer {
    StoredAnswer { position, turns: usize::MAX }
}

fn evaluated() -> Evaluated<'static> {
    Evaluated { score: Some(99.5), evaluation: Some("A few sentences.") }
}

impl Worst<'_> {
    /// A session with all that may gather; at its last question but one if it is `open`.
    async fn session(&self, asked: u32) -> Uuid {
        let (redis, id) = (&self.meter.redis, Uuid::new_v4());
        let seed = Seed {
            id: Uuid::new_v4(),
            state: if asked == 0 { SessionState::Created } else { SessionState::Active },
            rev: 1,
            created_at: 1,
            started_at: Some(1),
            position: asked,
            total: QUESTIONS,
            asked: Some(question(asked)),
            progress: Some(PROGRESS),
            questions: (1..=QUESTIONS).map(|order| (format!("{order:0128}"), order)).collect(),
            last: Some(("0".repeat(128), LONG.repeat(20_000), "u".repeat(2_000))),
            trust: Trust::default(),
            has_summary: false,
        };
        session_join(&self.meter, id, once(""), joining("s1"), Some(&seed)).await.expect("an answer");
        let kinds = (0..64).map(|n| [format!("pr:{n}"), format!("{} 1 1 1 1 0 {}", Uuid::nil(), vec!["1"; 64].join(","))]);
        let kinds = kinds.chain([["pn".to_owned(), "64".to_owned()]]).collect();
        self.put("HSET", &interview_keys::session(id), &[], kinds).await;
        let remembered = (0..REMEMBERED).map(|n| [format!("op:node-{n}"), "x".repeat(60)]).collect();
        self.put("HSET", &keys::scope_meta(&kinds::interview(id)), &[], remembered).await;
        turn_open(redis, id, once(""), "stream").await.expect("an answer").expect("it is live");
        id
    }

    /// Audio, turns and rows of proctoring, as many as there may be; `round` is one more each time.
    async fn fill(&self, id: Uuid, round: u64) {
        let now = self.now().await;
        self.append(&interview_keys::audio(id), now + round * HOUR_MS, CHUNKS, |n| {
            vec![("q", "499".into()), ("d", "x".repeat(if n % 64 == 0 { 32_000 } else { 64 }))]
        })
        .await;
        let turn = Turn { stream: "s".repeat(36), order: 1, position: 499, text: LONG.repeat(500), confidence: 0.75, at: 1 };
        let turn = serde_json::to_string(&turn).expect("JSON");
        let turns = (1..=TURNS).map(|n| [format!("t:{n}"), turn.clone()]).chain([["tn".to_owned(), TURNS.to_string()]]);
        let event = format!("{} 1 1 1\n{{\"data\":\"{}\"}}", Uuid::nil(), "x".repeat(8_000));
        let rows = (1..=900).map(|n| [format!("pe:{n}"), event.clone()]).chain([["pt".to_owned(), "900".to_owned()]]);
        self.put("HSET", &interview_keys::session(id), &[], turns.chain(rows).collect()).await;
    }

    pub(super) async fn sessions(&self) {
        let meter = self.meter;
        let created = self.session(0).await;
        for sid in ["s2", "s3"] {
            session_join(&meter, created, once(""), joining(sid), None).await.expect("an answer");
        }
        session_start(&meter, created, once(""), ada("s3"), &question(1), &PROGRESS)
            .await
            .expect("an answer")
            .expect("it starts");
        for heartbeat in [None, Some(Duration::from_secs(90))] {
            session_touch(&meter, created, once(""), ada("s3"), heartbeat).await.expect("an answer").expect("it lives");
        }
        let lost = Going::Lost { at: 1, grace: Duration::ZERO };
        assert!(candidate_lost(&meter, created, once(""), ada("s3"), SEAT, lost).await.expect("an answer").is_some());
        for missed in [Missed::Node, Missed::Heartbeat, Missed::Connection("s3")] {
            candidate_gone(&meter, created, once(""), missed, Duration::ZERO).await.expect("an answer");
        }
        session_join(&meter, created, once(""), joining("s4"), None).await.expect("an answer");
        assert!(candidate_lost(&meter, created, once(""), ada("s4"), SEAT, Going::Left).await.expect("an answer").is_some());
        for outage in [Outage::SpeechToText, Outage::Storage] {
            for reason in [Some("gone"), None] {
                outage_tell(&meter, created, once(""), outage, reason).await.expect("an answer");
            }
        }
        session_end(&meter, created, once(""), SessionState::Cancelled).await.expect("an answer");
        let other = self.session(1).await;
        session_end(&meter, other, once(""), SessionState::Completed).await.expect("an answer");
        session_rest(&meter, other, once(""), Duration::ZERO).await.expect("an answer");
    }

    pub(super) async fn answers(&self) {
        let meter = self.meter;
        let id = self.session(QUESTIONS - 1).await;
        self.fill(id, 1).await;
        self.notices(id).await;
        let limits = AudioLimits::default();
        let chunk = Bytes::from(vec![0; 32_000]);
        for _ in 0..3 {
            let taken = audio_take(&meter, id, once("a"), ada("s1"), chunk.clone(), Duration::from_secs(1), limits).await;
            assert!(matches!(taken.expect("an answer"), Ok(AudioTake::Taken { .. })));
        }
        assert!(!audio_read(&meter, id, StreamId::default(), None, 524_288).await.expect("an answer").entries.is_empty());
        assert_eq!(turn_read(&meter, id).await.expect("an answer").len(), TURNS);
        self.turns(id).await;
        session_read(&meter, id).await.expect("an answer").expect("it lives");
        session_rest(&meter, id, once(""), Duration::ZERO).await.expect("an answer");
        let (text, url) = (LONG.repeat(20_000), "u".repeat(2_000));
        let response = Response { question_id: None, transcription: &text[1..], audio_url: &url };
        let taken = answer_take(&meter, id, once("r"), ada("s1"), response).await.expect("an answer");
        assert!(matches!(taken, Ok(AnswerTake::Taken { .. })), "{taken:?}");
        let next = question(QUESTIONS);
        let asked =
            question_ask(&meter, id, once(""), stored(QUESTIONS - 1), &next, &PROGRESS, evaluated()).await.expect("an answer");
        assert!(matches!(asked, Ok(Finished::Told { .. })), "{asked:?}");
        self.fill(id, 2).await;
        answer_take(&meter, id, once("r"), ada("s1"), Response { transcription: "x", ..response })
            .await
            .expect("an answer")
            .expect("it");
        let complete =
            session_complete(&meter, id, once(""), stored(QUESTIONS), &PROGRESS, evaluated()).await.expect("an answer");
        assert!(matches!(complete, Ok(Finished::Told { .. })), "{complete:?}");
        let words = || vec![LONG.repeat(200); 20];
        let summary = Summary { overall_score: Some(99.5), recommendation: None, strengths: words(), weaknesses: words() };
        assert!(summary_tell(&meter, id, once(""), &summary).await.expect("an answer").is_some());
        session_rest(&meter, id, once(""), Duration::ZERO).await.expect("an answer");
        self.observed(id).await;
    }

    async fn turns(&self, id: Uuid) {
        let meter = self.meter;
        let turn = |order| Turn {
            stream: "stream".into(),
            order,
            position: QUESTIONS - 1,
            text: LONG.repeat(2_000),
            confidence: 0.75,
            at: 1,
        };
        turn_open(&meter, id, once(""), "stream").await.expect("an answer").expect("it lives");
        turn_partial(&meter, id, once(""), "stream", &LONG.repeat(2_000), 0.5).await.expect("an answer").expect("it lives");
        let heard = StreamId { ms: 1, seq: 1 };
        for order in [1, 2] {
            turn_final(&meter, id, once(""), &turn(order), heard).await.expect("an answer").expect("it lives");
        }
        assert!(turn_heard(&meter, id, once(""), "stream", StreamId { ms: 2, seq: 1 }).await.expect("an answer"));
    }

    async fn notices(&self, id: Uuid) {
        let meter = self.meter;
        let weights = TrustWeights::default();
        let (message, data) = ("m".repeat(1_000), format!("\"{}\"", "x".repeat(8_000)));
        let noticed = Noticed {
            kind: "1",
            severity: "critical",
            message: &message,
            data: &data,
            deduction: Some(Deduction::Suspicious),
            weights,
            min_repeats: 1,
            alerts: true,
        };
        for kind in ["1", "1", "new"] {
            let taken = proctor_take(&meter, id, once("p"), ada("s1"), Noticed { kind, ..noticed }).await.expect("an answer");
            assert!(matches!(taken, Ok(ProctorTake::Taken { .. })), "{taken:?}");
        }
        let rows = proctor_read(&meter, id).await.expect("an answer");
        assert!(proctor_done(&meter, id, &rows).await.expect("an answer"));
    }

    async fn observed(&self, id: Uuid) {
        let meter = self.meter;
        let now = self.now().await;
        self.append(&interview_keys::log(id), now + HOUR_MS, TOLD, |_| {
            vec![("e", "live-transcript".into()), ("d", "x".repeat(2_000)), ("t", "1".into())]
        })
        .await;
        observe_join(&meter, id, once(""), Candidate { user: "rec", sid: "o1" }, SEAT).await.expect("an answer");
        let newest = StreamId { ms: u64::MAX >> 1, seq: 0 };
        assert!(observe_events(&meter, id, StreamId::default(), newest, 262_144).await.expect("an answer").more);
    }
}
