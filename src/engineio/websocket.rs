//! The WebSocket transport: how a session gets one, and how it is read.
//!
//! An idle connection owns its socket and a small task, nothing else: the reader and its buffer live only while bytes are
//! there. Nothing is written here but what belongs to an upgrade; sending is the business of the session.

use std::cmp::Ordering;
use std::io::{self, ErrorKind, Read as _};
use std::net::{IpAddr, Shutdown};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use fastwebsockets::{OpCode, Role, WebSocketError};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use smallvec::smallvec;
use socket2::SockRef;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::net::TcpStream;

use crate::core::sync::lock;
use crate::net::{self, Hold};
use crate::protocol::engineio::{Message, Packet};
use crate::protocol::frame::Frame;

use super::crossing::Crossing;
use super::elsewhere::{Elsewhere, Ticket};
use super::entry::BadRequest;
use super::{Body, Bucket, CloseReason, Engine, Handshake, PACKET_COST, Session};

/// While an upgrade is going on, a poll that waits is ended this often, so that the client can finish its part.
pub const POLL_CHECK: Duration = Duration::from_millis(100);

/// A session that begins with a WebSocket.
pub fn handshake(engine: &Arc<Engine>, sid: String, handshake: Handshake, request: Request<Incoming>) -> Response<Body> {
    let address = handshake.address;
    let engine = engine.clone();
    let release = engine.clone();
    let response = accept(request, move |accepted| async move {
        let Some((socket, leftover)) = accepted else {
            engine.admission.release(address);
            return;
        };
        let session = Session::new_websocket(&engine, sid, address, socket.clone());
        engine.open_websocket(&session, handshake);
        tokio::spawn(Stream::new(socket, leftover, engine.config.max_payload, Stage::Open(session)).serve());
    });
    response.unwrap_or_else(|| {
        release.admission.release(address);
        BadRequest::Malformed.response()
    })
}

/// A WebSocket for a session that is polling.
///
/// ```text
/// client                     server
///   | -- GET ...&sid=… (101) -> |
///   | -- 2probe --------------> |
///   | <- 3probe --------------- |   from here on a poll that waits is ended with `6`
///   | -- 5 -------------------> |   the session's packets go over the WebSocket
/// ```
pub fn upgrade(engine: &Arc<Engine>, session: Arc<Session>, request: Request<Incoming>) -> Response<Body> {
    if !session.begin_upgrade() {
        return refuse(request);
    }
    let (timeout, max_payload) = (engine.config.upgrade_timeout, engine.config.max_payload);
    let abandoned = session.clone();
    let response = accept(request, move |accepted| async move {
        let Some((socket, leftover)) = accepted else { return session.abandon_upgrade() };
        tokio::spawn(attend_upgrade(session.clone(), socket.clone(), timeout));
        tokio::spawn(Stream::new(socket, leftover, max_payload, Stage::Probing(session)).serve());
    });
    response.unwrap_or_else(|| {
        abandoned.abandon_upgrade();
        BadRequest::Malformed.response()
    })
}

/// A WebSocket for a session that is polling at another node, whose ticket is this.
pub fn take_over(foreign: Foreign, request: Request<Incoming>) -> Response<Body> {
    let config = &foreign.engine.config;
    let (timeout, max_payload) = (config.upgrade_timeout, config.max_payload);
    let response = accept(request, move |accepted| async move {
        let Some((socket, leftover)) = accepted else { return };
        tokio::spawn(limit_upgrade(foreign.upgraded.clone(), socket.clone(), timeout));
        tokio::spawn(Stream::new(socket, leftover, max_payload, Stage::Elsewhere(Arc::new(foreign))).serve());
    });
    response.unwrap_or_else(|| BadRequest::Malformed.response())
}

/// As the reference does when there is an upgrade already: the WebSocket is accepted, and closed at once.
pub fn refuse(request: Request<Incoming>) -> Response<Body> {
    accept(request, |_| async {}).unwrap_or_else(|| BadRequest::Malformed.response())
}

