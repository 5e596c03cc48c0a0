//! The port to where connections are kept: it gives them a `pid`, gives them back when their client returns, and knows how far
//! their scopes have come. Without one every CONNECT makes a new socket that dies with its transport.

use std::sync::Arc;

use super::namespace::BoxFuture;
use super::socket::Link;
use super::{ConnectError, DisconnectReason, Namespace, SessionSnapshot, Socket, SocketExport};

/// Who a socket belongs to. A connection is only given back to the same user in the same role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    pub user: String,
    pub role: String,
    /// When its token ends, seconds since 1970.
    pub expires: Option<u64>,
}

/// The names of a socket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    pub sid: String,
    /// Empty: it is not kept.
    pub pid: String,
    /// Raised each time the socket is taken over.
    pub epoch: u64,
}

/// What the client said of a connection before this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreviousSession {
    pub pid: Box<str>,
    /// The last offset that it has had.
    pub offset: Option<Box<str>>,
}

/// A client that has authenticated and is to become a socket.
pub struct PendingSocket {
    pub identity: Option<Identity>,
    /// The client knows of recovery: it gets a pid, and offsets.
    pub recovery_enabled: bool,
    pub previous: Option<PreviousSession>,
    pub(super) link: Link,
}

impl PendingSocket {
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.link.namespace
    }

    /// Makes a socket of it.
    pub fn socket(&self, names: Names) -> Arc<Socket> {
        Socket::new(self, names)
    }
}

/// A socket, and how it goes on.
pub struct Admitted {
    pub socket: Arc<Socket>,
    /// Of one that was recovered: queues what was missed, right after CONNECT. Dropped if the client is gone meanwhile.
    pub replay: Option<Box<dyn FnOnce() + Send>>,
}

impl Admitted {
    pub fn new(socket: Arc<Socket>) -> Self {
        Self { socket, replay: None }
    }
}

/// Keeps connections. Only [`SessionStore::admit`] and [`SessionStore::arrive`] may take time. For a program of one node the last
/// three need not be there: without them no session moves.
pub trait SessionStore: Send + Sync + 'static {
    /// Gives the client its previous connection, or a new one.
    fn admit(&self, pending: PendingSocket) -> BoxFuture<Result<Admitted, ConnectError>>;

    /// CONNECT has been queued.
    fn connected(&self, socket: &Arc<Socket>);

    /// A `ping` is about to be queued: [`Socket::mark`] is to be told how far each of the socket's scopes has come.
    fn pinging(&self, socket: &Arc<Socket>);

    /// The socket is no longer connected. Its rooms still stand.
    fn gone(&self, socket: &Arc<Socket>, reason: DisconnectReason);

    /// The socket is to move with its session: nothing more is queued to it, and its rooms are left without a word. `None` if
    /// it is gone already.
    fn freeze(&self, _socket: &Arc<Socket>) -> Option<SocketExport> {
        None
    }

    /// A frozen socket has been given away, instead of [`SessionStore::gone`]. Whether it arrived is not known yet.
    fn given_away(&self, _socket: &Arc<Socket>, _snapshot: SessionSnapshot) {}

    /// A socket of another node goes on here: in its rooms again, from where they were left. What comes out queues what it
    /// missed meanwhile; [`SessionStore::connected`] follows. `None` if it cannot go on.
    fn arrive(&self, _socket: Arc<Socket>, _export: SocketExport) -> BoxFuture<Option<Box<dyn FnOnce() + Send>>> {
        Box::pin(std::future::ready(None))
    }
}
