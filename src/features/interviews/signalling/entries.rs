//! The events of the call as tables: what its members send, and what they get.

use super::Signalling;
use crate::asyncapi::Delivery::{Logged, Volatile};
use crate::asyncapi::{Entry, Sent, schema};
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::wire::Repeated;
use crate::features::interviews::wire::call::{
    self, CallReady, ChatMessage, Conflict, Edit, EditorUpdate, InCall, JoinRoom, LeaveRoom, Say, ScreenShare, Share, Signalled,
};
use crate::rooms::history::{HistoryFields, Page};
use crate::rooms::relay::SignalFields;
use crate::socketio::{Accepted, Code};

const NOT_IN_ROOM: Code = Code(InterviewError::NotInRoom.code());
const NOT_FOUND: Code = Code(InterviewError::NotFound.code());

const SIGNAL: &str = "Anything that one member says to the others, or to one of them, such as a message of WebRTC. The hub does not \
    read it.";

/// What the members of a call send.
pub static EVENTS: &[Entry<Signalling>] = &[
    Entry {
        name: "joinRoom",
        about: "Joins the call. The document and the screens that are shown follow. A call that is full is refused with `RATE_LIMITED`.",
        payload: schema::<JoinRoom>,
        ack: schema::<Accepted<call::Joined<'static>>>,
        refusal: None,
        codes: &[NOT_FOUND, Code(InterviewError::Ended.code()), Code::FORBIDDEN, Code::UNCONFIRMED],
        handler: |signalling, socket, event| Box::pin(signalling.on_join(socket, event)),
    },
    Entry {
        name: "leaveRoom",
        about: "Leaves the call, and nothing else.",
        payload: schema::<LeaveRoom>,
        ack: schema::<Accepted<call::Left>>,
        refusal: None,
        codes: &[NOT_FOUND, Code::UNCONFIRMED],
        handler: |signalling, socket, event| Box::pin(signalling.on_leave(socket, event)),
    },
    signal("offer"),
    signal("answer"),
    signal("iceCandidate"),
    signal("signal"),
    Entry {
        name: "chat:message",
        about: "A message to all in the call, the sender included.",
        payload: schema::<InCall<Say>>,
        ack: schema::<Accepted<call::Said>>,
        refusal: None,
        codes: &[NOT_FOUND, NOT_IN_ROOM, Code::UNCONFIRMED],
        handler: |signalling, socket, event| Box::pin(signalling.on_message(socket, event)),
    },
    Entry {
        name: "chat:history",
        about: "Messages of the call, page by page, from the newest backwards.",
        payload: schema::<InCall<HistoryFields>>,
        ack: schema::<Accepted<Page<ChatMessage>>>,
        refusal: None,
        codes: &[NOT_FOUND, NOT_IN_ROOM, Code::UNCONFIRMED],
        handler: |signalling, socket, event| Box::pin(signalling.on_history(socket, event)),
    },
    Entry {
        name: "editor:update",
        about: "The whole document in its next version. If another one is kept, the acknowledgement has it.",
        payload: schema::<InCall<Edit>>,
        ack: schema::<Accepted<call::Edited>>,
        refusal: Some(schema::<Conflict>),
        codes: &[NOT_FOUND, NOT_IN_ROOM, Code(InterviewError::VersionConflict.code()), Code::UNCONFIRMED],
        handler: |signalling, socket, event| Box::pin(signalling.on_edit(socket, event)),
    },
    Entry {
        name: "screen:share",
        about: "The sender begins or ends to show its screen.",
        payload: schema::<InCall<Share>>,
        ack: schema::<Accepted<call::Shared>>,
        refusal: None,
        codes: &[NOT_FOUND, NOT_IN_ROOM, Code::UNCONFIRMED],
        handler: |signalling, socket, event| Box::pin(signalling.on_share(socket, event)),
    },
];

const fn signal(name: &'static str) -> Entry<Signalling> {
    Entry {
        name,
        about: SIGNAL,
        payload: schema::<InCall<SignalFields>>,
        ack: schema::<Accepted<Repeated>>,
        refusal: None,
        codes: &[NOT_FOUND, NOT_IN_ROOM, Code::UNCONFIRMED],
        handler: |signalling, socket, event| Box::pin(signalling.on_signal(socket, event)),
    }
}

const MEMBERS: &str = "all in the call";
const OTHERS: &str = "the others in the call, and clients that join it";

/// What the members of a call get.
pub static SENT: &[Sent] = &[
    Sent {
        name: "presence:update",
        about: "Who is in the call: all of them, those who came first in front.",
        payload: schema::<Vec<call::Member>>,
        to: MEMBERS,
        delivery: Logged,
    },
    Sent {
        name: "call:ready",
        about: "A candidate and an interviewer are there: each time the pair becomes complete.",
        payload: schema::<CallReady>,
        to: MEMBERS,
        delivery: Logged,
    },
    relayed("offer"),
    relayed("answer"),
    relayed("iceCandidate"),
    relayed("signal"),
    Sent { name: "chat:message", about: "A message.", payload: schema::<ChatMessage>, to: MEMBERS, delivery: Logged },
    Sent {
        name: "editor:update",
        about: "The document has changed.",
        payload: schema::<EditorUpdate>,
        to: OTHERS,
        delivery: Volatile,
    },
    Sent {
        name: "screen:share",
        about: "Somebody shows a screen, or no longer.",
        payload: schema::<ScreenShare<'static>>,
        to: OTHERS,
        delivery: Logged,
    },
];

const fn relayed(name: &'static str) -> Sent {
    let to = "the others in the call, or the one that `to` names";
    Sent { name, about: SIGNAL, payload: schema::<Signalled>, to, delivery: Logged }
}
