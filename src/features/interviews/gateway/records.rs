//! What PostgreSQL knows of a session: the durable truth, of which a lost live state is made again.

use uuid::Uuid;

use super::Gateway;
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::rules;
use crate::features::interviews::scripts::{Seed, SessionState, Trust};
use crate::features::interviews::store::{InterviewChange, InterviewStatus, Template};
use crate::features::interviews::wire::ObservedSession;

/// An interview that its candidate may join.
pub struct Opened {
    pub seed: Seed,
    pub template: Template,
}

impl Gateway {
    /// Opens an interview for its candidate: it is ONGOING from the first time on.
    ///
    /// # Errors
    /// [`InterviewError::Ended`], `NotFound`, `Unavailable`.
    pub(super) async fn open(&self, id: Uuid) -> Result<Opened, InterviewError> {
        let store = &self.live.interviews.store;
        let interview = store.get(id).await?.ok_or(InterviewError::NotFound)?;
        if rules::has_ended(interview.status) {
            return Err(InterviewError::Ended);
        }
        let change = InterviewChange { status: Some(InterviewStatus::Ongoing), ..InterviewChange::default() };
        store.change(id, &change, rules::ways_to(InterviewStatus::Ongoing)).await?.ok_or(InterviewError::Ended)?;
        let template = store.template(id).await?.ok_or(InterviewError::NotFound)?;
        let seed = Seed {
            id: Uuid::new_v4(),
            state: SessionState::Created,
            rev: 0,
            created_at: self.live.clock.now_ms(),
            started_at: None,
            position: 0,
            total: u32::try_from(template.questions.len()).unwrap_or(u32::MAX),
            asked: None,
            progress: None,
            questions: Vec::new(),
            last: None,
            trust: Trust::default(),
            has_summary: false,
        };
        Ok(Opened { seed, template })
    }

    /// What a live state is made of; `None`: there is no session, or it has ended.
    pub(super) async fn seed(&self, id: Uuid) -> Result<Option<Seed>, InterviewError> {
        match self.open(id).await {
            Ok(opened) => Ok(Some(opened.seed)),
            Err(InterviewError::Ended | InterviewError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A session that is not live any more, as observers see it.
    pub(super) async fn past_session(&self, _id: Uuid) -> Result<Option<ObservedSession>, InterviewError> {
        Ok(None)
    }
}
