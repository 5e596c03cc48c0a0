//! Sessions that outlive their transports, kept in the memory of one process: for a program without Redis.
//!
//! A client that takes part in recovery gets a `pid`, and with each event an offset. When its transport breaks, its socket is
//! kept, with what was sent to it and may not have arrived, and with what its [`Rooms`] send meanwhile. A client that comes back
//! within the window, as the same user, keeps its Socket.IO id and gets what it missed, once and in order.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::namespace::BoxFuture;
use super::{
    Admitted, ConnectError, DisconnectReason, Identity, Names, PendingSocket, PreviousSession, Replay, Rooms, SessionStore,
    Socket,
};
use crate::core::ids;
use crate::core::sync::lock;
use crate::core::{Kind, Offset, Position, ScopeId, StreamId};
use crate::engineio::CloseReason;

/// A room for one socket alone: its events are counted from its start.
const SOCKET: Kind = Kind::of("socket");
/// How often expired clients are searched for.
const CHECK: Duration = Duration::from_secs(1);

/// What a store may set.
#[derive(Clone, Copy, Debug)]
pub struct MemoryStoreConfig {
    /// How long a client may be away.
    pub window: Duration,
    /// Clients that are away and kept; one more is not kept. Each keeps what was sent to it since its last answered `ping`, at
    /// most 64 KiB.
    pub max_away: usize,
}

impl Default for MemoryStoreConfig {
    fn default() -> Self {
        Self { window: Duration::from_secs(120), max_away: 10_000 }
    }
}

/// Give it to [`SocketIo::with_session_store`](super::SocketIo::with_session_store).
///
/// ```
/// use convoke::socketio::{MemoryStore, Namespace, Rooms, SocketIo};
///
/// let rooms = Rooms::default();
/// let store = MemoryStore::new(rooms, Default::default());
/// let io = SocketIo::with_session_store(Default::default(), [Namespace::new("/")], store);
/// ```
pub struct MemoryStore {
    me: Weak<Self>,
    rooms: Rooms,
    config: MemoryStoreConfig,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By pid.
    held: HashMap<Box<str>, Held>,
    away: usize,
    /// A task searches for expired clients.
    looking: bool,
}

struct Held {
    socket: Arc<Socket>,
    /// When its window is over; `None` while it is connected.
    until: Option<Instant>,
    /// A CONNECT that names it is being answered.
    returning: bool,
}

impl MemoryStore {
    /// Keeps sessions, and their memberships in these rooms.
    pub fn new(rooms: Rooms, config: MemoryStoreConfig) -> Arc<Self> {
        Arc::new_cyclic(|me| Self { me: me.clone(), rooms, config, state: Mutex::default() })
    }

    /// Clients that are away and may come back.
    pub fn away(&self) -> usize {
        lock(&self.state).away
    }

    /// The previous connection of a client, if it may have it back.
    fn claim(&self, pending: &PendingSocket, previous: &PreviousSession) -> Option<Admitted> {
        let offset = previous.offset.as_deref().and_then(|text| text.parse::<Offset>().ok());
        let mut state = lock(&self.state);
        let held = state.held.get_mut(&*previous.pid)?;
        let old = held.socket.clone();
        let is_same = old.namespace().name() == pending.namespace().name() && owner(&old.identity()) == owner(&pending.identity);
        if held.returning || !is_same {
            return None;
        }
        if old.snapshot().sent.after(offset.as_ref()).incomplete {
            state.forget(&previous.pid, &self.rooms);
            drop(state);
            close(&old);
            return None;
        }
        held.returning = true;
        drop(state);
        let names = Names { sid: old.id().into(), pid: old.pid().into(), epoch: old.epoch() + 1 };
        let socket = pending.socket(names);
        begin(&socket);
        let (rooms, new) = (self.rooms.clone(), socket.clone());
        let returning = Returning { store: self.me.clone(), old, has_gone_on: false };
        let replay = move || {
            let mut returning = returning;
            returning.has_gone_on = true;
            rooms.hand_over(&new, || go_on(&returning.old, &new, offset.as_ref()));
        };
        Some(Admitted { socket, replay: Some(Replay::new(replay)) })
    }

    fn fresh(&self, pending: &PendingSocket) -> Admitted {
        let pid = if pending.recovery_enabled { ids::random(15) } else { String::new() };
        let socket = pending.socket(Names { sid: ids::random(15), pid, epoch: 1 });
        begin(&socket);
        Admitted::new(socket)
    }

    /// Keeps a client that is away, if there is room.
    fn park(&self, state: &mut State, pid: &str) {
        if state.away >= self.config.max_away {
            return state.forget(pid, &self.rooms);
        }
        let Some(held) = state.held.get_mut(pid) else { return };
        if held.until.replace(Instant::now() + self.config.window).is_none() {
            state.away += 1;
        }
        if !std::mem::replace(&mut state.looking, true) {
            tokio::spawn(look(self.me.clone(), self.config.window.min(CHECK)));
        }
    }

