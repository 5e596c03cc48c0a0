//! One scope on this node: its local members and its position in the order.

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
use super::outcome::{Outcome, Passed};
use super::sequence::{Sequence, Verdict};
use crate::core::sync::lock;
use crate::telemetry::once_a_minute;

use members::Members;
use waiting::{Late, Waiting};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not subscribed.
    Detached,
    Live,
    /// The log is being read; messages from the channel wait.
    Filling,
    /// Removed from the map; a join has to look the scope up again.
    Gone,
}

struct Inner {
    phase: Phase,
    /// Counts the attachments, so that the result of an older read of the log is recognised.
    generation: u64,
    sequence: Sequence,
    waiting: Waiting,
    /// Messages were dropped, or a gap was reported, while the log was being read: it must be read once more.
    again: bool,
    members: Members,
}

pub struct LocalScope {
    pub id: ScopeId,
    /// Locked while the scope is attached or detached.
    pub lifecycle: tokio::sync::Mutex<()>,
    inner: Mutex<Inner>,
}

/// See [`LocalScope::begin_read`].
pub struct Reading {
    pub generation: u64,
    /// The position up to which this node has delivered; `None` before the first read.
    pub cursor: Option<Position>,
    /// Where to read from if the cursor is not in the log any more.
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

    /// Adds a socket whose join is being written. A recovered socket replaces the old one.
    pub fn register(&self, member: LocalMember) -> Registered {
        let mut inner = lock(&self.inner);
        if inner.phase == Phase::Gone {
            return Registered::Gone;
        }
        if inner.members.register(member) { Registered::Holding } else { Registered::MemberAlready }
    }

    /// Delivers the held messages after `position`, or all of them to a socket that was a member before. From now on the member
    /// gets messages at once.
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

    /// Removes a member. Returns the position up to which exactly everything has been queued to it, and whether it was the last.
    pub fn take(&self, socket: &Socket) -> Option<(Position, bool)> {
        let mut inner = lock(&self.inner);
        inner.members.get_mut(socket)?.go_on(&self.id);
        let member = inner.members.remove(socket)?;
        socket.exit(&self.id);
        let mut place = inner.place();
        // This node may not have received the join itself yet.
        if let Some(joined) = member.since
            && *joined.epoch == *place.epoch
        {
            place.id = place.id.max(joined.id);
        }
        Some((place, inner.members.is_empty()))
    }

    /// A join has failed: a member from before stays, a new one is removed. True if no member is left.
    pub fn cancel(&self, socket: &Socket) -> bool {
        let joining = {
            let mut inner = lock(&self.inner);
            let Some(member) = inner.members.get_mut(socket) else { return false };
            member.go_on(&self.id);
            member.since.is_none()
        };
        joining && self.remove(socket)
    }

    /// The position up to which everything has been queued to the members.
    pub fn place(&self) -> Option<Position> {
        lock(&self.inner).known_position()
    }

    /// The position up to which everything has been queued to this member; `None` while messages are held.
    pub fn place_at(&self, socket: &Socket) -> Option<Position> {
        let inner = lock(&self.inner);
        let holds = inner.members.get(socket).is_some_and(|member| member.held.is_some());
        if holds { None } else { inner.known_position() }
    }

