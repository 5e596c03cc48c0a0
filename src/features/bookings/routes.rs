//! The routes of interview sessions: those of their users, and those with which the company's own services write. Contract §
//! 5.

use std::sync::Arc;

use hyper::{Method, Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::holder::{Holder, HolderVerifier};
use super::settings;
use crate::auth::AuthError;
use crate::core::clock::now_seconds;
use crate::features::bookings::Bookings;
use crate::features::bookings::error::BookingError;
use crate::http::Body;
use crate::http::guards::{FailedAuth, InternalDoor, RateLimits, bearer};
use crate::http::router::{Added, Answer, Call, Router};
use crate::http::table::{self, Table};
use crate::http::{HttpError, Shape, json as respond_json};
use crate::protocol::fields::{Bad, Fields};
use crate::settings::Secret;

mod docs;
mod fields;

/// What the routes stand on.
pub struct Parts<'a> {
    pub bookings: Arc<Bookings>,
    pub verifier: Arc<HolderVerifier>,
    pub limits: RateLimits,
    pub settings: &'a settings::Settings,
    pub internal_token: Option<&'a Secret>,
}

/// Adds the routes of § 5. `None`: there is no PostgreSQL, and all of them answer 501.
pub fn routes(router: &mut Router, parts: Option<Parts<'_>>) {
    let rates = parts.as_ref().map(|parts| Rates::new(parts.settings)).unwrap_or_default();
    let api = parts.map(|parts| Api {
        bookings: parts.bookings,
        verifier: parts.verifier,
        limits: parts.limits,
        failures: FailedAuth::default(),
        door: InternalDoor::new(parts.internal_token),
    });
    let table = &mut Table::new(router, Shape::Message, api.ok_or("DATABASE_URL"));
    let Rates { starts, tokens, others } = rates;
    let plain = |name| Route { name, per_minute: others, needs_livekit: false, shape: Shape::Message };
    let with_livekit = |name, per_minute, shape| Route { name, per_minute, needs_livekit: true, shape };
    for_user(table, Method::POST, "/api/interviews/start", with_livekit("sessions-start", starts, Shape::Coded), start)
        .described(docs::start());
    for_user(table, Method::GET, "/api/interviews/eligibility", plain("sessions-eligibility"), eligibility)
        .described(docs::eligibility());
    for_user(table, Method::GET, "/api/interviews/{id}", plain("sessions-get"), get).described(docs::get());
    for_user(table, Method::GET, "/api/interviews/{id}/status", plain("sessions-status"), get).described(docs::status());
    for_user(table, Method::POST, "/api/interviews/{id}/end", plain("sessions-end"), end).described(docs::end());
    for_user(table, Method::POST, "/api/livekit/token", with_livekit("sessions-token", tokens, Shape::Message), token)
        .described(docs::token());
    table.add_internal(Method::PATCH, "/internal/interview-sessions/{id}", score).described(docs::score());
    table.add_internal(Method::PUT, "/internal/users/{id}", user).described(docs::user());
}

/// Requests a minute of one user to a route.
#[derive(Default)]
struct Rates {
    starts: u32,
    tokens: u32,
    others: u32,
}

impl Rates {
    fn new(settings: &settings::Settings) -> Self {
        Self { starts: settings.starts_per_minute, tokens: settings.tokens_per_minute, others: settings.requests_per_minute }
    }
}

struct Api {
    bookings: Arc<Bookings>,
    verifier: Arc<HolderVerifier>,
    limits: RateLimits,
    failures: FailedAuth,
    door: InternalDoor,
}

/// What a route asks for before its handler.
#[derive(Clone, Copy)]
struct Route {
    /// Of its bucket.
    name: &'static str,
    per_minute: u32,
    needs_livekit: bool,
    shape: Shape,
}

/// A route of a user: the token first, then the limit, then everything else.
fn for_user<'a, F>(
    table: &'a mut Table<'_, Api>,
    method: Method,
    path: &'static str,
    route: Route,
    handler: fn(Arc<Api>, Holder, Call) -> F,
) -> Added<'a>
where
    F: Future<Output = Answer> + Send + 'static,
{
    table.add_shaped(method, path, route.shape, move |api: Arc<Api>, call| async move {
        if route.needs_livekit && !api.bookings.has_livekit() {
            return Err(HttpError::NotConfigured { setting: "LIVEKIT_WS_URL" });
        }
        let holder = api.authenticate(&call).await?;
        let quota = api.limits.take(route.name, &holder.user_id.to_string(), route.per_minute).await?;
        Ok(quota.on(route.shape, handler(api, holder, call).await))
    })
}

