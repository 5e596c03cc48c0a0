//! The sessions that have gone to another node a moment ago: who comes late for them is told so, and not that they never were.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::core::sync::lock;

/// How long they are remembered.
const MEMORY: Duration = Duration::from_secs(10);
/// How many; beyond it the oldest are forgotten.
const MOST: usize = 20_000;

#[derive(Default)]
pub struct Moved(Mutex<State>);

#[derive(Default)]
struct State {
    sids: HashSet<Box<str>>,
    order: VecDeque<(Instant, Box<str>)>,
}

impl Moved {
    pub fn note(&self, sid: &str) {
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
