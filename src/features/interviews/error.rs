//! How this feature refuses (contract § 4 "Errors"): the codes, texts and statuses of every surface.

use hyper::StatusCode;
use uuid::Uuid;

use crate::auth::AuthError;
use crate::http::error::Problem;
use crate::livekit::LiveKitError;
use crate::redis::RedisError;
use crate::socketio::{Code, EventError};
use crate::store::StoreError;
use crate::telemetry::once_a_minute;

use super::store::InterviewStatus;

/// Why something about an interview did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterviewError {
    /// It does not exist, or the caller may not see it. The answer does not say which.
    #[error("Interview not found or invalid token")]
    NotFound,
    /// It has ended.
    #[error("Interview is not available")]
    Ended,
    #[error("Not allowed")]
    Forbidden,
    #[error("A token is required")]
    MissingToken,
    #[error("The token is not valid")]
    InvalidToken,
    /// With how much of it there may be.
    #[error("{0}")]
    TokenTooLong(AuthError),
    #[error("The token has expired")]
    TokenExpired,
    #[error("The invite has expired")]
    InviteExpired,
    #[error("The invite has been revoked")]
    InviteRevoked,
    /// By another participant.
    #[error("The invite has already been used")]
    InviteUsed,
    #[error("Invite not found")]
    InviteNotFound,
    /// An interview goes forward only, and keeps its end.
    #[error("status cannot go from {} to {}", from.as_str(), to.as_str())]
    InvalidTransition { from: InterviewStatus, to: InterviewStatus },
    /// What is wrong with the fields of a request, all of it.
    #[error("{0}")]
    Invalid(String),
    #[error("No active session")]
    NoActiveSession,
    #[error("Session not found")]
    SessionNotFound,
    #[error("Join the room first")]
    NotInRoom,
    /// The kept version is another one.
    #[error("The document has changed meanwhile")]
    VersionConflict,
    /// What is wrong with a piece of audio.
    #[error("{0}")]
    InvalidAudio(&'static str),
    /// Another socket of the candidate has joined since.
    #[error("Another connection has taken over")]
    Superseded,
    /// How many there may be.
    #[error("Too many: {0}")]
    RateLimited(String),
    #[error("{setting} is not set")]
    NotConfigured { setting: &'static str },
    /// Something that the answer depends on is away: repeat it.
    #[error("Temporarily unavailable, try again")]
    Unavailable,
    /// Perhaps done, or done and not replicated yet: repeat it.
    #[error("Not confirmed yet, repeat it")]
    Unconfirmed,
    #[error("Internal error")]
    Internal,
}

impl InterviewError {
    /// The code on the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "INTERVIEW_NOT_FOUND",
            Self::Ended => "INTERVIEW_UNAVAILABLE",
            Self::Forbidden => "FORBIDDEN",
            Self::MissingToken => "MISSING_TOKEN",
            Self::InvalidToken | Self::TokenTooLong(_) => "INVALID_TOKEN",
            Self::TokenExpired => "TOKEN_EXPIRED",
            Self::InviteExpired => "INVITE_EXPIRED",
            Self::InviteRevoked => "INVITE_REVOKED",
            Self::InviteUsed => "INVITE_USED",
            Self::InviteNotFound => "INVITE_NOT_FOUND",
            Self::InvalidTransition { .. } => "INVALID_TRANSITION",
            Self::Invalid(_) => "INVALID_PAYLOAD",
            Self::NoActiveSession => "NO_ACTIVE_SESSION",
            Self::SessionNotFound => "SESSION_NOT_FOUND",
            Self::NotInRoom => "NOT_IN_ROOM",
            Self::VersionConflict => "VERSION_CONFLICT",
            Self::InvalidAudio(_) => "INVALID_AUDIO",
            Self::Superseded => "SUPERSEDED",
            Self::RateLimited(_) => "RATE_LIMITED",
            Self::NotConfigured { .. } => "NOT_CONFIGURED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Unconfirmed => "UNCONFIRMED",
            Self::Internal => "INTERNAL",
        }
    }
}

impl InterviewError {
    /// As the answer to an event about an interview.
    pub fn about(&self, interview: Option<Uuid>) -> EventError {
        let error = EventError::new(Code(self.code()), self.to_string());
        match interview {
            Some(id) => error.with("interviewId", id.to_string()),
            None => error,
        }
    }
}

impl From<InterviewError> for EventError {
    fn from(error: InterviewError) -> Self {
        error.about(None)
    }
}

impl From<RedisError> for InterviewError {
    fn from(error: RedisError) -> Self {
        match error {
            RedisError::Unavailable | RedisError::Deadline => Self::Unavailable,
            RedisError::Unknown | RedisError::Unconfirmed { .. } => Self::Unconfirmed,
            RedisError::Script { .. } | RedisError::Config(_) => {
                once_a_minute!(error, "a script of interviews failed", %error);
                Self::Internal
            }
        }
    }
}

impl From<StoreError> for InterviewError {
    /// A repetition never doubles an effect here, so after an unknown outcome the caller may repeat too.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::CommitUnknown(_) => {
                once_a_minute!(warn, "an interview cannot be read or written", %error);
                Self::Unavailable
            }
            StoreError::Rejected(..) | StoreError::Internal(_) => {
                once_a_minute!(error, "a statement about interviews failed", %error);
                Self::Internal
            }
        }
    }
}

impl From<AuthError> for InterviewError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Missing => Self::MissingToken,
            AuthError::Invalid => Self::InvalidToken,
            AuthError::TooLong => Self::TokenTooLong(error),
            AuthError::Expired => Self::TokenExpired,
            AuthError::NotConfigured => Self::NotConfigured { setting: "INTERVIEW_JWT_SECRET" },
            AuthError::Unavailable => Self::Unavailable,
        }
    }
}

impl From<LiveKitError> for InterviewError {
    fn from(error: LiveKitError) -> Self {
        once_a_minute!(error, "a token for the call cannot be signed", %error);
        Self::Internal
    }
}

impl From<InterviewError> for Problem {
    fn from(error: InterviewError) -> Self {
        let retry = matches!(error, InterviewError::Unavailable | InterviewError::Unconfirmed);
        Self { retry, ..Self::new(interview_status(&error), error.code(), error.to_string()) }
    }
}

/// Contract § 4 "Routes". An interview that has ended is forbidden to candidates and recruiters.
const fn interview_status(error: &InterviewError) -> StatusCode {
    match error {
        InterviewError::Invalid(_) | InterviewError::InvalidAudio(_) => StatusCode::BAD_REQUEST,
        InterviewError::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
        InterviewError::MissingToken
        | InterviewError::InvalidToken
        | InterviewError::TokenTooLong(_)
        | InterviewError::TokenExpired => StatusCode::UNAUTHORIZED,
        InterviewError::Ended
        | InterviewError::Forbidden
        | InterviewError::InviteExpired
        | InterviewError::InviteRevoked
        | InterviewError::InviteUsed
        | InterviewError::NotInRoom => StatusCode::FORBIDDEN,
        InterviewError::NotFound | InterviewError::InviteNotFound | InterviewError::SessionNotFound => StatusCode::NOT_FOUND,
        InterviewError::InvalidTransition { .. }
        | InterviewError::NoActiveSession
        | InterviewError::VersionConflict
        | InterviewError::Superseded => StatusCode::CONFLICT,
        InterviewError::NotConfigured { .. } => StatusCode::NOT_IMPLEMENTED,
        InterviewError::Unavailable | InterviewError::Unconfirmed => StatusCode::SERVICE_UNAVAILABLE,
        InterviewError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
