//! The delivery of one message to the members of a scope: who gets it, and its encoding for each of them.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, OnceLock};

use crate::core::{Offset, Position, ScopeId, StreamId};
use crate::engineio::VolatileKey;
use crate::protocol::frame::Frames;
use crate::protocol::packet::{Outgoing, Parser, encode};
use crate::socketio::Socket;

use super::LocalMember;
use super::message::{Audience, Except, Message};

/// A message for the members of a scope, encoded at most once for each namespace and parser, with and without its offset.
pub struct Delivery {
    message: Message,
    /// The id of a logged message; for a volatile one the id of the logged message before it.
    at: StreamId,
    logged: bool,
    epoch: Arc<str>,
    key: Option<VolatileKey>,
    offset: OnceLock<Arc<str>>,
    encoded: OnceLock<Encoded>,
}

/// The frames for one namespace, then in `next` those for the others. The members of a scope are nearly always in one namespace,
/// whose frames need no allocation of their own here.
struct Encoded {
    namespace: &'static str,
    /// By parser, without and with an offset.
    frames: [OnceLock<Frames>; 4],
    next: OnceLock<Box<Encoded>>,
}

impl Encoded {
    fn new(namespace: &'static str) -> Self {
        Self { namespace, frames: Default::default(), next: OnceLock::new() }
    }
}

impl Delivery {
    pub fn new(message: Message, epoch: &Arc<str>, at: StreamId, logged: bool) -> Arc<Self> {
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let key = (!logged).then(|| HASHER.hash_one(message.key.as_deref().unwrap_or_default()));
        Arc::new(Self { message, at, logged, epoch: epoch.clone(), key, offset: OnceLock::new(), encoded: OnceLock::new() })
    }

    /// Queues it to a socket, live or as part of a replay; true when the caller must flush the session.
    pub fn queue(&self, scope: &ScopeId, socket: &Socket, missed: bool) -> bool {
        socket.observe_sent(&self.message.args);
        if !self.logged || !socket.recovery_enabled() {
            return socket.queue(self.frames(socket, None), self.key);
        }
        let offset = self.offset.get_or_init(|| Offset::of(scope, &self.epoch, self.at).into());
        let frames = self.frames(socket, Some(offset));
        if missed {
            socket.queue_missed(frames, scope, self.at, offset)
        } else {
            socket.queue_logged(frames, scope, self.at, offset)
        }
    }

    fn frames(&self, socket: &Socket, offset: Option<&str>) -> Frames {
        let parser = match socket.parser() {
            Parser::Text => 0,
            Parser::Msgpack => 1,
        };
        let namespace = socket.namespace().name();
        let slot = &self.encoded_for(namespace).frames[2 * parser + usize::from(offset.is_some())];
        let event = Outgoing::Event { id: None, args: &self.message.args, offset };
        slot.get_or_init(|| encode(socket.parser(), namespace, &event)).clone()
    }

    fn encoded_for(&self, namespace: &'static str) -> &Encoded {
        let mut encoded = self.encoded.get_or_init(|| Encoded::new(namespace));
        while encoded.namespace != namespace {
            encoded = encoded.next.get_or_init(|| Box::new(Encoded::new(namespace)));
        }
        encoded
    }

    pub fn id(&self) -> StreamId {
        self.at
    }

    /// Whether a member of `scope` gets it.
    pub fn is_for(&self, scope: &ScopeId, member: &LocalMember) -> bool {
        let included = match &self.message.audience {
            Audience::All => true,
            Audience::Roles(roles) => roles.iter().any(|role| **role == *member.role),
            Audience::User(user) => **user == *member.user,
            Audience::Socket(sid) => **sid == *member.socket.id(),
            Audience::Nodes => false,
        };
        included
            && match &self.message.except {
                Except::Nobody => true,
                Except::Socket(sid) => **sid != *member.socket.id(),
                Except::MembersOf(other) => !member.socket.is_in(other),
                Except::MembersOfAny(id) => !member.socket.is_in_other(scope, id),
            }
    }

    /// Whether it comes after `position`, at which a member has joined. In another log everything does.
    pub fn is_after(&self, position: &Position) -> bool {
        let beyond = if self.logged { self.at > position.id } else { self.at >= position.id };
        beyond || *self.epoch != *position.epoch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn at(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    #[test]
    fn a_member_needs_nothing_that_is_older_than_its_join() {
        let joined = Position { epoch: "A".into(), id: at(10) };
        let message = || Message::parse(&Bytes::from_static(b"* - - -\n[\"x\"]")).expect("a message");
        for (what, epoch, ms, logged, needed) in [
            ("read by a fill that began before the join", "A", 9, true, false),
            ("the last one before the join", "A", 10, true, false),
            ("the first one after it", "A", 11, true, true),
            ("volatile, from before the join", "A", 9, false, false),
            ("volatile, right after it", "A", 10, false, true),
            ("of a log that began anew", "B", 1, true, true),
        ] {
            let delivery = Delivery::new(message(), &Arc::from(epoch), at(ms), logged);
            assert_eq!(delivery.is_after(&joined), needed, "{what}");
        }
    }
}
