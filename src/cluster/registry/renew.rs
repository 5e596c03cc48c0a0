//! How a node keeps its lease, and what it does when it learns that it was declared dead.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::identity::label_of;
use super::places::{Answers, agreed};
use super::{LocalNode, Registry};
use crate::cluster::scripts::node::{Lease, Renewed, node_certify, node_renew};
use crate::core::wire::Form;

/// How soon a renewal that failed is tried again.
const RETRY: Duration = Duration::from_millis(300);
/// A node without a lease for so long takes a new name by itself: its certificate may have expired.
const TOO_LONG: Duration = Duration::from_secs(30 * 60);
/// How long claiming the sockets of the old name may take.
const CLAIM_DEADLINE: Duration = Duration::from_secs(30);

impl Registry {
    /// Renews the lease until it is given up. It was just renewed once.
    pub(super) async fn keep(&self, local: &dyn LocalNode) {
        let every = self.own.term.renew_every();
        let (mut renewed, mut pause) = (Instant::now(), every);
        while !self.has_left() {
            let _ = tokio::time::timeout(pause, self.renew_now.notified()).await;
            if self.has_left() {
                return;
            }
            let began = Instant::now();
            let answers = self.renew(local).await;
            let node = self.identity.node();
            let told = |answer: &Renewed| *answer == Renewed::Dead || matches!(answer, Renewed::Taken(other) if **other != *node);
            if answers.iter().any(|(_, answer)| answer.as_ref().is_some_and(told)) || renewed.elapsed() > TOO_LONG {
                self.take_new_incarnation(local).await;
                (renewed, pause) = (Instant::now(), every);
            } else if agreed(&answers, |answer| *answer == Renewed::Ok) {
                self.fence.renewed(began);
                (renewed, pause) = (began, every);
            } else {
                pause = RETRY;
            }
        }
    }

    /// Tries to renew the lease on every master.
    pub(super) async fn renew(&self, local: &dyn LocalNode) -> Answers<Renewed> {
        let node = self.identity.node();
        let lease = Lease {
            node: &node,
            label: self.identity.label(),
            tag: self.identity.tag(),
            address: local.address(),
            secret: self.own.has_secret,
            started: self.own.started_ms,
            connections: local.connections() as u64,
            draining: self.own.draining.load(Relaxed),
            form: Form::NEWEST,
            lease_ms: self.own.term.0.as_millis() as u64,
        };
        self.places.ask(&self.redis, |place| async move { node_renew(&self.redis, &place, lease).await }).await
    }

    /// Declares a node dead on every master; true if a majority agreed. `by_name`: even if it has a lease.
    pub(super) async fn certify(&self, node: &str, by_name: bool) -> bool {
        let label = label_of(node);
        let certify = |place: Arc<str>| async move { node_certify(&self.redis, &place, node, label, by_name).await };
        agreed(&self.places.ask(&self.redis, certify).await, |certified| *certified)
    }

    /// This node was declared dead, and others have taken over: it takes a new name, and claims the sockets that it still has.
    async fn take_new_incarnation(&self, local: &dyn LocalNode) {
        self.fence.shut();
        let old = self.identity.node();
        let new = self.identity.renew();
        self.counters.new_incarnations.fetch_add(1, Relaxed);
        tracing::warn!(%old, %new, "this node was declared dead; it goes on under a new name");
        // Perhaps only some masters have declared it dead: make it a majority.
        while !self.has_left() && !self.certify(&old, true).await {
            sleep(RETRY).await;
        }
        self.note_dead(&old);
        let mut began = Instant::now();
        while !self.has_left() && !agreed(&self.renew(local).await, |answer| *answer == Renewed::Ok) {
            sleep(RETRY).await;
            began = Instant::now();
        }
        if tokio::time::timeout(CLAIM_DEADLINE, local.new_incarnation()).await.is_err() {
            tracing::error!("not all sockets could be claimed in time");
        }
        local.resubscribe();
        // If this took longer than a lease, the gate stays shut until the next renewal.
        self.fence.renewed(began);
        self.renew_now.notify_one();
    }

    /// Gives up the lease, so that the others clean up after this node at once.
    pub async fn leave(&self) {
        if self.left.swap(true, Relaxed) {
            return;
        }
        self.fence.shut();
        self.renew_now.notify_one();
        self.certify(&self.identity.node(), true).await;
    }
}
