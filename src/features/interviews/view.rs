//! An interview as the company's own services see it. Pure.

use serde_json::{Value, json};

use super::store::{Interview, Template};

/// The interview with its template. Questions are counted over all assessments from 1, as the candidate will see them.
pub fn whole(interview: &Interview, template: &Template) -> Value {
    let questions = |assessment: usize| -> Vec<Value> {
        let numbered = (1..).zip(&template.questions).filter(|(_, question)| question.assessment as usize == assessment);
        let shown = numbered.map(|(order, q): (usize, _)| json!({"id": q.id, "text": q.text, "type": q.kind, "order": order}));
        shown.collect()
    };
    let assessments = (1..).zip(&template.assessments);
    let assessments = assessments.map(|(number, title)| json!({"title": title, "questions": questions(number)}));
    let mut body = json!(interview);
    body["template"] = json!({
        "id": template.id,
        "title": template.title,
        "totalDuration": template.total_duration,
        "assessments": assessments.collect::<Vec<_>>(),
    });
    body["totalQuestions"] = template.questions.len().into();
    body["estimatedDuration"] = template.total_duration.into();
    body
}
