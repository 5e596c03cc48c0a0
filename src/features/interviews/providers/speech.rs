//! Speech to text as a stream: audio goes in, text comes out.
//!
//! A stream belongs to one connection to the vendor, and there is no resume: a new stream has a new id, and text is known by
//! (stream, turn order). The caller keeps the audio. Each final turn says up to which place of it everything has its final text,
//! so that the caller, or another node, can send what follows into a new stream.
//!
//! ```text
//! caller ── SpeechAudio ──► a bounded queue ──► at most real time ──► the vendor
//!        ◄─ SpeechEvents ── a bounded queue ◄───────────────────────┘
//! ```

pub mod assemblyai;
pub mod openings;
mod outgoing;
mod session;
pub mod socket;
mod turns;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rand::Rng as _;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Chunks that wait to be sent. Beyond it [`SpeechAudio::send`] waits.
const AUDIO_QUEUE: usize = 16;
/// Events that wait for the caller.
const EVENT_QUEUE: usize = 64;

/// Turns speech into text.
pub trait SpeechToText: Send + Sync {
    /// Opens a stream and waits until the vendor is ready for it. New streams of all nodes together are limited, so it may
    /// wait for its turn, at most until `deadline`.
    fn open(&self, deadline: Instant) -> BoxFuture<'_, Result<SpeechStream, Unavailable>>;
}

/// A stream that the vendor has begun.
#[derive(Debug)]
pub struct SpeechStream {
    /// New for each stream, over all nodes.
    pub id: Arc<str>,
    pub audio: SpeechAudio,
    pub events: SpeechEvents,
}

/// Where the audio goes in. Once it is dropped, the stream ends as after [`SpeechAudio::close`].
#[derive(Clone, Debug)]
pub struct SpeechAudio(mpsc::Sender<Command>);

/// Where the text comes out. A caller that drops it, or does not read it for 10 s while it is full, ends the stream.
#[derive(Debug)]
pub struct SpeechEvents(mpsc::Receiver<SpeechEvent>);

/// What the caller wants of a stream, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Audio(Chunk),
    EndTurn,
    Close,
}

/// A piece of audio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins, in samples, as the caller counts them. Chunks come in the order of their positions.
    pub position: u64,
    /// PCM s16le, 16 kHz, mono, of any length.
    pub pcm: Bytes,
}

/// What a stream tells.
#[derive(Clone, Debug, PartialEq)]
pub enum SpeechEvent {
    Turn(Turn),
    /// After [`SpeechAudio::end_turn`]: all audio that was sent before it, up to this position, has its final text.
    Settled {
        position: u64,
    },
    /// The stream is lost. Nothing follows.
    Lost(Unavailable),
    /// The stream has ended as it was asked to. Nothing follows.
    Closed,
}

/// What was said since the last turn ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn {
    /// Counts the turns of this stream from 0.
    pub order: u64,
    /// All of the turn so far.
    pub text: String,
    /// Once a turn; nothing of this order follows.
    pub is_final: bool,
    /// 0 to 1: the mean of its words.
    pub confidence: f64,
    /// All audio before this position has its final text. It never goes back. Only with `is_final`.
    pub covered: Option<u64>,
}

/// The stream has ended; its last event says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the speech stream has ended")]
pub struct Ended;

impl SpeechAudio {
    /// Hands over audio. It waits while the queue is full: the vendor takes no more than real time.
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn send(&self, chunk: Chunk) -> Result<(), Ended> {
        self.0.send(Command::Audio(chunk)).await.map_err(|_| Ended)
    }

    /// Ends the turn behind all audio that was sent before. [`SpeechEvent::Settled`] answers it.
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn end_turn(&self) -> Result<(), Ended> {
        self.0.send(Command::EndTurn).await.map_err(|_| Ended)
    }

    /// Ends the stream behind all audio that was sent before. The last finals still come, then [`SpeechEvent::Closed`].
    ///
    /// # Errors
    /// [`Ended`].
    pub async fn close(&self) -> Result<(), Ended> {
        self.0.send(Command::Close).await.map_err(|_| Ended)
    }
}

impl SpeechEvents {
    /// The next event; `None` after the last one. It may be dropped at any time without losing one.
    pub async fn next(&mut self) -> Option<SpeechEvent> {
        self.0.recv().await
    }
}

