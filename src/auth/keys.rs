//! The keys of one surface, each bound to its algorithm: what a token's header says only ever picks among them.

use std::borrow::Cow;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::jwks::Jwks;
use super::{AuthError, FetchError, SetupError};
use crate::settings::VerifierSettings;
use crate::telemetry;

/// Longer tokens are refused unread. Keycloak's easily have 10 KB, of roles and groups.
pub(super) const LONGEST_TOKEN: usize = 16 * 1024;
/// Clocks may differ by so much.
const SKEW_SECONDS: u64 = 30;

/// Until when a token with this `exp` counts, at the door and for every timer: a clock that is a little ahead of the issuer's
/// cuts nobody off.
pub fn ends_at(expires_at: u64) -> u64 {
    expires_at.saturating_add(SKEW_SECONDS)
}

/// A key that can verify one algorithm and no other.
#[derive(Clone)]
pub(super) struct BoundKey {
    pub algorithm: Algorithm,
    pub key: DecodingKey,
}

impl BoundKey {
    /// The claims, if this key signed the token. Times, issuer and audience are not looked at.
    fn open(&self, token: &str) -> Option<Map<String, Value>> {
        let mut signature_only = Validation::new(self.algorithm);
        signature_only.required_spec_claims.clear();
        signature_only.validate_exp = false;
        signature_only.validate_aud = false;
        jsonwebtoken::decode(token, &self.key, &signature_only).ok().map(|data| data.claims)
    }
}

/// All that verifies the tokens of one surface.
pub struct KeyRing {
    own: Vec<BoundKey>,
    jwks: Option<Jwks>,
    issuer: Option<Box<str>>,
    audience: Option<Box<str>>,
}

/// A token whose signature, issuer and audience are right.
pub struct Opened {
    pub claims: Map<String, Value>,
    /// Seconds since 1970; `None`: never.
    pub expires_at: Option<u64>,
    pub expired: bool,
}

/// The part of a header that picks the key.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that a verifier must understand. We know none.
    crit: Option<Value>,
}

