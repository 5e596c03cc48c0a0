//! One scope on this node: its local members and the place in its order.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};

use bytes::Bytes;

use crate::engineio::{CloseReason, Session, VolatileKey};
use crate::ids::{ScopeId, StreamId};
use crate::protocol::frame::Frames;
use crate::protocol::packet::{Outgoing, Parser, encode};
use crate::redis::scripts::scope::Log;
use crate::socketio::Socket;

use super::LocalMember;
use super::message::{Audience, Envelope, Except, Message};
use super::sequence::{Sequence, Verdict};
use crate::sync::lock;

/// Messages that may wait for a member that is joining.
const MAX_HELD: usize = 1_024;
/// Messages that may wait while the log is read. More than these are read from the log in turn.
const MAX_WAITING: usize = 1_024;
/// Likewise, in bytes.
const MAX_WAITING_BYTES: usize = 4 << 20;

/// A message on its way to members: encoded at most once for each parser.
pub struct Delivery {
    message: Message,
    /// Of a logged message its id, of a volatile one the id before it.
    at: StreamId,
    logged: bool,
    key: Option<VolatileKey>,
    frames: [OnceLock<Frames>; 2],
}

impl Delivery {
    pub fn new(message: Message, at: StreamId, logged: bool) -> Arc<Self> {
        static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        let key = (!logged).then(|| HASHER.hash_one(message.key.as_deref().unwrap_or_default()));
        Arc::new(Self { message, at, logged, key, frames: Default::default() })
    }

    fn frames(&self, socket: &Socket) -> Frames {
        let slot = match socket.parser() {
            Parser::Text => &self.frames[0],
            Parser::Msgpack => &self.frames[1],
        };
        let event = Outgoing::Event { id: None, args: &self.message.args, offset: None };
        slot.get_or_init(|| encode(socket.parser(), socket.namespace().name(), &event)).clone()
    }

    fn is_for(&self, member: &LocalMember) -> bool {
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
                Except::MembersOf(sos) => !member.socket.is_in_sos(sos),
            }
    }

    /// Whether a member that joined at `position` still needs it.
    fn is_after(&self, position: StreamId) -> bool {
        if self.logged { self.at > position } else { self.at >= position }
    }
}

/// What a step of a scope leaves to be done once its lock is free.
#[derive(Default)]
pub struct Outcome {
    /// Sessions that were given something.
    pub dirty: Vec<Arc<Session>>,
    /// Control messages, in order.
    pub control: Vec<Bytes>,
    pub deliveries: u64,
    pub forks: u64,
    /// Something is missing: the log must be read.
    pub must_fill: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not subscribed yet, or no more.
    Detached,
    Live,
    /// The log is being read; what arrives waits.
    Filling,
    /// Taken out of the map; a joiner looks the scope up again.
    Gone,
}

struct Member {
    local: LocalMember,
    /// Set while it is joining: what came since.
    held: Option<Vec<Arc<Delivery>>>,
}

struct Inner {
    phase: Phase,
    /// Counts the attachments, so that a read of the log that began before the present one is recognised.
    generation: u64,
    sequence: Sequence,
    waiting: VecDeque<Envelope>,
    waiting_bytes: usize,
    /// How many of these were there before the present read of the log began.
    waited: usize,
    /// Something was thrown away, or a gap was reported, while the log was being read: read it once more.
    again: bool,
    members: Vec<Member>,
    by_sid: HashMap<Box<str>, usize>,
}

pub struct LocalScope {
    pub id: ScopeId,
    /// Held by whoever attaches or detaches.
    pub lifecycle: tokio::sync::Mutex<()>,
    inner: Mutex<Inner>,
}

/// See [`LocalScope::place`].
pub struct Place {
    pub generation: u64,
    /// Epoch, and the id up to which this node has delivered; `None` before the first read.
    pub cursor: Option<(Bytes, StreamId)>,
    /// Where to look for the way back if the cursor does not stand in the log any more.
    pub base: Option<StreamId>,
}

/// What [`LocalScope::register`] found.
pub enum Registered {
    Holding,
    MemberAlready,
    /// Look the scope up again.
    Gone,
}

