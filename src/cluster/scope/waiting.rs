//! Messages that wait while the log is read. If they are too many, they are dropped and read from the log too.

use std::collections::VecDeque;

use crate::cluster::message::Envelope;

const MAX_MESSAGES: usize = 1_024;
const MAX_BYTES: usize = 4 << 20;

#[derive(Default)]
pub struct Waiting {
    queue: VecDeque<Late>,
    bytes: usize,
}

/// A message that waits.
pub struct Late {
    pub envelope: Envelope,
    /// It came before the present read of the log began.
    pub before_read: bool,
}

impl Waiting {
    /// True if the earlier ones were dropped because there was no room.
    pub fn push(&mut self, late: Late) -> bool {
        let is_full = self.queue.len() == MAX_MESSAGES || self.bytes > MAX_BYTES;
        if is_full {
            *self = Self::default();
        }
        self.bytes += late.envelope.body.len();
        self.queue.push_back(late);
        is_full
    }

    /// A read of the log begins.
    pub fn mark(&mut self) {
        self.queue.iter_mut().for_each(|late| late.before_read = true);
    }

    pub fn take(&mut self) -> VecDeque<Late> {
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }
}
