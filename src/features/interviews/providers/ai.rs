//! The AI that scores answers, words questions and writes the summary.
//!
//! A call fails after two tries of 15 s at most. Nothing is kept between two calls: each is given all that it needs.

pub mod openai;
mod prompt;
mod schema;

use futures_util::future::BoxFuture;

/// What the AI does for an interview.
pub trait Ai: Send + Sync {
    /// Scores one answer.
    fn evaluate<'a>(&'a self, about: About<'a>, answered: &'a Answered) -> BoxFuture<'a, Result<Evaluation, AiError>>;

    /// Words the next question, from the one that the template has there and what was said so far. It keeps the subject of the
    /// template's question.
    fn next_question<'a>(
        &'a self,
        about: About<'a>,
        so_far: &'a [Answered],
        planned: &'a str,
    ) -> BoxFuture<'a, Result<String, AiError>>;

    /// Judges a whole interview.
    fn summarize<'a>(&'a self, about: About<'a>, answers: &'a [Answered]) -> BoxFuture<'a, Result<Summary, AiError>>;
}

/// What an interview is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About<'a> {
    /// The title of the template.
    pub title: &'a str,
    /// The title of the assessment to which the question belongs; of a summary: empty.
    pub assessment: &'a str,
}

/// A question and what the candidate said to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answered {
    pub question: String,
    /// As the template has it: `BEHAVIORAL`, …
    pub kind: String,
    /// May be empty.
    pub answer: String,
    /// What it was scored with, if it was.
    pub score: Option<u8>,
}

/// What the AI thinks of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// 0 to 100.
    pub score: u8,
    /// A few sentences.
    pub evaluation: String,
}

/// What the AI thinks of a whole interview.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// 0 to 100.
    pub overall_score: u8,
    pub recommendation: Recommendation,
    pub strengths: Vec<String>,
    pub weaknesses: Vec<String>,
    /// A few sentences.
    pub summary: String,
}

/// Whether the AI would hire the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recommendation {
    StrongHire,
    Hire,
    NoHire,
}

impl Recommendation {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StrongHire => "strong_hire",
            Self::Hire => "hire",
            Self::NoHire => "no_hire",
        }
    }
}

/// Why there is no usable answer. Each is what the last try met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AiError {
    /// No connection, or it broke.
    #[error("the AI cannot be reached: {0}")]
    Unreachable(String),
    /// 15 s are over.
    #[error("the AI did not answer in time")]
    TimedOut,
    /// It answered with this status.
    #[error("the AI answered {0}")]
    Status(u16),
    /// The model declines to answer.
    #[error("the AI refused to answer")]
    Refused,
    /// The answer was cut off (`finish_reason: "length"`).
    #[error("the AI's answer was cut off")]
    CutOff,
    /// It is too large, no JSON, or does not fit the schema.
    #[error("the AI's answer does not fit: {0}")]
    Unfit(&'static str),
}

impl AiError {
    /// For metrics.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Status(_) => "status",
            Self::Refused => "refused",
            Self::CutOff => "cut_off",
            Self::Unfit(_) => "unfit",
        }
    }
}
