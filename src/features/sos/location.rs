//! Positions: stored on arrival, broadcast at most once a second per user and SOS. The pending fix is in Redis. The newest is sent
//! when the window ends, by a timer of this node or by the sweep of another, whichever comes first.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::features::sos::scripts::location::{FLUSH_MOST, Fix, Intake, Placed, sos_batch, sos_flush, sos_location};
use crate::socketio::{Event, EventError, Reply, Socket};

use super::Sos;
use super::caller::{actor, caller};
use super::error::{INVALID_LOCATION, SosError};
use super::payload;
use super::wire::acks;
use crate::rooms::coalesce::Windows;

/// A client that sends once a second is sometimes a little early. Its fix would be stored now, and sent by a second call when the
/// window ends. To wait until then needs one call, and the broadcast is not later.
const EARLY: Duration = Duration::from_millis(50);
/// How often, and after which waits, a flush that fails is tried again; after that the sweep does it.
const FLUSH_TRIES: u32 = 6;
const FLUSH_RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Windows of a user's positions in an SOS; without a user, of everybody's.
pub type Flushes = Windows<Arc<(Box<str>, Option<Box<str>>)>>;

pub fn flushes() -> Flushes {
    Windows::new(FLUSH_TRIES, FLUSH_RETRY)
}

impl Sos {
    pub(super) async fn location_update(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
        let asked = self.ask(&socket, &event)?;
        let update = payload::location(&asked.fields).map_err(|error| asked.named(error))?;
        let fix = Fix::from(&update);
        self.permit(&socket, &asked, "location:update").await?;
        let (sos, claims) = (&asked.sos, &asked.claims);
        let caller = caller(&socket);
        let left = caller.and_then(|caller| caller.window.left(sos)).filter(|left| *left <= EARLY);
        if let Some(left) = left {
            tokio::time::sleep(left).await;
        }
        let located = self
            .attempt(&socket, &asked, || async {
                let op = self.scopes.next_op();
                let op = self.op(&op, &asked.client_message_id);
                sos_location(self.redis(), sos, op, actor(claims, sos, socket.id()), self.intake(&socket), &fix).await
            })
            .await?;
        self.after(sos, &located.written);
        let mut answer = acks::Located { duplicate: located.written.duplicate, ..acks::Located::default() };
        match located.placed {
            Placed::Coalesced { flush_in_ms } => {
                self.flush_in(sos, Some(&claims.user_id), Duration::from_millis(flush_in_ms));
                answer.coalesced = true;
            }
            Placed::Published => {
                if let Some(caller) = caller {
                    caller.window.until(sos, Instant::now() + self.config.throttle);
                }
            }
            Placed::Old => answer.old = true,
        }
        Ok(Reply::accepted(answer))
    }

    pub(super) async fn location_batch(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
        let asked = self.ask(&socket, &event)?;
        let batch = payload::batch(&asked.fields).map_err(|error| asked.named(error))?;
        let points = payload::points(&batch);
        self.permit(&socket, &asked, "location:batch").await?;
        let (sos, claims) = (&asked.sos, &asked.claims);
        let batched = self
            .attempt(&socket, &asked, || async {
                let op = self.scopes.next_op();
                let op = self.op(&op, &asked.client_message_id);
                sos_batch(self.redis(), sos, op, actor(claims, sos, socket.id()), self.intake(&socket), &points.fixes).await
            })
            .await?;
        self.after(sos, &batched.written);
        if let Some(flush_in_ms) = batched.flush_in_ms {
            self.flush_in(sos, Some(&claims.user_id), Duration::from_millis(flush_in_ms));
        }
        let rejected = points.rejected.iter().map(|&index| acks::Rejected { index, code: INVALID_LOCATION.0 }).collect();
        Ok(Reply::accepted(acks::Batch {
            accepted: batched.accepted,
            duplicates: batched.duplicates,
            rejected,
            duplicate: batched.written.duplicate,
        }))
    }

    /// How this socket's fixes are taken in.
    fn intake<'a>(&self, socket: &'a Socket) -> Intake<'a> {
        let connection = if socket.pid().is_empty() { socket.id() } else { socket.pid() };
        Intake { throttle_ms: self.throttle_ms(), connection, devices: self.config.devices }
    }

    pub(super) fn throttle_ms(&self) -> u64 {
        self.config.throttle.as_millis() as u64
    }

    /// Sends all fixes that are due, in several calls if there are many, and sets a timer for the next.
    pub(super) async fn flush_due(self: &Arc<Self>, sos: &str) -> Result<(), SosError> {
        loop {
            let op = self.scopes.next_op();
            let flushed = sos_flush(self.redis(), sos, self.op(&op, ""), self.throttle_ms(), None).await?;
            self.after(sos, &flushed.written);
            if flushed.sent < FLUSH_MOST {
                if let Some(next) = flushed.next_ms {
                    self.flush_in(sos, None, Duration::from_millis(next));
                }
                return Ok(());
            }
        }
    }

    /// Sends a user's pending fix when its window ends: one timer for each user and SOS on this node. `None`: everybody's.
    pub(super) fn flush_in(self: &Arc<Self>, sos: &str, user: Option<&str>, wait: Duration) {
        let weak = Arc::downgrade(self);
        self.flushes.end_in(Arc::new((sos.into(), user.map(Box::from))), wait, move |window| {
            let feature = weak.upgrade();
            async move {
                match feature {
                    Some(feature) => feature.flush(&window.0, window.1.as_deref()).await,
                    None => true,
                }
            }
        });
    }

    /// True if that was done.
    async fn flush(self: &Arc<Self>, sos: &str, user: Option<&str>) -> bool {
        let op = self.scopes.next_op();
        match sos_flush(self.redis(), sos, self.op(&op, ""), self.throttle_ms(), user).await {
            Ok(flushed) => {
                self.after(sos, &flushed.written);
                if let Some(next) = flushed.next_ms {
                    self.flush_in(sos, user, Duration::from_millis(next));
                }
                true
            }
            Err(error) => {
                tracing::debug!(sos, %error, "a pending location cannot be sent yet");
                false
            }
        }
    }
}
