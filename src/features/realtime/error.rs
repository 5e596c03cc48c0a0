//! How this feature refuses.

use hyper::StatusCode;

use crate::core::error::chain;
use crate::http::error::Problem;
use crate::livekit::LiveKitError;
use crate::redis::RedisError;
use crate::telemetry::once_a_minute;

/// Why a request about a session failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RealtimeError {
    /// It is missing, or another user's: the answer does not tell which.
    #[error("there is no such session")]
    NotFound,
    #[error("limit must be an integer from 1 to 100")]
    Limit,
    #[error("after must be the id of one of your sessions")]
    After,
    #[error("you have {most} sessions, as many as a user may have: delete one first")]
    TooMany { most: u32 },
    /// Redis is away: ask again.
    #[error("temporarily unavailable, try again")]
    Unavailable,
    /// A fault of ours.
    #[error("internal error")]
    Internal,
}

impl From<RealtimeError> for Problem {
    fn from(error: RealtimeError) -> Self {
        let (status, code) = match error {
            RealtimeError::NotFound => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            RealtimeError::Limit | RealtimeError::After => (StatusCode::BAD_REQUEST, "INVALID_PAYLOAD"),
            RealtimeError::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED"),
            RealtimeError::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
            RealtimeError::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"),
        };
        Self { retry: error == RealtimeError::Unavailable, ..Self::new(status, code, error.to_string()) }
    }
}

impl From<RedisError> for RealtimeError {
    fn from(error: RedisError) -> Self {
        once_a_minute!(warn, "realtime sessions: Redis does not answer", error = chain(&error));
        Self::Unavailable
    }
}

impl From<LiveKitError> for RealtimeError {
    /// Only tokens are asked for while somebody waits.
    fn from(error: LiveKitError) -> Self {
        once_a_minute!(error, "realtime sessions: a token cannot be signed", error = chain(&error));
        Self::Internal
    }
}
