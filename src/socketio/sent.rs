//! What a socket was sent since its last answered `ping`, as it is sent to the node that continues it.

use serde::{Deserialize, Serialize};

use crate::core::wire::Blob;
use crate::core::{Offset, ScopeId, StreamId};
use crate::protocol::event::Args;

/// In the order of the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct SentLog {
    /// The last offset.
    pub last: Option<Offset>,
    pub entries: Vec<SentEntry>,
    /// The newest direct emit that was not kept for lack of room: its offset, empty if it had none.
    pub dropped: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SentEntry {
    /// Logged events of one scope in a row, by the ids of the first and the last.
    Run {
        scope: ScopeId,
        first: StreamId,
        last: StreamId,
    },
    Direct(SentDirect),
}

/// An event for this socket alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentDirect {
    /// `None`: the socket was in no scope.
    pub offset: Option<Offset>,
    pub args: Args,
}

/// Emits without an offset are a separate list, each with the number of entries before it: older nodes give an offset to every
/// emit that they find among the entries.
#[derive(Serialize, Deserialize)]
struct Wire {
    /// Without its `+n`, and n.
    #[serde(default)]
    last: Option<(String, u32)>,
    #[serde(default)]
    entries: Vec<WireEntry>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    loose: Vec<(usize, WireDirect)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dropped: Option<String>,
}

#[derive(Serialize, Deserialize)]
enum WireEntry {
    Run { scope: ScopeId, first: StreamId, last: StreamId },
    Direct(WireDirect),
}

#[derive(Serialize, Deserialize)]
struct WireDirect {
    /// The offset without its `+n`; empty: none.
    base: String,
    n: u32,
    json: String,
    attachments: Vec<Blob>,
}

fn split(offset: &Offset) -> (String, u32) {
    (Offset::of(&offset.scope, &offset.position.epoch, offset.position.id), offset.direct)
}

fn join(base: &str, n: u32) -> Result<Offset, Unreadable> {
    let base: Offset = base.parse().map_err(|()| Unreadable)?;
    Ok(Offset { direct: n, ..base })
}

/// It was written by another release.
#[derive(Debug, thiserror::Error)]
#[error("what a socket was sent cannot be read")]
struct Unreadable;

impl From<SentLog> for Wire {
    fn from(log: SentLog) -> Self {
        let last = log.last.as_ref().map(split);
        let mut wire = Self { last, entries: Vec::new(), loose: Vec::new(), dropped: log.dropped };
        for entry in log.entries {
            match entry {
                SentEntry::Direct(direct) if direct.offset.is_none() => wire.loose.push((wire.entries.len(), direct.into())),
                SentEntry::Direct(direct) => wire.entries.push(WireEntry::Direct(direct.into())),
                SentEntry::Run { scope, first, last } => wire.entries.push(WireEntry::Run { scope, first, last }),
            }
        }
        wire
    }
}

impl TryFrom<Wire> for SentLog {
    type Error = Unreadable;

    fn try_from(wire: Wire) -> Result<Self, Unreadable> {
        let last = wire.last.map(|(base, n)| join(&base, n)).transpose()?;
        let mut loose = wire.loose.into_iter().peekable();
        let mut entries = Vec::with_capacity(wire.entries.len() + loose.len());
        for (at, entry) in wire.entries.into_iter().enumerate() {
            while let Some((_, direct)) = loose.next_if(|(before, _)| *before <= at) {
                entries.push(SentEntry::Direct(direct.try_into()?));
            }
            entries.push(match entry {
                WireEntry::Run { scope, first, last } => SentEntry::Run { scope, first, last },
                WireEntry::Direct(direct) => SentEntry::Direct(direct.try_into()?),
            });
        }
        for (_, direct) in loose {
            entries.push(SentEntry::Direct(direct.try_into()?));
        }
        Ok(Self { last, entries, dropped: wire.dropped })
    }
}

impl From<SentDirect> for WireDirect {
    fn from(direct: SentDirect) -> Self {
        let (base, n) = direct.offset.as_ref().map(split).unwrap_or_default();
        Self {
            base,
            n,
            json: String::from_utf8_lossy(&direct.args.json).into_owned(),
            attachments: direct.args.attachments.into_iter().map(Blob).collect(),
        }
    }
}

impl TryFrom<WireDirect> for SentDirect {
    type Error = Unreadable;

    fn try_from(wire: WireDirect) -> Result<Self, Unreadable> {
        let offset = if wire.base.is_empty() { None } else { Some(join(&wire.base, wire.n)?) };
        let attachments = wire.attachments.into_iter().map(|Blob(data)| data).collect();
        Ok(Self { offset, args: Args { json: wire.json.into(), attachments } })
    }
}

/// What comes in a sent log after the last event that a client has had.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// For each scope the last event that the client has had, if the log contains it.
    pub starts: Vec<(ScopeId, StreamId)>,
    /// Events for this socket alone.
    pub directs: Vec<SentDirect>,
    /// The client may have missed something that was not kept.
    pub incomplete: bool,
}

impl SentLog {
    /// Nothing was queued, or all of it has certainly arrived.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.dropped.is_none()
    }

    /// `had`: the client's offset.
    pub fn after(&self, had: Option<&Offset>) -> Missed {
        let mut missed = Missed::default();
        let at = had.and_then(|had| self.find(had));
        for entry in &self.entries[..at.map_or(0, |at| at + 1)] {
            if let SentEntry::Run { scope, last, .. } = entry {
                missed.starts.retain(|(known, _)| known != scope);
                missed.starts.push((scope.clone(), *last));
            }
        }
        if let Some(had) = had {
            // Its own run may go on beyond it.
            missed.starts.retain(|(known, _)| *known != had.scope);
            missed.starts.push((had.scope.clone(), had.position.id));
        }
        let rest = &self.entries[at.map_or(0, |at| at + 1)..];
        missed.directs = rest
            .iter()
            .filter_map(|entry| match entry {
                SentEntry::Direct(direct) => Some(direct.clone()),
                SentEntry::Run { .. } => None,
            })
            // In one scope the order of offsets tells, whatever of the log is left.
            .filter(|direct| match (had, &direct.offset) {
                (Some(had), Some(sent)) => is_beyond(sent, had),
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
        self.entries.iter().position(|entry| match entry {
            SentEntry::Run { scope, first, last } => {
                had.direct == 0 && *scope == had.scope && (*first..=*last).contains(&had.position.id)
            }
            SentEntry::Direct(direct) => had.direct > 0 && direct.offset.as_ref() == Some(had),
        })
    }
}

/// Whether a client that has had one offset has not had the other, as far as they can be compared.
fn is_beyond(sent: &Offset, had: &Offset) -> bool {
    !sent.is_in(&had.scope, &had.position.epoch) || (sent.position.id, sent.direct) > (had.position.id, had.direct)
}
