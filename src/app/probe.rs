//! Looks now and then whether what stands beside the hub is there. It only names what is away; nothing waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::auth::SosVerifier;
use crate::http::routes::health::Dependency;
use crate::sos_service::SosService;

const SOS_SERVICE_EVERY: Duration = Duration::from_secs(10);
/// The keys are fetched anew each time.
const KEYS_EVERY: Duration = Duration::from_secs(60);

/// What is configured of it. Starts a task for each, which ends with the process.
pub fn dependencies(sos_service: Option<SosService>, verifier: Option<Arc<SosVerifier>>) -> Vec<Dependency> {
    let mut dependencies = Vec::new();
    if let Some(service) = sos_service {
        dependencies.push(watched("sosService", SOS_SERVICE_EVERY, move || {
            let service = service.clone();
            async move { service.reach().await.is_ok() }
        }));
    }
    if let Some(verifier) = verifier {
        dependencies.push(published_keys("publishedKeys", move || {
            let verifier = verifier.clone();
            async move { verifier.fetch_published_keys().await.is_none_or(|fetched| fetched.is_ok()) }
        }));
    }
    dependencies
}

/// [`watched`] for published keys.
pub(super) fn published_keys<F>(name: &'static str, probe: impl Fn() -> F + Send + 'static) -> Dependency
where
    F: Future<Output = bool> + Send,
{
    watched(name, KEYS_EVERY, probe)
}

/// Every probe has a deadline of its own.
pub(super) fn watched<F>(name: &'static str, every: Duration, probe: impl Fn() -> F + Send + 'static) -> Dependency
where
    F: Future<Output = bool> + Send,
{
    let is_there = Arc::new(AtomicBool::new(true));
    let seen = is_there.clone();
    tokio::spawn(async move {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now = probe().await;
            if seen.swap(now, Ordering::Relaxed) != now {
                tracing::warn!(dependency = name, is_there = now, "a dependency changed");
            }
        }
    });
    Dependency { name, is_there: Box::new(move || is_there.load(Ordering::Relaxed)) }
}
