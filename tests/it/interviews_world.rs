//! The one place of the tests of interviews that knows their API: interviews, invites, and who asks for what.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};

use convoke::auth;
use convoke::features::interviews::recruiter::{self, Recruiter};
use convoke::settings::{Secret, VerifierSettings};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::booking::{Answer, INTERVIEW_SECRET, World};
use crate::support::client::{Builder, Client, Refusal};
use crate::support::hub::{INTERNAL, now_seconds};

/// The organization of every interview that says nothing else.
pub const ORG: &str = "org-1";
/// The candidate of every interview that says nothing else.
pub const CANDIDATE: &str = "cand-1";

/// An interview, as whoever made it knows it.
#[derive(Clone, Debug)]
pub struct Interview {
    pub id: String,
    pub token: String,
}

/// What a request shows of its sender.
#[derive(Clone, Copy, Debug)]
pub enum As<'a> {
    Nobody,
    Bearer(&'a str),
    Internal,
}

/// A body for `POST /internal/interviews`.
pub fn new_interview() -> Value {
    json!({
        "organizationId": ORG,
        "recruiterIds": ["named"],
        "candidate": {"id": CANDIDATE, "name": "Ada Lovelace", "email": "ada@example.com"},
        "template": {"id": "backend", "title": "Backend engineer", "totalDuration": 39, "assessments": [
            {"title": "Experience", "questions": [
                {"id": "q-1", "text": "Tell me about yourself", "type": "BEHAVIORAL"},
                {"id": "q-2", "text": "What is a lease?", "type": "TECHNICAL"},
            ]},
            {"title": "Coding", "questions": [{"id": "q-3", "text": "Reverse a list", "type": "CODING"}]},
        ]},
    })
}

/// For hubs that are to believe that every request comes from another address, so that failed authentications do not add up.
pub const MANY_ADDRESSES: (&str, &str) = ("TRUSTED_PROXIES", "127.0.0.1/32");

fn another_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + NEXT.fetch_add(1, Ordering::Relaxed)).to_string()
}

