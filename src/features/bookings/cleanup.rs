//! What follows on the end of a session: its slot is free, and its room is gone. Both are also done by the sweep, so that a
//! failure here only means later.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::Bookings;
use super::store::Ended;
use crate::core::error::chain;
use crate::features::bookings::scripts::slot_release;
use crate::livekit::LiveKit;

/// Bookings whose slots and rooms are cleared at the same time.
const AT_ONCE: usize = 8;
/// For all tries to delete a room.
const PATIENCE: Duration = Duration::from_secs(15);

impl Bookings {
    /// Clears what has ended, in a task of its own; waits for it for a moment, so that who has ended a session may start the
    /// next one at once.
    pub(super) async fn clear(self: &Arc<Self>, ended: Vec<Ended>) {
        if ended.is_empty() {
            return;
        }
        let bookings = self.clone();
        self.finish(async move {
            let bookings = &bookings;
            stream::iter(ended).for_each_concurrent(AT_ONCE, |ended| async move { bookings.clear_one(&ended).await }).await;
        })
        .await;
    }

    async fn clear_one(&self, ended: &Ended) {
        // In any case: an id that a row has is never reserved again.
        if let Err(error) = slot_release(&self.redis, &ended.id, &ended.user_id.to_string(), None).await {
            tracing::warn!(session = ended.id, %error, "the slot is left to the sweep");
        }
        if let Some(livekit) = &self.livekit {
            delete_room(livekit, &ended.room, Instant::now() + PATIENCE).await;
        }
    }
}

/// Deletes a room; true if it is gone. One that is not there is as good.
pub(super) async fn delete_room(livekit: &LiveKit, room: &str, deadline: Instant) -> bool {
    let deleted = livekit.delete_room(room, deadline).await;
    if let Err(error) = &deleted {
        tracing::warn!(room, error = chain(error), "the room is left to the sweep");
    }
    deleted.is_ok()
}
