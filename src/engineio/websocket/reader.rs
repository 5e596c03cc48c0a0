//! The reading side of a WebSocket.

use std::cmp::Ordering;
use std::io::{self, ErrorKind, Read as _};
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fastwebsockets::{OpCode, Role, WebSocketError};
use smallvec::smallvec;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::super::{CloseReason, Session};
use super::RemoteUpgrade;
use super::counted_socket::{CountedSocket, ReadCount, UNCOUNTED};
use super::transfer::Transfer;
use crate::net::Hold;
use crate::protocol::engineio::{Message, Packet};
use crate::protocol::frame::Frame;

/// What is read at once before a reader is made for it; longer messages are the reader's.
const READ_ONCE: usize = 4_096;

/// The longest message before a session is open over this WebSocket: `2probe` and `5`.
const PROBE: usize = 125;

/// The reading side of one WebSocket.
pub(super) struct Reader {
    socket: Arc<TcpStream>,
    /// Bytes that arrived together with the HTTP request.
    leftover: Bytes,
    /// A fragmented message that is not complete yet.
    partial: Option<Box<Partial>>,
    stage: Stage,
    max_payload: usize,
}

/// The session whose messages are read, and how far its upgrade is.
pub(super) enum Stage {
    Open(Arc<Session>),
    /// The client has not finished its upgrade; the session is still polling.
    Probing(Arc<Session>),
    /// The same for a session of another node.
    ProbingRemote(Arc<RemoteUpgrade>),
    /// The client has finished the upgrade, and the session is being transferred to this node.
    Transferring(Arc<Transfer>),
}

impl Reader {
    pub fn new(socket: Arc<TcpStream>, leftover: Bytes, max_payload: usize, stage: Stage) -> Self {
        // Even an empty slice would keep the buffer of the HTTP connection.
        let leftover = Bytes::copy_from_slice(&leftover);
        Self { socket, leftover, partial: None, stage, max_payload }
    }

    /// Reads packets into the session until one of both ends.
    pub async fn serve(mut self) {
        let reason = self.read().await;
        match &self.stage {
            Stage::Open(session) => return session.close(reason),
            Stage::Probing(session) => session.abandon_upgrade(),
            Stage::ProbingRemote(_) => {}
            Stage::Transferring(transfer) => {
                if let Some(session) = transfer.end(reason) {
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
            // Boxed, so that an idle connection does not run the reader's future.
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
        let taken = ReadCount::default();
        let socket = self.socket.clone();
        let source = CountedSocket { socket: &socket, leftover: std::mem::take(&mut self.leftover), taken: &taken };
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

    /// Counts a frame. `Some`: nothing is read for so long.
    fn pace(&mut self, bytes: usize) -> Option<Duration> {
        match &self.stage {
            Stage::Open(session) | Stage::Probing(session) => session.pace(1, bytes),
            Stage::ProbingRemote(upgrade) => upgrade.pace(bytes),
            Stage::Transferring(transfer) => transfer.pace(bytes),
        }
    }

    /// Puts fragments together and answers control frames; `None` while there is no whole message.
    fn assemble(&mut self, opcode: OpCode, fin: bool, payload: Bytes) -> Result<Option<Message>, CloseReason> {
        match opcode {
            OpCode::Close => return Err(CloseReason::ClientClosed),
            OpCode::Ping => match &self.stage {
                Stage::Open(session) => session.send(smallvec![Frame::websocket_pong(&payload)]),
                // While the session is polling, what it sends does not come here.
                Stage::Probing(_) | Stage::ProbingRemote(_) => self.write(&Frame::websocket_pong(&payload))?,
                Stage::Transferring(transfer) => transfer.pinged(payload),
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
        if matches!(self.stage, Stage::Open(_) | Stage::Transferring(_)) { self.max_payload } else { PROBE }
    }

    async fn receive(&mut self, message: Message) -> Result<(), CloseReason> {
        match &self.stage {
            Stage::Open(session) => session.receive_message(message),
            Stage::Probing(_) | Stage::ProbingRemote(_) => self.probe(message),
            Stage::Transferring(transfer) => {
                let Some((session, message)) = transfer.take(message).await? else { return Ok(()) };
                let result = session.receive_message(message);
                self.stage = Stage::Open(session);
                result
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
                    Stage::ProbingRemote(upgrade) => upgrade.probed.store(true, Relaxed),
                    Stage::Open(_) | Stage::Transferring(_) => {}
                }
                self.write(&Frame::text(b"3probe"))?;
                match &self.stage {
                    Stage::Probing(session) => drop(session.release_poll_for_upgrade()),
                    Stage::ProbingRemote(upgrade) => upgrade.remote.probed(&upgrade.sid, upgrade.ticket),
                    Stage::Open(_) | Stage::Transferring(_) => {}
                }
            }
            (Ok(Packet::Upgrade), Stage::Probing(session)) if session.finish_upgrade(&self.socket) => {
                self.stage = Stage::Open(session.clone());
            }
            (Ok(Packet::Upgrade), Stage::ProbingRemote(upgrade)) if upgrade.probed.load(Relaxed) => {
                let upgrade = upgrade.clone();
                self.stage = Stage::Transferring(Transfer::begin(upgrade, self.socket.clone(), self.max_payload));
            }
            _ => return Err(CloseReason::ProtocolError),
        }
        Ok(())
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
