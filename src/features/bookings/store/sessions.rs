//! `public.interview_sessions`. Each statement that ends sessions also counts them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use uuid::Uuid;

use super::{BookingStore, User};
use crate::protocol::schema;
use crate::store::{Rejection, StoreError, Time, as_text, column, count};

/// Where an interview session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "InterviewSessionStatus")]
pub enum Status {
    Active,
    Completed,
    EndedEarly,
    Timeout,
}

/// Why an interview session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "InterviewSessionEndReason")]
pub enum EndReason {
    Natural,
    UserEnded,
    Timeout,
    Error,
}

/// An interview session: a whole row, with the twelve fields of contract § 5, null included.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "InterviewSession", description = "An interview session.")]
pub struct Booking {
    pub id: String,
    #[serde(serialize_with = "as_text")]
    #[schemars(schema_with = "schema::uuid")]
    pub user_id: Uuid,
    pub status: Status,
    pub start_time: Time,
    /// When the hub ends it, if nothing else does before.
    pub server_end_time: Time,
    pub end_time: Option<Time>,
    pub end_reason: Option<EndReason>,
    pub livekit_room_name: String,
    #[schemars(range(min = -99.9, max = 99.9))]
    pub score_overall: Option<f64>,
    pub summary: Option<String>,
    pub created_at: Time,
    pub updated_at: Time,
}

/// A session that is active and not expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Active {
    pub id: String,
    pub user_id: Uuid,
    pub room: String,
    pub ends: Time,
}

/// A session that this call has ended: its room is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub id: String,
    pub user_id: Uuid,
    pub room: String,
}

/// All that decides whether a user may start, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub user: Option<User>,
    /// This user's, oldest first.
    pub active: Vec<Active>,
    /// Of all users.
    pub active_total: u32,
    /// By PostgreSQL's clock.
    pub now: Time,
}

/// The columns of a [`Booking`], as they are read. A macro, so that statements are put together at compile time.
macro_rules! session_columns {
    () => {
        "id, user_id, status, start_time, server_end_time, end_time, end_reason, livekit_room_name, \
         score_overall::float8 AS score_overall, summary, created_at, updated_at"
    };
}
pub(super) use session_columns;

/// Ends the sessions that `$which` selects and locks, and counts them, each once. The rows that it ends are locked first,
/// then the users, in the order of their ids.
///
/// A user who has no row gets one, unless the table asks for more than an id and a count. The row is looked for before
/// anything is inserted: PostgreSQL checks NOT NULL of other columns before it looks for a conflict.
macro_rules! end_sessions {
    ($which:literal, $status:literal, $reason:literal) => {
        concat!(
            "WITH chosen AS MATERIALIZED (", $which, "), ended AS (
                UPDATE public.interview_sessions s
                SET status = '", $status, "', end_reason = '", $reason, "', end_time = now(), updated_at = now()
                FROM chosen WHERE s.id = chosen.id AND s.status = 'active'
                RETURNING s.id, s.user_id, s.livekit_room_name
            ), per_user AS (
                SELECT user_id, count(*) AS sessions FROM ended GROUP BY user_id
            ), known AS MATERIALIZED (
                SELECT u.id FROM public.users u WHERE u.id IN (SELECT user_id FROM per_user) ORDER BY u.id FOR UPDATE
            ), raised AS (
                UPDATE public.users u
                SET completed_interviews_count = coalesce(u.completed_interviews_count, 0) + p.sessions
                FROM per_user p WHERE u.id = p.user_id AND u.id IN (SELECT id FROM known)
            ), made AS (
                INSERT INTO public.users AS u (id, completed_interviews_count)
                SELECT user_id, sessions FROM per_user
                WHERE user_id NOT IN (SELECT id FROM known) AND NOT EXISTS (
                    SELECT FROM pg_attribute a
                    WHERE a.attrelid = 'public.users'::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
                    AND NOT a.atthasdef AND a.attidentity = '' AND a.attname NOT IN ('id', 'completed_interviews_count')
                )
                ORDER BY user_id
                ON CONFLICT (id) DO UPDATE SET
                    completed_interviews_count = coalesce(u.completed_interviews_count, 0) + excluded.completed_interviews_count
            )
            SELECT id, user_id, livekit_room_name FROM ended"
        )
    };
}

