//! The connection to the vendor: a WebSocket over HTTP/1.1, with the key in a header.

use std::time::Duration;

use aws_lc_rs::digest;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use fastwebsockets::{Frame, OpCode, Payload, Role, WebSocketError, WebSocketRead, WebSocketWrite, after_handshake_split};
use futures_util::future::BoxFuture;
use rand::RngCore as _;
use reqwest::header::{
    AUTHORIZATION, CONNECTION, HeaderMap, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{Client, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::Unavailable;
use super::wire::{ServerMessage, ended, refused, unreachable};
use crate::core::error::chain;
use crate::features::interviews::providers::{SetupError, http};
use crate::features::interviews::settings;

/// For one write: the vendor has stopped reading.
const WRITE_DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of a message: a turn of many minutes with all its words has a tenth of it.
const LARGEST_MESSAGE: usize = 1 << 20;
/// Messages that wait to be looked at.
const QUEUE: usize = 64;

/// A connection that is a WebSocket already.
pub trait Socket: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Socket for S {}

/// Connects to the vendor.
pub trait Dial: Send + Sync {
    fn dial(&self) -> BoxFuture<'_, Result<Box<dyn Socket>, Unavailable>>;
}

/// Connects by HTTP.
pub struct HttpDial {
    http: Client,
    url: Box<str>,
}

impl HttpDial {
    /// # Errors
    /// [`SetupError`].
    pub fn new(settings: &settings::Speech) -> Result<Self, SetupError> {
        let key = http::secret_header(settings.key.expose())?;
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("sample_rate", "16000"), ("encoding", "pcm_s16le"), ("format_turns", "true")])
            .append_pair("speech_model", &settings.model)
            .finish();
        // A WebSocket begins as a request of HTTP.
        let url = settings.url.replacen("ws", "http", 1);
        Ok(Self { http: http::client(HeaderMap::from_iter([(AUTHORIZATION, key)]))?, url: format!("{url}?{query}").into() })
    }

    async fn connect(&self) -> Result<Box<dyn Socket>, Unavailable> {
        let failed = |error: reqwest::Error| unreachable(chain(&error.without_url()));
        let mut nonce = [0; 16];
        rand::rng().fill_bytes(&mut nonce);
        let nonce = BASE64_STANDARD.encode(nonce);
        let request = self.http.get(&*self.url).header(CONNECTION, "Upgrade").header(UPGRADE, "websocket");
        let request = request.header(SEC_WEBSOCKET_VERSION, "13").header(SEC_WEBSOCKET_KEY, &nonce);
        let response = request.send().await.map_err(failed)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refused(response.status().as_u16()));
        }
        if response.headers().get(SEC_WEBSOCKET_ACCEPT).is_none_or(|accept| *accept != accepted(&nonce)) {
            return Err(unreachable("the answer is none of a WebSocket"));
        }
        Ok(Box::new(response.upgrade().await.map_err(failed)?))
    }
}

impl Dial for HttpDial {
    fn dial(&self) -> BoxFuture<'_, Result<Box<dyn Socket>, Unavailable>> {
        Box::pin(self.connect())
    }
}

