//! What this service is, whether its process is alive, and whether a balancer should send clients here. Contract § 7 "HTTP".

use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;

use bytes::Bytes;
use hyper::{Method, Response, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;

use super::super::docs::{Doc, Tag};
use super::super::router::Router;
use super::super::{Shape, json as respond_json};
use crate::core::drain::{Lifecycle, Phase};
use crate::http::Body;

const SERVICE: &str = env!("CARGO_PKG_NAME");
const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) const HUB: Tag = Tag { name: "Hub", about: "The hub itself: whether it is there, and what it offers." };

/// A system outside of the hub. While it is away the hub is degraded but ready.
pub struct Dependency {
    pub name: &'static str,
    /// Must not block.
    pub is_there: Box<dyn Fn() -> bool + Send + Sync>,
}

/// Whether the node is ready.
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
    /// The error codes with which Redis refuses commands (`OOM`, `NOPERM`, …).
    pub refuses: Vec<&'static str>,
    /// Why this node may not act: it has no lease. `None`: it may.
    pub fence: Option<&'static str>,
}

impl Health {
    /// Why no client should be sent here. `None`: clients may be sent here.
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
        let mut checks = BTreeMap::from([("redis", Check::Redis { up, masters: all, refuses: state.refuses })]);
        for dependency in &self.dependencies {
            checks.insert(dependency.name, Check::Other { up: (dependency.is_there)() });
        }
        let away: Vec<_> = checks.iter().filter(|(_, check)| !check.is_up()).map(|(name, _)| *name).collect();
        let (status, code) = match unready {
            Some(_) => (ReadyStatus::Unavailable, StatusCode::SERVICE_UNAVAILABLE),
            None => (ReadyStatus::Ready, StatusCode::OK),
        };
        let readiness = Readiness { status, degraded: !away.is_empty(), away, checks, reason: unready };
        respond_json(code, text(&readiness))
    }
}

/// What this service is.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServiceInfo")]
struct Info<'a> {
    service: &'static str,
    version: &'static str,
    #[schemars(schema_with = "ok_word")]
    status: &'static str,
    /// The name of the node that answers.
    node: &'a str,
    socketio: Sockets<'a>,
}

/// How Socket.IO is reached.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
struct Sockets<'a> {
    path: &'static str,
    transports: [&'static str; 2],
    namespaces: &'a [&'a str],
}

/// The process is alive.
#[derive(Serialize, JsonSchema)]
struct Alive {
    #[schemars(schema_with = "ok_word")]
    status: &'static str,
    service: &'static str,
    version: &'static str,
}

/// Whether a balancer should send clients here.
#[derive(Serialize, JsonSchema)]
struct Readiness {
    status: ReadyStatus,
    /// A system beside the hub is away. The hub serves clients without it.
    degraded: bool,
    /// The names of the systems that are away.
    away: Vec<&'static str>,
    checks: BTreeMap<&'static str, Check>,
    /// Why the node is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
enum ReadyStatus {
    Ready,
    Unavailable,
}

/// The state of a system outside of the hub.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(inline)]
enum Check {
    Redis {
        /// How many masters answer.
        up: usize,
        /// How many there are.
        masters: usize,
        /// The error codes with which Redis refuses commands.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        refuses: Vec<&'static str>,
    },
    Other {
        up: bool,
    },
}

impl Check {
    fn is_up(&self) -> bool {
        match self {
            Self::Redis { up, masters, refuses } => up == masters && refuses.is_empty(),
            Self::Other { up } => *up,
        }
    }
}

fn ok_word(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"const": "ok"})
}

/// Adds `/`, `/health`, `/api/health`, `/healthz`, `/livez`, `/ready` and `/readyz`. `/` names the Socket.IO `namespaces`.
pub fn routes(router: &mut Router, health: Health, node: &str, namespaces: &[&str]) {
    let socketio = Sockets { path: "/socket.io/", transports: ["polling", "websocket"], namespaces };
    let info = text(&Info { service: SERVICE, version: VERSION, status: "ok", node, socketio });
    let doc = Doc::new("getServiceInfo", HUB, "What this service is")
        .about(
            "Its name and version, the name of the node that answers, and where its Socket.IO is: the path and the namespaces.",
        )
        .open();
    router
        .route(Method::GET, "/", Shape::Envelope, move |_| ready(Ok(respond_json(StatusCode::OK, info.clone()))))
        .described(doc.answers::<Info<'_>>(StatusCode::OK, "The service, and how Socket.IO is reached."));
    for (path, id) in
        [("/health", "getHealth"), ("/api/health", "getApiHealth"), ("/healthz", "getHealthz"), ("/livez", "getLivez")]
    {
        let alive = text(&Alive { status: "ok", service: SERVICE, version: VERSION });
        let doc = Doc::new(id, HUB, "Whether the process is alive")
            .about("It says nothing of Redis or of anything else that the hub needs: `/readyz` does. For restarts, and not for a balancer.")
            .open();
        router
            .route(Method::GET, path, Shape::Envelope, move |_| ready(Ok(respond_json(StatusCode::OK, alive.clone()))))
            .described(doc.answers::<Alive>(StatusCode::OK, "It is."));
    }
    let health = Arc::new(health);
    for (path, id) in [("/ready", "getReady"), ("/readyz", "getReadyz")] {
        let health = health.clone();
        let doc = Doc::new(id, HUB, "Whether a balancer should send clients here")
            .about(
                "A node is not ready while it starts, drains, has no lease, or no Redis master answers. What else is away is named; it does \
                 not make a node unready.",
            )
            .open()
            .answers::<Readiness>(StatusCode::OK, "The node is ready.")
            .answers::<Readiness>(StatusCode::SERVICE_UNAVAILABLE, "The node is not ready.");
        router.route(Method::GET, path, Shape::Envelope, move |_| ready(Ok(health.ready()))).described(doc);
    }
}

/// A body that is the same for everybody, or of one moment.
fn text(body: &impl Serialize) -> Bytes {
    // Only a map key that is not text could fail, and none of these has one.
    serde_json::to_vec(body).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

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
