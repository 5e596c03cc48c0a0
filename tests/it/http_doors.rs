//! What every request meets before its route: origins, addresses, ids, methods, bodies; and the routes that need nothing.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::{Client, Refusal};
use crate::support::hub::{Hub, INTERNAL};

#[tokio::test]
async fn it_says_who_it_is_and_that_it_is_well() {
    let hub = Hub::on_shared_redis(&[]).await;
    let info: Value = hub.get("/").await.json().await.unwrap();
    assert_eq!((&info["service"], &info["status"]), (&json!("convoke"), &json!("ok")));
    for path in ["/health", "/api/health", "/healthz", "/livez", "/health/"] {
        let answer = hub.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body, json!({"status": "ok", "service": "convoke", "version": env!("CARGO_PKG_VERSION")}), "{path}");
    }
    for path in ["/ready", "/readyz"] {
        let body: Value = hub.get(path).await.json().await.unwrap();
        assert_eq!(body["status"], "ready");
        assert_eq!(body["checks"]["redis"], json!({"up": 1, "masters": 1}));
    }
}

#[tokio::test]
async fn the_service_info_names_the_namespaces_that_clients_can_connect_to() {
    let hub = Hub::on_shared_redis(&[]).await;
    let info: Value = hub.get("/").await.json().await.unwrap();
    let named: Vec<&str> = info["socketio"]["namespaces"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(named.contains(&"/"), "{named:?}");
    for namespace in ["/", "/interview", "/nothing"] {
        let refusal = Client::builder(&hub.url()).namespace(namespace).try_connect().await.err();
        let is_unknown = matches!(&refusal, Some(Refusal::ConnectError(why)) if why["message"] == "Invalid namespace");
        assert_eq!(!is_unknown, named.contains(&namespace), "{namespace}: {refusal:?}");
    }
}

#[tokio::test]
async fn unknown_routes_and_wrong_methods_are_told_apart() {
    let hub = Hub::on_shared_redis(&[]).await;
    for path in ["/nothing", "/internal", "/internal/realtime/sos/s1", "/demo", "/demo/token", "//", "/health/x"] {
        let answer = hub.get(path).await;
        assert_eq!(answer.status(), 404, "{path}");
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"error": "Not Found", "path": path}));
    }
    let answer = hub.request(Method::DELETE, "/health").send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert_eq!(answer.headers()["allow"], "GET, HEAD, OPTIONS");
    let answer = hub.request(Method::PUT, "/internal/realtime/sos/init").send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["allow"]),
        (StatusCode::METHOD_NOT_ALLOWED, &"OPTIONS, POST".parse().unwrap())
    );
    let answer = hub.request(Method::HEAD, "/health").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "");
}

#[tokio::test]
async fn a_request_id_is_echoed_logged_and_made_if_missing() {
    let hub = Hub::on_shared_redis(&[]).await;
    let answer = hub.request(Method::GET, "/health").header("x-request-id", "trace-1.a:b").send().await.unwrap();
    assert_eq!(answer.headers()["x-request-id"], "trace-1.a:b");
    hub.request(Method::GET, "/internal/realtime/sos").header("x-request-id", "look-for-me").send().await.unwrap();
    hub.logs("look-for-me").await;
    let answer = hub.request(Method::GET, "/nothing").header("x-request-id", "a b").send().await.unwrap();
    let made = answer.headers()["x-request-id"].to_str().unwrap();
    assert!(made.len() >= 16 && made != "a b");
}

