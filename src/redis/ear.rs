//! One master's subscriber connection. It makes Redis send what [`Shared`] says should be heard here, pings, and passes messages on.
//!
//! redis-rs pairs answers with commands by their order, and a `sunsubscribe` that Redis sends unasked, because a slot has moved
//! away, counts for it as an answer. If one arrives while a command is in flight, all later answers are off by one. So every
//! answer is checked against its command, and a connection with a wrong one is replaced.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::{Pipeline, PushInfo, PushKind, Value, cmd};
use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::dial::{Link, Node};
use super::subscriber::{Shared, Task};
use super::survey::Text as _;

const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const LAST_BACKOFF: Duration = Duration::from_millis(500);
/// How long a refused subscription rests before it is tried again.
const PATIENCE: Duration = Duration::from_millis(50);
/// Subscriptions in one pipeline.
const BATCH: usize = 256;
/// Messages passed on before the queue is looked at again.
const DRAIN: usize = 256;
/// Bytes that may wait in the queue of one master.
const MAX_QUEUED: usize = 64 << 20;

/// The connection broke, or is not to be trusted any more.
struct Broken;

/// Listens at `node` until it owns nothing any more or the client is dropped.
pub(super) async fn run(shared: Arc<Shared>, node: Node, bell: Arc<Notify>, retired: Arc<AtomicBool>) {
    let cancel = shared.cancel.clone();
    let _ = cancel.run_until_cancelled(serve(&shared, &node, &bell, &retired)).await;
}

async fn serve(shared: &Arc<Shared>, node: &Node, bell: &Arc<Notify>, retired: &Arc<AtomicBool>) {
    let mut previous = None;
    let mut backoff = FIRST_BACKOFF;
    while !shared.leave(node) {
        let (inbox, messages) = inbox(shared.config.push_queue, bell.clone(), retired.clone());
        let pushes = inbox.clone();
        if let Ok(link) = shared.dial.link(node, previous.as_ref(), move |info| pushes.push(info)).await {
            backoff = FIRST_BACKOFF;
            previous = link.name.clone();
            shared.soil_all(node);
            shared.topology.bump();
            // Ends when the connection, which holds the inbox's other half, is gone and all that had arrived was passed on.
            let drain = tokio::spawn(drain(shared.clone(), node.clone(), inbox.clone(), messages));
            let closing = CloseOnDrop(inbox.clone());
            let mut ear = Listening { shared, node, link, inbox, subscribed: HashSet::new() };
            let result = ear.listen(bell).await;
            let Listening { subscribed, link, .. } = ear;
            drop(closing);
            drop(link);
            let _ = drain.await;
            shared.lost(node, subscribed);
            shared.topology.bump();
            if result.is_ok() {
                return;
            }
            tracing::info!(%node, "the subscriber's connection to Redis broke");
        }
        shared.topology.doubt();
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(LAST_BACKOFF);
    }
}

/// A live subscriber connection.
struct Listening<'a> {
    shared: &'a Shared,
    node: &'a Node,
    link: Link,
    inbox: Arc<Inbox>,
    /// What Redis has confirmed over this connection.
    subscribed: HashSet<Arc<str>>,
}

