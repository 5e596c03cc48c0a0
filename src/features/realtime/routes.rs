//! The routes of realtime sessions. Contract § 6.

use std::sync::Arc;

use hyper::{Method, Response, StatusCode};
use serde::Serialize;

use super::auth::UserVerifier;
use super::read::Page;
use super::settings::Settings;
use super::{Realtime, docs};
use crate::auth::AuthError;
use crate::core::clock::now_seconds;
use crate::http::Body;
use crate::http::guards::{FailedAuth, InternalDoor, RateLimits, bearer};
use crate::http::router::{Added, Answer, Call, Router};
use crate::http::table::{self, Table};
use crate::http::{HttpError, Shape, json as respond_json};

/// Everything below has errors of one form.
const ROOT: &str = "/v1";
const SESSIONS: &str = "/v1/realtime/sessions";
const SESSION: &str = "/v1/realtime/sessions/{id}";

/// What the routes stand on.
pub struct Parts {
    pub realtime: Arc<Realtime>,
    pub verifier: UserVerifier,
    pub limits: RateLimits,
}

/// Adds the routes. `Err`: the feature is off without this setting, and all of them answer 501.
pub fn routes(router: &mut Router, settings: &Settings, parts: Result<Parts, &'static str>) {
    router.unknown_below(ROOT, Shape::Typed);
    let api = parts.map(|Parts { realtime, verifier, limits }| Api {
        realtime,
        verifier,
        limits,
        failures: FailedAuth::default(),
        door: InternalDoor::new(None),
    });
    let table = &mut Table::new(router, Shape::Typed, api);
    let (creates, others) = (settings.creates_per_minute, settings.requests_per_minute);
    for_user(table, Method::POST, SESSIONS, Rate { route: "realtime-create", per_minute: creates }, create)
        .described(docs::create());
    for_user(table, Method::GET, SESSIONS, Rate { route: "realtime-list", per_minute: others }, list).described(docs::list());
    for_user(table, Method::GET, SESSION, Rate { route: "realtime-get", per_minute: others }, get).described(docs::get());
    for_user(table, Method::DELETE, SESSION, Rate { route: "realtime-delete", per_minute: others }, delete)
        .described(docs::delete());
}

struct Api {
    realtime: Arc<Realtime>,
    verifier: UserVerifier,
    limits: RateLimits,
    failures: FailedAuth,
    door: InternalDoor,
}

impl table::Api for Api {
    fn door(&self) -> &InternalDoor {
        &self.door
    }
}

/// How often one user may ask a route.
#[derive(Clone, Copy)]
struct Rate {
    /// The name of its bucket.
    route: &'static str,
    per_minute: u32,
}

/// A route of a user: the token first, then the limit, then everything else.
fn for_user<'a, F>(
    table: &'a mut Table<'_, Api>,
    method: Method,
    path: &'static str,
    rate: Rate,
    handler: fn(Arc<Api>, String, Call) -> F,
) -> Added<'a>
where
    F: Future<Output = Answer> + Send + 'static,
{
    table.add(method, path, move |api: Arc<Api>, call| async move {
        let user = api.authenticate(&call).await?;
        let quota = api.limits.take(rate.route, &user, rate.per_minute).await?;
        Ok(quota.on(Shape::Typed, handler(api, user, call).await))
    })
}

impl Api {
    async fn authenticate(&self, call: &Call) -> Result<String, HttpError> {
        self.verifier.verify(bearer(&call.headers), now_seconds()).await.map_err(|error| match error {
            AuthError::NotConfigured => HttpError::NotConfigured { setting: "JWKS_URL" },
            AuthError::Unavailable => HttpError::Unavailable,
            AuthError::TooLong => self.failures.refuse(call.context.address, HttpError::TokenTooLong),
            AuthError::Missing | AuthError::Invalid | AuthError::Expired => {
                self.failures.refuse(call.context.address, HttpError::Unauthorized)
            }
        })
    }
}

async fn create(api: Arc<Api>, user: String, call: Call) -> Answer {
    call.ignore_body().await?;
    Ok(answer(StatusCode::CREATED, &api.realtime.create(&user).await?))
}

async fn list(api: Arc<Api>, user: String, call: Call) -> Answer {
    let page = Page::parse(call.query())?;
    Ok(answer(StatusCode::OK, &api.realtime.list(&user, &page).await?))
}

async fn get(api: Arc<Api>, user: String, call: Call) -> Answer {
    Ok(answer(StatusCode::OK, &api.realtime.get(&user, call.param("id")).await?))
}

async fn delete(api: Arc<Api>, user: String, call: Call) -> Answer {
    let id = call.param("id").to_owned();
    call.ignore_body().await?;
    Ok(answer(StatusCode::OK, &api.realtime.delete(&user, &id).await?))
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    // None of the answers has a map key that is no text, the only thing that could fail.
    respond_json(status, serde_json::to_string(body).unwrap_or_else(|_| "null".into()))
}
