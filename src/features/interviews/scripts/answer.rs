//! Answers: one is taken from the candidate, finished by the node that conducts the interview, and followed by the next question or
//! the end.

use std::time::Duration;

use uuid::Uuid;

use super::{Candidate, HUB, Outcome, all_keys, head, json, judged, live};
use crate::cluster::scripts::Op;
use crate::features::interviews::wire::{Progress, Question, Summary};
use crate::redis::script::{Args, Eval, Reply};
use crate::rooms::scripts::Told;

/// `response-complete`.
#[derive(Debug, Clone, Copy)]
pub struct Response<'a> {
    /// `None`: the question that was sent last.
    pub question_id: Option<&'a str>,
    pub transcription: &'a str,
    pub audio_url: &'a str,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AnswerTake {
    /// It is kept: wake the node that conducts the interview.
    Taken {
        /// Of its question.
        position: u32,
        told: Told,
        due_in: Option<Duration>,
    },
    /// This question is answered already: `duplicate:true`.
    Repeated,
    /// No question with this id was asked.
    OtherQuestion,
}

/// Takes the answer to the open question, once.
pub async fn answer_take<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    candidate: Candidate<'_>,
    response: Response<'_>,
) -> Outcome<AnswerTake, E::Error> {
    let args = head(op, interview, candidate).text(response.question_id.unwrap_or(""));
    let args = args.text(response.transcription).text(response.audio_url).done();
    let mut reply = Reply::new(TAKE.name, redis.eval_write(&TAKE, all_keys(interview), args).await?)?;
    let (outcome, told) = match judged(&mut reply)? {
        Ok(head) => head,
        Err(refused) => return Ok(Err(refused)),
    };
    Ok(Ok(match outcome.as_str() {
        "ok" => {
            let (position, _resumed) = (reply.parsed()?, reply.flag()?);
            AnswerTake::Taken { position, told, due_in: reply.wait()? }
        }
        "other_question" => AnswerTake::OtherQuestion,
        _ => AnswerTake::Repeated,
    }))
}

/// What an answer is worth; nulls on the wire if nobody has evaluated it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Evaluated<'a> {
    /// From 0 to 100.
    pub score: Option<f64>,
    pub evaluation: Option<&'a str>,
}

impl Evaluated<'_> {
    fn push(self, args: Args) -> Args {
        args.owned(json(&self.score)).owned(json(&self.evaluation))
    }
}

/// An answer that is in PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredAnswer {
    /// Of its question.
    pub position: u32,
    /// How many of its final turns are stored with it.
    pub turns: usize,
}

/// What came of finishing an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    Told {
        told: Told,
        due_in: Option<Duration>,
    },
    /// Another call was faster.
    Past,
    /// Nobody has answered yet.
    NoAnswer,
    /// There are final turns beyond those that are stored.
    MoreTurns,
}

/// The answer at a position is finished and stored: the next question goes out, with the answer's evaluation to observers.
///
/// [`Refused::Ended`](super::Refused::Ended): the session has ended meanwhile, and has let go of the answer.
pub async fn question_ask<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    stored: StoredAnswer,
    question: &Question,
    progress: &Progress,
    evaluated: Evaluated<'_>,
) -> Outcome<Finished, E::Error> {
    let args = head(op, interview, HUB).int(stored.position.into()).owned(json(question)).text(&question.question_id);
    let args = evaluated.push(args.owned(json(&question.text)).owned(json(progress))).int(stored.turns as u64).done();
    let mut reply = Reply::new(ASK.name, redis.eval_write(&ASK, all_keys(interview), args).await?)?;
    Ok(judged(&mut reply)?.map(|(outcome, told)| finished(&outcome, told, None)))
}

/// The last answer is finished and stored: the session is completed. The candidate gets `interview-complete`, observers its evaluation.
/// The timer `work` stays set until the summary is told.
pub async fn session_complete<E: Eval>(
    redis: &E,
    interview: Uuid,
    op: Op<'_>,
    stored: StoredAnswer,
    progress: &Progress,
    evaluated: Evaluated<'_>,
) -> Outcome<Finished, E::Error> {
    let args = evaluated
        .push(head(op, interview, HUB).int(stored.position.into()).owned(json(progress)))
        .int(stored.turns as u64)
        .done();
    let mut reply = Reply::new(COMPLETE.name, redis.eval_write(&COMPLETE, all_keys(interview), args).await?)?;
    match judged(&mut reply)? {
        Ok((outcome, told)) => Ok(Ok(finished(&outcome, told, reply.wait()?))),
        Err(refused) => Ok(Err(refused)),
    }
}

fn finished(outcome: &str, told: Told, due_in: Option<Duration>) -> Finished {
    match outcome {
        "ok" => Finished::Told { told, due_in },
        "past" => Finished::Past,
        "more_turns" => Finished::MoreTurns,
        _ => Finished::NoAnswer,
    }
}

/// `interview-completed` to observers, once. `None`: it was told before, or the session is not completed.
pub async fn summary_tell<E: Eval>(redis: &E, interview: Uuid, op: Op<'_>, summary: &Summary) -> Result<Option<Told>, E::Error> {
    let args = head(op, interview, HUB).owned(json(summary)).done();
    let mut reply = Reply::new(SUMMARY.name, redis.eval_write(&SUMMARY, all_keys(interview), args).await?)?;
    Ok(judged(&mut reply)?.ok().filter(|(outcome, _)| outcome == "ok").map(|(_, told)| told))
}

live!(TAKE = "answer_take");
live!(ASK = "question_ask", "interviews/lib/finish");
live!(COMPLETE = "session_complete", "interviews/lib/finish", "interviews/lib/complete");
live!(SUMMARY = "summary_tell");
