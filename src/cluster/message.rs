//! The messages on a scope's channel and in its log.
//!
//! ```text
//! <epoch> <prev> <id>\n      the envelope; `~` in place of the id of a volatile message
//! <audience> <except> <key> <lens>\n<json args array><attachments…>      the body, as it stands in the log
//! ```

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use crate::core::{ScopeId, StreamId};
use crate::protocol::event::Args;

/// Which members of a scope get a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    All,
    Roles(SmallVec<[Box<str>; 2]>),
    User(Box<str>),
    Socket(Box<str>),
    /// The nodes, no socket: a control message.
    Nodes,
}

/// Which of them do not get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Except {
    Nobody,
    Socket(Box<str>),
    /// Sockets that are members of that scope too, and get a copy there: `@<kind>:<id>`.
    MembersOf(ScopeId),
    /// Sockets that are members of another scope with this id, of any kind: `@<id>`, the form of earlier releases.
    MembersOfAny(Box<str>),
}

/// One event for a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub audience: Audience,
    pub except: Except,
    /// For a volatile message: it replaces an earlier one with the same key.
    pub key: Option<Box<str>>,
    pub args: Args,
}

/// A message with its place in the scope's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub epoch: Bytes,
    /// The logged message before this one.
    pub prev: StreamId,
    /// `None`: volatile.
    pub id: Option<StreamId>,
    pub body: Bytes,
}

impl Envelope {
    /// `None` if no node of the cluster could have published this.
    pub fn parse(payload: &Bytes) -> Option<Self> {
        let (head, body) = split_line(payload)?;
        let mut words = std::str::from_utf8(&head).ok()?.split(' ');
        let epoch = head.slice_ref(words.next()?.as_bytes());
        let prev = words.next()?.parse().ok()?;
        let id = match words.next()? {
            "~" => None,
            id => Some(id.parse().ok()?),
        };
        words.next().is_none().then_some(Self { epoch, prev, id, body })
    }
}

impl Message {
    /// Reads a body.
    pub fn parse(body: &Bytes) -> Option<Self> {
        let (head, rest) = split_line(body)?;
        let mut words = std::str::from_utf8(&head).ok()?.split(' ');
        let audience = match words.next()?.split_once(':').ok_or(()) {
            Err(()) if head.starts_with(b"*") => Audience::All,
            Err(()) if head.starts_with(b"!") => Audience::Nodes,
            Ok(("r", roles)) => Audience::Roles(roles.split(',').map(Into::into).collect()),
            Ok(("u", user)) => Audience::User(decode(user)?),
            Ok(("s", sid)) => Audience::Socket(sid.into()),
            _ => return None,
        };
        let except = match words.next()? {
            "-" => Except::Nobody,
            word => match word.strip_prefix('@') {
                None => Except::Socket(word.into()),
                Some(scope) if scope.contains(':') => Except::MembersOf(scope.parse().ok()?),
                Some(id) => Except::MembersOfAny(id.into()),
            },
        };
        let key = words.next().filter(|key| *key != "-").map(Into::into);
        let lens: SmallVec<[usize; 4]> = match words.next()? {
            "-" => SmallVec::new(),
            lens => lens.split(',').map(|len| len.parse().ok()).collect::<Option<_>>()?,
        };
        let total = lens.iter().try_fold(0_usize, |sum, len| sum.checked_add(*len))?;
        let mut at = rest.len().checked_sub(total)?;
        let json = rest.slice(..at);
        let mut attachments = Vec::with_capacity(lens.len());
        for len in lens {
            attachments.push(rest.slice(at..at + len));
            at += len;
        }
        Some(Self { audience, except, key, args: Args { json, attachments } })
    }

