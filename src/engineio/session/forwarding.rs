//! Calls for a session that has been handed over to another node: a task of this node may still hold one of its sockets. The
//! calls are forwarded to the new owner in their order.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::super::remote::{CallOutcome, RemoteSessions};
use super::Session;
use crate::core::sync::lock;
use crate::core::wire::Form;

/// How long the session may take to arrive there; until then a call is repeated.
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(8);
const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// How long a call may take that does not wait for the client.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The cost of a queued call beside its bytes.
const CALL_BYTES: usize = 128;

/// The node that a session was handed over to.
pub(super) struct NewOwner {
    /// The tag of its process.
    tag: Box<str>,
    /// The wire form that it reads.
    form: Form,
    since: Instant,
    queue: Mutex<Option<mpsc::UnboundedSender<QueuedCall>>>,
    /// Bytes of the queued calls.
    bytes: Arc<AtomicUsize>,
}

struct QueuedCall {
    call: Bytes,
    answer: oneshot::Sender<Bytes>,
}

impl NewOwner {
    pub(super) fn new(tag: &str, form: Form) -> Self {
        Self { tag: tag.into(), form, since: Instant::now(), queue: Mutex::default(), bytes: Arc::default() }
    }
}

impl Session {
    /// Forwards a call to the connection of this session at its new owner: [`Connection::forwarded_call`]. The receiver gets the
    /// answer, or an error if the call has failed. `None`: there is no new owner, or too much waits for it.
    ///
    /// [`Connection::forwarded_call`]: super::super::Connection::forwarded_call
    pub fn forward_call(&self, call: Bytes) -> Option<oneshot::Receiver<Bytes>> {
        let new_owner = self.new_owner.get()?;
        let cost = call.len() + CALL_BYTES;
        if new_owner.bytes.load(Relaxed) + cost > self.engine.config.outbox_bytes {
            tracing::debug!("too many calls wait for a session that has moved to another node");
            return None;
        }
        let (answer, answered) = oneshot::channel();
        let mut queue = lock(&new_owner.queue);
        if queue.is_none() {
            *queue = Some(self.start_forwarding(new_owner)?);
        }
        new_owner.bytes.fetch_add(cost, Relaxed);
        queue.as_ref()?.send(QueuedCall { call, answer }).ok()?;
        Some(answered)
    }

    /// [`Session::forward_call`] for a call that waits for the client: it does not hold up the other calls.
    pub async fn call_new_owner(&self, call: Bytes, within: Duration) -> Option<Bytes> {
        let new_owner = self.new_owner.get()?;
        let remote = self.engine.remote.as_ref()?;
        call_until_arrived(&**remote, (&new_owner.tag, &self.sid), new_owner.since, &call, within).await
    }

    /// The wire form of a call for [`Session::forward_call`].
    pub fn new_owner_form(&self) -> Form {
        self.new_owner.get().map_or(Form::default(), |new_owner| new_owner.form)
    }

    /// Whether it has moved to another node, or is about to.
    pub fn has_new_owner(&self) -> bool {
        self.new_owner.get().is_some()
    }

    fn start_forwarding(&self, new_owner: &NewOwner) -> Option<mpsc::UnboundedSender<QueuedCall>> {
        let remote = self.engine.remote.clone()?;
        let (sender, mut calls) = mpsc::unbounded_channel::<QueuedCall>();
        let (tag, sid, since, bytes) = (new_owner.tag.clone(), self.sid.clone(), new_owner.since, new_owner.bytes.clone());
        tokio::spawn(async move {
            while let Some(QueuedCall { call, answer }) = calls.recv().await {
                // After a call that has failed, no later one may be executed.
                let Some(reply) = call_until_arrived(&*remote, (&tag, &sid), since, &call, CALL_TIMEOUT).await else { return };
                bytes.fetch_sub(call.len() + CALL_BYTES, Relaxed);
                let _ = answer.send(reply);
            }
        });
        Some(sender)
    }

    /// A call from the former owner of this session.
    pub(in crate::engineio) async fn forwarded_call(self: &Arc<Self>, call: Bytes) -> CallOutcome {
        let Some(connection) = self.connection.get().cloned() else { return CallOutcome::NotThere };
        connection.forwarded_call(self, call).await.map_or(CallOutcome::Lost, CallOutcome::Answered)
    }
}

async fn call_until_arrived(
    remote: &dyn RemoteSessions,
    (tag, sid): (&str, &str),
    since: Instant,
    call: &Bytes,
    within: Duration,
) -> Option<Bytes> {
    loop {
        match remote.call(tag, sid, call.clone(), within).await {
            CallOutcome::Answered(answer) => return Some(answer),
            CallOutcome::NotThere if since.elapsed() < ARRIVAL_TIMEOUT => tokio::time::sleep(RETRY_PAUSE).await,
            CallOutcome::NotThere | CallOutcome::Lost => return None,
        }
    }
}
