//! Realtime sessions (contract § 6): a token for a LiveKit room of one's own, and whether somebody has joined it.
//!
//! ```text
//!  POST ─► hash, indexes ─► 201 with a token          nothing is asked of LiveKit
//!            │
//!   created ─┴─ a webhook or a poll sees a join ─► connected ─┐
//!      │ nobody comes: stale                                  │ everybody has left
//!      └──────────────► removed: hash, tombstone, indexes ◄───┴─ room ◄── DELETE
//! ```
//!
//! Webhooks make it quick, polling ([`poll`]) repairs what they lose. LiveKit cannot take a token back, so a room whose session is
//! gone has a tombstone until the token expires, and is deleted each time that it shows up. A room without one that its user is in
//! has a session: where Redis has lost it, it is made again, under the same id ([`rooms`]).

pub mod auth;
mod docs;
pub mod error;
pub mod feature;
pub mod keys;
mod metrics;
mod names;
mod poll;
mod read;
mod rooms;
pub mod routes;
mod rules;
pub mod scripts;
pub mod settings;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::error::RealtimeError;
use self::metrics::{CREATED, REMOVED};
use self::names::Names;
use self::rules::Reason;
use self::scripts::{If, Session, realtime_create, realtime_index, realtime_remove};
use self::settings::Settings;
use self::wire::{ClientSecret, CreatedSession, DeletedObject, DeletedSession, SessionObject};
use crate::core::clock::now_seconds;
use crate::livekit::{Grant, LiveKit};
use crate::redis::{Redis, RedisError, cmd};

/// How long the answer to DELETE waits for the room's deletion. After that it goes out first.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How long the deletion of a room may take, all tries together. After that a poll finds the room.
const DELETION: Duration = Duration::from_secs(10);
/// A tombstone outlasts every token by so much: LiveKit takes one for a minute longer, and its clock may be off by as much.
const SKEW_SECONDS: u64 = 120;
/// LiveKit gives whoever is in a room new tokens. They last so long at least, also where the first one expires earlier.
const REFRESHED_SECONDS: u64 = 600;

/// What the feature stands on.
struct Parts {
    redis: Redis,
    livekit: LiveKit,
    settings: Settings,
    names: Names,
    node: Box<str>,
}

