//! Redis, PostgreSQL and the vendors as the tests of the conductor have them: in memory, with the faults that a test wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::time::sleep;
use uuid::Uuid;

use super::records::{Postgres, Rows};
use crate::core::StreamId;
use crate::core::clock::now_ms;
use crate::core::sync::lock;
use crate::features::interviews::conductor::ports::*;
use crate::features::interviews::conductor::{Conductor, Parts};
use crate::features::interviews::providers::Providers;
use crate::features::interviews::scripts::{AudioEntry, GivenAnswer, Heard, Outage, Session, SessionState, Trust, Turn};
use crate::features::interviews::wire::{Question, Summary};

pub const ID: Uuid = Uuid::from_u128(7);

/// What Redis holds.
pub struct Kept {
    pub session: Session,
    pub audio: Vec<AudioEntry>,
    pub turns: Vec<Turn>,
    stream: Option<(String, i64)>,
    heard_bytes: u32,
    pub lease: Option<String>,
    /// What was told to whom, in order.
    pub told: Vec<String>,
    pub is_away: bool,
    pub reads: usize,
    pub handed_on: usize,
    pub stored_noticed: usize,
    next: u64,
}

/// Redis as one node sees it.
#[derive(Clone)]
pub struct Redis {
    pub kept: Arc<Mutex<Kept>>,
    node: String,
    /// Nodes that are taken for dead.
    dead: Arc<Mutex<Vec<String>>>,
    /// Those that are.
    killed: Arc<Mutex<Vec<String>>>,
}

impl Redis {
    fn with<T: Send + 'static>(&self, what: impl FnOnce(&mut Kept) -> T) -> BoxFuture<'static, Result<T, Away>> {
        let is_dead = lock(&self.killed).contains(&self.node);
        let mut kept = lock(&self.kept);
        let result = if is_dead || kept.is_away { Err(Away) } else { Ok(what(&mut kept)) };
        drop(kept);
        Box::pin(async move {
            // As far as to Redis and back.
            sleep(Duration::from_millis(1)).await;
            if is_dead { std::future::pending().await } else { result }
        })
    }
}

