//! Tokens of candidates: the interview's own and its invites (contract § 4 "Connect"). Only hashes of them are kept.

use std::time::Duration;

use uuid::Uuid;

use super::{InterviewStore, TokenHash};
use crate::store::{StoreError, Time, column};

/// What a token opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    pub interview: Uuid,
    /// `None`: it is the interview's own token.
    pub invite: Option<Invite>,
}

/// Where an invite stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    pub id: Uuid,
    /// The participant that used it first.
    pub bound_to: Option<String>,
    /// By PostgreSQL's clock. It counts only until the invite is used.
    pub expired: bool,
    pub revoked: bool,
}

/// An invite that was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    pub interview: Uuid,
    pub invite: Uuid,
    /// The participant that used it. `None`: nobody has.
    pub participant: Option<String>,
}

/// An invite to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvite<'a> {
    pub id: Uuid,
    pub interview: Uuid,
    pub token: &'a TokenHash,
    pub email: Option<&'a str>,
    /// The recruiter.
    pub created_by: &'a str,
    /// How long it may be used for the first time.
    pub lasts: Duration,
}

impl InterviewStore {
    /// What the token with this hash opens; `None`: nothing.
    pub async fn pass(&self, token: &TokenHash) -> Result<Option<Pass>, StoreError> {
        const SQL: &str = "
            SELECT id AS interview_id, NULL::uuid AS id, NULL AS participant_id, false AS expired, false AS revoked
            FROM convoke.interviews WHERE join_token_hash = $1
            UNION ALL
            SELECT interview_id, id, participant_id, expires_at <= now(), revoked_at IS NOT NULL
            FROM convoke.invites WHERE token_hash = $1";
        let rows = self.postgres.read(SQL, &[&token.as_slice()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let invite = match column(row, "id")? {
            Some(id) => Some(Invite {
                id,
                bound_to: column(row, "participant_id")?,
                expired: column(row, "expired")?,
                revoked: column(row, "revoked")?,
            }),
            None => None,
        };
        Ok(Some(Pass { interview: column(row, "interview_id")?, invite }))
    }

    /// Makes an invite; gives the moment after which it cannot be used for the first time.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: it may be there, but its token was not given out.
    pub async fn create_invite(&self, new: &NewInvite<'_>) -> Result<Time, StoreError> {
        const SQL: &str = "
            INSERT INTO convoke.invites (id, interview_id, token_hash, email, created_by, expires_at)
            VALUES ($1, $2, $3, $4, $5, now() + make_interval(secs => $6)) RETURNING expires_at";
        let NewInvite { id, interview, token, email, created_by, lasts } = new;
        let params = [id as _, interview as _, &token.as_slice() as _, email as _, created_by as _, &lasts.as_secs_f64() as _];
        let rows = self.postgres.write(SQL, &params).await?;
        let row = rows.first().ok_or_else(|| StoreError::Internal("an invite was made without a row".into()))?;
        column(row, "expires_at")
    }

    /// Binds an invite to the participant that uses it first, by one compare-and-set. True also if it is bound to this
    /// participant already. False: it cannot be used, or another participant was faster.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it.
    pub async fn bind_invite(&self, id: Uuid, participant: &str) -> Result<bool, StoreError> {
        const SQL: &str = "
            UPDATE convoke.invites i SET participant_id = $2, used_at = coalesce(i.used_at, now())
            FROM convoke.interviews v
            WHERE i.id = $1 AND v.id = i.interview_id AND v.status IN ('SCHEDULED', 'ONGOING') AND i.revoked_at IS NULL
                AND (i.participant_id = $2 OR (i.participant_id IS NULL AND i.expires_at > now()))
            RETURNING i.id";
        Ok(!self.postgres.write(SQL, &[&id, &participant]).await?.is_empty())
    }

    /// Revokes an invite of this interview; once more changes nothing. `None`: there is none.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it.
    pub async fn revoke_invite(&self, interview: Uuid, id: Uuid) -> Result<Option<Revoked>, StoreError> {
        const SQL: &str = "
            UPDATE convoke.invites SET revoked_at = coalesce(revoked_at, now()) WHERE id = $1 AND interview_id = $2
            RETURNING participant_id";
        let rows = self.postgres.write(SQL, &[&id, &interview]).await?;
        let revoked = |row| Ok(Revoked { interview, invite: id, participant: column(row, "participant_id")? });
        rows.first().map(revoked).transpose()
    }

    /// Those of some invites that are revoked.
    pub async fn revoked_of(&self, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        const SQL: &str = "SELECT id FROM convoke.invites WHERE id = ANY ($1) AND revoked_at IS NOT NULL";
        self.postgres.read(SQL, &[&ids]).await?.iter().map(|row| column(row, "id")).collect()
    }

    /// Those of some interviews that have an invite that was used and is revoked.
    pub async fn with_revoked_invites(&self, interviews: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        const SQL: &str = "
            SELECT DISTINCT interview_id FROM convoke.invites
            WHERE interview_id = ANY ($1) AND revoked_at IS NOT NULL AND participant_id IS NOT NULL";
        self.postgres.read(SQL, &[&interviews]).await?.iter().map(|row| column(row, "interview_id")).collect()
    }
}
