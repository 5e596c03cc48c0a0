//! The schema, and the limits that all nodes share (contract § 5, "Tables").
//!
//! Whoever changes either holds one advisory lock, over a connection of its own, so that nodes that start at once do this one
//! after the other.

use std::time::Duration;

use refinery::Migration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use super::error::{Fate, text};
use super::sessions::COMPLETE_ALL_EXPIRED;
use super::{Limits, Store, StoreError, count, locks};

/// `migrations/V<n>__<name>.sql`, in the binary.
mod embedded {
    refinery::embed_migrations!("migrations");
}

/// What has run is noted here.
const HISTORY: &str = "convoke.schema_history";
/// There at limit 1 only: nobody then has two active sessions, whoever writes the rows.
const ONE_ACTIVE: &str = "interview_sessions_one_active";
const LIMITS: &str =
    "SELECT max_concurrent::int8 AS max_concurrent, max_per_user::int8 AS max_per_user FROM convoke.session_limits";
/// For all of it, the wait for another node's migration included. An index on a large table takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What [`Store::migrate`] has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migrated {
    /// Names of the migrations that ran, in order.
    pub applied: Vec<String>,
    /// The limits before; `None`: there were none.
    pub limits_before: Option<Limits>,
    /// Expired sessions that were completed on the way. Their rooms are left to the sweep.
    pub completed: usize,
}

/// Why the schema or the limits are not as wanted. What had been done in this call by then may stay, never half of a migration.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("another node is migrating, and has not finished in time")]
    Locked,
    #[error("{0}")]
    Migration(Box<str>),
    /// A limit of one active session for each user cannot begin yet.
    #[error("users have more than one active session: a limit of 1 can begin when they have ended")]
    TooManyActive,
}

/// All migrations of this binary, in order.
pub(super) fn known() -> Vec<Migration> {
    embedded::migrations::runner().get_migrations().clone()
}

impl Store {
    /// Brings the schema up to date and makes these the limits, whatever they were.
    pub async fn migrate(&self, limits: Limits) -> Result<Migrated, MigrateError> {
        let mut session = MigrationSession::open(self).await?;
        let applied = session.apply().await?;
        let before = session.limits().await?;
        // Also if they are as before: an index that somebody dropped comes back.
        let completed = session.set_limits(limits).await?;
        Ok(Migrated { applied, limits_before: before, completed })
    }

    /// What a node does when it starts: brings the schema up to date, and makes these the limits if there are none. Returns the
    /// limits that are in force, by which every start is judged.
    pub async fn prepare(&self, limits: Limits) -> Result<Limits, MigrateError> {
        let mut session = MigrationSession::open(self).await?;
        session.apply().await?;
        if let Some(limits) = session.limits().await? {
            return Ok(limits);
        }
        session.set_limits(limits).await?;
        Ok(limits)
    }

    /// The limits that are in force, for a node that runs. `None`: there are none any more.
    pub async fn limits(&self) -> Result<Option<Limits>, StoreError> {
        self.connections.read(LIMITS, &[]).await?.first().map(Limits::from_row).transpose()
    }
}

impl Limits {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { max_concurrent: count(row, "max_concurrent")?, max_per_user: count(row, "max_per_user")? })
    }
}

/// A connection that holds the migration lock until it is dropped.
struct MigrationSession {
    client: Client,
    driver: JoinHandle<()>,
    deadline: Instant,
}

impl MigrationSession {
    async fn open(store: &Store) -> Result<Self, MigrateError> {
        let (client, driver) = store.connections.connect().await?;
        let session = Self { client, driver, deadline: Instant::now() + PATIENCE };
        let (ms, (class, key)) = (PATIENCE.as_millis(), locks::MIGRATION);
        let lock = format!(
            "SET TIME ZONE 'UTC'; SET client_min_messages = warning; SET lock_timeout = {ms}; SET statement_timeout = {ms}; \
             SELECT pg_advisory_lock({class}, {key})"
        );
        match session.ask(session.client.batch_execute(&lock)).await {
            Err(Answer::Error(error)) if is_timeout(&error) => Err(MigrateError::Locked),
            Err(Answer::Late) => Err(MigrateError::Locked),
            Err(Answer::Error(error)) => Err(Fate::of(&error).of_no_effect().into()),
            Ok(()) => Ok(session),
        }
    }