    /// A position from a script. If it is in the present log, the epoch's string is shared.
    pub fn place_of(&self, place: &Position) -> Position {
        let mut inner = lock(&self.inner);
        inner.sequence.created(&place.epoch);
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
            Phase::Live => inner.step(&self.id, Late { envelope, before_read: false }, outcome),
            Phase::Gone => {}
            Phase::Detached | Phase::Filling => inner.wait(Late { envelope, before_read: false }),
        }
    }

    /// Begins a read of the log; returns where it starts.
    pub fn begin_read(&self) -> Reading {
        let mut inner = lock(&self.inner);
        inner.waiting.mark();
        let cursor = (!inner.sequence.epoch().is_empty()).then(|| inner.place());
        Reading { generation: inner.generation, cursor, base: inner.sequence.base() }
    }

    /// A failover has lost a part of what was delivered here; the next fill starts at `base`.
    pub fn rewind(&self, generation: u64, base: StreamId) {
        let mut inner = lock(&self.inner);
        if inner.phase == Phase::Filling && inner.generation == generation {
            inner.sequence.rewind(base);
        }
    }

    /// The channel is subscribed; messages wait until the log is read.
    pub fn begin_attach(&self) {
        let mut inner = lock(&self.inner);
        inner.phase = Phase::Filling;
        inner.generation += 1;
    }

    /// A message may be missing; true when the caller must read the log, false if it is being read already.
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

    /// The log was read from the cursor: delivers its entries, then the messages that have waited. True when nothing is missing
    /// any more; otherwise the log must be read once more. `is_settled`: it was read to its end, where it is written. A message
    /// that came before this, that is not in it and that does not follow it, was taken back by a failover and is dropped.
    pub fn fill(&self, generation: u64, log: Log, is_settled: bool, outcome: &mut Outcome) -> bool {
        let mut inner = lock(&self.inner);
        let inner = &mut *inner;
        if inner.phase != Phase::Filling || inner.generation != generation {
            return true;
        }
        inner.deliver_waiting_of_former_log(&self.id, &log, outcome);
        if log.epoch.is_empty() {
            inner.sequence.await_creation();
        } else if log.reset || inner.sequence.epoch().is_empty() {
            // A reset comes with the whole new log, or with nothing.
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
        for late in inner.waiting.take() {
            let late = Late { before_read: late.before_read && is_settled, ..late };
            // At a gap the scope is filling again, and the remaining messages wait on.
            if inner.phase == Phase::Live { inner.step(&self.id, late, outcome) } else { inner.wait(late) }
        }
        let filled = inner.phase == Phase::Live;
        outcome.must_fill = false;
        filled
    }

    /// No member is left. `None` if one has joined meanwhile; otherwise whether the channel is subscribed. A later join
    /// attaches the scope again.
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

    /// Ends the scope if it has no member; false if one has joined.
    pub fn end_if_empty(&self) -> bool {
        let mut inner = lock(&self.inner);
        if inner.members.is_empty() {
            inner.phase = Phase::Gone;
        }
        inner.members.is_empty()
    }
}

impl Inner {
    fn wait(&mut self, late: Late) {
        self.again |= self.waiting.push(late);
    }

    /// The waiting messages of a log that is gone. Those of the log that this node followed are delivered, since no log has
    /// them any more; those of another epoch that came before the read are dropped.
    fn deliver_waiting_of_former_log(&mut self, scope: &ScopeId, log: &Log, outcome: &mut Outcome) {
        for late in self.waiting.take() {
            let (cursor, envelope) = (self.sequence.cursor(), &late.envelope);
            if envelope.epoch == log.epoch.as_bytes() {
                self.wait(late);
            } else if log.reset && envelope.epoch == self.sequence.epoch().as_bytes() {
                if let Some(id) = envelope.id.filter(|id| *id > cursor) {
                    self.sequence.advance(id);
                    self.deliver(scope, &envelope.body, id, true, outcome);
                } else if envelope.id.is_none() && envelope.prev >= cursor {
                    self.deliver(scope, &envelope.body, envelope.prev, false, outcome);
                }
            } else if !late.before_read {
                self.wait(late);
            }
        }
    }

    fn step(&mut self, scope: &ScopeId, late: Late, outcome: &mut Outcome) {
        let envelope = &late.envelope;
        match self.sequence.judge(&envelope.epoch, envelope.prev, envelope.id) {
            Verdict::Drop => {}
            Verdict::Gap if late.before_read => {
                tracing::debug!(%scope, prev = ?envelope.prev, id = ?envelope.id, "a message that a failover has taken back");
            }
            Verdict::Gap => {
                self.phase = Phase::Filling;
                self.wait(late);
                outcome.must_fill = true;
            }
            Verdict::Deliver => {
                self.deliver(scope, &envelope.body, envelope.id.unwrap_or(envelope.prev), envelope.id.is_some(), outcome);
            }
        }
    }

    fn deliver(&mut self, scope: &ScopeId, body: &Bytes, at: StreamId, logged: bool, outcome: &mut Outcome) {
        let Some(message) = Message::parse(body) else {
            once_a_minute!(error, "a message in a scope's log cannot be read");
            return;
        };
        if message.audience == Audience::Nodes {
            outcome.passed.push(Passed::Control(message.args.json));
            return;
        }
        if logged {
            outcome.passed.push(Passed::Event(message.args.json.clone()));
        }
        let delivery = Delivery::new(message, self.sequence.epoch(), at, logged);
        self.members.deliver(scope, &delivery, outcome);
    }

    fn known_position(&self) -> Option<Position> {
        (!self.sequence.epoch().is_empty() && !self.sequence.awaits_creation()).then(|| self.place())
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
