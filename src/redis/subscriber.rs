//! Sharded subscriptions: one subscriber connection for each master, and no silence that goes unnoticed.

use std::sync::Arc;

use bytes::Bytes;

use super::RedisError;

/// Where published messages go. Called from one task per master, which drains that master's queue in batches: both must
/// return soon and never block.
pub trait Sink: Send + Sync + 'static {
    /// A message, in the order of its channel. `channel` is as subscribed; see [`keys::parse_channel`](super::keys::parse_channel).
    fn message(&self, channel: &[u8], payload: Bytes);

    /// These channels may have missed messages (the connection broke, the slot moved, the queue overflowed) and are
    /// subscribed again: read their logs.
    fn gap(&self, channels: &[Arc<str>]);
}

/// The wanted set of channels, kept subscribed wherever their slots live.
pub struct Subscriber {}

#[allow(unused_variables, clippy::todo)]
impl Subscriber {
    /// Says where messages go; before, they are dropped. The first call counts.
    pub fn set_sink(&self, sink: Arc<dyn Sink>) {
        todo!()
    }

    /// Wants a channel from now on. Resolves when Redis has confirmed it; `Unavailable` if that takes longer than the
    /// deadline, in which case the channel is no longer wanted unless another caller wants it too.
    pub async fn subscribe(&self, channel: &str) -> Result<(), RedisError> {
        todo!()
    }

    /// Wants it no longer. Messages already received may still come. Redis is told soon.
    pub async fn unsubscribe(&self, channel: &str) {
        todo!()
    }
}
