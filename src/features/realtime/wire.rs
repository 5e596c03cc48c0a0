//! What the routes answer (contract § 6). Names and order are those of the seed.

use schemars::JsonSchema;
use serde::Serialize;

use super::scripts::{self, Status};

/// A new session. Only this answer holds the secret that opens the room.
#[derive(JsonSchema, Serialize)]
pub struct CreatedSession {
    /// `sess_` and 24 of `[0-9a-z]`.
    pub id: String,
    pub object: SessionObject,
    pub client_secret: ClientSecret,
    /// Where clients reach LiveKit.
    pub ws_url: String,
    /// The name of the LiveKit room.
    pub room_id: String,
    /// The user that the token of the request speaks for.
    pub user_id: String,
}

/// What a client joins the room with. It has no `Debug`, so that no log shows it.
#[derive(JsonSchema, Serialize)]
pub struct ClientSecret {
    /// A LiveKit token.
    pub value: String,
    /// When it expires, seconds since 1970.
    pub expires_at: u64,
}

/// A session.
#[derive(Debug, JsonSchema, Serialize)]
pub struct RealtimeSession {
    /// `sess_` and 24 of `[0-9a-z]`.
    pub id: String,
    pub object: SessionObject,
    /// Where clients reach LiveKit.
    pub ws_url: String,
    /// The name of the LiveKit room.
    pub room_id: String,
    /// The user whose session it is.
    pub user_id: String,
    pub status: SessionStatus,
}

/// Sessions of one user, the newest first.
#[derive(Debug, JsonSchema, Serialize)]
pub struct SessionList {
    pub object: ListObject,
    pub data: Vec<RealtimeSession>,
    /// The id of the first one here; null if there is none.
    pub first_id: Option<String>,
    /// The id of the last one here, for `after`; null if there is none.
    pub last_id: Option<String>,
    /// Older ones follow.
    pub has_more: bool,
}

/// A session that was deleted.
#[derive(Debug, JsonSchema, Serialize)]
pub struct DeletedSession {
    pub id: String,
    pub object: DeletedObject,
    /// Always true.
    pub deleted: bool,
}

#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub enum SessionObject {
    #[serde(rename = "realtime.session")]
    Session,
}

#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub enum ListObject {
    #[serde(rename = "list")]
    List,
}

#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
pub enum DeletedObject {
    #[serde(rename = "realtime.session.deleted")]
    Deleted,
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// Nobody has joined its room yet.
    Created,
    /// Somebody has joined its room.
    Connected,
}

impl RealtimeSession {
    pub(super) fn new(session: scripts::Session, ws_url: &str) -> Self {
        Self {
            id: session.id,
            object: SessionObject::Session,
            ws_url: ws_url.into(),
            room_id: session.room,
            user_id: session.user,
            status: match session.status {
                Status::Created => SessionStatus::Created,
                Status::Connected => SessionStatus::Connected,
            },
        }
    }
}

impl SessionList {
    pub(super) fn new(data: Vec<RealtimeSession>, has_more: bool) -> Self {
        let id = |session: Option<&RealtimeSession>| session.map(|session| session.id.clone());
        let (first_id, last_id) = (id(data.first()), id(data.last()));
        Self { object: ListObject::List, data, first_id, last_id, has_more }
    }
}
