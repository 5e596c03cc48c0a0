//! The composition root: the only place that wires everything. Then it waits for a signal, and drains.

mod booking;
mod demo;
mod drain;
mod gauges;
mod probe;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use crate::auth::{self, SosVerifier};
use crate::cluster::node::{self, Node};
use crate::cluster::registry::StartError;
use crate::cluster::relay;
use crate::cluster::scripts::Retention;
use crate::core::drain::{Lifecycle, Phase, asked_to_stop};
use crate::engineio::{self, Engine};
use crate::features;
use crate::features::sos::{self, Sos};
use crate::http::guards::Guards;
use crate::http::router::{Bodies, Router};
use crate::http::routes::{self, health::Health};
use crate::http::{Front, server};
use crate::net::{Budget, Patience};
use crate::protocol::packet;
use crate::redis::{Redis, RedisConfig, RedisError};
use crate::settings::Settings;
use crate::socketio::{self, EngineHandler, SocketIo};
use crate::sos_service::{self, SosService};
use crate::{livekit, store};

use booking::Booking;

/// How long the last requests may take once the node has drained.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// Clients that the kernel keeps until they are accepted, as far as it may: when a node has died, thousands come at once.
const BACKLOG: u32 = 4_096;

/// Why a node did not start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the configuration of Redis makes no sense")]
    Redis(#[from] RedisError),
    #[error("tokens cannot be verified")]
    Verifier(#[from] auth::SetupError),
    #[error("the SOS service cannot be called")]
    SosService(#[from] sos_service::SetupError),
    #[error("PostgreSQL cannot be used")]
    Store(#[from] store::SetupError),
    #[error("LiveKit cannot be used")]
    LiveKit(#[from] livekit::SetupError),
    #[error("this node cannot join the cluster")]
    Cluster(#[from] StartError),
    #[error("cannot listen on {address}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

/// Runs a node until it is told to stop and has drained. Redis may be down at the start: the node is not ready until it
/// answers.
///
/// # Errors
/// [`ServeError`], before anything is served.
pub async fn serve(settings: Settings) -> Result<(), ServeError> {
    // First, so that no signal is lost while the rest starts.
    let stop_asked = tokio::spawn(asked_to_stop());
    let lifecycle = Lifecycle::default();
    let redis = Redis::connect(redis_config(&settings)).await?;
    let verifier = Arc::new(SosVerifier::from_settings(&settings)?);
    let sos_service = SosService::from_settings(&settings)?;
    let booking = Booking::new(&settings, &redis)?;
    let node = Node::new(node_config(&settings), redis.clone());
    let scopes = node.scopes.clone();
    let sos = Sos::new(sos::Parts {
        scopes: scopes.clone(),
        config: sos_config(&settings),
        verifier: verifier.clone(),
        directory: Arc::new(sos_service.clone()),
    });
    sos.start();
    let io = SocketIo::new(socketio_config(&settings, &node), [sos.namespace()]);
    io.set_session_store(node.recovery.session_store());
    let budget = Budget::new(settings.limits.memory_budget);
    let engine = Engine::new(engine_config(&settings, &node, &budget), EngineHandler(io.clone()));
    relay::wire_node(&node, &[("socket.io", &engine)]);

    gauges::spawn(engine.clone(), io.clone(), node.clone(), redis.clone());
    let counted = engine.clone();
    node.registry.set_connections(move || counted.sessions());
    let claims = node.recovery.clone();
    node.registry.on_reborn(Box::new(move |_| {
        let claims = claims.clone();
        Box::pin(async move { claims.reborn().await })
    }));
    drain::wire(&node, &sos);
    node.start().await?;
    booking.start().await;

    let mut dependencies = probe::dependencies(sos_service, settings.sos.identity.jwks_url.is_some().then_some(verifier));
    dependencies.extend(booking.dependencies(&settings));
    let health = Health {
        lifecycle: lifecycle.clone(),
        refuses: Box::new({
            let redis = redis.clone();
            move || redis.refusals().present()
        }),
        masters: Box::new(move || redis.masters_up()),
        fence: Box::new({
            let registry = node.registry.clone();
            move || registry.fence().reason()
        }),
        dependencies,
    };
    let front = Front {
        guards: Guards::new(&settings),
        router: router(&settings, &budget, &sos, &booking, health, &scopes.node()),
        engine: engine.clone(),
    };
    let listener = bind((settings.server.host, settings.server.port).into())?;
    let address = listener.local_addr().map_err(ServeError::Signals)?;
    let stop = CancellationToken::new();
    let limits = server_limits(&settings, &budget);
    let server = tokio::spawn(server::serve(listener, Arc::new(front), limits, stop.clone()));
    lifecycle.enter(Phase::Serving);
    // With PORT=0 this is how one learns the port.
    tracing::info!(%address, node = &*scopes.node(), version = env!("CARGO_PKG_VERSION"), "listening");

    let signal = tokio::select! {
        signal = stop_asked => signal.map_err(io::Error::other).and_then(|signal| signal).map_err(ServeError::Signals)?,
        error = node.refused() => return Err(error.into()),
    };
    tracing::info!(signal, sessions = engine.sessions(), "draining");
    lifecycle.enter(Phase::Draining);
    node.registry.set_draining();
    let plan = drain::Plan {
        delay: settings.server.drain_delay,
        over: settings.server.drain,
        offline_after: settings.sos.offline_after,
    };
    let drained = drain::Drained { engine: engine.clone(), io, node: node.clone(), recovery: node.recovery.clone(), sos };
    tokio::select! {
        () = drain::drain(&drained, plan) => tracing::info!("drained"),
        // Whoever asks twice does not want to wait.
        _ = asked_to_stop() => tracing::warn!(sessions = engine.sessions(), "stopped before all sessions were closed"),
    }
    booking.stop().await;
    node.leave().await;
    stop.cancel();
    let _ = tokio::time::timeout(LAST_REQUESTS, server).await;
    Ok(())
}

fn router(settings: &Settings, budget: &Arc<Budget>, sos: &Arc<Sos>, booking: &Booking, health: Health, node: &str) -> Router {
    let limit = settings.server.body_limit;
    let mut router = Router::new(Bodies { limit, patience: patience(settings), budget: budget.clone() });
    routes::health::routes(&mut router, health, node);
    features::sos::routes::routes(&mut router, sos, settings.sos.internal_token.as_ref());
    booking.routes(&mut router, settings);
    if settings.server.demo {
        demo::routes(&mut router, settings, sos, booking.sessions());
    }
    router
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
    }
}

fn sos_config(settings: &Settings) -> sos::Config {
    let transport = &settings.transport;
    let window = transport.recovery_window;
    // A client may notice the loss of its link only after a whole heartbeat, and then has the window to come back.
    let log = window + Duration::from_secs(30) + transport.ping_interval + transport.ping_timeout + settings.server.drain;
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    sos::Config {
        retention: Retention { window_ms: ms(window), log_ms: ms(log) },
        ack_after: settings.sos.ack_after,
        lookup_every: settings.sos.lookup_every,
        sweep_every: settings.sos.sweep_every,
        offline_after: settings.sos.offline_after,
        presence_window: settings.sos.presence_window,
        token_grace: settings.sos.token_grace,
        devices: settings.sos.devices,
        rooms: settings.limits.rooms_per_socket,
        relay_bytes: settings.limits.relay_bytes,
        state_bytes: settings.limits.state_bytes,
        ..sos::Config::default()
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
