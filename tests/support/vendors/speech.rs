//! AssemblyAI's Universal-Streaming v3, as it is documented, with ears that a test can check.
//!
//! It hears 50 ms at a time. Samples that all have one value above zero are a number, which is heard as that number; so a test that
//! numbers its audio finds in the text whether any of it is missing or there twice ([`numbered`]). Zeros are silence: half a second of
//! it ends a turn, as do `speech_turn_words` words. Anything else that is loud is speech, which is heard as words of a fixed text.

use std::collections::VecDeque;
use std::time::Duration;

use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocket, WebSocketError};
use hyper::Request;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};

use super::{Answer, SpeechFault, Vendors, hang, respond_json};

/// Bytes and samples of a millisecond.
const BYTES_PER_MS: usize = 32;
const SAMPLES_PER_MS: usize = 16;
/// What is heard at a time.
const WINDOW_MS: usize = 50;
const WINDOW: usize = WINDOW_MS * SAMPLES_PER_MS;
/// Silent windows that end a turn, and loud ones that make a word.
const SILENCE: usize = 10;
const WINDOWS_PER_WORD: usize = 6;
/// A partial turn is told each so many windows.
const TELL_EVERY: usize = 5;
/// How much faster than real time audio may come, with so much slack.
const FASTEST: f64 = 1.2;
const SLACK_MS: f64 = 1000.0;
const STORY: &[&str] = &[
    "in", "my", "last", "project", "we", "moved", "a", "busy", "service", "to", "three", "nodes", "and", "I", "learned", "to",
    "measure", "before", "changing", "anything",
];

/// Audio of 50 ms that is heard as this number.
pub fn numbered(number: i16) -> Vec<u8> {
    std::iter::repeat_n(number.to_le_bytes(), WINDOW).flatten().collect()
}

/// Audio of so many milliseconds in which nothing is heard.
pub fn silence(ms: usize) -> Vec<u8> {
    vec![0; ms * BYTES_PER_MS]
}

/// The numbers in a text.
pub fn numbers(text: &str) -> Vec<i64> {
    text.split_whitespace().filter_map(|word| word.trim_matches('.').parse().ok()).collect()
}

/// When streams were begun, of the last minute.
#[derive(Default)]
pub struct Sessions {
    begun: VecDeque<Instant>,
    count: u64,
}

/// Answers the HTTP request, and hands on what happens after it.
pub async fn accept(request: &mut Request<Incoming>, vendors: Vendors, upgraded: Sender<super::Speech>) -> Answer {
    let key = request.headers().get("authorization").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    let query = request.uri().query().unwrap_or_default().to_owned();
    let is_known = !key.is_empty() && !key.starts_with("Bearer ");
    {
        let seen = &mut vendors.state().seen.speech;
        (seen.query, seen.key) = (query.clone(), key);
    }
    if let SpeechFault::Status(status) = vendors.faults().speech {
        vendors.state().seen.speech.refused += 1;
        return Ok(respond_json(status, &json!({"error": "refused"})));
    }
    let Ok((response, websocket)) = fastwebsockets::upgrade::upgrade(&mut *request) else {
        return Ok(respond_json(400, &json!({"error": "no WebSocket"})));
    };
    let serve = async move {
        if let Ok(websocket) = websocket.await {
            let refusal =
                if is_known { fits(&query).err() } else { Some((1008, "Unauthorized Connection: Missing Authorization header")) };
            serve(websocket, vendors, refusal).await;
        }
    };
    if upgraded.send(Box::pin(serve)).await.is_err() {
        return hang().await;
    }
    Ok(response.map(|_| http_body_util::Full::default()))
}

/// Whether the query says what audio comes.
fn fits(query: &str) -> Result<(), (u16, &'static str)> {
    let has = |pair: &str| query.split('&').any(|part| part == pair);
    if !has("sample_rate=16000") || !has("encoding=pcm_s16le") {
        return Err((3006, "Invalid sample rate or encoding"));
    }
    match query.split('&').any(|part| part.starts_with("speech_model=") && part.len() > "speech_model=".len()) {
        true => Ok(()),
        false => Err((3006, "speech_model is missing")),
    }
}

