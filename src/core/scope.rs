//! The name of a scope.

use std::fmt;
use std::str::FromStr;

use super::Kind;
use super::ids::is_scope_id;

/// The unit of everything: one room with its state. One hash tag, one log, one channel, one order.
///
/// Written `<kind>:<id>`. In keys the kind stands outside the hash tag, so that two kinds with the same id share a slot but
/// nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScopeId {
    pub kind: Kind,
    /// Matches [`is_scope_id`].
    pub id: Box<str>,
}

impl ScopeId {
    /// `None` if `id` is not a legal scope id.
    pub fn new(kind: Kind, id: &str) -> Option<Self> {
        is_scope_id(id).then(|| Self { kind, id: id.into() })
    }
}

impl fmt::Display for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.id)
    }
}

impl FromStr for ScopeId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (kind, id) = text.split_once(':').ok_or(())?;
        Self::new(kind.parse()?, id).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_is_written() {
        let scope: ScopeId = "room:a.b".parse().unwrap();
        assert_eq!((scope.kind, &*scope.id), (Kind::of("room"), "a.b"));
        assert_eq!(scope.to_string(), "room:a.b");
        for bad in ["", "room", "room:", ":a", "Room:a", "room:a:b", "room:..", "a b:c"] {
            assert_eq!(bad.parse::<ScopeId>(), Err(()), "{bad}");
        }
    }
}
