//! Public keys that an identity provider publishes. They are kept, fetched again when they are old, and fetched at a bounded
//! rate when a token names a key that is not known yet: a stream of made-up `kid`s must not become a stream of requests.
//!
//! A key that is not in the document is a false one only if the document was asked for after the token came. While it may not be
//! asked for, nobody knows: it may have been published a moment ago.

use std::collections::VecDeque;
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
use crate::telemetry::{due, once_a_minute};

/// Unknown keys may cause one request in so long, and each of them no more often …
const LEAST_INTERVAL: Duration = Duration::from_secs(10);
/// … but as many at once: a made-up `kid` must not keep the next genuine one waiting.
const AT_ONCE: u32 = 5;
/// Unknown keys that are remembered.
const MOST_ASKED: usize = 64;
/// Characters of a `kid` that are remembered and shown.
const KID_SHOWN: usize = 64;
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
    /// When the document was asked for.
    asked: Option<Instant>,
}

pub(super) struct PublishedKey {
    kid: Option<String>,
    bound: BoundKey,
}

/// When the document was asked for, and may be again.
#[derive(Default)]
struct Attempt {
    last: Option<Instant>,
    failed: bool,
    /// GCRA over all unknown keys: how far requests are ahead of one in each interval.
    ahead_until: Option<Instant>,
    /// Those that have caused a request, and when.
    unknown: VecDeque<(Box<str>, Instant)>,
}

impl Attempt {
    /// Whether the document may be asked for because it has grown old.
    fn may_renew(&self, now: Instant) -> bool {
        self.last.is_none_or(|at| now - at >= LEAST_INTERVAL)
    }

    /// Whether this unknown key may cause a request now; then it has.
    fn may_look_for(&mut self, kid: Option<&str>, now: Instant) -> bool {
        if self.failed && !self.may_renew(now) {
            return false;
        }
        let kid: String = kid.unwrap_or_default().chars().take(KID_SHOWN).collect();
        self.unknown.retain(|(_, at)| now - *at < LEAST_INTERVAL);
        let ahead = self.ahead_until.unwrap_or(now).max(now) + LEAST_INTERVAL;
        let too_many = ahead - now > LEAST_INTERVAL * AT_ONCE || self.unknown.len() >= MOST_ASKED;
        if too_many || self.unknown.iter().any(|(asked, _)| **asked == kid) {
            return false;
        }
        self.ahead_until = Some(ahead);
        self.unknown.push_back((kid.into(), now));
        true
    }
}

/// Why a JWKS could not be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
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
        let came = Instant::now();
        let known = self.known.load_full();
        let fitting = known.fitting(algorithm, kid);
        if fitting.is_empty() {
            return self.look_for(algorithm, kid, came).await;
        }
        let is_old = known.asked.is_none_or(|at| at.elapsed() >= MAX_AGE);
        // With old keys at hand only one caller waits for newer ones; the others go on with what there is.
        let Some(attempt) = is_old.then(|| self.attempt.try_lock().ok()).flatten() else { return Ok(fitting) };
        if !attempt.may_renew(Instant::now()) || !self.refresh(attempt).await {
            return Ok(fitting);
        }
        let fitting = self.known.load().fitting(algorithm, kid);
        if fitting.is_empty() { Err(AuthError::Invalid) } else { Ok(fitting) }
    }

    /// For a key that is not known.
    async fn look_for(&self, algorithm: Algorithm, kid: Option<&str>, came: Instant) -> Result<Vec<BoundKey>, AuthError> {
        let mut attempt = self.attempt.lock().await;
        // Somebody may have found it meanwhile.
        let known = self.known.load_full();
        let fitting = known.fitting(algorithm, kid);
        if !fitting.is_empty() {
            return Ok(fitting);
        }
        // A key of another kind goes by this name: whatever else is published, it did not sign.
        if known.asked.is_none_or(|at| at < came) && !known.has(kid) {
            if !attempt.may_look_for(kid, Instant::now()) || !self.refresh(attempt).await {
                return Err(AuthError::Unavailable);
            }
            let fitting = self.known.load().fitting(algorithm, kid);
            if !fitting.is_empty() {
                return Ok(fitting);
            }
        }
        if let Some(times) = due("a token names a key that is not published") {
            let kid: Option<String> = kid.map(|kid| kid.chars().take(KID_SHOWN).collect());
            tracing::warn!(url = %self.url, ?kid, ?algorithm, times, "a token names a key that the JWKS does not hold");
        }
        Err(AuthError::Invalid)
    }

    /// Fetches the document; true if that went well.
    async fn refresh(&self, mut attempt: MutexGuard<'_, Attempt>) -> bool {
        let asked = Instant::now();
        attempt.last = Some(asked);
        // Until the answer is there the attempt counts as failed, also when the caller gives up waiting.
        attempt.failed = true;
        match self.fetch().await {
            Ok(keys) => {
                attempt.failed = false;
                self.known.store(Arc::new(Known { keys, asked: Some(asked) }));
            }
            Err(error) => once_a_minute!(warn, "the JWKS cannot be fetched", url = %self.url, error = ?error),
        }
        !attempt.failed
    }

    pub async fn fetch(&self) -> Result<Vec<PublishedKey>, FetchError> {
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
    fn has(&self, kid: Option<&str>) -> bool {
        kid.is_some() && self.keys.iter().any(|key| key.kid.as_deref() == kid)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_kid_leaves_the_next_one_its_request() {
        let (mut attempt, start) = (Attempt::default(), Instant::now());
        let mut may = |kid, ms| attempt.may_look_for(Some(kid), start + Duration::from_millis(ms));
        assert!(may("made up", 0));
        for ms in 1..5 {
            assert!(!may("made up", ms), "it was looked for just now");
        }
        assert!(may("new", 5), "one stranger uses up nothing");
        assert!(may("b", 6) && may("c", 7) && may("d", 8));
        assert!(!may("e", 9), "many together are bounded");
        assert!(may("e", 10_010) && !may("f", 10_011));
        assert!(may("made up", 20_020), "it may have been published since");
    }

    #[test]
    fn a_server_that_fails_is_not_asked_again_at_once() {
        let now = Instant::now();
        let mut attempt = Attempt { last: Some(now), failed: true, ..Attempt::default() };
        assert!(!attempt.may_look_for(Some("a"), now + Duration::from_secs(9)));
        assert!(attempt.may_look_for(Some("a"), now + Duration::from_secs(10)));
    }
}