impl table::Api for Api {
    fn door(&self) -> &InternalDoor {
        &self.door
    }
}

impl Api {
    async fn authenticate(&self, call: &Call) -> Result<Holder, HttpError> {
        let verified = match bearer(&call.headers) {
            Some(token) => self.verifier.verify(token, now_seconds()).await,
            // An answer for a surface without keys comes first: it is not the client's fault.
            None => self.verifier.verify("", now_seconds()).await.and(Err(AuthError::Missing)),
        };
        verified.map_err(|error| match error {
            AuthError::NotConfigured => HttpError::NotConfigured { setting: "SESSIONS_JWT_SECRET" },
            AuthError::Unavailable => HttpError::Unavailable,
            AuthError::TooLong => self.failures.refuse(call.context.address, HttpError::TokenTooLong),
            AuthError::Missing | AuthError::Invalid | AuthError::Expired => {
                self.failures.refuse(call.context.address, HttpError::Unauthorized)
            }
        })
    }
}

async fn start(api: Arc<Api>, holder: Holder, call: Call) -> Answer {
    call.ignore_body().await?;
    let started = api.bookings.start(&holder).await.map_err(BookingError::from)?;
    Ok(answer(StatusCode::CREATED, &started))
}

async fn eligibility(api: Arc<Api>, holder: Holder, _: Call) -> Answer {
    Ok(answer(StatusCode::OK, &api.bookings.eligibility(holder.user_id).await?))
}

async fn get(api: Arc<Api>, holder: Holder, call: Call) -> Answer {
    Ok(answer(StatusCode::OK, &api.bookings.session(holder.user_id, call.param("id")).await?))
}

async fn end(api: Arc<Api>, holder: Holder, call: Call) -> Answer {
    let id = call.param("id").to_owned();
    call.ignore_body().await?;
    api.bookings.end(holder.user_id, &id).await?;
    Ok(respond_json(StatusCode::OK, r#"{"success":true,"message":"Session ended successfully"}"#))
}

async fn token(api: Arc<Api>, holder: Holder, call: Call) -> Answer {
    let body = call.json().await?;
    let body = fields_of(&body)?;
    let field = |name: &str| body.raw(name).and_then(|raw| serde_json::from_str::<String>(raw).ok());
    let (room, session) = (field("roomName"), field("sessionId"));
    Ok(answer(StatusCode::OK, &api.bookings.token(&holder, room.as_deref(), session.as_deref()).await?))
}

async fn score(api: Arc<Api>, call: Call) -> Answer {
    let id = call.param("id").to_owned();
    let fields::Scoring { score, summary } = fields::Scoring::parse(object_of(&call.json().await?)?)?;
    Ok(answer(StatusCode::OK, &api.bookings.score(&id, score, summary.as_deref()).await?))
}

async fn user(api: Arc<Api>, call: Call) -> Answer {
    let id = call.param("id").parse().map_err(|_| vec![Bad::new("id", "must be a UUID")]);
    let id = id.map_err(HttpError::from)?;
    let fields::User { email, resume_id } = fields::User::parse(object_of(&call.json().await?)?)?;
    Ok(answer(StatusCode::OK, &api.bookings.put_user(id, email.as_deref(), resume_id.as_deref()).await?))
}

/// The fields of a body that must be an object: what a service leaves out may be removed.
fn object_of(body: &str) -> Result<Fields<'_>, HttpError> {
    Fields::parse_readable(body).ok_or_else(|| vec![Bad::new("body", "must be a JSON object")].into())
}

/// The fields of a body. A body that is no object has none.
fn fields_of(body: &str) -> Result<Fields<'_>, HttpError> {
    match Fields::parse_readable(body) {
        Some(fields) => Ok(fields),
        None if serde_json::from_str::<Value>(body).is_ok() => Ok(Fields::default()),
        // Nested too deeply, or with something else in it that cannot be read.
        None => Err(HttpError::NotJson),
    }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    // None of the answers has a map key that is no text, the only thing that could fail.
    respond_json(status, serde_json::to_string(body).unwrap_or_else(|_| "null".into()))
}
