//! One handler for each event of a client, but for those with a file of their own. A handler reads, asks a script, and
//! says what came of it; what others get to know of it, the script has published.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::auth::Claims;
use crate::features::sos::scripts::talk::{History, Recipient, Relayed, sos_history, sos_message, sos_relay};
use crate::features::sos::scripts::{Judged, sos_acknowledge, sos_audit, sos_close, sos_status};
use crate::features::sos::scripts::{Outcome, Refused, Written};
use crate::protocol::event::Args;
use crate::redis::RedisError;
use crate::socketio::{Code, Event, EventError, Reply, Socket};

use super::caller::{actor, caller};
use super::error::{SosError, TOKEN_EXPIRED, settle};
use super::join::Entered;
use super::{HINT_DEADLINE, Sos, payload, rules};
use crate::protocol::fields::Fields;

/// Characters of the socket or user to whom a signal goes.
const MAX_TO: usize = 128;
/// An answer to `message:history` is smaller than this, in bytes: its reader must not be closed by it.
const MAX_HISTORY_BYTES: usize = 256 * 1024;
/// What such an answer has beside the messages, at most.
const HISTORY_FRAME: usize = 256;

type Handled = Result<Reply, EventError>;

/// What an event asks, so far as all events are alike.
pub struct Asked<'a> {
    pub claims: Arc<Claims>,
    pub fields: Fields<'a>,
    pub sos: String,
    pub client_message_id: String,
}

/// `{ok:true, …}`, with the marks of a repeat.
fn accepted(mut fields: Value, unchanged: bool, written: &Written) -> Reply {
    fields["ok"] = true.into();
    if unchanged {
        fields["unchanged"] = true.into();
    }
    if written.duplicate {
        fields["duplicate"] = true.into();
    }
    Reply::Object(fields.to_string())
}

