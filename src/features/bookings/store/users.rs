//! The few columns of `public.users` that are ours to read. The table may be another's: columns are cast when they are read,
//! and written as whatever type they have.

use schemars::JsonSchema;
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;

use super::BookingStore;
use crate::protocol::schema;
use crate::store::{StoreError, as_text, column, count};

/// A user as interview sessions know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "InterviewSessionUser")]
pub struct User {
    #[serde(serialize_with = "as_text")]
    #[schemars(schema_with = "schema::uuid")]
    pub id: Uuid,
    pub email: Option<String>,
    pub resume_id: Option<String>,
    /// Raised by every ending of a session.
    pub completed_interviews_count: u32,
}

/// `jsonb_populate_record` turns the texts into the types of the columns: a résumé id may be text, uuid or a number.
/// The update comes first: PostgreSQL checks NOT NULL of other columns before it looks for a conflict.
const PUT: &str = "
    WITH given AS (
        SELECT email, resume_id FROM jsonb_populate_record(
            NULL::public.users, jsonb_build_object('email', $2::text, 'resume_id', $3::text)
        )
    ), updated AS (
        UPDATE public.users u SET email = given.email, resume_id = given.resume_id FROM given WHERE u.id = $1
        RETURNING u.id, u.email, u.resume_id, u.completed_interviews_count
    ), inserted AS (
        INSERT INTO public.users AS u (id, email, resume_id)
        SELECT $1, email, resume_id FROM given WHERE NOT EXISTS (SELECT FROM public.users WHERE id = $1)
        ON CONFLICT (id) DO UPDATE SET email = excluded.email, resume_id = excluded.resume_id
        RETURNING u.id, u.email, u.resume_id, u.completed_interviews_count
    )
    SELECT id, email::text AS email, resume_id::text AS resume_id, coalesce(completed_interviews_count, 0)::int8 AS completed
    FROM (SELECT * FROM updated UNION ALL SELECT * FROM inserted) either";

impl BookingStore {
    /// Makes or updates a user; both values are replaced, `None` clears. The count is never touched.
    ///
    /// # Errors
    /// [`StoreError::Rejected`] if a column does not take its value.
    pub async fn put_user(&self, id: Uuid, email: Option<&str>, resume_id: Option<&str>) -> Result<User, StoreError> {
        let rows = self.postgres.write(PUT, &[&id, &email, &resume_id]).await?;
        let row = rows.first().ok_or_else(|| StoreError::Unavailable("the user was deleted meanwhile".into()))?;
        User::from_row(row, id)
    }
}

impl User {
    pub(super) fn from_row(row: &Row, id: Uuid) -> Result<Self, StoreError> {
        Ok(Self {
            id,
            email: column(row, "email")?,
            resume_id: column(row, "resume_id")?,
            completed_interviews_count: count(row, "completed")?,
        })
    }
}
