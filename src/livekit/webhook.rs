//! What LiveKit tells by webhook. The header holds a token whose claim `sha256` is the body's hash; the body is JSON in the
//! manner of Protocol Buffers. Of that only what the hub needs is read, so that an event, a field or a value that a newer
//! server has does no harm.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::WebhookError;
use crate::core::clock::now_seconds;

/// Clocks may differ by so much, as LiveKit's own clients allow.
const SKEW_SECONDS: u64 = 60;

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
    /// As its token named them.
    pub participant_attributes: HashMap<String, String>,
    /// Seconds since 1970; 0 if LiveKit does not say.
    pub created_at: u64,
}

/// A part of the hub that listens to what happens in rooms. It is told of every room of the server, and of an event perhaps
/// twice.
pub trait RoomListener: Send + Sync {
    /// LiveKit waits for this, though not for long.
    fn on_room_event<'a>(&'a self, event: &'a RoomEvent) -> BoxFuture<'a, ()>;
}

pub(super) struct Receiver {
    secret: DecodingKey,
    validation: Validation,
}

/// What the token of a webhook says.
#[derive(Deserialize)]
struct Signed {
    exp: u64,
    #[serde(default)]
    nbf: u64,
    #[serde(default)]
    sha256: String,
}

/// What our LiveKit has signed: which body its webhook has.
pub struct SignedWebhook(Vec<u8>);

impl SignedWebhook {
    /// What a webhook tells, if this is its body.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub fn open(&self, body: &[u8]) -> Result<RoomEvent, WebhookError> {
        if self.0 != Sha256::digest(body).as_slice() {
            return Err(WebhookError::Signature);
        }
        serde_json::from_slice::<Event>(body).map(RoomEvent::from).map_err(|_| WebhookError::Body)
    }
}

impl Receiver {
    pub fn new(key: &str, secret: &str) -> Self {
        // Times are looked at apart, so that a clock that is off is not taken for a forgery.
        let mut validation = Validation::new(Algorithm::HS256);
        (validation.validate_exp, validation.validate_nbf) = (false, false);
        validation.set_issuer(&[key]);
        Self { secret: DecodingKey::from_secret(secret.as_bytes()), validation }
    }

    /// Reads the header: nothing of a stranger's body need be read.
    pub fn signed(&self, authorization: &str) -> Result<SignedWebhook, WebhookError> {
        // LiveKit sends the bare token.
        let token = match authorization.split_at_checked(7) {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer ") => token,
            _ => authorization,
        };
        let token = jsonwebtoken::decode::<Signed>(token.trim(), &self.secret, &self.validation);
        let claims = token.map_err(|_| WebhookError::Signature)?.claims;
        // A participant's token is signed with the same key, but names no hash.
        let hash = STANDARD.decode(claims.sha256).ok().filter(|hash| hash.len() == Sha256::output_size());
        let hash = hash.ok_or(WebhookError::Signature)?;
        check_times(claims.nbf, claims.exp, now_seconds())?;
        Ok(SignedWebhook(hash))
    }
}

/// LiveKit signs a webhook when it sends it, for five minutes from then on.
fn check_times(nbf: u64, exp: u64, now: u64) -> Result<(), WebhookError> {
    let seconds = |from: u64, to: u64| i64::try_from(i128::from(to) - i128::from(from)).unwrap_or(i64::MAX);
    if nbf > now.saturating_add(SKEW_SECONDS) {
        return Err(WebhookError::Clock(seconds(now, nbf)));
    }
    if exp.saturating_add(SKEW_SECONDS) < now {
        let sent = if nbf == 0 { exp } else { nbf };
        return Err(WebhookError::Clock(seconds(now, sent)));
    }
    Ok(())
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

#[derive(Default, Deserialize)]
struct Participant {
    #[serde(default)]
    identity: Option<String>,
    #[serde(default)]
    attributes: HashMap<String, String>,
}

impl From<Event> for RoomEvent {
    fn from(event: Event) -> Self {
        let (room, room_sid) = event.room.map_or((None, None), |room| (room.name, room.sid));
        let participant = event.participant.unwrap_or_default();
        Self {
            id: event.id.unwrap_or_default(),
            event: event.event,
            room,
            room_sid,
            participant_identity: participant.identity,
            participant_attributes: participant.attributes,
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
        "attributes":{"team":"red"},"permission":{"canSubscribe":true}},"id":"EV_z","createdAt":"1763742002","somethingNew":{"a":[1]}}"#;

    fn token(key: &str, secret: &str, body: &[u8]) -> String {
        let _ = aws_lc::DEFAULT_PROVIDER.install_default();
        AccessToken::with_api_key(key, secret).with_sha256(&STANDARD.encode(Sha256::digest(body))).to_jwt().unwrap()
    }

    fn open(authorization: &str, body: &str) -> Result<RoomEvent, WebhookError> {
        Receiver::new("key", SECRET).signed(authorization)?.open(body.as_bytes())
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
            participant_attributes: HashMap::from([("team".into(), "red".into())]),
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
        assert!(unknown.participant_attributes.is_empty());
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
    }

    #[test]
    fn a_clock_that_is_off_is_told_as_such_and_only_of_what_we_have_signed() {
        let signed = |secret: &str, ahead: i64| {
            let at = |seconds: i64| usize::try_from(i64::try_from(now_seconds()).unwrap() + seconds + ahead).unwrap();
            let sha256 = STANDARD.encode(Sha256::digest(JOINED));
            let claims = Claims { iss: "key".into(), nbf: at(0), exp: at(300), sha256, ..Claims::default() };
            jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
        };
        token("key", SECRET, b"");
        for ahead in [0, 50, -50, -350] {
            assert!(open(&signed(SECRET, ahead), JOINED).is_ok(), "{ahead}");
        }
        for ahead in [90, 3600, -400, -86_400] {
            let Err(WebhookError::Clock(told)) = open(&signed(SECRET, ahead), JOINED) else { panic!("{ahead}") };
            assert!((told - ahead).abs() <= 5, "{told} is told of {ahead}");
        }
        let foreign = signed("another secret of the tests, just as long", 90);
        assert_eq!(open(&foreign, JOINED), Err(WebhookError::Signature));
        assert_eq!(check_times(0, 1, 1000), Err(WebhookError::Clock(-999)));
        assert_eq!(check_times(u64::MAX, u64::MAX, 0), Err(WebhookError::Clock(i64::MAX)));
    }

    #[test]
    fn what_tells_nothing_is_no_event() {
        for body in ["", "null", "[]", "{}", "{", r#"{"event":7}"#, r#"{"event":"e","room":"r"}"#, "\u{0}"] {
            assert_eq!(told(body), Err(WebhookError::Body), "{body}");
        }
    }
}
