//! A real LiveKit server on private ports, which does not survive the process that started it.
//!
//! ```ignore
//! let Some(livekit) = livekit::shared() else { return };
//! let hub = Hub::start(&[&[("REDIS_URL", &*redis.url())], &livekit.env()[..]].concat()).await;
//! ```
//!
//! `scripts/livekit.sh` brings the oldest and the newest release that the hub is held to. Most tests run on the newest; those of what
//! the hub and LiveKit say to each other run on [`each`].

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use convoke::settings::{self, Secret};
use livekit_api::access_token::AccessToken;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::hub::now_seconds;
use super::ports::free_port;
use super::process::Process;

pub const KEY: &str = "key-of-the-tests";
pub const SECRET: &str = "the LiveKit secret of the tests, 32 bytes and more";

/// A release of LiveKit's server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    Oldest,
    Newest,
}

const PATIENCE: Duration = Duration::from_secs(40);
/// Lines of the log that are kept for the post-mortem.
const KEPT_LINES: usize = 400;

/// One server for all tests of the process that use rooms of their own and break nothing. `None` without a LiveKit server:
/// then the test is skipped, and says so.
pub fn shared() -> Option<&'static Server> {
    Release::Newest.shared()
}

/// A shared server of each release that there is.
pub fn each() -> impl Iterator<Item = &'static Server> {
    [Release::Oldest, Release::Newest].into_iter().filter_map(Release::shared)
}

impl Release {
    /// [`shared`] of this release.
    pub fn shared(self) -> Option<&'static Server> {
        static SHARED: [OnceLock<Server>; 2] = [const { OnceLock::new() }; 2];
        let program = self.program()?;
        let server = SHARED[self as usize].get_or_init(|| Server::spawned(self, program, &[]));
        // Shown where a test fails, which may go on with the other release.
        println!("on LiveKit's {self:?} release");
        Some(server)
    }

    /// The server's program. Without one the test says that it is skipped, even where its output is captured, and under
    /// `CI=true` it fails.
    fn program(self) -> Option<PathBuf> {
        static FOUND: [OnceLock<Option<PathBuf>>; 2] = [const { OnceLock::new() }; 2];
        let found = FOUND[self as usize].get_or_init(|| self.find()).clone();
        if found.is_none() {
            let test = std::thread::current().name().unwrap_or("a test").to_owned();
            let why = format!("LiveKit's {self:?} release is missing; scripts/livekit.sh brings it");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{test} cannot run: {why}");
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
        }
        found
    }

    /// The one that is installed counts as the newest. The others are where `scripts/livekit.sh` puts them.
    fn find(self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let installed = std::env::split_paths(&path).map(|folder| folder.join("livekit-server"));
        let cache = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?.join("convoke");
        let version = |name: &str| {
            let script = include_str!("../../scripts/livekit.sh");
            let line = script.lines().find_map(|line| line.strip_prefix(name)).expect("the script names it");
            cache.join(format!("livekit-server-{line}"))
        };
        match self {
            Self::Oldest => Some(version("oldest=")).filter(|file| file.is_file()),
            Self::Newest => installed.chain([version("newest=")]).find(|file| file.is_file()),
        }
    }
}

/// A server. Killed when dropped, and when this process dies.
pub struct Server {
    pub release: Release,
    pub port: u16,
    program: PathBuf,
    config: String,
    ws_url: String,
    api_url: String,
    process: Mutex<Option<Process>>,
    log: Arc<Mutex<VecDeque<String>>>,
}

impl Server {
    /// One of the test's own that tells these URLs what happens. `None` as in [`shared`].
    pub fn start(webhooks: &[&str]) -> Option<Self> {
        Self::start_of(Release::Newest, webhooks)
    }

    /// [`Server::start`] of this release.
    pub fn start_of(release: Release, webhooks: &[&str]) -> Option<Self> {
        release.program().map(|program| Self::spawned(release, program, webhooks))
    }

    fn spawned(release: Release, program: PathBuf, webhooks: &[&str]) -> Self {
        let (port, tcp, udp) = (free_port(), free_port(), free_udp_port());
        // YAML, of which JSON is a part. Media goes over 127.0.0.1 alone.
        let config = json!({
            "port": port,
            "bind_addresses": ["127.0.0.1"],
            "rtc": {
                "tcp_port": tcp, "udp_port": udp, "node_ip": "127.0.0.1",
                "use_external_ip": false, "enable_loopback_candidate": true,
            },
            "keys": {(KEY): SECRET},
            "webhook": {"api_key": KEY, "urls": webhooks},
            "logging": {"level": "info"},
        });
        let server = Self {
            release,
            port,
            program,
            config: config.to_string(),
            ws_url: format!("ws://127.0.0.1:{port}"),
            api_url: format!("http://127.0.0.1:{port}"),
            process: Mutex::new(None),
            log: Arc::default(),
        };
        server.run();
        server
    }

