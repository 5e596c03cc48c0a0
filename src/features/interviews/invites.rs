//! Invites: recruiters give them out, one participant uses them, recruiters revoke them. What a revoked invite has opened before is
//! ended by [`revocation`](super::revocation).

use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

use super::recruiter::Recruiter;
use crate::protocol::schema;
use crate::store::{Time, as_text};

use super::error::InterviewError;
use super::requests::InviteRequest;
use super::rules::{self, InviteUse};
use super::store::{Interview, Invite, NewInvite, Revoked, TokenHash};
use super::token::Token;
use super::{Interviews, uuid};

/// A new invite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Invite")]
pub struct Invited {
    #[serde(rename = "inviteId", serialize_with = "as_text")]
    #[schemars(schema_with = "schema::uuid")]
    pub id: Uuid,
    /// Told this once.
    #[serde(rename = "inviteToken")]
    pub token: String,
    /// For the first use.
    pub expires_at: Time,
}

impl Interviews {
    /// Gives out an invite to an interview that has not ended.
    pub async fn invite(&self, by: &Recruiter, interview: &str, request: &InviteRequest) -> Result<Invited, InterviewError> {
        let interview = self.managed(by, interview).await?;
        if rules::has_ended(interview.status) {
            return Err(InterviewError::Ended);
        }
        let (id, token) = (Uuid::new_v4(), Token::new());
        let new = NewInvite {
            id,
            interview: interview.id,
            token: &token.hash,
            email: request.email.as_deref(),
            created_by: &by.user_id,
            lasts: request.lasts,
        };
        let expires_at = self.store.create_invite(&new).await?;
        Ok(Invited { id, token: token.text, expires_at })
    }

    /// Revokes an invite; once more changes nothing. From now on it opens nothing.
    pub(super) async fn revoke(&self, by: &Recruiter, interview: &str, invite: &str) -> Result<Revoked, InterviewError> {
        let interview = self.managed(by, interview).await?;
        let invite = uuid(invite).ok_or(InterviewError::InviteNotFound)?;
        self.store.revoke_invite(interview.id, invite).await?.ok_or(InterviewError::InviteNotFound)
    }

    /// Opens an invite for a participant. Its first use binds it to them; of two at once, on whatever nodes, one wins.
    pub(super) async fn open_invite(&self, invite: &Invite, token: &TokenHash, participant: &str) -> Result<(), InterviewError> {
        if rules::judge_invite(invite, participant)? == InviteUse::Reopen
            || self.store.bind_invite(invite.id, participant).await?
        {
            return Ok(());
        }
        // The invite as it is now says why it was not bound.
        let pass = self.store.pass(token).await?.ok_or(InterviewError::InvalidToken)?;
        match rules::judge_invite(&pass.invite.ok_or(InterviewError::InvalidToken)?, participant)? {
            InviteUse::Reopen => Ok(()),
            // Nothing is wrong with the invite, so the interview has ended.
            InviteUse::Bind => Err(InterviewError::Ended),
        }
    }

    /// An interview that this recruiter sees and whose invites the recruiter may manage.
    async fn managed(&self, by: &Recruiter, interview: &str) -> Result<Interview, InterviewError> {
        let interview = self.find(interview).await?;
        if !rules::sees(by, &interview) {
            return Err(InterviewError::NotFound);
        }
        if rules::may_invite(by.role) { Ok(interview) } else { Err(InterviewError::Forbidden) }
    }
}
