//! The durable timer of an interview that has something to do: whichever node finds it due conducts the interview, unless another
//! one does.

use std::sync::{Arc, Weak};
use std::time::Duration;

use uuid::Uuid;

use super::Conductor;
use crate::features::interviews::kinds;
use crate::features::interviews::live::Live;
use crate::features::interviews::scripts::{WORK, session_rest};
use crate::rooms::timers::{Due, Fired, OnDue};
use crate::socketio::BoxFuture;

/// As long as something is left to do, some node looks this often.
const AGAIN: Duration = Duration::from_secs(10);

/// Events that come within this are stored together.
const GATHER: Duration = Duration::from_millis(500);

/// Handed to the timers; it must not keep the conductor alive.
struct Handler {
    conductor: Weak<Conductor>,
    live: Weak<Live>,
}

impl OnDue for Handler {
    fn on_due(&self, due: Due) -> BoxFuture<Fired> {
        let (conductor, live) = (self.conductor.upgrade(), self.live.upgrade());
        Box::pin(async move {
            let (Some(conductor), Some(live)) = (conductor, live) else { return Fired::Failed };
            let Some(id) = kinds::interview_of(&due.scope) else { return Fired::Done };
            let op = live.scopes.next_op();
            let Ok(rest) = session_rest(live.redis(), id, live.op(&op), AGAIN).await else { return Fired::Failed };
            if !rest.idle {
                conductor.noticed(id);
                conductor.wake(id);
            }
            rest.due_in.map_or(Fired::Done, Fired::Again)
        })
    }
}

impl Conductor {
    /// Something was noticed about the candidate: it is stored soon, together with what follows at once. What fails is left to the
    /// timer.
    pub fn noticed(self: &Arc<Self>, id: Uuid) {
        if !self.noticed.add(id) {
            return;
        }
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(GATHER).await;
            let Some(conductor) = weak.upgrade() else { return };
            conductor.noticed.take(&id);
            if conductor.state.store_noticed(id).await.is_ok() {
                // The trust has changed.
                conductor.wake(id);
            }
        });
    }

    /// Registers what is called when there is something to do. Before the timers start.
    pub fn handle_timer(self: &Arc<Self>, live: &Arc<Live>) {
        let handler = Handler { conductor: Arc::downgrade(self), live: Arc::downgrade(live) };
        live.timers.on(kinds::INTERVIEW, WORK, Arc::new(handler));
    }
}
