//! Sessions: one for each interview that its candidate has joined.

use std::time::Duration;

use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::{InterviewStore, to_int};
use crate::features::interviews::scripts::{Seed, Session, SessionState, Trust};
use crate::features::interviews::wire::Summary;
use crate::store::{StoreError, Time, column};

/// A row of `sessions`.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRow {
    pub id: Uuid,
    pub state: SessionState,
    pub rev: u64,
    pub created_at: Time,
    pub started_at: Option<Time>,
    pub ended_at: Option<Time>,
    pub position: u32,
    pub asked: Option<Value>,
    pub progress: Option<Value>,
    pub trust: Trust,
    pub summary: Option<Value>,
}

/// A session that is over by PostgreSQL, while its live state may not know it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndDue {
    pub interview: Uuid,
    pub to: SessionState,
}

const COLUMNS: &str = "s.id, s.state, s.rev, s.created_at, s.started_at, s.ended_at, s.position, s.asked, s.progress, s.trust, \
                       s.faces, s.tabs, s.fullscreen, s.suspicious, s.summary";

/// For a session that goes on.
const LIVE: &str = "('created', 'active', 'paused')";

/// How long a node may take to tell the live state of an end.
const END_LEASE: Duration = Duration::from_secs(60);
/// For so long after the end a summary is tried again.
const SUMMARY_TRIED: Duration = Duration::from_secs(24 * 3600);

impl InterviewStore {
    /// The candidate joins: SCHEDULED → ONGOING, and a session is made unless there is one. Gives all that the live state can be
    /// made of. `None`: there is no such interview, or it has ended. Safe to repeat.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it.
    pub async fn open(&self, interview: Uuid) -> Result<Option<Seed>, StoreError> {
        // The row is updated even if it is there: only so a statement sees one that another has just made.
        let sql = format!(
            "WITH interview AS (
                UPDATE convoke.interviews SET status = 'ONGOING',
                    updated_at = CASE status WHEN 'SCHEDULED' THEN now() ELSE updated_at END
                WHERE id = $1 AND status IN ('SCHEDULED', 'ONGOING') RETURNING id
            )
            INSERT INTO convoke.sessions AS s (interview_id, id) SELECT id, $2 FROM interview
            ON CONFLICT (interview_id) DO UPDATE SET rev = s.rev
            RETURNING {COLUMNS}, (SELECT count(*) FROM convoke.questions q WHERE q.interview_id = $1) AS total"
        );
        let rows = self.postgres.write(&sql, &[&interview, &Uuid::new_v4()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (session, total) = (session_row(row)?, crate::store::count(row, "total")?);
        let answered = match session.position {
            0 => Vec::new(),
            _ => self.responses(interview).await?,
        };
        let mut questions: Vec<_> = answered.iter().map(|answer| (answer.question_id.clone(), answer.position)).collect();
        let asked = session.asked.and_then(|asked| serde_json::from_value(asked).ok());
        if let Some(asked) = &asked {
            let asked: &crate::features::interviews::wire::Question = asked;
            questions.push((asked.question_id.clone(), session.position));
        }
        let before = answered.into_iter().rfind(|answer| answer.position < session.position);
        Ok(Some(Seed {
            id: session.id,
            state: session.state,
            rev: session.rev,
            created_at: session.created_at.as_ms(),
            started_at: session.started_at.map(Time::as_ms),
            position: session.position,
            total,
            asked,
            progress: session.progress.and_then(|progress| serde_json::from_value(progress).ok()),
            questions,
            last: before.map(|answer| (answer.question_id, answer.transcription, answer.audio)),
            trust: session.trust,
            has_summary: session.summary.is_some(),
        }))
    }

    /// The session of an interview, if its candidate has ever joined.
    pub async fn session(&self, interview: Uuid) -> Result<Option<SessionRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM convoke.sessions s WHERE interview_id = $1");
        self.postgres.read(&sql, &[&interview]).await?.first().map(session_row).transpose()
    }

