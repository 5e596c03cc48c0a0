//! The documents of the hub, for people: its routes, its events and the guides. Everything is part of this binary; the pages ask no
//! other host for anything.

use hyper::header::HeaderValue;
use hyper::{Method, Response, StatusCode};
use rust_embed::RustEmbed;

use super::pages;
use crate::http::Body;
use crate::http::router::{Call, Router};
use crate::http::{HttpError, Shape, respond};

/// The pages talk to their own hub only; the search is a form that leads to one of them. The viewer of the routes writes `style` attributes, and has its icons as `data:`.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     font-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

const NOT_BUILT: &str = "The documents are not part of this binary: they were not built.\n\n\
    Build them with `npm ci && npm run build` in web/, then build the hub again. /openapi.json and /asyncapi.json are here all the same.\n";

#[derive(RustEmbed)]
#[folder = "web/dist-docs/"]
#[allow_missing = true]
struct Pages;

/// Adds everything under `/docs`.
pub fn routes(router: &mut Router) {
    for path in ["/docs", "/docs/{*page}"] {
        router
            .route(Method::GET, path, Shape::Envelope, |call| {
                let answer = page(&call);
                async { Ok(answer) }
            })
            .unlisted();
    }
}

/// A page is asked for without the end of its file's name.
fn page(call: &Call) -> Response<Body> {
    let name = call.param("page");
    let name = if name.is_empty() { "index" } else { name };
    let found = [name.to_owned(), format!("{name}.html")].into_iter().find_map(|name| Some((Pages::get(&name)?, name)));
    match found {
        Some((file, name)) => pages::serve(&name, &file, call, &POLICY),
        None if Pages::get("index.html").is_none() => respond(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", NOT_BUILT),
        None => HttpError::NotFound { path: call.path.to_string() }.response(call.shape),
    }
}
