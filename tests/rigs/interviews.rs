//! Live interviews under faults: three nodes, 40 interviews, and everything that they stand on fails.
//!
//! ```text
//! CONVOKE_INTERVIEWS_SEED=17 CONVOKE_INTERVIEWS_SECONDS=180 cargo test --test rigs interviews
//! ```
//!
//! Nodes are killed, drained and paused, the Redis master is killed, PostgreSQL restarts, speech to text and AI break, answer late,
//! refuse or hang, and the candidates' links are cut. Each candidate says numbers; the stand-in hears them as these numbers, so that what
//! is missing or there twice can be told. Afterwards every chunk that was acknowledged is in the stored audio, every final text that a
//! candidate got is in the transcript and none twice, each answer is stored and scored once, and each interview has ended.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use convoke::features::interviews::recruiter::{self, Recruiter};
use convoke::settings::{Secret, VerifierSettings};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::candidate::{Candidate, Habits, Record, observed};
use super::faults::strike;
use super::plan::{from_env, plan};
use super::{alone, say};
use crate::support::booking::INTERVIEW_SECRET;
use crate::support::cluster::Nodes;
use crate::support::hub::{INTERNAL, now_seconds};
use crate::support::postgres;
use crate::support::roamer::Cut;
use crate::support::sentinel::Sentinels;
use crate::support::vendors::speech::numbers;
use crate::support::vendors::{AiFault, Server as Vendors, SpeechFault, VoiceFault};

const NODES: usize = 3;
const INTERVIEWS: usize = 40;
/// Chunks of half a second of one answer.
const CHUNKS: u32 = 6;
/// One question takes about so long, if nothing fails.
const SECONDS_OF_A_QUESTION: u64 = 5;
/// After the last fault, until all have ended.
const CATCH_UP: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_candidates_said_is_kept_and_every_interview_ends_whatever_fails() {
    let _alone = alone().await;
    let seed = from_env("CONVOKE_INTERVIEWS_SEED").unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    let seconds = from_env("CONVOKE_INTERVIEWS_SECONDS").unwrap_or(40);
    say!("interviews under faults: {seconds} s, CONVOKE_INTERVIEWS_SEED={seed}");
    let rig = Rig::start().await;
    let questions = (seconds / SECONDS_OF_A_QUESTION).max(2);
    let mut candidates = Vec::new();
    for n in 0..INTERVIEWS {
        let (interview, token) = rig.create(questions).await;
        let seed = seed.wrapping_mul(1_000).wrapping_add(n as u64);
        candidates.push(Candidate::start(Habits { address: rig.nodes.address(), interview, token, chunks: CHUNKS, seed }));
    }
    rig.torment(&candidates, seed, Duration::from_secs(seconds)).await;
    rig.vendors.vendors.fail(|faults| {
        (faults.speech, faults.ai, faults.voice) = (SpeechFault::None, AiFault::None, VoiceFault::None);
    });
    candidates.iter().for_each(Candidate::hurry);
    let began = Instant::now();
    while began.elapsed() < CATCH_UP && !candidates.iter().all(Candidate::is_done) {
        sleep(Duration::from_millis(100)).await;
    }
    say!("all had ended {:.1} s after the last fault", began.elapsed().as_secs_f32());
    let faults = rig.judge(&candidates, questions).await;
    if !faults.is_empty() {
        let file = std::env::temp_dir().join(format!("convoke-interviews-{seed}.log"));
        let mut text = faults.join("\n");
        rig.nodes.nodes.iter().for_each(|node| text += &format!("\n=== {}\n{}\n", node.name, node.log()));
        candidates.iter().for_each(|candidate| text += &format!("\n{} {:?}\n", candidate.interview, candidate.record()));
        let _ = std::fs::write(&file, text);
        rig.nodes.nodes.iter().for_each(|node| node.kill());
        let first = faults.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
        panic!("seed {seed}: {} promises were broken, see {}:\n{first}", faults.len(), file.display());
    }
}

struct Rig {
    nodes: Nodes,
    redis: Sentinels,
    postgres: postgres::Server,
    database: String,
    vendors: Vendors,
    http: reqwest::Client,
}

impl Rig {
    async fn start() -> Self {
        convoke::auth::install_crypto_provider();
        let (redis, postgres, vendors) = (Sentinels::start().await, postgres::Server::start(), Vendors::start().await);
        let database = postgres.database().await;
        let settings = vendors.settings();
        let mut env = vec![
            ("DATABASE_URL", &*database),
            ("DATABASE_DEADLINE_MS", "1500"),
            ("INTERVIEW_JWT_SECRET", INTERVIEW_SECRET),
            ("RATE_LIMIT_INTERVIEWS_PER_MINUTE", "1000000"),
            ("STT_SESSIONS_PER_MINUTE", "100000"),
            // Short heartbeats, so that half-dead links are found within the test.
            ("PING_INTERVAL_MS", "4000"),
            ("PING_TIMEOUT_MS", "3000"),
        ];
        env.extend(settings.iter().map(|(name, value)| (*name, &**value)));
        let nodes = Nodes::start(NODES, &|_| redis.url(), &env).await;
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().expect("a client");
        Self { nodes, redis, postgres, database, vendors, http }
    }

