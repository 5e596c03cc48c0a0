//! What members say to each other: messages, their history, and the relay of signals.

use super::{Actor, Outcome, ROOM, RULES, Refused, Written, all_keys, head, read_written, scope};
use crate::cluster::scripts::Op;
use crate::features::sos::keys as sos_keys;
use crate::redis::keys;
use crate::redis::keys::user_tag;
use crate::redis::script::{Args, Eval, Reply, script};
use crate::rooms::history::{History, HistoryQuery};
use crate::rooms::relay::{Recipient, SignalBody};

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

/// `message:history`: for members; after the end for all with rights. A page of long messages ends early.
pub async fn sos_history<E: Eval>(redis: &E, sos: &str, actor: Actor<'_>, query: HistoryQuery) -> Outcome<History, E::Error> {
    let at = vec![sos_keys::state(sos), keys::scope_members(&scope(sos)), sos_keys::messages(sos)];
    let args = Args::new().owned(user_tag(actor.user)).text(actor.role).flag(actor.named).text(actor.sid);
    let args = History::push(args, query).done();
    let mut reply = Reply::new(HISTORY.name, redis.eval(&HISTORY, at, args).await?)?;
    match reply.text()?.as_str() {
        "ok" => {}
        "missing" => return Ok(Err(Refused::Missing)),
        "not_member" => return Ok(Err(Refused::NotMember)),
        _ => return Ok(Err(Refused::Forbidden)),
    }
    Ok(Ok(History::read(&mut reply)?))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relayed {
    Sent(Written),
    /// `to` names neither a member's socket nor a member: nothing was sent.
    NoSuchMember,
}

/// `offer`, `answer`, `iceCandidate`, `signal`: published (logged) to members, by a member.
pub async fn sos_relay<E: Eval>(
    redis: &E,
    sos: &str,
    op: Op<'_>,
    actor: Actor<'_>,
    to: Recipient<'_>,
    body: &SignalBody,
) -> Outcome<Relayed, E::Error> {
    let (to, key) = to.args();
    let argv = head(op, sos, actor).text(to).owned(key).text(&body.lengths).bytes(body.bytes.clone()).done();
    let mut reply = Reply::new(RELAY.name, redis.eval_write(&RELAY, all_keys(sos), argv).await?)?;
    Ok(read_written(&mut reply)?.map(|(outcome, written)| match outcome.as_str() {
        "ok" => Relayed::Sent(written),
        _ => Relayed::NoSuchMember,
    }))
}

script!(MESSAGE = "sos" / "sos_message" in ROOM, "rooms/lib/history");
script!(HISTORY = "sos" / "sos_history" in RULES, "rooms/lib/history");
script!(RELAY = "sos" / "sos_relay" in ROOM, "rooms/lib/relay");
