//! What one socket has been sent, as far as recovery must know: its rooms, each with a place up to which its client surely
//! has everything, and what was queued since its last answered `ping`.
//!
//! A socket whose client knows nothing of recovery has the rooms only.

use std::collections::VecDeque;
use std::sync::Arc;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::Offset;
use crate::ids::{ScopeId, StreamId};
use crate::protocol::event::Args;

/// What is kept of the sent, entries and bytes; the oldest go first.
const MAX_ENTRIES: usize = 512;
const MAX_BYTES: usize = 64 * 1024;
/// What an entry costs beside its payload.
const ENTRY_BYTES: usize = 96;

/// A place in a scope's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub epoch: Arc<str>,
    pub id: StreamId,
}

struct Room {
    scope: ScopeId,
    /// The client has had everything up to here.
    confirmed: Place,
    /// It will have had everything up to here when it answers the present `ping`.
    marked: StreamId,
    /// If it is not that of `confirmed`.
    marked_epoch: Option<Arc<str>>,
    /// Stands for the room in the log.
    tag: u32,
}

#[derive(Default)]
pub struct Trail {
    rooms: SmallVec<[Room; 1]>,
    tags: u32,
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
    /// So many of the entries were queued before the present `ping`.
    marked: usize,
    /// The offset from which this connection was recovered, until a `ping` is answered.
    recovered_from: Option<Box<str>>,
}

enum Entry {
    /// Logged events of one room, one after another: only the ends count.
    Run {
        room: u32,
        first: StreamId,
        last: StreamId,
    },
    Direct {
        base: Arc<str>,
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
}

impl Trail {
    pub fn scopes(&self) -> SmallVec<[ScopeId; 1]> {
        self.rooms.iter().map(|room| room.scope.clone()).collect()
    }

    pub fn is_in(&self, kind: crate::ids::ScopeKind, id: &str) -> bool {
        self.rooms.iter().any(|room| room.scope.kind == kind && *room.scope.id == *id)
    }

