//! How members join a call again: after a recovery, after a gap, and after a Redis that has lost it. And what dead nodes leave
//! behind.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;
use uuid::Uuid;

use super::Signalling;
use super::join::{Entered, Way};
use crate::cluster::scripts::scope::LostTimer;
use crate::cluster::{LocalMember, NotRejoined, Rejoined, ScopeListener};
use crate::core::ScopeId;
use crate::features::interviews::caller::{Caller, Who, caller};
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::kinds::interview_of;
use crate::features::interviews::rules::{self, CallRole};
use crate::features::interviews::scripts::call::GONE;
use crate::rooms::pending::longer;
use crate::rooms::timers::{Due, Fired, OnDue};
use crate::socketio::{BoxFuture, Socket};

/// Pauses between tries to join a member again after Redis has lost it.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Handed to the scopes and to the timers; it must not keep the signalling alive.
pub struct Listener(pub Weak<Signalling>);

impl OnDue for Listener {
    fn on_due(&self, due: Due) -> BoxFuture<Fired> {
        let signalling = self.0.upgrade();
        Box::pin(async move {
            let Some((signalling, id)) = signalling.zip(interview_of(&due.scope)) else { return Fired::Failed };
            match signalling.look(id).await {
                Ok(None) => Fired::Done,
                Ok(Some(wait)) => Fired::Again(wait),
                Err(_) => Fired::Failed,
            }
        })
    }
}

impl ScopeListener for Listener {
    fn control(&self, _: &ScopeId, _: &Bytes) {}

    fn rejoin(&self, scope: ScopeId, socket: Arc<Socket>) -> BoxFuture<Result<Rejoined, NotRejoined>> {
        let signalling = self.0.upgrade();
        Box::pin(async move {
            let signalling = signalling.ok_or(NotRejoined::Unavailable)?;
            let (Some(id), Ok(caller)) = (interview_of(&scope), caller(&socket)) else { return Err(NotRejoined::Refused) };
            signalling.rejoin(&socket, caller, id).await
        })
    }

    fn refilled(&self, scope: &ScopeId, members: Vec<LocalMember>, reset: bool) {
        let Some((signalling, id)) = self.0.upgrade().zip(interview_of(scope)) else { return };
        tokio::spawn(async move {
            if !reset {
                return signalling.send_document(id, members.iter().map(|member| &member.socket)).await;
            }
            for member in members {
                signalling.rebuild(member.socket, id).await;
            }
        });
    }

    fn reaped(&self, scope: &ScopeId, due_in: Option<Duration>) -> BoxFuture<()> {
        let (signalling, scope) = (self.0.upgrade(), scope.clone());
        Box::pin(async move {
            let Some((signalling, id)) = signalling.zip(interview_of(&scope)) else { return };
            if let Some(wait) = due_in {
                signalling.live.timers.expect(&scope, wait).await;
                signalling.live.timers.set(&scope, Some(wait));
            }
            // The dead node may have had something to announce.
            tokio::spawn(async move { signalling.look(id).await });
        })
    }

    fn lost_timer(&self, _: &ScopeId) -> Option<LostTimer> {
        Some(LostTimer { name: GONE, after: self.0.upgrade()?.live.config.leave_grace })
    }

    fn node_died(&self) {}
}

/// Whether a token allows the role that its bearer has in a call.
fn is_open_to(who: &Who, id: Uuid, role: &str) -> bool {
    match who {
        Who::Candidate(candidate) => candidate.interview == id,
        Who::Staff(recruiter) => CallRole::parse(role).is_some_and(|role| rules::may_take(recruiter.role, role)),
        Who::Open { .. } => true,
    }
}

impl Signalling {
    /// Joins a socket again, as it was before, with this node and epoch. It is announced only if it was announced as gone
    /// meanwhile.
    async fn rejoin(self: &Arc<Self>, socket: &Arc<Socket>, caller: &Caller, id: Uuid) -> Result<Rejoined, NotRejoined> {
        self.still_in_sight(caller, id).await?;
        let mut entered = self.enter(socket, caller, id, Way::Back).await;
        let is_unknown = matches!(entered, Err(InterviewError::NotInRoom));
        if let Some(seat) = caller.seat(id).filter(|_| is_unknown) {
            entered = self.enter(socket, caller, id, Way::Again(&seat)).await;
        }
        let Entered { joined, hold } = entered.map_err(|error| match error {
            InterviewError::NotInRoom | InterviewError::Forbidden => NotRejoined::Refused,
            error => {
                tracing::debug!(%error, "a recovered socket cannot join a call");
                NotRejoined::Unavailable
            }
        })?;
        if !is_open_to(&caller.who(), id, &joined.role) {
            drop(hold);
            caller.leave_call(id);
            self.goes(self.place(socket, id), false);
            return Err(NotRejoined::Refused);
        }
        Ok(Rejoined { hold, position: joined.position })
    }

    /// A socket that was recovered may have another token now: the interview must be in its sight. One that has moved has the
    /// token that it had.
    async fn still_in_sight(&self, caller: &Caller, id: Uuid) -> Result<(), NotRejoined> {
        match &*caller.who() {
            Who::Staff(recruiter) if caller.seat(id).is_none() => match self.live.sees(recruiter, id).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(NotRejoined::Refused),
                Err(error) => {
                    tracing::debug!(%error, "a recovered socket cannot join a call");
                    Err(NotRejoined::Unavailable)
                }
            },
            _ => Ok(()),
        }
    }

    /// Joins a member again: Redis has lost a part of the log that this member has seen, or everything.
    async fn rebuild(self: &Arc<Self>, socket: Arc<Socket>, id: Uuid) {
        let mut pause = RETRY.0;
        while let Ok(caller) = caller(&socket)
            && !caller.is_gone()
            && let Some(seat) = caller.seat(id)
        {
            match self.enter_again(&socket, caller, id, &seat).await {
                Ok(()) => return,
                Err(error) => tracing::debug!(interview = %id, %error, "a member of a call cannot join again yet"),
            }
            sleep(pause).await;
            pause = longer(pause, RETRY.1);
        }
    }
}
