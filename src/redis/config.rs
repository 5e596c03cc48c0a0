//! Where Redis is and how patient we are with it.

use std::time::Duration;

/// The settings of the client. [`RedisConfig::new`] gives all but the URL their defaults.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `redis://[user:password@]host:port[/db]`, `rediss://…`, `redis-cluster://[user:password@]host:port,host:port`,
    /// `rediss-cluster://…`, `redis-sentinel://[user:password@]host:port,host:port/service[/db]`.
    pub url: String,
    /// Do not fail at start when Redis is down.
    pub lazy: bool,
    /// How long a call may take in all, repeats included.
    pub deadline: Duration,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long a pipeline may stay unanswered before its connection is given up.
    pub response_timeout: Duration,
    /// Calls that may wait for one master; one more is `Unavailable` at once.
    pub queue: usize,
    /// Replicas that must confirm an acknowledged write, where the master has any; 0 asks none.
    pub ack_replicas: usize,
    /// How long a pipeline waits for these confirmations.
    pub ack_timeout: Duration,
    /// Published messages of one master that may wait for [`Sink::message`](super::Sink::message); beyond it they are dropped
    /// and the master's channels get a [`Sink::gap`](super::Sink::gap).
    pub push_queue: usize,
    /// How often the slot table is read even if nothing seems wrong.
    pub refresh: Duration,
    /// How often the subscriber connections are pinged, and how long the answer may take.
    pub ping: Duration,
}

impl RedisConfig {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            lazy: true,
            deadline: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(2),
            queue: 16_384,
            ack_replicas: 1,
            ack_timeout: Duration::from_millis(500),
            push_queue: 16_384,
            refresh: Duration::from_secs(1),
            ping: Duration::from_secs(2),
        }
    }
}
