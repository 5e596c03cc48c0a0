//! The internal API of incidents, row by row: what is asked, the status, the body. Each test is a transcript.

use reqwest::{Method, header::ACCEPT};
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::hub::{Hub, INTERNAL};
use crate::support::redis::{Server, single};

/// What was asked and answered, with what differs from run to run taken out.
struct Transcript {
    hub: Hub,
    text: String,
}

impl Transcript {
    /// A hub on the Redis that the tests share: ids must be those of the test alone.
    async fn start() -> Self {
        Self::on(&single().url()).await
    }

    async fn on(redis: &str) -> Self {
        Self { hub: Hub::start(&[("REDIS_URL", redis)]).await, text: String::new() }
    }

    async fn get(&mut self, path: &str) -> Value {
        self.call(Method::GET, path, None, &[]).await
    }

    async fn post(&mut self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, Some(body), &[]).await
    }

    async fn call(&mut self, method: Method, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> Value {
        let url = format!("/internal/realtime{path}");
        let mut request = self.hub.request(method.clone(), &url).header("x-internal-token", INTERNAL);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.text.push_str(&format!("> {method} {path}"));
        if let Some(body) = body {
            let shown = body.to_string();
            let shown = if shown.len() > 500 { format!("{}…", &shown[..60]) } else { shown };
            self.text.push_str(&format!(" {shown}"));
            request = request.json(&body);
        }
        let answer = request.send().await.expect("an answer");
        let (status, media) = (answer.status(), answer.headers()["content-type"].clone());
        let retry = answer.headers().get("retry-after").map(|_| " (Retry-After)").unwrap_or_default();
        let body: Value = answer.json().await.expect("JSON");
        let mut shown = body.clone();
        steady(&mut shown);
        let shown = serde_json::to_string_pretty(&shown).unwrap();
        self.text.push_str(&format!("\n{} {}{retry}\n{shown}\n\n", status.as_u16(), media.to_str().unwrap()));
        body
    }
}

/// Times and positions differ from run to run.
fn steady(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                if name == "ageMs" && value.is_u64() {
                    *value = "<ms>".into();
                }
                steady(value);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(steady),
        Value::Number(number) if number.as_u64().is_some_and(|number| number > 1_600_000_000_000) => *value = "<time>".into(),
        Value::String(text) if is_position(text) => *value = "<position>".into(),
        _ => {}
    }
}

fn is_position(text: &str) -> bool {
    text.split_once('-').is_some_and(|(ms, rest)| ms.len() == 13 && ms.parse::<u64>().is_ok() && !rest.is_empty())
}

