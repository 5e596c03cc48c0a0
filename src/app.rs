//! The composition root: the only place that wires everything. Then it waits for a signal, and drains.

mod config;
mod demo;
mod docs;
mod drain;
mod gauges;
mod pages;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::asyncapi::{Info, document};
use crate::cluster::node::{self, Node};
use crate::cluster::registry::StartError;
use crate::cluster::relay;
use crate::core::drain::{Lifecycle, Phase, asked_to_stop};
use crate::core::error::chain;
use crate::engineio::{self, Engine};
use crate::feature::{Clients, Feature, Parts, Running, World, probe};
use crate::features;
use crate::http::guards::{Guards, RateLimits};
use crate::http::router::{Bodies, Router};
use crate::http::routes::health::{Dependency, Health, NodeState};
use crate::http::{Front, routes, server};
use crate::livekit::{self, LiveKit};
use crate::net::{Budget, Patience};
use crate::protocol::packet;
use crate::redis::{Redis, RedisConfig, RedisError};
use crate::rooms::timers::Timers;
use crate::settings::Settings;
use crate::socketio::{self, EngineHandler, SocketIo};
use crate::store::{self, Store};
use crate::telemetry::once_a_minute;

pub use config::{Config, tables, variable};

/// How long the last requests may take once the node has drained.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// How long the features may take to end what is under way.
const LAST_WORK: Duration = Duration::from_secs(10);

/// Until PostgreSQL is asked again whether it is there.
const PREPARE_AGAIN: Duration = Duration::from_secs(1);

/// Clients that the kernel keeps until they are accepted, as far as it may: when a node has died, thousands come at once.
const BACKLOG: u32 = 4_096;

/// The name of the engine in the calls between nodes.
const ENGINE: &str = "socket.io";

/// What holds for the events of all namespaces.
const ABOUT_EVENTS: &str = "The Socket.IO events of this hub: Socket.IO protocol 5 at `/socket.io/`, over WebSocket and long-polling. A \
    channel is a namespace. An operation `receive` is an event that clients send, and its `reply` is the acknowledgement; without one a \
    refusal comes as the event `error`. An operation `send` is an event that clients get. `payload` of a message is the first argument; \
    a client that takes part in recovery gets the offset as one more argument of every event that is not volatile (`x-delivery`). \
    Fields that the hub does not know are ignored.\n\n\
    Beside AsyncAPI's own fields: `x-packet` of a message is the Socket.IO packet that carries it; `x-senders` of an operation are the \
    roles that may send the event, `x-members` says that only sockets in the room may, and `x-codes` are the codes that it may be \
    refused with.\n\n\
    The namespace of Socket.IO's admin UI has that page's protocol, and is not described \
    here.";

/// All features. They know nothing of each other, and nothing else in the hub knows one of them.
pub const FEATURES: &[&dyn Feature] = &[
    features::sos::feature::SOS,
    features::interviews::feature::INTERVIEWS,
    features::bookings::feature::BOOKINGS,
    features::realtime::feature::REALTIME,
    features::admin::feature::ADMIN,
];

/// The document of all Socket.IO events.
pub fn asyncapi() -> serde_json::Value {
    let channels: Vec<_> = FEATURES.iter().flat_map(|feature| feature.channels()).collect();
    document(&Info { title: "Convoke", version: env!("CARGO_PKG_VERSION"), about: ABOUT_EVENTS }, &channels)
}

