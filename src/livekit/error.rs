//! What can go wrong with LiveKit. No text shows the key's secret or a token.

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("LIVEKIT_API_URL is no URL")]
    Address,
    #[error("no HTTP client can be made")]
    Http(#[from] reqwest::Error),
}

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
        matches!(self, Self::Refused { code, .. } if code == "not_found")
    }
}

/// Twirp's codes that say that nothing was done. All others leave it open.
pub(super) fn is_refusal(code: &str) -> bool {
    [
        "invalid_argument",
        "malformed",
        "not_found",
        "bad_route",
        "already_exists",
        "permission_denied",
        "unauthenticated",
        "resource_exhausted",
        "failed_precondition",
        "out_of_range",
        "unimplemented",
    ]
    .contains(&code)
}

/// Why a webhook was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// It does not come from our LiveKit, or is not what LiveKit has sent.
    #[error("the webhook is not signed with our key")]
    Signature,
    /// It is signed with our key, but LiveKit's clock is ahead of ours by so many seconds, or behind (below 0).
    #[error("LiveKit's clock and ours are {} s apart", .0.unsigned_abs())]
    Clock(i64),
    /// It does come from there, but tells nothing that could be read.
    #[error("the webhook holds no event")]
    Body,
}