#[tokio::test]
async fn init_makes_an_incident_once_and_then_fills_what_is_null() {
    let mut api = Transcript::start().await;
    let address = json!({"city": "Cebu", "barangay": "Lahug"});
    api.post("/sos/init", json!({"sosId": "init-1", "citizenId": "c1", "type": "FIRE", "unknown": {"ignored": true}})).await;
    api.post("/sos/init", json!({"sosId": "init-1", "citizenId": "other", "type": "FLOOD", "soNo": "SO-17", "address": address}))
        .await;
    let location = json!({"latitude": 0, "longitude": -123.25, "accuracy": 5.5});
    api.post("/sos/init", json!({"sosId": "init-2", "citizenId": "c2", "location": location})).await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn bodies_that_do_not_fit_name_each_field() {
    let mut api = Transcript::start().await;
    api.hub.create_sos("bad-1", "c").await;
    api.post("/sos/init", json!({})).await;
    api.post("/sos/init", json!({"sosId": "a b", "citizenId": 7, "location": {"latitude": 91, "longitude": "x"}})).await;
    api.post("/sos/init", json!({"sosId": "x".repeat(129), "citizenId": "c".repeat(129)})).await;
    api.post("/sos/init", json!([])).await;
    api.post("/sos/bad-1/close", json!({"closedBy": null})).await;
    api.post("/sos/bad-1/status", json!({"status": "lost", "updatedBy": "", "oldStatus": 1, "force": "no"})).await;
    api.post("/sos/bad-1/messages", json!({"text": "", "role": "king"})).await;
    api.post("/sos/bad-1/messages", json!({"text": "x".repeat(4001)})).await;
    api.post("/sos/bad-1/members", json!({"role": "system"})).await;
    api.get("/sos/bad-1/track?from=x&to=-1&limit=0").await;
    api.get("/sos/bad-1/events?after=here&limit=many").await;
    api.get("/sos?status=lost&limit=0").await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn an_incident_that_does_not_exist_is_404_everywhere() {
    let mut api = Transcript::start().await;
    api.post("/sos/none/close", json!({"closedBy": "u"})).await;
    api.post("/sos/none/status", json!({"status": "active", "updatedBy": "u"})).await;
    for path in ["state", "track", "events"] {
        api.get(&format!("/sos/none/{path}")).await;
    }
    api.post("/sos/none/messages", json!({"text": "hello"})).await;
    api.post("/sos/none/members", json!({"userId": "u", "role": "rescuer"})).await;
    api.call(Method::DELETE, "/sos/none/members/u", None, &[]).await;
    api.get("/sos/a%20b/state").await;
    api.get("/sos/%7Ba%7D/state").await;
    api.get("/sos/%FF/state").await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn a_status_is_authoritative_unless_it_is_not_forced() {
    let mut api = Transcript::start().await;
    api.hub.create_sos("status-1", "c").await;
    let set = |status: &str| json!({"status": status, "updatedBy": "ms"});
    // The table would refuse this one from a client.
    api.post("/sos/status-1/status", set("ARRIVED")).await;
    api.post("/sos/status-1/status", set("arrived")).await;
    api.post("/sos/status-1/status", json!({"status": "assigned", "updatedBy": "ms", "force": false})).await;
    api.post("/sos/status-1/status", json!({"status": "resolved", "updatedBy": "ms", "force": false, "oldStatus": "active"}))
        .await;
    api.post("/sos/status-1/status", json!({"status": "resolved", "updatedBy": "ms", "force": false, "oldStatus": "arrived"}))
        .await;
    api.post("/sos/status-1/status", set("closed")).await;
    api.post("/sos/status-1/status", set("active")).await;
    // After the end a final status only refines `closed`.
    api.post("/sos/status-1/status", set("fake")).await;
    api.post("/sos/status-1/status", set("cancelled")).await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn a_second_close_has_no_effect() {
    let mut api = Transcript::start().await;
    api.hub.create_sos("close-1", "c").await;
    api.post("/sos/close-1/close", json!({"closedBy": "ms", "reason": "done"})).await;
    api.post("/sos/close-1/close", json!({"closedBy": "other", "reason": "again"})).await;
    api.get("/sos/close-1/state").await;
    api.post("/sos/close-1/messages", json!({"text": "too late"})).await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn the_trail_of_events_is_read_page_by_page() {
    let mut api = Transcript::start().await;
    api.hub.create_sos("trail-1", "c").await;
    api.post("/sos/trail-1/status", json!({"status": "assigned", "updatedBy": "ms"})).await;
    api.post("/sos/trail-1/members", json!({"userId": "r/1 é", "role": "Rescuer"})).await;
    api.call(Method::DELETE, "/sos/trail-1/members/r%2F1%20%C3%A9", None, &[]).await;
    let checked = |status: &str, old: &str| json!({"status": status, "updatedBy": "ms", "oldStatus": old, "force": false});
    for refused in [checked("completed", "assigned"), checked("en_route", "active")] {
        assert_eq!(api.hub.internal(Method::POST, "/sos/trail-1/status", Some(refused)).await.0, 409);
    }
    let first = api.get("/sos/trail-1/events?limit=2").await;
    let after = first["data"]["next"].as_str().unwrap().to_owned();
    let rest = api.hub.internal(Method::GET, &format!("/sos/trail-1/events?after={after}"), None).await.1;
    let mut rest = rest["data"].clone();
    steady(&mut rest);
    api.text.push_str(&format!("after the first page\n{}\n", serde_json::to_string_pretty(&rest).unwrap()));
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn messages_reach_the_room_and_are_sent_once() {
    let mut api = Transcript::start().await;
    api.hub.create_sos("talk-1", "c").await;
    let token = api.hub.token("citizen", "c", &["talk-1"]);
    let citizen = Client::connect(&api.hub.url(), json!({"token": token})).await;
    citizen.ask_ok("sos:init", json!({"sosId": "talk-1"})).await;
    let first = api.post("/sos/talk-1/messages", json!({"text": "Help is coming", "clientMessageId": "m1"})).await;
    let again = api.post("/sos/talk-1/messages", json!({"text": "Help is coming", "clientMessageId": "m1"})).await;
    assert_eq!(first["data"]["messageId"], again["data"]["messageId"]);
    api.post("/sos/talk-1/messages", json!({"text": "Stay", "userId": "d1", "role": "Dispatcher"})).await;
    let mut heard = json!(citizen.wait_count("message:broadcast", 2).await);
    steady(&mut heard);
    api.text.push_str(&format!("the citizen heard\n{}\n", serde_json::to_string_pretty(&heard).unwrap()));
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn a_track_comes_as_json_or_geojson() {
    let mut api = Transcript::start().await;
    let location = json!({"latitude": 14.5, "longitude": 121.000000001, "accuracy": 5});
    api.post("/sos/init", json!({"sosId": "track-1", "citizenId": "c", "location": location})).await;
    api.get("/sos/track-1/track").await;
    api.get("/sos/track-1/track?userId=nobody").await;
    api.get("/sos/track-1/track?to=5").await;
    api.call(Method::GET, "/sos/track-1/track?limit=1", None, &[(ACCEPT.as_str(), "application/geo+json")]).await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn presence_is_known_of_everybody() {
    let mut api = Transcript::start().await;
    api.get("/users/nobody%20knows%20me/presence").await;
    api.get(&format!("/users/{}/presence", "u".repeat(129))).await;
    let token = api.hub.token("rescuer", "presence-r1", &["presence-1"]);
    let _rescuer = Client::connect(&api.hub.url(), json!({"token": token})).await;
    let deadline = std::time::Instant::now() + crate::support::DEADLINE;
    while api.hub.internal(Method::GET, "/users/presence-r1/presence", None).await.1["data"]["online"] != true {
        assert!(std::time::Instant::now() < deadline, "the rescuer is never online");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    api.get("/users/presence-r1/presence").await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn incidents_are_listed_page_by_page() {
    let redis = Server::start(&[]);
    let mut api = Transcript::on(&redis.url()).await;
    for id in ["c-3", "a-1", "b-2"] {
        api.hub.create_sos(id, "c").await;
    }
    api.hub.internal(Method::POST, "/sos/b-2/status", Some(json!({"status": "assigned", "updatedBy": "ms"}))).await;
    let ids = async |api: &Transcript, query: &str| {
        let (status, body) = api.hub.internal(Method::GET, &format!("/sos{query}"), None).await;
        assert_eq!((status, &body["success"]), (200, &json!(true)), "{body}");
        let items = body["data"]["items"].as_array().unwrap();
        let ids: Vec<_> = items.iter().map(|state| state["sosId"].as_str().unwrap().to_owned()).collect();
        (ids, body["data"]["next"].clone())
    };
    assert_eq!(ids(&api, "").await, (vec!["a-1".into(), "b-2".into(), "c-3".into()], Value::Null));
    let (first, next) = ids(&api, "?limit=2").await;
    assert_eq!((first, &next), (vec!["a-1".to_owned(), "b-2".to_owned()], &json!("b-2")));
    assert_eq!(ids(&api, "?limit=2&after=b-2").await, (vec!["c-3".into()], Value::Null));
    assert_eq!(ids(&api, "?status=ASSIGNED").await.0, ["b-2"]);
    api.get("/sos?limit=1").await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn while_redis_is_away_the_answer_is_503_and_nothing_hangs() {
    let redis = Server::start(&[]);
    let mut api =
        Transcript { hub: Hub::start(&[("REDIS_URL", &redis.url()), ("REDIS_DEADLINE_MS", "1500")]).await, text: String::new() };
    redis.stop();
    api.hub.wait_for_status("/readyz", 503).await;
    assert_eq!(api.hub.get("/health").await.status(), 200);
    api.post("/sos/init", json!({"sosId": "away-1", "citizenId": "c"})).await;
    api.get("/sos/away-1/state").await;
    api.get("/users/u/presence").await;
    redis.restart();
    api.hub.wait_for_status("/readyz", 200).await;
    api.get("/sos/away-1/state").await;
    insta::assert_snapshot!(api.text);
}
