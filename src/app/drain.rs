//! Sends the clients of this node away, so that the others take them over in an even stream, and waits for what follows on that.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use tokio::time::{Instant, sleep, sleep_until};

use crate::cluster::Recovery;
use crate::cluster::node::Node;
use crate::core::drain::spread;
use crate::core::ids::is_scope_id;
use crate::engineio::{CloseReason, Engine};
use crate::features::sos::Sos;
use crate::peer::Answer;
use crate::socketio::SocketIo;

/// How long what follows on a closed connection may take beyond its known waits: what is written for it, and close frames to
/// clients that do not take them.
const AFTERMATH: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(10);
/// Where a node takes what another leaves: incidents, one a line.
const INHERIT: &str = "/inherit";
const INHERIT_DEADLINE: Duration = Duration::from_secs(2);
/// Nodes that are asked to.
const HEIRS: usize = 3;

pub struct Plan {
    /// How long the balancer may take to notice.
    pub delay: Duration,
    /// Over how long the sessions are closed.
    pub over: Duration,
    /// How long a lost connection may stay unannounced.
    pub offline_after: Duration,
}

/// What is drained.
pub struct Drained {
    pub engine: Arc<Engine>,
    pub io: Arc<SocketIo>,
    pub node: Arc<Node>,
    pub recovery: Arc<Recovery>,
    pub sos: Arc<Sos>,
}

/// Goes on accepting for a while, then refuses handshakes and closes every session in its turn. Ends early when none is left.
pub async fn drain(drained: &Drained, plan: Plan) {
    let engine = &drained.engine;
    sleep(plan.delay).await;
    engine.refuse_new_sessions();
    let sessions = engine.all();
    let start = Instant::now();
    let turns = spread(sessions.len(), plan.over, &mut rand::rng());
    for (session, at) in sessions.into_iter().zip(turns) {
        if !emptied_before(engine, start + at).await {
            session.close(CloseReason::GoingAway);
        }
    }
    // A handshake that was under way when the list was made.
    for session in engine.all() {
        session.close(CloseReason::GoingAway);
    }
    drained.settle(plan.offline_after).await;
}

/// Waits for a client's turn; true at once if there is no client any more.
async fn emptied_before(engine: &Engine, turn: Instant) -> bool {
    // Close enough: the last of them leave within moments, or in their own turn.
    while engine.sessions() > 0 {
        let next = Instant::now() + Duration::from_millis(100);
        if next >= turn {
            sleep_until(turn).await;
            return false;
        }
        sleep_until(next).await;
    }
    true
}

impl Drained {
    /// Waits until the clients were told, what they need to come back is written, their memberships ended and the scopes let go; then leaves to others what is left.
    async fn settle(&self, offline_after: Duration) {
        let Self { engine, io, node, recovery, sos } = self;
        let open = || [engine.farewells(), io.sockets(), io.leaving(), recovery.parking(), node.scopes.count(), sos.losses()];
        if !by(Instant::now() + AFTERMATH, || open() == [0; 6]).await {
            let [farewells, sockets, leaving, parking, scopes, losses] = open();
            tracing::warn!(farewells, sockets, leaving, parking, scopes, losses, "left undone");
        }
        let owed = sos.owed();
        if owed.is_empty() || self.bequeath(&owed).await {
            return;
        }
        // Nobody else is there. Events owed to the SOS service wait in Redis for who comes next.
        if !by(Instant::now() + AFTERMATH + offline_after, || sos.unannounced() == 0).await {
            tracing::warn!(incidents = sos.unannounced(), "who did not come back is announced by the next sweep");
        }
    }

    /// Hands the incidents in which something is left to do to another node; false if none takes them.
    async fn bequeath(&self, owed: &[String]) -> bool {
        let body = Bytes::from(owed.join("\n"));
        for heir in self.node.registry.others().into_iter().take(HEIRS) {
            match self.node.peers.call(&heir, INHERIT, body.clone(), INHERIT_DEADLINE).await {
                Ok(answer) if answer.status.is_success() => return true,
                refused => tracing::debug!(heir = %heir.node, ?refused, "does not take over"),
            }
        }
        false
    }
}

/// Answers nodes that leave something behind. To be called before the node starts.
pub fn wire(node: &Node, sos: &Arc<Sos>) {
    let sos = Arc::downgrade(sos);
    node.peers.on(INHERIT, move |body| {
        let taken = sos.upgrade().zip(std::str::from_utf8(&body).ok()).map(|(sos, ids)| {
            ids.lines().filter(|id| is_scope_id(id)).for_each(|id| sos.inherit(id));
        });
        let status = taken.map_or(StatusCode::BAD_REQUEST, |()| StatusCode::NO_CONTENT);
        async move { Answer::status(status) }
    });
}

/// Waits until something holds; false if it does not in time.
async fn by(deadline: Instant, holds: impl Fn() -> bool) -> bool {
    while !holds() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK).await;
    }
    true
}
