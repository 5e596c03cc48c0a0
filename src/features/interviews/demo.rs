//! Stands in for the backend that plans interviews, and for the identity provider of recruiters. Only with `DEMO=true`.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::Interviews;
use super::recruiter::{self, Recruiter, RecruiterRole};
use crate::core::{clock, ids};
use crate::http::router::{Answer, Call, Router};
use crate::http::{HttpError, Shape, json as respond_json};
use crate::protocol::fields::Bad;
use crate::settings::VerifierSettings;

/// How long a recruiter's development token lasts.
const TOKEN_TTL: Duration = Duration::from_secs(12 * 3600);
/// The organization of all interviews that the page plans.
const ORGANIZATION: &str = "demo";
const MAX_NAME: usize = 80;

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    candidate: String,
}

/// Adds `POST /demo/interview {candidate}`: a name. It answers 201 `{interviewId, joinToken, recruiterToken, expiresAt}`.
pub fn route(router: &mut Router, identity: &VerifierSettings, interviews: Option<&Arc<Interviews>>) {
    let identity = Arc::new(identity.clone());
    let interviews = interviews.cloned();
    router
        .route(Method::POST, "/demo/interview", Shape::Envelope, move |call| {
            let (identity, interviews) = (identity.clone(), interviews.clone());
            async move { plan(call, &identity, interviews.as_ref()).await }
        })
        .unlisted();
}

async fn plan(call: Call, identity: &VerifierSettings, interviews: Option<&Arc<Interviews>>) -> Answer {
    let interviews = interviews.ok_or(HttpError::NotConfigured { setting: "DATABASE_URL" })?;
    let bad = |why| HttpError::from(vec![Bad::new("candidate", why)]);
    let asked: Asked = serde_json::from_str(&call.json().await?).map_err(|_| bad("must be text"))?;
    let name = asked.candidate.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.contains('\0') {
        return Err(bad("must have 1–80 characters"));
    }
    let now = clock::since_1970();
    let expires_at = (now + TOKEN_TTL).as_secs();
    let recruiter = Recruiter {
        user_id: "demo-recruiter".into(),
        role: RecruiterRole::Recruiter,
        org_id: Some(ORGANIZATION.into()),
        expires_at: Some(expires_at),
    };
    // The only way to fail is a hub without a secret: one that knows public keys only cannot sign.
    let token = recruiter::mint(identity, &recruiter, now.as_secs())
        .map_err(|_| HttpError::NotConfigured { setting: "INTERVIEW_JWT_SECRET" })?;
    let created = interviews.create(&template(name)).await?;
    let body = json!({
        "interviewId": created.id.to_string(),
        "joinToken": created.join_token,
        "recruiterToken": token,
        "expiresAt": expires_at * 1000,
    });
    Ok(respond_json(StatusCode::CREATED, body.to_string()))
}

/// The body of `POST /internal/interviews`.
fn template(name: &str) -> String {
    let question = |text: &str, kind: &str| json!({"text": text, "type": kind});
    json!({
        "organizationId": ORGANIZATION,
        // No mail is ever delivered to this domain (RFC 2606).
        "candidate": {"id": format!("demo-{}", ids::random(6)), "name": name, "email": "candidate@demo.invalid"},
        "template": {"title": "Backend engineer", "totalDuration": 10, "assessments": [
            {"title": "Experience", "questions": [
                question("Tell me about a service that you have built, and who used it.", "BEHAVIORAL"),
                question("What went wrong with it, and what did you change afterwards?", "BEHAVIORAL"),
            ]},
            {"title": "Distributed systems", "questions": [
                question("A node of your service dies in the middle of a request. What does the client see?", "TECHNICAL"),
            ]},
        ]},
    })
    .to_string()
}
