//! The end of a call: its LiveKit room is deleted when the interview has ended, and again when somebody comes back with an old
//! token.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Signalling;
use crate::core::error::chain;
use crate::features::interviews::rules;
use crate::livekit::rooms::RoomOwner;
use crate::rooms::rounds;
use crate::store::StoreError;
use crate::telemetry::once_a_minute;

/// The deadline for all tries of a call to LiveKit.
pub(super) const PATIENCE: Duration = Duration::from_secs(15);
/// How long the answer to a request waits for LiveKit.
pub(super) const MOMENT: Duration = Duration::from_secs(1);
/// The number of the sweep among the jobs that run on one node at a time.
const SWEEP: i32 = 2;

impl RoomOwner for Signalling {
    fn owns(&self, room: &str) -> bool {
        rules::interview_of_room(room).is_some()
    }

    /// A room of an interview that is not in this database may be another hub's, on the same LiveKit.
    fn needs<'a>(&'a self, room: &'a str) -> BoxFuture<'a, Option<bool>> {
        Box::pin(async move {
            match self.live.interviews.store.get(rules::interview_of_room(room)?).await {
                Ok(interview) => interview.map(|interview| !rules::has_ended(interview.status)),
                Err(error) => {
                    once_a_minute!(
                        warn,
                        "it is not known whether the interview of a room has ended",
                        room,
                        error = chain(&error)
                    );
                    None
                }
            }
        })
    }
}

impl Signalling {
    /// Deletes the room of an interview that has ended, in a task of its own. The caller waits for it a moment, so that the room
    /// is gone when the end is told.
    pub async fn ended(&self, interview: Uuid) {
        let Some(livekit) = self.live.interviews.livekit.clone() else { return };
        let task = self.tasks.spawn(async move {
            livekit.clear_room(&rules::room_of(interview), Instant::now() + PATIENCE).await;
        });
        let _ = timeout(MOMENT, task).await;
    }

    /// Starts the sweep. It ends when this is cancelled.
    pub fn start_jobs(self: &Arc<Self>, stopping: CancellationToken) {
        rounds::start(self, self.live.config.expire_every, stopping, |signalling| async move {
            if let Err(error) = signalling.sweep().await {
                once_a_minute!(warn, "interviews: no sweep of rooms without PostgreSQL", error = chain(&error));
            }
        });
    }

    /// Deletes the rooms of interviews that have ended, and disconnects candidates whose invite was revoked: a call has failed,
    /// or somebody came back and no webhook told of it.
    async fn sweep(&self) -> Result<(), StoreError> {
        let Some(livekit) = &self.live.interviews.livekit else { return Ok(()) };
        let store = &self.live.interviews.store;
        let Some(_lock) = store.postgres().try_leader_lock(SWEEP).await? else { return Ok(()) };
        let rooms = livekit.rooms_of_owner(self, Instant::now() + PATIENCE).await;
        let ids: Vec<_> = rooms.iter().filter_map(|room| rules::interview_of_room(room)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        for id in store.ended_of(&ids).await? {
            livekit.delete_unneeded(self, &rules::room_of(id)).await;
        }
        self.sweep_revoked(livekit, &ids).await
    }
}
