//! What an operator can set. The one door to the environment: [`Settings::from_source`] reads every variable of
//! [`table`], reports all faults at once, and hands out typed values with their units in the type.
//!
//! It knows nothing of what the settings are for; each part of the hub takes its own struct of the tree.

mod database;
mod outside;
pub mod reader;
mod source;
pub mod table;
mod values;
pub mod verifier;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use table as t;

pub use database::DatabaseTls;
pub use outside::{LiveKit, Store};
pub use reader::{Fault, Reader};
pub use source::Source;
pub use values::{Cidr, Origins, Secret, duration};
pub use verifier::VerifierSettings;

/// All settings of a node.
#[derive(Clone, Debug)]
pub struct Settings {
    pub server: Server,
    pub cluster: Cluster,
    pub origins: Origins,
    pub transport: Transport,
    pub limits: Limits,
    pub redis: Redis,
    /// Shared with the company's own services; without it nobody is let in at `/internal`.
    pub internal_token: Option<Secret>,
    /// `None`: what stands on PostgreSQL is off.
    pub store: Option<Store>,
    /// `None`: what stands on LiveKit is off.
    pub livekit: Option<LiveKit>,
    pub telemetry: Telemetry,
}

/// The node itself and its HTTP side.
#[derive(Clone, Debug)]
pub struct Server {
    pub host: IpAddr,
    /// 0: any free port.
    pub port: u16,
    /// Unique in the cluster; 1–128 of `[A-Za-z0-9_.-]`.
    pub node_id: Box<str>,
    /// `NODE_ENV=development`.
    pub development: bool,
    /// The demo page and its development tokens are served.
    pub demo: bool,
    /// Bytes.
    pub body_limit: usize,
    /// From a connection to its first whole request head.
    pub header_time: Duration,
    /// Between two bytes of a body, and for all of it.
    pub body_pause: Duration,
    pub body_time: Duration,
    /// An idle connection is kept for so long.
    pub keep_alive: Duration,
    /// Without a byte being taken of what waits for a client.
    pub write_stall: Duration,
    pub trusted_proxies: Vec<Cidr>,
    pub drain_delay: Duration,
    pub drain: Duration,
}

/// How the nodes reach and trust each other.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// 0: any free port.
    pub peer_port: u16,
    /// Where the others reach this node; `None`: the address from which it reaches Redis.
    pub address: Option<IpAddr>,
    /// Without it this node must stay alone.
    pub secret: Option<Secret>,
    /// How long a node counts as alive that is not heard of.
    pub lease: Duration,
}

/// Engine.IO and Socket.IO (contract § 1).
#[derive(Clone, Debug)]
pub struct Transport {
    pub ping_interval: Duration,
    pub ping_timeout: Duration,
    /// Bytes of one message.
    pub max_payload: usize,
    /// Binary attachments of one event.
    pub max_attachments: usize,
    /// Packets in one answer to a poll.
    pub max_packets_per_payload: usize,
    pub upgrade_timeout: Duration,
    /// From the handshake to the first CONNECT.
    pub connect_timeout: Duration,
    pub recovery_window: Duration,
    /// Parts of the `User-Agent` of clients that know nothing of recovery.
    pub agents_without_recovery: Vec<Box<str>>,
}

/// What protects the node from too much.
#[derive(Clone, Debug)]
pub struct Limits {
    pub connections: usize,
    pub connections_per_address: usize,
    pub handshakes_per_second: u32,
    pub handshakes_per_second_per_address: u32,
    /// Newcomers that are let in at the same moment.
    pub connects_at_once: usize,
    /// Of one connection, over all its namespaces.
    pub events_per_second: u32,
    /// Events of one connection at once.
    pub events_burst: u32,
    pub events_per_second_per_user: u32,
    pub connects_per_minute: u32,
    /// Of one connection.
    pub read_bytes_per_second: usize,
    /// Bytes queued for one client.
    pub outbox_bytes: usize,
    /// Rooms that one socket may be in.
    pub rooms_per_socket: usize,
    /// Sockets of one user that may be in one room.
    pub sockets_per_user: u32,
    /// Bytes of the payload of a signal.
    pub relay_bytes: usize,
    /// Bytes of the state of a room, as clients get it.
    pub state_bytes: usize,
    /// Bytes that all clients may hold.
    pub memory_budget: usize,
}

