//! A call: its command, whether it may be repeated, and who waits for its answer.

use std::time::Duration;

use ::redis::{Cmd, Value};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::RedisError;
use super::dial::Address;
use super::script::Script;

pub(super) type Answer = Result<Value, RedisError>;

/// A command, and whether it may be executed twice.
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
    /// It was sent before, and may have been executed.
    pub maybe_done: bool,
    /// It goes to the importing master, after `ASKING`.
    pub asking: bool,
    pub size: usize,
    pub deadline: Instant,
    pub answer: oneshot::Sender<Answer>,
}

impl Entry {
    pub fn answer(self, answer: Answer) {
        // An error means that the caller no longer waits.
        let _ = self.answer.send(answer);
    }

    /// Answers with the error that fits; `up` is whether the master is connected.
    pub fn fail(self, up: bool) {
        let error = match (self.maybe_done, up) {
            (true, _) => RedisError::Unknown,
            (false, true) => RedisError::Deadline,
            (false, false) => RedisError::Unavailable,
        };
        self.answer(Err(error));
    }

    /// Its caller no longer waits, or its deadline has passed.
    pub fn is_over(&self, now: Instant) -> bool {
        self.deadline <= now || self.answer.is_closed()
    }
}

/// Where an unanswered call goes next.
pub(super) enum Route {
    /// To the master that owns the slot now, after a pause for all calls of the slot.
    Owner(Duration),
    /// To the master that imports the slot, for this attempt only.
    Ask(Address),
}
