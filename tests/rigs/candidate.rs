//! A candidate that always comes back. It says numbers, 50 ms each, until each chunk is acknowledged, answers every question once, and
//! keeps a record of what it was told. Its link can be cut so that the hub notices, and so that it does not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::{SinkExt as _, StreamExt as _};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::support::roamer::Cut;
use crate::support::vendors::speech::numbered;

type Link = WebSocketStream<TcpStream>;

/// A handshake that takes longer is given up.
const OPEN: Duration = Duration::from_secs(5);
/// An acknowledgement that takes longer is not waited for; the event is repeated.
const ACK: Duration = Duration::from_secs(7);
/// That of an answer comes with the next question.
const ACK_OF_ANSWER: Duration = Duration::from_secs(70);
/// What was refused for now is repeated after this.
const AGAIN: Duration = Duration::from_millis(300);
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_millis(1_500));
/// How long a link that was cut silently stands on the hub's side.
const UNDEAD: Duration = Duration::from_secs(40);
/// Numbers of a chunk, and how often one comes.
const NUMBERS: i16 = 10;
const PACE: Duration = Duration::from_millis(500);
/// A question that was promised comes in this time, or it joins once more.
const PATIENCE: Duration = Duration::from_secs(45);

#[derive(Clone, Debug)]
pub struct Habits {
    /// `host:port` of the balancer.
    pub address: String,
    pub interview: String,
    pub token: String,
    /// Chunks of one answer.
    pub chunks: u32,
    /// Of all that it does at random.
    pub seed: u64,
}

/// What it has lived through; the judge's evidence.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Numbers that were acknowledged.
    pub acked: Vec<i64>,
    /// Final texts.
    pub finals: Vec<String>,
    /// Orders of the questions that were asked, as they came.
    pub questions: Vec<u64>,
    /// Answers that were acknowledged, by the order of their question.
    pub answers: Vec<u64>,
    pub completed: bool,
    /// Refusals, by code.
    pub refusals: BTreeMap<String, u32>,
    pub reconnects: u32,
    /// How often it had to ask for a question that did not come by itself.
    pub nudges: u32,
    /// What must not happen to it at all, in words.
    pub wrongs: Vec<String>,
}

#[derive(Default)]
struct Shared {
    record: Mutex<Record>,
    /// It says nothing more and answers at once.
    hurries: std::sync::atomic::AtomicBool,
}

/// Dropping it cuts its link without a word.
pub struct Candidate {
    shared: Arc<Shared>,
    cuts: mpsc::UnboundedSender<Cut>,
    task: AbortHandle,
    pub interview: String,
}

impl Candidate {
    pub fn start(habits: Habits) -> Self {
        let (shared, (cuts, inbox)) = (Arc::<Shared>::default(), mpsc::unbounded_channel());
        let interview = habits.interview.clone();
        let life = Life {
            random: StdRng::seed_from_u64(habits.seed),
            habits,
            shared: shared.clone(),
            inbox,
            pid: None,
            offset: None,
            doing: None,
            has_joined: false,
            order: 0,
            session: String::new(),
            question: String::new(),
            said: 0,
            has_answered: false,
            next_chunk: Instant::now(),
            waits_since: Instant::now(),
            next_number: 1,
            next_ack: 0,
            undead: JoinSet::new(),
        };
        Self { shared, cuts, task: tokio::spawn(life.live()).abort_handle(), interview }
    }

    pub fn cut(&self, how: Cut) {
        let _ = self.cuts.send(how);
    }

