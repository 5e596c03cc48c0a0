//! One scope on this node: its local members and the place in its order.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::cluster::scripts::scope::Log;
use crate::core::{Position, ScopeId, StreamId};
use crate::engineio::{CloseReason, Session};
use crate::socketio::Socket;

use super::LocalMember;
use super::delivery::Delivery;
use super::message::{Audience, Envelope, Message};
use super::sequence::{Sequence, Verdict};
use crate::core::sync::lock;

/// Messages that may wait for one member that is about to get a snapshot.
const MAX_HELD: usize = 4_096;
/// Messages that may wait while the log is read. More than these are read from the log in turn.
const MAX_WAITING: usize = 1_024;
/// Likewise, in bytes.
const MAX_WAITING_BYTES: usize = 4 << 20;

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
    /// A member from here on; `None`: it is joining. What was logged before may come all the same, from a channel or a log that
    /// is read later than the join was written.
    since: Option<Position>,
    /// It joins, perhaps once more: what came since, which is to follow on the snapshot that it is about to get.
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

/// See [`LocalScope::begin_read`].
pub struct Reading {
    pub generation: u64,
    /// Up to where this node has delivered; `None` before the first read.
    pub cursor: Option<Position>,
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

    /// Adds a socket that waits for its join to be written. One that its client has got back takes the place of the old one.
    pub fn register(&self, member: LocalMember) -> Registered {
        let mut inner = lock(&self.inner);
        if inner.phase == Phase::Gone {
            return Registered::Gone;
        }
        let joining = |local| Member { local, since: None, held: Some(Vec::new()) };
        match inner.by_sid.get(member.socket.id()).copied() {
            Some(at) if Arc::ptr_eq(&inner.members[at].local.socket, &member.socket) => {
                inner.members[at].held.get_or_insert_default();
                return Registered::MemberAlready;
            }
            Some(at) => inner.members[at] = joining(member),
            None => {
                let at = inner.members.len();
                inner.by_sid.insert(member.socket.id().into(), at);
                inner.members.push(joining(member));
            }
        }
        Registered::Holding
    }

    /// Delivers what was held and is newer than `position`, or all of it to one that was a member before; from now on the member
    /// is live.
    pub fn release(&self, socket: &Socket, position: &Position) {
        let mut inner = lock(&self.inner);
        let Some(at) = inner.find(socket) else { return };
        let position = inner.place_of(position);
        inner.members[at].since.get_or_insert(position);
        inner.members[at].go_on(&self.id);
    }

    /// Takes a member out; true if it was the last.
    pub fn remove(&self, socket: &Socket) -> bool {
        self.take(socket).is_some_and(|(_, is_empty)| is_empty)
    }

    /// Takes a member out, at a place: everything up to there has been queued to it, and nothing beyond. And whether it was
    /// the last.
    pub fn take(&self, socket: &Socket) -> Option<(Position, bool)> {
        let mut inner = lock(&self.inner);
        let at = inner.find(socket)?;
        inner.members[at].go_on(&self.id);
        inner.by_sid.remove(socket.id());
        let member = inner.members.swap_remove(at);
        if let Some(moved) = inner.members.get(at).map(|moved| Box::from(moved.local.socket.id())) {
            inner.by_sid.insert(moved, at);
        }
        socket.exit(&self.id);
        let mut place = inner.place();
        // This node may not have come as far as the join itself.
        if let Some(joined) = member.since
            && *joined.epoch == *place.epoch
        {
            place.id = place.id.max(joined.id);
        }
        Some((place, inner.members.is_empty()))
    }

    /// A join has failed: who was a member before goes on, who was not goes. True if nobody is left.
    pub fn cancel(&self, socket: &Socket) -> bool {
        let joining = {
            let mut inner = lock(&self.inner);
            let Some(at) = inner.find(socket) else { return false };
            inner.members[at].go_on(&self.id);
            inner.members[at].since.is_none()
        };
        joining && self.remove(socket)
    }

    /// Up to where everything has been queued to the members.
    pub fn place(&self) -> Option<Position> {
        lock(&self.inner).known_place()
    }

    /// Up to where everything has been queued to this member; `None` while something is held.
    pub fn place_at(&self, socket: &Socket) -> Option<Position> {
        let inner = lock(&self.inner);
        let holds = inner.find(socket).is_some_and(|at| inner.members[at].held.is_some());
        if holds { None } else { inner.known_place() }
    }

