//! What the hub asks a client, and how question and answer find each other when the socket goes on at another node in between.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::oneshot;

use super::super::Config;
use super::super::acks::AckError;
use super::super::words::{Sent, What, Word};
use super::{Socket, args_of};
use crate::core::sync::lock;
use crate::core::wire::{self, Form};
use crate::protocol::event::{Args, Values};
use crate::protocol::packet::Outgoing;

/// The longest time that an acknowledgement is waited for.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

impl Socket {
    /// Sends an event, as [`Socket::emit`] does, and waits for the client's acknowledgement: for as long as the socket is connected.
    /// It survives an upgrade, on this node and to another, not a reconnect.
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
            return self.ask_where_it_goes_on(args, deadline).await;
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
            return self.ask_where_it_goes_on(args, deadline).await;
        }
        match tokio::time::timeout_at(deadline.into(), receiver).await {
            Ok(Ok(args)) => Ok(args),
            // It will come to the node where this socket goes on, if it does.
            Ok(Err(_)) => self.fetch_ack(id, deadline).await,
            Err(_) => Err(AckError::Timeout),
        }
    }

    async fn ask_where_it_goes_on(&self, args: &Args, deadline: Instant) -> Result<Args, AckError> {
        let id = self.follow(What::Ask(Sent::new(args))).ok_or(AckError::SocketGone)?;
        let id = tokio::time::timeout_at(deadline.into(), id).await.map_err(|_| AckError::Timeout)?;
        let id = id.ok().and_then(|id| std::str::from_utf8(&id).ok()?.parse().ok()).ok_or(AckError::SocketGone)?;
        self.fetch_ack(id, deadline).await
    }

    async fn fetch_ack(&self, id: u64, deadline: Instant) -> Result<Args, AckError> {
        let within = deadline.saturating_duration_since(Instant::now());
        let word = self.word(What::wait(id, within));
        // Its own deadline is there for a node that does not answer at all.
        let answer = self.link.session.ask_where_it_goes_on(word, within + Duration::from_secs(1));
        let answer = tokio::time::timeout_at(deadline.into(), answer).await.map_err(|_| AckError::Timeout)?;
        answer.and_then(|answer| Sent::read(&answer)).ok_or(AckError::SocketGone)
    }

    /// Says it to the node where this socket goes on; in vain if that is nowhere.
    pub(super) fn follow(&self, what: What) -> Option<oneshot::Receiver<Bytes>> {
        if !self.link.session.goes_on_elsewhere() {
            return None;
        }
        self.link.session.follow(self.word(what))
    }

    fn word(&self, what: What) -> Bytes {
        let word = Word { namespace: self.link.namespace.name().into(), sid: self.id.to_string(), what };
        wire::write(self.session().form_elsewhere(), &word)
    }

    /// The node that gave this socket away has more to say to it, and reads this form.
    pub(in crate::socketio) async fn followed(&self, what: What, form: Form, config: &Config) -> Option<Bytes> {
        match what {
            What::Emit(sent) => self.emit_args(&sent.args()),
            What::EmitVolatile(sent) => self.send(&Outgoing::Event { id: None, args: &sent.args(), offset: None }),
            What::Ack { id, args } => self.send_ack(id, &args.args()),
            What::Disconnect => self.disconnect(),
            What::Ask(sent) => {
                let args = sent.args();
                let id = lock(&self.acks).get_or_insert_default().begin_for_another(config.max_pending_acks).ok()?;
                self.send(&Outgoing::Event { id: Some(id), args: &args, offset: None });
                return Some(id.to_string().into());
            }
            What::Await { id, ms } => {
                let receiver = lock(&self.acks).as_mut()?.fetch(id)?;
                let _awaited = Awaited { socket: self, id };
                let args = tokio::time::timeout(Duration::from_millis(ms), receiver).await.ok()?.ok()?;
                return Some(Sent::write(form, &args));
            }
        }
        Some(Bytes::new())
    }
}

/// Makes room for another acknowledgement when nobody waits for this one any longer.
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
