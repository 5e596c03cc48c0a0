//! What waits for one client: bounded in bytes, the smallest packet included, written with as few system calls as the socket allows.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

use tokio::net::TcpStream;

use crate::net::Hold;
use crate::protocol::engineio::{append_to_payload, payload_len};
use crate::protocol::frame::Frames;

/// Marks a message as volatile, and says which earlier volatile message it replaces: the one with the same key.
pub type VolatileKey = u64;

/// How many buffers one `writev` takes.
const SLICES: usize = 64;

/// What a packet takes beside its bytes, in the queue and on the heap. Without it a client that only pings and never reads would
/// hold a hundred times its budget.
pub const ENTRY: usize = 192;

/// What may wait without being counted in the budget of the process: it is in the price of a session.
const UNCOUNTED: usize = 2_048;

/// A whole packet, attachments included: it is sent whole or not at all, anything else would make the stream garbage.
struct Entry {
    frames: Frames,
    volatile: Option<VolatileKey>,
}

impl Entry {
    fn len(&self) -> usize {
        len(&self.frames)
    }
}

fn len(frames: &Frames) -> usize {
    frames.iter().map(|frame| frame.websocket().len()).sum()
}

/// The queue of one session. An idle one owns no buffer.
#[derive(Default)]
pub struct Outbox {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// How many bytes of the first entry have been written. An entry that was started is never dropped.
    written: usize,
    /// How many packets the client's transport has taken.
    taken: u64,
    /// So much of the weight does not count against the client's budget.
    allowed: usize,
    /// What counts in the budget of the process, if it is worth counting.
    hold: Option<Hold>,
}

/// The client reads too slowly: even without volatile messages its queue is over the budget.
#[derive(Debug, PartialEq, Eq)]
pub struct Overflow;

impl Outbox {
    /// Appends a packet. If the queue [weighs](Outbox::weight) more than `budget`, older volatile messages with a newer one of the same key go first.
    pub fn push(&mut self, frames: Frames, volatile: Option<VolatileKey>, budget: usize) -> Result<(), Overflow> {
        let entry = Entry { frames, volatile };
        self.bytes += entry.len();
        self.entries.push_back(entry);
        // One packet may be larger than the budget; it is only a queue that makes a client slow.
        let budget = budget.saturating_add(self.allowed);
        if self.weight() > budget && self.entries.len() > 1 {
            self.drop_outdated();
            if self.weight() > budget {
                return Err(Overflow);
            }
        }
        Ok(())
    }

    /// A packet that is pushed next does not count against the budget, until it is written.
    pub fn allow(&mut self, frames: &Frames) {
        self.allowed += ENTRY + len(frames);
    }

    /// What the queue takes: its bytes, and [`ENTRY`] for each packet.
    fn weight(&self) -> usize {
        self.bytes + ENTRY * self.entries.len()
    }

