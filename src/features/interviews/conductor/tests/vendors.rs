//! The vendors as the tests of the conductor have them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::core::sync::lock;
use crate::features::interviews::providers::ai::{About, Ai, AiError, Answered, Evaluation, Recommendation, Summary};
use crate::features::interviews::providers::audio::{AudioStorage, StorageError};
use crate::features::interviews::providers::speech::{
    Command, Reason, SpeechEvent, SpeechStream, SpeechToText, Turn, Unavailable,
};
use crate::features::interviews::providers::voice::{Spoken, Voice, VoiceError};

/// What comes of one try to open a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// It works.
    Well,
    /// It is lost after so many chunks.
    CutAfter(usize),
    /// Its finals take so long.
    Slowly(Duration),
    Refused(Reason),
}

/// Speech to text that says each chunk's word, and ends a turn when it is asked to or nobody speaks (word 0).
#[derive(Default)]
pub struct Speech {
    /// The next streams; behind them all work.
    pub next: Mutex<VecDeque<Opens>>,
    /// The words that each stream was sent.
    pub heard: Arc<Mutex<Vec<Vec<u16>>>>,
    pub tries: Mutex<usize>,
}

impl Speech {
    pub fn that(opens: impl IntoIterator<Item = Opens>) -> Arc<Self> {
        Arc::new(Self { next: Mutex::new(opens.into_iter().collect()), ..Self::default() })
    }

    pub fn heard(&self) -> Vec<Vec<u16>> {
        lock(&self.heard).clone()
    }

    pub fn tries(&self) -> usize {
        *lock(&self.tries)
    }
}

impl SpeechToText for Speech {
    fn open(&self, _: Instant) -> BoxFuture<'_, Result<SpeechStream, Unavailable>> {
        Box::pin(async move {
            *lock(&self.tries) += 1;
            sleep(Duration::from_millis(100)).await;
            let opens = lock(&self.next).pop_front().unwrap_or(Opens::Well);
            if let Opens::Refused(reason) = opens {
                return Err(Unavailable { reason, detail: "as the test says".into() });
            }
            let number = {
                let mut heard = lock(&self.heard);
                heard.push(Vec::new());
                heard.len() - 1
            };
            let (stream, commands, events) = SpeechStream::channel(&format!("s-{number}"));
            tokio::spawn(vendor(opens, number, self.heard.clone(), commands, events));
            Ok(stream)
        })
    }
}

/// The vendor's side of a stream.
async fn vendor(
    opens: Opens,
    number: usize,
    heard: Arc<Mutex<Vec<Vec<u16>>>>,
    mut commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<SpeechEvent>,
) {
    let (mut order, mut text, mut sent) = (0, Vec::<String>::new(), 0);
    let turn = |order, text: &[String], covered: Option<u64>| {
        SpeechEvent::Turn(Turn { order, text: text.join(" "), is_final: covered.is_some(), confidence: 0.9, covered })
    };
    while let Some(command) = commands.recv().await {
        let is_end = match &command {
            Command::Audio(chunk) => {
                let word = u16::from_le_bytes([chunk.pcm[0], chunk.pcm[1]]);
                lock(&heard)[number].push(word);
                sent = chunk.position + chunk.pcm.len() as u64 / 2;
                if opens == Opens::CutAfter(lock(&heard)[number].len()) {
                    let error = Unavailable { reason: Reason::Failed, detail: "cut".into() };
                    let _ = events.send(SpeechEvent::Lost(error)).await;
                    return;
                }
                if word > 0 {
                    text.push(format!("w{word}"));
                    let _ = events.send(turn(order, &text, None)).await;
                }
                word == 0
            }
            Command::EndTurn | Command::Close => true,
        };
        if is_end {
            if let Opens::Slowly(lag) = opens {
                sleep(lag).await;
            }
            if !text.is_empty() {
                let _ = events.send(turn(order, &text, Some(sent))).await;
                (order, text) = (order + 1, Vec::new());
            }
        }
        let last = match command {
            Command::EndTurn => SpeechEvent::Settled { position: sent },
            Command::Close => SpeechEvent::Closed,
            Command::Audio(_) => continue,
        };
        if events.send(last).await.is_err() {
            return;
        }
    }
}