impl Listening<'_> {
    /// Until the connection breaks, or this master owns nothing any more (`Ok`).
    async fn listen(&mut self, bell: &Notify) -> Result<(), Broken> {
        let mut ping = tokio::time::interval_at(Instant::now() + self.shared.config.ping, self.shared.config.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.notice_departed();
            let refused = self.settle().await?;
            if self.shared.leave(self.node) {
                return Ok(());
            }
            self.wait(bell, refused, &mut ping).await?;
        }
    }

    async fn wait(&mut self, bell: &Notify, again: Vec<Arc<str>>, ping: &mut Interval) -> Result<(), Broken> {
        let result = tokio::select! {
            () = bell.notified(), if again.is_empty() => Ok(()),
            () = tokio::time::sleep(PATIENCE), if !again.is_empty() => Ok(()),
            () = self.link.gone.cancelled() => Err(Broken),
            _ = ping.tick() => {
                let pong = tokio::time::timeout(self.shared.config.ping, self.link.con.send_packed_command(&cmd("PING"))).await;
                match pong {
                    Ok(Ok(Value::SimpleString(_))) => Ok(()),
                    Ok(Ok(Value::ServerError(error))) => {
                        self.shared.dial.refusals.note(self.node, &error);
                        Err(Broken)
                    }
                    _ => Err(Broken),
                }
            }
        };
        // Refused ones go back to the master that owns them now.
        self.shared.lost(self.node, again);
        result
    }

    /// Channels that Redis has thrown out by itself: their slot has moved.
    fn notice_departed(&mut self) {
        let departed: Vec<_> = self.inbox.departed().into_iter().filter_map(|name| self.subscribed.take(&*name)).collect();
        if !departed.is_empty() {
            self.shared.topology.doubt();
            self.shared.lost(self.node, departed);
        }
    }

    /// Makes what Redis sends equal to what should be heard here; returns what it refused for now.
    async fn settle(&mut self) -> Result<Vec<Arc<str>>, Broken> {
        let mut refused = Vec::new();
        loop {
            let work = self.shared.work(self.node);
            if work.is_empty() {
                return Ok(refused);
            }
            let (settled, work): (Vec<_>, Vec<_>) =
                work.into_iter().partition(|task| task.wanted == self.subscribed.contains(&task.name) && !task.again);
            let heard: Vec<Arc<str>> = settled.into_iter().filter(|task| task.wanted).map(|task| task.name).collect();
            self.tell_heard(&heard);
            for batch in work.chunks(BATCH) {
                self.settle_batch(batch, &mut refused).await?;
            }
        }
    }

    async fn settle_batch(&mut self, batch: &[Task], refused: &mut Vec<Arc<str>>) -> Result<(), Broken> {
        let mut pipe = Pipeline::with_capacity(batch.len());
        for Task { name, wanted, .. } in batch {
            pipe.cmd(if *wanted { "SSUBSCRIBE" } else { "SUNSUBSCRIBE" }).arg(&**name);
        }
        let answers = self.link.con.send_packed_commands(&pipe, 0, batch.len());
        let answers = match tokio::time::timeout(self.shared.config.response_timeout, answers).await {
            Ok(Ok(answers)) if answers.len() == batch.len() => answers,
            _ => return Err(Broken),
        };
        let (mut heard, mut left) = (Vec::new(), Vec::new());
        for (Task { name, wanted, .. }, answer) in batch.iter().zip(&answers) {
            match answer {
                Value::ServerError(error) => {
                    if *wanted {
                        self.shared.dial.refusals.note(self.node, error);
                        let target =
                            error.details().and_then(|text| Node::parse(text.split_ascii_whitespace().nth(1)?, self.node));
                        match (error.code(), target) {
                            ("MOVED", Some(node)) => self.shared.topology.moved(super::keys::slot(name.as_bytes()), &node),
                            _ => self.shared.topology.doubt(),
                        }
                        refused.push(name.clone());
                    } else {
                        // Its slot has moved away, and with it the subscription.
                        left.push(name.clone());
                    }
                }
                Value::Push { kind: PushKind::SSubscribe, data } if *wanted && names(data, name) => heard.push(name.clone()),
                Value::Push { kind: PushKind::SUnsubscribe, data } if !*wanted && names(data, name) => left.push(name.clone()),
                _ => return Err(Broken),
            }
        }
        for name in left.iter().chain(&*refused) {
            self.subscribed.remove(name);
        }
        self.inbox.forget(&left);
        // One that has left was either unwanted or belongs to another master now, which tells it as a gap.
        self.shared.lost(self.node, left);
        self.subscribed.extend(heard.iter().cloned());
        self.tell_heard(&heard);
        Ok(())
    }

    fn tell_heard(&self, channels: &[Arc<str>]) {
        let gaps = self.shared.heard(self.node, channels);
        if !gaps.is_empty()
            && let Some(sink) = self.shared.sink.get()
        {
            sink.gap(&gaps);
        }
    }
}

