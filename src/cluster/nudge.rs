//! Repairs a subscription that a node has lost without noticing. Redis tells a publisher how many subscribers received a
//! message. If they are fewer than the registered nodes, the publisher nudges all of these: they subscribe again and read the
//! log.

use std::collections::HashMap;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hyper::StatusCode;
use tokio::time::Instant;

use super::registry::Registry;
use super::{Scopes, attach};
use crate::core::ScopeId;
use crate::core::sync::lock;
use crate::peer::{Answer, Peers};

const NUDGE: &str = "/nudge";
const DEADLINE: Duration = Duration::from_secs(2);
/// The least time between two nudges of a scope.
const PAUSE: Duration = Duration::from_secs(1);
/// Scopes whose last nudge is remembered; beyond that old ones are removed.
const REMEMBERED: usize = 4_096;

/// Nudges the listeners of a scope.
pub struct Nudger {
    registry: Arc<Registry>,
    last: Mutex<HashMap<ScopeId, Instant>>,
}

/// Answers nudges.
pub fn wire(scopes: &Arc<Scopes>, peers: &Peers) {
    let weak = Arc::downgrade(scopes);
    peers.on(NUDGE, move |body| {
        let answer = nudged(&weak, &body);
        async move { answer }
    });
}

impl Nudger {
    pub fn new(registry: Arc<Registry>) -> Self {
        Self { registry, last: Mutex::default() }
    }

    /// Fewer nodes than are registered received a message of this scope.
    pub fn nudge(&self, scopes: &Arc<Scopes>, scope: &ScopeId) {
        if !self.is_due(scope) {
            return;
        }
        scopes.counters.nudges.fetch_add(1, Relaxed);
        attach::resubscribe(scopes, scope);
        let (registry, body) = (self.registry.clone(), Bytes::from(scope.to_string()));
        tokio::spawn(async move {
            let (peers, others) = (registry.peers(), registry.others());
            join_all(others.iter().map(|peer| peers.call(peer, NUDGE, body.clone(), DEADLINE))).await;
        });
    }

    fn is_due(&self, scope: &ScopeId) -> bool {
        let (now, mut last) = (Instant::now(), lock(&self.last));
        if last.get(scope).is_some_and(|at| *at + PAUSE > now) {
            return false;
        }
        if last.len() >= REMEMBERED {
            last.retain(|_, at| *at + PAUSE > now);
            if last.len() >= REMEMBERED {
                return false;
            }
        }
        last.insert(scope.clone(), now);
        true
    }
}

fn nudged(scopes: &Weak<Scopes>, body: &[u8]) -> Answer {
    let scope = std::str::from_utf8(body).ok().and_then(|text| text.parse::<ScopeId>().ok());
    match (scopes.upgrade(), scope) {
        (Some(scopes), Some(scope)) if scopes.is_known(scope.kind) => {
            attach::resubscribe(&scopes, &scope);
            Answer::status(StatusCode::NO_CONTENT)
        }
        _ => Answer::status(StatusCode::BAD_REQUEST),
    }
}
