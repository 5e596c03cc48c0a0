//! Exports the figures that the layers count to Prometheus.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::Hub;
use crate::telemetry::metrics::{
    CHANNELS, CLIENT_MEMORY, CONNECTIONS, DEAF, DEATHS, DELIVERIES, FENCED, FORKS, LOG_FILLS, NEW_INCARNATIONS, NODES,
    NOT_RECOVERED, NUDGES, OVERRUN, REAPED, RECEIVED, RECOVERED, REDIS_MASTERS, REPLAYED, SCOPES, SOCKETS, TAKEN_OVER, TASKS,
};

/// How old a figure may be when it is scraped.
const EVERY: Duration = Duration::from_secs(1);

/// Copies the figures until the process ends.
pub fn spawn(hub: Arc<Hub>) {
    tokio::spawn(async move {
        let Hub { engine, io, node, redis, running } = &*hub;
        let (scopes, registry) = (&node.scopes, &node.registry);
        let mut timer = tokio::time::interval(EVERY);
        loop {
            timer.tick().await;
            running.iter().for_each(|feature| feature.sample());
            metrics::gauge!(CONNECTIONS).set(engine.sessions() as f64);
            metrics::gauge!(CLIENT_MEMORY).set(engine.config().budget.used() as f64);
            metrics::gauge!(SOCKETS).set(io.sockets() as f64);
            metrics::gauge!(SCOPES).set(scopes.count() as f64);
            metrics::gauge!(TASKS).set(tokio::runtime::Handle::current().metrics().num_alive_tasks() as f64);
            let (wanted, confirmed) = redis.subscriber().channels();
            metrics::gauge!(CHANNELS, "state" => "heard").set(confirmed as f64);
            metrics::gauge!(CHANNELS, "state" => "awaited").set(wanted.saturating_sub(confirmed) as f64);
            let (up, all) = redis.masters_up();
            metrics::gauge!(REDIS_MASTERS, "state" => "up").set(up as f64);
            metrics::gauge!(REDIS_MASTERS, "state" => "away").set(all.saturating_sub(up) as f64);
            let (known, live) = registry.count();
            metrics::gauge!(NODES, "state" => "live").set(live as f64);
            metrics::gauge!(NODES, "state" => "dead").set(known.saturating_sub(live) as f64);
            metrics::gauge!(FENCED).set(f64::from(registry.fence().is_fenced()));
            let counters = &scopes.counters;
            let copy = |name: &'static str, counter: &AtomicU64| metrics::counter!(name).absolute(counter.load(Relaxed));
            copy(RECEIVED, &counters.received);
            copy(DELIVERIES, &counters.deliveries);
            copy(LOG_FILLS, &counters.fills);
            copy(FORKS, &counters.forks);
            copy(DEAF, &counters.deaf);
            copy(OVERRUN, &counters.overrun);
            copy(NUDGES, &counters.nudges);
            let recovery = &node.recovery.counters;
            copy(RECOVERED, &recovery.recovered);
            copy(NOT_RECOVERED, &recovery.refused);
            copy(REPLAYED, &recovery.replayed);
            copy(TAKEN_OVER, &recovery.taken_over);
            copy(DEATHS, &registry.counters.deaths);
            copy(REAPED, &registry.counters.reaped);
            copy(NEW_INCARNATIONS, &registry.counters.new_incarnations);
        }
    });
}
