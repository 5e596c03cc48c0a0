//! Ports that nobody uses.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range from which the kernel picks ports for outgoing connections, so that none of these takes one from us
/// between now and the moment when a server opens it.
const FIRST: u16 = 15_000;
const RANGE: u16 = 15_000;

/// A free TCP port of 127.0.0.1 that no other call of this process gets. Two processes start at different places.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id().wrapping_mul(97) % u32::from(RANGE)) as u16;
    for _ in 0..RANGE {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start.wrapping_add(step)) % RANGE;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("all {RANGE} ports from {FIRST} on are in use");
}
