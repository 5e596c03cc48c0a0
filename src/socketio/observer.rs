//! What an observer of all sockets is told.

use std::sync::Arc;

use super::{DisconnectReason, Event, Socket};
use crate::core::ScopeId;
use crate::protocol::event::Args;

/// Is told what happens to the sockets of this process, while [`Config::observer`](super::Config) is open. Called for every
/// event, with locks held: none of these may block, or send anything.
pub trait Observer: Send + Sync + 'static {
    /// Its CONNECT is answered, or its session has moved here.
    fn connected(&self, socket: &Arc<Socket>);

    /// Its session goes on over a WebSocket.
    fn upgraded(&self, socket: &Arc<Socket>);

    /// With [`DisconnectReason::TakenOver`] it goes on elsewhere.
    fn disconnected(&self, socket: &Arc<Socket>, reason: DisconnectReason);

    fn joined(&self, socket: &Socket, room: &ScopeId);

    fn left(&self, socket: &Socket, room: &ScopeId);

    /// An event of its client that is about to be handled.
    fn received(&self, socket: &Socket, event: &Event);

    /// An event for its client; `args` is the whole array, the name included.
    fn sent(&self, socket: &Socket, args: &Args);
}