#[tokio::test]
async fn foreign_pages_cannot_connect_and_known_ones_can() {
    let hub =
        Hub::on_shared_redis(&[("CORS_ORIGIN", "https://app.example.com"), ("CLIENT_ORIGINS", "http://other.example:8080")])
            .await;
    let host = hub.address.to_string();
    let polling = "/socket.io/?EIO=4&transport=polling";
    for origin in ["https://evil.example", "null", "https://app.example.com.evil.test", "http://app.example.com"] {
        let answer = hub.request(Method::GET, polling).header("origin", origin).send().await.unwrap();
        assert_eq!(answer.status(), 403, "{origin}");
        assert!(answer.headers().get("access-control-allow-origin").is_none());
        assert_eq!(answer.text().await.unwrap(), r#"{"code":4,"message":"Forbidden"}"#);
        let refusal = Client::builder(&hub.url()).header("origin", origin).open().await.unwrap_err();
        let body = r#"{"code":4,"message":"Forbidden"}"#.to_owned();
        assert_eq!(refusal, Refusal::Http { status: 403, body }, "{origin}");
    }
    let own = ["http", "https", "ws", "wss"].map(|scheme| format!("{scheme}://{host}"));
    let listed = ["https://app.example.com", "http://other.example:8080"].map(str::to_owned);
    for origin in own.iter().chain(&listed) {
        let answer = hub.request(Method::GET, polling).header("origin", origin).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{origin}");
        assert_eq!(answer.headers()["access-control-allow-origin"], *origin);
        assert_eq!(answer.headers()["access-control-allow-credentials"], "true");
        assert!(answer.headers()["access-control-expose-headers"].to_str().unwrap().contains("X-Request-ID"));
        Client::builder(&hub.url()).header("origin", origin).open().await.unwrap();
    }
    Client::builder(&hub.url()).open().await.unwrap();
}

#[tokio::test]
async fn a_preflight_is_answered_for_known_pages_only() {
    let hub = Hub::on_shared_redis(&[("CORS_ORIGIN", "https://app.example.com")]).await;
    let ask = async |path: &str, origin: &str| {
        let request = hub.request(Method::OPTIONS, path).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "content-type,x-request-id").send().await.unwrap()
    };
    for path in ["/socket.io/?EIO=4&transport=polling", "/internal/realtime/sos/init"] {
        let answer = ask(path, "https://app.example.com").await;
        assert_eq!(answer.status(), 204, "{path}");
        assert!(answer.headers()["access-control-allow-methods"].to_str().unwrap().contains("POST"));
        assert_eq!(answer.headers()["access-control-allow-headers"], "content-type,x-request-id");
        assert_eq!(answer.headers()["vary"], "Origin");
        let answer = ask(path, "https://evil.example").await;
        assert!(answer.headers().keys().all(|name| !name.as_str().starts_with("access-control")), "{path}");
    }
    assert_eq!(ask("/nothing", "https://app.example.com").await.status(), 404);
}

#[tokio::test]
async fn a_star_allows_every_page_without_credentials() {
    let hub = Hub::on_shared_redis(&[("CORS_ORIGIN", "*")]).await;
    for path in ["/socket.io/?EIO=4&transport=polling", "/health"] {
        let answer = hub.request(Method::GET, path).header("origin", "https://any.example").send().await.unwrap();
        assert_eq!((answer.status(), &answer.headers()["access-control-allow-origin"]), (StatusCode::OK, &"*".parse().unwrap()));
        assert!(!answer.headers().contains_key("access-control-allow-credentials"), "{path}");
    }
    Client::builder(&hub.url()).header("origin", "https://any.example").open().await.unwrap();
}

#[tokio::test]
async fn forwarded_addresses_count_only_behind_a_trusted_proxy() {
    let open = async |hub: &Hub, from: &str| Client::builder(&hub.url()).header("x-forwarded-for", from).open().await;
    let limit = [("MAX_CONNECTIONS_PER_ADDRESS", "1")];
    let trusting = Hub::on_shared_redis(&[&limit[..], &[("TRUSTED_PROXIES", "127.0.0.0/8")]].concat()).await;
    let _one = open(&trusting, "1.1.1.1").await.unwrap();
    let _two = open(&trusting, "6.6.6.6, 2.2.2.2").await.unwrap();
    assert!(matches!(open(&trusting, "7.7.7.7, 1.1.1.1").await, Err(Refusal::Http { status: 503, .. })));
    let wary = Hub::on_shared_redis(&limit).await;
    let _one = open(&wary, "1.1.1.1").await.unwrap();
    assert!(matches!(open(&wary, "2.2.2.2").await, Err(Refusal::Http { status: 503, .. })));
}

