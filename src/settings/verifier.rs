//! How the tokens of each surface are verified (contract § 7).

use super::Secret;
use super::reader::Reader;
use super::table::Variable;

/// How the tokens of one surface are verified. Several keys may stand side by side; each is bound to its algorithms.
#[derive(Clone, Debug, Default)]
pub struct VerifierSettings {
    /// HS256.
    pub secret: Option<Secret>,
    /// PEM of an RSA (RS256) or P-256 (ES256) public key.
    pub public_key: Option<Box<str>>,
    /// RS256, ES256.
    pub jwks_url: Option<Box<str>>,
    pub issuer: Option<Box<str>>,
    pub audience: Option<Box<str>>,
}

impl VerifierSettings {
    /// The five variables of a surface: secret, public key, JWKS, issuer, audience.
    pub fn read(read: &mut Reader<'_>, variables: [&'static Variable; 5]) -> Self {
        let [secret, key, jwks_url, issuer, audience] = variables;
        Self {
            secret: read.own_secret(secret),
            public_key: read.given(key).map(|pem| public_key(read, key, pem)),
            jwks_url: read.http_url(jwks_url),
            issuer: read.optional(issuer),
            audience: Some(read.text(audience)).filter(|audience| !audience.is_empty()).map(Into::into),
        }
    }

    /// Whether a token of the one would be good for the other.
    pub fn shares_a_key_with(&self, other: &Self) -> bool {
        (self.secret.is_some() && self.secret == other.secret)
            || (self.public_key.is_some() && self.public_key == other.public_key)
            || (self.jwks_url.is_some() && self.jwks_url == other.jwks_url)
    }

    /// Whether any token could be verified at all.
    pub fn is_configured(&self) -> bool {
        self.secret.is_some() || self.public_key.is_some() || self.jwks_url.is_some()
    }
}

/// Bytes of an uncompressed point on P-256, which tells that curve from the others.
const P256_POINT: usize = 65;

/// A public key as PEM, in which `\\n` may stand for a line break.
pub fn public_key(read: &mut Reader<'_>, variable: &Variable, pem: &str) -> Box<str> {
    let pem = pem.trim().replace("\\n", "\n");
    let readable = jsonwebtoken::DecodingKey::from_rsa_pem(pem.as_bytes()).is_ok()
        || jsonwebtoken::DecodingKey::from_ec_pem(pem.as_bytes()).is_ok_and(|key| key.as_bytes().len() == P256_POINT);
    if !readable {
        read.fault(variable, "must be an RSA or P-256 public key as PEM (-----BEGIN PUBLIC KEY-----)");
    }
    pem.into()
}
