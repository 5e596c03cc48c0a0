//! Tokens for participants. They hold what the grant says and nothing else, and expire at a given second: LiveKit's own crate
//! knows only a time to live from now on, and writes every grant that was not given as `false`.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::LiveKitError;
use crate::core::clock::now_seconds;

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
        // LiveKit refuses a token without an identity, and takes an empty room for every room.
        if grant.identity.is_empty() || grant.room.is_empty() {
            return Err(LiveKitError::Token("it needs an identity and a room".into()));
        }
        let now = now_seconds();
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

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::crypto::aws_lc;
    use livekit_api::access_token::TokenVerifier;
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "a secret of the tests, at least 32 bytes long";
    /// In the year 2100.
    const LATER: u64 = 4_102_444_800;

    fn grant<'a>() -> Grant<'a> {
        Grant {
            room: "a-room",
            identity: "ann",
            name: None,
            can_publish: true,
            can_subscribe: true,
            can_publish_data: None,
            expires_at: LATER,
            agents: &[],
        }
    }

    fn signed(grant: &Grant<'_>) -> String {
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        Signer::new("key", SECRET).sign(grant).unwrap()
    }

    fn claims(grant: &Grant<'_>) -> Value {
        let token = signed(grant);
        let payload = token.split('.').nth(1).unwrap();
        let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        let nbf = claims["nbf"].take().as_u64().unwrap();
        let now = now_seconds();
        assert!(nbf <= now && now - nbf < 60);
        claims
    }

    #[test]
    fn a_token_holds_what_the_grant_says_and_nothing_else() {
        let video = json!({"room": "a-room", "roomJoin": true, "canPublish": true, "canSubscribe": true});
        assert_eq!(claims(&grant()), json!({"iss": "key", "sub": "ann", "nbf": null, "exp": LATER, "video": video}));

        let agents = [Agent { name: "an-agent", metadata: "{\"kind\":\"a-call\"}" }];
        let observer = Grant {
            name: Some("ann@example.com"),
            can_publish: false,
            can_publish_data: Some(false),
            agents: &agents,
            ..grant()
        };
        let claims = claims(&observer);
        assert_eq!(claims["name"], "ann@example.com");
        assert_eq!((&claims["video"]["canPublish"], &claims["video"]["canPublishData"]), (&json!(false), &json!(false)));
        let agent = json!({"agentName": "an-agent", "metadata": "{\"kind\":\"a-call\"}"});
        assert_eq!(claims["roomConfig"], json!({"agents": [agent]}));
    }

    #[test]
    fn livekits_own_crate_reads_it() {
        let agents = [Agent { name: "an-agent", metadata: "m" }];
        let token = signed(&Grant { agents: &agents, ..grant() });
        let claims = TokenVerifier::with_api_key("key", SECRET).verify(&token).unwrap();
        assert_eq!((claims.sub.as_str(), claims.exp as u64), ("ann", LATER));
        assert!(claims.video.room_join && claims.video.can_publish_data && !claims.video.room_admin);
        assert_eq!(claims.room_config.unwrap().agents[0].agent_name, "an-agent");
        TokenVerifier::with_api_key("other", SECRET).verify(&token).unwrap_err();
    }

    #[test]
    fn nobody_gets_a_token_for_every_room() {
        for grant in [Grant { room: "", ..grant() }, Grant { identity: "", ..grant() }] {
            let error = Signer::new("key", SECRET).sign(&grant).unwrap_err();
            assert!(matches!(error, LiveKitError::Token(_)), "{error:?}");
        }
    }
}
