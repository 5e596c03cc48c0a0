//! What goes wrong with LiveKit. None of it shows the key's secret or a token.

use livekit_api::access_token::AccessTokenError;
use livekit_api::services::{ServerError, ServerErrorCode as Code, ServiceError};

/// Why no client could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("LIVEKIT_API_URL is no URL")]
pub struct SetupError;

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiveKitError {
    /// No answer, none in time, or one that says that LiveKit itself failed: what was asked for may have happened.
    #[error("LiveKit is not available: {0}")]
    Unavailable(String),
    /// LiveKit says no, and nothing has happened.
    #[error("LiveKit refuses: {code}: {message}")]
    Refused { code: String, message: String },
    /// No token could be signed.
    #[error("no token for LiveKit can be signed: {0}")]
    Token(String),
}

impl LiveKitError {
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == Code::NOT_FOUND)
    }
}

impl From<ServiceError> for LiveKitError {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Twirp(ServerError::Twirp(answer)) if is_refusal(&answer.code) => {
                Self::Refused { code: answer.code, message: answer.msg }
            }
            ServiceError::Twirp(ServerError::Twirp(answer)) => Self::Unavailable(answer.to_string()),
            // LiveKit refuses a key in plain words, on which its own crate stumbles.
            ServiceError::Twirp(ServerError::Request(error)) if error.is_decode() => Self::Unavailable(
                "the answer is not that of its API; are LIVEKIT_API_KEY, LIVEKIT_API_SECRET and its address right?".into(),
            ),
            ServiceError::Twirp(ServerError::Request(error)) => Self::Unavailable(chain(&error)),
            ServiceError::Twirp(error) => Self::Unavailable(chain(&error)),
            ServiceError::AccessToken(error) => error.into(),
            ServiceError::Env(error) => Self::Token(error.to_string()),
        }
    }
}

impl From<AccessTokenError> for LiveKitError {
    fn from(error: AccessTokenError) -> Self {
        Self::Token(chain(&error))
    }
}

/// Codes that say that nothing was done. All others leave it open.
fn is_refusal(code: &str) -> bool {
    [
        Code::INVALID_ARGUMENT,
        Code::MALFORMED,
        Code::NOT_FOUND,
        Code::BAD_ROUTE,
        Code::ALREADY_EXISTS,
        Code::PERMISSION_DENIED,
        Code::UNAUTHENTICATED,
        Code::RESOURCE_EXHAUSTED,
        Code::FAILED_PRECONDITION,
        Code::OUT_OF_RANGE,
        Code::UNIMPLEMENTED,
    ]
    .contains(&code)
}

/// An error with its causes: those of HTTP clients say nothing without.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Why a webhook was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It does not come from our LiveKit, or is not what LiveKit has sent.
    #[error("the webhook is not signed with our key")]
    Signature,
    /// It does come from there, but tells nothing that could be read.
    #[error("the webhook holds no event")]
    Body,
}
