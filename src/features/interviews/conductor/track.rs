//! Which audio of a speech stream has its final text. Pure.
//!
//! A stream counts samples from its beginning; Redis knows chunks by their ids, and each belongs to a question.

use std::collections::VecDeque;

use crate::core::StreamId;
use crate::features::interviews::scripts::Heard;

/// Chunks that are kept apart. Beyond it, neighbours are taken together: then a place is known less exactly, but never too far.
const MOST: usize = 2_048;

/// What was sent into one stream and has no final text yet.
#[derive(Debug, Default)]
pub struct Track {
    sent: VecDeque<Piece>,
    /// Samples sent.
    position: u64,
    /// The place up to which all has its text, and its position.
    heard: Heard,
    heard_at: u64,
    /// The question to which what has its text belonged last.
    question: u32,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    /// The position behind it.
    end: u64,
    id: StreamId,
    question: u32,
    /// Bytes of the chunk that were left out, since they had their text already.
    left_out: u32,
    is_joined: bool,
}

impl Track {
    /// A chunk of so many samples is sent, without its first bytes if these have their text already.
    pub fn send(&mut self, id: StreamId, question: u32, samples: u64, left_out: u32) {
        self.position += samples;
        if self.sent.len() >= MOST {
            self.join_neighbours();
        }
        self.sent.push_back(Piece { end: self.position, id, question, left_out, is_joined: false });
    }

    /// All audio before this position has its final text. Gives the place, if it is a new one.
    pub fn cover(&mut self, position: u64) -> Option<Heard> {
        let before = self.heard;
        while let Some(piece) = self.sent.front().filter(|piece| piece.end <= position) {
            (self.heard, self.heard_at) = (piece.id.into(), piece.end);
            self.question = piece.question;
            self.sent.pop_front();
        }
        if let Some(piece) = self.sent.front().filter(|piece| position > self.heard_at && !piece.is_joined) {
            let bytes = u32::try_from((position - self.heard_at) * 2).unwrap_or_default();
            self.heard.bytes = piece.left_out + bytes;
        }
        (self.heard != before).then_some(self.heard)
    }

    /// A stream begins behind this place.
    pub fn starting_after(heard: Heard) -> Self {
        Self { heard, ..Self::default() }
    }

    /// The question to which a turn belongs that ends before this position.
    pub fn question_at(&self, position: u64) -> u32 {
        let piece = self.sent.iter().find(|piece| piece.end >= position).or(self.sent.back());
        piece.map_or(self.question, |piece| piece.question)
    }

    /// Samples sent.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Whether everything that was sent has its final text.
    pub fn is_covered(&self) -> bool {
        self.sent.is_empty()
    }

    fn join_neighbours(&mut self) {
        let mut joined: VecDeque<(Piece, bool)> = VecDeque::with_capacity(MOST);
        for piece in self.sent.drain(..) {
            match joined.back_mut() {
                Some((last, is_pair)) if !*is_pair && last.question == piece.question => {
                    (*last, *is_pair) = (Piece { is_joined: true, ..piece }, true);
                }
                _ => joined.push_back((piece, false)),
            }
        }
        self.sent = joined.into_iter().map(|(piece, _)| piece).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    fn place(ms: u64, bytes: u32) -> Heard {
        Heard { entry: id(ms), bytes }
    }

    #[test]
    fn text_reaches_up_to_a_byte_of_a_chunk() {
        let mut track = Track::default();
        (1..=4).for_each(|ms| track.send(id(ms), 1, 100, 0));
        assert_eq!(track.cover(99), Some(place(0, 198)));
        assert_eq!(track.cover(99), None, "it is told once");
        assert_eq!(track.cover(250), Some(place(2, 100)));
        assert_eq!(track.cover(400), Some(place(4, 0)));
        assert!(track.is_covered() && track.position() == 400);
    }

    #[test]
    fn what_was_left_out_of_a_chunk_counts_as_its_beginning() {
        let mut track = Track::starting_after(place(1, 60));
        track.send(id(2), 1, 70, 60);
        assert_eq!(track.cover(0), None);
        assert_eq!(track.cover(10), Some(place(1, 80)));
        assert_eq!(track.cover(70), Some(place(2, 0)));
    }

    #[test]
    fn a_turn_belongs_to_the_question_in_whose_audio_it_ends() {
        let mut track = Track::default();
        assert_eq!(track.question_at(0), 0);
        for (ms, question) in [(1, 1), (2, 1), (3, 2)] {
            track.send(id(ms), question, 100, 0);
        }
        let questions = [1, 100, 200, 201, 300, 999].map(|position| track.question_at(position));
        assert_eq!(questions, [1, 1, 1, 2, 2, 2]);
        track.cover(300);
        assert_eq!(track.question_at(300), 2, "what has its text is not forgotten at once");
    }

    #[test]
    fn a_long_silence_takes_little_memory_and_is_never_heard_too_far() {
        let mut track = Track::default();
        for ms in 1..=20_000 {
            track.send(id(ms), if ms < 15_000 { 1 } else { 2 }, 10, 0);
            assert!(track.sent.len() <= MOST);
        }
        for position in [5_u64, 12_345, 149_990, 150_001, 199_999] {
            let heard = track.cover(position).unwrap_or_default();
            assert!(heard.entry.ms * 10 + u64::from(heard.bytes) / 2 <= position, "{position}: {heard:?}");
        }
        assert_eq!(track.cover(200_000), Some(place(20_000, 0)));
    }
}
