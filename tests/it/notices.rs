//! What an operator can mend is told to them: each fault of the surroundings has a line in the log that names its cause.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::booking::{INTERVIEW_SECRET, SESSIONS_SECRET, holder_token};
use crate::support::client::{Client, Refusal};
use crate::support::hub::{Hub, INTERNAL, now_seconds};
use crate::support::keys::TestKey;
use crate::support::metrics::metric;
use crate::support::node::files_with;
use crate::support::ports::free_port;
use crate::support::stub_http::{Answer, StubHttp};
use crate::support::{eventually, eventually_asked, postgres, redis};

async fn warned(hub: &Hub, words: &[&str]) {
    let all = [&["WARN"], words].concat();
    eventually(&words.join(" … "), || hub.logged(&all) > 0).await;
}

fn times(hub: &Hub, words: &str) -> usize {
    hub.logged(&[words])
}

#[tokio::test]
async fn an_origin_that_is_refused_is_told_once_with_the_host_that_was_seen() {
    let stranger = Hub::on_shared_redis(&[]).await;
    let trusting = Hub::on_shared_redis(&[("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let handshake = async |hub: &Hub, origin: &str| {
        let request = hub.request(Method::GET, "/socket.io/?EIO=4&transport=polling").header("origin", origin);
        let request = request.header("host", "inside:3000").header("x-forwarded-host", "hub.example.com");
        request.send().await.unwrap().status().as_u16()
    };
    for _ in 0..3 {
        assert_eq!(handshake(&stranger, "https://hub.example.com").await, 403);
    }
    warned(&stranger, &["an origin is not allowed", "https://hub.example.com", "inside:3000", "TRUSTED_PROXIES"]).await;
    assert_eq!(times(&stranger, "an origin is not allowed"), 1);
    for origin in ["https://hub.example.com", "wss://hub.example.com", "http://inside:3000"] {
        assert_eq!(handshake(&trusting, origin).await, 200, "{origin}");
    }
    assert_eq!(handshake(&trusting, "https://evil.example").await, 403);
    warned(&trusting, &["an origin is not allowed", "https://evil.example", "CORS_ORIGIN"]).await;
}

#[tokio::test]
async fn an_internal_token_that_is_wrong_is_told_on_either_side() {
    let service = StubHttp::start(Answer::Body(401, "".into())).await;
    let hub = Hub::on_shared_redis(&[("SOS_MS_URL", &service.url())]).await;
    for path in ["/internal/realtime/sos", "/internal/interviews"] {
        let request = hub.request(Method::GET, path).header("x-internal-token", "another");
        assert!([401, 405, 404].contains(&request.send().await.unwrap().status().as_u16()), "{path}");
    }
    warned(&hub, &["X-Internal-Token is missing, or is not INTERNAL_AUTH_TOKEN", "127.0.0.1"]).await;
    let _client = Client::try_connect(&hub.url(), json!({"token": hub.token("citizen", "c1", &["s-401"])})).await;
    warned(&hub, &["the SOS service refuses us", "401", "INTERNAL_AUTH_TOKEN"]).await;
}

#[tokio::test]
async fn check_finds_out_that_the_sos_service_takes_another_token() {
    let service = StubHttp::start(Answer::Body(401, "".into())).await;
    let (url, redis) = (service.url(), redis::single().url());
    let check = move || Hub::command("check", &[("REDIS_URL", &redis), ("SOS_MS_URL", &url)]).output().unwrap();
    let output = tokio::task::spawn_blocking(check).await.unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && report.contains("BAD   SOS service") && report.contains("401"), "{report}");
}

#[tokio::test]
async fn what_cannot_be_used_is_told_with_its_reason() {
    let (nothing, broken) = (format!("127.0.0.1:{}", free_port()), StubHttp::start(Answer::Body(500, "".into())).await);
    let (server, _) = postgres::Server::start_with_tls();
    let database = server.url("postgres").replacen("a%3Apassword", "another", 1);
    let env = [
        ("DATABASE_URL", &*database),
        ("DATABASE_DEADLINE_MS", "2000"),
        ("LIVEKIT_WS_URL", &*format!("ws://{nothing}/livekit")),
        ("LIVEKIT_API_KEY", "k"),
        ("LIVEKIT_API_SECRET", "a secret of the tests, at least 32 bytes long"),
        ("SOS_JWKS_URL", &*broken.url()),
        ("SOS_MS_URL", &*format!("http://{nothing}")),
    ];
    let hub = Hub::on_shared_redis(&env).await;
    for (dependency, why) in [
        ("postgres", "password authentication failed"),
        ("livekit", "Connection refused"),
        ("sosService", "Connection refused"),
        ("publishedKeys", "500"),
    ] {
        warned(&hub, &["it cannot be used", dependency, why]).await;
    }
    assert!(!hub.log().contains("another%2F"), "no secret");
}

/// Each request would have had lines of its own, and each round.
#[tokio::test]
async fn what_fails_again_and_again_is_told_once_a_minute() {
    let (redis, nothing, port) = (redis::Server::start(&[]), format!("127.0.0.1:{}", free_port()), free_port());
    let env = [
        ("REDIS_URL", &*redis.url()),
        ("LOG_LEVEL", "warn,convoke::app=info"),
        ("METRICS_PORT", &*port.to_string()),
        ("DATABASE_URL", &*format!("postgres://postgres@{nothing}/postgres")),
        ("DATABASE_DEADLINE_MS", "500"),
        ("SESSIONS_JWT_SECRET", SESSIONS_SECRET),
        ("INTERVIEW_JWT_SECRET", INTERVIEW_SECRET),
        ("INTERVIEW_SWEEP_SECONDS", "1"),
        ("TIMEOUT_ENFORCEMENT_INTERVAL_MS", "100"),
        ("LIVEKIT_WS_URL", &*format!("ws://{nothing}")),
        ("LIVEKIT_API_KEY", "k"),
        ("LIVEKIT_API_SECRET", "a secret of the tests, at least 32 bytes long"),
        ("AUTH_ENABLED", "false"),
        ("SESSION_CLEANUP_INTERVAL", "200ms"),
    ];
    let hub = Hub::start(&env).await;
    let holder = holder_token(Uuid::new_v4(), None, now_seconds() + 3600);
    for _ in 0..5 {
        let request = hub.request(Method::GET, "/api/interviews/eligibility").bearer_auth(&holder);
        assert_eq!(request.send().await.expect("an answer").status(), 503);
        let request = hub.request(Method::GET, &format!("/internal/interviews/{}", Uuid::new_v4()));
        assert_eq!(request.header("x-internal-token", INTERNAL).send().await.expect("an answer").status(), 503);
    }
    let failed = "convoke_realtime_poll_rounds_total{outcome=\"failed\"}";
    eventually_asked("rounds fail", async || metric(port, failed).await >= 3.0).await;
    for cause in ["a round of polling has failed", "an interview cannot be read or written"] {
        warned(&hub, &[cause]).await;
    }
    let mut told = BTreeMap::<_, usize>::new();
    for line in hub.log().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        // The cause of a request is its route.
        let below = field("path").split('/').nth(1).unwrap_or_default().to_owned();
        *told.entry((field("message"), field("dependency"), below)).or_default() += 1;
    }
    assert!(told.values().all(|times| *times == 1), "{told:?}");
}

