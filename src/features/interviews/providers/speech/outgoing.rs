//! Audio on its way out: joined to messages that the vendor takes, no faster than real time, and where each part of it came from.
//!
//! The vendor closes a stream that is faster than real time, on average since it began. So a message goes once the audio before
//! it has had time to be spoken. Who was silent for a while may catch up with two seconds of it at once.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::time::Instant;

use super::Chunk;

/// Samples of a millisecond.
const PER_MS: u64 = 16;
/// Bytes of the shortest message, 50 ms, and of the longest of ours, 250 ms. The vendor takes up to 1000 ms.
const SHORTEST: usize = 50 * PER_MS as usize * 2;
const LONGEST: usize = 250 * PER_MS as usize * 2;
/// What may be caught up with at once.
const CREDIT: Duration = Duration::from_secs(2);
/// Pieces of audio that do not join, whose place is remembered.
const MOST_SPANS: usize = 4096;
/// 50 ms whose samples have this effective value count as loud: about -35 dB, what speech near a microphone exceeds.
const LOUD: f64 = 600.0;
/// Samples behind a word that may be loud without being one of the next.
const TAIL: u64 = 150 * PER_MS;

/// The audio of one stream.
pub struct Outgoing {
    waiting: BytesMut,
    /// Samples that were handed over, padding included. All times of the vendor count from the first of them.
    accepted: u64,
    /// When the next message may go.
    next: Instant,
    spans: VecDeque<Span>,
    covered: Option<u64>,
    loud: Duration,
    /// Where the last loud audio ends, and the last word of a final turn.
    loud_until: u64,
    final_until: u64,
}

/// Samples that came in one piece.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// In the stream.
    at: u64,
    /// As the caller counts.
    position: u64,
    length: u64,
}

impl Outgoing {
    pub fn new(now: Instant) -> Self {
        let (waiting, spans) = (BytesMut::new(), VecDeque::new());
        let (covered, loud) = (None, Duration::ZERO);
        Self { waiting, accepted: 0, next: now, spans, covered, loud, loud_until: 0, final_until: 0 }
    }

    /// Whether another chunk may be handed over. It keeps what waits here small.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < LONGEST
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn push(&mut self, chunk: &Chunk) {
        // Half a sample would turn all that follows into noise.
        let bytes = chunk.pcm.len() & !1;
        let length = bytes as u64 / 2;
        if length == 0 {
            return;
        }
        self.waiting.extend_from_slice(&chunk.pcm[..bytes]);
        match self.spans.back_mut() {
            Some(last) if last.position + last.length == chunk.position && last.at + last.length == self.accepted => {
                last.length += length;
            }
            _ => self.spans.push_back(Span { at: self.accepted, position: chunk.position, length }),
        }
        if self.spans.len() > MOST_SPANS {
            self.spans.pop_front();
        }
        self.accepted += length;
    }

    /// Makes a rest that is shorter than a message may be long enough, with silence.
    pub fn pad(&mut self) {
        if !self.waiting.is_empty() && self.waiting.len() < SHORTEST {
            let missing = SHORTEST - self.waiting.len();
            self.waiting.resize(SHORTEST, 0);
            self.accepted += missing as u64 / 2;
        }
    }

    /// When the next message may go; `None` while there is not enough for one.
    pub fn due(&self) -> Option<Instant> {
        (self.waiting.len() >= SHORTEST).then_some(self.next)
    }

    /// The next message, which is due.
    pub fn take(&mut self, now: Instant) -> Vec<u8> {
        let message = self.waiting[..self.waiting.len().min(LONGEST)].to_vec();
        self.waiting.advance(message.len());
        let lasts = Duration::from_millis(message.len() as u64 / 2 / PER_MS);
        let earliest = now.checked_sub(CREDIT).map_or(self.next, |earliest| earliest.max(self.next));
        self.next = earliest + lasts;
        let mut at = self.sent() - message.len() as u64 / 2;
        for window in message.chunks(SHORTEST) {
            let samples = window.len() as u64 / 2;
            at += samples;
            if is_loud(window) {
                self.loud += Duration::from_millis(samples / PER_MS);
                self.loud_until = at;
            }
        }
        message
    }

