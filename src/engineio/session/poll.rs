//! Long-polling requests of a session.

use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Release};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{Session, State, Transport};
use crate::core::sync::lock;

/// How a waiting long-polling request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollEnd {
    /// Something waits in the outbox.
    Data,
    /// Nothing to say: the client closes or upgrades.
    Noop,
    /// The session ends and the client shall know at once.
    Close,
    /// The session is gone.
    Gone,
}

/// What a poll finds.
pub enum Poll {
    /// A response body.
    Ready(Vec<u8>),
    /// Nothing yet.
    Waits(oneshot::Receiver<PollEnd>),
    /// Another poll is waiting already, or the session is no longer polling.
    Refused,
}

impl Session {
    /// Begins a long-polling request.
    pub(in crate::engineio) fn poll(self: &Arc<Self>) -> Poll {
        self.check_pong(Instant::now());
        let mut state = lock(&self.state);
        let State { transport, outbox, polls, .. } = &mut *state;
        match transport {
            Transport::Polling { waiting: Some(waiting), .. } if !waiting.is_closed() => Poll::Refused,
            Transport::Polling { .. } if !outbox.is_empty() => {
                let config = &self.engine.config;
                let payload = outbox.take_payload(config.max_payload, config.max_packets_per_payload);
                self.count(outbox);
                Poll::Ready(payload)
            }
            Transport::Polling { waiting, .. } => {
                let (sender, receiver) = oneshot::channel();
                *waiting = Some(sender);
                *polls = polls.wrapping_add(1);
                Poll::Waits(receiver)
            }
            Transport::WebSocket { .. } | Transport::Moving { .. } | Transport::Closed => Poll::Refused,
        }
    }

    /// Begins a POST; `None` while another one is not over. It ends when what is returned is dropped.
    pub(in crate::engineio) fn begin_post(&self) -> Option<Posting<'_>> {
        (!self.posting.swap(true, Acquire)).then_some(Posting(self))
    }

    pub(in crate::engineio) fn take_payload(self: &Arc<Self>) -> Vec<u8> {
        let config = &self.engine.config;
        let mut state = lock(&self.state);
        let payload = state.outbox.take_payload(config.max_payload, config.max_packets_per_payload);
        self.count(&mut state.outbox);
        payload
    }
}

/// See [`Session::begin_post`].
pub(in crate::engineio) struct Posting<'a>(&'a Session);

impl Drop for Posting<'_> {
    fn drop(&mut self) {
        self.0.posting.store(false, Release);
    }
}