    pub fn hurry(&self) {
        self.shared.hurries.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    pub fn record(&self) -> Record {
        lock(&self.shared).clone()
    }

    pub fn is_done(&self) -> bool {
        lock(&self.shared).completed
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Record> {
    shared.record.lock().unwrap()
}

/// What is not acknowledged yet.
struct Doing {
    event: &'static str,
    payload: Value,
    numbers: Vec<i64>,
    /// The number of its latest acknowledgement, as long as one may come.
    awaited: Option<u64>,
    again: Instant,
}

struct Life {
    habits: Habits,
    shared: Arc<Shared>,
    inbox: mpsc::UnboundedReceiver<Cut>,
    random: StdRng,
    pid: Option<String>,
    offset: Option<String>,
    doing: Option<Doing>,
    /// On this connection.
    has_joined: bool,
    /// Of the open question; 0: none was asked yet.
    order: u64,
    session: String,
    question: String,
    said: u32,
    has_answered: bool,
    next_chunk: Instant,
    waits_since: Instant,
    next_number: i16,
    next_ack: u64,
    undead: JoinSet<()>,
}

impl Life {
    async fn live(mut self) {
        let mut failures = 0;
        loop {
            if let Ok(Some(link)) = timeout(OPEN, open(&self.habits.address)).await {
                self.has_joined = false;
                self.connection(link, &mut failures).await;
                lock(&self.shared).reconnects += 1;
            }
            let wait = (BACKOFF.0 * 2_u32.pow(failures.min(5))).min(BACKOFF.1).mul_f64(self.random.random_range(0.5..1.5));
            failures += 1;
            sleep(wait).await;
            while self.inbox.try_recv().is_ok() {}
        }
    }

    async fn connection(&mut self, mut link: Link, failures: &mut u32) {
        let mut auth = json!({"token": self.habits.token});
        if let Some(pid) = &self.pid {
            auth["pid"] = json!(pid);
            auth["offset"] = json!(self.offset);
        }
        let mut connected = false;
        let mut heartbeat = Duration::from_secs(45);
        let mut dead = Instant::now() + heartbeat;
        loop {
            let due = connected.then(|| self.due());
            tokio::select! {
                message = link.next() => {
                    let Some(Ok(Message::Text(text))) = message else {
                        if matches!(message, Some(Ok(Message::Ping(_) | Message::Pong(_)))) { continue }
                        return;
                    };
                    let text = text.as_str();
                    if let Some(open) = text.strip_prefix('0') {
                        let open: Value = serde_json::from_str(open).unwrap_or_default();
                        let ms = |field: &str| Duration::from_millis(open[field].as_u64().unwrap_or(20_000));
                        heartbeat = ms("pingInterval") + ms("pingTimeout");
                        let _ = link.send(Message::text(format!("40/interview,{auth}"))).await;
                    } else if text == "2" {
                        let _ = link.send(Message::text("3")).await;
                    } else if let Some(reply) = text.strip_prefix("40/interview,") {
                        self.connected(serde_json::from_str(reply).unwrap_or_default());
                        (connected, *failures) = (true, 0);
                    } else if let Some(why) = text.strip_prefix("44/interview,") {
                        lock(&self.shared).wrongs.push(format!("CONNECT was refused: {why}"));
                        return;
                    } else if text.starts_with("41/interview") {
                        // Another socket of its own took its place.
                        self.pid = None;
                        return;
                    } else if let Some(event) = text.strip_prefix("42/interview,") {
                        self.event(event);
                    } else if let Some(ack) = text.strip_prefix("43/interview,") {
                        self.acknowledged(ack);
                    }
                    dead = Instant::now() + heartbeat;
                },
                () = at(due) => self.act(&mut link).await,
                () = sleep_until(dead) => return,
                how = self.inbox.recv() => {
                    if how == Some(Cut::Silent) {
                        self.undead.spawn(async move {
                            sleep(UNDEAD).await;
                            drop(link);
                        });
                    }
                    return;
                }
            }
        }
    }

    fn connected(&mut self, reply: Value) {
        let pid = reply["pid"].as_str().map(str::to_owned);
        // One that was recovered is a member already.
        self.has_joined = pid.is_some() && pid == self.pid && self.order > 0;
        self.pid = pid;
        if let Some(doing) = &mut self.doing {
            (doing.awaited, doing.again) = (None, Instant::now());
        }
        if self.doing.as_ref().is_some_and(|doing| matches!(doing.event, "join-interview" | "start-interview")) {
            self.doing = None;
        }
    }

    fn event(&mut self, event: &str) {
        let Some(array) = event.find('[') else { return };
        let Ok(Value::Array(args)) = serde_json::from_str::<Value>(&event[array..]) else { return };
        if self.pid.is_some()
            && args.len() > 1
            && let Some(offset) = args.last().and_then(Value::as_str)
        {
            self.offset = Some(offset.to_owned());
        }
        let (name, payload) = (args[0].as_str().unwrap_or_default(), args.get(1).cloned().unwrap_or_default());
        let mut record = lock(&self.shared);
        match name {
            "question" => {
                let order = payload["order"].as_u64().unwrap_or_default();
                if order <= self.order {
                    return;
                }
                if order != self.order + 1 {
                    record.wrongs.push(format!("question {order} came after {}", self.order));
                }
                record.questions.push(order);
                (self.order, self.said, self.has_answered) = (order, 0, false);
                self.question = payload["questionId"].as_str().unwrap_or_default().to_owned();
                self.next_chunk = Instant::now();
                self.doing = self.doing.take().filter(|doing| doing.event == "audio-chunk");
            }
            "transcription" if payload["isFinal"] == true => {
                record.finals.push(payload["text"].as_str().unwrap_or_default().to_owned());
            }
            "interview-complete" => {
                if record.completed {
                    record.wrongs.push("it was completed twice".into());
                }
                record.completed = true;
                self.doing = None;
            }
            "error" => {
                let code = payload["code"].as_str().unwrap_or_default().to_owned();
                *record.refusals.entry(code).or_default() += 1;
            }
            "progress-update" | "live-transcript" | "trust-score-update" | "interview-completed" => {
                record.wrongs.push(format!("it was told {name}, which is for those who observe"));
            }
            _ => {}
        }
    }

    fn acknowledged(&mut self, ack: &str) {
        let (number, args) = ack.split_at(ack.find('[').unwrap_or(ack.len()));
        let Some(doing) = &mut self.doing else { return };
        if number.parse().ok() != doing.awaited {
            return;
        }
        let reply: Vec<Value> = serde_json::from_str(args).unwrap_or_default();
        let reply = reply.into_iter().next().unwrap_or_default();
        let mut record = lock(&self.shared);
        if reply["ok"] == true {
            let doing = self.doing.take().expect("it was there");
            match doing.event {
                "join-interview" => {
                    self.has_joined = true;
                    self.session = reply["sessionId"].as_str().unwrap_or_default().to_owned();
                }
                "audio-chunk" => {
                    record.acked.extend(doing.numbers);
                    self.said += 1;
                }
                "response-complete" => {
                    record.answers.push(self.order);
                    (self.has_answered, self.waits_since) = (true, Instant::now());
                }
                _ => {}
            }
            return;
        }
        let code = reply["code"].as_str().unwrap_or_default().to_owned();
        match (doing.event, &*code) {
            (_, "UNAVAILABLE" | "UNCONFIRMED" | "RATE_LIMITED") => {}
            // The session has to be joined again.
            (_, "NO_ACTIVE_SESSION" | "SESSION_NOT_FOUND" | "SUPERSEDED") => self.has_joined = false,
            (event, _) => record.wrongs.push(format!("{event} was answered {reply}")),
        }
        *record.refusals.entry(code).or_default() += 1;
        (doing.awaited, doing.again) = (None, Instant::now() + AGAIN);
    }

    fn hurries(&self) -> bool {
        self.shared.hurries.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// When there is something to do.
    fn due(&self) -> Instant {
        let now = Instant::now();
        if lock(&self.shared).completed {
            return now + PATIENCE;
        }
        match &self.doing {
            Some(doing) if self.has_joined || doing.event == "join-interview" => doing.again,
            _ if !self.has_joined || self.order == 0 => now + Duration::from_millis(50),
            _ if self.has_answered => self.waits_since + PATIENCE,
            _ if self.hurries() => now,
            _ => self.next_chunk,
        }
    }

    async fn act(&mut self, link: &mut Link) {
        let now = Instant::now();
        if lock(&self.shared).completed {
            return;
        }
        if self.has_answered && now >= self.waits_since + PATIENCE {
            lock(&self.shared).nudges += 1;
            self.waits_since = now;
            self.has_joined = false;
        }
        let is_joining = self.doing.as_ref().is_some_and(|doing| doing.event == "join-interview");
        if !self.has_joined && !is_joining {
            // What waits is said once it has joined.
            let held = self.doing.take();
            self.doing = Some(self.new_event("join-interview", json!({"interviewId": self.habits.interview})));
            self.send(link).await;
            if let Some(held) = held.filter(|held| held.event == "audio-chunk" || held.event == "response-complete") {
                // It is made anew, under the same id, as its number was not used up.
                self.next_number = held.numbers.first().map_or(self.next_number, |number| *number as i16);
            }
            return;
        }
        if self.doing.is_none() {
            if self.has_answered {
                return;
            }
            let next = if self.order == 0 {
                self.new_event("start-interview", json!({"sessionId": self.session}))
            } else if self.said < self.habits.chunks && !self.hurries() {
                self.next_chunk = now + PACE;
                self.chunk()
            } else {
                let id = format!("{}-answer-{}", self.habits.interview, self.order);
                let payload = json!({"transcription": "", "audioUrl": "", "questionId": self.question, "clientMessageId": id});
                self.new_event("response-complete", payload)
            };
            self.doing = Some(next);
        }
        self.send(link).await;
    }

    fn new_event(&self, event: &'static str, payload: Value) -> Doing {
        Doing { event, payload, numbers: Vec::new(), awaited: None, again: Instant::now() }
    }

    fn chunk(&mut self) -> Doing {
        let first = self.next_number;
        self.next_number += NUMBERS;
        let numbers = first..first + NUMBERS;
        let pcm: Vec<u8> = numbers.clone().flat_map(numbered).collect();
        let payload = json!({"audioData": BASE64_STANDARD.encode(pcm), "clientMessageId": format!("chunk-{first}")});
        let numbers = numbers.map(i64::from).collect();
        Doing { event: "audio-chunk", payload, numbers, awaited: None, again: Instant::now() }
    }

    async fn send(&mut self, link: &mut Link) {
        let Some(doing) = &mut self.doing else { return };
        let number = self.next_ack;
        self.next_ack += 1;
        let patience = if doing.event == "response-complete" { ACK_OF_ANSWER } else { ACK };
        (doing.awaited, doing.again) = (Some(number), Instant::now() + patience);
        let event = json!([doing.event, doing.payload]);
        let _ = timeout(Duration::from_secs(1), link.send(Message::text(format!("42/interview,{number}{event}")))).await;
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn open(address: &str) -> Option<Link> {
    let stream = TcpStream::connect(address).await.ok()?;
    let _ = stream.set_nodelay(true);
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
    let mut request = url.into_client_request().ok()?;
    request.headers_mut().insert("user-agent", "Mozilla/5.0 (the tests)".parse().ok()?);
    Some(tokio_tungstenite::client_async(request, stream).await.ok()?.0)
}

/// What an observer is told of everything that has happened: the events of `observation-started`.
pub async fn observed(address: &str, token: &str, interview: &str) -> Option<Vec<(String, Value)>> {
    let mut link = open(address).await?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Ok(Some(Ok(Message::Text(text)))) = tokio::time::timeout_at(deadline, link.next()).await {
        let text = text.as_str();
        if text.starts_with('0') {
            link.send(Message::text(format!("40/interview,{}", json!({"token": token})))).await.ok()?;
        } else if text == "2" {
            link.send(Message::text("3")).await.ok()?;
        } else if text.starts_with("40/interview,") {
            let event = json!(["observe-interview", {"interviewId": interview}]);
            link.send(Message::text(format!("42/interview,0{event}"))).await.ok()?;
        } else if let Some(ack) = text.strip_prefix("43/interview,0") {
            let ack: Vec<Value> = serde_json::from_str(ack).ok()?;
            let events = ack.first()?["events"].as_array()?.iter();
            return Some(
                events.map(|told| (told["event"].as_str().unwrap_or_default().to_owned(), told["data"].clone())).collect(),
            );
        }
    }
    None
}