    /// Loud audio that was sent since [`Outgoing::heard`].
    pub fn unheard(&self) -> Duration {
        self.loud
    }

    /// The vendor has told that it hears something.
    pub fn heard(&mut self) {
        self.loud = Duration::ZERO;
    }

    /// Whether there was loud audio behind the last word of the last final turn: more text is likely to come.
    pub fn awaits_text(&self) -> bool {
        self.loud_until > self.final_until + TAIL
    }

    /// Whether all that was sent has its final text.
    pub fn is_final(&self) -> bool {
        self.final_until >= self.sent()
    }

    /// A turn has ended whose last word ends at this time of the stream: up to which position of the caller everything is final.
    pub fn cover(&mut self, end_ms: f64) -> Option<u64> {
        // A number that is negative or none becomes 0.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let at = ((end_ms * PER_MS as f64) as u64).min(self.sent());
        self.final_until = self.final_until.max(at);
        self.cover_samples(at)
    }

    /// All that was sent is final.
    pub fn cover_all(&mut self) -> Option<u64> {
        self.final_until = self.sent();
        self.cover_samples(self.sent())
    }

    fn sent(&self) -> u64 {
        self.accepted - self.waiting.len() as u64 / 2
    }

    fn cover_samples(&mut self, at: u64) -> Option<u64> {
        // The one in which it lies stays: more of it may be covered later.
        while self.spans.get(1).is_some_and(|next| next.at <= at) {
            self.spans.pop_front();
        }
        if let Some(span) = self.spans.front().filter(|span| span.at <= at) {
            let position = span.position + (at - span.at).min(span.length);
            self.covered = Some(self.covered.map_or(position, |before| before.max(position)));
        }
        self.covered
    }
}

