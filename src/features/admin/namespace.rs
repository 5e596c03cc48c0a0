//! The namespace of the operators: who comes in, and what they may ask for.

use std::sync::Arc;

use serde_json::Value;

use super::NAMESPACE;
use super::door::{Auth, Door, Opened, Refused};
use super::metrics::ADMIN_LOGINS;
use super::settings::View;
use super::viewer::Viewer;
use super::wire::{Config, End};
use crate::socketio::{
    Arrival, Code, ConnectError, ConnectRequest, DisconnectReason, Event, EventError, Namespace, Reply, Socket, bind, bind_event,
};
use crate::telemetry::due;

/// The door and what is behind it.
pub struct Operators {
    pub door: Arc<Door>,
    pub viewer: Arc<Viewer>,
    pub view: View,
    /// Connections at the same time.
    pub most: usize,
}

/// A connected operator.
struct Operator {
    /// Opened by the login of this connection; the page keeps it.
    session: Option<String>,
}

impl Operators {
    pub fn namespace(self: &Arc<Self>) -> Namespace {
        Namespace::new(NAMESPACE)
            .on_connect(bind(self, Self::admit))
            .on_connection(bind_event(self, Self::connected))
            .on_disconnected(bind_event(self, Self::disconnected))
            .on_move(|_: &Operator| Value::Null, |_| Some(Operator { session: None }))
            .on("_disconnect", bind_event(self, Self::end))
    }

    async fn admit(self: Arc<Self>, request: ConnectRequest) -> Result<Operator, ConnectError> {
        let address = request.handshake.address;
        let auth: Auth = request.auth().unwrap_or_default();
        let count = |outcome: &'static str| metrics::counter!(ADMIN_LOGINS, "outcome" => outcome).increment(1);
        match self.door.open(&auth, address) {
            Ok(_) if self.viewer.operators() >= self.most => {
                Err(ConnectError::refused(Code::RATE_LIMITED, "too many operators are connected: ADMIN_CONNECTIONS"))
            }
            Ok(Opened::Login(session)) => {
                count("ok");
                tracing::info!(%address, operator = self.door.username(), "an operator has logged in");
                Ok(Operator { session: Some(session) })
            }
            Ok(Opened::Session) => Ok(Operator { session: None }),
            // The page looks for this message.
            Err(Refused::Credentials) => {
                count("refused");
                if let Some(times) = due("a login of an operator was refused") {
                    tracing::warn!(%address, times, "a login of an operator was refused");
                }
                Err(ConnectError::message("invalid credentials"))
            }
            Err(Refused::TooMany(after)) => {
                count("limited");
                let seconds = after.as_secs() + 1;
                let message = format!("too many failed logins, try again in {seconds} s");
                Err(ConnectError::refused(Code::RATE_LIMITED, message))
            }
        }
    }

    async fn connected(self: Arc<Self>, socket: Arc<Socket>, arrival: Arrival) {
        if arrival == Arrival::New {
            if let Some(session) = socket.data::<Operator>().and_then(|operator| operator.session.as_ref()) {
                socket.emit("session", session);
            }
            socket.emit("config", &Config { supported_features: self.features() });
        }
        self.viewer.add(&socket);
    }

    fn features(&self) -> Vec<&'static str> {
        let features = [
            ("AGGREGATED_EVENTS", true),
            ("ALL_EVENTS", self.view.has_sockets()),
            ("DISCONNECT", self.view.has_sockets() && !self.view.readonly),
        ];
        features.into_iter().filter(|(_, offered)| *offered).map(|(feature, _)| feature).collect()
    }

    async fn disconnected(self: Arc<Self>, socket: Arc<Socket>, _: DisconnectReason) {
        self.viewer.remove(&socket);
    }

    /// Ends one socket, or with `close` all of its session. What the page offers for a whole room or namespace is not offered
    /// here, and neither are joins, leaves and emits: who is in a room is decided by rights, and an event without a place in the
    /// log of its room would not reach who is away for a moment.
    async fn end(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
        if self.view.readonly {
            return Err(EventError::new(Code::FORBIDDEN, "the view is read-only: ADMIN_READONLY"));
        }
        let (nsp, close, id): (String, bool, Option<String>) = (event.arg(0)?, event.arg(1)?, event.arg(2)?);
        let id = id.ok_or_else(|| EventError::invalid("the id of a socket is missing"))?;
        let end = End { nsp, id, close };
        let (address, operator) = (socket.handshake().address, self.door.username());
        if !self.viewer.end(&end).await {
            return Err(EventError::new(Code("NOT_FOUND"), "no such socket"));
        }
        tracing::warn!(%address, operator, nsp = end.nsp, sid = end.id, close, "an operator has ended a socket");
        Ok(Reply::Ok)
    }
}
