//! The limits of bodies and queries stand in the document as the hub enforces them: at each limit a request is taken, beyond it refused.

use convoke::protocol::schema::{EMAIL, FILLED, NO_NUL, NOT_BLANK};
use serde_json::{Value, json};

use crate::interviews_world::new_interview;
use crate::openapi_answers::{REALTIME, filled, request_to};
use crate::support::booking::World;
use crate::support::hub::Hub;
use crate::support::openapi::{Operation, Recorder};

/// A body with every field, which breaks no limit.
fn whole(id: &str) -> Option<Value> {
    let mut interview = new_interview();
    interview["scheduledAt"] = "2026-01-31T09:30:00Z".into();
    let location = json!({"latitude": 1, "longitude": 2, "accuracy": 3, "heading": 4, "speed": 5, "altitude": 6, "deviceId": "d",
        "address": "a", "timestamp": 1_700_000_000_000_u64});
    Some(match id {
        "createSos" => {
            json!({"sosId": "s-1", "citizenId": "c-1", "location": location, "address": "a", "type": "fire", "soNo": "1"})
        }
        "closeSos" => json!({"closedBy": "c-1", "reason": "r"}),
        "setSosStatus" => json!({"status": "assigned", "updatedBy": "d-1", "oldStatus": "active", "force": true}),
        "postSosMessage" => json!({"text": "t", "userId": "u-1", "role": "citizen", "clientMessageId": "m"}),
        "admitToSos" => json!({"userId": "u-1", "role": "rescuer"}),
        "createInterview" => interview,
        "changeInterview" => {
            json!({"status": "ONGOING", "scheduledAt": "2026-01-31T09:30:00Z", "recruiterIds": ["r"], "candidate": interview["candidate"]})
        }
        "createInvite" => json!({"email": "a@b.example", "expiresIn": 60}),
        "createJoinToken" => json!({"interviewId": "i", "participantId": "p", "role": "recruiter", "displayName": "d"}),
        "createInterviewSessionToken" => json!({"roomName": "r", "sessionId": "s"}),
        "scoreInterviewSession" => json!({"score_overall": 1, "summary": "s"}),
        "putInterviewSessionUser" => json!({"email": "e", "resumeId": "r"}),
        _ => return None,
    })
}

/// A body that differs from a good one in one place.
struct Change {
    /// As a JSON pointer.
    at: String,
    /// `None`: the field is left out.
    to: Option<Value>,
    is_good: bool,
}

/// Where a schema stands, with references followed.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolved(document, document.pointer(&reference[1..]).expect("a definition")),
        None => schema,
    }
}

/// The schema without null, and whether null is allowed.
fn without_null<'a>(document: &'a Value, schema: &'a Value) -> (&'a Value, bool) {
    let schema = resolved(document, schema);
    if let Some(choices) = schema["anyOf"].as_array() {
        let is_null = |one: &&Value| one["type"] == "null";
        if let (true, Some(other)) = (choices.len() == 2, choices.iter().find(|one| !is_null(one))) {
            return (resolved(document, other), choices.iter().any(|one| is_null(&one)));
        }
    }
    (schema, schema["type"].as_array().is_some_and(|types| types.iter().any(|one| one == "null")))
}

fn is_of(schema: &Value, kind: &str) -> bool {
    schema["type"] == kind || schema["type"].as_array().is_some_and(|types| types.iter().any(|one| one == kind))
}

/// All that may be changed in this place, and what comes of it.
fn changes(document: &Value, schema: &Value, value: &Value, at: &str, all: &mut Vec<Change>) {
    let (schema, takes_null) = without_null(document, schema);
    let mut change = |to: Value, is_good: bool| all.push(Change { at: at.to_owned(), to: Some(to), is_good });
    if !at.is_empty() && takes_null {
        change(Value::Null, true);
    }
    if is_of(schema, "string") {
        change(json!({"not": "a text"}), false);
        let has = |pattern: &str| schema["pattern"].as_str().is_some_and(|own| own == pattern);
        let is_free = schema["pattern"].is_null() || [NO_NUL, FILLED, NOT_BLANK].into_iter().any(has);
        if schema["enum"].is_array() {
            change("nonsense".into(), false);
        }
        if schema["minLength"].as_u64() == Some(1) {
            change("".into(), false);
        }
        if has(FILLED) || has(NOT_BLANK) {
            ["", " \t"].into_iter().for_each(|text| change(text.into(), false));
        }
        if has(EMAIL) {
            ["x", "@x", "x@", "a b@c"].into_iter().for_each(|text| change(text.into(), false));
        } else if schema["format"] == "date-time" {
            change("yesterday".into(), false);
        } else if !is_free {
            change("!?".into(), false);
        }
        if has(NO_NUL) || has(FILLED) {
            change("a\0b".into(), false);
        }
        if let Some(most) = schema["maxLength"].as_u64() {
            change("é".repeat(most as usize + 1).into(), false);
            if is_free {
                change("é".repeat(most as usize).into(), true);
            }
        }
    } else if is_of(schema, "number") || is_of(schema, "integer") {
        change("1".into(), false);
        for (bound, step) in [("minimum", -1.0), ("maximum", 1.0)] {
            if let Some(limit) = schema[bound].as_f64() {
                change(json!(limit + step), false);
                change(schema[bound].clone(), true);
            }
        }
        if is_of(schema, "integer") {
            change(json!(1.5), false);
        }
    } else if is_of(schema, "boolean") {
        change("true".into(), false);
    } else if is_of(schema, "array") {
        change(json!({"not": "a list"}), false);
        let one = &value[0];
        if let Some(most) = schema["maxItems"].as_u64() {
            change(vec![one.clone(); most as usize + 1].into(), false);
        }
        if schema["minItems"].as_u64() == Some(1) {
            change(json!([]), false);
        }
        changes(document, &schema["items"], one, &format!("{at}/0"), all);
    } else if let Some(fields) = schema["properties"].as_object() {
        if !at.is_empty() {
            change("no object".into(), false);
        }
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, field) in fields {
            let at = format!("{at}/{name}");
            all.push(Change { at: at.clone(), to: None, is_good: !required.contains(&name.as_str().into()) });
            changes(document, field, &value[name], &at, all);
        }
    }
}

