//! Whose requests these are (contract § 6): the `sub` of a token of an identity provider, such as Keycloak's. No header of a
//! request names its user.

use serde_json::{Map, Value, json};

use super::settings::{Auth, Settings};
use crate::auth::{AuthError, KeyRing, SetupError, id_text, sign};
use crate::core::ids;
use crate::settings::VerifierSettings;

/// Everybody, where no tokens are asked for.
pub const ANONYMOUS: &str = "anonymous";

/// Verifies the tokens of this surface.
pub enum UserVerifier {
    /// None are asked for.
    Nobody,
    Tokens(KeyRing),
}

impl UserVerifier {
    /// `None`: nothing is said of tokens, and the surface is off.
    ///
    /// # Errors
    /// If a key cannot be used. Reading the settings has found unreadable ones already.
    pub fn new(settings: &Settings) -> Result<Option<Self>, SetupError> {
        Ok(match &settings.auth {
            Auth::Unset => None,
            Auth::Off => Some(Self::Nobody),
            Auth::Tokens(identity) => Some(Self::Tokens(KeyRing::new(identity)?)),
        })
    }

    /// The user of a request that carries this token. `now_seconds` since 1970. Waits for a JWKS at most 3 s.
    ///
    /// # Errors
    /// All of [`AuthError`] but `NotConfigured`.
    pub async fn verify(&self, token: Option<&str>, now_seconds: u64) -> Result<String, AuthError> {
        match self {
            Self::Nobody => Ok(ANONYMOUS.into()),
            Self::Tokens(keys) => keys.verify(token.ok_or(AuthError::Missing)?, now_seconds, |claims, _| user(claims)).await,
        }
    }
}

fn user(claims: &Map<String, Value>) -> Option<String> {
    id_text(claims.get("sub")?).filter(|id| ids::is_user_id(id)).map(Into::into)
}

/// Signs such a token with the surface's own secret: for development and tests.
///
/// # Errors
/// [`AuthError::NotConfigured`] without a secret.
pub fn mint(identity: &VerifierSettings, user: &str, expires_at: u64, now_seconds: u64) -> Result<String, AuthError> {
    sign(identity, json!({ "sub": user, "iat": now_seconds, "exp": expires_at }))
}
