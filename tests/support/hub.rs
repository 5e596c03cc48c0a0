//! The real `convoke` binary on a free port. Killed when dropped, and when this process dies.
//!
//! ```ignore
//! let hub = Hub::start(&[("REDIS_URL", &redis.url())]).await;
//! let client = Client::connect(&hub.url(), json!({"token": hub.token("rescuer", "r1", &["s1"])})).await;
//! ```

use std::collections::VecDeque;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use convoke::features::sos::auth::{self, Claims};
use convoke::settings::{Secret, VerifierSettings};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use super::DEADLINE;
use super::process::Process;
use super::redis::single;

/// The HS256 secret of every hub that a test starts, unless it sets another `JWT_SECRET`.
pub const SECRET: &str = "a secret of the tests, at least 32 bytes long";
/// The `X-Internal-Token` of every hub that a test starts, unless it sets another one.
pub const INTERNAL: &str = "the internal token of the tests";

/// The `CLUSTER_SECRET` of every hub that a test starts.
pub const CLUSTER_SECRET: &str = "the cluster secret of the tests";

/// Lines of the log that are kept: a test may look for one long after it was written.
const KEPT_LINES: usize = 10_000;
/// Of these, the newest that are shown when a test fails.
const SHOWN_LINES: usize = 400;

/// A node of the hub.
pub struct Hub {
    pub address: SocketAddr,
    process: Mutex<Process>,
    log: Arc<Mutex<VecDeque<String>>>,
    http: reqwest::Client,
}

impl Hub {
    /// Starts a node and waits until it is ready. `env` wins over the defaults of the tests; an empty value unsets one.
    pub async fn start(env: &[(&str, &str)]) -> Self {
        let hub = Self::start_unready(env).await;
        hub.wait_for_status("/readyz", 200).await;
        hub
    }

    /// [`Hub::start`] on the Redis that the tests of this process share, for a test that breaks nothing there.
    pub async fn on_shared_redis(env: &[(&str, &str)]) -> Self {
        Self::start(&[&[("REDIS_URL", &*single().url())], env].concat()).await
    }

    /// Starts a node and waits only until it listens.
    pub async fn start_unready(env: &[(&str, &str)]) -> Self {
        Self::start_command(Self::command("serve", env)).await
    }

