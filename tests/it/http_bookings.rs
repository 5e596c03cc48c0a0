//! Interview sessions over HTTP, row by row: what is asked, the status, the headers that matter, the body. Each test is a
//! transcript (contract § 5).

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::booking::{Answer, Started, World, holder_token, token_body};
use crate::support::hub::{Hub, INTERNAL, now_seconds};
use crate::support::redis::Server;

/// What was asked and answered, with what differs from run to run taken out.
struct Transcript<'a> {
    world: &'a World,
    /// What stands for what.
    names: Vec<(String, String)>,
    text: String,
}

impl<'a> Transcript<'a> {
    fn of(world: &'a World) -> Self {
        let mut names = vec![(world.livekit.ws_url().to_owned(), "<ws url>".to_owned())];
        names.push((format!("{}-", world.prefix), "<prefix>-".into()));
        Self { world, names, text: String::new() }
    }

    fn name(&mut self, text: impl ToString, name: &str) {
        self.names.push((text.to_string(), format!("<{name}>")));
    }

    async fn user(&mut self, name: &str) -> Uuid {
        let user = self.world.user().await;
        self.name(user, name);
        user
    }

    async fn started(&mut self, user: Uuid, name: &str) -> Started {
        let session = self.world.started(user).await;
        self.name(&session.id, name);
        session
    }

    fn heading(&mut self, text: &str) {
        self.text.push_str(&format!("## {text}\n"));
    }

    async fn get(&mut self, path: &str, user: Uuid) -> Answer {
        self.ask(Method::GET, path, user, |request| request).await
    }

    async fn post(&mut self, path: &str, user: Uuid, body: Value) -> Answer {
        self.ask(Method::POST, path, user, |request| request.json(&body)).await
    }

    async fn ask(&mut self, method: Method, path: &str, user: Uuid, more: impl Fn(RequestBuilder) -> RequestBuilder) -> Answer {
        let request = self.world.request(0, method, path, user);
        self.sent(more(request)).await
    }

    async fn internal(&mut self, method: Method, path: &str, body: Value) -> Answer {
        let request = self.world.hubs[0].request(method, path).header("x-internal-token", INTERNAL);
        self.sent(request.json(&body)).await
    }

    async fn sent(&mut self, request: RequestBuilder) -> Answer {
        let built = request.try_clone().expect("no stream").build().expect("a request");
        let body = built.body().and_then(|body| body.as_bytes()).unwrap_or_default();
        let shown = String::from_utf8_lossy(body);
        let shown = if shown.len() > 300 { format!("{}… ({} bytes)", &shown[..40], shown.len()) } else { shown.into_owned() };
        let asked = format!("> {} {} {shown}", built.method(), built.url().path());
        let answer = Answer::of(request).await;
        let mut headers = String::new();
        for name in ["retry-after", "allow"] {
            headers.push_str(&answer.header(name).map(|value| format!(" {name}: {value}")).unwrap_or_default());
        }
        let limits =
            ["limit", "remaining", "reset"].iter().filter(|name| answer.headers.contains_key(format!("ratelimit-{name}")));
        headers.push_str(&match limits.count() {
            0 => String::new(),
            3 => " (RateLimit)".to_owned(),
            some => format!(" ({some} of 3 RateLimit headers)"),
        });
        let mut body = answer.body.clone();
        steady(&mut body);
        let body = serde_json::to_string_pretty(&body).expect("JSON");
        let mut text = format!("{}\n{}{headers}\n{body}\n\n", asked.trim_end(), answer.status);
        // The newest first: the prefix of rooms, which comes last, may stand in an id by chance.
        for (from, to) in self.names.iter().rev() {
            text = text.replace(from, to);
        }
        self.text.push_str(&text);
        answer
    }
}

/// Times and tokens differ from run to run.
fn steady(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(steady),
        Value::Array(values) => values.iter_mut().for_each(steady),
        Value::String(text) if is_time(text) => *value = "<time>".into(),
        Value::String(text) if text.starts_with("eyJ") => *value = "<token>".into(),
        _ => {}
    }
}

