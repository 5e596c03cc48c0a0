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
