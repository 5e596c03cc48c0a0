//! Rooms of one process, in memory: who is in a room, and events for all of them. A program without Redis has these; with Redis
//! the scopes of the cluster take their place.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, Weak};

use smallvec::SmallVec;

use super::Socket;
use super::socket::args_of;
use crate::core::ScopeId;
use crate::core::sync::lock;
use crate::protocol::event::Values;

/// With fewer members, those that are gone are not searched for.
const SWEEP_AT_LEAST: usize = 1_024;

/// Cheap to clone; all clones are the same rooms.
///
/// All members get the events of a room in the same order. A socket that is gone for good is removed by itself, after its
/// [`Namespace::on_disconnected`](super::Namespace::on_disconnected). A client that takes part in recovery stays in its rooms
/// while it is away, as long as a [`MemoryStore`](super::MemoryStore) keeps its session, and gets what it missed when it comes
/// back.
///
/// ```
/// use std::sync::Arc;
/// use convoke::core::{Kind, ScopeId};
/// use convoke::socketio::{Event, EventError, Namespace, Reply, Rooms, Socket};
///
/// const TABLE: Kind = Kind::of("table");
///
/// let rooms = Rooms::default();
/// Namespace::new("/").on("sit", move |socket: Arc<Socket>, event: Event| {
///     let rooms = rooms.clone();
///     async move {
///         let table = ScopeId::new(TABLE, &event.arg::<String>(0)?).ok_or_else(|| EventError::invalid("no such table"))?;
///         rooms.join(&table, &socket);
///         rooms.emit(&table, "sits", (socket.id(), rooms.members(&table).len()));
///         Ok(Reply::Ok)
///     }
/// });
/// ```
#[derive(Clone, Default)]
pub struct Rooms(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    members: HashMap<Arc<str>, Member>,
    /// The ids of the members of each room; none is empty.
    rooms: HashMap<ScopeId, HashSet<Arc<str>>>,
    /// With so many members, those that are gone are searched for and removed.
    sweep_at: usize,
}

/// A member by its Socket.IO id, which a client keeps when it comes back.
struct Member {
    socket: Weak<Socket>,
    rooms: SmallVec<[ScopeId; 1]>,
}

impl Rooms {
    pub fn join(&self, room: &ScopeId, socket: &Arc<Socket>) {
        let mut state = lock(&self.0);
        if state.members.len() >= state.sweep_at.max(SWEEP_AT_LEAST) {
            state.sweep();
        }
        let sid = match state.members.get_key_value(socket.id()) {
            Some((sid, _)) => sid.clone(),
            None => Arc::from(socket.id()),
        };
        if state.rooms.entry(room.clone()).or_default().insert(sid.clone()) {
            let new = || Member { socket: Arc::downgrade(socket), rooms: SmallVec::new() };
            state.members.entry(sid).or_insert_with(new).rooms.push(room.clone());
        }
    }

    pub fn leave(&self, room: &ScopeId, socket: &Socket) {
        let mut state = lock(&self.0);
        let Some(member) = state.members.get_mut(socket.id()) else { return };
        member.rooms.retain(|of| of != room);
        if member.rooms.is_empty() {
            state.members.remove(socket.id());
        }
        state.take(room, socket.id());
    }

    /// Takes a socket out of all its rooms.
    pub fn leave_all(&self, socket: &Socket) {
        lock(&self.0).remove(socket.id());
    }

    /// The members that are connected now, in no order.
    pub fn members(&self, room: &ScopeId) -> Vec<Arc<Socket>> {
        let state = lock(&self.0);
        state.sockets(room).map(|(_, socket)| socket).filter(|socket| socket.is_connected()).collect()
    }

    /// The rooms that a socket is in, in the order in which it joined.
    pub fn of(&self, socket: &Socket) -> Vec<ScopeId> {
        lock(&self.0).members.get(socket.id()).map(|member| member.rooms.to_vec()).unwrap_or_default()
    }

    /// Sends an event to all members, with arguments like those of [`Socket::emit`].
    pub fn emit(&self, room: &ScopeId, event: &str, arguments: impl Values) {
        self.emit_where(room, event, arguments, |_| true);
    }

    /// Sends an event to all members but one.
    pub fn emit_except(&self, room: &ScopeId, except: &Socket, event: &str, arguments: impl Values) {
        self.emit_where(room, event, arguments, |sid| sid != except.id());
    }

    fn emit_where(&self, room: &ScopeId, event: &str, arguments: impl Values, is_meant: impl Fn(&str) -> bool) {
        let Some(args) = args_of(event, arguments) else { return };
        // Queued under the lock, so that all members get events in the same order; written without it.
        let mut state = lock(&self.0);
        state.forget_gone(room);
        let meant = state.sockets(room).filter(|(sid, _)| is_meant(sid)).map(|(_, socket)| socket);
        let queued: Vec<Arc<Socket>> = meant.filter(|socket| socket.queue_kept(&args)).collect();
        drop(state);
        queued.iter().for_each(|socket| socket.session().flush());
    }

    /// A client has come back with a new socket under the same id. `replay` queues what it missed; no event of a room comes in
    /// between.
    pub(super) fn hand_over(&self, socket: &Arc<Socket>, replay: impl FnOnce()) {
        let mut state = lock(&self.0);
        replay();
        if let Some(member) = state.members.get_mut(socket.id()) {
            member.socket = Arc::downgrade(socket);
        }
    }
}

impl State {
    fn sockets(&self, room: &ScopeId) -> impl Iterator<Item = (&str, Arc<Socket>)> {
        let members = self.rooms.get(room).into_iter().flatten();
        members.filter_map(|sid| Some((&**sid, self.members.get(sid)?.socket.upgrade()?)))
    }

    fn take(&mut self, room: &ScopeId, sid: &str) {
        if let Some(members) = self.rooms.get_mut(room) {
            members.remove(sid);
            if members.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    fn remove(&mut self, sid: &str) {
        if let Some(member) = self.members.remove(sid) {
            member.rooms.iter().for_each(|room| self.take(room, sid));
        }
    }

    fn forget_gone(&mut self, room: &ScopeId) {
        let is_gone = |sid: &&Arc<str>| self.members.get(*sid).is_none_or(|member| member.socket.strong_count() == 0);
        let gone: SmallVec<[Arc<str>; 4]> = self.rooms.get(room).into_iter().flatten().filter(is_gone).cloned().collect();
        gone.iter().for_each(|sid| self.remove(sid));
    }

    fn sweep(&mut self) {
        let gone = self.members.iter().filter(|(_, member)| member.socket.strong_count() == 0);
        let gone: Vec<Arc<str>> = gone.map(|(sid, _)| sid.clone()).collect();
        gone.iter().for_each(|sid| self.remove(sid));
        self.sweep_at = 2 * self.members.len();
    }
}
