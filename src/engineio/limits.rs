//! Who may open a session: bounds on sessions in all and of one subscriber, and on handshakes a second, likewise. What binds
//! the subscriber comes first, so that one of them cannot use up what is there for all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;

use tokio::time::Instant;

use super::Config;
use crate::core::sync::lock;
use crate::net::subscriber;

/// Why a handshake is refused. All of them are answered with 503 and `Retry-After`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too many sessions in all.
    Connections,
    /// Too many sessions of this subscriber.
    Address,
    /// Too many handshakes in a second.
    Handshakes,
    /// Too many of this subscriber.
    AddressHandshakes,
    /// The memory budget is used up.
    Memory,
}

impl Refusal {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connections => "too many connections",
            Self::Address => "too many connections from this address",
            Self::Handshakes => "too many handshakes",
            Self::AddressHandshakes => "too many handshakes from this address",
            Self::Memory => "no memory left",
        }
    }
}

pub struct HandshakeLimits {
    max: usize,
    max_per_address: usize,
    rate: Rate,
    rate_per_address: Rate,
    state: Mutex<State>,
}

struct State {
    open: usize,
    node: Bucket,
    /// Those who have a session, or a bucket that is not full: at most as many as there are places, and handshakes in the time
    /// in which a bucket fills.
    subscribers: HashMap<IpAddr, Subscriber>,
    /// At how many subscribers those are looked for who can be forgotten.
    sweep_at: usize,
}

struct Subscriber {
    open: usize,
    bucket: Bucket,
}

/// Handshakes a second, a part of them at once.
#[derive(Clone, Copy)]
struct Rate {
    per_second: f64,
    burst: f64,
}

impl Rate {
    /// `part` of a second's worth may come at once.
    fn new(per_second: u32, part: f64) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, burst: (per_second * part).max(per_second.min(1.0)) }
    }
}

/// A token bucket.
struct Bucket {
    tokens: f64,
    refilled: Instant,
}

impl Bucket {
    fn full(rate: Rate, now: Instant) -> Self {
        Self { tokens: rate.burst, refilled: now }
    }

    /// What is in it now.
    fn refill(&mut self, rate: Rate, now: Instant) -> f64 {
        let earned = now.duration_since(self.refilled).as_secs_f64() * rate.per_second;
        self.tokens = (self.tokens + earned).min(rate.burst);
        self.refilled = now;
        self.tokens
    }
}

const SWEEP_AT: usize = 1_024;

impl HandshakeLimits {
    pub fn new(config: &Config) -> Self {
        // A burst that is admitted at once keeps all others waiting, so the node takes a quarter of a second's worth. The phones
        // behind one address come back together.
        let rate = Rate::new(config.handshakes_per_second, 0.25);
        let rate_per_address = Rate::new(config.handshakes_per_second_per_address, 0.5);
        let node = Bucket::full(rate, Instant::now());
        let state = State { open: 0, node, subscribers: HashMap::new(), sweep_at: SWEEP_AT };
        Self {
            max: config.max_connections,
            max_per_address: config.max_connections_per_address,
            rate,
            rate_per_address,
            state: Mutex::new(state),
        }
    }

    /// Takes a place for a session; [`HandshakeLimits::release`] gives it back.
    pub fn admit(&self, address: IpAddr) -> Result<(), Refusal> {
        self.admit_at(address, Instant::now())
    }

    fn admit_at(&self, address: IpAddr, now: Instant) -> Result<(), Refusal> {
        let address = subscriber(address);
        let mut state = lock(&self.state);
        let mut known = state.subscribers.get_mut(&address);
        if known.as_ref().is_some_and(|known| known.open >= self.max_per_address) {
            return Err(Refusal::Address);
        }
        if known.as_mut().is_some_and(|known| known.bucket.refill(self.rate_per_address, now) < 1.0) {
            return Err(Refusal::AddressHandshakes);
        }
        if state.open >= self.max {
            return Err(Refusal::Connections);
        }
        if state.node.refill(self.rate, now) < 1.0 {
            return Err(Refusal::Handshakes);
        }
        if self.rate_per_address.burst < 1.0 {
            return Err(Refusal::AddressHandshakes);
        }
        state.node.tokens -= 1.0;
        state.open += 1;
        self.forget_idle(&mut state, now);
        let new = || Subscriber { open: 0, bucket: Bucket::full(self.rate_per_address, now) };
        let subscriber = state.subscribers.entry(address).or_insert_with(new);
        subscriber.open += 1;
        subscriber.bucket.tokens -= 1.0;
        Ok(())
    }

