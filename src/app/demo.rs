//! The demo page. It exists only with `DEMO=true`; the features add routes that stand in for logins and other services.

use hyper::header::HeaderValue;
use hyper::{Method, Response, StatusCode};
use rust_embed::RustEmbed;

use super::pages;
use crate::http::Body;
use crate::http::router::{Call, Router};
use crate::http::{HttpError, Shape, respond};
use crate::settings::LiveKit;

/// The page talks to its own hub and to LiveKit only. Map tiles come from wherever its reader says; Leaflet moves its panes by
/// `style` properties, which a policy does not forbid.
fn policy(livekit: Option<&LiveKit>) -> HeaderValue {
    // Clients reach LiveKit by WebSocket, and ask over HTTP at the same place why that failed.
    let livekit = livekit.and_then(|livekit| {
        let ws = reqwest::Url::parse(&livekit.ws_url).ok()?;
        let at = format!("{}{}", ws.host_str()?, ws.port().map(|port| format!(":{port}")).unwrap_or_default());
        let secure = if ws.scheme() == "wss" { "s" } else { "" };
        Some(format!(" ws{secure}://{at} http{secure}://{at}"))
    });
    let text = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https: http:; \
         font-src 'self' data:; connect-src 'self' ws: wss:{}; media-src 'self' blob: mediastream:; manifest-src 'self'; \
         worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        livekit.unwrap_or_default()
    );
    // A host in a URL that was parsed is plain ASCII; without it the page works all the same, but for calls.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("default-src 'self'"))
}

const NOT_BUILT: &str = "The demo page is not part of this binary: it was not built.\n\n\
    Build it with `npm ci && npm run build` in web/, then build the hub again.\n";

#[derive(RustEmbed)]
#[folder = "web/dist/"]
#[allow_missing = true]
struct Page;

/// Adds everything under `/demo`.
pub fn routes(router: &mut Router, livekit: Option<&LiveKit>) {
    let policy = policy(livekit);
    for path in ["/demo", "/demo/{*file}"] {
        let policy = policy.clone();
        router
            .route(Method::GET, path, Shape::Envelope, move |call| {
                let answer = file(&call, &policy);
                async { Ok(answer) }
            })
            .unlisted();
    }
}

fn file(call: &Call, policy: &HeaderValue) -> Response<Body> {
    let name = call.param("file");
    let name = if name.is_empty() { "index.html" } else { name };
    match Page::get(name) {
        Some(file) => pages::serve(name, &file, call, policy),
        None if Page::get("index.html").is_none() => respond(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", NOT_BUILT),
        None => HttpError::NotFound { path: call.path.to_string() }.response(call.shape),
    }
}
