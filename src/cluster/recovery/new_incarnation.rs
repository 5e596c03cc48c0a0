//! The sockets of a node that was declared dead but lives: each is claimed under the node's new name, or closed.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;

use super::Recovery;
use crate::cluster::scripts::session::{Owner, session_write};
use crate::core::sync::lock;
use crate::engineio::CloseReason;
use crate::redis::RedisError;
use crate::socketio::Socket;

/// Sockets that are claimed at the same time.
const PARALLEL: usize = 64;

impl Recovery {
    /// Claims every socket of this node under its new name, and joins its rooms again without an announcement. Sockets that
    /// others have taken over are closed; those that cannot be claimed now are closed so that their clients reconnect.
    pub async fn claim_all(&self) {
        let claim = stream::iter(self.sockets()).for_each_concurrent(PARALLEL, |socket| async move {
            match self.reclaim(&socket).await {
                Ok(true) if self.rejoin_rooms(&socket).await => socket.resumed(),
                Ok(false) => {}
                Ok(true) | Err(_) => socket.session().close(CloseReason::LostOwnership),
            }
        });
        claim.await;
    }

    /// Claims a socket under the next epoch. False: another node has it, and it was closed here.
    async fn reclaim(&self, socket: &Arc<Socket>) -> Result<bool, RedisError> {
        let (node, epoch) = (self.scopes.node(), socket.epoch() + 1);
        let (owner, session) = (Owner { node: &node, epoch }, self.session(socket));
        if !session_write(self.scopes.redis(), socket.pid(), owner, self.ttl_ms(), &session, None).await? {
            self.lose(socket);
            return Ok(false);
        }
        socket.set_epoch(epoch);
        if let Some(held) = lock(self.shard(socket.pid())).get_mut(socket.pid()) {
            held.epoch = held.epoch.max(epoch);
        }
        Ok(true)
    }

    /// The socket is a member here already, so nothing is held. The scopes read what it may have missed when they are attached
    /// again.
    async fn rejoin_rooms(&self, socket: &Arc<Socket>) -> bool {
        for scope in socket.rooms() {
            let Some(listener) = self.scopes.listener(scope.kind) else { return false };
            if listener.rejoin(scope, socket.clone()).await.is_err() {
                return false;
            }
        }
        true
    }
}
