//! The schema: all migrations (`migrations/`) in one numbering, and what runs them.
//!
//! A node that changes the schema, or what a feature keeps together with it, holds one advisory lock, over a connection of
//! its own. So nodes that start at the same time do this one after the other.

use std::time::Duration;

use refinery::Migration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use super::error::{Fate, text};
use super::{Params, Store, StoreError, locks};

/// `migrations/V<n>__<name>.sql`, in the binary.
mod embedded {
    refinery::embed_migrations!("migrations");
}

/// What has run is noted here.
const HISTORY: &str = "convoke.schema_history";
/// For all that is done over one [`Schema`], the wait for another node included. An index on a large table takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why the schema is not as wanted. What had been done in this call by then may stay, never half of a migration.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MigrateError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("another node is migrating, and has not finished in time")]
    Locked,
    #[error("{0}")]
    Migration(Box<str>),
}

/// All migrations of this binary, in order.
pub(super) fn known() -> Vec<Migration> {
    embedded::migrations::runner().get_migrations().clone()
}

/// A connection that holds the migration lock until it is dropped. What is not committed by then is rolled back.
pub struct Schema {
    client: Client,
    driver: JoinHandle<()>,
    deadline: Instant,
}

impl Store {
    /// Brings the schema up to date.
    pub async fn prepare(&self) -> Result<(), MigrateError> {
        self.schema().await?.apply().await.map(drop)
    }

    /// Takes the migration lock; another node that holds it is waited for.
    ///
    /// # Errors
    /// [`MigrateError::Locked`] if that takes too long.
    pub async fn schema(&self) -> Result<Schema, MigrateError> {
        let (client, driver) = self.connect().await?;
        let schema = Schema { client, driver, deadline: Instant::now() + PATIENCE };
        let (ms, (class, key)) = (PATIENCE.as_millis(), locks::MIGRATION);
        let lock = format!(
            "SET TIME ZONE 'UTC'; SET client_min_messages = warning; SET lock_timeout = {ms}; SET statement_timeout = {ms}; \
             SELECT pg_advisory_lock({class}, {key})"
        );
        match schema.ask(schema.client.batch_execute(&lock)).await {
            Err(Answer::Error(error)) if is_timeout(&error) => Err(MigrateError::Locked),
            Err(Answer::Late) => Err(MigrateError::Locked),
            Err(Answer::Error(error)) => Err(Fate::of(&error).of_no_effect().into()),
            Ok(()) => Ok(schema),
        }
    }
}

impl Schema {
    /// Runs what has not run yet; each migration is a transaction. Gives the names of those that ran, in order.
    pub async fn apply(&mut self) -> Result<Vec<String>, MigrateError> {
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
            // If nothing is to run, a role without the right to make tables is enough.
            if runner.get_migrations().iter().all(is_done) {
                return Ok(Vec::new());
            }
        }
        let ran = timeout_at(self.deadline, runner.run_async(&mut self.client)).await;
        let report = ran.map_err(|_| Answer::Late.of_no_effect())?.map_err(|error| migration_error(&error))?;
        Ok(report.applied_migrations().iter().map(Migration::to_string).collect())
    }

    /// Runs statements without parameters. They have no effect yet if they stand between `BEGIN` and [`Schema::commit`].
    pub async fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.ask(self.client.batch_execute(sql)).await.map_err(Answer::of_no_effect)
    }

    /// One statement that gives rows.
    pub async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, StoreError> {
        self.ask(self.client.query(sql, params)).await.map_err(Answer::of_no_effect)
    }

    /// Ends a transaction that [`Schema::run`] has begun.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`] if no answer came.
    pub async fn commit(&self) -> Result<(), StoreError> {
        let commit = self.ask(self.client.batch_execute("COMMIT")).await;
        commit.map_err(|answer| match answer {
            Answer::Error(error) => Fate::of(&error).of_effect(),
            Answer::Late => StoreError::CommitUnknown("no answer in time".into()),
        })
    }

    async fn ask<T>(&self, answer: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Answer> {
        timeout_at(self.deadline, answer).await.map_err(|_| Answer::Late)?.map_err(Answer::Error)
    }
}

impl Drop for Schema {
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
