//! The transaction in which PostgreSQL judges the start of an interview session (contract § 5, step 3).
//!
//! ```text
//!  one round trip   BEGIN, locks: capacity, user │ complete the user's expired sessions │ users row FOR UPDATE │ facts
//!  one round trip   SAVEPOINT │ INSERT … RETURNING          (a refusal ends here, with COMMIT)
//!                   the caller makes what needs the row, such as the token
//!  one round trip   COMMIT                                  ◄── the point of no return
//! ```
//! The statements of a round trip are sent without waiting for answers. Each sees what was committed when it began, so the
//! facts are read under all locks.

use std::time::Duration;

use futures_util::future::{try_join, try_join4};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::{Booking, BookingStore, CAPACITY, COMPLETE_EXPIRED_OF, Ended, Limits, one, session_columns, user_lock};
use crate::features::bookings::error::StartRefusal;
use crate::features::bookings::rules::{Applicant, Facts, judge};
use crate::store::{Fate, Lease, Params, StoreError, column, count};

#[derive(Clone, Copy, Debug)]
pub struct NewBooking<'a> {
    pub id: &'a str,
    pub user_id: Uuid,
    pub room: &'a str,
    /// From the transaction's start to `server_end_time`.
    pub duration: Duration,
    /// Sessions that a user may complete.
    pub beta_limit: u32,
}

/// The result of a start, if PostgreSQL has answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict<T> {
    /// Committed. `made` is what the caller made of the row before.
    Started {
        session: Booking,
        made: T,
    },
    Refused(StartRefusal),
    /// A row has this id, or this room.
    IdTaken,
}

const LOCK_USER: &str = "
    SELECT resume_id::text AS resume_id, coalesce(completed_interviews_count, 0)::int8 AS completed
    FROM public.users WHERE id = $1 FOR UPDATE";

const FACTS: &str = "
    SELECT l.max_concurrent::int8 AS max_concurrent, l.max_per_user::int8 AS max_per_user,
        (SELECT count(*) FROM public.interview_sessions WHERE status = 'active' AND server_end_time > now()) AS active_total,
        ARRAY(
            SELECT id FROM public.interview_sessions
            WHERE user_id = $1 AND status = 'active' AND server_end_time > now() ORDER BY start_time, id
        ) AS active,
        EXISTS (SELECT FROM public.interview_sessions WHERE id = $2 OR livekit_room_name = $3) AS taken
    FROM convoke.session_limits l";

/// `start_time` is the transaction's time, as the column's default is.
const INSERT: &str = concat!(
    "INSERT INTO public.interview_sessions (id, user_id, status, start_time, server_end_time, livekit_room_name)
     VALUES ($1, $2, 'active', now(), now() + $4::int8 * interval '1 millisecond', $3)
     ON CONFLICT DO NOTHING RETURNING ",
    session_columns!()
);

const GET: &str = concat!("SELECT ", session_columns!(), " FROM public.interview_sessions WHERE id = $1 AND user_id = $2");

impl BookingStore {
    /// Judges and makes a session in one transaction, which ends by the deadline. `make` gets the row before the COMMIT; if
    /// it fails, the session is not made. The sessions that were completed on the way (the user's own, which had expired) are
    /// returned, whatever the verdict: their completion is committed with it.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`] when COMMIT was sent and no answer came: see [`BookingStore::settle`]. After every other
    /// error, and when the future is dropped before COMMIT was sent, nothing has happened.
    pub async fn start<T, E>(
        &self,
        new: NewBooking<'_>,
        deadline: Instant,
        make: impl FnOnce(&Booking) -> Result<T, E> + Send,
    ) -> Result<(Result<Verdict<T>, E>, Vec<Ended>), StoreError> {
        let _turn = self.postgres.turn(deadline).await?;
        let lease = self.postgres.lease(deadline).await?;
        let (ended, judgement) = lock_and_judge(&lease, &new).await?;
        let verdict = match judgement {
            Err(refused) => Ok(refused),
            Ok(()) => match insert(&lease, &new).await? {
                Err(refused) => Ok(refused),
                Ok(session) => match make(&session) {
                    Ok(made) => Ok(Verdict::Started { session, made }),
                    Err(error) => {
                        back_to_savepoint(&lease).await?;
                        Err(error)
                    }
                },
            },
        };
        lease.commit().await?;
        Ok((verdict, ended))
    }

