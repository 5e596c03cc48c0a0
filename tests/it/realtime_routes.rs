//! The routes of realtime sessions: what they answer, to whom, and how they say no.

use convoke::features::realtime::auth::ANONYMOUS;
use reqwest::Method;
use serde_json::{Value, json};

use crate::identity::{RSA, hs256, jwks};
use crate::support::booking::{Answer, claims};
use crate::support::hub::{Hub, now_seconds};
use crate::support::realtime::{AUDIENCE, Created, FakeLiveKit, ISSUER, NEVER, SECRET, SESSIONS, World, token};
use crate::support::redis::Cluster;
use crate::support::stub_http::StubHttp;

/// A world of one node whose LiveKit has no rooms.
async fn world(env: &[(&str, &str)]) -> (FakeLiveKit, World) {
    let livekit = FakeLiveKit::start().await;
    let world = World::start(&livekit.env(), 1, &[&[NEVER], env].concat()).await;
    (livekit, world)
}

/// The names of the fields, in the order in which they were sent.
fn names(text: &str) -> Vec<String> {
    let body: serde_json::Map<String, Value> = serde_json::from_str(text).expect("an object");
    let mut names: Vec<_> = body.keys().cloned().collect();
    names.sort_by_key(|name| text.find(&format!("\"{name}\":")));
    names
}

/// The answer has status and body of an error below `/v1`.
#[track_caller]
fn is_refused(answer: &Answer, status: u16, kind: &str, what: &str) {
    let error = &answer.body["error"];
    assert_eq!(
        (answer.status, &error["type"], &error["code"]),
        (status, &json!(format!("{kind}_error")), &json!(kind)),
        "{what}: {answer:?}"
    );
    let mut fields: Vec<_> = error.as_object().expect("an object").keys().collect();
    fields.sort();
    assert_eq!(fields, ["code", "message", "request_id", "type"], "{what}");
    assert_eq!(answer.body.as_object().map(|body| body.len()), Some(1), "{what}");
    assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}");
    assert_eq!(error["request_id"].as_str(), answer.header("x-request-id"), "{what}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
}

#[tokio::test]
async fn a_session_is_created_as_the_seed_shows_it_and_livekit_is_not_asked() {
    let (livekit, world) = world(&[("LIVEKIT_TOKEN_TTL", "2h")]).await;
    let calls = livekit.calls();
    let request = world.request(Method::POST, SESSIONS, "user-1").header("content-type", "text/plain").body("not read");
    let response = request.send().await.expect("an answer");
    assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (201, &"application/json".parse().unwrap()));
    assert_eq!(response.headers()["cache-control"], "no-store");
    let text = response.text().await.expect("a body");
    assert_eq!(names(&text), ["id", "object", "client_secret", "ws_url", "room_id", "user_id"]);
    let body: Value = serde_json::from_str(&text).expect("JSON");
    let matches = |value: &Value, word: &str| {
        let rest = value.as_str().and_then(|text| text.strip_prefix(word)).unwrap_or_default();
        rest.len() == 24 && rest.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
    };
    assert!(matches(&body["id"], "sess_") && matches(&body["room_id"], "room_"), "{body}");
    assert_eq!((&body["object"], &body["user_id"]), (&json!("realtime.session"), &json!("user-1")));
    let secret = claims(body["client_secret"]["value"].as_str().expect("a token"));
    let expires_at = body["client_secret"]["expires_at"].as_u64().expect("a number");
    assert!((now_seconds() + 7_100..=now_seconds() + 7_200).contains(&expires_at), "{expires_at}");
    assert_eq!((&secret["sub"], secret["exp"].as_u64()), (&json!("user-1"), Some(expires_at)));
    for grant in ["roomJoin", "canPublish", "canSubscribe", "canPublishData"] {
        assert_eq!(secret["video"][grant], true, "{grant}");
    }
    assert_eq!(secret["video"]["room"], body["room_id"]);
    assert_eq!(livekit.calls() - calls, 0, "LiveKit hears of it when somebody joins");

    // Neither Redis nor the log knows the secret.
    let secret = body["client_secret"]["value"].as_str().expect("a token");
    assert!(!world.hubs[0].log().contains(secret));
    let redis = world.redis.as_ref().expect("a Redis");
    let held: std::collections::HashMap<String, String> =
        redis.ask(convoke::redis::cmd("HGETALL").arg(format!("realtime:session:{{{}}}", body["id"].as_str().unwrap())));
    assert!(held.values().all(|value| !secret.contains(value.as_str()) || value.len() < 40), "{held:?}");
    assert!(held.values().all(|value| !value.contains("eyJ")), "{held:?}");
}

