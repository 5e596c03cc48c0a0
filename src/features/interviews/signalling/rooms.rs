//! Candidates at LiveKit whose invite was revoked. They are disconnected when it is revoked, and again when they come back with a
//! token that they were given before: LiveKit cannot take it back. A webhook tells of them; where none comes, the sweep finds them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::Signalling;
use super::end::{MOMENT, PATIENCE};
use crate::core::error::chain;
use crate::features::interviews::rules::{self, CallRole, INVITE_ATTRIBUTE};
use crate::features::interviews::uuid;
use crate::livekit::rooms::Watch;
use crate::livekit::{LiveKit, RoomEvent, RoomListener};
use crate::rooms::pending::until_done;
use crate::store::StoreError;
use crate::telemetry::once_a_minute;

/// How often it is tried to disconnect a candidate, with pauses from the first to the second.
const TRIES: u32 = 6;
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(16));

/// Hears what happens in the rooms of calls.
pub struct Rooms(Watch<Signalling>);

impl Rooms {
    pub fn new(livekit: LiveKit, signalling: Arc<Signalling>) -> Self {
        Self(Watch { livekit, owner: signalling })
    }
}

impl RoomListener for Rooms {
    fn on_room_event<'a>(&'a self, event: &'a RoomEvent) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Watch { livekit, owner } = &self.0;
            self.0.on_room_event(event).await;
            let came = event.participant_identity.clone().zip(event.participant_attributes.get(INVITE_ATTRIBUTE).cloned());
            let room = event.room.as_deref().filter(|room| rules::interview_of_room(room).is_some());
            if let (Some(room), Some(came), "participant_joined") = (room, came, &*event.event) {
                let removed = owner.remove_revoked(livekit, room, &[came]).await;
                if let Err(error) = removed {
                    once_a_minute!(
                        warn,
                        "a candidate whose invite may be revoked is left to the sweep",
                        room,
                        error = chain(&error)
                    );
                }
            }
        })
    }
}

impl Signalling {
    /// Disconnects a candidate at LiveKit, in a task of its own, which tries it again while LiveKit is away. It is waited for a moment,
    /// so that the recruiter who revokes an invite finds the candidate gone.
    pub async fn remove_candidate(&self, interview: Uuid, participant: &str) {
        let Some(livekit) = self.live.interviews.livekit.clone() else { return };
        let (room, identity) = (rules::room_of(interview), rules::identity_of(CallRole::Candidate, participant));
        let task = self.tasks.spawn(async move {
            let is_removed = until_done(TRIES, RETRY, || async { remove(&livekit, &room, &identity).await });
            if !is_removed.await {
                once_a_minute!(warn, "a candidate whose invite was revoked may still be at LiveKit", room);
            }
        });
        let _ = timeout(MOMENT, task).await;
    }

    /// Disconnects those of some participants of a room, each with its invite, whose invite is revoked.
    async fn remove_revoked(&self, livekit: &LiveKit, room: &str, came: &[(String, String)]) -> Result<(), StoreError> {
        let invites: Vec<Uuid> = came.iter().filter_map(|(_, invite)| uuid(invite)).collect();
        let revoked = self.live.interviews.store.revoked_of(&invites).await?;
        for (identity, _) in came.iter().filter(|(_, invite)| uuid(invite).is_some_and(|invite| revoked.contains(&invite))) {
            tracing::info!(room, "a candidate whose invite was revoked is disconnected");
            remove(livekit, room, identity).await;
        }
        Ok(())
    }

    /// The same for all rooms of these interviews, which are there.
    pub(super) async fn sweep_revoked(&self, livekit: &LiveKit, interviews: &[Uuid]) -> Result<(), StoreError> {
        for id in self.live.interviews.store.with_revoked_invites(interviews).await? {
            let room = rules::room_of(id);
            match livekit.participants_with(&room, INVITE_ATTRIBUTE, Instant::now() + PATIENCE).await {
                Ok(came) => self.remove_revoked(livekit, &room, &came).await?,
                Err(error) if error.is_not_found() => {}
                Err(error) => once_a_minute!(warn, "who is in the room of a call is not known", room, error = chain(&error)),
            }
        }
        Ok(())
    }
}

/// True: it is gone, or was not there.
async fn remove(livekit: &LiveKit, room: &str, identity: &str) -> bool {
    let removed = livekit.remove_participant(room, identity, Instant::now() + PATIENCE).await;
    if let Err(error) = &removed {
        tracing::debug!(room, error = chain(error), "a candidate cannot be disconnected at LiveKit");
    }
    removed.is_ok()
}
