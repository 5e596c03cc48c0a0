//! Interviews: tokens for their calls, invites, and what the company's own services read and write. Contract § 4 "Routes".

use std::sync::Arc;

use hyper::{Method, Response, StatusCode};
use serde::Serialize;

use super::ending::Endings;
use super::live::Live;
use super::recruiter::Recruiter;
use super::revocation::Revocations;
use crate::core::clock::now_seconds;
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::{Interviews, InviteRequest, JoinRequest, Principal};
use crate::http::Body;
use crate::http::guards::{FailedAuth, InternalDoor, RateLimits, X_INTERNAL_TOKEN, bearer};
use crate::http::router::{Answer, Call, Router};
use crate::http::table::{self, Table};
use crate::http::{HttpError, Shape, json as respond_json};
use crate::settings::Secret;
use crate::telemetry::once_a_minute;

mod bodies;
mod docs;

/// What the routes stand on.
pub struct Parts<'a> {
    pub live: Arc<Live>,
    pub endings: Arc<Endings>,
    pub revocations: Arc<Revocations>,
    pub limits: RateLimits,
    /// Of one caller to each route.
    pub requests_per_minute: u32,
    pub internal_token: Option<&'a Secret>,
}

/// Adds the routes of § 4. `None`: there is no PostgreSQL, and all of them answer 501.
pub fn routes(router: &mut Router, parts: Option<Parts<'_>>) {
    let api = parts.map(|parts| Api {
        interviews: parts.live.interviews.clone(),
        live: parts.live,
        endings: parts.endings,
        revocations: parts.revocations,
        limits: parts.limits,
        per_minute: parts.requests_per_minute,
        failures: FailedAuth::default(),
        door: InternalDoor::new(parts.internal_token),
    });
    let mut table = Table::new(router, Shape::Coded, api.ok_or("DATABASE_URL"));
    table.add(Method::POST, "/api/interviews/join-token", join_token).described(docs::join_token());
    let added = table.add(Method::POST, "/api/interviews/{id}/invites", |api: Arc<Api>, call| async move {
        let recruiter = api.recruiter(&call).await?;
        let quota = api.limits.take("interviews-invite", &bucket_of(&recruiter), api.per_minute).await?;
        Ok(quota.on(Shape::Coded, invite(api, recruiter, call).await))
    });
    added.described(docs::invite());
    let added = table.add(Method::DELETE, "/api/interviews/{id}/invites/{invite}", |api: Arc<Api>, call| async move {
        let recruiter = api.recruiter(&call).await?;
        let quota = api.limits.take("interviews-revoke", &bucket_of(&recruiter), api.per_minute).await?;
        Ok(quota.on(Shape::Coded, revoke(api, recruiter, call).await))
    });
    added.described(docs::revoke());
    table.add_internal(Method::POST, "/internal/interviews", create).described(docs::create());
    table.add_internal(Method::GET, "/internal/interviews/{id}", read).described(docs::read());
    table.add_internal(Method::PATCH, "/internal/interviews/{id}", change).described(docs::change());
}

struct Api {
    interviews: Arc<Interviews>,
    live: Arc<Live>,
    endings: Arc<Endings>,
    revocations: Arc<Revocations>,
    limits: RateLimits,
    per_minute: u32,
    failures: FailedAuth,
    door: InternalDoor,
}

impl table::Api for Api {
    fn door(&self) -> &InternalDoor {
        &self.door
    }
}

impl Api {
    async fn recruiter(&self, call: &Call) -> Result<Recruiter, HttpError> {
        let recruiter = self.interviews.recruiter(bearer(&call.headers), now_seconds()).await;
        recruiter.map_err(|error| self.refuse(call, error))
    }