fn is_loud(window: &[u8]) -> bool {
    let samples = window.chunks_exact(2).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])));
    let sum: f64 = samples.map(|sample| sample * sample).sum();
    (sum / (window.len() as f64 / 2.0)).sqrt() >= LOUD
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audio(position_ms: u64, ms: usize) -> Chunk {
        Chunk { position: position_ms * PER_MS, pcm: vec![1; ms * 32].into() }
    }

    /// Milliseconds of the messages that go up to then, each with the moment at which it goes.
    fn sent(outgoing: &mut Outgoing, start: Instant, until_ms: u64) -> Vec<(u64, usize)> {
        let mut messages = Vec::new();
        while let Some(due) = outgoing.due().filter(|due| *due <= start + Duration::from_millis(until_ms)) {
            let at = due.max(start);
            messages.push((u64::try_from(at.duration_since(start).as_millis()).unwrap(), outgoing.take(at).len() / 32));
        }
        messages
    }

    #[test]
    fn chunks_are_joined_to_messages_that_the_vendor_takes() {
        let start = Instant::now();
        let mut outgoing = Outgoing::new(start);
        outgoing.push(&audio(0, 20));
        outgoing.push(&audio(20, 20));
        assert_eq!(outgoing.due(), None, "40 ms are too short");
        outgoing.push(&audio(40, 20));
        assert_eq!(sent(&mut outgoing, start, 0), [(0, 60)]);
        outgoing.push(&audio(60, 1000));
        assert_eq!(sent(&mut outgoing, start, 10_000), [(60, 250), (310, 250), (560, 250), (810, 250)]);
        outgoing.push(&audio(1060, 10));
        outgoing.pad();
        assert_eq!(sent(&mut outgoing, start, 10_000), [(1060, 50)]);
        outgoing.pad();
        assert!(outgoing.is_empty());
    }

    #[test]
    fn a_backlog_goes_at_real_time_and_a_pause_gives_two_seconds_of_credit() {
        let start = Instant::now();
        let mut outgoing = Outgoing::new(start);
        outgoing.push(&audio(0, 10_000));
        let backlog = sent(&mut outgoing, start, 60_000);
        assert_eq!(backlog.len(), 40);
        assert!(backlog.iter().enumerate().all(|(n, (at, ms))| *at == n as u64 * 250 && *ms == 250), "{backlog:?}");
        let later = start + Duration::from_secs(60);
        outgoing.push(&audio(10_000, 5_000));
        let at_once = std::iter::from_fn(|| {
            outgoing.due().filter(|due| *due <= later)?;
            Some(outgoing.take(later).len() / 32)
        });
        assert_eq!(at_once.sum::<usize>(), 2_250, "two seconds, and the message that is due anyway");
    }

    #[test]
    fn a_final_turn_covers_the_audio_up_to_its_last_word_as_the_caller_counts_it() {
        let mut outgoing = Outgoing::new(Instant::now());
        let ms = |ms: u64| Some(ms * PER_MS);
        assert_eq!(outgoing.cover(100.0), None, "nothing was sent");
        // The caller begins in the middle of an interview, and later leaves something out.
        outgoing.push(&audio(60_000, 500));
        outgoing.push(&audio(90_000, 500));
        while outgoing.due().is_some() {
            let due = outgoing.due().unwrap();
            outgoing.take(due);
        }
        assert_eq!(outgoing.cover(300.0), ms(60_300));
        assert_eq!(outgoing.cover(700.0), ms(90_200));
        assert_eq!(outgoing.cover(600.0), ms(90_200), "it never goes back");
        assert_eq!(outgoing.cover(9_999.0), ms(90_500), "no more than was sent");
        for strange in [-5.0, f64::NAN] {
            assert_eq!(outgoing.cover(strange), ms(90_500));
        }
        outgoing.push(&audio(90_500, 10));
        outgoing.pad();
        let due = outgoing.due().unwrap();
        outgoing.take(due);
        assert_eq!(outgoing.cover_all(), ms(90_510), "padding is nobody's audio");
    }

    #[test]
    fn loud_audio_is_counted_until_the_vendor_hears_something() {
        let mut outgoing = Outgoing::new(Instant::now());
        let loud = |position: u64, sample: i16| Chunk {
            position,
            pcm: (0..4000).flat_map(|_| sample.to_le_bytes()).collect::<Vec<_>>().into(),
        };
        outgoing.push(&loud(0, 3000));
        outgoing.push(&loud(4000, 20));
        while let Some(due) = outgoing.due() {
            outgoing.take(due);
        }
        assert_eq!(outgoing.unheard(), Duration::from_millis(250));
        outgoing.heard();
        assert_eq!(outgoing.unheard(), Duration::ZERO);
    }

    #[test]
    fn text_is_awaited_while_something_was_said_behind_the_last_final_word() {
        let mut outgoing = Outgoing::new(Instant::now());
        let say = |outgoing: &mut Outgoing, position: u64, sample: i16| {
            let pcm = (0..16_000).flat_map(|_| sample.to_le_bytes()).collect::<Vec<_>>();
            outgoing.push(&Chunk { position, pcm: pcm.into() });
            while let Some(due) = outgoing.due() {
                outgoing.take(due);
            }
        };
        assert!(!outgoing.awaits_text());
        say(&mut outgoing, 0, 3000);
        assert!(outgoing.awaits_text());
        outgoing.cover(800.0);
        assert!(outgoing.awaits_text(), "200 ms are left");
        outgoing.cover(900.0);
        assert!(!outgoing.awaits_text());
        say(&mut outgoing, 16_000, 20);
        assert!(!outgoing.awaits_text(), "nobody speaks");
        say(&mut outgoing, 32_000, 3000);
        assert!(outgoing.awaits_text());
        outgoing.cover_all();
        assert!(!outgoing.awaits_text(), "it was given up");
    }
}
