//! Tokens of the SOS surface (contract § 3): who someone is, in which role, and which incidents the token names.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use crate::auth::{self, AuthError, KeyRing, SetupError, id_text, sign};
use crate::core::ids;
use crate::settings::VerifierSettings;

/// What a person is to an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(rename = "SosRole", rename_all = "lowercase")]
pub enum Role {
    Citizen,
    Rescuer,
    Dispatcher,
    Admin,
}

impl Role {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Citizen => "citizen",
            Self::Rescuer => "rescuer",
            Self::Dispatcher => "dispatcher",
            Self::Admin => "admin",
        }
    }

    /// Has rights on every incident.
    pub const fn sees_all(self) -> bool {
        matches!(self, Self::Dispatcher | Self::Admin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ();

    /// In any case of letters.
    fn from_str(text: &str) -> Result<Self, ()> {
        let roles = [Self::Citizen, Self::Rescuer, Self::Dispatcher, Self::Admin];
        roles.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// 1–128 characters.
    pub user_id: Box<str>,
    pub role: Role,
    /// `sosId`: its socket is a member of this one from CONNECT on.
    pub sos_id: Option<Box<str>>,
    /// All that the token names, `sosId` first, each once.
    pub sos_ids: Vec<Box<str>>,
    /// Seconds since 1970; `None`: never.
    pub expires_at: Option<u64>,
}

impl Claims {
    /// The incident that is meant when an event leaves out `sosId`: the only one that the token names.
    pub fn only_sos(&self) -> Option<&str> {
        match self.sos_ids.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }

    /// Seconds since 1970: until then the token counts. Clocks may differ, so that it is a little later than `exp`.
    pub fn ends_at(&self) -> Option<u64> {
        self.expires_at.map(auth::ends_at)
    }

    pub fn names(&self, sos_id: &str) -> bool {
        self.sos_ids.iter().any(|named| **named == *sos_id)
    }
}

/// A token that is genuine. It may have expired all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub claims: Claims,
    pub expired: bool,
}

impl Verified {
    /// For all who grant no grace.
    ///
    /// # Errors
    /// [`AuthError::Expired`].
    pub fn unexpired(self) -> Result<Claims, AuthError> {
        if self.expired { Err(AuthError::Expired) } else { Ok(self.claims) }
    }
}

/// Verifies the tokens of citizens, rescuers, dispatchers and admins.
pub struct SosVerifier {
    keys: KeyRing,
}

impl SosVerifier {
    /// # Errors
    /// If a key cannot be used. Reading the settings has found unreadable ones already.
    pub fn new(identity: &VerifierSettings) -> Result<Self, SetupError> {
        Ok(Self { keys: KeyRing::new(identity)? })
    }

    /// `now_seconds` since 1970. Waits for a JWKS at most 3 s.
    ///
    /// # Errors
    /// All of [`AuthError`] but `Expired`: an expired token is told by [`Verified::expired`], since grace needs its claims.
    pub async fn verify(&self, token: &str, now_seconds: u64) -> Result<Verified, AuthError> {
        let opened = self.keys.open(token, now_seconds).await?;
        let claims = claims(&opened.claims, opened.expires_at).ok_or(AuthError::Invalid)?;
        Ok(Verified { claims, expired: opened.expired })
    }
}

fn claims(raw: &Map<String, Value>, expires_at: Option<u64>) -> Option<Claims> {
    // Null and the empty string are what issuers write for "none".
    let present = |name: &str| raw.get(name).filter(|value| !value.is_null() && value.as_str() != Some(""));
    let user_id = present("userId").or_else(|| present("sub")).and_then(id_text)?;
    let role = present("role")?.as_str()?.parse().ok()?;
    let sos_id = present("sosId").map(sos_id).map_or(Some(None), |id| id.map(Some))?;
    let mut sos_ids: Vec<Box<str>> = sos_id.iter().cloned().collect();
    if let Some(more) = present("sosIds") {
        for id in more.as_array()? {
            let id = self::sos_id(id)?;
            if !sos_ids.contains(&id) {
                sos_ids.push(id);
            }
        }
    }
    ids::is_user_id(&user_id).then(|| Claims { user_id: user_id.into(), role, sos_id, sos_ids, expires_at })
}

fn sos_id(value: &Value) -> Option<Box<str>> {
    id_text(value).filter(|id| ids::is_scope_id(id)).map(Into::into)
}

/// Signs a token with the surface's own secret: for development and the demo page. One named incident becomes `sosId`,
/// several become `sosIds`.
///
/// # Errors
/// [`AuthError::NotConfigured`] without a secret.
pub fn mint(identity: &VerifierSettings, claims: &Claims, now_seconds: u64) -> Result<String, AuthError> {
    let mut body = json!({ "userId": claims.user_id, "role": claims.role.as_str(), "iat": now_seconds });
    let optional = [
        ("sosId", claims.sos_id.as_deref().map(Value::from)),
        ("sosIds", (claims.sos_ids.len() > claims.sos_id.iter().len()).then(|| json!(claims.sos_ids))),
        ("exp", claims.expires_at.map(Value::from)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            body[name] = value;
        }
    }
    sign(identity, body)
}
