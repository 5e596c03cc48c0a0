//! Every answer that the document of the routes knows is given by a hub, and each is as the document says.

use convoke::features::interviews::providers::audio::AudioStorage as _;
use convoke::features::interviews::providers::audio::store::ObjectAudio;
use convoke::features::interviews::settings::Audio;
use convoke::features::sos::keys;
use convoke::settings::Secret;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::interviews_world::{Interview, MANY_ADDRESSES, ORG, invite, new_interview, recruiter, recruiter_until};
use crate::support::DEADLINE;
use crate::support::booking::{World, holder_token, token_body};
use crate::support::hub::{CLUSTER_SECRET, Hub, INTERNAL, now_seconds};
use crate::support::livekit::{self, sign_webhook as sign};
use crate::support::openapi::{Operation, Recorder};
use crate::support::ports::free_port;
use crate::support::realtime;
use crate::support::redis::Server as Redis;
use crate::support::unconfirmed::Replica;

const ID: &str = "6f6a7b1e-0d6c-4a57-9a3e-0d5a8f3f8f11";
/// What realtime sessions need beside LiveKit.
pub const REALTIME: [(&str, &str); 3] =
    [("REALTIME_JWT_SECRET", realtime::SECRET), ("ISSUER", realtime::ISSUER), ("AUDIENCE", realtime::AUDIENCE)];
const WEBHOOK: &str = "application/webhook+json";
/// The route that takes them.
const WEBHOOKS: &str = "receiveLiveKitWebhook";

/// What no hub can be brought to answer here: only ids that are taken, and a key of LiveKit that signs no token.
const NOT_SHOWN: [&str; 2] = ["startInterviewSession 500 ID_GENERATION_FAILED", "startInterviewSession 502 LIVEKIT_TOKEN_FAILED"];

/// A value for each parameter of the path.
pub fn filled(operation: &Operation) -> String {
    let id =
        if operation.path.starts_with("/api/interviews/{id}") && !operation.path.contains("invites") { "ABC-123" } else { ID };
    let parts = [("{sos}", "s-1"), ("{user}", "u-1"), ("{id}", id), ("{invite}", ID), ("{key}", "a/b.wav")];
    parts.iter().fold(operation.path.clone(), |path, (name, value)| path.replace(name, value))
}

/// A body that is good as far as it goes.
fn body_of(operation: &Operation) -> Option<Value> {
    let bodies = [
        ("createSos", json!({"sosId": "s-1", "citizenId": "c-1"})),
        ("closeSos", json!({"closedBy": "c-1"})),
        ("setSosStatus", json!({"status": "assigned", "updatedBy": "d-1"})),
        ("postSosMessage", json!({"text": "hello"})),
        ("admitToSos", json!({"userId": "u-1", "role": "rescuer"})),
        ("createInterview", new_interview()),
        ("changeInterview", json!({})),
        ("createJoinToken", json!({"interviewId": ID, "role": "recruiter", "participantId": "p-1"})),
        ("createInterviewSessionToken", json!({"roomName": "T-ABC", "sessionId": "ABC-123"})),
    ];
    bodies.into_iter().find(|(id, _)| *id == operation.id).map(|(_, body)| body).or_else(|| {
        let is_json = operation.said["requestBody"]["content"]["application/json"].is_object();
        is_json.then(|| json!({}))
    })
}

/// The headers that let a request in; `wrong`: none of them counts.
fn credential(operation: &Operation, wrong: bool) -> Option<(&'static str, String)> {
    let names: Vec<_> = operation.credentials().into_iter().flatten().collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    let (header, good) = if has("internalToken") {
        ("x-internal-token", INTERNAL.to_owned())
    } else if has("sessionToken") {
        ("authorization", format!("Bearer {}", holder_token(Uuid::new_v4(), None, now_seconds() + 3600)))
    } else if has("recruiterToken") {
        ("authorization", format!("Bearer {}", recruiter("recruiter", "r-1", Some(ORG))))
    } else if has("userToken") {
        ("authorization", format!("Bearer {}", realtime::token("user-1")))
    } else if has("livekitSignature") {
        ("authorization", sign("{}"))
    } else {
        return None;
    };
    Some((header, if wrong { "wrong".to_owned() } else { good }))
}

fn request(hub: &Hub, operation: &Operation) -> RequestBuilder {
    request_to(hub, operation, &filled(operation))
}

