//! What every layer may use: names that travel, the phases of a process, an error in one line, a lock that outlives a panic.

pub mod drain;
pub mod error;
pub mod ids;
pub mod sync;