    /// Where a session stands by its live state. What is older than what is kept changes nothing, and an end stays.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it.
    pub async fn keep(&self, interview: Uuid, session: &Session) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE convoke.sessions SET
                state = CASE WHEN state IN {LIVE} THEN $4 ELSE state END,
                rev = $3,
                started_at = coalesce(started_at, $5),
                ended_at = coalesce(ended_at, $6),
                position = $7,
                asked = coalesce($8, asked),
                progress = coalesce($9, progress),
                trust = $10, faces = $11, tabs = $12, fullscreen = $13, suspicious = $14
            WHERE interview_id = $1 AND id = $2 AND rev <= $3 AND position <= $7"
        );
        let time = |ms: Option<u64>| ms.map(moment).transpose();
        let (started, ended) = (time(session.started_at)?, time(session.ended_at)?);
        let rev = i64::try_from(session.rev).unwrap_or(i64::MAX);
        let (asked, progress) = (as_json(&session.asked), as_json(&session.progress));
        let Trust { score, faces, tabs, fullscreen, suspicious } = session.trust;
        let params: [&(dyn ToSql + Sync); 14] = [
            &interview,
            &session.id,
            &rev,
            &session.state.as_str(),
            &started,
            &ended,
            &to_int(session.position),
            &asked,
            &progress,
            &i16::from(score),
            &to_int(faces),
            &to_int(tabs),
            &to_int(fullscreen),
            &to_int(suspicious),
        ];
        self.postgres.write(&sql, &params).await.map(drop)
    }

    /// The last answer is stored: interview and session are completed. With `is_summary_due` a summary is to follow: see
    /// [`InterviewStore::summaries_due`]. Safe to repeat; an interview that has ended otherwise keeps its end.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it.
    pub async fn complete(&self, interview: Uuid, is_summary_due: bool) -> Result<(), StoreError> {
        let sql = format!(
            "WITH completed AS (
                UPDATE convoke.interviews SET status = 'COMPLETED', updated_at = now()
                WHERE id = $1 AND status IN ('SCHEDULED', 'ONGOING')
            )
            UPDATE convoke.sessions SET state = 'completed', ended_at = coalesce(ended_at, now()), end_told = true,
                summary_due_at = CASE WHEN $2 AND summary IS NULL THEN coalesce(summary_due_at, now() + interval '1 minute') END
            WHERE interview_id = $1 AND (state IN {LIVE} OR (state = 'completed' AND NOT end_told))"
        );
        self.postgres.write(&sql, &[&interview, &is_summary_due]).await.map(drop)
    }

    /// Sessions that are to end: those made so long ago expire here, with their interviews; of those whose interview has ended (by
    /// another service) the session ends here. Each is this caller's for a minute: tell its live state, and then
    /// [`InterviewStore::end_told`]; else another node gets it after that.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it later.
    pub async fn ends_due(&self, after: Duration, limit: u32) -> Result<Vec<EndDue>, StoreError> {
        let sql = format!(
            "WITH due AS (
                SELECT s.interview_id,
                    CASE WHEN s.state NOT IN {LIVE} THEN s.state
                        WHEN i.status IN ('COMPLETED', 'EXPIRED', 'CANCELLED') THEN lower(i.status)
                        ELSE 'expired' END AS to_state
                FROM convoke.sessions s JOIN convoke.interviews i ON i.id = s.interview_id
                WHERE NOT s.end_told AND (s.end_claimed_until IS NULL OR s.end_claimed_until < now())
                    AND (s.created_at <= now() - make_interval(secs => $2) OR s.state NOT IN {LIVE}
                        OR i.status IN ('COMPLETED', 'EXPIRED', 'CANCELLED'))
                ORDER BY s.created_at LIMIT $1 FOR UPDATE OF s SKIP LOCKED
            ), expired AS (
                UPDATE convoke.interviews i SET status = 'EXPIRED', updated_at = now() FROM due
                WHERE i.id = due.interview_id AND due.to_state = 'expired' AND i.status IN ('SCHEDULED', 'ONGOING')
            )
            UPDATE convoke.sessions s SET state = due.to_state, ended_at = coalesce(s.ended_at, now()),
                end_claimed_until = now() + make_interval(secs => $3)
            FROM due WHERE s.interview_id = due.interview_id RETURNING s.interview_id, s.state"
        );
        let (limit, after, lease) = (i64::from(limit), after.as_secs_f64(), END_LEASE.as_secs_f64());
        let rows = self.postgres.write(&sql, &[&limit, &after, &lease]).await?;
        let end = |row: &Row| Ok(EndDue { interview: column(row, "interview_id")?, to: state(row)? });
        rows.iter().map(end).collect()
    }

    /// The live state knows of the end.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it, or leave it to the next who is due.
    pub async fn end_told(&self, interview: Uuid) -> Result<(), StoreError> {
        let sql = format!("UPDATE convoke.sessions SET end_told = true WHERE interview_id = $1 AND state NOT IN {LIVE}");
        self.postgres.write(&sql, &[&interview]).await.map(drop)
    }

    /// Stores the summary of a completed interview; the first one stays.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it.
    pub async fn summary(&self, interview: Uuid, summary: &Summary) -> Result<(), StoreError> {
        const SQL: &str = "
            UPDATE convoke.sessions SET summary = coalesce(summary, $2), summary_due_at = NULL WHERE interview_id = $1";
        let summary = serde_json::to_value(summary).unwrap_or_default();
        self.postgres.write(SQL, &[&interview, &summary]).await.map(drop)
    }

    /// Completed interviews whose summary is to be tried again. Each is this caller's until it is due once more: later each time, for 24
    /// hours after the end.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: they are due again later.
    pub async fn summaries_due(&self, limit: u32) -> Result<Vec<Uuid>, StoreError> {
        const SQL: &str = "
            WITH due AS (
                SELECT interview_id FROM convoke.sessions
                WHERE summary_due_at <= now() AND state = 'completed' AND summary IS NULL
                ORDER BY summary_due_at LIMIT $1 FOR UPDATE SKIP LOCKED
            )
            UPDATE convoke.sessions s SET summary_tries = s.summary_tries + 1,
                summary_due_at = CASE WHEN s.ended_at > now() - make_interval(secs => $2)
                    THEN now() + least(interval '1 minute' * power(2, least(s.summary_tries, 10)), interval '30 minutes') END
            FROM due WHERE s.interview_id = due.interview_id RETURNING s.interview_id";
        let rows = self.postgres.write(SQL, &[&i64::from(limit), &SUMMARY_TRIED.as_secs_f64()]).await?;
        rows.iter().map(|row| column(row, "interview_id")).collect()
    }
}

