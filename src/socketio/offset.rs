//! Where a client stands: the last argument of each event that can be recovered.

use std::fmt;
use std::str::FromStr;

use crate::core::ids::{ScopeId, StreamId};

/// `<kind>:<scope id>.<epoch>.<stream id>`, and `+<n>` for the nth direct emit after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    pub scope: ScopeId,
    pub epoch: Box<str>,
    pub id: StreamId,
    /// 0: the logged event itself.
    pub direct: u32,
}

/// Longer than any offset that the hub gives out.
const MAX_LEN: usize = 256;

impl Offset {
    /// How a logged event is named.
    pub fn of(scope: &ScopeId, epoch: &str, id: StreamId) -> String {
        format!("{scope}.{epoch}.{id}")
    }

    /// Whether it stands in this log.
    pub fn is_in(&self, scope: &ScopeId, epoch: &str) -> bool {
        self.scope == *scope && *self.epoch == *epoch
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.scope, self.epoch, self.id)?;
        if self.direct > 0 { write!(f, "+{}", self.direct) } else { Ok(()) }
    }
}

impl FromStr for Offset {
    type Err = ();

    /// From the right, since a scope id may hold dots.
    fn from_str(text: &str) -> Result<Self, ()> {
        if text.len() > MAX_LEN {
            return Err(());
        }
        let (rest, id) = text.rsplit_once('.').ok_or(())?;
        let (scope, epoch) = rest.rsplit_once('.').ok_or(())?;
        let (kind, scope) = scope.split_once(':').ok_or(())?;
        let (id, direct) = match id.split_once('+') {
            Some((id, direct)) => (id, direct.parse().map_err(|_| ())?),
            None => (id, 0),
        };
        let scope = ScopeId::new(kind.parse()?, scope).ok_or(())?;
        Ok(Self { scope, epoch: epoch.into(), id: id.parse()?, direct })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_read_from_the_right() {
        for text in ["sos:a.b.c.e_-1.12-3", "watch:all.e.0-0+7", "sos:a..e.1-1"] {
            assert_eq!(text.parse::<Offset>().map(|offset| offset.to_string()), Ok(text.into()));
        }
        let offset: Offset = "sos:a.b.e.5-1+2".parse().unwrap();
        assert_eq!((&*offset.scope.id, &*offset.epoch, offset.id.ms, offset.direct), ("a.b", "e", 5, 2));
    }

    #[test]
    fn what_the_hub_never_gave_out_is_refused() {
        for text in
            ["", "x", "sos:a.1-1", "room:a.e.1-1", "sos:a.e.1", "sos:a.e.1-1+", "sos:a b.e.1-1", "sos:.e.1-1", "sos:..e.1-1"]
        {
            assert_eq!(text.parse::<Offset>(), Err(()), "{text}");
        }
        assert!(format!("sos:{}.e.1-1", "x".repeat(300)).parse::<Offset>().is_err());
    }
}