    /// A membership begins at a place. One that stands in the same log goes on from where it is.
    pub fn enter(&mut self, scope: &ScopeId, at: Place) {
        match self.rooms.iter_mut().find(|room| room.scope == *scope) {
            Some(room) if room.confirmed.epoch == at.epoch => {}
            Some(room) => {
                room.confirmed = at;
                room.marked = StreamId::default();
                room.marked_epoch = None;
            }
            None => {
                self.tags += 1;
                let (marked, tag) = (StreamId::default(), self.tags);
                self.rooms.push(Room { scope: scope.clone(), confirmed: at, marked, marked_epoch: None, tag });
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
        if self.rooms.len() < 2 {
            return;
        }
        let Some(room) = self.rooms.iter().find(|room| room.scope == *scope).map(|room| room.tag) else { return };
        let sent = self.sent.get_or_insert_default();
        if sent.entries.len() > sent.marked
            && let Some(Entry::Run { room: same, last, .. }) = sent.entries.back_mut()
            && *same == room
        {
            *last = id;
        } else {
            sent.push(Entry::Run { room, first: id, last: id });
        }
    }

    /// A direct emit is about to be queued; returns its offset, if it has one.
    pub fn direct(&mut self, args: &Args) -> Option<String> {
        let newest = self.rooms.last()?;
        if self.last.is_none() {
            self.last = Some(Offset::of(&newest.scope, &newest.confirmed.epoch, newest.confirmed.id).into());
        }
        let base = self.last.clone()?;
        self.directs += 1;
        let offset = format!("{base}+{}", self.directs);
        let entry = Entry::Direct { base, n: self.directs, args: args.clone() };
        self.sent.get_or_insert_default().push(entry);
        Some(offset)
    }

    /// A direct emit of the past is queued again, under its own offset.
    pub fn direct_again(&mut self, direct: &SentDirect) {
        let base = match &self.last {
            Some(last) if **last == *direct.base => last.clone(),
            _ => Arc::from(&*direct.base),
        };
        self.last = Some(base.clone());
        self.directs = direct.n;
        self.sent.get_or_insert_default().push(Entry::Direct { base, n: direct.n, args: direct.args() });
    }

    /// The connection goes on from what its client has had last.
    pub fn recovered_from(&mut self, offset: Option<&Offset>) {
        let Some(offset) = offset else { return };
        self.last = Some(Offset::of(&offset.scope, &offset.epoch, offset.id).into());
        self.directs = offset.direct;
        self.sent.get_or_insert_default().recovered_from = Some(offset.to_string().into());
    }

    /// The offset after which the client got its replay, if it has not answered a `ping` since.
    pub fn unproven(&self) -> Option<Box<str>> {
        self.sent.as_ref()?.recovered_from.clone()
    }

    /// A `ping` is about to be queued, after everything up to these places.
    pub fn mark(&mut self, places: impl IntoIterator<Item = (ScopeId, Place)>) {
        for (scope, place) in places {
            if let Some(room) = self.rooms.iter_mut().find(|room| room.scope == scope) {
                room.marked = place.id;
                room.marked_epoch = (place.epoch != room.confirmed.epoch).then_some(place.epoch);
            }
        }
        if let Some(sent) = &mut self.sent {
            sent.marked = sent.entries.len();
        }
    }

    /// The client has answered the `ping`.
    pub fn answered(&mut self) {
        for room in &mut self.rooms {
            if let Some(epoch) = room.marked_epoch.take() {
                room.confirmed = Place { epoch, id: room.marked };
            } else if room.marked > room.confirmed.id {
                room.confirmed.id = room.marked;
            }
        }
        if let Some(sent) = &mut self.sent {
            sent.recovered_from = None;
            for _ in 0..std::mem::take(&mut sent.marked) {
                sent.pop();
            }
            if sent.entries.is_empty() {
                self.sent = None;
            }
        }
    }

    /// Each room with its confirmed place.
    pub fn confirmed(&self) -> Vec<(ScopeId, Place)> {
        self.rooms.iter().map(|room| (room.scope.clone(), room.confirmed.clone())).collect()
    }

    /// What was queued since the last answered `ping`, as far as it is kept.
    pub fn sent(&self) -> SentLog {
        let entries = self.sent.iter().flat_map(|sent| &sent.entries).filter_map(|entry| {
            Some(match entry {
                Entry::Run { room, first, last } => {
                    let room = self.rooms.iter().find(|known| known.tag == *room)?;
                    SentEntry::Run { scope: room.scope.to_string(), first: first.to_string(), last: last.to_string() }
                }
                Entry::Direct { base, n, args } => SentEntry::Direct(SentDirect {
                    base: base.to_string(),
                    n: *n,
                    json: String::from_utf8_lossy(&args.json).into_owned(),
                    attachments: args.attachments.iter().map(|bytes| BASE64_STANDARD.encode(bytes)).collect(),
                }),
            })
        });
        SentLog { last: self.last.as_ref().map(|last| (last.to_string(), self.directs)), entries: entries.collect() }
    }

    /// Goes on with what another node has queued.
    pub fn adopt(&mut self, log: &SentLog) {
        for entry in &log.entries {
            match entry {
                SentEntry::Direct(direct) => self.direct_again(direct),
                SentEntry::Run { scope, first, last } => {
                    let room = self.rooms.iter().find(|room| room.scope.to_string() == *scope).map(|room| room.tag);
                    if let (Some(room), Ok(first), Ok(last)) = (room, first.parse(), last.parse()) {
                        self.sent.get_or_insert_default().push(Entry::Run { room, first, last });
                    }
                }
            }
        }
        if let Some((base, n)) = &log.last {
            self.last = Some(Arc::from(&**base));
            self.directs = *n;
        }
    }
}

impl Sent {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes();
        self.entries.push_back(entry);
        while self.entries.len() > MAX_ENTRIES || self.bytes > MAX_BYTES {
            self.pop();
            self.marked = self.marked.saturating_sub(1);
        }
    }

    fn pop(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes -= entry.bytes();
        }
    }
}

/// What a socket was sent since its last answered `ping`, as it travels to the node that goes on with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentLog {
    /// The last offset: without its `+n`, and n.
    #[serde(default)]
    pub last: Option<(String, u32)>,
    #[serde(default)]
    pub entries: Vec<SentEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SentEntry {
    /// Logged events of one scope in a row, by the ids of the first and the last.
    Run {
        scope: String,
        first: String,
        last: String,
    },
    Direct(SentDirect),
}

/// An event for this socket alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentDirect {
    base: String,
    n: u32,
    json: String,
    attachments: Vec<String>,
}