/// What a server answers to this nonce (RFC 6455 § 4.2.2).
fn accepted(nonce: &str) -> String {
    let text = format!("{nonce}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64_STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

/// What comes from the vendor.
#[derive(Debug)]
pub(super) enum Incoming {
    Message(ServerMessage),
    /// To be answered with the same bytes.
    Ping(Vec<u8>),
    /// Something that means nothing but that the connection lives.
    Alive,
    /// It is over.
    Ended(Unavailable),
}

/// Where messages go out.
pub(super) struct Writer {
    half: WebSocketWrite<WriteHalf<Box<dyn Socket>>>,
    _reader: AbortOnDropHandle<()>,
}

/// Both sides of a connection. It is read until the writer is dropped.
pub(super) fn open(socket: Box<dyn Socket>) -> (Writer, mpsc::Receiver<Incoming>) {
    let (read, write) = tokio::io::split(socket);
    let (mut read, half) = after_handshake_split(read, write, Role::Client);
    read.set_auto_close(false);
    read.set_auto_pong(false);
    read.set_max_message_size(LARGEST_MESSAGE);
    let (tell, incoming) = mpsc::channel(QUEUE);
    let reader = tokio::spawn(read_all(read, tell));
    (Writer { half, _reader: AbortOnDropHandle::new(reader) }, incoming)
}

async fn read_all(mut read: WebSocketRead<ReadHalf<Box<dyn Socket>>>, tell: mpsc::Sender<Incoming>) {
    // Of a message that comes in fragments, those that are here.
    let mut fragments = Vec::new();
    loop {
        let frame = read.read_frame(&mut |_| async { Ok::<_, WebSocketError>(()) }).await;
        let incoming = match frame {
            Ok(Frame { fin, opcode: OpCode::Text | OpCode::Continuation, payload, .. }) => {
                if fragments.len() + payload.len() > LARGEST_MESSAGE {
                    Incoming::Ended(unreachable("a message is too large"))
                } else {
                    fragments.extend_from_slice(&payload);
                    match fin {
                        true => ServerMessage::parse(&std::mem::take(&mut fragments)).map_or(Incoming::Alive, Incoming::Message),
                        false => Incoming::Alive,
                    }
                }
            }
            Ok(Frame { opcode: OpCode::Ping, payload, .. }) => Incoming::Ping(payload.to_vec()),
            Ok(Frame { opcode: OpCode::Close, payload, .. }) => Incoming::Ended(closed(&payload)),
            Ok(_) => Incoming::Alive,
            Err(error) => Incoming::Ended(unreachable(error.to_string())),
        };
        let is_last = matches!(incoming, Incoming::Ended(_));
        if tell.send(incoming).await.is_err() || is_last {
            return;
        }
    }
}

fn closed(payload: &[u8]) -> Unavailable {
    match payload {
        [high, low, reason @ ..] => ended(Some(u16::from_be_bytes([*high, *low])), &String::from_utf8_lossy(reason)),
        _ => ended(None, "closed"),
    }
}

impl Writer {
    pub async fn text(&mut self, message: &'static str) -> Result<(), Unavailable> {
        self.write(Frame::text(Payload::Owned(message.into()))).await
    }

    pub async fn audio(&mut self, message: Vec<u8>) -> Result<(), Unavailable> {
        self.write(Frame::binary(Payload::Owned(message))).await
    }

    pub async fn ping(&mut self) -> Result<(), Unavailable> {
        self.write(Frame::new(true, OpCode::Ping, None, Payload::Owned(Vec::new()))).await
    }

    pub async fn pong(&mut self, payload: Vec<u8>) -> Result<(), Unavailable> {
        self.write(Frame::pong(Payload::Owned(payload))).await
    }

    pub async fn close(&mut self) -> Result<(), Unavailable> {
        self.write(Frame::close(1000, b"")).await
    }

    async fn write(&mut self, frame: Frame<'static>) -> Result<(), Unavailable> {
        let write = async {
            self.half.write_frame(frame).await?;
            self.half.flush().await
        };
        match timeout(WRITE_DEADLINE, write).await {
            Ok(written) => written.map_err(|error| unreachable(error.to_string())),
            Err(_) => Err(unreachable("the vendor does not read")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::interviews::providers::speech::Reason;
    use crate::settings::Secret;

    #[test]
    fn the_answer_to_a_nonce_is_that_of_the_rfc() {
        assert_eq!(accepted("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn the_address_says_what_audio_comes_and_holds_no_key() {
        let (url, key) = ("wss://stt.example/v3/ws".into(), Secret::new("a key"));
        let settings = settings::Speech { url, key, model: "a model & more".into(), sessions_per_minute: 1 };
        let dial = HttpDial::new(&settings).unwrap();
        let expected =
            "https://stt.example/v3/ws?sample_rate=16000&encoding=pcm_s16le&format_turns=true&speech_model=a+model+%26+more";
        assert_eq!(&*dial.url, expected);
    }

    #[test]
    fn a_close_frame_says_its_code() {
        assert_eq!(closed(b"\x0b\xc1Too many concurrent sessions").reason, Reason::Busy);
        assert_eq!(closed(b"").reason, Reason::Unreachable);
        assert_eq!(closed(b"\x0b\xbf\xff").reason, Reason::Rejected);
    }
}
