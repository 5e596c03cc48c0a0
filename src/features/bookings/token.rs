//! The token that opens a session's room: for its user alone, and not beyond the session's end.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::Bookings;
use super::error::BookingError;
use super::holder::Holder;
use super::store::{Booking, Status};
use crate::core::error::chain;
use crate::livekit::{Agent, Grant, LiveKit, LiveKitError};
use crate::telemetry::once_a_minute;

/// The interviewer that LiveKit sends into the room.
pub(super) const AGENT: &str = "ai-interviewer";

/// What a client joins the room with.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InterviewSessionPass")]
pub struct Pass {
    /// For LiveKit. It ends with the session.
    pub token: String,
    pub room_name: String,
    /// Where LiveKit is.
    pub ws_url: String,
}

/// What the interviewer is told (contract § 5).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    user_id: String,
    email: Option<&'a str>,
    session_id: &'a str,
    kind: &'static str,
}

/// What the interviewer is told of a session, as JSON.
pub(super) fn metadata(session: &str, user: Uuid, email: Option<&str>) -> String {
    let metadata = Metadata { user_id: user.to_string(), email, session_id: session, kind: "ai-interview" };
    // Only a map with keys that are no text could fail.
    serde_json::to_string(&metadata).unwrap_or_default()
}

/// Signs a token for a session's room. If the room is gone when the token is used, the join makes it again, with the agent.
pub(super) fn sign(livekit: &LiveKit, session: &Booking, email: Option<&str>) -> Result<Pass, LiveKitError> {
    let metadata = metadata(&session.id, session.user_id, email);
    let token = livekit.token(&Grant {
        room: &session.livekit_room_name,
        identity: &session.user_id.to_string(),
        name: email,
        attributes: &[],
        can_publish: true,
        can_subscribe: true,
        can_publish_data: None,
        expires_at: session.server_end_time.as_seconds(),
        agents: &[Agent { name: AGENT, metadata: &metadata }],
    })?;
    Ok(Pass { token, room_name: session.livekit_room_name.clone(), ws_url: livekit.ws_url().into() })
}

impl Bookings {
    /// `POST /api/livekit/token`: another token for an active session, for a client that comes back. A field that was no text
    /// counts as missing.
    ///
    /// # Errors
    /// In the contract's order: `NoRoomName`, `NoSessionId`, `RoomNameFormat`, `TokenNotFound`, `Ended`, `ForeignRoom`.
    pub async fn token(
        self: &Arc<Self>,
        holder: &Holder,
        room: Option<&str>,
        session: Option<&str>,
    ) -> Result<Pass, BookingError> {
        let room = room.filter(|room| !room.is_empty()).ok_or(BookingError::NoRoomName)?;
        let session = session.filter(|session| !session.is_empty()).ok_or(BookingError::NoSessionId)?;
        if !self.names.begins_as_room(room) {
            return Err(BookingError::RoomNameFormat);
        }
        let livekit = self.livekit.as_ref().ok_or(BookingError::Unavailable)?;
        let session = match self.session(holder.user_id, session).await {
            Err(BookingError::NotFound) => return Err(BookingError::TokenNotFound),
            found => found?,
        };
        if session.status != Status::Active {
            return Err(BookingError::Ended { status: session.status });
        }
        if session.livekit_room_name != room {
            return Err(BookingError::ForeignRoom);
        }
        sign(livekit, &session, holder.email.as_deref()).map_err(|error| {
            once_a_minute!(error, "a token could not be signed", session = session.id, error = chain(&error));
            BookingError::TokenFailed
        })
    }
}