fn changed(whole: &Value, change: &Change) -> Value {
    let mut body = whole.clone();
    match &change.to {
        Some(to) => *body.pointer_mut(&change.at).expect("the whole body has every field") = to.clone(),
        None => {
            let (object, name) = change.at.rsplit_once('/').expect("a field");
            body.pointer_mut(object).and_then(Value::as_object_mut).expect("an object").remove(name);
        }
    }
    body
}

async fn status(hub: &Hub, operation: &Operation, body: &Value) -> (u16, String) {
    let response = request_to(hub, operation, &filled(operation)).json(body).send().await.expect("an answer");
    (response.status().as_u16(), response.text().await.unwrap_or_default())
}

#[tokio::test]
async fn the_limits_of_bodies_are_those_of_their_schemas() {
    let env = [&REALTIME[..], &[("HTTP_BODY_LIMIT", "10000000")]].concat();
    let Some(world) = World::start(1, &env).await else { return };
    let hub = &world.hubs[0];
    let recorder = Recorder::of(hub).await;
    let (mut tried, mut wrong) = (0, Vec::new());
    for operation in &recorder.operations {
        let schema = &operation.said["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            continue;
        }
        let whole = whole(&operation.id).unwrap_or_else(|| panic!("{} has a body that no test tries", operation.id));
        let mut all = vec![Change { at: String::new(), to: Some(whole.clone()), is_good: true }];
        changes(&recorder.document, schema, &whole, "", &mut all);
        for change in all {
            // The token's own checks say more than that a field is wrong.
            if change.is_good && operation.id == "createInterviewSessionToken" {
                continue;
            }
            let (status, answer) = status(hub, operation, &changed(&whole, &change)).await;
            tried += 1;
            if (status == 400) == change.is_good {
                let to = change.to.map_or("left out".into(), |to| to.to_string().chars().take(60).collect::<String>());
                wrong.push(format!("{} {} {to}: {status} {answer}", operation.id, change.at));
            }
        }
    }
    assert!(tried > 200, "only {tried} bodies were tried");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn the_limits_of_queries_are_those_of_their_schemas() {
    let Some(world) = World::start(1, &REALTIME).await else { return };
    let hub = &world.hubs[0];
    hub.create_sos("s-1", "c-1").await;
    let recorder = Recorder::of(hub).await;
    let (mut tried, mut wrong) = (0, Vec::new());
    for operation in recorder.operations.iter().filter(|operation| operation.knows(400) && operation.id != "getMedia") {
        for parameter in operation.said["parameters"].as_array().into_iter().flatten().filter(|one| one["in"] == "query") {
            let schema = resolved(&recorder.document, &parameter["schema"]);
            let name = parameter["name"].as_str().expect("a name");
            let mut values: Vec<(String, bool)> = Vec::new();
            if is_of(schema, "integer") {
                values.extend(["x", "1.5", "-1", "1e3"].map(|bad| (bad.into(), false)));
                for (bound, step) in [("minimum", -1), ("maximum", 1)] {
                    if let Some(limit) = schema[bound].as_i64() {
                        values.extend([(limit.to_string(), true), ((limit + step).to_string(), false)]);
                    }
                }
            }
            if schema["enum"].is_array() || schema["pattern"].is_string() {
                values.push(("!?".into(), false));
            }
            if let Some(most) = schema["maxLength"].as_u64() {
                values.extend([("u".repeat(most as usize), true), ("u".repeat(most as usize + 1), false)]);
            }
            for (value, is_good) in values {
                let request = request_to(hub, operation, &filled(operation)).query(&[(name, &*value)]);
                let status = request.send().await.expect("an answer").status().as_u16();
                tried += 1;
                if (status == 400) == is_good {
                    wrong.push(format!("{} {name}={value}: {status}", operation.id));
                }
            }
        }
    }
    assert!(tried > 10, "only {tried} queries were tried");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}