impl State for Redis {
    fn lease(&self, _: Uuid) -> BoxFuture<'_, Result<Lease, Away>> {
        let (node, dead) = (self.node.clone(), lock(&self.dead).clone());
        self.with(move |kept| match &kept.lease {
            Some(other) if *other != node && !dead.contains(other) => Lease::Busy { for_ms: 10_000 },
            _ => {
                kept.lease = Some(node);
                Lease::Held
            }
        })
    }

    fn release(&self, _: Uuid) -> BoxFuture<'_, ()> {
        let node = self.node.clone();
        let released = self.with(move |kept| {
            if kept.lease.as_ref() == Some(&node) {
                kept.lease = None;
            }
        });
        Box::pin(async move { released.await.unwrap_or_default() })
    }

    fn read(&self, _: Uuid, after: StreamId, to: Option<StreamId>, bytes: usize) -> BoxFuture<'_, Result<Option<Reading>, Away>> {
        self.with(move |kept| {
            kept.reads += 1;
            let (mut audio, mut taken, mut more) = (Vec::new(), 0, false);
            for entry in kept.audio.iter().filter(|entry| entry.id > after && to.is_none_or(|to| entry.id <= to)) {
                more = taken >= bytes;
                if more {
                    break;
                }
                taken += entry.pcm.len();
                audio.push(entry.clone());
            }
            Some(Reading { session: kept.session.clone(), audio, more })
        })
    }

    fn stream<'a>(&'a self, _: Uuid, stream: &'a str) -> BoxFuture<'a, Result<Option<Heard>, Away>> {
        let stream = stream.to_owned();
        self.with(move |kept| {
            kept.stream = Some((stream, -1));
            let heard = Heard { entry: kept.session.heard, bytes: kept.heard_bytes };
            (!kept.session.state.has_ended()).then_some(heard)
        })
    }

    fn partial<'a>(&'a self, _: Uuid, _: &'a str, text: &'a str, _: f64) -> BoxFuture<'a, Result<(), Away>> {
        let text = format!("partial {text}");
        self.with(move |kept| kept.told.push(text))
    }

    fn note<'a>(&'a self, _: Uuid, turn: &'a Turn, heard: Heard) -> BoxFuture<'a, Result<Noted, Away>> {
        let turn = turn.clone();
        self.with(move |kept| {
            let Some((stream, order)) = &mut kept.stream else { return Noted::Stale };
            if *stream != turn.stream {
                return Noted::Stale;
            }
            if i64::from(turn.order) <= *order {
                return Noted::Kept;
            }
            *order = i64::from(turn.order);
            (kept.session.heard, kept.heard_bytes) = (heard.entry, heard.bytes);
            if kept.session.state.has_ended() {
                return Noted::Late;
            }
            kept.told.push(format!("final {}", turn.text));
            if turn.position < kept.session.position {
                return Noted::Late;
            }
            kept.turns.push(turn);
            Noted::Kept
        })
    }

    fn hear<'a>(&'a self, _: Uuid, _: &'a str, heard: StreamId) -> BoxFuture<'a, Result<(), Away>> {
        self.with(move |kept| (kept.session.heard, kept.heard_bytes) = (kept.session.heard.max(heard), 0))
    }

    fn turns(&self, _: Uuid) -> BoxFuture<'_, Result<Vec<Turn>, Away>> {
        self.with(|kept| kept.turns.iter().filter(|turn| turn.position == kept.session.position).cloned().collect())
    }

    fn ask<'a>(&'a self, _: Uuid, asking: &'a Asking) -> BoxFuture<'a, Result<bool, Away>> {
        let asking = asking.clone();
        self.with(move |kept| {
            let session = &mut kept.session;
            let turns = kept.turns.iter().filter(|turn| turn.position == session.position).count();
            if session.position == asking.from && session.answer.is_some() && turns > asking.turns {
                return false;
            }
            let Some(answer) = session.answer.take_if(|_| session.position == asking.from) else { return true };
            if session.heard < answer.audio_to {
                (session.heard, kept.heard_bytes) = (answer.audio_to, 0);
            }
            session.audio_from = answer.audio_to;
            kept.audio.retain(|entry| entry.id > answer.audio_to);
            kept.turns.retain(|turn| turn.position > asking.from);
            let score = asking.evaluation.map_or("null".to_owned(), |evaluation| evaluation.score.to_string());
            kept.told.push(format!("progress {} score {score}", asking.progress.current_question));
            match asking.question {
                Some(question) => {
                    kept.told.push(format!("question {} {:?} audio {:?}", question.order, question.text, question.audio_url));
                    session.position += 1;
                    session.asked = Some(question);
                }
                None => {
                    kept.told.push("complete".into());
                    session.state = SessionState::Completed;
                    session.rev += 1;
                }
            }
            true
        })
    }

    fn summarize<'a>(&'a self, _: Uuid, summary: &'a Summary) -> BoxFuture<'a, Result<(), Away>> {
        let score = summary.overall_score.map_or("null".to_owned(), |score| score.to_string());
        self.with(move |kept| {
            if !std::mem::replace(&mut kept.session.summary_told, true) {
                kept.told.push(format!("summary {score}"));
            }
        })
    }

    fn outage<'a>(&'a self, _: Uuid, what: Outage, reason: Option<&'a str>) -> BoxFuture<'a, Result<(), Away>> {
        let reason = reason.map(str::to_owned);
        self.with(move |kept| {
            let (name, flag) = match what {
                Outage::SpeechToText => ("stt", &mut kept.session.stt_down),
                Outage::Storage => ("storage", &mut kept.session.storage_down),
            };
            if *flag != reason.is_some() {
                *flag = reason.is_some();
                kept.told.push(reason.map_or(format!("{name} available"), |reason| format!("{name} unavailable {reason}")));
            }
        })
    }

    fn store_noticed(&self, _: Uuid) -> BoxFuture<'_, Result<(), Away>> {
        self.with(|kept| kept.stored_noticed += 1)
    }

    fn hand_on(&self, _: Uuid) -> BoxFuture<'_, ()> {
        let handed_on = self.with(|kept| kept.handed_on += 1);
        Box::pin(async move { handed_on.await.unwrap_or_default() })
    }
}

