//! What the rooms of every feature share. A feature picks what it needs; nothing here names a feature, or knows what an
//! event means. Keys, rights and payloads are the feature's, and come in as data.
//!
//! A feature with rules of its own writes its own scripts and includes what it shares with others from `lua/rooms/lib`. A
//! feature whose rules need no script calls the scripts of `lua/rooms` by the typed functions here.

pub mod audit;
pub mod clock;
pub mod coalesce;
pub mod expiry;
pub mod history;
pub mod lease;
pub mod pending;
pub mod presence;
pub mod relay;
pub mod rounds;
pub mod scripts;
pub mod share;
pub mod timers;
pub mod worker;
