//! The internal API of incidents, for the SOS service. Contract § 3 "Internal API".

use std::sync::Arc;

use hyper::header::{ACCEPT, HeaderValue, VARY};
use hyper::{Method, Response, StatusCode};
use serde::Serialize;
use serde_json::json;

use super::error::INVALID_SOS_ID;
use super::geojson;
use super::payload::NO_SOS_ID;
use crate::core::ids::{is_scope_id, is_user_id};
use crate::features::sos::Sos;
use crate::features::sos::requests::{
    Admission, Closing, EventsQuery, Faults, ListQuery, NewMessage, NewSos, StatusChange, TrackQuery,
};
use crate::http::Body;
use crate::http::error::Problem;
use crate::http::guards::InternalDoor;
use crate::http::router::{Answer, Call, Router};
use crate::http::table::{self, Table};
use crate::http::{HttpError, Shape, json as respond_json, respond};
use crate::protocol::fields::Bad;
use crate::settings::Secret;

mod answers;
mod docs;

struct Api {
    sos: Arc<Sos>,
    door: InternalDoor,
}

impl table::Api for Api {
    fn door(&self) -> &InternalDoor {
        &self.door
    }
}

/// Adds every route under `/internal/realtime`.
pub fn routes(router: &mut Router, sos: &Arc<Sos>, token: Option<&Secret>) {
    let api = Api { sos: sos.clone(), door: InternalDoor::new(token) };
    let mut table = Table::new(router, Shape::Envelope, Ok(api));
    table.add_internal(Method::POST, "/internal/realtime/sos/init", init).described(docs::init());
    table.add_internal(Method::GET, "/internal/realtime/sos", list).described(docs::list());
    table.add_internal(Method::POST, "/internal/realtime/sos/{sos}/close", close).described(docs::close());
    table.add_internal(Method::POST, "/internal/realtime/sos/{sos}/status", status).described(docs::status());
    table.add_internal(Method::GET, "/internal/realtime/sos/{sos}/state", state).described(docs::state());
    table.add_internal(Method::GET, "/internal/realtime/sos/{sos}/track", track).described(docs::track());
    table.add_internal(Method::GET, "/internal/realtime/sos/{sos}/events", events).described(docs::events());
    table.add_internal(Method::POST, "/internal/realtime/sos/{sos}/messages", message).described(docs::message());
    table.add_internal(Method::POST, "/internal/realtime/sos/{sos}/members", admit).described(docs::admit());
    table.add_internal(Method::DELETE, "/internal/realtime/sos/{sos}/members/{user}", remove).described(docs::remove());
    table.add_internal(Method::GET, "/internal/realtime/users/{user}/presence", presence).described(docs::presence());
}

/// Makes an SOS, for the SOS service and for the demo page.
pub async fn create(sos: &Arc<Sos>, call: Call) -> Answer {
    let body = call.json().await?;
    let created = sos.create(NewSos::parse(&body)?).await?;
    Ok(success(if created.created { StatusCode::CREATED } else { StatusCode::OK }, &created.state))
}

async fn init(api: Arc<Api>, call: Call) -> Answer {
    create(&api.sos, call).await
}

