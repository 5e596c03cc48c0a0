//! Joining a room and leaving it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::cluster::PendingJoin;
use crate::core::Position;
use crate::features::sos::auth::Claims;
use crate::features::sos::scripts::snapshot::SosSnapshot;
use crate::features::sos::scripts::{
    Joining, Moved, SosJoin, SosJoined, Standing, sos_audit, sos_join, sos_leave, sos_share, sos_snapshot, sos_standing,
};
use crate::protocol::event::Args;
use crate::redis::RedisError;
use crate::rooms::presence::Connection;
use crate::socketio::Socket;
use crate::telemetry::once_a_minute;

use super::caller::{actor, caller};
use super::error::SosError;
use super::kinds::scope;
use super::{HINT_DEADLINE, Sos};

/// What became of a join.
pub enum Entered {
    /// A member, as soon as the hold is released. Release it after the state is queued. `None`: there is no state yet.
    Joined { state: Option<Arc<RoomState>>, hold: PendingJoin, position: Position },
    /// The SOS is over: the state is the answer, and the socket did not join.
    Ended(Arc<RoomState>),
}

/// The state of an SOS as its members get it. Many may share one.
pub struct RoomState {
    /// `["sos:state",{…}]`
    pub event: Args,
    ended: bool,
    /// The sockets that are members.
    sids: HashSet<Box<str>>,
}

impl RoomState {
    /// The state as JSON text.
    pub fn json(&self) -> &str {
        self.event.payload()
    }

    /// Whether a socket that has joined is still a member in it, or was one when the SOS ended.
    fn is_for(&self, socket: &Socket) -> bool {
        self.ended || self.sids.contains(socket.id())
    }
}

