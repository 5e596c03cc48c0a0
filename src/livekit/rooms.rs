//! Rooms that nothing needs any more. LiveKit cannot revoke a token, and it makes a deleted room again when a participant joins. So a
//! room is deleted when what it was for has ended, and again each time that somebody comes back with an old token: a webhook
//! tells of it, and where none comes, a sweep finds it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{LiveKit, RoomEvent, RoomListener};
use crate::core::error::chain;
use crate::telemetry::once_a_minute;

/// How long the deletion of a room may take, all tries together.
const PATIENCE: Duration = Duration::from_secs(10);

/// A part of the hub whose rooms are at LiveKit.
pub trait RoomOwner: Send + Sync + 'static {
    /// Whether a room with this name is one of its own.
    fn owns(&self, room: &str) -> bool;

    /// Whether something needs a room of its own. `None`: that cannot be known now, and the room stays until the next sweep.
    fn needs<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Option<bool>>;
}

/// Deletes rooms of one owner when somebody comes back to them.
pub struct Watch<O> {
    pub livekit: LiveKit,
    pub owner: Arc<O>,
}

impl<O: RoomOwner> RoomListener for Watch<O> {
    fn on_room_event<'a>(&'a self, event: &'a RoomEvent) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some(room) = event.room.as_deref() else { return };
            if matches!(&*event.event, "room_started" | "participant_joined") {
                self.livekit.delete_unneeded(&*self.owner, room).await;
            }
        })
    }
}

impl LiveKit {
    /// Deletes a room, and disconnects its participants. True if it is gone, also if it was not there. A failure is only logged:
    /// the next sweep finds the room.
    pub async fn clear_room(&self, room: &str, deadline: Instant) -> bool {
        let deleted = self.delete_room(room, deadline).await;
        if let Err(error) = &deleted {
            once_a_minute!(warn, "the room is left to the sweep", room, error = chain(error));
        }
        deleted.is_ok()
    }

    /// Deletes a room of this owner that nothing needs. True if it was deleted.
    pub async fn delete_unneeded(&self, owner: &impl RoomOwner, room: &str) -> bool {
        if !owner.owns(room) || owner.needs(room).await != Some(false) {
            return false;
        }
        tracing::info!(room, "a room that nothing needs is deleted");
        self.clear_room(room, Instant::now() + PATIENCE).await
    }

    /// The rooms of this owner that are there now; none if LiveKit does not answer.
    pub async fn rooms_of_owner(&self, owner: &impl RoomOwner, deadline: Instant) -> Vec<String> {
        match self.list_rooms(deadline).await {
            Ok(rooms) => rooms.into_iter().map(|room| room.name).filter(|room| owner.owns(room)).collect(),
            Err(error) => {
                once_a_minute!(warn, "no sweep of rooms without LiveKit", error = chain(&error));
                Vec::new()
            }
        }
    }
}