#[tokio::test]
async fn what_was_created_is_shown_without_its_secret_until_it_is_deleted() {
    let (livekit, world) = world(&[]).await;
    let session = world.created("ana").await;
    let path = format!("{SESSIONS}/{}", session.id);
    let response = world.request(Method::GET, &path, "ana").send().await.expect("an answer");
    let text = response.text().await.expect("a body");
    assert_eq!(names(&text), ["id", "object", "ws_url", "room_id", "user_id", "status"]);
    let shown: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&shown["status"], &shown["room_id"], &shown["user_id"]),
        (&json!("created"), &json!(session.room), &json!("ana"))
    );
    let list = world.get(SESSIONS, "ana").await;
    let expected = json!({"object": "list", "data": [shown], "first_id": session.id, "last_id": session.id, "has_more": false});
    assert_eq!((list.status, &list.body), (200, &expected));

    livekit.put_room(&session.room, 1);
    let deleted = world.delete(&session.id, "ana").await;
    let expected = json!({"id": session.id, "object": "realtime.session.deleted", "deleted": true});
    assert_eq!((deleted.status, &deleted.body), (200, &expected));
    assert!(world.has_tombstone(&session.room));
    // The answer waits a second for it.
    world.eventually("its room is deleted", async || !livekit.has_room(&session.room)).await;
    is_refused(&world.get(&path, "ana").await, 404, "not_found", "GET");
    is_refused(&world.delete(&session.id, "ana").await, 404, "not_found", "DELETE");
    let empty = json!({"object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false});
    assert_eq!(world.get(SESSIONS, "ana").await.body, empty);
    assert_eq!(world.keys(), [] as [String; 0], "nothing is left but the tombstone");
}

#[tokio::test]
async fn a_list_comes_in_pages_newest_first() {
    let (_livekit, world) = world(&[]).await;
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(world.created("ana").await.id);
        world.created("bob").await;
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    ids.reverse();
    let of = |list: &Answer| -> Vec<String> {
        list.body["data"].as_array().expect("a list").iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of(&world.get(SESSIONS, "ana").await), ids, "without a limit all of them");
    let mut seen = Vec::new();
    let mut query = "?limit=3".to_owned();
    loop {
        let page = world.get(&format!("{SESSIONS}{query}"), "ana").await;
        let page_ids = of(&page);
        assert_eq!(
            (page.body["first_id"].as_str(), page.body["last_id"].as_str()),
            (page_ids.first().map(|id| &**id), page_ids.last().map(|id| &**id))
        );
        query = format!("?limit=3&after={}", page.body["last_id"].as_str().unwrap());
        seen.push(page_ids);
        if page.body["has_more"] == false {
            break;
        }
    }
    assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [3, 3, 1]);
    assert_eq!(seen.concat(), ids);
    assert_eq!(of(&world.get(&format!("{SESSIONS}?after={}", ids[4]), "ana").await), ids[5..]);
    let end = world.get(&format!("{SESSIONS}?limit=1&after={}", ids[6]), "ana").await;
    assert_eq!(end.body, json!({"object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false}));
    let exact = world.get(&format!("{SESSIONS}?limit=7"), "ana").await;
    assert_eq!((of(&exact).len(), &exact.body["has_more"]), (7, &json!(false)));

    let foreign = of(&world.get(SESSIONS, "bob").await).remove(0);
    let missing = "sess_000000000000000000000000";
    for query in ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "after=", "after=x", "after=sess_"] {
        is_refused(&world.get(&format!("{SESSIONS}?{query}"), "ana").await, 400, "validation", query);
    }
    let [mut one, mut other] = [
        world.get(&format!("{SESSIONS}?after={foreign}"), "ana").await,
        world.get(&format!("{SESSIONS}?after={missing}"), "ana").await,
    ];
    is_refused(&one, 400, "validation", "another user's");
    for answer in [&mut one, &mut other] {
        answer.body["error"]["request_id"] = Value::Null;
    }
    assert_eq!(one.body, other.body);
}

#[tokio::test]
async fn a_list_leaves_out_what_is_gone_and_forgets_it() {
    let (_livekit, world) = world(&[("REALTIME_SESSIONS_PER_USER", "3")]).await;
    let sessions = [world.created("ana").await, world.created("ana").await, world.created("ana").await];
    let redis = world.redis.as_ref().expect("a Redis");
    redis.ask::<()>(convoke::redis::cmd("DEL").arg(format!("realtime:session:{{{}}}", sessions[1].id)));
    let page = world.get(&format!("{SESSIONS}?limit=1"), "ana").await;
    assert_eq!((&page.body["first_id"], &page.body["has_more"]), (&json!(sessions[2].id), &json!(true)));
    // A place is free again, although nobody has looked at the index meanwhile.
    world.created("ana").await;
    is_refused(&world.create("ana").await, 429, "rate_limited", "three are there");
    assert_eq!(world.get(SESSIONS, "ana").await.body["data"].as_array().expect("a list").len(), 3);
}

#[tokio::test]
async fn a_user_has_so_many_sessions_however_many_are_asked_for_at_once() {
    let (_livekit, world) = world(&[("REALTIME_SESSIONS_PER_USER", "5")]).await;
    let answers = futures_util::future::join_all((0..20).map(|_| world.create("ana"))).await;
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    answers.iter().filter(|answer| answer.status != 201).for_each(|answer| is_refused(answer, 429, "rate_limited", "too many"));
    let listed = world.get(SESSIONS, "ana").await.body["data"].as_array().expect("a list").len();
    assert_eq!((created, listed), (5, 5));
    world.created("bob").await;
}

#[tokio::test]
async fn a_users_requests_are_counted_by_route() {
    let env = [("RATE_LIMIT_REALTIME_CREATE_PER_MINUTE", "2"), ("RATE_LIMIT_REALTIME_PER_MINUTE", "3")];
    let (_livekit, world) = world(&env).await;
    assert_eq!(world.create("ana").await.header("ratelimit-remaining"), Some("1"));
    world.created("ana").await;
    let refused = world.create("ana").await;
    is_refused(&refused, 429, "rate_limited", "POST");
    assert!(refused.header("retry-after").is_some() && refused.header("ratelimit-limit") == Some("2"), "{refused:?}");
    for _ in 0..3 {
        assert_eq!(world.get(SESSIONS, "ana").await.status, 200);
    }
    is_refused(&world.get(SESSIONS, "ana").await, 429, "rate_limited", "GET");
    assert_eq!(world.create("bob").await.status, 201);
}

/// The answer without what may differ between two of the same.
fn bare(mut answer: Answer) -> (u16, Vec<(String, String)>, Value) {
    answer.body["error"]["request_id"] = Value::Null;
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().expect("text").to_owned()))
        .filter(|(name, _)| !matches!(&**name, "date" | "x-request-id" | "ratelimit-remaining" | "ratelimit-reset"))
        .collect();
    headers.sort();
    (answer.status, headers, answer.body)
}

