//! The namespace `/interview`: its candidates, and those who lead or observe an interview (contract § 4 "The gateway").
//!
//! ```text
//! a client's event ─► rights ─► script (decides and writes in one step) ─► the scope's log ─► candidate, observers
//!                                  └─► what there is to conduct: speech, answers, the next question
//! ```

mod audio;
mod candidate;
mod connect;
mod due;
pub mod entries;
mod events;
mod expiry;
mod following;
mod jobs;
mod leaving;
mod listener;
mod observers;
mod records;

use std::sync::Arc;

use super::caller;
use super::channel;
use super::conductor::Conductor;
use super::ending::Endings;
use super::kinds;
use super::live::Live;
use super::revocation::Revocations;
use super::signalling::Signalling;
use crate::rooms::pending::Losses;
use crate::socketio::{Arrival, Code, ConnectError, EventError, Namespace, Reply, Socket, bind, bind_event};

use following::Following;
use listener::Listener;

/// The namespace of interviews.
pub const NAMESPACE: &str = "/interview";

type Handled = Result<Reply, EventError>;

/// What [`Gateway::new`] puts together.
pub struct Parts {
    pub live: Arc<Live>,
    pub signalling: Arc<Signalling>,
    pub conductor: Arc<Conductor>,
    pub endings: Arc<Endings>,
    pub revocations: Arc<Revocations>,
}

/// One in a process.
pub struct Gateway {
    live: Arc<Live>,
    signalling: Arc<Signalling>,
    conductor: Arc<Conductor>,
    endings: Arc<Endings>,
    revocations: Arc<Revocations>,
    losses: Losses,
    /// Acknowledgements that wait for what follows on an answer.
    following: Following,
}

/// The namespace of a hub without PostgreSQL. Each CONNECT is refused with the name of the missing setting.
pub fn not_configured(setting: &'static str) -> Namespace {
    let refuse = move |_| async move {
        let code = Code("NOT_CONFIGURED");
        Err::<(), _>(ConnectError::refused(code, format!("{setting} is not set")))
    };
    Namespace::new(NAMESPACE).on_connect(refuse)
}

impl Gateway {
    /// Puts it together and listens to its scopes. Must be called inside a Tokio runtime.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { live, signalling, conductor, endings, revocations } = parts;
        let (losses, following) = (Losses::default(), Following::default());
        let gateway = Arc::new(Self { live, signalling, conductor, endings, revocations, losses, following });
        gateway.live.scopes.register(kinds::INTERVIEW, Arc::new(Listener(Arc::downgrade(&gateway))));
        gateway.handle_timers();
        gateway
    }

    /// How many lost connections this node has still to note in Redis.
    pub fn losses(&self) -> usize {
        self.losses.count()
    }

    /// The namespace with all its events, those of the call included.
    pub fn namespace(self: &Arc<Self>) -> Namespace {
        let namespace = Namespace::new(NAMESPACE)
            .on_connect(bind(self, Self::admit_socket))
            .on_connection(bind_event(self, Self::arrived))
            .on_disconnected(bind_event(self, Self::disconnected))
            .on_abandoned(bind(self, Self::abandoned))
            .not_a_number("audio-chunk", Code("INVALID_AUDIO"))
            .identity(caller::identity)
            .on_move(caller::export, caller::import);
        let namespace = channel::dispatch(namespace, &self.live, self, entries::EVENTS);
        self.signalling.events(namespace)
    }

    async fn arrived(self: Arc<Self>, socket: Arc<Socket>, arrival: Arrival) {
        self.revocations.arrived(&socket);
        if arrival == Arrival::New {
            self.welcome(&socket);
        } else {
            self.signalling.resumed(&socket).await;
        }
        self.schedule_expiry(&socket);
    }
}