/// `2026-01-31T09:30:00.250Z`, and no other form.
fn is_time(text: &str) -> bool {
    text.len() == 24
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            10 => byte == b'T',
            13 | 16 => byte == b':',
            19 => byte == b'.',
            23 => byte == b'Z',
            _ => byte.is_ascii_digit(),
        })
}

const START: &str = "/api/interviews/start";
const ELIGIBILITY: &str = "/api/interviews/eligibility";
const TOKEN: &str = "/api/livekit/token";

#[tokio::test]
async fn start_and_its_refusals() {
    let env = [("MAX_CONCURRENT_INTERVIEWS", "1"), ("BETA_INTERVIEWS_PER_USER", "1")];
    let Some(world) = World::start(1, &env).await else { return };
    let mut api = Transcript::of(&world);
    let nobody = Uuid::new_v4();
    api.heading("an unknown user");
    api.post(START, nobody, json!({})).await;
    api.get(ELIGIBILITY, nobody).await;
    api.heading("without a résumé");
    let user = api.user("user").await;
    for resume in ["NULL", "''"] {
        world.sql(&format!("UPDATE public.users SET resume_id = {resume} WHERE id = '{user}'")).await;
        api.post(START, user, json!({})).await;
        api.get(ELIGIBILITY, user).await;
    }
    world.sql(&format!("UPDATE public.users SET resume_id = 'r' WHERE id = '{user}'")).await;
    api.heading("eligible");
    api.get(ELIGIBILITY, user).await;
    api.heading("body and content type are ignored");
    let started = world.start_on(0, user).await.started();
    api.name(&started.id, "session");
    world.end(&started.id, user).await;
    world.sql("UPDATE public.users SET completed_interviews_count = 0").await;
    let again =
        api.ask(Method::POST, START, user, |request| request.body("{not json").header("content-type", "text/plain")).await;
    let session = again.started();
    api.name(&session.id, "session");
    api.heading("one is active");
    api.post(START, user, json!({})).await;
    api.get(ELIGIBILITY, user).await;
    api.heading("all slots are taken");
    let other = api.user("other").await;
    api.post(START, other, json!({})).await;
    api.get(ELIGIBILITY, other).await;
    api.heading("the refusals that come before that");
    world.sql(&format!("UPDATE public.users SET completed_interviews_count = 1 WHERE id = '{other}'")).await;
    api.post(START, other, json!({})).await;
    api.get(ELIGIBILITY, other).await;
    world.sql(&format!("UPDATE public.users SET resume_id = NULL WHERE id = '{other}'")).await;
    api.post(START, other, json!({})).await;
    api.heading("another method");
    api.get(START, user).await;
    api.heading("too large a body");
    api.ask(Method::POST, START, other, |request| request.body("x".repeat(200_000))).await;
    let text = api.text.replace(&again.started().id, "<session>");
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn a_session_is_its_users_alone() {
    let Some(world) = World::start(1, &[]).await else { return };
    let mut api = Transcript::of(&world);
    let (user, other) = (api.user("user").await, api.user("other").await);
    let session = api.started(user, "session").await;
    let path = format!("/api/interviews/{}", session.id);
    api.get(&path, user).await;
    api.get(&format!("{path}/status"), user).await;
    api.heading("another user's");
    api.get(&path, other).await;
    api.get(&format!("{path}/status"), other).await;
    api.ask(Method::POST, &format!("{path}/end"), other, |request| request).await;
    api.post(TOKEN, other, token_body(&session)).await;
    api.heading("ids of a wrong form");
    for id in ["nothing", "ABC-123-XYZ", "'%20OR%201=1%20--", "%00", "%C3%A4", "a%2Fb", &"x".repeat(2000)] {
        let answer = world.get(&format!("/api/interviews/{id}"), user).await;
        assert_eq!((answer.status, &answer.body), (404, &json!({"message": "Session not found"})), "{id}");
    }
    api.get("/api/interviews/%FF", user).await;
    api.heading("other methods");
    api.ask(Method::PUT, &path, user, |request| request).await;
    api.get(&format!("{path}/end"), user).await;
    api.heading("scored");
    api.internal(Method::PATCH, &format!("/internal/interview-sessions/{}", session.id), json!({"score_overall": 8.5})).await;
    api.heading("ended, whatever the body says");
    api.ask(Method::POST, &format!("{path}/end"), user, |request| request.body("<xml/>").header("content-type", "text/xml"))
        .await;
    api.get(&path, user).await;
    api.ask(Method::POST, &format!("{path}/end"), user, |request| request).await;
    api.ask(Method::POST, &format!("{path}/end"), user, |request| request.body("x".repeat(1_000_000))).await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn a_token_is_refused_for_the_first_reason() {
    let Some(world) = World::start(1, &[("MAX_ACTIVE_SESSIONS_PER_USER", "2")]).await else { return };
    let mut api = Transcript::of(&world);
    let user = api.user("user").await;
    let (session, other) = (api.started(user, "session").await, api.started(user, "other").await);
    let room = json!(session.room);
    api.post(TOKEN, user, token_body(&session)).await;
    api.post(TOKEN, user, json!({"roomName": room, "sessionId": session.id, "unknown": {"field": [1]}})).await;
    api.heading("not JSON");
    api.ask(Method::POST, TOKEN, user, |request| request.body("{").header("content-type", "application/json")).await;
    api.ask(Method::POST, TOKEN, user, |request| request.body("a=b").header("content-type", "application/x-www-form-urlencoded"))
        .await;
    api.ask(Method::POST, TOKEN, user, |request| request.json(&json!({"roomName": "x".repeat(1_000_000)}))).await;
    api.heading("roomName");
    api.ask(Method::POST, TOKEN, user, |request| request).await;
    for body in [json!({}), json!([]), json!({"roomName": 1}), json!({"roomName": "", "sessionId": session.id}), json!(null)] {
        api.post(TOKEN, user, body).await;
    }
    api.heading("sessionId");
    for body in [json!({"roomName": "x"}), json!({"roomName": room, "sessionId": ["a"]})] {
        api.post(TOKEN, user, body).await;
    }
    api.heading("the form of the room");
    api.post(TOKEN, user, json!({"roomName": "x", "sessionId": "no such session"})).await;
    api.heading("no such session");
    for id in ["no such session", "ABC-123-XYZ", "'; DROP TABLE public.users; --"] {
        api.post(TOKEN, user, json!({"roomName": room, "sessionId": id})).await;
    }
    api.heading("ended");
    world.end(&other.id, user).await;
    api.post(TOKEN, user, token_body(&other)).await;
    api.post(TOKEN, user, json!({"roomName": room, "sessionId": other.id})).await;
    api.heading("another session's room");
    api.post(TOKEN, user, json!({"roomName": other.room, "sessionId": session.id})).await;
    api.get(TOKEN, user).await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn other_services_write_users_and_scores() {
    let Some(world) = World::start(1, &[]).await else { return };
    let mut api = Transcript::of(&world);
    let user = Uuid::new_v4();
    api.name(user, "user");
    let path = format!("/internal/users/{user}");
    api.heading("users");
    api.internal(Method::PUT, &path, json!({"email": "a@example.com", "resumeId": "r", "completed_interviews_count": 7})).await;
    let session = api.started(user, "session").await;
    world.end(&session.id, user).await;
    api.internal(Method::PUT, &path, json!({"email": null, "resumeId": "'); DROP TABLE public.users; --"})).await;
    api.internal(Method::PUT, &path, json!({"email": 1, "resumeId": "\u{0}"})).await;
    api.internal(Method::PUT, "/internal/users/nobody", json!({})).await;
    api.heading("scores");
    let path = format!("/internal/interview-sessions/{}", session.id);
    api.internal(Method::PATCH, &path, json!({"score_overall": 99.9, "summary": "'; DROP TABLE x; --", "status": "active"}))
        .await;
    api.internal(Method::PATCH, &path, json!({"summary": "fine"})).await;
    api.internal(Method::PATCH, &path, json!({})).await;
    api.internal(Method::PATCH, &path, json!({"score_overall": 100, "summary": 3})).await;
    api.internal(Method::PATCH, "/internal/interview-sessions/none", json!({"score_overall": 1})).await;
    api.internal(Method::PATCH, "/internal/interview-sessions/a%20b", json!({"score_overall": 1})).await;
    api.heading("without the token");
    for token in [None, Some("wrong")] {
        let request = world.hubs[0].request(Method::PATCH, &path).json(&json!({}));
        let request = match token {
            Some(token) => request.header("x-internal-token", token),
            None => request,
        };
        api.sent(request).await;
    }
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn what_is_wrong_with_a_value_is_told_by_its_cause() {
    let Some(world) = World::start(1, &[]).await else { return };
    world
        .sql(
            "CREATE TABLE public.resumes (id text PRIMARY KEY); INSERT INTO public.resumes VALUES ('r1');
             ALTER TABLE public.users ALTER COLUMN email TYPE varchar(20), ALTER COLUMN email SET NOT NULL,
                 ADD FOREIGN KEY (resume_id) REFERENCES public.resumes",
        )
        .await;
    let path = format!("/internal/users/{}", Uuid::new_v4());
    for (body, message) in [
        (json!({"email": "much too long for it@x", "resumeId": "r1"}), "A value does not fit its column"),
        (json!({"email": "a@b", "resumeId": "r2"}), "A value refers to something that does not exist"),
        (json!({"resumeId": "r1"}), "A column that must have a value would have none"),
    ] {
        let answer = world.internal(Method::PUT, &path, Some(body)).await;
        assert_eq!((answer.status, answer.body), (400, json!({"message": message})));
    }
}

#[tokio::test]
async fn who_has_no_token_is_nobody() {
    let Some(world) = World::start(1, &[]).await else { return };
    let mut api = Transcript::of(&world);
    let user = api.user("user").await;
    let hub = &world.hubs[0];
    let unauthorized = json!({"message": "Unauthorized"});
    let routes = [
        (Method::POST, START),
        (Method::GET, ELIGIBILITY),
        (Method::GET, "/api/interviews/x"),
        (Method::GET, "/api/interviews/x/status"),
        (Method::POST, "/api/interviews/x/end"),
        (Method::POST, TOKEN),
    ];
    for (method, path) in routes {
        let answer = Answer::of(hub.request(method.clone(), path)).await;
        assert_eq!((answer.status, &answer.body), (401, &unauthorized), "{method} {path}");
    }
    let expired = holder_token(user, None, now_seconds() - 60);
    let of_sos = hub.token("citizen", &user.to_string(), &[]);
    for token in [&*expired, &of_sos, "abc", ""] {
        let answer = Answer::of(hub.request(Method::POST, START).bearer_auth(token)).await;
        assert_eq!((answer.status, &answer.body), (401, &unauthorized), "{token}");
    }
    assert_eq!(world.active().await, 0);
    api.heading("too many failures");
    let mut failures = 10;
    while Answer::of(hub.request(Method::POST, START)).await.status == 401 {
        failures += 1;
        assert!(failures <= 40, "failures are not limited");
    }
    let answer = Answer::of(hub.request(Method::POST, START)).await;
    assert_eq!((answer.status, answer.error()), (429, "RATE_LIMIT"));
    assert!(answer.header("retry-after").is_some());
    // The right token opens all the same.
    assert_eq!(world.start_on(0, user).await.status, 201);
    api.heading("what is not offered");
    api.get("/api/me", user).await;
    api.get("/api/resume", user).await;
    insta::assert_snapshot!(api.text);
}

#[tokio::test]
async fn requests_of_a_user_are_limited_on_all_nodes_together() {
    let env =
        [("RATE_LIMIT_START_PER_MINUTE", "3"), ("RATE_LIMIT_TOKEN_PER_MINUTE", "2"), ("RATE_LIMIT_SESSIONS_PER_MINUTE", "2")];
    let Some(world) = World::start(2, &env).await else { return };
    let (user, other) = (world.user().await, world.user().await);
    let mut remaining = Vec::new();
    for at in 0..4 {
        let answer = world.start_on(at % 2, user).await;
        remaining.push((answer.status, answer.header("ratelimit-remaining").unwrap_or_default().to_owned()));
        assert_eq!(answer.header("ratelimit-limit"), Some("3"));
        assert!(answer.header("ratelimit-reset").is_some());
        if at == 3 {
            assert_eq!(answer.error(), "RATE_LIMIT");
            let wait = answer.header("retry-after").and_then(|seconds| seconds.parse().ok());
            assert!(wait.is_some_and(|seconds: u64| (1..=20).contains(&seconds)), "{answer:?}");
        }
    }
    let expected = [(201, "2"), (400, "1"), (400, "0"), (429, "0")].map(|(status, left)| (status, left.to_owned()));
    assert_eq!(remaining, expected);
    assert_eq!(world.start_on(0, other).await.status, 201, "another user's bucket");
    for path in [ELIGIBILITY, "/api/interviews/none", "/api/interviews/none/status"] {
        let statuses = [world.get(path, user).await, world.get(path, user).await, world.get(path, user).await];
        assert_eq!(statuses[2].status, 429, "each route has its bucket: {path}");
        assert!(statuses[..2].iter().all(|answer| answer.status != 429), "{path}");
    }
    let tokens = [world.post(TOKEN, user, None).await, world.post(TOKEN, user, None).await, world.post(TOKEN, user, None).await];
    assert_eq!(tokens.map(|answer| answer.status), [400, 400, 429]);
}

#[tokio::test]
async fn what_is_not_configured_says_which_setting_is_missing() {
    let redis = Server::start(&[]);
    let redis_url = redis.url();
    let routes = [
        (Method::POST, START),
        (Method::GET, ELIGIBILITY),
        (Method::GET, "/api/interviews/x"),
        (Method::GET, "/api/interviews/x/status"),
        (Method::POST, "/api/interviews/x/end"),
        (Method::POST, TOKEN),
        (Method::PATCH, "/internal/interview-sessions/x"),
        (Method::PUT, "/internal/users/x"),
    ];
    let nothing = Hub::start(&[("REDIS_URL", &redis_url)]).await;
    for (method, path) in &routes {
        let answer = Answer::of(nothing.request(method.clone(), path)).await;
        assert_eq!((answer.status, &answer.body["message"]), (501, &json!("DATABASE_URL is not set")), "{path}");
    }
    let Some(world) = World::start(0, &[]).await else { return };
    let database = world.database.clone();
    let env = [("REDIS_URL", &*redis_url), ("DATABASE_URL", &database)];
    let without_livekit =
        Hub::start(&[&env[..], &[("SESSIONS_JWT_SECRET", crate::support::booking::SESSIONS_SECRET)]].concat()).await;
    let user = Uuid::new_v4();
    let token = world.token(user);
    for (method, path) in &routes[..6] {
        let answer = Answer::of(without_livekit.request(method.clone(), path).bearer_auth(&token)).await;
        if matches!(*path, START | TOKEN) {
            assert_eq!((answer.status, &answer.body["message"]), (501, &json!("LIVEKIT_WS_URL is not set")), "{path}");
        } else {
            assert_ne!(answer.status, 501, "{path}");
        }
    }
    drop(without_livekit);
    let without_keys = Hub::start(&[&env[..], &[("INTERNAL_AUTH_TOKEN", "")]].concat()).await;
    for (method, path) in &routes {
        let answer = Answer::of(without_keys.request(method.clone(), path).bearer_auth(&token)).await;
        let setting = match *path {
            START | TOKEN => "LIVEKIT_WS_URL",
            path if path.starts_with("/internal") => "INTERNAL_AUTH_TOKEN",
            _ => "SESSIONS_JWT_SECRET",
        };
        assert_eq!((answer.status, &answer.body["message"]), (501, &json!(format!("{setting} is not set"))), "{path}");
    }
}
