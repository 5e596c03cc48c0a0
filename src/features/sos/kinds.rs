//! The kinds of scope that this feature has: one scope for each SOS, and the one of those who watch every SOS.

use crate::core::{Kind, ScopeId};

pub const SOS: Kind = Kind::of("sos");
pub const WATCH: Kind = Kind::of("watch");

/// The scope of an SOS.
pub fn scope(sos: &str) -> ScopeId {
    ScopeId { kind: SOS, id: sos.into() }
}

/// The scope of those who watch every SOS.
pub fn watch() -> ScopeId {
    ScopeId { kind: WATCH, id: "all".into() }
}
