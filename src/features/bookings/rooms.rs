//! Rooms without a session. LiveKit cannot revoke a token, and it makes a deleted room again when a participant joins. So the
//! room is deleted each time that a participant comes back with the token of a session that is over.

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::Bookings;
use super::cleanup::delete_room;
use super::store::Status;
use crate::core::error::chain;
use crate::features::bookings::scripts::slots_list;
use crate::livekit::{RoomEvent, RoomListener};
use crate::store::StoreError;

/// How long the deletion of a room may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

impl Bookings {
    /// Deletes a room of ours, unless it has an active session whose time is not over, or a start is making it now. True if
    /// it was deleted. If it is not known whether the room has a session, it stays until the next sweep.
    pub(super) async fn delete_if_orphan(&self, room: &str) -> bool {
        let (Some(livekit), Some(session)) = (&self.livekit, self.names.session_of(room)) else { return false };
        match self.is_wanted(session).await {
            Some(false) => {
                tracing::info!(room, "a room without a session is deleted");
                delete_room(livekit, room, Instant::now() + PATIENCE).await
            }
            Some(true) | None => false,
        }
    }

    /// Whether a session or a start needs the room; `None`: that cannot be known now. If there is a row, the row decides,
    /// since an id that has a row is never reserved again. Without a row the slot decides: a start reserves it before it
    /// makes the room.
    async fn is_wanted(&self, session: &str) -> Option<bool> {
        let slots = slots_list(&self.redis).await.ok();
        match self.is_active(session).await {
            Ok(Some(is_active)) => Some(is_active),
            Ok(None) => slots.map(|slots| slots.slots.iter().any(|(id, _)| id == session)),
            Err(error) => {
                tracing::warn!(session, error = chain(&error), "it is not known whether a room has a session");
                None
            }
        }
    }

    /// Whether a session is active and its time is not over; `None`: there is no such session.
    async fn is_active(&self, session: &str) -> Result<Option<bool>, StoreError> {
        let rows = self.store.of_ids(&[session.to_owned()]).await?;
        let Some((_, user, status)) = rows.into_iter().next() else { return Ok(None) };
        if status != Status::Active {
            return Ok(Some(false));
        }
        let standing = self.store.standing(user).await?;
        Ok(Some(standing.active.iter().any(|active| active.id == session)))
    }
}

impl RoomListener for Bookings {
    fn on_room_event<'a>(&'a self, event: &'a RoomEvent) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some(room) = event.room.as_deref() else { return };
            if matches!(&*event.event, "room_started" | "participant_joined") && self.readiness.may_ask().is_ok() {
                self.delete_if_orphan(room).await;
            }
        })
    }
}
