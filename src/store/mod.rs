//! What the hub keeps in PostgreSQL: the statements, each with its types. It judges nothing but what a transaction must judge.
//!
//! Locks are taken in one order everywhere, so that nobody waits in a circle: advisory locks (migration, capacity, a user's),
//! then rows of `public.interview_sessions`, then rows of `public.users`, by id.
//!
//! No call takes longer than its deadline. A [`StoreError`] says what may be concluded from the lack of an answer.

mod error;
mod interviews;
mod invites;
mod lead;
mod migrate;
mod pool;
mod sessions;
mod start;
mod survey;
mod time;
mod tls;
mod users;

use serde::{Deserialize, Serialize, Serializer};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

pub use self::error::{Rejection, SetupError, StoreError};
pub use self::interviews::{Candidate, Interview, InterviewChange, InterviewStatus, NewInterview, Question, Template, TokenHash};
pub use self::invites::{Invite, NewInvite, Pass};
pub use self::lead::Lead;
pub use self::migrate::{MigrateError, Migrated};
use self::pool::Connections;
pub use self::pool::as_one_call;
pub use self::sessions::{Active, EndReason, Ended, Session, Standing, Status};
pub use self::start::{NewSession, Refusal, Verdict};
pub use self::survey::Survey;
pub use self::time::Time;
pub use self::users::User;
use crate::settings;

/// All that is known of PostgreSQL; cheap to clone.
#[derive(Clone)]
pub struct Store {
    connections: Connections,
}

/// How many interview sessions may be active at once. All nodes of a hub share one pair, which PostgreSQL keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub max_concurrent: u32,
    pub max_per_user: u32,
}

impl Store {
    /// Connects nowhere yet: PostgreSQL may be down.
    pub fn new(settings: &settings::Store) -> Result<Self, SetupError> {
        Ok(Self { connections: Connections::new(settings)? })
    }

    /// Whether PostgreSQL answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.connections.read("SELECT", &[]).await.map(drop)
    }
}

/// A column of an answer. One that does not fit is a fault of ours, or of a schema that somebody else made.
fn column<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> Result<T, StoreError> {
    row.try_get(name).map_err(|error| StoreError::Internal(error::text(&error)))
}

/// A count that PostgreSQL keeps as a signed number.
fn count(row: &Row, name: &str) -> Result<u32, StoreError> {
    let number: i64 = column(row, name)?;
    Ok(u32::try_from(number.max(0)).unwrap_or(u32::MAX))
}

/// A UUID in JSON.
fn as_text<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Locks of PostgreSQL that stand for no row.
mod locks {
    use uuid::Uuid;

    /// The first half of our keys: `conv`.
    const CLASS: i32 = 0x636f_6e76;

    /// Migrations and limits.
    pub const MIGRATION: (i32, i32) = (CLASS, 1);
    /// Held by a start from its judgement to its commit: the sessions that others have counted are all there are.
    pub const CAPACITY: (i32, i32) = (CLASS, 2);

    /// The lock of a job that one node does at a time.
    pub const fn job(number: i32) -> (i32, i32) {
        (CLASS + 1, number)
    }

    /// The lock of a user's starts. Two users may share one, and then wait for each other; no harm is done.
    pub fn user(id: Uuid) -> i64 {
        let (high, low) = id.as_u64_pair();
        (high ^ low).cast_signed()
    }
}
