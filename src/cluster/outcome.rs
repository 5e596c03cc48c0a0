//! What a step of a scope leaves to be done once its lock is free.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;

use super::{Counters, Scopes};
use crate::core::ScopeId;
use crate::engineio::Session;

/// So many sessions are flushed by one task: each flush may be a system call.
const FLUSH_PART: usize = 512;

#[derive(Default)]
pub struct Outcome {
    /// Sessions that were given something.
    pub dirty: Vec<Arc<Session>>,
    /// Control messages, in order.
    pub control: Vec<Bytes>,
    pub deliveries: u64,
    pub forks: u64,
    /// Something is missing: the log must be read.
    pub must_fill: bool,
}

impl Outcome {
    /// Tells the feature of the scope what was said to the nodes.
    pub(super) fn tell_listener(&mut self, scopes: &Scopes, scope: &ScopeId) {
        if self.control.is_empty() {
            return;
        }
        let listener = scopes.listener(scope.kind);
        for args in self.control.drain(..) {
            if let Some(listener) = &listener {
                listener.control(scope, &args);
            }
        }
    }

    /// Writes to each session that was given something. A very large room is cut in parts, each flushed by a task of its own.
    pub(super) fn flush(&mut self, counters: &Counters) {
        counters.deliveries.fetch_add(std::mem::take(&mut self.deliveries), Relaxed);
        counters.forks.fetch_add(std::mem::take(&mut self.forks), Relaxed);
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
