//! Calls between nodes: HTTP/2 between their peer ports. Every call and every answer is authenticated with an HMAC, whose key
//! is derived from `CLUSTER_SECRET`. The secret itself is never sent, and nothing without a valid seal is accepted.
//!
//! ```text
//! Peers::call ─► one connection per peer, kept ─► Peers::serve ─► the handler of the path
//!   dropped ───────────► the stream is reset ────────► the handler's future is dropped
//! ```
//!
//! This module knows addresses and bytes. Only `cluster` knows which nodes there are and what their calls mean.

mod client;
mod seal;
mod server;
mod unauthenticated;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::StatusCode;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::core::sync::lock;
use crate::core::wire::Form;
use crate::settings::Secret;

use client::Connections;
use seal::Seal;

/// The largest body of a call and of an answer, in bytes.
pub const MAX_BODY: usize = 16 << 20;

/// Another node and its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its name, incarnation included.
    pub node: Arc<str>,
    /// The tag of its process, to which a call is bound.
    pub tag: Arc<str>,
    pub address: SocketAddr,
    /// The form of the bodies that are sent to it.
    pub form: Form,
}

/// A handler's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

impl Answer {
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self { status: StatusCode::OK, body: body.into() }
    }

    pub fn status(status: StatusCode) -> Self {
        Self { status, body: Bytes::new() }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// There is no connection, or it broke. Returned at once if the peer failed within the last two seconds.
    #[error("the peer cannot be reached")]
    Unreachable,
    /// The caller's deadline is over.
    #[error("the peer did not answer in time")]
    TimedOut,
    /// The peer port did not hand the call to a handler: 401 the seal does not fit (another secret, clocks more than 30 s
    /// apart), 404 no such path, 413 too large, 421 another process answers there, 503 too much at once.
    #[error("the peer refused the call with {0}")]
    Refused(StatusCode),
}

type Handler = Arc<dyn Fn(Bytes) -> BoxFuture<'static, Answer> + Send + Sync>;

/// Both ends of the peer port.
pub struct Peers {
    tag: Box<str>,
    seal: Seal,
    handlers: Mutex<HashMap<&'static str, Handler>>,
    connections: Connections,
}

impl Peers {
    /// `tag` names this process; calls that are meant for another are refused.
    pub fn new(secret: &Secret, tag: &str) -> Arc<Self> {
        Arc::new(Self {
            tag: tag.into(),
            seal: Seal::new(secret),
            handlers: Mutex::default(),
            connections: Connections::default(),
        })
    }

    /// Registers the handler of a path, which begins with a slash. Its future is dropped when the caller gives up.
    pub fn on<F>(&self, path: &'static str, handler: impl Fn(Bytes) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Answer> + Send + 'static,
    {
        lock(&self.handlers).insert(path, Arc::new(move |body| handler(body).boxed()));
    }

    /// Answers calls until `stop`; calls under way are ended then.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        server::serve(self, listener, stop).await;
    }

    /// Calls a peer. Dropping the future drops the handler's future at the peer. A call is never repeated by itself.
    ///
    /// # Errors
    /// [`PeerError`]. An answer of a handler is never one, whatever its status.
    pub async fn call(&self, to: &Peer, path: &'static str, body: Bytes, deadline: Duration) -> Result<Answer, PeerError> {
        if body.len() > MAX_BODY {
            return Err(PeerError::Refused(StatusCode::PAYLOAD_TOO_LARGE));
        }
        let call = self.connections.call(&self.seal, to, path, body, false);
        tokio::time::timeout(deadline, call).await.unwrap_or(Err(PeerError::TimedOut))
    }

    /// [`Peers::call`], tried even if that peer has just failed: for callers that want to know whether it is there.
    pub async fn probe(&self, to: &Peer, path: &'static str, body: Bytes, deadline: Duration) -> Result<Answer, PeerError> {
        let call = self.connections.call(&self.seal, to, path, body, true);
        tokio::time::timeout(deadline, call).await.unwrap_or(Err(PeerError::TimedOut))
    }

    fn handler(&self, path: &str) -> Option<Handler> {
        lock(&self.handlers).get(path).cloned()
    }
}
