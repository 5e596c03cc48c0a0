//! A world for realtime sessions: a Redis of its own, a LiveKit, and nodes on both.
//!
//! ```ignore
//! let livekit = FakeLiveKit::start().await;
//! let world = World::start(&livekit.env(), 2, &[]).await;
//! let session = world.created("ana").await;
//! livekit.put_room(&session.room, 1);
//! world.until_status(&session, "connected").await;
//! ```

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use convoke::auth;
use convoke::features::realtime::auth::mint;
use convoke::settings::{Secret, VerifierSettings};
use livekit_protocol as proto;
use prost::Message as _;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::booking::Answer;
use super::hub::{Hub, now_seconds};
use super::stub_http::{Answer as Stub, Asked, StubHttp};
use super::{livekit, redis};

pub const SECRET: &str = "the secret of realtime sessions of the tests";
pub const ISSUER: &str = "http://localhost:8085/realms/jan";
pub const AUDIENCE: &str = "account";
pub const SESSIONS: &str = "/v1/realtime/sessions";

/// Rounds come often.
pub const OFTEN: (&str, &str) = ("SESSION_CLEANUP_INTERVAL", "250ms");
/// No round comes in a test's time but those at the start.
pub const NEVER: (&str, &str) = ("SESSION_CLEANUP_INTERVAL", "1h");

pub struct World {
    /// `None`: a cluster is in its place.
    pub redis: Option<redis::Server>,
    pub hubs: Vec<Hub>,
    env: Vec<(String, String)>,
}

/// A session as its 201 told it.
#[derive(Clone, Debug)]
pub struct Created {
    pub id: String,
    pub room: String,
    pub user: String,
    pub token: String,
}

impl World {
    /// Starts so many nodes; `env` wins over the settings of the world.
    pub async fn start(livekit: &[(&str, &str)], nodes: usize, env: &[(&str, &str)]) -> Self {
        let redis = redis::Server::start(&[]);
        let url = redis.url();
        Self::on(&url, Some(redis), livekit, nodes, env).await
    }

    /// [`World::start`] on any Redis.
    pub async fn on(
        url: &str,
        redis: Option<redis::Server>,
        livekit: &[(&str, &str)],
        nodes: usize,
        env: &[(&str, &str)],
    ) -> Self {
        let own = [
            ("REDIS_URL", url),
            ("REALTIME_JWT_SECRET", SECRET),
            ("ISSUER", ISSUER),
            ("AUDIENCE", AUDIENCE),
            // No test but those of the limits meets them.
            ("RATE_LIMIT_REALTIME_CREATE_PER_MINUTE", "100000"),
            ("RATE_LIMIT_REALTIME_PER_MINUTE", "100000"),
        ];
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let env = own.iter().chain(livekit).chain(env).map(owned).collect();
        let mut world = Self { redis, hubs: Vec::new(), env };
        for _ in 0..nodes {
            world.add_node(&[]).await;
        }
        world
    }

    pub async fn add_node(&mut self, env: &[(&str, &str)]) {
        let all: Vec<_> = self.env.iter().map(|(name, value)| (&**name, &**value)).chain(env.iter().copied()).collect();
        self.hubs.push(Hub::start(&all).await);
    }

    /// A request to the first node, as this user.
    pub fn request(&self, method: Method, path: &str, user: &str) -> RequestBuilder {
        self.request_on(0, method, path, user)
    }

    pub fn request_on(&self, node: usize, method: Method, path: &str, user: &str) -> RequestBuilder {
        self.hubs[node].request(method, path).bearer_auth(token(user))
    }

    pub async fn get(&self, path: &str, user: &str) -> Answer {
        Answer::of(self.request(Method::GET, path, user)).await
    }

    pub async fn delete(&self, id: &str, user: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, &format!("{SESSIONS}/{id}"), user)).await
    }

    pub async fn create(&self, user: &str) -> Answer {
        Answer::of(self.request(Method::POST, SESSIONS, user)).await
    }

    /// Creates a session, which must succeed.
    pub async fn created(&self, user: &str) -> Created {
        Created::of(&self.create(user).await)
    }

    /// The status of a session; `gone` if there is none.
    pub async fn status(&self, session: &Created) -> String {
        let answer = self.get(&format!("{SESSIONS}/{}", session.id), &session.user).await;
        match answer.status {
            404 => "gone".into(),
            _ => answer.body["status"].as_str().unwrap_or_else(|| panic!("{answer:?}")).to_owned(),
        }
    }

    /// Waits until a session has this status; says how long that took.
    pub async fn until_status(&self, session: &Created, status: &str) -> Duration {
        let start = Instant::now();
        self.eventually(&format!("{} is {status}", session.id), async || self.status(session).await == status).await;
        start.elapsed()
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

    /// Tells a node an event, as LiveKit would; gives the status.
    pub async fn tell(&self, event: &Value) -> u16 {
        let body = event.to_string();
        let request =
            self.hubs[0].request(Method::POST, "/livekit/webhook").header("authorization", livekit::sign_webhook(&body));
        request.header("content-type", "application/webhook+json").body(body).send().await.expect("an answer").status().as_u16()
    }

    /// Whether a room has a tombstone.
    pub fn has_tombstone(&self, room: &str) -> bool {
        let redis = self.redis.as_ref().expect("a Redis of its own");
        redis.ask::<Option<String>>(convoke::redis::cmd("GET").arg(format!("realtime:gone:{{{room}}}"))).is_some()
    }

    /// All keys of realtime sessions, sorted, but the poller's lease and tombstones.
    pub fn keys(&self) -> Vec<String> {
        let redis = self.redis.as_ref().expect("a Redis of its own");
        let mut keys: Vec<String> = redis.ask(convoke::redis::cmd("KEYS").arg("realtime:*"));
        keys.retain(|key| key != "realtime:poller" && !key.starts_with("realtime:gone:"));
        keys.sort();
        keys
    }
}

