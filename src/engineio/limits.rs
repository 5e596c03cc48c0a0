//! Who may open a session: bounds on sessions in all, sessions of an address, and handshakes a second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Instant;

use super::Config;
use crate::sync::lock;

/// Why a handshake is refused. All of them are answered with 503 and `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many sessions in all.
    Connections,
    /// Too many sessions of this address.
    Address,
    /// Too many handshakes in a second.
    Handshakes,
}

pub struct Admission {
    max: usize,
    max_per_address: usize,
    rate: f64,
    burst: f64,
    state: Mutex<State>,
}

struct State {
    open: usize,
    /// Only addresses that have a session, so it is bounded by their number.
    by_address: HashMap<IpAddr, usize>,
    /// A token bucket that holds a quarter of a second's worth: a burst that is admitted at once keeps all others waiting.
    tokens: f64,
    refilled: Instant,
}

impl Admission {
    pub fn new(config: &Config) -> Self {
        let rate = f64::from(config.handshakes_per_second);
        let burst = (rate / 4.0).max(rate.min(1.0));
        let state = State { open: 0, by_address: HashMap::new(), tokens: burst, refilled: Instant::now() };
        Self {
            max: config.max_connections,
            max_per_address: config.max_connections_per_address,
            rate,
            burst,
            state: Mutex::new(state),
        }
    }

    /// Takes a place for a session; [`Admission::release`] gives it back.
    pub fn admit(&self, address: IpAddr) -> Result<(), Refusal> {
        let mut state = lock(&self.state);
        let now = Instant::now();
        let earned = now.duration_since(state.refilled).as_secs_f64() * self.rate;
        state.tokens = (state.tokens + earned).min(self.burst);
        state.refilled = now;
        if state.open >= self.max {
            return Err(Refusal::Connections);
        }
        if state.by_address.get(&address).is_some_and(|open| *open >= self.max_per_address) {
            return Err(Refusal::Address);
        }
        if state.tokens < 1.0 {
            return Err(Refusal::Handshakes);
        }
        state.tokens -= 1.0;
        state.open += 1;
        *state.by_address.entry(address).or_default() += 1;
        Ok(())
    }

    pub fn release(&self, address: IpAddr) {
        let mut state = lock(&self.state);
        state.open = state.open.saturating_sub(1);
        if let Some(open) = state.by_address.get_mut(&address) {
            *open -= 1;
            if *open == 0 {
                state.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(max: usize, per_address: usize, rate: u32) -> Admission {
        let config = Config {
            max_connections: max,
            max_connections_per_address: per_address,
            handshakes_per_second: rate,
            ..Config::default()
        };
        Admission::new(&config)
    }

    #[test]
    fn each_limit_refuses_by_its_name_and_a_place_comes_back() {
        let [a, b] = [1, 2].map(|n| IpAddr::from([10, 0, 0, n]));
        let limits = admission(3, 2, 100);
        assert_eq!((limits.admit(a), limits.admit(a)), (Ok(()), Ok(())));
        assert_eq!(limits.admit(a), Err(Refusal::Address));
        assert_eq!(limits.admit(b), Ok(()));
        assert_eq!(limits.admit(b), Err(Refusal::Connections));
        limits.release(a);
        assert_eq!(limits.admit(a), Ok(()));
        assert_eq!(admission(10, 10, 0).admit(a), Err(Refusal::Handshakes));
    }

    #[test]
    fn an_address_without_sessions_is_forgotten() {
        let limits = admission(10, 10, 100);
        let address = IpAddr::from([10, 0, 0, 1]);
        limits.admit(address).unwrap();
        limits.release(address);
        assert!(lock(&limits.state).by_address.is_empty());
    }
}