impl LocalScope {
    pub fn new(id: ScopeId) -> Arc<Self> {
        let inner = Inner {
            phase: Phase::Detached,
            generation: 0,
            sequence: Sequence::default(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            waited: 0,
            again: false,
            members: Vec::new(),
            by_sid: HashMap::new(),
        };
        Arc::new(Self { id, lifecycle: tokio::sync::Mutex::new(()), inner: Mutex::new(inner) })
    }

    pub fn is_attached(&self) -> bool {
        matches!(lock(&self.inner).phase, Phase::Live | Phase::Filling)
    }

    pub fn is_empty(&self) -> bool {
        lock(&self.inner).members.is_empty()
    }

    /// Adds a socket that waits for its join to be written.
    pub fn register(&self, member: LocalMember) -> Registered {
        let mut inner = lock(&self.inner);
        if inner.phase == Phase::Gone {
            return Registered::Gone;
        }
        if inner.by_sid.contains_key(member.socket.id()) {
            return Registered::MemberAlready;
        }
        let at = inner.members.len();
        inner.by_sid.insert(member.socket.id().into(), at);
        inner.members.push(Member { local: member, held: Some(Vec::new()) });
        Registered::Holding
    }

    /// Delivers what was held and is newer than `position`; from now on the member is live.
    pub fn release(&self, sid: &str, position: StreamId) {
        let mut inner = lock(&self.inner);
        let Some(at) = inner.by_sid.get(sid).copied() else { return };
        let member = &mut inner.members[at];
        let Some(held) = member.held.take() else { return };
        let socket = &member.local.socket;
        let mut owes = false;
        for delivery in held.iter().filter(|delivery| delivery.is_after(position)) {
            owes |= socket.queue(delivery.frames(socket), delivery.key);
        }
        socket.enter(&self.id);
        if owes {
            socket.session().flush();
        }
    }

    /// Takes a member out; true if it was the last.
    pub fn remove(&self, sid: &str) -> bool {
        let mut inner = lock(&self.inner);
        let Some(at) = inner.by_sid.remove(sid) else { return false };
        let member = inner.members.swap_remove(at);
        if let Some(moved) = inner.members.get(at).map(|moved| Box::from(moved.local.socket.id())) {
            inner.by_sid.insert(moved, at);
        }
        member.local.socket.exit(&self.id);
        inner.members.is_empty()
    }

    /// Takes out a member that is still joining; true if nobody is left.
    pub fn cancel(&self, sid: &str) -> bool {
        let holding = {
            let inner = lock(&self.inner);
            inner.by_sid.get(sid).is_some_and(|at| inner.members[*at].held.is_some())
        };
        holding && self.remove(sid)
    }

    pub fn is_member(&self, sid: &str) -> bool {
        let inner = lock(&self.inner);
        inner.by_sid.get(sid).is_some_and(|at| inner.members[*at].held.is_none())
    }

    pub fn members(&self) -> Vec<LocalMember> {
        lock(&self.inner).members.iter().filter(|member| member.held.is_none()).map(|member| member.local.clone()).collect()
    }

    pub fn set_role(&self, sid: &str, role: &str) {
        let mut inner = lock(&self.inner);
        if let Some(at) = inner.by_sid.get(sid).copied() {
            inner.members[at].local.role = role.into();
        }
    }

    /// A message from the channel.
    pub fn receive(&self, envelope: Envelope, outcome: &mut Outcome) {
        let mut inner = lock(&self.inner);
        match inner.phase {
            Phase::Live => inner.step(envelope, outcome),
            Phase::Gone => {}
            Phase::Detached | Phase::Filling => inner.wait(envelope),
        }
    }

    /// Where a read of the log, which begins now, must begin.
    pub fn place(&self) -> Place {
        let mut inner = lock(&self.inner);
        inner.waited = inner.waiting.len();
        let epoch = inner.sequence.epoch();
        let cursor = (!epoch.is_empty()).then(|| (epoch.clone(), inner.sequence.cursor()));
        Place { generation: inner.generation, cursor, base: inner.sequence.base() }
    }

    /// A failover has taken back a part of what was delivered here; the next fill comes from `base` on.
    pub fn rewind(&self, generation: u64, base: StreamId) {
        let mut inner = lock(&self.inner);
        if inner.phase == Phase::Filling && inner.generation == generation {
            inner.sequence.rewind(base);
        }
    }

    /// The channel is subscribed; what arrives waits until the log was read.
    pub fn begin_attach(&self) {
        let mut inner = lock(&self.inner);
        inner.phase = Phase::Filling;
        inner.generation += 1;
    }

    /// A message may be missing; true when the caller must read the log, false if somebody does already.
    pub fn begin_fill(&self) -> bool {
        let mut inner = lock(&self.inner);
        match inner.phase {
            Phase::Live => {
                inner.phase = Phase::Filling;
                true
            }
            Phase::Filling => {
                inner.again = true;
                false
            }
            Phase::Detached | Phase::Gone => false,
        }
    }

    /// The log was read from the cursor: delivers what came, and then what has waited. True when nothing is missing any
    /// more; otherwise the log must be read once more.
    pub fn fill(&self, generation: u64, log: Log, outcome: &mut Outcome) -> bool {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        if inner.phase != Phase::Filling || inner.generation != generation {
            return true;
        }
        inner.settle_the_past(&log, outcome);
        if log.reset || inner.sequence.epoch().is_empty() {
            // With a reset comes the whole of a log that began anew, or nothing.
            let from = if log.entries.is_empty() { log.last } else { StreamId::default() };
            inner.sequence.reset(Bytes::copy_from_slice(log.epoch.as_bytes()), from);
        }
        for entry in log.entries {
            if entry.id > inner.sequence.cursor() {
                let known = inner.sequence.was_delivered(entry.id);
                inner.sequence.advance(entry.id);
                if !known {
                    inner.deliver(&entry.body, entry.id, true, outcome);
                }
            }
        }
        if log.more || std::mem::take(&mut inner.again) {
            return false;
        }
        inner.phase = Phase::Live;
        for envelope in inner.take_waiting() {
            // The first gap puts the scope back to filling, and the rest of what has waited waits on.
            if inner.phase == Phase::Live { inner.step(envelope, outcome) } else { inner.wait(envelope) }
        }
        let filled = inner.phase == Phase::Live;
        outcome.must_fill = false;
        filled
    }

    /// Nobody is left to hear it; `None` if somebody came, else whether the channel is subscribed. Who comes from now on
    /// attaches anew.
    pub fn begin_detach(&self) -> Option<bool> {
        let mut inner = lock(&self.inner);
        if !inner.members.is_empty() || inner.phase == Phase::Gone {
            return None;
        }
        let attached = inner.phase != Phase::Detached;
        inner.phase = Phase::Detached;
        inner.sequence = Sequence::default();
        inner.take_waiting();
        inner.again = false;
        Some(attached)
    }

    /// Nobody is here: whoever comes now makes the scope anew. False if somebody came.
    pub fn end_if_empty(&self) -> bool {
        let mut inner = lock(&self.inner);
        if inner.members.is_empty() {
            inner.phase = Phase::Gone;
        }
        inner.members.is_empty()
    }
}

impl Inner {
    fn wait(&mut self, envelope: Envelope) {
        if self.waiting.len() == MAX_WAITING || self.waiting_bytes > MAX_WAITING_BYTES {
            self.take_waiting();
            self.waited = 0;
            self.again = true;
        }
        self.waiting_bytes += envelope.body.len();
        self.waiting.push_back(envelope);
    }