/// What the job does for all users, for one user (`$1`). A row that the job holds is waited for: the caller needs it
/// completed.
pub(super) const COMPLETE_EXPIRED_OF: &str = end_sessions!(
    "SELECT id FROM public.interview_sessions
     WHERE user_id = $1 AND status = 'active' AND server_end_time <= now() ORDER BY id FOR UPDATE",
    "completed",
    "natural"
);

const COMPLETE_EXPIRED: &str = end_sessions!(
    "SELECT id FROM public.interview_sessions
     WHERE status = 'active' AND server_end_time <= now() ORDER BY server_end_time LIMIT $1 FOR UPDATE SKIP LOCKED",
    "completed",
    "natural"
);

/// All expired sessions. Rows that others hold are waited for, since a migration must leave none.
pub(super) const COMPLETE_ALL_EXPIRED: &str = end_sessions!(
    "SELECT id FROM public.interview_sessions WHERE status = 'active' AND server_end_time <= now() ORDER BY id FOR UPDATE",
    "completed",
    "natural"
);

const END: &str = end_sessions!(
    "SELECT id FROM public.interview_sessions
     WHERE id = $1 AND user_id = $2 AND status = 'active' AND server_end_time > now() FOR UPDATE",
    "ended_early",
    "user_ended"
);

const STANDING: &str = "
    SELECT now() AS now, u.id AS known, u.email::text AS email, u.resume_id::text AS resume_id,
        coalesce(u.completed_interviews_count, 0)::int8 AS completed,
        (SELECT count(*) FROM public.interview_sessions WHERE status = 'active' AND server_end_time > now()) AS active_total,
        s.id AS session, s.livekit_room_name, s.server_end_time
    FROM (SELECT $1::uuid AS id) asked
    LEFT JOIN public.users u ON u.id = asked.id
    LEFT JOIN public.interview_sessions s ON s.user_id = asked.id AND s.status = 'active' AND s.server_end_time > now()
    ORDER BY s.start_time, s.id";

const GET: &str = concat!("SELECT ", session_columns!(), " FROM public.interview_sessions WHERE id = $1 AND user_id = $2");

const ACTIVE: &str = "
    SELECT id, user_id, livekit_room_name, server_end_time FROM public.interview_sessions
    WHERE status = 'active' AND server_end_time > now()";

const SCORE: &str = concat!(
    "UPDATE public.interview_sessions
     SET score_overall = coalesce($2::float8::numeric, score_overall), summary = coalesce($3::text, summary), updated_at = now()
     WHERE id = $1 RETURNING ",
    session_columns!()
);

impl BookingStore {
    /// The user, the user's active sessions and the number of all, in one round trip. It locks nothing: a start judges again.
    pub async fn standing(&self, user: Uuid) -> Result<Standing, StoreError> {
        let rows = self.postgres.read(STANDING, &[&user]).await?;
        let first = rows.first().ok_or_else(|| StoreError::Internal("no standing".into()))?;
        let known: Option<Uuid> = column(first, "known")?;
        let active = rows.iter().filter_map(|row| match column::<Option<String>>(row, "session") {
            Ok(Some(id)) => Some(active(row, id, user)),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        });
        Ok(Standing {
            user: known.map(|id| User::from_row(first, id)).transpose()?,
            active: active.collect::<Result<_, _>>()?,
            active_total: count(first, "active_total")?,
            now: column(first, "now")?,
        })
    }

    /// Whether no row has this id or this room.
    pub async fn id_is_free(&self, id: &str, room: &str) -> Result<bool, StoreError> {
        let sql = "SELECT FROM public.interview_sessions WHERE id = $1 OR livekit_room_name = $2";
        Ok(self.postgres.read(sql, &[&id, &room]).await?.is_empty())
    }

    /// A user's session as its row says. One that has expired may still be called active: see
    /// [`BookingStore::complete_expired_of`].
    pub async fn get(&self, id: &str, user: Uuid) -> Result<Option<Booking>, StoreError> {
        one(&self.postgres.read(GET, &[&id, &user]).await?)
    }

    /// Ends a user's active session, and counts it. `None`: there is none, or it has ended or expired.
    pub async fn end(&self, id: &str, user: Uuid) -> Result<Option<Ended>, StoreError> {
        let rows = self.postgres.write(END, &[&id, &user]).await?;
        rows.first().map(Ended::from_row).transpose()
    }

