//! The sessions that were handed over to another node a moment ago. A late upgrade request for one is refused as a second
//! upgrade, not as an unknown session.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::core::sync::lock;

/// How long a session id is remembered.
const MEMORY: Duration = Duration::from_secs(10);
/// How many are remembered; then the oldest are forgotten.
const MOST: usize = 20_000;

#[derive(Default)]
pub struct RecentlyMoved(Mutex<State>);

#[derive(Default)]
struct State {
    sids: HashSet<Box<str>>,
    order: VecDeque<(Instant, Box<str>)>,
}

impl RecentlyMoved {
    pub fn insert(&self, sid: &str) {
        let mut state = lock(&self.0);
        state.forget(MOST - 1);
        if state.sids.insert(sid.into()) {
            state.order.push_back((Instant::now(), sid.into()));
        }
    }

    pub fn contains(&self, sid: &str) -> bool {
        let mut state = lock(&self.0);
        state.forget(MOST);
        state.sids.contains(sid)
    }
}

impl State {
    fn forget(&mut self, most: usize) {
        while self.order.len() > most || self.order.front().is_some_and(|(at, _)| at.elapsed() > MEMORY) {
            if let Some((_, sid)) = self.order.pop_front() {
                self.sids.remove(&sid);
            }
        }
    }
}