/// Where Redis is and how patient we are with it.
#[derive(Clone, Debug)]
pub struct Redis {
    /// `redis://`, `rediss://`, `redis-cluster://`, `rediss-cluster://`, `redis-sentinel://` or `rediss-sentinel://`; it may
    /// hold a password.
    pub url: Secret,
    /// For one call, repeats included.
    pub deadline: Duration,
    /// Replicas that confirm a write; 0: none are asked.
    pub ack_replicas: u32,
}

/// Logs and metrics.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// A filter of `tracing_subscriber`.
    pub log_filter: Box<str>,
    /// JSON lines instead of text for people.
    pub json: bool,
    /// `None`: no metrics are served.
    pub metrics_port: Option<u16>,
}

/// Everything that is wrong with a configuration, one line each.
#[derive(Debug, thiserror::Error)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings have {} fault{}:", self.0.len(), if self.0.len() == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
    }
}

/// Bytes of an event that count as one event more.
pub const EVENT_BYTES: usize = 16_384;

impl Settings {
    /// Reads every variable that belongs to no feature.
    ///
    /// # Errors
    /// [`Faults`] names all that is wrong, not the first thing only.
    pub fn from_source(source: &Source) -> Result<Self, Faults> {
        let mut read = Reader::new(source);
        let settings = Self::read(&mut read);
        read.finish().map(|()| settings)
    }

    /// The same, for those who read more; the faults are with the reader.
    pub fn read(read: &mut Reader<'_>) -> Self {
        let mut settings = Self {
            server: server(read),
            cluster: cluster(read),
            origins: origins(read),
            transport: transport(read),
            limits: limits(read),
            redis: redis(read),
            internal_token: read.own_secret(t::INTERNAL_AUTH_TOKEN),
            store: outside::store(read),
            livekit: outside::livekit(read),
            telemetry: telemetry(read),
        };
        settings.raise_limits();
        settings.check_together(read);
        settings
    }

    /// A limit never stops what another one allows.
    fn raise_limits(&mut self) {
        let Limits { events_per_second, events_per_second_per_user, read_bytes_per_second, .. } = &mut self.limits;
        *events_per_second_per_user = (*events_per_second_per_user).max(*events_per_second);
        let needed = (*events_per_second as usize * EVENT_BYTES).max(self.transport.max_payload);
        *read_bytes_per_second = (*read_bytes_per_second).max(needed);
    }

    /// What fits alone but not together.
    fn check_together(&self, read: &mut Reader<'_>) {
        if self.telemetry.metrics_port.is_some_and(|port| port == self.server.port) {
            read.fault(t::METRICS_PORT, format!("must differ from the port of the server, {}", self.server.port));
        }
        let taken = [Some(self.server.port), self.telemetry.metrics_port];
        if self.cluster.peer_port != 0 && taken.contains(&Some(self.cluster.peer_port)) {
            read.fault(t::PEER_PORT, "must differ from PORT and METRICS_PORT");
        }
        let outbox = self.limits.outbox_bytes;
        let largest = [
            (t::MAX_PAYLOAD, self.transport.max_payload),
            (t::MAX_RELAY_BYTES, self.limits.relay_bytes),
            (t::MAX_STATE_BYTES, self.limits.state_bytes),
        ];
        if let Some((variable, bytes)) = largest.into_iter().max_by_key(|(_, bytes)| *bytes)
            && outbox < 2 * bytes
        {
            let (name, why) = (variable.name, "two large events at once would close every client that polls");
            read.fault(t::OUTBOX_BYTES, format!("must be at least twice {name} ({bytes}): {why}"));
        }
        let payload = self.transport.max_payload;
        let least = 8 * outbox.max(payload);
        if self.limits.memory_budget < least {
            let why = "eight times the larger of OUTBOX_BYTES and MAX_PAYLOAD";
            read.fault(t::MEMORY_BUDGET_BYTES, format!("must be at least {least}, {why}"));
        }
        if self.transport.max_packets_per_payload <= self.transport.max_attachments {
            let least = self.transport.max_attachments + 1;
            let why = format!("must be at least {least}: an event and its MAX_ATTACHMENTS come in one answer");
            read.fault(t::MAX_PACKETS_PER_PAYLOAD, why);
        }
    }

