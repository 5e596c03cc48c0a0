//! A cold Redis: the table of slots is filled from PostgreSQL. It is done once for all starts that wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;

use super::Bookings;
use super::error::BookingError;
use super::sweep::Held;
use crate::features::bookings::scripts::slots_rebuild;
use crate::telemetry::once_a_minute;

/// How long a start waits for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Lets one rebuild run at a time, and counts those that are done.
#[derive(Debug, Default)]
pub(super) struct Rebuilding {
    turn: Mutex<()>,
    done: AtomicU64,
}

impl Bookings {
    /// Fills the table, unless another start of this node has done so while this one waited.
    ///
    /// # Errors
    /// `Unavailable`: PostgreSQL or Redis is away.
    pub(super) async fn rebuild(&self) -> Result<(), BookingError> {
        let before = self.rebuilding.done.load(Ordering::Acquire);
        let _turn = self.rebuilding.turn.lock().await;
        if self.rebuilding.done.load(Ordering::Acquire) != before {
            return Ok(());
        }
        let held: Vec<_> = self.store.active().await?.iter().map(Held::new).collect();
        let bookings: Vec<_> = held.iter().map(Held::session).collect();
        let filled = slots_rebuild(&self.redis, &bookings).await.map_err(|error| {
            once_a_minute!(warn, "interview sessions: the slots cannot be rebuilt", %error);
            BookingError::Unavailable
        })?;
        if filled {
            tracing::info!(active = held.len(), "interview sessions: Redis was cold; the slots are rebuilt");
        }
        self.rebuilding.done.fetch_add(1, Ordering::Release);
        Ok(())
    }
}
