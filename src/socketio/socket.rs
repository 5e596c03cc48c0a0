//! A client in one namespace.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use crate::engineio::{CloseReason, Session, VolatileKey};
use crate::ids::{self, ScopeId, ScopeKind};
use crate::protocol::event::Args;
use crate::protocol::frame::Frames;
use crate::protocol::packet::{Outgoing, Parser, encode};

use super::client::Client;
use crate::telemetry::metrics::EVENTS;

use super::lane::{Job, Lane};
use super::namespace::Data;
use super::{Code, Config, Event, EventError, Namespace, Reply};
use crate::sync::lock;

/// Why a socket is no longer connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The client sent a DISCONNECT packet.
    Client,
    /// The hub sent one.
    Server,
    /// The session under it ended.
    Transport(CloseReason),
}

/// Why an acknowledgement did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AckError {
    #[error("the client did not acknowledge in time")]
    Timeout,
    #[error("the socket is gone")]
    SocketGone,
    #[error("too many acknowledgements are awaited already")]
    TooManyPending,
}

#[derive(Default)]
struct Acks {
    last_id: u64,
    awaited: HashMap<u64, oneshot::Sender<Args>>,
}

/// Everything here may be called from any task and returns at once.
pub struct Socket {
    id: Box<str>,
    namespace: Arc<Namespace>,
    session: Arc<Session>,
    client: Weak<Client>,
    parser: Parser,
    gone: AtomicBool,
    data: Data,
    lane: Lane,
    /// Made with the first emit that asks for an ack; an idle socket has none.
    acks: Mutex<Option<Box<Acks>>>,
    rooms: Mutex<SmallVec<[ScopeId; 1]>>,
}

impl Socket {
    pub(super) fn new(
        namespace: Arc<Namespace>,
        session: Arc<Session>,
        client: Weak<Client>,
        parser: Parser,
        data: Data,
        config: &Config,
    ) -> Arc<Self> {
        let id = ids::random(15).into();
        Arc::new(Self {
            id,
            namespace,
            session,
            client,
            parser,
            gone: AtomicBool::new(false),
            data,
            lane: Lane::new(config),
            acks: Mutex::new(None),
            rooms: Mutex::default(),
        })
    }