/// Ends the upgrade of another node's session when it takes too long. What that node does meanwhile is its own business.
async fn limit_upgrade(upgraded: Arc<AtomicBool>, socket: Arc<TcpStream>, timeout: Duration) {
    tokio::time::sleep(timeout).await;
    if !upgraded.load(Relaxed) {
        let _ = SockRef::from(&*socket).shutdown(Shutdown::Both);
    }
}

/// Ends polls while an upgrade is going on, and the upgrade itself when it takes too long or its session is gone.
async fn attend_upgrade(session: Arc<Session>, socket: Arc<TcpStream>, timeout: Duration) {
    let started = Instant::now();
    while session.release_poll_for_upgrade() && started.elapsed() <= timeout {
        tokio::time::sleep(POLL_CHECK).await;
    }
    if !session.is_websocket() {
        let _ = SockRef::from(&*socket).shutdown(Shutdown::Both);
    }
}

/// Answers the HTTP upgrade, and calls `then` with the bare socket and what was read beyond the request. `None` from here
/// means that the request was no proper handshake, `None` to `then` that the client was gone before the answer.
fn accept<F>(
    mut request: Request<Incoming>,
    then: impl FnOnce(Option<(Arc<TcpStream>, Bytes)>) -> F + Send + 'static,
) -> Option<Response<Body>>
where
    F: Future<Output = ()> + Send,
{
    let (mut response, upgraded) = fastwebsockets::upgrade::upgrade(&mut request).ok()?;
    // A browser that offered subprotocols gives the connection up unless one of them is answered.
    if let Some(first) = first_subprotocol(request.headers()) {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, first);
    }
    tokio::spawn(async move {
        let parts = upgraded.await.ok().map(|websocket| websocket.into_inner().into_inner().downcast::<TokioIo<net::Stream>>());
        // The accept loop serves nothing else, so the downcast is only a formality.
        let accepted = parts.and_then(Result::ok);
        let accepted = accepted.map(|parts| (Arc::new(parts.io.into_inner().into_socket()), parts.read_buf));
        then(accepted).await;
    });
    Some(response.map(|_| Full::default()))
}

/// The subprotocol that the client has offered first, which is what the reference answers.
fn first_subprotocol(headers: &HeaderMap) -> Option<HeaderValue> {
    let first = headers.get(SEC_WEBSOCKET_PROTOCOL)?.to_str().ok()?.split(',').next()?.trim();
    HeaderValue::from_str(first).ok().filter(|first| !first.is_empty())
}

/// What is read at once before a reader is made for it; longer messages are the reader's.
const READ_ONCE: usize = 4_096;

/// The longest message before a session is open over this WebSocket: `2probe` and `5`.
const PROBE: usize = 125;

/// Bytes of unfinished messages that are not counted: a reader's first buffer takes as many.
const UNCOUNTED: usize = 8_192;

/// The reading side of one WebSocket.
struct Stream {
    socket: Arc<TcpStream>,
    /// Bytes that arrived together with the HTTP request.
    leftover: Bytes,
    /// A fragmented message of which the end has not come.
    partial: Option<Box<Partial>>,
    stage: Stage,
    max_payload: usize,
}

/// Whose messages are read.
enum Stage {
    Open(Arc<Session>),
    /// The client has not finished its upgrade; the session is still polling.
    Probing(Arc<Session>),
    /// The same, the session being another node's.
    Elsewhere(Arc<Foreign>),
    /// The client has finished it, and the session is on its way here.
    Crossing(Arc<Crossing>),
}

/// An upgrade of a session of another node, see [`super::session`]'s `handoff`.
pub struct Foreign {
    pub engine: Arc<Engine>,
    pub elsewhere: Arc<dyn Elsewhere>,
    pub sid: Box<str>,
    pub ticket: Ticket,
    /// Of the client, which has a place among the sessions of this node already.
    pub address: IpAddr,
    /// What may still be read before its session is here.
    reading: Mutex<Bucket>,
    probed: AtomicBool,
    pub upgraded: Arc<AtomicBool>,
}

impl Foreign {
    pub fn new(engine: Arc<Engine>, elsewhere: Arc<dyn Elsewhere>, sid: &str, ticket: Ticket, address: IpAddr) -> Self {
        let reading = Mutex::new(Bucket::full(engine.config.reading()));
        let (probed, upgraded) = (AtomicBool::new(false), Arc::default());
        Self { engine, elsewhere, sid: sid.into(), ticket, address, reading, probed, upgraded }
    }

