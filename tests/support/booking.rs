//! A world for interviews and interview sessions: a Redis and a database of its own, the LiveKit server that all tests of the
//! process share with room names of its own, and nodes on them.
//!
//! ```ignore
//! let Some(world) = World::start(2, &[("BETA_INTERVIEWS_PER_USER", "9")]).await else { return };
//! let user = world.user().await;
//! let session = world.started(user).await;
//! assert_eq!(world.rooms().await, [session.room]);
//! ```

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use convoke::auth;
use convoke::features::bookings::holder;
use convoke::livekit::LiveKit;
use convoke::settings::{Secret, VerifierSettings};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use super::hub::{Hub, INTERNAL, now_seconds};
use super::{DEADLINE, livekit, postgres, redis};

/// Of those who hold sessions.
pub const SESSIONS_SECRET: &str = "the secret of the sessions of the tests, 32 bytes";
/// Of recruiters.
pub const INTERVIEW_SECRET: &str = "the secret of the interviews of the tests, 32 bytes";

pub struct World {
    pub redis: redis::Server,
    /// The URL of the database.
    pub database: String,
    /// What rooms of sessions begin with here.
    pub prefix: String,
    pub hubs: Vec<Hub>,
    /// A client of LiveKit's API that no test breaks.
    pub livekit: LiveKit,
    env: Vec<(String, String)>,
}

/// What a request was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    /// Null if it was no JSON.
    pub body: Value,
}

/// A session that was started.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Started {
    pub id: String,
    pub room: String,
    pub token: String,
}

impl World {
    /// Starts so many nodes; `env` wins over the settings of the world. `None` without a LiveKit server: the test is skipped.
    pub async fn start(nodes: usize, env: &[(&str, &str)]) -> Option<Self> {
        Self::on(livekit::shared()?, nodes, env).await
    }

    /// [`World::start`] on a LiveKit server of the test's own.
    pub async fn on(livekit: &livekit::Server, nodes: usize, env: &[(&str, &str)]) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let (redis, database) = (redis::Server::start(&[]), postgres::database().await);
        let prefix = format!("T{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let (redis_url, ws_url) = (redis.url(), livekit.ws_url());
        let all = [
            ("REDIS_URL", &*redis_url),
            ("DATABASE_URL", &database),
            ("LIVEKIT_WS_URL", ws_url),
            ("LIVEKIT_API_KEY", livekit::KEY),
            ("LIVEKIT_API_SECRET", livekit::SECRET),
            ("ROOM_NAME_PREFIX", &prefix),
            ("SESSIONS_JWT_SECRET", SESSIONS_SECRET),
            ("INTERVIEW_JWT_SECRET", INTERVIEW_SECRET),
            // No test but those of the limits meets them.
            ("RATE_LIMIT_START_PER_MINUTE", "100000"),
            ("RATE_LIMIT_TOKEN_PER_MINUTE", "100000"),
            ("RATE_LIMIT_SESSIONS_PER_MINUTE", "100000"),
            ("RATE_LIMIT_INTERVIEWS_PER_MINUTE", "100000"),
        ];
        let env = all.iter().chain(env).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let client = LiveKit::new(&livekit.settings()).expect("a client");
        let mut world = Self { redis, database, prefix, hubs: Vec::new(), livekit: client, env };
        for _ in 0..nodes {
            world.add_node(&[]).await;
        }
        Some(world)
    }

    /// One more node; gives its place among [`World::hubs`].
    pub async fn add_node(&mut self, env: &[(&str, &str)]) -> usize {
        let all: Vec<_> = self.env.iter().map(|(name, value)| (&**name, &**value)).chain(env.iter().copied()).collect();
        self.hubs.push(Hub::start(&all).await);
        self.hubs.len() - 1
    }

    /// A new user with a résumé, known to the database.
    pub async fn user(&self) -> Uuid {
        let user = Uuid::new_v4();
        let insert = format!("INSERT INTO public.users (id, email, resume_id) VALUES ('{user}', 'u@example.com', 'r1')");
        self.sql(&insert).await;
        user
    }

    /// Runs statements in the database; gives their rows as text.
    pub async fn sql(&self, statements: &str) -> Vec<Vec<Option<String>>> {
        postgres::sql(&self.database, statements).await
    }

    /// The first column of the first row.
    pub async fn value(&self, query: &str) -> String {
        postgres::value(&self.database, query).await
    }

    /// A token that this user's requests carry.
    pub fn token(&self, user: Uuid) -> String {
        holder_token(user, Some("u@example.com"), now_seconds() + 3600)
    }

    /// A request to a node, as this user.
    pub fn request(&self, node: usize, method: Method, path: &str, user: Uuid) -> RequestBuilder {
        self.hubs[node].request(method, path).bearer_auth(self.token(user))
    }

    pub async fn get(&self, path: &str, user: Uuid) -> Answer {
        Answer::of(self.request(0, Method::GET, path, user)).await
    }

