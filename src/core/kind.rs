//! What kind of thing a scope is. A feature has a constant for each of its kinds and registers it with the scopes of its node;
//! this type only says which names are legal.

use std::fmt;
use std::str::FromStr;

/// `[a-z]{1,16}`, kept in place: copied and compared without touching the heap.
///
/// ```
/// use convoke::core::Kind;
/// const ROOM: Kind = Kind::of("room");
/// assert_eq!("room".parse(), Ok(ROOM));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind([u8; MAX_LEN]);

const MAX_LEN: usize = 16;

impl Kind {
    /// For constants.
    ///
    /// # Panics
    /// If the name is not legal; in a constant that is an error of compilation.
    pub const fn of(name: &str) -> Self {
        match Self::read(name) {
            Some(kind) => kind,
            None => panic!("a kind is named by 1 to 16 small letters"),
        }
    }

    pub fn as_str(&self) -> &str {
        let len = self.0.iter().position(|byte| *byte == 0).unwrap_or(MAX_LEN);
        std::str::from_utf8(&self.0[..len]).unwrap_or_default()
    }

    const fn read(name: &str) -> Option<Self> {
        let (name, mut kind, mut at) = (name.as_bytes(), [0; MAX_LEN], 0);
        if name.is_empty() || name.len() > MAX_LEN {
            return None;
        }
        while at < name.len() {
            if !name[at].is_ascii_lowercase() {
                return None;
            }
            kind[at] = name[at];
            at += 1;
        }
        Some(Self(kind))
    }
}

impl FromStr for Kind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::read(text).ok_or(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_by_a_few_small_letters() {
        for good in ["a", "room", "sixteenletterssx"] {
            assert_eq!(good.parse::<Kind>().map(|kind| kind.to_string()), Ok(good.into()));
        }
        for bad in ["", "Room", "s1", "s-s", "s:s", "ä", "s ", "seventeenletterss"] {
            assert_eq!(bad.parse::<Kind>(), Err(()), "{bad}");
        }
        assert_eq!("watch".parse(), Ok(Kind::of("watch")));
        assert!(Kind::of("a") < Kind::of("ab") && Kind::of("ab") < Kind::of("b"));
    }
}
