//! An OpenAI-compatible chat API with JSON-schema output. What it answers follows from what it is asked, and from nothing else.

use std::time::Duration;

use hyper::header::HeaderMap;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{AiFault, Answer, Cut, Vendors, hang, respond, respond_json};

pub async fn answer(vendors: &Vendors, headers: &HeaderMap, body: &[u8]) -> Answer {
    let Ok(call) = serde_json::from_slice::<Value>(body) else {
        return Ok(respond_json(400, &json!({"error": {"message": "no JSON"}})));
    };
    if !headers.get("authorization").is_some_and(|key| key.as_bytes().starts_with(b"Bearer ")) {
        return Ok(respond_json(401, &json!({"error": {"message": "no key"}})));
    }
    let format = &call["response_format"]["json_schema"];
    let name = format["name"].as_str().unwrap_or_default().to_owned();
    if let Err(why) = judge(&call) {
        return Ok(respond_json(400, &json!({"error": {"message": why}})));
    }
    let fault = {
        let mut state = vendors.state();
        *state.seen.ai.calls.entry(name.clone()).or_default() += 1;
        state.seen.ai.last = call.clone();
        let left = state.faults.ai_times;
        let fault = if left == Some(0) { AiFault::None } else { state.faults.ai };
        if fault != AiFault::None {
            state.seen.ai.failed += 1;
            state.faults.ai_times = left.map(|left| left - 1);
        }
        fault
    };
    let document = call["messages"][1]["content"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let content = content(&name, &document).to_string();
    let choice = |message: Value, reason: &str| {
        let choice = json!({"index": 0, "message": message, "finish_reason": reason});
        Ok(respond_json(
            200,
            &json!({"id": "stand-in", "object": "chat.completion", "model": call["model"], "choices": [choice]}),
        ))
    };
    let said = |content: &str| json!({"role": "assistant", "content": content, "refusal": null});
    match fault {
        AiFault::None => choice(said(&content), "stop"),
        AiFault::Slow { ms } => {
            sleep(Duration::from_millis(ms)).await;
            choice(said(&content), "stop")
        }
        AiFault::Status(status) => Ok(respond_json(status, &json!({"error": {"message": "as it was told"}}))),
        AiFault::Garbage => Ok(respond(200, "text/html", "<html>an error page</html>")),
        AiFault::Malformed => choice(said("The candidate did well, I think."), "stop"),
        AiFault::WrongSchema => choice(said(r#"{"points": "many"}"#), "stop"),
        AiFault::Refusal => choice(json!({"role": "assistant", "content": null, "refusal": "I cannot help with that."}), "stop"),
        AiFault::Length => choice(said(&content[..content.len() / 2]), "length"),
        AiFault::Cut => Err(Cut),
        AiFault::Hang => hang().await,
    }
}

/// The models that there are.
pub fn models(vendors: &Vendors, headers: &HeaderMap) -> Answer {
    if let AiFault::Status(status) = vendors.faults().ai {
        return Ok(respond_json(status, &json!({"error": {"message": "as it was told"}})));
    }
    if !headers.get("authorization").is_some_and(|key| key.as_bytes().starts_with(b"Bearer ")) {
        return Ok(respond_json(401, &json!({"error": {"message": "no key"}})));
    }
    Ok(respond_json(200, &json!({"object": "list", "data": [{"id": "stand-in", "object": "model"}]})))
}

/// Whether the API would take this call.
fn judge(call: &Value) -> Result<(), &'static str> {
    let format = &call["response_format"];
    let (name, schema) = (format["json_schema"]["name"].as_str().unwrap_or_default(), &format["json_schema"]["schema"]);
    let is_name = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    let properties: Vec<_> = schema["properties"].as_object().into_iter().flat_map(|map| map.keys()).collect();
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match () {
        () if call["model"].as_str().is_none_or(str::is_empty) => Err("no model"),
        () if call["messages"].as_array().is_none_or(Vec::is_empty) => Err("no messages"),
        () if format["type"] != "json_schema" || !is_name => Err("no JSON schema, or without a name"),
        () if format["json_schema"]["strict"] != true || schema["additionalProperties"] != false => {
            Err("the schema is not strict")
        }
        () if properties != required => Err("a strict schema requires all properties"),
        () => Ok(()),
    }
}

/// What fits the schema of this name.
fn content(name: &str, document: &Value) -> Value {
    let words = |answer: &Value| answer.as_str().unwrap_or_default().split_whitespace().count();
    match name {
        "answer_evaluation" => {
            let words = words(&document["asked"]["answer"]);
            json!({"score": score(words), "evaluation": format!("The answer has {words} words.")})
        }
        "next_question" => {
            let planned = document["planned"].as_str().unwrap_or_default();
            json!({"question": planned})
        }
        "interview_summary" => {
            let asked = document["asked"].as_array().cloned().unwrap_or_default();
            let scores: Vec<_> = asked.iter().map(|one| one["score"].as_u64().unwrap_or(score(words(&one["answer"])))).collect();
            let overall = scores.iter().sum::<u64>() / scores.len().max(1) as u64;
            let recommendation = match overall {
                85.. => "strong_hire",
                60.. => "hire",
                _ => "no_hire",
            };
            json!({
                "overallScore": overall,
                "recommendation": recommendation,
                "strengths": ["Answers what was asked"],
                "weaknesses": ["Gives few examples"],
                "summary": format!("{} answers were given.", asked.len()),
            })
        }
        _ => json!({}),
    }
}

/// No words no points; from 50 on, more for more words.
pub fn score(words: usize) -> u64 {
    if words == 0 { 0 } else { 50 + (words as u64).min(45) }
}