/// A moment from its ms since 1970.
pub(super) fn moment(ms: u64) -> Result<jiff::Timestamp, StoreError> {
    let moment = i64::try_from(ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    moment.ok_or_else(|| StoreError::Internal("a moment is too far away".into()))
}

fn as_json<T: serde::Serialize>(value: &Option<T>) -> Option<Value> {
    value.as_ref().and_then(|value| serde_json::to_value(value).ok())
}

fn state(row: &Row) -> Result<SessionState, StoreError> {
    let text: String = column(row, "state")?;
    text.parse().map_err(|()| StoreError::Internal(format!("a session has the state {text:?}").into()))
}

fn session_row(row: &Row) -> Result<SessionRow, StoreError> {
    let number = |name: &str| Ok::<_, StoreError>(u32::try_from(column::<i32>(row, name)?).unwrap_or_default());
    let score: i16 = column(row, "trust")?;
    Ok(SessionRow {
        id: column(row, "id")?,
        state: state(row)?,
        rev: u64::try_from(column::<i64>(row, "rev")?).unwrap_or_default(),
        created_at: column(row, "created_at")?,
        started_at: column(row, "started_at")?,
        ended_at: column(row, "ended_at")?,
        position: number("position")?,
        asked: column(row, "asked")?,
        progress: column(row, "progress")?,
        trust: Trust {
            score: u8::try_from(score).unwrap_or_default(),
            faces: number("faces")?,
            tabs: number("tabs")?,
            fullscreen: number("fullscreen")?,
            suspicious: number("suspicious")?,
        },
        summary: column(row, "summary")?,
    })
}
