//! Connections at the peer port that are not authenticated yet. They have few permits of their own, so that peers can always
//! connect. When all permits are taken, the oldest connection is closed: a peer authenticates with its first call.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use crate::core::sync::lock;

/// Unauthenticated connections at the same time.
pub const MOST: usize = 64;

/// The connections without a valid call so far, oldest first.
#[derive(Default)]
pub struct Unauthenticated(Mutex<VecDeque<CancellationToken>>);

/// The permit of a connection, released when this is dropped.
pub struct Permit {
    connections: Arc<Unauthenticated>,
    /// Cancelled when a newer connection has taken it.
    pub taken: CancellationToken,
}

impl Unauthenticated {
    pub fn admit(self: &Arc<Self>) -> Permit {
        let taken = CancellationToken::new();
        let mut all = lock(&self.0);
        if all.len() >= MOST
            && let Some(oldest) = all.pop_front()
        {
            oldest.cancel();
        }
        all.push_back(taken.clone());
        Permit { connections: self.clone(), taken }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        // A permit that was taken over is not in the list any more.
        if !self.taken.is_cancelled() {
            self.taken.cancel();
            lock(&self.connections.0).retain(|taken| !taken.is_cancelled());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_connection_gets_a_permit_and_the_oldest_loses_its_own() {
        let connections = Arc::new(Unauthenticated::default());
        let mut permits: Vec<_> = (0..MOST).map(|_| connections.admit()).collect();
        drop(permits.remove(10));
        permits.push(connections.admit());
        assert!(permits.iter().all(|permit| !permit.taken.is_cancelled()), "there was one free");
        let newest = connections.admit();
        assert!(permits[0].taken.is_cancelled() && !permits[1].taken.is_cancelled() && !newest.taken.is_cancelled());
        drop(permits);
        drop(newest);
        assert!(lock(&connections.0).is_empty());
    }
}
