//! What the integration tests and benches stand on: real servers, started and ended here.
#![allow(dead_code, reason = "every binary that includes this uses another part of it")]

pub mod hub;
pub mod msgpack;
pub mod raw;
pub mod server;
