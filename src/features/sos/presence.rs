//! Presence: `user:presence`, `lastSeen`, and the grace before a lost connection is announced.

use std::sync::Arc;
use std::time::Duration;

use crate::cluster::scripts::scope::{Member, scope_touch};
use crate::features::sos::auth::Claims;
use crate::features::sos::scripts::presence::{presence_remove, presence_set};
use crate::features::sos::scripts::{Actor, Loss, Source, sos_announce, sos_lost, sos_presence};
use crate::socketio::Socket;

use super::Sos;
use super::caller::caller;
use super::error::SosError;
use super::join::RoomState;
use super::kinds::scope;
use crate::core::sync::lock;
use crate::rooms::coalesce::Windows;
use crate::rooms::pending::Losses;
use crate::rooms::presence::Connection;
use crate::rooms::share::Shared;

/// How long to wait for the index of users, which is only a hint.
const HINT_DEADLINE: Duration = Duration::from_secs(1);
/// How often sockets are noted that send only pongs; an entry of `user:presence` lives for an hour.
const QUIET_MS: u64 = 20 * 60 * 1000;
/// How often an announcement that fails is tried again; after that the sweep does it.
const ANNOUNCE_TRIES: u32 = 6;
const ANNOUNCE_RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// What this node is about to do for presence.
pub struct Changes {
    /// SOSs whose presence is announced when the window ends.
    pub windows: Windows<String>,
    pub losses: Losses,
    /// States of large rooms, for all who join together.
    pub states: Arc<Shared<String, Option<Arc<RoomState>>, SosError>>,
}

impl Default for Changes {
    fn default() -> Self {
        let windows = Windows::new(ANNOUNCE_TRIES, ANNOUNCE_RETRY);
        Self { windows, losses: Losses::default(), states: Arc::default() }
    }
}

/// A membership of an SOS whose connection is lost.
pub struct Lost {
    pub sid: String,
    pub user: String,
    pub role: String,
    pub node: String,
    pub epoch: u64,
    pub sos: String,
}

impl Sos {
    pub(super) fn register(&self, socket: &Arc<Socket>) {
        lock(&self.sockets).insert(socket.id().into(), socket.clone());
    }

    pub(super) fn unregister(&self, socket: &Socket) {
        // A socket that was recovered on this node has the same id, and stays.
        let mut sockets = lock(&self.sockets);
        if sockets.get(socket.id()).is_some_and(|known| std::ptr::eq(&raw const **known, socket)) {
            sockets.remove(socket.id());
        }
    }

    /// Notes that a user's socket is there, now.
    pub(super) async fn seen(&self, socket: &Socket, claims: &Claims) {
        let Some(caller) = caller(socket) else { return };
        caller.touch(self.clock.now_ms(), 0);
        let scope = claims.sos_id.as_deref().map(|sos| scope(sos).to_string()).unwrap_or_default();
        let node = self.scopes.node();
        let set = presence_set(self.redis(), &claims.user_id, socket.id(), &node, socket.epoch(), claims.role.as_str(), &scope);
        let _ = tokio::time::timeout(HINT_DEADLINE, set).await;
    }

    /// Notes that the socket is gone.
    pub(super) async fn unseen(&self, socket: &Socket, claims: &Claims) {
        let node = self.scopes.node();
        let remove = presence_remove(self.redis(), &claims.user_id, socket.id(), &node, socket.epoch());
        let _ = tokio::time::timeout(HINT_DEADLINE, remove).await;
    }

    /// A heartbeat: `lastSeen` is written, at most every so often.
    pub(super) async fn touch(self: &Arc<Self>, socket: &Arc<Socket>) {
        let Some(caller) = caller(socket) else { return };
        if !caller.touch(self.clock.now_ms(), self.config.touch_every.as_millis() as u64) {
            return;
        }
        let claims = caller.claims();
        self.seen(socket, &claims).await;
        for sos in caller.rooms() {
            let node = self.scopes.node();
            let member = Member {
                sid: socket.id(),
                user: &claims.user_id,
                role: claims.role.as_str(),
                node: &node,
                session_epoch: socket.epoch(),
            };
            let touched = tokio::time::timeout(HINT_DEADLINE, scope_touch(self.redis(), &scope(&sos), &[member])).await;
            // Redis has lost the entry, so the socket joins again.
            if let Ok(Ok(lost)) = touched
                && !lost.is_empty()
                && caller.role_in(&sos).is_some()
            {
                self.rejoin(socket, &claims, &sos).await;
            }
        }
    }

