//! Public keys that an identity provider publishes. They are kept, fetched again when they are old, and fetched at a bounded
//! rate when a token names a key that is not known yet: a stream of made-up `kid`s must not become a stream of requests.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;

use super::AuthError;
use super::keys::BoundKey;

/// At most one request in so long.
const LEAST_INTERVAL: Duration = Duration::from_secs(10);
/// Keys older than this are fetched again, so that a revoked one goes. If that fails, the old ones still count.
const MAX_AGE: Duration = Duration::from_secs(600);
/// For the whole request.
const DEADLINE: Duration = Duration::from_secs(3);
const LARGEST_DOCUMENT: usize = 256 * 1024;
/// Keys of one document that are kept. A token without `kid` is tried on each of them.
const MOST_KEYS: usize = 32;

pub(super) struct Jwks {
    url: Box<str>,
    http: reqwest::Client,
    known: ArcSwap<Known>,
    /// Held while fetching, so that a hundred tokens with one new `kid` make one request.
    attempt: Mutex<Attempt>,
}

#[derive(Default)]
struct Known {
    keys: Vec<PublishedKey>,
    fetched: Option<Instant>,
}

struct PublishedKey {
    kid: Option<String>,
    bound: BoundKey,
}

#[derive(Default)]
struct Attempt {
    last: Option<Instant>,
    failed: bool,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("it is not a JWKS")]
    NotAJwks(#[from] serde_json::Error),
    #[error("it is larger than {LARGEST_DOCUMENT} bytes")]
    TooLarge,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl Jwks {
    pub fn new(url: &str) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(DEADLINE).redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { url: url.into(), http, known: ArcSwap::default(), attempt: Mutex::default() })
    }

    /// The keys that may have signed a token with this header.
    ///
    /// # Errors
    /// [`AuthError::Invalid`] if no published key fits, [`AuthError::Unavailable`] if that cannot be known now.
    pub async fn keys(&self, algorithm: Algorithm, kid: Option<&str>) -> Result<Vec<BoundKey>, AuthError> {
        let known = self.known.load_full();
        let fitting = known.fitting(algorithm, kid);
        if !fitting.is_empty() && known.fetched.is_some_and(|at| at.elapsed() < MAX_AGE) {
            return Ok(fitting);
        }
        // With old keys at hand only one caller waits for newer ones; the others go on with what there is.
        let attempt = if fitting.is_empty() { Some(self.attempt.lock().await) } else { self.attempt.try_lock().ok() };
        let Some(attempt) = attempt else { return Ok(fitting) };
        let failed = self.refresh(attempt, known.fetched).await;
        let fitting = self.known.load().fitting(algorithm, kid);
        match (fitting.is_empty(), failed) {
            (false, _) => Ok(fitting),
            (true, true) => Err(AuthError::Unavailable),
            (true, false) => Err(AuthError::Invalid),
        }
    }

    /// Fetches the document unless someone did since the caller looked, or a moment ago. Says whether the last attempt failed.
    async fn refresh(&self, mut attempt: MutexGuard<'_, Attempt>, seen: Option<Instant>) -> bool {
        let done_meanwhile = self.known.load().fetched != seen;
        if !done_meanwhile && attempt.last.is_none_or(|at| at.elapsed() >= LEAST_INTERVAL) {
            attempt.last = Some(Instant::now());
            // Until the answer is there the attempt counts as failed, also when the caller gives up waiting.
            attempt.failed = true;
            match self.fetch().await {
                Ok(keys) => {
                    attempt.failed = false;
                    self.known.store(Arc::new(Known { keys, fetched: Some(Instant::now()) }));
                }
                Err(error) => tracing::warn!(url = %self.url, error = ?error, "the JWKS cannot be fetched"),
            }
        }
        attempt.failed
    }

    async fn fetch(&self) -> Result<Vec<PublishedKey>, FetchError> {
        let mut response = self.http.get(&*self.url).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > LARGEST_DOCUMENT {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let document: Document = serde_json::from_slice(&body)?;
        // A key of a kind that we don't know must not cost us the others.
        Ok(document.keys.into_iter().filter_map(published_key).take(MOST_KEYS).collect())
    }
}

impl Known {
    fn fitting(&self, algorithm: Algorithm, kid: Option<&str>) -> Vec<BoundKey> {
        let fits = |key: &&PublishedKey| key.bound.algorithm == algorithm && (kid.is_none() || key.kid.as_deref() == kid);
        self.keys.iter().filter(fits).map(|key| key.bound.clone()).collect()
    }
}

/// A signing key of a kind that we accept, bound to its one algorithm.
fn published_key(value: Value) -> Option<PublishedKey> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let (algorithm, name) = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => (Algorithm::ES256, KeyAlgorithm::ES256),
        _ => return None,
    };
    let signs = jwk.common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    if !signs || jwk.common.key_algorithm.is_some_and(|given| given != name) {
        return None;
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some(PublishedKey { kid: jwk.common.key_id, bound: BoundKey { algorithm, key } })
}