impl SentDirect {
    pub fn args(&self) -> Args {
        let attachments = self.attachments.iter().map(|text| BASE64_STANDARD.decode(text).unwrap_or_default().into());
        Args { json: Bytes::copy_from_slice(self.json.as_bytes()), attachments: attachments.collect() }
    }

    pub fn offset(&self) -> String {
        format!("{}+{}", self.base, self.n)
    }
}

/// What follows, in a sent log, on what a client has had last.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Per scope the last event that the client has had, where the log tells.
    pub starts: Vec<(ScopeId, StreamId)>,
    /// Events for this socket alone.
    pub directs: Vec<SentDirect>,
}

impl SentLog {
    /// `had`: the client's offset.
    pub fn after(&self, had: Option<&Offset>) -> Missed {
        let mut missed = Missed::default();
        let at = had.and_then(|had| self.find(had));
        for entry in &self.entries[..at.map_or(0, |at| at + 1)] {
            if let SentEntry::Run { scope, last, .. } = entry
                && let (Some(scope), Ok(last)) = (parse_scope(scope), last.parse())
            {
                missed.starts.retain(|(known, _)| *known != scope);
                missed.starts.push((scope, last));
            }
        }
        if let Some(had) = had {
            // Its own run may go on beyond it.
            missed.starts.retain(|(known, _)| *known != had.scope);
            missed.starts.push((had.scope.clone(), had.id));
        }
        let rest = &self.entries[at.map_or(0, |at| at + 1)..];
        missed.directs = rest
            .iter()
            .filter_map(|entry| match entry {
                SentEntry::Direct(direct) => Some(direct.clone()),
                SentEntry::Run { .. } => None,
            })
            // In one scope the order of offsets tells, whatever of the log is left.
            .filter(|direct| match (had, direct.offset().parse::<Offset>()) {
                (Some(had), Ok(sent)) if sent.is_in(&had.scope, &had.epoch) => (sent.id, sent.direct) > (had.id, had.direct),
                (_, sent) => sent.is_ok(),
            })
            .collect();
        missed
    }

    fn find(&self, had: &Offset) -> Option<usize> {
        let (scope, text) = (had.scope.to_string(), had.to_string());
        self.entries.iter().position(|entry| match entry {
            SentEntry::Run { scope: of, first, last } => {
                let within = |first: StreamId, last: StreamId| (first..=last).contains(&had.id);
                had.direct == 0
                    && *of == scope
                    && matches!((first.parse(), last.parse()), (Ok(first), Ok(last)) if within(first, last))
            }
            SentEntry::Direct(direct) => had.direct > 0 && direct.offset() == text,
        })
    }
}

