//! Messages that wait while the log is read. More of them than fit are read from the log in turn.

use std::collections::VecDeque;

use crate::cluster::message::Envelope;

const MAX_MESSAGES: usize = 1_024;
const MAX_BYTES: usize = 4 << 20;

#[derive(Default)]
pub struct Waiting {
    queue: VecDeque<Envelope>,
    bytes: usize,
    /// How many of these were there before the present read of the log began.
    marked: usize,
}

impl Waiting {
    /// True if those before it had to be thrown away, since there was no room.
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

    /// How many came before the present read of the log. They are asked for once.
    pub fn marked(&mut self) -> usize {
        std::mem::take(&mut self.marked)
    }

    pub fn take(&mut self) -> VecDeque<Envelope> {
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }
}
