//! Tokens over real sockets: who gets in, what an end takes away, and what a new token gives at once.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Method;
use serde_json::{Value, json};

use super::support::client::{Client, Refusal};
use super::support::eventually;
use super::support::hub::{Hub, SECRET, mint, now_seconds};
use super::support::incident::{client, member};
use super::support::pair::{Pair, pair};

/// Signs any claims as the hub's tokens are signed.
pub fn sign(claims: &Value) -> String {
    convoke::auth::install_crypto_provider();
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(SECRET.as_bytes())).expect("a token")
}

/// The code and message of a CONNECT_ERROR.
async fn refused(hub: &Hub, auth: Value) -> Value {
    match Client::try_connect(&hub.url(), auth.clone()).await {
        Err(Refusal::ConnectError(mut error)) => {
            assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{auth}: {error}");
            error["data"]["code"].take()
        }
        other => panic!("{auth} was answered {other:?}"),
    }
}

/// Seconds by which clocks may differ: so much later a token ends than it says.
const SKEW: u64 = 30;

/// Waits for a presence update behind the first `from`.
async fn presence(client: &Client, from: usize, fits: impl Fn(&Value) -> bool) {
    eventually("presence:update", || client.received("presence:update").iter().skip(from).any(&fits)).await;
}

/// Whether a presence update shows a user as online.
fn shows(event: &Value, user: &str) -> bool {
    let members = event["members"].as_array().expect("a list");
    members.iter().any(|member| member["userId"] == user && member["online"] == true)
}

#[tokio::test]
async fn each_way_not_to_have_a_token_has_its_code() {
    let Pair { a, .. } = pair().await;
    for auth in [json!({}), json!({"token": null}), json!({"token": ""}), json!({"Token": "x"})] {
        assert_eq!(refused(a, auth).await, "MISSING_TOKEN");
    }
    let valid = json!({"userId": "c1", "role": "citizen", "sosId": "s1", "exp": now_seconds() + 60});
    let with = |name: &str, value: Value| {
        let mut claims = valid.clone();
        claims[name] = value;
        sign(&claims)
    };
    let invalid = [
        json!("x"),
        json!(7),
        json!(["a"]),
        json!({"a": 1}),
        json!("a.b.c"),
        json!("x".repeat(20_000)),
        json!("x".repeat(60_000)),
        json!(mint("another secret, also of at least 32 bytes", "citizen", "c1", &["s1"], None)),
        json!(with("role", json!("king"))),
        json!(with("role", Value::Null)),
        json!(with("userId", json!(""))),
        json!(with("userId", json!("x".repeat(129)))),
        json!(with("userId", json!({"a": 1}))),
        json!(with("sosId", json!("no such/form"))),
        json!(with("exp", json!("soon"))),
    ];
    for token in invalid {
        assert_eq!(refused(a, json!({"token": token})).await, "INVALID_TOKEN", "{token}");
    }
    for role in ["dispatcher", "admin"] {
        let token = a.token_until(role, "d1", &[], Some(now_seconds() - 60));
        assert_eq!(refused(a, json!({"token": token})).await, "TOKEN_EXPIRED");
    }
    let token = a.token_until("citizen", "c1", &[], Some(now_seconds() - 60));
    assert_eq!(refused(a, json!({"token": token})).await, "TOKEN_EXPIRED", "no incident, no grace");
    // What is not JSON never becomes a CONNECT.
    let bare = Client::builder(&a.url()).open().await.expect("a transport");
    bare.send_raw("40{\"token\":");
    bare.closed().await;
}

#[tokio::test]
async fn a_token_that_is_too_long_is_called_so_and_the_operator_is_told_once() {
    let redis = pair().await.redis.url();
    let hub = Hub::start(&[("REDIS_URL", &redis), ("NODE_ID", "long-tokens")]).await;
    let long = sign(&json!({"userId": "c1", "role": "citizen", "groups": "x".repeat(16_384)}));
    for _ in 0..3 {
        let Err(Refusal::ConnectError(error)) = Client::try_connect(&hub.url(), json!({"token": long})).await else {
            panic!("it was let in")
        };
        assert_eq!(error, json!({"message": "The token is longer than 16384 bytes", "data": {"code": "INVALID_TOKEN"}}));
    }
    hub.logs("a token is too long").await;
    assert_eq!(hub.logged(&["a token is too long"]), 1);
    assert!(!hub.log().contains(&long[..40]), "no token in the log");
}

