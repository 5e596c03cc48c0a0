//! The namespace `/interview`: how the tables of its events are dispatched, and what the document of events says of it.

use std::sync::Arc;

use uuid::Uuid;

use super::caller::permitted;
use super::error::InterviewError;
use super::gateway::{self, NAMESPACE};
use super::live::Live;
use super::recruiter::RecruiterRole;
use super::rights::{Side, may};
use super::signalling;
use super::wire::{ErrorFields, incoming};
use crate::asyncapi::{Channel, Connect, Entry, schema};
use crate::rooms::expiry::TOKEN_EXPIRED;
use crate::socketio::{Code, Event, EventError, Namespace, Socket};

/// Adds the events of a table. Each is handled only if its sender may send it, and every refusal of a candidate's names its
/// interview. The first event of a candidate in a paused session, whatever it is, makes the session active.
pub fn dispatch<T: Send + Sync>(
    namespace: Namespace,
    live: &Arc<Live>,
    state: &Arc<T>,
    events: &'static [Entry<T>],
) -> Namespace {
    events.iter().fold(namespace, |namespace, entry| {
        let (live, state) = (live.clone(), state.clone());
        namespace.on(entry.name, move |socket: Arc<Socket>, event: Event| {
            let (live, state) = (live.clone(), state.clone());
            async move {
                let caller = permitted(&socket, &event)?;
                let own = caller.who().own_interview();
                if caller.take_paused() {
                    live.resume(&socket, caller).await;
                }
                (entry.handler)(state, socket, event).await.map_err(|error| named(error, own))
            }
        })
    })
}

/// The error with an interview, unless it names one.
fn named(error: EventError, interview: Option<Uuid>) -> EventError {
    match interview.filter(|_| !error.fields.contains_key("interviewId")) {
        Some(id) => error.with("interviewId", id.to_string()),
        None => error,
    }
}

/// All who may connect, by their names in the document.
const SIDES: [(&str, Side); 6] = [
    ("candidate", Side::Candidate),
    ("recruiter", Side::Staff(RecruiterRole::Recruiter)),
    ("interviewer", Side::Staff(RecruiterRole::Interviewer)),
    ("admin", Side::Staff(RecruiterRole::Admin)),
    ("observer", Side::Staff(RecruiterRole::Observer)),
    ("with `INTERVIEW_OPEN_SIGNALLING` anybody", Side::Open),
];

/// What an event may be refused with before its handler sees it: it is not for everybody, or a later connection of its candidate has
/// taken over.
fn shared(event: &str) -> Vec<Code> {
    let is_for_all = SIDES.into_iter().all(|(_, side)| may(side, event));
    let forbidden = (!is_for_all).then_some(Code::FORBIDDEN);
    let superseded = may(Side::Candidate, event).then_some(Code(InterviewError::Superseded.code()));
    forbidden.into_iter().chain(superseded).collect()
}

/// The namespace for the document of events.
pub fn channel() -> Channel {
    let senders = |event| SIDES.into_iter().filter(|(_, side)| may(*side, event)).map(|(name, _)| name).collect();
    let of_gateway = gateway::entries::EVENTS.iter().map(|entry| entry.received(&shared(entry.name), senders(entry.name), false));
    let of_call = signalling::entries::EVENTS.iter().map(|entry| {
        let for_members = !matches!(entry.name, "joinRoom" | "leaveRoom");
        entry.received(&shared(entry.name), senders(entry.name), for_members)
    });
    Channel {
        id: "interview",
        namespace: NAMESPACE,
        title: "Interviews",
        about: "Live interviews: the candidate, those who lead or observe the interview, and the call between them. Times are ISO 8601, \
            UTC.",
        connect: Connect {
            about: "A candidate with a join token or an invite, or a recruiter, interviewer, observer or admin with a JWT.",
            auth: schema::<incoming::Auth>,
            codes: const {
                &[
                    Code(InterviewError::MissingToken.code()),
                    Code(InterviewError::InvalidToken.code()),
                    Code(InterviewError::TokenExpired.code()),
                    Code(InterviewError::InviteExpired.code()),
                    Code(InterviewError::InviteRevoked.code()),
                    Code(InterviewError::InviteUsed.code()),
                    Code("NOT_CONFIGURED"),
                ]
            },
        },
        error: schema::<ErrorFields>,
        unasked: const { &[TOKEN_EXPIRED, Code(InterviewError::InviteRevoked.code())] },
        received: of_gateway.chain(of_call).collect(),
        sent: gateway::entries::SENT.iter().chain(signalling::entries::SENT).copied().collect(),
    }
}
