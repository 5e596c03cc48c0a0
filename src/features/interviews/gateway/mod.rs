//! The namespace `/interview`: its candidates, and those who lead or observe an interview (contract § 4 "The gateway").
//!
//! ```text
//! a client's event ─► rights ─► script (decides and writes in one step) ─► the scope's log ─► candidate, observers
//!                                  └─► what there is to conduct: speech, answers, the next question
//! ```

pub mod caller;
mod connect;
mod expiry;
pub mod rights;

use std::sync::Arc;

use serde_json::json;

use super::live::Live;
use super::signalling::Signalling;
use crate::socketio::{Abandoned, Arrival, Code, ConnectError, DisconnectReason, Event, EventError, Namespace, Reply, Socket};

use caller::permitted;

/// The namespace of interviews.
pub const NAMESPACE: &str = "/interview";

type Handled = Result<Reply, EventError>;

/// What [`Gateway::new`] puts together.
pub struct Parts {
    pub live: Arc<Live>,
    pub signalling: Arc<Signalling>,
}

/// One in a process.
pub struct Gateway {
    live: Arc<Live>,
    signalling: Arc<Signalling>,
}

/// The namespace of a hub without PostgreSQL: nobody gets in, and is told which setting is missing.
pub fn not_configured(setting: &'static str) -> Namespace {
    let refuse = move |_| async move {
        let code = Code("NOT_CONFIGURED");
        Err::<(), _>(ConnectError::refused(code, format!("{setting} is not set")))
    };
    Namespace::new(NAMESPACE).on_connect(refuse)
}

impl Gateway {
    /// Must be called inside a Tokio runtime.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { live, signalling } = parts;
        Arc::new(Self { live, signalling })
    }

    /// The namespace with all its events, those of the call included.
    pub fn namespace(self: &Arc<Self>) -> Namespace {
        /// Registers methods of the gateway as handlers of events that the sender may send.
        macro_rules! events {
            ($namespace:expr, $($event:literal => $method:ident),+ $(,)?) => {{
                let mut namespace = $namespace;
                $(
                    let gateway = self.clone();
                    namespace = namespace.on($event, move |socket, event| {
                        let gateway = gateway.clone();
                        async move {
                            permitted(&socket, &event)?;
                            gateway.$method(socket, event).await
                        }
                    });
                )+
                namespace
            }};
        }
        let [connect, arrived, gone, abandoned] = [0; 4].map(|_| self.clone());
        let namespace = Namespace::new(NAMESPACE)
            .on_connect(move |request| connect.clone().admit_socket(request))
            .on_connection(move |socket, arrival| arrived.clone().arrived(socket, arrival))
            .on_disconnected(move |socket, reason| gone.clone().disconnected(socket, reason))
            .on_abandoned(move |lost| abandoned.clone().abandoned(lost))
            .identity(caller::identity)
            .on_move(caller::export, caller::import);
        let namespace = events!(namespace,
            "auth:refresh" => on_refresh,
            "heartbeat" => on_heartbeat,
        );
        self.signalling.events(namespace)
    }

    async fn on_refresh(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        crate::rooms::expiry::refresh(self, socket, event).await
    }

    /// `heartbeat-ack {timestamp}`, in milliseconds.
    async fn on_heartbeat(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        event.object()?;
        let timestamp = self.live.clock.now_ms();
        socket.emit("heartbeat-ack", json!({ "timestamp": timestamp }));
        Ok(Reply::Object(json!({ "ok": true, "timestamp": timestamp }).to_string()))
    }

    async fn arrived(self: Arc<Self>, socket: Arc<Socket>, arrival: Arrival) {
        if arrival == Arrival::New {
            self.welcome(&socket);
        } else {
            self.signalling.resumed(&socket).await;
        }
        self.schedule_expiry(&socket);
    }

    async fn disconnected(self: Arc<Self>, socket: Arc<Socket>, reason: DisconnectReason) {
        let Ok(caller) = caller::caller(&socket) else { return };
        caller.end();
        self.signalling.disconnected(&socket, reason).await;
    }

    async fn abandoned(self: Arc<Self>, gone: Abandoned) {
        self.signalling.abandoned(&gone).await;
    }
}