#[tokio::test]
async fn bodies_must_be_json_and_not_too_large() {
    let hub = Hub::on_shared_redis(&[("HTTP_BODY_LIMIT", "2048")]).await;
    let post = async |content_type: Option<&str>, body: Vec<u8>| {
        let request = hub.request(Method::POST, "/internal/realtime/sos/init").header("x-internal-token", INTERNAL).body(body);
        let request = match content_type {
            Some(content_type) => request.header("content-type", content_type),
            None => request,
        };
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap()["code"].as_str().map(str::to_owned))
    };
    let json = Some("application/json");
    let code = |code: &str| Some(code.to_owned());
    assert_eq!(post(json, vec![b' '; 2049]).await, (413, code("PAYLOAD_TOO_LARGE")));
    assert_eq!(post(json, vec![b'x'; 5_000_000]).await, (413, code("PAYLOAD_TOO_LARGE")));
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        assert_eq!(post(content_type, b"{}".to_vec()).await, (415, code("UNSUPPORTED_MEDIA_TYPE")), "{content_type:?}");
    }
    let deep = "[".repeat(2000).into_bytes();
    for body in [&b"{"[..], b"", b"nonsense", b"{\"a\":NaN}", b"\xff\xfe", b"{} {}", &deep] {
        let expected = if body.is_empty() { (400, None) } else { (400, code("INVALID_JSON")) };
        assert_eq!(post(json, body.to_vec()).await, expected, "{:?}", String::from_utf8_lossy(body));
    }
    for body in ["[]", "null", "1", "\"text\"", "{}"] {
        assert_eq!(post(json, body.into()).await, (400, None), "{body}");
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_bounded_too() {
    let hub = Hub::on_shared_redis(&[("HTTP_BODY_LIMIT", "2048")]).await;
    let mut stream = TcpStream::connect(hub.address).await.unwrap();
    let head = format!(
        "POST /internal/realtime/sos/init HTTP/1.1\r\nhost: hub\r\nx-internal-token: {INTERNAL}\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = format!("400\r\n{}\r\n", " ".repeat(1024));
    for _ in 0..4 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(crate::support::DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn wrong_internal_tokens_are_counted_and_the_right_one_still_passes() {
    let hub = Hub::on_shared_redis(&[]).await;
    let ask = async |token: Option<&str>| {
        let request = hub.request(Method::GET, "/internal/realtime/users/u/presence");
        let request = match token {
            Some(token) => request.header("x-internal-token", token),
            None => request,
        };
        request.send().await.unwrap()
    };
    for wrong in [None, Some(""), Some("wrong"), Some("the internal token of the test")] {
        let answer = ask(wrong).await;
        assert_eq!(answer.status(), 401, "{wrong:?}");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["error"], "INVALID_TOKEN");
        assert!(body["message"].is_string());
    }
    let mut last = ask(None).await;
    for _ in 0..30 {
        last = ask(None).await;
    }
    assert_eq!(last.status(), 429);
    assert_eq!(
        (&last.headers()["ratelimit-limit"], &last.headers()["ratelimit-remaining"]),
        (&"20".parse().unwrap(), &"0".parse().unwrap())
    );
    assert!(last.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    assert!(last.headers().contains_key("ratelimit-reset"));
    assert_eq!(ask(Some(INTERNAL)).await.status(), 200);
}

#[tokio::test]
async fn without_a_token_of_its_own_the_internal_api_says_which_setting_is_missing() {
    let hub = Hub::on_shared_redis(&[("INTERNAL_AUTH_TOKEN", "")]).await;
    let answer = hub.get("/internal/realtime/sos").await;
    assert_eq!(answer.status(), 501);
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["code"], &body["message"]), (&json!("NOT_CONFIGURED"), &json!("INTERNAL_AUTH_TOKEN is not set")));
}
