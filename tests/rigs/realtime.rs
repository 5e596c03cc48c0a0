//! Realtime sessions on three nodes with everything failing that they stand on.
//!
//! ```text
//! CONVOKE_REALTIME_SEED=17 CONVOKE_REALTIME_SECONDS=300 cargo test --test rigs realtime
//! ```
//!
//! Users make sessions, join their rooms, leave, delete, and come back with old tokens. Meanwhile nodes are killed and paused, LiveKit
//! hangs, is not heard, breaks off and is restarted, its webhooks (those of joins are the rig's own, since LiveKit tells of no guest without
//! media) are lost, late and out of order, and Redis forgets everything. Two things are judged: **no session goes while its user is in its room**, and afterwards **none is left but those whose users are there**, nor is
//! any room.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use convoke::livekit::LiveKit;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use redis::cmd;
use reqwest::Method;
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::plan::{Lengths, Named, Outage, carry_out, from_env, outages};
use super::{alone, say};
use crate::support::booking::Answer;
use crate::support::cluster::Nodes;
use crate::support::guest::Guest;
use crate::support::proxy::Proxy;
use crate::support::realtime::{AUDIENCE, Created, ISSUER, SECRET, SESSIONS, event, token};
use crate::support::stub_http::{Answer as Stub, StubHttp};
use crate::support::{livekit, redis as servers};

