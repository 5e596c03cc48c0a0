//! From the slot to the COMMIT, and what follows.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::{Failure, Slot, Start, Started, StartedBooking};
use crate::core::error::chain;
use crate::features::bookings::Bookings;
use crate::features::bookings::error::{BookingError, StartRefusal};
use crate::features::bookings::scripts::{ActiveBooking, slot_confirm, slot_release};
use crate::features::bookings::store::{Booking, NewBooking, Status, Verdict};
use crate::features::bookings::token::{AGENT, Pass, metadata, sign};
use crate::store::StoreError;
use crate::telemetry::once_a_minute;

/// How long the outcome of a COMMIT is asked for.
const SETTLING: Duration = Duration::from_secs(5);
/// Between two tries to learn it, or to confirm a slot.
const BETWEEN_TRIES: Duration = Duration::from_millis(250);
/// How long a slot is tried to be confirmed.
const CONFIRMING: Duration = Duration::from_secs(10);

impl Start {
    /// From the slot to the COMMIT, and what follows.
    pub(super) async fn build(&self, slot: &Slot, email: Option<&str>) -> Result<Started, Failure> {
        let bookings = &self.bookings;
        self.make_room(slot, email).await?;
        self.still_asked()?;
        let new = NewBooking {
            id: &slot.id,
            user_id: self.user,
            room: &slot.room,
            duration: bookings.rules.duration,
            beta_limit: bookings.rules.beta_limit,
        };
        // The token is signed while the transaction is open. It is the last moment to notice that the client has hung up.
        let sign = |row: &Booking| {
            self.still_asked()?;
            self.sign(row, email)
        };
        match bookings.store.start(new, slot.deadline, sign).await {
            Ok((verdict, ended)) => {
                let _ = timeout_at(self.until, bookings.clear(ended)).await;
                match verdict? {
                    Verdict::Started { session, made } => Ok(self.committed(session, made).await),
                    Verdict::Refused(refusal) => Err(refusal.into()),
                    Verdict::IdTaken => Err(Failure::IdTaken),
                }
            }
            Err(StoreError::CommitUnknown(_)) => {
                let session = self.settle(slot).await?;
                let pass = self.sign(&session, email).map_err(|_| Failure::Unsettled)?;
                Ok(self.committed(session, pass).await)
            }
            Err(error) => Err(StartRefusal::from(BookingError::from(error)).into()),
        }
    }

    async fn make_room(&self, slot: &Slot, email: Option<&str>) -> Result<(), Failure> {
        self.still_asked()?;
        let failed = |error| {
            once_a_minute!(warn, "no room for an interview session", room = slot.room, error = chain(&error));
            StartRefusal::RoomFailed
        };
        slot.ask_for_room();
        let (livekit, deadline) = (&self.livekit, slot.deadline);
        livekit.create_room(&slot.room, self.bookings.rules.duration, deadline).await.map_err(failed)?;
        self.still_asked()?;
        let metadata = metadata(&slot.id, self.user, email);
        livekit.dispatch_agent(&slot.room, AGENT, &metadata, deadline).await.map_err(failed)?;
        Ok(())
    }

    fn sign(&self, row: &Booking, email: Option<&str>) -> Result<Pass, Failure> {
        sign(&self.livekit, row, email).map_err(|error| {
            once_a_minute!(error, "a token could not be signed", session = row.id, error = chain(&error));
            StartRefusal::TokenFailed.into()
        })
    }

    fn still_asked(&self) -> Result<(), Failure> {
        let is_asked = self.answer.as_ref().is_some_and(|answer| !answer.is_closed());
        if is_asked { Ok(()) } else { Err(Failure::HungUp) }
    }

    /// COMMIT was sent and not answered. The row decides; it is read under the lock that the transaction held.
    async fn settle(&self, slot: &Slot) -> Result<Booking, Failure> {
        let until = Instant::now() + SETTLING;
        loop {
            match timeout_at(until, self.bookings.store.settle(&slot.id, self.user)).await {
                Ok(Ok(Some(session))) => return Ok(session),
                Ok(Ok(None)) => return Err(StartRefusal::Unavailable.into()),
                Ok(Err(error)) if Instant::now() + BETWEEN_TRIES < until => {
                    once_a_minute!(warn, "the outcome of a start is not known yet", session = slot.id, error = chain(&error));
                    sleep(BETWEEN_TRIES).await;
                }
                Ok(Err(_)) | Err(_) => {
                    once_a_minute!(warn, "the outcome of a start is unknown: left to the sweep", session = slot.id);
                    return Err(Failure::Unsettled);
                }
            }
        }
    }

    /// The session is there. From now on nothing is undone.
    async fn committed(&self, session: Booking, livekit: Pass) -> Started {
        let bookings = self.bookings.clone();
        let (id, user, ends_ms) = (session.id.clone(), self.user, session.server_end_time.as_ms());
        let confirmed = self.bookings.finish(async move { bookings.confirm(&id, user, ends_ms).await });
        let _ = timeout_at(self.until, confirmed).await;
        Started {
            success: true,
            session: StartedBooking {
                id: session.id,
                room_name: session.livekit_room_name,
                status: session.status,
                start_time: session.start_time,
                server_end_time: session.server_end_time,
            },
            livekit,
        }
    }
}

impl Bookings {
    /// Makes the slot last as long as the session. If that fails, the sweep does it.
    async fn confirm(&self, id: &str, user: Uuid, ends_ms: u64) {
        let (user, until) = (user.to_string(), Instant::now() + CONFIRMING);
        let mut is_late = false;
        while let Err(error) = slot_confirm(&self.redis, ActiveBooking { id, user: &user, ends_ms }).await {
            if Instant::now() + BETWEEN_TRIES >= until {
                once_a_minute!(warn, "the slot is left to the sweep", session = id, %error);
                return;
            }
            is_late = true;
            sleep(BETWEEN_TRIES).await;
        }
        // The session may have ended meanwhile, and its slot was released before it was confirmed.
        if is_late {
            let ended = self.store.of_ids(&[id.to_owned()]).await;
            if ended.is_ok_and(|rows| rows.iter().any(|(_, _, status)| *status != Status::Active)) {
                let _ = slot_release(&self.redis, id, &user, Some(ends_ms)).await;
            }
        }
    }
}
