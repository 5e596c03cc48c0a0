//! One scope on this node: its local members and the place in its order.

mod members;
mod waiting;

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use crate::cluster::scripts::scope::Log;
use crate::core::{Position, ScopeId, StreamId};
use crate::socketio::Socket;

use super::LocalMember;
use super::delivery::Delivery;
use super::message::{Audience, Envelope, Message};
use super::outcome::Outcome;
use super::sequence::{Sequence, Verdict};
use crate::core::sync::lock;

use members::Members;
use waiting::Waiting;

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

struct Inner {
    phase: Phase,
    /// Counts the attachments, so that a read of the log that began before the present one is recognised.
    generation: u64,
    sequence: Sequence,
    waiting: Waiting,
    /// Something was thrown away, or a gap was reported, while the log was being read: read it once more.
    again: bool,
    members: Members,
}

pub struct LocalScope {
    pub id: ScopeId,
    /// Held while the scope is attached or detached.
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
            waiting: Waiting::default(),
            again: false,
            members: Members::default(),
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
        if inner.members.register(member) { Registered::Holding } else { Registered::MemberAlready }
    }

    /// Delivers what was held and is newer than `position`, or all of it to one that was a member before; from now on the member
    /// is live.
    pub fn release(&self, socket: &Socket, position: &Position) {
        let mut inner = lock(&self.inner);
        let position = inner.place_of(position);
        let Some(member) = inner.members.get_mut(socket) else { return };
        member.since.get_or_insert(position);
        member.go_on(&self.id);
    }

    /// Takes a member out; true if it was the last.
    pub fn remove(&self, socket: &Socket) -> bool {
        self.take(socket).is_some_and(|(_, is_empty)| is_empty)
    }

    /// Takes a member out, at a place: everything up to there has been queued to it, and nothing beyond. And whether it was
    /// the last.
    pub fn take(&self, socket: &Socket) -> Option<(Position, bool)> {
        let mut inner = lock(&self.inner);
        inner.members.get_mut(socket)?.go_on(&self.id);
        let member = inner.members.remove(socket)?;
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
            let Some(member) = inner.members.get_mut(socket) else { return false };
            member.go_on(&self.id);
            member.since.is_none()
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
        let holds = inner.members.get(socket).is_some_and(|member| member.held.is_some());
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
        lock(&self.inner).members.get(socket).map(|member| member.local.clone())
    }

    pub fn is_member(&self, sid: &str) -> bool {
        lock(&self.inner).members.by_sid(sid).is_some_and(|member| member.since.is_some())
    }

    pub fn members(&self) -> Vec<LocalMember> {
        lock(&self.inner).members.iter().filter(|member| member.since.is_some()).map(|member| member.local.clone()).collect()
    }

    pub fn set_role(&self, sid: &str, role: &str) {
        if let Some(member) = lock(&self.inner).members.by_sid_mut(sid) {
            member.local.role = role.into();
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
        inner.waiting.mark();
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
        for envelope in inner.waiting.take() {
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
        inner.waiting.take();
        inner.again = false;
        Some(attached)
    }

    /// Nobody is here: the next that comes makes the scope anew. False if somebody came.
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
        self.again |= self.waiting.push(envelope);
    }

    /// What has waited and belongs to a log that is gone. From the one that this node followed it is delivered, for nothing
    /// else tells of it any more; what was here before the read and is of another epoch than the log has nothing to wait for.
    fn settle_the_past(&mut self, scope: &ScopeId, log: &Log, outcome: &mut Outcome) {
        let marked = self.waiting.marked();
        for (at, envelope) in self.waiting.take().into_iter().enumerate() {
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
            } else if at >= marked {
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
        self.members.deliver(scope, &delivery, outcome);
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
}

#[cfg(test)]
#[path = "tests/scope.rs"]
mod tests;
