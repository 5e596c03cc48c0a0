//! LiveKit's webhooks, which are passed on to all features that listen (contract § 6, "State", and § 5, "End and time").

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::{Method, StatusCode};
use schemars::{JsonSchema, json_schema};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::super::docs::{Credential, Doc, Tag};
use super::super::router::{Answer, Call, Router, media_type};
use super::super::{HttpError, Shape, json as respond_json};
use crate::livekit::{LiveKit, RoomEvent, RoomListener, WebhookError};
use crate::protocol::schema::yes;
use crate::telemetry::{due, once_a_minute};

/// How many webhooks are handled at once. LiveKit repeats those that are refused.
const MOST_AT_ONCE: usize = 64;
/// How long LiveKit waits for an answer. It tells the events of a room one after the other, and drops some if too many wait.
const PATIENCE: Duration = Duration::from_secs(5);

const TAG: Tag = Tag { name: "LiveKit", about: "What the LiveKit server tells the hub." };

const LIVEKIT: Credential = Credential {
    name: "livekitSignature",
    header: Some("Authorization"),
    about: "A JWT without `Bearer`, signed with `LIVEKIT_API_SECRET`, that holds the SHA-256 of the body.",
};

/// The answer to a webhook.
#[derive(JsonSchema)]
#[schemars(rename = "WebhookTaken")]
struct Taken {
    #[schemars(schema_with = "yes")]
    #[allow(dead_code)]
    success: bool,
}

struct Door {
    livekit: LiveKit,
    listeners: Vec<Arc<dyn RoomListener>>,
    at_once: Semaphore,
}

/// Adds `POST /livekit/webhook`. `None`: no LiveKit is configured, and the route answers 501.
pub fn routes(router: &mut Router, livekit: Option<&LiveKit>, listeners: Vec<Arc<dyn RoomListener>>) {
    let at_once = Semaphore::new(MOST_AT_ONCE);
    let door = livekit.cloned().map(|livekit| Arc::new(Door { livekit, listeners, at_once }));
    router
        .route(Method::POST, "/livekit/webhook", Shape::Envelope, move |call| {
            let door = door.clone();
            async move { door.ok_or(HttpError::NotConfigured { setting: "LIVEKIT_WS_URL" })?.take(call).await }
        })
        .described(doc());
}

fn doc() -> Doc {
    Doc::new("receiveLiveKitWebhook", TAG, "Take what LiveKit tells")
        .about("LiveKit calls it. What it tells once more, late or out of order does no harm.")
        .accepts([LIVEKIT])
        .needs("LIVEKIT_WS_URL")
        .raw_body("application/webhook+json", json_schema!({"type": "object"}))
        .answers::<Taken>(StatusCode::OK, "It was taken, or means nothing to the hub.")
        .refuses([HttpError::InvalidSignature, HttpError::SignedAtAnotherTime, HttpError::NotJson])
}

impl Door {
    async fn take(&self, call: Call) -> Answer {
        let authorization = call.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let authorization = authorization.ok_or(HttpError::InvalidSignature)?;
        if !call.headers.get(CONTENT_TYPE).is_some_and(is_webhook) {
            return Err(HttpError::UnsupportedMediaType);
        }
        let signed = self.livekit.signed_webhook(&authorization).map_err(refused)?;
        let event = signed.open(&call.bytes().await?).map_err(refused)?;
        // After the check: a request that is not from LiveKit must not take one of these places.
        let _place = self.at_once.try_acquire().map_err(|_| HttpError::Unavailable)?;
        match timeout(PATIENCE, self.tell(&event)).await {
            Ok(_) => Ok(respond_json(StatusCode::OK, r#"{"success":true}"#)),
            Err(_) => {
                once_a_minute!(warn, "a webhook took too long; LiveKit will repeat it", event = event.event, room = event.room);
                Err(HttpError::Unavailable)
            }
        }
    }

    async fn tell(&self, event: &RoomEvent) {
        tracing::debug!(event = event.event, room = event.room, identity = event.participant_identity, "LiveKit tells");
        join_all(self.listeners.iter().map(|listener| listener.on_room_event(event))).await;
    }
}

/// Anybody can send requests to this route, so that each cause is logged once a minute.
fn refused(error: WebhookError) -> HttpError {
    let (cause, answer) = match error {
        WebhookError::Signature => ("a webhook is not signed with our key", HttpError::InvalidSignature),
        WebhookError::Clock(_) => ("LiveKit's clock is off", HttpError::SignedAtAnotherTime),
        WebhookError::Body => ("a webhook holds no event", HttpError::NotJson),
    };
    if let Some(times) = due(cause) {
        match error {
            WebhookError::Clock(ahead) => tracing::warn!(
                ahead_seconds = ahead,
                times,
                "webhooks of LiveKit are refused: they are signed with our key, but its clock and ours are too far apart"
            ),
            error => tracing::warn!(%error, times, "webhooks are refused"),
        }
    }
    answer
}

fn is_webhook(content_type: &HeaderValue) -> bool {
    ["application/webhook+json", "application/json"].iter().any(|known| media_type(content_type).eq_ignore_ascii_case(known))
}
