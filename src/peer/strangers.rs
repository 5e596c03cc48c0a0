//! Connections at the peer port that are not authenticated yet. They have few places of their own, so that peers can always
//! connect. When all places are taken, the oldest connection is closed: a peer authenticates with its first call.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use crate::core::sync::lock;

/// Unauthenticated connections at the same time.
pub const MOST: usize = 64;

#[derive(Default)]
pub struct Strangers(Mutex<VecDeque<CancellationToken>>);

/// The place of a connection, released when this is dropped.
pub struct Place {
    strangers: Arc<Strangers>,
    /// Cancelled when a newer connection has taken it.
    pub taken: CancellationToken,
}

impl Strangers {
    pub fn admit(self: &Arc<Self>) -> Place {
        let taken = CancellationToken::new();
        let mut all = lock(&self.0);
        if all.len() >= MOST
            && let Some(oldest) = all.pop_front()
        {
            oldest.cancel();
        }
        all.push_back(taken.clone());
        Place { strangers: self.clone(), taken }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // A place that was taken over is not in the list any more.
        if !self.taken.is_cancelled() {
            self.taken.cancel();
            lock(&self.strangers.0).retain(|taken| !taken.is_cancelled());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_finds_a_place_and_the_oldest_loses_his() {
        let strangers = Arc::new(Strangers::default());
        let mut places: Vec<_> = (0..MOST).map(|_| strangers.admit()).collect();
        drop(places.remove(10));
        places.push(strangers.admit());
        assert!(places.iter().all(|place| !place.taken.is_cancelled()), "there was one free");
        let newest = strangers.admit();
        assert!(places[0].taken.is_cancelled() && !places[1].taken.is_cancelled() && !newest.taken.is_cancelled());
        drop(places);
        drop(newest);
        assert!(lock(&strangers.0).is_empty());
    }
}