    /// The result of a start whose COMMIT had no answer: the row, if it was committed. It waits until that transaction has
    /// ended, by taking the user's lock.
    pub async fn settle(&self, id: &str, user: Uuid) -> Result<Option<Booking>, StoreError> {
        let lease = self.postgres.lease(self.postgres.in_time()).await?;
        let get = lease.prepare(GET).await?;
        let begin = format!("{} SELECT pg_advisory_xact_lock({})", lease.begin_sql(), user_lock(user));
        let client = lease.client();
        let params: Params<'_> = &[&id, &user];
        let told = try_join(client.batch_execute(&begin), client.query(&get, params));
        let ((), rows) = lease.ask(told).await.map_err(Fate::of_no_effect)?;
        lease.ask(client.batch_execute("COMMIT")).await.map_err(Fate::of_no_effect)?;
        lease.give_back();
        one(&rows)
    }
}

/// Takes the locks, completes what has expired, and judges.
async fn lock_and_judge<T>(lease: &Lease, new: &NewBooking<'_>) -> Result<(Vec<Ended>, Result<(), Verdict<T>>), StoreError> {
    let (complete, user, facts) =
        (lease.prepare(COMPLETE_EXPIRED_OF).await?, lease.prepare(LOCK_USER).await?, lease.prepare(FACTS).await?);
    let (class, capacity) = CAPACITY;
    let begin = format!(
        "{} SELECT pg_advisory_xact_lock({class}, {capacity}); SELECT pg_advisory_xact_lock({})",
        lease.begin_sql(),
        user_lock(new.user_id)
    );
    let client = lease.client();
    let (by_user, by_all): (Params<'_>, Params<'_>) = (&[&new.user_id], &[&new.user_id, &new.id, &new.room]);
    let answers = try_join4(
        client.batch_execute(&begin),
        client.query(&complete, by_user),
        client.query_opt(&user, by_user),
        client.query_opt(&facts, by_all),
    );
    let ((), ended, user, facts) = lease.ask(answers).await.map_err(Fate::of_no_effect)?;
    let facts = facts.ok_or_else(|| StoreError::Internal("convoke.session_limits has no row".into()))?;
    Ok((Ended::all(&ended)?, verdict(new, user.as_ref(), &facts)?))
}

fn verdict<T>(new: &NewBooking<'_>, user: Option<&Row>, facts: &Row) -> Result<Result<(), Verdict<T>>, StoreError> {
    let limits = Limits { max_concurrent: count(facts, "max_concurrent")?, max_per_user: count(facts, "max_per_user")? };
    let resume: Option<String> = user.map(|row| column(row, "resume_id")).transpose()?.flatten();
    let completed = user.map(|row| count(row, "completed")).transpose()?;
    let active: Vec<String> = column(facts, "active")?;
    let known = Facts {
        user: completed.map(|completed| Applicant { resume: resume.as_deref(), completed }),
        oldest_active: active.first().map(String::as_str),
        active: active.len(),
        active_total: count(facts, "active_total")?,
    };
    Ok(match judge(known, limits, new.beta_limit) {
        Err(refusal) => Err(Verdict::Refused(refusal)),
        Ok(()) if column(facts, "taken")? => Err(Verdict::IdTaken),
        Ok(()) => Ok(()),
    })
}

async fn insert<T>(lease: &Lease, new: &NewBooking<'_>) -> Result<Result<Booking, Verdict<T>>, StoreError> {
    let statement = lease.prepare(INSERT).await?;
    let duration = i64::try_from(new.duration.as_millis()).unwrap_or(i64::MAX);
    let client = lease.client();
    let inserted = async {
        let ((), row) = try_join(
            client.batch_execute("SAVEPOINT before_session"),
            client.query_opt(&statement, &[&new.id, &new.user_id, &new.room, &duration]),
        )
        .await?;
        Ok(row)
    };
    // If the identity provider has a table of its own, the user may be missing there.
    let unknown_user = |error: &tokio_postgres::Error| error.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION);
    let answer = lease.ask(async {
        match inserted.await {
            Err(error) if unknown_user(&error) => Ok(Err(Verdict::Refused(StartRefusal::UserNotFound))),
            Err(error) => Err(error),
            Ok(Some(row)) => Ok(Ok(row)),
            Ok(None) => Ok(Err(Verdict::IdTaken)),
        }
    });
    match answer.await.map_err(Fate::of_no_effect)? {
        Ok(row) => Booking::from_row(&row).map(Ok),
        Err(refused) => {
            back_to_savepoint(lease).await?;
            Ok(Err(refused))
        }
    }
}

async fn back_to_savepoint(lease: &Lease) -> Result<(), StoreError> {
    let undo = lease.client().batch_execute("ROLLBACK TO SAVEPOINT before_session");
    lease.ask(undo).await.map_err(Fate::of_no_effect)
}
