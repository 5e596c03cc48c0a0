//! The SOS service, as the hub sees it: it looks incidents up there and reports what happened (contract § 3, "To the SOS service").
//!
//! One call is one attempt with a deadline. When to try again, and in which order, is for the callers to know.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, redirect};
use serde_json::{Map, Value};

use crate::core::ids;
use crate::settings::Secret;
use crate::telemetry::due;

/// For one whole call, the answer's body included.
const DEADLINE: Duration = Duration::from_secs(2);
/// A record is a few hundred bytes.
const LARGEST_ANSWER: usize = 256 * 1024;

/// An incident as the SOS service has it: field names and values are its own.
pub type Record = Map<String, Value>;

/// A client of the SOS service. Cheap to clone; its connections are shared.
#[derive(Clone)]
pub struct SosService {
    http: Client,
    base: Box<str>,
}

/// Why there is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// The service says that there is no such incident.
    #[error("the SOS service does not know this incident")]
    NotFound,
    /// No usable answer in time. The incident may exist.
    #[error("the SOS service gave no usable answer")]
    Unavailable,
}

/// What became of an event that was sent to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It has it, now (2xx) or since an earlier attempt (409).
    Accepted,
    /// It will never take it: this status, a 4xx that does not pass.
    Rejected(u16),
    /// Unknown, busy, away, or our token is not accepted at the moment: deliver it again.
    Retry,
}

impl SosService {
    /// # Errors
    /// If the token cannot stand in a header, or no HTTP client can be made.
    pub fn new(base: &str, token: &Secret) -> Result<Self, SetupError> {
        let mut token = HeaderValue::from_str(token.expose())?;
        token.set_sensitive(true);
        let http = Client::builder()
            .timeout(DEADLINE)
            // A redirect would carry the token to wherever the answer points.
            .redirect(redirect::Policy::none())
            .default_headers(HeaderMap::from_iter([("x-internal-token".parse()?, token)]))
            .build()?;
        Ok(Self { http, base: base.trim_end_matches('/').into() })
    }

    /// `GET /internal/sos/:id`. `request_id` goes on as `X-Request-ID`.
    ///
    /// # Errors
    /// [`LookupError::NotFound`] on 404 only; anything else that is no record is [`LookupError::Unavailable`].
    pub async fn lookup(&self, sos_id: &str, request_id: &str) -> Result<Record, LookupError> {
        // A valid id cannot change the path; with any other there is no incident.
        if !ids::is_scope_id(sos_id) {
            return Err(LookupError::NotFound);
        }
        self.find(&format!("/internal/sos/{sos_id}"), request_id).await.map_err(|error| match error {
            CallError::NotFound => LookupError::NotFound,
            error => {
                tell(&error);
                tracing::debug!(sos_id, request_id, ?error, "the SOS service did not answer a look-up");
                LookupError::Unavailable
            }
        })
    }

    async fn find(&self, path: &str, request_id: &str) -> Result<Record, CallError> {
        let response = self.call(Method::GET, path, request_id, None).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Err(CallError::NotFound),
            status if status.is_success() => record(&bounded_body(response).await?).ok_or(CallError::NoRecord),
            status => Err(CallError::Refused(status)),
        }
    }

    /// `POST /internal/realtime/event`. `event` is the whole JSON body; `id` is its own id and goes as `Idempotency-Key`.
    pub async fn deliver(&self, event: Bytes, id: &str, request_id: &str) -> Delivery {
        match self.call(Method::POST, "/internal/realtime/event", request_id, Some((event, id))).await {
            Ok(response) => {
                let status = response.status().as_u16();
                let delivery = delivery(status);
                if delivery == Delivery::Retry {
                    tell(&CallError::Refused(response.status()));
                }
                // Read for the connection's sake only: what happened is known, however the body goes on.
                let _ = bounded_body(response).await;
                delivery
            }
            Err(error) => {
                tell(&error);
                tracing::debug!(id, request_id, ?error, "an event did not reach the SOS service");
                Delivery::Retry
            }
        }
    }

    /// Whether it takes our token, and knows what it is asked: for `convoke check`. The incident does not exist.
    ///
    /// # Errors
    /// What it answers instead of 404 or a record.
    pub async fn try_token(&self) -> Result<(), CallError> {
        match self.find("/internal/sos/convoke-check", "check").await {
            Ok(_) | Err(CallError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether anything answers at that address: for readiness.
    ///
    /// # Errors
    /// What kept it from answering.
    pub async fn reach(&self) -> Result<(), CallError> {
        self.call(Method::GET, "/health", "check", None).await.map(|_| ())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        request_id: &str,
        body: Option<(Bytes, &str)>,
    ) -> Result<Response, CallError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).header("x-request-id", request_id);
        if let Some((body, id)) = body {
            request = request.header(CONTENT_TYPE, "application/json").header("idempotency-key", id).body(body);
        }
        Ok(request.send().await?)
    }
}

