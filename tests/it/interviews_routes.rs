//! The routes of interviews, row by row: what is asked, the status, the body. Each test is a transcript.

use reqwest::Method;
use serde_json::{Value, json};

use crate::interviews_world::{
    As, CANDIDATE, Interview, ORG, create, invite, joining, new_interview, recruiter, send, steady_text,
};
use crate::support::booking::{Answer, World};

/// What was asked and answered, with what differs from run to run taken out.
struct Transcript {
    world: World,
    text: String,
}

impl Transcript {
    async fn start() -> Option<Self> {
        Some(Self { world: World::start(1, &[]).await?, text: String::new() })
    }

    async fn ask(&mut self, method: Method, path: &str, by: As<'_>, body: Option<Value>) -> Value {
        let answer = send(&self.world, 0, method.clone(), path, by, body.as_ref()).await;
        let body = body.map(|mut body| {
            steady(&mut body);
            let text = body.to_string();
            if text.chars().count() > 500 {
                format!(" {}…", text.chars().take(60).collect::<String>())
            } else {
                format!(" {text}")
            }
        });
        self.text.push_str(&format!("> {method} {}{}\n", steady_text(path), body.unwrap_or_default()));
        self.text.push_str(&told(&answer));
        answer.body
    }

    async fn internal(&mut self, method: Method, path: &str, body: Option<Value>) -> Value {
        self.ask(method, &format!("/internal/interviews{path}"), As::Internal, body).await
    }
}

fn told(answer: &Answer) -> String {
    let mut body = answer.body.clone();
    steady(&mut body);
    let retry = if answer.header("retry-after").is_some() { " (Retry-After)" } else { "" };
    match body {
        Value::Null => format!("{}{retry}\n\n", answer.status),
        body => format!("{}{retry}\n{}\n\n", answer.status, serde_json::to_string_pretty(&body).unwrap()),
    }
}

fn steady(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(steady),
        Value::Array(values) => values.iter_mut().for_each(steady),
        Value::String(text) => *text = steady_text(text),
        _ => {}
    }
}

