//! What goes on in an interview beside its sockets, as the gateway knows it.

use std::sync::Arc;

use uuid::Uuid;

use crate::features::interviews::error::InterviewError;
use crate::features::interviews::live::Live;
use crate::features::interviews::store::Template;
use crate::features::interviews::wire::{Progress, Question};

/// One in a process.
pub struct Conduct {
    live: Arc<Live>,
}

impl Conduct {
    pub fn new(live: Arc<Live>) -> Arc<Self> {
        Arc::new(Self { live })
    }

    /// There may be something to do for this interview.
    pub fn wake(&self, _id: Uuid) {}

    /// Audio was taken.
    pub fn wake_for_audio(&self, _id: Uuid) {}

    /// The question at a position, from 1. `None`: there is none.
    pub async fn prepare_question(&self, id: Uuid, position: u32) -> Result<Option<Question>, InterviewError> {
        let template = self.live.interviews.store.template(id).await?.ok_or(InterviewError::NotFound)?;
        let planned = (position as usize).checked_sub(1).and_then(|at| template.questions.get(at));
        Ok(planned.map(|planned| Question {
            question_id: planned.id.clone(),
            text: planned.text.clone(),
            audio_url: String::new(),
            kind: planned.kind.clone(),
            order: position,
        }))
    }
}

/// How far an interview has come that is at this question.
pub fn progress(template: &Template, position: u32) -> Progress {
    let planned = (position as usize).checked_sub(1).and_then(|at| template.questions.get(at));
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Progress {
        current_assessment: planned.map_or(0, |planned| planned.assessment),
        total_assessments: count(template.assessments.len()),
        current_question: position,
        total_questions: count(template.questions.len()),
    }
}
