//! What is sent to a client.

use std::sync::Arc;

use super::super::forwarded::{CallArgs, SocketCall};
use super::super::sent::SentDirect;
use super::super::unacked_log::UnackedLog;
use super::Socket;
use crate::core::sync::lock;
use crate::core::{Offset, ScopeId, StreamId};
#[cfg(doc)]
use crate::engineio::Session;
use crate::engineio::VolatileKey;
use crate::protocol::event::{Args, Values};
use crate::protocol::frame::Frames;
use crate::protocol::packet::{Outgoing, encode};
use crate::telemetry::once_a_minute;

impl Socket {
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
        let mut unacked = lock(&self.unacked);
        if unacked.frozen {
            drop(unacked);
            self.forward(SocketCall::Emit(CallArgs::new(args)));
            return;
        }
        if !self.is_connected() {
            return;
        }
        let must_flush = self.queue_direct(&mut unacked, args);
        drop(unacked);
        self.observe_sent(args);
        if must_flush {
            self.link.session.flush();
        }
    }

    /// Queues an event of a room in memory; true when the caller must call [`Session::flush`]. A client that takes part in
    /// recovery and is away gets it when it comes back.
    pub(in crate::socketio) fn queue_kept(&self, args: &Args) -> bool {
        self.observe_sent(args);
        if !self.recovery_enabled {
            return self.is_connected() && {
                let frames = self.encode(&Outgoing::Event { id: None, args, offset: None });
                self.link.session.queue(frames, None)
            };
        }
        let mut unacked = lock(&self.unacked);
        if unacked.frozen {
            return false;
        }
        if !self.is_connected() {
            unacked.direct(args);
            return false;
        }
        self.queue_direct(&mut unacked, args)
    }

    fn queue_direct(&self, unacked: &mut UnackedLog, args: &Args) -> bool {
        let offset = unacked.direct(args);
        let frames = self.encode(&Outgoing::Event { id: None, args, offset: offset.as_deref() });
        self.link.session.queue(frames, None)
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

    /// Queues what a fan-out has encoded once for many; true when the caller must call [`Session::flush`].
    pub fn queue(&self, frames: Frames, volatile: Option<VolatileKey>) -> bool {
        self.is_connected() && self.link.session.queue(frames, volatile)
    }

    /// Queues a logged event that carries an offset; true when the caller must call [`Session::flush`]. A frozen socket gets it
    /// too: the position with which it leaves the scope says that everything up to there was queued.
    pub fn queue_logged(&self, frames: Frames, scope: &ScopeId, id: StreamId, offset: &Arc<str>) -> bool {
        let mut unacked = lock(&self.unacked);
        if !self.is_connected() {
            return false;
        }
        unacked.logged(scope, id, offset);
        self.link.session.queue(frames, None)
    }

    /// [`Socket::queue_logged`] for what the client missed while it was away.
    pub fn queue_missed(&self, frames: Frames, scope: &ScopeId, id: StreamId, offset: &Arc<str>) -> bool {
        let mut unacked = lock(&self.unacked);
        unacked.logged(scope, id, offset);
        !unacked.frozen && self.is_connected() && self.link.session.queue_missed(frames)
    }

    /// Queues a direct emit of the past again, under its own offset if it has one.
    pub fn queue_direct_again(&self, direct: &SentDirect) -> bool {
        let offset = direct.offset.as_ref().map(Offset::to_string);
        let frames = self.encode(&Outgoing::Event { id: None, args: &direct.args, offset: offset.as_deref() });
        let mut unacked = lock(&self.unacked);
        unacked.direct_again(direct);
        !unacked.frozen && self.is_connected() && self.link.session.queue_missed(frames)
    }

    /// Tells an observer of an event that is queued as frames, which do not tell what is in them.
    pub fn observe_sent(&self, args: &Args) {
        self.link.namespace.observer().tell(|observer| observer.sent(self, args));
    }

    fn encode(&self, packet: &Outgoing<'_>) -> Frames {
        encode(self.link.parser, self.link.namespace.name(), packet)
    }

    pub(in crate::socketio) fn send(&self, packet: &Outgoing<'_>) {
        if !self.try_send(packet)
            && self.is_frozen()
            && let Some(what) = SocketCall::of(packet)
        {
            self.forward(what);
        }
    }

    /// False: the socket has moved to another node, or is gone.
    pub(super) fn try_send(&self, packet: &Outgoing<'_>) -> bool {
        let frames = self.encode(packet);
        let unacked = lock(&self.unacked);
        if unacked.frozen || !self.is_connected() {
            return false;
        }
        let must_flush = self.link.session.queue(frames, None);
        drop(unacked);
        if let Outgoing::Event { args, .. } = packet {
            self.observe_sent(args);
        }
        if must_flush {
            self.link.session.flush();
        }
        true
    }

    pub(in crate::socketio) fn send_ack(&self, id: u64, args: &Args) {
        self.send(&Outgoing::Ack { id, args });
    }
}

pub(in crate::socketio) fn args_of(event: &str, arguments: impl Values) -> Option<Args> {
    let args = Args::of_event(event, arguments);
    args.inspect_err(|error| once_a_minute!(error, "an argument has no form as JSON", event, %error)).ok()
}
