//! The namespace `/`: its events as a table, from which they are dispatched and documented.

use std::sync::Arc;

use super::error::{
    INVALID_LOCATION, INVALID_MESSAGE, INVALID_SOS_ID, INVALID_STATUS, INVALID_TRANSITION, SOS_CLOSED, SOS_NOT_FOUND,
};
use super::wire::incoming::{self, InSos};
use super::wire::{self, acks};
use super::{Sos, error, resume, rules};
use crate::asyncapi::Delivery::{Direct, Logged, Volatile};
use crate::asyncapi::{Channel, Connect, Entry, Sent, schema};
use crate::auth::AuthError;
use crate::rooms::expiry::{Expiring, Refresh, Refreshed, TOKEN_EXPIRED, code};
use crate::rooms::history::{HistoryFields, Page};
use crate::rooms::relay::SignalFields;
use crate::socketio::{Accepted, Code, Namespace, bind, bind_event};

/// What an event about an SOS may be refused with.
const ABOUT_AN_SOS: [Code; 5] = [INVALID_SOS_ID, SOS_NOT_FOUND, Code::FORBIDDEN, Code::UNCONFIRMED, TOKEN_EXPIRED];
/// Leaving is for all, and tells nobody whether there is such an SOS. A user who is removed gets an `error` of it without having sent it.
const LEAVING: [Code; 3] = [INVALID_SOS_ID, Code::FORBIDDEN, Code::UNCONFIRMED];

const SIGNAL: &str = "Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not \
    read it.";

