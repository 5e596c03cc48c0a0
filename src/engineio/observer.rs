//! What an observer of an engine is told.

use super::CloseReason;

/// Is told what passes through the sessions of an engine, while [`Config::observer`](super::Config) is open. Called for every
/// packet, with locks held: none of these may block, or call the engine.
pub trait Observer: Send + Sync + 'static {
    /// A client has opened a session.
    fn opened(&self);

    fn closed(&self, reason: CloseReason);

    /// A message of a client, of so many bytes.
    fn received(&self, bytes: usize);

    /// A packet was queued for a client.
    fn sent(&self, bytes: usize);
}
