//! The durable timers of this feature: what it does later, on any node.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::features::sos::scripts::FirstTimers;
use crate::rooms::timers::{Due, Fired, OnDue};
use crate::socketio::BoxFuture;

use super::Sos;
use super::kinds::{self, scope};

/// A member's connection was lost; the grace may be over.
pub const OFFLINE: &str = "offline";
/// The SOS should have been acknowledged by now.
pub const ACK: &str = "ack";
/// A provisional SOS is looked up again.
pub const LOOKUP: &str = "lookup";

/// What the timers call. It holds the feature weakly, so that it does not keep it alive.
struct Handler(Weak<Sos>);

impl OnDue for Handler {
    fn on_due(&self, due: Due) -> BoxFuture<Fired> {
        let feature = self.0.upgrade();
        Box::pin(async move {
            let Some(feature) = feature else { return Fired::Failed };
            let sos = &*due.scope.id;
            let next = match due.timer {
                OFFLINE => feature.announce_lost(sos).await,
                ACK => feature.check_acknowledgement(sos).await,
                _ => feature.look_up_again(sos).await,
            };
            match next {
                Ok(None) => Fired::Done,
                Ok(Some(wait)) => Fired::Again(wait),
                Err(error) => {
                    tracing::debug!(sos, timer = due.timer, %error, "a timer's work cannot be done yet");
                    Fired::Failed
                }
            }
        })
    }
}

impl Sos {
    /// Registers what is called when a timer of an SOS is due.
    pub(super) fn handle_timers(self: &Arc<Self>) {
        for timer in [OFFLINE, ACK, LOOKUP] {
            self.timers.on(kinds::SOS, timer, Arc::new(Handler(Arc::downgrade(self))));
        }
    }

    /// The timers of an SOS that is made.
    pub(super) fn first_timers(&self) -> FirstTimers {
        let lookup = self.ports.service.is_configured().then_some(self.config.lookup_every);
        FirstTimers { ack: self.config.ack_after, lookup }
    }

    /// Writes the hints of the timers that an SOS may get in a moment.
    pub(super) async fn expect_timers(&self, sos: &str) {
        let FirstTimers { ack, lookup } = self.first_timers();
        self.timers.expect(&scope(sos), lookup.map_or(ack, |lookup| lookup.min(ack))).await;
    }

    /// A script has set a timer of an SOS.
    pub(super) fn timer_set(&self, sos: &str, due_in: Option<Duration>) {
        self.timers.set(&scope(sos), due_in);
    }
}
