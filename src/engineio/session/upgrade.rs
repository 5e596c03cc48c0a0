//! The upgrade of a polling session to a WebSocket of this node: its stages, and what they mean for a poll that waits.

use std::sync::Arc;

use tokio::net::TcpStream;

use crate::core::sync::lock;

use super::super::remote::Ticket;
use super::{PollEnd, Session, Transport};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Upgrade {
    None,
    /// A WebSocket is open for it.
    Begun,
    /// The probe is answered; the client waits for its poll to end.
    Probed,
    /// A WebSocket is open for it on another node, which has this ticket.
    Remote(Ticket),
}

impl Session {
    /// A WebSocket is open for an upgrade; false if there is one already or the session is past polling.
    pub(in crate::engineio) fn begin_upgrade(&self) -> bool {
        self.change_upgrade(|stage| stage == Upgrade::None, Upgrade::Begun)
    }

    /// The client's probe has been answered.
    pub(in crate::engineio) fn probed(&self) {
        self.change_upgrade(|stage| stage == Upgrade::Begun, Upgrade::Probed);
    }

    /// The upgrade has failed; the session goes on polling.
    pub(in crate::engineio) fn abandon_upgrade(&self) {
        self.change_upgrade(|_| true, Upgrade::None);
    }

    pub(super) fn change_upgrade(&self, from: impl FnOnce(Upgrade) -> bool, to: Upgrade) -> bool {
        match &mut lock(&self.state).transport {
            Transport::Polling { upgrade, .. } if from(*upgrade) => {
                *upgrade = to;
                true
            }
            _ => false,
        }
    }

    /// Ends the waiting poll if the client is waiting for just that; false when no upgrade is going on.
    pub(in crate::engineio) fn release_poll_for_upgrade(&self) -> bool {
        match &mut lock(&self.state).transport {
            Transport::Polling { waiting, upgrade: upgrade @ (Upgrade::Begun | Upgrade::Probed) } => {
                if let Some(waiting) = waiting.take_if(|_| *upgrade == Upgrade::Probed) {
                    let _ = waiting.send(PollEnd::Noop);
                }
                true
            }
            _ => false,
        }
    }

    /// Moves the session to the WebSocket that has been probed; false if it ended meanwhile.
    pub(in crate::engineio) fn finish_upgrade(self: &Arc<Self>, socket: &Arc<TcpStream>) -> bool {
        let mut state = lock(&self.state);
        match &mut state.transport {
            Transport::Polling { waiting, upgrade: Upgrade::Probed } => {
                if let Some(waiting) = waiting.take() {
                    let _ = waiting.send(PollEnd::Noop);
                }
                state.transport = Transport::WebSocket { socket: socket.clone(), flushing: false };
            }
            _ => return false,
        }
        drop(state);
        self.flush();
        if let Some(connection) = self.connection() {
            connection.upgraded(self);
        }
        true
    }
}
