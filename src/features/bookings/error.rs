//! How this feature refuses: codes, texts and statuses. The texts are fixed, since clients show them.

use hyper::StatusCode;
use serde_json::json;

use super::store::Status;
use crate::http::error::Problem;
use crate::store::Rejection;

/// Why a session was not started (`{error, message, existingSessionId?}`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartRefusal {
    #[error("User not found")]
    UserNotFound,
    #[error("Upload a resume to start interview")]
    NoResume,
    #[error("You have completed {completed} interview(s). Beta limit is {limit}.")]
    BetaLimit { completed: u32, limit: u32 },
    /// Without a session: another start of this user is under way. Ask again in a moment.
    #[error("You already have an active session (limit: {limit})")]
    ActiveExists { session: Option<String>, limit: u32 },
    #[error("All interview slots are in use ({limit} max). Try again in a few minutes.")]
    CapacityFull { limit: u32 },
    #[error("Failed to generate LiveKit token. Please try again.")]
    TokenFailed,
    #[error("Failed to create LiveKit room. Please try again.")]
    RoomFailed,
    #[error("Failed to generate unique session ID. Please try again.")]
    IdGenerationFailed,
    #[error("Failed to create interview session")]
    CreateFailed,
    /// PostgreSQL or Redis is away, too much is under way, or this node must not start any.
    #[error("Interviews cannot be started at the moment. Please try again.")]
    Unavailable,
}

impl StartRefusal {
    /// `error` on the wire.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UserNotFound => "USER_NOT_FOUND",
            Self::NoResume => "NO_RESUME",
            Self::BetaLimit { .. } => "BETA_LIMIT",
            Self::ActiveExists { .. } => "ACTIVE_SESSION_EXISTS",
            Self::CapacityFull { .. } => "CAPACITY_FULL",
            Self::TokenFailed => "LIVEKIT_TOKEN_FAILED",
            Self::RoomFailed => "LIVEKIT_ROOM_FAILED",
            Self::IdGenerationFailed => "ID_GENERATION_FAILED",
            Self::CreateFailed => "CREATE_FAILED",
            Self::Unavailable => "UNAVAILABLE",
        }
    }

    /// The user's session that stands in the way.
    pub fn existing(&self) -> Option<&str> {
        match self {
            Self::ActiveExists { session, .. } => session.as_deref(),
            _ => None,
        }
    }
}

/// Why a request about a session failed (`{message}`, but for a start).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookingError {
    #[error(transparent)]
    Start(#[from] StartRefusal),
    #[error("Session not found")]
    NotFound,
    #[error("Session not found or already ended")]
    NotFoundOrEnded,
    #[error("roomName is required")]
    NoRoomName,
    #[error("sessionId is required")]
    NoSessionId,
    #[error("Invalid room name format")]
    RoomNameFormat,
    /// [`BookingError::NotFound`], where a token was asked for.
    #[error("Interview session not found")]
    TokenNotFound,
    #[error("Interview session has ended")]
    Ended { status: Status },
    #[error("Room does not belong to this session")]
    ForeignRoom,
    #[error("Failed to create LiveKit token")]
    TokenFailed,
    /// A table does not take a value.
    #[error(transparent)]
    Rejected(Rejection),
    /// PostgreSQL is away: ask again.
    #[error("Service temporarily unavailable")]
    Unavailable,
    /// A fault of ours.
    #[error("Internal server error")]
    Internal,
}

impl BookingError {
    /// The code, where a surface shows one.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Start(refusal) => refusal.code(),
            Self::NotFound | Self::NotFoundOrEnded | Self::TokenNotFound => "NOT_FOUND",
            Self::NoRoomName | Self::NoSessionId | Self::RoomNameFormat | Self::ForeignRoom | Self::Rejected(_) => {
                "INVALID_PAYLOAD"
            }
            Self::Ended { .. } => "ENDED",
            Self::Unavailable => "UNAVAILABLE",
            Self::TokenFailed | Self::Internal => "INTERNAL",
        }
    }
}

impl From<BookingError> for Problem {
    fn from(error: BookingError) -> Self {
        let retry = matches!(
            error,
            BookingError::Unavailable
                | BookingError::Start(StartRefusal::Unavailable | StartRefusal::ActiveExists { session: None, .. })
        );
        let field = match &error {
            BookingError::Start(refusal) => refusal.existing().map(|session| ("existingSessionId", session.into())),
            BookingError::Ended { status } => Some(("status", json!(status))),
            _ => None,
        };
        Self { retry, field, ..Self::new(booking_status(&error), error.code(), error.to_string()) }
    }
}

const fn booking_status(error: &BookingError) -> StatusCode {
    match error {
        BookingError::Start(refusal) => match refusal {
            StartRefusal::UserNotFound | StartRefusal::NoResume | StartRefusal::ActiveExists { .. } => StatusCode::BAD_REQUEST,
            StartRefusal::BetaLimit { .. } | StartRefusal::CapacityFull { .. } => StatusCode::CONFLICT,
            StartRefusal::TokenFailed | StartRefusal::RoomFailed => StatusCode::BAD_GATEWAY,
            StartRefusal::IdGenerationFailed | StartRefusal::CreateFailed => StatusCode::INTERNAL_SERVER_ERROR,
            StartRefusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        },
        BookingError::NotFound | BookingError::NotFoundOrEnded | BookingError::TokenNotFound => StatusCode::NOT_FOUND,
        BookingError::NoRoomName
        | BookingError::NoSessionId
        | BookingError::RoomNameFormat
        | BookingError::ForeignRoom
        | BookingError::Rejected(_) => StatusCode::BAD_REQUEST,
        BookingError::Ended { .. } => StatusCode::FORBIDDEN,
        BookingError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        BookingError::TokenFailed | BookingError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
