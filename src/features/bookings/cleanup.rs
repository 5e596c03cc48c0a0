//! After the end of a session: its slot is released, and its room is deleted. The sweep does both as well, so a failure here
//! only means that it happens later.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::Bookings;
use super::store::Ended;
use crate::features::bookings::scripts::slot_release;
use crate::telemetry::once_a_minute;

/// Sessions whose slots and rooms are cleared at the same time.
const AT_ONCE: usize = 8;
/// For all tries to delete a room.
const PATIENCE: Duration = Duration::from_secs(15);

impl Bookings {
    /// Clears the sessions that have ended, in a task of its own. It is waited for a moment, so that a user who has ended a
    /// session can start the next one at once.
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
        // Whatever it holds: an id that has a row is never reserved again.
        if let Err(error) = slot_release(&self.redis, &ended.id, &ended.user_id.to_string(), None).await {
            once_a_minute!(warn, "the slot is left to the sweep", session = ended.id, %error);
        }
        if let Some(livekit) = &self.livekit {
            livekit.clear_room(&ended.room, Instant::now() + PATIENCE).await;
        }
    }
}
