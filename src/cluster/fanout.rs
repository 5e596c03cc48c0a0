//! From the subscriber to the sockets. A worker takes all that has arrived, queues it into the members' outboxes, and then
//! flushes each session that was touched once: no task wakes for a send, and under load many frames share a system call.

use std::num::NonZero;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};

use crate::engineio::Session;
use crate::ids::ScopeId;
use crate::redis::{Sink, keys};

use super::message::Envelope;
use super::scope::{LocalScope, Outcome};
use super::{Scopes, attach};

/// Messages that may wait for a worker; the log has those for which there is no room.
const QUEUE: usize = 8_192;
/// A batch ends after so many deliveries, so that the first of them need not wait for the last.
const BATCH_DELIVERIES: u64 = 8_192;
/// So many sessions are flushed by one task: each flush may be a system call.
const FLUSH_PART: usize = 512;

pub struct Incoming {
    scope: ScopeId,
    payload: Bytes,
}

/// Starts the workers and points the subscriber at them. The worker of a scope is the same for life, its queue FIFO.
pub fn spawn(scopes: &Arc<Scopes>) {
    let count = std::thread::available_parallelism().map_or(2, NonZero::get);
    let workers = (0..count).map(|_| {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(work(Arc::downgrade(scopes), receiver));
        sender
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
        if let Err(TrySendError::Full(incoming)) = worker.try_send(Incoming { scope, payload }) {
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

async fn work(scopes: Weak<Scopes>, mut incoming: mpsc::Receiver<Incoming>) {
    let mut batch = Vec::new();
    while incoming.recv_many(&mut batch, 1_024).await > 0 {
        let Some(scopes) = scopes.upgrade() else { return };
        scopes.counters.received.fetch_add(batch.len() as u64, Relaxed);
        let mut outcome = Outcome::default();
        for Incoming { scope, payload } in batch.drain(..) {
            let Some(local) = scopes.find(&scope) else { continue };
            match Envelope::parse(&payload) {
                Some(envelope) => local.receive(envelope, &mut outcome),
                None => tracing::error!(%scope, "a message on a scope's channel cannot be read"),
            }
            finish(&scopes, &local, &mut outcome);
            if outcome.deliveries >= BATCH_DELIVERIES {
                flush(&scopes, &mut outcome);
            }
        }
        flush(&scopes, &mut outcome);
    }
}

/// Does what a step of a scope has left, but for the flush.
pub fn finish(scopes: &Arc<Scopes>, local: &Arc<LocalScope>, outcome: &mut Outcome) {
    for args in outcome.control.drain(..) {
        if let Some(listener) = scopes.listener(local.id.kind) {
            listener.control(&local.id, &args);
        }
    }
    if std::mem::take(&mut outcome.must_fill) {
        attach::fill_in_background(scopes, local.clone());
    }
}

/// Writes to each session that was given something. A very large room is cut in parts, each flushed by a task of its own.
pub fn flush(scopes: &Scopes, outcome: &mut Outcome) {
    scopes.counters.deliveries.fetch_add(std::mem::take(&mut outcome.deliveries), Relaxed);
    scopes.counters.forks.fetch_add(std::mem::take(&mut outcome.forks), Relaxed);
    while outcome.dirty.len() > FLUSH_PART {
        let part = outcome.dirty.split_off(outcome.dirty.len() - FLUSH_PART);
        tokio::spawn(async move { flush_all(&part) });
    }
    flush_all(&outcome.dirty);
    outcome.dirty.clear();
}

fn flush_all(sessions: &[Arc<Session>]) {
    for session in sessions {
        session.flush();
    }
}
