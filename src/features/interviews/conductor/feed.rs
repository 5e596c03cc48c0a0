//! The audio of an interview on its way into a speech stream. Pure.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::core::StreamId;
use crate::features::interviews::scripts::{AudioEntry, Heard};

/// Bytes that wait here at most, beyond the last chunk that was read: about two seconds.
const ROOM: usize = 64 * 1024;
/// The same while an answer waits for its finals: half a minute. Redis forgets its audio once it is finished.
const ROOM_OF_ANSWER: usize = 1024 * 1024;

/// What goes into the stream next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Without its first bytes, if these have their text already.
    Audio { entry: AudioEntry, left_out: u32 },
    /// The answer is complete: what was said has its end.
    EndTurn,
    /// The stream is not needed any more.
    Close,
}

/// What was read from Redis and is not sent yet.
#[derive(Debug, Default)]
pub struct Feed {
    items: VecDeque<Item>,
    bytes: usize,
    /// Up to where was read.
    pub cursor: StreamId,
    /// Bytes of the next chunk that are left out.
    left_out: u32,
}

impl Feed {
    pub fn starting_after(cursor: StreamId) -> Self {
        Self { cursor, ..Self::default() }
    }

    /// How many bytes may be read.
    pub fn room(&self, is_answered: bool) -> usize {
        let most = if is_answered { ROOM_OF_ANSWER } else { ROOM };
        most.saturating_sub(self.bytes)
    }

    /// What a read has brought.
    pub fn take(&mut self, audio: Vec<AudioEntry>) {
        for mut entry in audio {
            self.cursor = self.cursor.max(entry.id);
            let left_out = std::mem::take(&mut self.left_out);
            entry.pcm = entry.pcm.slice((left_out as usize).min(entry.pcm.len())..);
            self.bytes += entry.pcm.len();
            self.items.push_back(Item::Audio { entry, left_out });
        }
    }

    /// The turn ends behind what was read.
    pub fn end_turn(&mut self) {
        self.items.push_back(Item::EndTurn);
    }

    /// Nothing is to be sent for a while.
    pub fn close(&mut self) {
        self.items.push_back(Item::Close);
    }

    /// Whether it is time to read on.
    pub fn has_much_room(&self) -> bool {
        self.bytes <= ROOM / 2
    }

    pub fn front(&self) -> Option<&Item> {
        self.items.front()
    }

    /// The front is sent.
    pub fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        if let Item::Audio { entry, .. } = &item {
            self.bytes -= entry.pcm.len();
        }
        Some(item)
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The stream is lost: everything behind this place is to be read again.
    pub fn rewind(&mut self, heard: Heard) {
        self.items.clear();
        (self.bytes, self.cursor, self.left_out) = (0, heard.entry, heard.bytes);
    }
}

/// Samples of a piece.
pub fn samples(pcm: &Bytes) -> u64 {
    pcm.len() as u64 / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(ms: u64, position: u32, bytes: usize) -> AudioEntry {
        AudioEntry { id: StreamId { ms, seq: 0 }, position, pcm: vec![0; bytes].into() }
    }

    #[test]
    fn no_more_is_read_than_there_is_room_for() {
        let mut feed = Feed::default();
        feed.take(vec![entry(1, 1, 60_000), entry(2, 1, 32_000)]);
        assert_eq!((feed.room(false), feed.cursor.ms), (0, 2));
        assert_eq!(feed.room(true), ROOM_OF_ANSWER - 92_000);
        feed.pop();
        assert_eq!(feed.room(false), ROOM - 32_000);
        feed.rewind(Heard { entry: StreamId { ms: 1, seq: 0 }, bytes: 31_000 });
        assert!(feed.is_empty() && feed.room(false) == ROOM && feed.cursor.ms == 1);
        feed.take(vec![entry(2, 1, 32_000), entry(3, 1, 32_000)]);
        assert_eq!(feed.room(false), ROOM - 33_000, "what has its text already is left out");
    }
}
