//! Answers, what they were scored with, and what was said.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::sessions::moment;
use super::{InterviewStore, to_int};
use crate::features::interviews::scripts::Turn;
use crate::store::{StoreError, Time, column};

/// An answer to be stored.
#[derive(Clone, Copy, Debug)]
pub struct NewResponse<'a> {
    pub question_id: &'a str,
    pub position: u32,
    /// As the question was put.
    pub asked: &'a str,
    /// The client's.
    pub transcription: &'a str,
    /// An address, or a key of the audio storage. Empty: there is no audio.
    pub audio: &'a str,
    /// ms since 1970.
    pub answered_at: u64,
    pub turns: &'a [Turn],
}

/// An answer as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResponse {
    pub question_id: String,
    pub position: u32,
    pub asked: String,
    pub transcription: String,
    /// What the hub's speech to text has understood.
    pub stt_transcript: String,
    /// An address, or a key of the audio storage. Empty: there is no audio.
    pub audio: String,
    /// From 0 to 100.
    pub score: Option<f64>,
    pub evaluation: Option<String>,
    pub answered_at: Time,
    /// `None`: it was not evaluated.
    pub evaluated_at: Option<Time>,
}

/// The new turns of a question ($2), from the columns $3 to $7, and all turns that it has with them, as one text.
const TURNS: &str = "
    added AS (
        INSERT INTO convoke.transcripts (interview_id, stream, turn_order, question_id, text, confidence, spoken_at)
        SELECT $1, stream, turn_order, $2, text, confidence, spoken_at
        FROM unnest($3::text[], $4::int[], $5::text[], $6::float8[], $7::timestamptz[])
            AS said (stream, turn_order, text, confidence, spoken_at)
        ON CONFLICT DO NOTHING RETURNING stream, turn_order, text, spoken_at
    ), said AS (
        SELECT coalesce(string_agg(text, ' ' ORDER BY spoken_at, stream, turn_order), '') AS text FROM (
            SELECT stream, turn_order, text, spoken_at FROM added
            UNION ALL
            SELECT stream, turn_order, text, spoken_at FROM convoke.transcripts WHERE interview_id = $1 AND question_id = $2
        ) AS turns
    )";

/// Turns as columns of a statement.
struct Columns<'a> {
    streams: Vec<&'a str>,
    orders: Vec<i32>,
    texts: Vec<String>,
    confidences: Vec<f64>,
    times: Vec<jiff::Timestamp>,
}

impl<'a> Columns<'a> {
    fn of(turns: &'a [Turn]) -> Result<Self, StoreError> {
        Ok(Self {
            streams: turns.iter().map(|turn| &*turn.stream).collect(),
            orders: turns.iter().map(|turn| to_int(turn.order)).collect(),
            texts: turns.iter().map(|turn| storable(&turn.text)).collect(),
            confidences: turns.iter().map(|turn| turn.confidence).collect(),
            times: turns.iter().map(|turn| moment(turn.at)).collect::<Result<_, _>>()?,
        })
    }
}

impl InterviewStore {
    /// Stores an answer with its turns, all or nothing. False: one was stored for this question before, and stays; turns that it lacks are
    /// added.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it.
    pub async fn answer(&self, interview: Uuid, new: &NewResponse<'_>) -> Result<bool, StoreError> {
        let sql = format!(
            "WITH {TURNS}
            INSERT INTO convoke.responses AS r (interview_id, question_id, position, asked_text, transcription, stt_transcript,
                audio_url, answered_at)
            SELECT $1, $2, $8, $9, $10, said.text, $11, $12 FROM said
            ON CONFLICT (interview_id, question_id) DO UPDATE SET stt_transcript = excluded.stt_transcript
            RETURNING xmax = 0 AS is_new"
        );
        let turns = Columns::of(new.turns)?;
        let (transcription, answered_at) = (storable(new.transcription), moment(new.answered_at)?);
        let params: [&(dyn ToSql + Sync); 12] = [
            &interview,
            &new.question_id,
            &turns.streams,
            &turns.orders,
            &turns.texts,
            &turns.confidences,
            &turns.times,
            &to_int(new.position),
            &storable(new.asked),
            &transcription,
            &new.audio,
            &answered_at,
        ];
        let rows = self.postgres.write(&sql, &params).await?;
        let row = rows.first().ok_or_else(|| StoreError::Internal("an answer was stored without a row".into()))?;
        column(row, "is_new")
    }

    /// Adds turns that came after their answer was stored, or that are too many to wait for it.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it.
    pub async fn amend(&self, interview: Uuid, question_id: &str, turns: &[Turn]) -> Result<(), StoreError> {
        let sql = format!(
            "WITH {TURNS}
            UPDATE convoke.responses SET stt_transcript = said.text FROM said WHERE interview_id = $1 AND question_id = $2"
        );
        let turns = Columns::of(turns)?;
        let params: [&(dyn ToSql + Sync); 7] =
            [&interview, &question_id, &turns.streams, &turns.orders, &turns.texts, &turns.confidences, &turns.times];
        self.postgres.write(&sql, &params).await.map(drop)
    }

    /// What an answer was scored with: by this call, unless it was before. `None`: there is no such answer.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`]: repeat it.
    pub async fn score(
        &self,
        interview: Uuid,
        question_id: &str,
        score: f64,
        evaluation: &str,
    ) -> Result<Option<(f64, String)>, StoreError> {
        const SQL: &str = "
            UPDATE convoke.responses SET
                score = CASE WHEN evaluated_at IS NULL THEN $3 ELSE score END,
                evaluation = CASE WHEN evaluated_at IS NULL THEN $4 ELSE evaluation END,
                evaluated_at = coalesce(evaluated_at, now())
            WHERE interview_id = $1 AND question_id = $2 RETURNING score, evaluation";
        let rows = self.postgres.write(SQL, &[&interview, &question_id, &score, &storable(evaluation)]).await?;
        rows.first().map(|row| Ok((column(row, "score")?, column(row, "evaluation")?))).transpose()
    }

    /// All answers of an interview, by position.
    pub async fn responses(&self, interview: Uuid) -> Result<Vec<StoredResponse>, StoreError> {
        const SQL: &str = "
            SELECT question_id, position, asked_text, transcription, stt_transcript, audio_url, score, evaluation, answered_at,
                evaluated_at
            FROM convoke.responses WHERE interview_id = $1 ORDER BY position, question_id";
        self.postgres.read(SQL, &[&interview]).await?.iter().map(response).collect()
    }
}

/// What PostgreSQL takes: all but NUL.
pub(super) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn response(row: &Row) -> Result<StoredResponse, StoreError> {
    Ok(StoredResponse {
        question_id: column(row, "question_id")?,
        position: u32::try_from(column::<i32>(row, "position")?).unwrap_or_default(),
        asked: column(row, "asked_text")?,
        transcription: column(row, "transcription")?,
        stt_transcript: column(row, "stt_transcript")?,
        audio: column(row, "audio_url")?,
        score: column(row, "score")?,
        evaluation: column(row, "evaluation")?,
        answered_at: column(row, "answered_at")?,
        evaluated_at: column(row, "evaluated_at")?,
    })
}
