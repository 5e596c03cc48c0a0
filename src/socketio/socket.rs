//! A client in one namespace.

mod asking;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use smallvec::SmallVec;

use crate::core::{Offset, Position, ScopeId, StreamId};
use crate::engineio::{CloseReason, Handshake, Session, VolatileKey};
use crate::protocol::event::{Args, Values};
use crate::protocol::frame::Frames;
use crate::protocol::packet::{Outgoing, Parser, encode};

use super::acks::Acks;
use super::client::Client;
use super::snapshot::{SessionSnapshot, SnapshotRoom, SocketExport};
use crate::telemetry::metrics::EVENTS;

use super::connect_limiter::hold;
use super::event_queue::{EventQueue, Job, QueueFull};
use super::namespace::Data;
use super::rates::{self, UserAllowance};
use super::sent::{SentDirect, SentLog};
use super::trail::Trail;
use super::words::{Sent, What};
use super::{Code, Config, Event, EventError, Gate, Identity, Names, Namespace, PendingSocket, Reply};
use crate::core::sync::lock;

/// Why a socket is no longer connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The client sent a DISCONNECT packet.
    Client,
    /// The hub sent one.
    Server,
    /// The session under it ended. The client may come back.
    Transport(CloseReason),
    /// It goes on elsewhere, or over another transport: its places are no longer this one's to give up.
    TakenOver,
}

/// Everything here may be called from any task and returns at once.
pub struct Socket {
    id: Box<str>,
    /// Under which its client may come back; empty if nobody keeps it.
    pid: Box<str>,
    epoch: AtomicU64,
    /// The client knows of recovery.
    recovery_enabled: bool,
    namespace: Arc<Namespace>,
    session: Arc<Session>,
    handshake: Arc<Handshake>,
    client: Weak<Client>,
    parser: Parser,
    gone: AtomicBool,
    data: Data,
    /// What its user may still send over all sockets, if its namespace says whose it is.
    user: Option<Arc<UserAllowance>>,
    events: EventQueue,
    /// Made with the first emit that asks for an ack; an idle socket has none.
    acks: Mutex<Option<Box<Acks>>>,
    /// Held while something is queued, so that it knows the order of the queue.
    trail: Mutex<Trail>,
}

impl Socket {
    pub(super) fn new(pending: &PendingSocket, names: Names) -> Arc<Self> {
        Arc::new(Self {
            id: names.sid.into(),
            pid: names.pid.into(),
            epoch: AtomicU64::new(names.epoch),
            recovery_enabled: pending.recovery_enabled,
            namespace: pending.namespace.clone(),
            session: pending.session.clone(),
            handshake: pending.handshake.clone(),
            client: pending.client.clone(),
            parser: pending.parser,
            gone: AtomicBool::new(false),
            data: pending.data.clone(),
            user: pending.user.clone(),
            events: EventQueue::default(),
            acks: Mutex::new(None),
            trail: Mutex::default(),
        })
    }

    /// The Socket.IO id: public, told to other members; never a key to anything.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The private id: who knows it, and is the same user, gets this socket back. Empty if nobody keeps it.
    pub fn pid(&self) -> &str {
        &self.pid
    }

    /// Raised by whoever takes the socket over: with the node's name it says whose an entry in Redis is.
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

