//! A start: read, reserve, room and agent, one transaction, confirm. COMMIT is the point of no return.
//!
//! It runs in a task of its own, which outlives the request: a client that hangs up before COMMIT has its start undone, one
//! that hangs up later finds its session by `existingSessionId`. PostgreSQL has the last word on everything that was read or
//! reserved before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, sleep, timeout_at};
use uuid::Uuid;

use super::error::{BookingError, StartRefusal};
use super::metrics::{SESSION_START_SECONDS, SESSION_STARTS};
use super::store::{Booking, NewBooking, Status, Verdict};
use super::token::{AGENT, Pass, metadata, sign};
use super::{Bookings, ms, rebuild};
use crate::auth::Holder;
use crate::core::error::chain;
use crate::features::bookings::scripts::{ActiveBooking, Reserved, SlotLimits, slot_confirm, slot_release, slot_reserve};
use crate::livekit::LiveKit;
use crate::store::{StoreError, Time};

/// How long a start waits for its turn on this node.
const TURN: Duration = Duration::from_secs(5);
/// How much later than its deadline a start that failed is answered, so that what it had made is surely gone by then …
const UNDOING: Duration = Duration::from_millis(250);
/// … and any start, whatever it waits for.
const LAST_MOMENTS: Duration = Duration::from_millis(500);
/// How long the outcome of a COMMIT is asked for.
const SETTLING: Duration = Duration::from_secs(5);
/// Between two tries to learn it, or to confirm a slot.
const BETWEEN_TRIES: Duration = Duration::from_millis(250);
/// How long a slot is tried to be confirmed.
const CONFIRMING: Duration = Duration::from_secs(10);

/// The answer to `POST /api/interviews/start`.
#[derive(Debug, Serialize)]
pub struct Started {
    success: bool,
    session: StartedBooking,
    livekit: Pass,
}

#[derive(Debug, Serialize)]
struct StartedBooking {
    id: String,
    room_name: String,
    status: Status,
    start_time: Time,
    server_end_time: Time,
}

/// A reserved slot, and what hangs on it.
pub(super) struct Slot {
    pub id: String,
    pub room: String,
    /// The user, as it stands in Redis.
    pub user: String,
    /// When the reservation ends, by Redis' clock (ms since 1970): how our own is told from another's.
    pub until_ms: u64,
    /// The same, surely not later, by our own clock.
    pub lease_ends: Instant,
    /// For LiveKit and PostgreSQL together.
    deadline: Instant,
    /// LiveKit was asked to make the room, whatever it answered.
    room_asked: AtomicBool,
}

impl Slot {
    pub fn has_room(&self) -> bool {
        self.room_asked.load(Ordering::Relaxed)
    }
}

/// Why an attempt that holds a slot came to nothing.
enum Failure {
    /// To be undone.
    Refused(StartRefusal),
    /// To be undone; nobody waits for the answer any more.
    HungUp,
    /// To be undone, and tried again: another start has this id.
    IdTaken,
    /// Nobody knows whether the session is there: nothing may be undone.
    Unsettled,
}

impl From<StartRefusal> for Failure {
    fn from(refusal: StartRefusal) -> Self {
        Self::Refused(refusal)
    }
}

/// PostgreSQL is away, or has refused what it should not.
impl From<BookingError> for StartRefusal {
    fn from(error: BookingError) -> Self {
        match error {
            BookingError::Start(refusal) => refusal,
            BookingError::Internal | BookingError::Rejected(_) => Self::CreateFailed,
            _ => Self::Unavailable,
        }
    }
}

impl Bookings {
    /// Starts a session for this user.
    ///
    /// # Errors
    /// [`StartRefusal`], after whatever was made is undone. If this future is dropped, so is the start, unless it is
    /// committed.
    pub async fn start(self: &Arc<Self>, holder: &Holder) -> Result<Started, StartRefusal> {
        let began = Instant::now();
        let until = began + self.rules.start_deadline;
        // Whatever still goes on then goes on as if the client had hung up.
        let result = timeout_at(until + LAST_MOMENTS, self.begin(holder, until)).await.unwrap_or(Err(StartRefusal::Unavailable));
        let outcome = result.as_ref().map_or_else(StartRefusal::code, |_| "ok");
        metrics::counter!(SESSION_STARTS, "outcome" => outcome).increment(1);
        metrics::histogram!(SESSION_START_SECONDS).record(began.elapsed().as_secs_f64());
        result
    }

    async fn begin(self: &Arc<Self>, holder: &Holder, until: Instant) -> Result<Started, StartRefusal> {
        let (livekit, turn) = self.turn(until).await?;
        let (answer, answered) = oneshot::channel();
        let (user, email, answer) = (holder.user_id, holder.email.clone(), Some(answer));
        self.tasks.spawn(Start { bookings: self.clone(), livekit, user, email, until, answer }.run(turn));
        // It ends without an answer only by a panic.
        answered.await.unwrap_or(Err(StartRefusal::CreateFailed))
    }

