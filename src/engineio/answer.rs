//! Answers that carry no packets: how a request is refused.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use rand::Rng;
use serde_json::json;

use super::Body;
use super::limits::Refusal;
use crate::telemetry::metrics::HANDSHAKES;

/// Why a request is refused, in the codes and calls of the reference implementation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRequest {
    TransportUnknown,
    SessionIdUnknown,
    BadHandshakeMethod,
    Malformed,
    UnsupportedProtocolVersion,
}

impl BadRequest {
    pub fn response(self) -> Response<Body> {
        let (code, message) = match self {
            Self::TransportUnknown => (0, "Transport unknown"),
            Self::SessionIdUnknown => (1, "Session ID unknown"),
            Self::BadHandshakeMethod => (2, "Bad handshake method"),
            Self::Malformed => (3, "Bad request"),
            Self::UnsupportedProtocolVersion => (5, "Unsupported protocol version"),
        };
        respond(StatusCode::BAD_REQUEST, "application/json", json!({"code": code, "message": message}).to_string())
    }
}

pub fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The handshake is refused for now.
pub fn overloaded(message: &'static str) -> Response<Body> {
    metrics::counter!(HANDSHAKES, "outcome" => message).increment(1);
    let body = json!({"code": 4, "message": message}).to_string();
    let mut response = respond(StatusCode::SERVICE_UNAVAILABLE, "application/json", body);
    // Spread, so that those who were refused together do not come back together.
    let seconds = rand::rng().random_range(1..=5);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// There is no memory for what was asked.
pub fn no_memory() -> Response<Body> {
    overloaded(Refusal::Memory.as_str())
}
