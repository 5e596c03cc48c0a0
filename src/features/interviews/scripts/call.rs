//! The scripts of the call of an interview, as typed functions: who is in it, its chat, its shared document, who shows a screen.
//!
//! Signals go by [`room_relay`](crate::rooms::relay::room_relay), and the chat is read by
//! [`room_history`](crate::rooms::history::room_history). In `scope:members` each socket is a user of its own, whose id is the
//! socket's: so a signal to one reaches it also while its connection is lost.

use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use crate::cluster::scripts::Op;
use crate::core::{Position, StreamId};
use crate::features::interviews::{keys as interview_keys, kinds};
use crate::redis::keys;
use crate::redis::keys::user_tag;
use crate::redis::script::{BadReply, Eval, Reply, script};
use crate::rooms::presence::Connection;
use crate::rooms::scripts::{Sender, Told, head, scope_keys, told};

/// The durable timer by which those are looked at whose connection was lost.
pub const GONE: &str = "gone";

/// The keys of a scope and of the call in it.
fn call_keys(interview: Uuid, last: Option<String>) -> Vec<String> {
    let mut at = scope_keys(&kinds::call(interview));
    at.push(interview_keys::call(interview));
    at.extend(last);
    at
}

/// How the presence of a call is announced.
#[derive(Debug, Clone, Copy)]
pub struct Presence {
    /// At most one announcement in so long; in a large call as many times that as there are fifties of sockets.
    pub window: Duration,
    /// A connection that was lost so long ago is gone.
    pub grace: Duration,
}

/// As what a socket is in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As<'a> {
    /// It says so.
    Named {
        role: &'a str,
        identity: &'a str,
        /// Its user has a token: nobody without one may take its name.
        has_token: bool,
    },
    /// As before: its client has got it back.
    Before,
}

/// How a socket joins.
#[derive(Debug, Clone, Copy)]
pub struct Joining<'a> {
    pub named: As<'a>,
    /// Its client has got it back: that is announced only if it was announced as gone.
    pub recovered: bool,
    /// So many sockets may be in the call, and some more that are no observers.
    pub most: u32,
}

/// A document as it is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// 0: nothing was written yet.
    pub version: u64,
    /// The socket that wrote it.
    pub writer: String,
    /// A JSON string; `None`: nothing was written yet.
    pub json: Option<Bytes>,
}

/// A socket that has joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallJoined {
    /// False if it was there already.
    pub first: bool,
    /// What is logged after this position is for it.
    pub position: Position,
    /// Presence is to be announced so much later, by [`call_presence`].
    pub announce_in: Option<Duration>,
    pub role: String,
    pub identity: String,
    /// Who is there, as JSON, if that is announced to nobody because nothing has changed.
    pub present: Option<String>,
    /// Of the shared document, which [`call_document`] reads; 0: nothing was written yet.
    pub document_version: u64,
    /// The others who show their screens: socket and identity.
    pub screens: Vec<(String, String)>,
    pub told: Told,
}

/// What became of a join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallJoin {
    Joined(Box<CallJoined>),
    /// Nothing is known of what it was before.
    Missing,
    /// There are too many.
    Full,
    /// Its user has no token, and the identity is that of one that has.
    Taken,
}

/// What a change leaves to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallChanged {
    /// `None`: nothing was written.
    pub told: Option<Told>,
    /// Presence is to be announced so much later, by [`call_presence`].
    pub announce_in: Option<Duration>,
    /// The timer [`GONE`] is set to then.
    pub timer_in: Option<Duration>,
}

/// What became of a change of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edited {
    Taken {
        version: u64,
        told: Told,
    },
    /// Another one is kept.
    Conflict(Document),
    NotMember,
}

/// What became of showing a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    Ok {
        unchanged: bool,
        told: Told,
    },
    /// Too many do so.
    Full,
    NotMember,
}

