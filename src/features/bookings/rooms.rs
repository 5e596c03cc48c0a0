//! Rooms of sessions: which of them a session or a start needs. The others are deleted, by webhook and by the sweep.

use futures_util::future::BoxFuture;

use super::Bookings;
use super::store::Status;
use crate::core::error::chain;
use crate::features::bookings::scripts::slots_list;
use crate::livekit::rooms::RoomOwner;
use crate::store::StoreError;
use crate::telemetry::once_a_minute;

impl RoomOwner for Bookings {
    fn owns(&self, room: &str) -> bool {
        self.names.session_of(room).is_some()
    }

    fn needs<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async move {
            self.readiness.may_ask().ok()?;
            self.is_wanted(self.names.session_of(room)?).await
        })
    }
}

impl Bookings {
    /// Whether a session or a start needs the room; `None`: that cannot be known now. If there is a row, the row decides,
    /// since an id that has a row is never reserved again. Without a row the slot decides: a start reserves it before it
    /// makes the room.
    async fn is_wanted(&self, session: &str) -> Option<bool> {
        let slots = slots_list(&self.redis).await.ok();
        match self.is_active(session).await {
            Ok(Some(is_active)) => Some(is_active),
            Ok(None) => slots.map(|slots| slots.slots.iter().any(|(id, _)| id == session)),
            Err(error) => {
                once_a_minute!(warn, "it is not known whether a room has a session", session, error = chain(&error));
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
