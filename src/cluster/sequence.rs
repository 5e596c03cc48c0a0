//! A node's position in the order of one scope, and what it decides for each message that arrives.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::core::StreamId;

/// How many ids behind the cursor are remembered, to tell a repetition from what a failover has put in or taken back.
const TAIL: usize = 256;
/// The epoch of a scope that did not exist when this node subscribed to it. No log has this name.
const UNBORN: &str = "-";

/// Everything up to `cursor` has been delivered here.
#[derive(Debug, Default)]
pub struct Sequence {
    epoch: Arc<str>,
    cursor: StreamId,
    /// The newest ids that were delivered, ascending, or the position at which this node began; the last is the cursor.
    tail: VecDeque<StreamId>,
    /// After [`Sequence::rewind`]: the ids delivered beyond the base. Some of these messages may come again.
    before: VecDeque<StreamId>,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Deliver,
    /// It was delivered before, or is outdated.
    Drop,
    /// It does not follow the cursor: the log must be read first. Something before it is missing, or a failover has lost a part of
    /// what was delivered, or the message itself. Only the log tells which.
    Gap,
}

impl Sequence {
    pub fn epoch(&self) -> &Arc<str> {
        &self.epoch
    }

    pub fn cursor(&self) -> StreamId {
        self.cursor
    }

    /// Starts anew at a position of the log.
    pub fn reset(&mut self, epoch: Arc<str>, cursor: StreamId) {
        *self = Self { epoch, cursor, tail: VecDeque::from([cursor]), before: VecDeque::new() };
    }

    /// The scope does not exist: this node will receive its log from the start.
    pub fn await_creation(&mut self) {
        self.reset(UNBORN.into(), StreamId::default());
    }

    pub fn awaits_creation(&self) -> bool {
        *self.epoch == *UNBORN
    }

    /// The scope exists now, under this epoch. Nothing changes if that was known.
    pub fn created(&mut self, epoch: &str) {
        if self.awaits_creation() {
            self.reset(epoch.into(), StreamId::default());
        }
    }

    /// Decides what to do with a message. If it is to be delivered, moves the cursor.
    pub fn judge(&mut self, epoch: &[u8], prev: StreamId, id: Option<StreamId>) -> Verdict {
        if self.awaits_creation()
            && prev == StreamId::default()
            && let Ok(epoch) = std::str::from_utf8(epoch)
        {
            self.created(epoch);
        }
        if epoch != self.epoch.as_bytes() {
            return Verdict::Gap;
        }
        let Some(id) = id else {
            return match prev.cmp(&self.cursor) {
                std::cmp::Ordering::Less => Verdict::Drop,
                std::cmp::Ordering::Equal => Verdict::Deliver,
                std::cmp::Ordering::Greater => Verdict::Gap,
            };
        };
        if prev == self.cursor && id > prev {
            self.advance(id);
            return Verdict::Deliver;
        }
        if id <= self.cursor && self.knows(id) { Verdict::Drop } else { Verdict::Gap }
    }

    /// Where to read from if the cursor is not in the log any more: the oldest remembered id.
    pub fn base(&self) -> Option<StreamId> {
        self.tail.front().copied().filter(|first| *first < self.cursor)
    }

    /// The log has changed somewhere after `base`; from there it is read again.
    pub fn rewind(&mut self, base: StreamId) {
        self.before.extend(std::mem::take(&mut self.tail));
        self.before.make_contiguous().sort_unstable();
        (self.cursor, self.tail) = (base, VecDeque::from([base]));
    }

    /// Whether an entry beyond the cursor was delivered before the last [`Sequence::rewind`].
    pub fn was_delivered(&self, id: StreamId) -> bool {
        self.before.binary_search(&id).is_ok()
    }

    /// An entry of the log was delivered.
    pub fn advance(&mut self, id: StreamId) {
        if self.before.back().is_some_and(|last| *last <= id) {
            self.before = VecDeque::new();
        }
        self.cursor = id;
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(id);
    }

