//! What every layer may use: names that travel, places in a log, the clock, the phases of a process, an error in one line, a lock that
//! outlives a panic, a place to listen in.

pub mod clock;
pub mod drain;
pub mod error;
pub mod ids;
mod kind;
mod position;
mod scope;
pub mod sync;
mod tap;
mod text;
pub mod wire;

pub use kind::Kind;
pub use position::{Offset, Position, StreamId};
pub use scope::ScopeId;
pub use tap::Tap;
