//! Decides which nodes are dead. A look reads what every master knows; a node without a lease that does not answer is declared
//! dead, and its memberships are cleaned up.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hyper::StatusCode;
use tokio::time::Instant;

use super::super::identity::label_of;
use super::places::{Answers, is_majority};
use super::{Known, LOOK_PAUSE, LocalNode, Registry, State, Term, WHO};
use crate::cluster::scripts::node::{CERTIFICATE_MS, Listing, node_list};
use crate::core::sync::lock;
use crate::peer::{Peer, PeerError};

/// How long the answer to "who are you" may take.
const WHO_DEADLINE: Duration = Duration::from_secs(1);

/// Since when a master has answered without a break, and when it last did.
#[derive(Clone, Copy)]
pub struct Reach {
    since: Instant,
    last: Instant,
}

/// Who answers at a peer port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    TheNode,
    /// It refuses this node: another secret, or another clock.
    Distrusts,
    /// It did not answer in time: it may be slow, or gone.
    Silent,
    Nobody,
}

impl Registry {
    /// Watches the other nodes until the lease is given up.
    pub(super) async fn watch(self: &Arc<Self>, local: &Arc<dyn LocalNode>) {
        while !self.has_left() {
            let _ = tokio::time::timeout(self.own.term.look_every(), self.looks.now.notified()).await;
            let since = lock(&self.state).looked.map_or(LOOK_PAUSE, |began| began.elapsed());
            tokio::time::sleep(LOOK_PAUSE.saturating_sub(since)).await;
            let suspects = self.look().await;
            if !self.has_left() {
                self.fence.tell();
            }
            // A node that may not act may not judge either.
            if !self.fence.is_fenced() && !self.has_left() {
                join_all(suspects.iter().map(|(node, peer)| self.judge(node, peer.as_ref()))).await;
                self.reap(local);
            }
        }
    }

    /// One look. Returns the nodes without a lease on any master.
    pub(super) async fn look(&self) -> Vec<(Arc<str>, Option<Peer>)> {
        let began = Instant::now();
        let answers = self.list().await;
        let suspects = {
            let mut state = lock(&self.state);
            state.looked = Some(began);
            state.learn(&answers, began, self.own.term);
            state.suspects(&answers, &self.identity.node(), self.own.term)
        };
        if answers.iter().flat_map(|(_, listing)| listing).any(|listing| listing.certified.iter().any(|dead| self.is_own(dead))) {
            self.renew_now.notify_one();
        }
        self.looks.count.send_modify(|looks| *looks += 1);
        suspects
    }

    /// Reads the leases of all known nodes. The lease of a new node is read the next time.
    pub(super) async fn list(&self) -> Answers<Listing> {
        let nodes: Vec<Arc<str>> = lock(&self.state).nodes.keys().cloned().collect();
        let labels: HashSet<&str> = nodes.iter().map(|node| label_of(node)).collect();
        let labels: &Vec<&str> = &labels.into_iter().collect();
        self.places.ask(&self.redis, |place| async move { node_list(&self.redis, &place, labels).await }).await
    }

    fn is_own(&self, node: &str) -> bool {
        *self.identity.node() == *node
    }

    async fn judge(&self, node: &Arc<str>, peer: Option<&Peer>) {
        let who = match peer {
            Some(peer) => self.ask_who(peer).await,
            None => Who::Nobody,
        };
        if matches!(who, Who::Silent | Who::Nobody) && self.certify(node, false).await {
            self.counters.deaths.fetch_add(1, Relaxed);
            tracing::warn!(%node, "a node is dead");
            self.note_dead(node);
        }
    }

    /// Asks at a node's peer port which node it is.
    pub(super) async fn ask_who(&self, peer: &Peer) -> Who {
        match self.peers.probe(peer, WHO, Bytes::new(), WHO_DEADLINE).await {
            Ok(answer) if answer.status == StatusCode::OK && answer.body == peer.node.as_bytes() => Who::TheNode,
            Err(PeerError::Refused(StatusCode::UNAUTHORIZED)) => Who::Distrusts,
            Err(PeerError::TimedOut) => Who::Silent,
            _ => Who::Nobody,
        }
    }

    pub(super) fn note_dead(&self, node: &Arc<str>) {
        lock(&self.state).dead.insert(node.clone(), Instant::now());
    }

