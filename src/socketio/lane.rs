//! What one socket still has to do, one thing after another.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Instant;

use tokio_util::task::task_tracker::TaskTrackerToken;

use super::turnstile::Turn;
use super::{Config, DisconnectReason, Event};
use crate::sync::lock;

pub enum Job {
    /// With the newcomer's turn at the turnstile.
    Connected(Option<Turn>),
    /// Instead of `Connected`: it goes on where it was.
    Resumed(Option<Turn>),
    Event(Event),
    /// Counted as leaving until it is done.
    Disconnected(DisconnectReason, Option<TaskTrackerToken>),
}

/// Why an event does not get into the lane. Both are `RATE_LIMITED` to the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    TooMany,
    QueueFull,
}

/// A large event counts as several: events are kept in the scope's log for a while, and that must have a bound in bytes too.
const BYTES_PER_TOKEN: usize = 16_384;

/// A queue that a task works off; the task lives only while there is work.
pub struct Lane {
    state: Mutex<State>,
}

struct State {
    jobs: VecDeque<Job>,
    running: bool,
    /// A token bucket.
    tokens: f32,
    refilled: Instant,
}

impl Lane {
    pub fn new(config: &Config) -> Self {
        let state = State { jobs: VecDeque::new(), running: false, tokens: config.event_burst as f32, refilled: Instant::now() };
        Self { state: Mutex::new(state) }
    }

    /// Adds an event; true when the caller owes a task that works the lane off.
    pub fn push_event(&self, event: Event, config: &Config) -> Result<bool, Refused> {
        let mut state = lock(&self.state);
        if state.jobs.len() >= config.max_queued_events {
            return Err(Refused::QueueFull);
        }
        state.take_tokens(1 + event.args.size() / BYTES_PER_TOKEN, config)?;
        Ok(state.push(Job::Event(event)))
    }

    /// Counts an event that was refused before it could become one.
    pub fn count(&self, config: &Config) -> Result<(), Refused> {
        lock(&self.state).take_tokens(1, config)
    }

    /// Adds what is not the client's to limit; true when the caller owes a task.
    pub fn push(&self, job: Job) -> bool {
        lock(&self.state).push(job)
    }

    /// Drops the events that wait.
    pub fn forget_events(&self) {
        lock(&self.state).jobs.retain(|job| !matches!(job, Job::Event(_)));
    }

    /// Whether nothing waits and nothing is being done.
    pub fn is_idle(&self) -> bool {
        !lock(&self.state).running
    }

    /// The next job, or `None` when the task may end.
    pub fn next(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        let job = state.jobs.pop_front();
        if job.is_none() {
            state.running = false;
            state.jobs = VecDeque::new();
        }
        job
    }
}

impl State {
    fn take_tokens(&mut self, wanted: usize, config: &Config) -> Result<(), Refused> {
        let now = Instant::now();
        let earned = now.duration_since(self.refilled).as_secs_f32() * config.events_per_second as f32;
        self.tokens = (self.tokens + earned).min(config.event_burst as f32);
        self.refilled = now;
        // However small the burst is, an event of any legal size gets through when all is quiet.
        let cost = (wanted as f32).min(config.event_burst as f32).max(1.0);
        if self.tokens < cost {
            return Err(Refused::TooMany);
        }
        self.tokens -= cost;
        Ok(())
    }

    fn push(&mut self, job: Job) -> bool {
        self.jobs.push_back(job);
        !std::mem::replace(&mut self.running, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::event::Args;

    fn event() -> Event {
        Event { name: "x".into(), args: Args::event("x", "{}"), ack_id: None }
    }

    #[test]
    fn a_burst_is_taken_and_the_next_event_refused() {
        let config = Config { events_per_second: 0, event_burst: 3, ..Config::default() };
        let lane = Lane::new(&config);
        assert_eq!(lane.push_event(event(), &config), Ok(true));
        assert_eq!(lane.push_event(event(), &config), Ok(false));
        assert_eq!(lane.push_event(event(), &config), Ok(false));
        assert_eq!(lane.push_event(event(), &config), Err(Refused::TooMany));
    }

    #[test]
    fn an_event_that_was_refused_for_its_form_counts_as_well() {
        let config = Config { events_per_second: 0, event_burst: 2, ..Config::default() };
        let lane = Lane::new(&config);
        assert_eq!(lane.count(&config), Ok(()));
        assert_eq!(lane.push_event(event(), &config), Ok(true));
        assert_eq!(lane.count(&config), Err(Refused::TooMany));
    }

    #[test]
    fn a_large_event_counts_as_several_and_one_always_gets_through() {
        let large = || Event { args: Args::event("x", &format!("\"{}\"", "x".repeat(5 * BYTES_PER_TOKEN))), ..event() };
        let config = Config { events_per_second: 0, event_burst: 8, ..Config::default() };
        let lane = Lane::new(&config);
        assert_eq!(lane.push_event(large(), &config), Ok(true));
        assert_eq!(lane.push_event(large(), &config), Err(Refused::TooMany));
        assert_eq!(lane.push_event(event(), &config), Ok(false));
        let small = Config { event_burst: 2, ..config };
        assert_eq!(Lane::new(&small).push_event(large(), &small), Ok(true));
    }

    #[test]
    fn a_full_queue_refuses_events_but_takes_the_end() {
        let config = Config { max_queued_events: 1, ..Config::default() };
        let lane = Lane::new(&config);
        lane.push_event(event(), &config).unwrap();
        assert_eq!(lane.push_event(event(), &config), Err(Refused::QueueFull));
        lane.push(Job::Disconnected(DisconnectReason::Client, None));
        assert!(matches!(lane.next(), Some(Job::Event(_))));
        assert!(matches!(lane.next(), Some(Job::Disconnected(..))));
        assert!(lane.next().is_none());
        assert!(lane.push(Job::Connected(None)), "an empty lane needs a new task");
    }
}
