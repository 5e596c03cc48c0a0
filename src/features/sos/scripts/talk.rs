//! What members say to each other: messages, their history, and the relay of signals.

use bytes::Bytes;

use super::{Actor, all_keys, head, read_written, scope};
use super::{Outcome, Refused, Written};
use crate::cluster::scripts::Op;
use crate::core::StreamId;
use crate::redis::keys;
use crate::redis::keys::user_tag;
use crate::redis::script::{Args, Eval, Reply, script};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub message_id: String,
    /// When the message was sent first (`written.duplicate`: by an earlier call).
    pub timestamp: u64,
    pub written: Written,
}

/// `message:send` by a member, and the internal API's message. The `clientMessageId` is `op.client_message_id`.
pub async fn sos_message<E: Eval>(redis: &E, sos: &str, op: Op<'_>, actor: Actor<'_>, text: &str) -> Outcome<Sent, E::Error> {
    let args = head(op, sos, actor).text(text).done();
    let mut reply = Reply::new(MESSAGE.name, redis.eval_write(&MESSAGE, all_keys(sos), args).await?)?;
    let (_, written) = match read_written(&mut reply)? {
        Ok(written) => written,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(Ok(Sent { message_id: reply.text()?, timestamp: reply.uint()?, written }))
}

/// One message, as in `message:broadcast`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    pub sos_id: String,
    pub message_id: String,
    pub client_message_id: Option<String>,
    pub user_id: Option<String>,
    pub role: String,
    pub text: String,
    pub timestamp: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Ascending.
    pub messages: Vec<Message>,
    /// Pass as `before` for the page before this one; `None` at the beginning.
    pub next_before: Option<String>,
}

/// Bytes of the texts of one page of history: beyond this no page of JSON is within its own limit anyway.
const HISTORY_TEXTS: u64 = 256 * 1024;

/// `message:history`: for members; after the end for all with rights. A page of long messages ends early.
pub async fn sos_history<E: Eval>(
    redis: &E,
    sos: &str,
    actor: Actor<'_>,
    before: Option<StreamId>,
    limit: u32,
) -> Outcome<History, E::Error> {
    let at = vec![keys::sos_state(sos), keys::scope_members(&scope(sos)), keys::sos_messages(sos)];
    let args = Args::new().owned(user_tag(actor.user)).text(actor.role).flag(actor.named).text(actor.sid);
    let args = args.owned(before.map(|id| id.to_string()).unwrap_or_default()).int(limit.into()).int(HISTORY_TEXTS).done();
    let mut reply = Reply::new(HISTORY.name, redis.eval(&HISTORY, at, args).await?)?;
    match reply.text()?.as_str() {
        "ok" => {}
        "missing" => return Ok(Err(Refused::Missing)),
        "not_member" => return Ok(Err(Refused::NotMember)),
        _ => return Ok(Err(Refused::Forbidden)),
    }
    let next_before = reply.some()?;
    let mut messages = Vec::with_capacity(reply.len());
    while reply.len() > 0 {
        let mut list = reply.list()?;
        messages.push(Message {
            sos_id: sos.to_owned(),
            message_id: list.text()?,
            user_id: list.some()?,
            role: list.text()?,
            text: list.text()?,
            client_message_id: list.some()?,
            timestamp: list.uint()?,
        });
    }
    Ok(Ok(History { messages, next_before }))
}

/// To whom a signal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient<'a> {
    /// All members but the sender's socket.
    Others,
    /// A socket or a user among the members, whichever this names.
    Named(&'a str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relayed {
    Sent(Written),
    /// `to` names neither a member's socket nor a member: nothing was sent.
    NoSuchMember,
}

/// `offer`, `answer`, `iceCandidate`, `signal`: published (logged) to members, by a member.
/// `lens` are the lengths of the attachments (`-` without), `args` the JSON args array with the attachments behind it.
pub async fn sos_relay<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    to: Recipient<'_>,
    lens: &str,
    args: Bytes,
) -> Outcome<Relayed, E::Error> {
    let to = match to {
        Recipient::Others => "",
        Recipient::Named(to) => to,
    };
    let argv = head(op, sos, actor).text(to).owned(user_tag(to)).text(lens).bytes(args).done();
    let mut reply = Reply::new(RELAY.name, redis.eval_write(&RELAY, all_keys(sos), argv).await?)?;
    Ok(read_written(&mut reply)?.map(|(outcome, written)| match outcome.as_str() {
        "ok" => Relayed::Sent(written),
        _ => Relayed::NoSuchMember,
    }))
}

script!(
    MESSAGE = "sos" / "sos_message",
    "scope/lib/scope",
    "scope/lib/log",
    "scope/lib/members",
    "sos/lib/sos",
    "sos/lib/snapshot",
    "sos/lib/room"
);
script!(HISTORY = "sos" / "sos_history", "scope/lib/scope", "sos/lib/sos");
script!(
    RELAY = "sos" / "sos_relay",
    "scope/lib/scope",
    "scope/lib/log",
    "scope/lib/members",
    "sos/lib/sos",
    "sos/lib/snapshot",
    "sos/lib/room"
);
