//! A start: read, reserve, room and agent, one transaction, confirm. COMMIT is the point of no return.
//!
//! It runs in a task of its own, which outlives the request. If the client hangs up before COMMIT, the start is undone. If it
//! hangs up later, the session is there, and the client finds it by `existingSessionId`. PostgreSQL decides about all that
//! was read or reserved before.

mod commit;
mod slot;

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::Bookings;
use super::error::{BookingError, StartRefusal};
use super::holder::Holder;
use super::metrics::{SESSION_START_SECONDS, SESSION_STARTS};
use super::store::Status;
use super::token::Pass;
use crate::livekit::LiveKit;
use crate::store::Time;

pub(super) use self::slot::Slot;

/// How long a start waits for its turn on this node.
const TURN: Duration = Duration::from_secs(5);
/// A start that failed is answered at most so much later than its deadline: what it had made is taken back first …
const UNDOING: Duration = Duration::from_millis(250);
/// … and every start at most so much later, whatever it waits for.
const LAST_MOMENTS: Duration = Duration::from_millis(500);

/// A session that has been started.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "StartedInterviewSession")]
pub struct Started {
    #[schemars(schema_with = "crate::protocol::schema::yes")]
    success: bool,
    session: StartedBooking,
    livekit: Pass,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(inline)]
struct StartedBooking {
    id: String,
    room_name: String,
    status: Status,
    start_time: Time,
    server_end_time: Time,
}

/// Why an attempt that holds a slot did not succeed, and what is to be done.
enum Failure {
    /// To be undone.
    Refused(StartRefusal),
    /// To be undone; the client does not wait for the answer any more.
    HungUp,
    /// To be undone, and tried again: another start has this id.
    IdTaken,
    /// It is not known whether the session is there: nothing may be undone.
    Unsettled,
}

impl From<StartRefusal> for Failure {
    fn from(refusal: StartRefusal) -> Self {
        Self::Refused(refusal)
    }
}

/// PostgreSQL is away, or has refused a statement that it should take.
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
    /// [`StartRefusal`], after all that was made is undone. If this future is dropped before COMMIT, the start is undone.
    pub async fn start(self: &Arc<Self>, holder: &Holder) -> Result<Started, StartRefusal> {
        let began = Instant::now();
        let until = began + self.rules.start_deadline;
        // After that the start goes on as if the client had hung up.
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
        if !self.readiness.may_start() || self.stopping.is_cancelled() {
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
    /// As the token has it. The address in PostgreSQL comes first.
    email: Option<String>,
    /// By then all that the answer waits for must be done.
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
            tracing::debug!(user = %self.user, "the client did not wait for the end of a start");
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

    /// A user who is refused can start again at once if all is taken back before the answer. But the answer does not wait
    /// longer than its deadline for that.
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
}