    /// Forgets those of whom nothing need be known. Seldom enough that it costs each handshake next to nothing.
    fn forget_idle(&self, state: &mut State, now: Instant) {
        if state.subscribers.len() >= state.sweep_at {
            let rate = self.rate_per_address;
            state.subscribers.retain(|_, known| known.open > 0 || known.bucket.refill(rate, now) < rate.burst);
            state.sweep_at = (2 * state.subscribers.len()).max(SWEEP_AT);
        }
    }

    pub fn release(&self, address: IpAddr) {
        let mut state = lock(&self.state);
        state.open = state.open.saturating_sub(1);
        if let Some(known) = state.subscribers.get_mut(&subscriber(address)) {
            known.open = known.open.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn admission(change: impl FnOnce(&mut Config)) -> HandshakeLimits {
        let mut config = Config { handshakes_per_second: 100, ..Config::default() };
        change(&mut config);
        HandshakeLimits::new(&config)
    }

    #[test]
    fn each_limit_refuses_by_its_name_and_a_place_comes_back() {
        let [a, b] = [1, 2].map(|n| IpAddr::from([10, 0, 0, n]));
        let limits = admission(|config| (config.max_connections, config.max_connections_per_address) = (3, 2));
        assert_eq!((limits.admit(a), limits.admit(a)), (Ok(()), Ok(())));
        assert_eq!(limits.admit(a), Err(Refusal::Address));
        assert_eq!(limits.admit(b), Ok(()));
        assert_eq!(limits.admit(b), Err(Refusal::Connections));
        limits.release(a);
        assert_eq!(limits.admit(a), Ok(()));
        assert_eq!(admission(|config| config.handshakes_per_second = 0).admit(a), Err(Refusal::Handshakes));
        assert_eq!(admission(|config| config.handshakes_per_second_per_address = 0).admit(a), Err(Refusal::AddressHandshakes));
    }

    #[test]
    fn who_opens_and_breaks_sessions_uses_up_its_own_handshakes_and_not_those_of_others() {
        let limits = admission(|config| config.handshakes_per_second_per_address = 20);
        let (start, attacker) = (Instant::now(), "2001:db8::1".parse().unwrap());
        let (mut admitted, mut refused) = (0, 0);
        for ms in 0..2_000 {
            let now = start + Duration::from_millis(ms);
            // Another address of the same subscriber each time.
            let address = format!("2001:db8::{ms:x}").parse().unwrap();
            match limits.admit_at(address, now) {
                Ok(()) => {
                    admitted += 1;
                    limits.release(attacker);
                }
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::AddressHandshakes);
                    refused += 1;
                }
            }
            if ms % 20 == 0 {
                let other = IpAddr::from([10, 0, (ms / 256) as u8, ms as u8]);
                assert_eq!(limits.admit_at(other, now), Ok(()), "after {ms} ms");
            }
        }
        assert!((49..=50).contains(&admitted) && refused > 1_900, "{admitted} {refused}");
    }

    #[test]
    fn a_subscriber_without_sessions_is_forgotten_when_its_bucket_is_full_again() {
        let limits = admission(|config| config.handshakes_per_second = 1_000_000);
        let start = Instant::now();
        for host in 0..SWEEP_AT as u32 {
            let address = IpAddr::from(host.to_be_bytes());
            limits.admit_at(address, start).unwrap();
            limits.release(address);
        }
        let stays = IpAddr::from([200, 1, 1, 1]);
        limits.admit_at(stays, start + Duration::from_secs(2)).unwrap();
        let state = lock(&limits.state);
        assert_eq!((state.subscribers.len(), state.open), (1, 1));
    }
}
