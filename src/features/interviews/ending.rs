//! The end of an interview, by its last answer, by another service or by time: its live session ends, and so does its call.

use std::sync::Arc;

use uuid::Uuid;

use super::error::InterviewError;
use super::kinds;
use super::live::Live;
use super::scripts::{SessionEnd, SessionState, session_end};
use super::signalling::Signalling;
use super::store::InterviewStatus;

/// One in a process.
pub struct Endings {
    live: Arc<Live>,
    signalling: Arc<Signalling>,
}

impl Endings {
    pub fn new(live: Arc<Live>, signalling: Arc<Signalling>) -> Arc<Self> {
        Arc::new(Self { live, signalling })
    }

    /// Ends the live session of an interview, once, and its call. PostgreSQL knows already that the interview has ended. If this
    /// fails, the job that looks for ends each minute repeats it.
    ///
    /// # Errors
    /// [`InterviewError`]: repeat it.
    pub async fn end(self: &Arc<Self>, id: Uuid, to: SessionState) -> Result<(), InterviewError> {
        let (live, scope, op) = (&self.live, kinds::interview(id), self.live.scopes.next_op());
        live.timers.expect(&scope, std::time::Duration::ZERO).await;
        match session_end(live.redis(), id, live.op(&op), to).await? {
            SessionEnd::Ended { told, due_in } => {
                live.written(&scope, &told);
                live.timers.set(&scope, due_in);
            }
            SessionEnd::Missing(told) => live.written(&scope, &told),
            SessionEnd::Unchanged => {}
        }
        self.call_ends(id).await;
        live.interviews.store.end_told(id).await?;
        Ok(())
    }

    /// Ends the call. The session has ended by its last answer.
    pub async fn call_ends(&self, id: Uuid) {
        self.signalling.ended(id).await;
    }
}

/// The state of a session whose interview has this status. `None`: it has not ended.
pub fn end_of(status: InterviewStatus) -> Option<SessionState> {
    match status {
        InterviewStatus::Scheduled | InterviewStatus::Ongoing => None,
        InterviewStatus::Completed => Some(SessionState::Completed),
        InterviewStatus::Expired => Some(SessionState::Expired),
        InterviewStatus::Cancelled => Some(SessionState::Cancelled),
    }
}
