//! What one socket has been sent, as far as recovery must know: its rooms, each with a place up to which its client surely
//! has everything, and what was queued since its last answered `ping`.
//!
//! A socket whose client knows nothing of recovery has the rooms only.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use super::sent::{SentDirect, SentEntry, SentLog};
use crate::core::{Offset, Position, ScopeId, StreamId};
use crate::protocol::event::Args;

/// What is kept of the sent, entries and bytes; the oldest go first.
const MAX_ENTRIES: usize = 512;
const MAX_BYTES: usize = 64 * 1024;
/// What an entry costs beside its payload.
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
    /// Nothing is queued any more: the connection is somebody else's.
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
    /// The offset from which this connection was recovered, until a `ping` is answered.
    recovered_from: Option<Box<str>>,
    /// The newest direct emit that there was no room for, by its offset (empty: it had none): before the present `ping`, and
    /// since.
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

    /// A membership begins at a place. One that stands in the same log goes on from where it is.
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
        // In one room the offsets themselves tell the order, unless there is something without one between them.
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

    /// A direct emit is about to be queued; returns its offset, if it has one: not in no scope. It is kept in any case.
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

    /// A direct emit of the past is queued again, under its own offset.
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

    /// The connection goes on from what its client has had last.
    pub fn recovered_from(&mut self, offset: Option<&Offset>) {
        let Some(offset) = offset else { return };
        self.last = Some(base_of(offset).into());
        self.directs = offset.direct;
        self.sent.get_or_insert_default().recovered_from = Some(offset.to_string().into());
    }

    /// The offset after which the client got its replay, if it has not answered a `ping` since.
    pub fn unproven(&self) -> Option<Box<str>> {
        self.sent.as_ref()?.recovered_from.clone()
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
            sent.recovered_from = None;
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

    /// What was queued since the last answered `ping`, as far as it is kept.
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

    /// Goes on with what another node has queued.
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

/// The logged event that an offset follows on.
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
mod tests {
    use super::*;
    use crate::core::Kind;

    fn at(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    fn scope(id: &str) -> ScopeId {
        ScopeId { kind: Kind::of("sos"), id: id.into() }
    }

    fn place(ms: u64) -> Position {
        Position { epoch: "e".into(), id: at(ms) }
    }

    fn log(unacked: &mut UnackedLog, id: &str, ms: u64) {
        let offset = Offset::of(&scope(id), "e", at(ms)).into();
        unacked.logged(&scope(id), at(ms), &offset);
    }

    fn direct(unacked: &mut UnackedLog, name: &str) -> Option<String> {
        unacked.direct(&Args::event(name, "{}"))
    }

    fn after(unacked: &UnackedLog, had: &str) -> (Vec<(String, u64)>, Vec<String>) {
        let sent: SentLog = serde_json::from_str(&serde_json::to_string(&unacked.sent()).unwrap()).unwrap();
        let missed = sent.after(had.parse().ok().as_ref());
        assert!(!missed.incomplete);
        let starts = missed.starts.iter().map(|(scope, id)| (scope.id.to_string(), id.ms)).collect();
        (
            starts,
            missed.directs.iter().map(|direct| direct.offset.as_ref().map_or_else(|| name(direct), Offset::to_string)).collect(),
        )
    }

    fn name(direct: &SentDirect) -> String {
        let args: serde_json::Value = serde_json::from_slice(&direct.args.json).unwrap();
        args[0].as_str().unwrap().to_owned()
    }

    fn is_incomplete(unacked: &UnackedLog, had: &str) -> bool {
        unacked.sent().after(had.parse().ok().as_ref()).incomplete
    }

    fn in_two() -> UnackedLog {
        let mut unacked = UnackedLog::default();
        unacked.enter(&scope("a"), place(10));
        unacked.enter(&scope("b"), place(20));
        unacked
    }

    #[test]
    fn a_direct_emit_is_counted_from_the_last_offset_or_the_newest_join() {
        let mut unacked = UnackedLog::default();
        assert_eq!(direct(&mut unacked, "x"), None, "in no scope");
        unacked.enter(&scope("a"), place(10));
        assert_eq!(direct(&mut unacked, "x").as_deref(), Some("sos:a.e.10-0+1"));
        assert_eq!(direct(&mut unacked, "x").as_deref(), Some("sos:a.e.10-0+2"));
        log(&mut unacked, "a", 15);
        assert_eq!(direct(&mut unacked, "x").as_deref(), Some("sos:a.e.15-0+1"));
        assert_eq!(
            after(&unacked, "sos:a.e.10-0+1"),
            (vec![("a".into(), 10)], vec!["sos:a.e.10-0+2".into(), "sos:a.e.15-0+1".into()])
        );
        assert_eq!(after(&unacked, "sos:a.e.15-0").1, ["sos:a.e.15-0+1"]);
        assert_eq!(after(&unacked, "").1.len(), 4);
    }

    #[test]
    fn what_was_emitted_in_no_scope_is_kept_at_its_place() {
        let mut unacked = UnackedLog::default();
        direct(&mut unacked, "before");
        unacked.enter(&scope("a"), place(10));
        direct(&mut unacked, "in a");
        log(&mut unacked, "a", 15);
        unacked.exit(&scope("a"));
        direct(&mut unacked, "between");
        unacked.enter(&scope("b"), place(20));
        log(&mut unacked, "b", 25);
        unacked.exit(&scope("b"));
        direct(&mut unacked, "after");
        let directs = |had: &str| after(&unacked, had).1;
        let all = ["before", "sos:a.e.10-0+1", "between", "after"];
        assert_eq!(directs(""), all, "it has had nothing");
        assert_eq!(directs("sos:z.e.99-0"), all, "an offset of a connection before this one");
        assert_eq!(directs("sos:a.e.10-0+1"), all[2..]);
        assert_eq!(directs("sos:a.e.15-0"), all[2..]);
        assert_eq!(directs("sos:b.e.25-0"), all[3..]);
        let mut new = UnackedLog::default();
        new.adopt(&unacked.sent());
        assert_eq!(new.sent(), unacked.sent(), "on another node too");
        unacked.mark([]);
        unacked.answered();
        assert!(unacked.sent.is_none(), "the client has had it");
    }

    #[test]
    fn what_was_too_much_to_keep_is_missing_for_those_who_have_not_had_it() {
        let mut unacked = UnackedLog::default();
        unacked.enter(&scope("a"), place(10));
        log(&mut unacked, "a", 11);
        for _ in 0..=MAX_ENTRIES {
            direct(&mut unacked, "x");
        }
        for (had, incomplete) in [("", true), ("sos:a.e.11-0", true), ("sos:a.e.11-0+1", false), ("sos:a.e.11-0+7", false)] {
            assert_eq!(is_incomplete(&unacked, had), incomplete, "{had:?}");
        }
        let mut new = UnackedLog::default();
        new.adopt(&unacked.sent());
        assert!(is_incomplete(&new, ""), "another node knows");
        unacked.mark([]);
        unacked.answered();
        assert!(!is_incomplete(&unacked, ""), "it has arrived");
        unacked.mark([]);
        direct(&mut unacked, &"x".repeat(2 * MAX_BYTES));
        unacked.answered();
        assert!(is_incomplete(&unacked, ""), "that ping was sent before");
    }

    #[test]
    fn the_scope_that_an_offset_does_not_name_begins_where_the_log_says() {
        let mut unacked = in_two();
        for (id, ms) in [("a", 11), ("a", 12), ("b", 21), ("b", 22), ("a", 13), ("b", 23)] {
            log(&mut unacked, id, ms);
        }
        let starts = |had: &str| after(&unacked, had).0;
        assert_eq!(starts("sos:a.e.11-0"), [("a".into(), 11)], "b: nothing yet");
        assert_eq!(starts("sos:b.e.21-0"), [("a".into(), 12), ("b".into(), 21)]);
        assert_eq!(starts("sos:a.e.13-0"), [("b".into(), 22), ("a".into(), 13)]);
        assert_eq!(starts("sos:a.e.99-0"), [("a".into(), 99)], "not in this log");
    }

    #[test]
    fn an_answered_ping_confirms_what_was_sent_before_it() {
        let mut unacked = in_two();
        log(&mut unacked, "a", 11);
        direct(&mut unacked, "x");
        unacked.mark([(scope("a"), place(12)), (scope("b"), place(25))]);
        log(&mut unacked, "a", 13);
        unacked.answered();
        let confirmed: Vec<_> = unacked.confirmed().into_iter().map(|(scope, place)| (scope.id, place.id.ms)).collect();
        assert_eq!(confirmed, [("a".into(), 12), ("b".into(), 25)]);
        assert_eq!(unacked.sent().entries.len(), 1, "what came after the ping stays");
        unacked.mark([]);
        unacked.answered();
        assert!(unacked.sent.is_none(), "an idle socket keeps nothing");
        assert_eq!(unacked.confirmed()[0].1.id, at(12), "no mark, no step");
    }

    #[test]
    fn another_log_of_a_scope_takes_the_place_of_the_old_one() {
        let mut unacked = in_two();
        let new = |ms| Position { epoch: "f".into(), id: at(ms) };
        unacked.mark([(scope("a"), new(3))]);
        assert_eq!(unacked.confirmed()[0].1, place(10));
        unacked.answered();
        assert_eq!(unacked.confirmed()[0].1, new(3));
        unacked.enter(&scope("a"), new(9));
        assert_eq!(unacked.confirmed()[0].1, new(3), "goes on");
        unacked.enter(&scope("a"), place(1));
        assert_eq!(unacked.confirmed()[0].1, place(1));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut unacked = in_two();
        for n in 0..5_000 {
            log(&mut unacked, if n % 2 == 0 { "a" } else { "b" }, 100 + n);
            direct(&mut unacked, &"x".repeat(100));
        }
        let sent = unacked.sent.as_ref().unwrap();
        assert!(sent.entries.len() <= MAX_ENTRIES && sent.bytes <= MAX_BYTES);
        let mut one = in_two();
        direct(&mut one, &"x".repeat(2 * MAX_BYTES));
        assert_eq!(one.sent.as_ref().unwrap().bytes, 0, "too large to keep");
    }

    #[test]
    fn another_node_goes_on_with_the_same_offsets() {
        let mut old = in_two();
        log(&mut old, "a", 11);
        direct(&mut old, "x");
        let mut new = in_two();
        new.adopt(&old.sent());
        assert_eq!(new.sent(), old.sent());
        assert_eq!(direct(&mut new, "x").as_deref(), Some("sos:a.e.11-0+2"));
    }
}