    /// Counts what waits in the budget of the process; `hold` makes a holder there.
    pub fn count(&mut self, hold: impl FnOnce() -> Hold) {
        match self.weight() {
            0..=UNCOUNTED => self.hold = None,
            weight => self.hold.get_or_insert_with(hold).set(weight),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many packets the client's transport has taken so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How many packets it will have taken when nothing waits any more.
    pub fn queued(&self) -> u64 {
        self.taken + self.entries.len() as u64
    }

    /// What waits, for a queue that goes on elsewhere or ends. Here only the count of what was taken stays.
    pub fn take(&mut self) -> Self {
        let taken = self.taken;
        std::mem::replace(self, Self { taken, ..Self::default() })
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes - self.written
    }

    /// Everything that waits, packet by packet. Only for a queue of which nothing has been started.
    pub fn into_packets(self) -> impl Iterator<Item = (Frames, Option<VolatileKey>)> {
        debug_assert_eq!(self.written, 0);
        self.entries.into_iter().map(|entry| (entry.frames, entry.volatile))
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Keeps the newest volatile message of each key, so that nobody misses a current value.
    fn drop_outdated(&mut self) {
        let mut seen = std::collections::HashSet::new();
        let started = usize::from(self.written > 0);
        let mut kept = VecDeque::with_capacity(self.entries.len());
        while let Some(entry) = self.entries.pop_back() {
            let is_started = self.entries.len() < started;
            if is_started || entry.volatile.is_none_or(|key| seen.insert(key)) {
                kept.push_front(entry);
            } else {
                self.bytes -= entry.len();
            }
        }
        self.entries = kept;
    }

    /// Writes what the socket takes at once; true when nothing is left.
    pub fn write_to(&mut self, socket: &TcpStream) -> io::Result<bool> {
        while !self.entries.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut used = 0;
            let mut skip = self.written;
            for frame in self.entries.iter().flat_map(|entry| &entry.frames) {
                let bytes = frame.websocket();
                if skip >= bytes.len() {
                    skip -= bytes.len();
                    continue;
                }
                slices[used] = IoSlice::new(&bytes[skip..]);
                skip = 0;
                used += 1;
                if used == SLICES {
                    break;
                }
            }
            match socket.try_write_vectored(&slices[..used]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.consume(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn consume(&mut self, count: usize) {
        self.written += count;
        while let Some(len) = self.entries.front().map(Entry::len).filter(|len| *len <= self.written) {
            self.written -= len;
            self.bytes -= len;
            self.taken += 1;
            self.entries.pop_front();
        }
        self.allowed = self.allowed.min(self.weight());
        if self.entries.is_empty() {
            self.entries = VecDeque::new();
        }
    }

    /// Takes whole entries for one long-polling response of at most `most` bytes and `packets` Engine.IO packets, always at
    /// least one entry. Attachments are packets of their own.
    pub fn take_payload(&mut self, most: usize, packets: usize) -> Vec<u8> {
        let mut body = Vec::new();
        let mut taken = 0;
        while let Some(entry) = self.entries.front() {
            let len: usize = entry.frames.iter().map(payload_len).sum();
            taken += entry.frames.len();
            if !body.is_empty() && (body.len() + len > most || taken > packets) {
                break;
            }
            for frame in &entry.frames {
                append_to_payload(&mut body, frame);
            }
            self.consume(self.entries[0].len());
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Budget;
    use crate::protocol::frame::Frame;
    use smallvec::smallvec;

    fn frames(text: &str) -> Frames {
        smallvec![Frame::text(text.as_bytes())]
    }

    #[test]
    fn over_the_budget_only_the_newest_volatile_message_of_each_key_stays() {
        let mut outbox = Outbox::default();
        for (text, key) in [("4a1", Some(1)), ("4b1", Some(2)), ("4x", None), ("4a2", Some(1)), ("4b2", Some(2))] {
            outbox.push(frames(text), key, 21 + 5 * ENTRY).unwrap();
        }
        assert_eq!(outbox.take_payload(1_000, 16), b"4x\x1e4a2\x1e4b2");
        assert_eq!(outbox.bytes(), 0);
    }

    #[test]
    fn what_is_not_volatile_is_never_dropped_but_overflows() {
        let mut outbox = Outbox::default();
        outbox.push(frames("4aaaaaaaa"), None, 16 + 2 * ENTRY).unwrap();
        assert_eq!(outbox.push(frames("4bbbbbbbb"), None, 16 + 2 * ENTRY), Err(Overflow));
    }

    #[test]
    fn each_packet_costs_something_however_small_it_is() {
        let mut outbox = Outbox::default();
        let taken = (0..).take_while(|_| outbox.push(smallvec![Frame::websocket_pong(b"")], None, 100_000).is_ok()).count();
        assert_eq!(taken, 100_000 / (2 + ENTRY));
        assert!(size_of::<Entry>() <= ENTRY / 2, "{}: the queue may be twice as large as what is in it", size_of::<Entry>());
    }

    #[test]
    fn what_waits_counts_in_the_budget_of_the_process_until_it_is_taken() {
        let process = Budget::new(100_000);
        let count = |outbox: &mut Outbox| outbox.count(|| process.hold("test", None, || ()));
        let mut outbox = Outbox::default();
        outbox.push(frames("4small"), None, 100_000).unwrap();
        count(&mut outbox);
        assert_eq!(process.used(), 0);
        outbox.push(frames(&"4".repeat(5_000)), None, 100_000).unwrap();
        count(&mut outbox);
        assert_eq!(process.used(), 8 + 5_004 + 2 * ENTRY);
        outbox.take_payload(100_000, 16);
        count(&mut outbox);
        assert_eq!(process.used(), 0);
    }

    #[test]
    fn what_was_missed_does_not_count_until_it_is_written() {
        let mut outbox = Outbox::default();
        for text in ["4aaaaaaaa", "4bbbbbbbb"] {
            outbox.allow(&frames(text));
            outbox.push(frames(text), None, 16 + ENTRY).unwrap();
        }
        outbox.push(frames("4live"), None, 16 + ENTRY).unwrap();
        outbox.take_payload(1_000, 16);
        outbox.push(frames("4cccccccc"), None, 16 + ENTRY).unwrap();
        assert_eq!(outbox.push(frames("4dddddddd"), None, 16 + ENTRY), Err(Overflow));
    }

    #[test]
    fn one_packet_may_be_larger_than_the_budget() {
        assert_eq!(Outbox::default().push(frames("4aaaaaaaaaaaaaaaaaaaa"), None, 4), Ok(()));
    }

    #[test]
    fn an_entry_that_was_started_is_kept() {
        let mut outbox = Outbox::default();
        outbox.push(frames("4old"), Some(1), 1_000).unwrap();
        outbox.consume(2);
        outbox.push(frames("4mid"), Some(1), 1_000).unwrap();
        outbox.push(frames("4new"), Some(1), 13 + 3 * ENTRY).unwrap();
        assert_eq!(outbox.entries.len(), 2);
        assert_eq!(outbox.bytes(), 4 + 6);
    }

    #[test]
    fn packets_count_as_taken_when_they_are_whole_and_what_waits_does_not() {
        let mut outbox = Outbox::default();
        for text in ["4a", "4b"] {
            outbox.push(frames(text), None, 1_000).unwrap();
        }
        outbox.consume(frames("4a")[0].websocket().len() + 1);
        assert_eq!((outbox.taken(), outbox.queued()), (1, 2));
        assert_eq!((outbox.take().queued(), outbox.taken(), outbox.queued()), (2, 1, 1));
    }

    #[test]
    fn a_payload_takes_whole_packets_up_to_the_limit() {
        let mut outbox = Outbox::default();
        outbox.push(smallvec![Frame::text(b"451-[]"), Frame::binary(&[1, 2, 3, 4])], None, 1_000).unwrap();
        outbox.push(frames("4next"), None, 1_000).unwrap();
        assert_eq!(outbox.take_payload(10, 16), b"451-[]\x1ebAQIDBA==");
        assert_eq!(outbox.take_payload(10, 16), b"4next");
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_payload_has_no_more_packets_than_asked_for_and_attachments_are_packets() {
        let mut outbox = Outbox::default();
        for text in ["4a", "4b", "4c"] {
            outbox.push(frames(text), None, 1_000).unwrap();
        }
        outbox.push(smallvec![Frame::text(b"452-[]"), Frame::binary(&[1]), Frame::binary(&[2])], None, 1_000).unwrap();
        assert_eq!(outbox.take_payload(100, 2), b"4a\x1e4b");
        assert_eq!(outbox.take_payload(100, 3), b"4c");
        assert_eq!(outbox.take_payload(100, 2), b"452-[]\x1ebAQ==\x1ebAg==", "an event is not cut in two");
    }
}
