//! The one map from what went wrong to a status and a body.

use std::borrow::Cow;

use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::guards::{Overdrawn, rate};
use super::json as respond_json;
use crate::auth::AuthError;
use crate::engineio::Body;
use crate::features::bookings::error::{SessionError, StartRefusal};
use crate::features::interviews::error::InterviewError;
use crate::features::sos::error::SosError;
use crate::features::sos::{Bad, NO_SOS_ID};

/// The form in which a route says no, whatever the reason is. It is its surface's (contract §§ 3 to 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// `{success:false, error, code, message}`, and for fields `{success:false, errors}`: the internal API of incidents, and what
    /// belongs to no surface.
    #[default]
    Sos,
    /// `{error, message}`: interviews, and the start of a session.
    Coded,
    /// `{message}`: the other routes of sessions.
    Message,
}

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
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
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

    /// The answer of a route of this shape.
    pub fn response(&self, shape: Shape) -> Response<Body> {
        let mut response = respond_json(self.status(), self.body(shape).to_string());
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
            Self::RateLimited(overdrawn) => {
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

    fn body(&self, shape: Shape) -> Value {
        let (code, message) = (self.code(), self.message());
        let mut body = match (self, shape) {
            // These are the same everywhere.
            (Self::NotFound { path }, _) => return json!({"error": "Not Found", "path": path}),
            (Self::InvalidToken, _) => return json!({"error": code, "message": message}),
            (Self::Unauthorized | Self::TokenTooLong, _) => return json!({"message": message}),
            (Self::RateLimited(_), Shape::Coded | Shape::Message) => json!({"error": "RATE_LIMIT", "message": message}),
            (Self::Invalid(errors), Shape::Sos) => {
                let errors: Vec<_> = errors.iter().map(|e| json!({"field": e.field, "message": e.why})).collect();
                json!({"success": false, "errors": errors})
            }
            // The SOS service of old looks at `error`, and expects these words.
            (Self::Sos(SosError::NotFound), Shape::Sos) => {
                json!({"success": false, "error": "SOS not found", "code": code, "message": message})
            }
            (_, Shape::Sos) => json!({"success": false, "error": code, "code": code, "message": message}),
            (_, Shape::Coded) => json!({"error": code, "message": message}),
            (_, Shape::Message) => json!({"message": message}),
        };
        match self {
            Self::Session(SessionError::Start(refusal)) => {
                if let Some(session) = refusal.existing() {
                    body["existingSessionId"] = session.into();
                }
            }
            Self::Session(SessionError::Ended { status }) => body["status"] = json!(status),
            _ => {}
        }
        body
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "NOT_FOUND",
            Self::MethodNotAllowed { .. } => "METHOD_NOT_ALLOWED",
            Self::TooLarge { .. } => "PAYLOAD_TOO_LARGE",
            Self::BodyTimeout => "REQUEST_TIMEOUT",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::NotJson => "INVALID_JSON",
            Self::Invalid(_) => "INVALID_PAYLOAD",
            Self::InvalidSosId => "INVALID_SOS_ID",
            Self::InvalidPath => "INVALID_PATH",
            Self::InvalidToken => "INVALID_TOKEN",
            Self::InvalidSignature | Self::SignedAtAnotherTime => "INVALID_SIGNATURE",
            Self::Unauthorized | Self::TokenTooLong => "UNAUTHORIZED",
            Self::RateLimited(_) => "RATE_LIMITED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Sos(error) => error.code().0,
            Self::Session(error) => error.code(),
            Self::Interview(error) => error.code(),
            Self::NotConfigured { .. } => "NOT_CONFIGURED",
        }
    }

    fn message(&self) -> Cow<'static, str> {
        match self {
            Self::NotFound { .. } => "there is no such route".into(),
            Self::MethodNotAllowed { allow } => format!("this path takes {allow}").into(),
            Self::TooLarge { limit } => format!("the body is larger than {limit} bytes").into(),
            Self::BodyTimeout => "the body did not arrive in time".into(),
            Self::UnsupportedMediaType => "the body must be application/json".into(),
            Self::NotJson => "the body is not valid JSON".into(),
            Self::Invalid(errors) => {
                errors.iter().map(|bad| format!("{} {}", bad.field, bad.why)).collect::<Vec<_>>().join("; ").into()
            }
            Self::InvalidSosId => format!("an SOS id {NO_SOS_ID}").into(),
            Self::InvalidPath => "the path is not valid UTF-8 once it is decoded".into(),
            Self::InvalidToken => "X-Internal-Token is missing or wrong".into(),
            Self::InvalidSignature => "the signature is missing or not of our key".into(),
            Self::SignedAtAnotherTime => "the signature is of our key, but its time is not ours: compare the clocks".into(),
            Self::Unauthorized => "Unauthorized".into(),
            Self::TokenTooLong => AuthError::TooLong.to_string().into(),
            Self::RateLimited(_) => "Too many requests, try again later".into(),
            Self::Unavailable => "Temporarily unavailable, try again".into(),
            Self::Sos(error) => error.to_string().into(),
            Self::Session(error) => error.to_string().into(),
            Self::Interview(error) => error.to_string().into(),
            Self::NotConfigured { setting } => format!("{setting} is not set").into(),
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
        | SessionError::Rejected(_) => StatusCode::BAD_REQUEST,
        SessionError::Ended { .. } => StatusCode::FORBIDDEN,
        SessionError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        SessionError::TokenFailed | SessionError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Contract § 4 "Routes". What has ended is forbidden to candidates and recruiters.
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
        InterviewError::InvalidTransition { .. } => StatusCode::CONFLICT,
        InterviewError::NotConfigured { .. } => StatusCode::NOT_IMPLEMENTED,
        InterviewError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        InterviewError::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_shape_has_its_fields_whatever_went_wrong() {
        let wait = Duration::from_secs(1);
        let errors = [
            HttpError::MethodNotAllowed { allow: "GET".into() },
            HttpError::TooLarge { limit: 1 },
            HttpError::BodyTimeout,
            HttpError::UnsupportedMediaType,
            HttpError::NotJson,
            HttpError::InvalidSosId,
            HttpError::InvalidPath,
            HttpError::InvalidSignature,
            HttpError::Unavailable,
            HttpError::NotConfigured { setting: "X" },
            HttpError::RateLimited(Overdrawn { limit: 1, retry_after: wait, reset: wait }),
            HttpError::Sos(SosError::NotFound),
            HttpError::Session(SessionError::NotFound),
            HttpError::Interview(InterviewError::NotFound),
        ];
        for error in errors {
            for (shape, expected) in [
                (Shape::Sos, &["code", "error", "message", "success"][..]),
                (Shape::Coded, &["error", "message"]),
                (Shape::Message, &["message"]),
            ] {
                let expected = if matches!((&error, shape), (HttpError::RateLimited(_), Shape::Message)) {
                    &["error", "message"]
                } else {
                    expected
                };
                let body = error.body(shape);
                let fields: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
                assert_eq!(fields, expected, "{error:?} as {shape:?}");
                assert!(fields.iter().all(|field| body[field] != ""), "{body}");
            }
        }
    }

    #[test]
    fn faulty_fields_are_told_in_the_shape_of_the_route() {
        let error = HttpError::Invalid(vec![Bad::new("a", "is bad"), Bad::new("b", "too")]);
        let list = json!([{"field": "a", "message": "is bad"}, {"field": "b", "message": "too"}]);
        assert_eq!(error.body(Shape::Sos), json!({"success": false, "errors": list}));
        assert_eq!(error.body(Shape::Message), json!({"message": "a is bad; b too"}));
        assert_eq!(error.body(Shape::Coded), json!({"error": "INVALID_PAYLOAD", "message": "a is bad; b too"}));
    }
}
