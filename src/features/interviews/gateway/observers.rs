//! Those who observe an interview: what was told before they came, and what is told from then on, without a gap and nothing twice.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::leaving::OBSERVER;
use super::{Gateway, Handled};
use crate::cluster::PendingJoin;
use crate::core::StreamId;
use crate::features::interviews::caller::{Who, caller, named};
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::recruiter::{Recruiter, RecruiterRole};
use crate::features::interviews::scripts::{
    Candidate, Observing, Seat, Session, SessionState, ToldEvent, observe_events, observe_join,
};
use crate::features::interviews::store::Interview;
use crate::features::interviews::wire::{
    Moment, ObservationStarted, ObserveInterview, ObservedInterview, ObservedSession, PastEvent,
};
use crate::features::interviews::{kinds, uuid};
use crate::redis::script::OnReader;
use crate::socketio::{Code, Event, EventError, Reply, Socket};
use crate::telemetry::once_a_minute;

/// Bytes of past events in one answer: the connection of who asks must not be closed by it. More is read with `after`.
const HISTORY_BYTES: usize = 256 * 1024;

impl Gateway {
    /// `observe-interview`: `observation-started` with what was told so far; what is told later follows.
    pub(super) async fn on_observe(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let caller = caller(&socket)?;
        let Who::Staff(recruiter) = &*caller.who() else {
            return Err(EventError::new(Code::INTERNAL, "no recruiter"));
        };
        let asked: ObserveInterview = event.payload().map_err(|error| match named(&event) {
            Some(id) => error.with("interviewId", id.to_string()),
            None => error,
        })?;
        let id = uuid(&asked.interview_id).ok_or_else(|| InterviewError::NotFound.about(None))?;
        let about = |error: InterviewError| error.about(Some(id));
        let after = match asked.after.as_deref().filter(|after| !after.is_empty()) {
            None => StreamId::default(),
            Some(after) => {
                after.parse().map_err(|()| about(InterviewError::Invalid("after is not the id of an event".into())))?
            }
        };
        let interview = self.live.seen_by(recruiter, id).await.map_err(about)?;
        let most = self.live.config.rooms;
        if !caller.observes(id) && caller.observed().len() >= most {
            return Err(about(InterviewError::RateLimited(format!("one connection observes at most {most} interviews"))));
        }
        let (observing, hold) = self.observe(&socket, recruiter, id).await.map_err(about)?;
        let up_to = caller.observe(id, observing.position.id);
        let answer = match self.history(id, after, up_to).await {
            Ok((events, next_after)) => {
                let session = match observing.session {
                    Some(session) => Some(observed(&session)),
                    None => self.past_session(id).await.map_err(about)?,
                };
                let is_live = session.as_ref().is_some_and(|session| session.is_active);
                ObservationStarted { interview: shown(&interview, recruiter), session, is_live, events, next_after }
            }
            Err(error) => return Err(about(error)),
        };
        hold.joined(&observing.position).await;
        socket.emit("observation-started", &answer);
        event.acknowledge_with(&socket, &answer);
        hold.release(&observing.position);
        Ok(Reply::None)
    }

    /// Makes a socket an observer.
    pub(super) async fn observe(
        &self,
        socket: &Arc<Socket>,
        recruiter: &Recruiter,
        id: Uuid,
    ) -> Result<(Observing, PendingJoin), InterviewError> {
        let (live, scope) = (&self.live, kinds::interview(id));
        let hold = live.scopes.hold(&scope, socket, &recruiter.user_id, OBSERVER).await?;
        let (op, node) = (live.scopes.next_op(), live.scopes.node());
        let observer = Candidate { user: &recruiter.user_id, sid: socket.id() };
        let seat = Seat { node: &node, session_epoch: socket.epoch() };
        Ok((observe_join(live.redis(), id, live.op(&op), observer, seat).await?, hold))
    }

    /// What was told after one event and up to another, and the id to read on from if there is more.
    async fn history(
        &self,
        id: Uuid,
        after: StreamId,
        up_to: StreamId,
    ) -> Result<(Vec<PastEvent>, Option<String>), InterviewError> {
        let (mut events, mut bytes, mut after) = (Vec::new(), 0, after);
        loop {
            let page = observe_events(&OnReader(self.live.redis()), id, after, up_to, HISTORY_BYTES - bytes).await?;
            for event in page.events {
                bytes += event.data.len() + event.event.len();
                after = event.id;
                events.push(past(event)?);
            }
            if !page.more {
                return Ok((events, None));
            }
            if bytes >= HISTORY_BYTES {
                return Ok((events, Some(after.to_string())));
            }
        }
    }
}

fn past(event: ToldEvent) -> Result<PastEvent, InterviewError> {
    let data: Value = serde_json::from_slice(&event.data).map_err(|error| {
        once_a_minute!(error, "an event that was told cannot be read", %error);
        InterviewError::Internal
    })?;
    Ok(PastEvent { id: event.id.to_string(), event: event.event, data, timestamp: Moment(event.at) })
}

/// The session as observers see it.
fn observed(session: &Session) -> ObservedSession {
    ObservedSession {
        id: session.id.to_string(),
        is_active: session.state == SessionState::Active,
        progress: session.progress,
        trust_score: session.trust.score,
    }
}

/// The interview as its observers see it: an observer is not told the candidate's address.
fn shown(interview: &Interview, recruiter: &Recruiter) -> ObservedInterview {
    let email = (recruiter.role != RecruiterRole::Observer).then(|| interview.candidate.email.clone());
    ObservedInterview {
        id: interview.id.to_string(),
        candidate_name: interview.candidate.name.clone(),
        candidate_email: email,
        status: interview.status.as_str().into(),
    }
}