    /// Starts to clean up after dead nodes.
    fn reap(self: &Arc<Self>, local: &Arc<dyn LocalNode>) {
        let mut state = lock(&self.state);
        let State { nodes, dead, reaping, announced_dead, .. } = &mut *state;
        let dead = nodes.iter().filter(|(node, _)| dead.contains_key(*node));
        let todo = dead.filter(|(node, _)| reaping.insert((*node).clone()));
        let todo: Vec<_> =
            todo.map(|(node, known)| (node.clone(), known.renewed_at, announced_dead.insert(node.clone()))).collect();
        drop(state);
        for (node, lost_at, is_news) in todo {
            let (registry, local) = (self.clone(), local.clone());
            tokio::spawn(async move {
                if is_news {
                    local.node_died();
                }
                let reaped = local.reap(&node, lost_at, &registry.counters.reaped).await;
                if reaped && registry.forget(&node).await {
                    tracing::info!(%node, "a dead node was reaped");
                    lock(&registry.state).nodes.remove(&node);
                }
                // What has failed is tried again after the next look.
                lock(&registry.state).reaping.remove(&node);
            });
        }
    }

    async fn forget(&self, node: &str) -> bool {
        use crate::cluster::scripts::node::node_forget;
        let answers = self.places.ask(&self.redis, |place| async move { node_forget(&self.redis, &place, node).await }).await;
        answers.iter().all(|(_, answer)| answer.is_some())
    }
}

impl State {
    /// Takes in the masters' answers to a question that was asked at `began`.
    fn learn(&mut self, answers: &Answers<Listing>, began: Instant, term: Term) {
        let now = Instant::now();
        let mut certificates: HashMap<&str, usize> = HashMap::new();
        for (place, listing) in answers {
            let Some(listing) = listing else {
                self.reach.remove(place);
                continue;
            };
            let reach = self.reach.entry(place.clone()).or_insert(Reach { since: began, last: now });
            if reach.last + term.unbroken() < began {
                reach.since = began;
            }
            reach.last = now;
            listing.certified.iter().for_each(|node| *certificates.entry(node).or_default() += 1);
            for listed in &listing.nodes {
                let node: Arc<str> = listed.node.as_str().into();
                let known = Known {
                    tag: listed.tag.as_str().into(),
                    address: listed.address,
                    form: listed.form,
                    renewed_at: listed.renewed_at,
                    seen: now,
                };
                match self.nodes.get_mut(&node) {
                    Some(older) if older.renewed_at > known.renewed_at => older.seen = now,
                    Some(older) => *older = known,
                    None => {
                        self.nodes.insert(node, known);
                    }
                }
            }
        }
        for (node, count) in certificates {
            if is_majority(count, answers.len()) {
                self.dead.insert(node.into(), now);
            }
        }
        let heard = answers.iter().filter(|(_, listing)| listing.is_some()).count();
        if is_majority(heard, answers.len()) {
            // A Redis that came back empty knows its nodes only after their next renewal.
            self.nodes.retain(|_, known| known.seen + term.0 > now);
            self.reach.retain(|place, _| answers.iter().any(|(asked, _)| asked == place));
        }
        self.dead.retain(|_, seen| seen.elapsed() < Duration::from_millis(CERTIFICATE_MS));
        self.announced_dead.retain(|node| self.dead.contains_key(node));
        self.by_tag.clear();
        let mut by_age: Vec<_> = self.nodes.iter().filter(|(node, _)| !self.dead.contains_key(*node)).collect();
        by_age.sort_unstable_by_key(|(_, known)| known.renewed_at);
        self.by_tag.extend(by_age.into_iter().map(|(node, known)| (known.tag.clone(), node.clone())));
    }

    /// The nodes without a lease on any master, if a majority of masters has answered without a break for a whole lease.
    fn suspects(&self, answers: &Answers<Listing>, own: &str, term: Term) -> Vec<(Arc<str>, Option<Peer>)> {
        let listed = || answers.iter().filter_map(|(place, listing)| Some((place, listing.as_ref()?)));
        let long = |place: &Arc<str>| self.reach.get(place).is_some_and(|reach| reach.last - reach.since >= term.0);
        if !is_majority(listed().filter(|(place, _)| long(place)).count(), answers.len()) {
            return Vec::new();
        }
        let has_lease = |node: &str| listed().any(|(_, listing)| listing.holders.iter().any(|holder| holder == node));
        let suspects = self.nodes.iter().filter(|(node, _)| ***node != *own && !self.dead.contains_key(*node));
        let suspects = suspects.filter(|(node, _)| !has_lease(node));
        suspects.map(|(node, known)| (node.clone(), known.peer(node))).collect()
    }
}
