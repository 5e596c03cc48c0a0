//! Rooms of sessions at LiveKit: what its webhooks tell of them, and those that must go.
//!
//! A webhook may be lost, come twice, or come late. So it never decides alone that a session is over, but for the end of the very
//! room that the session's last join was into; and it is never asked how many are there.

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::rules::Reason;
use super::scripts::{If, Joined, read, realtime_join, text};
use super::{DELETION, Realtime, keys, names};
use crate::core::error::chain;
use crate::livekit::rooms::RoomOwner;
use crate::livekit::{RoomEvent, RoomListener};
use crate::redis::{RedisError, cmd};

impl RoomListener for Realtime {
    fn on_room_event<'a>(&'a self, event: &'a RoomEvent) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Some(room) = event.room.as_deref().filter(|room| names::is_room(room)) else { return };
            let heard = match &*event.event {
                "participant_joined" => self.joined(room, event).await,
                // By a join, of which we are told too. But the session may be over.
                "room_started" => Ok(false),
                "room_finished" => return self.finished(room, event).await,
                _ => return,
            };
            match heard {
                Ok(true) => {}
                Ok(false) => {
                    self.livekit.delete_unneeded(self, room).await;
                }
                Err(error) => tracing::warn!(room, error = chain(&error), "a join is left to the next poll"),
            }
        })
    }
}

impl RoomOwner for Realtime {
    fn owns(&self, room: &str) -> bool {
        names::is_room(room)
    }

    /// A room with a tombstone must go; so must one whose session is gone, which a node that died in the middle of the removal has
    /// left without one. Of a room that no session ever had we know nothing: it may be another system's.
    fn needs<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async move {
            let needed = async {
                if self.has_tombstone(room).await? {
                    return Ok(Some(false));
                }
                match self.session_of(room).await? {
                    Some(id) => Ok(Some(read(&self.redis, &id).await?.is_some())),
                    None => Ok(None),
                }
            };
            needed.await.unwrap_or_else(|error: RedisError| {
                tracing::warn!(room, error = chain(&error), "it is not known whether a room has a session");
                None
            })
        })
    }
}

impl Realtime {
    /// Somebody has joined a room. False: it has no session.
    async fn joined(&self, room: &str, event: &RoomEvent) -> Result<bool, RedisError> {
        let Some(id) = self.session_of(room).await? else { return Ok(false) };
        let sid = event.room_sid.as_deref().unwrap_or_default();
        match realtime_join(&self.redis, &id, &event.id, sid, event.created_at, self.life_ms()).await? {
            Joined::Gone => return Ok(false),
            Joined::Known => {}
            Joined::Yes => {
                tracing::debug!(session = id, "a realtime session is connected");
                if let Some(session) = read(&self.redis, &id).await? {
                    self.renew(&session).await?;
                }
            }
        }
        Ok(true)
    }

    /// LiveKit has closed a room.
    async fn finished(&self, room: &str, event: &RoomEvent) {
        let ended = async {
            let (Some(id), Some(sid)) = (self.session_of(room).await?, event.room_sid.as_deref()) else { return Ok(()) };
            let Some(session) = read(&self.redis, &id).await? else { return Ok(()) };
            self.remove(&session, If::Room(sid), Reason::Finished).await.map(|_| ())
        };
        if let Err::<_, RedisError>(error) = ended.await {
            tracing::warn!(room, error = chain(&error), "the end of a room is left to the next poll");
        }
    }

    /// Deletes a room. Where LiveKit does not answer, a poll finds the room later.
    pub(super) async fn delete_room(&self, room: &str) {
        self.livekit.clear_room(room, Instant::now() + DELETION).await;
    }

    async fn has_tombstone(&self, room: &str) -> Result<bool, RedisError> {
        let key = keys::gone(room);
        let mut get = cmd("GET");
        get.arg(&key);
        Ok(text(self.redis.command_idempotent(get, &key).await?).is_some())
    }

    async fn session_of(&self, room: &str) -> Result<Option<String>, RedisError> {
        let key = keys::room(room);
        let mut get = cmd("GET");
        get.arg(&key);
        Ok(text(self.redis.command_idempotent(get, &key).await?))
    }
}
