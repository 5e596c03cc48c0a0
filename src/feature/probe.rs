//! Looks now and then whether what stands beside the hub is there. It only names what is away; nothing waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::auth::{KeyRing, SetupError};
use crate::core::error::chain;
use crate::http::routes::health::Dependency;
use crate::settings::VerifierSettings;

/// How often most things are looked at.
pub const EVERY: Duration = Duration::from_secs(10);
/// While something is away, this is said again so often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// The keys are fetched anew each time.
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
    Ok(Some(watched(name, KEYS_EVERY, move || {
        let keys = keys.clone();
        async move { keys.fetch_published().await.map_or(Ok(()), |fetched| fetched.map(|_| ()).map_err(why)) }
    })))
}

/// Every probe has a deadline of its own; it says why something is not there.
pub fn watched<F>(name: &'static str, every: Duration, probe: impl Fn() -> F + Send + 'static) -> Dependency
where
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
            match probe().await {
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

/// Why a probe found nothing. No error of ours shows a secret.
pub fn why(error: impl std::error::Error) -> String {
    chain(&error)
}
