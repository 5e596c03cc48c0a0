//! The demo page. It exists only with `DEMO=true`; the features add routes that stand in for logins and other services.

use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY};
use hyper::{Method, Response, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::engineio::Body;
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
        router.route(Method::GET, path, Shape::Envelope, move |call| {
            let answer = file(&call, &policy);
            async { Ok(answer) }
        });
    }
}

fn file(call: &Call, policy: &HeaderValue) -> Response<Body> {
    let name = call.param("file");
    let name = if name.is_empty() { "index.html" } else { name };
    match Page::get(name) {
        Some(file) => serve(name, &file, call.headers.get(IF_NONE_MATCH), policy),
        None if Page::get("index.html").is_none() => respond(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", NOT_BUILT),
        None => HttpError::NotFound { path: call.path.to_string() }.response(call.shape),
    }
}

fn serve(name: &str, file: &EmbeddedFile, known: Option<&HeaderValue>, policy: &HeaderValue) -> Response<Body> {
    let tag: String = file.metadata.sha256_hash()[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let is_known = known
        .and_then(|known| known.to_str().ok())
        .is_some_and(|known| known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*"));
    let mut response = match is_known {
        true => respond(StatusCode::NOT_MODIFIED, "text/plain", ""),
        false => respond(StatusCode::OK, "text/plain", file.data.to_vec()),
    };
    let headers = response.headers_mut();
    let mut media = file.metadata.mimetype().to_owned();
    if media.starts_with("text/") || media.ends_with("javascript") || media.ends_with("json") {
        media.push_str("; charset=utf-8");
    }
    // The build puts a hash of its content into the name of everything under assets/.
    let cache = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let (Ok(media), Ok(tag)) = (HeaderValue::from_str(&media), HeaderValue::from_str(&tag)) {
        headers.insert(CONTENT_TYPE, media);
        headers.insert(ETAG, tag);
    }
    response
}
