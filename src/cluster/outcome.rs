//! What remains to be done after a step of a scope, when its lock is free.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

use super::{Counters, Scopes};
use crate::core::ScopeId;
use crate::engineio::Session;

/// Sessions that one task flushes: each flush may be a system call.
const FLUSH_PART: usize = 512;

/// A message of which the feature of the scope is told.
pub enum Passed {
    Control(Bytes),
    Event(Bytes),
}

#[derive(Default)]
pub struct Outcome {
    /// Sessions to which something was queued.
    pub dirty: Vec<Arc<Session>>,
    /// Control messages and logged events, in order.
    pub passed: Vec<Passed>,
    pub deliveries: u64,
    /// A message is missing: the log must be read.
    pub must_fill: bool,
}

impl Outcome {
    /// Gives the messages to the feature of the scope.
    pub(super) fn notify_listener(&mut self, scopes: &Scopes, scope: &ScopeId) {
        if self.passed.is_empty() {
            return;
        }
        let listener = scopes.listener(scope.kind);
        for passed in self.passed.drain(..) {
            match (&listener, passed) {
                (Some(listener), Passed::Control(args)) => listener.control(scope, &args),
                (Some(listener), Passed::Event(args)) => listener.event(scope, &args),
                (None, _) => {}
            }
        }
    }

    /// Flushes each session to which something was queued. A very large room is split into parts, each flushed by its own task.
    pub(super) fn flush(&mut self, counters: &Counters) {
        counters.deliveries.fetch_add(std::mem::take(&mut self.deliveries), Relaxed);
        while self.dirty.len() > FLUSH_PART {
            let part = self.dirty.split_off(self.dirty.len() - FLUSH_PART);
            tokio::spawn(async move { flush_all(&part) });
        }
        flush_all(&self.dirty);
        self.dirty.clear();
    }
}

fn flush_all(sessions: &[Arc<Session>]) {
    for session in sessions {
        session.flush();
    }
}
