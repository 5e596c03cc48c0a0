//! A node that stops hands its unfinished work in incidents to another node.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;

use super::Sos;
use crate::cluster::registry::Registry;
use crate::core::ids::is_scope_id;
use crate::peer::{Answer, Peers};

/// The path at which a node takes over from another one. The body names incidents, one a line.
const INHERIT: &str = "/inherit";
const INHERIT_DEADLINE: Duration = Duration::from_secs(2);
/// How many nodes are asked, one after another.
const HEIRS: usize = 3;

/// The other nodes.
pub struct Others {
    pub peers: Arc<Peers>,
    pub registry: Arc<Registry>,
}

/// Hands over what is unfinished, once all connections are closed.
pub async fn hand_over(sos: &Sos, others: &Others) {
    let left = sos.unfinished();
    if !left.is_empty() && !bequeath(&left, others).await {
        // All of it is in Redis, where the next node finds it.
        tracing::debug!(incidents = left.len(), "no other node takes over what is left to do");
    }
}

/// False if no node takes them.
async fn bequeath(incidents: &[String], others: &Others) -> bool {
    let body = Bytes::from(incidents.join("\n"));
    for heir in others.registry.others().into_iter().take(HEIRS) {
        match others.peers.call(&heir, INHERIT, body.clone(), INHERIT_DEADLINE).await {
            Ok(answer) if answer.status.is_success() => return true,
            refused => tracing::debug!(heir = %heir.node, ?refused, "does not take over"),
        }
    }
    false
}

/// Takes over from nodes that stop. To be called before the node starts.
pub fn wire(peers: &Peers, sos: &Arc<Sos>) {
    let sos = Arc::downgrade(sos);
    peers.on(INHERIT, move |body| {
        let taken = sos.upgrade().zip(std::str::from_utf8(&body).ok()).map(|(sos, ids)| {
            ids.lines().filter(|id| is_scope_id(id)).for_each(|id| sos.inherit(id));
        });
        let status = taken.map_or(StatusCode::BAD_REQUEST, |()| StatusCode::NO_CONTENT);
        async move { Answer::status(status) }
    });
}
