//! The end of a token: there is no grace. What a new one changes: interviews that are out of sight now are observed no longer.

use std::sync::Arc;
use std::time::Duration;

use super::{Gateway, Handled};
use crate::auth::AuthError;
use crate::core::clock::now_seconds;
use crate::features::interviews::caller::{Who, caller};
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::token;
use crate::protocol::fields::Fields;
use crate::rooms::expiry::{self, AfterEnd, ExpiryTimer, Refreshed, Tokens};
use crate::socketio::{Event, EventError, Reply, Socket};

impl Gateway {
    /// `auth:refresh`. A candidate's token never ends: it is only told whether it is the right one.
    pub(super) async fn on_refresh(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let Who::Candidate(own) = &*caller(&socket)?.who() else {
            return expiry::refresh(self, socket, event).await;
        };
        let fields = Fields::parse(event.object()?).unwrap_or_default();
        let told = fields.text("token", usize::MAX).ok().flatten().filter(|token| !token::is_jwt(token));
        let invalid = || InterviewError::InvalidToken.about(Some(own.interview));
        let token = told.ok_or_else(invalid)?;
        match self.candidate(&token, Some(&own.participant), true).await {
            Ok(candidate) if candidate.interview == own.interview => Ok(Reply::accepted(Refreshed { expires_at: None })),
            Ok(_) => Err(invalid()),
            Err(error) => Err(error.about(Some(own.interview))),
        }
    }

    /// Sets the timer of a socket's token.
    pub(super) fn schedule_expiry(self: &Arc<Self>, socket: &Arc<Socket>) {
        expiry::schedule(self, socket, false);
    }
}

impl Tokens for Gateway {
    type Bearer = Who;

    fn warn_before(&self) -> Duration {
        self.live.config.expiring_before
    }

    fn of<'a>(&self, socket: &'a Socket) -> Option<(&'a ExpiryTimer, Arc<Who>)> {
        let caller = caller(socket).ok()?;
        Some((&caller.expiry, caller.who()))
    }

    async fn verify(&self, token: &str) -> Result<Who, AuthError> {
        let interviews = &self.live.interviews;
        if !token::is_jwt(token) {
            return Err(AuthError::Invalid);
        }
        interviews.recruiter(Some(token), now_seconds()).await.map(Who::Staff).map_err(|error| match error {
            InterviewError::TokenExpired => AuthError::Expired,
            InterviewError::Unavailable => AuthError::Unavailable,
            InterviewError::NotConfigured { .. } => AuthError::NotConfigured,
            _ => AuthError::Invalid,
        })
    }

    /// New rights replace the old at once, rooms included.
    async fn renew(self: Arc<Self>, socket: Arc<Socket>, who: Who) -> Result<(), EventError> {
        let caller = caller(&socket)?;
        let (Who::Staff(old), Who::Staff(new)) = (&*caller.who(), &who) else { return Err(InterviewError::InvalidToken.into()) };
        // Everything that may fail comes first, so that a failure has changed nothing.
        let mut out_of_sight = Vec::new();
        for id in caller.observed() {
            match self.live.seen_by(new, id).await {
                Ok(_) => {}
                Err(InterviewError::NotFound) => out_of_sight.push(id),
                Err(error) => return Err(error.about(Some(id))),
            }
        }
        caller.renew(who.clone());
        self.schedule_expiry(&socket);
        for id in out_of_sight {
            self.stop_observing(&socket, &old.user_id, id).await;
        }
        self.live.scopes.keep(&socket).await;
        Ok(())
    }

    async fn ended(self: Arc<Self>, socket: Arc<Socket>) -> AfterEnd {
        match caller(&socket) {
            Ok(caller) if !caller.is_gone() => AfterEnd::Disconnect,
            _ => AfterEnd::Nothing,
        }
    }
}
