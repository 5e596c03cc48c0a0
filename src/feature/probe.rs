//! Checks now and then whether the outside systems can be reached. It only names those that cannot; nothing waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::auth::{KeyRing, SetupError};
use crate::core::error::chain;
use crate::http::routes::health::Dependency;
use crate::settings::VerifierSettings;

/// How often most of them are checked.
pub const EVERY: Duration = Duration::from_secs(10);
/// While one cannot be reached, this is logged so often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// How often published keys are checked: they are fetched each time.
const KEYS_EVERY: Duration = Duration::from_secs(60);

/// Watches the keys that the identity provider of a surface publishes. `None` if none are configured.
///
/// # Errors
/// If a key of the surface cannot be used.
pub fn published_keys(name: &'static str, identity: &VerifierSettings) -> Result<Option<Dependency>, SetupError> {
    if identity.jwks_url.is_none() {
        return Ok(None);
    }
    let keys = Arc::new(KeyRing::new(identity)?);
    Ok(Some(watched(name, KEYS_EVERY, keys, |keys| async move {
        keys.fetch_published().await.map_or(Ok(()), |fetched| fetched.map(|_| ()).map_err(why))
    })))
}

/// Probes a system, reached through `handle`, as often as said. A probe has a deadline of its own, and says why it failed.
pub fn watched<T, F>(name: &'static str, every: Duration, handle: T, probe: impl Fn(T) -> F + Send + 'static) -> Dependency
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), String>> + Send,
{
    let is_there = Arc::new(AtomicBool::new(true));
    let seen = is_there.clone();
    tokio::spawn(async move {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = None::<Instant>;
        loop {
            ticks.tick().await;
            match probe(handle.clone()).await {
                Ok(()) if seen.swap(true, Ordering::Relaxed) => {}
                Ok(()) => {
                    told = None;
                    tracing::warn!(dependency = name, "it is there again");
                }
                Err(why) => {
                    seen.store(false, Ordering::Relaxed);
                    if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                        told = Some(Instant::now());
                        tracing::warn!(dependency = name, why, "it cannot be used");
                    }
                }
            }
        }
    });
    Dependency { name, is_there: Box::new(move || is_there.load(Ordering::Relaxed)) }
}

/// Why a probe failed. No error of the hub shows a secret.
pub fn why(error: impl std::error::Error) -> String {
    chain(&error)
}