    fn run(&self) {
        let mut command = Command::new(&self.program);
        // In the environment, so that no file is left behind.
        command.env("LIVEKIT_CONFIG", &self.config).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = Process::start(command);
        let outputs: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(process.child().stdout.take().unwrap()), Box::new(process.child().stderr.take().unwrap())];
        for output in outputs {
            let kept = self.log.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    let mut kept = kept.lock().unwrap();
                    kept.push_back(line);
                    if kept.len() > KEPT_LINES {
                        kept.pop_front();
                    }
                }
            });
        }
        let start = Instant::now();
        while !answers(self.port) {
            let ended = process.child().try_wait().unwrap();
            assert!(ended.is_none(), "livekit-server ended with {ended:?}:\n{}", self.log());
            assert!(start.elapsed() < PATIENCE, "livekit-server does not answer:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
        *self.process.lock().unwrap() = Some(process);
    }

    /// Kills it, as a crash would; its rooms are gone.
    pub fn stop(&self) {
        self.process.lock().unwrap().take();
    }

    /// Starts it again where it was.
    pub fn restart(&self) {
        self.stop();
        self.run();
    }

    /// `SIGSTOP` makes it hang, `SIGCONT` go on.
    pub fn signal(&self, signal: i32) {
        self.process.lock().unwrap().as_ref().expect("it runs").signal(signal);
    }

    pub fn ws_url(&self) -> &str {
        &self.ws_url
    }

    pub fn api_url(&self) -> &str {
        &self.api_url
    }

    /// What a hub needs to use it.
    pub fn env(&self) -> [(&str, &str); 3] {
        [("LIVEKIT_WS_URL", &self.ws_url), ("LIVEKIT_API_KEY", KEY), ("LIVEKIT_API_SECRET", SECRET)]
    }

    /// What a client of ours needs to use it.
    pub fn settings(&self) -> settings::LiveKit {
        self.settings_at(&self.api_url)
    }

    /// [`Server::settings`] with the API at another address, that of a proxy.
    pub fn settings_at(&self, api_url: &str) -> settings::LiveKit {
        settings::LiveKit {
            ws_url: self.ws_url.as_str().into(),
            api_url: api_url.into(),
            key: KEY.into(),
            secret: Secret::new(SECRET),
            token_ttl: Duration::from_secs(3600),
            deadline: Duration::from_secs(5),
        }
    }

    /// Asks its API, such as `RoomService/ListRooms`, for itself and not through our client. The rights are those on one room,
    /// and the answer is the JSON of its message.
    pub async fn ask(&self, method: &str, room: &str, question: &Value) -> Value {
        self.ask_with(method, room, question, &[]).await
    }

    /// [`Server::ask`] with headers of the test's own.
    pub async fn ask_with(&self, method: &str, room: &str, question: &Value, headers: &[(&str, &str)]) -> Value {
        let video = json!({"room": room, "roomAdmin": true, "roomList": true, "roomCreate": true});
        let claims = json!({"iss": KEY, "exp": now_seconds() + 600, "video": video});
        convoke::auth::install_crypto_provider();
        let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).expect("a token");
        let request = reqwest::Client::new().post(format!("{}/twirp/livekit.{method}", self.api_url));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let answer = request.bearer_auth(token).json(question).send().await.expect("LiveKit answers");
        let (status, body) = (answer.status(), answer.text().await.expect("a body"));
        assert_eq!(status, 200, "{method}: {body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// What it has logged, the newest lines.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// The header `Authorization` of a webhook with this body.
pub fn sign_webhook(body: &str) -> String {
    // Else LiveKit's crate spoils the signatures of all other tests in this process.
    convoke::auth::install_crypto_provider();
    let hash = STANDARD.encode(Sha256::digest(body));
    AccessToken::with_api_key(KEY, SECRET).with_sha256(&hash).to_jwt().expect("a token")
}

/// Its health check says 200 once it would take participants.
fn answers(port: u16) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
        let mut head = [0; 12];
        stream.read_exact(&mut head).ok()?;
        Some(head.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

fn free_udp_port() -> u16 {
    loop {
        let port = free_port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