    /// If a request has `X-Internal-Token`, that decides, whatever other token it has.
    async fn principal(&self, call: &Call) -> Result<Principal, HttpError> {
        if call.headers.contains_key(X_INTERNAL_TOKEN) {
            return self.door.admit(call).map(|()| Principal::Internal);
        }
        let token = bearer(&call.headers);
        // A header that holds no token of ours is not the same as none: it is not open signalling that is meant.
        let is_unreadable = token.is_none() && call.headers.contains_key(hyper::header::AUTHORIZATION);
        let principal = match is_unreadable {
            true => Err(InterviewError::InvalidToken),
            false => self.interviews.principal(token, now_seconds()).await,
        };
        principal.map_err(|error| self.refuse(call, error))
    }

    /// Failed authentication is counted by address.
    fn refuse(&self, call: &Call, error: InterviewError) -> HttpError {
        match error {
            InterviewError::MissingToken
            | InterviewError::InvalidToken
            | InterviewError::TokenTooLong(_)
            | InterviewError::TokenExpired => self.failures.refuse(call.context.address, error.into()),
            error => error.into(),
        }
    }
}

async fn join_token(api: Arc<Api>, call: Call) -> Answer {
    if !api.interviews.has_livekit() {
        return Err(HttpError::NotConfigured { setting: "LIVEKIT_WS_URL" });
    }
    let principal = api.principal(&call).await?;
    let address = call.context.address;
    let request = match call.json().await {
        Ok(body) => JoinRequest::parse(&body).map_err(HttpError::from),
        Err(error) => Err(error),
    };
    let bucket = match (&principal, &request) {
        // Each participant has a bucket, or the service would have one for all of them. Interviews that there are not share
        // one.
        (Principal::Internal, Ok(request)) if api.interviews.exists(&request.interview_id).await? => {
            format!("internal:{}:{}", request.interview_id, request.participant_id.as_deref().unwrap_or_default())
        }
        (Principal::Internal, _) => "internal".into(),
        (Principal::Recruiter(recruiter), _) => bucket_of(recruiter),
        (Principal::Candidate { token, .. }, _) => token.iter().map(|byte| format!("{byte:02x}")).collect(),
        (Principal::Anyone, _) => format!("address:{address}"),
    };
    let quota = api.limits.take("interviews-join", &bucket, api.per_minute).await?;
    let joined = async {
        let joined = api.interviews.join_token(&principal, &request?, now_seconds()).await?;
        Ok(answer(StatusCode::CREATED, &joined))
    };
    Ok(quota.on(Shape::Coded, joined.await))
}

async fn invite(api: Arc<Api>, recruiter: Recruiter, call: Call) -> Answer {
    let id = call.param("id").to_owned();
    let request = InviteRequest::parse(&call.json().await?)?;
    Ok(answer(StatusCode::CREATED, &api.interviews.invite(&recruiter, &id, &request).await?))
}

async fn revoke(api: Arc<Api>, recruiter: Recruiter, call: Call) -> Answer {
    api.revocations.revoke(&recruiter, call.param("id"), call.param("invite")).await?;
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

async fn create(api: Arc<Api>, call: Call) -> Answer {
    Ok(answer(StatusCode::CREATED, &api.interviews.create(&call.json().await?).await?))
}

async fn read(api: Arc<Api>, call: Call) -> Answer {
    Ok(answer(StatusCode::OK, &api.live.overview(call.param("id")).await?))
}

async fn change(api: Arc<Api>, call: Call) -> Answer {
    let id = call.param("id").to_owned();
    let changed = api.interviews.change(&id, &call.json().await?).await?;
    if let Some(end) = changed.ended {
        // Its session is told in a minute at the latest.
        if let Err(error) = api.endings.end(changed.id, end).await {
            once_a_minute!(warn, "the end of an interview is told later", interview = %changed.id, %error);
        }
    }
    Ok(answer(StatusCode::OK, &api.live.with_session(changed.id, changed.whole).await?))
}

fn answer(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    // None of the answers has a map key that is no text, the only thing that could fail.
    respond_json(status, serde_json::to_string(body).unwrap_or_else(|_| "null".into()))
}

fn bucket_of(recruiter: &Recruiter) -> String {
    format!("recruiter:{}", recruiter.user_id)
}
