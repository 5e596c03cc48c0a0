//! The handlers of clients' events, except for those that have a file of their own. A handler reads the payload, runs a script, and
//! answers. The script itself publishes what others are to know.

use std::sync::Arc;

use serde_json::Value;

use crate::features::sos::auth::Claims;
use crate::features::sos::scripts::talk::{Relayed, sos_history, sos_message, sos_relay};
use crate::features::sos::scripts::{Judged, sos_acknowledge, sos_audit, sos_close, sos_status};
use crate::features::sos::scripts::{Outcome, Refused, Written};
use crate::protocol::event::Args;
use crate::redis::RedisError;
use crate::rooms::expiry::TOKEN_EXPIRED;
use crate::rooms::history::{HistoryQuery, PAGE_BYTES};
use crate::rooms::relay::{Recipient, Signal};
use crate::socketio::{Code, Event, EventError, Reply, Socket};

use super::caller::{actor, caller};
use super::error::{SosError, settle};
use super::join::Entered;
use super::wire::acks::{self, Marks};
use super::{HINT_DEADLINE, Sos, payload, rules, wire};
use crate::protocol::fields::Fields;

type Handled = Result<Reply, EventError>;

/// What all events about an SOS have in common.
pub struct Asked<'a> {
    pub claims: Arc<Claims>,
    pub fields: Fields<'a>,
    pub sos: String,
    pub client_message_id: String,
}

impl Asked<'_> {
    /// The error with the SOS that was meant.
    pub(super) fn named(&self, error: EventError) -> EventError {
        error.with("sosId", &*self.sos)
    }
}

/// The marks of an answer.
const fn marks(unchanged: bool, written: &Written) -> Marks {
    Marks { unchanged, duplicate: written.duplicate }
}