    async fn turn(&self, until: Instant) -> Result<(LiveKit, OwnedSemaphorePermit), StartRefusal> {
        let livekit = self.livekit.clone().ok_or(StartRefusal::Unavailable)?;
        if !self.fitness.may_start() || self.stopping.is_cancelled() {
            return Err(StartRefusal::Unavailable);
        }
        match timeout_at(until.min(Instant::now() + TURN), self.starts.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok((livekit, turn)),
            _ => Err(StartRefusal::Unavailable),
        }
    }
}

/// One start on its way.
struct Start {
    bookings: Arc<Bookings>,
    livekit: LiveKit,
    user: Uuid,
    /// As the token has it; PostgreSQL's wins.
    email: Option<String>,
    /// When everything that the answer waits for must be done.
    until: Instant,
    /// Closed when the client has hung up; `None` once it is answered.
    answer: Option<oneshot::Sender<Result<Started, StartRefusal>>>,
}

impl Start {
    async fn run(mut self, _turn: OwnedSemaphorePermit) {
        let result = self.attempts().await;
        self.tell(result);
    }

    /// The first answer counts.
    fn tell(&mut self, result: Result<Started, StartRefusal>) {
        if self.answer.take().is_some_and(|answer| answer.send(result).is_err()) {
            tracing::debug!(user = %self.user, "nobody waited for the end of a start");
        }
    }

    async fn attempts(&mut self) -> Result<Started, StartRefusal> {
        let mut last = StartRefusal::IdGenerationFailed;
        for _ in 0..=self.bookings.rules.creation_retries {
            let email = timeout_at(self.until, self.admit()).await.unwrap_or(Err(StartRefusal::Unavailable))?;
            let Some(slot) = self.reserve().await? else {
                last = StartRefusal::IdGenerationFailed;
                continue;
            };
            let refusal = match self.build(&slot, email.as_deref()).await {
                Ok(started) => return Ok(started),
                Err(Failure::Unsettled) => return Err(StartRefusal::Unavailable),
                Err(Failure::Refused(refusal)) => Some(refusal),
                Err(Failure::HungUp) => Some(StartRefusal::Unavailable),
                Err(Failure::IdTaken) => None,
            };
            self.undo(&slot, refusal.as_ref().unwrap_or(&StartRefusal::CreateFailed)).await;
            match refusal {
                Some(refusal) => return Err(refusal),
                None if self.answer.is_none() => return Err(StartRefusal::CreateFailed),
                None => last = StartRefusal::CreateFailed,
            }
        }
        Err(last)
    }

    /// Who is refused may start again at once, if all can be taken back in time; but nobody waits for that.
    async fn undo(&mut self, slot: &Slot, refusal: &StartRefusal) {
        let bookings = self.bookings.clone();
        let mut undone = std::pin::pin!(bookings.undo(slot));
        if timeout_at(self.until + UNDOING, &mut undone).await.is_err() {
            self.tell(Err(refusal.clone()));
            undone.await;
        }
    }

    /// Refuses early what PostgreSQL would refuse later. The user's address, if one is known.
    async fn admit(&self) -> Result<Option<String>, StartRefusal> {
        let bookings = &self.bookings;
        bookings.complete_expired_of(self.user).await?;
        let standing = bookings.store.standing(self.user).await.map_err(BookingError::from)?;
        let user = bookings.judge(&standing)?;
        Ok(user.email.clone().or_else(|| self.email.clone()))
    }

    /// A slot under an id that is free in PostgreSQL and in Redis. `None`: no such id was found.
    async fn reserve(&self) -> Result<Option<Slot>, StartRefusal> {
        let (bookings, user) = (&self.bookings, self.user.to_string());
        let rules = &bookings.rules;
        let limits = SlotLimits { all: rules.max_concurrent, per_user: rules.max_per_user };
        let cold_until = Instant::now() + rebuild::PATIENCE;
        let mut ids = 0;
        let mut id = bookings.names.draw();
        while ids < rules.id_retries {
            let room = bookings.names.room(&id);
            if !bookings.store.id_is_free(&id, &room).await.map_err(BookingError::from)? {
                ids += 1;
                id = bookings.names.draw();
                continue;
            }
            let asked = Instant::now();
            let reserved = slot_reserve(&bookings.redis, &id, &user, limits, ms(rules.start_lease)).await;
            match reserved.map_err(|error| away("no slot can be reserved", &error))? {
                Reserved::Ok { until_ms } => {
                    return Ok(Some(Slot {
                        id,
                        room,
                        user,
                        until_ms,
                        lease_ends: asked + rules.start_lease,
                        deadline: self.until,
                        room_asked: AtomicBool::new(false),
                    }));
                }
                Reserved::Cold => match timeout_at(cold_until, bookings.rebuild()).await {
                    Ok(rebuilt) => rebuilt?,
                    Err(_) => return Err(StartRefusal::Unavailable),
                },
                Reserved::IdTaken => {
                    ids += 1;
                    id = bookings.names.draw();
                }
                Reserved::UserFull => return Err(self.who_is_in_the_way().await?),
                Reserved::Full => return Err(StartRefusal::CapacityFull { limit: rules.max_concurrent }),
            }
        }
        Ok(None)
    }