/// A message that was sent, now or by an earlier call with the same id (`told.duplicate`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub message_id: String,
    /// ISO 8601.
    pub timestamp: String,
    pub identity: String,
    pub role: String,
    pub told: Told,
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

fn read_document(reply: &mut Reply) -> Result<Document, BadReply> {
    let (version, writer, json) = (reply.uint()?, reply.text()?, reply.bytes()?);
    Ok(Document { version, writer, json: Some(json).filter(|json| !json.is_empty()) })
}

/// Makes the sender's socket a member, and its node a listener.
pub async fn call_join<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    sender: Sender<'_>,
    connection: Connection<'_>,
    joining: Joining<'_>,
    presence: Presence,
) -> Result<CallJoin, E::Error> {
    let (role, identity, has_token) = match joining.named {
        As::Named { role, identity, has_token } => (role, identity, has_token),
        As::Before => ("", "", false),
    };
    let args = head(op, &kinds::call(interview), sender).int(ms(presence.window)).int(ms(presence.grace)).text(connection.node);
    let args = args.int(connection.session_epoch).owned(user_tag(sender.sid)).text(role).text(identity).flag(has_token);
    let args = args.flag(joining.recovered).int(joining.most.into()).done();
    let mut reply = Reply::new(JOIN.name, redis.eval(&JOIN, call_keys(interview, None), args).await?)?;
    let (outcome, told) = told(&mut reply)?;
    match outcome.as_str() {
        "missing" => return Ok(CallJoin::Missing),
        "full" => return Ok(CallJoin::Full),
        "taken" => return Ok(CallJoin::Taken),
        _ => {}
    }
    let (first, id, epoch): (_, StreamId, _) = (reply.flag()?, reply.parsed()?, reply.text()?);
    let (position, announce_in) = (Position::new(epoch, id), reply.wait()?);
    let (role, identity, present, document_version) = (reply.text()?, reply.text()?, reply.some()?, reply.uint()?);
    let (mut list, mut screens) = (reply.list()?, Vec::new());
    while list.left() > 0 {
        screens.push((list.text()?, list.text()?));
    }
    let joined = CallJoined { first, position, announce_in, role, identity, present, document_version, screens, told };
    Ok(CallJoin::Joined(Box::new(joined)))
}

/// Ends the membership of the sender's socket. `lost_at` (ms since 1970; 0: now): its connection was lost, and it counts as being
/// there until the grace is over; `None`: it has left. `None` is returned if it was no member of this node and session epoch.
pub async fn call_leave<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    sender: Sender<'_>,
    connection: Connection<'_>,
    lost_at: Option<u64>,
    presence: Presence,
) -> Result<Option<CallChanged>, E::Error> {
    let args = head(op, &kinds::call(interview), sender).int(ms(presence.window)).int(ms(presence.grace)).text(connection.node);
    let args = args.int(connection.session_epoch).flag(lost_at.is_some()).int(lost_at.unwrap_or(0)).text(GONE).done();
    let at = call_keys(interview, Some(keys::scope_due(&kinds::call(interview))));
    let mut reply = Reply::new(LEAVE.name, redis.eval_write(&LEAVE, at, args).await?)?;
    let (outcome, told) = told(&mut reply)?;
    if outcome != "ok" {
        return Ok(None);
    }
    Ok(Some(CallChanged { told: Some(told), announce_in: reply.wait()?, timer_in: reply.wait()? }))
}

/// Announces who is there, if that has changed and the window is over; those whose connection was lost a grace ago or more are not.
/// The first node that comes does it.
pub async fn call_presence<E: Eval>(redis: &E, interview: Uuid, op: Op<'_>, presence: Presence) -> Result<CallChanged, E::Error> {
    let args =
        head(op, &kinds::call(interview), Sender::default()).int(ms(presence.window)).int(ms(presence.grace)).text(GONE).done();
    let at = call_keys(interview, Some(keys::scope_due(&kinds::call(interview))));
    let mut reply = Reply::new(PRESENCE.name, redis.eval(&PRESENCE, at, args).await?)?;
    let (outcome, told) = told(&mut reply)?;
    let timer_in = reply.wait()?;
    Ok(CallChanged { told: (outcome == "ok").then_some(told), announce_in: reply.wait()?, timer_in })
}

