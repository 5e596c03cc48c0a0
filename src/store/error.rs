//! What can go wrong with PostgreSQL, and what the caller may conclude from it.

use std::path::PathBuf;

use deadpool_postgres::PoolError;
use tokio_postgres::error::{Severity, SqlState};

use crate::core::error::chain;

/// Why a call has no answer. No text holds the URL, a password or a value of a row.
///
/// | variant | was it done? | what to do |
/// |---|---|---|
/// | `Unavailable` | surely not, nor will it be later | repeat at will |
/// | `CommitUnknown` | perhaps | read whether it was done |
/// | `Rejected` | no | tell the caller: a value that a column does not take |
/// | `Internal` | no | a fault of ours, or of the schema |
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or no answer by the deadline, or the server was gone before COMMIT; also a lost deadlock, and tables
    /// that are not there yet.
    #[error("PostgreSQL is unavailable: {0}")]
    Unavailable(Box<str>),
    /// It was sent, and the connection broke or the deadline passed before the answer came.
    #[error("the outcome at PostgreSQL is unknown: {0}")]
    CommitUnknown(Box<str>),
    /// A table does not take a value.
    #[error("PostgreSQL does not take this: {1}")]
    Rejected(Rejection, Box<str>),
    #[error("PostgreSQL: {0}")]
    Internal(Box<str>),
}

/// What is wrong with a value that a table does not take. The table may belong to another application, with rules of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// It is too long, too large, or of another type: a résumé id that is no UUID where the column is one.
    #[error("A value does not fit its column")]
    DoesNotFit,
    /// A foreign key: such as a résumé id without a résumé.
    #[error("A value refers to something that does not exist")]
    RefersToNothing,
    #[error("A column that must have a value would have none")]
    Missing,
    #[error("A value that must be unique is taken already")]
    Taken,
    #[error("A value breaks a rule of its table")]
    BreaksARule,
}

impl Rejection {
    /// Classes 22 and 23 of the server's codes: data exceptions and violated constraints.
    fn of(code: &SqlState) -> Option<Self> {
        Some(match code.code().get(..2)? {
            "22" => Self::DoesNotFit,
            "23" if *code == SqlState::FOREIGN_KEY_VIOLATION => Self::RefersToNothing,
            "23" if *code == SqlState::NOT_NULL_VIOLATION => Self::Missing,
            "23" if *code == SqlState::UNIQUE_VIOLATION => Self::Taken,
            "23" => Self::BreaksARule,
            _ => return None,
        })
    }
}

/// Why the store could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("DATABASE_URL makes no sense")]
    Url,
    #[error("DATABASE_CA_FILE {0} cannot be read: {1}")]
    CaFile(PathBuf, std::io::Error),
    #[error("DATABASE_CA_FILE {0} holds no certificate")]
    NoCertificate(PathBuf),
    #[error("this system has no certificates of authorities to trust: set DATABASE_CA_FILE")]
    NoRoots,
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
    #[error("no pool of connections can be made: {0}")]
    Pool(#[from] deadpool_postgres::BuildError),
}

/// What an error of the client says about the statement that met it.
pub enum Fate {
    /// The server answered, and did not do it.
    Refused(StoreError),
    /// The connection is gone: it is not known whether it was done.
    Lost(Box<str>),
}

impl Fate {
    /// What may be concluded from it.
    pub fn of(error: &tokio_postgres::Error) -> Self {
        let Some(db) = error.as_db_error() else { return Self::Lost(text(error)) };
        let (code, text) = (db.code().code(), text(error));
        let severity = db.parsed_severity();
        match code.get(..2).unwrap_or_default() {
            // Told to a connection that ends. It may come after a commit whose answer it overtakes.
            _ if matches!(severity, Some(Severity::Fatal | Severity::Panic)) => Self::Lost(text),
            // Connection, lost deadlock, no resources, lock not available, cancelled by a deadline, standby that only reads.
            "08" | "40" | "53" | "57" => Self::Refused(StoreError::Unavailable(text)),
            _ if *db.code() == SqlState::LOCK_NOT_AVAILABLE || *db.code() == SqlState::READ_ONLY_SQL_TRANSACTION => {
                Self::Refused(StoreError::Unavailable(text))
            }
            // A node that came up before PostgreSQL did is asked before it has made the tables.
            _ if *db.code() == SqlState::UNDEFINED_TABLE || *db.code() == SqlState::INVALID_SCHEMA_NAME => {
                Self::Refused(StoreError::Unavailable(text))
            }
            _ => Self::Refused(match Rejection::of(db.code()) {
                Some(rejection) => StoreError::Rejected(rejection, text),
                None => StoreError::Internal(text),
            }),
        }
    }

    /// For what has no effect unless something later confirms it.
    pub fn of_no_effect(self) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Lost(text) => StoreError::Unavailable(text),
        }
    }

    /// For what may have had its effect.
    pub fn of_effect(self) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Lost(text) => StoreError::CommitUnknown(text),
        }
    }
}

/// The server's message without its details, which quote rows; otherwise what broke, to the last cause.
pub(super) fn text(error: &tokio_postgres::Error) -> Box<str> {
    if let Some(db) = error.as_db_error() {
        return format!("{} ({})", db.message(), db.code().code()).into();
    }
    chain(error).into()
}

impl From<PoolError> for StoreError {
    fn from(error: PoolError) -> Self {
        Self::Unavailable(match error {
            PoolError::Backend(error) => text(&error),
            error => error.to_string().into(),
        })
    }
}
