//! The end of a token: the warning, the grace, the end, and `auth:refresh`. Contract § 3 "Expiry".

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::auth::{AuthError, Claims};
use crate::features::sos::scripts::members::Standing;
use crate::features::sos::scripts::sos_standing;
use crate::socketio::{Code, Event, EventError, Reply, Socket};

use super::Sos;
use super::caller::{Caller, actor, caller};
use super::connect::{token, token_code};
use super::error::{SosError, TOKEN_EXPIRED};
use super::payload;
use super::seam::now_seconds;

/// Whether a grace ended is asked again so often when Redis could not be asked.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// Timers of the runtime reach no further than some two years; a token that lives longer is looked at again then.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long until `seconds` after 1970, less `before`.
fn until(seconds: u64, before: Duration) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(seconds).saturating_sub(before).saturating_sub(now)
}

impl Sos {
    /// Whether an expired token still opens one of the SOSs that it names: a citizen's or rescuer's, for a while, and only while
    /// that SOS is not final.
    pub(super) async fn has_grace(self: &Arc<Self>, claims: &Claims) -> Result<bool, SosError> {
        let Some(ends_at) = claims.ends_at() else { return Ok(true) };
        let grace = self.config.token_grace.as_secs();
        if claims.role.sees_all() || grace == 0 || now_seconds() >= ends_at.saturating_add(grace) {
            return Ok(false);
        }
        let mut unknown = Vec::new();
        for sos in &claims.sos_ids {
            match sos_standing(self.redis(), sos, actor(claims, sos, "")).await? {
                Some(standing) if is_open(&standing) => return Ok(true),
                Some(_) => {}
                None => unknown.push(sos),
            }
        }
        // Asked of the SOS service last: it may be slow, or away.
        for sos in unknown {
            if self.ensure(sos, claims).await.is_ok() {
                let standing = sos_standing(self.redis(), sos, actor(claims, sos, "")).await?;
                if standing.is_some_and(|standing| is_open(&standing)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Sets the one timer that a socket has: it warns, then ends the token, then the grace. It holds no socket.
    pub(super) fn schedule_expiry(self: &Arc<Self>, socket: &Arc<Socket>) {
        let Some(caller) = caller(socket) else { return };
        let claims = caller.claims();
        let (Some(expires_at), Some(ends_at)) = (claims.expires_at, claims.ends_at()) else { return caller.set_expiry(None) };
        let (sos, weak) = (Arc::downgrade(self), Arc::downgrade(socket));
        let (before, in_grace) = (self.config.expiring_before, caller.in_grace());
        let timer = tokio::spawn(async move {
            if !in_grace {
                sleep_until(expires_at, before).await;
                let Some(socket) = weak.upgrade() else { return };
                socket.emit("auth:expiring", &json!({ "expiresAt": expires_at.saturating_mul(1000) }).to_string());
                drop(socket);
                sleep_until(ends_at, Duration::ZERO).await;
            }
            loop {
                let (Some(sos), Some(socket)) = (sos.upgrade(), weak.upgrade()) else { return };
                let Some(pause) = sos.expired(&socket, ends_at).await else { return };
                drop((sos, socket));
                tokio::time::sleep(pause).await;
            }
        });
        caller.set_expiry(Some(timer.abort_handle()));
    }

    /// The token's time is up. Returns when to ask again, if the socket has grace.
    async fn expired(self: &Arc<Self>, socket: &Arc<Socket>, ends_at: u64) -> Option<Duration> {
        let caller = caller(socket)?;
        let claims = caller.claims();
        match self.has_grace(&claims).await {
            Ok(true) => {
                caller.begin_grace();
                self.leave_unnamed(socket, caller, &claims).await;
                let end = ends_at.saturating_add(self.config.token_grace.as_secs());
                Some(until(end, Duration::ZERO).clamp(Duration::from_secs(1), LONGEST))
            }
            Ok(false) => {
                self.end_expired(socket);
                None
            }
            // A clock cuts nobody off, least of all while nobody can be asked.
            Err(_) => {
                caller.begin_grace();
                Some(ASK_AGAIN)
            }
        }
    }

    /// In grace only the SOSs that the token names are open.
    async fn leave_unnamed(self: &Arc<Self>, socket: &Arc<Socket>, caller: &Caller, claims: &Claims) {
        for sos in caller.rooms() {
            if !claims.names(&sos) {
                self.evict(socket, claims, &sos).await;
            }
        }
    }

    fn end_expired(&self, socket: &Arc<Socket>) {
        let error = EventError::new(TOKEN_EXPIRED, "the token has expired");
        socket.refuse("auth", None, &error);
        socket.disconnect();
    }

    /// An SOS has ended: those who were here by grace alone are asked again.
    pub(super) async fn check_grace(self: &Arc<Self>, socket: &Arc<Socket>) {
        let Some(caller) = caller(socket) else { return };
        if caller.in_grace() && matches!(self.has_grace(&caller.claims()).await, Ok(false)) {
            self.end_expired(socket);
        }
    }

    /// `auth:refresh {token}`: new rights replace the old at once, rooms included. A bad token changes nothing.
    pub(super) async fn refresh(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
        let caller = caller(&socket).ok_or_else(|| EventError::new(Code::INTERNAL, "no caller"))?;
        let fail = |error: AuthError| EventError::new(token_code(error), error.to_string());
        let claims = {
            let fields = payload::fields(event.object()?)?;
            let token = token(&fields).map_err(|error| match error {
                AuthError::Missing => EventError::new(Code::INVALID_TOKEN, "a token is required"),
                error => fail(error),
            })?;
            self.verifier.verify(&token).await.and_then(crate::auth::Verified::unexpired).map_err(fail)?
        };
        let old = caller.claims();
        if claims.user_id != old.user_id {
            return Err(EventError::new(Code::INVALID_TOKEN, "the token is another user's"));
        }
        // Everything that may fail for want of Redis comes first, so that a failure has changed nothing.
        let mut keeps = Vec::new();
        for sos in caller.rooms() {
            let standing = sos_standing(self.redis(), &sos, actor(&claims, &sos, socket.id())).await.map_err(SosError::from)?;
            let role = match standing {
                Some(standing) => standing.role,
                None => (claims.names(&sos) || claims.role.sees_all()).then(|| claims.role.as_str().to_owned()),
            };
            keeps.push((sos, role));
        }
        caller.renew(claims.clone());
        self.schedule_expiry(&socket);
        for (sos, role) in keeps {
            match role {
                Some(_) => self.rejoin(&socket, &claims, &sos).await,
                None => self.evict(&socket, &old, &sos).await,
            }
        }
        if caller.is_watching() && !claims.role.sees_all() {
            caller.watch(false);
            self.unwatch(&socket, &old).await;
        }
        if let Some(sos) = claims.sos_id.as_deref().filter(|sos| caller.role_in(sos).is_none()) {
            self.enter_named(&socket, &claims, sos).await;
        }
        self.scopes.keep(&socket).await;
        self.seen(&socket, &claims).await;
        let expires_at = claims.expires_at.map(|seconds| seconds.saturating_mul(1000));
        Ok(Reply::Object(json!({ "ok": true, "expiresAt": expires_at }).to_string()))
    }
}

/// Whether its actor has rights on an SOS that goes on.
fn is_open(standing: &Standing) -> bool {
    !standing.ended && standing.role.is_some()
}

/// In steps, since the clock may be set and the timers of the runtime have an end.
async fn sleep_until(seconds: u64, before: Duration) {
    loop {
        let left = until(seconds, before);
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(Duration::from_secs(3600))).await;
    }
}
