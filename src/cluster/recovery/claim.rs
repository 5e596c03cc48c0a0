//! A node that was declared dead and lives on: what others have not taken of its sockets goes on under its new name.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::Recovery;
use crate::engineio::CloseReason;
use crate::socketio::Socket;

/// Sockets that are claimed at once.
const PARALLEL: usize = 64;
/// Redis may be slow to come back; a socket that cannot be claimed after so many tries is closed.
const TRIES: u32 = 5;
const RETRY: Duration = Duration::from_millis(500);

impl Recovery {
    /// Claims every socket of this node by its record, and makes it a member of its rooms again. Those that somebody else has,
    /// and those that cannot be claimed, are closed; their clients come back.
    pub async fn claim_all(self: &Arc<Self>) {
        let sockets = self.sockets();
        let all = sockets.len();
        let claimed = stream::iter(sockets).map(|socket| self.claim(socket)).buffer_unordered(PARALLEL);
        let claimed = claimed.filter(|claimed| std::future::ready(*claimed)).count().await;
        tracing::info!(claimed, all, "sockets go on under the new name");
    }

    async fn claim(&self, socket: Arc<Socket>) -> bool {
        for _ in 0..TRIES {
            match self.reclaim(&socket).await {
                // It was closed.
                Ok(false) => return false,
                Ok(true) if self.rejoin(&socket).await => {
                    socket.resumed();
                    return true;
                }
                Ok(true) => break,
                Err(error) => tracing::debug!(sid = socket.id(), %error, "cannot be claimed yet"),
            }
            tokio::time::sleep(RETRY).await;
        }
        socket.session().close(CloseReason::LostOwnership);
        false
    }

    /// The others have ended its memberships when they reaped this node.
    async fn rejoin(&self, socket: &Arc<Socket>) -> bool {
        for scope in socket.rooms() {
            let Some(listener) = self.scopes.listener(scope.kind) else { return false };
            match listener.clone().rejoin(scope.clone(), socket.clone()).await {
                // Here it was a member all the time: what it has had is known, and what it missed is filled as a gap.
                Ok(rejoined) => drop(rejoined),
                Err(why) => {
                    tracing::debug!(%scope, sid = socket.id(), ?why, "no member again");
                    return false;
                }
            }
        }
        true
    }
}
