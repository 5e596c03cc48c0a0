//! Notes in Redis which scopes a node listens to, and cleans up those scopes when the node is dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures_util::{StreamExt, stream};

use super::Scopes;
use crate::cluster::scripts::scope::{Reaped, scope_reap};
use crate::core::ScopeId;
use crate::redis::{Redis, RedisError, Value, cmd, keys};

/// How long to wait for the note to be written; then it is written in the background.
const HINT_DEADLINE: Duration = Duration::from_secs(1);
const HINT_RETRY: Duration = Duration::from_secs(2);
/// Scopes of a dead node that are read at a time, at random, so that the nodes that clean up share the work.
const READ: usize = 256;
/// Scopes that are cleaned up at the same time.
const PARALLEL: usize = 32;

/// Notes that this node listens to a scope. Returns within a second; if that was too short, the note is written later.
pub async fn note(scopes: &Arc<Scopes>, scope: &ScopeId) {
    let node = scopes.node();
    let noted = tokio::time::timeout(HINT_DEADLINE, write(&scopes.redis, "SADD", &node, scope));
    if matches!(noted.await, Ok(Ok(()))) {
        return;
    }
    let (weak, scope) = (Arc::downgrade(scopes), scope.clone());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(HINT_RETRY).await;
            let Some(scopes) = weak.upgrade() else { return };
            // Under a new name it was noted again; and a scope that is no longer subscribed needs no note.
            if scopes.node() != node || scopes.find(&scope).is_none_or(|local| !local.is_attached()) {
                return;
            }
            if write(&scopes.redis, "SADD", &node, &scope).await.is_ok() {
                return;
            }
        }
    });
}

/// This node does not listen any more. A note that is left does no harm.
pub async fn unnote(scopes: &Scopes, scope: &ScopeId) {
    let _ = tokio::time::timeout(HINT_DEADLINE, write(&scopes.redis, "SREM", &scopes.node(), scope)).await;
}

/// Ends the memberships that a dead node has left in its scopes, as of its last lease. True if none is left.
pub async fn reap(scopes: &Arc<Scopes>, node: &str, lost_at: u64, count: &AtomicU64) -> bool {
    let parts = stream::iter(0..keys::SCOPE_SETS);
    parts.map(|part| reap_part(scopes, node, part, lost_at, count)).buffer_unordered(4).all(|done| async move { done }).await
}

async fn reap_part(scopes: &Arc<Scopes>, node: &str, part: u16, lost_at: u64, count: &AtomicU64) -> bool {
    let key = keys::cluster_scopes(node, part);
    loop {
        let read = scopes.redis.command_on_reader(cmd("SRANDMEMBER").arg(&key).arg(READ).to_owned(), &key).await;
        let Ok(found) = read.and_then(texts) else { return false };
        if found.is_empty() {
            return true;
        }
        let reaped = stream::iter(found).map(|name| reap_one(scopes, node, &key, name, lost_at, count));
        if !reaped.buffer_unordered(PARALLEL).all(|done| async move { done }).await {
            return false;
        }
    }
}

async fn reap_one(scopes: &Arc<Scopes>, node: &str, key: &str, name: String, lost_at: u64, count: &AtomicU64) -> bool {
    // A scope of a kind that this node does not have is left to a node that has it.
    let Ok(scope) = name.parse::<ScopeId>() else { return false };
    let Some(listener) = scopes.listener(scope.kind) else { return false };
    match scope_reap(&scopes.redis, &scope, node, lost_at, listener.lost_timer(&scope)).await {
        Ok(Reaped { lost, due_in }) => {
            tracing::debug!(%scope, node, lost, "reaped");
            count.fetch_add(1, Relaxed);
            listener.reaped(&scope, due_in).await;
            scopes.redis.command_idempotent(cmd("SREM").arg(key).arg(&name).to_owned(), key).await.is_ok()
        }
        Err(error) => {
            tracing::debug!(%scope, node, %error, "cannot be reaped yet");
            false
        }
    }
}

async fn write(redis: &Redis, verb: &str, node: &str, scope: &ScopeId) -> Result<(), RedisError> {
    let key = keys::cluster_scopes(node, keys::scope_part(scope));
    redis.command_idempotent(cmd(verb).arg(&key).arg(scope.to_string()).to_owned(), &key).await.map(|_| ())
}

fn texts(value: Value) -> Result<Vec<String>, RedisError> {
    ::redis::from_redis_value(value).map_err(|error| RedisError::Script { code: "BADREPLY".into(), message: error.to_string() })
}
