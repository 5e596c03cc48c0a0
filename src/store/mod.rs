//! PostgreSQL: connections, transactions, the schema with its migrations, and locks. What the tables hold, and each statement
//! with its types, is a feature's own.
//!
//! Locks are taken in one order everywhere, so that no two transactions wait for each other: advisory locks first
//! ([`locks`]), then rows.
//!
//! No call takes longer than its deadline. A [`StoreError`] says what may be concluded if there is no answer.

mod error;
mod leader_lock;
pub mod locks;
mod pool;
mod preflight;
mod schema;
mod time;
mod tls;

use serde::Serializer;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

pub use self::error::{Fate, Rejection, SetupError, StoreError};
pub use self::leader_lock::LeaderLock;
pub use self::pool::{Lease, Params, Store, as_one_call};
pub use self::preflight::Preflight;
pub use self::schema::{MigrateError, Schema};
pub use self::time::Time;

/// A column of an answer.
///
/// # Errors
/// [`StoreError::Internal`] if it has another type: a fault of ours, or a schema that was changed by others.
pub fn column<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> Result<T, StoreError> {
    row.try_get(name).map_err(|error| StoreError::Internal(error::text(&error)))
}

/// A count that PostgreSQL keeps as a signed number.
///
/// # Errors
/// As [`column`].
pub fn count(row: &Row, name: &str) -> Result<u32, StoreError> {
    let number: i64 = column(row, name)?;
    Ok(u32::try_from(number.max(0)).unwrap_or(u32::MAX))
}

/// A UUID in JSON.
///
/// # Errors
/// The serializer's.
pub fn as_text<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}
