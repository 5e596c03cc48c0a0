//! The one map from errors to statuses and bodies. A feature gives its own refusals as data: [`Problem`].

use std::borrow::Cow;

use hyper::header::{ALLOW, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::Body;
use super::guards::{TooManyRequests, rate};
use super::json as respond_json;
use crate::auth::AuthError;
use crate::protocol::fields::Bad;
use crate::telemetry::RequestId;

/// The form of all refusals of a route. Each surface has its own (contract §§ 3 to 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// `{success:false, error, code, message}`, and for fields `{success:false, errors}`. Also for paths that belong to no
    /// surface.
    #[default]
    Envelope,
    /// `{error, message}`.
    Coded,
    /// `{message}`.
    Message,
    /// `{error: {message, type, code, request_id}}`, for every refusal below the surface's path.
    Typed,
}

/// The body of a refusal that names its request. It is an extension of the response until the guards write the body.
#[derive(Clone, Debug)]
pub(super) struct Unnamed(Value);

impl Unnamed {
    /// The whole body.
    pub fn named(self, request: &RequestId) -> String {
        let Self(mut body) = self;
        body["error"]["request_id"] = request.as_str().into();
        body.to_string()
    }
}

/// Why a request did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpError {
    /// No such route.
    NotFound {
        path: String,
    },
    /// The path exists, but not with this method. These are its methods.
    MethodNotAllowed {
        allow: String,
    },
    /// The body is larger than this many bytes.
    TooLarge {
        limit: usize,
    },
    /// The body did not arrive in time.
    BodyTimeout,
    UnsupportedMediaType,
    NotJson,
    /// Fields that are missing or do not fit.
    Invalid(Vec<Bad>),
    /// A path that is not text after decoding.
    InvalidPath,
    /// `X-Internal-Token` is missing or wrong.
    InvalidToken,
    /// A webhook that is not signed with our LiveKit key.
    InvalidSignature,
    /// A webhook that is signed with our key, but LiveKit's clock or ours is wrong.
    SignedAtAnotherTime,
    /// A user's token is missing or invalid.
    Unauthorized,
    /// A user's token is too long to be read.
    TokenTooLong,
    /// The caller has sent too many requests to this route, or its address has failed to authenticate too often.
    RateLimited(TooManyRequests),
    /// A system that the answer needs cannot be reached.
    Unavailable,
    /// A refusal of a feature.
    Problem(Problem),
    /// The feature is off, because this setting is missing.
    NotConfigured {
        setting: &'static str,
    },
}

/// A refusal of a feature, as the answer shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub status: StatusCode,
    /// The field `code`, and `error` unless there is another text for it.
    pub code: &'static str,
    pub message: Cow<'static, str>,
    /// The field `error` in [`Shape::Envelope`], if it is not the code.
    pub error: Option<&'static str>,
    /// The same request may succeed in a moment: `Retry-After: 1`.
    pub retry: bool,
    /// One more field of the body.
    pub field: Option<(&'static str, Value)>,
}

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code, message: message.into(), error: None, retry: false, field: None }
    }
}

