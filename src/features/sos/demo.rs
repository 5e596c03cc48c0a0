//! Replaces a login and the SOS service for the demo page. Only with `DEMO=true`.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::json;

use super::{Sos, routes};
use crate::core::{clock, ids};
use crate::features::sos::auth::{self, Claims, Role};
use crate::http::router::{Answer, Call, Router};
use crate::http::{HttpError, Shape, json as respond_json};
use crate::protocol::fields::Bad;
use crate::settings::VerifierSettings;

/// How long a development token lasts.
const TOKEN_TTL: Duration = Duration::from_secs(12 * 3600);

/// Adds `GET /demo/token` and `POST /demo/sos`.
pub fn routes(router: &mut Router, sos: &Arc<Sos>, identity: VerifierSettings) {
    let identity = Arc::new(identity);
    router
        .route(Method::GET, "/demo/token", Shape::Envelope, move |call| {
            let answer = token(&call, &identity);
            async { answer }
        })
        .unlisted();
    let sos = sos.clone();
    router
        .route(Method::POST, "/demo/sos", Shape::Envelope, move |call| {
            let sos = sos.clone();
            async move { routes::create(&sos, call).await }
        })
        .unlisted();
}

/// `?role&user&sos`: `user` defaults to a random name, and without `sos` the token names none.
fn token(call: &Call, identity: &VerifierSettings) -> Answer {
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
    let now = clock::since_1970();
    let expires_at = (now + TOKEN_TTL).as_secs();
    let claims = Claims {
        user_id: user.as_str().into(),
        role,
        sos_id: sos.map(Into::into),
        sos_ids: sos.map(Into::into).into_iter().collect(),
        expires_at: Some(expires_at),
    };
    // It fails only if the hub has no secret: with public keys alone it cannot sign.
    let token = auth::mint(identity, &claims, now.as_secs()).map_err(|_| HttpError::NotConfigured { setting: "JWT_SECRET" })?;
    let body = json!({"token": token, "sosId": sos, "userId": user, "role": role.as_str(), "expiresAt": expires_at * 1000});
    Ok(respond_json(StatusCode::OK, body.to_string()))
}
