//! Closes the sessions of this node, spread over a time so that the other nodes take the clients over evenly, and waits for the
//! work that follows.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, sleep_until};

use crate::core::drain::spread;
use crate::engineio::{CloseReason, Engine};

use super::Hub;

/// How long the work that follows on closed connections may take: their records are written, and close frames are sent to
/// clients that may not read them.
const AFTERMATH: Duration = Duration::from_secs(3);
const CHECK: Duration = Duration::from_millis(10);

pub struct Plan {
    /// How long the balancer may take to notice that this node drains.
    pub delay: Duration,
    /// Over how long the sessions are closed.
    pub over: Duration,
}

/// Accepts clients for a while, then refuses handshakes and closes every session in its turn. Ends early when none is left.
pub async fn drain(hub: &Hub, plan: Plan) {
    let engine = &hub.engine;
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
    settle(hub).await;
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

/// Waits until the close frames are sent, the records are written, and memberships and scopes are ended; then hands over to other
/// nodes what is left.
async fn settle(hub: &Hub) {
    let Hub { engine, io, node, running, .. } = hub;
    let unsettled = || running.iter().map(|feature| feature.unsettled()).sum::<usize>();
    let open =
        || [engine.closing_sessions(), io.sockets(), io.leaving(), node.recovery.parking(), node.scopes.count(), unsettled()];
    if !by(Instant::now() + AFTERMATH, || open() == [0; 6]).await {
        let [closing, sockets, leaving, parking, scopes, unsettled] = open();
        tracing::warn!(closing, sockets, leaving, parking, scopes, unsettled, "left undone");
    }
    join_all(running.iter().map(|feature| feature.hand_over())).await;
}

/// Waits until something holds; false if it does not in time.
async fn by(deadline: Instant, holds: impl Fn() -> bool) -> bool {
    while !holds() {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(CHECK).await;
    }
    true
}
