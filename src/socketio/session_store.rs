//! The interface to the store of connections. It gives a connection a `pid`, gives it back to a client that returns, and knows
//! the position of its scopes. Without one, every CONNECT makes a new socket that ends with its transport.

use std::sync::Arc;

use super::namespace::BoxFuture;
use super::socket::Link;
use super::{ConnectError, DisconnectReason, Namespace, SessionSnapshot, Socket, SocketExport};

/// The user of a socket. A connection is only given back to the same user in the same role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub user: String,
    pub role: String,
    /// When the token expires, seconds since 1970.
    pub expires: Option<u64>,
}

/// The ids of a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub sid: String,
    /// Empty: the connection is not kept.
    pub pid: String,
    /// Raised each time the socket is taken over.
    pub epoch: u64,
}

/// The connection that the client had before, as it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousSession {
    pub pid: Box<str>,
    /// The last offset that the client has received.
    pub offset: Option<Box<str>>,
}

/// An authenticated client that is about to become a socket.
pub struct PendingSocket {
    pub identity: Option<Identity>,
    /// The client supports recovery: it gets a pid and offsets.
    pub recovery_enabled: bool,
    pub previous: Option<PreviousSession>,
    pub(super) link: Link,
}

impl PendingSocket {
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.link.namespace
    }

    /// Makes the socket.
    pub fn socket(&self, names: Names) -> Arc<Socket> {
        Socket::new(self, names)
    }
}

/// A new or recovered socket.
pub struct Admitted {
    pub socket: Arc<Socket>,
    /// For a recovered socket.
    pub replay: Option<Replay>,
}

/// Queues what a recovered socket's client has missed, right after CONNECT.
pub struct Replay {
    queue: Box<dyn FnOnce() + Send>,
    notes: bool,
}

impl Replay {
    /// It is dropped if the client has gone meanwhile.
    pub fn new(queue: impl FnOnce() + Send + 'static) -> Self {
        Self { queue: Box::new(queue), notes: false }
    }

    /// It is also run if the client has gone meanwhile: then nothing is sent, but the socket notes what its client has missed.
    pub fn noting(queue: impl FnOnce() + Send + 'static) -> Self {
        Self { queue: Box::new(queue), notes: true }
    }

    pub(super) fn run(self) {
        (self.queue)();
    }

    /// The client has gone, and the socket has left.
    pub(super) fn discard(self) {
        if self.notes {
            (self.queue)();
        }
    }
}

impl Admitted {
    pub fn new(socket: Arc<Socket>) -> Self {
        Self { socket, replay: None }
    }
}

/// Keeps connections. Only [`SessionStore::admit`] and [`SessionStore::arrive`] may take time. A program of one node need not
/// implement the last three methods; without them no session moves.
pub trait SessionStore: Send + Sync + 'static {
    /// Gives the client its previous connection, or a new one.
    fn admit(&self, pending: PendingSocket) -> BoxFuture<Result<Admitted, ConnectError>>;

    /// CONNECT has been queued.
    fn connected(&self, socket: &Arc<Socket>);

    /// A `ping` is about to be queued: call [`Socket::mark`] with the position of each of the socket's scopes.
    fn pinging(&self, socket: &Arc<Socket>);

    /// The socket is no longer connected. It is still in its rooms.
    fn gone(&self, socket: &Arc<Socket>, reason: DisconnectReason);

    /// The socket moves with its session: nothing more is queued to it, and it leaves its rooms without an announcement. `None`
    /// if it is gone already.
    fn freeze(&self, _socket: &Arc<Socket>) -> Option<SocketExport> {
        None
    }

    /// A frozen socket has moved; called instead of [`SessionStore::gone`]. It is not known yet whether it has arrived.
    fn given_away(&self, _socket: &Arc<Socket>, _snapshot: SessionSnapshot) {}

    /// A socket of another node continues here: it joins its rooms again, from the position at which it left them. The result
    /// queues what it missed meanwhile; [`SessionStore::connected`] follows. `None` if it cannot continue.
    fn arrive(&self, _socket: Arc<Socket>, _export: SocketExport) -> BoxFuture<Option<Replay>> {
        Box::pin(std::future::ready(None))
    }
}
