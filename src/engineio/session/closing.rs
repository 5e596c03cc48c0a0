//! How a session ends.

use std::io::ErrorKind;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use smallvec::smallvec;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::super::CloseReason;
use super::super::outbox::Outbox;
use super::poll::PollEnd;
use super::{Session, Transport};
use crate::core::sync::lock;
use crate::protocol::frame::Frame;
use crate::telemetry::metrics::TRANSPORT_CLOSES;

/// How long a closed WebSocket may take to receive the packets that still wait.
const LINGER: Duration = Duration::from_secs(2);

/// How long a polling client may take to fetch the packets that still wait.
const POLL_LINGER: Duration = Duration::from_secs(5);

impl Session {
    /// Ends the session after its client has had time to receive the waiting packets. Closing a WebSocket writes them; a
    /// polling client needs another request, after which most clients close by themselves.
    pub fn close_after_delivery(self: &Arc<Self>, reason: CloseReason) {
        if !self.is_polling() {
            return self.close(reason);
        }
        let session = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(POLL_LINGER).await;
            if let Some(session) = session.upgrade() {
                session.close(reason);
            }
        });
    }

    /// The only way to end a session. Idempotent; the first reason counts.
    pub fn close(self: &Arc<Self>, reason: CloseReason) {
        let mut state = lock(&self.state);
        let transport = std::mem::replace(&mut state.transport, Transport::Closed);
        let outbox = state.outbox.take();
        drop(state);
        match transport {
            Transport::Closed => return,
            Transport::Moving { .. } => {}
            Transport::Polling { waiting, .. } => {
                if let Some(waiting) = waiting {
                    let _ = waiting.send(match reason {
                        CloseReason::ClientClosed | CloseReason::ConnectionLost => PollEnd::Noop,
                        CloseReason::ProtocolError | CloseReason::ServerClosed => PollEnd::Close,
                        _ => PollEnd::Gone,
                    });
                }
            }
            Transport::WebSocket { socket, .. } => {
                self.engine.close_tasks.spawn(close_slowly(socket, outbox, reason));
            }
        }
        tracing::debug!(reason = reason.as_str(), "session closed");
        metrics::counter!(TRANSPORT_CLOSES, "reason" => reason.as_str()).increment(1);
        self.engine.remove(self);
        self.engine.config.observer.tell(|observer| observer.closed(reason));
        if let Some(connection) = self.connection.get() {
            connection.closed(self, reason);
        }
    }
}

/// Sends the waiting packets and a close frame, then ends the stream, and so its reader.
async fn close_slowly(socket: Arc<TcpStream>, mut outbox: Outbox, reason: CloseReason) {
    let _ = outbox.push(smallvec![Frame::close(reason.code(), reason.as_str())], None, usize::MAX);
    let flush = async {
        while !matches!(outbox.write_to(&socket), Ok(true) | Err(_)) {
            if socket.writable().await.is_err() {
                break;
            }
        }
        let _ = SockRef::from(&*socket).shutdown(Shutdown::Write);
        // The client answers by closing its side. What it still sends is read and dropped: closing a socket with unread bytes
        // would reset the connection, and the client would lose the close frame.
        while socket.readable().await.is_ok() {
            match socket.try_read(&mut [0; 4_096]) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    // A client whose connection is dead must not hold the task.
    let _ = tokio::time::timeout(LINGER, flush).await;
    let _ = SockRef::from(&*socket).shutdown(Shutdown::Both);
}
