//! The call of an interview: who is in it, and what they tell each other (contract § 4 "Signalling").

use std::sync::Arc;

use super::live::Live;
use crate::socketio::{Abandoned, DisconnectReason, Namespace, Socket};

/// One in a process.
pub struct Signalling {
    #[expect(dead_code, reason = "its events follow")]
    live: Arc<Live>,
}

impl Signalling {
    pub fn new(live: Arc<Live>) -> Arc<Self> {
        Arc::new(Self { live })
    }

    /// Adds the events of the call to the namespace.
    pub fn events(self: &Arc<Self>, namespace: Namespace) -> Namespace {
        namespace
    }

    /// A socket that its client has got back, or that has moved here.
    pub async fn resumed(self: &Arc<Self>, _socket: &Arc<Socket>) {}

    /// After the last event of a socket.
    pub async fn disconnected(self: &Arc<Self>, _socket: &Arc<Socket>, _reason: DisconnectReason) {}

    /// A connection that its client did not get back.
    pub async fn abandoned(self: &Arc<Self>, _gone: &Abandoned) {}
}
