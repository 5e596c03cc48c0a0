//! The one place of the tests of live interviews' scripts that knows their API: an interview, its candidate, and what was told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use convoke::cluster::scripts::scope::scope_read;
use convoke::core::{Position, ScopeId, StreamId};
use convoke::features::interviews::scripts::*;
use convoke::features::interviews::wire::{self, Progress, Question, Summary};
use convoke::features::interviews::{keys as interview_keys, kinds};
use convoke::redis::{Redis, Value, cmd, keys};
use uuid::Uuid;

use crate::scripts_world::{Heard, plain};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const SEAT: Seat<'static> = Seat { node: "n1.a", session_epoch: 1 };
pub const PROGRESS: Progress = Progress { current_assessment: 1, total_assessments: 1, current_question: 1, total_questions: 2 };

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub fn candidate(sid: &str) -> Candidate<'_> {
    Candidate { user: "ada", sid }
}

pub fn observer(sid: &str) -> Candidate<'_> {
    Candidate { user: "rec", sid }
}

pub fn joining(sid: &str) -> Joining<'_> {
    Joining { candidate: candidate(sid), name: "Ada \"L\"", seat: SEAT, recovered: false }
}

/// Silence.
pub fn pcm(ms: usize) -> Bytes {
    vec![0; 32 * ms].into()
}

pub fn turn(stream: &str, order: u32, position: u32, text: &str) -> Turn {
    Turn { stream: stream.into(), order, position, text: text.into(), confidence: 0.75, at: 1_769_851_800_250 }
}

pub fn noticed(kind: &str) -> Noticed<'_> {
    let deduction = match kind {
        "face-detection" => Some(Deduction::Faces),
        "tab-switch" => Some(Deduction::Tabs),
        "fullscreen-exit" => Some(Deduction::Fullscreen),
        "suspicious-activity" => Some(Deduction::Suspicious),
        _ => None,
    };
    let (severity, weights) = ("high", TrustWeights::default());
    Noticed { kind, severity, message: "\"m\"", data: r#"{"n":1.50}"#, deduction, weights, min_repeats: 1, alerts: true }
}

pub fn summary() -> Summary {
    Summary { overall_score: Some(78.0), recommendation: None, strengths: vec!["a".into()], weaknesses: Vec::new() }
}

/// One interview of two questions and the Redis that holds it.
#[derive(Clone)]
pub struct Interview {
    pub redis: Redis,
    pub id: Uuid,
    pub seed: Seed,
    pub questions: Vec<Question>,
}

/// An answer all of whose turns are stored.
pub fn stored(position: u32) -> StoredAnswer {
    StoredAnswer { position, turns: usize::MAX }
}

impl Interview {
    pub fn nothing(redis: Redis) -> Self {
        Self::of(redis, 2)
    }

    pub fn of(redis: Redis, total: u32) -> Self {
        let question = |order: u32| Question {
            question_id: format!("q-{order}"),
            text: format!("Tell me \"{order}\"…"),
            audio_url: String::new(),
            kind: "BEHAVIORAL".into(),
            order,
        };
        let seed = Seed {
            id: Uuid::new_v4(),
            state: SessionState::Created,
            rev: 0,
            created_at: 1_769_851_800_250,
            started_at: None,
            position: 0,
            total,
            asked: None,
            progress: None,
            questions: Vec::new(),
            last: None,
            trust: Trust::default(),
            has_summary: false,
        };
        Self { redis, id: Uuid::new_v4(), seed, questions: (1..=total).map(question).collect() }
    }

    /// Socket `s1` has joined.
    pub async fn joined(redis: Redis) -> Self {
        let world = Self::nothing(redis);
        world.join("s1").await;
        world
    }

    /// The first question is open, and stream `a` counts.
    pub async fn started(redis: Redis) -> Self {
        let world = Self::joined(redis).await;
        world.start("s1").await.unwrap();
        world
    }

    /// A session in a state, with an answer that is being finished or without one; stream `a` counts if it was started.
    pub async fn in_state(redis: Redis, state: SessionState, has_answer: bool) -> Self {
        let world = Self::joined(redis).await;
        turn_open(&world.redis, world.id, plain(), "a").await.unwrap().unwrap();
        if state == SessionState::Created {
            return world;
        }
        world.start("s1").await.unwrap();
        if has_answer {
            world.answer("s1", "because").await.unwrap();
        }
        match state {
            SessionState::Paused => drop(world.go("s1", Going::Left).await.unwrap()),
            SessionState::Created | SessionState::Active => {}
            end => drop(session_end(&world.redis, world.id, plain(), end).await.unwrap()),
        }
        world
    }