    /// What is off because its settings are missing, and what is dangerous: one sentence each, to be logged once at start.
    pub fn notices(&self) -> Vec<String> {
        let notices = [
            (self.cluster.secret.is_none(), "this node must stay the only one: CLUSTER_SECRET is not set"),
            (self.internal_token.is_none(), "the internal API is off: INTERNAL_AUTH_TOKEN is not set"),
            (self.origins.any, "any web page may connect: CORS_ORIGIN or CLIENT_ORIGINS holds *"),
            (self.server.demo, "DEMO is on: anyone can get a token"),
        ];
        notices.into_iter().filter(|(holds, _)| *holds).map(|(_, notice)| notice.to_owned()).collect()
    }
}

fn server(read: &mut Reader<'_>) -> Server {
    let port =
        if read.given(t::PORT).is_none() && read.given(t::REALTIME_API_PORT).is_some() { t::REALTIME_API_PORT } else { t::PORT };
    let name = [t::NODE_ID, t::POD_NAME, t::HOSTNAME].into_iter().find(|variable| read.given(variable).is_some());
    let node_id = name.and_then(|name| {
        read.parsed(name, "1–128 of A–Z, a–z, 0–9, _, . and -", |text| is_node_id(text).then(|| text.into()))
    });
    Server {
        host: read.parsed(t::HOST, "an IP address", |text| text.parse().ok()).unwrap_or(IpAddr::from([0, 0, 0, 0])),
        port: read.integer(port, 0..=u16::MAX),
        node_id: node_id.unwrap_or_else(|| "node".into()),
        development: read.text(t::NODE_ENV) == "development",
        demo: read.flag(t::DEMO),
        body_limit: read.integer(t::HTTP_BODY_LIMIT, 1024..=100_000_000),
        header_time: read.seconds(t::HTTP_HEADER_SECONDS, 1..=3600),
        body_pause: read.seconds(t::HTTP_BODY_PAUSE_SECONDS, 1..=3600),
        body_time: read.seconds(t::HTTP_BODY_SECONDS, 1..=3600),
        keep_alive: read.seconds(t::HTTP_KEEP_ALIVE_SECONDS, 1..=3600),
        write_stall: read.seconds(t::WRITE_STALL_SECONDS, 1..=3600),
        trusted_proxies: read.list(t::TRUSTED_PROXIES, "IP addresses and CIDR blocks", |entry| entry.parse().ok()),
        drain_delay: read.seconds(t::DRAIN_DELAY_SECONDS, 0..=600),
        drain: read.seconds(t::DRAIN_SECONDS, 0..=3600),
    }
}

fn cluster(read: &mut Reader<'_>) -> Cluster {
    Cluster {
        peer_port: read.integer(t::PEER_PORT, 0..=u16::MAX),
        address: read.parsed(t::POD_IP, "an IP address", |text| text.parse().ok()),
        secret: read.own_secret(t::CLUSTER_SECRET),
        lease: read.milliseconds(t::NODE_LEASE_MS, 2_000..=60_000),
    }
}

fn origins(read: &mut Reader<'_>) -> Origins {
    let mut origins = Origins::default();
    for variable in [t::CORS_ORIGIN, t::CLIENT_ORIGINS] {
        read.list(variable, "origins such as https://app.example.com, or *", |entry| origins.add(entry).ok());
    }
    origins
}

fn transport(read: &mut Reader<'_>) -> Transport {
    Transport {
        ping_interval: read.milliseconds(t::PING_INTERVAL_MS, 50..=600_000),
        ping_timeout: read.milliseconds(t::PING_TIMEOUT_MS, 50..=600_000),
        max_payload: read.integer(t::MAX_PAYLOAD, 1024..=100_000_000),
        max_attachments: read.integer(t::MAX_ATTACHMENTS, 0..=1000),
        max_packets_per_payload: read.integer(t::MAX_PACKETS_PER_PAYLOAD, 1..=100_000),
        upgrade_timeout: read.milliseconds(t::UPGRADE_TIMEOUT_MS, 50..=600_000),
        connect_timeout: read.milliseconds(t::CONNECT_TIMEOUT_MS, 50..=600_000),
        recovery_window: read.seconds(t::RECOVERY_WINDOW_SECONDS, 0..=3600),
        agents_without_recovery: read.list(t::RECOVERY_AGENTS_WITHOUT, "words", |entry| Some(entry.into())),
    }
}

