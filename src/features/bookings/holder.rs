//! Tokens of those who hold interview sessions (contract § 5): an identity provider's, such as Supabase's, whose `sub` is a
//! UUID. Roles mean nothing here: a session belongs to its user.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::auth::{AuthError, KeyRing, SetupError, sign};
use crate::settings::VerifierSettings;

/// The longest e-mail address that is passed on (RFC 3696, erratum 1690, rounded up).
const LONGEST_EMAIL: usize = 320;
/// Characters of a UUID in the only form that is accepted. With other forms one user would have several ids.
const UUID_LENGTH: usize = 36;

/// The user who sends a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub user_id: Uuid,
    pub email: Option<String>,
    /// Seconds since 1970; `None`: never.
    pub expires_at: Option<u64>,
}

/// Verifies the tokens of those who hold sessions.
pub struct HolderVerifier {
    keys: KeyRing,
}

impl HolderVerifier {
    /// # Errors
    /// If a key cannot be used. Reading the settings has found unreadable ones already.
    pub fn new(identity: &VerifierSettings) -> Result<Self, SetupError> {
        Ok(Self { keys: KeyRing::new(identity)? })
    }

    /// `now_seconds` since 1970. Waits for a JWKS at most 3 s.
    ///
    /// # Errors
    /// All of [`AuthError`].
    pub async fn verify(&self, token: &str, now_seconds: u64) -> Result<Holder, AuthError> {
        self.keys.verify(token, now_seconds, holder).await
    }
}

fn holder(claims: &Map<String, Value>, expires_at: Option<u64>) -> Option<Holder> {
    let sub = claims.get("sub")?.as_str().filter(|sub| sub.len() == UUID_LENGTH)?;
    // An address that makes no sense is left out. It is only shown, so it is no reason to lock a user out.
    let email = claims.get("email").and_then(Value::as_str);
    let email = email.filter(|email| (1..=LONGEST_EMAIL).contains(&email.len()) && !email.contains(char::is_control));
    Some(Holder { user_id: sub.parse().ok()?, email: email.map(Into::into), expires_at })
}

/// Signs such a token with the surface's own secret: for development, the demo page and tests.
///
/// # Errors
/// [`AuthError::NotConfigured`] without a secret.
pub fn mint(
    identity: &VerifierSettings,
    user: Uuid,
    email: Option<&str>,
    expires_at: u64,
    now_seconds: u64,
) -> Result<String, AuthError> {
    let mut claims = json!({ "sub": user.to_string(), "role": "authenticated", "iat": now_seconds, "exp": expires_at });
    if let Some(email) = email {
        claims["email"] = email.into();
    }
    sign(identity, claims)
}
