//! A call on its way: what it asks, how safe it is to repeat, and who waits for it.

use std::time::Duration;

use ::redis::{Cmd, Value};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::RedisError;
use super::dial::Node;
use super::script::Script;

pub(super) type Answer = Result<Value, RedisError>;

/// What is to be done, and how safe it is to do it twice.
pub(super) struct Call {
    pub slot: u16,
    /// For a script its `EVALSHA` form.
    pub cmd: Cmd,
    pub script: Option<&'static Script>,
    /// May be sent again when its outcome is unknown.
    pub repeatable: bool,
    /// Its answer waits for the replicas.
    pub acknowledged: bool,
    pub deadline: Duration,
}

/// A call in the queue.
pub(super) struct Entry {
    pub slot: u16,
    pub cmd: Cmd,
    pub script: Option<&'static Script>,
    pub repeatable: bool,
    pub acknowledged: bool,
    /// Was sent once, and may have had its effect.
    pub maybe_done: bool,
    /// Goes to the importing master, behind `ASKING`.
    pub asking: bool,
    pub size: usize,
    pub deadline: Instant,
    pub answer: oneshot::Sender<Answer>,
}

impl Entry {
    pub fn answer(self, answer: Answer) {
        // An error means that the caller has gone, which is its right.
        let _ = self.answer.send(answer);
    }

    /// Says what may be concluded: `up` is whether its master answers at all.
    pub fn fail(self, up: bool) {
        let error = match (self.maybe_done, up) {
            (true, _) => RedisError::Unknown,
            (false, true) => RedisError::Deadline,
            (false, false) => RedisError::Unavailable,
        };
        self.answer(Err(error));
    }

    /// Nobody waits for it, or nobody should any more.
    pub fn is_over(&self, now: Instant) -> bool {
        self.deadline <= now || self.answer.is_closed()
    }
}

/// Where an unanswered call goes next.
pub(super) enum Route {
    /// To the master that owns the slot now, after a pause that holds the whole slot.
    Owner(Duration),
    /// To the master that imports the slot, this once.
    Ask(Node),
}