    /// An interview of so many questions: its id and its token.
    async fn create(&self, questions: u64) -> (String, String) {
        let questions: Vec<_> = (1..=questions)
            .map(|n| json!({"id": format!("q-{n}"), "text": format!("Say some numbers, for the {n}th time."), "type": "BEHAVIORAL"}))
            .collect();
        let body = json!({
            "organizationId": "org",
            "candidate": {"id": "ada", "name": "Ada", "email": "ada@example.com"},
            "template": {"title": "Numbers", "totalDuration": 10, "assessments": [{"title": "Counting", "questions": questions}]},
        });
        let url = format!("{}/internal/interviews", self.nodes.url());
        let answer = self.http.post(url).header("x-internal-token", INTERNAL).json(&body).send().await.expect("an answer");
        assert_eq!(answer.status(), 201, "an interview is made");
        let answer: Value = answer.json().await.expect("JSON");
        let text = |field: &str| answer[field].as_str().unwrap_or_default().to_owned();
        (text("id"), text("joinToken"))
    }

    async fn torment(&self, candidates: &[Candidate], seed: u64, time: Duration) {
        let (started, mut done) = (Instant::now(), BTreeMap::<&str, usize>::new());
        let cluster = async {
            for (wait, fault) in plan(seed, NODES, false) {
                sleep(wait).await;
                if started.elapsed() > time {
                    break;
                }
                say!("{:5.1} s  {fault}", started.elapsed().as_secs_f32());
                *done.entry("faults of nodes and Redis").or_default() += 1;
                strike(&self.nodes, &self.redis, fault).await;
            }
        };
        let (mut vendors, mut restarts, mut cuts) = (0, 0, 0);
        let outside = async {
            let mut random = StdRng::seed_from_u64(seed ^ 0x5eed);
            loop {
                sleep(Duration::from_millis(random.random_range(500..3_000))).await;
                self.fail_a_vendor(&mut random);
                vendors += 1;
                if random.random_bool(0.15) {
                    say!("{:5.1} s  PostgreSQL restarts", started.elapsed().as_secs_f32());
                    tokio::task::block_in_place(|| self.postgres.restart());
                    restarts += 1;
                }
            }
        };
        let links = async {
            let mut random = StdRng::seed_from_u64(seed ^ 0x11_4b);
            loop {
                sleep(Duration::from_millis(random.random_range(200..1_500))).await;
                for candidate in candidates.choose_multiple(&mut random, 2) {
                    candidate.cut(if random.random_bool(0.3) { Cut::Silent } else { Cut::Loud });
                    cuts += 1;
                }
            }
        };
        tokio::select! {
            () = cluster => {}
            () = outside => {}
            () = links => {}
        }
        say!("done: {done:?}, {vendors} of vendors, {restarts} restarts of PostgreSQL, {cuts} links cut");
    }

    fn fail_a_vendor(&self, random: &mut StdRng) {
        let speech = [
            SpeechFault::None,
            SpeechFault::None,
            SpeechFault::Cut { seconds: 2.0 },
            SpeechFault::Slow { ms: 1_500 },
            SpeechFault::Status(503),
            SpeechFault::Refuse(3009),
            SpeechFault::Close { code: 3005, seconds: 1.0 },
            SpeechFault::Hang,
        ];
        let ai = [
            AiFault::None,
            AiFault::None,
            AiFault::Status(500),
            AiFault::Slow { ms: 2_000 },
            AiFault::Refusal,
            AiFault::WrongSchema,
            AiFault::Cut,
        ];
        let voice = [VoiceFault::None, VoiceFault::Status(503), VoiceFault::Garbage];
        let (speech, ai, voice) = (pick(&speech, random), pick(&ai, random), pick(&voice, random));
        self.vendors.vendors.fail(|faults| (faults.speech, faults.ai, faults.voice) = (speech, ai, voice));
    }

    /// Every promise that was broken, in words.
    async fn judge(&self, candidates: &[Candidate], questions: u64) -> Vec<String> {
        let (mut faults, mut sums) = (Vec::new(), BTreeMap::<&str, usize>::new());
        let token = self.recruiter();
        for candidate in candidates {
            let (id, record) = (&candidate.interview, candidate.record());
            let mut fault = |what: String| faults.push(format!("{id}: {what}"));
            record.wrongs.iter().for_each(|wrong| fault(wrong.clone()));
            if !record.completed {
                fault(format!("it never ended: {record:?}"));
            }
            let status =
                postgres::value(&self.database, &format!("SELECT status FROM convoke.interviews WHERE id = '{id}'")).await;
            if record.completed && status != "COMPLETED" {
                fault(format!("PostgreSQL says {status}"));
            }
            self.judge_answers(id, &record, questions, &mut sums, &mut fault).await;
            self.judge_words(id, &record, &mut sums, &mut fault).await;
            match self.events(&token, id).await {
                None => fault("nothing of it can be observed".into()),
                Some(events) => {
                    let count = |name: &str| events.iter().filter(|(event, _)| event == name).count() as u64;
                    for (name, most) in [
                        ("interview-started", 1),
                        ("question-asked", questions - 1),
                        ("progress-update", questions),
                        ("interview-completed", 1),
                    ] {
                        if count(name) > most {
                            fault(format!("{name} was told {} times", count(name)));
                        }
                    }
                }
            }
            let counts = [("reconnects", record.reconnects as usize), ("nudges", record.nudges as usize)];
            for (name, count) in counts.into_iter().chain([("acknowledged numbers", record.acked.len())]) {
                *sums.entry(name).or_default() += count;
            }
        }
        say!("{sums:?}");
        faults
    }