    /// Counts a frame before the session is here, as [`Session::pace`] does.
    pub fn pace(&self, bytes: usize) -> Option<Duration> {
        lock(&self.reading).spend((PACKET_COST + bytes) as f64, self.engine.config.reading())
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if !self.upgraded.load(Relaxed) {
            self.elsewhere.give_up(&self.sid, self.ticket);
            self.engine.admission.release(self.address);
        }
    }
}

struct Partial {
    text: bool,
    data: BytesMut,
    hold: Option<Hold>,
}

impl Partial {
    fn count(&mut self, stage: &Stage) {
        if let Stage::Open(session) = stage
            && self.data.len() > UNCOUNTED
        {
            self.hold.get_or_insert_with(|| session.hold("an unfinished message")).set(self.data.capacity());
        }
    }
}

impl Stream {
    fn new(socket: Arc<TcpStream>, leftover: Bytes, max_payload: usize, stage: Stage) -> Self {
        // Even an empty slice would keep the buffer of the HTTP connection.
        let leftover = Bytes::copy_from_slice(&leftover);
        Self { socket, leftover, partial: None, stage, max_payload }
    }

    /// Reads packets into the session until one of both ends.
    async fn serve(mut self) {
        let reason = self.read().await;
        match &self.stage {
            Stage::Open(session) => return session.close(reason),
            Stage::Probing(session) => session.abandon_upgrade(),
            Stage::Elsewhere(_) => {}
            Stage::Crossing(crossing) => {
                if let Some(session) = crossing.end(reason) {
                    return session.close(reason);
                }
            }
        }
        let _ = SockRef::from(&*self.socket).shutdown(Shutdown::Both);
    }

    async fn read(&mut self) -> CloseReason {
        loop {
            if self.leftover.is_empty() {
                match self.socket.readable().await.and_then(|()| self.read_once()) {
                    Ok(Some(bytes)) if !bytes.is_empty() => self.leftover = bytes,
                    Ok(None) => continue,
                    Ok(Some(_)) | Err(_) => return CloseReason::ConnectionLost,
                }
            }
            // Boxed, so that an idle connection does not carry the reader's future.
            if let Err(reason) = Box::pin(self.read_available()).await {
                return reason;
            }
        }
    }