async fn close(api: Arc<Api>, call: Call) -> Answer {
    let id = sos_id(&call)?;
    api.sos.close(&id, Closing::parse(&call.json().await?)?).await?;
    Ok(respond_json(StatusCode::OK, r#"{"success":true,"message":"SOS closed"}"#))
}

async fn status(api: Arc<Api>, call: Call) -> Answer {
    let id = sos_id(&call)?;
    data(StatusCode::OK, &api.sos.set_status(&id, StatusChange::parse(&call.json().await?)?).await?)
}

async fn state(api: Arc<Api>, call: Call) -> Answer {
    Ok(success(StatusCode::OK, &api.sos.state(&sos_id(&call)?).await?))
}

async fn track(api: Arc<Api>, call: Call) -> Answer {
    let track = api.sos.track(&sos_id(&call)?, &parsed(&call, TrackQuery::parse)?).await?;
    let mut response = match call.headers.get_all(ACCEPT).iter().any(geojson::is_asked_for) {
        true => respond(StatusCode::OK, geojson::MEDIA_TYPE, geojson::track(&track)),
        false => success(StatusCode::OK, &format!(r#"{{"points":{},"next":{}}}"#, array(&track.points), number(track.next))),
    };
    response.headers_mut().append(VARY, HeaderValue::from_static("Accept"));
    Ok(response)
}

async fn events(api: Arc<Api>, call: Call) -> Answer {
    let query = parsed(&call, EventsQuery::parse)?;
    let trail = api.sos.audit_trail(&sos_id(&call)?, query.after, query.limit).await?;
    let next = trail.entries.last().filter(|_| trail.more).map(|last| last.id.clone());
    data(StatusCode::OK, &json!({"events": trail.entries, "next": next}))
}

async fn message(api: Arc<Api>, call: Call) -> Answer {
    let id = sos_id(&call)?;
    data(StatusCode::CREATED, &api.sos.post_message(&id, NewMessage::parse(&call.json().await?)?).await?)
}

async fn admit(api: Arc<Api>, call: Call) -> Answer {
    let id = sos_id(&call)?;
    let admission = Admission::parse(&call.json().await?)?;
    api.sos.admit(&id, &admission).await?;
    data(StatusCode::OK, &json!({"sosId": id, "userId": admission.user_id, "role": admission.role.as_str()}))
}

async fn remove(api: Arc<Api>, call: Call) -> Answer {
    let (id, user) = (sos_id(&call)?, user_id(&call)?);
    api.sos.remove(&id, &user).await?;
    data(StatusCode::OK, &json!({"sosId": id, "userId": user}))
}

async fn list(api: Arc<Api>, call: Call) -> Answer {
    let listed = api.sos.list(&parsed(&call, ListQuery::parse)?).await?;
    let next = json!(listed.next);
    Ok(success(StatusCode::OK, &format!(r#"{{"items":{},"next":{next}}}"#, array(&listed.states))))
}

async fn presence(api: Arc<Api>, call: Call) -> Answer {
    data(StatusCode::OK, &api.sos.user_presence(&user_id(&call)?).await?)
}

fn sos_id(call: &Call) -> Result<String, HttpError> {
    let id = call.param("sos");
    if is_scope_id(id) { Ok(id.into()) } else { Err(invalid_id().into()) }
}

fn invalid_id() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, INVALID_SOS_ID.0, format!("an SOS id {NO_SOS_ID}"))
}

fn user_id(call: &Call) -> Result<String, HttpError> {
    let user = call.param("user");
    let bad = || HttpError::Invalid(vec![Bad::new("userId", "must have 1–128 characters")]);
    if is_user_id(user) { Ok(user.into()) } else { Err(bad()) }
}

fn parsed<T>(call: &Call, parse: impl Fn(&dyn Fn(&str) -> Option<String>) -> Result<T, Faults>) -> Result<T, HttpError> {
    let query = call.query();
    Ok(parse(&|name| query.get(name).cloned())?)
}

/// `{success:true, data}` around JSON text.
fn success(status: StatusCode, data: &str) -> Response<Body> {
    respond_json(status, format!(r#"{{"success":true,"data":{data}}}"#))
}

fn data(status: StatusCode, data: &impl Serialize) -> Answer {
    // None of the answers has a map key that is no text, the only thing that could fail.
    Ok(success(status, &serde_json::to_string(data).unwrap_or_else(|_| "null".into())))
}

/// A JSON array of JSON texts.
fn array<T: AsRef<[u8]>>(texts: &[T]) -> String {
    let texts: Vec<_> = texts.iter().map(|text| String::from_utf8_lossy(text.as_ref())).collect();
    format!("[{}]", texts.join(","))
}

fn number(number: Option<u64>) -> String {
    number.map_or_else(|| "null".into(), |number| number.to_string())
}
