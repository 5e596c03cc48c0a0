//! The heartbeat of a session, and how long it may take to be accepted.

use std::sync::Arc;
use std::time::Duration;

use smallvec::smallvec;
use tokio::time::Instant;

use super::super::CloseReason;
use super::{Session, Transport};
use crate::core::sync::lock;
use crate::protocol::frame::Frame;

impl Session {
    /// Ends the session with [`CloseReason::ConnectTimeout`] unless [`Session::accepted`] is called within `time`.
    pub fn accept_within(self: &Arc<Self>, time: Duration) {
        let due = Instant::now() + time;
        let mut state = lock(&self.state);
        state.accept_due = Some(due);
        let ping_due = state.ping_due;
        drop(state);
        if due < ping_due {
            // A check beside the heartbeat's.
            let session = Arc::downgrade(self);
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                if let Some(session) = session.upgrade() {
                    session.check_accepted(Instant::now());
                }
            });
        }
    }

    /// The layer above has accepted the client.
    pub fn accepted(&self) {
        lock(&self.state).accept_due = None;
    }

    pub(super) fn pong(self: &Arc<Self>) {
        let mut state = lock(&self.state);
        if state.pong_due.take().is_none() {
            return;
        }
        state.ping_due = Instant::now() + self.engine.config.ping_interval;
        drop(state);
        if let Some(connection) = self.connection.get() {
            connection.ping_answered(self);
        }
    }

    /// A large request of the client is being received: it is alive, and its `pong` may wait behind that.
    pub(in crate::engineio) fn extend_pong_deadline(&self) {
        let mut state = lock(&self.state);
        if let Some(due) = &mut state.pong_due {
            *due = Instant::now() + self.engine.config.ping_timeout;
        }
    }

    fn check_accepted(self: &Arc<Self>, now: Instant) -> bool {
        let late = lock(&self.state).accept_due.is_some_and(|due| due <= now);
        if late {
            self.close(CloseReason::ConnectTimeout);
        }
        !late
    }

    pub(super) fn check_pong(self: &Arc<Self>, now: Instant) -> bool {
        let late = lock(&self.state).pong_due.is_some_and(|due| due <= now);
        if late {
            self.close(CloseReason::PingTimeout);
        }
        !late
    }

    /// Sends a `ping` or ends the session, whichever is due. Returns when to check again; `None`: never.
    pub(in crate::engineio) fn beat(self: &Arc<Self>, now: Instant) -> Option<Instant> {
        if !self.check_accepted(now) || !self.check_pong(now) {
            return None;
        }
        let config = &self.engine.config;
        let mut state = lock(&self.state);
        if matches!(state.transport, Transport::Closed) {
            return None;
        }
        match state.pong_due {
            Some(due) => return Some(due),
            None if state.ping_due > now => return Some(state.ping_due),
            // A late heartbeat does not give the client more time, unless this process was paused.
            None => {
                let late = (now - state.ping_due).min(2 * self.engine.wheel.tick());
                state.pong_due = Some(now + config.ping_timeout - late);
            }
        }
        drop(state);
        if let Some(connection) = self.connection.get() {
            connection.pinging(self);
        }
        self.send(smallvec![Frame::text(b"2")]);
        Some(now + config.ping_timeout.min(config.ping_interval))
    }
}
