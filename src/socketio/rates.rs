//! How many events a client may send: per session, over all of its namespaces, and per user, over all of the user's sockets on
//! this node.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::Config;
use crate::core::sync::lock;
use crate::engineio::{Bucket, Rate};
use crate::settings::EVENT_BYTES;

/// How many bytes a refused event counts as read: a client that keeps sending beyond its limit is read more slowly, so that the
/// number of refusals is bounded too.
pub const REFUSAL: usize = 1_024;

/// How much an event of so many bytes counts. A large one counts as several: events are kept in the scope's log for a while,
/// whose bytes must be bounded too.
pub fn cost(bytes: usize) -> f64 {
    (1 + bytes / EVENT_BYTES) as f64
}

impl Config {
    pub(super) fn events(&self) -> Rate {
        Rate { per_second: self.events_per_second.into(), burst: f64::from(self.event_burst).max(1.0) }
    }

    /// A user may have several sockets, each with a burst.
    fn events_of_user(&self) -> Rate {
        let per_second = f64::from(self.events_per_second_per_user);
        Rate { per_second, burst: (2.0 * per_second).max(self.event_burst.into()).max(1.0) }
    }

    pub(super) fn connects(&self) -> Rate {
        let per_minute = f64::from(self.connects_per_minute);
        Rate { per_second: per_minute / 60.0, burst: per_minute.max(1.0) }
    }
}

/// What one session may still send.
pub struct Allowance {
    events: Bucket,
    connects: Bucket,
}

impl Allowance {
    pub fn new(config: &Config) -> Self {
        Self { events: Bucket::full(config.events()), connects: Bucket::full(config.connects()) }
    }

    /// The allowance of a session from another node. A node of an earlier release does not send it.
    pub fn arriving(events: Option<f64>, connects: Option<f64>, config: &Config) -> Self {
        let bucket = |left: Option<f64>, rate| left.map_or_else(|| Bucket::full(rate), |left| Bucket::holding(left, rate));
        Self { events: bucket(events, config.events()), connects: bucket(connects, config.connects()) }
    }

    /// Events and CONNECTs that are left, for the node that the session moves to.
    pub fn left(&mut self, config: &Config) -> (f64, f64) {
        (self.events.left(config.events()), self.connects.left(config.connects()))
    }

    pub fn take_event(&mut self, cost: f64, config: &Config) -> bool {
        self.events.take(cost, config.events())
    }

    pub fn take_connect(&mut self, config: &Config) -> bool {
        self.connects.take(1.0, config.connects())
    }
}

/// What one user may still send, shared by its sockets.
#[derive(Debug)]
pub struct UserAllowance {
    rate: Rate,
    events: Mutex<Bucket>,
}

impl UserAllowance {
    pub fn take_event(&self, cost: f64) -> bool {
        lock(&self.events).take(cost, self.rate)
    }

    fn is_full(&self) -> bool {
        lock(&self.events).left(self.rate) >= self.rate.burst
    }
}

/// The users of this node: those with a socket here, and for a while those who have just left, so that coming back does not
/// refill a bucket. The same name in two namespaces is two users.
pub struct Users {
    rate: Rate,
    state: Mutex<State>,
}

struct State {
    users: HashMap<(&'static str, Box<str>), Arc<UserAllowance>>,
    /// With so many users, idle ones are searched for and removed.
    sweep_at: usize,
}

const SWEEP_AT_LEAST: usize = 1_024;

impl Users {
    pub fn new(config: &Config) -> Self {
        let state = State { users: HashMap::new(), sweep_at: SWEEP_AT_LEAST };
        Self { rate: config.events_of_user(), state: Mutex::new(state) }
    }

    pub fn of(&self, namespace: &'static str, user: &str) -> Arc<UserAllowance> {
        let mut state = lock(&self.state);
        if state.users.len() >= state.sweep_at {
            state.users.retain(|_, user| Arc::strong_count(user) > 1 || !user.is_full());
            state.sweep_at = (2 * state.users.len()).max(SWEEP_AT_LEAST);
        }
        let new = || Arc::new(UserAllowance { rate: self.rate, events: Mutex::new(Bucket::full(self.rate)) });
        state.users.entry((namespace, user.into())).or_insert_with(new).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn config() -> Config {
        Config {
            events_per_second: 1,
            event_burst: 3,
            events_per_second_per_user: 2,
            connects_per_minute: 2,
            ..Config::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_taken_and_the_next_event_refused() {
        let config = config();
        let mut session = Allowance::new(&config);
        assert!((0..3).all(|_| session.take_event(cost(10), &config)));
        assert!(!session.take_event(cost(10), &config));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(session.take_event(cost(10), &config) && !session.take_event(cost(10), &config));
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_event_counts_as_several_and_one_always_gets_through() {
        let config = Config { event_burst: 8, ..config() };
        let mut session = Allowance::new(&config);
        assert!(session.take_event(cost(5 * EVENT_BYTES), &config));
        assert!(!session.take_event(cost(5 * EVENT_BYTES), &config) && session.take_event(cost(10), &config));
        let small = Config { event_burst: 2, ..config };
        assert!(Allowance::new(&small).take_event(cost(1_000_000), &small));
    }

    #[tokio::test(start_paused = true)]
    async fn connects_are_counted_by_the_minute_and_apart() {
        let config = config();
        let mut session = Allowance::new(&config);
        assert!(session.take_connect(&config) && session.take_connect(&config) && !session.take_connect(&config));
        assert!(session.take_event(cost(1), &config));
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(session.take_connect(&config) && !session.take_connect(&config));
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_that_moves_takes_what_is_left_along_and_one_that_tells_nothing_begins_anew() {
        let config = config();
        let mut session = Allowance::new(&config);
        assert!(session.take_event(2.0, &config) && session.take_connect(&config));
        let (events, connects) = session.left(&config);
        let mut moved = Allowance::arriving(Some(events), Some(connects), &config);
        assert!(moved.take_event(1.0, &config) && !moved.take_event(1.0, &config));
        assert!(moved.take_connect(&config) && !moved.take_connect(&config));
        assert!(Allowance::arriving(None, None, &config).take_event(3.0, &config));
    }

    #[tokio::test(start_paused = true)]
    async fn a_user_is_one_over_all_sockets_and_is_not_refilled_by_coming_back() {
        let users = Users::new(&config());
        let (one, two) = (users.of("/", "u"), users.of("/", "u"));
        assert!(one.take_event(3.0) && two.take_event(1.0) && !one.take_event(1.0) && !two.take_event(1.0));
        assert!(users.of("/", "other").take_event(1.0) && users.of("/interview", "u").take_event(1.0));
        drop((one, two));
        assert!(!users.of("/", "u").take_event(1.0));
    }

    #[tokio::test(start_paused = true)]
    async fn users_who_have_gone_are_forgotten_when_their_bucket_is_full() {
        let users = Users::new(&config());
        let stays = users.of("/", "stays");
        for n in 0..3 * SWEEP_AT_LEAST {
            users.of("/", &n.to_string());
        }
        assert!(lock(&users.state).users.len() <= SWEEP_AT_LEAST);
        for n in 0..SWEEP_AT_LEAST {
            assert!(users.of("/", &n.to_string()).take_event(4.0));
        }
        users.of("/", "one more");
        assert!(lock(&users.state).users.len() >= SWEEP_AT_LEAST, "nobody's bucket is refilled by being forgotten");
        assert!(stays.take_event(4.0) && !users.of("/", "stays").take_event(1.0));
    }
}
