//! Failed authentication, counted by address.
//!
//! The right token always passes, even from an address that has failed too often: behind a proxy that is not trusted all clients
//! have the same address, and a stranger's guesses must not lock out the company's own services. The limit bounds the load and
//! the log. It does not protect a secret that is short enough to be guessed. For a password, call [`FailedAuth::may_guess`]
//! before the comparison.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::http::HttpError;
use crate::net::subscriber;

/// The most failures of an address at once, and within [`PERIOD`].
const LIMIT: u32 = 20;
const PERIOD: Duration = Duration::from_secs(60);
/// How many addresses are remembered. If all of them are recent, failures of other addresses are refused.
const MAX_ADDRESSES: usize = 10_000;

/// The refusal of an address that has failed too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyRequests {
    pub limit: u32,
    /// How long until one more failure is counted as usual.
    pub retry_after: Duration,
    /// How long until all failures are forgotten.
    pub reset: Duration,
}

/// GCRA with a bucket for each address. For IPv6 it is one for each /64, because one subscriber has a whole /64.
#[derive(Default)]
pub struct FailedAuth {
    /// When the bucket of each address is empty again.
    empty_at: Mutex<HashMap<IpAddr, Instant>>,
}

impl FailedAuth {
    /// The answer to a request without a valid token: `unauthorized`, the surface's own 401, until the address has failed too
    /// often.
    pub fn refuse(&self, address: IpAddr, unauthorized: HttpError) -> HttpError {
        self.count(address, Instant::now()).map_or_else(HttpError::RateLimited, |()| unauthorized)
    }

    /// Whether this address may fail once more. Call it before the comparison of a secret that can be guessed, such as a
    /// password.
    ///
    /// # Errors
    /// [`TooManyRequests`] if it has failed too often.
    pub fn may_guess(&self, address: IpAddr, now: Instant) -> Result<(), TooManyRequests> {
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        after_one_more(&mut empty_at, subscriber(address), now).map(|_| ())
    }

    /// Counts a failure.
    ///
    /// # Errors
    /// [`TooManyRequests`] if there were too many. This one is not counted then.
    pub fn count(&self, address: IpAddr, now: Instant) -> Result<(), TooManyRequests> {
        let address = subscriber(address);
        let mut empty_at = self.empty_at.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = after_one_more(&mut empty_at, address, now)?;
        empty_at.insert(address, empty);
        Ok(())
    }
}

/// When the bucket of an address is empty again after one more failure.
fn after_one_more(empty_at: &mut HashMap<IpAddr, Instant>, address: IpAddr, now: Instant) -> Result<Instant, TooManyRequests> {
    let cost = PERIOD / LIMIT;
    if empty_at.len() >= MAX_ADDRESSES && !empty_at.contains_key(&address) {
        empty_at.retain(|_, empty| *empty > now);
        if empty_at.len() >= MAX_ADDRESSES {
            return Err(TooManyRequests { limit: LIMIT, retry_after: cost, reset: PERIOD });
        }
    }
    let empty = empty_at.get(&address).copied().unwrap_or(now).max(now) + cost;
    match (empty - now).checked_sub(PERIOD) {
        Some(excess) if !excess.is_zero() => {
            Err(TooManyRequests { limit: LIMIT, retry_after: excess, reset: empty - cost - now })
        }
        _ => Ok(empty),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_fail_so_often_and_then_waits() {
        let (failures, now) = (FailedAuth::default(), Instant::now());
        let [mine, other] = [[1, 1, 1, 1], [2, 2, 2, 2]].map(IpAddr::from);
        for _ in 0..LIMIT {
            failures.count(mine, now).unwrap();
        }
        let refused = failures.count(mine, now).unwrap_err();
        assert_eq!(refused, TooManyRequests { limit: 20, retry_after: Duration::from_secs(3), reset: PERIOD });
        failures.count(other, now).unwrap();
        failures.count(mine, now + refused.retry_after).unwrap();
        assert!(failures.count(mine, now + refused.retry_after).is_err());
        failures.count(mine, now + 2 * PERIOD).unwrap();
    }

    #[test]
    fn the_addresses_of_one_subscriber_share_a_bucket() {
        let (failures, now) = (FailedAuth::default(), Instant::now());
        for host in 0..LIMIT {
            failures.count(format!("2001:db8::{host:x}").parse().unwrap(), now).unwrap();
        }
        assert!(failures.count("2001:db8::ffff:1".parse().unwrap(), now).is_err());
        failures.count("2001:db8:0:1::1".parse().unwrap(), now).unwrap();
    }

    #[test]
    fn memory_is_bounded() {
        let (failures, now) = (FailedAuth::default(), Instant::now());
        for host in 0..MAX_ADDRESSES as u32 {
            failures.count(IpAddr::from(host.to_be_bytes()), now).unwrap();
        }
        let late = IpAddr::from([200, 1, 1, 1]);
        assert!(failures.count(late, now).is_err());
        failures.count(late, now + 2 * PERIOD).unwrap();
        assert_eq!(failures.empty_at.lock().unwrap().len(), 1);
    }
}
