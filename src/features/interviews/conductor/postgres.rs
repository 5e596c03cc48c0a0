//! The durable records as they are kept in PostgreSQL.

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::ports::{Plan, Records, Response, Stored};
use crate::features::interviews::providers::ai::Evaluation;
use crate::features::interviews::scripts::{Session, Turn};
use crate::features::interviews::store::{InterviewStore, NewResponse, StoredResponse};
use crate::features::interviews::wire::Summary;
use crate::store::StoreError;

/// See the module.
pub struct InPostgres(pub InterviewStore);

impl Records for InPostgres {
    fn plan(&self, id: Uuid) -> BoxFuture<'_, Result<Option<Plan>, StoreError>> {
        Box::pin(async move { Ok(self.0.template(id).await?.map(|template| Plan { template })) })
    }

    fn keep<'a>(&'a self, id: Uuid, session: &'a Session) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.keep(id, session))
    }

    fn answer<'a>(&'a self, id: Uuid, response: &'a Response) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let new = NewResponse {
                question_id: &response.question_id,
                position: response.position,
                asked: &response.asked,
                transcription: &response.transcription,
                audio: &response.audio,
                answered_at: response.answered_at,
                turns: &response.turns,
            };
            self.0.answer(id, &new).await.map(drop)
        })
    }

    fn amend<'a>(&'a self, id: Uuid, question_id: &'a str, turns: &'a [Turn]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.amend(id, question_id, turns))
    }

    fn score<'a>(
        &'a self,
        id: Uuid,
        question_id: &'a str,
        evaluation: &'a Evaluation,
    ) -> BoxFuture<'a, Result<Evaluation, StoreError>> {
        Box::pin(async move {
            let stored = self.0.score(id, question_id, evaluation.score.into(), &evaluation.evaluation).await?;
            Ok(stored.map_or_else(|| evaluation.clone(), |(score, text)| self::evaluation(score, text)))
        })
    }

    fn answers(&self, id: Uuid) -> BoxFuture<'_, Result<Vec<Stored>, StoreError>> {
        Box::pin(async move { Ok(self.0.responses(id).await?.into_iter().map(stored).collect()) })
    }

    fn complete(&self, id: Uuid, is_summary_due: bool) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.0.complete(id, is_summary_due))
    }

    fn summary<'a>(&'a self, id: Uuid, summary: &'a Summary) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.0.summary(id, summary))
    }

    fn summaries_due(&self, limit: u32) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        Box::pin(self.0.summaries_due(limit))
    }
}

fn stored(response: StoredResponse) -> Stored {
    // What the client has understood counts, unless it has understood nothing.
    let answer = if response.transcription.trim().is_empty() { response.stt_transcript } else { response.transcription };
    let evaluation = response.score.map(|score| evaluation(score, response.evaluation.unwrap_or_default()));
    Stored { position: response.position, asked: response.asked, answer, evaluation }
}

/// Scores are whole numbers from 0 to 100.
fn evaluation(score: f64, evaluation: String) -> Evaluation {
    Evaluation { score: score.clamp(0.0, 100.0).round() as u8, evaluation }
}
