//! The end of a token: what SOS grants after it, and what a new one changes. Contract § 3 "Expiry".

use std::sync::Arc;
use std::time::Duration;

use crate::auth::AuthError;
use crate::core::clock::now_seconds;
use crate::features::sos::auth::Claims;
use crate::features::sos::scripts::{Standing, sos_standing};
use crate::rooms::expiry::{self, AfterEnd, Bearer, ExpiryTimer, Tokens};
use crate::socketio::{Code, Event, EventError, Reply, Socket};

use super::Sos;
use super::caller::{Caller, actor, caller};
use super::error::SosError;

/// How long to wait before Redis is asked again whether a grace has ended, if it did not answer.
const ASK_AGAIN: Duration = Duration::from_secs(10);
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

    pub(super) async fn on_refresh(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
        expiry::refresh(self, socket, event).await
    }

    /// Sets the timer of a socket's token.
    pub(super) fn schedule_expiry(self: &Arc<Self>, socket: &Arc<Socket>) {
        expiry::schedule(self, socket, caller(socket).is_some_and(Caller::in_grace));
    }

    /// In grace only the SOSs that the token names are open.
    async fn leave_unnamed(self: &Arc<Self>, socket: &Arc<Socket>, caller: &Caller, claims: &Claims) {
        for sos in caller.rooms() {
            if !claims.names(&sos) {
                self.evict(socket, claims, &sos).await;
            }
        }
    }

    /// An SOS has ended: a socket that was here only by its grace is checked again.
    pub(super) async fn check_grace(self: &Arc<Self>, socket: &Arc<Socket>) {
        let Some(caller) = caller(socket) else { return };
        if caller.in_grace() && matches!(self.has_grace(&caller.claims()).await, Ok(false)) {
            expiry::end(socket);
        }
    }
}

impl Tokens for Sos {
    type Bearer = Claims;

    fn warn_before(&self) -> Duration {
        self.config.expiring_before
    }

    fn of<'a>(&self, socket: &'a Socket) -> Option<(&'a ExpiryTimer, Arc<Claims>)> {
        let caller = caller(socket)?;
        Some((&caller.expiry, caller.claims()))
    }

    async fn verify(&self, token: &str) -> Result<Claims, AuthError> {
        self.ports.verifier.verify(token).await?.unexpired()
    }

    /// New rights replace the old at once, rooms included.
    async fn renew(self: Arc<Self>, socket: Arc<Socket>, claims: Claims) -> Result<(), EventError> {
        let caller = caller(&socket).ok_or_else(|| EventError::new(Code::INTERNAL, "no caller"))?;
        let old = caller.claims();
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
        Ok(())
    }

    async fn ended(self: Arc<Self>, socket: Arc<Socket>) -> AfterEnd {
        let Some(caller) = caller(&socket) else { return AfterEnd::Nothing };
        let claims = caller.claims();
        match self.has_grace(&claims).await {
            Ok(true) => {
                caller.begin_grace();
                self.leave_unnamed(&socket, caller, &claims).await;
                let end = claims.ends_at().unwrap_or(u64::MAX).saturating_add(self.config.token_grace.as_secs());
                AfterEnd::AskAgain(expiry::until(end, Duration::ZERO))
            }
            Ok(false) => AfterEnd::Disconnect,
            // While Redis and the SOS service cannot be asked, the socket stays: a clock alone cuts no user off from help.
            Err(_) => {
                caller.begin_grace();
                AfterEnd::AskAgain(ASK_AGAIN)
            }
        }
    }
}

impl Bearer for Claims {
    fn user(&self) -> &str {
        &self.user_id
    }

    fn expires_at(&self) -> Option<u64> {
        self.expires_at
    }

    fn ends_at(&self) -> Option<u64> {
        self.ends_at()
    }
}

/// Whether the user has rights on an SOS that is not over.
fn is_open(standing: &Standing) -> bool {
    !standing.ended && standing.role.is_some()
}