/// A stream on a connection without HTTP, as from a client that may connect.
pub async fn serve_bare(socket: impl AsyncRead + AsyncWrite + Unpin, vendors: Vendors) {
    serve(WebSocket::after_handshake(socket, Role::Server), vendors, None).await;
}

/// A stream.
pub async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut websocket: WebSocket<S>,
    vendors: Vendors,
    refusal: Option<(u16, &'static str)>,
) {
    websocket.set_auto_close(false);
    let refusal = refusal.or_else(|| match vendors.faults().speech {
        SpeechFault::Refuse(code) => Some((code, "refused as it was told")),
        _ => None,
    });
    let mut stream =
        Stream { websocket, vendors, id: String::new(), hearing: Hearing::default(), start: Instant::now(), audio_ms: 0 };
    let refusal = refusal.or_else(|| stream.count().err());
    if let Some((code, why)) = refusal {
        stream.vendors.state().seen.speech.refused += 1;
        let _ = stream.close(code, why).await;
        return;
    }
    if stream.vendors.faults().speech == SpeechFault::Hang {
        std::future::pending::<()>().await;
    }
    {
        let seen = &mut stream.vendors.state().seen.speech;
        seen.begun += 1;
        seen.open += 1;
    }
    let _ = stream.run().await;
    stream.vendors.state().seen.speech.open -= 1;
}

struct Stream<S> {
    websocket: WebSocket<S>,
    vendors: Vendors,
    id: String,
    hearing: Hearing,
    start: Instant,
    audio_ms: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// Takes one of the streams of this minute.
    fn count(&mut self) -> Result<(), (u16, &'static str)> {
        let (mut state, now) = (self.vendors.state(), Instant::now());
        let most = state.faults.speech_per_minute;
        let sessions = &mut state.speech;
        while sessions.begun.front().is_some_and(|begun| now.duration_since(*begun) >= Duration::from_secs(60)) {
            sessions.begun.pop_front();
        }
        if sessions.begun.len() >= most {
            return Err((3009, "Unauthorized Connection: Too many concurrent sessions"));
        }
        sessions.begun.push_back(now);
        sessions.count += 1;
        self.id = format!("stand-in-{}", sessions.count);
        Ok(())
    }

    async fn run(&mut self) -> Result<(), WebSocketError> {
        let begin =
            json!({"type": "Begin", "id": self.id, "expires_at": 4_102_444_800_u64, "configuration": {"model": "stand-in"}});
        self.say(&begin).await?;
        // One that it must not be confused by.
        self.say(&json!({"type": "SomethingNew", "of": {"any": "kind"}})).await?;
        loop {
            let frame = self.websocket.read_frame().await?;
            if self.vendors.faults().speech == SpeechFault::Dead {
                std::future::pending::<()>().await;
            }
            match frame.opcode {
                OpCode::Binary => {
                    let audio = frame.payload.to_vec();
                    if !self.on_audio(&audio).await? {
                        return Ok(());
                    }
                }
                OpCode::Text => {
                    let message = frame.payload.to_vec();
                    if !self.on_message(&message).await? {
                        return Ok(());
                    }
                }
                OpCode::Close => return self.websocket.write_frame(Frame::close(1000, b"")).await,
                _ => {}
            }
        }
    }

