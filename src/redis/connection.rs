//! The connection to one master: takes batches of calls from the dispatcher, sends one pipeline at a time, and handles the
//! answers.
//!
//! If an answer does not come in time, the connection is closed. The next connection first kills the old one on the server, so
//! that no command of it is executed later.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Arg, Cmd, Pipeline, ServerError, Value, cmd};
use rand::Rng as _;
use tokio::sync::Notify;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::RedisError;
use super::call::{Entry, Route};
use super::dial::{Address, Link};
use super::dispatcher::{Dispatcher, QueueId, Take};
use super::script::Script;

const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const LAST_BACKOFF: Duration = Duration::from_millis(500);
/// How long a slot is paused after an error that will pass, such as TRYAGAIN.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// The connection broke, or must be replaced.
struct Broken;

/// Serves a master's queue until the client is dropped or the master owns no slot any more.
pub(super) async fn run(dispatcher: Arc<Dispatcher>, id: QueueId, address: Address, wake_up: Arc<Notify>) {
    let serve = serve(&dispatcher, id, &address, &wake_up);
    let _ = dispatcher.context.cancel.run_until_cancelled(serve).await;
}

async fn serve(dispatcher: &Dispatcher, id: QueueId, address: &Address, wake_up: &Notify) {
    let mut previous = None;
    let mut backoff = FIRST_BACKOFF;
    while !dispatcher.remove_if_retired(id) {
        match dispatcher.context.dial.link(address, previous.as_ref(), |_| {}).await {
            Ok(link) => {
                tracing::debug!(%address, "connected");
                backoff = FIRST_BACKOFF;
                previous = link.name.clone();
                dispatcher.set_up(id, true);
                let mut connection = Connection { dispatcher, id, address, link, loaded: HashSet::new() };
                let Err(Broken) = connection.run(wake_up).await else { return };
                drop(connection);
                dispatcher.set_up(id, false);
                tracing::info!(%address, "the connection to Redis broke");
            }
            Err(error) => tracing::debug!(%address, %error, "no connection to Redis"),
        }
        dispatcher.context.topology.request_refresh();
        let jitter = rand::rng().random_range(0.75..1.25);
        tokio::time::sleep(backoff.mul_f64(jitter)).await;
        backoff = (backoff * 2).min(LAST_BACKOFF);
    }
}

/// An open connection.
struct Connection<'a> {
    dispatcher: &'a Dispatcher,
    id: QueueId,
    address: &'a Address,
    link: Link,
    /// The hashes of the scripts that this connection has sent in full.
    loaded: HashSet<&'static str>,
}

impl Connection<'_> {
    /// Sends pipelines until the connection breaks, or until the master owns no slot any more (`Ok`).
    async fn run(&mut self, wake_up: &Notify) -> Result<(), Broken> {
        let mut ping =
            tokio::time::interval_at(Instant::now() + self.dispatcher.context.config.ping, self.dispatcher.context.config.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match self.dispatcher.take(self.id) {
                Take::Batch(batch) => self.send(batch).await?,
                Take::Wait(wake) => {
                    if self.dispatcher.remove_if_retired(self.id) {
                        return Ok(());
                    }
                    self.wait(wake_up, wake, &mut ping).await?;
                }
            }
        }
    }

    async fn wait(&mut self, wake_up: &Notify, wake: Option<Instant>, ping: &mut Interval) -> Result<(), Broken> {
        let pause = async {
            match wake {
                Some(wake) => tokio::time::sleep_until(wake).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wake_up.notified() => Ok(()),
            () = pause => Ok(()),
            () = self.link.gone.cancelled() => Err(Broken),
            // Notices a server that has vanished before a call needs it.
            _ = ping.tick() => {
                let limit = self.dispatcher.context.config.response_timeout;
                match tokio::time::timeout(limit, self.link.con.send_packed_command(&cmd("PING"))).await {
                    Ok(Ok(_)) => Ok(()),
                    _ => Err(Broken),
                }
            }
        }
    }

    /// Sends one pipeline and handles its answers.
    async fn send(&mut self, batch: Vec<Entry>) -> Result<(), Broken> {
        let batch = InFlight::build(batch, &mut self.loaded, self.dispatcher, self.id);
        let slots: Vec<u16> = batch.entries.iter().map(|entry| entry.entry.slot).collect();
        self.dispatcher.stats.count(slots.len());
        let config = &self.dispatcher.context.config;
        let limit = config.response_timeout + if batch.waits { config.ack_timeout } else { Duration::ZERO };
        let count = batch.pipe.len();
        let answers = self.link.con.send_packed_commands(&batch.pipe, 0, count);
        let (back, result) = match tokio::time::timeout(limit, answers).await {
            Ok(Ok(answers)) if answers.len() == count => (self.sort(batch, answers), Ok(())),
            _ => (batch.lost(), Err(Broken)),
        };
        self.dispatcher.finished(&slots, back);
        result
    }

    /// Answers the callers. Returns the calls to send again, in order, each with its route.
    fn sort(&mut self, batch: InFlight, answers: Vec<Value>) -> Vec<(Entry, Route)> {
        let config = &self.dispatcher.context.config;
        if let (true, Some(Value::ServerError(error))) = (batch.waits, answers.last()) {
            self.dispatcher.context.dial.refusals.note(self.address, error);
        }
        let short = batch.waits && !matches!(answers.last(), Some(Value::Int(n)) if *n >= config.ack_replicas as i64);
        let mut answers: Vec<Option<Value>> = answers.into_iter().map(Some).collect();
        let mut back = Vec::new();
        let InFlight { pipe, entries, .. } = batch;
        for BatchEntry { entry, at, moved_in } in entries {
            match answers.get_mut(at).and_then(Option::take) {
                Some(Value::ServerError(error)) => {
                    self.dispatcher.context.dial.refusals.note(self.address, &error);
                    match self.route_after(&entry, &error) {
                        Some(route) => back.push((with_command_back(entry, &pipe, at, moved_in), route)),
                        None => {
                            let message = error.details().unwrap_or_default().to_owned();
                            entry.answer(Err(RedisError::Script { code: error.code().to_owned(), message }));
                        }
                    }
                }
                Some(value) if entry.acknowledged && short => entry.answer(Err(RedisError::Unconfirmed { value })),
                Some(value) => entry.answer(Ok(value)),
                None => entry.answer(Err(RedisError::Unknown)),
            }
        }
        back
    }

    /// Where a call goes after this error; `None`: the error is the answer. Redis sends all of these before it executes anything.
    fn route_after(&mut self, entry: &Entry, error: &ServerError) -> Option<Route> {
        let target = || Address::parse(error.details()?.split_ascii_whitespace().nth(1)?, self.address);
        match error.code() {
            "NOSCRIPT" => {
                self.loaded.remove(entry.script?.sha());
                Some(Route::Owner(Duration::ZERO))
            }
            "MOVED" => {
                match target() {
                    // Moved to the master that answered: the cluster has not agreed yet.
                    Some(address) if address == *self.address => return Some(Route::Owner(RETRY_PAUSE)),
                    Some(address) => self.dispatcher.context.topology.moved(entry.slot, &address),
                    None => self.dispatcher.context.topology.request_refresh(),
                }
                Some(Route::Owner(Duration::ZERO))
            }
            "ASK" => Some(target().map_or(Route::Owner(RETRY_PAUSE), Route::Ask)),
            "TRYAGAIN" | "BUSY" | "NOREPLICAS" | "MISCONF" | "OOM" => Some(Route::Owner(RETRY_PAUSE)),
            "CLUSTERDOWN" | "LOADING" | "READONLY" | "MASTERDOWN" => {
                self.dispatcher.context.topology.request_refresh();
                Some(Route::Owner(RETRY_PAUSE * 5))
            }
            _ => None,
        }
    }
}

