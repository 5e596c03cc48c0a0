//! Whether this node may use the tables: they must be there. To start sessions, its limits must also be those in PostgreSQL.

use std::sync::atomic::{AtomicU8, Ordering};

use super::error::BookingError;

/// Starts as unprepared.
#[derive(Debug, Default)]
pub(super) struct Readiness(AtomicU8);

const UNPREPARED: u8 = 0;
const AGREED: u8 = 1;
const DIFFERS: u8 = 2;

impl Readiness {
    /// The tables are there, and the row of limits was read.
    pub(super) fn prepared(&self, agreed: bool) {
        self.0.store(if agreed { AGREED } else { DIFFERS }, Ordering::Relaxed);
    }

    /// False only if it is known that they differ.
    pub(super) fn limits_agree(&self) -> bool {
        self.0.load(Ordering::Relaxed) != DIFFERS
    }

    /// # Errors
    /// `Unavailable` until PostgreSQL has answered once.
    pub(super) fn may_ask(&self) -> Result<(), BookingError> {
        if self.0.load(Ordering::Relaxed) == UNPREPARED { Err(BookingError::Unavailable) } else { Ok(()) }
    }

    pub(super) fn may_start(&self) -> bool {
        self.0.load(Ordering::Relaxed) == AGREED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_asks_once_the_tables_are_there_and_starts_once_the_limits_agree() {
        let readiness = Readiness::default();
        assert_eq!((readiness.may_ask().is_ok(), readiness.may_start(), readiness.limits_agree()), (false, false, true));
        readiness.prepared(false);
        assert_eq!((readiness.may_ask().is_ok(), readiness.may_start(), readiness.limits_agree()), (true, false, false));
        readiness.prepared(true);
        assert_eq!((readiness.may_ask().is_ok(), readiness.may_start(), readiness.limits_agree()), (true, true, true));
    }
}
