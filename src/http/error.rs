//! The one map from what went wrong to a status and a body.

use std::borrow::Cow;

use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::guards::{Overdrawn, rate};
use super::json as respond_json;
use crate::auth::AuthError;
use crate::engineio::Body;
use crate::features::interviews::error::InterviewError;
use crate::features::sessions::error::{SessionError, StartRefusal};
use crate::features::sos::Bad;
use crate::features::sos::error::SosError;

/// Why a request did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// No such route.
    NotFound {
        path: String,
    },
    /// The path exists; these are its methods.
    MethodNotAllowed {
        allow: String,
    },
    /// The body is larger than so many bytes.
    TooLarge {
        limit: usize,
    },
    /// The body did not arrive in time.
    BodyTimeout,
    UnsupportedMediaType,
    NotJson,
    /// Fields that are missing or do not fit.
    Invalid(Vec<Bad>),
    /// An id in the path that no SOS can have.
    InvalidSosId,
    /// A path that is no text once it is decoded.
    InvalidPath,
    /// `X-Internal-Token` is missing or wrong.
    InvalidToken,
    /// What says that it comes from LiveKit is not signed with our key.
    InvalidSignature,
    /// LiveKit has signed it with our key, and its clock or ours is off.
    SignedAtAnotherTime,
    /// A token of a user is missing or does not count.
    Unauthorized,
    /// A token of a user that is too long to be read.
    TokenTooLong,
    /// Authentication failed too often.
    TooManyFailures(Overdrawn),
    /// More requests than the caller may send to this route, or more failed authentications than its address may have.
    RateLimited(Overdrawn),
    /// Something that the answer depends on cannot be reached.
    Unavailable,
    /// What the SOS feature says no to.
    Sos(SosError),
    /// What the interview sessions say no to.
    Session(SessionError),
    /// What interviews say no to.
    Interview(InterviewError),
    /// A feature without this setting.
    NotConfigured {
        setting: &'static str,
    },
}

impl From<SosError> for HttpError {
    fn from(error: SosError) -> Self {
        Self::Sos(error)
    }
}

impl From<SessionError> for HttpError {
    fn from(error: SessionError) -> Self {
        Self::Session(error)
    }
}

impl From<InterviewError> for HttpError {
    fn from(error: InterviewError) -> Self {
        Self::Interview(error)
    }
}

impl From<Vec<Bad>> for HttpError {
    fn from(faults: Vec<Bad>) -> Self {
        Self::Invalid(faults)
    }
}

impl HttpError {
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotJson | Self::Invalid(_) | Self::InvalidSosId | Self::InvalidPath => StatusCode::BAD_REQUEST,
            Self::InvalidToken | Self::InvalidSignature | Self::SignedAtAnotherTime | Self::Unauthorized | Self::TokenTooLong => {
                StatusCode::UNAUTHORIZED
            }
            Self::TooManyFailures(_) | Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotConfigured { .. } => StatusCode::NOT_IMPLEMENTED,
            Self::Session(error) => session_status(error),
            Self::Interview(error) => interview_status(error),
            Self::Sos(error) => match error {
                SosError::NotFound => StatusCode::NOT_FOUND,
                SosError::Forbidden => StatusCode::FORBIDDEN,
                SosError::InvalidStatus => StatusCode::BAD_REQUEST,
                SosError::Closed | SosError::InvalidTransition | SosError::StatusConflict => StatusCode::CONFLICT,
                SosError::Unavailable | SosError::Unconfirmed => StatusCode::SERVICE_UNAVAILABLE,
                SosError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }

    pub fn response(&self) -> Response<Body> {
        let mut response = respond_json(self.status(), self.body().to_string());
        let headers = response.headers_mut();
        match self {
            Self::Unavailable
            | Self::Interview(InterviewError::Unavailable)
            | Self::Sos(SosError::Unavailable | SosError::Unconfirmed)
            | Self::Session(
                SessionError::Unavailable
                | SessionError::Start(StartRefusal::Unavailable | StartRefusal::ActiveExists { session: None, .. }),
            ) => {
                headers.insert(RETRY_AFTER, 1.into());
            }
            Self::TooManyFailures(overdrawn) | Self::RateLimited(overdrawn) => {
                headers.insert(RETRY_AFTER, rate::seconds(overdrawn.retry_after));
                rate::tell(headers, overdrawn.limit, 0, overdrawn.reset);
            }
            Self::MethodNotAllowed { allow } => {
                if let Ok(allow) = HeaderValue::from_str(allow) {
                    headers.insert(ALLOW, allow);
                }
            }
            _ => {}
        }
        response
    }

