//! What the integration tests and benches stand on: real servers, started and killed here.
#![allow(dead_code, reason = "every binary that includes this uses another part of it")]

use std::time::{Duration, Instant};

pub mod attendee;
pub mod booking;
pub mod client;
pub mod cluster;
pub mod commit_proxy;
pub mod haproxy;
pub mod hub;
pub mod keys;
pub mod linked;
pub mod livekit;
pub mod livekit_proxy;
pub mod load;
pub mod metrics;
pub mod msgpack;
pub mod node;
pub mod pair;
pub mod participant;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod redis;
pub mod returning;
pub mod roamer;
pub mod roster;
pub mod sentinel;
pub mod server;
pub mod sever;
pub mod sockets;
pub mod sos_ms;
pub mod speaker;
pub mod stub_http;
pub mod talker;
pub mod vendors;
pub mod worst;

/// Waits until the fact holds; fails with its name after ten seconds.
#[track_caller]
pub fn eventually(fact: &str, holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    eventually_within(10, fact, holds)
}

/// [`eventually`] for what takes longer by its nature.
#[track_caller]
pub fn eventually_within(seconds: u64, fact: &str, holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let mut holds = holds;
    let fact = fact.to_owned();
    let caller = std::panic::Location::caller();
    async move {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(seconds), "never happened: {fact} ({caller})");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