    /// Writes a body.
    pub fn body(&self) -> Bytes {
        let mut head = String::with_capacity(64);
        match &self.audience {
            Audience::All => head.push('*'),
            Audience::Nodes => head.push('!'),
            Audience::Roles(roles) => {
                head.push_str("r:");
                head.push_str(&roles.join(","));
            }
            Audience::User(user) => {
                head.push_str("u:");
                head.push_str(&BASE64_URL_SAFE_NO_PAD.encode(&**user));
            }
            Audience::Socket(sid) => {
                head.push_str("s:");
                head.push_str(sid);
            }
        }
        head.push(' ');
        match &self.except {
            Except::Nobody => head.push('-'),
            Except::Socket(sid) => head.push_str(sid),
            Except::MembersOf(scope) => {
                head.push('@');
                head.push_str(scope.kind.as_str());
                head.push(':');
                head.push_str(&scope.id);
            }
            Except::MembersOfAny(id) => {
                head.push('@');
                head.push_str(id);
            }
        }
        head.push(' ');
        head.push_str(self.key.as_deref().unwrap_or("-"));
        head.push(' ');
        if self.args.attachments.is_empty() {
            head.push('-');
        } else {
            let lens: Vec<String> = self.args.attachments.iter().map(|data| data.len().to_string()).collect();
            head.push_str(&lens.join(","));
        }
        head.push('\n');
        let mut body = BytesMut::with_capacity(head.len() + self.args.size());
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&self.args.json);
        for data in &self.args.attachments {
            body.extend_from_slice(data);
        }
        body.freeze()
    }
}

fn split_line(bytes: &Bytes) -> Option<(Bytes, Bytes)> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((bytes.slice(..end), bytes.slice(end + 1..)))
}

fn decode(user: &str) -> Option<Box<str>> {
    String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(user).ok()?).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::smallvec;

    fn args() -> Args {
        Args {
            json: r#"["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#.into(),
            attachments: vec!["ab\n".into(), "".into()],
        }
    }

    #[test]
    fn a_body_is_read_as_it_was_written() {
        let audiences = [
            Audience::All,
            Audience::Roles(smallvec!["a".into(), "b".into()]),
            Audience::User("ü x".into()),
            Audience::Socket("s1".into()),
            Audience::Nodes,
        ];
        for audience in audiences {
            let other = Except::MembersOf("room:r.1".parse().unwrap());
            for except in [Except::Nobody, Except::Socket("s2".into()), other, Except::MembersOfAny("r.1".into())] {
                for args in [args(), Args::event("y", "{}")] {
                    let message = Message { audience: audience.clone(), except: except.clone(), key: Some("loc:1".into()), args };
                    assert_eq!(Message::parse(&message.body()), Some(message));
                }
            }
        }
    }

    #[test]
    fn an_envelope_tells_logged_from_volatile() {
        let logged = Envelope::parse(&"ep 1-0 2-3\n* - - -\n[]".into()).unwrap();
        assert_eq!(
            (&logged.epoch[..], logged.prev, logged.id),
            (&b"ep"[..], StreamId { ms: 1, seq: 0 }, Some(StreamId { ms: 2, seq: 3 }))
        );
        assert_eq!(&logged.body[..], b"* - - -\n[]");
        assert_eq!(Envelope::parse(&"ep 1-0 ~\nb".into()).unwrap().id, None);
    }

    #[test]
    fn what_no_node_would_publish_is_refused() {
        for payload in ["", "ep 1-0 2-0", "ep 1-0\nx", "ep x 1-0\nx", "ep 1-0 2-0 3-0\nx"] {
            assert_eq!(Envelope::parse(&Bytes::from(payload)), None, "{payload}");
        }
        for body in [
            "",
            "* - -",
            "* - - -",
            "? - - -\n[]",
            "u:!! - - -\n[]",
            "* - - 5\n[]",
            "* - - x\n[]",
            "* @Room:a - -\n[]",
            "* @room:.. - -\n[]",
            "* - - 18446744073709551615,2\n[]",
        ] {
            assert_eq!(Message::parse(&Bytes::from(body)), None, "{body}");
        }
    }
}
