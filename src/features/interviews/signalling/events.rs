//! What the members of a call send each other. A handler reads, asks a script, and says what came of it; what others get to know of
//! it, the script has published.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::{Handled, Signalling, kinds, requests, wire};
use crate::features::interviews::caller::{Caller, Seat, Who, caller};
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::keys as interview_keys;
use crate::features::interviews::rules::CallRole;
use crate::features::interviews::scripts::call::{Document, Edited, Shared, call_edit, call_message, call_share};
use crate::features::interviews::wire::{Repeated, call};
use crate::protocol::event::Args;
use crate::protocol::fields::Fields;
use crate::redis::RedisError;
use crate::redis::script::OnReader;
use crate::rooms::history::{HistoryQuery, PAGE_BYTES, room_history};
use crate::rooms::relay::{Recipient, Relayed, Signal, room_relay};
use crate::rooms::scripts::Sender;
use crate::socketio::{Event, EventError, Reply, Socket};

/// What an event asks, so far as all events in a call are alike.
struct Asked<'a> {
    caller: &'a Caller,
    who: Arc<Who>,
    fields: Fields<'a>,
    id: Uuid,
    seat: Seat,
    client_message_id: String,
}

impl Asked<'_> {
    fn sender<'a>(&'a self, socket: &'a Socket) -> Sender<'a> {
        let user: &str = match &*self.who {
            Who::Open { .. } => &self.seat.identity,
            who => who.user_id(),
        };
        Sender { user, role: &self.seat.role, sid: socket.id(), source: "" }
    }

    fn about(&self, error: InterviewError) -> EventError {
        error.about(Some(self.id))
    }
}

impl Signalling {
    /// The interview that an event means: the one it names, the candidate's own, or that of the only call that the socket is in.
    pub(super) fn meant(&self, caller: &Caller, fields: &Fields<'_>) -> Result<Uuid, InterviewError> {
        if let Some(id) = requests::interview(fields)?.or(caller.who().own_interview()) {
            return Ok(id);
        }
        match &caller.calls()[..] {
            [(id, _)] => Ok(*id),
            _ => Err(InterviewError::Invalid("interviewId is required".into())),
        }
    }

    /// Reads what every event in a call has. Who is in it as an observer only hears.
    fn ask<'a>(&self, socket: &'a Socket, json: &'a str) -> Result<Asked<'a>, EventError> {
        let (caller, fields) = (caller(socket)?, requests::fields(json)?);
        let id = self.meant(caller, &fields)?;
        let about = |error: InterviewError| error.about(Some(id));
        let seat = caller.seat(id).ok_or_else(|| about(InterviewError::NotInRoom))?;
        if *seat.role == *CallRole::Observer.as_str() {
            return Err(about(InterviewError::Forbidden));
        }
        let client_message_id = requests::client_message_id(&fields).map_err(about)?.into_owned();
        Ok(Asked { caller, who: caller.who(), fields, id, seat, client_message_id })
    }

    /// Runs a script, and once more after the socket has joined again if Redis does not know that it is in the call (`None`).
    async fn attempt<T, R>(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        asked: &Asked<'_>,
        script: impl Fn() -> R,
    ) -> Result<T, EventError>
    where
        R: Future<Output = Result<Option<T>, RedisError>>,
    {
        let about = |error: InterviewError| asked.about(error);
        if let Some(done) = script().await.map_err(|error| about(error.into()))? {
            return Ok(done);
        }
        self.enter_again(socket, asked.caller, asked.id, &asked.seat).await.map_err(about)?;
        script().await.map_err(|error| about(error.into()))?.ok_or_else(|| about(InterviewError::NotInRoom))
    }