fn parse_scope(text: &str) -> Option<ScopeId> {
    let (kind, id) = text.split_once(':')?;
    ScopeId::new(kind.parse().ok()?, id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ScopeKind;

    fn at(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    fn scope(id: &str) -> ScopeId {
        ScopeId { kind: ScopeKind::Sos, id: id.into() }
    }

    fn place(ms: u64) -> Place {
        Place { epoch: "e".into(), id: at(ms) }
    }

    fn log(trail: &mut Trail, id: &str, ms: u64) {
        let offset = Offset::of(&scope(id), "e", at(ms)).into();
        trail.logged(&scope(id), at(ms), &offset);
    }

    fn direct(trail: &mut Trail, name: &str) -> Option<String> {
        trail.direct(&Args::event(name, "{}"))
    }

    fn after(trail: &Trail, had: &str) -> (Vec<(String, u64)>, Vec<String>) {
        let sent: SentLog = serde_json::from_str(&serde_json::to_string(&trail.sent()).unwrap()).unwrap();
        let missed = sent.after(had.parse().ok().as_ref());
        let starts = missed.starts.iter().map(|(scope, id)| (scope.id.to_string(), id.ms)).collect();
        (starts, missed.directs.iter().map(SentDirect::offset).collect())
    }

    fn in_two() -> Trail {
        let mut trail = Trail::default();
        trail.enter(&scope("a"), place(10));
        trail.enter(&scope("b"), place(20));
        trail
    }

    #[test]
    fn a_direct_emit_is_counted_from_the_last_offset_or_the_newest_join() {
        let mut trail = Trail::default();
        assert_eq!(direct(&mut trail, "x"), None, "in no scope");
        trail.enter(&scope("a"), place(10));
        assert_eq!(direct(&mut trail, "x").as_deref(), Some("sos:a.e.10-0+1"));
        assert_eq!(direct(&mut trail, "x").as_deref(), Some("sos:a.e.10-0+2"));
        log(&mut trail, "a", 15);
        assert_eq!(direct(&mut trail, "x").as_deref(), Some("sos:a.e.15-0+1"));
        assert_eq!(
            after(&trail, "sos:a.e.10-0+1"),
            (vec![("a".into(), 10)], vec!["sos:a.e.10-0+2".into(), "sos:a.e.15-0+1".into()])
        );
        assert_eq!(after(&trail, "sos:a.e.15-0").1, ["sos:a.e.15-0+1"]);
        assert_eq!(after(&trail, "").1.len(), 3);
    }

    #[test]
    fn the_scope_that_an_offset_does_not_name_begins_where_the_log_says() {
        let mut trail = in_two();
        for (id, ms) in [("a", 11), ("a", 12), ("b", 21), ("b", 22), ("a", 13), ("b", 23)] {
            log(&mut trail, id, ms);
        }
        let starts = |had: &str| after(&trail, had).0;
        assert_eq!(starts("sos:a.e.11-0"), [("a".into(), 11)], "b: nothing yet");
        assert_eq!(starts("sos:b.e.21-0"), [("a".into(), 12), ("b".into(), 21)]);
        assert_eq!(starts("sos:a.e.13-0"), [("b".into(), 22), ("a".into(), 13)]);
        assert_eq!(starts("sos:a.e.99-0"), [("a".into(), 99)], "not in this log");
    }

    #[test]
    fn an_answered_ping_confirms_what_was_sent_before_it() {
        let mut trail = in_two();
        log(&mut trail, "a", 11);
        direct(&mut trail, "x");
        trail.mark([(scope("a"), place(12)), (scope("b"), place(25))]);
        log(&mut trail, "a", 13);
        trail.answered();
        let confirmed: Vec<_> = trail.confirmed().into_iter().map(|(scope, place)| (scope.id, place.id.ms)).collect();
        assert_eq!(confirmed, [("a".into(), 12), ("b".into(), 25)]);
        assert_eq!(trail.sent().entries.len(), 1, "what came after the ping stays");
        trail.mark([]);
        trail.answered();
        assert!(trail.sent.is_none(), "an idle socket keeps nothing");
        assert_eq!(trail.confirmed()[0].1.id, at(12), "no mark, no step");
    }

    #[test]
    fn another_log_of_a_scope_takes_the_place_of_the_old_one() {
        let mut trail = in_two();
        let new = |ms| Place { epoch: "f".into(), id: at(ms) };
        trail.mark([(scope("a"), new(3))]);
        assert_eq!(trail.confirmed()[0].1, place(10));
        trail.answered();
        assert_eq!(trail.confirmed()[0].1, new(3));
        trail.enter(&scope("a"), new(9));
        assert_eq!(trail.confirmed()[0].1, new(3), "goes on");
        trail.enter(&scope("a"), place(1));
        assert_eq!(trail.confirmed()[0].1, place(1));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut trail = in_two();
        for n in 0..5_000 {
            log(&mut trail, if n % 2 == 0 { "a" } else { "b" }, 100 + n);
            direct(&mut trail, &"x".repeat(100));
        }
        let sent = trail.sent.as_ref().unwrap();
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
