//! A namespace: its connect handlers and the table of its events.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::engineio::Handshake;

use super::{Code, ConnectError, DisconnectReason, Event, EventError, Identity, Observer, Reply, Socket};
use crate::core::{ScopeId, Tap};

/// A boxed future.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// A method of `T` that handles an event, as a value in a table.
pub type Handler<T> = fn(Arc<T>, Arc<Socket>, Event) -> BoxFuture<Result<Reply, EventError>>;
/// What a feature keeps with a socket.
pub type Data = Arc<dyn Any + Send + Sync>;

type OnConnect = Box<dyn Fn(ConnectRequest) -> BoxFuture<Result<Data, ConnectError>> + Send + Sync>;
type OnConnection = Box<dyn Fn(Arc<Socket>, Arrival) -> BoxFuture<()> + Send + Sync>;
type OnEvent = Box<dyn Fn(Arc<Socket>, Event) -> BoxFuture<Result<Reply, EventError>> + Send + Sync>;
type OnDisconnected = Box<dyn Fn(Arc<Socket>, DisconnectReason) -> BoxFuture<()> + Send + Sync>;
type OnAbandoned = Box<dyn Fn(Abandoned) -> BoxFuture<()> + Send + Sync>;
type Identify = Box<dyn Fn(&Data) -> Option<Identity> + Send + Sync>;
type Export = Box<dyn Fn(&Data) -> Value + Send + Sync>;
type Import = Box<dyn Fn(Value) -> Option<Data> + Send + Sync>;

/// A CONNECT packet that waits for an answer.
#[derive(Clone, Debug)]
pub struct ConnectRequest {
    /// The `auth` object of the client as JSON text; `{}` if it sent none.
    pub auth: Bytes,
    pub handshake: Arc<Handshake>,
}

impl ConnectRequest {
    /// The `auth` object as a type of the namespace's own. Fields that are not known are ignored.
    ///
    /// # Errors
    /// A CONNECT_ERROR that says what is wrong with it.
    pub fn auth<T: DeserializeOwned>(&self) -> Result<T, ConnectError> {
        serde_json::from_slice(&self.auth).map_err(|error| ConnectError::message(format!("invalid auth: {error}")))
    }
}

/// How a socket came to be connected here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Its client has connected.
    New,
    /// Its client has come back after a lost transport; what it missed has been queued.
    Recovered,
    /// Its session has moved here from another node, or this node has a new name in its cluster. The client does not notice.
    Moved,
}

/// A connection that its client did not get back, with its memberships.
#[derive(Clone, Debug)]
pub struct Abandoned {
    pub sid: String,
    pub user: String,
    pub role: String,
    pub node: String,
    pub epoch: u64,
    pub rooms: Vec<ScopeId>,
}

/// Built once at start.
///
/// ```
/// use std::sync::Arc;
/// use convoke::socketio::{Event, Namespace, Reply, Socket};
///
/// Namespace::new("/").on("add", |_: Arc<Socket>, event: Event| async move {
///     let (a, b): (i64, i64) = (event.arg(0)?, event.arg(1)?);
///     Reply::of(&(a + b))
/// });
/// ```
pub struct Namespace {
    name: &'static str,
    pub(super) connect: OnConnect,
    connected: OnConnection,
    resumed: OnConnection,
    pub(super) disconnected: OnDisconnected,
    abandoned: OnAbandoned,
    identity: Identify,
    moving: Move,
    events: Events,
    /// Sockets that are connected now.
    sockets: AtomicUsize,
    observer: Tap<dyn Observer>,
}

/// How the data of a socket moves to another node.
struct Move {
    export: Export,
    import: Import,
    /// [`Namespace::on_move`] was called.
    is_set: bool,
}

/// By the names of events.
#[derive(Default)]
struct Events {
    handlers: HashMap<&'static str, OnEvent>,
    fallback: Option<OnEvent>,
    not_a_number: HashMap<&'static str, Code>,
    lists: HashMap<&'static str, &'static str>,
}

