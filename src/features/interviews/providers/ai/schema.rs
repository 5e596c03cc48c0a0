//! What the AI may answer: the schema that it is sent, and the check of what comes, which does not trust the schema.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Evaluation, Recommendation, Summary};

/// Characters of a text, of an item of a list, and items of a list. A longer one does not fit.
const MOST_TEXT: usize = 8000;
const MOST_ITEM: usize = 1000;
const MOST_ITEMS: usize = 20;
const MOST_QUESTION: usize = 2000;

/// One form of answer.
pub(super) trait Form: Sized {
    /// 1–64 of `[A-Za-z0-9_-]`.
    const NAME: &'static str;

    fn schema() -> Value;

    /// Reads an answer; `Err` says why it does not fit.
    fn read(text: &str) -> Result<Self, &'static str>;
}

/// Of a question that the AI words.
pub(super) struct Question(pub String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EvaluationAnswer {
    score: f64,
    evaluation: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuestionAnswer {
    question: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SummaryAnswer {
    overall_score: f64,
    recommendation: Recommendation,
    strengths: Vec<String>,
    weaknesses: Vec<String>,
    summary: String,
}

/// An object with exactly these properties, as strict schemas must have it.
fn object(properties: Value) -> Value {
    let required: Vec<_> = properties.as_object().into_iter().flat_map(|map| map.keys().cloned()).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, &'static str> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => "it has other fields than the schema",
        _ => "it is no JSON",
    })
}

/// A whole number from 0 to 100, however it is written.
fn score(number: f64) -> Result<u8, &'static str> {
    // The cast is exact: it is a whole number in range.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let score = number as u8;
    let fits = (0.0..=100.0).contains(&number) && number.fract() == 0.0;
    if fits { Ok(score) } else { Err("the score is no whole number from 0 to 100") }
}

fn text(text: String, most: usize) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("a text is empty"),
        trimmed if trimmed.chars().nth(most).is_some() => Err("a text is too long"),
        trimmed if trimmed.len() == text.len() => Ok(text),
        trimmed => Ok(trimmed.to_owned()),
    }
}

fn list(items: Vec<String>) -> Result<Vec<String>, &'static str> {
    if items.len() > MOST_ITEMS {
        return Err("a list is too long");
    }
    items.into_iter().map(|item| text(item, MOST_ITEM)).collect()
}

impl Form for Evaluation {
    const NAME: &'static str = "answer_evaluation";

    fn schema() -> Value {
        object(json!({
            "score": {"type": "integer", "description": "0 (no answer to the question) to 100 (excellent)"},
            "evaluation": {"type": "string", "description": "Two to four sentences that give the reason for the score"},
        }))
    }

    fn read(answer: &str) -> Result<Self, &'static str> {
        let answer: EvaluationAnswer = read(answer)?;
        Ok(Self { score: score(answer.score)?, evaluation: text(answer.evaluation, MOST_TEXT)? })
    }
}

impl Form for Question {
    const NAME: &'static str = "next_question";

    fn schema() -> Value {
        object(json!({"question": {"type": "string", "description": "The question, as it is to be read to the candidate"}}))
    }

    fn read(answer: &str) -> Result<Self, &'static str> {
        let answer: QuestionAnswer = read(answer)?;
        text(answer.question, MOST_QUESTION).map(Self)
    }
}

impl Form for Summary {
    const NAME: &'static str = "interview_summary";

    fn schema() -> Value {
        let texts = |description: &str| json!({"type": "array", "items": {"type": "string"}, "description": description});
        object(json!({
            "overallScore": {"type": "integer", "description": "0 to 100, over the whole interview"},
            "recommendation": {"type": "string", "enum": ["strong_hire", "hire", "no_hire"]},
            "strengths": texts("Up to five short phrases"),
            "weaknesses": texts("Up to five short phrases"),
            "summary": {"type": "string", "description": "Three to six sentences for the recruiter"},
        }))
    }

    fn read(answer: &str) -> Result<Self, &'static str> {
        let answer: SummaryAnswer = read(answer)?;
        Ok(Self {
            overall_score: score(answer.overall_score)?,
            recommendation: answer.recommendation,
            strengths: list(answer.strengths)?,
            weaknesses: list(answer.weaknesses)?,
            summary: text(answer.summary, MOST_TEXT)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_schemas_are_what_strict_output_takes() {
        for (name, schema) in
            [(Evaluation::NAME, Evaluation::schema()), (Question::NAME, Question::schema()), (Summary::NAME, Summary::schema())]
        {
            assert!(name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{name}");
            assert_eq!(schema["additionalProperties"], false);
            assert_eq!(schema["required"].as_array().unwrap().len(), schema["properties"].as_object().unwrap().len());
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_whatever_the_schema_said() {
        let evaluation = |text: &str| Evaluation::read(text).map(|evaluation| evaluation.score);
        assert_eq!(evaluation(r#"{"score": 85, "evaluation": "Strong response"}"#), Ok(85));
        assert_eq!(evaluation(r#"{"score": 85.0, "evaluation": "Strong response"}"#), Ok(85));
        for bad in [
            "",
            "Strong response",
            "null",
            "[85]",
            r#"{"score": 101, "evaluation": "x"}"#,
            r#"{"score": -1, "evaluation": "x"}"#,
            r#"{"score": 8.5, "evaluation": "x"}"#,
            r#"{"score": "85", "evaluation": "x"}"#,
            r#"{"score": 85}"#,
            r#"{"score": 85, "evaluation": ""}"#,
            r#"{"score": 85, "evaluation": "x", "more": 1}"#,
            r#"```json {"score": 85, "evaluation": "x"} ```"#,
        ] {
            assert!(evaluation(bad).is_err(), "{bad}");
        }
        let long = json!({"score": 85, "evaluation": "x".repeat(MOST_TEXT + 1)}).to_string();
        assert_eq!(evaluation(&long), Err("a text is too long"));
    }

    #[test]
    fn a_summary_recommends_one_of_three() {
        let summary = |recommendation: &str, strengths: usize| {
            let strengths = vec!["calm"; strengths];
            Summary::read(
                &json!({"overallScore": 78, "recommendation": recommendation, "strengths": strengths, "weaknesses": [],
                        "summary": "Good."})
                .to_string(),
            )
        };
        for (text, known) in
            [("strong_hire", Recommendation::StrongHire), ("hire", Recommendation::Hire), ("no_hire", Recommendation::NoHire)]
        {
            assert_eq!(summary(text, 2).unwrap().recommendation, known);
            assert_eq!(known.as_str(), text);
        }
        assert!(summary("maybe", 0).is_err());
        assert_eq!(summary("hire", MOST_ITEMS + 1), Err("a list is too long"));
    }
}
