//! What a socket was sent since its last answered `ping`, as it travels to the node that goes on with it.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Offset;
use crate::core::ids::{ScopeId, StreamId};
use crate::protocol::event::Args;

/// In the order of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Wire", into = "Wire")]
pub struct SentLog {
    /// The last offset: without its `+n`, and n.
    pub last: Option<(String, u32)>,
    pub entries: Vec<SentEntry>,
    /// The newest direct emit that is not kept because it was too much: its offset, empty if it had none.
    pub dropped: Option<String>,
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
    /// Empty: it has no offset, since the socket was in no scope.
    base: String,
    n: u32,
    json: String,
    attachments: Vec<String>,
}

/// Emits without an offset stand apart, each with the number of entries before it: older nodes give every one that they find
/// among the entries an offset.
#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(default)]
    last: Option<(String, u32)>,
    #[serde(default)]
    entries: Vec<SentEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    loose: Vec<(usize, SentDirect)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dropped: Option<String>,
}

impl From<SentLog> for Wire {
    fn from(log: SentLog) -> Self {
        let mut wire = Self { last: log.last, entries: Vec::new(), loose: Vec::new(), dropped: log.dropped };
        for entry in log.entries {
            match entry {
                SentEntry::Direct(direct) if direct.base.is_empty() => wire.loose.push((wire.entries.len(), direct)),
                entry => wire.entries.push(entry),
            }
        }
        wire
    }
}

impl From<Wire> for SentLog {
    fn from(wire: Wire) -> Self {
        let mut loose = wire.loose.into_iter().peekable();
        let mut entries = Vec::with_capacity(wire.entries.len() + loose.len());
        for (at, entry) in wire.entries.into_iter().enumerate() {
            while let Some((_, direct)) = loose.next_if(|(before, _)| *before <= at) {
                entries.push(SentEntry::Direct(direct));
            }
            entries.push(entry);
        }
        entries.extend(loose.map(|(_, direct)| SentEntry::Direct(direct)));
        Self { last: wire.last, entries, dropped: wire.dropped }
    }
}

impl SentDirect {
    pub fn new(base: Option<&str>, n: u32, args: &Args) -> Self {
        Self {
            base: base.unwrap_or_default().to_owned(),
            n,
            json: String::from_utf8_lossy(&args.json).into_owned(),
            attachments: args.attachments.iter().map(|bytes| BASE64_STANDARD.encode(bytes)).collect(),
        }
    }

    pub fn args(&self) -> Args {
        let attachments = self.attachments.iter().map(|text| BASE64_STANDARD.decode(text).unwrap_or_default().into());
        Args { json: Bytes::copy_from_slice(self.json.as_bytes()), attachments: attachments.collect() }
    }

    pub fn base(&self) -> Option<&str> {
        Some(&*self.base).filter(|base| !base.is_empty())
    }

    pub fn n(&self) -> u32 {
        self.n
    }

    /// `None`: the socket was in no scope.
    pub fn offset(&self) -> Option<String> {
        self.base().map(|base| format!("{base}+{}", self.n))
    }

    fn parsed_offset(&self) -> Option<Offset> {
        self.offset()?.parse().ok()
    }
}

/// What follows, in a sent log, on what a client has had last.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Per scope the last event that the client has had, where the log tells.
    pub starts: Vec<(ScopeId, StreamId)>,
    /// Events for this socket alone.
    pub directs: Vec<SentDirect>,
    /// Something that the client may have missed was not kept.
    pub incomplete: bool,
}

impl SentLog {
    /// Nothing was queued, or all of it has surely arrived.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.dropped.is_none()
    }

    /// `had`: the client's offset.
    pub fn after(&self, had: Option<&Offset>) -> Missed {
        let mut missed = Missed::default();
        let at = had.and_then(|had| self.find(had));
        for entry in &self.entries[..at.map_or(0, |at| at + 1)] {
            if let SentEntry::Run { scope, last, .. } = entry
                && let (Ok(scope), Ok(last)) = (scope.parse::<ScopeId>(), last.parse())
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
            .filter(|direct| match (had, direct.parsed_offset()) {
                (Some(had), Some(sent)) => is_beyond(&sent, had),
                _ => true,
            })
            .collect();
        missed.incomplete = at.is_none()
            && self.dropped.as_ref().is_some_and(|dropped| match (had, dropped.parse::<Offset>()) {
                (Some(had), Ok(dropped)) => is_beyond(&dropped, had),
                _ => true,
            });
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
            SentEntry::Direct(direct) => had.direct > 0 && direct.offset().is_some_and(|offset| offset == text),
        })
    }
}

/// Whether a client that has had one offset has not had the other, as far as they can be compared.
fn is_beyond(sent: &Offset, had: &Offset) -> bool {
    !sent.is_in(&had.scope, &had.epoch) || (sent.id, sent.direct) > (had.id, had.direct)
}
