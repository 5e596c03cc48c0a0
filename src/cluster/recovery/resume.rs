//! Resumes a connection by its `pid`.

use std::sync::Arc;

use futures_util::future::join_all;

use super::replay::Room;
use super::{Held, Recovery};
use crate::cluster::NotRejoined;
use crate::cluster::scripts::session::{Claimed, Owner, SessionClaim, session_claim, session_end};
use crate::core::sync::lock;
use crate::core::wire;
use crate::core::{Offset, Position, ScopeId, StreamId};
use crate::engineio::CloseReason;
use crate::socketio::{
    Abandoned, Admitted, ConnectError, DisconnectReason, Identity, Missed, Names, PendingSocket, PreviousSession, Replay,
    SentLog, SessionSnapshot, SnapshotRoom, Socket, SocketExport,
};

/// Characters of a pid: 15 bytes as base64url.
const PID_LEN: usize = 20;

fn is_pid(text: &str) -> bool {
    text.len() == PID_LEN && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

impl Recovery {
    /// `None`: the client gets a new connection; what is left of the old one is removed.
    pub(super) async fn resume(
        self: &Arc<Self>,
        pending: &PendingSocket,
        previous: &PreviousSession,
    ) -> Result<Option<Admitted>, ConnectError> {
        let Some(identity) = pending.identity.as_ref().filter(|_| is_pid(&previous.pid)) else { return Ok(None) };
        let (pid, offset) = (&*previous.pid, previous.offset.as_deref().and_then(|text| text.parse::<Offset>().ok()));
        let offset = offset.filter(|offset| self.scopes.is_known(offset.scope.kind));
        let (op, node) = (self.scopes.next_op(), self.scopes.node());
        let who = (&*identity.user, &*identity.role);
        let text = offset.as_ref().map(Offset::to_string);
        let claim = session_claim(self.scopes.redis(), pid, &op, who, &node, self.ttl_ms(), text.as_deref());
        let claimed = match claim.await.map_err(|_| ConnectError::TryAgain)? {
            SessionClaim::Claimed(claimed) => claimed,
            SessionClaim::Missing | SessionClaim::Other => return Ok(None),
        };
        let told = self.ask_old_owner(pid, &claimed, &node).await.map(Arc::new);
        self.begin(pid, claimed.epoch, told.clone()).ok_or(ConnectError::TryAgain)?;
        let result = self.go_on(pending, pid, &claimed, told, offset).await;
        if let Ok(None) = result {
            tracing::debug!(sid = claimed.session.sid, "a connection cannot be given back");
            self.cancel(pid, claimed.epoch);
            self.abandon(pending, identity, pid, &claimed, &node).await;
        }
        result
    }

    /// Asks the old owner, which knows more than the record, if it can be asked.
    async fn ask_old_owner(&self, pid: &str, claimed: &Claimed, node: &str) -> Option<SessionSnapshot> {
        if claimed.old_node == node {
            return self.give_up(pid, claimed.epoch);
        }
        if claimed.session.parked {
            return None;
        }
        self.owners.give_up(&claimed.old_node, pid, claimed.epoch).await
    }

    /// Notes that this node resumes the connection; `None` if the client has come back once more meanwhile. `told`: what nobody
    /// else knows any more, for the case that the client is gone again before it is connected here.
    fn begin(&self, pid: &str, epoch: u64, told: Option<Arc<SessionSnapshot>>) -> Option<()> {
        // An earlier claim of this node, which was not asked.
        self.give_up(pid, epoch);
        let mut shard = lock(self.shard(pid));
        if shard.get(pid).is_some_and(|held| held.epoch > epoch) {
            return None;
        }
        shard.insert(pid.into(), Held::new(epoch, None, told));
        Some(())
    }

    fn cancel(&self, pid: &str, epoch: u64) {
        let mut shard = lock(self.shard(pid));
        if shard.get(pid).is_some_and(|held| held.epoch == epoch && held.socket.is_none()) {
            shard.remove(pid);
        }
    }

    async fn go_on(
        self: &Arc<Self>,
        pending: &PendingSocket,
        pid: &str,
        claimed: &Claimed,
        told: Option<Arc<SessionSnapshot>>,
        offset: Option<Offset>,
    ) -> Result<Option<Admitted>, ConnectError> {
        let session = &claimed.session;
        if claimed.poisoned || claimed.unreadable || session.namespace != pending.namespace().name() || !session.told {
            return Ok(None);
        }
        // In a room the log has what was missed, and the record has the position. What a socket was sent without a room only its
        // owner knows.
        let is_sent_known = told.is_some() || session.parked;
        let (places, missed) = places(claimed, told.as_deref(), offset.as_ref());
        if missed.incomplete || (places.is_empty() && !is_sent_known) {
            return Ok(None);
        }
        let names = Names { sid: session.sid.clone(), pid: pid.into(), epoch: claimed.epoch };
        let socket = pending.socket(names);
        socket.go_on_from(offset.as_ref());
        match self.rejoin_all(&socket, places).await {
            Ok(rooms) => {
                let replay = Some(self.replay(socket.clone(), rooms, missed.directs, offset));
                self.keep_soon(&socket);
                Ok(Some(Admitted { socket, replay }))
            }
            Err(NotRejoined::Refused) => Ok(None),
            Err(NotRejoined::Unavailable) => {
                // The record stays, with the client's position. The memberships count as lost until the client is back.
                if let Some(told) = told {
                    self.park_soon(&socket, told, CloseReason::TryAgain);
                }
                socket.discard(DisconnectReason::Transport(CloseReason::TryAgain));
                Err(ConnectError::TryAgain)
            }
        }
    }

    async fn rejoin_all(&self, socket: &Arc<Socket>, places: Vec<(ScopeId, Position)>) -> Result<Vec<Room>, NotRejoined> {
        let rooms = join_all(places.into_iter().map(|(scope, had)| self.catch_up(socket, scope, had))).await;
        let mut joined = Vec::with_capacity(rooms.len());
        let mut failed = None;
        for room in rooms {
            match room {
                Ok(room) => joined.push(room),
                Err(NotRejoined::Refused) => failed = Some(NotRejoined::Refused),
                Err(NotRejoined::Unavailable) => failed = failed.or(Some(NotRejoined::Unavailable)),
            }
        }
        failed.map_or(Ok(joined), Err)
    }

    async fn abandon(&self, pending: &PendingSocket, identity: &Identity, pid: &str, claimed: &Claimed, node: &str) {
        for (node, epoch) in [(&*claimed.old_node, claimed.old_epoch), (node, claimed.epoch)] {
            let abandoned = Abandoned {
                sid: claimed.session.sid.clone(),
                user: identity.user.clone(),
                role: identity.role.clone(),
                node: node.into(),
                epoch,
                rooms: claimed.session.rooms.iter().map(|(scope, _)| scope.clone()).collect(),
            };
            pending.namespace().abandon(abandoned).await;
        }
        let _ = session_end(self.scopes.redis(), pid, Owner { node, epoch: claimed.epoch }).await;
    }

    /// A socket that has moved here with its queue: claims its record, joins its rooms again, and reads what was logged since
    /// it left them. The result queues that; then call [`connected`](super::SessionStore::connected). `None`: it cannot
    /// continue here.
    pub(super) async fn resume_moved(self: &Arc<Self>, socket: &Arc<Socket>, export: &SocketExport) -> Option<Replay> {
        socket.set_epoch(export.epoch + 1);
        // The client has not received the queue yet: if its connection is lost now, it resumes from here.
        for room in &export.snapshot.rooms {
            socket.enter(&room.scope, room.confirmed.clone());
        }
        if !socket.pid().is_empty() {
            if !matches!(self.write(socket, &self.session(socket), None).await, Ok(true)) {
                return None;
            }
            self.begin(socket.pid(), socket.epoch(), Some(Arc::new(confirmed(&export.snapshot))))?;
        }
        let places = export.snapshot.rooms.iter().map(SnapshotRoom::queued_place).collect();
        match self.rejoin_all(socket, places).await {
            Ok(rooms) => {
                socket.adopt(&export.snapshot.sent);
                Some(self.replay(socket.clone(), rooms, Vec::new(), None))
            }
            Err(_) => {
                // Without a pid there is no record, and nobody comes back to it.
                if !socket.pid().is_empty() {
                    self.park_soon(socket, Arc::new(confirmed(&export.snapshot)), CloseReason::TryAgain);
                }
                socket.discard(DisconnectReason::Transport(CloseReason::TryAgain));
                None
            }
        }
    }
}

/// Without the queue, which the client has not received.
fn confirmed(snapshot: &SessionSnapshot) -> SessionSnapshot {
    let mut snapshot = snapshot.clone();
    snapshot.rooms.iter_mut().for_each(|room| room.queued = None);
    snapshot
}

/// Where the replay of each room begins, and the direct emits of this socket.
fn places(claimed: &Claimed, told: Option<&SessionSnapshot>, offset: Option<&Offset>) -> (Vec<(ScopeId, Position)>, Missed) {
    let (mut places, sent): (Vec<(ScopeId, Position)>, Option<SentLog>) = match told {
        Some(snapshot) => (snapshot.rooms.iter().map(SnapshotRoom::queued_place).collect(), Some(snapshot.sent.clone())),
        None => {
            let sent = &claimed.session.sent;
            let sent = if sent.is_empty() { Some(SentLog::default()) } else { wire::read(sent) };
            (claimed.session.rooms.clone(), sent)
        }
    };
    let Some(sent) = sent else {
        // It is in a form that this release does not know.
        return (places, Missed { incomplete: true, ..Missed::default() });
    };
    let missed = sent.after(offset);
    for (scope, at) in &mut places {
        let known = |(of, id): &(ScopeId, StreamId)| (of == scope).then_some(*id);
        let is_of_this_log = offset.is_none_or(|offset| offset.scope != *scope || offset.position.epoch == at.epoch);
        if let Some(id) = missed.starts.iter().find_map(known).filter(|_| is_of_this_log) {
            at.id = at.id.max(id);
        }
    }
    (places, missed)
}