    /// Answers: each question has one, and what was acknowledged is in its audio.
    async fn judge_answers(
        &self,
        id: &str,
        record: &Record,
        questions: u64,
        sums: &mut BTreeMap<&str, usize>,
        fault: &mut impl FnMut(String),
    ) {
        let url = format!("{}/internal/interviews/{id}", self.nodes.url());
        let shown = self.http.get(url).header("x-internal-token", INTERNAL).send().await.expect("an answer");
        let shown: Value = shown.json().await.expect("JSON");
        let rows = shown["responses"].as_array().map_or(&[][..], Vec::as_slice);
        if record.completed && rows.len() as u64 != questions {
            fault(format!("{} answers are stored of {questions}", rows.len()));
        }
        let mut stored = Vec::new();
        for row in rows {
            *sums.entry("answers").or_default() += 1;
            *sums.entry("scored").or_default() += usize::from(row["score"].is_number());
            let url = row["audioUrl"].as_str().unwrap_or_default();
            if url.is_empty() {
                continue;
            }
            match self.audio(url).await {
                Some(wav) => stored.extend(numbers_of(&wav)),
                None => fault(format!("the audio of answer {:?} cannot be read at {url}", row["order"])),
            }
        }
        let known: BTreeSet<_> = stored.iter().copied().collect();
        let lost: Vec<_> = record.acked.iter().filter(|number| !known.contains(number)).collect();
        if !lost.is_empty() {
            fault(format!("acknowledged and not stored: {lost:?}"));
        }
        if known.len() != stored.len() {
            fault(format!("{} numbers are stored twice", stored.len() - known.len()));
        }
    }

    /// Words: what the candidate was told for good is in the transcript, and nothing is there twice.
    async fn judge_words(&self, id: &str, record: &Record, sums: &mut BTreeMap<&str, usize>, fault: &mut impl FnMut(String)) {
        let rows = format!("SELECT text FROM convoke.transcripts WHERE interview_id = '{id}'");
        let texts: Vec<String> =
            postgres::sql(&self.database, &rows).await.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
        let written: Vec<i64> = texts.iter().flat_map(|text| numbers(text)).collect();
        let known: BTreeSet<_> = written.iter().copied().collect();
        if known.len() != written.len() {
            fault(format!("{} numbers are in the transcript twice", written.len() - known.len()));
        }
        for text in &record.finals {
            let lost: Vec<_> = numbers(text).into_iter().filter(|number| !known.contains(number)).collect();
            if !lost.is_empty() {
                fault(format!("{lost:?} of {text:?} are not in the transcript"));
            }
        }
        *sums.entry("numbers in transcripts").or_default() += known.len();
    }

    fn recruiter(&self) -> String {
        let identity = VerifierSettings { secret: Some(Secret::new(INTERVIEW_SECRET)), ..VerifierSettings::default() };
        let recruiter = Recruiter {
            user_id: "r-1".into(),
            role: "admin".parse().expect("a role"),
            org_id: None,
            expires_at: Some(now_seconds() + 3600),
        };
        recruiter::mint(&identity, &recruiter, now_seconds()).expect("a token")
    }

    async fn events(&self, token: &str, id: &str) -> Option<Vec<(String, Value)>> {
        for _ in 0..5 {
            if let Some(events) = observed(&self.nodes.address(), token, id).await {
                return Some(events);
            }
            sleep(Duration::from_millis(200)).await;
        }
        None
    }

    async fn audio(&self, url: &str) -> Option<Vec<u8>> {
        let answer = self.http.get(url).send().await.ok().filter(|answer| answer.status().is_success())?;
        answer.bytes().await.ok().map(Into::into)
    }
}

fn pick<T: Copy>(all: &[T], random: &mut StdRng) -> T {
    *all.choose(random).expect("there are some")
}

/// The numbers in a WAV file: 50 ms each, behind a header of 44 bytes.
fn numbers_of(wav: &[u8]) -> Vec<i64> {
    let windows = wav.get(44..).unwrap_or_default().chunks_exact(1_600);
    windows.map(|window| i64::from(i16::from_le_bytes([window[0], window[1]]))).filter(|number| *number > 0).collect()
}
