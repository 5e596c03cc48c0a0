//! An interview as the company's own services see it. Pure.

use schemars::JsonSchema;
use serde::Serialize;

use super::store::{Interview, Question, Template};

/// The interview with its template.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Whole {
    #[serde(flatten)]
    pub interview: Interview,
    pub template: TemplateView,
    /// Over all assessments.
    pub total_questions: usize,
    /// Minutes.
    pub estimated_duration: u32,
}

/// What is asked in an interview.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "InterviewTemplate")]
pub struct TemplateView {
    pub id: String,
    pub title: String,
    /// Minutes.
    pub total_duration: u32,
    pub assessments: Vec<AssessmentView>,
}

/// Questions that belong together.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "InterviewAssessment")]
pub struct AssessmentView {
    pub title: String,
    pub questions: Vec<QuestionView>,
}

/// A question of an interview.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "InterviewQuestion")]
pub struct QuestionView {
    pub id: String,
    pub text: String,
    #[serde(rename = "type")]
    pub kind: String,
    /// Over all assessments, from 1, as the candidate will see it.
    pub order: usize,
}

impl Whole {
    pub fn new(interview: Interview, template: Template) -> Self {
        let Template { id, title, total_duration, assessments, questions } = template;
        let of = |assessment: u32| -> Vec<QuestionView> {
            let numbered = (1..).zip(&questions).filter(|(_, question)| question.assessment == assessment);
            let shown = numbered.map(|(order, Question { id, text, kind, .. })| QuestionView {
                id: id.clone(),
                text: text.clone(),
                kind: kind.clone(),
                order,
            });
            shown.collect()
        };
        let assessments = (1..).zip(assessments).map(|(number, title)| AssessmentView { title, questions: of(number) }).collect();
        let template = TemplateView { id, title, total_duration, assessments };
        Self { interview, template, total_questions: questions.len(), estimated_duration: total_duration }
    }
}