    /// Takes what is there; `None` if there is nothing, no bytes at the end of the stream. A reader that were made without
    /// bytes at hand would keep its buffer until the next message.
    fn read_once(&self) -> io::Result<Option<Bytes>> {
        let mut buffer = [0; READ_ONCE];
        let mut taken = None;
        let result = self.socket.try_io(Interest::READABLE, || {
            let count = (&*SockRef::from(&*self.socket)).read(&mut buffer)?;
            taken = Some(count);
            // A short read has emptied the socket: to say so spares the attempt that would find that out.
            if (1..READ_ONCE).contains(&count) { Err(ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match (taken, result) {
            (Some(count), _) => Ok(Some(Bytes::copy_from_slice(&buffer[..count]))),
            (None, Err(error)) if error.kind() != ErrorKind::WouldBlock => Err(error),
            (None, _) => Ok(None),
        }
    }

    /// Reads whole frames until none of the bytes that were taken from the socket is left; only then may the reader go.
    async fn read_available(&mut self) -> Result<(), CloseReason> {
        let taken = Taken::default();
        let socket = self.socket.clone();
        let source = Counted { socket: &socket, leftover: std::mem::take(&mut self.leftover), taken: &taken };
        let (mut reader, _) = fastwebsockets::after_handshake_split(source, tokio::io::sink(), Role::Server);
        reader.set_auto_close(false);
        reader.set_auto_pong(false);
        let mut used = 0;
        loop {
            if let Stage::Open(session) = &self.stage {
                taken.session.get_or_init(|| session.clone());
            }
            reader.set_max_message_size(self.most() + 1);
            let frame =
                reader.read_frame::<_, io::Error>(&mut |_| async { Ok(()) }).await.map_err(|error| close_reason(&error))?;
            let (opcode, fin) = (frame.opcode, frame.fin);
            // Copied: a slice, however small, would keep the whole buffer of the reader alive, and the reader would need another.
            let payload = Bytes::copy_from_slice(&frame.payload);
            let len = frame_len(payload.len());
            used += len;
            taken.used(used);
            if let Some(message) = self.assemble(opcode, fin, payload)? {
                self.receive(message).await?;
            }
            if let Some(pause) = self.pace(len) {
                tokio::time::sleep(pause).await;
            }
            if let Stage::Open(session) | Stage::Probing(session) = &self.stage
                && session.is_closed()
            {
                return Err(CloseReason::ServerClosed);
            }
            match used.cmp(&taken.bytes.load(Relaxed)) {
                Ordering::Less => {}
                Ordering::Equal => return Ok(()),
                // A frame that was not masked (RFC 6455 § 5.1).
                Ordering::Greater => return Err(CloseReason::ProtocolError),
            }
        }
    }

    /// Counts a frame; `Some` is how long not to read.
    fn pace(&mut self, bytes: usize) -> Option<Duration> {
        match &self.stage {
            Stage::Open(session) | Stage::Probing(session) => session.pace(1, bytes),
            Stage::Elsewhere(foreign) => foreign.pace(bytes),
            Stage::Crossing(crossing) => crossing.pace(bytes),
        }
    }

    /// Puts fragments together and answers control frames; `None` while there is no whole message.
    fn assemble(&mut self, opcode: OpCode, fin: bool, payload: Bytes) -> Result<Option<Message>, CloseReason> {
        match opcode {
            OpCode::Close => return Err(CloseReason::ClientClosed),
            OpCode::Ping => match &self.stage {
                Stage::Open(session) => session.send(smallvec![Frame::websocket_pong(&payload)]),
                // While the session is polling, what it sends does not come here.
                Stage::Probing(_) | Stage::Elsewhere(_) => self.write(&Frame::websocket_pong(&payload))?,
                Stage::Crossing(crossing) => crossing.pinged(payload),
            },
            OpCode::Pong => {}
            OpCode::Text | OpCode::Binary if self.partial.is_some() => return Err(CloseReason::ProtocolError),
            // The reader has found whole text frames to be UTF-8.
            OpCode::Text if fin => return Ok(Some(Message::Text(payload))),
            OpCode::Binary if fin => return Ok(Some(Message::Binary(payload))),
            OpCode::Text | OpCode::Binary => {
                let mut partial = Partial { text: opcode == OpCode::Text, data: payload.into(), hold: None };
                partial.count(&self.stage);
                self.partial = Some(Box::new(partial));
            }
            OpCode::Continuation => {
                let most = self.most();
                let partial = self.partial.as_mut().ok_or(CloseReason::ProtocolError)?;
                if partial.data.len() + payload.len() > most {
                    return Err(CloseReason::TooLarge);
                }
                partial.data.extend_from_slice(&payload);
                partial.count(&self.stage);
                if fin && let Some(partial) = self.partial.take() {
                    let data = partial.data.freeze();
                    if !partial.text {
                        return Ok(Some(Message::Binary(data)));
                    }
                    std::str::from_utf8(&data).map_err(|_| CloseReason::ProtocolError)?;
                    return Ok(Some(Message::Text(data)));
                }
            }
        }
        Ok(None)
    }

    /// The longest message that the client may send now.
    fn most(&self) -> usize {
        if matches!(self.stage, Stage::Open(_) | Stage::Crossing(_)) { self.max_payload } else { PROBE }
    }

    async fn receive(&mut self, message: Message) -> Result<(), CloseReason> {
        match &self.stage {
            Stage::Open(session) => session.hear(message),
            Stage::Probing(_) | Stage::Elsewhere(_) => self.probe(message),
            Stage::Crossing(crossing) => {
                let Some((session, message)) = crossing.take(message).await? else { return Ok(()) };
                let heard = session.hear(message);
                self.stage = Stage::Open(session);
                heard
            }
        }
    }

    /// Writes before the session does. So little is written then that a socket which does not take it is not read either.
    fn write(&self, frame: &Frame) -> Result<(), CloseReason> {
        match self.socket.try_write(frame.websocket()) {
            Ok(count) if count == frame.websocket().len() => Ok(()),
            _ => Err(CloseReason::ConnectionLost),
        }
    }

    fn probe(&mut self, message: Message) -> Result<(), CloseReason> {
        let Message::Text(text) = message else { return Err(CloseReason::ProtocolError) };
        match (Packet::from_text(text), &mut self.stage) {
            (Ok(Packet::Ping(data)), stage) if &data[..] == b"probe" => {
                match stage {
                    Stage::Probing(session) => session.probed(),
                    Stage::Elsewhere(foreign) => foreign.probed.store(true, Relaxed),
                    Stage::Open(_) | Stage::Crossing(_) => {}
                }
                self.write(&Frame::text(b"3probe"))?;
                match &self.stage {
                    Stage::Probing(session) => drop(session.release_poll_for_upgrade()),
                    Stage::Elsewhere(foreign) => foreign.elsewhere.probed(&foreign.sid, foreign.ticket),
                    Stage::Open(_) | Stage::Crossing(_) => {}
                }
            }
            (Ok(Packet::Upgrade), Stage::Probing(session)) if session.finish_upgrade(&self.socket) => {
                self.stage = Stage::Open(session.clone());
            }
            (Ok(Packet::Upgrade), Stage::Elsewhere(foreign)) if foreign.probed.load(Relaxed) => {
                let foreign = foreign.clone();
                self.stage = Stage::Crossing(Crossing::begin(foreign, self.socket.clone(), self.max_payload));
            }
            _ => return Err(CloseReason::ProtocolError),
        }
        Ok(())
    }
}

fn close_reason(error: &WebSocketError) -> CloseReason {
    match error {
        WebSocketError::FrameTooLarge => CloseReason::TooLarge,
        WebSocketError::UnexpectedEOF | WebSocketError::IoError(_) => CloseReason::ConnectionLost,
        _ => CloseReason::ProtocolError,
    }
}

/// The length of a masked frame on the wire. If a client encodes it otherwise, the reader just lives a little longer.
fn frame_len(payload: usize) -> usize {
    let extended = match payload {
        0..126 => 0,
        126..0x1_0000 => 2,
        _ => 8,
    };
    2 + 4 + extended + payload
}

/// What has been taken from a socket, because fastwebsockets does not tell what is left in its buffer. As much of it as is no
/// whole frame yet counts in the budget of the process.
#[derive(Default)]
struct Taken {
    bytes: AtomicUsize,
    used: AtomicUsize,
    /// Who answers for it.
    session: OnceLock<Arc<Session>>,
    hold: OnceLock<Hold>,
}

impl Taken {
    fn add(&self, count: usize) {
        self.bytes.fetch_add(count, Relaxed);
        self.count();
    }

    /// So many belong to frames that are whole.
    fn used(&self, used: usize) {
        self.used.store(used, Relaxed);
        if self.hold.get().is_some() {
            self.count();
        }
    }

    fn count(&self) {
        let unfinished = self.bytes.load(Relaxed).saturating_sub(self.used.load(Relaxed));
        match (self.hold.get(), self.session.get()) {
            (Some(hold), _) => hold.set(unfinished),
            (None, Some(session)) if unfinished > UNCOUNTED => {
                self.hold.get_or_init(|| session.hold("an unfinished frame")).set(unfinished);
            }
            (None, _) => {}
        }
    }
}

struct Counted<'a> {
    socket: &'a TcpStream,
    leftover: Bytes,
    taken: &'a Taken,
}

impl AsyncRead for Counted<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.leftover.is_empty() {
            let count = self.leftover.len().min(buf.remaining());
            buf.put_slice(&self.leftover.split_to(count));
            self.taken.add(count);
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.socket.poll_read_ready(cx))?;
            // Into memory as it is: to clear 8 KiB for each message would cost more than to read it.
            match self.socket.try_read_buf(buf) {
                Ok(count) => {
                    self.taken.add(count);
                    return Poll::Ready(Ok(()));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}