/// Sends a message to all in the call, and keeps it. `None`: the sender's socket is no member.
pub async fn call_message<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    sender: Sender<'_>,
    text: &str,
) -> Result<Option<Said>, E::Error> {
    let at = call_keys(interview, Some(interview_keys::chat(interview)));
    let args = head(op, &kinds::call(interview), sender).text(text).done();
    let mut reply = Reply::new(MESSAGE.name, redis.eval_write(&MESSAGE, at, args).await?)?;
    let (outcome, told) = told(&mut reply)?;
    if outcome != "ok" {
        return Ok(None);
    }
    let (message_id, timestamp) = (reply.text()?, reply.text()?);
    Ok(Some(Said { message_id, timestamp, identity: reply.text()?, role: reply.text()?, told }))
}

/// Writes the shared document anew: `json` is a JSON string. Taken only if `version` is the kept one + 1.
pub async fn call_edit<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    sender: Sender<'_>,
    version: u64,
    json: &str,
) -> Result<Edited, E::Error> {
    let scope = kinds::call(interview);
    let call = interview_keys::call(interview);
    let at = vec![keys::scope_meta(&scope), keys::scope_members(&scope), call, interview_keys::document(interview)];
    let args = head(op, &kinds::call(interview), sender).int(version).text(json).done();
    let mut reply = Reply::new(EDIT.name, redis.eval_write(&EDIT, at, args).await?)?;
    let (outcome, told) = told(&mut reply)?;
    Ok(match outcome.as_str() {
        "ok" => Edited::Taken { version: reply.uint()?, told },
        "conflict" => Edited::Conflict(read_document(&mut reply)?),
        _ => Edited::NotMember,
    })
}

/// The shared document as it is kept.
pub async fn call_document<E: Eval>(redis: &E, interview: Uuid) -> Result<Document, E::Error> {
    let at = vec![interview_keys::call(interview), interview_keys::document(interview)];
    let mut reply = Reply::new(DOCUMENT.name, redis.eval(&DOCUMENT, at, Vec::new()).await?)?;
    Ok(read_document(&mut reply)?)
}

/// Tells the others that the sender's socket shows its screen, or that it does so no longer.
pub async fn call_share<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    sender: Sender<'_>,
    active: bool,
) -> Result<Shared, E::Error> {
    let args = head(op, &kinds::call(interview), sender).flag(active).done();
    let mut reply = Reply::new(SHARE.name, redis.eval_write(&SHARE, call_keys(interview, None), args).await?)?;
    let (outcome, told) = told(&mut reply)?;
    Ok(match outcome.as_str() {
        "ok" => Shared::Ok { unchanged: reply.flag()?, told },
        "full" => Shared::Full,
        _ => Shared::NotMember,
    })
}

/// A script of a call with the libraries that they all need.
macro_rules! call_script {
    ($static:ident = $name:literal $(, $lib:literal)*) => {
        script!(
            $static = "interviews" / $name,
            "scope/lib/scope",
            "scope/lib/log",
            "scope/lib/members",
            "rooms/lib/audit",
            "rooms/lib/room"
            $(, $lib)*,
            "interviews/lib/call"
        );
    };
}

call_script!(JOIN = "call_join");
call_script!(LEAVE = "call_leave", "scope/lib/due");
call_script!(PRESENCE = "call_presence", "scope/lib/due");
call_script!(MESSAGE = "call_message", "rooms/lib/history", "interviews/lib/iso");
call_script!(EDIT = "call_edit");
call_script!(SHARE = "call_share");
script!(DOCUMENT = "interviews" / "call_document");
