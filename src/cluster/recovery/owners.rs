//! Asks the former owner of a connection, over the peer port, to give it up.

use std::sync::{Arc, Weak};
use std::time::Duration;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Owners, Recovery};
use crate::cluster::registry::Registry;
use crate::core::wire::{self, Form};
use crate::peer::{Answer, Peers};
use crate::socketio::{BoxFuture, SessionSnapshot};

const TAKEOVER: &str = "/takeover";
/// How long to wait for it; then the record is used.
const DEADLINE: Duration = Duration::from_millis(500);

#[derive(Serialize, Deserialize)]
struct Takeover {
    pid: String,
    epoch: u64,
}

/// The nodes in the registry.
pub struct OtherNodes(pub Arc<Registry>);

impl Owners for OtherNodes {
    fn give_up(&self, node: &str, pid: &str, epoch: u64) -> BoxFuture<Option<SessionSnapshot>> {
        let (registry, node) = (self.0.clone(), node.to_owned());
        let takeover = Takeover { pid: pid.to_owned(), epoch };
        Box::pin(async move {
            let peer = tokio::time::timeout(DEADLINE, registry.find_node(&node)).await.ok()??;
            let answer = registry.peers().call(&peer, TAKEOVER, wire::write(peer.form, &takeover), DEADLINE).await;
            let answer = answer.inspect_err(|error| tracing::debug!(%error, "the old owner does not answer")).ok()?;
            (answer.status == StatusCode::OK).then(|| wire::read(&answer.body)).flatten()
        })
    }
}

/// Answers other nodes.
pub fn wire(recovery: &Arc<Recovery>, peers: &Peers) {
    let recovery: Weak<Recovery> = Arc::downgrade(recovery);
    peers.on(TAKEOVER, move |body| {
        let recovery = recovery.upgrade();
        async move {
            let Some(takeover) = wire::read::<Takeover>(&body) else {
                return Answer::status(StatusCode::BAD_REQUEST);
            };
            match recovery.and_then(|recovery| recovery.give_up(&takeover.pid, takeover.epoch)) {
                Some(snapshot) => Answer::ok(wire::write(Form::of(&body), &snapshot)),
                None => Answer::status(StatusCode::NOT_FOUND),
            }
        }
    });
}
