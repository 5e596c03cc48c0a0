//! What was noticed about a candidate.

use uuid::Uuid;

use super::sessions::moment;
use super::{InterviewStore, to_int};
use crate::features::interviews::scripts::{Unstored, proctor_done, proctor_read};
use crate::redis::script::Eval;
use crate::store::StoreError;

/// Why rows of proctoring could not be moved from Redis to PostgreSQL. They are still in Redis: try again later.
#[derive(Debug, thiserror::Error)]
pub enum ProctorError<E> {
    #[error("Redis: {0}")]
    Redis(E),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl InterviewStore {
    /// Stores rows of proctoring, as they are now; one that is stored already grows.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it.
    pub async fn proctor(&self, interview: Uuid, rows: &[Unstored]) -> Result<(), StoreError> {
        // An interview that is deleted takes its rows with it.
        const SQL: &str = "
            INSERT INTO convoke.proctor_events AS p (id, interview_id, type, severity, message, data, count, first_at, last_at)
            SELECT run.id, $1, event ->> 'type', event ->> 'severity', event ->> 'message', coalesce(event -> 'data', 'null'), run.count,
                run.first_at, run.last_at
            FROM unnest($2::uuid[], $3::jsonb[], $4::int[], $5::timestamptz[], $6::timestamptz[])
                AS run (id, event, count, first_at, last_at)
            WHERE EXISTS (SELECT FROM convoke.interviews WHERE id = $1)
            ON CONFLICT (id) DO UPDATE SET count = greatest(p.count, excluded.count),
                last_at = greatest(p.last_at, excluded.last_at)";
        let event = |row: &Unstored| serde_json::from_str::<serde_json::Value>(&row.event).unwrap_or_default();
        let ids: Vec<Uuid> = rows.iter().map(|row| row.run.row).collect();
        let events: Vec<_> = rows.iter().map(event).collect();
        let counts: Vec<i32> = rows.iter().map(|row| to_int(row.run.count)).collect();
        let firsts = rows.iter().map(|row| moment(row.run.first_at)).collect::<Result<Vec<_>, _>>()?;
        let lasts = rows.iter().map(|row| moment(row.run.last_at)).collect::<Result<Vec<_>, _>>()?;
        self.postgres.write(SQL, &[&interview, &ids, &events, &counts, &firsts, &lasts]).await.map(drop)
    }

    /// Moves what was noticed in an interview from Redis to PostgreSQL, as far as it has come. Returns how many rows it were.
    ///
    /// # Errors
    /// [`ProctorError`]
    pub async fn store_proctoring<E: Eval>(&self, redis: &E, interview: Uuid) -> Result<usize, ProctorError<E::Error>> {
        let mut stored = 0;
        loop {
            let rows = proctor_read(redis, interview).await.map_err(ProctorError::Redis)?;
            if rows.is_empty() {
                return Ok(stored);
            }
            self.proctor(interview, &rows).await?;
            stored += rows.len();
            if !proctor_done(redis, interview, &rows).await.map_err(ProctorError::Redis)? {
                return Ok(stored);
            }
        }
    }
}
