//! What every layer may use: names that travel, the phases of a process, a lock that outlives a panic.

pub mod drain;
pub mod ids;
pub mod sync;