fn limits(read: &mut Reader<'_>) -> Limits {
    Limits {
        connections: read.integer(t::MAX_CONNECTIONS, 1..=10_000_000),
        connections_per_address: read.integer(t::MAX_CONNECTIONS_PER_ADDRESS, 1..=10_000_000),
        handshakes_per_second: read.integer(t::HANDSHAKES_PER_SECOND, 1..=1_000_000),
        handshakes_per_second_per_address: read.integer(t::HANDSHAKES_PER_SECOND_PER_ADDRESS, 1..=1_000_000),
        connects_at_once: read.integer(t::CONNECTS_AT_ONCE, 1..=100_000),
        events_per_second: read.integer(t::EVENTS_PER_SECOND, 1..=1_000_000),
        events_burst: read.integer(t::EVENTS_BURST, 1..=1_000_000),
        events_per_second_per_user: read.integer(t::EVENTS_PER_SECOND_PER_USER, 1..=1_000_000),
        connects_per_minute: read.integer(t::CONNECTS_PER_MINUTE, 1..=1_000_000),
        read_bytes_per_second: read.integer(t::READ_BYTES_PER_SECOND, 1024..=100_000_000_000),
        outbox_bytes: read.integer(t::OUTBOX_BYTES, 1024..=1_000_000_000),
        rooms_per_socket: read.integer(t::ROOMS_PER_SOCKET, 1..=1000),
        sockets_per_user: read.integer(t::SOCKETS_PER_USER, 1..=1000),
        relay_bytes: read.integer(t::MAX_RELAY_BYTES, 256..=1_000_000),
        state_bytes: read.integer(t::MAX_STATE_BYTES, 65_536..=100_000_000),
        memory_budget: read.integer(t::MEMORY_BUDGET_BYTES, 1 << 20..=1 << 40),
    }
}

fn redis(read: &mut Reader<'_>) -> Redis {
    Redis {
        url: redis_url(read),
        deadline: read.milliseconds(t::REDIS_DEADLINE_MS, 50..=60_000),
        ack_replicas: read.integer(t::ACK_REPLICAS, 0..=16),
    }
}

fn redis_url(read: &mut Reader<'_>) -> Secret {
    const SCHEMES: [&str; 6] = ["redis", "rediss", "redis-cluster", "rediss-cluster", "redis-sentinel", "rediss-sentinel"];
    // Read even if the URL wins, so that a bad value never lies in wait.
    let host = read.text(t::REDIS_HOST);
    let port = read.integer(t::REDIS_PORT, 1..=u16::MAX);
    let database: u16 = read.integer(t::REDIS_DB, 0..=u16::MAX);
    let password = read.secret(t::REDIS_PASSWORD);
    if let Some(url) = read.given(t::REDIS_URL) {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        if !SCHEMES.contains(&&*scheme) || rest.is_empty() {
            // Not shown: it may hold a password.
            read.fault(t::REDIS_URL, format!("must begin with one of {}, each followed by ://", SCHEMES.join(", ")));
        }
        return Secret::new(format!("{scheme}://{rest}"));
    }
    let host = if host.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() };
    let mut url = match reqwest::Url::parse(&format!("redis://{host}:{port}/{database}")) {
        Ok(url) if url.username().is_empty() && url.password().is_none() && url.path() == format!("/{database}") => url,
        _ => {
            read.fault(t::REDIS_HOST, "must be the name or address of a host");
            return Secret::new("");
        }
    };
    // Fails only for URLs that cannot have a host; this one has.
    let _ = url.set_password(password.as_ref().map(Secret::expose));
    Secret::new(url.as_str())
}

fn telemetry(read: &mut Reader<'_>) -> Telemetry {
    let log_filter =
        read.parsed(t::LOG_LEVEL, "error, warn, info, debug, trace or a filter such as info,convoke=debug", |text| {
            is_log_filter(text).then(|| text.into())
        });
    let metrics_port = read.integer(t::METRICS_PORT, 0..=u16::MAX);
    Telemetry {
        log_filter: log_filter.unwrap_or_else(|| "info".into()),
        json: read.text(t::NODE_ENV) != "development",
        metrics_port: (metrics_port != 0).then_some(metrics_port),
    }
}

/// A bare word that is no level would be taken for the name of a module, and silence everything.
fn is_log_filter(text: &str) -> bool {
    let bare_words_are_levels = text.split(',').all(|part| part.contains('=') || part.trim().parse::<tracing::Level>().is_ok());
    (text == "off" || bare_words_are_levels) && tracing_subscriber::EnvFilter::try_new(text).is_ok()
}

fn is_node_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}