    /// The Socket.IO id: public, told to other members; never a key to anything.
    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }

    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub fn parser(&self) -> Parser {
        self.parser
    }

    /// What [`Namespace::on_connect`] returned, `None` if it is not a `T`.
    pub fn data<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.data.downcast_ref()
    }

    /// The scopes of which this socket is a member.
    pub fn rooms(&self) -> SmallVec<[ScopeId; 1]> {
        lock(&self.rooms).clone()
    }

    /// Whether this socket is a member of an SOS.
    pub fn is_in_sos(&self, sos: &str) -> bool {
        lock(&self.rooms).iter().any(|room| room.kind == ScopeKind::Sos && *room.id == *sos)
    }

    /// Notes a membership; for the layer that holds them.
    pub fn enter(&self, scope: &ScopeId) {
        let mut rooms = lock(&self.rooms);
        if !rooms.contains(scope) {
            rooms.push(scope.clone());
        }
    }

    /// Forgets a membership; for the layer that holds them.
    pub fn exit(&self, scope: &ScopeId) {
        lock(&self.rooms).retain(|room| room != scope);
    }

    pub fn is_connected(&self) -> bool {
        !self.gone.load(Relaxed)
    }

    /// Sends an event with one argument, given as JSON text.
    pub fn emit(&self, event: &str, payload_json: &str) {
        self.emit_args(&Args::event(event, payload_json));
    }

    /// Sends an event; `args` is the whole array, the name included.
    pub fn emit_args(&self, args: &Args) {
        self.send(&Outgoing::Event { id: None, args, offset: None });
    }

    /// Sends an event and waits for the client's acknowledgement. It survives an upgrade, not a reconnect.
    pub async fn emit_with_ack(&self, args: &Args, timeout: Duration, config: &Config) -> Result<Args, AckError> {
        let (sender, receiver) = oneshot::channel();
        let id = {
            let mut acks = lock(&self.acks);
            if !self.is_connected() {
                return Err(AckError::SocketGone);
            }
            let acks = acks.get_or_insert_default();
            if acks.awaited.len() >= config.max_pending_acks {
                return Err(AckError::TooManyPending);
            }
            acks.last_id += 1;
            acks.awaited.insert(acks.last_id, sender);
            acks.last_id
        };
        let _awaited = Awaited { socket: self, id };
        self.send(&Outgoing::Event { id: Some(id), args, offset: None });
        let result = tokio::time::timeout(timeout, receiver).await;
        result.map_err(|_| AckError::Timeout)?.map_err(|_| AckError::SocketGone)
    }

    /// Queues what a fan-out has encoded once for many; true when the caller owes a [`Session::flush`].
    pub fn queue(&self, frames: Frames, volatile: Option<VolatileKey>) -> bool {
        self.is_connected() && self.session.queue(frames, volatile)
    }

    pub(super) fn encode(&self, packet: &Outgoing<'_>) -> Frames {
        encode(self.parser, self.namespace.name(), packet)
    }

    pub(super) fn send(&self, packet: &Outgoing<'_>) {
        if self.is_connected() {
            self.session.send(self.encode(packet));
        }
    }

    pub(super) fn send_ack(&self, id: u64, args: &Args) {
        self.send(&Outgoing::Ack { id, args });
    }

    pub(super) fn acknowledged(&self, id: u64, args: Args) {
        if let Some(sender) = lock(&self.acks).as_mut().and_then(|acks| acks.awaited.remove(&id)) {
            let _ = sender.send(args);
        }
    }

    /// From now on nothing is sent, and whoever waits for an acknowledgement need not wait longer.
    pub(super) fn leave(&self) {
        self.gone.store(true, Relaxed);
        lock(&self.acks).take();
    }

    pub(super) fn push_event(self: &Arc<Self>, event: Event, config: &Config) {
        let (name, ack_id) = (event.name.clone(), event.ack_id);
        match self.lane.push_event(event, config) {
            Ok(true) => self.run(config),
            Ok(false) => {}
            Err(_) => self.refuse(&name, ack_id, &too_many()),
        }
    }

    /// Refuses an event that breaks a rule of the wire. It counts like any other.
    pub(super) fn refuse_event(&self, event: &str, ack_id: Option<u64>, error: &EventError, config: &Config) {
        match self.lane.count(config) {
            Ok(()) => self.refuse(event, ack_id, error),
            Err(_) => self.refuse(event, ack_id, &too_many()),
        }
    }

    pub(super) fn push(self: &Arc<Self>, job: Job, config: &Config) {
        if self.lane.push(job) {
            self.run(config);
        }
    }

    /// Works the lane off. A handler that panics is answered with `INTERNAL`; its socket goes on.
    fn run(self: &Arc<Self>, config: &Config) {
        let (socket, gate, patience) = (self.clone(), config.gate.clone(), config.gate_patience);
        tokio::spawn(async move {
            while let Some(job) = socket.lane.next() {
                if !matches!(job, Job::Disconnected(_)) && !gate.is_open() {
                    if !gate.pass(patience).await {
                        socket.turn_away(job);
                        continue;
                    }
                    // While it waited, others may have acted in this node's place.
                    if !socket.is_connected() {
                        continue;
                    }
                }
                if AssertUnwindSafe(socket.clone().work(job)).catch_unwind().await.is_err() {
                    tracing::error!(namespace = socket.namespace.name(), "a handler panicked");
                }
            }
        });
    }

    /// Forgets the events that wait: this node has no right to act on them any more.
    pub(super) fn forget_events(&self) {
        self.lane.forget_events();
    }

    /// The node may not act, and has not for a while.
    fn turn_away(&self, job: Job) {
        match job {
            Job::Event(event) => {
                let error = EventError::new(Code::UNAVAILABLE, "this node has lost touch with the others");
                self.refuse(&event.name, event.ack_id, &error);
            }
            Job::Connected | Job::Disconnected(_) => self.session.close(CloseReason::TryAgain),
        }
    }

    async fn work(self: Arc<Self>, job: Job) {
        match job {
            Job::Connected => (self.namespace.connected)(self.clone()).await,
            Job::Disconnected(reason) => (self.namespace.disconnected)(self.clone(), reason).await,
            Job::Event(event) => {
                let (name, ack_id) = (event.name.clone(), event.ack_id);
                let Some(handler) = self.namespace.handler(&name) else {
                    return self.refuse(&name, ack_id, &EventError::new(Code::UNKNOWN_EVENT, "unknown event"));
                };
                let result = AssertUnwindSafe(async { handler(self.clone(), event).await }).catch_unwind().await;
                match result.unwrap_or_else(|_| Err(EventError::new(Code::INTERNAL, "internal error"))) {
                    Ok(reply) => self.reply(ack_id, reply),
                    Err(error) => self.refuse(&name, ack_id, &error),
                }
            }
        }
    }

    fn reply(&self, ack_id: Option<u64>, reply: Reply) {
        metrics::counter!(EVENTS, "outcome" => "ok").increment(1);
        let Some(id) = ack_id else { return };
        let json = match reply {
            Reply::None => return,
            Reply::Ok => r#"[{"ok":true}]"#.into(),
            Reply::Object(object) => format!("[{object}]"),
        };
        self.send_ack(id, &Args::from_json(json));
    }

    /// Tells the client why its event was not accepted: in the ack if it asked for one, else as an `error` event.
    pub fn refuse(&self, event: &str, ack_id: Option<u64>, error: &EventError) {
        metrics::counter!(EVENTS, "outcome" => error.code.0).increment(1);
        match ack_id {
            Some(id) => self.send_ack(id, &Args::from_json(error.ack())),
            None => self.emit("error", &error.event(event)),
        }
    }

    /// Ends this socket for good: after a DISCONNECT packet the official client does not come back by itself. Other namespaces
    /// of the same client go on; with the last one its session ends.
    pub fn disconnect(&self) {
        if let Some(client) = self.client.upgrade() {
            client.end(self);
        }
    }
}

fn too_many() -> EventError {
    EventError::new(Code::RATE_LIMITED, "too many events")
}

/// Makes room for another acknowledgement when nobody waits for this one any longer.
struct Awaited<'a> {
    socket: &'a Socket,
    id: u64,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if let Some(acks) = &mut *lock(&self.socket.acks) {
            acks.awaited.remove(&self.id);
        }
    }
}