    /// Completes this user's expired sessions, and counts them. One that another transaction holds is waited for.
    pub async fn complete_expired_of(&self, user: Uuid) -> Result<Vec<Ended>, StoreError> {
        Ended::all(&self.postgres.write(COMPLETE_EXPIRED_OF, &[&user]).await?)
    }

    /// Completes at most so many expired sessions of all users, and counts them. Several nodes may do this at once: each
    /// takes what no other holds.
    pub async fn complete_expired(&self, most: u32) -> Result<Vec<Ended>, StoreError> {
        Ended::all(&self.postgres.write(COMPLETE_EXPIRED, &[&i64::from(most)]).await?)
    }

    /// Every session that is active and not expired.
    pub async fn active(&self) -> Result<Vec<Active>, StoreError> {
        let rows = self.postgres.read(ACTIVE, &[]).await?;
        rows.iter().map(|row| active(row, column(row, "id")?, column(row, "user_id")?)).collect()
    }

    /// What is known of these ids: (id, user, status), in no order. Ids without a row are not in it.
    pub async fn of_ids(&self, ids: &[String]) -> Result<Vec<(String, Uuid, Status)>, StoreError> {
        let sql = "SELECT id, user_id, status FROM public.interview_sessions WHERE id = ANY($1)";
        let rows = self.postgres.read(sql, &[&ids]).await?;
        rows.iter().map(|row| Ok((column(row, "id")?, column(row, "user_id")?, status(row)?))).collect()
    }

    /// Writes what an interview came to; what is not given stays. `None`: there is no such session.
    ///
    /// # Errors
    /// [`StoreError::Rejected`] if the score does not fit the column, which holds up to 99.9 in steps of 0.1.
    pub async fn score(&self, id: &str, score: Option<f64>, summary: Option<&str>) -> Result<Option<Booking>, StoreError> {
        if score.is_some_and(|score| !score.is_finite()) {
            return Err(StoreError::Rejected(Rejection::DoesNotFit, "a score is a number".into()));
        }
        one(&self.postgres.write(SCORE, &[&id, &score, &summary]).await?)
    }
}

pub(super) fn one(rows: &[Row]) -> Result<Option<Booking>, StoreError> {
    rows.first().map(Booking::from_row).transpose()
}

fn active(row: &Row, id: String, user_id: Uuid) -> Result<Active, StoreError> {
    Ok(Active { id, user_id, room: column(row, "livekit_room_name")?, ends: column(row, "server_end_time")? })
}

fn status(row: &Row) -> Result<Status, StoreError> {
    Ok(match column(row, "status")? {
        "active" => Status::Active,
        "completed" => Status::Completed,
        "ended_early" => Status::EndedEarly,
        "timeout" => Status::Timeout,
        _ => return Err(StoreError::Internal("a session has a status that is none".into())),
    })
}

fn end_reason(row: &Row) -> Result<Option<EndReason>, StoreError> {
    Ok(match column(row, "end_reason")? {
        None => None,
        Some("natural") => Some(EndReason::Natural),
        Some("user_ended") => Some(EndReason::UserEnded),
        Some("timeout") => Some(EndReason::Timeout),
        Some("error") => Some(EndReason::Error),
        Some(_) => return Err(StoreError::Internal("a session has an end reason that is none".into())),
    })
}

impl Booking {
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: column(row, "id")?,
            user_id: column(row, "user_id")?,
            status: status(row)?,
            start_time: column(row, "start_time")?,
            server_end_time: column(row, "server_end_time")?,
            end_time: column(row, "end_time")?,
            end_reason: end_reason(row)?,
            livekit_room_name: column(row, "livekit_room_name")?,
            score_overall: column(row, "score_overall")?,
            summary: column(row, "summary")?,
            created_at: column(row, "created_at")?,
            updated_at: column(row, "updated_at")?,
        })
    }
}

impl Ended {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self { id: column(row, "id")?, user_id: column(row, "user_id")?, room: column(row, "livekit_room_name")? })
    }

    pub(super) fn all(rows: &[Row]) -> Result<Vec<Self>, StoreError> {
        rows.iter().map(Self::from_row).collect()
    }
}