pub fn request_to(hub: &Hub, operation: &Operation, path: &str) -> RequestBuilder {
    let request = hub.request(operation.method.clone(), path);
    let request = match credential(operation, false) {
        Some((header, value)) => request.header(header, value),
        None => request,
    };
    match body_of(operation) {
        Some(body) => request.json(&body),
        None if operation.knows(415) => request.header("content-type", WEBHOOK).body("{}"),
        None => request,
    }
}

/// A hub that was given no settings beyond those without which it does not start.
async fn without_settings(recorder: &Recorder) {
    let hub = Hub::on_shared_redis(&[("INTERNAL_AUTH_TOKEN", "")]).await;
    for operation in recorder.operations.iter().filter(|operation| operation.knows(501)) {
        let answer = recorder.send(request(&hub, operation)).await;
        assert_eq!(answer.status, 501, "{} {}: {}", operation.method, operation.path, answer.body);
    }
}

/// What every route refuses by itself: bodies, credentials, paths.
async fn refused_alike(recorder: &Recorder, hub: &Hub) {
    for (at, operation) in recorder.operations.iter().enumerate() {
        let (path, method) = (filled(operation), operation.method.clone());
        let from = format!("10.1.0.{at}");
        let bare = || hub.request(method.clone(), &path).header("x-forwarded-for", &from);
        let with = |request: RequestBuilder| match credential(operation, false) {
            Some((header, value)) => request.header(header, value),
            None => request,
        };
        let media = if body_of(operation).is_some() { "application/json" } else { WEBHOOK };
        if operation.knows(401) {
            assert_eq!(recorder.send(bare()).await.status, 401, "{path}");
        }
        if operation.knows(413) {
            let large = with(bare()).header("content-type", media).body(vec![b' '; 200_000]);
            assert_eq!(recorder.send(large).await.status, 413, "{path}");
        }
        if operation.knows(415) {
            let typed = with(bare()).header("content-type", "text/plain").body("{}");
            assert_eq!(recorder.send(typed).await.status, 415, "{path}");
            // Any object is an event of LiveKit's.
            let no_json = if media == WEBHOOK { "[]" } else { "{" };
            let request = if media == WEBHOOK { bare().header("authorization", sign(no_json)) } else { with(bare()) };
            assert_eq!(recorder.send(request.header("content-type", media).body(no_json)).await.status, 400, "{path}");
        }
        if operation.knows(400) && operation.path.contains('{') {
            let (before, _) = operation.path.split_once('{').expect("a parameter");
            let rest = operation.path.split_once('}').expect("a parameter").1;
            let path = format!("{before}%FF{}", rest.replace("{user}", "u-1").replace("{invite}", ID));
            assert_eq!(recorder.send(request_to(hub, operation, &path)).await.status, 400, "{path}");
        }
        if operation.knows(429) {
            let mut tries = 0;
            let (header, wrong) = credential(operation, true).expect("who is counted shows something");
            while recorder.send(hub.request(method.clone(), &path).header(header, &wrong)).await.status != 429 {
                tries += 1;
                assert!(tries < 50, "{path} is asked as often as one likes");
            }
        }
    }
}