    fn take_waiting(&mut self) -> VecDeque<Envelope> {
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    /// What has waited and belongs to a log that is gone. From the one that this node followed it is delivered, for nothing
    /// else tells of it any more; what was here before the read and is of another epoch than the log has nothing to wait for.
    fn settle_the_past(&mut self, log: &Log, outcome: &mut Outcome) {
        let waited = std::mem::take(&mut self.waited);
        for (at, envelope) in self.take_waiting().into_iter().enumerate() {
            let cursor = self.sequence.cursor();
            if envelope.epoch == log.epoch {
                self.wait(envelope);
            } else if log.reset && envelope.epoch == *self.sequence.epoch() {
                if let Some(id) = envelope.id.filter(|id| *id > cursor) {
                    self.sequence.advance(id);
                    self.deliver(&envelope.body, id, true, outcome);
                } else if envelope.id.is_none() && envelope.prev >= cursor {
                    self.deliver(&envelope.body, envelope.prev, false, outcome);
                }
            } else if at >= waited {
                self.wait(envelope);
            }
        }
    }

    fn step(&mut self, envelope: Envelope, outcome: &mut Outcome) {
        let verdict = self.sequence.judge(&envelope.epoch, envelope.prev, envelope.id);
        match verdict {
            Verdict::Drop => return,
            Verdict::Gap => {
                self.phase = Phase::Filling;
                self.wait(envelope);
                outcome.must_fill = true;
                return;
            }
            Verdict::Fork => outcome.forks += 1,
            Verdict::Deliver => {}
        }
        self.deliver(&envelope.body, envelope.id.unwrap_or(envelope.prev), envelope.id.is_some(), outcome);
    }

    fn deliver(&mut self, body: &Bytes, at: StreamId, logged: bool, outcome: &mut Outcome) {
        let Some(message) = Message::parse(body) else {
            tracing::error!("a message in a scope's log cannot be read");
            return;
        };
        if message.audience == Audience::Nodes {
            outcome.control.push(message.args.json);
            return;
        }
        let delivery = Delivery::new(message, at, logged);
        for member in &mut self.members {
            if !delivery.is_for(&member.local) {
                continue;
            }
            match &mut member.held {
                Some(held) if held.len() < MAX_HELD => held.push(delivery.clone()),
                // A join that takes this long has failed; the client comes back.
                Some(_) => {
                    let session = member.local.socket.session().clone();
                    tokio::spawn(async move { session.close(CloseReason::TryAgain) });
                }
                None => {
                    outcome.deliveries += 1;
                    let socket = &member.local.socket;
                    if socket.queue(delivery.frames(socket), delivery.key) {
                        outcome.dirty.push(socket.session().clone());
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ScopeKind;

    fn at(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    /// A message from node to node, which needs no member to be seen.
    fn envelope(epoch: &str, prev: u64, id: u64) -> Envelope {
        Envelope::parse(&Bytes::from(format!("{epoch} {prev}-0 {id}-0\n! - - -\n[\"{epoch}{id}\"]"))).expect("an envelope")
    }

    fn log(epoch: &str, last: u64, reset: bool) -> Log {
        Log { epoch: epoch.into(), last: at(last), trimmed: at(0), reset, entries: Vec::new(), more: false }
    }

    fn scope() -> Arc<LocalScope> {
        let scope = LocalScope::new(ScopeId { kind: ScopeKind::Sos, id: "s".into() });
        scope.begin_attach();
        assert!(scope.fill(scope.place().generation, log("A", 10, false), &mut Outcome::default()));
        scope
    }

    #[test]
    fn what_came_of_a_log_that_is_gone_is_delivered_before_the_new_one() {
        let (scope, mut outcome) = (scope(), Outcome::default());
        assert!(scope.begin_fill());
        scope.receive(envelope("A", 10, 11), &mut outcome);
        scope.receive(envelope("B", 0, 1), &mut outcome);
        assert!(scope.fill(scope.place().generation, log("B", 0, true), &mut outcome));
        assert_eq!(outcome.control, [&br#"["A11"]"#[..], br#"["B1"]"#]);
    }

    #[test]
    fn a_straggler_of_a_log_that_is_gone_does_not_keep_the_scope_reading() {
        let (scope, mut outcome) = (scope(), Outcome::default());
        scope.begin_fill();
        assert!(scope.fill(scope.place().generation, log("B", 5, true), &mut outcome));
        scope.receive(envelope("A", 10, 11), &mut outcome);
        assert!(outcome.must_fill);
        assert!(scope.fill(scope.place().generation, log("B", 5, false), &mut outcome));
        scope.receive(envelope("B", 5, 6), &mut outcome);
        assert_eq!(outcome.control, [&br#"["B6"]"#[..]]);
    }

    #[test]
    fn a_message_of_a_newer_log_than_the_one_read_waits_for_its_own() {
        let (scope, mut outcome) = (scope(), Outcome::default());
        scope.begin_fill();
        let place = scope.place();
        scope.receive(envelope("C", 0, 1), &mut outcome);
        assert!(!scope.fill(place.generation, log("B", 5, true), &mut outcome));
        assert!(scope.fill(scope.place().generation, log("C", 0, true), &mut outcome));
        assert_eq!(outcome.control, [&br#"["C1"]"#[..]]);
    }
}
