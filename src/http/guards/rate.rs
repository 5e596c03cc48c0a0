//! How often a caller may use a route, counted in Redis for all nodes together (contract § 7 "Rate limits").
//!
//! The limit applies after authentication, to the caller that the token names. Requests without a valid token are limited by
//! address ([`FailedAuth`](super::FailedAuth)).

use std::time::Duration;

use hyper::Response;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

use super::TooManyRequests;
use crate::http::Body;
use crate::http::guards::limit::{Taken, limit_take};
use crate::http::{HttpError, Shape};
use crate::redis::Redis;
use crate::telemetry::once_a_minute;

const PERIOD_MS: u64 = 60_000;
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Counts requests, with a bucket for each caller and route.
#[derive(Clone)]
pub struct RateLimits {
    redis: Redis,
}

impl RateLimits {
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Counts one request. `caller` may send `per_minute` of them to `route`, also all at once.
    ///
    /// # Errors
    /// [`HttpError::RateLimited`] if none is left; [`HttpError::Unavailable`] without Redis, since no request passes uncounted.
    pub async fn take(&self, route: &'static str, caller: &str, per_minute: u32) -> Result<Quota, HttpError> {
        match limit_take(&self.redis, route, caller, per_minute, PERIOD_MS).await {
            Ok(taken) if taken.allowed => Ok(Quota(taken)),
            Ok(taken) => Err(HttpError::RateLimited(TooManyRequests {
                limit: taken.limit,
                retry_after: Duration::from_millis(taken.retry_after_ms),
                reset: Duration::from_millis(taken.reset_ms),
            })),
            Err(error) => {
                once_a_minute!(warn, "requests cannot be counted", route, %error);
                Err(HttpError::Unavailable)
            }
        }
    }
}

/// What a caller has left after this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota(Taken);

impl Quota {
    /// The answer of a route with this shape, a success or a refusal, as a response that tells the caller what is left.
    pub fn on(self, shape: Shape, answer: Result<Response<Body>, HttpError>) -> Response<Body> {
        let mut response = answer.unwrap_or_else(|error| error.response(shape));
        tell(response.headers_mut(), self.0.limit, self.0.remaining, Duration::from_millis(self.0.reset_ms));
        response
    }
}

/// Writes the three headers `RateLimit-*`.
pub(in crate::http) fn tell(headers: &mut HeaderMap, limit: u32, remaining: u32, reset: Duration) {
    headers.insert(LIMIT, limit.into());
    headers.insert(REMAINING, remaining.into());
    headers.insert(RESET, seconds(reset));
}

/// Whole seconds, rounded up, so that a caller who waits for this time has waited long enough.
pub(in crate::http) fn seconds(duration: Duration) -> HeaderValue {
    HeaderValue::from(duration.as_secs() + u64::from(duration.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_as_told_has_waited_long_enough() {
        for (ms, expected) in [(0, "0"), (1, "1"), (999, "1"), (1_000, "1"), (1_001, "2"), (20_000, "20")] {
            assert_eq!(seconds(Duration::from_millis(ms)), expected, "{ms}");
        }
    }

    #[test]
    fn every_answer_tells_what_is_left() {
        let taken = Taken { allowed: true, limit: 3, remaining: 2, retry_after_ms: 0, reset_ms: 19_001 };
        let not_found = HttpError::NotFound { path: "/".into() };
        for (answer, status) in [(Ok(Response::new(Body::default())), 200), (Err(not_found), 404)] {
            let response = Quota(taken).on(Shape::Envelope, answer);
            assert_eq!(response.status(), status);
            let told = [LIMIT, REMAINING, RESET].map(|name| response.headers()[name].to_str().unwrap().to_owned());
            assert_eq!(told, ["3", "2", "20"]);
        }
    }
}