/// Sends a request to a node.
pub async fn send(world: &World, node: usize, method: Method, path: &str, by: As<'_>, body: Option<&Value>) -> Answer {
    let request = world.hubs[node].request(method, path).header("x-forwarded-for", another_address());
    let request = match by {
        As::Nobody => request,
        As::Bearer(token) => request.bearer_auth(token),
        As::Internal => request.header("x-internal-token", INTERNAL),
    };
    Answer::of(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

/// Makes an interview that differs from [`new_interview`] in these fields.
pub async fn create(world: &World, fields: Value) -> Interview {
    let mut body = new_interview();
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    let answer = send(world, 0, Method::POST, "/internal/interviews", As::Internal, Some(&body)).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    Interview { id: text(&answer.body["id"]), token: text(&answer.body["joinToken"]) }
}

/// Sets the status of an interview.
pub async fn set_status(world: &World, interview: &Interview, status: &str) {
    let path = format!("/internal/interviews/{}", interview.id);
    let answer = send(world, 0, Method::PATCH, &path, As::Internal, Some(&json!({"status": status}))).await;
    assert_eq!((answer.status, &answer.body["status"]), (200, &json!(status)), "{}", answer.body);
}

/// A recruiter's token that lasts an hour.
pub fn recruiter(role: &str, user: &str, org: Option<&str>) -> String {
    recruiter_until(role, user, org, now_seconds() + 3600)
}

pub fn recruiter_until(role: &str, user: &str, org: Option<&str>, expires_at: u64) -> String {
    auth::install_crypto_provider();
    let identity = VerifierSettings { secret: Some(Secret::new(INTERVIEW_SECRET)), ..VerifierSettings::default() };
    let role = role.parse().expect("a role");
    let recruiter = Recruiter { user_id: user.into(), role, org_id: org.map(Into::into), expires_at: Some(expires_at) };
    recruiter::mint(&identity, &recruiter, now_seconds()).expect("a token")
}

/// A new invite, as a recruiter of the organization gives it out: its id and its token.
pub async fn invite(world: &World, interview: &Interview) -> (String, String) {
    let path = format!("/api/interviews/{}/invites", interview.id);
    let token = recruiter("recruiter", "r-1", Some(ORG));
    let answer = send(world, 0, Method::POST, &path, As::Bearer(&token), None).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    (text(&answer.body["inviteId"]), text(&answer.body["inviteToken"]))
}

/// A body for `join-token`.
pub fn joining(interview: &Interview, role: &str, participant: Option<&str>) -> Value {
    let mut body = json!({"interviewId": interview.id, "role": role});
    if let Some(participant) = participant {
        body["participantId"] = participant.into();
    }
    body
}

/// Asks a node for a token.
pub async fn join(world: &World, node: usize, by: As<'_>, body: &Value) -> Answer {
    send(world, node, Method::POST, "/api/interviews/join-token", by, Some(body)).await
}

/// Opens an invite as a candidate.
pub async fn open(world: &World, node: usize, token: &str, interview: &Interview, participant: Option<&str>) -> Answer {
    join(world, node, As::Bearer(token), &joining(interview, "candidate", participant)).await
}

/// `201`, or `403 INVITE_USED`.
pub fn outcome(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.error()).trim_end().to_owned()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Ids, tokens and times differ from run to run; times of 2030 are the test's own.
pub fn steady_text(text: &str) -> String {
    if text.contains('/') && !text.contains("://") {
        return text.split('/').map(steady_text).collect::<Vec<_>>().join("/");
    }
    let is_time =
        |text: &str| text.len() == 24 && text.ends_with('Z') && !text.starts_with("2030-") && text.as_bytes()[10] == b'T';
    match text {
        text if text.len() == 36 && uuid::Uuid::try_parse(text).is_ok() => "<id>".into(),
        text if text.starts_with("live-") => format!("live-{}", steady_text(&text[5..])),
        text if text.starts_with("ws://") => "<LiveKit>".into(),
        text if text.starts_with("eyJ") => "<JWT>".into(),
        text if text.len() == 43 && !text.contains(' ') => "<token>".into(),
        text if is_time(text) => "<time>".into(),
        text => text.into(),
    }
}

/// The namespace of interviews.
pub const NAMESPACE: &str = "/interview";

/// A connection to a node, with this token.
pub fn connection(world: &World, node: usize, token: &str) -> Builder {
    Client::builder(&world.hubs[node].url()).namespace(NAMESPACE).query("recovery=1").auth(json!({ "token": token }))
}

/// Connects to a node with this token.
pub async fn connect(world: &World, node: usize, token: &str) -> Client {
    connection(world, node, token).connect().await
}

/// The code of a CONNECT that is refused.
pub async fn refusal(builder: Builder) -> String {
    match builder.try_connect().await {
        Err(Refusal::ConnectError(error)) => text(&error["data"]["code"]),
        other => panic!("not refused: {other:?}"),
    }
}

/// A candidate that has joined: its socket, and the id of the session.
pub async fn join_interview(client: &Client, interview: &Interview) -> String {
    let ready = client.ask_ok("join-interview", json!({"interviewId": interview.id})).await;
    text(&ready["sessionId"])
}

/// A candidate who was asked the first question.
pub async fn begin(world: &World, node: usize, interview: &Interview) -> (Client, String) {
    let candidate = connect(world, node, &interview.token).await;
    let session = join_interview(&candidate, interview).await;
    candidate.ask_ok("start-interview", json!({ "sessionId": session })).await;
    (candidate, session)
}

/// A recruiter of the organization who observes.
pub async fn observe(world: &World, node: usize, interview: &Interview) -> Client {
    let observer = connect(world, node, &recruiter("recruiter", "r-1", Some(ORG))).await;
    observer.ask_ok("observe-interview", json!({"interviewId": interview.id})).await;
    observer
}

/// Waits until the live session of an interview is in this state, and gives what the hub's services see of it then.
pub async fn until_state(world: &World, interview: &Interview, state: &str) -> Value {
    let is_there = async || overview(world, interview).await["session"]["state"] == state;
    world.eventually(&format!("its session is {state}"), is_there).await;
    overview(world, interview).await
}

/// What the hub's services see of an interview.
pub async fn overview(world: &World, interview: &Interview) -> Value {
    let path = format!("/internal/interviews/{}", interview.id);
    let answer = send(world, 0, Method::GET, &path, As::Internal, None).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}