    /// Starts a node that may not open more than so many files.
    pub async fn start_with_files(most: u64, env: &[(&str, &str)]) -> Self {
        let mut command = Self::command("serve", env);
        let limit = libc::rlimit { rlim_cur: most / 2, rlim_max: most };
        // SAFETY: setrlimit is async-signal-safe and only reads what it is given.
        unsafe {
            command.pre_exec(move || match libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            });
        }
        let hub = Self::start_command(command).await;
        hub.wait_for_status("/readyz", 200).await;
        hub
    }

    async fn start_command(mut command: Command) -> Self {
        command.stdout(Stdio::inherit()).stderr(Stdio::piped());
        let mut process = Process::start(command);
        let log = Arc::new(Mutex::new(VecDeque::new()));
        let stderr = process.child().stderr.take().unwrap();
        let kept = log.clone();
        let (said, says) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some(address) = listening(&line) {
                    let _ = said.send(address);
                }
                let mut kept = kept.lock().unwrap();
                kept.push_back(line);
                if kept.len() > KEPT_LINES {
                    kept.pop_front();
                }
            }
        });
        let address = tokio::task::spawn_blocking(move || says.recv_timeout(DEADLINE).ok());
        let address = address.await.unwrap();
        let address =
            address.unwrap_or_else(|| panic!("the hub does not listen; its log:\n{}", newest(&log.lock().unwrap(), SHOWN_LINES)));
        // No pool: a connection belongs to the runtime of one test, and a hub may serve several.
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client");
        Self { address, process: Mutex::new(process), log, http }
    }

    /// `convoke <word>` with nothing in its environment but what tests need.
    pub fn command(word: &str, env: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convoke"));
        command.arg(word).env_clear().stdin(Stdio::null());
        for name in ["PATH", "HOME", "LLVM_PROFILE_FILE", "RUST_BACKTRACE"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs([
            ("HOST", "127.0.0.1"),
            ("PORT", "0"),
            ("METRICS_PORT", "0"),
            ("CLUSTER_SECRET", CLUSTER_SECRET),
            ("PEER_PORT", "0"),
            ("JWT_SECRET", SECRET),
            ("INTERNAL_AUTH_TOKEN", INTERNAL),
            ("DRAIN_DELAY_SECONDS", "0"),
            ("DRAIN_SECONDS", "1"),
            ("LOG_LEVEL", "info,convoke=debug"),
        ]);
        // Hubs of several tests may share one Redis.
        static NEXT: AtomicU32 = AtomicU32::new(1);
        command.env("NODE_ID", format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
        command.envs(env.iter().copied());
        command
    }

    /// `http://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A token of this hub that lasts an hour; the first incident is its `sosId`.
    pub fn token(&self, role: &str, user: &str, sos: &[&str]) -> String {
        self.token_until(role, user, sos, Some(now_seconds() + 3600))
    }

    /// [`Hub::token`] with an expiry of its own (seconds since 1970).
    pub fn token_until(&self, role: &str, user: &str, sos: &[&str], expires_at: Option<u64>) -> String {
        mint(SECRET, role, user, sos, expires_at)
    }

    /// A request to this hub.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url())).timeout(DEADLINE)
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.expect("an answer")
    }

    /// Calls the internal API with the right token; gives status and body.
    pub async fn internal(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = self.request(method, &format!("/internal/realtime{path}")).header("x-internal-token", INTERNAL);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
    }

    /// Makes an incident by the internal API and returns its state.
    pub async fn create_sos(&self, sos: &str, citizen: &str) -> Value {
        let body = serde_json::json!({"sosId": sos, "citizenId": citizen});
        let (status, mut answer) = self.internal(Method::POST, "/sos/init", Some(body)).await;
        assert!(matches!(status, 200 | 201), "init was answered {status} {answer}");
        answer["data"].take()
    }

    /// Asks until a path is answered with this status; returns the body.
    pub async fn wait_for_status(&self, path: &str, status: u16) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let answer = self.request(Method::GET, path).send().await;
            let last = match answer {
                Ok(response) if response.status().as_u16() == status => return response.text().await.unwrap_or_default(),
                Ok(response) => format!("{} {}", response.status(), response.text().await.unwrap_or_default()),
                Err(error) => error.to_string(),
            };
            assert!(Instant::now() < deadline, "{path} was not answered {status} but {last}; log:\n{}", self.newest_log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the node has logged, and what has got here of it: a line gets here later than what it tells of.
    pub fn log(&self) -> String {
        newest(&self.log.lock().unwrap(), KEPT_LINES)
    }

    /// How many lines of its log have all of these words.
    pub fn logged(&self, words: &[&str]) -> usize {
        self.log.lock().unwrap().iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    pub fn has_logged(&self, words: &str) -> bool {
        self.logged(&[words]) > 0
    }

    fn newest_log(&self) -> String {
        newest(&self.log.lock().unwrap(), SHOWN_LINES)
    }

    /// Waits until a line with these words is in its log.
    #[track_caller]
    pub fn logs(&self, words: &str) -> impl Future<Output = ()> {
        super::eventually(words, move || self.has_logged(words))
    }

    pub fn pid(&self) -> u32 {
        self.process().child().id()
    }

    /// What the node holds of this machine's memory, in bytes.
    pub fn rss(&self) -> usize {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.pid())).expect("it runs");
        statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).expect("pages") * 4_096
    }

    /// Sends a signal: `libc::SIGTERM`, `SIGSTOP`, ….
    pub fn signal(&self, signal: i32) {
        self.process().signal(signal);
    }

    /// Kills the node, as a crash would.
    pub fn kill(&self) {
        let mut process = self.process();
        let _ = process.child().kill();
        let _ = process.child().wait();
    }

    /// Waits until the node has ended by itself.
    pub async fn exited(&self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.process().child().try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the hub does not end; its log:\n{}", self.newest_log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("log of the hub at {}:\n{}", self.address, self.newest_log());
        }
        self.kill();
    }
}

/// Signs a token; `role` in any case.
pub fn mint(secret: &str, role: &str, user: &str, sos: &[&str], expires_at: Option<u64>) -> String {
    convoke::auth::install_crypto_provider();
    let identity = VerifierSettings { secret: Some(Secret::new(secret)), ..VerifierSettings::default() };
    let claims = Claims {
        user_id: user.into(),
        role: role.parse().expect("a role"),
        sos_id: sos.first().map(|id| (*id).into()),
        sos_ids: sos.iter().map(|id| (*id).into()).collect(),
        expires_at,
    };
    auth::mint(&identity, &claims, now_seconds()).expect("a token")
}

/// The address in the line of the log that says that a node listens.
pub fn listening(line: &str) -> Option<SocketAddr> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["message"] == "listening").then(|| line["address"].as_str()?.parse().ok()).flatten()
}

pub fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn newest(lines: &VecDeque<String>, most: usize) -> String {
    let from = lines.len().saturating_sub(most);
    lines.iter().skip(from).map(String::as_str).collect::<Vec<_>>().join("\n")
}