/// An AI that scores every answer with 80, or fails.
#[derive(Default)]
pub struct Judge {
    pub fails: Mutex<Option<AiError>>,
    /// A try takes so long.
    pub takes: Duration,
    /// The answers that it has scored.
    pub scored: Mutex<Vec<String>>,
}

impl Judge {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    pub fn that_fails(error: AiError, takes: Duration) -> Arc<Self> {
        Arc::new(Self { fails: Mutex::new(Some(error)), takes, ..Self::default() })
    }

    async fn answer<T>(&self, answer: T) -> Result<T, AiError> {
        sleep(self.takes).await;
        match lock(&self.fails).clone() {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }
}

impl Ai for Judge {
    fn evaluate<'a>(&'a self, _: About<'a>, answered: &'a Answered) -> BoxFuture<'a, Result<Evaluation, AiError>> {
        lock(&self.scored).push(answered.answer.clone());
        Box::pin(self.answer(Evaluation { score: 80, evaluation: "good".into() }))
    }

    fn next_question<'a>(&'a self, _: About<'a>, _: &'a [Answered], planned: &'a str) -> BoxFuture<'a, Result<String, AiError>> {
        Box::pin(self.answer(format!("And: {planned}")))
    }

    fn summarize<'a>(&'a self, _: About<'a>, answers: &'a [Answered]) -> BoxFuture<'a, Result<Summary, AiError>> {
        let scores: Vec<u8> = answers.iter().filter_map(|answer| answer.score).collect();
        let overall_score = scores.iter().sum::<u8>() / u8::try_from(scores.len().max(1)).unwrap_or(1);
        let (strengths, weaknesses, summary) = (vec!["s".into()], Vec::new(), String::new());
        let recommendation = Recommendation::Hire;
        Box::pin(self.answer(Summary { overall_score, recommendation, strengths, weaknesses, summary }))
    }
}

/// A voice, or none for now.
#[derive(Default)]
pub struct Reader {
    pub is_down: bool,
}

impl Voice for Reader {
    fn speak<'a>(&'a self, text: &'a str) -> BoxFuture<'a, Result<Spoken, VoiceError>> {
        let spoken = Spoken { audio: Bytes::copy_from_slice(text.as_bytes()), content_type: "audio/mpeg", extension: "mp3" };
        let result = if self.is_down { Err(VoiceError::TimedOut) } else { Ok(spoken) };
        Box::pin(async move { result })
    }
}

/// A store of audio that may be full.
#[derive(Default)]
pub struct Shelf {
    pub files: Mutex<BTreeMap<String, Bytes>>,
    pub is_full: Mutex<bool>,
    /// It does not answer for half a minute.
    pub hangs: bool,
}

impl Shelf {
    /// The files whose name has this in it.
    pub fn file(&self, part: &str) -> Option<Bytes> {
        lock(&self.files).iter().find(|(key, _)| key.contains(part)).map(|(_, file)| file.clone())
    }
}

impl AudioStorage for Shelf {
    fn put<'a>(&'a self, key: &'a str, _: &'static str, audio: Bytes) -> BoxFuture<'a, Result<(), StorageError>> {
        let result = match *lock(&self.is_full) {
            true => Err(StorageError::Unavailable("full".into())),
            false => {
                lock(&self.files).insert(key.into(), audio);
                Ok(())
            }
        };
        Box::pin(async move {
            if self.hangs {
                sleep(Duration::from_secs(30)).await;
                return Err(StorageError::TimedOut);
            }
            result
        })
    }

    fn url<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<String, StorageError>> {
        Box::pin(async move { Ok(format!("u:{}", key.rsplit('/').next().unwrap_or_default())) })
    }
}
