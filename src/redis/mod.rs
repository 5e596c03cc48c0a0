//! What the hub knows of Redis: where each slot lives, how commands reach it, and the scripts it runs there.

pub mod commit;
pub mod keys;
pub mod script;
pub mod scripts;
pub mod subscriber;
pub mod topology;
