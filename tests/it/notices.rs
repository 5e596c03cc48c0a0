//! What an operator can mend is told to them: each fault of the surroundings has a line in the log that names its cause.

use reqwest::Method;
use serde_json::json;

use crate::support::client::{Client, Refusal};
use crate::support::hub::{Hub, now_seconds};
use crate::support::keys::TestKey;
use crate::support::ports::free_port;
use crate::support::stub_http::{Answer, StubHttp};
use crate::support::{eventually_within, postgres, redis};

async fn warned(hub: &Hub, words: &[&str]) {
    let fits = || hub.log().lines().any(|line| line.contains("WARN") && words.iter().all(|word| line.contains(word)));
    eventually_within(20, &words.join(" … "), fits).await;
}

fn times(hub: &Hub, words: &str) -> usize {
    hub.log().lines().filter(|line| line.contains(words)).count()
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
    for n in 0..5 {
        let _ = connect(&new, &format!("another {n}")).await;
    }
    let refused = connect(&new, "one more").await;
    assert!(matches!(refused, Err(Refusal::Closed(_))), "{:?}", refused.err());
    warned(&hub, &["a token names a key that the JWKS does not hold", "made up"]).await;
}