#[tokio::test]
async fn another_users_session_is_as_one_that_is_missing() {
    let (_livekit, world) = world(&[]).await;
    let foreign = world.created("bob").await;
    let (path, missing) = (format!("{SESSIONS}/{}", foreign.id), "sess_zzzzzzzzzzzzzzzzzzzzzzzz");
    let redis = world.redis.as_ref().expect("a Redis");
    let commands = || -> u64 {
        let text: String = redis.ask(convoke::redis::cmd("INFO").arg("commandstats"));
        let of = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(&format!("cmdstat_{name}:calls="))?.split(',').next()?.parse::<u64>().ok())
        };
        of("hmget").unwrap_or(0) + of("hgetall").unwrap_or(0) + of("zrevrange").unwrap_or(0) + of("del").unwrap_or(0)
    };
    for method in [Method::GET, Method::DELETE, Method::HEAD] {
        // The node itself asks Redis for this and that now and then.
        let is_same_work = async || {
            let before = commands();
            let one = bare(Answer::of(world.request(method.clone(), &path, "ana")).await);
            let between = commands();
            let other = bare(Answer::of(world.request(method.clone(), &format!("{SESSIONS}/{missing}"), "ana")).await);
            assert_eq!(one, other, "{method}");
            assert_eq!(one.0, 404);
            between - before == commands() - between
        };
        world.eventually(&format!("{method}: the work is the same"), is_same_work).await;
    }
    assert_eq!(world.status(&foreign).await, "created", "it is still there");
}