/// Told each time: they are rare by themselves, whatever clients do and whatever is broken beside us.
const RARE: [&str; 17] = [
    "panic: {message}",
    "stopped before all sessions were closed",
    "left undone",
    "interview sessions: left to the sweep of another node",
    "it is there again",
    "it cannot be used", // counts its minute itself
    "an operator has ended a socket",
    "are not those in PostgreSQL: this node starts no sessions",
    "but this process may open no more than",
    "{notice}",
    "{fault}",
    "the node ends",
    "the node does not start with these settings",
    "a node does not answer: is its CLUSTER_SECRET ours?",
    "this node ",
    "not all sockets could be claimed in time",
    "a node is dead",
];

#[test]
fn every_line_at_warn_or_above_has_its_minute_or_is_rare() {
    let (mut unbounded, mut lines) = (Vec::new(), 0);
    for path in files_with("src", &[".rs"]) {
        let text = std::fs::read_to_string(&path).unwrap();
        for (at, level) in text.match_indices("tracing::warn!(").chain(text.match_indices("tracing::error!(")) {
            let rest = &text[at + level.len()..];
            let mut open = 1;
            let end = rest.find(|c| {
                open += i32::from(c == '(') - i32::from(c == ')');
                open == 0
            });
            let line = &rest[..end.expect("a call ends")];
            lines += 1;
            if !line.contains("times") && !RARE.iter().any(|rare| line.contains(rare)) {
                unbounded.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert!(lines > 30, "{lines}");
    assert!(unbounded.is_empty(), "use once_a_minute!:\n{}", unbounded.join("\n"));
}

#[tokio::test]
async fn a_token_whose_key_cannot_be_looked_for_now_is_sent_back_to_come_again_not_refused_for_good() {
    let (old, new) = (TestKey::es256(), TestKey::es256());
    let jwks = |keys: &[serde_json::Value]| Answer::json(200, &json!({ "keys": keys }));
    let server = StubHttp::start(jwks(&[old.jwk("old")])).await;
    let hub = Hub::on_shared_redis(&[("SOS_JWKS_URL", &server.url())]).await;
    let claims = json!({"userId": "r1", "role": "RESCUER", "exp": now_seconds() + 600});
    let connect =
        async |key: &TestKey, kid: &str| Client::try_connect(&hub.url(), json!({"token": key.sign(&claims, Some(kid))})).await;
    assert!(connect(&old, "old").await.is_ok());
    assert!(matches!(connect(&new, "made up").await, Err(Refusal::ConnectError(_))));
    server.answer_with(jwks(&[old.jwk("old"), new.jwk("new")]));
    assert!(connect(&new, "new").await.is_ok(), "rotated a moment after the last look");
    // A handful of looks use up what is allowed in ten seconds.
    let mut refused = None;
    for n in 0..50 {
        refused = connect(&new, &format!("another {n}")).await.err();
        if matches!(refused, Some(Refusal::Closed(_))) {
            break;
        }
    }
    assert!(matches!(refused, Some(Refusal::Closed(_))), "{refused:?}");
    warned(&hub, &["a token names a key that the JWKS does not hold", "made up"]).await;
}
