//! The end of a token: there is no grace. What a new one changes: interviews that are out of sight now are observed no longer.

use std::sync::Arc;
use std::time::Duration;

use super::Gateway;
use super::caller::{Who, caller};
use crate::auth::AuthError;
use crate::core::clock::now_seconds;
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::token;
use crate::rooms::expiry::{self, AfterEnd, ExpiryTimer, Tokens};
use crate::socketio::{EventError, Socket};

impl Gateway {
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
        let who = match token::is_jwt(token) {
            true => interviews.recruiter(Some(token), now_seconds()).await.map(Who::Staff),
            false => self.candidate(token, None, true).await.map(Who::Candidate),
        };
        who.map_err(|error| match error {
            InterviewError::TokenExpired => AuthError::Expired,
            InterviewError::Unavailable | InterviewError::Unconfirmed | InterviewError::Internal => AuthError::Unavailable,
            InterviewError::NotConfigured { .. } => AuthError::NotConfigured,
            _ => AuthError::Invalid,
        })
    }

    async fn renew(self: Arc<Self>, socket: Arc<Socket>, who: Who) -> Result<(), EventError> {
        let caller = caller(&socket)?;
        if caller.who().own_interview() != who.own_interview() {
            return Err(InterviewError::InvalidToken.into());
        }
        caller.renew(who);
        self.schedule_expiry(&socket);
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