#[tokio::test]
async fn no_header_names_the_user() {
    let (_livekit, world) = world(&[]).await;
    let foreign = world.created("bob").await;
    for name in [
        "x-user-id",
        "x-user",
        "x-userid",
        "x-forwarded-user",
        "x-auth-request-user",
        "x-authenticated-userid",
        "x-remote-user",
        "remote-user",
        "x-consumer-id",
        "x-consumer-custom-id",
        "x-credential-identifier",
        "x-principal-id",
        "x-internal-token",
        "cookie",
        "x-auth-method",
        "x-user-subject",
        "forwarded",
    ] {
        let path = format!("{SESSIONS}/{}", foreign.id);
        let asked = world.request(Method::GET, &path, "ana").header(name, "bob");
        is_refused(&Answer::of(asked).await, 404, "not_found", name);
        let asked = world.request(Method::DELETE, &path, "ana").header(name, "bob");
        is_refused(&Answer::of(asked).await, 404, "not_found", name);
        let asked = world.request(Method::GET, SESSIONS, "ana").header(name, "bob");
        assert_eq!(Answer::of(asked).await.body["data"], json!([]), "{name}");
        let made = Created::of(&Answer::of(world.request(Method::POST, SESSIONS, "ana").header(name, "bob")).await);
        assert_eq!((&*made.user, &claims(&made.token)["sub"]), ("ana", &json!("ana")), "{name}");
        world.delete(&made.id, "ana").await;
        let nobody = world.hubs[0].request(Method::GET, SESSIONS).header(name, "bob");
        let refused = Answer::of(nobody).await;
        assert!(matches!(refused.status, 401 | 429), "{name}: {refused:?}");
    }
    assert_eq!(world.status(&foreign).await, "created");
}

#[tokio::test]
async fn an_id_that_is_none_leads_nowhere() {
    let (_livekit, world) = world(&[]).await;
    let session = world.created("ana").await;
    let (before, upper) = (world.keys(), session.id.to_uppercase());
    let bare_id = &session.id["sess_".len()..];
    for id in [
        "x",
        "..",
        "%2e%2e",
        "sess_",
        bare_id,
        &upper,
        &format!("{}x", session.id),
        &format!("{}%00", session.id),
        &format!("{}%0a", session.id),
        "%7Ba%7D",
        "a%7D%3Ab",
        "*",
        "sess_*",
        "%27%20OR%201%3D1--",
        "%24%7Bjndi%3Aldap%7D",
        "sess_%7B000000000000000000000%7D",
        "%ff",
        &"x".repeat(5_000),
        "sess_%C3%A9",
        "0",
        "null",
        "undefined",
        "%3Cscript%3E",
        "sess_000000000000000000000000%0d%0aSet-Cookie%3a%20a%3db",
    ] {
        for method in [Method::GET, Method::DELETE] {
            let path = format!("{SESSIONS}/{id}");
            let answer = Answer::of(world.request(method.clone(), &path, "ana")).await;
            // A path that is no text is faulty; dots are taken out by the client itself.
            match answer.status {
                400 => is_refused(&answer, 400, "validation", id),
                405 => is_refused(&answer, 405, "validation", id),
                _ => is_refused(&answer, 404, "not_found", id),
            }
            assert!(answer.header("set-cookie").is_none());
        }
    }
    assert_eq!(world.keys(), before);
    assert_eq!(world.status(&session).await, "created");
}

