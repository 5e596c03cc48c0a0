//! A client in one namespace.

mod asking;
mod emit;
mod work;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};

use smallvec::SmallVec;

pub(super) use emit::args_of;

use super::acks::Acks;
use super::client::Client;
use super::event_queue::EventQueue;
use super::forwarded::SocketCall;
use super::namespace::Data;
use super::rates::UserAllowance;
use super::sent::SentLog;
use super::snapshot::{SessionSnapshot, SnapshotRoom, SocketExport};
use super::unacked_log::UnackedLog;
use super::{Identity, Names, Namespace, PendingSocket};
use crate::core::sync::lock;
use crate::core::{Offset, Position, ScopeId};
use crate::engineio::{CloseReason, Handshake, Session};
use crate::protocol::event::Args;
use crate::protocol::packet::Parser;

/// Why a socket is no longer connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The client sent a DISCONNECT packet.
    Client,
    /// The hub sent one.
    Server,
    /// The session under it ended. The client may come back.
    Transport(CloseReason),
    /// Another socket continues the connection, here or on another node: this one must not end its memberships.
    TakenOver,
}

/// The relation of a socket to its client, the same before and after its CONNECT is answered.
#[derive(Clone)]
pub(super) struct Link {
    pub namespace: Arc<Namespace>,
    pub session: Arc<Session>,
    pub handshake: Arc<Handshake>,
    pub client: Weak<Client>,
    pub parser: Parser,
    /// What [`Namespace::on_connect`] returned.
    pub data: Data,
    /// What its user may still send over all sockets, if its namespace identifies users.
    pub user: Option<Arc<UserAllowance>>,
}

/// Everything here may be called from any task and returns at once.
pub struct Socket {
    id: Box<str>,
    /// The id under which its client may come back; empty if the connection is not kept.
    pid: Box<str>,
    epoch: AtomicU64,
    /// The client supports recovery.
    recovery_enabled: bool,
    link: Link,
    gone: AtomicBool,
    events: EventQueue,
    /// Made with the first emit that asks for an acknowledgement.
    acks: Mutex<Option<Box<Acks>>>,
    /// Locked while something is queued, so that it has the order of the queue.
    unacked: Mutex<UnackedLog>,
}

impl Socket {
    pub(super) fn new(pending: &PendingSocket, names: Names) -> Arc<Self> {
        Arc::new(Self {
            id: names.sid.into(),
            pid: names.pid.into(),
            epoch: AtomicU64::new(names.epoch),
            recovery_enabled: pending.recovery_enabled,
            link: pending.link.clone(),
            gone: AtomicBool::new(false),
            events: EventQueue::default(),
            acks: Mutex::new(None),
            unacked: Mutex::default(),
        })
    }

    /// The Socket.IO id. It is public and grants no right.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The private id: the same user gets this connection back with it. Empty if the connection is not kept.
    pub fn pid(&self) -> &str {
        &self.pid
    }

