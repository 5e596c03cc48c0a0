//! What recovery must know of one socket: its rooms, each with a position up to which the client has certainly received
//! everything, and what was queued since the last answered `ping`.
//!
//! For a client without recovery only the rooms are kept.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use super::sent::{SentDirect, SentEntry, SentLog};
use crate::core::{Offset, Position, ScopeId, StreamId};
use crate::protocol::event::Args;

/// How many entries and bytes are kept; the oldest are dropped first.
const MAX_ENTRIES: usize = 512;
const MAX_BYTES: usize = 64 * 1024;
/// The cost of an entry beside its payload.
const ENTRY_BYTES: usize = 96;

struct Room {
    scope: ScopeId,
    /// The client has had everything up to here.
    confirmed: Position,
    /// It will have had everything up to here when it answers the present `ping`.
    marked: StreamId,
    /// If it is not that of `confirmed`.
    marked_epoch: Option<Arc<str>>,
}

#[derive(Default)]
pub struct UnackedLog {
    rooms: SmallVec<[Room; 1]>,
    /// Of the last event with an offset: without its `+n`, and n.
    last: Option<Arc<str>>,
    directs: u32,
    sent: Option<Box<Sent>>,
    /// See [`Socket::freeze`](super::Socket::freeze).
    pub frozen: bool,
}

#[derive(Default)]
struct Sent {
    entries: VecDeque<Entry>,
    bytes: usize,
    /// So many of the entries have no offset.
    loose: usize,
    /// So many of the entries were queued before the present `ping`.
    marked: usize,
    /// The offset after which this connection got what it had missed, and how many packets were queued before that; until a
    /// `ping` is answered.
    replayed: Option<(Box<str>, u64)>,
    /// The newest direct emit that was dropped for lack of room, by its offset (empty: it had none): before the present `ping`,
    /// and since.
    dropped_before: Option<Box<str>>,
    dropped: Option<Box<str>>,
}

enum Entry {
    /// Logged events of one scope, one after another: only the ends count.
    Run { scope: ScopeId, first: StreamId, last: StreamId },
    Direct {
        /// `None`: in no scope, and without an offset.
        base: Option<Arc<str>>,
        n: u32,
        args: Args,
    },
}

impl Entry {
    fn bytes(&self) -> usize {
        ENTRY_BYTES
            + match self {
                Self::Run { .. } => 0,
                Self::Direct { args, .. } => args.size(),
            }
    }

    fn has_no_offset(&self) -> bool {
        matches!(self, Self::Direct { base: None, .. })
    }

    /// Of a direct emit, empty if it has none.
    fn offset(&self) -> Option<Box<str>> {
        match self {
            Self::Run { .. } => None,
            Self::Direct { base: None, .. } => Some("".into()),
            Self::Direct { base: Some(base), n, .. } => Some(format!("{base}+{n}").into()),
        }
    }
}

impl UnackedLog {
    pub fn scopes(&self) -> SmallVec<[ScopeId; 1]> {
        self.rooms.iter().map(|room| room.scope.clone()).collect()
    }

    pub fn is_in(&self, scope: &ScopeId) -> bool {
        self.rooms.iter().any(|room| room.scope == *scope)
    }

    pub fn is_in_other(&self, scope: &ScopeId, id: &str) -> bool {
        self.rooms.iter().any(|room| *room.scope.id == *id && room.scope != *scope)
    }

    /// A membership begins at a position. One in the same log keeps its position.
    pub fn enter(&mut self, scope: &ScopeId, at: Position) {
        match self.rooms.iter_mut().find(|room| room.scope == *scope) {
            Some(room) if room.confirmed.epoch == at.epoch => {}
            Some(room) => {
                room.confirmed = at;
                room.marked = StreamId::default();
                room.marked_epoch = None;
            }
            None => {
                self.rooms.push(Room { scope: scope.clone(), confirmed: at, marked: StreamId::default(), marked_epoch: None });
            }
        }
    }

    pub fn exit(&mut self, scope: &ScopeId) {
        self.rooms.retain(|room| room.scope != *scope);
    }

    /// A logged event is about to be queued.
    pub fn logged(&mut self, scope: &ScopeId, id: StreamId, offset: &Arc<str>) {
        self.last = Some(offset.clone());
        self.directs = 0;
        // In one room the offsets give the order, unless an emit without one came between them.
        if self.rooms.len() < 2 && self.sent.as_ref().is_none_or(|sent| sent.loose == 0) {
            return;
        }
        let sent = self.sent.get_or_insert_default();
        if sent.entries.len() > sent.marked
            && let Some(Entry::Run { scope: same, last, .. }) = sent.entries.back_mut()
            && *same == *scope
        {
            *last = id;
        } else {
            sent.push(Entry::Run { scope: scope.clone(), first: id, last: id });
        }
    }

    /// A direct emit is about to be queued. Returns its offset; without a scope it has none. It is kept in any case.
    pub fn direct(&mut self, args: &Args) -> Option<String> {
        let Some(newest) = self.rooms.last() else {
            self.sent.get_or_insert_default().push(Entry::Direct { base: None, n: 0, args: args.clone() });
            return None;
        };
        let base =
            self.last.get_or_insert_with(|| Offset::of(&newest.scope, &newest.confirmed.epoch, newest.confirmed.id).into());
        self.directs += 1;
        let offset = format!("{base}+{}", self.directs);
        let entry = Entry::Direct { base: Some(base.clone()), n: self.directs, args: args.clone() };
        self.sent.get_or_insert_default().push(entry);
        Some(offset)
    }

