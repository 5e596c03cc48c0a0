//! A socket that was recovered, or that has moved here from another node: it joins its rooms again, unannounced. And what is kept
//! with a socket, as it travels between two nodes.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::cluster::scripts::scope::{Member, scope_join, scope_leave};
use crate::cluster::{LocalMember, NotRejoined, Rejoined};
use crate::core::ScopeId;
use crate::features::sos::auth::{Claims, Role};
use crate::features::sos::scripts::presence::presence_remove;
use crate::features::sos::scripts::{Joining, SosJoin, sos_join, sos_standing};
use crate::redis::RedisError;
use crate::socketio::{Abandoned, Identity, Socket};

use super::caller::{Caller, actor, caller};
use super::presence::Lost;
use super::watch::member;
use super::{HINT_DEADLINE, Sos, kinds, rules};

/// The user and role of a socket.
pub fn identity(caller: &Caller) -> Identity {
    let claims = caller.claims();
    Identity { user: claims.user_id.to_string(), role: claims.role.as_str().into(), expires: claims.expires_at }
}

/// A caller as it travels to another node. Its rooms go with the socket.
pub fn export(caller: &Caller) -> Value {
    let claims = caller.claims();
    json!({
        "user": claims.user_id, "role": claims.role.as_str(), "sosId": claims.sos_id, "sosIds": claims.sos_ids,
        "expires": claims.expires_at, "grace": caller.in_grace(),
    })
}

/// Reads what [`export`] wrote.
pub fn import(value: Value) -> Option<Caller> {
    let role: Role = value["role"].as_str()?.parse().ok()?;
    let claims = Claims {
        user_id: value["user"].as_str()?.into(),
        role,
        sos_id: value["sosId"].as_str().map(Into::into),
        sos_ids: value["sosIds"].as_array()?.iter().filter_map(|id| id.as_str().map(Into::into)).collect(),
        expires_at: value["expires"].as_u64(),
    };
    Some(Caller::new(claims, value["grace"].as_bool()?))
}

fn failed(error: RedisError) -> NotRejoined {
    tracing::debug!(%error, "a recovered socket cannot join");
    NotRejoined::Unavailable
}

impl Sos {
    /// Makes the socket a member again, under this node and epoch. It is announced only if it was announced as gone meanwhile.
    pub(super) async fn rejoin_recovered(self: Arc<Self>, scope: ScopeId, socket: Arc<Socket>) -> Result<Rejoined, NotRejoined> {
        let caller = caller(&socket).ok_or(NotRejoined::Refused)?;
        let claims = caller.claims();
        let is_open = match scope.kind {
            kinds::SOS => !caller.in_grace() || claims.names(&scope.id),
            kinds::WATCH => !caller.in_grace() && rules::may(claims.role, "sos:watch"),
            _ => false,
        };
        if !is_open || scope.kind == kinds::SOS && !self.may_return(&socket, &claims, &scope.id).await? {
            return Err(NotRejoined::Refused);
        }
        let hold = self.scopes.hold(&scope, &socket, &claims.user_id, claims.role.as_str()).await.map_err(failed)?;
        let (op, node) = (self.scopes.next_op(), self.scopes.node());
        if scope.kind == kinds::WATCH {
            let member = member(&socket, &claims, &node);
            let joined = scope_join(self.redis(), &scope, self.op(&op, ""), member).await.map_err(failed)?;
            caller.watch(true);
            return Ok(Rejoined { hold, position: joined.position });
        }
        let sos = &*scope.id;
        let actor = actor(&claims, sos, socket.id());
        let connection = Self::connection(&node, &socket);
        let most = self.config.sockets;
        let joining = Joining { connection, from_connect: claims.names(sos), recovered: true, most };
        let window = self.presence_window_ms();
        match sos_join(self.redis(), sos, self.op(&op, ""), actor, joining, window, false).await.map_err(failed)? {
            SosJoin::Joined(joined) => {
                self.scopes.set_role(&scope, socket.id(), &joined.role);
                caller.entered(sos, &joined.role);
                self.after_join(sos, &joined);
                Ok(Rejoined { hold, position: joined.position })
            }
            SosJoin::Missing | SosJoin::Forbidden | SosJoin::Ended | SosJoin::Crowded => Err(NotRejoined::Refused),
        }
    }

    /// Whether this socket may still join an SOS: what [`sos_join`] would say, before anything is held.
    async fn may_return(&self, socket: &Socket, claims: &Claims, sos: &str) -> Result<bool, NotRejoined> {
        let standing = sos_standing(self.redis(), sos, actor(claims, sos, socket.id())).await.map_err(failed)?;
        Ok(standing.map_or(claims.names(sos), |standing| standing.role.is_some() && !standing.ended))
    }

    /// Called when what the socket missed is queued. What is volatile is sent as it is now.
    pub(super) async fn resumed(self: Arc<Self>, socket: Arc<Socket>) {
        let Some(caller) = caller(&socket) else { return };
        self.register(&socket);
        self.schedule_expiry(&socket);
        let claims = caller.claims();
        self.seen(&socket, &claims).await;
        for sos in caller.rooms() {
            let role = caller.role_in(&sos).unwrap_or(claims.role);
            let member = LocalMember { socket: socket.clone(), user: (&*claims.user_id).into(), role: role.as_str().into() };
            self.send_locations(&sos, &[member]).await;
        }
        // The connection may have been lost before the first join was written.
        if let Some(sos) = claims.sos_id.as_deref().filter(|sos| caller.role_in(sos).is_none()) {
            self.enter_named(&socket, &claims, sos).await;
        }
    }

    /// A connection that was not recovered: its memberships end as lost.
    pub(super) async fn abandoned(self: Arc<Self>, gone: Abandoned) {
        let Abandoned { sid, user, role, node, epoch, rooms } = &gone;
        for room in rooms {
            match room.kind {
                kinds::SOS => self.lost(Lost {
                    sid: sid.clone(),
                    user: user.clone(),
                    role: role.clone(),
                    node: node.clone(),
                    epoch: *epoch,
                    sos: room.id.to_string(),
                }),
                kinds::WATCH => {
                    let member = Member { sid, user, role, node, session_epoch: *epoch };
                    let _ = tokio::time::timeout(HINT_DEADLINE, scope_leave(self.redis(), room, member)).await;
                }
                _ => {}
            }
        }
        let _ = tokio::time::timeout(HINT_DEADLINE, presence_remove(self.redis(), user, sid, node, *epoch)).await;
    }
}
