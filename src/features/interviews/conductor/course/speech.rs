//! Speech in a course: audio goes into the stream, and what it tells goes to Redis.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::clean;
use super::super::feed::{self, Item};
use super::super::listening::{Listening, Tell};
use super::super::ports::{Away, Noted};
use super::super::track::Track;
use super::{Course, IDLE};
use crate::core::StreamId;
use crate::core::clock::now_ms;
use crate::core::sync::lock;
use crate::features::interviews::providers::speech::{self, Ended, SpeechEvent, SpeechStream, Unavailable};
use crate::features::interviews::scripts::{Heard, Outage, SessionState, Turn};

/// Partial texts are told no more often than this; of those in between the newest counts.
const PARTIAL_GAP: Duration = Duration::from_millis(200);
/// Final turns that wait for Redis. With more of them the stream is not listened to.
const MOST_FINALS: usize = 64;
/// How long a stream may take to end.
const CLOSE_PATIENCE: Duration = Duration::from_secs(10);
/// After so many samples in which nobody speaks it is noted that there is nothing to hear in them: 20 s. Otherwise another node would
/// send all of them again.
const SILENCE: u64 = 20 * 16_000;

/// What was said and is not written down everywhere yet.
#[derive(Default)]
pub struct Text {
    /// Each with the place up to which all audio has its final text then.
    finals: VecDeque<(Turn, Heard)>,
    /// Turns of answers that are stored already.
    pub late: Vec<Turn>,
    partial: Option<(String, f64)>,
    next_partial: Option<Instant>,
    /// All audio up to there has its final text, without a final turn of this stream that says so.
    silent: Option<(StreamId, Arc<str>)>,
    /// The same by what was told last, to a byte.
    pub heard: Heard,
}

impl Text {
    pub fn starting_after(heard: StreamId) -> Self {
        Self { heard: heard.into(), ..Self::default() }
    }

    pub fn has_room(&self) -> bool {
        self.finals.len() + self.late.len() < MOST_FINALS
    }

    /// Whether Redis knows all final turns.
    pub fn is_in_redis(&self) -> bool {
        self.finals.is_empty()
    }

    /// Whether nothing is left to write.
    pub fn is_written(&self) -> bool {
        self.finals.is_empty() && self.late.is_empty() && self.silent.is_none()
    }

    pub fn due(&self) -> Option<Instant> {
        self.partial.as_ref().and(self.next_partial)
    }
}

