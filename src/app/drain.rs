//! Sends the clients of this node away, so that the others take them over in an even stream, and waits for what follows on that.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::cluster::{Recovery, Scopes};
use crate::drain::spread;
use crate::engineio::{CloseReason, Engine};
use crate::features::sos::Sos;
use crate::socketio::SocketIo;

/// How long what follows on a closed connection may take beyond its known waits: what is written for it, and close frames to
/// clients that do not take them.
const AFTERMATH: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(10);

pub struct Plan {
    /// How long the balancer may take to notice.
    pub delay: Duration,
    /// Over how long the sessions are closed.
    pub over: Duration,
    /// How long a lost connection may stay unannounced: who does not come back anywhere is announced from here.
    pub offline_after: Duration,
}

/// What is drained.
pub struct Drained {
    pub engine: Arc<Engine>,
    pub io: Arc<SocketIo>,
    pub scopes: Arc<Scopes>,
    pub sos: Arc<Sos>,
    pub recovery: Arc<Recovery>,
}

/// Goes on accepting for a while, then refuses handshakes and closes every session in its turn. Ends early when none is left.
pub async fn drain(node: &Drained, plan: Plan) {
    let Drained { engine, .. } = node;
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
    node.settle(Instant::now() + AFTERMATH, Instant::now() + AFTERMATH + plan.offline_after).await;
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
    /// Waits until the clients were told, their memberships ended and the scopes let go (at most until `closed_by`), and until
    /// those who did not come back are announced (until `announced_by`).
    async fn settle(&self, closed_by: Instant, announced_by: Instant) {
        let Self { engine, io, scopes, sos, recovery } = self;
        while engine.farewells() + io.sockets() + io.leaving() + scopes.count() + recovery.parking() > 0
            && Instant::now() < closed_by
        {
            sleep(LOOK).await;
        }
        while sos.losses() > 0 && Instant::now() < announced_by {
            sleep(LOOK).await;
        }
        let open = [engine.farewells(), io.sockets(), io.leaving(), scopes.count(), sos.losses(), recovery.parking()];
        if open.iter().sum::<usize>() > 0 {
            let [farewells, sockets, leaving, scopes, losses, parking] = open;
            tracing::warn!(farewells, sockets, leaving, scopes, losses, parking, "left undone");
        }
    }
}