impl Sos {
    /// Reads what every event about an SOS has.
    pub(super) fn ask<'a>(&self, socket: &Socket, event: &'a Event) -> Result<Asked<'a>, EventError> {
        self.ask_in(socket, event.object()?)
    }

    fn ask_in<'a>(&self, socket: &Socket, json: &'a str) -> Result<Asked<'a>, EventError> {
        let claims = caller(socket).ok_or_else(|| EventError::new(Code::INTERNAL, "no caller"))?.claims();
        let fields = payload::fields(json)?;
        let common = payload::common(&fields, claims.only_sos())?;
        Ok(Asked { claims, fields, sos: common.sos, client_message_id: common.client_message_id })
    }

    /// Refuses what needs no script to be refused: the role that this member has here, and the limits of the grace.
    pub(super) async fn permit(&self, socket: &Socket, asked: &Asked<'_>, event: &str) -> Result<(), EventError> {
        let Some(caller) = caller(socket) else { return Ok(()) };
        if caller.in_grace() && !asked.claims.names(&asked.sos) {
            return Err(EventError::new(TOKEN_EXPIRED, "the token has expired").with("sosId", &*asked.sos));
        }
        // Who is no member may have been admitted, in a role that only the script knows.
        let Some(role) = caller.role_in(&asked.sos) else { return Ok(()) };
        if rules::may(role, event) {
            return Ok(());
        }
        let actor = actor(&asked.claims, &asked.sos, socket.id());
        let audit = sos_audit(self.redis(), &asked.sos, actor, event, Code::FORBIDDEN.0);
        let _ = tokio::time::timeout(HINT_DEADLINE, audit).await;
        Err(SosError::Forbidden.about(&asked.sos))
    }

    /// Runs a script, and once more after what Redis may have lost is put back: if it finds no state for somebody whose
    /// token names the SOS, or who is in the room, the SOS service is asked; who is a member here but not there joins again.
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
        // Whether there is such an SOS is for those to know who would have rights on it.
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
        // Only now what has happened since the snapshot.
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
        // Whoever asks: who is not there has left, and learns nothing by it.
        Ok(accepted(json!({}), true, &Written::default()))
    }

    pub(super) async fn on_close(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, &event)?;
        let reason = payload::note(&asked.fields, "reason")?;
        self.permit(&socket, &asked, "sos:close").await?;
        let set = self
            .attempt(&socket, &asked, || async {
                let op = self.scopes.next_op();
                let op = self.op(&op, &asked.client_message_id);
                let actor = actor(&asked.claims, &asked.sos, socket.id());
                sos_close(self.redis(), &asked.sos, op, actor, reason.as_deref()).await
            })
            .await?;
        self.after(&asked.sos, &set.written);
        Ok(accepted(json!({ "status": set.status }), set.unchanged, &set.written))
    }

    pub(super) async fn on_status(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, &event)?;
        let update = payload::status_update(&asked.fields).map_err(|error| error.with("sosId", &*asked.sos))?;
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
        let fields = json!({ "status": set.status, "oldStatus": set.old_status });
        Ok(accepted(fields, set.unchanged, &set.written))
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
        let fields = json!({ "acknowledgedBy": known.by, "acknowledgedAt": known.at });
        Ok(accepted(fields, known.unchanged, &known.written))
    }

    pub(super) async fn on_message(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, &event)?;
        let text = payload::message(&asked.fields).map_err(|error| error.with("sosId", &*asked.sos))?;
        self.permit(&socket, &asked, "message:send").await?;
        let sent = self
            .attempt(&socket, &asked, || async {
                let op = self.scopes.next_op();
                let op = self.op(&op, &asked.client_message_id);
                sos_message(self.redis(), &asked.sos, op, actor(&asked.claims, &asked.sos, socket.id()), &text).await
            })
            .await?;
        self.after(&asked.sos, &sent.written);
        let fields = json!({ "messageId": sent.message_id, "timestamp": sent.timestamp });
        Ok(accepted(fields, false, &sent.written))
    }

    pub(super) async fn on_history(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let asked = self.ask(&socket, &event)?;
        let query = payload::history(&asked.fields)?;
        self.permit(&socket, &asked, "message:history").await?;
        let history = self
            .attempt(&socket, &asked, || async {
                let actor = actor(&asked.claims, &asked.sos, socket.id());
                sos_history(self.redis(), &asked.sos, actor, query.before, query.limit).await
            })
            .await?;
        Ok(Reply::Object(page(history, MAX_HISTORY_BYTES - HISTORY_FRAME)))
    }

    /// `offer`, `answer`, `iceCandidate`, `signal`: the payload goes on as it came, attachments included.
    pub(super) async fn on_signal(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let invalid = |message| EventError::new(Code::INVALID_PAYLOAD, message);
        let asked = self.ask_in(&socket, event.args.payload().get())?;
        let payload = asked.fields.raw_or_null("payload").ok_or_else(|| invalid("payload is required"))?;
        let to =
            asked.fields.name("to", MAX_TO).map_err(|_| invalid("to must be a socketId or a userId, of 1–128 characters"))?;
        let attachments = &event.args.attachments;
        let bytes = payload.len() + attachments.iter().map(Bytes::len).sum::<usize>();
        if bytes > self.config.relay_bytes {
            let limit = format!("payload must have at most {} bytes, attachments included", self.config.relay_bytes);
            return Err(EventError::new(Code::INVALID_PAYLOAD, limit));
        }
        if !attachments.is_empty() && placeholders(payload) != attachments.len() {
            return Err(invalid("binary data may only stand in payload"));
        }
        self.permit(&socket, &asked, &event.name).await?;
        let body = json!({ "socketId": socket.id(), "userId": asked.claims.user_id }).to_string();
        let body = format!(r#"{},"payload":{payload}}}"#, body.trim_end_matches('}'));
        let args = Args::event(&event.name, &body);
        let lens = match attachments.as_slice() {
            [] => "-".to_owned(),
            some => some.iter().map(|data| data.len().to_string()).collect::<Vec<_>>().join(","),
        };
        let bytes = match attachments.as_slice() {
            [] => args.json,
            some => {
                let parts = std::iter::once(&args.json[..]).chain(some.iter().map(|data| &data[..]));
                Bytes::from(parts.collect::<Vec<_>>().concat())
            }
        };
        let recipient = to.as_deref().map_or(Recipient::Others, Recipient::Named);
        let relayed = self
            .attempt(&socket, &asked, || async {
                let op = self.scopes.next_op();
                let op = self.op(&op, &asked.client_message_id);
                let actor = actor(&asked.claims, &asked.sos, socket.id());
                sos_relay(self.redis(), &asked.sos, op, actor, recipient, &lens, bytes.clone()).await
            })
            .await?;
        match relayed {
            Relayed::Sent(written) => {
                self.after(&asked.sos, &written);
                Ok(accepted(json!({}), false, &written))
            }
            Relayed::NoSuchMember => Err(invalid("to names no member").with("sosId", &*asked.sos)),
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
        socket.emit("pong", &pong);
        Ok(Reply::Ok)
    }

    /// `heartbeat:ack {timestamp}`
    pub(super) async fn on_heartbeat(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        event.object()?;
        let timestamp = json!({ "timestamp": self.clock.now_ms() });
        socket.emit("heartbeat:ack", &timestamp.to_string());
        self.touch(&socket).await;
        Ok(accepted(timestamp, false, &Written::default()))
    }
}

/// The newest messages of a page that fit into so many bytes, and where the next page begins.
fn page(history: History, most: usize) -> String {
    let (mut bytes, mut next, mut fitting) = (0, history.next_before, Vec::new());
    for message in history.messages.iter().rev() {
        // Nothing of it could fail to be JSON.
        let text = serde_json::to_string(message).unwrap_or_default();
        bytes += text.len() + 1;
        if bytes > most && !fitting.is_empty() {
            next = fitting.last().map(|(id, _): &(&String, String)| (*id).clone());
            break;
        }
        fitting.push((&message.message_id, text));
    }
    let texts: Vec<_> = fitting.into_iter().rev().map(|(_, text)| text).collect();
    format!(r#"{{"ok":true,"messages":[{}],"nextBefore":{}}}"#, texts.join(","), Value::from(next))
}

/// How many attachments a JSON text refers to.
fn placeholders(json: &str) -> usize {
    fn count(value: &Value) -> usize {
        match value {
            Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => 1,
            Value::Object(fields) => fields.values().map(count).sum(),
            Value::Array(items) => items.iter().map(count).sum(),
            _ => 0,
        }
    }
    serde_json::from_str(json).map_or(0, |value| count(&value))
}

#[cfg(test)]
mod tests {
    use crate::features::sos::scripts::talk::Message;

    use super::*;

    #[test]
    fn a_page_of_long_messages_ends_early_and_says_where_the_next_begins() {
        let message = |id: usize| Message {
            sos_id: "s".into(),
            message_id: format!("{id}-0"),
            client_message_id: None,
            user_id: None,
            role: "citizen".into(),
            text: "\u{1}".repeat(4000),
            timestamp: 1,
        };
        let history = || History { messages: (1..=100).map(message).collect(), next_before: None };
        let answer = page(history(), MAX_HISTORY_BYTES);
        assert!(answer.len() < MAX_HISTORY_BYTES + HISTORY_FRAME && answer.len() > MAX_HISTORY_BYTES / 2);
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let ids: Vec<_> = answer["messages"].as_array().expect("a list").iter().map(|message| &message["messageId"]).collect();
        assert_eq!((ids.len(), ids[0], ids[9]), (10, &"91-0".into(), &"100-0".into()));
        assert_eq!(answer["nextBefore"], "91-0");
        let one: Value = serde_json::from_str(&page(history(), 1)).expect("JSON");
        assert_eq!((one["messages"].as_array().map(Vec::len), &one["nextBefore"]), (Some(1), &"100-0".into()));
    }

    #[test]
    fn attachments_are_counted_wherever_they_stand() {
        assert_eq!(placeholders(r#"{"a":[{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}],"c":null}"#), 2);
        assert_eq!(placeholders(r#"{"_placeholder":false}"#), 0);
    }
}