impl<P: Into<Problem>> From<P> for HttpError {
    fn from(problem: P) -> Self {
        Self::Problem(problem.into())
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
            Self::NotJson | Self::Invalid(_) | Self::InvalidPath => StatusCode::BAD_REQUEST,
            Self::InvalidToken | Self::InvalidSignature | Self::SignedAtAnotherTime | Self::Unauthorized | Self::TokenTooLong => {
                StatusCode::UNAUTHORIZED
            }
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::NotConfigured { .. } => StatusCode::NOT_IMPLEMENTED,
            Self::Problem(problem) => problem.status,
        }
    }

    /// The answer of a route with this shape.
    pub fn response(&self, shape: Shape) -> Response<Body> {
        let body = self.body(shape);
        let mut response = respond_json(self.status(), body.to_string());
        if shape == Shape::Typed {
            response.extensions_mut().insert(Unnamed(body));
        }
        let headers = response.headers_mut();
        match self {
            Self::Unavailable | Self::Problem(Problem { retry: true, .. }) => {
                headers.insert(RETRY_AFTER, 1.into());
            }
            Self::RateLimited(refused) => {
                headers.insert(RETRY_AFTER, rate::seconds(refused.retry_after));
                rate::tell(headers, refused.limit, 0, refused.reset);
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

    pub(super) fn body(&self, shape: Shape) -> Value {
        let (code, message) = (self.code(), self.message());
        let mut body = match (self, shape) {
            (_, Shape::Typed) => {
                let kind = self.kind();
                json!({"error": {"message": message, "type": format!("{kind}_error"), "code": kind, "request_id": ""}})
            }
            // These have the same text in all other shapes.
            (Self::NotFound { path }, _) => return json!({"error": "Not Found", "path": path}),
            (Self::InvalidToken, _) => return json!({"error": code, "message": message}),
            (Self::Unauthorized | Self::TokenTooLong, _) => return json!({"message": message}),
            (Self::RateLimited(_), Shape::Coded | Shape::Message) => json!({"error": "RATE_LIMIT", "message": message}),
            (Self::Invalid(errors), Shape::Envelope) => {
                let errors: Vec<_> = errors.iter().map(|e| json!({"field": e.field, "message": e.why})).collect();
                json!({"success": false, "errors": errors})
            }
            (Self::Problem(Problem { error: Some(error), .. }), Shape::Envelope) => {
                json!({"success": false, "error": error, "code": code, "message": message})
            }
            (_, Shape::Envelope) => json!({"success": false, "error": code, "code": code, "message": message}),
            (_, Shape::Coded) => json!({"error": code, "message": message}),
            (_, Shape::Message) => json!({"message": message}),
        };
        if let Some((name, value)) = self.extra() {
            body[*name] = value.clone();
        }
        body
    }

    /// The field `type` of [`Shape::Typed`].
    fn kind(&self) -> &'static str {
        match self.status() {
            StatusCode::UNAUTHORIZED => "unauthorized",
            StatusCode::NOT_FOUND => "not_found",
            StatusCode::TOO_MANY_REQUESTS => "rate_limited",
            StatusCode::NOT_IMPLEMENTED => "not_implemented",
            // Redis, a JWKS or LiveKit is away.
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::BAD_GATEWAY => "external",
            status if status.is_client_error() => "validation",
            _ => "internal",
        }
    }

    /// The additional field that some refusals have.
    pub(super) fn extra(&self) -> Option<&(&'static str, Value)> {
        match self {
            Self::Problem(Problem { field, .. }) => field.as_ref(),
            _ => None,
        }
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
            Self::InvalidPath => "INVALID_PATH",
            Self::InvalidToken => "INVALID_TOKEN",
            Self::InvalidSignature | Self::SignedAtAnotherTime => "INVALID_SIGNATURE",
            Self::Unauthorized | Self::TokenTooLong => "UNAUTHORIZED",
            Self::RateLimited(_) => "RATE_LIMITED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Problem(problem) => problem.code,
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
            Self::InvalidPath => "the path is not valid UTF-8 once it is decoded".into(),
            Self::InvalidToken => "X-Internal-Token is missing or wrong".into(),
            Self::InvalidSignature => "the signature is missing or not of our key".into(),
            Self::SignedAtAnotherTime => "the signature is of our key, but its time is not ours: compare the clocks".into(),
            Self::Unauthorized => "Unauthorized".into(),
            Self::TokenTooLong => AuthError::TooLong.to_string().into(),
            Self::RateLimited(_) => "Too many requests, try again later".into(),
            Self::Unavailable => "Temporarily unavailable, try again".into(),
            Self::Problem(problem) => problem.message.clone(),
            Self::NotConfigured { setting } => format!("{setting} is not set").into(),
        }
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
            HttpError::InvalidPath,
            HttpError::InvalidSignature,
            HttpError::Unavailable,
            HttpError::NotConfigured { setting: "X" },
            HttpError::RateLimited(TooManyRequests { limit: 1, retry_after: wait, reset: wait }),
            HttpError::Problem(Problem::new(StatusCode::CONFLICT, "TAKEN", "it is taken")),
        ];
        for error in errors {
            for (shape, expected) in [
                (Shape::Envelope, &["code", "error", "message", "success"][..]),
                (Shape::Coded, &["error", "message"]),
                (Shape::Message, &["message"]),
                (Shape::Typed, &["error"]),
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
    fn the_typed_shape_is_the_same_for_every_error_and_names_its_request() {
        let wait = Duration::from_secs(1);
        let internal = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "a fault of ours");
        for (error, kind) in [
            (HttpError::NotFound { path: "/v9".into() }, "not_found"),
            (HttpError::MethodNotAllowed { allow: "GET".into() }, "validation"),
            (HttpError::TooLarge { limit: 1 }, "validation"),
            (HttpError::BodyTimeout, "validation"),
            (HttpError::UnsupportedMediaType, "validation"),
            (HttpError::Invalid(vec![Bad::new("limit", "is bad")]), "validation"),
            (HttpError::InvalidToken, "unauthorized"),
            (HttpError::Unauthorized, "unauthorized"),
            (HttpError::TokenTooLong, "unauthorized"),
            (HttpError::RateLimited(TooManyRequests { limit: 1, retry_after: wait, reset: wait }), "rate_limited"),
            (HttpError::Unavailable, "external"),
            (HttpError::NotConfigured { setting: "X" }, "not_implemented"),
            (internal.into(), "internal"),
        ] {
            let unnamed = error.response(Shape::Typed).extensions().get::<Unnamed>().cloned().unwrap();
            let body: Value = serde_json::from_str(&unnamed.named(&RequestId::take_or_make(Some(b"r-1")))).unwrap();
            let message = error.message();
            let expected = json!({"message": message, "type": format!("{kind}_error"), "code": kind, "request_id": "r-1"});
            assert_eq!(body, json!({ "error": expected }), "{error:?}");
            assert!(error.response(Shape::Message).extensions().get::<Unnamed>().is_none());
        }
    }

    #[test]
    fn faulty_fields_are_told_in_the_shape_of_the_route() {
        let error = HttpError::Invalid(vec![Bad::new("a", "is bad"), Bad::new("b", "too")]);
        let list = json!([{"field": "a", "message": "is bad"}, {"field": "b", "message": "too"}]);
        assert_eq!(error.body(Shape::Envelope), json!({"success": false, "errors": list}));
        assert_eq!(error.body(Shape::Message), json!({"message": "a is bad; b too"}));
        assert_eq!(error.body(Shape::Coded), json!({"error": "INVALID_PAYLOAD", "message": "a is bad; b too"}));
    }
}