/// Sends the beginning of a request, byte by byte, and what follows it until an answer comes.
async fn unfinished(recorder: &Recorder, hub: &Hub, operation: &Operation, length: usize, follows: &[u8], status: u16) {
    let (path, media) = (filled(operation), if body_of(operation).is_some() { "application/json" } else { WEBHOOK });
    let (header, value) = credential(operation, false).expect("a credential");
    let head = format!(
        "{} {path} HTTP/1.1\r\nhost: hub\r\n{header}: {value}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{{",
        operation.method
    );
    let stream = TcpStream::connect(hub.address).await.expect("it listens");
    let (mut reading, mut writing) = stream.into_split();
    writing.write_all(head.as_bytes()).await.expect("it is taken");
    let mut answer = Vec::new();
    let read = async {
        let mut part = [0; 4096];
        // A hub that closes a connection that still sends may reset it, but for what was read of the answer.
        while let Ok(count @ 1..) = reading.read(&mut part).await {
            answer.extend_from_slice(&part[..count]);
        }
    };
    let write = async {
        while !follows.is_empty() && writing.write_all(follows).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    let both = async {
        tokio::select! { () = read => {}, () = write => {} }
    };
    tokio::time::timeout(DEADLINE, both).await.expect("an answer in time");
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
    let body = serde_json::from_str(body).expect("JSON");
    recorder.note(&operation.method, &path, status, Some("application/json"), &body);
}

/// Bodies that stand still.
async fn slow_bodies(recorder: &Recorder, hub: &Hub) {
    let slow = recorder.operations.iter().filter(|operation| operation.knows(408));
    futures_util::future::join_all(slow.map(|operation| unfinished(recorder, hub, operation, 9, b"", 408))).await;
}

/// A hub whose Redis and PostgreSQL are away, and that has no memory for what it is sent.
async fn away(recorder: &Recorder) {
    let (redis, database) = (free_port(), free_port());
    let env = [
        ("REDIS_URL", format!("redis://127.0.0.1:{redis}")),
        ("DATABASE_URL", format!("postgres://nobody@127.0.0.1:{database}/none")),
        ("REDIS_DEADLINE_MS", "200".into()),
        ("DATABASE_DEADLINE_MS", "200".into()),
        ("LIVEKIT_WS_URL", "ws://127.0.0.1:9".into()),
        ("LIVEKIT_API_KEY", livekit::KEY.into()),
        ("LIVEKIT_API_SECRET", livekit::SECRET.into()),
        ("SESSIONS_JWT_SECRET", crate::support::booking::SESSIONS_SECRET.into()),
        ("INTERVIEW_JWT_SECRET", crate::support::booking::INTERVIEW_SECRET.into()),
        ("REALTIME_JWT_SECRET", realtime::SECRET.into()),
        ("ISSUER", realtime::ISSUER.into()),
        ("AUDIENCE", realtime::AUDIENCE.into()),
        ("MEMORY_BUDGET_BYTES", "16777216".into()),
        ("HTTP_BODY_LIMIT", "40000000".into()),
    ];
    let env: Vec<_> = env.iter().map(|(name, value)| (*name, &**value)).collect();
    let hub = Hub::start_unready(&env).await;
    let known = recorder
        .operations
        .iter()
        .filter(|operation| operation.knows(503) && operation.id != "getMedia" && operation.id != WEBHOOKS);
    let answers = known.map(|operation| async {
        let answer = recorder.send(request(&hub, operation)).await;
        assert_eq!(answer.status, 503, "{} {}: {}", operation.method, operation.path, answer.body);
    });
    futures_util::future::join_all(answers).await;
    // Alone: while there is no memory, whoever else asks is turned away.
    let webhook = recorder.operations.iter().find(|operation| operation.id == WEBHOOKS).expect("it is described");
    unfinished(recorder, &hub, webhook, 30_000_000, &[b' '; 65_536], 503).await;
}

/// Routes that take nothing.
async fn open(recorder: &Recorder, hub: &Hub) {
    for operation in &recorder.operations {
        if operation.method == Method::GET && !operation.path.contains('{') && operation.credentials() == [None] {
            assert_eq!(recorder.send(hub.request(Method::GET, &operation.path)).await.status, 200, "{}", operation.path);
            if operation.knows(304) {
                let known = hub.request(Method::GET, &operation.path).header("if-none-match", "*");
                assert_eq!(recorder.send(known).await.status, 304, "{}", operation.path);
            }
        }
    }
}

/// One call, and the status that it must have.
async fn call(recorder: &Recorder, request: RequestBuilder, status: u16, what: &str) -> Value {
    let answer = recorder.send(request).await;
    assert_eq!(answer.status, status, "{what}: {}", answer.body);
    answer.body
}

async fn incidents(recorder: &Recorder, world: &World) {
    let hub = &world.hubs[0];
    let ask = async |method: Method, path: &str, body: Value, status: u16| {
        let request = hub.request(method, &format!("/internal/realtime{path}")).header("x-internal-token", INTERNAL);
        let request = if body.is_null() { request } else { request.json(&body) };
        call(recorder, request, status, path).await
    };
    let (get, post, null) = (Method::GET, Method::POST, Value::Null);
    let new = json!({"sosId": "s-1", "citizenId": "c-1", "type": "fire", "soNo": "7", "address": {"city": "Baguio", "barangay": null},
        "location": {"latitude": 16.4, "longitude": 120.6, "accuracy": 4, "deviceId": "d"}});
    for status in [201, 200] {
        ask(post.clone(), "/sos/init", new.clone(), status).await;
    }
    ask(post.clone(), "/sos/init", json!({"sosId": ".."}), 400).await;
    ask(post.clone(), "/sos/s-1/members", json!({"userId": "r-1", "role": "Rescuer"}), 200).await;
    ask(post.clone(), "/sos/s-1/status", json!({"status": "ASSIGNED", "updatedBy": "d-1"}), 200).await;
    let stale = json!({"status": "arrived", "updatedBy": "d-1", "oldStatus": "active", "force": false});
    ask(post.clone(), "/sos/s-1/status", stale, 409).await;
    let skipping = json!({"status": "completed", "updatedBy": "d-1", "force": false});
    ask(post.clone(), "/sos/s-1/status", skipping, 409).await;
    let said = json!({"text": "hello", "userId": "c-1", "role": "citizen", "clientMessageId": "m-1"});
    for _ in 0..2 {
        ask(post.clone(), "/sos/s-1/messages", said.clone(), 201).await;
    }
    for path in [
        "/sos/s-1/state",
        "/sos/s-1/track?limit=1",
        "/sos/s-1/track?from=0&to=9&userId=x",
        "/sos/s-1/events?limit=2",
        "/sos?limit=1",
    ] {
        ask(get.clone(), path, null.clone(), 200).await;
    }
    let geojson = hub.request(Method::GET, "/internal/realtime/sos/s-1/track").header("x-internal-token", INTERNAL);
    call(recorder, geojson.header("accept", "application/geo+json"), 200, "GeoJSON").await;
    for path in ["/sos/s-1/track?limit=0", "/sos/s-1/events?after=x", "/sos?status=x"] {
        ask(get.clone(), path, null.clone(), 400).await;
    }
    ask(get.clone(), "/users/c-1/presence", null.clone(), 200).await;
    ask(get.clone(), &format!("/users/{}/presence", "u".repeat(129)), null.clone(), 400).await;
    ask(Method::DELETE, "/sos/s-1/members/r-1", null.clone(), 200).await;
    for _ in 0..2 {
        ask(post.clone(), "/sos/s-1/close", json!({"closedBy": "d-1", "reason": "over"}), 200).await;
    }
    ask(get.clone(), "/sos/s-1/state", null.clone(), 200).await;
    ask(post.clone(), "/sos/s-1/messages", json!({"text": "late"}), 409).await;
    ask(post.clone(), "/sos/s-1/status", json!({"status": "active", "updatedBy": "d-1"}), 409).await;
    ask(post.clone(), "/sos/s-1/members", json!({"userId": "r-2", "role": "rescuer"}), 409).await;
    // What none has, and what is spoiled in Redis.
    for key in [keys::state("bad"), keys::track("bad"), keys::events("bad")] {
        world.redis.ask::<()>(convoke::redis::cmd("SET").arg(key).arg("spoiled"));
    }
    for (id, status) in [("none", 404), ("bad", 500), ("a%20b", 400)] {
        for (method, path, body) in [
            (&post, "close", json!({"closedBy": "d"})),
            (&post, "status", json!({"status": "assigned", "updatedBy": "d"})),
            (&post, "messages", json!({"text": "t"})),
            (&post, "members", json!({"userId": "u", "role": "rescuer"})),
            (&Method::DELETE, "members/u", null.clone()),
            (&get, "state", null.clone()),
            (&get, "track", null.clone()),
            (&get, "events", null.clone()),
        ] {
            ask(method.clone(), &format!("/sos/{id}/{path}"), body, status).await;
        }
    }
    ask(post, "/sos/init", json!({"sosId": "bad", "citizenId": "c"}), 500).await;
    for (key, path) in [(keys::ROOMS.to_owned(), "/sos"), (keys::user_presence("u-bad"), "/users/u-bad/presence")] {
        world.redis.ask::<()>(convoke::redis::cmd("DEL").arg(&key));
        world.redis.ask::<()>(convoke::redis::cmd("SET").arg(&key).arg("spoiled"));
        ask(get.clone(), path, null.clone(), 500).await;
    }
}

/// Writes that no replica confirms.
async fn unconfirmed(recorder: &Recorder) {
    let redis = Redis::start(&[]);
    let replica = Replica::of(&redis);
    let hub = Hub::start(&[("REDIS_URL", &*redis.url()), ("REDIS_DEADLINE_MS", "3000")]).await;
    let ids = ["createSos", "closeSos", "setSosStatus", "postSosMessage", "admitToSos", "removeFromSos"];
    for id in ids {
        hub.create_sos(id, "c-1").await;
    }
    replica.confirms_nothing();
    let of = |id: &&str| {
        let operation = recorder.operations.iter().find(|one| one.id == *id).expect("it is described");
        request_to(&hub, operation, &filled(operation).replace("s-1", id))
    };
    let answers = futures_util::future::join_all(ids.iter().map(|id| recorder.send(of(id)))).await;
    for (id, answer) in ids.iter().zip(answers) {
        assert_eq!((answer.status, &answer.body["code"]), (503, &json!("UNCONFIRMED")), "{id}: {}", answer.body);
    }
}

/// What tokens of recruiters and invites are refused with.
async fn bad_tokens(recorder: &Recorder, world: &World, id: &str) {
    let hub = &world.hubs[0];
    let expired = recruiter_until("recruiter", "r-1", Some(ORG), now_seconds() - 3_600);
    let of = |method: Method, path: &str, token: &str| hub.request(method, &format!("/api/interviews/{path}")).bearer_auth(token);
    let (invites, gone) = (format!("{id}/invites"), format!("{id}/invites/{ID}"));
    for (token, what) in [("a.b.c", "not genuine"), (&*expired, "expired")] {
        call(recorder, of(Method::POST, &invites, token), 401, what).await;
        call(recorder, of(Method::DELETE, &gone, token), 401, what).await;
    }
    let staff = recruiter("recruiter", "r-1", Some(ORG));
    call(recorder, of(Method::DELETE, &format!("{ID}/invites/{ID}"), &staff), 404, "no such interview").await;
    let join = |token: &str, participant: &str| {
        of(Method::POST, "join-token", token).json(&json!({"interviewId": id, "role": "candidate", "participantId": participant}))
    };
    let as_recruiter = of(Method::POST, "join-token", &expired).json(&json!({"interviewId": id, "role": "recruiter"}));
    call(recorder, as_recruiter, 401, "expired").await;
    let interview = Interview { id: id.to_owned(), token: String::new() };
    let (used, expired, revoked) =
        (invite(world, &interview).await, invite(world, &interview).await, invite(world, &interview).await);
    call(recorder, join(&used.1, "ana"), 201, "an invite").await;
    world.sql(&format!("UPDATE convoke.invites SET expires_at = now() - interval '1 hour' WHERE id = '{}'", expired.0)).await;
    world.sql(&format!("UPDATE convoke.invites SET revoked_at = now() WHERE id = '{}'", revoked.0)).await;
    for (invite, participant) in [(used, "bob"), (expired, "ana"), (revoked, "ana")] {
        call(recorder, join(&invite.1, participant), 403, "an invite").await;
    }
}

async fn interviews(recorder: &Recorder, world: &World) {
    let hub = &world.hubs[0];
    let inside = |method: Method, path: &str| {
        hub.request(method, &format!("/internal/interviews{path}")).header("x-internal-token", INTERNAL)
    };
    let made = call(recorder, inside(Method::POST, "").json(&new_interview()), 201, "create").await;
    let (id, token) = (made["id"].as_str().unwrap().to_owned(), made["joinToken"].as_str().unwrap().to_owned());
    call(recorder, inside(Method::POST, "").json(&json!({})), 400, "create").await;
    let (one, none) = (format!("/{id}"), format!("/{ID}"));
    let ongoing = json!({"status": "ONGOING", "scheduledAt": "2026-01-31T09:30:00Z"});
    call(recorder, inside(Method::PATCH, &one).json(&ongoing), 200, "change").await;
    call(recorder, inside(Method::PATCH, &one).json(&json!({"status": "MOON"})), 400, "change").await;
    call(recorder, inside(Method::PATCH, &none).json(&json!({})), 404, "change").await;
    call(recorder, inside(Method::GET, &one), 200, "read").await;
    call(recorder, inside(Method::GET, &none), 404, "read").await;

    let of = |method: Method, path: &str, token: &str| hub.request(method, &format!("/api/interviews/{path}")).bearer_auth(token);
    let (staff, observer) = (recruiter("recruiter", "r-1", Some(ORG)), recruiter("observer", "o-1", Some(ORG)));
    let invites = format!("{id}/invites");
    let invite =
        call(recorder, of(Method::POST, &invites, &staff).json(&json!({"email": "a@b.example", "expiresIn": 60})), 201, "invite");
    let invite = invite.await["inviteId"].as_str().unwrap().to_owned();
    call(recorder, of(Method::POST, &invites, &staff).json(&json!({"email": "nobody"})), 400, "invite").await;
    call(recorder, of(Method::POST, &invites, &observer), 403, "invite").await;
    call(recorder, of(Method::POST, &format!("{ID}/invites"), &staff), 404, "invite").await;
    let revoked = format!("{invites}/{invite}");
    call(recorder, of(Method::DELETE, &revoked, &observer), 403, "revoke").await;
    call(recorder, of(Method::DELETE, &revoked, &staff), 204, "revoke").await;
    call(recorder, of(Method::DELETE, &format!("{invites}/{ID}"), &staff), 404, "revoke").await;

    let joining = |interview: &str, role: &str| json!({"interviewId": interview, "role": role});
    let join = |token: &str| of(Method::POST, "join-token", token);
    call(recorder, join(&token).json(&joining(&id, "Candidate")), 201, "join").await;
    call(recorder, join(&staff).json(&joining(&id, "candidate")), 403, "join").await;
    call(recorder, join(&staff).json(&joining(ID, "recruiter")), 404, "join").await;
    call(recorder, join(&token).json(&joining(&id, "king")), 400, "join").await;
    call(recorder, join("nonsense").json(&joining(&id, "candidate")), 401, "join").await;
    bad_tokens(recorder, world, &id).await;

    call(recorder, inside(Method::PATCH, &one).json(&json!({"status": "COMPLETED"})), 200, "end").await;
    call(recorder, inside(Method::PATCH, &one).json(&json!({"status": "ONGOING"})), 409, "back").await;
    call(recorder, of(Method::POST, &invites, &staff), 403, "invite to one that has ended").await;
    call(recorder, join(&staff).json(&joining(&id, "recruiter")), 403, "join one that has ended").await;

    world.sql("ALTER TABLE convoke.interviews RENAME COLUMN organization_id TO spoiled").await;
    call(recorder, inside(Method::POST, "").json(&new_interview()), 500, "create").await;
    call(recorder, inside(Method::GET, &one), 500, "read").await;
    call(recorder, inside(Method::PATCH, &one).json(&json!({})), 500, "change").await;
    call(recorder, of(Method::POST, &invites, &staff), 500, "invite").await;
    call(recorder, of(Method::DELETE, &revoked, &staff), 500, "revoke").await;
    call(recorder, join(&staff).json(&joining(&id, "recruiter")), 500, "join").await;
}

async fn interview_sessions(recorder: &Recorder, world: &World) {
    let hub = &world.hubs[0];
    let user = world.user().await;
    let of = |method: Method, path: &str| world.request(0, method, path, user);
    let inside =
        |method: Method, path: &str| hub.request(method, &format!("/internal{path}")).header("x-internal-token", INTERNAL);
    let put = inside(Method::PUT, &format!("/users/{ID}")).json(&json!({"email": "a@b.example"}));
    call(recorder, put, 200, "user").await;
    call(recorder, inside(Method::PUT, "/users/nobody").json(&json!({})), 400, "user").await;

    let of_id = |method: Method, path: &str| world.request(0, method, path, ID.parse().unwrap());
    call(recorder, of_id(Method::POST, "/api/interviews/start"), 400, "without a résumé").await;
    let nobody = world.request(0, Method::POST, "/api/interviews/start", Uuid::new_v4());
    call(recorder, nobody, 400, "a user that is not known").await;
    call(recorder, of_id(Method::GET, "/api/interviews/eligibility"), 200, "eligibility").await;
    let started = recorder.send(of(Method::POST, "/api/interviews/start")).await.started();
    call(recorder, of(Method::POST, "/api/interviews/start"), 400, "twice").await;
    call(recorder, of(Method::GET, "/api/interviews/eligibility"), 200, "eligibility").await;
    let session = format!("/api/interviews/{}", started.id);
    for path in [session.clone(), format!("{session}/status")] {
        call(recorder, of(Method::GET, &path), 200, "read").await;
    }
    for path in ["/api/interviews/none", "/api/interviews/none/status"] {
        call(recorder, of(Method::GET, path), 404, "read").await;
    }
    let token = |body: Value| of(Method::POST, "/api/livekit/token").json(&body);
    call(recorder, token(token_body(&started)), 200, "token").await;
    call(recorder, token(json!({"roomName": 7})), 400, "token").await;
    call(recorder, token(json!({"roomName": started.room, "sessionId": "none"})), 404, "token").await;
    let scored = format!("/internal/interview-sessions/{}", started.id);
    let score = |path: &str| hub.request(Method::PATCH, path).header("x-internal-token", INTERNAL);
    call(recorder, score(&scored).json(&json!({"score_overall": 8.5, "summary": "fine"})), 200, "score").await;
    call(recorder, score(&scored).json(&json!({"score_overall": 1e9})), 400, "score").await;
    call(recorder, score("/internal/interview-sessions/none").json(&json!({})), 404, "score").await;
    call(recorder, of(Method::POST, &format!("{session}/end")), 200, "end").await;
    call(recorder, of(Method::POST, &format!("{session}/end")), 404, "end").await;
    call(recorder, of(Method::GET, &session), 200, "read").await;
    call(recorder, token(token_body(&started)), 403, "token").await;
    world.sql(&format!("UPDATE public.users SET completed_interviews_count = 99 WHERE id = '{user}'")).await;
    call(recorder, of(Method::POST, "/api/interviews/start"), 409, "beyond the limit").await;

    world.sql("ALTER TABLE public.interview_sessions RENAME COLUMN status TO spoiled").await;
    for (method, path) in [
        (Method::POST, "/api/interviews/start"),
        (Method::GET, "/api/interviews/eligibility"),
        (Method::GET, &*session),
        (Method::GET, &format!("{session}/status")),
        (Method::POST, &format!("{session}/end")),
    ] {
        call(recorder, of(method, path), 500, "spoiled").await;
    }
    call(recorder, token(token_body(&started)), 500, "spoiled").await;
    call(recorder, score(&scored).json(&json!({"summary": "x"})), 500, "spoiled").await;
    world.sql("ALTER TABLE public.users RENAME COLUMN completed_interviews_count TO spoiled").await;
    let put = inside(Method::PUT, &format!("/users/{ID}")).json(&json!({}));
    call(recorder, put, 500, "spoiled").await;
}

/// A start where all places are taken.
async fn without_a_place(recorder: &Recorder, world: &World) {
    let start = |user| world.request(0, Method::POST, "/api/interviews/start", user);
    let mut started = Vec::new();
    // `MAX_CONCURRENT_INTERVIEWS`, by its default.
    for _ in 0..5 {
        let user = world.user().await;
        started.push((recorder.send(start(user)).await.started().id, user));
    }
    call(recorder, start(world.user().await), 409, "no place").await;
    for (session, user) in started {
        world.end(&session, user).await;
    }
}

/// A start while LiveKit is away.
async fn without_livekit(recorder: &Recorder, world: &mut World) {
    let user = world.user().await;
    let node = world.add_node(&[("LIVEKIT_API_URL", "http://127.0.0.1:9")]).await;
    call(recorder, world.request(node, Method::POST, "/api/interviews/start", user), 502, "LiveKit is away").await;
}

async fn audio(recorder: &Recorder, hub: &Hub, folder: &std::path::Path) {
    let settings = Audio::Folder { path: folder.into(), public_url: "".into() };
    let storage = ObjectAudio::new(&settings, Some(&Secret::new(CLUSTER_SECRET))).expect("a folder");
    for (key, status) in
        [("i/a.wav", 200), ("i/a.mp3", 200), ("i/a.webm", 200), ("i/a.bin", 200), ("i/none.wav", 404), ("i/loop.wav", 503)]
    {
        if status == 200 {
            storage.put(key, "audio/wav", "audio".into()).await.expect("it is stored");
        } else if status == 503 {
            std::os::unix::fs::symlink("loop.wav", folder.join(key)).expect("a link to itself");
        }
        let address = storage.url(key).await.expect("an address");
        call(recorder, hub.request(Method::GET, &address), status, key).await;
        if status == 200 {
            for (range, status) in [("bytes=0-1", 206), ("bytes=9-", 416)] {
                call(recorder, hub.request(Method::GET, &address).header("range", range), status, key).await;
            }
        }
    }
    call(recorder, hub.request(Method::GET, "/media/i/a.wav?exp=1&sig=x"), 403, "not ours").await;
}

async fn realtime_sessions(recorder: &Recorder, hub: &Hub) {
    let ask = |method: Method, path: &str| {
        hub.request(method, &format!("{}{path}", realtime::SESSIONS)).bearer_auth(realtime::token("user-1"))
    };
    let made = call(recorder, ask(Method::POST, ""), 201, "create").await;
    let one = format!("/{}", made["id"].as_str().expect("an id"));
    for path in ["", "?limit=1", &*one] {
        call(recorder, ask(Method::GET, path), 200, path).await;
    }
    for path in ["?limit=0", "?after=none"] {
        call(recorder, ask(Method::GET, path), 400, path).await;
    }
    for (method, status) in [(Method::DELETE, 200), (Method::DELETE, 404), (Method::GET, 404)] {
        call(recorder, ask(method, &one), status, "one").await;
    }
}

async fn webhook(recorder: &Recorder, hub: &Hub) {
    let body = r#"{"event":"moon_landed"}"#;
    let request =
        hub.request(Method::POST, "/livekit/webhook").header("authorization", sign(body)).header("content-type", WEBHOOK);
    call(recorder, request.body(body), 200, "webhook").await;
}

#[tokio::test]
async fn every_answer_that_is_documented_is_given_and_is_as_documented() {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = format!("file://{}", folder.path().display());
    let env = [&REALTIME[..], &[("AUDIO_STORAGE_URL", &*storage), ("HTTP_BODY_PAUSE_SECONDS", "1"), MANY_ADDRESSES]].concat();
    let Some(mut world) = World::start(1, &env).await else { return };
    let recorder = Recorder::of(&world.hubs[0]).await;
    {
        let hub = &world.hubs[0];
        tokio::join!(without_settings(&recorder), away(&recorder), slow_bodies(&recorder, hub));
        open(&recorder, hub).await;
        webhook(&recorder, hub).await;
        realtime_sessions(&recorder, hub).await;
        audio(&recorder, hub, folder.path()).await;
    }
    without_livekit(&recorder, &mut world).await;
    without_a_place(&recorder, &world).await;
    unconfirmed(&recorder).await;
    incidents(&recorder, &world).await;
    interviews(&recorder, &world).await;
    interview_sessions(&recorder, &world).await;
    // Last: the address is refused from here on.
    refused_alike(&recorder, &world.hubs[0]).await;
    let wrong = recorder.judge().await;
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let (reasoned, missing): (Vec<_>, Vec<_>) = recorder.missing().into_iter().partition(|one| NOT_SHOWN.contains(&&**one));
    assert!(missing.is_empty(), "documented and never answered:\n{}", missing.join("\n"));
    assert_eq!(reasoned.len(), NOT_SHOWN.len(), "answered or not documented: {NOT_SHOWN:?}, less {reasoned:?}");
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_of_a_route() {
    let hub = Hub::on_shared_redis(&[]).await;
    let recorder = Recorder::of(&hub).await;
    assert_eq!(recorder.document.get("x-undescribed"), None, "routes that were added without a description");
    let bare: Vec<_> =
        recorder.operations.iter().filter(|one| one.said.get("description").is_none()).map(|one| one.id.clone()).collect();
    assert!(bare.is_empty(), "routes that say nothing but their names: {bare:?}");
    for operation in &recorder.operations {
        let answer = hub.request(Method::OPTIONS, &filled(operation)).send().await.expect("an answer");
        let allow = answer.headers().get("allow").and_then(|allow| allow.to_str().ok()).unwrap_or_default();
        assert!(
            allow.split(", ").any(|method| method == operation.method.as_str()),
            "{} {}: {allow}",
            operation.method,
            operation.path
        );
    }
}

#[tokio::test]
async fn the_document_is_the_same_whatever_is_switched_on() {
    let (bare, demo) =
        (Hub::on_shared_redis(&[("INTERNAL_AUTH_TOKEN", "")]).await, Hub::on_shared_redis(&[("DEMO", "true")]).await);
    let Some(world) = World::start(1, &[]).await else { return };
    let document = async |hub: &Hub| hub.get("/openapi.json").await.text().await.expect("a document");
    let expected = document(&bare).await;
    assert_eq!(document(&demo).await, expected);
    assert_eq!(document(&world.hubs[0]).await, expected);
}