    pub fn scope(&self) -> ScopeId {
        kinds::interview(self.id)
    }

    pub async fn join(&self, sid: &str) -> Joined {
        match session_join(&self.redis, self.id, plain(), joining(sid), Some(&self.seed)).await.unwrap() {
            SessionJoin::Joined(joined) => *joined,
            other => panic!("{other:?}"),
        }
    }

    pub async fn start(&self, sid: &str) -> Result<Started, Refused> {
        session_start(&self.redis, self.id, plain(), candidate(sid), &self.questions[0], &PROGRESS).await.unwrap()
    }

    pub async fn say(&self, sid: &str, length: usize) -> Result<AudioTake, Refused> {
        let (pcm, limits) = (pcm(length), AudioLimits::default());
        audio_take(&self.redis, self.id, plain(), candidate(sid), pcm, ms(length as u64), limits).await.unwrap()
    }

    pub async fn answer(&self, sid: &str, transcription: &str) -> Result<AnswerTake, Refused> {
        let response = Response { question_id: None, transcription, audio_url: "" };
        answer_take(&self.redis, self.id, plain(), candidate(sid), response).await.unwrap()
    }

    /// The answer at a position is finished.
    pub async fn ask(&self, from: u32) -> Result<Finished, Refused> {
        let (question, evaluated) = (&self.questions[from as usize], Evaluated { score: Some(85.0), evaluation: Some("Good") });
        question_ask(&self.redis, self.id, plain(), stored(from), question, &PROGRESS, evaluated).await.unwrap()
    }

    pub async fn complete(&self, from: u32) -> Result<Finished, Refused> {
        session_complete(&self.redis, self.id, plain(), stored(from), &PROGRESS, Evaluated::default()).await.unwrap()
    }

    pub async fn go(&self, sid: &str, going: Going) -> Option<Went> {
        candidate_lost(&self.redis, self.id, plain(), candidate(sid), SEAT, going).await.unwrap()
    }

    pub async fn gone(&self, missed: Missed<'_>, grace: Duration) -> Went {
        candidate_gone(&self.redis, self.id, plain(), missed, grace).await.unwrap()
    }

    pub async fn notice(&self, sid: &str, noticed: &Noticed<'_>) -> Result<ProctorTake, Refused> {
        proctor_take(&self.redis, self.id, plain(), candidate(sid), *noticed).await.unwrap()
    }

    pub async fn turn(&self, stream: &str, order: u32, position: u32, text: &str) -> Result<TurnTold, Refused> {
        let turn = turn(stream, order, position, text);
        turn_final(&self.redis, self.id, plain(), &turn, StreamId::default()).await.unwrap()
    }

    pub async fn read(&self) -> Session {
        session_read(&self.redis, self.id).await.unwrap().unwrap()
    }

    /// All chunks that are kept, read a few at a time.
    pub async fn audio(&self) -> Vec<AudioEntry> {
        let (mut entries, mut after) = (Vec::new(), StreamId::default());
        loop {
            let page = audio_read(&self.redis, self.id, after, None, 10_000).await.unwrap();
            entries.extend(page.entries);
            match entries.last() {
                Some(last) if page.more => after = last.id,
                _ => return entries,
            }
        }
    }

    async fn command(&self, words: &[&str]) -> Value {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        self.redis.command(command, words[1]).await.unwrap()
    }

    async fn texts<T: ::redis::FromRedisValue>(&self, words: &[&str]) -> T {
        ::redis::from_redis_value(self.command(words).await).unwrap()
    }

    /// The whole hash.
    pub async fn fields(&self) -> BTreeMap<String, String> {
        self.texts(&["HGETALL", &interview_keys::session(self.id)]).await
    }

    /// Sets a field past all rules.
    pub async fn put(&self, field: &str, value: &str) {
        self.command(&["HSET", &interview_keys::session(self.id), field, value]).await;
    }

    pub async fn field(&self, field: &str) -> Option<String> {
        self.texts(&["HGET", &interview_keys::session(self.id), field]).await
    }