impl Sos {
    /// Reads what every event about an SOS has.
    pub(super) fn ask<'a>(&self, socket: &Socket, event: &'a Event) -> Result<Asked<'a>, EventError> {
        self.ask_in(socket, event.object()?)
    }

    fn ask_in<'a>(&self, socket: &Socket, json: &'a str) -> Result<Asked<'a>, EventError> {
        let claims = caller(socket).ok_or_else(|| EventError::new(Code::INTERNAL, "no caller"))?.claims();
        let fields = payload::fields(json)?;
        let about = payload::about(&fields, claims.only_sos())?;
        Ok(Asked { claims, fields, sos: about.sos_id, client_message_id: about.client_message_id.unwrap_or_default() })
    }

    /// Refuses what can be refused without a script: by the role that counts in this SOS, and by the limits of the grace.
    pub(super) async fn permit(&self, socket: &Socket, asked: &Asked<'_>, event: &str) -> Result<(), EventError> {
        let Some(caller) = caller(socket) else { return Ok(()) };
        if caller.in_grace() && !asked.claims.names(&asked.sos) {
            return Err(EventError::new(TOKEN_EXPIRED, "the token has expired").with("sosId", &*asked.sos));
        }
        // A user who is no member may have been admitted with another role, which only the script knows.
        let Some(role) = caller.role_in(&asked.sos) else { return Ok(()) };
        if rules::may(role, event) {
            return Ok(());
        }
        let actor = actor(&asked.claims, &asked.sos, socket.id());
        let audit = sos_audit(self.redis(), &asked.sos, actor, event, Code::FORBIDDEN.0);
        let _ = tokio::time::timeout(HINT_DEADLINE, audit).await;
        Err(SosError::Forbidden.about(&asked.sos))
    }

    /// Runs a script. If Redis may have lost something, that is restored, and the script runs once more: without a state the SOS
    /// service is asked, for a user whose token names the SOS or who is in the room; a member that Redis does not know joins again.
    pub(super) async fn attempt<T, F, R>(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        asked: &Asked<'_>,
        script: F,
    ) -> Result<T, EventError>
    where
        F: Fn() -> R,
        R: Future<Output = Outcome<T, RedisError>>,
    {
        let about = |error: SosError| error.about(&asked.sos);
        let is_member = caller(socket).is_some_and(|caller| caller.role_in(&asked.sos).is_some());
        let mut outcome = script().await;
        if matches!(outcome, Ok(Err(Refused::Missing))) && (is_member || asked.claims.names(&asked.sos)) {
            self.ensure(&asked.sos, &asked.claims).await.map_err(about)?;
            outcome = script().await;
        }
        if matches!(outcome, Ok(Err(Refused::NotMember))) && is_member {
            self.rejoin(socket, &asked.claims, &asked.sos).await;
            outcome = script().await;
        }
        // Only users with rights on an SOS may learn whether it exists.
        if matches!(outcome, Ok(Err(Refused::Missing))) && !asked.claims.names(&asked.sos) && !asked.claims.role.sees_all() {
            return Err(about(SosError::Forbidden));
        }
        settle(outcome).map_err(about)
    }

    pub(super) async fn on_init(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, &event)?;
        self.permit(&socket, &asked, "sos:init").await?;
        let about = |error: SosError| error.about(&asked.sos);
        let caller = caller(&socket).ok_or_else(|| EventError::new(Code::INTERNAL, "no caller"))?;
        if caller.role_in(&asked.sos).is_none() && caller.room_count() >= self.config.rooms {
            let message = format!("this connection is in {} incidents, the most: leave one first", self.config.rooms);
            return Err(EventError::new(Code::RATE_LIMITED, message).with("sosId", &*asked.sos));
        }
        let (state, release) = match self.enter(&socket, &asked.claims, &asked.sos, false, true).await.map_err(about)? {
            Entered::Ended(state) => (state, None),
            Entered::Joined { state: Some(state), hold, position } => (state, Some((hold, position))),
            Entered::Joined { state: None, .. } => return Err(about(SosError::NotFound)),
        };
        socket.emit_args(&state.event);
        event.acknowledge(&socket, &Args::ack(&format!(r#"{{"ok":true,"data":{}}}"#, state.json())));
        // What has happened since the snapshot comes after it.
        if let Some((hold, position)) = release {
            self.settle_in(&socket, &asked.sos, Some(&state), hold, &position);
        }
        Ok(Reply::None)
    }

    pub(super) async fn on_leave(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, &event)?;
        let about = |error: SosError| error.about(&asked.sos);
        if self.leave(&socket, &asked.claims, &asked.sos).await.map_err(about)? {
            return Ok(Reply::Ok);
        }
        // All who are no members get the same answer, so that it does not tell whether there is such an SOS.
        Ok(Reply::accepted(acks::Left { marks: Marks { unchanged: true, duplicate: false } }))
    }

    pub(super) async fn on_close(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, &event)?;
        let close = payload::close(&asked.fields).map_err(|error| asked.named(error))?;
        self.permit(&socket, &asked, "sos:close").await?;
        let set = self
            .attempt(&socket, &asked, || async {
                let op = self.scopes.next_op();
                let op = self.op(&op, &asked.client_message_id);
                let actor = actor(&asked.claims, &asked.sos, socket.id());
                sos_close(self.redis(), &asked.sos, op, actor, close.reason.as_deref()).await
            })
            .await?;
        self.after(&asked.sos, &set.written);
        let marks = marks(set.unchanged, &set.written);
        Ok(Reply::accepted(acks::Close { status: set.status, marks }))
    }

    pub(super) async fn on_status(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, &event)?;
        let update = payload::status_update(&asked.fields).map_err(|error| asked.named(error))?;
        self.permit(&socket, &asked, "sos:status:update").await?;
        let set = self
            .attempt(&socket, &asked, || async {
                let op = self.scopes.next_op();
                let op = self.op(&op, &asked.client_message_id);
                let actor = actor(&asked.claims, &asked.sos, socket.id());
                let note = update.note.as_deref();
                sos_status(self.redis(), &asked.sos, op, actor, Judged::Client, update.status, note).await
            })
            .await?;
        self.after(&asked.sos, &set.written);
        let marks = marks(set.unchanged, &set.written);
        Ok(Reply::accepted(acks::StatusUpdate { status: set.status, old_status: set.old_status, marks }))
    }

    pub(super) async fn on_ack(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, &event)?;
        self.permit(&socket, &asked, "sos:ack").await?;
        let known = self
            .attempt(&socket, &asked, || async {
                let op = self.scopes.next_op();
                let op = self.op(&op, &asked.client_message_id);
                sos_acknowledge(self.redis(), &asked.sos, op, actor(&asked.claims, &asked.sos, socket.id())).await
            })
            .await?;
        self.after(&asked.sos, &known.written);
        let marks = marks(known.unchanged, &known.written);
        Ok(Reply::accepted(acks::Acknowledge { acknowledged_by: known.by, acknowledged_at: known.at, marks }))
    }

    pub(super) async fn on_message(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, &event)?;
        let message = payload::message(&asked.fields).map_err(|error| asked.named(error))?;
        self.permit(&socket, &asked, "message:send").await?;
        let sent = self
            .attempt(&socket, &asked, || async {
                let op = self.scopes.next_op();
                let op = self.op(&op, &asked.client_message_id);
                sos_message(self.redis(), &asked.sos, op, actor(&asked.claims, &asked.sos, socket.id()), &message.text).await
            })
            .await?;
        self.after(&asked.sos, &sent.written);
        let duplicate = sent.written.duplicate;
        Ok(Reply::accepted(acks::Sent { message_id: sent.message_id, timestamp: sent.timestamp, duplicate }))
    }

    pub(super) async fn on_history(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, &event)?;
        let query = HistoryQuery::read(&asked.fields).map_err(|error| asked.named(error))?;
        self.permit(&socket, &asked, "message:history").await?;
        let history = self
            .attempt(&socket, &asked, || async {
                let actor = actor(&asked.claims, &asked.sos, socket.id());
                sos_history(self.redis(), &asked.sos, actor, query).await
            })
            .await?;
        Ok(Reply::Object(history.page(PAGE_BYTES, |kept| wire::Message::new(&asked.sos, kept).to_json())))
    }

    /// `offer`, `answer`, `iceCandidate`, `signal`: the payload goes on as it came, attachments included.
    pub(super) async fn on_signal(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask_in(&socket, event.args.payload())?;
        let signal = Signal::read(&asked.fields, &event.args.attachments, self.config.relay_bytes);
        let signal = signal.map_err(|error| asked.named(error))?;
        self.permit(&socket, &asked, &event.name).await?;
        let body = signal.body(&event.name, &wire::signal_sender(socket.id(), &asked.claims.user_id));
        let recipient = signal.to.as_deref().map_or(Recipient::Others, Recipient::Named);
        let relayed = self
            .attempt(&socket, &asked, || async {
                let op = self.scopes.next_op();
                let op = self.op(&op, &asked.client_message_id);
                let actor = actor(&asked.claims, &asked.sos, socket.id());
                sos_relay(self.redis(), &asked.sos, op, actor, recipient, &body).await
            })
            .await?;
        match relayed {
            Relayed::Sent(written) => {
                self.after(&asked.sos, &written);
                Ok(Reply::accepted(acks::Signalled { duplicate: written.duplicate }))
            }
            Relayed::NoSuchMember => Err(EventError::new(Code::INVALID_PAYLOAD, "to names no member").with("sosId", &*asked.sos)),
        }
    }

    /// `pong {…data, respondedAt}`
    pub(super) async fn on_ping(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let fields = payload::fields(event.object()?)?;
        let mut pong = String::from("{");
        for (name, value) in fields.without("respondedAt") {
            pong.push_str(&format!("{}:{value},", Value::from(name)));
        }
        pong.push_str(&format!(r#""respondedAt":{}}}"#, self.clock.now_ms()));
        socket.emit_json("pong", &pong);
        Ok(Reply::Ok)
    }

    /// `heartbeat:ack {timestamp}`
    pub(super) async fn on_heartbeat(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        event.object()?;
        let heartbeat = wire::HeartbeatAck { timestamp: self.clock.now_ms() };
        socket.emit("heartbeat:ack", &heartbeat);
        self.touch(&socket).await;
        Ok(Reply::accepted(heartbeat))
    }
}
