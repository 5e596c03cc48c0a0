//! What the feature keeps in PostgreSQL (contract § 4): tables `interviews`, `templates`, `questions`, `invites`, `sessions`,
//! `responses`, `transcripts` and `proctor_events` in schema `convoke`.

mod invites;
mod proctoring;
mod responses;
mod sessions;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

pub use self::invites::{Invite, NewInvite, Pass, Revoked};
pub use self::proctoring::ProctorError;
pub use self::responses::{NewResponse, StoredResponse};
pub use self::sessions::{EndDue, SessionRow};
use crate::protocol::schema;
use crate::store::{Store, StoreError, Time, column};

/// SHA-256 of a token that the hub has given out: the database holds no more of it.
pub type TokenHash = [u8; 32];

/// Where an interview stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum InterviewStatus {
    Scheduled,
    /// From the candidate's first `join-interview` on.
    Ongoing,
    Completed,
    Expired,
    Cancelled,
}

impl InterviewStatus {
    pub const ALL: [Self; 5] = [Self::Scheduled, Self::Ongoing, Self::Completed, Self::Expired, Self::Cancelled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDULED",
            Self::Ongoing => "ONGOING",
            Self::Completed => "COMPLETED",
            Self::Expired => "EXPIRED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// Who is interviewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Candidate {
    pub id: String,
    pub name: String,
    pub email: String,
}

/// A row of `interviews`, all but the token's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Interview {
    #[serde(serialize_with = "crate::store::as_text")]
    #[schemars(schema_with = "schema::uuid")]
    pub id: Uuid,
    pub organization_id: String,
    pub recruiter_ids: Vec<String>,
    pub candidate: Candidate,
    pub status: InterviewStatus,
    pub scheduled_at: Option<Time>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// What is asked in an interview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub id: String,
    pub title: String,
    /// Minutes.
    pub total_duration: u32,
    /// Titles, in order.
    pub assessments: Vec<String>,
    /// Over all assessments, in order.
    pub questions: Vec<Question>,
}

/// One question of a template.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Question {
    /// Unique in the interview.
    pub id: String,
    /// From 1, into [`Template::assessments`].
    pub assessment: u32,
    pub text: String,
    #[serde(rename = "type")]
    pub kind: String,
}

/// An interview to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInterview {
    pub organization_id: String,
    pub recruiter_ids: Vec<String>,
    pub candidate: Candidate,
    pub scheduled_at: Option<Time>,
    pub template: Template,
}

/// What is to change of an interview; `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterviewChange {
    pub status: Option<InterviewStatus>,
    /// `Some(None)`: no time is set any more.
    pub scheduled_at: Option<Option<Time>>,
    pub recruiter_ids: Option<Vec<String>>,
    pub candidate: Option<Candidate>,
}

const COLUMNS: &str = "id, organization_id, recruiter_ids, candidate_id, candidate_name, candidate_email, status, \
                       scheduled_at, created_at, updated_at";

/// The rows of interviews. Cheap to clone.
#[derive(Clone)]
pub struct InterviewStore {
    postgres: Store,
}

impl InterviewStore {
    pub fn new(postgres: Store) -> Self {
        Self { postgres }
    }

    pub fn postgres(&self) -> &Store {
        &self.postgres
    }

    /// Makes an interview with its template, all or nothing: it is one statement.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: it may be there, but its token was not given out.
    pub async fn create(&self, id: Uuid, join_token: &TokenHash, new: &NewInterview) -> Result<(), StoreError> {
        const SQL: &str = "
            WITH interview AS (
                INSERT INTO convoke.interviews (id, organization_id, recruiter_ids, candidate_id, candidate_name,
                    candidate_email, scheduled_at, join_token_hash)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ), template AS (
                INSERT INTO convoke.templates (interview_id, id, title, total_duration, assessments)
                VALUES ($1, $9, $10, $11, $12)
            )
            INSERT INTO convoke.questions (interview_id, position, assessment, id, text, type)
            SELECT $1, position, assessment, id, text, type
            FROM unnest($13::int[], $14::text[], $15::text[], $16::text[])
                WITH ORDINALITY AS asked (assessment, id, text, type, position)";
        let NewInterview { organization_id, recruiter_ids, candidate, scheduled_at, template } = new;
        let column = |of: fn(&Question) -> &str| template.questions.iter().map(of).collect::<Vec<_>>();
        let assessments: Vec<i32> = template.questions.iter().map(|question| to_int(question.assessment)).collect();
        let (ids, texts, kinds) = (column(|q| &q.id), column(|q| &q.text), column(|q| &q.kind));
        self.postgres
            .write(
                SQL,
                &[
                    &id,
                    organization_id,
                    recruiter_ids,
                    &candidate.id,
                    &candidate.name,
                    &candidate.email,
                    &scheduled_at.map(|time| time.0),
                    &join_token.as_slice(),
                    &template.id,
                    &template.title,
                    &to_int(template.total_duration),
                    &template.assessments,
                    &assessments,
                    &ids,
                    &texts,
                    &kinds,
                ],
            )
            .await
            .map(drop)
    }

