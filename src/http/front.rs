//! The front door: guards first, then either the engine (`/socket.io/`) or the router, then what every answer carries.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};

use super::guards::{Context, Guards, Page};
use super::router::{Matched, Router, options};
use super::{json, server};
use crate::engineio::{Body, Engine};
use crate::telemetry::metrics::{HTTP_REQUEST_SECONDS, HTTP_REQUESTS};

const ENGINE: &str = "/socket.io/";
const ENGINE_METHODS: &str = "GET, OPTIONS, POST";

/// Everything that is served on the hub's port.
pub struct Front {
    pub guards: Guards,
    pub router: Router,
    pub engine: Arc<Engine>,
}

impl server::Service for Front {
    async fn call(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let began = Instant::now();
        let context = self.guards.inspect(&request, peer.ip());
        let is_engine = matches!(request.uri().path(), "/socket.io/" | "/socket.io");
        let line = (request.method().clone(), request.uri().path().to_owned());
        let preflight = (request.method() == Method::OPTIONS).then(|| request.headers().clone());
        let mut response = match is_engine {
            true => self.engine(request, &context).await,
            false => self.router.call(request, context.clone()).await,
        };
        self.guards.finish(&context, &mut response);
        if let Some(asked) = preflight {
            let methods = response.headers().get(hyper::header::ALLOW).and_then(|allow| allow.to_str().ok());
            let methods = methods.map(str::to_owned).unwrap_or_default();
            self.guards.preflight(&context, &asked, &methods, &mut response);
        }
        let route = if is_engine { ENGINE } else { response.extensions().get().map_or("unknown", |Matched(path)| *path) };
        count(route, &line.0, response.status(), began);
        log(&context, &line, response.status(), began);
        response
    }
}

impl Front {
    async fn engine(&self, request: Request<Incoming>, context: &Context) -> Response<Body> {
        if request.method() == Method::OPTIONS {
            return options(ENGINE_METHODS);
        }
        if context.origin == Page::Foreign {
            return json(StatusCode::FORBIDDEN, r#"{"code":4,"message":"Forbidden"}"#);
        }
        self.engine.serve(request, context.address).await
    }
}

/// Labels come from tables of ours only: what a client makes up would fill the memory of whoever stores them.
fn count(route: &'static str, method: &Method, status: StatusCode, began: Instant) {
    let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let method = methods.into_iter().find(|known| *known == method.as_str()).unwrap_or("other");
    let code = status.as_u16().to_string();
    metrics::counter!(HTTP_REQUESTS, "route" => route, "method" => method, "status" => code).increment(1);
    // A long poll waits for a client's next event; that says nothing of us.
    if route != ENGINE {
        metrics::histogram!(HTTP_REQUEST_SECONDS, "route" => route).record(began.elapsed());
    }
}

/// Probes and polls come all the time: they are worth a line only when somebody looks for them.
fn log(context: &Context, (method, path): &(Method, String), status: StatusCode, began: Instant) {
    let (ms, status) = (began.elapsed().as_millis() as u64, status.as_u16());
    let (request_id, address) = (context.request_id.as_str(), context.address);
    // A query may hold a token; it is never logged.
    if status >= 500 {
        tracing::warn!(%method, path, status, ms, request_id, %address, "request");
    } else if path.starts_with("/internal/") || path.starts_with("/demo/") {
        tracing::info!(%method, path, status, ms, request_id, %address, "request");
    } else {
        tracing::debug!(%method, path, status, ms, request_id, %address, "request");
    }
}
