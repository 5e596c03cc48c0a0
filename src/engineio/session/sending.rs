//! Sending: the outbox of a session, and how it is written.

use std::sync::Arc;

use tokio::net::TcpStream;

use super::super::CloseReason;
use super::super::outbox::{Outbox, VolatileKey};
use super::poll::PollEnd;
use super::{Session, State, Transport};
use crate::core::sync::lock;
use crate::protocol::frame::Frames;

impl Session {
    /// Sends a packet. It is written at once as far as the socket takes it.
    pub fn send(self: &Arc<Self>, frames: Frames) {
        if self.queue(frames, None) {
            self.flush();
        }
    }

    /// Queues a packet; true when the caller must call [`Session::flush`]. A client that is too slow is closed.
    pub fn queue(self: &Arc<Self>, frames: Frames, volatile: Option<VolatileKey>) -> bool {
        self.push(frames, volatile, false)
    }

    /// [`Session::queue`] for what the client missed while it was away: it has a limit of its own, and does not count as slow
    /// reading.
    pub fn queue_missed(self: &Arc<Self>, frames: Frames) -> bool {
        self.push(frames, None, true)
    }

    fn push(self: &Arc<Self>, frames: Frames, volatile: Option<VolatileKey>, missed: bool) -> bool {
        let mut state = lock(&self.state);
        if matches!(state.transport, Transport::Closed) || state.overflows {
            return false;
        }
        self.engine.config.observer.tell(|observer| observer.sent(frames.iter().map(|frame| frame.websocket().len()).sum()));
        let was_empty = state.outbox.is_empty();
        if missed {
            state.outbox.allow(&frames);
        }
        let pushed = state.outbox.push(frames, volatile, self.engine.config.outbox_bytes);
        state.overflows = pushed.is_err();
        let State { transport, outbox, .. } = &mut *state;
        // A socket that is not blocked is flushed in a moment; what it does not take is counted then.
        if !matches!(transport, Transport::WebSocket { flushing: false, .. }) {
            self.count(outbox);
        }
        drop(state);
        if pushed.is_err() {
            // Closing calls into upper layers, whose locks the caller may hold.
            let session = self.clone();
            tokio::spawn(async move { session.close(CloseReason::SlowClient) });
            return false;
        }
        was_empty
    }

    /// Writes the outbox as far as the socket takes it. A task writes the rest, and ends when it is written.
    pub fn flush(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        let State { transport, outbox, .. } = &mut *state;
        match transport {
            Transport::Polling { waiting, .. } | Transport::Moving { waiting, .. } => {
                if let Some(waiting) = waiting.take() {
                    let _ = waiting.send(PollEnd::Data);
                }
            }
            Transport::WebSocket { socket, flushing } if !*flushing => match outbox.write_to(socket) {
                Ok(true) => self.count(outbox),
                Ok(false) => {
                    self.count(outbox);
                    *flushing = true;
                    let socket = socket.clone();
                    tokio::spawn(flush_slowly(self.clone(), socket));
                }
                // The reader notices that the socket is dead.
                Err(_) => outbox.clear(),
            },
            Transport::WebSocket { .. } | Transport::Closed => {}
        }
    }

    pub(super) fn count(self: &Arc<Self>, outbox: &mut Outbox) {
        outbox.count(|| self.hold("what waits for a client"));
    }
}

/// Writes the rest when the socket can be written again. A socket that takes nothing for too long is closed, even if its client
/// sends.
async fn flush_slowly(session: Arc<Session>, socket: Arc<TcpStream>) {
    loop {
        let Ok(writable) = tokio::time::timeout(session.engine.config.patience.write, socket.writable()).await else {
            return session.close(CloseReason::SlowClient);
        };
        let mut state = lock(&session.state);
        let State { transport, outbox, .. } = &mut *state;
        let Transport::WebSocket { flushing, .. } = transport else { return };
        let written = outbox.write_to(&socket);
        session.count(outbox);
        match written {
            Ok(false) if writable.is_ok() => {}
            Ok(_) => {
                *flushing = false;
                return;
            }
            Err(_) => {
                outbox.clear();
                return;
            }
        }
    }
}
