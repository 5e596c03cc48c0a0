//! The subscriber connection of one master: subscribes the channels that [`Shared`] wants here, pings, and passes messages on.
//!
//! redis-rs matches answers to commands by their order. It takes an unsolicited `sunsubscribe`, which Redis sends when a slot has
//! moved away, for an answer. If one arrives while a command is in flight, all later answers are off by one. So every answer is
//! compared with its command, and a connection with a wrong answer is replaced.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::redis::{Pipeline, PushInfo, PushKind, Value, cmd};
use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::super::dial::{Address, Link};
use super::super::discovery::Text as _;
use super::super::keys;
use super::{Check, Shared, Signals};
use crate::telemetry::once_a_minute;

const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const LAST_BACKOFF: Duration = Duration::from_millis(500);
/// How long to wait before a refused subscription is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Subscriptions in one pipeline.
const BATCH: usize = 256;
/// Messages that are taken from the queue at once.
const DRAIN: usize = 256;
/// Bytes of messages that may wait in the queue of one master.
const MAX_QUEUED: usize = 64 << 20;

/// The connection broke, or must be replaced.
struct Broken;

/// Receives the messages of a master until it owns no slot any more or the client is dropped.
pub(super) async fn run(shared: Arc<Shared>, address: Address, signals: Arc<Signals>) {
    let serve = serve(&shared, &address, &signals);
    let _ = shared.context.cancel.run_until_cancelled(serve).await;
}

async fn serve(shared: &Arc<Shared>, address: &Address, signals: &Arc<Signals>) {
    let mut previous = None;
    let mut backoff = FIRST_BACKOFF;
    while !shared.remove_if_retired(address) {
        let (inbox, messages) = inbox(shared.context.config.push_queue, signals.clone());
        let pushes = inbox.clone();
        if let Ok(link) = shared.context.dial.link(address, previous.as_ref(), move |info| pushes.push(info)).await {
            backoff = FIRST_BACKOFF;
            previous = link.name.clone();
            shared.mark_all_dirty(address);
            shared.context.topology.note_change();
            // Ends when the connection, which holds the sender of the inbox, is gone and all that has arrived is passed on.
            let drain = tokio::spawn(drain(shared.clone(), address.clone(), inbox.clone(), messages));
            let closing = CloseOnDrop(inbox.clone());
            let mut connection = Connection { shared, address, link, inbox, subscribed: HashSet::new() };
            let result = connection.run(&signals.wake_up).await;
            let Connection { subscribed, link, .. } = connection;
            drop(closing);
            drop(link);
            let _ = drain.await;
            shared.lost(address, subscribed);
            shared.context.topology.note_change();
            if result.is_ok() {
                return;
            }
            tracing::info!(%address, "the subscriber's connection to Redis broke");
        }
        shared.context.topology.request_refresh();
        tokio::time::sleep(backoff).await;
        backoff = (backoff * 2).min(LAST_BACKOFF);
    }
}

/// An open subscriber connection.
struct Connection<'a> {
    shared: &'a Shared,
    address: &'a Address,
    link: Link,
    inbox: Arc<Inbox>,
    /// The channels that Redis has confirmed over this connection.
    subscribed: HashSet<Arc<str>>,
}

