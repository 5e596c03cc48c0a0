//! Who may talk to the hub. Each surface has a verifier of its own, and none falls back to another (contract § 7).
//!
//! It says who a token speaks for; what that person may do is the features' business.

mod internal;
mod jwks;
mod keys;

pub use internal::InternalToken;
pub use jwks::FetchError;
use keys::LONGEST_TOKEN;
pub use keys::{KeyRing, Opened, ends_at, id_text, sign};

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("A token is required")]
    Missing,
    #[error("The token is not valid")]
    Invalid,
    /// It was not even read.
    #[error("The token is longer than {LONGEST_TOKEN} bytes")]
    TooLong,
    /// The token was good once. Whether it still opens something is for the caller to say.
    #[error("The token has expired")]
    Expired,
    #[error("This surface has no key to verify tokens with")]
    NotConfigured,
    /// The keys could not be fetched. The token may be good: the client should try again, so no CONNECT_ERROR for this one.
    #[error("The keys to verify the token with cannot be reached")]
    Unavailable,
}

impl AuthError {
    /// The code on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "MISSING_TOKEN",
            Self::Invalid | Self::TooLong => "INVALID_TOKEN",
            Self::Expired => "TOKEN_EXPIRED",
            Self::NotConfigured => "NOT_CONFIGURED",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// Why a verifier could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("the public key cannot be used")]
    Key(#[from] jsonwebtoken::errors::Error),
    #[error("no HTTP client can be made to fetch keys with")]
    Http(#[from] reqwest::Error),
}

/// Makes `jsonwebtoken` use the provider that knows RSA and ECDSA. Another crate may install an HMAC-only one for the whole
/// process on its first use, so `main` calls this first thing. Calling it again is harmless.
pub fn install_crypto_provider() {
    // An error says that a provider is installed already, which is as good.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
