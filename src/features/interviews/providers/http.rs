//! What the vendors that are called by HTTP share: one call with a deadline, whose answer has a largest size.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, StatusCode, redirect};
use serde_json::Value;
use tokio::time::timeout;

use super::SetupError;
use crate::core::error::chain;
use crate::settings::Secret;

/// Characters of a refusal that are shown.
const MOST_WORDS: usize = 200;
/// For the connection alone.
pub const CONNECT: Duration = Duration::from_secs(5);

/// An API of one vendor, called with its key.
pub struct Api {
    http: Client,
    /// Without a final slash.
    base: Box<str>,
    key: Secret,
}

/// What was answered, whatever the status.
pub struct Answer {
    pub status: u16,
    pub body: Bytes,
}

/// Why nothing was answered.
#[derive(Debug)]
pub enum CallError {
    Unreachable(String),
    TimedOut,
    TooLarge,
}

/// The value of a header that no log shows.
pub fn secret_header(text: &str) -> Result<HeaderValue, SetupError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| SetupError::Key)?;
    value.set_sensitive(true);
    Ok(value)
}

/// A client that follows no redirect: it would carry the key to wherever the answer points.
pub fn client(headers: HeaderMap) -> Result<Client, SetupError> {
    let builder = Client::builder().connect_timeout(CONNECT).redirect(redirect::Policy::none()).http1_only();
    Ok(builder.default_headers(headers).build()?)
}

impl Api {
    pub fn new(base: &str, key: &Secret) -> Result<Self, SetupError> {
        let header = secret_header(&format!("Bearer {}", key.expose()))?;
        Ok(Self { http: client(HeaderMap::from_iter([(AUTHORIZATION, header)]))?, base: base.into(), key: key.clone() })
    }

    /// Whether the API takes our key and knows this model, as far as `GET /models` says.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self, model: &str) -> Result<String, String> {
        let asked = timeout(CONNECT, self.http.get(format!("{}/models", self.base)).send()).await;
        let response = asked.map_err(|_| "it does not answer in time")?.map_err(|error| chain(&error.without_url()))?;
        match response.status() {
            StatusCode::OK => {}
            // Some that are compatible do not list their models.
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                return Ok("it answers, and does not list its models".into());
            }
            status => return Err(format!("it answers {status}")),
        }
        let body = timeout(CONNECT, response.json::<Value>()).await.ok().and_then(Result::ok).unwrap_or_default();
        let models: Vec<_> = body["data"].as_array().into_iter().flatten().filter_map(|model| model["id"].as_str()).collect();
        match models.is_empty() || models.contains(&model) {
            true => Ok(format!("it takes our key; the model is {model}")),
            false => Err(format!("it does not know the model {model}")),
        }
    }

    /// One try. `within` is for all of it; the answer has `most` bytes at most.
    pub async fn post(&self, path: &str, body: &Value, within: Duration, most: usize) -> Result<Answer, CallError> {
        let failed = |error: reqwest::Error| CallError::Unreachable(chain(&error.without_url()));
        let call = async {
            let mut response = self.http.post(format!("{}{path}", self.base)).json(body).send().await.map_err(failed)?;
            let mut body = Vec::new();
            while let Some(part) = response.chunk().await.map_err(failed)? {
                if body.len() + part.len() > most {
                    return Err(CallError::TooLarge);
                }
                body.extend_from_slice(&part);
            }
            Ok(Answer { status: response.status().as_u16(), body: body.into() })
        };
        timeout(within, call).await.unwrap_or(Err(CallError::TimedOut))
    }

    /// The vendor's own words in an answer that refuses a call, for the log: in the form of OpenAI's API, or as they are. Some repeat
    /// the key that they do not take.
    pub fn words(&self, answer: &Answer) -> String {
        let body = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        let told = [&body["error"]["message"], &body["error"], &body["message"], &body["detail"]];
        let told = told.into_iter().find_map(Value::as_str).map_or_else(|| String::from_utf8_lossy(&answer.body), Cow::from);
        let key = self.key.expose();
        let told = if key.is_empty() { told } else { told.replace(key, "…").into() };
        told.chars().filter(|c| !c.is_control()).take(MOST_WORDS).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_vendors_words_and_without_our_key() {
        crate::auth::install_crypto_provider();
        let api = Api::new("http://127.0.0.1:9/v1", &Secret::new("sk-1234")).unwrap();
        let words = |body: &str| api.words(&Answer { status: 401, body: Bytes::copy_from_slice(body.as_bytes()) });
        for (body, expected) in [
            (
                r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#,
                "You exceeded your current quota",
            ),
            (r#"{"error":{"message":"Incorrect API key provided: sk-1234."}}"#, "Incorrect API key provided: …."),
            (r#"{"error":"model 'x' not found"}"#, "model 'x' not found"),
            (r#"{"detail":"Not authenticated"}"#, "Not authenticated"),
            ("<html>\nBad Gateway", "<html>Bad Gateway"),
            ("", ""),
        ] {
            assert_eq!(words(body), expected);
        }
        assert_eq!(words(&"x".repeat(10_000)).len(), MOST_WORDS);
    }
}
