//! The speech stream of one interview: when it is opened, closed and opened again, and when that is an outage.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::track::Track;
use crate::features::interviews::providers::speech::{
    Backoff, Reason, SpeechAudio, SpeechEvents, SpeechStream, SpeechToText, Unavailable,
};
use crate::telemetry::due;

/// How long one try to open a stream may take; most of it is the wait for a turn among all nodes.
const OPEN_PATIENCE: Duration = Duration::from_secs(20);
/// A stream that is wanted and was not there for so long is an outage; one that is refused is one at once.
const OUTAGE_AFTER: Duration = Duration::from_secs(2);
/// A stream that has told nothing yet counts as working after so long: perhaps nobody speaks.
const WORKS_AFTER: Duration = Duration::from_secs(5);
/// After it was refused for a reason that only a person can change, it is tried again so seldom.
const REFUSED_FOR: Duration = Duration::from_secs(60);

/// A stream that stands.
pub struct Open {
    pub id: Arc<str>,
    pub audio: SpeechAudio,
    pub events: SpeechEvents,
    pub track: Track,
    /// Something was said in a turn that has not ended.
    pub is_turn_open: bool,
    /// Redis knows that its turns count.
    pub is_known: bool,
    /// It takes audio: it is known, and has not ended.
    pub is_ready: bool,
    /// Since this position nobody has spoken, or it was noted that there is nothing to hear up to there.
    pub quiet_since: u64,
    /// It is asked to close, and is given up at this moment.
    pub closing: Option<Instant>,
    opened: Instant,
    has_told: bool,
}

/// What to tell of speech to text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tell {
    Down(&'static str),
    Up,
}

/// The stream, or the way to one.
pub struct Listening<'a> {
    /// `None`: no speech to text is configured.
    speech: Option<&'a dyn SpeechToText>,
    pub open: Option<Open>,
    pub opening: Option<BoxFuture<'a, Result<SpeechStream, Unavailable>>>,
    backoff: Backoff,
    /// No stream is opened before then.
    not_before: Option<Instant>,
    /// Since when there should be a stream and is none.
    missing_since: Option<Instant>,
    /// What the last try met.
    refused: Option<Reason>,
    /// It was told that speech to text is not available, by this node or another one.
    pub is_told_down: bool,
}

impl<'a> Listening<'a> {
    pub fn new(speech: Option<&'a dyn SpeechToText>, is_told_down: bool) -> Self {
        let backoff = Backoff::default();
        let (not_before, missing_since, refused) = (None, None, None);
        Self { speech, open: None, opening: None, backoff, not_before, missing_since, refused, is_told_down }
    }

    pub fn is_configured(&self) -> bool {
        self.speech.is_some()
    }

    /// There is audio to send: opens a stream, if it is time to. `node_not_before`: no node-wide reason stands against it then.
    pub fn want(&mut self, node_not_before: Option<Instant>) {
        let (Some(speech), None, None) = (self.speech, &self.open, &self.opening) else { return };
        let now = Instant::now();
        self.missing_since.get_or_insert(now);
        if let Some(until) = node_not_before.filter(|until| *until > now) {
            self.refused.get_or_insert(Reason::Unauthorized);
            self.not_before = Some(until);
        }
        if self.not_before.is_none_or(|at| at <= now) {
            self.opening = Some(speech.open(now + OPEN_PATIENCE));
        }
    }

    /// Nothing is to be sent.
    pub fn want_nothing(&mut self) {
        self.missing_since = None;
    }

    /// A try has ended. Until when no stream of this node is to be opened, if it makes no sense.
    pub fn opened(&mut self, result: Result<SpeechStream, Unavailable>) -> Option<Instant> {
        self.opening = None;
        match result {
            Ok(SpeechStream { id, audio, events }) => {
                let track = Track::default();
                let (opened, closing) = (Instant::now(), None);
                self.open = Some(Open {
                    id,
                    audio,
                    events,
                    track,
                    is_turn_open: false,
                    is_known: false,
                    is_ready: false,
                    quiet_since: 0,
                    closing,
                    opened,
                    has_told: false,
                });
                (self.missing_since, self.refused) = (None, None);
                None
            }
            Err(error) => {
                self.refused = Some(error.reason);
                self.failed(&error)
            }
        }
    }

    /// The stream is gone, or told that it will be. As [`Listening::opened`].
    pub fn lost(&mut self, error: &Unavailable) -> Option<Instant> {
        self.open = None;
        self.missing_since = Some(Instant::now());
        self.failed(error)
    }

    fn failed(&mut self, error: &Unavailable) -> Option<Instant> {
        let (reason, detail) = (error.reason.as_str(), &*error.detail);
        match due("a speech stream is lost or refused") {
            Some(times) => tracing::warn!(reason, detail, times, "a speech stream is lost or refused"),
            None => tracing::debug!(reason, detail, "a speech stream is lost or refused"),
        }
        let wait = self.backoff.next(error.reason);
        let at = Instant::now() + wait.unwrap_or(REFUSED_FOR);
        self.not_before = Some(at);
        if wait.is_none() { Some(at) } else { None }
    }

    /// The stream has told something.
    pub fn told(&mut self) {
        if let Some(open) = &mut self.open {
            open.has_told = true;
            self.backoff.reset();
        }
    }

    /// The end of an outage, or its beginning, if it is to be told now.
    pub fn to_tell(&self) -> Option<Tell> {
        let now = Instant::now();
        if self.is_told_down {
            let works = self.open.as_ref().is_some_and(|open| open.has_told || now >= open.opened + WORKS_AFTER);
            return works.then_some(Tell::Up);
        }
        let since = self.missing_since?;
        match self.refused {
            Some(reason) => Some(Tell::Down(reason.as_str())),
            None if now >= since + OUTAGE_AFTER => Some(Tell::Down(Reason::Unreachable.as_str())),
            None => None,
        }
    }

    /// It was told.
    pub fn was_told(&mut self, tell: Tell) {
        self.is_told_down = tell != Tell::Up;
        self.refused = None;
    }

    /// Whether finals are not to be waited for.
    pub fn is_out(&self) -> bool {
        !self.is_configured() || (self.open.is_none() && self.is_told_down)
    }

    /// When there is something to do again.
    pub fn due(&self) -> Option<Instant> {
        let retry = self.not_before.filter(|_| self.missing_since.is_some() && self.opening.is_none());
        let outage = self.missing_since.filter(|_| !self.is_told_down).map(|since| since + OUTAGE_AFTER);
        let back = self.open.as_ref().filter(|_| self.is_told_down).map(|open| open.opened + WORKS_AFTER);
        let closed = self.open.as_ref().and_then(|open| open.closing);
        [retry, outage, back, closed].into_iter().flatten().min()
    }
}
