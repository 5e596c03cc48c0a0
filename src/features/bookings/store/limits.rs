//! The limits that all nodes share: one row in `convoke.session_limits` (contract § 5, "Tables"). They are written under the
//! migration lock, and with them comes or goes the index that a limit of one session for each user stands on.

use tokio_postgres::Row;

use super::{BookingStore, CAPACITY, COMPLETE_ALL_EXPIRED};
use crate::store::{MigrateError, Rejection, Schema, StoreError, column, count};

/// How many interview sessions may be active at once. All nodes of a hub share one pair, which PostgreSQL keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_concurrent: u32,
    pub max_per_user: u32,
}

/// What [`write_limits`] has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The limits before; `None`: there were none.
    pub before: Option<Limits>,
    /// Expired sessions that were completed on the way. Their rooms are left to the sweep.
    pub completed: usize,
}

/// Why the schema or the limits are not as wanted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PrepareError {
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// A limit of one active session for each user cannot begin yet.
    #[error("users have more than one active session: a limit of 1 can begin when they have ended")]
    TooManyActive,
}

impl From<StoreError> for PrepareError {
    fn from(error: StoreError) -> Self {
        Self::Migrate(error.into())
    }
}

const LIMITS: &str =
    "SELECT max_concurrent::int8 AS max_concurrent, max_per_user::int8 AS max_per_user FROM convoke.session_limits";
/// It exists at limit 1 only: then no user has two active sessions, whatever else writes the rows.
const ONE_ACTIVE: &str = "interview_sessions_one_active";

impl BookingStore {
    /// What a node does when it starts: brings the schema up to date, and makes these the limits if there are none. Returns the
    /// limits that are in force, by which every start is judged.
    pub async fn prepare(&self, limits: Limits) -> Result<Limits, PrepareError> {
        let mut schema = self.postgres.schema().await?;
        schema.apply().await?;
        if let Some(limits) = read(&schema).await? {
            return Ok(limits);
        }
        write(&schema, limits).await?;
        Ok(limits)
    }

    /// The limits that are in force, for a node that runs. `None`: there are none any more.
    pub async fn limits(&self) -> Result<Option<Limits>, StoreError> {
        self.postgres.read(LIMITS, &[]).await?.first().map(Limits::from_row).transpose()
    }

    /// [`BookingStore::limits`] of a database that may not be prepared yet.
    pub async fn limits_if_prepared(&self) -> Result<Option<Limits>, StoreError> {
        let sql = "SELECT to_regclass('convoke.session_limits') IS NOT NULL AS is_there";
        let rows = self.postgres.read(sql, &[]).await?;
        let is_there = rows.first().map(|row| column(row, "is_there")).transpose()?;
        if is_there == Some(true) { self.limits().await } else { Ok(None) }
    }
}

impl Limits {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { max_concurrent: count(row, "max_concurrent")?, max_per_user: count(row, "max_per_user")? })
    }
}

/// Makes these the limits, whatever they were. The schema is up to date.
///
/// # Errors
/// [`PrepareError::TooManyActive`].
pub async fn write_limits(schema: &Schema, limits: Limits) -> Result<Written, PrepareError> {
    let before = read(schema).await?;
    // Also if they are as before: an index that an operator has dropped comes back.
    Ok(Written { before, completed: write(schema, limits).await? })
}

async fn read(schema: &Schema) -> Result<Option<Limits>, StoreError> {
    schema.query(LIMITS, &[]).await?.first().map(Limits::from_row).transpose()
}

/// Writes the limits, and makes or drops the index that the limit of 1 stands on, in one transaction. No session starts or
/// ends meanwhile. Returns how many expired sessions were completed.
async fn write(schema: &Schema, limits: Limits) -> Result<usize, PrepareError> {
    let (class, capacity) = CAPACITY;
    // The table's lock before any row's: a job that holds rows waits for the users' rows next, and we would wait for it.
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock({class}, {capacity}); \
         LOCK TABLE public.interview_sessions IN SHARE ROW EXCLUSIVE MODE"
    );
    schema.run(&begin).await?;
    let completed = schema.query(COMPLETE_ALL_EXPIRED, &[]).await?.len();
    let index = if limits.max_per_user == 1 {
        format!(
            "DO $$ BEGIN IF to_regclass('public.{ONE_ACTIVE}') IS NULL THEN \
             CREATE UNIQUE INDEX {ONE_ACTIVE} ON public.interview_sessions (user_id) WHERE status = 'active'; \
             END IF; END $$"
        )
    } else {
        format!("DROP INDEX IF EXISTS public.{ONE_ACTIVE}")
    };
    schema.run(&index).await.map_err(|error| match error {
        StoreError::Rejected(Rejection::Taken, _) => PrepareError::TooManyActive,
        error => error.into(),
    })?;
    let write = format!(
        "INSERT INTO convoke.session_limits (max_concurrent, max_per_user) VALUES ({concurrent}, {per_user}) \
         ON CONFLICT (single) DO UPDATE SET max_concurrent = excluded.max_concurrent, \
         max_per_user = excluded.max_per_user, updated_at = now()",
        concurrent = limits.max_concurrent,
        per_user = limits.max_per_user
    );
    schema.run(&write).await?;
    schema.commit().await?;
    Ok(completed)
}
