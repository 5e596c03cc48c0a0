//! What the routes of realtime sessions are, for those who call them.

use hyper::StatusCode;
use schemars::JsonSchema;
use serde_json::json;

use super::error::RealtimeError;
use super::wire::{CreatedSession, DeletedSession, RealtimeSession, SessionList};
use crate::http::HttpError;
use crate::http::docs::{Credential, Doc, Tag};

const TAG: Tag = Tag {
    name: "Realtime sessions",
    about: "A LiveKit room for a user, and what is known of it. Every refusal below `/v1` is `{error: {message, type, code, request_id}}`.",
};

const USER: Credential = Credential {
    name: "userToken",
    header: None,
    about: "A JWT of the identity provider (`JWKS_URL`, `ISSUER`, `AUDIENCE`); its `sub` is the user. With `AUTH_ENABLED=false` none is asked for.",
};

/// Which sessions of the list are meant.
#[derive(JsonSchema)]
#[allow(dead_code)]
struct ListQuery {
    /// At most so many sessions; without it, all of them.
    #[schemars(range(min = 1, max = super::read::MOST))]
    limit: Option<u32>,
    /// The id of a session of this user: the list begins behind it.
    after: Option<String>,
}

fn doc(id: &'static str, summary: &'static str) -> Doc {
    Doc::new(id, TAG, summary)
        .accepts([USER])
        .counted()
        .needs("JWKS_URL")
        .needs("LIVEKIT_WS_URL")
        .refuses([HttpError::Unauthorized, HttpError::TokenTooLong])
        .refuses([RealtimeError::Unavailable])
}

fn of_one(id: &'static str, summary: &'static str) -> Doc {
    let schema = json!({"type": "string"});
    doc(id, summary).path("id", "The session's id.", schema).refuses([RealtimeError::NotFound])
}

pub(super) fn create() -> Doc {
    doc("createRealtimeSession", "Make a session")
        .about(
            "Gives the user a LiveKit room and the token that opens it, for `connect(ws_url, client_secret.value)` of `livekit-client`. \
             `client_secret` is told this once; it is neither stored nor logged. The body and its content type are ignored.",
        )
        .reads()
        .answers::<CreatedSession>(StatusCode::CREATED, "The session, and what opens its room.")
        .refuses([RealtimeError::TooMany { most: 100 }])
}

pub(super) fn list() -> Doc {
    doc("listRealtimeSessions", "List the user's sessions, the newest first")
        .about(
            "Without `limit` all of them come at once. For the next page give the `last_id` of this one as `after`, as long as `has_more` is \
             true. A session that is gone by then is refused: begin anew without `after`.",
        )
        .loose_query::<ListQuery>()
        .answers::<SessionList>(StatusCode::OK, "Sessions, the newest first.")
        .refuses([RealtimeError::Limit, RealtimeError::After])
}

pub(super) fn get() -> Doc {
    of_one("getRealtimeSession", "Read a session")
        .about("`status` tells whether somebody has joined the room. A session of another user is not found, like one that does not exist.")
        .answers::<RealtimeSession>(StatusCode::OK, "The session.")
}

pub(super) fn delete() -> Doc {
    of_one("deleteRealtimeSession", "Delete a session and its room")
        .about("Those who are in the room are disconnected. The body is ignored. Deleting it once more answers 404.")
        .reads()
        .answers::<DeletedSession>(StatusCode::OK, "It is deleted.")
}
