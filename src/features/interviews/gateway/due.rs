//! What the gateway does later, on any node that finds that it is time: it looks whether the candidate is gone.

use std::sync::{Arc, Weak};
use std::time::Duration;

use uuid::Uuid;

use super::Gateway;
use crate::features::interviews::kinds;
use crate::features::interviews::scripts::{ABSENT, HEARTBEAT, Missed, candidate_gone};
use crate::redis::RedisError;
use crate::rooms::timers::{Due, Fired, OnDue};
use crate::socketio::BoxFuture;

/// Handed to the timers; it must not keep the gateway alive.
struct Handler(Weak<Gateway>);

impl OnDue for Handler {
    fn on_due(&self, due: Due) -> BoxFuture<Fired> {
        let gateway = self.0.upgrade();
        Box::pin(async move {
            let (Some(gateway), Some(id)) = (gateway, kinds::interview_of(&due.scope)) else { return Fired::Failed };
            let mut next = None::<Duration>;
            for subject in &due.subjects {
                let missed = match (due.timer, subject.as_str()) {
                    (HEARTBEAT, _) => Missed::Heartbeat,
                    (_, "") => Missed::Node,
                    (_, sid) => Missed::Connection(sid),
                };
                match gateway.is_gone(id, missed).await {
                    Ok(again) => next = [next, again].into_iter().flatten().min(),
                    Err(error) => {
                        tracing::debug!(%id, timer = due.timer, %error, "a timer's work cannot be done yet");
                        return Fired::Failed;
                    }
                }
            }
            next.map_or(Fired::Done, Fired::Again)
        })
    }
}

impl Gateway {
    /// Registers what is called when a timer of an interview is due.
    pub(super) fn handle_timers(self: &Arc<Self>) {
        for timer in [ABSENT, HEARTBEAT] {
            self.live.timers.on(kinds::INTERVIEW, timer, Arc::new(Handler(Arc::downgrade(self))));
        }
    }

    /// Pauses the session if the candidate is gone. Returns when to look again.
    async fn is_gone(&self, id: Uuid, missed: Missed<'_>) -> Result<Option<Duration>, RedisError> {
        let (live, op) = (&self.live, self.live.scopes.next_op());
        let went = candidate_gone(live.redis(), id, live.op(&op), missed, live.config.leave_grace).await?;
        live.written(&kinds::interview(id), &went.told);
        Ok(went.due_in)
    }
}