    /// The user has all slots that one may have: by sessions that are committed meanwhile, or by starts under way.
    async fn who_is_in_the_way(&self) -> Result<StartRefusal, StartRefusal> {
        let bookings = &self.bookings;
        let standing = bookings.store.standing(self.user).await.map_err(BookingError::from)?;
        Ok(match bookings.judge(&standing) {
            Ok(_) | Err(StartRefusal::CapacityFull { .. }) => {
                StartRefusal::ActiveExists { session: None, limit: bookings.rules.max_per_user }
            }
            Err(refusal) => refusal,
        })
    }

    /// From the slot to the COMMIT, and what follows on it.
    async fn build(&self, slot: &Slot, email: Option<&str>) -> Result<Started, Failure> {
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
        // Signed while the transaction is open, and the last moment to find that nobody waits for it.
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
            tracing::warn!(room = slot.room, error = chain(&error), "no room for an interview session");
            StartRefusal::RoomFailed
        };
        slot.room_asked.store(true, Ordering::Relaxed);
        let (livekit, deadline) = (&self.livekit, slot.deadline);
        livekit.create_room(&slot.room, self.bookings.rules.duration, deadline).await.map_err(failed)?;
        self.still_asked()?;
        let metadata = metadata(&slot.id, self.user, email);
        livekit.dispatch_agent(&slot.room, AGENT, &metadata, deadline).await.map_err(failed)?;
        Ok(())
    }

    fn sign(&self, row: &Booking, email: Option<&str>) -> Result<Pass, Failure> {
        sign(&self.livekit, row, email).map_err(|error| {
            tracing::error!(session = row.id, error = chain(&error), "a token could not be signed");
            StartRefusal::TokenFailed.into()
        })
    }

    fn still_asked(&self) -> Result<(), Failure> {
        let is_asked = self.answer.as_ref().is_some_and(|answer| !answer.is_closed());
        if is_asked { Ok(()) } else { Err(Failure::HungUp) }
    }

    /// COMMIT was sent and not answered: what the row says counts, read under the lock that the transaction held.
    async fn settle(&self, slot: &Slot) -> Result<Booking, Failure> {
        let until = Instant::now() + SETTLING;
        loop {
            match timeout_at(until, self.bookings.store.settle(&slot.id, self.user)).await {
                Ok(Ok(Some(session))) => return Ok(session),
                Ok(Ok(None)) => return Err(StartRefusal::Unavailable.into()),
                Ok(Err(error)) if Instant::now() + BETWEEN_TRIES < until => {
                    tracing::warn!(session = slot.id, error = chain(&error), "the outcome of a start is not known yet");
                    sleep(BETWEEN_TRIES).await;
                }
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!(session = slot.id, "the outcome of a start is unknown: left to the sweep");
                    return Err(Failure::Unsettled);
                }
            }
        }
    }

    /// The session is there. Nothing is undone any more.
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
    /// Makes the slot last as long as the session; what fails here the sweep does.
    async fn confirm(&self, id: &str, user: Uuid, ends_ms: u64) {
        let (user, until) = (user.to_string(), Instant::now() + CONFIRMING);
        let mut is_late = false;
        while let Err(error) = slot_confirm(&self.redis, ActiveBooking { id, user: &user, ends_ms }).await {
            if Instant::now() + BETWEEN_TRIES >= until {
                tracing::warn!(session = id, %error, "the slot is left to the sweep");
                return;
            }
            is_late = true;
            sleep(BETWEEN_TRIES).await;
        }
        // Meanwhile the session may have been ended, and its slot released in vain.
        if is_late {
            let ended = self.store.of_ids(&[id.to_owned()]).await;
            if ended.is_ok_and(|rows| rows.iter().any(|(_, _, status)| *status != Status::Active)) {
                let _ = slot_release(&self.redis, id, &user, Some(ends_ms)).await;
            }
        }
    }
}

fn away(what: &'static str, error: &crate::redis::RedisError) -> StartRefusal {
    tracing::warn!(%error, "interview sessions: {what}");
    StartRefusal::Unavailable
}
