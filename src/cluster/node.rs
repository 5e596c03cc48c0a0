//! A node of the cluster: its identity, the connections to the other nodes, the registry, and its scopes.
//!
//! ```ignore
//! let node = Node::new(config, redis);
//! // … features, and what answers at the peer port: node.peers.on(…)
//! node.start(|| engine.sessions()).await?;
//! // … serve; and when that is over:
//! node.leave().await;
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::nudge::{self, Nudger};
use super::recovery::{self, OtherNodes};
use super::registry::{LocalNode, Registry, StartError, WHO};
use super::{NodeIdentity, Recovery, Scopes, reap};
use crate::core::ids;
use crate::peer::{Answer, Peers};
use crate::redis::Redis;
use crate::settings::Secret;

/// Settings of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// Unique in the cluster.
    pub node_id: Box<str>,
    /// Without it the node has no peer port and must be the only one.
    pub secret: Option<Secret>,
    /// Where the peer port listens.
    pub host: IpAddr,
    /// 0: any free port.
    pub peer_port: u16,
    /// How long a client may be away and still get its connection back; zero: no recovery.
    pub recovery_window: Duration,
    /// How long this node counts as alive without renewing its lease.
    pub lease: Duration,
    /// The address at which other nodes reach this one; `None`: `host`, or the local address of its connections to Redis.
    pub address: Option<IpAddr>,
}

/// The parts of a node.
pub struct Node {
    config: Config,
    redis: Redis,
    pub identity: Arc<NodeIdentity>,
    pub peers: Arc<Peers>,
    pub registry: Arc<Registry>,
    pub scopes: Arc<Scopes>,
    pub recovery: Arc<Recovery>,
    stop: CancellationToken,
    _tasks: DropGuard,
}

/// What the registry needs from this node.
struct Local {
    address: Option<SocketAddr>,
    connections: Box<dyn Fn() -> usize + Send + Sync>,
    scopes: Arc<Scopes>,
    recovery: Arc<Recovery>,
}

impl LocalNode for Local {
    fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    fn connections(&self) -> usize {
        (self.connections)()
    }

    fn node_died(&self) {
        self.scopes.node_died();
    }

    fn reap<'a>(&'a self, node: &'a str, lost_at: u64, count: &'a AtomicU64) -> BoxFuture<'a, bool> {
        Box::pin(reap::reap(&self.scopes, node, lost_at, count))
    }

    fn new_incarnation(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.recovery.claim_all())
    }

    fn resubscribe(&self) {
        self.scopes.attach_all_again();
    }
}

impl Node {
    /// Builds a node. It contacts no other node yet. Must be called inside a Tokio runtime.
    pub fn new(config: Config, redis: Redis) -> Arc<Self> {
        let identity = NodeIdentity::new(&config.node_id);
        // A node without a secret has no peer port, and no other node calls it.
        let secret = config.secret.clone().unwrap_or_else(|| Secret::new(ids::random(32)));
        let peers = Peers::new(&secret, identity.tag());
        let registry = Registry::new(redis.clone(), identity.clone(), peers.clone(), config.secret.is_some(), config.lease);
        let nudger = Nudger::new(registry.clone());
        let scopes = Scopes::in_cluster(redis.clone(), identity.clone(), registry.clone(), nudger);
        let name = identity.clone();
        peers.on(WHO, move |_| {
            let node = name.node();
            async move { Answer::ok(node.as_bytes().to_vec()) }
        });
        nudge::wire(&scopes, &peers);
        let window = config.recovery_window;
        let owners = Arc::new(OtherNodes(registry.clone()));
        let recovery = Recovery::new(&scopes, recovery::Config { window }, owners);
        recovery::wire(&recovery, &peers);
        let stop = CancellationToken::new();
        Arc::new(Self { config, redis, identity, peers, registry, scopes, recovery, _tasks: stop.clone().drop_guard(), stop })
    }

    /// Opens the peer port and joins the cluster. While Redis is away it is joined later: see [`Node::refused`]. `connections`
    /// counts the connected clients; the number is published for the other nodes.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(&self, connections: impl Fn() -> usize + Send + Sync + 'static) -> Result<(), StartError> {
        let mut own_address = None;
        if self.config.secret.is_some() {
            let asked = SocketAddr::new(self.config.host, self.config.peer_port);
            let failed = |error: std::io::Error| StartError::PeerPort { address: asked, error: error.to_string() };
            let listener = TcpListener::bind(asked).await.map_err(failed)?;
            let port = listener.local_addr().map_err(failed)?.port();
            let address = SocketAddr::new(self.address().await.ok_or(StartError::NoAddress)?, port);
            own_address = Some(address);
            tracing::info!(%address, node = %self.identity.node(), "peer port");
            tokio::spawn(self.peers.clone().serve(listener, self.stop.clone()));
        }
        let (registry, stop) = (self.registry.clone(), self.stop.clone());
        let local = Local {
            address: own_address,
            connections: Box::new(connections),
            scopes: self.scopes.clone(),
            recovery: self.recovery.clone(),
        };
        tokio::spawn(async move { stop.run_until_cancelled(registry.run(Arc::new(local))).await });
        self.registry.joined().await
    }

    /// Returns if this node is refused by the cluster after the start.
    pub async fn refused(&self) -> StartError {
        self.registry.refused().await
    }

    /// Whether it has a peer port.
    pub fn has_peers(&self) -> bool {
        self.config.secret.is_some()
    }

    /// Gives up the lease: the last step, when all sockets are gone.
    pub async fn leave(&self) {
        self.registry.leave().await;
    }

    async fn address(&self) -> Option<IpAddr> {
        let listens = Some(self.config.host).filter(|host| !host.is_unspecified());
        match self.config.address.or(listens) {
            Some(address) => Some(address),
            None => self.address_towards_redis().await,
        }
    }

    /// Asks the kernel for the local address; no packet is sent.
    async fn address_towards_redis(&self) -> Option<IpAddr> {
        let towards = async |any: IpAddr, address: &str| {
            let socket = UdpSocket::bind((any, 0)).await.ok()?;
            socket.connect(address).await.ok()?;
            Some(socket.local_addr().ok()?.ip())
        };
        for address in self.redis.addresses() {
            for any in [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()] {
                if let Some(own) = towards(any, &address).await {
                    return Some(own);
                }
            }
        }
        None
    }
}