    /// Whether an id that is not beyond the cursor was delivered: it is in the tail, or older than it.
    fn knows(&self, id: StreamId) -> bool {
        match self.tail.front() {
            None => true,
            Some(first) => id < *first || self.tail.binary_search(&id).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: &[u8] = b"e1";
    const NAME: &str = "e1";

    fn at(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    fn sequence(delivered: &[u64]) -> Sequence {
        let mut sequence = Sequence::default();
        sequence.reset(NAME.into(), at(5));
        for ms in delivered {
            sequence.advance(at(*ms));
        }
        sequence
    }

    #[test]
    fn each_message_is_judged_by_its_predecessor() {
        type Case = (&'static str, &'static [u8], u64, Option<u64>, Verdict);
        let cases: &[Case] = &[
            ("the next one", EPOCH, 30, Some(40), Verdict::Deliver),
            ("one is missing", EPOCH, 35, Some(40), Verdict::Gap),
            ("a repetition", EPOCH, 10, Some(20), Verdict::Drop),
            ("the newest once more", EPOCH, 20, Some(30), Verdict::Drop),
            ("older than the tail", EPOCH, 1, Some(4), Verdict::Drop),
            ("between two that were delivered", EPOCH, 20, Some(25), Verdict::Gap),
            ("beyond the cursor, but from before it", EPOCH, 20, Some(40), Verdict::Gap),
            ("after one that was never delivered", EPOCH, 15, Some(40), Verdict::Gap),
            ("between two, after one that was never delivered", EPOCH, 15, Some(18), Verdict::Gap),
            ("volatile, now", EPOCH, 30, None, Verdict::Deliver),
            ("volatile, older than a fill", EPOCH, 20, None, Verdict::Drop),
            ("volatile, after something that is missing", EPOCH, 40, None, Verdict::Gap),
            ("another epoch", b"e2", 30, Some(40), Verdict::Gap),
        ];
        for (what, epoch, prev, id, verdict) in cases {
            assert_eq!(sequence(&[10, 20, 30]).judge(epoch, at(*prev), id.map(at)), *verdict, "{what}");
        }
    }

    #[test]
    fn a_log_that_begins_after_the_listening_is_heard_from_its_beginning() {
        let mut sequence = Sequence::default();
        sequence.await_creation();
        assert_eq!(sequence.judge(EPOCH, at(10), Some(at(20))), Verdict::Gap, "its beginning was not heard");
        assert_eq!(sequence.judge(EPOCH, at(0), Some(at(10))), Verdict::Deliver);
        assert_eq!((&**sequence.epoch(), sequence.cursor()), (NAME, at(10)));
        sequence.created("e2");
        assert_eq!(&**sequence.epoch(), NAME, "it is created once");

        sequence.await_creation();
        sequence.created(NAME);
        assert_eq!(sequence.judge(EPOCH, at(0), None), Verdict::Deliver, "volatile, before anything was logged");
        assert_eq!(sequence.judge(EPOCH, at(10), Some(at(20))), Verdict::Gap);
    }

    #[test]
    fn the_cursor_moves_with_what_is_delivered_and_with_nothing_else() {
        let mut sequence = sequence(&[10, 20, 30]);
        sequence.judge(EPOCH, at(30), Some(at(40)));
        assert_eq!(sequence.cursor(), at(40));
        sequence.judge(EPOCH, at(20), Some(at(35)));
        assert_eq!(sequence.cursor(), at(40));
        assert_eq!(sequence.judge(EPOCH, at(30), Some(at(40))), Verdict::Drop);
    }

    #[test]
    fn a_fresh_position_takes_what_lies_before_it_as_delivered() {
        let mut sequence = Sequence::default();
        sequence.reset(NAME.into(), at(30));
        assert_eq!(sequence.judge(EPOCH, at(10), Some(at(20))), Verdict::Drop);
        assert_eq!(sequence.judge(EPOCH, at(20), Some(at(30))), Verdict::Drop);
        assert_eq!(sequence.judge(EPOCH, at(30), Some(at(31))), Verdict::Deliver);
    }

    #[test]
    fn after_a_rewind_it_is_known_what_was_delivered_beyond_the_base() {
        let mut sequence = sequence(&[10, 20, 30]);
        assert_eq!(sequence.base(), Some(at(5)));
        sequence.rewind(at(5));
        let fresh: Vec<u64> = [10, 15, 20, 25].into_iter().filter(|ms| !sequence.was_delivered(at(*ms))).collect();
        assert_eq!(fresh, [15, 25]);
        for ms in [10, 15, 20, 25] {
            sequence.advance(at(ms));
        }
        assert_eq!(sequence.judge(EPOCH, at(25), Some(at(30))), Verdict::Deliver);
        assert!(!sequence.was_delivered(at(30)), "beyond the old cursor nothing was");
    }

    #[test]
    fn the_tail_is_bounded() {
        let ids: Vec<u64> = (1..1_000).collect();
        assert_eq!(sequence(&ids).tail.len(), TAIL);
    }
}