    /// Raised each time the connection is taken over. With the name of the node it identifies the socket's entries in Redis.
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Relaxed)
    }

    pub fn set_epoch(&self, epoch: u64) {
        self.epoch.store(epoch, Relaxed);
    }

    /// Whether the client was given its pid, and gets offsets.
    pub fn recovery_enabled(&self) -> bool {
        self.recovery_enabled
    }

    /// Its user, if its namespace identifies users.
    pub fn identity(&self) -> Option<Identity> {
        self.link.namespace.identify(&self.link.data)
    }

    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.link.namespace
    }

    pub fn session(&self) -> &Arc<Session> {
        &self.link.session
    }

    /// The first request of its session.
    pub fn handshake(&self) -> &Handshake {
        &self.link.handshake
    }

    pub fn parser(&self) -> Parser {
        self.link.parser
    }

    /// What [`Namespace::on_connect`] returned, `None` if it is not a `T`.
    pub fn data<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.link.data.downcast_ref()
    }

    /// The scopes that this socket is a member of or is joining.
    pub fn rooms(&self) -> SmallVec<[ScopeId; 1]> {
        lock(&self.unacked).scopes()
    }

    /// Whether this socket is a member of a scope, or joins it.
    pub fn is_in(&self, scope: &ScopeId) -> bool {
        lock(&self.unacked).is_in(scope)
    }

    /// Whether it is in a scope with this id that is not `scope`.
    pub fn is_in_other(&self, scope: &ScopeId, id: &str) -> bool {
        lock(&self.unacked).is_in_other(scope, id)
    }

    /// Notes a membership and the position where it begins. For the layer that manages memberships.
    pub fn enter(&self, scope: &ScopeId, at: Position) {
        let mut unacked = lock(&self.unacked);
        let observer = self.link.namespace.observer();
        if observer.is_open() && !unacked.is_in(scope) {
            observer.tell(|observer| observer.joined(self, scope));
        }
        unacked.enter(scope, at);
    }

    /// Removes a membership. For the layer that manages memberships.
    pub fn exit(&self, scope: &ScopeId) {
        let mut unacked = lock(&self.unacked);
        // A frozen socket stays in its rooms elsewhere.
        if !unacked.frozen {
            self.link.namespace.observer().tell(|observer| observer.left(self, scope));
        }
        unacked.exit(scope);
    }

    /// A `ping` is about to be queued, after everything up to these places.
    pub fn mark(&self, places: impl IntoIterator<Item = (ScopeId, Position)>) {
        lock(&self.unacked).mark(places);
    }

    pub(super) fn ping_answered(&self) {
        lock(&self.unacked).answered();
    }

    /// How far it has come.
    pub fn snapshot(&self) -> SessionSnapshot {
        let unacked = lock(&self.unacked);
        let room = |(scope, confirmed)| SnapshotRoom { scope, confirmed, queued: None };
        SessionSnapshot { rooms: unacked.confirmed().into_iter().map(room).collect(), sent: unacked.sent() }
    }

    /// What was queued to it since the last answered `ping`.
    pub fn sent(&self) -> SentLog {
        lock(&self.unacked).sent()
    }

    /// Each room, and the position up to which the client has certainly received everything.
    pub fn confirmed(&self) -> Vec<(ScopeId, Position)> {
        lock(&self.unacked).confirmed()
    }

    /// What its client had missed after this offset is queued. Before that so many packets were queued.
    pub fn replayed(&self, after: &Offset, queued_before: u64) {
        lock(&self.unacked).replayed(after, queued_before);
    }

    /// See [`UnackedLog::unproven`].
    pub fn unproven_offset(&self) -> Option<Box<str>> {
        let taken = self.session().taken();
        lock(&self.unacked).unproven(taken)
    }

    /// The connection continues after the last event that its client has had.
    pub fn go_on_from(&self, offset: Option<&Offset>) {
        lock(&self.unacked).recovered_from(offset);
    }

    /// Takes over what another node has queued, together with its queue.
    pub fn adopt(&self, sent: &SentLog) {
        lock(&self.unacked).adopt(sent);
    }

    /// From now on nothing is queued to it but the logged events of the scopes that it is still a member of: another socket
    /// continues the connection. False if it was frozen already.
    pub fn freeze(&self) -> bool {
        !std::mem::replace(&mut lock(&self.unacked).frozen, true)
    }

    pub fn is_frozen(&self) -> bool {
        lock(&self.unacked).frozen
    }

    /// The socket as it moves to another node. Call [`Socket::freeze`] before.
    pub fn export(&self, snapshot: SessionSnapshot) -> SocketExport {
        let (last_ack, awaited) = lock(&self.acks).as_ref().map_or_else(Default::default, |acks| (acks.last_id, acks.awaited()));
        SocketExport {
            sid: self.id.to_string(),
            namespace: self.link.namespace.name().into(),
            pid: self.pid.to_string(),
            epoch: self.epoch(),
            recovery_enabled: self.recovery_enabled,
            data: self.link.namespace.export(&self.link.data),
            snapshot,
            last_ack,
            awaited,
        }
    }

    pub fn is_connected(&self) -> bool {
        !self.gone.load(Relaxed)
    }

    pub(super) fn acknowledged(&self, id: u64, args: Args) {
        if let Some(acks) = &mut *lock(&self.acks) {
            acks.acknowledged(id, args);
        }
    }

    /// From now on nothing is sent, and no acknowledgement is awaited.
    pub(super) fn leave(&self) {
        self.gone.store(true, Relaxed);
        lock(&self.acks).take();
    }

    /// It continues under another epoch: its namespace's handler for resumed sockets runs.
    pub fn resumed(self: &Arc<Self>) {
        if let Some(client) = self.link.client.upgrade() {
            client.resumed(self);
        }
    }

    /// It never became connected: its disconnect handler runs, so that the feature frees what it holds for the socket.
    pub fn discard(self: &Arc<Self>, reason: DisconnectReason) {
        self.leave();
        if let Some(client) = self.link.client.upgrade() {
            client.discard(self, reason);
        }
    }

    /// New acknowledgements get numbers that the former node has not used; those for which it waits are kept for it.
    pub(super) fn resume_acks(&self, last_id: u64, awaited: &[u64]) {
        if last_id > 0 {
            lock(&self.acks).get_or_insert_default().adopt(last_id, awaited);
        }
    }

    /// Ends this socket for good: after a DISCONNECT packet the official client does not reconnect. Other namespaces of the same
    /// client stay connected; with the last one the session ends.
    pub fn disconnect(&self) {
        if self.is_frozen() {
            self.forward(SocketCall::Disconnect);
        } else if let Some(client) = self.link.client.upgrade() {
            client.end(self);
        }
    }
}
