//! The queue of one socket: its events and its connect and disconnect handlers, run one after another.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio_util::task::task_tracker::TaskTrackerToken;

use super::connect_limiter::ConnectPermit;
use super::{Arrival, Config, DisconnectReason, Event};
use crate::core::sync::lock;

pub enum Job {
    /// With the permit of its CONNECT, if it has one.
    Arrived(Arrival, Option<ConnectPermit>),
    Event(Event),
    /// Counted as leaving until it is done.
    Disconnected(DisconnectReason, Option<TaskTrackerToken>),
}

/// Too many events wait already; this one is given back.
#[derive(Debug)]
pub struct QueueFull(pub Event);

/// A queue with a task that lives only while there is work.
#[derive(Default)]
pub struct EventQueue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    running: bool,
}

impl EventQueue {
    /// Adds an event; true when the caller must spawn the task.
    pub fn push_event(&self, event: Event, config: &Config) -> Result<bool, QueueFull> {
        let mut state = lock(&self.state);
        if state.jobs.len() >= config.max_queued_events {
            return Err(QueueFull(event));
        }
        Ok(state.push(Job::Event(event)))
    }

    /// Adds a job that has no limit; true when the caller must spawn the task.
    pub fn push(&self, job: Job) -> bool {
        lock(&self.state).push(job)
    }

    /// Drops the events that wait.
    pub fn forget_events(&self) {
        lock(&self.state).jobs.retain(|job| !matches!(job, Job::Event(_)));
    }

    /// Whether nothing waits and nothing runs.
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
    fn a_full_queue_refuses_events_but_takes_the_end() {
        let config = Config { max_queued_events: 1, ..Config::default() };
        let queue = EventQueue::default();
        queue.push_event(event(), &config).unwrap();
        assert!(matches!(queue.push_event(event(), &config), Err(QueueFull(_))));
        queue.push(Job::Disconnected(DisconnectReason::Client, None));
        assert!(matches!(queue.next(), Some(Job::Event(_))));
        assert!(matches!(queue.next(), Some(Job::Disconnected(..))));
        assert!(queue.next().is_none());
        assert!(queue.push(Job::Arrived(Arrival::New, None)), "an empty queue needs a new task");
    }
}
