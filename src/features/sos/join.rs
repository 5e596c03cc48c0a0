//! Into a room and out of it.

use std::sync::Arc;

use crate::auth::Claims;
use crate::cluster::Hold;
use crate::ids::{ScopeId, ScopeKind};
use crate::redis::RedisError;
use crate::redis::scripts::scope::Cursor;
use crate::redis::scripts::snapshot::SosSnapshot;
use crate::redis::scripts::sos::{Seat, SosJoin, Standing, sos_audit, sos_join, sos_leave, sos_snapshot, sos_standing};
use crate::socketio::Socket;

use super::caller::{actor, caller};
use super::error::SosError;
use super::{HINT_DEADLINE, Sos};

/// What became of a join.
pub enum Entered {
    /// A member, as soon as the hold is released: that is to happen after the snapshot has been queued.
    Joined { snapshot: Option<Box<SosSnapshot>>, hold: Hold, position: Cursor },
    /// The SOS is over: the snapshot is the answer, and the socket did not join.
    Ended(Box<SosSnapshot>),
}

/// The scope of an SOS, whose id was checked before.
pub fn scope(sos: &str) -> ScopeId {
    ScopeId { kind: ScopeKind::Sos, id: sos.into() }
}

impl Sos {
    /// The place of a socket of this node.
    pub(super) fn seat<'a>(node: &'a str, socket: &Socket, from_connect: bool, recovered: bool) -> Seat<'a> {
        Seat { node, session_epoch: socket.epoch(), from_connect, recovered }
    }

    /// What stands, for somebody with rights on it; `None`: nothing, but there would be rights. Nothing is held before this.
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

    /// Joins. Without a state the SOS service is asked first, but only for somebody who would have rights.
    pub(super) async fn enter(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        claims: &Claims,
        sos: &str,
        from_connect: bool,
    ) -> Result<Entered, SosError> {
        let mut asked = false;
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
                return Ok(Entered::Ended(Box::new(snapshot)));
            }
            let hold = self.scopes.hold(&scope(sos), socket, &claims.user_id, claims.role.as_str()).await?;
            let (op, node) = (self.scopes.next_op(), self.scopes.node());
            let actor = actor(claims, sos, socket.id());
            let seat = Self::seat(&node, socket, from_connect, hold.was_member());
            match sos_join(self.redis(), sos, self.op(&op, ""), actor, seat).await? {
                SosJoin::Forbidden => return Err(SosError::Forbidden),
                SosJoin::Ended(snapshot) => return Ok(Entered::Ended(snapshot)),
                SosJoin::Joined(joined) => {
                    let Some(caller) = caller(socket) else { return Err(SosError::Internal) };
                    self.scopes.set_role(&scope(sos), socket.id(), &joined.role);
                    caller.entered(sos, &joined.role);
                    self.after(sos, &joined.written);
                    self.take_part(sos, joined.snapshot.as_ref());
                    let position = Cursor { epoch: joined.epoch, id: joined.position };
                    hold.joined(&position).await;
                    let snapshot = joined.snapshot.map(Box::new);
                    return Ok(Entered::Joined { snapshot, hold, position });
                }
                // It has gone just now.
                SosJoin::Missing => {}
            }
        }
    }

    /// A member has come here: what the incident waits for, this node waits for as well.
    pub(super) fn take_part(self: &Arc<Self>, sos: &str, snapshot: Option<&SosSnapshot>) {
        if snapshot.is_some_and(|snapshot| snapshot.provisional && !snapshot.ended) {
            self.look_up_again(sos);
        }
    }

    /// A member whose rights have changed: its entry gets the role that counts now, or it goes.
    pub(super) async fn rejoin(self: &Arc<Self>, socket: &Arc<Socket>, claims: &Claims, sos: &str) {
        match self.enter(socket, claims, sos, claims.names(sos)).await {
            Ok(Entered::Joined { hold, position, .. }) => hold.release(&position),
            Ok(Entered::Ended(_)) | Err(SosError::Forbidden | SosError::NotFound) => self.evict(socket, claims, sos).await,
            Err(error) => tracing::warn!(sos, %error, "a member could not join again"),
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
        if let Some(written) =
            sos_leave(self.redis(), sos, self.op(&op, ""), actor, Self::seat(&node, socket, false, false)).await?
        {
            self.after(sos, &written);
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