impl Connection<'_> {
    /// Runs until the connection breaks, or until the master owns no slot any more (`Ok`).
    async fn run(&mut self, wake_up: &Notify) -> Result<(), Broken> {
        let mut ping =
            tokio::time::interval_at(Instant::now() + self.shared.context.config.ping, self.shared.context.config.ping);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.note_departed();
            let refused = self.reconcile().await?;
            if self.shared.remove_if_retired(self.address) {
                return Ok(());
            }
            self.wait(wake_up, refused, &mut ping).await?;
        }
    }

    async fn wait(&mut self, wake_up: &Notify, again: Vec<Arc<str>>, ping: &mut Interval) -> Result<(), Broken> {
        let result = tokio::select! {
            () = wake_up.notified(), if again.is_empty() => Ok(()),
            () = tokio::time::sleep(RETRY_PAUSE), if !again.is_empty() => Ok(()),
            () = self.link.gone.cancelled() => Err(Broken),
            _ = ping.tick() => {
                let pong = tokio::time::timeout(self.shared.context.config.ping, self.link.con.send_packed_command(&cmd("PING"))).await;
                match pong {
                    Ok(Ok(Value::SimpleString(_))) => Ok(()),
                    Ok(Ok(Value::ServerError(error))) => {
                        self.shared.context.dial.refusals.note(self.address, &error);
                        Err(Broken)
                    }
                    _ => Err(Broken),
                }
            }
        };
        // Refused channels go to the master that owns them now.
        self.shared.lost(self.address, again);
        result
    }

    /// Channels that Redis has unsubscribed by itself, because their slot has moved.
    fn note_departed(&mut self) {
        let departed: Vec<_> = self.inbox.departed().into_iter().filter_map(|name| self.subscribed.take(&*name)).collect();
        if !departed.is_empty() {
            self.shared.context.topology.request_refresh();
            self.shared.lost(self.address, departed);
        }
    }

    /// Subscribes and unsubscribes until Redis sends what is wanted here; returns the channels that it has refused for now.
    async fn reconcile(&mut self) -> Result<Vec<Arc<str>>, Broken> {
        let mut refused = Vec::new();
        loop {
            let checks = self.shared.checks(self.address);
            if checks.is_empty() {
                return Ok(refused);
            }
            let (settled, changes): (Vec<_>, Vec<_>) =
                checks.into_iter().partition(|check| check.wanted == self.subscribed.contains(&check.name) && !check.again);
            let confirmed: Vec<Arc<str>> = settled.into_iter().filter(|check| check.wanted).map(|check| check.name).collect();
            self.report_confirmed(&confirmed);
            for batch in changes.chunks(BATCH) {
                self.reconcile_batch(batch, &mut refused).await?;
            }
        }
    }

    async fn reconcile_batch(&mut self, batch: &[Check], refused: &mut Vec<Arc<str>>) -> Result<(), Broken> {
        let mut pipe = Pipeline::with_capacity(batch.len());
        for Check { name, wanted, .. } in batch {
            pipe.cmd(if *wanted { "SSUBSCRIBE" } else { "SUNSUBSCRIBE" }).arg(&**name);
        }
        let answers = self.link.con.send_packed_commands(&pipe, 0, batch.len());
        let answers = match tokio::time::timeout(self.shared.context.config.response_timeout, answers).await {
            Ok(Ok(answers)) if answers.len() == batch.len() => answers,
            _ => return Err(Broken),
        };
        let (mut confirmed, mut left) = (Vec::new(), Vec::new());
        for (Check { name, wanted, .. }, answer) in batch.iter().zip(&answers) {
            match answer {
                Value::ServerError(error) => {
                    if *wanted {
                        self.shared.context.dial.refusals.note(self.address, error);
                        let target =
                            error.details().and_then(|text| Address::parse(text.split_ascii_whitespace().nth(1)?, self.address));
                        match (error.code(), target) {
                            ("MOVED", Some(address)) => self.shared.context.topology.moved(keys::slot(name.as_bytes()), &address),
                            _ => self.shared.context.topology.request_refresh(),
                        }
                        refused.push(name.clone());
                    } else {
                        // Its slot has moved away, and the subscription has ended.
                        left.push(name.clone());
                    }
                }
                Value::Push { kind: PushKind::SSubscribe, data } if *wanted && is_channel(data, name) => {
                    confirmed.push(name.clone())
                }
                Value::Push { kind: PushKind::SUnsubscribe, data } if !*wanted && is_channel(data, name) => {
                    left.push(name.clone())
                }
                _ => return Err(Broken),
            }
        }
        for name in left.iter().chain(&*refused) {
            self.subscribed.remove(name);
        }
        self.inbox.forget(&left);
        // These were unwanted, or belong to another master now, whose connection reports them as gaps.
        self.shared.lost(self.address, left);
        self.subscribed.extend(confirmed.iter().cloned());
        self.report_confirmed(&confirmed);
        Ok(())
    }

    fn report_confirmed(&self, channels: &[Arc<str>]) {
        let gaps = self.shared.confirmed(self.address, channels);
        if !gaps.is_empty()
            && let Some(sink) = self.shared.sink.get()
        {
            sink.gap(&gaps);
        }
    }
}

fn is_channel(data: &[Value], name: &str) -> bool {
    matches!(data.first(), Some(Value::BulkString(bytes)) if bytes == name.as_bytes())
}

/// The bounded queue from redis-rs' task of the connection to the task that passes messages on.
struct Inbox {
    /// Taken away when the connection is closed, which ends [`drain`].
    messages: Mutex<Option<mpsc::Sender<PushInfo>>>,
    queued: AtomicUsize,
    /// Messages were dropped since the last gap.
    overflowed: AtomicBool,
    departed: Mutex<Vec<String>>,
    signals: Arc<Signals>,
}

fn inbox(size: usize, signals: Arc<Signals>) -> (Arc<Inbox>, mpsc::Receiver<PushInfo>) {
    let (sender, messages) = mpsc::channel(size.max(1));
    let inbox = Inbox {
        messages: Mutex::new(Some(sender)),
        queued: AtomicUsize::new(0),
        overflowed: AtomicBool::new(false),
        departed: Mutex::default(),
        signals,
    };
    (Arc::new(inbox), messages)
}

impl Inbox {
    /// Called by redis-rs' task; never blocks.
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
                    self.signals.wake_up.notify_one();
                }
            }
            _ => {}
        }
    }

    fn departed(&self) -> Vec<String> {
        std::mem::take(&mut *self.departed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// These were unsubscribed at our request.
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

/// Ends [`drain`] even when the connection's future is dropped.
struct CloseOnDrop(Arc<Inbox>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn weight(info: &PushInfo) -> usize {
    info.data.iter().map(|value| if let Value::BulkString(bytes) = value { bytes.len() } else { 0 }).sum()
}

/// Passes messages on until the connection is closed.
async fn drain(shared: Arc<Shared>, address: Address, inbox: Arc<Inbox>, mut messages: mpsc::Receiver<PushInfo>) {
    let mut batch = Vec::with_capacity(DRAIN);
    while messages.recv_many(&mut batch, DRAIN).await > 0 {
        let sink = shared.sink.get();
        for info in batch.drain(..) {
            inbox.queued.fetch_sub(weight(&info), Ordering::Relaxed);
            if inbox.signals.retired.load(Ordering::Relaxed) {
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
            once_a_minute!(warn, "messages came faster than they could be passed on; some were dropped", %address);
            if let Some(sink) = sink {
                sink.gap(&shared.confirmed_by(&address));
            }
        }
        // Lets other tasks run, such as the one that fills this queue.
        tokio::task::consume_budget().await;
    }
}
