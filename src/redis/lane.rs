//! One master's connection for one purpose: takes pipelines from the board, sends them one at a time, and sorts the answers.
//!
//! A pipeline whose answer does not come takes its connection with it: the socket is closed, and the next connection first kills
//! the old one at the server, so that nothing of it runs behind our back.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{Arg, Cmd, Pipeline, ServerError, Value, cmd};
use rand::Rng as _;
use tokio::sync::Notify;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::RedisError;
use super::call::{Entry, Route};
use super::commit::{Board, LaneId, Take};
use super::dial::{Link, Node};
use super::script::Script;

const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const LAST_BACKOFF: Duration = Duration::from_millis(500);
/// How long a slot rests after an answer that asks for patience.
const PATIENCE: Duration = Duration::from_millis(10);

/// The connection broke, or is not to be trusted any more.
struct Broken;

/// Serves the lane until the client is dropped or the master owns nothing any more.
pub(super) async fn run(board: Arc<Board>, id: LaneId, node: Node, bell: Arc<Notify>) {
    let cancel = board.cancel.clone();
    let _ = cancel.run_until_cancelled(serve(&board, id, &node, &bell)).await;
}

async fn serve(board: &Board, id: LaneId, node: &Node, bell: &Notify) {
    let mut previous = None;
    let mut backoff = FIRST_BACKOFF;
    while !board.leave(id) {
        match board.dial.link(node, previous.as_ref(), |_| {}).await {
            Ok(link) => {
                tracing::debug!(%node, "connected");
                backoff = FIRST_BACKOFF;
                previous = link.name.clone();
                board.set_up(id, true);
                let mut wire = Wire { board, id, node, link, loaded: HashSet::new() };
                let Err(Broken) = wire.pump(bell).await else { return };
                drop(wire);
                board.set_up(id, false);
                tracing::info!(%node, "the connection to Redis broke");
            }
            Err(error) => tracing::debug!(%node, %error, "no connection to Redis"),
        }
        board.topology.doubt();
        let jitter = rand::rng().random_range(0.75..1.25);
        tokio::time::sleep(backoff.mul_f64(jitter)).await;
        backoff = (backoff * 2).min(LAST_BACKOFF);
    }
}

/// A lane with a live connection.
struct Wire<'a> {
    board: &'a Board,
    id: LaneId,
    node: &'a Node,
    link: Link,
    /// By hash: the scripts that this connection has sent in full.
    loaded: HashSet<&'static str>,
}

