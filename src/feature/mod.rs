//! What a feature is: everything that the hub must know of it, said in one place by the feature itself.
//!
//! ```text
//! Feature (static) ─► read: its settings ─► Configured ─► build: what it stands on ─► Parts ─► Running
//!    settings, metrics       secrets, surface    check, migrate      namespaces, routes     start, drain, stop
//! ```
//!
//! A feature sees what is below it and never another feature. The application has a list of features and knows nothing else of
//! them.

pub mod check;
pub mod probe;

use std::sync::Arc;

use clap::ArgMatches;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::asyncapi::Channel;
use crate::cluster::node::Node;
use crate::engineio::Engine;
use crate::http::guards::RateLimits;
use crate::http::router::Router;
use crate::http::routes::health::Dependency;
use crate::livekit::{LiveKit, RoomListener};
use crate::redis::Redis;
use crate::rooms::timers::Timers;
use crate::settings::table::Group;
use crate::settings::{Reader, Settings, VerifierSettings};
use crate::socketio::{Namespace, SocketIo};
use crate::store::{Schema, Store};
use crate::telemetry::metrics::Metric;

pub use check::Finding;

/// What is known of a feature before anything runs.
pub trait Feature: Sync {
    /// The tables of its variables of the environment.
    fn settings(&self) -> &'static [Group];

    /// What it measures.
    fn metrics(&self) -> &'static [Metric] {
        &[]
    }

    /// Its namespaces, for the document of events. They are the same whatever is switched on.
    fn channels(&self) -> Vec<Channel> {
        Vec::new()
    }

    /// Tokens that `convoke token` can make for it.
    fn tokens(&self) -> Option<TokenCommand> {
        None
    }

    /// Reads its settings. What is wrong with them is noted by the reader.
    fn read(&self, base: &Settings, read: &mut Reader<'_>) -> Box<dyn Configured>;
}

/// The tokens of a feature, as words of `convoke token --surface <surface>`.
pub struct TokenCommand {
    pub surface: &'static str,
    /// Whose tokens they are: one line.
    pub about: &'static str,
    /// Arguments beyond `--role`, `--user` and `--ttl`.
    pub args: Vec<clap::Arg>,
}

/// What every token is made of.
pub struct TokenWish<'a> {
    pub role: Option<&'a str>,
    /// 1–128 characters.
    pub user: &'a str,
    /// The arguments that the feature has declared.
    pub more: &'a ArgMatches,
    /// Seconds since 1970.
    pub now: u64,
    pub expires_at: u64,
}

/// Why no token was made.
#[derive(Debug)]
pub enum NoToken {
    /// The words make no sense together.
    Words(&'static str),
    /// No key can sign it.
    Key(anyhow::Error),
}

/// How the tokens of a feature are verified. No two features may share a key, unless `JWT_SHARED` says so.
pub struct Surface<'a> {
    /// As in the names of its settings.
    pub name: &'static str,
    pub identity: &'a VerifierSettings,
}

/// A feature whose settings are read.
pub trait Configured: Send + Sync {
    /// `None`: it has no tokens of its own.
    fn surface(&self) -> Option<Surface<'_>> {
        None
    }

    /// What is off because its settings are missing, and what is dangerous: one sentence each.
    fn notices(&self, base: &Settings) -> Vec<String> {
        let _ = base;
        Vec::new()
    }

    /// Tries what it will need.
    fn check<'a>(&'a self, base: &'a Settings) -> BoxFuture<'a, Vec<Finding>> {
        let _ = base;
        Box::pin(async { Vec::new() })
    }

    /// Brings what it keeps in PostgreSQL beyond the tables up to date, and says what was done. All migrations have run, and no
    /// other node migrates meanwhile.
    fn migrate<'a>(&'a self, schema: &'a Schema) -> BoxFuture<'a, anyhow::Result<Vec<String>>> {
        let _ = schema;
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Signs a token ([`Feature::tokens`]).
    ///
    /// # Errors
    /// [`NoToken`].
    fn token(&self, wish: &TokenWish<'_>) -> Result<String, NoToken> {
        let _ = wish;
        Err(NoToken::Words("there are no such tokens"))
    }

    /// Puts it together. It must not wait for anything: what it stands on may be away.
    ///
    /// # Errors
    /// If a setting makes no sense after all.
    fn build(&self, world: &World) -> anyhow::Result<Parts>;
}

/// What a feature stands on.
pub struct World {
    pub settings: Settings,
    pub redis: Redis,
    pub node: Arc<Node>,
    /// They fire once all features have started.
    pub timers: Arc<Timers>,
    /// `None`: no PostgreSQL is configured.
    pub store: Option<Store>,
    /// `None`: no LiveKit is configured.
    pub livekit: Option<LiveKit>,
    pub limits: RateLimits,
}

/// What a feature gives the hub. One that is switched off gives routes that say so.
pub struct Parts {
    pub namespaces: Vec<Namespace>,
    /// Adds its routes.
    pub routes: Box<dyn FnOnce(&mut Router) + Send>,
    /// What `/readyz` names when it is away.
    pub dependencies: Vec<Dependency>,
    /// Who wants to hear what LiveKit tells.
    pub livekit: Option<Arc<dyn RoomListener>>,
    pub running: Arc<dyn Running>,
}

impl Default for Parts {
    fn default() -> Self {
        let (namespaces, dependencies) = (Vec::new(), Vec::new());
        Self { namespaces, routes: Box::new(|_| {}), dependencies, livekit: None, running: Arc::new(()) }
    }
}

/// The clients of this node.
pub struct Clients {
    pub engine: Arc<Engine>,
    pub io: Arc<SocketIo>,
}

/// A feature at work.
pub trait Running: Send + Sync {
    /// All namespaces are together, for a feature that looks at the clients of others. Called once, before [`Running::start`].
    fn clients(&self, clients: &Clients) {
        let _ = clients;
    }

    /// Starts its jobs, once the node is a member of the cluster.
    fn start(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Sets its gauges; called once a second.
    fn sample(&self) {}

    /// What closed connections have left it to write. A drain waits for zero.
    fn unsettled(&self) -> usize {
        0
    }

    /// All connections are closed: it hands what is left to do to other nodes.
    fn hand_over(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    /// Ends its jobs and waits for what is under way, until that moment at most.
    fn stop(&self, by: Instant) -> BoxFuture<'_, ()> {
        let _ = by;
        Box::pin(async {})
    }
}

/// A feature without jobs.
impl Running for () {}