    /// Notes sockets that have long sent only pongs: they are still there.
    pub(super) async fn note_the_quiet(self: &Arc<Self>) {
        let sockets: Vec<_> = lock(&self.sockets).values().cloned().collect();
        for socket in sockets {
            let Some(caller) = caller(&socket) else { continue };
            if !caller.is_gone() && caller.touch(self.clock.now_ms(), QUIET_MS) {
                self.seen(&socket, &caller.claims()).await;
            }
        }
    }

    /// Ends a membership whose connection is lost. Nothing is announced before the grace is over.
    pub(super) fn lose(self: &Arc<Self>, socket: &Arc<Socket>, claims: &Claims, sos: &str) {
        self.scopes.leave(&scope(sos), socket);
        self.lost(Lost {
            sid: socket.id().into(),
            user: claims.user_id.to_string(),
            role: claims.role.as_str().into(),
            node: self.scopes.node().to_string(),
            epoch: socket.epoch(),
            sos: sos.into(),
        });
    }

    /// [`Sos::lose`] of a membership that may have been another node's.
    pub(super) fn lost(self: &Arc<Self>, lost: Lost) {
        let loss = (self.scopes.next_op(), self.clock.now_ms(), lost);
        self.presence.losses.note(self, loss, |feature, loss| async move {
            let (op, at, lost) = &*loss;
            feature.note_lost(op, *at, lost).await
        });
    }

    /// True: it is noted, or there is nothing to note.
    async fn note_lost(self: &Arc<Self>, op: &str, at: u64, lost: &Lost) -> bool {
        let Lost { sid, user, role, node, epoch, sos } = lost;
        let actor = Actor { user, role, named: false, sid, source: Source::Socket };
        let connection = Connection { node, session_epoch: *epoch };
        let loss = Loss { at: Some(at), grace: self.config.offline_after };
        self.timers.expect(&scope(sos), loss.grace).await;
        match sos_lost(self.redis(), sos, self.op(op, ""), actor, connection, loss, self.presence_window_ms()).await {
            Ok(moved) => {
                if let Some(moved) = moved {
                    self.after_move(sos, &moved);
                }
                true
            }
            Err(error) => {
                tracing::debug!(sos, %error, "a lost connection cannot be noted yet");
                false
            }
        }
    }

    /// Announces those who have been away for longer than the grace. Returns when the next one is due.
    pub(super) async fn announce_lost(self: &Arc<Self>, sos: &str) -> Result<Option<Duration>, SosError> {
        let (op, grace) = (self.scopes.next_op(), self.config.offline_after.as_millis() as u64);
        let announced = sos_presence(self.redis(), sos, self.op(&op, ""), grace, self.presence_window_ms()).await?;
        if let Some(written) = announced.written {
            self.after(sos, &written);
        }
        self.announce_in(sos, announced.announce_ms);
        Ok(announced.next)
    }

    pub(super) fn presence_window_ms(&self) -> u64 {
        self.config.presence_window.as_millis() as u64
    }

    /// Announces what has changed when the presence window ends, by one timer for each SOS on this node. If this node cannot, the
    /// next change or another node announces it.
    pub(super) fn announce_in(self: &Arc<Self>, sos: &str, wait_ms: Option<u64>) {
        let Some(wait) = wait_ms.map(Duration::from_millis) else { return };
        let weak = Arc::downgrade(self);
        self.presence.windows.end_in(sos.to_owned(), wait, move |sos| {
            let feature = weak.upgrade();
            async move {
                match feature {
                    Some(feature) => feature.scopes.may_act().await && feature.announce_changes(&sos).await,
                    None => true,
                }
            }
        });
    }

    /// Announces what has changed. True if that was done.
    pub(super) async fn announce_changes(self: &Arc<Self>, sos: &str) -> bool {
        let op = self.scopes.next_op();
        match sos_announce(self.redis(), sos, self.op(&op, ""), self.presence_window_ms()).await {
            Ok(announced) => {
                if let Some(written) = announced.written {
                    self.after(sos, &written);
                }
                self.announce_in(sos, announced.announce_ms);
                true
            }
            Err(error) => {
                tracing::debug!(sos, %error, "presence cannot be announced yet");
                false
            }
        }
    }
}
