//! Each route says no in the form of its own surface, whatever is wrong and however early it is found.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::interviews_world::{ORG, recruiter};
use crate::support::booking::{Answer, World};
use crate::support::hub::{Hub, INTERNAL};

/// The fields of a refusal, sorted.
const SOS: &[&str] = &["code", "error", "message", "success"];
const CODED: &[&str] = &["error", "message"];
const MESSAGE: &[&str] = &["message"];

const ID: &str = "6f6a7b1e-0d6c-4a57-9a3e-0d5a8f3f8f11";

/// A route and the form of its refusals.
struct Route {
    method: Method,
    path: String,
    shape: &'static [&'static str],
    /// It looks at its body.
    reads: bool,
}

fn routes() -> Vec<Route> {
    let route = |method, path: &str, shape, reads| Route { method, path: path.to_owned(), shape, reads };
    vec![
        route(Method::POST, "/internal/realtime/sos/init", SOS, true),
        route(Method::POST, "/internal/realtime/sos/s1/close", SOS, true),
        route(Method::POST, "/internal/realtime/sos/s1/status", SOS, true),
        route(Method::POST, "/internal/realtime/sos/s1/messages", SOS, true),
        route(Method::POST, "/internal/realtime/sos/s1/members", SOS, true),
        route(Method::GET, "/internal/realtime/sos/s1/state", SOS, false),
        route(Method::POST, "/api/interviews/join-token", CODED, true),
        route(Method::POST, &format!("/api/interviews/{ID}/invites"), CODED, true),
        route(Method::DELETE, &format!("/api/interviews/{ID}/invites/{ID}"), CODED, false),
        route(Method::POST, "/internal/interviews", CODED, true),
        route(Method::PATCH, &format!("/internal/interviews/{ID}"), CODED, true),
        route(Method::POST, "/api/interviews/start", CODED, false),
        route(Method::POST, "/api/livekit/token", MESSAGE, true),
        route(Method::GET, "/api/interviews/ABC-123-XYZ", MESSAGE, false),
        route(Method::GET, "/api/interviews/ABC-123-XYZ/status", MESSAGE, false),
        route(Method::POST, "/api/interviews/ABC-123-XYZ/end", MESSAGE, false),
        route(Method::GET, "/api/interviews/eligibility", MESSAGE, false),
        route(Method::PATCH, "/internal/interview-sessions/ABC-123-XYZ", MESSAGE, true),
        route(Method::PUT, &format!("/internal/users/{ID}"), MESSAGE, true),
    ]
}

impl Route {
    /// A request that gets past the door.
    fn request(&self, hub: &Hub, holder: &str) -> RequestBuilder {
        let request = hub.request(self.method.clone(), &self.path);
        let is_interviews = self.path.contains("/invites") || self.path.contains("/join-token");
        match self.path.starts_with("/internal") {
            true => request.header("x-internal-token", INTERNAL),
            false if is_interviews => request.bearer_auth(recruiter("recruiter", "r-1", Some(ORG))),
            false => request.bearer_auth(holder),
        }
    }

    #[track_caller]
    fn is_refused(&self, answer: &Answer, status: u16, what: &str) {
        let Route { method, path, .. } = self;
        let fields: Vec<_> = answer.body.as_object().map(|body| body.keys().map(String::as_str).collect()).unwrap_or_default();
        assert_eq!((answer.status, fields.as_slice()), (status, self.shape), "{what}: {method} {path} {}", answer.body);
        assert!(answer.body["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}: {path}");
    }
}

#[tokio::test]
async fn bodies_and_methods_are_refused_in_the_form_of_the_route() {
    let Some(world) = World::start(1, &[]).await else { return };
    let (hub, holder) = (&world.hubs[0], world.token(Uuid::new_v4()));
    for route in routes() {
        for (what, status, media, body) in [
            ("no JSON", 400, "application/json", b"{".to_vec()),
            ("another type", 415, "text/plain", b"{}".to_vec()),
            ("too large", 413, "application/json", vec![b' '; 200_000]),
        ] {
            // Those that ignore their body still bound it.
            if route.reads || (status == 413 && route.method == Method::POST) {
                let request = route.request(hub, &holder).header("content-type", media).body(body);
                route.is_refused(&Answer::of(request).await, status, what);
            }
        }
        let answer = Answer::of(hub.request(Method::TRACE, &route.path)).await;
        route.is_refused(&answer, 405, "method");
        assert!(answer.header("allow").is_some_and(|allow| allow.contains(route.method.as_str())), "{}", route.path);
    }
}

#[tokio::test]
async fn what_is_not_configured_or_away_is_told_in_the_form_of_the_route() {
    let nothing = Hub::on_shared_redis(&[("INTERNAL_AUTH_TOKEN", "")]).await;
    for route in routes() {
        route.is_refused(&Answer::of(route.request(&nothing, "x")).await, 501, "no settings");
    }
    drop(nothing);
    let Some(world) = World::start(1, &[("REDIS_DEADLINE_MS", "300")]).await else { return };
    let holder = world.token(Uuid::new_v4());
    world.redis.stop();
    for route in routes().into_iter().filter(|route| !route.path.starts_with("/internal")) {
        let request = route.request(&world.hubs[0], &holder).json(&json!({"interviewId": ID, "role": "recruiter"}));
        let answer = Answer::of(request).await;
        route.is_refused(&answer, 503, "Redis is away");
        assert!(answer.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn failed_authentication_is_limited_in_the_form_of_the_route() {
    let Some(world) = World::start(1, &[]).await else { return };
    let mut too_many = 0;
    for route in routes() {
        for _ in 0..21 {
            let request = world.hubs[0].request(route.method.clone(), &route.path).json(&json!({}));
            let answer = Answer::of(request.header("x-internal-token", "wrong").bearer_auth("wrong")).await;
            match answer.status {
                401 => {
                    // As the contract has them, door by door.
                    let error =
                        if route.path.starts_with("/internal") { json!("INVALID_TOKEN") } else { answer.body["error"].clone() };
                    assert_eq!(answer.body["error"], error, "{}", route.path);
                    assert!(answer.body["message"].is_string());
                }
                _ => {
                    let expected: &[&str] = if route.shape == SOS { SOS } else { CODED };
                    let error = if route.shape == SOS { "RATE_LIMITED" } else { "RATE_LIMIT" };
                    Route { shape: expected, ..route_of(&route) }.is_refused(&answer, 429, "too many failures");
                    assert_eq!(answer.error(), error, "{}", route.path);
                    too_many += 1;
                    break;
                }
            }
        }
    }
    assert_eq!(too_many, routes().len());
}

fn route_of(route: &Route) -> Route {
    Route { method: route.method.clone(), path: route.path.clone(), shape: route.shape, reads: route.reads }
}

#[tokio::test]
async fn an_unknown_route_is_the_same_everywhere() {
    let hub = Hub::on_shared_redis(&[]).await;
    for path in ["/api/nothing", "/api/interviews/a/b/c", "/internal/interviews/a/b", "/internal/realtime/sos/s1", "/v2"] {
        let answer = hub.get(path).await;
        assert_eq!(answer.status(), 404);
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"error": "Not Found", "path": path}));
    }
}
