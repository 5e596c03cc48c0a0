//! A request as the handler of a route sees it. Its body is read by the hub's own limits and not by axum's.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts as _, RawPathParams, Request};
use axum::response::IntoResponse;
use bytes::Bytes;
use hyper::Response;
use hyper::body::Body as _;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use sync_wrapper::SyncWrapper;

use super::guards::Context;
use super::{HttpError, Shape};
use crate::net::body::{BodyError, Read, Reader};
use crate::net::{Budget, Patience};

/// A request on its way to its handler.
pub struct Call {
    pub context: Context,
    /// The form of the route's refusals.
    pub shape: Shape,
    pub headers: HeaderMap,
    pub path: Box<str>,
    query: Box<str>,
    params: RawPathParams,
    /// Wrapped, so that a call can be shared while a handler waits.
    body: SyncWrapper<Body>,
    bodies: Bodies,
}

/// How bodies are read.
#[derive(Clone, Debug)]
pub struct Bodies {
    /// The most bytes of a body.
    pub limit: usize,
    pub patience: Patience,
    pub budget: Arc<Budget>,
}

impl Call {
    /// A parameter of the path, decoded. Empty if the route has none with this name.
    pub fn param(&self, name: &str) -> &str {
        self.params.iter().find(|(param, _)| *param == name).map_or("", |(_, value)| value)
    }

    /// The parameters of the query, decoded. Of a repeated one the first value counts.
    pub fn query(&self) -> BTreeMap<String, String> {
        let mut query = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            query.entry(name.into_owned()).or_insert_with(|| value.into_owned());
        }
        query
    }

    /// The body: text that is valid JSON. An empty body counts as `{}`.
    ///
    /// # Errors
    /// `TooLarge`, `BodyTimeout`, `UnsupportedMediaType`, `NotJson`.
    pub async fn json(mut self) -> Result<String, HttpError> {
        let is_json = self.headers.get(CONTENT_TYPE).is_some_and(is_json);
        let is_encoded = self.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity");
        if self.body.get_mut().is_end_stream() {
            return Ok("{}".into());
        }
        let body = self.read().await?;
        let body = &body.bytes;
        if body.is_empty() {
            return Ok("{}".into());
        }
        if !is_json || is_encoded {
            return Err(HttpError::UnsupportedMediaType);
        }
        let text = std::str::from_utf8(body).map_err(|_| HttpError::NotJson)?;
        serde_json::from_str::<serde::de::IgnoredAny>(text).map_err(|_| HttpError::NotJson)?;
        Ok(text.to_owned())
    }

    /// The body as it came, byte by byte.
    ///
    /// # Errors
    /// `TooLarge`, `BodyTimeout`; `NotJson` if the client goes away in the middle of it.
    pub async fn bytes(self) -> Result<Bytes, HttpError> {
        self.read().await.map(|read| read.bytes)
    }

    /// Reads the body, and checks its size and nothing else.
    ///
    /// # Errors
    /// `TooLarge`, `BodyTimeout`.
    pub async fn ignore_body(mut self) -> Result<(), HttpError> {
        if self.body.get_mut().is_end_stream() {
            return Ok(());
        }
        match self.read().await {
            // The body broke off, so that its client gets no answer.
            Ok(_) | Err(HttpError::NotJson) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn read(mut self) -> Result<Read, HttpError> {
        let Bodies { limit, patience, budget } = &self.bodies;
        let reader = Reader { limit: *limit, patience: *patience, budget, address: self.context.address };
        match reader.read(self.body.get_mut(), || ()).await {
            Ok(read) => Ok(read),
            Err(BodyError::TooLarge) => Err(HttpError::TooLarge { limit: *limit }),
            Err(BodyError::TooSlow) => Err(HttpError::BodyTimeout),
            Err(BodyError::NoMemory) => Err(HttpError::Unavailable),
            // Most likely the client is gone and does not read the answer.
            Err(BodyError::Broken) => Err(HttpError::NotJson),
        }
    }
}

/// What an extractor knows about its route.
#[derive(Clone)]
pub(super) struct Site {
    pub path: &'static str,
    pub shape: Shape,
    pub bodies: Bodies,
}

/// The path as the client wrote it. It is an extension of a request that is routed by another path.
#[derive(Clone)]
pub(super) struct Asked(pub Box<str>);

impl Asked {
    pub fn of(request: &mut hyper::http::request::Parts) -> Box<str> {
        request.extensions.remove().map_or_else(|| request.uri.path().into(), |Self(path)| path)
    }
}

impl FromRequest<Site> for Call {
    type Rejection = Refused;

    async fn from_request(request: Request, site: &Site) -> Result<Self, Refused> {
        let (mut parts, body) = request.into_parts();
        let Site { path: declared, shape, bodies } = site.clone();
        // This fails only if a part of the path is not UTF-8 after decoding.
        let params = RawPathParams::from_request_parts(&mut parts, site).await;
        let params = params.map_err(|_| Refused(matched(declared, HttpError::InvalidPath.response(shape))))?;
        // The guards have put it into every request.
        let context = parts.extensions.remove().ok_or_else(|| Refused(HttpError::Unavailable.response(shape)))?;
        let (path, query) = (Asked::of(&mut parts), parts.uri.query().unwrap_or_default().into());
        Ok(Self { context, shape, headers: parts.headers, path, query, params, body: SyncWrapper::new(body), bodies })
    }
}

/// The refusal of a request that does not reach its handler.
pub(super) struct Refused(Response<Body>);

impl IntoResponse for Refused {
    fn into_response(self) -> axum::response::Response {
        self.0.into_response()
    }
}

/// The path of the route that answered, as it was declared. It is an extension of the response, for metrics.
#[derive(Clone, Copy, Debug)]
pub struct Matched(pub &'static str);

pub(super) fn matched(path: &'static str, mut response: Response<Body>) -> Response<Body> {
    response.extensions_mut().insert(Matched(path));
    response
}

/// The content type without its parameters; empty if the header is not text.
pub fn media_type(content_type: &HeaderValue) -> &str {
    let content_type = content_type.to_str().unwrap_or_default();
    content_type.split_once(';').map_or(content_type, |(media, _)| media).trim()
}

fn is_json(content_type: &HeaderValue) -> bool {
    let Ok(content_type) = content_type.to_str() else { return false };
    let (media, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let parameters = parameters.to_ascii_lowercase();
    let utf8 = parameters.split(';').filter_map(|parameter| parameter.trim().strip_prefix("charset="));
    let mut charsets = utf8.map(|charset| charset.trim_matches('"'));
    media.trim().eq_ignore_ascii_case("application/json")
        && charsets.all(|charset| matches!(charset, "utf-8" | "utf8" | "us-ascii"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognised_by_its_content_type() {
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\"", "application/json; a=b"]
        {
            assert!(is_json(&HeaderValue::from_static(good)), "{good}");
        }
        for bad in
            ["", "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "application/json; charset=utf-16"]
        {
            assert!(!is_json(&HeaderValue::from_static(bad)), "{bad}");
        }
    }
}
