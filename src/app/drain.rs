//! Sends the clients of this node away, so that the others take them over in an even stream, and waits for what follows on that.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use crate::cluster::node::Node;
use crate::core::drain::spread;
use crate::engineio::{CloseReason, Engine};
use crate::feature::Running;
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
}

/// What is drained.
pub struct Drained {
    pub engine: Arc<Engine>,
    pub io: Arc<SocketIo>,
    pub node: Arc<Node>,
    pub running: Vec<Arc<dyn Running>>,
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
    drained.settle().await;
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
    /// Waits until the clients were told, what they need to come back is written, their memberships ended and the scopes let
    /// go; then leaves to others what is left.
    async fn settle(&self) {
        let Self { engine, io, node, running } = self;
        let unsettled = || running.iter().map(|feature| feature.unsettled()).sum::<usize>();
        let open =
            || [engine.closing_sessions(), io.sockets(), io.leaving(), node.recovery.parking(), node.scopes.count(), unsettled()];
        if !by(Instant::now() + AFTERMATH, || open() == [0; 6]).await {
            let [closing, sockets, leaving, parking, scopes, unsettled] = open();
            tracing::warn!(closing, sockets, leaving, parking, scopes, unsettled, "left undone");
        }
        join_all(running.iter().map(|feature| feature.hand_over())).await;
    }
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