#[tokio::test]
async fn every_error_below_v1_has_one_form() {
    let (_livekit, world) = world(&[("REDIS_DEADLINE_MS", "300")]).await;
    let ask = |method: Method, path: &str| world.request(method, path, "ana");
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/realtime", "/v1/realtime/sessions/a/b", "/v1//realtime/sessions"] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            is_refused(&Answer::of(ask(method, path)).await, 404, "not_found", path);
        }
    }
    for (method, path, allowed) in [
        (Method::PUT, SESSIONS, "GET, HEAD, OPTIONS, POST"),
        (Method::DELETE, SESSIONS, "GET, HEAD, OPTIONS, POST"),
        (Method::POST, "/v1/realtime/sessions/x", "DELETE, GET, HEAD, OPTIONS"),
        (Method::TRACE, "/v1/realtime/sessions/x", "DELETE, GET, HEAD, OPTIONS"),
    ] {
        let answer = Answer::of(ask(method, path)).await;
        is_refused(&answer, 405, "validation", path);
        assert_eq!(answer.header("allow"), Some(allowed));
    }
    let large = ask(Method::POST, SESSIONS).body(vec![b' '; 200_000]);
    is_refused(&Answer::of(large).await, 413, "validation", "too large");
    for (token, what) in [
        (String::new(), "empty"),
        ("x.y.z".into(), "no token"),
        ("x".repeat(17_000), "too long"),
        (hs256(&json!({"sub": "ana", "iss": ISSUER, "aud": AUDIENCE, "exp": 1}), SECRET), "expired"),
        (hs256(&json!({"sub": "ana", "iss": ISSUER, "aud": "other", "exp": now_seconds() + 60}), SECRET), "another audience"),
        (hs256(&json!({"sub": "ana", "iss": ISSUER, "exp": now_seconds() + 60}), SECRET), "no audience"),
        (hs256(&json!({"sub": "ana", "iss": "other", "aud": AUDIENCE, "exp": now_seconds() + 60}), SECRET), "another issuer"),
        (hs256(&json!({"iss": ISSUER, "aud": AUDIENCE, "exp": now_seconds() + 60}), SECRET), "no sub"),
        (hs256(&json!({"sub": "", "iss": ISSUER, "aud": AUDIENCE, "exp": now_seconds() + 60}), SECRET), "an empty sub"),
        (world.hubs[0].token("citizen", "ana", &[]), "of another surface"),
    ] {
        let request = world.hubs[0].request(Method::GET, SESSIONS).bearer_auth(&token);
        is_refused(&Answer::of(request).await, 401, "unauthorized", what);
    }
    is_refused(&Answer::of(world.hubs[0].request(Method::GET, SESSIONS)).await, 401, "unauthorized", "no token");
    let request = ask(Method::GET, "/v1/realtime/sessions/x").header("x-request-id", "mine-1");
    assert_eq!(Answer::of(request).await.body["error"]["request_id"], "mine-1");
    let mut failed = Answer::of(world.hubs[0].request(Method::GET, SESSIONS)).await;
    for _ in 0..30 {
        failed = Answer::of(world.hubs[0].request(Method::GET, SESSIONS)).await;
    }
    is_refused(&failed, 429, "rate_limited", "too many failures");
    world.redis.as_ref().expect("a Redis").stop();
    let away = Answer::of(ask(Method::POST, SESSIONS)).await;
    is_refused(&away, 503, "external", "Redis is away");
    assert_eq!(away.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn what_is_not_configured_says_which_setting() {
    let fake = FakeLiveKit::start().await;
    let auth = [("REALTIME_JWT_SECRET", SECRET), ("ISSUER", ISSUER), ("AUDIENCE", AUDIENCE)];
    for (env, setting, notice) in [
        (&auth[..], "LIVEKIT_WS_URL", "realtime sessions are off: LIVEKIT_WS_URL"),
        (&fake.env()[..], "JWKS_URL", "realtime sessions are off: JWKS_URL"),
    ] {
        let hub = Hub::on_shared_redis(env).await;
        hub.logs(notice).await;
        let id = format!("{SESSIONS}/sess_000000000000000000000000");
        for (method, path) in [(Method::POST, SESSIONS), (Method::GET, SESSIONS), (Method::GET, &id), (Method::DELETE, &id)] {
            let answer = Answer::of(hub.request(method, path).bearer_auth(token("ana"))).await;
            is_refused(&answer, 501, "not_implemented", path);
            assert_eq!(answer.body["error"]["message"], format!("{setting} is not set"));
        }
        is_refused(&Answer::of(hub.request(Method::GET, "/v1/x")).await, 404, "not_found", "an unknown route");
    }
}

#[tokio::test]
async fn without_tokens_everybody_is_anonymous() {
    let livekit = FakeLiveKit::start().await;
    let world = World::start(&livekit.env(), 1, &[NEVER, ("AUTH_ENABLED", "false")]).await;
    world.hubs[0].logs("open to everybody").await;
    let made = Created::of(&Answer::of(world.hubs[0].request(Method::POST, SESSIONS)).await);
    assert_eq!((&*made.user, &claims(&made.token)["sub"]), (ANONYMOUS, &json!(ANONYMOUS)));
    // A token, whatever it says, changes nothing.
    let listed = world.get(SESSIONS, "ana").await;
    assert_eq!((&listed.body["first_id"], &listed.body["data"][0]["user_id"]), (&json!(made.id), &json!(ANONYMOUS)));
    assert_eq!(Answer::of(world.hubs[0].request(Method::DELETE, &format!("{SESSIONS}/{}", made.id))).await.status, 200);
    // Of this surface alone: the others ask as ever.
    assert_eq!(world.hubs[0].request(Method::POST, "/internal/realtime/sos/init").send().await.expect("an answer").status(), 401);
}

#[tokio::test]
async fn a_token_of_an_identity_provider_names_its_user_by_its_sub() {
    let (keys, livekit) = (StubHttp::start(jwks(&[RSA.jwk("r")])).await, FakeLiveKit::start().await);
    let env = [NEVER, ("REALTIME_JWT_SECRET", ""), ("JWKS_URL", &keys.url())];
    let world = World::start(&livekit.env(), 1, &env).await;
    let made = async |claims: Value| {
        let request = world.hubs[0].request(Method::POST, SESSIONS).bearer_auth(RSA.sign(&claims, Some("r")));
        Answer::of(request).await
    };
    let keycloak = |sub: Value| {
        json!({
            "iss": ISSUER, "sub": sub, "aud": ["realm-management", AUDIENCE], "exp": now_seconds() + 300, "iat": now_seconds(),
            "typ": "Bearer", "azp": "web", "preferred_username": "bob", "realm_access": {"roles": ["admin"]},
            "email": "bob@example.com", "user_id": "bob", "userId": "bob",
        })
    };
    let uuid = "5f1c0d0e-7d0e-4c53-8a4e-2f5d7c1b9e30";
    assert_eq!(Created::of(&made(keycloak(json!(uuid))).await).user, uuid);
    assert_eq!(Created::of(&made(keycloak(json!(42))).await).user, "42", "a number counts as its text");
    let odd = "a}b:{c/ü\u{1}";
    assert_eq!(Created::of(&made(keycloak(json!(odd))).await).user, odd);
    for sub in [Value::Null, json!(""), json!(1.5), json!(["a"]), json!("x".repeat(129))] {
        is_refused(&made(keycloak(sub.clone())).await, 401, "unauthorized", &sub.to_string());
    }
    is_refused(&Answer::of(world.request(Method::GET, SESSIONS, "ana")).await, 401, "unauthorized", "HS256 without a secret");
}

#[tokio::test]
async fn on_a_cluster_and_over_all_nodes_it_is_the_same() {
    let (cluster, livekit) = (Cluster::start(0), FakeLiveKit::start().await);
    let world = World::on(&cluster.url(), None, &livekit.env(), 2, &[NEVER, ("REALTIME_SESSIONS_PER_USER", "40")]).await;
    let mut made = Vec::new();
    for n in 0..40 {
        made.push(Created::of(&Answer::of(world.request_on(n % 2, Method::POST, SESSIONS, "ana")).await));
    }
    is_refused(&world.create("ana").await, 429, "rate_limited", "more");
    let listed = Answer::of(world.request_on(1, Method::GET, SESSIONS, "ana")).await;
    assert_eq!(listed.body["data"].as_array().expect("a list").len(), 40);
    for session in &made {
        let path = format!("{SESSIONS}/{}", session.id);
        assert_eq!(Answer::of(world.request_on(1, Method::GET, &path, "ana")).await.body["room_id"], session.room);
        assert_eq!(Answer::of(world.request_on(1, Method::DELETE, &path, "ana")).await.status, 200);
        assert_eq!(Answer::of(world.request_on(0, Method::GET, &path, "ana")).await.status, 404);
    }
    assert_eq!(world.get(SESSIONS, "ana").await.body["data"], json!([]));
}

#[tokio::test]
async fn a_token_for_trying_things_out_opens_this_surface() {
    let (livekit, world) = world(&[]).await;
    let env = [&livekit.env()[..], &[("REALTIME_JWT_SECRET", SECRET), ("ISSUER", ISSUER), ("AUDIENCE", AUDIENCE)]].concat();
    let made = Hub::command("token", &env).args(["--surface", "realtime", "--user", "ana"]).output().expect("it runs");
    let token = String::from_utf8(made.stdout).expect("text");
    let request = world.hubs[0].request(Method::POST, SESSIONS).bearer_auth(token.trim());
    assert_eq!(Created::of(&Answer::of(request).await).user, "ana");
    let without = Hub::command("token", &[("AUTH_ENABLED", "false")]).args(["--surface", "realtime", "--user", "ana"]).output();
    assert_eq!(without.expect("it runs").status.code(), Some(2));
}
