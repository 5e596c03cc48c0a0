//! Takes back what a start has made if it did not reach its COMMIT: first the room, then the slot.

use std::time::Duration;

use tokio::time::Instant;

use super::Bookings;
use super::start::Slot;
use crate::core::error::chain;
use crate::features::bookings::scripts::slot_release;
use crate::telemetry::once_a_minute;

/// How long the deletion of its room may take.
const PATIENCE: Duration = Duration::from_secs(5);

impl Bookings {
    /// The slot goes last. As long as it is held no other start gets this id, so the room that is deleted is ours.
    pub(super) async fn undo(&self, slot: &Slot) {
        if slot.has_room() {
            self.undo_room(slot).await;
        }
        if let Err(error) = slot_release(&self.redis, &slot.id, &slot.user, Some(slot.until_ms)).await {
            once_a_minute!(warn, "the slot of an undone start stays until its lease ends", session = slot.id, %error);
        }
    }

    async fn undo_room(&self, slot: &Slot) {
        let Some(livekit) = &self.livekit else { return };
        match self.store.id_is_free(&slot.id, &slot.room).await {
            // After the lease another start may have the id, and the room with it.
            Ok(true) if Instant::now() < slot.lease_ends => {
                livekit.clear_room(&slot.room, slot.lease_ends.min(Instant::now() + PATIENCE)).await;
            }
            Ok(true) => {
                once_a_minute!(warn, "the room of an undone start is left to the sweep: its lease has ended", room = slot.room)
            }
            // Another start has this name: the room belongs to that start.
            Ok(false) => {}
            Err(error) => {
                once_a_minute!(warn, "the room of an undone start is left to the sweep", room = slot.room, error = chain(&error));
            }
        }
    }
}
