//! Errors of this feature: the one place where refusals of scripts and failures of Redis become codes.

use hyper::StatusCode;

use super::scripts::Refused;
use crate::http::error::Problem;
use crate::redis::RedisError;
use crate::rooms::share::ReadEnded;
use crate::socketio::{Code, EventError};
use crate::telemetry::once_a_minute;

pub const INVALID_SOS_ID: Code = Code("INVALID_SOS_ID");
pub const SOS_NOT_FOUND: Code = Code("SOS_NOT_FOUND");
pub const SOS_CLOSED: Code = Code("SOS_CLOSED");
pub const INVALID_STATUS: Code = Code("INVALID_STATUS");
pub const INVALID_TRANSITION: Code = Code("INVALID_TRANSITION");
pub const STATUS_CONFLICT: Code = Code("STATUS_CONFLICT");
pub const INVALID_LOCATION: Code = Code("INVALID_LOCATION");
pub const INVALID_MESSAGE: Code = Code("INVALID_MESSAGE");

/// Why an operation on an SOS did not succeed, for clients and for the internal API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SosError {
    #[error("this SOS does not exist")]
    NotFound,
    #[error("no rights on this SOS")]
    Forbidden,
    #[error("this SOS is over")]
    Closed,
    #[error("there is no such status")]
    InvalidStatus,
    #[error("this status does not follow on the present one")]
    InvalidTransition,
    /// The given old status is not the present one.
    #[error("the status has changed meanwhile")]
    StatusConflict,
    #[error("one user has at most {most} connections in an incident: close one first")]
    Crowded { most: u32 },
    /// It was not done, and will not be done later: repeat it.
    #[error("not available at the moment, repeat it")]
    Unavailable,
    /// Perhaps it was done, or it is not replicated yet: repeat it.
    #[error("not confirmed yet, repeat it")]
    Unconfirmed,
    #[error("internal error")]
    Internal,
}

impl SosError {
    /// The code on the wire.
    pub fn code(&self) -> Code {
        match self {
            Self::NotFound => SOS_NOT_FOUND,
            Self::Forbidden => Code::FORBIDDEN,
            Self::Closed => SOS_CLOSED,
            Self::InvalidStatus => INVALID_STATUS,
            Self::InvalidTransition => INVALID_TRANSITION,
            Self::StatusConflict => STATUS_CONFLICT,
            Self::Crowded { .. } => Code::RATE_LIMITED,
            Self::Unavailable => Code::UNAVAILABLE,
            Self::Unconfirmed => Code::UNCONFIRMED,
            Self::Internal => Code::INTERNAL,
        }
    }

    /// As the answer to an event about one SOS.
    pub fn about(&self, sos: &str) -> EventError {
        EventError::new(self.code(), self.to_string()).with("sosId", sos)
    }
}

impl From<Refused> for SosError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Missing => Self::NotFound,
            Refused::Forbidden | Refused::NotMember => Self::Forbidden,
            Refused::Closed => Self::Closed,
            Refused::UnknownStatus => Self::InvalidStatus,
            Refused::Transition => Self::InvalidTransition,
            Refused::Conflict => Self::StatusConflict,
        }
    }
}

impl From<RedisError> for SosError {
    fn from(error: RedisError) -> Self {
        match error {
            RedisError::Unavailable | RedisError::Deadline => Self::Unavailable,
            RedisError::Unknown | RedisError::Unconfirmed { .. } => Self::Unconfirmed,
            RedisError::Script { .. } | RedisError::Config(_) => {
                once_a_minute!(error, "a script failed", %error);
                Self::Internal
            }
        }
    }
}

impl From<ReadEnded> for SosError {
    fn from(_: ReadEnded) -> Self {
        Self::Internal
    }
}

impl From<SosError> for EventError {
    fn from(error: SosError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<SosError> for Problem {
    fn from(error: SosError) -> Self {
        let status = match error {
            SosError::NotFound => StatusCode::NOT_FOUND,
            SosError::Forbidden => StatusCode::FORBIDDEN,
            SosError::InvalidStatus => StatusCode::BAD_REQUEST,
            SosError::Closed | SosError::InvalidTransition | SosError::StatusConflict => StatusCode::CONFLICT,
            SosError::Crowded { .. } => StatusCode::TOO_MANY_REQUESTS,
            SosError::Unavailable | SosError::Unconfirmed => StatusCode::SERVICE_UNAVAILABLE,
            SosError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        // The existing SOS service reads `error` and expects these words.
        let words = matches!(error, SosError::NotFound).then_some("SOS not found");
        let retry = matches!(error, SosError::Unavailable | SosError::Unconfirmed);
        Self { error: words, retry, ..Self::new(status, error.code().0, error.to_string()) }
    }
}

/// One error for both: a failed call, and a refusal by the script.
pub fn settle<T>(outcome: Result<Result<T, Refused>, RedisError>) -> Result<T, SosError> {
    Ok(outcome??)
}
