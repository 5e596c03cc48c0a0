//! What the internal API of incidents is, for those who call it.

use hyper::StatusCode;
use schemars::json_schema;
use serde_json::{Value, json};

use super::answers::{Admitted, Closed, Data, List, Removed, TrackPage, Trail};
use crate::features::sos::error::SosError;
use crate::features::sos::geojson;
use crate::features::sos::service::{Posted, Presence, StatusResult};
use crate::features::sos::wire::State;
use crate::features::sos::wire::incoming::{
    Admission, Closing, EventsQuery, ListQuery, NewMessage, NewSos, StatusChange, TrackQuery,
};
use crate::http::HttpError;
use crate::http::docs::{Doc, Tag};
use crate::protocol::fields::Bad;
use crate::protocol::schema::SCOPE_ID;

const TAG: Tag = Tag {
    name: "Incidents",
    about: "For the SOS service: what it tells of incidents, and what it asks. Successes are `{success:true, data}`, refusals \
            `{success:false, error, code, message}`, and for fields `{success:false, errors}`. Times are milliseconds since 1970, UTC.",
};

fn doc(id: &'static str, summary: &'static str) -> Doc {
    Doc::new(id, TAG, summary).refuses([SosError::Unavailable, SosError::Internal])
}

fn of_one(id: &'static str, summary: &'static str) -> Doc {
    doc(id, summary)
        .path("sos", "The incident's id (`sosId`).", json!({"type": "string", "pattern": SCOPE_ID}))
        .refuses([super::invalid_id()])
}

/// It writes, and an answer may be lost.
fn of_one_written(id: &'static str, summary: &'static str) -> Doc {
    of_one(id, summary).refuses([SosError::Unconfirmed])
}

fn user_id() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 128})
}

fn of_user(doc: Doc) -> Doc {
    doc.path("user", "The user's id.", user_id())
        .refuses([HttpError::from(vec![Bad::new("userId", "must have 1–128 characters")])])
}

pub(super) fn init() -> Doc {
    doc("createSos", "Make an incident")
        .about(
            "Makes the state of an incident and tells those who watch. An incident that stands keeps what it has; only fields that are null \
             are filled. A repeat does no harm.",
        )
        .body::<NewSos<'static>>()
        .answers::<Data<State<'static>>>(StatusCode::CREATED, "It was made.")
        .answers::<Data<State<'static>>>(StatusCode::OK, "It was there already.")
        .refuses([SosError::Unconfirmed])
}

pub(super) fn list() -> Doc {
    doc("listSos", "List the incidents")
        .about("Those that stand, and those that have ended and are still kept, by their ids. A page may end early.")
        .query::<ListQuery>()
        .answers::<Data<List>>(StatusCode::OK, "A page. `next` is the `after` of the page that follows; null: there is none.")
}

pub(super) fn close() -> Doc {
    of_one_written("closeSos", "Close an incident")
        .about("A second close changes nothing and is answered alike.")
        .body::<Closing>()
        .answers::<Closed>(StatusCode::OK, "It is closed.")
        .refuses([SosError::NotFound])
}

pub(super) fn status() -> Doc {
    of_one_written("setSosStatus", "Set the status of an incident")
        .about("Any status may follow on any other. With `force: false` the table of transitions counts, and `oldStatus` must be the present status.")
        .body::<StatusChange>()
        .answers::<Data<StatusResult>>(StatusCode::OK, "The status as it is now.")
        .refuses([SosError::NotFound, SosError::InvalidTransition, SosError::StatusConflict, SosError::Closed])
}

pub(super) fn state() -> Doc {
    of_one("getSosState", "Read the state of an incident")
        .about("All that the hub knows of it: status, responders, last positions and members. It is what members get as `sos:state`.")
        .answers::<Data<State<'static>>>(StatusCode::OK, "The state.")
        .refuses([SosError::NotFound])
}

pub(super) fn track() -> Doc {
    let about = "The fixes, ascending by the time at which the device was there. `next` is the `from` of the page that follows.";
    let feature_collection = json_schema!({
        "type": "object",
        "description": "RFC 7946; each fix is a Point. `next` stands beside `features`.",
        "required": ["type", "features", "next"],
        "properties": {
            "type": {"const": "FeatureCollection"},
            "features": {"type": "array", "items": {
                "type": "object",
                "required": ["type", "geometry", "properties"],
                "properties": {"type": {"const": "Feature"}, "geometry": {"type": "object"}, "properties": {"type": "object"}},
            }},
            "next": {"type": ["integer", "null"], "minimum": 0},
        },
    });
    of_one("getSosTrack", "Read where the participants of an incident were")
        .about(
            "The positions that the hub keeps, of one participant or of all, page by page. `from` and `to` are times at which a device was \
             there, both included.",
        )
        .header("Accept", "`application/geo+json` asks for GeoJSON.", json!({"type": "string"}))
        .query::<TrackQuery>()
        .answers::<Data<TrackPage>>(StatusCode::OK, about)
        .answers_as(StatusCode::OK, about, geojson::MEDIA_TYPE, feature_collection)
        .refuses([SosError::NotFound])
}

pub(super) fn events() -> Doc {
    of_one("getSosEvents", "Read the audit trail of an incident")
        .about("Who did what and when, from the first entry on, page by page. What was refused for want of rights is in it too.")
        .query::<EventsQuery>()
        .answers::<Data<Trail>>(
            StatusCode::OK,
            "A page, ascending. `next` is the `after` of the page that follows; null: there is none.",
        )
        .refuses([SosError::NotFound])
}

pub(super) fn message() -> Doc {
    of_one_written("postSosMessage", "Send a message into an incident")
        .about("A repeat with the same `clientMessageId` is answered as the first was, with `duplicate: true`.")
        .body::<NewMessage>()
        .answers::<Data<Posted>>(StatusCode::CREATED, "It was sent.")
        .refuses([SosError::NotFound, SosError::Closed])
}

pub(super) fn admit() -> Doc {
    of_one_written("admitToSos", "Give a user rights on an incident")
        .about("The user may join the incident from now on, also with a token that does not name it. Sockets of the user that are in the room have the new role at once.")
        .body::<Admission>()
        .answers::<Data<Admitted>>(StatusCode::OK, "The user has this role here.")
        .refuses([SosError::NotFound, SosError::Closed])
}

pub(super) fn remove() -> Doc {
    of_user(of_one_written("removeFromSos", "Take a user's rights on an incident"))
        .about("The user's sockets leave the room at once. It counts more than the user's token, until the user is given rights again.")
        .answers::<Data<Removed>>(StatusCode::OK, "The user has no rights here.")
        .refuses([SosError::NotFound])
}

pub(super) fn presence() -> Doc {
    of_user(doc("getUserPresence", "Ask whether a user is online"))
        .about("How many sockets of the user are connected to any node, and when the user was last seen. A user that the hub has never seen is offline.")
        .answers::<Data<Presence>>(StatusCode::OK, "Where the user stands.")
}