impl SpeechStream {
    /// A stream, and the vendor's side of it.
    pub fn channel(id: &str) -> (Self, mpsc::Receiver<Command>, mpsc::Sender<SpeechEvent>) {
        let (audio, commands) = mpsc::channel(AUDIO_QUEUE);
        let (tell, events) = mpsc::channel(EVENT_QUEUE);
        (Self { id: id.into(), audio: SpeechAudio(audio), events: SpeechEvents(events) }, commands, tell)
    }
}

/// There is no stream, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("speech to text is not available: {}: {detail}", reason.as_str())]
pub struct Unavailable {
    pub reason: Reason,
    /// For the log.
    pub detail: String,
}

/// Why speech to text is not available.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The key is not valid, or there is something about the account (1008; HTTP 401, 402, 403).
    Unauthorized,
    /// Too many streams at once, or too many new ones a minute (3009; HTTP 429; no turn came in time).
    Busy,
    /// The vendor takes a message of ours, or its pace, for wrong (3006, 3007; other HTTP 4xx).
    Rejected,
    /// The stream was as old as one may be (3008).
    Expired,
    /// The vendor failed (3005, 1011, HTTP 5xx).
    Failed,
    /// There is no connection, or it broke or hung.
    Unreachable,
    /// The connection stands, but no text comes of speech.
    Silent,
}

impl Reason {
    /// As `stt-unavailable` says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Busy => "busy",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
            Self::Silent => "silent",
        }
    }

    /// How long to wait before the first try to open another stream. `None`: another one cannot succeed before somebody has
    /// changed something.
    pub const fn wait(self) -> Option<Duration> {
        match self {
            Self::Unauthorized => None,
            Self::Expired => Some(Duration::ZERO),
            Self::Failed | Self::Unreachable | Self::Silent => Some(Duration::from_secs(1)),
            Self::Rejected => Some(Duration::from_secs(5)),
            Self::Busy => Some(Duration::from_secs(10)),
        }
    }
}

/// How long to wait between tries to open a stream: twice as long each time, with jitter, so that the streams of all interviews
/// do not come back at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    const LONGEST: Duration = Duration::from_secs(60);

    /// `None`: give up.
    pub fn next(&mut self, reason: Reason) -> Option<Duration> {
        let first = reason.wait()?;
        // A stream that has expired is replaced at once, but not one after the other.
        let wait = match (first.is_zero(), self.tries) {
            (true, 0) => Duration::ZERO,
            (true, tries) => Duration::from_secs(1).saturating_mul(1 << tries.min(6)),
            (false, tries) => first.saturating_mul(1 << tries.min(6)),
        };
        self.tries = self.tries.saturating_add(1);
        Some(wait.min(Self::LONGEST).mul_f64(rand::rng().random_range(0.75..1.25)))
    }

    /// A stream has told something: the next failure is a first one.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_minute_and_end_with_a_key_that_is_refused() {
        let mut backoff = Backoff::default();
        let mut seconds = || backoff.next(Reason::Failed).unwrap().as_secs_f64();
        let waits: Vec<_> = (0..8).map(|_| seconds()).collect();
        for (wait, base) in waits.iter().zip([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]) {
            assert!((base * 0.75..base * 1.25).contains(wait), "{waits:?}");
        }
        assert_eq!(backoff.next(Reason::Unauthorized), None);
        backoff.reset();
        assert_eq!(backoff.next(Reason::Expired), Some(Duration::ZERO));
        assert!(backoff.next(Reason::Expired).unwrap() > Duration::ZERO);
    }

    #[tokio::test]
    async fn who_sends_more_than_the_queue_holds_waits_until_it_is_taken() {
        let (stream, mut commands, _tell) = SpeechStream::channel("s-1");
        let chunk = |position| Chunk { position, pcm: Bytes::from_static(&[0; 2]) };
        for position in 0..AUDIO_QUEUE as u64 {
            stream.audio.send(chunk(position)).await.unwrap();
        }
        let mut waiting = std::pin::pin!(stream.audio.send(chunk(99)));
        assert!(futures_util::FutureExt::now_or_never(&mut waiting).is_none());
        assert_eq!(commands.recv().await, Some(Command::Audio(chunk(0))));
        waiting.await.unwrap();
        drop(commands);
        assert_eq!(stream.audio.send(chunk(0)).await, Err(Ended));
    }
}
