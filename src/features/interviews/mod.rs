//! Interviews (contract § 4): who may see one, who may take which role in its call, and the tokens that let people in.
//!
//! They are not interview sessions (§ 5), and share no ids, rooms or slots with them. This knows nothing of HTTP.

pub mod caller;
mod channel;
pub mod conductor;
mod demo;
pub mod ending;
pub mod error;
pub mod feature;
mod form;
pub mod gateway;
mod invites;
mod join;
pub mod keys;
pub mod kinds;
pub mod live;
mod metrics;
mod overview;
pub mod proctoring;
pub mod providers;
pub mod recruiter;
mod requests;
mod revocation;
pub mod rights;
pub mod routes;
mod rules;
pub mod scripts;
pub mod settings;
pub mod signalling;
pub mod store;
mod token;
mod view;
pub mod wire;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use self::recruiter::{Recruiter, RecruiterVerifier};
use crate::livekit::LiveKit;
use crate::protocol::schema;
use crate::store::{Store, as_text};

use self::error::InterviewError;
use self::scripts::SessionState;
use self::store::{Interview, InterviewStatus, InterviewStore};
use self::token::Token;
use self::view::Whole;

pub use invites::Invited;
pub use join::{Joined, Principal};
pub use requests::{InviteRequest, JoinRequest};
pub use rules::CallRole;

/// What the feature stands on.
pub struct Parts {
    pub store: Store,
    /// `None`: no token for a call is given out.
    pub livekit: Option<LiveKit>,
    pub recruiters: Arc<RecruiterVerifier>,
    /// A caller without a token gets one for any call.
    pub open_signalling: bool,
}

/// The interviews, as this node sees them: it keeps nothing of them in memory.
pub struct Interviews {
    store: InterviewStore,
    livekit: Option<LiveKit>,
    recruiters: Arc<RecruiterVerifier>,
    open_signalling: bool,
}

/// A new interview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CreatedInterview")]
pub struct Created {
    #[serde(serialize_with = "as_text")]
    #[schemars(schema_with = "schema::uuid")]
    pub id: Uuid,
    /// Told this once.
    pub join_token: String,
    pub status: InterviewStatus,
}

/// An interview that was changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    pub id: Uuid,
    /// It has this end, by this change or an earlier one.
    pub ended: Option<SessionState>,
    /// As the company's services see it.
    pub whole: Whole,
}

impl Interviews {
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { store, livekit, recruiters, open_signalling } = parts;
        Arc::new(Self { store: InterviewStore::new(store), livekit, recruiters, open_signalling })
    }

    /// Whether tokens for calls can be given out.
    pub fn has_livekit(&self) -> bool {
        self.livekit.is_some()
    }

    /// Makes an interview from the body of `POST /internal/interviews`.
    pub async fn create(&self, body: &str) -> Result<Created, InterviewError> {
        let new = requests::new_interview(body)?;
        let (id, token) = (Uuid::new_v4(), Token::new());
        self.store.create(id, &token.hash, &new).await?;
        Ok(Created { id, join_token: token.text, status: InterviewStatus::Scheduled })
    }

    /// Whether there is such an interview.
    pub async fn exists(&self, id: &str) -> Result<bool, InterviewError> {
        match self.find(id).await {
            Ok(_) => Ok(true),
            Err(InterviewError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The whole interview, without its token.
    pub async fn read(&self, id: &str) -> Result<Whole, InterviewError> {
        let interview = self.find(id).await?;
        self.whole(interview).await
    }

    /// Changes an interview by the body of `PATCH /internal/interviews/:id`, and gives what it is now.
    ///
    /// Its status goes forward only: SCHEDULED → ONGOING → COMPLETED, EXPIRED or CANCELLED, where ONGOING may be left out.
    /// The status that it has already changes nothing. Everything else may change after the end as well: who may look at what
    /// was said is decided later than that.
    ///
    /// # Errors
    /// [`InterviewError::InvalidTransition`] if it would go back, or has another end already.
    pub async fn change(&self, id: &str, body: &str) -> Result<Changed, InterviewError> {
        let id = interview_id(id)?;
        let change = requests::interview_change(body)?;
        let from = change.status.map_or(&InterviewStatus::ALL[..], rules::ways_to);
        if let Some(interview) = self.store.change(id, &change, from).await? {
            let ended = change.status.and(ending::end_of(interview.status));
            return Ok(Changed { id, ended, whole: self.whole(interview).await? });
        }
        let interview = self.store.get(id).await?.ok_or(InterviewError::NotFound)?;
        // Only the status can have stood in the way.
        let to = change.status.unwrap_or(interview.status);
        Err(InterviewError::InvalidTransition { from: interview.status, to })
    }

    /// Who a recruiter's token speaks for.
    ///
    /// # Errors
    /// [`InterviewError::MissingToken`], `InvalidToken`, `TokenExpired`, `NotConfigured`, `Unavailable`.
    pub async fn recruiter(&self, token: Option<&str>, now_seconds: u64) -> Result<Recruiter, InterviewError> {
        let token = token.ok_or(InterviewError::MissingToken)?;
        Ok(self.recruiters.verify(token, now_seconds).await?)
    }

    async fn find(&self, id: &str) -> Result<Interview, InterviewError> {
        self.store.get(interview_id(id)?).await?.ok_or(InterviewError::NotFound)
    }

    async fn whole(&self, interview: Interview) -> Result<Whole, InterviewError> {
        let template = self.store.template(interview.id).await?.ok_or(InterviewError::Internal)?;
        Ok(Whole::new(interview, template))
    }
}

/// Only a UUID in the usual form can be the id of an interview.
fn interview_id(text: &str) -> Result<Uuid, InterviewError> {
    uuid(text).ok_or(InterviewError::NotFound)
}

/// In any case of letters, but with its hyphens.
fn uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok().filter(|_| text.len() == 36)
}
