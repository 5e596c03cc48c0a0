//! The document of a hub's routes, and what the hub answered, held against each other.

use std::collections::BTreeSet;
use std::sync::Mutex;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::booking::Answer;
use super::hub::Hub;
use super::node::Script;

/// A route as the document says it.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: String,
    pub method: Method,
    /// With its parameters in braces.
    pub path: String,
    /// All of it.
    pub said: Value,
}

impl Operation {
    /// Whether the document says that it answers this status.
    pub fn knows(&self, status: u16) -> bool {
        self.said["responses"].get(status.to_string()).is_some()
    }

    /// Names of what a request may show; `None` stands for nothing.
    pub fn credentials(&self) -> Vec<Option<String>> {
        let all = self.said["security"].as_array().cloned().unwrap_or_default();
        all.iter().map(|one| one.as_object().and_then(|one| one.keys().next().cloned())).collect()
    }

    /// Whether an address is one of its own, and how many of its parts are fixed.
    fn takes(&self, path: &str) -> Option<usize> {
        let (own, asked): (Vec<_>, Vec<_>) = (self.path.split('/').collect(), path.split('/').collect());
        let rest = self.path.ends_with("{key}");
        if own.len() != asked.len() && !(rest && asked.len() > own.len()) {
            return None;
        }
        let fits = own.iter().zip(&asked).all(|(own, asked)| own.starts_with('{') || own == asked);
        fits.then(|| own.iter().filter(|part| !part.starts_with('{')).count())
    }
}

/// Remembers what was answered.
pub struct Recorder {
    pub document: Value,
    pub operations: Vec<Operation>,
    answers: Mutex<Vec<Value>>,
}

impl Recorder {
    /// By the document of this hub.
    pub async fn of(hub: &Hub) -> Self {
        let document: Value = hub.get("/openapi.json").await.json().await.expect("a document");
        let mut operations = Vec::new();
        for (path, methods) in document["paths"].as_object().expect("paths") {
            for (method, said) in methods.as_object().expect("methods") {
                let id = said["operationId"].as_str().expect("an id").to_owned();
                let method = method.to_uppercase().parse().expect("a method");
                operations.push(Operation { id, method, path: path.clone(), said: said.clone() });
            }
        }
        Self { document, operations, answers: Mutex::default() }
    }

    /// Sends a request and remembers the answer.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let (client, request) = request.build_split();
        let request = request.expect("a request");
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let response = client.execute(request).await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.bytes().await.expect("a body");
        let body: Value = serde_json::from_slice(&text).unwrap_or_default();
        let media = headers.get("content-type").filter(|_| !text.is_empty()).and_then(|media| media.to_str().ok());
        self.note(&method, &path, status, media, &body);
        Answer { status, headers, body }
    }

    /// Remembers an answer that was read by other means.
    pub fn note(&self, method: &Method, path: &str, status: u16, media: Option<&str>, body: &Value) {
        let of = self.operations.iter().filter(|one| one.method == *method);
        let Some(operation) = of.filter_map(|one| Some((one.takes(path)?, one))).max_by_key(|(fixed, _)| *fixed) else {
            panic!("the document knows no {method} {path}");
        };
        let media = media.map(|media| media.split(';').next().unwrap_or(media).trim());
        let answer = json!({"operation": operation.1.id, "status": status, "media": media, "body": body});
        self.answers.lock().unwrap().push(answer);
    }

    /// What the document says, or an answer says, that the other does not.
    pub async fn judge(&self) -> Vec<String> {
        let answers = self.answers.lock().unwrap().clone();
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = json!({"document": self.document, "answers": answers}).to_string();
        std::fs::write(file.path(), text).expect("it is written");
        let mut script = Script::node("openapi.mjs", &[file.path().to_str().expect("a path")]);
        let mut wrong = Vec::new();
        while let Some(line) = script.line().await {
            wrong.push(line);
        }
        assert!(script.finish().await.success(), "openapi.mjs failed: {wrong:#?}");
        wrong
    }

    /// What the document knows and was never answered: `operation status`, and `operation status code` for each code of a refusal.
    pub fn missing(&self) -> Vec<String> {
        let answers = self.answers.lock().unwrap();
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let given: BTreeSet<_> = answers
            .iter()
            .flat_map(|one| {
                let answer = format!("{} {}", text(&one["operation"]), text(&one["status"]));
                let code = code(&one["body"], &|value| value.as_str().map(|code| vec![code.to_owned()]));
                code.into_iter().map(|code| format!("{answer} {code}")).chain([answer.clone()]).collect::<Vec<_>>()
            })
            .collect();
        let known = self.operations.iter().flat_map(|operation| {
            let statuses = operation.said["responses"].as_object().expect("responses").iter();
            statuses.flat_map(|(status, response)| {
                let answer = format!("{} {status}", operation.id);
                let codes = codes(&response["content"]["application/json"]["schema"]);
                codes.into_iter().map(|code| format!("{answer} {code}")).chain([answer.clone()]).collect::<Vec<_>>()
            })
        });
        known.filter(|one| !given.contains(one)).collect()
    }
}

/// The code of a refusal, which stands at another place in each form; `read` takes it from there.
fn code(body: &Value, read: &dyn Fn(&Value) -> Option<Vec<String>>) -> Vec<String> {
    let places = [&body["error"]["code"], &body["code"], &body["error"]];
    places.into_iter().find_map(read).unwrap_or_default()
}

/// All codes that a schema of refusals lists.
fn codes(schema: &Value) -> Vec<String> {
    if let Some(kinds) = schema["anyOf"].as_array() {
        return kinds.iter().flat_map(codes).collect();
    }
    // The schema of an object within another one stands below `properties`.
    let properties = &schema["properties"];
    let nested =
        json!({"code": properties["code"], "error": properties["error"].get("properties").unwrap_or(&properties["error"])});
    code(&nested, &|place| {
        let words = place["enum"].as_array()?;
        Some(words.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    })
}
