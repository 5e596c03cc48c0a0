//! What LiveKit tells by webhook. The header holds a token whose claim `sha256` is the body's hash; the body is JSON in the
//! manner of Protocol Buffers. Of that only what the hub needs is read, so that an event, a field or a value that a newer
//! server has does no harm.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use livekit_api::access_token::TokenVerifier;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::WebhookError;

/// What happened in a room. The same event may come again, and events in another order than they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomEvent {
    /// The same when it comes again. Empty if LiveKit gave none.
    pub id: String,
    /// `room_started`, `participant_joined`, ….
    pub event: String,
    pub room: Option<String>,
    pub room_sid: Option<String>,
    pub participant_identity: Option<String>,
    /// Seconds since 1970; 0 if LiveKit does not say.
    pub created_at: u64,
}

/// Who wants to know what happens in rooms. It is told of every room of the server, and more than once.
pub trait RoomListener: Send + Sync {
    /// LiveKit waits for this, though not for long.
    fn on_room_event<'a>(&'a self, event: &'a RoomEvent) -> BoxFuture<'a, ()>;
}

pub(super) struct Receiver(TokenVerifier);

impl Receiver {
    pub fn new(key: &str, secret: &str) -> Self {
        Self(TokenVerifier::with_api_key(key, secret))
    }

    pub fn open(&self, authorization: &str, body: &[u8]) -> Result<RoomEvent, WebhookError> {
        // LiveKit sends the bare token.
        let token = match authorization.split_at_checked(7) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => token,
            _ => authorization,
        };
        let claims = self.0.verify(token.trim()).map_err(|_| WebhookError::Signature)?;
        // A participant's token is signed with the same key, but names no hash.
        let signed = STANDARD.decode(claims.sha256).map_err(|_| WebhookError::Signature)?;
        if signed != Sha256::digest(body).as_slice() {
            return Err(WebhookError::Signature);
        }
        serde_json::from_slice::<Event>(body).map(RoomEvent::from).map_err(|_| WebhookError::Body)
    }
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    id: Option<String>,
    event: String,
    #[serde(default)]
    room: Option<Room>,
    #[serde(default)]
    participant: Option<Participant>,
    #[serde(default, rename = "createdAt", alias = "created_at", deserialize_with = "int64")]
    created_at: u64,
}

#[derive(Deserialize)]
struct Room {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    sid: Option<String>,
}

#[derive(Deserialize)]
struct Participant {
    #[serde(default)]
    identity: Option<String>,
}

impl From<Event> for RoomEvent {
    fn from(event: Event) -> Self {
        let (room, room_sid) = event.room.map_or((None, None), |room| (room.name, room.sid));
        Self {
            id: event.id.unwrap_or_default(),
            event: event.event,
            room,
            room_sid,
            participant_identity: event.participant.and_then(|participant| participant.identity),
            created_at: event.created_at,
        }
    }
}

/// 64 bits are too many for a JavaScript number, so Protocol Buffers write them as text; both may come.
fn int64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
    .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::crypto::aws_lc;
    use jsonwebtoken::{EncodingKey, Header};
    use livekit_api::access_token::{AccessToken, Claims, VideoGrants};

    use super::*;

    const SECRET: &str = "a secret of the tests, at least 32 bytes long";
    const JOINED: &str = r#"{"event":"participant_joined","room":{"sid":"RM_x","name":"r","emptyTimeout":300,
        "creationTime":"1763742000","enabledCodecs":[{"mime":"audio/opus"}],"departureTimeout":20},
        "participant":{"sid":"PA_y","identity":"ann","state":"ACTIVE","joinedAt":"1763742001","kind":"A_KIND_OF_2031",
        "permission":{"canSubscribe":true}},"id":"EV_z","createdAt":"1763742002","somethingNew":{"a":[1]}}"#;

    fn token(key: &str, secret: &str, body: &[u8]) -> String {
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        AccessToken::with_api_key(key, secret).with_sha256(&STANDARD.encode(Sha256::digest(body))).to_jwt().unwrap()
    }

    fn open(authorization: &str, body: &str) -> Result<RoomEvent, WebhookError> {
        Receiver::new("key", SECRET).open(authorization, body.as_bytes())
    }

    fn told(body: &str) -> Result<RoomEvent, WebhookError> {
        open(&token("key", SECRET, body.as_bytes()), body)
    }

    #[test]
    fn what_a_newer_server_writes_is_read() {
        let event = RoomEvent {
            id: "EV_z".into(),
            event: "participant_joined".into(),
            room: Some("r".into()),
            room_sid: Some("RM_x".into()),
            participant_identity: Some("ann".into()),
            created_at: 1_763_742_002,
        };
        assert_eq!(told(JOINED), Ok(event.clone()));
        let bearer = token("key", SECRET, JOINED.as_bytes());
        for scheme in ["Bearer ", "bearer  "] {
            assert_eq!(open(&format!("{scheme}{bearer}"), JOINED), Ok(event.clone()));
        }

        let unknown = told(r#"{"event":"moon_landed","id":null,"room":null,"createdAt":17,"participant":{}}"#).unwrap();
        assert_eq!((&*unknown.event, &*unknown.id, unknown.created_at), ("moon_landed", "", 17));
        assert_eq!((unknown.room, unknown.participant_identity), (None, None));
        assert_eq!(told(r#"{"event":"e","createdAt":{}}"#).unwrap().created_at, 0);
    }

    #[test]
    fn what_is_not_signed_with_our_key_over_this_body_is_refused() {
        let good = token("key", SECRET, JOINED.as_bytes());
        let participant = VideoGrants { room_join: true, room: "r".into(), ..VideoGrants::default() };
        let participant = AccessToken::with_api_key("key", SECRET).with_identity("ann").with_grants(participant);
        let (head, signature) = good.rsplit_once('.').unwrap();
        let none = format!("eyJhbGciOiJub25lIn0.{}.", head.split_once('.').unwrap().1);
        let refused = [
            String::new(),
            "Bearer ".into(),
            "x".into(),
            "ééééééé".into(),
            none,
            format!("{head}.{}", signature.to_lowercase()),
            token("key", "another secret of the tests, just as long", JOINED.as_bytes()),
            token("another key", SECRET, JOINED.as_bytes()),
            token("key", SECRET, b"another body"),
            participant.to_jwt().unwrap(),
            AccessToken::with_api_key("key", SECRET).with_sha256("no base64!").to_jwt().unwrap(),
        ];
        for authorization in refused {
            assert_eq!(open(&authorization, JOINED), Err(WebhookError::Signature), "{authorization}");
        }
        assert_eq!(open(&good, &JOINED.replace("ann", "bob")), Err(WebhookError::Signature));
        let claims = Claims { iss: "key".into(), exp: 1, sha256: STANDARD.encode(Sha256::digest(JOINED)), ..Claims::default() };
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let expired = jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap();
        assert_eq!(open(&expired, JOINED), Err(WebhookError::Signature));
    }

    #[test]
    fn what_tells_nothing_is_no_event() {
        for body in ["", "null", "[]", "{}", "{", r#"{"event":7}"#, r#"{"event":"e","room":"r"}"#, "\u{0}"] {
            assert_eq!(told(body), Err(WebhookError::Body), "{body}");
        }
    }
}
