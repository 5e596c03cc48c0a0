//! A socket that moves with its session to another node.
//!
//! Until the other node has claimed the record, this one knows how far the socket had come. If the record is never claimed, its
//! memberships are lost like those of any socket whose connection was lost.

use std::sync::Arc;

use super::{Held, REMEMBER, Recovery};
use crate::cluster::scripts::session::SessionRecord;
use crate::core::sync::lock;
use crate::socketio::{Abandoned, SessionSnapshot, Socket, SocketExport};

impl Recovery {
    /// Freezes a socket, so that it can move to another node with its queue: nothing is queued to it any more. `None` if it was
    /// frozen before.
    pub(super) fn stop_to_move(&self, socket: &Arc<Socket>) -> Option<SocketExport> {
        if !socket.freeze() {
            return None;
        }
        let mut snapshot = socket.snapshot();
        for scope in socket.rooms() {
            let place = self.scopes.take(&scope, socket);
            if let (Some(place), Some(room)) = (place, snapshot.rooms.iter_mut().find(|room| room.scope == scope)) {
                room.queued = Some(place);
            }
        }
        if !socket.pid().is_empty() {
            // A client that comes back by pid meanwhile starts at the confirmed positions: it may never have received the queue.
            let parked = Some(Arc::new(confirmed(&snapshot)));
            lock(self.shard(socket.pid())).insert(socket.pid().into(), Held::new(socket.epoch(), None, parked));
        }
        Some(socket.export(snapshot))
    }

    pub(super) fn watch_moved(&self, socket: &Arc<Socket>, snapshot: &SessionSnapshot) {
        if socket.pid().is_empty() {
            return;
        }
        let session = self.parked(socket, snapshot);
        let (me, socket, node) = (self.me.clone(), socket.clone(), self.scopes.node().to_string());
        tokio::spawn(async move {
            tokio::time::sleep(REMEMBER).await;
            let Some(recovery) = me.upgrade() else { return };
            // Nothing is written if the socket has arrived, or the client has come back by itself.
            if matches!(recovery.write(&socket, &session, None).await, Ok(true)) {
                tracing::debug!(sid = socket.id(), "moved, but has not arrived");
            }
            // Memberships that another node has taken over are under that node's name, and stay.
            let SessionRecord { sid, user, role, rooms, .. } = session;
            let rooms = rooms.into_iter().map(|(scope, _)| scope).collect();
            let namespace = socket.namespace().clone();
            namespace.abandon(Abandoned { sid, user, role, node, epoch: socket.epoch(), rooms }).await;
        });
    }
}

fn confirmed(snapshot: &SessionSnapshot) -> SessionSnapshot {
    let mut snapshot = snapshot.clone();
    snapshot.rooms.iter_mut().for_each(|room| room.queued = None);
    snapshot
}