    /// Redis has lost the live state.
    pub async fn forget(&self) {
        self.command(&["DEL", &interview_keys::session(self.id)]).await;
    }

    /// Redis' clock.
    pub async fn now(&self) -> u64 {
        let Value::Array(time) = self.redis.command(cmd("TIME"), &keys::scope_meta(&self.scope())).await.unwrap() else {
            panic!("no time")
        };
        let parts: Vec<u64> = time.into_iter().map(|part| ::redis::from_redis_value(part).unwrap()).collect();
        parts[0] * 1000 + parts[1] / 1000
    }

    /// The timers that are set.
    pub async fn timers(&self) -> Vec<String> {
        self.texts(&["ZRANGE", &keys::scope_due(&self.scope()), "-inf", "(+inf", "BYSCORE"]).await
    }

    /// The sockets that are members.
    pub async fn members(&self) -> Vec<String> {
        let members: Vec<String> = self.texts(&["HKEYS", &keys::scope_members(&self.scope())]).await;
        members.into_iter().filter(|member| !member.starts_with('@') && member != "_").collect()
    }

    /// Every logged event so far; each is as its type says.
    pub async fn heard(&self) -> Vec<Heard> {
        let at = |epoch: Arc<str>| Position::new(epoch, StreamId::default());
        let epoch = scope_read(&self.redis, &self.scope(), &at("".into()), 1).await.unwrap().epoch;
        let log = scope_read(&self.redis, &self.scope(), &at(epoch), 10_000).await.unwrap();
        let heard: Vec<_> = log.entries.iter().map(|entry| Heard::parse(&entry.body)).collect();
        heard.iter().filter(|heard| !heard.head.starts_with('!')).for_each(check);
        heard
    }

    /// The names of what sockets were told.
    pub async fn names(&self) -> Vec<String> {
        let heard = self.heard().await.into_iter().filter(|heard| !heard.head.starts_with('!'));
        heard.map(|heard| heard.name).collect()
    }

    /// Payloads of the events of one name.
    pub async fn events(&self, name: &str) -> Vec<serde_json::Value> {
        self.heard().await.into_iter().filter(|heard| heard.name == name).map(|heard| heard.data).collect()
    }

    /// Why it was interrupted, each time.
    pub async fn reasons(&self) -> Vec<String> {
        let interruptions = self.events("interview-interrupted").await;
        interruptions.into_iter().map(|data| data["reason"].as_str().unwrap().to_owned()).collect()
    }
}

/// A payload as a script writes it is its type, no more and no less; and who gets it is who shall.
pub fn check(heard: &Heard) {
    fn same<T: serde::de::DeserializeOwned + serde::Serialize>(heard: &Heard) {
        let read: T = serde_json::from_value(heard.data.clone()).unwrap_or_else(|error| panic!("{heard:?}: {error}"));
        assert_eq!(serde_json::to_value(read).unwrap(), heard.data, "{}", heard.name);
    }
    let audience = match &*heard.name {
        "question" => (same::<wire::Question>(heard), "r:candidate").1,
        "transcription" => (same::<wire::Transcription>(heard), "r:candidate").1,
        "interview-complete" => (same::<wire::InterviewComplete>(heard), "r:candidate").1,
        "candidate-joined" => (same::<wire::CandidateJoined>(heard), "r:observer").1,
        "interview-started" => (same::<wire::InterviewStarted>(heard), "r:observer").1,
        "live-transcript" => (same::<wire::LiveTranscript>(heard), "r:observer").1,
        "progress-update" => (same::<wire::ProgressUpdate>(heard), "r:observer").1,
        "question-asked" => (same::<wire::QuestionAsked>(heard), "r:observer").1,
        "proctor-alert" => (same::<wire::ProctorAlert>(heard), "r:observer").1,
        "trust-score-update" => (same::<wire::TrustScoreUpdate>(heard), "r:observer").1,
        "interview-interrupted" | "storage-unavailable" => (same::<wire::Interrupted>(heard), "r:observer").1,
        "interview-completed" => (same::<wire::InterviewCompleted>(heard), "r:observer").1,
        "stt-unavailable" => (same::<wire::Interrupted>(heard), "r:candidate,observer").1,
        "stt-available" => "r:candidate,observer",
        other => panic!("no such event: {other}"),
    };
    assert_eq!(heard.head.split(' ').next(), Some(audience), "{}", heard.name);
}