#[tokio::test]
async fn roles_come_in_any_case_and_sub_stands_in_for_the_user() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("tok-case", "c1").await;
    let mut citizen = member(a, "citizen", "c1", "tok-case").await;
    let token = sign(&json!({"sub": "r1", "role": "ReScUeR", "sosIds": ["tok-case"]}));
    let rescuer = Client::connect(&b.url(), json!({"token": token})).await;
    rescuer.ask_ok("sos:init", json!({})).await;
    let joined = citizen.wait_for("sos:init", |event| event["userId"] == "r1").await;
    assert_eq!(joined["role"], "rescuer");
}

#[tokio::test]
async fn a_token_is_announced_to_end_and_an_expired_dispatcher_is_cut_off() {
    let Pair { a, b, .. } = pair().await;
    a.create_sos("tok-cut", "c1").await;
    let mut citizen = member(a, "citizen", "c1", "tok-cut").await;
    let expires = now_seconds() + 6 - SKEW;
    let token = |user: &str| json!({"token": b.token_until("dispatcher", user, &[], Some(expires))});
    let mut dispatcher = Client::connect(&b.url(), token("d1")).await;
    let renewed = Client::connect(&b.url(), token("d2")).await;
    assert_eq!(dispatcher.wait("auth:expiring").await, json!({"expiresAt": expires * 1000}));
    for dispatcher in [&dispatcher, &renewed] {
        dispatcher.ask_ok("sos:init", json!({"sosId": "tok-cut"})).await;
    }
    presence(&citizen, 0, |event| shows(event, "d1") && shows(event, "d2")).await;
    let seen = citizen.received("presence:update").len();
    let reply = renewed.ask_ok("auth:refresh", json!({"token": b.token("dispatcher", "d2", &[])})).await;
    assert!(reply["expiresAt"].as_u64().expect("a time") > expires * 1000);

    let error = dispatcher.wait_for("error", |error| error["code"] == "TOKEN_EXPIRED").await;
    assert!(error["message"].is_string(), "{error}");
    dispatcher.disconnected().await;
    presence(&citizen, seen, |event| !shows(event, "d1")).await;
    renewed.ask_ok("message:send", json!({"sosId": "tok-cut", "text": "still here"})).await;
    citizen.wait_for("message:broadcast", |message| message["userId"] == "d2").await;
    assert_eq!(refused(b, token("d1")).await, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn an_expired_rescuer_keeps_its_own_incident_and_nothing_else() {
    let Pair { a, b, .. } = pair().await;
    for sos in ["tok-own", "tok-else"] {
        a.create_sos(sos, "c1").await;
    }
    let admission = json!({"userId": "r1", "role": "rescuer"});
    assert!(a.internal(Method::POST, "/sos/tok-else/members", Some(admission)).await.0 < 300);
    let mut there = member(a, "citizen", "c1", "tok-else").await;
    let mut here = member(a, "citizen", "c1", "tok-own").await;
    let token = json!({"token": b.token_until("rescuer", "r1", &["tok-own"], Some(now_seconds() + 6 - SKEW))});
    let rescuer = Client::connect(&b.url(), token.clone()).await;
    rescuer.ask_ok("sos:init", json!({"sosId": "tok-else"})).await;
    there.wait_for("sos:init", |event| event["userId"] == "r1").await;

    // The other room sees it go when the token ends.
    presence(&there, 0, |event| shows(event, "r1")).await;
    let seen = there.received("presence:update").len();
    presence(&there, seen, |event| !shows(event, "r1")).await;
    for (event, payload) in [("message:send", json!({"text": "x"})), ("sos:init", json!({})), ("sos:ack", json!({}))] {
        let mut payload = payload;
        payload["sosId"] = json!("tok-else");
        assert_eq!(rescuer.ask(event, payload).await["code"], "TOKEN_EXPIRED", "{event}");
    }
    rescuer.ask_ok("sos:ack", json!({})).await;
    rescuer.ask_ok("sos:status:update", json!({"status": "assigned"})).await;
    rescuer.ask_ok("location:update", json!({"latitude": 1, "longitude": 1})).await;
    rescuer.ask_ok("message:send", json!({"text": "on my way"})).await;
    here.wait("message:broadcast").await;
    assert!(rescuer.received("error").is_empty(), "nobody is cut off from help by a clock");
    // Also over a new connection, to any node.
    let mut again = Client::connect(&a.url(), token.clone()).await;
    again.wait("sos:state").await;
    // A new token ends the grace: the end of the incident no longer ends the socket.
    rescuer.ask_ok("auth:refresh", json!({"token": b.token("rescuer", "r1", &["tok-own"])})).await;
    here.ask_ok("sos:close", json!({})).await;
    again.wait_for("error", |error| error["code"] == "TOKEN_EXPIRED").await;
    again.disconnected().await;
    rescuer.wait_count("sos:close", 1).await;
    rescuer.settle().await;
    assert!(!rescuer.is_closed());
    assert_eq!(refused(a, token).await, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn the_grace_is_for_every_incident_that_the_token_names_until_each_is_final() {
    let Pair { a, b, .. } = pair().await;
    for sos in ["tok-one", "tok-two", "tok-third"] {
        a.create_sos(sos, "c1").await;
    }
    let named = json!(["tok-one", "tok-two"]);
    let claims = json!({"userId": "r1", "role": "rescuer", "sosIds": named, "exp": now_seconds() - 60});
    let auth = json!({"token": sign(&claims)});
    let mut rescuer = Client::connect(&b.url(), auth.clone()).await;
    for sos in ["tok-one", "tok-two"] {
        rescuer.ask_ok("sos:init", json!({"sosId": sos})).await;
        rescuer.ask_ok("message:send", json!({"sosId": sos, "text": "on my way"})).await;
    }
    assert_eq!(rescuer.ask("sos:init", json!({"sosId": "tok-third"})).await["code"], "TOKEN_EXPIRED");
    // The first one to end takes nothing but itself.
    let close = async |sos: &str| a.internal(Method::POST, &format!("/sos/{sos}/close"), Some(json!({"closedBy": "d1"}))).await;
    assert_eq!(close("tok-one").await.0, 200);
    rescuer.wait_for("sos:close", |event| event["sosId"] == "tok-one").await;
    rescuer.ask_ok("message:send", json!({"sosId": "tok-two", "text": "still here"})).await;
    Client::connect(&a.url(), auth.clone()).await.ask_ok("sos:init", json!({"sosId": "tok-two"})).await;
    assert_eq!(close("tok-two").await.0, 200);
    rescuer.wait_for("error", |error| error["code"] == "TOKEN_EXPIRED").await;
    rescuer.disconnected().await;
    assert_eq!(refused(a, auth).await, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn who_is_let_in_for_the_clocks_difference_is_not_cut_off_before_it_is_over() {
    let Pair { a, .. } = pair().await;
    let token = |ago: u64| json!({"token": a.token_until("dispatcher", "d-skew", &[], Some(now_seconds() - ago))});
    let late = Client::connect(&a.url(), token(10)).await;
    let mut last = Client::connect(&a.url(), token(SKEW - 5)).await;
    last.wait_for("error", |error| error["code"] == "TOKEN_EXPIRED").await;
    last.disconnected().await;
    late.ask_ok("sos:watch", json!({})).await;
    assert!(late.received("error").is_empty(), "it has some twenty seconds more");
    assert_eq!(refused(a, token(SKEW)).await, "TOKEN_EXPIRED");
}

#[tokio::test]
async fn the_grace_has_an_end_and_may_be_turned_off() {
    let redis = pair().await.redis.url();
    for grace in [0, 2] {
        let hub = Hub::start(&[("REDIS_URL", &redis), ("NODE_ID", "grace"), ("TOKEN_GRACE_SECONDS", &grace.to_string())]).await;
        let sos = format!("tok-grace-{grace}");
        hub.create_sos(&sos, "c1").await;
        let expires = now_seconds() + 5 - SKEW;
        let token = hub.token_until("citizen", "c1", &[&sos], Some(expires));
        let mut citizen = Client::connect(&hub.url(), json!({"token": token})).await;
        citizen.wait("sos:state").await;
        citizen.wait_for("error", |error| error["code"] == "TOKEN_EXPIRED").await;
        citizen.disconnected().await;
        assert!(now_seconds() >= expires + SKEW + grace, "not before its end");
    }
}

#[tokio::test]
async fn a_bad_refresh_changes_nothing() {
    let Pair { a, .. } = pair().await;
    a.create_sos("tok-bad", "c1").await;
    let mut citizen = member(a, "citizen", "c1", "tok-bad").await;
    let expired = a.token_until("citizen", "c1", &["tok-bad"], Some(now_seconds() - 60));
    let cases = [
        (json!({}), "INVALID_TOKEN"),
        (json!({"token": 5}), "INVALID_TOKEN"),
        (json!({"token": "a.b.c"}), "INVALID_TOKEN"),
        (json!({"token": mint("another secret, also of at least 32 bytes", "citizen", "c1", &[], None)}), "INVALID_TOKEN"),
        (json!({"token": a.token("citizen", "c2", &["tok-bad"])}), "INVALID_TOKEN"),
        (json!({"token": a.token("admin", "c2", &[])}), "INVALID_TOKEN"),
        (json!({"token": expired}), "TOKEN_EXPIRED"),
        (json!([1]), "INVALID_PAYLOAD"),
    ];
    for (payload, code) in cases {
        let reply = citizen.ask("auth:refresh", payload.clone()).await;
        assert_eq!((&reply["ok"], &reply["code"]), (&json!(false), &json!(code)), "{payload}");
        citizen.emit("auth:refresh", payload);
        assert_eq!(citizen.wait_for("error", |error| error["event"] == "auth:refresh").await["code"], code);
        citizen.ask_ok("message:send", json!({"text": "x"})).await;
        assert_eq!(citizen.ask("sos:ack", json!({})).await["code"], "FORBIDDEN");
    }
    assert!(!citizen.is_closed());
}

#[tokio::test]
async fn a_refresh_gives_and_takes_rights_rooms_and_the_watch_at_once() {
    let Pair { a, b, .. } = pair().await;
    for sos in ["tok-new-1", "tok-new-2"] {
        a.create_sos(sos, "c1").await;
    }
    let (one, two) = (json!({"sosId": "tok-new-1"}), json!({"sosId": "tok-new-2"}));
    let mut citizen = member(b, "citizen", "c1", "tok-new-2").await;
    let mut other = client(b, "dispatcher", "d1", &[]).await;
    other.ask_ok("sos:watch", json!({})).await;
    let user = member(a, "rescuer", "u1", "tok-new-1").await;
    assert_eq!(user.ask("sos:watch", json!({})).await["code"], "FORBIDDEN");
    assert_eq!(user.ask("sos:init", two.clone()).await["code"], "FORBIDDEN");

    let promoted = user.ask_ok("auth:refresh", json!({"token": a.token("dispatcher", "u1", &[])})).await;
    assert_eq!(promoted["ok"], true);
    user.ask_ok("sos:watch", json!({})).await;
    user.ask_ok("sos:init", two.clone()).await;
    citizen.wait_for("sos:init", |event| event["userId"] == "u1" && event["role"] == "dispatcher").await;
    assert_eq!(
        user.ask("location:update", json!({"sosId": "tok-new-1", "latitude": 1, "longitude": 1})).await["code"],
        "FORBIDDEN"
    );
    a.create_sos("tok-new-3", "c3").await;
    other.wait_for("sos:created", |state| state["sosId"] == "tok-new-3").await;
    user.wait_count("sos:created", 1).await;

    user.ask_ok("auth:refresh", json!({"token": a.token("rescuer", "u1", &["tok-new-1"])})).await;
    citizen
        .wait_for("presence:update", |event| {
            let members = event["members"].as_array().expect("a list");
            members.iter().all(|member| member["userId"] != "u1")
        })
        .await;
    for event in ["sos:init", "message:history"] {
        assert_eq!(user.ask(event, two.clone()).await["code"], "FORBIDDEN", "{event}");
    }
    assert_eq!(user.ask_ok("sos:leave", two.clone()).await["unchanged"], true);
    let before = user.received("sos:created").len();
    a.create_sos("tok-new-4", "c3").await;
    other.wait_for("sos:created", |state| state["sosId"] == "tok-new-4").await;
    citizen.ask_ok("message:send", json!({"text": "not for u1"})).await;
    citizen.wait("message:broadcast").await;
    user.ask_ok("message:history", one).await;
    assert_eq!(user.received("sos:created").len(), before, "it no longer watches");
    assert!(user.received("message:broadcast").is_empty(), "nor is it in the room");
}

#[tokio::test]
async fn without_a_key_the_namespace_is_not_configured() {
    let redis = pair().await.redis.url();
    let hub = Hub::start(&[("REDIS_URL", &redis), ("NODE_ID", "keyless"), ("JWT_SECRET", "")]).await;
    assert_eq!(refused(&hub, json!({"token": sign(&json!({"userId": "c1", "role": "citizen"}))})).await, "NOT_CONFIGURED");
}