impl Created {
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 201, "{answer:?}");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let body = &answer.body;
        Self {
            id: text(&body["id"]),
            room: text(&body["room_id"]),
            user: text(&body["user_id"]),
            token: text(&body["client_secret"]["value"]),
        }
    }
}

/// What LiveKit tells of a room of this session, under an id of its own.
pub fn event(name: &str, session: &Created, sid: &str) -> Value {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = format!("EV_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    json!({
        "event": name, "id": id, "createdAt": now_seconds().to_string(),
        // LiveKit's own count, which lags the truth.
        "room": {"name": session.room, "sid": sid, "numParticipants": 0},
        "participant": {"identity": session.user, "sid": "PA_1"},
    })
}

/// A token of this user, for an hour.
pub fn token(user: &str) -> String {
    auth::install_crypto_provider();
    mint(&identity(), user, now_seconds() + 3600, now_seconds()).expect("a token")
}

fn identity() -> VerifierSettings {
    VerifierSettings {
        secret: Some(Secret::new(SECRET)),
        issuer: Some(ISSUER.into()),
        audience: Some(AUDIENCE.into()),
        ..VerifierSettings::default()
    }
}

/// The part of LiveKit's API that polling needs, with rooms as a test says. Counts are exact and at once.
pub struct FakeLiveKit {
    http: StubHttp,
    url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Who is in each.
    rooms: BTreeMap<String, Vec<String>>,
    fault: Option<Stub>,
    /// Names in each ListRooms; 0: all rooms were asked for.
    listings: Vec<usize>,
    deleted: Vec<String>,
}

impl FakeLiveKit {
    pub async fn start() -> Self {
        let http = StubHttp::start(Stub::Cut).await;
        let state = Arc::new(Mutex::new(State::default()));
        let held = state.clone();
        http.decide_by(move |asked| held.lock().expect("no panic").answer(asked));
        let url = http.url().replacen("http", "ws", 1);
        Self { http, url, state }
    }

    /// What a hub needs to use it. A failed call is not waited for.
    pub fn env(&self) -> [(&str, &str); 4] {
        [
            ("LIVEKIT_WS_URL", &self.url),
            ("LIVEKIT_API_KEY", livekit::KEY),
            ("LIVEKIT_API_SECRET", livekit::SECRET),
            ("LIVEKIT_DEADLINE_MS", "300"),
        ]
    }

    /// A room with so many participants.
    pub fn put_room(&self, room: &str, participants: u32) {
        let nobody_known = (0..participants).map(|n| format!("somebody-{n}")).collect();
        self.state().rooms.insert(room.into(), nobody_known);
    }

    /// A room with these participants.
    pub fn put_people(&self, room: &str, people: &[&str]) {
        self.state().rooms.insert(room.into(), people.iter().map(|name| (*name).to_owned()).collect());
    }

    pub fn remove_room(&self, room: &str) {
        self.state().rooms.remove(room);
    }

    pub fn has_room(&self, room: &str) -> bool {
        self.state().rooms.contains_key(room)
    }

    /// From now on each call meets this; `None`: it is well.
    pub fn fail(&self, fault: Option<Stub>) {
        self.state().fault = fault;
    }

    /// Calls of ListRooms so far that were answered, by how many names each had; 0: all rooms.
    pub fn listings(&self) -> Vec<usize> {
        self.state().listings.clone()
    }

    /// The rooms that it was asked to delete.
    pub fn deleted(&self) -> Vec<String> {
        self.state().deleted.clone()
    }

    /// All calls of its API so far.
    pub fn calls(&self) -> usize {
        self.http.asked().len()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Stub {
        if let Some(fault) = &self.fault {
            return fault.clone();
        }
        match asked.path.rsplit('/').next().unwrap_or_default() {
            "ListRooms" => {
                let names = proto::ListRoomsRequest::decode(asked.body.clone()).expect("a request").names;
                // That one is the probe of readiness.
                if names != ["convoke-ping"] {
                    self.listings.push(names.len());
                }
                let is_meant = |name: &String| names.is_empty() || names.contains(name);
                let room = |(name, people): (&String, &Vec<String>)| proto::Room {
                    name: name.clone(),
                    sid: format!("RM_{name}"),
                    num_participants: people.len() as u32,
                    ..proto::Room::default()
                };
                let rooms = self.rooms.iter().filter(|(name, _)| is_meant(name)).map(room).collect();
                Stub::Body(200, proto::ListRoomsResponse { rooms }.encode_to_vec().into())
            }
            "ListParticipants" => {
                let room = proto::ListParticipantsRequest::decode(asked.body.clone()).expect("a request").room;
                let of = |name: &String| proto::ParticipantInfo { identity: name.clone(), ..proto::ParticipantInfo::default() };
                let participants = self.rooms.get(&room).into_iter().flatten().map(of).collect();
                Stub::Body(200, proto::ListParticipantsResponse { participants }.encode_to_vec().into())
            }
            "DeleteRoom" => {
                let room = proto::DeleteRoomRequest::decode(asked.body.clone()).expect("a request").room;
                let was_there = self.rooms.remove(&room).is_some();
                self.deleted.push(room);
                match was_there {
                    true => Stub::Body(200, proto::DeleteRoomResponse {}.encode_to_vec().into()),
                    false => Stub::json(404, &json!({"code": "not_found", "msg": "there is no such room"})),
                }
            }
            other => panic!("{other} is not asked for by realtime sessions"),
        }
    }
}
