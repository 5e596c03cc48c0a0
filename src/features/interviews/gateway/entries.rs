//! The events of the gateway as tables: what candidates and recruiters send, and what they get.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::Gateway;
use crate::asyncapi::Delivery::{Direct, Logged, Volatile};
use crate::asyncapi::{Entry, Sent, schema};
use crate::auth::AuthError;
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::wire::{self, incoming};
use crate::rooms::expiry::{Expiring, Refresh, Refreshed, TOKEN_EXPIRED, code};
use crate::socketio::{Accepted, Code};

const NOT_FOUND: Code = Code(InterviewError::NotFound.code());
const NO_ACTIVE_SESSION: Code = Code(InterviewError::NoActiveSession.code());

/// What clients send. Those of the call are in [`signalling`](crate::features::interviews::signalling::entries).
pub static EVENTS: &[Entry<Gateway>] = &[
    Entry {
        name: "auth:refresh",
        about: "Renews the token in place, of the same user: its rights replace the old ones at once. A candidate's token has no end; \
            from then on the socket counts as one that came by this token, and stays when the invite by which it came is revoked.",
        payload: schema::<Refresh>,
        ack: schema::<Accepted<Refreshed>>,
        refusal: None,
        codes: &[
            Code::INVALID_TOKEN,
            TOKEN_EXPIRED,
            code(AuthError::NotConfigured),
            Code(InterviewError::InviteExpired.code()),
            Code(InterviewError::InviteRevoked.code()),
            Code(InterviewError::InviteUsed.code()),
        ],
        handler: |gateway, socket, event| Box::pin(gateway.on_refresh(socket, event)),
    },
    Entry {
        name: "heartbeat",
        about: "Answered with `heartbeat-ack`. A candidate that has sent one is gone when none comes for 90 s.",
        payload: schema::<incoming::Nothing>,
        ack: schema::<Accepted<wire::HeartbeatAck>>,
        refusal: None,
        codes: &[],
        handler: |gateway, socket, event| Box::pin(gateway.on_heartbeat(socket, event)),
    },
    Entry {
        name: "join-interview",
        about: "The candidate is there: `interview-ready`, and the present `question` if one is open. An earlier socket of the \
            candidate gets `error` `SUPERSEDED` and is disconnected.",
        payload: schema::<wire::JoinInterview>,
        ack: schema::<Accepted<wire::InterviewReady>>,
        refusal: None,
        codes: &[NOT_FOUND, Code(InterviewError::Ended.code()), Code::UNCONFIRMED],
        handler: |gateway, socket, event| Box::pin(gateway.on_join(socket, event)),
    },
    Entry {
        name: "start-interview",
        about: "Asks the first question, or the present one again.",
        payload: schema::<wire::StartInterview>,
        ack: schema::<Accepted<wire::Question>>,
        refusal: None,
        codes: &[Code(InterviewError::SessionNotFound.code()), NO_ACTIVE_SESSION, NOT_FOUND, Code::UNCONFIRMED],
        handler: |gateway, socket, event| Box::pin(gateway.on_start(socket, event)),
    },
    Entry {
        name: "audio-chunk",
        about: "A piece of the answer's audio. It is kept when it is acknowledged.",
        payload: schema::<incoming::WithId<incoming::AudioChunk>>,
        ack: schema::<Accepted<wire::Repeated>>,
        refusal: None,
        codes: &[Code("INVALID_AUDIO"), NO_ACTIVE_SESSION, Code::UNCONFIRMED],
        handler: |gateway, socket, event| Box::pin(gateway.on_audio(socket, event)),
    },
    Entry {
        name: "response-complete",
        about: "The answer is complete. It is acknowledged with what follows, the next question or the end; a repeat at once.",
        payload: schema::<incoming::WithId<wire::ResponseComplete>>,
        ack: answered,
        refusal: None,
        codes: &[NO_ACTIVE_SESSION, Code::UNCONFIRMED],
        handler: |gateway, socket, event| Box::pin(gateway.on_response(socket, event)),
    },
    Entry {
        name: "proctor-event",
        about: "What the page has noticed of the candidate's surroundings: at most 5 a second.",
        payload: schema::<wire::ProctorEvent>,
        ack: schema::<Accepted<wire::Repeated>>,
        refusal: None,
        codes: &[NO_ACTIVE_SESSION, Code::UNCONFIRMED],
        handler: |gateway, socket, event| Box::pin(gateway.on_proctor(socket, event)),
    },
    Entry {
        name: "observe-interview",
        about: "Observes an interview: `observation-started` tells what has happened, and what happens from then on follows.",
        payload: schema::<wire::ObserveInterview>,
        ack: schema::<Accepted<wire::ObservationStarted>>,
        refusal: None,
        codes: &[NOT_FOUND, Code::UNCONFIRMED],
        handler: |gateway, socket, event| Box::pin(gateway.on_observe(socket, event)),
    },
];