    /// False: the stream has ended.
    async fn on_audio(&mut self, audio: &[u8]) -> Result<bool, WebSocketError> {
        let ms = audio.len() as f64 / BYTES_PER_MS as f64;
        if !(50.0..=1000.0).contains(&ms) {
            let why = format!("Input duration violation: {ms} ms. Expected between 50 and 1000 ms");
            return self.close(3007, &why).await.map(|()| false);
        }
        self.audio_ms += ms as u64;
        let elapsed = self.start.elapsed().as_secs_f64() * 1000.0;
        if self.audio_ms as f64 > elapsed * FASTEST + SLACK_MS {
            let why = format!("Audio Transmission Rate Exceeded: Received {} ms audio in {elapsed} ms", self.audio_ms);
            return self.close(3007, &why).await.map(|()| false);
        }
        let faults = {
            let mut state = self.vendors.state();
            state.seen.speech.audio_ms += ms as u64;
            state.seen.speech.messages += 1;
            state.faults.clone()
        };
        let seconds = self.audio_ms as f64 / 1000.0;
        match faults.speech {
            SpeechFault::Cut { seconds: after } if seconds >= after => return Ok(false),
            SpeechFault::Close { code, seconds: after } if seconds >= after => {
                return self.close(code, "as it was told").await.map(|()| false);
            }
            _ => {}
        }
        for said in self.hearing.hear(audio, faults.speech_turn_words) {
            self.tell(said).await?;
        }
        Ok(true)
    }

    /// False: the stream has ended.
    async fn on_message(&mut self, message: &[u8]) -> Result<bool, WebSocketError> {
        let Ok(message) = serde_json::from_slice::<Value>(message) else {
            return self.close(3006, "Invalid JSON").await.map(|()| false);
        };
        match message["type"].as_str() {
            Some("ForceEndpoint") => {
                self.vendors.state().seen.speech.force_endpoints += 1;
                if let Some(said) = self.hearing.end_turn() {
                    self.tell(said).await?;
                }
            }
            Some("KeepAlive") => self.vendors.state().seen.speech.keep_alives += 1,
            Some("UpdateConfiguration") => {}
            Some("Terminate") => {
                if let Some(said) = self.hearing.end_turn() {
                    self.tell(said).await?;
                }
                self.vendors.state().seen.speech.terminated += 1;
                let seconds = self.audio_ms / 1000;
                let last = json!({"type": "Termination", "audio_duration_seconds": seconds, "session_duration_seconds": seconds});
                self.say(&last).await?;
                self.websocket.write_frame(Frame::close(1000, b"")).await?;
                return Ok(false);
            }
            kind => {
                let why = format!("Invalid Message Type: {}", kind.unwrap_or_default());
                return self.close(3006, &why).await.map(|()| false);
            }
        }
        Ok(true)
    }

    /// Says a turn; its end twice, if that is so set.
    async fn tell(&mut self, said: Said) -> Result<(), WebSocketError> {
        let faults = self.vendors.faults();
        match faults.speech {
            SpeechFault::Silent => return Ok(()),
            SpeechFault::Slow { ms } => sleep(Duration::from_millis(ms)).await,
            _ => {}
        }
        if said.is_first {
            self.say(&json!({"type": "SpeechStarted", "timestamp": said.words[0].1, "confidence": 0.9})).await?;
        }
        self.say(&said.message(false)).await?;
        if said.is_end {
            self.vendors.state().seen.speech.turns += 1;
            if faults.speech_formatted {
                self.say(&said.message(true)).await?;
            }
        }
        Ok(())
    }

    async fn say(&mut self, message: &Value) -> Result<(), WebSocketError> {
        self.websocket.write_frame(Frame::text(Payload::Owned(message.to_string().into()))).await
    }

    /// As the vendor does: first in words, then with the code.
    async fn close(&mut self, code: u16, why: &str) -> Result<(), WebSocketError> {
        *self.vendors.state().seen.speech.closed.entry(code).or_default() += 1;
        if code >= 3000 {
            self.say(&json!({"type": "Error", "error_code": code, "error": why})).await?;
        }
        let why = &why.as_bytes()[..why.len().min(100)];
        self.websocket.write_frame(Frame::close(code, why)).await
    }
}