/// Realtime sessions: what users may do with them. A node keeps none of them in memory.
pub struct Realtime {
    redis: Redis,
    livekit: LiveKit,
    settings: Settings,
    names: Names,
    /// The name of this node, for the lease of the poller.
    node: Box<str>,
    /// Rooms that are being deleted.
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Realtime {
    fn new(parts: Parts) -> Arc<Self> {
        let Parts { redis, livekit, settings, names, node } = parts;
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        Arc::new(Self { redis, livekit, settings, names, node, tasks, stopping })
    }

    /// Makes a session, and a token that opens its room. The room is made by whoever joins first.
    ///
    /// # Errors
    /// `TooMany`, `Unavailable`, `Internal`.
    pub async fn create(&self, user: &str) -> Result<CreatedSession, RealtimeError> {
        let room = self.names.new_room(user);
        let id = self.names.session_of(&room);
        let expires_at = now_seconds() + self.livekit.token_ttl().as_secs();
        let value = self.livekit.token(&Grant {
            room: &room,
            identity: user,
            name: None,
            attributes: &[],
            can_publish: true,
            can_subscribe: true,
            can_publish_data: Some(true),
            expires_at,
            agents: &[],
        })?;
        if !self.may_have_one_more(user).await? {
            return Err(self.too_many());
        }
        if !self.put(&id, user, &room, expires_at, self.settings.per_user).await? {
            // Others of the same user were made at the same moment. Nobody has this one's token.
            realtime_remove(&self.redis, &id, If::Any).await?;
            return Err(self.too_many());
        }
        ::metrics::counter!(CREATED).increment(1);
        let client_secret = ClientSecret { value, expires_at };
        let (ws_url, user_id) = (self.livekit.ws_url().into(), user.into());
        Ok(CreatedSession { id, object: SessionObject::Session, client_secret, ws_url, room_id: room, user_id })
    }

    /// Writes a session that nobody has joined, and what leads to it: the hash first, since an index entry without one would be
    /// dropped by its reader. False: the user has as many as that.
    async fn put(&self, id: &str, user: &str, room: &str, expires_at: u64, most: u32) -> Result<bool, RedisError> {
        let life_ms = self.life_ms();
        let created_ms = realtime_create(&self.redis, id, user, room, expires_at, life_ms).await?;
        tokio::try_join!(self.put_room(room, id, life_ms), self.put_in_all(id, created_ms))?;
        realtime_index(&self.redis, user, id, created_ms, most, life_ms).await
    }

    /// Removes a session of this user, and then its room. The room may be there for a while if LiveKit does not answer.
    ///
    /// # Errors
    /// `NotFound` if it is missing or another user's, `Unavailable`.
    pub async fn delete(self: &Arc<Self>, user: &str, id: &str) -> Result<DeletedSession, RealtimeError> {
        let session = self.own(user, id).await?;
        // Before the session is gone: else who sees its room meanwhile would make it again.
        self.put_tombstone(&session.room, session.expires_at).await?;
        self.remove(&session, If::Any, Reason::Asked).await?;
        let (realtime, room) = (self.clone(), session.room);
        let deletion = self.tasks.spawn(async move { realtime.delete_room(&room).await });
        let _ = tokio::time::timeout(AFTERMATH, deletion).await;
        Ok(DeletedSession { id: session.id, object: DeletedObject::Deleted, deleted: true })
    }

    /// Removes a session if it still is as it was judged, writes the tombstone of its room, and removes what led to it. False: it
    /// is not, and nothing was done. Safe to repeat, also where a try broke off in the middle.
    async fn remove(&self, session: &Session, only: If<'_>, reason: Reason) -> Result<bool, RedisError> {
        if !realtime_remove(&self.redis, &session.id, only).await? {
            return Ok(false);
        }
        self.put_tombstone(&session.room, session.expires_at).await?;
        let (of_user, room) = (keys::of_user(&session.user), keys::room(&session.room));
        let take = |key: &str| {
            let mut take = cmd("ZREM");
            take.arg(key).arg(&session.id);
            take
        };
        let mut forget = cmd("DEL");
        forget.arg(&room);
        tokio::try_join!(
            self.redis.command_idempotent(take(&of_user), &of_user),
            self.redis.command_idempotent(take(keys::ALL), keys::ALL),
            self.redis.command_idempotent(forget, &room),
        )?;
        ::metrics::counter!(REMOVED, "reason" => reason.as_str()).increment(1);
        tracing::debug!(session = session.id, reason = reason.as_str(), "a realtime session was removed");
        Ok(true)
    }

    async fn put_tombstone(&self, room: &str, token_expires_at: u64) -> Result<(), RedisError> {
        let key = keys::gone(room);
        let lasts = token_expires_at.saturating_sub(now_seconds()).max(REFRESHED_SECONDS) + SKEW_SECONDS;
        let mut put = cmd("SET");
        put.arg(&key).arg(1).arg("EX").arg(lasts);
        self.redis.command_idempotent(put, &key).await.map(|_| ())
    }

    async fn put_room(&self, room: &str, id: &str, life_ms: u64) -> Result<(), RedisError> {
        let key = keys::room(room);
        let mut put = cmd("SET");
        put.arg(&key).arg(id).arg("PX").arg(life_ms);
        self.redis.command_idempotent(put, &key).await.map(|_| ())
    }

    async fn put_in_all(&self, id: &str, created_ms: u64) -> Result<(), RedisError> {
        let mut put = cmd("ZADD");
        put.arg(keys::ALL).arg(created_ms).arg(id);
        self.redis.command_idempotent(put, keys::ALL).await.map(|_| ())
    }

    /// A session lives on: what leads to it must not expire before it.
    async fn renew(&self, session: &Session) -> Result<(), RedisError> {
        for key in [keys::room(&session.room), keys::of_user(&session.user)] {
            let mut renew = cmd("PEXPIRE");
            renew.arg(&key).arg(self.life_ms());
            self.redis.command_idempotent(renew, &key).await?;
        }
        Ok(())
    }

    fn too_many(&self) -> RealtimeError {
        RealtimeError::TooMany { most: self.settings.per_user }
    }

    /// How long a session is kept after its last change.
    fn life_ms(&self) -> u64 {
        u64::try_from(self.livekit.token_ttl().as_millis()).unwrap_or(u64::MAX / 8) * 2
    }
}
