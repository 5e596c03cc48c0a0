//! Starts of interview sessions on three nodes: two thousand at once, and then some with everything failing that they stand on.
//!
//! ```text
//! CONVOKE_STARTS_SEED=17 CONVOKE_STARTS_SECONDS=120 cargo test --test rigs starts
//! ```
//!
//! While they run PostgreSQL is asked again and again how many sessions are active; afterwards PostgreSQL, Redis and LiveKit
//! must say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use convoke::livekit::LiveKit;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use redis::cmd;
use reqwest::RequestBuilder;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::plan::{Lengths, Named, Outage, carry_out, from_env, outages};
use super::{alone, say};
use crate::support::booking::{Answer, SESSIONS_SECRET, holder_token};
use crate::support::cluster::Nodes;
use crate::support::hub::now_seconds;
use crate::support::proxy::Proxy;
use crate::support::{livekit, postgres, redis as servers};

const NODES: usize = 3;
const CAPACITY: usize = 50;
/// Of the one table under test.
const ACTIVE: &str = "status = 'active' AND server_end_time > now()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_starts_at_once_fill_the_capacity_exactly() {
    const USERS: usize = 500;
    const STARTS_OF_EACH: usize = 4;
    let _alone = alone().await;
    let Some(rig) = Rig::start(&[]).await else { return };
    let users = rig.users(USERS).await;
    let (began, stop, later) = (Instant::now(), CancellationToken::new(), AtomicUsize::new(0));
    let starts = async {
        // All users first, so that the starts of one come together with those of all others.
        let all = (0..STARTS_OF_EACH * USERS).map(|n| rig.start_until_answered(n % NODES, users[n % USERS], &later));
        let answers = join_all(all).await;
        stop.cancel();
        answers
    };
    let (answers, watched) = tokio::join!(starts, watch(&rig.database, &stop));
    let took = began.elapsed();

    let mut tally = Tally::default();
    let mut of_user = BTreeMap::<Uuid, usize>::new();
    for (n, answer) in answers.iter().enumerate() {
        tally.count(answer);
        if answer.status == 201 {
            *of_user.entry(users[n % USERS]).or_default() += 1;
        }
    }
    let later = later.into_inner();
    say!("{} starts of {USERS} users in {:.1} s: {tally}; {later} were told to come later", answers.len(), took.as_secs_f32());
    say!("{watched}");
    assert!(tally.wrongs.is_empty(), "{:?}", tally.wrongs);
    assert_eq!(tally.started.len(), CAPACITY);
    assert!(of_user.values().all(|&starts| starts == 1), "{of_user:?}");
    watched.judge();
    rig.agrees(Duration::from_secs(10)).await;
    assert_eq!(rig.rows().await.keys().cloned().collect::<BTreeSet<_>>(), tally.started, "those that were promised");
    rig.end_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_fails_during_starts_leaves_nothing_behind() {
    const USERS: usize = 120;
    const VISITORS: u64 = 80;
    let _alone = alone().await;
    let seed = from_env("CONVOKE_STARTS_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    let seconds = from_env("CONVOKE_STARTS_SECONDS").unwrap_or(25);
    say!("starts under faults: {seconds} s, CONVOKE_STARTS_SEED={seed}");
    let short = [
        ("START_LEASE_MS", "3000"),
        ("START_DEADLINE_MS", "2000"),
        ("TIMEOUT_ENFORCEMENT_INTERVAL_MS", "500"),
        ("LIVEKIT_DEADLINE_MS", "1000"),
        ("DATABASE_DEADLINE_MS", "1500"),
        ("REDIS_DEADLINE_MS", "1000"),
    ];
    let Some(rig) = Rig::start(&short).await else { return };
    let users = rig.users(USERS).await;
    let (stop, watching) = (CancellationToken::new(), CancellationToken::new());
    let tally = Mutex::new(Tally::default());
    let visitors = async {
        let all = (0..VISITORS).map(|n| rig.visit(seed.wrapping_mul(1_000).wrapping_add(n), &users, &tally, &stop));
        let torment = async {
            carry_out(plan(seed), Duration::from_secs(seconds), async |fault| rig.strike(fault).await).await;
            stop.cancel();
        };
        tokio::join!(join_all(all), torment);
        let began = Instant::now();
        rig.agrees(Duration::from_secs(20)).await;
        say!("PostgreSQL, Redis and LiveKit agree {:.1} s after the last start", began.elapsed().as_secs_f32());
        watching.cancel();
    };
    let ((), watched) = tokio::join!(visitors, watch(&rig.database, &watching));
    let tally = tally.into_inner().unwrap();
    say!("{tally}");
    say!("{watched}");
    assert!(tally.wrongs.is_empty(), "seed {seed}: {:?}", tally.wrongs);
    watched.judge();
    let known = rig.ids("true").await;
    let lost: Vec<_> = tally.started.difference(&known).collect();
    assert!(lost.is_empty(), "seed {seed}: promised, and then undone: {lost:?}");
    let ended = rig.ids("status <> 'active'").await;
    let revived: Vec<_> = tally.ended.difference(&ended).collect();
    assert!(revived.is_empty(), "seed {seed}: ended, and active again: {revived:?}");
    rig.end_all().await;
    // Nothing that is left anywhere keeps anybody out.
    let later = AtomicUsize::new(0);
    let again = join_all(users.iter().take(CAPACITY).map(|user| rig.start_until_answered(0, *user, &later))).await;
    assert!(again.iter().all(|answer| answer.status == 201), "{again:?}");
    rig.agrees(Duration::from_secs(10)).await;
}

/// Three nodes, and servers of their own.
struct Rig {
    nodes: Nodes,
    redis: servers::Server,
    postgres: postgres::Server,
    database: String,
    /// What the nodes reach LiveKit's API by.
    link: Proxy,
    /// What we reach it by.
    api: LiveKit,
    _livekit: livekit::Server,
    http: reqwest::Client,
}

/// An active session: user, its end (ms), room.
type Row = (Uuid, u64, String);

impl Rig {
    /// `None` without a LiveKit server.
    async fn start(env: &[(&str, &str)]) -> Option<Self> {
        let livekit = livekit::Server::start(&[])?;
        let (redis, postgres) = (servers::Server::start(&["--enable-debug-command", "yes"]), postgres::Server::start());
        let database = postgres.database().await;
        let link = Proxy::start(format!("127.0.0.1:{}", livekit.port)).await;
        let (api_url, capacity) = (format!("http://{}", link.address), CAPACITY.to_string());
        let common = [
            ("DATABASE_URL", &*database),
            ("LIVEKIT_WS_URL", livekit.ws_url()),
            ("LIVEKIT_API_URL", &api_url),
            ("LIVEKIT_API_KEY", livekit::KEY),
            ("LIVEKIT_API_SECRET", livekit::SECRET),
            ("SESSIONS_JWT_SECRET", SESSIONS_SECRET),
            ("MAX_CONCURRENT_INTERVIEWS", &capacity),
            ("BETA_INTERVIEWS_PER_USER", "1000000"),
            ("RATE_LIMIT_START_PER_MINUTE", "1000000"),
            ("RATE_LIMIT_SESSIONS_PER_MINUTE", "1000000"),
        ];
        let nodes = Nodes::start(NODES, &|_| redis.url(), &[&common[..], env].concat()).await;
        let api = LiveKit::new(&livekit.settings()).expect("a client");
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().expect("a client");
        Some(Self { nodes, redis, postgres, database, link, api, _livekit: livekit, http })
    }

    /// So many users with a résumé.
    async fn users(&self, count: usize) -> Vec<Uuid> {
        let columns = "INSERT INTO public.users (id, email, resume_id)";
        let insert =
            format!("{columns} SELECT gen_random_uuid(), 'u@example.com', 'r1' FROM generate_series(1, {count}) RETURNING id");
        let rows = postgres::sql(&self.database, &insert).await;
        rows.into_iter().map(|row| row[0].as_deref().unwrap().parse().unwrap()).collect()
    }

    fn post(&self, node: usize, user: Uuid, path: &str) -> RequestBuilder {
        let url = format!("http://127.0.0.1:{}/api/interviews/{path}", self.nodes.nodes[node].port);
        self.http.post(url).bearer_auth(holder_token(user, None, now_seconds() + 3600))
    }

    /// Does as it is told when the answer is "later", and counts how often.
    async fn start_until_answered(&self, node: usize, user: Uuid, later: &AtomicUsize) -> Answer {
        let began = Instant::now();
        loop {
            match Answer::maybe(self.post(node, user, "start")).await {
                Some(answer) if answer.status != 503 => return answer,
                last => assert!(began.elapsed() < Duration::from_secs(60), "never answered: {last:?}"),
            }
            later.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// One who comes again and again under several names: starts, sometimes hangs up, and mostly ends what was started.
    async fn visit(&self, seed: u64, users: &[Uuid], tally: &Mutex<Tally>, stop: &CancellationToken) {
        let mut random = StdRng::seed_from_u64(seed);
        while !stop.is_cancelled() {
            let (user, node) = (users[random.random_range(0..users.len())], random.random_range(0..NODES));
            let patience = match random.random_bool(0.2) {
                true => Duration::from_millis(random.random_range(1..300)),
                false => Duration::from_secs(30),
            };
            let answer = timeout(patience, Answer::maybe(self.post(node, user, "start"))).await;
            let mut present = None;
            match &answer {
                Ok(Some(answer)) => {
                    tally.lock().unwrap().count(answer);
                    let id = if answer.status == 201 { &answer.body["session"]["id"] } else { &answer.body["existingSessionId"] };
                    present = id.as_str().map(str::to_owned);
                }
                Ok(None) => tally.lock().unwrap().note("no answer"),
                Err(_) => tally.lock().unwrap().note("hung up"),
            }
            sleep(Duration::from_millis(random.random_range(0..400))).await;
            if let Some(id) = present.filter(|_| random.random_bool(0.5)) {
                let ended = Answer::maybe(self.post(random.random_range(0..NODES), user, &format!("{id}/end"))).await;
                if ended.is_some_and(|answer| answer.status == 200) {
                    tally.lock().unwrap().ended.insert(id);
                }
            }
        }
    }

    async fn strike(&self, fault: Fault) {
        match fault {
            Fault::Outage(outage) => outage.strike(&self.nodes, &self.link).await,
            Fault::PostgresCrashes { away } => {
                self.postgres.stop();
                sleep(away).await;
                self.postgres.restart();
            }
            Fault::RedisIsFlushed => self.redis.ask::<()>(&cmd("FLUSHALL")),
            Fault::RedisIsOld { age } => {
                self.redis.ask::<()>(&cmd("SAVE"));
                sleep(age).await;
                self.redis.ask::<()>(cmd("DEBUG").arg("RELOAD").arg("NOSAVE"));
            }
        }
    }

    /// Waits until what PostgreSQL, Redis and LiveKit hold is the same.
    async fn agrees(&self, patience: Duration) {
        let began = Instant::now();
        loop {
            let faults = self.disagreements().await;
            if faults.is_empty() {
                return;
            }
            if began.elapsed() > patience {
                for node in &self.nodes.nodes {
                    say!("=== {}\n{}", node.name, node.log());
                }
                panic!("they never agreed: {faults:#?}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn disagreements(&self) -> Vec<String> {
        let deadline = (Instant::now() + Duration::from_secs(10)).into();
        let rooms = self.api.list_rooms(deadline).await.expect("LiveKit answers");
        let rooms: BTreeSet<String> = rooms.into_iter().map(|room| room.name).collect();
        let slots = self.scores("{interviews}:active");
        let rows = self.rows().await;
        let wanted: BTreeMap<String, u64> = rows.iter().map(|(id, (_, ends, _))| (id.clone(), *ends)).collect();
        let wanted_rooms: BTreeSet<String> = rows.values().map(|(_, _, room)| room.clone()).collect();
        let mut faults = Vec::new();
        if slots != wanted {
            let more: Vec<_> = slots.iter().filter(|(id, ends)| wanted.get(*id) != Some(ends)).collect();
            let less: Vec<_> = wanted.iter().filter(|(id, ends)| slots.get(*id) != Some(ends)).collect();
            faults.push(format!("slots without such a row {more:?}, rows without such a slot {less:?}"));
        }
        if rooms != wanted_rooms {
            let (more, less) = (rooms.difference(&wanted_rooms), wanted_rooms.difference(&rooms));
            faults.push(format!("rooms too many {:?}, too few {:?}", more.collect::<Vec<_>>(), less.collect::<Vec<_>>()));
        }
        for (id, (user, ends, _)) in &rows {
            let own = self.scores(&format!("{{interviews}}:user:{user}"));
            if own.get(id) != Some(ends) {
                faults.push(format!("{id} of {user} is not among {own:?}"));
            }
        }
        faults
    }

    /// Active sessions by id.
    async fn rows(&self) -> BTreeMap<String, Row> {
        let ends = "floor(extract(epoch FROM server_end_time) * 1000)::bigint";
        let query = format!("SELECT id, user_id, {ends}, livekit_room_name FROM public.interview_sessions WHERE {ACTIVE}");
        let rows = postgres::sql(&self.database, &query).await;
        let row = |row: Vec<Option<String>>| {
            let [id, user, ends, room] = <[_; 4]>::try_from(row).unwrap().map(Option::unwrap);
            (id, (user.parse().unwrap(), ends.parse().unwrap(), room))
        };
        rows.into_iter().map(row).collect()
    }

    /// Ids of the sessions of which this is true.
    async fn ids(&self, condition: &str) -> BTreeSet<String> {
        let query = format!("SELECT id FROM public.interview_sessions WHERE {condition}");
        postgres::sql(&self.database, &query).await.into_iter().map(|row| row[0].clone().unwrap()).collect()
    }

    /// A sorted set.
    fn scores(&self, key: &str) -> BTreeMap<String, u64> {
        let pairs: Vec<(String, f64)> = self.redis.ask(cmd("ZRANGE").arg(key).arg(0).arg(-1).arg("WITHSCORES"));
        pairs.into_iter().map(|(id, score)| (id, score as u64)).collect()
    }

    /// Everybody ends; then nothing is left, and every interview is counted once.
    async fn end_all(&self) {
        let rows = self.rows().await;
        let ends = rows.iter().map(|(id, (user, ..))| Answer::of(self.post(1, *user, &format!("{id}/end"))));
        for answer in join_all(ends.collect::<Vec<_>>()).await {
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        self.agrees(Duration::from_secs(10)).await;
        assert!(self.rows().await.is_empty());
        let miscounted = "SELECT count(*) FROM public.users u WHERE completed_interviews_count <>
            (SELECT count(*) FROM public.interview_sessions s WHERE s.user_id = u.id)";
        assert_eq!(postgres::value(&self.database, miscounted).await, "0", "users whose interviews are miscounted");
    }
}

/// What PostgreSQL said while the starts went on.
#[derive(Debug, Default)]
struct Watched {
    looks: usize,
    most: i64,
    most_of_one: i64,
}

impl Watched {
    fn judge(&self) {
        assert!(self.looks > 0 && self.most <= CAPACITY as i64 && self.most_of_one <= 1, "{self}");
    }
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { looks, most, most_of_one } = self;
        write!(f, "PostgreSQL, asked {looks} times: at most {most} active, {most_of_one} of one user")
    }
}

/// Asks until it is told to stop, and whenever PostgreSQL is there.
async fn watch(database: &str, stop: &CancellationToken) -> Watched {
    let mut watched = Watched::default();
    let query = format!(
        "SELECT coalesce(sum(n), 0)::bigint, coalesce(max(n), 0)::bigint FROM
         (SELECT count(*) AS n FROM public.interview_sessions WHERE {ACTIVE} GROUP BY user_id) AS users"
    );
    while !stop.is_cancelled() {
        sleep(Duration::from_millis(20)).await;
        let Ok((client, connection)) = tokio_postgres::connect(database, tokio_postgres::NoTls).await else { continue };
        let driver = tokio::spawn(connection);
        while let (false, Ok(row)) = (stop.is_cancelled(), client.query_one(&query, &[]).await) {
            watched.looks += 1;
            watched.most = watched.most.max(row.get(0));
            watched.most_of_one = watched.most_of_one.max(row.get(1));
            sleep(Duration::from_millis(10)).await;
        }
        driver.abort();
    }
    watched
}

/// How starts were answered.
#[derive(Default)]
struct Tally {
    answers: BTreeMap<String, usize>,
    /// Ids that a client was given.
    started: BTreeSet<String>,
    /// Ids whose end was confirmed.
    ended: BTreeSet<String>,
    /// Answers that nobody should get.
    wrongs: Vec<String>,
}

impl Tally {
    fn note(&mut self, what: &str) {
        *self.answers.entry(what.to_owned()).or_default() += 1;
    }

    fn count(&mut self, answer: &Answer) {
        self.note(format!("{} {}", answer.status, answer.error()).trim());
        let is_right = match (answer.status, answer.error()) {
            (201, "") => answer.body["session"]["id"].as_str().is_some_and(|id| self.started.insert(id.to_owned())),
            // Another start of the user's that is under way has no id yet.
            (400, "ACTIVE_SESSION_EXISTS") => {
                answer.body["existingSessionId"].is_string() || answer.header("retry-after") == Some("1")
            }
            (409, "CAPACITY_FULL") | (502, "LIVEKIT_ROOM_FAILED") => true,
            (503, "UNAVAILABLE") => answer.header("retry-after").is_some(),
            _ => false,
        };
        if !is_right || !answer.body["message"].is_string() && answer.status != 201 {
            self.wrongs.push(format!("{answer:?}"));
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}; {} ended", self.answers, self.ended.len())
    }
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Outage(Outage),
    PostgresCrashes {
        away: Duration,
    },
    RedisIsFlushed,
    /// It is restored from a snapshot that is so old.
    RedisIsOld {
        age: Duration,
    },
}

impl Named for Fault {
    fn name(&self) -> &'static str {
        match self {
            Self::Outage(outage) => outage.name(),
            Self::PostgresCrashes { .. } => "crashes of PostgreSQL",
            Self::RedisIsFlushed => "flushes",
            Self::RedisIsOld { .. } => "old snapshots",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outage(outage) => outage.fmt(f),
            Self::PostgresCrashes { away } => write!(f, "PostgreSQL crashes and is back after {away:?}"),
            Self::RedisIsFlushed => write!(f, "Redis is flushed"),
            Self::RedisIsOld { age } => write!(f, "Redis is what it was {age:?} ago"),
        }
    }
}

/// Of one fault. A pause may be longer than the lease of a start.
const LENGTHS: Lengths = Lengths { away: 0..1_000, pause: 200..4_500, hang: 200..2_500, silence: 200..2_500 };

/// Endless: each kind in each round, in another order; a wait before each.
fn plan(seed: u64) -> impl Iterator<Item = (Duration, Fault)> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut round = Vec::new();
    std::iter::from_fn(move || {
        if round.is_empty() {
            let mut ms = |range| Duration::from_millis(random.random_range(range));
            let (crash, age) = (ms(0..1_000), ms(200..2_500));
            round = outages(&mut random, NODES, &LENGTHS).map(Fault::Outage).into();
            round.extend([Fault::PostgresCrashes { away: crash }, Fault::RedisIsFlushed, Fault::RedisIsOld { age }]);
            round.shuffle(&mut random);
        }
        Some((Duration::from_millis(random.random_range(50..700)), round.pop()?))
    })
}