impl Sos {
    /// The connection of a socket of this node.
    pub(super) fn connection<'a>(node: &'a str, socket: &Socket) -> Connection<'a> {
        Connection { node, session_epoch: socket.epoch() }
    }

    /// Reads the rights and the status, before anything is held. `None`: there is no state, but the user would have rights on it.
    async fn judge(&self, socket: &Socket, claims: &Claims, sos: &str) -> Result<Option<Standing>, SosError> {
        let actor = actor(claims, sos, socket.id());
        match sos_standing(self.redis(), sos, actor).await? {
            Some(standing) if standing.role.is_none() => {
                let audit = sos_audit(self.redis(), sos, actor, "sos:init", "forbidden");
                let _ = tokio::time::timeout(HINT_DEADLINE, audit).await;
                Err(SosError::Forbidden)
            }
            None if !claims.names(sos) && !claims.role.sees_all() => Err(SosError::Forbidden),
            standing => Ok(standing),
        }
    }

    /// Joins. Without a state the SOS service is asked first, but only for a user who would have rights. The state is read only if
    /// it is wanted.
    pub(super) async fn enter(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        claims: &Claims,
        sos: &str,
        from_connect: bool,
        wanted: bool,
    ) -> Result<Entered, SosError> {
        let (mut asked, mut again) = (false, false);
        loop {
            let standing = self.judge(socket, claims, sos).await?;
            if standing.is_none() && !from_connect {
                if std::mem::replace(&mut asked, true) {
                    return Err(SosError::NotFound);
                }
                self.ensure(sos, claims).await?;
                continue;
            }
            if standing.is_some_and(|standing| standing.ended)
                && let Some(snapshot) = sos_snapshot(self.redis(), sos).await?.filter(|snapshot| snapshot.ended)
            {
                return Ok(Entered::Ended(self.room_state(snapshot)));
            }
            let hold = self.scopes.hold(&scope(sos), socket, &claims.user_id, claims.role.as_str()).await?;
            let (op, node) = (self.scopes.next_op(), self.scopes.node());
            let actor = actor(claims, sos, socket.id());
            let connection = Self::connection(&node, socket);
            let joining = Joining { connection, from_connect, recovered: hold.was_member(), most: self.config.sockets };
            match sos_join(self.redis(), sos, self.op(&op, ""), actor, joining, self.presence_window_ms(), wanted).await? {
                SosJoin::Forbidden => return Err(SosError::Forbidden),
                SosJoin::Crowded => return Err(SosError::Crowded { most: self.config.sockets }),
                SosJoin::Joined(joined) => {
                    let Some(caller) = caller(socket) else { return Err(SosError::Internal) };
                    self.scopes.set_role(&scope(sos), socket.id(), &joined.role);
                    caller.entered(sos, &joined.role);
                    self.after_join(sos, &joined);
                    let joined = *joined;
                    let position = joined.position;
                    let state = match joined.snapshot {
                        Some(snapshot) => Some(self.room_state(snapshot)),
                        None if joined.has_state && wanted => match self.shared_state(sos).await {
                            Ok(Some(state)) if state.is_for(socket) => Some(state),
                            // It is no member any more: removed meanwhile, or a failover has taken the join back. The script knows.
                            Ok(_) if !std::mem::replace(&mut again, true) => continue,
                            other => {
                                if !hold.was_member() {
                                    drop(hold);
                                    self.evict(socket, claims, sos).await;
                                }
                                return Err(other.err().unwrap_or(SosError::Unavailable));
                            }
                        },
                        None => None,
                    };
                    // Its client has come back on another node meanwhile, which knows nothing of this join.
                    if socket.is_frozen() && !hold.was_member() {
                        drop(hold);
                        caller.left(sos);
                        self.lose(socket, claims, sos);
                        return Err(SosError::Unavailable);
                    }
                    hold.joined(&position).await;
                    return Ok(Entered::Joined { state, hold, position });
                }
                // It has changed just now: look again.
                SosJoin::Missing | SosJoin::Ended => {}
            }
        }
    }

    fn room_state(&self, snapshot: SosSnapshot) -> Arc<RoomState> {
        Arc::new(RoomState {
            event: Args::event("sos:state", &self.state_json(&snapshot)),
            ended: snapshot.ended,
            sids: snapshot.sockets.into_iter().map(|socket| socket.sid.into()).collect(),
        })
    }

    /// The state of a large room for a socket that has joined it: taken after the join, and shared with all who join together.
    async fn shared_state(self: &Arc<Self>, sos: &str) -> Result<Option<Arc<RoomState>>, SosError> {
        let (feature, id) = (self.clone(), sos.to_owned());
        let read = move || {
            let (feature, sos) = (feature.clone(), id.clone());
            async move { Ok(sos_share(feature.redis(), &sos).await?.map(|(snapshot, _)| feature.room_state(snapshot))) }
        };
        // A socket that waits here keeps one of the node's places for CONNECTs.
        self.presence.states.get(sos.to_owned(), self.config.presence_window, read).await
    }

    /// Ends a join: what was held comes after the state. If the SOS has ended meanwhile, what was held says so too, and the socket
    /// leaves the room.
    pub(super) fn settle_in(
        &self,
        socket: &Arc<Socket>,
        sos: &str,
        state: Option<&RoomState>,
        hold: PendingJoin,
        position: &Position,
    ) {
        hold.release(position);
        if state.is_some_and(|state| state.ended) {
            self.scopes.leave(&scope(sos), socket);
            if let Some(caller) = caller(socket) {
                caller.left(sos);
            }
        }
    }

    pub(super) fn after_join(self: &Arc<Self>, sos: &str, joined: &SosJoined) {
        self.after_move(sos, &Moved { written: joined.written, announce_ms: joined.announce_ms, due_in: None });
    }

    /// Joins again after the rights of a member have changed: its entry gets the role that counts now, or the member goes.
    pub(super) async fn rejoin(self: &Arc<Self>, socket: &Arc<Socket>, claims: &Claims, sos: &str) {
        match self.enter(socket, claims, sos, claims.names(sos), false).await {
            Ok(Entered::Joined { hold, position, .. }) => hold.release(&position),
            Ok(Entered::Ended(_)) | Err(SosError::Forbidden | SosError::NotFound) => self.evict(socket, claims, sos).await,
            Err(error) => once_a_minute!(warn, "a member could not join again", sos, %error),
        }
    }

    /// Ends a membership on this node and in Redis. True if there was one; an entry in Redis that cannot be ended now is
    /// ended later.
    pub(super) async fn evict(self: &Arc<Self>, socket: &Arc<Socket>, claims: &Claims, sos: &str) {
        self.scopes.leave(&scope(sos), socket);
        if caller(socket).is_some_and(|caller| caller.left(sos)) && self.leave_script(socket, claims, sos).await.is_err() {
            self.lose(socket, claims, sos);
        }
    }

    async fn leave_script(self: &Arc<Self>, socket: &Arc<Socket>, claims: &Claims, sos: &str) -> Result<(), RedisError> {
        let (op, node) = (self.scopes.next_op(), self.scopes.node());
        let actor = actor(claims, sos, socket.id());
        let connection = Self::connection(&node, socket);
        if let Some(moved) = sos_leave(self.redis(), sos, self.op(&op, ""), actor, connection, self.presence_window_ms()).await? {
            self.after_move(sos, &moved);
        }
        Ok(())
    }

    /// `sos:leave`: the script first, so that a failure changes nothing.
    pub(super) async fn leave(self: &Arc<Self>, socket: &Arc<Socket>, claims: &Claims, sos: &str) -> Result<bool, SosError> {
        if !self.scopes.is_member(&scope(sos), socket.id()) {
            return Ok(false);
        }
        self.leave_script(socket, claims, sos).await?;
        self.scopes.leave(&scope(sos), socket);
        if let Some(caller) = caller(socket) {
            caller.left(sos);
        }
        self.scopes.keep(socket).await;
        Ok(true)
    }
}