const NODES: usize = 3;
const VISITORS: u64 = 12;
/// Sessions whose users stay to the end.
const STAYING: usize = 4;
/// LiveKit counts a guest up to five seconds late, and one that comes back after a restart of LiveKit needs up to three seconds: two rounds
/// are further apart than that, as they are by default (15 s).
const INTERVAL: Duration = Duration::from_secs(9);
const STALE: Duration = Duration::from_secs(20);
/// Who has been in a room for so long is counted.
const COUNTED: Duration = Duration::from_secs(6);
/// Within which everything that is over is gone once nothing fails any more: LiveKit's counts lag by five seconds, another node takes over
/// within two intervals, its first round only looks, and two more see nobody. And some time for a busy machine.
const SETTLED: Duration = Duration::from_secs(5 + 5 * 9 + 15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_no_session_goes_while_its_user_is_there_and_none_stays_when_it_is_over() {
    let _alone = alone().await;
    let seed = from_env("CONVOKE_REALTIME_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    let seconds = from_env("CONVOKE_REALTIME_SECONDS").unwrap_or(30);
    say!("realtime sessions under faults: {seconds} s, CONVOKE_REALTIME_SEED={seed}");
    let Some(rig) = Rig::start(seed).await else { return };
    let stop = CancellationToken::new();
    let visitors = (0..VISITORS).map(|n| rig.visits(seed.wrapping_mul(1_000).wrapping_add(n), &stop));
    let torment = async {
        carry_out(plan(seed), Duration::from_secs(seconds), async |fault| rig.strike(fault).await).await;
        stop.cancel();
    };
    tokio::join!(join_all(visitors), torment);
    say!("{:?}", rig.tally.lock().unwrap());

    // Those whose users stay, among those that are over, and one who keeps coming back to a session that was deleted.
    let rig = &rig;
    let staying = join_all((0..STAYING).map(|n| async move { rig.session(&format!("stays-{n}")).await })).await;
    let staying: Vec<_> = staying.into_iter().map(|session| (rig.guest(&session), session)).collect();
    let deleted = rig.session("comes back").await;
    rig.delete(&deleted).await;
    let (back, began) = (rig.guest(&deleted), Instant::now());
    while back.presence().put_out_of == 0 {
        assert!(began.elapsed() < SETTLED, "seed {seed}: nobody deletes {deleted:?}: {:?}\n{}", back.presence(), rig.logs());
        sleep(Duration::from_millis(100)).await;
    }
    say!("who came back to a deleted session was put out {:.1} s after", began.elapsed().as_secs_f32());
    drop(back);
    let began = Instant::now();
    rig.settles(&staying).await;
    say!("only what is needed is left {:.1} s after the last fault", began.elapsed().as_secs_f32());
    // Where Redis forgets them, they are made again.
    rig.redis.ask::<()>(&cmd("FLUSHALL"));
    let began = Instant::now();
    rig.settles(&staying).await;
    say!("those that Redis had forgotten are there again after {:.1} s", began.elapsed().as_secs_f32());
    // And it stays so, in rounds in which nothing fails.
    let until = Instant::now() + INTERVAL + INTERVAL / 2;
    while Instant::now() < until {
        for (guest, session) in &staying {
            let status = rig.status(0, session).await;
            assert_eq!(status.as_deref(), Some("connected"), "seed {seed}: {session:?}, there {:?}", guest.presence());
        }
        sleep(Duration::from_millis(500)).await;
    }
    let wrongs = std::mem::take(&mut rig.tally.lock().unwrap().wrongs);
    assert!(wrongs.is_empty(), "seed {seed}: {wrongs:#?}\n{}", rig.logs());
}

/// Three nodes, and servers of their own.
struct Rig {
    nodes: Nodes,
    redis: servers::Server,
    livekit: livekit::Server,
    /// What the nodes reach LiveKit's API by.
    link: Proxy,
    /// What we reach it by.
    api: LiveKit,
    /// Webhooks on their way to the nodes.
    hooks: UnboundedSender<Hook>,
    http: reqwest::Client,
    /// How often Redis was flushed: a session of before is none any more, until a node has found its user in its room.
    flushes: AtomicU64,
    tally: Mutex<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    counts: BTreeMap<&'static str, usize>,
    wrongs: Vec<String>,
}

impl Rig {
    /// `None` without a LiveKit server.
    async fn start(seed: u64) -> Option<Self> {
        let (told, carried) = unbounded_channel();
        let post = StubHttp::start(Stub::json(200, &json!({}))).await;
        let livekit = livekit::Server::start(&[&format!("{}/livekit/webhook", post.url())])?;
        let hooks = told.clone();
        post.decide_by(move |asked| {
            let _ = told.send(Hook { authorization: asked.header("authorization").into(), body: asked.body.clone() });
            Stub::json(200, &json!({}))
        });
        let redis = servers::Server::start(&[]);
        let link = Proxy::start(format!("127.0.0.1:{}", livekit.port)).await;
        let (api_url, interval, stale) = (format!("http://{}", link.address), seconds(INTERVAL), seconds(STALE));
        let env = [
            ("LIVEKIT_WS_URL", livekit.ws_url()),
            ("LIVEKIT_API_URL", &api_url),
            ("LIVEKIT_API_KEY", livekit::KEY),
            ("LIVEKIT_API_SECRET", livekit::SECRET),
            ("LIVEKIT_DEADLINE_MS", "1000"),
            ("REDIS_DEADLINE_MS", "1000"),
            ("REALTIME_JWT_SECRET", SECRET),
            ("ISSUER", ISSUER),
            ("AUDIENCE", AUDIENCE),
            ("SESSION_CLEANUP_INTERVAL", &interval),
            ("SESSION_STALE_TTL", &stale),
            ("RATE_LIMIT_REALTIME_CREATE_PER_MINUTE", "100000"),
            ("RATE_LIMIT_REALTIME_PER_MINUTE", "100000"),
        ];
        let nodes = Nodes::start(NODES, &|_| redis.url(), &env).await;
        let ports = nodes.nodes.iter().map(|node| node.port).collect();
        tokio::spawn(carry(post, carried, ports, seed));
        let api = LiveKit::new(&livekit.settings()).expect("a client");
        let http = reqwest::Client::builder().timeout(Duration::from_secs(12)).build().expect("a client");
        let (flushes, tally) = (AtomicU64::new(0), Mutex::default());
        Some(Self { nodes, redis, livekit, link, api, hooks, http, flushes, tally })
    }

    fn note(&self, what: &'static str) {
        *self.tally.lock().unwrap().counts.entry(what).or_default() += 1;
    }

    async fn ask(&self, node: usize, method: Method, path: &str, user: &str) -> Option<Answer> {
        let url = format!("http://127.0.0.1:{}{SESSIONS}{path}", self.nodes.nodes[node].port);
        Answer::maybe(self.http.request(method, url).bearer_auth(token(user))).await
    }

    /// The user of a session comes to its room. Each join is told by webhook, as LiveKit tells it of those that send media.
    fn guest(&self, session: &Created) -> Guest {
        let (hooks, told) = (self.hooks.clone(), session.clone());
        Guest::come_noticed(self.livekit.ws_url(), &session.token, move |sid| {
            let body = event("participant_joined", &told, sid).to_string();
            // Nothing is carried any more when the rig ends.
            let _ = hooks.send(Hook { authorization: livekit::sign_webhook(&body), body: body.into() });
        })
    }

    /// A new session of this user, as soon as some node can make one.
    async fn session(&self, user: &str) -> Created {
        for node in (0..NODES).cycle() {
            match self.ask(node, Method::POST, "", user).await {
                Some(answer) if answer.status == 201 => return Created::of(&answer),
                Some(answer) if answer.status != 503 => panic!("a session is refused: {answer:?}"),
                _ => sleep(Duration::from_millis(200)).await,
            }
        }
        unreachable!("the nodes never end")
    }

    /// `None`: nobody can say now.
    async fn status(&self, node: usize, session: &Created) -> Option<String> {
        let answer = self.ask(node, Method::GET, &format!("/{}", session.id), &session.user).await?;
        match answer.status {
            200 => Some(answer.body["status"].as_str().expect("a status").to_owned()),
            404 => Some("gone".into()),
            503 => None,
            _ => panic!("a session is shown as {answer:?}"),
        }
    }

    async fn delete(&self, session: &Created) {
        for node in (0..NODES).cycle() {
            match self.ask(node, Method::DELETE, &format!("/{}", session.id), &session.user).await {
                Some(answer) if [200, 404].contains(&answer.status) => return,
                Some(answer) if answer.status != 503 => panic!("a deletion is refused: {answer:?}"),
                _ => sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// One who uses one session after another.
    async fn visits(&self, seed: u64, stop: &CancellationToken) {
        let mut random = StdRng::seed_from_u64(seed);
        while !stop.is_cancelled() {
            let flushes = self.flushes.load(Ordering::SeqCst);
            let session = self.session(&format!("user-{seed}")).await;
            self.note("made");
            if random.random_bool(0.2) {
                self.note("never joined");
                sleep(Duration::from_millis(random.random_range(0..2_000))).await;
                continue;
            }
            let guest = self.guest(&session);
            let stays = Duration::from_millis(random.random_range(2_000..45_000));
            self.watch(&session, &guest, flushes, stays, &mut random, stop).await;
            if random.random_bool(0.4) {
                self.note("deleted");
                self.delete(&session).await;
                if random.random_bool(0.5) {
                    self.note("came back");
                    sleep(Duration::from_millis(random.random_range(0..8_000))).await;
                }
            }
            self.note("left");
        }
    }

    /// Looks at a session while its user is there. It must not go then, but for a while after Redis has forgotten it.
    async fn watch(
        &self,
        session: &Created,
        guest: &Guest,
        mut flushes: u64,
        stays: Duration,
        random: &mut StdRng,
        stop: &CancellationToken,
    ) {
        let until = Instant::now() + stays;
        // The stretch of presence in which the session was there and its user counted.
        let mut alive_in = None;
        let mut is_forgotten = false;
        while Instant::now() < until && !stop.is_cancelled() {
            sleep(Duration::from_millis(500)).await;
            let counted = guest.present_for() > COUNTED;
            let before = guest.presence();
            let status = self.status(random.random_range(0..NODES), session).await;
            let flushed = self.flushes.load(Ordering::SeqCst);
            if flushed != flushes {
                (flushes, alive_in, is_forgotten) = (flushed, None, true);
                self.note("forgotten");
                continue;
            }
            match status.as_deref() {
                // While its user is there it will be made again.
                Some("gone") if is_forgotten => {}
                Some("gone") => {
                    let now = guest.presence();
                    let was_there = alive_in.is_some_and(|stretch| now.stretch == stretch || now.put_out_of == stretch);
                    if was_there {
                        let wrong = format!("{session:?} is gone while its user is there: {now:?}");
                        say!("{wrong}");
                        self.tally.lock().unwrap().wrongs.push(wrong);
                    }
                    return self.note("gone");
                }
                Some(status) => {
                    self.note(if status == "connected" { "seen connected" } else { "seen created" });
                    if std::mem::take(&mut is_forgotten) {
                        self.note("made again");
                    }
                    if counted && before.away.is_none() {
                        alive_in = Some(before.stretch);
                    }
                }
                None => self.note("no answer"),
            }
        }
    }

    /// Waits until nothing is left but these sessions and their rooms.
    async fn settles(&self, staying: &[(Guest, Created)]) {
        let began = Instant::now();
        loop {
            let faults = self.faults(staying).await;
            if faults.is_empty() {
                return;
            }
            assert!(began.elapsed() < SETTLED, "never settled: {faults:#?}\n{}", self.logs());
            sleep(Duration::from_millis(250)).await;
        }
    }

    async fn faults(&self, staying: &[(Guest, Created)]) -> Vec<String> {
        let mut faults = Vec::new();
        let deadline = (Instant::now() + Duration::from_secs(10)).into();
        let rooms = self.api.list_rooms(deadline).await.expect("LiveKit answers");
        for room in rooms.into_iter().filter(|room| staying.iter().all(|(_, session)| session.room != room.name)) {
            faults.push(format!("a room too many: {room:?}"));
        }
        for (_, session) in staying {
            let status = self.status(0, session).await;
            if status.as_deref() != Some("connected") {
                faults.push(format!("{} is {status:?}", session.id));
            }
        }
        let mut sessions: Vec<String> = self.redis.ask(cmd("KEYS").arg("realtime:session:*"));
        sessions.retain(|key| staying.iter().all(|(_, session)| !key.contains(&session.id)));
        faults.extend(sessions.into_iter().map(|key| format!("a session too many: {key}")));
        faults
    }

    fn logs(&self) -> String {
        self.nodes.nodes.iter().map(|node| format!("=== {}\n{}\n", node.name, node.log())).collect()
    }

    async fn strike(&self, fault: Fault) {
        match fault {
            Fault::Outage(outage) => outage.strike(&self.nodes, &self.link).await,
            Fault::LiveKitIsRestarted => tokio::task::block_in_place(|| self.livekit.restart()),
            Fault::RedisIsFlushed => {
                // On both sides, so that a session that is made meanwhile counts as one of before.
                self.flushes.fetch_add(1, Ordering::SeqCst);
                self.redis.ask::<()>(&cmd("FLUSHALL"));
                self.flushes.fetch_add(1, Ordering::SeqCst);
            }
        }
    }
}

/// A webhook as it is signed.
#[derive(Clone)]
struct Hook {
    authorization: String,
    body: Bytes,
}

/// Carries webhooks to the nodes: some never, some twice, each after a while of its own.
async fn carry(_post: StubHttp, mut hooks: UnboundedReceiver<Hook>, ports: Vec<u16>, seed: u64) {
    let (mut random, http) = (StdRng::seed_from_u64(seed), Arc::new(reqwest::Client::new()));
    while let Some(hook) = hooks.recv().await {
        for _ in 0..[0, 1, 1, 1, 2][random.random_range(0..5)] {
            let url = format!("http://127.0.0.1:{}/livekit/webhook", ports[random.random_range(0..ports.len())]);
            let (wait, http, hook) = (Duration::from_millis(random.random_range(0..3_000)), http.clone(), hook.clone());
            tokio::spawn(async move {
                sleep(wait).await;
                let request = http.post(url).header("authorization", hook.authorization);
                let request = request.header("content-type", "application/webhook+json").body(hook.body);
                // A node that is away hears nothing of it.
                let _ = request.timeout(Duration::from_secs(5)).send().await;
            });
        }
    }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Outage(Outage),
    /// Its rooms are gone, and their users come back.
    LiveKitIsRestarted,
    RedisIsFlushed,
}

impl Named for Fault {
    fn name(&self) -> &'static str {
        match self {
            Self::Outage(outage) => outage.name(),
            Self::LiveKitIsRestarted => "restarts of LiveKit",
            Self::RedisIsFlushed => "flushes",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outage(outage) => outage.fmt(f),
            Self::LiveKitIsRestarted => write!(f, "LiveKit is killed and starts again"),
            Self::RedisIsFlushed => write!(f, "Redis is flushed"),
        }
    }
}

/// Of one fault. A pause may come in the middle of a round of polling.
const LENGTHS: Lengths = Lengths { away: 0..2_000, pause: 500..9_000, hang: 500..6_000, silence: 500..4_000 };

/// Endless: each kind in each round, in another order; a wait before each, so that some rounds of polling succeed in between. Redis is
/// flushed in every other round.
fn plan(seed: u64) -> impl Iterator<Item = (Duration, Fault)> {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut round, mut rounds) = (Vec::new(), 0_u32);
    std::iter::from_fn(move || {
        if round.is_empty() {
            round = outages(&mut random, NODES, &LENGTHS).map(Fault::Outage).into();
            round.push(Fault::LiveKitIsRestarted);
            if rounds % 2 == 1 {
                round.push(Fault::RedisIsFlushed);
            }
            rounds += 1;
            round.shuffle(&mut random);
        }
        Some((Duration::from_millis(random.random_range(500..4_500)), round.pop()?))
    })
}