/// Why a client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("INTERNAL_AUTH_TOKEN cannot be sent in a header")]
    Token(#[from] reqwest::header::InvalidHeaderValue),
    #[error("a header's name is not valid")]
    Name(#[from] reqwest::header::InvalidHeaderName),
    #[error("no HTTP client can be made")]
    Http(#[from] reqwest::Error),
}

/// Why a call had no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    #[error("404")]
    NotFound,
    #[error("the service refused: {0}")]
    Refused(StatusCode),
    #[error("the answer holds no record")]
    NoRecord,
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the answer is larger than {LARGEST_ANSWER} bytes")]
    TooLarge,
}

/// Once a minute for each cause.
fn tell(error: &CallError) {
    match error {
        CallError::Refused(status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => {
            if let Some(times) = due("the SOS service refuses our token") {
                tracing::warn!(%status, times, "the SOS service refuses us: is its internal token our INTERNAL_AUTH_TOKEN?");
            }
        }
        error => {
            if let Some(times) = due("the SOS service gives no usable answer") {
                tracing::warn!(?error, times, "the SOS service gives no usable answer");
            }
        }
    }
}

async fn bounded_body(mut response: Response) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LARGEST_ANSWER {
            return Err(CallError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The record is the body or its `data`.
fn record(body: &[u8]) -> Option<Record> {
    let Ok(Value::Object(mut body)) = serde_json::from_slice(body) else { return None };
    match body.remove("data") {
        None => Some(body),
        Some(Value::Object(record)) => Some(record),
        Some(_) => None,
    }
}

/// 401 and 403 are repeated because a rotated token must not cost events; 408 and 429 because they ask for it.
fn delivery(status: u16) -> Delivery {
    match status {
        200..=299 | 409 => Delivery::Accepted,
        401 | 403 | 408 | 429 => Delivery::Retry,
        400..=499 => Delivery::Rejected(status),
        _ => Delivery::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_says_what_became_of_the_event() {
        let cases = [
            (200, Delivery::Accepted),
            (204, Delivery::Accepted),
            (409, Delivery::Accepted),
            (400, Delivery::Rejected(400)),
            (404, Delivery::Rejected(404)),
            (422, Delivery::Rejected(422)),
            (401, Delivery::Retry),
            (403, Delivery::Retry),
            (408, Delivery::Retry),
            (429, Delivery::Retry),
            (302, Delivery::Retry),
            (500, Delivery::Retry),
            (503, Delivery::Retry),
        ];
        for (status, expected) in cases {
            assert_eq!(delivery(status), expected, "{status}");
        }
    }

    #[test]
    fn the_record_is_the_body_or_its_data() {
        let status = |body: &str| record(body.as_bytes()).map(|record| record.get("status").cloned().unwrap_or_default());
        assert_eq!(status(r#"{"status":"active"}"#), Some("active".into()));
        assert_eq!(status(r#"{"success":true,"data":{"status":"active"}}"#), Some("active".into()));
        for bad in ["", "null", "[]", "\"x\"", "{", r#"{"data":null}"#, r#"{"data":[]}"#, "<html>"] {
            assert_eq!(status(bad), None, "{bad}");
        }
    }
}
