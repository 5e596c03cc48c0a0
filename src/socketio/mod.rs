//! Socket.IO v5 on top of Engine.IO: namespaces, sockets, events and acknowledgements.
//!
//! A feature registers its handlers in a [`Namespace`]; this layer decodes, orders, limits and answers events. It knows nothing
//! of Redis or of the meaning of events. A [`SessionStore`] keeps connections beyond their transports.

mod acks;
mod bind;
mod client;
mod connect_auth;
mod connect_limiter;
mod error;
mod event;
mod event_queue;
mod forwarded;
mod gate;
mod memory_store;
mod namespace;
mod observer;
mod rates;
mod rooms;
mod sent;
mod session_store;
mod snapshot;
mod socket;
mod unacked_log;

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use smallvec::SmallVec;
use tokio_util::task::TaskTracker;

use crate::core::Tap;
use crate::engineio::{self, Connection, Handshake, Session};
use crate::protocol::packet::Limits;

pub use acks::AckError;
pub use bind::{bind, bind_event};
use client::Client;
pub use connect_auth::Recovering;
use connect_limiter::ConnectLimiter;
pub use error::{Code, ConnectError, EventError};
pub use event::{Accepted, Event, Reply};
pub use gate::Gate;
pub use memory_store::{MemoryStore, MemoryStoreConfig};
pub use namespace::{Abandoned, Arrival, BoxFuture, ConnectRequest, Handler, Namespace};
pub use observer::Observer;
use rates::{UserAllowance, Users};
pub use rooms::Rooms;
pub use sent::{Missed, SentDirect, SentEntry, SentLog};
pub use session_store::{Admitted, Identity, Names, PendingSocket, PreviousSession, Replay, SessionStore};
pub use snapshot::{SessionSnapshot, SnapshotRoom, SocketExport};
pub use socket::{DisconnectReason, Socket};

/// What a server may set.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a client may take from the Engine.IO handshake to an accepted CONNECT.
    pub connect_timeout: Duration,
    /// Events a second of one session, over all of its namespaces; beyond it they are answered with `RATE_LIMITED`.
    pub events_per_second: u32,
    /// Events that a session may send at once after a pause.
    pub event_burst: u32,
    /// Events a second of one user over all of its sockets on this node; beyond it they are refused in the same way.
    pub events_per_second_per_user: u32,
    /// CONNECT packets a minute of one session, which may come all at once; beyond it the transport is closed.
    pub connects_per_minute: u32,
    /// Events that may wait in the queue of one socket.
    pub max_queued_events: usize,
    /// Acknowledgements that may be awaited from one socket.
    pub max_pending_acks: usize,
    /// CONNECTs that are handled at the same time, `on_connected` included; others wait.
    pub connects_at_once: usize,
    /// Bounds on binary attachments.
    pub attachments: Limits,
    /// Clients whose `User-Agent` contains one of these, in any case, get no recovery unless they ask for it.
    pub agents_without_recovery: Arc<[Box<str>]>,
    /// CONNECTs and events wait here while the node may not act …
    pub gate: Gate,
    /// … until it has been shut for so long: then events are answered with `UNAVAILABLE`, and new clients have to try again.
    pub gate_patience: Duration,
    /// Who is told what happens.
    pub observer: Tap<dyn Observer>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(45),
            events_per_second: 50,
            event_burst: 100,
            events_per_second_per_user: 200,
            connects_per_minute: 30,
            max_queued_events: 256,
            max_pending_acks: 256,
            connects_at_once: 64,
            attachments: Limits::default(),
            agents_without_recovery: ["python", "aiohttp", "Dart"].map(Into::into).into(),
            gate: Gate::default(),
            gate_patience: Duration::from_secs(5),
            observer: Tap::default(),
        }
    }
}

/// All namespaces of this process. Hand it to [`engineio::Engine::new`].
pub struct SocketIo {
    config: Config,
    namespaces: HashMap<&'static str, Arc<Namespace>>,
    store: Option<Arc<dyn SessionStore>>,
    connect_limiter: ConnectLimiter,
    users: Users,
    /// The disconnect handlers that still have to run, or run.
    leaving: TaskTracker,
}

impl SocketIo {
    /// Without a [`SessionStore`]: every CONNECT makes a new socket.
    pub fn new(config: Config, namespaces: impl IntoIterator<Item = Namespace>) -> Arc<Self> {
        Self::build(config, namespaces, None)
    }

    /// `store` keeps connections beyond their transports.
    pub fn with_session_store(
        config: Config,
        namespaces: impl IntoIterator<Item = Namespace>,
        store: Arc<dyn SessionStore>,
    ) -> Arc<Self> {
        Self::build(config, namespaces, Some(store))
    }

    fn build(config: Config, namespaces: impl IntoIterator<Item = Namespace>, store: Option<Arc<dyn SessionStore>>) -> Arc<Self> {
        let namespaces = namespaces.into_iter().map(|namespace| namespace.observed_by(&config.observer));
        let namespaces = namespaces.map(|namespace| (namespace.name(), Arc::new(namespace))).collect();
        let connect_limiter = ConnectLimiter::new(config.connects_at_once);
        let users = Users::new(&config);
        Arc::new(Self { config, namespaces, store, connect_limiter, users, leaving: TaskTracker::new() })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn namespace(&self, name: &str) -> Option<&Arc<Namespace>> {
        self.namespaces.get(name)
    }

    /// The names of all namespaces, sorted.
    pub fn namespaces(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.namespaces.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// Sockets that are connected now, in all namespaces.
    pub fn sockets(&self) -> usize {
        self.namespaces.values().map(|namespace| namespace.sockets()).sum()
    }

    /// The sockets of a session, one for each namespace that its client is connected to.
    pub fn sockets_of(session: &Session) -> SmallVec<[Arc<Socket>; 1]> {
        let connection = session.connection().map(|connection| &**connection as &dyn Any);
        connection.and_then(|connection| connection.downcast_ref::<Client>()).map(Client::sockets).unwrap_or_default()
    }

    /// The field of an event whose elements are validated one by one.
    fn list_of(&self, namespace: &str, event: &str) -> Option<&'static str> {
        self.namespaces.get(namespace)?.list_of(event)
    }

    /// What the user of a socket may still send, if its namespace identifies users.
    fn user_of(&self, namespace: &Namespace, identity: Option<&Identity>) -> Option<Arc<UserAllowance>> {
        identity.map(|identity| self.users.of(namespace.name(), &identity.user))
    }

    /// Sockets that are gone, but whose [`Namespace::on_disconnected`] still has to run, or runs.
    pub fn leaving(&self) -> usize {
        self.leaving.len()
    }
}

/// Speaks Socket.IO over the sessions of an engine.
pub struct EngineHandler(pub Arc<SocketIo>);

impl engineio::Handler for EngineHandler {
    fn open(&self, session: &Arc<Session>, handshake: Handshake) -> Arc<dyn Connection> {
        session.accept_within(self.0.config.connect_timeout);
        session.keep(handshake.header_bytes());
        Client::new(self.0.clone(), handshake)
    }

    fn adopt(&self, session: &Arc<Session>, exported: Bytes) -> Option<Arc<dyn Connection>> {
        let client = Client::arriving(self.0.clone(), &exported)?;
        session.keep(client.handshake().header_bytes());
        Some(client)
    }
}
