//! The demo page and its routes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::booking::World;
use crate::support::client::Client;
use crate::support::hub::{Hub, now_seconds};
use crate::support::redis::single;

async fn hub(demo: &str) -> Hub {
    Hub::on_shared_redis(&[("DEMO", demo)]).await
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

async fn holder(hub: &Hub, body: Value) -> (u16, Value) {
    let answer = hub.request(Method::POST, "/demo/holder").json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_signs_a_user_of_interview_sessions_in() {
    let Some(world) = World::start(2, &[("DEMO", "true")]).await else { return };
    let (status, ana) = holder(&world.hubs[0], json!({"name": "ana", "resume": true})).await;
    assert_eq!((status, &ana["email"]), (200, &json!("ana@demo.invalid")), "{ana}");
    let eligibility = async |body: &Value| {
        let request =
            world.hubs[1].request(Method::GET, "/api/interviews/eligibility").bearer_auth(body["token"].as_str().unwrap());
        request.send().await.unwrap().json::<Value>().await.unwrap()["reason"].clone()
    };
    assert_eq!(eligibility(&ana).await, "ELIGIBLE");
    // The same name is the same user, and without `resume` its row stays as it is.
    let (_, again) = holder(&world.hubs[1], json!({"name": "ana"})).await;
    assert_eq!(again["userId"], ana["userId"]);
    assert_eq!(eligibility(&again).await, "ELIGIBLE");
    let (_, without) = holder(&world.hubs[0], json!({"name": "ana", "resume": false})).await;
    assert_eq!(eligibility(&without).await, "NO_RESUME");
    let (_, stranger) = holder(&world.hubs[0], json!({"name": "ben"})).await;
    assert_eq!(eligibility(&stranger).await, "USER_NOT_FOUND");
    for body in [json!({}), json!({"name": ""}), json!({"name": "a b"}), json!({"name": 7}), json!({"name": "x".repeat(64)})] {
        let (status, answer) = holder(&world.hubs[0], body).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (400, &json!("name")), "{answer}");
    }
}

async fn planned(hub: &Hub, body: Value) -> (u16, Value) {
    let answer = hub.request(Method::POST, "/demo/interview").json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_can_plan_an_interview() {
    let Some(world) = World::start(1, &[("DEMO", "true"), ("INTERVIEW_JWT_SECRET", "a secret of the interviews")]).await else {
        return;
    };
    let (status, made) = planned(&world.hubs[0], json!({"candidate": "Ada"})).await;
    assert_eq!(status, 201, "{made}");
    assert!(made["joinToken"].is_string() && made["expiresAt"].as_u64().unwrap() > now_seconds() * 1000, "{made}");
    // The recruiter's token is one that the hub takes: it may give out an invite to this interview.
    let path = format!("/api/interviews/{}/invites", made["interviewId"].as_str().unwrap());
    let invite = world.hubs[0].request(Method::POST, &path).bearer_auth(made["recruiterToken"].as_str().unwrap());
    assert_eq!(invite.json(&json!({})).send().await.unwrap().status(), 201);
    for body in [json!({}), json!({"candidate": " "}), json!({"candidate": "x".repeat(81)}), json!({"candidate": 7})] {
        let (status, answer) = planned(&world.hubs[0], body).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (400, &json!("candidate")), "{answer}");
    }
}

#[tokio::test]
async fn without_a_database_no_interview_is_planned() {
    let hub = hub("true").await;
    let (status, answer) = planned(&hub, json!({"candidate": "Ada"})).await;
    assert_eq!((status, &answer["code"]), (501, &json!("NOT_CONFIGURED")), "{answer}");
}

#[tokio::test]
async fn without_a_database_nobody_is_signed_in() {
    let hub = hub("true").await;
    let (status, answer) = holder(&hub, json!({"name": "ana", "resume": true})).await;
    assert_eq!((status, &answer["code"]), (501, &json!("NOT_CONFIGURED")), "{answer}");
}

#[tokio::test]
async fn the_page_may_talk_to_its_hub_and_to_livekit() {
    let livekit = [
        ("REDIS_URL", &*single().url()),
        ("DEMO", "true"),
        ("LIVEKIT_WS_URL", "wss://calls.example:7443/"),
        ("LIVEKIT_API_KEY", "k"),
        ("LIVEKIT_API_SECRET", "a secret of the tests"),
    ];
    let hub = Hub::start(&livekit).await;
    let answer = hub.get("/demo").await;
    // A page that is not built has no policy.
    let Some(policy) = answer.headers().get("content-security-policy") else { return };
    let policy = policy.to_str().unwrap();
    for part in [
        "connect-src 'self' ws: wss: wss://calls.example:7443 https://calls.example:7443;",
        "media-src 'self' blob: mediastream:;",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
}