    /// Runs what has not run yet; each migration is a transaction.
    async fn apply(&mut self) -> Result<Vec<String>, MigrateError> {
        // Asked first: making a schema "if not exists" wants the right to make one even where it exists.
        let schema = "DO $$ BEGIN IF to_regnamespace('convoke') IS NULL THEN CREATE SCHEMA convoke; END IF; END $$";
        self.run(schema).await?;
        // A newer node may have run more than we know of.
        let mut runner = embedded::migrations::runner().set_abort_missing(false);
        runner.set_migration_table_name(HISTORY);
        let has_history = self.ask(self.client.query_one("SELECT to_regclass($1) IS NOT NULL", &[&HISTORY])).await;
        if has_history.map_err(Answer::of_no_effect)?.get(0) {
            let all = timeout_at(self.deadline, runner.get_applied_migrations_async(&mut self.client)).await;
            let all = all.map_err(|_| Answer::Late.of_no_effect())?.map_err(|error| migration_error(&error))?;
            let is_done = |wanted: &Migration| {
                all.iter().any(|done| (done.version(), done.checksum()) == (wanted.version(), wanted.checksum()))
            };
            // Then a role that may make nothing will do.
            if runner.get_migrations().iter().all(is_done) {
                return Ok(Vec::new());
            }
        }
        let ran = timeout_at(self.deadline, runner.run_async(&mut self.client)).await;
        let report = ran.map_err(|_| Answer::Late.of_no_effect())?.map_err(|error| migration_error(&error))?;
        Ok(report.applied_migrations().iter().map(Migration::to_string).collect())
    }

    async fn limits(&self) -> Result<Option<Limits>, MigrateError> {
        let row = self.ask(self.client.query_opt(LIMITS, &[])).await.map_err(Answer::of_no_effect)?;
        row.as_ref().map(Limits::from_row).transpose().map_err(MigrateError::Store)
    }

    /// Writes the limits, and makes or drops the index that the limit of 1 stands on, in one transaction. No session starts or
    /// ends meanwhile. Returns how many expired sessions were completed.
    async fn set_limits(&self, limits: Limits) -> Result<usize, MigrateError> {
        let (class, capacity) = locks::CAPACITY;
        // The table's lock before any row's: a job that holds rows waits for the users' rows next, and we would wait for it.
        let begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT pg_advisory_xact_lock({class}, {capacity}); \
             LOCK TABLE public.interview_sessions IN SHARE ROW EXCLUSIVE MODE"
        );
        self.run(&begin).await?;
        let completed = self.ask(self.client.query(COMPLETE_ALL_EXPIRED, &[])).await.map_err(Answer::of_no_effect)?.len();
        let index = if limits.max_per_user == 1 {
            format!(
                "DO $$ BEGIN IF to_regclass('public.{ONE_ACTIVE}') IS NULL THEN \
                 CREATE UNIQUE INDEX {ONE_ACTIVE} ON public.interview_sessions (user_id) WHERE status = 'active'; \
                 END IF; END $$"
            )
        } else {
            format!("DROP INDEX IF EXISTS public.{ONE_ACTIVE}")
        };
        match self.ask(self.client.batch_execute(&index)).await {
            Err(Answer::Error(error)) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
                return Err(MigrateError::TooManyActive);
            }
            other => other.map_err(Answer::of_no_effect)?,
        }
        let write = format!(
            "INSERT INTO convoke.session_limits (max_concurrent, max_per_user) VALUES ({concurrent}, {per_user}) \
             ON CONFLICT (single) DO UPDATE SET max_concurrent = excluded.max_concurrent, \
             max_per_user = excluded.max_per_user, updated_at = now()",
            concurrent = limits.max_concurrent,
            per_user = limits.max_per_user
        );
        self.run(&write).await?;
        let commit = self.ask(self.client.batch_execute("COMMIT")).await;
        commit.map_err(|answer| match answer {
            Answer::Error(error) => Fate::of(&error).of_effect(),
            Answer::Late => StoreError::CommitUnknown("no answer in time".into()),
        })?;
        Ok(completed)
    }

    async fn run(&self, sql: &str) -> Result<(), MigrateError> {
        Ok(self.ask(self.client.batch_execute(sql)).await.map_err(Answer::of_no_effect)?)
    }

    async fn ask<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Answer> {
        timeout_at(self.deadline, answer).await.map_err(|_| Answer::Late)?.map_err(Answer::Error)
    }
}

impl Drop for MigrationSession {
    fn drop(&mut self) {
        // The connection ends, and with it the lock, and whatever was not committed.
        self.driver.abort();
    }
}

/// What came instead of an answer.
enum Answer {
    Late,
    Error(tokio_postgres::Error),
}

impl Answer {
    fn of_no_effect(self) -> StoreError {
        match self {
            Self::Late => StoreError::Unavailable("no answer in time".into()),
            Self::Error(error) => Fate::of(&error).of_no_effect(),
        }
    }
}

fn is_timeout(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| [SqlState::LOCK_NOT_AVAILABLE, SqlState::QUERY_CANCELED].contains(code))
}

/// The migrator's own text, and what PostgreSQL said.
fn migration_error(error: &refinery::Error) -> MigrateError {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<tokio_postgres::Error>() {
            return match Fate::of(error) {
                Fate::Lost(text) => StoreError::Unavailable(text).into(),
                Fate::Refused(StoreError::Unavailable(text)) => StoreError::Unavailable(text).into(),
                Fate::Refused(_) => MigrateError::Migration(text(error)),
            };
        }
        cause = error.source();
    }
    MigrateError::Migration(error.kind().to_string().into())
}
