//! Signals from one member of a room to the others, such as those of WebRTC: the hub does not read them. Who may send one, to
//! whom, and how large it may be, is for the feature to say.

use std::borrow::Cow;

use bytes::Bytes;
use schemars::JsonSchema;
use serde_json::Value;

use super::scripts::{ROOM, Sender, Told, head, scope_keys, told};
use crate::cluster::scripts::Op;
use crate::core::ScopeId;
use crate::protocol::event::Args;
use crate::protocol::fields::Fields;
use crate::redis::keys::user_tag;
use crate::redis::script::{Eval, Reply, script};
use crate::socketio::{Code, EventError};

/// Characters of the socket or user that `to` names.
const MAX_TO: usize = 128;

/// A signal as its sender wrote it: `{payload, to?}`, beside fields of the feature's own.
#[derive(Debug)]
pub struct Signal<'a> {
    /// JSON text.
    payload: &'a str,
    attachments: &'a [Bytes],
    /// A socket or a user among the members; `None`: all members but the sender's socket.
    pub to: Option<Cow<'a, str>>,
}

/// What a sender writes, beside the fields of the feature's own: the schema of [`Signal`].
#[derive(JsonSchema)]
#[schemars(rename = "Signal")]
pub struct SignalFields {
    /// Anything, binary data included; it goes on as it came. Up to `MAX_RELAY_BYTES`.
    pub payload: Value,
    /// A socket or a user among the members; without it all members but the sender get it.
    #[schemars(length(min = 1, max = MAX_TO))]
    pub to: Option<String>,
}

/// The message in which a signal travels, in the form that the scripts take.
#[derive(Clone, Debug)]
pub struct SignalBody {
    /// The lengths of the attachments, `-` without any.
    pub lengths: String,
    /// The array of arguments, and the attachments behind it.
    pub bytes: Bytes,
}

fn invalid(message: impl Into<Cow<'static, str>>) -> EventError {
    EventError::new(Code::INVALID_PAYLOAD, message)
}

impl<'a> Signal<'a> {
    /// Reads a signal whose payload has at most `most` bytes, attachments included.
    pub fn read(fields: &Fields<'a>, attachments: &'a [Bytes], most: usize) -> Result<Self, EventError> {
        let payload = fields.raw_or_null("payload").ok_or_else(|| invalid("payload is required"))?;
        let to = fields.name("to", MAX_TO).map_err(|_| invalid("to must be a socketId or a userId, of 1–128 characters"))?;
        let bytes = payload.len() + attachments.iter().map(Bytes::len).sum::<usize>();
        if bytes > most {
            return Err(invalid(format!("payload must have at most {most} bytes, attachments included")));
        }
        if !attachments.is_empty() && placeholders(payload) != attachments.len() {
            return Err(invalid("binary data may only stand in payload"));
        }
        Ok(Self { payload, attachments, to })
    }

    /// `["<event>",{<sender>,"payload":…}]`. `sender` says who sends it: the fields of a JSON object.
    pub fn body(&self, event: &str, sender: &str) -> SignalBody {
        let args = Args::event(event, &format!(r#"{{{sender},"payload":{}}}"#, self.payload));
        match self.attachments {
            [] => SignalBody { lengths: "-".to_owned(), bytes: args.json },
            some => {
                let lengths = some.iter().map(|data| data.len().to_string()).collect::<Vec<_>>().join(",");
                let parts = std::iter::once(&args.json[..]).chain(some.iter().map(|data| &data[..]));
                SignalBody { lengths, bytes: parts.collect::<Vec<_>>().concat().into() }
            }
        }
    }
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

/// To whom a signal goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recipient<'a> {
    /// All members but the sender's socket.
    Others,
    /// A socket or a user among the members, whichever this names.
    Named(&'a str),
    /// A socket among the members.
    Socket(&'a str),
}

impl<'a> Recipient<'a> {
    /// The two arguments in which the scripts take it: whom it names, and the user key of that (empty: sockets only).
    pub fn args(self) -> (&'a str, String) {
        match self {
            Self::Others => ("", String::new()),
            Self::Named(to) => (to, user_tag(to)),
            Self::Socket(to) => (to, String::new()),
        }
    }
}

/// What became of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relayed {
    Sent(Told),
    /// The recipient is no member: nothing was sent.
    NoSuchMember,
    /// The sender's socket is no member: nothing was sent.
    NotMember,
}

/// Publishes a signal (logged) to members of a room without rules of its own, by a member.
pub async fn room_relay<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    op: Op<'_>,
    sender: Sender<'_>,
    to: Recipient<'_>,
    body: SignalBody,
) -> Result<Relayed, E::Error> {
    let (to, key) = to.args();
    let args = head(op, scope, sender).text(to).owned(key).owned(body.lengths).bytes(body.bytes).done();
    let mut reply = Reply::new(RELAY.name, redis.eval_write(&RELAY, scope_keys(scope), args).await?)?;
    let (outcome, told) = told(&mut reply)?;
    Ok(match outcome.as_str() {
        "ok" => Relayed::Sent(told),
        "not_member" => Relayed::NotMember,
        _ => Relayed::NoSuchMember,
    })
}

script!(RELAY = "rooms" / "room_relay" in ROOM, "rooms/lib/relay");

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(json: &'a str, attachments: &'a [Bytes], most: usize) -> Result<Signal<'a>, EventError> {
        Signal::read(&Fields::parse(json).expect("an object"), attachments, most)
    }

    #[test]
    fn attachments_are_counted_wherever_they_stand() {
        assert_eq!(placeholders(r#"{"a":[{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}],"c":null}"#), 2);
        assert_eq!(placeholders(r#"{"_placeholder":false}"#), 0);
    }

    #[test]
    fn a_payload_goes_on_as_it_came_and_may_be_null() {
        let signal = read(r#"{"payload":{"a":1.50},"to":"x"}"#, &[], 64).expect("a signal");
        assert_eq!(signal.to.as_deref(), Some("x"));
        let body = signal.body("offer", r#""socketId":"s""#);
        assert_eq!((&*body.lengths, &body.bytes[..]), ("-", &br#"["offer",{"socketId":"s","payload":{"a":1.50}}]"#[..]));
        assert!(read(r#"{"payload":null}"#, &[], 64).expect("a signal").to.is_none());
    }

    #[test]
    fn attachments_stand_behind_the_arguments_and_count_for_the_limit() {
        let data = [Bytes::from_static(b"12345"), Bytes::from_static(b"6")];
        let json = r#"{"payload":[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]}"#;
        let body = read(json, &data, 100).expect("a signal").body("signal", r#""socketId":"s""#);
        assert!(body.lengths == "5,1" && body.bytes.ends_with(b"]}]123456"), "{body:?}");
        let refused = read(json, &data, 60).expect_err("it is too large");
        assert!(refused.message.contains("60 bytes"), "a refusal names the limit: {refused:?}");
    }

    #[test]
    fn a_signal_without_payload_with_stray_data_or_to_nobody_is_refused() {
        let data = [Bytes::from_static(b"1")];
        for (json, attachments) in [("{}", &[][..]), (r#"{"payload":1}"#, &data[..]), (r#"{"payload":1,"to":""}"#, &[])] {
            assert_eq!(read(json, attachments, 64).expect_err("it is refused").code, Code::INVALID_PAYLOAD, "{json}");
        }
    }
}
