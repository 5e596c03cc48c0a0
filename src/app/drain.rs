//! Sends the clients of this node away, so that the others take them over in an even stream.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::drain::spread;
use crate::engineio::{CloseReason, Engine};
use crate::socketio::SocketIo;

/// How long what follows a closed connection may take: the scripts that note the loss.
const AFTERMATH: Duration = Duration::from_secs(2);

pub struct Plan {
    /// How long the balancer may take to notice.
    pub delay: Duration,
    /// Over how long the sessions are closed.
    pub over: Duration,
}

/// Goes on accepting for a while, then refuses handshakes and closes every session in its turn. Ends early when none is left.
pub async fn drain(engine: &Arc<Engine>, io: &SocketIo, plan: Plan) {
    sleep(plan.delay).await;
    engine.refuse_new_sessions();
    let sessions = engine.all();
    let had_clients = !sessions.is_empty();
    let start = Instant::now();
    let turns = spread(sessions.len(), plan.over, &mut rand::rng());
    for (session, at) in sessions.into_iter().zip(turns) {
        sleep_until(start + at).await;
        session.close(CloseReason::GoingAway);
        if engine.sessions() == 0 {
            break;
        }
    }
    // A handshake that was under way when the list was made.
    for session in engine.all() {
        session.close(CloseReason::GoingAway);
    }
    if had_clients {
        let deadline = Instant::now() + AFTERMATH;
        while io.sockets() > 0 && Instant::now() < deadline {
            sleep(Duration::from_millis(20)).await;
        }
        // Close frames go out and losses are written by tasks of their own.
        sleep(AFTERMATH / 4).await;
    }
}
