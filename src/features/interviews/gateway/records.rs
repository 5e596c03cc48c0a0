//! What PostgreSQL knows of a session: the durable truth, of which a lost live state is made again.

use uuid::Uuid;

use super::Gateway;
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::scripts::Seed;
use crate::features::interviews::store::Template;
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
        let seed = store.open(id).await?.ok_or(InterviewError::Ended)?;
        let template = store.template(id).await?.ok_or(InterviewError::NotFound)?;
        Ok(Opened { seed, template })
    }

    /// What a live state is made of; `None`: the interview has ended.
    pub(super) async fn seed(&self, id: Uuid) -> Result<Option<Seed>, InterviewError> {
        Ok(self.live.interviews.store.open(id).await?)
    }

    /// A session that is not live any more, as observers see it. `None`: the candidate has never joined.
    pub(super) async fn past_session(&self, id: Uuid) -> Result<Option<ObservedSession>, InterviewError> {
        let row = self.live.interviews.store.session(id).await?;
        Ok(row.map(|row| ObservedSession {
            id: row.id.to_string(),
            is_active: false,
            progress: row.progress.and_then(|progress| serde_json::from_value(progress).ok()),
            trust_score: row.trust.score,
        }))
    }
}
