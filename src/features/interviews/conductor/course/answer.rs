//! An answer in a course: the finals of what was said are waited for, then it goes to the desk.

use std::time::Duration;

use tokio::time::Instant;

use super::super::desk::Outcome;
use super::super::finish::Finishing;
use super::Course;
use crate::features::interviews::scripts::AudioEntry;

/// The finals of an answer are waited for so long, from when this node knows of it: after the death of another one all that it had not
/// heard is to be sent again.
pub const FINALS_PATIENCE: Duration = Duration::from_secs(15);

/// An answer whose finals are waited for.
pub struct Settling {
    deadline: Instant,
    /// All audio that was taken before it was read, and the turn is to end behind it.
    is_ended: bool,
    /// The stream was asked to end the turn behind this position.
    ends_at: Option<u64>,
    is_settled: bool,
    is_handed_over: bool,
}

impl Settling {
    fn new() -> Self {
        let deadline = Instant::now() + FINALS_PATIENCE;
        Self { deadline, is_ended: false, ends_at: None, is_settled: false, is_handed_over: false }
    }

    pub fn due(&self) -> Option<Instant> {
        (!self.is_handed_over).then_some(self.deadline)
    }

    /// The stream was asked to end the turn.
    pub fn asked(&mut self, position: u64) {
        self.ends_at = Some(position);
    }

    /// All audio up to there has its final text.
    pub fn settled(&mut self, position: u64) {
        self.is_settled |= self.ends_at.is_some_and(|end| position >= end);
    }

    /// The stream is lost: what it has not heard is read and sent again.
    pub fn begin_again(&mut self) {
        (self.is_ended, self.ends_at) = (false, None);
    }
}

impl Course<'_> {
    /// Takes audio that was read. Where an answer stands, the turn ends behind the last chunk that belongs to it.
    pub(super) fn take(&mut self, mut audio: Vec<AudioEntry>) {
        let Some(answer) = &self.session.answer else {
            self.settling = None;
            return self.feed.take(audio);
        };
        let settling = self.settling.get_or_insert_with(Settling::new);
        if settling.is_ended || !self.listening.is_configured() {
            return self.feed.take(audio);
        }
        let rest = audio.split_off(audio.partition_point(|entry| entry.id <= answer.audio_to));
        self.feed.take(audio);
        if !rest.is_empty() || self.feed.cursor >= answer.audio_to {
            settling.is_ended = true;
            if self.feed.is_empty() && self.listening.open.as_ref().is_none_or(|open| open.track.is_covered()) {
                settling.is_settled = true;
            } else {
                self.feed.end_turn();
            }
        }
        self.feed.take(rest);
    }

    /// Hands the answer over once its finals are here, or need not be waited for any longer.
    pub(super) fn settle(&mut self) {
        let is_out = self.listening.is_out();
        let Some(settling) = self.settling.as_mut().filter(|settling| !settling.is_handed_over) else { return };
        if (settling.is_settled || is_out || Instant::now() >= settling.deadline)
            && self.text.is_in_redis()
            && let Some(answer) = &self.session.answer
        {
            settling.is_handed_over = true;
            self.desk.finish(Finishing::new(&self.session, answer));
        }
    }

    /// The answer to this question is at the desk.
    pub(super) fn is_finishing(&self, position: u32) -> bool {
        position == self.session.position && self.settling.as_ref().is_some_and(|settling| settling.is_handed_over)
    }

    /// The desk has done something.
    pub(super) fn worked(&mut self) {
        if let Some(Outcome::Finished) = self.desk.file() {
            (self.times.read, self.times.is_woken) = (Instant::now(), true);
        }
    }
}
