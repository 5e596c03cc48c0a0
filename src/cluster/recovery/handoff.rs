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
    /// Freezes a socket, so that it can move to another node with its queue, and takes it out of its rooms. `None` if another node
    /// or socket has taken the connection over.
    pub(super) fn stop_to_move(&self, socket: &Arc<Socket>) -> Option<SocketExport> {
        let mut snapshot = self.freeze_and_park(socket)?;
        for room in &mut snapshot.rooms {
            room.queued = self.scopes.take(&room.scope, socket);
        }
        // With the events of its rooms that came until it was taken out of them.
        snapshot.sent = socket.sent();
        Some(socket.export(snapshot))
    }

    /// A client that comes back by pid meanwhile starts at the confirmed positions, in all rooms: it may never have received the
    /// queue. Until the new node has the queue, the client is sent nothing that is not in this snapshot.
    fn freeze_and_park(&self, socket: &Arc<Socket>) -> Option<SessionSnapshot> {
        if socket.pid().is_empty() {
            return socket.freeze().then(|| socket.snapshot());
        }
        // Under the lock: a client that comes back gets either the snapshot or the socket.
        let mut shard = lock(self.shard(socket.pid()));
        let held = shard.get_mut(socket.pid()).filter(|held| held.socket.as_ref().is_some_and(|of| Arc::ptr_eq(of, socket)))?;
        if !socket.freeze() {
            return None;
        }
        let snapshot = socket.snapshot();
        *held = Held::new(socket.epoch(), None, Some(Arc::new(snapshot.clone())));
        Some(snapshot)
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