/// A turn, as it is told.
struct Said {
    order: u64,
    /// With begin and end in milliseconds.
    words: Vec<(String, u64, u64)>,
    is_first: bool,
    is_end: bool,
}

impl Said {
    fn message(&self, is_formatted: bool) -> Value {
        let mut text = self.words.iter().map(|(word, ..)| word.as_str()).collect::<Vec<_>>().join(" ");
        if is_formatted {
            text = text
                .chars()
                .next()
                .map(|first| first.to_uppercase().collect::<String>() + &text[first.len_utf8()..] + ".")
                .unwrap_or_default();
        }
        let words: Vec<_> = self
            .words
            .iter()
            .map(|(word, start, end)| json!({"text": word, "start": start, "end": end, "confidence": 0.9, "word_is_final": true}))
            .collect();
        json!({
            "type": "Turn",
            "turn_order": self.order,
            "turn_is_formatted": is_formatted,
            "end_of_turn": self.is_end,
            "transcript": text,
            "end_of_turn_confidence": if self.is_end { 1.0 } else { 0.1 },
            "words": words,
            "utterance": if self.is_end { text.as_str() } else { "" },
        })
    }
}

/// From samples to words.
#[derive(Default)]
struct Hearing {
    window: Vec<i16>,
    /// Windows that were heard.
    windows: usize,
    order: u64,
    words: Vec<(String, u64, u64)>,
    silent: usize,
    loud: usize,
    story: usize,
}

impl Hearing {
    fn hear(&mut self, audio: &[u8], turn_words: usize) -> Vec<Said> {
        let mut told = Vec::new();
        for pair in audio.chunks_exact(2) {
            self.window.push(i16::from_le_bytes([pair[0], pair[1]]));
            if self.window.len() < WINDOW {
                continue;
            }
            let window = std::mem::take(&mut self.window);
            let words = self.words.len();
            self.hear_window(&window);
            self.windows += 1;
            let is_first = words == 0 && !self.words.is_empty();
            let is_over = self.words.len() >= turn_words || self.silent >= SILENCE;
            if is_over && let Some(end) = self.end_turn() {
                told.push(Said { is_first, ..end });
            } else if is_first || (words < self.words.len() && self.windows.is_multiple_of(TELL_EVERY)) {
                told.push(Said { order: self.order, words: self.words.clone(), is_first, is_end: false });
            }
        }
        told
    }

    fn hear_window(&mut self, window: &[i16]) {
        let start = (self.windows * WINDOW_MS) as u64;
        let number = window[0];
        // The rest of what is shorter is filled up with zeros.
        let length = window.iter().position(|sample| *sample != number).unwrap_or(window.len());
        let is_number = number > 0 && window[length..].iter().all(|sample| *sample == 0);
        let loud = window.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / window.len() as f64;
        if is_number {
            self.silent = 0;
            self.words.push((number.to_string(), start, start + (length / SAMPLES_PER_MS) as u64));
        } else if loud.sqrt() < 300.0 {
            self.silent += 1;
        } else {
            (self.silent, self.loud) = (0, self.loud + 1);
            if self.loud.is_multiple_of(WINDOWS_PER_WORD) {
                let word = STORY[self.story % STORY.len()];
                self.story += 1;
                self.words.push((word.into(), start, start + WINDOW_MS as u64));
            }
        }
    }

    fn end_turn(&mut self) -> Option<Said> {
        if self.words.is_empty() {
            return None;
        }
        let (order, words) = (self.order, std::mem::take(&mut self.words));
        self.order += 1;
        Some(Said { order, words, is_first: false, is_end: true })
    }
}

/// A connection of the hub's that leads to the stand-in without a network.
pub fn in_memory(vendors: &Vendors) -> tokio::io::DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    tokio::spawn(serve_bare(theirs, vendors.clone()));
    ours
}

/// For servers that have their own accept loop.
pub type Upgraded = TokioIo<hyper::upgrade::Upgraded>;
