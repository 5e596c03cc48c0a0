//! Tokens for participants and for our own calls. They say of each right whether it is given, because LiveKit takes some rights
//! for given when a token does not name them. They expire at a given second, which LiveKit's own crate cannot say: it knows
//! only a time to live from now on.

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::LiveKitError;
use crate::core::clock::now_seconds;

/// How long a token for a call lasts: six hours, as with LiveKit's own clients, so that clocks may differ.
const CALL_SECONDS: u64 = 6 * 3600;

/// What a token allows.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The only room that it opens.
    pub room: &'a str,
    pub identity: &'a str,
    pub name: Option<&'a str>,
    /// Names and values that LiveKit keeps with the participant, and shows to everybody in the room.
    pub attributes: &'a [(&'a str, &'a str)],
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

/// What the holder of a token may do. The rights that no token of ours gives are in [`Video`].
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rights<'a> {
    /// The only room that they are for. Empty: no room in particular.
    pub room: &'a str,
    pub room_create: bool,
    pub room_list: bool,
    pub room_admin: bool,
    pub room_join: bool,
    pub can_publish: bool,
    pub can_subscribe: bool,
    pub can_publish_data: bool,
}

pub(super) struct Signer {
    key: Box<str>,
    secret: EncodingKey,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Claims<'a> {
    iss: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'a str>,
    nbf: u64,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<&'a str, &'a str>,
    video: Video<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_config: Option<RoomConfig<'a>>,
}

/// All rights that LiveKit knows.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Video<'a> {
    #[serde(flatten)]
    rights: Rights<'a>,
    room_record: bool,
    ingress_admin: bool,
    hidden: bool,
    recorder: bool,
    agent: bool,
    can_update_own_metadata: bool,
    can_subscribe_metrics: bool,
    can_manage_agent_session: bool,
}

#[derive(Serialize)]
struct RoomConfig<'a> {
    agents: &'a [Agent<'a>],
}

impl Signer {
    pub fn new(key: &str, secret: &str) -> Self {
        Self { key: key.into(), secret: EncodingKey::from_secret(secret.as_bytes()) }
    }

    /// A token for a participant.
    pub fn sign(&self, grant: &Grant<'_>) -> Result<String, LiveKitError> {
        // LiveKit refuses a token without an identity, and takes an empty room for every room.
        if grant.identity.is_empty() || grant.room.is_empty() {
            return Err(LiveKitError::Token("it needs an identity and a room".into()));
        }
        let rights = Rights {
            room: grant.room,
            room_join: true,
            can_publish: grant.can_publish,
            can_subscribe: grant.can_subscribe,
            can_publish_data: grant.can_publish_data.unwrap_or(grant.can_publish),
            ..Rights::default()
        };
        self.signed(&Claims {
            sub: Some(grant.identity),
            name: grant.name,
            attributes: grant.attributes.iter().copied().collect(),
            room_config: (!grant.agents.is_empty()).then_some(RoomConfig { agents: grant.agents }),
            ..self.claims(rights, grant.expires_at)
        })
    }

    /// A token for a call of ours.
    pub fn sign_call(&self, rights: Rights<'_>) -> Result<String, LiveKitError> {
        self.signed(&self.claims(rights, now_seconds() + CALL_SECONDS))
    }

    fn claims<'a>(&'a self, rights: Rights<'a>, exp: u64) -> Claims<'a> {
        let video = Video { rights, ..Video::default() };
        let (nbf, attributes) = (now_seconds(), BTreeMap::new());
        Claims { iss: &self.key, sub: None, nbf, exp, name: None, attributes, video, room_config: None }
    }

    fn signed(&self, claims: &Claims<'_>) -> Result<String, LiveKitError> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.secret)
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
            attributes: &[],
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

    fn decoded(token: &str) -> Value {
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    fn claims(grant: &Grant<'_>) -> Value {
        let mut claims = decoded(&signed(grant));
        let nbf = claims["nbf"].take().as_u64().unwrap();
        let now = now_seconds();
        assert!(nbf <= now && now - nbf < 60);
        claims
    }

    /// The rights of a token that gives none.
    fn none() -> Value {
        json!({"room": "", "roomCreate": false, "roomList": false, "roomRecord": false, "roomAdmin": false, "roomJoin": false,
            "canPublish": false, "canSubscribe": false, "canPublishData": false, "canUpdateOwnMetadata": false,
            "canSubscribeMetrics": false, "canManageAgentSession": false, "ingressAdmin": false, "hidden": false,
            "recorder": false, "agent": false})
    }

    fn with(changes: Value) -> Value {
        let mut rights = none();
        rights.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        rights
    }

    #[test]
    fn a_token_says_of_each_right_whether_it_is_given() {
        let video = with(json!({"room": "a-room", "roomJoin": true, "canPublish": true, "canSubscribe": true,
            "canPublishData": true}));
        assert_eq!(claims(&grant()), json!({"iss": "key", "sub": "ann", "nbf": null, "exp": LATER, "video": video}));

        let agents = [Agent { name: "an-agent", metadata: "{\"kind\":\"a-call\"}" }];
        let attributes = &[("team", "red")];
        let observer = Grant { name: Some("ann@example.com"), attributes, can_publish: false, agents: &agents, ..grant() };
        let claims = claims(&observer);
        assert_eq!((&claims["name"], &claims["attributes"]), (&json!("ann@example.com"), &json!({"team": "red"})));
        assert_eq!(claims["video"], with(json!({"room": "a-room", "roomJoin": true, "canSubscribe": true})));
        let agent = json!({"agentName": "an-agent", "metadata": "{\"kind\":\"a-call\"}"});
        assert_eq!(claims["roomConfig"], json!({"agents": [agent]}));

        let mute = Grant { can_publish_data: Some(false), can_subscribe: false, ..grant() };
        let claims_of_mute = decoded(&signed(&mute));
        let video = with(json!({"room": "a-room", "roomJoin": true, "canPublish": true}));
        assert_eq!(claims_of_mute["video"], video);
    }

    #[test]
    fn a_token_of_a_call_gives_what_the_call_needs() {
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        let token = Signer::new("key", SECRET).sign_call(Rights { room_list: true, ..Rights::default() }).unwrap();
        let claims = decoded(&token);
        assert_eq!((&claims["video"], claims.get("sub")), (&with(json!({"roomList": true})), None));
        let now = now_seconds();
        assert!(claims["exp"].as_u64().is_some_and(|exp| exp > now + 3600 && exp <= now + CALL_SECONDS));
    }

    #[test]
    fn livekits_own_crate_reads_it() {
        let agents = [Agent { name: "an-agent", metadata: "m" }];
        let token = signed(&Grant { attributes: &[("team", "red")], agents: &agents, ..grant() });
        let claims = TokenVerifier::with_api_key("key", SECRET).verify(&token).unwrap();
        assert_eq!((claims.sub.as_str(), claims.exp as u64), ("ann", LATER));
        assert!(claims.video.room_join && claims.video.can_publish_data == Some(true) && !claims.video.room_admin);
        assert_eq!(claims.attributes["team"], "red");
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