impl Wire<'_> {
    /// Sends pipelines until the connection breaks, or the lane ends (`Ok`).
    async fn pump(&mut self, bell: &Notify) -> Result<(), Broken> {
        let mut ping = tokio::time::interval_at(Instant::now() + self.board.config.ping, self.board.config.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match self.board.take(self.id) {
                Take::Batch(batch) => self.fly(batch).await?,
                Take::Wait(wake) => {
                    if self.board.leave(self.id) {
                        return Ok(());
                    }
                    self.wait(bell, wake, &mut ping).await?;
                }
            }
        }
    }

    async fn wait(&mut self, bell: &Notify, wake: Option<Instant>, ping: &mut Interval) -> Result<(), Broken> {
        let pause = async {
            match wake {
                Some(wake) => tokio::time::sleep_until(wake).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = bell.notified() => Ok(()),
            () = pause => Ok(()),
            () = self.link.gone.cancelled() => Err(Broken),
            // A peer that vanished without a word is noticed before someone needs it.
            _ = ping.tick() => {
                let limit = self.board.config.response_timeout;
                match tokio::time::timeout(limit, self.link.con.send_packed_command(&cmd("PING"))).await {
                    Ok(Ok(_)) => Ok(()),
                    _ => Err(Broken),
                }
            }
        }
    }

    /// Sends one pipeline and deals with its answers.
    async fn fly(&mut self, batch: Vec<Entry>) -> Result<(), Broken> {
        let flight = Flight::load(batch, &mut self.loaded, self.board, self.id);
        let slots: Vec<u16> = flight.seats.iter().map(|seat| seat.entry.slot).collect();
        self.board.stats.count(slots.len());
        let config = &self.board.config;
        let limit = config.response_timeout + if flight.waits { config.ack_timeout } else { Duration::ZERO };
        let count = flight.pipe.len();
        let answers = self.link.con.send_packed_commands(&flight.pipe, 0, count);
        let (back, result) = match tokio::time::timeout(limit, answers).await {
            Ok(Ok(answers)) if answers.len() == count => (self.sort(flight, answers), Ok(())),
            _ => (flight.lost(), Err(Broken)),
        };
        self.board.landed(&slots, back);
        result
    }

    /// Answers the callers; what must be tried again is returned, in order, with where to.
    fn sort(&mut self, flight: Flight, answers: Vec<Value>) -> Vec<(Entry, Route)> {
        let config = &self.board.config;
        if let (true, Some(Value::ServerError(error))) = (flight.waits, answers.last()) {
            self.board.dial.refusals.note(self.node, error);
        }
        let short = flight.waits && !matches!(answers.last(), Some(Value::Int(n)) if *n >= config.ack_replicas as i64);
        let mut answers: Vec<Option<Value>> = answers.into_iter().map(Some).collect();
        let mut back = Vec::new();
        let Flight { pipe, seats, .. } = flight;
        for Seat { entry, at, moved_in } in seats {
            match answers.get_mut(at).and_then(Option::take) {
                Some(Value::ServerError(error)) => {
                    self.board.dial.refusals.note(self.node, &error);
                    match self.verdict(&entry, &error) {
                        Some(route) => back.push((recovered(entry, &pipe, at, moved_in), route)),
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

    /// Where to go after this error; `None`: it is the answer. All of these come before anything was executed.
    fn verdict(&mut self, entry: &Entry, error: &ServerError) -> Option<Route> {
        let target = || Node::parse(error.details()?.split_ascii_whitespace().nth(1)?, self.node);
        match error.code() {
            "NOSCRIPT" => {
                self.loaded.remove(entry.script?.sha());
                Some(Route::Owner(Duration::ZERO))
            }
            "MOVED" => {
                match target() {
                    // Moved to where it was: the two have not agreed yet.
                    Some(node) if node == *self.node => return Some(Route::Owner(PATIENCE)),
                    Some(node) => self.board.topology.moved(entry.slot, &node),
                    None => self.board.topology.doubt(),
                }
                Some(Route::Owner(Duration::ZERO))
            }
            "ASK" => Some(target().map_or(Route::Owner(PATIENCE), Route::Ask)),
            "TRYAGAIN" | "BUSY" | "NOREPLICAS" | "MISCONF" | "OOM" => Some(Route::Owner(PATIENCE)),
            "CLUSTERDOWN" | "LOADING" | "READONLY" | "MASTERDOWN" => {
                self.board.topology.doubt();
                Some(Route::Owner(PATIENCE * 5))
            }
            _ => None,
        }
    }
}

/// A pipeline and who sits in it.
struct Flight {
    pipe: Pipeline,
    seats: Vec<Seat>,
    /// It ends with `WAIT`.
    waits: bool,
}

struct Seat {
    entry: Entry,
    /// Which command of the pipeline, hence which answer, is this entry's.
    at: usize,
    /// The entry's command itself was moved into the pipeline; else the pipeline holds an `EVAL` made from it.
    moved_in: bool,
}

impl Flight {
    fn load(batch: Vec<Entry>, loaded: &mut HashSet<&'static str>, board: &Board, lane: LaneId) -> Self {
        let mut pipe = Pipeline::with_capacity(batch.len() + 1);
        let mut seats = Vec::with_capacity(batch.len());
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
            seats.push(Seat { entry, at, moved_in });
        }
        let config = &board.config;
        let waits = acknowledged && config.ack_replicas > 0 && board.replicas(lane) > 0;
        if waits {
            pipe.cmd("WAIT").arg(config.ack_replicas).arg(config.ack_timeout.as_millis() as u64);
        }
        Self { pipe, seats, waits }
    }

    /// No answer came: what may be repeated is, the rest is unknown for good.
    fn lost(self) -> Vec<(Entry, Route)> {
        let mut back = Vec::new();
        for Seat { mut entry, at, moved_in } in self.seats {
            if entry.repeatable {
                entry.maybe_done = true;
                back.push((recovered(entry, &self.pipe, at, moved_in), Route::Owner(Duration::ZERO)));
            } else {
                entry.answer(Err(RedisError::Unknown));
            }
        }
        back
    }
}

/// Gives the entry its command back. Rare, so the walk along the pipeline does not matter.
fn recovered(mut entry: Entry, pipe: &Pipeline, at: usize, moved_in: bool) -> Entry {
    if let (true, Some(cmd)) = (moved_in, pipe.cmd_iter().nth(at)) {
        entry.cmd = cmd.clone();
    }
    entry
}

/// The `EVAL` of an `EVALSHA`.
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
