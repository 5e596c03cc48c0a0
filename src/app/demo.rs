//! The demo page and the routes that stand in for logins and for the SOS service. They exist only with `DEMO=true`.

mod holder;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY};
use hyper::{Method, Response, StatusCode};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde_json::json;

use crate::auth::{self, Claims, Role};
use crate::core::ids;
use crate::engineio::Body;
use crate::features::bookings::Bookings;
use crate::features::sos::Sos;
use crate::features::sos::routes as sos;
use crate::http::router::{Answer, Call, Router};
use crate::http::{HttpError, Shape, json as respond_json, respond};
use crate::protocol::fields::Bad;
use crate::settings::{Identity, LiveKit, Settings};

/// How long a development token lasts.
const TOKEN_TTL: Duration = Duration::from_secs(12 * 3600);

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
pub fn routes(router: &mut Router, settings: &Settings, sos: &Arc<Sos>, sessions: Option<&Arc<Bookings>>) {
    let policy = policy(settings.livekit.as_ref());
    for path in ["/demo", "/demo/{*file}"] {
        let policy = policy.clone();
        router.route(Method::GET, path, Shape::Envelope, move |call| {
            let answer = file(&call, &policy);
            async { Ok(answer) }
        });
    }
    holder::route(router, &settings.sessions.identity, sessions);
    let identity = Arc::new(settings.sos.identity.clone());
    router.route(Method::GET, "/demo/token", Shape::Envelope, move |call| {
        let answer = token(&call, &identity);
        async { answer }
    });
    let sos = sos.clone();
    router.route(Method::POST, "/demo/sos", Shape::Envelope, move |call| {
        let sos = sos.clone();
        async move { sos::create(&sos, call).await }
    });
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

/// `?role&user&sos`: `user` defaults to a random name, and without `sos` the token names none.
fn token(call: &Call, identity: &Identity) -> Answer {
    let query = call.query();
    let given = |name: &str| query.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let mut faults = Vec::new();
    let mut fault = |field, why: &'static str| faults.push(Bad::new(field, why));
    let role = given("role").and_then(|role| role.parse::<Role>().ok());
    if role.is_none() {
        fault("role", "must be citizen, rescuer, dispatcher or admin");
    }
    let user = given("user").map(str::to_owned).or_else(|| role.map(|role| format!("{role}-{}", ids::random(3))));
    if user.as_deref().is_some_and(|user| !ids::is_user_id(user)) {
        fault("user", "must have 1–128 characters");
    }
    let sos = given("sos");
    if sos.is_some_and(|sos| !ids::is_scope_id(sos)) {
        fault("sos", "must have 1–128 of A–Z, a–z, 0–9, _, . and -, and not be . or ..");
    }
    let (true, Some(role), Some(user)) = (faults.is_empty(), role, user) else { return Err(faults.into()) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let expires_at = (now + TOKEN_TTL).as_secs();
    let claims = Claims {
        user_id: user.as_str().into(),
        role,
        sos_id: sos.map(Into::into),
        sos_ids: sos.map(Into::into).into_iter().collect(),
        expires_at: Some(expires_at),
    };
    // The only way to fail is a hub without a secret: one that knows public keys only cannot sign.
    let token = auth::mint(identity, &claims, now.as_secs()).map_err(|_| HttpError::NotConfigured { setting: "JWT_SECRET" })?;
    let body = json!({"token": token, "sosId": sos, "userId": user, "role": role.as_str(), "expiresAt": expires_at * 1000});
    Ok(respond_json(StatusCode::OK, body.to_string()))
}
