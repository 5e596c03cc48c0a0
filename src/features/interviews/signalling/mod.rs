//! The call of an interview: who is in it, and what they tell each other (contract § 4 "Signalling").
//!
//! ```text
//! joinRoom, leaveRoom ──► call_join, call_leave ─► the scope's log ─► presence:update, call:ready to all who are in the call
//! a lost connection ────► timer `gone` ─► call_presence ─────┘
//! offer, chat:message … ─► room_relay, call_message … ─► the log; a document goes out volatile, and is kept
//! ```
//!
//! Members are sockets, not users. Redis has the role and the identity of each; a node knows those of its own sockets.

mod end;
pub mod entries;
mod events;
mod join;
mod leave;
mod listener;
pub mod requests;
pub mod rooms;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::channel;
use super::kinds;
use super::live::Live;
use super::scripts::call::{GONE, Presence};
use crate::rooms::coalesce::Windows;
use crate::rooms::pending::Losses;
use crate::socketio::{EventError, Namespace, Reply};

use listener::Listener;

type Handled = Result<Reply, EventError>;

/// How often an announcement that fails is tried again, with pauses from the first to the second. After that it is left to the
/// next change, or to the node that takes over.
const ANNOUNCE_TRIES: u32 = 6;
const ANNOUNCE_RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// One in a process.
pub struct Signalling {
    live: Arc<Live>,
    /// Calls whose presence is announced when the window ends.
    windows: Windows<Uuid>,
    losses: Losses,
    /// Calls to LiveKit that delete rooms and remove participants.
    tasks: TaskTracker,
}

impl Signalling {
    /// Puts it together and listens to its scopes. Must be called inside a Tokio runtime.
    pub fn new(live: Arc<Live>) -> Arc<Self> {
        let windows = Windows::new(ANNOUNCE_TRIES, ANNOUNCE_RETRY);
        let signalling = Arc::new(Self { live, windows, losses: Losses::default(), tasks: TaskTracker::new() });
        let listener = Arc::new(Listener(Arc::downgrade(&signalling)));
        signalling.live.scopes.register(kinds::CALL, listener.clone());
        signalling.live.timers.on(kinds::CALL, GONE, listener);
        signalling
    }

    /// How much this node has still to do: sockets that left are to be noted in Redis, rooms and participants are to be removed.
    pub fn unsettled(&self) -> usize {
        self.losses.count() + self.tasks.len()
    }

    /// Adds the events of the call to the namespace.
    pub fn events(self: &Arc<Self>, namespace: Namespace) -> Namespace {
        channel::dispatch(namespace, &self.live, self, entries::EVENTS)
    }

    fn presence(&self) -> Presence {
        Presence { window: self.live.config.presence_window, grace: self.live.config.leave_grace }
    }
}
