//! What the routes of interview sessions are, for those who call them.

use hyper::StatusCode;
use schemars::{JsonSchema, json_schema};
use serde_json::{Value, json};

use super::fields::{Scoring, User};
use crate::features::bookings::eligibility::Eligibility;
use crate::features::bookings::error::{BookingError, StartRefusal};
use crate::features::bookings::store::{self, Booking, Status};
use crate::features::bookings::{Pass, Started};
use crate::http::HttpError;
use crate::http::docs::{Credential, Doc, Tag};
use crate::protocol::schema;

const TAG: Tag = Tag {
    name: "Interview sessions",
    about: "Interviews that a user holds alone with an agent in a LiveKit room. Refusals are `{message}`; those of a start are \
            `{error, message}`. Each user may send so many requests a minute to each route.",
};

const HOLDER: Credential = Credential {
    name: "sessionToken",
    header: None,
    about: "A JWT of the identity provider of interview sessions (`SESSIONS_JWT_…`). Its `sub` is the user's UUID.",
};

/// The body of `POST /api/livekit/token`. A field that is no text counts as missing.
#[derive(JsonSchema)]
#[schemars(rename = "InterviewSessionRoom", rename_all = "camelCase")]
struct Room {
    /// The session's room.
    #[schemars(length(min = 1))]
    #[allow(dead_code)]
    room_name: String,
    #[schemars(length(min = 1))]
    #[allow(dead_code)]
    session_id: String,
}

/// What ending a session answers.
#[derive(JsonSchema)]
#[schemars(rename = "EndedInterviewSession")]
struct Ended {
    #[schemars(schema_with = "schema::yes")]
    #[allow(dead_code)]
    success: bool,
    #[allow(dead_code)]
    message: String,
}

fn of_user(id: &'static str, summary: &'static str) -> Doc {
    of_holder(id, summary).refuses([BookingError::Internal])
}

fn of_holder(id: &'static str, summary: &'static str) -> Doc {
    Doc::new(id, TAG, summary)
        .accepts([HOLDER])
        .counted()
        .refuses([HttpError::Unauthorized, HttpError::TokenTooLong])
        .needs("DATABASE_URL")
        .needs("SESSIONS_JWT_SECRET")
        .refuses([BookingError::Unavailable])
}

fn of_services(id: &'static str, summary: &'static str) -> Doc {
    Doc::new(id, TAG, summary).needs("DATABASE_URL").refuses([BookingError::Unavailable, BookingError::Internal])
}

fn session_id() -> Value {
    json!({"type": "string"})
}

pub(super) fn start() -> Doc {
    let existing = Some("session".to_owned());
    // A fault of the hub is told in words of its own: `CREATE_FAILED`.
    of_holder("startInterviewSession", "Start an interview session")
        .about(
            "Makes the session and its LiveKit room, and sends the agent there. The body and its content type are ignored. A user \
             whose other start is under way gets `ACTIVE_SESSION_EXISTS` without `existingSessionId` and with `Retry-After`.",
        )
        .needs("LIVEKIT_WS_URL")
        .reads()
        .answers::<Started>(StatusCode::CREATED, "The session, and what its user joins the room with.")
        .refuses([
            StartRefusal::UserNotFound,
            StartRefusal::NoResume,
            StartRefusal::BetaLimit { completed: 3, limit: 3 },
            StartRefusal::ActiveExists { session: existing, limit: 1 },
            StartRefusal::CapacityFull { limit: 50 },
            StartRefusal::TokenFailed,
            StartRefusal::RoomFailed,
            StartRefusal::IdGenerationFailed,
            StartRefusal::CreateFailed,
            StartRefusal::Unavailable,
        ].map(BookingError::from))
}

pub(super) fn eligibility() -> Doc {
    of_user("getInterviewEligibility", "Ask whether the user may start a session now")
        .about("It takes no place: a start right after it may be refused all the same.")
        .answers::<Eligibility>(StatusCode::OK, "Whether the user may, or with which code a start would be refused.")
}

pub(super) fn get() -> Doc {
    session("getInterviewSession", "Read a session")
}

pub(super) fn status() -> Doc {
    session("getInterviewSessionStatus", "Read a session (the same as without `/status`)")
}

fn session(id: &'static str, summary: &'static str) -> Doc {
    of_user(id, summary)
        .about("A session whose time has run out is ended first. Another user's session is not found.")
        .path("id", "The session's id.", session_id())
        .answers::<Booking>(StatusCode::OK, "The session.")
        .refuses([BookingError::NotFound])
}

pub(super) fn end() -> Doc {
    of_user("endInterviewSession", "End a session early")
        .about("The body is ignored.")
        .path("id", "The session's id.", session_id())
        .reads()
        .answers::<Ended>(StatusCode::OK, "It has ended.")
        .refuses([BookingError::NotFoundOrEnded])
}

pub(super) fn token() -> Doc {
    of_user("createInterviewSessionToken", "Get another token for the room of a session")
        .about("For a client that was reloaded or has lost its token: it opens the same room, until the session's time is over.")
        .needs("LIVEKIT_WS_URL")
        .json::<Room>()
        .answers::<Pass>(StatusCode::OK, "What the user joins the room with.")
        .refuses([
            BookingError::NoRoomName,
            BookingError::NoSessionId,
            BookingError::RoomNameFormat,
            BookingError::TokenNotFound,
            BookingError::Ended { status: Status::Completed },
            BookingError::ForeignRoom,
            BookingError::TokenFailed,
        ])
}

pub(super) fn score() -> Doc {
    of_services("scoreInterviewSession", "Write the score and the summary of a session")
        .about("For the service that evaluates sessions. A field that is left out stays as it is.")
        .path("id", "The session's id.", session_id())
        .body::<Scoring>()
        .answers::<Booking>(StatusCode::OK, "The session as it is now.")
        .refuses([BookingError::NotFound])
}

pub(super) fn user() -> Doc {
    of_services("putInterviewSessionUser", "Make or change a user")
        .about("The count of the user's interviews stays as it is.")
        .path("id", "The user's id.", json_schema!({"type": "string", "format": "uuid"}).to_value())
        .body::<User>()
        .answers::<store::User>(StatusCode::OK, "The user as it is now.")
}
