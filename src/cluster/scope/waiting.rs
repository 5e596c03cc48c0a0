//! Messages that wait while the log is read. If they are too many, they are dropped and read from the log too.

use std::collections::VecDeque;

use crate::cluster::message::Envelope;

const MAX_MESSAGES: usize = 1_024;
const MAX_BYTES: usize = 4 << 20;

#[derive(Default)]
pub struct Waiting {
    queue: VecDeque<Envelope>,
    bytes: usize,
    /// How many of them came before the present read of the log.
    marked: usize,
}

impl Waiting {
    /// True if the earlier ones were dropped because there was no room.
    pub fn push(&mut self, envelope: Envelope) -> bool {
        let is_full = self.queue.len() == MAX_MESSAGES || self.bytes > MAX_BYTES;
        if is_full {
            *self = Self::default();
        }
        self.bytes += envelope.body.len();
        self.queue.push_back(envelope);
        is_full
    }

    /// A read of the log begins.
    pub fn mark(&mut self) {
        self.marked = self.queue.len();
    }

    /// How many came before the present read of the log; 0 when called again.
    pub fn marked(&mut self) -> usize {
        std::mem::take(&mut self.marked)
    }

    pub fn take(&mut self) -> VecDeque<Envelope> {
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }
}
