//! Rooms of sessions at LiveKit: what its webhooks tell of them, and those that must go.
//!
//! A webhook may be lost, come twice, or come late. So it never decides alone that a session is over, but for the end of the very
//! room that the session's last join was into; and it is never asked how many are there.

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::metrics::RESTORED;
use super::rules::Reason;
use super::scripts::{If, Joined, read, realtime_join, realtime_seen, text};
use super::{DELETION, Realtime, keys, names};
use crate::core::clock::now_seconds;
use crate::core::error::chain;
use crate::livekit::rooms::RoomOwner;
use crate::livekit::{Room, RoomEvent, RoomListener};
use crate::redis::{RedisError, cmd};
use crate::telemetry::once_a_minute;

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
                Err(error) => once_a_minute!(warn, "a join is left to the next poll", room, error = chain(&error)),
            }
        })
    }
}

impl RoomOwner for Realtime {
    fn owns(&self, room: &str) -> bool {
        names::is_room(room)
    }

    /// A room with a tombstone must go. `None`: it may be another hub's, or one whose session Redis has lost.
    fn needs<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async move {
            self.standing(room).await.map_or_else(
                |error| {
                    once_a_minute!(warn, "it is not known whether a room has a session", room, error = chain(&error));
                    None
                },
                |standing| match standing {
                    Standing::Gone => Some(false),
                    Standing::Of(_) => Some(true),
                    Standing::Unknown => None,
                },
            )
        })
    }
}

/// What Redis knows of a room.
enum Standing {
    /// Its session was removed.
    Gone,
    /// It has this session.
    Of(String),
    Unknown,
}

impl Realtime {
    /// Somebody has joined a room. False: it has no session.
    async fn joined(&self, room: &str, event: &RoomEvent) -> Result<bool, RedisError> {
        let id = match self.standing(room).await? {
            Standing::Of(id) => id,
            Standing::Gone => return Ok(false),
            Standing::Unknown => match event.participant_identity.as_deref() {
                Some(user) if self.names.is_of(room, user) => match self.restored(room, user).await? {
                    Some(id) => id,
                    None => return Ok(false),
                },
                _ => return Ok(false),
            },
        };
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

    /// A room that a poll has found, though no session leads to it. It is deleted if it must go; if its user is in it, its session
    /// is made again.
    pub(super) async fn found(&self, room: &Room) -> Result<(), RedisError> {
        match self.standing(&room.name).await? {
            Standing::Gone => {
                tracing::info!(room = room.name, "a room whose session was removed is deleted");
                self.delete_room(&room.name).await;
            }
            Standing::Of(_) => {}
            Standing::Unknown if room.participants == 0 || !self.names.is_ours(&room.name) => {}
            Standing::Unknown => {
                // Without an answer it is found again.
                let there = self.livekit.participants(&room.name, Instant::now() + DELETION).await.unwrap_or_default();
                let Some(user) = there.iter().find(|user| self.names.is_of(&room.name, user)) else { return Ok(()) };
                let Some(id) = self.restored(&room.name, user).await? else { return Ok(()) };
                if let Some(session) = read(&self.redis, &id).await? {
                    realtime_seen(&self.redis, &id, session.rev, self.life_ms()).await?;
                }
            }
        }
        Ok(())
    }

    /// Makes a session again that Redis has lost; says which. Its token expires no later than one that is made now. `None`: it was
    /// not lost, it was being removed.
    async fn restored(&self, room: &str, user: &str) -> Result<Option<String>, RedisError> {
        let id = self.names.session_of(room);
        let expires_at = now_seconds() + self.livekit.token_ttl().as_secs();
        self.put(&id, user, room, expires_at, u32::MAX).await?;
        if self.has_tombstone(room).await? {
            if let Some(session) = read(&self.redis, &id).await? {
                self.remove(&session, If::Any, Reason::Asked).await?;
            }
            return Ok(None);
        }
        ::metrics::counter!(RESTORED).increment(1);
        tracing::info!(session = id, room, "Redis has lost a realtime session that somebody is in: it is made again");
        Ok(Some(id))
    }

    /// LiveKit has closed a room.
    async fn finished(&self, room: &str, event: &RoomEvent) {
        let ended = async {
            let (Some(id), Some(sid)) = (self.session_of(room).await?, event.room_sid.as_deref()) else { return Ok(()) };
            let Some(session) = read(&self.redis, &id).await? else { return Ok(()) };
            self.remove(&session, If::Room(sid), Reason::Finished).await.map(|_| ())
        };
        if let Err::<_, RedisError>(error) = ended.await {
            once_a_minute!(warn, "the end of a room is left to the next poll", room, error = chain(&error));
        }
    }

    /// Deletes a room. Where LiveKit does not answer, a poll finds the room later.
    pub(super) async fn delete_room(&self, room: &str) {
        self.livekit.clear_room(room, Instant::now() + DELETION).await;
    }

    /// The tombstone is looked for last: where a session is being removed meanwhile, it is there before what leads to the session
    /// is gone.
    async fn standing(&self, room: &str) -> Result<Standing, RedisError> {
        let id = self.session_of(room).await?;
        if self.has_tombstone(room).await? {
            return Ok(Standing::Gone);
        }
        let Some(id) = id else { return Ok(Standing::Unknown) };
        Ok(if read(&self.redis, &id).await?.is_some() { Standing::Of(id) } else { Standing::Unknown })
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
