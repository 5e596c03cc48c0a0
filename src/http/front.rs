//! The entry for every request: first the guards, then the engine (`/socket.io/`) or axum's router, then the headers of every
//! answer.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::CONTENT_LENGTH;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, Response, StatusCode, Uri};
use tokio::time::Instant;
use tower_service::Service as _;

use super::call::Asked;
use super::guards::{Context, Guards, Page};
use super::router::{Matched, options_answer};
use super::{Body, json, server};
use crate::engineio::Engine;
use crate::telemetry::due;
use crate::telemetry::metrics::{HTTP_REQUEST_SECONDS, HTTP_REQUESTS};

const ENGINE: &str = "/socket.io/";
/// The label of a request without a route.
const UNKNOWN: &str = "unknown";
/// The most characters of a path in a log line.
const LONGEST_PATH: usize = 200;
const ENGINE_METHODS: &str = "GET, OPTIONS, POST";

/// Everything that is served on the hub's port.
pub struct Front {
    pub guards: Guards,
    pub router: axum::Router,
    pub engine: Arc<Engine>,
}

impl server::Service for Front {
    type Body = Body;

    async fn call(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let began = Instant::now();
        let context = self.guards.inspect(&request, peer.ip());
        let is_engine = matches!(request.uri().path(), "/socket.io/" | "/socket.io");
        let line = Line { method: known(request.method()), path: cut(request.uri().path()) };
        let preflight = (request.method() == Method::OPTIONS).then(|| request.headers().clone());
        let mut response = match is_engine {
            true => self.engine(request, &context).await,
            false => self.route(request, context.clone()).await,
        };
        self.guards.finish(&context, &mut response);
        if let Some(asked) = preflight {
            let methods = response.headers().get(hyper::header::ALLOW).and_then(|allow| allow.to_str().ok());
            let methods = methods.map(str::to_owned).unwrap_or_default();
            self.guards.preflight(&context, &asked, &methods, &mut response);
        }
        let route = if is_engine { ENGINE } else { response.extensions().get().map_or(UNKNOWN, |Matched(path)| *path) };
        count(route, line.method, response.status(), began);
        log(&context, &line, route, response.status(), began);
        response
    }
}

impl Front {
    async fn engine(&self, request: Request<Incoming>, context: &Context) -> Response<Body> {
        if request.method() == Method::OPTIONS {
            return options_answer(ENGINE_METHODS);
        }
        if context.origin == Page::Foreign {
            return json(StatusCode::FORBIDDEN, r#"{"code":4,"message":"Forbidden"}"#);
        }
        self.engine.serve(request, context.address).await.map(Body::new)
    }

    async fn route(&self, mut request: Request<Incoming>, context: Context) -> Response<Body> {
        let is_head = request.method() == Method::HEAD;
        request.extensions_mut().insert(context);
        if let Some(bare) = without_last_slash(request.uri()) {
            let asked = Asked(request.uri().path().into());
            *request.uri_mut() = bare;
            request.extensions_mut().insert(asked);
        }
        let Ok(mut response) = self.router.clone().call(request).await;
        if !is_head {
            // hyper writes this header for the body that is sent in the end, where a body is allowed.
            response.headers_mut().remove(CONTENT_LENGTH);
        }
        response
    }
}

/// The path without one final slash, which makes no difference. `None`: there is no such slash.
fn without_last_slash(uri: &Uri) -> Option<Uri> {
    let bare = uri.path().strip_suffix('/').filter(|bare| !bare.is_empty() && !bare.ends_with('/'))?;
    let bare = uri.query().map_or_else(|| bare.to_owned(), |query| format!("{bare}?{query}"));
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(bare).ok()?);
    Uri::from_parts(parts).ok()
}

/// Labels come only from our own tables. Labels that clients make up would fill the memory of the system that stores them.
fn count(route: &'static str, method: &'static str, status: StatusCode, began: Instant) {
    let code = status.as_u16().to_string();
    metrics::counter!(HTTP_REQUESTS, "route" => route, "method" => method, "status" => code).increment(1);
    // A long poll waits for the next event, so that its time says nothing about the hub.
    if route != ENGINE {
        metrics::histogram!(HTTP_REQUEST_SECONDS, "route" => route).record(began.elapsed());
    }
}

fn known(method: &Method) -> &'static str {
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    methods.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// The fields of a request in a log line.
struct Line {
    method: &'static str,
    path: Box<str>,
}

/// A path as it may stand in a log.
fn cut(path: &str) -> Box<str> {
    match path.char_indices().nth(LONGEST_PATH) {
        Some((end, _)) => format!("{}…", &path[..end]).into(),
        None => path.into(),
    }
}

/// Probes and polls come all the time, so that they are logged at a low level. Lines that strangers can cause are written once a
/// minute.
fn log(context: &Context, Line { method, path }: &Line, route: &'static str, status: StatusCode, began: Instant) {
    let (ms, status) = (began.elapsed().as_millis() as u64, status.as_u16());
    let (request_id, address) = (context.request_id.as_str(), context.address);
    let is_ours = path.starts_with("/internal/") || path.starts_with("/demo/");
    let is_refused = matches!(status, 401 | 403 | 429) || route == UNKNOWN;
    // A query may hold a token; it is never logged.
    if status >= 500
        && let Some(times) = due(route)
    {
        tracing::warn!(method, path, status, ms, request_id, %address, times, "request");
    } else if status < 500 && is_ours && !is_refused {
        tracing::info!(method, path, status, ms, request_id, %address, "request");
    } else if is_ours
        && is_refused
        && let Some(times) = due("refused requests")
    {
        tracing::info!(method, path, status, ms, request_id, %address, times, "request");
    } else {
        tracing::debug!(method, path, status, ms, request_id, %address, "request");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_final_slash_more_changes_nothing() {
        let bare = |uri: &'static str| without_last_slash(&Uri::from_static(uri)).map(|uri| uri.to_string());
        for (uri, expected) in [
            ("/rooms/", Some("/rooms")),
            ("/rooms/a/?x=/", Some("/rooms/a?x=/")),
            ("http://host/rooms/?", Some("http://host/rooms?")),
            ("/rooms//", None),
            ("/rooms", None),
            ("/", None),
            ("//", None),
        ] {
            assert_eq!(bare(uri).as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn a_path_is_cut_where_it_becomes_a_nuisance() {
        assert_eq!(&*cut("/internal/rooms/a/init"), "/internal/rooms/a/init");
        assert_eq!(cut(&format!("/{}", "é".repeat(60_000))).chars().count(), LONGEST_PATH + 1);
    }
}