    fn body(&self) -> Value {
        match self {
            Self::NotFound { path } => json!({"error": "Not Found", "path": path}),
            Self::MethodNotAllowed { allow } => json!({"error": "Method Not Allowed", "allow": allow}),
            Self::InvalidToken => json!({"error": "INVALID_TOKEN", "message": "X-Internal-Token is missing or wrong"}),
            Self::Unauthorized => json!({"message": "Unauthorized"}),
            Self::TokenTooLong => json!({"message": AuthError::TooLong.to_string()}),
            Self::Session(error) => session_body(error),
            Self::Interview(error) => json!({"error": error.code(), "message": error.to_string()}),
            Self::RateLimited(_) => json!({"error": "RATE_LIMIT", "message": "Too many requests, try again later"}),
            Self::Unavailable => json!({"error": "UNAVAILABLE", "message": "Temporarily unavailable, try again"}),
            Self::Invalid(errors) => {
                let errors: Vec<_> = errors.iter().map(|e| json!({"field": e.field, "message": e.why})).collect();
                json!({"success": false, "errors": errors})
            }
            // The SOS service of old looks at `error`, and expects these words.
            Self::Sos(error @ SosError::NotFound) => {
                json!({"success": false, "error": "SOS not found", "code": error.code().0, "message": error.to_string()})
            }
            _ => {
                let (code, message) = self.code_and_message();
                json!({"success": false, "error": code, "code": code, "message": message})
            }
        }
    }

    fn code_and_message(&self) -> (&'static str, Cow<'static, str>) {
        match self {
            Self::TooLarge { limit } => ("PAYLOAD_TOO_LARGE", format!("the body is larger than {limit} bytes").into()),
            Self::BodyTimeout => ("REQUEST_TIMEOUT", "the body did not arrive in time".into()),
            Self::UnsupportedMediaType => ("UNSUPPORTED_MEDIA_TYPE", "the body must be application/json".into()),
            Self::InvalidSignature => ("INVALID_SIGNATURE", "the signature is missing or not of our key".into()),
            Self::SignedAtAnotherTime => {
                ("INVALID_SIGNATURE", "the signature is of our key, but its time is not ours: compare the clocks".into())
            }
            Self::NotJson => ("INVALID_JSON", "the body is not valid JSON".into()),
            Self::InvalidSosId => ("INVALID_SOS_ID", "an SOS id has 1–128 of A–Z, a–z, 0–9, _, . and -".into()),
            Self::InvalidPath => ("INVALID_PATH", "the path is not valid UTF-8 once it is decoded".into()),
            Self::TooManyFailures(_) => ("RATE_LIMITED", "authentication failed too often".into()),
            Self::Sos(error) => (error.code().0, error.to_string().into()),
            Self::NotConfigured { setting } => ("NOT_CONFIGURED", format!("{setting} is not set").into()),
            // These have bodies of their own.
            Self::NotFound { .. }
            | Self::MethodNotAllowed { .. }
            | Self::Invalid(_)
            | Self::InvalidToken
            | Self::Unauthorized
            | Self::TokenTooLong
            | Self::Session(_)
            | Self::Interview(_)
            | Self::RateLimited(_)
            | Self::Unavailable => ("", "".into()),
        }
    }
}

const fn session_status(error: &SessionError) -> StatusCode {
    match error {
        SessionError::Start(refusal) => match refusal {
            StartRefusal::UserNotFound | StartRefusal::NoResume | StartRefusal::ActiveExists { .. } => StatusCode::BAD_REQUEST,
            StartRefusal::BetaLimit { .. } | StartRefusal::CapacityFull { .. } => StatusCode::CONFLICT,
            StartRefusal::TokenFailed | StartRefusal::RoomFailed => StatusCode::BAD_GATEWAY,
            StartRefusal::IdGenerationFailed | StartRefusal::CreateFailed => StatusCode::INTERNAL_SERVER_ERROR,
            StartRefusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        },
        SessionError::NotFound | SessionError::NotFoundOrEnded | SessionError::TokenNotFound => StatusCode::NOT_FOUND,
        SessionError::NoRoomName
        | SessionError::NoSessionId
        | SessionError::RoomNameFormat
        | SessionError::ForeignRoom
        | SessionError::Rejected => StatusCode::BAD_REQUEST,
        SessionError::Ended { .. } => StatusCode::FORBIDDEN,
        SessionError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        SessionError::TokenFailed | SessionError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Contract § 4 "Routes": 400, 401, 403 and 404 are all that its clients know, so that what has ended is forbidden too.
const fn interview_status(error: &InterviewError) -> StatusCode {
    match error {
        InterviewError::Invalid(_) => StatusCode::BAD_REQUEST,
        InterviewError::MissingToken
        | InterviewError::InvalidToken
        | InterviewError::TokenTooLong(_)
        | InterviewError::TokenExpired => StatusCode::UNAUTHORIZED,
        InterviewError::Ended
        | InterviewError::Forbidden
        | InterviewError::InviteExpired
        | InterviewError::InviteRevoked
        | InterviewError::InviteUsed => StatusCode::FORBIDDEN,
        InterviewError::NotFound | InterviewError::InviteNotFound => StatusCode::NOT_FOUND,
        InterviewError::NotConfigured { .. } => StatusCode::NOT_IMPLEMENTED,
        InterviewError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        InterviewError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn session_body(error: &SessionError) -> Value {
    let mut body = json!({"message": error.to_string()});
    match error {
        SessionError::Start(refusal) => {
            body["error"] = refusal.code().into();
            if let Some(session) = refusal.existing() {
                body["existingSessionId"] = session.into();
            }
        }
        SessionError::Ended { status } => body["status"] = json!(status),
        _ => {}
    }
    body
}