/// An interview whose first question is asked, and one node or more that conduct it.
pub struct World {
    pub redis: Redis,
    pub postgres: Postgres,
    dead: Arc<Mutex<Vec<String>>>,
}

impl World {
    pub fn new() -> Self {
        let asked = Question {
            question_id: "q-1".into(),
            text: "Question 1?".into(),
            audio_url: String::new(),
            kind: "OPEN".into(),
            order: 1,
        };
        let session = Session {
            id: Uuid::from_u128(8),
            state: SessionState::Active,
            rev: 2,
            created_at: 1,
            started_at: Some(1),
            ended_at: None,
            sid: "s".into(),
            user: "u".into(),
            lost_at: None,
            heartbeat_at: None,
            position: 1,
            total: 3,
            asked: Some(asked),
            progress: None,
            answer: None,
            heard: StreamId::default(),
            audio_from: StreamId::default(),
            trust: Trust::default(),
            stt_down: false,
            storage_down: false,
            summary_told: false,
        };
        let kept = Kept {
            session,
            audio: Vec::new(),
            turns: Vec::new(),
            stream: None,
            heard_bytes: 0,
            lease: None,
            told: Vec::new(),
            is_away: false,
            reads: 0,
            handed_on: 0,
            stored_noticed: 0,
            next: 1,
        };
        let dead = Arc::<Mutex<Vec<String>>>::default();
        let redis = Redis { kept: Arc::new(Mutex::new(kept)), node: String::new(), dead: dead.clone(), killed: Arc::default() };
        Self { redis, postgres: Postgres::default(), dead }
    }

    /// A node with these vendors.
    pub fn node(&self, name: &str, providers: Providers) -> Arc<Conductor> {
        let state = Arc::new(Redis { node: name.into(), ..self.redis.clone() });
        Conductor::new(Parts { state, records: Arc::new(self.postgres.clone()), providers })
    }

    pub fn kept<T>(&self, what: impl FnOnce(&mut Kept) -> T) -> T {
        what(&mut lock(&self.redis.kept))
    }

    pub fn rows<T>(&self, what: impl FnOnce(&mut Rows) -> T) -> T {
        what(&mut lock(&self.postgres.0))
    }

    pub fn told(&self) -> Vec<String> {
        self.kept(|kept| kept.told.clone())
    }

    /// The same without what was told in between.
    pub fn told_without_partials(&self) -> Vec<String> {
        self.told().into_iter().filter(|told| !told.starts_with("partial")).collect()
    }

    /// A node is killed: it asks Redis nothing any more.
    pub fn dies(&self, node: &str) {
        lock(&self.redis.killed).push(node.into());
        self.seems_dead(node);
    }

    /// A node is taken for dead, but was only slow.
    pub fn seems_dead(&self, node: &str) {
        lock(&self.dead).push(node.into());
    }

    /// A chunk of 250 ms is taken in which one word is said.
    pub fn says(&self, word: u16) {
        self.kept(|kept| {
            let (id, session) = (StreamId { ms: kept.next, seq: 0 }, &kept.session);
            let position = session.position + u32::from(session.answer.is_some());
            let pcm = [&word.to_le_bytes()[..], &[0; 7_998]].concat().into();
            kept.audio.push(AudioEntry { id, position, pcm });
            kept.next += 1;
        });
    }

    /// `response-complete` is taken.
    pub fn answers(&self, transcription: &str) {
        self.kept(|kept| {
            let question_id = format!("q-{}", kept.session.position);
            let audio_to = kept.audio.last().map_or(StreamId::default(), |entry| entry.id);
            let transcription = transcription.to_owned();
            kept.session.answer =
                Some(GivenAnswer { question_id, transcription, audio_url: String::new(), at: now_ms(), audio_to });
        });
    }

    /// Waits until something was told.
    pub async fn until_told(&self, what: &str) {
        self.until(what, |world| world.told().iter().any(|told| told.starts_with(what))).await;
    }

    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..20_000 {
            if holds(self) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("not in time: {what}; told: {:?}", self.told());
    }
}

/// The samples of a file.
pub fn words(file: &Bytes) -> Vec<u16> {
    file[44..].chunks(8_000).map(|chunk| u16::from_le_bytes([chunk[0], chunk[1]])).collect()
}
