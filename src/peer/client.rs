//! One HTTP/2 connection to each peer, made when it is needed and kept open. Pings detect within seconds that a peer does not
//! answer; then all calls over that connection fail at once.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::seal::{Head, Seal, Stamp};
use super::server::{HEAD, SEAL, TARGET};
use super::{Answer, MAX_BODY, Peer, PeerError};
use crate::core::sync::lock;
use crate::telemetry::due;

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(1);
/// How often a connection is pinged, and how long the answer may take.
pub const PING: Duration = Duration::from_secs(2);
/// How long a peer that failed is not tried again.
const SKIP: Duration = Duration::from_secs(2);
/// Bytes that may be in flight in one stream, and in all streams of a connection: one answer must not block the others.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

type Sender = SendRequest<Full<Bytes>>;

/// The connections of this node to its peers.
#[derive(Default)]
pub struct Connections(Mutex<HashMap<SocketAddr, Arc<Slot>>>);

#[derive(Default)]
struct Slot {
    /// Locked while connecting, so that there is only one connection.
    sender: tokio::sync::Mutex<Option<Sender>>,
    /// The last process, by its tag, that could not be reached at this address, and when that was.
    failed: Mutex<Option<(Arc<str>, Instant)>>,
}

impl Connections {
    /// With `anyway` a peer that has just failed is tried too.
    pub async fn call(&self, seal: &Seal, to: &Peer, path: &'static str, body: Bytes, anyway: bool) -> Result<Answer, PeerError> {
        let slot = self.slot(to.address);
        let (stamp, head) = seal.call(path, &body, &to.tag);
        let mut request = Some(request(to, path, body, &stamp, &head));
        // Tried once more if the connection was gone before anything was sent.
        while let Some(unsent) = request.take() {
            let mut sender = slot.sender(to, anyway).await?;
            match sender.try_send_request(unsent).await {
                Ok(response) => {
                    let answer = answer(seal, &stamp, response).await;
                    return answer.inspect_err(|error| {
                        slot.note(to, *error);
                        tell(to, *error);
                    });
                }
                Err(mut error) => {
                    request = error.take_message();
                    tracing::debug!(peer = %to.node, error = %error.error(), "a call did not get through");
                    slot.forget_if_closed().await;
                }
            }
        }
        slot.note(to, PeerError::Unreachable);
        Err(PeerError::Unreachable)
    }

    fn slot(&self, address: SocketAddr) -> Arc<Slot> {
        let mut slots = lock(&self.0);
        if let Some(slot) = slots.get(&address) {
            return slot.clone();
        }
        // Slots of peers that are gone for good are removed.
        slots.retain(|_, slot| slot.is_of_use());
        slots.entry(address).or_default().clone()
    }
}

impl Slot {
    /// The open connection, or a new one.
    async fn sender(&self, to: &Peer, anyway: bool) -> Result<Sender, PeerError> {
        self.check(to, anyway)?;
        let mut sender = self.sender.lock().await;
        if let Some(sender) = sender.as_ref().filter(|sender| !sender.is_closed()) {
            return Ok(sender.clone());
        }
        // The task that held the lock may have failed to connect.
        self.check(to, anyway)?;
        let address = to.address;
        match tokio::time::timeout(CONNECT, connect(address)).await {
            Ok(Ok(made)) => {
                *lock(&self.failed) = None;
                *sender = Some(made.clone());
                Ok(made)
            }
            failed => {
                let why = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => "no answer in time".into(),
                };
                match due("a peer cannot be reached") {
                    Some(times) => tracing::warn!(%address, why, times, "another node cannot be reached at its peer port"),
                    None => tracing::debug!(%address, why, "another node cannot be reached at its peer port"),
                }
                self.note(to, PeerError::Unreachable);
                Err(PeerError::Unreachable)
            }
        }
    }

    /// A new process at this address is tried, even if the one before it has failed.
    fn check(&self, to: &Peer, anyway: bool) -> Result<(), PeerError> {
        let has_failed = lock(&self.failed).as_ref().is_some_and(|(tag, at)| *tag == to.tag && at.elapsed() < SKIP);
        if !anyway && has_failed { Err(PeerError::Unreachable) } else { Ok(()) }
    }

    fn note(&self, to: &Peer, error: PeerError) {
        if error == PeerError::Unreachable {
            *lock(&self.failed) = Some((to.tag.clone(), Instant::now()));
        }
    }

    async fn forget_if_closed(&self) {
        let mut sender = self.sender.lock().await;
        if sender.as_ref().is_some_and(Sender::is_closed) {
            *sender = None;
        }
    }

    fn is_of_use(&self) -> bool {
        let connected = self.sender.try_lock().map_or(true, |sender| sender.as_ref().is_some_and(|sender| !sender.is_closed()));
        connected || lock(&self.failed).as_ref().is_some_and(|(_, at)| at.elapsed() < SKIP)
    }
}

/// Logged here too: the operator may not see the other node's log.
fn tell(to: &Peer, error: PeerError) {
    if error == PeerError::Refused(StatusCode::UNAUTHORIZED)
        && let Some(times) = due("a peer refuses the seal of this node")
    {
        let (peer, address) = (&*to.node, to.address);
        tracing::warn!(peer, %address, times, "a node refuses our calls: is its CLUSTER_SECRET ours, and its clock within 30 s?");
    }
}

async fn connect(address: SocketAddr) -> Result<Sender, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        // Calls are dropped when clients leave; late answers to them must not count as an attack.
        .max_concurrent_reset_streams(4_096)
        .max_local_error_reset_streams(None)
        .handshake(TokioIo::new(stream))
        .await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%address, %error, "the connection to a peer broke");
        }
    });
    Ok(sender)
}

fn request(to: &Peer, path: &'static str, body: Bytes, stamp: &Stamp, head: &Head) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = hyper::Method::POST;
    let uri = Uri::builder().scheme("http").authority(to.address.to_string()).path_and_query(path).build();
    *request.uri_mut() = uri.unwrap_or_default();
    let headers = request.headers_mut();
    for (name, value) in [(SEAL, stamp.to_header()), (HEAD, head.to_header()), (TARGET, to.tag.to_string())] {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    }
    request
}

async fn answer(seal: &Seal, stamp: &Stamp, response: Response<hyper::body::Incoming>) -> Result<Answer, PeerError> {
    let (head, body) = response.into_parts();
    // Nothing is read without a valid seal.
    let Some(mac) = head.headers.get(SEAL) else { return Err(PeerError::Refused(head.status)) };
    let body = Limited::new(body, MAX_BODY).collect().await.map_err(|_| PeerError::Unreachable)?.to_bytes();
    let sealed = seal.check_answer(mac.as_bytes(), &stamp.nonce, head.status, &body);
    if sealed { Ok(Answer { status: head.status, body }) } else { Err(PeerError::Refused(head.status)) }
}
