//! Joining the cluster: each name may have one node, and more than one node only if all share the secret.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::identity::label_of;
use super::judge::Who;
use super::places::agreed;
use super::{LocalNode, Registry};
use crate::cluster::scripts::node::{Listed, Listing, Renewed};
use crate::peer::Peer;

/// How often joining is tried.
const RETRY: Duration = Duration::from_millis(200);
/// How long a start waits for a Redis that does not answer; then joining continues in the background.
const REDIS_PATIENCE: Duration = Duration::from_secs(2);

/// Why a node may not join.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    #[error("node {0} is running already, and CLUSTER_SECRET is not set here: all nodes of a cluster must share one")]
    NoSecret(String),
    #[error("node {0} is running without CLUSTER_SECRET: all nodes of a cluster must share one")]
    OtherHasNoSecret(String),
    #[error("the name is taken: node {0} is running; give each node a NODE_ID of its own")]
    NameTaken(String),
    #[error("node {0} does not trust this one: its CLUSTER_SECRET is another, or the clocks are more than 30 s apart")]
    SecretDiffers(String),
    #[error("the peer port cannot be opened at {address}: {error}")]
    PeerPort { address: SocketAddr, error: String },
    #[error("no address is known at which other nodes reach this one: set POD_IP")]
    NoAddress,
}

/// How far joining has come.
#[derive(Clone, Debug)]
pub enum Admission {
    Trying { redis_away: bool },
    Admitted,
    Refused(StartError),
}

/// Why a node cannot join now.
enum Obstacle {
    /// Another node cannot be asked, and may be dead: its lease will show.
    Waits,
    Final(StartError),
}

impl Registry {
    /// Joins the cluster, and stays in it until the lease is given up. Ends early if it may not.
    pub(in crate::cluster) async fn run(self: Arc<Self>, local: Arc<dyn LocalNode>) {
        match self.join(&*local).await {
            Ok(()) => {
                self.admission.send_replace(Admission::Admitted);
                tokio::join!(self.keep(&*local), self.watch(&local));
            }
            Err(error) => {
                self.admission.send_replace(Admission::Refused(error));
            }
        }
    }

    /// Returns when this node is a member of the cluster, or when there is no Redis yet to tell.
    ///
    /// # Errors
    /// [`StartError`].
    pub(in crate::cluster) async fn joined(&self) -> Result<(), StartError> {
        let mut admission = self.admission.subscribe();
        let start = Instant::now();
        loop {
            match admission.borrow_and_update().clone() {
                Admission::Admitted => return Ok(()),
                Admission::Refused(error) => return Err(error),
                Admission::Trying { redis_away: true } if start.elapsed() >= REDIS_PATIENCE => return Ok(()),
                Admission::Trying { .. } => {}
            }
            let _ = tokio::time::timeout(REDIS_PATIENCE, admission.changed()).await;
        }
    }

    /// Returns if this node is refused by the cluster after the start.
    pub async fn refused(&self) -> StartError {
        let mut admission = self.admission.subscribe();
        loop {
            if let Admission::Refused(error) = &*admission.borrow_and_update() {
                return error.clone();
            }
            if admission.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    async fn join(&self, local: &dyn LocalNode) -> Result<(), StartError> {
        let (mut first_seen, mut since) = (HashMap::new(), Instant::now());
        while !self.has_left() {
            // The second look reads the leases of the nodes that the first one has found.
            self.look().await;
            let answers = self.list().await;
            let redis_away = !agreed(&answers, |_| true);
            self.admission.send_replace(Admission::Trying { redis_away });
            if redis_away {
                since = Instant::now();
                sleep(RETRY).await;
                continue;
            }
            let listings: Vec<&Listing> = answers.iter().filter_map(|(_, listing)| listing.as_ref()).collect();
            match self.check_other_nodes(&listings, &mut first_seen, since).await {
                Ok(()) => {}
                Err(Obstacle::Waits) => {
                    sleep(RETRY).await;
                    continue;
                }
                Err(Obstacle::Final(error)) => return Err(error),
            }
            let began = Instant::now();
            if agreed(&self.renew(local).await, |answer| *answer == Renewed::Ok) {
                self.fence.renewed(began);
                self.look().await;
                return Ok(());
            }
            sleep(RETRY).await;
        }
        Ok(())
    }

    /// Checks all present nodes, as has been done since that moment, and declares a former node with this node's name dead.
    async fn check_other_nodes(
        &self,
        listings: &[&Listing],
        first_seen: &mut HashMap<String, u64>,
        since: Instant,
    ) -> Result<(), Obstacle> {
        let mut nodes: HashMap<&str, &Listed> = HashMap::new();
        for listed in listings.iter().flat_map(|listing| &listing.nodes) {
            let newest = nodes.entry(&listed.node).or_insert(listed);
            if newest.renewed_at < listed.renewed_at {
                *newest = listed;
            }
        }
        let (own, label) = (self.identity.node(), self.identity.label());
        let certified = |node: &str| listings.iter().any(|listing| listing.certified.iter().any(|dead| dead == node));
        let has_lease = |node: &str| listings.iter().any(|listing| listing.holders.iter().any(|holder| holder == node));
        // A node is certainly alive if it has renewed its lease since it was first seen.
        let mut is_renewing = |listed: &Listed| {
            let first = *first_seen.entry(listed.node.clone()).or_insert(listed.renewed_at);
            listed.renewed_at > first
        };
        for listed in nodes.into_values().filter(|listed| *listed.node != *own && !certified(&listed.node)) {
            let (name, lives) = (|| listed.node.clone(), has_lease(&listed.node));
            let same_name = label_of(&listed.node) == label;
            if same_name || (self.own.has_secret && listed.secret && lives) {
                let who = match listed.address.filter(|_| self.own.has_secret) {
                    Some(address) => {
                        let peer = Peer { node: name().into(), tag: listed.tag.as_str().into(), address, form: listed.form };
                        Some(self.ask_who(&peer).await)
                    }
                    None => None,
                };
                match who {
                    Some(Who::Distrusts) => return Err(Obstacle::Final(StartError::SecretDiffers(name()))),
                    Some(Who::TheNode) if same_name => return Err(Obstacle::Final(StartError::NameTaken(name()))),
                    None if same_name && lives && is_renewing(listed) => {
                        return Err(Obstacle::Final(StartError::NameTaken(name())));
                    }
                    None if same_name && lives => return Err(Obstacle::Waits),
                    Some(Who::Silent | Who::Nobody) | None if same_name => {
                        if !self.certify(&listed.node, true).await {
                            return Err(Obstacle::Waits);
                        }
                        tracing::info!(node = name(), "the last node of this name is dead");
                        self.note_dead(&Arc::from(name()));
                    }
                    // Its secret may be another. It answers, or its lease ends; who renews it and never answers is cut off from here.
                    Some(Who::Silent) if since.elapsed() < 2 * self.own.term.0 => return Err(Obstacle::Waits),
                    Some(Who::Silent) => tracing::warn!(node = name(), "a node does not answer: is its CLUSTER_SECRET ours?"),
                    _ => {}
                }
            } else if lives {
                if !is_renewing(listed) {
                    return Err(Obstacle::Waits);
                }
                let error = if self.own.has_secret { StartError::OtherHasNoSecret } else { StartError::NoSecret };
                return Err(Obstacle::Final(error(name())));
            }
        }
        Ok(())
    }
}
