//! From the subscriber to the sockets. A worker takes all messages that have arrived, queues them into the members' outboxes, and
//! then flushes each session once. No task is woken for a send, and under load many frames share a system call.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::core::ScopeId;
use crate::redis::{Sink, keys};
use crate::telemetry::once_a_minute;

use super::message::Envelope;
use super::outcome::Outcome;
use super::{Scopes, attach};

/// Messages that may wait for a worker, and their bytes. What finds no room is read from the log later.
const QUEUE: usize = 8_192;
const QUEUE_BYTES: usize = 32 << 20;
/// Sessions are flushed after so many deliveries, so that the first need not wait for the last.
const BATCH_DELIVERIES: u64 = 8_192;

pub struct Incoming {
    scope: ScopeId,
    payload: Bytes,
}

/// The queue of one worker.
pub struct Worker {
    queue: mpsc::Sender<Incoming>,
    /// Bytes in the queue.
    waiting: Arc<AtomicUsize>,
}

impl Worker {
    fn new() -> (Self, mpsc::Receiver<Incoming>) {
        let (queue, receiver) = mpsc::channel(QUEUE);
        (Self { queue, waiting: Arc::default() }, receiver)
    }

    /// Queues a message; returns it if there is no room.
    fn offer(&self, incoming: Incoming) -> Result<(), Incoming> {
        let size = incoming.payload.len();
        if self.waiting.fetch_add(size, Relaxed) + size > QUEUE_BYTES {
            self.waiting.fetch_sub(size, Relaxed);
            return Err(incoming);
        }
        self.queue.try_send(incoming).map_err(|error| {
            self.waiting.fetch_sub(size, Relaxed);
            error.into_inner()
        })
    }
}

/// Starts the workers and connects the subscriber to them. A scope always has the same worker, whose queue is FIFO.
pub fn spawn(scopes: &Arc<Scopes>) {
    let count = std::thread::available_parallelism().map_or(2, NonZero::get);
    let workers = (0..count).map(|_| {
        let (worker, receiver) = Worker::new();
        tokio::spawn(work(Arc::downgrade(scopes), receiver, worker.waiting.clone()));
        worker
    });
    let _ = scopes.workers.set(workers.collect());
    scopes.redis.subscriber().set_sink(Arc::new(ToWorkers(Arc::downgrade(scopes))));
}

struct ToWorkers(Weak<Scopes>);

impl Sink for ToWorkers {
    fn message(&self, channel: &[u8], payload: Bytes) {
        let (Some(scopes), Some(scope)) = (self.0.upgrade(), keys::parse_channel(channel)) else { return };
        let Some(workers) = scopes.workers.get() else { return };
        let worker = &workers[scopes.hash(&scope) % workers.len()];
        if let Err(incoming) = worker.offer(Incoming { scope, payload }) {
            scopes.counters.overrun.fetch_add(1, Relaxed);
            attach::fill_soon(&scopes, &incoming.scope);
        }
    }

    fn gap(&self, channels: &[Arc<str>]) {
        let Some(scopes) = self.0.upgrade() else { return };
        for scope in channels.iter().filter_map(|channel| keys::parse_channel(channel.as_bytes())) {
            attach::fill_soon(&scopes, &scope);
        }
    }
}

async fn work(scopes: Weak<Scopes>, mut incoming: mpsc::Receiver<Incoming>, waiting: Arc<AtomicUsize>) {
    let mut batch = Vec::new();
    while incoming.recv_many(&mut batch, 1_024).await > 0 {
        let Some(scopes) = scopes.upgrade() else { return };
        scopes.counters.received.fetch_add(batch.len() as u64, Relaxed);
        let mut outcome = Outcome::default();
        for Incoming { scope, payload } in batch.drain(..) {
            waiting.fetch_sub(payload.len(), Relaxed);
            let Some(local) = scopes.find(&scope) else { continue };
            match Envelope::parse(&payload) {
                Some(envelope) => local.receive(envelope, &mut outcome),
                None => once_a_minute!(error, "a message on a scope's channel cannot be read", %scope),
            }
            outcome.notify_listener(&scopes, &scope);
            if std::mem::take(&mut outcome.must_fill) {
                attach::fill_in_background(&scopes, local);
            }
            if outcome.deliveries >= BATCH_DELIVERIES {
                outcome.flush(&scopes.counters);
            }
        }
        outcome.flush(&scopes.counters);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Kind;

    #[test]
    fn a_worker_has_room_for_so_many_messages_and_so_many_bytes() {
        let offered =
            |size| Incoming { scope: ScopeId { kind: Kind::of("room"), id: "s".into() }, payload: Bytes::from(vec![0; size]) };
        let (worker, mut receiver) = Worker::new();
        for _ in 0..QUEUE_BYTES >> 20 {
            assert!(worker.offer(offered(1 << 20)).is_ok());
        }
        assert!(worker.offer(offered(1)).is_err(), "full by bytes");
        let taken = receiver.try_recv().expect("a message");
        worker.waiting.fetch_sub(taken.payload.len(), Relaxed);
        assert!(worker.offer(offered(1 << 20)).is_ok());
        let (worker, _receiver) = Worker::new();
        for _ in 0..QUEUE {
            assert!(worker.offer(offered(1)).is_ok());
        }
        assert!(worker.offer(offered(1)).is_err(), "full by number");
        assert_eq!(worker.waiting.load(Relaxed), QUEUE, "what was refused is not counted");
    }
}