impl KeyRing {
    /// # Errors
    /// If the public key cannot be read, or no HTTP client can be made for the JWKS.
    pub fn new(identity: &VerifierSettings) -> Result<Self, SetupError> {
        let mut own = Vec::new();
        if let Some(secret) = &identity.secret {
            own.push(BoundKey { algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret.expose().as_bytes()) });
        }
        if let Some(pem) = &identity.public_key {
            let rsa = DecodingKey::from_rsa_pem(pem.as_bytes()).map(|key| BoundKey { algorithm: Algorithm::RS256, key });
            let ec = || DecodingKey::from_ec_pem(pem.as_bytes()).map(|key| BoundKey { algorithm: Algorithm::ES256, key });
            own.push(rsa.or_else(|_| ec())?);
        }
        Ok(Self {
            own,
            jwks: identity.jwks_url.as_deref().map(Jwks::new).transpose()?,
            issuer: identity.issuer.clone(),
            audience: identity.audience.clone(),
        })
    }

    /// Verifies everything but what the claims mean to the surface. A token that has expired is told by [`Opened::expired`].
    ///
    /// # Errors
    /// All of [`AuthError`] but `Expired`.
    pub async fn open(&self, token: &str, now_seconds: u64) -> Result<Opened, AuthError> {
        if self.own.is_empty() && self.jwks.is_none() {
            return Err(AuthError::NotConfigured);
        }
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        if token.len() > LONGEST_TOKEN {
            if let Some(times) = telemetry::due("token too long") {
                let (bytes, most) = (token.len(), LONGEST_TOKEN);
                tracing::warn!(times, bytes, most, "a token is too long and was refused: its issuer should put less into it");
            }
            return Err(AuthError::TooLong);
        }
        let header = header(token).ok_or(AuthError::Invalid)?;
        let claims = self.signed_claims(token, &header).await?;
        self.check_standard_claims(claims, now_seconds)
    }

    /// Verifies a token, and reads from its claims and its end (seconds since 1970) whom it speaks for. Waits for a JWKS at
    /// most 3 s.
    ///
    /// # Errors
    /// All of [`AuthError`]; [`AuthError::Invalid`] also if `read` makes nothing of the claims.
    pub async fn verify<T>(
        &self,
        token: &str,
        now_seconds: u64,
        read: impl FnOnce(&Map<String, Value>, Option<u64>) -> Option<T>,
    ) -> Result<T, AuthError> {
        let opened = self.open(token, now_seconds).await?;
        let read = read(&opened.claims, opened.expires_at).ok_or(AuthError::Invalid)?;
        if opened.expired { Err(AuthError::Expired) } else { Ok(read) }
    }

    /// Fetches the JWKS now and says how many keys it holds. `None` if none is configured.
    pub async fn fetch_published(&self) -> Option<Result<usize, FetchError>> {
        match &self.jwks {
            Some(jwks) => Some(jwks.fetch().await.map(|keys| keys.len())),
            None => None,
        }
    }

    async fn signed_claims(&self, token: &str, header: &Header) -> Result<Map<String, Value>, AuthError> {
        let algorithm = match header.alg.as_str() {
            "HS256" => Algorithm::HS256,
            "RS256" => Algorithm::RS256,
            "ES256" => Algorithm::ES256,
            _ => return Err(AuthError::Invalid),
        };
        let own = self.own.iter().filter(|key| key.algorithm == algorithm).find_map(|key| key.open(token));
        if let Some(claims) = own {
            return Ok(claims);
        }
        // A published key is never a shared secret: without this line a JWKS of "oct" keys could be asked about HS256.
        let Some(jwks) = self.jwks.as_ref().filter(|_| algorithm != Algorithm::HS256) else {
            return Err(AuthError::Invalid);
        };
        let keys = jwks.keys(algorithm, header.kid.as_deref()).await?;
        keys.iter().find_map(|key| key.open(token)).ok_or(AuthError::Invalid)
    }

    fn check_standard_claims(&self, claims: Map<String, Value>, now_seconds: u64) -> Result<Opened, AuthError> {
        let issuer_is_right =
            self.issuer.as_deref().is_none_or(|issuer| claims.get("iss").and_then(Value::as_str) == Some(issuer));
        let audience_is_right = self.audience.as_deref().is_none_or(|audience| match claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        });
        if !issuer_is_right || !audience_is_right {
            return Err(AuthError::Invalid);
        }
        if numeric_date(claims.get("nbf"))?.is_some_and(|from| from > now_seconds.saturating_add(SKEW_SECONDS)) {
            return Err(AuthError::Invalid);
        }
        let expires_at = numeric_date(claims.get("exp"))?;
        let expired = expires_at.is_some_and(|at| ends_at(at) <= now_seconds);
        Ok(Opened { claims, expires_at, expired })
    }
}

/// Signs claims with the surface's own secret, as an issuer of its tokens would. `iss` and `aud` are what it asks for.
///
/// # Errors
/// [`AuthError::NotConfigured`] without a secret.
pub fn sign(identity: &VerifierSettings, mut claims: Value) -> Result<String, AuthError> {
    let secret = identity.secret.as_ref().ok_or(AuthError::NotConfigured)?;
    for (name, value) in [("iss", &identity.issuer), ("aud", &identity.audience)] {
        if let Some(value) = value {
            claims[name] = (&**value).into();
        }
    }
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::new(Algorithm::HS256), &claims, &key).map_err(|_| AuthError::Invalid)
}

/// The header before anything is verified: only good for picking a key.
fn header(token: &str) -> Option<Header> {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
    let mut parts = token.split('.');
    let (Some(header), Some(_), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else { return None };
    let header: Header = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    header.crit.is_none().then_some(header)
}

/// An id in a genuine token: text, or a whole number, which counts as its decimal text. Issuers with numeric keys write those.
pub fn id_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string().into()),
        _ => None,
    }
}

/// RFC 7519 § 2: seconds since 1970, possibly with a fraction. Absent and null are no date; anything else is a bad token.
fn numeric_date(value: Option<&Value>) -> Result<Option<u64>, AuthError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => match (number.as_u64(), number.as_f64()) {
            (Some(seconds), _) => Ok(Some(seconds)),
            // The cast saturates: a date beyond u64 is "never" for all who ask.
            (None, Some(seconds)) if seconds >= 0.0 => Ok(Some(seconds as u64)),
            _ => Err(AuthError::Invalid),
        },
        Some(_) => Err(AuthError::Invalid),
    }
}