#[tokio::test]
async fn an_interview_is_made_read_and_changed() {
    let Some(mut api) = Transcript::start().await else { return };
    let mut body = new_interview();
    body["scheduledAt"] = "2030-01-31T10:30:00.5+01:00".into();
    body["unknown"] = json!({"ignored": true});
    let made = api.internal(Method::POST, "", Some(body)).await;
    let path = format!("/{}", made["id"].as_str().unwrap());
    api.internal(Method::GET, &path, None).await;
    let candidate = json!({"id": "cand-2", "name": "Grace", "email": "grace@example.com"});
    for change in
        [json!({"recruiterIds": ["r-7", "r-7"], "candidate": candidate, "unknown": 1}), json!({"scheduledAt": null}), json!({})]
    {
        api.internal(Method::PATCH, &path, Some(change)).await;
    }
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn a_status_goes_forward_and_an_end_stays() {
    let Some(mut api) = Transcript::start().await else { return };
    let interview = create(&api.world, json!({})).await;
    let path = format!("/internal/interviews/{}", interview.id);
    for status in ["ONGOING", "ONGOING", "SCHEDULED", "COMPLETED", "COMPLETED", "CANCELLED", "ONGOING", "completed"] {
        let answer = send(&api.world, 0, Method::PATCH, &path, As::Internal, Some(&json!({"status": status}))).await;
        let now = &send(&api.world, 0, Method::GET, &path, As::Internal, None).await.body["status"];
        api.text.push_str(&format!("{status}: {} {} → {now}\n", answer.status, answer.body["message"]));
    }
    // Who may look at it is decided later than that.
    let answer = send(&api.world, 0, Method::PATCH, &path, As::Internal, Some(&json!({"recruiterIds": []}))).await;
    assert_eq!((answer.status, &answer.body["recruiterIds"]), (200, &json!([])));
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn two_ends_at_once_leave_one() {
    let Some(world) = World::start(2, &[]).await else { return };
    for _ in 0..5 {
        let interview = create(&world, json!({})).await;
        let path = format!("/internal/interviews/{}", interview.id);
        let ends = [(0, "COMPLETED"), (1, "CANCELLED"), (0, "EXPIRED"), (1, "COMPLETED")];
        let bodies = ends.map(|(_, status)| json!({"status": status}));
        let asked =
            ends.iter().zip(&bodies).map(|((node, _), body)| send(&world, *node, Method::PATCH, &path, As::Internal, Some(body)));
        let answers = futures_util::future::join_all(asked).await;
        let end = send(&world, 0, Method::GET, &path, As::Internal, None).await.body["status"].clone();
        for ((_, status), answer) in ends.iter().zip(answers) {
            let expected = if *status == end { 200 } else { 409 };
            assert_eq!(answer.status, expected, "{status} where the end is {end}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn bodies_that_do_not_fit_name_each_field() {
    let Some(mut api) = Transcript::start().await else { return };
    let interview = create(&api.world, json!({})).await;
    let path = format!("/{}", interview.id);
    api.internal(Method::POST, "", None).await;
    api.internal(Method::POST, "", Some(json!([]))).await;
    let mut bad = new_interview();
    bad["organizationId"] = 7.into();
    bad["recruiterIds"] = json!(["", "a\0b"]);
    bad["candidate"]["email"] = "ada".into();
    bad["scheduledAt"] = "tomorrow".into();
    bad["template"]["totalDuration"] = json!(0);
    bad["template"]["assessments"][0]["questions"][1] = json!({"id": "q-1", "text": "x".repeat(4001)});
    bad["template"]["assessments"][1]["questions"] = json!([]);
    api.internal(Method::POST, "", Some(bad)).await;
    api.internal(Method::PATCH, &path, Some(json!({"status": "DONE", "candidate": {}, "recruiterIds": "r"}))).await;
    let join = "/api/interviews/join-token";
    for body in [
        json!({}),
        json!("text"),
        json!({"interviewId": 7, "participantId": "x".repeat(129), "role": "king", "displayName": []}),
        // A service must say for whom it asks.
        joining(&interview, "candidate", None),
    ] {
        api.ask(Method::POST, join, As::Internal, Some(body)).await;
    }
    let token = recruiter("recruiter", "r-1", Some(ORG));
    let invites = format!("/api/interviews/{}/invites", interview.id);
    for body in [json!({"expiresIn": 0, "email": "a b@c"}), json!({"expiresIn": 1.5}), json!({"expiresIn": "1 day"})] {
        api.ask(Method::POST, &invites, As::Bearer(&token), Some(body)).await;
    }
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn what_does_not_exist_is_404_everywhere() {
    let Some(mut api) = Transcript::start().await else { return };
    let interview = create(&api.world, json!({})).await;
    let (admin, none) = (recruiter("admin", "a-1", None), "6f6a7b1e-0d6c-4a57-9a3e-0d5a8f3f8f11");
    for id in [none, "not-a-uuid", "'%20OR%20'1'='1", "%7B6f6a7b1e-0d6c-4a57-9a3e-0d5a8f3f8f11%7D"] {
        api.internal(Method::GET, &format!("/{id}"), None).await;
        api.internal(Method::PATCH, &format!("/{id}"), Some(json!({"status": "ONGOING"}))).await;
        api.ask(Method::POST, &format!("/api/interviews/{id}/invites"), As::Bearer(&admin), None).await;
        let (id, token) = (id.replace("%20", " "), "x".into());
        api.ask(
            Method::POST,
            "/api/interviews/join-token",
            As::Bearer(&admin),
            Some(joining(&Interview { id, token }, "observer", None)),
        )
        .await;
    }
    for invite in [none, "x", "';DROP%20TABLE%20convoke.invites;--"] {
        let path = format!("/api/interviews/{}/invites/{invite}", interview.id);
        api.ask(Method::DELETE, &path, As::Bearer(&admin), None).await;
    }
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn every_side_gets_a_token_for_the_call() {
    let Some(mut api) = Transcript::start().await else { return };
    let interview = create(&api.world, json!({})).await;
    let path = "/api/interviews/join-token";
    let mut body = joining(&interview, "candidate", Some(CANDIDATE));
    body["displayName"] = "Ada".into();
    api.ask(Method::POST, path, As::Bearer(&interview.token), Some(body)).await;
    let (_, token) = invite(&api.world, &interview).await;
    api.ask(Method::POST, path, As::Bearer(&token), Some(joining(&interview, "candidate", Some("someone")))).await;
    api.ask(Method::POST, path, As::Bearer(&token), Some(joining(&interview, "candidate", Some("another")))).await;
    let token = recruiter("interviewer", "named", None);
    api.ask(Method::POST, path, As::Bearer(&token), Some(joining(&interview, "interviewer", Some("named")))).await;
    api.ask(Method::POST, path, As::Internal, Some(joining(&interview, "observer", Some("boss")))).await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn an_invite_is_given_out_and_taken_back() {
    let Some(mut api) = Transcript::start().await else { return };
    let interview = create(&api.world, json!({})).await;
    let path = format!("/api/interviews/{}/invites", interview.id);
    let token = recruiter("recruiter", "r-1", Some(ORG));
    // The body is optional, and so is everything in it.
    api.ask(Method::POST, &path, As::Bearer(&token), None).await;
    let body = json!({"email": "ada@example.com", "expiresIn": 2_592_000, "unknown": 1});
    let invited = api.ask(Method::POST, &path, As::Bearer(&token), Some(body)).await;
    let one = format!("{path}/{}", invited["inviteId"].as_str().unwrap());
    api.ask(Method::DELETE, &one, As::Bearer(&token), None).await;
    // It is safe to repeat.
    api.ask(Method::DELETE, &one, As::Bearer(&token), None).await;
    let again = invited["inviteToken"].as_str().unwrap();
    api.ask(Method::POST, "/api/interviews/join-token", As::Bearer(again), Some(joining(&interview, "candidate", None))).await;
    insta::assert_snapshot!(api.text);
}
