//! Messages of the log for the nodes; and how members join again after a gap, a recovery, or a Redis that has lost the scope.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use tokio::time::sleep;
use uuid::Uuid;

use super::Gateway;
use super::candidate::{Entered, NotEntered, ROLE};
use crate::cluster::scripts::scope::{LostTimer, Member, scope_join};
use crate::cluster::{LocalMember, NotRejoined, Rejoined, ScopeListener};
use crate::core::ScopeId;
use crate::features::interviews::caller::{Caller, Candidate, Who, caller};
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::kinds;
use crate::features::interviews::recruiter::{Recruiter, RecruiterRole};
use crate::features::interviews::scripts::ABSENT;
use crate::rooms::pending::longer;
use crate::socketio::{BoxFuture, Socket};

/// Pauses between tries to join a member again after Redis has lost it.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// The beginning of the event that tells of a pause or of an end.
const INTERRUPTED: &[u8] = b"[\"interview-interrupted\",";

/// Handed to the scopes; it must not keep the gateway alive.
pub struct Listener(pub Weak<Gateway>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Control {
    socket_id: String,
}

impl ScopeListener for Listener {
    fn control(&self, scope: &ScopeId, args: &Bytes) {
        let Some(gateway) = self.0.upgrade() else { return };
        match serde_json::from_slice::<(String, Control)>(args) {
            Ok((name, control)) if name == "superseded" => gateway.superseded(scope, &control.socket_id),
            _ => tracing::debug!(%scope, "an unknown control message"),
        }
    }

    fn event(&self, scope: &ScopeId, args: &Bytes) {
        if let Some((gateway, id)) = self.0.upgrade().zip(kinds::interview_of(scope)) {
            gateway.following.heard(id, args);
            gateway.heard_pause(scope, args);
        }
    }

    fn rejoin(&self, scope: ScopeId, socket: Arc<Socket>) -> BoxFuture<Result<Rejoined, NotRejoined>> {
        let gateway = self.0.upgrade();
        Box::pin(async move {
            let gateway = gateway.ok_or(NotRejoined::Unavailable)?;
            let (Some(id), Ok(caller)) = (kinds::interview_of(&scope), caller(&socket)) else { return Err(NotRejoined::Refused) };
            match &*caller.who() {
                Who::Candidate(candidate) if candidate.interview == id => gateway.rejoin_candidate(&socket, candidate).await,
                Who::Staff(recruiter) => gateway.rejoin_observer(&socket, caller, recruiter, id).await,
                _ => Err(NotRejoined::Refused),
            }
        })
    }

    fn refilled(&self, scope: &ScopeId, members: Vec<LocalMember>, reset: bool) {
        let (Some(gateway), Some(id)) = (self.0.upgrade().filter(|_| reset), kinds::interview_of(scope)) else { return };
        gateway.following.missed(id);
        tokio::spawn(async move {
            for member in members {
                gateway.rebuild(member.socket, id).await;
            }
            gateway.conductor.wake(id);
        });
    }

    fn reaped(&self, scope: &ScopeId, due_in: Option<Duration>) -> BoxFuture<()> {
        let (gateway, scope) = (self.0.upgrade(), scope.clone());
        Box::pin(async move {
            let Some(gateway) = gateway else { return };
            if let Some(wait) = due_in {
                gateway.live.timers.expect(&scope, wait).await;
                gateway.live.timers.set(&scope, Some(wait));
            }
            if let Some(id) = kinds::interview_of(&scope) {
                gateway.conductor.wake(id);
            }
        })
    }

    fn lost_timer(&self, _: &ScopeId) -> Option<LostTimer> {
        Some(LostTimer { name: ABSENT, after: self.0.upgrade()?.live.config.leave_grace })
    }

    fn node_died(&self) {}
}

fn failed(error: InterviewError) -> NotRejoined {
    match error {
        InterviewError::NotFound => NotRejoined::Refused,
        error => {
            tracing::debug!(%error, "a recovered socket cannot join");
            NotRejoined::Unavailable
        }
    }
}

impl Gateway {
    /// Ends a socket, because another one is the candidate's now.
    fn superseded(self: &Arc<Self>, scope: &ScopeId, sid: &str) {
        let Some(member) = self.live.scopes.members(scope).into_iter().find(|member| member.socket.id() == sid) else { return };
        self.live.scopes.leave(scope, &member.socket);
        self.end_superseded(&member.socket, kinds::interview_of(scope));
    }

    /// Notes at the candidate's socket, if it is on this node, that an event tells of a pause. The next event of the socket ends
    /// it.
    fn heard_pause(&self, scope: &ScopeId, args: &Bytes) {
        if !args.starts_with(INTERRUPTED) {
            return;
        }
        for member in self.live.scopes.members(scope).iter().filter(|member| *member.role == *ROLE) {
            if let Ok(caller) = caller(&member.socket) {
                caller.set_paused(true);
            }
        }
    }

    fn end_superseded(&self, socket: &Arc<Socket>, interview: Option<Uuid>) {
        if caller(socket).is_ok_and(Caller::supersede) {
            socket.refuse("join-interview", None, &InterviewError::Superseded.about(interview));
            socket.disconnect();
        }
    }

    /// Joins a candidate's socket again, with this node and epoch. It is not announced.
    async fn rejoin_candidate(self: &Arc<Self>, socket: &Arc<Socket>, candidate: &Candidate) -> Result<Rejoined, NotRejoined> {
        let mut entered = self.enter(socket, candidate, true, None).await;
        if matches!(entered, Err(NotEntered::Missing)) {
            let seed = self.seed(candidate.interview).await.map_err(failed)?.ok_or(NotRejoined::Refused)?;
            entered = self.enter(socket, candidate, true, Some(&seed)).await;
        }
        match entered {
            Ok(Entered { joined, hold }) => Ok(Rejoined { hold, position: joined.position }),
            // It may have missed how the interview ended.
            Err(NotEntered::Ended) => self.rejoin_ended(socket, candidate).await,
            Err(NotEntered::Superseded | NotEntered::Missing) => Err(NotRejoined::Refused),
            Err(NotEntered::Failed(error)) => Err(failed(error)),
        }
    }

    async fn rejoin_ended(&self, socket: &Arc<Socket>, candidate: &Candidate) -> Result<Rejoined, NotRejoined> {
        let (live, scope) = (&self.live, kinds::interview(candidate.interview));
        let away = |_| NotRejoined::Unavailable;
        let hold = live.scopes.hold(&scope, socket, &candidate.participant, ROLE).await.map_err(away)?;
        let (op, node) = (live.scopes.next_op(), live.scopes.node());
        let user = &candidate.participant;
        let member = Member { sid: socket.id(), user, role: ROLE, node: &node, session_epoch: socket.epoch() };
        let joined = scope_join(live.redis(), &scope, live.op(&op), member).await.map_err(away)?;
        Ok(Rejoined { hold, position: joined.position })
    }

    /// Joins an observer again, if it may still see the interview: it may have another token now.
    async fn rejoin_observer(
        &self,
        socket: &Arc<Socket>,
        caller: &Caller,
        recruiter: &Recruiter,
        id: Uuid,
    ) -> Result<Rejoined, NotRejoined> {
        if recruiter.role != RecruiterRole::Admin && !caller.observes(id) {
            self.live.seen_by(recruiter, id).await.map_err(failed)?;
        }
        let (observing, hold) = self.observe(socket, recruiter, id).await.map_err(failed)?;
        caller.observe(id, observing.position.id);
        Ok(Rejoined { hold, position: observing.position })
    }

    /// Joins a member again, and restores the live state: Redis has lost a part of the log that this member has seen, or
    /// everything.
    async fn rebuild(self: &Arc<Self>, socket: Arc<Socket>, id: Uuid) {
        let mut pause = RETRY.0;
        while let Ok(caller) = caller(&socket)
            && !caller.is_gone()
            && self.live.scopes.is_member(&kinds::interview(id), socket.id())
        {
            let rejoined = match &*caller.who() {
                Who::Candidate(candidate) => self.rejoin_candidate(&socket, candidate).await,
                Who::Staff(recruiter) => self.rejoin_observer(&socket, caller, recruiter, id).await,
                Who::Open { .. } => return,
            };
            match rejoined {
                Ok(Rejoined { hold, position }) => return hold.release(&position),
                Err(NotRejoined::Refused) => return self.live.scopes.leave(&kinds::interview(id), &socket),
                Err(NotRejoined::Unavailable) => {}
            }
            sleep(pause).await;
            pause = longer(pause, RETRY.1);
        }
    }
}
