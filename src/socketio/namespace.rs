//! A namespace: who may connect to it, and the table of its events.

use std::any::Any;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use crate::engineio::Handshake;

use super::{Code, ConnectError, DisconnectReason, Event, EventError, Reply, Socket};

pub(super) type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// What a feature keeps with a socket.
pub type Data = Arc<dyn Any + Send + Sync>;

type OnConnect = Box<dyn Fn(ConnectRequest) -> BoxFuture<Result<Data, ConnectError>> + Send + Sync>;
type OnConnected = Box<dyn Fn(Arc<Socket>) -> BoxFuture<()> + Send + Sync>;
type OnEvent = Box<dyn Fn(Arc<Socket>, Event) -> BoxFuture<Result<Reply, EventError>> + Send + Sync>;
type OnDisconnected = Box<dyn Fn(Arc<Socket>, DisconnectReason) -> BoxFuture<()> + Send + Sync>;

/// A CONNECT packet that waits for an answer.
#[derive(Clone, Debug)]
pub struct ConnectRequest {
    /// The `auth` object of the client as JSON text; `{}` if it sent none.
    pub auth: Bytes,
    pub handshake: Arc<Handshake>,
}

/// Built once at start.
pub struct Namespace {
    name: &'static str,
    pub(super) connect: OnConnect,
    pub(super) connected: OnConnected,
    pub(super) disconnected: OnDisconnected,
    events: HashMap<&'static str, OnEvent>,
    not_a_number: HashMap<&'static str, Code>,
}

impl Namespace {
    /// A namespace that accepts everybody and knows no event.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            connect: Box::new(|_| Box::pin(async { Ok(Arc::new(()) as Data) })),
            connected: Box::new(|_| Box::pin(async {})),
            disconnected: Box::new(|_, _| Box::pin(async {})),
            events: HashMap::new(),
            not_a_number: HashMap::new(),
        }
    }

    /// Decides who connects. What it returns stays with the socket: [`Socket::data`].
    pub fn on_connect<F, T>(mut self, handler: impl Fn(ConnectRequest) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<T, ConnectError>> + Send + 'static,
        T: Any + Send + Sync,
    {
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
        self.connected = Box::new(move |socket| Box::pin(handler(socket)));
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
        self.events.insert(event, Box::new(move |socket, event| Box::pin(handler(socket, event))));
        self
    }

    /// The code for an event that carries NaN or infinity, which only msgpack can; `INVALID_PAYLOAD` where none is set.
    pub fn not_a_number(mut self, event: &'static str, code: Code) -> Self {
        self.not_a_number.insert(event, code);
        self
    }

    pub(super) fn not_a_number_code(&self, event: &str) -> Option<Code> {
        self.not_a_number.get(event).copied()
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn handler(&self, event: &str) -> Option<&OnEvent> {
        self.events.get(event)
    }
}
