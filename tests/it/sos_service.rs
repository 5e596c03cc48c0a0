//! The hub's calls to the SOS service, against a server that answers badly on demand.

use std::time::Instant;

use bytes::Bytes;
use convoke::features::sos::service_client::{Delivery, LookupError, SosService};
use convoke::settings::Secret;
use serde_json::json;

use crate::support::stub_http::{Answer, StubHttp};

fn client(url: &str) -> SosService {
    // As the setting is read.
    SosService::new(url.trim_end_matches('/'), &Secret::new("a token of the tests")).unwrap()
}

#[tokio::test]
async fn a_look_up_carries_token_and_request_id_and_takes_the_record_from_body_or_data() {
    let server = StubHttp::start(Answer::json(200, &json!({ "id": "s1", "status": "active" }))).await;
    let client = client(&format!("{}/base/", server.url()));
    assert_eq!(client.lookup("s1", "r-1").await.unwrap()["status"], "active");
    server.answer_with(Answer::json(200, &json!({ "success": true, "data": { "status": "closed" } })));
    assert_eq!(client.lookup("s1", "r-2").await.unwrap()["status"], "closed");

    let asked = server.asked();
    assert_eq!((asked[0].method.as_str(), asked[0].path.as_str()), ("GET", "/base/internal/sos/s1"));
    assert_eq!((asked[0].header("x-internal-token"), asked[0].header("x-request-id")), ("a token of the tests", "r-1"));
    assert_eq!(asked[1].header("x-request-id"), "r-2");
}

#[tokio::test]
async fn only_404_means_that_there_is_no_such_incident() {
    let server = StubHttp::start(Answer::json(404, &json!({}))).await;
    let client = client(&server.url());
    assert_eq!(client.lookup("s1", "r").await, Err(LookupError::NotFound));
    let elsewhere = StubHttp::start(Answer::json(200, &json!({ "status": "active" }))).await;
    let unusable = [
        Answer::json(500, &json!({})),
        Answer::json(401, &json!({})),
        Answer::json(429, &json!({})),
        Answer::Body(200, "<html>".into()),
        Answer::json(200, &json!([])),
        Answer::json(200, &json!({ "data": null })),
        Answer::Body(200, Bytes::from(vec![b' '; 300 * 1024])),
        Answer::Redirect(elsewhere.url()),
        Answer::Cut,
    ];
    for answer in unusable {
        server.answer_with(answer.clone());
        assert_eq!(client.lookup("s1", "r").await, Err(LookupError::Unavailable), "{answer:?}");
    }
    assert!(elsewhere.asked().is_empty(), "the token went where a redirect pointed");
}

#[tokio::test]
async fn an_id_cannot_leave_its_place_in_the_path() {
    let server = StubHttp::start(Answer::json(200, &json!({ "status": "active" }))).await;
    let client = client(&server.url());
    for id in ["..", ".", "a/b", "a?b", "", "a%2Fb"] {
        assert_eq!(client.lookup(id, "r").await, Err(LookupError::NotFound), "{id}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn an_event_is_delivered_with_its_id_and_its_very_bytes() {
    let server = StubHttp::start(Answer::json(200, &json!({}))).await;
    let event = Bytes::from_static(br#"{"id":"1-0","type":"sos:close", "x":1.50}"#);
    assert_eq!(client(&server.url()).deliver(event.clone(), "1-0", "r-1").await, Delivery::Accepted);
    let asked = &server.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/internal/realtime/event"));
    assert_eq!(asked.body, event);
    let headers = ["idempotency-key", "x-internal-token", "x-request-id", "content-type"].map(|name| asked.header(name));
    assert_eq!(headers, ["1-0", "a token of the tests", "r-1", "application/json"]);
}

#[tokio::test]
async fn the_status_decides_what_became_of_an_event_however_its_body_goes_on() {
    let server = StubHttp::start(Answer::Cut).await;
    let cases = [
        (Answer::json(409, &json!({})), Delivery::Accepted),
        (Answer::json(422, &json!({})), Delivery::Rejected(422)),
        (Answer::json(401, &json!({})), Delivery::Retry),
        (Answer::json(503, &json!({})), Delivery::Retry),
        (Answer::Redirect("http://127.0.0.1:9/".into()), Delivery::Retry),
        (Answer::Body(200, Bytes::from(vec![b'x'; 300 * 1024])), Delivery::Accepted),
        (Answer::Cut, Delivery::Retry),
        (Answer::HeadOnly(200), Delivery::Accepted),
    ];
    for (answer, expected) in cases {
        server.answer_with(answer.clone());
        // A client of its own: a kept connection would not see `HeadOnly`.
        let delivery = client(&server.url()).deliver(Bytes::from_static(b"{}"), "1-0", "r").await;
        assert_eq!(delivery, expected, "{answer:?}");
    }
}

#[tokio::test]
async fn nobody_waits_longer_than_the_deadline() {
    let server = StubHttp::start(Answer::Silence).await;
    let client = client(&server.url());
    let start = Instant::now();
    let (lookup, delivery) = tokio::join!(client.lookup("s1", "r"), client.deliver(Bytes::from_static(b"{}"), "1", "r"));
    assert_eq!((lookup, delivery), (Err(LookupError::Unavailable), Delivery::Retry));
    assert!((2..20).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    let gone = StubHttp::start(Answer::Cut).await.url();
    let client = client(&gone);
    assert_eq!(client.lookup("s1", "r").await, Err(LookupError::Unavailable));
    assert_eq!(client.deliver(Bytes::from_static(b"{}"), "1", "r").await, Delivery::Retry);
    assert!(client.reach().await.is_err());
}