static EVENTS: &[Entry<Sos>] = &[
    Entry {
        name: "auth:refresh",
        about: "Renews the token in place, of the same user: its rights replace the old ones at once, rooms included. A token that is \
            not accepted changes nothing.",
        payload: schema::<Refresh>,
        ack: schema::<Accepted<Refreshed>>,
        refusal: None,
        codes: &[Code::INVALID_TOKEN, TOKEN_EXPIRED, code(AuthError::NotConfigured), Code::UNCONFIRMED],
        handler: |sos, socket, event| Box::pin(sos.on_refresh(socket, event)),
    },
    Entry {
        name: "sos:init",
        about: "Joins an SOS. Its state comes as `sos:state` and in the acknowledgement; what happens from then on follows. An SOS \
            that is over answers with its state, and is not joined. A connection in too many of them, and one too many of its user in one, is refused with `RATE_LIMITED`.",
        payload: schema::<InSos<incoming::AboutOnly>>,
        ack: schema::<Accepted<acks::Init>>,
        refusal: None,
        codes: &[],
        handler: |sos, socket, event| Box::pin(sos.on_init(socket, event)),
    },
    Entry {
        name: "sos:leave",
        about: "Leaves the room of an SOS, and nothing else. A user who is removed from an SOS gets `error` `FORBIDDEN` of this event.",
        payload: schema::<InSos<incoming::AboutOnly>>,
        ack: schema::<Accepted<acks::Left>>,
        refusal: None,
        codes: &[],
        handler: |sos, socket, event| Box::pin(sos.on_leave(socket, event)),
    },
    Entry {
        name: "sos:close",
        about: "Ends an SOS. Of the citizens only its own may do it. A repeat answers `unchanged`.",
        payload: schema::<InSos<incoming::Close>>,
        ack: schema::<Accepted<acks::Close>>,
        refusal: None,
        codes: &[],
        handler: |sos, socket, event| Box::pin(sos.on_close(socket, event)),
    },
    Entry {
        name: "sos:status:update",
        about: "Sets the status. A rescuer moves its own entry in `responders`, and sets no final status; a citizen only cancels its \
            own SOS. Citizens and rescuers are bound to the table of transitions.",
        payload: schema::<InSos<incoming::StatusUpdate>>,
        ack: schema::<Accepted<acks::StatusUpdate>>,
        refusal: None,
        codes: &[INVALID_STATUS, INVALID_TRANSITION, SOS_CLOSED],
        handler: |sos, socket, event| Box::pin(sos.on_status(socket, event)),
    },
    Entry {
        name: "sos:ack",
        about: "Somebody has seen it. The first one is kept in the state; later ones answer `unchanged`.",
        payload: schema::<InSos<incoming::AboutOnly>>,
        ack: schema::<Accepted<acks::Acknowledge>>,
        refusal: None,
        codes: &[SOS_CLOSED],
        handler: |sos, socket, event| Box::pin(sos.on_ack(socket, event)),
    },
    Entry {
        name: "sos:watch",
        about: "From now on `sos:created`, `sos:status:broadcast`, `sos:close` and `sos:unacknowledged` of every SOS come.",
        payload: schema::<incoming::Nothing>,
        ack: schema::<Accepted<acks::Watch>>,
        refusal: None,
        codes: &[Code::FORBIDDEN, TOKEN_EXPIRED, Code::UNCONFIRMED],
        handler: |sos, socket, event| Box::pin(sos.on_watch(socket, event)),
    },
    Entry {
        name: "sos:unwatch",
        about: "Ends `sos:watch`.",
        payload: schema::<incoming::Nothing>,
        ack: schema::<Accepted<acks::Plain>>,
        refusal: None,
        codes: &[Code::FORBIDDEN, TOKEN_EXPIRED],
        handler: |sos, socket, event| Box::pin(sos.on_unwatch(socket, event)),
    },
    Entry {
        name: "location:update",
        about: "A position. It is kept at once; the room gets at most one a second of each user, the newest.",
        payload: schema::<InSos<incoming::LocationUpdate<'static>>>,
        ack: schema::<Accepted<acks::Located>>,
        refusal: None,
        codes: &[INVALID_LOCATION, SOS_CLOSED],
        handler: |sos, socket, event| Box::pin(sos.location_update(socket, event)),
    },
    Entry {
        name: "location:batch",
        about: "Positions of a time without a connection, each with its `timestamp` and judged alone; also shortly after the end.",
        payload: schema::<InSos<incoming::LocationBatch<'static>>>,
        ack: schema::<Accepted<acks::Batch>>,
        refusal: None,
        codes: &[INVALID_LOCATION],
        handler: |sos, socket, event| Box::pin(sos.location_batch(socket, event)),
    },
    Entry {
        name: "message:send",
        about: "A message to the room, sender included.",
        payload: schema::<InSos<incoming::SendMessage>>,
        ack: schema::<Accepted<acks::Sent>>,
        refusal: None,
        codes: &[INVALID_MESSAGE, SOS_CLOSED],
        handler: |sos, socket, event| Box::pin(sos.on_message(socket, event)),
    },
    Entry {
        name: "message:history",
        about: "Messages of the room, page by page, from the newest backwards. A page ends early before 256 KiB.",
        payload: schema::<InSos<HistoryFields>>,
        ack: schema::<Accepted<Page<wire::Message>>>,
        refusal: None,
        codes: &[],
        handler: |sos, socket, event| Box::pin(sos.on_history(socket, event)),
    },
    signal("offer"),
    signal("answer"),
    signal("iceCandidate"),
    signal("signal"),
    Entry {
        name: "ping",
        about: "Answered with `pong`, which repeats the fields of this payload.",
        payload: schema::<serde_json::Map<String, serde_json::Value>>,
        ack: schema::<Accepted<acks::Plain>>,
        refusal: None,
        codes: &[],
        handler: |sos, socket, event| Box::pin(sos.on_ping(socket, event)),
    },
    Entry {
        name: "heartbeat",
        about: "Answered with `heartbeat:ack`. The user counts as seen now.",
        payload: schema::<incoming::Nothing>,
        ack: schema::<Accepted<wire::HeartbeatAck>>,
        refusal: None,
        codes: &[],
        handler: |sos, socket, event| Box::pin(sos.on_heartbeat(socket, event)),
    },
];

const fn signal(name: &'static str) -> Entry<Sos> {
    Entry {
        name,
        about: SIGNAL,
        payload: schema::<InSos<SignalFields>>,
        ack: schema::<Accepted<acks::Signalled>>,
        refusal: None,
        codes: &[SOS_CLOSED],
        handler: |sos, socket, event| Box::pin(sos.on_signal(socket, event)),
    }
}

const ROOM: &str = "the room";
const ROOM_AND_WATCHERS: &str = "the room, and those who watch";

