//! An OpenAI-compatible `POST /chat/completions` with JSON-schema output.

use std::time::Duration;

use futures_util::future::BoxFuture;
use rand::Rng as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::schema::{Form, Question};
use super::{About, Ai, AiError, Answered, Evaluation, Summary, prompt};
use crate::features::interviews::providers::http::{Answer, Api, CallError};
use crate::features::interviews::providers::{SetupError, count};
use crate::features::interviews::settings;
use crate::telemetry::{due, once_a_minute};

/// For one try, the body included.
const DEADLINE: Duration = Duration::from_secs(15);
const TRIES: u32 = 2;
/// Bytes of an answer.
const LARGEST_ANSWER: usize = 256 * 1024;

/// A client of the API.
pub struct OpenAi {
    api: Api,
    model: Box<str>,
    deadline: Duration,
}

/// The parts of an answer that are looked at.
#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

impl OpenAi {
    /// # Errors
    /// [`SetupError`].
    pub fn new(settings: &settings::Ai) -> Result<Self, SetupError> {
        Ok(Self { api: Api::new(&settings.base, &settings.key)?, model: settings.model.clone(), deadline: DEADLINE })
    }

    /// With another deadline for one try.
    #[must_use]
    pub fn within(self, deadline: Duration) -> Self {
        Self { deadline, ..self }
    }

    /// Whether it takes our key, and knows our model; for `convoke check`.
    pub async fn check(&self) -> Result<String, String> {
        self.api.check(&self.model).await
    }

    /// Asks up to twice.
    async fn ask<T: Form>(&self, messages: Value) -> Result<T, AiError> {
        let format = json!({"name": T::NAME, "strict": true, "schema": T::schema()});
        let format = json!({"type": "json_schema", "json_schema": format});
        let body = json!({"model": self.model, "messages": messages, "response_format": format});
        let mut tried = 0;
        loop {
            let outcome = self.once(&body).await;
            count("ai", &outcome, AiError::word);
            tried += 1;
            let Err(error) = &outcome else { return outcome };
            if let Some(times) = due("the AI gives no usable answer") {
                tracing::warn!(%error, form = T::NAME, times, "the AI gives no usable answer");
            }
            if tried == TRIES || !may_pass(error) {
                return outcome;
            }
            let pause_ms = rand::rng().random_range(200..600);
            sleep(Duration::from_millis(pause_ms)).await;
        }
    }

    async fn once<T: Form>(&self, body: &Value) -> Result<T, AiError> {
        let answer =
            self.api.post("/chat/completions", body, self.deadline, LARGEST_ANSWER).await.map_err(|error| match error {
                CallError::Unreachable(why) => AiError::Unreachable(why),
                CallError::TimedOut => AiError::TimedOut,
                CallError::TooLarge => AiError::Unfit("it is too large"),
            })?;
        if answer.status != 200 {
            once_a_minute!(warn, "the AI refuses a call", status = answer.status, says = self.api.words(&answer));
        }
        T::read(&content(&answer)?).map_err(AiError::Unfit)
    }
}

/// Whether the same call may succeed a moment later. What is wrong with the call itself, or with the key, stays so.
fn may_pass(error: &AiError) -> bool {
    !matches!(error, AiError::Status(status) if (400..500).contains(status) && !matches!(status, 408 | 409 | 425 | 429))
}

/// What the model has written.
fn content(answer: &Answer) -> Result<String, AiError> {
    if answer.status != 200 {
        return Err(AiError::Status(answer.status));
    }
    let completion: Completion = serde_json::from_slice(&answer.body).map_err(|_| AiError::Unfit("it is no completion"))?;
    let choice = completion.choices.into_iter().next().ok_or(AiError::Unfit("it holds no choice"))?;
    match choice.finish_reason.as_deref() {
        Some("length") => return Err(AiError::CutOff),
        Some("content_filter") => return Err(AiError::Refused),
        _ => {}
    }
    if choice.message.refusal.is_some_and(|refusal| !refusal.is_empty()) {
        return Err(AiError::Refused);
    }
    choice.message.content.ok_or(AiError::Unfit("it is empty"))
}

impl Ai for OpenAi {
    fn evaluate<'a>(&'a self, about: About<'a>, answered: &'a Answered) -> BoxFuture<'a, Result<Evaluation, AiError>> {
        Box::pin(self.ask(prompt::evaluation(about, answered)))
    }

    fn next_question<'a>(
        &'a self,
        about: About<'a>,
        so_far: &'a [Answered],
        planned: &'a str,
    ) -> BoxFuture<'a, Result<String, AiError>> {
        Box::pin(async move {
            let Question(question) = self.ask(prompt::question(about, so_far, planned)).await?;
            Ok(question)
        })
    }

    fn summarize<'a>(&'a self, about: About<'a>, answers: &'a [Answered]) -> BoxFuture<'a, Result<Summary, AiError>> {
        Box::pin(self.ask(prompt::summary(about, answers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: Value) -> Result<String, AiError> {
        content(&Answer { status: 200, body: body.to_string().into() })
    }

    #[test]
    fn a_refusal_a_cut_and_what_is_no_completion_are_failures() {
        let choice = |message: Value, reason: &str| json!({"choices": [{"message": message, "finish_reason": reason}]});
        assert_eq!(told(choice(json!({"content": "{}", "refusal": null}), "stop")), Ok("{}".into()));
        assert_eq!(told(choice(json!({"content": null, "refusal": "I cannot"}), "stop")), Err(AiError::Refused));
        assert_eq!(told(choice(json!({"content": "{}"}), "content_filter")), Err(AiError::Refused));
        assert_eq!(told(choice(json!({"content": "{\"sco"}), "length")), Err(AiError::CutOff));
        assert_eq!(told(choice(json!({"content": null}), "stop")), Err(AiError::Unfit("it is empty")));
        assert_eq!(told(json!({"choices": []})), Err(AiError::Unfit("it holds no choice")));
        assert_eq!(told(json!("x")), Err(AiError::Unfit("it is no completion")));
        assert_eq!(content(&Answer { status: 500, body: "".into() }), Err(AiError::Status(500)));
    }

    #[test]
    fn what_cannot_pass_is_not_asked_again() {
        for (status, again) in [(400, false), (401, false), (404, false), (408, true), (429, true), (500, true), (503, true)] {
            assert_eq!(may_pass(&AiError::Status(status)), again, "{status}");
        }
        assert!(may_pass(&AiError::Refused) && may_pass(&AiError::TimedOut) && may_pass(&AiError::CutOff));
    }
}