    /// Removes clients whose window is over. False: no client is away.
    fn forget_late(&self) -> bool {
        let mut state = lock(&self.state);
        let now = Instant::now();
        let is_over = |held: &Held| !held.returning && held.until.is_some_and(|until| until <= now);
        let over: Vec<Box<str>> = state.held.iter().filter(|(_, held)| is_over(held)).map(|(pid, _)| pid.clone()).collect();
        over.iter().for_each(|pid| state.forget(pid, &self.rooms));
        state.looking = state.away > 0;
        state.looking
    }
}

impl State {
    fn forget(&mut self, pid: &str, rooms: &Rooms) {
        if let Some(held) = self.held.remove(pid) {
            self.away -= usize::from(held.until.is_some());
            rooms.leave_all(&held.socket);
        }
    }
}

impl SessionStore for MemoryStore {
    fn admit(&self, mut pending: PendingSocket) -> BoxFuture<Result<Admitted, ConnectError>> {
        pending.recovery_enabled &= !self.config.window.is_zero();
        let previous = pending.previous.take().filter(|_| pending.recovery_enabled);
        let admitted = previous.and_then(|previous| self.claim(&pending, &previous));
        let admitted = admitted.unwrap_or_else(|| self.fresh(&pending));
        Box::pin(std::future::ready(Ok(admitted)))
    }

    fn connected(&self, socket: &Arc<Socket>) {
        if socket.pid().is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        let held = Held { socket: socket.clone(), until: None, returning: false };
        if let Some(old) = state.held.insert(socket.pid().into(), held) {
            state.away -= usize::from(old.until.is_some());
        }
    }

    fn pinging(&self, socket: &Arc<Socket>) {
        if socket.recovery_enabled() {
            socket.mark([]);
        }
    }

    fn gone(&self, socket: &Arc<Socket>, reason: DisconnectReason) {
        if socket.pid().is_empty() {
            return;
        }
        let mut state = lock(&self.state);
        let is_this = |held: &Held| Arc::ptr_eq(&held.socket, socket);
        match (state.held.get(socket.pid()).filter(|held| is_this(held)), reason) {
            // Its CONNECT has failed, or its client has come back already.
            (None, _) | (_, DisconnectReason::TakenOver) => {}
            (Some(_), DisconnectReason::Transport(_)) => self.park(&mut state, socket.pid()),
            (Some(_), DisconnectReason::Client | DisconnectReason::Server) => {
                // Its rooms are kept until its disconnect handler has run.
                socket.freeze();
                state.held.remove(socket.pid());
            }
        }
    }
}

/// A return that is under way. If it fails, the client may try again.
struct Returning {
    store: Weak<MemoryStore>,
    old: Arc<Socket>,
    has_gone_on: bool,
}

impl Drop for Returning {
    fn drop(&mut self) {
        let Some(store) = self.store.upgrade().filter(|_| !self.has_gone_on) else { return };
        let mut state = lock(&store.state);
        let held = state.held.get_mut(self.old.pid()).filter(|held| Arc::ptr_eq(&held.socket, &self.old));
        if let Some(held) = held {
            held.returning = false;
            if !self.old.is_connected() {
                store.park(&mut state, self.old.pid());
            }
        }
    }
}

/// The new socket gets what the old one has not delivered; nothing more goes to the old one.
fn go_on(old: &Arc<Socket>, new: &Arc<Socket>, offset: Option<&Offset>) {
    old.freeze();
    let missed = old.snapshot().sent.after(offset);
    new.go_on_from(offset);
    for direct in &missed.directs {
        new.queue_direct_again(direct);
    }
    new.session().flush();
    close(old);
    if missed.incomplete {
        // More was sent in the last moment than is kept: the client reconnects and gets a new connection.
        let session = new.session().clone();
        tokio::spawn(async move { session.close(CloseReason::TryAgain) });
    }
}

/// The offsets of a socket count from its beginning, whatever rooms it is in.
fn begin(socket: &Arc<Socket>) {
    if let Some(own) = ScopeId::new(SOCKET, socket.id()) {
        socket.enter(&own, Position::new("0", StreamId::default()));
    }
}

/// Closing calls up into layers whose locks the caller may hold.
fn close(socket: &Arc<Socket>) {
    let session = socket.session().clone();
    tokio::spawn(async move { session.close(CloseReason::TakenOver) });
}

/// The user and role. The token may have been renewed meanwhile.
fn owner(identity: &Option<Identity>) -> Option<(&str, &str)> {
    identity.as_ref().map(|identity| (&*identity.user, &*identity.role))
}

/// Ends with the store, and when no client is away.
async fn look(store: Weak<MemoryStore>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        if !store.upgrade().is_some_and(|store| store.forget_late()) {
            return;
        }
    }
}
