//! The sockets of a node that was declared dead and lives on: claimed one by one under its new name, or closed.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;

use super::Recovery;
use crate::cluster::scripts::session::{Owner, session_write};
use crate::core::sync::lock;
use crate::engineio::CloseReason;
use crate::redis::RedisError;
use crate::socketio::Socket;

/// Sockets that are claimed at once.
const PARALLEL: usize = 64;

impl Recovery {
    /// Claims every socket of this node under its new name, and joins their rooms again, unannounced. What others have taken
    /// over is closed without a word; what cannot be claimed now is closed so that its client comes back.
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

    /// One epoch on. False: somebody else has it, and it was closed.
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

    /// It is a member here already, so that nothing is held; what it may have missed, the scopes read when they are attached anew.
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
