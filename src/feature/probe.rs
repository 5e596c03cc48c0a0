//! Looks now and then whether what stands beside the hub is there. It only names what is away; nothing waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::auth::FetchError;
use crate::core::error::chain;
use crate::http::routes::health::Dependency;

/// How often most things are looked at.
pub const EVERY: Duration = Duration::from_secs(10);
/// While something is away, this is said again so often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// The keys are fetched anew each time.
const KEYS_EVERY: Duration = Duration::from_secs(60);

/// [`watched`] for published keys.
pub fn published_keys<F>(name: &'static str, probe: impl Fn() -> F + Send + 'static) -> Dependency
where
    F: Future<Output = Result<(), String>> + Send,
{
    watched(name, KEYS_EVERY, probe)
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

/// What a [`watched`] says of published keys: `None` if there are none.
pub fn fetched(keys: Option<Result<usize, FetchError>>) -> Result<(), String> {
    keys.map_or(Ok(()), |keys| keys.map(|_| ()).map_err(why))
}

/// Why a probe found nothing. No error of ours shows a secret.
pub fn why(error: impl std::error::Error) -> String {
    chain(&error)
}
