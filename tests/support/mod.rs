//! What the integration tests and benches stand on: real servers, started and killed here.
#![allow(dead_code, reason = "every binary that includes this uses another part of it")]

pub mod haproxy;
pub mod keys;
pub mod node;
pub mod ports;
pub mod process;
pub mod stub_http;