/// Why a node did not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the configuration of Redis makes no sense")]
    Redis(#[from] RedisError),
    #[error("PostgreSQL cannot be used")]
    Store(#[from] store::SetupError),
    #[error("LiveKit cannot be used")]
    LiveKit(#[from] livekit::SetupError),
    #[error(transparent)]
    Feature(#[from] anyhow::Error),
    #[error("this node cannot join the cluster")]
    Cluster(#[from] StartError),
    #[error("cannot listen on {address}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

/// What runs in a node, as its drain and its gauges see it.
struct Hub {
    engine: Arc<Engine>,
    io: Arc<SocketIo>,
    node: Arc<Node>,
    redis: Redis,
    running: Vec<Arc<dyn Running>>,
}

/// Runs a node until it is told to stop and has drained. Redis may be down at the start: the node is not ready until it
/// answers.
///
/// # Errors
/// [`ServeError`], before anything is served.
pub async fn serve(config: Config) -> Result<(), ServeError> {
    // First, so that no signal is lost while the rest starts.
    let stop_asked = tokio::spawn(asked_to_stop());
    let lifecycle = Lifecycle::default();
    let Config { settings, features, .. } = config;
    let redis = Redis::connect(redis_config(&settings)).await?;
    let node = Node::new(node_config(&settings), redis.clone());
    let world = World {
        store: settings.store.as_ref().map(Store::new).transpose()?,
        livekit: settings.livekit.as_ref().map(LiveKit::new).transpose()?,
        limits: RateLimits::new(redis.clone()),
        timers: Timers::new(node.scopes.clone()),
        node,
        redis,
        settings,
    };
    let (settings, node) = (&world.settings, &world.node);
    let mut parts = features.iter().map(|feature| feature.build(&world)).collect::<Result<Vec<Parts>, _>>()?;
    let namespaces: Vec<_> = parts.iter_mut().flat_map(|parts| std::mem::take(&mut parts.namespaces)).collect();
    let io = SocketIo::with_session_store(socketio_config(settings, node), namespaces, node.recovery.session_store());
    let budget = Budget::new(settings.limits.memory_budget);
    let remote = relay::remote_sessions(node, ENGINE);
    let engine = Engine::with_remote_sessions(engine_config(settings, node, &budget), EngineHandler(io.clone()), remote);
    relay::answer(&node.peers, &[(ENGINE, &engine)]);

    let running: Vec<_> = parts.iter().map(|parts| parts.running.clone()).collect();
    let hub = Arc::new(Hub { engine: engine.clone(), io, node: node.clone(), redis: world.redis.clone(), running });
    let clients = Clients { engine: engine.clone(), io: hub.io.clone() };
    hub.running.iter().for_each(|feature| feature.clients(&clients));
    gauges::spawn(hub.clone());
    let counted = engine.clone();
    node.start(move || counted.sessions()).await?;
    if let Some(store) = world.store.clone() {
        tokio::spawn(prepare(store));
    }
    for feature in &hub.running {
        feature.start().await;
    }
    world.timers.start();

    let health = health(&lifecycle, &world, parts.iter_mut().flat_map(|parts| std::mem::take(&mut parts.dependencies)));
    let front = Front {
        guards: Guards::new(settings),
        router: router(&world, &budget, parts, health, &hub.io.namespaces()),
        engine: engine.clone(),
    };
    let listener = bind((settings.server.host, settings.server.port).into())?;
    let address = listener.local_addr().map_err(ServeError::Signals)?;
    let stop = CancellationToken::new();
    let limits = server_limits(settings, &budget);
    let server = tokio::spawn(server::serve(listener, Arc::new(front), limits, stop.clone()));
    lifecycle.enter(Phase::Serving);
    // With PORT=0 this is how one learns the port.
    tracing::info!(%address, node = &*node.scopes.node(), version = env!("CARGO_PKG_VERSION"), "listening");

    let signal = tokio::select! {
        signal = stop_asked => signal.map_err(io::Error::other).and_then(|signal| signal).map_err(ServeError::Signals)?,
        error = node.refused() => return Err(error.into()),
    };
    tracing::info!(signal, sessions = engine.sessions(), "draining");
    lifecycle.enter(Phase::Draining);
    node.registry.set_draining();
    let plan = drain::Plan { delay: settings.server.drain_delay, over: settings.server.drain };
    tokio::select! {
        () = drain::drain(&hub, plan) => tracing::info!("drained"),
        // Who asks twice does not want to wait.
        _ = asked_to_stop() => tracing::warn!(sessions = engine.sessions(), "stopped before all sessions were closed"),
    }
    let by = tokio::time::Instant::now() + LAST_WORK;
    join_all(hub.running.iter().map(|feature| feature.stop(by))).await;
    node.leave().await;
    stop.cancel();
    let _ = tokio::time::timeout(LAST_REQUESTS, server).await;
    Ok(())
}

/// Brings the schema in PostgreSQL up to date, as soon as PostgreSQL is there. Until then the features answer that it is not.
async fn prepare(store: Store) {
    while let Err(error) = store.prepare().await {
        once_a_minute!(warn, "the schema in PostgreSQL cannot be brought up to date; trying again", error = chain(&error));
        sleep(PREPARE_AGAIN).await;
    }
}

fn health(lifecycle: &Lifecycle, world: &World, of_features: impl Iterator<Item = Dependency>) -> Health {
    let mut dependencies = Vec::new();
    if let Some(store) = world.store.clone() {
        let ping = |store: Store| async move { store.ping().await.map_err(probe::why) };
        dependencies.push(probe::watched("postgres", probe::EVERY, store, ping));
    }
    if let Some(livekit) = world.livekit.clone() {
        let ping = |livekit: LiveKit| async move { livekit.ping().await.map_err(probe::why) };
        dependencies.push(probe::watched("livekit", probe::EVERY, livekit, ping));
    }
    dependencies.extend(of_features);
    let (redis, registry) = (world.redis.clone(), world.node.registry.clone());
    let state =
        move || NodeState { masters: redis.masters_up(), refuses: redis.refusals().present(), fence: registry.fence().reason() };
    Health { lifecycle: lifecycle.clone(), state: Box::new(state), dependencies }
}

fn router(world: &World, budget: &Arc<Budget>, parts: Vec<Parts>, health: Health, namespaces: &[&str]) -> axum::Router {
    let settings = &world.settings;
    let limit = settings.server.body_limit;
    let mut router = Router::new(Bodies { limit, patience: patience(settings), budget: budget.clone() });
    routes::health::routes(&mut router, health, &world.node.scopes.node(), namespaces);
    routes::asyncapi::routes(&mut router, &asyncapi());
    let listeners = parts.iter().filter_map(|parts| parts.livekit.clone()).collect();
    routes::livekit::routes(&mut router, world.livekit.as_ref(), listeners);
    for parts in parts {
        (parts.routes)(&mut router);
    }
    if settings.server.demo {
        demo::routes(&mut router, settings.livekit.as_ref());
    }
    docs::routes(&mut router);
    // Last: it describes all others.
    routes::openapi::routes(&mut router);
    router.build()
}

fn bind(address: SocketAddr) -> Result<TcpListener, ServeError> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source| ServeError::Bind { address, source })
}

fn redis_config(settings: &Settings) -> RedisConfig {
    RedisConfig {
        deadline: settings.redis.deadline,
        ack_replicas: settings.redis.ack_replicas as usize,
        ..RedisConfig::new(settings.redis.url.expose())
    }
}

fn node_config(settings: &Settings) -> node::Config {
    node::Config {
        node_id: settings.server.node_id.clone(),
        secret: settings.cluster.secret.clone(),
        host: settings.server.host,
        peer_port: settings.cluster.peer_port,
        address: settings.cluster.address,
        recovery_window: settings.transport.recovery_window,
        lease: settings.cluster.lease,
    }
}

fn patience(settings: &Settings) -> Patience {
    let server = &settings.server;
    Patience {
        body_pause: server.body_pause,
        body: server.body_time,
        write: server.write_stall,
        first_head: server.header_time,
        keep_alive: server.keep_alive,
    }
}

fn server_limits(settings: &Settings, budget: &Arc<Budget>) -> server::Limits {
    server::Limits {
        budget: budget.clone(),
        patience: patience(settings),
        // A client on long-polling has two of them, and some have no session yet.
        per_address: settings.limits.connections_per_address.saturating_mul(2).saturating_add(8),
        trusted_proxies: settings.server.trusted_proxies.clone(),
        ..server::Limits::default()
    }
}

fn engine_config(settings: &Settings, node: &Node, budget: &Arc<Budget>) -> engineio::Config {
    let (transport, limits) = (&settings.transport, &settings.limits);
    engineio::Config {
        ping_interval: transport.ping_interval,
        ping_timeout: transport.ping_timeout,
        max_payload: transport.max_payload,
        upgrade_timeout: transport.upgrade_timeout,
        max_packets_per_payload: transport.max_packets_per_payload,
        outbox_bytes: limits.outbox_bytes,
        max_connections: limits.connections,
        max_connections_per_address: limits.connections_per_address,
        handshakes_per_second: limits.handshakes_per_second,
        handshakes_per_second_per_address: limits.handshakes_per_second_per_address,
        budget: budget.clone(),
        patience: patience(settings),
        read_bytes_per_second: limits.read_bytes_per_second,
        tag: (&**node.identity.tag()).into(),
        // A feature may find a token there. Anything else no feature looks at.
        handshake_headers: 17 * 1024,
        kept_headers: &["authorization"],
        ..engineio::Config::default()
    }
}

fn socketio_config(settings: &Settings, node: &Node) -> socketio::Config {
    let transport = &settings.transport;
    let bound = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    socketio::Config {
        connect_timeout: transport.connect_timeout,
        agents_without_recovery: transport.agents_without_recovery.clone().into(),
        events_per_second: settings.limits.events_per_second,
        event_burst: settings.limits.events_burst,
        events_per_second_per_user: settings.limits.events_per_second_per_user,
        connects_per_minute: settings.limits.connects_per_minute,
        connects_at_once: settings.limits.connects_at_once,
        attachments: packet::Limits { attachments: bound(transport.max_attachments), bytes: bound(transport.max_payload) },
        gate: node.registry.fence().gate().clone(),
        ..socketio::Config::default()
    }
}