    /// `offer`, `answer`, `iceCandidate`, `signal`: the payload goes on as it came, attachments included.
    pub(super) async fn on_signal(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, event.args.payload())?;
        let signal = Signal::read(&asked.fields, &event.args.attachments, self.live.config.relay_bytes)
            .map_err(|error| error.with("interviewId", asked.id.to_string()))?;
        let (live, scope) = (&self.live, kinds::call(asked.id));
        let body = signal.body(&event.name, &wire::signal_sender(socket.id()));
        let to = signal.to.as_deref().map_or(Recipient::Others, Recipient::Named);
        let relayed = self.attempt(&socket, &asked, || async {
            let (op, sender) = (live.scopes.next_op(), asked.sender(&socket));
            let op = live.op_of_client(&op, &asked.client_message_id);
            let relayed = room_relay(live.redis(), &scope, op, sender, to, body.clone()).await;
            relayed.map(|relayed| Some(relayed).filter(|relayed| *relayed != Relayed::NotMember))
        });
        match relayed.await? {
            Relayed::Sent(told) => {
                live.written(&scope, &told);
                Ok(Reply::accepted(Repeated { duplicate: told.duplicate }))
            }
            _ => Err(asked.about(InterviewError::NotInRoom)),
        }
    }

    /// `chat:message {text, clientMessageId?}`
    pub(super) async fn on_message(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, event.object()?)?;
        let text = requests::text(&asked.fields).map_err(|error| asked.about(error))?;
        let live = &self.live;
        let said = self.attempt(&socket, &asked, || async {
            let (op, sender) = (live.scopes.next_op(), asked.sender(&socket));
            call_message(live.redis(), asked.id, live.op_of_client(&op, &asked.client_message_id), sender, &text).await
        });
        let said = said.await?;
        live.written(&kinds::call(asked.id), &said.told);
        let duplicate = said.told.duplicate;
        Ok(Reply::accepted(call::Said { message_id: said.message_id, timestamp: said.timestamp, duplicate }))
    }

    /// `chat:history {before?, limit?}`
    pub(super) async fn on_history(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, event.object()?)?;
        let query = HistoryQuery::read(&asked.fields).map_err(|error| error.with("interviewId", asked.id.to_string()))?;
        let (live, scope, stream) = (&self.live, kinds::call(asked.id), interview_keys::chat(asked.id));
        let history = self.attempt(&socket, &asked, || async {
            room_history(&OnReader(live.redis()), &scope, &stream, Some(socket.id()), query).await
        });
        let history = history.await?;
        Ok(Reply::Object(history.page(PAGE_BYTES, |kept| wire::chat_message(asked.id, kept))))
    }

    /// `editor:update {update, version}`
    pub(super) async fn on_edit(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, event.object()?)?;
        let (json, version) = requests::document(&asked.fields).map_err(|error| asked.about(error))?;
        let live = &self.live;
        let edited = self.attempt(&socket, &asked, || async {
            let (op, sender) = (live.scopes.next_op(), asked.sender(&socket));
            let op = live.op_of_client(&op, &asked.client_message_id);
            let edited = call_edit(live.redis(), asked.id, op, sender, version, &json).await;
            edited.map(|edited| Some(edited).filter(|edited| *edited != Edited::NotMember))
        });
        match edited.await? {
            Edited::Taken { version, told } => {
                live.written(&kinds::call(asked.id), &told);
                Ok(Reply::accepted(call::Edited { version, duplicate: told.duplicate }))
            }
            Edited::Conflict(kept) => conflict(&socket, &event, &asked, &kept),
            Edited::NotMember => Err(asked.about(InterviewError::NotInRoom)),
        }
    }

    /// `screen:share {active}`
    pub(super) async fn on_share(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, event.object()?)?;
        let active = requests::active(&asked.fields).map_err(|error| asked.about(error))?;
        let live = &self.live;
        let shared = self.attempt(&socket, &asked, || async {
            let (op, sender) = (live.scopes.next_op(), asked.sender(&socket));
            let op = live.op_of_client(&op, &asked.client_message_id);
            let shared = call_share(live.redis(), asked.id, op, sender, active).await;
            shared.map(|shared| Some(shared).filter(|shared| *shared != Shared::NotMember))
        });
        match shared.await? {
            Shared::Ok { unchanged, told } => {
                live.written(&kinds::call(asked.id), &told);
                Ok(Reply::accepted(call::Shared { unchanged, duplicate: told.duplicate }))
            }
            Shared::Full => Err(asked.about(InterviewError::RateLimited("too many screens are shown in this call".into()))),
            Shared::NotMember => Err(asked.about(InterviewError::NotInRoom)),
        }
    }
}

/// Another document is kept than the sender knew: it gets that one, in the acknowledgement if it asked for one.
fn conflict(socket: &Arc<Socket>, event: &Event, asked: &Asked<'_>, kept: &Document) -> Handled {
    let error = InterviewError::VersionConflict;
    if event.ack_id.is_none() {
        if let Some(update) = wire::editor_update(kept) {
            socket.emit_volatile_json("editor:update", &update);
        }
        return Err(asked.about(error).with("version", kept.version));
    }
    let (code, message) = (Value::from(error.code()), Value::from(error.to_string()));
    let kept = wire::editor_update(kept).unwrap_or_else(|| r#"{"socketId":null,"update":null,"version":0}"#.into());
    let answer = format!(r#"{{"ok":false,"code":{code},"message":{message},{}"#, &kept[1..]);
    event.acknowledge(socket, &Args::ack(&answer));
    Ok(Reply::None)
}
