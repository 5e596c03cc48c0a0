//! Handles a CONNECT packet and answers it with a socket or a refusal.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use serde_json::json;

use super::super::connect_auth::ConnectAuth;
use super::super::connect_limiter::ConnectPermit;
use super::super::event_queue::Job;
use super::super::{
    Admitted, Arrival, ConnectError, ConnectRequest, DisconnectReason, Names, Namespace, PendingSocket, Replay, Socket,
};
use super::{Client, Entry};
use crate::core::ids;
use crate::core::sync::lock;
use crate::engineio::{CloseReason, Session};
use crate::protocol::packet::{Outgoing, Parser, encode};
use crate::telemetry::once_a_minute;

/// A CONNECT packet that is being handled.
pub(super) struct Connect {
    pub session: Arc<Session>,
    pub namespace: Arc<Namespace>,
    pub parser: Parser,
    /// Of the packet, since a client may give up and try again before the answer.
    pub number: u32,
}

impl Client {
    pub(super) async fn connect(self: Arc<Self>, connect: Connect, request: ConnectRequest) {
        let config = &self.io.config;
        let may_enter = config.gate.pass(config.gate_patience).await;
        let Some(mut permit) = (if may_enter { self.io.connect_limiter.enter().await } else { None }) else {
            return self.answer(&connect, Err(ConnectError::TryAgain), None);
        };
        let admitted = AssertUnwindSafe(self.admit(&connect, request)).catch_unwind();
        let result = match tokio::time::timeout(config.connect_timeout, permit.hold(admitted)).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                once_a_minute!(error, "the handler of CONNECT panicked", namespace = connect.namespace.name());
                Err(ConnectError::TryAgain)
            }
            Err(_) => Err(ConnectError::TryAgain),
        };
        self.answer(&connect, result, Some(permit));
    }

    async fn admit(&self, connect: &Connect, request: ConnectRequest) -> Result<Admitted, ConnectError> {
        let ConnectAuth { recovery_enabled, previous } = ConnectAuth::read(&request, &self.io.config);
        let data = (connect.namespace.connect)(request).await?;
        let (link, identity) = self.link(&connect.session, &connect.namespace, connect.parser, data);
        let pending = PendingSocket { identity, recovery_enabled, previous, link };
        match &self.io.store {
            Some(store) => store.admit(pending).await,
            None => {
                let names = Names { sid: ids::random(15), ..Names::default() };
                Ok(Admitted::new(PendingSocket { recovery_enabled: false, ..pending }.socket(names)))
            }
        }
    }

    /// Answers a CONNECT. The client may have gone or left the namespace meanwhile.
    fn answer(&self, connect: &Connect, result: Result<Admitted, ConnectError>, permit: Option<ConnectPermit>) {
        let mut state = lock(&self.state);
        state.undecided -= 1;
        let at = state.entries.iter().position(|entry| matches!(entry, Entry::Connecting(_, n) if *n == connect.number));
        let Some(at) = at.filter(|_| !state.closed) else {
            drop(state);
            if let Ok(Admitted { socket, replay }) = result {
                self.discard_admitted(&socket, replay);
            }
            return;
        };
        match result {
            Ok(Admitted { socket, replay }) => {
                state.entries[at] = Entry::Connected(connect.namespace.name(), socket.clone());
                socket.namespace().gained(&socket);
                connect.session.accepted();
                let pid = if socket.recovery_enabled() { format!(r#","pid":"{}""#, socket.pid()) } else { String::new() };
                socket.send(&Outgoing::Connect { json: &format!(r#"{{"sid":"{}"{pid}}}"#, socket.id()) });
                let arrival = if replay.is_some() { Arrival::Recovered } else { Arrival::New };
                // Still under the lock: no event of this client is handled before what it missed is queued.
                if let Some(replay) = replay {
                    replay.run();
                }
                socket.push(Job::Arrived(arrival, permit), &self.io.config);
                if let Some(store) = &self.io.store {
                    store.connected(&socket);
                }
            }
            Err(ConnectError::Refused { message, data }) => {
                state.entries.remove(at);
                let json = match data {
                    Some(data) => json!({"message": message, "data": data}),
                    None => json!({"message": message}),
                };
                let packet = Outgoing::ConnectError { json: &json.to_string() };
                connect.session.send(encode(connect.parser, connect.namespace.name(), &packet));
            }
            Err(ConnectError::TryAgain) => {
                drop(state);
                connect.session.close(CloseReason::TryAgain);
            }
        }
    }

    /// The client has gone, or has left the namespace, before its CONNECT was answered. A recovered connection is kept for it, with
    /// what it has missed.
    pub(super) fn discard_admitted(&self, socket: &Arc<Socket>, replay: Option<Replay>) {
        let recovered = replay.is_some();
        let lost = DisconnectReason::Transport(CloseReason::ConnectionLost);
        let reason = if recovered { lost } else { DisconnectReason::Client };
        socket.leave();
        if let Some(replay) = replay {
            replay.discard();
        }
        if let Some(store) = &self.io.store {
            store.gone(socket, reason);
        }
        if recovered {
            socket.push(Job::Disconnected(reason, Some(self.io.leaving.token())), &self.io.config);
        }
    }
}