    /// Whose it is, if its namespace says so.
    pub fn identity(&self) -> Option<Identity> {
        self.namespace.identify(&self.data)
    }

    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }

    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// What the first request of its session told.
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    pub fn parser(&self) -> Parser {
        self.parser
    }

    /// What [`Namespace::on_connect`] returned, `None` if it is not a `T`.
    pub fn data<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.data.downcast_ref()
    }

    /// The scopes of which this socket is a member, those included that it is joining.
    pub fn rooms(&self) -> SmallVec<[ScopeId; 1]> {
        lock(&self.trail).scopes()
    }

    /// Whether this socket is a member of a scope, or joins it.
    pub fn is_in(&self, scope: &ScopeId) -> bool {
        lock(&self.trail).is_in(scope)
    }

    /// Whether it is in a scope with this id that is not `scope`.
    pub fn is_in_other(&self, scope: &ScopeId, id: &str) -> bool {
        lock(&self.trail).is_in_other(scope, id)
    }

    /// Notes a membership and the place where it begins; for the layer that holds them.
    pub fn enter(&self, scope: &ScopeId, at: Position) {
        lock(&self.trail).enter(scope, at);
    }

    /// Forgets a membership; for the layer that holds them.
    pub fn exit(&self, scope: &ScopeId) {
        lock(&self.trail).exit(scope);
    }

    /// A `ping` is about to be queued, after everything up to these places.
    pub fn mark(&self, places: impl IntoIterator<Item = (ScopeId, Position)>) {
        lock(&self.trail).mark(places);
    }

    pub(super) fn ping_answered(&self) {
        lock(&self.trail).answered();
    }

    /// How far it has come.
    pub fn snapshot(&self) -> SessionSnapshot {
        let trail = lock(&self.trail);
        let room = |(scope, confirmed)| SnapshotRoom { scope, confirmed, queued: None };
        SessionSnapshot { rooms: trail.confirmed().into_iter().map(room).collect(), sent: trail.sent() }
    }

    /// Each room, and the place up to which the client has surely had everything.
    pub fn confirmed(&self) -> Vec<(ScopeId, Position)> {
        lock(&self.trail).confirmed()
    }

    /// See [`Trail::unproven`].
    pub fn unproven_offset(&self) -> Option<Box<str>> {
        lock(&self.trail).unproven()
    }

    /// The connection goes on from what its client has had last.
    pub fn go_on_from(&self, offset: Option<&Offset>) {
        lock(&self.trail).recovered_from(offset);
    }

    /// Goes on with what another node has queued, whose queue came along.
    pub fn adopt(&self, sent: &SentLog) {
        lock(&self.trail).adopt(sent);
    }

    /// From now on nothing is queued to it: it goes on elsewhere. False if that was so already.
    pub fn freeze(&self) -> bool {
        !std::mem::replace(&mut lock(&self.trail).frozen, true)
    }

    pub fn is_frozen(&self) -> bool {
        lock(&self.trail).frozen
    }

    /// The socket as it moves to another node; [`Socket::freeze`] it before.
    pub fn export(&self, snapshot: SessionSnapshot) -> SocketExport {
        let (last_ack, awaited) = lock(&self.acks).as_ref().map_or_else(Default::default, |acks| (acks.last_id, acks.awaited()));
        SocketExport {
            sid: self.id.to_string(),
            namespace: self.namespace.name().into(),
            pid: self.pid.to_string(),
            epoch: self.epoch(),
            recovery_enabled: self.recovery_enabled,
            data: self.namespace.export(&self.data),
            snapshot,
            last_ack,
            awaited,
        }
    }

    pub fn is_connected(&self) -> bool {
        !self.gone.load(Relaxed)
    }

    /// Sends an event: a reference to a value is its one argument, a tuple its arguments. Nothing is sent, and an error is
    /// logged, if one of them has no form as JSON.
    ///
    /// ```no_run
    /// # fn example(socket: &convoke::socketio::Socket) {
    /// socket.emit("ready", ());
    /// socket.emit("message", ("alice", "hello"));
    /// socket.emit("scores", &[3, 1, 4]);
    /// socket.emit("state", serde_json::json!({"open": true}));
    /// # }
    /// ```
    pub fn emit(&self, event: &str, arguments: impl Values) {
        if let Some(args) = args_of(event, arguments) {
            self.emit_args(&args);
        }
    }

    /// Sends an event with one argument, given as JSON text.
    pub fn emit_json(&self, event: &str, payload_json: &str) {
        self.emit_args(&Args::event(event, payload_json));
    }

    /// Sends an event; `args` is the whole array, the name included.
    pub fn emit_args(&self, args: &Args) {
        if !self.recovery_enabled {
            return self.send(&Outgoing::Event { id: None, args, offset: None });
        }
        let mut trail = lock(&self.trail);
        if trail.frozen {
            drop(trail);
            self.follow(What::Emit(Sent::new(args)));
            return;
        }
        if !self.is_connected() {
            return;
        }
        let offset = trail.direct(args);
        let frames = self.encode(&Outgoing::Event { id: None, args, offset: offset.as_deref() });
        let owes = self.session.queue(frames, None);
        drop(trail);
        if owes {
            self.session.flush();
        }
    }

    /// Sends an event that is worth nothing once there is a newer one: it has no offset, and is not sent again.
    pub fn emit_volatile(&self, event: &str, arguments: impl Values) {
        if let Some(args) = args_of(event, arguments) {
            self.send(&Outgoing::Event { id: None, args: &args, offset: None });
        }
    }

    /// [`Socket::emit_volatile`] with one argument, given as JSON text.
    pub fn emit_volatile_json(&self, event: &str, payload_json: &str) {
        self.send(&Outgoing::Event { id: None, args: &Args::event(event, payload_json), offset: None });
    }

    /// Queues what a fan-out has encoded once for many; true when the caller owes a [`Session::flush`].
    pub fn queue(&self, frames: Frames, volatile: Option<VolatileKey>) -> bool {
        self.is_connected() && self.session.queue(frames, volatile)
    }

    /// Queues a logged event that carries an offset; true when the caller owes a [`Session::flush`].
    pub fn queue_logged(&self, frames: Frames, scope: &ScopeId, id: StreamId, offset: &Arc<str>) -> bool {
        let mut trail = lock(&self.trail);
        if trail.frozen || !self.is_connected() {
            return false;
        }
        trail.logged(scope, id, offset);
        self.session.queue(frames, None)
    }

    /// [`Socket::queue_logged`] for what the client missed while it was away.
    pub fn queue_missed(&self, frames: Frames, scope: &ScopeId, id: StreamId, offset: &Arc<str>) -> bool {
        let mut trail = lock(&self.trail);
        trail.logged(scope, id, offset);
        !trail.frozen && self.session.queue_missed(frames)
    }

    /// Queues a direct emit of the past again, under its own offset if it has one.
    pub fn queue_direct_again(&self, direct: &SentDirect) -> bool {
        let offset = direct.offset.as_ref().map(Offset::to_string);
        let frames = self.encode(&Outgoing::Event { id: None, args: &direct.args, offset: offset.as_deref() });
        let mut trail = lock(&self.trail);
        trail.direct_again(direct);
        !trail.frozen && self.session.queue_missed(frames)
    }

    pub(super) fn encode(&self, packet: &Outgoing<'_>) -> Frames {
        encode(self.parser, self.namespace.name(), packet)
    }

    pub(super) fn send(&self, packet: &Outgoing<'_>) {
        if !self.try_send(packet)
            && self.is_frozen()
            && let Some(what) = What::of(packet)
        {
            self.follow(what);
        }
    }

    /// False: it goes on elsewhere, or nowhere.
    fn try_send(&self, packet: &Outgoing<'_>) -> bool {
        let frames = self.encode(packet);
        let trail = lock(&self.trail);
        if trail.frozen || !self.is_connected() {
            return false;
        }
        let owes = self.session.queue(frames, None);
        drop(trail);
        if owes {
            self.session.flush();
        }
        true
    }

    pub(super) fn send_ack(&self, id: u64, args: &Args) {
        self.send(&Outgoing::Ack { id, args });
    }

    pub(super) fn acknowledged(&self, id: u64, args: Args) {
        if let Some(acks) = &mut *lock(&self.acks) {
            acks.acknowledged(id, args);
        }
    }

    /// From now on nothing is sent, and whoever waits for an acknowledgement need not wait longer.
    pub(super) fn leave(&self) {
        self.gone.store(true, Relaxed);
        lock(&self.acks).take();
    }

    /// It goes on under another epoch: its namespace does what it does for a socket that was given back.
    pub fn resumed(self: &Arc<Self>) {
        if let Some(client) = self.client.upgrade() {
            client.resumed(self);
        }
    }

    /// It is connected no longer without having been: its namespace gives up what it has taken for it.
    pub fn discard(self: &Arc<Self>, reason: DisconnectReason) {
        self.leave();
        if let Some(client) = self.client.upgrade() {
            client.discard(self, reason);
        }
    }

    /// Whether nothing is being done for it.
    pub(super) fn is_idle(&self) -> bool {
        self.events.is_idle()
    }

    /// The next emit that asks for an acknowledgement has a number that the last node did not use, and what that waits for is
    /// kept for it.
    pub(super) fn resume_acks(&self, last_id: u64, awaited: &[u64]) {
        if last_id > 0 {
            lock(&self.acks).get_or_insert_default().adopt(last_id, awaited);
        }
    }

    /// Counts an event of this socket for its user, who may have others. False: that is too many.
    pub(super) fn user_may_send(&self, cost: f64) -> bool {
        self.user.as_ref().is_none_or(|user| user.take_event(cost))
    }

    pub(super) fn push_event(self: &Arc<Self>, event: Event, config: &Config) {
        let (name, ack_id) = (event.name.clone(), event.ack_id);
        match self.events.push_event(event, config) {
            Ok(true) => self.run(config.gate.clone(), config.gate_patience),
            Ok(false) => {}
            Err(QueueFull) => self.refuse_for_rate(&name, ack_id),
        }
    }

    /// Refuses an event because there are too many. The answer costs the client of its reading.
    pub(super) fn refuse_for_rate(&self, event: &str, ack_id: Option<u64>) {
        self.session.charge(rates::REFUSAL);
        self.refuse(event, ack_id, &EventError::new(Code::RATE_LIMITED, "too many events"));
    }

    pub(super) fn push(self: &Arc<Self>, job: Job, config: &Config) {
        if self.events.push(job) {
            self.run(config.gate.clone(), config.gate_patience);
        }
    }

    /// Works the event queue off. A handler that panics is answered with `INTERNAL`; its socket goes on.
    fn run(self: &Arc<Self>, gate: Gate, patience: Duration) {
        let socket = self.clone();
        tokio::spawn(async move {
            while let Some(job) = socket.events.next() {
                if !matches!(job, Job::Disconnected(..)) && !gate.is_open() {
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
        self.events.forget_events();
    }

    /// The node may not act, and has not for a while.
    fn turn_away(&self, job: Job) {
        match job {
            Job::Event(event) => {
                let error = EventError::new(Code::UNAVAILABLE, "this node has lost touch with the others");
                self.refuse(&event.name, event.ack_id, &error);
            }
            Job::Arrived(..) | Job::Disconnected(..) => self.session.close(CloseReason::TryAgain),
        }
    }

    async fn work(self: Arc<Self>, job: Job) {
        match job {
            Job::Arrived(arrival, permit) => hold(permit, self.namespace.arrived(self.clone(), arrival)).await,
            Job::Disconnected(reason, _leaving) => (self.namespace.disconnected)(self.clone(), reason).await,
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
            Reply::Args(args) => return self.send_ack(id, &args),
        };
        self.send_ack(id, &Args::from_json(json));
    }

    /// Tells the client why its event was not accepted: in the ack if it asked for one, else as an `error` event.
    pub fn refuse(&self, event: &str, ack_id: Option<u64>, error: &EventError) {
        metrics::counter!(EVENTS, "outcome" => error.code.0).increment(1);
        match ack_id {
            Some(id) => self.send_ack(id, &Args::from_json(error.ack())),
            None => self.emit_json("error", &error.event(event)),
        }
    }

    /// Ends this socket for good: after a DISCONNECT packet the official client does not come back by itself. Other namespaces
    /// of the same client go on; with the last one its session ends.
    pub fn disconnect(&self) {
        if self.is_frozen() {
            self.follow(What::Disconnect);
        } else if let Some(client) = self.client.upgrade() {
            client.end(self);
        }
    }
}

fn args_of(event: &str, arguments: impl Values) -> Option<Args> {
    let args = Args::of_event(event, arguments);
    args.inspect_err(|error| tracing::error!(event, %error, "an argument has no form as JSON")).ok()
}
