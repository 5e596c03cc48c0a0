//! What the members of a room write to each other: sent to all, kept in a stream of the feature's choice, read backwards in
//! pages. A repeat with the same `clientMessageId` is answered with the first answer. Who may write and read is for the
//! feature to say.

use schemars::JsonSchema;
use serde_json::Value;

use super::scripts::{ROOM, Sender, Told, head, scope_keys, told};
use crate::cluster::scripts::Op;
use crate::core::{ScopeId, StreamId};
use crate::protocol::fields::{Bad, Fields};
use crate::redis::keys;
use crate::redis::script::{Args, BadReply, Eval, Reply, script};
use crate::socketio::{Code, EventError};

/// Messages of one page: without a limit, and at most.
const DEFAULT_LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 100;
/// Bytes of the texts of one page that a script reads: beyond this no page of JSON is within its own limit anyway.
const TEXT_BYTES: u64 = 256 * 1024;
/// A page is smaller than this, in bytes: its reader's connection must not be closed by it.
pub const PAGE_BYTES: usize = 256 * 1024;
/// What a page has beside the messages, at most.
const PAGE_FRAME: usize = 256;

/// Which page a client asks for: `{before?, limit?}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// A message id, exclusive; `None`: the newest.
    pub before: Option<StreamId>,
    pub limit: u32,
}

impl HistoryQuery {
    /// A limit above the most counts as the most.
    pub fn read(fields: &Fields<'_>) -> Result<Self, EventError> {
        let invalid = |bad: Bad| EventError::new(Code::INVALID_PAYLOAD, format!("{} {}", bad.field, bad.why));
        let before = fields.name("before", 64).map_err(invalid)?;
        let before = before.map(|id| id.parse().map_err(|()| invalid(Bad::new("before", "must be a messageId"))));
        let limit = fields.count("limit", MAX_LIMIT).map_err(invalid)?.unwrap_or(DEFAULT_LIMIT);
        Ok(Self { before: before.transpose()?, limit: limit as u32 })
    }
}

/// What a client asks for, beside the fields of the feature's own: the schema of [`HistoryQuery`].
#[derive(JsonSchema)]
#[schemars(rename = "History")]
pub struct HistoryFields {
    /// A `messageId`: messages before this one.
    pub before: Option<String>,
    /// More than 100 counts as 100.
    #[schemars(range(min = 1), extend("default" = DEFAULT_LIMIT))]
    pub limit: Option<u64>,
}

/// The page that [`History::page`] writes, beside `ok`, with messages of the feature's own.
#[derive(JsonSchema)]
#[schemars(rename = "{M}s", rename_all = "camelCase")]
pub struct Page<M> {
    /// Ascending.
    pub messages: Vec<M>,
    /// Pass it as `before` for the page before this one; null at the beginning.
    pub next_before: Option<String>,
}

/// One message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub message_id: String,
    pub user_id: Option<String>,
    pub role: String,
    pub text: String,
    pub client_message_id: Option<String>,
    /// ms since 1970.
    pub timestamp: u64,
    /// What else the broadcast said of its sender: fields of a JSON object, as [`Message::sender`] gave them.
    pub sender: Option<String>,
}

/// A page of messages, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    pub messages: Vec<Kept>,
    /// Pass as `before` for the page before this one; `None` at the beginning.
    pub next_before: Option<String>,
}

impl History {
    /// `{"ok":true,"messages":[…],"nextBefore":…}` with the newest messages that fit into `most` bytes (one at least), each as
    /// `to_json` writes it.
    pub fn page(&self, most: usize, to_json: impl Fn(&Kept) -> String) -> String {
        let (mut bytes, mut next, mut fitting) = (0, self.next_before.as_deref(), Vec::new());
        let mut oldest: Option<&str> = None;
        for message in self.messages.iter().rev() {
            let text = to_json(message);
            bytes += text.len() + 1;
            if bytes > most.saturating_sub(PAGE_FRAME) && oldest.is_some() {
                next = oldest;
                break;
            }
            fitting.push(text);
            oldest = Some(&message.message_id);
        }
        fitting.reverse();
        format!(r#"{{"ok":true,"messages":[{}],"nextBefore":{}}}"#, fitting.join(","), Value::from(next))
    }

    /// Reads `{ next, message, … }`, as `messages_before` of `lua/rooms/lib/history.lua` gives it behind its `ok`.
    pub fn read(reply: &mut Reply) -> Result<Self, BadReply> {
        let next_before = reply.some()?;
        let mut messages = Vec::with_capacity(reply.left());
        while reply.left() > 0 {
            let mut list = reply.list()?;
            messages.push(Kept {
                message_id: list.text()?,
                user_id: list.some()?,
                role: list.text()?,
                text: list.text()?,
                client_message_id: list.some()?,
                timestamp: list.uint()?,
                sender: if list.left() > 0 { list.some()? } else { None },
            });
        }
        Ok(Self { messages, next_before })
    }

    /// The arguments with which a script asks for a page, behind those that say who asks.
    pub fn push(args: Args, query: HistoryQuery) -> Args {
        let before = query.before.map(|id| id.to_string()).unwrap_or_default();
        args.owned(before).int(query.limit.into()).int(TEXT_BYTES)
    }
}

impl Kept {
    /// The payload that was broadcast: `{<head>,"messageId":…,"clientMessageId":…,<sender>,"text":…,"timestamp":…}`.
    pub fn payload(&self, head: &str) -> String {
        format!(
            r#"{{{head},"messageId":"{}","clientMessageId":{},{},"text":{},"timestamp":{}}}"#,
            self.message_id,
            Value::from(self.client_message_id.as_deref()),
            self.sender.as_deref().unwrap_or(r#""userId":null"#),
            Value::from(self.text.as_str()),
            self.timestamp
        )
    }
}

/// A message to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    pub event: &'a str,
    /// What the payload begins with, such as the room's id: fields of a JSON object.
    pub head: &'a str,
    /// What the payload says of the sender: fields of a JSON object.
    pub sender: &'a str,
    pub text: &'a str,
}

/// A message that was sent, now or by an earlier call with the same id (`told.duplicate`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub message_id: String,
    pub timestamp: u64,
    pub told: Told,
}

