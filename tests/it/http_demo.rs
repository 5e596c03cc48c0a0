//! The demo page and its two routes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::hub::{Hub, now_seconds};
use crate::support::redis::single;

async fn hub(demo: &str) -> Hub {
    Hub::start(&[("REDIS_URL", &single().url()), ("DEMO", demo)]).await
}

#[tokio::test]
async fn without_demo_there_is_nothing() {
    let hub = hub("").await;
    for path in ["/demo", "/demo/", "/demo/token?role=admin", "/demo/index.html"] {
        assert_eq!(hub.get(path).await.status(), 404, "{path}");
    }
    let answer = hub.request(Method::POST, "/demo/sos").json(&json!({"sosId": "d", "citizenId": "c"})).send().await.unwrap();
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn the_page_is_served_or_says_how_to_build_it() {
    let hub = hub("true").await;
    let built = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("web/dist/index.html").exists();
    for path in ["/demo", "/demo/", "/demo/?view=citizen"] {
        let answer = hub.get(path).await;
        if !built {
            assert_eq!(answer.status(), 404, "{path}");
            assert!(answer.text().await.unwrap().contains("npm run build"));
            continue;
        }
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8", "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-cache");
        assert!(answer.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
        let tag = answer.headers()["etag"].clone();
        let again = hub.request(Method::GET, path).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304);
    }
    for path in ["/demo/no-such-file.js", "/demo/../Cargo.toml", "/demo/%2e%2e/%2e%2e/Cargo.toml", "/demo/..%2f..%2fCargo.toml"] {
        assert_eq!(hub.get(path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn a_development_token_opens_the_hub() {
    let hub = hub("true").await;
    let answer = hub.get("/demo/token?role=Dispatcher&user=d%201&sos=demo-1").await;
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["role"], &body["userId"], &body["sosId"]), (&json!("dispatcher"), &json!("d 1"), &json!("demo-1")));
    assert!(body["expiresAt"].as_u64().unwrap() > (now_seconds() + 3600) * 1000);
    Client::connect(&hub.url(), json!({"token": body["token"]})).await;
    let body: Value = hub.get("/demo/token?role=rescuer").await.json().await.unwrap();
    assert_eq!(body["sosId"], Value::Null);
    assert!(body["userId"].as_str().unwrap().starts_with("rescuer-"));
    let long = format!("/demo/token?role=citizen&user={}&sos=a%20b", "u".repeat(129));
    for (path, fields) in [("/demo/token", &["role"][..]), ("/demo/token?role=god", &["role"]), (&long, &["user", "sos"])] {
        let answer = hub.get(path).await;
        assert_eq!(answer.status(), 400, "{path}");
        let body: Value = answer.json().await.unwrap();
        let named: Vec<_> = body["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
        assert_eq!(named, fields);
    }
}

#[tokio::test]
async fn the_page_can_open_an_incident() {
    let hub = hub("true").await;
    let open = async || {
        let request = hub.request(Method::POST, "/demo/sos").json(&json!({"sosId": "demo-2", "citizenId": "c"}));
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, body) = open().await;
    assert_eq!((status, &body["data"]["status"]), (201, &json!("active")), "{body}");
    assert_eq!(open().await.0, 200);
    let answer = hub.request(Method::POST, "/demo/sos").json(&json!({"sosId": "demo-2"})).send().await.unwrap();
    assert_eq!(answer.status(), 400);
}