static SENT: &[Sent] = &[
    Sent {
        name: "sos:state",
        about: "The whole state: after `sos:init`, after a CONNECT whose token names an SOS, and whenever parts of it may be unknown.",
        payload: schema::<wire::State<'static>>,
        to: "the socket that has joined, or the room",
        delivery: Direct,
    },
    Sent {
        name: "sos:created",
        about: "There is a new SOS.",
        payload: schema::<wire::State<'static>>,
        to: "those who watch",
        delivery: Logged,
    },
    Sent {
        name: "sos:init",
        about: "A user has joined, with one more socket. Not sent in rooms of more than 50 users.",
        payload: schema::<wire::UserJoined>,
        to: ROOM,
        delivery: Logged,
    },
    Sent {
        name: "sos:status:broadcast",
        about: "The status has changed, or a rescuer's own entry.",
        payload: schema::<wire::StatusChanged>,
        to: ROOM_AND_WATCHERS,
        delivery: Logged,
    },
    Sent {
        name: "sos:close",
        about: "The SOS is over, and its room is empty from now on.",
        payload: schema::<wire::Closed>,
        to: ROOM_AND_WATCHERS,
        delivery: Logged,
    },
    Sent {
        name: "sos:expired",
        about: "The SOS is over because nothing was written to it for a day. It comes after `sos:close`.",
        payload: schema::<wire::Expired>,
        to: ROOM,
        delivery: Logged,
    },
    Sent {
        name: "sos:acknowledged",
        about: "Somebody has seen it.",
        payload: schema::<wire::Acknowledged>,
        to: ROOM,
        delivery: Logged,
    },
    Sent {
        name: "sos:unacknowledged",
        about: "Nobody has acknowledged it within `SOS_ACK_SECONDS`.",
        payload: schema::<wire::Unacknowledged>,
        to: "those who watch",
        delivery: Logged,
    },
    Sent {
        name: "presence:update",
        about: "Who is there has changed. Up to 50 users it carries all `members`, above only the changes.",
        payload: schema::<wire::PresenceUpdate>,
        to: ROOM,
        delivery: Logged,
    },
    Sent {
        name: "location:broadcast",
        about: "Where a participant is.",
        payload: schema::<wire::Located>,
        to: ROOM,
        delivery: Volatile,
    },
    Sent { name: "message:broadcast", about: "A message.", payload: schema::<wire::Message>, to: ROOM, delivery: Logged },
    relayed("offer"),
    relayed("answer"),
    relayed("iceCandidate"),
    relayed("signal"),
    Sent { name: "pong", about: "The answer to `ping`.", payload: schema::<wire::Pong>, to: "the sender", delivery: Direct },
    Sent {
        name: "heartbeat:ack",
        about: "The answer to `heartbeat`.",
        payload: schema::<wire::HeartbeatAck>,
        to: "the sender",
        delivery: Direct,
    },
    Sent {
        name: "auth:expiring",
        about: "The token ends soon: send a new one with `auth:refresh`.",
        payload: schema::<Expiring>,
        to: "a socket whose token ends",
        delivery: Direct,
    },
];

const fn relayed(name: &'static str) -> Sent {
    let to = "the other members, or the one that `to` names";
    Sent { name, about: SIGNAL, payload: schema::<wire::Signalled>, to, delivery: Logged }
}

/// The namespace for the document of events.
pub fn channel() -> Channel {
    let received = EVENTS.iter().map(|entry| {
        let rule = rules::rule(entry.name);
        let senders = rule.map_or(&[][..], |rule| rule.roles).iter().map(|role| role.as_str()).collect();
        let shared: &[Code] = match entry.name {
            "auth:refresh" | "sos:watch" | "sos:unwatch" | "ping" | "heartbeat" => &[],
            "sos:leave" => &LEAVING,
            _ => &ABOUT_AN_SOS,
        };
        entry.received(shared, senders, rule.is_some_and(|rule| rule.members))
    });
    Channel {
        id: "sos",
        namespace: "/",
        title: "Incidents",
        about: "Incidents and the people around them. Times are milliseconds since 1970.",
        connect: Connect {
            about: "A token of a citizen, rescuer, dispatcher or admin. One that names a `sosId` makes the socket a member of that \
                SOS.",
            auth: schema::<incoming::Auth>,
            codes: const {
                &[code(AuthError::Missing), code(AuthError::Invalid), code(AuthError::Expired), code(AuthError::NotConfigured)]
            },
        },
        error: schema::<wire::ErrorFields>,
        unasked: &[],
        received: received.collect(),
        sent: SENT.to_vec(),
    }
}

impl Sos {
    /// The namespace `/` with all its events.
    pub fn namespace(self: &Arc<Self>) -> Namespace {
        let namespace = Namespace::new("/")
            .on_connect(bind(self, Self::admit_socket))
            .on_connected(bind(self, Self::connected))
            .on_disconnected(bind_event(self, Self::disconnected))
            .identity(resume::identity)
            .on_resumed(bind(self, Self::resumed))
            .on_abandoned(bind(self, Self::abandoned))
            .on_move(resume::export, resume::import)
            .not_a_number("sos:status:update", error::INVALID_STATUS)
            .not_a_number("location:update", error::INVALID_LOCATION)
            .not_a_number("location:batch", error::INVALID_LOCATION)
            .not_a_number("message:send", error::INVALID_MESSAGE)
            .judge_each("location:batch", "points");
        EVENTS.iter().fold(namespace, |namespace, entry| namespace.on_entry(entry.name, self, entry.handler))
    }
}
