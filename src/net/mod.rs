//! What every port of this process needs against abuse: a memory budget, time limits for reading and writing, limits for each
//! subscriber, and a limit on file descriptors.
//!
//! This module knows bytes, addresses and sockets, and nothing of what is served.

pub mod body;
pub mod budget;
pub mod descriptors;
mod stream;
mod subscriber;

pub use budget::{Budget, Hold};
pub use stream::{HTTP_CONNECTION, HeadBytes, LONGEST_HEAD, Stream};
pub use subscriber::subscriber;

use std::time::Duration;

/// How long a client may neither read nor send a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Between two bytes of a body.
    pub body_pause: Duration,
    /// For a whole body.
    pub body: Duration,
    /// While something waits to be written and the client reads none of it.
    pub write: Duration,
    /// From a connection to its first whole request head.
    pub first_head: Duration,
    /// Between an answer and the next whole request head.
    pub keep_alive: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            body_pause: Duration::from_secs(10),
            body: Duration::from_secs(120),
            write: Duration::from_secs(30),
            first_head: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
        }
    }
}
