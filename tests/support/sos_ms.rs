//! An SOS service as one would write it that has never seen the hub's code: it keeps records, takes events, and calls.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::hub::INTERNAL;
use super::stub_http::{Answer, Asked, StubHttp};

/// Whether it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Up,
    /// 503 to everything.
    Down,
    /// Connections are cut without an answer.
    Cut,
    /// Takes requests and never answers.
    Silent,
}

/// The service; it ends when this is dropped.
pub struct SosMs {
    stub: StubHttp,
    state: Arc<Mutex<State>>,
}

struct State {
    mood: Mood,
    records: HashMap<String, Value>,
    /// What it took (2xx), in the order of arrival, repetitions included.
    taken: Vec<Value>,
    /// Messages with such a text are answered so, each text once or always.
    odd: HashMap<String, Odd>,
    faults: Vec<String>,
}

/// How a certain message is answered.
#[derive(Clone, Copy, Debug)]
pub enum Odd {
    /// Always with this status, without being taken.
    Status(u16),
    /// With this status the first time only.
    Once(u16),
    /// It is taken, but the first answer is lost.
    Lost,
}

impl SosMs {
    pub async fn start() -> Self {
        let stub = StubHttp::start(Answer::Silence).await;
        let (records, taken, odd, faults) = Default::default();
        let state = Arc::new(Mutex::new(State { mood: Mood::Up, records, taken, odd, faults }));
        let shared = state.clone();
        stub.decide_by(move |asked| shared.lock().unwrap().answer(asked));
        Self { stub, state }
    }

    pub fn url(&self) -> String {
        self.stub.url()
    }

    pub fn set(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// It knows this SOS from now on.
    pub fn knows(&self, sos: &str, record: Value) {
        self.state().records.insert(sos.into(), record);
    }

    pub fn answers_oddly(&self, text: &str, odd: Odd) {
        self.state().odd.insert(text.into(), odd);
    }

    /// Events of an SOS that it took, each once, in the order in which they came first.
    pub fn events(&self, sos: &str) -> Vec<Value> {
        let mut seen = HashSet::new();
        let state = self.state();
        let events = state.taken.iter().filter(|event| event["sosId"] == sos);
        events.filter(|event| seen.insert(event["id"].clone())).cloned().collect()
    }

    /// [`SosMs::events`] of one type.
    pub fn events_of(&self, sos: &str, kind: &str) -> Vec<Value> {
        self.events(sos).into_iter().filter(|event| event["type"] == kind).collect()
    }

    /// How often an event was taken.
    pub fn times(&self, id: &Value) -> usize {
        self.state().taken.iter().filter(|event| event["id"] == *id).count()
    }

    /// All that it was asked.
    pub fn asked(&self) -> Vec<Asked> {
        self.stub.asked()
    }

    /// Every call carried what it must.
    pub fn assert_content(&self) {
        assert_eq!(self.state().faults, Vec::<String>::new());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Answer {
        if asked.path == "/health" {
            return Answer::json(200, &json!({"status": "ok"}));
        }
        if asked.header("x-internal-token") != INTERNAL || asked.header("x-request-id").is_empty() {
            self.faults.push(format!("{asked:?}"));
            return Answer::json(401, &json!({"error": "INVALID_TOKEN"}));
        }
        match self.mood {
            Mood::Up => {}
            Mood::Down => return Answer::json(503, &json!({})),
            Mood::Cut => return Answer::Cut,
            Mood::Silent => return Answer::Silence,
        }
        match (asked.method.as_str(), asked.path.strip_prefix("/internal/sos/")) {
            ("GET", Some(id)) => match self.records.get(id) {
                Some(record) => Answer::json(200, &json!({"success": true, "data": record})),
                None => Answer::json(404, &json!({"success": false, "error": "SOS not found"})),
            },
            ("POST", None) if asked.path == "/internal/realtime/event" => self.take(asked),
            _ => {
                self.faults.push(format!("{asked:?}"));
                Answer::json(404, &json!({}))
            }
        }
    }

    fn take(&mut self, asked: &Asked) -> Answer {
        let event: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
        let complete = event["id"] == asked.header("idempotency-key")
            && event["type"] == event["event"]
            && event["sosId"].is_string()
            && event["data"].is_object()
            && event["timestamp"].is_u64()
            && asked.header("content-type") == "application/json";
        if !complete {
            self.faults.push(format!("{asked:?}"));
        }
        let text = event["data"]["text"].as_str().unwrap_or_default();
        match self.odd.get(text).copied() {
            Some(Odd::Status(status)) => return Answer::json(status, &json!({})),
            Some(Odd::Once(status)) => {
                self.odd.remove(text);
                return Answer::json(status, &json!({}));
            }
            Some(Odd::Lost) => {
                self.odd.remove(text);
                self.taken.push(event);
                return Answer::Cut;
            }
            None => {}
        }
        self.taken.push(event);
        Answer::json(200, &json!({"success": true}))
    }
}