    pub async fn post(&self, path: &str, user: Uuid, body: Option<Value>) -> Answer {
        let request = self.request(0, Method::POST, path, user);
        Answer::of(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// A request to `/internal`, with the right token.
    pub async fn internal(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.hubs[0].request(method, path).header("x-internal-token", INTERNAL);
        Answer::of(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// Asks a node to start a session.
    pub async fn start_on(&self, node: usize, user: Uuid) -> Answer {
        Answer::of(self.request(node, Method::POST, "/api/interviews/start", user)).await
    }

    /// Starts a session, which must succeed.
    pub async fn started(&self, user: Uuid) -> Started {
        self.start_on(0, user).await.started()
    }

    pub async fn end(&self, session: &str, user: Uuid) -> Answer {
        self.post(&format!("/api/interviews/{session}/end"), user, None).await
    }

    /// Moves a session into the past, so that its time is over.
    pub async fn expire(&self, session: &str) {
        let back = "start_time = start_time - interval '1 day', server_end_time = now() - interval '1 millisecond'";
        self.sql(&format!("UPDATE public.interview_sessions SET {back} WHERE id = '{session}'")).await;
    }

    /// How many interviews the user has completed.
    pub async fn completed(&self, user: Uuid) -> u32 {
        let count = format!("SELECT coalesce(completed_interviews_count, 0) FROM public.users WHERE id = '{user}'");
        self.value(&count).await.parse().expect("a number")
    }

    /// `status/end_reason` of a session; empty if there is none.
    pub async fn status(&self, session: &str) -> String {
        let query = format!("SELECT concat_ws('/', status, end_reason) FROM public.interview_sessions WHERE id = '{session}'");
        self.sql(&query).await.first().and_then(|row| row[0].clone()).unwrap_or_default()
    }

    /// Sessions that PostgreSQL calls active.
    pub async fn active(&self) -> usize {
        self.value("SELECT count(*) FROM public.interview_sessions WHERE status = 'active'").await.parse().expect("a number")
    }

    /// The rooms of this world's sessions, sorted.
    pub async fn rooms(&self) -> Vec<String> {
        let begin = format!("{}-", self.prefix);
        let deadline = (Instant::now() + DEADLINE).into();
        let rooms = self.livekit.list_rooms(deadline).await.expect("LiveKit answers");
        let mut rooms: Vec<_> = rooms.into_iter().map(|room| room.name).filter(|room| room.starts_with(&begin)).collect();
        rooms.sort();
        rooms
    }

    /// The agents that were sent for by name. LiveKit itself sends for those without one.
    pub async fn agents(&self, room: &str) -> Vec<String> {
        let deadline = (Instant::now() + DEADLINE).into();
        let agents = self.livekit.dispatched(room, deadline).await.expect("the room is there");
        agents.into_iter().filter(|agent| !agent.is_empty()).collect()
    }

    /// The slots in Redis: ids, sorted, and when each ends (ms).
    pub fn slots(&self) -> Vec<(String, u64)> {
        let mut slots: Vec<(String, f64)> =
            self.redis.ask(convoke::redis::cmd("ZRANGE").arg("{interviews}:active").arg(0).arg(-1).arg("WITHSCORES"));
        slots.sort_by(|one, other| one.0.cmp(&other.0));
        slots.into_iter().map(|(id, ends)| (id, ends as u64)).collect()
    }

    /// Waits until a fact that has to be asked for holds.
    pub async fn eventually(&self, fact: &str, holds: impl AsyncFn() -> bool) {
        let start = Instant::now();
        while !holds().await {
            let log = || self.hubs.iter().map(Hub::log).collect::<Vec<_>>().join("\n---\n");
            assert!(start.elapsed() < Duration::from_secs(60), "never happened: {fact}\n{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until nothing is left of any session: no active row, no slot, no room.
    pub async fn wait_until_empty(&self) {
        self.eventually("nothing is left", async || {
            self.active().await == 0 && self.slots().is_empty() && self.rooms().await.is_empty()
        })
        .await;
    }
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        Self::maybe(request).await.expect("an answer")
    }

    /// `None`: the connection broke.
    pub async fn maybe(request: RequestBuilder) -> Option<Self> {
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Some(Self { status, headers, body: response.json().await.unwrap_or(Value::Null) })
    }

    /// The session that was started.
    #[track_caller]
    pub fn started(&self) -> Started {
        assert_eq!(self.status, 201, "{}", self.body);
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let (session, livekit) = (&self.body["session"], &self.body["livekit"]);
        Started { id: text(&session["id"]), room: text(&session["room_name"]), token: text(&livekit["token"]) }
    }

    /// `error` of a refusal; empty if there is none.
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A token of someone who holds sessions.
pub fn holder_token(user: Uuid, email: Option<&str>, expires_at: u64) -> String {
    auth::install_crypto_provider();
    let identity = VerifierSettings {
        secret: Some(Secret::new(SESSIONS_SECRET)),
        audience: Some("authenticated".into()),
        ..VerifierSettings::default()
    };
    holder::mint(&identity, user, email, expires_at, now_seconds()).expect("a token")
}

/// What a LiveKit token claims. It is not verified here: LiveKit does that.
pub fn claims(token: &str) -> Value {
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
    let claims = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64url")).expect("JSON")
}

/// A body for `/api/livekit/token`.
pub fn token_body(session: &Started) -> Value {
    json!({"roomName": session.room, "sessionId": session.id})
}
