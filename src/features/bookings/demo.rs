//! Stands in for the identity provider of interview sessions: a name makes a user, with a résumé or without.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Bookings, holder};
use crate::core::clock;
use crate::http::router::{Answer, Call, Router};
use crate::http::{HttpError, Shape, json as respond_json};
use crate::protocol::fields::Bad;
use crate::settings::VerifierSettings;

/// How long a development token lasts.
const TOKEN_TTL: Duration = Duration::from_secs(12 * 3600);
/// The résumé id of a demo user who has one.
const RESUME: &str = "demo-resume";

/// `resume` writes the user's row; without it the row stays as it is, and only a token is made.
#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    name: String,
    resume: Option<bool>,
}

/// Adds `POST /demo/holder {name, resume?}`, answered 200 `{token, userId, email, expiresAt}`.
pub fn route(router: &mut Router, identity: &VerifierSettings, sessions: Option<&Arc<Bookings>>) {
    let identity = Arc::new(identity.clone());
    let sessions = sessions.cloned();
    router
        .route(Method::POST, "/demo/holder", Shape::Envelope, move |call| {
            let (identity, sessions) = (identity.clone(), sessions.clone());
            async move { sign_in(call, &identity, sessions.as_ref()).await }
        })
        .unlisted();
}

async fn sign_in(call: Call, identity: &VerifierSettings, sessions: Option<&Arc<Bookings>>) -> Answer {
    let sessions = sessions.ok_or(HttpError::NotConfigured { setting: "DATABASE_URL" })?;
    let asked: Asked =
        serde_json::from_str(&call.json().await?).map_err(|_| bad("name", "must be text; resume true or false"))?;
    if !is_name(&asked.name) {
        return Err(bad("name", "must have 1–63 of A–Z, a–z, 0–9, _, . and -, and begin with a letter or a digit"));
    }
    let user = user_id(&asked.name);
    // No mail is ever delivered to this domain (RFC 2606).
    let email = format!("{}@demo.invalid", asked.name);
    let now = clock::since_1970();
    let expires_at = (now + TOKEN_TTL).as_secs();
    // The only way to fail is a hub without a secret: one that knows public keys only cannot sign.
    let token = holder::mint(identity, user, Some(&email), expires_at, now.as_secs())
        .map_err(|_| HttpError::NotConfigured { setting: "SESSIONS_JWT_SECRET" })?;
    if let Some(has_resume) = asked.resume {
        sessions.put_user(user, Some(&email), has_resume.then_some(RESUME)).await?;
    }
    let body = json!({"token": token, "userId": user.to_string(), "email": email, "expiresAt": expires_at * 1000});
    Ok(respond_json(StatusCode::OK, body.to_string()))
}

fn bad(field: &'static str, why: &'static str) -> HttpError {
    vec![Bad::new(field, why)].into()
}

fn is_name(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// The same name is always the same user, on every hub.
fn user_id(name: &str) -> Uuid {
    let digest = Sha256::digest(format!("convoke demo user {name}"));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_always_the_same_user_and_no_other() {
        assert_eq!(user_id("ana"), user_id("ana"));
        assert_ne!(user_id("ana"), user_id("Ana"));
        assert_eq!(user_id("ana").get_version_num(), 8);
    }

    #[test]
    fn a_name_is_the_local_part_of_an_address() {
        for good in ["a", "ana.b-1_2", &"x".repeat(63)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", ".a", "a@b", "a b", "é", &"x".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
