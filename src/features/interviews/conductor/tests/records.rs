//! PostgreSQL as the tests of the conductor have it: in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::world::ID;
use crate::core::sync::lock;
use crate::features::interviews::conductor::ports::*;
use crate::features::interviews::providers::ai::Evaluation;
use crate::features::interviews::scripts::{Session, SessionState, Turn};
use crate::features::interviews::store::{Question as Planned, Template};
use crate::features::interviews::wire::Summary;
use crate::store::StoreError;

/// What PostgreSQL holds.
#[derive(Default)]
pub struct Rows {
    /// By question.
    pub answers: BTreeMap<u32, (Response, Option<Evaluation>)>,
    pub kept: Vec<(u64, SessionState)>,
    /// The position that is kept.
    pub position: u32,
    pub completed: Option<bool>,
    pub summary: Option<Summary>,
    pub is_away: bool,
    /// Scores cannot be stored.
    pub takes_no_scores: bool,
}

#[derive(Clone, Default)]
pub struct Postgres(pub Arc<Mutex<Rows>>);

impl Postgres {
    fn with<T: Send + 'static>(&self, what: impl FnOnce(&mut Rows) -> T) -> BoxFuture<'static, Result<T, StoreError>> {
        let mut rows = lock(&self.0);
        let away = StoreError::Unavailable("as the test says".into());
        let result = if rows.is_away { Err(away) } else { Ok(what(&mut rows)) };
        drop(rows);
        Box::pin(async move { result })
    }
}

impl Records for Postgres {
    fn plan(&self, _: Uuid) -> BoxFuture<'_, Result<Option<Plan>, StoreError>> {
        self.with(|_| Some(Plan { template: template() }))
    }

    fn keep<'a>(&'a self, _: Uuid, session: &'a Session) -> BoxFuture<'a, Result<(), StoreError>> {
        let (kept, position) = ((session.rev, session.state), session.position);
        self.with(move |rows| {
            rows.kept.push(kept);
            rows.position = position;
        })
    }

    fn answer<'a>(&'a self, _: Uuid, response: &'a Response) -> BoxFuture<'a, Result<(), StoreError>> {
        let response = response.clone();
        self.with(move |rows| {
            rows.answers.entry(response.position).or_insert((response, None));
        })
    }

    fn amend<'a>(&'a self, _: Uuid, question_id: &'a str, turns: &'a [Turn]) -> BoxFuture<'a, Result<(), StoreError>> {
        let (question_id, turns) = (question_id.to_owned(), turns.to_vec());
        self.with(move |rows| {
            let answer = rows.answers.values_mut().find(|(response, _)| response.question_id == question_id);
            let Some((response, _)) = answer else { return };
            let is_new =
                |turn: &Turn| !response.turns.iter().any(|known| (&known.stream, known.order) == (&turn.stream, turn.order));
            let new: Vec<_> = turns.into_iter().filter(is_new).collect();
            response.turns.extend(new);
        })
    }

    fn score<'a>(&'a self, _: Uuid, id: &'a str, evaluation: &'a Evaluation) -> BoxFuture<'a, Result<Evaluation, StoreError>> {
        let (id, evaluation) = (id.to_owned(), evaluation.clone());
        if lock(&self.0).takes_no_scores {
            return Box::pin(async { Err(StoreError::Unavailable("as the test says".into())) });
        }
        self.with(move |rows| {
            let (_, stored) = rows.answers.values_mut().find(|(response, _)| response.question_id == id).expect("an answer");
            stored.get_or_insert(evaluation).clone()
        })
    }

    fn answers(&self, _: Uuid) -> BoxFuture<'_, Result<Vec<Stored>, StoreError>> {
        self.with(|rows| {
            let stored = |(response, evaluation): &(Response, Option<Evaluation>)| Stored {
                position: response.position,
                asked: response.asked.clone(),
                answer: if response.transcription.is_empty() { spoken(response) } else { response.transcription.clone() },
                evaluation: evaluation.clone(),
            };
            rows.answers.values().map(stored).collect()
        })
    }

    fn complete(&self, _: Uuid, is_summary_due: bool) -> BoxFuture<'_, Result<(), StoreError>> {
        self.with(move |rows| rows.completed = Some(is_summary_due))
    }

    fn summary<'a>(&'a self, _: Uuid, summary: &'a Summary) -> BoxFuture<'a, Result<(), StoreError>> {
        let summary = summary.clone();
        self.with(move |rows| {
            rows.summary.get_or_insert(summary);
        })
    }

    fn summaries_due(&self, _: u32) -> BoxFuture<'_, Result<Vec<Uuid>, StoreError>> {
        self.with(|rows| if rows.completed == Some(true) && rows.summary.is_none() { vec![ID] } else { Vec::new() })
    }
}

/// What was said in an answer, as one text.
pub fn spoken(response: &Response) -> String {
    response.turns.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>().join(" ")
}

pub fn template() -> Template {
    let question = |n: u32| Planned { id: format!("q-{n}"), assessment: 1, text: format!("Question {n}?"), kind: "OPEN".into() };
    Template {
        id: "t".into(),
        title: "T".into(),
        total_duration: 10,
        assessments: vec!["A".into()],
        questions: (1..=3).map(question).collect(),
    }
}