/// A pipeline in flight and the calls in it.
struct InFlight {
    pipe: Pipeline,
    entries: Vec<BatchEntry>,
    /// It ends with `WAIT`.
    waits: bool,
}

struct BatchEntry {
    entry: Entry,
    /// The index of its command in the pipeline, and so of its answer.
    at: usize,
    /// The command itself was moved into the pipeline; otherwise the pipeline holds an `EVAL` made from it.
    moved_in: bool,
}

impl InFlight {
    fn build(batch: Vec<Entry>, loaded: &mut HashSet<&'static str>, dispatcher: &Dispatcher, queue: QueueId) -> Self {
        let mut pipe = Pipeline::with_capacity(batch.len() + 1);
        let mut entries = Vec::with_capacity(batch.len());
        let acknowledged = batch.iter().any(|entry| entry.acknowledged);
        for mut entry in batch {
            if entry.asking {
                pipe.add_command(cmd("ASKING"));
            }
            let at = pipe.len();
            let moved_in = match entry.script {
                Some(script) if loaded.insert(script.sha()) => {
                    pipe.add_command(with_source(&entry.cmd, script));
                    false
                }
                _ => {
                    pipe.add_command(std::mem::replace(&mut entry.cmd, Cmd::new()));
                    true
                }
            };
            entries.push(BatchEntry { entry, at, moved_in });
        }
        let config = &dispatcher.context.config;
        let waits = acknowledged && config.ack_replicas > 0 && dispatcher.replicas(queue) > 0;
        if waits {
            pipe.cmd("WAIT").arg(config.ack_replicas).arg(config.ack_timeout.as_millis() as u64);
        }
        Self { pipe, entries, waits }
    }

    /// No answer came: calls that may be repeated are returned, the others are answered with `Unknown`.
    fn lost(self) -> Vec<(Entry, Route)> {
        let mut back = Vec::new();
        for BatchEntry { mut entry, at, moved_in } in self.entries {
            if entry.repeatable {
                entry.maybe_done = true;
                back.push((with_command_back(entry, &self.pipe, at, moved_in), Route::Owner(Duration::ZERO)));
            } else {
                entry.answer(Err(RedisError::Unknown));
            }
        }
        back
    }
}

/// Gives the entry its command back. This is rare, so that the pipeline may be searched for it.
fn with_command_back(mut entry: Entry, pipe: &Pipeline, at: usize, moved_in: bool) -> Entry {
    if let (true, Some(cmd)) = (moved_in, pipe.cmd_iter().nth(at)) {
        entry.cmd = cmd.clone();
    }
    entry
}

/// The `EVAL` for an `EVALSHA`.
fn with_source(evalsha: &Cmd, script: &Script) -> Cmd {
    let mut eval = cmd("EVAL");
    eval.arg(script.source());
    for arg in evalsha.args_iter().skip(2) {
        if let Arg::Simple(bytes) = arg {
            eval.arg(bytes);
        }
    }
    eval
}