    /// A place that a script has told, which so exists; all who stand in the present log share its name.
    pub fn place_of(&self, place: &Position) -> Position {
        let mut inner = lock(&self.inner);
        inner.sequence.born(&place.epoch);
        inner.place_of(place)
    }

    /// A socket as the audiences see it.
    pub fn member(&self, socket: &Socket) -> Option<LocalMember> {
        let inner = lock(&self.inner);
        inner.find(socket).map(|at| inner.members[at].local.clone())
    }

    pub fn is_member(&self, sid: &str) -> bool {
        let inner = lock(&self.inner);
        inner.by_sid.get(sid).is_some_and(|at| inner.members[*at].since.is_some())
    }

    pub fn members(&self) -> Vec<LocalMember> {
        lock(&self.inner).members.iter().filter(|member| member.since.is_some()).map(|member| member.local.clone()).collect()
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
            Phase::Live => inner.step(&self.id, envelope, outcome),
            Phase::Gone => {}
            Phase::Detached | Phase::Filling => inner.wait(envelope),
        }
    }

    /// Where a read of the log, which begins now, must begin.
    pub fn begin_read(&self) -> Reading {
        let mut inner = lock(&self.inner);
        inner.waited = inner.waiting.len();
        let cursor = (!inner.sequence.epoch().is_empty()).then(|| inner.place());
        Reading { generation: inner.generation, cursor, base: inner.sequence.base() }
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
        inner.settle_the_past(&self.id, &log, outcome);
        if log.epoch.is_empty() {
            inner.sequence.await_birth();
        } else if log.reset || inner.sequence.epoch().is_empty() {
            // With a reset comes the whole of a log that began anew, or nothing.
            let from = if log.entries.is_empty() { log.last } else { StreamId::default() };
            inner.sequence.reset(log.epoch.clone(), from);
        }
        for entry in log.entries {
            if entry.id > inner.sequence.cursor() {
                let known = inner.sequence.was_delivered(entry.id);
                inner.sequence.advance(entry.id);
                if !known {
                    inner.deliver(&self.id, &entry.body, entry.id, true, outcome);
                }
            }
        }
        if log.more || std::mem::take(&mut inner.again) {
            return false;
        }
        inner.phase = Phase::Live;
        for envelope in inner.take_waiting() {
            // The first gap puts the scope back to filling, and the rest of what has waited waits on.
            if inner.phase == Phase::Live { inner.step(&self.id, envelope, outcome) } else { inner.wait(envelope) }
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

impl Member {
    /// Delivers what was held to a member.
    fn go_on(&mut self, scope: &ScopeId) {
        let Some(since) = &self.since else { return };
        let mut owes = false;
        for delivery in self.held.take().iter().flatten().filter(|held| held.is_after(since) && held.is_for(scope, &self.local)) {
            owes |= delivery.queue(scope, &self.local.socket, false);
        }
        if owes {
            self.local.socket.session().flush();
        }
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
    fn settle_the_past(&mut self, scope: &ScopeId, log: &Log, outcome: &mut Outcome) {
        let waited = std::mem::take(&mut self.waited);
        for (at, envelope) in self.take_waiting().into_iter().enumerate() {
            let cursor = self.sequence.cursor();
            if envelope.epoch == log.epoch.as_bytes() {
                self.wait(envelope);
            } else if log.reset && envelope.epoch == self.sequence.epoch().as_bytes() {
                if let Some(id) = envelope.id.filter(|id| *id > cursor) {
                    self.sequence.advance(id);
                    self.deliver(scope, &envelope.body, id, true, outcome);
                } else if envelope.id.is_none() && envelope.prev >= cursor {
                    self.deliver(scope, &envelope.body, envelope.prev, false, outcome);
                }
            } else if at >= waited {
                self.wait(envelope);
            }
        }
    }

    fn step(&mut self, scope: &ScopeId, envelope: Envelope, outcome: &mut Outcome) {
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
        self.deliver(scope, &envelope.body, envelope.id.unwrap_or(envelope.prev), envelope.id.is_some(), outcome);
    }

    fn deliver(&mut self, scope: &ScopeId, body: &Bytes, at: StreamId, logged: bool, outcome: &mut Outcome) {
        let Some(message) = Message::parse(body) else {
            tracing::error!("a message in a scope's log cannot be read");
            return;
        };
        if message.audience == Audience::Nodes {
            outcome.control.push(message.args.json);
            return;
        }
        let delivery = Delivery::new(message, self.sequence.epoch(), at, logged);
        for member in &mut self.members {
            if !delivery.is_for(scope, &member.local) {
                continue;
            }
            match &mut member.held {
                Some(held) if held.len() < MAX_HELD => held.push(delivery.clone()),
                // A join that takes this long has failed; the client comes back.
                Some(_) => {
                    let session = member.local.socket.session().clone();
                    tokio::spawn(async move { session.close(CloseReason::TryAgain) });
                }
                None if member.since.as_ref().is_some_and(|since| !delivery.is_after(since)) => {}
                None => {
                    outcome.deliveries += 1;
                    let socket = &member.local.socket;
                    if delivery.queue(scope, socket, false) {
                        outcome.dirty.push(socket.session().clone());
                    }
                }
            }
        }
    }

    fn known_place(&self) -> Option<Position> {
        (!self.sequence.epoch().is_empty() && !self.sequence.is_unborn()).then(|| self.place())
    }

    fn place(&self) -> Position {
        Position { epoch: self.sequence.epoch().clone(), id: self.sequence.cursor() }
    }

    fn place_of(&self, place: &Position) -> Position {
        let known = self.sequence.epoch();
        let epoch = if **known == *place.epoch { known } else { &place.epoch };
        Position { epoch: epoch.clone(), id: place.id }
    }

    fn find(&self, socket: &Socket) -> Option<usize> {
        let at = self.by_sid.get(socket.id()).copied()?;
        std::ptr::eq(&raw const *self.members[at].local.socket, socket).then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Kind;

    const ROOM: Kind = Kind::of("room");

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
        let scope = LocalScope::new(ScopeId { kind: ROOM, id: "s".into() });
        scope.begin_attach();
        assert!(scope.fill(scope.begin_read().generation, log("A", 10, false), &mut Outcome::default()));
        scope
    }

    #[test]
    fn what_came_of_a_log_that_is_gone_is_delivered_before_the_new_one() {
        let (scope, mut outcome) = (scope(), Outcome::default());
        assert!(scope.begin_fill());
        scope.receive(envelope("A", 10, 11), &mut outcome);
        scope.receive(envelope("B", 0, 1), &mut outcome);
        assert!(scope.fill(scope.begin_read().generation, log("B", 0, true), &mut outcome));
        assert_eq!(outcome.control, [&br#"["A11"]"#[..], br#"["B1"]"#]);
    }

    #[test]
    fn what_is_said_in_a_scope_that_begins_while_one_joins_is_delivered() {
        let (scope, mut outcome) = (LocalScope::new(ScopeId { kind: ROOM, id: "s".into() }), Outcome::default());
        scope.begin_attach();
        assert!(scope.fill(scope.begin_read().generation, log("", 0, false), &mut outcome));
        assert_eq!(scope.place(), None, "there is no log to stand in");
        scope.receive(envelope("A", 0, 1), &mut outcome);
        scope.receive(envelope("A", 1, 2), &mut outcome);
        assert_eq!(outcome.control, [&br#"["A1"]"#[..], br#"["A2"]"#]);
    }

    #[test]
    fn a_straggler_of_a_log_that_is_gone_does_not_keep_the_scope_reading() {
        let (scope, mut outcome) = (scope(), Outcome::default());
        scope.begin_fill();
        assert!(scope.fill(scope.begin_read().generation, log("B", 5, true), &mut outcome));
        scope.receive(envelope("A", 10, 11), &mut outcome);
        assert!(outcome.must_fill);
        assert!(scope.fill(scope.begin_read().generation, log("B", 5, false), &mut outcome));
        scope.receive(envelope("B", 5, 6), &mut outcome);
        assert_eq!(outcome.control, [&br#"["B6"]"#[..]]);
    }

    #[test]
    fn a_message_of_a_newer_log_than_the_one_read_waits_for_its_own() {
        let (scope, mut outcome) = (scope(), Outcome::default());
        scope.begin_fill();
        let place = scope.begin_read();
        scope.receive(envelope("C", 0, 1), &mut outcome);
        assert!(!scope.fill(place.generation, log("B", 5, true), &mut outcome));
        assert!(scope.fill(scope.begin_read().generation, log("C", 0, true), &mut outcome));
        assert_eq!(outcome.control, [&br#"["C1"]"#[..]]);
    }
}