/// What follows on an answer.
fn answered(generator: &mut SchemaGenerator) -> Schema {
    let next = generator.subschema_for::<Accepted<wire::Question>>();
    let end = generator.subschema_for::<Accepted<wire::InterviewComplete>>();
    let repeat = generator.subschema_for::<Accepted<wire::Repeated>>();
    json_schema!({"oneOf": [next, end, repeat]})
}

const CANDIDATE: &str = "the candidate";
const OBSERVERS: &str = "those who observe the interview";
const BOTH: &str = "the candidate, and those who observe the interview";

/// What clients get.
pub static SENT: &[Sent] = &[
    Sent {
        name: "connected",
        about: "After a CONNECT; not again after a recovery.",
        payload: schema::<wire::Connected<'static>>,
        to: "the new socket",
        delivery: Direct,
    },
    Sent {
        name: "interview-ready",
        about: "The answer to `join-interview`.",
        payload: schema::<wire::InterviewReady>,
        to: CANDIDATE,
        delivery: Direct,
    },
    Sent { name: "question", about: "A question.", payload: schema::<wire::Question>, to: CANDIDATE, delivery: Logged },
    Sent {
        name: "transcription",
        about: "What is understood of the answer. It is logged once `isFinal`, and volatile before.",
        payload: schema::<wire::Transcription>,
        to: CANDIDATE,
        delivery: Logged,
    },
    Sent {
        name: "interview-complete",
        about: "All questions are answered.",
        payload: schema::<wire::InterviewComplete>,
        to: CANDIDATE,
        delivery: Logged,
    },
    Sent {
        name: "observation-started",
        about: "The answer to `observe-interview`: what has happened so far.",
        payload: schema::<wire::ObservationStarted>,
        to: "the sender",
        delivery: Direct,
    },
    Sent {
        name: "candidate-joined",
        about: "The candidate has joined, or joined again.",
        payload: schema::<wire::CandidateJoined>,
        to: OBSERVERS,
        delivery: Logged,
    },
    Sent {
        name: "interview-started",
        about: "The first question was asked.",
        payload: schema::<wire::InterviewStarted>,
        to: OBSERVERS,
        delivery: Logged,
    },
    Sent {
        name: "live-transcript",
        about: "What is understood of the answer. It is logged once `isFinal`, and volatile before.",
        payload: schema::<wire::LiveTranscript>,
        to: OBSERVERS,
        delivery: Volatile,
    },
    Sent {
        name: "progress-update",
        about: "An answer was evaluated.",
        payload: schema::<wire::ProgressUpdate>,
        to: OBSERVERS,
        delivery: Logged,
    },
    Sent {
        name: "question-asked",
        about: "A question was asked that is not the first.",
        payload: schema::<wire::QuestionAsked>,
        to: OBSERVERS,
        delivery: Logged,
    },
    Sent {
        name: "proctor-alert",
        about: "Something grave was noticed.",
        payload: schema::<wire::ProctorAlert>,
        to: OBSERVERS,
        delivery: Logged,
    },
    Sent {
        name: "trust-score-update",
        about: "The trust in the candidate has changed.",
        payload: schema::<wire::TrustScoreUpdate>,
        to: OBSERVERS,
        delivery: Logged,
    },
    Sent {
        name: "interview-interrupted",
        about: "The candidate is gone (`disconnect`, `heartbeat`, `node-lost`), or the session has ended (`expired`, `cancelled`).",
        payload: schema::<wire::Interrupted>,
        to: OBSERVERS,
        delivery: Logged,
    },
    Sent {
        name: "interview-completed",
        about: "The whole interview was evaluated, or it was not.",
        payload: schema::<wire::InterviewCompleted>,
        to: OBSERVERS,
        delivery: Logged,
    },
    Sent {
        name: "stt-unavailable",
        about: "Speech is not understood for now. Audio is kept all the same.",
        payload: schema::<wire::Interrupted>,
        to: BOTH,
        delivery: Logged,
    },
    Sent {
        name: "stt-available",
        about: "Speech is understood again.",
        payload: schema::<wire::SttAvailable>,
        to: BOTH,
        delivery: Logged,
    },
    Sent {
        name: "storage-unavailable",
        about: "Audio cannot be stored for now.",
        payload: schema::<wire::Interrupted>,
        to: OBSERVERS,
        delivery: Logged,
    },
    Sent {
        name: "heartbeat-ack",
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
