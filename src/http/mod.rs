//! HTTP: the accept loop and what is served over it.

pub mod cached;
mod call;
pub mod docs;
pub mod error;
pub mod front;
pub mod guards;
mod openapi;
pub mod router;
pub mod routes;
pub mod server;
pub mod table;

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

pub use axum::body::Body;
pub use error::{HttpError, Shape};
pub use front::Front;
pub use table::Table;

/// An answer that no cache may keep.
pub fn respond(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// [`respond`] with JSON text.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Body> {
    respond(status, "application/json", body)
}
