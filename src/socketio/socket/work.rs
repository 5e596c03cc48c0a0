//! Runs the handlers of a socket, one after another.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use super::super::connect_limiter::hold;
use super::super::event_queue::{Job, QueueFull};
use super::super::{Code, Config, Event, EventError, Reply, rates};
use super::Socket;
use crate::engineio::CloseReason;
use crate::protocol::event::Args;
use crate::telemetry::metrics::EVENTS;
use crate::telemetry::once_a_minute;

impl Socket {
    /// Whether none of its handlers runs or waits.
    pub(in crate::socketio) fn is_idle(&self) -> bool {
        self.events.is_idle()
    }

    /// Counts an event for the socket's user, over all of the user's sockets. False: too many.
    pub(in crate::socketio) fn user_may_send(&self, cost: f64) -> bool {
        self.link.user.as_ref().is_none_or(|user| user.take_event(cost))
    }

    pub(in crate::socketio) fn push_event(self: &Arc<Self>, event: Event, config: &Config) {
        match self.events.push_event(event, config) {
            Ok(true) => self.run(config),
            Ok(false) => {}
            Err(QueueFull(event)) => self.refuse_for_rate(&event.name, event.ack_id),
        }
    }

    /// Refuses an event because there are too many. The client is read more slowly for it.
    pub(in crate::socketio) fn refuse_for_rate(&self, event: &str, ack_id: Option<u64>) {
        self.link.session.charge(rates::REFUSAL);
        self.refuse(event, ack_id, &EventError::new(Code::RATE_LIMITED, "too many events"));
    }

    pub(in crate::socketio) fn push(self: &Arc<Self>, job: Job, config: &Config) {
        if self.events.push(job) {
            self.run(config);
        }
    }

    /// Runs the jobs of the event queue. A handler that panics is answered with `INTERNAL`; its socket stays connected.
    fn run(self: &Arc<Self>, config: &Config) {
        let (socket, gate, patience) = (self.clone(), config.gate.clone(), config.gate_patience);
        tokio::spawn(async move {
            while let Some(job) = socket.events.next() {
                if !matches!(job, Job::Disconnected(..)) && !gate.is_open() {
                    if !gate.pass(patience).await {
                        socket.turn_away(job);
                        continue;
                    }
                    // Meanwhile other nodes may have taken over.
                    if !socket.is_connected() {
                        continue;
                    }
                }
                if AssertUnwindSafe(socket.work(job)).catch_unwind().await.is_err() {
                    once_a_minute!(error, "a handler panicked", namespace = socket.link.namespace.name());
                }
            }
        });
    }

    /// Drops the waiting events: this node must not handle them any more.
    pub(in crate::socketio) fn forget_events(&self) {
        self.events.forget_events();
    }

    /// The node may not act, and could not for a while.
    fn turn_away(&self, job: Job) {
        match job {
            Job::Event(event) => {
                let error = EventError::new(Code::UNAVAILABLE, "this node has lost touch with the others");
                self.refuse(&event.name, event.ack_id, &error);
            }
            Job::Arrived(..) | Job::Disconnected(..) => self.link.session.close(CloseReason::TryAgain),
        }
    }

    async fn work(self: &Arc<Self>, job: Job) {
        match job {
            Job::Arrived(arrival, permit) => hold(permit, self.link.namespace.arrived(self.clone(), arrival)).await,
            Job::Disconnected(reason, _leaving) => (self.link.namespace.disconnected)(self.clone(), reason).await,
            Job::Event(event) => {
                let ack_id = event.ack_id;
                let Some((name, handler)) = self.link.namespace.handler(&event.name) else {
                    return self.refuse(&event.name, ack_id, &EventError::new(Code::UNKNOWN_EVENT, "unknown event"));
                };
                let result = AssertUnwindSafe(async { handler(self.clone(), event).await }).catch_unwind().await;
                match result.unwrap_or_else(|_| Err(EventError::new(Code::INTERNAL, "internal error"))) {
                    Ok(reply) => self.reply(ack_id, reply),
                    Err(error) => self.refuse(&name, ack_id, &error),
                }
            }
        }
    }

    fn reply(&self, ack_id: Option<u64>, reply: Reply) {
        metrics::counter!(EVENTS, "outcome" => "ok").increment(1);
        let Some(id) = ack_id else { return };
        let json = match reply {
            Reply::None => return,
            Reply::Ok => r#"[{"ok":true}]"#.into(),
            Reply::Object(object) => format!("[{object}]"),
            Reply::Args(args) => return self.send_ack(id, &args),
        };
        self.send_ack(id, &Args::from_json(json));
    }

    /// Tells the client why its event was refused: in the acknowledgement if it asked for one, else in an `error` event.
    pub fn refuse(&self, event: &str, ack_id: Option<u64>, error: &EventError) {
        metrics::counter!(EVENTS, "outcome" => error.code.0).increment(1);
        match ack_id {
            Some(id) => self.send_ack(id, &Args::from_json(error.ack())),
            None => self.emit_json("error", &error.event(event)),
        }
    }
}
