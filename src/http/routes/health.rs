//! What this service is, whether the process is alive, and whether a balancer should send clients here. Contract § 7 "HTTP".

use std::sync::Arc;

use hyper::{Method, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::super::router::Router;
use super::super::{Shape, json as respond_json, router::Answer};
use crate::core::drain::{Lifecycle, Phase};
use crate::engineio::Body;

const SERVICE: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// An outside system. While it is away the hub is degraded but ready.
pub struct Dependency {
    pub name: &'static str,
    /// Must not block.
    pub is_there: Box<dyn Fn() -> bool + Send + Sync>,
}

/// What decides whether the node is ready.
pub struct Health {
    pub lifecycle: Lifecycle,
    /// Must not block.
    pub state: Box<dyn Fn() -> NodeState + Send + Sync>,
    pub dependencies: Vec<Dependency>,
}

/// The state of this node and of its Redis.
pub struct NodeState {
    /// How many Redis masters answer, and how many there are.
    pub masters: (usize, usize),
    /// What Redis refuses, as its error codes (`OOM`, `NOPERM`, …).
    pub refuses: Vec<&'static str>,
    /// Why this node may not act, if so: it has no lease.
    pub fence: Option<&'static str>,
}

impl Health {
    /// Why no client should be sent here, if so.
    fn unready(&self, state: &NodeState) -> Option<&'static str> {
        match self.lifecycle.phase() {
            Phase::Starting => Some("starting"),
            Phase::Draining => Some("draining"),
            Phase::Serving if state.masters.0 == 0 => Some("no Redis master answers"),
            Phase::Serving => state.fence,
        }
    }

    fn ready(&self) -> Response<Body> {
        let state = (self.state)();
        let unready = self.unready(&state);
        let (up, all) = state.masters;
        let mut checks = Map::new();
        let mut redis = json!({"up": up, "masters": all});
        if !state.refuses.is_empty() {
            redis["refuses"] = state.refuses.into();
        }
        checks.insert("redis".into(), redis);
        for dependency in &self.dependencies {
            checks.insert(dependency.name.into(), json!({"up": (dependency.is_there)()}));
        }
        let is_up = |check: &Value| {
            let all_up = check["up"] != false && check.get("masters").is_none_or(|all| check["up"] == *all);
            all_up && check.get("refuses").is_none()
        };
        let away: Vec<_> = checks.iter().filter(|(_, check)| !is_up(check)).map(|(name, _)| name.as_str()).collect();
        let (status, code) = match unready {
            Some(_) => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
            None => ("ready", StatusCode::OK),
        };
        let mut body = json!({"status": status, "degraded": !away.is_empty(), "away": away});
        body["checks"] = checks.into();
        if let Some(reason) = unready {
            body["reason"] = reason.into();
        }
        respond_json(code, body.to_string())
    }
}

/// Adds `/`, `/health`, `/api/health`, `/healthz`, `/livez`, `/ready` and `/readyz`. `/` names the Socket.IO `namespaces`.
pub fn routes(router: &mut Router, health: Health, node: &str, namespaces: &[&str]) {
    let info = json!({
        "service": SERVICE,
        "version": VERSION,
        "status": "ok",
        "node": node,
        "socketio": {"path": "/socket.io/", "transports": ["polling", "websocket"], "namespaces": namespaces},
    });
    let info = info.to_string();
    router.route(Method::GET, "/", Shape::Envelope, move |_| ok(info.clone()));
    for path in ["/health", "/api/health", "/healthz", "/livez"] {
        let alive = || json!({"status": "ok", "service": SERVICE, "version": VERSION}).to_string();
        router.route(Method::GET, path, Shape::Envelope, move |_| ok(alive()));
    }
    let health = Arc::new(health);
    for path in ["/ready", "/readyz"] {
        let health = health.clone();
        router.route(Method::GET, path, Shape::Envelope, move |_| {
            let answer = health.ready();
            async { Ok(answer) }
        });
    }
}

fn ok(body: String) -> impl Future<Output = Answer> + Send {
    std::future::ready(Ok(respond_json(StatusCode::OK, body)))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    async fn judge(phase: Phase, masters: (usize, usize), service: bool) -> (u16, Value) {
        judge_fenced(phase, masters, service, None, Vec::new()).await
    }

    async fn judge_fenced(
        phase: Phase,
        masters: (usize, usize),
        service: bool,
        fence: Option<&'static str>,
        refuses: Vec<&'static str>,
    ) -> (u16, Value) {
        let health = Health {
            lifecycle: Lifecycle::default(),
            state: Box::new(move || NodeState { masters, refuses: refuses.to_vec(), fence }),
            dependencies: vec![Dependency { name: "someService", is_there: Box::new(move || service) }],
        };
        health.lifecycle.enter(phase);
        let (head, body) = health.ready().into_parts();
        (head.status.as_u16(), serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap())
    }

    #[tokio::test]
    async fn a_node_is_unready_only_for_reasons_of_its_own() {
        for (phase, masters, reason) in [
            (Phase::Starting, (3, 3), Some("starting")),
            (Phase::Draining, (3, 3), Some("draining")),
            (Phase::Serving, (0, 3), Some("no Redis master answers")),
            (Phase::Serving, (0, 0), Some("no Redis master answers")),
            (Phase::Serving, (1, 3), None),
            (Phase::Serving, (3, 3), None),
        ] {
            let (status, body) = judge(phase, masters, true).await;
            assert_eq!(status, if reason.is_some() { 503 } else { 200 }, "{phase:?} {masters:?}");
            assert_eq!(body["reason"].as_str(), reason);
        }
    }

    #[tokio::test]
    async fn a_node_without_a_lease_is_unready_and_says_so() {
        let (status, body) = judge_fenced(Phase::Serving, (3, 3), true, Some("fenced"), Vec::new()).await;
        assert_eq!((status, &body["reason"]), (503, &json!("fenced")));
        let (_, body) = judge_fenced(Phase::Serving, (0, 3), true, Some("fenced"), Vec::new()).await;
        assert_eq!(body["reason"], "no Redis master answers", "the cause, not its effect");
    }

    #[tokio::test]
    async fn what_redis_refuses_is_named_and_does_not_make_a_node_unready() {
        let (status, body) = judge_fenced(Phase::Serving, (1, 1), true, None, vec!["NOPERM", "OOM"]).await;
        assert_eq!((status, &body["degraded"], &body["away"]), (200, &json!(true), &json!(["redis"])));
        assert_eq!(body["checks"]["redis"], json!({"up": 1, "masters": 1, "refuses": ["NOPERM", "OOM"]}));
    }

    #[tokio::test]
    async fn what_is_away_is_named() {
        assert_eq!(
            judge(Phase::Serving, (2, 3), false).await,
            (
                200,
                json!({
                    "status": "ready",
                    "degraded": true,
                    "away": ["redis", "someService"],
                    "checks": {"redis": {"up": 2, "masters": 3}, "someService": {"up": false}},
                })
            )
        );
        let (_, body) = judge(Phase::Serving, (3, 3), true).await;
        assert_eq!(body["degraded"], false);
    }
}