    /// An earlier direct emit is queued again, under its own offset.
    pub fn direct_again(&mut self, direct: &SentDirect) {
        let base = direct.offset.as_ref().map(|offset| {
            let base = base_of(offset);
            self.last.take().filter(|last| **last == *base).unwrap_or_else(|| base.into())
        });
        let n = direct.offset.as_ref().map_or(0, |offset| offset.direct);
        if base.is_some() {
            self.last.clone_from(&base);
            self.directs = n;
        }
        self.sent.get_or_insert_default().push(Entry::Direct { base, n, args: direct.args.clone() });
    }

    /// The connection continues after the last event that its client has had.
    pub fn recovered_from(&mut self, offset: Option<&Offset>) {
        let Some(offset) = offset else { return };
        self.last = Some(base_of(offset).into());
        self.directs = offset.direct;
    }

    /// What the client had missed after this offset is queued, behind so many packets.
    pub fn replayed(&mut self, after: &Offset, queued_before: u64) {
        self.sent.get_or_insert_default().replayed = Some((after.to_string().into(), queued_before));
    }

    /// The offset after which the client was sent what it had missed, if its transport, which has taken so many packets, has
    /// taken something of that, and no `ping` was answered since.
    pub fn unproven(&self, taken: u64) -> Option<Box<str>> {
        let (after, queued_before) = self.sent.as_ref()?.replayed.as_ref()?;
        (taken > *queued_before).then(|| after.clone())
    }

    /// A `ping` is about to be queued, after everything up to these places.
    pub fn mark(&mut self, places: impl IntoIterator<Item = (ScopeId, Position)>) {
        for (scope, place) in places {
            if let Some(room) = self.rooms.iter_mut().find(|room| room.scope == scope) {
                room.marked = place.id;
                room.marked_epoch = (place.epoch != room.confirmed.epoch).then_some(place.epoch);
            }
        }
        if let Some(sent) = &mut self.sent {
            sent.marked = sent.entries.len();
            sent.dropped_before = sent.dropped.take().or(sent.dropped_before.take());
        }
    }

    /// The client has answered the `ping`.
    pub fn answered(&mut self) {
        for room in &mut self.rooms {
            if let Some(epoch) = room.marked_epoch.take() {
                room.confirmed = Position { epoch, id: room.marked };
            } else if room.marked > room.confirmed.id {
                room.confirmed.id = room.marked;
            }
        }
        if let Some(sent) = &mut self.sent {
            sent.replayed = None;
            sent.dropped_before = None;
            for _ in 0..std::mem::take(&mut sent.marked) {
                sent.pop();
            }
            if sent.entries.is_empty() && sent.dropped.is_none() {
                self.sent = None;
            }
        }
    }

    /// Each room with its confirmed place.
    pub fn confirmed(&self) -> Vec<(ScopeId, Position)> {
        self.rooms.iter().map(|room| (room.scope.clone(), room.confirmed.clone())).collect()
    }

    /// What was queued since the last answered `ping` and is kept.
    pub fn sent(&self) -> SentLog {
        let entries = self.sent.iter().flat_map(|sent| &sent.entries).map(|entry| match entry {
            Entry::Run { scope, first, last } => SentEntry::Run { scope: scope.clone(), first: *first, last: *last },
            Entry::Direct { base, n, args } => {
                SentEntry::Direct(SentDirect { offset: base.as_deref().and_then(|base| direct_of(base, *n)), args: args.clone() })
            }
        });
        let dropped = self.sent.as_ref().and_then(|sent| sent.dropped.as_ref().or(sent.dropped_before.as_ref()));
        SentLog {
            last: self.last.as_deref().and_then(|last| direct_of(last, self.directs)),
            entries: entries.collect(),
            dropped: dropped.map(|offset| offset.to_string()),
        }
    }

    /// Takes over what another node has queued.
    pub fn adopt(&mut self, log: &SentLog) {
        for entry in &log.entries {
            match entry {
                SentEntry::Direct(direct) => self.direct_again(direct),
                SentEntry::Run { scope, first, last } => {
                    let run = Entry::Run { scope: scope.clone(), first: *first, last: *last };
                    self.sent.get_or_insert_default().push(run);
                }
            }
        }
        if let Some(dropped) = &log.dropped {
            self.sent.get_or_insert_default().dropped.get_or_insert_with(|| dropped.as_str().into());
        }
        if let Some(last) = &log.last {
            self.last = Some(base_of(last).into());
            self.directs = last.direct;
        }
    }
}

/// The logged event before an offset.
fn base_of(offset: &Offset) -> String {
    Offset::of(&offset.scope, &offset.position.epoch, offset.position.id)
}

/// The offset of the nth direct emit after a logged event.
fn direct_of(base: &str, n: u32) -> Option<Offset> {
    Some(Offset { direct: n, ..base.parse().ok()? })
}

impl Sent {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.loose += usize::from(entry.has_no_offset());
        self.entries.push_back(entry);
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            let dropped = self.pop().and_then(|entry| entry.offset());
            let before = if self.marked > 0 { &mut self.dropped_before } else { &mut self.dropped };
            *before = dropped.or(before.take());
            self.marked = self.marked.saturating_sub(1);
        }
    }

    fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.bytes();
        self.loose -= usize::from(entry.has_no_offset());
        Some(entry)
    }
}

#[cfg(test)]
#[path = "tests/unacked_log.rs"]
mod tests;
