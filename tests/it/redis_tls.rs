//! Redis over TLS.

use serde_json::json;

use super::support::client::Client;
use super::support::hub::Hub;
use super::support::redis::Server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_speaks_tls_with_a_redis_whose_certificate_it_trusts() {
    let (_redis, url, certificate) = Server::start_with_tls();
    let trusted = certificate.to_str().expect("a path of ours");
    let hub = Hub::start(&[("REDIS_URL", &url), ("SSL_CERT_FILE", trusted)]).await;
    hub.create_sos("tls", "c1").await;
    let [mut citizen, rescuer] = [("citizen", "c1"), ("rescuer", "r1")].map(|(role, user)| hub.token(role, user, &["tls"]));
    let (mut citizen_client, mut rescuer_client) = (
        Client::connect(&hub.url(), json!({"token": std::mem::take(&mut citizen)})).await,
        Client::connect(&hub.url(), json!({"token": rescuer})).await,
    );
    rescuer_client.wait("sos:state").await;
    citizen_client.wait("sos:state").await;
    citizen_client.ask_ok("message:send", json!({"text": "sealed"})).await;
    assert_eq!(rescuer_client.wait("message:broadcast").await["text"], "sealed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_nobody_vouches_for_is_not_trusted() {
    let (_redis, url, _) = Server::start_with_tls();
    let hub = Hub::start_unready(&[("REDIS_URL", &url)]).await;
    let body = hub.wait_for_status("/readyz", 503).await;
    assert!(body.contains("no Redis master answers"), "{body}");
}
