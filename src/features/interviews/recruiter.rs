//! Tokens of those who watch and lead interviews (contract § 4 "Connect"): who, in which role, of which organization.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value, json};

use crate::auth::{AuthError, KeyRing, SetupError, id_text, sign};
use crate::core::ids;
use crate::settings::VerifierSettings;

/// What a person is to interviews.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecruiterRole {
    Recruiter,
    Interviewer,
    /// Watches, and does nothing else.
    Observer,
    /// Sees every interview.
    Admin,
}

impl RecruiterRole {
    /// If a token names several, the first of these counts.
    const BY_RANK: [Self; 4] = [Self::Admin, Self::Recruiter, Self::Interviewer, Self::Observer];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Recruiter => "recruiter",
            Self::Interviewer => "interviewer",
            Self::Observer => "observer",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for RecruiterRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RecruiterRole {
    type Err = ();

    /// In any case of letters.
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::BY_RANK.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recruiter {
    /// 1–128 characters.
    pub user_id: Box<str>,
    pub role: RecruiterRole,
    /// `orgId`: its interviews are in sight.
    pub org_id: Option<Box<str>>,
    /// Seconds since 1970; `None`: never.
    pub expires_at: Option<u64>,
}

/// Verifies the tokens of recruiters, interviewers, observers and admins.
pub struct RecruiterVerifier {
    keys: KeyRing,
}

impl RecruiterVerifier {
    /// # Errors
    /// If a key cannot be used. Reading the settings has found unreadable ones already.
    pub fn new(identity: &VerifierSettings) -> Result<Self, SetupError> {
        Ok(Self { keys: KeyRing::new(identity)? })
    }

    /// `now_seconds` since 1970. Waits for a JWKS at most 3 s.
    ///
    /// # Errors
    /// All of [`AuthError`].
    pub async fn verify(&self, token: &str, now_seconds: u64) -> Result<Recruiter, AuthError> {
        self.keys.verify(token, now_seconds, recruiter).await
    }
}

fn recruiter(claims: &Map<String, Value>, expires_at: Option<u64>) -> Option<Recruiter> {
    // Issuers write null or an empty string for "none".
    let present = |name: &str| claims.get(name).filter(|value| !value.is_null() && value.as_str() != Some(""));
    let user_id = present("sub").and_then(id_text).filter(|id| ids::is_user_id(id))?;
    let org_id = match present("orgId") {
        Some(org) => Some(id_text(org).filter(|id| ids::is_user_id(id))?.into()),
        None => None,
    };
    Some(Recruiter { user_id: user_id.into(), role: role(claims)?, org_id, expires_at })
}

/// `role`, else `app_metadata.role`, else `realm_access.roles`. A role that is none of ours does not count: Supabase writes
/// `authenticated` into the first place of every token, Keycloak its own roles beside ours in the last.
fn role(claims: &Map<String, Value>) -> Option<RecruiterRole> {
    let within = |object: &str, name: &str| claims.get(object).and_then(|object| object.get(name));
    let one = |value: Option<&Value>| value.and_then(Value::as_str).and_then(|role| role.parse().ok());
    let many = |value: Option<&Value>| {
        let roles: Vec<_> = value?.as_array()?.iter().filter_map(|role| one(Some(role))).collect();
        RecruiterRole::BY_RANK.into_iter().find(|role| roles.contains(role))
    };
    one(claims.get("role")).or_else(|| one(within("app_metadata", "role"))).or_else(|| many(within("realm_access", "roles")))
}

/// Signs such a token with the surface's own secret: for development, the demo page and tests. A recruiter that never expires
/// gets a token that never does.
///
/// # Errors
/// [`AuthError::NotConfigured`] without a secret.
pub fn mint(identity: &VerifierSettings, recruiter: &Recruiter, now_seconds: u64) -> Result<String, AuthError> {
    let mut claims = json!({ "sub": recruiter.user_id, "role": recruiter.role.as_str(), "iat": now_seconds });
    if let Some(org_id) = &recruiter.org_id {
        claims["orgId"] = (&**org_id).into();
    }
    if let Some(expires_at) = recruiter.expires_at {
        claims["exp"] = expires_at.into();
    }
    sign(identity, claims)
}
