//! Questions as they go out: their words, their audio, and how far the interview has come with them.

use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;

use super::{Conductor, clean};
use crate::features::interviews::providers::ai::{About, Answered};
use crate::features::interviews::providers::audio::StorageError;
use crate::features::interviews::store::{Question as Planned, Template};
use crate::features::interviews::wire::{Progress, Question};
use crate::telemetry::once_a_minute;

/// A question does not wait longer for the storing of its audio.
const STORING_PATIENCE: Duration = Duration::from_secs(5);
/// Characters of a question that the AI may have worded. A longer one is the template's.
const LONGEST_WORDING: usize = 4_000;

impl Conductor {
    /// The question at a position, from 1, in these words or the template's. `None`: there is none.
    pub(super) async fn question(&self, id: Uuid, template: &Template, position: u32, words: Option<String>) -> Option<Question> {
        let planned = planned(template, position)?;
        let text = words.unwrap_or_else(|| planned.text.clone());
        let audio_url = self.question_audio(id, position, &text).await.unwrap_or_default();
        Some(Question { question_id: planned.id.clone(), text, audio_url, kind: planned.kind.clone(), order: position })
    }

    /// The words of the question at a position after what was said so far. `None`: the template's.
    pub(super) async fn words(&self, template: &Template, position: u32, so_far: &[Answered]) -> Option<String> {
        let (ai, planned) = (self.providers.ai.as_ref()?, planned(template, position)?);
        match ai.next_question(about(template, planned), so_far, &planned.text).await {
            Ok(words) => {
                let words = clean(words.trim());
                (!words.is_empty() && words.chars().count() <= LONGEST_WORDING).then_some(words)
            }
            Err(error) => {
                once_a_minute!(warn, "the AI does not word a question: it is asked as the template has it", %error);
                None
            }
        }
    }

    /// Where its audio is. `None`: it is asked without.
    async fn question_audio(&self, id: Uuid, position: u32, text: &str) -> Option<String> {
        let (voice, audio) = (self.providers.voice.as_ref()?, self.providers.audio.as_ref()?);
        let spoken = voice.speak(text).await.inspect_err(|error| once_a_minute!(warn, "a question has no audio", %error)).ok()?;
        let key = format!("interviews/{id}/question-{position}.{}", spoken.extension);
        let stored = async {
            audio.put(&key, spoken.content_type, spoken.audio).await?;
            audio.url(&key).await
        };
        let stored = timeout(STORING_PATIENCE, stored).await.unwrap_or(Err(StorageError::TimedOut));
        stored.inspect_err(|error| once_a_minute!(warn, "the audio of a question is not stored", %error)).ok()
    }
}

/// What the AI is to know of a question.
pub fn about<'a>(template: &'a Template, planned: &Planned) -> About<'a> {
    let assessment = (planned.assessment as usize).checked_sub(1).and_then(|at| template.assessments.get(at));
    About { title: &template.title, assessment: assessment.map_or("", String::as_str) }
}

/// The question at a position, from 1.
pub fn planned(template: &Template, position: u32) -> Option<&Planned> {
    template.questions.get((position as usize).checked_sub(1)?)
}

/// How far an interview has come that is at this question.
pub fn progress(template: &Template, position: u32) -> Progress {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Progress {
        current_assessment: planned(template, position).map_or(0, |planned| planned.assessment),
        total_assessments: count(template.assessments.len()),
        current_question: position,
        total_questions: count(template.questions.len()),
    }
}