impl Course<'_> {
    /// The front of the feed was sent.
    pub(super) fn sent(&mut self, sent: Result<(), Ended>) {
        let Some(open) = &mut self.listening.open else { return };
        if sent.is_err() {
            // Its last event, which is to come, says why.
            open.is_ready = false;
            return;
        }
        match self.feed.pop() {
            Some(Item::Audio { entry, left_out }) => {
                open.track.send(entry.id, entry.position, feed::samples(&entry.pcm), left_out);
                if open.is_turn_open {
                    open.quiet_since = open.track.position();
                } else if open.track.position() - open.quiet_since >= SILENCE && self.settling.is_none() {
                    open.quiet_since = open.track.position();
                    self.feed.end_turn();
                }
            }
            Some(Item::EndTurn) => {
                let position = open.track.position();
                self.settling.iter_mut().for_each(|settling| settling.asked(position));
            }
            Some(Item::Close) | None => {}
        }
        if self.reads_on() {
            (self.times.read, self.times.is_woken) = (Instant::now(), true);
        }
    }

    /// A try to open a stream has ended.
    pub(super) fn opened(&mut self, result: Result<SpeechStream, Unavailable>) {
        self.note_refusal(|listening| listening.opened(result));
    }

    /// The stream tells something.
    pub(super) fn said(&mut self, event: Option<SpeechEvent>) {
        match event {
            Some(SpeechEvent::Turn(turn)) => self.turn(turn),
            Some(SpeechEvent::Settled { position }) => {
                self.listening.told();
                self.settling.iter_mut().for_each(|settling| settling.settled(position));
                self.covered(position);
            }
            Some(SpeechEvent::Lost(error)) => {
                self.note_refusal(|listening| listening.lost(&error));
                self.begin_again();
            }
            Some(SpeechEvent::Closed) => {
                let end = self.listening.open.as_ref().map_or(0, |open| open.track.position());
                self.covered(end);
                self.listening.open = None;
                self.text.partial = None;
            }
            None => {
                self.listening.open = None;
                self.begin_again();
            }
        }
    }

    fn covered(&mut self, position: u64) {
        let Some(open) = &mut self.listening.open else { return };
        if let Some(heard) = open.track.cover(position) {
            self.text.silent = Some((heard.entry, open.id.clone()));
        }
    }

    /// The stream is lost: what it has not heard is read and sent again.
    fn begin_again(&mut self) {
        self.text.partial = None;
        self.feed.rewind(self.text.heard);
        (self.times.read, self.times.is_woken) = (Instant::now(), true);
        if let Some(settling) = &mut self.settling {
            settling.begin_again();
        }
    }

    fn turn(&mut self, turn: speech::Turn) {
        self.listening.told();
        let Some(open) = &mut self.listening.open else { return };
        open.is_turn_open = !turn.is_final;
        if !turn.is_final {
            self.text.partial = Some((turn.text, turn.confidence));
            self.text.next_partial.get_or_insert_with(Instant::now);
            return;
        }
        self.text.partial = None;
        let position = open.track.question_at(turn.covered.unwrap_or(open.track.position()));
        let covered = open.track.cover(turn.covered.unwrap_or_default());
        if turn.text.trim().is_empty() {
            self.text.silent = covered.map(|heard| (heard.entry, open.id.clone())).or(self.text.silent.take());
            return;
        }
        let before = self.text.finals.back().map_or(self.text.heard, |(_, heard)| *heard);
        let silent = self.text.silent.take().map(|(heard, _)| Heard::from(heard));
        let heard = covered.or(silent).unwrap_or(before);
        let (stream, order) = (open.id.to_string(), u32::try_from(turn.order).unwrap_or(u32::MAX));
        let (text, confidence) = (clean(&turn.text), turn.confidence);
        self.text.finals.push_back((Turn { stream, order, position, text, confidence, at: now_ms() }, heard));
    }

    /// Writes down what was said.
    pub(super) async fn write_text(&mut self) -> Result<(), Away> {
        while let Some((turn, heard)) = self.text.finals.front() {
            let noted = self.conductor.state.note(self.id, turn, *heard).await?;
            let Some((turn, heard)) = self.text.finals.pop_front() else { break };
            match noted {
                Noted::Late => self.text.late.push(turn),
                // Its answer may be stored already, though the next question is not asked yet.
                Noted::Kept if self.is_finishing(turn.position) => self.text.late.push(turn),
                Noted::Kept => {}
                // Is the lease still this node's?
                Noted::Stale => self.times.held_until = Instant::now(),
            }
            self.text.heard = heard;
        }
        if let Some((heard, stream)) = &self.text.silent {
            self.conductor.state.hear(self.id, stream, *heard).await?;
            self.text.heard = (*heard).into();
            self.text.silent = None;
        }
        let (Some(open), now) = (&self.listening.open, Instant::now()) else { return Ok(()) };
        if self.text.next_partial.is_some_and(|at| at <= now)
            && let Some((text, confidence)) = self.text.partial.take()
        {
            self.text.next_partial = Some(now + PARTIAL_GAP);
            self.conductor.state.partial(self.id, &open.id, &text, confidence).await?;
        }
        Ok(())
    }

    /// Opens and closes streams, and tells of outages.
    pub(super) async fn listen(&mut self) -> Result<(), Away> {
        if !self.listening.is_configured() {
            return self.tell_outage().await;
        }
        let now = Instant::now();
        let (is_over, is_idle) = (self.session.state.has_ended(), now >= self.times.last_audio + IDLE);
        let is_unwanted = (is_over || is_idle) && self.settling.is_none();
        if let Some(open) = &mut self.listening.open {
            if !open.is_known {
                let Some(heard) = self.conductor.state.stream(self.id, &open.id).await? else {
                    self.listening.open = None;
                    return Ok(());
                };
                (open.is_known, open.is_ready) = (true, true);
                open.track = Track::starting_after(heard);
                self.text.heard = heard;
                self.times.last_audio = now;
                self.begin_again();
            } else if open.closing.is_some_and(|by| now >= by) {
                self.listening.open = None;
                self.text.partial = None;
            } else if open.closing.is_none() && is_unwanted && (is_over || self.feed.is_empty()) {
                open.closing = Some(now + CLOSE_PATIENCE);
                self.feed.close();
            }
        } else if is_unwanted {
            // Nobody speaks, or there is nobody to listen.
            self.times.has_given_up = true;
            self.feed.rewind(self.text.heard);
        }
        if self.listening.open.is_none() && !self.feed.is_empty() {
            let refused_until = *lock(&self.conductor.refused_until);
            self.listening.want(refused_until);
        } else {
            self.listening.want_nothing();
        }
        self.tell_outage().await
    }

    async fn tell_outage(&mut self) -> Result<(), Away> {
        if !self.listening.is_configured() {
            if self.session.state == SessionState::Active && !self.listening.is_told_down {
                self.conductor.state.outage(self.id, Outage::SpeechToText, Some("not-configured")).await?;
                self.listening.is_told_down = true;
            }
            return Ok(());
        }
        let Some(tell) = self.listening.to_tell() else { return Ok(()) };
        let reason = match tell {
            Tell::Down(reason) => Some(reason),
            Tell::Up => None,
        };
        self.conductor.state.outage(self.id, Outage::SpeechToText, reason).await?;
        self.listening.was_told(tell);
        Ok(())
    }

    /// A reason for all interviews of this node is kept.
    fn note_refusal(&mut self, happened: impl FnOnce(&mut Listening<'_>) -> Option<Instant>) {
        if let Some(until) = happened(&mut self.listening) {
            *lock(&self.conductor.refused_until) = Some(until);
        }
    }
}
