//! The end of a token: there is no grace. What a new one changes: interviews that are out of sight now are observed no longer, and
//! places in calls that it does not allow end.

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
    /// `auth:refresh`. A candidate's token never ends. From then on its socket counts as one that came by this token.
    pub(super) async fn on_refresh(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let caller = caller(&socket)?;
        let Who::Candidate(own) = &*caller.who() else {
            return expiry::refresh(self, socket, event).await;
        };
        let fields = Fields::parse(event.object()?).unwrap_or_default();
        let told = fields.text("token", usize::MAX).ok().flatten().filter(|token| !token::is_jwt(token));
        let invalid = || InterviewError::InvalidToken.about(Some(own.interview));
        let token = told.ok_or_else(invalid)?;
        match self.candidate(&token, Some(&own.participant), true).await {
            Ok(candidate) if candidate.interview == own.interview => {
                caller.renew(Who::Candidate(candidate));
                self.revocations.arrived(&socket);
                Ok(Reply::accepted(Refreshed { expires_at: None }))
            }
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
            if !self.live.sees(new, id).await.map_err(|error| error.about(Some(id)))? {
                out_of_sight.push(id);
            }
        }
        let lost = self.signalling.places_lost(caller, new).await?;
        caller.renew(who.clone());
        self.schedule_expiry(&socket);
        for id in out_of_sight {
            self.stop_observing(&socket, &old.user_id, id).await;
        }
        lost.into_iter().for_each(|id| self.signalling.end_place(&socket, caller, id, false));
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