fn names(data: &[Value], name: &str) -> bool {
    matches!(data.first(), Some(Value::BulkString(bytes)) if bytes == name.as_bytes())
}

/// The bounded way from the connection's own task to the one that passes messages on.
struct Inbox {
    /// Taken away when the connection is given up, which ends the draining.
    messages: Mutex<Option<mpsc::Sender<PushInfo>>>,
    queued: AtomicUsize,
    /// Something was dropped since the last gap.
    overflowed: AtomicBool,
    departed: Mutex<Vec<String>>,
    bell: Arc<Notify>,
    /// What comes from now on does not count.
    retired: Arc<AtomicBool>,
}

fn inbox(size: usize, bell: Arc<Notify>, retired: Arc<AtomicBool>) -> (Arc<Inbox>, mpsc::Receiver<PushInfo>) {
    let (sender, messages) = mpsc::channel(size.max(1));
    let inbox = Inbox {
        messages: Mutex::new(Some(sender)),
        queued: AtomicUsize::new(0),
        overflowed: AtomicBool::new(false),
        departed: Mutex::default(),
        bell,
        retired,
    };
    (Arc::new(inbox), messages)
}

impl Inbox {
    /// Called by the connection's task; never blocks.
    fn push(&self, info: PushInfo) {
        match info.kind {
            PushKind::SMessage => {
                let size = weight(&info);
                let guard = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(messages) = &*guard else { return };
                let full = self.queued.fetch_add(size, Ordering::Relaxed) > MAX_QUEUED;
                if full || messages.try_send(info).is_err() {
                    self.queued.fetch_sub(size, Ordering::Relaxed);
                    self.overflowed.store(true, Ordering::Release);
                }
            }
            PushKind::SUnsubscribe => {
                if let Some(name) = info.data.first().and_then(Value::text) {
                    self.departed.lock().unwrap_or_else(PoisonError::into_inner).push(name);
                    self.bell.notify_one();
                }
            }
            _ => {}
        }
    }

    fn departed(&self) -> Vec<String> {
        std::mem::take(&mut *self.departed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// These departed because we asked for it.
    fn forget(&self, asked: &[Arc<str>]) {
        if !asked.is_empty() {
            let mut departed = self.departed.lock().unwrap_or_else(PoisonError::into_inner);
            let asked: HashSet<&str> = asked.iter().map(|name| &**name).collect();
            departed.retain(|name| !asked.contains(name.as_str()));
        }
    }

    fn close(&self) {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Ends the draining also when the ear is dropped in the middle.
struct CloseOnDrop(Arc<Inbox>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn weight(info: &PushInfo) -> usize {
    info.data.iter().map(|value| if let Value::BulkString(bytes) = value { bytes.len() } else { 0 }).sum()
}

/// Passes messages on until the connection is given up.
async fn drain(shared: Arc<Shared>, node: Node, inbox: Arc<Inbox>, mut messages: mpsc::Receiver<PushInfo>) {
    let mut batch = Vec::with_capacity(DRAIN);
    while messages.recv_many(&mut batch, DRAIN).await > 0 {
        let sink = shared.sink.get();
        for info in batch.drain(..) {
            inbox.queued.fetch_sub(weight(&info), Ordering::Relaxed);
            if inbox.retired.load(Ordering::Relaxed) {
                continue;
            }
            let mut data = info.data.into_iter();
            if let (Some(sink), Some(Value::BulkString(channel)), Some(Value::BulkString(payload))) =
                (sink, data.next(), data.next())
            {
                sink.message(&channel, Bytes::from(payload));
            }
        }
        if messages.is_empty() && inbox.overflowed.swap(false, Ordering::AcqRel) {
            tracing::warn!(%node, "messages came faster than they could be passed on; some were dropped");
            if let Some(sink) = sink {
                sink.gap(&shared.heard_by(&node));
            }
        }
        // The queue is fed by another task; give it, and everyone else, a chance.
        tokio::task::consume_budget().await;
    }
}