/// Sends a message to a room without rules of its own and keeps it in `stream`, a key in the scope's slot. `None`: it is for
/// members only, and the sender's socket is none.
pub async fn room_message<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    stream: &str,
    op: Op<'_>,
    sender: Sender<'_>,
    message: Message<'_>,
    members_only: bool,
) -> Result<Option<Sent>, E::Error> {
    let mut at = scope_keys(scope);
    at.push(stream.to_owned());
    let args = head(op, scope, sender).text(message.event).text(message.head).text(message.sender).text(message.text);
    let mut reply = Reply::new(MESSAGE.name, redis.eval_write(&MESSAGE, at, args.flag(members_only).done()).await?)?;
    let (outcome, told) = told(&mut reply)?;
    if outcome != "ok" {
        return Ok(None);
    }
    Ok(Some(Sent { message_id: reply.text()?, timestamp: reply.uint()?, told }))
}

/// Reads a page. With `member` only if that socket is a member; `None` if it is not.
pub async fn room_history<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    stream: &str,
    member: Option<&str>,
    query: HistoryQuery,
) -> Result<Option<History>, E::Error> {
    let args = History::push(Args::new().text(member.unwrap_or_default()), query).done();
    let at = vec![stream.to_owned(), keys::scope_members(scope)];
    let mut reply = Reply::new(HISTORY.name, redis.eval(&HISTORY, at, args).await?)?;
    Ok(if reply.text()? == "ok" { Some(History::read(&mut reply)?) } else { None })
}

script!(MESSAGE = "rooms" / "room_message" in ROOM, "rooms/lib/history");
script!(HISTORY = "rooms" / "room_history", "scope/lib/scope", "rooms/lib/history");

#[cfg(test)]
mod tests {
    use super::*;

    fn message(id: usize, text: String) -> Kept {
        Kept {
            message_id: format!("{id}-0"),
            user_id: None,
            role: "r".into(),
            text,
            client_message_id: None,
            timestamp: 1,
            sender: Some(r#""by":"x""#.into()),
        }
    }

    #[test]
    fn a_page_of_long_messages_ends_early_and_says_where_the_next_begins() {
        let messages = (1..=100).map(|id| message(id, "\u{1}".repeat(4000))).collect();
        let history = History { messages, next_before: None };
        let answer = history.page(PAGE_BYTES, |kept| kept.payload(r#""room":"a""#));
        assert!(answer.len() < PAGE_BYTES && answer.len() > PAGE_BYTES / 2);
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let ids: Vec<_> = answer["messages"].as_array().expect("a list").iter().map(|message| &message["messageId"]).collect();
        assert_eq!((ids.len(), ids[0], ids[9]), (10, &"91-0".into(), &"100-0".into()));
        assert_eq!(answer["nextBefore"], "91-0");
        let one: Value = serde_json::from_str(&history.page(1, |kept| kept.payload(r#""room":"a""#))).expect("JSON");
        assert_eq!((one["messages"].as_array().map(Vec::len), &one["nextBefore"]), (Some(1), &"100-0".into()));
    }

    #[test]
    fn a_kept_message_is_the_payload_that_was_broadcast() {
        let payload: Value = serde_json::from_str(&message(7, "a\"b".into()).payload(r#""room":"a""#)).expect("JSON");
        let expected = serde_json::json!({
            "room": "a", "messageId": "7-0", "clientMessageId": null, "by": "x", "text": "a\"b", "timestamp": 1
        });
        assert_eq!(payload, expected);
    }

    #[test]
    fn a_query_asks_for_50_messages_and_at_most_100() {
        let read = |json| HistoryQuery::read(&Fields::parse(json).expect("an object"));
        assert_eq!(read("{}"), Ok(HistoryQuery { before: None, limit: 50 }));
        let most = HistoryQuery { before: "5-1".parse().ok(), limit: 100 };
        assert_eq!(read(r#"{"limit":1000,"before":"5-1"}"#), Ok(most));
        for bad in [
            r#"{"limit":0}"#,
            r#"{"limit":-1}"#,
            r#"{"limit":1.5}"#,
            r#"{"limit":"5"}"#,
            r#"{"before":"x"}"#,
            r#"{"before":""}"#,
            r#"{"before":5}"#,
        ] {
            assert_eq!(read(bad).expect_err("it is refused").code, Code::INVALID_PAYLOAD, "{bad}");
        }
    }
}
