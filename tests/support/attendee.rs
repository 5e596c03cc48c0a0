//! One of very many in an incident: it keeps only what tells who is there, as text that all who have heard the same share.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::Message;

use super::roster::Roster;

const PATIENCE: Duration = Duration::from_secs(60);

/// What it has heard. It goes on over a cut.
#[derive(Default)]
pub struct Seen {
    /// Names and payloads of `sos:state` and `presence:update`, in order.
    pub told: Vec<(&'static str, Arc<str>)>,
    /// ms from the send of a position, which carries that as its accuracy, to its receipt.
    pub latencies: Vec<u32>,
    /// The present connection has its reply to CONNECT.
    connected: bool,
    pid: Option<String>,
    offset: Option<String>,
    /// Why it was closed by the hub.
    pub closed: Option<String>,
}

/// A connected member. Dropping it cuts its link without a word.
pub struct Attendee {
    seen: Arc<Mutex<Seen>>,
    outgoing: mpsc::UnboundedSender<String>,
    task: AbortHandle,
    token: String,
}

/// ms since this process began to ask.
pub fn clock() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64() * 1000.0
}

/// The one copy of a text.
fn shared(text: &str) -> Arc<str> {
    static TEXTS: LazyLock<Mutex<HashSet<Arc<str>>>> = LazyLock::new(Mutex::default);
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = texts.get(text) {
        return known.clone();
    }
    let new: Arc<str> = text.into();
    texts.insert(new.clone());
    new
}

impl Attendee {
    /// Connects to `host:port`, again if it is told to try again, until it is a member of the incident of its token.
    pub async fn come(address: &str, token: &str) -> Self {
        loop {
            let attendee = Self::connect(address, token.to_owned(), Arc::default()).await;
            if attendee.is_told().await {
                return attendee;
            }
        }
    }

    /// Its link is cut and it comes back to `host:port`; whether it was recovered.
    pub async fn move_to(self, address: &str) -> (Self, bool) {
        self.task.abort();
        let before = self.seen().pid.clone();
        loop {
            let moved = Self::connect(address, self.token.clone(), self.seen.clone()).await;
            if moved.is_told().await {
                let recovered = moved.seen().pid == before;
                return (moved, recovered);
            }
        }
    }

    async fn connect(address: &str, token: String, seen: Arc<Mutex<Seen>>) -> Self {
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket&recovery=1");
        let started = Instant::now();
        let mut socket = loop {
            match tokio_tungstenite::connect_async(&url).await {
                Ok((socket, _)) => break socket,
                Err(error) => assert!(started.elapsed() < PATIENCE, "cannot connect: {error}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let mut auth = json!({ "token": token });
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(pid) = &seen.pid {
                auth["pid"] = pid.as_str().into();
            }
            if let Some(offset) = &seen.offset {
                auth["offset"] = offset.as_str().into();
            }
            (seen.connected, seen.closed) = (false, None);
        }
        socket.send(Message::text(format!("40{auth}"))).await.expect("a connection");
        let (outgoing, mut orders) = mpsc::unbounded_channel::<String>();
        let keeps = seen.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    message = socket.next() => match message {
                        Some(Ok(Message::Text(text))) if text.as_str() == "2" => {
                            let _ = socket.send(Message::text("3")).await;
                        }
                        Some(Ok(Message::Text(text))) => keeps.lock().unwrap_or_else(PoisonError::into_inner).hear(&text),
                        Some(Ok(Message::Close(frame))) => {
                            keeps.lock().unwrap_or_else(PoisonError::into_inner).closed = Some(format!("{frame:?}"));
                            return;
                        }
                        Some(Ok(_)) => {}
                        end => {
                            let mut seen = keeps.lock().unwrap_or_else(PoisonError::into_inner);
                            seen.closed = Some(format!("{:?}", end.map(|end| end.map(|_| ()))));
                            return;
                        }
                    },
                    order = orders.recv() => match order {
                        Some(order) => drop(socket.send(Message::text(order)).await),
                        None => return,
                    },
                }
            }
        });
        Self { seen, outgoing, task: task.abort_handle(), token }
    }

    /// Waits for the state; false if it was closed before.
    async fn is_told(&self) -> bool {
        let has_state = |seen: &Seen| seen.told.iter().any(|(name, _)| *name == "sos:state");
        self.wait("the state", |seen| seen.closed.is_some() || seen.connected && has_state(seen)).await;
        self.seen().closed.is_none()
    }

    pub fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until what it has seen fits.
    pub async fn wait(&self, what: &str, fits: impl Fn(&Seen) -> bool) {
        let started = Instant::now();
        while !fits(&self.seen()) {
            assert!(started.elapsed() < PATIENCE, "it never had {what}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub fn emit(&self, event: &str, payload: Value) {
        let _ = self.outgoing.send(format!("42{}", json!([event, payload])));
    }

    /// Its list, by all that it was told.
    pub fn roster(&self, read: &mut Read) -> Roster {
        let mut roster = Roster::default();
        for (name, text) in &self.seen().told {
            roster.apply(name, read.0.entry(text.clone()).or_insert_with(|| serde_json::from_str(text).expect("JSON")));
        }
        roster
    }
}

impl Drop for Attendee {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Payloads that were read once for all.
#[derive(Default)]
pub struct Read(HashMap<Arc<str>, Value>);

impl Seen {
    fn hear(&mut self, text: &str) {
        if let Some(reply) = text.strip_prefix("40") {
            let reply: Value = serde_json::from_str(reply).expect("JSON");
            let pid = reply["pid"].as_str().map(str::to_owned);
            if self.pid != pid {
                // A new connection knows nothing yet.
                (self.told, self.offset) = (Vec::new(), None);
            }
            (self.pid, self.connected) = (pid, true);
            return;
        }
        if text.starts_with("44") {
            self.closed = Some(text.to_owned());
            return;
        }
        let Some(event) = text.strip_prefix("42[") else { return };
        // The offset is the last argument, if there is one.
        let end = event.rfind("},\"").map_or(event.len() - 1, |at| at + 1);
        if let Some(offset) = event[end..].strip_prefix(",\"").and_then(|rest| rest.strip_suffix("\"]")) {
            self.offset = Some(offset.to_owned());
        }
        for name in ["sos:state", "presence:update"] {
            if let Some(payload) = event[..end].strip_prefix(&format!("\"{name}\",")) {
                self.told.push((name, shared(payload)));
            }
        }
        if let Some(payload) = event[..end].strip_prefix("\"location:broadcast\",") {
            let fix: Value = serde_json::from_str(payload).expect("JSON");
            self.latencies.push((clock() - fix["accuracy"].as_f64().unwrap_or_default()).max(0.0) as u32);
        }
    }
}