impl Namespace {
    /// A namespace that accepts every client and has no events.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            connect: Box::new(|_| Box::pin(async { Ok(Arc::new(()) as Data) })),
            connected: Box::new(|_, _| Box::pin(async {})),
            resumed: Box::new(|_, _| Box::pin(async {})),
            disconnected: Box::new(|_, _| Box::pin(async {})),
            abandoned: Box::new(|_| Box::pin(async {})),
            identity: Box::new(|_| None),
            moving: Move { export: Box::new(|_| Value::Null), import: Box::new(|_| Some(Arc::new(()) as Data)), is_set: false },
            events: Events::default(),
            sockets: AtomicUsize::new(0),
            observer: Tap::default(),
        }
    }

    /// Decides who connects. What it returns is kept with the socket: [`Socket::data`]. A session moves to the node of its
    /// WebSocket only if [`Namespace::on_move`] says how that data moves.
    pub fn on_connect<F, T>(mut self, handler: impl Fn(ConnectRequest) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<T, ConnectError>> + Send + 'static,
        T: Any + Send + Sync,
    {
        if !self.moving.is_set && TypeId::of::<T>() != TypeId::of::<()>() {
            self.moving.import = Box::new(|_| None);
        }
        self.connect = Box::new(move |request| {
            let connect = handler(request);
            Box::pin(async move { connect.await.map(|data| Arc::new(data) as Data) })
        });
        self
    }

    /// Runs after the CONNECT reply has been queued and before the socket's first event.
    pub fn on_connected<F>(mut self, handler: impl Fn(Arc<Socket>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.connected = Box::new(move |socket, _| Box::pin(handler(socket)));
        self
    }

    /// Runs instead of [`Namespace::on_connected`] for a socket that its client has got back, or that has moved here: after
    /// what it missed has been queued, and before its next event.
    pub fn on_resumed<F>(mut self, handler: impl Fn(Arc<Socket>) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.resumed = Box::new(move |socket, _| Box::pin(handler(socket)));
        self
    }

    /// One handler in place of [`Namespace::on_connected`] and [`Namespace::on_resumed`], which is told how the socket came.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use convoke::socketio::{Arrival, Namespace, Socket};
    ///
    /// Namespace::new("/").on_connection(|socket: Arc<Socket>, arrival| async move {
    ///     if arrival == Arrival::New {
    ///         socket.emit("welcome", (socket.id(), socket.handshake().address));
    ///     }
    /// });
    /// ```
    pub fn on_connection<F>(mut self, handler: impl Fn(Arc<Socket>, Arrival) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let same = handler.clone();
        self.connected = Box::new(move |socket, arrival| Box::pin(handler(socket, arrival)));
        self.resumed = Box::new(move |socket, arrival| Box::pin(same(socket, arrival)));
        self
    }

    /// Tells the user of a socket. Without this no client gets a connection back.
    pub fn identity<T: Any + Send + Sync>(mut self, identity: impl Fn(&T) -> Identity + Send + Sync + 'static) -> Self {
        self.identity = Box::new(move |data| data.downcast_ref().map(&identity));
        self
    }

    /// Ends the memberships of a connection that could not be given back; its client gets a new connection.
    pub fn on_abandoned<F>(mut self, handler: impl Fn(Abandoned) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.abandoned = Box::new(move |abandoned| Box::pin(handler(abandoned)));
        self
    }

    /// How the data of a socket is written for another node, and how it is read there.
    pub fn on_move<T: Any + Send + Sync>(
        mut self,
        export: impl Fn(&T) -> Value + Send + Sync + 'static,
        import: impl Fn(Value) -> Option<T> + Send + Sync + 'static,
    ) -> Self {
        self.moving.is_set = true;
        self.moving.export = Box::new(move |data| data.downcast_ref().map_or(Value::Null, &export));
        self.moving.import = Box::new(move |value| import(value).map(|data| Arc::new(data) as Data));
        self
    }

    /// Runs once for each socket, after its last event.
    pub fn on_disconnected<F>(mut self, handler: impl Fn(Arc<Socket>, DisconnectReason) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.disconnected = Box::new(move |socket, reason| Box::pin(handler(socket, reason)));
        self
    }

    /// Registers the handler of an event. Events of one socket are handled one after another, in the order of their arrival.
    pub fn on<F>(mut self, event: &'static str, handler: impl Fn(Arc<Socket>, Event) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Reply, EventError>> + Send + 'static,
    {
        self.events.handlers.insert(event, Box::new(move |socket, event| Box::pin(handler(socket, event))));
        self
    }

    /// [`Namespace::on`] for an entry of a feature's table.
    pub fn on_entry<T: Send + Sync + 'static>(mut self, event: &'static str, state: &Arc<T>, handler: Handler<T>) -> Self {
        let state = state.clone();
        self.events.handlers.insert(event, Box::new(move |socket, event| handler(state.clone(), socket, event)));
        self
    }

    /// Handles the events that have no handler of their own. Without this they are refused with `UNKNOWN_EVENT`.
    pub fn on_fallback<F>(mut self, handler: impl Fn(Arc<Socket>, Event) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Reply, EventError>> + Send + 'static,
    {
        self.events.fallback = Some(Box::new(move |socket, event| Box::pin(handler(socket, event))));
        self
    }

    /// Does nothing with events that have no handler, and does not answer them.
    pub fn ignore_unknown_events(self) -> Self {
        self.on_fallback(|_, _| async { Ok(Reply::None) })
    }

    /// The code for an event that carries NaN or infinity, which only msgpack can; `INVALID_PAYLOAD` where none is set.
    pub fn not_a_number(mut self, event: &'static str, code: Code) -> Self {
        self.events.not_a_number.insert(event, code);
        self
    }

    /// The first argument of this event has a list under `field` whose elements are validated one by one. The handler finds
    /// null in place of an element that breaks a rule of the wire or contains binary data.
    pub fn judge_each(mut self, event: &'static str, field: &'static str) -> Self {
        self.events.lists.insert(event, field);
        self
    }

    pub(super) fn list_of(&self, event: &str) -> Option<&'static str> {
        self.events.lists.get(event).copied()
    }

    pub(super) fn not_a_number_code(&self, event: &str) -> Option<Code> {
        self.events.not_a_number.get(event).copied()
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Sockets that are connected now.
    pub fn sockets(&self) -> usize {
        self.sockets.load(Relaxed)
    }

    pub(super) fn observed_by(self, observer: &Tap<dyn Observer>) -> Self {
        Self { observer: observer.clone(), ..self }
    }

    pub(super) fn observer(&self) -> &Tap<dyn Observer> {
        &self.observer
    }

    /// A socket is connected now.
    pub(super) fn gained(&self, socket: &Arc<Socket>) {
        self.sockets.fetch_add(1, Relaxed);
        self.observer.tell(|observer| observer.connected(socket));
    }

    /// A connected socket no longer is.
    pub(super) fn lost(&self, socket: &Arc<Socket>, reason: DisconnectReason) {
        self.sockets.fetch_sub(1, Relaxed);
        self.observer.tell(|observer| observer.disconnected(socket, reason));
    }

    pub(super) fn identify(&self, data: &Data) -> Option<Identity> {
        (self.identity)(data)
    }

    pub(super) fn export(&self, data: &Data) -> Value {
        (self.moving.export)(data)
    }

    /// Reads [`SocketExport::data`](super::SocketExport); `None` if it cannot be read.
    pub fn import(&self, data: Value) -> Option<Data> {
        (self.moving.import)(data)
    }

    /// See [`Namespace::on_abandoned`].
    pub async fn abandon(&self, abandoned: Abandoned) {
        (self.abandoned)(abandoned).await;
    }

    /// The handler of an event, and the event's name; for a registered event the static name.
    pub(super) fn handler(&self, event: &str) -> Option<(Cow<'static, str>, &OnEvent)> {
        let Events { handlers, fallback, .. } = &self.events;
        match handlers.get_key_value(event) {
            Some((name, handler)) => Some((Cow::Borrowed(*name), handler)),
            None => fallback.as_ref().map(|handler| (Cow::Owned(event.to_owned()), handler)),
        }
    }

    pub(super) fn arrived(&self, socket: Arc<Socket>, arrival: Arrival) -> BoxFuture<()> {
        let handler = if arrival == Arrival::New { &self.connected } else { &self.resumed };
        handler(socket, arrival)
    }
}
