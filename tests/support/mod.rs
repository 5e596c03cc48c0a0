//! What the integration tests and benches stand on: real servers, started and killed here.
#![allow(dead_code, reason = "every binary that includes this uses another part of it")]

use std::time::{Duration, Instant};

pub mod attendee;
pub mod booking;
pub mod client;
pub mod cluster;
pub mod codes;
pub mod commit_proxy;
pub mod guest;
pub mod haproxy;
pub mod hub;
pub mod incident;
pub mod interviewees;
pub mod issuer;
pub mod keys;
pub mod linked;
pub mod livekit;
pub mod livekit_proxy;
pub mod load;
pub mod metrics;
pub mod msgpack;
pub mod node;
pub mod openapi;
pub mod pair;
pub mod participant;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod realtime;
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
pub mod unconfirmed;
pub mod vendors;
pub mod worst;

/// How long a fact may take to come true, and an answer to come, unless a test says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(40);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until the fact holds; fails with its name after [`DEADLINE`].
#[track_caller]
pub fn eventually(fact: &str, holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    eventually_within(DEADLINE.as_secs(), fact, holds)
}

/// [`eventually`] for what takes longer by its nature.
#[track_caller]
pub fn eventually_within(seconds: u64, fact: &str, mut holds: impl FnMut() -> bool) -> impl Future<Output = ()> {
    let never = never(seconds, fact);
    async move {
        while !holds() {
            never();
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// [`eventually`] for a fact that has to be asked for.
#[track_caller]
pub fn eventually_asked(fact: &str, holds: impl AsyncFn() -> bool) -> impl Future<Output = ()> {
    let never = never(DEADLINE.as_secs(), fact);
    async move {
        while !holds().await {
            never();
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// [`eventually`] outside of a runtime, for servers that start.
#[track_caller]
pub fn eventually_blocking(fact: &str, mut holds: impl FnMut() -> bool) {
    let never = never(DEADLINE.as_secs(), fact);
    while !holds() {
        never();
        std::thread::sleep(PAUSE);
    }
}

/// Fails once the time is over that begins now.
#[track_caller]
fn never(seconds: u64, fact: &str) -> impl Fn() {
    let (start, fact, caller) = (Instant::now(), fact.to_owned(), std::panic::Location::caller());
    move || assert!(start.elapsed() < Duration::from_secs(seconds), "never happened: {fact} ({caller})")
}

/// Waits for something that must come.
#[track_caller]
pub fn within<T>(what: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move { tokio::time::timeout(DEADLINE, what).await.unwrap_or_else(|_| panic!("it did not come in time ({caller})")) }
}
