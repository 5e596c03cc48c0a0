//! How the tokens of each surface are verified (contract § 7).

use super::Secret;
use super::reader::Reader;
use super::table::{self as t, Variable};

/// How the tokens of one surface are verified. Several keys may stand side by side; each is bound to its algorithms.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// HS256.
    pub secret: Option<Secret>,
    /// PEM of an RSA (RS256) or P-256 (ES256) public key.
    pub public_key: Option<Box<str>>,
    /// RS256, ES256.
    pub jwks_url: Option<Box<str>>,
    pub issuer: Option<Box<str>>,
    pub audience: Option<Box<str>>,
}

impl Identity {
    /// Whether any token could be verified at all.
    pub fn is_configured(&self) -> bool {
        self.secret.is_some() || self.public_key.is_some() || self.jwks_url.is_some()
    }
}

pub(super) fn sos(read: &mut Reader<'_>) -> Identity {
    Identity {
        secret: read.either(t::JWT_SECRET, t::SOS_JWT_SECRET).map(|(_, secret)| Secret::new(secret)),
        public_key: read.either(t::JWT_PUBLIC_KEY, t::SOS_JWT_PUBLIC_KEY).map(|(variable, pem)| public_key(read, variable, pem)),
        jwks_url: read.http_url(t::SOS_JWKS_URL),
        issuer: read.optional(t::SOS_ISSUER),
        audience: read.optional(t::SOS_AUDIENCE),
    }
}

/// The five variables of a surface: secret, public key, JWKS, issuer, audience.
pub(super) fn identity(read: &mut Reader<'_>, variables: [&Variable; 5]) -> Identity {
    let [secret, key, jwks_url, issuer, audience] = variables;
    Identity {
        secret: read.secret(secret),
        public_key: read.given(key).map(|pem| public_key(read, key, pem)),
        jwks_url: read.http_url(jwks_url),
        issuer: read.optional(issuer),
        audience: Some(read.text(audience)).filter(|audience| !audience.is_empty()).map(Into::into),
    }
}

/// The same key on two surfaces would make one of them: that must be meant.
pub(super) fn check_apart(read: &mut Reader<'_>, surfaces: [(&str, &Identity); 3]) {
    if read.flag(t::JWT_SHARED) {
        return;
    }
    for (at, (name, one)) in surfaces.iter().enumerate() {
        for (other_name, other) in &surfaces[at + 1..] {
            let same = (one.secret.is_some() && one.secret == other.secret)
                || (one.public_key.is_some() && one.public_key == other.public_key)
                || (one.jwks_url.is_some() && one.jwks_url == other.jwks_url);
            if same {
                read.fault(t::JWT_SHARED, format!("must be true if {name} and {other_name} are to have the same key"));
            }
        }
    }
}

/// Bytes of an uncompressed point on P-256, which tells that curve from the others.
const P256_POINT: usize = 65;

fn public_key(read: &mut Reader<'_>, variable: &Variable, pem: &str) -> Box<str> {
    let pem = pem.trim().replace("\\n", "\n");
    let readable = jsonwebtoken::DecodingKey::from_rsa_pem(pem.as_bytes()).is_ok()
        || jsonwebtoken::DecodingKey::from_ec_pem(pem.as_bytes()).is_ok_and(|key| key.as_bytes().len() == P256_POINT);
    if !readable {
        read.fault(variable, "must be an RSA or P-256 public key as PEM (-----BEGIN PUBLIC KEY-----)");
    }
    pem.into()
}
