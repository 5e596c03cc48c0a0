//! Every node looks for timers that are due, at every part of the hints, at moments of its own.
//!
//! There is no lease and no leader. The more nodes there are, the more seldom each looks, so that all together look equally
//! often. All parts are asked in one go: over a connection that is one pipeline, and an idle node wakes a few times a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, FuturesUnordered};
use rand::Rng;
use tokio::sync::OwnedSemaphorePermit;

use super::Timers;
use super::scripts::{Taken, timers_settle, timers_take};
use crate::core::sync::lock;
use crate::redis::keys;

/// How often one or two nodes look; more nodes look more seldom.
const EVERY: Duration = Duration::from_millis(250);
/// For how long a scope is taken. A node that has not settled it by then is presumed dead or slow.
pub(super) const HOLD: Duration = Duration::from_millis(500);
/// Scopes that a look takes of one part at first, which on an idle system is all that there is …
const FIRST: usize = 8;
/// … and then, once there is a place for them.
const MOST: usize = 64;
/// Scopes at which this node looks at once, beyond the first ones: no more than it settles before others take them.
pub(super) const PLACES: usize = 8 * MOST;
/// With so many under way, because their handlers are slow, no more are taken.
const MOST_LOOKS: usize = 4 * PLACES;

/// The parts of the hints: their keys, and which of them are being worked on.
pub(super) struct Parts(Vec<(String, AtomicBool)>);

impl Parts {
    pub fn new(count: u16) -> Self {
        Self((0..count).map(|part| (keys::timers(part), AtomicBool::new(false))).collect())
    }
}

/// One part of which this node takes scopes. Nothing else here does until this is dropped.
struct Busy {
    timers: Arc<Timers>,
    part: u16,
}

/// A scope at which this node looks. Nothing else here does until this is dropped, however often it is taken.
struct Look<'a> {
    timers: &'a Timers,
    name: String,
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        lock(&self.timers.looks).remove(&self.name);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.timers.parts.0[usize::from(self.part)].1.store(false, Ordering::Release);
    }
}

impl Timers {
    /// Begins to fire what is due. It ends with the last [`Arc`]. Must be called inside a Tokio runtime.
    pub fn start(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        tokio::spawn(async move {
            // Nodes that started together shall not look together.
            let mut pause = EVERY.mul_f64(rand::rng().random_range(0.0..1.0));
            loop {
                tokio::time::sleep(pause).await;
                let Some(timers) = weak.upgrade() else { return };
                pause = timers.every().mul_f64(rand::rng().random_range(0.9..1.1));
                if timers.scopes.may_act().await && lock(&timers.looks).len() < MOST_LOOKS {
                    tokio::spawn(timers.poll_all());
                }
            }
        });
    }

    /// How often this node looks, so that all together look twice in [`EVERY`].
    fn every(&self) -> Duration {
        let live = self.scopes.registry().map_or(1, |registry| registry.count().1);
        EVERY.mul_f64((live as f64 / 2.0).max(1.0))
    }

    /// Polls every part of which nothing is being taken and whose master answers.
    fn poll_all(self: Arc<Self>) -> impl Future<Output = ()> + Send {
        let redis = self.scopes.redis();
        let polls: FuturesUnordered<_> = (0..)
            .zip(&self.parts.0)
            .filter(|(_, (key, busy))| redis.is_up(key) && !busy.swap(true, Ordering::Acquire))
            .map(|(part, _)| Busy { timers: self.clone(), part })
            .map(poll)
            .collect();
        polls.for_each(|()| async {})
    }

    /// Looks at scopes that were taken, and notes when to look again, each as soon as that is known.
    async fn look_at(self: Arc<Self>, part: u16, taken: Vec<Taken>) {
        let count = taken.len().max(1);
        let look = async |taken: Taken| {
            let _look = Look { timers: &self, name: taken.name.clone() };
            self.settle(taken).await
        };
        let looks = stream::iter(taken).map(look).buffer_unordered(count).ready_chunks(count);
        let mut looks = std::pin::pin!(looks);
        while let Some(settled) = looks.next().await {
            // What cannot be noted is taken again, by this node or another one.
            if let Err(error) = timers_settle(self.scopes.redis(), part, &settled).await {
                tracing::debug!(part, %error, "timers are looked at again, since it cannot be noted that they were");
            }
        }
    }
}

/// Takes what is due of one part, until there is no more.
async fn poll(busy: Busy) {
    let Busy { timers, part } = &busy;
    let (mut most, mut place) = (FIRST, None::<OwnedSemaphorePermit>);
    while timers.scopes.may_act().await {
        let taken = match timers_take(timers.scopes.redis(), *part, most, HOLD).await {
            Ok(taken) if !taken.is_empty() => taken,
            _ => return,
        };
        let is_full = taken.len() == most;
        let new: Vec<Taken> = {
            let mut looks = lock(&timers.looks);
            taken.into_iter().filter(|taken| looks.insert(taken.name.clone())).collect()
        };
        // A task of its own: a slow handler holds up nothing else, and a great many are spread over the cores.
        let looking = timers.clone().look_at(*part, new);
        tokio::spawn(async move {
            looking.await;
            drop(place);
        });
        if !is_full {
            return;
        }
        most = MOST;
        place = timers.places.clone().acquire_many_owned(MOST as u32).await.ok();
    }
}
