//! Events with an acknowledgement, also when the socket moves to another node before the acknowledgement comes.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::super::Config;
use super::super::acks::AckError;
use super::super::forwarded::{CallArgs, ForwardedCall, SocketCall};
use super::{Socket, args_of};
use crate::core::sync::lock;
use crate::core::wire::{self, Form};
use crate::protocol::event::{Args, Values};
use crate::protocol::packet::Outgoing;

/// The longest time that an acknowledgement is waited for.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

impl Socket {
    /// Sends an event, as [`Socket::emit`] does, and waits for the client's acknowledgement: for as long as the socket is
    /// connected. It survives an upgrade, on this node and to another, not a reconnect.
    ///
    /// ```no_run
    /// # async fn example(socket: &convoke::socketio::Socket) -> Result<(), Box<dyn std::error::Error>> {
    /// let answer = socket.emit_with_ack("question", ("What is your name?", 7)).await?;
    /// let name: String = answer.item(0)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The socket is gone, or so many acknowledgements are awaited that there is no room for another.
    pub async fn emit_with_ack(&self, event: &str, arguments: impl Values) -> Result<Args, AckError> {
        let args = args_of(event, arguments).ok_or(AckError::NoJson)?;
        self.emit_args_with_ack(&args, LONGEST).await
    }

    /// [`Socket::emit_with_ack`] that waits no longer than `timeout`.
    ///
    /// # Errors
    /// Those of [`Socket::emit_with_ack`], and [`AckError::Timeout`].
    pub async fn emit_with_ack_within(&self, timeout: Duration, event: &str, arguments: impl Values) -> Result<Args, AckError> {
        let args = args_of(event, arguments).ok_or(AckError::NoJson)?;
        self.emit_args_with_ack(&args, timeout).await
    }

    /// [`Socket::emit_with_ack_within`] for arguments that are made already; `args` is the whole array, the name included.
    ///
    /// # Errors
    /// Those of [`Socket::emit_with_ack_within`].
    pub async fn emit_args_with_ack(&self, args: &Args, timeout: Duration) -> Result<Args, AckError> {
        let deadline = Instant::now() + timeout.min(LONGEST);
        if self.is_frozen() {
            return self.ask_at_new_owner(args, deadline).await;
        }
        let most = self.link.client.upgrade().ok_or(AckError::SocketGone)?.max_pending_acks();
        let (id, receiver) = {
            let mut acks = lock(&self.acks);
            if !self.is_connected() {
                return Err(AckError::SocketGone);
            }
            acks.get_or_insert_default().begin(most)?
        };
        let _awaited = Awaited { socket: self, id };
        if !self.try_send(&Outgoing::Event { id: Some(id), args, offset: None }) && self.is_frozen() {
            return self.ask_at_new_owner(args, deadline).await;
        }
        match tokio::time::timeout_at(deadline, receiver).await {
            Ok(Ok(args)) => Ok(args),
            // The socket has moved: the acknowledgement comes to its new node.
            Ok(Err(_)) => self.fetch_ack(id, deadline).await,
            Err(_) => Err(AckError::Timeout),
        }
    }

    async fn ask_at_new_owner(&self, args: &Args, deadline: Instant) -> Result<Args, AckError> {
        let id = self.forward(SocketCall::Ask(CallArgs::new(args))).ok_or(AckError::SocketGone)?;
        let id = tokio::time::timeout_at(deadline, id).await.map_err(|_| AckError::Timeout)?;
        let id = id.ok().and_then(|id| std::str::from_utf8(&id).ok()?.parse().ok()).ok_or(AckError::SocketGone)?;
        self.fetch_ack(id, deadline).await
    }

    async fn fetch_ack(&self, id: u64, deadline: Instant) -> Result<Args, AckError> {
        let within = deadline.saturating_duration_since(Instant::now());
        let call = self.forwarded_call(SocketCall::wait(id, within));
        // This deadline is for a node that does not answer at all.
        let answer = self.link.session.call_new_owner(call, within + Duration::from_secs(1));
        let answer = tokio::time::timeout_at(deadline, answer).await.map_err(|_| AckError::Timeout)?;
        answer.and_then(|answer| CallArgs::read(&answer)).ok_or(AckError::SocketGone)
    }

    /// Forwards a call to the node that this socket has moved to; `None` if there is none.
    pub(super) fn forward(&self, call: SocketCall) -> Option<oneshot::Receiver<Bytes>> {
        if !self.link.session.has_new_owner() {
            return None;
        }
        self.link.session.forward_call(self.forwarded_call(call))
    }

    fn forwarded_call(&self, what: SocketCall) -> Bytes {
        let call = ForwardedCall { namespace: self.link.namespace.name().into(), sid: self.id.to_string(), what };
        wire::write(self.session().new_owner_form(), &call)
    }

    /// A call from the former node of this socket, which reads this wire form.
    pub(in crate::socketio) async fn handle_forwarded_call(
        &self,
        what: SocketCall,
        form: Form,
        config: &Config,
    ) -> Option<Bytes> {
        match what {
            SocketCall::Emit(sent) => self.emit_args(&sent.args()),
            SocketCall::EmitVolatile(sent) => self.send(&Outgoing::Event { id: None, args: &sent.args(), offset: None }),
            SocketCall::Ack { id, args } => self.send_ack(id, &args.args()),
            SocketCall::Disconnect => self.disconnect(),
            SocketCall::Ask(sent) => {
                let args = sent.args();
                let id = lock(&self.acks).get_or_insert_default().begin_for_another(config.max_pending_acks).ok()?;
                self.send(&Outgoing::Event { id: Some(id), args: &args, offset: None });
                return Some(id.to_string().into());
            }
            SocketCall::Await { id, ms } => {
                let receiver = lock(&self.acks).as_mut()?.fetch(id)?;
                let _awaited = Awaited { socket: self, id };
                let args = tokio::time::timeout(Duration::from_millis(ms), receiver).await.ok()?.ok()?;
                return Some(CallArgs::write(form, &args));
            }
        }
        Some(Bytes::new())
    }
}

/// Frees the place of an acknowledgement that nobody waits for any longer.
struct Awaited<'a> {
    socket: &'a Socket,
    id: u64,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        if let Some(acks) = &mut *lock(&self.socket.acks) {
            acks.give_up(self.id);
        }
    }
}
