//! Places in the log of a scope: an entry, a position in a certain log, and what a client is told of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::ScopeId;

/// An entry of a log: a Redis stream id, `<ms>-<seq>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    pub ms: u64,
    pub seq: u64,
}

/// A place in a log: everything up to `id` lies before it. The epoch names the log, which begins anew if Redis has lost it.
/// `<epoch> <id>` as text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    pub epoch: Arc<str>,
    pub id: StreamId,
}

/// Where a client stands: the last argument of each event that can be recovered.
/// `<kind>:<scope id>.<epoch>.<stream id>`, and `+<n>` for the nth direct emit after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    pub scope: ScopeId,
    pub position: Position,
    /// 0: the logged event itself.
    pub direct: u32,
}

/// Longer than any offset that the hub gives out.
const MAX_OFFSET_LEN: usize = 256;

impl Position {
    pub fn new(epoch: impl Into<Arc<str>>, id: StreamId) -> Self {
        Self { epoch: epoch.into(), id }
    }
}

impl Offset {
    /// How a logged event is named.
    pub fn of(scope: &ScopeId, epoch: &str, id: StreamId) -> String {
        format!("{scope}.{epoch}.{id}")
    }

    /// Whether it stands in this log.
    pub fn is_in(&self, scope: &ScopeId, epoch: &str) -> bool {
        self.scope == *scope && *self.position.epoch == *epoch
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

impl FromStr for StreamId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (ms, seq) = text.split_once('-').ok_or(())?;
        Ok(Self { ms: ms.parse().map_err(|_| ())?, seq: seq.parse().map_err(|_| ())? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.epoch, self.id)
    }
}

impl FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (epoch, id) = text.split_once(' ').ok_or(())?;
        Ok(Self::new(epoch, id.parse()?))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.scope, self.position.epoch, self.position.id)?;
        if self.direct > 0 { write!(f, "+{}", self.direct) } else { Ok(()) }
    }
}

impl FromStr for Offset {
    type Err = ();

    /// From the right, since a scope id may hold dots.
    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() > MAX_OFFSET_LEN {
            return Err(());
        }
        let (rest, id) = text.rsplit_once('.').ok_or(())?;
        let (scope, epoch) = rest.rsplit_once('.').ok_or(())?;
        let (id, direct) = match id.split_once('+') {
            Some((id, direct)) => (id, direct.parse().map_err(|_| ())?),
            None => (id, 0),
        };
        Ok(Self { scope: scope.parse()?, position: Position::new(epoch, id.parse()?), direct })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ids_order_by_time_then_sequence() {
        let parse = |text: &str| text.parse::<StreamId>().unwrap();
        assert!(parse("9-9") < parse("10-0") && parse("10-0") < parse("10-1"));
        assert_eq!(parse("10-1").to_string(), "10-1");
        assert!("10".parse::<StreamId>().is_err() && "a-b".parse::<StreamId>().is_err());
    }

    #[test]
    fn a_position_is_read_as_it_is_written() {
        let position: Position = "e_-1 12-3".parse().unwrap();
        assert_eq!((&*position.epoch, position.id), ("e_-1", StreamId { ms: 12, seq: 3 }));
        assert_eq!(position.to_string(), "e_-1 12-3");
        for bad in ["", "e", "e 12", "12-3", "e x-1", "e 1-1 1-1"] {
            assert_eq!(bad.parse::<Position>(), Err(()), "{bad}");
        }
    }

    #[test]
    fn an_offset_is_read_from_the_right() {
        for text in ["room:a.b.c.e_-1.12-3", "watch:all.e.0-0+7", "room:a..e.1-1"] {
            assert_eq!(text.parse::<Offset>().map(|offset| offset.to_string()), Ok(text.into()));
        }
        let offset: Offset = "room:a.b.e.5-1+2".parse().unwrap();
        assert_eq!((&*offset.scope.id, &*offset.position.epoch, offset.position.id.ms, offset.direct), ("a.b", "e", 5, 2));
    }

    #[test]
    fn what_the_hub_never_gave_out_is_refused() {
        for text in [
            "",
            "x",
            "room:a.1-1",
            "Room:a.e.1-1",
            "room:a.e.1",
            "room:a.e.1-1+",
            "room:a b.e.1-1",
            "room:.e.1-1",
            "room:..e.1-1",
        ] {
            assert_eq!(text.parse::<Offset>(), Err(()), "{text}");
        }
        assert!(format!("room:{}.e.1-1", "x".repeat(300)).parse::<Offset>().is_err());
    }
}
