//! Tokens for participants. They hold what the grant says and nothing else, and expire at a given second: LiveKit's own crate
//! knows only a time to live from now on, and writes every grant that was not given as `false`.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::LiveKitError;

/// What a token allows.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The only room that it opens.
    pub room: &'a str,
    pub identity: &'a str,
    pub name: Option<&'a str>,
    pub can_publish: bool,
    pub can_subscribe: bool,
    /// `None`: as `can_publish`.
    pub can_publish_data: Option<bool>,
    /// Seconds since 1970.
    pub expires_at: u64,
    /// They are sent for when joining with this token makes the room; if it is there, they are not.
    pub agents: &'a [Agent<'a>],
}

/// An agent that comes to a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Agent<'a> {
    #[serde(rename = "agentName")]
    pub name: &'a str,
    pub metadata: &'a str,
}

pub(super) struct Signer {
    key: Box<str>,
    secret: EncodingKey,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    nbf: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    video: Video<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_config: Option<RoomConfig<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Video<'a> {
    room: &'a str,
    room_join: bool,
    can_publish: bool,
    can_subscribe: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    can_publish_data: Option<bool>,
}

#[derive(Serialize)]
struct RoomConfig<'a> {
    agents: &'a [Agent<'a>],
}

impl Signer {
    pub fn new(key: &str, secret: &str) -> Self {
        Self { key: key.into(), secret: EncodingKey::from_secret(secret.as_bytes()) }
    }

    pub fn sign(&self, grant: &Grant<'_>) -> Result<String, LiveKitError> {
        // LiveKit lets in nobody without a name, and takes no room for any room.
        if grant.identity.is_empty() || grant.room.is_empty() {
            return Err(LiveKitError::Token("it needs an identity and a room".into()));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let claims = Claims {
            iss: &self.key,
            sub: grant.identity,
            nbf: now,
            exp: grant.expires_at,
            name: grant.name,
            video: Video {
                room: grant.room,
                room_join: true,
                can_publish: grant.can_publish,
                can_subscribe: grant.can_subscribe,
                can_publish_data: grant.can_publish_data,
            },
            room_config: (!grant.agents.is_empty()).then_some(RoomConfig { agents: grant.agents }),
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.secret)
            .map_err(|error| LiveKitError::Token(error.to_string()))
    }
}