    /// An interview without its template.
    pub async fn get(&self, id: Uuid) -> Result<Option<Interview>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM convoke.interviews WHERE id = $1");
        self.postgres.read(&sql, &[&id]).await?.first().map(interview).transpose()
    }

    /// Those of some interviews that have ended.
    pub async fn ended_of(&self, ids: &[Uuid]) -> Result<Vec<Uuid>, StoreError> {
        const SQL: &str = "SELECT id FROM convoke.interviews WHERE id = ANY ($1) AND status NOT IN ('SCHEDULED', 'ONGOING')";
        self.postgres.read(SQL, &[&ids]).await?.iter().map(|row| column(row, "id")).collect()
    }

    /// What is asked in an interview.
    pub async fn template(&self, id: Uuid) -> Result<Option<Template>, StoreError> {
        const SQL: &str = "
            SELECT id, title, total_duration, assessments,
                (SELECT jsonb_agg(jsonb_build_object('id', q.id, 'assessment', q.assessment, 'text', q.text, 'type', q.type)
                    ORDER BY q.position) FROM convoke.questions q WHERE q.interview_id = t.interview_id) AS questions
            FROM convoke.templates t WHERE interview_id = $1";
        self.postgres.read(SQL, &[&id]).await?.first().map(template).transpose()
    }

    /// Changes an interview if its status is one of `from`, by one compare-and-set; gives what it is now. `None`: it does not
    /// exist, or has another status.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it.
    pub async fn change(
        &self,
        id: Uuid,
        change: &InterviewChange,
        from: &[InterviewStatus],
    ) -> Result<Option<Interview>, StoreError> {
        let sql = format!(
            "UPDATE convoke.interviews SET
                status = coalesce($3, status),
                scheduled_at = CASE WHEN $4 THEN $5 ELSE scheduled_at END,
                recruiter_ids = coalesce($6, recruiter_ids),
                candidate_id = coalesce($7, candidate_id),
                candidate_name = coalesce($8, candidate_name),
                candidate_email = coalesce($9, candidate_email),
                updated_at = now()
            WHERE id = $1 AND status = ANY ($2) RETURNING {COLUMNS}"
        );
        let from: Vec<&str> = from.iter().map(|status| status.as_str()).collect();
        let (status, scheduled_at) =
            (change.status.map(InterviewStatus::as_str), change.scheduled_at.flatten().map(|time| time.0));
        let (moves, candidate) = (change.scheduled_at.is_some(), change.candidate.as_ref());
        let (candidate_id, name) = (candidate.map(|candidate| &candidate.id), candidate.map(|candidate| &candidate.name));
        let email = candidate.map(|candidate| &candidate.email);
        let recruiter_ids = &change.recruiter_ids;
        let params: [&(dyn ToSql + Sync); 9] =
            [&id, &from, &status, &moves, &scheduled_at, recruiter_ids, &candidate_id, &name, &email];
        self.postgres.write(&sql, &params).await?.first().map(interview).transpose()
    }
}

fn interview(row: &Row) -> Result<Interview, StoreError> {
    let status: String = column(row, "status")?;
    let unknown = || StoreError::Internal(format!("an interview has the status {status:?}").into());
    Ok(Interview {
        id: column(row, "id")?,
        organization_id: column(row, "organization_id")?,
        recruiter_ids: column(row, "recruiter_ids")?,
        candidate: Candidate {
            id: column(row, "candidate_id")?,
            name: column(row, "candidate_name")?,
            email: column(row, "candidate_email")?,
        },
        status: InterviewStatus::parse(&status).ok_or_else(unknown)?,
        scheduled_at: column(row, "scheduled_at")?,
        created_at: column(row, "created_at")?,
        updated_at: column(row, "updated_at")?,
    })
}

fn template(row: &Row) -> Result<Template, StoreError> {
    let minutes: i32 = column(row, "total_duration")?;
    let questions: Option<Value> = column(row, "questions")?;
    let questions = questions.map_or(Ok(Vec::new()), serde_json::from_value);
    Ok(Template {
        id: column(row, "id")?,
        title: column(row, "title")?,
        total_duration: u32::try_from(minutes).unwrap_or_default(),
        assessments: column(row, "assessments")?,
        questions: questions.map_err(|error| StoreError::Internal(format!("questions: {error}").into()))?,
    })
}

/// All counts here are small.
fn to_int(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
