//! Reading and ending a session. Each read first completes the user's expired sessions, by the statement that the job uses.

use std::sync::Arc;

use uuid::Uuid;

use super::eligibility::Eligibility;
use super::error::BookingError;
use super::store::{Booking, User};
use super::{Bookings, may_be_id};

impl Bookings {
    /// A session of this user.
    ///
    /// # Errors
    /// `NotFound`, also for another user's session and for an id that no session can have; `Unavailable`, `Internal`.
    pub async fn session(self: &Arc<Self>, user: Uuid, id: &str) -> Result<Booking, BookingError> {
        self.readiness.may_ask()?;
        if !may_be_id(id) {
            return Err(BookingError::NotFound);
        }
        self.complete_expired_of(user).await?;
        self.store.get(id, user).await?.ok_or(BookingError::NotFound)
    }

    /// Whether this user could start a session now.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub async fn eligibility(self: &Arc<Self>, user: Uuid) -> Result<Eligibility, BookingError> {
        self.readiness.may_ask()?;
        self.complete_expired_of(user).await?;
        Ok(Eligibility::new(self.judge(&self.store.standing(user).await?)))
    }

    /// Ends an active session because its user asks for it. If its time has just run out, it ends as expired, which is a
    /// success too.
    ///
    /// # Errors
    /// `NotFoundOrEnded`, `Unavailable`, `Internal`.
    pub async fn end(self: &Arc<Self>, user: Uuid, id: &str) -> Result<(), BookingError> {
        self.readiness.may_ask()?;
        if !may_be_id(id) {
            return Err(BookingError::NotFoundOrEnded);
        }
        let expired = self.store.complete_expired_of(user).await?;
        let was_expired = expired.iter().any(|ended| ended.id == id);
        self.clear(expired).await;
        if was_expired {
            return Ok(());
        }
        let ended = self.store.end(id, user).await?.ok_or(BookingError::NotFoundOrEnded)?;
        self.clear(vec![ended]).await;
        Ok(())
    }

    /// Writes the score and the summary of an interview. `None` leaves a value as it is.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`, `Internal`.
    pub async fn score(&self, id: &str, score: Option<f64>, summary: Option<&str>) -> Result<Booking, BookingError> {
        self.readiness.may_ask()?;
        if !may_be_id(id) {
            return Err(BookingError::NotFound);
        }
        self.store.score(id, score, summary).await?.ok_or(BookingError::NotFound)
    }

    /// Makes or changes a user. The count of interviews stays.
    ///
    /// # Errors
    /// `Unavailable`, `Internal`.
    pub async fn put_user(&self, id: Uuid, email: Option<&str>, resume_id: Option<&str>) -> Result<User, BookingError> {
        self.readiness.may_ask()?;
        Ok(self.store.put_user(id, email, resume_id).await?)
    }

    pub(super) async fn complete_expired_of(self: &Arc<Self>, user: Uuid) -> Result<(), BookingError> {
        let ended = self.store.complete_expired_of(user).await?;
        self.clear(ended).await;
        Ok(())
    }
}
